/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_test.c - what one connection has found out, or agreed on with a server, serves all
 * threads. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../fs/store/http.h"
#include "memory.h"
#include "server_internal.h"

/* A server over TLS that ends each connection after one answer, and knows which were resumed. */
static struct {
	int fd;
	pthread_t thread;
	SSL_CTX *ctx;
	char url[64], ca_file[64];
	atomic_uint connections, resumed;
} tls;

static void answer(int fd)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: "
				   "close\r\n\r\nok";
	SSL *ssl = SSL_new(tls.ctx);
	char buf[4096];

	if (ssl && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1 &&
	    SSL_read(ssl, buf, sizeof(buf)) > 0) {
		atomic_fetch_add(&tls.connections, 1);
		atomic_fetch_add(&tls.resumed, SSL_session_reused(ssl) ? 1 : 0);
		SSL_write(ssl, text, (int)strlen(text));
		SSL_shutdown(ssl);
	}
	SSL_free(ssl);
}

static void *serve(void *arg)
{
	(void)arg;
	for (;;) {
		int fd = accept(tls.fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		answer(fd);
		close(fd);
	}
}

static void use_certificate(const struct gcs_server *maker)
{
	BIO *cert_text = BIO_new_mem_buf(maker->certificate, -1);
	BIO *key_text = BIO_new_mem_buf(maker->tls_key, -1);
	X509 *cert = PEM_read_bio_X509(cert_text, NULL, NULL, NULL);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);
	int fd;

	cr_assert(SSL_CTX_use_certificate(tls.ctx, cert) == 1 &&
		  SSL_CTX_use_PrivateKey(tls.ctx, key) == 1);
	strcpy(tls.ca_file, "/tmp/pubfs-tls-XXXXXX");
	fd = mkstemp(tls.ca_file);
	cr_assert(fd >= 0 && write(fd, maker->certificate, strlen(maker->certificate)) > 0);
	close(fd);
	X509_free(cert);
	EVP_PKEY_free(key);
	BIO_free(cert_text);
	BIO_free(key_text);
}

static void start_serving(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct gcs_server maker = { .url = NULL };
	socklen_t n = sizeof(a);

	tls.ctx = SSL_CTX_new(TLS_server_method());
	cr_assert_not_null(tls.ctx);
	tls_make(&maker, "127.0.0.1");
	use_certificate(&maker);
	free(maker.tls_key);
	free(maker.certificate);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tls.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(tls.fd >= 0 && !bind(tls.fd, (struct sockaddr *)&a, sizeof(a)) &&
		  !listen(tls.fd, 8) && !getsockname(tls.fd, (struct sockaddr *)&a, &n));
	sprintf(tls.url, "https://127.0.0.1:%u/", ntohs(a.sin_port));
	cr_assert_eq(pthread_create(&tls.thread, NULL, serve, NULL), 0);
}

static void stop_serving(void)
{
	shutdown(tls.fd, SHUT_RDWR);
	pthread_join(tls.thread, NULL);
	close(tls.fd);
	SSL_CTX_free(tls.ctx);
	unlink(tls.ca_file);
}

static struct http *http;

static void get(const char *url)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	const struct http_request request = { .method = "GET", .url = url, .about = "the test" };

	http_answer_init(&answer, 4096);
	cr_expect_eq(http_send(http, &request, &answer), 0);
}

static void *get_in_thread(void *url)
{
	get(url);
	return NULL;
}

/* Keeps one handle in use, so that whoever asks next has another one. */
struct occupant {
	struct gcs_server *slow;
	char *url;
	pthread_t thread;
};

static void occupy_handle(struct occupant *o)
{
	o->slow = gcs_server_start();
	o->url = xstrdup(gcs_server_url(o->slow));
	cr_assert_eq(gcs_server_script(o->slow, "fault unknown delay=60000"), 0);
	cr_assert_eq(pthread_create(&o->thread, NULL, get_in_thread, o->url), 0);
	while (!gcs_server_count(o->slow, GCS_UNKNOWN))
		sched_yield();
}

static void leave_handle(struct occupant *o)
{
	cr_assert_eq(gcs_server_script(o->slow, "end-delays"), 0);
	pthread_join(o->thread, NULL);
	gcs_server_stop(o->slow);
	free(o->url);
}

Test(tls, a_session_is_shared_by_all_threads_that_ask_a_server)
{
	struct http_options options = { .ca_file = tls.ca_file };
	struct occupant other;

	start_serving();
	cr_assert_eq(http_new(&options, &http), 0);
	get(tls.url);
	cr_assert_eq(atomic_load(&tls.resumed), 0);
	occupy_handle(&other);
	get(tls.url);
	cr_assert_eq(atomic_load(&tls.connections), 2);
	cr_assert_eq(atomic_load(&tls.resumed), 1);
	leave_handle(&other);
	http_free(http);
	stop_serving();
}

/* A name that no resolver knows (RFC 2606): each look-up of libcurl comes through here, and is then
 * the C library's own, of this host's address. */
#define NAME "pubfs.test"

static atomic_uint look_ups;

int getaddrinfo(const char *restrict node, const char *restrict service,
		const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node && !strcmp(node, NAME)) {
		atomic_fetch_add(&look_ups, 1);
		node = "127.0.0.1";
	}
	return real(node, service, hints, ret);
}

Test(names, an_address_is_looked_up_once_for_all_threads)
{
	struct http_options options = { .ca_file = NULL };
	struct gcs_server *server = gcs_server_start();
	CLEANUP(free_char)
	char *url = xasprintf("http://" NAME "%s", strrchr(gcs_server_url(server), ':'));
	struct occupant other;

	cr_assert_eq(http_new(&options, &http), 0);
	get(url);
	cr_assert_eq(atomic_load(&look_ups), 1);
	occupy_handle(&other);
	get(url);
	cr_assert_eq(gcs_server_connections(server), 2, "another handle has another connection");
	cr_assert_eq(atomic_load(&look_ups), 1);
	leave_handle(&other);
	http_free(http);
	gcs_server_stop(server);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_test.c - what one connection has agreed on with a server serves those of all threads. */
#include <criterion/criterion.h>
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

Test(tls, a_session_is_shared_by_all_threads_that_ask_a_server)
{
	struct http_options options = { .ca_file = tls.ca_file };
	struct gcs_server *slow = gcs_server_start();
	CLEANUP(free_char) char *url = xstrdup(gcs_server_url(slow));
	pthread_t thread;

	start_serving();
	cr_assert_eq(http_new(&options, &http), 0);
	get(tls.url);
	cr_assert_eq(atomic_load(&tls.resumed), 0);

	/* whoever asks next has another handle: the first one is in use */
	cr_assert_eq(gcs_server_script(slow, "fault unknown delay=60000"), 0);
	cr_assert_eq(pthread_create(&thread, NULL, get_in_thread, url), 0);
	while (!gcs_server_count(slow, GCS_UNKNOWN))
		sched_yield();
	get(tls.url);
	cr_assert_eq(atomic_load(&tls.connections), 2);
	cr_assert_eq(atomic_load(&tls.resumed), 1);

	cr_assert_eq(gcs_server_script(slow, "end-delays"), 0);
	pthread_join(thread, NULL);
	http_free(http);
	stop_serving();
	gcs_server_stop(slow);
}

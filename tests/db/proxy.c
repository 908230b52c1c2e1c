/* SPDX-License-Identifier: BSD-3-Clause */
/* proxy.c - one thread that hands over what it reads, step by step (the frontend/backend protocol,
 * version 3). */
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"
#include "server.h"
#include "strbuf.h"

#define SOCKET	     ".s.PGSQL.5432"
#define PAIRS_MAX    16
#define STEP_MAX     ((size_t)64 << 20)
#define CANCEL_WORDS 80877102 /* another connection's; no step */

struct pair {
	int client, server; /* -1: free */
	bool begun;	    /* its first words have passed */
	struct strbuf step; /* what the client has said of it */
};

struct proxy {
	char folder[32];
	int listener, wake[2];
	pthread_t thread;
	struct pair pairs[PAIRS_MAX];
	atomic_int left; /* steps to the cut; 0: it was made, or none is to be */
	atomic_int cut, connections;
	atomic_bool still;
	atomic_int version; /* that the server is to say; 0: its own */
};

static int path_socket(const char *folder, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/" SOCKET, folder);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void close_pair(struct pair *p)
{
	close(p->client);
	close(p->server);
	strbuf_release(&p->step);
	*p = (struct pair){ -1, -1, false, STRBUF_INIT(STEP_MAX) };
}

static bool send_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		bytes += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* The length of a message; 0: it is not whole. */
static size_t message_length(const char *bytes, size_t n, bool has_type)
{
	size_t at = has_type ? 1 : 0;
	uint32_t length;

	if (n < at + sizeof(length))
		return 0;
	memcpy(&length, bytes + at, sizeof(length));
	length = ntohl(length);
	return n < at + length ? 0 : at + length;
}

/* To the end of an answer, or of the connection. */
static void read_answer(int server, struct strbuf *answer)
{
	char buf[65536];
	size_t at = 0, length;
	ssize_t n;

	for (;;) {
		while ((length = message_length(answer->buf + at, answer->len - at, true))) {
			if (answer->buf[at] == 'Z')
				return;
			at += length;
		}
		n = recv(server, buf, sizeof(buf), 0);
		if (n <= 0)
			return;
		strbuf_add(answer, buf, (size_t)n);
	}
}

/* As a server says that an administrator has ended it. */
static void add_farewell(struct strbuf *out)
{
	static const char fields[] = "SFATAL\0VFATAL\0C57P01\0Mthe proxy ends this connection\0";
	uint32_t length = htonl(sizeof(length) + sizeof(fields));

	strbuf_addch(out, 'E');
	strbuf_add(out, &length, sizeof(length));
	strbuf_add(out, fields, sizeof(fields));
}

static void cut(struct pair *p, size_t length, enum cut how)
{
	CLEANUP(strbuf_release) struct strbuf answer = STRBUF_INIT(STEP_MAX);

	if (how != CUT_QUESTION && send_all(p->server, p->step.buf, length))
		read_answer(p->server, &answer);
	if (how == CUT_TOLD)
		add_farewell(&answer);
	if (how == CUT_WITHIN || how == CUT_TOLD)
		send_all(p->client, answer.buf, how == CUT_WITHIN ? answer.len / 2 : answer.len);
	close_pair(p);
}

/* The length of a step that is whole; 0: there is none. */
static size_t step_length(const struct pair *p)
{
	size_t at = 0, length;

	while ((length = message_length(p->step.buf + at, p->step.len - at, p->begun || at))) {
		char type = p->step.buf[at];

		at += length;
		if (!p->begun || strchr("QSX", type))
			return at;
	}
	return 0;
}

static bool is_counted(const struct pair *p)
{
	uint32_t words;

	if (p->begun)
		return p->step.buf[0] != 'X';
	memcpy(&words, p->step.buf + sizeof(words), sizeof(words));
	return ntohl(words) != CANCEL_WORDS;
}

static void hear_client(struct proxy *proxy, struct pair *p)
{
	char buf[65536];
	ssize_t n = recv(p->client, buf, sizeof(buf), 0);
	size_t length;

	if (n <= 0) {
		close_pair(p);
		return;
	}
	strbuf_add(&p->step, buf, (size_t)n);
	while ((length = step_length(p))) {
		int left = atomic_load(&proxy->left);

		if (is_counted(p) && left && atomic_fetch_sub(&proxy->left, 1) == 1) {
			cut(p, length, (enum cut)atomic_load(&proxy->cut));
			return;
		}
		p->begun = true;
		if (!send_all(p->server, p->step.buf, length)) {
			close_pair(p);
			return;
		}
		memmove(p->step.buf, p->step.buf + length, p->step.len - length);
		strbuf_setlen(&p->step, p->step.len - length);
	}
}

/* Its first two digits, in what a server says at first. */
static void set_version(char *bytes, size_t n, int version)
{
	static const char name[] = "server_version";
	char *at = memmem(bytes, n, name, sizeof(name));

	if (!at || (size_t)(bytes + n - at) < sizeof(name) + 2)
		return;
	at[sizeof(name)] = (char)('0' + version / 10);
	at[sizeof(name) + 1] = (char)('0' + version % 10);
}

static void hear_server(const struct proxy *proxy, struct pair *p)
{
	char buf[65536];
	ssize_t n = recv(p->server, buf, sizeof(buf), 0);
	int version = atomic_load(&proxy->version);

	if (n > 0 && version)
		set_version(buf, (size_t)n, version);
	if (n <= 0 || !send_all(p->client, buf, (size_t)n))
		close_pair(p);
}

static void let_in(struct proxy *proxy)
{
	int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
	struct sockaddr_un to;
	int server = path_socket(getenv(SERVER_FOLDER), &to);

	atomic_fetch_add(&proxy->connections, 1);
	if (connect(server, (struct sockaddr *)&to, sizeof(to)))
		abort();
	for (size_t i = 0; i < PAIRS_MAX; i++)
		if (proxy->pairs[i].client < 0) {
			proxy->pairs[i].client = client;
			proxy->pairs[i].server = server;
			return;
		}
	abort();
}

static void *serve(void *ctx)
{
	struct proxy *proxy = ctx;

	for (;;) {
		struct pollfd fds[2 + 2 * PAIRS_MAX] = { { proxy->wake[0], POLLIN, 0 },
							 { proxy->listener, POLLIN, 0 } };

		for (size_t i = 0; i < PAIRS_MAX; i++) {
			fds[2 + 2 * i] = (struct pollfd){ proxy->pairs[i].client, POLLIN, 0 };
			fds[3 + 2 * i] = (struct pollfd){ proxy->pairs[i].server, POLLIN, 0 };
		}
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			abort();
		if (fds[0].revents)
			return NULL;
		if (atomic_load(&proxy->still)) {
			poll(fds, 1, -1);
			return NULL;
		}
		for (size_t i = 0; i < PAIRS_MAX; i++) {
			struct pair *p = &proxy->pairs[i];

			if (fds[3 + 2 * i].revents)
				hear_server(proxy, p);
			if (fds[2 + 2 * i].revents && p->client >= 0)
				hear_client(proxy, p);
		}
		if (fds[1].revents)
			let_in(proxy);
	}
}

struct proxy *proxy_start(void)
{
	struct proxy *proxy = xcalloc(1, sizeof(*proxy));
	struct sockaddr_un at;

	strcpy(proxy->folder, "/tmp/pubfs-proxy-XXXXXX");
	if (!mkdtemp(proxy->folder) || pipe(proxy->wake))
		abort();
	for (size_t i = 0; i < PAIRS_MAX; i++)
		proxy->pairs[i] = (struct pair){ -1, -1, false, STRBUF_INIT(STEP_MAX) };
	proxy->listener = path_socket(proxy->folder, &at);
	if (bind(proxy->listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(proxy->listener, PAIRS_MAX) ||
	    pthread_create(&proxy->thread, NULL, serve, proxy))
		abort();
	return proxy;
}

void proxy_stop(struct proxy *proxy)
{
	CLEANUP(free_char) char *path = xasprintf("%s/" SOCKET, proxy->folder);

	close(proxy->wake[1]);
	pthread_join(proxy->thread, NULL);
	for (size_t i = 0; i < PAIRS_MAX; i++)
		if (proxy->pairs[i].client >= 0)
			close_pair(&proxy->pairs[i]);
	close(proxy->wake[0]);
	close(proxy->listener);
	unlink(path);
	rmdir(proxy->folder);
	free(proxy);
}

const char *proxy_folder(const struct proxy *proxy)
{
	return proxy->folder;
}

void proxy_arm(struct proxy *proxy, enum cut cut, int n)
{
	atomic_store(&proxy->cut, (int)cut);
	atomic_store(&proxy->left, n);
}

void proxy_say_version(struct proxy *proxy, int version)
{
	atomic_store(&proxy->version, version);
}

void proxy_stand_still(struct proxy *proxy)
{
	atomic_store(&proxy->still, true);
}

bool proxy_fired(const struct proxy *proxy)
{
	return !atomic_load(&proxy->left);
}

int proxy_connections(const struct proxy *proxy)
{
	return atomic_load(&proxy->connections);
}

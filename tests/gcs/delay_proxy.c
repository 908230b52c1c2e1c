/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * delay_proxy.c - a TCP proxy that makes a near server far, for counted and timed runs.
 *
 *	delay_proxy MILLISECONDS PORT
 *
 * Passes connections on to 127.0.0.1:PORT; a round trip takes that much longer, half on each way,
 * and a new connection one round trip more, as its handshake would. Prints its own port, and
 * serves until it is killed.
 *
 * One thread. A way is a queue of pieces, each with the time from which it may go on; a piece of
 * length 0 is the end of the stream. A way that holds QUEUE_MAX bytes is not read from.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compiler.h"

#define PIECE_MAX	(64 << 10)
#define QUEUE_MAX	(8 << 20)
#define CONNECTIONS_MAX 256

struct piece {
	struct piece *next;
	int64_t due; /* milliseconds */
	size_t n, sent;
	char bytes[];
};

struct way {
	struct piece *first, **last;
	size_t queued;
	bool ended, done; /* its source; its sink */
};

/* fd[0] is the client, fd[1] the server; ways[i] leads from fd[i] to fd[!i]. */
struct connection {
	int fd[2];
	int64_t open_at; /* nothing passes before */
	struct way ways[2];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "delay_proxy: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_socket(int fd)
{
	int on = 1;

	must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) >= 0, "fcntl");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int listen_loopback(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(fd >= 0 && !bind(fd, (struct sockaddr *)&address, n) && !listen(fd, 128) &&
		     !getsockname(fd, (struct sockaddr *)&address, &n),
	     "listen");
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static bool accept_connection(int listener, uint16_t port, int delay, struct connection *ret)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (client < 0 || server < 0 ||
	    connect(server, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(client);
		close(server);
		return false;
	}
	set_socket(client);
	set_socket(server);
	*ret = (struct connection){ .fd = { client, server }, .open_at = now_ms() + delay };
	for (int i = 0; i < 2; i++)
		ret->ways[i].last = &ret->ways[i].first;
	return true;
}

static void read_way(struct connection *c, int i, int delay)
{
	struct way *way = &c->ways[i];
	struct piece *p = malloc(sizeof(*p) + PIECE_MAX);
	int64_t now = now_ms();
	ssize_t n;

	must(p, "malloc");
	n = recv(c->fd[i], p->bytes, PIECE_MAX, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		free(p);
		return;
	}
	*p = (struct piece){ .due = (now > c->open_at ? now : c->open_at) + delay / 2,
			     .n = n > 0 ? (size_t)n : 0 };
	way->ended = n <= 0;
	way->queued += p->n;
	*way->last = p;
	way->last = &p->next;
}

static void drop_first(struct way *way)
{
	struct piece *p = way->first;

	way->queued -= p->n;
	way->first = p->next;
	if (!way->first)
		way->last = &way->first;
	free(p);
}

/* Sends what is due, as much as the socket takes. */
static void write_way(struct connection *c, int i)
{
	struct way *way = &c->ways[i];

	while (way->first && way->first->due <= now_ms()) {
		struct piece *p = way->first;
		ssize_t n;

		if (!p->n || way->done) {
			shutdown(c->fd[!i], SHUT_WR);
			way->done = true;
			drop_first(way);
			continue;
		}
		n = send(c->fd[!i], p->bytes + p->sent, p->n - p->sent, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) /* nobody reads any more: neither need the other side write */
			way->done = c->ways[!i].ended = c->ways[!i].done = true;
		else
			p->sent += (size_t)n;
		if (n < 0 || p->sent == p->n)
			drop_first(way);
	}
}

static bool finished(const struct connection *c)
{
	return c->ways[0].done && c->ways[1].done;
}

static void close_connection(struct connection *c)
{
	for (int i = 0; i < 2; i++) {
		while (c->ways[i].first)
			drop_first(&c->ways[i]);
		close(c->fd[i]);
	}
}

/* What to wait for: bytes where there is room, a due piece, or room for one. */
static void prepare(const struct connection *c, struct pollfd fds[2], int64_t now, int *timeout)
{
	for (int i = 0; i < 2; i++) {
		const struct way *from = &c->ways[i], *to = &c->ways[!i];

		fds[i] = (struct pollfd){ .fd = c->fd[i] };
		if (!from->ended && from->queued < QUEUE_MAX)
			fds[i].events |= POLLIN;
		if (to->first && to->first->due <= now)
			fds[i].events |= POLLOUT;
		else if (to->first && (*timeout < 0 || to->first->due - now < *timeout))
			*timeout = (int)(to->first->due - now);
		if (!fds[i].events)
			fds[i].fd = -1; /* or a hang-up would wake us all the time */
	}
}

int main(int argc, char **argv)
{
	static struct connection connections[CONNECTIONS_MAX];
	static struct pollfd fds[1 + 2 * CONNECTIONS_MAX];
	int delay = argc == 3 ? atoi(argv[1]) : -1, target = argc == 3 ? atoi(argv[2]) : 0;
	size_t n = 0;
	uint16_t port;
	int listener;

	if (delay < 0 || target <= 0 || target > UINT16_MAX) {
		fprintf(stderr, "usage: delay_proxy MILLISECONDS PORT\n");
		return 2;
	}
	listener = listen_loopback(&port);
	printf("%u\n", port);
	fflush(stdout);
	for (;;) {
		int64_t now = now_ms();
		int timeout = -1;
		size_t polled = n;

		fds[0] = (struct pollfd){ .fd = n < CONNECTIONS_MAX ? listener : -1,
					  .events = POLLIN };
		for (size_t i = 0; i < n; i++)
			prepare(&connections[i], &fds[1 + 2 * i], now, &timeout);
		must(poll(fds, 1 + 2 * n, timeout) >= 0 || errno == EINTR, "poll");
		if (fds[0].revents &&
		    accept_connection(listener, (uint16_t)target, delay, &connections[n]))
			n++;
		for (size_t i = polled; i-- > 0;) {
			struct connection *c = &connections[i];

			for (int way = 0; way < 2; way++) {
				if (!c->ways[way].ended && fds[1 + 2 * i + (size_t)way].revents &
								   (POLLIN | POLLHUP | POLLERR))
					read_way(c, way, delay);
				write_way(c, way);
			}
			if (finished(c)) {
				close_connection(c);
				connections[i] = connections[--n];
				/* a way's queue ends in its own memory */
				for (int way = 0; way < 2; way++)
					if (!connections[i].ways[way].first)
						connections[i].ways[way].last =
							&connections[i].ways[way].first;
			}
		}
	}
}

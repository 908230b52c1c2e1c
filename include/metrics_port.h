/* SPDX-License-Identifier: BSD-3-Clause */
/* metrics_port.h - metrics to be fetched by HTTP, at /metrics of an address of this host. */
#ifndef PUBFS_METRICS_PORT_H
#define PUBFS_METRICS_PORT_H

#include <sys/socket.h>

#include "compiler.h"

struct metrics_port;
struct strbuf;

/* "PORT" of 127.0.0.1, "ADDRESS:PORT" or "[ADDRESS]:PORT", in numbers. -EINVAL: it is none. */
int metrics_port_parse(const char *text, struct sockaddr_storage *ret) MUST_CHECK;

/* `text` appends them, on any thread. Port 0 is a free one; which is said (info). -EIO: the port
 * cannot be had, or this pubfs was built without libmicrohttpd (both said). */
int metrics_port_open(const char *address, int (*text)(void *ctx, struct strbuf *out), void *ctx,
		      struct metrics_port **ret) MUST_CHECK;
/* Waits for the answers that are under way. NULL: nothing. */
void metrics_port_close(struct metrics_port *port);

#endif

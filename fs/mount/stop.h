/* SPDX-License-Identifier: BSD-3-Clause */
/* stop.h - how a mount ends when it is told to. */
#ifndef PUBFS_STOP_H
#define PUBFS_STOP_H

#include <stdbool.h>

#include "compiler.h"

struct fuse_session;
struct stop;
struct tree;

/* What is ended. */
struct stop_service {
	struct fuse_session *session;
	const char *mountpoint;
	struct tree *tree;
	void (*stopping)(void *ctx); /* called first */
	void (*leaving)(void *ctx);  /* then, when no writer is waited for any more */
	void *ctx;
};

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and those that it makes, and starts the one
 * that waits for them. -EIO: said. */
int stop_new(struct stop **ret) MUST_CHECK;
/* Before stop_serve(): true once a signal came. */
bool stop_was_told(const struct stop *s);
/* From here on a signal ends the session: see stop.c. The thread that calls runs the session's
 * loop; what the service borrows outlives stop_free(). */
void stop_serve(struct stop *s, const struct stop_service *service);
/* By the thread that ran the loop, after it. From then on a signal ends the process. NULL is fine.
 */
void stop_free(struct stop *s);

#endif

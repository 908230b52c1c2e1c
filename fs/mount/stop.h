/* SPDX-License-Identifier: BSD-3-Clause */
/* stop.h - how a mount ends when it is told to. */
#ifndef PUBFS_STOP_H
#define PUBFS_STOP_H

#include <stdbool.h>

#include "compiler.h"

struct fuse_session;
struct stop;
struct tree;

/* Blocks SIGTERM, SIGINT and SIGHUP for this thread and those that it makes, and starts the one that
 * waits for them. -EIO: said. */
int stop_new(struct stop **ret) MUST_CHECK;
/* Before stop_serve(): true once a signal came. */
bool stop_was_told(const struct stop *s);
/* From here on a signal ends the session: see stop.c. The thread that calls runs the session's
 * loop, and all three outlive stop_free(). `stopping` is called first (may be NULL). */
void stop_serve(struct stop *s, struct fuse_session *session, const char *mountpoint,
		struct tree *t, void (*stopping)(void));
/* By the thread that ran the loop, after it. NULL is fine. */
void stop_free(struct stop *s);

#endif

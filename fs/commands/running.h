/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * running.h - what a process that lasts, such as a mount, tells others of itself: its status, in a
 * file below the cache for `pubfs status`, and its metrics, at a port.
 */
#ifndef PUBFS_RUNNING_H
#define PUBFS_RUNNING_H

#include <stdint.h>

#include "compiler.h"

struct options;
struct running;
struct strbuf;

#define RUNNING_EVERY (5 * SECOND_US) /* how old a status is at most, while the process lives */
#define RUNNING_GONE  MINUTE_US	      /* of one that is so old, the process is gone */

struct running_options { /* borrowed for its life */
	const struct options *o;
	const char *store_url;
	/* append what there is to tell now, a JSON object and OpenMetrics text; on any thread */
	int (*status)(void *ctx, struct strbuf *out);
	int (*metrics)(void *ctx, struct strbuf *out);
	void *ctx;
};
/* A port that cannot be had is a failure (said); a file that cannot be written, a warning. */
int running_begin(const struct running_options *options, struct running **ret) MUST_CHECK;
/* NULL: nothing. */
void running_end(struct running *running);

/* Calls fn with what each process on this store and cache has told, unless it is gone. */
typedef void running_fn(void *ctx, long pid, const struct strbuf *status);
int running_each(const char *cache, const char *store_url, running_fn *fn, void *ctx) MUST_CHECK;

#endif

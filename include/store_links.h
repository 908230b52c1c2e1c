/* SPDX-License-Identifier: BSD-3-Clause */
/* store_links.h - the links that can be pushed onto a store. */
#ifndef PUBFS_STORE_LINKS_H
#define PUBFS_STORE_LINKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"

struct store;

/*
 * The index: the whole bucket as list pages told it, in LMDB below `cache_dir`, shared by all
 * processes of the host, kept across restarts. stat and list are answered from it alone (never
 * listed so far: it lists first); store_refresh() looks again; edits go to `next` and then into
 * the index. Takes `next` over, on success only. A damaged index is made anew, said once.
 * -ENOTSUP: cache_dir is on a network file system (said).
 */
int index_push(struct store *next, const char *cache_dir, struct store **ret) MUST_CHECK;

/*
 * Keeps stored bodies of up to 8 MiB as files beside the index in `cache_dir`, shared by all
 * processes of the host: read once, or written, they are not asked for again. What the files take
 * is never over `limit` bytes; what was used longest ago goes. `next` must be an index of the same
 * folder. Takes it over, on success only.
 */
int cache_push(struct store *next, const char *cache_dir, uint64_t limit,
	       struct store **ret) MUST_CHECK;

/*
 * Asks again where `next` answers with passing trouble (-EAGAIN), until the deadline: then -EIO
 * (said). A change that was made though its answer was lost is a success.
 */
struct retry_options {
	int64_t deadline; /* microseconds without progress; 0: RETRY_DEADLINE */
	/* For tests; both NULL: the monotonic clock, and a sleep that ends with -ECANCELED when the
	 * atomic_bool at ctx (NULL: none) becomes true. */
	int64_t (*clock)(void *ctx);
	int (*sleep)(void *ctx, int64_t us);
	void *ctx;
};
#define RETRY_DEADLINE (30 * SECOND_US)
int retry_push(struct store *next, const struct retry_options *options, struct store **ret)
	MUST_CHECK;

/* Makes the groups of an edit side by side, at most that many at a time, whoever calls. */
int spread_push(struct store *next, unsigned threads, struct store **ret) MUST_CHECK;

/* Faults for tests: the n-th call from now on (1: the next; an edit counts one for each change)
 * fails with `error` and does nothing. A change that its group cancels anyway does not count. */
int fault_push(struct store *next, struct store **ret) MUST_CHECK;
void fault_arm(struct store *fault, unsigned n, int error);
bool fault_fired(const struct store *fault);

/* Counts for tests: how often each verb reached this link. */
struct store_counts {
	unsigned long stat, read, list, write, copy, touch, remove, refresh;
};
int counter_push(struct store *next, struct store **ret) MUST_CHECK;
struct store_counts counter_read(struct store *counter); /* and back to zero */

#endif

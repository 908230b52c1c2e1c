/* SPDX-License-Identifier: BSD-3-Clause */
/* store_links.h - the links that can be pushed onto a store. */
#ifndef PUBFS_STORE_LINKS_H
#define PUBFS_STORE_LINKS_H

#include <stdbool.h>

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

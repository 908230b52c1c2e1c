/* SPDX-License-Identifier: BSD-3-Clause */
/* reach.h - whether the store can be reached; while it cannot, what is known is shown. */
#ifndef PUBFS_REACH_H
#define PUBFS_REACH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "relist.h"

struct store;
struct strbuf;

struct reach {
	struct store *store; /* borrowed */
	bool lasting;
	int64_t patience;
	struct relist relist;
	pthread_mutex_t lock; /* of all below; taken last */
	pthread_cond_t wake;
	bool degraded, ending;
	int64_t since; /* wall clock */
	char *reason;
	bool looking;  /* the thread runs */
	bool joinable; /* there was one */
	pthread_t thread;
};

/* Not `lasting`: each failure to reach the store is one, and every listing is waited for; else
 * those that took no longer than `patience` (microseconds) the last time. */
void reach_init(struct reach *reach, struct store *store, bool lasting, int64_t patience);
void reach_release(struct reach *reach);

/* As store_refresh(), but what is known of a prefix whose listing takes long is shown until that is
 * complete; with a max_age of 0 it is waited for. A store that cannot be reached is no failure
 * where something is known; then, and until a thread has reached it again, nothing is asked.
 * -ECANCELED. */
int reach_refresh(struct reach *reach, const char *what, int64_t max_age) MUST_CHECK;
/* Something failed: the thread looks whether it was the store. */
void reach_doubt(struct reach *reach);
/* True, with the time and the reason, which is appended, while the store cannot be reached. */
bool reach_is_degraded(struct reach *reach, int64_t *ret_since, struct strbuf *reason);

#endif

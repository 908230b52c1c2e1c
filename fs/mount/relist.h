/* SPDX-License-Identifier: BSD-3-Clause */
/* relist.h - a long listing that goes on while what is known is shown. */
#ifndef PUBFS_RELIST_H
#define PUBFS_RELIST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct store;

struct relist {
	struct store *store; /* borrowed */
	void (*failed)(void *ctx);
	void *ctx;
	pthread_mutex_t lock; /* of all below; taken last */
	bool ending, running;
	bool joinable; /* there was a thread */
	pthread_t thread;
	char *what; /* of the thread, while it runs */
	int64_t max_age;
};

/* `failed`: called by the thread when a listing failed (said). */
void relist_init(struct relist *relist, struct store *store, void (*failed)(void *ctx), void *ctx);
/* Ends the listing that is under way. */
void relist_release(struct relist *relist);

/* Begins store_refresh(what, max_age), unless one is under way: one at a time. False: it cannot be
 * begun, and has to be waited for. */
bool relist_begin(struct relist *relist, const char *what, int64_t max_age);

#endif

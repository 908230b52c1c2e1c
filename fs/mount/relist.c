/* SPDX-License-Identifier: BSD-3-Clause */
/* relist.c - a long listing that goes on while what is known is shown. */
#include "relist.h"

#include <errno.h>
#include <stdlib.h>

#include "interrupt.h"
#include "memory.h"
#include "store.h"

void relist_init(struct relist *relist, struct store *store, void (*failed)(void *ctx), void *ctx)
{
	*relist = (struct relist){ .store = store, .failed = failed, .ctx = ctx };
	pthread_mutex_init(&relist->lock, NULL);
}

void relist_release(struct relist *relist)
{
	pthread_mutex_lock(&relist->lock);
	relist->ending = true;
	pthread_mutex_unlock(&relist->lock);
	if (relist->joinable)
		pthread_join(relist->thread, NULL);
	pthread_mutex_destroy(&relist->lock);
	free(relist->what);
}

static bool is_ending(void *ctx)
{
	struct relist *relist = ctx;
	bool ending;

	pthread_mutex_lock(&relist->lock);
	ending = relist->ending;
	pthread_mutex_unlock(&relist->lock);
	return ending;
}

static void *list(void *arg)
{
	struct relist *relist = arg;
	int r;

	interrupt_set(is_ending, relist);
	r = store_refresh(relist->store, relist->what, relist->max_age);
	if (r < 0 && r != -ECANCELED)
		relist->failed(relist->ctx);
	pthread_mutex_lock(&relist->lock);
	relist->running = false;
	pthread_mutex_unlock(&relist->lock);
	return NULL;
}

bool relist_begin(struct relist *relist, const char *what, int64_t max_age)
{
	bool running;

	pthread_mutex_lock(&relist->lock);
	if (!relist->running && !relist->ending) {
		if (relist->joinable) /* it has ended, and takes the lock no more */
			pthread_join(relist->thread, NULL);
		free(relist->what);
		relist->what = xstrdup(what);
		relist->max_age = max_age;
		relist->joinable = !pthread_create(&relist->thread, NULL, list, relist);
		relist->running = relist->joinable;
	}
	running = relist->running;
	pthread_mutex_unlock(&relist->lock);
	return running;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spread.c - the link that makes the groups of one store_edit() side by side.
 *
 * For a store where each change is a round trip. The thread that called takes part: with no thread
 * to spare, all is done by it, one group after the other. Groups are handed out by a counter,
 * removals that a store takes in one request together.
 * However many threads call, no more groups are under way at a time than the pool has threads: each
 * waits for its turn.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "driver.h"
#include "interrupt.h"
#include "memory.h"
#include "pool.h"
#include "store_links.h"

struct spread_store {
	struct store store;
	struct pool *pool;
	unsigned threads;
	pthread_mutex_t lock; /* of `turns` alone */
	pthread_cond_t free;
	unsigned turns; /* that are free */
};

/* One store_edit(). */
struct work {
	struct spread_store *sp;
	struct edit *edits;
	size_t n, at;	  /* `lock`: what is not taken begins at `at` */
	unsigned running; /* `lock`: on the pool */
	pthread_mutex_t lock;
	pthread_cond_t done;
};

static struct spread_store *spread_of(struct store *s)
{
	return (struct spread_store *)s;
}

/* Of a group, or of as many removals as are one request. */
static size_t share_end(const struct work *w, size_t from)
{
	size_t run = lone_removals(w->edits, w->n, from, w->sp->store.removals);
	size_t end = from + 1;

	if (run > 1)
		return from + run;
	while (end < w->n && w->edits[end].group == w->edits[from].group)
		end++;
	return end;
}

/* -ECANCELED: nobody waits for it any more. */
static int take_turn(struct spread_store *sp)
{
	int r = 0;

	pthread_mutex_lock(&sp->lock);
	while (!sp->turns && r == 0)
		r = interrupt_wait(&sp->free, &sp->lock);
	sp->turns -= r == 0;
	pthread_mutex_unlock(&sp->lock);
	return r;
}

static void give_turn(struct spread_store *sp)
{
	pthread_mutex_lock(&sp->lock);
	sp->turns++;
	pthread_cond_signal(&sp->free);
	pthread_mutex_unlock(&sp->lock);
}

static int edit_in_turn(struct spread_store *sp, struct edit *edits, size_t n)
{
	int r = take_turn(sp);

	for (size_t i = 0; r < 0 && i < n; i++)
		edits[i].result = r;
	if (r < 0)
		return r;
	r = store_edit(sp->store.next, edits, n);
	give_turn(sp);
	return r;
}

/* Takes shares until none is left. */
static void take_shares(struct work *w)
{
	for (;;) {
		size_t from, end;

		pthread_mutex_lock(&w->lock);
		from = w->at;
		end = from < w->n ? share_end(w, from) : from;
		w->at = end;
		pthread_mutex_unlock(&w->lock);
		if (from == end)
			return;
		(void)!edit_in_turn(w->sp, &w->edits[from], end - from); /* each has its result */
	}
}

static void run_job(void *ctx)
{
	struct work *w = ctx;

	take_shares(w);
	pthread_mutex_lock(&w->lock);
	if (!--w->running)
		pthread_cond_signal(&w->done);
	pthread_mutex_unlock(&w->lock);
}

static unsigned count_shares(const struct work *w, unsigned most)
{
	unsigned shares = 0;

	for (size_t at = 0; at < w->n && shares < most; at = share_end(w, at))
		shares++;
	return shares;
}

static int spread_edit(struct store *s, struct edit *edits, size_t n)
{
	struct spread_store *sp = spread_of(s);
	struct work w = { .sp = sp, .edits = edits, .n = n };
	unsigned jobs = count_shares(&w, sp->threads);

	if (jobs < 2)
		return n ? edit_in_turn(sp, edits, n) : 0;
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.done, NULL);
	w.running = jobs - 1;
	for (unsigned i = 1; i < jobs; i++)
		pool_run(sp->pool, run_job, &w);
	take_shares(&w);
	pthread_mutex_lock(&w.lock);
	while (w.running)
		pthread_cond_wait(&w.done, &w.lock);
	pthread_mutex_unlock(&w.lock);
	pthread_cond_destroy(&w.done);
	pthread_mutex_destroy(&w.lock);
	return edit_result(edits, n);
}

static void spread_close(struct store *s)
{
	struct spread_store *sp = spread_of(s);

	pool_free(sp->pool);
	pthread_cond_destroy(&sp->free);
	pthread_mutex_destroy(&sp->lock);
	free(sp);
}

static const struct store_ops spread_ops = {
	.name = "spread",
	.edit = spread_edit,
	.close = spread_close,
};

int spread_push(struct store *next, unsigned threads, struct store **ret)
{
	struct spread_store *sp;
	struct pool *pool;
	int r;

	assert(threads >= 1);
	r = pool_new(threads, &pool);
	if (r < 0)
		return r == -EAGAIN ? -EIO : r;
	sp = xcalloc(1, sizeof(*sp));
	link_init(&sp->store, &spread_ops, next);
	sp->pool = pool;
	sp->threads = threads;
	sp->turns = threads;
	pthread_mutex_init(&sp->lock, NULL);
	pthread_cond_init(&sp->free, NULL);
	*ret = &sp->store;
	return 0;
}

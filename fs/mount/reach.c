/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reach.c - whether the store can be reached; while it cannot, what is known is shown.
 *
 *	reached  --a refresh failed--> degraded
 *	reached  --something else failed--> doubted: the thread looks at once
 *	doubted  --it looked--> reached, or degraded
 *	degraded --the thread looked--> reached, or it looks again after a pause that doubles
 *
 * Looking is listing the names at the top. The thread exists only while there is doubt, so a mount
 * that is idle asks nothing. `lock` is not held while it looks. A long listing has a thread of its
 * own (relist.c).
 */
#include "reach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "store.h"
#include "strbuf.h"

#define FIRST_PAUSE SECOND_US
#define LAST_PAUSE  (30 * SECOND_US)

static void lose(void *ctx);

void reach_init(struct reach *reach, struct store *store, bool lasting, int64_t patience)
{
	*reach = (struct reach){ .store = store, .lasting = lasting, .patience = patience };
	pthread_mutex_init(&reach->lock, NULL);
	pthread_cond_init(&reach->wake, NULL);
	relist_init(&reach->relist, store, lose, reach);
}

void reach_release(struct reach *reach)
{
	relist_release(&reach->relist);
	pthread_mutex_lock(&reach->lock);
	reach->ending = true;
	pthread_cond_signal(&reach->wake);
	pthread_mutex_unlock(&reach->lock);
	if (reach->joinable)
		pthread_join(reach->thread, NULL);
	pthread_cond_destroy(&reach->wake);
	pthread_mutex_destroy(&reach->lock);
	free(reach->reason);
}

static bool is_ending(void *ctx)
{
	struct reach *reach = ctx;
	bool ending;

	pthread_mutex_lock(&reach->lock);
	ending = reach->ending;
	pthread_mutex_unlock(&reach->lock);
	return ending;
}

static void note_degraded(struct reach *reach)
{
	bool first;

	pthread_mutex_lock(&reach->lock);
	first = !reach->degraded;
	if (first) {
		reach->degraded = true;
		reach->since = clock_now();
		free(reach->reason);
		reach->reason = xstrdup(log_last_failure());
	}
	pthread_mutex_unlock(&reach->lock);
	if (first)
		log_warning("%s cannot be reached; what is known of it is shown",
			    reach->store->url);
}

/* Under the lock. */
static void wait_for(struct reach *reach, int64_t us)
{
	int64_t until = clock_monotonic() + us;

	while (!reach->ending && clock_wait(&reach->wake, &reach->lock, until))
		;
}

/* True: there is nothing left to look for. */
static bool look(struct reach *reach, int64_t *pause)
{
	int r = store_refresh(reach->store, "", 0);
	bool done;

	if (r < 0 && r != -ECANCELED)
		note_degraded(reach);
	pthread_mutex_lock(&reach->lock);
	if (r < 0)
		wait_for(reach, *pause);
	*pause = *pause * 2 < LAST_PAUSE ? *pause * 2 : LAST_PAUSE;
	done = !r || reach->ending;
	if (done)
		reach->looking = false;
	if (!r && reach->degraded) {
		reach->degraded = false;
		log_warning("%s can be reached again", reach->store->url);
	}
	pthread_mutex_unlock(&reach->lock);
	return done;
}

static void *look_until_reached(void *arg)
{
	struct reach *reach = arg;
	int64_t pause = FIRST_PAUSE;

	interrupt_set(is_ending, reach);
	while (!look(reach, &pause))
		;
	return NULL;
}

void reach_doubt(struct reach *reach)
{
	pthread_mutex_lock(&reach->lock);
	if (!reach->looking && !reach->ending) {
		if (reach->joinable) /* it has ended, and takes the lock no more */
			pthread_join(reach->thread, NULL);
		reach->joinable = !pthread_create(&reach->thread, NULL, look_until_reached, reach);
		reach->looking = reach->joinable;
		if (!reach->joinable) /* then the next failure looks */
			reach->degraded = false;
	}
	pthread_mutex_unlock(&reach->lock);
}

bool reach_is_degraded(struct reach *reach, int64_t *ret_since, struct strbuf *reason)
{
	bool degraded;

	pthread_mutex_lock(&reach->lock);
	degraded = reach->degraded;
	if (degraded) {
		*ret_since = reach->since;
		strbuf_addstr(reason, reach->reason);
	}
	pthread_mutex_unlock(&reach->lock);
	return degraded;
}

/* Whether a list, or the question for one object, is answered without the store. */
static bool is_known(struct reach *reach, const char *what)
{
	const char *slash = strchr(what, '/');
	CLEANUP(free_char) char *top = xstrndup(what, slash ? (size_t)(slash - what) + 1 : 0);

	return store_knows(reach->store, top) > 0;
}

/* A listing failed: what is known is shown until the thread has reached the store again. */
static void lose(void *ctx)
{
	note_degraded(ctx);
	reach_doubt(ctx);
}

/* True: what is known can be shown, being young enough, or while a long listing goes on. */
static bool is_shown_meanwhile(struct reach *reach, const char *what, int64_t max_age)
{
	bool of_names = !*what || what[strlen(what) - 1] == '/';
	int64_t due = reach->lasting && max_age && of_names
			      ? store_due(reach->store, what, max_age)
			      : -1;

	return !due || (due > reach->patience && relist_begin(&reach->relist, what, max_age));
}

int reach_refresh(struct reach *reach, const char *what, int64_t max_age)
{
	bool degraded;
	int r;

	pthread_mutex_lock(&reach->lock);
	degraded = reach->degraded;
	pthread_mutex_unlock(&reach->lock);
	if (degraded && is_known(reach, what))
		return 0;
	if (is_shown_meanwhile(reach, what, max_age))
		return 0;
	r = store_refresh(reach->store, what, max_age);
	if (!r || r == -ECANCELED || !reach->lasting)
		return r;
	lose(reach);
	return is_known(reach, what) ? 0 : r;
}

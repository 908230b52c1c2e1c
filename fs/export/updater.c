/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * updater.c - the thread that keeps the bucket equal to the database.
 *
 *	state	  entered when				     runs
 *	full	  at the start; a day after the last one     export_all()
 *	event	  the database changed			     export_changed()
 *	retry	  a pass failed, after `delay`		     that kind of pass again
 *	waiting	  else					     looks at the database every POLL
 * A failed pass doubles `delay`, a good one sets it back. What failed in a full pass is work for
 * the event passes too (export.h), so only a full pass that was cut short is repeated as one.
 *
 * `lock` guards `ending` and `status`; all else belongs to the thread. It is never held while a
 * pass runs, so the status can always be asked.
 */
#include "updater.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "store.h"

#define POLL	    (100 * 1000LL) /* what a commit waits at most before it is seen; one cheap query */
#define DELAY_MIN   SECOND_US
#define DELAY_MAX   (5 * MINUTE_US)
#define DELAY_BLIND MINUTE_US /* each failure to ask the database is a line in the log */
#define NEVER	    INT64_MAX

struct updater {
	struct db *db;
	struct exporter *exporter;
	pthread_t thread;
	atomic_bool stop; /* what the exporter sees of `ending` */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending;
	struct updater_status status;
};

/* What the thread knows of its passes; times are clock_monotonic(). */
struct schedule {
	int64_t full_at, retry_at, delay;
	uint64_t seen; /* db_changed() before the last pass */
	bool seen_any;
	int64_t blind_until; /* the database could not be asked */
};

static void counts_add(struct export_counts *to, const struct export_counts *from)
{
	to->packages += from->packages;
	to->current += from->current;
	to->written += from->written;
	to->copied += from->copied;
	to->touched += from->touched;
	to->removed += from->removed;
	to->failed += from->failed;
	to->held += from->held;
	to->left += from->left;
	to->left_out += from->left_out;
	to->no_archive += from->no_archive;
	to->garbage += from->garbage;
}

static void note_pass(struct updater *u, int r, const struct export_counts *counts)
{
	struct updater_status *status = &u->status;

	pthread_mutex_lock(&u->lock);
	status->last_pass = clock_now();
	status->last_result = r;
	status->passes++;
	counts_add(&status->total, counts);
	free(status->last_error);
	status->last_error = NULL;
	if (counts->held)
		status->last_error = xasprintf("%llu packages are held (.pubfs/held)",
					       (unsigned long long)counts->held);
	else if (counts->failed)
		status->last_error = xasprintf("%llu packages could not be exported",
					       (unsigned long long)counts->failed);
	else if (counts->left_out)
		status->last_error = xasprintf("%llu versions were left out",
					       (unsigned long long)counts->left_out);
	else if (r < 0)
		status->last_error = xstrdup(log_last_failure());
	pthread_mutex_unlock(&u->lock);
}

static void run_pass(struct updater *u, struct schedule *next, bool full)
{
	struct export_counts counts = { 0 };
	int r = full ? export_all(u->exporter, &counts) : export_changed(u->exporter, &counts);
	int64_t now = clock_monotonic();
	bool whole = !r || counts.failed || counts.left_out || counts.held;

	note_pass(u, r, &counts);
	if (whole && full)
		next->full_at = now + DAY_US;
	if (whole && !counts.failed) {
		next->delay = DELAY_MIN;
		next->retry_at = NEVER;
	} else {
		if (full && !whole)
			next->full_at = now + next->delay;
		next->retry_at = now + next->delay;
		next->delay = 2 * next->delay < DELAY_MAX ? 2 * next->delay : DELAY_MAX;
	}
	export_counts_release(&counts);
}

/* True: there is a pass to run, and whether it is a full one. */
static bool is_due(struct updater *u, struct schedule *next, bool *ret_full)
{
	int64_t now = clock_monotonic();
	uint64_t seen;
	bool moved = false;

	if (now < next->blind_until)
		return false;
	if (db_changed(u->db, &seen) < 0) {
		next->blind_until = now + DELAY_BLIND;
	} else {
		moved = next->seen_any && seen != next->seen;
		next->seen = seen;
		next->seen_any = true;
	}
	*ret_full = now >= next->full_at;
	return *ret_full || moved || now >= next->retry_at;
}

/* False: it is over. */
static bool wait_a_poll(struct updater *u)
{
	struct timespec at;
	bool ending;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += POLL * 1000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&u->lock);
	while (!u->ending && pthread_cond_timedwait(&u->wake, &u->lock, &at) != ETIMEDOUT)
		;
	ending = u->ending;
	pthread_mutex_unlock(&u->lock);
	return !ending;
}

static void *updater_main(void *arg)
{
	struct updater *u = arg;
	struct schedule next = { .full_at = clock_monotonic(),
				 .retry_at = NEVER,
				 .delay = DELAY_MIN };

	do {
		bool full;

		if (is_due(u, &next, &full))
			run_pass(u, &next, full);
	} while (wait_a_poll(u));
	return NULL;
}

static void updater_free(struct updater *u)
{
	exporter_free(u->exporter);
	updater_status_release(&u->status);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

int updater_start(const struct exporter_options *options, struct updater **ret)
{
	struct updater *u = xcalloc(1, sizeof(*u));
	struct exporter_options own = *options;
	pthread_condattr_t attr;
	int r;

	assert(!options->stop);
	own.stop = &u->stop;
	u->db = own.db;
	u->status.last_pass = NO_TIME;
	pthread_mutex_init(&u->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&u->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = exporter_new(&own, &u->exporter);
	if (r < 0) {
		updater_free(u);
		return r;
	}
	r = pthread_create(&u->thread, NULL, updater_main, u);
	if (r) {
		updater_free(u);
		return fail(-EAGAIN, "cannot start the updater's thread: %s", strerror(r));
	}
	*ret = u;
	return 0;
}

void updater_stop(struct updater *u)
{
	if (!u)
		return;
	u->stop = true;
	pthread_mutex_lock(&u->lock);
	u->ending = true;
	pthread_cond_signal(&u->wake);
	pthread_mutex_unlock(&u->lock);
	pthread_join(u->thread, NULL);
	updater_free(u);
}

void updater_status(struct updater *u, struct updater_status *ret)
{
	pthread_mutex_lock(&u->lock);
	*ret = u->status;
	ret->last_error = xstrdup_or_null(u->status.last_error);
	pthread_mutex_unlock(&u->lock);
}

void updater_status_release(struct updater_status *status)
{
	free(status->last_error);
	status->last_error = NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * updater.c - the threads that keep the bucket equal to the database, as one host of a deployment.
 *
 *	passes	 runs what schedule.c says is due: export_all(), event passes, a scan. An event pass
 *		 for a few packages goes on by itself (flights.h), so that the next change does
 *		 not wait for it
 *	urgent	 while a long pass is under way: export_urgent() when the database changed, or what
 *		 was put off is due, so that no take-down waits for the end of an import
 *	collect	 the collection of the day, beside all passes: what one of them exports meanwhile
 *		 stays (unlisted.c)
 *	beat	 keeps the heartbeat and the leases of both
 *
 * Each of the first two has an exporter and claims of its own, so that no package is in the hands
 * of both, and what one has just written the other leaves in peace, too. What a pass leaves undone
 * is work for the next one: nothing is queued here.
 *
 * latest/ is open once the own prefix was filled by a full pass; a full pass follows whenever
 * another deployment begins or ceases to keep it, and another one, of who keeps it then, when the
 * last request of the others is over; after a take-over that alone (struct latest_view).
 *
 * `lock` guards `status`, `behind`, `filled` and `settled`; all else belongs to one thread. It is
 * never held while a pass runs, so the status can always be asked.
 */
#include "updater.h"

#include <assert.h>
#include <errno.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "db.h"
#include "deployment.h"
#include "exporter.h"
#include "flights.h"
#include "log.h"
#include "memory.h"
#include "pool.h"
#include "schedule.h"
#include "store.h"
#include "store_links.h"
#include "updater_status.h"

#define LOOK_MAX    SECOND_US /* how long a thread waits for the database before it looks up */
#define DELAY_BLIND MINUTE_US /* each failure to ask the database is a line in the log */
#define LEASE_DAY   (23 * HOUR_US) /* on what one host does a day */

struct lane {
	char *owner;
	struct exporter *exporter;
	pthread_t thread;
	bool runs;
};

struct updater {
	struct exporter_options export;
	struct deployment self;
	int (*collect)(void *ctx, const atomic_bool *stop);
	void *ctx;
	char *process;		    /* no other one has that name, ever */
	struct lane passes, urgent; /* at one pace */
	pthread_t beat;
	bool beats;
	struct pool *collector;
	atomic_bool collecting;
	atomic_bool stop, busy; /* busy: a pass is under way that others wait for */
	atomic_bool look_up; /* wakes the thread of passes: a flight has landed, or it is the end */

	/* of the thread of passes */
	struct flights flights;
	struct schedule schedule;
	struct latest_view view;
	bool viewed;
	int64_t look_at; /* when deployments are looked at again */
	bool rebase; /* once */
	int64_t settles_at; /* SCHEDULE_NEVER: nothing to wait for */

	pthread_mutex_t lock;
	pthread_cond_t wake; /* the end */
	bool filled, settled;
	int64_t behind; /* now_of(), as status.lag; 0: it is not */
	struct updater_status status;
};

/* What is put off is due by the exporter's clock, and so is all else. */
static int64_t now_of(const struct updater *u)
{
	return exporter_now(u->passes.exporter);
}

static enum outcome outcome_of(int r, const struct export_counts *counts)
{
	return !r || counts->failed || counts->left_out || counts->held ? PASS_WHOLE
									: PASS_CUT_SHORT;
}

static void note_pass(struct updater *u, const struct lane *lane, int r,
		      const struct export_counts *counts, const char *why)
{
	struct updater_status *status = &u->status;

	pthread_mutex_lock(&u->lock);
	updater_status_add(status, counts);
	/* what goes well beside a long pass says nothing of that one */
	if (lane == &u->passes || r < 0)
		updater_status_set_result(status, r, counts, why);
	if (lane == &u->passes) {
		updater_status_set_packages(status, lane->exporter, counts->left_why);
		if (outcome_of(r, counts) == PASS_WHOLE)
			u->behind = flights_first(&u->flights);
	}
	pthread_mutex_unlock(&u->lock);
}

static void tell_latest(struct updater *u, struct lane *lane)
{
	pthread_mutex_lock(&u->lock);
	exporter_set_latest(lane->exporter, u->filled, u->settled);
	pthread_mutex_unlock(&u->lock);
}

typedef int pass_fn(struct exporter *ex, struct export_counts *ret);

static enum outcome run_pass(struct updater *u, struct lane *lane, pass_fn *pass)
{
	CLEANUP(export_counts_release) struct export_counts counts = { 0 };
	int r;

	tell_latest(u, lane);
	r = pass(lane->exporter, &counts);
	note_pass(u, lane, r, &counts, NULL);
	return outcome_of(r, &counts);
}

/* What one of the hosts does once a day. False: another one has, or does. */
static bool claim_day(struct updater *u, const char *work)
{
	const struct lease lease = {
		.store = u->export.store->url,
		.runtime_version = u->self.runtime_version,
		.owner = u->passes.owner,
		.duration = LEASE_DAY,
	};
	CLEANUP(free_char) char *name = xstrdup(work);
	enum claim claim = CLAIM_TAKEN;

	return db_claim(u->export.db, &lease, &name, 1, &claim) == 0 && claim == CLAIM_MINE;
}

static void collect(void *ctx)
{
	struct updater *u = ctx;

	if (u->collect(u->ctx, &u->stop) < 0)
		log_info("the daily collection is not whole");
	u->collecting = false;
}

/* One that is under way for a day goes on alone. */
static void start_collection(struct updater *u)
{
	if (!u->collect || u->stop || u->collecting || !claim_day(u, ".gc"))
		return;
	u->collecting = true;
	pool_run(u->collector, collect, u);
}

static void end_full(struct updater *u, int64_t now)
{
	bool first;

	pthread_mutex_lock(&u->lock);
	first = !u->filled;
	u->filled = true;
	pthread_mutex_unlock(&u->lock);
	if (first)
		schedule_full(&u->schedule, now); /* latest/ is open from here on */
	else
		start_collection(u);
	u->rebase = u->rebase && first;
}

static void end_flight(struct updater *u, struct flight *f)
{
	CLEANUP(export_counts_release) struct export_counts counts = { 0 };
	CLEANUP(free_char) char *why = NULL;
	enum due kind = f->kind;
	int r = flight_end(f, &counts, &why);

	note_pass(u, &u->passes, r, &counts, why);
	schedule_ended(&u->schedule, now_of(u), kind, outcome_of(r, &counts));
}

static void end_landed(struct updater *u)
{
	struct flight *f;

	while ((f = flights_landed(&u->flights)))
		end_flight(u, f);
}

static void end_flights(struct updater *u)
{
	flights_wait(&u->flights);
	end_landed(u);
}

static void start_event(struct updater *u, enum due kind)
{
	struct flight *f;

	tell_latest(u, &u->passes);
	f = flight_begin(u->passes.exporter, kind);
	if (flights_take(&u->flights, f))
		return;
	u->busy = !event_pass_is_idle(f->pass);
	flight_run(f);
	u->busy = false;
	end_flight(u, f);
}

static void run_full(struct updater *u)
{
	enum outcome outcome;
	int64_t now;

	if (!u->schedule.own_full && !claim_day(u, ".full")) {
		schedule_full_taken(&u->schedule, now_of(u));
		return;
	}
	u->busy = true;
	end_flights(u);
	exporter_set_rebase(u->passes.exporter, u->rebase);
	outcome = run_pass(u, &u->passes, export_all);
	exporter_set_rebase(u->passes.exporter, false);
	now = now_of(u);
	schedule_ended(&u->schedule, now, DUE_FULL, outcome);
	if (outcome == PASS_WHOLE)
		end_full(u, now);
	u->busy = false;
}

static void run_event(struct updater *u, enum due kind)
{
	uint64_t found;

	if (kind == DUE_SCAN &&
	    db_scan(u->export.db, schedule_scan(&u->schedule, now_of(u)), &found) < 0)
		return; /* said; an event pass would fail too */
	start_event(u, kind);
}

static void look_at_all(struct updater *u, int64_t now)
{
	exporter_look_anew(u->passes.exporter);
	schedule_full(&u->schedule, now);
}

/* What another deployment sent last may be under way still: who keeps latest/ looks at everything
 * when that is over, and before that, unless it was that one's. */
static void note_deployments(struct updater *u, const struct latest_view *view, int64_t now)
{
	bool wait = u->viewed && latest_view_takes_over(&u->view, view);
	bool others = u->viewed || view->n_live > 1;

	u->settles_at = others && latest_view_keeps(view) ? now + RETRY_DEADLINE : SCHEDULE_NEVER;
	if (u->viewed && !wait)
		look_at_all(u, now);
	pthread_mutex_lock(&u->lock);
	u->settled = !wait && (u->settled || u->settles_at == SCHEDULE_NEVER);
	pthread_mutex_unlock(&u->lock);
}

/* Who keeps latest/ may have changed; then everything is looked at. */
static void look_at_deployments(struct updater *u, int64_t now)
{
	CLEANUP(latest_view_release)
	struct latest_view view = { .own = xstrdup(u->self.runtime_version), .deployment = true };

	if (latest_view_read(u->export.db, &view) < 0)
		return; /* said; asked again soon */
	if (!u->viewed || !latest_view_same(&view, &u->view))
		note_deployments(u, &view, now);
	latest_view_release(&u->view);
	u->view = view;
	u->viewed = true;
	view = (struct latest_view){ .own = NULL };
}

static void settle(struct updater *u, int64_t now)
{
	if (now < u->settles_at)
		return;
	u->settles_at = SCHEDULE_NEVER;
	look_at_all(u, now);
	pthread_mutex_lock(&u->lock);
	u->settled = true;
	pthread_mutex_unlock(&u->lock);
}

static void note_behind(struct updater *u, int64_t now, bool changed)
{
	pthread_mutex_lock(&u->lock);
	u->status.noticed += changed;
	if (!u->behind)
		u->behind = now;
	pthread_mutex_unlock(&u->lock);
}

/* Until the database changed, or something else is due. Below 0: it cannot be asked. */
static int wait_for_change(struct updater *u, int64_t until, const atomic_bool *stop,
			   uint64_t *seen)
{
	int64_t wait = until - now_of(u);

	if (wait <= 0)
		return 0;
	return db_wait(u->export.db, earlier(wait, LOOK_MAX), stop, seen);
}

static void nap(struct updater *u, int64_t until)
{
	pthread_mutex_lock(&u->lock);
	while (!u->stop && clock_wait(&u->wake, &u->lock, until))
		;
	pthread_mutex_unlock(&u->lock);
}

static enum due what_is_due(struct updater *u, int changed)
{
	int64_t now = now_of(u);

	end_landed(u);
	if (changed > 0)
		note_behind(u, now, true);
	if (changed || now >= u->look_at) { /* time goes by, and heartbeats lapse */
		look_at_deployments(u, now);
		u->look_at = now + LOOK_MAX;
	}
	settle(u, now);
	return schedule_due(&u->schedule, now, changed > 0, exporter_due(u->passes.exporter));
}

static void *passes_main(void *arg)
{
	struct updater *u = arg;
	uint64_t seen = 0;
	int changed = db_changed(u->export.db, &seen);

	for (;;) {
		enum due due;

		u->look_up = false; /* before `stop` is looked at: the end sets both */
		if (u->stop)
			break;
		due = what_is_due(u, changed);
		if (due == DUE_FULL)
			run_full(u);
		else if (due != DUE_NOTHING)
			run_event(u, due);
		changed = wait_for_change(u, schedule_next(&u->schedule,
							   exporter_due(u->passes.exporter)),
					  &u->look_up, &seen);
		if (changed < 0) {
			note_behind(u, now_of(u), false);
			nap(u, clock_monotonic() + DELAY_BLIND);
		}
	}
	end_flights(u);
	return NULL;
}

/* What is noticed while no pass is under way may be unknown to one that has begun by then. */
static void *urgent_main(void *arg)
{
	struct updater *u = arg;
	struct exporter *ex = u->urgent.exporter;
	struct schedule schedule;
	uint64_t seen = 0;
	int changed = db_changed(u->export.db, &seen);
	bool noticed = false;

	schedule_init_events(&schedule);
	while (!u->stop) {
		bool busy = u->busy;

		noticed |= changed > 0;
		if (busy && schedule_due(&schedule, now_of(u), noticed, exporter_due(ex))) {
			enum outcome outcome = run_pass(u, &u->urgent, export_urgent);

			noticed = false;
			schedule_ended(&schedule, now_of(u), DUE_EVENT, outcome);
		}
		changed = wait_for_change(u, busy ? schedule_next(&schedule, exporter_due(ex))
						  : SCHEDULE_NEVER,
					  &u->stop, &seen);
		if (changed < 0)
			nap(u, clock_monotonic() + DELAY_BLIND);
	}
	return NULL;
}

static void *beat_main(void *arg)
{
	struct updater *u = arg;
	int64_t every = u->export.lease ? u->export.lease / 4 : DEPLOYMENT_BEAT;

	for (;;) {
		nap(u, clock_monotonic() + every);
		if (u->stop)
			return NULL;
		if (db_beat(u->export.db, &u->self) < 0 ||
		    exporter_renew(u->passes.exporter) < 0 ||
		    exporter_renew(u->urgent.exporter) < 0)
			log_warning("the heartbeat of %s was not kept; others may take over",
				    u->self.host);
	}
}

static void lane_free(struct lane *lane)
{
	exporter_free(lane->exporter);
	free(lane->owner);
}

static void updater_free(struct updater *u)
{
	pool_free(u->collector);
	flights_release(&u->flights);
	lane_free(&u->urgent);
	lane_free(&u->passes);
	free(u->process);
	deployment_release(&u->self);
	latest_view_release(&u->view);
	updater_status_release(&u->status);
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

static void describe_self(struct updater *u, const struct updater_options *options)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) < 0)
		strcpy(name, "unknown");
	u->self = (struct deployment){
		.runtime_version = xstrdup_or_null(options->export->runtime_version),
		.host = xstrdup(options->host ? options->host : name),
		.accepted = xstrdup(options->accepted ? options->accepted : ""),
		.base_url = xstrdup(options->export->rendering.base_url),
		.shadow = !options->export->latest,
	};
}

/* Whatever their names and numbers are. */
static int name_process(struct updater *u)
{
	unsigned char digits[8];
	char hex[2 * sizeof(digits) + 1];

	if (RAND_bytes(digits, sizeof(digits)) != 1)
		return fail(-EIO, "there are no random numbers");
	hex_encode(digits, sizeof(digits), hex);
	u->process = xasprintf("%s/%ld/%s", u->self.host, (long)getpid(), hex);
	u->export.rester = u->process;
	return 0;
}

static int lane_init(struct updater *u, struct lane *lane, const char *name)
{
	struct exporter_options options = u->export;

	lane->owner = xasprintf("%s/%s", u->process, name);
	options.owner = lane->owner;
	return exporter_new(&options, &lane->exporter);
}

static int start_thread(pthread_t *thread, bool *runs, void *(*fn)(void *), struct updater *u)
{
	int error = pthread_create(thread, NULL, fn, u);

	if (error)
		return fail(-EAGAIN, "cannot start the updater's threads: %s", strerror(error));
	*runs = true;
	return 0;
}

static void updater_init(struct updater *u, const struct updater_options *options)
{
	assert(!options->export->stop && options->export->runtime_version);
	u->export = *options->export;
	u->export.stop = &u->stop;
	u->export.deployment = true;
	u->export.rebase = false;
	u->rebase = options->export->rebase;
	u->collect = options->collect;
	u->ctx = options->ctx;
	u->filled = !u->export.own;
	u->settled = true;
	u->settles_at = SCHEDULE_NEVER;
	u->status.last_pass = NO_TIME;
	describe_self(u, options);
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->wake, NULL);
}

static int init_lanes(struct updater *u)
{
	int r = name_process(u);

	if (!r)
		r = lane_init(u, &u->passes, "passes");
	if (!r)
		r = lane_init(u, &u->urgent, "urgent");
	if (r < 0)
		return r;
	exporter_keep_pace(u->urgent.exporter, u->passes.exporter);
	u->behind = now_of(u);
	schedule_init(&u->schedule, now_of(u));
	return 0;
}

int updater_start(const struct updater_options *options, struct updater **ret)
{
	struct updater *u = xcalloc(1, sizeof(*u));
	int r;

	updater_init(u, options);
	r = db_beat(u->export.db, &u->self);
	if (!r)
		r = flights_init(&u->flights, &u->look_up);
	if (!r)
		r = pool_new(1, &u->collector);
	if (!r)
		r = init_lanes(u);
	if (!r)
		r = start_thread(&u->passes.thread, &u->passes.runs, passes_main, u);
	if (!r)
		r = start_thread(&u->urgent.thread, &u->urgent.runs, urgent_main, u);
	if (!r)
		r = start_thread(&u->beat, &u->beats, beat_main, u);
	if (r < 0)
		updater_stop(u);
	else
		*ret = u;
	return r;
}

void updater_stop(struct updater *u)
{
	if (!u)
		return;
	pthread_mutex_lock(&u->lock);
	u->stop = true;
	u->look_up = true;
	pthread_cond_broadcast(&u->wake);
	pthread_mutex_unlock(&u->lock);
	if (u->passes.runs)
		pthread_join(u->passes.thread, NULL);
	if (u->urgent.runs)
		pthread_join(u->urgent.thread, NULL);
	if (u->beats)
		pthread_join(u->beat, NULL);
	updater_free(u);
}

void updater_status(struct updater *u, struct updater_status *ret)
{
	pthread_mutex_lock(&u->lock);
	updater_status_copy(&u->status, ret);
	ret->lag = u->behind ? now_of(u) - u->behind : 0;
	pthread_mutex_unlock(&u->lock);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* updating.c - an updater on the world of the export, and how a test waits for what it does. */
#include "updating.h"

#include "memory.h"

struct world w;

void updating_init(void)
{
	world_init(&w);
}

void updating_fini(void)
{
	world_release(&w);
}

static int64_t read_clock(void *ctx)
{
	return atomic_load((atomic_llong *)ctx);
}

void updating_stop_clock(struct exporter_options *options, atomic_llong *clock)
{
	atomic_store(clock, DAY_US);
	options->clock = read_clock;
	options->clock_ctx = clock;
}

struct updater *start(void)
{
	const struct updater_options options = { .export = &w.options, .host = "host" };
	struct updater *u;

	cr_assert_eq(updater_start(&options, &u), 0);
	return u;
}

static bool has_passed(struct updater *u, uint64_t passes, int *ret_result)
{
	struct updater_status status;
	uint64_t n;

	updater_status(u, &status);
	n = status.passes;
	*ret_result = status.last_result;
	cr_assert_eq(status.last_pass != NO_TIME, n > 0);
	cr_assert(!n || !status.last_result || status.last_error);
	updater_status_release(&status);
	return n >= passes;
}

int wait_passes(struct updater *u, uint64_t passes)
{
	int result;

	WAIT_UNTIL(has_passed(u, passes, &result));
	return result;
}

void wait_for(const char *key, const char *text)
{
	if (!text)
		WAIT_UNTIL(!world_has(&w, key));
	else
		WAIT_UNTIL(world_has(&w, key) && world_has_text(&w, key, text));
}

void wait_quiet(struct updater *u)
{
	wait_passes(u, 3);
}

static int result_of(struct updater *u)
{
	return wait_passes(u, 0);
}

void wait_for_result(struct updater *u, int result)
{
	wait_quiet(u);
	WAIT_UNTIL(result_of(u) == result);
}

int64_t lag_of(struct updater *u)
{
	struct updater_status status;
	int64_t lag;

	updater_status(u, &status);
	lag = status.lag;
	updater_status_release(&status);
	return lag;
}

void wait_for_lag(struct updater *u, bool lags)
{
	WAIT_UNTIL((lag_of(u) > 0) == lags);
}

void wait_for_count(const char *statement, int64_t n)
{
	WAIT_UNTIL(world_query(&w, statement) == n);
}

struct export_counts total_of(struct updater *u)
{
	struct updater_status status;
	struct export_counts total;

	updater_status(u, &status);
	total = status.total;
	updater_status_release(&status);
	return total;
}

uint64_t passes_of(struct updater *u)
{
	struct updater_status status;

	updater_status(u, &status);
	updater_status_release(&status);
	return status.passes;
}

static void stand(void *ctx)
{
	struct standstill *still = ctx;

	if (!still->let_go && still->standing++ < still->most)
		while (!still->let_go)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void stand_still(struct standstill *still, int most)
{
	*still = (struct standstill){ .most = most };
	recorder_before(w.recorder, stand, still);
}

void stand_still_at_reads(struct standstill *still, int most)
{
	*still = (struct standstill){ .most = most };
	recorder_before_read(w.recorder, stand, still);
}

void let_go(struct standstill *still)
{
	still->let_go = true;
}

bool is_discontinued(const char *prefix, const char *package)
{
	CLEANUP(free_char) char *key = xasprintf("%s/api/packages/%s", prefix, package);

	return world_has(&w, key) && world_has_text(&w, key, "isDiscontinued");
}

void add_deployment(const char *version)
{
	world_sql(&w,
		  "INSERT INTO deployment (runtime_version, host, heartbeat, accepted) VALUES"
		  " ('%s', 'other', strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now'), '')",
		  version);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* takeover_test.c - what an updater does when other deployments come and go. */
#include <string.h>

#include "memory.h"
#include "publish.h"
#include "store_links.h"
#include "updating.h"

static atomic_llong now;

static void init(void)
{
	updating_init();
	updating_stop_clock(&w.options, &now);
}

TestSuite(takeover, .init = init, .fini = updating_fini);

/* At rest, and what was just written may be written again. */
static struct updater *start_quiet(void)
{
	struct updater *u = start();

	wait_quiet(u);
	now += SECOND_US;
	return u;
}

Test(takeover, where_a_deployment_comes_or_goes_everything_is_looked_at_at_once)
{
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	u = start_quiet();
	add_deployment(OLDER);
	WAIT_UNTIL(total_of(u).current == 1);
	world_sql(&w, "DELETE FROM deployment WHERE runtime_version = '" OLDER "'");
	WAIT_UNTIL(total_of(u).current == 2);
	updater_stop(u);
}

/* latest/ as another deployment wrote it, which is newer, and live. */
static void let_a_newer_one_keep_latest(void)
{
	const struct publisher_options options = { .store = w.options.store,
						   .gate = GATE_ENFORCE,
						   .runtime_version = NEWER };
	struct exporter_options newer = w.options;
	struct export_counts counts = { 0 };
	struct exporter *ex;

	world_add(&w, "foo", "1.0.0");
	newer.runtime_version = NEWER;
	cr_assert_eq(publisher_new(&options, &newer.publisher), 0);
	cr_assert_eq(exporter_new(&newer, &ex), 0);
	cr_assert_eq(export_all(ex, &counts), 0);
	export_counts_release(&counts);
	exporter_free(ex);
	publisher_free(newer.publisher);
	add_deployment(NEWER);
}

Test(takeover, who_takes_latest_over_waits_for_the_last_requests_of_the_one_before)
{
	struct updater *u;

	let_a_newer_one_keep_latest();
	u = start_quiet();
	world_sql(&w, "BEGIN; UPDATE deployment SET retired = 1 WHERE runtime_version = '" NEWER
		      "'; UPDATE package SET discontinued = 1; COMMIT");
	WAIT_UNTIL(is_discontinued(RUNTIME, "foo"));
	now += RETRY_DEADLINE - 1;
	world_add(&w, "bar", "1.0.0");
	wait_for("latest/api/packages/bar", "1.0.0"); /* which that one never wrote */
	cr_assert_not(is_discontinued("latest", "foo"));
	now += 1;
	WAIT_UNTIL(is_discontinued("latest", "foo"));
	updater_stop(u);
}

Test(takeover, another_deployment_that_comes_meanwhile_does_not_shorten_that_time)
{
	struct updater *u;
	uint64_t passes;

	let_a_newer_one_keep_latest();
	u = start_quiet();
	world_sql(&w, "BEGIN; UPDATE deployment SET retired = 1 WHERE runtime_version = '" NEWER
		      "'; UPDATE package SET discontinued = 1; COMMIT");
	WAIT_UNTIL(is_discontinued(RUNTIME, "foo"));
	wait_for_lag(u, false);
	passes = passes_of(u);
	now += RETRY_DEADLINE - 1;
	add_deployment(OLDER);
	wait_passes(u, passes + 1);
	cr_assert_not(is_discontinued("latest", "foo"));
	now += 1;
	world_add(&w, "bar", "1.0.0");
	wait_for("latest/api/packages/bar", "1.0.0");
	cr_assert_not(is_discontinued("latest", "foo"), "it begins anew");
	now += RETRY_DEADLINE;
	WAIT_UNTIL(is_discontinued("latest", "foo"));
	updater_stop(u);
}

#define LIKES "latest/api/packages/foo/likes"

/* What another deployment had under way; the index of this host hears nothing of it. */
static bool lands_and_is_put_right(void)
{
	world_put(&w, LIKES, "{\"package\":\"foo\",\"likes\":99}", NULL);
	now += RETRY_DEADLINE;
	WAIT_UNTIL(!world_has_text(&w, LIKES, "99"));
	return true;
}

/* What happens is looked at by a pass that looks at everything. */
static void happens_and_is_looked_at(struct updater *u, const char *statement)
{
	uint64_t current = total_of(u).current;

	world_sql(&w, "%s", statement);
	WAIT_UNTIL(total_of(u).current > current);
}

Test(takeover, what_other_deployments_sent_last_is_put_right_as_soon_as_it_is_over)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/cache", w.folder);
	struct publisher_options publishing = { .gate = GATE_ENFORCE, .runtime_version = RUNTIME };
	struct updater *u;

	cr_assert_eq(index_push(w.counter, cache, &publishing.store), 0);
	cr_assert_eq(publisher_new(&publishing, &w.options.publisher), 0);
	w.options.store = publishing.store;
	w.options.ttl = DAY_US;
	world_add(&w, "foo", "1.0.0");
	add_deployment(OLDER);
	u = start_quiet();
	cr_assert(lands_and_is_put_right(), "after the start");
	happens_and_is_looked_at(u, "UPDATE deployment SET retired = 1 WHERE host = 'other'");
	cr_assert(lands_and_is_put_right(), "when it has ended");
	happens_and_is_looked_at(u, "INSERT INTO latest_hold VALUES ('" RUNTIME
				    "', '2026-01-01T00:00:00.000Z')");
	cr_assert(lands_and_is_put_right(), "when latest/ is held here");
	updater_stop(u);
	publisher_free(w.options.publisher);
	publishing.store->next = NULL;
	store_close(publishing.store);
}

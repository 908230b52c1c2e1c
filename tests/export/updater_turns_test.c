/* SPDX-License-Identifier: BSD-3-Clause */
/* updater_turns_test.c - which pass of an updater comes when, and who of several sees to it. */
#include <errno.h>
#include <stdio.h>
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

TestSuite(updater_turns, .init = init, .fini = updating_fini);

/* At rest, and what was just written may be written again. */
static struct updater *start_quiet(void)
{
	struct updater *u = start();

	wait_quiet(u);
	now += SECOND_US;
	return u;
}

static void discontinue(const char *package)
{
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = '%s'", package);
}

Test(updater_turns, what_is_committed_is_exported_by_its_event_alone)
{
	static const char *const packages[] = { "bar", "baz", "foo" };
	struct updater_status before, after;
	struct updater *u;

	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		world_add(&w, packages[i], "1.0.0");
	u = start_quiet();
	updater_status(u, &before);
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++) {
		discontinue(packages[i]); /* while the clock stands nothing else is due */
		WAIT_UNTIL(is_discontinued("latest", packages[i]));
	}
	updater_status(u, &after);
	cr_assert_eq(after.noticed, before.noticed + ARRAY_SIZE(packages));
	updater_status_release(&before);
	updater_status_release(&after);
	updater_stop(u);
}

/* Only a full pass counts what is as it should be. */
Test(updater_turns, of_several_hosts_one_does_the_full_pass_of_the_day)
{
	struct exporter_options elsewhere = w.options;
	const struct updater_options options = { .export = &elsewhere, .host = "host" };
	struct updater *u, *other;
	atomic_llong now_elsewhere;
	uint64_t current, passes;

	updating_stop_clock(&elsewhere, &now_elsewhere);
	world_add(&w, "foo", "1.0.0");
	u = start_quiet();
	cr_assert_eq(updater_start(&options, &other), 0);
	wait_quiet(other);
	current = total_of(other).current;
	passes = passes_of(other);
	now += DAY_US;
	WAIT_UNTIL(total_of(u).current == 1);
	now_elsewhere += DAY_US;
	wait_passes(other, passes + 1); /* a scan was due, too */
	cr_assert_eq(total_of(other).current, current);
	updater_stop(u);
	updater_stop(other);
}

Test(updater_turns, latest_stays_closed_until_a_full_pass_went_through)
{
	struct updater_status status;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	fault_arm(w.fault, 1, -EIO); /* the first look at the store */
	u = start();
	wait_passes(u, 1);
	cr_assert(fault_fired(w.fault));
	world_add(&w, "bar", "1.0.0");
	wait_for(RUNTIME "/api/packages/bar", "1.0.0"); /* changes go on meanwhile */
	wait_passes(u, 3); /* the first scan is behind it, too */
	updater_status(u, &status);
	cr_assert_str_eq(status.latest, RUNTIME "/ has to be whole first");
	updater_status_release(&status);
	cr_assert_not(world_has(&w, "latest/api/packages/bar"));
	now += SECOND_US;
	wait_for("latest/api/packages/bar", "1.0.0");
	updater_stop(u);
}

struct collections {
	atomic_int all, early;
};

static int collect(void *ctx, const atomic_bool *stop)
{
	struct collections *c = ctx;

	(void)stop;
	c->all++;
	c->early += !world_has(&w, LISTING);
	return 0;
}

Test(updater_turns, of_several_hosts_one_collects_and_not_before_both_prefixes_are_whole)
{
	struct collections collections = { 0 };
	struct updater *hosts[2];

	world_add(&w, "foo", "1.0.0");
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) { /* whatever their names are */
		const struct updater_options options = { .export = &w.options,
							 .host = "host",
							 .collect = collect,
							 .ctx = &collections };

		cr_assert_eq(updater_start(&options, &hosts[i]), 0);
		wait_quiet(hosts[i]);
		WAIT_UNTIL(collections.all);
	}
	updater_stop(hosts[0]);
	updater_stop(hosts[1]);
	cr_assert_eq(collections.all, 1);
	cr_assert_eq(collections.early, 0);
}

struct collection {
	atomic_int begun;
	atomic_bool let_go, stopped;
};

static int collect_for_long(void *ctx, const atomic_bool *stop)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct collection *c = ctx;

	c->begun++;
	while (!c->let_go && !*stop)
		nanosleep(&moment, NULL);
	c->stopped = *stop;
	return 0;
}

static struct updater *start_collecting(struct collection *c)
{
	const struct updater_options options = {
		.export = &w.options, .host = "host", .collect = collect_for_long, .ctx = c
	};
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(updater_start(&options, &u), 0);
	WAIT_UNTIL(c->begun);
	wait_quiet(u);
	return u;
}

Test(updater_turns, what_changes_while_a_collection_runs_does_not_wait_for_it)
{
	struct collection collection = { 0 };
	struct updater *u = start_collecting(&collection);

	now += SECOND_US;
	discontinue("foo");
	WAIT_UNTIL(is_discontinued("latest", "foo"));
	collection.let_go = true;
	updater_stop(u);
}

Test(updater_turns, a_collection_that_takes_longer_than_a_day_stays_the_only_one)
{
	struct collection collection = { 0 };
	struct updater *u = start_collecting(&collection);

	now += DAY_US;
	WAIT_UNTIL(total_of(u).current == 1);
	wait_passes(u, 5); /* the scan behind the full pass is over, too */
	updater_stop(u);
	cr_assert(collection.stopped, "the end does not wait for it");
	cr_assert_eq(collection.begun, 1);
}

/* A full pass, in the middle of a package that comes together with another deployment. */
static void begin_a_long_pass(struct standstill *still, int most)
{
	world_add_archive(&w, "new", "1.0.0");
	stand_still(still, most);
	world_sql(&w, "BEGIN");
	world_add_row(&w, "new", "1.0.0");
	add_deployment(OLDER);
	world_sql(&w, "COMMIT");
	WAIT_UNTIL(still->standing);
}

static struct updater *start_a_long_pass(struct standstill *still, int most)
{
	struct updater *u = start_quiet();

	begin_a_long_pass(still, most);
	return u;
}

Test(updater_turns, a_take_down_does_not_wait_for_the_end_of_a_long_pass_and_all_else_does)
{
	struct standstill still;
	struct updater_status status;
	struct updater *u;
	uint64_t removed;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_add_broken(&w, "bad");
	u = start_quiet();
	now += MINUTE_US;
	wait_for_result(u, -EIO);
	begin_a_long_pass(&still, 1);
	removed = total_of(u).removed;
	world_sql(&w, "BEGIN; UPDATE package SET discontinued = 1 WHERE name = 'bar';"
		      "UPDATE package SET moderated = 1 WHERE name = 'foo'; COMMIT");
	WAIT_UNTIL(total_of(u).removed > removed);
	cr_assert_not(world_has(&w, LISTING));
	cr_assert_not(is_discontinued("latest", "bar"));
	now += 1;
	updater_status(u, &status);
	cr_assert_eq(status.last_result, -EIO, "which another pass said");
	cr_assert_str_eq(status.last_error, "1 packages could not be exported");
	cr_assert_gt(status.lag, 0, "the long pass has not seen it");
	cr_assert_eq(status.failing.all, 1, "what else fails is as it was");
	updater_status_release(&status);
	let_go(&still);
	WAIT_UNTIL(is_discontinued("latest", "bar"));
	updater_stop(u);
}

Test(updater_turns, beside_no_long_pass_a_take_down_is_one_pass)
{
	struct updater *u;
	uint64_t passes;
	char key[64];

	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "p%d", i);
		world_add(&w, key, "1.0.0");
	}
	u = start_quiet();
	passes = passes_of(u);
	for (int i = 0; i < 5; i++) {
		world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'p%d'", i);
		snprintf(key, sizeof(key), "latest/api/packages/p%d", i);
		wait_for(key, NULL);
		wait_passes(u, passes + 1 + (uint64_t)i);
	}
	cr_assert_eq(passes_of(u), passes + 5);
	updater_stop(u);
}

Test(updater_turns, a_second_take_down_of_a_package_waits_a_second_and_not_for_the_long_pass)
{
	struct standstill still;
	struct updater *u;
	uint64_t written;

	world_add(&w, "foo", "1.0.0");
	u = start_a_long_pass(&still, 1);
	written = total_of(u).written;
	world_sql(&w, "UPDATE package_version SET retracted = 1 WHERE package = 'foo'");
	WAIT_UNTIL(total_of(u).written > written);
	cr_assert(world_has_text(&w, LISTING, "\"retracted\":true"));
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	now += SECOND_US;
	wait_for(LISTING, NULL);
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	updater_stop(u);
}

/* Which is a long one because something is held, so that it is alone. */
Test(updater_turns, a_take_down_that_comes_while_a_long_pass_begins_does_not_wait_for_its_end)
{
	const struct timespec moment = { .tv_nsec = 200000000 };
	CLEANUP(free_char) char *path = xasprintf("%s/held", w.folder);
	struct standstill begins, still;
	struct updater *u;
	uint64_t removed;

	w.options.held = path;
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "baz", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "bar", "2.0.0");
	world_add(&w, "bar", "3.0.0");
	u = start_quiet();
	stand_still_at_reads(&begins, 1);
	stand_still(&still, 1);
	world_add_archive(&w, "new", "1.0.0");
	world_sql(&w, "BEGIN; DELETE FROM package_version WHERE version > '1.0.0'");
	world_add_row(&w, "new", "1.0.0");
	world_sql(&w, "COMMIT");
	WAIT_UNTIL(begins.standing);
	removed = total_of(u).removed;
	world_sql(&w, "BEGIN; UPDATE package SET discontinued = 1 WHERE name = 'baz';"
		      "UPDATE package SET moderated = 1 WHERE name = 'foo'; COMMIT");
	nanosleep(&moment, NULL); /* in which a wrong one would have seen it, and forgotten */
	let_go(&begins);
	WAIT_UNTIL(still.standing);
	WAIT_UNTIL(total_of(u).removed > removed);
	cr_assert_not(is_discontinued("latest", "baz"));
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	updater_stop(u);
}

static void let_it_fail(void *ctx)
{
	atomic_bool *failed = ctx;

	if (!atomic_exchange(failed, true))
		fault_arm(w.fault, 1, -EIO);
}

Test(updater_turns, a_take_down_that_fails_is_repeated_beside_the_long_pass)
{
	struct standstill still;
	struct updater *u;
	atomic_bool fails = false;
	uint64_t failed;

	world_add(&w, "foo", "1.0.0");
	u = start_a_long_pass(&still, 1);
	failed = total_of(u).failed;
	recorder_before(w.recorder, let_it_fail, &fails);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	WAIT_UNTIL(total_of(u).failed > failed);
	cr_assert_eq(wait_passes(u, 1), -EIO);
	now += SECOND_US;
	wait_for(LISTING, NULL);
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	updater_stop(u);
}

Test(updater_turns, what_failed_beside_a_long_pass_and_was_done_by_another_is_not_tried_for_ever)
{
	const struct timespec moment = { .tv_nsec = 200000000 };
	struct standstill still, again;
	struct updater *u;
	atomic_bool fails = false;
	uint64_t failed, passes, current;

	world_add(&w, "foo", "1.0.0");
	u = start_a_long_pass(&still, 1);
	failed = total_of(u).failed;
	recorder_before(w.recorder, let_it_fail, &fails);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	WAIT_UNTIL(total_of(u).failed > failed);
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	now += SECOND_US;
	wait_for_count("SELECT count(*) FROM export_state s JOIN package_change c"
		       " ON c.package = s.package AND c.change = s.change WHERE s.package = 'foo'",
		       PREFIXES);
	current = total_of(u).current;
	now += MINUTE_US;
	WAIT_UNTIL(total_of(u).current > current); /* the last look at what came with the other one */
	stand_still(&again, 1);
	world_sql(&w, "BEGIN; DELETE FROM deployment WHERE host = 'other';"
		      "UPDATE package SET discontinued = 1 WHERE name = 'new'; COMMIT");
	WAIT_UNTIL(again.standing);
	passes = passes_of(u);
	world_sql(&w, "UPDATE package SET discontinued = 0 WHERE name = 'new'");
	wait_passes(u, passes + 1); /* beside it */
	passes = passes_of(u);
	nanosleep(&moment, NULL);   /* in which a wrong one would make hundreds */
	cr_assert_leq(passes_of(u), passes + 2);
	let_go(&again);
	updater_stop(u);
}

Test(updater_turns, no_package_is_written_twice_within_a_second_whichever_pass_it_is)
{
	struct standstill still;
	struct updater *u;
	uint64_t removed;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "baz", "1.0.0");
	u = start_quiet();
	discontinue("bar");
	WAIT_UNTIL(is_discontinued("latest", "bar"));
	wait_for_count("SELECT count(*) FROM lease WHERE name = 'bar'", 0); /* it is recorded, too */
	begin_a_long_pass(&still, 1);
	removed = total_of(u).removed;
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name IN ('foo', 'bar')");
	WAIT_UNTIL(total_of(u).removed > removed); /* foo, which was not just written */
	cr_assert(world_has(&w, "latest/api/packages/bar"));
	removed = total_of(u).removed;
	now += SECOND_US;
	WAIT_UNTIL(total_of(u).removed > removed);
	cr_assert_not(world_has(&w, "latest/api/packages/bar"));
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	world_sql(&w, "UPDATE package SET moderated = 0, discontinued = 1");
	WAIT_UNTIL(is_discontinued("latest", "baz"));
	cr_assert_not(world_has(&w, "latest/api/packages/bar"), "the other one wrote it just now");
	now += SECOND_US;
	WAIT_UNTIL(is_discontinued("latest", "bar"));
	updater_stop(u);
}

Test(updater_turns, what_is_taken_down_beside_a_long_pass_stays_its_own_however_long_it_takes)
{
	struct standstill still;
	struct updater *u;

	w.options.lease = SECOND_US;
	world_add(&w, "foo", "1.0.0");
	u = start_a_long_pass(&still, 2);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	WAIT_UNTIL(still.standing == 2);
	world_sql(&w, "CREATE TABLE first_lease AS SELECT until FROM lease WHERE name = 'foo'");
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM first_lease"), 1);
	wait_for_count("SELECT count(*) FROM lease WHERE name = 'foo'"
		       " AND until > (SELECT until FROM first_lease)",
		       1);
	let_go(&still);
	wait_for(LISTING, NULL);
	updater_stop(u);
}

/* Eight passes of their own, one that the others wait for, and the take-down beside it. */
Test(updater_turns, beyond_eight_passes_side_by_side_the_next_one_holds_up_all_but_take_downs)
{
	struct standstill still;
	struct updater *u;
	char name[16];

	world_add(&w, "foo", "1.0.0");
	u = start_quiet();
	stand_still(&still, 100);
	for (int i = 1; i <= 9; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		world_add(&w, name, "1.0.0");
		WAIT_UNTIL(still.standing == i);
	}
	discontinue("foo");
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	WAIT_UNTIL(still.standing == 10);
	let_go(&still);
	wait_for(LISTING, NULL);
	wait_for("latest/api/packages/p9", "1.0.0");
	updater_stop(u);
}

Test(updater_turns, a_full_pass_waits_for_those_that_are_under_way_and_no_take_down_for_it)
{
	struct standstill still;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	u = start_quiet();
	stand_still(&still, 1);
	world_add(&w, "new", "1.0.0");
	WAIT_UNTIL(still.standing);
	world_sql(&w, "BEGIN");
	add_deployment(OLDER);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	world_sql(&w, "COMMIT");
	wait_for(LISTING, NULL);
	cr_assert_eq(total_of(u).current, 0);
	let_go(&still);
	WAIT_UNTIL(total_of(u).current > 0);
	updater_stop(u);
}

Test(updater_turns, a_pass_that_saw_all_newer_changes_through_does_not_hide_an_older_one)
{
	struct standstill still;
	struct updater *u;
	uint64_t passes;

	world_add(&w, "foo", "1.0.0");
	u = start_quiet();
	stand_still(&still, 1);
	world_add(&w, "new", "1.0.0");
	WAIT_UNTIL(still.standing);
	passes = passes_of(u);
	now += 1;
	discontinue("foo");
	wait_passes(u, passes + 1);
	now += 1;
	cr_assert_eq(lag_of(u), 2);
	let_go(&still);
	wait_for_lag(u, false);
	updater_stop(u);
}

Test(updater_turns, what_is_held_is_said_of_the_passes_that_pass_it_by_too)
{
	CLEANUP(free_char) char *path = xasprintf("%s/held", w.folder);
	struct updater *u;
	uint64_t passes;

	w.options.held = path;
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "foo", "3.0.0");
	world_add(&w, "bar", "1.0.0");
	u = start_quiet();
	world_sql(&w, "DELETE FROM package_version WHERE package = 'foo' AND version > '1.0.0'");
	wait_for_result(u, -ECANCELED);
	now += 1;
	cr_assert_eq(lag_of(u), 0, "what could be done was done");
	passes = passes_of(u);
	discontinue("bar");
	WAIT_UNTIL(is_discontinued("latest", "bar"));
	cr_assert_eq(wait_passes(u, passes + 1), -ECANCELED);
	updater_stop(u);
}

Test(updater_turns, one_of_several_passes_that_is_cut_short_says_why_and_is_repeated_after_a_second)
{
	const struct timespec moment = { .tv_nsec = 100000000 };
	struct updater_status status;
	struct updater *u;
	unsigned long calls;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	u = start_quiet();
	counted(w.counter);
	discontinue("bar");
	wait_passes(u, 4);
	calls = counted(w.counter); /* the last one is of the feed of all packages */
	fault_arm(w.fault, (unsigned)calls, -EIO);
	discontinue("foo");
	wait_passes(u, 5);
	nanosleep(&moment, NULL); /* in which a wrong one would repeat it */
	updater_status(u, &status);
	cr_assert_eq(status.last_result, -EIO);
	cr_assert(strstr(status.last_error, "feed.atom"), "%s", status.last_error);
	updater_status_release(&status);
	now += SECOND_US;
	WAIT_UNTIL(wait_passes(u, 6) == 0);
	updater_stop(u);
}

static bool lags_by_now(struct updater *u)
{
	now++; /* that it lags is seen only where time goes by */
	return lag_of(u) > 0;
}

Test(updater_turns, a_database_that_cannot_be_asked_is_lag_at_once)
{
	CLEANUP(free_char) char *path = xasprintf("%s/pub.db", w.folder);
	CLEANUP(free_char) char *away = xasprintf("%s/away.db", w.folder);
	struct updater *u = start_quiet();

	cr_assert_eq(lag_of(u), 0);
	cr_assert_eq(rename(path, away), 0);
	WAIT_UNTIL(lags_by_now(u));
	cr_assert_eq(rename(away, path), 0);
	updater_stop(u);
}

Test(updater_turns, one_that_writes_its_own_prefix_alone_says_so_with_its_heartbeat)
{
	struct updater *u;

	w.options.latest = false;
	u = start();
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM deployment WHERE shadow"), 1);
	updater_stop(u);
}

Test(updater_turns, one_that_writes_latest_alone_has_nothing_to_fill_before)
{
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	w.options.own = false;
	u = start();
	wait_for(LISTING, "1.0.0");
	wait_passes(u, 2); /* one over all, and the first scan */
	cr_assert_eq(total_of(u).left, 0);
	updater_stop(u);
}

Test(updater_turns, what_is_left_out_is_said_and_is_not_behind)
{
	struct updater_status status;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	u = start_quiet();
	world_sql(&w, "INSERT INTO package_version (package, version, created, pubspec) VALUES"
		      " ('foo', '2.0.0', '2026-01-01T00:00:00.000Z', '[]')");
	wait_for_result(u, -EIO);
	now += 1;
	updater_status(u, &status);
	cr_assert_str_eq(status.last_error, "1 versions were left out");
	cr_assert_eq(status.lag, 0);
	updater_status_release(&status);
	updater_stop(u);
}

Test(updater_turns, one_word_for_a_restored_database_is_not_for_the_full_pass_of_the_next_day)
{
	struct export_counts counts;
	struct updater *u;
	uint64_t passes;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000000'");
	w.options.rebase = true;
	u = start_quiet();
	wait_for_result(u, 0);
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000001'");
	wait_for_result(u, -ECANCELED);
	passes = passes_of(u);
	now += DAY_US;
	cr_assert_eq(wait_passes(u, passes + 1), -ECANCELED);
	updater_stop(u);
}

Test(updater_turns, nor_is_it_for_a_take_down_beside_a_long_pass)
{
	struct standstill still;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	w.options.rebase = true;
	u = start_a_long_pass(&still, 1);
	world_sql(&w, "BEGIN; UPDATE package SET moderated = 1 WHERE name = 'foo';"
		      "UPDATE package_change SET change = '0-0000000000000000'; COMMIT");
	WAIT_UNTIL(wait_passes(u, 1) == -ECANCELED);
	cr_assert(world_has(&w, LISTING));
	let_go(&still);
	updater_stop(u);
}

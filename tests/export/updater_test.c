/* SPDX-License-Identifier: BSD-3-Clause */
/* updater_test.c - the thread that keeps the bucket equal to the database. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/export/updater_status.h"
#include "db.h"
#include "updating.h"

TestSuite(updater, .init = updating_init, .fini = updating_fini, .timeout = 120);

Test(updater, begins_with_a_full_pass_of_its_own_prefix_and_then_one_of_both)
{
	struct updater_status status;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(world_export_all(&w, NULL), 0);
	world_empty_bucket(&w);
	u = start();
	cr_assert_eq(wait_passes(u, 2), 0);
	cr_assert(world_has(&w, LISTING), "no change moved, but the bucket is empty");
	wait_quiet(u);
	updater_status(u, &status);
	cr_assert_null(status.latest);
	cr_assert_eq(status.waiting.all, 0);
	cr_assert_eq(status.total.written, FIRST_WRITES(1));
	cr_assert_eq(status.total.copied, PREFIXES);
	updater_status_release(&status);
	updater_stop(u);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease WHERE name = 'foo'"
				     " AND owner LIKE '%/passes'"),
		     0, "it rests at most");
}

Test(updater, exports_what_another_program_commits)
{
	struct updater_status status;
	struct updater *u = start();

	world_add(&w, "foo", "1.0.0");
	wait_for(LISTING, "1.0.0");
	world_sql(&w, "UPDATE package SET moderated = 1");
	wait_for(LISTING, NULL);
	updater_status(u, &status);
	cr_assert(status.total.takedowns.n <= 1, "one at most, whichever pass it was that did it");
	updater_status_release(&status);
	updater_stop(u);
}

static _Atomic int64_t scanned; /* how far back it was looked, the last time */

static int note_scan(struct db *db, int64_t window, uint64_t *ret_found)
{
	(void)db;
	scanned = window;
	*ret_found = 0;
	return 0;
}

Test(updater, looks_for_what_no_trigger_tells_of_three_days_back_when_it_begins)
{
	const struct db_ops *before = w.db->ops;
	struct db_ops scanning = *before;
	struct updater *u;

	scanning.scan = note_scan;
	w.db->ops = &scanning;
	u = start();
	wait_quiet(u);
	updater_stop(u);
	w.db->ops = before;
	cr_assert_eq(scanned, 3 * DAY_US);
}

Test(takedowns, each_is_counted_within_every_bound_that_it_kept)
{
	struct takedowns t = { 0 }, more = { 0 };

	takedowns_note(&t, 7, 8, SECOND_US - 1); /* no longer than the bound */
	takedowns_note(&t, 7, 7 + SECOND_US, 1);
	takedowns_note(&more, 7, 6 + DAY_US, 1);
	takedowns_add(&t, &more);
	cr_assert_eq(t.n, 3);
	cr_assert_eq(t.time, 2 * SECOND_US + 1 + DAY_US);
	cr_assert_eq(t.max, DAY_US);
	for (size_t i = 0; i < TAKEDOWN_BOUNDS; i++) {
		cr_assert(!i || takedown_bounds[i - 1] < takedown_bounds[i]);
		cr_assert_eq(t.within[i], takedown_bounds[i] < SECOND_US    ? 0
					  : takedown_bounds[i] == SECOND_US ? 1
									    : 2);
	}
}

Test(takedowns, what_cannot_be_the_time_of_a_commit_is_passed_by)
{
	struct takedowns t = { 0 };

	takedowns_note(&t, 8, 7, SECOND_US);
	takedowns_note(&t, 7, 7 + DAY_US, 1);
	cr_assert_eq(t.n, 0);
	takedowns_note(&t, 7, 7, 0);
	cr_assert_eq(t.n, 1);
	cr_assert_eq(t.within[0], 1);
}

Test(updater, says_how_long_take_downs_took_from_their_commit)
{
	struct updater_status status;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	u = start();
	wait_quiet(u);
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	wait_for(LISTING, "\"retracted\":true");
	for (;;) {
		updater_status(u, &status);
		if (status.total.takedowns.n)
			break;
		updater_status_release(&status);
	}
	cr_assert_eq(status.total.takedowns.n, 1);
	cr_assert_eq(status.total.takedowns.time, status.total.takedowns.max);
	cr_assert(status.total.takedowns.max >= 0 && status.total.takedowns.max < PATIENCE);
	cr_assert_eq(status.total.takedowns.within[TAKEDOWN_BOUNDS - 1], 1);
	updater_status_release(&status);
	updater_stop(u);
}

Test(updater, says_since_when_no_pass_has_seen_a_change_through)
{
	struct export_counts counts;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000000'"); /* restored */
	u = start();
	cr_assert_gt(lag_of(u), 0, "nothing is known of the bucket yet");
	wait_passes(u, 2);
	cr_assert_gt(lag_of(u), 0, "it is held");
	updater_stop(u);
	w.options.rebase = true;
	world_export_well(&w, &counts);
	w.options.rebase = false;
	u = start();
	wait_quiet(u);
	wait_for_lag(u, false);
	world_add_broken(&w, "bad");
	wait_for_lag(u, true);
	wait_for_lag(u, false); /* what fails is named by itself */
	updater_stop(u);
}

Test(updater, takes_the_side_of_a_restored_database_where_that_is_said_and_only_then)
{
	struct export_counts counts;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000000'");
	u = start();
	wait_for_result(u, -ECANCELED);
	updater_stop(u);
	w.options.rebase = true;
	u = start();
	wait_for_result(u, 0);
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000001'");
	wait_for_result(u, -ECANCELED); /* one word is for one restoration */
	updater_stop(u);
}

Test(updater, a_pass_that_is_held_whole_is_not_repeated_all_the_time)
{
	const struct timespec nap = { .tv_nsec = 300000000 };
	struct updater_status before, after;
	struct updater *u;

	u = start();
	wait_quiet(u);
	world_add(&w, "foo", "1.0.0");
	wait_for(LISTING, "1.0.0"); /* so it is put off for a second */
	world_sql(&w, "UPDATE package_change SET change = '0-0000000000000000'");
	wait_for_result(u, -ECANCELED);
	nanosleep(&nap, NULL);
	updater_status(u, &before);
	nanosleep(&nap, NULL);
	nanosleep(&nap, NULL);
	nanosleep(&nap, NULL);
	nanosleep(&nap, NULL);
	updater_status(u, &after);
	cr_assert_lt(after.passes - before.passes, 10, "they were thousands");
	updater_status_release(&before);
	updater_status_release(&after);
	updater_stop(u);
}

Test(updater, repeats_a_pass_that_failed)
{
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	fault_arm(w.fault, 1, -EIO); /* the first look at the store */
	u = start();
	wait_for(LISTING, "1.0.0"); /* only after a full pass that went well */
	cr_assert(fault_fired(w.fault));
	updater_stop(u);
}

Test(updater, repeats_a_package_that_failed_and_names_it_with_its_reason_until_then)
{
	struct updater_status status;
	struct updater *u;

	world_add_broken(&w, "bad");
	world_add(&w, "foo", "1.0.0");
	u = start();
	wait_for(LISTING, "1.0.0");
	wait_quiet(u);
	updater_status(u, &status);
	cr_assert_eq(status.failing.all, 1);
	cr_assert_str_eq(status.failing.packages[0].name, "bad");
	cr_assert(strstr(status.failing.packages[0].why, "no version of bad"));
	cr_assert_geq(status.failing.packages[0].attempts, 1);
	cr_assert_leq(llabs(status.failing.packages[0].next_try - clock_now()), PATIENCE);
	updater_status_release(&status);
	world_sql(&w, "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":"
		      "\"1.0.0\"}' WHERE package = 'bad'");
	wait_for("latest/api/packages/bad", "1.0.0");
	updater_stop(u);
}

Test(updater, names_the_first_hundred_that_fail_and_counts_all)
{
	struct updater_status status;
	struct updater *u;

	for (int i = 0; i <= UPDATER_NAMES_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "bad%03d", i);
		world_add_broken(&w, name);
	}
	u = start();
	wait_quiet(u);
	updater_status(u, &status);
	cr_assert_eq(status.failing.n, UPDATER_NAMES_MAX);
	cr_assert_eq(status.failing.all, UPDATER_NAMES_MAX + 1);
	cr_assert_str_eq(status.failing.packages[0].name, "bad000");
	updater_status_release(&status);
	updater_stop(u);
}

Test(updater, a_host_with_another_base_url_than_a_live_one_is_refused)
{
	struct exporter_options wrong = w.options;
	const struct updater_options options = { .export = &wrong, .host = "other" };
	struct updater *u = start(), *other = NULL;

	wrong.rendering.base_url = "https://wrong.example.com";
	cr_assert_eq(updater_start(&options, &other), -EEXIST);
	cr_assert_null(other);
	updater_stop(u);
}

Test(updater, keeps_its_heartbeat_and_says_what_it_accepts)
{
	const struct updater_options options = { .export = &w.options,
						 .host = "host",
						 .accepted = "2026.08.18,2026.06.01" };
	struct updater *u;

	w.options.lease = SECOND_US; /* which makes the heart beat faster */
	cr_assert_eq(updater_start(&options, &u), 0);
	wait_for_count("SELECT count(*) FROM deployment WHERE host = 'host'"
		       " AND accepted = '2026.08.18,2026.06.01'",
		       1);
	world_sql(&w, "CREATE TABLE first_beat AS SELECT heartbeat FROM deployment");
	wait_for_count("SELECT count(*) FROM deployment WHERE heartbeat >"
		       " (SELECT heartbeat FROM first_beat)",
		       1);
	updater_stop(u);
}

/* An updater that was at rest, in the middle of the export of a package that is added then. */
static struct updater *start_to_stand_still(const char *package, struct standstill *still)
{
	struct updater *u = start();

	wait_quiet(u);
	stand_still(still, 1);
	world_add(&w, package, "1.0.0");
	WAIT_UNTIL(still->standing);
	return u;
}

Test(updater, a_change_does_not_wait_for_the_end_of_another_ones_pass)
{
	struct standstill still;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	u = start_to_stand_still("new", &still);
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = 'foo'");
	wait_for(LISTING, "isDiscontinued");
	let_go(&still);
	wait_for("latest/api/packages/new", "1.0.0");
	updater_stop(u);
}

Test(updater, what_it_works_on_stays_its_own_however_long_it_takes)
{
	struct standstill still;
	struct updater *u;

	w.options.lease = SECOND_US;
	u = start_to_stand_still("foo", &still);
	world_sql(&w, "CREATE TABLE first_lease AS SELECT until FROM lease WHERE name = 'foo'");
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM first_lease"), 1);
	wait_for_count("SELECT count(*) FROM lease WHERE name = 'foo'"
		       " AND until > (SELECT until FROM first_lease)",
		       1);
	let_go(&still);
	wait_for(LISTING, "1.0.0");
	updater_stop(u);
}

Test(updater, another_version_that_is_retired_leaves_latest_to_this_one)
{
	struct updater_status status;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	world_sql(&w, "INSERT INTO deployment (runtime_version, host, heartbeat, accepted) VALUES"
		      " ('" RUNTIME "', 'gone', '2020-01-01T00:00:00.000Z', '');"
		      "UPDATE deployment SET retired = 1");
	u = start();
	wait_quiet(u);
	updater_status(u, &status);
	cr_assert_str_eq(status.latest, "the deployment " RUNTIME " is retired");
	cr_assert_eq(status.waiting.all, 1);
	cr_assert_str_eq(status.waiting.packages[0].name, "foo");
	updater_status_release(&status);
	cr_assert_not(world_has(&w, LISTING));
	world_sql(&w, "UPDATE deployment SET retired = 0");
	wait_for(LISTING, "1.0.0");
	updater_stop(u);
}

Test(updater, is_stopped_at_once)
{
	struct updater *u = start();
	int64_t before;

	cr_assert_eq(wait_passes(u, 1), 0);
	before = clock_monotonic();
	updater_stop(u);
	cr_assert_lt(clock_monotonic() - before, PATIENCE);
	updater_stop(NULL);
}

/* --- a database whose waits end by what they wait for, and by no time --- */

static const struct db_ops *plain_db;
static atomic_int waits;
static const atomic_bool *_Atomic stopping; /* of the thread of take-downs, the first to wait */

static int wait_patiently(struct db *db, int64_t timeout, const atomic_bool *stop, uint64_t *seen)
{
	const atomic_bool *none = NULL;
	int r;

	(void)timeout;
	waits++;
	atomic_compare_exchange_strong(&stopping, &none, stop);
	do
		r = plain_db->wait(db, SECOND_US / 100, stop, seen);
	while (!r && !*stop);
	return r;
}

static struct db_ops wait_only_for_what_comes(void)
{
	struct db_ops patient = *w.db->ops;

	plain_db = w.db->ops;
	patient.wait = wait_patiently;
	return patient;
}

Test(updater, is_woken_by_the_end_of_a_pass_and_by_its_own_and_by_nothing_else)
{
	const struct db_ops patient = wait_only_for_what_comes();
	atomic_llong now;
	struct updater *u;

	updating_stop_clock(&w.options, &now);
	w.db->ops = &patient;
	world_add(&w, "foo", "1.0.0");
	u = start();
	wait_quiet(u);
	for (int i = 0; i < 3; i++) {
		uint64_t passes = passes_of(u);

		now += SECOND_US;
		world_sql(&w, "UPDATE package SET unlisted = 1 - unlisted");
		wait_passes(u, passes + 1);
	}
	cr_assert_lt(waits, 100, "it does not look again and again");
	updater_stop(u);
	w.db->ops = plain_db;
}

static atomic_int collections;

static int collect(void *ctx, const atomic_bool *stop)
{
	(void)ctx;
	(void)stop;
	collections++;
	return 0;
}

static void *stop_main(void *u)
{
	updater_stop(u);
	return NULL;
}

/* A pass in which something fails has gone through, though it was stopped behind that. */
Test(updater, that_is_to_end_does_not_take_the_collection_of_the_day_from_other_hosts)
{
	const struct db_ops patient = wait_only_for_what_comes();
	const struct updater_options options = { .export = &w.options,
						 .host = "host",
						 .collect = collect };
	struct standstill still;
	struct updater *u;
	pthread_t thread;

	w.options.own = false; /* its first pass is of all prefixes */
	w.db->ops = &patient;
	world_add_broken(&w, "bad");
	world_add(&w, "foo", "1.0.0");
	stand_still(&still, 1);
	cr_assert_eq(updater_start(&options, &u), 0);
	WAIT_UNTIL(still.standing && stopping);
	cr_assert_eq(pthread_create(&thread, NULL, stop_main, u), 0);
	WAIT_UNTIL(*stopping);
	let_go(&still);
	pthread_join(thread, NULL);
	cr_assert(world_has(&w, LISTING));
	cr_assert_eq(collections, 0);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease WHERE name = '.gc'"), 0);
	w.db->ops = plain_db;
}

Test(updater_status, each_number_of_a_pass_is_added)
{
	const struct export_counts once = {
		.packages = 1, .current = 2,  .written = 3,   .copied = 4,
		.touched = 5,  .removed = 6,  .failed = 7,    .held = 8,
		.left = 9,     .left_out = 10, .no_archive = 11, .garbage = 12,
	};
	struct updater_status s = { .last_pass = NO_TIME };

	updater_status_add(&s, &once);
	updater_status_add(&s, &once);
	cr_assert_eq(s.total.packages, 2);
	cr_assert_eq(s.total.current, 4);
	cr_assert_eq(s.total.written, 6);
	cr_assert_eq(s.total.copied, 8);
	cr_assert_eq(s.total.touched, 10);
	cr_assert_eq(s.total.removed, 12);
	cr_assert_eq(s.total.failed, 14);
	cr_assert_eq(s.total.held, 16);
	cr_assert_eq(s.total.left, 18);
	cr_assert_eq(s.total.left_out, 20);
	cr_assert_eq(s.total.no_archive, 22);
	cr_assert_eq(s.total.garbage, 24);
	updater_status_release(&s);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deployment_test.c - several deployments on one bucket: in any order of what they do, latest/
 * comes to be what the newest live one makes of the newest rows, and then nobody writes any more.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "db.h"
#include "deployment.h"
#include "memory.h"
#include "sides.h"

TestSuite(deployments, .init = sides_init, .fini = sides_fini);

Test(deployments, hosts_of_one_version_are_one_and_one_more_of_them_changes_nothing)
{
	static char hosts[][4] = { "one", "two" }, version[] = "2026.01.01", none[] = "";
	CLEANUP(latest_view_release) struct latest_view before = { .own = xstrdup(version) };
	CLEANUP(latest_view_release) struct latest_view after = { .own = xstrdup(version) };

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		const struct deployment host = { .runtime_version = version,
						 .host = hosts[i],
						 .accepted = none,
						 .base_url = none };

		cr_assert_eq(db_beat(w.db, &host), 0);
		cr_assert_eq(latest_view_read(w.db, i ? &after : &before), 0);
	}
	cr_assert_eq(after.n_live, 1);
	cr_assert(latest_view_same(&before, &after));
}

Test(deployments, who_asks_as_one_is_live_whatever_became_of_its_heartbeat)
{
	static const struct {
		bool deployment;
		const char *retired; /* of the row of its host, if it has one */
		size_t n_live;
	} rows[] = { { true, NULL, 1 }, { true, "0", 1 }, { true, "1", 0 }, { false, "0", 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(latest_view_release)
		struct latest_view v = { .own = xstrdup("2026.01.01"),
					 .deployment = rows[i].deployment };

		world_sql(&w, "DELETE FROM deployment");
		if (rows[i].retired)
			world_sql(&w,
				  "INSERT INTO deployment (runtime_version, host, heartbeat, accepted,"
				  " retired) VALUES ('2026.01.01', 'h', '2020-01-01T00:00:00.000Z',"
				  " '', %s)",
				  rows[i].retired);
		cr_assert_eq(latest_view_read(w.db, &v), 0);
		cr_assert_eq(v.n_live, rows[i].n_live, "row %zu", i);
	}
}

Test(deployments, the_newest_live_one_comes_first_be_it_this_one)
{
	CLEANUP(latest_view_release)
	struct latest_view v = { .own = xstrdup("2026.03.01"), .deployment = true };
	static char host[] = "h", version[] = "2026.01.01", none[] = "";
	const struct deployment other = {
		.runtime_version = version, .host = host, .accepted = none, .base_url = none
	};

	cr_assert_eq(db_beat(w.db, &other), 0);
	cr_assert_eq(latest_view_read(w.db, &v), 0);
	cr_assert_eq(v.n_live, 2);
	cr_assert_str_eq(v.live[0], "2026.03.01");
}

Test(deployments, one_fills_its_own_prefix_before_it_first_touches_latest)
{
	run(OLD);
	cr_assert(shows(OLD));
	start(NEW);
	pass(NEW, true);
	cr_assert(world_has_text(&w, "2026.03.01/api/packages/foo", known[NEW].latest));
	cr_assert(shows(OLD));
	pass(NEW, true);
	cr_assert(shows(NEW));
	expect_quiet();
}

Test(deployments, what_is_not_in_latest_at_all_yet_is_written_once_the_own_prefix_is_whole)
{
	world_sql(&w, "DELETE FROM package; DELETE FROM package_version");
	world_add_row(&w, "bar", "1.0.0"); /* without an archive */
	start(OLD);
	pass(OLD, true);
	cr_assert_not(world_has(&w, "latest/api/packages/bar"));
	pass(OLD, true);
	cr_assert(world_has(&w, "latest/api/packages/bar"));
	expect_quiet();
}

Test(deployments, the_older_one_leaves_to_the_newer_one_what_that_has_written)
{
	char *const *left;

	run(OLD);
	run(NEW);
	change(1);
	cr_assert_eq(pass(OLD, false), 2, "listing and options in its own prefix");
	cr_assert_eq(exporter_left(sides[OLD].ex, &left), 1);
	cr_assert_str_eq(left[0], "foo");
	cr_assert_not(world_has_text(&w, LISTING, "\"r1\""));
	cr_assert_eq(pass(NEW, false), 4);
	cr_assert(shows(NEW) && world_has_text(&w, LISTING, "\"r1\""));
	pass(OLD, true);
	cr_assert_eq(exporter_left(sides[OLD].ex, &left), 1, "its own would be another");
	cr_assert_eq(pass(NEW, true), 2, "completion data waits for a full pass");
	expect_quiet();
}

Test(deployments, what_is_new_is_written_by_whoever_comes_first_and_again_by_the_newer_one_alone)
{
	run(OLD);
	run(NEW);
	world_sql(&w, "DELETE FROM package; DELETE FROM package_version");
	world_add(&w, "bar", "1.0.0");
	world_sql(&w, "UPDATE package_version SET pubspec = json_set(pubspec,"
		      " '$.environment.sdk', '>=3.0.0 <9.0.0')");
	world_add(&w, "bar", "0.9.0");
	cr_assert_eq(pass(OLD, false), 2 * (2 + PACKAGE_DOCUMENTS) + 2,
		     "all of each prefix, and both feeds");
	cr_assert(world_has_text(&w, "latest/api/packages/bar", "\"latest\":{\"version\":\"0.9.0\""));
	cr_assert_eq(pass(NEW, false), 2 + PACKAGE_DOCUMENTS + 1 + 1,
		     "all in its own, its feed, and the listing that it makes otherwise");
	cr_assert(world_has_text(&w, "latest/api/packages/bar", "\"latest\":{\"version\":\"1.0.0\""));
	cr_assert_eq(pass(OLD, false), 0);
	cr_assert_eq(pass(NEW, false), 0);
}

Test(deployments, when_the_newest_one_is_gone_the_next_one_takes_latest_over)
{
	struct export_counts counts = { 0 };

	run(OLD);
	run(MIDDLE);
	run(NEW);
	stop(NEW, false);
	change(1);
	pass(OLD, true);
	pass(MIDDLE, true);
	cr_assert(shows(NEW) && !world_has_text(&w, LISTING, "\"r1\""), "it counts as live");
	stop(NEW, true);
	pass(OLD, true);
	cr_assert(shows(NEW), "the middle one takes it over");
	exporter_set_latest(sides[MIDDLE].ex, true, false);
	sides[MIDDLE].filled = true;
	cr_assert_eq(export_all(sides[MIDDLE].ex, &counts), 0);
	export_counts_release(&counts);
	cr_assert(shows(NEW), "what the newest one sent last may be under way");
	pass(MIDDLE, true);
	cr_assert(shows(MIDDLE) && world_has_text(&w, LISTING, "\"r1\""));
	expect_quiet();
	run(NEW);
	cr_assert(shows(NEW));
	expect_quiet();
}

Test(deployments, a_retired_one_leaves_latest_alone_at_once_and_keeps_its_own_prefix)
{
	run(OLD);
	run(NEW);
	cr_assert_eq(db_retire(w.db, known[NEW].version, true), 0);
	change(1);
	cr_assert_eq(pass(NEW, false), 2);
	cr_assert(world_has_text(&w, "2026.03.01/api/packages/foo", "\"r1\""));
	cr_assert_not(world_has_text(&w, LISTING, "\"r1\""));
	pass(OLD, true);
	cr_assert(shows(OLD) && world_has_text(&w, LISTING, "\"r1\""));
	cr_assert_eq(pass(NEW, true), 1, "completion data of its own");
	expect_quiet();
	cr_assert_eq(db_retire(w.db, known[NEW].version, false), 0);
	pass(NEW, true);
	cr_assert(shows(NEW));
	expect_quiet();
}

/* The open question of spec, section 16. */
Test(deployments, a_new_one_updates_all_responses_reliably_while_old_ones_still_run)
{
	run(OLD);
	run(MIDDLE);
	run(NEW);
	for (int n = 1; n <= 20; n++) {
		CLEANUP(free_char) char *text = xasprintf("\"r%d\"", n);

		change(n);
		for (int i = 0; i < SIDES; i++)
			pass((i + n) % SIDES, n % 3 == 0);
		cr_assert(shows(NEW), "after change %d", n);
		cr_assert(world_has_text(&w, LISTING, text));
	}
	expect_quiet();
}

Test(deployments, what_is_taken_down_is_removed_by_any_of_them)
{
	run(OLD);
	run(NEW);
	stop(NEW, false);
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '1.0.0'");
	pass(OLD, false);
	cr_assert_not(world_has(&w, ARCHIVE), "its listing is the newer one's");
	cr_assert(shows(NEW));
	world_sql(&w, "UPDATE package SET moderated = 1");
	pass(OLD, false);
	cr_assert_not(world_has(&w, LISTING));
	start(MIDDLE);
	world_sql(&w, "UPDATE package SET moderated = 0");
	run(NEW);
	cr_assert(world_has(&w, LISTING));
	world_sql(&w, "UPDATE package SET deleted = 1");
	pass(MIDDLE, true);
	cr_assert_not(world_has(&w, LISTING), "by one that has not filled its own prefix yet");
}

static int export_once(int i, struct export_counts *ret)
{
	struct exporter_options options = sides[i].options;
	struct exporter *ex;
	int r;

	options.deployment = false;
	cr_assert_eq(exporter_new(&options, &ex), 0);
	r = export_all(ex, ret);
	exporter_free(ex);
	return r;
}

Test(deployments, a_command_is_none_and_obeys_the_newest_live_one)
{
	struct export_counts counts = { 0 };

	cr_assert_eq(export_once(NEW, &counts), 0);
	cr_assert(shows(NEW), "nobody else is there");
	cr_assert_null(counts.left_why);
	export_counts_release(&counts);
	run(OLD);
	cr_assert(shows(OLD), "no deployment of that version runs");
	cr_assert_eq(export_once(NEW, &counts), 0);
	cr_assert(shows(OLD));
	cr_assert_eq(counts.left, 1);
	cr_assert_str_eq(counts.left_why, "the deployment 2026.01.01 keeps latest/");
	export_counts_release(&counts);
	change(1);
	cr_assert_eq(export_once(OLD, &counts), 0);
	cr_assert(shows(OLD) && world_has_text(&w, LISTING, "\"r1\""), "it is of the newest one");
	cr_assert_null(counts.left_why);
	export_counts_release(&counts);
}

Test(deployments, while_latest_is_held_only_the_deployment_of_that_version_keeps_it_fresh)
{
	char *const *left;

	run(OLD);
	run(NEW);
	cr_assert_eq(db_hold(w.db, known[OLD].version), 0);
	change(1);
	pass(NEW, true);
	cr_assert_not(world_has_text(&w, LISTING, "\"r1\""));
	cr_assert_eq(exporter_left(sides[NEW].ex, &left), 1);
	cr_assert_str_eq(left[0], "foo");
	pass(OLD, true);
	cr_assert(shows(OLD) && world_has_text(&w, LISTING, "\"r1\""));
	expect_quiet();
	stop(OLD, true);
	change(2);
	pass(NEW, false);
	cr_assert_not(world_has_text(&w, LISTING, "\"r2\""));
	world_sql(&w, "UPDATE package SET moderated = 1");
	pass(NEW, false);
	cr_assert_not(world_has(&w, LISTING));
	world_sql(&w, "UPDATE package SET moderated = 0");
	pass(NEW, false);
	cr_assert_not(world_has(&w, LISTING));
	cr_assert_eq(db_hold(w.db, NULL), 0);
	pass(NEW, true);
	cr_assert(shows(NEW) && world_has_text(&w, LISTING, "\"r2\""));
	cr_assert_eq(exporter_left(sides[NEW].ex, &left), 0);
	expect_quiet();
}

static void newer_one_goes_first(void *ctx)
{
	bool *done = ctx;

	if (*done)
		return;
	*done = true;
	change(2);
	cr_assert_eq(export_changed(sides[NEW].ex, &(struct export_counts){ 0 }), 0);
}

/* The older one has read its rows, and is about to write. */
Test(deployments, who_is_late_never_puts_older_rows_over_newer_ones)
{
	bool done = false;

	run(OLD);
	start(NEW);
	pass(NEW, true);
	exporter_set_latest(sides[NEW].ex, true, true);
	change(1);
	recorder_before(w.recorder, newer_one_goes_first, &done);
	pass(OLD, false);
	recorder_before(w.recorder, NULL, NULL);
	cr_assert(done && shows(NEW) && world_has_text(&w, LISTING, "\"r2\""));
	sides[NEW].filled = true;
	pass(NEW, true);
	pass(OLD, true);
	expect_quiet();
}

Test(deployments, another_base_url_is_held_where_another_deployment_wrote_latest)
{
	run(OLD);
	sides[NEW].options.rendering.base_url = "https://wrong.example.com";
	cr_assert_eq(exporter_new(&sides[NEW].options, &sides[NEW].ex), 0);
	cr_assert_eq(export_all(sides[NEW].ex, &(struct export_counts){ 0 }), -ECANCELED);
	cr_assert_not(world_has(&w, "2026.03.01/api/packages/foo"));
	cr_assert(shows(OLD));
}

/* In shadow mode: the next version is tried, and nobody sees it yet. */
Test(deployments, one_that_writes_its_own_prefix_alone_stands_in_nobodys_way)
{
	run(OLD);
	run(MIDDLE);
	sides[NEW].options.latest = false;
	start(NEW);
	pass(NEW, true);
	change(1);
	pass(NEW, false);
	cr_assert(world_has_text(&w, "2026.03.01/api/packages/foo", known[NEW].latest));
	cr_assert(shows(MIDDLE) && !world_has_text(&w, LISTING, "\"r1\""));
	pass(MIDDLE, false);
	cr_assert(shows(MIDDLE) && world_has_text(&w, LISTING, "\"r1\""));
	stop(MIDDLE, true);
	change(2);
	pass(OLD, true);
	cr_assert(shows(OLD) && world_has_text(&w, LISTING, "\"r2\""), "the one before takes over");
	pass(NEW, true);
	expect_quiet();
}

/* What a life has come to. */
struct life {
	unsigned seed;
	int changes;   /* of which the newest is "r<changes>" */
	bool hidden;   /* by a moderator */
	uint64_t seen; /* the change number of latest/ */
};

static void hide(struct life *life, bool hidden)
{
	world_sql(&w, "UPDATE package SET moderated = %d", hidden);
	life->hidden = hidden;
}

static void random_step(struct life *life)
{
	int i = rand() % SIDES;

	switch (rand() % 9) {
	case 0:
		change(++life->changes);
		break;
	case 1:
		start(i);
		break;
	case 2:
		stop(i, rand() % 2);
		break;
	case 3:
		if (db_retire(w.db, known[i].version, rand() % 2) < 0)
			break;
		/* fall through */
	default:
		if (sides[i].ex)
			pass(i, rand() % 2);
		break;
	case 4:
		if (rand() % 3 == 0)
			hide(life, !life->hidden);
	}
}

static void expect_no_step_back(struct life *life, int step)
{
	CLEANUP(object_release) struct object obj;
	uint64_t now;

	object_init(&obj);
	if (!world_has(&w, LISTING))
		return;
	world_stat(&w, LISTING, &obj);
	now = strtoull(obj.change, NULL, 10);
	cr_assert_geq(now, life->seen, "seed %u, step %d: latest/ went back", life->seed, step);
	life->seen = now;
}

/* Of those that run, the newest one that is not retired. */
static int newest_live(void)
{
	for (int i = NEW; i >= OLD; i--) {
		CLEANUP(free_char)
		char *query = xasprintf("SELECT max(retired) FROM deployment"
					" WHERE runtime_version = '%s'", known[i].version);

		if (sides[i].ex && !world_query(&w, query))
			return i;
	}
	return -1;
}

/* Somebody keeps latest/, and those that are gone are known to be. */
static int keeper_of_latest(void)
{
	for (int i = 0; i < SIDES; i++)
		if (!sides[i].ex)
			stop(i, true);
	if (newest_live() < 0)
		cr_assert(db_retire(w.db, known[NEW].version, false) <= 0);
	if (newest_live() < 0)
		run(NEW);
	return newest_live();
}

static void expect_convergence(struct life *life)
{
	CLEANUP(free_char) char *newest = xasprintf("\"r%d\"", life->changes);
	int keeper = keeper_of_latest();

	cr_assert_geq(keeper, 0);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < SIDES; i++)
			if (sides[i].ex)
				pass(i, true);
	cr_assert_eq(world_has(&w, LISTING), !life->hidden, "seed %u", life->seed);
	if (!life->hidden) {
		cr_assert(shows(keeper), "seed %u: latest/ is not what %s makes", life->seed,
			  known[keeper].version);
		cr_assert(!life->changes || world_has_text(&w, LISTING, newest), "seed %u",
			  life->seed);
	}
	expect_quiet();
}

/* However they come and go, latest/ never goes back, and whenever they are left alone it comes to
 * be what it should. */
static void live(unsigned seed)
{
	struct life life = { .seed = seed };

	srand(seed);
	run(OLD);
	for (int step = 1; step <= 60; step++) {
		random_step(&life);
		expect_no_step_back(&life, step);
		if (step % 20 == 0)
			expect_convergence(&life);
	}
	hide(&life, false);
	expect_convergence(&life);
}

#ifndef LIVES
#define LIVES 25
#endif

Test(deployments, in_any_order_of_starts_crashes_retirements_and_returns_latest_converges)
{
	const char *wanted = getenv("PUBFS_TEST_SEED");
	unsigned seed = wanted ? (unsigned)strtoul(wanted, NULL, 10) : (unsigned)clock_now();

	for (int i = 0; i < LIVES; i++) {
		fprintf(stderr, "PUBFS_TEST_SEED=%u\n", seed + i);
		live(seed + i);
		sides_fini();
		sides_init();
	}
}

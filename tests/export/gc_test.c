/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_test.c - collections: what goes, in which order, what is held, and what stays untouched. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "gc_world.h"
#include "memory.h"
#include "object.h"
#include "planned.h"

TestSuite(gc, .init = gc_world_init, .fini = gc_world_release);

/* As a take-down does it: what no client needs at once, then the listing, and what that names. */
#define IN_BOTH(name) "remove " OWN name "\nremove " LATEST name "\n"
Test(gc, a_deleted_package_goes_from_both_prefixes_in_the_order_of_a_take_down)
{
	CLEANUP(free_char) char *removed = NULL;

	fill((const char *[]){ "bar", "baz", "foo", "foo_bar", NULL });
	purge("foo");
	cr_assert_eq(collect(), 0);
	removed = recorder_take(w.recorder);
	cr_assert_str_eq(removed,
			 "remove " OWN "packages/foo/feed.atom\n"
			 "remove " OWN "packages/foo/likes\n"
			 "remove " OWN "packages/foo/options\n"
			 "remove " OWN "packages/foo/publisher\n"
			 "remove " OWN "packages/foo/score\n"
			 "remove " LATEST "packages/foo/feed.atom\n"
			 "remove " LATEST "packages/foo/likes\n"
			 "remove " LATEST "packages/foo/options\n"
			 "remove " LATEST "packages/foo/publisher\n"
			 "remove " LATEST "packages/foo/score\n"
			 IN_BOTH("packages/foo")
			 IN_BOTH("packages/foo/advisories")
			 IN_BOTH("archives/foo-1.0.0.tar.gz"));
	cr_assert_eq(counts.removed, PREFIXES * OBJECTS);
	cr_assert_eq(counts.packages, 2, "one a prefix");
	cr_assert(world_has(&w, LATEST "packages/foo_bar"));
	world_expect_servable(&w);
}

Test(gc, other_prefixes_keep_what_is_deleted_however_old)
{
	static const char *const others[] = { "2026.07.01", "2027.01.01", "2026.06.01" };

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		CLEANUP(free_char) char *listing = xasprintf("%s/api/packages/foo", others[i]);
		CLEANUP(free_char) char *archive =
			xasprintf("%s/api/archives/foo-1.0.0.tar.gz", others[i]);

		put(listing);
		put(archive);
	}
	purge("foo");
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, PREFIXES * OBJECTS);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		CLEANUP(free_char) char *listing = xasprintf("%s/api/packages/foo", others[i]);

		cr_assert(world_has(&w, listing), "%s", listing);
	}
}

/* What cannot be exported has a row all the same (format, section 15). */
Test(gc, a_package_whose_export_failed_is_known)
{
	fill((const char *[]){ "bar", "foo", NULL });
	world_sql(&w, "UPDATE package_version SET pubspec = '[]' WHERE package = 'foo'");
	cr_assert_eq(world_export_all(&w, &exported), -EIO);
	expect_untouched(0);
}

Test(gc, what_is_exactly_a_day_old_waits_and_a_microsecond_later_it_goes)
{
	CLEANUP(object_release) struct object last;

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	object_init(&last);
	world_stat(&w, LATEST "packages/foo", &last);
	options.own = false;
	clock_rules_set(last.updated + GC_MIN_AGE);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, 0);
	cr_assert_eq(counts.waiting, OBJECTS);
	clock_rules_set(last.updated + GC_MIN_AGE + 1);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, LATEST "packages/foo"));
	cr_assert_not(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
}

Test(gc, a_collection_with_nothing_to_do_changes_nothing)
{
	fill((const char *[]){ "foo", NULL });
	expect_untouched(0);
}

Test(gc, the_archive_of_an_absent_version_goes_only_after_its_listing_was_exported)
{
	world_add(&w, "foo", "2.0.0");
	fill((const char *[]){ "foo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	expect_untouched(0);
	cr_assert_eq(counts.waiting, 2);
	clock_rules_set(clock_now());
	world_export_well(&w, &exported);
	free(recorder_take(w.recorder));
	age();
	cr_assert_eq(collect(), 0);
	world_expect_order(&w, "remove " OWN "archives/foo-2.0.0.tar.gz\n"
			       "remove " LATEST "archives/foo-2.0.0.tar.gz\n");
	world_expect_servable(&w);
}

static void beat(const char *runtime_version)
{
	struct deployment host = { .runtime_version = xstrdup(runtime_version),
				   .host = xstrdup("host"),
				   .accepted = xstrdup(""),
				   .base_url = xstrdup(BASE_URL) };

	cr_assert_eq(db_beat(w.db, &host), 0);
	deployment_release(&host);
}

Test(gc, an_archive_waits_while_another_deployment_has_the_listing_to_write)
{
	world_add(&w, "foo", "2.0.0");
	fill((const char *[]){ "foo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	clock_rules_set(clock_now());
	beat("2026.09.01"); /* to which latest/ is left */
	world_export_well(&w, &exported);
	cr_assert_eq(exported.left, 1);
	age();
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
	cr_assert_not(world_has(&w, OWN "archives/foo-2.0.0.tar.gz"));
}

Test(gc, an_old_prefix_goes_whole_and_no_other_does)
{
	static const char *const kept[] = { "2026.06.01/api/packages/x", "2026.07.01/x",
					    "2027.01.01/x", "2018.09.13-dev/x", "other/x",
					    "top" };
	CLEANUP(free_char) char *removed = NULL;

	fill((const char *[]){ "foo", NULL });
	put("2026.05.31/api/archives/x-1.0.0.tar.gz");
	put("2026.05.31/api/packages/x");
	put("2026.05.31/what/ever");
	put("2018.09.13/x");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		put(kept[i]);
	clock_rules_set(clock_now()); /* at any age */
	free(recorder_take(w.recorder));
	cr_assert_eq(collect(), 0);
	removed = recorder_take(w.recorder);
	cr_assert_str_eq(removed, "remove 2018.09.13/x\n" /* in the order of their keys */
				  "remove 2026.05.31/api/archives/x-1.0.0.tar.gz\n"
				  "remove 2026.05.31/api/packages/x\n"
				  "remove 2026.05.31/what/ever\n");
	cr_assert_eq(counts.removed, 4);
	cr_assert_eq(counts.prefixes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		cr_assert(world_has(&w, kept[i]), "%s", kept[i]);
	cr_assert_not(world_has(&w, "2026.05.31/what/ever"));
	cr_assert_eq(counts.reported, 3, "two strange prefixes and an object at the top");
	cr_assert_str_eq(counts.reported_names[0], "2018.09.13-dev/");
}

Test(gc, the_prefix_of_a_live_deployment_stays_though_it_is_old)
{
	fill((const char *[]){ "foo", NULL });
	put("2026.05.31/x");
	put("2026.05.30/x");
	beat("2026.05.31");
	cr_assert_eq(db_hold(w.db, RUNTIME), 0); /* is no reason not to ask who is live */
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, "2026.05.31/x"));
	cr_assert_not(world_has(&w, "2026.05.30/x"));
	cr_assert_eq(db_retire(w.db, "2026.05.31", true), 0);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, "2026.05.31/x"), "retired, it is as old as any");
}

Test(gc, the_prefix_of_a_deployment_that_is_dead_is_as_old_as_any)
{
	fill((const char *[]){ "foo", NULL });
	put("2026.05.31/x");
	beat("2026.05.31");
	world_sql(&w, "UPDATE deployment SET heartbeat = '2026-01-01T00:00:00.000Z'");
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, "2026.05.31/x"));
}

/* Nobody may hand in such a list (gc_check_accepted()), but what is accepted stays all the same. */
Test(gc, an_accepted_prefix_stays_whatever_the_limit_is)
{
	fill((const char *[]){ "foo", NULL });
	put("2026.06.01/x");
	put("2026.06.02/x");
	options.accepted = RUNTIME ",2026.06.01,2026.07.01";
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, "2026.06.01/x"));
	cr_assert_not(world_has(&w, "2026.06.02/x"));
}

Test(gc, while_latest_is_held_at_another_version_it_is_left_alone)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	cr_assert_eq(db_hold(w.db, "2026.06.01"), 0);
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, LATEST "packages/foo"));
	cr_assert_not(world_has(&w, OWN "packages/foo"));
	cr_assert_eq(db_hold(w.db, RUNTIME), 0);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, LATEST "packages/foo"), "at the own one it is collected");
}

Test(gc, without_an_accepted_list_no_prefix_is_collected)
{
	fill((const char *[]){ "foo", NULL });
	put("2018.09.13/x");
	options.accepted = NULL;
	expect_untouched(0);
}

Test(gc, an_old_prefix_of_many_chunks_goes_whole)
{
	enum { N = 20050 };

	fill((const char *[]){ "foo", NULL });
	for (unsigned i = 0; i < N; i++) {
		CLEANUP(free_char) char *key = xasprintf("2025.01.01/%u", i);

		put(key);
	}
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, N);
	cr_assert_eq(counts.prefixes, 1);
	cr_assert_not(world_has(&w, "2025.01.01/20049"));
}

Test(gc, shadow_mode_leaves_latest_alone)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	options.latest = false;
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, LATEST "packages/foo"));
	cr_assert_not(world_has(&w, OWN "packages/foo"));
}

/* --- the brake --- */

Test(gc, an_empty_database_is_held_until_exactly_that_plan_is_released)
{
	fill((const char *[]){ "bar", "foo", NULL });
	world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
	options.allow_mass_change = true;
	expect_untouched(-ECANCELED); /* there was no plan that could have been released */
	cr_assert_eq(counts.held, 2 * PREFIXES * OBJECTS);
	options.allow_mass_change = false;
	expect_untouched(-ECANCELED);
	options.allow_mass_change = true;
	cr_assert_eq(collect(), 0);
	world_expect_keys(&w, "");
}

Test(gc, another_registrys_database_is_held)
{
	fill((const char *[]){ "a", "b", "c", "d", NULL });
	world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
	world_add(&w, "other", "1.0.0");
	expect_untouched(-ECANCELED);
}

/* All names but one are gone, and nothing is old enough to go by its age. */
Test(gc, a_database_that_has_lost_most_of_its_names_holds_old_prefixes_too)
{
	fill((const char *[]){ "a", "b", "c", "d", NULL });
	put("2018.09.13/x");
	clock_rules_set(clock_now());
	purge("a");
	purge("b");
	cr_assert_eq(collect(), 0, "two of four are known");
	cr_assert_not(world_has(&w, "2018.09.13/x"));
	put("2018.09.13/x");
	purge("c");
	expect_untouched(-ECANCELED);
}

/* 22 archives in each prefix, of which so many are of no version any more. */
static void make_archives(unsigned absent)
{
	char version[16];

	for (unsigned i = 0; i < 22; i++) {
		snprintf(version, sizeof(version), "%u.0.0", i + 1);
		world_add(&w, "foo", version);
	}
	fill((const char *[]){ NULL });
	world_sql(&w, "DELETE FROM package_version WHERE CAST(version AS INTEGER) <= %u", absent);
	clock_rules_set(clock_now());
	world_sql(&w, "UPDATE export_state SET change = (SELECT change FROM package_change WHERE"
		      " package_change.package = export_state.package)"); /* as if exported */
	age();
}

Test(gc, half_of_the_archives_of_a_package_go_and_one_more_is_held)
{
	make_archives(11);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, PREFIXES * 11);
	cr_assert_eq(counts.packages, 0, "of none that was deleted");
	gc_world_release();
	gc_world_init();
	make_archives(12);
	expect_untouched(-ECANCELED);
	cr_assert_eq(counts.held, PREFIXES * 12);
}

Test(gc, a_clock_that_is_a_year_ahead_is_held)
{
	fill((const char *[]){ "a", "b", "c", NULL });
	purge("a");
	clock_rules_set(clock_now() + 365 * DAY_US);
	expect_untouched(-ECANCELED);
	age();
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, PREFIXES * OBJECTS);
}

Test(gc, a_mass_is_held_and_what_is_single_goes_on)
{
	char name[16];

	for (unsigned i = 0; i < 24; i++) {
		snprintf(name, sizeof(name), "p%02u", i);
		world_add(&w, name, "1.0.0");
	}
	fill((const char *[]){ NULL });
	for (unsigned i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "p%02u", i);
		purge(name);
	}
	expect_untouched(-ECANCELED);
	cr_assert_eq(counts.held, 11 * PREFIXES * OBJECTS);
	cr_assert_eq(counts.packages + counts.bytes, 0);
	purge("p20");
	cr_assert_eq(collect(), -ECANCELED);
	cr_assert_eq(counts.removed, PREFIXES * OBJECTS);
	cr_assert_eq(counts.held, 11 * PREFIXES * OBJECTS);
	options.allow_mass_change = true;
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, 11 * PREFIXES * OBJECTS);
	options.allow_mass_change = false;
	expect_untouched(0);
}

/* --- what is only looked at --- */

static void see(void *ctx, const struct planned *p)
{
	static const char *const verbs[] = { [PLANNED_REMOVE] = "remove",
					     [PLANNED_REPORT] = "report" };

	cr_assert(p->generation || p->action == PLANNED_REPORT);
	strbuf_addf(ctx, "%s%s %s: %s\n", p->held ? "held " : "", verbs[p->action], p->key, p->why);
}

Test(gc, what_is_only_looked_at_is_said_and_not_done)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(BIG);

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	put("2018.09.13/x");
	put("latest/stray");
	options.own = false;
	options.see = see;
	options.ctx = &seen;
	counter_read(w.counter);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counted_changes(w.counter), 0);
	cr_assert_str_eq(
		seen.buf,
		"report latest/stray: it was never validated\n"
		"remove " LATEST "packages/foo/feed.atom: its package is not in the database\n"
		"remove " LATEST "packages/foo/likes: its package is not in the database\n"
		"remove " LATEST "packages/foo/options: its package is not in the database\n"
		"remove " LATEST "packages/foo/publisher: its package is not in the database\n"
		"remove " LATEST "packages/foo/score: its package is not in the database\n"
		"remove " LATEST "packages/foo: its package is not in the database\n"
		"remove " LATEST "packages/foo/advisories: its package is not in the database\n"
		"remove " LATEST "archives/foo-1.0.0.tar.gz: its package is not in the database\n"
		"remove 2018.09.13/x: its runtime version is older than the last accepted one\n");
	cr_assert_eq(counts.removed, OBJECTS + 1);
	cr_assert_eq(counts.reported, 1);
}

Test(gc, what_would_be_held_is_seen_as_held_and_no_plan_is_kept)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(BIG);

	fill((const char *[]){ "foo", NULL });
	put("2018.09.13/x");
	world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
	options.own = false;
	options.see = see;
	options.ctx = &seen;
	cr_assert_eq(collect(), -ECANCELED);
	cr_assert(!strncmp(seen.buf, "held remove ", 12));
	cr_assert_eq(counts.held, OBJECTS + 1);
	cr_assert_eq(counts.removed + counts.bytes + counts.packages + counts.prefixes, 0);
	options.see = NULL;
	options.allow_mass_change = true;
	expect_untouched(-ECANCELED);
}

static int64_t recorded_as_gone(void)
{
	return world_query(&w, "SELECT count(*) FROM export_state WHERE package = 'foo'"
			       " AND seen = zeroblob(32)");
}

static void expect_recorded(void *ctx)
{
	*(bool *)ctx = true;
	cr_assert_eq(recorded_as_gone(), PREFIXES);
}

/* As an export does that finds no row; an export that finds one again relies on nothing then. */
Test(gc, what_is_collected_of_a_package_is_recorded_as_gone_before_it_goes)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(BIG);
	bool removes = false;

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	options.accepted = NULL;
	options.see = see;
	options.ctx = &seen;
	cr_assert_eq(collect(), 0);
	options.see = NULL;
	cr_assert_eq(recorded_as_gone(), 0);
	options.removals = (struct brake_limit){ .number = 0 };
	cr_assert_eq(collect(), -ECANCELED);
	cr_assert_eq(recorded_as_gone(), 0);
	options.removals = brake_defaults.removals;
	recorder_before(w.recorder, expect_recorded, &removes);
	cr_assert_eq(collect(), 0);
	cr_assert(removes);
}

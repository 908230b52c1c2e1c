/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_test.c - collections: what goes, in which order, what is held, and what stays untouched. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "gc.h"
#include "memory.h"
#include "object.h"
#include "package.h"
#include "planned.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

#define OBJECTS 8 /* of a package with one version, in one prefix */

static struct world w;
static struct export_counts exported;
static struct gc_counts counts;
static struct gc_options options;
static char *held;

static void init(void)
{
	world_init(&w);
	clock_rules_set(clock_now());
	held = xasprintf("%s/gc.held", w.folder);
	options = (struct gc_options){
		.db = w.db,
		.store = w.counter,
		.publisher = w.publisher,
		.runtime_version = RUNTIME,
		.accepted = RUNTIME ",2026.06.01",
		.own = true,
		.latest = true,
		.min_age = GC_MIN_AGE,
		.removals = brake_defaults.removals,
		.held = held,
	};
}

static void fini(void)
{
	gc_counts_release(&counts);
	free(held);
	world_release(&w);
}

TestSuite(gc, .init = init, .fini = fini);

static int collect(void)
{
	gc_counts_release(&counts);
	return gc_run(&options, &counts);
}

/* From now on all that is there is old enough. */
static void age(void)
{
	clock_rules_set(clock_now() + 2 * DAY_US);
}

/* Packages with one version each, exported, and then aged. */
static void fill(const char *const *names)
{
	for (; *names; names++)
		world_add(&w, *names, "1.0.0");
	world_export_well(&w, &exported);
	free(recorder_take(w.recorder));
	age();
}

static void purge(const char *package)
{
	world_sql(&w,
		  "DELETE FROM package_version WHERE package = '%s';"
		  "DELETE FROM package WHERE name = '%s'",
		  package, package);
}

static void put(const char *key)
{
	world_put_stray(&w, key);
}

/* Nothing is written or removed by a collection that ends so. */
static void expect_untouched(int result)
{
	CLEANUP(free_char) char *before = world_keys(&w);

	counter_read(w.counter);
	cr_assert_eq(collect(), result);
	cr_assert_eq(counted_changes(w.counter), 0);
	world_expect_keys(&w, before);
	cr_assert_eq(counts.removed, 0);
}

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

Test(gc, an_archive_waits_while_another_deployment_has_the_listing_to_write)
{
	world_add(&w, "foo", "2.0.0");
	fill((const char *[]){ "foo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	clock_rules_set(clock_now());
	world_export_well(&w, &exported);
	/* as an export keeps it that leaves latest/ to a newer deployment */
	world_sql(&w, "UPDATE export_state SET seen = zeroblob(32) WHERE prefix LIKE 'latest%%'");
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

	fill((const char *[]){ "foo", NULL });
	put("2026.05.31/api/archives/x-1.0.0.tar.gz");
	put("2026.05.31/api/packages/x");
	put("2026.05.31/what/ever");
	put("2018.09.13/x");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		put(kept[i]);
	clock_rules_set(clock_now()); /* at any age */
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, 4);
	cr_assert_eq(counts.prefixes, 2);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		cr_assert(world_has(&w, kept[i]), "%s", kept[i]);
	cr_assert_not(world_has(&w, "2026.05.31/what/ever"));
	cr_assert_eq(counts.reported, 3, "two strange prefixes and an object at the top");
	cr_assert_str_eq(counts.reported_names[0], "2018.09.13-dev/");
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

Test(gc, the_prefix_of_a_live_deployment_stays_though_it_is_old)
{
	fill((const char *[]){ "foo", NULL });
	put("2026.05.31/x");
	put("2026.05.30/x");
	beat("2026.05.31");
	cr_assert_eq(collect(), 0);
	cr_assert(world_has(&w, "2026.05.31/x"));
	cr_assert_not(world_has(&w, "2026.05.30/x"));
	cr_assert_eq(db_retire(w.db, "2026.05.31", true), 0);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, "2026.05.31/x"), "retired, it is as old as any");
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

static void write_listing(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_put(&w, LATEST "packages/foo", "{}", NULL);
}

Test(gc, what_is_written_meanwhile_stays_with_all_that_comes_after_it)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	recorder_before(w.recorder, write_listing, NULL);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.raced, 1);
	cr_assert(world_has(&w, LATEST "packages/foo"));
	cr_assert(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
	cr_assert_not(world_has(&w, OWN "archives/foo-1.0.0.tar.gz"));
}

static void remove_listing(void *ctx)
{
	struct edit edit = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	object_init(&edit.object);
	edit.object.key = xstrdup(LATEST "packages/foo");
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

Test(gc, what_is_gone_already_is_a_success)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	recorder_before(w.recorder, remove_listing, NULL);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, PREFIXES * OBJECTS);
	cr_assert_eq(counts.raced, 0);
}

/* --- a database in front of another, that does not do all --- */

struct odd_db {
	struct db db; /* first */
	unsigned rows; /* of names, then -EIO; 0: all of them */
	void (*after_names)(void), (*after_work)(void), (*after_package)(void); /* once each */
};

static void call_once(void (**hook)(void))
{
	void (*fn)(void) = *hook;

	*hook = NULL;
	if (fn)
		fn();
}

struct reading {
	struct odd_db *odd;
	name_fn *fn;
	void *ctx;
	unsigned n;
};

static int pass_name(void *ctx, const char *package, const char *version)
{
	struct reading *reading = ctx;

	if (reading->odd->rows && ++reading->n > reading->odd->rows)
		return -EIO;
	return reading->fn(reading->ctx, package, version);
}

static int odd_names(struct db *db, name_fn *fn, void *ctx)
{
	struct odd_db *odd = (struct odd_db *)db;
	struct reading reading = { odd, fn, ctx, 0 };
	int r = db_names(w.db, pass_name, &reading);

	call_once(&odd->after_names);
	return r;
}

static int odd_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
		    const char *renderer, work_fn *fn, void *ctx)
{
	int r = db_work(w.db, store, prefixes, n, renderer, fn, ctx);

	call_once(&((struct odd_db *)db)->after_work);
	return r;
}

static int odd_package(struct db *db, const char *name, struct package *ret)
{
	int r = db_package(w.db, name, ret);

	call_once(&((struct odd_db *)db)->after_package);
	return r;
}

static int odd_held(struct db *db, char **ret_version, int64_t *ret_since)
{
	(void)db;
	return db_held(w.db, ret_version, ret_since);
}

static int odd_deployments(struct db *db, deployment_fn *fn, void *ctx)
{
	(void)db;
	return db_deployments(w.db, fn, ctx);
}

static const struct db_ops odd_ops = { .name = "odd",
				       .names = odd_names,
				       .work = odd_work,
				       .package = odd_package,
				       .held = odd_held,
				       .deployments = odd_deployments };

Test(gc, names_that_are_read_half_way_remove_nothing_however_far_it_came)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url } };

	fill((const char *[]){ "a", "b", "c", "d", NULL });
	put("2018.09.13/x");
	options.db = &odd.db;
	for (odd.rows = 1; odd.rows < 8; odd.rows++) /* 4 packages, 4 versions */
		expect_untouched(-EIO);
	odd.rows = 8;
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, 1, "the old prefix");
}

static void publish_again(void)
{
	world_add_row(&w, "foo", "1.0.0");
}

Test(gc, a_package_that_comes_back_before_it_is_removed_stays)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url },
			      .after_names = publish_again };

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	options.db = &odd.db;
	expect_untouched(0);
	cr_assert_eq(counts.raced, PREFIXES * OBJECTS);
}

static void publish_version_again(void)
{
	world_add_row(&w, "foo", "2.0.0");
}

Test(gc, a_version_that_comes_back_before_it_is_removed_stays)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url },
			      .after_work = publish_version_again };

	world_add(&w, "foo", "2.0.0");
	fill((const char *[]){ "foo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	clock_rules_set(clock_now());
	world_export_well(&w, &exported);
	age();
	options.db = &odd.db;
	expect_untouched(0);
}

static void write_advisories(void)
{
	world_put(&w, LATEST "packages/foo/advisories", "{}", NULL);
}

Test(gc, a_package_of_which_something_changes_after_it_was_judged_stays_whole)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url },
			      .after_package = write_advisories }; /* of the own prefix's */

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	options.db = &odd.db;
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, OBJECTS);
	cr_assert_eq(counts.raced, OBJECTS);
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
	world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
	options.own = false;
	options.see = see;
	options.ctx = &seen;
	cr_assert_eq(collect(), -ECANCELED);
	cr_assert(!strncmp(seen.buf, "held remove ", 12));
	options.see = NULL;
	options.allow_mass_change = true;
	expect_untouched(-ECANCELED);
}

/* --- every store call may fail --- */

Test(gc, whichever_call_fails_what_is_left_is_servable_and_the_next_run_ends_it)
{
	for (unsigned n = 1;; n++) {
		int r;

		world_release(&w);
		free(held);
		init();
		world_add(&w, "foo", "1.0.0");
		world_add(&w, "foo", "2.0.0");
		fill((const char *[]){ "bar", "baz", NULL });
		purge("bar");
		put("2018.09.13/x");
		fault_arm(w.fault, n, -EIO);
		r = collect();
		world_expect_servable(&w);
		if (!fault_fired(w.fault))
			break;
		cr_assert_lt(r, 0, "call %u", n);
		cr_assert_eq(collect(), 0);
		cr_assert_not(world_has(&w, LATEST "archives/bar-1.0.0.tar.gz"));
		cr_assert_not(world_has(&w, "2018.09.13/x"));
	}
}

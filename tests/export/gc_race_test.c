/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_race_test.c - collections while others write, and with stores and databases that fail. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "gc_world.h"
#include "memory.h"
#include "object.h"
#include "package.h"

TestSuite(gc_race, .init = gc_world_init, .fini = gc_world_release);

static void write_listing(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_put(&w, LATEST "packages/foo", "{}", NULL);
}

Test(gc_race, what_is_written_meanwhile_stays_with_all_that_comes_after_it)
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

static void write_own_listing(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_put(&w, OWN "packages/foo", "{}", NULL);
}

Test(gc_race, what_stays_in_one_prefix_holds_up_nothing_in_the_other)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	recorder_before(w.recorder, write_own_listing, NULL);
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.raced, 1);
	cr_assert_eq(counts.removed, OBJECTS + OBJECTS - 3, "all before the listing, too");
	cr_assert(world_has(&w, OWN "archives/foo-1.0.0.tar.gz"));
	cr_assert_not(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
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

Test(gc_race, what_is_gone_already_is_a_success)
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
	bool no_package; /* none can be read */
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
	struct odd_db *odd = (struct odd_db *)db;
	int r = odd->no_package ? -EIO : db_package(w.db, name, ret);

	call_once(&odd->after_package);
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

static int odd_state(struct db *db, const char *store, const char *prefix, const char *package,
		     struct export_state *ret)
{
	(void)db;
	return db_state(w.db, store, prefix, package, ret);
}

static int odd_record(struct db *db, const char *store, const struct export_record *records,
		      size_t n)
{
	(void)db;
	return db_record(w.db, store, records, n);
}

static const struct db_ops odd_ops = { .name = "odd",
				       .names = odd_names,
				       .work = odd_work,
				       .package = odd_package,
				       .state = odd_state,
				       .record = odd_record,
				       .held = odd_held,
				       .deployments = odd_deployments };

Test(gc_race, names_that_are_read_half_way_remove_nothing_however_far_it_came)
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

Test(gc_race, a_package_that_comes_back_before_it_is_removed_stays)
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

Test(gc_race, a_version_that_comes_back_before_it_is_removed_stays)
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

/* Packages a to d and an archive of a version that is none any more, exported and old. */
static void make_archive(void)
{
	world_add(&w, "foo", "2.0.0");
	fill((const char *[]){ "foo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	clock_rules_set(clock_now());
	world_export_well(&w, &exported);
	free(recorder_take(w.recorder));
	age();
}

/* Rows come back when the first of the objects is removed. */
static void publish_foo_again(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_add_row(&w, "foo", "1.0.0");
}

Test(gc_race, a_package_that_comes_back_while_it_is_removed_keeps_what_is_left_of_it)
{
	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	options.latest = false;
	recorder_before(w.recorder, publish_foo_again, NULL);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, OWN "packages/foo/likes"));
	cr_assert(world_has(&w, OWN "packages/foo"));
	cr_assert(world_has(&w, OWN "archives/foo-1.0.0.tar.gz"));
	world_export_well(&w, &exported);
}

static void publish_versions_again(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_add_row(&w, "goo", "2.0.0");
}

Test(gc_race, a_version_that_comes_back_while_others_are_removed_stays)
{
	world_add(&w, "goo", "2.0.0");
	fill((const char *[]){ "bar", "baz", "foo", "goo", NULL });
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	clock_rules_set(clock_now());
	world_export_well(&w, &exported);
	purge("foo");
	age();
	options.latest = false;
	recorder_before(w.recorder, publish_versions_again, NULL);
	cr_assert_eq(collect(), 0);
	cr_assert_not(world_has(&w, OWN "packages/foo"));
	cr_assert(world_has(&w, OWN "archives/goo-2.0.0.tar.gz"));
}

static void purge_foo(void)
{
	purge("foo");
}

Test(gc_race, an_archive_whose_package_goes_away_waits_to_go_with_it)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url },
			      .after_work = purge_foo };

	make_archive();
	options.db = &odd.db;
	expect_untouched(0);
	cr_assert_eq(counts.raced, PREFIXES);
}

Test(gc_race, what_the_database_cannot_be_asked_about_once_more_stays)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url }, .no_package = true };

	make_archive();
	options.db = &odd.db;
	expect_untouched(-EIO);
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "baz", "1.0.0");
	clock_rules_set(clock_now());
	fill((const char *[]){ NULL });
	purge("foo");
	expect_untouched(-EIO);
}

static void write_advisories(void)
{
	world_put(&w, LATEST "packages/foo/advisories", "{}", NULL);
}

Test(gc_race, a_package_of_which_something_changes_after_it_was_judged_stays_whole)
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

/* --- what ends it early --- */

/* An old prefix, whose removal fails once with `error`, wherever that is. */
static int collect_failing(unsigned n, int error)
{
	fill((const char *[]){ "foo", NULL });
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(free_char) char *key = xasprintf("2025.01.01/%03u", i);

		put(key);
	}
	for (unsigned call = 1;; call++) {
		int r;

		fault_arm(w.fault, call, error);
		r = collect();
		cr_assert(fault_fired(w.fault), "no removal failed");
		if (counts.failed)
			return r;
	}
}

Test(gc_race, one_that_cannot_be_removed_holds_up_no_other)
{
	cr_assert_eq(collect_failing(250, -EIO), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counts.removed, 249);
}

Test(gc_race, who_may_not_remove_anything_is_told_after_the_first_hundred)
{
	cr_assert_eq(collect_failing(250, -EACCES), -EACCES);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counts.removed, 99);
}

static atomic_bool stop;

static void stop_now(void *ctx)
{
	(void)ctx;
	stop = true;
}

Test(gc_race, a_stop_ends_it_after_what_is_under_way)
{
	fill((const char *[]){ "foo", NULL });
	for (unsigned i = 0; i < 250; i++) {
		CLEANUP(free_char) char *key = xasprintf("2025.01.01/%03u", i);

		put(key);
	}
	options.stop = &stop;
	stop = true;
	expect_untouched(-ECANCELED);
	stop = false;
	recorder_before(w.recorder, stop_now, NULL);
	cr_assert_eq(collect(), -ECANCELED);
	cr_assert_eq(counts.removed, 100);
	recorder_before(w.recorder, NULL, NULL);
	stop = false;
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, 150);
}

static void stop_reading(void)
{
	stop = true;
}

Test(gc_race, a_stop_while_names_are_read_removes_nothing)
{
	struct odd_db odd = { .db = { .ops = &odd_ops, .url = w.db->url },
			      .after_names = stop_reading };

	fill((const char *[]){ "bar", "baz", "foo", NULL });
	purge("foo");
	put("2018.09.13/x");
	stop = false;
	options.stop = &stop;
	options.db = &odd.db;
	expect_untouched(-ECANCELED);
}

/* --- every store call may fail --- */

Test(gc_race, whichever_call_fails_what_is_left_is_servable_and_the_next_run_ends_it)
{
	for (unsigned n = 1;; n++) {
		int r;

		gc_world_release();
		gc_world_init();
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

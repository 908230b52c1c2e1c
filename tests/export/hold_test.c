/* SPDX-License-Identifier: BSD-3-Clause */
/* hold_test.c - what ends a pass before anything is written, and what releases it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "memory.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

static struct world w;
static struct export_counts counts;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
}

static void fini(void)
{
	world_release(&w);
}

TestSuite(hold, .init = init, .fini = fini);

/* Both sides of a brake: held, with nothing written; and then released. */
static void expect_held(void)
{
	CLEANUP(free_char) char *before = world_keys(&w);

	counter_read(w.counter);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	cr_assert_eq(counted_changes(w.counter), 0);
	world_expect_keys(&w, before);
}

Test(hold, a_database_without_packages_is_held_where_the_prefix_has_some)
{
	world_export_well(&w, &counts);
	world_put(&w, LATEST "packages/foo", "{}", NULL);
	expect_held();
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert(world_has(&w, LATEST "packages/foo"));
}

Test(hold, another_base_url_is_held_and_once_allowed_it_is_ours)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
	w.options.rendering.base_url = "https://pub.example.com/dart";
	expect_held();
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	w.options.allow_mass_change = true;
	world_add_broken(&w, "bad");
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "https://pub.example.com/dart/api/"));
	w.options.allow_mass_change = false;
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.current, 2);
}

Test(hold, what_failed_under_an_allowed_base_url_holds_no_event_pass)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET pubspec = '[]' WHERE package = 'bar'");
	w.options.rendering.base_url = "https://pub.example.com/dart";
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	w.options.allow_mass_change = false;
	cr_assert_eq(world_export_changed(&w, &counts), -EIO, "it fails, but is not held");
}

Test(hold, another_sdk_is_no_other_base_url)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	w.options.rendering.sdk_dart = "3.4.0";
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 0);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
}

/* Makes the listing one that this database wrote at another change number. */
static void mark_listing(const char *change)
{
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(BIG);

	world_read(&w, LATEST "packages/foo", &body);
	world_put(&w, LATEST "packages/foo", body.buf, change);
}

Test(hold, marks_of_a_later_change_mean_a_restored_database)
{
	static const struct {
		const char *mark;
		bool held;
	} marks[] = {
		{ "1-0123456789abcdef", false },
		{ "hand", false },
		{ "900-0123456789abcdef", true },
	};

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		mark_listing(marks[i].mark);
		if (marks[i].held)
			expect_held();
		else
			world_export_well(&w, &counts);
	}
	w.options.allow_mass_change = true;
	expect_held();
	world_sql(&w, "UPDATE package SET publisher = 'example.com'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
}

Test(hold, the_same_number_with_other_digits_is_a_restored_database_too)
{
	CLEANUP(object_release) struct object obj;
	char *digit;

	object_init(&obj);
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_stat(&w, LATEST "packages/foo", &obj);
	mark_listing(obj.change);
	world_export_well(&w, &counts);
	digit = strchr(obj.change, '-') + 1;
	*digit = *digit == '0' ? '1' : '0';
	mark_listing(obj.change);
	expect_held();
}

Test(hold, rebase_takes_the_side_of_the_database_for_good)
{
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(BIG);

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
	mark_listing("900-0123456789abcdef");
	world_read(&w, OWN "packages/foo", &body);
	strbuf_addch(&body, '\n');
	world_put(&w, OWN "packages/foo", body.buf, "900-0123456789abcdef");
	w.options.rebase = true;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
	cr_assert_eq(counts.touched, 1, "the bytes were the same");
	cr_assert_eq(counts.written, 1, "the bytes were others");
	w.options.rebase = false;
	world_sql(&w, "UPDATE package SET publisher = 'example.com'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_export_well(&w, &counts);
}

Test(hold, rebase_is_for_good_where_the_documents_stay_too)
{
	static const struct {
		const char *statement;
		int result;
	} rows[] = {
		{ "UPDATE package_version SET pubspec = '[]' WHERE package = 'foo'", -EIO },
		{ "DELETE FROM package_version WHERE package = 'foo'", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_empty_bucket(&w);
		world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
		world_add(&w, "foo", "1.0.0");
		world_add(&w, "bar", "1.0.0");
		world_export_well(&w, &counts);
		mark_listing("900-0123456789abcdef");
		world_sql(&w, "%s", rows[i].statement);
		w.options.rebase = true;
		cr_assert_eq(world_export_all(&w, &counts), rows[i].result);
		w.options.rebase = false;
		cr_assert_eq(world_export_all(&w, &counts), rows[i].result);
		cr_assert(world_has_text(&w, LATEST "packages/foo", "1.0.0"));
	}
}

/* The database's answer to what work there is, as old as that of a query that takes long. */
static const struct db_ops *ops_now;

struct old_answer {
	work_fn *fn;
	void *ctx;
};

static int answer_as_before(void *ctx, const struct work *work)
{
	const struct old_answer *old = ctx;
	struct work before = *work;

	before.change = "0-0123456789abcdef";
	return old->fn(old->ctx, &before);
}

static int work_before(struct db *db, const char *store, const char *const *prefixes, size_t n,
		       const char *renderer, work_fn *fn, void *ctx)
{
	struct old_answer old = { fn, ctx };

	return ops_now->work(db, store, prefixes, n, renderer, answer_as_before, &old);
}

Test(hold, what_was_exported_while_the_work_was_read_is_no_restored_database)
{
	struct db_ops ops = *w.db->ops;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	ops_now = w.db->ops;
	ops.work = work_before;
	w.db->ops = &ops;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	mark_listing("900-0123456789abcdef");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	w.db->ops = ops_now;
}

Test(hold, a_base_url_that_another_one_begins_with_is_another_one)
{
	world_add(&w, "foo", "1.0.0");
	w.options.rendering.base_url = BASE_URL "/dart";
	world_export_well(&w, &counts);
	w.options.rendering.base_url = BASE_URL;
	expect_held();
}

Test(hold, rows_that_are_gone_hold_nothing)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "DELETE FROM package");
	world_add(&w, "bar", "1.0.0");
	w.options.rendering.base_url = BASE_URL "/dart";
	cr_assert_eq(world_export_all(&w, &counts), 0);
}

/* Rows change when the first package of a pass is written, and all were weighed before. */
static void change_rows(void *statement)
{
	recorder_before(w.recorder, NULL, NULL);
	world_sql(&w, "%s", (const char *)statement);
}

static int export_and_change(char *statement)
{
	w.options.jobs = 1;
	w.counter->batch = 1;
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "foo", "3.0.0");
	world_add(&w, "goo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	recorder_before(w.recorder, change_rows, statement);
	return world_export_changed(&w, &counts);
}

Test(hold, what_changes_after_it_was_weighed_is_weighed_again)
{
	char statement[] = "DELETE FROM package_version WHERE package = 'foo' AND version < '3.0.0'";

	cr_assert_eq(export_and_change(statement), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert(world_has_text(&w, LATEST "packages/goo", "isDiscontinued"));
	cr_assert(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
}

Test(hold, single_changes_after_all_was_weighed_go_on_and_many_wait)
{
	char statement[] = "UPDATE package_version SET retracted = 1 WHERE package > 'bar'";

	w.options.limits.rewrites = (struct brake_limit){ .number = 1, .percent = 100 };
	cr_assert_eq(export_and_change(statement), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "retracted"));
	cr_assert_not(world_has_text(&w, LATEST "packages/goo", "isDiscontinued"));
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert(world_has_text(&w, LATEST "packages/goo", "retracted"));
}

static void fail_next(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	fault_arm(w.fault, 1, -EIO);
}

Test(hold, what_failed_is_weighed_when_it_is_tried_again)
{
	static const char longer[] = "{\"name\":\"foo\",\"versions\":[{\"version\":\"1.0.0\"},"
				     "{\"version\":\"2.0.0\"},{\"version\":\"3.0.0\"}],"
				     "\"padding\":\"%0500d\"}";
	CLEANUP(free_char) char *text = xasprintf(longer, 0);
	struct exporter *ex;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	recorder_before(w.recorder, fail_next, NULL);
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	world_export_well(&w, &counts); /* another one: to the database it is no work any more */
	world_put(&w, LATEST "packages/foo", text, "hand");
	cr_assert_eq(export_changed(ex, &counts), -ECANCELED);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "3.0.0"));
	exporter_free(ex);
}

Test(hold, a_listing_that_loses_its_versions_is_held_though_it_grows)
{
	static const char *const statements[] = {
		"DELETE FROM package_version WHERE version < '3.0.0'",
		"UPDATE package_version SET pubspec = '[]' WHERE version < '3.0.0'",
	};

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		world_empty_bucket(&w);
		world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
		world_add(&w, "foo", "1.0.0");
		world_add(&w, "foo", "2.0.0");
		world_add(&w, "foo", "3.0.0");
		world_export_well(&w, &counts);
		world_sql(&w, "%s", statements[i]);
		world_sql(&w, "UPDATE package_version SET pubspec = json_set(pubspec, '$.readme',"
			      " hex(zeroblob(2000))) WHERE version = '3.0.0'");
		cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED, "%s", statements[i]);
		cr_assert(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* promote_test.c - latest/ becomes equal to another prefix, in a safe order, or not at all. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "db.h"
#include "db_deployment.h"
#include "diff.h"
#include "memory.h"
#include "planned.h"
#include "promote.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

static struct world w;
static struct export_counts exported;
static char *held;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
	held = xasprintf("%s/promote.held", w.folder);
}

static void fini(void)
{
	free(held);
	world_release(&w);
}

TestSuite(promote, .init = init, .fini = fini);

static struct promote_options options_of(void)
{
	return (struct promote_options){
		.db = w.db,
		.store = w.counter,
		.archives = w.canonical_counter,
		.publisher = w.publisher,
		.version = RUNTIME,
		.limits = brake_defaults,
		.held = held,
		.jobs = 2,
	};
}

static int run_promote(const struct promote_options *options, struct promote_counts *ret)
{
	struct promote_counts counts;
	int r = promote(options, &counts);

	if (ret)
		*ret = counts;
	else
		promote_counts_release(&counts);
	return r;
}

static int promote_own(struct promote_counts *ret)
{
	const struct promote_options options = options_of();

	return run_promote(&options, ret);
}

static int add_difference(void *ctx, const struct difference *d)
{
	strbuf_addf(ctx, "%d %s\n", (int)d->likeness, d->name);
	return 0;
}

static void expect_equal(void)
{
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	const struct diff_side a = { w.bucket, RUNTIME "/" }, b = { w.bucket, "latest/" };
	struct diff_sizes sizes;

	cr_assert_eq(diff_sides(&a, &b, add_difference, &found, &sizes), 0);
	cr_assert_str_eq(found.buf, "", "%s", found.buf);
	cr_assert_eq(sizes.a, sizes.b);
}

static void expect_held(const char *expected)
{
	CLEANUP(free_char) char *version = NULL;
	int64_t since;
	int r = db_held(w.db, &version, &since);

	cr_assert_eq(r, expected ? 0 : -ENOENT);
	if (expected)
		cr_assert_str_eq(version, expected);
}

/* The prefix has a version, a package and an advisory that latest/ does not have yet. */
static void make_apart(void)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &exported);
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "new", "1.0.0");
	world_add_advisory(&w, "GHSA-1", "bar", "2024-02-01T00:00:00.000Z");
	w.options.latest = false;
	cr_assert_eq(world_export_all(&w, &exported), 0);
	free(recorder_take(w.recorder));
}

static void take_away(const char *key)
{
	struct edit edit = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

static const char *const rest_of_package[] = { "feed.atom", "likes", "options", "publisher",
					       "score" };

Test(promote, copies_archives_then_advisories_then_listings)
{
	struct promote_counts counts;

	make_apart();
	cr_assert_eq(promote_own(&counts), 0);
	world_expect_order(&w, "copy " LATEST "archives/foo-2.0.0.tar.gz\n"
			       "copy " LATEST "archives/new-1.0.0.tar.gz\n"
			       "copy " LATEST "packages/bar/advisories\n"
			       "copy " LATEST "packages/new/advisories\n"
			       "copy " LATEST "packages/bar\n"
			       "copy " LATEST "packages/foo\n"
			       "copy " LATEST "packages/new\n");
	cr_assert_eq(counts.copied, 14, "7, 5 more of new, and two feeds");
	cr_assert_eq(counts.removed, 0);
	expect_equal();
	world_expect_servable(&w);
}

Test(promote, removes_last_and_the_listing_first)
{
	struct promote_counts counts;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "gone", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_export_well(&w, &exported);
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0';"
		      "UPDATE package SET moderated = 1 WHERE name = 'gone'");
	w.options.latest = false;
	cr_assert_eq(world_export_all(&w, &exported), 0);
	take_away(OWN "archives/foo-2.0.0.tar.gz"); /* collected in the prefix alone */
	free(recorder_take(w.recorder));
	cr_assert_eq(promote_own(&counts), 0);
	world_expect_order(&w, "copy " LATEST "packages/foo\n"
			       "remove " LATEST "packages/gone\n"
			       "remove " LATEST "packages/gone/advisories\n"
			       "remove " LATEST "archives/foo-2.0.0.tar.gz\n"
			       "remove " LATEST "archives/gone-1.0.0.tar.gz\n");
	cr_assert_eq(counts.removed, PACKAGE_DOCUMENTS + 2);
	expect_equal();
}

Test(promote, the_same_content_costs_nothing)
{
	struct store_counts c;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &exported);
	counter_read(w.counter);
	cr_assert_eq(promote_own(NULL), 0);
	c = counter_read(w.counter);
	cr_assert_eq(c.read + c.write + c.copy + c.touch + c.remove, 0);
	expect_held(RUNTIME);
}

/* What another deployment had under way when latest/ was held may land behind a promotion. */
Test(promote, another_run_sees_what_landed_after_the_first_one_however_young_the_index_is)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/cache", w.folder);
	struct promote_options options = options_of();
	struct promote_counts counts;
	struct store *index;

	make_apart();
	cr_assert_eq(index_push(w.counter, cache, &index), 0);
	options.store = index;
	options.ttl = DAY_US;
	cr_assert_eq(run_promote(&options, NULL), 0);
	expect_equal();
	world_put(&w, "latest/api/packages/foo/likes", "{\"package\":\"foo\",\"likes\":99}", NULL);
	cr_assert_eq(run_promote(&options, &counts), 0);
	cr_assert_eq(counts.copied, 1);
	expect_equal();
	index->next = NULL;
	store_close(index);
}

Test(promote, what_was_copied_has_the_headers_and_marks_of_its_source)
{
	struct object from, to;

	make_apart();
	cr_assert_eq(promote_own(NULL), 0);
	world_stat(&w, OWN "packages/foo", &from);
	world_stat(&w, LATEST "packages/foo", &to);
	cr_assert(object_same_headers(&from, &to));
	cr_assert_eq(to.size, from.size);
	object_release(&from);
	object_release(&to);
}

Test(promote, whichever_call_fails_it_is_servable_and_another_run_ends_the_same)
{
	for (unsigned n = 1;; n++) {
		int r;

		world_empty_bucket(&w);
		world_sql(&w, "DELETE FROM package; DELETE FROM package_version;"
			      "DELETE FROM advisory_package; DELETE FROM advisory;"
			      "DELETE FROM export_state");
		w.options.latest = true;
		make_apart();
		fault_arm(w.fault, n, -EIO);
		r = promote_own(NULL);
		cr_assert_eq(r < 0, fault_fired(w.fault), "call %u: %d", n, r);
		world_expect_servable(&w);
		if (!fault_fired(w.fault))
			break;
		cr_assert_eq(promote_own(NULL), 0, "call %u", n);
		expect_equal();
		world_expect_servable(&w);
	}
}

static void no_archive(void)
{
	take_away(OWN "archives/foo-2.0.0.tar.gz");
}

static void no_listing(void)
{
	take_away(OWN "packages/new");
}

static void no_advisories(void)
{
	take_away(OWN "packages/new/advisories");
}

static void no_package(void)
{
	take_away(OWN "packages/bar");
	take_away(OWN "packages/bar/advisories");
	take_away(OWN "archives/bar-1.0.0.tar.gz");
}

static void no_old_archive(void)
{
	take_away(OWN "archives/foo-1.0.0.tar.gz");
}

static void no_sound_listing(void)
{
	struct strbuf garbage = STRBUF_INIT(BIG);

	strbuf_addstr(&garbage, "no gzip");
	world_replace(&w, OWN "packages/foo", &garbage, NULL);
	strbuf_release(&garbage);
}

static void taken_down(void)
{
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'new'");
}

static void version_taken_down(void)
{
	world_sql(&w, "UPDATE package_version SET deleted = 1 WHERE version = '2.0.0'");
}

Test(promote, an_incomplete_prefix_is_refused_with_all_that_is_missing)
{
	static const struct {
		void (*spoil)(void);
		const char *missing;
	} rows[] = {
		{ no_archive, "foo: its listing names 2.0.0, whose archive is not there" },
		{ no_listing, "new: its listing is not there" },
		{ no_advisories, "new: its advisories are not there" },
		{ no_package, "bar: latest/ and the database have it, and the prefix has not" },
		{ no_old_archive, "foo: its listing names 1.0.0, whose archive is not there" },
		{ no_old_archive, "foo: latest/ and the database have the archive of 1.0.0, and the "
				  "prefix has not" },
		{ no_sound_listing, "foo: its listing cannot be read" },
		{ taken_down, "new: it was taken down, and is still there" },
		{ version_taken_down, "foo: its listing shows 2.0.0, which was taken down" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct promote_counts counts;
		bool found = false;

		world_empty_bucket(&w);
		world_sql(&w, "DELETE FROM package; DELETE FROM package_version;"
			      "DELETE FROM advisory_package; DELETE FROM advisory;"
			      "DELETE FROM export_state");
		w.options.latest = true;
		make_apart();
		rows[i].spoil();
		cr_assert_eq(promote_own(&counts), -EINVAL, "row %zu", i);
		for (size_t k = 0; k < counts.n_missing; k++)
			found |= !strcmp(counts.missing[k], rows[i].missing);
		cr_assert(found, "row %zu: %s", i, counts.missing[0]);
		promote_counts_release(&counts);
		world_expect_order(&w, "");
		expect_held(NULL);
	}
}

Test(promote, an_archive_that_nobody_has_makes_no_prefix_incomplete)
{
	world_add_row(&w, "foo", "1.0.0"); /* no archive in the canonical store */
	w.options.latest = false;
	cr_assert_eq(world_export_all(&w, &exported), 0);
	cr_assert_eq(promote_own(NULL), 0);
	expect_equal();
}

Test(promote, what_the_database_does_not_show_makes_none_incomplete_either)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "gone", "1.0.0");
	world_export_well(&w, &exported);
	world_sql(&w, "DELETE FROM package_version WHERE package = 'gone';"
		      "DELETE FROM package WHERE name = 'gone';"
		      "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	w.options.latest = false;
	cr_assert_eq(world_export_all(&w, &exported), 0);
	take_away(OWN "packages/gone"); /* collected in the prefix alone */
	take_away(OWN "packages/gone/advisories");
	take_away(OWN "archives/gone-1.0.0.tar.gz");
	cr_assert_eq(promote_own(NULL), -EINVAL, "what is left of it has no listing");
	for (size_t i = 0; i < ARRAY_SIZE(rest_of_package); i++) {
		CLEANUP(free_char) char *key = NULL;

		key = xasprintf(OWN "packages/gone/%s", rest_of_package[i]);
		take_away(key);
	}
	cr_assert_eq(promote_own(NULL), 0);
	cr_assert_not(world_has(&w, LATEST "packages/gone"));
	cr_assert_not(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
	expect_equal();
}

Test(promote, a_prefix_without_packages_is_a_mistake)
{
	world_add(&w, "foo", "1.0.0");
	w.options.own = false;
	world_export_well(&w, &exported);
	free(recorder_take(w.recorder));
	cr_assert_eq(promote_own(NULL), -ENOENT);
	world_expect_order(&w, "");
	expect_held(NULL);
}

/* So many packages of which each listing differs. */
static void make_many(int n)
{
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		world_add(&w, name, "1.0.0");
	}
	world_export_well(&w, &exported);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	w.options.latest = false;
	w.options.limits.rewrites = (struct brake_limit){ 1000, 100 };
	cr_assert_eq(world_export_all(&w, &exported), 0);
	free(recorder_take(w.recorder));
}

Test(promote, more_rewrites_than_the_limit_are_held_whole_until_exactly_they_are_released)
{
	struct promote_options options = options_of();

	make_many(11);
	cr_assert_eq(promote_own(NULL), -ECANCELED);
	world_expect_order(&w, "");
	expect_held(NULL);
	cr_assert_eq(promote_own(NULL), -ECANCELED, "it stays held");
	options.allow_mass_change = true;
	cr_assert_neq(access(held, F_OK), -1);
	cr_assert_eq(run_promote(&options, NULL), 0);
	cr_assert_eq(access(held, F_OK), -1, "what was done is no plan any more");
	expect_equal();
	expect_held(RUNTIME);
}

Test(promote, as_many_rewrites_as_the_limit_are_not_held)
{
	make_many(10);
	cr_assert_eq(promote_own(NULL), 0);
	expect_equal();
}

Test(promote, packages_that_latest_does_not_have_yet_are_not_counted)
{
	struct promote_options options = options_of();

	options.limits.rewrites = (struct brake_limit){ 0, 0 };
	for (int i = 0; i < 12; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		world_add(&w, name, "1.0.0");
	}
	w.options.latest = false;
	world_export_well(&w, &exported);
	cr_assert_eq(run_promote(&options, NULL), 0);
	expect_equal();
}

Test(promote, as_many_packages_as_the_limit_are_removed_and_one_more_is_held)
{
	struct promote_options options = options_of();

	options.limits.removals = (struct brake_limit){ 1, 0 };
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		world_add(&w, name, "1.0.0");
	}
	world_export_well(&w, &exported);
	w.options.latest = false;
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'p01'");
	cr_assert_eq(world_export_all(&w, &exported), 0);
	cr_assert_eq(run_promote(&options, NULL), 0);
	cr_assert_not(world_has(&w, LATEST "packages/p01"));
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name IN ('p02', 'p03')");
	cr_assert_eq(world_export_all(&w, &exported), 0);
	free(recorder_take(w.recorder));
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	world_expect_order(&w, "");
}

Test(promote, a_word_in_advance_releases_nothing)
{
	struct promote_options options = options_of();

	make_many(11);
	options.allow_mass_change = true;
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	world_expect_order(&w, "");
	/* what was held has changed since: another plan */
	world_sql(&w, "UPDATE package SET discontinued = 0");
	world_sql(&w, "UPDATE package SET unlisted = 1, discontinued = 1");
	world_sql(&w, "UPDATE package SET replaced_by = 'p00'");
	cr_assert_eq(world_export_all(&w, &exported), 0);
	free(recorder_take(w.recorder));
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	world_expect_order(&w, "");
}

static void see_line(void *ctx, const struct planned *p)
{
	strbuf_addf(ctx, "%d %s\n", (int)p->action, p->key);
}

Test(promote, a_dry_run_tells_the_plan_and_changes_nothing)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(BIG);
	struct promote_options options = options_of();
	const char *advisories, *listing;

	make_apart();
	options.see = see_line;
	options.ctx = &seen;
	cr_assert_eq(run_promote(&options, NULL), 0);
	advisories = strstr(seen.buf, LATEST "packages/new/advisories\n");
	listing = strstr(seen.buf, LATEST "packages/bar\n");
	cr_assert(advisories && listing && advisories < listing, "in its order: %s", seen.buf);
	world_expect_order(&w, "");
	expect_held(NULL);
}

Test(promote, what_a_dry_run_would_hold_is_no_plan_that_could_be_released)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(BIG);
	struct promote_options options = options_of();

	make_many(11);
	options.see = see_line;
	options.ctx = &seen;
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	options.see = NULL;
	options.allow_mass_change = true;
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	world_expect_order(&w, "");
}

static void write_first(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_put(&w, LATEST "archives/foo-2.0.0.tar.gz", "x", NULL);
}

Test(promote, whoever_writes_meanwhile_is_not_overwritten_and_the_listing_waits)
{
	struct promote_counts counts;

	make_apart();
	recorder_before(w.recorder, write_first, NULL);
	cr_assert_eq(promote_own(&counts), -EIO);
	cr_assert_eq(counts.raced, 1);
	cr_assert_eq(counts.waiting, 2, "the listing and the feed of foo");
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	cr_assert(world_has(&w, LATEST "packages/new"), "others go on");
	cr_assert_eq(promote_own(NULL), 0);
	expect_equal();
}

Test(promote, objects_of_no_kind_stay)
{
	struct promote_counts counts;

	make_apart();
	world_put_stray(&w, "latest/notes");
	world_put_stray(&w, RUNTIME "/readme");
	cr_assert_eq(promote_own(&counts), 0);
	cr_assert_eq(counts.others, 2);
	cr_assert(world_has(&w, "latest/notes"));
	cr_assert_not(world_has(&w, "latest/readme"));
}

Test(promote, a_stop_leaves_it_held_and_servable)
{
	struct promote_options options = options_of();
	atomic_bool stop = true;

	make_apart();
	options.stop = &stop;
	cr_assert_eq(run_promote(&options, NULL), -ECANCELED);
	expect_held(RUNTIME);
	world_expect_servable(&w);
	stop = false;
	cr_assert_eq(run_promote(&options, NULL), 0);
	expect_equal();
}

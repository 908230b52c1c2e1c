/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_plan_test.c - what is garbage, and how much of it may go at once: both sides of each edge. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/export/gc_names.h"
#include "../../fs/export/gc_plan.h"
#include "../../fs/export/names.h"
#include "../../fs/export/survey.h"
#include "clock.h"
#include "gc.h"
#include "memory.h"
#include "strbuf.h"

#define NOW    (1800000000 * SECOND_US)
#define OWN    "2026.08.18"
#define LATEST "latest/api/"

static char live[] = "2026.01.01", limit[] = "2026.06.01", between[] = "2026.07.01", own[] = OWN;
static char *in_use[] = { live, limit, between, own };
static const struct names used = { .names = in_use, .n = ARRAY_SIZE(in_use) };
static const struct gc_policy policy = {
	.now = NOW, .min_age = GC_MIN_AGE, .own = OWN, .limit = limit, .used = &used
};

/* --- what lies at the top --- */

Test(gc_plan, only_prefixes_below_the_last_accepted_version_are_old)
{
	static const struct {
		const char *name;
		bool is_object;
		enum gc_fate fate;
	} tops[] = {
		{ "latest", false, GC_KEPT },
		{ OWN, false, GC_KEPT },
		{ "2026.07.01", false, GC_KEPT },
		{ "2026.06.01", false, GC_KEPT },    /* the limit itself */
		{ "2026.05.31", false, GC_REMOVED }, /* just below it */
		{ "0000.00.00", false, GC_REMOVED },
		{ "2026.06.02", false, GC_KEPT }, /* between accepted ones */
		{ "2026.08.19", false, GC_KEPT }, /* newer than the own one */
		{ "9999.99.99", false, GC_KEPT },
		{ "2026.01.01", false, GC_KEPT }, /* old, but somebody runs it */
		{ "2018.09.13-dev", false, GC_REPORTED },
		{ "2018 09 13", false, GC_REPORTED },
		{ "2018.9.13", false, GC_REPORTED },
		{ "12018.09.13", false, GC_REPORTED },
		{ "2018.09.130", false, GC_REPORTED },
		{ "latest2", false, GC_REPORTED },
		{ "Latest", false, GC_REPORTED },
		{ "packages", false, GC_REPORTED },
		{ "", false, GC_REPORTED },
		{ "latest", true, GC_REPORTED },
		{ "2018.09.13", true, GC_REPORTED },
		{ "robots.txt", true, GC_REPORTED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		cr_assert_eq(gc_rule_top(&policy, tops[i].name, !tops[i].is_object).fate,
			     tops[i].fate, "%s", tops[i].name);
}

/* By itself, whoever else is known to use a prefix. */
Test(gc_plan, the_own_prefix_and_the_limit_stay_though_nobody_is_said_to_use_them)
{
	const struct names nothing = { 0 };
	struct gc_policy alone = policy;
	char older[] = "2026.05.01";

	alone.used = &nothing;
	cr_assert_eq(gc_rule_top(&alone, "2026.06.01", true).fate, GC_KEPT);
	cr_assert_eq(gc_rule_top(&alone, "2026.05.31", true).fate, GC_REMOVED);
	cr_assert_eq(gc_rule_top(&alone, "2026.01.01", true).fate, GC_REMOVED);
	cr_assert_eq(gc_rule_top(&alone, "latest", true).fate, GC_KEPT);
	alone.own = older;
	cr_assert_eq(gc_rule_top(&alone, older, true).fate, GC_KEPT);
}

Test(gc_plan, without_an_accepted_list_no_prefix_is_old)
{
	const struct names nothing = { 0 };
	struct gc_policy none = policy;

	none.limit = NULL;
	none.used = &nothing;
	cr_assert_eq(gc_rule_top(&none, "0000.00.00", true).fate, GC_KEPT);
	cr_assert_eq(gc_rule_top(&none, "2026.05.31", true).fate, GC_KEPT);
	cr_assert_eq(gc_rule_top(&none, "strange", true).fate, GC_REPORTED);
}

/* --- one package --- */

struct thing {
	const char *key; /* below latest/api/ */
	int64_t age, validated; /* microseconds ago; validated NO_TIME: never */
	enum gc_fate fate;
};

/* What the database has: foo 1.0.0 and 1.1.0, exported to latest/ as it is; foo_bar 1.0.0, which
 * has moved since; bare, without any version. */
static void know(struct gc_names *names)
{
	gc_names_add_package(names, "foo");
	gc_names_add_version(names, "foo", "1.0.0");
	gc_names_add_version(names, "foo", "1.1.0");
	gc_names_add_exported(names, "latest", "foo");
	gc_names_add_package(names, "foo_bar");
	gc_names_add_version(names, "foo_bar", "1.0.0");
	gc_names_add_exported(names, OWN, "foo_bar");
	gc_names_add_package(names, "bare");
	gc_names_add_exported(names, "latest", "bare");
	gc_names_seal(names);
}

static void expect_fates(const char *package, const struct thing *things, size_t n)
{
	CLEANUP(survey_release) struct survey have = { 0 };
	CLEANUP(gc_names_release) struct gc_names names = { 0 };
	struct gc_ruling rulings[16];

	know(&names);
	for (size_t i = 0; i < n; i++) {
		struct object *obj;

		GROW(have.objects, have.n, have.alloc);
		obj = &have.objects[have.n++];
		object_init(obj);
		obj->key = xasprintf(LATEST "%s", things[i].key);
		obj->updated = NOW - things[i].age;
		obj->validated =
			things[i].validated == NO_TIME ? NO_TIME : NOW - things[i].validated;
	}
	gc_rule_package(&policy, &names, "latest", package, &have, rulings);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(rulings[i].fate, things[i].fate, "%s (age %lld): %d, %s",
			     things[i].key, (long long)things[i].age, rulings[i].fate,
			     rulings[i].why ? rulings[i].why : "-");
		cr_assert_eq(!rulings[i].why, things[i].fate == GC_KEPT);
	}
}
#define EXPECT(package, ...)                                                                       \
	do {                                                                                       \
		static const struct thing things_[] = { __VA_ARGS__ };                             \
		expect_fates(package, things_, ARRAY_SIZE(things_));                               \
	} while (0)

Test(gc_plan, a_deleted_package_goes_when_it_is_more_than_a_day_old)
{
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", DAY_US, 0, GC_WAITS });
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", DAY_US + 1, 0, GC_REMOVED });
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", 0, 0, GC_WAITS });
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", -DAY_US, 0, GC_WAITS });
	EXPECT("gone", { "packages/gone", DAY_US, 0, GC_WAITS });
	EXPECT("gone", { "packages/gone", DAY_US + SECOND_US, 0, GC_REMOVED });
}

Test(gc_plan, all_below_a_deleted_package_goes_known_or_not)
{
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", 2 * DAY_US, 0, GC_REMOVED },
	       { "archives/gone-x.tar.gz", 2 * DAY_US, 0, GC_REMOVED },
	       { "packages/gone", 2 * DAY_US, NO_TIME, GC_REMOVED },
	       { "packages/gone/advisories", 2 * DAY_US, 0, GC_REMOVED },
	       { "packages/gone/feed.atom", 2 * DAY_US, 0, GC_REMOVED },
	       { "packages/gone/some/thing", 2 * DAY_US, 0, GC_REMOVED });
}

Test(gc_plan, what_is_no_archive_is_reported_even_of_a_deleted_package)
{
	EXPECT("gone", { "archives/gone-1.0.0.zip", 2 * DAY_US, 0, GC_REPORTED },
	       { "archives/gone-", 2 * DAY_US, 0, GC_REPORTED },
	       { "archives/gone-1.0.0.tar.gz.asc", 2 * DAY_US, 0, GC_REPORTED });
	EXPECT("foo", { "archives/foo-1.0.0.zip", 2 * DAY_US, 0, GC_REPORTED },
	       { "archives/foo-latest.tar.gz", 2 * DAY_US, 0, GC_REPORTED });
}

Test(gc_plan, while_its_listing_is_too_young_all_of_a_deleted_package_waits)
{
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", 9 * DAY_US, 0, GC_WAITS },
	       { "packages/gone", DAY_US, 0, GC_WAITS },
	       { "packages/gone/advisories", 9 * DAY_US, 0, GC_WAITS });
	EXPECT("gone", { "archives/gone-1.0.0.tar.gz", 9 * DAY_US, 0, GC_REMOVED },
	       { "packages/gone", DAY_US + 1, 0, GC_REMOVED },
	       { "packages/gone/advisories", DAY_US, 0, GC_WAITS });
}

Test(gc_plan, the_archive_of_an_absent_version_goes_once_no_listing_names_it)
{
	EXPECT("foo", { "archives/foo-0.9.0.tar.gz", DAY_US, 0, GC_WAITS },
	       { "archives/foo-1.0.0-0.tar.gz", DAY_US + 1, 0, GC_REMOVED },
	       { "archives/foo-1.0.0.tar.gz", 9 * DAY_US, 0, GC_KEPT },
	       { "archives/foo-1.1.0.tar.gz", 9 * DAY_US, 0, GC_KEPT },
	       { "archives/foo-1.1.0.tar.gz.tar.gz", 9 * DAY_US, 0, GC_REPORTED },
	       { "packages/foo", 9 * DAY_US, 0, GC_KEPT });
	/* not exported to latest/ since its rows changed */
	EXPECT("foo_bar", { "archives/foo_bar-0.9.0.tar.gz", 9 * DAY_US, 0, GC_WAITS },
	       { "archives/foo_bar-1.0.0.tar.gz", 9 * DAY_US, 0, GC_KEPT });
}

Test(gc_plan, a_package_without_any_version_keeps_its_archives)
{
	EXPECT("bare", { "archives/bare-1.0.0.tar.gz", 9 * DAY_US, 0, GC_KEPT },
	       { "packages/bare", 9 * DAY_US, 0, GC_KEPT });
}

Test(gc_plan, foo_is_not_the_beginning_of_foo_bar)
{
	EXPECT("foo_bar", { "archives/foo_bar-1.0.0.tar.gz", 9 * DAY_US, 0, GC_KEPT });
	EXPECT("foo_ba", { "archives/foo_ba-1.0.0.tar.gz", 9 * DAY_US, 0, GC_REMOVED });
	EXPECT("fo", { "packages/fo", 9 * DAY_US, 0, GC_REMOVED });
	EXPECT("Foo", { "packages/Foo", 9 * DAY_US, 0, GC_REMOVED });
}

Test(gc_plan, strays_are_reported_from_more_than_12_days_on_and_never_removed)
{
	EXPECT("foo", { "packages/foo", 99 * DAY_US, STRAY_AGE, GC_KEPT },
	       { "packages/foo/likes", 99 * DAY_US, STRAY_AGE + 1, GC_REPORTED },
	       { "packages/foo/score", 99 * DAY_US, NO_TIME, GC_REPORTED });
	EXPECT(NULL, { "feed.atom", 99 * DAY_US, STRAY_AGE, GC_KEPT },
	       { "packages/no package", 99 * DAY_US, STRAY_AGE + 1, GC_REPORTED },
	       { "strange", 99 * DAY_US, NO_TIME, GC_REPORTED });
}

/* --- the brake --- */

struct bench {
	struct gc_plan plan;
	struct names before, held;
	struct strbuf why;
	int64_t now;
	bool release, is_held;
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .now = NOW };
	strbuf_init(&b->why, 64 << 10);
	b->plan.rows = 1;
	b->plan.n_prefixes = 2;
	b->plan.prefixes[0] = (struct gc_prefix){ .name = OWN, .newest = NOW };
	b->plan.prefixes[1] = (struct gc_prefix){ .name = "latest", .newest = NOW };
}

static void bench_release(struct bench *b)
{
	gc_plan_release(&b->plan);
	names_release(&b->before);
	names_release(&b->held);
	strbuf_release(&b->why);
}

/* So many of `present` packages in latest/ would be removed. */
static void bench_packages(struct bench *b, uint64_t present, unsigned removed)
{
	b->plan.prefixes[1].present = present;
	b->plan.prefixes[1].known = present - removed;
	b->plan.rows = present;
	for (unsigned i = 0; i < removed; i++) {
		CLEANUP(free_char) char *name = xasprintf("p%05u", i);

		gc_plan_add(&b->plan, GC_LOT_PACKAGE, "latest", name)->objects = 1;
	}
}

static void bench_judge(struct bench *b)
{
	names_release(&b->held);
	strbuf_reset(&b->why);
	b->is_held = gc_plan_judge(&b->plan, &brake_defaults.removals, b->now, &b->before,
				   b->release, &b->held, &b->why);
}

/* The plan that is held becomes the one that was. */
static void bench_next_run(struct bench *b)
{
	names_release(&b->before);
	b->before = b->held;
	b->held = (struct names){ 0 };
}

Test(gc_plan, more_packages_than_the_limit_are_held_and_no_fewer)
{
	static const struct {
		uint64_t present;
		unsigned removed;
		bool held;
	} rows[] = {
		{ 3, 3, false },     { 4, 2, false },	   { 4, 3, true },	 { 100, 10, false },
		{ 100, 11, true },   { 20, 10, false },	   { 19, 10, true },	 { 2000, 20, false },
		{ 2000, 21, true },  { 1099, 10, false },  { 1099, 11, true },	 { 1100, 11, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(bench_release) struct bench b;

		bench_init(&b);
		bench_packages(&b, rows[i].present, rows[i].removed);
		bench_judge(&b);
		cr_assert_eq(b.is_held, rows[i].held, "%u of %llu: %s", rows[i].removed,
			     (unsigned long long)rows[i].present, b.why.buf);
		cr_assert_eq(b.held.n, rows[i].held ? rows[i].removed : 0);
	}
}

Test(gc_plan, what_is_held_in_one_prefix_leaves_the_other_and_old_prefixes_alone)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	bench_packages(&b, 100, 11);
	gc_plan_add(&b.plan, GC_LOT_PACKAGE, OWN, "one");
	gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
	gc_plan_add(&b.plan, GC_LOT_ARCHIVES, "latest", "some");
	bench_judge(&b);
	for (size_t i = 0; i < 11; i++)
		cr_assert(b.plan.lots[i].held);
	for (size_t i = 11; i < 14; i++)
		cr_assert_not(b.plan.lots[i].held, "%zu", i);
	cr_assert(strstr(b.why.buf, "11 of the 100 packages in latest/"));
}

Test(gc_plan, an_empty_database_holds_everything_old_prefixes_too)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	bench_packages(&b, 1, 1);
	gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
	bench_judge(&b);
	cr_assert_not(b.is_held, "with one row it is none");
	b.plan.rows = 0;
	bench_judge(&b);
	cr_assert(b.is_held);
	cr_assert_eq(b.held.n, 2);
	cr_assert(strstr(b.why.buf, "no package at all"));
}

Test(gc_plan, an_empty_database_is_held_before_anything_is_old_enough)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	b.plan.rows = 0;
	bench_judge(&b);
	cr_assert_not(b.is_held, "an empty bucket has nothing to lose");
	b.plan.prefixes[1].present = 1;
	bench_judge(&b);
	cr_assert(b.is_held);
	b.release = true;
	bench_judge(&b);
	cr_assert_not(b.is_held);
}

Test(gc_plan, an_empty_database_holds_an_old_prefix_where_nothing_else_is_left)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	b.plan.rows = 0;
	gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
	bench_judge(&b);
	cr_assert(b.is_held);
}

Test(gc_plan, another_registrys_database_holds_everything)
{
	static const struct {
		uint64_t present, known;
		bool held;
	} rows[] = { { 4, 2, false }, { 4, 1, true }, { 3, 0, false }, { 1000, 499, true },
		     { 1000, 500, false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(bench_release) struct bench b;

		bench_init(&b);
		b.plan.prefixes[0].present = rows[i].present;
		b.plan.prefixes[0].known = rows[i].known;
		b.plan.rows = 70000;
		gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
		bench_judge(&b);
		cr_assert_eq(b.is_held, rows[i].held);
		cr_assert_eq(b.held.n, rows[i].held ? 1 : 0);
		cr_assert_eq(strstr(b.why.buf, "another registry's") != NULL, rows[i].held);
	}
}

Test(gc_plan, a_clock_that_is_off_holds_what_goes_by_its_age)
{
	static const struct {
		int64_t newest; /* before now */
		bool held;
	} rows[] = {
		{ 0, false },		  { 30 * DAY_US, false },   { 30 * DAY_US + 1, true },
		{ 365 * DAY_US, true },	  { -DAY_US, false },	    { -DAY_US - 1, true },
		{ -365 * DAY_US, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(bench_release) struct bench b;

		bench_init(&b);
		bench_packages(&b, 100, 1);
		gc_plan_add(&b.plan, GC_LOT_ARCHIVES, OWN, "some");
		gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
		b.plan.prefixes[0].newest = NO_TIME;
		b.plan.prefixes[1].newest = NOW - rows[i].newest;
		bench_judge(&b);
		cr_assert_eq(b.is_held, rows[i].held, "%zu", i);
		cr_assert_eq(b.held.n, rows[i].held ? 2 : 0, "an old prefix has no age");
	}
}

Test(gc_plan, a_clock_that_is_off_matters_only_where_something_goes_by_its_age)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
	b.now = NOW + 365 * DAY_US;
	bench_judge(&b);
	cr_assert_not(b.is_held);
	gc_plan_add(&b.plan, GC_LOT_ARCHIVES, OWN, "some");
	bench_judge(&b);
	cr_assert(b.is_held);
}

Test(gc_plan, most_archives_of_one_package_are_held_by_themselves)
{
	static const struct {
		uint64_t archives, removed;
		bool held;
	} rows[] = { { 10, 10, false }, { 11, 11, true }, { 22, 11, false }, { 21, 11, true } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(bench_release) struct bench b;
		struct gc_lot *lot;

		bench_init(&b);
		bench_packages(&b, 100, 1);
		lot = gc_plan_add(&b.plan, GC_LOT_ARCHIVES, "latest", "many");
		lot->archives = rows[i].archives;
		lot->objects = rows[i].removed;
		bench_judge(&b);
		cr_assert_eq(b.held.n, rows[i].held ? 1 : 0, "%zu", i);
		cr_assert_not(b.plan.lots[0].held);
		if (rows[i].held)
			cr_assert(!strncmp(b.held.names[0], "archives latest many ", 21));
	}
}

/* Else the sentence would be as long as the plan, and lose its end. */
Test(gc_plan, of_many_packages_whose_archives_are_held_the_first_are_named)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	for (int i = 0; i < 5; i++) {
		CLEANUP(free_char) char *name = xasprintf("p%d", i);
		struct gc_lot *lot = gc_plan_add(&b.plan, GC_LOT_ARCHIVES, OWN, name);

		lot->archives = lot->objects = 11;
	}
	bench_judge(&b);
	cr_assert_eq(b.held.n, 5);
	cr_assert_str_eq(b.why.buf,
			 "held: 11 of the 11 archives of p0 in " OWN "/ would be removed; "
			 "11 of the 11 archives of p1 in " OWN "/ would be removed; "
			 "11 of the 11 archives of p2 in " OWN "/ would be removed; "
			 "and so would those of 2 more");
}

Test(gc_plan, archives_that_were_held_are_released_with_something_new_beside_them)
{
	CLEANUP(bench_release) struct bench b;
	struct gc_lot *lot;

	bench_init(&b);
	lot = gc_plan_add(&b.plan, GC_LOT_ARCHIVES, "latest", "many");
	lot->archives = lot->objects = 11;
	bench_judge(&b);
	cr_assert(b.is_held);
	bench_next_run(&b);
	b.release = true;
	gc_plan_add(&b.plan, GC_LOT_PREFIX, "2025.01.01", NULL);
	bench_judge(&b);
	cr_assert_not(b.is_held, "%s", b.why.buf);
}

Test(gc_plan, names_are_told_apart_whatever_is_written_behind_each_other)
{
	CLEANUP(gc_names_release) struct gc_names names = { 0 };

	gc_names_add_version(&names, "foo1", ".0.0");
	gc_names_add_exported(&names, "latest", "bar");
	gc_names_seal(&names);
	cr_assert(gc_names_have_version(&names, "foo1", (struct name_part){ ".0.0", 4 }));
	cr_assert_not(gc_names_have_version(&names, "foo", (struct name_part){ "1.0.0", 5 }));
	cr_assert_not(gc_names_have_package(&names, "foo1"), "a version is no package");
	cr_assert(gc_names_have_exported(&names, "latest", "bar"));
	cr_assert_not(gc_names_have_exported(&names, "lates", "tbar"));
}

Test(gc_plan, a_release_is_of_the_held_plan_and_of_no_other)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	bench_packages(&b, 100, 11);
	b.release = true;
	bench_judge(&b);
	cr_assert_eq(b.held.n, 11, "nothing was held before, so nothing is released");
	bench_next_run(&b);
	b.plan.lots[0].digest[0] ^= 1; /* something of it has changed */
	bench_judge(&b);
	cr_assert_not(b.is_held, "the other ten are released, and one more is no mass");
	for (unsigned i = 0; i < 11; i++)
		gc_plan_add(&b.plan, GC_LOT_PACKAGE, "latest", "new");
	bench_judge(&b);
	cr_assert(b.is_held, "what is new is judged by itself");
	cr_assert(b.plan.lots[0].held && b.plan.lots[11].held && !b.plan.lots[1].held);
}

Test(gc_plan, what_is_too_much_no_more_is_held_no_longer)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	bench_packages(&b, 100, 11);
	bench_judge(&b);
	bench_next_run(&b);
	b.plan.prefixes[1].present = b.plan.prefixes[1].known = 1100;
	bench_judge(&b);
	cr_assert_not(b.is_held, "11 of 1,100 are no mass");
	cr_assert_eq(b.held.n, 0);
}

Test(gc_plan, what_was_held_stays_held_and_does_not_hold_up_what_comes_beside_it)
{
	CLEANUP(bench_release) struct bench b;

	bench_init(&b);
	bench_packages(&b, 100, 11);
	bench_judge(&b);
	bench_next_run(&b);
	gc_plan_add(&b.plan, GC_LOT_PACKAGE, "latest", "single");
	bench_judge(&b);
	cr_assert(b.is_held);
	cr_assert_eq(b.held.n, 11);
	cr_assert_not(b.plan.lots[11].held);
	cr_assert(strstr(b.why.buf, "12 of the 100 packages"), "%s", b.why.buf);
}

/* --- the accepted list --- */

Test(gc_plan, an_accepted_list_goes_from_the_own_version_to_an_older_limit)
{
	static const struct {
		const char *list, *why;
	} lists[] = {
		{ OWN ",2026.07.01", NULL },
		{ OWN ",2026.07.01,2026.06.01", NULL },
		{ OWN, "limit" },
		{ OWN ",2026.09.01", "new to old" },
		{ OWN ",2026.07.01,2026.07.01", "new to old" },
		{ OWN ",2026.06.01,2026.07.01", "new to old" },
		{ "2026.09.01," OWN ",2026.07.01", "in front" },
		{ "2026.07.01,2026.06.01", "in front" },
		{ "", "in front" },
		{ OWN ",", "limit" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const char *why = NULL;
		int r = gc_check_accepted(OWN, lists[i].list, &why);

		cr_assert_eq(r, lists[i].why ? -EINVAL : 0, "%s", lists[i].list);
		cr_assert(lists[i].why ? strstr(why, lists[i].why) != NULL : !why);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* mass_test.c - what is too much at once is held; the rest goes on, and a release is exact. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "held.h"
#include "memory.h"
#include "planned.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

#define REWRITES (PREFIXES * 2) /* of a package that is discontinued: its listing and options */

static struct world w;
static struct export_counts counts;
static char *held_file;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
	held_file = held_path(w.folder, "mem:bucket", "sync");
	w.options.held = held_file;
}

static void fini(void)
{
	free(held_file);
	world_release(&w);
}

TestSuite(mass, .init = init, .fini = fini);

/* Packages p00, p01, ... with two versions each, exported. */
static void fill(int n)
{
	for (int i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		world_add(&w, name, "1.0.0");
		world_add(&w, name, "2.0.0");
	}
	/* else completion data would leave them out, as packages for Dart 1 */
	world_sql(&w, "UPDATE package_version SET pubspec = substr(pubspec, 1, length(pubspec) - 1)"
		      " || ',\"environment\":{\"sdk\":\"^3.0.0\"}}'");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
}

static char *held_now(void)
{
	struct strbuf text = STRBUF_INIT(BIG);

	cr_assert_eq(held_text(w.folder, "mem:bucket", &text), 0);
	return strbuf_detach(&text);
}

static size_t held_items(const char *verb)
{
	CLEANUP(free_char) char *text = held_now();
	size_t n = 0;

	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		n += !strncmp(line, verb, strlen(verb));
	return n;
}

static void expect_untouched(int r)
{
	cr_assert_eq(r, -ECANCELED);
	world_expect_order(&w, "");
	world_expect_servable(&w);
}

Test(mass, an_empty_prefix_is_filled_and_never_held)
{
	w.options.limits = (struct brake_limits){ { 0, 0 }, { 0, 0 }, { 0, 0 } };
	fill(12);
	cr_assert_eq(counts.written, FIRST_WRITES(12));
	cr_assert_eq(counts.held, 0);
}

Test(mass, more_rewrites_than_a_tenth_and_ten_are_held_and_as_many_are_not)
{
	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name < 'p11'");
	expect_untouched(world_export_changed(&w, &counts));
	cr_assert_eq(counts.held, 11);
	cr_assert_eq(held_items("rewrite latest p"), 11);
	cr_assert_eq(held_items("rewrite " RUNTIME " p"), 11);
	expect_untouched(world_export_all(&w, &counts));
	cr_assert_eq(held_items("rewrite"), 22, "still the same plan");
	world_sql(&w, "UPDATE package SET discontinued = 0");
	world_export_well(&w, &counts);
	cr_assert_eq(held_items("rewrite"), 0, "nothing of it is planned any more");
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name < 'p10'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.written, 10 * REWRITES);
}

Test(mass, force_writes_everything_and_is_not_counted_where_nothing_differs)
{
	fill(12);
	w.options.force = true;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, FIRST_WRITES(12));
}

static void no_keys(struct object *obj)
{
	obj->has_sha256 = obj->has_decoded_size = false;
	obj->decoded_size = 0;
}

static void other_type(struct object *obj)
{
	free(obj->type);
	obj->type = xstrdup("text/plain");
}

Test(mass, headers_that_are_put_right_are_no_rewrites)
{
	fill(12);
	for (int i = 0; i < 12; i++) {
		CLEANUP(free_char) char *key = xasprintf(LATEST "packages/p%02d", i);

		world_replace(&w, key, NULL, other_type);
	}
	world_export_well(&w, &counts);
	cr_assert_eq(counts.touched, 12);
}

Test(mass, the_small_documents_are_not_weighed_nor_read)
{
	fill(12);
	counter_read(w.counter);
	world_sql(&w, "UPDATE package SET likes = 5");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.written, PREFIXES * 12 * 2, "likes and score");
	cr_assert_eq(counter_read(w.counter).read, 0);
}

Test(mass, a_change_of_one_prefix_alone_is_weighed_too)
{
	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	w.options.own = false;
	w.options.limits.rewrites = (struct brake_limit){ .number = 12 };
	cr_assert_eq(world_export_all(&w, &counts), 0);
	free(recorder_take(w.recorder));
	w.options.own = true;
	w.options.limits = brake_defaults;
	expect_untouched(world_export_all(&w, &counts));
	cr_assert_eq(held_items("rewrite " RUNTIME " p"), 12);
	cr_assert_eq(held_items("rewrite latest"), 0);
	cr_assert(world_has_text(&w, RUNTIME "/api/package-name-completion-data", "p00"));
	cr_assert_not(world_has_text(&w, "latest/api/package-name-completion-data", "p00"));
}

Test(mass, a_plan_that_cannot_be_read_is_a_failure_and_one_that_is_over_leaves_no_file)
{
	CLEANUP(free_char) char *below = xasprintf("%s/sync.held", held_file);

	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	expect_untouched(world_export_all(&w, &counts));
	w.options.held = below; /* a file is no folder */
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.held, 0, "it has not begun");
	w.options.held = w.folder; /* nor the other way round */
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.held, 0);
	w.options.held = held_file;
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert_neq(access(held_file, F_OK), 0);
}

Test(mass, what_is_released_is_the_held_plan_and_no_other)
{
	fill(24);
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name < 'p11'");
	expect_untouched(world_export_changed(&w, &counts));
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name >= 'p11'");
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(counts.written, 11 * REWRITES);
	cr_assert_eq(counts.held, 13);
	cr_assert(world_has_text(&w, LATEST "packages/p10", "isDiscontinued"));
	cr_assert_not(world_has_text(&w, LATEST "packages/p11", "isDiscontinued"));
	cr_assert_eq(held_items("rewrite latest p"), 13);
	cr_assert_eq(world_export_changed(&w, &counts), 0, "that was held now, and is released");
	cr_assert_eq(counts.written, 13 * REWRITES);
}

Test(mass, a_word_in_advance_releases_nothing)
{
	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	w.options.allow_mass_change = true;
	expect_untouched(world_export_all(&w, &counts));
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 12 * REWRITES + PREFIXES, "and completion data");
}

Test(mass, a_package_that_changed_after_it_was_held_is_not_what_was_held)
{
	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	expect_untouched(world_export_all(&w, &counts));
	world_sql(&w, "UPDATE package SET replaced_by = 'p01'");
	w.options.allow_mass_change = true;
	expect_untouched(world_export_all(&w, &counts));
	world_export_well(&w, &counts);
}

Test(mass, single_changes_and_new_packages_go_on_beside_a_held_plan)
{
	fill(24);
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name < 'p12'");
	expect_untouched(world_export_changed(&w, &counts));
	world_add(&w, "p20", "3.0.0");
	world_add(&w, "q", "1.0.0");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.packages, 14);
	cr_assert_eq(counts.held, 12);
	cr_assert(world_has_text(&w, LATEST "packages/p20", "3.0.0"));
	cr_assert(world_has(&w, LATEST "packages/q"));
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	cr_assert_eq(counts.written, PREFIXES, "completion data, without p20 of today");
	cr_assert_eq(held_items("rewrite latest p"), 12);
}

Test(mass, take_downs_go_on_in_a_pass_that_is_held)
{
	fill(24);
	world_add_advisory(&w, "GHSA-1", "p04", "2024-05-01T00:00:00.000Z");
	world_sql(&w, "UPDATE package SET discontinued = 1;"
		      "UPDATE package SET moderated = 1 WHERE name = 'p01';"
		      "UPDATE package_version SET moderated = 1"
		      " WHERE package = 'p02' AND version = '2.0.0';"
		      "UPDATE package_version SET retracted = 1"
		      " WHERE package = 'p03' AND version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(counts.held, 20);
	cr_assert_not(world_has(&w, LATEST "packages/p01"));
	cr_assert_not(world_has(&w, LATEST "archives/p02-2.0.0.tar.gz"));
	cr_assert(world_has_text(&w, LATEST "packages/p03", "\"retracted\":true"));
	cr_assert(world_has_text(&w, LATEST "packages/p04/advisories", "GHSA-1"));
	cr_assert_not(world_has_text(&w, LATEST "packages/p05", "isDiscontinued"));
	world_expect_servable(&w);
}

Test(mass, what_was_retracted_before_is_no_take_down_now)
{
	fill(12);
	world_sql(&w, "UPDATE package_version SET retracted = 1"
		      " WHERE version = '2.0.0' AND package < 'p10'");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package SET discontinued = 1");
	expect_untouched(world_export_changed(&w, &counts));
	cr_assert_eq(counts.held, 12);
}

Test(mass, more_take_downs_than_their_limit_are_held_whole_and_as_many_are_not)
{
	fill(8);
	w.options.limits.takedowns = (struct brake_limit){ .number = 3 };
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name < 'p04'");
	expect_untouched(world_export_changed(&w, &counts));
	cr_assert_eq(counts.held, 4);
	cr_assert_eq(held_items("take-down latest p"), 4);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'p07'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has(&w, LATEST "packages/p07"), "a single one goes on");
	cr_assert(world_has(&w, LATEST "packages/p03"));
	world_sql(&w, "UPDATE package SET moderated = 0 WHERE name = 'p00'");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED, "held at the same change");
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert(world_has(&w, LATEST "packages/p00"));
	cr_assert_not(world_has(&w, LATEST "packages/p03"));
}

Test(mass, three_take_downs_pass_where_three_may)
{
	fill(8);
	w.options.limits.takedowns = (struct brake_limit){ .number = 3 };
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name < 'p03'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has(&w, LATEST "packages/p02"));
}

Test(mass, take_downs_are_not_counted_as_rewrites_of_their_listings)
{
	fill(14);
	world_sql(&w, "UPDATE package_version SET moderated = 1"
		      " WHERE version = '2.0.0' AND package < 'p12'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.held, 0);
	cr_assert_not(world_has(&w, LATEST "archives/p11-2.0.0.tar.gz"));
}

/* Of so many packages, take-downs go before the rest is weighed. */
Test(mass, a_take_down_takes_no_shrunk_listing_along)
{
	fill(14);
	for (int i = 3; i < 7; i++) {
		CLEANUP(free_char) char *version = xasprintf("%d.0.0", i);

		world_add(&w, "p00", version);
	}
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET moderated = 1"
		      " WHERE version = '2.0.0' AND package < 'p12';"
		      "DELETE FROM package_version WHERE package = 'p00' AND version > '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(held_items("shrink latest p00"), 1);
	cr_assert(world_has_text(&w, LATEST "packages/p00", "6.0.0"));
	cr_assert_not(world_has(&w, LATEST "archives/p00-2.0.0.tar.gz"), "its take-down goes on");
	cr_assert_not(world_has(&w, LATEST "archives/p11-2.0.0.tar.gz"));
}

/* --- what documents of all packages show of those that are held --- */

#define FEED	   "/feed.atom"
#define COMPLETION "/api/package-name-completion-data"

static void expect_text(const char *key, const char *text, bool there)
{
	cr_assert_eq(world_has_text(&w, key, text), there, "%s in %s", text, key);
}

static void allow_takedowns(unsigned n)
{
	w.options.limits.takedowns = (struct brake_limit){ .number = n };
}

Test(mass, what_is_held_of_a_mass_take_down_stays_in_the_feed_and_in_the_names)
{
	fill(16);
	allow_takedowns(11);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name >= 'p02' AND name < 'p08';"
		      "UPDATE package_version SET retracted = 1"
		      " WHERE package >= 'p08' AND package < 'p14' AND version = '2.0.0'");
	expect_untouched(world_export_changed(&w, &counts));
	expect_untouched(world_export_all(&w, &counts));
	cr_assert_eq(counts.written, 0);
	world_add(&w, "p15", "3.0.0");
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'p14'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	for (int i = 0; i < 2; i++) {
		expect_text("latest" FEED, "v3.0.0 of p15", true);
		expect_text("latest" FEED, "of p14", false);
		expect_text("latest" FEED, "v1.0.0 of p02", true);
		expect_text("latest" FEED, "v2.0.0 of p13", true);
		expect_text(RUNTIME FEED, "v2.0.0 of p08", true);
		cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
		expect_text("latest" COMPLETION, "\"p01\",\"p02\",\"p03\",", true);
	}
	expect_text("latest" COMPLETION, "p14", false);
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	expect_text("latest" FEED, "of p02", false);
	expect_text("latest" FEED, "v2.0.0 of p08", false);
	expect_text("latest" FEED, "v1.0.0 of p08", true);
	expect_text(RUNTIME COMPLETION, "p03", false);
	expect_text(RUNTIME COMPLETION, "p08", true);
}

Test(mass, of_a_document_that_is_gone_or_damaged_nothing_is_kept)
{
	CLEANUP(strbuf_release) struct strbuf garbage = STRBUF_INIT(BIG);

	fill(8);
	allow_takedowns(3);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name < 'p04'");
	expect_untouched(world_export_all(&w, &counts));
	strbuf_addstr(&garbage, "no gzip");
	world_replace(&w, "latest" FEED, &garbage, no_keys);
	world_replace(&w, RUNTIME COMPLETION, &garbage, no_keys);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	expect_text("latest" FEED, "of p00", false);
	expect_text("latest" FEED, "of p04", true);
	expect_text(RUNTIME FEED, "of p00", true);
	expect_text(RUNTIME COMPLETION, "p00", false);
	expect_text(RUNTIME COMPLETION, "p04", true);
}

Test(mass, what_was_taken_down_before_is_not_shown_again_while_more_of_it_is_held)
{
	fill(8);
	world_sql(&w, "UPDATE package_version SET retracted = 1"
		      " WHERE package = 'p00' AND version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	allow_takedowns(3);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name < 'p04'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	world_add(&w, "p07", "3.0.0");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	expect_text("latest" FEED, "v2.0.0 of p00", false);
	expect_text("latest" FEED, "v1.0.0 of p00", true);
}

Test(mass, each_prefix_keeps_what_is_held_in_it)
{
	fill(8);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name < 'p04'");
	w.options.latest = false;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	w.options.latest = true;
	allow_takedowns(3);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	expect_text(RUNTIME FEED, "of p00", false);
	expect_text(RUNTIME COMPLETION, "p00", false);
	expect_text("latest" FEED, "of p00", true);
	expect_text("latest" COMPLETION, "p00", true);
}

Test(mass, names_stay_while_the_rewrites_that_drop_them_are_held_but_not_those_that_are_taken_down)
{
	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	expect_untouched(world_export_all(&w, &counts));
	expect_text("latest" COMPLETION, "p11", true);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'p03'");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	expect_text("latest" COMPLETION, "p11", true);
	expect_text("latest" COMPLETION, "p03", false);
	expect_text("latest" FEED, "of p03", false);
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	expect_text("latest" COMPLETION, "p11", false);
}

Test(mass, a_version_that_is_taken_down_leaves_the_feed_though_its_listing_is_held)
{
	fill(1);
	world_add(&w, "p00", "3.0.0");
	world_add(&w, "p00", "4.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "DELETE FROM package_version WHERE version IN ('1.0.0', '2.0.0', '3.0.0');"
		      "UPDATE package_version SET moderated = 1 WHERE version = '4.0.0'");
	world_add(&w, "p00", "5.0.0");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(held_items("shrink latest p00"), 1);
	expect_text("latest" FEED, "v4.0.0 of p00", false);
}

Test(mass, a_listing_that_loses_most_of_its_versions_is_held_and_one_that_loses_half_is_not)
{
	fill(2);
	world_add(&w, "p00", "3.0.0");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "DELETE FROM package_version WHERE package = 'p00' AND version < '3.0.0'");
	world_sql(&w, "DELETE FROM package_version WHERE package = 'p01' AND version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(held_items("shrink latest p00"), 1);
	cr_assert(world_has_text(&w, LATEST "packages/p00", "2.0.0"));
	cr_assert_not(world_has_text(&w, LATEST "packages/p01", "2.0.0"));
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has_text(&w, LATEST "packages/p00", "2.0.0"));
}

Test(mass, what_is_taken_down_explicitly_shrinks_no_listing)
{
	fill(1);
	world_add(&w, "p00", "3.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version < '3.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has_text(&w, LATEST "packages/p00", "2.0.0"));
}

Test(mass, a_shrunk_listing_does_not_keep_a_take_down_waiting)
{
	fill(1);
	world_add(&w, "p00", "3.0.0");
	world_add(&w, "p00", "4.0.0");
	world_add(&w, "p00", "5.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "DELETE FROM package_version WHERE version IN ('1.0.0', '2.0.0', '3.0.0');"
		      "UPDATE package_version SET moderated = 1 WHERE version = '5.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_not(world_has(&w, LATEST "archives/p00-5.0.0.tar.gz"));
	cr_assert(world_has_text(&w, LATEST "packages/p00", "2.0.0"));
}

Test(mass, one_advisory_that_was_removed_by_itself_empties_its_lists)
{
	fill(3);
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-01T00:00:00.000Z");
	world_sql(&w, "INSERT INTO advisory_package VALUES ('GHSA-1', 'p01')");
	world_export_well(&w, &counts);
	world_sql(&w, "DELETE FROM advisory");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has_text(&w, LATEST "packages/p00/advisories", "GHSA-1"));
}

Test(mass, two_advisories_of_one_list_do_not_go_by_themselves)
{
	fill(2);
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-01T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-2", "p00", "2024-05-01T00:00:00.000Z");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "DELETE FROM advisory");
	expect_untouched(world_export_changed(&w, &counts));
	cr_assert_eq(held_items("empty latest p00"), 1);
	world_sql(&w, "UPDATE package_version SET moderated = 1"
		      " WHERE package = 'p00' AND version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_not(world_has(&w, LATEST "archives/p00-2.0.0.tar.gz"), "a take-down goes on");
	cr_assert(world_has_text(&w, LATEST "packages/p00/advisories", "GHSA-2"));
}

Test(mass, lists_that_lose_some_of_their_advisories_are_not_emptied)
{
	char id[32], name[32];

	fill(12);
	for (int i = 0; i < 24; i++) {
		snprintf(id, sizeof(id), "GHSA-%d", i);
		snprintf(name, sizeof(name), "p%02d", i % 12);
		world_add_advisory(&w, id, name, "2024-05-01T00:00:00.000Z");
	}
	w.options.limits.rewrites = (struct brake_limit){ .number = 1, .percent = 100 };
	world_export_well(&w, &counts);
	w.options.limits.takedowns = (struct brake_limit){ .number = 0 };
	world_sql(&w, "DELETE FROM advisory_package"
		      " WHERE CAST(substr(advisory, 6) AS INTEGER) >= 12");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has_text(&w, LATEST "packages/p00/advisories", "GHSA-12\""));
	cr_assert(world_has_text(&w, LATEST "packages/p00/advisories", "GHSA-0\""));
}

/* Their length is not known from their metadata. */
Test(mass, documents_without_keys_of_ours_are_weighed_by_their_text)
{
	fill(2);
	world_add(&w, "p00", "3.0.0");
	world_add_advisory(&w, "GHSA-1", "p01", "2024-05-01T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-2", "p01", "2024-05-01T00:00:00.000Z");
	world_export_well(&w, &counts);
	world_replace(&w, LATEST "packages/p00", NULL, no_keys);
	world_replace(&w, LATEST "packages/p01/advisories", NULL, no_keys);
	world_sql(&w, "DELETE FROM package_version WHERE package = 'p00' AND version < '3.0.0';"
		      "DELETE FROM advisory");
	cr_assert_eq(world_export_changed(&w, &counts), -ECANCELED);
	cr_assert_eq(held_items("shrink latest p00"), 1);
	cr_assert_eq(held_items("empty latest p01"), 1);
	cr_assert(world_has_text(&w, LATEST "packages/p00", "2.0.0"));
	cr_assert(world_has_text(&w, LATEST "packages/p01/advisories", "GHSA-2"));
}

/* A broken import removes every row (dart-lang/pub-dev#9372). */
Test(mass, the_advisories_of_may_2026_stay)
{
	CLEANUP(free_char) char *text = NULL;

	fill(8);
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-01T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-2", "p01", "2024-05-01T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-3", "p01", "2024-05-01T00:00:00.000Z");
	world_sql(&w, "UPDATE package_version SET retracted = 1"
		      " WHERE package = 'p00' AND version = '1.0.0'");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "DELETE FROM advisory_package; DELETE FROM advisory");
	expect_untouched(world_export_changed(&w, &counts));
	expect_untouched(world_export_all(&w, &counts));
	text = held_now();
	cr_assert(strstr(text, "2 advisory lists in latest/ would become empty, of 3 advisories"),
		  "%s", text);
	world_sql(&w, "UPDATE package_version SET moderated = 1"
		      " WHERE package = 'p02' AND version = '1.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0, "an administrator need not wait for it");
	cr_assert_not(world_has(&w, LATEST "archives/p02-1.0.0.tar.gz"));
	world_sql(&w, "DELETE FROM package_change WHERE package = 'nothing'");
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-02T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-2", "p01", "2024-05-02T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-3", "p01", "2024-05-02T00:00:00.000Z");
	cr_assert_eq(world_export_changed(&w, &counts), 0, "a good import ends it");
	cr_assert(world_has_text(&w, LATEST "packages/p01/advisories", "GHSA-3"));
	cr_assert_eq(held_items("empty"), 0);
}

Test(mass, advisories_whose_text_an_import_has_broken_are_gone_as_well)
{
	fill(2);
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-01T00:00:00.000Z");
	world_add_advisory(&w, "GHSA-2", "p01", "2024-05-01T00:00:00.000Z");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE advisory SET osv = replace(osv, 'Pub', 'npm')");
	expect_untouched(world_export_changed(&w, &counts));
}

Test(mass, a_database_of_another_registry_is_held_and_one_that_knows_half_is_not)
{
	fill(4);
	world_sql(&w, "DELETE FROM package WHERE name < 'p03'");
	world_add(&w, "stranger", "1.0.0");
	expect_untouched(world_export_all(&w, &counts));
	world_sql(&w, "INSERT INTO package (name) VALUES ('p02')");
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert(world_has(&w, LATEST "packages/stranger"));
	world_sql(&w, "DELETE FROM package WHERE name LIKE 'p%%'");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
}

Test(mass, another_base_url_that_was_allowed_rewrites_everything_at_once)
{
	fill(12);
	w.options.rendering.base_url = "https://other.example.com";
	expect_untouched(world_export_all(&w, &counts));
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert_eq(counts.written, PREFIXES * (12 * 2 + 1), "listings and all feeds");
}

Test(mass, a_dry_run_shows_what_goes_on_and_keeps_no_plan)
{
	struct planned_out out = { .json = false };
	char *text = NULL;
	size_t n;

	fill(12);
	world_sql(&w, "UPDATE package SET discontinued = 1");
	world_add(&w, "q", "1.0.0");
	out.file = open_memstream(&text, &n);
	w.options.dry_run = &out;
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	fclose(out.file);
	cr_assert(strstr(text, "write " LATEST "packages/q: the package is new\n"), "%s", text);
	cr_assert(strstr(text, "held write " LATEST "packages/p00 (generation "), "%s", text);
	cr_assert_eq(held_items("rewrite"), 0);
	free(text);
	w.options.dry_run = NULL;
	w.options.allow_mass_change = true;
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED, "nothing was held so far");
}

Test(mass, what_cannot_be_compared_is_not_changed_unseen)
{
	fill(2);
	world_add_advisory(&w, "GHSA-1", "p00", "2024-05-01T00:00:00.000Z");
	world_export_well(&w, &counts);
	world_sql(&w, "DELETE FROM advisory");
	w.options.jobs = 1;
	counter_read(w.counter);
	for (unsigned n = 1; n < 100; n++) {
		fault_arm(w.fault, n, -EIO);
		cr_assert_eq(world_export_changed(&w, &counts), -EIO);
		if (counter_read(w.counter).read)
			break;
	}
	cr_assert_eq(counts.failed, 1);
	cr_assert(world_has_text(&w, LATEST "packages/p00/advisories", "GHSA-1"));
	cr_assert(world_has_text(&w, OWN "packages/p00/advisories", "GHSA-1"));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* export_test.c - passes: what is exported, what it costs, and what is left when something fails.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "planned.h"
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

TestSuite(export, .init = init, .fini = fini);

Test(export, both_prefixes_get_everything_and_the_own_one_first)
{
	world_add(&w, "foo", "1.0.0");
	w.options.jobs = 1;
	world_export_well(&w, &counts);
	world_expect_order(&w, "copy " OWN "archives/foo-1.0.0.tar.gz\n"
			       "write " OWN "packages/foo/advisories\n"
			       "write " OWN "packages/foo\n"
			       "copy " LATEST "archives/foo-1.0.0.tar.gz\n"
			       "write " LATEST "packages/foo/advisories\n"
			       "write " LATEST "packages/foo\n");
	cr_assert_eq(counts.packages, 1);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
	cr_assert_eq(counts.copied, 2);
	cr_assert_eq(counts.current + counts.touched + counts.removed + counts.left_out, 0);
	world_expect_keys(&w, OWN "archives/foo-1.0.0.tar.gz\n" OWN "packages/foo\n" OWN
				  "packages/foo/advisories\n" LATEST
				  "archives/foo-1.0.0.tar.gz\n" LATEST "packages/foo\n" LATEST
				  "packages/foo/advisories\n");
}

Test(export, one_prefix_alone_is_left_to_the_options)
{
	world_add(&w, "foo", "1.0.0");
	w.options.latest = false;
	world_export_well(&w, &counts);
	cr_assert(world_has(&w, OWN "packages/foo"));
	cr_assert_not(world_has(&w, LATEST "packages/foo"));
	w.options.latest = true;
	w.options.own = false;
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "retracted"));
	cr_assert_not(world_has_text(&w, OWN "packages/foo", "retracted"));
}

Test(export, a_second_pass_reads_nothing_and_writes_nothing)
{
	struct store_counts c;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo_bar", "1.0.0");
	world_export_well(&w, &counts);
	counter_read(w.counter);
	counter_read(w.canonical_counter);
	world_export_well(&w, &counts);
	c = counter_read(w.counter);
	cr_assert_eq(c.read + c.write + c.copy + c.touch + c.remove, 0);
	cr_assert_eq(c.refresh, 2);
	cr_assert_eq(counts.current, 2);
	c = counter_read(w.canonical_counter);
	cr_assert_eq(c.read, 0);
	cr_assert_eq(c.refresh, 1);
}

Test(export, a_row_that_is_gone_is_said_once)
{
	CLEANUP(free_char) char *path = xasprintf("%s/log", w.folder);
	char line[1000];
	int said = 0;
	FILE *log;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_sql(&w, "DELETE FROM package WHERE name = 'bar'");
	cr_assert_eq(log_to_file(path), 0);
	world_export_well(&w, &counts);
	world_export_well(&w, &counts);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	log = fopen(path, "r");
	while (fgets(line, sizeof(line), log))
		said += strstr(line, "package bar is gone") != NULL;
	fclose(log);
	cr_assert_eq(said, 1);
}

Test(export, a_name_that_only_begins_like_a_package_is_nothing_of_it)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_put_stray(&w, LATEST "packages/foo-x");
	world_put_stray(&w, LATEST "packages/foox/y");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
	world_put_stray(&w, LATEST "packages/foo/x");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 0);
}

Test(export, an_event_pass_with_nothing_to_do_asks_no_store)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	counted(w.counter);
	counted(w.canonical_counter);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.packages, 0);
	cr_assert_eq(counted(w.counter), 0);
	cr_assert_eq(counted(w.canonical_counter), 0);
}

Test(export, an_event_pass_exports_what_changed_and_nothing_else)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package_version SET retracted = 1 WHERE package = 'foo'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_expect_order(&w, "write " OWN "packages/foo\nwrite " LATEST "packages/foo\n");
	cr_assert_eq(counts.packages, 1);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "\"retracted\":true"));
}

Test(export, a_change_that_moves_no_byte_sends_nothing)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	counter_read(w.counter);
	world_sql(&w, "UPDATE package SET latest_version = '1.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.packages, 1);
	cr_assert_eq(counted_changes(w.counter), 0);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.packages, 0, "it is recorded");
}

Test(export, an_emptied_bucket_and_a_hand_edit_are_noticed_by_a_full_pass)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_put(&w, LATEST "packages/foo", "{}", "hand");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 1);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "1.0.0"));
	world_empty_bucket(&w);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
}

Test(export, an_archive_that_arrives_later_is_noticed_by_a_full_pass)
{
	world_add(&w, "foo", "1.0.0");
	world_add_row(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.no_archive, 1);
	cr_assert_not(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
	cr_assert(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	world_add_archive(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.copied, 2);
	cr_assert_eq(counts.no_archive, 0);
}

Test(export, the_first_versions_without_an_archive_are_named)
{
	struct exporter *ex;

	world_add_row(&w, "a", "1.0.0");
	world_add_row(&w, "b", "1.0.0");
	world_add_row(&w, "b", "1.1.0");
	world_add_row(&w, "c", "1.0.0");
	world_add_row(&w, "d", "1.0.0");
	w.options.jobs = 1;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	cr_assert_eq(export_all(ex, &counts), 0);
	cr_assert_eq(counts.no_archive, 5);
	cr_assert_str_eq(counts.no_archive_names[0], "a 1.0.0");
	cr_assert_str_eq(counts.no_archive_names[1], "b 1.0.0");
	cr_assert_str_eq(counts.no_archive_names[2], "c 1.0.0");
	export_counts_release(&counts);
	exporter_free(ex);
}

Test(export, a_moderated_package_goes_listing_first_and_comes_back_whole)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo2", "1.0.0");
	w.options.latest = false;
	w.options.jobs = 1;
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_expect_order(&w, "remove " OWN "packages/foo\nremove " OWN "packages/foo/advisories\n"
			       "remove " OWN "archives/foo-1.0.0.tar.gz\n");
	cr_assert_eq(counts.removed, PACKAGE_DOCUMENTS + 1);
	world_expect_keys(&w, OWN "archives/foo2-1.0.0.tar.gz\n" OWN "packages/foo2\n" OWN
				  "packages/foo2/advisories\n");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 2, "there is nothing to be seen of it");
	world_sql(&w, "UPDATE package SET moderated = 0 WHERE name = 'foo'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.written + counts.copied, PACKAGE_DOCUMENTS + 2, "and the feed");
	world_expect_servable(&w);
}

Test(export, a_moderated_version_goes_after_the_listing_without_it)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	w.options.latest = false;
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_expect_order(&w,
			   "write " OWN "packages/foo\nremove " OWN "archives/foo-2.0.0.tar.gz\n");
	world_sql(&w, "UPDATE package_version SET deleted = 1 WHERE version = '1.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_expect_keys(&w, "");
}

/* Of "verb KEY" lines: the packages of the listings, in the order in which they were changed. */
static char *listing_order(void)
{
	CLEANUP(free_char) char *lines = recorder_take(w.recorder);
	struct strbuf order = STRBUF_INIT(10000);
	char *rest = lines, *line;

	while ((line = strsep(&rest, "\n")) && *line) {
		struct object_name name;

		if (catalog_match(strchr(line, ' ') + 1, &name) == KIND_LISTING &&
		    *name.prefix.text == 'l')
			strbuf_addf(&order, "%.*s ", (int)name.package.len, name.package.text);
	}
	return strbuf_detach(&order);
}

Test(export, take_downs_come_before_everything_else_in_a_pass)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };

	w.options.jobs = 1;
	for (int full = 0; full < 2; full++) {
		CLEANUP(free_char) char *order = NULL;

		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			world_add(&w, names[i], full ? "2.0.0" : "1.0.0");
		world_export_well(&w, &counts);
		free(recorder_take(w.recorder));
		world_sql(&w, "UPDATE package SET discontinued = %d", !full);
		world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'f'");
		world_sql(&w, "UPDATE package_version SET retracted = 1"
			      " WHERE package = 'e' AND version = '1.0.0'");
		world_add_advisory(&w, full ? "GHSA-2" : "GHSA-1", "d", "2024-05-01T00:00:00.000Z");
		cr_assert_eq(full ? world_export_all(&w, &counts)
				  : world_export_changed(&w, &counts),
			     0);
		cr_assert_eq(counts.packages, 6);
		order = listing_order();
		cr_assert_str_eq(order, "d e f a b c ", "%s", order);
		world_sql(&w, "UPDATE package SET moderated = 0");
	}
}

Test(export, an_advisory_is_written_before_the_listing_that_tells_of_it)
{
	world_add(&w, "foo", "1.0.0");
	w.options.latest = false;
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_add_advisory(&w, "GHSA-1", "foo", "2024-05-01T00:00:00.000Z");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_expect_order(&w, "write " OWN "packages/foo/advisories\nwrite " OWN "packages/foo\n");
	cr_assert(world_has_text(&w, OWN "packages/foo/advisories", "GHSA-1"));
	world_expect_servable(&w);
}

Test(export, rows_that_went_away_delete_nothing)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
	counter_read(w.counter);
	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.garbage, 2);
	world_sql(&w, "DELETE FROM package_version WHERE package = 'bar'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_sql(&w, "DELETE FROM package WHERE name = 'foo'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counter_read(w.counter).remove, 0);
	cr_assert(world_has(&w, LATEST "packages/foo"));
	cr_assert(world_has(&w, LATEST "packages/bar"));
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counted(w.counter), 0, "all of it is recorded as done");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.removed, 0);
}

Test(export, named_packages_alone_and_the_unknown_are_said)
{
	char names[][8] = { "foo", "none", "foo" };
	char *const asked[] = { names[0], names[1], names[2] };
	struct exporter *ex;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	cr_assert_eq(export_named(ex, asked, 3, &counts), -ENOENT);
	cr_assert_eq(counts.packages, 1);
	cr_assert(world_has(&w, LATEST "packages/foo"));
	cr_assert_not(world_has(&w, LATEST "packages/bar"));
	cr_assert_eq(export_named(ex, asked, 1, &counts), 0);
	cr_assert_eq(counts.written, 0);
	exporter_free(ex);
}

Test(export, force_sends_everything_again)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	w.options.force = true;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
	cr_assert_eq(counts.copied, 2);
}

Test(export, old_validated_is_renewed_where_a_package_is_processed)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	clock_rules_set(clock_rules() + 4 * DAY_US);
	world_sql(&w, "UPDATE package SET latest_version = '1.0.0'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.touched, 0, "an event pass leaves that alone");
	world_sql(&w, "UPDATE package SET latest_version = NULL");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.touched, FIRST_WRITES(1) + PREFIXES, "and the archive");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
}

Test(export, old_validated_is_renewed_within_a_week_and_not_all_on_one_day)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	uint64_t touched = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		world_add(&w, names[i], "1.0.0");
	world_export_well(&w, &counts);
	clock_rules_set(clock_rules() + VALIDATED_MAX_AGE);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, ARRAY_SIZE(names), "it is not older than that");
	for (size_t day = 0; day < ARRAY_SIZE(names); day++) {
		clock_rules_set(clock_rules() + SECOND_US);
		cr_assert_eq(world_export_changed(&w, &counts), 0);
		cr_assert_eq(counts.touched, 0, "an event pass leaves that alone");
		world_export_well(&w, &counts);
		cr_assert_eq(counts.current, ARRAY_SIZE(names) - 1, "day %zu", day);
		touched += counts.touched;
		clock_rules_set(clock_rules() + DAY_US - SECOND_US);
	}
	cr_assert_geq(touched, ARRAY_SIZE(names) * (FIRST_WRITES(0) + PREFIXES));
}

Test(export, a_dry_run_prints_the_plan_and_changes_nothing)
{
	CLEANUP(free_char) char *before = NULL;
	CLEANUP(free_char) char *text = NULL;
	struct planned_out out = { .json = false };
	size_t n;

	world_add(&w, "foo", "1.0.0");
	w.options.latest = false;
	world_export_well(&w, &counts);
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "gone", "1.0.0");
	world_sql(&w, "DELETE FROM package WHERE name = 'gone'");
	before = world_keys(&w);
	counter_read(w.counter);
	out.file = open_memstream(&text, &n);
	w.options.dry_run = &out;
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	fclose(out.file);
	w.options.dry_run = NULL;
	cr_assert(strstr(text, "copy " OWN "archives/foo-2.0.0.tar.gz: the archive is new\n"));
	cr_assert(strstr(text, "write " OWN "packages/foo (generation "));
	cr_assert_not(strstr(text, "advisories"), "they stay the same");
	cr_assert(strstr(text, "in all: write listing: 1, "), "%s", text);
	cr_assert_eq(counted_changes(w.counter), 0);
	world_expect_keys(&w, before);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE package = 'foo'"), 1);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.written, 3, "the listing and both feeds");
	cr_assert_eq(counts.copied, 1);
}

static void set_stop(void *stop)
{
	*(atomic_bool *)stop = true;
}

Test(export, a_stop_ends_the_pass_after_what_is_under_way)
{
	atomic_bool stop = true;

	world_add(&w, "bar", "1.0.0");
	world_add(&w, "foo", "1.0.0");
	w.options.stop = &stop;
	w.options.jobs = 1;
	w.counter->batch = 1;
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	cr_assert_eq(counts.packages, 0, "it did not even look");
	stop = false;
	recorder_before(w.recorder, set_stop, &stop);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	recorder_before(w.recorder, NULL, NULL);
	cr_assert(world_has(&w, LATEST "packages/bar"));
	cr_assert_not(world_has(&w, LATEST "packages/foo"));
	stop = false;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
}

Test(export, a_package_larger_than_all_memory_that_is_set_aside_goes_alone)
{
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "big", "1.0.0");
	world_add(&w, "foo", "1.0.0");
	world_sql(&w,
		  "UPDATE package_version SET pubspec = '{\"name\":\"big\",\"version\":\"1.0.0\","
		  "\"description\":\"' || hex(zeroblob(3000000)) || '\"}'"
		  " WHERE package = 'big'");
	for (unsigned jobs = 1; jobs <= 8; jobs *= 8) {
		w.options.jobs = jobs;
		world_empty_bucket(&w);
		world_export_well(&w, &counts);
		cr_assert_eq(counts.written, FIRST_WRITES(3));
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* failure_test.c - failures and lost races: what they leave behind, and who repairs it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "memory.h"
#include "planned.h"
#include "render.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"

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

TestSuite(failure, .init = init, .fini = fini);

Test(failure, a_take_down_does_not_wait_for_a_package_that_cannot_be_listed)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET pubspec = '[]' WHERE version = '1.0.0'");
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counts.removed, 2);
	cr_assert(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
	cr_assert_not(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
	cr_assert(world_has(&w, LATEST "packages/foo"), "never a listing without versions");
}

Test(failure, of_64_packages_one_bad_one_stops_no_other)
{
	for (int i = 0; i < 64; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		if (i == 31)
			world_add_broken(&w, name);
		else
			world_add(&w, name, "1.0.0");
	}
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.packages, 64);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counts.written, FIRST_WRITES(63));
	cr_assert_not(world_has(&w, LATEST "packages/p31"));
	world_expect_servable(&w);
	cr_assert_eq(
		world_query(
			&w,
			"SELECT count(*) FROM export_state WHERE package = 'p31' AND attempts = 1"
			" AND last_error LIKE '%p31%' AND change IS NULL"),
		2);
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	cr_assert_eq(counts.packages, 1);
	world_sql(&w,
		  "UPDATE package_version SET pubspec = '{\"name\":\"p31\",\"version\":\"1.0.0\"}'"
		  " WHERE package = 'p31'");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert(world_has(&w, LATEST "packages/p31"));
	cr_assert_eq(
		world_query(&w, "SELECT count(*) FROM export_state WHERE last_error IS NOT NULL"),
		0);
}

Test(failure, a_version_that_clients_cannot_read_is_left_out_and_stays_in_sight)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_sql(&w, "UPDATE package_version SET pubspec = '[]' WHERE version = '2.0.0'");
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(world_export_all(&w, &counts), -EIO);
		cr_assert_eq(counts.failed, 0);
		cr_assert_eq(counts.left_out, 1);
		cr_assert_eq(counts.written, i ? 0 : FIRST_WRITES(1));
	}
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	cr_assert_eq(
		world_query(&w,
			    "SELECT count(*) FROM export_state WHERE last_error LIKE '%2.0.0%'"),
		2);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counts.packages, 0);
}

Test(failure, a_package_with_no_readable_version_keeps_what_it_has)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET pubspec = '[]'");
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "1.0.0"));
	cr_assert(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
}

Test(failure, an_archive_with_another_hash_fails_its_package_alone)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_sql(&w, "UPDATE package_version SET archive_sha256 ="
		      " '0000000000000000000000000000000000000000000000000000000000000000'"
		      " WHERE package = 'foo'");
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	world_expect_keys(&w, OWN "archives/bar-1.0.0.tar.gz\n" OWN "packages/bar\n" OWN
				  "packages/bar/advisories\n" LATEST
				  "archives/bar-1.0.0.tar.gz\n" LATEST "packages/bar\n" LATEST
				  "packages/bar/advisories\n");
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE last_error LIKE"
				     " '%foo-1.0.0.tar.gz%SHA-256%'"),
		     2);
}

/* The n-th call fails, for every n. What it leaves is servable, and the next pass repairs it. */
static void fault_loop(void (*change)(void), const char *expected)
{
	unsigned n, failures = 0;

	w.options.jobs = 1;
	for (n = 1;; n++) {
		int r;

		world_sql(&w, "DELETE FROM export_state; DELETE FROM package_version;"
			      "DELETE FROM package; DELETE FROM advisory;"
			      "DELETE FROM advisory_package; DELETE FROM package_change");
		world_empty_bucket(&w);
		world_add(&w, "bar", "1.0.0");
		world_add(&w, "foo", "1.0.0");
		world_add(&w, "foo", "2.0.0");
		world_export_well(&w, &counts);
		change();
		fault_arm(w.fault, n, -EIO);
		r = world_export_all(&w, &counts);
		cr_assert_eq(r < 0, fault_fired(w.fault), "call %u: %d", n, r);
		world_expect_servable(&w);
		if (!fault_fired(w.fault))
			break;
		failures++;
		cr_assert_eq(world_export_all(&w, &counts), 0);
		world_expect_servable(&w);
		world_expect_keys(&w, expected);
		world_export_well(&w, &counts);
		cr_assert_eq(counts.current, counts.packages);
	}
	cr_assert_gt(failures, 10);
}

static void change_everything(void)
{
	world_add(&w, "foo", "3.0.0");
	world_add_advisory(&w, "GHSA-1", "foo", "2024-05-01T00:00:00.000Z");
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
}

#define PREFIX_KEYS(prefix)                                                                        \
	prefix "archives/bar-1.0.0.tar.gz\n" prefix "archives/foo-1.0.0.tar.gz\n" prefix           \
	       "archives/foo-3.0.0.tar.gz\n" prefix "packages/bar\n" prefix                        \
	       "packages/bar/advisories\n" prefix "packages/foo\n" prefix                          \
	       "packages/foo/advisories\n"

Test(failure, whichever_call_fails_in_a_change_what_is_left_is_servable_and_repaired)
{
	fault_loop(change_everything, PREFIX_KEYS(OWN) PREFIX_KEYS(LATEST));
}

static void take_down(void)
{
	world_sql(&w, "UPDATE package SET deleted = 1 WHERE name = 'foo'");
}

Test(failure, whichever_call_fails_in_a_take_down_what_is_left_is_servable_and_repaired)
{
	fault_loop(take_down,
		   OWN "archives/bar-1.0.0.tar.gz\n" OWN "packages/bar\n" OWN
		       "packages/bar/advisories\n" LATEST "archives/bar-1.0.0.tar.gz\n" LATEST
		       "packages/bar\n" LATEST "packages/bar/advisories\n");
}

Test(failure, a_failure_in_one_prefix_leaves_the_other_its_own)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	w.options.jobs = 1;
	/* stat, list and so on come first: find the call that is the own prefix's write */
	for (unsigned n = 1; n < 100; n++) {
		fault_arm(w.fault, n, -EIO);
		cr_assert_eq(world_export_changed(&w, &counts), -EIO);
		if (world_has_text(&w, LATEST "packages/foo", "retracted"))
			break;
	}
	cr_assert_eq(counts.failed, 1);
	cr_assert_not(world_has_text(&w, OWN "packages/foo", "retracted"));
	cr_assert_eq(
		world_query(&w, "SELECT count(*) FROM export_state WHERE last_error IS NOT NULL"),
		1);
}

/* Somebody writes between the plan and the edit, so many times. */
static struct intruder {
	int times;
} intruder;

static void intrude(void *ctx)
{
	struct intruder *i = ctx;

	if (i->times-- > 0)
		world_put(&w, LATEST "packages/foo", "{}", "hand");
}

Test(failure, a_lost_race_is_decided_again)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	intruder.times = 4;
	recorder_before(w.recorder, intrude, &intruder);
	counter_read(w.counter);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_eq(counter_read(w.counter).refresh, 3 * PACKAGE_DOCUMENTS + 2,
		     "for each race, and after the first the archive, which that listing does "
		     "not name; one of the four came between the stages");
	recorder_before(w.recorder, NULL, NULL);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "retracted"));
	cr_assert_eq(counts.written, PREFIXES * 3, "the listing and both feeds");
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1, "what was recorded is what is there");
}

static void replace_archive(void *ctx)
{
	struct intruder *i = ctx;

	if (i->times-- > 0)
		world_add_archive(&w, "foo", "1.0.0");
}

Test(failure, an_archive_that_is_replaced_meanwhile_is_looked_at_again)
{
	world_add(&w, "foo", "1.0.0");
	intruder.times = 1;
	recorder_before(w.recorder, replace_archive, &intruder);
	counter_read(w.canonical_counter);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	recorder_before(w.recorder, NULL, NULL);
	cr_assert_gt(counter_read(w.canonical_counter).refresh, 0);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
}

Test(failure, a_race_without_an_end_is_a_failure_and_the_other_prefix_is_done)
{
	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	intruder.times = 1000;
	recorder_before(w.recorder, intrude, &intruder);
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	recorder_before(w.recorder, NULL, NULL);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(intruder.times, 1000 - 5 - 1 - 1, "5 tries, what stands apart, the feeds together");
	cr_assert(world_has_text(&w, OWN "packages/foo", "retracted"));
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE prefix LIKE 'latest/%'"
				     " AND last_error LIKE 'foo is being changed%'"),
		     1);
}

Test(failure, what_failed_is_work_for_the_next_event_pass_of_the_same_exporter)
{
	struct exporter *ex;

	world_add(&w, "foo", "1.0.0");
	world_export_well(&w, &counts);
	world_put(&w, LATEST "packages/foo", "{}", "hand");
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	intruder.times = 1000;
	recorder_before(w.recorder, intrude, &intruder);
	cr_assert_eq(export_all(ex, &counts), -EIO);
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	recorder_before(w.recorder, NULL, NULL);
	world_sql(&w, "UPDATE package SET latest_version = '1.0.0'");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.packages, 1);
	cr_assert_eq(counts.written, 1);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.packages, 0);
	exporter_free(ex);
}

Test(failure, an_index_that_is_behind_is_looked_at_again)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/cache", w.folder);
	struct store *bucket, *canonical;

	cr_assert_eq(index_push(w.counter, cache, &bucket), 0);
	cr_assert_eq(index_push(w.canonical_counter, cache, &canonical), 0);
	w.options.store = bucket;
	w.options.archives = canonical;
	world_use_publisher(&w, bucket);
	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(world_export_all(&w, &counts), 0);
	world_put(&w, LATEST "packages/foo", "{}", "hand");
	world_add_archive(&w, "foo", "1.0.0"); /* another generation */
	world_sql(&w, "UPDATE package_version SET retracted = 1");
	w.options.force = true;
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "retracted"));
	w.options.force = false;
	w.options.ttl = DAY_US;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.current, 1);
	world_use_publisher(&w, w.counter);
	bucket->next = canonical->next = NULL;
	store_close(bucket);
	store_close(canonical);
}

/* In the canonical store, without any metadata: what is copied has to be read. */
static void put_canonical(const char *package, const char *version, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(1000);
	struct body body = body_of_bytes(text, strlen(text));
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	archive_canonical_key(package, version, &key);
	object_init(&edit.object);
	edit.object.key = strbuf_detach(&key);
	cr_assert_eq(store_edit(w.canonical, &edit, 1), 0);
	edit_release(&edit, 1);
}

static void bad_hash(const char *version)
{
	world_sql(&w,
		  "UPDATE package_version SET archive_sha256 ="
		  " '0000000000000000000000000000000000000000000000000000000000000000'"
		  " WHERE package = 'foo' AND version = '%s'",
		  version);
}

static void good_hash(const char *version)
{
	world_sql(&w, "DELETE FROM package_version WHERE package = 'foo' AND version = '%s'",
		  version);
	world_add_row(&w, "foo", version);
}

Test(failure, a_take_down_does_not_wait_for_an_archive_that_is_refused)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	world_add(&w, "foo", "3.0.0");
	bad_hash("3.0.0");
	world_sql(&w, "UPDATE package_version SET retracted = 1 WHERE version = '1.0.0'");
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	world_add_advisory(&w, "GHSA-1", "foo", "2024-05-01T00:00:00.000Z");
	for (int pass = 0; pass < 2; pass++) {
		cr_assert_eq(world_export_changed(&w, &counts), -EIO);
		cr_assert_eq(counts.failed, 1);
		world_expect_servable(&w);
		cr_assert_not(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
		cr_assert(world_has_text(&w, LATEST "packages/foo", "\"retracted\":true"));
		cr_assert(world_has_text(&w, LATEST "packages/foo/advisories", "GHSA-1"));
		cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
		cr_assert_not(world_has_text(&w, LATEST "packages/foo", "3.0.0"));
	}
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE attempts = 2"
				     " AND last_error LIKE '%foo-3.0.0.tar.gz%SHA-256%'"),
		     2);
	good_hash("3.0.0");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert(world_has_text(&w, OWN "packages/foo", "3.0.0"));
	world_expect_servable(&w);
}

Test(failure, all_refused_archives_of_a_package_are_found_at_once)
{
	world_add(&w, "foo", "1.0.0");
	for (int i = 1; i < 9; i++) {
		char version[16];

		snprintf(version, sizeof(version), "1.%d.0", i);
		world_add(&w, "foo", version);
		bad_hash(version);
	}
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.left_out, 8);
	cr_assert_eq(counts.copied, 2);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
	cr_assert(world_has_text(&w, LATEST "packages/foo", "1.0.0"));
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "1.8.0"));
	world_expect_servable(&w);
}

Test(failure, a_refused_archive_leaves_a_version_listed_whose_exported_archive_still_serves)
{
	world_add(&w, "foo", "1.0.0");
	world_sql(&w, "UPDATE package_version SET archive_sha256 = NULL");
	world_export_well(&w, &counts);
	put_canonical("foo", "1.0.0", "damaged");
	world_sql(&w, "UPDATE package SET discontinued = 1");
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	cr_assert_eq(counts.left_out, 0);
	cr_assert(world_has_text(&w, LATEST "packages/foo", "\"isDiscontinued\":true"));
	cr_assert(world_has(&w, LATEST "archives/foo-1.0.0.tar.gz"));
	world_expect_servable(&w);
}

Test(failure, an_exported_archive_that_is_not_the_one_of_its_row_is_listed_no_more)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	bad_hash("2.0.0");
	cr_assert_eq(world_export_changed(&w, &counts), -EIO);
	cr_assert_eq(counts.left_out, 1);
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	cr_assert(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"), "refused is not removed");
}

Test(failure, where_one_prefix_serves_a_refused_archive_and_the_other_not_both_say_the_same)
{
	struct edit removal = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_sql(&w, "UPDATE package_version SET archive_sha256 = NULL");
	world_export_well(&w, &counts);
	object_init(&removal.object);
	removal.object.key = xstrdup(LATEST "archives/foo-2.0.0.tar.gz");
	cr_assert_eq(store_edit(w.bucket, &removal, 1), 0);
	edit_release(&removal, 1);
	put_canonical("foo", "2.0.0", "damaged");
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	cr_assert_not(world_has_text(&w, OWN "packages/foo", "2.0.0"));
	world_expect_servable(&w);
}

#define DRY_NEW(key) "write " key ": the package is new\n"
#define DRY(api)                                                                                   \
	"copy " api "archives/foo-1.0.0.tar.gz: the archive is new\n"                              \
	DRY_NEW(api "packages/foo/advisories") DRY_NEW(api "packages/foo")                         \
	DRY_NEW(api "packages/foo/likes") DRY_NEW(api "packages/foo/options")                      \
	DRY_NEW(api "packages/foo/publisher") DRY_NEW(api "packages/foo/score")                    \
	DRY_NEW(api "packages/foo/feed.atom")
#define DRY_SITE                                                                                   \
	"write " RUNTIME "/feed.atom: it is new\nwrite latest/feed.atom: it is new\n"              \
	"write " OWN "package-name-completion-data: it is new\n"                                   \
	"write " LATEST "package-name-completion-data: it is new\n"                                \
	"write " RUNTIME "/not-found.json: it is new\nwrite latest/not-found.json: it is new\n"

Test(failure, a_dry_run_says_once_what_is_left_when_an_archive_is_refused)
{
	struct planned_out out = { .json = false };
	char *text = NULL;
	size_t n;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	bad_hash("2.0.0");
	out.file = open_memstream(&text, &n);
	w.options.dry_run = &out;
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	fclose(out.file);
	*strstr(text, "in all: ") = '\0';
	cr_assert_str_eq(text, DRY(OWN) DRY(LATEST) DRY_SITE, "%s", text);
	cr_assert_eq(counts.copied, 2);
	cr_assert_eq(counted_changes(w.counter), 0);
	free(text);
}

static void expect_taken_down_beside(const char *osv)
{
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	world_sql(&w,
		  "INSERT INTO advisory (id, osv) VALUES ('A', '%s');"
		  "INSERT INTO advisory_package VALUES ('A', 'foo')",
		  osv);
	cr_assert_eq(world_export_all(&w, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counts.removed, 2);
	cr_assert_not(world_has(&w, LATEST "archives/foo-2.0.0.tar.gz"));
	cr_assert(world_has(&w, LATEST "packages/foo"));
}

Test(failure, a_take_down_does_not_wait_for_an_advisory_that_cannot_be_read)
{
	expect_taken_down_beside("[]");
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE last_error LIKE"
				     " '%A%'"),
		     2);
}

Test(failure, a_take_down_does_not_wait_for_an_advisory_that_no_client_could_read)
{
	/* OSV allows an entry without a package, and clients do not */
	expect_taken_down_beside("{\"id\":\"A\",\"modified\":\"2024-05-01T00:00:00Z\","
				 "\"affected\":[{\"ranges\":[]}]}");
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE attempts = 1 AND"
				     " last_error LIKE 'refused %.advisories[0].affected[0]%'"),
		     2);
	world_sql(&w, "DELETE FROM advisory");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "2.0.0"));
	world_expect_servable(&w);
}

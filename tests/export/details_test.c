/* SPDX-License-Identifier: BSD-3-Clause */
/* details_test.c - the documents beside the three routes: when they are written, and what they
 * stop. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "world.h"

#define OWN RUNTIME "/api/"

static struct world w;
static struct export_counts counts;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
	w.options.latest = false;
	w.options.jobs = 1;
	world_add(&w, "foo", "1.0.0");
}

static void fini(void)
{
	world_release(&w);
}

TestSuite(details, .init = init, .fini = fini);

static void expect_changes(const char *expected)
{
	CLEANUP(free_char) char *lines = recorder_take(w.recorder);

	cr_assert_str_eq(lines, expected, "%s", lines);
}

#define APART                                                                                      \
	"write " OWN "packages/foo/likes\nwrite " OWN "packages/foo/options\n"                      \
	"write " OWN "packages/foo/publisher\nwrite " OWN "packages/foo/score\n"                    \
	"write " OWN "packages/foo/feed.atom\n"

Test(details, they_are_written_behind_the_listing_and_those_of_the_prefix_last)
{
	world_export_well(&w, &counts);
	expect_changes("copy " OWN "archives/foo-1.0.0.tar.gz\nwrite " OWN
		       "packages/foo/advisories\nwrite " OWN "packages/foo\n" APART
		       "write " RUNTIME "/feed.atom\nwrite " OWN
		       "package-name-completion-data\nwrite " RUNTIME "/not-found.json\n");
}

Test(details, a_take_down_removes_all_of_a_package_and_those_first)
{
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package SET moderated = 1");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	expect_changes("remove " OWN "packages/foo/feed.atom\nremove " OWN
		       "packages/foo/likes\nremove " OWN "packages/foo/options\nremove " OWN
		       "packages/foo/publisher\nremove " OWN "packages/foo/score\nremove " OWN
		       "packages/foo\nremove " OWN "packages/foo/advisories\nremove " OWN
		       "archives/foo-1.0.0.tar.gz\nwrite " RUNTIME "/feed.atom\n");
}

Test(details, likes_change_two_documents_and_nothing_else)
{
	world_export_well(&w, &counts);
	free(recorder_take(w.recorder));
	world_sql(&w, "UPDATE package SET likes = 3");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	expect_changes("write " OWN "packages/foo/likes\nwrite " OWN "packages/foo/score\n");
}

static void write_likes(void *ctx)
{
	recorder_before(w.recorder, NULL, NULL);
	(void)ctx;
	world_put(&w, OWN "packages/foo/likes", "{}", "hand");
}

Test(details, one_that_lost_a_race_ends_no_other_and_is_decided_again)
{
	world_export_well(&w, &counts);
	world_sql(&w, "UPDATE package SET likes = 3, unlisted = 1");
	recorder_before(w.recorder, write_likes, NULL);
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	cr_assert(world_has_text(&w, OWN "packages/foo/likes", "\"likes\":3"));
	cr_assert(world_has_text(&w, OWN "packages/foo/options", "\"isUnlisted\":true"));
}

Test(details, those_of_a_prefix_are_made_again_only_when_something_changed)
{
	world_export_well(&w, &counts);
	counter_read(w.counter);
	world_export_well(&w, &counts);
	cr_assert_eq(counted_changes(w.counter), 0);
	world_put(&w, RUNTIME "/not-found.json", "{}", "hand");
	world_export_well(&w, &counts);
	cr_assert(world_has_text(&w, RUNTIME "/not-found.json", "could not be found"));
	world_sql(&w, "UPDATE package SET likes = 1;"
		      "UPDATE package_version SET pubspec = json_set(pubspec,"
		      " '$.environment.sdk', '^3.0.0')");
	world_export_well(&w, &counts);
	cr_assert(world_has_text(&w, OWN "package-name-completion-data", "[\"foo\"]"));
}

Test(details, an_old_validated_of_theirs_is_renewed_by_a_full_pass)
{
	static const char *const keys[SITE_DOCUMENTS] = {
		RUNTIME "/feed.atom",
		RUNTIME "/not-found.json",
		RUNTIME "/api/package-name-completion-data",
	};

	world_export_well(&w, &counts);
	clock_rules_set(clock_rules() + 4 * DAY_US);
	world_export_well(&w, &counts);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(object_release) struct object obj;

		cr_assert_eq(store_stat(w.bucket, keys[i], &obj), 0, "%s", keys[i]);
		cr_assert_eq(obj.validated, clock_rules(), "%s", keys[i]);
	}
	world_export_well(&w, &counts);
	cr_assert_eq(counts.touched, 0);
}

static void lose_validated(struct object *obj)
{
	obj->validated = NO_TIME;
}

Test(details, one_of_a_prefix_that_lost_its_validated_gets_it_back)
{
	CLEANUP(object_release) struct object obj;

	world_export_well(&w, &counts);
	world_replace(&w, RUNTIME "/feed.atom", NULL, lose_validated);
	world_export_well(&w, &counts);
	cr_assert_eq(store_stat(w.bucket, RUNTIME "/feed.atom", &obj), 0);
	cr_assert_eq(obj.validated, clock_rules());
}

static int64_t now;

static int64_t read_clock(void *ctx)
{
	(void)ctx;
	return now;
}

Test(details, the_feed_of_all_packages_waits_for_its_turn)
{
	struct exporter *ex;

	w.options.feed_pause = FEED_PAUSE;
	w.options.clock = read_clock;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v1.0.0 of foo"), "the first is at once");
	cr_assert_eq(exporter_due(ex), INT64_MAX);
	world_add(&w, "foo", "2.0.0");
	now += FEED_PAUSE - 1;
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_not(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0 of foo"));
	cr_assert_eq(exporter_due(ex), FEED_PAUSE);
	now++;
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0 of foo"));
	cr_assert_eq(exporter_due(ex), INT64_MAX);
	exporter_free(ex);
}

/* When the package is done, its feed with it, the next change is that of all packages. */
static void fail_feed(void *ctx)
{
	(void)ctx;
	if (!world_has_text(&w, OWN "packages/foo/feed.atom", "v2.0.0 of foo"))
		return;
	recorder_before(w.recorder, NULL, NULL);
	fault_arm(w.fault, 1, -EIO);
}

Test(details, the_feed_of_all_packages_that_could_not_be_written_has_another_turn)
{
	struct exporter *ex;

	w.options.feed_pause = FEED_PAUSE;
	w.options.clock = read_clock;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	cr_assert_eq(export_changed(ex, &counts), 0);
	world_add(&w, "foo", "2.0.0");
	now += FEED_PAUSE;
	recorder_before(w.recorder, fail_feed, NULL);
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	cr_assert_eq(counts.failed, 0);
	cr_assert_not(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0 of foo"));
	cr_assert_eq(exporter_due(ex), now + FEED_PAUSE);
	now += FEED_PAUSE;
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0 of foo"));
	cr_assert_eq(exporter_due(ex), INT64_MAX);
	exporter_free(ex);
}

Test(details, what_is_not_offered_is_not_in_the_feed_of_all_packages)
{
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "bar", "2.0.0");
	world_add(&w, "hidden", "1.0.0");
	world_sql(&w, "UPDATE package_version SET retracted = 1 WHERE version = '2.0.0'");
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'hidden'");
	world_export_well(&w, &counts);
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v1.0.0 of bar"));
	cr_assert_not(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0 of bar"));
	cr_assert_not(world_has_text(&w, RUNTIME "/feed.atom", "hidden"));
}

Test(details, a_restored_database_is_noticed_by_their_marks_too)
{
	world_export_well(&w, &counts);
	world_sql(&w, "CREATE TABLE backup AS SELECT change FROM package_change");
	world_sql(&w, "UPDATE package SET likes = 3");
	cr_assert_eq(world_export_changed(&w, &counts), 0);
	world_sql(&w, "UPDATE package_change SET change = (SELECT change FROM backup)");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
}

static unsigned calls;

static void count_call(void *ctx)
{
	(void)ctx;
	calls++;
}

static const char *const site_names[SITE_DOCUMENTS] = {
	"feed.atom",
	"api/package-name-completion-data",
	"not-found.json",
};

/* Both prefixes are whole, and the documents of no package are not as they should be. */
static void spoil_both(void)
{
	w.options.latest = true;
	world_export_well(&w, &counts);
	for (size_t i = 0; i < SITE_DOCUMENTS; i++) {
		CLEANUP(free_char) char *own = xasprintf(RUNTIME "/%s", site_names[i]);
		CLEANUP(free_char) char *latest = xasprintf("latest/%s", site_names[i]);

		world_put(&w, own, "{}", "hand");
		world_put(&w, latest, "{}", "hand");
	}
	free(recorder_take(w.recorder));
}

Test(details, those_of_no_package_go_to_both_prefixes_side_by_side)
{
	spoil_both();
	recorder_before(w.recorder, count_call, NULL);
	world_export_well(&w, &counts);
	cr_assert_eq(calls, SITE_DOCUMENTS);
	expect_changes("write " RUNTIME "/feed.atom\nwrite latest/feed.atom\nwrite " OWN
		       "package-name-completion-data\nwrite latest/api/"
		       "package-name-completion-data\nwrite " RUNTIME
		       "/not-found.json\nwrite latest/not-found.json\n");
}

static void write_latest_feed(void *ctx)
{
	int *times = ctx;

	if ((*times)-- > 0)
		world_put(&w, "latest/feed.atom", "{}", "hand");
}

Test(details, where_one_of_no_package_lost_a_race_it_is_tried_again_there_alone)
{
	int times = 2;

	spoil_both();
	recorder_before(w.recorder, write_latest_feed, &times);
	world_export_well(&w, &counts);
	expect_changes("write " RUNTIME "/feed.atom\nwrite latest/feed.atom\n"
		       "write latest/feed.atom\nwrite latest/feed.atom\nwrite " OWN
		       "package-name-completion-data\nwrite latest/api/"
		       "package-name-completion-data\nwrite " RUNTIME
		       "/not-found.json\nwrite latest/not-found.json\n");
	cr_assert(world_has_text(&w, "latest/feed.atom", "v1.0.0 of foo"));
}

Test(details, where_one_of_no_package_loses_every_race_the_others_are_written)
{
	int times = 1000;

	spoil_both();
	recorder_before(w.recorder, write_latest_feed, &times);
	cr_assert_neq(world_export_all(&w, &counts), 0);
	cr_assert(strstr(log_last_failure(), "latest/feed.atom is being changed by others"));
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v1.0.0 of foo"));
	cr_assert(world_has_text(&w, "latest/not-found.json", "could not be found"));
}

/* How many of them are not as they should be. */
static unsigned spoilt(void)
{
	static const char *const texts[SITE_DOCUMENTS] = { "v1.0.0 of foo", "\"packages\"",
							   "could not be found" };
	unsigned n = 0;

	for (size_t i = 0; i < SITE_DOCUMENTS; i++) {
		CLEANUP(free_char) char *own = xasprintf(RUNTIME "/%s", site_names[i]);
		CLEANUP(free_char) char *latest = xasprintf("latest/%s", site_names[i]);

		n += !world_has_text(&w, own, texts[i]) + !world_has_text(&w, latest, texts[i]);
	}
	return n;
}

Test(details, a_failure_of_one_in_one_prefix_leaves_the_other_its_own)
{
	unsigned alone = 0;

	for (unsigned n = 1;; n++) {
		spoil_both();
		fault_arm(w.fault, n, -EIO);
		cr_assert_eq(world_export_all(&w, &counts) < 0, fault_fired(w.fault), "call %u", n);
		if (!fault_fired(w.fault))
			break;
		cr_assert(spoilt() <= 1 || spoilt() == PREFIXES * SITE_DOCUMENTS, "call %u", n);
		alone += spoilt() == 1;
	}
	cr_assert_geq(alone, PREFIXES * SITE_DOCUMENTS);
	cr_assert_eq(spoilt(), 0);
}

/* More than are read at once; each third one is for Dart 1, and one has no version. */
#define RANKED 600

Test(details, completion_data_has_the_packages_in_their_order_however_many)
{
	CLEANUP(strbuf_release) struct strbuf expected = STRBUF_INIT(1 << 16);
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(1 << 16);

	world_sql(&w, "DELETE FROM package_version; DELETE FROM package;"
		      "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
		      " INSERT INTO package (name, likes) SELECT 'p' || i, i FROM n;"
		      "INSERT INTO package_version (package, version, created, pubspec)"
		      " SELECT name, '1.0.0', '2024-01-02T03:04:05.678Z', CASE likes %% 3 WHEN 0"
		      " THEN '{\"name\":\"' || name || '\",\"version\":\"1.0.0\"}' ELSE '{\"name\":\"'"
		      " || name || '\",\"version\":\"1.0.0\",\"environment\":{\"sdk\":\"^3.0.0\"}}' END"
		      " FROM package;"
		      "INSERT INTO package_version (package, version, created, pubspec)"
		      " SELECT name, '0.9.0', '2024-01-02T03:04:05.678Z', '{\"name\":\"' || name ||"
		      " '\",\"version\":\"0.9.0\"}' FROM package WHERE name IN ('p1', 'p2');"
		      "UPDATE package SET latest_version = '0.9.0' WHERE name = 'p1';"
		      "DELETE FROM package_version WHERE package = 'p100'",
		  RANKED - 1);
	world_export_well(&w, &counts);
	strbuf_addstr(&expected, "{\"packages\":[");
	for (int i = RANKED - 1; i > 1; i--)
		if (i % 3 && i != 100)
			strbuf_addf(&expected, "%s\"p%d\"", i == RANKED - 1 ? "" : ",", i);
	strbuf_addstr(&expected, "]}");
	world_read(&w, OWN "package-name-completion-data", &got);
	cr_assert_str_eq(got.buf, expected.buf);
}

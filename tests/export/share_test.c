/* SPDX-License-Identifier: BSD-3-Clause */
/* share_test.c - several hosts of one deployment: no package by two at a time, none left behind. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "memory.h"
#include "world.h"

static struct world w;
static struct exporter *a, *b;

static struct exporter *host(const char *owner)
{
	struct exporter_options options = w.options;
	struct exporter *ex;

	options.owner = owner;
	cr_assert_eq(exporter_new(&options, &ex), 0);
	return ex;
}

/* By the first pass that writes anything: a package in both prefixes, and the feeds. */
#define WRITES (PREFIXES * (PACKAGE_DOCUMENTS + 1))

static void init(void)
{
	world_init(&w);
	w.options.jobs = 1;
	a = host("a");
	b = host("b");
}

static void fini(void)
{
	exporter_free(a);
	exporter_free(b);
	world_release(&w);
}

TestSuite(share, .init = init, .fini = fini);

/* Another host's, on a package of this deployment. */
static void lease(const char *owner, const char *package, const char *until)
{
	world_sql(&w,
		  "INSERT INTO lease VALUES ('%s', '" RUNTIME "', '%s', '%s',"
		  " strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '-1 minute'),"
		  " strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '%s'))",
		  w.options.store->url, package, owner, until);
}

static uint64_t changed(struct exporter *ex)
{
	struct export_counts counts = { 0 };
	uint64_t written;

	cr_assert_eq(export_changed(ex, &counts), 0);
	written = counts.written;
	export_counts_release(&counts);
	return written;
}

Test(share, what_another_host_works_on_is_passed_over_and_asked_for_again_soon)
{
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "foo", "1.0.0");
	lease("c", "foo", "+1 minute");
	cr_assert_eq(exporter_due(a), INT64_MAX);
	cr_assert_eq(changed(a), WRITES);
	cr_assert(world_has(&w, "latest/api/packages/bar"));
	cr_assert_not(world_has(&w, "latest/api/packages/foo"));
	cr_assert_lt(exporter_due(a), clock_monotonic() + MINUTE_US);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 1, "its own are released");
}

Test(share, a_dead_hosts_package_is_taken_over_when_its_lease_lapses)
{
	world_add(&w, "foo", "1.0.0");
	lease("c", "foo", "-1 second");
	cr_assert_eq(changed(a), WRITES);
	cr_assert(world_has(&w, "latest/api/packages/foo"));
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 0);
}

static void other_host_does_the_rest(void *ctx)
{
	bool *done = ctx;

	if (*done)
		return;
	*done = true;
	cr_assert_eq(changed(b), WRITES, "but for what the first one has in hand");
}

Test(share, what_another_host_did_meanwhile_is_not_done_again)
{
	bool done = false;

	world_add(&w, "bar", "1.0.0");
	world_add(&w, "foo", "1.0.0");
	recorder_before(w.recorder, other_host_does_the_rest, &done);
	counted_changes(w.counter);
	cr_assert_eq(changed(a), WRITES - PREFIXES, "the feeds are as they are to be");
	cr_assert(done);
	cr_assert_eq(counted_changes(w.counter), 2 * WRITES - PREFIXES + 2 * PREFIXES,
		     "and the archives");
	cr_assert_eq(changed(a), 0);
	cr_assert_eq(changed(b), 0);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 0);
}

/* When all of foo is there, and the feed is about to be written. */
static void other_host_writes_the_feed(void *ctx)
{
	if (!world_has(&w, "latest/api/packages/foo/score"))
		return;
	recorder_before(w.recorder, NULL, NULL);
	world_add(&w, "bar", "1.0.0");
	*(uint64_t *)ctx = changed(b);
}

Test(share, a_feed_of_older_rows_is_not_written_over_one_that_another_host_made_of_newer_ones)
{
	uint64_t written = 0;

	world_add(&w, "foo", "1.0.0");
	recorder_before(w.recorder, other_host_writes_the_feed, &written);
	changed(a);
	cr_assert_eq(written, WRITES);
	cr_assert(world_has_text(&w, "latest/feed.atom", "bar"));
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "bar"));
	cr_assert_eq(changed(a) + changed(b), 0);
}

static int64_t now;

static int64_t read_clock(void *ctx)
{
	return *(int64_t *)ctx;
}

Test(share, what_failed_and_is_then_another_hosts_is_tried_again_when_that_one_is_gone)
{
	struct export_counts counts = { 0 };

	exporter_free(a);
	w.options.deployment = true;
	w.options.clock = read_clock;
	w.options.clock_ctx = &now;
	a = host("a");
	exporter_set_latest(a, true, true);
	world_add_broken(&w, "bad");
	cr_assert_eq(export_changed(a, &counts), -EIO);
	lease("c", "bad", "+1 hour");
	now += MINUTE_US;
	cr_assert_eq(changed(a), 0);
	world_sql(&w, "DELETE FROM lease");
	now += MINUTE_US;
	export_counts_release(&counts);
	cr_assert_eq(export_changed(a, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	export_counts_release(&counts);
}

Test(share, a_full_pass_repairs_what_the_database_calls_done)
{
	struct export_counts counts = { 0 };

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(changed(a), WRITES);
	world_empty_bucket(&w);
	exporter_free(a);
	a = host("a");
	cr_assert_eq(export_all(a, &counts), 0);
	cr_assert_eq(counts.written, FIRST_WRITES(1));
	export_counts_release(&counts);
}

Test(share, without_enough_of_a_lease_left_nothing_is_written)
{
	struct export_counts counts = { 0 };

	world_add(&w, "foo", "1.0.0");
	exporter_free(a);
	w.options.lease = 1;
	a = host("a");
	counted_changes(w.counter);
	cr_assert_eq(export_changed(a, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert_eq(counted_changes(w.counter), 0);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM export_state WHERE last_error LIKE"
				     " '%could not be renewed%'"),
		     2);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 0);
	exporter_free(a);
	w.options.lease = HOUR_US;
	a = host("a");
	cr_assert_eq(changed(a), WRITES);
}

Test(share, what_a_host_that_just_started_leaves_in_latest_is_work_for_the_others)
{
	struct export_counts counts = { 0 };

	exporter_free(a);
	exporter_free(b);
	w.options.deployment = true;
	a = host("a");
	b = host("b");
	exporter_set_latest(a, false, true);
	exporter_set_latest(b, true, true);
	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(export_all(a, &counts), 0);
	export_counts_release(&counts);
	cr_assert(world_has(&w, RUNTIME "/api/packages/foo"));
	cr_assert_not(world_has(&w, "latest/api/packages/foo"));
	cr_assert_gt(changed(b), 0);
	cr_assert(world_has(&w, "latest/api/packages/foo"));
}

Test(share, a_command_without_an_owner_claims_nothing)
{
	world_add(&w, "foo", "1.0.0");
	lease("c", "foo", "+1 minute");
	cr_assert_eq(world_export_all(&w, NULL), 0);
	cr_assert(world_has(&w, "latest/api/packages/foo"));
}

#define MANY   70
#define LAST   "api/packages/p69"
#define LATEST "latest/"
#define OLDER  "2026.02.01"

/* When the first of many packages is written. */
static void hold_latest(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	now += SECOND_US;
	world_sql(&w, "INSERT INTO latest_hold VALUES ('2026.01.01', '2026-01-01T00:00:00.000Z')");
}

static void write_as_a_newer_one(void *ctx)
{
	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	now += SECOND_US;
	world_sql(&w, "INSERT INTO deployment (runtime_version, host, heartbeat, accepted) VALUES"
		      " ('" RUNTIME "', 'other', strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now'), '')");
	world_put(&w, LATEST LAST, "{\"of\":\"the newer one\"}", "1-0123456789abcdef");
}

/* One pass of an older deployment over many new packages. */
static void export_many(void (*hook)(void *ctx))
{
	struct exporter_options options = w.options;
	struct export_counts counts = { 0 };
	struct exporter *ex;

	for (int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%02d", i);
		world_add_row(&w, name, "1.0.0");
	}
	w.counter->batch = 1;
	options.runtime_version = OLDER;
	options.deployment = true;
	options.clock = read_clock;
	options.clock_ctx = &now;
	cr_assert_eq(exporter_new(&options, &ex), 0);
	exporter_set_latest(ex, true, true);
	recorder_before(w.recorder, hook, NULL);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert(world_has(&w, OLDER "/" LAST), "its own prefix is whole");
	cr_assert(world_has(&w, LATEST "api/packages/p00"));
	export_counts_release(&counts);
	exporter_free(ex);
}

Test(share, who_holds_latest_does_not_wait_for_the_end_of_a_long_pass)
{
	export_many(hold_latest);
	cr_assert_not(world_has(&w, LATEST LAST));
}

Test(share, what_a_newer_deployment_begins_to_write_is_left_to_it_by_a_long_pass)
{
	export_many(write_as_a_newer_one);
	cr_assert(world_has_text(&w, LATEST LAST, "the newer one"));
	cr_assert(world_has(&w, LATEST "api/packages/p68"));
}

/* Two hosts of the world's deployment; the index of the first one hears of nothing that the other one
 * does, which sees the bucket as it is. */
struct hosts {
	struct store *index;
	struct publisher *publisher;
	struct exporter *behind, *other;
};

static void hosts_init(struct hosts *h)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/cache", w.folder);
	struct publisher_options publishing = { .gate = GATE_ENFORCE, .runtime_version = RUNTIME };
	struct exporter_options options = w.options;

	cr_assert_eq(index_push(w.counter, cache, &h->index), 0);
	publishing.store = options.store = h->index;
	cr_assert_eq(publisher_new(&publishing, &h->publisher), 0);
	options.publisher = h->publisher;
	cr_assert_eq(exporter_new(&options, &h->behind), 0);
	cr_assert_eq(exporter_new(&w.options, &h->other), 0);
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	changed(h->behind);
}

static void hosts_release(struct hosts *h)
{
	exporter_free(h->behind);
	exporter_free(h->other);
	publisher_free(h->publisher);
	h->index->next = NULL;
	store_close(h->index);
	world_expect_servable(&w);
}

static void expect_brought_back(const char *taken_down, const char *restored)
{
	struct hosts h;

	hosts_init(&h);
	world_sql(&w, "%s", taken_down);
	changed(h.other);
	cr_assert_not(world_has(&w, LATEST "api/archives/foo-2.0.0.tar.gz"));
	world_sql(&w, "%s", restored);
	changed(h.behind);
	cr_assert(world_has_text(&w, LATEST "api/packages/foo", "2.0.0"));
	cr_assert(world_has(&w, LATEST "api/archives/foo-2.0.0.tar.gz"));
	cr_assert(world_has(&w, LATEST "api/packages/foo/likes"));
	hosts_release(&h);
}

Test(share, what_another_host_took_down_is_brought_back_whole)
{
	expect_brought_back("UPDATE package SET moderated = 1", "UPDATE package SET moderated = 0");
}

Test(share, a_version_that_another_host_took_down_is_brought_back_with_its_archive)
{
	expect_brought_back("UPDATE package_version SET deleted = 1 WHERE version = '2.0.0'",
			    "UPDATE package_version SET deleted = 0");
}

/* As the one that is behind wrote it, and as it has to be once more. */
Test(share, a_feed_that_another_host_has_changed_is_changed_back)
{
	struct hosts h;

	hosts_init(&h);
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
	changed(h.other);
	cr_assert_not(world_has_text(&w, LATEST "feed.atom", "v2.0.0"));
	world_sql(&w, "UPDATE package_version SET moderated = 0");
	changed(h.behind);
	cr_assert(world_has_text(&w, LATEST "feed.atom", "v2.0.0"));
	cr_assert(world_has_text(&w, RUNTIME "/feed.atom", "v2.0.0"));
	hosts_release(&h);
}

static void expect_taken_down(const char *statement)
{
	struct hosts h;

	hosts_init(&h);
	world_add(&w, "foo", "3.0.0");
	changed(h.other);
	cr_assert(world_has(&w, LATEST "api/archives/foo-3.0.0.tar.gz"));
	world_sql(&w, "%s", statement);
	changed(h.behind);
	cr_assert_not(world_has(&w, LATEST "api/archives/foo-3.0.0.tar.gz"));
	hosts_release(&h);
}

Test(share, a_version_that_another_host_published_is_taken_down_with_its_archive)
{
	expect_taken_down("UPDATE package_version SET moderated = 1 WHERE version = '3.0.0'");
}

Test(share, a_package_of_which_another_host_published_a_version_is_taken_down_whole)
{
	expect_taken_down("UPDATE package SET deleted = 1");
}

Test(share, a_package_that_cannot_be_asked_for_fails_alone)
{
	struct export_counts counts = { 0 };
	struct hosts h;

	hosts_init(&h);
	world_add(&w, "bar", "1.0.0");
	changed(h.behind);
	world_sql(&w, "UPDATE package SET moderated = 1");
	changed(h.other);
	world_sql(&w, "UPDATE package SET moderated = 0");
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(export_changed(h.behind, &counts), -EIO);
	cr_assert_eq(counts.failed, 1);
	cr_assert_not(world_has(&w, LATEST "api/packages/bar"));
	cr_assert(world_has(&w, LATEST "api/packages/foo"));
	export_counts_release(&counts);
	changed(h.behind);
	cr_assert(world_has(&w, LATEST "api/packages/bar"));
	hosts_release(&h);
}

Test(share, a_host_asks_for_nothing_that_it_has_left_so_itself)
{
	static const char *const statements[] = {
		"UPDATE package SET discontinued = 1",
		"UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'",
		"UPDATE package_version SET moderated = 0",
	};
	struct hosts h;

	hosts_init(&h);
	counter_read(w.counter);
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		world_sql(&w, "%s", statements[i]);
		changed(h.behind);
	}
	world_add(&w, "foo", "3.0.0");
	changed(h.behind);
	world_add(&w, "foo", "4.0.0");
	world_add(&w, "foo", "5.0.0");
	changed(h.behind);
	cr_assert_eq(counter_read(w.counter).stat, 0);
	hosts_release(&h);
}

/* How many lists of the bucket a full pass asks for. */
static unsigned long lists_of_full_pass(struct exporter *ex)
{
	struct export_counts counts = { 0 };

	counter_read(w.counter);
	cr_assert_eq(export_all(ex, &counts), 0);
	export_counts_release(&counts);
	return counter_read(w.counter).list;
}

Test(share, a_full_pass_that_is_to_look_anew_lists_latest_alone_and_the_next_one_does_not)
{
	struct hosts h;

	w.options.ttl = DAY_US;
	hosts_init(&h);
	lists_of_full_pass(h.behind);
	cr_assert_eq(lists_of_full_pass(h.behind), 0);
	exporter_look_anew(h.behind);
	cr_assert_eq(lists_of_full_pass(h.behind), 1);
	cr_assert_eq(lists_of_full_pass(h.behind), 0);
	hosts_release(&h);
}

#define COMPLETION "api/package-name-completion-data"

static void need_dart_3(void)
{
	world_sql(&w, "UPDATE package_version SET pubspec = json_set(pubspec,"
		      " '$.environment.sdk', '>=3.0.0 <9.0.0')");
}

Test(share, names_that_another_host_has_changed_are_changed_back_though_the_index_is_young)
{
	struct hosts h;

	w.options.ttl = DAY_US;
	hosts_init(&h);
	need_dart_3();
	lists_of_full_pass(h.behind);
	cr_assert(world_has_text(&w, LATEST COMPLETION, "foo"));
	world_sql(&w, "UPDATE package SET unlisted = 1");
	lists_of_full_pass(h.other);
	cr_assert_not(world_has_text(&w, LATEST COMPLETION, "foo"));
	world_sql(&w, "UPDATE package SET unlisted = 0");
	lists_of_full_pass(h.behind);
	cr_assert(world_has_text(&w, LATEST COMPLETION, "foo"));
	cr_assert(world_has_text(&w, RUNTIME "/" COMPLETION, "foo"));
	hosts_release(&h);
}

/* As an updater has it. */
static struct exporter *pacing_host(const char *owner, const char *rester)
{
	struct exporter *ex;

	w.options.deployment = true;
	w.options.clock = read_clock;
	w.options.clock_ctx = &now;
	w.options.rester = rester;
	ex = host(owner);
	exporter_set_latest(ex, true, true);
	return ex;
}

static void like(int n)
{
	world_sql(&w, "UPDATE package SET likes = %d", n);
}

Test(share, what_one_host_has_just_written_no_other_one_writes_for_a_second)
{
	struct export_counts counts = { 0 };

	exporter_free(a);
	exporter_free(b);
	a = pacing_host("A/passes", "A");
	b = pacing_host("B/passes", "B");
	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(changed(a), WRITES);
	world_sql(&w, "UPDATE lease SET until = '2099-01-01T00:00:00.000Z'"); /* a long second */
	like(1);
	cr_assert_eq(changed(b), 0);
	cr_assert_leq(exporter_due(b), now + SECOND_US);
	cr_assert_eq(exporter_renew(a), 0);
	like(2);
	cr_assert_eq(export_changed(b, &counts), 0);
	cr_assert_eq(counts.packages, 0, "nor does it look at it again in that time");
	export_counts_release(&counts);
	now += SECOND_US;
	cr_assert_eq(changed(a), 2 * PREFIXES, "the same one goes by its own clock");
	like(3);
	world_sql(&w, "UPDATE lease SET until = since");
	now += SECOND_US;
	cr_assert_eq(changed(b), 2 * PREFIXES);
	cr_assert_eq(changed(a), 0);
}

Test(share, what_was_claimed_and_not_written_does_not_rest)
{
	struct export_counts counts = { 0 };

	exporter_free(a);
	a = pacing_host("A/passes", "A");
	world_add_broken(&w, "bad");
	cr_assert_eq(export_changed(a, &counts), -EIO);
	export_counts_release(&counts);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 0);
	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(changed(a), WRITES);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease WHERE owner = 'A' AND name = 'foo'"), 1);
	cr_assert_eq(world_query(&w, "SELECT count(*) FROM lease"), 1);
}

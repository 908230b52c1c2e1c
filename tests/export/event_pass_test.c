/* SPDX-License-Identifier: BSD-3-Clause */
/* event_pass_test.c - event passes of one exporter, several of which are under way. */
#include <criterion/criterion.h>
#include <errno.h>

#include "../../fs/db/sqlite.h"
#include "clock.h"
#include "memory.h"
#include "world.h"

#define LISTING "latest/api/packages/foo"

static struct world w;
static struct exporter *ex;
static struct export_counts counts;
static int64_t now;

static int64_t read_clock(void *ctx)
{
	return *(int64_t *)ctx;
}

static void init(void)
{
	world_init(&w);
	w.options.deployment = true;
	w.options.clock = read_clock;
	w.options.clock_ctx = &now;
	w.options.feed_pause = FEED_PAUSE;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	exporter_set_latest(ex, true, true);
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	cr_assert_eq(export_all(ex, &counts), 0);
	now += MINUTE_US;
}

static void fini(void)
{
	export_counts_release(&counts);
	exporter_free(ex);
	world_release(&w);
}

TestSuite(event_pass, .init = init, .fini = fini);

static void discontinue(const char *package)
{
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = '%s'", package);
}

static int finish(struct event_pass *p)
{
	int run = event_pass_run(p), end;

	export_counts_release(&counts);
	end = event_pass_end(p, &counts);
	return run ? run : end;
}

Test(event_pass, what_one_works_on_another_leaves_alone_and_asks_for_again)
{
	struct event_pass *first, *second;

	discontinue("foo");
	first = event_pass_begin(ex);
	cr_assert_not(event_pass_is_idle(first));
	cr_assert_not(event_pass_is_alone(first));
	world_add(&w, "foo", "2.0.0");
	discontinue("bar");
	second = event_pass_begin(ex);
	cr_assert_eq(exporter_due(ex), now + SECOND_US);
	cr_assert_eq(finish(second), 0);
	cr_assert_eq(counts.packages, 1);
	cr_assert(world_has_text(&w, "latest/api/packages/bar", "isDiscontinued"));
	cr_assert_not(world_has_text(&w, LISTING, "isDiscontinued"));
	cr_assert_eq(finish(first), 0);
	cr_assert(world_has_text(&w, LISTING, "isDiscontinued"));
}

Test(event_pass, a_change_in_the_meantime_is_exported_when_the_package_may_be_written_again)
{
	struct event_pass *first, *second;

	discontinue("foo");
	first = event_pass_begin(ex);
	cr_assert_eq(event_pass_run(first), 0);
	world_sql(&w, "UPDATE package SET replaced_by = 'bar' WHERE name = 'foo'");
	second = event_pass_begin(ex);
	cr_assert_eq(finish(second), 0);
	cr_assert_eq(counts.packages, 0, "nobody knows yet how the first one went");
	cr_assert_eq(event_pass_end(first, &counts), 0);
	cr_assert_leq(exporter_due(ex), now + SECOND_US);
	now = exporter_due(ex);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert(world_has_text(&w, LISTING, "\"replacedBy\":\"bar\""));
}

Test(event_pass, what_failed_is_not_due_while_it_is_tried_again)
{
	struct event_pass *retry;

	world_add_broken(&w, "bad");
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	now = exporter_due(ex);
	retry = event_pass_begin(ex);
	cr_assert_not(event_pass_is_idle(retry));
	cr_assert_gt(exporter_due(ex), now);
	cr_assert_eq(finish(retry), -EIO);
	cr_assert_gt(exporter_due(ex), now, "it failed again");
	cr_assert_lt(exporter_due(ex), INT64_MAX);
}

Test(event_pass, one_that_was_cut_short_gives_back_what_it_tried_again)
{
	atomic_bool stop = false;
	struct event_pass *retry;

	exporter_free(ex);
	w.options.stop = &stop;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	exporter_set_latest(ex, true, true);
	world_add_broken(&w, "bad");
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	now = exporter_due(ex);
	retry = event_pass_begin(ex);
	stop = true;
	cr_assert_eq(finish(retry), -ECANCELED);
	stop = false;
	cr_assert_leq(exporter_due(ex), now);
	cr_assert_eq(export_changed(ex, &counts), -EIO);
	cr_assert_eq(counts.packages, 1);
}

Test(event_pass, the_feed_is_one_passs_at_a_time_and_waits_when_that_was_cut_short)
{
	atomic_bool stop = false;
	struct event_pass *feed, *other;

	exporter_free(ex);
	w.options.stop = &stop;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	exporter_set_latest(ex, true, true);
	discontinue("foo");
	cr_assert_eq(export_changed(ex, &counts), 0);
	discontinue("bar");
	cr_assert_eq(export_changed(ex, &counts), 0);
	now += FEED_PAUSE;
	cr_assert_leq(exporter_due(ex), now);
	feed = event_pass_begin(ex);
	cr_assert_not(event_pass_is_idle(feed));
	other = event_pass_begin(ex);
	cr_assert(event_pass_is_idle(other));
	cr_assert_eq(finish(other), 0);
	stop = true;
	cr_assert_eq(finish(feed), -ECANCELED);
	stop = false;
	now += FEED_PAUSE;
	cr_assert_leq(exporter_due(ex), now);
	feed = event_pass_begin(ex);
	cr_assert_not(event_pass_is_idle(feed));
	cr_assert_eq(finish(feed), 0);
	cr_assert_gt(exporter_due(ex), now);
}

Test(event_pass, one_of_many_packages_is_alone)
{
	struct event_pass *p;

	for (uint64_t i = 0; i <= w.options.limits.rewrites.number; i++) {
		CLEANUP(free_char) char *name = xasprintf("p%d", (int)i);

		world_add(&w, name, "1.0.0");
	}
	p = event_pass_begin(ex);
	cr_assert(event_pass_is_alone(p));
	cr_assert_eq(finish(p), 0);
}

Test(event_pass, one_that_holds_something_is_alone_and_another_does_not_forget_it)
{
	struct event_pass *before, *holds;
	CLEANUP(free_char) char *path = xasprintf("%s/held", w.folder);

	exporter_free(ex);
	w.options.held = path;
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	exporter_set_latest(ex, true, true);
	for (int i = 2; i <= 5; i++) {
		CLEANUP(free_char) char *version = xasprintf("%d.0.0", i);

		world_add(&w, "foo", version);
	}
	cr_assert_eq(export_changed(ex, &counts), 0);
	now += MINUTE_US;
	discontinue("bar");
	before = event_pass_begin(ex);
	world_sql(&w, "DELETE FROM package_version WHERE package = 'foo' AND version > '1.0.0'");
	holds = event_pass_begin(ex);
	cr_assert(event_pass_is_alone(holds));
	cr_assert_eq(finish(holds), -ECANCELED);
	cr_assert_eq(finish(before), 0);
	now += MINUTE_US;
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.held, 1, "it is still held, and known to be");
}

static int count_statement(unsigned kind, void *ctx, void *stmt, void *text)
{
	(void)kind;
	(void)stmt;
	(void)text;
	++*(unsigned *)ctx;
	return 0;
}

Test(event_pass, one_with_nothing_to_do_is_one_query_and_no_request)
{
	sqlite3 *handle = ((struct sqlite *)w.db)->handle;
	unsigned statements = 0;

	now += FEED_PAUSE;
	cr_assert_eq(export_changed(ex, &counts), 0);
	counted(w.counter);
	counted(w.canonical_counter);
	sqlite3_trace_v2(handle, SQLITE_TRACE_STMT, count_statement, &statements);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.packages, 0);
	cr_assert_eq(statements, 1, "%u", statements);
	cr_assert_eq(counted(w.counter), 0);
	cr_assert_eq(counted(w.canonical_counter), 0);
}

Test(event_pass, one_with_nothing_to_do_still_says_why_latest_is_left)
{
	world_sql(&w, "INSERT INTO latest_hold VALUES ('2027.01.01', '2026-01-01T00:00:00.000Z')");
	discontinue("foo");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_str_eq(counts.left_why, "latest/ is held at 2027.01.01");
	export_counts_release(&counts);
	now += MINUTE_US;
	cr_assert_eq(export_changed(ex, &counts), 0);
	export_counts_release(&counts);
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_str_eq(counts.left_why, "latest/ is held at 2027.01.01");
}

Test(event_pass, the_archive_of_a_version_is_asked_for_where_it_is_not_known)
{
	counter_read(w.canonical_counter);
	world_add_row(&w, "foo", "2.0.0");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_geq(counter_read(w.canonical_counter).refresh, 1);
	export_counts_release(&counts);
	now += MINUTE_US;
	world_add(&w, "bar", "2.0.0");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counter_read(w.canonical_counter).refresh, 0);
}

Test(event_pass, of_what_is_taken_down_a_change_that_clients_see_is_measured_and_no_other)
{
	world_sql(&w, "UPDATE package_version SET retracted = 1 WHERE package = 'foo';"
		      "UPDATE package SET updated = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now',"
		      " '-2 hours') WHERE name = 'foo'");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.takedowns.n, 1);
	cr_assert_geq(counts.takedowns.max, 2 * HOUR_US);
	cr_assert_lt(counts.takedowns.max, 3 * HOUR_US);
	now += MINUTE_US;
	world_sql(&w, "UPDATE package SET likes = 7 WHERE name = 'foo'");
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_gt(counts.written, 0);
	cr_assert_eq(counts.takedowns.n, 0);
	now += MINUTE_US;
	discontinue("bar"); /* of which nothing is */
	cr_assert_eq(export_changed(ex, &counts), 0);
	cr_assert_eq(counts.takedowns.n, 0);
}

static unsigned long reads(const char *statement)
{
	world_sql(&w, "%s", statement);
	now += MINUTE_US;
	counter_read(w.counter);
	export_counts_release(&counts);
	cr_assert_eq(export_changed(ex, &counts), 0);
	return counter_read(w.counter).read;
}

/* Which archives it names matters only where archives are there and it comes to name others. */
Test(event_pass, the_listing_that_is_there_is_read_only_where_another_takes_its_place)
{
	cr_assert_eq(reads("UPDATE package SET likes = 7 WHERE name = 'foo'"), 0);
	cr_assert_eq(reads("UPDATE package SET discontinued = 1 WHERE name = 'foo'"), PREFIXES);
	world_add_row(&w, "none", "1.0.0");
	cr_assert_eq(reads(""), 0);
	cr_assert_eq(reads("UPDATE package SET discontinued = 1 WHERE name = 'none'"), 0);
}

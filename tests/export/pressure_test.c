/* SPDX-License-Identifier: BSD-3-Clause */
/* pressure_test.c - many changes, and one package changed all the time: the newest is written. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "world.h"

#define LISTING "latest/api/packages/foo"

static struct world w;
static struct exporter *ex;
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
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	exporter_set_latest(ex, true, true);
}

static void fini(void)
{
	exporter_free(ex);
	world_release(&w);
}

TestSuite(pressure, .init = init, .fini = fini);

static int pass(struct export_counts *counts)
{
	export_counts_release(counts);
	return export_changed(ex, counts);
}

Test(pressure, a_package_changed_a_thousand_times_a_minute_is_written_once_a_second)
{
	struct export_counts counts = { 0 };
	unsigned long writes = 0;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(pass(&counts), 0);
	counted_changes(w.counter);
	for (int i = 0; i < 1000; i++) {
		now += 60 * MINUTE_US / 60 / 1000;
		world_sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'r%d'", i);
		cr_assert_eq(pass(&counts), 0);
		writes += counts.written;
	}
	/* its listing and its options, in both prefixes */
	cr_assert_leq(writes, PREFIXES * 2 * 60, "%lu", writes);
	cr_assert_geq(writes, PREFIXES * 2 * 50, "%lu", writes);
	cr_assert_eq(counted_changes(w.counter), writes);
	now = exporter_due(ex);
	cr_assert_eq(pass(&counts), 0);
	cr_assert(world_has_text(&w, LISTING, "\"r999\""), "the newest is written in the end");
	export_counts_release(&counts);
}

Test(pressure, of_ten_thousand_changes_at_once_each_object_is_written_once)
{
	struct export_counts counts = { 0 };

	exporter_free(ex);
	w.options.latest = false; /* what is written once there is once here */
	cr_assert_eq(exporter_new(&w.options, &ex), 0);
	world_sql(&w, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
		      " WHERE i < 9999) INSERT INTO package_version (package, version, created,"
		      " pubspec) SELECT 'p' || i, '1.0.0', '2024-01-02T03:04:05.678Z',"
		      " '{\"name\":\"p' || i || '\",\"version\":\"1.0.0\"}' FROM n;"
		      "INSERT INTO package (name) SELECT package FROM package_version;"
		      "UPDATE package SET unlisted = 1; UPDATE package SET unlisted = 0");
	cr_assert_eq(pass(&counts), 0);
	cr_assert_eq(counts.packages, 10000);
	cr_assert_eq(counts.written, 10000 * PACKAGE_DOCUMENTS + 1, "and the feed");
	cr_assert_eq(counted_changes(w.counter), counts.written);
	now += SECOND_US;
	cr_assert_eq(pass(&counts), 0);
	cr_assert_eq(counts.packages, 0);
	export_counts_release(&counts);
}

Test(pressure, a_package_that_fails_is_retried_with_backoff_and_delays_no_other)
{
	struct export_counts counts = { 0 };
	unsigned tries = 0;
	struct export_failure failure;

	world_add_broken(&w, "bad");
	for (int i = 0; i < 120; i++) {
		CLEANUP(free_char) char *name = xasprintf("foo%d", i);
		CLEANUP(free_char) char *key = xasprintf("latest/api/packages/%s", name);

		now += SECOND_US;
		world_sql(&w, "INSERT OR IGNORE INTO package (name) VALUES ('%s')", name);
		world_add(&w, name, "1.0.0");
		cr_assert_eq(pass(&counts), counts.failed || counts.left_out ? -EIO : 0);
		tries += counts.failed > 0;
		cr_assert(world_has(&w, key));
		cr_assert(exporter_failure(ex, 0, &failure));
		cr_assert_str_eq(failure.package, "bad");
		cr_assert(strstr(failure.why, "bad"), "%s", failure.why);
		cr_assert_not(exporter_failure(ex, 1, &failure));
	}
	cr_assert_eq(tries, 7, "after 1, 2, 4, 8, 16, 32 and 64 seconds: %u", tries);
	world_sql(&w, "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":"
		      "\"1.0.0\"}' WHERE package = 'bad'");
	cr_assert_eq(pass(&counts), 0);
	cr_assert(world_has(&w, "latest/api/packages/bad"), "what was put right is tried at once");
	cr_assert_not(exporter_failure(ex, 0, &failure));
	export_counts_release(&counts);
}

Test(pressure, an_urgent_pass_exports_what_is_taken_down_and_nothing_else)
{
	struct export_counts counts = { 0 };

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	cr_assert_eq(pass(&counts), 0);
	now += MINUTE_US;
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = 'bar';"
		      "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	export_counts_release(&counts);
	cr_assert_eq(export_urgent(ex, &counts), 0);
	cr_assert_eq(counts.packages, 1);
	cr_assert_not(world_has(&w, LISTING));
	cr_assert_not(world_has_text(&w, "latest/api/packages/bar", "isDiscontinued"));
	cr_assert_eq(pass(&counts), 0);
	cr_assert(world_has_text(&w, "latest/api/packages/bar", "isDiscontinued"));
	export_counts_release(&counts);
}

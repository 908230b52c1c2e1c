/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * late_test.c - who has planned what to do in latest/, and comes to do it when another deployment has
 * begun to keep it meanwhile.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "brake.h"
#include "db.h"
#include "memory.h"
#include "promote.h"
#include "sides.h"

TestSuite(late, .init = sides_init, .fini = sides_fini);

/* What changes, and what changes again while the late one is about to write. */
static const struct {
	const char *what, *before, *meanwhile;
} rows[] = {
	{ "what it writes anew",
	  "UPDATE package SET discontinued = 1, replaced_by = 'r1'",
	  "UPDATE package SET discontinued = 1, replaced_by = 'r2'" },
	{ "what it writes anew, of the same rows",
	  "UPDATE package SET discontinued = 1, replaced_by = 'r2'", "" },
	{ "what it removes", "UPDATE package SET moderated = 1",
	  "UPDATE package SET moderated = 0, discontinued = 1, replaced_by = 'r2'" },
	{ "what both make of equal bytes", "UPDATE package SET likes = 7",
	  "UPDATE package SET discontinued = 1, replaced_by = 'r2'" },
};

struct newcomer {
	const char *sql;
	void (*begin)(void);
};

/* In front of the first change of the late one, which knows nothing of the other one. */
static void let_the_other_one_begin(void *ctx)
{
	const struct newcomer *newcomer = ctx;

	recorder_before(w.recorder, NULL, NULL);
	world_sql(&w, "%s", newcomer->sql);
	newcomer->begin();
}

static void pass_late(int late, bool full, const char *meanwhile, void (*begin)(void))
{
	struct newcomer newcomer = { meanwhile, begin };

	time_stands_still = true;
	recorder_before(w.recorder, let_the_other_one_begin, &newcomer);
	pass(late, full);
	time_stands_still = false;
}

static void be_late(int late, const char *before, const char *meanwhile, void (*begin)(void))
{
	world_sql(&w, "%s", before);
	pass_late(late, false, meanwhile, begin);
}

static void start_the_newer_one(void)
{
	run(NEW);
}

Test(late, an_older_deployment_changes_nothing_of_what_a_newer_one_has_written)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(OLD);
		be_late(OLD, rows[i].before, rows[i].meanwhile, start_the_newer_one);
		cr_assert(shows(NEW), "%s", rows[i].what);
		cr_assert(world_has_text(&w, LISTING, "\"r2\""), "%s", rows[i].what);
		pass(NEW, true);
		pass(OLD, true);
		cr_assert(shows(NEW), "%s", rows[i].what);
		expect_quiet();
		sides_fini();
		sides_init();
	}
}

static void promote_the_older_one(void)
{
	const struct promote_options options = {
		.db = w.db,
		.store = w.counter,
		.archives = w.canonical_counter,
		.publisher = sides[OLD].publisher,
		.version = known[OLD].version,
		.limits = brake_defaults,
		.jobs = 1,
	};
	struct promote_counts counts;

	pass(OLD, true);
	cr_assert_eq(promote(&options, &counts), 0);
	cr_assert(shows(OLD));
	promote_counts_release(&counts);
}

Test(late, a_newer_deployment_changes_nothing_of_what_was_promoted)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		run(OLD);
		run(NEW);
		be_late(NEW, rows[i].before, rows[i].meanwhile, promote_the_older_one);
		cr_assert(shows(OLD), "%s", rows[i].what);
		cr_assert(world_has_text(&w, LISTING, "\"r2\""), "%s", rows[i].what);
		pass(OLD, true);
		pass(NEW, true);
		cr_assert(shows(OLD), "%s", rows[i].what);
		expect_quiet();
		sides_fini();
		sides_init();
	}
}

static void need_sdk(const char *package, const char *version, const char *sdk)
{
	world_sql(&w,
		  "UPDATE package_version SET pubspec = json_set(pubspec, '$.environment.sdk', '%s')"
		  " WHERE package = '%s' AND version = '%s'",
		  sdk, package, version);
}

static void add_package(void)
{
	world_add(&w, "new", "1.0.0");
	world_add(&w, "new", "0.9.0");
	need_sdk("new", "1.0.0", ">=4.0.0 <9.0.0");
}

/* Of a new package, and of the feed, which shows it. */
static void expect_new(const char *latest)
{
	CLEANUP(free_char) char *text = xasprintf("\"latest\":{\"version\":\"%s\"", latest);

	cr_assert(world_has_text(&w, "latest/api/packages/new", text));
	cr_assert(world_has(&w, "latest/api/archives/new-1.0.0.tar.gz"));
	cr_assert(world_has_text(&w, "latest/feed.atom", "new"));
}

Test(late, of_what_is_new_the_older_one_writes_nothing_over_what_the_newer_one_has)
{
	run(OLD);
	add_package();
	be_late(OLD, "", "", start_the_newer_one);
	expect_new("1.0.0");
	pass(NEW, true);
	pass(OLD, true);
	expect_new("1.0.0");
	expect_quiet();
}

Test(late, of_what_is_new_nothing_is_written_over_what_was_promoted)
{
	run(OLD);
	run(NEW);
	add_package();
	be_late(NEW, "", "", promote_the_older_one);
	expect_new("0.9.0");
	pass(OLD, true);
	pass(NEW, true);
	expect_new("0.9.0");
	expect_quiet();
}

#define COMPLETION "latest/api/package-name-completion-data"

/* Which the older one does not offer: to it, the latest version is one of Dart 1. */
Test(late, of_what_is_no_packages_the_older_one_writes_nothing_over_what_the_newer_one_has)
{
	need_sdk("foo", "1.0.0", ">=2.0.0 <3.0.0");
	run(OLD);
	cr_assert(world_has_text(&w, COMPLETION, "foo"));
	add_package();
	need_sdk("new", "0.9.0", "<2.0.0");
	pass(OLD, false);
	world_sql(&w, "UPDATE package SET unlisted = 1 WHERE name = 'foo'");
	pass(OLD, false);
	pass_late(OLD, true, "", start_the_newer_one);
	cr_assert(world_has_text(&w, COMPLETION, "new"));
	cr_assert_not(world_has_text(&w, "2026.01.01/api/package-name-completion-data", "new"));
	pass(OLD, true);
	cr_assert(world_has_text(&w, COMPLETION, "new"));
	expect_quiet();
}

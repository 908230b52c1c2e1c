/* SPDX-License-Identifier: BSD-3-Clause */
/* rm_brake_test.c - what may be removed by hand, and how much of it in an hour. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "rm_brake.h"
#include "world.h"

#define LATEST "latest/api/"

static struct world w;
static struct export_counts counts;
static struct rm_brake_options options;
static struct rm_brake *rm;
static char *path;
static int64_t now;

static int64_t tell(void)
{
	return now;
}

static void init(void)
{
	world_init(&w);
	now = 1800000000 * SECOND_US;
	path = xasprintf("%s/rm", w.folder);
	options = (struct rm_brake_options){ .db = w.db,
					     .store = w.bucket,
					     .limit = { .number = 3, .percent = 10 },
					     .path = path,
					     .clock = tell };
	cr_assert_eq(rm_brake_new(&options, &rm), 0);
}

static void fini(void)
{
	rm_brake_free(rm);
	free(path);
	world_release(&w);
}

TestSuite(rm_brake, .init = init, .fini = fini);

static void expect(const char *key, int result)
{
	cr_assert_eq(rm_brake_ask(rm, key), result, "%s", key);
}

Test(rm_brake, as_many_as_the_limit_pass_in_an_hour_and_one_more_does_not)
{
	world_add(&w, "foo", "1.0.0");
	expect(LATEST "packages/foo", 0);
	now += MINUTE_US;
	expect(LATEST "packages/foo/advisories", 0);
	expect(LATEST "archives/foo-1.0.0.tar.gz", 0);
	expect(LATEST "packages/foo", -EPERM);
	now += RM_BRAKE_SPAN - MINUTE_US - 1; /* a microsecond less than an hour after the first */
	expect(LATEST "packages/foo", -EPERM);
	now += 1;
	expect(LATEST "packages/foo", 0);
	expect(LATEST "packages/foo", -EPERM); /* the other two still count */
}

Test(rm_brake, what_the_database_does_not_show_is_free)
{
	static const char *const free_keys[] = {
		LATEST "packages/gone", LATEST "archives/gone-1.0.0.tar.gz",
		LATEST "archives/foo-9.0.0.tar.gz", LATEST "archives/foo-2.0.0.tar.gz",
		LATEST "packages/hidden", LATEST "archives/hidden-1.0.0.tar.gz",
		LATEST "packages/down/advisories", "latest/strange", RUNTIME "/api/packages/foo",
	};

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "hidden", "1.0.0");
	world_add(&w, "down", "1.0.0");
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'hidden';"
		      "UPDATE package_version SET deleted = 1 WHERE package = 'down' OR version = "
		      "'2.0.0'");
	for (unsigned i = 0; i < 3; i++)
		expect(LATEST "packages/foo", 0);
	expect(LATEST "packages/foo", -EPERM);
	for (size_t i = 0; i < ARRAY_SIZE(free_keys); i++)
		expect(free_keys[i], 0);
}

Test(rm_brake, the_limit_is_a_share_where_that_is_more)
{
	for (unsigned i = 0; i < 50; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%u", i);
		world_add(&w, name, "1.0.0");
	}
	world_export_well(&w, &counts);
	for (unsigned i = 0; i < 5; i++)
		expect(LATEST "packages/p0", 0);
	expect(LATEST "packages/p0", -EPERM);
}

Test(rm_brake, other_mounts_and_commands_of_the_host_count_too)
{
	struct rm_brake *other;
	struct rm_brake_status status;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(rm_brake_new(&options, &other), 0);
	expect(LATEST "packages/foo", 0);
	cr_assert_eq(rm_brake_ask(other, LATEST "packages/foo"), 0);
	expect(LATEST "packages/foo", 0);
	cr_assert_eq(rm_brake_ask(other, LATEST "packages/foo"), -EPERM);
	cr_assert_eq(rm_brake_status(other, &status), 0);
	cr_assert_eq(status.counted, 3);
	cr_assert_eq(status.limit, 3);
	cr_assert_eq(status.refused, 1);
	rm_brake_free(other);
}

#define ROUNDS 300

static void *ask_for_status(void *arg)
{
	struct rm_brake_status status;

	for (unsigned i = 0; i < ROUNDS; i++)
		cr_assert_eq(rm_brake_status(arg, &status), 0);
	return NULL;
}

Test(rm_brake, who_asks_how_it_stands_and_who_removes_never_wait_for_each_other, .timeout = 60)
{
	pthread_t thread;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(pthread_create(&thread, NULL, ask_for_status, rm), 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		expect(LATEST "packages/foo", i < 3 ? 0 : -EPERM);
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(rm_brake, a_clock_that_goes_back_gives_no_new_hour)
{
	world_add(&w, "foo", "1.0.0");
	for (unsigned i = 0; i < 3; i++)
		expect(LATEST "packages/foo", 0);
	now -= 2 * RM_BRAKE_SPAN;
	expect(LATEST "packages/foo", -EPERM);
}

Test(rm_brake, where_the_database_cannot_say_nothing_shown_is_removed)
{
	world_add(&w, "foo", "1.0.0");
	world_sql(&w, "DROP TABLE package_version");
	expect(LATEST "packages/foo", -EIO);
	expect(RUNTIME "/api/packages/foo", 0);
}

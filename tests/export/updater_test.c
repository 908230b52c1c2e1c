/* SPDX-License-Identifier: BSD-3-Clause */
/* updater_test.c - the thread that keeps the bucket equal to the database. */
#include <criterion/criterion.h>
#include <errno.h>
#include <time.h>

#include "clock.h"
#include "updater.h"
#include "world.h"

#define LISTING	 "latest/api/packages/foo"
#define PATIENCE (60 * SECOND_US) /* far more than it takes; only a broken updater uses it up */

static struct world w;

static void init(void)
{
	world_init(&w);
}

static void fini(void)
{
	world_release(&w);
}

TestSuite(updater, .init = init, .fini = fini);

static struct updater *start(void)
{
	struct updater *u;

	cr_assert_eq(updater_start(&w.options, &u), 0);
	return u;
}

/* Until so many passes ended; the last one's result. */
static int wait_passes(struct updater *u, uint64_t passes, struct export_counts *ret)
{
	int64_t until = clock_monotonic() + PATIENCE;
	const struct timespec nap = { .tv_nsec = 5000000 };

	for (;;) {
		struct updater_status status;
		uint64_t n;
		int r;

		updater_status(u, &status);
		n = status.passes;
		r = status.last_result;
		cr_assert_eq(status.last_pass != NO_TIME, n > 0);
		cr_assert(!n || !r || status.last_error);
		if (ret)
			*ret = status.total;
		updater_status_release(&status);
		if (n >= passes)
			return r;
		cr_assert_lt(clock_monotonic(), until);
		nanosleep(&nap, NULL);
	}
}

Test(updater, begins_with_a_full_pass)
{
	struct export_counts total;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(world_export_all(&w, NULL), 0);
	world_empty_bucket(&w);
	u = start();
	cr_assert_eq(wait_passes(u, 1, &total), 0);
	cr_assert(world_has(&w, LISTING), "no change moved, but the bucket is empty");
	cr_assert_eq(total.written, 4);
	updater_stop(u);
}

Test(updater, exports_what_another_program_commits)
{
	struct export_counts total;
	struct updater *u = start();

	cr_assert_eq(wait_passes(u, 1, NULL), 0);
	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(wait_passes(u, 2, NULL), 0);
	world_sql(&w, "UPDATE package SET moderated = 1");
	do
		cr_assert_eq(wait_passes(u, 3, &total), 0);
	while (!total.removed);
	cr_assert_not(world_has(&w, LISTING));
	updater_stop(u);
}

Test(updater, repeats_a_pass_that_failed)
{
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	fault_arm(w.fault, 1, -EIO); /* the first look at the store */
	u = start();
	cr_assert_eq(wait_passes(u, 1, NULL), -EIO);
	cr_assert_not(world_has(&w, LISTING));
	cr_assert_eq(wait_passes(u, 2, NULL), 0);
	cr_assert(world_has(&w, LISTING));
	updater_stop(u);
}

/* Writes first, as often as one pass tries again. */
static void intrude(void *ctx)
{
	int *times = ctx;

	if ((*times)-- > 0)
		world_put(&w, LISTING, "{}", "hand");
}

Test(updater, repeats_a_package_that_failed)
{
	int times = 5;
	struct export_counts total;
	struct updater *u;

	world_add(&w, "foo", "1.0.0");
	cr_assert_eq(world_export_all(&w, NULL), 0);
	world_put(&w, LISTING, "{}", "hand");
	recorder_before(w.recorder, intrude, &times);
	u = start();
	cr_assert_eq(wait_passes(u, 1, &total), -EIO);
	cr_assert_eq(total.failed, 1);
	cr_assert_eq(wait_passes(u, 2, &total), 0);
	cr_assert_eq(total.written, 1);
	updater_stop(u);
}

Test(updater, is_stopped_at_once)
{
	struct updater *u = start();
	int64_t before;

	cr_assert_eq(wait_passes(u, 1, NULL), 0);
	before = clock_monotonic();
	updater_stop(u);
	cr_assert_lt(clock_monotonic() - before, PATIENCE);
	updater_stop(NULL);
}

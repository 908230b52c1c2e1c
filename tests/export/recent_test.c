/* SPDX-License-Identifier: BSD-3-Clause */
/* recent_test.c - packages that were written a moment ago. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "../../fs/export/recent.h"

static struct recent r;

static void init(void)
{
	recent_init(&r);
}

static void fini(void)
{
	recent_release(&r);
}

TestSuite(recent, .init = init, .fini = fini);

Test(recent, what_was_written_may_be_written_again_a_second_after_the_last_time)
{
	cr_assert_eq(recent_until(&r, "foo", 5), 0);
	recent_note(&r, "foo", 5);
	cr_assert_eq(recent_until(&r, "foo", 5), 5 + SECOND_US);
	cr_assert_eq(recent_until(&r, "bar", 5), 0, "another package may at once");
	recent_note(&r, "foo", 7);
	cr_assert_eq(recent_until(&r, "foo", 6 + SECOND_US), 7 + SECOND_US);
	cr_assert_eq(recent_until(&r, "foo", 7 + SECOND_US), 0);
}

Test(recent, of_many_nothing_is_kept_that_is_over)
{
	char name[16];
	size_t most = 0;

	for (int i = 0; i < 10000; i++) { /* a hundred a second, in no order */
		int64_t now = i * SECOND_US / 100;

		snprintf(name, sizeof(name), "p%d", i * 7919 % 10000);
		recent_note(&r, name, now);
		cr_assert_eq(recent_until(&r, name, now), now + SECOND_US);
		most = r.n > most ? r.n : most;
	}
	cr_assert_leq(most, 2 * 100 + 1, "%zu", most);
	for (int i = 9900; i < 10000; i++) {
		snprintf(name, sizeof(name), "p%d", i * 7919 % 10000);
		cr_assert_gt(recent_until(&r, name, 9999 * SECOND_US / 100), 0, "%s", name);
	}
}

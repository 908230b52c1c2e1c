/* SPDX-License-Identifier: BSD-3-Clause */
/* later_test.c - what event passes put off because it failed, and for how long. */
#include <criterion/criterion.h>
#include <string.h>

#include "../../fs/export/later.h"
#include "compiler.h"
#include "memory.h"

static struct later l;

static void fini(void)
{
	later_release(&l);
}

TestSuite(later, .fini = fini);

/* Those that are due, with commas between; valid until the next call. */
static const char *due(int64_t now)
{
	CLEANUP(names_release) struct names names = { .n = 0 };
	static char *text;

	free_char(&text);
	text = xstrdup("");
	later_due(&l, now, &names);
	for (size_t i = 0; i < names.n; i++) {
		char *more = xasprintf("%s%s,", text, names.names[i]);

		free_char(&text);
		text = more;
	}
	return text;
}

Test(later, each_failure_in_a_row_doubles_the_time_up_to_five_minutes)
{
	static const int64_t seconds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300 };
	int64_t now = 1000;

	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		later_failed(&l, "foo", "1-a", "broken", now);
		cr_assert_eq(later_next(&l), now + seconds[i] * SECOND_US, "failure %zu", i);
		cr_assert(later_holds(&l, "foo", "1-a", later_next(&l) - 1));
		cr_assert_str_eq(due(later_next(&l) - 1), "");
		now = later_next(&l);
		cr_assert_not(later_holds(&l, "foo", "1-a", now));
		cr_assert_str_eq(due(now), "foo,");
	}
	for (int i = 0; i < 100; i++)
		later_failed(&l, "foo", "1-a", "broken", now);
	cr_assert_eq(later_next(&l), now + LATER_MAX, "however often");
	later_forget(&l, "foo");
	later_failed(&l, "foo", "1-a", "broken", now);
	cr_assert_eq(later_next(&l), now + SECOND_US, "after a success it begins anew");
}

Test(later, the_next_one_that_is_due_is_the_first_whatever_its_name)
{
	cr_assert_eq(later_next(&l), LATER_NEVER);
	later_failed(&l, "b", "1-a", "broken", 5);
	later_failed(&l, "a", "1-a", "broken", 7);
	later_failed(&l, "c", "1-a", "broken", 9);
	cr_assert_eq(later_next(&l), 5 + SECOND_US);
	later_failed(&l, "b", "1-a", "broken", 11);
	cr_assert_eq(later_next(&l), 7 + SECOND_US);
}

Test(later, another_change_of_what_failed_is_tried_at_once)
{
	later_failed(&l, "foo", "1-a", "broken", 0);
	cr_assert(later_holds(&l, "foo", "1-a", 1));
	cr_assert_not(later_holds(&l, "foo", "2-b", 1));
	later_failed(&l, "bar", NULL, "unreadable", 0);
	cr_assert(later_holds(&l, "bar", "2-b", 1), "where nobody knows which one it was, none is");
}

Test(later, failures_are_kept_with_their_reasons_in_order)
{
	CLEANUP(names_release) struct names open = { .n = 0 };

	later_failed(&l, "foo", "1-a", "one", 0);
	later_failed(&l, "bar", "1-a", "two", 0);
	later_failed(&l, "foo", "1-a", "three", 0);
	cr_assert_str_eq(later_failure(&l, 0)->package, "bar");
	cr_assert_str_eq(later_failure(&l, 1)->why, "three");
	cr_assert_null(later_failure(&l, 2));
	names_add(&open, "foo");
	later_keep(&l, &open);
	cr_assert_str_eq(later_failure(&l, 0)->package, "foo");
	cr_assert_null(later_failure(&l, 1));
}

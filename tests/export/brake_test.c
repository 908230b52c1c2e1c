/* SPDX-License-Identifier: BSD-3-Clause */
/* brake_test.c - both sides of each edge of the brake (spec, section 15). */
#include <criterion/criterion.h>
#include <errno.h>

#include "brake.h"
#include "clock.h"

Test(brake, a_limit_is_a_number_or_a_share_and_nothing_else)
{
	static const struct {
		const char *text;
		int r;
		struct brake_limit limit;
	} rows[] = {
		{ "0", 0, { 0, 0 } },
		{ "10", 0, { 10, 0 } },
		{ "1000000000", 0, { 1000000000, 0 } },
		{ "0%", 0, { 0, 0 } },
		{ "10%", 0, { 0, 10 } },
		{ "100%", 0, { 0, 100 } },
		{ "101%", -EINVAL, { 0, 0 } },
		{ "1000000001", -EINVAL, { 0, 0 } },
		{ "99999999999999999999", -EINVAL, { 0, 0 } },
		{ "", -EINVAL, { 0, 0 } },
		{ "%", -EINVAL, { 0, 0 } },
		{ "-1", -EINVAL, { 0, 0 } },
		{ "+1", -EINVAL, { 0, 0 } },
		{ "1.5", -EINVAL, { 0, 0 } },
		{ "10%%", -EINVAL, { 0, 0 } },
		{ "10 %", -EINVAL, { 0, 0 } },
		{ " 10", -EINVAL, { 0, 0 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct brake_limit limit = { 0, 0 };

		cr_assert_eq(brake_limit_parse(rows[i].text, &limit), rows[i].r, "%s",
			     rows[i].text);
		cr_assert(limit.number == rows[i].limit.number &&
				  limit.percent == rows[i].limit.percent,
			  "%s", rows[i].text);
	}
}

/* What passes, and that one more does not. */
struct edge {
	uint64_t present, most;
};

static void expect_edges(const struct brake_limit *limit, const struct edge *edges, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t present = edges[i].present, most = edges[i].most;

		cr_assert_eq(brake_most(limit, present), most, "of %llu",
			     (unsigned long long)present);
		cr_assert_not(brake_holds(limit, present, most));
		cr_assert(brake_holds(limit, present, most + 1));
	}
}

Test(brake, rewrites_are_held_beyond_a_tenth_and_beyond_ten)
{
	static const struct edge edges[] = {
		{ 0, 10 }, { 10, 10 }, { 109, 10 }, { 110, 11 }, { 119, 11 }, { 70000, 7000 },
	};

	expect_edges(&brake_defaults.rewrites, edges, sizeof(edges) / sizeof(edges[0]));
}

Test(brake, takedowns_are_held_beyond_a_hundredth_and_beyond_200)
{
	static const struct edge edges[] = {
		{ 0, 200 },
		{ 20099, 200 },
		{ 20100, 201 },
		{ 70000, 700 },
	};

	expect_edges(&brake_defaults.takedowns, edges, sizeof(edges) / sizeof(edges[0]));
}

Test(brake, a_limit_that_an_operator_sets_stands_alone)
{
	static const struct brake_limit none = { 0, 0 }, share = { 0, 50 }, number = { 3, 0 };
	static const struct edge nothing[] = { { 0, 0 }, { 1000, 0 } };
	static const struct edge half[] = { { 0, 0 }, { 3, 1 }, { 4, 2 } };
	static const struct edge three[] = { { 0, 3 }, { 1000, 3 } };

	expect_edges(&none, nothing, 2);
	expect_edges(&share, half, 3);
	expect_edges(&number, three, 2);
}

Test(brake, removals_of_packages_are_held_beyond_their_limit_and_beyond_half)
{
	static const struct edge edges[] = {
		{ 0, 10 },    { 3, 10 }, /* of three all may go */
		{ 4, 2 },     { 5, 2 },	    { 19, 9 },	  { 20, 10 },	  { 21, 10 },
		{ 1000, 10 }, { 1099, 10 }, { 1100, 11 }, { 70000, 700 },
	};
	const struct brake_limit *limit = &brake_defaults.removals;
	static const struct brake_limit all = { 0, 100 };

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		uint64_t present = edges[i].present, most = edges[i].most;

		cr_assert_not(brake_holds_removals(limit, present, most), "of %llu",
			      (unsigned long long)present);
		cr_assert(brake_holds_removals(limit, present, most + 1), "of %llu",
			  (unsigned long long)present);
	}
	cr_assert(brake_holds_removals(&all, 1000, 501), "no limit lifts the half");
	cr_assert_not(brake_holds_removals(&all, 1000, 500));
}

Test(brake, archives_of_one_package_are_held_beyond_ten_and_half)
{
	cr_assert_not(brake_holds_archives(10, 10));
	cr_assert_not(brake_holds_archives(11, 10));
	cr_assert(brake_holds_archives(11, 11));
	cr_assert(brake_holds_archives(21, 11));
	cr_assert_not(brake_holds_archives(22, 11));
	cr_assert_not(brake_holds_archives(1500, 750));
	cr_assert(brake_holds_archives(1500, 751));
}

Test(brake, a_listing_may_lose_half_of_its_versions_and_not_more)
{
	cr_assert_not(brake_holds_shrunk(2, 1));
	cr_assert(brake_holds_shrunk(2, 2));
	cr_assert(brake_holds_shrunk(1, 1));
	cr_assert(brake_holds_shrunk(3, 2));
	cr_assert_not(brake_holds_shrunk(1000, 500));
	cr_assert(brake_holds_shrunk(1000, 501));
	cr_assert_not(brake_holds_shrunk(0, 0));
}

Test(brake, one_advisory_may_go_by_itself_and_two_may_not)
{
	cr_assert_not(brake_holds_emptied(0));
	cr_assert_not(brake_holds_emptied(1));
	cr_assert(brake_holds_emptied(2));
}

Test(brake, a_database_that_knows_less_than_half_is_another_one)
{
	cr_assert_not(brake_holds_strangers(3, 0));
	cr_assert(brake_holds_strangers(4, 1));
	cr_assert_not(brake_holds_strangers(4, 2));
	cr_assert(brake_holds_strangers(70000, 34999));
	cr_assert_not(brake_holds_strangers(70000, 35000));
}

Test(brake, a_clock_that_is_far_from_the_newest_object_is_wrong)
{
	int64_t newest = 1700000000 * SECOND_US;

	cr_assert_not(brake_holds_clock(newest, newest));
	cr_assert_not(brake_holds_clock(newest + 30 * DAY_US, newest));
	cr_assert(brake_holds_clock(newest + 30 * DAY_US + 1, newest));
	cr_assert(brake_holds_clock(newest + 365 * DAY_US, newest));
	cr_assert_not(brake_holds_clock(newest - DAY_US, newest));
	cr_assert(brake_holds_clock(newest - DAY_US - 1, newest));
}

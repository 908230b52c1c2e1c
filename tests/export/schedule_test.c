/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule_test.c - when which pass is due (spec, section 13). */
#include <criterion/criterion.h>

#include "../../fs/export/schedule.h"

#define PUT_OFF SCHEDULE_NEVER

static struct schedule s;

/* A full pass and the first scan are behind it. */
static void init(void)
{
	schedule_init(&s, 0);
	schedule_ended(&s, 0, DUE_FULL, PASS_WHOLE);
	schedule_scan(&s, 0);
}

TestSuite(schedule, .init = init);

Test(schedule, it_begins_with_a_full_pass_of_its_own_and_a_scan_of_three_days)
{
	schedule_init(&s, 5);
	cr_assert_eq(schedule_due(&s, 5, false, PUT_OFF), DUE_FULL);
	cr_assert(s.own_full);
	schedule_ended(&s, 5, DUE_FULL, PASS_WHOLE);
	cr_assert_eq(schedule_due(&s, 5, true, PUT_OFF), DUE_SCAN);
	cr_assert_eq(schedule_scan(&s, 5), SCAN_FIRST);
	cr_assert_eq(schedule_due(&s, 5, false, PUT_OFF), DUE_NOTHING);
}

Test(schedule, events_come_first_and_what_was_put_off_when_it_is_due)
{
	cr_assert_eq(schedule_due(&s, 1, true, PUT_OFF), DUE_EVENT);
	cr_assert_eq(schedule_due(&s, 9, false, 10), DUE_NOTHING);
	cr_assert_eq(schedule_due(&s, 10, false, 10), DUE_EVENT);
	cr_assert_eq(schedule_next(&s, 10), 10);
	cr_assert_eq(schedule_next(&s, PUT_OFF), SCAN_EVERY);
}

/* The numbers of the format (section 13). */
Test(schedule, a_scan_looks_three_days_back_then_half_an_hour_and_every_six_hours_a_day)
{
	static const struct {
		int64_t at, window;
	} scans[] = {
		{ 0, 3 * DAY_US },
		{ 10 * MINUTE_US, 30 * MINUTE_US },
		{ 6 * HOUR_US - MINUTE_US, 30 * MINUTE_US },
		{ 6 * HOUR_US + 9 * MINUTE_US, DAY_US },
		{ 12 * HOUR_US + 8 * MINUTE_US, 30 * MINUTE_US },
		{ 12 * HOUR_US + 18 * MINUTE_US, DAY_US },
	};
	struct schedule other;

	schedule_init(&other, 0);
	for (size_t i = 0; i < ARRAY_SIZE(scans); i++)
		cr_assert_eq(schedule_scan(&other, scans[i].at), scans[i].window, "%zu", i);
}

Test(schedule, a_day_has_144_scans_four_of_them_of_a_day_and_one_full_pass)
{
	int scans = 0, of_a_day = 0, full = 0;

	for (int64_t now = SECOND_US; now <= DAY_US; now += SECOND_US) {
		enum due due = schedule_due(&s, now, false, PUT_OFF);

		if (due == DUE_SCAN) {
			int64_t window = schedule_scan(&s, now);

			cr_assert(window == SCAN_SHORT || window == SCAN_LONG);
			scans++;
			of_a_day += window == SCAN_LONG;
		} else if (due == DUE_FULL) {
			cr_assert_not(s.own_full, "any host may do it");
			full++;
			schedule_ended(&s, now, due, PASS_WHOLE);
		}
		cr_assert_eq(schedule_next(&s, PUT_OFF) > now,
			     schedule_due(&s, now, false, PUT_OFF) == DUE_NOTHING);
	}
	cr_assert_eq(full, 1);
	cr_assert(scans == 143 || scans == 144, "%d", scans);
	cr_assert(of_a_day == 3 || of_a_day == 4, "%d", of_a_day);
}

Test(schedule, a_pass_that_was_cut_short_is_repeated_as_what_it_was_after_ever_longer_times)
{
	static const int64_t seconds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300 };
	int64_t now = 7;

	schedule_full(&s, now);
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		int64_t again = now + seconds[i] * SECOND_US;

		cr_assert_eq(schedule_due(&s, now, false, PUT_OFF), DUE_FULL);
		schedule_ended(&s, now, DUE_FULL, PASS_CUT_SHORT);
		cr_assert_eq(s.retry_at, again);
		cr_assert_eq(schedule_next(&s, PUT_OFF), again < SCAN_EVERY ? again : SCAN_EVERY);
		cr_assert_neq(schedule_due(&s, again - 1, false, PUT_OFF), DUE_FULL);
		cr_assert_eq(schedule_due(&s, now + 1, true, PUT_OFF), DUE_EVENT,
			     "changes go on meanwhile");
		schedule_ended(&s, now + 1, DUE_EVENT, PASS_WHOLE);
		now = again;
	}
	schedule_ended(&s, now, DUE_FULL, PASS_WHOLE);
	cr_assert_eq(schedule_due(&s, now, false, PUT_OFF), DUE_SCAN);
	schedule_scan(&s, now);
	cr_assert_eq(schedule_due(&s, now, false, PUT_OFF), DUE_NOTHING);
	schedule_ended(&s, now, DUE_EVENT, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, now + SECOND_US, false, PUT_OFF), DUE_EVENT);
}

Test(schedule, a_full_pass_stays_to_be_repeated_whatever_events_do_meanwhile)
{
	schedule_ended(&s, 0, DUE_FULL, PASS_CUT_SHORT);
	schedule_scan(&s, 0);
	schedule_ended(&s, 0, DUE_EVENT, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, 2 * SECOND_US, false, PUT_OFF), DUE_FULL);
	schedule_ended(&s, 2 * SECOND_US, DUE_FULL, PASS_WHOLE);
	cr_assert_eq(schedule_due(&s, 2 * SECOND_US, false, PUT_OFF), DUE_NOTHING);
}

Test(schedule, a_full_pass_that_is_asked_for_is_this_hosts_and_puts_off_none_that_comes_before)
{
	schedule_ended(&s, 0, DUE_FULL, PASS_WHOLE);
	schedule_scan(&s, 0);
	cr_assert_not(s.own_full);
	schedule_full(&s, 2 * FULL_EVERY);
	cr_assert(s.own_full);
	cr_assert_eq(s.full_at, FULL_EVERY);
	schedule_full(&s, 5);
	cr_assert_eq(schedule_due(&s, 5, false, PUT_OFF), DUE_FULL);
}

Test(schedule, what_was_put_off_waits_after_an_event_pass_that_was_cut_short)
{
	int64_t now = 7;

	schedule_ended(&s, now, DUE_FULL, PASS_WHOLE);
	schedule_scan(&s, now);
	cr_assert_eq(schedule_due(&s, now, false, now), DUE_EVENT);
	schedule_ended(&s, now, DUE_EVENT, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, now, false, now), DUE_NOTHING);
	cr_assert_eq(schedule_next(&s, now), now + SECOND_US);
	cr_assert_eq(schedule_due(&s, now, true, now), DUE_EVENT, "a change does not");
	cr_assert_eq(schedule_due(&s, now + SECOND_US, false, now), DUE_EVENT);
	schedule_ended(&s, now + SECOND_US, DUE_SCAN, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, now + 2 * SECOND_US, false, now), DUE_NOTHING);
	schedule_ended(&s, now + 2 * SECOND_US, DUE_EVENT, PASS_WHOLE);
	cr_assert_eq(schedule_due(&s, now + 2 * SECOND_US, false, now), DUE_EVENT);
	schedule_ended(&s, now + 2 * SECOND_US, DUE_FULL, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, now + 2 * SECOND_US, false, now), DUE_EVENT,
		     "a full one keeps no event waiting");
}

Test(schedule, a_full_pass_that_another_host_does_is_asked_for_again_in_an_hour)
{
	cr_assert_eq(schedule_due(&s, DAY_US, false, PUT_OFF), DUE_FULL);
	schedule_full_taken(&s, DAY_US);
	schedule_scan(&s, DAY_US);
	cr_assert_eq(schedule_due(&s, DAY_US, false, PUT_OFF), DUE_NOTHING);
	s.scan_at = SCHEDULE_NEVER;
	cr_assert_eq(schedule_next(&s, PUT_OFF), DAY_US + HOUR_US);
}

Test(schedule, of_event_passes_alone_nothing_is_due_by_itself_but_one_that_was_cut_short)
{
	schedule_init_events(&s);
	cr_assert_eq(schedule_due(&s, 1000 * DAY_US, false, PUT_OFF), DUE_NOTHING);
	cr_assert_eq(schedule_next(&s, PUT_OFF), SCHEDULE_NEVER);
	cr_assert_eq(schedule_due(&s, 7, true, PUT_OFF), DUE_EVENT);
	cr_assert_eq(schedule_due(&s, 7, false, 7), DUE_EVENT);
	cr_assert_eq(schedule_next(&s, 9), 9);
	schedule_ended(&s, 7, DUE_EVENT, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, 7, false, 7), DUE_NOTHING);
	cr_assert_eq(schedule_due(&s, 7 + SECOND_US, false, PUT_OFF), DUE_EVENT);
	schedule_ended(&s, 7 + SECOND_US, DUE_EVENT, PASS_WHOLE);
	cr_assert_eq(schedule_next(&s, PUT_OFF), SCHEDULE_NEVER);
}

Test(schedule, a_repetition_that_another_host_has_taken_over_is_due_no_more)
{
	schedule_ended(&s, 0, DUE_FULL, PASS_CUT_SHORT);
	cr_assert_eq(schedule_due(&s, SECOND_US, false, PUT_OFF), DUE_FULL);
	schedule_full_taken(&s, SECOND_US);
	cr_assert_eq(schedule_due(&s, SECOND_US, false, PUT_OFF), DUE_EVENT);
	schedule_ended(&s, SECOND_US, DUE_EVENT, PASS_WHOLE);
	cr_assert_eq(schedule_due(&s, SECOND_US, false, PUT_OFF), DUE_NOTHING);
	s.scan_at = SCHEDULE_NEVER;
	cr_assert_eq(schedule_next(&s, PUT_OFF), SECOND_US + HOUR_US);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* clock_test.c - times as text (spec, section 4). */
#include <criterion/criterion.h>
#include <errno.h>

#include "clock.h"
#include "compiler.h"
#include "strbuf.h"

static const struct {
	const char *text, *formatted;
	int64_t us;
} times[] = {
	{ "1970-01-01T00:00:00.000Z", NULL, 0 },
	{ "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", 0 },
	{ "1970-01-01T00:00:00", "1970-01-01T00:00:00.000Z", 0 },
	{ "1970-01-01 00:00:01", "1970-01-01T00:00:01.000Z", 1000000 },
	{ "1969-12-31T23:59:59.999999Z", NULL, -1 },
	{ "2024-01-02T03:04:05.678Z", NULL, 1704164645678000 },
	{ "2024-01-02T03:04:05.678901Z", NULL, 1704164645678901 },
	{ "2024-01-02T03:04:05.6789019Z", "2024-01-02T03:04:05.678901Z", 1704164645678901 },
	{ "2024-01-02T03:04:05.5Z", "2024-01-02T03:04:05.500Z", 1704164645500000 },
	{ "2024-01-02T05:04:05.678+02:00", "2024-01-02T03:04:05.678Z", 1704164645678000 },
	{ "2024-01-02T01:04:05.678-02", "2024-01-02T03:04:05.678Z", 1704164645678000 },
	{ "2024-02-29T00:00:00.000Z", NULL, 1709164800000000 },
	{ "2000-03-01T00:00:00.000Z", NULL, 951868800000000 },
	{ "0000-01-01T00:00:00.000Z", NULL, -62167219200000000 },
	{ "9999-12-31T23:59:59.999999Z", NULL, 253402300799999999 },
};

Test(clock, times_are_read_and_written_as_section_4_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
		int64_t us = 42;

		cr_assert_eq(clock_parse(times[i].text, &us), 0, "%s", times[i].text);
		cr_assert_eq(us, times[i].us, "%s: %lld", times[i].text, (long long)us);
		clock_format(us, &out);
		cr_assert_str_eq(out.buf, times[i].formatted ? times[i].formatted : times[i].text);
	}
}

Test(clock, what_is_no_time_is_refused_and_the_output_untouched)
{
	static const char *const bad[] = {
		"",
		"2024",
		"2024-01-02",
		"2024-13-01T00:00:00Z",
		"2024-00-01T00:00:00Z",
		"2023-02-29T00:00:00Z",
		"1900-02-29T00:00:00Z",
		"2024-01-02T24:00:00Z",
		"2024-01-02T00:60:00Z",
		"2024-01-02T00:00:60Z",
		"2024-01-02T00:00:00.Z",
		"2024-01-02T00:00:00.1234567890Z",
		"2024-01-02T00:00:00ZZ",
		"2024-01-02T00:00:00+",
		"2024-01-02T00:00:00+24:00",
		"2024-01-02T00:00:00+02:00x",
		"2024-1-02T00:00:00Z",
		" 2024-01-02T00:00:00Z",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t us = 42;

		cr_assert_eq(clock_parse(bad[i], &us), -EINVAL, "%s", bad[i]);
		cr_assert_eq(us, 42);
	}
}

Test(clock, a_year_may_have_other_than_four_digits)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ 253402300800000000, "10000-01-01T00:00:00.000Z" },
		{ -62167219200000000, "0000-01-01T00:00:00.000Z" },
		{ -62167219200000001, "-001-12-31T23:59:59.999999Z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);

		clock_format(rows[i].us, &out);
		cr_expect_str_eq(out.buf, rows[i].text, "%s", out.buf);
	}
}

Test(clock, every_day_of_800_years_survives_the_round_trip)
{
	for (int64_t day = -146097; day < 146097; day++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
		int64_t us;

		clock_format(day * DAY_US, &out);
		cr_assert_eq(clock_parse(out.buf, &us), 0, "%s", out.buf);
		cr_assert_eq(us, day * DAY_US, "%s", out.buf);
	}
}

Test(clock, the_rules_clock_is_the_wall_clock_until_it_is_set)
{
	int64_t before = clock_now();

	cr_assert_geq(clock_rules(), before);
	clock_rules_set(7);
	cr_assert_eq(clock_rules(), 7);
	cr_assert_geq(clock_now(), before);
}

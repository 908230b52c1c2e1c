/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.c - the clocks, and times as text. */
#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "strbuf.h"

static int64_t rules_time = INT64_MIN; /* INT64_MIN: the wall clock; set before any thread */

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

int64_t clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until)
{
	const struct timespec at = { .tv_sec = until / SECOND_US,
				     .tv_nsec = until % SECOND_US * 1000 };

	return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &at) != ETIMEDOUT;
}

int64_t clock_rules(void)
{
	return rules_time == INT64_MIN ? clock_now() : rules_time;
}

void clock_rules_set(int64_t us)
{
	rules_time = us;
}

/* Days since 1970-01-01 of a day of the proleptic Gregorian calendar: counted in years that
 * begin in March, so that the leap day is a year's last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static char *put_digits(char *at, int64_t number, int digits)
{
	for (int i = digits; i-- > 0; number /= 10)
		at[i] = (char)('0' + number % 10);
	return at + digits;
}

static char *put_part(char *at, char before, int64_t number)
{
	*at = before;
	return put_digits(at + 1, number, 2);
}

/* By hand: each version of a listing and each entry of a feed has one. */
void clock_format(int64_t us, struct strbuf *out)
{
	char text[sizeof("2026-01-02T03:04:05.678901Z")], *at = text;
	int64_t days = us / DAY_US - (us % DAY_US < 0);
	int64_t rest = us - days * DAY_US, year;
	int month, day, fraction = (int)(rest % SECOND_US);

	civil_from_days(days, &year, &month, &day);
	if (year >= 0 && year <= 9999)
		at = put_digits(at, year, 4);
	else
		strbuf_addf(out, "%04lld", (long long)year);
	at = put_part(at, '-', month);
	at = put_part(at, '-', day);
	at = put_part(at, 'T', rest / HOUR_US);
	at = put_part(at, ':', rest / MINUTE_US % 60);
	at = put_part(at, ':', rest / SECOND_US % 60);
	*at++ = '.';
	at = fraction % 1000 ? put_digits(at, fraction, 6) : put_digits(at, fraction / 1000, 3);
	*at++ = 'Z';
	strbuf_add(out, text, (size_t)(at - text));
}

/* Exactly `digits` digits at *text, which then points behind them; -1: there are not as many. */
static int number(const char **text, int digits)
{
	int n = 0;

	for (int i = 0; i < digits; i++, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return -1;
		n = n * 10 + (**text - '0');
	}
	return n;
}

static bool eat(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Z, +HH, +HHMM, +HH:MM or nothing, up to the end of the text. */
static int zone(const char *text, int64_t *ret)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes = 0;

	if (eat(&text, 'Z') || !*text) {
		*ret = 0;
		return *text ? -EINVAL : 0;
	}
	if (!eat(&text, '+') && !eat(&text, '-'))
		return -EINVAL;
	hours = number(&text, 2);
	if (eat(&text, ':') || *text)
		minutes = number(&text, 2);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || *text)
		return -EINVAL;
	*ret = sign * (hours * HOUR_US + minutes * MINUTE_US);
	return 0;
}

int clock_parse(const char *text, int64_t *ret)
{
	int year, month, day, hour, minute, second;
	int64_t fraction = 0, offset;
	int r;

	year = number(&text, 4);
	if (year < 0 || !eat(&text, '-'))
		return -EINVAL;
	month = number(&text, 2);
	if (month < 1 || month > 12 || !eat(&text, '-'))
		return -EINVAL;
	day = number(&text, 2);
	if (day < 1 || day > days_in_month(year, month) || (!eat(&text, 'T') && !eat(&text, ' ')))
		return -EINVAL;
	hour = number(&text, 2);
	if (hour < 0 || hour > 23 || !eat(&text, ':'))
		return -EINVAL;
	minute = number(&text, 2);
	if (minute < 0 || minute > 59 || !eat(&text, ':'))
		return -EINVAL;
	second = number(&text, 2);
	if (second < 0 || second > 59)
		return -EINVAL;
	if (eat(&text, '.')) {
		int64_t unit = SECOND_US / 10;

		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		for (int i = 0; isdigit((unsigned char)*text); i++, text++, unit /= 10) {
			if (i == 9)
				return -EINVAL;
			fraction += unit * (*text - '0');
		}
	}
	r = zone(text, &offset);
	if (r < 0)
		return r;
	*ret = days_from_civil(year, month, day) * DAY_US + hour * HOUR_US + minute * MINUTE_US +
	       second * SECOND_US + fraction - offset;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule.c - when which pass is due. */
#include "schedule.h"

#include "clock.h"

#define DELAY_MIN SECOND_US
#define DELAY_MAX (5 * MINUTE_US)

static int64_t later(int64_t a, int64_t b)
{
	return a < b ? b : a;
}

void schedule_init(struct schedule *s, int64_t now)
{
	*s = (struct schedule){ .full_at = now,
				.scan_at = now,
				.long_scan_at = now,
				.retry_at = SCHEDULE_NEVER,
				.rest_until = now,
				.delay = DELAY_MIN,
				.own_full = true };
}

void schedule_init_events(struct schedule *s)
{
	*s = (struct schedule){ .full_at = SCHEDULE_NEVER,
				.scan_at = SCHEDULE_NEVER,
				.long_scan_at = SCHEDULE_NEVER,
				.retry_at = SCHEDULE_NEVER,
				.rest_until = INT64_MIN,
				.delay = DELAY_MIN };
}

enum due schedule_due(const struct schedule *s, int64_t now, bool changed, int64_t put_off)
{
	if (now >= s->full_at)
		return DUE_FULL;
	if (now >= s->retry_at)
		return s->retry_full ? DUE_FULL : DUE_EVENT;
	if (now >= s->scan_at)
		return DUE_SCAN;
	return changed || now >= later(put_off, s->rest_until) ? DUE_EVENT : DUE_NOTHING;
}

int64_t schedule_next(const struct schedule *s, int64_t put_off)
{
	return earlier(earlier(s->full_at, s->retry_at),
		       earlier(s->scan_at, later(put_off, s->rest_until)));
}

int64_t schedule_scan(struct schedule *s, int64_t now)
{
	bool first = !s->scanned, is_long = now >= s->long_scan_at;

	s->scanned = true;
	s->scan_at = now + SCAN_EVERY;
	if (is_long)
		s->long_scan_at = now + SCAN_LONG_EVERY;
	return first ? SCAN_FIRST : is_long ? SCAN_LONG : SCAN_SHORT;
}

void schedule_ended(struct schedule *s, int64_t now, enum due kind, enum outcome outcome)
{
	if (outcome == PASS_WHOLE) {
		if (kind == DUE_FULL || !s->retry_full) {
			s->retry_at = SCHEDULE_NEVER;
			s->delay = DELAY_MIN;
		}
		s->rest_until = now;
		if (kind == DUE_FULL) {
			s->full_at = now + FULL_EVERY;
			s->retry_full = s->own_full = false;
		}
		return;
	}
	if (kind == DUE_FULL)
		s->full_at = SCHEDULE_NEVER; /* until the repetition went well */
	else
		s->rest_until = now + s->delay;
	s->retry_full = s->retry_full || kind == DUE_FULL;
	s->retry_at = now + s->delay;
	s->delay = earlier(2 * s->delay, DELAY_MAX);
}

void schedule_full(struct schedule *s, int64_t at)
{
	s->full_at = earlier(s->full_at, at);
	s->own_full = true;
}

void schedule_full_taken(struct schedule *s, int64_t now)
{
	s->full_at = now + FULL_TAKEN;
	s->retry_full = false; /* what is left of a repetition is an event pass's */
}

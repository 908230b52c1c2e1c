/* SPDX-License-Identifier: BSD-3-Clause */
/* schedule.h - when which pass is due. Pure: all times are the caller's, monotonic. */
#ifndef PUBFS_SCHEDULE_H
#define PUBFS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

#define SCHEDULE_NEVER INT64_MAX

/* Spec, section 13. */
#define SCAN_EVERY  (10 * MINUTE_US)
#define SCAN_FIRST  (3 * DAY_US) /* how far back: at first, */
#define SCAN_LONG   DAY_US	 /* once every SCAN_LONG_EVERY, */
#define SCAN_SHORT  (30 * MINUTE_US) /* else */
#define SCAN_LONG_EVERY (6 * HOUR_US)
#define FULL_EVERY  DAY_US
#define FULL_TAKEN  HOUR_US /* another host has done it, or does */

enum due { DUE_NOTHING, DUE_EVENT, DUE_SCAN, DUE_FULL };

enum outcome {
	PASS_WHOLE,	/* all was done that could be */
	PASS_CUT_SHORT, /* the store, the database or the brake ended it */
};

struct schedule {
	int64_t full_at, scan_at, long_scan_at;
	int64_t retry_at, delay; /* of a pass that was cut short */
	int64_t rest_until;	 /* after an event pass that was: what is put off waits, too */
	bool retry_full, scanned;
	bool own_full; /* the next full pass is this host's, whoever else has done one */
};
void schedule_init(struct schedule *s, int64_t now);
/* Of event passes alone. */
void schedule_init_events(struct schedule *s);
/* `changed`: the database did; `put_off`: when packages that were put off are due. */
enum due schedule_due(const struct schedule *s, int64_t now, bool changed, int64_t put_off);
/* When something will be due at the latest. */
int64_t schedule_next(const struct schedule *s, int64_t put_off);
/* How far back the scan that is due looks. */
int64_t schedule_scan(struct schedule *s, int64_t now);
void schedule_ended(struct schedule *s, int64_t now, enum due kind, enum outcome outcome);
/* A full pass no later than that, by this host itself. */
void schedule_full(struct schedule *s, int64_t at);
/* The daily full pass is another host's. */
void schedule_full_taken(struct schedule *s, int64_t now);

#endif

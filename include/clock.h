/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h - the clocks, and times as text (spec, section 4). All times are UTC microseconds. */
#ifndef PUBFS_CLOCK_H
#define PUBFS_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

#define SECOND_US 1000000LL
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US	  (60 * MINUTE_US)
#define DAY_US	  (24 * HOUR_US)

struct strbuf;

/* Wall clock. For TTLs and lock ages, never for what the rules decide. */
int64_t clock_now(void);
/* Never goes back; for durations alone. */
int64_t clock_monotonic(void);

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* As pthread_cond_wait(), which may wake up for nothing, but false when `until` (clock_monotonic())
 * has come. */
bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until);

/* The rules' clock: ages, `validated`, times of publication. The wall clock unless --now set it.
 * Set once, at start, before there is a thread. */
int64_t clock_rules(void);
void clock_rules_set(int64_t us);

/* Appends YYYY-MM-DDTHH:MM:SS.mmmZ, with six digits when microseconds are needed. */
void clock_format(int64_t us, struct strbuf *out);
/* Reads ISO 8601: T or a space between, 0 to 9 digits of fraction (cut to six), then Z, an offset
 * or nothing (= UTC). -EINVAL: not a time of the years 0000 to 9999. */
int clock_parse(const char *text, int64_t *ret) MUST_CHECK;

#endif

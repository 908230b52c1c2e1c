/* SPDX-License-Identifier: BSD-3-Clause */
/* updating.h - an updater on the world of the export, and how a test waits for what it does. */
#ifndef PUBFS_TESTS_EXPORT_UPDATING_H
#define PUBFS_TESTS_EXPORT_UPDATING_H

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "clock.h"
#include "updater.h"
#include "world.h"

#define LISTING	 "latest/api/packages/foo"
#define PATIENCE (60 * SECOND_US) /* far more than it takes; only a broken updater uses it up */

/* Looks again and again until it is so. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                       \
		int64_t patience_ends = clock_monotonic() + PATIENCE;                              \
                                                                                                   \
		while (!(condition)) {                                                             \
			cr_assert_lt(clock_monotonic(), patience_ends, "%s", #condition);          \
			nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);                 \
		}                                                                                  \
	} while (0)

extern struct world w;

void updating_init(void);
void updating_fini(void);

/* Whoever has these options goes by that clock, which stands still unless the test moves it. */
void updating_stop_clock(struct exporter_options *options, atomic_llong *clock);

struct updater *start(void); /* as host "host" */
/* Until so many passes ended; the last one's result. */
int wait_passes(struct updater *u, uint64_t passes);
/* Until the bucket has the text (NULL: does not have the object) at that key. */
void wait_for(const char *key, const char *text);
/* Until it is at rest: both full passes are behind it, and the first scan. */
void wait_quiet(struct updater *u);
void wait_for_lag(struct updater *u, bool lags);
/* Until that is the result of its last pass. */
void wait_for_result(struct updater *u, int result);
/* Until the statement counts that many. */
void wait_for_count(const char *statement, int64_t n);
int64_t lag_of(struct updater *u);
/* Since its start; no names. */
struct export_counts total_of(struct updater *u);
uint64_t passes_of(struct updater *u);

bool is_discontinued(const char *prefix, const char *package); /* in its listing */
/* A host of another deployment, which is live. */
#define OLDER "2020.01.01"
#define NEWER "2027.01.01"
void add_deployment(const char *version);

/* The first changes of the store, or reads, one on each thread, stand still until they are let go.
 */
struct standstill {
	int most; /* that stand; those behind them go on */
	atomic_int standing;
	atomic_bool let_go;
};
void stand_still(struct standstill *still, int most);
void stand_still_at_reads(struct standstill *still, int most);
void let_go(struct standstill *still);

#endif

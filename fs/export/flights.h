/* SPDX-License-Identifier: BSD-3-Clause */
/* flights.h - event passes beside others: run on a pool, begun and ended by one thread. */
#ifndef PUBFS_FLIGHTS_H
#define PUBFS_FLIGHTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "schedule.h"

#define FLIGHTS_MAX 8 /* beyond, changes are gathered until one of them is over */

struct event_pass;
struct export_counts;
struct exporter;
struct pool;

struct flight {
	struct event_pass *pass;
	enum due kind;
	int64_t began; /* exporter_now() */
	char *why;     /* it failed; owned */
	atomic_bool landed, *wake;
};
struct flight *flight_begin(struct exporter *ex, enum due kind);
/* On this thread. */
void flight_run(struct flight *f);
/* The result of its pass; frees it. `ret_why` (owned): why it failed; NULL: it did not, or its end
 * has said it. */
int flight_end(struct flight *f, struct export_counts *ret, char **ret_why);

struct flights {
	struct pool *pool;
	struct flight *places[FLIGHTS_MAX]; /* NULL: free */
	atomic_bool *wake; /* becomes true when one has landed; borrowed */
};
int flights_init(struct flights *flights, atomic_bool *wake) MUST_CHECK;
void flights_release(struct flights *flights); /* when none is under way */
/* Runs it beside the others. False: it has nothing to do, or is to be alone, or there is no place,
 * so the caller runs it. */
bool flights_take(struct flights *flights, struct flight *f) MUST_CHECK;
/* One that has landed, for flight_end(); NULL: none has. */
struct flight *flights_landed(struct flights *flights);
/* Until all have. */
void flights_wait(struct flights *flights);
/* When the first of those that were not ended began; 0: there is none. */
int64_t flights_first(const struct flights *flights);

#endif

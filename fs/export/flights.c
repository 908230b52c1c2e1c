/* SPDX-License-Identifier: BSD-3-Clause */
/* flights.c - event passes beside others: run on a pool, begun and ended by one thread. */
#include "flights.h"

#include <stdlib.h>

#include "export.h"
#include "exporter.h"
#include "log.h"
#include "memory.h"
#include "pool.h"

struct flight *flight_begin(struct exporter *ex, enum due kind)
{
	struct flight *f = xcalloc(1, sizeof(*f));

	f->kind = kind;
	f->began = exporter_now(ex);
	f->pass = event_pass_begin(ex);
	return f;
}

void flight_run(struct flight *f)
{
	if (event_pass_run(f->pass) < 0)
		f->why = xstrdup(log_last_failure());
}

int flight_end(struct flight *f, struct export_counts *ret, char **ret_why)
{
	int r = event_pass_end(f->pass, ret);

	*ret_why = f->why;
	free(f);
	return r;
}

int flights_init(struct flights *flights, atomic_bool *wake)
{
	*flights = (struct flights){ .wake = wake };
	return pool_new(FLIGHTS_MAX, &flights->pool);
}

void flights_release(struct flights *flights)
{
	pool_free(flights->pool);
}

static void run_and_land(void *ctx)
{
	struct flight *f = ctx;
	atomic_bool *wake = f->wake;

	flight_run(f);
	f->landed = true;
	*wake = true;
}

bool flights_take(struct flights *flights, struct flight *f)
{
	size_t i = 0;

	while (i < FLIGHTS_MAX && flights->places[i])
		i++;
	if (i == FLIGHTS_MAX || event_pass_is_idle(f->pass) || event_pass_is_alone(f->pass))
		return false;
	f->wake = flights->wake;
	flights->places[i] = f;
	pool_run(flights->pool, run_and_land, f);
	return true;
}

struct flight *flights_landed(struct flights *flights)
{
	for (size_t i = 0; i < FLIGHTS_MAX; i++)
		if (flights->places[i] && flights->places[i]->landed)
			return steal(flights->places[i]);
	return NULL;
}

void flights_wait(struct flights *flights)
{
	pool_wait(flights->pool);
}

int64_t flights_first(const struct flights *flights)
{
	int64_t first = 0;

	for (size_t i = 0; i < FLIGHTS_MAX; i++) {
		const struct flight *f = flights->places[i];

		if (f && (!first || f->began < first))
			first = f->began;
	}
	return first;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* takedowns.c - how long it takes from the commit of a take-down to the bucket, each counted. */
#include "export.h"

#include "memory.h"

/* Around what is promised, a second, and what an alarm is for. */
const int64_t takedown_bounds[TAKEDOWN_BOUNDS] = {
	SECOND_US / 10, SECOND_US / 4,	SECOND_US / 2,	SECOND_US, 5 * SECOND_US / 2,
	5 * SECOND_US,	10 * SECOND_US, 30 * SECOND_US, MINUTE_US, 5 * MINUTE_US,
};

void takedowns_note(struct takedowns *t, int64_t committed, int64_t read, int64_t since)
{
	int64_t time = read - committed + since;
	struct takedowns one = { .n = 1, .time = time, .max = time };

	if (committed > read || time > DAY_US)
		return;
	for (size_t i = 0; i < TAKEDOWN_BOUNDS; i++)
		one.within[i] = time <= takedown_bounds[i];
	takedowns_add(t, &one);
}

void takedowns_add(struct takedowns *t, const struct takedowns *more)
{
	t->n += more->n;
	t->time += more->time;
	for (size_t i = 0; i < TAKEDOWN_BOUNDS; i++)
		t->within[i] += more->within[i];
	if (t->max < more->max)
		t->max = more->max;
}

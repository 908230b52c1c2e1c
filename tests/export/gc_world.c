/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_world.c - a bucket with packages to be collected, for the tests of collecting. */
#include "gc_world.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "clock.h"
#include "memory.h"

struct world w;
struct export_counts exported;
struct gc_counts counts;
struct gc_options options;
static char *held;

void gc_world_init(void)
{
	world_init(&w);
	clock_rules_set(clock_now());
	held = xasprintf("%s/gc.held", w.folder);
	options = (struct gc_options){
		.db = w.db,
		.store = w.counter,
		.publisher = w.publisher,
		.runtime_version = RUNTIME,
		.accepted = RUNTIME ",2026.06.01",
		.own = true,
		.latest = true,
		.min_age = GC_MIN_AGE,
		.removals = brake_defaults.removals,
		.held = held,
	};
}

void gc_world_release(void)
{
	gc_counts_release(&counts);
	free(held);
	world_release(&w);
}

int collect(void)
{
	gc_counts_release(&counts);
	return gc_run(&options, &counts);
}

void age(void)
{
	clock_rules_set(clock_now() + 2 * DAY_US);
}

void fill(const char *const *names)
{
	for (; *names; names++)
		world_add(&w, *names, "1.0.0");
	world_export_well(&w, &exported);
	free(recorder_take(w.recorder));
	age();
}

void purge(const char *package)
{
	world_sql(&w,
		  "DELETE FROM package_version WHERE package = '%s';"
		  "DELETE FROM package WHERE name = '%s'",
		  package, package);
}

void put(const char *key)
{
	world_put_stray(&w, key);
}

void expect_untouched(int result)
{
	CLEANUP(free_char) char *before = world_keys(&w);

	counter_read(w.counter);
	cr_assert_eq(collect(), result);
	cr_assert_eq(counted_changes(w.counter), 0);
	world_expect_keys(&w, before);
	cr_assert_eq(counts.removed, 0);
}

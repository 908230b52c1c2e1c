/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * idle.c - what an event pass costs where nothing has changed.
 *
 *	idle DATABASE PASSES
 *
 * The database has any number of packages, one of them p1, which is exported to a store in memory.
 * All others are recorded as exported like it, and then so many passes are made. Prints the median
 * of their times, the mean of their processor times (this process, without a server), and how many
 * calls of the stores there were.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "brake.h"
#include "clock.h"
#include "db.h"
#include "export.h"
#include "memory.h"
#include "publish.h"
#include "store.h"
#include "store_links.h"

#define RUNTIME	   "2026.08.18"
#define BATCH	   1000
#define PASSES_MAX 1000

struct recorder {
	const char *url;
	char *keys[2], *renderer;
	struct export_record *records; /* two for each package */
	size_t n, alloc;
};

static struct store *open_store(void)
{
	struct store *driver, *counter;

	if (store_open("mem:", STORE_CREATE, &driver) < 0 || counter_push(driver, &counter) < 0)
		exit(1);
	return counter;
}

static int add_package(void *ctx, const struct work *work)
{
	struct recorder *r = ctx;

	for (size_t k = 0; k < ARRAY_SIZE(r->keys); k++) {
		GROW(r->records, r->n, r->alloc);
		r->records[r->n++] = (struct export_record){
			.prefix = r->keys[k],
			.package = xstrdup(work->package),
			.state = { .change = xstrdup(work->change), .renderer = r->renderer },
		};
	}
	return 0;
}

/* As if all had been exported. */
static void record_all(struct db *db, struct recorder *r)
{
	struct export_state state = { .change = NULL };

	r->keys[0] = export_state_key(RUNTIME, RUNTIME);
	r->keys[1] = export_state_key("latest", RUNTIME);
	if (db_state(db, r->url, r->keys[0], "p1", &state) < 0 || !state.renderer)
		errx(1, "p1 was not exported");
	r->renderer = state.renderer;
	if (db_work(db, r->url, (const char *const *)r->keys, 2, NULL, add_package, r) < 0)
		exit(1);
	for (size_t i = 0; i < r->n; i += BATCH)
		if (db_record(db, r->url, r->records + i, r->n - i < BATCH ? r->n - i : BATCH) < 0)
			exit(1);
}

static int64_t processor_time(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SECOND_US +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void measure(struct exporter *ex, size_t passes, struct store *bucket)
{
	int64_t times[PASSES_MAX], begin = processor_time();
	struct store_counts calls;

	counter_read(bucket);
	for (size_t i = 0; i < passes; i++) {
		struct export_counts counts = { 0 };
		int64_t before = clock_monotonic();

		if (export_changed(ex, &counts) < 0 || counts.packages)
			errx(1, "something had changed");
		times[i] = clock_monotonic() - before;
		export_counts_release(&counts);
	}
	begin = processor_time() - begin;
	qsort(times, passes, sizeof(*times), by_time);
	calls = counter_read(bucket);
	printf("%.1f ms, %.1f ms of processor time, %lu calls of the store\n",
	       (double)times[passes / 2] / 1000, (double)begin / 1000 / (double)passes,
	       calls.stat + calls.read + calls.list + calls.write + calls.copy + calls.touch +
		       calls.remove + calls.refresh);
}

int main(int argc, char **argv)
{
	size_t passes = argc == 3 ? (size_t)atoi(argv[2]) : 0;
	struct exporter_options options = {
		.rendering = { .base_url = "https://pub.example.com" },
		.runtime_version = RUNTIME,
		.own = true,
		.latest = true,
		.deployment = true,
		.jobs = 1,
		.limits = brake_defaults,
	};
	char p1[] = "p1", *const names[] = { p1 };
	struct export_counts counts = { 0 };
	struct publisher *publisher;
	struct recorder recorder = { .url = NULL };
	struct exporter *ex;
	struct db *db;

	if (!passes || passes > PASSES_MAX)
		errx(2, "usage: idle DATABASE PASSES");
	options.store = open_store();
	options.archives = open_store();
	if (publisher_new(&(struct publisher_options){ .store = options.store }, &publisher) < 0 ||
	    db_open(argv[1], DB_OPEN, &db) < 0)
		return 1;
	options.db = db;
	options.publisher = publisher;
	recorder.url = options.store->url;
	if (exporter_new(&options, &ex) < 0)
		return 1;
	exporter_set_latest(ex, true, true);
	if (export_named(ex, names, 1, &counts) < 0)
		return 1;
	export_counts_release(&counts);
	record_all(db, &recorder);
	measure(ex, passes, options.store);
	exporter_free(ex);
	publisher_free(publisher);
	db_close(db);
	store_close(options.store);
	store_close(options.archives);
	return 0; /* the records are let go with the process */
}

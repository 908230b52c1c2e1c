/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * postgresql_stress.c - the connections to PostgreSQL under more threads than there are, for the
 * thread sanitizer (under which Criterion dies), while another one cuts them all again and again.
 *
 * Whatever they do to each other:
 *	an answer is one of those that the headers name
 *	what was answered as written is there, once
 *	of the owners of leases, one at a time has a name
 *	a wait ends by a change, its time or the stop
 */
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "compiler.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "server.h"

#define THREADS	   12 /* and 8 connections */
#define OPERATIONS 60
#define PACKAGES   6
#define NAMES	   4
#define CUT_NS	   (100 * 1000 * 1000L)
#define PREFIX	   "latest/2026.08.18"

struct worker {
	unsigned number, state; /* of its random numbers */
	char *owner;
};

static struct db *db;
static atomic_int failures, written, unsure;
static atomic_uint holders[NAMES]; /* worker's number + 1; 0: nobody */
static atomic_bool done;

static void expect(bool ok, const char *what, int r)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %d\n", what, r);
	failures++;
}

static unsigned draw(struct worker *w, unsigned below)
{
	return (unsigned)rand_r(&w->state) % below;
}

/* A version of its own, which nobody else writes. */
static void put_version(struct worker *w, unsigned round)
{
	CLEANUP(free_char) char *package = xasprintf("p%u", draw(w, PACKAGES));
	CLEANUP(free_char) char *version = xasprintf("%u.%u.0", w->number, round);
	char pubspec[] = "{}";
	struct package_version v = { .version = version, .pubspec = pubspec, .pubspec_len = 2 };
	bool within = draw(w, 2);
	int r = within ? db_begin(db) : 0;

	if (r < 0) {
		expect(r == -EIO, "begin", r);
		return;
	}
	r = db_put_version(db, package, &v, false);
	expect(r == 1 || r == -EIO, "put", r);
	if (within && r == 1 && draw(w, 4)) {
		r = db_commit(db);
		expect(!r || r == -EIO, "commit", r);
		r = r ? r : 1;
	} else if (within) {
		db_rollback(db);
		return;
	}
	written += r == 1;
	unsure += r < 0; /* a commit whose answer was lost */
}

static int count_version(void *ctx, const char *package, const char *version)
{
	(void)package;
	*(int *)ctx += version != NULL;
	return 0;
}

static int see_work(void *ctx, const struct work *work)
{
	(void)ctx;
	return strlen(work->change) < 18 ? -EINVAL : 0;
}

static void read_rows(struct worker *w, unsigned round)
{
	static const char *const prefixes[] = { PREFIX };
	CLEANUP(free_char) char *package = xasprintf("p%u", draw(w, PACKAGES));
	struct package pkg;
	uint64_t n;
	int r, versions = 0;

	(void)round;
	package_init(&pkg);
	r = db_package(db, package, &pkg);
	expect(!r || r == -ENOENT || r == -EIO, "package", r);
	package_release(&pkg);
	r = db_count(db, &n);
	expect(!r || r == -EIO, "count", r);
	r = db_work(db, "dir:/b", prefixes, 1, draw(w, 2) ? "renderer" : NULL, see_work, NULL);
	expect(!r || r == -EIO, "work", r);
	r = db_names(db, count_version, &versions);
	expect(!r || r == -EIO, "names", r);
}

static void share(struct worker *w, unsigned round)
{
	static const char *const prefixes[] = { PREFIX };
	unsigned i = draw(w, NAMES), nobody = 0;
	char *name = xasprintf("n%u", i);
	const struct lease lease = { .store = "dir:/b",
				     .runtime_version = "2026.08.18",
				     .owner = w->owner,
				     .duration = HOUR_US,
				     .prefixes = prefixes };
	enum claim claim = CLAIM_TAKEN;
	int r = db_claim(db, &lease, &name, 1, &claim);

	(void)round;
	expect(!r || r == -EIO, "claim", r);
	if (!r && claim == CLAIM_MINE) {
		expect(atomic_compare_exchange_strong(&holders[i], &nobody, w->number + 1),
		       "a name that somebody has", (int)i);
		expect(!db_renew(db, &lease), "renew", (int)i);
		holders[i] = 0;
		expect(!db_release(db, &lease, &name, 1), "release", (int)i);
	}
	free(name);
}

static void record(struct worker *w, unsigned round)
{
	CLEANUP(free_char) char *package = xasprintf("p%u", draw(w, PACKAGES));
	CLEANUP(free_char) char *change = xasprintf("%u-0123456789abcdef", round + 1);
	char renderer[] = "renderer";
	const struct export_record one = { .prefix = PREFIX,
					   .package = package,
					   .state = { .change = change, .renderer = renderer } };
	struct export_state state = { .change = NULL };
	int r = db_record(db, "dir:/b", &one, 1);

	expect(!r || r == -EIO, "record", r);
	r = db_state(db, "dir:/b", PREFIX, package, &state);
	expect(!r || r == -ENOENT || r == -EIO, "state", r);
	export_state_release(&state);
}

static void wait_for_change(struct worker *w, unsigned round)
{
	uint64_t seen = 0;
	int r = db_changed(db, &seen);

	(void)round;
	expect(!r || r == -EIO, "changed", r);
	r = db_wait(db, (int64_t)draw(w, 20) * 1000, &done, &seen);
	expect(!r || r == 1 || r == -EIO, "wait", r);
}

static void (*const operations[])(struct worker *w, unsigned round) = {
	put_version, put_version, read_rows, share, record, wait_for_change,
};

static void *work(void *ctx)
{
	struct worker *w = ctx;

	log_set_mute(true);
	for (unsigned i = 0; i < OPERATIONS; i++)
		operations[draw(w, ARRAY_SIZE(operations))](w, i);
	return NULL;
}

/* Every connection ends, but for this one. */
static void *cut(void *ctx)
{
	const struct timespec nap = { .tv_nsec = CUT_NS };
	PGconn *conn = ctx;

	while (!done) {
		nanosleep(&nap, NULL);
		PQclear(PQexec(conn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
				     " WHERE application_name = 'pubfs'"));
	}
	return NULL;
}

static void run(PGconn *conn, unsigned seed)
{
	struct worker workers[THREADS];
	pthread_t threads[THREADS], cutter;

	if (pthread_create(&cutter, NULL, cut, conn))
		abort();
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ i, seed + i, xasprintf("host/%u", i) };
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			abort();
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		free(workers[i].owner);
	}
	done = true;
	pthread_join(cutter, NULL);
}

static void check_rows(void)
{
	int versions = 0, r = db_names(db, count_version, &versions);

	expect(!r, "names", r);
	expect(versions >= written && versions <= written + unsure, "rows", versions);
	printf("%d written, %d not known, %d there: %d failures\n", written, unsure, versions,
	       failures);
}

static void ignore(void *unused, const char *text)
{
	(void)unused;
	(void)text;
}

int main(void)
{
	unsigned seed = (unsigned)clock_now();
	CLEANUP(free_char) char *url = NULL, *info = NULL;
	PGconn *conn;

	if (!server_start()) {
		const char *ci = getenv("CI");

		server_stop();
		return ci && !strcmp(ci, "true") ? 1 : 77;
	}
	url = server_url("postgres");
	info = xasprintf("%s dbname=postgres", server_conninfo());
	conn = PQconnectdb(info);
	PQsetNoticeProcessor(conn, ignore, NULL);
	printf("seed %u: ", seed);
	if (db_open(url, DB_CREATE, &db) < 0) {
		failures++;
	} else {
		run(conn, seed);
		check_rows();
		db_close(db);
	}
	PQfinish(conn);
	server_stop();
	return failures ? 1 : 0;
}

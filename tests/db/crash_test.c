/* SPDX-License-Identifier: BSD-3-Clause */
/* crash_test.c - the server crashes and comes back; alone in its program, since it does so for
 * all. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "server.h"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(crash, .init = open_world, .fini = close_world);

#define VERSIONS 200

static atomic_int put_so_far;

static void *put_many(void *unused)
{
	(void)unused;
	for (int i = 0; i < VERSIONS; i++) {
		CLEANUP(free_char) char *version = xasprintf("1.0.%d", i);
		CLEANUP(package_version_release)
		struct package_version v = version_row(version, "{}", 0);

		/* whose commit was made though its answer was lost is there already */
		while (db_put_version(w.db, "p", &v, false) < 0)
			;
		atomic_store(&put_so_far, i);
	}
	return NULL;
}

Test(crash, what_was_answered_is_there_after_a_crash_and_writing_goes_on)
{
	struct package pkg;
	pthread_t thread;
	uint64_t seen;

	cr_assert_eq(db_changed(w.db, &seen), 0);
	cr_assert_eq(pthread_create(&thread, NULL, put_many, NULL), 0);
	for (int crash = 1; crash <= 3; crash++) {
		while (atomic_load(&put_so_far) < crash * VERSIONS / 4)
			sched_yield();
		server_kill();
		cr_assert(server_start());
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(db_wait(w.db, MINUTE_US, NULL, &seen), 1);
	cr_assert_eq(db_package(w.db, "p", &pkg), 0);
	cr_assert_eq(pkg.n_versions, VERSIONS);
	package_release(&pkg);
	PQreset(w.conn);
	sql(&w, "SET search_path = pubfs, public");
	cr_assert_eq(count_of(&w, "p"), VERSIONS + 1);
}

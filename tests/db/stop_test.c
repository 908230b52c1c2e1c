/* SPDX-License-Identifier: BSD-3-Clause */
/* stop_test.c - a server that stands still in the middle of a call: who waits ends with the program,
 * and who has seen enough waits for nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../fs/db/postgresql.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "proxy.h"

#define PACKAGES 20000

static struct world w;
static struct proxy *proxy;
static atomic_bool cancel;

static void open_world(void)
{
	CLEANUP(free_char) char *url = NULL;

	world_open(&w);
	proxy = proxy_start();
	url = xasprintf("postgresql://pubfs_test@/%s?host=%s", w.path, proxy_folder(proxy));
	/* more than fits between the two */
	sql(&w, "ALTER TABLE package DISABLE TRIGGER USER;"
		"INSERT INTO package (name) SELECT repeat('p', 50) || n FROM generate_series(1, %d) n",
	    PACKAGES);
	db_close(w.db);
	cr_assert_eq(db_open_in(url, NULL, DB_OPEN, &cancel, &w.db), 0);
}

static void close_world(void)
{
	db_close(w.db);
	w.db = NULL;
	proxy_stop(proxy);
	world_close(&w);
}

/* Without it, these would wait for ever. */
TestSuite(stop, .init = open_world, .fini = close_world, .timeout = 60);

static int see_enough(void *unused, const char *package, const char *version)
{
	(void)unused;
	(void)package;
	(void)version;
	return -ECANCELED;
}

Test(stop, a_caller_who_has_seen_enough_waits_for_no_server)
{
	int connections = proxy_connections(proxy);
	uint64_t n;

	cr_assert_eq(db_names(w.db, see_enough, NULL), -ECANCELED);
	cr_assert_eq(db_count(w.db, &n), 0);
	cr_assert_eq(n, PACKAGES);
	cr_assert_leq(proxy_connections(proxy), connections + 2, "none for a cancel request");
}

static int see_it_stand_still(void *unused, const char *package, const char *version)
{
	(void)unused;
	(void)package;
	(void)version;
	proxy_stand_still(proxy);
	return -ECANCELED;
}

Test(stop, a_caller_who_has_seen_enough_waits_for_no_server_that_stands_still)
{
	cr_assert_eq(db_names(w.db, see_it_stand_still, NULL), -ECANCELED);
}

Test(stop, in_a_transaction_the_rest_is_read_and_what_follows_is_done)
{
	CLEANUP(package_version_release) struct package_version v = version_row("1.0.0", "{}", 0);

	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(db_names(w.db, see_enough, NULL), -ECANCELED);
	cr_assert_eq(db_put_version(w.db, "p1", &v, false), 1);
	cr_assert_eq(db_commit(w.db), 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "1");
}

static int send_large(struct link *link, void *text)
{
	return link_run(link, "SELECT length($1)", "s", (const char *)text);
}

static atomic_int answer;

static void *call_with_large(void *text)
{
	answer = postgresql_call((struct postgresql *)w.db, CALL_ONE, "read", send_large, text);
	return NULL;
}

/* More than the kernel takes from a program whose reader does not read. */
#define LARGE ((size_t)32 << 20)

Test(stop, a_statement_that_the_server_does_not_take_ends_with_the_program)
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	CLEANUP(free_char) char *text = xcalloc(1, LARGE + 1);
	pthread_t thread;

	memset(text, ' ', LARGE);
	call_with_large(text);
	cr_assert_eq(answer, 1, "a row");
	proxy_stand_still(proxy);
	cr_assert_eq(pthread_create(&thread, NULL, call_with_large, text), 0);
	nanosleep(&nap, NULL); /* it is right, too, if it comes too early */
	cancel = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(answer, -ECANCELED);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* loss_test.c - a server that goes away, comes back, is another one, hangs or refuses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../fs/db/postgresql.h"
#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "server.h"
#include "strbuf.h"

static struct world w;
static PGconn *admin;

static void open_world(void)
{
	world_open(&w);
	admin = raw_connect("postgres");
}

static void close_world(void)
{
	PQfinish(admin);
	world_close(&w);
}

TestSuite(loss, .init = open_world, .fini = close_world);

static void order(const char *text, ...) __attribute__((format(printf, 1, 2)));
static void order(const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	PGresult *result;
	va_list ap;

	va_start(ap, text);
	cr_assert_geq(vasprintf(&statement, text, ap), 0);
	va_end(ap);
	result = PQexec(admin, statement);
	cr_assert(PQresultStatus(result) == PGRES_COMMAND_OK ||
			  PQresultStatus(result) == PGRES_TUPLES_OK,
		  "%s: %s", statement, PQerrorMessage(admin));
	PQclear(result);
}

/* Every connection to the database ends. */
static void cut(void)
{
	order("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '%s'"
	      " AND application_name = 'pubfs'",
	      w.path);
}

static void allow(bool allowed)
{
	order("ALTER DATABASE %s ALLOW_CONNECTIONS %s", w.path, allowed ? "true" : "false");
}

static int put(const char *version)
{
	CLEANUP(package_version_release) struct package_version v = version_row(version, "{}", 0);

	return db_put_version(w.db, "p", &v, false);
}

Test(loss, a_connection_that_was_lost_is_made_anew)
{
	uint64_t n, seen;
	struct package pkg;

	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(db_changed(w.db, &seen), 0);
	cr_assert_eq(db_wait(w.db, 0, NULL, &seen), 0, "one that listens is there, too");
	cut();
	cr_assert_eq(db_count(w.db, &n), 0);
	cut();
	cr_assert_eq(put("2.0.0"), 1);
	cut();
	cr_assert_eq(db_package(w.db, "p", &pkg), 0);
	cr_assert_eq(pkg.n_versions, 2);
	package_release(&pkg);
	cut();
	cr_assert_eq(db_wait(w.db, MINUTE_US, NULL, &seen), 1);
}

static void *let_in(void *unused)
{
	(void)unused;
	allow(true);
	return NULL;
}

Test(loss, a_call_waits_for_a_server_that_is_away_and_loses_nothing)
{
	pthread_t thread;
	uint64_t n;

	allow(false);
	cut();
	cr_assert_eq(pthread_create(&thread, NULL, let_in, NULL), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(db_count(w.db, &n), 0);
	cr_assert_eq(n, 1);
}

Test(loss, when_its_patience_is_over_a_call_says_why_and_the_next_one_tries_again)
{
	uint64_t n;

	((struct postgresql *)w.db)->patience = 100 * 1000;
	allow(false);
	cut();
	cr_assert_eq(db_count(w.db, &n), -EIO);
	cr_assert(said("cannot read the database", "not currently accepting connections", NULL));
	allow(true);
	cr_assert_eq(db_count(w.db, &n), 0);
}

static atomic_bool cancel;
static atomic_int answer;

static void *count_rows(void *unused)
{
	uint64_t n;

	(void)unused;
	answer = db_count(w.db, &n);
	return NULL;
}

static void *put_row(void *unused)
{
	(void)unused;
	answer = put("1.0.0");
	return NULL;
}

/* Sets `cancel` when the thread waits, and gives its result back. */
static int cancel_in(void *(*call)(void *))
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	pthread_t thread;

	w.db->cancel = &cancel;
	answer = 1;
	cr_assert_eq(pthread_create(&thread, NULL, call, NULL), 0);
	nanosleep(&nap, NULL); /* it is right, too, if it comes too early */
	cr_assert_eq(answer, 1);
	cancel = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	return answer;
}

/* Without it, these would wait for an hour. */
Test(loss, a_call_that_waits_for_a_server_ends_with_the_program, .timeout = 60)
{
	uint64_t n;

	((struct postgresql *)w.db)->patience = HOUR_US;
	allow(false);
	cut();
	cr_assert_eq(cancel_in(count_rows), -ECANCELED);
	allow(true);
	cr_assert_eq(db_count(w.db, &n), 0, "what can be done at once is done");
	cr_assert_eq(put("1.0.0"), 1);
}

Test(loss, a_statement_that_waits_ends_with_the_program, .timeout = 60)
{
	sql(&w, "BEGIN; LOCK TABLE package");
	cr_assert_eq(cancel_in(put_row), -ECANCELED);
	sql(&w, "COMMIT");
	cr_assert_eq(put("1.0.0"), 1, "another connection is as good");
}

Test(loss, a_transaction_that_lost_its_connection_is_undone_and_says_so)
{
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cut();
	cr_assert_eq(put("2.0.0"), -EIO);
	cr_assert(said("cannot write the database", NULL));
	cr_assert_eq(db_commit(w.db), -EIO);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(db_commit(w.db), 0);
	cr_assert_eq(db_begin(w.db), 0);
	cut();
	db_rollback(w.db);
	cr_assert_eq(put("2.0.0"), 1);
}

Test(loss, a_transaction_that_failed_takes_nothing_more_and_cannot_be_committed)
{
	CLEANUP(package_version_release) struct package_version v = version_row("1.0.0", "{}", 0);

	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(db_put_version(w.db, "no/name", &v, false), -EINVAL);
	cr_assert_lt(put("2.0.0"), 0);
	cr_assert_eq(db_commit(w.db), -EIO);
	cr_assert(said("undone", NULL));
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
}

static int cut_at_first(void *ctx, const char *package, const char *version)
{
	(void)package;
	(void)version;
	if (++*(int *)ctx == 1)
		cut();
	return 0;
}

Test(loss, rows_that_were_handed_on_are_not_handed_on_again)
{
	int calls = 0;

	/* more than the buffers between server and client hold */
	sql(&w, "INSERT INTO package_version (package, version, pubspec)"
		" SELECT 'p', repeat('1', 60) || n, '{}' FROM generate_series(1, 100000) n");
	cr_assert_eq(db_names(w.db, cut_at_first, &calls), -EIO);
	cr_assert_lt(calls, 100000);
}

static int read_timeout(struct link *link, void *ctx)
{
	PGresult *result = NULL;
	int r = link_ask(link, &result, "SHOW statement_timeout", NULL);

	*(char **)ctx = r < 0 ? NULL : xstrdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	return r;
}

static char *timeout_of(struct db *db)
{
	char *ret;

	cr_assert_eq(postgresql_call((struct postgresql *)db, CALL_ONE, "read", read_timeout, &ret),
		     0);
	return ret;
}

Test(loss, a_statement_that_waits_too_long_is_ended)
{
	CLEANUP(free_char) char *usual = timeout_of(w.db), *said_so = NULL;
	CLEANUP(free_char) char *url = xasprintf("%s&options=-c%%20statement_timeout%%3D200ms", w.url);
	struct db *impatient = NULL;
	uint64_t n;

	cr_assert_eq(db_open(url, DB_OPEN, &impatient), 0);
	said_so = timeout_of(impatient);
	cr_assert_str_eq(usual, "1min");
	cr_assert_str_eq(said_so, "200ms");
	sql(&w, "BEGIN; LOCK TABLE package IN ACCESS EXCLUSIVE MODE");
	cr_assert_eq(db_count(impatient, &n), -EIO);
	cr_assert(said("statement timeout", "another program may have kept it locked", NULL));
	sql(&w, "ROLLBACK");
	cr_assert_eq(db_count(impatient, &n), 0);
	db_close(impatient);
}

Test(loss, a_database_that_became_read_only_is_refused)
{
	order("ALTER DATABASE %s SET default_transaction_read_only = on", w.path);
	cut();
	cr_assert_eq(put("1.0.0"), -EACCES);
	cr_assert(said("read-only", NULL));
	db_close(w.db);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EACCES);
	cr_assert(said("cannot be written", "pubfs keeps there what it exported", NULL));
	w.db = NULL;
}

Test(loss, of_several_hosts_the_one_that_answers_is_taken)
{
	CLEANUP(free_char) char *folder = xstrdup(strstr(w.url, "host=") + 5);
	CLEANUP(free_char)
	char *url = xasprintf("postgresql:///%s?host=/nowhere,%s&user=pubfs_test", w.path, folder);
	uint64_t n;

	db_close(w.db);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	cut();
	cr_assert_eq(db_count(w.db, &n), 0);
}

static atomic_int done;

static void *call_many(void *unused)
{
	(void)unused;
	for (int i = 0; i < 20; i++) {
		struct package pkg;

		if (db_package(w.db, "p", &pkg) == 0) {
			atomic_fetch_add(&done, 1);
			package_release(&pkg);
		}
	}
	return NULL;
}

Test(loss, many_threads_share_a_few_connections)
{
	pthread_t threads[40];

	cr_assert_eq(put("1.0.0"), 1);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, call_many, NULL), 0);
	cut();
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_eq(atomic_load(&done), 40 * 20);
	cr_assert_leq(atoi(ask(&w, "SELECT count(*) FROM pg_stat_activity WHERE datname = '%s'"
				   " AND application_name = 'pubfs'",
			       w.path)),
		      LINKS_MAX);
}

Test(loss, no_password_is_ever_said)
{
	static const char *const urls[] = {
		"postgresql://u:secret@/nowhere?host=/nowhere",
		"postgres://u:secret@127.0.0.1:1/db",
		"postgresql:///db?host=/nowhere&password=secret",
		"postgresql://u:secret@h/db?sslmode=bogus",
		"postgresql://u:secret%zz@h/db",
		"postgresql://u:secret@h:port:secret/db?x=secret",
		"postgresq://u:secret@h/db",
		"mysql:secret",
	};

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct db *db = NULL;

		cr_assert_lt(db_open(urls[i], DB_OPEN, &db), 0, "%s", urls[i]);
		cr_assert_not(said("secret", NULL), "%s", urls[i]);
	}
}

Test(loss, a_schema_of_another_version_is_refused_with_the_command_that_helps)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);

	cr_assert_eq(put("1.0.0"), 1);
	db_close(w.db);
	w.db = NULL;
	sql(&w, "UPDATE schema_version SET version = 1; DROP TABLE lease;"
		"ALTER TABLE deployment DROP COLUMN base_url, DROP COLUMN shadow");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EIO);
	cr_assert(said("schema version 1", "pubfs schema postgresql | psql", NULL));
	cr_assert_eq(db_schema("postgresql", NULL, &ddl), 0);
	sql(&w, "%s", ddl.buf);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_eq(count_of(&w, "p"), 2);
	db_close(w.db);
	w.db = NULL;
	sql(&w, "UPDATE schema_version SET version = 9");
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), -EIO);
	cr_assert(said("schema version 9", "use the pubfs that it belongs to", NULL));
	cr_assert_not(sql_is_taken(&w, ddl.buf), "nor does our DDL touch it");
	sql(&w, "ROLLBACK");
}

Test(loss, a_schema_has_any_name_and_two_of_them_nothing_to_do_with_each_other)
{
	static const char name[] = "My \"Own\" schema";
	struct db *other = NULL;
	uint64_t n, seen;

	cr_assert_eq(db_open_in(w.url, name, DB_OPEN, &other), -ENOENT);
	cr_assert(said("pubfs load", "pubfs schema postgresql", NULL));
	cr_assert_eq(db_open_in(w.url, name, DB_CREATE, &other), 0);
	cr_assert_eq(db_changed(other, &seen), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(db_count(other, &n), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(db_wait(other, 0, NULL, &seen), 0);
	sql(&w, "INSERT INTO \"My \"\"Own\"\" schema\".package (name) VALUES ('q')");
	cr_assert_eq(db_wait(other, MINUTE_US, NULL, &seen), 1);
	db_close(other);
}

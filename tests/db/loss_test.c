/* SPDX-License-Identifier: BSD-3-Clause */
/* loss_test.c - a server that goes away, comes back, is another one, hangs or refuses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../fs/db/postgresql.h"
#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "proxy.h"
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
static int told_to_stop(void *(*call)(void *))
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	pthread_t thread;

	answer = 1;
	cr_assert_eq(pthread_create(&thread, NULL, call, NULL), 0);
	nanosleep(&nap, NULL); /* it is right, too, if it comes too early */
	cr_assert_eq(answer, 1);
	cancel = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	return answer;
}

static int cancel_in(void *(*call)(void *))
{
	w.db->cancel = &cancel;
	return told_to_stop(call);
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

struct refusal {
	const char *state;
	int tries;
};

/* What the server says to the first try; the second one goes well. */
static int be_refused_once(struct link *link, void *ctx)
{
	struct refusal *refusal = ctx;
	CLEANUP(free_char)
	char *sql = xasprintf("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$",
			      refusal->state);

	return refusal->tries++ ? 0 : link_run(link, sql, "");
}

Test(loss, what_passes_is_tried_again_and_what_does_not_is_said_with_what_helps)
{
	static const struct {
		const char *state;
		int answer;
		const char *hint;
	} rows[] = {
		{ "08006", 0, NULL },	   { "57P01", 0, NULL },
		{ "57P03", 0, NULL },	   { "53300", 0, NULL },
		{ "40001", 0, NULL },	   { "40P01", 0, NULL },
		{ "25006", -EACCES, "pubfs keeps there" }, { "42501", -EACCES, "POSTGRESQL" },
		{ "42P01", -EIO, "pubfs check" },	   { "42703", -EIO, "pubfs check" },
		{ "42883", -EIO, "pubfs check" },	   { "55P03", -EIO, "kept it locked" },
		{ "57014", -EIO, "kept it locked" },	   { "22P02", -EINVAL, ": no" },
		{ "23505", -EINVAL, ": no" },		   { "54001", -E2BIG, ": no" },
		{ "XX000", -EIO, ": no" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct refusal refusal = { .state = rows[i].state };
		int r = postgresql_call((struct postgresql *)w.db, CALL_WRITE, "write",
					be_refused_once, &refusal);

		cr_assert_eq(r, rows[i].answer, "%s: %d", rows[i].state, r);
		cr_assert_eq(refusal.tries, r ? 1 : 2, "%s", rows[i].state);
		cr_assert(!r || said("cannot write the database", rows[i].hint, NULL), "%s",
			  rows[i].state);
	}
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

Test(loss, a_commit_that_the_server_refuses_was_not_made)
{
	CLEANUP(free_char)
	char *url = xasprintf("%s&options=-c%%20default_transaction_isolation%%3Dserializable",
			      w.url);

	cr_assert_eq(put("1.0.0"), 1);
	db_close(w.db);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("2.0.0"), 1);
	/* another one reads what this one writes, and writes what this one has read */
	sql(&w, "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM package_version;"
		"INSERT INTO package_version (package, version, pubspec)"
		" VALUES ('p', '3.0.0', '{}'); COMMIT");
	cr_assert_eq(db_commit(w.db), -EIO);
	cr_assert(said("could not serialize access", NULL), "%s", log_last_failure());
	cr_assert_not(said("may have been made", NULL));
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "2");
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

/* A host that lets everybody in, and never says anything. */
struct silent {
	char folder[32], *socket;
	int fd;
};

static void make_folder(struct silent *s)
{
	*s = (struct silent){ .folder = "/tmp/pubfs-silent-XXXXXX", .fd = -1 };
	cr_assert_not_null(mkdtemp(s->folder));
	s->socket = xasprintf("%s/.s.PGSQL.5432", s->folder);
}

static void fall_silent(struct silent *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->socket);
	s->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(s->fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(s->fd, 16), 0);
}

static void end_silent(struct silent *s)
{
	close(s->fd);
	unlink(s->socket);
	rmdir(s->folder);
	free(s->socket);
}

/* On hosts of which the first one is not there yet. */
static void open_on(const struct silent *s, const char *timeout)
{
	CLEANUP(free_char) char *folder = xstrdup(strstr(w.url, "host=") + 5);
	CLEANUP(free_char)
	char *url = xasprintf("postgresql:///%s?host=%s,%s&user=pubfs_test&connect_timeout=%s",
			      w.path, s->folder, folder, timeout);

	db_close(w.db);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	cut();
}

Test(loss, a_host_that_does_not_answer_is_passed_over)
{
	struct silent s;
	uint64_t n;

	make_folder(&s);
	open_on(&s, "1");
	fall_silent(&s);
	cr_assert_eq(db_count(w.db, &n), 0);
	((struct postgresql *)w.db)->patience = 0;
	allow(false);
	cut();
	cr_assert_eq(db_count(w.db, &n), -EIO);
	cr_assert(said(": terminating connection due to administrator command", NULL), "%s",
		  log_last_failure());
	cr_assert_eq(db_count(w.db, &n), -EIO);
	cr_assert(said(s.folder, " does not answer; ", "not currently accepting", NULL), "%s",
		  log_last_failure());
	allow(true);
	end_silent(&s);
}

/* Without it, these would wait for ever. */
Test(loss, to_wait_for_a_host_that_does_not_answer_ends_with_the_program, .timeout = 60)
{
	struct silent s;

	make_folder(&s);
	open_on(&s, "0");
	fall_silent(&s);
	cr_assert_eq(cancel_in(count_rows), -ECANCELED);
	end_silent(&s);
}

static void *wait_long(void *unused)
{
	uint64_t seen = 0;

	(void)unused;
	answer = db_wait(w.db, HOUR_US, &cancel, &seen);
	return NULL;
}

Test(loss, to_wait_for_a_change_stops_though_a_host_does_not_answer, .timeout = 60)
{
	struct silent s;

	make_folder(&s);
	open_on(&s, "0");
	fall_silent(&s);
	cr_assert_eq(told_to_stop(wait_long), 0);
	end_silent(&s);
}

static struct silent quiet;

static void *open_silent(void *unused)
{
	CLEANUP(free_char)
	char *url = xasprintf("postgresql:///x?host=%s&connect_timeout=0", quiet.folder);
	struct db *db = NULL;

	(void)unused;
	answer = db_open_in(url, NULL, DB_OPEN, &cancel, &db);
	return NULL;
}

Test(loss, to_open_a_database_ends_with_the_program, .timeout = 60)
{
	make_folder(&quiet);
	fall_silent(&quiet);
	cr_assert_eq(told_to_stop(open_silent), -ECANCELED);
	end_silent(&quiet);
}

static bool is_told_to_stop(void *ctx)
{
	return atomic_load((atomic_bool *)ctx);
}

static void *open_silent_for_somebody(void *ctx)
{
	CLEANUP(free_char)
	char *url = xasprintf("postgresql:///x?host=%s&connect_timeout=0", quiet.folder);
	struct db *db = NULL;

	(void)ctx;
	interrupt_set(is_told_to_stop, &cancel);
	answer = db_open(url, DB_OPEN, &db);
	return NULL;
}

Test(loss, a_call_for_which_nobody_waits_ends, .timeout = 60)
{
	make_folder(&quiet);
	fall_silent(&quiet);
	cr_assert_eq(told_to_stop(open_silent_for_somebody), -ECANCELED);
	end_silent(&quiet);
}

static void open_through(struct proxy *proxy)
{
	CLEANUP(free_char)
	char *url = xasprintf("postgresql:///%s?host=%s&user=pubfs_test", w.path,
			      proxy_folder(proxy));

	db_close(w.db);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
}

Test(loss, what_a_server_says_unasked_is_in_the_log_alone)
{
	struct proxy *proxy = proxy_start();
	char text[4096] = "";
	FILE *kept = tmpfile();
	int before = dup(STDERR_FILENO);
	uint64_t n;

	open_through(proxy);
	fflush(stderr);
	dup2(fileno(kept), STDERR_FILENO);
	proxy_arm(proxy, CUT_TOLD, 1); /* a connection that ends as soon as it is made */
	cr_expect_eq(db_count(w.db, &n), 0);
	cr_expect(proxy_fired(proxy));
	cr_expect_eq(lseek(STDERR_FILENO, 0, SEEK_CUR), 0, "nothing is printed");
	log_set_level(LEVEL_DEBUG);
	proxy_arm(proxy, CUT_TOLD, 1);
	cr_expect_eq(db_count(w.db, &n), 0);
	log_set_level(LEVEL_WARNING);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(kept);
	cr_expect_gt(fread(text, 1, sizeof(text) - 1, kept), 0);
	cr_expect(strstr(text, " says: the proxy ends this connection\n"), "%s", text);
	fclose(kept);
	db_close(w.db);
	w.db = NULL;
	proxy_stop(proxy);
}

#define CHANGES 20

static pthread_barrier_t both_heard;

static void *hear_changes(void *ctx)
{
	uint64_t seen = *(uint64_t *)ctx;

	for (int i = 0; i < CHANGES; i++) {
		if (db_wait(w.db, MINUTE_US, NULL, &seen) != 1)
			abort();
		pthread_barrier_wait(&both_heard); /* both have done with waiting */
		pthread_barrier_wait(&both_heard); /* and there is another change */
	}
	return NULL;
}

Test(loss, two_that_wait_keep_their_connections)
{
	struct proxy *proxy = proxy_start();
	pthread_t threads[2];

	uint64_t seen;

	open_through(proxy);
	cr_assert_eq(db_changed(w.db, &seen), 0);
	sql(&w, "SELECT changed('p')");
	pthread_barrier_init(&both_heard, NULL, 3);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, hear_changes, &seen), 0);
	for (int i = 0; i < CHANGES; i++) {
		pthread_barrier_wait(&both_heard);
		sql(&w, "SELECT changed('p')");
		pthread_barrier_wait(&both_heard);
	}
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
	cr_assert_leq(proxy_connections(proxy), 5,
		      "%d: one to open it, two to ask, and two to be told",
		      proxy_connections(proxy));
	pthread_barrier_destroy(&both_heard);
	db_close(w.db);
	w.db = NULL;
	proxy_stop(proxy);
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

	cr_assert_eq(db_open_in(w.url, name, DB_OPEN, NULL, &other), -ENOENT);
	cr_assert(said("pubfs load", "pubfs schema postgresql", NULL));
	cr_assert_eq(db_open_in(w.url, name, DB_CREATE, NULL, &other), 0);
	cr_assert_eq(db_changed(other, &seen), 0);
	cr_assert_eq(put("1.0.0"), 1);
	cr_assert_eq(db_count(other, &n), 0);
	cr_assert_eq(n, 0);
	cr_assert_eq(db_wait(other, 0, NULL, &seen), 0);
	sql(&w, "INSERT INTO \"My \"\"Own\"\" schema\".package (name) VALUES ('q')");
	cr_assert_eq(db_wait(other, MINUTE_US, NULL, &seen), 1);
	db_close(other);
}

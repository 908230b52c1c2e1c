/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_test.c - what many writers of one PostgreSQL do to each other, and what is noticed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../fs/db/postgresql.h"
#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

static struct world w;
static PGconn *conns[2]; /* two programs that write */

static void run(int which, const char *text, ...) __attribute__((format(printf, 2, 3)));
static void run(int which, const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	PGresult *result;
	va_list ap;

	va_start(ap, text);
	cr_assert_geq(vasprintf(&statement, text, ap), 0);
	va_end(ap);
	result = PQexec(conns[which], statement);
	cr_assert(PQresultStatus(result) == PGRES_COMMAND_OK ||
			  PQresultStatus(result) == PGRES_TUPLES_OK,
		  "%d: %s: %s", which, statement, PQerrorMessage(conns[which]));
	PQclear(result);
}

static void open_world(void)
{
	world_open(&w);
	for (int i = 0; i < 2; i++) {
		conns[i] = raw_connect(w.path);
		/* who waits for the other one, in this one thread, waits for ever */
		run(i, "SET search_path = pubfs, public; SET statement_timeout = '5s'");
	}
}

static void close_world(void)
{
	for (int i = 0; i < 2; i++)
		PQfinish(conns[i]);
	world_close(&w);
}

TestSuite(postgresql, .init = open_world, .fini = close_world);

static const char *const prefixes[] = { "2026.01.01", "latest" };

static int add_name(void *ctx, const struct work *work)
{
	strbuf_addf(ctx, "%s ", work->package);
	return 0;
}

static const char *work(void)
{
	static struct strbuf out = STRBUF_INIT(10000);

	strbuf_reset(&out);
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, "1", add_name, &out), 0);
	return out.len ? out.buf : "";
}

static int keep_change(void *ctx, const struct work *work)
{
	struct export_record *records = ctx;
	char one[] = "1";

	for (int i = 0; i < 2; i++) {
		records[i] = (struct export_record){ .prefix = prefixes[i], .package = "p" };
		records[i].state.change = xstrdup(work->change);
		records[i].state.renderer = xstrdup(one);
	}
	return 0;
}

/* All that there is to do of package p, and of no other, is done. */
static void export(void)
{
	struct export_record records[2] = { { .package = NULL } };

	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, "1", keep_change, records), 0);
	cr_assert_not_null(records[0].package);
	cr_assert_eq(db_record(w.db, "dir:/b", records, 2), 0);
	for (int i = 0; i < 2; i++)
		export_state_release(&records[i].state);
	cr_assert_str_eq(work(), "");
}

/* A statement on one of the packages a and b, by one of two programs. */
static const char *const touches[] = {
	"INSERT INTO package_version (package, version, pubspec) VALUES ('%s', '%d.%d.0', '{}')",
	("UPDATE package_version SET retracted = NOT retracted WHERE package = '%s'"
	" AND version = '%d.0.0'"),
	"DELETE FROM advisory_package WHERE package = '%s' AND advisory = 'own-%d'",
	"SELECT changed('%s')",
};

static void touch(int which, size_t how, const char *package, int round)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
	CLEANUP(free_char) char *statement = xasprintf(touches[how], package, which, round);
#pragma GCC diagnostic pop

	run(which, "%s", statement);
}

Test(postgresql, two_that_touch_a_b_and_b_a_both_commit)
{
	static const char *const levels[] = { "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE" };
	enum { SERIALIZABLE = 2 };
	int round = 0, before;

	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b');"
		"INSERT INTO package_version (package, version, pubspec)"
		" SELECT p, n || '.0.0', '{}' FROM unnest(array['a', 'b']) p, generate_series(0, 1) n;"
		"INSERT INTO advisory (id, osv) VALUES ('own-0', '{}'), ('own-1', '{}');"
		"INSERT INTO advisory_package SELECT 'own-' || n, p"
		" FROM unnest(array['a', 'b']) p, generate_series(0, 1) n");
	before = count_of(&w, "a");
	for (size_t level = 0; level < ARRAY_SIZE(levels); level++)
		for (size_t how = 0; how < ARRAY_SIZE(touches); how++) {
			bool reads = strstr(touches[how], "WHERE") != NULL;

			/* what is read is the registry's own conflict there */
			if (level == SERIALIZABLE && reads)
				continue;
			for (int i = 0; i < 20; i++) {
				round++;
				run(0, "BEGIN ISOLATION LEVEL %s", levels[level]);
				run(1, "BEGIN ISOLATION LEVEL %s", levels[level]);
				touch(0, how, "a", round);
				touch(1, how, "b", round);
				touch(0, how, "b", round);
				touch(1, how, "a", round);
				run(i % 2, "COMMIT");
				run(1 - i % 2, "COMMIT");
			}
		}
	cr_assert_eq(count_of(&w, "a") - before, 2 * 20 * (3 + 2 + 3) + 2, "and each is noticed");
	cr_assert_eq(count_of(&w, "a"), count_of(&w, "b"));
}

Test(postgresql, a_version_locks_nothing_of_its_package)
{
	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b')");
	run(0, "BEGIN");
	run(1, "BEGIN");
	touch(0, 0, "a", 1);
	run(1, "UPDATE package SET unlisted = true WHERE name = 'b'");
	run(1, "UPDATE package SET unlisted = true WHERE name = 'a'");
	run(1, "DELETE FROM package WHERE name = 'a'");
	run(1, "COMMIT");
	run(0, "UPDATE package SET unlisted = false WHERE name = 'b'");
	run(0, "COMMIT");
	cr_assert_eq(count_of(&w, "a"), 4);
	cr_assert_eq(count_of(&w, "b"), 3);
}

Test(postgresql, a_change_that_commits_late_is_not_lost)
{
	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	run(0, "BEGIN");
	touch(0, 0, "p", 1);
	touch(1, 0, "p", 1);
	export();
	cr_assert_eq(count_of(&w, "p"), 2);
	run(0, "COMMIT");
	cr_assert_eq(count_of(&w, "p"), 3);
	cr_assert_str_eq(work(), "p ");
	export();
}

Test(postgresql, what_is_put_together_counts_as_before)
{
	CLEANUP(free_char) char *before = NULL;

	sql(&w, "INSERT INTO package (name) VALUES ('p'), ('q')");
	for (int i = 0; i < 5; i++)
		touch(0, 0, "p", i);
	before = xstrdup(ask(&w, "SELECT change FROM package_change WHERE package = 'p'"));
	cr_assert_eq(count_of(&w, "p"), 6);
	run(0, "BEGIN");
	touch(0, 0, "p", 6);
	sql(&w, "SELECT settle(4)"); /* some of them, and none that is not committed */
	cr_assert_str_eq(ask(&w, "SELECT change FROM package_change WHERE package = 'p'"), before);
	sql(&w, "SELECT settle(1000)");
	cr_assert_str_eq(ask(&w, "SELECT change FROM package_change WHERE package = 'p'"), before);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_event"), "0");
	run(0, "COMMIT");
	cr_assert_eq(count_of(&w, "p"), 7);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_event"), "1");
}

Test(postgresql, two_that_put_events_together_wait_for_nobody_and_lose_none)
{
	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	for (int i = 0; i < 10; i++)
		touch(0, 0, "p", i);
	sql(&w, "INSERT INTO advisory (id, osv) VALUES ('A', '{}')");
	run(0, "BEGIN");
	run(0, "SELECT settle(5)");
	touch(1, 0, "p", 1); /* nor does who writes */
	run(1, "SELECT settle(100)");
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_counter"), "0", "it is the first's");
	cr_assert_eq(count_of(&w, "p"), 12);
	run(0, "COMMIT");
	run(1, "SELECT settle(100)");
	cr_assert_eq(count_of(&w, "p"), 12);
	cr_assert_str_eq(ask(&w, "SELECT n FROM package_counter"), "12");
	cr_assert_str_eq(ask(&w, "SELECT total FROM settled"), "13");
}

/* Two statements that belong together, by two programs that do not see each other's. */
static const char *const halves[][2] = {
	{ "INSERT INTO advisory (id, osv) VALUES ('A', '{}')",
	  "INSERT INTO advisory_package VALUES ('A', 'p')" },
	{ "UPDATE advisory SET osv = '{ }' WHERE id = 'B'",
	  "INSERT INTO advisory_package VALUES ('B', 'p')" },
	{ "DELETE FROM advisory WHERE id = 'B'",
	  "INSERT INTO advisory_package VALUES ('B', 'p')" },
	{ "INSERT INTO advisory (id, osv) VALUES ('C', '{}')",
	  "DELETE FROM advisory_package WHERE advisory = 'C'" },
	{ "INSERT INTO package (name) VALUES ('p')",
	  "INSERT INTO advisory_package VALUES ('B', 'p')" },
};

Test(postgresql, an_advisory_and_a_name_that_do_not_see_each_other_are_noticed)
{
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++)
		for (int first = 0; first < 2; first++) {
			CLEANUP(free_char) char *before = NULL, *after = NULL;
			bool makes = strstr(halves[i][0], "INTO package ") != NULL;

			sql(&w, "DELETE FROM package; DELETE FROM advisory;"
				"DELETE FROM advisory_package");
			sql(&w, "DELETE FROM package_event; DELETE FROM package_counter;"
				"DELETE FROM advisory_event; DELETE FROM export_state");
			sql(&w, "INSERT INTO advisory (id, osv) VALUES ('B', '{}');"
				"INSERT INTO advisory_package VALUES ('C', 'p')");
			if (!makes) {
				sql(&w, "INSERT INTO package (name) VALUES ('p')");
				export();
			}
			for (int which = 0; which < 2; which++)
				run(which, "BEGIN; %s", halves[i][which]);
			run(first, "COMMIT");
			if (*work())
				export();
			before = xstrdup(ask(&w, "SELECT group_concat(a.osv) FROM advisory a JOIN"
						 " advisory_package n ON n.advisory = a.id"));
			run(1 - first, "COMMIT");
			after = xstrdup(ask(&w, "SELECT group_concat(a.osv) FROM advisory a JOIN"
						" advisory_package n ON n.advisory = a.id"));
			cr_assert(!strcmp(before, after) || !strcmp(work(), "p "),
				  "%s, committed as number %d: '%s' became '%s'", halves[i][0],
				  first, before, after);
			cr_assert(!*work() || (export(), true));
		}
}

Test(postgresql, a_removal_is_later_than_all_that_was_committed_before_it)
{
	CLEANUP(free_char) char *other = NULL;

	sql(&w, "INSERT INTO package (name) VALUES ('p');"
		"INSERT INTO advisory (id, osv) VALUES ('A', '{}'); "
		"INSERT INTO advisory_package VALUES ('A', 'p'), ('B', 'p')");
	run(0, "BEGIN; DELETE FROM advisory WHERE id = 'A'");
	run(1, "INSERT INTO advisory (id, osv) VALUES ('B', '{}')");
	other = xstrdup(ask(&w, "SELECT latest_advisory FROM package"));
	run(0, "COMMIT");
	cr_assert_str_gt(ask(&w, "SELECT latest_advisory FROM package"), other);
}

Test(postgresql, every_way_to_write_is_noticed)
{
	static const struct {
		const char *sql;
		int bumps;
	} rows[] = {
		{ "TRUNCATE package", 1 },
		{ "TRUNCATE package_version", 1 },
		{ "TRUNCATE advisory", 1 },
		{ "TRUNCATE advisory_package", 1 },
		{ "SET LOCAL session_replication_role = replica; DELETE FROM package_version", 1 },
		{ "SET LOCAL session_replication_role = replica;"
		  " UPDATE package SET discontinued = true",
		  1 },
		{ "SELECT changed('p')", 1 },
		{ "SELECT changed('p'), changed('../p'), changed(''), changed(NULL),"
		  " changed(repeat('p', 65)), changed(repeat('p', 1000000))",
		  1 },
	};

	sql(&w, "INSERT INTO package (name) VALUES ('p');"
		"INSERT INTO package_version (package, version, pubspec) VALUES ('p', '1.0.0', '{}');"
		"INSERT INTO advisory (id, osv) VALUES ('A', '{}');"
		"INSERT INTO advisory_package VALUES ('A', 'p')");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int before = count_of(&w, "p");

		sql(&w, "BEGIN; %s", rows[i].sql);
		cr_assert_eq(count_of(&w, "p") - before, rows[i].bumps, "%s", rows[i].sql);
		cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_change"), "1", "%s",
				 rows[i].sql);
		sql(&w, "ROLLBACK");
	}
}

Test(postgresql, an_advisory_and_a_name_that_do_not_see_each_other_move_the_times)
{
	sql(&w, "INSERT INTO package (name, updated) VALUES ('p', '2020-01-01T00:00:00Z')");
	export();
	run(0, "BEGIN; INSERT INTO advisory (id, osv, synced)"
	       " VALUES ('A', '{}', '2030-01-01T00:00:00Z')");
	run(1, "BEGIN; INSERT INTO advisory_package VALUES ('A', 'p')");
	run(0, "COMMIT");
	run(1, "COMMIT");
	cr_assert_str_eq(work(), "p ");
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_now WHERE updated >"
				 " '2021-01-01T00:00:00Z'"
				 " AND latest_advisory = '2030-01-01T00:00:00Z'"),
			 "1");
}

Test(postgresql, what_an_advisory_has_told_is_not_told_again_when_events_are_put_together)
{
	int before;

	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	sql(&w, "INSERT INTO advisory_package VALUES ('A', 'p')");
	sql(&w, "INSERT INTO advisory (id, osv) VALUES ('A', '{}')");
	cr_assert_str_eq(work(), "p ");
	before = count_of(&w, "p");
	sql(&w, "UPDATE advisory SET osv = '{\"a\":1}'");
	cr_assert_eq(count_of(&w, "p"), before + 1);
	cr_assert_str_eq(work(), "p ");
	cr_assert_eq(count_of(&w, "p"), before + 1);
}

Test(postgresql, no_time_goes_back_when_events_are_put_together)
{
	static const char *const days[] = { "2030-01-02", "2030-01-01" };

	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		sql(&w, "INSERT INTO package_event (package, moved, advised)"
			" VALUES ('p', '%sT00:00:00Z', '%sT00:00:00Z')",
		    days[i], days[i]);
		run(0, "SELECT settle(100)");
	}
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_counter WHERE n = 2"
				 " AND moved = '2030-01-02T00:00:00Z' AND advised = moved"),
			 "1");
	sql(&w, "INSERT INTO package_event (package) VALUES ('p')"); /* such as of likes */
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_change"
				 " WHERE moved = '2030-01-02T00:00:00Z' AND advised = moved"),
			 "1", "what is not put together yet moves nothing");
}

Test(postgresql, who_was_replaced_by_a_package_is_told_when_that_comes_back)
{
	sql(&w, "INSERT INTO package (name) VALUES ('old')");
	sql(&w, "UPDATE package SET discontinued = true, replaced_by = 'new'");
	cr_assert_eq(count_of(&w, "old"), 2);
	sql(&w, "INSERT INTO package (name) VALUES ('new')");
	cr_assert_eq(count_of(&w, "old"), 2, "it was shown before");
	sql(&w, "DELETE FROM package WHERE name = 'new'");
	cr_assert_eq(count_of(&w, "old"), 3);
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package_now WHERE name = 'old'"), "");
	sql(&w, "INSERT INTO package (name) VALUES ('new')");
	cr_assert_eq(count_of(&w, "old"), 4);
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package_now WHERE name = 'old'"), "new");
}

#define NOTICES 10

struct waiter {
	uint64_t seen;
	atomic_int told;
};

static void *wait_for_notices(void *ctx)
{
	struct waiter *waiter = ctx;

	while (waiter->told < NOTICES && db_wait(w.db, HOUR_US, NULL, &waiter->seen) == 1)
		waiter->told++;
	return NULL;
}

/* Each commit comes when it has most likely been waited for already: then the notice tells of it. */
Test(postgresql, a_notice_ends_a_wait_that_nothing_else_would_end, .timeout = 60)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	struct waiter waiter = { .seen = 0 };
	pthread_t thread;

	((struct postgresql *)w.db)->poll = DAY_US;
	cr_assert_eq(db_changed(w.db, &waiter.seen), 0);
	cr_assert_eq(pthread_create(&thread, NULL, wait_for_notices, &waiter), 0);
	for (int i = 0; i < NOTICES; i++) {
		nanosleep(&moment, NULL);
		run(0,
		    i % 2 ? "INSERT INTO advisory (id, osv) VALUES ('p%d', '{}')"
			  : "INSERT INTO package (name) VALUES ('p%d')",
		    i);
		while (waiter.told <= i)
			nanosleep(&moment, NULL);
	}
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(waiter.told, NOTICES);
}

Test(postgresql, a_transaction_that_is_prepared_sends_no_notice_and_is_noticed)
{
	uint64_t seen;

	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	cr_assert_eq(db_changed(w.db, &seen), 0);
	run(0, "BEGIN; SET LOCAL pubfs.notify = off");
	touch(0, 0, "p", 1);
	run(0, "INSERT INTO advisory (id, osv) VALUES ('A', '{}')");
	run(0, "PREPARE TRANSACTION 'one'");
	cr_assert_eq(db_wait(w.db, 0, NULL, &seen), 0);
	run(1, "COMMIT PREPARED 'one'");
	cr_assert_eq(db_wait(w.db, MINUTE_US, NULL, &seen), 1, "by asking");
	cr_assert_eq(count_of(&w, "p"), 2);
}

static char lease_b[] = "b", lease_a[] = "a", *const lease_names[] = { lease_b, lease_a };
static const struct lease lease = {
	.store = "s", .runtime_version = "2026.08.18", .owner = "o", .duration = HOUR_US
};

static void *claim_both(void *claims)
{
	cr_assert_eq(db_claim(w.db, &lease, lease_names, 2, claims), 0);
	return NULL;
}

#define LEASE "INSERT INTO lease VALUES ('s', '2026.08.18', '%s', 'other', clock_timestamp()," \
	      " clock_timestamp() + interval '1 hour')"

Test(postgresql, two_that_claim_the_same_names_do_not_wait_for_each_other)
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	enum claim claims[2] = { CLAIM_DONE, CLAIM_DONE };
	pthread_t thread;

	run(0, "BEGIN");
	run(0, LEASE, "a");
	cr_assert_eq(pthread_create(&thread, NULL, claim_both, claims), 0);
	nanosleep(&nap, NULL); /* it is right, too, if it comes too early */
	run(0, LEASE, "b"); /* a deadlock, if the other one had begun with b */
	run(0, "COMMIT");
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert(claims[0] == CLAIM_TAKEN && claims[1] == CLAIM_TAKEN);
}

Test(postgresql, a_lease_that_another_one_is_at_is_its_own_and_nobody_waits_for_it)
{
	char name[] = "2026.08.18", none[] = "";
	const struct deployment host = { .runtime_version = name, .host = name, .accepted = none,
					 .base_url = none };
	enum claim claims[2];

	run(0, LEASE, "a");
	run(0, LEASE, "b");
	run(0, "UPDATE lease SET until = since");
	run(0, "BEGIN; UPDATE lease SET until = since WHERE name = 'a'");
	cr_assert_eq(db_claim(w.db, &lease, lease_names, 2, claims), 0);
	cr_assert(claims[0] == CLAIM_MINE && claims[1] == CLAIM_TAKEN);
	cr_assert_eq(db_beat(w.db, &host), 0, "which removes what has lapsed");
	run(0, "COMMIT");
	cr_assert_str_eq(ask(&w, "SELECT group_concat(name) FROM lease"), "a,b");
	cr_assert_eq(db_beat(w.db, &host), 0);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(name) FROM lease"), "b");
}

struct setting {
	const char *name;
	char *value;
};

static int read_setting(struct link *link, void *ctx)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct setting *setting = ctx;
	struct arguments args;
	int r;

	arguments_set(&args, "s", setting->name);
	/* those of TCP are set on a Unix socket, too, but not shown */
	r = link_ask(link, &result,
		     "SELECT CASE WHEN $1 LIKE 'tcp%' THEN reset_val ELSE current_setting($1) END"
		     " FROM pg_settings WHERE name = $1",
		     &args);
	if (r == 0)
		setting->value = xstrdup(PQgetvalue(result, 0, 0));
	return r;
}

static char *setting_of(struct db *db, const char *name)
{
	struct setting setting = { .name = name };

	cr_assert_eq(postgresql_call((struct postgresql *)db, CALL_ONE, "read", read_setting,
				     &setting),
		     0);
	return setting.value;
}

Test(postgresql, what_a_connection_needs_is_so_whatever_the_database_says)
{
	static const struct {
		const char *name, *other, *value;
	} rows[] = {
		{ "client_encoding", "LATIN1", "UTF8" },
		{ "TimeZone", "Asia/Tokyo", "UTC" },
		{ "DateStyle", "German", "ISO, MDY" },
		{ "default_transaction_isolation", "serializable", "read committed" },
		{ "lock_timeout", "0", "1min" },
		{ "idle_in_transaction_session_timeout", "0", "1min" },
		{ "tcp_keepalives_idle", "0", "20" },
		{ "tcp_keepalives_interval", "0", "5" },
		{ "tcp_keepalives_count", "0", "3" },
		{ "tcp_user_timeout", "0", "30000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		sql(&w, "ALTER DATABASE %s SET %s = '%s'", w.path, rows[i].name, rows[i].other);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *value = setting_of(w.db, rows[i].name);

		cr_assert_str_eq(value, rows[i].value, "%s is %s", rows[i].name, value);
	}
}

Test(postgresql, a_transaction_of_many_calls_may_stand_still_for_an_hour)
{
	static const char name[] = "idle_in_transaction_session_timeout";
	CLEANUP(free_char) char *usual = NULL, *own = NULL;
	CLEANUP(free_char) char *url = xasprintf("%s&options=-c%%20%s%%3D5min", w.url, name);

	cr_assert_eq(db_begin(w.db), 0);
	usual = setting_of(w.db, name);
	cr_assert_str_eq(usual, "1h");
	db_rollback(w.db);
	db_close(w.db);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	cr_assert_eq(db_begin(w.db), 0);
	own = setting_of(w.db, name);
	cr_assert_str_eq(own, "5min", "unless the URL has another word for it");
	db_rollback(w.db);
}

Test(postgresql, a_statement_that_waits_too_long_is_ended)
{
	CLEANUP(free_char) char *usual = setting_of(w.db, "statement_timeout"), *said_so = NULL;
	CLEANUP(free_char)
	char *url = xasprintf("%s&options=-c%%20statement_timeout%%3D200ms", w.url);
	struct db *impatient = NULL;
	uint64_t n;

	cr_assert_eq(db_open(url, DB_OPEN, &impatient), 0);
	said_so = setting_of(impatient, "statement_timeout");
	cr_assert_str_eq(usual, "1min");
	cr_assert_str_eq(said_so, "200ms");
	sql(&w, "BEGIN; LOCK TABLE package IN ACCESS EXCLUSIVE MODE");
	cr_assert_eq(db_count(impatient, &n), -EIO);
	cr_assert(said("statement timeout", "another program may have kept it locked", NULL));
	sql(&w, "ROLLBACK");
	cr_assert_eq(db_count(impatient, &n), 0);
	db_close(impatient);
}

Test(postgresql, times_are_exact_to_the_microsecond)
{
	static const int64_t times[] = { 0, 1, -1, 1700000000123456, 253402300799999999 };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		CLEANUP(package_version_release)
		struct package_version v = version_row("1.0.0", "{}", times[i]), have;

		cr_assert_geq(db_put_version(w.db, "p", &v, true), 0);
		cr_assert_eq(db_version(w.db, "p", "1.0.0", &have), 0);
		cr_assert_eq(have.created, times[i], "%lld", (long long)times[i]);
		package_version_release(&have);
	}
}

Test(postgresql, a_row_that_cannot_be_read_is_named)
{
	static const struct {
		const char *sql, *table, *row, *column;
	} rows[] = {
		{ "UPDATE package SET created = 'infinity'", "package", "p", "created" },
		{ "UPDATE package SET updated = '10000-01-01'", "package", "p", "updated" },
		{ "UPDATE package SET latest_advisory = '10000-01-01'", "package", "p",
		  "latest_advisory" },
		{ "UPDATE package_version SET created = '-infinity'", "package_version", "1.0.0",
		  "created" },
		{ "UPDATE advisory SET synced = 'infinity'", "advisory", "A", "synced" },
		{ "DELETE FROM package_event; DELETE FROM package_counter", "package", "p",
		  "change" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct package pkg;

		sql(&w, "DELETE FROM package; DELETE FROM package_version; DELETE FROM advisory;"
			"DELETE FROM advisory_package");
		sql(&w, "INSERT INTO package (name) VALUES ('p');"
			"INSERT INTO package_version (package, version, pubspec)"
			" VALUES ('p', '1.0.0', '{}');"
			"INSERT INTO advisory (id, osv) VALUES ('A', '{}');"
			"INSERT INTO advisory_package VALUES ('A', 'p')");
		cr_assert_eq(db_package(w.db, "p", &pkg), 0);
		package_release(&pkg);
		sql(&w, "%s", rows[i].sql);
		cr_assert_eq(db_package(w.db, "p", &pkg), -EINVAL, "%s", rows[i].sql);
		cr_assert(said("package p", rows[i].table, rows[i].row, rows[i].column, NULL), "%s",
			  rows[i].sql);
	}
}

Test(postgresql, a_time_of_an_advisory_that_is_put_right_is_forgotten)
{
	static const char *const times[] = { "infinity", "10000-01-01", "-infinity", "0002-01-01 BC",
	};
	struct package pkg;

	sql(&w, "INSERT INTO package (name) VALUES ('p');"
		"INSERT INTO advisory (id, osv) VALUES ('A', '{}');"
		"INSERT INTO advisory_package VALUES ('A', 'p')");
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		sql(&w, "UPDATE advisory SET synced = '%s'", times[i]);
		cr_assert_eq(db_package(w.db, "p", &pkg), -EINVAL, "%s", times[i]);
		cr_assert_str_eq(work(), "p ");
		sql(&w, "UPDATE advisory SET synced = '2999-01-0%zuT00:00:00Z'", i + 1);
		cr_assert_eq(db_package(w.db, "p", &pkg), 0, "%s", times[i]);
		cr_assert_eq(pkg.latest_advisory, pkg.advisories[0].synced, "%s", times[i]);
		package_release(&pkg);
	}
}

Test(postgresql, a_nul_is_refused_and_not_cut_off)
{
	CLEANUP(package_version_release) struct package_version v = version_row("1.0.0", "{} ", 0);

	v.pubspec[2] = '\0';
	cr_assert_eq(db_put_version(w.db, "p", &v, false), -EINVAL);
	cr_assert(said("NUL", "p 1.0.0", NULL));
	v.pubspec[2] = '\xff';
	cr_assert_eq(db_put_version(w.db, "p", &v, false), -EINVAL, "nor is it UTF-8");
	v.pubspec[2] = ' ';
	cr_assert_eq(db_put_version(w.db, "p", &v, false), 1);
	v.created = 1;
	cr_assert_eq(db_put_version(w.db, "../p", &v, false), -EINVAL, "a name of no package");
}

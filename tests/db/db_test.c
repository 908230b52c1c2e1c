/* SPDX-License-Identifier: BSD-3-Clause */
/* db_test.c - reading packages, what there is to do, transactions, and many writers at once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(db, .init = open_world, .fini = close_world);

static int put(const char *package, const char *version, const char *pubspec, bool replace)
{
	CLEANUP(package_version_release)
	struct package_version v = version_row(version, pubspec, 1700000000 * SECOND_US);

	return db_put_version(w.db, package, &v, replace);
}

Test(db, a_package_is_read_with_all_its_rows)
{
	struct package pkg;

	sql(&w,
	    "INSERT INTO package (name, created, updated, moderated, deleted, discontinued,"
	    " replaced_by, unlisted, latest_version, latest_advisory, likes, publisher,"
	    " granted_points, max_points, download_count_30d, tags) VALUES ('http',"
	    " '2020-01-02T03:04:05.678Z', '2021-01-02T03:04:05.678901', 1, 0, 1, 'dio', 1,"
	    " '1.0.0', '2022-01-02T03:04:05Z', 9007199254740993, 'dart.dev', 140, 160, 12345678901,"
	    " '[\"is:x\"]'), ('other', '2020-01-01T00:00:00Z',"
	    " '2020-01-01T00:00:00Z', 0, 1, 0, NULL, 0, NULL, NULL, 0, NULL, 0, 0, NULL, '[]');"
	    "INSERT INTO package_version VALUES"
	    " ('http', '1.0.0', '2020-01-02T03:04:05.678Z', '{\"name\":\"http\"}', 'AB', 0, 1, 0),"
	    " ('http', '2.0.0', '2020-01-02T03:04:05.678Z', '{}', NULL, 1, 0, 1),"
	    " ('other', '3.0.0', '2020-01-02T03:04:05.678Z', '{}', NULL, 1, 0, 1);"
	    "INSERT INTO advisory VALUES ('b', '{}', '1999-01-01T00:00:00Z'),"
	    " ('B', '{ }', '1999-01-01T00:00:00Z'), ('a', '{}', '1999-01-01T00:00:00.000001Z'),"
	    " ('c', '{}', '1999-01-01T00:00:00Z');"
	    "INSERT INTO advisory_package VALUES ('b', 'http'), ('B', 'http'), ('a', 'http'),"
	    " ('c', 'other'), ('missing', 'http')");
	cr_assert_eq(db_package(w.db, "http", &pkg), 0);
	cr_assert_str_eq(pkg.name, "http");
	cr_assert_str_eq(pkg.change, ask(&w, "SELECT change FROM package_change"
					     " WHERE package = 'http'"));
	cr_assert_eq(pkg.created, 1577934245678000);
	cr_assert_leq(llabs(pkg.read - clock_now()), HOUR_US, "here both have one clock");
	cr_assert(pkg.moderated && !pkg.deleted && pkg.discontinued && pkg.unlisted);
	cr_assert_str_eq(pkg.replaced_by, "dio");
	cr_assert_str_eq(pkg.latest_version, "1.0.0");
	cr_assert(pkg.has_latest_advisory);
	cr_assert_eq(pkg.latest_advisory, 1641092645000000);
	cr_assert_eq(pkg.likes, 9007199254740993);
	cr_assert_str_eq(pkg.publisher, "dart.dev");
	cr_assert(pkg.granted_points == 140 && pkg.max_points == 160);
	cr_assert(pkg.has_download_count && pkg.download_count_30d == 12345678901);
	cr_assert_str_eq(pkg.tags, "[\"is:x\"]");
	cr_assert_eq(pkg.tags_len, 8);
	cr_assert_eq(pkg.n_versions, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct package_version *v = &pkg.versions[i];
		bool first = !strcmp(v->version, "1.0.0");

		cr_assert_eq(v->created, 1577934245678000);
		cr_assert_str_eq(v->pubspec, first ? "{\"name\":\"http\"}" : "{}");
		cr_assert_eq(v->pubspec_len, strlen(v->pubspec));
		cr_assert(first ? !strcmp(v->archive_sha256, "AB") : !v->archive_sha256);
		cr_assert_eq(v->retracted, !first);
		cr_assert_eq(v->moderated, first);
		cr_assert_eq(v->deleted, !first);
	}
	cr_assert_eq(pkg.n_advisories, 3);
	cr_assert_str_eq(pkg.advisories[0].id, "B", "byte order");
	cr_assert_str_eq(pkg.advisories[0].osv, "{ }");
	cr_assert_eq(pkg.advisories[0].osv_len, 3);
	cr_assert_str_eq(pkg.advisories[1].id, "a");
	cr_assert_eq(pkg.advisories[1].synced, 915148800000001);
	cr_assert_str_eq(pkg.advisories[2].id, "b");
	package_release(&pkg);

	cr_assert_eq(db_package(w.db, "other", &pkg), 0);
	cr_assert(pkg.deleted && !pkg.moderated && !pkg.discontinued && !pkg.replaced_by);
	cr_assert_eq(pkg.n_versions, 1);
	cr_assert_eq(pkg.n_advisories, 1);
	cr_assert_eq(pkg.latest_advisory, pkg.advisories[0].synced, "set by a trigger");
	package_release(&pkg);
	sql(&w, "INSERT INTO package (name) VALUES ('bare')");
	cr_assert_eq(db_package(w.db, "bare", &pkg), 0);
	cr_assert(!pkg.has_latest_advisory && !pkg.latest_version && !pkg.n_versions);
	cr_assert(!pkg.publisher && !pkg.has_download_count && !pkg.likes);
	cr_assert_str_eq(pkg.tags, "[]");
	package_release(&pkg);
	cr_assert_eq(db_package(w.db, "HTTP", &pkg), -ENOENT, "case is significant");
}

Test(db, rows_have_no_size_of_their_own)
{
	size_t n = 2 << 20;
	char *pubspec = xmalloc(n + 1);
	struct package pkg;

	memset(pubspec, ' ', n);
	memcpy(pubspec, "{}", 2);
	pubspec[n] = '\0';
	cr_assert_eq(put("big", "1.0.0", pubspec, false), 1);
	cr_assert_eq(db_begin(w.db), 0);
	for (int i = 0; i < 1500; i++) {
		char version[32];

		snprintf(version, sizeof(version), "2.0.%d", i);
		cr_assert_eq(put("big", version, "{}", false), 1);
	}
	cr_assert_eq(db_commit(w.db), 0);
	cr_assert_eq(db_package(w.db, "big", &pkg), 0);
	cr_assert_eq(pkg.n_versions, 1501);
	for (size_t i = 0; i < pkg.n_versions; i++)
		if (!strcmp(pkg.versions[i].version, "1.0.0")) {
			cr_assert_eq(pkg.versions[i].pubspec_len, n);
			cr_assert_arr_eq(pkg.versions[i].pubspec, pubspec, n);
		}
	package_release(&pkg);
	free(pubspec);
}

Test(db, a_package_over_the_bound_is_refused_and_not_fatal)
{
	struct package pkg;

	sql(&w, "INSERT INTO package (name) VALUES ('p');"
		"WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5)"
		" INSERT INTO package_version (package, version, pubspec)"
		" SELECT 'p', i, printf('%%.*c', 60000000, ' ') FROM n");
	cr_assert_eq(db_package(w.db, "p", &pkg), -E2BIG);
	cr_assert(said("package p", "256 MiB", NULL));
	sql(&w, "DELETE FROM package_version WHERE version = '5'");
	cr_assert_eq(db_package(w.db, "p", &pkg), 0);
	package_release(&pkg);
}

Test(db, a_version_is_added_once_and_replaced_on_demand)
{
	struct package_version v;
	uint64_t n;

	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_eq(count_of(&w, "p"), 2, "the package and the version");
	cr_assert_str_eq(ask(&w, "SELECT created FROM package"), "2023-11-14T22:13:20.000Z");
	cr_assert_eq(put("p", "1.0.0", "{}", false), 0);
	cr_assert_eq(put("p", "1.0.0", "{}", true), 0);
	cr_assert_eq(count_of(&w, "p"), 2);
	cr_assert_eq(put("p", "1.0.0", "{\"a\":1}", false), -EEXIST);
	cr_assert_eq(count_of(&w, "p"), 2);
	cr_assert_eq(put("p", "1.0.0", "{\"a\":1}", true), 2);
	cr_assert_eq(count_of(&w, "p"), 3);
	cr_assert_eq(put("p", "1.0.1", "{}", false), 1);
	cr_assert_eq(db_count(w.db, &n), 0);
	cr_assert_eq(n, 1);
	cr_assert_eq(db_version(w.db, "p", "1.0.0", &v), 0);
	cr_assert_str_eq(v.pubspec, "{\"a\":1}");
	cr_assert_eq(v.created, 1700000000 * SECOND_US);
	package_version_release(&v);
	cr_assert_eq(db_version(w.db, "p", "1.0.2", &v), -ENOENT);
	cr_assert_eq(db_version(w.db, "q", "1.0.0", &v), -ENOENT);
}

Test(db, any_difference_makes_another_row)
{
	struct package_version v = version_row("1.0.0", "{}", 0), have;
	bool *flags[] = { &v.retracted, &v.moderated, &v.deleted };

	cr_assert_eq(db_put_version(w.db, "p", &v, false), 1);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		*flags[i] = true;
		cr_assert_eq(db_put_version(w.db, "p", &v, false), -EEXIST, "flag %zu", i);
		cr_assert_eq(db_put_version(w.db, "p", &v, true), 2);
	}
	v.created = 1;
	cr_assert_eq(db_put_version(w.db, "p", &v, false), -EEXIST);
	cr_assert_eq(db_put_version(w.db, "p", &v, true), 2);
	v.archive_sha256 = xstrdup("ab");
	cr_assert_eq(db_put_version(w.db, "p", &v, false), -EEXIST);
	cr_assert_eq(db_put_version(w.db, "p", &v, true), 2);
	v.archive_sha256[0] = 'c';
	cr_assert_eq(db_put_version(w.db, "p", &v, false), -EEXIST);
	cr_assert_eq(db_put_version(w.db, "p", &v, true), 2);
	cr_assert_eq(db_put_version(w.db, "p", &v, false), 0);
	cr_assert_eq(db_version(w.db, "p", "1.0.0", &have), 0);
	cr_assert(have.retracted && have.moderated && have.deleted);
	cr_assert_eq(have.created, 1);
	cr_assert_str_eq(have.archive_sha256, "cb");
	package_version_release(&have);
	package_version_release(&v);
}

/* What db_work() tells, as text: "name exists change/renderer/attempts/error ...; ". */
static int tell(void *ctx, const struct work *work)
{
	struct strbuf *out = ctx;

	strbuf_addf(out, "%s%s%s", work->package, work->exists ? "" : "(gone)",
		    work->urgent ? "!" : "");
	for (size_t i = 0; i < 2; i++) {
		const struct export_state *s = &work->states[i];

		strbuf_addf(out, " %s/%s/%u/%s/%d",
			    !s->change			       ? "never"
			    : !strcmp(s->change, work->change) ? "current"
							       : "old",
			    s->renderer ? s->renderer : "-", s->attempts,
			    s->last_error ? s->last_error : "-", s->seen[31]);
	}
	strbuf_addstr(out, "; ");
	return 0;
}

static const char *const prefixes[] = { "2026.01.01", "latest" };

static const char *work(const char *renderer)
{
	static struct strbuf out = STRBUF_INIT(10000);

	strbuf_reset(&out);
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, renderer, tell, &out), 0);
	return out.buf;
}

static void record(const char *prefix, const char *package, const char *error)
{
	CLEANUP(free_char)
	char *change =
		xstrdup(ask(&w, "SELECT change FROM package_change WHERE package = '%s'", package));
	struct export_record rec = { .prefix = prefix, .package = package };
	char one[] = "1", why[] = "why";

	rec.state.change = change;
	rec.state.renderer = one;
	rec.state.seen[31] = 7;
	rec.state.last_error = error ? why : NULL;
	cr_assert_eq(db_record(w.db, "dir:/b", &rec, 1), 0);
}

Test(db, work_is_what_is_not_exported_as_it_is_now)
{
	cr_assert_str_eq(work("1"), "");
	sql(&w, "INSERT INTO package (name) VALUES ('b'), ('B'), ('a')");
	cr_assert_str_eq(work("1"), "B never/-/0/-/0 never/-/0/-/0; a never/-/0/-/0 never/-/0/-/0; "
				    "b never/-/0/-/0 never/-/0/-/0; ");
	for (int i = 0; i < 2; i++) {
		record(prefixes[i], "a", NULL);
		record(prefixes[i], "B", NULL);
	}
	record("latest", "b", NULL);
	cr_assert_str_eq(work("1"), "b never/-/0/-/0 current/1/0/-/7; ", "one prefix of two");
	record("2026.01.01", "b", NULL);
	cr_assert_str_eq(work("1"), "");
	cr_assert_str_eq(work(NULL), "B current/1/0/-/7 current/1/0/-/7; "
				     "a current/1/0/-/7 current/1/0/-/7; "
				     "b current/1/0/-/7 current/1/0/-/7; ");
	sql(&w, "UPDATE package SET unlisted = 1 WHERE name = 'a'; DELETE FROM package WHERE name "
		"= 'b'");
	cr_assert_str_eq(work("1"), "a old/1/0/-/7 old/1/0/-/7; b(gone) old/1/0/-/7 old/1/0/-/7; ");
	record("2026.01.01", "a", NULL);
	record("latest", "b", NULL);
	cr_assert_str_eq(work("1"),
			 "a current/1/0/-/7 old/1/0/-/7; b(gone) old/1/0/-/7 current/1/0/-/7; ",
			 "either prefix");
	record("latest", "a", NULL);
	record("2026.01.01", "b", NULL);
	cr_assert_str_eq(work("1"), "");
	cr_assert_str_eq(work("2"),
			 "B current/1/0/-/7 current/1/0/-/7; "
			 "a current/1/0/-/7 current/1/0/-/7; "
			 "b(gone) current/1/0/-/7 current/1/0/-/7; ",
			 "another renderer");
}

Test(db, another_store_has_a_state_of_its_own)
{
	static struct strbuf out = STRBUF_INIT(10000);

	sql(&w, "INSERT INTO package (name) VALUES ('a')");
	record("latest", "a", NULL);
	record("2026.01.01", "a", NULL);
	cr_assert_eq(db_work(w.db, "dir:/c", prefixes, 2, "1", tell, &out), 0);
	cr_assert_str_eq(out.buf, "a never/-/0/-/0 never/-/0/-/0; ");
	strbuf_release(&out);
}

Test(db, a_failure_keeps_what_was_exported_and_counts)
{
	sql(&w, "INSERT INTO package (name) VALUES ('a')");
	record("latest", "a", "why");
	cr_assert_str_eq(work("1"), "a never/-/0/-/0 never/-/1/why/0; ");
	record("latest", "a", NULL);
	cr_assert_str_eq(work("1"), "a never/-/0/-/0 current/1/0/-/7; ");
	sql(&w, "UPDATE package SET unlisted = 1");
	record("latest", "a", "why");
	record("latest", "a", "why");
	cr_assert_str_eq(work("1"), "a never/-/0/-/0 old/1/2/why/7; ");
	record("latest", "a", NULL);
	cr_assert_str_eq(work("1"), "a never/-/0/-/0 current/1/0/-/7; ");
}

static int tell_name(void *ctx, const char *package, const char *version)
{
	if (!strcmp(package, "stop"))
		return -ECANCELED;
	strbuf_addf(ctx, "%s %s; ", package, version ? version : "-");
	return 0;
}

Test(db, names_are_every_row_of_a_package_and_of_a_version)
{
	static const char *const all[] = { "empty -; ", "p -; ", "p 1.0.0; ", "p 2.0.0; ", "q 1; " };
	struct strbuf out = STRBUF_INIT(10000);

	cr_assert_eq(db_names(w.db, tell_name, &out), 0);
	cr_assert_str_eq(out.buf, "");
	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_eq(put("p", "2.0.0", "{}", false), 1);
	sql(&w, "UPDATE package SET moderated = 1; UPDATE package_version SET deleted = 1;"
		"INSERT INTO package (name) VALUES ('empty');"
		"INSERT INTO package_version (package, version, pubspec) VALUES ('q', '1', '{}')");
	cr_assert_eq(db_names(w.db, tell_name, &out), 0);
	cr_assert_eq(strlen(out.buf), strlen("empty -; p -; p 1.0.0; p 2.0.0; q 1; "));
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		cr_assert(strstr(out.buf, all[i]), "%s in %s", all[i], out.buf);
	sql(&w, "INSERT INTO package (name) VALUES ('stop')");
	cr_assert_eq(db_names(w.db, tell_name, &out), -ECANCELED);
	strbuf_release(&out);
}

static int stop_at_once(void *ctx, const struct work *work)
{
	cr_assert_not_null(work->package);
	++*(int *)ctx;
	return -ECANCELED;
}

Test(db, work_ends_when_it_is_told_to)
{
	int calls = 0;

	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b')");
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, NULL, stop_at_once, &calls), -ECANCELED);
	cr_assert_eq(calls, 1);
	cr_assert_eq(put("c", "1.0.0", "{}", false), 1, "nothing is left open");
}

Test(db, work_is_urgent_where_clients_are_to_be_kept_from_something)
{
	static const char *const changes[] = {
		"UPDATE package SET moderated = 1",
		"UPDATE package SET deleted = 1",
		"UPDATE package_version SET moderated = 1",
		"UPDATE package_version SET deleted = 1",
		"UPDATE package_version SET retracted = 1",
		"INSERT INTO advisory_package VALUES ('GHSA-1', 'p')",
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		sql(&w, "DELETE FROM package; DELETE FROM package_version");
		cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
		sql(&w, "UPDATE package SET discontinued = 1, unlisted = 1");
		cr_assert_str_eq(work("1"), "p never/-/0/-/0 never/-/0/-/0; ");
		sql(&w, "%s", changes[i]);
		cr_assert_str_eq(work("1"), "p! never/-/0/-/0 never/-/0/-/0; ", "%s", changes[i]);
	}
}

Test(db, changed_moves_for_the_commits_of_others_and_for_no_record)
{
	uint64_t first, now;

	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_eq(db_changed(w.db, &first), 0);
	record("latest", "p", NULL);
	cr_assert_eq(db_changed(w.db, &now), 0);
	cr_assert_eq(now, first, "what was exported is no change");
	work("1");
	cr_assert_eq(db_changed(w.db, &now), 0);
	cr_assert_eq(now, first, "nor is it one to look at it");
	sql(&w, world_is_postgresql() ? "BEGIN" : "BEGIN IMMEDIATE");
	sql(&w, "UPDATE package SET unlisted = 1");
	cr_assert_eq(db_changed(w.db, &now), 0);
	cr_assert_eq(now, first, "not committed");
	sql(&w, "COMMIT");
	cr_assert_eq(db_changed(w.db, &now), 0);
	cr_assert_neq(now, first);
}

Test(db, a_transaction_is_seen_whole_or_not_at_all)
{
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
	db_rollback(w.db);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_eq(put("p", "1.0.0", "{ }", false), -EEXIST, "which ends nothing");
	cr_assert_eq(put("p", "1.0.1", "{}", false), 1);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "0");
	cr_assert_eq(db_commit(w.db), 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "2");
}

static atomic_bool recorded;

static void *record_other(void *unused)
{
	(void)unused;
	record("latest", "other", NULL);
	atomic_store(&recorded, true);
	return NULL;
}

Test(db, another_threads_call_does_not_slip_into_a_transaction)
{
	pthread_t thread;

	sql(&w, "INSERT INTO package (name) VALUES ('other')");
	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("p", "1.0.0", "{}", false), 1);
	cr_assert_eq(pthread_create(&thread, NULL, record_other, NULL), 0);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(put("p", "1.0.0", "{}", false), 0);
		sched_yield();
	}
	cr_assert(world_is_postgresql() || !atomic_load(&recorded), "it has a connection of its own");
	db_rollback(w.db);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_str_eq(ask(&w, "SELECT change IS NOT NULL FROM export_state"), "1",
			 "kept, though the transaction was not");
}

#define WRITERS 3
#define ROUNDS	60

static void write_versions(int writer)
{
	struct db *db = NULL;

	if (db_open(w.url, DB_OPEN, &db) < 0)
		_exit(1);
	for (int i = 0; i < ROUNDS; i++) {
		struct package pkg;
		char version[32];
		struct package_version v;

		snprintf(version, sizeof(version), "%d.0.%d", writer, i);
		v = version_row(version, "{}", 0);
		if (db_put_version(db, "shared", &v, false) != 1 ||
		    db_package(db, "shared", &pkg) < 0 || pkg.n_versions < (size_t)i + 1)
			_exit(1);
		package_release(&pkg);
		package_version_release(&v);
	}
	db_close(db);
	_exit(0);
}

Test(db, processes_that_write_at_once_do_not_fail_each_other)
{
	pid_t children[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		cr_assert_geq(children[i], 0);
		if (!children[i])
			write_versions(i);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
		cr_assert_eq(status, 0);
	}
	cr_assert_eq(count_of(&w, "shared"), WRITERS * ROUNDS + 1, "no change was lost");
}

static atomic_bool stop;

static void *read_pairs(void *failures)
{
	while (!atomic_load(&stop)) {
		struct package pkg;

		if (db_package(w.db, "p", &pkg) < 0 || pkg.n_versions % 2 != pkg.unlisted)
			++*(int *)failures;
		package_release(&pkg);
	}
	return NULL;
}

Test(db, a_package_is_read_in_one_snapshot_while_others_write)
{
	int failures[2] = { 0, 0 };
	pthread_t threads[2];

	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, read_pairs, &failures[i]), 0);
	for (int i = 0; i < 200; i++)
		sql(&w,
		    "BEGIN; INSERT INTO package_version (package, version, pubspec)"
		    " VALUES ('p', '1.0.%d', '{}'); UPDATE package SET unlisted = %d; COMMIT",
		    i, (i + 1) % 2);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(pthread_join(threads[i], NULL), 0);
		cr_assert_eq(failures[i], 0);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_test.c - what SQLite alone can be made to do: its types, its pragmas, its query plans. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../../fs/db/sqlite.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

#define OLD "2020-01-01T00:00:00.000Z"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(sqlite, .init = open_world, .fini = close_world);

static int put(const char *package, const char *version, const char *pubspec)
{
	CLEANUP(package_version_release) struct package_version v = version_row(version, pubspec, 0);

	return db_put_version(w.db, package, &v, false);
}

Test(sqlite, a_row_that_cannot_be_read_is_named)
{
	static const struct {
		const char *sql, *table, *row, *column;
	} rows[] = {
		{ "UPDATE package SET created = 'yesterday'", "package", "p", "created" },
		{ "UPDATE package SET updated = '2024-13-01T00:00:00Z'", "package", "p",
		  "updated" },
		{ "UPDATE package SET latest_advisory = ''", "package", "p", "latest_advisory" },
		{ "UPDATE package SET latest_advisory = char(50, 0)", "package", "p",
		  "latest_advisory" },
		{ "UPDATE package SET replaced_by = 'a' || char(0) || 'b'", "package", "p",
		  "replaced_by" },
		{ "UPDATE package_version SET created = '1'", "package_version", "1.0.0",
		  "created" },
		{ "UPDATE package_version SET created = created || char(0)", "package_version",
		  "1.0.0", "created" },
		{ "UPDATE package_version SET pubspec = '{}' || char(0)", "package_version",
		  "1.0.0", "pubspec" },
		{ "UPDATE package_version SET archive_sha256 = char(0)", "package_version", "1.0.0",
		  "archive_sha256" },
		{ "UPDATE advisory SET synced = 'never'", "advisory", "A", "synced" },
		{ "UPDATE advisory SET osv = char(0)", "advisory", "A", "osv" },
		{ "DELETE FROM package_change", "package", "p", "change" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct package pkg;

		sql(&w, "DELETE FROM package; DELETE FROM package_version; DELETE FROM advisory;"
			"DELETE FROM advisory_package; INSERT INTO package (name) VALUES ('p');"
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

Test(sqlite, work_asks_by_keys_alone)
{
	for (size_t n = 1; n <= 3; n++)
		for (int pending = 0; pending < 2; pending++) {
			struct strbuf query = STRBUF_INIT(10000), plan = STRBUF_INIT(10000);
			sqlite3_stmt *stmt = NULL;
			unsigned scans = 0;

			strbuf_addstr(&query, "EXPLAIN QUERY PLAN ");
			sqlite_work_query(n, pending, &query);
			cr_assert_eq(sqlite3_prepare_v2(w.raw, query.buf, -1, &stmt, NULL),
				     SQLITE_OK);
			while (sqlite3_step(stmt) == SQLITE_ROW) {
				const char *line = (const char *)sqlite3_column_text(stmt, 3);

				scans += !strncmp(line, "SCAN", 4);
				cr_assert(strncmp(line, "SCAN", 4) || !strcmp(line, "SCAN c"), "%s",
					  line);
				cr_assert_null(strstr(line, "TEMP B-TREE"), "%s", line);
				strbuf_addf(&plan, "%s\n", line);
			}
			cr_assert_eq(scans, 1, "%s", plan.buf);
			cr_assert_not_null(strstr(plan.buf, "(store=? AND prefix=? AND package=?)"),
					   "%s", plan.buf);
			cr_assert_not_null(strstr(plan.buf, "SEARCH v USING INDEX "
							    "package_version_taken_down "),
					   "%s", plan.buf);
			sqlite3_finalize(stmt);
			strbuf_release(&query);
			strbuf_release(&plan);
		}
}

Test(sqlite, the_newest_versions_are_found_by_an_index)
{
	static const char query[] = "EXPLAIN QUERY PLAN SELECT v.pubspec FROM package_version v"
				    " JOIN package p ON p.name = v.package"
				    " ORDER BY rtrim(v.created, 'Z') DESC, v.package, v.version"
				    " LIMIT 100";
	sqlite3_stmt *stmt = NULL;

	cr_assert_eq(sqlite3_prepare_v2(w.raw, query, -1, &stmt, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
	cr_assert_str_eq((const char *)sqlite3_column_text(stmt, 3),
			 "SCAN v USING INDEX package_version_newest");
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
	cr_assert_not_null(strstr((const char *)sqlite3_column_text(stmt, 3), "SEARCH p USING"));
	cr_assert_eq(sqlite3_step(stmt), SQLITE_DONE, "nothing is sorted");
	sqlite3_finalize(stmt);
}

static int add_newest(void *ctx, const struct newest *newest)
{
	strbuf_addf(ctx, "%s ", newest->package);
	return 0;
}

Test(sqlite, a_version_that_cannot_be_read_holds_up_no_other_of_the_newest)
{
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(1024);

	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b');"
		"INSERT INTO package_version (package, version, created, pubspec) VALUES"
		" ('a', '1.0.0', 'never', '{}'), ('b', '1.0.0', '2024-01-01T00:00:00Z', '{}')");
	cr_assert_eq(db_newest(w.db, 10, add_newest, &names), 0);
	cr_assert_str_eq(names.buf, "b ");
	cr_assert(said("package a", "created", NULL));
}

Test(sqlite, a_transaction_that_sqlite_undid_takes_nothing_more)
{
	struct sqlite *inside = (struct sqlite *)w.db;

	cr_assert_eq(db_begin(w.db), 0);
	cr_assert_eq(put("p", "1.0.0", "{}"), 1);
	cr_assert_eq(sqlite3_exec(inside->handle, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(put("p", "1.0.1", "{}"), -EIO);
	cr_assert_eq(db_commit(w.db), -EIO);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
	cr_assert_eq(put("p", "1.0.1", "{}"), 1, "usable again");
}

Test(sqlite, changed_does_not_move_for_own_writes)
{
	uint64_t first, now;

	cr_assert_eq(db_changed(w.db, &first), 0);
	cr_assert_eq(put("p", "1.0.0", "{}"), 1);
	cr_assert_eq(db_changed(w.db, &now), 0);
	cr_assert_eq(now, first);
}

Test(sqlite, the_writers_own_pragmas_hide_nothing)
{
	static const char *const statements[] = {
		"UPDATE package SET moderated = 1 WHERE name = 'p1'",
		"DELETE FROM package WHERE name = 'p1'",
		"INSERT OR REPLACE INTO package (name, updated) VALUES ('p1', '" OLD "')",
		("INSERT OR REPLACE INTO package_version (package, version, pubspec)"
		" VALUES ('p1', '1.0.0', '{\"a\":1}')"),
		"UPDATE package_version SET package = 'p2'",
		"DELETE FROM package_version",
	};

	sql(&w, "INSERT INTO package (name) VALUES ('p1'), ('p2'); INSERT INTO package_version"
		" (package, version, pubspec) VALUES ('p1', '1.0.0', '{}')");
	for (int recursive = 0; recursive < 2; recursive++) {
		sql(&w, "PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d", recursive,
		    recursive);
		for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
			int before = count_of(&w, "p1"), bumps;

			sql(&w, "BEGIN");
			sql(&w, "%s", statements[i]);
			bumps = count_of(&w, "p1") - before;
			cr_assert(recursive ? bumps > 0 : bumps == 1, "%s bumps by %d",
				  statements[i], bumps);
			sql(&w, "ROLLBACK");
		}
	}
}

Test(sqlite, values_of_other_types_are_refused)
{
	static const char *const statements[] = {
		"INSERT INTO package (name) VALUES (x'61')",
		"INSERT INTO package (name, moderated) VALUES ('b', 2)",
		"INSERT INTO package (name, unlisted) VALUES ('b', 'yes')",
		("INSERT INTO package_version (package, version, pubspec, retracted)"
		" VALUES ('b', '1', '{}', 3)"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++)
		cr_assert_not(sql_is_taken(&w, statements[i]), "%s", statements[i]);
}

static int add_work(void *ctx, const struct work *work)
{
	strbuf_addf(ctx, "%s ", work->package);
	return 0;
}

static int add_name(void *ctx, const char *package, const char *version)
{
	strbuf_addf(ctx, "%s%s ", package, version ? "@" : "");
	return 0;
}

static int add_ranked(void *ctx, const char *package, const char *latest)
{
	(void)latest;
	strbuf_addf(ctx, "%s ", package);
	return 0;
}

/* It would be the name before it, over and over. */
Test(sqlite, a_name_with_a_nul_byte_is_passed_over)
{
	static const char *const prefixes[] = { "latest" };
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(4096);

	sql(&w, "INSERT INTO package (name) VALUES ('p'), ('p' || char(0) || '/..');"
		"INSERT INTO package_version (package, version, pubspec)"
		" SELECT name, '1.0.0', '{}' FROM package");
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 1, "1", add_work, &seen), 0);
	cr_assert_eq(db_names(w.db, add_name, &seen), 0);
	cr_assert_eq(db_newest(w.db, 9, add_newest, &seen), 0);
	cr_assert_eq(db_ranked(w.db, add_ranked, &seen), 0);
	cr_assert_str_eq(seen.buf, "p p p@ p p ");
}

Test(sqlite, a_synced_that_is_no_time_moves_nothing)
{
	sql(&w, "INSERT INTO package (name) VALUES ('p1');"
		"INSERT INTO advisory_package VALUES ('A', 'p1');"
		"INSERT INTO advisory VALUES ('A', '{}', '2024-01-01T00:00:01Z');"
		"UPDATE advisory SET synced = 'never'");
	cr_assert_eq(count_of(&w, "p1"), 3);
	cr_assert_str_eq(ask(&w, "SELECT latest_advisory FROM package"), "2024-01-01T00:00:01Z");
}

/* An advisory that names p1 to pn, which are there. */
static void add_large_advisory(const char *id, int n)
{
	sql(&w,
	    "INSERT INTO advisory (id, osv) WITH RECURSIVE r (i) AS"
	    " (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < %d)"
	    " SELECT '%s', json_object('affected', json_group_array(json_object('package',"
	    " json_object('ecosystem', 'Pub', 'name', 'p' || i)))) FROM r",
	    n, id);
}

/* How many pages a statement looks at, and instructions it takes. */
struct cost {
	int pages, steps;
};

static struct cost cost_of(const char *text)
{
	struct cost cost;
	sqlite3_stmt *stmt = NULL;
	int high, misses;

	sqlite3_db_status(w.raw, SQLITE_DBSTATUS_CACHE_HIT, &cost.pages, &high, 1);
	sqlite3_db_status(w.raw, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1);
	cr_assert_eq(sqlite3_prepare_v2(w.raw, text, -1, &stmt, NULL), SQLITE_OK, "%s", text);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_DONE, "%s", text);
	cost.steps = sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
	sqlite3_finalize(stmt);
	sqlite3_db_status(w.raw, SQLITE_DBSTATUS_CACHE_HIT, &cost.pages, &high, 1);
	sqlite3_db_status(w.raw, SQLITE_DBSTATUS_CACHE_MISS, &misses, &high, 1);
	cost.pages += misses;
	return cost;
}

Test(sqlite, what_an_advisory_names_costs_the_same_however_much_it_names)
{
	enum { MANY = 5000 };
	static const char *const ways[][2] = {
		{ "INSERT INTO advisory_package VALUES ('few', 'last')",
		  "INSERT INTO advisory_package VALUES ('many', 'last')" },
		{ "UPDATE advisory_package SET package = 'p0' WHERE (advisory, package) = ('few', 'last')",
		  "UPDATE advisory_package SET package = 'p0'"
		  " WHERE (advisory, package) = ('many', 'last')" },
		{ "INSERT INTO package (name) VALUES ('of_few')",
		  "INSERT INTO package (name) VALUES ('of_many')" },
		{ "DELETE FROM advisory_package WHERE (advisory, package) = ('few', 'p0')",
		  "DELETE FROM advisory_package WHERE (advisory, package) = ('many', 'p0')" },
	};

	sql(&w, "INSERT INTO package (name) VALUES ('p0'), ('last')");
	add_large_advisory("few", 1);
	add_large_advisory("many", MANY);
	sql(&w, "INSERT INTO advisory_package VALUES ('few', 'of_few'), ('many', 'of_many');"
		"INSERT INTO advisory_package SELECT a.id, value ->> '$.package.name'"
		" FROM advisory a, json_each(osv, '$.affected') WHERE a.id = 'many'");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct cost few = cost_of(ways[i][0]), many = cost_of(ways[i][1]);

		cr_assert_lt(many.steps, few.steps + 50, "%s: %d instead of %d steps", ways[i][1],
			     many.steps, few.steps);
		cr_assert_lt(many.pages, few.pages + 20, "%s: %d instead of %d pages", ways[i][1],
			     many.pages, few.pages);
	}
}

static atomic_bool cancel;
static atomic_int answer;

static void *put_row(void *unused)
{
	(void)unused;
	answer = put("p", "1.0.0", "{}");
	return NULL;
}

/* Without it, this would wait for a minute. */
Test(sqlite, to_wait_for_another_programs_lock_ends_with_the_program, .timeout = 40)
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	pthread_t thread;

	w.db->cancel = &cancel;
	sql(&w, "BEGIN IMMEDIATE");
	answer = 1;
	cr_assert_eq(pthread_create(&thread, NULL, put_row, NULL), 0);
	nanosleep(&nap, NULL); /* it is right, too, if it comes too early */
	cr_assert_eq(answer, 1);
	cancel = true;
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(answer, -ECANCELED);
	sql(&w, "COMMIT");
	cr_assert_eq(put("p", "1.0.0", "{}"), 1, "what can be done at once is done");
}

/* What is put there is a database of its own, with nothing of the other one beside it. */
static void put_in_its_place(const char *from)
{
	static const char *const ends[] = { "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		CLEANUP(free_char) char *beside = xasprintf("%s%s", w.path, ends[i]);

		cr_assert(!unlink(beside) || errno == ENOENT);
	}
	cr_assert_eq(rename(from, w.path), 0);
}

Test(sqlite, a_file_that_takes_its_place_is_the_database_from_then_on)
{
	CLEANUP(free_char) char *backup = xasprintf("%s.backup", w.path);
	uint64_t packages, before, after;
	sqlite3 *raw;

	cr_assert_eq(put("foo", "1.0.0", "{}"), 1);
	sql(&w, "VACUUM INTO '%s'", backup);
	cr_assert_eq(put("bar", "1.0.0", "{}"), 1);
	cr_assert_eq(db_changed(w.db, &before), 0);
	put_in_its_place(backup);
	cr_assert_eq(db_changed(w.db, &after), 0);
	cr_assert_neq(before, after, "whoever waits is told");
	cr_assert_eq(db_count(w.db, &packages), 0);
	cr_assert_eq(packages, 1);
	cr_assert_eq(put("baz", "1.0.0", "{}"), 1);
	cr_assert_eq(db_changed(w.db, &before), 0);
	cr_assert_eq(before, after, "what this connection writes is no change");
	cancel = true;
	w.db->cancel = &cancel;
	raw = raw_open(w.path);
	cr_assert_eq(sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(put("foo", "2.0.0", "{}"), -ECANCELED, "it waits for locks as the first did");
	sqlite3_close(raw);
}

Test(sqlite, a_file_that_is_no_database_does_not_take_its_place)
{
	CLEANUP(free_char) char *other = xasprintf("%s.other", w.path);
	uint64_t packages, ignored;
	FILE *f = fopen(other, "w");

	cr_assert_eq(put("foo", "1.0.0", "{}"), 1);
	cr_assert_not_null(f);
	cr_assert_gt(fprintf(f, "this is a text and no database, however long it may become"), 0);
	cr_assert_eq(fclose(f), 0);
	put_in_its_place(other);
	cr_assert_eq(db_changed(w.db, &ignored), -EIO);
	cr_assert_eq(db_count(w.db, &packages), 0);
	cr_assert_eq(packages, 1, "the one that was open still answers");
	cr_assert_eq(unlink(w.path), 0);
	cr_assert_eq(db_changed(w.db, &ignored), -EIO, "there is none at all");
}

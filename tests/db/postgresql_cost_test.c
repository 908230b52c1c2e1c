/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_cost_test.c - what queries and triggers read, by the server's own plans and counts. */
#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <string.h>

#include "../../fs/db/postgresql.h"
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

TestSuite(postgresql_cost, .init = open_world, .fini = close_world);

static const char *const prefixes[] = { "2026.01.01", "latest" };

static int is_none(void *ctx, const struct work *work)
{
	(void)ctx;
	cr_assert_fail("%s is work", work->package);
	return 0;
}

/* The plan of a query of ours. */
static char *explain(const char *query, const struct arguments *args)
{
	CLEANUP(free_char) char *text = xasprintf("EXPLAIN %s", query);
	struct strbuf plan = STRBUF_INIT(100000);
	PGresult *result = PQexecParams(w.conn, text, args->n, NULL, args->values, NULL, NULL, 0);

	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQerrorMessage(w.conn));
	for (int i = 0; i < PQntuples(result); i++)
		strbuf_addf(&plan, "%s\n", PQgetvalue(result, i, 0));
	PQclear(result);
	return strbuf_detach(&plan);
}

Test(postgresql_cost, work_and_the_newest_are_asked_of_indexes)
{
	CLEANUP(strbuf_release) struct strbuf query = STRBUF_INIT(10000);
	struct arguments args;

	sql(&w, "INSERT INTO package (name) SELECT 'p' || n FROM generate_series(1, 5000) n;"
		"INSERT INTO package_version (package, version, pubspec, retracted)"
		" SELECT 'p' || n, v || '.0.0', repeat('x', 500), n %% 1000 = 0"
		" FROM generate_series(1, 5000) n, generate_series(1, 4) v;"
		"SELECT settle(1000000);"
		"INSERT INTO export_state SELECT 'dir:/b', x, package, change, '1'"
		" FROM package_change, unnest(array['2026.01.01', 'latest']) x");
	sql(&w, "ANALYZE");
	sql(&w, "SET enable_seqscan = on; SET jit = off");
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, "1", is_none, NULL), 0);
	postgresql_work_query(2, true, &query);
	for (int changed = 0; changed < 2; changed++) {
		CLEANUP(free_char) char *plan = NULL;

		arguments_set(&args, "ssss", "dir:/b", "2026.01.01", "latest", "1");
		plan = explain(query.buf, &args);
		cr_assert_null(strstr(plan, "Seq Scan on package_version"), "%s", plan);
		cr_assert_null(strstr(plan, "Seq Scan on package "), "%s", plan);
		cr_assert_not_null(strstr(plan, "package_version_taken_down"), "%s", plan);
		sql(&w, "UPDATE package SET unlisted = true WHERE name LIKE 'p1%%'");
	}
	arguments_set(&args, "d", (int64_t)100);
	{
		CLEANUP(free_char) char *plan = explain(postgresql_newest_query, &args);

		cr_assert_not_null(strstr(plan, "package_version_newest"), "%s", plan);
		cr_assert_null(strstr(plan, "Sort"), "%s", plan);
	}
	arguments_set(&args, "s", "{\"p1\",\"p2\"}");
	{
		CLEANUP(free_char) char *plan = explain(postgresql_versions_query, &args);

		cr_assert_not_null(strstr(plan, "package_version_pkey"), "%s", plan);
		cr_assert_null(strstr(plan, "Seq Scan on package_version"), "%s", plan);
	}
}

Test(postgresql_cost, the_first_packages_are_not_read_for_each_other)
{
	sql(&w, "SET enable_seqscan = on; BEGIN");
	sql(&w, "INSERT INTO package_version (package, version, pubspec)"
	       " SELECT 'p' || n, '1.0.0', '{}' FROM generate_series(1, 1000) n");
	sql(&w, "INSERT INTO package (name) SELECT package FROM package_version");
	sql(&w, "DO $$ BEGIN ASSERT (SELECT seq_tup_read FROM pg_stat_xact_user_tables"
	       " WHERE relname = 'package' AND schemaname = 'pubfs') = 0; END $$");
	sql(&w, "COMMIT");
}

/* An advisory of so many packages, and their names, one by one: in either order. */
static const char *const large[] = {
	"INSERT INTO advisory (id, osv) SELECT 'A', json_build_object('affected',"
	" json_agg(json_build_object('package', json_build_object('ecosystem', 'Pub', 'name', name))))"
	" FROM package",
	"INSERT INTO advisory_package SELECT 'A', name FROM package",
};

Test(postgresql_cost, an_advisory_is_read_once_however_many_packages_it_names)
{
	enum { MANY = 200 };

	sql(&w, "INSERT INTO package (name) SELECT 'p' || n FROM generate_series(1, %d) n", MANY);
	sql(&w, "SET track_functions = 'all'");
	for (int first = 0; first < 2; first++) {
		sql(&w, "SELECT settle(1000)");
		sql(&w, "BEGIN");
		sql(&w, "%s", large[first]);
		sql(&w, "%s", large[1 - first]);
		sql(&w, "ANALYZE advisory"); /* it is one row, and all the same no plan reads it */
		sql(&w, "INSERT INTO advisory_package SELECT 'A', 'new' || n"
		       " FROM generate_series(1, %d) n", MANY);
		sql(&w, "INSERT INTO package (name) SELECT 'new' || n FROM generate_series(1, %d) n",
		    MANY);
		sql(&w, "DELETE FROM advisory_package WHERE package LIKE 'new%%'");
		sql(&w, "SELECT settle(10000)");
		sql(&w, "DO $$ BEGIN ASSERT (SELECT sum(calls) FROM pg_stat_xact_user_functions"
		       " WHERE funcname = 'advisory_moves') <= 4 * %d,"
		       " 'for the index, its packages, ANALYZE and settle()'; END $$",
		    first + 1);
		sql(&w, "DO $$ BEGIN ASSERT (SELECT sum(n) FROM package_counter"
		       " WHERE package LIKE 'p%%') <= %d, 'told of it twice at most'; END $$",
		    3 * MANY);
		sql(&w, "ROLLBACK");
	}
}

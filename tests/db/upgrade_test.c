/* SPDX-License-Identifier: BSD-3-Clause */
/* upgrade_test.c - a PostgreSQL whose schema, or server, is of another version than this one. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "proxy.h"
#include "strbuf.h"

static struct world w;

static void make_database(void)
{
	world_folder(&w);
	w.conn = raw_connect(w.path);
}

static void remove_database(void)
{
	world_close(&w);
}

TestSuite(upgrade, .init = make_database, .fini = remove_database);

/* The schema as a pubfs of that version made it, with rows in it. */
static void make_earlier(void)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);
	char buf[4096];
	FILE *f = fopen(SCHEMA_3, "r");
	size_t n;

	cr_assert_not_null(f, "%s", SCHEMA_3);
	while ((n = fread(buf, 1, sizeof(buf), f)))
		strbuf_add(&ddl, buf, n);
	fclose(f);
	sql(&w, "%s", ddl.buf);
	sql(&w, "SET search_path = pubfs; INSERT INTO package (name) VALUES ('p');"
		"INSERT INTO advisory (id, osv) VALUES ('A', '{}');"
		"INSERT INTO advisory_package VALUES ('A', 'p'), ('B', 'p')");
}

static void upgrade(void)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);

	cr_assert_eq(db_schema("postgresql", NULL, &ddl), 0);
	sql(&w, "%s", ddl.buf);
}

/* Each column, constraint, index, trigger, view and function, and who may do what with it. */
static char *describe(void)
{
	static const char query[] =
		"WITH ours AS (SELECT oid FROM pg_namespace WHERE nspname = 'pubfs'), things (t) AS ("
		" SELECT concat_ws(' ', c.relname, c.relacl, a.attname, a.atttypid::regtype,"
		" a.attnotnull, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid))"
		" FROM pg_class c JOIN ours ON relnamespace = ours.oid JOIN pg_attribute a"
		" ON attrelid = c.oid AND attnum > 0 LEFT JOIN pg_attrdef d"
		" ON adrelid = c.oid AND adnum = attnum"
		" UNION ALL SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k, ours"
		" WHERE connamespace = ours.oid"
		" UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'pubfs'"
		" UNION ALL SELECT pg_get_triggerdef(t.oid) || tgenabled::text FROM pg_trigger t"
		" WHERE NOT tgisinternal"
		" UNION ALL SELECT definition FROM pg_views WHERE schemaname = 'pubfs'"
		" UNION ALL SELECT pg_get_functiondef(p.oid) || coalesce(proacl::text, '')"
		" FROM pg_proc p, ours WHERE pronamespace = ours.oid)"
		" SELECT string_agg(t, E'\\n' ORDER BY t) FROM things";

	return xstrdup(ask(&w, "%s", query));
}

Test(upgrade, an_earlier_schema_is_refused_until_it_is_what_a_new_one_is)
{
	CLEANUP(free_char) char *upgraded = NULL, *made = NULL;

	make_earlier();
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EIO);
	cr_assert(said("schema version 3", "`pubfs schema postgresql | psql`, by its owner", NULL));
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), -EIO, "nor is it changed by who may");
	upgrade();
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_eq(count_of(&w, "p"), 2, "its rows are kept");
	upgraded = describe();
	upgrade();
	made = describe();
	cr_assert_str_eq(upgraded, made, "once more changes nothing");
	free(made);
	sql(&w, "DROP SCHEMA pubfs CASCADE");
	upgrade();
	made = describe();
	cr_assert_str_eq(upgraded, made);
}

/* Through a proxy, whose server is of the version that it is told to say. */
Test(upgrade, a_server_before_15_is_refused)
{
	static const struct {
		int version;
		bool taken;
	} rows[] = { { 13, false }, { 14, false }, { 15, true }, { 16, true } };
	struct proxy *proxy = proxy_start();
	CLEANUP(free_char)
	char *url = xasprintf("postgresql://pubfs_test@/%s?host=%s", w.path, proxy_folder(proxy));
	CLEANUP(free_char)
	char *command = xasprintf(PUBFS " deployments --home '%s' --db '%s' 2>/dev/null", w.dir, url);

	upgrade();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char)
		char *sentence = xasprintf("is PostgreSQL %d, and 15 or later is needed",
					   rows[i].version);
		struct db *db = NULL;

		proxy_say_version(proxy, rows[i].version);
		cr_assert_eq(db_open(url, DB_OPEN, &db), rows[i].taken ? 0 : -EIO, "%s", sentence);
		cr_assert(rows[i].taken || said("the server of postgresql://", sentence, NULL));
		db_close(db);
		cr_assert_eq(WEXITSTATUS(system(command)), rows[i].taken ? 0 : 3, "%s", sentence);
	}
	proxy_stop(proxy);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* migrate_test.c - a file of an earlier version of the schema is brought to this one, or left. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

static struct world w;

/* A file as a pubfs of that schema version left it. */
static void make_earlier(void)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);
	char buf[4096];
	FILE *f = fopen(SCHEMA_1, "r");
	size_t n;

	world_folder(&w);
	cr_assert_not_null(f, "%s", SCHEMA_1);
	while ((n = fread(buf, 1, sizeof(buf), f)))
		strbuf_add(&ddl, buf, n);
	fclose(f);
	w.raw = raw_open(w.path);
	sql(&w, "%s", ddl.buf);
	sql(&w, "INSERT INTO package (name) VALUES ('p');"
		"INSERT INTO advisory (id, osv) VALUES ('A', '{}');"
		"INSERT INTO deployment VALUES ('2026.01.01', 'h', '2026-01-01T00:00:00Z', '', 1)");
}

static void remove_world(void)
{
	world_close(&w);
}

TestSuite(migrate, .init = make_earlier, .fini = remove_world);

/* Each column, each index, and the text of each view and trigger. */
static char *describe(void)
{
	return xstrdup(ask(&w, "SELECT group_concat(t) FROM (SELECT m.name || '.' || c.name || ' ' ||"
			       " c.type || c.\"notnull\" || c.pk || coalesce(c.dflt_value, '') AS t"
			       " FROM sqlite_schema m JOIN pragma_table_info(m.name) c"
			       " WHERE m.type = 'table' UNION ALL SELECT sql FROM sqlite_schema"
			       " WHERE type IN ('view', 'trigger') UNION ALL"
			       " SELECT name FROM sqlite_schema WHERE type = 'index'"
			       " ORDER BY 1)"));
}

Test(migrate, an_earlier_file_becomes_what_a_new_one_is_and_keeps_its_rows)
{
	CLEANUP(free_char) char *migrated = NULL, *made = NULL;

	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(ask(&w, "PRAGMA user_version"), "4");
	cr_assert_eq(count_of(&w, "p"), 1);
	cr_assert_str_eq(ask(&w, "SELECT retired || base_url || shadow FROM deployment"), "10");
	sql(&w, "INSERT INTO advisory_package VALUES ('A', 'p')");
	cr_assert_eq(count_of(&w, "p"), 2, "an advisory of before is known");
	migrated = describe();
	db_close(w.db);
	sqlite3_close(w.raw);
	unlink(w.path);
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), 0);
	w.raw = raw_open(w.path);
	made = describe();
	cr_assert_str_eq(migrated, made);
}

Test(migrate, views_and_triggers_of_others_stay)
{
	sql(&w, "CREATE TABLE audit (package);"
		"CREATE TRIGGER package_audit AFTER UPDATE ON package BEGIN"
		" INSERT INTO audit VALUES (NEW.name); END;"
		"CREATE VIEW package_names AS SELECT name FROM package");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	sql(&w, "UPDATE package SET unlisted = 1 WHERE name IN (SELECT name FROM package_names)");
	cr_assert_neq(count_of(&w, "p"), 1, "ours are there");
	cr_assert_gt(atoi(ask(&w, "SELECT count(*) FROM audit")), 0, "and theirs");
}

Test(migrate, a_failure_half_way_leaves_the_file_as_it_was)
{
	CLEANUP(free_char) char *before = NULL, *after = NULL;

	sql(&w, "DROP VIEW advisory_reach; CREATE TABLE advisory_reach (x)");
	before = describe();
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EIO);
	cr_assert(said("cannot migrate the database", "advisory_reach", NULL));
	cr_assert_str_eq(ask(&w, "PRAGMA user_version"), "1");
	after = describe();
	cr_assert_str_eq(before, after);
}

Test(migrate, processes_that_find_it_at_the_same_time_all_succeed)
{
	pid_t children[4];
	int status;

	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		if (!children[i]) {
			struct db *db;

			_exit(db_open(w.url, DB_OPEN, &db) < 0);
		}
	}
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
		cr_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	}
	cr_assert_str_eq(ask(&w, "PRAGMA user_version"), "4");
}

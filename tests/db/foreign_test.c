/* SPDX-License-Identifier: BSD-3-Clause */
/* foreign_test.c - a registry with tables of its own (other names, integer keys), behind four
 * views: its triggers call changed(), or its `updated` is looked at. And whose rights suffice for
 * that. */
#include <criterion/criterion.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "server.h"
#include "strbuf.h"

static const char registry[] =
	"CREATE SCHEMA registry;"
	"CREATE TABLE registry.project (id serial PRIMARY KEY, title varchar(64) UNIQUE,"
	" born timestamptz DEFAULT clock_timestamp(), touched timestamptz DEFAULT clock_timestamp(),"
	" state int DEFAULT 0);"
	"CREATE TABLE registry.release (id serial PRIMARY KEY, project int, number text, at timestamptz"
	" DEFAULT clock_timestamp(), meta jsonb, withdrawn int DEFAULT 0);"
	"CREATE TABLE registry.alert (id serial PRIMARY KEY, tag text, body json,"
	" seen timestamptz DEFAULT clock_timestamp(), project int);";

static const char views[] =
	"CREATE SCHEMA pubfs;"
	"CREATE VIEW pubfs.package AS SELECT title AS name, born AS created, touched AS updated,"
	" state = 1 AS moderated, false AS deleted, false AS discontinued, NULL::text AS replaced_by,"
	" false AS unlisted, NULL::text AS latest_version, NULL::timestamptz AS latest_advisory,"
	" 0 AS likes, NULL::text AS publisher, 0 AS granted_points, 0 AS max_points,"
	" NULL::int AS download_count_30d, '[]'::json AS tags FROM registry.project;"
	"CREATE VIEW pubfs.package_version AS SELECT title AS package, number AS version, at AS created,"
	" meta AS pubspec, NULL::text AS archive_sha256, withdrawn <> 0 AS retracted,"
	" false AS moderated, false AS deleted"
	" FROM registry.release r JOIN registry.project p ON p.id = r.project;"
	"CREATE VIEW pubfs.advisory AS SELECT DISTINCT ON (tag) tag AS id, body AS osv, seen AS synced"
	" FROM registry.alert;"
	"CREATE VIEW pubfs.advisory_package AS SELECT tag AS advisory, title AS package"
	" FROM registry.alert a JOIN registry.project p ON p.id = a.project;";

/* As pubfs(1) has it. */
static const char calls[] =
	"CREATE FUNCTION registry.tell_pubfs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" PERFORM pubfs.changed(title) FROM registry.project WHERE id = NEW.project;"
	" RETURN NULL; END $$;"
	"CREATE TRIGGER tell AFTER INSERT OR UPDATE ON registry.release FOR EACH ROW"
	" EXECUTE FUNCTION registry.tell_pubfs();"
	"CREATE FUNCTION registry.tell_pubfs_itself() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
	" PERFORM pubfs.changed(NEW.title); RETURN NULL; END $$;"
	"CREATE TRIGGER tell AFTER INSERT OR UPDATE ON registry.project FOR EACH ROW"
	" EXECUTE FUNCTION registry.tell_pubfs_itself();";

static struct world w;

static void make_registry(void)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);

	world_folder(&w);
	w.conn = raw_connect(w.path);
	sql(&w, "%s", registry);
	sql(&w, "%s", views);
	cr_assert_eq(db_schema("postgresql", NULL, &ddl), 0);
	sql(&w, "%s", ddl.buf);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(foreign, .init = make_registry, .fini = close_world);

static int add_name(void *ctx, const struct work *work)
{
	strbuf_addf(ctx, "%s%s ", work->package, work->exists ? "" : "(gone)");
	return 0;
}

static const char *const prefixes[] = { "2026.01.01", "latest" };

static const char *work(const char *renderer)
{
	static struct strbuf out = STRBUF_INIT(10000);

	strbuf_reset(&out);
	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, renderer, add_name, &out), 0);
	return out.len ? out.buf : "";
}

static int record_it(void *ctx, const struct work *work)
{
	struct strbuf *text = ctx;

	strbuf_addf(text, "INSERT INTO pubfs.export_state SELECT 'dir:/b', x, '%s', '%s', '1'"
			  " FROM unnest(array['2026.01.01', 'latest']) x"
			  " ON CONFLICT (store, prefix, package) DO UPDATE SET change = excluded.change;",
		    work->package, work->change);
	return 0;
}

static void export(void)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(100000);

	cr_assert_eq(db_work(w.db, "dir:/b", prefixes, 2, "1", record_it, &text), 0);
	sql(&w, "%s", text.buf);
	cr_assert_str_eq(work("1"), "");
}

static const char *how(void)
{
	static struct strbuf out = STRBUF_INIT(10000);

	strbuf_reset(&out);
	cr_assert_eq(db_check(w.db, &out), 0);
	return out.buf;
}

Test(foreign, a_registrys_own_tables_are_read_through_views)
{
	struct package pkg;
	uint64_t found = 0;

	sql(&w, "INSERT INTO registry.project (title, state) VALUES ('oxygen', 1), ('helium', 0);"
		"INSERT INTO registry.release (project, number, meta, withdrawn)"
		" VALUES (1, '1.0.0', '{\"name\": \"oxygen\"}', 1);"
		"INSERT INTO registry.alert (tag, body, project) VALUES ('A', '{}', 1)");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_eq(db_scan(w.db, INT64_MAX, &found), 0);
	cr_assert_eq(found, 2);
	cr_assert_eq(db_package(w.db, "oxygen", &pkg), 0);
	cr_assert(pkg.moderated && !pkg.deleted);
	cr_assert_eq(pkg.n_versions, 1);
	cr_assert(pkg.versions[0].retracted);
	cr_assert_str_eq(pkg.versions[0].pubspec, "{\"name\": \"oxygen\"}");
	cr_assert_eq(pkg.n_advisories, 1);
	package_release(&pkg);
	cr_assert_str_eq(work("1"), "helium oxygen ");
}

Test(foreign, its_triggers_tell_of_changes)
{
	uint64_t seen;

	sql(&w, "%s", calls);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(how(), "changes are told by triggers of the registry, on registry.project,"
				" registry.release");
	sql(&w, "INSERT INTO registry.project (title) VALUES ('oxygen'), ('helium')");
	cr_assert_str_eq(work("1"), "helium oxygen ");
	export();
	cr_assert_eq(db_changed(w.db, &seen), 0);
	sql(&w, "INSERT INTO registry.release (project, number, meta) VALUES (1, '1.0.0', '{}')");
	cr_assert_eq(db_wait(w.db, MINUTE_US, NULL, &seen), 1);
	cr_assert_str_eq(work("1"), "oxygen ");
	export();
	sql(&w, "UPDATE registry.release SET withdrawn = 1");
	cr_assert_str_eq(work("1"), "oxygen ");
}

Test(foreign, without_them_updated_is_looked_at)
{
	uint64_t found = 0;

	sql(&w, "INSERT INTO registry.project (title, touched) VALUES ('oxygen', '2020-01-01'),"
		" ('helium', clock_timestamp())");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(how(), "changes are looked for by `updated`");
	cr_assert_str_eq(work("1"), "", "nobody has told of them");
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_eq(found, 1, "only those of the last hour");
	cr_assert_str_eq(work("1"), "helium ");
	cr_assert_str_eq(work(NULL), "helium oxygen ", "where all are asked for, all are looked at");
	export();
	cr_assert_eq(db_scan(w.db, INT64_MAX, &found), 0);
	cr_assert_eq(found, 0);
	sql(&w, "UPDATE registry.project SET touched = touched - interval '1 minute'"
		" WHERE title = 'helium'");
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_eq(found, 1, "any other time counts, an earlier one too");
	cr_assert_str_eq(work("1"), "helium ");
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_eq(found, 0, "once");
	sql(&w, "UPDATE registry.project SET touched = touched + interval '1 minute 1 microsecond'"
		" WHERE title = 'helium'");
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_str_eq(ask(&w, "SELECT updated = touched FROM pubfs.package_now"
				 " JOIN registry.project ON title = name WHERE title = 'helium'"),
			 "1", "and is what an export sees");
}

/* A registry need not keep the time at all. */
Test(foreign, a_package_without_a_time_and_one_of_old_are_found)
{
	uint64_t found = 0;

	sql(&w, "INSERT INTO registry.project (title, touched) VALUES ('none', NULL),"
		" ('never', '-infinity'), ('old', '1900-01-01'), ('new', clock_timestamp())");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_eq(found, 2);
	cr_assert_str_eq(work("1"), "new none ");
	cr_assert_str_eq(work(NULL), "never new none old ");
	sql(&w, "UPDATE registry.project SET state = 1");
	cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
	cr_assert_eq(found, 2, "and what changes of it");
}

static int add_ranked(void *ctx, const char *package, const char *latest)
{
	(void)latest;
	strbuf_addf(ctx, "%s ", package);
	return 0;
}

static int add_newest(void *ctx, const struct newest *newest)
{
	strbuf_addf(ctx, "%s ", newest->package);
	return 0;
}

Test(foreign, a_time_that_is_put_right_is_forgotten)
{
	static const char *const times[] = { "infinity", "10000-01-01" };
	struct package pkg;
	uint64_t found;

	sql(&w, "INSERT INTO registry.project (title) VALUES ('oxygen')");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		sql(&w, "UPDATE registry.project SET touched = '%s'", times[i]);
		cr_assert_eq(db_scan(w.db, INT64_MAX, &found), 0);
		cr_assert_lt(db_package(w.db, "oxygen", &pkg), 0, "%s", times[i]);
		sql(&w, "UPDATE registry.project SET touched = clock_timestamp()");
		cr_assert_eq(db_scan(w.db, HOUR_US, &found), 0);
		cr_assert_eq(found, 1);
		cr_assert_eq(db_package(w.db, "oxygen", &pkg), 0, "%s", times[i]);
		package_release(&pkg);
	}
}

Test(foreign, names_that_no_bucket_can_hold_are_passed_over)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(4096);

	sql(&w, "%s", calls);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	sql(&w, "INSERT INTO registry.project (title) VALUES ('a/b'), ('..'), ('../c'), ('9'), (''),"
		" ('good'), (E'a\\nb'), ('a.d')");
	sql(&w, "INSERT INTO registry.release (project, number, meta)"
		" SELECT id, '1.0.0', '{}' FROM registry.project");
	cr_assert_str_eq(work("1"), "good ");
	cr_assert_str_eq(work(NULL), "good ");
	cr_assert_eq(db_ranked(w.db, add_ranked, &seen), 0);
	cr_assert_eq(db_newest(w.db, 100, add_newest, &seen), 0);
	cr_assert_str_eq(seen.buf, "good good ");
}

Test(foreign, a_table_of_its_own_with_our_columns_gets_our_triggers)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);

	sql(&w, "DROP SCHEMA pubfs CASCADE; CREATE SCHEMA pubfs;"
		"CREATE TABLE pubfs.advisory (id text PRIMARY KEY, osv text, synced timestamptz, x int)");
	cr_assert_eq(db_schema("postgresql", NULL, &ddl), 0);
	sql(&w, "%s", ddl.buf);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(how(), "changes are noticed by triggers of pubfs");
	sql(&w, "ALTER TABLE pubfs.package DISABLE TRIGGER pubfs_change"); /* one of several */
	db_close(w.db);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(how(), "changes are looked for by `updated`");
	sql(&w, "ALTER TABLE pubfs.package ENABLE ALWAYS TRIGGER pubfs_change;"
		"DROP TRIGGER pubfs_insert ON pubfs.advisory_package;"
		"DROP TRIGGER pubfs_rename ON pubfs.advisory_package;"
		"DROP TRIGGER pubfs_update ON pubfs.advisory_package;"
		"DROP TRIGGER pubfs_delete ON pubfs.advisory_package;"
		"DROP TRIGGER pubfs_truncate ON pubfs.advisory_package");
	db_close(w.db);
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(how(), "changes are looked for by `updated`");
}

Test(foreign, what_is_missing_is_named_when_it_is_opened)
{
	static const struct {
		const char *sql, *said, *also;
	} rows[] = {
		{ "DROP TABLE pubfs.export_state", "table export_state is missing", "" },
		{ "DROP VIEW pubfs.advisory_package", "table advisory_package is missing", "" },
		{ "DROP VIEW pubfs.advisory, pubfs.advisory_package; CREATE VIEW pubfs.advisory AS"
		  " SELECT 'A' AS id, seen::timestamp AS synced FROM registry.alert",
		  "column advisory.osv is missing",
		  "column advisory.synced is timestamp without time zone and must be timestamp with" },
		{ "DROP VIEW pubfs.package_version; CREATE VIEW pubfs.package_version AS SELECT"
		  " '' AS package, '' AS version, now() AS created, '' AS pubspec,"
		  " '' AS archive_sha256, 0 AS retracted, false AS moderated, false AS deleted",
		  "column package_version.retracted is integer and must be boolean", "" },
		{ "DROP VIEW pubfs.package CASCADE; CREATE VIEW pubfs.package AS SELECT 1 AS name,"
		  " '' AS likes",
		  "column package.name is integer and must be text",
		  "column package.likes is text and must be integer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sql(&w, "BEGIN; %s; COMMIT", rows[i].sql);
		cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EIO, "%s", rows[i].sql);
		cr_assert(said(rows[i].said, rows[i].also, NULL), "%s", rows[i].sql);
		close_world();
		make_registry();
	}
}

static char *url_as(const char *role)
{
	CLEANUP(free_char) char *url = server_url(w.path);

	return xasprintf("%s&options=-c%%20role%%3D%s", url, role);
}

static void make_ours(void)
{
	sql(&w, "DROP SCHEMA pubfs CASCADE");
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), 0);
	db_close(w.db);
	w.db = NULL;
}

Test(foreign, each_column_that_is_missing_is_named)
{
	static const char columns[] =
		" FROM information_schema.columns WHERE table_schema = 'pubfs' AND table_name IN"
		" ('package', 'package_version', 'advisory', 'advisory_package')";
	int n;

	make_ours();
	n = atoi(ask(&w, "SELECT count(*)%s", columns));
	cr_assert_eq(n, 29, "all that the format needs");
	for (int i = 0; i < n; i++) {
		static const char nth[] = "SELECT %s%s ORDER BY table_name, column_name"
					  " LIMIT 1 OFFSET %d";
		CLEANUP(free_char) char *table = xstrdup(ask(&w, nth, "table_name", columns, i));
		CLEANUP(free_char) char *column = xstrdup(ask(&w, nth, "column_name", columns, i));
		CLEANUP(free_char) char *name = xasprintf("column %s.%s is missing", table, column);

		sql(&w, "ALTER TABLE pubfs.%s RENAME %s TO elsewhere", table, column);
		cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), -EIO, "%s", name);
		cr_assert(said(name, NULL), "%s", name);
		sql(&w, "ALTER TABLE pubfs.%s RENAME elsewhere TO %s", table, column);
	}
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
}

/* No right that it has can be spared. */
Test(foreign, each_right_that_is_missing_is_named)
{
	static const char grants[] = " FROM information_schema.role_table_grants"
				     " WHERE grantee = '%s' AND table_name <> 'schema_version'"
				     " ORDER BY table_name, privilege_type";
	static const char *const functions[] = { "settle(integer)", "scan(bigint)",
						 "advisory_moves(text)" };
	CLEANUP(free_char) char *role = xasprintf("exporter_%s", w.path);
	CLEANUP(free_char) char *url = url_as(role), *of_role = NULL;
	int n;

	/* as careful administrators have it */
	sql(&w, "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC");
	make_ours();
	sql(&w, "DROP ROLE IF EXISTS %s; CREATE ROLE %s", role, role);
	sql(&w, "SELECT pubfs.grant_export('%s')", role);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(work("1"), "", "which calls a function");
	db_close(w.db);
	w.db = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	of_role = xasprintf(grants, role);
#pragma GCC diagnostic pop
	n = atoi(ask(&w, "SELECT count(*) FROM (SELECT 1 %s) g", of_role));
	cr_assert_eq(n, 4 + 2 + 2 * 4 + 3 * 3 + 2 * 3 + 2 + 2, "%d", n);
	for (int i = 0; i < n; i++) {
		CLEANUP(free_char)
		char *table =
			xstrdup(ask(&w, "SELECT table_name %s LIMIT 1 OFFSET %d", of_role, i));
		CLEANUP(free_char)
		char *right =
			xstrdup(ask(&w, "SELECT privilege_type %s LIMIT 1 OFFSET %d", of_role, i));
		CLEANUP(free_char)
		char *name = xasprintf("role %s has no right %s on %s", role, right, table);

		sql(&w, "REVOKE %s ON pubfs.%s FROM %s", right, table, role);
		cr_assert_eq(db_open(url, DB_OPEN, &w.db), -EACCES, "%s", name);
		cr_assert(said(name, NULL), "%s", name);
		sql(&w, "GRANT %s ON pubfs.%s TO %s", right, table, role);
	}
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		sql(&w, "REVOKE EXECUTE ON FUNCTION pubfs.%s FROM %s, PUBLIC", functions[i], role);
		cr_assert_eq(db_open(url, DB_OPEN, &w.db), -EACCES, "%s", functions[i]);
		cr_assert(said("has no right EXECUTE on", functions[i], NULL));
		sql(&w, "GRANT EXECUTE ON FUNCTION pubfs.%s TO %s", functions[i], role);
	}
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);
	db_close(w.db);
	w.db = NULL;
	sql(&w, "DROP OWNED BY %s; DROP ROLE %s", role, role);
}

Test(foreign, a_role_that_exports_needs_no_right_to_write_packages)
{
	CLEANUP(free_char) char *url = NULL, *before = xstrdup(w.path);
	CLEANUP(package_version_release) struct package_version v = version_row("1.0.0", "{}", 0);
	struct deployment host = { .runtime_version = before, .host = before, .accepted = before,
				   .base_url = before };
	struct lease lease = { .store = "s", .runtime_version = "v", .owner = "o", .duration = 1 };
	struct export_record rec = { .prefix = "latest", .package = "p",
				     .state = { .last_error = before } };
	struct package pkg;
	enum claim claim;
	uint64_t n;

	sql(&w, "DROP SCHEMA pubfs CASCADE");
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), 0);
	cr_assert_eq(db_put_version(w.db, "p", &v, false), 1);
	db_close(w.db);
	w.db = NULL;
	sql(&w, "DROP ROLE IF EXISTS exporter_%s; CREATE ROLE exporter_%s", w.path, w.path);
	url = xasprintf("exporter_%s", w.path);
	{
		CLEANUP(free_char) char *role = url;

		url = url_as(role);
	}
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), -EACCES);
	cr_assert(said("no right USAGE on the schema pubfs", NULL));
	sql(&w, "GRANT USAGE ON SCHEMA pubfs TO exporter_%s", w.path);
	sql(&w, "GRANT SELECT ON pubfs.schema_version TO exporter_%s", w.path);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), -EACCES);
	cr_assert(said("has no right SELECT on", "package_version", "has no right INSERT on", "lease", NULL));
	sql(&w, "SELECT pubfs.grant_export('exporter_%s')", w.path);
	cr_assert_eq(db_open(url, DB_OPEN, &w.db), 0);

	cr_assert_str_eq(work("1"), "p ");
	cr_assert_eq(db_package(w.db, "p", &pkg), 0);
	package_release(&pkg);
	cr_assert_eq(db_record(w.db, "dir:/b", &rec, 1), 0);
	cr_assert_eq(db_changed(w.db, &n), 0);
	cr_assert_eq(db_beat(w.db, &host), 0);
	cr_assert_eq(db_hold(w.db, "2026.01.01"), 0);
	cr_assert_eq(db_claim(w.db, &lease, &before, 1, &claim), 0);
	cr_assert_eq(db_release(w.db, &lease, NULL, 0), 0);
	cr_assert_eq(db_put_version(w.db, "q", &v, false), -EACCES);
	cr_assert(said("permission denied for table package", NULL));
	cr_assert_eq(db_purge(w.db, "p", NULL), -EACCES);
	sql(&w, "SELECT pubfs.grant_intake('exporter_%s')", w.path);
	cr_assert_eq(db_put_version(w.db, "q", &v, false), 1);
	db_close(w.db);
	w.db = NULL;
	sql(&w, "DROP OWNED BY exporter_%s; DROP ROLE exporter_%s", w.path, w.path);
}

Test(foreign, who_writes_packages_needs_no_right_on_our_tables)
{
	sql(&w, "DROP SCHEMA pubfs CASCADE;"
		"ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC");
	cr_assert_eq(db_open(w.url, DB_CREATE, &w.db), 0);
	sql(&w, "DROP ROLE IF EXISTS writer_%s; CREATE ROLE writer_%s;"
		"GRANT USAGE ON SCHEMA pubfs TO writer_%s", w.path, w.path, w.path);
	sql(&w, "GRANT SELECT, INSERT, UPDATE, DELETE ON pubfs.package, pubfs.package_version,"
		" pubfs.advisory, pubfs.advisory_package TO writer_%s", w.path);
	sql(&w, "CREATE TABLE registry.mine (name text, package text);"
		"GRANT USAGE ON SCHEMA registry TO writer_%s;"
		"ALTER TABLE registry.mine OWNER TO writer_%s", w.path, w.path);
	sql(&w, "SET ROLE writer_%s", w.path);
	sql(&w, "INSERT INTO pubfs.package (name) VALUES ('p');"
		"INSERT INTO pubfs.advisory (id, osv) VALUES ('A', '{}');"
		"INSERT INTO pubfs.advisory_package VALUES ('A', 'p');"
		"UPDATE pubfs.package SET unlisted = true; DELETE FROM pubfs.advisory");
	cr_assert_not(sql_is_taken(&w, "SELECT pubfs.note('p', NULL, NULL, false)"));
	cr_assert_not(sql_is_taken(&w, "DELETE FROM pubfs.package_event"));
	cr_assert_not(sql_is_taken(&w, "CREATE TRIGGER t AFTER INSERT ON registry.mine FOR EACH ROW"
				       " EXECUTE FUNCTION pubfs.package_noted()"),
		      "which would note any name");
	sql(&w, "SELECT pubfs.changed('p')"); /* any role may, whatever the default is */
	sql(&w, "RESET ROLE");
	cr_assert_str_eq(work("1"), "p ");
	sql(&w, "DROP OWNED BY writer_%s; DROP ROLE writer_%s", w.path, w.path);
}

Test(foreign, what_is_set_through_a_view_needs_a_rule_of_the_registry)
{
	const struct db_value moderated[] = { { "moderated", DB_FLAG, 1, NULL } };

	sql(&w, "INSERT INTO registry.project (title) VALUES ('oxygen'), ('helium')");
	cr_assert_eq(db_open(w.url, DB_OPEN, &w.db), 0);
	cr_assert_eq(db_set(w.db, "oxygen", NULL, moderated, 1), -EIO);
	cr_assert(said("cannot write the database", "column \"moderated\" of view \"package\"", NULL));
	cr_assert_eq(db_purge(w.db, "oxygen", NULL), -EIO);
	sql(&w, "CREATE FUNCTION registry.set() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
		" UPDATE registry.project SET state = NEW.moderated::int WHERE title = OLD.name;"
		" RETURN NEW; END $$;"
		"CREATE TRIGGER set INSTEAD OF UPDATE ON pubfs.package FOR EACH ROW"
		" EXECUTE FUNCTION registry.set()");
	cr_assert_eq(db_set(w.db, "oxygen", NULL, moderated, 1), 0);
	cr_assert_str_eq(ask(&w, "SELECT string_agg(title, ' ') FROM registry.project"
				 " WHERE state = 1"),
			 "oxygen");
	cr_assert_eq(db_set(w.db, "none", NULL, moderated, 1), -ENOENT);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_check.c - what a schema lacks: tables, columns, rights; and how changes come. */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <string.h>

#include "log.h"
#include "strbuf.h"

#define QUERY_MAX 65536
#define LACKS_MAX 8192

#define TEXT_KIND   "text"
#define TIME_KIND   "timestamp with time zone"
#define FLAG_KIND   "boolean"
#define NUMBER_KIND "integer"

/* What is read of the four tables that may be views. */
static const struct {
	const char *table, *column, *kind;
} wanted[] = {
	{ "package", "name", TEXT_KIND },
	{ "package", "created", TIME_KIND },
	{ "package", "updated", TIME_KIND },
	{ "package", "moderated", FLAG_KIND },
	{ "package", "deleted", FLAG_KIND },
	{ "package", "discontinued", FLAG_KIND },
	{ "package", "replaced_by", TEXT_KIND },
	{ "package", "unlisted", FLAG_KIND },
	{ "package", "latest_version", TEXT_KIND },
	{ "package", "latest_advisory", TIME_KIND },
	{ "package", "likes", NUMBER_KIND },
	{ "package", "publisher", TEXT_KIND },
	{ "package", "granted_points", NUMBER_KIND },
	{ "package", "max_points", NUMBER_KIND },
	{ "package", "download_count_30d", NUMBER_KIND },
	{ "package", "tags", TEXT_KIND },
	{ "package_version", "package", TEXT_KIND },
	{ "package_version", "version", TEXT_KIND },
	{ "package_version", "created", TIME_KIND },
	{ "package_version", "pubspec", TEXT_KIND },
	{ "package_version", "archive_sha256", TEXT_KIND },
	{ "package_version", "retracted", FLAG_KIND },
	{ "package_version", "moderated", FLAG_KIND },
	{ "package_version", "deleted", FLAG_KIND },
	{ "advisory", "id", TEXT_KIND },
	{ "advisory", "osv", TEXT_KIND },
	{ "advisory", "synced", TIME_KIND },
	{ "advisory_package", "advisory", TEXT_KIND },
	{ "advisory_package", "package", TEXT_KIND },
};

/* As grant_export() of the schema has them. */
#define LACKS                                                                                      \
	"), needed (tab, right_) AS ("                                                             \
	" SELECT tab, r FROM (VALUES ('SELECT', array['package', 'package_version', 'advisory',"   \
	" 'advisory_package', 'package_change', 'package_now', 'deployment', 'lease',"             \
	" 'export_state', 'package_counter', 'package_scan', 'latest_hold', 'package_event',"      \
	" 'advisory_event', 'settled']),"                                                          \
	" ('INSERT', array['deployment', 'lease', 'export_state', 'package_counter',"              \
	" 'package_scan', 'latest_hold', 'package_event']),"                                       \
	" ('UPDATE', array['deployment', 'lease', 'export_state', 'package_counter',"              \
	" 'package_scan', 'settled']),"                                                            \
	" ('DELETE', array['deployment', 'lease', 'latest_hold', 'package_event',"                 \
	" 'advisory_event'])) rights (r, tabs), unnest(tabs) tab),"                                \
	" called (fn, oid) AS (SELECT fn, to_regprocedure(fn) FROM unnest(array["                  \
	"'settle(integer)', 'scan(bigint)', 'advisory_moves(text)']) fn),"                         \
	" place (tab, oid) AS (SELECT DISTINCT tab, to_regclass(quote_ident(tab))::oid"            \
	" FROM needed)"                                                                            \
	" SELECT 'table ' || tab || ' is missing' FROM place WHERE oid IS NULL"                    \
	" UNION ALL"                                                                               \
	" SELECT 'column ' || w.tab || '.' || w.col || CASE WHEN a.attname IS NULL"                \
	" THEN ' is missing' ELSE ' is ' || format_type(a.atttypid, NULL) || ' and must be '"      \
	" || w.kind END"                                                                           \
	" FROM wanted w JOIN place p ON p.tab = w.tab LEFT JOIN pg_attribute a"                    \
	" ON a.attrelid = p.oid AND a.attname = w.col AND a.attnum > 0 AND NOT a.attisdropped"     \
	" LEFT JOIN pg_type t ON t.oid = a.atttypid"                                               \
	" WHERE p.oid IS NOT NULL AND (a.attname IS NULL OR NOT CASE w.kind"                       \
	" WHEN '" TIME_KIND "' THEN t.typname = 'timestamptz'"                                     \
	" WHEN '" FLAG_KIND "' THEN t.typname = 'bool'"                                            \
	" WHEN '" NUMBER_KIND "' THEN t.typname IN ('int2', 'int4', 'int8')"                       \
	" ELSE t.typcategory IN ('S', 'E') OR t.typname IN ('json', 'jsonb') END)"                 \
	" UNION ALL"                                                                               \
	" SELECT 'role ' || current_user || ' has no right ' || right_ || ' on '"                  \
	" || string_agg(n.tab, ', ') FROM needed n JOIN place p ON p.tab = n.tab"                  \
	" WHERE p.oid IS NOT NULL AND NOT has_table_privilege(p.oid, right_) GROUP BY right_"      \
	" UNION ALL"                                                                               \
	" SELECT 'function ' || fn || ' is missing' FROM called WHERE oid IS NULL"                 \
	" UNION ALL"                                                                               \
	" SELECT 'role ' || current_user || ' has no right EXECUTE on ' || fn"                     \
	" FROM called WHERE NOT has_function_privilege(oid, 'EXECUTE')"

int postgresql_lacks(struct link *link)
{
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(QUERY_MAX);
	CLEANUP(strbuf_release) struct strbuf lacks = STRBUF_INIT(LACKS_MAX);
	CLEANUP(clear_result) PGresult *result = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		strbuf_addf(&sql, "%s('%s', '%s', '%s')",
			    i ? ", " : "WITH wanted (tab, col, kind) AS (VALUES ",
			    wanted[i].table, wanted[i].column, wanted[i].kind);
	strbuf_addstr(&sql, LACKS);
	r = link_ask(link, &result, sql.buf, NULL);
	if (r < 0 || !PQntuples(result))
		return r;
	for (int row = 0; row < PQntuples(result); row++)
		strbuf_addf(&lacks, "%s%s", row ? "; " : "", column_text(result, row, 0));
	return fail(strstr(lacks.buf, " has no right ") ? -EACCES : -EIO,
		    "the database %s does not have what pubfs needs: %s (see pubfs(1), POSTGRESQL)",
		    link->db->db.url, lacks.buf);
}

/* The tables whose triggers call changed(), with commas between; null: none. */
static int read_callers(struct link *link, void *ctx)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result,
			 "SELECT string_agg(DISTINCT c.oid::regclass::text, ', ')"
			 " FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
			 " JOIN pg_class c ON c.oid = t.tgrelid"
			 " WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'"
			 " AND p.pronamespace <> (SELECT oid FROM pg_namespace"
			 " WHERE nspname = current_schema())"
			 " AND p.prosrc ~ '\\mchanged\\s*\\('",
			 NULL);

	if (r == 0 && column_text(result, 0, 0))
		strbuf_addstr(ctx, column_text(result, 0, 0));
	return r;
}

int postgresql_check(struct db *base, struct strbuf *out)
{
	struct postgresql *db = (struct postgresql *)base;
	CLEANUP(strbuf_release) struct strbuf callers = STRBUF_INIT(LACKS_MAX);
	int r = postgresql_call(db, CALL_ONE, "read", read_callers, &callers);

	if (r < 0)
		return r;
	if (!db->foreign)
		strbuf_addstr(out, "changes are noticed by triggers of pubfs");
	else if (callers.len)
		strbuf_addf(out, "changes are told by triggers of the registry, on %s",
			    callers.buf);
	else
		strbuf_addstr(out, "changes are looked for by `updated`");
	return 0;
}

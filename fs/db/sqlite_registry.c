/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_registry.c - the ranking of the packages, and changes to rows by hand. */
#include "sqlite.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "strbuf.h"

#define STATEMENT_MAX ((size_t)64 << 10)
#define NAMES_MAX     ((size_t)64 << 20)

static int read_ranked(struct sqlite *db, ranked_fn *fn, void *ctx)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_RANKED, &stmt, "");

	while (!r && (r = statement_step(db, stmt)) > 0) {
		const char *package = statement_package(stmt, 0);

		r = package ? fn(ctx, package, (const char *)sqlite3_column_text(stmt, 1)) : 0;
	}
	return r;
}

int sqlite_ranked(struct db *base, ranked_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, false);

	return r < 0 ? r : sqlite_leave(db, read_ranked(db, fn, ctx));
}

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int bind_value(sqlite3_stmt *stmt, int at, const struct db_value *value)
{
	switch (value->type) {
	case DB_TEXT:
		return sqlite3_bind_text(stmt, at, value->text, -1, SQLITE_STATIC);
	case DB_FLAG:
	case DB_NUMBER:
		return sqlite3_bind_int64(stmt, at, value->number);
	case DB_NULL:
		break;
	}
	return sqlite3_bind_null(stmt, at);
}

static int set(struct sqlite *db, const char *package, const char *version,
	       const struct db_value *values, size_t n)
{
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
	int at = 1, r;

	strbuf_addf(&sql, "UPDATE %s SET ", version ? "package_version" : "package");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&sql, "%s%s = ?", i ? ", " : "", values[i].column);
	strbuf_addstr(&sql, version ? " WHERE package = ? AND version = ?" : " WHERE name = ?");
	if (strbuf_error(&sql) < 0)
		return -E2BIG;
	r = sqlite3_prepare_v2(db->handle, sql.buf, -1, &stmt, NULL);
	for (size_t i = 0; !r && i < n; i++)
		r = bind_value(stmt, at++, &values[i]);
	if (!r)
		r = sqlite3_bind_text(stmt, at++, package, -1, SQLITE_STATIC);
	if (!r && version)
		r = sqlite3_bind_text(stmt, at, version, -1, SQLITE_STATIC);
	if (r)
		return sqlite_fail(db, "write");
	r = statement_step(db, stmt);
	return r < 0 || sqlite3_changes(db->handle) ? r : -ENOENT;
}

int sqlite_set(struct db *base, const char *package, const char *version,
	       const struct db_value *values, size_t n)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	return r < 0 ? r : sqlite_leave(db, set(db, package, version, values, n));
}

static int purge(struct sqlite *db, const char *package, const char *version)
{
	int r;

	if (version) {
		r = statement_run(db, PURGE_VERSION, "ss", package, version);
	} else {
		r = statement_run(db, PURGE_VERSIONS, "s", package);
		if (!r)
			r = statement_run(db, PURGE_PACKAGE, "s", package);
	}
	return r < 0 || sqlite3_changes(db->handle) ? r : -ENOENT;
}

int sqlite_purge(struct db *base, const char *package, const char *version)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	return r < 0 ? r : sqlite_leave(db, purge(db, package, version));
}

static int put_advisory(struct sqlite *db, const struct advisory *a, char *const *packages,
			size_t n)
{
	CLEANUP(strbuf_release) struct strbuf synced = STRBUF_INIT(64);
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(NAMES_MAX);
	int r;

	clock_format(a->synced, &synced);
	strbuf_addch(&names, '[');
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(&names, i ? "," : "");
		json_add_string(&names, packages[i], strlen(packages[i]));
	}
	strbuf_addch(&names, ']');
	if (strbuf_error(&names) < 0)
		return -E2BIG;
	r = statement_run(db, UNNAME_OTHERS, "ss", a->id, names.buf);
	if (!r)
		r = statement_run(db, PUT_ADVISORY, "sts", a->id, a->osv, a->osv_len, synced.buf);
	for (size_t i = 0; !r && i < n; i++)
		r = statement_run(db, NAME_PACKAGE, "ss", a->id, packages[i]);
	return r;
}

int sqlite_put_advisory(struct db *base, const struct advisory *a, char *const *packages, size_t n)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	return r < 0 ? r : sqlite_leave(db, put_advisory(db, a, packages, n));
}

static int remove_advisory(struct sqlite *db, const char *id)
{
	int r = statement_run(db, REMOVE_ADVISORY, "s", id);

	if (r < 0 || !sqlite3_changes(db->handle))
		return r < 0 ? r : -ENOENT;
	return statement_run(db, UNNAME_ALL, "s", id);
}

int sqlite_remove_advisory(struct db *base, const char *id)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	return r < 0 ? r : sqlite_leave(db, remove_advisory(db, id));
}

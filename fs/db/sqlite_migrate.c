/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_migrate.c - brings a file of an earlier version of the schema to this one. */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "log.h"
#include "strbuf.h"

#define DROPS_MAX 65536

/* What the tables of that version lack of the next one's. Views and triggers are all made anew, and
 * indexes that came later with them. */
static const char *const steps[DB_SCHEMA_VERSION] = {
	[1] = "ALTER TABLE deployment ADD COLUMN base_url TEXT NOT NULL DEFAULT '';"
	      "CREATE TABLE lease ("
	      " store TEXT NOT NULL, runtime_version TEXT NOT NULL, name TEXT NOT NULL,"
	      " owner TEXT NOT NULL, since TEXT NOT NULL, until TEXT NOT NULL,"
	      " PRIMARY KEY (store, runtime_version, name)) STRICT, WITHOUT ROWID;",
	[2] = "ALTER TABLE deployment ADD COLUMN shadow INTEGER NOT NULL DEFAULT 0"
	      " CHECK (shadow IN (0, 1));",
	[3] = "CREATE TABLE advisory_brief ("
	      " advisory TEXT NOT NULL PRIMARY KEY, synced TEXT NOT NULL, moves INTEGER NOT NULL)"
	      " STRICT, WITHOUT ROWID;",
};

/* The schema from its views and triggers on, to its commit. */
static const char *views_and_triggers(void)
{
	const char *at = strstr(sqlite_schema, "-- Views and triggers:");

	assert(at);
	return at;
}

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int read_version(struct sqlite *db, int *ret)
{
	CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
	int r;

	if (sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &stmt, NULL))
		return sqlite_fail(db, "read");
	r = statement_step(db, stmt);
	*ret = sqlite3_column_int(stmt, 0);
	return r < 0 ? r : 0;
}

/* Those that are made anew; an owner of the database may have others beside them. */
static int drop_views_and_triggers(struct sqlite *db)
{
	CLEANUP(strbuf_release) struct strbuf drops = STRBUF_INIT(DROPS_MAX);
	CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
	int r;

	/* a view takes its triggers with it */
	if (sqlite3_prepare_v2(db->handle,
			       "SELECT printf('DROP %s IF EXISTS \"%w\";', type, name)"
			       " FROM sqlite_schema WHERE type IN ('trigger', 'view')"
			       " AND instr(?, printf('CREATE %s %s ', upper(type), name))"
			       " ORDER BY type",
			       -1, &stmt, NULL) ||
	    sqlite3_bind_text(stmt, 1, sqlite_schema, -1, SQLITE_STATIC))
		return sqlite_fail(db, "read");
	while ((r = statement_step(db, stmt)) > 0)
		strbuf_addstr(&drops, (const char *)sqlite3_column_text(stmt, 0));
	if (r < 0)
		return r;
	if (strbuf_error(&drops) < 0)
		return fail(-E2BIG, "the database %s has too many triggers", db->db.url);
	return sqlite_exec(db, drops.buf, "migrate");
}

static int change(struct sqlite *db, int from)
{
	int r = 0;

	for (int version = from; !r && version < DB_SCHEMA_VERSION; version++)
		r = sqlite_exec(db, steps[version], "migrate");
	if (!r)
		r = drop_views_and_triggers(db);
	return r < 0 ? r : sqlite_exec(db, views_and_triggers(), "migrate");
}

int sqlite_migrate(struct sqlite *db)
{
	int from = DB_SCHEMA_VERSION, r = sqlite_exec(db, "BEGIN IMMEDIATE", "migrate");

	if (!r)
		r = read_version(db, &from); /* another process may have been here first */
	if (!r && from < DB_SCHEMA_VERSION)
		r = change(db, from);
	sqlite_roll_back(db);
	if (r < 0)
		return r;
	if (from < DB_SCHEMA_VERSION)
		log_info("the database %s was brought from schema version %d to %d", db->db.url,
			 from, DB_SCHEMA_VERSION);
	return 0;
}

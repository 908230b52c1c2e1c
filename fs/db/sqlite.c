/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sqlite.c - a package database in an SQLite file: opening, locking, statements.
 *
 * One connection serves all threads, one call at a time; other processes write the same file.
 * 1. A transaction that will write begins with BEGIN IMMEDIATE. It waits for the other writers at
 *    its start and is never refused later on, as one that began by reading would be.
 * 2. A read of several statements is one transaction: one snapshot, in WAL without any waiting.
 * 3. The lock is recursive. db_begin() keeps it, so its thread's calls join the transaction and
 *    those of other threads wait until it ends.
 * 4. SQLite undoes a transaction by itself on some errors (a full disk). sqlite_enter() then
 *    refuses what would be written outside it.
 * 5. What waits for another program's lock ends with the program (sqlite_busy.c).
 * 6. Whoever waits for changes notices a file that took the place of this one (follow()).
 */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define APPLICATION_ID 0x70756266 /* "pubf", as the schema has it */

/* the language asks for no string literal as long as a schema; every compiler takes it */
#pragma GCC diagnostic ignored "-Woverlength-strings"
const char sqlite_schema[] =
#include "fs/db/schema_sqlite.inc"
	;

/* The database's clock, and what is so far from it. */
#define NOW		     "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
#define TIME_AFTER_NOW(by) "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', " by ")"

static const char *const statement_text[STATEMENT_COUNT] = {
	[READ_PACKAGE] =
		"SELECT name, created, updated, moderated, deleted, discontinued, unlisted,"
		" replaced_by, latest_version, latest_advisory, likes, publisher, granted_points,"
		" max_points, download_count_30d, tags, change, " NOW
		" FROM package LEFT JOIN package_change ON package = name"
		" WHERE name = ?",
	[READ_VERSIONS] = "SELECT version, created, pubspec, archive_sha256, retracted, moderated,"
			  " deleted FROM package_version WHERE package = ?",
	[READ_VERSION] = "SELECT version, created, pubspec, archive_sha256, retracted, moderated,"
			 " deleted FROM package_version WHERE package = ? AND version = ?",
	[READ_ADVISORIES] = "SELECT id, osv, synced FROM advisory_package"
			    " JOIN advisory ON id = advisory WHERE package = ? ORDER BY id",
	[COUNT_PACKAGES] = "SELECT count(*) FROM package",
	[READ_NAMES] = "SELECT name, NULL FROM package"
		       " UNION ALL SELECT package, version FROM package_version",
	[DATA_VERSION] = "PRAGMA data_version",
	[INSERT_PACKAGE] = "INSERT INTO package (name, created, updated) VALUES (?1, ?2, ?2)"
			   " ON CONFLICT (name) DO NOTHING",
	[INSERT_VERSION] = "INSERT INTO package_version (created, pubspec, archive_sha256,"
			   " retracted, moderated, deleted, package, version)"
			   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
	[UPDATE_VERSION] =
		"UPDATE package_version SET created = ?, pubspec = ?, archive_sha256 = ?,"
		" retracted = ?, moderated = ?, deleted = ?"
		" WHERE package = ? AND version = ?",
	[RECORD_EXPORT] =
		"INSERT INTO export_state (store, prefix, package, change, renderer, seen)"
		" VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
		" change = excluded.change, renderer = excluded.renderer,"
		" seen = excluded.seen, attempts = 0, last_error = NULL",
	[RECORD_FAILURE] = "INSERT INTO export_state (store, prefix, package, attempts, last_error)"
			   " VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET"
			   " attempts = attempts + 1, last_error = excluded.last_error",
	[READ_STATE] = "SELECT change, renderer, seen, attempts, last_error FROM export_state"
		       " WHERE store = ? AND prefix = ? AND package = ?",
	/* the columns of a version, and then of its package */
	[READ_NEWEST] = "SELECT v.version, v.created, v.pubspec, v.archive_sha256, v.retracted,"
			" v.moderated, v.deleted, p.name, p.publisher, p.moderated OR p.deleted"
			" FROM package_version v JOIN package p ON p.name = v.package"
			" ORDER BY rtrim(v.created, 'Z') DESC, v.package, v.version LIMIT ?",
	[READ_RANKED] = "SELECT name, latest_version FROM package WHERE NOT moderated"
			" AND NOT deleted AND NOT discontinued AND NOT unlisted"
			" ORDER BY likes DESC, name",
	[PURGE_VERSION] = "DELETE FROM package_version WHERE package = ? AND version = ?",
	[PURGE_VERSIONS] = "DELETE FROM package_version WHERE package = ?",
	[PURGE_PACKAGE] = "DELETE FROM package WHERE name = ?",
	[READ_ADVISORY] = "SELECT id, osv, synced FROM advisory WHERE id = ?",
	[PUT_ADVISORY] = "INSERT INTO advisory (id, osv, synced) VALUES (?, ?, ?) ON CONFLICT (id)"
			 " DO UPDATE SET osv = excluded.osv, synced = excluded.synced",
	[UNNAME_OTHERS] = "DELETE FROM advisory_package WHERE advisory = ?"
			  " AND package NOT IN (SELECT value FROM json_each(?))",
	[NAME_PACKAGE] = "INSERT OR IGNORE INTO advisory_package (advisory, package) VALUES (?, ?)",
	[REMOVE_ADVISORY] = "DELETE FROM advisory WHERE id = ?",
	[UNNAME_ALL] = "DELETE FROM advisory_package WHERE advisory = ?",
	[READ_RENDERERS] = "SELECT DISTINCT prefix, renderer FROM export_state"
			   " WHERE store = ? AND renderer IS NOT NULL"
			   " AND package IN (SELECT name FROM package) ORDER BY 1, 2",
	[OTHER_BASE] = "SELECT runtime_version, host, base_url FROM deployment"
		       " WHERE (runtime_version, host) <> (?1, ?2) AND NOT retired"
		       " AND base_url NOT IN ('', ?3)"
		       " AND heartbeat BETWEEN " TIME_AFTER_NOW("'-5 minutes'")
		       " AND " TIME_AFTER_NOW("'5 minutes'") " LIMIT 1",
	[KEEP_BEAT] = "INSERT INTO deployment (runtime_version, host, accepted, base_url,"
		      " heartbeat, shadow, retired) VALUES (?1, ?2, ?3, ?4, " NOW ", ?5,"
		      " EXISTS (SELECT 1 FROM deployment WHERE runtime_version = ?1 AND retired))"
		      " ON CONFLICT DO UPDATE SET"
		      " accepted = excluded.accepted, base_url = excluded.base_url,"
		      " heartbeat = excluded.heartbeat, shadow = excluded.shadow",
	[FORGET_HOSTS] = "DELETE FROM deployment WHERE NOT retired"
			 " AND heartbeat < " TIME_AFTER_NOW("?"),
	[FORGET_LEASES] = "DELETE FROM lease WHERE until <= " NOW,
	[READ_DEPLOYMENTS] = "SELECT runtime_version, host, accepted, base_url, shadow, retired,"
			     " CAST(round((julianday('now') - julianday(heartbeat)) * 86400000)"
			     " AS INTEGER) FROM deployment ORDER BY runtime_version DESC, host",
	[RETIRE] = "UPDATE deployment SET retired = ? WHERE runtime_version = ?",
	[END_HOLD] = "DELETE FROM latest_hold",
	[BEGIN_HOLD] = "INSERT INTO latest_hold VALUES (?, " NOW ")",
	[READ_HOLD] = "SELECT runtime_version, since FROM latest_hold ORDER BY since DESC LIMIT 1",
	[IS_DONE] = "SELECT 1 FROM package_change c JOIN export_state s"
		    " ON s.package = c.package AND s.change = c.change"
		    " WHERE c.package = ? AND s.store = ? AND s.prefix = ? AND s.renderer = ?",
	[CLAIM] = "INSERT INTO lease (store, runtime_version, name, owner, since, until)"
		  " VALUES (?, ?, ?, ?, " NOW ", " TIME_AFTER_NOW("?") ") ON CONFLICT DO UPDATE SET"
		  " owner = excluded.owner, since = excluded.since, until = excluded.until"
		  " WHERE owner IN (excluded.owner, ?) OR until <= excluded.since"
		  " OR since > excluded.since",
	[RENEW] = "UPDATE lease SET since = min(since, " NOW "),"
		  " until = max(until, " TIME_AFTER_NOW("?2") ") WHERE owner = ?1",
	[RELEASE] = "DELETE FROM lease WHERE store = ? AND runtime_version = ? AND name = ?"
		    " AND owner = ?",
	[REST] = "UPDATE lease SET owner = ?, since = " NOW ", until = " TIME_AFTER_NOW("?")
		 " WHERE store = ? AND runtime_version = ? AND name = ? AND owner = ?",
	[RELEASE_ALL] = "DELETE FROM lease WHERE owner = ?",
};

int sqlite_fail(struct sqlite *db, const char *doing)
{
	static const struct {
		int code, error;
		const char *hint;
	} known[] = {
		{ SQLITE_BUSY, -EIO, "; another program has kept it locked for a minute" },
		{ SQLITE_READONLY, -EACCES, "; pubfs keeps there what it has exported" },
		{ SQLITE_CANTOPEN, -EIO, "; it and its folder must be such as can be written" },
		{ SQLITE_PERM, -EACCES, "" },
		{ SQLITE_TOOBIG, -E2BIG, "" },
		{ SQLITE_CORRUPT, -EIO, "; restore it from a backup" },
	};
	int code = sqlite3_errcode(db->handle) & 0xff;
	const char *hint = "";
	int r = -EIO;

	if (code == SQLITE_BUSY && sqlite_is_cancelled(db))
		return -ECANCELED;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].code == code) {
			r = known[i].error;
			hint = known[i].hint;
		}
	return fail(r, "cannot %s the database %s: %s%s", doing, db->db.url,
		    sqlite3_errmsg(db->handle), hint);
}

int sqlite_exec(struct sqlite *db, const char *sql, const char *doing)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) ? sqlite_fail(db, doing) : 0;
}

void sqlite_roll_back(struct sqlite *db)
{
	/* nothing to tell: it is done, or SQLite has done it, and why was said */
	if (!sqlite3_get_autocommit(db->handle))
		sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static int commit(struct sqlite *db)
{
	int r = sqlite_exec(db, "COMMIT", "write");

	if (r < 0)
		sqlite_roll_back(db);
	return r;
}

int sqlite_enter(struct sqlite *db, bool writing)
{
	int r = 0;

	pthread_mutex_lock(&db->lock);
	if (!db->writing)
		r = sqlite_exec(db, writing ? "BEGIN IMMEDIATE" : "BEGIN", "lock");
	else if (sqlite3_get_autocommit(db->handle))
		r = fail(-EIO, "the transaction in the database %s was undone", db->db.url);
	if (r < 0)
		pthread_mutex_unlock(&db->lock);
	return r;
}

int sqlite_leave(struct sqlite *db, int r)
{
	int end = 0;

	if (!db->writing && r >= 0)
		end = commit(db);
	else if (!db->writing)
		sqlite_roll_back(db);
	pthread_mutex_unlock(&db->lock);
	return end < 0 ? end : r;
}

static int sqlite_begin(struct db *base)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	assert(!db->writing);
	r = sqlite_exec(db, "BEGIN IMMEDIATE", "lock");
	if (r < 0)
		pthread_mutex_unlock(&db->lock);
	else
		db->writing = true;
	return r;
}

static int sqlite_commit(struct db *base)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	assert(db->writing);
	r = commit(db);
	db->writing = false;
	pthread_mutex_unlock(&db->lock);
	return r;
}

static void sqlite_rollback(struct db *base)
{
	struct sqlite *db = (struct sqlite *)base;

	assert(db->writing);
	sqlite_roll_back(db);
	db->writing = false;
	pthread_mutex_unlock(&db->lock);
}

static int bind_duration(sqlite3_stmt *stmt, int i, int64_t us)
{
	char text[40];

	snprintf(text, sizeof(text), "%+.3f seconds", (double)us / SECOND_US);
	return sqlite3_bind_text(stmt, i, text, -1, SQLITE_TRANSIENT);
}

static int bind(sqlite3_stmt *stmt, const char *types, va_list ap)
{
	int code = SQLITE_OK;

	for (int i = 1; *types && !code; i++, types++) {
		const char *text;

		switch (*types) {
		case 's':
			text = va_arg(ap, const char *);
			code = sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
			break;
		case 't':
			text = va_arg(ap, const char *);
			code = sqlite3_bind_text64(stmt, i, text, va_arg(ap, size_t), SQLITE_STATIC,
						   SQLITE_UTF8);
			break;
		case 'b':
			code = sqlite3_bind_blob(stmt, i, va_arg(ap, const void *), SHA256_SIZE,
						 SQLITE_STATIC);
			break;
		case 'd':
			code = bind_duration(stmt, i, va_arg(ap, int64_t));
			break;
		default:
			assert(*types == 'i');
			code = sqlite3_bind_int(stmt, i, va_arg(ap, int));
		}
	}
	return code;
}

static int start(struct sqlite *db, enum statement which, sqlite3_stmt **ret, const char *types,
		 va_list ap)
{
	sqlite3_stmt **stmt = &db->statements[which];

	if (!*stmt && sqlite3_prepare_v3(db->handle, statement_text[which], -1,
					 SQLITE_PREPARE_PERSISTENT, stmt, NULL))
		return sqlite_fail(db, "use");
	if (bind(*stmt, types, ap))
		return sqlite_fail(db, "use");
	*ret = *stmt;
	return 0;
}

int statement_start(struct sqlite *db, enum statement which, sqlite3_stmt **ret, const char *types,
		    ...)
{
	va_list ap;
	int r;

	va_start(ap, types);
	r = start(db, which, ret, types, ap);
	va_end(ap);
	return r;
}

int statement_step(struct sqlite *db, sqlite3_stmt *stmt)
{
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return sqlite_fail(db, sqlite3_stmt_readonly(stmt) ? "read" : "write");
	}
}

int statement_run(struct sqlite *db, enum statement which, const char *types, ...)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	va_list ap;
	int r;

	va_start(ap, types);
	r = start(db, which, &stmt, types, ap);
	va_end(ap);
	return r < 0 ? r : statement_step(db, stmt);
}

void statement_done(sqlite3_stmt **stmt)
{
	if (!*stmt)
		return;
	sqlite3_reset(*stmt); /* its error was that of the step */
	sqlite3_clear_bindings(*stmt);
}

const char *statement_package(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	return text && catalog_is_package_name(text, n) ? text : NULL;
}

static int read_number(struct sqlite *db, enum statement which, uint64_t *ret)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, which, &stmt, "");

	if (!r)
		r = statement_step(db, stmt);
	if (r < 0)
		return r;
	*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
	return 0;
}

static int locked_number(struct db *base, enum statement which, uint64_t *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = read_number(db, which, ret);
	pthread_mutex_unlock(&db->lock);
	return r;
}

static int sqlite_count(struct db *base, uint64_t *ret)
{
	return locked_number(base, COUNT_PACKAGES, ret);
}

static void close_file(struct sqlite *db)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(db->statements[i]);
	sqlite3_close(db->handle);
}

static void sqlite_close(struct db *base)
{
	struct sqlite *db = (struct sqlite *)base;

	close_file(db);
	pthread_mutex_destroy(&db->lock);
	free(db->db.url);
	free(db);
}

static void release(struct sqlite **db)
{
	if (*db)
		sqlite_close(&(*db)->db);
}

static int sqlite_changed(struct db *base, uint64_t *ret);

static const struct db_ops sqlite_ops = {
	.name = "sqlite",
	.package = sqlite_package,
	.work = sqlite_work,
	.count = sqlite_count,
	.names = sqlite_names,
	.record = sqlite_record,
	.beat = sqlite_beat,
	.deployments = sqlite_deployments,
	.retire = sqlite_retire,
	.hold = sqlite_hold,
	.held = sqlite_held,
	.claim = sqlite_claim,
	.renew = sqlite_renew,
	.release = sqlite_release,
	.wait = sqlite_wait,
	.renderers = sqlite_renderers,
	.changed = sqlite_changed,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.version = sqlite_version,
	.put_version = sqlite_put_version,
	.state = sqlite_state,
	.newest = sqlite_newest,
	.ranked = sqlite_ranked,
	.versions = sqlite_versions,
	.set = sqlite_set,
	.purge = sqlite_purge,
	.advisory = sqlite_advisory,
	.put_advisory = sqlite_put_advisory,
	.remove_advisory = sqlite_remove_advisory,
	.close = sqlite_close,
};

enum owner { OURS, OURS_EARLIER, NOBODY };

/* Whose file it is; everything but ours and an empty one is an error that says what to do. */
static int identify(struct sqlite *db, enum owner *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r, application, version, tables;

	if (sqlite3_prepare_v2(db->handle,
			       "SELECT application_id, user_version,"
			       " (SELECT count(*) FROM sqlite_schema)"
			       " FROM pragma_application_id, pragma_user_version",
			       -1, &stmt, NULL)) {
		if (sqlite3_errcode(db->handle) == SQLITE_NOTADB)
			return fail(-EIO, "%s is not an SQLite database", db->db.url);
		return sqlite_fail(db, "read");
	}
	r = statement_step(db, stmt);
	application = sqlite3_column_int(stmt, 0);
	version = sqlite3_column_int(stmt, 1);
	tables = sqlite3_column_int(stmt, 2);
	sqlite3_finalize(stmt);
	if (r < 0)
		return r;
	if (application == APPLICATION_ID && version == DB_SCHEMA_VERSION) {
		*ret = OURS;
		return 0;
	}
	if (application == APPLICATION_ID && version > 0 && version < DB_SCHEMA_VERSION) {
		*ret = OURS_EARLIER;
		return 0;
	}
	if (application == APPLICATION_ID)
		return fail(-EIO,
			    "the database %s has schema version %d, and this pubfs knows version %d"
			    " at most: use the pubfs that it belongs to",
			    db->db.url, version, DB_SCHEMA_VERSION);
	if (application || version || tables)
		return fail(-EIO, "the database %s belongs to another program: name another --db",
			    db->db.url);
	*ret = NOBODY;
	return 0;
}

/* Two processes may be here at once: the schema is one transaction, and who comes second finds
 * the tables of the first. */
static int create_schema(struct sqlite *db)
{
	enum owner owner = NOBODY;
	char *why = NULL;
	int code = sqlite3_exec(db->handle, sqlite_schema, NULL, NULL, &why), r;
	CLEANUP(free_char) char *reason = why ? xstrdup(why) : NULL;

	sqlite3_free(why);
	sqlite_roll_back(db);
	r = identify(db, &owner);
	if (r < 0)
		return r;
	if (owner == OURS)
		return sqlite_use_wal(db);
	return fail(-EIO, "cannot make the database %s: %s", db->db.url,
		    reason ? reason : sqlite3_errstr(code));
}

/* The absolute path of a file that is not there yet; its folder must be. */
static int resolve_new(const char *path, char **ret)
{
	CLEANUP(free_char) char *folder_part = xstrdup(path), *name_part = xstrdup(path);
	CLEANUP(free_char) char *folder = realpath(dirname(folder_part), NULL);

	if (!folder)
		return fail(-ENOENT, "cannot make the database %s: its folder: %s", path,
			    strerror(errno));
	*ret = xasprintf("%s/%s", strcmp(folder, "/") ? folder : "", basename(name_part));
	return 0;
}

static int resolve(const char *path, enum db_mode mode, char **ret)
{
	CLEANUP(free_char) char *found = realpath(path, NULL);
	struct stat st;

	if (!found && errno == ENOENT && mode == DB_CREATE)
		return resolve_new(path, ret);
	if (!found && errno == ENOENT)
		return fail(-ENOENT,
			    "there is no database at %s; `pubfs load` or `pubfs publish` makes one",
			    path);
	if (!found || stat(found, &st))
		return fail(errno == EACCES ? -EACCES : -EIO, "cannot open the database %s: %s",
			    path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(-EIO, "the database %s is %s", path,
			    S_ISDIR(st.st_mode) ? "a folder" : "not a file");
	*ret = steal(found);
	return 0;
}

static int prepare(struct sqlite *db, enum db_mode mode)
{
	enum owner owner = NOBODY;
	int r;

	sqlite3_extended_result_codes(db->handle, 1);
	sqlite_wait_for_locks(db);
	r = identify(db, &owner);
	if (r < 0)
		return r;
	if (sqlite3_db_readonly(db->handle, "main"))
		return fail(-EACCES,
			    "the database %s cannot be written: pubfs keeps there what it exported",
			    db->db.url);
	if (owner == NOBODY && mode == DB_OPEN)
		return fail(-EIO,
			    "the database %s is empty; `pubfs load` or `pubfs publish` fills it",
			    db->db.url);
	if (owner == NOBODY)
		r = create_schema(db);
	else if (owner == OURS_EARLIER)
		r = sqlite_migrate(db);
	return r < 0 ? r : sqlite_exec(db, "PRAGMA synchronous = FULL", "use");
}

/* Sets the handle, and which file it is, of a path that is resolved. */
static int open_file(struct sqlite *db, const char *path, enum db_mode mode)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	struct stat st;
	int r;

	if (mode == DB_CREATE)
		flags |= SQLITE_OPEN_CREATE;
	if (sqlite3_open_v2(path, &db->handle, flags, NULL)) {
		if (sqlite3_system_errno(db->handle) == EACCES)
			return fail(-EACCES, "cannot open the database %s: %s", path,
				    strerror(EACCES));
		return sqlite_fail(db, "open");
	}
	r = prepare(db, mode);
	if (r == 0 && stat(path, &st))
		r = fail(-EIO, "cannot open the database %s: %s", path, strerror(errno));
	if (r < 0)
		return r;
	db->device = st.st_dev;
	db->inode = st.st_ino;
	return 0;
}

/* Where another file has taken the place of the one that is open, such as a backup: it is the
 * database from then on. */
static int follow(struct sqlite *db)
{
	const char *path = db->db.url + strlen("sqlite:");
	struct sqlite other = { .db = db->db };
	struct stat st;
	int r;

	if (stat(path, &st))
		return fail(-EIO, "cannot look at the database %s: %s", path, strerror(errno));
	if (st.st_dev == db->device && st.st_ino == db->inode)
		return 0;
	r = open_file(&other, path, DB_OPEN);
	if (r < 0) {
		close_file(&other);
		return r;
	}
	log_warning("another file has taken the place of %s; it is the database from now on", path);
	close_file(db);
	memset(db->statements, 0, sizeof(db->statements));
	db->handle = other.handle;
	sqlite_wait_for_locks(db);
	db->device = other.device;
	db->inode = other.inode;
	db->files++;
	return 0;
}

static int sqlite_changed(struct db *base, uint64_t *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	uint64_t version = 0;
	int r;

	pthread_mutex_lock(&db->lock);
	r = db->writing ? 0 : follow(db);
	if (r == 0)
		r = read_number(db, DATA_VERSION, &version);
	if (r == 0)
		*ret = db->files << 32 | version; /* of 32 bits */
	pthread_mutex_unlock(&db->lock);
	return r;
}

int sqlite_open(const char *url, enum db_mode mode, const char *schema, const atomic_bool *cancel,
		struct db **ret)
{
	const char *path = url + strlen("sqlite:");
	CLEANUP(free_char) char *absolute = NULL;
	CLEANUP(release) struct sqlite *db = NULL;
	pthread_mutexattr_t recursive;
	int r;

	(void)schema;
	if (!*path)
		return fail(-EINVAL, "%s names no file: write sqlite:PATH", url);
	r = resolve(path, mode, &absolute);
	if (r < 0)
		return r;
	db = xcalloc(1, sizeof(*db));
	db->db.ops = &sqlite_ops;
	db->db.cancel = cancel;
	db->db.url = xasprintf("sqlite:%s", absolute);
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&db->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	r = open_file(db, absolute, mode);
	if (r < 0)
		return r;
	*ret = &steal(db)->db;
	return 0;
}

void sqlite_print_schema(const char *schema, struct strbuf *out)
{
	(void)schema;
	strbuf_addstr(out, sqlite_schema);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite.h - one connection to SQLite and its prepared statements, for the sqlite files alone. */
#ifndef PUBFS_SQLITE_H
#define PUBFS_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "db.h"

struct strbuf;

/* Prepared once a connection, when first used. */
enum statement {
	READ_PACKAGE,
	READ_VERSIONS,
	READ_VERSION,
	READ_ADVISORIES,
	COUNT_PACKAGES,
	READ_NAMES,
	DATA_VERSION,
	INSERT_PACKAGE,
	INSERT_VERSION,
	UPDATE_VERSION,
	RECORD_EXPORT,
	RECORD_FAILURE,
	READ_STATE,
	READ_NEWEST,
	READ_RANKED,
	PURGE_VERSION,
	PURGE_VERSIONS,
	PURGE_PACKAGE,
	READ_ADVISORY,
	PUT_ADVISORY,
	UNNAME_OTHERS,
	NAME_PACKAGE,
	REMOVE_ADVISORY,
	UNNAME_ALL,
	READ_RENDERERS,
	OTHER_BASE,
	KEEP_BEAT,
	FORGET_HOSTS,
	FORGET_LEASES,
	READ_DEPLOYMENTS,
	RETIRE,
	END_HOLD,
	BEGIN_HOLD,
	READ_HOLD,
	IS_DONE,
	CLAIM,
	RENEW,
	RELEASE,
	REST,
	RELEASE_ALL,
	STATEMENT_COUNT
};

struct sqlite {
	struct db db; /* first */
	sqlite3 *handle;
	pthread_mutex_t lock; /* recursive: db_begin() keeps it to the end of its transaction */
	bool writing;	      /* behind lock: between db_begin() and commit or rollback */
	dev_t device;	      /* behind lock, as what follows: the file that is open */
	ino_t inode;
	uint64_t files;	      /* that took the place of the first one */
	int64_t busy_until;   /* behind lock: of the wait for a lock of others */
	bool hurried;	      /* behind lock: it was shortened */
	sqlite3_stmt *statements[STATEMENT_COUNT]; /* behind lock */
};

/* sqlite.c: the connection. */
int sqlite_open(const char *url, enum db_mode mode, const char *schema, const atomic_bool *cancel,
		struct db **ret) MUST_CHECK;
void sqlite_print_schema(const char *schema, struct strbuf *out);
extern const char sqlite_schema[];
int sqlite_exec(struct sqlite *db, const char *sql, const char *doing) MUST_CHECK;
void sqlite_roll_back(struct sqlite *db); /* what is open, if anything is */

/* Says what SQLite holds against the last call, and maps it. */
int sqlite_fail(struct sqlite *db, const char *doing);

/*
 * A call's frame. enter: takes the lock and opens a transaction (`writing`: takes SQLite's write
 * lock at once, so that it never has to give up half-way), unless db_begin() has one open. leave:
 * ends it - undone when r is negative - and gives r back, or what went wrong.
 */
int sqlite_enter(struct sqlite *db, bool writing) MUST_CHECK;
int sqlite_leave(struct sqlite *db, int r) MUST_CHECK;

/* A statement with its parameters: types has 's' for a const char * (may be NULL), 't' for one
 * with its size_t length, 'b' for 32 bytes of a digest, 'i' for an int, 'd' for an int64_t of
 * microseconds (as SQLite's modifier of a time). They are borrowed until statement_done(). */
int statement_start(struct sqlite *db, enum statement which, sqlite3_stmt **ret, const char *types,
		    ...) MUST_CHECK;
int statement_step(struct sqlite *db, sqlite3_stmt *stmt) MUST_CHECK; /* 1: a row; 0: no more */
int statement_run(struct sqlite *db, enum statement which, const char *types, ...) MUST_CHECK;
void statement_done(sqlite3_stmt **stmt); /* for CLEANUP() */
/* The name of a package in a column, borrowed. NULL: it is none, such as one with a NUL byte,
 * behind which CHECK does not look. */
const char *statement_package(sqlite3_stmt *stmt, int column);

/* sqlite_busy.c: for the locks of other programs, with this db and handle. */
void sqlite_wait_for_locks(struct sqlite *db);
int sqlite_use_wal(struct sqlite *db) MUST_CHECK;
bool sqlite_is_cancelled(const struct sqlite *db);

/* sqlite_package.c: packages and versions. */
int sqlite_package(struct db *db, const char *name, struct package *ret) MUST_CHECK;
int sqlite_names(struct db *db, name_fn *fn, void *ctx) MUST_CHECK;
int sqlite_version(struct db *db, const char *package, const char *version,
		   struct package_version *ret) MUST_CHECK;
int sqlite_put_version(struct db *db, const char *package, const struct package_version *v,
		       bool replace) MUST_CHECK;

int sqlite_newest(struct db *db, size_t n, newest_fn *fn, void *ctx) MUST_CHECK;
int sqlite_versions(struct db *db, char *const *names, size_t n, versions_fn *fn,
		    void *ctx) MUST_CHECK;
int sqlite_advisory(struct db *db, const char *id, struct advisory *ret) MUST_CHECK;

/* sqlite_registry.c: rows of many packages, and changes by hand. */
int sqlite_ranked(struct db *db, ranked_fn *fn, void *ctx) MUST_CHECK;
int sqlite_set(struct db *db, const char *package, const char *version,
	       const struct db_value *values, size_t n) MUST_CHECK;
int sqlite_purge(struct db *db, const char *package, const char *version) MUST_CHECK;
int sqlite_put_advisory(struct db *db, const struct advisory *a, char *const *packages,
			size_t n) MUST_CHECK;
int sqlite_remove_advisory(struct db *db, const char *id) MUST_CHECK;

/* sqlite_state.c: what was exported. */
int sqlite_state(struct db *db, const char *store, const char *prefix, const char *package,
		 struct export_state *ret) MUST_CHECK;
int sqlite_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
		const char *renderer, work_fn *fn, void *ctx) MUST_CHECK;
int sqlite_record(struct db *db, const char *store, const struct export_record *records,
		  size_t n) MUST_CHECK;
/* The query of sqlite_work(): of all packages, or only of those with something to do. */
void sqlite_work_query(size_t n_prefixes, bool pending, struct strbuf *out);

/* sqlite_deployment.c: hosts, leases, and who keeps latest/. */
int sqlite_beat(struct db *db, const struct deployment *host) MUST_CHECK;
int sqlite_deployments(struct db *db, deployment_fn *fn, void *ctx) MUST_CHECK;
int sqlite_retire(struct db *db, const char *runtime_version, bool retired) MUST_CHECK;
int sqlite_hold(struct db *db, const char *runtime_version) MUST_CHECK;
int sqlite_held(struct db *db, char **ret_version, int64_t *ret_since) MUST_CHECK;
int sqlite_claim(struct db *db, const struct lease *lease, char *const *names, size_t n,
		 enum claim *ret) MUST_CHECK;
int sqlite_renew(struct db *db, const struct lease *lease) MUST_CHECK;
int sqlite_release(struct db *db, const struct lease *lease, char *const *names,
		   size_t n) MUST_CHECK;
int sqlite_wait(struct db *db, int64_t timeout, const atomic_bool *stop,
		uint64_t *seen) MUST_CHECK;
int sqlite_renderers(struct db *db, const char *store, renderer_fn *fn, void *ctx) MUST_CHECK;

/* sqlite_migrate.c: a file of an earlier version, in one transaction. */
int sqlite_migrate(struct sqlite *db) MUST_CHECK;

#endif

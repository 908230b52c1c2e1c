/* SPDX-License-Identifier: BSD-3-Clause */
/* db.h - the package database: its rows, its changes, and what was exported of them. */
#ifndef PUBFS_DB_H
#define PUBFS_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "compiler.h"
#include "db_deployment.h"
#include "db_registry.h"
#include "package.h"

struct db;
struct strbuf;

#define DB_SCHEMA_VERSION 4

enum db_mode {
	DB_OPEN,   /* -ENOENT when it is not there (said); never makes one */
	DB_CREATE, /* for load and publish: made, with its schema, when it is not there */
};

/* What one prefix of one store has of one package. In latest/ each deployment keeps its own, as
 * export_state_key() names it. All strings owned (export_state_release()). */
struct export_state {
	char *change, *renderer; /* NULL: never exported */
	unsigned char seen[SHA256_SIZE]; /* digest of the objects as they were left */
	unsigned attempts;	 /* failures since the last success */
	char *last_error;	 /* NULL: none */
};
void export_state_release(struct export_state *state);
/* "latest" of a runtime version (NULL: of none) is "latest/V", another prefix itself. To be
 * freed. */
char *export_state_key(const char *prefix, const char *runtime_version);

/* A package that has or had rows, with what each asked prefix has of it. Borrowed by the
 * callback. */
struct work {
	const char *package;
	const char *change;
	bool exists;			   /* its row is there */
	bool urgent; /* something of it is moderated, deleted or retracted, or it has an advisory */
	const struct export_state *states; /* one for each prefix asked for, in that order */
};
typedef int work_fn(void *ctx, const struct work *work); /* not 0: stops, and is returned */

/* A row of a package (version NULL) or of a version. */
typedef int name_fn(void *ctx, const char *package, const char *version);

struct export_record { /* one row to be kept, after an export or its failure */
	const char *prefix, *package;
	struct export_state state;
};

struct db_ops {
	const char *name;
	int (*package)(struct db *db, const char *name, struct package *ret);
	int (*work)(struct db *db, const char *store, const char *const *prefixes, size_t n,
		    const char *renderer, work_fn *fn, void *ctx);
	int (*count)(struct db *db, uint64_t *ret_packages);
	int (*names)(struct db *db, name_fn *fn, void *ctx);
	int (*record)(struct db *db, const char *store, const struct export_record *records,
		      size_t n);
	int (*changed)(struct db *db, uint64_t *ret);
	int (*beat)(struct db *db, const struct deployment *host);
	int (*deployments)(struct db *db, deployment_fn *fn, void *ctx);
	int (*retire)(struct db *db, const char *runtime_version, bool retired);
	int (*hold)(struct db *db, const char *runtime_version);
	int (*held)(struct db *db, char **ret_version, int64_t *ret_since);
	int (*claim)(struct db *db, const struct lease *lease, char *const *names, size_t n,
		     enum claim *ret);
	int (*renew)(struct db *db, const struct lease *lease);
	int (*release)(struct db *db, const struct lease *lease, char *const *names, size_t n);
	int (*wait)(struct db *db, int64_t timeout, const atomic_bool *stop, uint64_t *seen);
	int (*scan)(struct db *db, int64_t window, uint64_t *ret_found); /* NULL: finds none */
	int (*renderers)(struct db *db, const char *store, renderer_fn *fn, void *ctx);
	int (*begin)(struct db *db);
	int (*commit)(struct db *db);
	void (*rollback)(struct db *db);
	int (*version)(struct db *db, const char *package, const char *version,
		       struct package_version *ret);
	int (*put_version)(struct db *db, const char *package, const struct package_version *v,
			   bool replace);
	int (*state)(struct db *db, const char *store, const char *prefix, const char *package,
		     struct export_state *ret);
	int (*newest)(struct db *db, size_t n, newest_fn *fn, void *ctx);
	int (*ranked)(struct db *db, ranked_fn *fn, void *ctx);
	int (*versions)(struct db *db, char *const *names, size_t n, versions_fn *fn, void *ctx);
	int (*set)(struct db *db, const char *package, const char *version,
		   const struct db_value *values, size_t n);
	int (*purge)(struct db *db, const char *package, const char *version);
	int (*advisory)(struct db *db, const char *id, struct advisory *ret);
	int (*put_advisory)(struct db *db, const struct advisory *a, char *const *packages,
			    size_t n);
	int (*remove_advisory)(struct db *db, const char *id);
	int (*check)(struct db *db, struct strbuf *out); /* NULL: by triggers of ours */
	void (*close)(struct db *db);
};

/* First member of every implementation. */
struct db {
	const struct db_ops *ops;
	char *url; /* canonical, owned */
	/* Borrowed; set before there is another thread. true: the program is to end, so a call that
	 * waits for a server to come back or to answer ends with -ECANCELED (silent); NULL: none
	 * does. */
	const atomic_bool *cancel;
};

/*
 * `sqlite:PATH`, `postgresql://...` with all that libpq knows of such a URL. -EINVAL: no such kind;
 * -ENOENT; -EACCES; -EIO: not a database, not ours, or of another schema version. A file of an
 * earlier version of the schema is brought to this one, in one transaction (said); a server's is
 * refused. Every failure has been said, without a password, and says what to do.
 * schema: where in PostgreSQL the tables are; NULL: pubfs. cancel: as in struct db, from now on.
 */
int db_open_in(const char *url, const char *schema, enum db_mode mode, const atomic_bool *cancel,
	       struct db **ret) MUST_CHECK;
int db_open(const char *url, enum db_mode mode, struct db **ret) MUST_CHECK;
bool db_is_url(const char *url); /* of one of these kinds */
void db_close(struct db *db);
/* The whole DDL of "sqlite" or "postgresql", for `pubfs schema`. -ENOENT: no such kind (silent). */
int db_schema(const char *kind, const char *schema, struct strbuf *out) MUST_CHECK;

/* Appends how changes are noticed: a sentence without its full stop. */
int db_check(struct db *db, struct strbuf *out) MUST_CHECK;

/* Any thread may call these. */

/* One package in one snapshot; an owned copy. -ENOENT: no row, which is never a reason to delete.
 * -EINVAL: a row that cannot be read, such as a time that is none (said). */
int db_package(struct db *db, const char *name, struct package *ret) MUST_CHECK;

/*
 * Calls fn for every package in byte order of the name (rows that are gone, too). With a renderer:
 * only those whose `change` is not the exported one, or whose renderer is another, in any of the
 * prefixes; that is one indexed query and nothing else. fn must not call the database.
 */
int db_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
	    const char *renderer, work_fn *fn, void *ctx) MUST_CHECK;

/* How many package rows there are. */
int db_count(struct db *db, uint64_t *ret_packages) MUST_CHECK;

/* Calls fn for every row of a package and of a version, in no order, in one snapshot. What ends it
 * early is an error, and then the names are not all. fn must not call the database. */
int db_names(struct db *db, name_fn *fn, void *ctx) MUST_CHECK;

/* Keeps what was exported, in one transaction. With last_error set, change, renderer and seen of
 * the row stay as they were and attempts grows by one. */
int db_record(struct db *db, const char *store, const struct export_record *records, size_t n)
	MUST_CHECK;

/* A number that moves when any other connection committed something. */
int db_changed(struct db *db, uint64_t *ret) MUST_CHECK;

/* One writing transaction of this thread, around the calls below. Others wait. A commit that fails
 * has undone everything; the transaction is over either way. */
int db_begin(struct db *db) MUST_CHECK;
int db_commit(struct db *db) MUST_CHECK;
void db_rollback(struct db *db);

/* -ENOENT: no such version. */
int db_version(struct db *db, const char *package, const char *version,
	       struct package_version *ret) MUST_CHECK;

/* Adds a version, and its package when that is new. 1: added; 0: an equal row was there; 2:
 * replaced. -EEXIST: another row is there and replace was not said (silent). */
int db_put_version(struct db *db, const char *package, const struct package_version *v,
		   bool replace) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql.h - connections to PostgreSQL and statements on them, for its own files alone. */
#ifndef PUBFS_POSTGRESQL_H
#define PUBFS_POSTGRESQL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "db.h"

struct cell;
struct strbuf;

/* libpq's PGconn and struct pg_result */
struct pg_conn;
struct pg_result;

#define LINKS_MAX	8 /* connections of a process, beside those that listen */
#define LISTENERS_MAX	2 /* of threads that wait: an updater has two */
#define ARGUMENTS_MAX	32
#define SETTINGS_MAX	64

struct postgresql {
	struct db db; /* first */
	char *schema;
	char *keywords[SETTINGS_MAX], *values[SETTINGS_MAX]; /* of every connection; then NULL */
	int64_t patience; /* how long a call tries to reach the server, in microseconds */
	int64_t poll;	  /* after which a change is seen of which no notice came */
	bool foreign;	  /* not every table has a trigger of ours */

	pthread_mutex_t lock;
	pthread_cond_t freed;
	struct pg_conn *idle[LINKS_MAX], *listeners[LISTENERS_MAX]; /* behind lock: not in use */
	size_t n_idle, n_open, n_listeners;			    /* behind lock */

	pthread_mutex_t turn; /* of db_begin(), kept to the end of its transaction */
	bool writing;	      /* behind lock: between db_begin() and commit or rollback */
	pthread_t writer;     /* behind lock: whose transaction that is */
	struct pg_conn *transaction;  /* the writer's; NULL: it was lost */
};

/* postgresql.c: opening. */
int postgresql_open(const char *url, enum db_mode mode, const char *schema,
		    const atomic_bool *cancel, struct db **ret) MUST_CHECK;
/* Of every connection; NULL: libpq's own. */
const char *postgresql_setting(const struct postgresql *db, const char *keyword);
/* The schema's DDL, for a schema of that name. */
void postgresql_schema(const char *schema, struct strbuf *out);

/*
 * postgresql_link.c: a call and its connection.
 *
 * A call runs `fn` in a transaction as `how` says; in the thread of db_begin() that one's. What is
 * lost with a connection is repeated on another one, with growing pauses, until `patience` is over.
 * `fn` must therefore begin anew each time, and nothing is repeated once it has seen a row of
 * link_each(). `doing` is the verb of what is said when it fails.
 */
enum call {
	CALL_ONE,      /* one statement, which is its own transaction */
	CALL_SNAPSHOT, /* several, which see the same */
	CALL_WRITE,    /* that may be repeated though its commit was made */
	CALL_INTAKE,   /* of packages: one at a time, and never repeated after its commit */
};
struct link {
	struct postgresql *db;
	struct pg_conn *conn;
	char *why; /* what the server says; NULL: all has been said */
	bool seen; /* rows were handed on */
};
typedef int link_fn(struct link *link, void *ctx);
int postgresql_call(struct postgresql *db, enum call how, const char *doing, link_fn *fn,
		    void *ctx) MUST_CHECK;

int postgresql_begin(struct db *db) MUST_CHECK;
int postgresql_commit(struct db *db) MUST_CHECK;
void postgresql_rollback(struct db *db);

void postgresql_close_links(struct postgresql *db);
/* Of libpq's lines; those that begin with a tab are its advice, and left out. */
void link_set_why(struct link *link, const char *said, const char *hint);
/* Waits a moment for these events of poll(): 1: one is there. -ECANCELED: the program is to end,
 * and the server has had its grace, which the calls of one wait share: INT64_MAX at first. */
int link_poll(const struct link *link, short events, int64_t *grace) MUST_CHECK;

/* postgresql_connect.c. -EAGAIN, with `why`; -ECANCELED. */
int postgresql_connect(struct link *link) MUST_CHECK;

/* A statement's parameters, borrowed: text (NULL: null), 32 bytes of a digest, a number. */
struct arguments {
	int n;
	const char *values[ARGUMENTS_MAX];
	int lengths[ARGUMENTS_MAX], formats[ARGUMENTS_MAX];
	char numbers[ARGUMENTS_MAX][24];
};
void argument_text(struct arguments *args, const char *text);
void argument_number(struct arguments *args, int64_t number);
/* types has 's' for a const char *, 'b' for a digest, 'i' for an int, 'd' for an int64_t. */
void arguments_set(struct arguments *args, const char *types, ...);

/* Within a link_fn. The rows are the caller's (PQclear()). */
int link_ask(struct link *link, struct pg_result **ret, const char *sql,
	     const struct arguments *args) MUST_CHECK;
/* How many rows it changed. */
int link_run(struct link *link, const char *sql, const char *types, ...) MUST_CHECK;
/* Row by row, of any number; fn borrows a result of one row. What it returns ends it if not 0. */
typedef int row_fn(void *ctx, const struct pg_result *row);
int link_each(struct link *link, const char *sql, const struct arguments *args, row_fn *fn,
	      void *ctx) MUST_CHECK;
void clear_result(struct pg_result **result); /* for CLEANUP() */
/* A column of a row; NULL: null. */
const char *column_text(const struct pg_result *result, int row, int column);
int64_t column_number(const struct pg_result *result, int row, int column);
bool column_flag(const struct pg_result *result, int row, int column);
void read_result_cells(const struct pg_result *result, int row, size_t n, struct cell *cells);

/* postgresql_check.c: says in one sentence all that is missing. */
int postgresql_lacks(struct link *link) MUST_CHECK;
int postgresql_check(struct db *db, struct strbuf *out) MUST_CHECK;

/* postgresql_package.c: packages and versions. */
int postgresql_package(struct db *db, const char *name, struct package *ret) MUST_CHECK;
int postgresql_names(struct db *db, name_fn *fn, void *ctx) MUST_CHECK;
int postgresql_count(struct db *db, uint64_t *ret) MUST_CHECK;
int postgresql_version(struct db *db, const char *package, const char *version,
		       struct package_version *ret) MUST_CHECK;
int postgresql_put_version(struct db *db, const char *package, const struct package_version *v,
			   bool replace) MUST_CHECK;

/* postgresql_registry.c: rows of many packages, and changes by hand. */
int postgresql_newest(struct db *db, size_t n, newest_fn *fn, void *ctx) MUST_CHECK;
extern const char postgresql_newest_query[];
extern const char postgresql_versions_query[];
int postgresql_ranked(struct db *db, ranked_fn *fn, void *ctx) MUST_CHECK;
int postgresql_versions(struct db *db, char *const *names, size_t n, versions_fn *fn,
			void *ctx) MUST_CHECK;
int postgresql_set(struct db *db, const char *package, const char *version,
		   const struct db_value *values, size_t n) MUST_CHECK;
int postgresql_purge(struct db *db, const char *package, const char *version) MUST_CHECK;
int postgresql_advisory(struct db *db, const char *id, struct advisory *ret) MUST_CHECK;
int postgresql_put_advisory(struct db *db, const struct advisory *a, char *const *packages,
			    size_t n) MUST_CHECK;
int postgresql_remove_advisory(struct db *db, const char *id) MUST_CHECK;

/* postgresql_state.c: what was exported, and what has changed. */
int postgresql_state(struct db *db, const char *store, const char *prefix, const char *package,
		     struct export_state *ret) MUST_CHECK;
int postgresql_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
		    const char *renderer, work_fn *fn, void *ctx) MUST_CHECK;
/* Its query: of all packages, or only of those with something to do. */
void postgresql_work_query(size_t n_prefixes, bool pending, struct strbuf *out);
int postgresql_record(struct db *db, const char *store, const struct export_record *records,
		      size_t n) MUST_CHECK;
int postgresql_renderers(struct db *db, const char *store, renderer_fn *fn, void *ctx) MUST_CHECK;
int postgresql_changed(struct db *db, uint64_t *ret) MUST_CHECK;
int postgresql_wait(struct db *db, int64_t timeout, const atomic_bool *stop,
		    uint64_t *seen) MUST_CHECK;
int postgresql_scan(struct db *db, int64_t window, uint64_t *ret_found) MUST_CHECK;

/* postgresql_deployment.c: hosts, leases, and who keeps latest/. */
int postgresql_beat(struct db *db, const struct deployment *host) MUST_CHECK;
int postgresql_deployments(struct db *db, deployment_fn *fn, void *ctx) MUST_CHECK;
int postgresql_retire(struct db *db, const char *runtime_version, bool retired) MUST_CHECK;
int postgresql_hold(struct db *db, const char *runtime_version) MUST_CHECK;
int postgresql_held(struct db *db, char **ret_version, int64_t *ret_since) MUST_CHECK;
int postgresql_claim(struct db *db, const struct lease *lease, char *const *names, size_t n,
		     enum claim *ret) MUST_CHECK;
int postgresql_renew(struct db *db, const struct lease *lease) MUST_CHECK;
int postgresql_release(struct db *db, const struct lease *lease, char *const *names,
		       size_t n) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fixture.h - a database of a test's own, and a second program that writes plain SQL. fixture.c
 * makes it in SQLite, fixture_postgresql.c in PostgreSQL: a program of the conformance suite is
 * linked with each (tests/db/db_test, tests/db/postgresql/db_test), and its SQL is what both
 * understand, with the help of dialect_postgresql.sql.
 */
#ifndef PUBFS_DB_FIXTURE_H
#define PUBFS_DB_FIXTURE_H

#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>

#include "db.h"

struct world {
	char dir[64];
	char *path, *url;
	struct db *db;
	/* the other program, of either kind */
	sqlite3 *raw;
	struct pg_conn *conn;
};

bool world_is_postgresql(void);

void world_folder(struct world *w); /* the folder and the names alone */
void world_open(struct world *w);   /* and the database, and both connections */
void world_close(struct world *w);

/* Of both fixtures: a world of an empty folder alone, and a statement out of its format. */
void world_make_dir(struct world *w);
char *statement_text(const char *text, va_list ap) __attribute__((format(printf, 1, 0)));

sqlite3 *raw_open(const char *path);
struct pg_conn *raw_connect(const char *database);
void sql(struct world *w, const char *text, ...) __attribute__((format(printf, 2, 3)));
bool sql_is_taken(struct world *w, const char *text); /* one statement, which may be refused */
#define ANSWER_MAX (1 << 17)
/* The first column of the first row, "" for none or null; good until the next call. */
const char *ask(struct world *w, const char *text, ...) __attribute__((format(printf, 2, 3)));
/* Where what a version or an advisory moved is not in the package's own row, forgets it. */
void forget_moves(struct world *w);
/* The n of a package's change; 0: it has none. Checks its form. */
int count_of(struct world *w, const char *package);

/* fail() said it, with each of the words in it (NULL at the end). */
bool said(const char *word, ...) __attribute__((sentinel));

/* Owned rows for db_put_version(). */
struct package_version version_row(const char *version, const char *pubspec, int64_t created);

#endif

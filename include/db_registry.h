/* SPDX-License-Identifier: BSD-3-Clause */
/* db_registry.h - what documents of many packages are made of, and changes to rows by hand. */
#ifndef PUBFS_DB_REGISTRY_H
#define PUBFS_DB_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct advisory;
struct db;
struct export_state;
struct package;
struct package_version;

/* One of the newest versions of all packages; borrowed by the callback. */
struct newest {
	const char *package, *publisher; /* publisher may be NULL */
	bool visible;			 /* its package is; the version says of itself */
	const struct package_version *version;
};
typedef int newest_fn(void *ctx, const struct newest *newest);

/* A package and the version that its row calls latest (NULL: none). */
typedef int ranked_fn(void *ctx, const char *package, const char *latest);

/* What a column becomes. The column is one of the schema's own names, never a text from outside. */
enum db_type { DB_NULL, DB_FLAG, DB_NUMBER, DB_TEXT };
struct db_value {
	const char *column;
	enum db_type type;
	int64_t number; /* DB_FLAG: 0 or 1 */
	const char *text;
};

/* What was recorded of one package in one prefix, all of it; also of the names that db_record()
 * was given and that are no package's. -ENOENT: nothing. */
int db_state(struct db *db, const char *store, const char *prefix, const char *package,
	     struct export_state *ret) MUST_CHECK;

/* Calls fn for the n newest versions by their time, then by package and version in byte order;
 * those without a row of their package, or that cannot be read (said), are not among them. One
 * indexed query. fn must not call the database; what it returns that is not 0 ends it, and is
 * returned. */
int db_newest(struct db *db, size_t n, newest_fn *fn, void *ctx) MUST_CHECK;
/* The same for every package that is neither moderated, deleted, discontinued nor unlisted: likes
 * descending, then byte order of the name. */
int db_ranked(struct db *db, ranked_fn *fn, void *ctx) MUST_CHECK;

/* The i-th of the packages that were asked for: its name and its versions, and nothing else of it;
 * borrowed by the callback. */
typedef int versions_fn(void *ctx, size_t i, const struct package *pkg);
/* Calls fn for each of these packages that has a version, in their order, and for one that was seen
 * already where a connection was lost; those that cannot be read (said) are passed over. One
 * indexed query. fn must not call the database; what it returns that is not 0 ends it, and is
 * returned. */
int db_versions(struct db *db, char *const *names, size_t n, versions_fn *fn,
		void *ctx) MUST_CHECK;

/* Sets columns of a package (version NULL) or of a version. -ENOENT: there is no such row. */
int db_set(struct db *db, const char *package, const char *version, const struct db_value *values,
	   size_t n) MUST_CHECK;
/* Removes the row of a version, or of a package with all its versions. -ENOENT: no such row. */
int db_purge(struct db *db, const char *package, const char *version) MUST_CHECK;

/* -ENOENT: no such advisory. */
int db_advisory(struct db *db, const char *id, struct advisory *ret) MUST_CHECK;
/* Adds it or takes its place, and names these packages and no others, in one transaction. */
int db_put_advisory(struct db *db, const struct advisory *a, char *const *packages,
		    size_t n) MUST_CHECK;
/* With its names. -ENOENT: no such advisory. */
int db_remove_advisory(struct db *db, const char *id) MUST_CHECK;

#endif

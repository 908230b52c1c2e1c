/* SPDX-License-Identifier: BSD-3-Clause */
/* set.h - changes to the database by hand: columns of a row, and advisories out of files. */
#ifndef PUBFS_SET_H
#define PUBFS_SET_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "db_registry.h"

struct db;

#define SET_MAX 16

/* `PACKAGE[@VERSION]` and what becomes of it. All borrowed from the texts but for these two. */
struct set {
	char *package, *version; /* owned; version NULL: the package's own row */
	struct db_value values[SET_MAX];
	size_t n;
	bool purged; /* the row goes */
};
/* -EINVAL: no such column, a value that is none for it, or one that is named twice (said). */
int set_parse(const char *target, char *const *assignments, size_t n, struct set *ret) MUST_CHECK;
void set_release(struct set *set);
/* -ENOENT: there is no such row (said). */
int set_apply(struct db *db, const struct set *set) MUST_CHECK;

enum advised { ADVISED_BEFORE, ADVISED_ADDED, ADVISED_REPLACED };
/* One advisory (OSV, spec section 7) out of a file. Says how it went; -EINVAL: it was refused, and
 * nothing changed (said). */
int advisory_take(struct db *db, const char *path, char **ret_id) MUST_CHECK;
/* -ENOENT: there is no such advisory (said). */
int advisory_remove(struct db *db, const char *id) MUST_CHECK;

#endif

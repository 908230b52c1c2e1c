/* SPDX-License-Identifier: BSD-3-Clause */
/* rows.h - the rows of a package, made of the columns that a driver has read. */
#ifndef PUBFS_ROWS_H
#define PUBFS_ROWS_H

#include <stddef.h>

#include "compiler.h"

struct package;

enum row_kind { ROW_PACKAGE, ROW_VERSION, ROW_ADVISORY };
#define ROW_COLUMNS_MAX 24

/* A column of a row. Borrowed; text has a NUL behind its n bytes, and is NULL for null. A flag is
 * 1 or 0, t or f, true or false. */
struct cell {
	const char *column, *text;
	size_t n;
};

/* A reading of one package's rows, all tables together. */
struct reading {
	const char *package;
	size_t room; /* bytes that may still be read */
	size_t alloc_versions, alloc_advisories;
};
void reading_init(struct reading *reading, const char *package);

/* How many columns a statement of that kind has to have. */
size_t row_columns(enum row_kind kind);

/* One row into a zeroed struct (package, package_version, advisory), which the caller releases,
 * also after a failure. -EINVAL: a column that cannot be read (named); -E2BIG: there is no room. */
int row_read(struct reading *reading, enum row_kind kind, const struct cell *cells, void *into)
	MUST_CHECK;
/* One more row of a package. */
int row_add(struct reading *reading, enum row_kind kind, const struct cell *cells,
	    struct package *pkg) MUST_CHECK;

#endif

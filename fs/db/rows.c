/* SPDX-License-Identifier: BSD-3-Clause */
/* rows.c - where each column of a row goes, and what is said of one that cannot be read. */
#include "rows.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "package.h"

/* A package whose rows are larger has a listing that is larger still, and none can be made. */
#define ROWS_MAX DOCUMENT_MAX

enum field_type { TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, FLAG, NUMBER, NUMBER_OR_NULL };

/* Where a column goes: the struct's member, and the one with its length (size_t), or that says
 * whether it is there (bool). */
struct field {
	enum field_type type;
	size_t offset, extra;
};
#define NO_EXTRA SIZE_MAX

#define FIELD(type, of, member)                                                                    \
	{                                                                                          \
		type, offsetof(struct of, member), NO_EXTRA                                        \
	}
#define FIELD2(type, of, member, ext)                                                              \
	{                                                                                          \
		type, offsetof(struct of, member), offsetof(struct of, ext)                        \
	}

/* In the order of the columns of the drivers' statements; the first is the row's key. */
static const struct field package_fields[] = {
	FIELD(TEXT, package, name),
	FIELD(TIME, package, created),
	FIELD(TIME, package, updated),
	FIELD(FLAG, package, moderated),
	FIELD(FLAG, package, deleted),
	FIELD(FLAG, package, discontinued),
	FIELD(FLAG, package, unlisted),
	FIELD(TEXT_OR_NULL, package, replaced_by),
	FIELD(TEXT_OR_NULL, package, latest_version),
	FIELD2(TIME_OR_NULL, package, latest_advisory, has_latest_advisory),
	FIELD(NUMBER, package, likes),
	FIELD(TEXT_OR_NULL, package, publisher),
	FIELD(NUMBER, package, granted_points),
	FIELD(NUMBER, package, max_points),
	FIELD2(NUMBER_OR_NULL, package, download_count_30d, has_download_count),
	FIELD2(TEXT, package, tags, tags_len),
	FIELD(TEXT, package, change),
	FIELD(TIME, package, read),
};
static const struct field version_fields[] = {
	FIELD(TEXT, package_version, version),
	FIELD(TIME, package_version, created),
	FIELD2(TEXT, package_version, pubspec, pubspec_len),
	FIELD(TEXT_OR_NULL, package_version, archive_sha256),
	FIELD(FLAG, package_version, retracted),
	FIELD(FLAG, package_version, moderated),
	FIELD(FLAG, package_version, deleted),
};
static const struct field advisory_fields[] = {
	FIELD(TEXT, advisory, id),
	FIELD2(TEXT, advisory, osv, osv_len),
	FIELD(TIME, advisory, synced),
};

static const struct {
	const char *name;
	const struct field *fields;
	size_t n;
} tables[] = {
	[ROW_PACKAGE] = { "package", package_fields, ARRAY_SIZE(package_fields) },
	[ROW_VERSION] = { "package_version", version_fields, ARRAY_SIZE(version_fields) },
	[ROW_ADVISORY] = { "advisory", advisory_fields, ARRAY_SIZE(advisory_fields) },
};

_Static_assert(ARRAY_SIZE(package_fields) <= ROW_COLUMNS_MAX, "the widest table");

void reading_init(struct reading *reading, const char *package)
{
	*reading = (struct reading){ .package = package, .room = ROWS_MAX };
}

size_t row_columns(enum row_kind kind)
{
	return tables[kind].n;
}

static int bad_column(const struct reading *reading, enum row_kind kind, const struct cell *cells,
		      const struct cell *bad, const char *what)
{
	return fail(-EINVAL, "package %s: table %s, row %s: column %s %s", reading->package,
		    tables[kind].name, cells->text ? cells->text : "?", bad->column, what);
}

static int read_text(struct reading *reading, const struct cell *cell, char **ret, size_t *ret_len)
{
	char *copy = cell->n < reading->room ? malloc(cell->n + 1) : NULL;

	if (!copy)
		return fail(-E2BIG, "the rows of package %s are over %zu MiB", reading->package,
			    (size_t)ROWS_MAX >> 20);
	memcpy(copy, cell->text, cell->n + 1);
	reading->room -= cell->n;
	*ret = copy;
	if (ret_len)
		*ret_len = cell->n;
	return 0;
}

static bool read_number(const char *text, int64_t *ret)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*ret = n;
	return true;
}

static int read_field(struct reading *reading, enum row_kind kind, const struct cell *cells,
		      size_t i, char *into)
{
	const struct field *field = &tables[kind].fields[i];
	const struct cell *cell = &cells[i];
	void *member = into + field->offset;
	void *extra = field->extra == NO_EXTRA ? NULL : into + field->extra;

	if (!cell->text && (field->type == TEXT_OR_NULL || field->type == TIME_OR_NULL ||
			    field->type == NUMBER_OR_NULL))
		return 0;
	if (!cell->text)
		return bad_column(reading, kind, cells, cell, "is null");
	if (memchr(cell->text, '\0', cell->n))
		return bad_column(reading, kind, cells, cell, "has a NUL byte in its text");
	switch (field->type) {
	case TEXT:
	case TEXT_OR_NULL:
		return read_text(reading, cell, member, extra);
	case TIME:
	case TIME_OR_NULL:
		if (clock_parse(cell->text, member) < 0)
			return bad_column(reading, kind, cells, cell, "is not a time (ISO 8601)");
		if (extra)
			*(bool *)extra = true;
		return 0;
	case FLAG:
		*(bool *)member = *cell->text == '1' || *cell->text == 't';
		return 0;
	case NUMBER:
	case NUMBER_OR_NULL:
		if (!read_number(cell->text, member))
			return bad_column(reading, kind, cells, cell, "is not a whole number");
		if (extra)
			*(bool *)extra = true;
		return 0;
	}
	return 0;
}

int row_read(struct reading *reading, enum row_kind kind, const struct cell *cells, void *into)
{
	int r = 0;

	for (size_t i = 0; !r && i < tables[kind].n; i++)
		r = read_field(reading, kind, cells, i, into);
	return r;
}

int row_add(struct reading *reading, enum row_kind kind, const struct cell *cells,
	    struct package *pkg)
{
	switch (kind) {
	case ROW_PACKAGE:
		return row_read(reading, kind, cells, pkg);
	case ROW_VERSION:
		GROW(pkg->versions, pkg->n_versions, reading->alloc_versions);
		pkg->versions[pkg->n_versions] = (struct package_version){ 0 };
		return row_read(reading, kind, cells, &pkg->versions[pkg->n_versions++]);
	case ROW_ADVISORY:
		GROW(pkg->advisories, pkg->n_advisories, reading->alloc_advisories);
		pkg->advisories[pkg->n_advisories] = (struct advisory){ 0 };
		return row_read(reading, kind, cells, &pkg->advisories[pkg->n_advisories++]);
	}
	return 0;
}

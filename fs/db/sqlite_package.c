/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_package.c - packages and versions out of SQLite, and versions into it. */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

/* A package whose rows are larger has a listing that is larger still, and none can be made. */
#define ROWS_MAX DOCUMENT_MAX

enum field_type { TEXT, TEXT_OR_NULL, TIME, TIME_OR_NULL, FLAG };

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

/* In the order of the columns of the statements in sqlite.c; the first is the row's key. */
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
	FIELD(TEXT, package, change),
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

static const struct table {
	const char *name;
	const struct field *fields;
	size_t n;
} package_table = { "package", package_fields, ARRAY_SIZE(package_fields) },
  version_table = { "package_version", version_fields, ARRAY_SIZE(version_fields) },
  advisory_table = { "advisory", advisory_fields, ARRAY_SIZE(advisory_fields) };

/* A reading of one package's rows, all tables together. */
struct reading {
	struct sqlite *db;
	const char *package;
	const struct table *table; /* of the row under way */
	size_t room;		   /* bytes that may still be read */
};

static int bad_column(const struct reading *reading, sqlite3_stmt *stmt, int column,
		      const char *what)
{
	const char *key = (const char *)sqlite3_column_text(stmt, 0);

	return fail(-EINVAL, "package %s: table %s, row %s: column %s %s", reading->package,
		    reading->table->name, key ? key : "?", sqlite3_column_name(stmt, column), what);
}

static int read_text(struct reading *reading, const char *text, size_t n, char **ret,
		     size_t *ret_len)
{
	char *copy = n < reading->room ? malloc(n + 1) : NULL;

	if (!copy)
		return fail(-E2BIG, "the rows of package %s are over %zu MiB", reading->package,
			    (size_t)ROWS_MAX >> 20);
	memcpy(copy, text, n + 1);
	reading->room -= n;
	*ret = copy;
	if (ret_len)
		*ret_len = n;
	return 0;
}

static int read_field(struct reading *reading, sqlite3_stmt *stmt, int column,
		      const struct field *field, char *into)
{
	void *member = into + field->offset;
	void *extra = field->extra == NO_EXTRA ? NULL : into + field->extra;
	const char *text = (const char *)sqlite3_column_text(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (!text && (field->type == TEXT_OR_NULL || field->type == TIME_OR_NULL))
		return 0;
	if (!text)
		return bad_column(reading, stmt, column, "is null");
	if (memchr(text, '\0', n))
		return bad_column(reading, stmt, column, "has a NUL byte in its text");
	switch (field->type) {
	case TEXT:
	case TEXT_OR_NULL:
		return read_text(reading, text, n, member, extra);
	case TIME:
	case TIME_OR_NULL:
		if (clock_parse(text, member) < 0)
			return bad_column(reading, stmt, column, "is not a time (ISO 8601)");
		if (extra)
			*(bool *)extra = true;
		return 0;
	case FLAG:
		*(bool *)member = sqlite3_column_int(stmt, column) != 0;
		return 0;
	}
	return 0;
}

/* One row into a zeroed struct, which is released by the caller, also after a failure. */
static int read_row(struct reading *reading, sqlite3_stmt *stmt, const struct table *table,
		    void *into)
{
	int r = 0;

	reading->table = table;
	for (size_t i = 0; !r && i < table->n; i++)
		r = read_field(reading, stmt, (int)i, &table->fields[i], into);
	return r;
}

static int read_package_row(struct reading *reading, struct package *pkg)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r;

	r = statement_start(reading->db, READ_PACKAGE, &stmt, "s", reading->package);
	if (r < 0)
		return r;
	r = statement_step(reading->db, stmt);
	if (!r)
		return -ENOENT;
	return r < 0 ? r : read_row(reading, stmt, &package_table, pkg);
}

static int read_versions(struct reading *reading, struct package *pkg)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	size_t alloc = 0;
	int r;

	r = statement_start(reading->db, READ_VERSIONS, &stmt, "s", reading->package);
	while (!r && (r = statement_step(reading->db, stmt)) > 0) {
		GROW(pkg->versions, pkg->n_versions, alloc);
		pkg->versions[pkg->n_versions] = (struct package_version){ 0 };
		r = read_row(reading, stmt, &version_table, &pkg->versions[pkg->n_versions++]);
	}
	return r;
}

static int read_advisories(struct reading *reading, struct package *pkg)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	size_t alloc = 0;
	int r;

	r = statement_start(reading->db, READ_ADVISORIES, &stmt, "s", reading->package);
	while (!r && (r = statement_step(reading->db, stmt)) > 0) {
		GROW(pkg->advisories, pkg->n_advisories, alloc);
		pkg->advisories[pkg->n_advisories] = (struct advisory){ 0 };
		r = read_row(reading, stmt, &advisory_table, &pkg->advisories[pkg->n_advisories++]);
	}
	return r;
}

int sqlite_package(struct db *base, const char *name, struct package *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	struct reading reading = { .db = db, .package = name, .room = ROWS_MAX };
	CLEANUP(package_release) struct package pkg;
	int r;

	package_init(&pkg);
	r = sqlite_enter(db, false);
	if (r < 0)
		return r;
	r = read_package_row(&reading, &pkg);
	if (!r)
		r = read_versions(&reading, &pkg);
	if (!r)
		r = read_advisories(&reading, &pkg);
	r = sqlite_leave(db, r);
	if (r < 0)
		return r;
	*ret = pkg;
	package_init(&pkg);
	return 0;
}

static int read_version(struct sqlite *db, const char *package, const char *version,
			struct package_version *into)
{
	struct reading reading = { .db = db, .package = package, .room = ROWS_MAX };
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r;

	r = statement_start(db, READ_VERSION, &stmt, "ss", package, version);
	if (r < 0)
		return r;
	r = statement_step(db, stmt);
	if (!r)
		return -ENOENT;
	return r < 0 ? r : read_row(&reading, stmt, &version_table, into);
}

int sqlite_version(struct db *base, const char *package, const char *version,
		   struct package_version *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	CLEANUP(package_version_release) struct package_version v = { 0 };
	int r = sqlite_enter(db, false);

	if (r < 0)
		return r;
	r = sqlite_leave(db, read_version(db, package, version, &v));
	if (r < 0)
		return r;
	*ret = v;
	v = (struct package_version){ 0 };
	return 0;
}

static int read_names(struct sqlite *db, name_fn *fn, void *ctx)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_NAMES, &stmt, "");

	while (!r && (r = statement_step(db, stmt)) > 0)
		r = fn(ctx, (const char *)sqlite3_column_text(stmt, 0),
		       (const char *)sqlite3_column_text(stmt, 1));
	return r;
}

int sqlite_names(struct db *base, name_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, false);

	return r < 0 ? r : sqlite_leave(db, read_names(db, fn, ctx));
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_version(const struct package_version *a, const struct package_version *b)
{
	return a->created == b->created && a->retracted == b->retracted &&
	       a->moderated == b->moderated && a->deleted == b->deleted &&
	       a->pubspec_len == b->pubspec_len &&
	       !memcmp(a->pubspec, b->pubspec, a->pubspec_len) &&
	       same_text(a->archive_sha256, b->archive_sha256);
}

static int write_version(struct sqlite *db, enum statement which, const char *package,
			 const struct package_version *v)
{
	CLEANUP(strbuf_release) struct strbuf created = STRBUF_INIT(64);

	clock_format(v->created, &created);
	if (which == INSERT_VERSION) {
		int r = statement_run(db, INSERT_PACKAGE, "ss", package, created.buf);

		if (r < 0)
			return r;
	}
	return statement_run(db, which, "stsiiiss", created.buf, v->pubspec, v->pubspec_len,
			     v->archive_sha256, v->retracted, v->moderated, v->deleted, package,
			     v->version);
}

static int put_version(struct sqlite *db, const char *package, const struct package_version *v,
		       bool replace)
{
	CLEANUP(package_version_release) struct package_version have = { 0 };
	int r = read_version(db, package, v->version, &have);

	if (r == -ENOENT) {
		r = write_version(db, INSERT_VERSION, package, v);
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return r;
	if (same_version(&have, v))
		return 0;
	if (!replace)
		return -EEXIST;
	r = write_version(db, UPDATE_VERSION, package, v);
	return r < 0 ? r : 2;
}

int sqlite_put_version(struct db *base, const char *package, const struct package_version *v,
		       bool replace)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	return sqlite_leave(db, put_version(db, package, v, replace));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_package.c - packages and versions out of SQLite, and versions into it. */
#include "sqlite.h"

#include <errno.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "rows.h"
#include "strbuf.h"

/* One row, as rows.h has it. */
static void read_cells(sqlite3_stmt *stmt, enum row_kind kind, struct cell *cells)
{
	for (size_t i = 0; i < row_columns(kind); i++) {
		cells[i].column = sqlite3_column_name(stmt, (int)i);
		cells[i].text = (const char *)sqlite3_column_text(stmt, (int)i);
		cells[i].n = (size_t)sqlite3_column_bytes(stmt, (int)i);
	}
}

/* Every row that the statement has of the package. -ENOENT: none. */
static int read_rows(struct sqlite *db, struct reading *reading, enum statement which,
		     enum row_kind kind, struct package *pkg)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	struct cell cells[ROW_COLUMNS_MAX];
	bool any = false;
	int r = statement_start(db, which, &stmt, "s", reading->package);

	while (!r && (r = statement_step(db, stmt)) > 0) {
		any = true;
		read_cells(stmt, kind, cells);
		r = row_add(reading, kind, cells, pkg);
	}
	return r || any ? r : -ENOENT;
}

int sqlite_package(struct db *base, const char *name, struct package *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	struct reading reading;
	CLEANUP(package_release) struct package pkg;
	static const struct {
		enum statement which;
		enum row_kind kind;
	} more[] = { { READ_VERSIONS, ROW_VERSION }, { READ_ADVISORIES, ROW_ADVISORY } };
	int r;

	package_init(&pkg);
	reading_init(&reading, name);
	r = sqlite_enter(db, false);
	if (r < 0)
		return r;
	r = read_rows(db, &reading, READ_PACKAGE, ROW_PACKAGE, &pkg);
	for (size_t i = 0; !r && i < ARRAY_SIZE(more); i++) {
		r = read_rows(db, &reading, more[i].which, more[i].kind, &pkg);
		if (r == -ENOENT)
			r = 0;
	}
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
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	struct cell cells[ROW_COLUMNS_MAX];
	struct reading reading;
	int r;

	reading_init(&reading, package);
	r = statement_start(db, READ_VERSION, &stmt, "ss", package, version);
	if (r < 0)
		return r;
	r = statement_step(db, stmt);
	if (!r)
		return -ENOENT;
	if (r < 0)
		return r;
	read_cells(stmt, ROW_VERSION, cells);
	return row_read(&reading, ROW_VERSION, cells, into);
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

	while (!r && (r = statement_step(db, stmt)) > 0) {
		const char *package = statement_package(stmt, 0);

		r = package ? fn(ctx, package, (const char *)sqlite3_column_text(stmt, 1)) : 0;
	}
	return r;
}

int sqlite_names(struct db *base, name_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, false);

	return r < 0 ? r : sqlite_leave(db, read_names(db, fn, ctx));
}

/* READ_NEWEST has the columns of a version, and these behind them. */
enum newest_column { NEWEST_PACKAGE, NEWEST_PUBLISHER, NEWEST_HIDDEN };

static int call_for_newest(sqlite3_stmt *stmt, newest_fn *fn, void *ctx)
{
	CLEANUP(package_version_release) struct package_version v = { 0 };
	int first = (int)row_columns(ROW_VERSION), r;
	struct newest newest = {
		.package = statement_package(stmt, first + NEWEST_PACKAGE),
		.publisher = (const char *)sqlite3_column_text(stmt, first + NEWEST_PUBLISHER),
		.visible = !sqlite3_column_int(stmt, first + NEWEST_HIDDEN),
		.version = &v,
	};
	struct cell cells[ROW_COLUMNS_MAX];
	struct reading reading;

	if (!newest.package)
		return 0;
	reading_init(&reading, newest.package);
	read_cells(stmt, ROW_VERSION, cells);
	r = row_read(&reading, ROW_VERSION, cells, &v);
	if (r == -EINVAL || r == -E2BIG)
		return 0; /* said; its package fails by itself, and holds up no other */
	return r < 0 ? r : fn(ctx, &newest);
}

static int read_newest(struct sqlite *db, size_t n, newest_fn *fn, void *ctx)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_NEWEST, &stmt, "i", (int)n);

	while (!r && (r = statement_step(db, stmt)) > 0)
		r = call_for_newest(stmt, fn, ctx);
	return r;
}

int sqlite_newest(struct db *base, size_t n, newest_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, false);

	return r < 0 ? r : sqlite_leave(db, read_newest(db, n, fn, ctx));
}

static int read_versions(struct sqlite *db, char *name, size_t i, versions_fn *fn, void *ctx)
{
	struct package pkg;
	struct reading reading;
	int r;

	package_init(&pkg);
	reading_init(&reading, name);
	r = read_rows(db, &reading, READ_VERSIONS, ROW_VERSION, &pkg);
	pkg.name = name;
	if (!r)
		r = fn(ctx, i, &pkg);
	else if (r == -ENOENT || r == -EINVAL || r == -E2BIG)
		r = 0; /* what is wrong was said; its package fails by itself */
	pkg.name = NULL;
	package_release(&pkg);
	return r;
}

int sqlite_versions(struct db *base, char *const *names, size_t n, versions_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, false);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n && !r; i++)
		r = read_versions(db, names[i], i, fn, ctx);
	return sqlite_leave(db, r);
}

static int read_advisory(struct sqlite *db, const char *id, struct advisory *into)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	struct cell cells[ROW_COLUMNS_MAX];
	struct reading reading;
	int r = statement_start(db, READ_ADVISORY, &stmt, "s", id);

	reading_init(&reading, "of an advisory");
	if (!r)
		r = statement_step(db, stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	read_cells(stmt, ROW_ADVISORY, cells);
	return row_read(&reading, ROW_ADVISORY, cells, into);
}

int sqlite_advisory(struct db *base, const char *id, struct advisory *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	CLEANUP(advisory_release) struct advisory a = { 0 };
	int r = sqlite_enter(db, false);

	if (r < 0)
		return r;
	r = sqlite_leave(db, read_advisory(db, id, &a));
	if (r < 0)
		return r;
	*ret = a;
	a = (struct advisory){ 0 };
	return 0;
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
	if (package_version_equal(&have, v))
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

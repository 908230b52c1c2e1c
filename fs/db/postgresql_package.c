/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_package.c - packages and versions out of PostgreSQL, and versions into it. */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "rows.h"
#include "strbuf.h"

#define NAMES_MAX ((size_t)16 << 20) /* that are asked for at once */

#define VERSION_COLUMNS                                                                            \
	"version::text, created::text, pubspec::text, archive_sha256::text, retracted, moderated," \
	" deleted"

/* In the order of rows.c. */
static const char *const queries[] = {
	[ROW_PACKAGE] =
		"SELECT name, created::text, updated::text, moderated, deleted, discontinued,"
		" unlisted, replaced_by, latest_version, latest_advisory::text, likes, publisher,"
		" granted_points, max_points, download_count_30d, tags, change,"
		" clock_timestamp()::text FROM package_now WHERE name = $1",
	[ROW_VERSION] = "SELECT " VERSION_COLUMNS " FROM package_version WHERE package = $1",
	[ROW_ADVISORY] = "SELECT a.id::text, a.osv::text, a.synced::text FROM advisory_package n"
			 " JOIN advisory a ON a.id = n.advisory WHERE n.package = $1"
			 " ORDER BY a.id COLLATE \"C\"",
};

/* A call's reading of one package. */
struct package_call {
	const char *name;
	struct reading reading;
	enum row_kind kind; /* of the rows under way */
	struct package pkg;
	bool any;
};

static int add_row(void *ctx, const PGresult *row)
{
	struct package_call *call = ctx;
	struct cell cells[ROW_COLUMNS_MAX];

	call->any = true;
	read_result_cells(row, 0, row_columns(call->kind), cells);
	return row_add(&call->reading, call->kind, cells, &call->pkg);
}

static int read_package(struct link *link, void *ctx)
{
	struct package_call *call = ctx;
	struct arguments args;
	int r = 0;

	package_release(&call->pkg);
	reading_init(&call->reading, call->name);
	arguments_set(&args, "s", call->name);
	call->any = false;
	for (enum row_kind kind = ROW_PACKAGE; !r && kind <= ROW_ADVISORY; kind++) {
		call->kind = kind;
		r = link_each(link, queries[kind], &args, add_row, call);
		link->seen = false; /* of rows that would be read anew */
		if (!r && !call->any)
			r = -ENOENT;
	}
	return r;
}

int postgresql_package(struct db *base, const char *name, struct package *ret)
{
	struct package_call call = { .name = name };
	int r;

	package_init(&call.pkg);
	r = postgresql_call((struct postgresql *)base, CALL_SNAPSHOT, "read", read_package, &call);
	if (r < 0) {
		package_release(&call.pkg);
		return r;
	}
	*ret = call.pkg;
	return 0;
}

/* Behind the columns of a version which of the names it is of, from 1. */
const char postgresql_versions_query[] =
	"SELECT " VERSION_COLUMNS ", at FROM unnest($1::text[]) WITH ORDINALITY AS n (name, at)"
	" JOIN package_version v ON v.package = n.name ORDER BY at";

/* A call's reading of many packages, one after the other. */
struct versions_call {
	char *const *names;
	size_t n, at; /* the one whose rows come; n: none yet */
	versions_fn *fn;
	void *ctx;
	struct strbuf array; /* the names, as PostgreSQL writes them */
	struct reading reading;
	struct package pkg;
	bool bad; /* one of its rows cannot be read; that was said */
};

static int end_package(struct versions_call *call)
{
	int r = 0;

	if (call->at < call->n && !call->bad) {
		call->pkg.name = call->names[call->at];
		r = call->fn(call->ctx, call->at, &call->pkg);
		call->pkg.name = NULL;
	}
	package_release(&call->pkg);
	package_init(&call->pkg);
	call->at = call->n;
	return r;
}

static int add_version(void *ctx, const PGresult *row)
{
	struct versions_call *call = ctx;
	size_t at = (size_t)column_number(row, 0, (int)row_columns(ROW_VERSION)) - 1;
	struct cell cells[ROW_COLUMNS_MAX];
	int r = at == call->at ? 0 : end_package(call);

	if (r)
		return r;
	if (at != call->at) {
		call->at = at;
		call->bad = false;
		reading_init(&call->reading, call->names[at]);
	}
	if (call->bad)
		return 0;
	read_result_cells(row, 0, row_columns(ROW_VERSION), cells);
	r = row_add(&call->reading, ROW_VERSION, cells, &call->pkg);
	call->bad = r == -EINVAL || r == -E2BIG;
	return call->bad ? 0 : r;
}

static int read_versions(struct link *link, void *ctx)
{
	struct versions_call *call = ctx;
	struct arguments args;
	int r;

	package_release(&call->pkg);
	package_init(&call->pkg);
	call->at = call->n;
	arguments_set(&args, "s", call->array.buf);
	r = link_each(link, postgresql_versions_query, &args, add_version, call);
	link->seen = false; /* who is told of a package once more has said not to mind */
	return r ? r : end_package(call);
}

/* {"a","b"} */
static int add_names(struct strbuf *out, char *const *names, size_t n)
{
	strbuf_addch(out, '{');
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(out, i ? ",\"" : "\"");
		for (const char *c = names[i]; *c; c++) {
			if (*c == '"' || *c == '\\')
				strbuf_addch(out, '\\');
			strbuf_addch(out, *c);
		}
		strbuf_addch(out, '"');
	}
	strbuf_addch(out, '}');
	return strbuf_error(out);
}

int postgresql_versions(struct db *base, char *const *names, size_t n, versions_fn *fn, void *ctx)
{
	struct versions_call call = { .names = names, .n = n, .fn = fn, .ctx = ctx };
	int r;

	strbuf_init(&call.array, NAMES_MAX);
	package_init(&call.pkg);
	r = add_names(&call.array, names, n);
	if (r == 0)
		r = postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_versions,
				    &call);
	package_release(&call.pkg);
	strbuf_release(&call.array);
	return r;
}

struct name_call {
	name_fn *fn;
	void *ctx;
};

static int call_for_name(void *ctx, const PGresult *row)
{
	struct name_call *call = ctx;

	return call->fn(call->ctx, column_text(row, 0, 0), column_text(row, 0, 1));
}

static int read_names(struct link *link, void *ctx)
{
	return link_each(link,
			 "SELECT name::text, NULL FROM package"
			 " UNION ALL SELECT package::text, version::text FROM package_version",
			 NULL, call_for_name, ctx);
}

int postgresql_names(struct db *base, name_fn *fn, void *ctx)
{
	struct name_call call = { .fn = fn, .ctx = ctx };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_names, &call);
}

static int read_count(struct link *link, void *ctx)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result, "SELECT count(*) FROM package", NULL);

	if (r == 0)
		*(uint64_t *)ctx = (uint64_t)column_number(result, 0, 0);
	return r;
}

int postgresql_count(struct db *base, uint64_t *ret)
{
	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_count, ret);
}

struct version_call {
	const char *package, *version;
	const struct package_version *put; /* NULL: only read */
	bool replace;
	struct package_version *ret;
};

static int read_version(struct link *link, const char *package, const char *version,
			struct package_version *into)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct cell cells[ROW_COLUMNS_MAX];
	struct arguments args;
	struct reading reading;
	int r;

	reading_init(&reading, package);
	arguments_set(&args, "ss", package, version);
	r = link_ask(link, &result,
		     "SELECT " VERSION_COLUMNS " FROM package_version"
		     " WHERE package = $1 AND version = $2",
		     &args);
	if (r < 0)
		return r;
	if (!PQntuples(result))
		return -ENOENT;
	read_result_cells(result, 0, row_columns(ROW_VERSION), cells);
	return row_read(&reading, ROW_VERSION, cells, into);
}

static int only_read(struct link *link, void *ctx)
{
	struct version_call *call = ctx;

	package_version_release(call->ret);
	return read_version(link, call->package, call->version, call->ret);
}

int postgresql_version(struct db *base, const char *package, const char *version,
		       struct package_version *ret)
{
	struct package_version v = { .version = NULL };
	struct version_call call = { .package = package, .version = version, .ret = &v };
	int r = postgresql_call((struct postgresql *)base, CALL_ONE, "read", only_read, &call);

	if (r < 0) {
		package_version_release(&v);
		return r;
	}
	*ret = v;
	return 0;
}

static int insert_version(struct link *link, const char *package, const struct package_version *v)
{
	CLEANUP(strbuf_release) struct strbuf created = STRBUF_INIT(64);
	int r;

	clock_format(v->created, &created);
	r = link_run(link,
		     "INSERT INTO package (name, created, updated)"
		     " VALUES ($1, $2::timestamptz, $2::timestamptz) ON CONFLICT (name) DO NOTHING",
		     "ss", package, created.buf);
	if (r < 0)
		return r;
	return link_run(link,
			"INSERT INTO package_version (package, version, created, pubspec,"
			" archive_sha256, retracted, moderated, deleted)"
			" VALUES ($1, $2, $3, $4, $5, $6::int::bool, $7::int::bool, $8::int::bool)"
			" ON CONFLICT (package, version) DO NOTHING",
			"sssssiii", package, v->version, created.buf, v->pubspec, v->archive_sha256,
			(int)v->retracted, (int)v->moderated, (int)v->deleted);
}

static int update_version(struct link *link, const char *package, const struct package_version *v)
{
	CLEANUP(strbuf_release) struct strbuf created = STRBUF_INIT(64);

	clock_format(v->created, &created);
	return link_run(link,
			"UPDATE package_version SET created = $3, pubspec = $4,"
			" archive_sha256 = $5, retracted = $6::int::bool,"
			" moderated = $7::int::bool,"
			" deleted = $8::int::bool WHERE package = $1 AND version = $2",
			"sssssiii", package, v->version, created.buf, v->pubspec, v->archive_sha256,
			(int)v->retracted, (int)v->moderated, (int)v->deleted);
}

/* Programs of others do not wait for ours: the row may appear, or go, between two statements. */
static int put_version(struct link *link, void *ctx)
{
	const struct version_call *call = ctx;
	CLEANUP(package_version_release) struct package_version have = { .version = NULL };
	int r = read_version(link, call->package, call->version, &have);

	if (r == -ENOENT) {
		r = insert_version(link, call->package, call->put);
		if (r)
			return r;
		r = read_version(link, call->package, call->version, &have);
	}
	if (r < 0)
		return r;
	if (package_version_equal(&have, call->put))
		return 0;
	if (!call->replace)
		return -EEXIST;
	r = update_version(link, call->package, call->put);
	return r < 0 ? r : 2;
}

int postgresql_put_version(struct db *base, const char *package, const struct package_version *v,
			   bool replace)
{
	struct version_call call = {
		.package = package, .version = v->version, .put = v, .replace = replace
	};

	if (memchr(v->pubspec, '\0', v->pubspec_len))
		return fail(-EINVAL,
			    "the pubspec of %s %s has a NUL byte, which PostgreSQL cannot keep",
			    package, v->version);
	return postgresql_call((struct postgresql *)base, CALL_INTAKE, "write", put_version, &call);
}

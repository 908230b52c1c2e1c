/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_registry.c - rows of many packages, and changes to rows by hand. */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "log.h"
#include "rows.h"
#include "strbuf.h"

#define STATEMENT_MAX ((size_t)64 << 10)

/* The columns of a version, and these behind them. */
enum newest_column { NEWEST_PACKAGE, NEWEST_PUBLISHER, NEWEST_VISIBLE };
const char postgresql_newest_query[] =
	"SELECT v.version::text, v.created::text, v.pubspec::text, v.archive_sha256::text,"
	" v.retracted, v.moderated, v.deleted, p.name::text, p.publisher::text,"
	" NOT (p.moderated OR p.deleted)"
	" FROM package_version v JOIN package p ON p.name = v.package"
	" ORDER BY v.created DESC, v.package, v.version LIMIT $1";

struct newest_call {
	int64_t n;
	newest_fn *fn;
	void *ctx;
};

/* A view may have any; what is none is in no bucket. */
static bool is_name(const char *package)
{
	return package && catalog_is_package_name(package, strlen(package));
}

static int call_for_newest(void *ctx, const PGresult *row)
{
	const struct newest_call *call = ctx;
	CLEANUP(package_version_release) struct package_version v = { .version = NULL };
	int first = (int)row_columns(ROW_VERSION), r;
	struct newest newest = {
		.package = column_text(row, 0, first + NEWEST_PACKAGE),
		.publisher = column_text(row, 0, first + NEWEST_PUBLISHER),
		.visible = column_flag(row, 0, first + NEWEST_VISIBLE),
		.version = &v,
	};
	struct cell cells[ROW_COLUMNS_MAX];
	struct reading reading;

	if (!is_name(newest.package))
		return 0;
	reading_init(&reading, newest.package);
	read_result_cells(row, 0, row_columns(ROW_VERSION), cells);
	r = row_read(&reading, ROW_VERSION, cells, &v);
	if (r == -EINVAL || r == -E2BIG)
		return 0; /* said; its package fails by itself, and holds up no other */
	return r < 0 ? r : call->fn(call->ctx, &newest);
}

static int read_newest(struct link *link, void *ctx)
{
	struct newest_call *call = ctx;
	struct arguments args;

	arguments_set(&args, "d", call->n);
	return link_each(link, postgresql_newest_query, &args, call_for_newest, call);
}

int postgresql_newest(struct db *base, size_t n, newest_fn *fn, void *ctx)
{
	struct newest_call call = { .n = (int64_t)n, .fn = fn, .ctx = ctx };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_newest, &call);
}

struct ranked_call {
	ranked_fn *fn;
	void *ctx;
};

static int call_for_ranked(void *ctx, const PGresult *row)
{
	const struct ranked_call *call = ctx;
	const char *package = column_text(row, 0, 0);

	return is_name(package) ? call->fn(call->ctx, package, column_text(row, 0, 1)) : 0;
}

static int read_ranked(struct link *link, void *ctx)
{
	return link_each(link,
			 "SELECT name::text, latest_version::text FROM package"
			 " WHERE NOT (moderated OR deleted OR discontinued OR unlisted)"
			 " ORDER BY likes DESC, name::text COLLATE \"C\"",
			 NULL, call_for_ranked, ctx);
}

int postgresql_ranked(struct db *base, ranked_fn *fn, void *ctx)
{
	struct ranked_call call = { .fn = fn, .ctx = ctx };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_ranked, &call);
}

/* A statement that changes rows. -ENOENT: it found none. */
struct change_call {
	const char *sql;
	const struct arguments *args;
};

static int change(struct link *link, void *ctx)
{
	const struct change_call *call = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result, call->sql, call->args);

	if (r < 0)
		return r;
	return strcmp(PQcmdTuples(result), "0") ? 0 : -ENOENT;
}

static void add_value(const struct db_value *value, struct arguments *args, struct strbuf *sql)
{
	static const char *const casts[] = { [DB_FLAG] = "::int::bool", [DB_NUMBER] = "::bigint" };
	const char *cast = value->type < ARRAY_SIZE(casts) ? casts[value->type] : NULL;

	if (value->type == DB_NULL || value->type == DB_TEXT)
		argument_text(args, value->type == DB_TEXT ? value->text : NULL);
	else
		argument_number(args, value->number);
	strbuf_addf(sql, "%s = $%d%s", value->column, args->n, cast ? cast : "");
}

int postgresql_set(struct db *base, const char *package, const char *version,
		   const struct db_value *values, size_t n)
{
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(STATEMENT_MAX);
	struct arguments args = { .n = 0 };
	struct change_call call = { .args = &args };

	strbuf_addf(&sql, "UPDATE %s SET ", version ? "package_version" : "package");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(&sql, i ? ", " : "");
		add_value(&values[i], &args, &sql);
	}
	argument_text(&args, package);
	strbuf_addf(&sql, " WHERE %s = $%d", version ? "package" : "name", args.n);
	if (version) {
		argument_text(&args, version);
		strbuf_addf(&sql, " AND version = $%d", args.n);
	}
	if (strbuf_error(&sql) < 0)
		return -E2BIG;
	call.sql = sql.buf;
	return postgresql_call((struct postgresql *)base, CALL_INTAKE, "write", change, &call);
}

struct purge_call {
	const char *package, *version;
};

static int purge(struct link *link, void *ctx)
{
	const struct purge_call *call = ctx;
	int r;

	if (call->version) {
		r = link_run(link,
			     "DELETE FROM package_version WHERE package = $1 AND version = $2",
			     "ss", call->package, call->version);
		return r > 0 ? 0 : r < 0 ? r : -ENOENT;
	}
	r = link_run(link, "DELETE FROM package_version WHERE package = $1", "s", call->package);
	if (r >= 0)
		r = link_run(link, "DELETE FROM package WHERE name = $1", "s", call->package);
	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int postgresql_purge(struct db *base, const char *package, const char *version)
{
	struct purge_call call = { .package = package, .version = version };

	return postgresql_call((struct postgresql *)base, CALL_INTAKE, "write", purge, &call);
}

struct advisory_call {
	const char *id;
	const struct advisory *put;
	char *const *packages;
	size_t n;
	struct advisory found;
};

static int read_advisory(struct link *link, void *ctx)
{
	struct advisory_call *call = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	struct cell cells[ROW_COLUMNS_MAX];
	struct arguments args;
	struct reading reading;
	int r;

	advisory_release(&call->found);
	reading_init(&reading, "of an advisory");
	arguments_set(&args, "s", call->id);
	r = link_ask(link, &result,
		     "SELECT id::text, osv::text, synced::text FROM advisory WHERE id = $1", &args);
	if (r < 0)
		return r;
	if (!PQntuples(result))
		return -ENOENT;
	read_result_cells(result, 0, row_columns(ROW_ADVISORY), cells);
	return row_read(&reading, ROW_ADVISORY, cells, &call->found);
}

int postgresql_advisory(struct db *base, const char *id, struct advisory *ret)
{
	struct advisory_call call = { .id = id };
	int r = postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_advisory, &call);

	if (r < 0) {
		advisory_release(&call.found);
		return r;
	}
	*ret = call.found;
	return 0;
}

/* The names that go, go while the advisory is as it was. */
static int unname_others(struct link *link, const struct advisory_call *call)
{
	CLEANUP(clear_result) PGresult *named = NULL;
	struct arguments args;
	int r;

	arguments_set(&args, "s", call->id);
	r = link_ask(link, &named,
		     "SELECT package::text FROM advisory_package WHERE advisory = $1", &args);
	for (int row = 0; r >= 0 && row < PQntuples(named); row++) {
		const char *name = column_text(named, row, 0);
		size_t i;

		for (i = 0; i < call->n && strcmp(call->packages[i], name) != 0; i++)
			;
		if (i == call->n)
			r = link_run(link,
				     "DELETE FROM advisory_package WHERE advisory = $1"
				     " AND package = $2",
				     "ss", call->id, name);
	}
	return r;
}

static int put_advisory(struct link *link, void *ctx)
{
	const struct advisory_call *call = ctx;
	CLEANUP(strbuf_release) struct strbuf synced = STRBUF_INIT(64);
	int r = unname_others(link, call);

	clock_format(call->put->synced, &synced);
	if (r >= 0)
		r = link_run(link,
			     "INSERT INTO advisory (id, osv, synced) VALUES ($1, $2, $3)"
			     " ON CONFLICT (id) DO UPDATE SET osv = excluded.osv,"
			     " synced = excluded.synced",
			     "sss", call->id, call->put->osv, synced.buf);
	for (size_t i = 0; r >= 0 && i < call->n; i++)
		r = link_run(link,
			     "INSERT INTO advisory_package (advisory, package) VALUES ($1, $2)"
			     " ON CONFLICT DO NOTHING",
			     "ss", call->id, call->packages[i]);
	return r < 0 ? r : 0;
}

int postgresql_put_advisory(struct db *base, const struct advisory *a, char *const *packages,
			    size_t n)
{
	struct advisory_call call = { .id = a->id, .put = a, .packages = packages, .n = n };

	if (memchr(a->osv, '\0', a->osv_len))
		return fail(-EINVAL, "the advisory %s has a NUL byte, which PostgreSQL cannot keep",
			    a->id);
	return postgresql_call((struct postgresql *)base, CALL_INTAKE, "write", put_advisory,
			       &call);
}

static int remove_advisory(struct link *link, void *ctx)
{
	const struct advisory_call *call = ctx;
	int r = link_run(link, "DELETE FROM advisory WHERE id = $1", "s", call->id);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	r = link_run(link, "DELETE FROM advisory_package WHERE advisory = $1", "s", call->id);
	return r < 0 ? r : 0;
}

int postgresql_remove_advisory(struct db *base, const char *id)
{
	struct advisory_call call = { .id = id };

	return postgresql_call((struct postgresql *)base, CALL_INTAKE, "write", remove_advisory,
			       &call);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_state.c - what was exported of each package, and so what there is to do. */
#include "sqlite.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define QUERY_MAX 65536

/* What clients are to be kept from. */
#define URGENT                                                                                     \
	"p.moderated OR p.deleted"                                                                 \
	" OR EXISTS (SELECT 1 FROM package_version v WHERE v.package = c.package"                  \
	" AND (v.moderated OR v.deleted OR v.retracted))"                                          \
	" OR EXISTS (SELECT 1 FROM advisory_package a WHERE a.package = c.package)"

/* Parameters: 1 the store, 2 the renderer, then the prefixes. One walk over package_change in its
 * order, with a look-up by key for the package and for each prefix. */
void sqlite_work_query(size_t n_prefixes, bool pending, struct strbuf *out)
{
	strbuf_addstr(out, "SELECT c.package, c.change, p.name IS NOT NULL, " URGENT ", ?2");
	for (size_t i = 0; i < n_prefixes; i++)
		strbuf_addf(out,
			    ", s%zu.change, s%zu.renderer, s%zu.seen, s%zu.attempts,"
			    " s%zu.last_error",
			    i, i, i, i, i);
	strbuf_addstr(out, " FROM package_change c LEFT JOIN package p ON p.name = c.package");
	for (size_t i = 0; i < n_prefixes; i++)
		strbuf_addf(out,
			    " LEFT JOIN export_state s%zu ON s%zu.store = ?1"
			    " AND s%zu.prefix = ?%zu AND s%zu.package = c.package",
			    i, i, i, i + 3, i);
	for (size_t i = 0; pending && i < n_prefixes; i++)
		strbuf_addf(out, " %s s%zu.change IS NOT c.change OR s%zu.renderer IS NOT ?2",
			    i ? "OR" : "WHERE", i, i);
	strbuf_addstr(out, " ORDER BY c.package");
}

static char *copy_column(sqlite3_stmt *stmt, int column)
{
	return xstrdup_or_null((const char *)sqlite3_column_text(stmt, column));
}

#define STATE_FIRST   5 /* column of the first prefix's change */
#define STATE_COLUMNS 5

static void read_state(sqlite3_stmt *stmt, int first, struct export_state *state)
{
	state->change = copy_column(stmt, first);
	state->renderer = copy_column(stmt, first + 1);
	if (sqlite3_column_bytes(stmt, first + 2) == SHA256_SIZE)
		memcpy(state->seen, sqlite3_column_blob(stmt, first + 2), SHA256_SIZE);
	state->attempts = (unsigned)sqlite3_column_int(stmt, first + 3);
	state->last_error = copy_column(stmt, first + 4);
}

static int call_for_row(sqlite3_stmt *stmt, struct export_state *states, size_t n, work_fn *fn,
			void *ctx)
{
	struct work work = {
		.package = statement_package(stmt, 0),
		.change = (const char *)sqlite3_column_text(stmt, 1),
		.exists = sqlite3_column_int(stmt, 2),
		.urgent = sqlite3_column_int(stmt, 3),
		.states = states,
	};
	int r;

	if (!work.package)
		return 0;
	for (size_t i = 0; i < n; i++)
		read_state(stmt, STATE_FIRST + STATE_COLUMNS * (int)i, &states[i]);
	r = fn(ctx, &work);
	for (size_t i = 0; i < n; i++)
		export_state_release(&states[i]);
	return r;
}

static int bind_work(sqlite3_stmt *stmt, const char *store, const char *renderer,
		     const char *const *prefixes, size_t n)
{
	int code = sqlite3_bind_text(stmt, 1, store, -1, SQLITE_STATIC);

	if (!code)
		code = sqlite3_bind_text(stmt, 2, renderer, -1, SQLITE_STATIC);
	for (size_t i = 0; !code && i < n; i++)
		code = sqlite3_bind_text(stmt, (int)i + 3, prefixes[i], -1, SQLITE_STATIC);
	return code;
}

static void finalize(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}

static int work(struct sqlite *db, const char *store, const char *const *prefixes, size_t n,
		const char *renderer, work_fn *fn, void *ctx)
{
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(QUERY_MAX);
	CLEANUP(finalize) sqlite3_stmt *stmt = NULL;
	struct export_state *states;
	int r;

	sqlite_work_query(n, renderer, &sql);
	assert(!strbuf_error(&sql));
	if (sqlite3_prepare_v2(db->handle, sql.buf, -1, &stmt, NULL) ||
	    bind_work(stmt, store, renderer, prefixes, n))
		return sqlite_fail(db, "read");
	states = xcalloc(n, sizeof(*states));
	while ((r = statement_step(db, stmt)) > 0) {
		r = call_for_row(stmt, states, n, fn, ctx);
		if (r)
			break;
	}
	free(states);
	return r;
}

int sqlite_work(struct db *base, const char *store, const char *const *prefixes, size_t n,
		const char *renderer, work_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = work(db, store, prefixes, n, renderer, fn, ctx);
	pthread_mutex_unlock(&db->lock);
	return r;
}

static int record(struct sqlite *db, const char *store, const struct export_record *rec)
{
	const struct export_state *state = &rec->state;

	if (state->last_error)
		return statement_run(db, RECORD_FAILURE, "ssss", store, rec->prefix, rec->package,
				     state->last_error);
	assert(state->change && state->renderer);
	return statement_run(db, RECORD_EXPORT, "sssssb", store, rec->prefix, rec->package,
			     state->change, state->renderer, state->seen);
}

int sqlite_record(struct db *base, const char *store, const struct export_record *records, size_t n)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < n; i++)
		r = record(db, store, &records[i]);
	return sqlite_leave(db, r);
}

static int state(struct sqlite *db, const char *store, const char *prefix, const char *package,
		 struct export_state *ret)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_STATE, &stmt, "sss", store, prefix, package);

	if (!r)
		r = statement_step(db, stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	*ret = (struct export_state){ .change = NULL };
	read_state(stmt, 0, ret);
	return 0;
}

int sqlite_state(struct db *base, const char *store, const char *prefix, const char *package,
		 struct export_state *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = state(db, store, prefix, package, ret);
	pthread_mutex_unlock(&db->lock);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_state.c - what was exported of each package, and so what there is to do. */
#include "postgresql.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define QUERY_MAX  65536
#define SETTLE_MAX 100000	   /* events at a time */
#define SLICE	   (50 * 1000LL)   /* what a wait takes to see that it is to stop */

/* The columns of a row of work; those of each prefix's state follow. */
enum work_column {
	WORK_PACKAGE,
	WORK_CHANGE,
	WORK_TAKEN_DOWN, /* null: there is no row of the package */
	WORK_URGENT,
	WORK_STATES,
};
enum state_column { STATE_CHANGE, STATE_RENDERER, STATE_SEEN, STATE_ATTEMPTS, STATE_ERROR };
#define STATE_COLUMNS 5

/* What clients are to be kept from. A query for the first row of each kind is asked of an index,
 * where EXISTS could read the whole table once. */
#define TAKEN_DOWN "(SELECT p.moderated OR p.deleted FROM package p WHERE p.name = c.package)"
#define URGENT                                                                                     \
	"coalesce((SELECT true FROM package_version v WHERE v.package = c.package"                 \
	" AND (v.moderated OR v.deleted OR v.retracted) LIMIT 1),"                                 \
	" (SELECT true FROM advisory_package a WHERE a.package = c.package LIMIT 1), false)"

/* Parameters: 1 the store, then the prefixes, then - where it is pending - the renderer. */
void postgresql_work_query(size_t n_prefixes, bool pending, struct strbuf *out)
{
	strbuf_addstr(out, "SELECT c.package, c.change, " TAKEN_DOWN ", " URGENT);
	for (size_t i = 0; i < n_prefixes; i++)
		strbuf_addf(out,
			    ", s%zu.change, s%zu.renderer, encode(s%zu.seen, 'hex'),"
			    " s%zu.attempts, s%zu.last_error",
			    i, i, i, i, i);
	strbuf_addstr(out, " FROM package_change c");
	for (size_t i = 0; i < n_prefixes; i++)
		strbuf_addf(out,
			    " LEFT JOIN export_state s%zu ON s%zu.store = $1"
			    " AND s%zu.prefix = $%zu AND s%zu.package = c.package",
			    i, i, i, i + 2, i);
	for (size_t i = 0; pending && i < n_prefixes; i++)
		strbuf_addf(out,
			    " %s s%zu.change IS DISTINCT FROM c.change"
			    " OR s%zu.renderer IS DISTINCT FROM $%zu",
			    i ? "OR" : "WHERE", i, i, n_prefixes + 2);
	strbuf_addstr(out, " ORDER BY c.package");
}

static void read_state(const PGresult *row, int first, struct export_state *state)
{
	const char *seen = column_text(row, 0, first + STATE_SEEN);

	state->change = xstrdup_or_null(column_text(row, 0, first + STATE_CHANGE));
	state->renderer = xstrdup_or_null(column_text(row, 0, first + STATE_RENDERER));
	if (!seen || hex_decode(seen, state->seen, SHA256_SIZE) < 0)
		memset(state->seen, 0, SHA256_SIZE);
	state->attempts = (unsigned)column_number(row, 0, first + STATE_ATTEMPTS);
	state->last_error = xstrdup_or_null(column_text(row, 0, first + STATE_ERROR));
}

struct work_call {
	const char *sql;
	const struct arguments *args;
	struct export_state *states;
	size_t n;
	work_fn *fn;
	void *ctx;
};

static int call_for_work(void *ctx, const PGresult *row)
{
	struct work_call *call = ctx;
	struct work work = {
		.package = column_text(row, 0, WORK_PACKAGE),
		.change = column_text(row, 0, WORK_CHANGE),
		.exists = column_text(row, 0, WORK_TAKEN_DOWN) != NULL,
		.urgent = column_flag(row, 0, WORK_TAKEN_DOWN) || column_flag(row, 0, WORK_URGENT),
		.states = call->states,
	};
	int r;

	for (size_t i = 0; i < call->n; i++)
		read_state(row, WORK_STATES + STATE_COLUMNS * (int)i, &call->states[i]);
	r = call->fn(call->ctx, &work);
	for (size_t i = 0; i < call->n; i++)
		export_state_release(&call->states[i]);
	return r;
}

/* A registry's own tables are looked at, where all that there is is asked for. */
static int scan_all(struct postgresql *db)
{
	uint64_t found;

	return db->foreign ? postgresql_scan(&db->db, INT64_MAX, &found) : 0;
}

static int settle(struct link *link, void *ctx)
{
	int r = link_run(link, "SELECT settle($1)", "i", SETTLE_MAX);

	(void)ctx;
	return r < 0 ? r : 0;
}

static int read_work(struct link *link, void *ctx)
{
	struct work_call *call = ctx;

	return link_each(link, call->sql, call->args, call_for_work, call);
}

int postgresql_work(struct db *base, const char *store, const char *const *prefixes, size_t n,
		    const char *renderer, work_fn *fn, void *ctx)
{
	struct postgresql *db = (struct postgresql *)base;
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(QUERY_MAX);
	struct arguments args = { .n = 0 };
	struct work_call call = { .args = &args, .n = n, .fn = fn, .ctx = ctx };
	int r;

	argument_text(&args, store);
	for (size_t i = 0; i < n; i++)
		argument_text(&args, prefixes[i]);
	if (renderer)
		argument_text(&args, renderer);
	postgresql_work_query(n, renderer, &sql);
	assert(!strbuf_error(&sql));
	call.sql = sql.buf;
	call.states = xcalloc(n, sizeof(*call.states));
	r = renderer ? 0 : scan_all(db);
	if (r == 0)
		r = postgresql_call(db, CALL_ONE, "write", settle, NULL);
	if (r == 0)
		r = postgresql_call(db, CALL_ONE, "read", read_work, &call);
	free(call.states);
	return r;
}

struct record_call {
	const char *store;
	const struct export_record *records;
	size_t n;
	int64_t *attempts; /* what the first try made of those of each record; 0: nothing yet */
};

/* A try whose commit was made, though nobody heard of it, is repeated, and must not count twice. */
static int record_failure(struct link *link, const char *store, const struct export_record *rec,
			  int64_t *attempts)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct arguments args;
	int r;

	arguments_set(&args, "ssssd", store, rec->prefix, rec->package, rec->state.last_error,
		      *attempts);
	r = link_ask(link, &result,
		     "INSERT INTO export_state AS e (store, prefix, package, attempts, last_error)"
		     " VALUES ($1, $2, $3, 1, $4) ON CONFLICT (store, prefix, package) DO UPDATE"
		     " SET attempts = CASE $5::int WHEN 0 THEN e.attempts + 1"
		     " ELSE greatest(e.attempts, $5::int) END, last_error = excluded.last_error"
		     " RETURNING attempts",
		     &args);
	if (r == 0)
		*attempts = column_number(result, 0, 0);
	return r;
}

static int record_success(struct link *link, const char *store, const struct export_record *rec)
{
	const struct export_state *state = &rec->state;

	assert(state->change && state->renderer);
	return link_run(link,
			"INSERT INTO export_state (store, prefix, package, change, renderer, seen)"
			" VALUES ($1, $2, $3, $4, $5, $6)"
			" ON CONFLICT (store, prefix, package) DO UPDATE SET"
			" change = excluded.change, renderer = excluded.renderer,"
			" seen = excluded.seen, attempts = 0, last_error = NULL",
			"sssssb", store, rec->prefix, rec->package, state->change, state->renderer,
			state->seen);
}

static int record(struct link *link, void *ctx)
{
	const struct record_call *call = ctx;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < call->n; i++)
		r = call->records[i].state.last_error
			    ? record_failure(link, call->store, &call->records[i],
					     &call->attempts[i])
			    : record_success(link, call->store, &call->records[i]);
	return r < 0 ? r : 0;
}

int postgresql_record(struct db *base, const char *store, const struct export_record *records,
		      size_t n)
{
	struct record_call call = { .store = store, .records = records, .n = n };
	int r;

	call.attempts = xcalloc(n, sizeof(*call.attempts));
	r = postgresql_call((struct postgresql *)base, CALL_WRITE, "write", record, &call);
	free(call.attempts);
	return r;
}

struct state_call {
	const struct arguments *args;
	struct export_state *ret;
};

static int find_state(struct link *link, void *ctx)
{
	struct state_call *call = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result,
			 "SELECT change, renderer, encode(seen, 'hex'), attempts, last_error"
			 " FROM export_state WHERE store = $1 AND prefix = $2 AND package = $3",
			 call->args);

	if (r < 0)
		return r;
	if (!PQntuples(result))
		return -ENOENT;
	read_state(result, 0, call->ret);
	return 0;
}

int postgresql_state(struct db *base, const char *store, const char *prefix, const char *package,
		     struct export_state *ret)
{
	struct arguments args;
	struct state_call call = { .args = &args, .ret = ret };

	arguments_set(&args, "sss", store, prefix, package);
	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", find_state, &call);
}

struct renderer_call {
	const char *store;
	renderer_fn *fn;
	void *ctx;
};

static int call_for_renderer(void *ctx, const PGresult *row)
{
	struct renderer_call *call = ctx;

	return call->fn(call->ctx, column_text(row, 0, 0), column_text(row, 0, 1));
}

static int read_renderers(struct link *link, void *ctx)
{
	struct renderer_call *call = ctx;
	struct arguments args;

	arguments_set(&args, "s", call->store);
	return link_each(link,
			 "SELECT DISTINCT prefix, renderer FROM export_state"
			 " WHERE store = $1 AND renderer IS NOT NULL"
			 " AND package IN (SELECT name::text FROM package) ORDER BY 1, 2",
			 &args, call_for_renderer, call);
}

int postgresql_renderers(struct db *base, const char *store, renderer_fn *fn, void *ctx)
{
	struct renderer_call call = { .store = store, .fn = fn, .ctx = ctx };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_renderers, &call);
}

/* How many changes there ever were. */
static int read_changed(struct link *link, void *ctx)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result,
			 "SELECT (SELECT total FROM settled) + (SELECT count(*) FROM package_event)"
			 " + (SELECT count(*) FROM advisory_event)",
			 NULL);

	if (r == 0)
		*(uint64_t *)ctx = (uint64_t)column_number(result, 0, 0);
	return r;
}

int postgresql_changed(struct db *base, uint64_t *ret)
{
	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_changed, ret);
}

/* A connection that is told of changes. NULL: there is none now, and changes are asked for. */
static PGconn *take_listener(struct postgresql *db)
{
	struct link link = { .db = db };
	CLEANUP(strbuf_release) struct strbuf listen = STRBUF_INIT(1024);
	PGconn *conn = NULL;
	char *name;

	pthread_mutex_lock(&db->lock);
	if (db->n_listeners)
		conn = db->listeners[--db->n_listeners];
	pthread_mutex_unlock(&db->lock);
	if (conn)
		return conn;
	if (postgresql_connect(&link) == 0) {
		name = PQescapeIdentifier(link.conn, db->schema, strlen(db->schema));
		strbuf_addf(&listen, "LISTEN %s", name);
		PQfreemem(name);
		if (link_run(&link, listen.buf, "") >= 0)
			conn = steal(link.conn);
	}
	if (link.why)
		log_debug("the database %s gives no notice: %s", db->db.url, link.why);
	free(link.why);
	PQfinish(link.conn);
	return conn;
}

static void give_listener_back(struct postgresql *db, PGconn *conn)
{
	pthread_mutex_lock(&db->lock);
	if (db->n_listeners < LISTENERS_MAX && PQstatus(conn) == CONNECTION_OK)
		db->listeners[db->n_listeners++] = steal(conn);
	pthread_mutex_unlock(&db->lock);
	PQfinish(conn);
}

/* True: a notice came, or the connection that would have brought it is lost. */
static bool sleep_or_hear(PGconn *conn, int64_t us)
{
	struct pollfd fd = { .fd = conn ? PQsocket(conn) : -1, .events = POLLIN };
	PGnotify *notice;
	bool heard = false;

	if (poll(&fd, 1, (int)(us / 1000) + 1) <= 0)
		return false;
	if (!PQconsumeInput(conn))
		return true;
	while ((notice = PQnotifies(conn))) {
		PQfreemem(notice);
		heard = true;
	}
	return heard;
}

static int wait_for_change(struct db *base, PGconn *listener, int64_t until,
			   const atomic_bool *stop, uint64_t *seen)
{
	for (;;) {
		int64_t now = clock_monotonic(), ask_at = now + ((struct postgresql *)base)->poll;
		uint64_t changed;
		int r = postgresql_changed(base, &changed);

		if (r < 0)
			return r;
		if (changed != *seen) {
			*seen = changed;
			return 1;
		}
		do {
			if ((stop && atomic_load(stop)) || now >= until)
				return 0;
			if (sleep_or_hear(listener, until - now < SLICE ? until - now : SLICE))
				break;
			now = clock_monotonic();
		} while (now < ask_at);
		if (listener && PQstatus(listener) != CONNECTION_OK)
			listener = NULL; /* the caller ends it */
	}
}

/* Of a thread that waits: what it asked before, and whether it is to stop. */
struct waiting {
	struct interrupt before;
	const atomic_bool *stop;
};

static bool is_over(void *ctx)
{
	const struct waiting *w = ctx;

	return atomic_load(w->stop) || (w->before.asked && w->before.asked(w->before.ctx));
}

int postgresql_wait(struct db *base, int64_t timeout, const atomic_bool *stop, uint64_t *seen)
{
	struct postgresql *db = (struct postgresql *)base;
	struct waiting waiting = { interrupt_get(), stop };
	int64_t until = clock_monotonic() + timeout;
	PGconn *listener;
	int r;

	if (stop)
		interrupt_set(is_over, &waiting);
	listener = take_listener(db);
	r = wait_for_change(base, listener, until, stop, seen);
	give_listener_back(db, listener);
	interrupt_set(waiting.before.asked, waiting.before.ctx);
	return r == -ECANCELED && stop && atomic_load(stop) ? 0 : r;
}

struct scan_call {
	int64_t window;
	uint64_t found;
};

static int scan(struct link *link, void *ctx)
{
	struct scan_call *call = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	struct arguments args;
	int r;

	arguments_set(&args, "d", call->window);
	r = link_ask(link, &result, "SELECT scan($1)", &args);
	if (r == 0)
		call->found = (uint64_t)column_number(result, 0, 0);
	return r;
}

int postgresql_scan(struct db *base, int64_t window, uint64_t *ret_found)
{
	struct postgresql *db = (struct postgresql *)base;
	struct scan_call call = { .window = window };
	int r = db->foreign ? postgresql_call(db, CALL_ONE, "read", scan, &call) : 0;

	if (r == 0)
		*ret_found = call.found;
	return r;
}

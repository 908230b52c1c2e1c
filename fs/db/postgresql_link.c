/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * postgresql_link.c - connections to PostgreSQL: a small pool, calls on them, and what is lost.
 *
 * 1. A thread has a connection for the length of a call; up to LINKS_MAX threads call at a time,
 *    the others wait. Nothing of the database is locked while a thread waits for a connection.
 * 2. db_begin() keeps one to the end of its transaction. Its thread's calls join that transaction,
 *    and those of other threads take other connections.
 * 3. A connection that was lost takes the idle ones with it: they are to the same server, and the
 *    next one is made to the server that is there now, which after a failover may be another.
 * 4. A statement that waits for another one to end is ended by the server after a minute, unless
 *    the URL or the role says otherwise.
 * 5. When the program is to end (db.h, `cancel`), or nobody waits for this thread's call any more
 *    (interrupt.h), what the server answers at once is still done; nothing is repeated, and a
 *    server that does not answer is left.
 * 6. Nothing waits within libpq: a connection does not block, and no statement is cancelled, since
 *    PQcancel() waits for the server's answer.
 * 7. Where a caller of link_each() has seen enough, the connection is closed with the rest of its
 *    rows, which ends the statement; that of db_begin() is kept, and they are read and thrown away.
 */
#include "postgresql.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "rows.h"
#include "strbuf.h"

#define PAUSE_MIN (50 * 1000LL)
#define PAUSE_MAX (5 * SECOND_US)
#define SLICE	  (50 * 1000LL) /* how soon it is seen that the program is to end */
#define GRACE	  SECOND_US	/* what a server that answers has then for each answer */
#define WHY_MAX	  4096
#define IDLE_TIMEOUT "idle_in_transaction_session_timeout"

/* Ours among all advisory locks of a database: "pubf", and the schema. */
#define INTAKE_LOCK                                                                                \
	"SELECT pg_advisory_xact_lock(1886741094, hashtext(current_schema()))"

/* By the beginning of an SQLSTATE. */
static const struct {
	const char *state;
	int error;
	const char *hint;
} meanings[] = {
	{ "08", -EAGAIN, "" },	  /* the connection */
	{ "57P0", -EAGAIN, "" },  /* the server ends, or begins */
	{ "53300", -EAGAIN, "" }, /* too many connections */
	{ "40001", -EAGAIN, "" }, /* could not be put in a row with others */
	{ "40P01", -EAGAIN, "" }, /* deadlock */
	{ "25006", -EACCES, "; pubfs keeps there what it has exported" },
	{ "42501", -EACCES, "; pubfs(1), POSTGRESQL, has the rights that are needed" },
	{ "42P01", -EIO, "; `pubfs check` names what is missing" },
	{ "42703", -EIO, "; `pubfs check` names what is missing" },
	{ "42883", -EIO, "; `pubfs check` names what is missing" },
	{ "55P03", -EIO, "; another program has kept it locked" },
	{ "57014", -EIO, "; another program may have kept it locked" },
	{ "22", -EINVAL, "" },
	{ "23", -EINVAL, "" },
	{ "54", -E2BIG, "" },
};

void link_set_why(struct link *link, const char *said, const char *hint)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(WHY_MAX);

	while (*said) {
		size_t n = strcspn(said, "\n");

		if (n && *said != '\t') {
			strbuf_addstr(&text, text.len ? "; " : "");
			strbuf_add(&text, said, n);
		}
		said += n + (said[n] == '\n');
	}
	strbuf_addstr(&text, hint);
	free(link->why);
	link->why = xstrdup(text.buf);
}

static const char *state_of(const PGresult *result)
{
	return result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
}

/* What went wrong with a statement; result NULL: all that is known is of the connection. */
static int failed(struct link *link, const PGresult *result)
{
	const char *state = state_of(result);
	const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	CLEANUP(free_char) char *lost = NULL;

	for (size_t i = 0; state && i < ARRAY_SIZE(meanings); i++)
		if (!strncmp(state, meanings[i].state, strlen(meanings[i].state))) {
			link_set_why(link, text ? text : state, meanings[i].hint);
			return meanings[i].error;
		}
	lost = xstrdup(PQerrorMessage(link->conn));
	lost[strcspn(lost, "\n")] = '\0'; /* what follows from it follows it */
	link_set_why(link, text ? text : lost, "");
	return PQstatus(link->conn) == CONNECTION_OK && state ? -EIO : -EAGAIN;
}

void argument_text(struct arguments *args, const char *text)
{
	assert(args->n < ARGUMENTS_MAX);
	args->formats[args->n] = 0;
	args->values[args->n++] = text;
}

void argument_number(struct arguments *args, int64_t number)
{
	char *text = args->numbers[args->n];

	snprintf(text, sizeof(args->numbers[0]), "%lld", (long long)number);
	argument_text(args, text);
}

static void argument_digest(struct arguments *args, const void *bytes)
{
	args->lengths[args->n] = SHA256_SIZE;
	argument_text(args, bytes);
	args->formats[args->n - 1] = 1;
}

static void set_arguments(struct arguments *args, const char *types, va_list ap)
{
	args->n = 0;
	for (; *types; types++)
		switch (*types) {
		case 's':
			argument_text(args, va_arg(ap, const char *));
			break;
		case 'b':
			argument_digest(args, va_arg(ap, const void *));
			break;
		case 'd':
			argument_number(args, va_arg(ap, int64_t));
			break;
		default:
			assert(*types == 'i');
			argument_number(args, va_arg(ap, int));
		}
}

void arguments_set(struct arguments *args, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	set_arguments(args, types, ap);
	va_end(ap);
}

void clear_result(PGresult **result)
{
	PQclear(*result);
}

static bool is_cancelled(const struct postgresql *db)
{
	return (db->db.cancel && atomic_load(db->db.cancel)) || interrupt_asked();
}

int link_poll(const struct link *link, short events, int64_t *grace)
{
	struct pollfd fd = { .fd = PQsocket(link->conn), .events = events };

	if (*grace == INT64_MAX && is_cancelled(link->db))
		*grace = clock_monotonic() + GRACE;
	if (clock_monotonic() > *grace)
		return -ECANCELED;
	return poll(&fd, 1, SLICE / 1000) > 0;
}

/* Until PQgetResult() answers without waiting, by the connection's loss, too. */
static int wait_for_result(struct link *link)
{
	int64_t grace = INT64_MAX;

	while (PQisBusy(link->conn)) {
		int r = link_poll(link, POLLIN, &grace);

		if (r < 0)
			return r;
		if (r > 0 && !PQconsumeInput(link->conn))
			return 0;
	}
	return 0;
}

/* The connection does not block: what the server does not take at once is handed over here. */
static int send_statement(struct link *link, const char *sql, const struct arguments *args)
{
	int64_t grace = INT64_MAX;
	int left, r;

	if (!PQsendQueryParams(link->conn, sql, args ? args->n : 0, NULL,
			       args ? args->values : NULL, args ? args->lengths : NULL,
			       args ? args->formats : NULL, 0))
		return failed(link, NULL);
	while ((left = PQflush(link->conn)) > 0) {
		r = link_poll(link, POLLIN | POLLOUT, &grace);
		if (r < 0)
			return r;
		if (!PQconsumeInput(link->conn))
			return failed(link, NULL);
	}
	return left < 0 ? failed(link, NULL) : 0;
}

/* The last of its results, or what the server said when it ended the connection. */
static int receive(struct link *link, PGresult **ret)
{
	PGresult *result, *last = NULL;
	int r;

	while (!(r = wait_for_result(link)) && (result = PQgetResult(link->conn))) {
		if (state_of(last)) {
			PQclear(result);
			continue;
		}
		PQclear(last);
		last = result;
	}
	if (r < 0)
		PQclear(last);
	else
		*ret = last;
	return r;
}

int link_ask(struct link *link, PGresult **ret, const char *sql, const struct arguments *args)
{
	PGresult *result = NULL;
	ExecStatusType status;
	int r = send_statement(link, sql, args);

	if (r == 0)
		r = receive(link, &result);
	if (r < 0)
		return r;
	status = PQresultStatus(result);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		*ret = result;
		return 0;
	}
	r = failed(link, result);
	PQclear(result);
	return r;
}

int link_run(struct link *link, const char *sql, const char *types, ...)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct arguments args;
	va_list ap;
	int r;

	va_start(ap, types);
	set_arguments(&args, types, ap);
	va_end(ap);
	r = link_ask(link, &result, sql, &args);
	return r < 0 ? r : atoi(PQcmdTuples(result));
}

static bool is_writer(struct postgresql *db)
{
	bool is;

	pthread_mutex_lock(&db->lock);
	is = db->writing && pthread_equal(db->writer, pthread_self());
	pthread_mutex_unlock(&db->lock);
	return is;
}

int link_each(struct link *link, const char *sql, const struct arguments *args, row_fn *fn,
	      void *ctx)
{
	PGresult *result;
	bool ended = false;
	int r = send_statement(link, sql, args), waited;

	if (r < 0)
		return r;
	if (!PQsetSingleRowMode(link->conn))
		return failed(link, NULL);
	while (!(waited = wait_for_result(link)) && (result = PQgetResult(link->conn))) {
		ExecStatusType status = PQresultStatus(result);

		if (status == PGRES_SINGLE_TUPLE && !ended) {
			link->seen = true;
			r = fn(ctx, result);
			ended = r != 0;
			if (ended && !is_writer(link->db)) {
				PQclear(result);
				return r; /* and the connection is given up (7) */
			}
		} else if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && !ended) {
			r = failed(link, result);
			ended = true;
		}
		PQclear(result);
	}
	return waited < 0 && !ended ? waited : r;
}

const char *column_text(const PGresult *result, int row, int column)
{
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

int64_t column_number(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

bool column_flag(const PGresult *result, int row, int column)
{
	return *PQgetvalue(result, row, column) == 't';
}

void read_result_cells(const PGresult *result, int row, size_t n, struct cell *cells)
{
	for (size_t i = 0; i < n; i++) {
		cells[i].column = PQfname(result, (int)i);
		cells[i].text = column_text(result, row, (int)i);
		cells[i].n = (size_t)PQgetlength(result, row, (int)i);
	}
}

void postgresql_close_links(struct postgresql *db)
{
	PGconn *idle[LINKS_MAX], *listeners[LISTENERS_MAX];
	size_t n, n_listeners;

	pthread_mutex_lock(&db->lock);
	n = db->n_idle;
	n_listeners = db->n_listeners;
	memcpy(idle, db->idle, sizeof(idle));
	memcpy(listeners, db->listeners, sizeof(listeners));
	db->n_open -= n;
	db->n_idle = db->n_listeners = 0;
	pthread_mutex_unlock(&db->lock);
	for (size_t i = 0; i < n; i++)
		PQfinish(idle[i]);
	for (size_t i = 0; i < n_listeners; i++)
		PQfinish(listeners[i]);
}

static int take(struct link *link)
{
	struct postgresql *db = link->db;

	pthread_mutex_lock(&db->lock);
	while (!db->n_idle && db->n_open == LINKS_MAX)
		pthread_cond_wait(&db->freed, &db->lock);
	if (db->n_idle)
		link->conn = db->idle[--db->n_idle];
	else
		db->n_open++;
	pthread_mutex_unlock(&db->lock);
	return link->conn ? 0 : postgresql_connect(link);
}

static void give_back(struct link *link)
{
	struct postgresql *db = link->db;
	bool lost = PQstatus(link->conn) != CONNECTION_OK;
	bool usable = !lost && PQtransactionStatus(link->conn) == PQTRANS_IDLE;

	if (!link->conn)
		return; /* it is db_begin()'s now */
	if (lost)
		postgresql_close_links(db);
	pthread_mutex_lock(&db->lock);
	if (usable)
		db->idle[db->n_idle++] = link->conn;
	else
		db->n_open--;
	pthread_cond_signal(&db->freed);
	pthread_mutex_unlock(&db->lock);
	if (!usable)
		PQfinish(link->conn);
	link->conn = NULL;
}

static int enter(struct link *link, enum call how)
{
	static const char *const words[] = {
		[CALL_SNAPSHOT] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		[CALL_WRITE] = "BEGIN",
		[CALL_INTAKE] = "BEGIN",
	};
	int r = how == CALL_ONE ? 0 : link_run(link, words[how], "");

	if (r >= 0 && how == CALL_INTAKE)
		r = link_run(link, INTAKE_LOCK, "");
	return r < 0 ? r : 0;
}

/* The server answers a commit of what had failed as if all were well. */
static int commit(struct link *link, bool once)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result, "COMMIT", NULL);

	if (r == -EAGAIN && once && PQstatus(link->conn) != CONNECTION_OK) {
		link_set_why(link, link->why, " (it may have been made)");
		return -EIO;
	}
	if (r == 0 && strcmp(PQcmdStatus(result), "COMMIT") != 0) {
		link_set_why(link, "the transaction was undone", "");
		return -EIO;
	}
	return r;
}

/* What is said of the failure before it stays. */
static void undo(struct link *link)
{
	CLEANUP(clear_result) PGresult *result = NULL;

	if (PQsendQuery(link->conn, "ROLLBACK") && receive(link, &result) < 0)
		log_debug("the database %s is left in a transaction", link->db->db.url);
}

static int run(struct link *link, enum call how, link_fn *fn, void *ctx)
{
	int r = enter(link, how), end;

	if (r == 0)
		r = fn(link, ctx);
	if (how == CALL_ONE || PQtransactionStatus(link->conn) == PQTRANS_ACTIVE)
		return r;
	if (r >= 0) {
		end = commit(link, how == CALL_INTAKE);
		return end < 0 ? end : r;
	}
	if (r != -ECANCELED && PQtransactionStatus(link->conn) != PQTRANS_IDLE)
		undo(link);
	return r;
}

static int say(struct link *link, int r, const char *doing)
{
	if (r < 0 && r != -ECANCELED && link->why)
		r = fail(r == -EAGAIN ? -EIO : r, "cannot %s the database %s: %s", doing,
			 link->db->db.url, link->why);
	free(link->why);
	link->why = NULL;
	return r;
}

static int join_transaction(struct postgresql *db, const char *doing, link_fn *fn, void *ctx)
{
	struct link link = { .db = db, .conn = db->transaction };

	return say(&link, fn(&link, ctx), doing);
}

/* False: the program is to end. */
static bool pause_for(const struct postgresql *db, int64_t us)
{
	/* of several hosts that lost the same server, not all at once */
	int64_t until = clock_monotonic() + us / 2 + arc4random_uniform((uint32_t)(us / 2)), left;

	while (!is_cancelled(db) && (left = until - clock_monotonic()) > 0) {
		const struct timespec nap = { .tv_nsec = (left < SLICE ? left : SLICE) * 1000 };

		nanosleep(&nap, NULL);
	}
	return !is_cancelled(db);
}

int postgresql_call(struct postgresql *db, enum call how, const char *doing, link_fn *fn,
		    void *ctx)
{
	struct link link = { .db = db };
	int64_t until = clock_monotonic() + db->patience, pause = PAUSE_MIN;
	int r;

	if (is_writer(db))
		return join_transaction(db, doing, fn, ctx);
	for (;;) {
		r = take(&link);
		if (r == 0)
			r = run(&link, how, fn, ctx);
		give_back(&link);
		if (r != -EAGAIN || link.seen || clock_monotonic() >= until)
			return say(&link, r, doing);
		log_debug("the database %s: %s; trying again", db->db.url, link.why);
		if (!pause_for(db, pause))
			return say(&link, -ECANCELED, doing);
		pause = 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
	}
}

static int keep_transaction(struct link *link, void *ctx)
{
	struct pg_conn **ret = ctx;
	int r = enter(link, CALL_INTAKE);

	/* what feeds it may be slow, such as a pipe; what the URL says stands */
	if (r == 0)
		r = link_run(link,
			     "SELECT set_config('" IDLE_TIMEOUT "', '1h', true)"
			     " WHERE current_setting('" IDLE_TIMEOUT "') = '1min'",
			     "");
	if (r < 0)
		return r;
	*ret = steal(link->conn);
	return 0;
}

int postgresql_begin(struct db *base)
{
	struct postgresql *db = (struct postgresql *)base;
	PGconn *conn = NULL;
	int r;

	pthread_mutex_lock(&db->turn);
	r = postgresql_call(db, CALL_ONE, "write", keep_transaction, &conn);
	if (r < 0) {
		pthread_mutex_unlock(&db->turn);
		return r;
	}
	pthread_mutex_lock(&db->lock);
	db->transaction = conn;
	db->writer = pthread_self();
	db->writing = true;
	pthread_mutex_unlock(&db->lock);
	return 0;
}

static void end_transaction(struct link *link)
{
	struct postgresql *db = link->db;

	pthread_mutex_lock(&db->lock);
	db->writing = false;
	db->transaction = NULL;
	pthread_mutex_unlock(&db->lock);
	give_back(link);
	pthread_mutex_unlock(&db->turn);
}

int postgresql_commit(struct db *base)
{
	struct postgresql *db = (struct postgresql *)base;
	struct link link = { .db = db, .conn = db->transaction };
	int r;

	assert(is_writer(db));
	r = commit(&link, true);
	end_transaction(&link);
	return say(&link, r, "write");
}

void postgresql_rollback(struct db *base)
{
	struct postgresql *db = (struct postgresql *)base;
	struct link link = { .db = db, .conn = db->transaction };

	assert(is_writer(db));
	undo(&link);
	end_transaction(&link);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* fixture_postgresql.c - the same as fixture.c on a database of its own in a private server. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "server.h"
#include "strbuf.h"

#define BOOL_OID 16 /* pg_type.dat */
#define TIME_OID 1184
#define WRITES	 "SET search_path = pubfs, public"
#define ASKS	 "SET search_path = seen, pubfs, public"

bool world_is_postgresql(void)
{
	return true;
}

static void ignore(void *unused, const char *text)
{
	(void)unused;
	(void)text;
}

struct pg_conn *raw_connect(const char *database)
{
	CLEANUP(free_char) char *info = xasprintf("%s dbname=%s", server_conninfo(), database);
	PGconn *conn = PQconnectdb(info);

	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	PQsetNoticeProcessor(conn, ignore, NULL);
	return conn;
}

static void must(PGconn *conn, const char *text)
{
	PGresult *result = PQexec(conn, text);
	ExecStatusType status = PQresultStatus(result);

	cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%.200s: %s", text,
		  PQerrorMessage(conn));
	PQclear(result);
}

void world_folder(struct world *w)
{
	CLEANUP(free_char) char *create = NULL;
	PGconn *conn;

	server_need();
	world_make_dir(w);
	w->path = xasprintf("test_%d", (int)getpid());
	w->url = server_url(w->path);
	create = xasprintf("CREATE DATABASE %s", w->path);
	conn = raw_connect("postgres");
	must(conn, create);
	PQfinish(conn);
}

void world_open(struct world *w)
{
	CLEANUP(strbuf_release) struct strbuf dialect = STRBUF_INIT(1 << 20);
	char buf[4096];
	FILE *f = fopen(DIALECT, "r");
	size_t n;

	world_folder(w);
	cr_assert_eq(db_open(w->url, DB_CREATE, &w->db), 0);
	w->conn = raw_connect(w->path);
	cr_assert_not_null(f, "%s", DIALECT);
	while ((n = fread(buf, 1, sizeof(buf), f)))
		strbuf_add(&dialect, buf, n);
	fclose(f);
	must(w->conn, dialect.buf);
	must(w->conn, "SET TimeZone = 'UTC'; " WRITES);
}

void world_close(struct world *w)
{
	CLEANUP(free_char) char *drop = NULL;
	PGconn *conn;

	if (!w->url) /* skipped */
		return;
	db_close(w->db);
	PQfinish(w->conn);
	drop = xasprintf("DROP DATABASE IF EXISTS %s WITH (FORCE)", w->path);
	conn = raw_connect("postgres");
	must(conn, drop);
	PQfinish(conn);
	rmdir(w->dir);
	free(w->path);
	free(w->url);
}

void sql(struct world *w, const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	va_list ap;

	va_start(ap, text);
	statement = statement_text(text, ap);
	va_end(ap);
	must(w->conn, statement);
}

bool sql_is_taken(struct world *w, const char *text)
{
	PGresult *result = PQexec(w->conn, text);
	bool taken = PQresultStatus(result) == PGRES_COMMAND_OK;

	PQclear(result);
	return taken;
}

const char *ask(struct world *w, const char *text, ...)
{
	static char answer[ANSWER_MAX];
	CLEANUP(free_char) char *statement = NULL;
	PGresult *result;
	va_list ap;

	va_start(ap, text);
	statement = statement_text(text, ap);
	va_end(ap);
	if (PQtransactionStatus(w->conn) == PQTRANS_INTRANS)
		must(w->conn, "SET CONSTRAINTS ALL IMMEDIATE");
	must(w->conn, ASKS);
	result = PQexec(w->conn, statement);
	cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s: %s", statement,
		     PQerrorMessage(w->conn));
	snprintf(answer, sizeof(answer), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	if (PQntuples(result) && PQftype(result, 0) == BOOL_OID)
		snprintf(answer, sizeof(answer), "%d", *PQgetvalue(result, 0, 0) == 't');
	if (PQntuples(result) && PQftype(result, 0) == TIME_OID) {
		CLEANUP(strbuf_release) struct strbuf iso = STRBUF_INIT(64);
		int64_t at;

		cr_assert_eq(clock_parse(answer, &at), 0, "%s", answer);
		clock_format(at, &iso);
		snprintf(answer, sizeof(answer), "%s", iso.buf);
	}
	PQclear(result);
	must(w->conn, WRITES);
	return answer;
}

void forget_moves(struct world *w)
{
	sql(w, "UPDATE package_event SET moved = NULL; UPDATE package_counter SET moved = NULL");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * postgresql_connect.c - makes a connection, without waiting in libpq.
 *
 * 1. Of several hosts the first is taken that answers and is what target_session_attrs says. One
 *    that is silent for connect_timeout is passed over, which libpq does where it waits itself.
 * 2. What waits here ends with the program (postgresql_link.c, 5). To ask for the address of a name
 *    is libpq's, and does not: getaddrinfo() takes as long as resolv.conf(5) has it, 10 seconds for
 *    each name server that is silent unless it says otherwise. An address in the URL asks nobody.
 * 3. What a server says that nobody asked for is in the log from the first byte on: libpq would
 *    print it.
 */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define WHYS_MAX 4096

/* The settings that may be a list, one for each host. */
static const char *const lists[] = { "host", "hostaddr", "port" };

static size_t count_parts(const char *list)
{
	size_t n = 1;

	for (; *list; list++)
		n += *list == ',';
	return n;
}

static char *list_part(const char *list, size_t i)
{
	char *part;

	for (; i; i--)
		list = strchr(list, ',') + 1;
	part = xstrdup(list);
	part[strcspn(part, ",")] = '\0';
	return part;
}

/* Lists that do not fit each other are handed over as they are, for libpq to refuse. */
static size_t count_hosts(const struct postgresql *db)
{
	const char *host = postgresql_setting(db, "host"), *port = postgresql_setting(db, "port");
	const char *address = postgresql_setting(db, "hostaddr");
	const char *list = address ? address : host;
	size_t n = list ? count_parts(list) : 1;

	if (host && count_parts(host) != n)
		return 1;
	if (port && count_parts(port) != 1 && count_parts(port) != n)
		return 1;
	return n;
}

static void hear_notice(void *ctx, const PGresult *notice)
{
	const struct postgresql *db = ctx;
	const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

	log_debug("the database %s says: %s", db->db.url, text ? text : "nothing");
}

/* The i-th of n hosts. */
static PGconn *start(struct postgresql *db, size_t i, size_t n)
{
	const char *values[SETTINGS_MAX] = { NULL };
	char *parts[SETTINGS_MAX] = { NULL };
	PGconn *conn;

	for (size_t k = 0; db->keywords[k]; k++) {
		for (size_t l = 0; n > 1 && l < ARRAY_SIZE(lists); l++)
			if (!strcmp(db->keywords[k], lists[l]) && strchr(db->values[k], ','))
				parts[k] = list_part(db->values[k], i);
		values[k] = parts[k] ? parts[k] : db->values[k];
	}
	conn = PQconnectStartParams((const char *const *)db->keywords, values, 0);
	if (!conn)
		abort(); /* there is no memory */
	PQsetNoticeReceiver(conn, hear_notice, db);
	for (size_t k = 0; k < SETTINGS_MAX; k++)
		free(parts[k]);
	return conn;
}

static int64_t connect_timeout(const struct postgresql *db)
{
	long seconds = strtol(postgresql_setting(db, "connect_timeout"), NULL, 10);

	return seconds > 0 ? seconds * SECOND_US : INT64_MAX / 2;
}

/* -EAGAIN: there is no connection, and ret_silent says whether that is all that is known. */
static int finish(struct link *link, int64_t *grace, bool *ret_silent)
{
	int64_t timeout = connect_timeout(link->db), until = clock_monotonic() + timeout;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	*ret_silent = false;
	if (PQstatus(link->conn) == CONNECTION_BAD)
		return -EAGAIN;
	while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
		int r = link_poll(link, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, grace);

		if (r < 0)
			return r;
		if (r > 0) {
			state = PQconnectPoll(link->conn);
		} else if (clock_monotonic() >= until) {
			/* libpq goes on to the next address of the host, if there is one */
			shutdown(PQsocket(link->conn), SHUT_RDWR);
			until = clock_monotonic() + timeout;
			*ret_silent = true;
		}
	}
	return state == PGRES_POLLING_OK ? 0 : -EAGAIN;
}

static int connect_any(struct link *link)
{
	CLEANUP(strbuf_release) struct strbuf whys = STRBUF_INIT(WHYS_MAX);
	size_t n = count_hosts(link->db);
	int64_t grace = INT64_MAX;
	int r = -EAGAIN;

	for (size_t i = 0; r == -EAGAIN && i < n; i++) {
		bool silent;

		PQfinish(link->conn);
		link->conn = start(link->db, i, n);
		r = finish(link, &grace, &silent);
		if (r == -EAGAIN)
			strbuf_addf(&whys, "%s%s%s", whys.len ? "\n" : "",
				    silent ? PQhost(link->conn) : PQerrorMessage(link->conn),
				    silent ? " does not answer" : "");
	}
	if (r == -EAGAIN)
		link_set_why(link, whys.buf, "");
	return r;
}

int postgresql_connect(struct link *link)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct arguments args;
	int r = connect_any(link);

	if (r < 0)
		return r;
	if (PQsetnonblocking(link->conn, 1)) {
		link_set_why(link, PQerrorMessage(link->conn), "");
		return -EAGAIN;
	}
	arguments_set(&args, "s", link->db->schema);
	return link_ask(link, &result,
			"SELECT set_config('search_path', quote_ident($1) || ', pg_temp', false)",
			&args);
}

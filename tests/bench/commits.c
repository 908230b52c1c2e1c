/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commits.c - commits changes to PostgreSQL at a steady rate, and says when each was committed.
 *
 *	commits URL RATE
 *
 * Reads lines "LABEL<TAB>STATEMENTS", each of them a transaction, and begins RATE of them a second
 * (0: as many as it can), never two at a time. Prints "LABEL<TAB>TIME": when COMMIT was sent, in
 * microseconds of the system's clock. Nothing can be in the bucket before.
 */
#include <err.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"

static void run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		errx(1, "%s%s", PQerrorMessage(conn), sql);
	PQclear(result);
}

static void wait_for(int64_t at)
{
	const struct timespec until = { .tv_sec = at / SECOND_US,
					.tv_nsec = at % SECOND_US * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

int main(int argc, char **argv)
{
	int64_t begin = clock_monotonic(), rate = argc == 3 ? atoll(argv[2]) : -1;
	size_t size = 0;
	char *line = NULL;
	PGconn *conn;

	if (rate < 0)
		errx(2, "usage: commits URL RATE");
	conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
		errx(1, "%s", PQerrorMessage(conn));
	run(conn, "SET search_path = pubfs");
	for (int64_t i = 0; getline(&line, &size, stdin) > 0; i++) {
		char *tab = strchr(line, '\t');

		if (!tab)
			errx(2, "a line without a tab: %s", line);
		*tab = '\0';
		if (rate)
			wait_for(begin + i * SECOND_US / rate);
		run(conn, "BEGIN");
		run(conn, tab + 1);
		printf("%s\t%" PRId64 "\n", line, clock_now());
		run(conn, "COMMIT");
	}
	free(line);
	PQfinish(conn);
	return 0;
}

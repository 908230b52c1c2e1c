/* SPDX-License-Identifier: BSD-3-Clause */
/* fixture.c - a database in a folder of its own, and a second program that writes plain SQL. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

void world_folder(struct world *w)
{
	world_make_dir(w);
	w->path = xasprintf("%s/pub.db", w->dir);
	w->url = xasprintf("sqlite:%s", w->path);
}

sqlite3 *raw_open(const char *path)
{
	sqlite3 *raw = NULL;

	cr_assert_eq(sqlite3_open(path, &raw), SQLITE_OK);
	sqlite3_busy_timeout(raw, 60000);
	return raw;
}

void world_open(struct world *w)
{
	world_folder(w);
	cr_assert_eq(db_open(w->url, DB_CREATE, &w->db), 0);
	w->raw = raw_open(w->path);
	sql(w, "PRAGMA synchronous = OFF");
}

void world_close(struct world *w)
{
	DIR *d;
	struct dirent *e;

	db_close(w->db);
	sqlite3_close(w->raw);
	d = opendir(w->dir);
	while (d && (e = readdir(d))) {
		CLEANUP(free_char) char *name = xasprintf("%s/%s", w->dir, e->d_name);

		if (e->d_name[0] != '.')
			unlink(name);
	}
	if (d)
		closedir(d);
	rmdir(w->dir);
	free(w->path);
	free(w->url);
}

void sql(struct world *w, const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	char *why = NULL;
	va_list ap;

	va_start(ap, text);
	statement = statement_text(text, ap);
	va_end(ap);
	cr_assert_eq(sqlite3_exec(w->raw, statement, NULL, NULL, &why), SQLITE_OK, "%s: %s",
		     statement, why);
}

const char *ask(struct world *w, const char *text, ...)
{
	static char answer[ANSWER_MAX];
	CLEANUP(free_char) char *statement = NULL;
	sqlite3_stmt *stmt = NULL;
	const char *value = NULL;
	va_list ap;

	va_start(ap, text);
	statement = statement_text(text, ap);
	va_end(ap);
	cr_assert_eq(sqlite3_prepare_v2(w->raw, statement, -1, &stmt, NULL), SQLITE_OK, "%s: %s",
		     statement, sqlite3_errmsg(w->raw));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		value = (const char *)sqlite3_column_text(stmt, 0);
	snprintf(answer, sizeof(answer), "%s", value ? value : "");
	sqlite3_finalize(stmt);
	return answer;
}

bool sql_is_taken(struct world *w, const char *text)
{
	return sqlite3_exec(w->raw, text, NULL, NULL, NULL) == SQLITE_OK;
}

void forget_moves(struct world *w)
{
	(void)w;
}

bool world_is_postgresql(void)
{
	return false;
}

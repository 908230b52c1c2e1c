/* SPDX-License-Identifier: BSD-3-Clause */
/* open_test.c - which files are opened, which are made, and what is said of all others. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

static struct world w;

static void make_world(void)
{
	world_folder(&w);
}

static void remove_world(void)
{
	world_close(&w);
}

TestSuite(open, .init = make_world, .fini = remove_world);

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
}

static int try_open(enum db_mode mode)
{
	return db_open(w.url, mode, &w.db);
}

Test(open, a_url_of_no_known_kind_is_refused)
{
	static const char *const urls[] = { "", "pub.db", "sqlite", "sqlit:x", "mysql://x" };

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		cr_assert_eq(db_open(urls[i], DB_CREATE, &w.db), -EINVAL, "%s", urls[i]);
		cr_assert(said("sqlite:PATH", NULL));
	}
	cr_assert_eq(db_open("sqlite:", DB_CREATE, &w.db), -EINVAL);
	cr_assert_null(w.db, "the output is untouched");
}

Test(open, a_missing_database_is_never_made_by_opening_it)
{
	cr_assert_eq(try_open(DB_OPEN), -ENOENT);
	cr_assert(said("there is no database at", w.path, "pubfs load", NULL));
	cr_assert_neq(access(w.path, F_OK), 0);
}

Test(open, creating_needs_the_folder)
{
	CLEANUP(free_char) char *url = xasprintf("sqlite:%s/none/pub.db", w.dir);

	cr_assert_eq(db_open(url, DB_CREATE, &w.db), -ENOENT);
	cr_assert(said("its folder", NULL));
}

Test(open, a_new_database_has_version_application_and_wal)
{
	cr_assert_eq(try_open(DB_CREATE), 0);
	cr_assert_str_eq(w.db->url, w.url);
	w.raw = raw_open(w.path);
	cr_assert_str_eq(ask(&w, "PRAGMA user_version"), "4");
	cr_assert_str_eq(ask(&w, "PRAGMA application_id"), "1886741094");
	cr_assert_str_eq(ask(&w, "PRAGMA journal_mode"), "wal");
	cr_assert_str_eq(ask(&w,
			     "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema"
			     " WHERE type = 'table' AND name NOT LIKE 'sqlite%%' ORDER BY name)"),
			 "advisory,advisory_brief,advisory_package,deployment,export_state,"
			 "latest_hold,lease,package,package_change,package_version");
}

Test(open, an_existing_database_is_kept)
{
	cr_assert_eq(try_open(DB_CREATE), 0);
	w.raw = raw_open(w.path);
	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	for (int mode = DB_OPEN; mode <= DB_CREATE; mode++) {
		uint64_t n = 0;

		db_close(w.db);
		cr_assert_eq(try_open((enum db_mode)mode), 0);
		cr_assert_eq(db_count(w.db, &n), 0);
		cr_assert_eq(n, 1);
	}
}

Test(open, every_way_to_name_a_file_has_one_url)
{
	CLEANUP(free_char) char *link_path = xasprintf("%s/link", w.dir);
	CLEANUP(free_char) char *link_url = xasprintf("sqlite:%s", link_path);

	cr_assert_eq(chdir(w.dir), 0);
	cr_assert_eq(db_open("sqlite:pub.db", DB_CREATE, &w.db), 0);
	cr_assert_str_eq(w.db->url, w.url);
	db_close(w.db);
	cr_assert_eq(symlink(w.path, link_path), 0);
	cr_assert_eq(db_open(link_url, DB_OPEN, &w.db), 0);
	cr_assert_str_eq(w.db->url, w.url);
	db_close(w.db);
	cr_assert_eq(db_open("sqlite::memory:", DB_CREATE, &w.db), 0, "a file of that name");
	cr_assert_eq(access(":memory:", F_OK), 0);
	cr_assert_eq(chdir("/"), 0);
}

Test(open, the_ddl_is_whole_and_makes_a_database_that_opens)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);

	cr_assert_eq(db_schema("postgres", NULL, &ddl), -ENOENT);
	cr_assert_eq(db_schema("sqlite", NULL, &ddl), 0);
	w.raw = raw_open(w.path);
	sql(&w, "%s", ddl.buf);
	cr_assert_eq(try_open(DB_OPEN), 0);
}

/*
 * What each schema is, without its comments and blanks. Where that changes, the databases of before
 * are only brought to it, or refused, if its number is another one:
 * DB_SCHEMA_VERSION (include/db.h), the number in both schemas, and a step of sqlite_migrate.c.
 */
static const struct {
	const char *database, *version, *sha256;
} schemas[] = {
	{ "sqlite", "4", "efee01353f8af40543793e7b173628cc9cc9105b07aa011728aac33c223fe813" },
	{ "postgresql", "4", "ed334d20ec04ec4413c791736625c1f3f6c8ce2f525aef84243af40e424f262c" },
};

static void strip(const struct strbuf *ddl, struct strbuf *out)
{
	for (const char *at = ddl->buf; *at;) {
		size_t blank = strspn(at, " \t\n");

		if (!strncmp(at, "--", 2)) {
			at += strcspn(at, "\n");
			continue;
		}
		if (blank)
			at += blank;
		else
			strbuf_addch(out, *at++);
	}
}

Test(open, a_schema_that_changes_has_another_version)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
		CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(1 << 20);
		CLEANUP(strbuf_release) struct strbuf bare = STRBUF_INIT(1 << 20);
		unsigned char digest[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];

		if (db_schema(schemas[i].database, NULL, &ddl) == -ENOENT)
			continue; /* built without it */
		strip(&ddl, &bare);
		sha256(bare.buf, bare.len, digest);
		hex_encode(digest, sizeof(digest), hex);
		cr_assert_str_eq(hex, schemas[i].sha256,
				 "the schema of %s is %s: raise DB_SCHEMA_VERSION, and put that here",
				 schemas[i].database, hex);
		cr_assert_eq(atoi(schemas[i].version), DB_SCHEMA_VERSION);
	}
}

Test(open, files_that_are_no_database_are_refused_in_both_modes)
{
	static const struct {
		const char *text, *said;
	} files[] = {
		{ "hello", "is not an SQLite database" },
		{ "SQLite format 4 and then something else, as long as a header of one hundred "
		  "bytes"
		  " would be, and longer",
		  "is not an SQLite database" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		for (int mode = DB_OPEN; mode <= DB_CREATE; mode++) {
			struct stat st;

			write_file(w.path, files[i].text);
			cr_assert_eq(try_open((enum db_mode)mode), -EIO);
			cr_assert(said(w.path, files[i].said, NULL));
			cr_assert_eq(stat(w.path, &st), 0);
			cr_assert_eq(st.st_size, (off_t)strlen(files[i].text), "left as it was");
		}
}

Test(open, an_empty_file_is_filled_by_creating_alone)
{
	write_file(w.path, "");
	cr_assert_eq(try_open(DB_OPEN), -EIO);
	cr_assert(said(w.path, "is empty", "pubfs load", NULL));
	cr_assert_eq(try_open(DB_CREATE), 0);
}

Test(open, a_folder_and_a_pipe_are_refused)
{
	CLEANUP(free_char) char *folder = xasprintf("sqlite:%s", w.dir);

	cr_assert_eq(db_open(folder, DB_OPEN, &w.db), -EIO);
	cr_assert(said(w.dir, "is a folder", NULL));
	cr_assert_eq(db_open(folder, DB_CREATE, &w.db), -EIO);
	cr_assert_eq(mkfifo(w.path, 0600), 0);
	cr_assert_eq(try_open(DB_OPEN), -EIO);
	cr_assert(said("is not a file", NULL));
}

/* Tests may run as root, whom no mode bits stop. */
static void become_nobody(void)
{
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
}

static void become_ourselves(void)
{
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

Test(open, what_may_not_be_read_or_written_is_refused)
{
	cr_assert_eq(try_open(DB_CREATE), 0);
	db_close(w.db);
	w.db = NULL;
	cr_assert_eq(chmod(w.path, 0), 0);
	cr_assert_eq(chmod(w.dir, 0777), 0);
	become_nobody();
	cr_assert_eq(try_open(DB_OPEN), -EACCES);
	cr_assert(said(w.path, "Permission denied", NULL));
	become_ourselves();
	cr_assert_eq(chmod(w.path, 0444), 0);
	become_nobody();
	cr_assert_eq(try_open(DB_OPEN), -EACCES);
	cr_assert(said(w.path, "cannot be written", NULL));
	become_ourselves();
	cr_assert_eq(chmod(w.dir, 0700), 0);
	become_nobody();
	cr_assert_eq(geteuid() == 65534 ? try_open(DB_OPEN) : -EACCES, -EACCES);
	become_ourselves();
}

Test(open, other_schema_versions_and_other_programs_files_are_refused)
{
	static const struct {
		const char *sql, *said;
	} rows[] = {
		{ "PRAGMA user_version = 5", "schema version 5" },
		{ "PRAGMA user_version = 0", "schema version 0" },
		{ "PRAGMA application_id = 7", "another program" },
		{ "PRAGMA application_id = 0", "another program" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int mode = DB_OPEN; mode <= DB_CREATE; mode++) {
			cr_assert_eq(try_open(DB_CREATE), 0);
			db_close(w.db);
			w.db = NULL;
			w.raw = raw_open(w.path);
			sql(&w, "%s", rows[i].sql);
			sqlite3_close(w.raw);
			w.raw = NULL;
			cr_assert_eq(try_open((enum db_mode)mode), -EIO, "%s", rows[i].sql);
			cr_assert(said(w.path, rows[i].said, NULL), "%s", rows[i].sql);
			unlink(w.path);
		}
	w.raw = raw_open(w.path);
	sql(&w, "CREATE TABLE t (x)");
	cr_assert_eq(try_open(DB_CREATE), -EIO, "one without marks of any kind");
	cr_assert(said("another program", NULL));
}

Test(open, processes_that_make_it_at_the_same_time_all_succeed)
{
	for (int round = 0; round < 5; round++) {
		pid_t children[4];
		int gate[2];

		cr_assert_eq(pipe(gate), 0);
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			children[i] = fork();
			cr_assert_geq(children[i], 0);
			if (!children[i]) {
				char c;

				close(gate[1]);
				_exit(read(gate[0], &c, 1) || try_open(DB_CREATE) < 0);
			}
		}
		close(gate[0]);
		close(gate[1]); /* go */
		for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
			int status;

			cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
			cr_assert_eq(status, 0);
		}
		cr_assert_eq(try_open(DB_OPEN), 0);
		db_close(w.db);
		w.db = NULL;
		w.raw = raw_open(w.path);
		cr_assert_str_eq(ask(&w, "PRAGMA journal_mode"), "wal");
		sqlite3_close(w.raw);
		w.raw = NULL;
		unlink(w.path);
	}
}

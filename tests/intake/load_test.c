/* SPDX-License-Identifier: BSD-3-Clause */
/* load_test.c - files of JSON lines: which lines are taken, and that a file is all or nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../db/fixture.h"
#include "codec.h"
#include "compiler.h"
#include "fault_db.h"
#include "load.h"
#include "memory.h"
#include "strbuf.h"

static struct world w;
static char *path;
static struct load_counts counts;

static void open_world(void)
{
	world_open(&w);
	path = xasprintf("%s/rows", w.dir);
}

static void close_world(void)
{
	free(path);
	world_close(&w);
}

TestSuite(load, .init = open_world, .fini = close_world);

static int load_bytes(const char *bytes, size_t n, bool replace)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(bytes, 1, n, f), n);
	fclose(f);
	counts = (struct load_counts){ 7, 7, 7 };
	return load_file(w.db, path, replace, &counts);
}

static int load_text(const char *text, bool replace)
{
	return load_bytes(text, strlen(text), replace);
}

static void assert_counts(uint64_t added, uint64_t replaced, uint64_t equal)
{
	cr_assert_eq(counts.added, added);
	cr_assert_eq(counts.replaced, replaced);
	cr_assert_eq(counts.equal, equal);
}

#define ROW(version, more)                                                                         \
	"{\"package\":\"p\",\"version\":\"" version                                                \
	"\",\"published\":\"2024-01-02T03:04:05Z\",\"pubspec\":{}" more "}\n"
#define HASH "95CB0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

Test(load, every_field_is_kept_and_the_pubspec_is_compact_and_otherwise_untouched)
{
	struct package_version v;

	cr_assert_eq(
		load_text("{ \"source\": [1, {}], \"pubspec\" : { \"z\" : 1.0, \"a\": null, \"n\":"
			  " 12345678901234567890, \"s\": \"\\u00e9\\/\\ud800\" , \"e\": {} },"
			  " \"version\":\"1.0.0+1\", \"package\":\"p\","
			  " \"published\":\"2024-01-02T03:04:05.678901+01:00\","
			  " \"archive_sha256\":\"" HASH "\","
			  " \"retracted\":true, \"moderated\":false, \"deleted\":true }",
			  false),
		0);
	assert_counts(1, 0, 0);
	cr_assert_eq(db_version(w.db, "p", "1.0.0+1", &v), 0);
	cr_assert_str_eq(v.pubspec, "{\"z\":1.0,\"a\":null,\"n\":12345678901234567890,"
				    "\"s\":\"\xc3\xa9/\\ud800\",\"e\":{}}");
	cr_assert_str_eq(v.archive_sha256,
			 "95cb0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab");
	cr_assert_eq(v.created, 1704161045678901);
	cr_assert(v.retracted && !v.moderated && v.deleted);
	package_version_release(&v);
	cr_assert_str_eq(ask(&w, "SELECT created FROM package_version"),
			 "2024-01-02T02:04:05.678901Z");
}

Test(load, a_line_takes_nothing_over_from_the_one_before_it)
{
	struct package_version v;

	cr_assert_eq(
		load_text(ROW("1.0.0", ",\"retracted\":true,\"moderated\":true,\"deleted\":true,"
				       "\"archive_sha256\":\"" HASH "\"") ROW("1.0.1", ""),
			  false),
		0);
	cr_assert_eq(db_version(w.db, "p", "1.0.1", &v), 0);
	cr_assert(!v.retracted && !v.moderated && !v.deleted && !v.archive_sha256);
	package_version_release(&v);
}

Test(load, a_bad_line_is_named_and_nothing_of_its_file_stays)
{
	static const struct {
		const char *line, *why;
	} rows[] = {
		{ "{", "it is no sound JSON: no key at byte 1" },
		{ "hello", "it is no sound JSON" },
		{ "[]", "not an object" },
		{ "\"p\"", "not an object" },
		{ "{}{}", "it is no sound JSON" },
		{ "{\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:00Z\",\"pubspec\":{}}",
		  "no package" },
		{ "{\"package\":\"p\",\"published\":\"2024-01-01T00:00:00Z\",\"pubspec\":{}}",
		  "no version" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"pubspec\":{}}", "no published" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:"
		  "00Z\"}",
		  "no pubspec" },
		{ "{\"package\":\"p-q\",\"version\":\"1.0.0\"}", "package is not a package name" },
		{ "{\"package\":\"\",\"version\":\"1.0.0\"}", "package is not a package name" },
		{ "{\"package\":\"p\\u0000\",\"version\":\"1.0.0\"}",
		  "package is not a package name" },
		{ "{\"package\":7,\"version\":\"1.0.0\"}", "package is not a package name" },
		{ "{\"package\":"
		  "\"a123456789012345678901234567890123456789012345678901234567890123x\"}",
		  "package is not a package name" },
		{ ROW("1.0", ""), "version is not a version in its canonical form" },
		{ ROW("01.0.0", ""), "version is not a version in its canonical form" },
		{ ROW("v1.0.0", ""), "version is not a version in its canonical form" },
		{ ROW("1.0.0-12345678901234567890123456789012345678901234567890123456789", ""),
		  "version is not a version in its canonical form" },
		{ "{\"package\":\"p\",\"version\":1.0}", "version is not a version" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"yesterday\"}",
		  "published is not a time" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-02-30T00:00:"
		  "00Z\"}",
		  "published is not a time" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":"
		  "\"2024-02-20T00:00:00Z\\u0000\"}",
		  "published is not a time" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":1700000000}",
		  "published is not a time" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:00Z\","
		  "\"pubspec\":[]}",
		  "pubspec is not an object" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:00Z\","
		  "\"pubspec\":\"{}\"}",
		  "pubspec is not an object" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:00Z\","
		  "\"pubspec\":{\"a\":{\"b\":1,\"b\":1}}}",
		  "" },
		{ "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":\"2024-01-01T00:00:00Z\","
		  "\"pubspec\":{\"a\":\"\xff\"}}",
		  "" },
		{ ROW("1.0.0", ",\"archive_sha256\":\"abc\""), "archive_sha256 is not 64" },
		{ ROW("1.0.0", ",\"archive_sha256\":\"" HASH "0\""), "archive_sha256 is not 64" },
		{ ROW("1.0.0", ",\"archive_sha256\":7"), "archive_sha256 is not 64" },
		{ ROW("1.0.0", ",\"retracted\":1"), "retracted is not true or false" },
		{ ROW("1.0.0", ",\"moderated\":null"), "moderated is not true or false" },
		{ ROW("1.0.0", ",\"deleted\":\"true\""), "deleted is not true or false" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char)
		char *text = xasprintf("%s\n%s\n", ROW("9.9.9", ""), rows[i].line);

		/* the row of before is line 1, an empty one line 2 */
		cr_assert_eq(load_text(text, false), -EINVAL, "%s", rows[i].line);
		cr_assert(said(path, "line 3: ", rows[i].why, NULL), "%s", rows[i].line);
		cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0", "%s", rows[i].line);
		cr_assert_eq(counts.added, 7, "the output is untouched");
	}
	cr_assert_eq(count_of(&w, "p"), 0);
}

Test(load, lines_at_the_edge_of_the_rules_are_taken)
{
	static const char *const lines[] = {
		ROW("1.0.0-1234567890123456789012345678901234567890123456789012345678", ""),
		ROW("9223372036854775807.0.0", ""),
		ROW("1.0.1", ",\"archive_sha256\":null"),
		ROW("1.0.2", ",\"archive_sha256\":\"" HASH "\""),
		ROW("1.0.3", ",\"unknown\":{\"deep\":[null]}"),
		"{\"package\":\"a123456789012345678901234567890123456789012345678901234567890123\","
		"\"version\":\"1.0.0\",\"published\":\"2024-01-02 03:04:05\",\"pubspec\":{}}",
		"\n \t\r\n",
		ROW("1.0.4", ""),
		"{\"package\":\"p\",\"version\":\"1.0.5\",\"published\":\"2024-01-02T03:04:05Z\","
		"\"pubspec\":{}}\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_assert_eq(load_text(lines[i], false), 0, "%s", lines[i]);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "8");
	cr_assert_eq(load_text("", false), 0);
	assert_counts(0, 0, 0);
}

Test(load, equal_rows_are_skipped_and_others_need_a_word)
{
	cr_assert_eq(load_text(ROW("1.0.0", "") ROW("1.0.1", ""), false), 0);
	assert_counts(2, 0, 0);
	cr_assert_eq(load_text(ROW("1.0.1", "") ROW("1.0.0", ""), false), 0);
	assert_counts(0, 0, 2);
	cr_assert_eq(load_text(ROW("1.0.2", "") ROW("1.0.0", ",\"retracted\":true"), false),
		     -EEXIST);
	cr_assert(said(path, "line 2: ", "p 1.0.0", "--replace", NULL));
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "2");
	cr_assert_eq(load_text(ROW("1.0.2", "") ROW("1.0.1", "")
				       ROW("1.0.0", ",\"retracted\":true"),
			       true),
		     0);
	assert_counts(1, 1, 1);
	cr_assert_str_eq(ask(&w, "SELECT sum(retracted) FROM package_version"), "1");
	cr_assert_eq(load_text(ROW("3.0.0", "") ROW("3.0.0", ""), false), 0);
	assert_counts(1, 0, 1);
	cr_assert_eq(load_text(ROW("4.0.0", "") ROW("4.0.0", ",\"deleted\":true"), false), -EEXIST,
		     "within one file");
}

Test(load, gzip_is_known_by_its_bytes_and_read_to_its_end)
{
	struct strbuf gz = STRBUF_INIT(1 << 20);
	size_t first, n;

	cr_assert_eq(gzip_encode(ROW("1.0.0", ""), strlen(ROW("1.0.0", "")), &gz), 0);
	first = gz.len;
	cr_assert_eq(gzip_encode(ROW("1.0.1", ""), strlen(ROW("1.0.1", "")), &gz), 0);
	n = gz.len;
	cr_assert_eq(load_bytes(gz.buf, n, false), 0);
	assert_counts(2, 0, 0);
	sql(&w, "DELETE FROM package_version");

	for (size_t cut = 2; cut < n; cut++)
		if (cut != first) {
			cr_assert_eq(load_bytes(gz.buf, cut, false), -EINVAL, "cut at %zu", cut);
			cr_assert(said(path, "is cut", NULL));
		}
	gz.buf[n - 8] ^= 1;
	cr_assert_eq(load_bytes(gz.buf, n, false), -EINVAL, "a wrong checksum");
	cr_assert(said(path, "is damaged", NULL));
	gz.buf[n - 8] ^= 1;
	strbuf_addstr(&gz, ROW("1.0.2", ""));
	cr_assert_eq(load_bytes(gz.buf, gz.len, false), -EINVAL, "plain lines behind it");
	cr_assert(said(path, "is damaged", NULL));
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "0");
	strbuf_release(&gz);
}

Test(load, many_lines_cross_the_edges_of_pieces)
{
	struct strbuf text = STRBUF_INIT(10 << 20), gz = STRBUF_INIT(10 << 20);

	for (int i = 0; i < 1500; i++)
		strbuf_addf(&text,
			    "{\"package\":\"p\",\"version\":\"1.0.%d\",\"published\":"
			    "\"2024-01-02T03:04:05Z\",\"pubspec\":{\"d\":\"%*d\"}}\n",
			    i, i % 997, i);
	strbuf_setlen(&text, text.len - 1); /* a last line without an end */
	cr_assert_eq(load_bytes(text.buf, text.len, false), 0);
	assert_counts(1500, 0, 0);
	cr_assert_eq(gzip_encode(text.buf, text.len, &gz), 0);
	cr_assert_eq(load_bytes(gz.buf, gz.len, false), 0);
	assert_counts(0, 0, 1500);
	strbuf_release(&text);
	strbuf_release(&gz);
}

static void add_long_line(struct strbuf *out, size_t length)
{
	char *at;

	strbuf_addstr(out, "{\"package\":\"p\",\"version\":\"1.0.0\",\"published\":"
			   "\"2024-01-02T03:04:05Z\",\"pubspec\":{\"d\":\"");
	at = strbuf_reserve(out, length - out->len - 3);
	cr_assert_not_null(at);
	memset(at, 'x', length - out->len - 3);
	strbuf_setlen(out, length - 3);
	strbuf_addstr(out, "\"}}");
}

Test(load, a_line_may_be_sixteen_mebibytes_and_no_more)
{
	struct strbuf text = STRBUF_INIT(LOAD_LINE_MAX + 10);

	add_long_line(&text, LOAD_LINE_MAX);
	cr_assert_eq(load_bytes(text.buf, text.len, false), 0);
	cr_assert_geq(atoi(ask(&w, "SELECT length(pubspec) FROM package_version")), 16000000);
	strbuf_reset(&text);
	add_long_line(&text, LOAD_LINE_MAX + 1);
	cr_assert_eq(load_bytes(text.buf, text.len, false), -EINVAL);
	cr_assert(said(path, "line 1: ", "over 16 MiB", NULL));
	strbuf_release(&text);
}

/* Standard input that hands over each byte in a read of its own. */
static void load_byte_by_byte(const char *bytes, size_t n)
{
	int ends[2], status;
	pid_t child;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (!child) {
		for (size_t i = 0; i < n; i++)
			if (write(ends[1], bytes + i, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	cr_assert_eq(load_file(w.db, "-", false, &counts), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
}

Test(load, standard_input_is_read_in_whatever_pieces_it_comes)
{
	struct strbuf gz = STRBUF_INIT(1000);

	load_byte_by_byte(ROW("1.0.0", ""), strlen(ROW("1.0.0", "")));
	assert_counts(1, 0, 0);
	cr_assert_eq(gzip_encode(ROW("1.0.1", ""), strlen(ROW("1.0.1", "")), &gz), 0);
	load_byte_by_byte(gz.buf, gz.len);
	assert_counts(1, 0, 0);
	strbuf_release(&gz);
}

Test(load, a_file_that_cannot_be_read_is_named)
{
	cr_assert_eq(load_file(w.db, path, false, &counts), -ENOENT);
	cr_assert(said(path, "No such file", NULL));
	cr_assert_eq(load_file(w.db, w.dir, false, &counts), -EIO);
	cr_assert(said(w.dir, "Is a directory", NULL));
	cr_assert_eq(load_text(ROW("1.0.0", ""), false), 0, "the database is not left locked");
}

Test(load, whichever_call_of_the_database_fails_the_file_is_loaded_wholly_or_not_at_all)
{
	struct fault_db fault;
	unsigned n;

	cr_assert_eq(load_text("", false), 0);
	for (n = 1;; n++) {
		FILE *f = fopen(path, "w");
		int r;

		cr_assert_not_null(f);
		fputs(ROW("1.0.0", "") ROW("1.0.1", ""), f);
		fclose(f);
		fault_db_init(&fault, w.db);
		fault.left = n;
		r = load_file(&fault.db, path, false, &counts);
		cr_assert_eq(r < 0, fault.fired);
		cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"),
				 r < 0 ? "0" : "2");
		if (!fault.fired)
			break;
	}
	cr_assert_eq(n, 5, "begin, two rows, commit");
}

/* True while another process holds the write lock. */
static bool is_locked(void)
{
	int code;

	sqlite3_busy_timeout(w.raw, 0);
	code = sqlite3_exec(w.raw, "BEGIN IMMEDIATE; ROLLBACK", NULL, NULL, NULL);
	sqlite3_busy_timeout(w.raw, 60000);
	return code == SQLITE_BUSY;
}

Test(load, a_loader_that_is_killed_leaves_nothing)
{
	int ends[2], status;
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (!child) {
		struct db *db = NULL;

		close(ends[1]);
		_exit(dup2(ends[0], STDIN_FILENO) || db_open(w.url, DB_OPEN, &db) ||
		      load_file(db, "-", false, &counts));
	}
	close(ends[0]);
	for (int i = 0; i < 2000; i++)
		cr_assert_gt(dprintf(ends[1],
				     "{\"package\":\"p\",\"version\":\"1.0.%d\",\"published\":"
				     "\"2024-01-02T03:04:05Z\",\"pubspec\":{\"d\":\"%500d\"}}\n",
				     i, i),
			     0);
	while (!is_locked())
		sched_yield();
	cr_assert_eq(kill(child, SIGKILL), 0);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status));
	close(ends[1]);
	cr_assert_not(is_locked());
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "0");
	cr_assert_str_eq(ask(&w, "PRAGMA integrity_check"), "ok");
}

/* Outside the suite: a test that skips would not run its end. */
Test(load_corpus, it_loads_whole_and_a_second_time_changes_nothing)
{
	const char *corpus = getenv("PUBFS_CORPUS");
	CLEANUP(free_char) char *rows = NULL;
	uint64_t change, again;

	if (!corpus)
		cr_skip_test("PUBFS_CORPUS is not set");
	open_world();
	rows = xasprintf("%s/packages.jsonl.gz", corpus);
	cr_assert_eq(load_file(w.db, rows, false, &counts), 0);
	assert_counts(12786, 0, 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "310");
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "12786");
	cr_assert_str_eq(ask(&w, "SELECT sum(CAST(change AS INTEGER)) FROM package_change"),
			 "13096");
	cr_assert_eq(db_changed(w.db, &change), 0);
	cr_assert_eq(load_file(w.db, rows, true, &counts), 0);
	assert_counts(0, 0, 12786);
	cr_assert_eq(db_changed(w.db, &again), 0);
	cr_assert_eq(again, change);
	close_world();
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* advisory_test.c - OSV files: which are taken, which are refused and why, and which one stays. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../db/fixture.h"
#include "clock.h"
#include "compiler.h"
#include "fault_db.h"
#include "memory.h"
#include "set.h"
#include "strbuf.h"

#define UNITS_MAX 512000 /* spec, section 7 */
#define TEXT_MAX  ((size_t)4 << 20)

static struct world w;
static char *path, *id;

static void open_world(void)
{
	world_open(&w);
	path = xasprintf("%s/osv.json", w.dir);
	clock_rules_set(1700000000 * SECOND_US); /* 2023-11-14T22:13:20Z */
}

static void close_world(void)
{
	free(id);
	free(path);
	world_close(&w);
}

TestSuite(advisory, .init = open_world, .fini = close_world);

static void write_bytes(const char *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

static int take_bytes(const char *bytes, size_t n)
{
	write_bytes(bytes, n);
	free(id);
	id = NULL;
	return advisory_take(w.db, path, &id);
}

static int take(const char *text)
{
	return take_bytes(text, strlen(text));
}

#define NAMED(ecosystem, name, versions)                                                           \
	"{\"package\":{\"ecosystem\":\"" ecosystem "\",\"name\":\"" name "\"},\"versions\":" versions "}"
#define ENTRY	NAMED("Pub", "p", "[\"1.0.0\"]")
#define TIME	"\"2023-11-14T22:13:20Z\""
#define OSV(id, modified, affected)                                                                \
	"{\"id\":" id ",\"modified\":" modified ",\"affected\":[" affected "]}"
#define WITH(more) "{\"id\":\"A\",\"modified\":" TIME ",\"affected\":[" ENTRY "]," more "}"

static void expect_none(const char *what)
{
	cr_assert_str_eq(ask(&w, "SELECT (SELECT count(*) FROM advisory) +"
				 " (SELECT count(*) FROM advisory_package)"),
			 "0", "%s", what);
}

Test(advisory, what_no_client_could_use_is_refused_and_why)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "no value" },
		{ "{", "no key" },
		{ OSV("\"A\"", TIME, ENTRY) "x", "it is no sound JSON: more than one" },
		{ "\xef\xbb\xbf" OSV("\"A\"", TIME, ENTRY), "at byte 0" },
		{ WITH("\"x\":\"\xff\""), "invalid UTF-8" },
		{ WITH("\"x\":\"\n\""), "a control character" },
		{ WITH("\"id\":\"B\""), "the same key twice" },
		{ "[]", "it has no id" },
		{ "null", "it has no id" },
		{ "{\"modified\":" TIME ",\"affected\":[" ENTRY "]}", "it has no id" },
		{ OSV("1", TIME, ENTRY), "it has no id" },
		{ OSV("null", TIME, ENTRY), "it has no id" },
		{ OSV("\"\"", TIME, ENTRY), "its id is empty" },
		{ OSV("\"A\\u0000\"", TIME, ENTRY), "not printable" },
		{ OSV("\"A\\n\"", TIME, ENTRY), "not printable" },
		{ OSV("\"A\\u007f\"", TIME, ENTRY), "not printable" },
		{ OSV("\"\xc3\x9c\"", TIME, ENTRY), "not printable" },
		{ "{\"id\":\"A\",\"affected\":[" ENTRY "]}", "its time of modification" },
		{ OSV("\"A\"", "1700000000", ENTRY), "its time of modification" },
		{ OSV("\"A\"", "\"never\"", ENTRY), "its time of modification" },
		{ OSV("\"A\"", "\"2023-11-14T22:13:20Z\\u0000\"", ENTRY), "its time of modification" },
		{ OSV("\"A\"", "\"2023-11-14T23:13:20.000001Z\"", ENTRY), "more than an hour" },
		{ "{\"id\":\"A\",\"modified\":" TIME "}", "no list of what is affected" },
		{ "{\"id\":\"A\",\"modified\":" TIME ",\"affected\":{}}", "no list of what is affected" },
		{ OSV("\"A\"", TIME, ""), "names no versions" },
		{ OSV("\"A\"", TIME, "1"), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("npm", "p", "[\"1.0.0\"]")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "a/b", "[\"1.0.0\"]")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "..", "[\"1.0.0\"]")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p\\u0000", "[\"1.0.0\"]")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p", "[]")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p", "null")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p", "\"1.0.0\"")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p", "{\"1.0.0\":1}")), "names no versions" },
		{ OSV("\"A\"", TIME, NAMED("Pub", "p", "[1]")), "versions" },
		/* of the first package it would do */
		{ OSV("\"A\"", TIME, ENTRY "," NAMED("Pub", "q", "[1]")), "versions" },
		{ OSV("\"A\"", TIME, ENTRY ",{\"package\":{\"name\":\"p\"},\"versions\":[\"1.0.0\"]}"),
		  "ecosystem" },
		{ OSV("\"A\"", TIME, ENTRY "," NAMED("Pub", "q", "[]") "," NAMED("npm", "q", "[1]")),
		  "versions" },
		{ OSV("\"A\"", TIME, ENTRY ",{\"package\":{}}"), "name" },
		{ OSV("\"A\"", TIME, ENTRY ",1"), "no list of advisories can be made of it" },
		{ WITH("\"aliases\":[1]"), "aliases" },
		{ WITH("\"aliases\":\"CVE-1\""), "no list of advisories can be made of it" },
		{ WITH("\"summary\":1"), "no list of advisories can be made of it" },
		{ WITH("\"severity\":{}"), "no list of advisories can be made of it" },
		{ WITH("\"database_specific\":[]"), "no list of advisories can be made of it" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(take(rows[i].text), -EINVAL, "%s", rows[i].text);
		cr_assert(said("refused", path, rows[i].said, NULL) ||
				  said(rows[i].said, NULL),
			  "%s", rows[i].text);
		cr_assert_null(id);
	}
	cr_assert_eq(take_bytes(WITH("\"x\":\"\0\""), sizeof(WITH("\"x\":\"\0\"")) - 1), -EINVAL);
	cr_assert(said("a control character", NULL), "a NUL");
	expect_none("of all of them");
}

Test(advisory, what_it_says_of_no_package_of_pub_is_not_looked_at_closely)
{
	cr_assert_eq(take(OSV("\"A\"", TIME, ENTRY "," NAMED("npm", "q", "[1]"))), ADVISED_ADDED);
}

Test(advisory, of_thousands_of_packages_the_last_one_is_looked_at_too)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);

	strbuf_addstr(&text, "{\"id\":\"A\",\"modified\":" TIME ",\"affected\":[" ENTRY);
	for (int i = 0; i < 5000; i++)
		strbuf_addf(&text, "," NAMED("Pub", "p%d", "[%s]"), i, i < 4999 ? "\"1\"" : "1");
	strbuf_addstr(&text, "]}");
	cr_assert_eq(take_bytes(text.buf, text.len), -EINVAL);
	cr_assert(said("versions", NULL));
}

/* An advisory whose text has so many characters, all of its details being this one. */
static int take_long(const char *character, size_t units_each, size_t units)
{
	static const char start[] = "{\"id\":\"A\",\"modified\":" TIME ",\"affected\":[" ENTRY
				    "],\"details\":\"";
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	size_t others = strlen(start) + strlen("\"}");

	strbuf_addstr(&text, start);
	for (; others + units_each <= units; others += units_each)
		strbuf_addstr(&text, character);
	strbuf_addstr(&text, "\"}");
	for (; others < units; others++)
		strbuf_addch(&text, ' ');
	cr_assert_eq(strbuf_error(&text), 0);
	return take_bytes(text.buf, text.len);
}

Test(advisory, a_document_may_have_512000_characters_as_dart_counts_them)
{
	static const struct {
		const char *character;
		size_t units;
	} rows[] = { { "x", 1 }, { "\xc3\xbc", 1 }, { "\xe2\x82\xac", 1 }, { "\xf0\x9f\x98\x80", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(take_long(rows[i].character, rows[i].units, UNITS_MAX + 1), -EINVAL);
		cr_assert(said("more than 512000 characters", NULL), "%zu", i);
		expect_none(rows[i].character);
		cr_assert_geq(take_long(rows[i].character, rows[i].units, UNITS_MAX), 0, "%zu", i);
		cr_assert_eq(advisory_remove(w.db, "A"), 0);
	}
	cr_assert_eq(take_long("x", 1, 4 * UNITS_MAX), -EINVAL, "more bytes than they can have");
}

Test(advisory, an_id_may_have_255_characters)
{
	char long_id[257];
	CLEANUP(free_char) char *good = NULL, *bad = NULL;

	memset(long_id, 'a', 256);
	long_id[256] = '\0';
	bad = xasprintf(OSV("\"%s\"", TIME, ENTRY), long_id);
	good = xasprintf(OSV("\"%s\"", TIME, ENTRY), long_id + 1);
	cr_assert_eq(take(bad), -EINVAL);
	cr_assert(said("longer than 255", NULL));
	cr_assert_eq(take(good), ADVISED_ADDED);
	cr_assert_str_eq(id, long_id + 1);
}

Test(advisory, what_is_no_file_is_not_read)
{
	static const char *const names[] = { "/none/osv.json", "-", "" };
	CLEANUP(free_char) char *fifo = xasprintf("%s/fifo", w.dir);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert_eq(advisory_take(w.db, names[i], &id), -EIO, "%s", names[i]);
		cr_assert(said("cannot open", names[i], NULL), "%s", names[i]);
	}
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_assert_eq(advisory_take(w.db, fifo, &id), -EIO, "and nobody waits for a writer");
	cr_assert(said(fifo, "is not a file", NULL));
	cr_assert_eq(advisory_take(w.db, w.dir, &id), -EIO);
	cr_assert(said(w.dir, "is not a file", NULL));
	expect_none("of none");
}

Test(advisory, it_is_kept_as_it_is_and_names_each_package_of_pub_once)
{
	static const char text[] = " " OSV(
		"\"GHSA-1\"", "\"2023-11-14T23:13:20Z\"",
		NAMED("PUB", "q", "[\"1.0.0\",\"1.0.0\"]") "," NAMED("pub", "p", "[]") ","
		NAMED("Pub", "q", "null") "," NAMED("npm", "r", "[\"1\"]") ","
		NAMED("Pub", "a/b", "[\"1\"]")) "\n";

	sql(&w, "INSERT INTO package (name) VALUES ('p'), ('q')");
	cr_assert_eq(take(text), ADVISED_ADDED, "exactly an hour from now it is of no future");
	cr_assert_str_eq(id, "GHSA-1");
	cr_assert_str_eq(ask(&w, "SELECT osv FROM advisory WHERE id = 'GHSA-1'"), text);
	cr_assert_str_eq(ask(&w, "SELECT synced FROM advisory"), "2023-11-14T22:13:20.000Z");
	cr_assert_str_eq(ask(&w, "SELECT group_concat(package) FROM"
				 " (SELECT package FROM advisory_package ORDER BY 1)"),
			 "p,q");
	cr_assert_str_eq(ask(&w, "SELECT latest_advisory FROM package WHERE name = 'p'"),
			 "2023-11-14T22:13:20.000Z");
}

Test(advisory, one_takes_the_place_of_an_older_one_of_its_id_and_of_no_other)
{
	static const struct {
		const char *text;
		int advised;
		const char *names;
	} rows[] = {
		{ OSV("\"A\"", "\"2023-01-02T00:00:00Z\"", ENTRY), ADVISED_ADDED, "p" },
		{ OSV("\"A\"", "\"2023-01-01T00:00:00Z\"", NAMED("Pub", "q", "[\"1\"]")),
		  ADVISED_BEFORE, "p" },
		{ OSV("\"A\"", "\"2023-01-02T00:00:00\"", NAMED("Pub", "q", "[\"1\"]")),
		  ADVISED_BEFORE, "p" },
		{ OSV("\"A\"", "\"2023-01-02T00:00:00.000001Z\"", NAMED("Pub", "q", "[\"1\"]")),
		  ADVISED_REPLACED, "q" },
		{ OSV("\"B\"", "\"2022-01-01T00:00:00Z\"", ENTRY), ADVISED_ADDED, "q,p" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(take(rows[i].text), rows[i].advised, "row %zu", i);
		cr_assert_str_eq(ask(&w, "SELECT group_concat(package) FROM (SELECT package FROM"
					 " advisory_package ORDER BY advisory, package)"),
				 rows[i].names, "row %zu", i);
	}
	sql(&w, "UPDATE advisory SET osv = '{' WHERE id = 'A'");
	cr_assert_eq(take(rows[0].text), ADVISED_REPLACED, "what cannot be read is older");
	cr_assert_eq(advisory_remove(w.db, "A"), 0);
	cr_assert_eq(advisory_remove(w.db, "A"), -ENOENT);
	cr_assert(said("there is no advisory A", NULL));
	cr_assert_str_eq(ask(&w, "SELECT group_concat(advisory) FROM advisory_package"), "B");
}

static void put_a_newer_one(void *ctx)
{
	(void)ctx;
	sql(&w, "UPDATE advisory SET osv = '%s'",
	    OSV("\"A\"", "\"2023-03-01T00:00:00Z\"", NAMED("Pub", "p", "[\"3\"]")));
}

Test(advisory, of_two_who_bring_one_at_the_same_time_the_newer_one_stays)
{
	struct fault_db db;

	cr_assert_eq(take(OSV("\"A\"", "\"2023-01-01T00:00:00Z\"", ENTRY)), ADVISED_ADDED);
	write_bytes(OSV("\"A\"", "\"2023-02-01T00:00:00Z\"", ENTRY),
		    strlen(OSV("\"A\"", "\"2023-02-01T00:00:00Z\"", ENTRY)));
	fault_db_init(&db, w.db);
	db.before_begin = put_a_newer_one;
	free(id);
	id = NULL;
	cr_assert_eq(advisory_take(&db.db, path, &id), ADVISED_BEFORE);
	cr_assert_str_eq(ask(&w, "SELECT osv LIKE '%%\"3\"%%' FROM advisory"), "1");
}

Test(advisory, whichever_call_of_the_database_fails_it_is_taken_wholly_or_not_at_all)
{
	struct fault_db db;

	for (unsigned n = 1;; n++) {
		int r;

		fault_db_init(&db, w.db);
		db.left = n;
		write_bytes(WITH("\"x\":1"), strlen(WITH("\"x\":1")));
		free(id);
		id = NULL;
		r = advisory_take(&db.db, path, &id);
		cr_assert_eq(r, db.fired ? -EIO : ADVISED_ADDED, "call %u", n);
		cr_assert_eq(!id, db.fired, "call %u", n);
		if (!db.fired)
			break;
		expect_none("a call that failed");
	}
	cr_assert_str_eq(ask(&w, "SELECT (SELECT count(*) FROM advisory) +"
				 " (SELECT count(*) FROM advisory_package)"),
			 "2");
}

Test(advisory, what_the_database_takes_by_half_is_undone)
{
	static const char names[] = OSV("\"A\"", TIME, ENTRY "," NAMED("Pub", "q", "[\"1.0.0\"]"));

	sql(&w, "CREATE TRIGGER refused BEFORE INSERT ON advisory_package WHEN NEW.package = 'q'"
		" BEGIN SELECT RAISE(ABORT, 'by the registry'); END");
	cr_assert_eq(take(names), -EIO);
	cr_assert(said("by the registry", NULL));
	expect_none("half of it");
	sql(&w, "DROP TRIGGER refused");
	cr_assert_eq(take(names), ADVISED_ADDED);
}

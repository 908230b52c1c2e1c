/* SPDX-License-Identifier: BSD-3-Clause */
/* set_test.c - columns of a row by hand: which may be set, to what they may be and nothing else. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "../db/fixture.h"
#include "compiler.h"
#include "memory.h"
#include "set.h"

#define NAME_OF_65 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AT_MOST	   4 /* assignments of a row below */

static struct world w;

static void open_world(void)
{
	world_open(&w);
	sql(&w, "INSERT INTO package (name) VALUES ('p'), ('q');"
		"INSERT INTO package_version (package, version, pubspec) VALUES"
		" ('p', '1.0.0', '{}'), ('p', '1.0.0+1', '{}'), ('q', '1.0.0', '{}')");
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(set, .init = open_world, .fini = close_world);

/* What `pubfs set TARGET ASSIGNMENT...` does; NULL ends them. */
static int set(const char *target, const char *const *assignments)
{
	CLEANUP(set_release) struct set set;
	char *argv[AT_MOST] = { NULL };
	size_t n = 0;
	int r;

	for (; n < AT_MOST && assignments[n]; n++)
		argv[n] = xstrdup(assignments[n]);
	r = set_parse(target, argv, n, &set);
	if (r == 0)
		r = set_apply(w.db, &set);
	for (size_t i = 0; i < n; i++)
		free(argv[i]);
	return r;
}

static int set_one(const char *target, const char *column, const char *value)
{
	CLEANUP(free_char) char *assignment = xasprintf("%s=%s", column, value);
	const char *const assignments[AT_MOST] = { assignment };

	return set(target, assignments);
}

/* How often something of a package or a version was changed, by whatever. */
static int changes(void)
{
	return count_of(&w, "p") + count_of(&w, "q");
}

enum kind { FLAG, COUNT, PACKAGE, VERSION, TEXT, TAGS, KINDS };

static const struct {
	const char *name;
	enum kind kind;
	bool nullable;
} package_columns[] = {
	{ "moderated", FLAG, false },	    { "deleted", FLAG, false },
	{ "discontinued", FLAG, false },    { "replaced_by", PACKAGE, true },
	{ "unlisted", FLAG, false },	    { "latest_version", VERSION, true },
	{ "publisher", TEXT, true },	    { "likes", COUNT, false },
	{ "granted_points", COUNT, false }, { "max_points", COUNT, false },
	{ "download_count_30d", COUNT, true }, { "tags", TAGS, false },
};
static const char *const version_columns[] = { "moderated", "deleted", "retracted" };

/* What a value of each kind may be, and what it may not; NULL ends them. */
static const struct {
	const char *good[8], *bad[16];
} values[KINDS] = {
	[FLAG] = { { "true", "false", "1", "0" },
		   { "yes", "2", "TRUE", " true", "true ", "null", "-1", "01", "t" } },
	[COUNT] = { { "0", "7", "9223372036854775807" },
		    { "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "9223372036854775808", "null",
		      "true", "\xd9\xa1" } },
	[PACKAGE] = { { "q", "_", "not_there" },
		      { "a/b", "..", "a b", "9a", "a@1.0.0", "q\n", NAME_OF_65 } },
	[VERSION] = { { "1.0.0", "2.0.0-dev+3", "9.9.9" },
		      { "1.0", "01.0.0", "v1.0.0", "1.0.0\n", " 1.0.0", "latest" } },
	[TEXT] = { { "dart.dev", "it's \"\xc3\xbc\" <&>", "\t\n\x01", "null" },
		   { "\xff", "\xc3", "a\xc0\x80", "\xf5\x80\x80\x80" } },
	[TAGS] = { { "[]", "[\"sdk:dart\"]", "[ \"a\" ,\"\\u00fc\"]" },
		   { "{}", "[", "[1]", "[null]", "\"a\"", "[\"a\",[\"b\"]]", "[\"\xff\"]",
		     "[\"a\"] x", "a,b" } },
};

Test(set, each_column_takes_what_it_may_be_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(package_columns); i++) {
		const char *column = package_columns[i].name;
		enum kind kind = package_columns[i].kind;
		int before;

		for (size_t v = 0; values[kind].good[v]; v++) {
			const char *value = values[kind].good[v], *read;

			cr_assert_eq(set_one("p", column, value), 0, "%s=%s", column, value);
			read = ask(&w, "SELECT %s FROM package WHERE name = 'p'", column);
			if (kind == FLAG)
				value = *value == 't' || *value == '1' ? "1" : "0";
			cr_assert_str_eq(read, value, "%s", column);
		}
		before = changes();
		for (size_t v = 0; values[kind].bad[v]; v++) {
			cr_assert_eq(set_one("p", column, values[kind].bad[v]), -EINVAL, "%s=%s",
				     column, values[kind].bad[v]);
			cr_assert(said(column, " is ", values[kind].bad[v], NULL));
		}
		cr_assert_eq(changes(), before, "%s", column);
	}
}

Test(set, nothing_behind_the_equals_sign_is_null_where_that_may_be)
{
	for (size_t i = 0; i < ARRAY_SIZE(package_columns); i++) {
		const char *column = package_columns[i].name;

		cr_assert_eq(set_one("p", column, values[package_columns[i].kind].good[0]), 0);
		cr_assert_eq(set_one("p", column, ""), package_columns[i].nullable ? 0 : -EINVAL,
			     "%s", column);
		cr_assert_str_eq(ask(&w, "SELECT %s IS NULL FROM package WHERE name = 'p'", column),
				 package_columns[i].nullable ? "1" : "0", "%s", column);
	}
	cr_assert_eq(set_one("p@1.0.0", "retracted", ""), -EINVAL);
}

Test(set, a_version_has_columns_of_its_own_and_no_other_is_touched)
{
	for (size_t i = 0; i < ARRAY_SIZE(version_columns); i++) {
		const char *column = version_columns[i];

		for (size_t v = 0; values[FLAG].bad[v]; v++)
			cr_assert_eq(set_one("p@1.0.0+1", column, values[FLAG].bad[v]), -EINVAL);
		cr_assert_eq(set_one("p@1.0.0+1", column, "true"), 0);
		cr_assert_str_eq(ask(&w, "SELECT group_concat(package || version) FROM package_version"
					 " WHERE %s", column),
				 "p1.0.0+1", "%s", column);
		cr_assert_eq(set_one("p@1.0.0+1", column, "false"), 0);
	}
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package WHERE moderated OR deleted"), "0");
	cr_assert_eq(count_of(&w, "q"), 2, "its two rows were added");
}

Test(set, what_is_no_column_to_be_set_is_refused)
{
	static const char *const of_none[] = {
		"name",	   "created", "updated",     "latest_advisory", "package", "version",
		"pubspec", "archive_sha256", "change", "rowid", "", "Likes", "likes ", "like",
	};
	int before = changes();

	for (size_t i = 0; i < ARRAY_SIZE(of_none); i++) {
		cr_assert_eq(set_one("p", of_none[i], "1"), -EINVAL, "%s", of_none[i]);
		cr_assert(said("a package has no", of_none[i], NULL));
		cr_assert_eq(set_one("p@1.0.0", of_none[i], "1"), -EINVAL, "%s", of_none[i]);
		cr_assert(said("a version has no", of_none[i], NULL));
	}
	cr_assert_eq(set_one("p", "retracted", "true"), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(package_columns); i++)
		if (package_columns[i].kind != FLAG)
			cr_assert_eq(set_one("p@1.0.0", package_columns[i].name, "1"), -EINVAL);
	cr_assert_eq(set_one("p@1.0.0", "discontinued", "true"), -EINVAL);
	cr_assert_eq(set_one("p@1.0.0", "unlisted", "true"), -EINVAL);
	cr_assert_eq(changes(), before);
}

Test(set, what_is_no_package_or_version_is_refused_and_what_is_not_there_is_said)
{
	static const struct {
		const char *target, *said;
	} rows[] = {
		{ "", "'' is no name of a package" },
		{ "@1.0.0", "'' is no name of a package" },
		{ "a/b", "'a/b' is no name of a package" },
		{ "..", "'..' is no name of a package" },
		{ "p ", "'p ' is no name of a package" },
		{ "9a", "'9a' is no name of a package" },
		{ NAME_OF_65, "is no name of a package" },
		{ "p@", "'' is no version in canonical form" },
		{ "p@1.0", "'1.0' is no version in canonical form" },
		{ "p@01.0.0", "'01.0.0' is no version in canonical form" },
		{ "p@../1.0.0", "'../1.0.0' is no version in canonical form" },
		{ "p@1.0.0@1", "'1.0.0@1' is no version in canonical form" },
	};
	int before = changes();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(set_one(rows[i].target, "moderated", "true"), -EINVAL, "%s",
			     rows[i].target);
		cr_assert(said(rows[i].said, NULL), "%s", rows[i].target);
	}
	cr_assert_eq(set_one("none", "moderated", "true"), -ENOENT);
	cr_assert(said("none is not in the database", NULL));
	cr_assert_eq(set_one("P", "moderated", "true"), -ENOENT, "case is significant");
	cr_assert_eq(set_one("p@2.0.0", "moderated", "true"), -ENOENT);
	cr_assert(said("p@2.0.0 is not in the database", NULL));
	cr_assert_eq(set_one("none@1.0.0", "moderated", "true"), -ENOENT);
	cr_assert_eq(set_one("none", "purged", "true"), -ENOENT);
	cr_assert_eq(set_one("p@2.0.0", "purged", "true"), -ENOENT);
	cr_assert_eq(changes(), before);
}

Test(set, all_of_a_call_is_set_or_nothing)
{
	static const struct {
		const char *assignments[AT_MOST], *said;
	} rows[] = {
		{ { "likes=7", "unlisted=7" }, "unlisted is true or false, not '7'" },
		{ { "likes=7", "likes=8" }, "likes is set twice" },
		{ { "likes=7", "unlisted" }, "'unlisted' is no change: write NAME=VALUE" },
		{ { "likes=7", "" }, "'' is no change" },
		{ { "likes=7", "purged=true" }, "purged=true removes the row" },
		{ { "purged=true", "likes=7" }, "purged=true removes the row" },
		{ { "purged=false" }, "purged=true removes the row" },
		{ { "purged=" }, "purged=true removes the row" },
		{ { "purged" }, "'purged' is no change" },
	};
	static const char *const sound[] = { "likes=7", "discontinued=true", "replaced_by=q",
					     "publisher=a=b" };
	int before = changes();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(set("p", rows[i].assignments), -EINVAL, "row %zu", i);
		cr_assert(said(rows[i].said, NULL), "row %zu", i);
	}
	cr_assert_eq(changes(), before);
	cr_assert_eq(set("p", sound), 0);
	cr_assert_str_eq(ask(&w, "SELECT likes || replaced_by || publisher FROM package"
				 " WHERE discontinued AND name = 'p'"),
			 "7qa=b");
	cr_assert_eq(count_of(&w, "q"), 2, "nothing of another package");
}

Test(set, a_purge_removes_a_version_or_a_package_with_all_of_them)
{
	cr_assert_eq(set_one("p@1.0.0", "purged", "true"), 0);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(package || version) FROM package_version"),
			 "p1.0.0+1,q1.0.0");
	cr_assert_eq(set_one("p", "purged", "true"), 0);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(package || version) FROM package_version"),
			 "q1.0.0");
	cr_assert_str_eq(ask(&w, "SELECT group_concat(name) FROM package"), "q");
}

Test(set, what_changes_nothing_counts_nothing)
{
	int before;

	cr_assert_eq(set_one("p", "publisher", "x.dev"), 0);
	before = changes();
	cr_assert_eq(set_one("p", "publisher", "x.dev"), 0);
	cr_assert_eq(set_one("p", "unlisted", "false"), 0);
	cr_assert_eq(set_one("p@1.0.0", "retracted", "0"), 0);
	cr_assert_eq(changes(), before);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* trigger_test.c - what plain SQL of any program does to `change`, `updated`, `latest_advisory`. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

#define A16 "aaaaaaaaaaaaaaaa"
#define A64 A16 A16 A16 A16
#define OLD "2020-01-01T00:00:00.000Z"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(trigger, .init = open_world, .fini = close_world);

/* An OSV document that names packages p1 to pn (and `other` packages of another ecosystem). */
static char *osv_naming(int n, int other)
{
	struct strbuf osv = STRBUF_INIT(1 << 20);

	strbuf_addstr(&osv, "{\"affected\":[null,\"x\",{\"package\":7},"
			    "{\"package\":{\"ecosystem\":\"Pub\"}}");
	for (int i = 1; i <= n; i++)
		for (int twice = 0; twice < 2; twice++)
			strbuf_addf(&osv, ",{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"p%d\"}}",
				    i);
	for (int i = 1; i <= other; i++)
		strbuf_addf(&osv, ",{\"package\":{\"ecosystem\":\"npm\",\"name\":\"n%d\"}}", i);
	strbuf_addstr(&osv, "]}");
	return strbuf_detach(&osv);
}

static void two_packages(void)
{
	sql(&w,
	    "INSERT INTO package (name, created, updated) VALUES ('p1', '" OLD "', '" OLD "'),"
	    " ('p2', '" OLD "', '" OLD "');"
	    "INSERT INTO package_version (package, version, pubspec) VALUES ('p1', '1.0.0', '{}');"
	    "UPDATE package SET updated = '" OLD "'");
	forget_moves(&w);
}

/* One statement on p1 (which has version 1.0.0), and what is seen of it. */
static const struct {
	const char *sql;
	int bumps;
	bool updated;
} statements[] = {
	{ "UPDATE package SET moderated = 1 WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET deleted = 1 WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET discontinued = 1 WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET replaced_by = 'p2' WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET unlisted = 1 WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET latest_version = '1.0.0' WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET latest_advisory = '" OLD "' WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET publisher = 'dart.dev' WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET created = '2019-01-01T00:00:00.000Z' WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET discontinued = 0, moderated = 0 WHERE name = 'p1'", 0, false },
	{ "UPDATE package SET likes = 5, granted_points = 1, max_points = 2,"
	  " download_count_30d = 3, tags = '[\"a\"]' WHERE name = 'p1'",
	  1, false },
	{ "UPDATE package SET likes = 5 WHERE name = 'p1'", 1, false },
	{ "UPDATE package SET granted_points = 5 WHERE name = 'p1'", 1, false },
	{ "UPDATE package SET max_points = 5 WHERE name = 'p1'", 1, false },
	{ "UPDATE package SET download_count_30d = 5 WHERE name = 'p1'", 1, false },
	{ "UPDATE package SET tags = '[\"a\"]' WHERE name = 'p1'", 1, false },
	{ "UPDATE package SET likes = 0, tags = '[]' WHERE name = 'p1'", 0, false },
	{ "UPDATE package SET likes = 5, unlisted = 1 WHERE name = 'p1'", 1, true },
	{ "UPDATE package SET moderated = 1, updated = '" OLD "' WHERE name = 'p1'", 1, true },
	{ "DELETE FROM package WHERE name = 'p1'", 1, false },
	{ "DELETE FROM package", 1, false },
	{ "UPDATE package SET name = 'p3' WHERE name = 'p1'", 1, false },
	{ "INSERT INTO package (name) VALUES ('p1') ON CONFLICT DO NOTHING", 0, false },
	{ "INSERT INTO package (name) VALUES ('p1') ON CONFLICT (name) DO UPDATE SET unlisted = 1", 1,
	  true },
	{ "INSERT INTO package_version (package, version, pubspec) VALUES ('p1', '2.0.0', '{}')", 1,
	  true },
	{ "INSERT INTO package_version (package, version, pubspec)"
	  " VALUES ('p1', '1.0.0', '{\"a\":1}')"
	  " ON CONFLICT (package, version) DO UPDATE SET pubspec = excluded.pubspec",
	  1, true },
	{ "UPDATE package_version SET created = '" OLD "'", 1, true },
	{ "UPDATE package_version SET pubspec = '{ }'", 1, true },
	{ "UPDATE package_version SET archive_sha256 = 'ab'", 1, true },
	{ "UPDATE package_version SET retracted = 1", 1, true },
	{ "UPDATE package_version SET moderated = 1", 1, true },
	{ "UPDATE package_version SET deleted = 1", 1, true },
	{ "UPDATE package_version SET version = '1.0.1'", 1, true },
	{ "UPDATE package_version SET retracted = 0, pubspec = '{}'", 0, false },
	{ "UPDATE package_version SET package = 'p2'", 1, true },
	{ "DELETE FROM package_version", 1, true },
	{ "DELETE FROM package_version WHERE version = '9.9.9'", 0, false },
};

Test(trigger, each_statement_counts_once_and_only_if_it_changes_something)
{
	two_packages();
	sql(&w, "INSERT INTO package (name, updated) VALUES ('other', '" OLD "')");
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		int before = count_of(&w, "p1");
		const char *updated;

		sql(&w, "BEGIN");
		sql(&w, "%s", statements[i].sql);
		cr_assert_eq(count_of(&w, "p1") - before, statements[i].bumps, "%s",
			     statements[i].sql);
		updated = ask(&w, "SELECT updated > '" OLD "' FROM package WHERE name = 'p1'");
		cr_assert_eq(!strcmp(updated, "1"), statements[i].updated, "%s: updated",
			     statements[i].sql);
		cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package WHERE name = 'other'"
					 " AND updated > '" OLD "'"),
				 "0", "%s: of another one", statements[i].sql);
		sql(&w, "ROLLBACK");
	}
}

Test(trigger, the_count_outlives_the_package_and_its_digits_differ)
{
	CLEANUP(free_char) char *first = NULL, *second = NULL;

	sql(&w, "INSERT INTO package (name) VALUES ('p1')");
	cr_assert_eq(count_of(&w, "p1"), 1);
	first = xstrdup(ask(&w, "SELECT change FROM package_change"));
	sql(&w, "DELETE FROM package");
	cr_assert_eq(count_of(&w, "p1"), 2);
	cr_assert_str_neq(strchr(ask(&w, "SELECT change FROM package_change"), '-'),
			  strchr(first, '-'), "each change has digits of its own");
	second = xstrdup(ask(&w, "SELECT change FROM package_change"));
	sql(&w, "INSERT INTO package (name) VALUES ('p1'), ('p2')");
	cr_assert_eq(count_of(&w, "p1"), 3);
	cr_assert_str_neq(
		strchr(ask(&w, "SELECT change FROM package_change WHERE package = 'p1'"), '-'),
		strchr(second, '-'));
	cr_assert_str_neq(ask(&w, "SELECT change FROM package_change WHERE package = 'p2'"), first,
			  "the same n of another package, other digits");
}

Test(trigger, a_moved_version_and_a_renamed_package_count_for_both_names)
{
	two_packages();
	sql(&w, "UPDATE package_version SET package = 'p2'");
	cr_assert_eq(count_of(&w, "p2"), 2);
	forget_moves(&w);
	sql(&w, "UPDATE package SET updated = '" OLD "'");
	sql(&w, "UPDATE package SET name = 'p3' WHERE name = 'p2'");
	cr_assert_eq(count_of(&w, "p2"), 3);
	cr_assert_eq(count_of(&w, "p3"), 1);
	cr_assert_str_eq(ask(&w, "SELECT updated > '" OLD "' FROM package WHERE name = 'p3'"), "1",
			 "a new name moves the time");
}

Test(trigger, a_package_that_is_renamed_is_one_that_goes_and_one_that_comes)
{
	two_packages();
	sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'p2' WHERE name = 'p1';"
		"INSERT INTO advisory (id, osv, synced) VALUES ('A', '{}', '2023-05-05T05:05:05.123Z'),"
		" ('B', '{}', '2024-05-05T05:05:05.123Z'), ('C', '{}', '2022-05-05T05:05:05.123Z');"
		"INSERT INTO advisory_package VALUES ('A', 'p3'), ('B', 'p3'), ('C', 'p3');"
		"UPDATE package SET updated = '" OLD "'");
	forget_moves(&w);
	cr_assert_eq(count_of(&w, "p1"), 3);
	sql(&w, "UPDATE package SET name = 'p3' WHERE name = 'p2'");
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package WHERE name = 'p1'"), "");
	cr_assert_eq(count_of(&w, "p1"), 4);
	cr_assert_str_eq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), OLD);
	cr_assert_str_eq(ask(&w, "SELECT latest_advisory FROM package WHERE name = 'p3'"),
			 "2024-05-05T05:05:05.123Z");
}

Test(trigger, versions_may_come_before_their_package)
{
	sql(&w,
	    "INSERT INTO package_version (package, version, pubspec) VALUES ('p1', '1.0.0', '{}')");
	sql(&w, "INSERT INTO package (name) VALUES ('p1')");
	cr_assert_eq(count_of(&w, "p1"), 2);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "1");
}

Test(trigger, updated_never_goes_back_and_is_believed_when_it_is_written)
{
	two_packages();
	sql(&w, "UPDATE package SET updated = '2999-01-01T00:00:00.000Z' WHERE name = 'p1'");
	sql(&w, "UPDATE package_version SET retracted = 1");
	cr_assert_str_eq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"),
			 "2999-01-01T00:00:00.000Z", "later than now");
	sql(&w, "UPDATE package SET unlisted = 1 WHERE name = 'p1'");
	cr_assert_str_eq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"),
			 "2999-01-01T00:00:00.000Z", "by the package's own row, too");
	forget_moves(&w);
	sql(&w, "UPDATE package SET discontinued = 1, updated = '2021-01-01T00:00:00.000Z'"
		" WHERE name = 'p1'");
	cr_assert_str_eq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"),
			 "2021-01-01T00:00:00.000Z");
}

Test(trigger, replaced_by_goes_when_discontinued_is_switched_off)
{
	two_packages();
	sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'p2' WHERE name = 'p1'");
	sql(&w, "UPDATE package SET unlisted = 1 WHERE name = 'p1'");
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package WHERE name = 'p1'"), "p2");
	sql(&w, "UPDATE package SET discontinued = 0 WHERE name = 'p1'");
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package WHERE name = 'p1'"), "");
	cr_assert_eq(count_of(&w, "p1"), 5, "made, a version, and three changes");
}

Test(trigger, a_purge_clears_who_was_replaced_by_it_and_moves_no_time)
{
	two_packages();
	sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'p2' WHERE name = 'p1';"
		"UPDATE package SET updated = '" OLD "'");
	cr_assert_eq(count_of(&w, "p1"), 3);
	sql(&w, "DELETE FROM package WHERE name = 'p2'");
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package WHERE name = 'p1'"), "");
	cr_assert_str_eq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), OLD);
	cr_assert_eq(count_of(&w, "p1"), 4, "its listing changes all the same");
}

Test(trigger, a_replaced_by_that_goes_while_its_package_stays_moves_the_time)
{
	two_packages();
	sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'p2' WHERE name = 'p1';"
		"UPDATE package SET updated = '" OLD "'");
	sql(&w, "UPDATE package SET replaced_by = NULL WHERE name = 'p1'");
	cr_assert_str_gt(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), OLD);
}

static void set_advisory(const char *id, const char *synced, int n, int other)
{
	CLEANUP(free_char) char *osv = osv_naming(n, other);

	sql(&w, "INSERT INTO advisory (id, osv, synced) VALUES ('%s', '%s', '%s')", id, osv,
	    synced);
}

static void name_package(const char *id, const char *package)
{
	sql(&w, "INSERT INTO advisory_package VALUES ('%s', '%s')", id, package);
}

static const char *advised(const char *package)
{
	return ask(&w, "SELECT latest_advisory FROM package WHERE name = '%s'", package);
}

#define SYNCED "2024-05-05T05:05:05.123Z"

Test(trigger, an_advisory_and_the_names_in_it_come_in_any_order)
{
	for (int names_first = 0; names_first < 2; names_first++) {
		sql(&w, "BEGIN");
		two_packages();
		if (names_first)
			name_package("A", "p1");
		cr_assert_eq(count_of(&w, "p1"), 2, "a name alone is in no document");
		set_advisory("A", SYNCED, 1, 0);
		if (!names_first)
			cr_assert_eq(count_of(&w, "p1"), 2, "an advisory alone neither");
		if (!names_first)
			name_package("A", "p1");
		cr_assert_eq(count_of(&w, "p1"), 3);
		cr_assert_str_eq(advised("p1"), SYNCED);
		cr_assert_str_gt(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), OLD);
		cr_assert_str_eq(advised("p2"), "");
		cr_assert_eq(count_of(&w, "p2"), 1);
		sql(&w, "ROLLBACK");
	}
}

Test(trigger, an_advisory_and_the_names_in_it_go_in_any_order)
{
	static const char *const ways[][2] = {
		{ "DELETE FROM advisory", "DELETE FROM advisory_package" },
		{ "DELETE FROM advisory_package", "DELETE FROM advisory" },
	};

	two_packages();
	set_advisory("A", SYNCED, 1, 0);
	name_package("A", "p1");
	sql(&w, "UPDATE package SET updated = '" OLD "'");
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		CLEANUP(free_char) char *then = NULL;

		sql(&w, "BEGIN");
		then = xstrdup(ask(&w, "SELECT strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now')"));
		sql(&w, "%s", ways[i][0]);
		cr_assert_eq(count_of(&w, "p1"), 4);
		cr_assert_str_geq(advised("p1"), then, "the time of the removal");
		cr_assert_str_geq(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), then);
		sql(&w, "%s", ways[i][1]);
		cr_assert_eq(count_of(&w, "p1"), 4, "nothing changed any more");
		sql(&w, "ROLLBACK");
	}
}

Test(trigger, latest_advisory_never_goes_back_whatever_the_digits)
{
	static const struct {
		const char *synced, *latest;
	} steps[] = {
		{ "2024-01-01T00:00:00.123Z", "2024-01-01T00:00:00.123Z" },
		{ "2024-01-01T00:00:00.123456Z", "2024-01-01T00:00:00.123456Z" },
		{ "2024-01-01T00:00:00.123Z", "2024-01-01T00:00:00.123456Z" },
		{ "2024-01-01T00:00:00.124Z", "2024-01-01T00:00:00.124Z" },
		{ "2023-12-31T23:59:59.999999Z", "2024-01-01T00:00:00.124Z" },
		{ "2024-01-01T00:00:01.000Z", "2024-01-01T00:00:01.000Z" },
	};

	two_packages();
	set_advisory("A", "2000-01-01T00:00:00.000Z", 1, 0);
	name_package("A", "p1");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int before = count_of(&w, "p1");

		sql(&w, "UPDATE advisory SET synced = '%s'", steps[i].synced);
		cr_assert_str_eq(advised("p1"), steps[i].latest, "step %zu", i);
		cr_assert_eq(count_of(&w, "p1"), before + 1, "step %zu", i);
	}
	sql(&w,
	    "UPDATE package SET latest_advisory = '2999-01-01T00:00:00.000Z' WHERE name = 'p1'");
	sql(&w, "DELETE FROM advisory");
	cr_assert_str_eq(advised("p1"), "2999-01-01T00:00:00.000Z");
}

Test(trigger, an_advisory_about_more_than_fifty_packages_moves_no_times)
{
	static const struct {
		int pub, other;
		bool moves;
	} rows[] = {
		{ 1, 0, true },	 { 50, 0, true },  { 51, 0, false },
		{ 1, 60, true }, { 50, 60, true }, { 51, 60, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sql(&w, "BEGIN");
		two_packages();
		name_package("A", "p1");
		set_advisory("A", SYNCED, rows[i].pub, rows[i].other);
		cr_assert_eq(count_of(&w, "p1"), 3, "its document changes all the same");
		cr_assert_str_eq(advised("p1"), rows[i].moves ? SYNCED : "", "row %zu", i);
		cr_assert_eq(
			!!strcmp(ask(&w, "SELECT updated FROM package WHERE name = 'p1'"), OLD),
			rows[i].moves, "row %zu", i);
		name_package("A", "p2");
		cr_assert_str_eq(advised("p2"), rows[i].moves ? SYNCED : "", "row %zu", i);
		cr_assert_eq(count_of(&w, "p2"), 2);
		cr_assert_eq(
			!!strcmp(ask(&w, "SELECT updated FROM package WHERE name = 'p2'"), OLD),
			rows[i].moves, "row %zu, a name alone", i);
		sql(&w, "DELETE FROM advisory");
		cr_assert_eq(count_of(&w, "p1"), 4);
		cr_assert_eq(!!*advised("p1"), rows[i].moves, "row %zu, removed", i);
		sql(&w, "ROLLBACK");
	}
}

Test(trigger, an_advisory_that_grows_past_fifty_stops_moving_times)
{
	CLEANUP(free_char) char *large = osv_naming(51, 0);

	two_packages();
	name_package("A", "p1");
	set_advisory("A", SYNCED, 1, 0);
	sql(&w, "UPDATE advisory SET osv = '%s', synced = '2025-01-01T00:00:00.000Z'", large);
	cr_assert_str_eq(advised("p1"), SYNCED);
	cr_assert_eq(count_of(&w, "p1"), 4);
}

Test(trigger, updates_of_advisories_that_change_nothing_count_nothing)
{
	two_packages();
	set_advisory("A", SYNCED, 1, 0);
	name_package("A", "p1");
	sql(&w, "UPDATE advisory SET synced = synced, osv = osv || ''");
	sql(&w, "UPDATE advisory_package SET package = package");
	cr_assert_eq(count_of(&w, "p1"), 3);
	sql(&w, "UPDATE advisory SET osv = osv || ' '");
	cr_assert_eq(count_of(&w, "p1"), 4);
}

Test(trigger, a_renamed_advisory_leaves_its_packages)
{
	two_packages();
	set_advisory("A", SYNCED, 2, 0);
	name_package("A", "p1");
	name_package("B", "p2");
	sql(&w, "UPDATE advisory SET id = 'B'");
	cr_assert_str_gt(advised("p1"), SYNCED, "removed from it now");
	cr_assert_eq(count_of(&w, "p1"), 4);
	cr_assert_str_eq(advised("p2"), SYNCED);
	cr_assert_eq(count_of(&w, "p2"), 2);
	sql(&w, "UPDATE advisory_package SET advisory = 'B' WHERE package = 'p1'");
	cr_assert_eq(count_of(&w, "p1"), 5);
}

Test(trigger, a_name_that_moves_to_another_package_or_advisory_counts_for_both)
{
	two_packages();
	set_advisory("A", SYNCED, 2, 0);
	set_advisory("B", "2025-01-01T00:00:00.000Z", 2, 0);
	name_package("A", "p1");
	sql(&w, "UPDATE advisory_package SET package = 'p2'");
	cr_assert_str_gt(advised("p1"), SYNCED);
	cr_assert_eq(count_of(&w, "p1"), 4);
	cr_assert_str_eq(advised("p2"), SYNCED);
	cr_assert_eq(count_of(&w, "p2"), 2);
	sql(&w, "UPDATE package SET latest_advisory = NULL");
	sql(&w, "UPDATE advisory_package SET advisory = 'Z'");
	cr_assert_str_gt(advised("p2"), "2025-01-01T00:00:00.000Z", "removed now");
}

Test(trigger, a_package_that_comes_after_its_advisory_has_its_time)
{
	name_package("A", "p1");
	name_package("B", "p1");
	name_package("C", "p1");
	set_advisory("A", SYNCED, 1, 0);
	set_advisory("B", "2023-01-01T00:00:00.000Z", 1, 0);
	set_advisory("C", "2025-01-01T00:00:00.000Z", 51, 0);
	cr_assert_eq(count_of(&w, "p1"), 0, "there is no such package");
	two_packages();
	cr_assert_str_eq(advised("p1"), SYNCED, "not the third: it names too many");
	cr_assert_str_eq(advised("p2"), "");
}

Test(trigger, an_advisory_that_is_not_json_is_taken_and_noticed)
{
	two_packages();
	name_package("A", "p1");
	sql(&w, "INSERT INTO advisory VALUES ('A', 'not { json', '" SYNCED "')");
	cr_assert_eq(count_of(&w, "p1"), 3);
	sql(&w, "UPDATE advisory SET osv = '[1]'");
	sql(&w, "UPDATE advisory SET osv = '{\"affected\":{\"package\":1}}'");
	cr_assert_eq(count_of(&w, "p1"), 5);
}

Test(trigger, names_and_flags_are_checked_when_they_are_written)
{
	static const struct {
		const char *sql;
		bool taken;
	} rows[] = {
		{ "INSERT INTO package (name) VALUES ('_a9Z')", true },
		{ "INSERT INTO package (name) VALUES ('" A64 "')", true },
		{ "INSERT INTO package (name) VALUES ('a" A64 "')", false },
		{ "INSERT INTO package (name) VALUES ('')", false },
		{ "INSERT INTO package (name) VALUES ('9a')", false },
		{ "INSERT INTO package (name) VALUES ('a-b')", false },
		{ "INSERT INTO package (name) VALUES ('a.d')", false },
		{ "INSERT INTO package (name) VALUES ('a/b')", false },
		{ "INSERT INTO package (name) VALUES (NULL)", false },
		{ "INSERT INTO package (name, moderated) VALUES ('b', 1)", true },
		{ "INSERT INTO package (name, discontinued) VALUES ('b', NULL)", false },
		{ "INSERT INTO package_version (package, version, pubspec) VALUES ('b', '1', '{}')",
		  true },
		{ "INSERT INTO package_version (package, version, pubspec) VALUES ('b-', '1', "
		  "'{}')",
		  false },
		{ "INSERT INTO package_version (package, version, pubspec) VALUES ('b', '1', NULL)",
		  false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sql(&w, "BEGIN");
		cr_assert_eq(sql_is_taken(&w, rows[i].sql), rows[i].taken, "%s", rows[i].sql);
		sql(&w, "ROLLBACK");
	}
}

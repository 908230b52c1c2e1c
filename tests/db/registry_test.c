/* SPDX-License-Identifier: BSD-3-Clause */
/* registry_test.c - the newest versions, the ranking, one package's state, and changes by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "db.h"
#include "fixture.h"
#include "memory.h"
#include "package.h"
#include "strbuf.h"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(registry, .init = open_world, .fini = close_world);

static int add_newest(void *ctx, const struct newest *n)
{
	strbuf_addf(ctx, "%s@%s %s%s%s\n", n->package, n->version->version,
		    n->visible ? "" : "hidden ", n->publisher ? n->publisher : "-",
		    n->version->retracted ? " retracted" : "");
	return 0;
}

Test(registry, the_newest_versions_come_by_time_and_then_by_name)
{
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(4096);

	sql(&w, "INSERT INTO package (name, publisher, deleted) VALUES ('b', 'x.dev', 0),"
		" ('a', NULL, 1), ('c', NULL, 0);"
		"INSERT INTO package_version (package, version, created, pubspec, retracted) VALUES"
		" ('b', '2.0.0', '2024-01-01T00:00:00.123Z', '{}', 0),"
		" ('b', '1.0.0', '2024-01-01T00:00:00.123Z', '{}', 1),"
		" ('a', '1.0.0', '2024-01-01T00:00:00.123456Z', '{}', 0),"
		" ('c', '1.0.0', '2024-01-01T00:00:00.122', '{}', 0),"
		" ('c', '0.9.0', '2023-01-01T00:00:00Z', '{}', 0),"
		" ('orphan', '1.0.0', '2025-01-01T00:00:00Z', '{}', 0)");
	cr_assert_eq(db_newest(w.db, 4, add_newest, &got), 0);
	cr_assert_str_eq(got.buf, "a@1.0.0 hidden -\nb@1.0.0 x.dev retracted\nb@2.0.0 x.dev\n"
				  "c@1.0.0 -\n");
}

static int stop(void *ctx, const struct newest *n)
{
	(void)ctx;
	(void)n;
	return -E2BIG;
}

Test(registry, a_caller_of_the_newest_may_stop)
{
	sql(&w, "INSERT INTO package (name) VALUES ('a');"
		"INSERT INTO package_version (package, version, pubspec) VALUES ('a', '1.0.0', '{}')");
	cr_assert_eq(db_newest(w.db, 4, stop, NULL), -E2BIG);
}

static int add_ranked(void *ctx, const char *package, const char *latest)
{
	strbuf_addf(ctx, "%s:%s ", package, latest ? latest : "-");
	return 0;
}

Test(registry, the_ranking_is_by_likes_and_then_by_name_and_has_what_is_offered)
{
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(4096);

	sql(&w, "INSERT INTO package (name, likes, latest_version, moderated, deleted, discontinued,"
		" unlisted) VALUES ('b', 5, NULL, 0, 0, 0, 0), ('a', 5, '1.0.0', 0, 0, 0, 0),"
		" ('B', 5, NULL, 0, 0, 0, 0), ('z', 10, NULL, 0, 0, 0, 0), ('m', 9, NULL, 1, 0, 0, 0),"
		" ('d', 9, NULL, 0, 1, 0, 0), ('c', 9, NULL, 0, 0, 1, 0), ('u', 9, NULL, 0, 0, 0, 1)");
	cr_assert_eq(db_ranked(w.db, add_ranked, &got), 0);
	cr_assert_str_eq(got.buf, "z:- B:- a:1.0.0 b:- ");
}

static int add_versions(void *ctx, size_t i, const struct package *pkg)
{
	strbuf_addf(ctx, "%zu %s:", i, pkg->name);
	for (const char *v = "123"; *v; v++) { /* they come in no order */
		CLEANUP(free_char) char *text = xasprintf("%c.0.0", *v);
		const struct package_version *found = package_find_version(pkg, text, strlen(text));

		if (found)
			strbuf_addf(ctx, " %s%s", text, found->deleted ? " deleted" : "");
	}
	strbuf_addf(ctx, "%s\n", pkg->latest_version ? " latest" : "");
	return 0;
}

static int stop_at_versions(void *ctx, size_t i, const struct package *pkg)
{
	(void)ctx;
	(void)pkg;
	return i == 2 ? -E2BIG : 0;
}

Test(registry, versions_of_many_packages_come_in_the_order_that_was_asked_for)
{
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(4096);
	char c[] = "c", a[] = "a", bad[] = "bad", b[] = "b", none[] = "none", odd[] = "o\"\\{,} '";
	char *const names[] = { c, none, a, bad, odd, b };

	sql(&w, "INSERT INTO package (name, latest_version) VALUES ('a', '1.0.0'), ('b', NULL),"
		" ('c', NULL), ('bad', NULL), ('empty', NULL);"
		"INSERT INTO package_version (package, version, created, pubspec, deleted) VALUES"
		" ('b', '2.0.0', '2024-01-01T00:00:00.123Z', '{}', 0),"
		" ('bad', '1.0.0', '2024-01-01T00:00:00.123Z', '{}', 0),"
		" ('bad', '2.0.0', 'infinity', '{}', 0),"
		" ('bad', '3.0.0', '2024-01-01T00:00:00.123Z', '{}', 0),"
		" ('a', '1.0.0', '2024-01-01T00:00:00.123Z', '{}', 1),"
		" ('a', '3.0.0', '2024-01-01T00:00:00.123Z', '{}', 0),"
		" ('c', '1.0.0', '2024-01-01T00:00:00.123Z', '{}', 0)");
	cr_assert_eq(db_versions(w.db, names, ARRAY_SIZE(names), add_versions, &got), 0);
	cr_assert_str_eq(got.buf, "0 c: 1.0.0\n2 a: 1.0.0 deleted 3.0.0\n5 b: 2.0.0\n");
	cr_assert(said("package bad", "created is not a time", NULL));
	cr_assert_eq(db_versions(w.db, names, ARRAY_SIZE(names), stop_at_versions, NULL), -E2BIG);
	cr_assert_eq(db_versions(w.db, names, 0, add_versions, &got), 0);
}

Test(registry, what_was_recorded_of_one_name_is_read_back)
{
	char change[] = "1-aa", renderer[] = "2 x";
	struct export_record record = { "latest", "", { change, renderer, { 7 }, 0, NULL } };
	struct export_state state;

	cr_assert_eq(db_state(w.db, "mem:", "latest", "", &state), -ENOENT);
	cr_assert_eq(db_record(w.db, "mem:", &record, 1), 0);
	cr_assert_eq(db_state(w.db, "mem:", "latest", "", &state), 0);
	cr_assert_str_eq(state.change, "1-aa");
	cr_assert_str_eq(state.renderer, "2 x");
	cr_assert_eq(state.seen[0], 7);
	cr_assert(!state.attempts && !state.last_error);
	export_state_release(&state);
	cr_assert_eq(db_state(w.db, "mem:", "2026.08.18", "", &state), -ENOENT);
	cr_assert_eq(db_state(w.db, "dir:/", "latest", "", &state), -ENOENT);
}

Test(registry, columns_are_set_by_their_types)
{
	const struct db_value package[] = {
		{ "replaced_by", DB_TEXT, 0, "it's" },	{ "discontinued", DB_FLAG, 1, NULL },
		{ "likes", DB_NUMBER, 12345678901, NULL }, { "publisher", DB_NULL, 0, NULL },
	};
	const struct db_value version[] = { { "retracted", DB_FLAG, 1, NULL } };

	sql(&w, "INSERT INTO package (name, publisher) VALUES ('a', 'x.dev'), ('b', 'x.dev');"
		"INSERT INTO package_version (package, version, pubspec) VALUES"
		" ('a', '1.0.0', '{}'), ('a', '2.0.0', '{}')");
	cr_assert_eq(db_set(w.db, "a", NULL, package, ARRAY_SIZE(package)), 0);
	cr_assert_eq(db_set(w.db, "a", "1.0.0", version, 1), 0);
	cr_assert_str_eq(ask(&w, "SELECT replaced_by FROM package WHERE name = 'a'"), "it's");
	cr_assert_str_eq(ask(&w, "SELECT discontinued FROM package WHERE name = 'a'"), "1");
	cr_assert_str_eq(ask(&w, "SELECT likes FROM package WHERE name = 'a'"), "12345678901");
	cr_assert_str_eq(ask(&w, "SELECT publisher IS NULL FROM package WHERE name = 'a'"), "1");
	cr_assert_str_eq(ask(&w, "SELECT publisher FROM package WHERE name = 'b'"), "x.dev");
	cr_assert_str_eq(ask(&w, "SELECT group_concat(version) FROM package_version WHERE retracted"),
			 "1.0.0");
	cr_assert_eq(db_set(w.db, "c", NULL, package, 1), -ENOENT);
	cr_assert_eq(db_set(w.db, "a", "3.0.0", version, 1), -ENOENT);
}

Test(registry, a_purge_removes_a_version_or_a_package_with_all_of_them)
{
	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b');"
		"INSERT INTO package_version (package, version, pubspec) VALUES"
		" ('a', '1.0.0', '{}'), ('a', '2.0.0', '{}'), ('b', '1.0.0', '{}'),"
		" ('c', '1.0.0', '{}')");
	cr_assert_eq(db_purge(w.db, "a", "1.0.0"), 0);
	cr_assert_eq(db_purge(w.db, "a", "1.0.0"), -ENOENT);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "3");
	cr_assert_eq(db_purge(w.db, "a", NULL), 0);
	cr_assert_eq(db_purge(w.db, "a", NULL), -ENOENT);
	cr_assert_eq(db_purge(w.db, "c", NULL), -ENOENT);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package_version"), "2", "all or nothing");
	cr_assert_str_eq(ask(&w, "SELECT group_concat(name) FROM package"), "b");
}

static void put(const char *osv, int64_t synced, char *const *packages, size_t n)
{
	struct advisory a = { xstrdup("A-1"), xstrdup(osv), strlen(osv), synced };

	cr_assert_eq(db_put_advisory(w.db, &a, packages, n), 0);
	advisory_release(&a);
}

Test(registry, an_advisory_is_put_with_its_names_and_removed_with_them)
{
	char first[] = "a", second[] = "b", *both[] = { first, second }, *one[] = { second };
	struct advisory a;

	sql(&w, "INSERT INTO package (name) VALUES ('a'), ('b')");
	cr_assert_eq(db_advisory(w.db, "A-1", &a), -ENOENT);
	put("{}", 1000000, both, 2);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(latest_advisory) FROM package"),
			 "1970-01-01T00:00:01.000Z,1970-01-01T00:00:01.000Z");
	put("{ }", 2000000, one, 1);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(package) FROM advisory_package"), "b");
	cr_assert_str_eq(ask(&w, "SELECT latest_advisory FROM package WHERE name = 'b'"),
			 "1970-01-01T00:00:02.000Z");
	cr_assert_str_gt(ask(&w, "SELECT latest_advisory FROM package WHERE name = 'a'"), "2000",
			 "a name that goes is a removal");
	cr_assert_eq(db_advisory(w.db, "A-1", &a), 0);
	cr_assert_str_eq(a.osv, "{ }");
	cr_assert_eq(a.synced, 2000000);
	advisory_release(&a);
	cr_assert_eq(db_remove_advisory(w.db, "A-1"), 0);
	cr_assert_eq(db_remove_advisory(w.db, "A-1"), -ENOENT);
	cr_assert_str_eq(ask(&w, "SELECT (SELECT count(*) FROM advisory) +"
				 " (SELECT count(*) FROM advisory_package)"),
			 "0");
	cr_assert_str_gt(ask(&w, "SELECT latest_advisory FROM package WHERE name = 'b'"), "2000");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* noticed_test.c - what changes a document moves the `change` of its package, whoever wrote it and
 * in whatever order, and nothing else does: the documents themselves are compared. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "fixture.h"
#include "memory.h"
#include "package.h"
#include "render.h"
#include "strbuf.h"

#define OLD	      "2020-01-01T00:00:00.000Z"
#define OTHER	      "2021-01-01T00:00:00.000Z"
#define A16	      "aaaaaaaaaaaaaaaa"
#define OSV(summary)  "{\"id\":\"x\",\"modified\":\"m\",\"summary\":\"" summary "\"}"
#define DOCUMENTS_MAX (1 << 20)

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(noticed, .init = open_world, .fini = close_world);

/* With two versions, and an advisory of its own; replaced by q. */
static void add_package(const char *name)
{
	sql(&w,
	    "INSERT INTO package (name, created, updated, discontinued, replaced_by)"
	    " VALUES ('%s', '" OLD "', '" OLD "', 1, 'q');"
	    "INSERT INTO advisory (id, osv, synced) VALUES ('A-%s', '" OSV("x") "', '" OLD "');"
	    "INSERT INTO advisory_package VALUES ('A-%s', '%s')",
	    name, name, name, name);
	for (int v = 1; v <= 2; v++)
		sql(&w,
		    "INSERT INTO package_version (package, version, created, pubspec)"
		    " VALUES ('%s', '%d.0.0', '" OLD "', '{\"name\":\"%s\",\"version\":\"%d.0.0\"}')",
		    name, v, name, v);
}

static void add_documents(const struct package *pkg, struct strbuf *out)
{
	static const struct rendering how = { .base_url = "https://pub.example" };
	CLEANUP(releases_release) struct release_list releases = { .n = 0 };

	cr_assert_eq(releases_select(pkg, &how, &releases), 0);
	strbuf_addf(out, "%zu of %zu\n", releases.n, releases.n_rows);
	for (size_t i = 0; releases.n && i < n_package_documents; i++) {
		strbuf_addf(out, "%s: ", package_documents[i].name);
		cr_assert_eq(package_documents[i].body(pkg, &releases, &how, out), 0);
	}
	for (size_t i = 0; i < pkg->n_versions; i++) /* whose archive is to go */
		if (!package_version_is_visible(&pkg->versions[i]))
			strbuf_addf(out, "not %s\n", pkg->versions[i].version);
}

/* All that an export makes of a package. Owned. */
static char *documents_of(const char *name)
{
	struct strbuf out = STRBUF_INIT(DOCUMENTS_MAX);
	struct package pkg;
	int r = db_package(w.db, name, &pkg);

	if (r < 0) {
		cr_assert_eq(r, -ENOENT, "%s", name);
		return xstrdup("none");
	}
	for (size_t i = 0; i < pkg.n_advisories; i++) /* clients would not ask for it otherwise */
		cr_assert(pkg.has_latest_advisory && pkg.latest_advisory >= pkg.advisories[i].synced,
			  "%s", name);
	if (package_is_visible(&pkg))
		add_documents(&pkg, &out);
	else
		strbuf_addstr(&out, "withheld");
	package_release(&pkg);
	cr_assert_eq(strbuf_error(&out), 0);
	return strbuf_detach(&out);
}

/* Each column of the row that `where` has of a package, set to something else; what that does to
 * the package's change, its documents and its `updated`. */
static const struct {
	const char *table, *column, *value, *where;
	bool noticed, shown, moves;
} columns[] = {
#define ROW "name = 'p%zu'"
	{ "package", "name", "name || 'z'", ROW, true, true, true },
	/* only the feed of a package of which nothing is offered has it */
	{ "package", "created", "'" OTHER "'", ROW, true, false, true },
	{ "package", "updated", "'" OTHER "'", ROW, false, false, true },
	{ "package", "moderated", "1", ROW, true, true, true },
	{ "package", "deleted", "1", ROW, true, true, true },
	{ "package", "discontinued", "0", ROW, true, true, true },
	{ "package", "replaced_by", "'r'", ROW, true, true, true },
	{ "package", "unlisted", "1", ROW, true, true, true },
	{ "package", "latest_version", "'1.0.0'", ROW, true, true, true },
	{ "package", "latest_advisory", "'" OTHER "'", ROW, true, true, true },
	{ "package", "likes", "5", ROW, true, true, false },
	{ "package", "publisher", "'x.dev'", ROW, true, true, true },
	{ "package", "granted_points", "5", ROW, true, true, false },
	{ "package", "max_points", "5", ROW, true, true, false },
	{ "package", "download_count_30d", "5", ROW, true, true, false },
	{ "package", "tags", "'[\"t\"]'", ROW, true, true, false },
#undef ROW
#define ROW "package = 'p%zu' AND version = '1.0.0'"
	{ "package_version", "package", "package || 'z'", ROW, true, true, true },
	{ "package_version", "version", "'1.0.1'", ROW, true, true, true },
	{ "package_version", "created", "'" OTHER "'", ROW, true, true, true },
	{ "package_version", "pubspec", "replace(pubspec, '}', ',\"x\":1}')", ROW, true, true, true },
	{ "package_version", "archive_sha256", "'" A16 A16 A16 A16 "'", ROW, true, true, true },
	{ "package_version", "retracted", "1", ROW, true, true, true },
	{ "package_version", "moderated", "1", ROW, true, true, true },
	{ "package_version", "deleted", "1", ROW, true, true, true },
#undef ROW
#define ROW "id = 'A-p%zu'"
	{ "advisory", "id", "id || 'z'", ROW, true, true, true },
	{ "advisory", "osv", "'" OSV("y") "'", ROW, true, true, true },
	{ "advisory", "synced", "'" OTHER "'", ROW, true, true, true },
#undef ROW
#define ROW "package = 'p%zu'"
	{ "advisory_package", "advisory", "advisory || 'z'", ROW, true, true, true },
	{ "advisory_package", "package", "package || 'z'", ROW, true, true, true },
#undef ROW
};

Test(noticed, every_column_of_the_four_tables_is_in_the_list)
{
	static const char *const tables[] = { "package", "package_version", "advisory",
					      "advisory_package" };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		CLEANUP(free_char)
		char *all = xasprintf(world_is_postgresql()
					      ? "SELECT count(*) FROM information_schema.columns"
						" WHERE table_schema = 'pubfs' AND table_name = '%s'"
					      : "SELECT count(*) FROM pragma_table_info('%s')",
				      tables[i]);
		int n = 0;

		for (size_t k = 0; k < ARRAY_SIZE(columns); k++)
			n += !strcmp(columns[k].table, tables[i]);
		cr_assert_eq(n, atoi(ask(&w, "%s", all)), "%s", tables[i]);
	}
}

/* What a change of the i-th package is to leave alone. */
static char *changes_of_others(size_t i)
{
	return xstrdup(ask(&w, "SELECT group_concat(change) FROM package_change"
			       " WHERE package NOT IN ('p%zu', 'p%zuz')",
			   i, i));
}

static char *updated_of(size_t i)
{
	return xstrdup(ask(&w, "SELECT updated FROM package WHERE name IN ('p%zu', 'p%zuz')", i, i));
}

/* The statement that sets the i-th column in the i-th package's row. */
static char *statement_of(size_t i)
{
	CLEANUP(free_char) char *where = NULL;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	where = xasprintf(columns[i].where, i);
#pragma GCC diagnostic pop
	return xasprintf("UPDATE %s SET %s = %s WHERE %s", columns[i].table, columns[i].column,
			 columns[i].value, where);
}

Test(noticed, a_column_alone_is_noticed_where_a_document_has_it)
{
	sql(&w, "INSERT INTO package (name) VALUES ('q'), ('r')");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		CLEANUP(free_char) char *name = xasprintf("p%zu", i);

		add_package(name);
	}
	sql(&w, "UPDATE package SET updated = '" OLD "'");
	forget_moves(&w);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		CLEANUP(free_char) char *name = xasprintf("p%zu", i), *statement = statement_of(i);
		CLEANUP(free_char) char *text = documents_of(name), *others = changes_of_others(i);
		CLEANUP(free_char) char *updated = updated_of(i), *now = NULL, *then = NULL;
		CLEANUP(free_char) char *others_then = NULL;
		int before = count_of(&w, name);

		sql(&w, "%s", statement);
		now = documents_of(name);
		then = updated_of(i);
		others_then = changes_of_others(i);
		cr_assert_eq(count_of(&w, name) - before, columns[i].noticed, "%s", statement);
		cr_assert_eq(strcmp(text, now) != 0, columns[i].shown, "%s: %s became %s",
			     statement, text, now);
		cr_assert_eq(strcmp(updated, then) != 0, columns[i].moves, "%s: %s, then %s",
			     statement, updated, then);
		cr_assert_str_eq(others, others_then, "%s: of another one", statement);
	}
}

/* What anyone may write: of a package P (and Q), a version V, an advisory I (and J). */
static const char *const writes[] = {
	"INSERT INTO package (name) VALUES ('@P')",
	"INSERT INTO package (name, discontinued, replaced_by) VALUES ('@P', 1, '@Q')",
	"DELETE FROM package WHERE name = '@P'",
	"UPDATE package SET name = '@Q' WHERE name = '@P'",
	"UPDATE package SET discontinued = 1, replaced_by = '@Q' WHERE name = '@P'",
	"UPDATE package SET discontinued = 0 WHERE name = '@P'",
	"UPDATE package SET moderated = 1 WHERE name = '@P'",
	"UPDATE package SET moderated = 0 WHERE name = '@P'",
	"INSERT INTO package_version (package, version, pubspec)"
	" VALUES ('@P', '@V', '{\"name\":\"@P\",\"version\":\"@V\"}')",
	"DELETE FROM package_version WHERE package = '@P' AND version = '@V'",
	"DELETE FROM package_version WHERE package = '@P'",
	"UPDATE package_version SET package = '@Q', pubspec = replace(pubspec, '\"@P\"', '\"@Q\"')"
	" WHERE package = '@P'",
	"UPDATE package_version SET deleted = 1 WHERE package = '@P' AND version = '@V'",
	"UPDATE package_version SET retracted = 1 WHERE package = '@P'",
	"INSERT INTO advisory (id, osv) VALUES ('@I', '" OSV("@P") "')",
	"DELETE FROM advisory WHERE id = '@I'",
	"UPDATE advisory SET id = '@J' WHERE id = '@I'",
	"UPDATE advisory SET osv = '" OSV("@Q") "' WHERE id = '@I'",
	"INSERT INTO advisory_package VALUES ('@I', '@P')",
	"DELETE FROM advisory_package WHERE advisory = '@I' AND package = '@P'",
	"DELETE FROM advisory_package WHERE package = '@P'",
	"UPDATE advisory_package SET package = '@Q' WHERE package = '@P'",
	"UPDATE advisory_package SET advisory = '@J' WHERE advisory = '@I'",
};

static const char *const names[] = { "a", "b", "c", "d" };

/* One of them, with words for its letters. Owned. */
static char *draw_write(void)
{
	static const char *const versions[] = { "1.0.0", "2.0.0" }, *const ids[] = { "A", "B" };
	const char *words['V' + 1] = {
		['P'] = names[(size_t)rand() % ARRAY_SIZE(names)],
		['Q'] = names[(size_t)rand() % ARRAY_SIZE(names)],
		['V'] = versions[rand() % 2],
		['I'] = ids[rand() % 2],
		['J'] = ids[rand() % 2],
	};
	const char *text = writes[(size_t)rand() % ARRAY_SIZE(writes)], *at;
	struct strbuf out = STRBUF_INIT(4096);

	for (; (at = strchr(text, '@')); text = at + 2) {
		strbuf_add(&out, text, (size_t)(at - text));
		strbuf_addstr(&out, words[(size_t)at[1]]);
	}
	strbuf_addstr(&out, text);
	return strbuf_detach(&out);
}

/* Of each package: the documents that it has, and its change. */
struct state {
	char *documents[ARRAY_SIZE(names)], *change[ARRAY_SIZE(names)];
};

static void read_state(struct state *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		ret->documents[i] = documents_of(names[i]);
		ret->change[i] = xstrdup(ask(
			&w, "SELECT change FROM package_change WHERE package = '%s'", names[i]));
	}
}

static void release_state(struct state *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		free(state->documents[i]);
		free(state->change[i]);
	}
}

#define STEPS 250

Test(noticed, no_document_changes_unnoticed_whatever_is_written)
{
	const char *wanted = getenv("PUBFS_TEST_SEED");
	unsigned seed = wanted ? (unsigned)strtoul(wanted, NULL, 10) : (unsigned)clock_now();
	CLEANUP(release_state) struct state before;

	fprintf(stderr, "PUBFS_TEST_SEED=%u\n", seed);
	srand(seed);
	read_state(&before);
	for (int step = 0; step < STEPS; step++) {
		CLEANUP(free_char) char *first = draw_write(), *second = draw_write();
		CLEANUP(free_char) char *write = NULL;
		bool both = rand() % 4 == 0;
		struct state after;

		write = xasprintf("BEGIN; %s%s%s; COMMIT", first, both ? "; " : "",
				  both ? second : "");
		if (!sql_is_taken(&w, write))
			sql(&w, "ROLLBACK");
		read_state(&after);
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			cr_assert(!strcmp(before.documents[i], after.documents[i]) ||
					  strcmp(before.change[i], after.change[i]) != 0,
				  "seed %u, step %d, of %s: %s\n%s\nbecame\n%s", seed, step, names[i],
				  write, before.documents[i], after.documents[i]);
		release_state(&before);
		before = after;
	}
}

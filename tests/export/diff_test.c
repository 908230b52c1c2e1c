/* SPDX-License-Identifier: BSD-3-Clause */
/* diff_test.c - two prefixes compared by hash: what is a difference, why, and what it costs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "diff.h"
#include "memory.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define BIG	 ((size_t)16 << 20)
#define PACKAGES 1500 /* two pages of the comparison, and some */

/* index > counter > mem: */
static struct store *driver, *counter, *store;
static char cache[] = "/tmp/pubfs-diff-XXXXXX";

static void init(void)
{
	cr_assert(mkdtemp(cache));
	cr_assert_eq(store_open("mem:bucket", STORE_CREATE, &driver), 0);
	cr_assert_eq(counter_push(driver, &counter), 0);
	cr_assert_eq(index_push(counter, cache, &store), 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void fini(void)
{
	store_close(store);
	nftw(cache, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(diff, .init = init, .fini = fini);

/* How an object is put: as pubfs does it, or as other programs would. */
enum manner { OURS, FOREIGN, OTHER_TYPE };

static void put(const char *key, const char *text, enum manner manner)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	struct object_name name;
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	if (catalog_match(key, &name) != KIND_NONE)
		catalog_headers(&name, &edit.object);
	if (edit.object.gzip) {
		cr_assert_eq(gzip_encode(text, strlen(text), &stored), 0);
		if (manner == FOREIGN) /* an empty member behind it: other bytes, the same text */
			cr_assert_eq(gzip_encode("", 0, &stored), 0);
	} else {
		strbuf_addstr(&stored, text);
	}
	body = body_of_strbuf(&stored);
	if (manner != FOREIGN) {
		sha256(text, strlen(text), edit.object.sha256);
		edit.object.has_sha256 = true;
	}
	if (manner == OTHER_TYPE) {
		free(edit.object.type);
		edit.object.type = xstrdup("text/plain");
	}
	cr_assert_eq(store_edit(store, &edit, 1), 0);
	edit_release(&edit, 1);
}

static const struct diff_side *side(struct diff_side *s, const char *prefix)
{
	*s = (struct diff_side){ store, prefix };
	return s;
}

static int add_line(void *ctx, const struct difference *d)
{
	static const char *const signs[LIKENESSES] = {
		[LIKE_HEADERS] = "h", [LIKE_UNKNOWN] = "?", [LIKE_DIFFERENT] = "!",
		[LIKE_ONLY_A] = "<",  [LIKE_ONLY_B] = ">",
	};

	strbuf_addf(ctx, "%s %s\n", signs[d->likeness], d->name);
	cr_assert_eq(!d->a, d->likeness == LIKE_ONLY_B);
	cr_assert_eq(!d->b, d->likeness == LIKE_ONLY_A);
	return 0;
}

static void expect_differences(const char *expected)
{
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	struct diff_side a, b;
	struct diff_sizes sizes;

	cr_assert_eq(diff_sides(side(&a, "latest/"), side(&b, "2026.08.18/"), add_line, &found,
				&sizes),
		     0);
	cr_assert_str_eq(found.buf, expected, "%s", found.buf);
}

static const unsigned char one[SHA256_SIZE] = { 1 }, two[SHA256_SIZE] = { 2 };

Test(diff, an_equal_size_is_never_enough)
{
	const struct {
		struct fingerprint a, b;
		enum likeness expected;
	} rows[] = {
		/* the hash of the decoded bytes goes before all else */
		{ { .sha256 = one, .md5 = one }, { .sha256 = one, .md5 = two }, LIKE_SAME },
		{ { .sha256 = one, .md5 = one }, { .sha256 = two, .md5 = one }, LIKE_DIFFERENT },
		{ { .sha256 = one }, { .sha256 = one, .headers = 5 }, LIKE_HEADERS },
		{ { .sha256 = one, .gzip = true }, { .sha256 = one }, LIKE_HEADERS },
		/* one side does not have it: the stored bytes */
		{ { .sha256 = one, .md5 = one }, { .md5 = one }, LIKE_SAME },
		{ { .md5 = one }, { .md5 = two }, LIKE_DIFFERENT },
		{ { .md5 = one, .gzip = true }, { .md5 = two, .gzip = true }, LIKE_UNKNOWN },
		{ { .md5 = one, .gzip = true }, { .md5 = one }, LIKE_UNKNOWN },
		{ { .md5 = one, .foreign_encoding = true }, { .md5 = one }, LIKE_UNKNOWN },
		{ { .md5 = one, .headers = 5 }, { .md5 = one }, LIKE_HEADERS },
		{ { .has_crc32c = true, .crc32c = 7, .size = 3 },
		  { .has_crc32c = true, .crc32c = 7, .size = 3 },
		  LIKE_SAME },
		{ { .has_crc32c = true, .crc32c = 7, .size = 3 },
		  { .has_crc32c = true, .crc32c = 7, .size = 4 },
		  LIKE_DIFFERENT },
		{ { .has_crc32c = true, .crc32c = 7 }, { .has_crc32c = true, .crc32c = 8 },
		  LIKE_DIFFERENT },
		/* no hash in common */
		{ { .size = 3 }, { .size = 3 }, LIKE_UNKNOWN },
		{ { .sha256 = one, .size = 3 }, { .md5 = one, .size = 3 }, LIKE_UNKNOWN },
		{ { .size = 3 }, { .size = 4 }, LIKE_DIFFERENT },
		{ { .size = 3, .gzip = true }, { .size = 4, .gzip = true }, LIKE_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(diff_likeness(&rows[i].a, &rows[i].b), rows[i].expected, "row %zu", i);
		cr_assert_eq(diff_likeness(&rows[i].b, &rows[i].a), rows[i].expected, "row %zu", i);
	}
}

Test(diff, names_what_differs_in_their_order)
{
	put("latest/api/packages/a", "{}", OURS);
	put("2026.08.18/api/packages/a", "{}", OURS);
	put("latest/api/packages/b", "{}", OURS);
	put("2026.08.18/api/packages/c", "{}", OURS);
	put("latest/api/packages/d", "{}", OURS);
	put("2026.08.18/api/packages/d", "[]", OURS);
	put("latest/api/packages/e", "{}", OTHER_TYPE);
	put("2026.08.18/api/packages/e", "{}", OURS);
	put("latest/api/packages/f", "{}", FOREIGN);
	put("2026.08.18/api/packages/f", "{}", OURS);
	put("2026.08.18/api/packages/g", "{}", OURS);
	expect_differences("< api/packages/b\n> api/packages/c\n! api/packages/d\n"
			   "h api/packages/e\n? api/packages/f\n> api/packages/g\n");
}

Test(diff, asks_nothing_of_a_store_whose_index_knows_both_prefixes)
{
	struct store_counts counts;

	for (int i = 0; i < PACKAGES; i++) {
		char key[64];

		snprintf(key, sizeof(key), "latest/api/packages/p%04d", i);
		if (i != 1)
			put(key, "{}", OURS);
		snprintf(key, sizeof(key), "2026.08.18/api/packages/p%04d", i);
		if (i != PACKAGES - 1)
			put(key, i == 1024 ? "[]" : "{}", OURS);
	}
	expect_differences("> api/packages/p0001\n! api/packages/p1024\n< api/packages/p1499\n");
	counter_read(counter);
	expect_differences("> api/packages/p0001\n! api/packages/p1024\n< api/packages/p1499\n");
	counts = counter_read(counter);
	cr_assert_eq(counts.stat + counts.read + counts.list + counts.refresh, 0);
}

static int stop(void *ctx, const struct difference *d)
{
	(void)d;
	return ++*(int *)ctx == 2 ? -EPIPE : 0;
}

Test(diff, ends_when_it_is_told_to)
{
	struct diff_side a, b;
	struct diff_sizes sizes;
	int calls = 0;

	put("latest/api/packages/a", "{}", OURS);
	put("latest/api/packages/b", "{}", OURS);
	put("latest/api/packages/c", "{}", OURS);
	cr_assert_eq(diff_sides(side(&a, "latest/"), side(&b, "2026.08.18/"), stop, &calls, &sizes),
		     -EPIPE);
	cr_assert_eq(calls, 2);
}

#define LISTING(entry)                                                                             \
	"{\"name\":\"p\",\"latest\":{\"version\":\"1.0.0\"},\"versions\":[" entry "]}"
#define ENTRY(members) "{\"version\":\"1.0.0\"" members "}"

Test(diff, each_cause_is_known_by_the_bodies)
{
	static const struct {
		enum kind kind;
		const char *a, *b;
		unsigned expected;
	} rows[] = {
		{ KIND_LISTING, "{}", "{}", 1u << CAUSE_GZIP },
		{ KIND_LISTING, "{\"a\":1,\"b\":2}", "{ \"b\": 2, \"a\": 1}",
		  1u << CAUSE_SPELLING },
		{ KIND_ADVISORIES,
		  "{\"advisories\":[],\"advisoriesUpdated\":\"1970-01-01T00:00:00.000\"}",
		  "{\"advisories\":[],\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}",
		  1u << CAUSE_NO_ZONE },
		{ KIND_ADVISORIES, "{\"advisoriesUpdated\":\"1970-01-01T00:00:00.000\"}",
		  "{\"advisoriesUpdated\":\"1970-01-01T00:00:00.001Z\"}", 1u << CAUSE_TIME },
		{ KIND_LISTING, LISTING(ENTRY(",\"published\":\"2024-01-01T00:00:00.000Z\"")),
		  LISTING(ENTRY(",\"published\":\"2025-01-01T00:00:00.000Z\"")), 1u << CAUSE_TIME },
		{ KIND_LISTING, LISTING(ENTRY("")), LISTING(ENTRY("") ",{\"version\":\"2.0.0\"}"),
		  1u << CAUSE_VERSIONS },
		{ KIND_LISTING, LISTING(ENTRY(",\"retracted\":true")), LISTING(ENTRY("")),
		  1u << CAUSE_RETRACTED },
		{ KIND_LISTING, LISTING(ENTRY(",\"archive_url\":\"https://a/x\"")),
		  LISTING(ENTRY(",\"archive_url\":\"https://b/x\"")), 1u << CAUSE_BASE_URL },
		{ KIND_LISTING, LISTING(ENTRY(",\"pubspec\":{\"a\":1}")),
		  LISTING(ENTRY(",\"pubspec\":{\"a\":2}")), 1u << CAUSE_PUBSPEC },
		{ KIND_LISTING, LISTING(ENTRY(",\"archive_sha256\":\"00\"")),
		  LISTING(ENTRY(",\"archive_sha256\":\"01\"")), 1u << CAUSE_HASH },
		{ KIND_LISTING, "{\"isDiscontinued\":true}", "{}", 1u << CAUSE_STATE },
		{ KIND_LISTING, "{\"replacedBy\":\"a\"}", "{\"replacedBy\":\"b\"}",
		  1u << CAUSE_STATE },
		/* another latest version: what is said of it differs for no other reason */
		{ KIND_LISTING, "{\"latest\":{\"version\":\"1.0.0\",\"pubspec\":{\"a\":1}}}",
		  "{\"latest\":{\"version\":\"2.0.0\",\"pubspec\":{\"a\":2}}}",
		  1u << CAUSE_LATEST },
		{ KIND_LISTING, "{\"latest\":{\"version\":\"1.0.0\",\"pubspec\":{\"a\":1}}}",
		  "{\"latest\":{\"version\":\"1.0.0\",\"pubspec\":{\"a\":2}}}",
		  1u << CAUSE_PUBSPEC },
		{ KIND_ADVISORIES, "{\"advisories\":[{\"id\":\"A\"}]}", "{\"advisories\":[]}",
		  1u << CAUSE_ADVISORIES },
		{ KIND_ADVISORIES, "{\"advisories\":[{\"id\":\"A\",\"summary\":\"x\"}]}",
		  "{\"advisories\":[{\"id\":\"A\",\"summary\":\"y\"}]}", 1u << CAUSE_ADVISORY },
		{ KIND_LISTING, "{\"name\":\"a\"}", "{\"name\":\"b\"}", 1u << CAUSE_VALUE },
		{ KIND_LISTING, "{\"name\":", "{}", 1u << CAUSE_UNREADABLE },
		{ KIND_ARCHIVE, "abc", "abd", 1u << CAUSE_BYTES },
		/* several at once */
		{ KIND_LISTING,
		  LISTING(ENTRY(",\"retracted\":true,\"archive_url\":\"https://a/x\"")),
		  LISTING(ENTRY(",\"archive_url\":\"https://b/x\"")),
		  1u << CAUSE_RETRACTED | 1u << CAUSE_BASE_URL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf a = STRBUF_INIT(10000);
		CLEANUP(strbuf_release) struct strbuf b = STRBUF_INIT(10000);
		unsigned found;

		strbuf_addstr(&a, rows[i].a);
		strbuf_addstr(&b, rows[i].b);
		found = diff_causes(rows[i].kind, &a, &b);
		cr_assert_eq(found, rows[i].expected, "%s and %s: %#x", a.buf, b.buf, found);
		cr_assert_eq(diff_causes(rows[i].kind, &b, &a), rows[i].expected, "row %zu", i);
	}
}

Test(diff, an_explanation_reads_what_differs_by_its_body_and_nothing_else)
{
	CLEANUP(explanation_release) struct explanation e;
	struct diff_side a, b;
	struct store_counts counts;

	put("latest/api/packages/a", "{}", OURS); /* the same */
	put("2026.08.18/api/packages/a", "{}", OURS);
	put("latest/api/packages/b", "{}", OURS); /* absent */
	put("latest/api/packages/c", "{}", FOREIGN); /* read */
	put("2026.08.18/api/packages/c", "{}", OURS);
	put("latest/api/packages/d", "{\"isDiscontinued\":true}", FOREIGN); /* read */
	put("2026.08.18/api/packages/d", "{}", OURS);
	put("latest/api/packages/e", "{}", OTHER_TYPE); /* known by its headers */
	put("2026.08.18/api/packages/e", "{}", OURS);
	put("latest/api/archives/f-1.0.0.tar.gz", "x", OURS); /* known by its hash */
	put("2026.08.18/api/archives/f-1.0.0.tar.gz", "y", OURS);
	cr_assert_eq(store_refresh(store, "latest/", 0), 0);
	cr_assert_eq(store_refresh(store, "2026.08.18/", 0), 0);
	counter_read(counter);
	cr_assert_eq(diff_explain(side(&a, "latest/"), side(&b, "2026.08.18/"), 3, &e), 0);
	counts = counter_read(counter);
	cr_assert_eq(counts.read, 4);
	cr_assert_eq(counts.stat + counts.list, 0);
	cr_assert_eq(e.objects, 5);
	for (unsigned cause = 0; cause < CAUSES; cause++) {
		static const unsigned found = 1u << CAUSE_ABSENT_B | 1u << CAUSE_GZIP |
					      1u << CAUSE_STATE | 1u << CAUSE_HEADERS |
					      1u << CAUSE_BYTES;

		cr_assert_eq(e.counts[cause], found >> cause & 1, "%s",
			     cause_text((enum cause)cause));
	}
	cr_assert_str_eq(e.examples[CAUSE_STATE], "api/packages/d");
}

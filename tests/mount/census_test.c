/* SPDX-License-Identifier: BSD-3-Clause */
/* census_test.c - what is counted of the bucket, and which of it no path shows. */
#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "compiler.h"
#include "expect.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"
#include "tree_world.h"

/* What `.pubfs/unmapped` says: one name after another. */
static char *unmapped_names(struct world *w)
{
	struct strbuf names = STRBUF_INIT(1 << 16);
	int r;
	CLEANUP(free_char) char *text = read_path(w, ".pubfs/unmapped", &r);

	cr_assert_eq(r, 0);
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
		json_t *entry = json_loads(line, 0, NULL);

		cr_assert_not_null(json_object_get(entry, "why"), "%s", line);
		strbuf_addf(&names, "%s|", json_string_value(json_object_get(entry, "name")));
		json_decref(entry);
	}
	return strbuf_detach(&names);
}

Test(census, what_no_path_can_show_is_counted_and_named_in_unmapped)
{
	static const char *const shown[] = { LATEST "http", LATEST "http/advisories",
					     "other/a-b",   "other/a/b-c",
					     "top",	    "zoo" };
	/* in the order in which they are noticed */
	static const char *const hidden[] = {
		".pubfs/status", "other/", "other/a\nb", "other/a", "other/a/b", "other/a/b/", "x/."
	};
	static const char *const tops[] = { "", "latest/", "other/", "x/" };
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf expected = STRBUF_INIT(1 << 16);
	CLEANUP(free_char) char *names = NULL;
	CLEANUP(free_char) char *none = NULL;
	struct tree_counts counts;

	none = unmapped_names(&w);
	cr_assert_str_eq(none, "");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		put_text(w.driver, shown[i], "12345");
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) {
		put_text(w.driver, hidden[i], "123");
		strbuf_addf(&expected, "%s|", i ? hidden[i] : ".pubfs/");
	}
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
		cr_assert_eq(store_refresh(w.store, tops[i], 0), 0);
	names = unmapped_names(&w);
	cr_assert_eq(tree_count(w.tree, &counts), 0);
	/* what lies below `.pubfs/` in the bucket was never listed */
	cr_assert_eq(counts.objects, ARRAY_SIZE(shown) + ARRAY_SIZE(hidden) - 1);
	cr_assert_eq(counts.bytes, 5 * ARRAY_SIZE(shown) + 3 * (ARRAY_SIZE(hidden) - 1));
	cr_assert_eq(counts.unmapped, ARRAY_SIZE(hidden));
	cr_assert_str_eq(names, expected.buf);
	world_remove(&w);
}

Test(census, what_was_never_listed_is_neither_asked_for_nor_counted)
{
	struct world w = world_make(LONG_TTL);
	struct tree_counts counts;
	struct node node;

	put_text(w.driver, LATEST "http", "12345");
	put_text(w.driver, "backups/huge", "123");
	cr_assert_eq(tree_count(w.tree, &counts), 0);
	cr_assert_eq(counts.objects, 0);
	cr_assert_eq(world_requests(&w), 0);
	expect_names(&w, "", "2026.08.18/ backups/ latest/ ");
	cr_assert_eq(resolve(&w, LATEST "http", &node), 0);
	world_requests(&w);
	while (counts.objects == 0) /* a count may be a moment old */
		cr_assert_eq(tree_count(w.tree, &counts), 0);
	cr_assert_eq(world_requests(&w), 0);
	cr_assert_eq(counts.objects, 1);
	cr_assert_eq(counts.bytes, 5);
	world_remove(&w);
}

Test(census, an_unchanged_bucket_is_counted_once)
{
	struct world w = world_make(LONG_TTL);
	struct tree_counts counts;
	int64_t began;

	put_text(w.store, LATEST "http", "12345");
	cr_assert_eq(store_refresh(w.store, "", 0), 0);
	cr_assert_eq(store_refresh(w.store, "latest/", 0), 0);
	cr_assert_eq(counter_push(w.store, &w.store), 0); /* counts the walks through the index */
	w.options.store = w.store;
	world_remake(&w);
	cr_assert_eq(tree_count(w.tree, &counts), 0);
	cr_assert_gt(counter_read(w.store).list, 0);
	for (began = clock_monotonic(); clock_monotonic() - began < SECOND_US / 10;)
		cr_assert_eq(tree_count(w.tree, &counts), 0);
	cr_assert_eq(counts.objects, 1);
	cr_assert_eq(counter_read(w.store).list, 0);
	world_remove(&w);
}

/* More than a megabyte of names. */
Test(census, however_many_folders_are_at_the_top_each_is_counted_and_looked_at_again)
{
	struct world w = world_make(LONG_TTL);
	struct tree_counts counts;
	struct node node;
	char key[256];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%0230d/x", i);
		put_text(w.driver, key, "1");
	}
	put_text(w.driver, "zz/1", "1");
	cr_assert_eq(store_refresh(w.store, "", 0), 0);
	cr_assert_eq(store_refresh(w.store, "zz/", 0), 0);
	cr_assert_eq(tree_count(w.tree, &counts), 0);
	cr_assert_eq(counts.objects, 1);
	put_text(w.driver, "zz/2", "1");
	cr_assert_eq(resolve(&w, "zz/2", &node), -ENOENT);
	cr_assert_eq(write_path(&w, ".pubfs/refresh", "\n"), 0);
	cr_assert_eq(resolve(&w, "zz/2", &node), 0);
	world_remove(&w);
}

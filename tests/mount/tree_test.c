/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_test.c - names, nodes, folders and attributes of the tree. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"
#include "tree_world.h"

static void expect_names(struct world *w, const char *path, const char *expected)
{
	CLEANUP(free_char) char *names = names_in(w, path);

	cr_assert_str_eq(names, expected);
}

Test(tree, an_empty_bucket_has_the_folders_that_are_always_there)
{
	struct world w = world_make(LONG_TTL);

	expect_names(&w, "", "2026.08.18/ latest/ ");
	expect_names(&w, "latest", "api/ ");
	expect_names(&w, "latest/api", "archives/ packages/ ");
	expect_names(&w, "2026.08.18/api", "archives/ packages/ ");
	expect_names(&w, "latest/api/packages", "");
	world_remove(&w);
}

Test(tree, a_package_is_a_file_and_what_lies_below_it_is_in_its_folder)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_text(w.store, LATEST "http", "{}");
	put_text(w.store, LATEST "http/advisories", "{}");
	put_text(w.store, LATEST "io", "{}");
	put_text(w.store, "latest/api/archives/http-1.0.0+1.tar.gz", "x");
	expect_names(&w, "latest/api/packages", "http http.d/ io ");
	expect_names(&w, "latest/api/packages/http.d", "advisories ");
	expect_names(&w, "latest/api/archives", "http-1.0.0+1.tar.gz ");
	cr_assert_eq(resolve(&w, LATEST "http", &node), 0);
	cr_assert_not(node.is_dir);
	cr_assert_eq(resolve(&w, LATEST "http.d", &node), 0);
	cr_assert(node.is_dir);
	cr_assert_eq(resolve(&w, LATEST "http.d/advisories", &node), 0);
	cr_assert_eq(resolve(&w, LATEST "io.d", &node), -ENOENT);
	cr_assert_eq(resolve(&w, LATEST "http/advisories", &node), -ENOENT);
	world_remove(&w);
}

Test(tree, where_a_key_is_an_object_and_a_folder_the_folder_wins)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_text(w.store, "other/a", "object");
	put_text(w.store, "other/a-b", "between the two in key order");
	put_text(w.store, "other/a/b", "below");
	expect_names(&w, "other", "a-b a/ ");
	cr_assert_eq(resolve(&w, "other/a", &node), 0);
	cr_assert(node.is_dir);
	expect_names(&w, "other/a", "b ");
	world_remove(&w);
}

Test(tree, the_folder_wins_wherever_the_two_names_stand_and_whoever_made_it)
{
	struct world w = world_make(0);
	CLEANUP(free_char) char *far = NULL;
	struct file *scratch;
	struct node node;

	put_text(w.store, "far/a", "object");
	for (unsigned i = 0; i < 600; i++) { /* several batches of names */
		CLEANUP(free_char) char *between = xasprintf("far/a-%u", i);

		put_text(w.store, between, "x");
	}
	put_text(w.store, "far/a/b", "below");
	far = names_in(&w, "far");
	cr_assert(!strncmp(far, "a-0 ", 4), "%.20s", far);
	cr_assert_str_eq(far + strlen(far) - 3, "a/ ");

	put_text(w.store, "near/x", "object");
	cr_assert_eq(mkdir_path(&w, "near/made"), 0);
	put_text(w.driver, "near/made", "an object of another host");
	expect_names(&w, "near", "made/ x ");

	put_text(w.store, "kept/a/x", "below");
	cr_assert_eq(create_path(&w, "kept/a/.x.swp", O_RDWR, 0600, &scratch), 0);
	remove_key(w.driver, "kept/a/x");
	put_text(w.driver, "kept/a", "an object of another host, where a scratch file lies below");
	expect_names(&w, "kept", "");
	cr_assert_eq(resolve(&w, "kept/a/.x.swp", &node), 0);
	file_close(scratch);
	world_remove(&w);
}

Test(tree, what_no_path_can_show_is_left_out_and_fails_nothing)
{
	struct world w = world_make(LONG_TTL);

	put_text(w.store, "other/.", "x");
	put_text(w.store, "other//x", "x");
	put_text(w.store, "other/a\nb", "x");
	put_text(w.store, "other/good", "x");
	put_text(w.store, ".pubfs/status", "x");
	expect_names(&w, "other", "good ");
	expect_names(&w, "", "2026.08.18/ latest/ other/ ");
	world_remove(&w);
}

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

Test(tree, what_no_path_can_show_is_counted_and_named_in_unmapped)
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

Test(tree, what_was_never_listed_is_neither_asked_for_nor_counted)
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

Test(tree, an_unchanged_bucket_is_counted_once)
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

Test(tree, resolve_takes_slashes_in_front_and_folders_with_one_behind)
{
	struct world w = world_make(LONG_TTL);
	static const struct {
		const char *path;
		int expected;
		bool is_dir;
	} table[] = {
		{ "", 0, true },
		{ "/", 0, true },
		{ "/latest/", 0, true },
		{ "//latest/api", 0, true },
		{ LATEST "http", 0, false },
		{ LATEST "http/", -ENOTDIR, false },
		{ LATEST "nothing", -ENOENT, false },
		{ "latest/../latest", -ENOENT, false },
		{ "late", -ENOENT, false },
		{ ".pubfs", 0, true },
		{ ".pubfs/status", 0, false },
		{ ".pubfs/nothing", -ENOENT, false },
		{ ".pubfsx", -ENOENT, false },
	};

	put_text(w.store, LATEST "http", "{}");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct node node = { .is_dir = table[i].is_dir };

		cr_expect_eq(resolve(&w, table[i].path, &node), table[i].expected, "%s",
			     table[i].path);
		cr_expect_eq(node.is_dir, table[i].is_dir, "%s", table[i].path);
	}
	world_remove(&w);
}

Test(tree, a_path_has_the_same_number_in_every_mount_and_the_root_has_one)
{
	struct world w = world_make(LONG_TTL);
	struct node root, http, again;

	put_text(w.store, LATEST "http", "{}");
	cr_assert_eq(resolve(&w, "", &root), 0);
	cr_assert_eq(root.ino, 1);
	cr_assert_eq(root.id, TREE_ROOT);
	cr_assert_eq(root.mtime, 0, "a folder has no time, since each mount would have another");
	cr_assert_eq(resolve(&w, LATEST "http", &http), 0);
	/* the first 63 bits of its SHA-256, by sha256sum */
	cr_assert_eq(http.ino, 0xc1ce3bcf3faea61eULL >> 1);
	world_remake(&w);
	cr_assert_eq(resolve(&w, LATEST "http", &again), 0);
	cr_assert_eq(again.ino, http.ino);
	world_remove(&w);
}

Test(tree, a_new_generation_is_a_new_node_and_the_old_one_is_stale)
{
	struct world w = world_make(LONG_TTL);
	struct node old, new;
	struct file *f;

	put_text(w.store, LATEST "http", "{}");
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &old), 0);
	put_text(w.store, LATEST "http", "{} ");
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &new), 0);
	cr_assert_neq(new.id, old.id);
	cr_assert_eq(new.ino, old.ino);
	cr_assert_gt(new.generation, old.generation);
	cr_assert_eq(tree_open(w.tree, old.id, 0, &f), -ESTALE);
	cr_assert_eq(tree_open(w.tree, new.id, 0, &f), 0);
	file_close(f);
	remove_key(w.store, LATEST "http");
	cr_assert_eq(tree_open(w.tree, new.id, 0, &f), -ESTALE);
	world_remove(&w);
}

Test(tree, an_id_is_never_used_again_and_unknown_when_it_was_forgotten)
{
	struct world w = world_make(LONG_TTL);
	struct node first, again, third;

	cr_assert_eq(tree_resolve(w.tree, "latest", &first), 0);
	cr_assert_eq(tree_resolve(w.tree, "latest", &again), 0);
	cr_assert_eq(first.id, again.id);
	tree_forget(w.tree, first.id, 1);
	cr_assert_eq(tree_getattr(w.tree, first.id, NULL, &again), 0);
	tree_forget(w.tree, first.id, 1);
	cr_assert_eq(tree_getattr(w.tree, first.id, NULL, &again), -ESTALE);
	cr_assert_eq(tree_resolve(w.tree, "latest", &third), 0);
	cr_assert_neq(third.id, first.id);
	tree_forget(w.tree, TREE_ROOT, 1000);
	cr_assert_eq(tree_getattr(w.tree, TREE_ROOT, NULL, &again), 0);
	world_remove(&w);
}

Test(tree, lookups_and_folders_that_are_known_cost_no_request)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *names = NULL;
	struct node node;

	for (int i = 0; i < 300; i++) {
		CLEANUP(free_char) char *key = xasprintf(LATEST "p%03d", i);
		CLEANUP(free_char) char *below = xasprintf(LATEST "p%03d/advisories", i);

		put_document(w.store, key, "{}", false);
		put_document(w.store, below, "{}", false);
	}
	cr_assert_eq(resolve(&w, LATEST "p007", &node), 0);
	world_requests(&w);
	names = names_in(&w, "latest/api/packages");
	for (int i = 0; i < 300; i++) {
		CLEANUP(free_char) char *path = xasprintf(LATEST "p%03d", i);
		CLEANUP(free_char) char *below = xasprintf(LATEST "p%03d.d/advisories", i);

		cr_assert_eq(resolve(&w, path, &node), 0);
		cr_assert_eq(node.size, 2);
		cr_assert_eq(resolve(&w, below, &node), 0);
	}
	cr_assert_eq(world_requests(&w), 0);
	world_remove(&w);
}

Test(tree, names_at_the_top_do_not_have_what_lies_below_them_listed)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	for (int i = 0; i < 5; i++) {
		CLEANUP(free_char) char *key = xasprintf("2026.08.%02d/x", i + 1);

		put_text(w.driver, key, "{}");
	}
	expect_names(&w, "",
		     "2026.08.01/ 2026.08.02/ 2026.08.03/ 2026.08.04/ 2026.08.05/ "
		     "2026.08.18/ latest/ ");
	cr_assert_eq(resolve(&w, "2026.08.03", &node), 0);
	cr_assert_eq(counter_read(w.counter).list, 1);
	world_remove(&w);
}

/* Reads a folder while its names change behind the reader. */
Test(tree, each_unchanged_name_is_read_exactly_once_while_others_come_and_go)
{
	enum { NAMES = 1500 };
	struct world w = world_make(LONG_TTL);
	int seen[NAMES] = { 0 };
	struct node node;
	const char *name;
	struct dir *d;
	int n = 0;

	for (int i = 0; i < NAMES; i++) {
		CLEANUP(free_char) char *key = xasprintf(LATEST "p%04d", i);

		put_text(w.store, key, "{}");
	}
	cr_assert_eq(tree_resolve(w.tree, "latest/api/packages", &node), 0);
	cr_assert_eq(tree_opendir(w.tree, node.id, &d), 0);
	for (; dir_next(d, &name, &node) == 1; n++) {
		int i = atoi(name + 1);

		if (strchr(name, '-'))
			continue;
		seen[i]++;
		if (i % 100 == 50) { /* one goes ahead, one behind, one comes in between */
			CLEANUP(free_char) char *gone = xasprintf(LATEST "p%04d", i - 10);
			CLEANUP(free_char) char *came = xasprintf(LATEST "p%04d-x", i - 30);

			remove_key(w.store, gone);
			put_text(w.store, came, "{}");
		}
	}
	for (int i = 0; i < NAMES; i++)
		cr_assert_eq(seen[i], 1, "p%04d was seen %d times", i, seen[i]);
	dir_close(d);
	world_remove(&w);
}

Test(tree, a_cookie_leads_back_to_its_place)
{
	enum { NAMES = 900 };
	struct world w = world_make(LONG_TTL);
	uint64_t cookies[NAMES];
	struct node node;
	const char *name;
	struct dir *d;

	for (int i = 0; i < NAMES; i++) {
		CLEANUP(free_char) char *key = xasprintf("other/p%04d", i);

		put_text(w.store, key, "x");
	}
	cr_assert_eq(tree_resolve(w.tree, "other", &node), 0);
	cr_assert_eq(tree_opendir(w.tree, node.id, &d), 0);
	for (int i = 0; i < NAMES; i++) {
		cookies[i] = dir_tell(d);
		cr_assert_eq(dir_next(d, &name, &node), 1);
	}
	cr_assert_eq(dir_next(d, &name, &node), 0);
	/* in the last batch, in the one before, long ago, at the start, and on from there */
	for (int i = NAMES - 1; i >= 0; i -= 130) {
		CLEANUP(free_char) char *expected = xasprintf("p%04d", i);

		dir_seek(d, cookies[i]);
		cr_assert_eq(dir_next(d, &name, &node), 1);
		cr_assert_str_eq(name, expected);
	}
	dir_seek(d, 0);
	cr_assert_eq(dir_next(d, &name, &node), 1);
	cr_assert_str_eq(name, "p0000");
	dir_close(d);
	world_remove(&w);
}

Test(tree, a_cookie_of_just_before_is_exact_though_the_folder_changed)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	uint64_t cookie = 0;
	const char *name;
	struct dir *d;

	for (int i = 0; i < 300; i++) {
		CLEANUP(free_char) char *key = xasprintf("other/p%04d", i);

		put_text(w.store, key, "x");
	}
	cr_assert_eq(tree_resolve(w.tree, "other", &node), 0);
	cr_assert_eq(tree_opendir(w.tree, node.id, &d), 0);
	for (int i = 0; i < 260; i++) { /* into the second batch */
		if (i == 250)
			cookie = dir_tell(d);
		cr_assert_eq(dir_next(d, &name, &node), 1);
	}
	remove_key(w.store, "other/p0003");
	dir_seek(d, cookie);
	for (int i = 250; i < 300; i++) {
		CLEANUP(free_char) char *expected = xasprintf("p%04d", i);

		cr_assert_eq(dir_next(d, &name, &node), 1);
		cr_assert_str_eq(name, expected);
	}
	cr_assert_eq(dir_next(d, &name, &node), 0);
	dir_close(d);
	world_remove(&w);
}

Test(tree, folders_of_this_mount_alone_stand_among_the_others_in_key_order)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf expected = STRBUF_INIT(1 << 20);

	for (int i = 0; i < 600; i++) {
		CLEANUP(free_char) char *key = xasprintf("other/p%04d", i);

		put_text(w.store, key, "x");
		strbuf_addf(&expected, "p%04d ", i);
		if (i % 100 == 55) {
			CLEANUP(free_char) char *folder = xasprintf("other/p%04dx", i);

			cr_assert_eq(mkdir_path(&w, folder), 0);
			strbuf_addf(&expected, "p%04dx/ ", i);
		}
	}
	cr_assert_eq(mkdir_path(&w, "other/z"), 0);
	strbuf_addstr(&expected, "z/ ");
	expect_names(&w, "other", expected.buf);
	world_remove(&w);
}

Test(tree, the_entry_that_was_read_can_be_held_as_a_lookup_would)
{
	struct world w = world_make(LONG_TTL);
	struct node folder, node, held, found;
	const char *name;
	struct dir *d;

	put_document(w.store, LATEST "a", "{\"a\":1}", false);
	put_document(w.store, LATEST "b", "{\"b\":12}", true);
	put_text(w.store, LATEST "b/x", "12");
	cr_assert_eq(tree_resolve(w.tree, "latest/api/packages", &folder), 0);
	cr_assert_eq(tree_opendir(w.tree, folder.id, &d), 0);
	world_requests(&w);

	cr_assert_eq(dir_next(d, &name, &node), 1);
	cr_assert_eq(node.id, 0);
	cr_assert_eq(dir_hold(d, &held), 1);
	cr_assert_eq(tree_lookup(w.tree, folder.id, "a", &found), 0);
	cr_assert_eq(held.id, found.id);
	cr_assert_eq(held.ino, dir_number(d));
	cr_assert_eq(held.size, 7);
	tree_forget(w.tree, held.id, 1);
	cr_assert_eq(tree_getattr(w.tree, held.id, NULL, &node), 0);
	tree_forget(w.tree, held.id, 1);
	cr_assert_eq(tree_getattr(w.tree, held.id, NULL, &node), -ESTALE);

	cr_assert_eq(dir_next(d, &name, &node), 1);
	cr_assert_str_eq(name, "b");
	cr_assert_eq(dir_hold(d, &held), 0, "its size costs a request");
	cr_assert_eq(world_requests(&w), 0);

	cr_assert_eq(dir_next(d, &name, &node), 1);
	cr_assert_str_eq(name, "b.d");
	cr_assert(node.is_dir);
	cr_assert_eq(dir_hold(d, &held), 1);
	cr_assert(held.is_dir);
	dir_close(d);
	world_remove(&w);
}

Test(tree, only_folders_can_be_read_as_folders)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct dir *d;

	put_text(w.store, LATEST "http", "{}");
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(tree_opendir(w.tree, node.id, &d), -ENOTDIR);
	cr_assert_eq(tree_opendir(w.tree, 4711, &d), -ESTALE);
	world_remove(&w);
}

Test(tree, what_another_host_did_is_seen_when_the_ttl_is_over)
{
	struct world fresh = world_make(0), lazy = world_make(LONG_TTL);
	struct node node;

	cr_assert_eq(resolve(&fresh, LATEST "http", &node), -ENOENT);
	cr_assert_eq(resolve(&lazy, LATEST "http", &node), -ENOENT);
	put_text(fresh.driver, LATEST "http", "{}");
	put_text(lazy.driver, LATEST "http", "{}");
	put_text(fresh.driver, "new/x", "{}");
	cr_assert_eq(resolve(&fresh, LATEST "http", &node), 0);
	cr_assert_eq(resolve(&lazy, LATEST "http", &node), -ENOENT);
	expect_names(&fresh, "", "2026.08.18/ latest/ new/ ");
	expect_names(&lazy, "", "2026.08.18/ latest/ ");
	world_remove(&fresh);
	world_remove(&lazy);
}

Test(tree, mkdir_and_rmdir_of_folders_without_objects)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	cr_assert_eq(mkdir_path(&w, "2030.01.01"), 0);
	cr_assert_eq(mkdir_path(&w, "2030.01.01/api"), 0);
	cr_assert_eq(mkdir_path(&w, "2030.01.01"), -EEXIST);
	expect_names(&w, "", "2026.08.18/ 2030.01.01/ latest/ ");
	expect_names(&w, "2030.01.01", "api/ ");
	cr_assert_eq(rmdir_path(&w, "2030.01.01"), -ENOTEMPTY);
	cr_assert_eq(rmdir_path(&w, "2030.01.01/api"), 0);
	cr_assert_eq(rmdir_path(&w, "2030.01.01"), 0);
	cr_assert_eq(rmdir_path(&w, "2030.01.01"), -ENOENT);
	cr_assert_eq(resolve(&w, "2030.01.01", &node), -ENOENT);
	world_remove(&w);
}

Test(tree, a_folder_that_has_objects_is_not_removed_and_stays_a_folder)
{
	struct world w = world_make(LONG_TTL);

	cr_assert_eq(mkdir_path(&w, "other"), 0);
	put_text(w.store, "other/x", "x");
	cr_assert_eq(rmdir_path(&w, "other"), -ENOTEMPTY);
	remove_key(w.store, "other/x");
	cr_assert_eq(rmdir_path(&w, "other"), 0, "mkdir's folder was still there");
	put_text(w.store, LATEST "http", "{}");
	cr_assert_eq(rmdir_path(&w, LATEST "http"), -ENOTDIR);
	world_remove(&w);
}

Test(tree, what_mkdir_and_rmdir_refuse)
{
	struct world w = world_make(LONG_TTL);
	static const char *const permanent[] = { "latest", "latest/api", "latest/api/packages",
						 "2026.08.18/api/archives" };

	for (size_t i = 0; i < ARRAY_SIZE(permanent); i++)
		cr_expect_eq(rmdir_path(&w, permanent[i]), -EBUSY, "%s", permanent[i]);
	put_text(w.store, LATEST "http", "{}");
	cr_assert_eq(mkdir_path(&w, LATEST "http"), -EEXIST);
	cr_assert_eq(mkdir_path(&w, LATEST "io"), -EINVAL, "no object could lie in it");
	cr_assert(strstr(log_last_failure(), LATEST "io"), "which is said");
	cr_assert_eq(mkdir_path(&w, LATEST "io.d"), 0);
	cr_assert_eq(mkdir_path(&w, ".pubfs/x"), -EPERM);
	cr_assert_eq(rmdir_path(&w, ".pubfs"), -EPERM);
	w.options.read_only = true;
	world_remake(&w);
	cr_assert_eq(mkdir_path(&w, "x"), -EROFS);
	cr_assert_eq(rmdir_path(&w, "x"), -EROFS);
	world_remove(&w);
}

Test(tree, a_folder_that_was_emptied_here_stays_until_rmdir)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_text(w.store, "other/deep/er/x", "x");
	put_text(w.store, "other/deep/er/y", "y");
	cr_assert_eq(unlink_path(&w, "other/deep/er/x"), 0);
	cr_assert_eq(unlink_path(&w, "other/deep/er/y"), 0);
	expect_names(&w, "other/deep", "er/ ");
	expect_names(&w, "other/deep/er", "");
	cr_assert_eq(rmdir_path(&w, "other"), -ENOTEMPTY);
	cr_assert_eq(rmdir_path(&w, "other/deep/er"), 0);
	cr_assert_eq(rmdir_path(&w, "other/deep"), 0);
	cr_assert_eq(rmdir_path(&w, "other"), 0);
	cr_assert_eq(resolve(&w, "other", &node), -ENOENT);
	put_text(w.store, "more/x", "x");
	cr_assert_eq(resolve(&w, "more", &node), 0);
	remove_key(w.store, "more/x");
	cr_assert_eq(resolve(&w, "more", &node), -ENOENT, "not by this mount");
	world_remove(&w);
}

Test(tree, unlink_removes_objects_of_any_kind_and_nothing_else)
{
	struct world w = world_make(LONG_TTL);

	put_text(w.store, LATEST "http", "{}");
	put_text(w.store, LATEST "http/advisories", "{}");
	put_text(w.store, "other/foreign", "x");
	cr_assert_eq(unlink_path(&w, LATEST "http"), 0);
	cr_assert_eq(generation_of(w.driver, LATEST "http"), 0);
	cr_assert_neq(generation_of(w.driver, LATEST "http/advisories"), 0);
	cr_assert_eq(unlink_path(&w, "other/foreign"), 0);
	cr_assert_eq(unlink_path(&w, LATEST "http"), -ENOENT);
	cr_assert_eq(unlink_path(&w, LATEST "http.d"), -EISDIR);
	cr_assert_eq(unlink_path(&w, ".pubfs/status"), -EPERM);
	w.options.read_only = true;
	world_remake(&w);
	cr_assert_eq(unlink_path(&w, LATEST "http.d/advisories"), -EROFS);
	cr_assert_neq(generation_of(w.driver, LATEST "http/advisories"), 0);
	world_remove(&w);
}

Test(tree, unlink_that_lost_a_race_is_busy_and_then_sees_the_winner)
{
	struct world w = world_make(LONG_TTL);
	uint64_t winner;

	put_text(w.store, LATEST "http", "{}");
	put_text(w.store, LATEST "io", "{}");
	expect_names(&w, "latest/api/packages", "http io ");
	winner = put_text(w.driver, LATEST "http", "{ }");
	remove_key(w.driver, LATEST "io");
	cr_assert_eq(unlink_path(&w, LATEST "http"), -EBUSY);
	cr_assert_eq(generation_of(w.driver, LATEST "http"), winner);
	cr_assert_eq(generation_of(w.store, LATEST "http"), winner);
	cr_assert_eq(unlink_path(&w, LATEST "http"), 0);
	cr_assert_eq(unlink_path(&w, LATEST "io"), 0, "not there any more is done");
	world_remove(&w);
}

static char *attribute(struct world *w, const char *path, const char *name, int *ret)
{
	struct strbuf value = STRBUF_INIT(1 << 16);
	struct node node;

	cr_assert_eq(tree_resolve(w->tree, path, &node), 0);
	*ret = tree_getxattr(w->tree, node.id, name, &value);
	tree_forget(w->tree, node.id, 1);
	return strbuf_detach(&value);
}

Test(tree, attributes_are_those_of_the_object)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *generation = NULL;
	static const struct {
		const char *name, *value;
	} table[] = {
		{ "user.pubfs.metageneration", "1" },
		{ "user.pubfs.encoding", "gzip" },
		{ "user.pubfs.type", "application/json; charset=\"utf-8\"" },
		{ "user.pubfs.cache-control", "public, max-age=120" },
		{ "user.pubfs.change", "hand" },
		{ "user.pubfs.kind", "listing" },
		{ "user.pubfs.disposition", NULL },
		{ "user.pubfs.runtime-version", NULL },
		{ "user.pubfs.nothing", NULL },
		{ "user.pubfs.", NULL },
		{ "user.other", NULL },
	};
	CLEANUP(free_char) char *sum = NULL;
	CLEANUP(free_char) char *when = NULL;
	CLEANUP(free_char) char *stored = NULL;
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	int r;

	cr_assert_eq(write_path(&w, LATEST "http", text), 0);
	free(attribute(&w, "latest", "user.pubfs.generation", &r));
	cr_assert_eq(r, -ENODATA);
	world_requests(&w);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(free_char) char *value = attribute(&w, LATEST "http", table[i].name, &r);

		cr_expect_eq(r, table[i].value ? 0 : -ENODATA, "%s", table[i].name);
		cr_expect_str_eq(value, table[i].value ? table[i].value : "", "%s", table[i].name);
	}
	sha256(text, strlen(text), digest);
	hex_encode(digest, SHA256_SIZE, hex);
	sum = attribute(&w, LATEST "http", "user.pubfs.sha256", &r);
	cr_assert_str_eq(sum, hex);
	generation = attribute(&w, LATEST "http", "user.pubfs.generation", &r);
	cr_assert_eq(strtoull(generation, NULL, 10), generation_of(w.store, LATEST "http"));
	when = attribute(&w, LATEST "http", "user.pubfs.validated", &r);
	cr_assert_eq(when[strlen(when) - 1], 'Z');
	stored = attribute(&w, LATEST "http", "user.pubfs.stored-size", &r);
	cr_assert_lt(strtoull(stored, NULL, 10), strlen(text));
	cr_assert_eq(world_requests(&w), 0);
	world_remove(&w);
}

Test(tree, each_attribute_has_the_value_that_the_bucket_has)
{
	static const char *const names[] = {
		"cache-control", "change",	"crc32c", "disposition",    "encoding",
		"generation",	 "kind",	"md5",	  "metageneration", "runtime-version",
		"sha256",	 "stored-size", "type",	  "validated",
	};
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(1 << 16);
	CLEANUP(free_char) char *expected = NULL;
	char hex[2 * SHA256_SIZE + 1], md5_hex[2 * MD5_SIZE + 1];
	static const char body[] = "an archive's bytes";
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body bytes = body_of_bytes(body, strlen(body));

	object_init(&e.object);
	e.body = &bytes;
	e.object.key = xstrdup("latest/api/archives/http-1.0.0.tar.gz");
	e.object.type = xstrdup("application/octet-stream");
	e.object.cache_control = xstrdup("public, max-age=60");
	e.object.disposition = xstrdup("attachment; filename=\"http-1.0.0.tar.gz\"");
	e.object.gzip = true; /* not that it is: each attribute is what the metadata says */
	e.object.has_decoded_size = e.object.has_sha256 = true;
	sha256(body, strlen(body), e.object.sha256);
	e.object.validated = 1704164645678901;
	e.object.runtime_version = xstrdup("2026.08.18");
	e.object.change = xstrdup("12-0123456789abcdef");
	cr_assert_eq(store_edit(w.driver, &e, 1), 0);
	hex_encode(e.object.sha256, SHA256_SIZE, hex);
	hex_encode(e.object.md5, MD5_SIZE, md5_hex);
	expected =
		xasprintf("public, max-age=60|12-0123456789abcdef|%08x|attachment; "
			  "filename=\"http-1.0.0.tar.gz\"|gzip|%llu|archive|%s|1|2026.08.18|%s|18|"
			  "application/octet-stream|2024-01-02T03:04:05.678901Z|",
			  crc32c(0, body, strlen(body)), (unsigned long long)e.object.generation,
			  md5_hex, hex);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_char) char *name = xasprintf("user.pubfs.%s", names[i]);
		CLEANUP(free_char) char *value = NULL;
		int r;

		value = attribute(&w, e.object.key, name, &r);
		cr_expect_eq(r, 0, "%s", name);
		strbuf_addf(&got, "%s|", value);
	}
	cr_assert_str_eq(got.buf, expected);
	edit_release(&e, 1);
	world_remove(&w);
}

Test(tree, attributes_are_read_only_and_of_no_other_namespace)
{
	static const char *const foreign[] = { "security.selinux", "security.capability",
					       "system.posix_acl_access", "trusted.x", "user" };
	struct world w = world_make(LONG_TTL);

	put_text(w.store, "other/x", "x");
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		int r;

		free(attribute(&w, "other/x", foreign[i], &r));
		cr_expect_eq(r, -ENOTSUP, "%s", foreign[i]);
		cr_expect_eq(tree_setxattr(foreign[i]), -ENOTSUP, "%s", foreign[i]);
	}
	cr_assert_eq(tree_setxattr("user.pubfs.type"), -EPERM);
	cr_assert_eq(tree_setxattr("user.other"), -EPERM);
	world_remove(&w);
}

Test(tree, the_list_of_attributes_has_those_with_a_value)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(1 << 16);
	CLEANUP(strbuf_release) struct strbuf none = STRBUF_INIT(1 << 16);
	static const char expected[] = "user.pubfs.crc32c\0user.pubfs.generation\0user.pubfs.md5\0"
				       "user.pubfs.metageneration\0user.pubfs.stored-size";
	struct node node;

	put_text(w.store, "other/x", "x");
	cr_assert_eq(tree_resolve(w.tree, "other/x", &node), 0);
	cr_assert_eq(tree_listxattr(w.tree, node.id, &names), 0);
	cr_assert_eq(names.len, sizeof(expected));
	cr_assert_arr_eq(names.buf, expected, sizeof(expected));
	cr_assert_eq(tree_listxattr(w.tree, TREE_ROOT, &none), 0);
	cr_assert_eq(none.len, 0);
	put_text(w.store, "other/x", "y");
	cr_assert_eq(tree_listxattr(w.tree, node.id, &none), -ESTALE);
	world_remove(&w);
}

static int status(void *ctx, struct strbuf *out)
{
	strbuf_addstr(out, ctx);
	return 0;
}

Test(tree, the_control_folder_is_not_listed_and_says_what_it_was_given)
{
	struct world w = world_make(LONG_TTL);
	static char said[] = "{\"pid\":1}\n";
	CLEANUP(free_char) char *text = NULL;
	struct node node;
	struct file *f;
	int r;

	w.options.status = status;
	w.options.ctx = said;
	world_remake(&w);
	expect_names(&w, "", "2026.08.18/ latest/ ");
	expect_names(&w, ".pubfs", "changes garbage held metrics refresh rejected status sync unmapped ");
	cr_assert_eq(resolve(&w, ".pubfs", &node), 0);
	cr_assert_eq(node.mode, 0700);
	cr_assert_eq(resolve(&w, ".pubfs/status", &node), 0);
	cr_assert_eq(node.mode, 0600);
	text = read_path(&w, ".pubfs/status", &r);
	cr_assert_str_eq(text, said);
	cr_assert_eq(open_path(&w, ".pubfs/status", 1, &f), -EACCES);
	world_remove(&w);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_dir_test.c - folders that are read, also while their names change. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "compiler.h"
#include "expect.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

/* Reads a folder while its names change behind the reader. */
Test(tree_dir, each_unchanged_name_is_read_exactly_once_while_others_come_and_go)
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

Test(tree_dir, a_cookie_leads_back_to_its_place)
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

Test(tree_dir, a_cookie_of_just_before_is_exact_though_the_folder_changed)
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

Test(tree_dir, folders_of_this_mount_alone_stand_among_the_others_in_key_order)
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

Test(tree_dir, the_entry_that_was_read_can_be_held_as_a_lookup_would)
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

Test(tree_dir, only_folders_can_be_read_as_folders)
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

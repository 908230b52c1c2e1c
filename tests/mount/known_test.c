/* SPDX-License-Identifier: BSD-3-Clause */
/* known_test.c - what the tree has answered once, and answers again until something changes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "compiler.h"
#include "memory.h"
#include "tree_world.h"

#define HTTP LATEST "http"

/* A lookup as the kernel makes it, name by name, forgotten again. 0: not there. */
static uint64_t look_up(struct world *w, const char *folder, const char *name, bool *ret_is_dir)
{
	struct node above, node = { 0 };
	int r;

	cr_assert_eq(tree_resolve(w->tree, folder, &above), 0);
	r = tree_lookup(w->tree, above.id, name, &node);
	cr_assert(!r || r == -ENOENT);
	if (!r)
		tree_forget(w->tree, node.id, 1);
	tree_forget(w->tree, above.id, 1);
	*ret_is_dir = node.is_dir;
	return r ? 0 : node.id;
}

/* A node that stays known: a kernel that has seen it. */
static uint64_t hold(struct world *w, const char *path)
{
	struct node node;

	cr_assert_eq(tree_resolve(w->tree, path, &node), 0);
	return node.id;
}

Test(known, a_name_keeps_its_node_until_its_object_is_another)
{
	struct world w = world_make(LONG_TTL);
	uint64_t first, second;
	bool is_dir;

	put_document(w.store, HTTP, "{}", false);
	first = hold(&w, HTTP);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), first);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), first);
	put_document(w.store, HTTP, "{\"a\":1}", false);
	second = look_up(&w, "latest/api/packages", "http", &is_dir);
	cr_assert_neq(second, first);
	remove_key(w.store, HTTP);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), 0);
	tree_forget(w.tree, first, 1);
	world_remove(&w);
}

Test(known, a_change_elsewhere_takes_no_node_away)
{
	struct world w = world_make(LONG_TTL);
	uint64_t id;
	bool is_dir;

	put_document(w.store, HTTP, "{}", false);
	id = hold(&w, HTTP);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), id);
	put_document(w.store, LATEST "io", "{}", false);
	cr_assert_eq(mkdir_path(&w, "made"), 0);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), id);
	tree_forget(w.tree, id, 1);
	world_remove(&w);
}

Test(known, a_folder_of_this_mount_alone_is_gone_with_its_rmdir)
{
	struct world w = world_make(LONG_TTL);
	uint64_t id;
	bool is_dir;

	cr_assert_eq(mkdir_path(&w, "made"), 0);
	id = hold(&w, "made");
	cr_assert_eq(look_up(&w, "", "made", &is_dir), id);
	cr_assert_eq(rmdir_path(&w, "made"), 0);
	cr_assert_eq(look_up(&w, "", "made", &is_dir), 0);
	tree_forget(w.tree, id, 1);
	world_remove(&w);
}

/* The kernel makes nothing in a node that it has removed. */
Test(known, a_folder_that_was_removed_and_made_again_is_another_node)
{
	struct world w = world_make(LONG_TTL);
	uint64_t id, again;
	bool is_dir;

	cr_assert_eq(mkdir_path(&w, "made"), 0);
	id = hold(&w, "made");
	cr_assert_eq(rmdir_path(&w, "made"), 0);
	cr_assert_eq(mkdir_path(&w, "made"), 0);
	again = look_up(&w, "", "made", &is_dir);
	cr_assert_neq(again, 0);
	cr_assert_neq(again, id);
	tree_forget(w.tree, id, 1);
	cr_assert_neq(look_up(&w, "", "made", &is_dir), 0);
	world_remove(&w);
}

Test(known, an_object_gives_way_to_a_folder_of_its_name_and_comes_back)
{
	struct world w = world_make(LONG_TTL);
	uint64_t object, folder;
	bool is_dir;

	put_text(w.store, "other/x", "x");
	object = hold(&w, "other/x");
	cr_assert_eq(look_up(&w, "other", "x", &is_dir), object);
	put_text(w.store, "other/x/below", "x");
	folder = look_up(&w, "other", "x", &is_dir);
	cr_assert_neq(folder, object);
	cr_assert(is_dir);
	remove_key(w.store, "other/x/below");
	cr_assert_eq(look_up(&w, "other", "x", &is_dir), object);
	cr_assert_not(is_dir);
	tree_forget(w.tree, object, 1);
	world_remove(&w);
}

Test(known, with_no_ttl_each_lookup_asks)
{
	struct world w = world_make(0);
	uint64_t id;
	bool is_dir;

	put_document(w.store, HTTP, "{}", false);
	id = hold(&w, HTTP);
	cr_assert_eq(look_up(&w, "latest/api/packages", "http", &is_dir), id);
	put_document(w.driver, HTTP, "{\"a\":1}", false); /* by another host */
	cr_assert_neq(look_up(&w, "latest/api/packages", "http", &is_dir), id);
	tree_forget(w.tree, id, 1);
	world_remove(&w);
}

/* What the mount says of itself is asked for when its store does not answer. */
Test(known, what_the_mount_says_of_itself_is_found_without_its_store)
{
	struct world w = world_make(0);
	struct node folder, status;

	world_requests(&w);
	cr_assert_eq(tree_lookup(w.tree, TREE_ROOT, ".pubfs", &folder), 0);
	cr_assert_eq(tree_lookup(w.tree, folder.id, "status", &status), 0);
	cr_assert_eq(world_requests(&w), 0);
	tree_forget(w.tree, status.id, 1);
	tree_forget(w.tree, folder.id, 1);
	world_remove(&w);
}

/* Nodes of one path stand in a row; whichever goes first, the others are found. */
Test(known, generations_of_a_path_are_forgotten_in_any_order)
{
	static const unsigned orders[][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 0, 2 }, { 1, 2, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct world w = world_make(LONG_TTL);
		struct node node;
		uint64_t ids[3];

		for (size_t j = 0; j < 3; j++) {
			put_document(w.store, HTTP, "{}", false);
			ids[j] = hold(&w, HTTP);
		}
		for (size_t j = 0; j < 3; j++) {
			cr_assert_eq(tree_getattr(w.tree, ids[orders[i][j]], NULL, &node), 0);
			tree_forget(w.tree, ids[orders[i][j]], 1);
			cr_assert_eq(tree_getattr(w.tree, ids[orders[i][j]], NULL, &node), -ESTALE);
			for (size_t k = j + 1; k < 3; k++)
				cr_assert_eq(tree_getattr(w.tree, ids[orders[i][k]], NULL, &node),
					     0);
		}
		cr_assert_eq(resolve(&w, HTTP, &node), 0);
		world_remove(&w);
	}
}

/* The folder's key is behind the object's, and may lie in a later batch of a reading. */
Test(known, a_folder_hides_its_object_however_many_names_stand_between)
{
	static const unsigned between[] = { 0, 1, 254, 255, 256, 257, 600 };

	for (size_t i = 0; i < ARRAY_SIZE(between); i++) {
		struct world w = world_make(LONG_TTL);
		size_t files = 0, folders = 0;
		CLEANUP(free_char) char *names = NULL;

		put_text(w.driver, "other/x", "x");
		for (unsigned j = 0; j < between[i]; j++) {
			CLEANUP(free_char) char *key = xasprintf("other/x-%04u", j);

			put_text(w.driver, key, "x");
		}
		put_text(w.driver, "other/x/below", "x");
		names = names_in(&w, "other");
		for (const char *at = names; *at; at++) {
			files += *at == ' ' && (at == names || at[-1] != '/');
			folders += *at == '/';
		}
		cr_assert_eq(folders, 1);
		cr_assert_eq(files, between[i], "%zu files, not %u", files, between[i]);
		world_remove(&w);
	}
}

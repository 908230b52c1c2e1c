/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_test.c - names and nodes of the tree, and what changes them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "compiler.h"
#include "expect.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

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

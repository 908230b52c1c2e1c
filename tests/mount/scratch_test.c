/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch_test.c - files that live in the mount alone. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fs/mount/spool.h"
#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define HTTP	LATEST "http"
#define SCRATCH LATEST ".http.aB3dE6"
#define OTHER	LATEST "http.tmp"
#define SED	LATEST "sedaB3dE6"
#define NEW	O_RDWR | O_CREAT | O_EXCL

static const struct caller me = { .pid = 1, .uid = 7 };

static void expect_text(struct world *w, const char *path, const char *expected)
{
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0, "%s", path);
	cr_assert_str_eq(text, expected);
}

static void expect_absent(struct world *w, const char *path)
{
	struct node node;

	cr_assert_eq(resolve(w, path, &node), -ENOENT);
}

Test(scratch, it_is_an_ordinary_file_of_which_the_bucket_hears_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *names = NULL;
	struct file *f, *again;
	struct node node;
	char buf[16];

	cr_assert_eq(put_text(w.store, HTTP, "old") > 0, true);
	CLEANUP(free_char) char *before = names_in(&w, LATEST);
	world_requests(&w);
	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0640, &f), 0);
	cr_assert_not(file_is_cacheable(f));
	cr_assert_eq(file_write(f, 3, "def", 3), 3);
	cr_assert_eq(file_write(f, 0, "abc", 3), 3);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_eq(open_path(&w, SCRATCH, O_RDONLY, &again), 0, "another handle, the same bytes");
	cr_assert_eq(file_write(f, 6, "g", 1), 1);
	cr_assert_eq(file_read(again, 0, buf, sizeof(buf)), 7);
	cr_assert_arr_eq(buf, "abcdefg", 7);
	file_close(again);
	file_close(f);
	cr_assert_eq(resolve(&w, SCRATCH, &node), 0, "it outlives its handles");
	cr_assert_eq(node.size, 7);
	cr_assert_eq(node.mode, 0640);
	cr_assert_eq(node.generation, 0);
	names = names_in(&w, LATEST);
	cr_assert(strstr(names, ".http.aB3dE6 "), "%s", names);
	cr_assert_eq(unlink_path(&w, SCRATCH), 0);
	expect_absent(&w, SCRATCH);
	CLEANUP(free_char) char *after = names_in(&w, LATEST);
	cr_assert_str_eq(after, before);
	cr_assert_eq(world_requests(&w), 0);
	world_remove(&w);
}

Test(scratch, it_may_lie_in_any_folder_and_keeps_that_folder)
{
	static const char *const paths[] = {
		".a", "latest/b.tmp", "latest/api/c~", LATEST "http.d/.advisories.x", "new/tmp.1",
	};
	struct world w = world_make(LONG_TTL);
	struct file *f;

	put_text(w.store, HTTP "/advisories", "x");
	cr_assert_eq(mkdir_path(&w, "new"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cr_assert_eq(create_path(&w, paths[i], NEW, 0600, &f), 0, "%s", paths[i]);
		file_close(f);
		expect_text(&w, paths[i], "");
	}
	cr_assert_eq(rmdir_path(&w, "new"), -ENOTEMPTY);
	cr_assert_eq(unlink_path(&w, "new/tmp.1"), 0);
	cr_assert_eq(rmdir_path(&w, "new"), 0);
	cr_assert_eq(create_path(&w, ".pubfs/x.tmp", NEW, 0600, &f), -EACCES);
	cr_assert_eq(create_path(&w, ".pubfs-store", NEW, 0600, &f), -EINVAL);
	cr_assert_eq(create_path(&w, LATEST "a\001~", NEW, 0600, &f), -EINVAL);
	world_remove(&w);
}

Test(scratch, what_sed_creates_is_one_and_a_package_of_such_a_name_is_none)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("sedaB3dE6", "");
	struct file *f;

	cr_assert_eq(create_path(&w, SED, NEW, 0600, &f), 0);
	cr_assert_eq(file_write(f, 0, "x", 1), 1);
	cr_assert_eq(file_flush(f, &me), 0, "nothing is gated");
	file_close(f);
	cr_assert_eq(generation_of(w.driver, SED), 0);
	cr_assert_eq(unlink_path(&w, SED), 0);
	cr_assert_eq(write_path(&w, SED, text), 0);
	cr_assert_neq(generation_of(w.driver, SED), 0);
	cr_assert_eq(create_path(&w, SED, NEW, 0600, &f), -EEXIST);
	world_remove(&w);
}

Test(scratch, a_name_that_is_being_written_is_not_taken)
{
	struct world w = world_make(LONG_TTL);
	struct file *writer, *f;

	cr_assert_eq(open_path(&w, SED, O_WRONLY | O_CREAT, &writer), 0);
	cr_assert_eq(create_path(&w, SED, NEW, 0600, &f), -EEXIST);
	file_close(writer);
	world_remove(&w);
}

Test(scratch, an_object_of_such_a_name_is_the_buckets)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	put_text(w.store, SCRATCH, "foreign");
	expect_text(&w, SCRATCH, "foreign");
	cr_assert_eq(create_path(&w, SCRATCH, O_WRONLY | O_CREAT, 0600, &f), -EACCES);
	cr_assert_eq(create_path(&w, OTHER, NEW, 0600, &f), 0);
	file_close(f);
	cr_assert_eq(rename_path(&w, OTHER, SCRATCH, 0), -EACCES);
	expect_text(&w, SCRATCH, "foreign");
	cr_assert_eq(unlink_path(&w, SCRATCH), 0);
	cr_assert_eq(generation_of(w.driver, SCRATCH), 0);
	world_remove(&w);
}

Test(scratch, its_mode_and_time_are_kept_and_those_of_others_are_not)
{
	struct world w = world_make(LONG_TTL);
	struct node node, real;
	struct file *f;

	put_text(w.store, HTTP, "old");
	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), 0);
	file_close(f);
	cr_assert_eq(tree_resolve(w.tree, SCRATCH, &node), 0);
	cr_assert_eq(tree_set_mode(w.tree, node.id, 0640), 0);
	cr_assert_eq(tree_set_mtime(w.tree, node.id, 1234567), 0);
	tree_forget(w.tree, node.id, 1);
	cr_assert_eq(resolve(&w, SCRATCH, &node), 0);
	cr_assert_eq(node.mode, 0640);
	cr_assert_eq(node.mtime, 1234567);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &real), 0);
	cr_assert_eq(tree_set_mode(w.tree, real.id, 0600), -EPERM);
	cr_assert_eq(tree_set_mtime(w.tree, real.id, 1234567), 0, "accepted, and forgotten");
	tree_forget(w.tree, real.id, 1);
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_eq(node.mtime, real.mtime);
	cr_assert_eq(node.mode, real.mode);
	world_remove(&w);
}

Test(scratch, it_can_be_cut_appended_to_and_opened_anew)
{
	struct world w = world_make(LONG_TTL);
	struct file *f, *end;

	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), 0);
	cr_assert_eq(file_write(f, 0, "abcdef", 6), 6);
	cr_assert_eq(file_truncate(f, 3), 0);
	cr_assert_eq(file_truncate(f, 5), 0);
	cr_assert_eq(open_path(&w, SCRATCH, O_WRONLY | O_APPEND, &end), 0);
	cr_assert_eq(file_write(end, 0, "x", 1), 1);
	file_close(end);
	cr_assert_eq(file_write(f, 3, "d", 1), 1);
	file_close(f);
	cr_assert_eq(open_path(&w, SCRATCH, O_RDONLY, &f), 0);
	char buf[8];
	cr_assert_eq(file_read(f, 0, buf, sizeof(buf)), 6);
	cr_assert_arr_eq(buf, "abcd\0x", 6);
	file_close(f);
	cr_assert_eq(open_path(&w, SCRATCH, O_WRONLY | O_TRUNC, &f), 0);
	file_close(f);
	expect_text(&w, SCRATCH, "");
	world_remove(&w);
}

Test(scratch, without_a_name_it_lives_until_its_last_handle_closes)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f, *new;
	char buf[4];

	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), 0);
	cr_assert_eq(file_write(f, 0, "old", 3), 3);
	cr_assert_eq(unlink_path(&w, SCRATCH), 0);
	expect_absent(&w, SCRATCH);
	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &new), 0, "another of the same name");
	cr_assert_eq(file_write(new, 0, "new", 3), 3);
	cr_assert_eq(file_read(f, 0, buf, sizeof(buf)), 3);
	cr_assert_arr_eq(buf, "old", 3);
	cr_assert_eq(tree_getattr(w.tree, TREE_ROOT, f, &node), 0);
	file_close(new);
	file_close(f);
	expect_text(&w, SCRATCH, "new");
	world_remove(&w);
}

Test(scratch, a_write_that_failed_stays_failed)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;
	char buf[4];

	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), 0);
	cr_assert_eq(file_write(f, 0, "abc", 3), 3);
	cr_assert_eq(file_write(f, SPOOL_MAX, "x", 1), -EFBIG);
	cr_assert_eq(file_write(f, 0, "x", 1), -EFBIG);
	cr_assert_eq(file_read(f, 0, buf, sizeof(buf)), -EFBIG);
	cr_assert_eq(file_truncate(f, 0), -EFBIG);
	cr_assert_eq(file_flush(f, &me), -EFBIG);
	file_close(f);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), -EFBIG, "and is not published");
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	cr_assert_eq(open_path(&w, SCRATCH, O_RDWR, &f), 0);
	cr_assert_eq(file_flush(f, &me), -EFBIG);
	file_close(f);
	cr_assert_eq(open_path(&w, SCRATCH, O_RDWR | O_TRUNC, &f), 0, "until it begins anew");
	cr_assert_eq(file_write(f, 0, "{}", 2), 2);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), -EINVAL, "the gate is asked again");
	world_remove(&w);
}

Test(scratch, it_is_gone_with_the_mount_which_names_it)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *path = xasprintf("%s/log", w.home);
	CLEANUP(strbuf_release) struct strbuf said = STRBUF_INIT(4096);
	char line[512] = "";
	struct file *f;
	FILE *log;

	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), 0);
	file_close(f);
	cr_assert_eq(create_path(&w, OTHER, NEW, 0600, &f), 0);
	file_close(f);
	cr_assert_eq(unlink_path(&w, OTHER), 0);
	cr_assert_eq(log_to_file(path), 0);
	world_remake(&w);
	log = fopen(path, "r");
	cr_assert(log);
	while (fgets(line, sizeof(line), log))
		strbuf_addstr(&said, line);
	fclose(log);
	cr_assert(strstr(said.buf, SCRATCH), "%s", said.buf);
	cr_assert_not(strstr(said.buf, OTHER));
	expect_absent(&w, SCRATCH);
	world_remove(&w);
}

Test(scratch, a_read_only_tree_has_none)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	w.options.read_only = true;
	world_remake(&w);
	cr_assert_eq(create_path(&w, SCRATCH, NEW, 0600, &f), -EROFS);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), -EROFS);
	world_remove(&w);
}

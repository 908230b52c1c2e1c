/* SPDX-License-Identifier: BSD-3-Clause */
/* control_test.c - the files below `.pubfs`: what they say, and what they do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define HTTP	 LATEST "http"
#define ARCHIVE	 "latest/api/archives/http-1.0.0.tar.gz"
#define TEXT_MAX ((size_t)1 << 20)

/* The lines of a file, each a JSON object. */
static json_t *lines_of(struct world *w, const char *path)
{
	json_t *lines = json_array();
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0);
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;) {
		json_t *entry = json_loads(line, 0, NULL);

		cr_assert_not_null(entry, "%s", line);
		json_array_append_new(lines, entry);
	}
	return lines;
}

static const char *text_of(const json_t *lines, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(lines, i), name));
}

static uint64_t number_of(const json_t *lines, size_t i, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(json_array_get(lines, i), name));
}

Test(control, changes_has_a_line_for_each_change_and_no_other)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *one = listing_text("http", "");
	CLEANUP(free_char) char *two = listing_text("http", ",\"isDiscontinued\":true");
	uint64_t first, second;
	json_t *lines;

	cr_assert_eq(write_path(&w, HTTP, one), 0);
	first = generation_of(w.store, HTTP);
	cr_assert_eq(write_path(&w, HTTP, one), 0); /* nothing is sent */
	cr_assert_eq(write_path(&w, HTTP, two), 0);
	second = generation_of(w.store, HTTP);
	cr_assert_eq(write_path(&w, HTTP, "{}"), -EINVAL);
	cr_assert_eq(unlink_path(&w, HTTP), 0);
	lines = lines_of(&w, ".pubfs/changes");
	cr_assert_eq(json_array_size(lines), 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const actions[] = { "write", "write", "remove" };

		cr_expect_str_eq(text_of(lines, i, "name"), HTTP);
		cr_expect_str_eq(text_of(lines, i, "action"), actions[i]);
		cr_expect_eq(text_of(lines, i, "time")[10], 'T');
	}
	cr_assert(json_is_null(json_object_get(json_array_get(lines, 0), "old")));
	cr_assert_eq(number_of(lines, 0, "new"), first);
	cr_assert_eq(number_of(lines, 1, "old"), first);
	cr_assert_eq(number_of(lines, 1, "new"), second);
	cr_assert_eq(number_of(lines, 2, "old"), second);
	cr_assert(json_is_null(json_object_get(json_array_get(lines, 2), "new")));
	json_decref(lines);
	world_remove(&w);
}

Test(control, rejected_has_the_last_thousand_refusals)
{
	struct world w = world_make(LONG_TTL);
	json_t *lines;

	for (int i = 0; i < 1003; i++) {
		CLEANUP(free_char) char *path = xasprintf(LATEST "p%d", i);

		cr_assert_eq(write_path(&w, path, "{}"), -EINVAL);
	}
	lines = lines_of(&w, ".pubfs/rejected");
	cr_assert_eq(json_array_size(lines), 1000);
	cr_assert_str_eq(text_of(lines, 0, "path"), LATEST "p3");
	cr_assert_str_eq(text_of(lines, 999, "path"), LATEST "p1002");
	cr_assert_eq(number_of(lines, 0, "pid"), (uint64_t)getpid());
	cr_assert_eq(number_of(lines, 0, "uid"), getuid());
	cr_assert_gt(strlen(text_of(lines, 0, "reason")), 0);
	cr_assert_eq(tree_refusals(w.tree), 1003);
	json_decref(lines);
	world_remove(&w);
}

Test(control, an_open_file_says_its_length_and_stays_as_it_was_opened)
{
	struct world w = world_make(LONG_TTL);
	char buf[4096];
	struct node node, now;
	struct file *f;
	ssize_t n;

	cr_assert_eq(write_path(&w, HTTP, "{}"), -EINVAL);
	cr_assert_eq(tree_resolve(w.tree, ".pubfs/rejected", &node), 0);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &f), 0);
	cr_assert_not(file_is_cacheable(f));
	cr_assert_eq(write_path(&w, HTTP, "[]"), -EINVAL);
	n = file_read(f, 0, buf, sizeof(buf));
	cr_assert_eq(buf[n - 1], '\n');
	cr_assert_eq(memchr(buf, '\n', (size_t)n), buf + n - 1);
	cr_assert_eq(tree_getattr(w.tree, node.id, NULL, &now), 0);
	cr_assert_eq(now.size, (uint64_t)n);
	file_close(f);
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

Test(control, what_can_only_be_read_is_not_written_and_nothing_else_is_made)
{
	static const char *const paths[] = { ".pubfs/changes", ".pubfs/rejected", ".pubfs/status",
					     ".pubfs/unmapped" };
	struct world w = world_make(LONG_TTL);
	struct file *f;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		cr_expect_eq(open_path(&w, paths[i], O_WRONLY, &f), -EACCES, "%s", paths[i]);
		cr_expect_eq(open_path(&w, paths[i], O_RDWR | O_TRUNC, &f), -EACCES);
		cr_expect_eq(unlink_path(&w, paths[i]), -EPERM);
	}
	cr_assert_eq(open_path(&w, ".pubfs/new", O_WRONLY | O_CREAT, &f), -EACCES);
	cr_assert_eq(mkdir_path(&w, ".pubfs/new"), -EPERM);
	cr_assert_eq(rmdir_path(&w, ".pubfs"), -EPERM);
	world_remove(&w);
}

/* What sync() was called with, and what it answers. */
static struct strbuf synced = STRBUF_INIT(TEXT_MAX);
static int sync_answer;

static int take_names(void *ctx, char *const *names, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&synced, "%s%s", i ? "," : "", names[i]);
	strbuf_addch(&synced, ';');
	return sync_answer;
}

static struct world world_with_sync(void)
{
	struct world w = world_make(LONG_TTL);

	w.options.sync = take_names;
	world_remake(&w);
	return w;
}

static ssize_t put(struct file *f, uint64_t *at, const char *text)
{
	ssize_t n = file_write(f, *at, text, strlen(text));

	*at += n > 0 ? (uint64_t)n : 0;
	return n;
}

Test(control, sync_exports_the_names_of_whole_lines_inside_the_write)
{
	struct world w = world_with_sync();
	struct caller who = this_caller();
	uint64_t at = 0;
	struct file *f;
	char byte;

	cr_assert_eq(open_path(&w, ".pubfs/sync", O_WRONLY | O_TRUNC, &f), 0);
	cr_assert_eq(put(f, &at, "http\n"), 5);
	cr_assert_str_eq(synced.buf, "http;");
	cr_assert_eq(put(f, &at, "io\n\npath\nar"), 11);
	cr_assert_str_eq(synced.buf, "http;io,path;");
	cr_assert_eq(put(f, &at, "gs\nlast"), 7);
	cr_assert_str_eq(synced.buf, "http;io,path;args;");
	cr_assert_eq(file_flush(f, &who), 0);
	cr_assert_str_eq(synced.buf, "http;io,path;args;last;");
	cr_assert_eq(file_flush(f, &who), 0);
	cr_assert_str_eq(synced.buf, "http;io,path;args;last;");
	cr_assert_eq(file_read(f, 0, &byte, 1), 0);
	cr_assert_eq(file_truncate(f, 0), 0);
	file_close(f);
	strbuf_release(&synced);
	world_remove(&w);
}

Test(control, the_result_of_sync_is_that_of_the_write)
{
	static const int answers[] = { -ENOENT, -EIO, -EPERM, 0 };
	struct world w = world_with_sync();

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		sync_answer = answers[i];
		cr_expect_eq(write_path(&w, ".pubfs/sync", "http\n"), answers[i]);
		cr_expect_eq(write_path(&w, ".pubfs/sync", "http"), answers[i]);
	}
	strbuf_release(&synced);
	world_remove(&w);
}

Test(control, what_is_no_name_of_a_package_is_not_synced)
{
	static const char *const texts[] = { "a/b\n", "../x\n", "1st\n", "http\na b\n", "\xff\n" };
	struct world w = world_with_sync();
	CLEANUP(free_char) char *endless = xcalloc(1, (4 << 20) + 2);
	uint64_t at = 0;
	struct file *f;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		cr_expect_eq(write_path(&w, ".pubfs/sync", texts[i]), -EINVAL, "%s", texts[i]);
	memset(endless, 'a', (4 << 20) + 1);
	cr_assert_eq(write_path(&w, ".pubfs/sync", endless), -EINVAL);
	cr_assert_eq(open_path(&w, ".pubfs/sync", O_WRONLY, &f), 0);
	cr_assert_eq(file_write(f, at, "x\0\n", 3), -EINVAL);
	cr_assert_eq(put(f, &at, "http\n"), 5); /* nothing is left of what was refused */
	cr_assert_str_eq(synced.buf, "http;");
	file_close(f);
	strbuf_release(&synced);
	world_remove(&w);
}

Test(control, without_a_database_sync_cannot_be_opened_for_writing)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	cr_assert_eq(open_path(&w, ".pubfs/sync", O_WRONLY, &f), -ENOTSUP);
	cr_assert_eq(open_path(&w, ".pubfs/sync", O_RDONLY, &f), 0);
	file_close(f);
	world_remove(&w);
}

Test(control, refresh_looks_again_at_all_that_was_listed)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_text(w.driver, HTTP, "{}");
	put_text(w.driver, "backups/huge", "never looked at");
	free(names_in(&w, ""));
	cr_assert_eq(resolve(&w, LATEST "neon", &node), -ENOENT);
	put_text(w.driver, LATEST "neon", "{}");
	put_text(w.driver, "2030.01.01/api/packages/neon", "{}");
	cr_assert_eq(resolve(&w, LATEST "neon", &node), -ENOENT);
	cr_assert_eq(resolve(&w, "2030.01.01", &node), -ENOENT);
	world_requests(&w);
	cr_assert_eq(write_path(&w, ".pubfs/refresh", "\n"), 0);
	cr_assert_eq(world_requests(&w), 2); /* the names at the top, and what was listed of them */
	cr_assert_eq(resolve(&w, LATEST "neon", &node), 0);
	cr_assert_eq(resolve(&w, "2030.01.01", &node), 0);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(write_path(&w, ".pubfs/refresh", "\n"), -EIO);
	world_remove(&w);
}

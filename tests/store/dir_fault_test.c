/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir_fault_test.c - each system call of a change fails, one after the other and for every cause;
 * and the calls come in the order on which the promises about power cuts rest.
 *
 * The functions below stand in the place of the C library's, for the driver in this program.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "body.h"
#include "conformance.h"
#include "dir_world.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define LISTING "latest/api/packages/http"
#define BELOW	"latest/api/packages/http/advisories"

static struct {
	bool armed;
	unsigned left; /* the call that fails, from 1; 0: none */
	int error;
	bool fired;
	struct strbuf trace;
} calls = { .trace = STRBUF_INIT(100000) };

/* A path as the trace shows it: the name of a file in tmp/ is left out. */
static void add_path(const char *path)
{
	const char *tmp = strstr(path, "/tmp/"), *own = strstr(path, ".pubfs-store/tmp/");
	const char *root = strstr(path, "/bucket");

	if (own)
		strbuf_addstr(&calls.trace, "tmp");
	else
		strbuf_addstr(&calls.trace, root ? root + strlen("/bucket") : tmp ? tmp : path);
}

/* True when this call is to fail. */
static bool due(const char *name, const char *path)
{
	if (!calls.armed)
		return false;
	strbuf_addf(&calls.trace, "%s ", name);
	add_path(path);
	strbuf_addstr(&calls.trace, "\n");
	if (!calls.left || --calls.left)
		return false;
	calls.fired = true;
	errno = calls.error;
	return true;
}

static bool fd_due(const char *name, int fd)
{
	char link[64], path[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (calls.armed && readlink(link, path, sizeof(path) - 1) < 0)
		snprintf(path, sizeof(path), "?");
	return due(name, path);
}

int fsync(int fd)
{
	return fd_due("fsync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	return fd_due("syncfs", fd) ? -1 : (int)syscall(SYS_syncfs, fd);
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return fd != STDERR_FILENO && fd_due("write", fd) ? -1 : syscall(SYS_write, fd, buf, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t offset)
{
	return fd_due("count", fd) ? -1 : syscall(SYS_pwrite64, fd, buf, n, offset);
}

int flock(int fd, int how)
{
	return fd_due("flock", fd) ? -1 : (int)syscall(SYS_flock, fd, how);
}

int mkdir(const char *path, mode_t mode)
{
	return due("mkdir", path) ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

int rename(const char *from, const char *to)
{
	return due("rename", to) ? -1
				 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int lsetxattr(const char *path, const char *name, const void *value, size_t n, int flags)
{
	return due("setxattr", path) ? -1
				     : (int)syscall(SYS_lsetxattr, path, name, value, n, flags);
}

struct dirent *readdir(DIR *dir)
{
	static struct dirent *(*real)(DIR *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	return fd_due("readdir", dirfd(dir)) ? NULL : real(dir);
}

static void arm(unsigned n, int error)
{
	strbuf_reset(&calls.trace);
	calls.left = n;
	calls.error = error;
	calls.fired = false;
	calls.armed = true;
}

static void expect_trace(const char *expected)
{
	calls.armed = false;
	cr_assert_str_eq(calls.trace.buf, expected, "not\n%s\nbut\n%s", expected, calls.trace.buf);
	strbuf_release(&calls.trace);
}

Test(dir_order, a_body_is_durable_before_the_lock_and_the_name_after_it)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, "latest/a", "x", STORE_ABSENT, NULL), 0);
	arm(0, 0);
	cr_assert_eq(put_text(w.store, "latest/key", "x", STORE_ABSENT, NULL), 0);
	expect_trace("write tmp\nfsync tmp\n"
		     "flock /.pubfs-store/lock\ncount /.pubfs-store/lock\n"
		     "setxattr tmp\nrename /latest/key\n"
		     "fsync /latest/key\nfsync /latest\n");
	dir_world_remove(&w);
}

Test(dir_order, new_folders_are_made_durable_up_to_the_one_that_was_there)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, LISTING, "x", STORE_ABSENT, NULL), 0);
	arm(0, 0);
	cr_assert_eq(put_text(w.store, BELOW, "x", STORE_ABSENT, NULL), 0);
	expect_trace("write tmp\nfsync tmp\n"
		     "flock /.pubfs-store/lock\ncount /.pubfs-store/lock\n"
		     "setxattr tmp\nrename /latest/api/packages/http.d/advisories\n"
		     "mkdir /latest/api/packages/http.d\n"
		     "rename /latest/api/packages/http.d/advisories\n"
		     "fsync /latest/api/packages/http.d/advisories\n"
		     "fsync /latest/api/packages/http.d\nfsync /latest/api/packages\n");
	dir_world_remove(&w);
}

Test(dir_order, folders_are_tried_from_the_lowest_and_made_from_the_highest)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, "top", "x", STORE_ABSENT, NULL), 0);
	arm(0, 0);
	cr_assert_eq(put_text(w.store, "latest/api/key", "x", STORE_ABSENT, NULL), 0);
	expect_trace("write tmp\nfsync tmp\n"
		     "flock /.pubfs-store/lock\ncount /.pubfs-store/lock\n"
		     "setxattr tmp\nrename /latest/api/key\n"
		     "mkdir /latest/api\nmkdir /latest\nmkdir /latest/api\n"
		     "rename /latest/api/key\n"
		     "fsync /latest/api/key\nfsync /latest/api\nfsync /latest\nfsync \n");
	dir_world_remove(&w);
}

Test(dir_order, many_bodies_share_one_syncfs_before_the_lock_and_one_after_it)
{
	struct dir_world w = dir_world_make();
	struct body body = body_of_bytes("x", 1);
	struct edit edits[2] = { edit_write("a", &body, 1), edit_write("b", &body, 2) };

	cr_assert_eq(put_text(w.store, "a", "x", STORE_ABSENT, NULL), 0);
	arm(0, 0);
	cr_assert_eq(store_edit(w.store, edits, 2), 0);
	expect_trace("write tmp\nwrite tmp\nsyncfs \n"
		     "flock /.pubfs-store/lock\n"
		     "count /.pubfs-store/lock\nsetxattr tmp\nrename /a\n"
		     "count /.pubfs-store/lock\nsetxattr tmp\nrename /b\n"
		     "syncfs \n");
	edit_release(edits, 2);
	dir_world_remove(&w);
}

Test(dir_order, a_removal_is_durable_where_it_happened_and_an_absent_one_everywhere)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, "latest/a/b", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, "latest/c", "x", STORE_ABSENT, NULL), 0);
	arm(0, 0);
	cr_assert_eq(remove_key(w.store, "latest/a/b", STORE_ANY), 0);
	expect_trace("flock /.pubfs-store/lock\nfsync /latest\n");
	arm(0, 0);
	cr_assert_eq(remove_key(w.store, "latest/a/b", STORE_ANY), 0);
	expect_trace("flock /.pubfs-store/lock\nfsync /latest\nfsync \n");
	dir_world_remove(&w);
}

Test(dir_order, a_touch_writes_no_body)
{
	struct dir_world w = dir_world_make();
	struct edit e = edit_write("key", NULL, 0);

	cr_assert_eq(put_text(w.store, "key", "x", STORE_ABSENT, NULL), 0);
	e.op = EDIT_TOUCH;
	arm(0, 0);
	cr_assert_eq(run_edit(w.store, &e, NULL), 0);
	expect_trace("flock /.pubfs-store/lock\nsetxattr /key\nfsync /key\n");
	dir_world_remove(&w);
}

static const struct {
	int error, result;
	const char *why;
} causes[] = {
	{ ENOSPC, -EIO, "the file system is full; free some space" },
	{ EDQUOT, -EIO, "the disk quota is used up" },
	{ EROFS, -EACCES, "mounted read-only" },
	{ EACCES, -EACCES, "permission denied; run as the owner" },
	{ EOPNOTSUPP, -EIO, "keeps no user extended attributes" },
	{ EIO, -EIO, "Input/output error" },
};

/* Old whole or new whole. */
static void check_after_fault(struct dir_world *w, const char *key, const char *old,
			      const char *new, uint64_t generation)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	CLEANUP(object_release) struct object obj = { 0 };

	cr_assert_eq(store_stat(w->store, key, &obj), 0);
	cr_assert_eq(store_read(w->store, key, STORE_ANY, 0, SIZE_MAX, &out), 0);
	cr_assert_str_eq(out.buf, obj.generation == generation ? old : new);
	cr_assert_str_eq(obj.change, obj.generation == generation ? "old" : "new");
}

static struct edit edit_marked(const char *key, const struct body *body, const char *mark)
{
	struct edit e = edit_write(key, body, 0);

	e.object.change = xstrdup(mark);
	return e;
}

/* Returns false when there was no n-th call any more. */
static bool write_with_fault(unsigned n, size_t cause, enum edit_op op)
{
	struct dir_world w = dir_world_make();
	struct body old = body_of_bytes("old body", 8), new = body_of_bytes("new body", 8);
	struct edit e = edit_marked(LISTING, &old, "old");
	uint64_t generation;
	bool fired;
	int r;

	cr_assert_eq(run_edit(w.store, &e, &generation), 0);
	cr_assert_eq(put_text(w.store, "source", "new body", STORE_ABSENT, NULL), 0);
	e = edit_marked(LISTING, &new, "new");
	e.op = op;
	e.from = w.store;
	e.from_key = "source";
	e.from_generation = STORE_ANY;
	e.if_generation = generation;
	arm(n, causes[cause].error);
	r = store_edit(w.store, &e, 1);
	calls.armed = false;
	fired = calls.fired;
	cr_assert_eq(r, fired ? causes[cause].result : 0, "call %u, %s: %d\n%s", n,
		     causes[cause].why, r, calls.trace.buf);
	cr_assert_eq(e.object.generation != 0, !fired);
	edit_release(&e, 1);
	if (fired) {
		cr_assert_not_null(strstr(log_last_failure(), causes[cause].why), "%s",
				   log_last_failure());
		cr_assert_not_null(strstr(log_last_failure(), LISTING), "%s", log_last_failure());
	}
	check_after_fault(&w, LISTING, "old body", "new body", generation);
	cr_assert_eq(put_text(w.store, LISTING, "again", STORE_ANY, NULL), 0);
	store_close(w.store);
	cr_assert_eq(dir_world_count(&w, ".pubfs-store/tmp"), 0, "nothing was left to be swept");
	w.store = dir_world_open(&w);
	dir_world_remove(&w);
	strbuf_release(&calls.trace);
	return fired;
}

static void check_every_call(enum edit_op op, unsigned least)
{
	for (size_t cause = 0; cause < ARRAY_SIZE(causes); cause++) {
		unsigned n = 1;

		while (write_with_fault(n, cause, op))
			n++;
		cr_assert_geq(n, least, "%u calls failed", n - 1);
	}
}

Test(dir_fault, a_write_whose_nth_call_fails_leaves_old_or_new)
{
	check_every_call(EDIT_WRITE, 9);
}

Test(dir_fault, a_copy_whose_nth_call_fails_leaves_old_or_new)
{
	check_every_call(EDIT_COPY, 8);
}

Test(dir_fault, a_touch_whose_nth_call_fails_leaves_old_or_new_metadata)
{
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		CLEANUP(object_release) struct object obj = { 0 };
		struct dir_world w = dir_world_make();
		struct body body = body_of_bytes("body", 4);
		struct edit e = edit_marked(LISTING, &body, "old");
		int r;

		cr_assert_eq(run_edit(w.store, &e, NULL), 0);
		e = edit_marked(LISTING, NULL, "new");
		e.op = EDIT_TOUCH;
		arm(n, ENOSPC);
		r = run_edit(w.store, &e, NULL);
		calls.armed = false;
		fired = calls.fired;
		cr_assert_eq(r, fired ? -EIO : 0);
		cr_assert_eq(store_stat(w.store, LISTING, &obj), 0);
		cr_assert_eq(obj.metageneration, strcmp(obj.change, "new") ? 1 : 2);
		cr_assert(fired || !strcmp(obj.change, "new"));
		expect_text(w.store, LISTING, "body");
		strbuf_release(&calls.trace);
		dir_world_remove(&w);
	}
}

Test(dir_fault, a_removal_whose_nth_call_fails_does_not_say_that_it_is_done)
{
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		struct dir_world w = dir_world_make();
		int r;

		cr_assert_eq(put_text(w.store, LISTING, "body", STORE_ABSENT, NULL), 0);
		arm(n, EIO);
		r = remove_key(w.store, LISTING, STORE_ANY);
		calls.armed = false;
		fired = calls.fired;
		cr_assert_eq(r, fired ? -EIO : 0);
		cr_assert(fired || !generation_of(w.store, LISTING));
		cr_assert_eq(remove_key(w.store, LISTING, STORE_ANY), 0);
		cr_assert_eq(dir_world_count(&w, "."), 1);
		strbuf_release(&calls.trace);
		dir_world_remove(&w);
	}
}

static int count_names(void *ctx, const struct object *obj)
{
	(void)obj;
	++*(unsigned *)ctx;
	return 0;
}

/* What is left out of a list counts as removed. */
Test(dir_fault, a_list_whose_nth_call_fails_is_none)
{
	struct dir_world w = dir_world_make();
	bool fired = true;

	cr_assert_eq(put_text(w.store, LISTING, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, BELOW, "x", STORE_ABSENT, NULL), 0);
	for (unsigned n = 1; fired; n++) {
		unsigned names = 0;
		int r;

		arm(n, EIO);
		r = store_list(w.store, "latest/", true, NULL, count_names, &names);
		calls.armed = false;
		fired = calls.fired;
		cr_assert_eq(r, fired ? -EIO : 0, "call %u: %d", n, r);
		cr_assert(fired || names == 2);
		cr_assert(!fired || strstr(log_last_failure(), "cannot list"), "%s",
			  log_last_failure());
	}
	strbuf_release(&calls.trace);
	dir_world_remove(&w);
}

/* The first write of a handle in an empty store also makes folders; after a failure none of them
 * is left. */
Test(dir_fault, a_first_write_whose_nth_call_fails_leaves_no_empty_folders)
{
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		struct dir_world w = dir_world_make();
		int r;

		arm(n, ENOSPC);
		r = put_text(w.store, BELOW, "x", STORE_ABSENT, NULL);
		calls.armed = false;
		fired = calls.fired;
		cr_assert_eq(r, fired ? -EIO : 0, "call %u: %d\n%s", n, r, calls.trace.buf);
		if (!generation_of(w.store, BELOW))
			cr_assert_eq(dir_world_count(&w, "."), 1, "call %u\n%s", n,
				     calls.trace.buf);
		else
			expect_text(w.store, BELOW, "x");
		cr_assert_eq(put_text(w.store, BELOW, "y", STORE_ANY, NULL), 0);
		strbuf_release(&calls.trace);
		dir_world_remove(&w);
	}
}

/* Three changes in two groups: when the n-th call fails, what says 0 is there, what says another
 * thing is old or new, and nothing is tried behind a failure of its group. */
Test(dir_fault, many_changes_whose_nth_call_fails_each_tell_the_truth)
{
	static const char *const keys[] = { "a", "b", "c" };
	bool fired = true;

	for (unsigned n = 1; fired; n++) {
		struct dir_world w = dir_world_make();
		struct body old = body_of_bytes("old", 3), new = body_of_bytes("new", 3);
		struct edit edits[3];
		uint64_t generation[3];
		int r;

		for (unsigned i = 0; i < 3; i++) {
			struct edit e = edit_marked(keys[i], &old, "old");

			cr_assert_eq(run_edit(w.store, &e, &generation[i]), 0);
			edits[i] = edit_marked(keys[i], &new, "new");
			edits[i].group = i / 2;
		}
		arm(n, EIO);
		r = store_edit(w.store, edits, 3);
		calls.armed = false;
		fired = calls.fired;
		cr_assert_eq(r, fired ? -EIO : 0, "call %u: %d\n%s", n, r, calls.trace.buf);
		for (unsigned i = 0; i < 3; i++) {
			check_after_fault(&w, keys[i], "old", "new", generation[i]);
			if (!edits[i].result)
				expect_text(w.store, keys[i], "new");
		}
		if (edits[0].result == -EIO && edits[1].result == -ECANCELED)
			expect_text(w.store, "b", "old");
		edit_release(edits, 3);
		strbuf_release(&calls.trace);
		dir_world_remove(&w);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_open_test.c - making and opening a `dir:` store, and who may do what in it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance.h"
#include "dir_world.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define OWN    ".pubfs-store"
#define NOBODY 65534

static void expect_refused(const char *url, enum store_mode mode, int result, const char *why)
{
	struct store *s = NULL;

	cr_assert_eq(store_open(url, mode, &s), result, "%s", url);
	cr_assert_null(s);
	cr_assert_not_null(strstr(log_last_failure(), why), "%s", log_last_failure());
}

static char *home_path(const struct dir_world *w, const char *name)
{
	return xasprintf("%s/%s", w->home, name);
}

static char *home_url(const struct dir_world *w, const char *name)
{
	return xasprintf("dir:%s/%s", w->home, name);
}

Test(dir_open, one_store_has_one_url_and_one_identity)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *link = home_path(&w, "link");
	char *forms[] = { home_url(&w, "link"), home_url(&w, "bucket/"),
			  home_url(&w, "./bucket/.") };
	struct store *s;

	cr_assert_eq(symlink("bucket", link), 0);
	cr_assert_str_eq(w.store->url, w.url);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		cr_assert_eq(store_open(forms[i], i ? STORE_OPEN : STORE_CREATE, &s), 0);
		cr_assert_str_eq(s->url, w.url);
		cr_assert_str_eq(s->identity, w.store->identity);
		store_close(s);
		free(forms[i]);
	}
	dir_world_remove(&w);
}

Test(dir_open, a_path_may_be_relative)
{
	struct dir_world w = dir_world_make();
	struct store *s;

	cr_assert_eq(chdir(w.home), 0);
	cr_assert_eq(store_open("dir:bucket", STORE_OPEN, &s), 0);
	cr_assert_str_eq(s->url, w.url);
	store_close(s);
	cr_assert_eq(chdir("/"), 0);
	dir_world_remove(&w);
}

Test(dir_open, a_store_made_anew_in_the_same_place_is_another)
{
	struct dir_world w = dir_world_make(), old;
	CLEANUP(free_char) char *away = home_path(&w, "away");
	struct store *s;

	old = w;
	cr_assert_eq(rename(w.root, away), 0);
	cr_assert_eq(store_open(w.url, STORE_CREATE, &s), 0);
	cr_assert_str_eq(s->url, old.store->url);
	cr_assert_str_neq(s->identity, old.store->identity);
	store_close(s);
	dir_world_remove(&w);
}

Test(dir_open, a_folder_that_is_missing_is_never_made_by_opening)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "missing");
	CLEANUP(free_char) char *path = home_path(&w, "missing");

	expect_refused(url, STORE_OPEN, -ENOENT, "check the path");
	cr_assert_eq(access(path, F_OK), -1);
	dir_world_remove(&w);
}

Test(dir_open, a_folder_without_the_marker_is_no_store)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "plain");
	CLEANUP(free_char) char *path = home_path(&w, "plain");

	cr_assert_eq(mkdir(path, 0755), 0);
	expect_refused(url, STORE_OPEN, -ENOENT, "check the path");
	cr_assert_eq(rmdir(path), 0, "and nothing was put in it");
	dir_world_remove(&w);
}

Test(dir_open, a_folder_with_other_things_is_refused_and_not_touched)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "photos");
	CLEANUP(free_char) char *path = home_path(&w, "photos");
	CLEANUP(free_char) char *inner = home_path(&w, "photos/2024");

	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_eq(mkdir(inner, 0755), 0);
	expect_refused(url, STORE_CREATE, -EIO, "holds other things");
	cr_assert_eq(rmdir(inner), 0);
	cr_assert_eq(rmdir(path), 0, "and nothing was put in it");
	dir_world_remove(&w);
}

Test(dir_open, archives_that_were_there_before_become_a_store)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "archives");
	CLEANUP(free_char) char *path = home_path(&w, "archives");
	CLEANUP(free_char) char *inner = home_path(&w, "archives/packages");
	CLEANUP(free_char) char *other = home_path(&w, "archives/2026.01.01");
	struct store *s;

	cr_assert_eq(mkdir(path, 0755), 0);
	cr_assert_eq(mkdir(inner, 0755), 0);
	cr_assert_eq(mkdir(other, 0755), 0);
	expect_refused(url, STORE_OPEN, -ENOENT, "check the path");
	cr_assert_eq(store_open(url, STORE_CREATE, &s), 0);
	cr_assert_eq(put_text(s, "packages/a-1.0.0.tar.gz", "x", STORE_ABSENT, NULL), 0);
	store_close(s);
	dir_world_remove(&w);
}

Test(dir_open, only_the_last_folder_is_made)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "no/such/bucket");
	CLEANUP(free_char) char *path = home_path(&w, "no");

	expect_refused(url, STORE_CREATE, -ENOENT, "make that first");
	cr_assert_eq(access(path, F_OK), -1);
	dir_world_remove(&w);
}

Test(dir_open, what_is_no_folder_is_refused)
{
	struct dir_world w = dir_world_make();

	dir_world_write(&w, "file", "x");
	free(w.url);
	w.url = xasprintf("dir:%s/file", w.root);
	expect_refused(w.url, STORE_CREATE, -EIO, "Not a directory");
	expect_refused(w.url, STORE_OPEN, -ENOENT, "check the path");
	expect_refused("dir:", STORE_OPEN, -EINVAL, "dir:PATH");
	dir_world_remove(&w);
}

Test(dir_open, an_empty_folder_and_a_half_made_store_are_completed)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *url = home_url(&w, "half");
	CLEANUP(free_char) char *path = home_path(&w, "half");
	CLEANUP(free_char) char *own = home_path(&w, "half/" OWN);
	struct store *s;

	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(mkdir(own, 0755), 0);
	expect_refused(url, STORE_OPEN, -ENOENT, "check the path");
	cr_assert_eq(store_open(url, STORE_CREATE, &s), 0);
	cr_assert_eq(put_text(s, "key", "x", STORE_ABSENT, NULL), 0);
	store_close(s);
	dir_world_remove(&w);
}

Test(dir_open, a_damaged_identity_is_an_error_and_not_a_new_store)
{
	static const char *const texts[] = { "", "\n", "not hex\n", "0123" };
	struct dir_world w = dir_world_make();

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		dir_world_write(&w, OWN "/id", texts[i]);
		expect_refused(w.url, STORE_OPEN, -EIO, "is damaged");
		expect_refused(w.url, STORE_CREATE, -EIO, "is damaged");
	}
	dir_world_remove(&w);
}

Test(dir_open, a_store_that_was_removed_meanwhile_takes_no_more)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *away = home_path(&w, "away");

	cr_assert_eq(put_text(w.store, "key", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(rename(w.root, away), 0);
	cr_assert_eq(put_text(w.store, "key", "x", STORE_ANY, NULL), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "has been removed"));
	cr_assert_eq(remove_key(w.store, "key", STORE_ANY), -EIO);
	cr_assert_eq(access(w.root, F_OK), -1);
	dir_world_remove(&w);
}

static int count_one(void *ctx, const struct object *obj)
{
	(void)obj;
	++*(int *)ctx;
	return 0;
}

/* Without, and as a folder on which a disk is not mounted any more. */
Test(dir_open, a_store_that_was_removed_meanwhile_does_not_look_empty)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *away = home_path(&w, "away");
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(16);
	uint64_t generation;
	int n = 0;

	cr_assert_eq(put_text(w.store, "a/key", "x", STORE_ABSENT, &generation), 0);
	cr_assert_eq(rename(w.root, away), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(store_stat(w.store, "a/key", &obj), -EIO);
		cr_assert_not_null(strstr(log_last_failure(), "has been removed"));
		cr_assert_eq(store_read(w.store, "a/key", generation, 0, 1, &body), -EIO);
		cr_assert_eq(store_list(w.store, "", true, NULL, count_one, &n), -EIO);
		cr_assert_eq(store_list(w.store, "a/", false, NULL, count_one, &n), -EIO);
		cr_assert_eq(i ? rmdir(w.root) : mkdir(w.root, 0755), 0);
	}
	cr_assert_eq(rename(away, w.root), 0);
	cr_assert_eq(store_stat(w.store, "b/key", &obj), -ENOENT);
	cr_assert_eq(store_list(w.store, "", true, NULL, count_one, &n), 0);
	cr_assert_eq(n, 1);
	dir_world_remove(&w);
}

/* Temporary files */

Test(dir_tmp, what_a_killed_process_left_is_swept_and_what_lives_is_not)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *dead = dir_world_path(&w, OWN "/tmp/0123456789abcdef");
	struct store *other;

	cr_assert_eq(put_text(w.store, "key", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(mkdir(dead, 0755), 0);
	dir_world_write(&w, OWN "/tmp/0123456789abcdef/0", "half a body");
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 2);
	other = dir_world_open(&w);
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 1);
	cr_assert_eq(put_text(w.store, "key", "y", STORE_ANY, NULL), 0);
	cr_assert_eq(put_text(other, "key", "z", STORE_ANY, NULL), 0);
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 2);
	store_close(other);
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 1);
	dir_world_remove(&w);
}

Test(dir_tmp, a_folder_whose_flock_is_held_is_left_alone)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *alive = dir_world_path(&w, OWN "/tmp/0123456789abcdef");
	CLEANUP(close_fd) int fd = -1;

	cr_assert_eq(mkdir(alive, 0755), 0);
	fd = open(alive, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(flock(fd, LOCK_EX), 0);
	store_close(dir_world_open(&w));
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 1);
	cr_assert_eq(flock(fd, LOCK_UN), 0);
	store_close(dir_world_open(&w));
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 0);
	dir_world_remove(&w);
}

/* Rights */

/* Runs `check` as somebody who may read the store and not write it; returns its exit status. */
static int as_reader(const struct dir_world *w, int (*check)(const struct dir_world *w))
{
	static const char *const folders[] = { "", "latest", OWN, OWN "/tmp" };
	int status;
	pid_t pid;

	cr_assert_eq(chmod(w->home, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		CLEANUP(free_char) char *path = dir_world_path(w, folders[i]);

		cr_assert_eq(chmod(path, 0555), 0);
	}
	pid = fork();
	if (!pid)
		_exit(geteuid() == 0 && setuid(NOBODY) < 0 ? 99 : check(w));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		CLEANUP(free_char) char *path = dir_world_path(w, folders[i]);

		cr_assert_eq(chmod(path, 0755), 0);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int read_and_try_to_write(const struct dir_world *w)
{
	struct object obj = { 0 };
	struct store *s;

	if (store_open(w->url, STORE_OPEN, &s) < 0)
		return 1;
	if (store_stat(s, "latest/key", &obj) < 0)
		return 2;
	object_release(&obj);
	if (put_text(s, "latest/key", "new", STORE_ANY, NULL) != -EACCES)
		return 3;
	if (!strstr(log_last_failure(), "permission denied; run as the owner"))
		return 4;
	if (remove_key(s, "latest/key", STORE_ANY) != -EACCES)
		return 5;
	store_close(s);
	return 0;
}

Test(dir_rights, who_may_only_read_reads_and_is_told_why_no_more)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *lock = dir_world_path(&w, OWN "/lock");

	cr_assert_eq(put_text(w.store, "latest/key", "old", STORE_ABSENT, NULL), 0);
	cr_assert_eq(chmod(lock, 0444), 0);
	cr_assert_eq(as_reader(&w, read_and_try_to_write), 0);
	expect_text(w.store, "latest/key", "old");
	dir_world_remove(&w);
}

static int try_to_open(const struct dir_world *w)
{
	struct store *s;

	return store_open(w->url, STORE_OPEN, &s) == -EACCES ? 0 : 1;
}

Test(dir_rights, who_may_not_even_read_is_refused)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *id = dir_world_path(&w, OWN "/id");

	cr_assert_eq(put_text(w.store, "latest/key", "old", STORE_ABSENT, NULL), 0);
	cr_assert_eq(chmod(id, 0), 0);
	cr_assert_eq(as_reader(&w, try_to_open), 0);
	dir_world_remove(&w);
}

/* A small file system, where this process may mount one; gone with the process in any case. */
static bool mount_small(const char *path)
{
	return mkdir(path, 0755) == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", path, "tmpfs", 0, "size=256k") == 0;
}

Test(dir_rights, a_full_and_a_read_only_file_system_leave_all_as_it_was)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *path = home_path(&w, "small");
	CLEANUP(free_char) char *url = home_url(&w, "small");
	CLEANUP(free_char) char *large = xmalloc(300001);
	struct store *s;

	memset(large, 'x', 300000);
	large[300000] = '\0';
	/* dir_fault_test.c has the same for every call, without a mount */
	if (mount_small(path) && store_open(url, STORE_CREATE, &s) == 0) {
		cr_assert_eq(put_text(s, "latest/key", "old", STORE_ABSENT, NULL), 0);
		cr_assert_eq(put_text(s, "latest/key", large, STORE_ANY, NULL), -EIO);
		cr_assert_not_null(strstr(log_last_failure(), "is full; free some space"));
		expect_text(s, "latest/key", "old");
		cr_assert_eq(put_text(s, "latest/key", "new", STORE_ANY, NULL), 0);
		store_close(s);
		cr_assert_eq(mount("none", path, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
		cr_assert_eq(store_open(url, STORE_OPEN, &s), 0);
		expect_text(s, "latest/key", "new");
		expect_list(s, "", true, NULL, "latest/key ");
		cr_assert_eq(put_text(s, "latest/key", "newer", STORE_ANY, NULL), -EACCES);
		cr_assert_not_null(strstr(log_last_failure(), "read-only"));
		cr_assert_eq(remove_key(s, "latest/key", STORE_ANY), -EACCES);
		expect_text(s, "latest/key", "new");
		store_close(s);
	}
	umount(path);
	dir_world_remove(&w);
}

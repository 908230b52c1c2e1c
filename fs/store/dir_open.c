/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_open.c - the own folder of a `dir:` store: its identity, its lock, its temporary files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "catalog.h"
#include "dir.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define IDENTITY_MAX   64 /* hexadecimal digits */
#define COUNTER_LENGTH 20 /* digits of the last generation, in the file `lock` */

static void close_folder(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int take_flock(int fd, int how)
{
	int r;

	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r;
}

static int sync_path(const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : fsync(fd);
}

/* Opening and making */

static int own_fail(int r, const char *what, const char *path)
{
	return fail(errno == EACCES || errno == EPERM || errno == EROFS ? -EACCES : r,
		    "cannot %s the store %s: %s", what, path, strerror(errno));
}

/* -ENOENT: no store has its marker here. */
static int read_identity(const char *root, char **ret)
{
	CLEANUP(free_char) char *path = xasprintf("%s/" DIR_OWN "/id", root);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[IDENTITY_MAX + 2] = "";
	ssize_t n;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return own_fail(-EIO, "open", root);
	if (n < 2 || text[n - 1] != '\n' || strspn(text, "0123456789abcdef") != (size_t)n - 1)
		return fail(-EIO,
			    "cannot open the store %s: its file " DIR_OWN "/id is damaged; "
			    "write 32 hexadecimal digits and a newline into it",
			    root);
	*ret = xstrndup(text, (size_t)n - 1);
	return 0;
}

/* What stands at the top of a bucket or of an archive store, and an own folder that a killed
 * process did not finish. */
static bool is_top_name(const char *name)
{
	return is_dots(name) || !strcmp(name, DIR_OWN) || !strcmp(name, "latest") ||
	       !strcmp(name, "packages") || catalog_is_runtime_version(name, strlen(name));
}

/* An empty folder can become a store, and so can one that holds nothing but what a store would:
 * archives that were there before pubfs, or a copy. Anything else is a mistyped path. */
static int can_be_store(const char *root, bool *ret)
{
	CLEANUP(close_folder) DIR *dir = opendir(root);
	struct dirent *entry;

	if (!dir)
		return own_fail(-EIO, "make", root);
	*ret = true;
	while ((entry = readdir(dir)))
		*ret = *ret && is_top_name(entry->d_name);
	return 0;
}

static int write_identity(const char *root)
{
	CLEANUP(free_char) char *own = xasprintf("%s/" DIR_OWN, root);
	CLEANUP(free_char) char *path = xasprintf("%s/id", own);
	CLEANUP(free_char) char *tmp = xasprintf("%s/id.new", own);
	CLEANUP(free_char) char *parent = xasprintf("%s/..", root);
	CLEANUP(free_char) char *identity = identity_new();
	CLEANUP(close_fd)
	int fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, DIR_FILE_MODE);

	if (fd < 0 || dprintf(fd, "%s\n", identity) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0 ||
	    sync_path(own) < 0 || sync_path(root) < 0)
		return own_fail(-EIO, "make", root);
	/* a parent that we may not read is made durable by whoever owns it */
	if (sync_path(parent) < 0 && errno != EACCES)
		return own_fail(-EIO, "make", root);
	return 0;
}

/* Under the lock, so that of many processes that make one store, one does. */
static int make_own(const char *root, int lock)
{
	CLEANUP(free_char) char *identity = NULL;

	if (take_flock(lock, LOCK_EX) < 0)
		return own_fail(-EIO, "lock", root);
	if (read_identity(root, &identity) == 0)
		return 0;
	if (fsetxattr(lock, DIR_ATTRIBUTE, "", 0, 0) < 0 && errno == EOPNOTSUPP)
		return fail(-EIO,
			    "cannot make a store at %s: its file system keeps no user "
			    "extended attributes; choose a folder on ext4, xfs or btrfs",
			    root);
	return write_identity(root);
}

static int make_store(const char *root)
{
	CLEANUP(free_char) char *own = xasprintf("%s/" DIR_OWN, root);
	CLEANUP(free_char) char *tmp = xasprintf("%s/tmp", own);
	CLEANUP(free_char) char *lock = xasprintf("%s/lock", own);
	CLEANUP(close_fd) int fd = -1;
	bool can_be = false;
	int r = can_be_store(root, &can_be);

	if (r < 0)
		return r;
	if (!can_be)
		return fail(-EIO,
			    "%s is no store of pubfs and holds other things: nothing was changed; "
			    "check the path, or choose a new folder",
			    root);
	if ((mkdir(own, DIR_FOLDER_MODE) < 0 && errno != EEXIST) ||
	    (mkdir(tmp, DIR_FOLDER_MODE) < 0 && errno != EEXIST))
		return own_fail(-EIO, "make", root);
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, DIR_FILE_MODE);
	r = fd < 0 ? own_fail(-EIO, "make", root) : make_own(root, fd);
	if (r < 0) {
		unlink(lock);
		rmdir(tmp);
		rmdir(own);
	}
	return r;
}

static int no_store(const char *path, const char *made_by)
{
	if (!made_by)
		return fail(-ENOENT, "there is no store at %s: check the path", path);
	return fail(-ENOENT, "there is no store at %s: check the path; a new one is made by `%s`",
		    path, made_by);
}

int dir_open_own(const char *path, enum store_mode mode, const char *made_by, char **ret_root,
		 char **ret_identity)
{
	bool create = mode == STORE_CREATE, made = create && !mkdir(path, DIR_FOLDER_MODE);
	CLEANUP(free_char) char *root = NULL;
	int r;

	if (!*path)
		return fail(-EINVAL, "dir: is not the URL of a store: write dir:PATH");
	if (create && !made && errno == ENOENT)
		return fail(-ENOENT,
			    "cannot make a store at %s: the folder above it is not there; "
			    "make that first",
			    path);
	if (create && !made && errno != EEXIST)
		return own_fail(-EIO, "make", path);
	root = realpath(path, NULL);
	if (!root)
		return errno == ENOENT ? no_store(path, made_by) : own_fail(-EIO, "open", path);
	r = read_identity(root, ret_identity);
	if (r == -ENOENT && create) {
		r = make_store(root);
		if (r == 0)
			r = read_identity(root, ret_identity);
		else if (made)
			rmdir(root);
	}
	if (r == -ENOENT)
		return no_store(root, made_by);
	if (r == 0)
		*ret_root = steal(root);
	return r;
}

/* The lock */

int dir_check_own(const struct dir_store *d, const char *verb, const char *what)
{
	CLEANUP(free_char) char *path = xasprintf("%s/" DIR_OWN "/id", d->root);

	if (!access(path, F_OK) || (errno != ENOENT && errno != ENOTDIR))
		return 0;
	errno = ENOENT;
	return dir_fail(d, verb, what);
}

int dir_lock_take(const struct dir_store *d, const char *key, struct dir_lock *ret)
{
	CLEANUP(free_char) char *path = xasprintf("%s/" DIR_OWN "/lock", d->root);
	char digits[COUNTER_LENGTH + 1] = "";
	/* a description of our own: threads and forked processes exclude each other too */
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return dir_fail(d, "change", key);
	if (take_flock(fd, LOCK_EX) < 0 || pread(fd, digits, COUNTER_LENGTH, 0) < 0) {
		int r = dir_fail(d, "lock the store to change", key);

		close(fd);
		return r;
	}
	*ret = (struct dir_lock){ .fd = fd, .last = strtoull(digits, NULL, 10) };
	return 0;
}

void dir_lock_release(struct dir_lock *lock)
{
	close_fd(&lock->fd);
}

int dir_lock_draw(const struct dir_store *d, struct dir_lock *lock, uint64_t than, const char *key,
		  uint64_t *ret)
{
	uint64_t drawn = generation_after(lock->last > than ? lock->last : than);
	char digits[COUNTER_LENGTH + 2];

	snprintf(digits, sizeof(digits), "%0*" PRIu64 "\n", COUNTER_LENGTH, drawn);
	if (pwrite(lock->fd, digits, COUNTER_LENGTH + 1, 0) != COUNTER_LENGTH + 1)
		return dir_fail(d, "write", key);
	lock->last = *ret = drawn;
	return 0;
}

/* Temporary files */

/* The folder of this handle. A sweep may come between its making and its flock: then once more. */
static int make_tmp(struct dir_store *d, const char *key)
{
	for (;;) {
		CLEANUP(free_char) char *id = identity_new();
		CLEANUP(free_char) char *path = xasprintf("%s/" DIR_OWN "/tmp/%s", d->root, id);
		CLEANUP(close_fd) int fd = -1;
		struct stat st;

		if (mkdir(path, DIR_FOLDER_MODE) < 0)
			return dir_fail(d, "write", key);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || take_flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return dir_fail(d, "write", key);
		if (!st.st_nlink)
			continue;
		d->tmp = steal(path);
		d->tmp_fd = fd;
		fd = -1;
		return 0;
	}
}

int dir_tmp_create(struct dir_store *d, const char *key, char **ret_path, int *ret_fd)
{
	CLEANUP(free_char) char *path = NULL;
	int fd, r = 0;

	pthread_mutex_lock(&d->lock);
	if (!d->tmp)
		r = make_tmp(d, key);
	pthread_mutex_unlock(&d->lock);
	if (r < 0)
		return r;
	do { /* a forked process counts in the same folder */
		free(path);
		path = xasprintf("%s/%lu", d->tmp, atomic_fetch_add(&d->tmp_count, 1));
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, DIR_FILE_MODE);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return dir_fail(d, "write", key);
	*ret_path = steal(path);
	*ret_fd = fd;
	return 0;
}

void dir_tmp_release(struct dir_store *d)
{
	if (d->tmp)
		rmdir(d->tmp);
	free(d->tmp);
	close_fd(&d->tmp_fd);
}

static void sweep_folder(int above, const char *name)
{
	CLEANUP(close_folder) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (!is_dots(entry->d_name))
			unlinkat(fd, entry->d_name, 0);
	if (unlinkat(above, name, AT_REMOVEDIR) == 0)
		log_debug("swept what a killed process left in " DIR_OWN "/tmp/%s", name);
}

/* Who may not write here, or on what cannot be written, leaves it to others. */
void dir_tmp_sweep(const char *root)
{
	CLEANUP(free_char) char *path = xasprintf("%s/" DIR_OWN "/tmp", root);
	CLEANUP(close_folder) DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (!is_dots(entry->d_name))
			sweep_folder(dirfd(dir), entry->d_name);
}

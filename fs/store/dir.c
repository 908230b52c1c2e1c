/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir.c - the store `dir:PATH`: objects as plain files, in the layout of the tree.
 *
 *	PATH/latest/api/...		the stored bytes; metadata in the attribute user.pubfs
 *	PATH/.pubfs-store/id		who this store is; there: a store is here
 *	PATH/.pubfs-store/lock		flock = the right to change; holds the last generation
 *	PATH/.pubfs-store/tmp/H/N	bodies on their way in; H is one open store, and holds a
 *					flock on its folder while it lives
 *
 * What a change does, and what a power cut at any moment leaves:
 *  1. A body is written to tmp/ and made durable before anything else happens. So a file under
 *     a key always has all of its bytes.
 *  2. Under the lock: the condition is checked, a generation drawn, and the attribute set on the
 *     file in tmp/; then one rename makes bytes and metadata visible together. A journal keeps
 *     that order, so a power cut leaves the old object or the new one. A file system that does
 *     not may leave the new bytes without their attribute: see 5.
 *  3. After the lock: the file's attribute and the folders that changed are made durable, and
 *     only then is the result 0. What was seen but not yet answered for may be undone by a power
 *     cut. A removal of what is not there waits for the folders too, since another process may
 *     have removed it a moment ago.
 *  4. A touch replaces the attribute of the file in one setxattr, under the lock. (Where the old
 *     one was lost, it reads the bytes there for their MD5.)
 *  5. A file without a readable attribute, or with one that speaks of another size, is an object
 *     still: known by its name and bytes, of the generation that its ctime says.
 *  6. Generations are drawn under the lock: max(last + 1, the wall clock, that of the object
 *     there + 1). A power cut may set the counter back; the clock is then ahead of it.
 *  7. Many changes are made like one, with one syncfs() for step 1 and one for step 3.
 *  8. Readers take no lock: an open file is one generation, since a file is never written again.
 *  9. Folders come and go under the lock, with the first and the last object below them.
 * 10. What is not found is not there only if the store still is: a disk that is not mounted any
 *     more would look like a store without objects.
 * The lock is held over no other lock, no new body and no first syncfs().
 */
#include "dir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "path.h"
#include "strbuf.h"

#define DIR_PATH_MAX (64 << 10)
#define DIR_BATCH    64 /* packages that share a syncfs(); their bodies are in memory meanwhile */

static char *path_of(const struct dir_store *d, const char *key)
{
	struct strbuf path = STRBUF_INIT(DIR_PATH_MAX);

	strbuf_addf(&path, "%s/", d->root);
	if (path_from_key(key, &path) < 0) {
		strbuf_release(&path);
		return NULL;
	}
	return strbuf_detach(&path);
}

char *dir_object_path(const struct dir_store *d, const char *key)
{
	return key[strlen(key) - 1] == '/' ? NULL : path_of(d, key);
}

char *dir_folder_path(const struct dir_store *d, const char *key)
{
	assert(!*key || key[strlen(key) - 1] == '/');
	return path_of(d, key);
}

static const struct {
	int error, result;
	const char *why;
} causes[] = {
	{ ENOSPC, -EIO, "the file system is full; free some space and try again" },
	{ EDQUOT, -EIO, "the disk quota is used up; free some space and try again" },
	{ EFBIG, -EIO, "the file would be larger than this process may write" },
	{ EROFS, -EACCES, "the file system is mounted read-only" },
	{ EACCES, -EACCES,
	  "permission denied; run as the owner of the folder, or change its mode" },
	{ EPERM, -EACCES, "not permitted; run as the owner of the folder" },
	{ EOPNOTSUPP, -EIO, "the file system keeps no user extended attributes; use ext4 or xfs" },
	{ ENOENT, -EIO,
	  "the store, or its folder " DIR_OWN ", has been removed, or its disk is not mounted" },
	{ EISDIR, -EIO, "a folder of that name is in the way" },
	{ ENOTEMPTY, -EIO, "a folder of that name is in the way" },
	{ ENOTDIR, -EIO, "another object stands where its folder would be" },
	{ EMFILE, -EIO, "too many open files; raise the limit (ulimit -n)" },
};

int dir_fail(const struct dir_store *d, const char *verb, const char *what)
{
	int error = errno;

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (causes[i].error == error)
			return fail(causes[i].result, "cannot %s %s in dir:%s: %s", verb, what,
				    d->root, causes[i].why);
	return fail(-EIO, "cannot %s %s in dir:%s: %s", verb, what, d->root, strerror(error));
}

int dir_open_object(const struct dir_store *d, const char *key, int *ret_fd)
{
	CLEANUP(free_char) char *path = dir_object_path(d, key);
	int fd;

	if (!path)
		return -ENOENT;
	/* not blocking: somebody may have put a pipe there */
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO ||
		       errno == ENAMETOOLONG)) {
		int r = dir_check_own(d, "open", key);

		return r < 0 ? r : -ENOENT;
	}
	if (fd < 0)
		return dir_fail(d, "open", key);
	*ret_fd = fd;
	return 0;
}

static int dir_stat(struct store *s, const char *key, struct object *ret)
{
	CLEANUP(close_fd) int fd = -1;
	int r = dir_open_object(dir_of(s), key, &fd);

	return r < 0 ? r : dir_meta_load(dir_of(s), key, fd, true, ret);
}

/* Exactly n bytes. */
static int read_bytes(const struct dir_store *d, const char *key, int fd, uint64_t offset, char *at,
		      size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, at + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return dir_fail(d, "read", key);
		if (!r)
			return fail(-EIO, "%s in dir:%s was cut while it was read", key, d->root);
		done += (size_t)r;
	}
	return 0;
}

/* A read of the whole object checks its bytes; a range cannot. */
static int check_bytes(const struct dir_store *d, const struct object *obj, const char *bytes)
{
	unsigned char sum[MD5_SIZE];

	if (!obj->has_md5)
		return 0;
	md5(bytes, obj->size, sum);
	if (!memcmp(sum, obj->md5, MD5_SIZE))
		return 0;
	return fail(-EBADMSG,
		    "%s in dir:%s is damaged: its bytes are not those that were written; "
		    "remove it and export it again",
		    obj->key, d->root);
}

static int dir_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		    size_t length, struct strbuf *out)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	CLEANUP(close_fd) int fd = -1;
	struct dir_store *d = dir_of(s);
	char *at;
	int r = dir_open_object(d, key, &fd);

	if (r == 0)
		r = dir_meta_load(d, key, fd, false, &obj);
	if (r < 0)
		return r;
	if (!generation_meets(obj.generation, generation))
		return -ESTALE;
	if (offset >= obj.size)
		length = 0;
	else if (length > obj.size - offset)
		length = (size_t)(obj.size - offset);
	at = strbuf_reserve(out, length);
	if (!at)
		return -E2BIG;
	r = read_bytes(d, key, fd, offset, at, length);
	if (r == 0 && length == obj.size)
		r = check_bytes(d, &obj, at);
	if (r == 0 && length)
		strbuf_setlen(out, out->len + length);
	return r;
}

static void dir_close(struct store *s)
{
	struct dir_store *d = dir_of(s);

	dir_tmp_release(d);
	pthread_mutex_destroy(&d->lock);
	free(d->root);
	free(s->url);
	free(s->identity);
	free(d);
}

static const struct store_ops dir_ops = {
	.name = "dir",
	.stat = dir_stat,
	.read = dir_read,
	.list = dir_list,
	.edit = dir_edit,
	.close = dir_close,
};

struct dir_store *dir_below(struct store *s)
{
	while (s->next)
		s = s->next;
	return s->ops == &dir_ops ? dir_of(s) : NULL;
}

int dir_open(const char *path, enum store_mode mode, const struct store_options *options,
	     struct store **ret)
{
	char *root, *identity;
	struct dir_store *d;
	int r = dir_open_own(path, mode, options->made_by, &root, &identity);

	if (r < 0)
		return r;
	d = xcalloc(1, sizeof(*d));
	d->store = (struct store){
		.ops = &dir_ops,
		.url = xasprintf("dir:%s", root),
		.identity = identity,
		.batch = DIR_BATCH,
	};
	d->root = root;
	d->tmp_fd = -1;
	pthread_mutex_init(&d->lock, NULL);
	dir_tmp_sweep(root);
	*ret = &d->store;
	return 0;
}

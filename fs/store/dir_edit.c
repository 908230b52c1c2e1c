/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir_edit.c - changes of `dir:`. dir.c says in which steps, and what a power cut leaves.
 *
 *	prepare_change()   1: the body lies whole in tmp/
 *	commit_changes()   2: under the lock: condition, generation, attribute, rename
 *	flush_changes()    3: on stable storage
 * A result of 0 means "nothing wrong so far" until the last step.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "clock.h"
#include "dir.h"
#include "file.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define PIECE	   ((size_t)256 << 10)
#define COPY_RANGE ((size_t)1 << 20) /* of a copy from a store of another kind */

struct change {
	struct edit *edit;
	char *path;	   /* of the object; NULL: no path can show it */
	char *waiting;	   /* the new body in tmp/; NULL: none */
	struct object now; /* what it will be: size and md5 from step 1, the rest from step 2 */
	size_t top;	   /* length of the path of the highest folder that changed; 0: none did */
};

static void change_release(struct change *c)
{
	if (c->waiting)
		unlink(c->waiting);
	free(c->waiting);
	free(c->path);
}

/* Step 1 */

static int write_bytes(const struct dir_store *d, const char *key, int fd, const char *bytes,
		       size_t n)
{
	return write_all(fd, bytes, n) < 0 ? dir_fail(d, "write", key) : 0;
}

static int write_body(const struct dir_store *d, const struct edit *e, int fd)
{
	CLEANUP(free_char) char *piece = NULL;

	if (e->body->buf)
		return write_bytes(d, e->object.key, fd, e->body->buf, e->body->size);
	piece = xmalloc(PIECE);
	for (uint64_t offset = 0; offset < e->body->size;) {
		ssize_t n = body_read(e->body, offset, piece, PIECE);
		int r = n > 0 ? write_bytes(d, e->object.key, fd, piece, (size_t)n) : 0;

		if (n < 0)
			return (int)n;
		if (!n)
			return fail(-EIO, "the body of %s was cut while it was read",
				    e->object.key);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
	return 0;
}

/* Copies in ranges, through memory. */
static int copy_ranges(const struct dir_store *d, const struct edit *e, const struct object *source,
		       int fd)
{
	CLEANUP(strbuf_release) struct strbuf range = STRBUF_INIT(COPY_RANGE);

	for (uint64_t offset = 0; offset < source->size; offset += range.len) {
		int r;

		strbuf_reset(&range);
		r = store_read(e->from, e->from_key, source->generation, offset, COPY_RANGE,
			       &range);
		if (r < 0)
			return r;
		if (!range.len)
			return fail(-EIO, "%s in %s was cut while it was copied", e->from_key,
				    e->from->url);
		r = write_bytes(d, e->object.key, fd, range.buf, range.len);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Lets the kernel copy from file to file. 1: it cannot, between these two. */
static int copy_file(const struct dir_store *d, const struct edit *e, const struct object *source,
		     int fd)
{
	struct dir_store *from = dir_below(e->from);
	CLEANUP(close_fd) int from_fd = -1;
	CLEANUP(object_release) struct object seen = { .validated = NO_TIME };
	int r;

	if (!from)
		return 1;
	r = dir_open_object(from, e->from_key, &from_fd);
	if (r == 0)
		r = dir_meta_load(from, e->from_key, from_fd, false, &seen);
	if (r < 0)
		return r;
	if (seen.generation != source->generation)
		return -ESTALE;
	for (uint64_t left = source->size; left;) {
		ssize_t n = copy_file_range(from_fd, NULL, fd, NULL, left, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && left == source->size &&
		    (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
			return 1;
		if (n < 0)
			return dir_fail(d, "write", e->object.key);
		if (!n)
			return fail(-EIO, "%s in %s was cut while it was copied", e->from_key,
				    e->from->url);
		left -= (uint64_t)n;
	}
	return 0;
}

/* What came out of memory is hashed there. What was copied, or read piece by piece, is hashed as it
 * lies in the file now. */
static int check_waiting(const struct change *c, int fd, const struct object *source,
			 unsigned char ret[MD5_SIZE])
{
	const struct edit *e = c->edit;
	struct body file = body_of_file(fd, c->now.size);
	bool in_memory = e->op == EDIT_WRITE && e->body->buf;
	const struct object *asked = &e->object;
	int r = digest_body(in_memory ? e->body : &file, NULL, ret);

	if (r < 0)
		return r;
	if (asked->has_md5 && memcmp(ret, asked->md5, MD5_SIZE) != 0)
		return fail(-EBADMSG, "cannot write %s: its bytes are not those of its MD5",
			    asked->key);
	if (source->has_md5 && memcmp(ret, source->md5, MD5_SIZE) != 0)
		return fail(-EBADMSG, "cannot copy %s: %s in %s is damaged", asked->key,
			    c->edit->from_key, c->edit->from->url);
	return 0;
}

static int fill_waiting(const struct dir_store *d, struct change *c, int fd)
{
	CLEANUP(object_release) struct object source = { .validated = NO_TIME };
	const struct edit *e = c->edit;
	int r;

	if (e->op == EDIT_WRITE) {
		c->now.size = e->body->size;
		r = write_body(d, e, fd);
	} else {
		r = edit_source(e, &source);
		c->now.size = source.size;
		if (r == 0)
			r = copy_file(d, e, &source, fd);
		if (r == 1)
			r = copy_ranges(d, e, &source, fd);
	}
	if (r == 0)
		r = check_waiting(c, fd, &source, c->now.md5);
	c->now.has_md5 = true;
	return r;
}

static int prepare_change(struct dir_store *d, struct change *c, bool alone)
{
	const struct edit *e = c->edit;
	CLEANUP(close_fd) int fd = -1;
	int r;

	c->path = dir_object_path(d, e->object.key);
	if (e->op == EDIT_TOUCH || e->op == EDIT_REMOVE)
		return 0;
	if (!c->path)
		return fail(-EINVAL, "cannot write %s: no file can have this name", e->object.key);
	r = dir_tmp_create(d, e->object.key, &c->waiting, &fd);
	if (r == 0)
		r = fill_waiting(d, c, fd);
	if (r == 0 && alone && fsync(fd) < 0)
		r = dir_fail(d, "write", e->object.key);
	return r;
}

/* Step 2 */

static size_t parent_length(const char *path)
{
	return (size_t)(strrchr(path, '/') - path);
}

/* Removes the folders above `path` that are empty, if they are there at all; returns how long the
 * path of the lowest that is left is. */
static size_t prune_parents(const struct dir_store *d, const char *path)
{
	CLEANUP(free_char) char *folder = xstrdup(path);
	size_t root = strlen(d->root);

	for (;;) {
		folder[parent_length(folder)] = '\0';
		if (strlen(folder) <= root || (rmdir(folder) < 0 && errno != ENOENT))
			return strlen(folder);
	}
}

/* Makes the folders above c->path, `n` bytes of it and what is missing above those; c->top becomes
 * the one that the highest new one is in. Most often all but the lowest are there. */
static int make_parents(const struct dir_store *d, struct change *c, size_t n)
{
	char cut = c->path[n];
	size_t above;
	int r;

	c->path[n] = '\0';
	above = parent_length(c->path);
	r = mkdir(c->path, DIR_FOLDER_MODE);
	if (r < 0 && errno == ENOENT && above > strlen(d->root)) {
		r = make_parents(d, c, above);
		if (r == 0)
			r = mkdir(c->path, DIR_FOLDER_MODE);
	}
	if (r == 0 && above < c->top)
		c->top = above;
	c->path[n] = cut;
	return r < 0 && errno != EEXIST ? -1 : 0;
}

static int rename_into_place(const struct dir_store *d, struct change *c)
{
	int r;

	c->top = parent_length(c->path);
	r = rename(c->waiting, c->path);
	if (r < 0 && errno == ENOENT) {
		r = make_parents(d, c, parent_length(c->path));
		if (r == 0)
			r = rename(c->waiting, c->path);
	}
	if (r < 0) {
		r = dir_fail(d, "write", c->edit->object.key);
		prune_parents(d, c->path);
	}
	return r;
}

static int replace(const struct dir_store *d, struct change *c, struct dir_lock *lock,
		   const struct object *there)
{
	struct object now = c->edit->object; /* borrows its texts */
	int r;

	c->now.metageneration = 1;
	c->now.created = c->now.updated = clock_now();
	r = dir_lock_draw(d, lock, there->generation, now.key, &c->now.generation);
	object_set_facts(&now, &c->now);
	if (r == 0)
		r = dir_meta_write(d, c->waiting, &now);
	if (r == 0)
		r = rename_into_place(d, c);
	if (r == 0)
		free(steal(c->waiting));
	return r;
}

static int touch(const struct dir_store *d, struct change *c, const struct object *there)
{
	struct object now = c->edit->object; /* borrows its texts */

	object_set_facts(&c->now, there);
	c->now.metageneration++;
	c->now.updated = clock_now();
	object_set_facts(&now, &c->now);
	return dir_meta_write(d, c->path, &now);
}

static int remove_file(const struct dir_store *d, struct change *c)
{
	if (unlink(c->path) < 0)
		return dir_fail(d, "remove", c->edit->object.key);
	c->top = prune_parents(d, c->path);
	return 0;
}

static int commit_change(const struct dir_store *d, struct change *c, struct dir_lock *lock)
{
	CLEANUP(object_release) struct object there = { .validated = NO_TIME };
	struct edit *e = c->edit;
	CLEANUP(close_fd) int fd = -1;
	int r = dir_open_object(d, e->object.key, &fd);

	if (r == 0)
		r = dir_meta_load(d, e->object.key, fd, e->op == EDIT_TOUCH, &there);
	if (r < 0 && r != -ENOENT)
		return r;
	r = edit_condition(e, there.generation ? &there : NULL);
	if (r == 0)
		c->top = c->path ? strlen(d->root) : 0;
	if (r <= 0)
		return r;
	switch (e->op) {
	case EDIT_TOUCH:
		return touch(d, c, &there);
	case EDIT_REMOVE:
		return remove_file(d, c);
	case EDIT_WRITE:
	case EDIT_COPY:
		break;
	}
	return replace(d, c, lock, &there);
}

static void commit_changes(const struct dir_store *d, struct change *changes, struct edit *edits,
			   size_t n)
{
	struct dir_lock lock;
	int r = dir_lock_take(d, edits[0].object.key, &lock);

	for (size_t i = 0; i < n; i++) {
		if (edit_canceled(edits, i) || edits[i].result < 0)
			continue;
		edits[i].result = r < 0 ? r : commit_change(d, &changes[i], &lock);
	}
	if (r == 0)
		dir_lock_release(&lock);
}

/* Step 3 */

/* Somebody may have removed it since; then that removal is what becomes durable. */
static int sync_path(const struct dir_store *d, const struct change *c, const char *path)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fsync(fd) < 0)
		return dir_fail(d, "make durable", c->edit->object.key);
	return 0;
}

static int flush_change(const struct dir_store *d, const struct change *c)
{
	CLEANUP(free_char) char *path = NULL;
	int r = 0;

	if (!c->path)
		return 0;
	path = xstrdup(c->path);
	if (c->edit->op != EDIT_REMOVE)
		r = sync_path(d, c, path);
	while (r == 0 && c->top && parent_length(path) >= c->top) {
		path[parent_length(path)] = '\0';
		r = sync_path(d, c, path);
	}
	return r;
}

/* One syncfs() for all. `root` was opened before the first write, and so hears of each failure of
 * the disk since. */
static void sync_all(const struct dir_store *d, struct edit *edits, size_t n, int root)
{
	int r = syncfs(root) < 0 ? dir_fail(d, "make durable", edits[0].object.key) : 0;

	for (size_t i = 0; i < n; i++)
		if (!edits[i].result)
			edits[i].result = r;
}

static bool any_good(const struct edit *edits, size_t n)
{
	while (n && edits[n - 1].result < 0)
		n--;
	return n;
}

static void make_changes(struct dir_store *d, struct change *changes, struct edit *edits, size_t n,
			 int root)
{
	bool alone = n == 1, waiting = false;

	for (size_t i = 0; i < n; i++) {
		changes[i].edit = &edits[i];
		if (!edit_canceled(edits, i))
			edits[i].result = prepare_change(d, &changes[i], alone);
		waiting |= changes[i].waiting && !edits[i].result;
	}
	if (!alone && waiting)
		sync_all(d, edits, n, root);
	if (any_good(edits, n))
		commit_changes(d, changes, edits, n);
	if (!any_good(edits, n))
		return;
	if (alone)
		edits[0].result = flush_change(d, &changes[0]);
	else
		sync_all(d, edits, n, root);
}

int dir_edit(struct store *s, struct edit *edits, size_t n)
{
	struct dir_store *d = dir_of(s);
	struct change *changes = xcalloc(n, sizeof(*changes));
	CLEANUP(close_fd) int root = open(d->root, O_RDONLY | O_CLOEXEC);
	int r = root < 0 ? dir_fail(d, "change", edits[0].object.key) : 0;

	if (r == 0)
		make_changes(d, changes, edits, n, root);
	for (size_t i = 0; i < n; i++) {
		if (r < 0)
			edits[i].result = r;
		if (!edits[i].result && edits[i].op != EDIT_REMOVE)
			object_set_facts(&edits[i].object, &changes[i].now);
		change_release(&changes[i]);
	}
	free(changes);
	return edit_result(edits, n);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cache.c - the link that keeps stored bodies as files, so that a host fetches each but once.
 *
 *	FOLDER/bodies/<64 digits>	a body: the hash of the store's identity, key and generation
 *	FOLDER/bodies/new.XXXXXX	one that is being written, renamed when it is whole
 *	FOLDER/bodies/lock		held by who changes the sum, which it has in it
 *
 * FOLDER is the index's, of one store and user. Any number of processes share the files.
 *
 * 1. A body of one generation never changes, so a file is right for ever, or damaged: each begins
 *    with the SHA-256 of its name and bytes, checked at every reading. A damaged one is removed,
 *    said, and fetched again.
 * 2. What the files take never exceeds the limit: who adds one has added it to the sum before, with
 *    the lock. Where the sum would be over it, what was used longest ago goes. A process that is
 *    killed leaves a sum that is too high; the next count puts it right.
 * 3. Nothing that goes wrong with the files fails a call: it costs a request.
 *
 * Only what the driver has checked against the store's own hashes gets in, and what was written by
 * this host. Bodies over BODY_MAX, and parts of others, pass through.
 *
 * Not here: readers of one body at one moment sharing its download (fs/mount/content.c). `mutex`
 * stands for `lock` between the threads of a process; neither is held across a store call.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "clock.h"
#include "codec.h"
#include "driver.h"
#include "file.h"
#include "index.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define MAGIC	   "pubfsB1\n"
#define MAGIC_SIZE 8
#define BODY_MAX   ((uint64_t)8 << 20)	/* larger ones are read in ranges */
#define WHOLE_MAX  ((uint64_t)64 << 10) /* a part costs no less than all of so small a body */
#define PIECE	   ((size_t)64 << 10)
#define BLOCK	   4096 /* what a file takes is a multiple of it */
#define DIGITS	   ((size_t)2 * SHA256_SIZE)
#define NEW	   "new."
#define NEW_AGE	   HOUR_US /* nobody writes that long: who did was killed */

struct head {
	char magic[MAGIC_SIZE];
	unsigned char sum[SHA256_SIZE]; /* of the name and what follows */
};

struct cache_store {
	struct store store;
	char *dir;
	uint64_t limit;
	pthread_mutex_t mutex;
	int lock;
};

/* A file's name and path. */
struct place {
	char name[DIGITS + 1];
	char *path;
};

static struct cache_store *cache_of(struct store *s)
{
	return (struct cache_store *)s;
}

static void place_release(struct place *p)
{
	free(p->path);
}

static struct place place_of(const struct cache_store *c, const char *key, uint64_t generation)
{
	CLEANUP(free_char)
	char *text = xasprintf("%s\n%llu\n%s", c->store.identity ? c->store.identity : "",
			       (unsigned long long)generation, key);
	unsigned char sum[SHA256_SIZE];
	struct place p;

	sha256(text, strlen(text), sum);
	hex_encode(sum, sizeof(sum), p.name);
	p.path = xasprintf("%s/%s", c->dir, p.name);
	return p;
}

static uint64_t room_of(uint64_t file_size)
{
	return (file_size + BLOCK - 1) / BLOCK * BLOCK;
}

static void sum_of(const struct place *p, const void *bytes, size_t n,
		   unsigned char ret[SHA256_SIZE])
{
	struct digest *d = digest_new();

	digest_add(d, p->name, DIGITS);
	digest_add(d, bytes, n);
	digest_finish(d, ret);
}

/* Appends the part [offset, offset + length) of a body's bytes. */
static int give(const char *bytes, size_t n, uint64_t offset, size_t length, struct strbuf *out)
{
	size_t before = out->len;

	if (offset >= n)
		return 0;
	n -= (size_t)offset;
	strbuf_add(out, bytes + offset, length < n ? length : n);
	if (!strbuf_error(out))
		return 0;
	strbuf_setlen(out, before);
	out->overflow = false;
	return -E2BIG;
}

/* By a clock that is finer than that of the file system. */
static void mark_used(int fd)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 0 } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	futimens(fd, times);
}

/* The whole file. -ENOENT: there is none, or it cannot be read; -EBADMSG: it is none of ours. */
static int load(const struct place *p, struct strbuf *out)
{
	CLEANUP(close_fd) int fd = open(p->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	struct body body;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -ENOENT;
	if ((uint64_t)st.st_size < sizeof(struct head) || (uint64_t)st.st_size > out->max)
		return -EBADMSG;
	mark_used(fd);
	body = body_of_file(fd, (uint64_t)st.st_size);
	return body_load(&body, out) < 0 ? -ENOENT : 0;
}

static bool is_sound(const struct place *p, const struct strbuf *file)
{
	unsigned char sum[SHA256_SIZE];
	struct head head;

	memcpy(&head, file->buf, sizeof(head));
	sum_of(p, file->buf + sizeof(head), file->len - sizeof(head), sum);
	return !memcmp(head.magic, MAGIC, MAGIC_SIZE) && !memcmp(head.sum, sum, SHA256_SIZE);
}

/* 1: given out of a file; 0: there is no good one. */
static int take(const struct place *p, const char *key, uint64_t offset, size_t length,
		struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf file = STRBUF_INIT(sizeof(struct head) + BODY_MAX);
	int r = load(p, &file);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || !is_sound(p, &file)) {
		unlink(p->path);
		log_warning("the cached body of %s was damaged; it is fetched again", key);
		return 0;
	}
	r = give(file.buf + sizeof(struct head), file.len - sizeof(struct head), offset, length,
		 out);
	return r < 0 ? r : 1;
}

/* One file, when the bodies are counted. */
struct entry {
	struct timespec used;
	uint64_t room;
	char name[DIGITS + 1];
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static bool is_left_behind(const char *name, const struct stat *st)
{
	return !strncmp(name, NEW, strlen(NEW)) &&
	       (int64_t)st->st_mtim.tv_sec * SECOND_US + NEW_AGE < clock_now();
}

/* What is there, with what it takes in all; what killed writers left goes. */
static uint64_t count(const struct cache_store *c, struct entry **ret, size_t *ret_n)
{
	DIR *dir = opendir(c->dir);
	size_t n = 0, alloc = 0;
	const struct dirent *d;
	uint64_t room = 0;
	struct stat st;

	*ret = NULL;
	while (dir && (d = readdir(dir))) {
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_left_behind(d->d_name, &st))
			unlinkat(dirfd(dir), d->d_name, 0);
		if (strlen(d->d_name) != DIGITS)
			continue;
		GROW(*ret, n, alloc);
		(*ret)[n].used = st.st_mtim;
		(*ret)[n].room = room_of((uint64_t)st.st_size);
		memcpy((*ret)[n].name, d->d_name, DIGITS + 1);
		room += (*ret)[n++].room;
	}
	if (dir)
		closedir(dir);
	*ret_n = n;
	return room;
}

/* Removes what was used longest ago, until the rest takes no more than `most`; what it takes. */
static uint64_t make_room(const struct cache_store *c, uint64_t most)
{
	struct entry *entries;
	size_t n;
	uint64_t room = count(c, &entries, &n);

	if (room > most)
		qsort(entries, n, sizeof(*entries), by_use);
	for (size_t i = 0; i < n && room > most; i++) {
		CLEANUP(free_char) char *path = xasprintf("%s/%s", c->dir, entries[i].name);

		if (unlink(path) == 0 || errno == ENOENT)
			room -= entries[i].room;
	}
	free(entries);
	log_debug("the cached bodies in %s take %llu bytes", c->dir, (unsigned long long)room);
	return room;
}

/* Puts a whole file into its place, with the lock. */
static void admit(const struct cache_store *c, const struct place *p, const char *new_path,
		  uint64_t room)
{
	uint64_t sum;

	if (access(p->path, F_OK) == 0)
		return; /* somebody was faster */
	if (pread(c->lock, &sum, sizeof(sum), 0) != sizeof(sum))
		sum = make_room(c, c->limit);
	if (sum > c->limit - room) /* an eighth more, so that the next ones need no count */
		sum = make_room(c, c->limit - room - (c->limit - room) / 8);
	if (sum > c->limit - room)
		return;
	sum += room;
	if (pwrite(c->lock, &sum, sizeof(sum), 0) == sizeof(sum) && rename(new_path, p->path) < 0)
		log_debug("cannot keep %s: %s", p->path, strerror(errno));
}

static void admit_locked(struct cache_store *c, const struct place *p, const char *new_path,
			 uint64_t room)
{
	pthread_mutex_lock(&c->mutex);
	if (flock(c->lock, LOCK_EX) == 0) {
		admit(c, p, new_path, room);
		flock(c->lock, LOCK_UN);
	}
	pthread_mutex_unlock(&c->mutex);
}

static void keep(struct cache_store *c, const char *key, uint64_t generation, const void *bytes,
		 size_t n)
{
	CLEANUP(place_release) struct place p = place_of(c, key, generation);
	CLEANUP(free_char) char *new_path = xasprintf("%s/" NEW "XXXXXX", c->dir);
	uint64_t room = room_of(sizeof(struct head) + n);
	struct head head = { .magic = MAGIC };
	CLEANUP(close_fd) int fd = -1;

	if (room > c->limit)
		return;
	fd = mkostemp(new_path, O_CLOEXEC);
	if (fd < 0) {
		log_debug("cannot keep %s: %s", key, strerror(errno));
		return;
	}
	sum_of(&p, bytes, n, head.sum);
	if (!write_all(fd, &head, sizeof(head)) && !write_all(fd, bytes, n)) {
		mark_used(fd);
		admit_locked(c, &p, new_path, room);
	} else {
		log_debug("cannot keep %s: %s", key, strerror(errno));
	}
	unlink(new_path); /* unless it was renamed */
}

/* Fetches the whole body, keeps it, and gives the part of it. */
static int fetch(struct cache_store *c, const struct object *obj, uint64_t offset, size_t length,
		 struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT((size_t)obj->size);
	int r = store_read(c->store.next, obj->key, obj->generation, 0, (size_t)obj->size, &bytes);

	if (r < 0)
		return r;
	if (bytes.len == obj->size)
		keep(c, obj->key, obj->generation, bytes.buf, bytes.len);
	return give(bytes.buf, bytes.len, offset, length, out);
}

/* Whether the body should be fetched whole to answer for this part of it. */
static bool is_worth_keeping(const struct object *obj, uint64_t offset, size_t length)
{
	return obj->size <= WHOLE_MAX || (!offset && length >= obj->size);
}

/* What was asked for is the generation that is there: by the index, which asks nobody. */
static bool is_there(struct cache_store *c, const char *key, uint64_t generation,
		     struct object *ret)
{
	return generation != STORE_ANY && store_stat(c->store.next, key, ret) == 0 &&
	       ret->generation == generation;
}

static int cache_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		      size_t length, struct strbuf *out)
{
	struct cache_store *c = cache_of(s);
	CLEANUP(object_release) struct object obj = { .generation = 0 };
	int r = 0;

	if (is_there(c, key, generation, &obj) && obj.size <= BODY_MAX) {
		CLEANUP(place_release) struct place p = place_of(c, key, generation);

		r = obj.size ? take(&p, key, offset, length, out) : 1;
		if (r == 0 && is_worth_keeping(&obj, offset, length))
			return fetch(c, &obj, offset, length, out);
	}
	if (r)
		return r < 0 ? r : 0;
	return store_read(s->next, key, generation, offset, length, out);
}

static void keep_written(struct cache_store *c, const struct edit *e)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(BODY_MAX);

	if (e->result < 0 || e->op != EDIT_WRITE || e->body->size > BODY_MAX)
		return;
	if (body_load(e->body, &bytes) == 0)
		keep(c, e->object.key, e->object.generation, bytes.buf, bytes.len);
}

static int cache_edit(struct store *s, struct edit *edits, size_t n)
{
	int r = store_edit(s->next, edits, n);

	for (size_t i = 0; i < n; i++)
		keep_written(cache_of(s), &edits[i]);
	return r;
}

static void cache_close(struct store *s)
{
	struct cache_store *c = cache_of(s);

	pthread_mutex_destroy(&c->mutex);
	close_fd(&c->lock);
	free(c->dir);
	free(c);
}

static const struct store_ops cache_ops = {
	.name = "cache",
	.read = cache_read,
	.edit = cache_edit,
	.close = cache_close,
};

static int open_dir(struct cache_store *c, const char *cache_dir)
{
	CLEANUP(free_char) char *place = NULL;
	CLEANUP(free_char) char *path = NULL;
	int r = index_place(cache_dir, c->store.url, &place);

	if (r < 0)
		return r;
	c->dir = xasprintf("%s/bodies", place);
	path = xasprintf("%s/lock", c->dir);
	if (mkdir(c->dir, 0700) < 0 && errno != EEXIST)
		return fail(-EIO, "cannot make the folder %s: %s", c->dir, strerror(errno));
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return c->lock < 0 ? fail(-EIO, "cannot open %s: %s", path, strerror(errno)) : 0;
}

int cache_push(struct store *next, const char *cache_dir, uint64_t limit, struct store **ret)
{
	struct cache_store *c = xcalloc(1, sizeof(*c));
	int r;

	link_init(&c->store, &cache_ops, next);
	c->limit = limit;
	c->lock = -1;
	pthread_mutex_init(&c->mutex, NULL);
	r = open_dir(c, cache_dir);
	if (r < 0)
		cache_close(&c->store);
	else
		*ret = &c->store;
	return r;
}

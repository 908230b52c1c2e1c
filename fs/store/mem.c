/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem.c - the store `mem:NAME`, for tests: everything in memory, gone at its close.
 *
 * `entries` is sorted by key. `lock` guards all below it, and is held neither over a body's
 * read() nor over a list's callback. Every open makes a store of its own.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "driver.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define MEM_BODY_MAX ((size_t)1 << 30)
#define MEM_BATCH    64 /* as many as dir: takes, so that tests go its way */

struct entry {
	struct object object;
	struct strbuf bytes;
};

struct mem_store {
	struct store store;
	pthread_mutex_t lock;
	struct entry *entries;
	size_t n, alloc;
	uint64_t last_generation;
};

static struct mem_store *mem_of(struct store *s)
{
	return (struct mem_store *)s;
}

/* The first entry whose key is not less than `key`. */
static size_t lower_bound(const struct mem_store *m, const char *key)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(m->entries[middle].object.key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(struct mem_store *m, const char *key)
{
	size_t i = lower_bound(m, key);

	return i < m->n && !strcmp(m->entries[i].object.key, key) ? &m->entries[i] : NULL;
}

static int mem_stat(struct store *s, const char *key, struct object *ret)
{
	struct mem_store *m = mem_of(s);
	struct entry *e;

	pthread_mutex_lock(&m->lock);
	e = find(m, key);
	if (e)
		object_copy(ret, &e->object);
	pthread_mutex_unlock(&m->lock);
	return e ? 0 : -ENOENT;
}

static int read_entry(const struct entry *e, uint64_t generation, uint64_t offset, size_t length,
		      struct strbuf *out)
{
	size_t left;

	if (!e)
		return -ENOENT;
	if (!generation_meets(e->object.generation, generation))
		return -ESTALE;
	if (offset >= e->bytes.len)
		return 0;
	left = e->bytes.len - (size_t)offset;
	strbuf_add(out, e->bytes.buf + offset, length < left ? length : left);
	return strbuf_error(out);
}

static int mem_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		    size_t length, struct strbuf *out)
{
	struct mem_store *m = mem_of(s);
	int r;

	pthread_mutex_lock(&m->lock);
	r = read_entry(find(m, key), generation, offset, length, out);
	pthread_mutex_unlock(&m->lock);
	return r;
}

/* Where a list that goes on behind `after` begins. */
static size_t list_start(const struct mem_store *m, const char *prefix, bool deep,
			 const char *after)
{
	size_t i;

	if (!after || strcmp(after, prefix) < 0)
		return lower_bound(m, prefix);
	i = lower_bound(m, after);
	if (!deep && key_is_fold(after, prefix)) {
		while (i < m->n && !strncmp(m->entries[i].object.key, after, strlen(after)))
			i++;
		return i;
	}
	return i < m->n && !strcmp(m->entries[i].object.key, after) ? i + 1 : i;
}

/* The next of a list as a copy; false at its end. */
static bool list_next(struct mem_store *m, const char *prefix, bool deep, const char *after,
		      struct object *ret)
{
	bool found = false;
	size_t i, folded;

	pthread_mutex_lock(&m->lock);
	i = list_start(m, prefix, deep, after);
	if (i < m->n && !strncmp(m->entries[i].object.key, prefix, strlen(prefix))) {
		const struct object *obj = &m->entries[i].object;

		folded = deep ? 0 : key_folded(obj->key, prefix);
		if (folded)
			ret->key = xstrndup(obj->key, folded);
		else
			object_copy(ret, obj);
		found = true;
	}
	pthread_mutex_unlock(&m->lock);
	return found;
}

static int mem_list(struct store *s, const char *prefix, bool deep, const char *after,
		    object_fn *fn, void *ctx)
{
	CLEANUP(free_char) char *last = xstrdup_or_null(after);
	struct object obj;
	int r = 0;

	object_init(&obj);
	while (!r && list_next(mem_of(s), prefix, deep, last, &obj)) {
		r = fn(ctx, &obj);
		free(last);
		last = steal(obj.key);
		object_release(&obj);
	}
	return r;
}

/* The bytes of a write or a copy. */
static int load_bytes(const struct edit *e, struct strbuf *out)
{
	CLEANUP(object_release) struct object source = { .validated = NO_TIME };
	int r;

	if (e->op == EDIT_WRITE)
		return body_load(e->body, out);
	r = edit_source(e, &source);
	if (r < 0)
		return r;
	return store_read(e->from, e->from_key, source.generation, 0, source.size, out);
}

static struct entry *insert(struct mem_store *m, const char *key)
{
	size_t i = lower_bound(m, key);

	GROW(m->entries, m->n, m->alloc);
	memmove(&m->entries[i + 1], &m->entries[i], (m->n - i) * sizeof(*m->entries));
	m->n++;
	m->entries[i] = (struct entry){ .bytes = STRBUF_INIT(MEM_BODY_MAX) };
	return &m->entries[i];
}

static void remove_entry(struct mem_store *m, struct entry *e)
{
	size_t i = (size_t)(e - m->entries);

	object_release(&e->object);
	strbuf_release(&e->bytes);
	m->n--;
	memmove(e, e + 1, (m->n - i) * sizeof(*e));
}

static void put(struct mem_store *m, struct edit *e, struct strbuf *bytes)
{
	struct object now = {
		.metageneration = 1, .size = bytes->len, .has_md5 = true, .has_crc32c = true
	};
	struct entry *entry = find(m, e->object.key);

	if (!entry)
		entry = insert(m, e->object.key);
	m->last_generation = generation_after(m->last_generation);
	now.generation = m->last_generation;
	now.created = now.updated = clock_now();
	md5(bytes->buf, bytes->len, now.md5);
	now.crc32c = crc32c(0, bytes->buf, bytes->len);
	object_set_facts(&e->object, &now);
	object_release(&entry->object);
	object_copy(&entry->object, &e->object);
	strbuf_release(&entry->bytes);
	entry->bytes = *bytes;
	strbuf_init(bytes, MEM_BODY_MAX);
}

static void touch(struct edit *e, struct entry *entry)
{
	struct object now = entry->object; /* borrows */

	now.metageneration++;
	now.updated = clock_now();
	object_set_facts(&e->object, &now);
	object_release(&entry->object);
	object_copy(&entry->object, &e->object);
}

static int apply(struct mem_store *m, struct edit *e, struct strbuf *bytes)
{
	struct entry *entry = find(m, e->object.key);
	int r = edit_condition(e, entry ? &entry->object : NULL);

	if (r <= 0)
		return r;
	if (e->op == EDIT_REMOVE)
		remove_entry(m, entry);
	else if (e->op == EDIT_TOUCH)
		touch(e, entry);
	else
		put(m, e, bytes);
	return 0;
}

static int edit_one(struct mem_store *m, struct edit *e)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(MEM_BODY_MAX);
	unsigned char sum[MD5_SIZE];
	int r;

	if (e->op == EDIT_WRITE || e->op == EDIT_COPY) {
		r = load_bytes(e, &bytes);
		if (r < 0)
			return r;
		md5(bytes.buf, bytes.len, sum);
		if (e->object.has_md5 && memcmp(sum, e->object.md5, MD5_SIZE) != 0)
			return fail(-EBADMSG, "cannot write %s: its bytes are not those of its MD5",
				    e->object.key);
	}
	pthread_mutex_lock(&m->lock);
	r = apply(m, e, &bytes);
	pthread_mutex_unlock(&m->lock);
	return r;
}

static int mem_edit(struct store *s, struct edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!edit_canceled(edits, i))
			edits[i].result = edit_one(mem_of(s), &edits[i]);
	return edit_result(edits, n);
}

static void mem_close(struct store *s)
{
	struct mem_store *m = mem_of(s);

	for (size_t i = 0; i < m->n; i++) {
		object_release(&m->entries[i].object);
		strbuf_release(&m->entries[i].bytes);
	}
	free(m->entries);
	pthread_mutex_destroy(&m->lock);
	free(s->url);
	free(s->identity);
	free(m);
}

static const struct store_ops mem_ops = {
	.name = "mem",
	.stat = mem_stat,
	.read = mem_read,
	.list = mem_list,
	.edit = mem_edit,
	.close = mem_close,
};

int mem_open(const char *name, enum store_mode mode, const struct store_options *options,
	     struct store **ret)
{
	struct mem_store *m = xcalloc(1, sizeof(*m));

	(void)mode;
	(void)options;
	m->store = (struct store){
		.ops = &mem_ops,
		.url = xasprintf("mem:%s", name),
		.identity = identity_new(),
		.batch = MEM_BATCH,
	};
	pthread_mutex_init(&m->lock, NULL);
	*ret = &m->store;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_dir.c - a folder that is being read: a place in the index, and two batches of names.
 *
 * A batch is what one list call gave from the last key on, merged with the overlay in key order.
 * Going on behind the last key, never by number, is what makes each unchanged name appear exactly
 * once while others come and go. The cookie of an entry is its number in this reading; the batch
 * before the current one is kept, because the kernel asks again for what it could not pass on. A
 * cookie from before that is found by reading from the start, which is exact as long as the
 * folder did not change.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "memory.h"
#include "tree_internal.h"

#define BATCH 256 /* names; more than the kernel asks again for */

struct entry {
	char *key;	  /* and the path, in one allocation */
	const char *path; /* NULL: no path shows it */
	const char *name; /* the end of `path` */
	enum inode_type type;
	struct origin origin; /* of INODE_OBJECT */
};

struct batch {
	struct entry *entries;
	size_t n, alloc;
	uint64_t first; /* the cookie of entries[0] */
	bool last;	/* nothing comes behind it */
	bool folders;	/* there are some in it, or below the folder in the overlay */
	struct names_version version;
};

struct dir {
	struct tree *tree;
	char *path, *key;
	struct batch current, previous;
	uint64_t cookie; /* of the entry that comes next */
	struct dir *prev, *next;
};

static void batch_release(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		free(batch->entries[i].key);
	free(batch->entries);
	*batch = (struct batch){ 0 };
}

static void rewind_dir(struct dir *d)
{
	batch_release(&d->current);
	batch_release(&d->previous);
	d->cookie = 0;
}

int tree_opendir(struct tree *t, uint64_t id, struct dir **ret)
{
	NAME_BUF(key);
	CLEANUP(inode_drop) struct held held = { 0 };
	struct dir *d;
	int r = inode_hold(t, id, &held);

	if (r < 0)
		return r;
	if (held.inode->type != INODE_FOLDER)
		return -ENOTDIR;
	r = folder_refresh(t, held.inode->path);
	if (r < 0)
		return r;
	if (!path_is_control(held.inode->path) && folder_key(held.inode->path, &key) < 0)
		return -ENOENT;
	d = xcalloc(1, sizeof(*d));
	d->tree = t;
	d->path = xstrdup(held.inode->path);
	d->key = xstrdup(key.buf);
	pthread_mutex_lock(&t->lock);
	DL_APPEND(t->dirs, d);
	pthread_mutex_unlock(&t->lock);
	*ret = d;
	return 0;
}

void dir_close(struct dir *d)
{
	struct tree *t = d->tree;

	pthread_mutex_lock(&t->lock);
	DL_DELETE(t->dirs, d);
	pthread_mutex_unlock(&t->lock);
	rewind_dir(d);
	free(d->path);
	free(d->key);
	free(d);
}

static void batch_add(struct batch *batch, size_t at, const struct entry *entry)
{
	GROW(batch->entries, batch->n, batch->alloc);
	memmove(&batch->entries[at + 1], &batch->entries[at],
		(batch->n - at) * sizeof(*batch->entries));
	batch->entries[at] = *entry;
	batch->n++;
	batch->folders |= entry->type == INODE_FOLDER;
}

/* `path` NULL: none. */
static struct entry entry_new(enum inode_type type, const char *key, const struct strbuf *path)
{
	size_t n = strlen(key) + 1;
	struct entry entry = { .type = type };
	char *both = xmalloc(n + (path ? path->len + 1 : 0));

	memcpy(both, key, n);
	entry.key = both;
	if (path) {
		const char *slash;

		memcpy(both + n, path->buf, path->len + 1);
		entry.path = both + n;
		slash = strrchr(entry.path, '/');
		entry.name = slash ? slash + 1 : entry.path;
	}
	return entry;
}

/* With the path that the key has, a '/' behind it left out. */
static struct entry entry_of_key(enum inode_type type, const char *key)
{
	NAME_BUF(path);

	if (path_from_key(key, &path) < 0)
		return entry_new(type, key, NULL);
	if (path.len && path.buf[path.len - 1] == '/')
		strbuf_setlen(&path, path.len - 1);
	return entry_new(type, key, &path);
}

static int add_listed(void *ctx, const struct fingerprint *f)
{
	struct batch *batch = ctx;
	struct entry entry = entry_of_key(f->generation ? INODE_OBJECT : INODE_FOLDER, f->key);

	entry.origin = origin_of(f);
	batch_add(batch, batch->n, &entry);
	return batch->n == BATCH;
}

/* Names of the overlay that belong behind `after` and, unless the batch is the last one, not
 * behind its end. A name that the bucket has too is the bucket's. */
static void add_overlay(struct dir *d, struct batch *batch, const char *after)
{
	CLEANUP(free_char) char *end = NULL;
	const struct overlay_name *name;
	size_t at = 0;

	if (!batch->last)
		end = xstrdup(batch->entries[batch->n - 1].key);
	pthread_mutex_lock(&d->tree->lock);
	batch->folders |= overlay_below(&d->tree->overlay, d->key);
	while ((name = overlay_next(&d->tree->overlay, d->key, after))) {
		struct entry entry;
		enum inode_type type;

		after = name->key;
		if (end && strcmp(name->key, end) > 0)
			break;
		while (at < batch->n && strcmp(batch->entries[at].key, name->key) < 0)
			at++;
		if (at < batch->n && !strcmp(batch->entries[at].key, name->key))
			continue;
		type = strchr(name->key + strlen(d->key), '/') ? INODE_FOLDER : INODE_DRAFT;
		if (type == INODE_DRAFT && !name->shown)
			continue;
		if (name->scratch)
			type = INODE_SCRATCH;
		entry = entry_of_key(type, name->key);
		batch_add(batch, at, &entry);
	}
	pthread_mutex_unlock(&d->tree->lock);
}

static void add_control(struct batch *batch)
{
	for (size_t i = 0; control_name(i); i++) {
		struct entry entry;
		NAME_BUF(path);

		strbuf_addf(&path, CONTROL_FOLDER "/%s", control_name(i));
		entry = entry_new(INODE_CONTROL, control_name(i), &path);
		batch_add(batch, i, &entry);
	}
	batch->last = true;
}

static int next_batch(struct dir *d)
{
	struct batch *now = &d->current;
	const char *after = now->n ? now->entries[now->n - 1].key : NULL;
	struct batch batch = { .first = now->first + now->n, .version = names_version(d->tree) };

	if (path_is_control(d->path)) {
		add_control(&batch);
	} else {
		int r = store_fingerprints(d->tree->options.store, d->key, false, after, add_listed,
					   &batch);

		if (r < 0) {
			batch_release(&batch);
			return r;
		}
		batch.last = !r;
		add_overlay(d, &batch, after);
	}
	batch_release(&d->previous);
	d->previous = d->current;
	d->current = batch;
	return 0;
}

/* The batch that has that cookie; NULL: none of the two. */
static struct batch *batch_at(struct dir *d, uint64_t cookie)
{
	struct batch *batches[] = { &d->current, &d->previous };

	for (size_t i = 0; i < ARRAY_SIZE(batches); i++)
		if (cookie >= batches[i]->first && cookie - batches[i]->first < batches[i]->n)
			return batches[i];
	return NULL;
}

static struct entry *entry_at(struct dir *d, uint64_t cookie)
{
	struct batch *batch = batch_at(d, cookie);

	return batch ? &batch->entries[cookie - batch->first] : NULL;
}

/* The entry that comes next, shown or not; NULL at the end. */
static int entry_next(struct dir *d, struct entry **ret)
{
	struct batch *now = &d->current;

	*ret = entry_at(d, d->cookie);
	if (!*ret && d->cookie < now->first) { /* from long ago: read up to it */
		batch_release(&d->previous);
		batch_release(now);
	}
	while (!*ret && !now->last) {
		int r = next_batch(d);

		if (r < 0)
			return r;
		*ret = entry_at(d, d->cookie);
	}
	return 0;
}

/* Whether a folder has that key. Most often the batch tells, since the key would stand in it. */
static int is_folder_too(struct dir *d, const char *key)
{
	const struct batch *now = &d->current;
	size_t low = 0, high = now->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(now->entries[middle].key, key);

		if (!order)
			return 1;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || (low == now->n && !now->last))
		return folder_exists(d->tree, key);
	return overlay_has(d->tree, key);
}

/* An object whose name is also a folder's is not shown: see invariant 2 of tree.c. */
static int is_shown(struct dir *d, const struct entry *entry)
{
	const struct batch *batch = batch_at(d, d->cookie);
	NAME_BUF(key);
	int r;

	if (!entry->name)
		return 0;
	if (entry->type != INODE_OBJECT || (batch->last && !batch->folders))
		return 1;
	if (folder_key(entry->path, &key) < 0)
		return 1;
	r = is_folder_too(d, key.buf);
	return r < 0 ? r : !r;
}

int dir_next(struct dir *d, const char **name, struct node *ret)
{
	struct entry *entry;
	int shown, r;

	do {
		r = entry_next(d, &entry);
		if (r < 0 || !entry)
			return r;
		shown = is_shown(d, entry);
		if (shown < 0)
			return shown;
		d->cookie++;
	} while (!shown);
	*name = entry->name;
	*ret = (struct node){
		.generation = entry->origin.generation,
		.size = entry->origin.size,
		.mtime = entry->origin.created,
		.ctime = entry->origin.updated,
		.is_dir = entry->type == INODE_FOLDER,
	};
	return 1;
}

/* What dir_next() gave last. */
static const struct entry *entry_given(struct dir *d)
{
	const struct entry *entry = entry_at(d, d->cookie - 1);

	assert(entry);
	return entry;
}

uint64_t dir_number(struct dir *d)
{
	const struct entry *entry = entry_given(d);
	uint64_t number;

	pthread_mutex_lock(&d->tree->lock);
	number = inode_number_in(&d->tree->inodes, entry->path);
	pthread_mutex_unlock(&d->tree->lock);
	return number;
}

int dir_hold(struct dir *d, struct node *ret)
{
	const struct batch *batch = batch_at(d, d->cookie - 1);
	const struct entry *entry = entry_given(d);
	bool of_object = entry->type == INODE_OBJECT;

	if (entry->type == INODE_SCRATCH || (of_object && !entry->origin.sized))
		return 0;
	inode_of_entry(d->tree, entry->type, entry->path, of_object ? &entry->origin : NULL,
		       batch->version, ret);
	return 1;
}

uint64_t dir_tell(const struct dir *d)
{
	return d->cookie;
}

void dir_seek(struct dir *d, uint64_t cookie)
{
	if (cookie)
		d->cookie = cookie;
	else
		rewind_dir(d);
}

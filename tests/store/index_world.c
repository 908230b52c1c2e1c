/* SPDX-License-Identifier: BSD-3-Clause */
/* index_world.c - an index over a store in memory, and a link between that meddles. */
#include "index_world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fs/store/driver.h"
#include "conformance.h"
#include "memory.h"
#include "store_links.h"

struct meddler {
	struct store store;
	struct world *world;
};

static struct world *world_of(struct store *s)
{
	return ((struct meddler *)s)->world;
}

static void meddle(struct world *w, meddle_fn **fn)
{
	meddle_fn *now = steal(*fn);

	if (now)
		now(w);
}

static int meddler_stat(struct store *s, const char *key, struct object *ret)
{
	int r;

	meddle(world_of(s), &world_of(s)->before);
	r = store_stat(s->next, key, ret);
	meddle(world_of(s), &world_of(s)->after);
	return r;
}

static int meddler_edit(struct store *s, struct edit *edits, size_t n)
{
	int r;

	meddle(world_of(s), &world_of(s)->before);
	r = store_edit(s->next, edits, n);
	meddle(world_of(s), &world_of(s)->after);
	return r;
}

struct page {
	struct object *objects;
	size_t n, alloc;
};

static int keep(void *ctx, const struct object *obj)
{
	struct page *p = ctx;

	GROW(p->objects, p->n, p->alloc);
	object_copy(&p->objects[p->n++], obj);
	return 0;
}

/* The whole list is asked for first, so that what happens then is not in it. */
static int meddler_list(struct store *s, const char *prefix, bool deep, const char *after,
			object_fn *fn, void *ctx)
{
	struct world *w = world_of(s);
	struct page page = { 0 };
	int r;

	meddle(w, &w->before);
	r = store_list(s->next, prefix, deep, after, keep, &page);
	meddle(w, &w->after);
	for (size_t i = 0; !r && i < page.n; i++) {
		if (w->hidden && !strcmp(page.objects[i].key, w->hidden))
			continue;
		r = w->fail_behind && i == w->fail_behind ? -EIO : fn(ctx, &page.objects[i]);
	}
	for (size_t i = 0; i < page.n; i++)
		object_release(&page.objects[i]);
	free(page.objects);
	return r;
}

static void meddler_close(struct store *s)
{
	free(s);
}

static const struct store_ops meddler_ops = {
	.name = "meddler",
	.stat = meddler_stat,
	.edit = meddler_edit,
	.list = meddler_list,
	.close = meddler_close,
};

void world_push(struct world *w)
{
	struct meddler *m = xcalloc(1, sizeof(*m));

	link_init(&m->store, &meddler_ops, w->mem);
	m->world = w;
	w->meddler = &m->store;
	cr_assert_eq(fault_push(w->meddler, &w->fault), 0);
	cr_assert_eq(counter_push(w->fault, &w->counter), 0);
	cr_assert_eq(index_push(w->counter, w->cache, &w->s), 0);
}

void world_open(struct world *w)
{
	const char *tmp = getenv("TMPDIR");

	*w = (struct world){ .cache = xasprintf("%s/index.XXXXXX", tmp ? tmp : "/tmp") };
	cr_assert_not_null(mkdtemp(w->cache));
	cr_assert_eq(store_open("mem:", STORE_CREATE, &w->mem), 0);
	world_push(w);
}

static void close_above(struct world *w)
{
	w->meddler->next = NULL;
	store_close(w->s);
}

void world_reopen(struct world *w)
{
	close_above(w);
	world_push(w);
}

void world_close(struct world *w)
{
	close_above(w);
	store_close(w->mem);
	remove_tree(w->cache);
	free(w->cache);
}

struct index *world_index(const struct world *w)
{
	return (struct index *)w->s;
}

char *world_path(const struct world *w, const char *name)
{
	return xasprintf("%s/%s", world_index(w)->dir, name);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void remove_tree(const char *path)
{
	cr_assert_eq(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0, "%s", path);
}

static int expect_stat(void *ctx, const struct object *obj)
{
	CLEANUP(object_release) struct object got = { 0 };
	struct world *w = ctx;

	if (!obj->generation)
		return 0;
	cr_assert_eq(store_stat(w->s, obj->key, &got), 0, "%s", obj->key);
	expect_same(obj, &got);
	return 0;
}

void expect_truth(struct world *w, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int deep = 0; deep < 2; deep++) {
			CLEANUP(free_char) char *want = list_text(w->mem, prefixes[i], deep, NULL);

			expect_list(w->s, prefixes[i], deep, NULL, want);
		}
	cr_assert_eq(store_list(w->mem, "", true, NULL, expect_stat, w), 0);
}

bool read_row(const struct world *w, const char *key, struct row *ret)
{
	CLEANUP(txn_abort) struct txn t = { .mdb = NULL };
	struct slice packed;
	int r = txn_read(world_index(w), &t);

	if (!r)
		r = table_get(&t, TABLE_OBJECTS, key, &packed);
	if (r == -ENOENT)
		return false;
	cr_assert_eq(r, 0);
	cr_assert_eq(row_parse(key, packed, ret), 0);
	ret->content = (struct slice){ NULL, 0 };
	return true;
}

void set_top(const struct world *w, const char *what, int64_t listed, int64_t took)
{
	CLEANUP(txn_abort) struct txn t = { .mdb = NULL };
	struct top top;

	cr_assert_eq(txn_write(world_index(w), &t), 0);
	cr_assert_eq(index_top(&t, what, &top), 1);
	top.listed = listed;
	top.took = took;
	cr_assert_eq(table_put(&t, *what ? TABLE_TOPS : TABLE_META, *what ? what : "top",
			       (struct slice){ &top, sizeof(top) }), 0);
	cr_assert_eq(txn_commit(&t), 0);
}

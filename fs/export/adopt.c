/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * adopt.c - objects that another exporter wrote become ours, as they are.
 *
 * A page of a prefix is listed; what lacks a key is handed to the pool, in chunks of as many as the
 * store gathers; when the page is done the next one is listed, so that the memory does not grow
 * with the bucket. adoption.lock guards counts, and is held across no call of a store.
 */
#include "adopt.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "pool.h"
#include "publish.h"
#include "store.h"
#include "stored_body.h"

#define PAGE 1024 /* foreign objects */

struct adoption {
	const struct adopt_options *opt;
	pthread_mutex_t lock;
	struct adopt_counts *counts;
	uint64_t done, total;
	struct object page[PAGE];
	size_t n;
	char *after; /* the last key of the list so far */
};

/* What is no package's, such as not-found.json, has no change. */
static bool is_ours(const struct object *obj, const struct object_name *name)
{
	return obj->has_sha256 && obj->has_decoded_size && obj->validated != NO_TIME &&
	       obj->runtime_version && (obj->change || !name->package.len);
}

static int add_foreign(void *ctx, const struct object *obj)
{
	struct adoption *a = ctx;
	struct object_name name;

	free(a->after);
	a->after = xstrdup(obj->key);
	if (catalog_match(obj->key, &name) == KIND_NONE) {
		a->counts->others++;
		return 0;
	}
	a->counts->objects++;
	if (is_ours(obj, &name)) {
		a->counts->ours++;
		a->done++;
		return 0;
	}
	object_copy(&a->page[a->n++], obj);
	return a->n == PAGE;
}

static void page_clear(struct adoption *a)
{
	while (a->n)
		object_release(&a->page[--a->n]);
}

static void publication_make(const struct adoption *a, const struct object *obj, unsigned group,
			     struct publication *ret)
{
	struct object_name name;

	publication_init(ret);
	ret->action = PUBLISH_ADOPT;
	ret->key = obj->key;
	ret->group = group;
	ret->have = obj;
	ret->from = a->opt->store;
	ret->source = obj;
	ret->change = obj->change;
	if (!obj->change && catalog_match(obj->key, &name) != KIND_NONE && name.package.len)
		ret->change = CHANGE_ADOPTED;
	ret->why = "written by another program, and adopted";
}

/* What each takes, as far as the listing tells. */
static void count_one(struct adoption *a, const struct object *obj)
{
	struct object_name name;
	enum kind kind = catalog_match(obj->key, &name);

	a->counts->changes++;
	a->counts->adopted++;
	if (obj->has_sha256 && obj->has_decoded_size)
		return;
	a->counts->reads += kind == KIND_ARCHIVE ? stored_body_reads(obj->size) : 1;
	a->counts->bytes += obj->size;
}

static void settle(struct adoption *a, const struct publication *p)
{
	if (p->result == -ESTALE) {
		log_warning("%s was written by another program meanwhile, and stays as it is",
			    p->key);
		a->counts->raced++;
	} else if (p->result == -EINVAL) {
		a->counts->refused++;
	} else if (p->result < 0) {
		a->counts->failed++;
	} else {
		a->counts->adopted += p->done == PUBLISHED_TOUCH;
	}
	a->done++;
	if (a->opt->progress)
		a->opt->progress(a->opt->ctx, a->done, a->total);
}

/* The index may show an object as it was. */
static void look_again(const struct adoption *a, const struct publication *p)
{
	if (p->result == -ESTALE && store_refresh(a->opt->store, p->key, 0) < 0)
		log_debug("%s stays as the index has it", p->key);
}

struct chunk {
	struct adoption *adoption;
	const struct object *objects;
	size_t n;
};

static bool is_stopping(const struct adoption *a)
{
	return a->opt->stop && atomic_load(a->opt->stop);
}

static void adopt_chunk(void *ctx)
{
	struct chunk *chunk = ctx;
	struct adoption *a = chunk->adoption;
	struct publication *publications = xcalloc(chunk->n, sizeof(*publications));
	size_t n = is_stopping(a) ? 0 : chunk->n;

	for (size_t i = 0; i < n; i++)
		publication_make(a, &chunk->objects[i], (unsigned)i, &publications[i]);
	if (n && publish(a->opt->publisher, publications, n) < 0)
		log_debug("not all of %zu objects were adopted", n);
	for (size_t i = 0; i < n; i++)
		look_again(a, &publications[i]);
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < n; i++)
		settle(a, &publications[i]);
	pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; i < n; i++)
		publication_release(&publications[i]);
	free(publications);
	free(chunk);
}

static void adopt_page(struct adoption *a, struct pool *pool)
{
	size_t batch = a->opt->store->batch ? a->opt->store->batch : 1;

	for (size_t at = 0; at < a->n; at += batch) {
		struct chunk *chunk = xmalloc(sizeof(*chunk));

		*chunk = (struct chunk){ a, a->page + at, a->n - at < batch ? a->n - at : batch };
		pool_run(pool, adopt_chunk, chunk);
	}
	pool_wait(pool);
}

static int count_total(void *ctx, const struct fingerprint *f)
{
	struct object_name name;

	((struct adoption *)ctx)->total += catalog_match(f->key, &name) != KIND_NONE;
	return 0;
}

static int adopt_prefix(struct adoption *a, const char *prefix, struct pool *pool)
{
	CLEANUP(free_char) char *all = xasprintf("%s/", prefix);
	int more = 1;

	free(a->after);
	a->after = NULL;
	while (more > 0 && !is_stopping(a)) {
		CLEANUP(free_char) char *after = steal(a->after);

		more = store_list(a->opt->store, all, true, after, add_foreign, a);
		if (more < 0)
			break;
		if (!a->opt->dry_run)
			adopt_page(a, pool);
		for (size_t i = 0; a->opt->dry_run && i < a->n; i++)
			count_one(a, &a->page[i]);
		page_clear(a);
	}
	page_clear(a);
	return more < 0 ? more : 0;
}

/* Looks at the prefixes, and refuses one that is not there before anything is read. */
static int prepare(struct adoption *a)
{
	for (size_t i = 0; i < a->opt->n_prefixes; i++) {
		CLEANUP(free_char) char *all = xasprintf("%s/", a->opt->prefixes[i]);
		uint64_t before = a->total;
		int r = store_refresh(a->opt->store, all, a->opt->ttl);

		if (!r)
			r = store_fingerprints(a->opt->store, all, true, NULL, count_total, a);
		if (r < 0)
			return r;
		if (a->total == before)
			return fail(-ENOENT, "there is nothing to adopt below %s in %s", all,
				    a->opt->store->url);
	}
	return 0;
}

int adopt(const struct adopt_options *options, struct adopt_counts *ret)
{
	struct adoption *a = xcalloc(1, sizeof(*a));
	struct pool *pool = NULL;
	int r;

	*ret = (struct adopt_counts){ 0 };
	a->opt = options;
	a->counts = ret;
	pthread_mutex_init(&a->lock, NULL);
	r = prepare(a);
	if (!r && !options->dry_run)
		r = pool_new(options->jobs ? options->jobs : 1, &pool);
	for (size_t i = 0; i < options->n_prefixes && !r; i++)
		r = adopt_prefix(a, options->prefixes[i], pool);
	pool_free(pool);
	if (!r && is_stopping(a))
		r = -ECANCELED;
	pthread_mutex_destroy(&a->lock);
	free(a->after);
	free(a);
	return !r && ret->refused + ret->raced + ret->failed ? -EIO : r;
}

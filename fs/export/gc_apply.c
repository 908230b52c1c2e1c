/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gc_apply.c - the removals of a collection, in the order in which they are safe.
 *
 * A lot is looked at once more, and left if it is not what was judged, or if a row of it has come
 * back. Its objects go in the order that is safe (order.h), and before each step the rows are asked
 * again; where one could not be removed, what comes later stays. An old prefix is served to nobody:
 * it goes in the order of its keys, and none of it waits for another. No more than CHUNK objects
 * and one package are in memory at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "gc_collection.h"
#include "log.h"
#include "memory.h"
#include "object.h"
#include "order.h"
#include "package.h"
#include "publish.h"
#include "store.h"
#include "survey.h"

/* Objects of one publish(): 64 jobs do 156 each, and few wait at its end. The first ones are fewer,
 * so that it is noticed early who may not remove anything. All are whole batches of a hundred. */
#define CHUNK_FIRST 100
#define CHUNK	    10000

/* What is to be removed next. */
struct removal {
	struct object obj;
	const char *why;
	enum order order;
	size_t lot;
};

struct basket {
	struct gc_collection *c;
	struct removal *removals;
	size_t n, alloc, chunk;
	bool *stuck;  /* of each package's lot: one was not removed, so what comes later stays */
	bool refused; /* one was, and so would all others be */
};

static void basket_release(struct basket *b)
{
	for (size_t i = 0; i < b->n; i++)
		object_release(&b->removals[i].obj);
	free(b->removals);
	free(b->stuck);
}

/* 1: a row of these objects, which are of one lot, has come back since the names were read. */
static int has_returned(const struct gc_collection *c, const struct gc_lot *lot,
			const struct object *const *objects, size_t n)
{
	CLEANUP(package_release) struct package pkg;
	int r;

	package_init(&pkg);
	r = db_package(c->opt->db, lot->package, &pkg);
	if (lot->kind == GC_LOT_PACKAGE)
		return r == -ENOENT ? 0 : r ? r : 1;
	for (size_t i = 0; i < n && !r; i++) {
		struct object_name name;

		if (catalog_match(objects[i]->key, &name))
			r = package_find_version(&pkg, name.version.text, name.version.len) != NULL;
	}
	return r == -ENOENT ? 1 : r;
}

static void settle(struct basket *b, const struct removal *removal, const struct publication *p)
{
	struct gc_counts *counts = &b->c->counts;

	if (!p->result) {
		counts->removed++;
		counts->bytes += removal->obj.size;
		return;
	}
	b->stuck[removal->lot] = b->c->plan.lots[removal->lot].kind != GC_LOT_PREFIX;
	if (p->result != -ESTALE) {
		b->refused |= p->result == -EACCES;
		counts->failed++;
		return;
	}
	counts->raced++;
	log_warning("%s stays: somebody wrote it meanwhile", removal->obj.key);
	if (store_refresh(b->c->opt->store, removal->obj.key, 0) < 0)
		log_debug("%s stays as the index has it", removal->obj.key);
}

static void remove_those(struct basket *b, enum order order)
{
	struct publication *publications = xcalloc(b->n, sizeof(*publications));
	const struct removal **of = xcalloc(b->n, sizeof(const struct removal *));
	unsigned n = 0;

	for (size_t i = 0; i < b->n; i++) {
		const struct removal *removal = &b->removals[i];
		struct publication *p = &publications[n];

		if (removal->order != order || b->stuck[removal->lot])
			continue;
		publication_init(p);
		p->action = PUBLISH_REMOVE;
		p->key = removal->obj.key;
		p->have = &removal->obj;
		p->why = removal->why;
		p->group = n;
		of[n++] = removal;
	}
	if (n && publish(b->c->opt->publisher, publications, n) < 0)
		log_debug("some of %u objects were not removed", n);
	for (unsigned i = 0; i < n; i++) {
		settle(b, of[i], &publications[i]);
		publication_release(&publications[i]);
	}
	free(publications);
	free(of);
}

/* 1: a row of what is removed of these next, all of one lot, has come back. */
static int ask_again(const struct gc_collection *c, const struct removal *removals, size_t n,
		     enum order order)
{
	const struct object **objects = xcalloc(n, sizeof(const struct object *));
	size_t asked = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (removals[i].order == order)
			objects[asked++] = &removals[i].obj;
	if (asked)
		r = has_returned(c, &c->plan.lots[removals->lot], objects, asked);
	free(objects);
	return r;
}

/* A lot whose row came back while others were removed keeps what is left of it. */
static void keep_returned(struct basket *b, enum order order)
{
	struct gc_collection *c = b->c;

	for (size_t i = 0, end; i < b->n; i = end) {
		size_t lot = b->removals[i].lot;
		int r = 0;

		for (end = i; end < b->n && b->removals[end].lot == lot; end++)
			;
		if (!b->stuck[lot] && c->plan.lots[lot].kind != GC_LOT_PREFIX)
			r = ask_again(c, b->removals + i, end - i, order);
		if (!r)
			continue;
		b->stuck[lot] = true;
		c->counts.raced += r > 0;
		c->counts.failed += r < 0;
		if (r > 0)
			log_warning("what is left of %s in %s/ stays: its row has come back",
				    c->plan.lots[lot].package, c->plan.lots[lot].prefix);
	}
}

static void see_those(struct basket *b, enum order order)
{
	struct gc_collection *c = b->c;

	for (size_t i = 0; i < b->n; i++) {
		const struct removal *removal = &b->removals[i];
		bool held = c->plan.lots[removal->lot].held;

		if (removal->order != order)
			continue;
		gc_see(c, PLANNED_REMOVE, &removal->obj, removal->why, held);
		c->counts.removed += !held;
		c->counts.bytes += held ? 0 : removal->obj.size;
	}
}

static void flush(struct basket *b)
{
	if (!b->n || b->refused)
		return;
	for (int order = ORDERS - 1; order >= 0; order--) {
		if (b->c->opt->see) {
			see_those(b, (enum order)order);
			continue;
		}
		keep_returned(b, (enum order)order);
		remove_those(b, (enum order)order);
	}
	for (size_t i = 0; i < b->n; i++)
		object_release(&b->removals[i].obj);
	b->n = 0;
	b->chunk = b->chunk * 10 < CHUNK ? b->chunk * 10 : CHUNK;
}

static void add_removal(struct basket *b, size_t lot, const struct object *obj, const char *why)
{
	struct gc_collection *c = b->c;
	bool in_key_order = c->plan.lots[lot].kind == GC_LOT_PREFIX;
	struct removal *removal;

	c->counts.held += c->plan.lots[lot].held;
	if (c->plan.lots[lot].held && !c->opt->see)
		return;
	GROW(b->removals, b->n, b->alloc);
	removal = &b->removals[b->n++];
	*removal = (struct removal){ .why = why,
				     .order = in_key_order ? ORDER_REST : order_of(obj->key),
				     .lot = lot };
	object_copy(&removal->obj, obj);
}

/* 1: it is still what was judged. */
static int is_as_judged(const struct gc_collection *c, const struct gc_lot *lot,
			const struct survey *have, const struct gc_ruling *rulings)
{
	unsigned char digest[SHA256_SIZE] = { 0 };
	const struct object **removed = xcalloc(have->n + 1, sizeof(const struct object *));
	size_t n = 0;
	int r = 1;

	for (size_t i = 0; i < have->n; i++)
		if (rulings[i].fate == GC_REMOVED) {
			survey_toggle(digest, &have->objects[i]);
			removed[n++] = &have->objects[i];
		}
	if (!memcmp(digest, lot->digest, SHA256_SIZE))
		r = has_returned(c, lot, removed, n);
	free(removed);
	return r < 0 ? r : !r;
}

/* As an export records a package without a row: who exports it again relies on nothing that is
 * there (unlisted.h). */
static int note_gone(const struct gc_collection *c, const struct gc_lot *lot,
		     const char *runtime_version)
{
	static const unsigned char nothing[SHA256_SIZE];
	CLEANUP(free_char) char *key = export_state_key(lot->prefix, runtime_version);
	struct export_record record = { .prefix = key, .package = lot->package };
	const char *url = c->opt->store->url;
	int r = db_state(c->opt->db, url, key, lot->package, &record.state);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (record.state.change && memcmp(record.state.seen, nothing, SHA256_SIZE) != 0) {
		memset(record.state.seen, 0, SHA256_SIZE);
		free(record.state.last_error);
		record.state.last_error = NULL;
		r = db_record(c->opt->db, url, &record, 1);
	}
	export_state_release(&record.state);
	return r;
}

/* In front of the question whether its row has come back: who is to know it and does not, has
 * begun with a row that this will find. In latest/ each deployment has a record of its own. */
static int note_gone_everywhere(const struct gc_collection *c, const struct gc_lot *lot)
{
	int r = note_gone(c, lot, c->policy.own);

	for (size_t i = 0; i < c->used.n && !r && !strcmp(lot->prefix, "latest"); i++)
		r = note_gone(c, lot, c->used.names[i]);
	return r;
}

static int apply_package(struct basket *b, size_t i)
{
	struct gc_collection *c = b->c;
	const struct gc_lot *lot = &c->plan.lots[i];
	CLEANUP(survey_release) struct survey have = { 0 };
	struct gc_ruling *rulings;
	int r = survey_prefix(c->opt->store, lot->prefix, lot->package, &have);

	if (!r && lot->kind == GC_LOT_PACKAGE && !lot->held && !c->opt->see)
		r = note_gone_everywhere(c, lot);
	if (r < 0)
		return r;
	rulings = xcalloc(have.n + 1, sizeof(*rulings));
	gc_rule_package(&c->policy, &c->names, lot->prefix, lot->package, &have, rulings);
	r = is_as_judged(c, lot, &have, rulings);
	if (!r) {
		c->counts.raced += lot->objects;
		log_warning("%s in %s/ stays: it changed meanwhile", lot->package, lot->prefix);
	}
	for (size_t k = 0; k < have.n && r > 0; k++)
		if (rulings[k].fate == GC_REMOVED)
			add_removal(b, i, &have.objects[k], rulings[k].why);
	c->counts.packages += r > 0 && lot->kind == GC_LOT_PACKAGE && !lot->held;
	free(rulings);
	return r < 0 ? r : 0;
}

/* A page of an old prefix. */
struct page {
	struct basket *basket;
	size_t lot;
	const char *why;
	char *last; /* owned */
};

static int add_old_object(void *ctx, const struct object *obj)
{
	struct page *page = ctx;

	add_removal(page->basket, page->lot, obj, page->why);
	free(page->last);
	page->last = xstrdup(obj->key);
	return page->basket->n >= page->basket->chunk;
}

static bool is_over(const struct basket *b)
{
	return b->refused || gc_stopping(b->c);
}

static int apply_prefix(struct basket *b, size_t i)
{
	struct gc_collection *c = b->c;
	const struct gc_lot *lot = &c->plan.lots[i];
	CLEANUP(free_char) char *all = xasprintf("%s/", lot->prefix);
	struct page page = { .basket = b,
			     .lot = i,
			     .why = gc_rule_top(&c->policy, lot->prefix, true).why };
	int r;

	flush(b); /* so that its chunks are full ones */
	do {
		CLEANUP(free_char) char *after = steal(page.last);

		r = store_list(c->opt->store, all, true, after, add_old_object, &page);
		if (r > 0)
			flush(b);
	} while (r > 0 && !is_over(b));
	free(page.last);
	c->counts.prefixes += !lot->held;
	return r < 0 ? r : 0;
}

int gc_apply(struct gc_collection *c)
{
	CLEANUP(basket_release) struct basket b = { .c = c, .chunk = CHUNK_FIRST };
	int r = 0;

	b.stuck = xcalloc(c->plan.n + 1, sizeof(*b.stuck));
	for (size_t i = 0; i < c->plan.n && !r && !is_over(&b); i++) {
		bool whole = c->plan.lots[i].kind == GC_LOT_PREFIX;

		r = whole ? apply_prefix(&b, i) : apply_package(&b, i);
		if (c->opt->see || b.n >= b.chunk)
			flush(&b);
	}
	flush(&b);
	return b.refused ? -EACCES : r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* counter.c - the link that counts the calls which reach it, for tests of what work costs. */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "driver.h"
#include "memory.h"
#include "store_links.h"

enum verb { STAT, READ, LIST, WRITE, COPY, TOUCH, REMOVE, REFRESH, VERB_COUNT };

struct counter_store {
	struct store store;
	atomic_ulong calls[VERB_COUNT];
};

static void count(struct store *s, enum verb verb)
{
	atomic_fetch_add(&((struct counter_store *)s)->calls[verb], 1);
}

static int counter_stat(struct store *s, const char *key, struct object *ret)
{
	count(s, STAT);
	return store_stat(s->next, key, ret);
}

static int counter_read_range(struct store *s, const char *key, uint64_t generation,
			      uint64_t offset, size_t length, struct strbuf *out)
{
	count(s, READ);
	return store_read(s->next, key, generation, offset, length, out);
}

static int counter_list(struct store *s, const char *prefix, bool deep, const char *after,
			object_fn *fn, void *ctx)
{
	count(s, LIST);
	return store_list(s->next, prefix, deep, after, fn, ctx);
}

static int counter_list_part(struct store *s, const char *prefix, const char *after,
			     const char *end, object_fn *fn, void *ctx)
{
	count(s, LIST);
	return store_list_part(s->next, prefix, after, end, fn, ctx);
}

static int counter_edit(struct store *s, struct edit *edits, size_t n)
{
	static const enum verb verbs[] = {
		[EDIT_WRITE] = WRITE,
		[EDIT_COPY] = COPY,
		[EDIT_TOUCH] = TOUCH,
		[EDIT_REMOVE] = REMOVE,
	};

	for (size_t i = 0; i < n; i++)
		count(s, verbs[edits[i].op]);
	return store_edit(s->next, edits, n);
}

static int counter_refresh(struct store *s, const char *what, int64_t max_age)
{
	count(s, REFRESH);
	return store_refresh(s->next, what, max_age);
}

static void counter_close(struct store *s)
{
	free(s);
}

static const struct store_ops counter_ops = {
	.name = "counter",
	.stat = counter_stat,
	.read = counter_read_range,
	.list = counter_list,
	.list_part = counter_list_part,
	.edit = counter_edit,
	.refresh = counter_refresh,
	.close = counter_close,
};

int counter_push(struct store *next, struct store **ret)
{
	struct counter_store *c = xcalloc(1, sizeof(*c));

	link_init(&c->store, &counter_ops, next);
	*ret = &c->store;
	return 0;
}

struct store_counts counter_read(struct store *counter)
{
	struct counter_store *c = (struct counter_store *)counter;
	unsigned long calls[VERB_COUNT];

	assert(counter->ops == &counter_ops);
	for (size_t i = 0; i < VERB_COUNT; i++)
		calls[i] = atomic_exchange(&c->calls[i], 0);
	return (struct store_counts){
		.stat = calls[STAT],
		.read = calls[READ],
		.list = calls[LIST],
		.write = calls[WRITE],
		.copy = calls[COPY],
		.touch = calls[TOUCH],
		.remove = calls[REMOVE],
		.refresh = calls[REFRESH],
	};
}

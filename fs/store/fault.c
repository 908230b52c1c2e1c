/* SPDX-License-Identifier: BSD-3-Clause */
/* fault.c - the link that makes one chosen call fail, for tests of what a failure leaves behind. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "driver.h"
#include "memory.h"
#include "store_links.h"

struct fault_store {
	struct store store;
	pthread_mutex_t lock; /* guards left and error */
	unsigned left;	      /* the call that fails, counted from 1; 0: none */
	int error;
	atomic_bool fired;
};

static struct fault_store *fault_of(struct store *s)
{
	return (struct fault_store *)s;
}

/* Counts n changes (1 for every other call). Returns which of them fails, from 1; 0: none. */
static unsigned count(struct fault_store *f, size_t n)
{
	unsigned hit = 0;

	pthread_mutex_lock(&f->lock);
	if (f->left && f->left <= n) {
		hit = f->left;
		f->left = 0;
	} else if (f->left) {
		f->left -= (unsigned)n;
	}
	pthread_mutex_unlock(&f->lock);
	return hit;
}

static int fire(struct fault_store *f)
{
	int error;

	pthread_mutex_lock(&f->lock);
	error = f->error;
	pthread_mutex_unlock(&f->lock);
	f->fired = true;
	return error;
}

static int due(struct store *s)
{
	return count(fault_of(s), 1) ? fire(fault_of(s)) : 0;
}

static int fault_stat(struct store *s, const char *key, struct object *ret)
{
	int r = due(s);

	return r ? r : store_stat(s->next, key, ret);
}

static int fault_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		      size_t length, struct strbuf *out)
{
	int r = due(s);

	return r ? r : store_read(s->next, key, generation, offset, length, out);
}

static int fault_list(struct store *s, const char *prefix, bool deep, const char *after,
		      object_fn *fn, void *ctx)
{
	int r = due(s);

	return r ? r : store_list(s->next, prefix, deep, after, fn, ctx);
}

static int fault_list_part(struct store *s, const char *prefix, const char *after, const char *end,
			   object_fn *fn, void *ctx)
{
	int r = due(s);

	return r ? r : store_list_part(s->next, prefix, after, end, fn, ctx);
}

static int fault_refresh(struct store *s, const char *what, int64_t max_age)
{
	int r = due(s);

	return r ? r : store_refresh(s->next, what, max_age);
}

/* The changes before the one that fails are made, the rest of its group is canceled, and the
 * groups behind it are made. A change that its group cancels anyway leaves the fault armed. */
static int fault_edit(struct store *s, struct edit *edits, size_t n)
{
	struct fault_store *f = fault_of(s);
	unsigned hit = count(f, n);
	size_t i;

	if (!hit)
		return store_edit(s->next, edits, n);
	i = hit - 1;
	if (i)
		(void)!store_edit(s->next, edits, i);
	if (edit_canceled(edits, i)) {
		pthread_mutex_lock(&f->lock);
		f->left = 1;
		pthread_mutex_unlock(&f->lock);
	} else {
		edits[i].result = fire(f);
	}
	for (i++; i < n && edit_canceled(edits, i);)
		i++;
	if (i < n)
		(void)!store_edit(s->next, edits + i, n - i);
	return edit_result(edits, n);
}

static void fault_close(struct store *s)
{
	struct fault_store *f = fault_of(s);

	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct store_ops fault_ops = {
	.name = "fault",
	.stat = fault_stat,
	.read = fault_read,
	.list = fault_list,
	.list_part = fault_list_part,
	.edit = fault_edit,
	.refresh = fault_refresh,
	.close = fault_close,
};

int fault_push(struct store *next, struct store **ret)
{
	struct fault_store *f = xcalloc(1, sizeof(*f));

	link_init(&f->store, &fault_ops, next);
	pthread_mutex_init(&f->lock, NULL);
	*ret = &f->store;
	return 0;
}

void fault_arm(struct store *fault, unsigned n, int error)
{
	struct fault_store *f = fault_of(fault);

	assert(fault->ops == &fault_ops && n >= 1 && error < 0);
	pthread_mutex_lock(&f->lock);
	f->left = n;
	f->error = error;
	f->fired = false;
	pthread_mutex_unlock(&f->lock);
}

bool fault_fired(const struct store *fault)
{
	assert(fault->ops == &fault_ops);
	return ((const struct fault_store *)fault)->fired;
}

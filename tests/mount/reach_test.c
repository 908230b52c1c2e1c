/* SPDX-License-Identifier: BSD-3-Clause */
/* reach_test.c - a store that goes away: what is known is shown until it is back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "../../fs/store/driver.h"
#include "expect.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define HTTP LATEST "http"

/* A link behind which the store is gone at times. */
struct gone {
	struct store store;
	atomic_bool gone, slow;
	atomic_uint lists, waiting;
};

static struct gone *gone_of(struct store *s)
{
	return (struct gone *)s;
}

static int missing(const struct gone *g)
{
	return g->gone ? fail(-EIO, "the store is gone") : 0;
}

static int gone_stat(struct store *s, const char *key, struct object *ret)
{
	int r = missing(gone_of(s));

	return r ? r : store_stat(s->next, key, ret);
}

static int gone_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		     size_t length, struct strbuf *out)
{
	int r = missing(gone_of(s));

	return r ? r : store_read(s->next, key, generation, offset, length, out);
}

static int gone_list(struct store *s, const char *prefix, bool deep, const char *after,
		     object_fn *fn, void *ctx)
{
	struct gone *g = gone_of(s);
	int r;

	g->lists++;
	while (g->slow)
		sched_yield();
	r = missing(g);
	return r ? r : store_list(s->next, prefix, deep, after, fn, ctx);
}

static const struct store_ops gone_ops = {
	.name = "gone",
	.stat = gone_stat,
	.read = gone_read,
	.list = gone_list,
};

/* The world's tree again, as a mount has it, with that link below an index of its own. */
static void world_with(struct world *w, struct gone *g, struct store **ret_index)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/own", w->home);

	*g = (struct gone){ .gone = false };
	link_init(&g->store, &gone_ops, w->driver);
	cr_assert_eq(mkdir(cache, 0700), 0);
	cr_assert_eq(index_push(&g->store, cache, ret_index), 0);
	w->options.store = *ret_index;
	w->options.ttl = 0;
	w->options.lasting = true;
	w->options.patience = 1; /* every listing is a long one */
	world_remake(w);
}

static void world_end(struct world *w, struct store *index)
{
	tree_free(steal(w->tree));
	index->ops->close(index);
	world_remove(w);
}

/* The same, with "http" known, and so long ago that another listing is due. */
static void world_that_is_due(struct world *w, struct gone *g, struct store **ret_index)
{
	struct node node;

	world_with(w, g, ret_index);
	w->options.ttl = 1;
	world_remake(w);
	put_document(w->driver, HTTP, "bytes", false);
	cr_assert_eq(resolve(w, HTTP, &node), 0);
	while (store_due(*ret_index, "latest/", 1) <= 0)
		sched_yield();
}

static bool is_degraded(struct world *w)
{
	CLEANUP(strbuf_release) struct strbuf reason = STRBUF_INIT(4096);
	int64_t since;

	return tree_is_degraded(w->tree, &since, &reason);
}

static void wait_until_degraded(struct world *w, bool degraded)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };

	while (is_degraded(w) != degraded) /* Criterion's own limit ends a test that hangs */
		nanosleep(&moment, NULL);
}

Test(reach, what_is_known_is_shown_while_the_store_is_gone, .timeout = 60)
{
	struct world w = world_make(0);
	CLEANUP(strbuf_release) struct strbuf reason = STRBUF_INIT(4096);
	CLEANUP(free_char) char *names = NULL;
	struct store *index;
	struct node node;
	struct gone g;
	int64_t since;
	unsigned lists;
	int r;

	world_with(&w, &g, &index);
	put_document(w.driver, HTTP, "bytes", false);
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_not(is_degraded(&w));
	g.gone = true;
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_eq(node.size, 5);
	cr_assert(tree_is_degraded(w.tree, &since, &reason));
	cr_assert_not_null(strstr(reason.buf, "the store is gone"));
	cr_assert_leq(since, clock_now());
	cr_assert_gt(since, clock_now() - HOUR_US);
	names = names_in(&w, "latest/api/packages");
	cr_assert_str_eq(names, "http ");
	cr_assert_null(read_path(&w, HTTP, &r));
	cr_assert_eq(r, -EIO);
	lists = g.lists;
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_leq(g.lists, lists + 1, "a thread looks, not who asks");
	g.gone = false;
	wait_until_degraded(&w, false);
	put_document(w.driver, HTTP, "other bytes", false);
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_eq(node.size, 11);
	world_end(&w, index);
}

Test(reach, what_was_never_listed_fails_while_the_store_is_gone, .timeout = 60)
{
	struct world w = world_make(0);
	struct store *index;
	struct node node;
	struct gone g;

	world_with(&w, &g, &index);
	g.gone = true;
	cr_assert_eq(resolve(&w, HTTP, &node), -EIO);
	cr_assert_eq(resolve(&w, HTTP, &node), -EIO);
	cr_assert(is_degraded(&w));
	g.gone = false;
	wait_until_degraded(&w, false);
	cr_assert_eq(resolve(&w, HTTP, &node), -ENOENT);
	world_end(&w, index);
}

Test(reach, a_failure_of_another_kind_makes_it_look_whether_it_was_the_store, .timeout = 60)
{
	struct world w = world_make(0);
	struct store *index;
	struct gone g;

	world_with(&w, &g, &index);
	tree_doubt(w.tree);
	while (!g.lists)
		sched_yield();
	cr_assert_not(is_degraded(&w), "it was not");
	tree_free(steal(w.tree)); /* so that it has ended */
	g.gone = true;
	world_remake(&w);
	tree_doubt(w.tree);
	wait_until_degraded(&w, true);
	world_end(&w, index); /* in the middle of its pause */
}

Test(reach, a_tree_for_one_command_fails_without_its_store)
{
	struct world w = world_make(0);
	struct store *index;
	struct node node;
	struct gone g;

	world_with(&w, &g, &index);
	w.options.lasting = false;
	world_remake(&w);
	put_document(w.driver, HTTP, "bytes", false);
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	g.gone = true;
	cr_assert_eq(resolve(&w, HTTP, &node), -EIO);
	cr_assert_not(is_degraded(&w));
	world_end(&w, index);
}

Test(reach, a_long_listing_is_not_waited_for_where_something_is_known, .timeout = 60)
{
	struct world w = world_make(0);
	struct store *index;
	struct node node;
	struct gone g;
	unsigned lists;

	world_that_is_due(&w, &g, &index);
	put_document(w.driver, LATEST "io", "bytes", false);
	lists = g.lists;
	g.slow = true;
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(resolve(&w, HTTP, &node), 0);
	expect_names(&w, "latest/api/packages", "http ");
	while (g.lists == lists)
		sched_yield();
	cr_assert_eq(g.lists, lists + 1, "one at a time");
	g.slow = false;
	while (resolve(&w, LATEST "io", &node))
		sched_yield();
	world_end(&w, index);
}

Test(reach, a_long_listing_that_fails_is_a_store_that_cannot_be_reached, .timeout = 60)
{
	struct world w = world_make(0);
	struct store *index;
	struct node node;
	struct gone g;

	world_that_is_due(&w, &g, &index);
	g.gone = true;
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	wait_until_degraded(&w, true);
	g.gone = false;
	wait_until_degraded(&w, false);
	world_end(&w, index);
}

struct lister {
	struct store *index;
	atomic_uint *waiting;
	int result;
	pthread_t thread;
};

static void *list_anew(void *ctx)
{
	struct lister *lister = ctx;

	++*lister->waiting;
	lister->result = store_refresh(lister->index, "", 0);
	return NULL;
}

Test(reach, those_that_wait_for_a_listing_that_fails_fail_with_it, .timeout = 60)
{
	struct world w = world_make(0);
	struct lister listers[8];
	struct store *index;
	struct gone g;

	world_with(&w, &g, &index);
	g.gone = g.slow = true;
	for (size_t i = 0; i < ARRAY_SIZE(listers); i++) {
		listers[i] = (struct lister){ .index = index, .waiting = &g.waiting };
		cr_assert_eq(pthread_create(&listers[i].thread, NULL, list_anew, &listers[i]), 0);
		while (g.waiting <= i || !g.lists)
			sched_yield();
	}
	nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL); /* most have asked */
	g.slow = false;
	for (size_t i = 0; i < ARRAY_SIZE(listers); i++) {
		pthread_join(listers[i].thread, NULL);
		cr_expect_eq(listers[i].result, -EIO);
	}
	cr_assert_leq(g.lists, 3, "one, and those that asked late");
	world_end(&w, index);
}

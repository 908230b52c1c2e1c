/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store_stress.c - many threads on one chain, for the thread sanitizer (under which Criterion
 * dies): mem: and dir:, below the links `counter` and `fault`.
 *
 * Whatever the threads do to each other, an answer is one of those that store.h names, a body is
 * of one letter as it was written, and a list is in order.
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "compiler.h"
#include "memory.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define THREADS	   6
#define OPERATIONS 400
#define KEYS	   5
#define BODY_MAX   5000

struct worker {
	struct store *store;
	unsigned seed, state;
};

static atomic_int failures;

static void expect(const struct worker *worker, bool ok, const char *what, int r)
{
	if (ok)
		return;
	fprintf(stderr, "%s, seed %u: %s: %d\n", worker->store->url, worker->seed, what, r);
	failures++;
}

static unsigned draw(struct worker *worker, unsigned below)
{
	return (unsigned)rand_r(&worker->state) % below;
}

static char *draw_key(struct worker *worker)
{
	return xasprintf("latest/%u/key", draw(worker, KEYS));
}

static void change(struct worker *worker)
{
	static const enum edit_op ops[] = { EDIT_WRITE, EDIT_WRITE, EDIT_COPY, EDIT_TOUCH,
					    EDIT_REMOVE };
	char text[BODY_MAX];
	struct body body = body_of_bytes(text, 1 + draw(worker, BODY_MAX));
	CLEANUP(free_char) char *source = draw_key(worker);
	struct edit edits[3];
	size_t n = 1 + draw(worker, 3);

	memset(text, 'a' + (int)draw(worker, 26), sizeof(text));
	for (size_t i = 0; i < n; i++) {
		edits[i] = (struct edit){ .op = ops[draw(worker, ARRAY_SIZE(ops))],
					  .group = draw(worker, 2),
					  .if_generation = STORE_ANY,
					  .body = &body,
					  .from = worker->store,
					  .from_key = source,
					  .from_generation = STORE_ANY };
		object_init(&edits[i].object);
		edits[i].object.key = draw_key(worker);
	}
	(void)!store_edit(worker->store, edits, n);
	for (size_t i = 0; i < n; i++)
		expect(worker,
		       !edits[i].result || edits[i].result == -ESTALE ||
			       edits[i].result == -ENOENT || edits[i].result == -ECANCELED,
		       "edit", edits[i].result);
	edit_release(edits, n);
}

static void look(struct worker *worker)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(BODY_MAX);
	CLEANUP(free_char) char *key = draw_key(worker);
	struct object obj;
	int r = store_stat(worker->store, key, &obj);

	expect(worker, !r || r == -ENOENT, "stat", r);
	if (r)
		return;
	r = store_read(worker->store, key, obj.generation, 0, SIZE_MAX, &out);
	expect(worker, !r || r == -ENOENT || r == -ESTALE, "read", r);
	expect(worker, r || out.len == obj.size, "size", r);
	for (size_t i = 1; i < out.len; i++)
		expect(worker, out.buf[i] == out.buf[0], "a mixture", r);
	object_release(&obj);
}

static int check_order(void *ctx, const struct object *obj)
{
	char *last = ctx;
	bool ok = strcmp(last, obj->key) < 0;

	snprintf(last, 100, "%s", obj->key);
	return ok ? 0 : -EIO;
}

static void *run(void *ctx)
{
	struct worker *worker = ctx;

	for (int i = 0; i < OPERATIONS; i++) {
		unsigned what = draw(worker, 10);
		char last[100] = "";
		int r;

		if (what < 4) {
			change(worker);
		} else if (what < 8) {
			look(worker);
		} else {
			r = store_list(worker->store, "", what == 8, NULL, check_order, last);
			expect(worker, !r, "list", r);
		}
	}
	return NULL;
}

static void run_all(const char *url, unsigned seed)
{
	struct store *driver, *counter, *chain;
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	if (store_open(url, STORE_CREATE, &driver) < 0 || counter_push(driver, &counter) < 0 ||
	    fault_push(counter, &chain) < 0)
		exit(1);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ chain, seed, seed + i };
		if (pthread_create(&threads[i], NULL, run, &workers[i]))
			exit(1);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect(&workers[0], counter_read(counter).write > 0, "nothing was counted", 0);
	store_close(chain);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	const char *above = getenv("TMPDIR");
	CLEANUP(free_char) char *home = xasprintf("%s/pubfs-stress-XXXXXX", above ? above : "/tmp");
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)getpid();
	char *url;

	if (!mkdtemp(home))
		return 1;
	url = xasprintf("dir:%s/bucket", home);
	run_all("mem:", seed);
	run_all(url, seed);
	free(url);
	nftw(home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	printf("seed %u: %d failures\n", seed, failures);
	return failures ? 1 : 0;
}

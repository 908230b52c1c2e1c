/* SPDX-License-Identifier: BSD-3-Clause */
/* cache_stress.c - many readers and writers of few bodies in a small cache, for the sanitizers. */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "memory.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define THREADS 8
#define ROUNDS	300
#define KEYS	12
#define LIMIT	(6 * 4096) /* half of what there is */

static struct store *chain;

static void die(const char *what, int r)
{
	fprintf(stderr, "cache_stress: %s: %d\n", what, r);
	abort();
}

/* Every generation's body says whose it is. */
static void write_one(const char *key, unsigned *seed)
{
	CLEANUP(free_char) char *text = xasprintf("%s %d", key, rand_r(seed));
	struct body body = body_of_bytes(text, strlen(text));
	struct edit e = { .op = EDIT_WRITE, .body = &body, .if_generation = STORE_ANY };

	object_init(&e.object);
	e.object.key = xstrdup(key);
	if (store_edit(chain, &e, 1) < 0)
		die("write", e.result);
	edit_release(&e, 1);
}

static void read_one(const char *key)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	CLEANUP(object_release) struct object obj;
	int r;

	object_init(&obj);
	r = store_stat(chain, key, &obj);
	if (r == -ENOENT)
		return;
	if (r == 0)
		r = store_read(chain, key, obj.generation, 0, 100, &out);
	if (r == -ESTALE)
		return;
	if (r < 0)
		die("read", r);
	if (strncmp(out.buf, key, strlen(key)) != 0 || out.len != obj.size)
		die("another one's bytes", 0);
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%d", rand_r(&seed) % KEYS);

		if (rand_r(&seed) % 4)
			read_one(key);
		else
			write_one(key, &seed);
	}
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	char folder[] = "/tmp/pubfs-cache-stress-XXXXXX";
	pthread_t threads[THREADS];
	struct store *s;

	if (!mkdtemp(folder))
		die("mkdtemp", errno);
	if (store_open("mem:", STORE_CREATE, &s) < 0 || index_push(s, folder, &s) < 0 ||
	    cache_push(s, folder, LIMIT, &chain) < 0)
		die("open", 0);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)(i + 1)))
			die("thread", errno);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	store_close(chain);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

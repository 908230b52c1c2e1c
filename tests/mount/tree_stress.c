/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_stress.c - many threads on one tree, for the thread sanitizer (under which Criterion dies).
 *
 * Each thread runs a bounded number of random operations. What one operation answers depends on
 * the others; that must hold whatever they do: an answer is one of those that the tree may give,
 * a body that is read is one that was written whole, and at the end the tree is empty again.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "tree_world.h"

#define THREADS	   8
#define OPERATIONS 1500
#define PACKAGES   5

#define ANSWERS_END 4711 /* no call answers that */

struct worker {
	struct world *w;
	unsigned state; /* of its random numbers */
	unsigned seed;
};

static atomic_int failures;
/* Renames that went through: of each kind there must be some, or nothing was tried. */
static atomic_int published, moved, copied;

static void expect(const struct worker *worker, bool ok, const char *what, int r)
{
	if (ok)
		return;
	fprintf(stderr, "seed %u: %s: %d (%s)\n", worker->seed, what, r, strerror(-r));
	atomic_fetch_add(&failures, 1);
}

/* `allowed` ends with ANSWERS_END. */
static void expect_among(const struct worker *worker, const char *what, int r, const int *allowed)
{
	bool ok = false;

	for (; *allowed != ANSWERS_END; allowed++)
		ok |= r == *allowed;
	expect(worker, ok, what, r);
}
#define EXPECT(worker, what, r, ...)                                                               \
	expect_among(worker, what, r, (const int[]){ __VA_ARGS__, ANSWERS_END })

static unsigned draw(struct worker *worker, unsigned below)
{
	worker->state = worker->state * 1103515245 + 12345;
	return (worker->state >> 16) % below;
}

static char *some_path(struct worker *worker)
{
	return xasprintf(LATEST "p%u", draw(worker, PACKAGES));
}

static void look_up(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);
	struct node node, again;
	int r = tree_resolve(worker->w->tree, path, &node);

	EXPECT(worker, "resolve", r, 0, -ENOENT);
	if (r)
		return;
	r = tree_getattr(worker->w->tree, node.id, NULL, &again);
	EXPECT(worker, "getattr", r, 0);
	tree_forget(worker->w->tree, node.id, 1);
}

static void read_folder(struct worker *worker)
{
	struct tree *t = worker->w->tree;
	struct node folder, node;
	const char *name;
	struct dir *d;
	int r = tree_resolve(t, "latest/api/packages", &folder);

	EXPECT(worker, "resolve of a folder", r, 0);
	r = tree_opendir(t, folder.id, &d);
	EXPECT(worker, "opendir", r, 0);
	while (!r && (r = dir_next(d, &name, &node)) == 1) {
		r = dir_hold(d, &node);
		EXPECT(worker, "dir_hold", r, 0, 1);
		if (r == 1)
			tree_forget(t, node.id, 1);
		r = 0;
	}
	EXPECT(worker, "dir_next", r, 0);
	dir_close(d);
	tree_forget(t, folder.id, 1);
}

/* Bodies end in "}" and white space, and begin with what only a listing begins with. */
static void read_file(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);
	int r;
	CLEANUP(free_char) char *text = read_path(worker->w, path, &r);

	EXPECT(worker, "read", r, 0, -ENOENT, -ESTALE);
	if (text)
		expect(worker,
		       !*text || (!strncmp(text, "{\"name\":\"p", 10) &&
				  text[strlen(text) - 1] == '}'),
		       "a body that nobody wrote", 0);
}

static void write_file(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);
	CLEANUP(free_char) char *extra = xasprintf(",\"x\":%u", draw(worker, 1000));
	CLEANUP(free_char) char *text = listing_text(strrchr(path, '/') + 1, extra);

	EXPECT(worker, "write", write_path(worker->w, path, text), 0, -ESTALE);
}

/* A new name may be unlinked by another thread before its flush: then nothing is refused. */
static void write_broken(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);

	EXPECT(worker, "write of no listing", write_path(worker->w, path, "{"), 0, -EINVAL,
	       -ESTALE);
}

static void append(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);
	struct caller who = this_caller();
	struct file *f;
	int r = open_path(worker->w, path, O_RDWR, &f);

	EXPECT(worker, "open to append", r, 0, -ENOENT, -ESTALE);
	if (r)
		return;
	r = (int)file_write(f, 0, "{", 1);
	EXPECT(worker, "write without cutting", r, 1, -ESTALE);
	r = file_flush(f, &who);
	EXPECT(worker, "flush", r, 0, -EINVAL, -ESTALE);
	file_close(f);
}

static void unlink_file(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);

	EXPECT(worker, "unlink", unlink_path(worker->w, path), 0, -ENOENT, -EBUSY);
}

/* One of few scratch files, which others write, move, publish and remove meanwhile. */
static char *some_scratch(struct worker *worker, unsigned package)
{
	return xasprintf(LATEST "%sp%u.tmp", draw(worker, 2) ? "" : ".", package);
}

static void write_scratch(struct worker *worker)
{
	unsigned package = draw(worker, PACKAGES);
	CLEANUP(free_char) char *path = some_scratch(worker, package);
	CLEANUP(free_char) char *name = xasprintf("p%u", package);
	CLEANUP(free_char) char *text = listing_text(name, draw(worker, 2) ? "" : ",\"x\":1");
	struct file *f;
	struct node node;
	int r = create_path(worker->w, path, O_RDWR | O_CREAT | O_TRUNC, 0600, &f);

	EXPECT(worker, "create of a scratch file", r, 0, -ESTALE);
	if (r)
		return;
	r = (int)file_write(f, 0, text, strlen(text));
	EXPECT(worker, "write of a scratch file", r, (int)strlen(text), -ESTALE);
	EXPECT(worker, "fstat", tree_getattr(worker->w->tree, TREE_ROOT, f, &node), 0);
	file_close(f);
}

/* Half a text is refused; a text that another has made longer by half is as well. */
static void publish_scratch(struct worker *worker)
{
	unsigned package = draw(worker, PACKAGES);
	CLEANUP(free_char) char *from = some_scratch(worker, package);
	CLEANUP(free_char) char *to = xasprintf(LATEST "p%u", package);

	int r = rename_path(worker->w, from, to, 0);

	EXPECT(worker, "rename of a scratch file", r, 0, -ENOENT, -EBUSY, -EINVAL);
	atomic_fetch_add(&published, !r);
}

static void move_scratch(struct worker *worker)
{
	unsigned package = draw(worker, PACKAGES);
	CLEANUP(free_char) char *from = some_scratch(worker, package);
	CLEANUP(free_char) char *to = some_scratch(worker, package);

	int r = rename_path(worker->w, from, to, 0);

	EXPECT(worker, "rename onto a scratch name", r, 0, -ENOENT);
	atomic_fetch_add(&moved, !r && strcmp(from, to) != 0);
}

static void unlink_scratch(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_scratch(worker, draw(worker, PACKAGES));

	EXPECT(worker, "unlink of a scratch file", unlink_path(worker->w, path), 0, -ENOENT);
}

/* To the other prefix, or back. A draft of another's is busy. */
static void move_object(struct worker *worker)
{
	CLEANUP(free_char) char *path = some_path(worker);
	CLEANUP(free_char) char *other = xasprintf("2026.08.18/%s", strchr(path, '/') + 1);
	bool back = draw(worker, 2);
	int r = rename_path(worker->w, back ? other : path, back ? path : other, 0);

	EXPECT(worker, "rename of an object", r, 0, -ENOENT, -EBUSY);
	atomic_fetch_add(&copied, !r);
}

static void make_folder(struct worker *worker)
{
	CLEANUP(free_char) char *path = xasprintf("x%u", draw(worker, 3));

	EXPECT(worker, "mkdir", mkdir_path(worker->w, path), 0, -EEXIST);
	EXPECT(worker, "rmdir", rmdir_path(worker->w, path), 0, -ENOENT);
}

static void read_control(struct worker *worker)
{
	int r;

	free(read_path(worker->w, ".pubfs/rejected", &r));
	EXPECT(worker, "rejected", r, 0);
}

static void *work(void *ctx)
{
	static void (*const operations[])(struct worker * worker) = {
		look_up,      look_up,	      read_folder,   read_file,	    read_file,
		write_file,   write_file,     append,	     write_broken,  unlink_file,
		make_folder,  read_control,   write_scratch, write_scratch, publish_scratch,
		move_scratch, unlink_scratch, move_object,
	};
	struct worker *worker = ctx;

	log_set_mute(true); /* refusals are said by the thousand */
	for (int i = 0; i < OPERATIONS; i++)
		operations[draw(worker, ARRAY_SIZE(operations))](worker);
	return NULL;
}

int main(void)
{
	struct world w = world_make(0);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .w = &w, .state = i, .seed = i };
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (!atomic_load(&published) || !atomic_load(&moved) || !atomic_load(&copied))
		atomic_fetch_add(&failures, 1);
	world_remove(&w);
	printf("%d failures\n", atomic_load(&failures));
	return atomic_load(&failures) ? 1 : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_process_test.c - many processes on one `dir:` store, and processes that are killed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "conformance.h"
#include "dir_world.h"
#include "memory.h"
#include "strbuf.h"

#define KEY	 "latest/api/packages/http"
#define ATTEMPTS 200

struct win {
	uint64_t before, after;
};

/* Writes one `struct win` for each write that it won. */
static void race(const struct dir_world *w, int out)
{
	struct store *s = dir_world_open(w);

	for (int i = 0; i < ATTEMPTS; i++) {
		struct win win = { .before = generation_of(s, KEY) };

		if (put_text(s, KEY, "x", win.before, &win.after) == 0 &&
		    write(out, &win, sizeof(win)) != sizeof(win))
			_exit(1);
	}
	_exit(0);
}

static int by_before(const void *a, const void *b)
{
	const struct win *x = a, *y = b;

	return x->before < y->before ? -1 : x->before > y->before;
}

Test(dir_process, of_two_processes_one_wins_each_generation)
{
	struct dir_world w = dir_world_make();
	struct win wins[2 * ATTEMPTS];
	pid_t pids[2];
	size_t n = 0;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i])
			race(&w, ends[1]);
	}
	close(ends[1]);
	while (read(ends[0], &wins[n], sizeof(*wins)) == sizeof(*wins))
		n++;
	for (int i = 0; i < 2; i++) {
		int status;

		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert_eq(status, 0);
	}
	close(ends[0]);
	cr_assert_geq(n, ATTEMPTS, "one of two that try at once wins");
	qsort(wins, n, sizeof(*wins), by_before);
	cr_assert_eq(wins[0].before, 0);
	for (size_t i = 1; i < n; i++)
		cr_assert_eq(wins[i].before, wins[i - 1].after, "no two won, and none was lost");
	cr_assert_eq(generation_of(w.store, KEY), wins[n - 1].after);
	dir_world_remove(&w);
}

#define CREATORS 6

Test(dir_process, of_many_processes_that_make_one_store_all_get_the_same)
{
	for (int round = 0; round < 10; round++) {
		struct dir_world w = dir_world_make();
		CLEANUP(free_char) char *url = xasprintf("dir:%s/new", w.home);
		char first[100], next[100];
		int ends[2];

		cr_assert_eq(pipe(ends), 0);
		for (int i = 0; i < CREATORS; i++)
			if (!fork()) {
				struct store *s;
				char line[100] = "";

				if (store_open(url, STORE_CREATE, &s) < 0)
					_exit(1);
				snprintf(line, sizeof(line), "%s", s->identity);
				_exit(write(ends[1], line, sizeof(line)) != sizeof(line));
			}
		close(ends[1]);
		cr_assert_eq(read(ends[0], first, sizeof(first)), sizeof(first));
		for (int i = 1; i < CREATORS; i++) {
			cr_assert_eq(read(ends[0], next, sizeof(next)), sizeof(next));
			cr_assert_str_eq(first, next);
		}
		close(ends[0]);
		while (wait(NULL) > 0)
			;
		dir_world_remove(&w);
	}
}

#define KEYS	  5
#define BODY_SIZE 100000

/* Each object is one letter, and its metadata says which, and how many. */
static void write_for_ever(const struct dir_world *w)
{
	struct store *s = dir_world_open(w);
	CLEANUP(free_char) char *text = xmalloc(BODY_SIZE);

	for (unsigned i = 0;; i++) {
		size_t size = 1 + i * 7919 % BODY_SIZE;
		struct body body = body_of_bytes(text, size);
		struct edit edits[3];
		size_t n = i % 2 ? 1 : 3;

		memset(text, 'a' + (int)(i % 26), size);
		for (size_t j = 0; j < n; j++) {
			CLEANUP(free_char)
			char *key = xasprintf("latest/%u/key", (i + (unsigned)j) % KEYS);

			edits[j] = edit_write(key, &body, 0);
			edits[j].object.change = xasprintf("%c", 'a' + (int)(i % 26));
		}
		if (i % 7 == 0)
			edits[0].op = EDIT_REMOVE;
		if (store_edit(s, edits, n) < 0)
			_exit(1);
		edit_release(edits, n);
	}
}

static int check_whole(void *ctx, const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(BODY_SIZE);

	cr_assert_not_null(obj->change, "%s lost its metadata", obj->key);
	cr_assert_eq(store_read(ctx, obj->key, obj->generation, 0, SIZE_MAX, &out), 0);
	cr_assert_eq(out.len, obj->size);
	for (size_t i = 0; i < out.len; i++)
		cr_assert_eq(out.buf[i], *obj->change);
	return 0;
}

Test(dir_process, a_killed_writer_leaves_every_object_old_or_new_and_nothing_else)
{
	struct dir_world w = dir_world_make();
	unsigned seed = 0;

	cr_assert_eq(getrandom(&seed, sizeof(seed), 0), (ssize_t)sizeof(seed));
	fprintf(stderr, "seed %u\n", seed);
	for (int round = 0; round < 40; round++) {
		struct timespec pause = { 0, 1000000 + rand_r(&seed) % 30000000 };
		struct store *s;
		pid_t pid = fork();

		if (!pid)
			write_for_ever(&w);
		nanosleep(&pause, NULL);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
		s = dir_world_open(&w);
		cr_assert_eq(dir_world_count(&w, ".pubfs-store/tmp"), 0, "swept");
		cr_assert_eq(store_list(s, "", true, NULL, check_whole, s), 0);
		cr_assert_eq(put_text(s, "latest/after", "x", STORE_ANY, NULL), 0);
		cr_assert_eq(remove_key(s, "latest/after", STORE_ANY), 0);
		store_close(s);
	}
	dir_world_remove(&w);
}

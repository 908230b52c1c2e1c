/* SPDX-License-Identifier: BSD-3-Clause */
/* index_race_test.c - an answer asked for before a change never enters the index after it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance.h"
#include "index_world.h"
#include "memory.h"
#include "store_links.h"

#define KEY "latest/key"

/* LMDB tells of a commit from the moment on when its page is written: who begins to read then still
 * has what was before it. This stands in the place of its function, and makes that moment last. */
static bool in_a_commit;

int mdb_env_info(MDB_env *env, MDB_envinfo *info)
{
	static int (*real)(MDB_env *, MDB_envinfo *);
	int rc;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_env_info");
	rc = real(env, info);
	info->me_last_txnid += in_a_commit;
	return rc;
}

static void expect_truth_of_key(struct world *w, size_t i)
{
	uint64_t here = generation_of(w->s, KEY), there = generation_of(w->mem, KEY);

	cr_assert_eq(here, there, "case %zu: %llu, not %llu", i, (unsigned long long)here,
		     (unsigned long long)there);
}

Test(index_race, a_version_is_of_what_can_be_read_and_not_of_a_commit_that_cannot)
{
	uint64_t before, after;
	struct world w;

	world_open(&w);
	cr_assert_eq(put_text(w.s, KEY, "old", STORE_ABSENT, NULL), 0);
	expect_truth_of_key(&w, 0); /* by a listing, which is a commit as well */
	in_a_commit = true;
	before = store_version(w.s);
	expect_truth_of_key(&w, 1); /* which somebody keeps, as of that version */
	cr_assert_eq(put_text(w.s, KEY, "new", STORE_ANY, NULL), 0);
	in_a_commit = false;
	after = store_version(w.s);
	cr_assert_gt(after, before, "%llu, and %llu", (unsigned long long)before,
		     (unsigned long long)after);
	world_close(&w);
}

/* What may happen while an answer is on its way. `own`: through this host's index. */
static void own_write(struct world *w)
{
	cr_assert_eq(put_text(w->s, KEY, "own", STORE_ANY, NULL), 0);
}

static void own_remove(struct world *w)
{
	cr_assert_eq(remove_key(w->s, KEY, STORE_ANY), 0);
}

static void own_look(struct world *w)
{
	cr_assert_eq(store_refresh(w->s, KEY, 0), 0);
}

static void others_write_is_seen(struct world *w)
{
	cr_assert_eq(put_text(w->mem, KEY, "theirs", STORE_ANY, NULL), 0);
	own_look(w);
}

static void others_remove_is_seen(struct world *w)
{
	cr_assert_eq(remove_key(w->mem, KEY, STORE_ANY), 0);
	own_look(w);
}

static void others_remove_is_listed(struct world *w)
{
	cr_assert_eq(remove_key(w->mem, KEY, STORE_ANY), 0);
	cr_assert_eq(store_refresh(w->s, "latest/", 0), 0);
}

static void others_remove_is_listed_at_the_top(struct world *w)
{
	cr_assert_eq(remove_key(w->mem, KEY, STORE_ANY), 0);
	cr_assert_eq(remove_key(w->mem, "latest/other", STORE_ANY), 0);
	cr_assert_eq(store_refresh(w->s, "", 0), 0);
}

static void own_remove_is_swept(struct world *w)
{
	own_remove(w);
	cr_assert_eq(store_refresh(w->s, "latest/", 0), 0);
}

static void own_remove_and_write(struct world *w)
{
	own_remove(w);
	own_write(w);
}

/* latest/ is listed, with another object, and KEY if `there`. */
static void world_with_key(struct world *w, bool there)
{
	world_open(w);
	cr_assert_eq(put_text(w->mem, "latest/other", "x", STORE_ANY, NULL), 0);
	if (there)
		cr_assert_eq(put_text(w->mem, KEY, "first", STORE_ANY, NULL), 0);
	cr_assert_eq(store_refresh(w->s, "", 0), 0);
	cr_assert_eq(store_refresh(w->s, "latest/", 0), 0);
	counter_read(w->counter);
}

Test(index_race, a_listing_neither_undoes_nor_removes_what_came_after_its_start)
{
	static meddle_fn *const changes[] = {
		own_write, own_remove, own_look, others_write_is_seen, others_remove_is_seen,
		own_remove_and_write,
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		for (int there = 0; there < 2; there++)
			for (int twice = 0; twice < 2; twice++) {
				struct world w;
				struct row row;

				world_with_key(&w, there);
				w.after = changes[i];
				if (twice) /* the listing saw the first, not the second */
					w.before = own_write;
				cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
				cr_assert_null(w.after);
				expect_truth_of_key(&w, i);
				cr_assert(!read_row(&w, KEY, &row) || !row.doomed);
				cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
				expect_truth_of_key(&w, i);
				world_close(&w);
			}
}

Test(index_race, a_listing_of_the_top_neither_undoes_nor_removes_what_came_after_its_start)
{
	static meddle_fn *const changes[] = {
		own_write, own_remove, others_write_is_seen, others_remove_is_seen,
		own_remove_and_write,
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		for (int gone = 0; gone < 2; gone++) {
			struct world w;

			world_with_key(&w, true);
			if (gone) {
				cr_assert_eq(remove_key(w.mem, KEY, STORE_ANY), 0);
				cr_assert_eq(remove_key(w.mem, "latest/other", STORE_ANY), 0);
			}
			w.after = changes[i];
			cr_assert_eq(store_refresh(w.s, "", 0), 0);
			expect_truth_of_key(&w, i);
			world_close(&w);
		}
}

static void own_new_top(struct world *w)
{
	cr_assert_eq(put_text(w->s, "new/key", "own", STORE_ANY, NULL), 0);
}

Test(index_race, a_top_that_came_after_a_listing_of_the_top_began_stays)
{
	struct world w;

	world_with_key(&w, true);
	w.after = own_new_top;
	cr_assert_eq(store_refresh(w.s, "", 0), 0);
	expect_list(w.s, "", false, NULL, "latest/ new/ ");
	expect_list(w.s, "new/", true, NULL, "new/key ");
	world_close(&w);
}

static void own_then_others_write(struct world *w)
{
	own_write(w);
	cr_assert_eq(put_text(w->mem, KEY, "theirs", STORE_ANY, NULL), 0);
}

/* The row has a later number than the listing, yet the listing saw a later generation. */
Test(index_race, of_two_states_of_an_object_the_higher_generation_stays)
{
	struct world w;

	world_with_key(&w, true);
	w.before = own_then_others_write;
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	expect_truth_of_key(&w, 0);
	w.before = own_then_others_write;
	cr_assert_eq(store_refresh(w.s, KEY, 0), 0);
	expect_truth_of_key(&w, 0);
	world_close(&w);
}

Test(index_race, a_tombstone_goes_at_the_end_of_the_next_listing)
{
	struct world w;
	struct row row;

	world_with_key(&w, true);
	w.after = own_remove;
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	cr_assert(read_row(&w, KEY, &row));
	cr_assert(row.tombstone);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	cr_assert(!read_row(&w, KEY, &row));
	world_close(&w);
}

Test(index_race, an_object_that_came_back_buries_its_tombstone)
{
	struct world w;
	struct row row;

	world_with_key(&w, true);
	own_remove(&w);
	cr_assert_eq(put_text(w.mem, KEY, "back", STORE_ANY, NULL), 0);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	cr_assert(read_row(&w, KEY, &row));
	cr_assert(!row.tombstone);
	expect_truth_of_key(&w, 0);
	world_close(&w);
}

Test(index_race, an_answer_about_one_object_never_undoes_a_later_change)
{
	static meddle_fn *const changes[] = {
		own_write, own_remove, others_write_is_seen, others_remove_is_seen,
		others_remove_is_listed, others_remove_is_listed_at_the_top, own_remove_is_swept,
		own_remove_and_write,
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		for (int there = 0; there < 2; there++) {
			struct world w;

			world_with_key(&w, there);
			w.after = changes[i];
			cr_assert_eq(store_refresh(w.s, KEY, 0), 0);
			cr_assert_null(w.after);
			expect_truth_of_key(&w, i);
			world_close(&w);
		}
}

/* Two questions on their way at once: the one that is answered later must not lose. */
static void stale_look(struct world *w)
{
	own_look(w);
	cr_assert_eq(remove_key(w->mem, KEY, STORE_ANY), 0);
}

Test(index_race, an_answer_that_cannot_be_compared_is_asked_for_again)
{
	struct world w;
	struct store_counts counts;

	world_with_key(&w, true);
	w.before = stale_look;
	cr_assert_eq(store_refresh(w.s, KEY, 0), 0);
	cr_assert_eq(generation_of(w.s, KEY), 0);
	counts = counter_read(w.counter);
	cr_assert_eq(counts.stat, 3);
	world_close(&w);
}

static void always_meddle(struct world *w)
{
	own_remove_and_write(w);
	own_remove(w);
	w->after = always_meddle;
}

Test(index_race, who_is_overtaken_every_time_gives_up)
{
	struct world w;
	struct store_counts counts;

	world_with_key(&w, true);
	w.after = always_meddle;
	cr_assert_eq(put_text(w.mem, KEY, "x", STORE_ANY, NULL), 0);
	w.before = NULL;
	cr_assert_eq(store_refresh(w.s, KEY, 0), 0);
	w.after = NULL;
	counts = counter_read(w.counter);
	cr_assert_leq(counts.stat, 10);
	expect_truth_of_key(&w, 0);
	world_close(&w);
}

Test(index_race, an_edit_never_undoes_what_was_seen_while_it_was_on_its_way)
{
	static meddle_fn *const changes[] = {
		others_write_is_seen, others_remove_is_seen, others_remove_is_listed,
		others_remove_is_listed_at_the_top, own_remove, own_write, own_remove_is_swept,
		own_remove_and_write,
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		for (int way = 0; way < 4; way++) {
			struct world w;

			world_with_key(&w, true);
			if (way & 1) /* what the edit then replaces is known with a later number */
				w.before = changes[i];
			else
				w.after = changes[i];
			if (way & 2)
				own_remove(&w);
			else
				own_write(&w);
			cr_assert(!w.before && !w.after);
			expect_truth_of_key(&w, i);
			world_close(&w);
		}
}

static void *refresh_thread(void *ctx)
{
	cr_assert_eq(store_refresh(ctx, "latest/", 0), 0);
	return NULL;
}

/* How many of this process have the file open: who has its lock, and who waits for that. */
static unsigned openers(const char *path)
{
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *e;
	unsigned n = 0;

	cr_assert_not_null(fds);
	while ((e = readdir(fds))) {
		char target[PATH_MAX];
		ssize_t len = readlinkat(dirfd(fds), e->d_name, target, sizeof(target));

		n += len == (ssize_t)strlen(path) && !memcmp(target, path, strlen(path));
	}
	closedir(fds);
	return n;
}

Test(index_race, who_waited_for_a_listing_that_began_later_needs_none)
{
	struct world w;
	pthread_t threads[3];
	CLEANUP(free_char) char *path = NULL;
	int lock = -1;

	world_with_key(&w, true);
	path = world_path(&w, "listing.lock");
	cr_assert_eq(index_lock(world_index(&w), "listing.lock", LOCK_EX, &lock), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, refresh_thread, w.s), 0);
	while (openers(path) < 1 + ARRAY_SIZE(threads))
		sched_yield();
	close(lock);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(counter_read(w.counter).list, 1);
	world_close(&w);
}

static pthread_t second;

static void start_a_second(struct world *w)
{
	CLEANUP(free_char) char *path = world_path(w, "listing.lock");

	cr_assert_eq(pthread_create(&second, NULL, refresh_thread, w->s), 0);
	while (openers(path) < 2)
		sched_yield();
}

/* It asked for what is there now, and the listing under way may have passed that already. */
Test(index_race, who_waited_for_a_listing_that_began_earlier_lists_again)
{
	struct world w;

	world_with_key(&w, true);
	w.before = start_a_second;
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	pthread_join(second, NULL);
	cr_assert_eq(counter_read(w.counter).list, 2);
	world_close(&w);
}

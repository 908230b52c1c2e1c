/* SPDX-License-Identifier: BSD-3-Clause */
/* cache_test.c - cached bodies: what they save, what they never show, and what they take. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/store/driver.h"
#include "body.h"
#include "conformance.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define KEY	 "latest/api/packages/http"
#define LARGE	 ((size_t)8 << 20) /* the largest that is kept */
#define NO_LIMIT ((uint64_t)1 << 40)
#define BLOCK	 ((uint64_t)4096)
#define WRITERS	 4
#define WRITES	 60

/* cache > index > fault > counter > mem, over a folder; the store below outlives the chain. */
static struct {
	char folder[64];
	struct store *counter, *fault, *s;
} w;

static void no_close(struct store *s)
{
	(void)s;
}

/* Keeps what is below from being closed with the chain, as the bucket outlives a mount. */
static const struct store_ops lasting_ops = { .name = "lasting", .close = no_close };
static struct store lasting;

static void push_links(uint64_t limit)
{
	struct store *s;

	link_init(&lasting, &lasting_ops, w.fault);
	cr_assert_eq(index_push(&lasting, w.folder, &s), 0);
	cr_assert_eq(cache_push(s, w.folder, limit, &w.s), 0);
}

static void pop_links(void)
{
	lasting.next = NULL;
	store_close(w.s);
	w.s = NULL;
}

static void remount(uint64_t limit)
{
	pop_links();
	push_links(limit);
}

static void open_world(void)
{
	struct store *mem;

	log_set_level(LEVEL_ERROR);
	strcpy(w.folder, "/tmp/pubfs-cache-XXXXXX");
	cr_assert_not_null(mkdtemp(w.folder));
	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	cr_assert_eq(counter_push(mem, &w.counter), 0);
	cr_assert_eq(fault_push(w.counter, &w.fault), 0);
	push_links(NO_LIMIT);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void close_world(void)
{
	if (w.s)
		pop_links();
	store_close(w.fault);
	nftw(w.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cache, .init = open_world, .fini = close_world);

#define X(check)                                                                                   \
	Test(cache_link, check, .init = open_world, .fini = close_world)                           \
	{                                                                                          \
		conformance_##check(w.s);                                                          \
	}
CONFORMANCE(X)
#undef X

static unsigned long reads(void)
{
	return counter_read(w.counter).read;
}

static char *bodies_folder(void)
{
	struct dirent *d;
	char *path = NULL;
	DIR *dir = opendir(w.folder);

	cr_assert_not_null(dir);
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			path = xasprintf("%s/%s/bodies", w.folder, d->d_name);
	closedir(dir);
	cr_assert_not_null(path);
	return path;
}

/* What the files take, and (if `ret` is not NULL) how many there are; each is called with fn. */
static uint64_t room(void (*fn)(const char *path), unsigned *ret)
{
	CLEANUP(free_char) char *folder = bodies_folder();
	DIR *dir = opendir(folder);
	struct dirent *d;
	uint64_t sum = 0;
	unsigned n = 0;

	cr_assert_not_null(dir);
	while ((d = readdir(dir))) {
		CLEANUP(free_char) char *path = xasprintf("%s/%s", folder, d->d_name);
		struct stat st;

		if (d->d_name[0] == '.' || !strcmp(d->d_name, "lock") || stat(path, &st) < 0)
			continue;
		cr_assert_eq(st.st_mode & 0777, 0600);
		sum += ((uint64_t)st.st_size + BLOCK - 1) / BLOCK * BLOCK;
		n++;
		if (fn)
			fn(path);
	}
	closedir(dir);
	if (ret)
		*ret = n;
	return sum;
}

/* Straight into the store below, as another host would. */
static uint64_t put_below(const char *key, const char *bytes, size_t n)
{
	struct body body = body_of_bytes(bytes, n);
	struct edit e = edit_write(key, &body, 0);
	uint64_t generation;

	cr_assert_eq(run_edit(w.counter, &e, &generation), 0);
	cr_assert_eq(store_refresh(w.s, key, 0), 0);
	counter_read(w.counter);
	return generation;
}

static void expect_read(const char *key, uint64_t generation, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);

	cr_assert_eq(store_read(w.s, key, generation, 0, strlen(text), &out), 0);
	cr_assert_str_eq(out.buf, text);
}

Test(cache, a_body_is_asked_for_once_also_after_a_remount)
{
	uint64_t generation = put_below(KEY, "body", 4);

	expect_read(KEY, generation, "body");
	cr_assert_eq(reads(), 1);
	expect_read(KEY, generation, "body");
	cr_assert_eq(reads(), 0);
	remount(NO_LIMIT);
	expect_read(KEY, generation, "body");
	cr_assert_eq(reads(), 0);
	generation = put_below(KEY, "news", 4);
	expect_read(KEY, generation, "news");
	cr_assert_eq(reads(), 1, "another generation is another body");
	expect_read(KEY, generation, "news");
	cr_assert_eq(reads(), 0);
}

Test(cache, a_superseded_generation_is_stale_though_its_body_is_kept)
{
	uint64_t old = put_below(KEY, "old", 3), generation;
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);

	expect_read(KEY, old, "old");
	generation = put_below(KEY, "new", 3);
	cr_assert_eq(store_read(w.s, KEY, old, 0, 3, &out), -ESTALE);
	cr_assert_eq(store_read(w.s, KEY, generation + 1, 0, 3, &out), -ESTALE);
	cr_assert_eq(store_read(w.s, "latest/none", generation, 0, 3, &out), -ENOENT);
	cr_assert_eq(out.len, 0);
}

Test(cache, an_empty_body_is_not_asked_for)
{
	uint64_t generation = put_below(KEY, "", 0);

	expect_read(KEY, generation, "");
	cr_assert_eq(reads(), 0);
}

Test(cache, what_was_written_here_is_not_asked_for)
{
	uint64_t generation;

	cr_assert_eq(put_text(w.s, KEY, "written", STORE_ABSENT, &generation), 0);
	expect_read(KEY, generation, "written");
	cr_assert_eq(reads(), 0);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(put_text(w.s, KEY, "refused", generation, NULL), -EIO);
	expect_read(KEY, generation, "written");
	cr_assert_eq(put_text(w.s, KEY, "too late", STORE_ABSENT, NULL), -ESTALE);
	expect_read(KEY, generation, "written");
	cr_assert_eq(reads(), 0);
}

Test(cache, parts_come_from_the_file_and_a_small_body_is_fetched_whole_for_one)
{
	uint64_t generation = put_below(KEY, "0123456789", 10);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);

	cr_assert_eq(store_read(w.s, KEY, generation, 8, 8, &out), 0);
	cr_assert_eq(store_read(w.s, KEY, generation, 2, 3, &out), 0);
	cr_assert_eq(store_read(w.s, KEY, generation, 10, 3, &out), 0);
	cr_assert_eq(store_read(w.s, KEY, generation, 0, 0, &out), 0);
	cr_assert_eq(store_read(w.s, KEY, generation, 0, SIZE_MAX, &out), 0);
	cr_assert_str_eq(out.buf, "892340123456789");
	cr_assert_eq(reads(), 1);
}

Test(cache, a_full_buffer_takes_nothing_of_a_file_either)
{
	uint64_t generation = put_below(KEY, "0123456789", 10);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(11);

	expect_read(KEY, generation, "0123456789");
	strbuf_addstr(&out, "<<");
	cr_assert_eq(store_read(w.s, KEY, generation, 0, 10, &out), -E2BIG);
	cr_assert_str_eq(out.buf, "<<");
	cr_assert_eq(strbuf_error(&out), 0);
	cr_assert_eq(store_read(w.s, KEY, generation, 1, 9, &out), 0);
	cr_assert_str_eq(out.buf, "<<123456789");
}

Test(cache, a_body_of_8_mib_is_kept_and_a_larger_one_is_not)
{
	for (size_t over = 0; over < 2; over++) {
		CLEANUP(free_char) char *bytes = xcalloc(1, LARGE + 1);
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(3 * LARGE);
		uint64_t generation = put_below(KEY, bytes, LARGE + over);
		unsigned n;

		room(NULL, &n);
		cr_assert_eq(n, over, "%zu", over);
		cr_assert_eq(store_read(w.s, KEY, generation, 5, 6, &out), 0);
		cr_assert_eq(counter_read(w.counter).read, 1);
		for (int i = 0; i < 2; i++)
			cr_assert_eq(store_read(w.s, KEY, generation, 0, SIZE_MAX, &out), 0);
		cr_assert_eq(reads(), over ? 2 : 1);
		cr_assert_eq(out.len, 6 + 2 * (LARGE + over));
		room(NULL, &n);
		cr_assert_eq(n, 1);
	}
}

static void flip_last(const char *path)
{
	FILE *f = fopen(path, "r+");

	cr_assert_not_null(f);
	fseek(f, -1, SEEK_END);
	fputc('X', f);
	fclose(f);
}

static void flip_first(const char *path)
{
	FILE *f = fopen(path, "r+");

	cr_assert_not_null(f);
	fputc('X', f);
	fclose(f);
}

static void cut(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size - 1), 0);
}

static void lengthen(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size + 1), 0);
}

static void empty(const char *path)
{
	cr_assert_eq(truncate(path, 0), 0);
}

static void make_huge(const char *path)
{
	cr_assert_eq(truncate(path, (off_t)1 << 30), 0);
}

Test(cache, a_damaged_file_is_never_shown_and_fetched_again)
{
	static void (*const damages[])(const char *) = { flip_last, flip_first, cut,
							 lengthen,  empty,	make_huge };
	uint64_t generation = put_below(KEY, "the bytes", 9);

	expect_read(KEY, generation, "the bytes");
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		room(damages[i], NULL);
		reads();
		expect_read(KEY, generation, "the bytes");
		cr_assert_eq(reads(), 1, "damage %zu", i);
		expect_read(KEY, generation, "the bytes");
		cr_assert_eq(reads(), 0, "damage %zu", i);
	}
}

/* The one file that is there, or that there are, under the name of the other. */
static char *kept_path;

static void note_path(const char *path)
{
	free(kept_path);
	kept_path = xstrdup(path);
}

static void take_name(const char *path)
{
	if (strcmp(path, kept_path) != 0)
		cr_assert_eq(rename(kept_path, path), 0);
}

Test(cache, a_file_under_the_name_of_another_is_not_believed)
{
	uint64_t one = put_below("a", "one", 3), two = put_below("b", "two", 3);

	expect_read("a", one, "one");
	room(note_path, NULL);
	expect_read("b", two, "two");
	room(take_name, NULL);
	reads();
	expect_read("b", two, "two");
	cr_assert_eq(reads(), 1);
	free(steal(kept_path));
}

static void read_numbered(unsigned n)
{
	CLEANUP(free_char) char *key = xasprintf("latest/%u", n);

	expect_read(key, generation_of(w.s, key), key);
}

static void fill(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%u", i);

		put_below(key, key, strlen(key));
		read_numbered(i);
	}
	reads();
}

Test(cache, the_bound_is_kept_and_what_was_used_longest_ago_goes)
{
	unsigned n;

	remount(16 * BLOCK);
	fill(0, 16);
	cr_assert_eq(room(NULL, &n), 16 * BLOCK, "%u", n);
	for (unsigned i = 0; i < 4; i++)
		read_numbered(i); /* used again */
	cr_assert_eq(reads(), 0);
	fill(16, 17);
	cr_assert_leq(room(NULL, &n), 16 * BLOCK);
	cr_assert_geq(n, 13, "no more goes than is of use: %u", n);
	for (unsigned i = 0; i < 4; i++)
		read_numbered(i);
	read_numbered(16);
	cr_assert_eq(reads(), 0, "what was used last is there");
	read_numbered(4);
	cr_assert_eq(reads(), 1, "and what was used first is not");
	for (unsigned i = 17; i < 60; i++) {
		fill(i, i + 1);
		cr_assert_leq(room(NULL, NULL), 16 * BLOCK, "%u", i);
	}
}

Test(cache, a_body_over_the_bound_is_not_kept)
{
	unsigned n;

	remount(BLOCK);
	fill(0, 3);
	cr_assert_eq(room(NULL, &n), BLOCK);
	remount(BLOCK - 1);
	fill(3, 4);
	cr_assert_leq(room(NULL, &n), BLOCK);
	read_numbered(3);
	cr_assert_eq(reads(), 1);
}

/* In a child that shares nothing but the folder. */
static void write_many(unsigned writer)
{
	struct store *mem, *s;

	if (store_open("mem:", STORE_CREATE, &mem) < 0 ||
	    cache_push(mem, w.folder, 16 * BLOCK, &s) < 0)
		_exit(1);
	for (unsigned i = 0; i < WRITES; i++) {
		CLEANUP(free_char) char *text = xasprintf("%u of %u", i, writer);
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
		struct body body = body_of_bytes(text, strlen(text));
		struct edit e = edit_write(KEY, &body, 0);

		if (store_edit(s, &e, 1) < 0 ||
		    store_read(s, KEY, e.object.generation, 0, 100, &out) < 0 ||
		    strcmp(out.buf, text) != 0)
			_exit(2);
		edit_release(&e, 1);
	}
	_exit(0);
}

Test(cache, several_processes_share_the_bound)
{
	pid_t pids[WRITERS];

	remount(16 * BLOCK);
	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			write_many(i);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
		cr_assert(WIFEXITED(status) && !WEXITSTATUS(status), "%x", status);
	}
	cr_assert_leq(room(NULL, NULL), 16 * BLOCK);
	fill(0, 1);
	cr_assert_leq(room(NULL, NULL), 16 * BLOCK);
}

Test(cache, what_a_killed_writer_left_goes_with_the_next_count)
{
	CLEANUP(free_char) char *folder = bodies_folder();
	CLEANUP(free_char) char *old = xasprintf("%s/new.aaaaaa", folder);
	CLEANUP(free_char) char *young = xasprintf("%s/new.bbbbbb", folder);
	const struct timespec ages[] = { { .tv_sec = 1 }, { .tv_sec = 1 } };

	remount(2 * BLOCK);
	fclose(fopen(old, "w"));
	fclose(fopen(young, "w"));
	cr_assert_eq(utimensat(AT_FDCWD, old, ages, 0), 0);
	fill(0, 3);
	cr_assert_neq(access(old, F_OK), 0);
	cr_assert_eq(access(young, F_OK), 0, "its writer may be alive");
}

Test(cache, a_folder_that_cannot_be_written_costs_requests_and_nothing_else)
{
	CLEANUP(free_char) char *folder = bodies_folder();
	uint64_t generation = put_below(KEY, "body", 4);

	cr_assert_eq(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	expect_read(KEY, generation, "body");
	expect_read(KEY, generation, "body");
	cr_assert_eq(reads(), 2);
	cr_assert_eq(put_text(w.s, KEY, "x", generation, &generation), 0);
	expect_read(KEY, generation, "x");
}

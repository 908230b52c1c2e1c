/* SPDX-License-Identifier: BSD-3-Clause */
/* handles_test.c - several handles of one file, and what each of them sees, cuts and loses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/mount/caller.h"
#include "../../fs/mount/spool.h"
#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define HTTP	LATEST "http"
#define SCRATCH LATEST ".http.aB3dE6"
#define NEW	O_RDWR | O_CREAT | O_EXCL
#define SAID	65536

static const struct caller me = { .pid = 1, .uid = 7 };

static struct file *opened(struct world *w, const char *path, int flags)
{
	struct file *f = NULL;

	cr_assert_eq(open_path(w, path, flags, &f), 0, "%s", path);
	return f;
}

static void put(struct file *f, uint64_t offset, const char *text)
{
	cr_assert_eq(file_write(f, offset, text, strlen(text)), (ssize_t)strlen(text));
}

/* What a handle reads from its start on. */
static void expect_bytes(struct file *f, const void *expected, size_t n)
{
	char buf[4096];

	cr_assert_lt(n, sizeof(buf));
	cr_assert_eq(file_read(f, 0, buf, sizeof(buf)), (ssize_t)n);
	cr_assert_arr_eq(buf, expected, n);
}

static void expect_text(struct world *w, const char *path, const char *expected)
{
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0, "%s", path);
	cr_assert_str_eq(text, expected);
}

static uint64_t size_of(struct world *w, struct file *f)
{
	struct node node;

	cr_assert_eq(tree_getattr(w->tree, TREE_ROOT, f, &node), 0);
	return node.size;
}

/* From here on what is said goes to a file, which said() reads. To be freed. */
static char *log_begin(struct world *w)
{
	char *path = xasprintf("%s/log", w->home);

	cr_assert_eq(log_to_file(path), 0);
	return path;
}

static char *said(const char *path)
{
	FILE *log = fopen(path, "re");
	char *text = xcalloc(1, SAID);

	cr_assert(log);
	cr_assert_lt(fread(text, 1, SAID - 1, log), SAID - 1);
	fclose(log);
	return text;
}

Test(handles, each_writer_has_bytes_of_its_own_and_the_first_to_publish_wins)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	CLEANUP(free_char) char *mine = listing_text("http", ",\"isDiscontinued\":true");
	CLEANUP(free_char) char *more = xasprintf("%s\n", mine);
	struct file *a, *b;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	a = opened(&w, HTTP, O_RDWR);
	b = opened(&w, HTTP, O_RDWR);
	put(a, 0, mine);
	cr_assert_eq(file_truncate(b, 4), 0);
	expect_bytes(a, mine, strlen(mine));
	expect_bytes(b, old, 4);
	cr_assert_eq(size_of(&w, a), strlen(mine));
	cr_assert_eq(size_of(&w, b), 4);
	expect_text(&w, HTTP, old);
	cr_assert_eq(file_flush(a, &me), 0);
	put(b, 0, old);
	cr_assert_eq(file_flush(b, &me), -ESTALE);
	cr_assert_eq(file_flush(b, &me), -ESTALE, "and stays so");
	put(a, strlen(mine), "\n");
	cr_assert_eq(file_flush(a, &me), 0, "who won may go on");
	file_close(b);
	file_close(a);
	expect_text(&w, HTTP, more);
	world_remove(&w);
}

Test(handles, of_two_writers_of_a_new_name_the_first_to_publish_wins_too)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *a = opened(&w, HTTP, O_RDWR | O_CREAT),
		    *b = opened(&w, HTTP, O_RDWR | O_CREAT);

	put(a, 0, "half");
	put(b, 0, text);
	expect_bytes(a, "half", 4);
	cr_assert_eq(file_flush(b, &me), 0);
	put(a, 0, text);
	cr_assert_eq(file_flush(a, &me), -ESTALE);
	file_close(a);
	file_close(b);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

static struct node node_of(struct world *w, const char *path)
{
	struct node node;

	cr_assert_eq(tree_resolve(w->tree, path, &node), 0);
	return node;
}

static uint64_t size_of_node(struct world *w, const struct node *node)
{
	struct node now;

	cr_assert_eq(tree_getattr(w->tree, node->id, NULL, &now), 0);
	return now.size;
}

/* The kernel keeps pages and length with the node: a cut is one for all who have that mapped. */
Test(handles, who_reads_an_object_and_who_writes_it_have_a_node_each)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node reading, writing;
	struct file *reader, *writer, *other;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	reading = node_of(&w, HTTP);
	cr_assert_eq(tree_open(w.tree, reading.id, O_RDONLY, &reader), 0);
	cr_assert_eq(tree_open(w.tree, reading.id, O_RDWR, &writer), -ESTALE);
	writing = node_of(&w, HTTP);
	cr_assert_neq(writing.id, reading.id);
	cr_assert_eq(writing.ino, reading.ino);
	cr_assert_eq(writing.size, strlen(text));
	cr_assert_eq(tree_open(w.tree, writing.id, O_RDWR, &writer), 0);
	cr_assert_eq(file_truncate(writer, 4), 0);
	cr_assert_eq(size_of_node(&w, &writing), 4);
	cr_assert_eq(size_of_node(&w, &reading), strlen(text));
	tree_forget(w.tree, reading.id, 1);
	reading = node_of(&w, HTTP);
	cr_assert_neq(reading.id, writing.id, "whoever looks the name up reads");
	cr_assert_eq(tree_open(w.tree, writing.id, O_WRONLY, &other), 0, "writers share theirs");
	file_close(other);
	file_close(writer);
	file_close(reader);
	tree_forget(w.tree, reading.id, 1);
	tree_forget(w.tree, writing.id, 1);
	world_remove(&w);
}

struct looker {
	struct world *w;
	uint64_t id; /* what it has found */
};

static void *look_it_up(void *ctx)
{
	struct looker *looker = ctx;
	struct node node = node_of(looker->w, HTTP);

	looker->id = node.id;
	tree_forget(looker->w->tree, node.id, 1);
	return NULL;
}

/* What another program finds: each thread is one. */
static uint64_t found_by_another(struct world *w)
{
	struct looker looker = { .w = w };
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, look_it_up, &looker), 0);
	pthread_join(thread, NULL);
	return looker.id;
}

Test(handles, who_was_sent_back_alone_gets_the_node_for_writing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node reading, writing;
	struct file *reader, *writer, *f;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	reader = opened(&w, HTTP, O_RDONLY);
	reading = node_of(&w, HTTP);
	cr_assert_eq(tree_open(w.tree, reading.id, O_WRONLY, &writer), -ESTALE);
	cr_assert_eq(found_by_another(&w), reading.id);
	writing = node_of(&w, HTTP);
	cr_assert_neq(writing.id, reading.id);
	cr_assert_eq(found_by_another(&w), reading.id, "though the other has no file so far");
	cr_assert_eq(tree_open(w.tree, writing.id, O_WRONLY, &writer), 0);
	cr_assert_eq(node_of(&w, HTTP).id, reading.id, "it has what it came for");
	tree_forget(w.tree, reading.id, 1);
	cr_assert_eq(tree_open(w.tree, writing.id, O_RDONLY, &f), -ESTALE);
	cr_assert_eq(tree_open(w.tree, writing.id, O_RDONLY, &f), 0, "as by /dev/fd");
	file_close(f);
	cr_assert_eq(tree_open(w.tree, reading.id, O_WRONLY, &f), -ESTALE);
	cr_assert_eq(tree_open(w.tree, reading.id, O_WRONLY, &f), 0);
	file_close(f);
	file_close(writer);
	file_close(reader);
	tree_forget(w.tree, reading.id, 1);
	tree_forget(w.tree, writing.id, 1);
	world_remove(&w);
}

/* As the kernel does it. The node is to be forgotten. */
static struct node looked_up(struct world *w)
{
	struct node folder, node = { 0 };

	cr_assert_eq(tree_resolve(w->tree, LATEST, &folder), 0);
	cr_assert_eq(tree_lookup(w->tree, folder.id, "http", &node), 0);
	tree_forget(w->tree, folder.id, 1);
	return node;
}

static void expect_opened(struct world *w, const struct node *node, int flags, const char *text)
{
	struct file *f;

	cr_assert_eq(tree_open(w->tree, node->id, flags, &f), 0);
	expect_bytes(f, text, strlen(text));
	file_close(f);
}

/* The second of three generations is opened by the look, before the third comes. */
static struct file *opened_between(struct world *w, int flags)
{
	struct node first, second;
	struct file *f = NULL;

	put_document(w->store, LATEST "http", "first", false);
	first = looked_up(w);
	put_document(w->store, LATEST "http", "second", false);
	cr_assert_eq(tree_open(w->tree, first.id, flags, &f), -ESTALE);
	second = looked_up(w);
	put_document(w->store, LATEST "http", "third", false);
	cr_assert_eq(tree_open(w->tree, second.id, flags, &f), 0);
	tree_forget(w->tree, first.id, 1);
	tree_forget(w->tree, second.id, 1);
	return f;
}

Test(handles, who_is_sent_back_has_it_opened_by_his_next_look_whatever_comes_then)
{
	struct world w = world_make(LONG_TTL);
	struct file *f = opened_between(&w, O_RDONLY);

	expect_bytes(f, "second", strlen("second"));
	expect_text(&w, HTTP, "third");
	file_close(f);
	f = opened_between(&w, O_RDWR);
	cr_assert_eq(file_write(f, 0, "x", 1), -ESTALE, "its bytes are gone");
	cr_assert_eq(file_flush(f, &me), -ESTALE);
	file_close(f);
	f = opened_between(&w, O_RDWR);
	cr_assert_eq(file_truncate(f, 0), 0);
	put(f, 0, "fourth");
	cr_assert_eq(file_flush(f, &me), -ESTALE, "it was opened for a change of the second");
	expect_text(&w, HTTP, "third");
	file_close(f);
	world_remove(&w);
}

Test(handles, what_was_opened_by_a_look_is_for_that_open_alone)
{
	struct world w = world_make(LONG_TTL);
	struct node first, second;
	struct file *f;

	for (int i = 0; i < 2; i++) {
		put_document(w.store, LATEST "http", "first", false);
		first = looked_up(&w);
		put_document(w.store, LATEST "http", "second", false);
		cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE);
		second = looked_up(&w);
		if (i == 0) {
			cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE);
		} else {
			cr_assert_eq(tree_open(w.tree, second.id, O_WRONLY, &f), 0);
			cr_assert_eq(file_truncate(f, 4), 0, "it is no reader's");
			file_close(f);
		}
		caller_set(4711);
		cr_assert_eq(tree_open(w.tree, second.id, O_WRONLY, &f), 0, "nobody reads it");
		caller_set(CALLER_ITSELF);
		file_close(f);
		tree_forget(w.tree, first.id, 1);
		tree_forget(w.tree, second.id, 1);
	}
	world_remove(&w);
}

Test(handles, a_look_that_opens_finds_what_another_host_has_put_there)
{
	struct world w = world_make(LONG_TTL);
	struct node first, third;
	struct file *f;

	put_document(w.store, LATEST "http", "first", false);
	first = looked_up(&w);
	put_document(w.store, LATEST "http", "second", false);
	cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE);
	put_document(w.driver, LATEST "http", "third", false);
	third = looked_up(&w);
	expect_opened(&w, &third, O_RDONLY, "third");
	tree_forget(w.tree, first.id, 1);
	tree_forget(w.tree, third.id, 1);
	world_remove(&w);
}

Test(handles, who_was_refused_twice_is_expected_no_more)
{
	struct world w = world_make(LONG_TTL);
	struct node first, second;
	struct file *f;

	put_document(w.store, LATEST "http", "first", false);
	first = looked_up(&w);
	put_document(w.store, LATEST "http", "second", false);
	cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE);
	cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE, "as by /dev/fd");
	world_requests(&w);
	second = looked_up(&w);
	cr_assert_eq(world_requests(&w), 0, "it is not opened for him");
	tree_forget(w.tree, first.id, 1);
	tree_forget(w.tree, second.id, 1);
	world_remove(&w);
}

Test(handles, a_writer_does_not_take_the_node_that_a_reader_was_sent_to)
{
	struct world w = world_make(LONG_TTL);
	struct node first, second;
	struct file *f;

	put_document(w.store, LATEST "http", "first", false);
	first = looked_up(&w);
	put_document(w.store, LATEST "http", "second", false);
	cr_assert_eq(tree_open(w.tree, first.id, O_RDONLY, &f), -ESTALE);
	second = looked_up(&w);
	caller_set(4711);
	cr_assert_eq(tree_open(w.tree, second.id, O_RDWR, &f), -ESTALE, "another program");
	caller_set(CALLER_ITSELF);
	expect_opened(&w, &second, O_RDONLY, "second");
	tree_forget(w.tree, first.id, 1);
	tree_forget(w.tree, second.id, 1);
	world_remove(&w);
}

/* Without a reader there is nothing to be spared, and nobody is sent back. */
Test(handles, a_node_that_nobody_reads_is_the_writers_and_those_who_come_find_another)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node writing, reading;
	struct file *writer, *reader;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	writing = node_of(&w, HTTP);
	cr_assert_eq(tree_open(w.tree, writing.id, O_RDWR | O_TRUNC, &writer), 0);
	reading = node_of(&w, HTTP);
	cr_assert_neq(reading.id, writing.id);
	cr_assert_eq(reading.size, strlen(text));
	cr_assert_eq(tree_open(w.tree, reading.id, O_RDONLY, &reader), 0);
	file_close(reader);
	file_close(writer);
	cr_assert_eq(tree_open(w.tree, writing.id, O_RDONLY, &reader), -ESTALE,
		     "the kernel has it cut");
	cr_assert_eq(found_by_another(&w), reading.id);
	tree_forget(w.tree, reading.id, 1);
	tree_forget(w.tree, writing.id, 1);
	world_remove(&w);
}

Test(handles, who_was_sent_back_to_write_gets_no_node_that_was_read)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node reading, writing;
	struct file *reader, *writer;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	reading = node_of(&w, HTTP);
	cr_assert_eq(tree_open(w.tree, reading.id, O_RDONLY, &reader), 0);
	cr_assert_eq(tree_open(w.tree, reading.id, O_WRONLY, &writer), -ESTALE);
	file_close(reader);
	writing = node_of(&w, HTTP);
	cr_assert_neq(writing.id, reading.id, "others may come to read that again");
	cr_assert_eq(found_by_another(&w), reading.id, "and come not to read this before it is open");
	cr_assert_eq(tree_open(w.tree, writing.id, O_WRONLY, &writer), 0);
	file_close(writer);
	tree_forget(w.tree, reading.id, 1);
	tree_forget(w.tree, writing.id, 1);
	world_remove(&w);
}

Test(handles, an_appending_one_writes_at_the_end_until_it_is_told_otherwise)
{
	static const char *const paths[] = { HTTP, SCRATCH };
	struct world w = world_make(LONG_TTL);

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct file *f = opened(&w, paths[i], O_RDWR | O_CREAT | O_APPEND);

		put(f, 0, "one");
		put(f, 0, "two");
		put(f, 100, "three");
		expect_bytes(f, "onetwothree", 11);
		file_set_append(f, false);
		put(f, 0, "ONE");
		file_set_append(f, true);
		put(f, 0, "four");
		expect_bytes(f, "ONEtwothreefour", 15);
		file_close(f);
	}
	world_remove(&w);
}

Test(handles, a_gap_is_zeros_that_the_gate_sees)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *longer = xcalloc(1, strlen(text) + 4);
	struct file *f;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	memcpy(longer, text, strlen(text));
	longer[strlen(text) + 2] = ' ';
	f = opened(&w, HTTP, O_RDWR);
	put(f, strlen(text) + 2, " ");
	expect_bytes(f, longer, strlen(text) + 3);
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	put(f, strlen(text), " \n");
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	world_remove(&w);
}

Test(handles, what_was_removed_while_it_was_written_stays_removed)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *other = listing_text("http", ",\"isDiscontinued\":true");
	struct file *f, *reader;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	reader = opened(&w, HTTP, O_RDONLY);
	f = opened(&w, HTTP, O_RDWR);
	put(f, 0, other);
	cr_assert_eq(unlink_path(&w, HTTP), 0);
	expect_bytes(reader, text, strlen(text));
	expect_bytes(f, other, strlen(other));
	cr_assert_eq(file_flush(f, &me), -ESTALE);
	file_close(f);
	file_close(reader);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	cr_assert_eq(write_path(&w, HTTP, other), 0, "a new file of that name");
	expect_text(&w, HTTP, other);
	world_remove(&w);
}

Test(handles, of_two_writers_of_a_new_name_neither_brings_it_back_when_it_is_gone)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *a = opened(&w, HTTP, O_RDWR | O_CREAT),
		    *b = opened(&w, HTTP, O_RDWR | O_CREAT);
	struct node node;

	put(a, 0, text);
	put(b, 0, text);
	cr_assert_eq(file_flush(b, &me), 0);
	cr_assert_eq(unlink_path(&w, HTTP), 0);
	cr_assert_eq(resolve(&w, HTTP, &node), -ENOENT);
	cr_assert_eq(file_flush(a, &me), 0, "there is nothing to publish any more");
	file_close(a);
	file_close(b);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	world_remove(&w);
}

Test(handles, cutting_by_path_is_a_write_of_its_own)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *padded = xasprintf("%s   ", text);
	struct node node;
	struct file *f;

	cr_assert_eq(write_path(&w, HTTP, padded), 0);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	f = opened(&w, HTTP, O_RDWR);
	put(f, 0, text);
	cr_assert_eq(tree_truncate(w.tree, node.id, strlen(text), &me), 0);
	expect_text(&w, HTTP, text);
	expect_bytes(f, padded, strlen(padded));
	put(f, 0, padded);
	cr_assert_eq(file_flush(f, &me), -ESTALE, "it was first");
	file_close(f);
	cr_assert_eq(tree_truncate(w.tree, node.id, 1, &me), -ESTALE, "the node is superseded");
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

Test(handles, a_new_file_takes_any_mode_while_it_is_written_and_forgets_it)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node node;
	struct file *f = opened(&w, HTTP, NEW);

	put(f, 0, text);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	cr_assert_eq(tree_set_mode(w.tree, node.id, 0600), 0);
	tree_forget(w.tree, node.id, 1);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	cr_assert_eq(node.mode, 0644);
	cr_assert_eq(tree_set_mode(w.tree, node.id, 0600), -EPERM);
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

Test(handles, a_body_may_have_256_mib_and_not_a_byte_more)
{
	struct world w = world_make(LONG_TTL);
	struct file *f = opened(&w, HTTP, O_RDWR | O_CREAT);

	cr_assert_eq(SPOOL_MAX, 256 << 20);
	cr_assert_eq(file_write(f, SPOOL_MAX - 1, "x", 1), 1);
	cr_assert_eq(size_of(&w, f), SPOOL_MAX);
	cr_assert_eq(file_write(f, (uint64_t)6 << 30, "x", 1), -EFBIG);
	cr_assert_eq(file_flush(f, &me), -EFBIG);
	file_close(f);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	world_remove(&w);
}

Test(handles, without_room_for_temporary_files_a_write_fails_and_nothing_is_published)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	CLEANUP(free_char) char *big = xcalloc(1, SPOOL_IN_MEMORY + 1);
	struct file *takers[SPOOL_ALL_IN_FILES / SPOOL_MAX], *f;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
		CLEANUP(free_char) char *path = xasprintf("%zu.tmp", i);

		takers[i] = opened(&w, path, NEW);
		cr_assert_eq(file_truncate(takers[i], SPOOL_MAX), 0);
	}
	f = opened(&w, HTTP, O_WRONLY | O_TRUNC);
	put(f, 0, old);
	cr_assert_eq(file_write(f, 0, big, SPOOL_IN_MEMORY + 1), -ENOSPC);
	cr_assert_eq(file_write(f, 0, old, strlen(old)), -ENOSPC, "for good");
	cr_assert_eq(file_flush(f, &me), -ENOSPC);
	file_close(f);
	expect_text(&w, HTTP, old);
	cr_assert_eq(unlink_path(&w, "0.tmp"), 0);
	file_close(takers[0]);
	f = opened(&w, HTTP, O_WRONLY | O_TRUNC);
	cr_assert_eq(file_write(f, 0, big, SPOOL_IN_MEMORY + 1), SPOOL_IN_MEMORY + 1);
	file_close(f);
	for (size_t i = 1; i < ARRAY_SIZE(takers); i++)
		file_close(takers[i]);
	world_remove(&w);
}

/* A program reads the reason right after its close has failed; the release comes some time later.
 */
Test(handles, a_refusal_is_said_by_the_flush_and_not_again_at_the_release)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *path = log_begin(&w);
	CLEANUP(free_char) char *at_flush = NULL;
	CLEANUP(free_char) char *at_release = NULL;
	struct file *f = opened(&w, HTTP, O_WRONLY | O_CREAT);

	put(f, 0, "{}");
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	at_flush = said(path);
	cr_assert(strstr(at_flush, HTTP), "%s", at_flush);
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	file_close(f);
	at_release = said(path);
	cr_assert_str_eq(at_release, at_flush);
	world_remove(&w);
}

Test(handles, what_nobody_was_told_of_is_said_at_the_release)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *path = log_begin(&w);
	CLEANUP(free_char) char *text = NULL;
	struct file *f = opened(&w, HTTP, O_WRONLY | O_CREAT);
	pid_t killed = fork();

	if (!killed) {
		pause();
		_exit(0);
	}
	kill(killed, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)killed, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	put(f, 0, "half");
	cr_assert_eq(file_flush(f, &(struct caller){ .pid = killed }), 0);
	waitpid(killed, NULL, 0);
	file_close(f);
	text = said(path);
	cr_assert(strstr(text, HTTP ": what was written was not published"), "%s", text);
	world_remove(&w);
}

/* As who is killed while its close waits for the store. */
Test(handles, who_leaves_while_its_file_is_published_is_told_nothing_and_so_the_log_is)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *path = log_begin(&w);
	CLEANUP(free_char) char *listing = listing_text("http", "");
	CLEANUP(free_char) char *text = NULL;
	struct file *f = opened(&w, HTTP, O_WRONLY | O_CREAT);

	put(f, 0, listing);
	fault_arm(w.fault, 1, -ECANCELED);
	cr_assert_eq(file_flush(f, &me), -ECANCELED);
	cr_assert(fault_fired(w.fault));
	cr_assert_eq(tree_unsaved(w.tree), 1);
	file_close(f);
	text = said(path);
	cr_assert(strstr(text, HTTP ": what was written was not published"), "%s", text);
	world_remove(&w);
}

Test(handles, a_page_of_a_file_that_is_written_is_what_its_node_is_or_none)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	char bytes[8];
	struct file *f;

	put_document(w.store, HTTP, text, false);
	f = opened(&w, HTTP, O_RDWR);
	cr_assert_eq(file_read_page(f, 0, bytes, 8), 8, "nothing is changed yet");
	cr_assert(!memcmp(bytes, text, 8));
	cr_assert_eq(file_write(f, 0, " ", 1), 1);
	cr_assert_eq(file_read(f, 0, bytes, 8), 8, "its own reads have what it wrote");
	cr_assert_eq(file_read_page(f, 0, bytes, 8), -EIO);
	file_close(f);
	world_remove(&w);
}

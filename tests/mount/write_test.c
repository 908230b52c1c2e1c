/* SPDX-License-Identifier: BSD-3-Clause */
/* write_test.c - open files that are written: many flushes, one write. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/mount/spool.h"
#include "compiler.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define HTTP	LATEST "http"
#define ARCHIVE "latest/api/archives/http-1.0.0.tar.gz"
#define WRITE	O_WRONLY | O_CREAT | O_TRUNC

static const struct caller me = { .pid = 1, .uid = 7 };

static struct file *opened(struct world *w, const char *path, int flags)
{
	struct file *f = NULL;

	cr_assert_eq(open_path(w, path, flags, &f), 0);
	cr_assert_not(file_is_cacheable(f));
	return f;
}

static void put(struct file *f, uint64_t offset, const char *text)
{
	cr_assert_eq(file_write(f, offset, text, strlen(text)), (ssize_t)strlen(text));
}

static void expect_text(struct world *w, const char *path, const char *expected)
{
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0);
	cr_assert_str_eq(text, expected);
}

static void expect_absent(struct world *w, const char *path)
{
	struct node node;

	cr_assert_eq(resolve(w, path, &node), -ENOENT);
}

static char *rejected(struct world *w)
{
	int r;

	return read_path(w, ".pubfs/rejected", &r);
}

Test(write, what_was_written_is_published_by_the_flush)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f = opened(&w, HTTP, WRITE | O_EXCL);
	struct node node;

	world_requests(&w);
	put(f, 0, text);
	cr_assert_eq(world_requests(&w), 0);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_eq(counter_read(w.counter).write, 1);
	cr_assert_neq(generation_of(w.driver, HTTP), 0);
	expect_text(&w, HTTP, text);
	cr_assert_eq(resolve(&w, HTTP, &node), 0);
	cr_assert_eq(node.size, strlen(text));
	file_close(f);
	world_remove(&w);
}

Test(write, a_flush_without_new_bytes_sends_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *other = listing_text("http", ",\"isDiscontinued\":true");
	struct file *f = opened(&w, HTTP, WRITE);

	cr_assert_eq(file_flush(f, &me), 0, "a redirection flushes the empty file first");
	put(f, 0, text);
	cr_assert_eq(file_flush(f, &me), 0);
	world_requests(&w);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_eq(write_path(&w, HTTP, text), 0, "the same bytes");
	cr_assert_eq(world_requests(&w), 0);
	cr_assert_eq(write_path(&w, HTTP, other), 0);
	cr_assert_eq(file_flush(f, &me), 0, "what it wrote was there, and is not any more");
	file_close(f);
	world_remove(&w);
}

Test(write, after_a_publish_the_file_goes_on_from_its_own_generation)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *first = listing_text("http", "");
	CLEANUP(free_char) char *second = listing_text("http", ",\"isDiscontinued\":true");
	struct file *f = opened(&w, HTTP, WRITE);

	put(f, 0, first);
	cr_assert_eq(file_flush(f, &me), 0);
	put(f, 0, second);
	cr_assert_eq(file_flush(f, &me), 0);
	expect_text(&w, HTTP, second);
	file_close(f);
	world_remove(&w);
}

Test(write, a_refusal_leaves_the_object_and_the_file_as_they_are)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	CLEANUP(free_char) char *new = listing_text("http", ",\"isDiscontinued\":true");
	CLEANUP(free_char) char *text = NULL;
	struct file *f;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	f = opened(&w, HTTP, WRITE);
	cr_assert_eq(file_write(f, 0, new, 20), 20); /* (echo a; cat x; echo b) > f */
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	cr_assert_eq(file_flush(f, &me), -EINVAL, "the same bytes, the same answer");
	expect_text(&w, HTTP, old);
	cr_assert_eq(tree_refusals(w.tree), 1);
	text = rejected(&w);
	cr_assert_not_null(strstr(text, "\"path\":\"" HTTP "\",\"pid\":1,\"uid\":7,\"reason\":\""));
	cr_assert_eq(text[strlen(text) - 1], '\n');
	put(f, 20, new + 20);
	cr_assert_eq(file_flush(f, &me), 0);
	expect_text(&w, HTTP, new);
	file_close(f);
	world_remove(&w);
}

Test(write, the_last_thousand_refusals_are_kept)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = NULL;
	struct file *f = opened(&w, HTTP, WRITE);
	int lines = 0;

	for (int i = 0; i < 1001; i++) {
		CLEANUP(free_char) char *bad = xasprintf("%d", i);
		struct caller who = { .pid = i };

		put(f, 0, bad);
		cr_assert_eq(file_flush(f, &who), -EINVAL);
	}
	file_close(f);
	cr_assert_eq(tree_refusals(w.tree), 1001);
	text = rejected(&w);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	cr_assert_eq(lines, 1000);
	cr_assert_not_null(strstr(text, "\"pid\":1,"));
	cr_assert_null(strstr(text, "\"pid\":0,"));
	cr_assert_not_null(strstr(text, "\"pid\":1000,"));
	world_remove(&w);
}

Test(write, whoever_lost_a_race_is_told_and_overwrites_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	CLEANUP(free_char) char *new = listing_text("http", ",\"isDiscontinued\":true");
	CLEANUP(free_char) char *io = listing_text("io", "");
	struct file *f, *fresh;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	f = opened(&w, HTTP, WRITE);
	fresh = opened(&w, LATEST "io", WRITE);
	put_document(w.driver, HTTP, "theirs", false);
	put_document(w.driver, LATEST "io", "theirs", false);
	put(f, 0, new);
	put(fresh, 0, io);
	cr_assert_eq(file_flush(f, &me), -ESTALE);
	cr_assert_eq(file_flush(fresh, &me), -ESTALE);
	file_close(f);
	file_close(fresh);
	expect_text(&w, HTTP, "theirs");
	expect_text(&w, LATEST "io", "theirs");
	cr_assert_eq(write_path(&w, HTTP, new), 0);
	world_remove(&w);
}

Test(write, of_two_writers_the_second_is_told)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *other = listing_text("http", ",\"isDiscontinued\":true");
	struct file *a = opened(&w, HTTP, WRITE), *b = opened(&w, HTTP, WRITE);

	put(a, 0, text);
	put(b, 0, other);
	cr_assert_eq(file_flush(a, &me), 0);
	cr_assert_eq(file_flush(b, &me), -ESTALE);
	file_close(a);
	file_close(b);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

Test(write, opening_and_cutting_alone_change_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	static const int flags[] = { O_WRONLY | O_TRUNC, O_WRONLY | O_CREAT, O_RDWR };
	struct node node;
	uint64_t before;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	before = generation_of(w.store, HTTP);
	world_requests(&w);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct file *f = opened(&w, HTTP, flags[i]);

		cr_assert_eq(file_truncate(f, 0), 0);
		cr_assert_eq(file_flush(f, &me), 0);
		file_close(f);
	}
	cr_assert_eq(world_requests(&w), 0);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	cr_assert_eq(tree_truncate(w.tree, node.id, 0, &me), 0);
	cr_assert_eq(tree_truncate(w.tree, node.id, strlen(text), &me), 0);
	cr_assert_eq(generation_of(w.store, HTTP), before);
	cr_assert_eq(tree_truncate(w.tree, node.id, 10, &me), -EINVAL, "the gate sees 10 bytes");
	cr_assert_eq(generation_of(w.store, HTTP), before);
	expect_text(&w, HTTP, text);
	cr_assert_eq(tree_getattr(w.tree, node.id, NULL, &node), 0);
	cr_assert_eq(node.size, strlen(text));
	world_remove(&w);
}

Test(write, old_bytes_that_were_read_and_cut_away_change_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f;
	char c;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	f = opened(&w, HTTP, O_RDWR);
	cr_assert_eq(file_read(f, 0, &c, 1), 1);
	cr_assert_eq(file_truncate(f, 0), 0);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

Test(write, with_no_ttl_opening_what_another_host_replaced_is_stale_at_once)
{
	struct world w = world_make(0);
	struct node node;
	struct file *f;

	put_document(w.store, HTTP, "{}", false);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	put_document(w.driver, HTTP, "{ }", false);
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY, &f), -ESTALE);
	world_remove(&w);
}

Test(write, what_is_cut_at_the_open_may_have_been_replaced_since_the_lookup)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct node node;
	struct file *f;

	put_document(w.store, HTTP, "{}", false);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	put_document(w.store, HTTP, "{ }", false);
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY, &f), -ESTALE);
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY | O_TRUNC, &f), 0);
	put(f, 0, text);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	tree_forget(w.tree, node.id, 1);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

Test(write, bytes_that_were_cut_away_again_are_an_empty_body_and_refused)
{
	struct world w = world_make(LONG_TTL);
	struct file *f = opened(&w, HTTP, WRITE);

	put(f, 0, "{}");
	cr_assert_eq(file_truncate(f, 0), 0);
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	file_close(f);
	world_remove(&w);
}

Test(write, a_new_name_that_was_never_published_is_gone_at_its_close)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *before = NULL;
	CLEANUP(free_char) char *while_open = NULL;
	CLEANUP(free_char) char *after = NULL;
	struct file *f = opened(&w, HTTP, WRITE), *g;

	expect_absent(&w, HTTP); /* touch: its release may come after the next lookup */
	before = names_in(&w, "latest/api/packages");
	cr_assert_str_eq(before, "");
	cr_assert_eq(file_write(f, 0, "{", 1), 1);
	while_open = names_in(&w, "latest/api/packages");
	cr_assert_str_eq(while_open, "http ");
	cr_assert_eq(open_path(&w, HTTP, WRITE | O_EXCL, &g), -EEXIST);
	g = opened(&w, HTTP, O_RDONLY);
	cr_assert_eq(file_read(g, 0, &(char){ 0 }, 1), 0, "nothing is there for others");
	file_close(g);
	cr_assert_eq(file_flush(f, &me), -EINVAL);
	file_close(f);
	expect_absent(&w, HTTP);
	after = names_in(&w, "latest/api/packages");
	cr_assert_str_eq(after, "");
	world_remove(&w);
}

Test(write, a_new_name_that_was_unlinked_is_not_published)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f = opened(&w, HTTP, WRITE), *g;

	put(f, 0, text);
	cr_assert_eq(unlink_path(&w, HTTP), 0);
	g = opened(&w, HTTP, WRITE);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	put(g, 0, text);
	cr_assert_eq(file_flush(g, &me), 0);
	file_close(g);
	cr_assert_neq(generation_of(w.driver, HTTP), 0);
	world_remove(&w);
}

Test(write, without_cutting_the_old_bytes_are_there_to_be_changed)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *padded = xasprintf("%s  \n", text);
	struct file *f;
	char buf[8];

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	f = opened(&w, HTTP, O_RDWR);
	cr_assert_eq(file_read(f, 2, buf, 4), 4);
	cr_assert_arr_eq(buf, "name", 4);
	put(f, strlen(text), " ");
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	f = opened(&w, HTTP, O_WRONLY | O_APPEND);
	put(f, 0, " ");
	put(f, 0, "\n");
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	expect_text(&w, HTTP, padded);
	f = opened(&w, HTTP, O_WRONLY);
	cr_assert_eq(file_truncate(f, strlen(text)), 0);
	cr_assert_eq(file_flush(f, &me), 0);
	file_close(f);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

Test(write, old_bytes_that_are_gone_before_their_first_use_poison_the_file)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	put_document(w.store, HTTP, "{\"old\":1}", false);
	f = opened(&w, HTTP, O_RDWR);
	put_document(w.driver, HTTP, "{}", false);
	cr_assert_eq(file_write(f, 0, "x", 1), -ESTALE);
	cr_assert_eq(file_flush(f, &me), -ESTALE);
	file_close(f);
	world_remove(&w);
}

Test(write, a_write_that_failed_stays_failed_and_nothing_is_published)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f = opened(&w, HTTP, WRITE);

	put(f, 0, text);
	cr_assert_eq(file_write(f, SPOOL_MAX, "x", 1), -EFBIG);
	cr_assert_eq(file_write(f, 0, "x", 1), -EFBIG);
	cr_assert_eq(file_truncate(f, 1), -EFBIG);
	cr_assert_eq(file_flush(f, &me), -EFBIG);
	cr_assert_eq(file_flush(f, &me), -EFBIG);
	file_close(f);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	world_remove(&w);
}

Test(write, trouble_of_the_store_is_told_and_the_next_flush_tries_again)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f = opened(&w, HTTP, WRITE);

	put(f, 0, text);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(file_flush(f, &me), -EIO);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_neq(generation_of(w.driver, HTTP), 0);
	file_close(f);
	world_remove(&w);
}

Test(write, the_flush_of_a_killed_writer_publishes_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	pid_t killed = fork(), ended;
	struct file *f;

	if (!killed) {
		pause();
		_exit(0);
	}
	ended = fork();
	if (!ended)
		_exit(0);
	kill(killed, SIGKILL);
	/* both are dead, and not yet forgotten: that is when the kernel flushes their files */
	cr_assert_eq(waitid(P_PID, (id_t)killed, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	cr_assert_eq(waitid(P_PID, (id_t)ended, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	f = opened(&w, HTTP, WRITE);
	put(f, 0, text);
	cr_assert_eq(file_flush(f, &(struct caller){ .pid = killed }), 0);
	cr_assert_eq(generation_of(w.driver, HTTP), 0);
	cr_assert_eq(file_flush(f, &(struct caller){ .pid = ended }), 0);
	cr_assert_neq(generation_of(w.driver, HTTP), 0);
	file_close(f);
	waitpid(killed, NULL, 0);
	waitpid(ended, NULL, 0);
	world_remove(&w);
}

static void *end_process(void *arg)
{
	_exit(0);
	return arg;
}

/* The kernel kills the other threads, the first one too; but the process ended by itself. */
Test(write, the_flush_of_a_process_that_one_of_its_threads_ended_is_published)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	pid_t ended = fork();
	struct file *f;

	if (!ended) {
		pthread_t thread;

		if (!pthread_create(&thread, NULL, end_process, NULL))
			pause();
		_exit(1);
	}
	cr_assert_eq(waitid(P_PID, (id_t)ended, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	f = opened(&w, HTTP, WRITE);
	put(f, 0, text);
	cr_assert_eq(file_flush(f, &(struct caller){ .pid = ended }), 0);
	cr_assert_neq(generation_of(w.driver, HTTP), 0);
	file_close(f);
	waitpid(ended, NULL, 0);
	world_remove(&w);
}

Test(write, names_that_the_export_cannot_contain_are_refused_at_create)
{
	struct world w = world_make(LONG_TTL);
	static const struct {
		const char *path;
		int expected;
	} table[] = {
		{ LATEST "4913", -EINVAL },
		{ LATEST "no.such", -EINVAL },
		{ LATEST "http.d/other", -ENOENT },
		{ "latest/api/archives/http.tar.gz", -EINVAL },
		{ "top", -EINVAL },
		{ "latest/api/other", -EINVAL },
		{ ".pubfs/new", -EACCES },
		{ "latest/api/packages", -EISDIR },
		{ LATEST "nothing.d/advisories", -ENOENT },
		{ LATEST "io", 0 },
		{ ARCHIVE, 0 },
		{ "2026.08.18/api/packages/io", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct file *f;
		int r = open_path(&w, table[i].path, WRITE, &f);

		cr_expect_eq(r, table[i].expected, "%s: %d", table[i].path, r);
		if (!r)
			file_close(f);
	}
	cr_assert_eq(mkdir_path(&w, LATEST "io.d"), 0);
	cr_assert_eq(write_path(&w, LATEST "io.d/other", "x"), -EINVAL);
	world_remove(&w);
}

Test(write, o_excl_is_honoured)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	put_document(w.store, HTTP, "{}", false);
	cr_assert_eq(open_path(&w, HTTP, WRITE | O_EXCL, &f), -EEXIST);
	f = opened(&w, HTTP, WRITE);
	file_close(f);
	world_remove(&w);
}

Test(write, a_read_only_tree_takes_nothing)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f;

	put_document(w.store, HTTP, "{}", false);
	w.options.read_only = true;
	world_remake(&w);
	cr_assert_eq(open_path(&w, HTTP, O_WRONLY, &f), -EROFS);
	cr_assert_eq(open_path(&w, LATEST "new", WRITE, &f), -EROFS);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	cr_assert_eq(tree_truncate(w.tree, node.id, 0, &me), -EROFS);
	expect_text(&w, HTTP, "{}");
	world_remove(&w);
}

Test(write, readers_of_the_old_bytes_are_not_disturbed)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *reader, *writer;
	struct node node, own;
	char buf[4];

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	cr_assert_eq(tree_resolve(w.tree, HTTP, &node), 0);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &reader), 0);
	cr_assert_eq(open_path(&w, HTTP, O_WRONLY | O_TRUNC, &writer), 0);
	cr_assert_eq(tree_getattr(w.tree, node.id, NULL, &node), 0);
	cr_assert_eq(node.size, strlen(text), "who reads it has it whole");
	put(writer, 0, "12345");
	cr_assert_eq(file_read(reader, strlen(text) - 2, buf, 4), 2);
	cr_assert_eq(tree_getattr(w.tree, node.id, writer, &own), 0);
	cr_assert_eq(own.size, 5, "who writes it sees how far it is");
	cr_assert_eq(tree_resolve(w.tree, HTTP, &own), 0);
	cr_assert_eq(own.id, node.id);
	cr_assert_eq(own.size, strlen(text), "who looks it up does not");
	tree_forget(w.tree, own.id, 1);
	file_close(reader);
	file_close(writer);
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

Test(write, an_archive_must_have_the_hash_that_is_listed)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(1 << 20);
	CLEANUP(free_char) char *none = listing_text("http", "");
	CLEANUP(free_char) char *wrong = NULL;
	CLEANUP(free_char) char *right = NULL;
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	const char *const listings[] = { NULL, none, NULL, NULL };
	static const int expected[] = { 0, 0, -EINVAL, 0 };

	archive_bytes("http", "1.0.0", &archive);
	sha256(archive.buf, archive.len, sum);
	hex_encode(sum, SHA256_SIZE, hex);
	right = listing_with_hash("http", hex);
	hex[0] = hex[0] == '0' ? '1' : '0';
	wrong = listing_with_hash("http", hex);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const char *listing = i == 2 ? wrong : i == 3 ? right : listings[i];
		struct file *f;

		remove_key(w.store, ARCHIVE);
		if (listing)
			put_document(w.store, HTTP, listing, false);
		f = opened(&w, ARCHIVE, WRITE);
		cr_assert_eq(file_write(f, 0, archive.buf, archive.len), (ssize_t)archive.len);
		cr_assert_eq(file_flush(f, &me), expected[i], "listing %zu", i);
		file_close(f);
	}
	world_remove(&w);
}

Test(write, a_tree_that_ends_closes_what_is_open)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f;
	struct dir *d;

	put_document(w.store, HTTP, "{}", false);
	cr_assert_eq(open_path(&w, HTTP, O_RDONLY, &f), 0);
	f = opened(&w, LATEST "new", WRITE);
	put(f, 0, "{}");
	cr_assert_eq(tree_resolve(w.tree, "latest", &node), 0);
	cr_assert_eq(tree_opendir(w.tree, node.id, &d), 0);
	world_remake(&w); /* leaks are the sanitizer's to find */
	expect_absent(&w, LATEST "new");
	world_remove(&w);
}

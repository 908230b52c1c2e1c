/* SPDX-License-Identifier: BSD-3-Clause */
/* read_test.c - open files that are read: one generation, decoded, fetched once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/mount/content.h"
#include "compiler.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

#define ARCHIVE "latest/api/archives/http-1.0.0.tar.gz"

/* That many bytes that do not compress to nothing. To be freed. */
static char *long_text(size_t n)
{
	char *text = xmalloc(n + 1);
	unsigned state = 1;

	for (size_t i = 0; i < n; i++) {
		state = state * 1103515245 + 12345;
		text[i] = (char)('a' + (state >> 16) % 26);
	}
	text[n] = '\0';
	return text;
}

static void expect_read(struct world *w, const char *path, const char *expected)
{
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0);
	cr_assert(!strcmp(text, expected));
}

static void expect_error(struct world *w, const char *path, int expected)
{
	int r;

	free(read_path(w, path, &r));
	cr_assert_eq(r, expected);
}

Test(read, a_file_is_its_decoded_bytes_and_has_their_length)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_document(w.store, LATEST "http", "{\"name\":\"http\"}", false);
	put_text(w.store, "other/plain", "as it is");
	expect_read(&w, LATEST "http", "{\"name\":\"http\"}");
	expect_read(&w, "other/plain", "as it is");
	cr_assert_eq(resolve(&w, LATEST "http", &node), 0);
	cr_assert_eq(node.size, 15);
	cr_assert_eq(resolve(&w, "other/plain", &node), 0);
	cr_assert_eq(node.size, 8);
	world_remove(&w);
}

Test(read, the_length_of_a_foreign_document_is_asked_for_once)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_document(w.store, LATEST "http", "{\"name\":\"http\"}", true);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(node.size, 15);
	cr_assert_eq(counter_read(w.counter).read, 1);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(node.size, 15);
	cr_assert_eq(counter_read(w.counter).read, 0);
	world_remove(&w);
}

Test(read, a_length_that_was_wrong_is_right_once_the_file_was_opened)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf two = STRBUF_INIT(1 << 16);
	struct node node;
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body body;

	cr_assert_eq(gzip_encode("first ", 6, &two), 0);
	cr_assert_eq(gzip_encode("second", 6, &two), 0);
	body = body_of_strbuf(&two);
	e.body = &body;
	object_init(&e.object);
	e.object.key = xstrdup("other/two");
	e.object.gzip = true;
	cr_assert_eq(store_edit(w.store, &e, 1), 0);
	edit_release(&e, 1);
	cr_assert_eq(tree_resolve(w.tree, "other/two", &node), 0);
	cr_assert_eq(node.size, 6, "the end of the file speaks for its last member alone");
	cr_assert(node.changing, "so it is not to be kept by the kernel");
	expect_read(&w, "other/two", "first second");
	cr_assert_eq(tree_resolve(w.tree, "other/two", &node), 0);
	cr_assert_eq(node.size, 12);
	cr_assert_not(node.changing);
	world_remove(&w);
}

Test(read, a_length_that_others_noted_is_right_once_the_file_was_opened)
{
	static const char text[] = "{\"name\":\"http\"}";
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1 << 16);
	struct world w = world_make(LONG_TTL);
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body body;
	struct node node;

	cr_assert_eq(gzip_encode(text, strlen(text), &packed), 0);
	body = body_of_strbuf(&packed);
	e.body = &body;
	object_init(&e.object);
	e.object.key = xstrdup("other/liar");
	e.object.gzip = e.object.has_decoded_size = true;
	e.object.decoded_size = (uint64_t)5 << 40;
	cr_assert_eq(store_edit(w.store, &e, 1), 0);
	edit_release(&e, 1);
	cr_assert_eq(tree_resolve(w.tree, "other/liar", &node), 0);
	cr_assert_eq(node.size, (uint64_t)5 << 40);
	cr_assert(node.changing);
	expect_read(&w, "other/liar", text);
	cr_assert_eq(tree_resolve(w.tree, "other/liar", &node), 0);
	cr_assert_eq(node.size, strlen(text), "what was counted stays");
	cr_assert_not(node.changing);
	put_document(w.store, LATEST "http", text, false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_not(node.changing, "what we noted is right");
	world_remove(&w);
}

Test(read, an_open_file_keeps_its_generation)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f;
	char buf[16];

	put_document(w.store, LATEST "http", "old bytes", false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &f), 0);
	cr_assert(file_is_cacheable(f));
	put_document(w.store, LATEST "http", "new", false);
	cr_assert_eq(file_read(f, 4, buf, sizeof(buf)), 5);
	cr_assert_arr_eq(buf, "bytes", 5);
	remove_key(w.store, LATEST "http");
	cr_assert_eq(file_read(f, 0, buf, 3), 3);
	cr_assert_arr_eq(buf, "old", 3);
	cr_assert_eq(file_read(f, 9, buf, 3), 0);
	cr_assert_eq(tree_getattr(w.tree, node.id, f, &node), 0);
	cr_assert_eq(node.size, 9);
	file_close(f);
	world_remove(&w);
}

Test(read, what_is_open_can_be_opened_again_though_it_was_superseded)
{
	struct world w = world_make(LONG_TTL);
	struct file *f, *again;
	struct node node;
	char buf[16];

	put_document(w.store, LATEST "http", "old", false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &f), 0);
	put_document(w.store, LATEST "http", "new", false);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &again), 0);
	cr_assert_eq(file_read(again, 0, buf, sizeof(buf)), 3);
	cr_assert_arr_eq(buf, "old", 3);
	file_close(again);
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY, &again), -ESTALE);
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY, &again), -ESTALE, "nor at a second try");
	file_close(f);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &again), -ESTALE);
	world_remove(&w);
}

#define LONG ((size_t)1 << 20)

struct reader {
	struct world *w;
	uint64_t id;
	pthread_barrier_t *start;
	int result;
	struct file *file;
	char last; /* byte of what it read */
};

static void *open_at_once(void *ctx)
{
	struct reader *reader = ctx;

	pthread_barrier_wait(reader->start);
	reader->result = tree_open(reader->w->tree, reader->id, O_RDONLY, &reader->file);
	if (!reader->result)
		reader->result = (int)file_read(reader->file, LONG - 1, &reader->last, 1);
	return NULL;
}

Test(read, readers_of_one_generation_share_one_download)
{
	enum { READERS = 16 };
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = long_text(LONG);
	struct reader readers[READERS];
	pthread_t threads[READERS];
	pthread_barrier_t start;
	struct node node;

	put_document(w.store, LATEST "http", text, false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	world_requests(&w);
	pthread_barrier_init(&start, NULL, READERS);
	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .w = &w, .id = node.id, .start = &start };
		pthread_create(&threads[i], NULL, open_at_once, &readers[i]);
	}
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_eq(readers[i].result, 1);
		cr_assert_eq(readers[i].last, text[LONG - 1]);
	}
	cr_assert_eq(counter_read(w.counter).read, 1);
	for (int i = 0; i < READERS; i++)
		file_close(readers[i].file);
	expect_read(&w, LATEST "http", text);
	cr_assert_eq(counter_read(w.counter).read, 1, "released with the last");
	pthread_barrier_destroy(&start);
	world_remove(&w);
}

Test(read, up_to_the_bound_an_archive_is_fetched_whole_at_open)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = long_text(CONTENT_IN_MEMORY);
	struct file *f;
	char buf[64];

	put_text(w.store, ARCHIVE, text);
	cr_assert_eq(open_path(&w, ARCHIVE, O_RDONLY, &f), 0);
	cr_assert_eq(counter_read(w.counter).read, 1);
	put_text(w.store, ARCHIVE, "x");
	cr_assert_eq(file_read(f, CONTENT_IN_MEMORY - 64, buf, 64), 64);
	cr_assert_arr_eq(buf, text + CONTENT_IN_MEMORY - 64, 64);
	cr_assert_eq(counter_read(w.counter).read, 0);
	file_close(f);
	world_remove(&w);
}

Test(read, a_larger_archive_is_read_in_ranges_and_never_as_a_mixture)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = long_text(CONTENT_IN_MEMORY + 1);
	struct file *f;
	char buf[64];

	put_text(w.store, ARCHIVE, text);
	cr_assert_eq(open_path(&w, ARCHIVE, O_RDONLY, &f), 0);
	cr_assert_eq(counter_read(w.counter).read, 0);
	cr_assert_eq(file_read(f, CONTENT_IN_MEMORY - 9, buf, 64), 10);
	cr_assert_arr_eq(buf, text + CONTENT_IN_MEMORY - 9, 10);
	cr_assert_eq(counter_read(w.counter).read, 1);
	put_text(w.driver, ARCHIVE, text);
	cr_assert_eq(file_read(f, 0, buf, 64), -EIO);
	file_close(f);
	expect_read(&w, ARCHIVE, text);
	world_remove(&w);
}

static size_t in_memory_bound(void)
{
	return CONTENT_IN_MEMORY;
}

Test(read, documents_on_both_sides_of_the_bound_are_whole)
{
	struct world w = world_make(LONG_TTL);
	const size_t sizes[] = { in_memory_bound(), in_memory_bound() + 1, 3 * in_memory_bound() };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (int foreign = 0; foreign < 2; foreign++) {
			CLEANUP(free_char) char *text = long_text(sizes[i]);
			struct file *f;
			char buf[8];

			put_document(w.store, LATEST "http", text, foreign);
			expect_read(&w, LATEST "http", text);
			cr_assert_eq(open_path(&w, LATEST "http", O_RDONLY, &f), 0);
			remove_key(w.store, LATEST "http");
			cr_assert_eq(file_read(f, sizes[i] - 3, buf, sizeof(buf)), 3);
			cr_assert_arr_eq(buf, text + sizes[i] - 3, 3);
			file_close(f);
		}
	world_remove(&w);
}

Test(read, a_long_document_may_have_many_members)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = long_text(3 << 20);
	CLEANUP(free_char) char *thrice = xasprintf("%s%s%s", text, text, text);
	CLEANUP(strbuf_release) struct strbuf members = STRBUF_INIT(32 << 20);
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body body;

	for (int i = 0; i < 3; i++)
		cr_assert_eq(gzip_encode(text, strlen(text), &members), 0);
	body = body_of_strbuf(&members);
	e.body = &body;
	object_init(&e.object);
	e.object.key = xstrdup("other/long");
	e.object.gzip = true;
	cr_assert_eq(store_edit(w.store, &e, 1), 0);
	edit_release(&e, 1);
	expect_read(&w, "other/long", thrice);
	world_remove(&w);
}

/* Writes `n` bytes that claim to be a gzip'ed document with that hash. */
static void put_claim(struct world *w, const void *bytes, size_t n, uint64_t decoded_size,
		      const char *hashed)
{
	struct body body = body_of_bytes(bytes, n);
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&e.object);
	e.object.key = xstrdup(LATEST "http");
	e.object.gzip = true;
	e.object.has_decoded_size = true;
	e.object.decoded_size = decoded_size;
	e.object.has_sha256 = true;
	sha256(hashed, strlen(hashed), e.object.sha256);
	cr_assert_eq(store_edit(w->store, &e, 1), 0);
	edit_release(&e, 1);
}

Test(read, bytes_that_are_not_what_they_claim_are_never_shown)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *large = long_text(CONTENT_IN_MEMORY + 1);
	CLEANUP(strbuf_release) struct strbuf small_gzip = STRBUF_INIT(32 << 20);
	CLEANUP(strbuf_release) struct strbuf large_gzip = STRBUF_INIT(32 << 20);
	const size_t n = CONTENT_IN_MEMORY + 1;

	cr_assert_eq(gzip_encode("small", 5, &small_gzip), 0);
	cr_assert_eq(gzip_encode(large, n, &large_gzip), 0);
	put_claim(&w, small_gzip.buf, small_gzip.len, 5, "small");
	expect_read(&w, LATEST "http", "small");
	put_claim(&w, small_gzip.buf, small_gzip.len, 5, "other");
	expect_error(&w, LATEST "http", -EIO);
	put_claim(&w, small_gzip.buf, small_gzip.len - 1, 5, "small");
	expect_error(&w, LATEST "http", -EIO);
	put_claim(&w, "no gzip", 7, 5, "small");
	expect_error(&w, LATEST "http", -EIO);
	put_claim(&w, large_gzip.buf, large_gzip.len, n, large);
	expect_read(&w, LATEST "http", large);
	put_claim(&w, large_gzip.buf, large_gzip.len, n, "other");
	expect_error(&w, LATEST "http", -EIO);
	put_claim(&w, large_gzip.buf, large_gzip.len - 1, n, large);
	expect_error(&w, LATEST "http", -EIO);
	large_gzip.buf[large_gzip.len / 2] ^= 1;
	put_claim(&w, large_gzip.buf, large_gzip.len, n, large);
	expect_error(&w, LATEST "http", -EIO);
	world_remove(&w);
}

Test(read, after_a_failure_the_next_open_tries_again)
{
	struct world w = world_make(LONG_TTL);
	struct node node;

	put_document(w.store, LATEST "http", "{}", false);
	cr_assert_eq(resolve(&w, LATEST "http", &node), 0);
	fault_arm(w.fault, 1, -EIO);
	expect_error(&w, LATEST "http", -EIO);
	expect_read(&w, LATEST "http", "{}");
	world_remove(&w);
}

Test(read, a_name_that_the_index_has_wrong_is_right_at_the_second_look)
{
	struct world w = world_make(LONG_TTL);
	struct node node, gone;
	struct file *f;

	put_document(w.store, LATEST "http", "old", false);
	put_document(w.store, LATEST "io", "old", false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	cr_assert_eq(tree_resolve(w.tree, LATEST "io", &gone), 0);
	put_document(w.driver, LATEST "http", "new", false);
	remove_key(w.driver, LATEST "io");
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &f), -ESTALE);
	expect_read(&w, LATEST "http", "new");
	cr_assert_eq(tree_open(w.tree, gone.id, O_RDONLY, &f), -ESTALE);
	expect_error(&w, LATEST "io", -ENOENT);
	world_remove(&w);
}

Test(read, with_no_ttl_every_open_sees_what_others_wrote)
{
	struct world w = world_make(0);

	put_document(w.store, LATEST "http", "old", false);
	expect_read(&w, LATEST "http", "old");
	put_document(w.driver, LATEST "http", "new", false);
	expect_read(&w, LATEST "http", "new");
	world_remove(&w);
}

Test(read, objects_of_no_known_kind_can_be_read_but_not_written)
{
	struct world w = world_make(LONG_TTL);
	struct file *f;

	put_text(w.store, "other/foreign", "x");
	expect_read(&w, "other/foreign", "x");
	cr_assert_eq(open_path(&w, "other/foreign", O_RDWR, &f), -EACCES);
	cr_assert_eq(open_path(&w, "latest", O_RDONLY, &f), -EISDIR);
	world_remove(&w);
}

Test(read, what_was_read_lately_is_not_fetched_again)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f;

	put_document(w.store, LATEST "http", "old", false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	expect_read(&w, LATEST "http", "old");
	world_requests(&w);
	expect_read(&w, LATEST "http", "old");
	cr_assert_eq(world_requests(&w), 0);
	put_document(w.store, LATEST "http", "new", false);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &f), -ESTALE, "nobody has it open");
	expect_read(&w, LATEST "http", "new");
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

/* Opens and closes one of many documents; true when it had to be fetched. */
static bool is_fetched(struct world *w, struct contents *contents, unsigned number)
{
	CLEANUP(free_char) char *key = xasprintf(LATEST "p%u", number);
	CLEANUP(object_release) struct object obj = { .key = NULL };
	struct content *c;
	char byte;

	cr_assert_eq(store_stat(w->driver, key, &obj), 0);
	counter_read(w->counter);
	cr_assert_eq(content_open(contents, &obj, &c), 0);
	cr_assert_eq(content_read(c, 0, &byte, 1), 1);
	content_close(c);
	return counter_read(w->counter).read;
}

Test(read, what_is_kept_has_a_bound_and_what_was_used_longest_ago_goes_first)
{
	static const size_t room = 4000;
	struct world w = world_make(LONG_TTL);
	struct contents *contents = contents_new(w.counter, w.home, room);
	CLEANUP(free_char) char *text = long_text(1500); /* stored, about two thirds of it */

	for (unsigned i = 0; i < 4; i++) {
		CLEANUP(free_char) char *key = xasprintf(LATEST "p%u", i);

		put_document(w.driver, key, text, false);
	}
	for (unsigned i = 0; i < 2; i++)
		cr_assert(is_fetched(&w, contents, i));
	cr_assert_not(is_fetched(&w, contents, 0));
	cr_assert(is_fetched(&w, contents, 2));
	cr_assert(is_fetched(&w, contents, 3));
	cr_assert(is_fetched(&w, contents, 1), "it was used longest ago");
	cr_assert(is_fetched(&w, contents, 0));
	cr_assert_not(is_fetched(&w, contents, 0));
	contents_free(contents);
	world_remove(&w);
}

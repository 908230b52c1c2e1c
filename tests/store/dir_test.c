/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_test.c - the `dir:` store: the suite, its folder, lost attributes, damaged bytes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "body.h"
#include "conformance.h"
#include "dir_world.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define X(check)                                                                                   \
	Test(dir, check)                                                                           \
	{                                                                                          \
		struct dir_world w = dir_world_make();                                             \
                                                                                                   \
		conformance_##check(w.store);                                                      \
		dir_world_remove(&w);                                                              \
	}
CONFORMANCE(X)
#undef X

#define LISTING "latest/api/packages/http"
#define BELOW	"latest/api/packages/http/advisories"
#define ARCHIVE "latest/api/archives/http-1.0.0.tar.gz"
#define OWN	".pubfs-store"

static void expect_file(const struct dir_world *w, const char *path, const char *text)
{
	CLEANUP(free_char) char *name = dir_world_path(w, path);
	FILE *f = fopen(name, "r");
	char buf[1000] = "";

	cr_assert_not_null(f, "%s is not there", path);
	cr_assert_eq(fread(buf, 1, sizeof(buf) - 1, f), strlen(text));
	cr_assert_str_eq(buf, text);
	fclose(f);
}

static void make_folders(const struct dir_world *w, const char *path)
{
	CLEANUP(free_char) char *name = dir_world_path(w, path);

	for (char *at = name + strlen(w->root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		cr_assert(!mkdir(name, 0755) || errno == EEXIST);
		*at = '/';
	}
}

static void set_attribute(const struct dir_world *w, const char *path, const char *text)
{
	CLEANUP(free_char) char *name = dir_world_path(w, path);

	if (text)
		cr_assert_eq(setxattr(name, "user.pubfs", text, strlen(text), 0), 0);
	else
		cr_assert_eq(removexattr(name, "user.pubfs"), 0);
}

Test(dir_layout, objects_are_plain_files_where_the_path_rule_says)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, LISTING, "listing", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, BELOW, "advisories", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, ARCHIVE, "archive", STORE_ABSENT, NULL), 0);
	expect_file(&w, "latest/api/packages/http", "listing");
	expect_file(&w, "latest/api/packages/http.d/advisories", "advisories");
	expect_file(&w, "latest/api/archives/http-1.0.0.tar.gz", "archive");
	dir_world_remove(&w);
}

Test(dir_layout, folders_go_with_their_last_object_and_the_root_stays)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, LISTING, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, BELOW, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(remove_key(w.store, BELOW, STORE_ANY), 0);
	cr_assert_eq(dir_world_count(&w, "latest/api/packages/http.d"), -1);
	cr_assert_eq(dir_world_count(&w, "latest/api/packages"), 1);
	cr_assert_eq(remove_key(w.store, LISTING, STORE_ANY), 0);
	cr_assert_eq(dir_world_count(&w, "latest"), -1);
	cr_assert_eq(dir_world_count(&w, "."), 1, "the store's own folder alone");
	cr_assert_eq(put_text(w.store, "top", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(remove_key(w.store, "top", STORE_ANY), 0);
	cr_assert_eq(dir_world_count(&w, "."), 1);
	dir_world_remove(&w);
}

Test(dir_layout, an_object_in_the_place_of_a_folder_is_not_harmed)
{
	struct dir_world w = dir_world_make();

	cr_assert_eq(put_text(w.store, "a", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, "a/b/c", "x", STORE_ABSENT, NULL), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "another object stands where"));
	expect_text(w.store, "a", "x");
	cr_assert_eq(generation_of(w.store, "a/b/c"), 0);
	cr_assert_eq(remove_key(w.store, "a/b/c", STORE_ANY), 0);
	cr_assert_eq(put_text(w.store, "f/b", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(w.store, "f", "x", STORE_ANY, NULL), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "in the way"));
	expect_text(w.store, "f/b", "x");
	cr_assert_eq(dir_world_count(&w, OWN "/tmp"), 1);
	dir_world_remove(&w);
}

Test(dir_layout, the_stores_own_folder_is_neither_listed_nor_reached)
{
	struct dir_world w = dir_world_make();
	static const char *const keys[] = { OWN "/id", OWN "/lock", OWN "/tmp/x", OWN };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert_eq(generation_of(w.store, keys[i]), 0, "%s", keys[i]);
		cr_assert_eq(put_text(w.store, keys[i], "x", STORE_ANY, NULL), -EINVAL);
		cr_assert_eq(remove_key(w.store, keys[i], STORE_ANY), 0);
	}
	expect_list(w.store, "", true, NULL, "");
	expect_list(w.store, "", false, NULL, "");
	expect_list(w.store, OWN, true, NULL, "");
	expect_list(w.store, OWN "/", true, NULL, "");
	cr_assert_eq(dir_world_count(&w, OWN), 3, "id, lock, tmp");
	dir_world_remove(&w);
}

Test(dir_layout, keys_that_no_path_can_show_are_not_there_and_cannot_be_written)
{
	struct dir_world w = dir_world_make();
	char part[257];
	const char *const keys[] = { "a//b",  "/a",   "a/",    "..",	 "../x",
				     "a/./b", "a\nb", "a\xff", ".pubfs", ".pubfs/status",
				     part };

	memset(part, 'x', sizeof(part) - 1);
	part[256] = '\0';
	cr_assert_eq(put_text(w.store, "a/b", "x", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert_eq(generation_of(w.store, keys[i]), 0, "%s", keys[i]);
		cr_assert_eq(put_text(w.store, keys[i], "x", STORE_ANY, NULL), -EINVAL, "%s",
			     keys[i]);
		cr_assert_eq(remove_key(w.store, keys[i], STORE_ANY), 0);
	}
	part[255] = '\0';
	cr_assert_eq(put_text(w.store, part, "x", STORE_ANY, NULL), 0, "255 bytes are a name");
	cr_assert_eq(remove_key(w.store, part, STORE_ANY), 0);
	expect_list(w.store, "", true, NULL, "a/b ");
	dir_world_remove(&w);
}

Test(dir_layout, what_is_no_object_is_left_out)
{
	struct dir_world w = dir_world_make();
	CLEANUP(free_char) char *link = dir_world_path(&w, "latest/link");
	CLEANUP(free_char) char *loop = dir_world_path(&w, "latest/loop");
	CLEANUP(free_char) char *pipe = dir_world_path(&w, "latest/pipe");

	make_folders(&w, "latest/api/packages/nodot/");
	make_folders(&w, "latest/empty/er/");
	dir_world_write(&w, "latest/api/packages/nodot/x", "x");
	dir_world_write(&w, "latest/a\nb", "x");
	dir_world_write(&w, "latest/\xff", "x");
	dir_world_write(&w, "latest/real", "x");
	cr_assert_eq(symlink("real", link), 0);
	cr_assert_eq(symlink(".", loop), 0);
	cr_assert_eq(mkfifo(pipe, 0644), 0);
	expect_list(w.store, "", true, NULL, "latest/real ");
	expect_list(w.store, "latest/", false, NULL, "latest/real ");
	cr_assert_eq(generation_of(w.store, "latest/link"), 0);
	cr_assert_eq(generation_of(w.store, "latest/pipe"), 0);
	cr_assert_eq(generation_of(w.store, "latest/empty"), 0);
	dir_world_remove(&w);
}

struct order {
	struct strbuf last;
	unsigned n;
};

static int check_order(void *ctx, const struct object *obj)
{
	struct order *order = ctx;

	cr_assert_lt(strcmp(order->last.buf, obj->key), 0, "%s after %s", obj->key,
		     order->last.buf);
	strbuf_reset(&order->last);
	strbuf_addstr(&order->last, obj->key);
	order->n++;
	return 0;
}

Test(dir_layout, twenty_thousand_names_in_one_folder_are_listed_in_order)
{
	struct order deep = { .last = STRBUF_INIT(1000) }, part = { .last = STRBUF_INIT(1000) };
	struct dir_world w = dir_world_make();

	make_folders(&w, "latest/api/packages/");
	for (unsigned i = 0; i < 20000; i++) {
		CLEANUP(free_char)
		char *path = xasprintf("latest/api/packages/p%05u", i * 7919 % 20000);

		dir_world_write(&w, path, "");
	}
	cr_assert_eq(store_list(w.store, "latest/", true, NULL, check_order, &deep), 0);
	cr_assert_eq(deep.n, 20000);
	cr_assert_eq(store_list(w.store, "latest/api/packages/p", false,
				"latest/api/packages/p09999", check_order, &part),
		     0);
	cr_assert_eq(part.n, 10000);
	strbuf_release(&deep.last);
	strbuf_release(&part.last);
	dir_world_remove(&w);
}

/* Attributes that are lost */

Test(dir_lost, a_file_without_attribute_is_known_by_name_and_bytes)
{
	static const struct {
		const char *path, *key, *text, *type;
		bool gzip;
	} rows[] = {
		{ "latest/api/packages/http", LISTING, "\x1f\x8b gz",
		  "application/json; charset=\"utf-8\"", true },
		{ "latest/api/packages/http2", "latest/api/packages/http2", "{}",
		  "application/json; charset=\"utf-8\"", false },
		{ "latest/api/packages/http.d/advisories", BELOW, "\x1f\x8b",
		  "application/json; charset=\"utf-8\"", true },
		{ "latest/api/archives/http-1.0.0.tar.gz", ARCHIVE, "\x1f\x8b tar",
		  "application/octet", false },
		{ "latest/unknown", "latest/unknown", "\x1f\x8b", NULL, false },
		{ "latest/api/packages/http3", "latest/api/packages/http3", "\x1f",
		  "application/json; charset=\"utf-8\"", false },
	};
	struct dir_world w = dir_world_make();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(object_release) struct object obj = { 0 };
		CLEANUP(free_char) char *name = dir_world_path(&w, rows[i].path);
		unsigned char sum[MD5_SIZE];
		struct stat st;

		make_folders(&w, rows[i].path);
		dir_world_write(&w, rows[i].path, rows[i].text);
		cr_assert_eq(stat(name, &st), 0);
		cr_assert_eq(store_stat(w.store, rows[i].key, &obj), 0, "%s", rows[i].key);
		md5(rows[i].text, strlen(rows[i].text), sum);
		cr_assert_str_eq(obj.key, rows[i].key);
		cr_assert_eq(obj.gzip, rows[i].gzip, "%s", rows[i].key);
		cr_assert(rows[i].type ? !strcmp(obj.type, rows[i].type) : !obj.type);
		cr_assert_eq(obj.generation,
			     (uint64_t)st.st_ctim.tv_sec * 1000000 + st.st_ctim.tv_nsec / 1000);
		cr_assert_eq(obj.metageneration, 1);
		cr_assert_eq(obj.size, strlen(rows[i].text));
		cr_assert(obj.has_md5 && !obj.has_sha256 && !obj.has_decoded_size);
		cr_assert_arr_eq(obj.md5, sum, MD5_SIZE);
		cr_assert_eq(obj.validated, NO_TIME);
		cr_assert_null(obj.change);
		expect_text(w.store, rows[i].key, rows[i].text);
	}
	dir_world_remove(&w);
}

Test(dir_lost, a_broken_attribute_counts_as_lost)
{
	static const char *const texts[] = { "", "{", "{}", "garbage", NULL };
	struct dir_world w = dir_world_make();
	char large[4000];

	memset(large, ' ', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	for (size_t i = 0; i <= ARRAY_SIZE(texts); i++) {
		CLEANUP(object_release) struct object obj = { 0 };
		struct body body = { .size = 4, .buf = "body", .fd = -1 };
		struct edit e = edit_write(LISTING, &body, 0);

		fill_headers(&e.object);
		cr_assert_eq(run_edit(w.store, &e, NULL), 0);
		set_attribute(&w, LISTING, i < ARRAY_SIZE(texts) ? texts[i] : large);
		cr_assert_eq(store_stat(w.store, LISTING, &obj), 0);
		cr_assert(!obj.has_sha256 && !obj.gzip && !obj.change);
		expect_text(w.store, LISTING, "body");
	}
	dir_world_remove(&w);
}

Test(dir_lost, an_attribute_that_speaks_of_another_size_counts_as_lost)
{
	CLEANUP(object_release) struct object obj = { 0 };
	struct dir_world w = dir_world_make();
	uint64_t generation;

	cr_assert_eq(put_text(w.store, LISTING, "short", STORE_ABSENT, &generation), 0);
	dir_world_write(&w, LISTING, "longer by hand");
	cr_assert_eq(store_stat(w.store, LISTING, &obj), 0);
	cr_assert_eq(obj.size, 14);
	cr_assert_neq(obj.generation, generation);
	expect_text(w.store, LISTING, "longer by hand");
	dir_world_remove(&w);
}

Test(dir_lost, conditions_hold_and_a_touch_repairs)
{
	CLEANUP(object_release) struct object obj = { 0 }, repaired = { 0 };
	struct dir_world w = dir_world_make();
	uint64_t lost, next;
	struct edit e;

	make_folders(&w, LISTING);
	dir_world_write(&w, LISTING, "by hand");
	cr_assert_eq(store_stat(w.store, LISTING, &obj), 0);
	lost = obj.generation;
	cr_assert_eq(put_text(w.store, LISTING, "x", STORE_ABSENT, NULL), -ESTALE);
	cr_assert_eq(put_text(w.store, LISTING, "x", lost - 1, NULL), -ESTALE);
	e = edit_write(LISTING, NULL, 0);
	e.op = EDIT_TOUCH;
	e.if_generation = lost;
	fill_headers(&e.object);
	cr_assert_eq(run_edit(w.store, &e, NULL), 0);
	cr_assert_eq(store_stat(w.store, LISTING, &repaired), 0);
	cr_assert_eq(repaired.generation, lost);
	cr_assert_eq(repaired.metageneration, 2);
	cr_assert(repaired.has_sha256);
	cr_assert_arr_eq(repaired.md5, obj.md5, MD5_SIZE);
	set_attribute(&w, LISTING, NULL);
	lost = generation_of(w.store, LISTING);
	cr_assert_eq(put_text(w.store, LISTING, "new", lost, &next), 0);
	cr_assert_gt(next, lost);
	dir_world_remove(&w);
}

Test(dir_lost, damaged_bytes_are_not_given_out_whole_nor_copied)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	struct dir_world w = dir_world_make();
	uint64_t generation;
	struct edit e = edit_write("copy", NULL, 0);

	cr_assert_eq(put_text(w.store, LISTING, "0123456789", STORE_ABSENT, &generation), 0);
	dir_world_write(&w, LISTING, "012345678x");
	cr_assert_eq(generation_of(w.store, LISTING), generation);
	cr_assert_eq(store_read(w.store, LISTING, STORE_ANY, 0, 10, &out), -EBADMSG);
	cr_assert_eq(store_read(w.store, LISTING, STORE_ANY, 0, SIZE_MAX, &out), -EBADMSG);
	cr_assert_eq(out.len, 0);
	cr_assert_not_null(strstr(log_last_failure(), "is damaged"));
	cr_assert_eq(store_read(w.store, LISTING, STORE_ANY, 0, 9, &out), 0, "a range cannot know");
	e.op = EDIT_COPY;
	e.from = w.store;
	e.from_key = LISTING;
	e.from_generation = generation;
	cr_assert_eq(run_edit(w.store, &e, NULL), -EBADMSG);
	cr_assert_eq(generation_of(w.store, "copy"), 0);
	dir_world_remove(&w);
}

/* Generations */

Test(dir_generation, a_counter_that_is_lost_set_back_or_ahead_still_grows)
{
	static const char *const counters[] = { "", "garbage", "00000000000000000001\n",
						"00008000000000000000\n" };
	struct dir_world w = dir_world_make();
	uint64_t last = 0, next;

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		cr_assert_eq(put_text(w.store, "key", "x", STORE_ANY, &next), 0);
		cr_assert_gt(next, last);
		last = next;
		dir_world_write(&w, OWN "/lock", counters[i]);
	}
	cr_assert_eq(put_text(w.store, "other", "x", STORE_ANY, &next), 0);
	cr_assert_eq(next, 8000000000000001, "the counter is ahead of the clock");
	dir_world_write(&w, OWN "/lock", "");
	cr_assert_eq(put_text(w.store, "other", "x", next, &next), 0);
	cr_assert_eq(next, 8000000000000002, "the object is ahead of counter and clock");
	dir_world_remove(&w);
}

Test(dir_copy, a_copy_may_come_through_the_links_of_another_dir_store)
{
	struct dir_world a = dir_world_make(), b = dir_world_make();
	struct edit e = edit_write(ARCHIVE, NULL, 0);
	struct store *link;
	uint64_t generation;

	cr_assert_eq(fault_push(a.store, &link), 0);
	a.store = link;
	cr_assert_eq(put_text(a.store, "packages/http-1.0.0.tar.gz", "archive", STORE_ABSENT,
			      &generation),
		     0);
	e.op = EDIT_COPY;
	e.from = a.store;
	e.from_key = "packages/http-1.0.0.tar.gz";
	e.from_generation = generation;
	cr_assert_eq(run_edit(b.store, &e, NULL), 0);
	expect_text(b.store, ARCHIVE, "archive");
	dir_world_remove(&a);
	dir_world_remove(&b);
}

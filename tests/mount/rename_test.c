/* SPDX-License-Identifier: BSD-3-Clause */
/* rename_test.c - a file under another name: the write of a scratch file, and what else it may be.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "strbuf.h"
#include "tree_world.h"

#define OWN	  "2026.08.18/api/packages/"
#define ARCHIVES  "latest/api/archives/"
#define HTTP	  LATEST "http"
#define SCRATCH	  LATEST ".http.aB3dE6"
#define OTHER	  LATEST "http.tmp"
#define NEW	  O_RDWR | O_CREAT | O_EXCL
#define NOREPLACE RENAME_NOREPLACE

static const struct caller me = { .pid = 1, .uid = 7 };

static void make_scratch(struct world *w, const char *path, const char *text)
{
	struct file *f;

	cr_assert_eq(create_path(w, path, O_RDWR | O_CREAT, 0600, &f), 0);
	cr_assert_eq(file_truncate(f, 0), 0);
	cr_assert_eq(file_write(f, 0, text, strlen(text)), (ssize_t)strlen(text));
	file_close(f);
}

static void expect_text(struct world *w, const char *path, const char *expected)
{
	int r;
	CLEANUP(free_char) char *text = read_path(w, path, &r);

	cr_assert_eq(r, 0, "%s: %d", path, r);
	cr_assert_str_eq(text, expected);
}

static void expect_absent(struct world *w, const char *path)
{
	struct node node;

	cr_assert_eq(resolve(w, path, &node), -ENOENT, "%s", path);
}

static void put_archive(struct world *w, const char *key, const char *package, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(1 << 20);
	struct publication p;
	struct body body;

	archive_bytes(package, version, &bytes);
	body = body_of_strbuf(&bytes);
	publication_init(&p);
	p.action = PUBLISH_WRITE;
	p.key = key;
	p.why = "test";
	p.body = &body;
	cr_assert_eq(publish(w->publisher, &p, 1), 0);
	publication_release(&p);
}

Test(rename, of_a_scratch_file_onto_a_name_of_the_export_is_the_write)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *first = listing_text("http", "");
	CLEANUP(free_char) char *second = listing_text("http", ",\"isDiscontinued\":true");
	struct store_counts counts;

	make_scratch(&w, SCRATCH, first);
	world_requests(&w);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), 0);
	counts = counter_read(w.counter);
	cr_assert_eq(counts.write, 1);
	cr_assert_eq(counts.copy + counts.remove + counts.touch, 0);
	expect_text(&w, HTTP, first);
	expect_absent(&w, SCRATCH);
	make_scratch(&w, SCRATCH, second);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), 0, "over what is there");
	expect_text(&w, HTTP, second);
	make_scratch(&w, SCRATCH, second);
	world_requests(&w);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), 0, "the same bytes");
	cr_assert_eq(world_requests(&w), 0);
	expect_absent(&w, SCRATCH);
	world_remove(&w);
}

Test(rename, that_the_gate_refuses_leaves_both_files)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	int r;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	make_scratch(&w, SCRATCH, "{}");
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), -EINVAL);
	expect_text(&w, HTTP, old);
	expect_text(&w, SCRATCH, "{}");
	CLEANUP(free_char) char *rejected = read_path(&w, ".pubfs/rejected", &r);
	cr_assert(strstr(rejected, "\"path\":\"" HTTP "\""), "%s", rejected);
	make_scratch(&w, OTHER, "");
	cr_assert_eq(rename_path(&w, OTHER, HTTP, 0), -EINVAL, "nothing empty");
	expect_text(&w, HTTP, old);
	world_remove(&w);
}

Test(rename, that_lost_a_race_is_busy_and_overwrites_nothing)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *old = listing_text("http", "");
	CLEANUP(free_char) char *mine = listing_text("http", ",\"isDiscontinued\":true");
	uint64_t theirs;

	cr_assert_eq(write_path(&w, HTTP, old), 0);
	make_scratch(&w, SCRATCH, mine);
	theirs = put_document(w.driver, HTTP, old, false);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), -EBUSY);
	cr_assert_eq(generation_of(w.driver, HTTP), theirs);
	expect_text(&w, SCRATCH, mine);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), 0, "who looked again means that one");
	expect_text(&w, HTTP, mine);
	world_remove(&w);
}

Test(rename, of_a_scratch_file_onto_another_scratch_name_moves_it)
{
	struct world w = world_make(LONG_TTL);
	struct node node;
	struct file *f;

	make_scratch(&w, SCRATCH, "one");
	make_scratch(&w, OTHER, "two");
	cr_assert_eq(resolve(&w, "2026.08.18", &node), 0);
	expect_absent(&w, "2026.08.18/x~");
	world_requests(&w);
	cr_assert_eq(rename_path(&w, SCRATCH, OTHER, NOREPLACE), -EEXIST);
	cr_assert_eq(open_path(&w, SCRATCH, O_RDWR, &f), 0);
	cr_assert_eq(rename_path(&w, SCRATCH, OTHER, 0), 0);
	cr_assert_eq(file_write(f, 3, "!", 1), 1, "its handle goes with it");
	file_close(f);
	expect_text(&w, OTHER, "one!");
	expect_absent(&w, SCRATCH);
	cr_assert_eq(rename_path(&w, OTHER, "2026.08.18/x~", NOREPLACE), 0, "into another folder");
	expect_text(&w, "2026.08.18/x~", "one!");
	cr_assert_eq(world_requests(&w), 0);
	world_remove(&w);
}

Test(rename, what_is_refused)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *draft;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	put_text(w.store, "latest/api/packages/http/advisories", "x");
	make_scratch(&w, SCRATCH, text);
	cr_assert_eq(mkdir_path(&w, "folder"), 0);
	cr_assert_eq(open_path(&w, LATEST "dio", O_WRONLY | O_CREAT, &draft), 0);
	cr_assert_eq(file_write(draft, 0, "x", 1), 1);
	struct {
		const char *from, *to;
		unsigned flags;
		int result;
	} rows[] = {
		{ LATEST "nothing", HTTP, 0, -ENOENT },
		{ LATEST ".nothing", HTTP, 0, -ENOENT },
		{ HTTP, OTHER, 0, -EBUSY },
		{ HTTP, LATEST "http~", 0, -EBUSY },
		{ SCRATCH, "latest/api/other", 0, -EINVAL },
		{ SCRATCH, LATEST "4913", 0, -EINVAL },
		{ HTTP, LATEST "not-a-package", 0, -EINVAL },
		{ HTTP, LATEST "a\001", 0, -EINVAL },
		{ SCRATCH, HTTP, NOREPLACE, -EEXIST },
		{ SCRATCH, HTTP, RENAME_EXCHANGE, -EINVAL },
		{ SCRATCH, HTTP, RENAME_WHITEOUT, -EINVAL },
		{ HTTP, HTTP, NOREPLACE, -EEXIST },
		{ HTTP, HTTP, 0, 0 },
		{ SCRATCH, SCRATCH, 0, 0 },
		{ "folder", "folder2", 0, -ENOTSUP },
		{ "latest", "2026.08.18/latest", 0, -ENOTSUP },
		{ SCRATCH, "folder", 0, -EISDIR },
		{ HTTP, LATEST "http.d", 0, -EISDIR },
		{ LATEST "dio", LATEST "dio2", 0, -EBUSY },
		{ LATEST "dio", OTHER, 0, -EBUSY },
		{ ".pubfs/status", HTTP, 0, -EPERM },
		{ SCRATCH, ".pubfs/status", 0, -EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(rename_path(&w, rows[i].from, rows[i].to, rows[i].flags),
			     rows[i].result, "%s -> %s", rows[i].from, rows[i].to);
		if (rows[i].result == -EINVAL && !rows[i].flags)
			cr_expect(strstr(log_last_failure(), rows[i].to), "%s", rows[i].to);
	}
	expect_text(&w, HTTP, text);
	expect_text(&w, SCRATCH, text);
	file_close(draft);
	world_remove(&w);
}

Test(rename, of_a_document_is_gated_under_its_new_name)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *old = listing_text("http", ",\"isDiscontinued\":true");
	struct store_counts counts;

	cr_assert_eq(write_path(&w, HTTP, text), 0);
	cr_assert_eq(rename_path(&w, HTTP, LATEST "dio", 0), -EINVAL, "it names another package");
	expect_text(&w, HTTP, text);
	expect_absent(&w, LATEST "dio");
	cr_assert_eq(write_path(&w, OWN "http", old), 0);
	world_requests(&w);
	cr_assert_eq(rename_path(&w, HTTP, OWN "http", NOREPLACE), -EEXIST);
	cr_assert_eq(rename_path(&w, HTTP, OWN "http", 0), 0);
	counts = counter_read(w.counter);
	cr_assert_eq(counts.write, 1);
	cr_assert_eq(counts.remove, 1);
	expect_text(&w, OWN "http", text);
	expect_absent(&w, HTTP);
	cr_assert_eq(rmdir_path(&w, "latest/api/packages"), -EBUSY);
	world_remove(&w);
}

Test(rename, of_an_archive_is_a_copy_by_the_store_that_is_gated_too)
{
	struct world w = world_make(LONG_TTL);
	struct store_counts counts;

	put_archive(&w, ARCHIVES "foo-1.0.0.tar.gz", "foo", "1.0.0");
	cr_assert_eq(rename_path(&w, ARCHIVES "foo-1.0.0.tar.gz", ARCHIVES "bar-1.0.0.tar.gz", 0),
		     -EINVAL, "whatever its metadata say");
	cr_assert_neq(generation_of(w.driver, ARCHIVES "foo-1.0.0.tar.gz"), 0);
	cr_assert_eq(generation_of(w.driver, ARCHIVES "bar-1.0.0.tar.gz"), 0);
	world_requests(&w);
	cr_assert_eq(rename_path(&w, ARCHIVES "foo-1.0.0.tar.gz",
				 "2026.08.18/api/archives/foo-1.0.0.tar.gz", 0),
		     0);
	counts = counter_read(w.counter);
	cr_assert_eq(counts.copy, 1);
	cr_assert_eq(counts.write, 0);
	cr_assert_eq(counts.remove, 1);
	cr_assert_eq(generation_of(w.driver, ARCHIVES "foo-1.0.0.tar.gz"), 0);
	cr_assert_neq(generation_of(w.driver, "2026.08.18/api/archives/foo-1.0.0.tar.gz"), 0);
	world_remove(&w);
}

Test(rename, of_an_archive_has_the_hash_that_is_listed_where_it_goes)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char)
	char *text = listing_with_hash(
		"foo", "0000000000000000000000000000000000000000000000000000000000000000");

	put_archive(&w, "2026.08.18/api/archives/foo-1.0.0.tar.gz", "foo", "1.0.0");
	cr_assert_eq(write_path(&w, LATEST "foo", text), 0);
	cr_assert_eq(rename_path(&w, "2026.08.18/api/archives/foo-1.0.0.tar.gz",
				 ARCHIVES "foo-1.0.0.tar.gz", 0),
		     -EINVAL);
	cr_assert_neq(generation_of(w.driver, "2026.08.18/api/archives/foo-1.0.0.tar.gz"), 0);
	world_remove(&w);
}

Test(rename, over_and_of_open_files_disturbs_no_reader)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *first = listing_text("http", "");
	CLEANUP(free_char) char *second = listing_text("http", ",\"isDiscontinued\":true");
	CLEANUP(free_char) char *buf = xcalloc(1, 4096);
	CLEANUP(free_char) char *third = listing_text("http", ",\"replacedBy\":\"dio\"");
	struct file *over, *of, *writer;

	cr_assert_eq(write_path(&w, HTTP, first), 0);
	cr_assert_eq(write_path(&w, OWN "http", second), 0);
	cr_assert_eq(open_path(&w, HTTP, O_RDONLY, &over), 0);
	cr_assert_eq(open_path(&w, OWN "http", O_RDONLY, &of), 0);
	cr_assert_eq(open_path(&w, HTTP, O_WRONLY | O_TRUNC, &writer), 0);
	cr_assert_eq(file_write(writer, 0, third, strlen(third)), (ssize_t)strlen(third));
	cr_assert_eq(rename_path(&w, OWN "http", HTTP, 0), 0);
	cr_assert_eq(file_read(over, 0, buf, 4096), (ssize_t)strlen(first));
	cr_assert_str_eq(buf, first);
	memset(buf, 0, 4096);
	cr_assert_eq(file_read(of, 0, buf, 4096), (ssize_t)strlen(second));
	cr_assert_str_eq(buf, second);
	cr_assert_eq(file_flush(writer, &me), -ESTALE, "who opened it before lost the race");
	file_close(writer);
	file_close(over);
	file_close(of);
	expect_text(&w, HTTP, second);
	world_remove(&w);
}

/* What its handle wrote from then on would go nowhere, and nobody would know. */
Test(rename, of_a_scratch_file_that_is_open_lets_its_handle_read_and_no_longer_write)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	struct file *f, *again;
	struct node node;
	char c;

	make_scratch(&w, SCRATCH, text);
	cr_assert_eq(tree_resolve(w.tree, SCRATCH, &node), 0);
	cr_assert_eq(tree_open(w.tree, node.id, O_RDWR, &f), 0);
	cr_assert_eq(rename_path(&w, SCRATCH, HTTP, 0), 0);
	cr_assert_eq(file_write(f, 0, "x", 1), -ESTALE);
	cr_assert_eq(file_truncate(f, 0), -ESTALE);
	cr_assert_eq(file_flush(f, &me), 0);
	cr_assert_eq(file_read(f, 0, &c, 1), 1);
	cr_assert_eq(c, '{');
	cr_assert_eq(tree_open(w.tree, node.id, O_RDONLY, &again), -ESTALE, "the path is another");
	cr_assert_eq(tree_open(w.tree, node.id, O_WRONLY | O_TRUNC, &again), -ESTALE);
	file_close(f);
	tree_forget(w.tree, node.id, 1);
	expect_text(&w, HTTP, text);
	world_remove(&w);
}

static uint64_t size_at(struct world *w, const char *path)
{
	struct node node;

	return resolve(w, path, &node) ? 0 : node.size;
}

/* Whichever call of the store fails (the last only looks at a folder): the bytes are at the old
 * name still, the new one has what it had or already these, and the same call again ends as if none
 * had failed. The texts that are tried have different lengths. */
static void try_every_fault(const char *from, const char *to, void (*fill)(struct world *w))
{
	bool fired = true;
	unsigned failed = 0;

	for (unsigned n = 1; fired; n++) {
		struct world w = world_make(0); /* every look is a call */
		uint64_t size, old;
		int r;

		fill(&w);
		size = size_at(&w, from);
		old = size_at(&w, to);
		cr_assert(size && size != old);
		fault_arm(w.fault, n, -EIO);
		r = rename_path(&w, from, to, 0);
		fired = fault_fired(w.fault);
		fault_arm(w.fault, UINT_MAX, -EIO);
		cr_assert(!r || fired, "call %u: %d", n, r);
		if (r < 0) {
			uint64_t now = size_at(&w, to);

			failed++;
			cr_assert_eq(size_at(&w, from), size, "call %u lost it", n);
			cr_assert(now == old || now == size, "call %u", n);
			cr_assert_eq(rename_path(&w, from, to, 0), 0, "call %u", n);
		}
		expect_absent(&w, from);
		cr_assert_eq(size_at(&w, to), size);
		world_remove(&w);
	}
	cr_assert_gt(failed, 0);
}

static void fill_scratch(struct world *w)
{
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *old = listing_text("http", ",\"isDiscontinued\":true");

	cr_assert_eq(write_path(w, HTTP, old), 0);
	make_scratch(w, SCRATCH, text);
}

static void fill_document(struct world *w)
{
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *old = listing_text("http", ",\"isDiscontinued\":true");

	cr_assert_eq(write_path(w, HTTP, old), 0);
	cr_assert_eq(write_path(w, OWN "http", text), 0);
}

static void fill_archive(struct world *w)
{
	put_archive(w, ARCHIVES "foo-1.0.0.tar.gz", "foo", "1.0.0");
}

Test(rename, whichever_call_of_the_store_fails_nothing_is_lost)
{
	try_every_fault(SCRATCH, HTTP, fill_scratch);
	try_every_fault(OWN "http", HTTP, fill_document);
	try_every_fault(ARCHIVES "foo-1.0.0.tar.gz", "2026.08.18/api/archives/foo-1.0.0.tar.gz",
			fill_archive);
}

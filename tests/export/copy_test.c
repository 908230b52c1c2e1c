/* SPDX-License-Identifier: BSD-3-Clause */
/* copy_test.c - archives from the canonical store: trust, hashes, comparison. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "clock.h"
#include "memory.h"
#include "world.h"

static struct world w;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
}

static void fini(void)
{
	world_release(&w);
}

TestSuite(copy, .init = init, .fini = fini);

Test(copy, an_archive_that_carries_the_expected_hash_is_copied_unread)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG), there = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	const char *expected[] = { hex, NULL };
	struct attempt a;

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		attempt_copy(&w, &a);
		a.p.sha256 = expected[i];
		a.p.force = true;
		counter_read(w.canonical_counter);
		cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
		cr_assert_eq(counted(w.canonical_counter), 0);
		cr_assert_eq(attempt_run(&w, &a), 0);
		cr_assert_eq(a.p.done, PUBLISHED_WRITE);
		cr_assert_eq(counted(w.counter), 1);
		cr_assert(a.p.now.has_sha256 && a.p.now.decoded_size == archive.len);
		attempt_release(&a);
	}
	stored_bytes(&w, ARCHIVE, &there);
	cr_assert(there.len == archive.len && !memcmp(there.buf, archive.buf, archive.len));
}

Test(copy, an_archive_without_a_hash_is_streamed_once_and_never_again)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	canonical_put(&w, archive.buf, archive.len);
	for (int i = 0; i < 2; i++) {
		attempt_copy(&w, &a);
		a.p.sha256 = i ? NULL : hex;
		counter_read(w.canonical_counter);
		cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
		cr_assert_eq(counter_read(w.canonical_counter).read, i ? 0 : 1);
		cr_assert_eq(attempt_run(&w, &a), 0);
		cr_assert_eq(a.p.done, i ? PUBLISHED_NOTHING : PUBLISHED_WRITE);
		attempt_release(&a);
	}
}

Test(copy, an_archive_for_two_prefixes_is_streamed_once)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct publication both[2];
	struct attempt a;

	archive_hash(hex, &archive);
	canonical_put(&w, archive.buf, archive.len);
	attempt_copy(&w, &a);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		publication_init(&both[i]);
		both[i].action = PUBLISH_COPY;
		both[i].key = i ? ARCHIVE : RUNTIME "/api/archives/foo-1.0.0.tar.gz";
		both[i].group = (unsigned)i;
		both[i].why = "a test";
		both[i].from = a.p.from;
		both[i].source = a.p.source;
		both[i].sha256 = i ? hex : NULL;
	}
	counter_read(w.canonical_counter);
	cr_assert_eq(publish_preview(w.publisher, both, 2), 0);
	cr_assert_eq(counter_read(w.canonical_counter).read, 1);
	hex[0] = hex[0] == '0' ? '1' : '0';
	cr_assert_eq(publish(w.publisher, both, 2), -EINVAL);
	cr_assert_eq(both[0].done, PUBLISHED_WRITE, "each is compared with its own hash");
	cr_assert_eq(both[1].result, -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		publication_release(&both[i]);
	attempt_release(&a);
}

Test(copy, an_archive_with_another_hash_is_never_exported)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	hex[5] = hex[5] == '0' ? '1' : '0';
	with_gate(&w, GATE_OFF);
	for (int trusted = 0; trusted < 2; trusted++) {
		if (trusted)
			world_add_archive(&w, "foo", "1.0.0");
		else
			canonical_put(&w, archive.buf, archive.len);
		attempt_copy(&w, &a);
		a.p.sha256 = hex;
		cr_assert_eq(attempt_run(&w, &a), -EINVAL);
		cr_assert(strstr(a.p.remark.buf, hex));
		attempt_release(&a);
	}
	attempt_copy(&w, &a);
	a.p.sha256 = "no hash";
	cr_assert_eq(attempt_run(&w, &a), -EINVAL);
	cr_assert(strstr(a.p.remark.buf, "64 hex digits"));
	attempt_release(&a);
	cr_assert_not(world_has(&w, ARCHIVE));
}

Test(copy, what_is_streamed_goes_through_the_gate)
{
	struct attempt a;

	canonical_put(&w, "no archive", 10);
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), -EINVAL);
	attempt_release(&a);
	canonical_put(&w, "", 0);
	with_gate(&w, GATE_OFF);
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), -EINVAL, "it is empty");
	attempt_release(&a);
	canonical_put(&w, "{}", 2);
	attempt_copy(&w, &a);
	a.p.key = LISTING;
	cr_assert_eq(attempt_run(&w, &a), -EINVAL, "it is no archive");
	attempt_release(&a);
	cr_assert_not(world_has(&w, ARCHIVE));
}

Test(copy, a_large_archive_is_read_in_windows_and_its_hash_is_of_all_of_it)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(BIG);
	unsigned char digest[SHA256_SIZE];
	struct attempt a;

	archive_make("foo", "1.0.0", &bytes);
	for (size_t i = bytes.len; i < 700000; i++)
		strbuf_addch(&bytes, '\0'); /* behind the last member they are allowed */
	canonical_put(&w, bytes.buf, bytes.len);
	attempt_copy(&w, &a);
	counter_read(w.canonical_counter);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(counter_read(w.canonical_counter).read, 3);
	cr_assert_eq(attempt_run(&w, &a), 0);
	sha256(bytes.buf, bytes.len, digest);
	cr_assert_eq(memcmp(a.p.now.sha256, digest, SHA256_SIZE), 0);
	attempt_release(&a);
}

Test(copy, an_equal_archive_is_not_copied_again_and_gets_its_hash)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &stored);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), 0);
	attempt_release(&a);
	put_object(&w, ARCHIVE, stored.buf, stored.len, no_custom_keys);
	attempt_copy(&w, &a);
	a.p.sha256 = hex;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_TOUCH);
	cr_assert(a.p.now.has_sha256);
	attempt_release(&a);
	put_object(&w, ARCHIVE, "other", 5, no_custom_keys);
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	attempt_release(&a);
}

Test(copy, a_source_that_moved_is_a_lost_race)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt trusted, streamed, gone;
	struct edit removal = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&w, &trusted);
	canonical_put(&w, archive.buf, archive.len);
	attempt_copy(&w, &streamed);
	attempt_copy(&w, &gone);
	gone.source.has_sha256 = true;
	canonical_put(&w, archive.buf, archive.len);
	cr_assert_eq(attempt_run(&w, &trusted), -ESTALE);
	cr_assert_eq(attempt_run(&w, &streamed), -ESTALE);
	object_init(&removal.object);
	removal.object.key = xstrdup(SOURCE);
	cr_assert_eq(store_edit(w.canonical, &removal, 1), 0);
	edit_release(&removal, 1);
	cr_assert_eq(attempt_run(&w, &gone), -ESTALE);
	cr_assert_not(world_has(&w, ARCHIVE));
	attempt_release(&trusted);
	attempt_release(&streamed);
	attempt_release(&gone);
}

static void is_gzip(struct object *obj)
{
	obj->gzip = true;
}

static enum published copy_onto(const char *expected, void (*change)(struct object *have))
{
	enum published done;
	struct attempt a;

	attempt_copy(&w, &a);
	a.p.sha256 = expected;
	if (change)
		change(&a.have);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	done = a.p.done;
	attempt_release(&a);
	return done;
}

static void another_hash(struct object *have)
{
	have->sha256[0] ^= 1;
}

Test(copy, what_is_there_is_known_by_its_hash_first_and_then_by_its_md5)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), 0);
	attempt_release(&a);
	cr_assert_eq(copy_onto(NULL, NULL), PUBLISHED_NOTHING);
	cr_assert_eq(copy_onto(hex, NULL), PUBLISHED_NOTHING);
	cr_assert_eq(copy_onto(NULL, another_hash), PUBLISHED_WRITE);
	cr_assert_eq(copy_onto(hex, another_hash), PUBLISHED_WRITE);
	cr_assert_eq(copy_onto(NULL, is_gzip), PUBLISHED_WRITE);
	canonical_put(&w, "damaged", 7);
	cr_assert_eq(copy_onto(hex, NULL), PUBLISHED_NOTHING, "the right one is there");
}

Test(copy, an_archive_by_hand_over_one_without_a_hash_reads_nothing)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), 0);
	attempt_release(&a);
	put_object(&w, ARCHIVE, "other", 5, no_custom_keys);
	attempt_init(&w, &a, ARCHIVE);
	a.body = body_of_strbuf(&archive);
	a.p.body = &a.body;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	cr_assert_eq(counted(w.counter), 1);
	attempt_release(&a);
}

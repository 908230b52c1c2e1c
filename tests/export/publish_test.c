/* SPDX-License-Identifier: BSD-3-Clause */
/* publish_test.c - the only door to the bucket: gate, comparison, headers, conditions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "body.h"
#include "clock.h"
#include "memory.h"
#include "world.h"

#define TEXT                                                                                       \
	"{\"name\":\"foo\",\"versions\":[{\"version\":\"1.0.0\",\"pubspec\":{\"name\":\"foo\","    \
	"\"version\":\"1.0.0\"},\"archive_url\":\"https://p/api/archives/foo-1.0.0.tar.gz\"}]}"
#define OTHER_TEXT "  " TEXT

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

TestSuite(publish, .init = init, .fini = fini);

static char last_remark[100];

/* Publishes and expects this to be done, with so many requests in all. */
static void expect_write(const char *text, enum published done, unsigned long requests)
{
	struct attempt a;

	attempt_write(&w, &a, LISTING, text);
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, done, "%d", a.p.done);
	cr_assert_eq(counted(w.counter), requests);
	snprintf(last_remark, sizeof(last_remark), "%s", a.p.remark.buf);
	attempt_release(&a);
}

static void no_gzip(struct object *obj)
{
	obj->gzip = false;
}

Test(publish, a_new_document_has_the_headers_of_its_kind_and_all_custom_keys)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	CLEANUP(object_release) struct object obj;
	unsigned char digest[SHA256_SIZE];
	struct attempt a;

	object_init(&obj);
	attempt_write(&w, &a, LISTING, TEXT);
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	cr_assert_eq(counted(w.counter), 1);
	world_stat(&w, LISTING, &obj);
	cr_assert_eq(a.p.now.generation, obj.generation);
	cr_assert_str_eq(obj.type, "application/json; charset=\"utf-8\"");
	cr_assert_str_eq(obj.cache_control, "public, max-age=120");
	cr_assert_null(obj.disposition);
	cr_assert(obj.gzip);
	cr_assert_eq(obj.validated, clock_rules());
	sha256(TEXT, strlen(TEXT), digest);
	cr_assert(obj.has_sha256 && !memcmp(obj.sha256, digest, SHA256_SIZE));
	cr_assert(obj.has_decoded_size && obj.decoded_size == strlen(TEXT));
	cr_assert_str_eq(obj.runtime_version, RUNTIME);
	cr_assert_str_eq(obj.change, "5-0123456789abcdef");
	world_read(&w, LISTING, &text);
	cr_assert_str_eq(text.buf, TEXT);
	attempt_release(&a);
}

Test(publish, the_same_content_costs_nothing_whatever_its_marks_say)
{
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&w, &a, LISTING, TEXT);
	a.p.change = "6-0000000000000000";
	a.have.runtime_version[0] = '1';
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING);
	cr_assert_eq(counted(w.counter), 0);
	cr_assert_eq(a.p.now.generation, a.have.generation);
	attempt_release(&a);
	expect_write(OTHER_TEXT, PUBLISHED_WRITE, 1);
}

Test(publish, a_mark_alone_is_corrected_when_that_is_asked_for)
{
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&w, &a, LISTING, TEXT);
	a.p.mark = true;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING, "it is the same");
	a.p.change = "4-0000000000000000";
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_TOUCH);
	cr_assert_str_eq(a.p.now.change, "4-0000000000000000");
	cr_assert_eq(a.p.now.generation, a.have.generation);
	attempt_release(&a);
}

Test(publish, without_a_hash_the_stored_md5_is_compared_and_the_keys_are_repaired)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	CLEANUP(object_release) struct object obj;

	object_init(&obj);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	stored_bytes(&w, LISTING, &stored);
	put_object(&w, LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(TEXT, PUBLISHED_TOUCH, 1);
	world_stat(&w, LISTING, &obj);
	cr_assert(obj.has_sha256 && obj.has_decoded_size && obj.validated == clock_rules());
	cr_assert_str_eq(obj.runtime_version, RUNTIME);
	expect_write(TEXT, PUBLISHED_NOTHING, 0);
}

Test(publish, what_another_program_compressed_is_read_and_decoded_once)
{
	static const unsigned char head[] = { 0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 0, 3 };
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	stored_bytes(&w, LISTING, &stored);
	memcpy(stored.buf, head, sizeof(head)); /* another time and another system */
	put_object(&w, LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(TEXT, PUBLISHED_TOUCH, 2);
	expect_write(TEXT, PUBLISHED_NOTHING, 0);
	put_object(&w, LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(OTHER_TEXT, PUBLISHED_WRITE, 2);
	put_object(&w, LISTING, "no gzip", 7, no_custom_keys);
	expect_write(TEXT, PUBLISHED_WRITE, 2);
}

Test(publish, a_body_that_cannot_be_compared_is_not_overwritten)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	stored_bytes(&w, LISTING, &stored);
	stored.buf[4] ^= 1;
	put_object(&w, LISTING, stored.buf, stored.len, no_custom_keys);
	attempt_write(&w, &a, LISTING, TEXT);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(attempt_run(&w, &a), -EIO);
	cr_assert_eq(counted_changes(w.counter), 0);
	a.have.generation--;
	cr_assert_eq(attempt_run(&w, &a), -ESTALE);
	world_empty_bucket(&w);
	cr_assert_eq(attempt_run(&w, &a), -ESTALE);
	attempt_release(&a);
}

static void other_type(struct object *obj)
{
	free(obj->type);
	obj->type = xstrdup("text/plain");
}
static void no_cache_control(struct object *obj)
{
	free(obj->cache_control);
	obj->cache_control = NULL;
}
static void a_disposition(struct object *obj)
{
	obj->disposition = xstrdup("attachment");
}
static void no_hash(struct object *obj)
{
	obj->has_sha256 = false;
}
static void no_decoded_size(struct object *obj)
{
	obj->has_decoded_size = false;
}
static void no_validated(struct object *obj)
{
	obj->validated = NO_TIME;
}
static void no_runtime_version(struct object *obj)
{
	free(obj->runtime_version);
	obj->runtime_version = NULL;
}
static void no_change(struct object *obj)
{
	free(obj->change);
	obj->change = NULL;
}

Test(publish, each_wrong_header_or_missing_key_is_one_touch)
{
	static void (*const spoil[])(struct object *) = {
		other_type,	 no_cache_control, a_disposition,      no_hash,
		no_decoded_size, no_validated,	   no_runtime_version, no_change,
	};

	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);

		if (!i)
			expect_write(TEXT, PUBLISHED_WRITE, 1);
		stored_bytes(&w, LISTING, &stored);
		put_object(&w, LISTING, stored.buf, stored.len, spoil[i]);
		expect_write(TEXT, PUBLISHED_TOUCH, 1);
		expect_write(TEXT, PUBLISHED_NOTHING, 0);
	}
}

Test(publish, an_encoding_that_an_archive_is_not_to_have_is_one_touch)
{
	struct attempt a;

	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&w, &a);
	cr_assert_eq(attempt_run(&w, &a), 0);
	attempt_release(&a);
	attempt_copy(&w, &a);
	a.have.foreign_encoding = true; /* as one may set it in a bucket of Google's */
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_TOUCH);
	attempt_release(&a);
}

Test(publish, a_document_that_is_stored_plain_is_sent_again)
{
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	put_object(&w, LISTING, TEXT, strlen(TEXT), no_gzip);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
}

Test(publish, a_forced_write_always_goes_out)
{
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&w, &a, LISTING, TEXT);
	a.p.force = true;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	attempt_release(&a);
}

/* Publishes the same again after so long, with `refresh`. */
static enum published refresh_after(int64_t age, bool fault)
{
	enum published done;
	struct attempt a;

	attempt_write(&w, &a, LISTING, TEXT);
	a.have.validated = clock_rules() - age;
	a.p.refresh = true;
	if (fault)
		fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(attempt_run(&w, &a), 0);
	done = a.p.done;
	cr_assert_eq(a.p.now.generation, a.have.generation);
	attempt_release(&a);
	return done;
}

Test(publish, validated_is_renewed_after_three_days_and_a_failure_of_that_is_a_warning)
{
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	cr_assert_eq(refresh_after(VALIDATED_MAX_AGE, false), PUBLISHED_NOTHING);
	cr_assert_eq(refresh_after(VALIDATED_MAX_AGE + 1, true), PUBLISHED_NOTHING);
	cr_assert_eq(refresh_after(VALIDATED_MAX_AGE + 1, false), PUBLISHED_TOUCH);
}

Test(publish, a_refusal_ends_its_group_and_leaves_the_old_object_alone)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	struct attempt a[3];
	struct publication p[3];

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&w, &a[0], LISTING, "{\"name\":\"bar\",\"versions\":[]}");
	attempt_write(&w, &a[1], ADVISORIES,
		      "{\"advisories\":[],\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}");
	attempt_write(&w, &a[2], RUNTIME "/api/packages/foo", TEXT);
	a[2].p.group = 1;
	for (size_t i = 0; i < 3; i++)
		p[i] = a[i].p;
	cr_assert_eq(publish(w.publisher, p, 3), -EINVAL);
	cr_assert_eq(p[0].result, -EINVAL);
	cr_assert_gt(p[0].remark.len, 0);
	cr_assert_eq(p[1].result, -ECANCELED);
	cr_assert_eq(p[2].result, 0);
	cr_assert_eq(p[2].done, PUBLISHED_WRITE);
	world_read(&w, LISTING, &text);
	cr_assert_str_eq(text.buf, TEXT);
	cr_assert_not(world_has(&w, ADVISORIES));
	for (size_t i = 0; i < 3; i++) {
		a[i].p = p[i];
		attempt_release(&a[i]);
	}
}

static int write_with_gate(enum gate_mode mode, const char *key, const char *text)
{
	struct attempt a;
	int r;

	with_gate(&w, mode);
	attempt_write(&w, &a, key, text);
	r = attempt_run(&w, &a);
	cr_assert_eq(world_has(&w, key), !r);
	attempt_release(&a);
	return r;
}

Test(publish, the_gate_can_be_told_to_warn_or_to_be_silent_but_nothing_empty_passes)
{
	cr_assert_eq(write_with_gate(GATE_ENFORCE, LISTING, "{}"), -EINVAL);
	cr_assert_eq(write_with_gate(GATE_WARN, LISTING, ""), -EINVAL);
	cr_assert_eq(write_with_gate(GATE_OFF, LISTING, ""), -EINVAL);
	cr_assert_eq(write_with_gate(GATE_OFF, "latest/api/other", "{}"), -EINVAL);
	cr_assert_eq(write_with_gate(GATE_WARN, LISTING, "{}"), 0);
	cr_assert_eq(write_with_gate(GATE_OFF, ADVISORIES, "{}"), 0);
	expect_write("[]", PUBLISHED_WRITE, 1);
	cr_assert_str_eq(last_remark, "", "a silent gate looks at nothing");
}

Test(publish, the_condition_is_what_was_looked_at)
{
	struct attempt none, old;

	attempt_write(&w, &none, LISTING, OTHER_TEXT);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	cr_assert_eq(attempt_run(&w, &none), -ESTALE, "there was none");
	attempt_write(&w, &old, LISTING, OTHER_TEXT);
	old.have.generation--;
	cr_assert_eq(attempt_run(&w, &old), -ESTALE);
	old.have.generation++;
	old.have.metageneration++;
	cr_assert_eq(attempt_run(&w, &old), -ESTALE, "its metadata were others");
	cr_assert_eq(old.p.done, PUBLISHED_NOTHING);
	attempt_release(&none);
	attempt_release(&old);
}

Test(publish, an_archive_written_by_hand_has_the_listed_hash)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_make("foo", "1.0.0", &archive);
	sha256(archive.buf, archive.len, digest);
	hex_encode(digest, SHA256_SIZE, hex);
	hex[0] = hex[0] == '0' ? '1' : '0';
	attempt_init(&w, &a, ARCHIVE);
	a.p.action = PUBLISH_WRITE;
	a.body = body_of_strbuf(&archive);
	a.p.body = &a.body;
	a.p.sha256 = hex;
	cr_assert_eq(attempt_run(&w, &a), -EINVAL);
	cr_assert_not(world_has(&w, ARCHIVE));
	hex_encode(digest, SHA256_SIZE, hex);
	cr_assert_eq(attempt_run(&w, &a), 0);
	attempt_release(&a);
	attempt_init(&w, &a, ARCHIVE);
	cr_assert_str_eq(a.have.type, "application/octet");
	cr_assert_str_eq(a.have.disposition, "attachment; filename=\"foo-1.0.0.tar.gz\"");
	cr_assert(!a.have.gzip && a.have.size == archive.len);
	attempt_release(&a);
}

static ssize_t counted_read(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	int *reads = body->ctx;

	if (*reads < 0)
		return -EIO;
	++*reads;
	memcpy(buf, &TEXT[offset], n);
	return (ssize_t)n;
}

/* The same body under both prefixes, or under one; returns how often it was read. */
static int publish_counted(size_t n, int reads, int result)
{
	struct body body = { .size = strlen(TEXT), .fd = -1, .read = counted_read, .ctx = &reads };
	struct publication p[2];

	for (size_t i = 0; i < n; i++) {
		publication_init(&p[i]);
		p[i].key = i ? RUNTIME "/api/packages/foo" : LISTING;
		p[i].group = (unsigned)i;
		p[i].body = &body;
		p[i].why = "test";
		p[i].force = true;
		p[i].have = NULL;
	}
	world_empty_bucket(&w);
	cr_assert_eq(publish(w.publisher, p, n), result);
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(p[i].result, result);
		publication_release(&p[i]);
	}
	return reads;
}

Test(publish, the_same_body_under_two_prefixes_is_read_and_compressed_once)
{
	cr_assert_eq(publish_counted(1, 0, 0), publish_counted(2, 0, 0));
	publish_counted(2, -1, -EIO);
}

Test(publish, a_removal_names_the_generation_and_finds_it_or_not)
{
	struct attempt a, old;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_init(&w, &old, LISTING);
	old.p.action = PUBLISH_REMOVE;
	expect_write(OTHER_TEXT, PUBLISHED_WRITE, 1);
	cr_assert_eq(attempt_run(&w, &old), -ESTALE);
	cr_assert(world_has(&w, LISTING));
	attempt_init(&w, &a, LISTING);
	a.p.action = PUBLISH_REMOVE;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_REMOVE);
	cr_assert_null(a.p.now.key);
	cr_assert_not(world_has(&w, LISTING));
	a.p.have = NULL;
	cr_assert_eq(attempt_run(&w, &a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING);
	cr_assert_eq(counted(w.counter), 0);
	attempt_release(&a);
	attempt_release(&old);
}

Test(publish, a_preview_says_what_would_be_done_and_sends_nothing)
{
	struct attempt a;

	attempt_write(&w, &a, LISTING, TEXT);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	cr_assert_eq(counted(w.counter), 0);
	attempt_release(&a);
	attempt_write(&w, &a, LISTING, "{}");
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), -EINVAL);
	attempt_release(&a);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&w, &a, LISTING, TEXT);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING);
	attempt_release(&a);
}

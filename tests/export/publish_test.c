/* SPDX-License-Identifier: BSD-3-Clause */
/* publish_test.c - the only door to the bucket: gate, comparison, headers, conditions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "memory.h"
#include "world.h"

#define LISTING "latest/api/packages/foo"
#define ADVISORIES "latest/api/packages/foo/advisories"
#define ARCHIVE "latest/api/archives/foo-1.0.0.tar.gz"
#define SOURCE "packages/foo-1.0.0.tar.gz"
#define TEXT                                                                                       \
	"{\"name\":\"foo\",\"versions\":[{\"version\":\"1.0.0\",\"pubspec\":{\"name\":\"foo\","    \
	"\"version\":\"1.0.0\"},\"archive_url\":\"https://p/api/archives/foo-1.0.0.tar.gz\"}]}"
#define OTHER_TEXT "  " TEXT
#define BIG ((size_t)1 << 20)

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

static void with_gate(enum gate_mode mode)
{
	struct publisher_options options = {
	    .store = w.counter, .gate = mode, .runtime_version = RUNTIME};

	publisher_free(w.publisher);
	cr_assert_eq(publisher_new(&options, &w.publisher), 0);
}

/* A publication of `text` under `key`, decided on what is there now. */
struct attempt {
	struct publication p;
	struct body body;
	struct object have, source;
};

static void attempt_init(struct attempt *a, const char *key)
{
	*a = (struct attempt){0};
	publication_init(&a->p);
	object_init(&a->have);
	object_init(&a->source);
	a->p.key = key;
	a->p.change = "5-0123456789abcdef";
	a->p.why = "test";
	if (world_has(&w, key)) {
		world_stat(&w, key, &a->have);
		a->p.have = &a->have;
	}
}

static void attempt_write(struct attempt *a, const char *key, const char *text)
{
	attempt_init(a, key);
	a->p.action = PUBLISH_WRITE;
	a->body = body_of_bytes(text, strlen(text));
	a->p.body = &a->body;
}

static void attempt_copy(struct attempt *a)
{
	attempt_init(a, ARCHIVE);
	a->p.action = PUBLISH_COPY;
	a->p.from = w.canonical_counter;
	cr_assert_eq(store_stat(w.canonical, SOURCE, &a->source), 0);
	a->p.source = &a->source;
}

static int attempt_run(struct attempt *a)
{
	counter_read(w.counter);
	counter_read(w.canonical_counter);
	return publish(w.publisher, &a->p, 1);
}

static void attempt_release(struct attempt *a)
{
	publication_release(&a->p);
	object_release(&a->have);
	object_release(&a->source);
}

/* Publishes and expects this to be done, with so many requests in all. */
static void expect_write(const char *text, enum published done, unsigned long requests)
{
	struct attempt a;

	attempt_write(&a, LISTING, text);
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, done, "%d", a.p.done);
	cr_assert_eq(counted(w.counter), requests);
	attempt_release(&a);
}

/* What is in the bucket, changed and put back as another program would. */
static void put_object(const char *key, const void *bytes, size_t n,
		       void (*change)(struct object *))
{
	struct body body = body_of_bytes(bytes, n);
	struct edit edit = {.op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body};

	world_stat(&w, key, &edit.object);
	edit.object.has_md5 = false;
	change(&edit.object);
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

static void no_custom_keys(struct object *obj)
{
	free(obj->runtime_version);
	free(obj->change);
	obj->runtime_version = obj->change = NULL;
	obj->has_sha256 = obj->has_decoded_size = false;
	obj->validated = NO_TIME;
}

static void no_gzip(struct object *obj)
{
	obj->gzip = false;
}

static void stored_bytes(const char *key, struct strbuf *out)
{
	cr_assert_eq(store_read(w.bucket, key, STORE_ANY, 0, BIG, out), 0);
}

Test(publish, a_new_document_has_the_headers_of_its_kind_and_all_custom_keys)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	CLEANUP(object_release) struct object obj;
	unsigned char digest[SHA256_SIZE];
	struct attempt a;

	object_init(&obj);
	attempt_write(&a, LISTING, TEXT);
	cr_assert_eq(attempt_run(&a), 0);
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
	attempt_write(&a, LISTING, TEXT);
	a.p.change = "6-0000000000000000";
	a.have.runtime_version[0] = '1';
	cr_assert_eq(attempt_run(&a), 0);
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
	attempt_write(&a, LISTING, TEXT);
	a.p.mark = true;
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING, "it is the same");
	a.p.change = "4-0000000000000000";
	cr_assert_eq(attempt_run(&a), 0);
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
	stored_bytes(LISTING, &stored);
	put_object(LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(TEXT, PUBLISHED_TOUCH, 1);
	world_stat(&w, LISTING, &obj);
	cr_assert(obj.has_sha256 && obj.has_decoded_size && obj.validated == clock_rules());
	cr_assert_str_eq(obj.runtime_version, RUNTIME);
	expect_write(TEXT, PUBLISHED_NOTHING, 0);
}

Test(publish, what_another_program_compressed_is_read_and_decoded_once)
{
	static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 0, 3};
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	stored_bytes(LISTING, &stored);
	memcpy(stored.buf, head, sizeof(head)); /* another time and another system */
	put_object(LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(TEXT, PUBLISHED_TOUCH, 2);
	expect_write(TEXT, PUBLISHED_NOTHING, 0);
	put_object(LISTING, stored.buf, stored.len, no_custom_keys);
	expect_write(OTHER_TEXT, PUBLISHED_WRITE, 2);
	put_object(LISTING, "no gzip", 7, no_custom_keys);
	expect_write(TEXT, PUBLISHED_WRITE, 2);
}

Test(publish, a_body_that_cannot_be_compared_is_not_overwritten)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	stored_bytes(LISTING, &stored);
	stored.buf[4] ^= 1;
	put_object(LISTING, stored.buf, stored.len, no_custom_keys);
	attempt_write(&a, LISTING, TEXT);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(attempt_run(&a), -EIO);
	cr_assert_eq(counted_changes(w.counter), 0);
	a.have.generation--;
	cr_assert_eq(attempt_run(&a), -ESTALE);
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
	    other_type,	     no_cache_control, a_disposition,	   no_hash,
	    no_decoded_size, no_validated,     no_runtime_version, no_change,
	};

	for (size_t i = 0; i < ARRAY_SIZE(spoil); i++) {
		CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);

		if (!i)
			expect_write(TEXT, PUBLISHED_WRITE, 1);
		stored_bytes(LISTING, &stored);
		put_object(LISTING, stored.buf, stored.len, spoil[i]);
		expect_write(TEXT, PUBLISHED_TOUCH, 1);
		expect_write(TEXT, PUBLISHED_NOTHING, 0);
	}
}

Test(publish, a_document_that_is_stored_plain_is_sent_again)
{
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	put_object(LISTING, TEXT, strlen(TEXT), no_gzip);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
}

Test(publish, a_forced_write_always_goes_out)
{
	struct attempt a;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&a, LISTING, TEXT);
	a.p.force = true;
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	attempt_release(&a);
}

/* Publishes the same again after so long, with `refresh`. */
static enum published refresh_after(int64_t age, bool fault)
{
	enum published done;
	struct attempt a;

	attempt_write(&a, LISTING, TEXT);
	a.have.validated = clock_rules() - age;
	a.p.refresh = true;
	if (fault)
		fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(attempt_run(&a), 0);
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
	attempt_write(&a[0], LISTING, "{\"name\":\"bar\",\"versions\":[]}");
	attempt_write(&a[1], ADVISORIES,
		      "{\"advisories\":[],\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}");
	attempt_write(&a[2], RUNTIME "/api/packages/foo", TEXT);
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

	with_gate(mode);
	attempt_write(&a, key, text);
	r = attempt_run(&a);
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
}

Test(publish, the_condition_is_what_was_looked_at)
{
	struct attempt none, old;

	attempt_write(&none, LISTING, OTHER_TEXT);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	cr_assert_eq(attempt_run(&none), -ESTALE, "there was none");
	attempt_write(&old, LISTING, OTHER_TEXT);
	old.have.generation--;
	cr_assert_eq(attempt_run(&old), -ESTALE);
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
	attempt_init(&a, ARCHIVE);
	a.p.action = PUBLISH_WRITE;
	a.body = body_of_strbuf(&archive);
	a.p.body = &a.body;
	a.p.sha256 = hex;
	cr_assert_eq(attempt_run(&a), -EINVAL);
	cr_assert_not(world_has(&w, ARCHIVE));
	hex_encode(digest, SHA256_SIZE, hex);
	cr_assert_eq(attempt_run(&a), 0);
	attempt_release(&a);
	attempt_init(&a, ARCHIVE);
	cr_assert_str_eq(a.have.type, "application/octet");
	cr_assert_str_eq(a.have.disposition, "attachment; filename=\"foo-1.0.0.tar.gz\"");
	cr_assert(!a.have.gzip && a.have.size == archive.len);
	attempt_release(&a);
}

/* Makes the canonical archive one that carries no hash of ours. */
static void canonical_put(const void *bytes, size_t n)
{
	struct body body = body_of_bytes(bytes, n);
	struct edit edit = {.op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body};

	object_init(&edit.object);
	edit.object.key = xstrdup(SOURCE);
	cr_assert_eq(store_edit(w.canonical, &edit, 1), 0);
	edit_release(&edit, 1);
}

static void archive_hash(char hex[2 * SHA256_SIZE + 1], struct strbuf *archive)
{
	unsigned char digest[SHA256_SIZE];

	archive_make("foo", "1.0.0", archive);
	sha256(archive->buf, archive->len, digest);
	hex_encode(digest, SHA256_SIZE, hex);
}

Test(publish, an_archive_that_carries_the_expected_hash_is_copied_unread)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG), there = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	const char *expected[] = {hex, NULL};
	struct attempt a;

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		attempt_copy(&a);
		a.p.sha256 = expected[i];
		a.p.force = true;
		counter_read(w.canonical_counter);
		cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
		cr_assert_eq(counted(w.canonical_counter), 0);
		cr_assert_eq(attempt_run(&a), 0);
		cr_assert_eq(a.p.done, PUBLISHED_WRITE);
		cr_assert_eq(counted(w.counter), 1);
		cr_assert(a.p.now.has_sha256 && a.p.now.decoded_size == archive.len);
		attempt_release(&a);
	}
	stored_bytes(ARCHIVE, &there);
	cr_assert(there.len == archive.len && !memcmp(there.buf, archive.buf, archive.len));
}

Test(publish, an_archive_without_a_hash_is_streamed_once_and_never_again)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	canonical_put(archive.buf, archive.len);
	for (int i = 0; i < 2; i++) {
		attempt_copy(&a);
		a.p.sha256 = i ? NULL : hex;
		counter_read(w.canonical_counter);
		cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
		cr_assert_eq(counter_read(w.canonical_counter).read, i ? 0 : 1);
		cr_assert_eq(attempt_run(&a), 0);
		cr_assert_eq(a.p.done, i ? PUBLISHED_NOTHING : PUBLISHED_WRITE);
		attempt_release(&a);
	}
}

Test(publish, an_archive_with_another_hash_is_never_exported)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &archive);
	hex[5] = hex[5] == '0' ? '1' : '0';
	with_gate(GATE_OFF);
	for (int trusted = 0; trusted < 2; trusted++) {
		if (trusted)
			world_add_archive(&w, "foo", "1.0.0");
		else
			canonical_put(archive.buf, archive.len);
		attempt_copy(&a);
		a.p.sha256 = hex;
		cr_assert_eq(attempt_run(&a), -EINVAL);
		cr_assert(strstr(a.p.remark.buf, hex));
		attempt_release(&a);
	}
	attempt_copy(&a);
	a.p.sha256 = "no hash";
	cr_assert_eq(attempt_run(&a), -EINVAL);
	attempt_release(&a);
	cr_assert_not(world_has(&w, ARCHIVE));
}

Test(publish, what_is_streamed_goes_through_the_gate)
{
	struct attempt a;

	canonical_put("no archive", 10);
	attempt_copy(&a);
	cr_assert_eq(attempt_run(&a), -EINVAL);
	attempt_release(&a);
	canonical_put("", 0);
	with_gate(GATE_OFF);
	attempt_copy(&a);
	cr_assert_eq(attempt_run(&a), -EINVAL, "it is empty");
	a.p.key = LISTING;
	cr_assert_eq(attempt_run(&a), -EINVAL, "it is no archive");
	attempt_release(&a);
	cr_assert_not(world_has(&w, ARCHIVE));
}

Test(publish, a_large_archive_is_read_in_windows_and_its_hash_is_of_all_of_it)
{
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(BIG);
	unsigned char digest[SHA256_SIZE];
	struct attempt a;

	for (unsigned i = 0; i < 700000; i++)
		strbuf_addch(&bytes, (char)(i * i >> 7));
	canonical_put(bytes.buf, bytes.len);
	with_gate(GATE_OFF);
	attempt_copy(&a);
	counter_read(w.canonical_counter);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(counter_read(w.canonical_counter).read, 3);
	cr_assert_eq(attempt_run(&a), 0);
	sha256(bytes.buf, bytes.len, digest);
	cr_assert_eq(memcmp(a.p.now.sha256, digest, SHA256_SIZE), 0);
	attempt_release(&a);
}

Test(publish, an_equal_archive_is_not_copied_again_and_gets_its_hash)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt a;

	archive_hash(hex, &stored);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&a);
	cr_assert_eq(attempt_run(&a), 0);
	attempt_release(&a);
	put_object(ARCHIVE, stored.buf, stored.len, no_custom_keys);
	attempt_copy(&a);
	a.p.sha256 = hex;
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_TOUCH);
	cr_assert(a.p.now.has_sha256);
	attempt_release(&a);
	put_object(ARCHIVE, "other", 5, no_custom_keys);
	attempt_copy(&a);
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	attempt_release(&a);
}

Test(publish, a_source_that_moved_is_a_lost_race)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	char hex[2 * SHA256_SIZE + 1];
	struct attempt trusted, streamed, gone;
	struct edit removal = {.op = EDIT_REMOVE, .if_generation = STORE_ANY};

	archive_hash(hex, &archive);
	world_add_archive(&w, "foo", "1.0.0");
	attempt_copy(&trusted);
	canonical_put(archive.buf, archive.len);
	attempt_copy(&streamed);
	attempt_copy(&gone);
	gone.source.has_sha256 = true;
	canonical_put(archive.buf, archive.len);
	cr_assert_eq(attempt_run(&trusted), -ESTALE);
	cr_assert_eq(attempt_run(&streamed), -ESTALE);
	object_init(&removal.object);
	removal.object.key = xstrdup(SOURCE);
	cr_assert_eq(store_edit(w.canonical, &removal, 1), 0);
	edit_release(&removal, 1);
	cr_assert_eq(attempt_run(&gone), -ESTALE);
	cr_assert_not(world_has(&w, ARCHIVE));
	attempt_release(&trusted);
	attempt_release(&streamed);
	attempt_release(&gone);
}

Test(publish, a_removal_names_the_generation_and_finds_it_or_not)
{
	struct attempt a, old;

	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_init(&old, LISTING);
	old.p.action = PUBLISH_REMOVE;
	expect_write(OTHER_TEXT, PUBLISHED_WRITE, 1);
	cr_assert_eq(attempt_run(&old), -ESTALE);
	cr_assert(world_has(&w, LISTING));
	attempt_init(&a, LISTING);
	a.p.action = PUBLISH_REMOVE;
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_REMOVE);
	cr_assert_null(a.p.now.key);
	cr_assert_not(world_has(&w, LISTING));
	a.p.have = NULL;
	cr_assert_eq(attempt_run(&a), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING);
	cr_assert_eq(counted(w.counter), 0);
	attempt_release(&a);
	attempt_release(&old);
}

Test(publish, a_preview_says_what_would_be_done_and_sends_nothing)
{
	struct attempt a;

	attempt_write(&a, LISTING, TEXT);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(a.p.done, PUBLISHED_WRITE);
	cr_assert_eq(counted(w.counter), 0);
	attempt_release(&a);
	attempt_write(&a, LISTING, "{}");
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), -EINVAL);
	attempt_release(&a);
	expect_write(TEXT, PUBLISHED_WRITE, 1);
	attempt_write(&a, LISTING, TEXT);
	cr_assert_eq(publish_preview(w.publisher, &a.p, 1), 0);
	cr_assert_eq(a.p.done, PUBLISHED_NOTHING);
	attempt_release(&a);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* conformance.c - the checks of store.h on one driver. */
#include "conformance.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "clock.h"
#include "memory.h"
#include "strbuf.h"

#define KEY "latest/api/packages/http"

static unsigned admitted, list_step = 7;

void conformance_admit(unsigned gaps)
{
	admitted = gaps;
}

bool conformance_admits(enum conformance_gap gap)
{
	return admitted & gap;
}

void conformance_sample_lists(unsigned step)
{
	list_step = step;
}

unsigned conformance_list_step(void)
{
	return list_step;
}

struct edit edit_write(const char *key, const struct body *body, unsigned group)
{
	struct edit e = {
		.op = EDIT_WRITE, .group = group, .body = body, .if_generation = STORE_ANY
	};

	object_init(&e.object);
	e.object.key = xstrdup(key);
	return e;
}

struct edit edit_other(enum edit_op op, const char *key, uint64_t if_generation)
{
	struct edit e = edit_write(key, NULL, 0);

	e.op = op;
	e.if_generation = if_generation;
	return e;
}

struct edit edit_copy(const char *key, struct store *from, const char *from_key,
		      uint64_t from_generation)
{
	struct edit e = edit_other(EDIT_COPY, key, STORE_ANY);

	e.from = from;
	e.from_key = from_key;
	e.from_generation = from_generation;
	return e;
}

int run_edit(struct store *s, struct edit *e, uint64_t *ret)
{
	int r = store_edit(s, e, 1);

	cr_assert_eq(r, e->result);
	if (!r && ret)
		*ret = e->object.generation;
	edit_release(e, 1);
	return r;
}

int put_text(struct store *s, const char *key, const char *text, uint64_t if_generation,
	     uint64_t *ret)
{
	struct body body = body_of_bytes(text, strlen(text));
	struct edit e = edit_write(key, &body, 0);

	e.if_generation = if_generation;
	return run_edit(s, &e, ret);
}

int remove_key(struct store *s, const char *key, uint64_t if_generation)
{
	struct edit e = edit_other(EDIT_REMOVE, key, if_generation);

	return run_edit(s, &e, NULL);
}

uint64_t generation_of(struct store *s, const char *key)
{
	CLEANUP(object_release) struct object obj = { 0 };
	int r = store_stat(s, key, &obj);

	cr_assert(r == 0 || r == -ENOENT, "stat %s: %d", key, r);
	return obj.generation;
}

void expect_text(struct store *s, const char *key, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT((size_t)64 << 20);

	cr_assert_eq(store_read(s, key, STORE_ANY, 0, SIZE_MAX, &out), 0, "%s", key);
	cr_assert_eq(out.len, strlen(text), "%s has %zu bytes", key, out.len);
	cr_assert_arr_eq(out.buf, text, out.len);
}

static int add_key(void *ctx, const struct object *obj)
{
	strbuf_addf(ctx, "%s ", obj->key);
	cr_assert_eq(obj->generation == 0, obj->key[strlen(obj->key) - 1] == '/', "%s", obj->key);
	return 0;
}

char *list_text(struct store *s, const char *prefix, bool deep, const char *after)
{
	struct strbuf out = STRBUF_INIT((size_t)1 << 20);

	cr_assert_eq(store_list(s, prefix, deep, after, add_key, &out), 0);
	return strbuf_detach(&out);
}

void expect_list(struct store *s, const char *prefix, bool deep, const char *after,
		 const char *expected)
{
	CLEANUP(free_char) char *got = list_text(s, prefix, deep, after);

	cr_assert_str_eq(got, expected, "%s list of '%s' after '%s': '%s', not '%s'",
			 deep ? "deep" : "shallow", prefix, after ? after : "-", got, expected);
}

void expect_same(const struct object *a, const struct object *b)
{
	cr_assert_str_eq(a->key, b->key);
	cr_assert_eq(a->generation, b->generation, "%s", a->key);
	cr_assert_eq(a->metageneration, b->metageneration, "%s", a->key);
	cr_assert_eq(a->size, b->size, "%s", a->key);
	cr_assert_eq(a->created, b->created, "%s", a->key);
	cr_assert_eq(a->updated, b->updated, "%s", a->key);
	cr_assert_eq(a->validated, b->validated, "%s", a->key);
	cr_assert_eq(a->has_md5, b->has_md5, "%s", a->key);
	cr_assert_arr_eq(a->md5, b->md5, MD5_SIZE);
	cr_assert_eq(a->has_crc32c, b->has_crc32c, "%s", a->key);
	cr_assert_eq(a->crc32c, b->crc32c, "%s", a->key);
	cr_assert(object_same_headers(a, b), "%s", a->key);
}

void fill_headers(struct object *obj)
{
	obj->gzip = true;
	obj->type = xstrdup("application/json; charset=\"utf-8\"");
	obj->cache_control = xstrdup("public, max-age=120");
	obj->disposition = xstrdup("attachment; filename=\"a.tar.gz\"");
	obj->validated = 1704164645678901;
	sha256("decoded", 7, obj->sha256);
	obj->has_sha256 = obj->has_decoded_size = true;
	obj->decoded_size = 7;
	obj->runtime_version = xstrdup("2026.08.18");
	obj->change = xstrdup("12-0123456789abcdef");
}

void conformance_a_store_has_a_url_an_identity_and_a_batch(struct store *s)
{
	cr_assert_neq(strchr(s->url, ':'), NULL);
	cr_assert_not_null(s->identity);
	cr_assert_geq(strlen(s->identity), 16);
	cr_assert_geq(s->batch, 1);
}

void conformance_what_is_not_there_is_enoent_and_leaves_the_output_alone(struct store *s)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	struct object obj = { .generation = 42 };

	strbuf_addstr(&out, "before");
	cr_assert_eq(store_stat(s, KEY, &obj), -ENOENT);
	cr_assert_eq(obj.generation, 42);
	cr_assert_null(obj.key);
	cr_assert_eq(store_read(s, KEY, STORE_ANY, 0, 10, &out), -ENOENT);
	cr_assert_eq(store_read(s, KEY, 7, 0, 10, &out), -ENOENT);
	cr_assert_str_eq(out.buf, "before");
}

/* Two looks at a clock may also see the same microsecond. */
static bool is_updated_late(struct store *s)
{
	bool late = false;

	for (int i = 0; i < 1000 && !late; i++) {
		CLEANUP(object_release) struct object now = { 0 };

		cr_assert_eq(put_text(s, "late", "x", STORE_ANY, NULL), 0);
		cr_assert_eq(store_stat(s, "late", &now), 0);
		late = now.updated > now.created;
	}
	return late;
}

void conformance_a_written_object_has_all_that_was_written(struct store *s)
{
	CLEANUP(object_release) struct object now = { 0 };
	struct body body = body_of_bytes("stored", 6);
	struct edit e = edit_write(KEY, &body, 0);
	int64_t before = clock_now() / 1000 * 1000; /* a store may keep milliseconds */
	unsigned char sum[MD5_SIZE];

	fill_headers(&e.object);
	cr_assert_eq(store_edit(s, &e, 1), 0);
	cr_assert_eq(e.result, 0);
	md5("stored", 6, sum);
	cr_assert_neq(e.object.generation, 0);
	cr_assert_lt(e.object.generation, INT64_MAX);
	cr_assert_eq(e.object.metageneration, 1);
	cr_assert_eq(e.object.size, 6);
	/* some stores tell milliseconds only */
	cr_assert(e.object.created >= before - before % 1000 && e.object.created <= clock_now());
	if (conformance_admits(GAP_UPDATED))
		cr_assert(is_updated_late(s));
	else
		cr_assert_eq(e.object.updated, e.object.created);
	cr_assert(e.object.has_md5);
	cr_assert_arr_eq(e.object.md5, sum, MD5_SIZE);
	cr_assert_eq(store_stat(s, KEY, &now), 0);
	expect_same(&now, &e.object);
	cr_assert_str_eq(now.disposition, "attachment; filename=\"a.tar.gz\"");
	cr_assert_eq(now.validated, 1704164645678901);
	cr_assert(now.gzip && now.has_sha256 && now.has_decoded_size);
	cr_assert_eq(now.decoded_size, 7);
	cr_assert_str_eq(now.change, "12-0123456789abcdef");
	expect_text(s, KEY, "stored");
	edit_release(&e, 1);
}

void conformance_what_was_not_set_stays_unset(struct store *s)
{
	CLEANUP(object_release) struct object now = { 0 };

	cr_assert_eq(put_text(s, KEY, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &now), 0);
	cr_assert(!now.gzip && !now.has_sha256 && !now.has_decoded_size);
	cr_assert(!now.type && !now.cache_control && !now.disposition);
	cr_assert(!now.runtime_version && !now.change);
	cr_assert_eq(now.validated, NO_TIME);
}

void conformance_texts_of_every_sort_are_kept(struct store *s)
{
	static const char *const texts[] = { "", " ", "\"\\\n\t", "caf\xc3\xa9 \xf0\x9f\x98\x80",
					     "\x01\x7f" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(object_release) struct object now = { 0 };
		struct body body = body_of_bytes("x", 1);
		struct edit e = edit_write(KEY, &body, 0);

		e.object.change = xstrdup(texts[i]);
		e.object.validated = -1;
		cr_assert_eq(run_edit(s, &e, NULL), 0);
		cr_assert_eq(store_stat(s, KEY, &now), 0);
		cr_assert_str_eq(now.change, texts[i]);
		cr_assert_eq(now.validated, -1);
	}
}

void conformance_an_empty_body_is_an_object_too(struct store *s)
{
	CLEANUP(object_release) struct object now = { 0 };
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(0);
	unsigned char sum[MD5_SIZE];

	cr_assert_eq(put_text(s, KEY, "", STORE_ABSENT, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &now), 0);
	md5("", 0, sum);
	cr_assert_eq(now.size, 0);
	cr_assert_arr_eq(now.md5, sum, MD5_SIZE);
	cr_assert_eq(store_read(s, KEY, now.generation, 0, 100, &out), 0);
	cr_assert_eq(out.len, 0);
}

char *big_text(char seed)
{
	char *text = xmalloc(BIG + 1);

	for (size_t i = 0; i < BIG; i++)
		text[i] = (char)('a' + (i / 1000 + i + (size_t)seed) % 26);
	text[BIG] = '\0';
	return text;
}

static ssize_t read_big(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	size_t left = BIG - (size_t)offset;

	n = n < left ? n : left;
	memcpy(buf, (const char *)body->ctx + offset, n);
	return (ssize_t)n;
}

static ssize_t read_broken(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	(void)body;
	memset(buf, 'x', n);
	return offset ? -EIO : (ssize_t)(n < 1000 ? n : 1000);
}

void conformance_a_body_may_be_memory_a_file_or_a_callback(struct store *s)
{
	CLEANUP(free_char) char *text = big_text(1);
	char name[] = "/tmp/pubfs-conformance-XXXXXX";
	int fd = mkstemp(name);
	struct body bodies[3] = { body_of_bytes(text, BIG), { 0 }, { .size = BIG, .fd = -1 } };

	cr_assert_geq(fd, 0);
	unlink(name);
	cr_assert_eq(write(fd, text, BIG), (ssize_t)BIG);
	bodies[1] = body_of_file(fd, BIG);
	bodies[2].read = read_big;
	bodies[2].ctx = text;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct edit e = edit_write(KEY, &bodies[i], 0);

		md5(text, BIG, e.object.md5);
		e.object.has_md5 = true;
		cr_assert_eq(run_edit(s, &e, NULL), 0, "%zu", i);
		expect_text(s, KEY, text);
		cr_assert_eq(remove_key(s, KEY, STORE_ANY), 0);
	}
	close(fd);
}

void conformance_a_body_that_cannot_be_read_changes_nothing(struct store *s)
{
	struct body broken = { .size = BIG, .fd = -1, .read = read_broken };
	struct edit e = edit_write(KEY, &broken, 0);
	uint64_t generation;

	cr_assert_eq(put_text(s, KEY, "old", STORE_ABSENT, &generation), 0);
	cr_assert_eq(run_edit(s, &e, NULL), -EIO);
	expect_text(s, KEY, "old");
	cr_assert_eq(generation_of(s, KEY), generation);
}

void conformance_a_range_is_appended_and_short_only_at_the_end(struct store *s)
{
	static const struct {
		uint64_t offset;
		size_t length;
		const char *expected;
	} rows[] = {
		{ 0, 10, "0123456789" },
		{ 0, 11, "0123456789" },
		{ 0, 9, "012345678" },
		{ 0, 0, "" },
		{ 3, 4, "3456" },
		{ 9, 1, "9" },
		{ 9, 100, "9" },
		{ 10, 1, "" },
		{ 11, SIZE_MAX, "" },
		{ UINT64_MAX, SIZE_MAX, "" },
		{ 1, SIZE_MAX, "123456789" },
	};

	cr_assert_eq(put_text(s, KEY, "0123456789", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);

		strbuf_addstr(&out, "<");
		cr_assert_eq(store_read(s, KEY, STORE_ANY, rows[i].offset, rows[i].length, &out),
			     0);
		cr_assert_eq(out.buf[0], '<');
		cr_assert_str_eq(out.buf + 1, rows[i].expected, "row %zu: %s", i, out.buf);
	}
}

void conformance_a_read_is_of_the_generation_that_was_asked_for(struct store *s)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	uint64_t first, second;

	cr_assert_eq(put_text(s, KEY, "first", STORE_ABSENT, &first), 0);
	cr_assert_eq(put_text(s, KEY, "second", first, &second), 0);
	cr_assert_eq(store_read(s, KEY, first, 0, 100, &out), -ESTALE);
	cr_assert_eq(store_read(s, KEY, second + 1, 0, 100, &out), -ESTALE);
	cr_assert_eq(store_read(s, KEY, first, 100, 0, &out), -ESTALE, "also where nothing is");
	cr_assert_eq(out.len, 0);
	cr_assert_eq(store_read(s, KEY, second, 0, 100, &out), 0);
	cr_assert_str_eq(out.buf, "second");
}

void conformance_a_full_buffer_takes_nothing(struct store *s)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(9), fits = STRBUF_INIT(10);

	cr_assert_eq(put_text(s, KEY, "0123456789", STORE_ABSENT, NULL), 0);
	cr_assert_eq(store_read(s, KEY, STORE_ANY, 0, 100, &out), -E2BIG);
	cr_assert_eq(out.len, 0);
	cr_assert_eq(store_read(s, KEY, STORE_ANY, 0, 100, &fits), 0);
	cr_assert_str_eq(fits.buf, "0123456789");
}

void conformance_generations_grow_even_over_a_removal(struct store *s)
{
	uint64_t last = 0, next;

	for (int i = 0; i < 50; i++) {
		cr_assert_eq(put_text(s, KEY, "x", STORE_ANY, &next), 0);
		cr_assert_gt(next, last);
		last = next;
		if (i % 3 == 0)
			cr_assert_eq(remove_key(s, KEY, STORE_ANY), 0);
	}
}

void conformance_an_overwrite_leaves_nothing_of_the_old_object(struct store *s)
{
	CLEANUP(object_release) struct object now = { 0 };
	struct body body = body_of_bytes("a longer body", 13);
	struct edit e = edit_write(KEY, &body, 0);

	fill_headers(&e.object);
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	cr_assert_eq(put_text(s, KEY, "short", STORE_ANY, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &now), 0);
	cr_assert(!now.type && !now.change && !now.gzip && !now.has_sha256);
	cr_assert_eq(now.size, 5);
	expect_text(s, KEY, "short");
}

/* The conditions of one verb: what is there before, the condition, and the result. `expect` are
 * the results for ANY, ABSENT, the generation there, and another one. */
static void check_conditions(struct store *s, enum edit_op op, bool there, const int results[4])
{
	static const enum conformance_gap gaps[] = { [EDIT_COPY] = GAP_COPY_CONDITION,
						     [EDIT_TOUCH] = GAP_TOUCH_CONDITION,
						     [EDIT_REMOVE] = GAP_REMOVE_CONDITION };
	int expect[4];

	for (int i = 0; i < 4; i++)
		expect[i] = results[conformance_admits(gaps[op]) ? 0 : i];
	for (int i = 0; i < 4; i++) {
		struct body body = body_of_bytes("new", 3);
		uint64_t source, old = 12345, conditions[4] = { STORE_ANY, STORE_ABSENT };
		struct edit e;

		if (op == EDIT_TOUCH && i == 1)
			continue; /* refused by an assertion */
		cr_assert_eq(remove_key(s, KEY, STORE_ANY), 0);
		cr_assert_eq(put_text(s, "source", "new", STORE_ANY, &source), 0);
		if (there)
			cr_assert_eq(put_text(s, KEY, "old", STORE_ABSENT, &old), 0);
		conditions[2] = old;
		conditions[3] = old - 1;
		e = edit_copy(KEY, s, "source", source);
		e.op = op;
		e.body = &body;
		e.if_generation = conditions[i];
		e.object.size = 42;
		cr_assert_eq(store_edit(s, &e, 1), expect[i], "op %d, there %d, condition %d: %d",
			     op, there, i, e.result);
		if (expect[i])
			cr_assert(e.object.size == 42 && !e.object.generation, "untouched");
		if (op == EDIT_REMOVE && !expect[i])
			cr_assert_eq(generation_of(s, KEY), 0);
		else if (expect[i] && there)
			cr_assert_eq(generation_of(s, KEY), old);
		else if (expect[i])
			cr_assert_eq(generation_of(s, KEY), 0);
		else
			expect_text(s, KEY, op == EDIT_TOUCH ? "old" : "new");
		edit_release(&e, 1);
	}
}

void conformance_each_condition_of_a_write_holds(struct store *s)
{
	check_conditions(s, EDIT_WRITE, false, (int[]){ 0, 0, -ESTALE, -ESTALE });
	check_conditions(s, EDIT_WRITE, true, (int[]){ 0, -ESTALE, 0, -ESTALE });
}

void conformance_each_condition_of_a_copy_holds(struct store *s)
{
	check_conditions(s, EDIT_COPY, false, (int[]){ 0, 0, -ESTALE, -ESTALE });
	check_conditions(s, EDIT_COPY, true, (int[]){ 0, -ESTALE, 0, -ESTALE });
}

void conformance_each_condition_of_a_touch_holds(struct store *s)
{
	check_conditions(s, EDIT_TOUCH, false, (int[]){ -ESTALE, 0, -ESTALE, -ESTALE });
	check_conditions(s, EDIT_TOUCH, true, (int[]){ 0, 0, 0, -ESTALE });
}

void conformance_each_condition_of_a_removal_holds(struct store *s)
{
	check_conditions(s, EDIT_REMOVE, false, (int[]){ 0, 0, 0, 0 });
	check_conditions(s, EDIT_REMOVE, true, (int[]){ 0, -ESTALE, 0, -ESTALE });
}

void conformance_a_condition_on_the_metageneration_holds_for_every_change(struct store *s)
{
	static const enum edit_op ops[] = { EDIT_WRITE, EDIT_COPY, EDIT_TOUCH, EDIT_REMOVE };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(ops); i++) {
		bool met = i % 2;
		struct body body = body_of_bytes("new", 3);
		CLEANUP(object_release) struct object now = { 0 };
		struct edit e = edit_other(EDIT_TOUCH, KEY, STORE_ANY);
		uint64_t source, generation;

		cr_assert_eq(put_text(s, "source", "new", STORE_ANY, &source), 0);
		cr_assert_eq(put_text(s, KEY, "old", STORE_ANY, &generation), 0);
		cr_assert_eq(run_edit(s, &e, NULL), 0);
		cr_assert_eq(store_stat(s, KEY, &now), 0);
		if (conformance_admits(GAP_METAGENERATION)) {
			cr_assert_eq(now.metageneration, 1);
			return; /* there is nothing to name */
		}
		cr_assert_eq(now.metageneration, 2);
		e = edit_copy(KEY, s, "source", source);
		e.op = ops[i / 2];
		e.body = &body;
		e.if_generation = generation;
		e.object.validated = 1; /* what is there is not what a lost answer would leave */
		e.if_metageneration = met ? now.metageneration : now.metageneration - 1;
		cr_assert_eq(run_edit(s, &e, NULL), met ? 0 : -ESTALE, "op %d", ops[i / 2]);
		if (!met)
			expect_text(s, KEY, "old");
		else if (ops[i / 2] == EDIT_REMOVE)
			cr_assert_eq(generation_of(s, KEY), 0);
	}
	{
		struct body body = body_of_bytes("new", 3);
		struct edit e = edit_write("none", &body, 0);

		e.if_metageneration = 1;
		cr_assert_eq(run_edit(s, &e, NULL), -ESTALE, "what is not there has none");
		e = edit_other(EDIT_REMOVE, "none", STORE_ANY);
		e.if_metageneration = 1;
		cr_assert_eq(run_edit(s, &e, NULL), 0, "a removal of what is not there");
	}
}

void conformance_a_wrong_md5_changes_nothing(struct store *s)
{
	struct body body = body_of_bytes("new", 3);
	struct edit e = edit_write(KEY, &body, 0);
	uint64_t generation, source;

	cr_assert_eq(put_text(s, KEY, "old", STORE_ABSENT, &generation), 0);
	cr_assert_eq(put_text(s, "source", "new", STORE_ABSENT, &source), 0);
	e.object.has_md5 = true;
	md5("other", 5, e.object.md5);
	cr_assert_eq(run_edit(s, &e, NULL), -EBADMSG);
	e = edit_copy(KEY, s, "source", source);
	e.object.has_md5 = true;
	md5("other", 5, e.object.md5);
	cr_assert_eq(run_edit(s, &e, NULL), -EBADMSG);
	expect_text(s, KEY, "old");
	cr_assert_eq(generation_of(s, KEY), generation);
	e = edit_copy(KEY, s, "source", source);
	e.object.has_md5 = true;
	md5("new", 3, e.object.md5);
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	expect_text(s, KEY, "new");
}

void conformance_a_touch_replaces_the_metadata_and_keeps_the_bytes(struct store *s)
{
	CLEANUP(object_release) struct object before = { 0 }, after = { 0 };
	struct body body = body_of_bytes("bytes", 5);
	struct edit e = edit_write(KEY, &body, 0);

	fill_headers(&e.object);
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &before), 0);
	for (uint64_t metageneration = 2; metageneration < 5; metageneration++) {
		e = edit_other(EDIT_TOUCH, KEY, before.generation);
		e.object.validated = 5;
		e.object.type = xstrdup("text/plain");
		cr_assert_eq(store_edit(s, &e, 1), 0);
		object_release(&after);
		cr_assert_eq(store_stat(s, KEY, &after), 0);
		if (conformance_admits(GAP_TOUCH_HEADERS)) {
			cr_assert(after.gzip && after.cache_control && after.change);
		} else {
			expect_same(&after, &e.object);
			cr_assert(!after.gzip && !after.has_sha256 && !after.change,
				  "all is replaced");
		}
		edit_release(&e, 1);
		cr_assert_eq(after.generation, before.generation);
		cr_assert_eq(after.metageneration,
			     conformance_admits(GAP_METAGENERATION) ? 1 : metageneration);
		cr_assert_eq(after.created, before.created);
		cr_assert_geq(after.updated, before.updated);
		cr_assert_eq(after.size, 5);
		cr_assert(after.has_md5);
		cr_assert_arr_eq(after.md5, before.md5, MD5_SIZE);
		cr_assert_eq(after.validated, 5);
		cr_assert_str_eq(after.type, "text/plain");
		expect_text(s, KEY, "bytes");
	}
}

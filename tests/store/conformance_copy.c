/* SPDX-License-Identifier: BSD-3-Clause */
/* conformance_copy.c - the checks of store.h that are about copies. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "body.h"
#include "conformance.h"
#include "memory.h"

#define KEY "latest/api/packages/http"

static void check_copy(struct store *s, struct store *from)
{
	CLEANUP(free_char) char *text = big_text(2);
	CLEANUP(object_release) struct object source = { 0 }, copy = { 0 };
	struct body body = body_of_bytes(text, BIG);
	struct edit e = edit_write("from/source", &body, 0);

	fill_headers(&e.object);
	cr_assert_eq(run_edit(from, &e, NULL), 0);
	cr_assert_eq(store_stat(from, "from/source", &source), 0);
	e = edit_copy(KEY, from, "from/source", source.generation);
	e.object.type = xstrdup("application/octet");
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &copy), 0);
	cr_assert_eq(copy.size, BIG);
	cr_assert(copy.has_md5);
	cr_assert_arr_eq(copy.md5, source.md5, MD5_SIZE);
	cr_assert_str_eq(copy.type, "application/octet");
	if (s == from && conformance_admits(GAP_COPY_HEADERS))
		cr_assert(copy.gzip && copy.has_sha256 && copy.cache_control);
	else
		cr_assert(!copy.gzip && !copy.has_sha256 && !copy.cache_control);
	cr_assert_eq(copy.metageneration, 1);
	expect_text(s, KEY, text);
	expect_text(from, "from/source", text);
	cr_assert_eq(put_text(from, "from/empty", "", STORE_ANY, NULL), 0);
	e = edit_copy(KEY, from, "from/empty", STORE_ANY);
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	expect_text(s, KEY, "");
}

void conformance_a_copy_has_the_bytes_of_its_source_and_its_own_headers(struct store *s)
{
	check_copy(s, s);
}

void conformance_a_copy_may_come_from_another_store(struct store *s)
{
	struct store *other;

	cr_assert_eq(store_open("mem:other", STORE_CREATE, &other), 0);
	check_copy(s, other);
	check_copy(other, s);
	store_close(other);
}

void conformance_a_copy_is_of_the_generation_that_was_asked_for(struct store *s)
{
	struct store *other, *sources[2] = { s };

	cr_assert_eq(store_open("mem:other", STORE_CREATE, &other), 0);
	sources[1] = other;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		uint64_t first, second;
		struct edit e = edit_copy(KEY, sources[i], "source", STORE_ANY);

		cr_assert_eq(run_edit(s, &e, NULL), -ENOENT);
		cr_assert_eq(put_text(sources[i], "source", "1", STORE_ABSENT, &first), 0);
		cr_assert_eq(put_text(sources[i], "source", "2", first, &second), 0);
		e = edit_copy(KEY, sources[i], "source", first);
		if (sources[i] == s && conformance_admits(GAP_SOURCE_CONDITION)) {
			cr_assert_eq(run_edit(s, &e, NULL), 0);
			expect_text(s, KEY, "2");
			cr_assert_eq(remove_key(s, KEY, STORE_ANY), 0);
		} else {
			cr_assert_eq(run_edit(s, &e, NULL), -ESTALE);
			cr_assert_eq(generation_of(s, KEY), 0);
		}
		e = edit_copy(KEY, sources[i], "source", second);
		cr_assert_eq(run_edit(s, &e, NULL), 0);
		expect_text(s, KEY, "2");
		cr_assert_eq(remove_key(s, KEY, STORE_ANY), 0);
	}
	store_close(other);
}

/* Changes what it was asked for as soon as it has answered. */
static int meddling_stat(struct store *s, const char *key, struct object *ret)
{
	int r = store_stat(s->next, key, ret);

	cr_assert_eq(put_text(s->next, key, "2", STORE_ANY, NULL), 0);
	return r;
}

void conformance_a_source_that_changes_meanwhile_is_estale(struct store *s)
{
	static const struct store_ops ops = { .name = "meddler", .stat = meddling_stat };
	struct store meddler = { .ops = &ops, .next = s, .url = s->url };
	struct edit e = edit_copy(KEY, &meddler, "source", STORE_ANY);
	int r;

	cr_assert_eq(put_text(s, "source", "1", STORE_ABSENT, NULL), 0);
	r = run_edit(s, &e, NULL);
	if (conformance_admits(GAP_SOURCE_CONDITION)) {
		cr_assert_eq(r, 0);
		expect_text(s, KEY, "2");
	} else if (r) {
		cr_assert_eq(r, -ESTALE);
		cr_assert_eq(generation_of(s, KEY), 0);
	} else { /* the copy was made in one step, without a look before */
		expect_text(s, KEY, "1");
		expect_text(s, "source", "1");
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* index_row_test.c - packed rows: nothing is lost, nothing damaged is taken, and they are small. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../../fs/store/index.h"
#include "catalog.h"
#include "conformance.h"
#include "memory.h"

#define KEY	"2026.08.18/api/packages/http"
#define ARCHIVE "2026.08.18/api/archives/http-1.2.0+1.tar.gz"
#define NOW	1787000000123456LL

/* As the export writes them. */
static struct object make_object(const char *key)
{
	struct object_name name;
	struct object obj;

	object_init(&obj);
	obj.key = xstrdup(key);
	cr_assert_neq(catalog_match(key, &name), KIND_NONE);
	catalog_headers(&name, &obj);
	obj.generation = NOW + 40;
	obj.metageneration = 2;
	obj.size = 123456;
	obj.created = NOW;
	obj.updated = NOW + 86400 * 1000000LL;
	obj.validated = NOW + 86399 * 1000000LL;
	memset(obj.md5, 0xa5, sizeof(obj.md5));
	memset(obj.sha256, 0x5a, sizeof(obj.sha256));
	obj.crc32c = 0xfedcba98;
	obj.has_md5 = obj.has_crc32c = obj.has_sha256 = obj.has_decoded_size = true;
	obj.decoded_size = 1234567;
	obj.runtime_version = xstrdup("2026.08.18");
	obj.change = xstrdup("1234-00112233445566ff");
	return obj;
}

static size_t expect_kept(const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(100000);
	struct object got;

	row_pack_content(obj, &content);
	cr_assert_eq(row_unpack_content(obj->key, (struct slice){ content.buf, content.len }, &got),
		     0);
	expect_same(obj, &got);
	object_release(&got);
	return content.len;
}

static void set_text(char **text, const char *value)
{
	free_char(text);
	*text = xstrdup_or_null(value);
}

Test(index_row, an_exported_object_is_kept_whole_in_few_bytes)
{
	static const char *const keys[] = { KEY, KEY "/advisories", ARCHIVE };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(1000);
		CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
		CLEANUP(object_release) struct object obj = make_object(keys[i]);
		struct row row = { .number = 1000000, .checked = NOW };

		expect_kept(&obj);
		row_pack_content(&obj, &content);
		row.content = (struct slice){ content.buf, content.len };
		row_pack(keys[i], &row, &packed);
		cr_assert_leq(packed.len, 130, "%zu bytes", packed.len);
	}
}

Test(index_row, an_object_of_which_nothing_is_known_is_kept)
{
	CLEANUP(object_release) struct object obj;

	object_init(&obj);
	obj.key = xstrdup("x");
	obj.generation = 1;
	expect_kept(&obj);
}

Test(index_row, the_ends_of_every_number_are_kept)
{
	static const uint64_t sizes[] = { 0, 0x7f, 0x80, 0x3fff, 0x4000, UINT64_MAX - 1, UINT64_MAX };
	static const int64_t times[] = { INT64_MIN + 1, -1, 0, 1, INT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		for (size_t j = 0; j < ARRAY_SIZE(times); j++) {
			CLEANUP(object_release) struct object obj = make_object(KEY);

			obj.size = obj.decoded_size = obj.metageneration = sizes[i];
			obj.generation = sizes[i] ? sizes[i] : 1;
			obj.created = times[j];
			obj.updated = times[ARRAY_SIZE(times) - 1 - j];
			obj.validated = times[j];
			expect_kept(&obj);
		}
}

Test(index_row, each_fact_may_be_missing_alone)
{
	for (int i = 0; i < 10; i++) {
		CLEANUP(object_release) struct object obj = make_object(ARCHIVE);

		if (i == 0)
			obj.has_md5 = false, memset(obj.md5, 0, sizeof(obj.md5));
		if (i == 1)
			obj.has_sha256 = false, memset(obj.sha256, 0, sizeof(obj.sha256));
		if (i == 2)
			obj.has_decoded_size = false, obj.decoded_size = 0;
		if (i == 3)
			obj.validated = NO_TIME;
		if (i == 4)
			set_text(&obj.runtime_version, NULL);
		if (i == 5)
			set_text(&obj.change, NULL);
		if (i == 6)
			obj.gzip = !obj.gzip;
		if (i == 7)
			obj.has_crc32c = false, obj.crc32c = 0;
		if (i == 8)
			obj.foreign_encoding = !obj.foreign_encoding;
		expect_kept(&obj);
	}
}

Test(index_row, headers_that_are_not_the_catalogs_are_kept_each)
{
	static const char *const texts[] = { NULL, "", "x", "attachment; filename=\"\xc3\xa4\"" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (int field = 0; field < 3; field++) {
			CLEANUP(object_release) struct object obj = make_object(ARCHIVE);
			char **fields[] = { &obj.type, &obj.cache_control, &obj.disposition };

			set_text(fields[field], texts[i]);
			expect_kept(&obj);
		}
}

Test(index_row, a_change_is_kept_in_whatever_spelling)
{
	static const struct {
		const char *change;
		bool packed;
	} cases[] = {
		{ "0-0000000000000000", true },
		{ "18446744073709551615-ffffffffffffffff", true },
		{ "18446744073709551616-ffffffffffffffff", false },
		{ "1-0123456789abcdef", true },
		{ "01-0123456789abcdef", false },
		{ "+1-0123456789abcdef", false },
		{ " 1-0123456789abcdef", false },
		{ "-1-0123456789abcdef", false },
		{ "1-0123456789ABCDEF", false },
		{ "1-0123456789abcde", false },
		{ "1-0123456789abcdef0", false },
		{ "1_0123456789abcdef", false },
		{ "hand", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(object_release) struct object obj = make_object(KEY);
		size_t without, with;

		set_text(&obj.change, NULL);
		without = expect_kept(&obj);
		set_text(&obj.change, cases[i].change);
		with = expect_kept(&obj);
		/* text: its length in one byte, as NULL, and itself */
		cr_assert_eq(with != without + strlen(cases[i].change), cases[i].packed, "%s",
			     cases[i].change);
	}
}

static void pack(const char *key, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(1000);
	CLEANUP(object_release) struct object obj = make_object(KEY);
	struct row row = { .number = 300, .checked = NOW };

	row_pack_content(&obj, &content);
	row.content = (struct slice){ content.buf, content.len };
	row_pack(key, &row, out);
}

Test(index_row, what_a_row_says_of_itself_is_kept)
{
	for (int i = 0; i < 8; i++) {
		CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
		struct row got, row = { .number = i & 4 ? UINT64_MAX : 0, .checked = NO_TIME };

		row.tombstone = i & 1;
		row.doomed = i & 2;
		if (i & 4)
			row.checked = INT64_MAX;
		row_pack(KEY, &row, &packed);
		cr_assert_eq(row_parse(KEY, (struct slice){ packed.buf, packed.len }, &got), 0);
		cr_assert_eq(got.number, row.number);
		cr_assert_eq(got.checked, row.checked);
		cr_assert_eq(got.tombstone, row.tombstone);
		cr_assert_eq(got.doomed, row.doomed);
		cr_assert_eq(got.content.n, 0);
	}
}

Test(index_row, no_flipped_bit_and_no_cut_is_taken)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
	struct row row;

	pack(KEY, &packed);
	cr_assert_eq(row_check(KEY, (struct slice){ packed.buf, packed.len }), 0);
	for (size_t i = 0; i < 8 * packed.len; i++) {
		packed.buf[i / 8] ^= (char)(1 << i % 8);
		cr_assert_eq(row_check(KEY, (struct slice){ packed.buf, packed.len }), -EBADMSG);
		packed.buf[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t n = 0; n < packed.len; n++)
		cr_assert_eq(row_parse(KEY, (struct slice){ packed.buf, n }, &row), -EBADMSG);
}

Test(index_row, a_row_under_another_key_is_not_taken)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
	struct row row;

	pack(KEY, &packed);
	cr_assert_eq(row_parse(KEY "x", (struct slice){ packed.buf, packed.len }, &row), -EBADMSG);
}

/* The checksum is not the only guard: content of any length is read within its bounds. */
Test(index_row, content_that_ends_anywhere_or_goes_on_is_refused)
{
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(1000);
	CLEANUP(object_release) struct object obj = make_object(KEY);
	struct object got;

	set_text(&obj.type, "text/plain");
	row_pack_content(&obj, &content);
	for (size_t n = 0; n < content.len; n++) {
		CLEANUP(free_char) char *cut = xmalloc(n);

		memcpy(cut, content.buf, n);
		cr_assert_eq(row_unpack_content(KEY, (struct slice){ cut, n }, &got), -EBADMSG);
	}
	strbuf_addch(&content, 'x');
	cr_assert_eq(row_unpack_content(KEY, (struct slice){ content.buf, content.len }, &got),
		     -EBADMSG);
}

Test(index_row, a_tombstone_with_content_is_refused)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
	struct row row = { .checked = NO_TIME, .tombstone = true };

	row_pack(KEY, &row, &packed);
	cr_assert_eq(row_check(KEY, (struct slice){ packed.buf, packed.len }), 0);
	strbuf_reset(&packed);
	row.content = (struct slice){ "x", 1 };
	row_pack(KEY, &row, &packed);
	cr_assert_eq(row_check(KEY, (struct slice){ packed.buf, packed.len }), -EBADMSG);
}

Test(index_row, the_newer_of_two_states_is_known_by_generation_then_metageneration)
{
	static const struct {
		uint64_t a[2], b[2];
		bool newer;
	} cases[] = {
		{ { 5, 1 }, { 4, 9 }, true },
		{ { 4, 9 }, { 5, 1 }, false },
		{ { 5, 2 }, { 5, 1 }, true },
		{ { 5, 1 }, { 5, 2 }, false },
		{ { 5, 1 }, { 5, 1 }, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(strbuf_release) struct strbuf a = STRBUF_INIT(1000);
		CLEANUP(strbuf_release) struct strbuf b = STRBUF_INIT(1000);
		CLEANUP(object_release) struct object obj = make_object(KEY);

		obj.generation = cases[i].a[0];
		obj.metageneration = cases[i].a[1];
		row_pack_content(&obj, &a);
		obj.generation = cases[i].b[0];
		obj.metageneration = cases[i].b[1];
		row_pack_content(&obj, &b);
		cr_assert_eq(row_content_is_newer((struct slice){ a.buf, a.len },
						  (struct slice){ b.buf, b.len }),
			     cases[i].newer);
	}
}

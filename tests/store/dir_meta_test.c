/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_meta_test.c - the metadata attribute of `dir:`, written and read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../../fs/store/dir.h"
#include "conformance.h"
#include "memory.h"
#include "strbuf.h"

#define MD5_HEX	   "900150983cd24fb0d6963f7d28e17f72"
#define SHA256_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define REQUIRED                                                                                   \
	"\"v\":1,\"generation\":5,\"metageneration\":2,\"size\":3,\"created\":10,\"updated\":11,"  \
	"\"md5\":\"" MD5_HEX "\""

static void fill(struct object *obj)
{
	object_init(obj);
	obj->generation = 5;
	obj->metageneration = 2;
	obj->size = 3;
	obj->created = 10;
	obj->updated = 11;
	md5("abc", 3, obj->md5);
	obj->has_md5 = true;
}

Test(dir_meta, what_is_not_set_takes_no_room)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(10000);
	struct object obj;

	fill(&obj);
	cr_assert_eq(dir_meta_encode(&obj, &out), 0);
	cr_assert_str_eq(out.buf, "{" REQUIRED "}");
}

Test(dir_meta, all_that_is_set_comes_back)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(10000);
	struct object obj, back;

	fill(&obj);
	fill_headers(&obj);
	obj.key = xstrdup("key");
	cr_assert_eq(dir_meta_encode(&obj, &out), 0);
	cr_assert_eq(dir_meta_decode(out.buf, out.len, &back), 0);
	cr_assert_null(back.key);
	back.key = xstrdup("key");
	expect_same(&obj, &back);
	object_release(&obj);
	object_release(&back);
}

Test(dir_meta, the_largest_numbers_come_back)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(10000);
	struct object obj, back;

	fill(&obj);
	obj.generation = obj.metageneration = obj.size = obj.decoded_size = INT64_MAX;
	obj.has_decoded_size = true;
	obj.created = obj.validated = -INT64_MAX;
	cr_assert_eq(dir_meta_encode(&obj, &out), 0);
	cr_assert_eq(dir_meta_decode(out.buf, out.len, &back), 0);
	cr_assert_eq(back.generation, INT64_MAX);
	cr_assert_eq(back.decoded_size, INT64_MAX);
	cr_assert_eq(back.validated, -INT64_MAX);
}

static const struct {
	const char *text;
	int result;
} texts[] = {
	{ "{" REQUIRED "}", 0 },
	{ "{" REQUIRED ",\"decoded_size\":0,\"gzip\":true,\"change\":\"\"}", 0 },
	{ "{" REQUIRED ",\"sha256\":\"" SHA256_HEX "\"}", 0 },
	{ " {" REQUIRED "}\n", 0 },
	/* not the whole of it, or more than it */
	{ "", -EBADMSG },
	{ "{}", -EBADMSG },
	{ "[]", -EBADMSG },
	{ "null", -EBADMSG },
	{ "{" REQUIRED, -EBADMSG },
	{ "{" REQUIRED "}x", -EBADMSG },
	{ "{" REQUIRED "}{}", -EBADMSG },
	/* a member too few, twice, or not known */
	{ "{\"v\":1,\"generation\":5,\"metageneration\":2,\"size\":3,\"created\":10,\"updated\":"
	  "11}",
	  -EBADMSG },
	{ "{" REQUIRED ",\"size\":3}", -EBADMSG },
	{ "{" REQUIRED ",\"colour\":\"red\"}", -EBADMSG },
	/* of another type */
	{ "{" REQUIRED ",\"type\":7}", -EBADMSG },
	{ "{" REQUIRED ",\"type\":null}", -EBADMSG },
	{ "{" REQUIRED ",\"gzip\":1}", -EBADMSG },
	{ "{" REQUIRED ",\"decoded_size\":1.0}", -EBADMSG },
	{ "{" REQUIRED ",\"validated\":\"2024-01-02T03:04:05.678Z\"}", -EBADMSG },
	/* of no meaning */
	{ "{" REQUIRED ",\"decoded_size\":-2}", -EBADMSG },
	{ "{" REQUIRED ",\"sha256\":\"" MD5_HEX "\"}", -EBADMSG },
	{ "{" REQUIRED ",\"change\":\"\\u0000\"}", -EBADMSG },
	{ "{" REQUIRED ",\"change\":\"\xff\"}", -EBADMSG },
};

Test(dir_meta, only_what_is_written_here_is_read)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct object obj = { .generation = 42 };

		cr_assert_eq(dir_meta_decode(texts[i].text, strlen(texts[i].text), &obj),
			     texts[i].result, "%s", texts[i].text);
		cr_assert_eq(obj.generation, texts[i].result ? 42 : 5);
		if (!texts[i].result)
			object_release(&obj);
	}
}

/* Each required member with a value just outside of what it may be. */
Test(dir_meta, required_members_have_bounds)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{ "\"v\":1", "\"v\":2" },
		{ "\"v\":1", "\"v\":0" },
		{ "\"generation\":5", "\"generation\":0" },
		{ "\"generation\":5", "\"generation\":-1" },
		{ "\"generation\":5", "\"generation\":9223372036854775808" },
		{ "\"metageneration\":2", "\"metageneration\":0" },
		{ "\"size\":3", "\"size\":-1" },
		{ "\"created\":10", "\"created\":\"10\"" },
		{ "\"updated\":11", "\"updated\":null" },
		{ "17f72\"", "17f7\"" },
		{ "17f72\"", "17f7g\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *at = strstr(texts[0].text, rows[i].from);
		struct object obj = { 0 };
		CLEANUP(free_char)
		char *text = xasprintf("%.*s%s%s", (int)(at - texts[0].text), texts[0].text,
				       rows[i].to, at + strlen(rows[i].from));

		cr_assert_eq(dir_meta_decode(text, strlen(text), &obj), -EBADMSG, "%s", text);
	}
}

Test(dir_meta, texts_that_no_attribute_can_keep_are_refused)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(10000);
	struct object obj;
	char text[4000];

	fill(&obj);
	fill_headers(&obj);
	obj.key = xstrdup("key");
	free(obj.change);
	obj.change = xstrdup("\xff");
	cr_assert_eq(dir_meta_encode(&obj, &out), -EINVAL);
	free(obj.change);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	obj.change = xstrdup(text);
	cr_assert_eq(dir_meta_encode(&obj, &out), -E2BIG);
	cr_assert_eq(out.len, 0);
	text[3000] = '\0';
	free(obj.change);
	obj.change = xstrdup(text);
	cr_assert_eq(dir_meta_encode(&obj, &out), 0);
	object_release(&obj);
}

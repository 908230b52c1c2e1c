/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_object_test.c - objects as the JSON API has them, in both directions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/gcs.h"
#include "memory.h"
#include "strbuf.h"

#define NEEDED                                                                                     \
	"\"name\":\"a/b\",\"generation\":\"1700000000000001\",\"metageneration\":\"3\","           \
	"\"size\":\"11\",\"timeCreated\":\"2024-01-02T03:04:05.678Z\","                            \
	"\"updated\":\"2024-01-02T03:04:06Z\""

static int parse(const char *text, struct object *ret)
{
	CLEANUP(gcs_json_release) json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);

	cr_assert_not_null(json, "%s", text);
	return gcs_object_parse(json, ret);
}

Test(gcs_object, an_object_of_ours_has_everything)
{
	CLEANUP(object_release) struct object obj = { 0 };
	unsigned char md[MD5_SIZE], sha[SHA256_SIZE];

	md5("hello world", 11, md);
	sha256("decoded", 7, sha);
	cr_assert_eq(parse("{" NEEDED ",\"md5Hash\":\"XrY7u+Ae7tCTyyK7j1rNww==\","
			   "\"crc32c\":\"yZRlqg==\",\"contentType\":\"text/x\","
			   "\"contentEncoding\":\"gzip\",\"cacheControl\":\"public\","
			   "\"contentDisposition\":\"inline\",\"metadata\":{"
			   "\"validated\":\"2024-01-02T03:04:05.678901Z\","
			   "\"sha256\":\"0a8ad8f02be5bc54f0e1acbff3d45e2c"
			   "3a8a5ac23d6a2b5d0b8e7f0e5d6c7b8a\","
			   "\"decoded-size\":\"7\",\"runtime-version\":\"2026.08.18\","
			   "\"change\":\"12-0123456789abcdef\",\"theirs\":\"x\"}}",
			   &obj),
		     0);
	cr_assert_str_eq(obj.key, "a/b");
	cr_assert_eq(obj.generation, 1700000000000001);
	cr_assert_eq(obj.metageneration, 3);
	cr_assert_eq(obj.size, 11);
	cr_assert_eq(obj.created, 1704164645678000);
	cr_assert_eq(obj.updated, 1704164646000000);
	cr_assert(obj.has_md5);
	cr_assert_arr_eq(obj.md5, md, MD5_SIZE);
	cr_assert(obj.has_crc32c);
	cr_assert_eq(obj.crc32c, crc32c(0, "hello world", 11));
	cr_assert(obj.gzip);
	cr_assert_str_eq(obj.type, "text/x");
	cr_assert_str_eq(obj.cache_control, "public");
	cr_assert_str_eq(obj.disposition, "inline");
	cr_assert_eq(obj.validated, 1704164645678901);
	cr_assert(obj.has_sha256);
	cr_assert_eq(obj.sha256[0], 0x0a);
	cr_assert(obj.has_decoded_size);
	cr_assert_eq(obj.decoded_size, 7);
	cr_assert_str_eq(obj.runtime_version, "2026.08.18");
	cr_assert_str_eq(obj.change, "12-0123456789abcdef");
}

Test(gcs_object, an_object_of_others_has_what_it_has)
{
	CLEANUP(object_release) struct object obj = { 0 };

	cr_assert_eq(parse("{" NEEDED ",\"contentEncoding\":\"br\","
			   "\"contentType\":\"application/octet-stream\","
			   "\"crc32c\":\"AAAAAA==\",\"metadata\":{\"validated\":\"yesterday\","
			   "\"sha256\":\"abc\",\"decoded-size\":\"-1\",\"change\":7}}",
			   &obj),
		     0);
	cr_assert(!obj.has_md5 && obj.has_crc32c && !obj.gzip && !obj.type);
	cr_assert(obj.foreign_encoding);
	cr_assert_eq(obj.validated, NO_TIME);
	cr_assert(!obj.has_sha256 && !obj.has_decoded_size && !obj.change);
}

Test(gcs_object, a_decoded_size_that_no_file_can_have_is_none)
{
	static const struct {
		const char *size;
		bool has;
	} rows[] = { { "9223372036854775807", true },
		     { "9223372036854775808", false },
		     { "18446744073709551615", false } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(object_release) struct object obj = { 0 };
		CLEANUP(free_char)
		char *text = xasprintf("{" NEEDED ",\"metadata\":{\"decoded-size\":\"%s\"}}",
				       rows[i].size);

		cr_assert_eq(parse(text, &obj), 0);
		cr_expect_eq(obj.has_decoded_size, rows[i].has, "%s", rows[i].size);
	}
}

Test(gcs_object, gzip_is_known_in_any_spelling_and_identity_is_none)
{
	static const struct {
		const char *encoding;
		bool gzip, foreign;
	} rows[] = {
		{ "gzip", true, false },      { "GZIP", true, false },
		{ "x-gzip", true, false },    { "", false, false },
		{ "identity", false, false }, { "br", false, true },
		{ "gzip, br", false, true },  { "deflate", false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(object_release) struct object obj = { 0 };
		CLEANUP(free_char)
		char *text = xasprintf("{" NEEDED ",\"contentEncoding\":\"%s\"}", rows[i].encoding);

		cr_assert_eq(parse(text, &obj), 0);
		cr_expect(obj.gzip == rows[i].gzip && obj.foreign_encoding == rows[i].foreign, "%s",
			  rows[i].encoding);
	}
}

Test(gcs_object, five_tebibytes_are_a_size)
{
	CLEANUP(object_release) struct object obj = { 0 };

	cr_assert_eq(parse("{\"name\":\"a\",\"generation\":\"9223372036854775807\","
			   "\"metageneration\":\"1\",\"size\":\"5497558138880\","
			   "\"timeCreated\":\"2024-01-02T03:04:05Z\","
			   "\"updated\":\"2024-01-02T03:04:05Z\"}",
			   &obj),
		     0);
	cr_assert_eq(obj.size, 5497558138880);
	cr_assert_eq(obj.generation, INT64_MAX);
}

/* A whole object with one member said otherwise (later members win in what is built here). */
Test(gcs_object, a_member_of_another_form_is_refused_and_the_output_untouched)
{
	static const char *const members[] = {
		"\"name\":\"\"",
		"\"name\":7",
		"\"generation\":\"0\"",
		"\"generation\":7",
		"\"generation\":\"-1\"",
		"\"generation\":\" 1\"",
		"\"generation\":\"1x\"",
		"\"generation\":\"9223372036854775808\"",
		"\"generation\":\"99999999999999999999\"",
		"\"metageneration\":null",
		"\"size\":\"\"",
		"\"size\":\"1e3\"",
		"\"size\":11",
		"\"timeCreated\":\"now\"",
		"\"updated\":0",
		"\"md5Hash\":\"abc\"",
		"\"md5Hash\":\"!!!!!!!!!!!!!!!!!!!!!!==\"",
		"\"crc32c\":\"AAAA\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		CLEANUP(free_char) char *text = xasprintf("{" NEEDED ",%s}", members[i]);
		struct object obj = { .generation = 42 };

		cr_assert_eq(parse(text, &obj), -EBADMSG, "%s", members[i]);
		cr_assert_eq(obj.generation, 42);
	}
}

Test(gcs_object, a_name_with_a_nul_is_no_key)
{
	struct object obj = { .generation = 42 };

	cr_assert_eq(parse("{" NEEDED ",\"name\":\"a\\u0000b\"}", &obj), -ENOENT);
	cr_assert_eq(obj.generation, 42);
}

static void fill(struct object *obj)
{
	object_init(obj);
	obj->key = xstrdup("latest/api/packages/caf\xc3\xa9");
	obj->type = xstrdup("application/json; charset=\"utf-8\"");
	obj->gzip = true;
	obj->validated = 1704164645678901;
	obj->decoded_size = 7;
	obj->has_decoded_size = true;
	obj->change = xstrdup("1-0000000000000000");
	md5("", 0, obj->md5);
	obj->has_md5 = true;
	obj->crc32c = 0x01020304;
	obj->has_crc32c = true;
}

Test(gcs_object, what_is_sent_has_what_is_set_and_no_more)
{
	CLEANUP(object_release) struct object obj = { 0 };
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);
	CLEANUP(gcs_json_release) json_t *sent = NULL, *expected = NULL;

	fill(&obj);
	cr_assert_eq(gcs_object_format(&obj, &out), 0);
	sent = json_loads(out.buf, 0, NULL);
	expected = json_loads(
		"{\"name\":\"latest/api/packages/caf\xc3\xa9\","
		"\"contentType\":\"application/json; charset=\\\"utf-8\\\"\","
		"\"contentEncoding\":\"gzip\",\"md5Hash\":\"1B2M2Y8AsgTpgAmY7PhCfg==\","
		"\"crc32c\":\"AQIDBA==\",\"metadata\":{\"decoded-size\":\"7\","
		"\"validated\":\"2024-01-02T03:04:05.678901Z\",\"change\":\"1-0000000000000000\"}}",
		0, NULL);
	cr_assert(json_equal(sent, expected), "%s", out.buf);
}

Test(gcs_object, a_patch_takes_away_what_is_not_set)
{
	CLEANUP(object_release) struct object obj = { 0 };
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);
	CLEANUP(gcs_json_release) json_t *sent = NULL, *expected = NULL;

	fill(&obj);
	obj.gzip = false;
	cr_assert_eq(gcs_object_format_patch(&obj, &out), 0);
	sent = json_loads(out.buf, 0, NULL);
	expected = json_loads(
		"{\"contentType\":\"application/json; charset=\\\"utf-8\\\"\","
		"\"contentEncoding\":null,\"cacheControl\":null,\"contentDisposition\":null,"
		"\"metadata\":{\"decoded-size\":\"7\",\"sha256\":null,\"runtime-version\":null,"
		"\"validated\":\"2024-01-02T03:04:05.678901Z\",\"change\":\"1-0000000000000000\"}}",
		0, NULL);
	cr_assert(json_equal(sent, expected), "%s", out.buf);
}

Test(gcs_object, what_is_sent_reads_back_the_same)
{
	CLEANUP(object_release) struct object obj = { 0 }, back = { 0 };
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);

	fill(&obj);
	sha256("x", 1, obj.sha256);
	obj.has_sha256 = true;
	obj.runtime_version = xstrdup("2026.08.18");
	obj.disposition = xstrdup("attachment; filename=\"\\\"\"");
	cr_assert_eq(gcs_object_format(&obj, &out), 0);
	strbuf_setlen(&out, out.len - 1);
	strbuf_addstr(&out, ",\"generation\":\"1\",\"metageneration\":\"1\",\"size\":\"0\","
			    "\"timeCreated\":\"2024-01-02T03:04:05Z\","
			    "\"updated\":\"2024-01-02T03:04:05Z\"}");
	cr_assert_eq(parse(out.buf, &back), 0);
	cr_assert_str_eq(back.key, obj.key);
	cr_assert(object_same_headers(&obj, &back));
	cr_assert_eq(back.validated, obj.validated);
	cr_assert_eq(back.crc32c, obj.crc32c);
	cr_assert_arr_eq(back.md5, obj.md5, MD5_SIZE);
}

Test(gcs_object, a_text_that_is_not_utf8_is_refused)
{
	CLEANUP(object_release) struct object obj = { 0 };
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);

	fill(&obj);
	free(obj.change);
	obj.change = xstrdup("\xff");
	cr_assert_eq(gcs_object_format(&obj, &out), -EINVAL);
	cr_assert_eq(out.len, 0);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* json_test.c - what is JSON, and how it is written (spec, section 4). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "json.h"
#include "strbuf.h"

#define TEXT_MAX ((size_t)64 << 20)

static struct json parsed(const char *text)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
	struct json value = { JSON_NULL, NULL, 0 };

	cr_assert_eq(json_parse(text, strlen(text), &value, &why), 0, "%s: %s", text, why.buf);
	return value;
}

static void assert_written(const char *text, const char *expected)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(TEXT_MAX);

	json_add(&out, parsed(text));
	cr_assert_str_eq(out.buf, expected, "%s became %s", text, out.buf);
}

/* Section 4, rule by rule: the stored text, and what is written of it. */
static const struct {
	const char *text, *written;
} encodings[] = {
	/* no white space between tokens, none around */
	{ " { \"a\" : [ 1 ,\t2 ] ,\r\n\"b\":{ } }\n", "{\"a\":[1,2],\"b\":{}}" },
	{ "\t[ ]\n", "[]" },
	{ "\"white  space\\tinside\"", "\"white  space\\tinside\"" },
	/* keys in their order, nulls and empty maps kept, no type changed */
	{ "{\"z\":1,\"a\":2}", "{\"z\":1,\"a\":2}" },
	{ "{\"executables\": {\"x\": null}, \"e\": { }}",
	  "{\"executables\":{\"x\":null},\"e\":{}}" },
	{ "[true, false, null, 1, \"1\"]", "[true,false,null,1,\"1\"]" },
	/* a backslash before quote and backslash */
	{ "\"\\\"\"", "\"\\\"\"" },
	{ "\"\\u0022\"", "\"\\\"\"" },
	{ "\"\\\\\"", "\"\\\\\"" },
	{ "\"\\u005C\"", "\"\\\\\"" },
	{ "\"\\\\u0041\"", "\"\\\\u0041\"" },
	{ "\"\\\\\\u0041\"", "\"\\\\A\"" },
	/* five letters */
	{ "\"\\b\\t\\n\\f\\r\"", "\"\\b\\t\\n\\f\\r\"" },
	{ "\"\\u0008\\u0009\\u000a\\u000c\\u000D\"", "\"\\b\\t\\n\\f\\r\"" },
	/* the other ones below U+0020 in lower-case hex */
	{ "\"\\u0000\\u0001\\u0007\"", "\"\\u0000\\u0001\\u0007\"" },
	{ "\"\\u000b\\u000E\"", "\"\\u000b\\u000e\"" },
	{ "\"\\u001F\\u0020\"", "\"\\u001f \"" },
	/* an unpaired surrogate in lower-case hex, a pair as one character */
	{ "\"\\uD83D\"", "\"\\ud83d\"" },
	{ "\"\\uDE00\"", "\"\\ude00\"" },
	{ "\"\\uD83D\\uDE00\"", "\"\xf0\x9f\x98\x80\"" },
	{ "\"\\ude00\\ud83d\"", "\"\\ude00\\ud83d\"" },
	{ "\"\\ud83d\\ud83d\\ude00\"", "\"\\ud83d\xf0\x9f\x98\x80\"" },
	{ "\"\\ud83d\\n\"", "\"\\ud83d\\n\"" },
	{ "\"\\ud83dx\"", "\"\\ud83dx\"" },
	{ "\"\\ud83d\\u0041\"", "\"\\ud83dA\"" },
	{ "\"\\ud83d\\\\de00\"", "\"\\ud83d\\\\de00\"" },
	{ "\"\\uDC00\\uDC00\"", "\"\\udc00\\udc00\"" },
	{ "\"\\uDBFF\\uDC00\"", "\"\xf4\x8f\xb0\x80\"" },
	{ "\"\\uDBFF\\uE000\"", "\"\\udbff\xee\x80\x80\"" },
	{ "\"\\uD7FF\\uDC00\"", "\"\xed\x9f\xbf\\udc00\"" },
	{ "\"\\uD800\\uDFFF\"", "\"\xf0\x90\x8f\xbf\"" },
	/* all else raw */
	{ "\"\\/ / \\u002f\"", "\"/ / /\"" },
	{ "\"\\u007f\"", "\"\x7f\"" },
	{ "\"\\u00e9\\u00E9\xc3\xa9\"", "\"\xc3\xa9\xc3\xa9\xc3\xa9\"" },
	{ "\"\\u2028\\u2029\"", "\"\xe2\x80\xa8\xe2\x80\xa9\"" },
	{ "\"\xe2\x80\xa8 \xf0\x9f\x98\x80\"", "\"\xe2\x80\xa8 \xf0\x9f\x98\x80\"" },
	{ "\"\\uFFFF\"", "\"\xef\xbf\xbf\"" },
	{ "\"<&>'\"", "\"<&>'\"" },
	/* keys like any string */
	{ "{\"\\u0061\\/\": \"\\u0062\"}", "{\"a/\":\"b\"}" },
	/* numbers keep their text */
	{ "[12345678901234567890, 1e400, 0.1]", "[12345678901234567890,1e400,0.1]" },
	{ "[1e+21, 1e21, 1E-7, 1.0, 1.50, -0, -0.0]", "[1e+21,1e21,1E-7,1.0,1.50,-0,-0.0]" },
};

Test(json, is_written_as_section_4_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
		assert_written(encodings[i].text, encodings[i].written);
}

Test(json, what_was_written_is_written_the_same_again)
{
	for (size_t i = 0; i < ARRAY_SIZE(encodings); i++)
		assert_written(encodings[i].written, encodings[i].written);
}

Test(json, every_escape_of_four_digits_is_written_by_the_one_rule)
{
	for (unsigned c = 0; c <= 0xffff; c++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
		CLEANUP(strbuf_release) struct strbuf literal = STRBUF_INIT(100);
		CLEANUP(strbuf_release) struct strbuf decoded = STRBUF_INIT(100);
		char text[2][9];
		struct json value;

		snprintf(text[0], sizeof(text[0]), "\"\\u%04x\"", c);
		snprintf(text[1], sizeof(text[1]), "\"\\u%04X\"", c);
		json_add(&out, parsed(text[1]));
		if (c < 0x20 || c == '"' || c == '\\')
			cr_assert_eq(out.buf[1], '\\', "U+%04X", c);
		else if (c >= 0xd800 && c <= 0xdfff)
			cr_assert_str_eq(out.buf, text[0]);
		else
			cr_assert_neq(out.buf[1], '\\', "U+%04X", c);
		value = parsed(text[0]);
		json_decode(value, &decoded);
		json_add_string(&literal, decoded.buf, decoded.len);
		cr_assert_str_eq(literal.buf, out.buf, "U+%04X: %s", c, literal.buf);
	}
}

static const struct {
	const char *bytes;
	size_t n;
	const char *literal;
} literals[] = {
	{ "", 0, "\"\"" },
	{ "plain", 5, "\"plain\"" },
	{ "\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
	{ "\0\x01\x0b\x1f\x20\x7f", 6, "\"\\u0000\\u0001\\u000b\\u001f \x7f\"" },
	{ "a\0b", 3, "\"a\\u0000b\"" },
	{ "\xe2\x80\xa8\xf0\x9f\x98\x80", 7, "\"\xe2\x80\xa8\xf0\x9f\x98\x80\"" },
	{ "\xed\x9f\xbf\xed\xa0\x80\xed\xbf\xbf", 9, "\"\xed\x9f\xbf\\ud800\\udfff\"" },
	{ "x\xed\xa0\xbd", 4, "\"x\\ud83d\"" },
	/* no surrogate, though it begins like one: passed on, and nothing swallowed */
	{ "\xed\xa0\"", 3, "\"\xed\xa0\\\"\"" },
	{ "\xed\xa0\xbd", 2, "\"\xed\xa0\"" },
};

Test(json, a_string_of_bytes_is_escaped_as_section_4_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(literals); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);

		json_add_string(&out, literals[i].bytes, literals[i].n);
		cr_assert_str_eq(out.buf, literals[i].literal, "%zu: %s", i, out.buf);
	}
}

/* What is refused, and where. */
static const struct {
	const char *text, *why;
} refused[] = {
	{ "", "no value at byte 0" },
	{ "  ", "no value at byte 2" },
	{ "\xef\xbb\xbf{}", "no value at byte 0" },
	{ "nul", "no value at byte 0" },
	{ "nulL", "no value at byte 0" },
	{ "True", "no value at byte 0" },
	{ "falsey", "more than one value at byte 5" },
	{ "{} {}", "more than one value at byte 3" },
	{ "1 2", "more than one value at byte 2" },
	{ "]", "no value at byte 0" },
	{ "[", "no value at byte 1" },
	{ "[1", "neither comma nor ] at byte 2" },
	{ "[1 2]", "neither comma nor ] at byte 3" },
	{ "[1}", "neither comma nor ] at byte 2" },
	{ "[1,]", "no value at byte 3" },
	{ "[,1]", "no value at byte 1" },
	{ "{", "no key at byte 1" },
	{ "{,}", "no key at byte 1" },
	{ "{1:2}", "no key at byte 1" },
	{ "{\"a\"}", "no colon at byte 4" },
	{ "{\"a\" 1}", "no colon at byte 5" },
	{ "{\"a\":}", "no value at byte 5" },
	{ "{\"a\":1", "neither comma nor } at byte 6" },
	{ "{\"a\":1]", "neither comma nor } at byte 6" },
	{ "{\"a\":1,}", "no key at byte 7" },
	{ "{\"a\":1 \"b\":2}", "neither comma nor } at byte 7" },
	{ "{\"a\":1,\"b", "a string without an end at byte 7" },
	/* numbers */
	{ "-", "a wrong number at byte 0" },
	{ "+1", "no value at byte 0" },
	{ ".5", "no value at byte 0" },
	{ "01", "a wrong number at byte 0" },
	{ "-01", "a wrong number at byte 0" },
	{ "00", "a wrong number at byte 0" },
	{ "1.", "a wrong number at byte 0" },
	{ "1.e1", "a wrong number at byte 0" },
	{ "1e", "a wrong number at byte 0" },
	{ "1e+", "a wrong number at byte 0" },
	{ "[1E-]", "a wrong number at byte 1" },
	{ "0x1", "more than one value at byte 1" },
	{ "NaN", "no value at byte 0" },
	{ "-Infinity", "a wrong number at byte 0" },
	/* strings */
	{ "\"", "a string without an end at byte 0" },
	{ "[\"a]", "a string without an end at byte 1" },
	{ "\"\\", "a wrong escape at byte 1" },
	{ "\"\\\"", "a string without an end at byte 0" },
	{ "\"\\x41\"", "a wrong escape at byte 1" },
	{ "\"\\B\"", "a wrong escape at byte 1" },
	{ "\"\\'\"", "a wrong escape at byte 1" },
	{ "\"\\u\"", "a wrong escape at byte 1" },
	{ "\"\\u12\"", "a wrong escape at byte 1" },
	{ "\"\\u123", "a wrong escape at byte 1" },
	{ "\"\\u12g4\"", "a wrong escape at byte 1" },
	{ "\"\\u123:\"", "a wrong escape at byte 1" },
	{ "\"\\u123@\"", "a wrong escape at byte 1" },
	{ "\"\\u123`\"", "a wrong escape at byte 1" },
	{ "\"a\nb\"", "a control character in a string at byte 2" },
	{ "\"\x1f\"", "a control character in a string at byte 1" },
	{ "{\"\t\":1}", "a control character in a string at byte 2" },
	{ "\"\xff\"", "invalid UTF-8 at byte 1" },
	{ "\"\xc0\xaf\"", "invalid UTF-8 at byte 1" },
	{ "\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1" },
	{ "\"\xf4\x90\x80\x80\"", "invalid UTF-8 at byte 1" },
	{ "\"\xc3\"", "invalid UTF-8 at byte 1" },
	/* the same key twice, however it is spelled */
	{ "{\"a\":1,\"a\":2}", "the same key twice at byte 7" },
	{ "{\"a\":1,\"b\":2,\"a\":1}", "the same key twice at byte 13" },
	{ "{\"a\":1,\"\\u0061\":2}", "the same key twice at byte 7" },
	{ "{\"\\u0000\":1,\"\\u0000\":2}", "the same key twice at byte 12" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "the same key twice at byte 18" },
	{ "{\"\\/\":1,\"/\":2}", "the same key twice at byte 8" },
	{ "{\"\":1,\"\":2}", "the same key twice at byte 6" },
	{ "[{\"b\":{\"a\":1,\"a\":2}}]", "the same key twice at byte 13" },
	{ "{\"a\":{\"x\":[{}]},\"a\":2}", "the same key twice at byte 16" },
};

Test(json, what_is_none_is_refused_with_the_place_and_the_output_untouched)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
		struct json value = { JSON_BOOL, "mine", 4 };

		cr_assert_eq(json_parse(refused[i].text, strlen(refused[i].text), &value, &why),
			     -EINVAL, "%s", refused[i].text);
		cr_assert_str_eq(why.buf, refused[i].why, "%s: %s", refused[i].text, why.buf);
		cr_assert_eq(value.type, JSON_BOOL);
		cr_assert_str_eq(value.text, "mine");
		cr_assert_eq(json_parse(refused[i].text, strlen(refused[i].text), &value, NULL),
			     -EINVAL);
	}
}

Test(json, reads_no_byte_behind_the_text)
{
	static const char *const whole[] = {
		"{\"a\":[1,-2.5e+3,true,\"\\u0041\xf0\x9f\x98\x80\"],\"b\":null}",
		"[\"\\ud83d\\ude00\",false]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		for (size_t n = 0; n < strlen(whole[i]); n++) {
			char *cut = strndup(whole[i], n); /* a sanitizer sees its end */
			char *exact = memcpy(malloc(n ? n : 1), cut, n);
			struct json value;

			cr_assert_eq(json_parse(exact, n, &value, NULL), -EINVAL, "%s", cut);
			free(cut);
			free(exact);
		}
	}
}

Test(json, a_nul_byte_is_no_end)
{
	struct json value;

	cr_assert_eq(json_parse("{}\0", 3, &value, NULL), -EINVAL);
	cr_assert_eq(json_parse("\"a\0\"", 4, &value, NULL), -EINVAL);
	cr_assert_eq(json_parse("[1,\0]", 5, &value, NULL), -EINVAL);
	cr_assert_eq(json_parse("\"\\\0\"", 4, &value, NULL), -EINVAL);
}

Test(json, the_same_key_may_stand_in_different_objects)
{
	assert_written("{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"A\":{\"a\":3}}",
		       "{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"A\":{\"a\":3}}");
	assert_written("{\"a\":1,\"aa\":2,\"\":3,\"a \":4,\"\\ud83d\":5,\"\\ude00\":6}",
		       "{\"a\":1,\"aa\":2,\"\":3,\"a \":4,\"\\ud83d\":5,\"\\ude00\":6}");
}

static void add_keys(struct strbuf *text, unsigned n, const char *last)
{
	strbuf_addch(text, '{');
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(text, "\"%s%u\":{\"k0\":0},", i % 3 ? "k" : "\\u006b", i);
	strbuf_addf(text, "\"%s\":0}", last);
}

Test(json, a_key_is_found_twice_in_objects_of_any_size)
{
	static const unsigned sizes[] = { 1, 2, 6, 7, 8, 9, 10, 100, 20000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		static const char *const twice[] = { "k0", "\\u006b0", "\\u006B\\u0030" };
		CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
		struct json value;

		add_keys(&text, sizes[i], "k");
		cr_assert_eq(json_parse(text.buf, text.len, &value, NULL), 0, "%u", sizes[i]);
		for (size_t k = 0; k < ARRAY_SIZE(twice); k++) {
			CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
			CLEANUP(strbuf_release) struct strbuf where = STRBUF_INIT(200);

			strbuf_reset(&text);
			add_keys(&text, sizes[i], twice[k]);
			cr_assert_eq(json_parse(text.buf, text.len, &value, &why), -EINVAL);
			strbuf_addf(&where, "the same key twice at byte %zu",
				    text.len - strlen(twice[k]) - 5);
			cr_assert_str_eq(why.buf, where.buf, "%u: %s", sizes[i], why.buf);
		}
	}
}

Test(json, of_many_repeated_keys_the_first_is_named)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
	CLEANUP(strbuf_release) struct strbuf where = STRBUF_INIT(200);
	struct json value;
	size_t first;

	strbuf_addch(&text, '{');
	for (unsigned i = 0; i < 50; i++)
		strbuf_addf(&text, "\"k%u\":0,", i);
	first = text.len;
	for (unsigned i = 0; i < 50; i++)
		strbuf_addf(&text, "\"k%u\":0%s", 49 - i, i < 49 ? "," : "}");
	cr_assert_eq(json_parse(text.buf, text.len, &value, &why), -EINVAL);
	strbuf_addf(&where, "the same key twice at byte %zu", first);
	cr_assert_str_eq(why.buf, where.buf);
}

Test(json, more_keys_than_the_bound_are_refused_and_not_kept)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
	struct json value;

	strbuf_addch(&text, '{');
	for (unsigned i = 0; i < 4u << 20; i++)
		strbuf_addstr(&text, "\"\":0,");
	strbuf_addstr(&text, "\"\":0}");
	cr_assert_eq(json_parse(text.buf, text.len, &value, &why), -EINVAL);
	cr_assert_eq(strncmp(why.buf, "too many keys at byte ", 22), 0, "%s", why.buf);
}

static void add_nested(struct strbuf *text, size_t depth, const char *open, const char *close)
{
	for (size_t i = 0; i < depth; i++)
		strbuf_addstr(text, open);
	if (*open == '{')
		strbuf_addch(text, '0');
	for (size_t i = 0; i < depth; i++)
		strbuf_addstr(text, close);
}

Test(json, is_at_most_so_deep)
{
	static const char *const kinds[][2] = { { "[", "]" }, { "{\"k\":", "}" } };
	static const size_t too_deep[] = { JSON_DEPTH_MAX + 1, 100000, 1000000 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(TEXT_MAX);
		struct json value;

		add_nested(&text, JSON_DEPTH_MAX, kinds[i][0], kinds[i][1]);
		cr_assert_eq(json_parse(text.buf, text.len, &value, NULL), 0);
		json_add(&out, value);
		cr_assert_str_eq(out.buf, text.buf);
		for (size_t k = 0; k < ARRAY_SIZE(too_deep); k++) {
			CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(200);
			CLEANUP(strbuf_release) struct strbuf where = STRBUF_INIT(200);

			strbuf_reset(&text);
			add_nested(&text, too_deep[k], kinds[i][0], kinds[i][1]);
			cr_assert_eq(json_parse(text.buf, text.len, &value, &why), -EINVAL);
			strbuf_addf(&where, "too many levels at byte %zu",
				    JSON_DEPTH_MAX * strlen(kinds[i][0]));
			cr_assert_str_eq(why.buf, where.buf);
		}
	}
}

Test(json, depth_counts_what_is_open_not_what_was)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct json value;

	strbuf_addch(&text, '[');
	for (size_t i = 0; i < 2 * JSON_DEPTH_MAX; i++)
		strbuf_addstr(&text, "[],{\"a\":{}},");
	strbuf_addstr(&text, "0]");
	cr_assert_eq(json_parse(text.buf, text.len, &value, NULL), 0);
}

static const struct {
	const char *text;
	enum json_type type;
	const char *slice;
} types[] = {
	{ " null\n", JSON_NULL, "null" },
	{ "true", JSON_BOOL, "true" },
	{ "\tfalse ", JSON_BOOL, "false" },
	{ " -1.5e3 ", JSON_NUMBER, "-1.5e3" },
	{ "0", JSON_NUMBER, "0" },
	{ " \"a \" ", JSON_STRING, "\"a \"" },
	{ " [ 1 ] ", JSON_ARRAY, "[ 1 ]" },
	{ " { } ", JSON_OBJECT, "{ }" },
};

Test(json, a_value_is_its_text_without_the_white_space_around)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct json value = parsed(types[i].text);

		cr_assert_eq(value.type, types[i].type, "%s", types[i].text);
		cr_assert_eq(value.len, strlen(types[i].slice), "%s", types[i].text);
		cr_assert_eq(memcmp(value.text, types[i].slice, value.len), 0);
	}
}

static void assert_slice(struct json value, enum json_type type, const char *text)
{
	cr_assert_eq(value.type, type, "%.*s", (int)value.len, value.text);
	cr_assert_eq(value.len, strlen(text), "%.*s", (int)value.len, value.text);
	cr_assert_eq(memcmp(value.text, text, value.len), 0, "%.*s", (int)value.len, value.text);
}

Test(json, the_elements_of_an_array_come_in_order)
{
	struct json value = parsed("[1,\"]\\\"\" , [ 2 ,\"[\"],{\"a\":[3]} ,true\n, null ]");
	struct json_iter it = json_iterate(value);
	struct json key = { JSON_BOOL, "mine", 4 }, item;

	cr_assert(json_next(&it, &key, &item));
	assert_slice(item, JSON_NUMBER, "1");
	cr_assert(json_next(&it, NULL, &item));
	assert_slice(item, JSON_STRING, "\"]\\\"\"");
	cr_assert(json_next(&it, &key, &item));
	assert_slice(item, JSON_ARRAY, "[ 2 ,\"[\"]");
	cr_assert(json_next(&it, &key, &item));
	assert_slice(item, JSON_OBJECT, "{\"a\":[3]}");
	cr_assert(json_next(&it, &key, &item));
	assert_slice(item, JSON_BOOL, "true");
	cr_assert(json_next(&it, &key, &item));
	assert_slice(item, JSON_NULL, "null");
	cr_assert_not(json_next(&it, &key, &item));
	cr_assert_not(json_next(&it, &key, &item));
	assert_slice(key, JSON_BOOL, "mine");
}

Test(json, the_members_of_an_object_come_in_order)
{
	struct json value = parsed("{ \"z\" : 1 , \"\\\"}\":{\"a\":\"}\"},\"\":\"x\" }");
	struct json_iter it = json_iterate(value);
	struct json key, item;

	cr_assert(json_next(&it, &key, &item));
	assert_slice(key, JSON_STRING, "\"z\"");
	assert_slice(item, JSON_NUMBER, "1");
	cr_assert(json_next(&it, &key, &item));
	assert_slice(key, JSON_STRING, "\"\\\"}\"");
	assert_slice(item, JSON_OBJECT, "{\"a\":\"}\"}");
	cr_assert(json_next(&it, NULL, &item));
	assert_slice(item, JSON_STRING, "\"x\"");
	cr_assert_not(json_next(&it, &key, &item));
}

Test(json, what_is_empty_or_no_container_has_no_items)
{
	static const char *const none[] = { "[]", "[ ]", "{}", "{\n}", "1", "\"[1]\"", "null" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		struct json_iter it = json_iterate(parsed(none[i]));
		struct json key, item;

		cr_assert_not(json_next(&it, &key, &item), "%s", none[i]);
	}
}

Test(json, a_member_is_found_by_its_decoded_name)
{
	struct json value = parsed("{\"a\":{\"b\":1},\"\\u0062\":2,\"c\\/d\":3,\"e\\u0000\":4}");
	struct json found;

	cr_assert(json_member(value, "a", &found));
	assert_slice(found, JSON_OBJECT, "{\"b\":1}");
	cr_assert(json_member(value, "b", &found));
	assert_slice(found, JSON_NUMBER, "2");
	cr_assert(json_member(value, "c/d", &found));
	assert_slice(found, JSON_NUMBER, "3");
	cr_assert_not(json_member(value, "e", &found));
	cr_assert_not(json_member(value, "", &found));
	cr_assert_not(json_member(value, "\\u0062", &found));
	cr_assert_not(json_member(parsed("[\"a\",1]"), "a", &found));
	cr_assert_not(json_member(parsed("\"a\""), "a", &found));
	assert_slice(found, JSON_NUMBER, "3");
}

static const struct {
	const char *text, *other;
	bool equal;
} equals[] = {
	{ "\"abc\"", "abc", true },
	{ "\"abc\"", "ab", false },
	{ "\"ab\"", "abc", false },
	{ "\"\"", "", true },
	{ "\"\"", "a", false },
	{ "\"\\u0061\\n\"", "a\n", true },
	{ "\"a\\\\n\"", "a\\n", true },
	{ "\"\\n\"", "\\n", false },
	{ "\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", true },
	{ "\"\xc3\xa9\"", "\xc3\xa9", true },
	{ "\"a\\u0000\"", "a", false },
	{ "\"a\\u0000b\"", "a", false },
	{ "\"\\u0000\"", "", false },
	{ "1", "1", false },
	{ "true", "true", false },
	{ "null", "ul", false },
};

Test(json, a_string_equals_its_decoded_text_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(equals); i++)
		cr_assert_eq(json_equals(parsed(equals[i].text), equals[i].other),
			     equals[i].equal, "%s and %s", equals[i].text, equals[i].other);
}

Test(json, only_true_is_true)
{
	cr_assert(json_is_true(parsed("true")));
	cr_assert_not(json_is_true(parsed("false")));
	cr_assert_not(json_is_true(parsed("\"true\"")));
	cr_assert_not(json_is_true(parsed("1")));
}

Test(json, a_decoded_string_has_its_characters_and_lone_surrogates_in_three_bytes)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	static const char expected[] = "a\"\\/\b\f\n\r\t\0\xc3\xa9\xed\xa0\xbd \xf0\x9f\x98\x80z";

	json_decode(parsed("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\xc3\xa9\\ud83d \\ud83d\\ude00z\""),
		    &out);
	cr_assert_eq(out.len, sizeof(expected) - 1);
	cr_assert_eq(memcmp(out.buf, expected, out.len), 0);
	strbuf_reset(&out);
	json_decode(parsed("\"\""), &out);
	cr_assert_eq(out.len, 0);
}

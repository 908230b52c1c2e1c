/* SPDX-License-Identifier: BSD-3-Clause */
/* json_diff_test.c - where two JSON texts differ. */
#include <criterion/criterion.h>
#include <string.h>

#include "json_diff.h"
#include "strbuf.h"

static int add_place(void *ctx, const char *pointer, const struct json *a, const struct json *b)
{
	strbuf_addf(ctx, "%s %.*s|%.*s\n", pointer, a ? (int)a->len : 1, a ? a->text : "-",
		    b ? (int)b->len : 1, b ? b->text : "-");
	return 0;
}

static struct json parsed(const char *text)
{
	struct json value;

	cr_assert_eq(json_parse(text, strlen(text), &value, NULL), 0, "%s", text);
	return value;
}

Test(json_diff, tells_each_place_with_other_values_and_no_other)
{
	static const struct {
		const char *a, *b, *expected;
	} rows[] = {
		{ "{\"a\":1}", "{\"a\":1}", "" },
		{ "1", "2", " 1|2\n" },
		{ "{\"a\":1,\"b\":[1,2]}", " { \"b\" : [ 1 , 2 ] , \"a\" : 1 } ", "" },
		{ "\"\\u0041\"", "\"A\"", "" },
		{ "1.0", "1", " 1.0|1\n" },
		{ "{\"a\":1}", "{\"a\":\"1\"}", "/a 1|\"1\"\n" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "/a 1|-\n/b 2|3\n/c -|4\n" },
		{ "[1,2,3]", "[1,9]", "/1 2|9\n/2 3|-\n" },
		{ "{\"a\":{\"b\":{\"c\":null}}}", "{\"a\":{\"b\":{\"c\":false}}}",
		  "/a/b/c null|false\n" },
		{ "{\"x/y~z\":1}", "{}", "/x~1y~0z 1|-\n" },
		{ "[]", "{}", " []|{}\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(10000);

		cr_assert_eq(json_diff(parsed(rows[i].a), parsed(rows[i].b), add_place, &found), 0);
		cr_assert_str_eq(found.buf, rows[i].expected, "%s and %s: %s", rows[i].a, rows[i].b,
				 found.buf);
	}
}

Test(json_diff, elements_with_a_version_or_an_id_of_their_own_are_named_by_it)
{
	static const struct {
		const char *a, *b, *expected;
	} rows[] = {
		{ "[{\"version\":\"1\",\"x\":1},{\"version\":\"3\",\"x\":3}]",
		  "[{\"version\":\"1\",\"x\":1},{\"version\":\"2\"},{\"version\":\"3\",\"x\":4}]",
		  "/3/x 3|4\n/2 -|{\"version\":\"2\"}\n" },
		{ "[{\"id\":\"A\"},{\"id\":\"B\"}]", "[{\"id\":\"B\"}]", "/A {\"id\":\"A\"}|-\n" },
		/* twice the same one, or one without: by their places */
		{ "[{\"version\":\"1\"},{\"version\":\"1\"}]", "[{\"version\":\"1\"}]",
		  "/1 {\"version\":\"1\"}|-\n" },
		{ "[{\"version\":\"1\"},{}]", "[{},{\"version\":\"1\"}]",
		  "/0/version \"1\"|-\n/1/version -|\"1\"\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(10000);

		cr_assert_eq(json_diff(parsed(rows[i].a), parsed(rows[i].b), add_place, &found), 0);
		cr_assert_str_eq(found.buf, rows[i].expected, "%s and %s: %s", rows[i].a, rows[i].b,
				 found.buf);
	}
}

static int stop(void *ctx, const char *pointer, const struct json *a, const struct json *b)
{
	(void)pointer;
	(void)a;
	(void)b;
	return ++*(int *)ctx == 2 ? 7 : 0;
}

Test(json_diff, ends_when_it_is_told_to)
{
	int calls = 0;

	cr_assert_eq(json_diff(parsed("[1,2,3]"), parsed("[4,5,6]"), stop, &calls), 7);
	cr_assert_eq(calls, 2);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* yaml_test.c - YAML of the core schema into JSON. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "json.h"
#include "strbuf.h"

static void expect_json(const char *yaml, size_t n, const char *json)
{
	struct strbuf out = STRBUF_INIT(100000), why = STRBUF_INIT(1000);
	struct json parsed;

	cr_expect_eq(yaml_to_json(yaml, n, YAML_ALIASES_REFUSED, &out, &why), 0, "'%s': %s", yaml, why.buf);
	cr_expect_str_eq(out.buf, json, "'%s' gives %s and not %s", yaml, out.buf, json);
	cr_expect_eq(json_parse(out.buf, out.len, &parsed, NULL), 0, "%s is no JSON", out.buf);
	strbuf_release(&out);
	strbuf_release(&why);
}

static void expect_refusal(const char *yaml, size_t n, const char *phrase)
{
	struct strbuf out = STRBUF_INIT(100000), why = STRBUF_INIT(1000);

	strbuf_addstr(&out, "before");
	cr_expect_eq(yaml_to_json(yaml, n, YAML_ALIASES_REFUSED, &out, &why), -EINVAL, "'%s' gave %s", yaml, out.buf);
	cr_expect(strstr(why.buf, phrase), "'%s' does not say '%s'", why.buf, phrase);
	cr_expect_str_eq(out.buf, "before");
	strbuf_release(&out);
	strbuf_release(&why);
}

/* The values of "k: <scalar>". */
Test(yaml, plain_scalars_are_what_the_core_schema_says)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{ "", "null" },
		{ "~", "null" },
		{ "null", "null" },
		{ "Null", "null" },
		{ "NULL", "null" },
		{ "nULL", "\"nULL\"" },
		{ "true", "true" },
		{ "True", "true" },
		{ "TRUE", "true" },
		{ "tRUE", "\"tRUE\"" },
		{ "false", "false" },
		{ "False", "false" },
		{ "FALSE", "false" },
		{ "yes", "\"yes\"" },
		{ "no", "\"no\"" },
		{ "on", "\"on\"" },
		{ "y", "\"y\"" },
		{ "0", "0" },
		{ "12", "12" },
		{ "-12", "-12" },
		{ "+12", "12" },
		{ "0777", "777" },
		{ "-007", "-7" },
		{ "-0", "0" },
		{ "+00", "0" },
		{ "12345678901234567890123", "12345678901234567890123" },
		{ "0o17", "15" },
		{ "0o18", "\"0o18\"" },
		{ "0o", "\"0o\"" },
		{ "-0o7", "\"-0o7\"" },
		{ "0xFf", "255" },
		{ "0x", "\"0x\"" },
		{ "0xg", "\"0xg\"" },
		{ "0XFF", "\"0XFF\"" },
		{ "0xffffffffffffffff", "18446744073709551615" },
		{ "1.5", "1.5" },
		{ "1.50", "1.5" },
		{ "+1.5", "1.5" },
		{ "-1.5", "-1.5" },
		{ ".5", "0.5" },
		{ "-.5", "-0.5" },
		{ "1.", "1.0" },
		{ "-0.0", "-0.0" },
		{ "00.5", "0.5" },
		{ "010.50", "10.5" },
		{ "1e5", "100000.0" },
		{ "1E+05", "100000.0" },
		{ "1.e-5", "0.00001" },
		{ "0.1", "0.1" },
		{ "0.30000000000000004", "0.30000000000000004" },
		{ "0.000001", "0.000001" },
		{ "0.00000123", "0.00000123" },
		{ "0.0000001", "1e-7" },
		{ "-1.25e-9", "-1.25e-9" },
		{ "123456789012345680000.0", "123456789012345680000.0" },
		{ "1e20", "100000000000000000000.0" },
		{ "1e21", "1e+21" },
		{ "1.5e300", "1.5e+300" },
		{ "5e-324", "5e-324" },
		{ "0.0", "0.0" },
		{ "1.2.3", "\"1.2.3\"" },
		{ ".", "\".\"" },
		{ "+", "\"+\"" },
		{ "-.", "\"-.\"" },
		{ ".e5", "\".e5\"" },
		{ "1e", "\"1e\"" },
		{ "1e+", "\"1e+\"" },
		{ "1_000", "\"1_000\"" },
		{ "12:30", "\"12:30\"" },
		{ "2024-01-02", "\"2024-01-02\"" },
		{ "^1.0.0", "\"^1.0.0\"" },
		{ ".info", "\".info\"" },
		{ "\"12\"", "\"12\"" },
		{ "'null'", "\"null\"" },
		{ "''", "\"\"" },
		{ "\"a\\tb\\n\\u00e9\\\"\"", "\"a\\tb\\n\303\251\\\"\"" },
		{ "a\n  b", "\"a b\"" },
		{ "|\n  1\n  2\n", "\"1\\n2\\n\"" },
		{ ">-\n  1\n  2\n", "\"1 2\"" },
		{ "!!str 12", "\"12\"" },
		{ "! 12", "\"12\"" },
		{ "!!int \"012\"", "12" },
		{ "!!float 1", "1" },
		{ "!!float 1.5", "1.5" },
		{ "!!bool true", "true" },
		{ "!!null ''", "null" },
		{ "!!map {a: 1}", "{\"a\":1}" },
		{ "!!seq [1]", "[1]" },
		{ "[]", "[]" },
		{ "{}", "{}" },
		{ "[1, [2, x], {}]", "[1,[2,\"x\"],{}]" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strbuf yaml = STRBUF_INIT(1000), json = STRBUF_INIT(1000);

		strbuf_addf(&yaml, "k: %s", cases[i].yaml);
		strbuf_addf(&json, "{\"k\":%s}", cases[i].json);
		expect_json(yaml.buf, yaml.len, json.buf);
		strbuf_release(&yaml);
		strbuf_release(&json);
	}
}

Test(yaml, keys_keep_their_order_and_become_text)
{
	static const char *const cases[][2] = {
		{ "z: 1\na: 2\nm: {y: 1, b: 2}\n", "{\"z\":1,\"a\":2,\"m\":{\"y\":1,\"b\":2}}" },
		{ "1: a\ntrue: b\n~: c\n0x10: d\n",
		  "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\",\"0x10\":\"d\"}" },
		{ "\"\": a", "{\"\":\"a\"}" },
		{ "<<: {a: 1}\na: 2", "{\"<<\":{\"a\":1},\"a\":2}" },
		{ "a: {x: 1}\nb: {x: 1}", "{\"a\":{\"x\":1},\"b\":{\"x\":1}}" },
		{ "%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}" },
		{ "# only\na: 1 # this\n", "{\"a\":1}" },
		{ "\xef\xbb\xbf"
		  "a: 1",
		  "{\"a\":1}" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_json(cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

Test(yaml, what_json_or_the_schema_does_not_have_is_refused)
{
	static const struct {
		const char *yaml, *phrase;
	} cases[] = {
		{ "", "no document" },
		{ "# nothing\n", "no document" },
		{ "- a\n", "no mapping at the top in line 1" },
		{ "just text", "no mapping at the top" },
		{ "a: 1\n---\nb: 2\n", "a second document in line 2" },
		{ "a: [1\n", "no YAML" },
		{ "a: 1\n b: 2\n", "no YAML" },
		{ "\"a: 1", "no YAML" },
		{ "a: &x 1\n", "an anchor in line 1" },
		{ "b: 1\na: &x [1]\n", "an anchor in line 2" },
		{ "a: &x {b: 1}\n", "an anchor" },
		{ "&x a: 1\n", "an anchor" },
		{ "&x\na: 1\n", "an anchor" },
		{ "a: *x\n", "an alias" },
		{ "a: [*x]\n", "an alias" },
		{ "*x : 1\n", "a key that is no scalar" },
		{ "a: !foo 1\n", "foreign tag !foo in line 1" },
		{ "a: !!set {b}\n", "foreign tag" },
		{ "a: !!seq {b: 1}\n", "foreign tag" },
		{ "a: !!map [1]\n", "foreign tag" },
		{ "a: !!timestamp 2024-01-02\n", "foreign tag" },
		{ "a: !!int x\n", "does not fit its tag" },
		{ "a: !!int 1.5\n", "does not fit its tag" },
		{ "a: !!bool 1\n", "does not fit its tag" },
		{ "a: !!null 0\n", "does not fit its tag" },
		{ "a: !!float x\n", "does not fit its tag" },
		{ "a: 1e400\n", "a number that JSON does not have" },
		{ "? [a]\n: 1\n", "a key that is no scalar in line 1" },
		{ "? {a: 1}\n: 1\n", "a key that is no scalar" },
		{ "a: 1\nb: 2\na: 3\n", "the key 'a' for the second time in line 3" },
		{ "1: x\n\"1\": y\n", "the key '1' for the second time" },
		{ "a: {b: 1, b: 2}\n", "the key 'b'" },
		{ "a: .inf\n", ".inf, a number that JSON does not have" },
		{ "a: -.INF\n", "-.INF, a number" },
		{ "a: +.Inf\n", "a number that" },
		{ "a: .nan\n", "a number that" },
		{ "a: .NaN\n", "a number that" },
		{ "a: .NAN\n", "a number that" },
		{ "a: 0x10000000000000000\n", "does not fit 64 bits" },
		{ "a: \"x\\0y\"\n", "a NUL in line 1" },
		{ "\"x\\0y\": 1\n", "a NUL" },
		{ "a: \xff\n", "no YAML" },
		{ "a: \xed\xa0\x80\n", "no YAML" },
		{ "a: \x01\n", "no YAML" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(cases[i].yaml, strlen(cases[i].yaml), cases[i].phrase);
	expect_refusal("a: x\0y", 6, "no YAML");
	expect_refusal("\xff\xfe"
		       "a\0:\0 \0b\0",
		       10, "no YAML");
}

static void nested(struct strbuf *out, unsigned lists)
{
	strbuf_addstr(out, "a: ");
	for (unsigned i = 0; i < lists; i++)
		strbuf_addch(out, '[');
	for (unsigned i = 0; i < lists; i++)
		strbuf_addch(out, ']');
}

Test(yaml, it_may_be_as_deep_as_the_json_that_it_becomes)
{
	struct strbuf yaml = STRBUF_INIT(10000), out = STRBUF_INIT(10000), why = STRBUF_INIT(1000);
	struct json parsed;

	nested(&yaml, JSON_DEPTH_MAX - 1);
	cr_assert_eq(yaml_to_json(yaml.buf, yaml.len, YAML_ALIASES_REFUSED, &out, &why), 0, "%s", why.buf);
	cr_assert_eq(json_parse(out.buf, out.len, &parsed, NULL), 0);
	strbuf_reset(&yaml);
	nested(&yaml, JSON_DEPTH_MAX);
	expect_refusal(yaml.buf, yaml.len, "nesting deeper than 512");
	strbuf_release(&yaml);
	strbuf_release(&out);
	strbuf_release(&why);
}

Test(yaml, an_output_that_does_not_fit_is_told)
{
	struct strbuf out = STRBUF_INIT(7), why = STRBUF_INIT(100);

	cr_assert_eq(yaml_to_json("a: 1", 4, YAML_ALIASES_REFUSED, &out, &why), 0);
	cr_assert_str_eq(out.buf, "{\"a\":1}");
	strbuf_release(&out);
	cr_assert_eq(yaml_to_json("a: 12", 5, YAML_ALIASES_REFUSED, &out, &why), -E2BIG);
	cr_assert_eq(out.len, 0);
	strbuf_release(&out);
	strbuf_release(&why);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* version_test.c - grammar, order and latest (spec, section 6). */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "compiler.h"
#include "version.h"

#define MAX_INT64 "9223372036854775807"
#define TOO_BIG	  "9223372036854775808"
#define TEN	  "0123456789"

static struct version parsed(const char *text)
{
	struct version v = { 0 };

	cr_assert_eq(version_parse(text, strlen(text), &v), 0, "%s", text);
	return v;
}

static bool slice_is(const char *at, size_t n, const char *text)
{
	if (!at || !text)
		return !at && !text && !n;
	return n == strlen(text) && !memcmp(at, text, n);
}

static const struct {
	const char *text;
	int64_t number[3];
	const char *pre, *build;
} grammar[] = {
	{ "1.2.3", { 1, 2, 3 }, NULL, NULL },
	{ "0.0.0", { 0, 0, 0 }, NULL, NULL },
	{ "01.002.0003", { 1, 2, 3 }, NULL, NULL },
	{ "1.2.3-a", { 1, 2, 3 }, "a", NULL },
	{ "1.2.3+a", { 1, 2, 3 }, NULL, "a" },
	{ "1.2.3-a.b-c.1+d.e-f.2", { 1, 2, 3 }, "a.b-c.1", "d.e-f.2" },
	{ "1.2.3--", { 1, 2, 3 }, "-", NULL },
	{ "1.2.3--1", { 1, 2, 3 }, "-1", NULL },
	{ "1.2.3+-", { 1, 2, 3 }, NULL, "-" },
	{ "1.2.3-AZaz09-", { 1, 2, 3 }, "AZaz09-", NULL },
	{ "1.2.3-d+4.tar.gz", { 1, 2, 3 }, "d", "4.tar.gz" },
	{ MAX_INT64 "." MAX_INT64 "." MAX_INT64, { INT64_MAX, INT64_MAX, INT64_MAX }, NULL, NULL },
	{ "000000000000000000000000001.0.0", { 1, 0, 0 }, NULL, NULL },
	{ "1.0.0-" TOO_BIG, { 1, 0, 0 }, TOO_BIG, NULL },
};

Test(version, is_three_numbers_a_pre_release_and_a_build)
{
	for (size_t i = 0; i < ARRAY_SIZE(grammar); i++) {
		struct version v = parsed(grammar[i].text);

		for (int k = 0; k < 3; k++)
			cr_assert_eq(v.number[k], grammar[i].number[k], "%s", grammar[i].text);
		cr_assert(slice_is(v.pre, v.pre_len, grammar[i].pre), "%s", grammar[i].text);
		cr_assert(slice_is(v.build, v.build_len, grammar[i].build), "%s", grammar[i].text);
	}
}

static const char *const no_versions[] = {
	"", "1", "1.2", "1.2.", "1.2.3.", "1.2.3.4", ".1.2.3", "1..3", "v1.2.3", " 1.2.3", "1.2.3 ",
	"-1.2.3", "+1.2.3", "1.-2.3", "1.2.x", "1.2.3-", "1.2.3+", "1.2.3-+a", "1.2.3-a+",
	"1.2.3-.a", "1.2.3-a.", "1.2.3-a..b", "1.2.3+a..b", "1.2.3+.", "1.2.3-a_b", "1.2.3-a+b+c",
	"1.2.3+a b", "1.2.3-\xc3\xa9", "1.2.3/", "1,2,3", TOO_BIG ".0.0", "0.9223372036854775808.0",
	"0.0.9223372036854775808", "99999999999999999999.0.0", "0x1.0.0",
};

Test(version, what_is_of_another_grammar_is_refused_and_the_output_untouched)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_versions); i++) {
		struct version v = { .number = { 7, 8, 9 }, .pre = "mine" };

		cr_assert_eq(version_parse(no_versions[i], strlen(no_versions[i]), &v), -EINVAL,
			     "%s", no_versions[i]);
		cr_assert_eq(v.number[0] + v.number[1] + v.number[2], 24, "%s", no_versions[i]);
		cr_assert_str_eq(v.pre, "mine");
	}
}

Test(version, ends_where_its_length_says)
{
	struct version v;

	cr_assert_eq(version_parse("1.2.34", 5, &v), 0);
	cr_assert_eq(v.number[2], 3);
	cr_assert_eq(version_parse("1.2.3-ab+c", 7, &v), 0);
	cr_assert(slice_is(v.pre, v.pre_len, "a"));
	cr_assert_eq(version_parse("1.2.3-ab", 6, &v), -EINVAL);
	cr_assert_eq(version_parse("1.2.3\0", 6, &v), -EINVAL);
}

static const struct {
	const char *text;
	bool canonical;
} forms[] = {
	{ "1.2.3", true },
	{ "0.0.0", true },
	{ "10.20.30-alpha.1+build.7", true },
	{ "01.2.3", false },
	{ "1.02.3", false },
	{ "1.2.03", false },
	{ "00.0.0", false },
	{ "1.2.3-0", true },
	{ "1.2.3-00", false },
	{ "1.2.3-01", false },
	{ "1.2.3-a.01", false },
	{ "1.2.3-01.a", false },
	{ "1.2.3+0", true },
	{ "1.2.3+01", false },
	{ "1.2.3+a.007", false },
	{ "1.2.3-0a", true },
	{ "1.2.3-00-", true },
	{ "1.2.3+0xff", true },
	{ "1.2.3-0" MAX_INT64, false },
	{ "1.2.3-0" TOO_BIG, true }, /* does not fit, so it is text */
	{ "1.2.3-" TOO_BIG, true },
	{ "1.2.3--1", true },
	{ "1.2", false },
	{ "", false },
	{ "1.2.3 ", false },
	{ "1.2.3-a" TEN TEN TEN TEN TEN "abcdefg", true },	    /* 64 characters */
	{ "1.2.3-a" TEN TEN TEN TEN TEN "abcdefgh", false }, /* 65 */
};

Test(version, canonical_is_short_and_without_leading_zeros)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		cr_assert_eq(version_is_canonical(forms[i].text, strlen(forms[i].text)),
			     forms[i].canonical, "%s", forms[i].text);
}

/* Section 6, word by word. */
static const char *const ascending[] = {
	"1.0.0-1", "1.0.0-9", "1.0.0--1", "1.0.0-99999999999999999999", "1.0.0-Beta", "1.0.0-alpha",
	"1.0.0-alpha.1", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
	"1.0.0-rc.1+b", "1.0.0", "1.0.0+2", "1.0.0+10", "1.0.0+a", "2.0.0-dev", "2.0.0", "9.0.0",
	"10.0.0",
};

/* What the list leaves open. */
static const char *const ascending_too[] = {
	"0.0.9",
	"0.0.10",
	"0.2.0",
	"0.10.0-" MAX_INT64,
	"0.10.0-" TOO_BIG, /* text */
	"0.10.0-A",
	"0.10.0-a",
	"0.10.0-a.1",
	"0.10.0-a.1.1",
	"0.10.0-a.a",
	"0.10.0-a-",
	"0.10.0-a0",
	"0.10.0-aa",
	"0.10.0-aa+1",
	"0.10.0-aa+1.0",
	"0.10.0-aa+1.0.0",
	"0.10.0-aa+2",
	"0.10.0-aa+A",
	"0.10.0-b+0",
	"0.10.0",
	"0.10.0+0",
	"0.10.0+0.a",
	"0.10.0+9.b",
	"0.10.0+10.a",
	"9223372036854775806.0.0",
	MAX_INT64 ".0.0",
};

static int sign(int r)
{
	return (r > 0) - (r < 0);
}

static void assert_ascending(const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			struct version a = parsed(texts[i]), b = parsed(texts[k]);

			cr_assert_eq(sign(version_compare(&a, &b)), (i > k) - (i < k), "%s and %s",
				     texts[i], texts[k]);
		}
	}
}

Test(version, the_check_list_is_ascending_for_all_pairs_in_both_directions)
{
	assert_ascending(ascending, ARRAY_SIZE(ascending));
	assert_ascending(ascending_too, ARRAY_SIZE(ascending_too));
}

Test(version, numbers_with_other_zeros_are_equal)
{
	struct version a = parsed("1.0.0-a.1+2"), b = parsed("01.00.000-a.01+002");

	cr_assert_eq(version_compare(&a, &b), 0);
	cr_assert_eq(version_compare_priority(&a, &b), 0);
}

Test(version, in_priority_every_pre_release_ranks_below_every_release)
{
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
			struct version a = parsed(ascending[i]), b = parsed(ascending[k]);
			int expected = (i > k) - (i < k);

			if (a.pre && !b.pre)
				expected = -1;
			if (!a.pre && b.pre)
				expected = 1;
			cr_assert_eq(sign(version_compare_priority(&a, &b)), expected, "%s and %s",
				     ascending[i], ascending[k]);
		}
	}
}

/* R: retracted, S: needs a newer SDK. The latest is the one in brackets. */
static const struct {
	const char *what, *versions;
} latest[] = {
	{ "a single version", "[1.0.0]" },
	{ "the highest", "1.0.0 [2.0.0]" },
	{ "a build counts", "1.0.0 [1.0.0+1]" },
	{ "a release before a higher pre-release", "1.0.0 [1.1.0] 2.0.0-dev" },
	{ "only pre-releases", "1.0.0-a [1.0.0-b]" },
	{ "a retracted one does not count", "[1.0.0] 2.0.0R" },
	{ "a retracted lowest one does not count", "1.0.0R [2.0.0]" },
	{ "all retracted: as if none were", "1.0.0R [2.0.0]R 3.0.0-aR" },
	{ "all retracted, only pre-releases", "1.0.0-aR [1.0.0-b]R" },
	{ "a single retracted one", "[1.0.0]R" },
	{ "only pre-releases are left un-retracted", "1.0.0R 2.0.0-a [2.0.0-b] 2.0.0R" },
	{ "a release needs a newer SDK", "[1.0.0] 2.0.0S" },
	{ "two do", "[1.0.0] 2.0.0S 3.0.0S" },
	{ "one in between does", "1.0.0 2.0.0S [3.0.0]" },
	{ "the only release does, and displaces a pre-release", "1.0.0-a [1.0.0]S" },
	{ "a pre-release does, and displaces one", "1.0.0-a [1.0.0-b]S" },
	{ "a pre-release does behind a release", "[1.0.0] 1.1.0-aS" },
	{ "the first does, and a later one does not", "1.0.0S [1.1.0]" },
	{ "all do: the first release stays", "[1.0.0]S 2.0.0S" },
	{ "all do, a pre-release first", "1.0.0-aS [1.0.0]S 2.0.0S" },
	{ "the only one that does not is retracted", "[1.0.0]S 2.0.0R" },
	{ "the SDK rule holds when all are retracted, too", "[1.0.0]R 2.0.0RS" },
	{ "the retracted ones do not make room", "1.0.0R 1.0.1R [2.0.0]S 3.0.0S" },
};

Test(version, latest_is_as_section_6_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(latest); i++) {
		struct candidate candidates[8];
		size_t n = 0, expected = SIZE_MAX;

		for (const char *at = latest[i].versions; *at; at += strspn(at, " "), n++) {
			size_t bracket = *at == '[', len = strcspn(at += bracket, "]RS ");

			cr_assert_eq(version_parse(at, len, &candidates[n].version), 0);
			if (bracket)
				expected = n;
			at += len + bracket;
			len = strcspn(at, " ");
			candidates[n].retracted = memchr(at, 'R', len);
			candidates[n].needs_newer_sdk = memchr(at, 'S', len);
			at += len;
		}
		cr_assert_eq(version_latest(candidates, n), expected, "%s", latest[i].what);
	}
}

static const struct {
	const char *constraint;
	int r;
	const char *bound;
} constraints[] = {
	{ "^1.2.3", 0, "1.2.3" },
	{ "^ 1.2.3", 0, "1.2.3" },
	{ " ^1.2.3 ", 0, "1.2.3" },
	{ "^1.2.3-dev.1+b", 0, "1.2.3-dev.1+b" },
	{ ">=1.0.0 <2.0.0", 0, "1.0.0" },
	{ ">=1.0.0<2.0.0", 0, "1.0.0" },
	{ ">= 1.0.0  <  2.0.0", 0, "1.0.0" },
	{ "<2.0.0 >=1.0.0", 0, "1.0.0" },
	{ "<2.0.0>=1.0.0", 0, "1.0.0" },
	{ "\t>=1.0.0\n<2.0.0\r\n", 0, "1.0.0" },
	{ ">=2.12.0-0 <3.0.0", 0, "2.12.0-0" },
	{ ">=2.12.0-0<3.0.0", 0, "2.12.0-0" },
	{ ">1.0.0", 0, "1.0.0" },
	{ "> 1.0.0 <=2.0.0", 0, "1.0.0" },
	{ "1.2.3", 0, "1.2.3" },
	{ " 1.2.3+4 ", 0, "1.2.3+4" },
	{ ">=1.0.0 >=1.5.0 >1.2.0", 0, "1.5.0" },
	{ ">=1.5.0 1.2.0", 0, "1.5.0" },
	{ "any", -ENOENT, NULL },
	{ " any ", -ENOENT, NULL },
	{ "<2.0.0", -ENOENT, NULL },
	{ "<=2.0.0 <3.0.0", -ENOENT, NULL },
	{ "", -EINVAL, NULL },
	{ "  ", -EINVAL, NULL },
	{ "anything", -EINVAL, NULL },
	{ "any any", -EINVAL, NULL },
	{ ">=1.0.0 any", -EINVAL, NULL },
	{ "^1.2.3 <1.5.0", -EINVAL, NULL },
	{ "^1.2.3<1.5.0", -EINVAL, NULL },
	{ "<1.5.0 ^1.2.3", -EINVAL, NULL },
	{ "^^1.2.3", -EINVAL, NULL },
	{ "^", -EINVAL, NULL },
	{ ">=", -EINVAL, NULL },
	{ ">=1.0", -EINVAL, NULL },
	{ ">=1.0.0 <", -EINVAL, NULL },
	{ ">=1.0.0 || <0.5.0", -EINVAL, NULL },
	{ ">=1.0.0, <2.0.0", -EINVAL, NULL },
	{ "=1.0.0", -EINVAL, NULL },
	{ "> =1.0.0", -EINVAL, NULL },
	{ "~1.0.0", -EINVAL, NULL },
	{ "1.0.0.0", -EINVAL, NULL },
	{ "1.0.0-", -EINVAL, NULL },
	{ "1.x", -EINVAL, NULL },
	{ ">=" TOO_BIG ".0.0", -EINVAL, NULL },
	{ "1.0." TOO_BIG "1.2.3", -EINVAL, NULL },
};

Test(version, a_constraint_has_a_lower_bound_or_none)
{
	for (size_t i = 0; i < ARRAY_SIZE(constraints); i++) {
		struct version v = { .number = { 7, 8, 9 } }, expected;

		cr_assert_eq(version_lower_bound(constraints[i].constraint, &v), constraints[i].r,
			     "%s", constraints[i].constraint);
		expected = constraints[i].bound ? parsed(constraints[i].bound) :
						  (struct version){ .number = { 7, 8, 9 } };
		cr_assert_eq(version_compare(&v, &expected), 0, "%s", constraints[i].constraint);
	}
}

Test(version, a_constraint_reaches_a_major_version_or_ends_before_it)
{
	static const struct {
		const char *constraint;
		bool reaches;
	} rows[] = {
		{ ">=1.0.0 <2.0.0", false },	 { ">=1.0.0 <2.0.1", true },
		{ ">=1.0.0 <=2.0.0", true },	 { "<=1.999.0", false },
		{ "<2.0.0-dev.1", false },	 { "^1.19.0", false },
		{ "^0.1.0", false },		 { "^2.0.0", true },
		{ "^3.0.0", true },		 { "1.24.3", false },
		{ "2.0.0", true },		 { ">=1.0.0", true },
		{ ">1.0.0", true },		 { "<3.0.0 >=2.12.0", true },
		{ "any", true },		 { " any ", true },
		{ "", false },			 { "nonsense", false },
		{ ">=1.0.0 <3.0.0 <2.0.0", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(version_constraint_reaches(rows[i].constraint, 2), rows[i].reaches,
			     "%s", rows[i].constraint);
	cr_assert(version_constraint_is_any(" any"));
	cr_assert_not(version_constraint_is_any("anything"));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* catalog_test.c - which keys are of which kind, and their headers (spec, sections 3, 10, 14). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "compiler.h"
#include "memory.h"
#include "object.h"

#define TEN	"abcdefghij"
#define NAME_64 TEN TEN TEN TEN TEN TEN "_123"
#define DIGITS	"1234567890"

static bool part_is(struct name_part part, const char *text)
{
	return part.len == strlen(text) && (!part.len || !memcmp(part.text, text, part.len));
}

static const struct {
	const char *key;
	enum kind kind;
	const char *prefix, *package, *version;
} keys[] = {
	{ "latest/api/packages/http", KIND_LISTING, "latest", "http", "" },
	{ "2026.08.18/api/packages/http", KIND_LISTING, "2026.08.18", "http", "" },
	{ "latest/api/packages/_", KIND_LISTING, "latest", "_", "" },
	{ "latest/api/packages/Z9_z", KIND_LISTING, "latest", "Z9_z", "" },
	{ "latest/api/packages/advisories", KIND_LISTING, "latest", "advisories", "" },
	{ "latest/api/packages/" NAME_64, KIND_LISTING, "latest", NAME_64, "" },
	{ "latest/api/packages/http/advisories", KIND_ADVISORIES, "latest", "http", "" },
	{ "2026.08.18/api/packages/advisories/advisories", KIND_ADVISORIES, "2026.08.18",
	  "advisories", "" },
	{ "latest/api/packages/http/likes", KIND_LIKES, "latest", "http", "" },
	{ "latest/api/packages/http/options", KIND_OPTIONS, "latest", "http", "" },
	{ "latest/api/packages/http/publisher", KIND_PUBLISHER, "latest", "http", "" },
	{ "latest/api/packages/http/score", KIND_SCORE, "latest", "http", "" },
	{ "2026.08.18/api/packages/http/feed.atom", KIND_FEED, "2026.08.18", "http", "" },
	{ "latest/feed.atom", KIND_SITE_FEED, "latest", "", "" },
	{ "2026.08.18/api/package-name-completion-data", KIND_COMPLETION, "2026.08.18", "", "" },
	{ "latest/not-found.json", KIND_NOT_FOUND, "latest", "", "" },
	{ "latest/api/archives/http-1.2.0.tar.gz", KIND_ARCHIVE, "latest", "http", "1.2.0" },
	{ "2026.08.18/api/archives/http-1.2.0+1.tar.gz", KIND_ARCHIVE, "2026.08.18", "http",
	  "1.2.0+1" },
	{ "latest/api/archives/_foo-1.2.3-d+4.tar.gz.tar.gz", KIND_ARCHIVE, "latest", "_foo",
	  "1.2.3-d+4.tar.gz" },
	{ "latest/api/archives/a-1.2.3-b-4.tar.gz", KIND_ARCHIVE, "latest", "a", "1.2.3-b-4" },
	{ "latest/api/archives/" NAME_64 "-1.0.0.tar.gz", KIND_ARCHIVE, "latest", NAME_64,
	  "1.0.0" },
	{ "latest/api/archives/a-1.0.0-x" DIGITS DIGITS DIGITS DIGITS DIGITS "abcdefg.tar.gz",
	  KIND_ARCHIVE, "latest", "a", "1.0.0-x" DIGITS DIGITS DIGITS DIGITS DIGITS "abcdefg" },
};

Test(catalog, a_key_of_the_export_is_taken_apart)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct object_name name;

		cr_assert_eq(catalog_match(keys[i].key, &name), keys[i].kind, "%s", keys[i].key);
		cr_assert_eq(name.kind, keys[i].kind);
		cr_assert(part_is(name.prefix, keys[i].prefix), "%s", keys[i].key);
		cr_assert(part_is(name.package, keys[i].package), "%s", keys[i].key);
		cr_assert(part_is(name.version, keys[i].version), "%s", keys[i].key);
	}
}

static const char *const foreign[] = {
	"",
	"latest",
	"latest/",
	"/",
	/* prefixes */
	"/api/packages/http",
	"api/packages/http",
	"Latest/api/packages/http",
	"latestx/api/packages/http",
	"lates/api/packages/http",
	"2018.09.13-dev/api/packages/http",
	"2018.9.13/api/packages/http",
	"x/api/packages/http",
	"x/latest/api/packages/http",
	/* folders */
	"latest/packages/http",
	"latest/api/package/http",
	"latest/api/packages",
	"latest/api/packages/",
	"latest/api/packagesx/http",
	"latest//api/packages/http",
	/* names */
	"latest/api/packages/0http",
	"latest/api/packages/ht-tp",
	"latest/api/packages/ht.tp",
	"latest/api/packages/http.d",
	"latest/api/packages/http ",
	"latest/api/packages/h\xc3\xa9",
	"latest/api/packages/" NAME_64 "x",
	/* below a package */
	"latest/api/packages/http/",
	"latest/api/packages//advisories",
	"latest/api/packages/http/advisories/",
	"latest/api/packages/http/advisories/x",
	"latest/api/packages/http/Advisories",
	"latest/api/packages/http/x/advisories",
	"latest/api/packages/0/advisories",
	"latest/api/packages/" NAME_64 "x/advisories",
	/* archives */
	"latest/api/packages/http/likes2",
	"latest/api/packages/http/feed",
	"latest/api/packages/0/score",
	"latest/api/packages/http/x/options",
	"latest/api/feed.atom",
	"latest/feed.atom/x",
	"latest/feed.atom2",
	"other/feed.atom",
	"feed.atom",
	"not-found.json",
	"latest/api/not-found.json",
	"latest/package-name-completion-data",
	"latest/api/package-name-completion-data/x",
	"latest/api/archives/http",
	"latest/api/archives/http.tar.gz",
	"latest/api/archives/http-.tar.gz",
	"latest/api/archives/-1.0.0.tar.gz",
	"latest/api/archives/.tar.gz",
	"latest/api/archives/http-1.0.0",
	"latest/api/archives/http-1.0.0.tar",
	"latest/api/archives/http-1.0.0.tgz",
	"latest/api/archives/http-1.0.0.TAR.GZ",
	"latest/api/archives/http-1.0.tar.gz",
	"latest/api/archives/http-01.0.0.tar.gz",
	"latest/api/archives/http-1.0.0-01.tar.gz",
	"latest/api/archives/http-1.0.0%2B1.tar.gz",
	"latest/api/archives/http-v1.0.0.tar.gz",
	"latest/api/archives/http-1.0.0.tar.gz.tar.gz",
	"latest/api/archives/http-1.0.0.tar.gz/x",
	"latest/api/archives/x/http-1.0.0.tar.gz",
	"latest/api/archives/0-1.0.0.tar.gz",
	"latest/api/archives/" NAME_64 "x-1.0.0.tar.gz",
	"latest/api/archives/a-1.0.0-x" DIGITS DIGITS DIGITS DIGITS DIGITS "abcdefgh.tar.gz",
	"latest/api/packages/http-1.0.0.tar.gz",
};

Test(catalog, any_other_key_is_of_no_kind_and_has_no_parts)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		struct object_name name = { KIND_ARCHIVE, { "a", 1 }, { "b", 1 }, { "c", 1 } };

		cr_assert_eq(catalog_match(foreign[i], &name), KIND_NONE, "%s", foreign[i]);
		cr_assert_eq(name.kind, KIND_NONE);
		cr_assert_eq(name.prefix.len + name.package.len + name.version.len, 0);
	}
}

static const struct {
	const char *text;
	bool package, runtime_version;
} names[] = {
	{ "a", true, false },
	{ "_", true, false },
	{ "Az_09", true, false },
	{ "", false, false },
	{ "0a", false, false },
	{ "a-b", false, false },
	{ "a.b", false, false },
	{ "a/b", false, false },
	{ "@", false, false },
	{ "[", false, false },
	{ "`", false, false },
	{ "{", false, false },
	{ "a:", false, false },
	{ "a\xc3\xa9", false, false },
	{ NAME_64, true, false },
	{ NAME_64 "x", false, false },
	{ "2018.09.13", false, true },
	{ "0000.00.00", false, true },
	{ "9999.99.99", false, true },
	{ "2018.09.13-dev", false, false },
	{ "2018 09 13", false, false },
	{ "2018.09.1", false, false },
	{ "2018.09.133", false, false },
	{ "2018.9.130", false, false },
	{ "201.809.13", false, false },
	{ "2018-09-13", false, false },
	{ "2018.09.1x", false, false },
	{ "x018.09.13", false, false },
	{ "latest", true, false },
};

Test(catalog, names_follow_their_grammar)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i].text);

		cr_assert_eq(catalog_is_package_name(names[i].text, n), names[i].package, "%s",
			     names[i].text);
		cr_assert_eq(catalog_is_runtime_version(names[i].text, n),
			     names[i].runtime_version, "%s", names[i].text);
	}
	cr_assert(catalog_is_package_name("abc-", 3));
	cr_assert(catalog_is_runtime_version("2018.09.13-dev", 10));
	cr_assert_not(catalog_is_package_name("ab\0c", 4));
	cr_assert_not(catalog_is_package_name("abc", 0));
}

/* Section 10, as it stands there. */
static const struct {
	const char *key, *name, *type, *cache_control, *disposition;
	bool gzip;
} headers[] = {
	{ "latest/api/packages/foo", "listing", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/advisories", "advisories", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/likes", "likes", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/options", "options", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/publisher", "publisher", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/score", "score", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/packages/foo/feed.atom", "feed", "application/atom+xml; charset=\"utf-8\"",
	  "public, max-age=43200", NULL, true },
	{ "latest/feed.atom", "site-feed", "application/atom+xml; charset=\"utf-8\"",
	  "public, max-age=43200", NULL, true },
	{ "latest/api/package-name-completion-data", "completion-data",
	  "application/json; charset=\"utf-8\"", "public, max-age=28800", NULL, true },
	{ "latest/not-found.json", "not-found", "application/json; charset=\"utf-8\"",
	  "public, max-age=120", NULL, true },
	{ "latest/api/archives/_foo-1.2.3-d+4.tar.gz.tar.gz", "archive", "application/octet",
	  "public, max-age=7200", "attachment; filename=\"_foo-1.2.3-d+4.tar.gz.tar.gz\"", false },
};

static void assert_text(const char *text, const char *expected)
{
	if (expected)
		cr_assert_str_eq(text, expected);
	else
		cr_assert_null(text);
}

Test(catalog, headers_are_those_of_section_10_whatever_was_there)
{
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct object obj = { .gzip = !headers[i].gzip };
		struct object_name name;

		obj.type = xstrdup("text/html");
		obj.cache_control = xstrdup("private");
		obj.disposition = xstrdup("inline");
		catalog_match(headers[i].key, &name);
		catalog_headers(&name, &obj);
		assert_text(obj.type, headers[i].type);
		assert_text(obj.cache_control, headers[i].cache_control);
		assert_text(obj.disposition, headers[i].disposition);
		cr_assert_eq(obj.gzip, headers[i].gzip);
		cr_assert(catalog_has_headers(&name, &obj));
		cr_assert_str_eq(catalog_info(name.kind)->name, headers[i].name);
		free(obj.type);
		free(obj.cache_control);
		free(obj.disposition);
	}
}

#define ARCHIVE_KEY "latest/api/archives/http-1.2.0.tar.gz"
#define LISTING_KEY "latest/api/packages/http"
#define JSON	    "application/json; charset=\"utf-8\""
#define OCTET	    "application/octet"
#define ATTACHED    "attachment; filename=\"http-1.2.0.tar.gz"

Test(catalog, headers_that_differ_in_anything_are_others)
{
	static const struct {
		const char *key, *type, *cache_control, *disposition;
		bool same;
	} rows[] = {
		{ ARCHIVE_KEY, OCTET, "public, max-age=7200", ATTACHED "\"", true },
		{ ARCHIVE_KEY, OCTET, "public, max-age=7200", ATTACHED, false },
		{ ARCHIVE_KEY, OCTET, "public, max-age=7200", ATTACHED "\";", false },
		{ ARCHIVE_KEY, OCTET, "public, max-age=7200", "", false },
		{ ARCHIVE_KEY, OCTET, "public, max-age=7200", NULL, false },
		{ ARCHIVE_KEY, OCTET, "public, max-age=720", ATTACHED "\"", false },
		{ LISTING_KEY, JSON, "public, max-age=120", NULL, true },
		{ LISTING_KEY, JSON, "public, max-age=120", "inline", false },
		{ LISTING_KEY, JSON, NULL, NULL, false },
		{ LISTING_KEY, NULL, "public, max-age=120", NULL, false },
		{ "elsewhere", NULL, NULL, NULL, true },
		{ "elsewhere", JSON, NULL, NULL, false },
		{ "elsewhere", NULL, NULL, "inline", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct object obj = { .type = xstrdup_or_null(rows[i].type),
				      .cache_control = xstrdup_or_null(rows[i].cache_control),
				      .disposition = xstrdup_or_null(rows[i].disposition) };
		struct object_name name;

		catalog_match(rows[i].key, &name);
		cr_expect_eq(catalog_has_headers(&name, &obj), rows[i].same, "%zu", i);
		free(obj.type);
		free(obj.cache_control);
		free(obj.disposition);
	}
}

Test(catalog, every_kind_has_a_name_and_no_kind_has_no_headers)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		const struct kind_info *info = catalog_info((enum kind)kind);

		cr_assert_not_null(info->name);
		cr_assert_eq(!info->type, kind == KIND_NONE);
		cr_assert_eq(!info->cache_control, kind == KIND_NONE);
	}
	cr_assert_str_eq(catalog_info(KIND_NONE)->name, "none");
	cr_assert_not(catalog_info(KIND_NONE)->gzip || catalog_info(KIND_NONE)->attachment);
}

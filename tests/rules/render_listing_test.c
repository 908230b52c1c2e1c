/* SPDX-License-Identifier: BSD-3-Clause */
/* render_listing_test.c - listings, byte for byte; all expectations are written by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "render.h"
#include "strbuf.h"

#define TEXT(text) ((char[]){ text })
#define ROW(text, json, time, ...)                                                                 \
	{                                                                                          \
		.version = TEXT(text), .pubspec = TEXT(json), .pubspec_len = sizeof(json) - 1,     \
		.created = (time), __VA_ARGS__                                                     \
	}
#define TIME 1704164645678000 /* 2024-01-02T03:04:05.678Z */
#define SHA  "95cb0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab"

static int body_of_listing(const struct package *pkg, const struct release_list *releases,
			   const struct rendering *how, struct strbuf *out)
{
	for (size_t i = 0; i < n_package_documents; i++)
		if (package_documents[i].kind == KIND_LISTING)
			return package_documents[i].body(pkg, releases, how, out);
	return -ENOENT;
}

static int render(const struct package *pkg, const char *base_url, struct strbuf *out)
{
	const struct rendering how = { .base_url = base_url };
	struct release_list list;
	int r;

	cr_assert_eq(releases_select(pkg, &how, &list), 0);
	r = body_of_listing(pkg, &list, &how, out);
	releases_release(&list);
	return r;
}

static void expect(struct package *pkg, struct package_version *rows, size_t n, const char *json)
{
	struct strbuf out = STRBUF_INIT(100000);

	pkg->versions = rows;
	pkg->n_versions = n;
	cr_assert_eq(render(pkg, "https://pub.dev", &out), 0);
	cr_expect_str_eq(out.buf, json, "\n%s\nnot\n%s", out.buf, json);
	strbuf_release(&out);
}

#define FOO_ENTRY                                                                                  \
	"{\"version\":\"1.0.0+1\",\"pubspec\":{\"name\":\"foo\",\"version\":\"1.0.0+1\"},"         \
	"\"archive_url\":\"https://pub.dev/api/archives/foo-1.0.0%2B1.tar.gz\","                   \
	"\"archive_sha256\":\"" SHA "\",\"published\":\"2024-01-02T03:04:05.678Z\"}"

Test(render_listing, the_example_of_the_spec)
{
	struct package_version rows[] = {
		ROW("1.0.0+1", "{\"name\":\"foo\",\"version\":\"1.0.0+1\"}", TIME,
		    .archive_sha256 = TEXT(SHA)),
	};
	struct package pkg = { .name = TEXT("foo") };

	expect(&pkg, rows, 1,
	       "{\"name\":\"foo\",\"latest\":" FOO_ENTRY ",\"versions\":[" FOO_ENTRY "]}");
}

#define A                                                                                          \
	"{\"version\":\"1.0.0-a.1\",\"pubspec\":{\"version\":\"1.0.0-a.1\",\"name\":\"foo\"},"     \
	"\"archive_url\":\"https://pub.dev/api/archives/foo-1.0.0-a.1.tar.gz\","                   \
	"\"published\":\"2024-01-02T03:04:05.678001Z\"}"
#define B                                                                                          \
	"{\"version\":\"1.0.0\",\"retracted\":true,"                                               \
	"\"pubspec\":{\"version\":\"1.0.0\",\"name\":\"foo\"},"                                    \
	"\"archive_url\":\"https://pub.dev/api/archives/foo-1.0.0.tar.gz\","                       \
	"\"published\":\"1970-01-01T00:00:00.000Z\"}"
#define C                                                                                          \
	"{\"version\":\"2.0.0\",\"pubspec\":{\"name\":\"foo\",\"version\":\"2.0.0\"},"             \
	"\"archive_url\":\"https://pub.dev/api/archives/foo-2.0.0.tar.gz\","                       \
	"\"archive_sha256\":\"" SHA "\",\"published\":\"2024-01-02T03:04:05.670Z\"}"

Test(render_listing, all_keys_stand_in_their_order)
{
	struct package_version rows[] = {
		ROW("2.0.0", "{\"name\":\"foo\",\"version\":\"2.0.0\"}", TIME - 8000,
		    .archive_sha256 =
			    TEXT("95CB0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF01234"
				 "56789AB")),
		ROW("1.0.0", "{\"version\":\"1.0.0\",\"name\":\"foo\"}", 0, .retracted = true),
		ROW("1.0.0-a.1", "{\"version\":\"1.0.0-a.1\",\"name\":\"foo\"}", TIME + 1,
		    .archive_sha256 = TEXT("")),
	};
	struct package pkg = { .name = TEXT("foo"),
			       .discontinued = true,
			       .replaced_by = TEXT("bar"),
			       .latest_version = TEXT("1.0.0"),
			       .has_latest_advisory = true,
			       .latest_advisory = TIME + 42 };

	expect(&pkg, rows, 3,
	       "{\"name\":\"foo\",\"isDiscontinued\":true,\"replacedBy\":\"bar\",\"latest\":" B
	       ",\"versions\":[" A "," B "," C
	       "],\"advisoriesUpdated\":\"2024-01-02T03:04:05.678042Z\"}");
}

/* Key order, nulls, empty maps and number tokens as stored; strings escaped anew. */
Test(render_listing, a_pubspec_keeps_its_tokens)
{
	static const char *const cases[][2] = {
		{ "{\"a\":1.0}", "{\"a\":1.0}" },
		{ "{\"a\":12345678901234567890123}", "{\"a\":12345678901234567890123}" },
		{ "{\"a\":[1E+5,-0,0.10,1e400]}", "{\"a\":[1E+5,-0,0.10,1e400]}" },
		{ "{ \"b\" :\t{ } ,\r\n \"a\": [ ] }", "{\"b\":{},\"a\":[]}" },
		{ "{\"executables\":{\"x\":null}}", "{\"executables\":{\"x\":null}}" },
		{ "{\"a\":[true,false,null]}", "{\"a\":[true,false,null]}" },
		{ "{\"a\":\"\\ud83d\"}", "{\"a\":\"\\ud83d\"}" },
		{ "{\"a\":\"\\uDE00 \\u0000 \\u001F\"}", "{\"a\":\"\\ude00 \\u0000 \\u001f\"}" },
		{ "{\"a\":\"\\ud83d\\ude00\"}", "{\"a\":\"\360\237\230\200\"}" },
		{ "{\"a\":\"\\/\\u0041\\u007f\\u2028\"}", "{\"a\":\"/A\177\342\200\250\"}" },
		{ "{\"a\":\"\\u0008\\u0009\\u000a\\u000c\\u000d\\u0022\\u005c\"}",
		  "{\"a\":\"\\b\\t\\n\\f\\r\\\"\\\\\"}" },
		{ "{\"\\u0061\":\"caf\\u00e9\"}", "{\"a\":\"caf\303\251\"}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf pubspec = STRBUF_INIT(1000), out = STRBUF_INIT(10000);
		struct strbuf part = STRBUF_INIT(1000);
		struct package_version row = { .version = TEXT("1.0.0") };
		struct package pkg = { .name = TEXT("foo"), .versions = &row, .n_versions = 1 };

		strbuf_addf(&pubspec, "{\"name\":\"foo\",\"version\":\"1.0.0\",\"x\":%s}",
			    cases[i][0]);
		strbuf_addf(&part,
			    "\"pubspec\":{\"name\":\"foo\",\"version\":\"1.0.0\",\"x\":%s},\"arch",
			    cases[i][1]);
		row.pubspec = pubspec.buf;
		row.pubspec_len = pubspec.len;
		cr_assert_eq(render(&pkg, "https://pub.dev", &out), 0);
		cr_expect(strstr(out.buf, part.buf), "%s does not have %s", out.buf, part.buf);
		strbuf_release(&pubspec);
		strbuf_release(&out);
		strbuf_release(&part);
	}
}

Test(render_listing, the_path_of_the_base_url_is_kept)
{
	struct package_version row =
		ROW("1.0.0-b+2.c", "{\"name\":\"foo\",\"version\":\"1.0.0-b+2.c\"}", 0);
	struct package pkg = { .name = TEXT("foo"), .versions = &row, .n_versions = 1 };
	struct strbuf out = STRBUF_INIT(10000);

	cr_assert_eq(render(&pkg, "https://x.org/\"pub\"/dart", &out), 0);
	cr_expect(strstr(out.buf, ",\"archive_url\":\"https://x.org/\\\"pub\\\"/dart/api/archives/"
				  "foo-1.0.0-b%2B2.c.tar.gz\","),
		  "%s", out.buf);
	strbuf_release(&out);
}

Test(render_listing, one_without_versions_is_never_made)
{
	struct package_version row = ROW("1.0.0", "[]", 0);
	struct package pkg = { .name = TEXT("foo"), .versions = &row, .n_versions = 1 };
	struct strbuf out = STRBUF_INIT(10000);

	cr_expect_eq(render(&pkg, "https://pub.dev", &out), -EINVAL);
	cr_expect_eq(out.len, 0);
	strbuf_release(&out);
}

Test(render_listing, one_that_does_not_fit_is_told)
{
	struct package_version row = ROW("1.0.0", "{\"name\":\"foo\",\"version\":\"1.0.0\"}", 0);
	struct package pkg = { .name = TEXT("foo"), .versions = &row, .n_versions = 1 };
	struct strbuf out = STRBUF_INIT(10000);
	size_t n;

	cr_assert_eq(render(&pkg, "https://pub.dev", &out), 0);
	n = out.len;
	strbuf_release(&out);
	out.max = n;
	cr_expect_eq(render(&pkg, "https://pub.dev", &out), 0);
	strbuf_release(&out);
	out.max = n - 1;
	cr_expect_eq(render(&pkg, "https://pub.dev", &out), -E2BIG);
	strbuf_release(&out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* render_details_test.c - the small documents of a package and of a prefix, byte for byte. */
#include <criterion/criterion.h>
#include <string.h>

#include "memory.h"
#include "render.h"
#include "strbuf.h"

static const struct rendering how = { .base_url = "https://pub.dev" };

static void expect_body(struct package *pkg, enum kind kind, const char *expected)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100000);

	for (size_t i = 0; i < n_package_documents; i++)
		if (package_documents[i].kind == kind)
			cr_assert_eq(package_documents[i].body(pkg, NULL, &how, &out), 0);
	cr_expect_str_eq(out.buf, expected);
}

static void set_tags(struct package *pkg, const char *tags)
{
	free(pkg->tags);
	pkg->tags = xstrdup(tags);
	pkg->tags_len = strlen(tags);
}

Test(render_details, null_is_written_where_there_is_nothing)
{
	struct package pkg;

	package_init(&pkg);
	pkg.name = xstrdup("foo");
	set_tags(&pkg, "[]");
	expect_body(&pkg, KIND_LIKES, "{\"package\":\"foo\",\"likes\":0}");
	expect_body(&pkg, KIND_OPTIONS,
		    "{\"isDiscontinued\":false,\"replacedBy\":null,\"isUnlisted\":false}");
	expect_body(&pkg, KIND_PUBLISHER, "{\"publisherId\":null}");
	expect_body(&pkg, KIND_SCORE,
		    "{\"grantedPoints\":0,\"maxPoints\":0,\"likeCount\":0,"
		    "\"downloadCount30Days\":null,\"tags\":[]}");
	package_release(&pkg);
}

Test(render_details, what_there_is_is_written_as_it_is)
{
	struct package pkg;

	package_init(&pkg);
	pkg.name = xstrdup("foo");
	pkg.discontinued = pkg.unlisted = pkg.has_download_count = true;
	pkg.replaced_by = xstrdup("b\"r");
	pkg.publisher = xstrdup("dart.dev");
	pkg.likes = 9007199254740993;
	pkg.granted_points = 140;
	pkg.max_points = 160;
	set_tags(&pkg, " [ \"sdk:dart\" , \"\\u0041/\\u00e9\\n\" ] ");
	expect_body(&pkg, KIND_LIKES, "{\"package\":\"foo\",\"likes\":9007199254740993}");
	expect_body(&pkg, KIND_OPTIONS,
		    "{\"isDiscontinued\":true,\"replacedBy\":\"b\\\"r\",\"isUnlisted\":true}");
	expect_body(&pkg, KIND_PUBLISHER, "{\"publisherId\":\"dart.dev\"}");
	expect_body(&pkg, KIND_SCORE,
		    "{\"grantedPoints\":140,\"maxPoints\":160,\"likeCount\":9007199254740993,"
		    "\"downloadCount30Days\":0,\"tags\":[\"sdk:dart\",\"A/\xc3\xa9\\n\"]}");
	package_release(&pkg);
}

Test(render_details, tags_that_cannot_be_read_are_none)
{
	static const char *const tags[] = { "", "x", "{}", "[1]", "[\"a\",null]", "[\"a\"" };
	struct package pkg;

	package_init(&pkg);
	pkg.name = xstrdup("foo");
	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		set_tags(&pkg, tags[i]);
		expect_body(&pkg, KIND_SCORE,
			    "{\"grantedPoints\":0,\"maxPoints\":0,\"likeCount\":0,"
			    "\"downloadCount30Days\":null,\"tags\":[]}");
	}
	package_release(&pkg);
}

Test(render_details, documents_of_a_prefix)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);
	char a[] = "a", b[] = "b", *names[] = { b, a };

	not_found_body(&out);
	cr_assert_str_eq(out.buf,
			 "{\"error\":{\"code\":\"NotFound\",\"message\":"
			 "\"Package or version requested could not be found.\"},\"code\":\"NotFound\","
			 "\"message\":\"Package or version requested could not be found.\"}");
	strbuf_reset(&out);
	completion_body(names, 0, &out);
	completion_body(names, 2, &out);
	cr_assert_str_eq(out.buf, "{\"packages\":[]}{\"packages\":[\"b\",\"a\"]}");
}

/* pub.dev's rule for what it calls legacy. */
Test(render_details, a_pubspec_is_of_dart_1_when_no_later_one_can_use_it)
{
	static const struct {
		const char *pubspec;
		bool dart_1;
	} rows[] = {
		{ "{}", true },
		{ "{\"environment\":null}", true },
		{ "{\"environment\":{}}", true },
		{ "{\"environment\":{\"sdk\":\"any\"}}", true },
		{ "{\"environment\":{\"sdk\":\"nonsense\"}}", true },
		{ "{\"environment\":{\"sdk\":2}}", true },
		{ "{\"environment\":{\"sdk\":\">=1.0.0 <2.0.0\"}}", true },
		{ "{\"environment\":{\"sdk\":\">=1.0.0 <3.0.0\"}}", false },
		{ "{\"environment\":{\"sdk\":\"^3.0.0\"}}", false },
		{ "{\"environment\":{\"flutter\":\"any\"}}", false },
		{ "{\"environment\":{\"sdk\":\"<2.0.0\",\"flutter\":\">=0.1.0\"}}", false },
		{ "{\"environment\":{\"sdk\":\"<2.0.0\",\"flutter\":null}}", true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json pubspec;

		cr_assert_eq(json_parse(rows[i].pubspec, strlen(rows[i].pubspec), &pubspec, NULL), 0);
		cr_expect_eq(pubspec_is_dart_1(pubspec), rows[i].dart_1, "%s", rows[i].pubspec);
	}
}

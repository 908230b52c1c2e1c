/* SPDX-License-Identifier: BSD-3-Clause */
/* releases_test.c - which versions a listing shows, and which is latest. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "render.h"

#define TEXT(text)	 ((char[]){ text })
#define PUBSPEC(version) "{\"name\":\"foo\",\"version\":\"" version "\"}"
#define ROW(text, json, ...)                                                                       \
	{                                                                                          \
		.version = TEXT(text), .pubspec = TEXT(json), .pubspec_len = sizeof(json) - 1,     \
		__VA_ARGS__                                                                        \
	}
#define SOUND(text, ...) ROW(text, PUBSPEC(text), __VA_ARGS__)
#define PACKAGE(array)                                                                             \
	{                                                                                          \
		.name = TEXT("foo"), .versions = (array), .n_versions = ARRAY_SIZE(array)          \
	}

static const struct rendering how = { .base_url = "https://pub.dev" };

static void select_from(const struct package *pkg, struct release_list *ret)
{
	cr_assert_eq(releases_select(pkg, &how, ret), 0);
}

static const char *latest_of(const struct package *pkg, const struct rendering *with)
{
	static char text[65];
	struct release_list list;

	cr_assert_eq(releases_select(pkg, with, &list), 0);
	cr_assert_gt(list.n, 0);
	strncpy(text, list.versions[list.latest]->version, sizeof(text) - 1);
	releases_release(&list);
	return text;
}

Test(releases, visible_versions_stand_in_the_order_of_versions)
{
	struct package_version rows[] = {
		SOUND("10.0.0"),    SOUND("9.0.0", .retracted = true),
		SOUND("1.0.0+1"),   SOUND("8.0.0", .moderated = true),
		SOUND("1.0.0-dev"), SOUND("7.0.0", .deleted = true),
		SOUND("1.0.0"),
	};
	static const char *const expected[] = { "1.0.0-dev", "1.0.0", "1.0.0+1", "9.0.0",
						"10.0.0" };
	struct package pkg = PACKAGE(rows);
	struct release_list list;

	select_from(&pkg, &list);
	cr_assert_eq(list.n, 5);
	for (size_t i = 0; i < list.n; i++) {
		cr_expect_str_eq(list.versions[i]->version, expected[i]);
		cr_expect_eq(list.pubspecs[i].text, list.versions[i]->pubspec);
		cr_expect_eq(list.pubspecs[i].len, list.versions[i]->pubspec_len);
	}
	cr_expect_eq(list.n_visible, 5);
	cr_expect_eq(list.n_rows, 7);
	cr_expect_eq(list.n_left_out, 0);
	cr_expect_eq(list.n_noticed, 0);
	cr_expect_eq(list.latest, 4);
	releases_release(&list);
	cr_expect_eq(list.n, 0);
}

#define SHA "95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95CB95cb"

/* Each row beside a sound one: the sentence, or "" for a version that is kept without a word. */
Test(releases, a_version_that_spoils_its_package_is_left_out_and_named)
{
	const struct {
		struct package_version row;
		const char *sentence;
	} cases[] = {
		{ ROW("1.0.0", "{\"name\":\"foo\""),
		  "foo 1.0.0 is left out: its pubspec is no sound JSON" },
		{ ROW("1.0.0", ""), "its pubspec is no sound JSON" },
		{ { .version = TEXT("1.0.0") }, "its pubspec is no sound JSON" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"a\":1,\"a\":1,\"version\":\"1.0.0\"}"),
		  "no sound JSON" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"a\":\"\xff\",\"version\":\"1.0.0\"}"),
		  "no sound JSON" },
		{ ROW("1.0.0", "[]"), "its pubspec is no object" },
		{ ROW("1.0.0", "null"), "its pubspec is no object" },
		{ ROW("1.0.0", "{\"version\":\"1.0.0\"}"), "its pubspec has no name" },
		{ ROW("1.0.0", "{\"name\":\"Foo\",\"version\":\"1.0.0\"}"),
		  "the name in its pubspec is \"Foo\"" },
		{ ROW("1.0.0", "{\"name\":null,\"version\":\"1.0.0\"}"),
		  "the name in its pubspec is null" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"version\":1.0}"),
		  "the version in its pubspec is 1.0" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"version\":\"1.0\"}"),
		  "the version in its pubspec is \"1.0\"" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"version\":\"1.0.0\\u0000\"}"),
		  "the version in its pubspec" },
		{ ROW("1.0.0", "{\"name\":\"foo\",\"version\":[]}"),
		  "the version in its pubspec is []" },
		{ SOUND("1.0.0", .archive_sha256 = TEXT("95cb")), "archive_sha256 is not 64" },
		{ SOUND("1.0.0", .archive_sha256 = TEXT(SHA "0")), "archive_sha256 is not 64" },
		{ SOUND("01.0.0"), "foo 01.0.0 is left out: its version is not in canonical form" },
		{ SOUND("1.0"), "not in canonical form" },
		{ SOUND("1.0.0", .archive_sha256 = TEXT(SHA)), "" },
		{ SOUND("1.0.0", .archive_sha256 = TEXT("")), "" },
		{ ROW("1.0.0", "{\"name\":\"f\\u006fo\",\"version\":\"1.0.\\u0030\"}"), "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct package_version rows[] = { SOUND("2.0.0"), cases[i].row };
		struct package pkg = PACKAGE(rows);
		struct release_list list;

		select_from(&pkg, &list);
		cr_expect_eq(list.n_visible, 2);
		cr_expect_eq(list.n_noticed, 0);
		if (*cases[i].sentence) {
			cr_expect_eq(list.n, 1, "%s", cases[i].sentence);
			cr_assert_eq(list.n_left_out, 1, "%s", cases[i].sentence);
			cr_expect(strstr(list.left_out[0], cases[i].sentence),
				  "'%s' does not say '%s'", list.left_out[0], cases[i].sentence);
		} else {
			cr_expect_eq(list.n, 2, "%s", list.n_left_out ? list.left_out[0] : "");
		}
		releases_release(&list);
	}
}

Test(releases, another_version_in_the_pubspec_is_kept_and_noticed)
{
	struct package_version rows[] = {
		ROW("1.0.0", PUBSPEC("1.0.1")),
		ROW("2.0.0", "{\"name\":\"foo\"}"),
		ROW("3.0.0", "{\"name\":\"foo\",\"version\":null}"),
		ROW("4.0.0", PUBSPEC("04.0.0")),
		SOUND("5.0.0"),
	};
	struct package pkg = PACKAGE(rows);
	struct release_list list;

	select_from(&pkg, &list);
	cr_expect_eq(list.n, 5);
	cr_expect_eq(list.n_left_out, 0);
	cr_assert_eq(list.n_noticed, 4);
	cr_expect_str_eq(list.noticed[0], "foo 1.0.0: the version in its pubspec is \"1.0.1\"");
	cr_expect_str_eq(list.noticed[1],
			 "foo 2.0.0: its pubspec has no version, so clients see 0.0.0");
	cr_expect_str_eq(list.noticed[2],
			 "foo 3.0.0: its pubspec has no version, so clients see 0.0.0");
	cr_expect_str_eq(list.noticed[3], "foo 4.0.0: the version in its pubspec is \"04.0.0\"");
	releases_release(&list);
}

Test(releases, a_package_may_have_none)
{
	struct package_version rows[] = { SOUND("1.0.0", .deleted = true), ROW("2.0.0", "[]") };
	struct package pkg = PACKAGE(rows), empty = { .name = TEXT("foo") };
	struct release_list list;

	select_from(&pkg, &list);
	cr_expect_eq(list.n, 0);
	cr_expect_eq(list.n_visible, 1);
	cr_expect_eq(list.n_rows, 2);
	releases_release(&list);
	select_from(&empty, &list);
	cr_expect_eq(list.n, 0);
	releases_release(&list);
}

Test(releases, the_stored_pointer_is_latest_where_it_names_a_listed_version)
{
	struct package_version rows[] = {
		SOUND("1.0.0"),	    SOUND("2.0.0", .retracted = true),
		SOUND("3.0.0"),	    SOUND("4.0.0", .moderated = true),
		SOUND("5.0.0-dev"), ROW("6.0.0", "[]"),
	};
	const struct {
		char *pointer;
		const char *latest;
	} cases[] = {
		{ TEXT("1.0.0"), "1.0.0" },
		{ TEXT("2.0.0"), "2.0.0" },
		{ TEXT("5.0.0-dev"), "5.0.0-dev" },
		{ NULL, "3.0.0" },
		{ TEXT("4.0.0"), "3.0.0" }, /* invisible */
		{ TEXT("6.0.0"), "3.0.0" }, /* left out */
		{ TEXT("9.9.9"), "3.0.0" }, /* absent */
		{ TEXT(""), "3.0.0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct package pkg = PACKAGE(rows);

		pkg.latest_version = cases[i].pointer;
		cr_expect_str_eq(latest_of(&pkg, &how), cases[i].latest, "%s",
				 cases[i].pointer ? cases[i].pointer : "null");
	}
}

Test(releases, a_retracted_version_is_not_latest_while_another_is_not)
{
	struct package_version rows[] = { SOUND("1.0.0"), SOUND("2.0.0", .retracted = true) };
	struct package pkg = PACKAGE(rows);

	cr_expect_str_eq(latest_of(&pkg, &how), "1.0.0");
	rows[0].retracted = true;
	cr_expect_str_eq(latest_of(&pkg, &how), "2.0.0");
}

#define NEEDS(version, environment)                                                                \
	ROW(version,                                                                               \
	    "{\"name\":\"foo\",\"version\":\"" version "\",\"environment\":" environment "}")

Test(releases, a_version_for_a_newer_sdk_does_not_displace_a_release)
{
	const struct {
		struct package_version newer;
		const char *dart, *flutter, *latest;
	} cases[] = {
		{ NEEDS("2.0.0", "{\"sdk\":\">=3.6.0 <4.0.0\"}"), "3.5.0", NULL, "1.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"^3.6.0\"}"), "3.5.0", NULL, "1.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"^3.6.0\"}"), "3.6.0", NULL, "2.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"^3.6.0\"}"), NULL, NULL, "2.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"^3.6.0\"}"), NULL, "3.0.0", "2.0.0" },
		{ NEEDS("2.0.0", "{\"flutter\":\">=3.30.0\"}"), "3.5.0", "3.29.0", "1.0.0" },
		{ NEEDS("2.0.0", "{\"flutter\":\">=3.30.0\"}"), "3.5.0", "3.30.0", "2.0.0" },
		{ NEEDS("2.0.0", "{\"flutter\":\">=3.30.0\"}"), "3.5.0", NULL, "2.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"any\"}"), "3.5.0", NULL, "2.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":\"nonsense\"}"), "3.5.0", NULL, "2.0.0" },
		{ NEEDS("2.0.0", "{\"sdk\":4}"), "3.5.0", NULL, "2.0.0" },
		{ NEEDS("2.0.0", "null"), "3.5.0", NULL, "2.0.0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct package_version rows[] = { cases[i].newer, SOUND("1.0.0") };
		struct package pkg = PACKAGE(rows);
		struct rendering with = { .base_url = "https://pub.dev",
					  .sdk_dart = cases[i].dart,
					  .sdk_flutter = cases[i].flutter };

		cr_expect_str_eq(latest_of(&pkg, &with), cases[i].latest, "%s", rows[0].pubspec);
	}
}

Test(releases, an_sdk_version_that_is_none_is_an_error)
{
	struct package_version rows[] = { SOUND("1.0.0") };
	struct package pkg = PACKAGE(rows);
	struct rendering with = { .base_url = "https://pub.dev", .sdk_flutter = "stable" };
	struct release_list list = { .n = 77 };

	cr_expect_eq(releases_select(&pkg, &with, &list), -EINVAL);
	cr_expect_eq(list.n, 77);
}

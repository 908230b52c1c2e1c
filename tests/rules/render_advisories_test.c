/* SPDX-License-Identifier: BSD-3-Clause */
/* render_advisories_test.c - advisories, byte for byte; all expectations are written by hand. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "render.h"
#include "strbuf.h"

#define TEXT(text) ((char[]){ text })
#define TIME	   1704164645678000 /* 2024-01-02T03:04:05.678Z */
#define EPOCH	   ",\"advisoriesUpdated\":\"1970-01-01T00:00:00.000Z\"}"

static int render(const struct package *pkg, struct strbuf *out)
{
	const struct rendering how = { .base_url = "https://pub.dev" };
	struct release_list none = { 0 };

	for (size_t i = 0; i < n_package_documents; i++)
		if (package_documents[i].kind == KIND_ADVISORIES)
			return package_documents[i].body(pkg, &none, &how, out);
	return -ENOENT;
}

static void expect(const struct package *pkg, const char *json)
{
	struct strbuf out = STRBUF_INIT(100000);

	cr_assert_eq(render(pkg, &out), 0);
	cr_expect_str_eq(out.buf, json, "\n%s\nnot\n%s", out.buf, json);
	strbuf_release(&out);
}

/* One advisory of `foo`, synced at the epoch. */
static void expect_one(const char *osv, const char *json)
{
	struct strbuf text = STRBUF_INIT(10000), whole = STRBUF_INIT(10000);
	struct advisory row = { .id = TEXT("A-1") };
	struct package pkg = { .name = TEXT("foo"), .advisories = &row, .n_advisories = 1 };

	strbuf_addstr(&text, osv);
	row.osv = text.buf;
	row.osv_len = text.len;
	strbuf_addf(&whole, "{\"advisories\":[%s]" EPOCH, json);
	expect(&pkg, whole.buf);
	strbuf_release(&text);
	strbuf_release(&whole);
}

Test(render_advisories, none_at_all_is_an_empty_list_of_the_epoch)
{
	struct package pkg = { .name = TEXT("foo") };

	expect(&pkg, "{\"advisories\":[]" EPOCH);
}

/* Every key there is, in the wrong order, with unknown ones between. */
Test(render_advisories, known_keys_stand_in_their_order_and_others_are_dropped)
{
	expect_one(
		"{ \"unknown\": 1, \"database_specific\": {\"z\": 1.0, \"a\": null},"
		"\"credits\":[{\"type\":\"FINDER\",\"contact\":[\"c\"],\"name\":\"n\"}],"
		"\"references\":[{\"url\":\"https://r\",\"type\":\"WEB\",\"x\":1}],"
		"\"affected\":[{\"ecosystem_specific\":{\"e\":[]},\"database_specific\":{\"d\":{}},"
		"\"severity\":[],\"versions\":[\"1.0.0\"],"
		"\"ranges\":[{\"database_specific\":{\"r\":2},\"events\":[{\"introduced\":\"0\","
		"\"x\":1},"
		"{\"limit\":\"*\",\"fixed\":\"1.0.1\",\"last_affected\":\"1.0.0\"}],"
		"\"repo\":\"https://g\",\"type\":\"ECOSYSTEM\"}],"
		"\"package\":{\"purl\":\"pkg:pub/"
		"foo\",\"name\":\"foo\",\"ecosystem\":\"Pub\",\"x\":1}}],"
		"\"severity\":[{\"score\":\"CVSS:3.1\",\"type\":\"CVSS_V3\",\"x\":1}],"
		"\"details\":\"a\\/b\",\"summary\":\"s\",\"related\":[\"R-1\"],"
		"\"aliases\":[\"CVE-2024-1\"],\"withdrawn\":\"2024-03-01T00:00:00Z\","
		"\"published\":\"2024-01-01\",\"modified\":\"2024-02-01T00:00:00+01:00\","
		"\"id\":\"GHSA-1\",\"schema_version\":\"1.4.0\"}",

		"{\"schema_version\":\"1.4.0\",\"id\":\"GHSA-1\","
		"\"modified\":\"2024-02-01T00:00:00+01:00\",\"published\":\"2024-01-01\","
		"\"withdrawn\":\"2024-03-01T00:00:00Z\",\"aliases\":[\"CVE-2024-1\"],"
		"\"related\":[\"R-1\"],\"summary\":\"s\",\"details\":\"a/b\","
		"\"severity\":[{\"type\":\"CVSS_V3\",\"score\":\"CVSS:3.1\"}],"
		"\"affected\":[{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"foo\","
		"\"purl\":\"pkg:pub/foo\"},\"ranges\":[{\"type\":\"ECOSYSTEM\",\"repo\":\"https://"
		"g\","
		"\"events\":[{\"introduced\":\"0\",\"fixed\":null,\"last_affected\":null,"
		"\"limit\":null},{\"introduced\":null,\"fixed\":\"1.0.1\","
		"\"last_affected\":\"1.0.0\",\"limit\":\"*\"}],\"database_specific\":{\"r\":2}}],"
		"\"versions\":[\"1.0.0\"],\"database_specific\":{\"d\":{}},"
		"\"ecosystem_specific\":{\"e\":[]}}],"
		"\"references\":[{\"type\":\"WEB\",\"url\":\"https://r\"}],"
		"\"credits\":[{\"name\":\"n\",\"contact\":[\"c\"]}],"
		"\"database_specific\":{\"z\":1.0,\"a\":null,"
		"\"pub_display_url\":\"https://github.com/advisories/GHSA-1\"}}");
}

#define BARE(id, affected)                                                                         \
	"{\"id\":\"" id                                                                            \
	"\",\"modified\":\"m\",\"aliases\":[],\"summary\":\"\",\"affected\":" affected             \
	",\"database_specific\":{\"pub_display_url\":"                                             \
	"\"https://osv.dev/vulnerability/" id "\"}}"

/* Null is absent; nested objects carry all their keys, null where absent. */
Test(render_advisories, what_is_absent_is_left_out_or_has_its_empty_form)
{
	static const char *const cases[][2] = {
		{ "{\"id\":\"A-1\",\"modified\":\"m\"}", BARE("A-1", "[]") },
		{ "{\"id\":\"A-1\",\"modified\":\"m\",\"aliases\":null,\"summary\":null,"
		  "\"affected\":null,\"details\":null,\"severity\":null,\"references\":null,"
		  "\"credits\":null,\"published\":null,\"withdrawn\":null,\"related\":null,"
		  "\"schema_version\":null,\"database_specific\":null}",
		  BARE("A-1", "[]") },
		{ "{\"id\":\"A-1\",\"modified\":\"m\",\"affected\":[{\"package\":{\"name\":\"foo\","
		  "\"ecosystem\":\"PUB\"}}]}",
		  BARE("A-1",
		       "[{\"package\":{\"ecosystem\":\"PUB\",\"name\":\"foo\",\"purl\":null},"
		       "\"ranges\":null,\"versions\":[],\"database_specific\":null,"
		       "\"ecosystem_specific\":null}]") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_one(cases[i][0], cases[i][1]);
}

#define ENTRY(ecosystem, name, versions)                                                           \
	"{\"package\":{\"ecosystem\":" ecosystem ",\"name\":" name ",\"purl\":null},"              \
	"\"ranges\":null,\"versions\":" versions ",\"database_specific\":null,"                    \
	"\"ecosystem_specific\":null}"

#define PUB_FOO	  ENTRY("\"pub\"", "\"foo\"", "[]")
#define PUB_BAR	  ENTRY("\"PuB\"", "\"bar\"", "[]")
#define NPM_FOO	  ENTRY("\"npm\"", "\"foo\"", "[]")
#define NPM_BAR	  ENTRY("\"npm\"", "\"bar\"", "null")
#define PUBS_BAR  ENTRY("\"pubs\"", "\"bar\"", "null")
#define NPM_BAR_1 ENTRY("\"npm\"", "\"bar\"", "[\"1\"]")
#define ENTRIES	  PUB_FOO "," PUB_BAR "," NPM_FOO "," NPM_BAR "," PUBS_BAR "," NPM_BAR_1

/* Entries of others stay; clients read `versions` where the name is theirs. */
Test(render_advisories, null_versions_become_a_list_where_clients_may_read_them)
{
	expect_one("{\"id\":\"A-1\",\"modified\":\"m\",\"affected\":["
		   "{\"package\":{\"ecosystem\":\"pub\",\"name\":\"foo\"},\"versions\":null},"
		   "{\"package\":{\"ecosystem\":\"PuB\",\"name\":\"bar\"}},"
		   "{\"package\":{\"ecosystem\":\"npm\",\"name\":\"foo\"}},"
		   "{\"package\":{\"ecosystem\":\"npm\",\"name\":\"bar\"}},"
		   "{\"package\":{\"ecosystem\":\"pubs\",\"name\":\"bar\"}},"
		   "{\"package\":{\"ecosystem\":\"npm\",\"name\":\"bar\"},\"versions\":[\"1\"]}]}",
		   BARE("A-1", "[" ENTRIES "]"));
}

Test(render_advisories, the_display_url_is_that_of_the_best_known_id)
{
	static const struct {
		const char *id, *aliases, *specific, *expected;
	} cases[] = {
		{ "GHSA-1", "[\"CVE-1\",\"GHSA-2\"]", "{}",
		  "{\"pub_display_url\":\"https://github.com/advisories/GHSA-1\"}" },
		{ "PUB-1", "[\"CVE-1\",\"GHSA-2\",\"GHSA-3\"]", "{\"a\":1}",
		  "{\"a\":1,\"pub_display_url\":\"https://github.com/advisories/GHSA-2\"}" },
		{ "CVE-1", "[\"GHSA-2\"]", "{}",
		  "{\"pub_display_url\":\"https://github.com/advisories/GHSA-2\"}" },
		{ "PUB-1", "[\"X\",\"CVE-2\",\"CVE-3\"]", "{}",
		  "{\"pub_display_url\":\"https://osv.dev/vulnerability/CVE-2\"}" },
		{ "CVE-1", "[]", "{}",
		  "{\"pub_display_url\":\"https://osv.dev/vulnerability/CVE-1\"}" },
		{ "PUB-1", "[\"X\"]", "{}",
		  "{\"pub_display_url\":\"https://osv.dev/vulnerability/PUB-1\"}" },
		{ "ghsa-1", "[]", "{}",
		  "{\"pub_display_url\":\"https://osv.dev/vulnerability/ghsa-1\"}" },
		{ "GHSA-\\u0022", "[]", "{}",
		  "{\"pub_display_url\":\"https://github.com/advisories/GHSA-\\\"\"}" },
		{ "GHSA-1", "[]", "{\"pub_display_url\":\"mine\",\"a\":1}",
		  "{\"pub_display_url\":\"mine\",\"a\":1}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf osv = STRBUF_INIT(1000), out = STRBUF_INIT(1000);
		struct strbuf part = STRBUF_INIT(1000);
		struct advisory row = { .id = TEXT("A-1") };
		struct package pkg = { .name = TEXT("foo"), .advisories = &row, .n_advisories = 1 };

		strbuf_addf(&osv,
			    "{\"id\":\"%s\",\"modified\":\"m\",\"aliases\":%s,"
			    "\"database_specific\":%s}",
			    cases[i].id, cases[i].aliases, cases[i].specific);
		strbuf_addf(&part, ",\"database_specific\":%s}]", cases[i].expected);
		row.osv = osv.buf;
		row.osv_len = osv.len;
		cr_assert_eq(render(&pkg, &out), 0);
		cr_expect(strstr(out.buf, part.buf), "%s does not have %s", out.buf, part.buf);
		strbuf_release(&osv);
		strbuf_release(&out);
		strbuf_release(&part);
	}
}

#define OSV(id, entries)                                                                           \
	.osv = TEXT("{\"id\":\"" id "\",\"modified\":\"m\",\"affected\":[" entries "]}"),          \
	.osv_len = sizeof("{\"id\":\"" id "\",\"modified\":\"m\",\"affected\":[" entries "]}") - 1

#define LISTED_3 BARE("A-3", "[]")
#define LISTED_4 BARE("A-4", "[" ENTRY("1", "\"foo\"", "[]") "]")
#define LISTED_5 BARE("A-5", "[" ENTRY("\"pub\"", "[]", "[]") "]")

/* It is the row's word that an advisory is about a package, unless the document denies it. */
Test(render_advisories, only_those_about_the_package_are_listed)
{
	struct advisory rows[] = {
		{ .id = TEXT("A-1"),
		  OSV("A-1", "{\"package\":{\"name\":\"bar\",\"ecosystem\":\"pub\"}}") },
		{ .id = TEXT("A-2"),
		  OSV("A-2", "{\"package\":{\"name\":\"foo\",\"ecosystem\":\"npm\"}}"),
		  .synced = TIME },
		{ .id = TEXT("A-3"), OSV("A-3", "") },
		{ .id = TEXT("A-4"),
		  OSV("A-4", "{\"package\":{\"name\":\"foo\",\"ecosystem\":1}}") },
		{ .id = TEXT("A-5"),
		  OSV("A-5", "{\"package\":{\"name\":[],\"ecosystem\":\"pub\"}}") },
	};
	struct package pkg = { .name = TEXT("foo"), .advisories = rows, .n_advisories = 5 };

	expect(&pkg, "{\"advisories\":[" LISTED_3 "," LISTED_4 "," LISTED_5 "]" EPOCH);
}

Test(render_advisories, the_time_is_the_latest_of_all_and_of_the_listings)
{
	static const struct {
		int64_t first, second, latest;
		bool has_latest;
		const char *expected;
	} cases[] = {
		{ 0, 0, 0, false, "1970-01-01T00:00:00.000Z" },
		{ -1, -5, -3, true, "1970-01-01T00:00:00.000Z" },
		{ TIME, 0, 0, false, "2024-01-02T03:04:05.678Z" },
		{ 0, TIME + 1, 0, true, "2024-01-02T03:04:05.678001Z" },
		{ TIME, TIME + 1, TIME + 2, true, "2024-01-02T03:04:05.678002Z" },
		{ TIME, TIME + 1, TIME + 2, false, "2024-01-02T03:04:05.678001Z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct advisory rows[] = { { .id = TEXT("A-1"), OSV("A-1", ""), cases[i].first },
					   { .id = TEXT("A-2"), OSV("A-2", ""), cases[i].second } };
		struct package pkg = { .name = TEXT("foo"),
				       .advisories = rows,
				       .n_advisories = 2,
				       .has_latest_advisory = cases[i].has_latest,
				       .latest_advisory = cases[i].latest };
		struct strbuf whole = STRBUF_INIT(1000);

		strbuf_addf(&whole,
			    "{\"advisories\":[" BARE("A-1", "[]") "," BARE(
				    "A-2", "[]") "],\"advisoriesUpdated\":\"%s\"}",
			    cases[i].expected);
		expect(&pkg, whole.buf);
		strbuf_release(&whole);
	}
}

/* The time that only moves forward stays when the last advisory is gone. */
Test(render_advisories, the_time_outlives_the_advisories)
{
	struct package pkg = { .name = TEXT("foo"),
			       .has_latest_advisory = true,
			       .latest_advisory = TIME };

	expect(&pkg, "{\"advisories\":[],\"advisoriesUpdated\":\"2024-01-02T03:04:05.678Z\"}");
}

Test(render_advisories, one_that_cannot_be_read_fails_the_document)
{
	static const char *const cases[] = {
		"",
		"{\"id\":\"A-1\"",
		"[]",
		"{\"id\":\"A-1\",\"id\":\"A-1\",\"modified\":\"m\"}",
		"{\"modified\":\"m\"}",
		"{\"id\":null,\"modified\":\"m\"}",
		"{\"id\":1,\"modified\":\"m\"}",
		"{\"id\":\"A-1\"}",
		"{\"id\":\"A-1\",\"modified\":1}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"aliases\":\"x\"}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"summary\":[]}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"severity\":{}}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"severity\":[1]}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"affected\":{}}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"affected\":[null]}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"affected\":[{\"ranges\":[{\"events\":1}]}]}",
		"{\"id\":\"A-1\",\"modified\":\"m\",\"database_specific\":[]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf osv = STRBUF_INIT(1000), out = STRBUF_INIT(1000);
		struct advisory row = { .id = TEXT("A-1") };
		struct package pkg = { .name = TEXT("foo"), .advisories = &row, .n_advisories = 1 };

		strbuf_addstr(&osv, cases[i]);
		row.osv = osv.buf;
		row.osv_len = osv.len;
		cr_expect_eq(render(&pkg, &out), -EINVAL, "%s", cases[i]);
		strbuf_release(&osv);
		strbuf_release(&out);
	}
}

Test(render_advisories, a_document_that_does_not_fit_is_told)
{
	struct package pkg = { .name = TEXT("foo") };
	struct strbuf out = STRBUF_INIT(64);

	cr_expect_eq(render(&pkg, &out), 0, "%zu", out.len);
	cr_expect_eq(out.len, 64);
	strbuf_release(&out);
	out.max = 63;
	cr_expect_eq(render(&pkg, &out), -E2BIG);
	strbuf_release(&out);
}

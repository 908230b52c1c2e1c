/* SPDX-License-Identifier: BSD-3-Clause */
/* render_feed_test.c - the Atom feeds, byte for byte. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "render.h"
#include "strbuf.h"

#define BIG ((size_t)1 << 20)

static const struct rendering how = { .base_url = "https://pub.dev" };

static struct package pkg;

static void init(void)
{
	package_init(&pkg);
	pkg.name = xstrdup("oxygen");
	pkg.versions = xcalloc(40, sizeof(*pkg.versions));
}

static void fini(void)
{
	package_release(&pkg);
}

TestSuite(feed, .init = init, .fini = fini);

static struct package_version *add(const char *version, const char *created, const char *pubspec)
{
	struct package_version *v = &pkg.versions[pkg.n_versions++];

	v->version = xstrdup(version);
	v->pubspec = xstrdup(pubspec);
	v->pubspec_len = strlen(pubspec);
	cr_assert_eq(clock_parse(created, &v->created), 0);
	return v;
}

static char *package_feed(void)
{
	struct strbuf out = STRBUF_INIT(BIG);

	for (size_t i = 0; i < n_package_documents; i++)
		if (package_documents[i].kind == KIND_FEED)
			cr_assert_eq(package_documents[i].body(&pkg, NULL, &how, &out), 0);
	return strbuf_detach(&out);
}

static char *site_entry(const char *publisher, const struct package_version *v)
{
	const struct newest_version newest = { pkg.name, publisher, v };
	struct strbuf out = STRBUF_INIT(BIG);

	site_feed_entry(&newest, &how, &out);
	return strbuf_detach(&out);
}

#define HTTPS "https:&#47;&#47;pub.dev"

Test(feed, a_package_feed_is_what_the_format_says)
{
	CLEANUP(free_char) char *text = NULL;

	add("1.0.0", "2024-01-02T03:04:05.678Z", "{\"description\":\"old\"}");
	add("2.0.0-dev", "2024-11-30T23:59:59.999999Z",
	    "{\"description\":\"oxygen is <b>awesome</b> & more / 'it' \\\"is\\\"\"}");
	pkg.publisher = xstrdup("example.com");
	text = package_feed();
	cr_assert_str_eq(
		text,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<feed xmlns=\"http://www.w3.org/2005/Atom\">"
		"<id>" HTTPS "&#47;api&#47;packages&#47;oxygen&#47;feed.atom</id>"
		"<title>Recently published versions of package oxygen on pub.dev</title>"
		"<updated>2024-11-30T23:59:59.999999Z</updated>"
		"<author><name>example.com</name></author>"
		"<link href=\"https://pub.dev/packages/oxygen\" rel=\"alternate\"/>"
		"<link href=\"https://pub.dev/api/packages/oxygen/feed.atom\" rel=\"self\"/>"
		"<generator version=\"0.1.0\">Pub Feed Generator</generator>"
		"<subtitle>oxygen is &lt;b&gt;awesome&lt;&#47;b&gt; &amp; more &#47; &#39;it&#39; "
		"&quot;is&quot;</subtitle>"
		"<entry><id>urn:uuid:3f5765a8-8fb3-4b6c-83fe-774a73dce135</id>"
		"<title>v2.0.0-dev of oxygen</title><updated>2024-11-30T23:59:59.999999Z</updated>"
		"<content>2.0.0-dev was published on Nov 30, 2024.</content>"
		"<link href=\"https://pub.dev/packages/oxygen/versions/2.0.0-dev\" rel=\"alternate\" "
		"title=\"2.0.0-dev\"/></entry>"
		"<entry><id>urn:uuid:83860e70-d3be-4b7f-bb5c-6a7888210c35</id>"
		"<title>v1.0.0 of oxygen</title><updated>2024-01-02T03:04:05.678Z</updated>"
		"<content>1.0.0 was published on Jan 2, 2024.</content>"
		"<link href=\"https://pub.dev/packages/oxygen/versions/1.0.0\" rel=\"alternate\" "
		"title=\"1.0.0\"/></entry></feed>\n",
		"%s", text);
}

Test(feed, an_entry_of_the_feed_of_all_packages_is_what_the_format_says)
{
	CLEANUP(free_char)
	char *text = site_entry("a&b/c", add("1.2.0", "2024-01-02T03:04:05.678Z",
					     "{\"description\":\"x > y\"}"));

	cr_assert_str_eq(text, "<entry><id>urn:uuid:a6a43bff-e1ef-4633-b5ee-e0516b655be9</id>"
			       "<title>v1.2.0 of oxygen</title>"
			       "<updated>2024-01-02T03:04:05.678Z</updated>"
			       "<author><name>a&amp;b&#47;c</name></author>"
			       "<content>x &gt; y</content>"
			       "<link href=\"https://pub.dev/packages/oxygen\" rel=\"alternate\" "
			       "title=\"oxygen\"/></entry>");
}

Test(feed, the_frame_of_the_feed_of_all_packages_is_what_the_format_says)
{
	const struct rendering other = { .base_url = "http://p\"ub&.example.com:80/dart" };
	CLEANUP(strbuf_release) struct strbuf entries = STRBUF_INIT(100);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(BIG);

	strbuf_addstr(&entries, "<entry/>");
	site_feed_body(&entries, 0, &other, &out);
	cr_assert_str_eq(
		out.buf,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<feed xmlns=\"http://www.w3.org/2005/Atom\">"
		"<id>http:&#47;&#47;p&quot;ub&amp;.example.com:80&#47;dart&#47;feed.atom</id>"
		"<title>Recently published packages on p&quot;ub&amp;.example.com:80&#47;dart</title>"
		"<updated>1970-01-01T00:00:00.000Z</updated>"
		"<link href=\"http://p&quot;ub&amp;.example.com:80/dart/\" rel=\"alternate\"/>"
		"<link href=\"http://p&quot;ub&amp;.example.com:80/dart/feed.atom\" rel=\"self\"/>"
		"<generator version=\"0.1.0\">Pub Feed Generator</generator><entry/></feed>\n");
}

/* Of the ten newest, whatever they are, those that are offered. */
Test(feed, the_ten_newest_are_taken_and_then_what_is_not_offered_is_dropped)
{
	CLEANUP(free_char) char *text = NULL;

	for (int i = 0; i < 12; i++) {
		CLEANUP(free_char) char *version = xasprintf("1.%d.0", i);
		CLEANUP(free_char) char *created = xasprintf("2024-01-%02dT00:00:00Z", i + 1);

		add(version, created, "{}");
	}
	pkg.versions[11].retracted = true;
	pkg.versions[10].moderated = true;
	pkg.versions[5].deleted = true;
	text = package_feed();
	cr_assert_not(strstr(text, "v1.11.0 of") || strstr(text, "v1.10.0 of") ||
		      strstr(text, "v1.5.0 of"));
	cr_assert(strstr(text, "v1.9.0 of") && strstr(text, "v1.2.0 of"));
	cr_assert_not(strstr(text, "v1.1.0 of"), "the eleventh");
	cr_assert(strstr(text, "v1.9.0 of") < strstr(text, "v1.2.0 of"), "newest first");
	cr_assert(strstr(text, "</title><updated>2024-01-10T00:00:00.000Z</updated><link"));
	cr_assert_not(strstr(text, "<subtitle>"), "it has no description");
	cr_assert_not(strstr(text, "<author>"), "and no publisher");
}

Test(feed, versions_of_one_time_are_in_the_order_of_their_text)
{
	CLEANUP(free_char) char *text = NULL;

	add("2.0.0", "2024-01-01T00:00:00Z", "{}");
	add("10.0.0", "2024-01-01T00:00:00Z", "{}");
	add("1.0.0+b", "2024-01-01T00:00:00Z", "{}");
	text = package_feed();
	cr_assert(strstr(text, "v1.0.0+b of") < strstr(text, "v10.0.0 of"));
	cr_assert(strstr(text, "v10.0.0 of") < strstr(text, "v2.0.0 of"));
	cr_assert(strstr(text, "/versions/1.0.0+b\""), "a plus sign is itself in a path");
}

Test(feed, without_an_entry_its_time_is_that_of_the_package)
{
	CLEANUP(free_char) char *text = NULL;

	add("1.0.0", "2024-01-01T00:00:00Z", "{\"description\":\"d\"}")->retracted = true;
	cr_assert_eq(clock_parse("2020-02-03T04:05:06.789Z", &pkg.created), 0);
	pkg.publisher = xstrdup("example.com");
	text = package_feed();
	cr_assert(strstr(text, "<updated>2020-02-03T04:05:06.789Z</updated><link"),
		  "and no author: %s", text);
	cr_assert_not(strstr(text, "<entry>") || strstr(text, "<subtitle>"));
}

/* A description of n units of UTF-16, of which the last but `behind` is an emoji of two. */
static char *description(size_t n, size_t behind)
{
	struct strbuf text = STRBUF_INIT(BIG);

	strbuf_addstr(&text, "{\"description\":\"");
	for (size_t i = 0; i < n - behind - 2; i++)
		strbuf_addch(&text, 'a');
	strbuf_addstr(&text, "\\ud83d\\ude00");
	for (size_t i = 0; i < behind; i++)
		strbuf_addch(&text, 'b');
	strbuf_addstr(&text, "\"}");
	return strbuf_detach(&text);
}

Test(feed, a_long_description_is_cut_by_utf_16_units)
{
	static const struct {
		size_t units, behind; /* the emoji is at units - behind - 2 */
		const char *end;      /* what is at the end */
	} rows[] = {
		{ 209, 0, "aaa\xf0\x9f\x98\x80</content>" },
		{ 209, 50, "bbb</content>" },
		{ 210, 0, "aaa [...]</content>" },
		{ 210, 10, "aaa\xf0\x9f\x98\x80 [...]</content>" },
		{ 210, 9, "aaa\xef\xbf\xbd [...]</content>" },	/* the cut is in its middle */
		{ 210, 8, "aaa [...]</content>" },		/* and in front of it */
		{ 210, 11, "\xf0\x9f\x98\x80" "b [...]</content>" },
		{ 5000, 4900, "bbb [...]</content>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *pubspec = description(rows[i].units, rows[i].behind);
		CLEANUP(free_char)
		char *text = site_entry(NULL, add("1.0.0", "2024-01-01T00:00:00Z", pubspec));

		cr_expect(strstr(text, rows[i].end), "row %zu: %s", i, text);
	}
}

Test(feed, what_no_xml_can_hold_becomes_the_replacement_character)
{
	static const struct {
		const char *json, *xml;
	} rows[] = {
		{ "a\\u0000b", "a\xef\xbf\xbd" "b" },
		{ "a\\u0008\\u001f", "a\xef\xbf\xbd\xef\xbf\xbd" },
		{ "a\\ud83db", "a\xef\xbf\xbd" "b" },
		{ "\\udc00", "\xef\xbf\xbd" },
		{ "\\ufffe\\uffff", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\\ufffd\\u007f", "\xef\xbf\xbd\x7f" },
		{ "a\\t\\n\\rb", "a\t\n\rb" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *pubspec = xasprintf("{\"description\":\"%s\"}", rows[i].json);
		CLEANUP(free_char) char *content = xasprintf("<content>%s</content>", rows[i].xml);
		CLEANUP(free_char)
		char *text = site_entry(NULL, add("1.0.0", "2024-01-01T00:00:00Z", pubspec));

		cr_expect(strstr(text, content), "%s: %s", rows[i].json, text);
	}
}

Test(feed, a_version_that_is_none_leaves_it_sound)
{
	const struct package_version *v = add("1<&\xff", "2024-01-01T00:00:00Z", "{}");
	CLEANUP(free_char)
	char *title = xasprintf("<title>v1&lt;&amp;\xef\xbf\xbd of %s</title>", pkg.name);
	CLEANUP(free_char) char *entry = site_entry(NULL, v), *feed = package_feed();

	cr_expect(strstr(entry, title), "%s", entry);
	cr_expect(strstr(feed, title), "%s", feed);
}

Test(feed, a_description_that_is_none_is_said)
{
	static const char *const pubspecs[] = { "{}", "{\"description\":null}",
						"{\"description\":[\"a\"]}", "not json", "[]" };

	for (size_t i = 0; i < ARRAY_SIZE(pubspecs); i++) {
		CLEANUP(free_char)
		char *text = site_entry(NULL, add("1.0.0", "2024-01-01T00:00:00Z", pubspecs[i]));

		cr_expect(strstr(text, "<content>[no description]</content>"), "%s", pubspecs[i]);
		cr_expect_not(strstr(text, "<author>"));
	}
}

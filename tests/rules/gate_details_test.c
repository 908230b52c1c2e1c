/* SPDX-License-Identifier: BSD-3-Clause */
/* gate_details_test.c - the small documents and the feeds: sound ones, and each rule broken. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "body.h"
#include "gate.h"
#include "strbuf.h"

#define BIG ((size_t)1 << 20)

#define ATOM	 "<feed xmlns=\"http://www.w3.org/2005/Atom\">"
#define HEAD	 "<id>i</id><title>t</title><updated>2024-01-01T00:00:00.000Z</updated>"
#define FEED	 ATOM HEAD "<entry>" HEAD "</entry></feed>"
#define NOTFOUND "\"code\":\"NotFound\",\"message\":\"m\""

static const struct {
	enum kind kind;
	const char *text;
	const char *phrase; /* of the refusal; NULL: it passes */
} bodies[] = {
	{ KIND_LIKES, "{\"package\":\"foo\",\"likes\":0}", NULL },
	{ KIND_LIKES, "{ \"likes\": 12345678901,\n\"package\": \"foo\", \"more\": 1 }", NULL },
	{ KIND_LIKES, "{\"package\":\"bar\",\"likes\":0}", ".package is \"bar\", not \"foo\"" },
	{ KIND_LIKES, "{\"package\":\"foo\",\"likes\":\"0\"}", ".likes is \"0\", not a whole" },
	{ KIND_LIKES, "{\"package\":\"foo\",\"likes\":1.5}", ".likes is 1.5, not a whole" },
	{ KIND_LIKES, "{\"package\":\"foo\",\"likes\":null}", ".likes is null" },
	{ KIND_LIKES, "{\"package\":\"foo\"}", "has no likes" },
	{ KIND_LIKES, "[]", "not a map" },
	{ KIND_OPTIONS, "{\"isDiscontinued\":false,\"replacedBy\":null,\"isUnlisted\":true}", NULL },
	{ KIND_OPTIONS, "{\"isDiscontinued\":true,\"replacedBy\":\"a\",\"isUnlisted\":true}", NULL },
	{ KIND_OPTIONS, "{\"isDiscontinued\":null,\"replacedBy\":null,\"isUnlisted\":true}",
	  ".isDiscontinued is null" },
	{ KIND_OPTIONS, "{\"isDiscontinued\":true,\"isUnlisted\":true}", "has no replacedBy" },
	{ KIND_OPTIONS, "{\"isDiscontinued\":true,\"replacedBy\":null}", "has no isUnlisted" },
	{ KIND_PUBLISHER, "{\"publisherId\":null}", NULL },
	{ KIND_PUBLISHER, "{\"publisherId\":\"dart.dev\"}", NULL },
	{ KIND_PUBLISHER, "{\"publisherId\":1}", ".publisherId is 1" },
	{ KIND_PUBLISHER, "{}", "has no publisherId" },
	{ KIND_SCORE,
	  "{\"grantedPoints\":1,\"maxPoints\":2,\"likeCount\":3,\"downloadCount30Days\":null,"
	  "\"tags\":[\"a\"]}",
	  NULL },
	{ KIND_SCORE,
	  "{\"grantedPoints\":1,\"maxPoints\":2,\"likeCount\":3,\"downloadCount30Days\":1e3,"
	  "\"tags\":[]}",
	  ".downloadCount30Days is 1e3" },
	{ KIND_SCORE,
	  "{\"grantedPoints\":1,\"maxPoints\":2,\"likeCount\":3,\"downloadCount30Days\":4,"
	  "\"tags\":[\"a\",1]}",
	  ".tags[1] is 1, not a string" },
	{ KIND_SCORE, "{\"grantedPoints\":1,\"maxPoints\":2,\"likeCount\":3,\"tags\":[]}",
	  "has no downloadCount30Days" },
	{ KIND_COMPLETION, "{\"packages\":[]}", NULL },
	{ KIND_COMPLETION, "{\"packages\":[\"a\",\"b\"]}", NULL },
	{ KIND_COMPLETION, "{\"packages\":{}}", ".packages is {}, not a list" },
	{ KIND_COMPLETION, "{\"packages\":[null]}", ".packages[0] is null" },
	{ KIND_NOT_FOUND, "{\"error\":{" NOTFOUND "}," NOTFOUND "}", NULL },
	{ KIND_NOT_FOUND, "{\"error\":{}," NOTFOUND "}", ".error has no code" },
	{ KIND_NOT_FOUND, "{" NOTFOUND "}", "has no error" },
	{ KIND_NOT_FOUND, "not found", "no sound JSON" },
	{ KIND_FEED, FEED, NULL },
	{ KIND_SITE_FEED, FEED, NULL },
	{ KIND_FEED, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" ATOM HEAD "</feed>\n", NULL },
	{ KIND_FEED,
	  "<a:feed xmlns:a=\"http://www.w3.org/2005/Atom\"><a:id/><a:title/><a:updated/></a:feed>",
	  NULL },
	{ KIND_FEED, ATOM HEAD, "no sound XML: no element found" },
	{ KIND_FEED, ATOM HEAD "</fee>", "no sound XML: mismatched tag in line 1" },
	{ KIND_FEED, ATOM HEAD "\n<title>a & b</title></feed>", "in line 2" },
	{ KIND_FEED, ATOM HEAD "<title>\x01</title></feed>", "no sound XML" },
	{ KIND_FEED, ATOM HEAD "<title>\xff</title></feed>", "no sound XML" },
	{ KIND_FEED, ATOM HEAD "</feed>x", "no sound XML: junk" },
	{ KIND_FEED, "<feed>" HEAD "</feed>", "it is no Atom feed" },
	{ KIND_FEED, "<entry xmlns=\"http://www.w3.org/2005/Atom\">" HEAD "</entry>",
	  "it is no Atom feed" },
	{ KIND_FEED, "<html></html>", "it is no Atom feed" },
	{ KIND_FEED, ATOM "<id/><title/></feed>", "the feed has no id" },
	{ KIND_FEED, ATOM "<id/><updated/><x><title/></x></feed>", "the feed has no id" },
	{ KIND_FEED, ATOM HEAD "<entry><id/><title/></entry></feed>", "an entry has no id" },
	{ KIND_FEED, "<!DOCTYPE feed [<!ENTITY a \"b\">]>" ATOM HEAD "</feed>",
	  "it has a document type" },
	{ KIND_FEED, "{}", "no sound XML" },
};

Test(gate_details, what_a_reader_could_not_use_is_refused_and_why)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(1000);
		struct object_name name = { bodies[i].kind, { "latest", 6 }, { "foo", 3 }, { "", 0 } };
		struct body body = body_of_bytes(bodies[i].text, strlen(bodies[i].text));
		int r = gate_check(&name, &body, &why);

		cr_expect_eq(r, bodies[i].phrase ? -EINVAL : 0, "%s: %s", bodies[i].text, why.buf);
		if (bodies[i].phrase)
			cr_expect(strstr(why.buf, bodies[i].phrase), "%s: '%s'", bodies[i].text,
				  why.buf);
		else
			cr_expect_str_eq(why.buf, "", "%s", bodies[i].text);
	}
}

Test(gate_details, a_feed_that_is_larger_than_what_is_read_at_once_is_read_whole)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(1000);
	struct object_name name = { KIND_SITE_FEED, { "latest", 6 }, { "", 0 }, { "", 0 } };
	struct body body;

	strbuf_addstr(&text, ATOM HEAD);
	while (text.len < 500000)
		strbuf_addstr(&text, "<entry>" HEAD "<content>\xc3\xa9</content></entry>");
	strbuf_addstr(&text, "</feed>\n");
	body = body_of_strbuf(&text);
	cr_assert_eq(gate_check(&name, &body, &why), 0, "%s", why.buf);
	strbuf_setlen(&text, text.len - 3);
	body = body_of_strbuf(&text);
	cr_assert_eq(gate_check(&name, &body, &why), -EINVAL);
}

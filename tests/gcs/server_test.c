/* SPDX-License-Identifier: BSD-3-Clause */
/* server_test.c - the test server keeps the rules of the published JSON API. */
#include "server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "codec.h"
#include "memory.h"

#define OBJECT "/storage/v1/b/b/o/a%2Fb"
#define LIST   "/storage/v1/b/b/o"
#define UPLOAD "/upload/storage/v1/b/b/o?uploadType=resumable"
#define HELLO  "XUFAKrxLKna5cZ2REBfFkg==" /* the MD5 of hello */

static struct gcs_server *server;
static const char *url;

static void begin(void)
{
	server = gcs_server_start();
	url = gcs_server_url(server);
	cr_assert_eq(gcs_server_script(server, "bucket b"), 0);
}

static void end(void)
{
	gcs_server_stop(server);
}

TestSuite(gcs_server, .init = begin, .fini = end);

static long status_of(const char *method, const char *target, const char *body)
{
	const struct call call = { .method = method, .target = target, .body = body };
	CLEANUP(answer_release) struct answer a = client_send(url, &call);

	return a.status;
}

/* The generation of what was put, as a text. The caller frees it. */
static char *put(const char *name, const char *bytes)
{
	CLEANUP(free_char) char *resource = xasprintf("{\"name\":\"%s\"}", name);
	CLEANUP(answer_release) struct answer a = client_put(url, resource, bytes, "");

	cr_assert_eq(a.status, 200, "%s", a.body.buf);
	return xstrdup(answer_text(&a, "generation"));
}

Test(gcs_server, an_object_has_what_was_sent_and_what_the_service_adds)
{
	CLEANUP(answer_release)
	struct answer a =
		client_put(url,
			   "{\"name\":\"a/b\",\"contentType\":\"text/x\",\"metadata\":"
			   "{\"k\":\"v\"},\"md5Hash\":\"" HELLO "\",\"crc32c\":\"mnG7TA==\"}",
			   "hello", "&ifGenerationMatch=0");
	CLEANUP(answer_release) struct answer got = client_get(url, OBJECT);

	cr_assert_eq(a.status, 200, "%s", a.body.buf);
	cr_assert_eq(got.status, 200);
	cr_assert(json_equal(a.json, got.json));
	cr_assert_str_eq(answer_text(&a, "contentType"), "text/x");
	cr_assert_str_eq(answer_text(&a, "metadata/k"), "v");
	cr_assert_str_eq(answer_text(&a, "size"), "5");
	cr_assert_str_eq(answer_text(&a, "md5Hash"), HELLO);
	cr_assert_str_eq(answer_text(&a, "crc32c"), "mnG7TA==");
	cr_assert_str_eq(answer_text(&a, "metageneration"), "1");
	cr_assert_eq(strlen(answer_text(&a, "generation")), 16);
	cr_assert_eq(strlen(answer_text(&a, "timeCreated")), strlen("2026-01-01T00:00:00.000Z"));
}

Test(gcs_server, bytes_that_are_not_those_of_the_hash_are_refused)
{
	static const char *const fields[] = { "\"md5Hash\":\"" HELLO "\"",
					      "\"crc32c\":\"mnG7TA==\"" };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		CLEANUP(free_char)
		char *resource = xasprintf("{\"name\":\"a/b\",%s}", fields[i]);
		CLEANUP(answer_release) struct answer good = client_put(url, resource, "hello", "");
		CLEANUP(answer_release) struct answer bad = client_put(url, resource, "hellp", "");

		cr_assert_eq(good.status, 200, "%s", good.body.buf);
		cr_assert_eq(bad.status, 400);
	}
}

Test(gcs_server, what_it_does_not_know_is_a_bad_request)
{
	static const struct {
		const char *method, *target, *body;
		long status;
	} rows[] = {
		{ "GET", LIST "?prefixes=a", NULL, 400 },
		{ "GET", LIST "?prefix=a&prefix=b", NULL, 400 },
		{ "GET", LIST "?maxResults=0", NULL, 400 },
		{ "GET", LIST "?maxResults=x", NULL, 400 },
		{ "GET", LIST "?maxResults=1", NULL, 200 },
		{ "GET", LIST "?fields=items(nam)", NULL, 400 },
		{ "GET", LIST "?fields=items(name", NULL, 400 },
		{ "GET", LIST "?fields=items(name),nextPageToken", NULL, 200 },
		{ "GET", LIST "?pageToken=xxxx", NULL, 400 },
		{ "GET", LIST "?prefix=%zz", NULL, 400 },
		{ "GET", OBJECT "?ifGenerationMatch=-1", NULL, 400 },
		{ "GET", OBJECT "?ifGenerationMatch=", NULL, 400 },
		{ "GET", OBJECT "?alt=xml", NULL, 400 },
		{ "PATCH", OBJECT, "{\"size\":\"1\"}", 400 },
		{ "PATCH", OBJECT, "{\"contentType\":1}", 400 },
		{ "PATCH", OBJECT, "{\"metadata\":{\"a\":1}}", 400 },
		{ "PATCH", OBJECT, "nothing", 400 },
		{ "PATCH", OBJECT, "{}", 200 },
		{ "POST", UPLOAD "&name=x", "{\"contentLength\":1}", 400 },
		{ "POST", UPLOAD, "{}", 400 },
		{ "POST", UPLOAD "&name=x", "{\"name\":\"y\"}", 400 },
		{ "POST", UPLOAD "&name=x", "{}", 200 },
		{ "POST", "/upload/storage/v1/b/b/o?uploadType=multipart", "{}", 400 },
		{ "POST", "/storage/v1/b", "{\"name\":\"c\"}", 400 },
		{ "POST", "/storage/v1/b?project=p", "{\"name\":\"c\",\"places\":1}", 400 },
		{ "GET", "/storage/v1/b/none", NULL, 404 },
		{ "GET", "/storage/v1/b/none/o", NULL, 404 },
		{ "GET", "/storage/v1/b/b/o/a/b", NULL, 404 },
		{ "PUT", OBJECT, "{}", 404 },
	};

	free(put("a/b", "x"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(status_of(rows[i].method, rows[i].target, rows[i].body),
			     rows[i].status, "%s %s", rows[i].method, rows[i].target);
}

Test(gcs_server, a_name_is_1_to_1024_bytes_of_utf8_without_line_breaks)
{
	char longest[1025], one_more[1026];
	const struct {
		const char *name;
		long status;
	} rows[] = { { longest, 200 }, { one_more, 400 }, { "", 400 },	   { "..", 400 },
		     { ".", 400 },     { "...", 200 },	  { "a\\n", 400 }, { "caf\xc3\xa9", 200 } };

	memset(longest, 'x', sizeof(longest));
	memset(one_more, 'x', sizeof(one_more));
	longest[1024] = one_more[1025] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *resource = xasprintf("{\"name\":\"%s\"}", rows[i].name);
		CLEANUP(answer_release) struct answer a = client_put(url, resource, "x", "");

		cr_expect_eq(a.status, rows[i].status, "%.20s", rows[i].name);
	}
}

/* Each precondition with both sides of it, on an object that is there and on one that is not. */
static void expect_conditions(const char *method, const char *target, const char *body,
			      bool is_read)
{
	const long differs = is_read ? 304 : 412;
	const struct {
		const char *name;
		bool own; /* the value is that of the object, else one that is not */
		long status;
	} rows[] = {
		{ "ifGenerationMatch", false, 412 },
		{ "ifGenerationNotMatch", true, differs },
		{ "ifMetagenerationMatch", false, 412 },
		{ "ifMetagenerationNotMatch", true, differs },
		{ "ifGenerationMatch", true, 200 },
		{ "ifGenerationNotMatch", false, 200 },
		{ "ifMetagenerationMatch", true, 200 },
		{ "ifMetagenerationNotMatch", false, 200 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *own = put("a/b", "old");
		const char *meta = strstr(rows[i].name, "Meta") ? "1" : own;
		CLEANUP(free_char)
		char *whole = xasprintf("%s%c%s=%s", target, strchr(target, '?') ? '&' : '?',
					rows[i].name, rows[i].own ? meta : "7");
		long status = status_of(method, whole, body);

		cr_expect_eq(status == 204 ? 200 : status, rows[i].status, "%s %s: %ld", method,
			     whole, status);
	}
}

Test(gcs_server, each_call_obeys_each_precondition)
{
	free(put("from", "new"));
	expect_conditions("GET", OBJECT, NULL, true);
	expect_conditions("GET", OBJECT "?alt=media", NULL, true);
	expect_conditions("PATCH", OBJECT, "{}", false);
	expect_conditions("DELETE", OBJECT, NULL, false);
	expect_conditions("POST", UPLOAD "&name=a/b", "{}", false);
	expect_conditions("POST", "/storage/v1/b/b/o/from/rewriteTo/b/b/o/a%2Fb", "", false);
}

Test(gcs_server, a_source_has_preconditions_of_its_own)
{
	CLEANUP(free_char) char *own = put("a/b", "x");
	const struct {
		const char *name, *value;
		long status;
	} rows[] = {
		{ "ifSourceGenerationMatch", own, 200 },
		{ "ifSourceGenerationMatch", "7", 412 },
		{ "ifSourceGenerationNotMatch", own, 412 },
		{ "ifSourceMetagenerationMatch", "1", 200 },
		{ "ifSourceMetagenerationMatch", "2", 412 },
		{ "ifSourceMetagenerationNotMatch", "1", 412 },
		{ "sourceGeneration", own, 200 },
		{ "sourceGeneration", "7", 404 },
		{ "maxBytesRewrittenPerCall", "1048576", 200 },
		{ "maxBytesRewrittenPerCall", "1048577", 400 },
		{ "maxBytesRewrittenPerCall", "0", 400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char)
		char *target = xasprintf("%s/rewriteTo/b/b/o/c?%s=%s", OBJECT, rows[i].name,
					 rows[i].value);

		cr_expect_eq(status_of("POST", target, ""), rows[i].status, "%s", target);
	}
}

Test(gcs_server, an_insert_obeys_its_precondition_and_changes_nothing_when_it_fails)
{
	CLEANUP(free_char) char *own = put("a/b", "old");
	CLEANUP(free_char) char *matches = xasprintf("&ifGenerationMatch=%s", own);
	const struct {
		const char *name, *query;
		long status;
	} rows[] = { { "a/b", "&ifGenerationMatch=0", 412 },
		     { "a/b", "&ifGenerationMatch=7", 412 },
		     { "new", "&ifGenerationMatch=7", 412 },
		     { "new", "&ifGenerationMatch=0", 200 },
		     { "a/b", matches, 200 },
		     { "a/b", matches, 412 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *resource = xasprintf("{\"name\":\"%s\"}", rows[i].name);
		CLEANUP(answer_release)
		struct answer a = client_put(url, resource, "new", rows[i].query);

		cr_expect_eq(a.status, rows[i].status, "%zu", i);
		if (a.status == 412)
			cr_expect_str_eq(answer_text(&a, "error/errors/0/reason"),
					 "conditionNotMet");
		if (i == 1) {
			CLEANUP(answer_release)
			struct answer old = client_get(url, OBJECT "?alt=media");

			cr_expect_str_eq(old.body.buf, "old");
		}
	}
}

Test(gcs_server, a_superseded_generation_is_not_found)
{
	CLEANUP(free_char) char *old = put("a/b", "one");
	CLEANUP(free_char) char *new = put("a/b", "two");
	CLEANUP(free_char) char *was = xasprintf("%s?generation=%s", OBJECT, old);
	CLEANUP(free_char) char *is = xasprintf("%s?generation=%s&alt=media", OBJECT, new);
	CLEANUP(answer_release) struct answer a = client_get(url, is);

	cr_assert_gt(strtoull(new, NULL, 10), strtoull(old, NULL, 10));
	cr_assert_str_eq(a.body.buf, "two");
	cr_assert_eq(status_of("GET", was, NULL), 404);
	cr_assert_eq(status_of("PATCH", was, "{}"), 404);
	cr_assert_eq(status_of("DELETE", was, NULL), 404);
	cr_assert_eq(status_of("DELETE", OBJECT, NULL), 204);
	cr_assert_eq(status_of("DELETE", OBJECT, NULL), 404);
}

Test(gcs_server, a_range_is_what_was_asked_for)
{
	static const struct {
		const char *range;
		long status;
		const char *body, *content_range;
	} rows[] = {
		{ "Range: bytes=0-0", 206, "0", "bytes 0-0/10" },
		{ "Range: bytes=3-5", 206, "345", "bytes 3-5/10" },
		{ "Range: bytes=8-", 206, "89", "bytes 8-9/10" },
		{ "Range: bytes=8-100", 206, "89", "bytes 8-9/10" },
		{ "Range: bytes=-3", 206, "789", "bytes 7-9/10" },
		{ "Range: bytes=9-", 206, "9", "bytes 9-9/10" },
		{ "Range: bytes=10-", 416, NULL, "bytes */10" },
		{ "Range: bytes=5-3", 400, NULL, NULL },
		{ "Range: lines=1-2", 400, NULL, NULL },
		{ NULL, 200, "0123456789", NULL },
	};

	free(put("a/b", "0123456789"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct call call = { .method = "GET",
					   .target = OBJECT "?alt=media",
					   .headers = { rows[i].range } };
		CLEANUP(answer_release) struct answer a = client_send(url, &call);

		cr_expect_eq(a.status, rows[i].status, "%s", rows[i].range);
		if (rows[i].body)
			cr_expect_str_eq(a.body.buf, rows[i].body);
		if (rows[i].content_range)
			cr_expect_str_eq(answer_header(&a, "Content-Range"), rows[i].content_range);
	}
}

Test(gcs_server, a_download_tells_generation_and_hashes)
{
	CLEANUP(free_char) char *generation = put("a/b", "hello");
	CLEANUP(answer_release)
	struct answer a = client_get(url, "/download/storage/v1/b/b/o/a%2Fb?alt=media");

	cr_assert_str_eq(a.body.buf, "hello");
	cr_assert_str_eq(answer_header(&a, "X-Goog-Generation"), generation);
	cr_assert_str_eq(answer_header(&a, "X-Goog-Hash"), "crc32c=mnG7TA==,md5=" HELLO);
	cr_assert_str_eq(answer_header(&a, "X-Goog-Stored-Content-Length"), "5");
	cr_assert_str_eq(answer_header(&a, "Content-Type"), "text/plain");
}

/* Uploads by a session, since a multipart body made of texts can hold no gzip. */
static void upload(const char *name, const char *resource, const char *bytes, size_t n)
{
	CLEANUP(free_char) char *target = xasprintf(UPLOAD "&name=%s", name);
	const struct call start = { .method = "POST", .target = target, .body = resource };
	CLEANUP(answer_release) struct answer a = client_send(url, &start);
	CLEANUP(free_char) char *location = xstrdup(answer_header(&a, "Location"));
	const struct call whole = {
		.method = "PUT", .target = location + strlen(url), .body = bytes, .n = n
	};
	CLEANUP(answer_release) struct answer done = client_send(url, &whole);

	cr_assert_eq(done.status, 200, "%s", done.body.buf);
}

Test(gcs_server, a_gzip_object_is_decoded_for_who_does_not_say_that_it_takes_gzip)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000);
	const struct call takes = { .method = "GET",
				    .target = OBJECT "?alt=media",
				    .headers = { "Accept-Encoding: gzip" } };
	const struct call does_not = { .method = "GET",
				       .target = OBJECT "?alt=media",
				       .headers = { "Range: bytes=0-1" } };

	cr_assert_eq(gzip_encode("hello", 5, &packed), 0);
	upload("a/b", "{\"contentEncoding\":\"gzip\"}", packed.buf, packed.len);
	{
		CLEANUP(answer_release) struct answer a = client_send(url, &takes);
		CLEANUP(answer_release) struct answer b = client_send(url, &does_not);

		cr_assert_eq(a.body.len, packed.len);
		cr_assert_arr_eq(a.body.buf, packed.buf, packed.len);
		cr_assert_str_eq(answer_header(&a, "Content-Encoding"), "gzip");
		cr_assert_eq(b.status, 200, "the range is ignored");
		cr_assert_str_eq(b.body.buf, "hello");
		cr_assert_null(answer_header(&b, "Content-Encoding"));
	}
}

Test(gcs_server, a_patch_merges_and_null_removes)
{
	CLEANUP(answer_release)
	struct answer a = client_put(url,
				     "{\"name\":\"a/b\",\"cacheControl\":\"no-store\",\"metadata\":"
				     "{\"a\":\"1\",\"b\":\"2\"}}",
				     "x", "");
	const struct call patch = { .method = "PATCH",
				    .target = OBJECT,
				    .body = "{\"cacheControl\":null,\"contentType\":\"t/t\","
					    "\"metadata\":{\"a\":null,\"c\":\"3\"}}" };
	CLEANUP(answer_release) struct answer b = client_send(url, &patch);
	const struct call clear = { .method = "PATCH",
				    .target = OBJECT,
				    .body = "{\"metadata\":null}" };
	CLEANUP(answer_release) struct answer c = client_send(url, &clear);

	cr_assert_null(answer_text(&b, "cacheControl"));
	cr_assert_null(answer_text(&b, "metadata/a"));
	cr_assert_str_eq(answer_text(&b, "metadata/b"), "2");
	cr_assert_str_eq(answer_text(&b, "metadata/c"), "3");
	cr_assert_str_eq(answer_text(&b, "contentType"), "t/t");
	cr_assert_str_eq(answer_text(&b, "generation"), answer_text(&a, "generation"));
	cr_assert_str_eq(answer_text(&b, "metageneration"), "2");
	cr_assert_str_eq(answer_text(&b, "timeCreated"), answer_text(&a, "timeCreated"));
	cr_assert_null(json_object_get(c.json, "metadata"));
	cr_assert_str_eq(answer_text(&c, "metageneration"), "3");
}

Test(gcs_server, a_rewrite_needs_its_token_until_it_is_done)
{
	const char *target = OBJECT "/rewriteTo/b/b/o/c";
	CLEANUP(free_char) char *token = NULL;
	const char *state = NULL;
	int calls = 0;

	free(put("a/b", "0123456789"));
	cr_assert_eq(gcs_server_script(server, "rewrite-limit 4"), 0);
	do {
		CLEANUP(free_char)
		char *whole =
			token ? xasprintf("%s?rewriteToken=%s", target, token) : xstrdup(target);
		const struct call call = { .method = "POST", .target = whole, .body = "" };
		CLEANUP(answer_release) struct answer a = client_send(url, &call);

		cr_assert_eq(a.status, 200, "%s", a.body.buf);
		cr_assert_eq(status_of("GET", "/storage/v1/b/b/o/c", NULL), calls < 2 ? 404 : 200);
		state = json_is_true(json_object_get(a.json, "done")) ? "done" : NULL;
		cr_assert_str_eq(answer_text(&a, "objectSize"), "10");
		free(token);
		token = xstrdup_or_null(answer_text(&a, "rewriteToken"));
		calls++;
	} while (!state);
	cr_assert_eq(calls, 3);
	cr_assert_null(token);
	cr_assert_eq(status_of("POST", OBJECT "/rewriteTo/b/b/o/c?rewriteToken=x", ""), 400);
}

Test(gcs_server, a_copy_keeps_the_headers_of_its_source_unless_it_brings_its_own)
{
	const struct call keeps = { .method = "POST",
				    .target = OBJECT "/rewriteTo/b/b/o/c",
				    .body = "" };
	const struct call brings = { .method = "POST",
				     .target = OBJECT "/rewriteTo/b/b/o/d",
				     .body = "{\"cacheControl\":\"private\"}" };

	free(put("a/b", "x"));
	{
		CLEANUP(answer_release) struct answer a = client_send(url, &keeps);
		CLEANUP(answer_release) struct answer b = client_send(url, &brings);

		cr_assert_str_eq(answer_text(&a, "resource/contentType"), "text/plain");
		cr_assert_null(answer_text(&b, "resource/contentType"));
		cr_assert_str_eq(answer_text(&b, "resource/cacheControl"), "private");
	}
}

static struct answer send_chunk(const char *location, const char *range, const char *bytes,
				size_t n)
{
	CLEANUP(free_char) char *header = xasprintf("Content-Range: bytes %s", range);
	const struct call call = { .method = "PUT",
				   .target = location + strlen(url),
				   .body = bytes,
				   .n = n,
				   .headers = { header } };

	return client_send(url, &call);
}

Test(gcs_server, a_resumable_upload_goes_on_where_it_stopped)
{
	enum { UNIT = 256 << 10, ALL = UNIT + 10 };
	const struct {
		const char *range;
		size_t from, n;
		long status;
		const char *have; /* what has come by then */
	} rows[] = {
		{ "*/262154", 0, 0, 308, NULL },
		{ "0-9/262154", 0, 10, 400, NULL },
		{ "262144-262153/262154", UNIT, 10, 400, NULL },
		{ "0-262143/262154", 0, UNIT, 308, "bytes=0-262143" },
		{ "*/*", 0, 0, 308, "bytes=0-262143" },
		{ "262144-262152/262154", UNIT, 10, 400, NULL },
		{ "262144-262153/262154", UNIT, 10, 200, NULL },
		{ "*/262154", 0, 0, 200, NULL },
	};
	const struct call start = { .method = "POST", .target = UPLOAD "&name=a/b", .body = "{}" };
	CLEANUP(answer_release) struct answer a = client_send(url, &start);
	CLEANUP(free_char) char *location = xstrdup(answer_header(&a, "Location"));
	CLEANUP(free_char) char *bytes = xmalloc(ALL);

	memset(bytes, 'x', ALL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(answer_release)
		struct answer b = send_chunk(location, rows[i].range,
					     rows[i].n ? bytes + rows[i].from : "", rows[i].n);
		const char *have = answer_header(&b, "Range");

		cr_expect_eq(b.status, rows[i].status, "%zu: %ld %s", i, b.status, b.body.buf);
		if (rows[i].have)
			cr_expect_str_eq(have, rows[i].have, "%zu", i);
		else
			cr_expect_null(have, "%zu", i);
	}
	cr_assert_eq(gcs_server_count(server, GCS_RESUMABLE_STATUS), 3);
	cr_assert_eq(gcs_server_count(server, GCS_RESUMABLE_CHUNK), 5);
}

Test(gcs_server, an_upload_that_loses_the_race_while_it_runs_changes_nothing)
{
	const struct call start = { .method = "POST",
				    .target = UPLOAD "&name=a/b&ifGenerationMatch=0",
				    .body = "{}" };
	CLEANUP(answer_release) struct answer a = client_send(url, &start);
	CLEANUP(free_char) char *location = xstrdup(answer_header(&a, "Location"));

	free(put("a/b", "other"));
	{
		CLEANUP(answer_release) struct answer b = send_chunk(location, "0-2/3", "own", 3);
		CLEANUP(answer_release) struct answer now = client_get(url, OBJECT "?alt=media");

		cr_assert_eq(b.status, 412);
		cr_assert_str_eq(now.body.buf, "other");
	}
}

/* All keys of a list, in order, each followed by a space; prefixes behind the items of a page. */
static char *list(const char *query, unsigned *ret_pages)
{
	struct strbuf out = STRBUF_INIT(100000);
	CLEANUP(free_char) char *token = NULL;
	const json_t *value;
	size_t i;

	*ret_pages = 0;
	do {
		CLEANUP(strbuf_release) struct strbuf target = STRBUF_INIT(10000);
		struct answer a;

		strbuf_addf(&target, LIST "?%s", query);
		for (const char *at = token ? "&pageToken=" : ""; *at; at++)
			strbuf_addch(&target, *at);
		for (const char *at = token ? token : ""; *at; at++)
			strbuf_addf(&target, "%%%02x", (unsigned char)*at);
		a = client_get(url, target.buf);
		cr_assert_eq(a.status, 200, "%s: %s", target.buf, a.body.buf);
		json_array_foreach(json_object_get(a.json, "items"), i, value)
			strbuf_addf(&out, "%s ", json_string_value(json_object_get(value, "name")));
		json_array_foreach(json_object_get(a.json, "prefixes"), i, value)
			strbuf_addf(&out, "%s ", json_string_value(value));
		free(token);
		token = xstrdup_or_null(answer_text(&a, "nextPageToken"));
		answer_release(&a);
		++*ret_pages;
	} while (token);
	return strbuf_detach(&out);
}

Test(gcs_server, lists_obey_every_parameter)
{
	static const char *const names[] = { "a", "a/", "a/b", "a/c/d", "a/c/e", "a0", "b/x", "c" };
	static const struct {
		const char *query, *expected;
		unsigned pages;
	} rows[] = {
		{ "", "a a/ a/b a/c/d a/c/e a0 b/x c ", 1 },
		{ "maxResults=3", "a a/ a/b a/c/d a/c/e a0 b/x c ", 3 },
		{ "maxResults=8", "a a/ a/b a/c/d a/c/e a0 b/x c ", 1 },
		{ "prefix=a/", "a/ a/b a/c/d a/c/e ", 1 },
		{ "delimiter=/", "a a0 c a/ b/ ", 1 },
		{ "delimiter=/&maxResults=1", "a a/ a0 b/ c ", 5 },
		{ "delimiter=/&prefix=a/", "a/ a/b a/c/ ", 1 },
		{ "delimiter=/&prefix=a/&maxResults=1", "a/ a/b a/c/ ", 3 },
		{ "delimiter=/&prefix=a", "a a0 a/ ", 1 },
		{ "startOffset=a/c/e", "a/c/e a0 b/x c ", 1 },
		{ "endOffset=a/c/e", "a a/ a/b a/c/d ", 1 },
		{ "startOffset=a/b&endOffset=b&maxResults=2", "a/b a/c/d a/c/e a0 ", 2 },
		{ "startOffset=b&prefix=a/", "", 1 },
		{ "prefix=z", "", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		free(put(names[i], "x"));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned pages;
		CLEANUP(free_char) char *got = list(rows[i].query, &pages);

		cr_expect_str_eq(got, rows[i].expected, "%s: %s", rows[i].query, got);
		cr_expect_eq(pages, rows[i].pages, "%s: %u pages", rows[i].query, pages);
	}
}

Test(gcs_server, a_page_has_at_most_1000_entries)
{
	static const struct {
		const char *count;
		unsigned pages;
	} rows[] = { { "fill b 1000 x/", 1 }, { "fill b 1 y/", 2 }, { "fill b 999 y/", 2 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned pages;

		cr_assert_eq(gcs_server_script(server, rows[i].count), 0);
		free(list("maxResults=5000", &pages));
		cr_expect_eq(pages, rows[i].pages, "%s", rows[i].count);
	}
}

Test(gcs_server, a_page_token_is_good_for_its_own_query_alone)
{
	CLEANUP(free_char) char *target = NULL;
	CLEANUP(answer_release) struct answer a = { .headers = STRBUF_INIT(0) };

	cr_assert_eq(gcs_server_script(server, "fill b 4 x"), 0);
	a = client_get(url, LIST "?maxResults=2");
	target = xasprintf(LIST "?prefix=x&pageToken=%s", answer_text(&a, "nextPageToken"));
	cr_assert_eq(status_of("GET", target, NULL), 400);
}

Test(gcs_server, fields_select_what_is_answered)
{
	static const struct {
		const char *fields, *expected;
	} rows[] = {
		{ "nextPageToken", "{}" },
		{ "items/name", "{\"items\":[{\"name\":\"a\"}]}" },
		{ "items(name,size)", "{\"items\":[{\"name\":\"a\",\"size\":\"1\"}]}" },
		{ "items/name,items/size", "{\"items\":[{\"name\":\"a\",\"size\":\"1\"}]}" },
		{ "kind,items(metadata/k)",
		  "{\"kind\":\"storage#objects\",\"items\":[{\"metadata\":{\"k\":\"1\"}}]}" },
		{ "items/metadata", "{\"items\":[{\"metadata\":{\"k\":\"1\",\"l\":\"2\"}}]}" },
	};
	CLEANUP(answer_release)
	struct answer a =
		client_put(url, "{\"name\":\"a\",\"metadata\":{\"k\":\"1\",\"l\":\"2\"}}", "x", "");

	cr_assert_eq(a.status, 200);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *target = xasprintf(LIST "?fields=%s", rows[i].fields);
		CLEANUP(answer_release) struct answer b = client_get(url, target);
		json_t *expected = json_loads(rows[i].expected, 0, NULL);

		cr_expect(json_equal(b.json, expected), "%s: %s", rows[i].fields, b.body.buf);
		json_decref(expected);
	}
}

Test(gcs_server, a_bucket_is_made_once)
{
	const struct call call = {
		.method = "POST",
		.target = "/storage/v1/b?project=p",
		.body = "{\"name\":\"c\",\"location\":\"EU\",\"iamConfiguration\":{"
			"\"uniformBucketLevelAccess\":{\"enabled\":true}}}"
	};
	CLEANUP(answer_release) struct answer a = client_send(url, &call);
	CLEANUP(answer_release) struct answer again = client_send(url, &call);
	CLEANUP(answer_release) struct answer got = client_get(url, "/storage/v1/b/c");

	cr_assert_eq(a.status, 200, "%s", a.body.buf);
	cr_assert_eq(again.status, 409);
	cr_assert_str_eq(answer_text(&got, "location"), "EU");
	cr_assert_str_eq(answer_text(&got, "storageClass"), "STANDARD");
	cr_assert(json_equal(a.json, got.json));
}

Test(gcs_server, a_part_of_an_upload_may_have_no_headers)
{
	const struct call call = {
		.method = "POST",
		.target = "/upload/storage/v1/b/b/o?uploadType=multipart",
		.body = "--edge\r\nContent-Type: application/json\r\n\r\n{\"name\":\"c\"}\r\n"
			"--edge\r\n\r\nbytes\r\n--edge--\r\n",
		.headers = { "Content-Type: multipart/related; boundary=edge" },
	};
	CLEANUP(answer_release) struct answer a = client_send(url, &call);
	CLEANUP(answer_release)
	struct answer got = client_get(url, "/storage/v1/b/b/o/c?alt=media");

	cr_assert_eq(a.status, 200, "%s", a.body.buf);
	cr_assert_str_eq(got.body.buf, "bytes");
}

Test(gcs_server, each_part_of_a_batch_has_its_own_condition_and_answer)
{
	CLEANUP(free_char) char *own = put("a/b", "x");
	CLEANUP(free_char)
	char *body = xasprintf("--edge\r\nContent-Type: application/http\r\nContent-ID: <1>\r\n\r\n"
			       "DELETE %s?ifGenerationMatch=7 HTTP/1.1\r\n\r\n\r\n"
			       "--edge\r\nContent-Type: application/http\r\nContent-ID: <2>\r\n\r\n"
			       "PATCH %s"
			       " HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{}\r\n"
			       "--edge\r\nContent-Type: application/http\r\nContent-ID: <3>\r\n\r\n"
			       "DELETE %s?ifGenerationMatch=%s\r\n\r\n\r\n--edge--",
			       OBJECT, OBJECT, OBJECT, own);
	const struct call call = { .method = "POST",
				   .target = "/batch/storage/v1",
				   .body = body,
				   .headers = { "Content-Type: multipart/mixed; boundary=edge" } };
	CLEANUP(answer_release) struct answer a = client_send(url, &call);
	const char *first = strstr(a.body.buf, "Content-ID: <response-1>\r\n\r\nHTTP/1.1 412 ");
	const char *second = strstr(a.body.buf, "Content-ID: <response-2>\r\n\r\nHTTP/1.1 200 ");
	const char *third = strstr(a.body.buf, "Content-ID: <response-3>\r\n\r\nHTTP/1.1 204 ");

	cr_assert_eq(a.status, 200);
	cr_assert(first && second && third && first < second && second < third, "%s", a.body.buf);
	cr_assert_eq(gcs_server_count(server, GCS_DELETE), 2);
	cr_assert_eq(gcs_server_count(server, GCS_BATCH), 1);
	cr_assert_eq(status_of("POST", "/batch/storage/v1", "x"), 400);
}

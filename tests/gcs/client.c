/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c - a plain client of the test server, over libcurl alone. */
#include "client.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define HEADER_MAX 1024
#define MULTIPART                                                                                  \
	"--edge\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n"                    \
	"--edge\r\nContent-Type: text/plain\r\n\r\n%s\r\n--edge--\r\n"

void answer_release(struct answer *a)
{
	strbuf_release(&a->headers);
	strbuf_release(&a->body);
	json_decref(a->json);
	a->json = NULL;
}

static size_t take(char *bytes, size_t size, size_t n, void *ctx)
{
	strbuf_add(ctx, bytes, size * n);
	return size * n;
}

struct answer client_send(const char *url, const struct call *call)
{
	struct answer a = { .headers = STRBUF_INIT(ANSWER_MAX), .body = STRBUF_INIT(ANSWER_MAX) };
	CLEANUP(free_char) char *whole = xasprintf("%s%s", url, call->target);
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	CURL *curl = curl_easy_init();

	for (size_t i = 0; i < CALL_HEADERS && call->headers[i]; i++)
		headers = curl_slist_append(headers, call->headers[i]);
	curl_easy_setopt(curl, CURLOPT_URL, whole);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a.body);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &a.headers);
	if (call->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE,
				 (long)(call->n ? call->n : strlen(call->body)));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body);
	}
	a.whole = curl_easy_perform(curl) == CURLE_OK;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	a.json = json_loadb(a.body.buf, a.body.len, 0, NULL);
	return a;
}

struct answer client_get(const char *url, const char *target)
{
	const struct call call = { .method = "GET", .target = target };

	return client_send(url, &call);
}

struct answer client_put(const char *url, const char *resource, const char *bytes,
			 const char *query)
{
	CLEANUP(free_char)
	char *target = xasprintf("/upload/storage/v1/b/b/o?uploadType=multipart%s", query);
	CLEANUP(free_char) char *body = xasprintf(MULTIPART, resource, bytes);
	const struct call call = { .method = "POST",
				   .target = target,
				   .body = body,
				   .headers = {
					   "Content-Type: multipart/related; boundary=edge" } };

	return client_send(url, &call);
}

const char *answer_header(struct answer *a, const char *name)
{
	static char value[HEADER_MAX];
	CLEANUP(free_char) char *mark = xasprintf("\r\n%s: ", name);
	const char *at = strcasestr(a->headers.buf, mark);
	size_t n;

	if (!at)
		return NULL;
	at += strlen(mark);
	n = strcspn(at, "\r\n");
	cr_assert_lt(n, sizeof(value));
	memcpy(value, at, n);
	value[n] = '\0';
	return value;
}

const char *answer_text(const struct answer *a, const char *path)
{
	CLEANUP(free_char) char *copy = xstrdup(path);
	const json_t *json = a->json;
	char *rest;

	for (char *name = strtok_r(copy, "/", &rest); name; name = strtok_r(NULL, "/", &rest))
		json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10))
					   : json_object_get(json, name);
	return json_string_value(json);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* server_read.c - the test server's answers that change nothing: buckets, metadata, bytes, lists.
 */
#include <stdio.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "server_internal.h"

#define TOKEN_MAX 4096
#define SPIN	  "\x01" /* what stands behind it makes a token new, and means nothing */

void answer_bucket_get(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);

	if (b)
		reply_json(p, q, json_deep_copy(b->resource));
}

void answer_bucket_insert(struct request *q, struct reply *p)
{
	static const char *const settable[] = { "name", "location", "storageClass",
						"iamConfiguration" };
	json_t *settings = json_loadb(q->body.buf, q->body.len, 0, NULL);
	const char *name = json_string_value(json_object_get(settings, "name"));
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settable); i++)
		known += json_object_get(settings, settable[i]) != NULL;
	if (!pairs_get(&q->params, "project"))
		reply_error(p, 400, "required", "Required parameter: project");
	else if (!name || !*name || strchr(name, '/'))
		reply_error(p, 400, "invalid", "Invalid bucket name");
	else if (known != json_object_size(settings))
		reply_error(p, 400, "invalid", "Unknown field in the bucket");
	else if (bucket_find(q->server, name))
		reply_error(p, 409, "conflict",
			    "Your previous request to create the named bucket succeeded and you "
			    "already own it.");
	else
		reply_json(p, q, json_deep_copy(bucket_add(q->server, name, settings)->resource));
	json_decref(settings);
}

void answer_get(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	struct stored *o = b ? request_object(q, p, b, q->object, "generation") : NULL;

	if (o && conditions_hold(&q->params, "if", o, true, p))
		reply_json(p, q, object_json(q, b, o));
}

static void add_number_header(struct reply *p, const char *name, uint64_t number)
{
	CLEANUP(free_char) char *text = xasprintf("%llu", (unsigned long long)number);

	reply_header(p, name, text);
}

static const char *header_of(const struct stored *o, const char *name)
{
	return json_string_value(json_object_get(o->headers, name));
}

static void add_media_headers(const struct request *q, struct reply *p, const struct stored *o)
{
	static const char *const as_stored[][2] = { { "cacheControl", "Cache-Control" },
						    { "contentDisposition", "Content-Disposition" },
						    { "contentLanguage", "Content-Language" } };
	CLEANUP(free_char) char *hashes = object_hashes(q, o);
	const char *encoding = header_of(o, "contentEncoding");
	const char *type = header_of(o, "contentType");

	reply_header(p, "Content-Type", type ? type : "application/octet-stream");
	for (size_t i = 0; i < ARRAY_SIZE(as_stored); i++)
		if (header_of(o, as_stored[i][0]))
			reply_header(p, as_stored[i][1], header_of(o, as_stored[i][0]));
	reply_header(p, "X-Goog-Hash", hashes);
	add_number_header(p, "X-Goog-Generation", o->generation);
	add_number_header(p, "X-Goog-Metageneration", o->metageneration);
	reply_header(p, "X-Goog-Stored-Content-Encoding", encoding ? encoding : "identity");
	add_number_header(p, "X-Goog-Stored-Content-Length",
			  q->fault.has_size ? q->fault.size : object_size(o));
	reply_header(p, "X-Goog-Storage-Class", "STANDARD");
}

/* A gzip object is decoded for a client that does not say that it takes gzip. */
static bool is_transcoded(const struct request *q, const struct stored *o)
{
	const char *accept = pairs_get(&q->headers, "Accept-Encoding");
	const char *encoding = header_of(o, "contentEncoding");
	const char *cache = header_of(o, "cacheControl");

	return encoding && !strcmp(encoding, "gzip") &&
	       !(!q->fault.decode && accept && strstr(accept, "gzip")) &&
	       !(cache && strstr(cache, "no-transform"));
}

/* bytes=A-B, bytes=A-, bytes=-N. */
static bool parse_range(const char *text, uint64_t size, uint64_t *ret_first, uint64_t *ret_end)
{
	CLEANUP(free_char) char *copy = xstrdup(text);
	char *dash = strchr(copy, '-');
	uint64_t first = 0, last = 0;

	if (strncmp(copy, "bytes=", 6) != 0 || !dash)
		return false;
	*dash++ = '\0';
	if (!copy[6]) {
		if (!parse_number(dash, &last))
			return false;
		*ret_first = last < size ? size - last : 0;
		*ret_end = size;
		return true;
	}
	if (!parse_number(copy + 6, &first) || (*dash && !parse_number(dash, &last)) ||
	    (*dash && last < first))
		return false;
	*ret_first = first;
	*ret_end = *dash && last < size ? last + 1 : size;
	return true;
}

/* False, with an error answered: there is no such range of so many bytes. */
static bool take_range(const struct request *q, struct reply *p, uint64_t size, const char *range,
		       uint64_t *ret_first, uint64_t *ret_end)
{
	CLEANUP(free_char) char *sent = NULL;

	if (!parse_range(range, size, ret_first, ret_end)) {
		reply_error(p, 400, "invalid", "Invalid Range: %s", range);
		return false;
	}
	*ret_first += q->fault.shift;
	if (*ret_first >= *ret_end) {
		sent = xasprintf("bytes */%llu", (unsigned long long)size);
		reply_error(p, 416, "requestedRangeNotSatisfiable",
			    "Request range not satisfiable");
		reply_header(p, "Content-Range", sent);
		return false;
	}
	sent = xasprintf("bytes %llu-%llu/%llu", (unsigned long long)*ret_first,
			 (unsigned long long)*ret_end - 1, (unsigned long long)size);
	p->status = 206;
	reply_header(p, "Content-Range", sent);
	return true;
}

void answer_read(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	struct stored *o = b ? request_object(q, p, b, q->object, "generation") : NULL;
	const char *range = pairs_get(&q->headers, "Range");
	CLEANUP(strbuf_release) struct strbuf decoded = STRBUF_INIT(BODY_MAX);
	uint64_t first = 0, end;

	if (!o || !conditions_hold(&q->params, "if", o, true, p))
		return;
	reply_reset(p, 200);
	add_media_headers(q, p, o);
	if (is_transcoded(q, o) && !gzip_decode(o->bytes.buf, o->bytes.len, &decoded)) {
		reply_header(p, "Warning", "214 UploadServer gunzipped");
		end = decoded.len;
		/* as who decodes on the way may do */
		if (!q->fault.decode || !range ||
		    take_range(q, p, decoded.len, range, &first, &end))
			strbuf_add(&p->body, decoded.buf + first, (size_t)(end - first));
		return;
	}
	if (header_of(o, "contentEncoding"))
		reply_header(p, "Content-Encoding", header_of(o, "contentEncoding"));
	end = object_size(o);
	if (range && !take_range(q, p, end, range, &first, &end))
		return;
	if (end - first > BODY_MAX)
		reply_error(p, 400, "invalid", "This object is only read, in ranges");
	else
		object_bytes(o, first, end, &p->body);
}

struct query {
	const char *prefix, *delimiter, *start, *end;
	uint64_t limit;
	char *after; /* the last entry of the page before, "": none */
	bool overlap;
};

static uint32_t query_sum(const struct query *query)
{
	CLEANUP(free_char)
	char *text = xasprintf("%s\n%s\n%s\n%s", query->prefix, query->delimiter, query->start,
			       query->end);

	return crc32c_of(text, strlen(text));
}

/* Opaque to a client, and only good for the same query. */
static char *page_token(const struct query *query, const char *after)
{
	CLEANUP(free_char) char *text = xasprintf("%08x:%s", query_sum(query), after);

	return base64_text(text, strlen(text));
}

static bool parse_token(const char *token, struct query *query)
{
	unsigned char text[TOKEN_MAX];
	size_t n = strlen(token);
	char sum[10];
	int length;

	if (!n || n % 4 || n / 4 * 3 >= sizeof(text))
		return false;
	length = EVP_DecodeBlock(text, (const unsigned char *)token, (int)n);
	if (length < 9)
		return false;
	text[length] = '\0';
	snprintf(sum, sizeof(sum), "%08x:", query_sum(query));
	if (strncmp((char *)text, sum, 9) != 0)
		return false;
	text[9 + strcspn((char *)text + 9, SPIN)] = '\0';
	query->after = xstrdup((char *)text + 9);
	return true;
}

static bool parse_query(struct request *q, struct query *ret, struct reply *p)
{
	const struct {
		const char *name, **to;
	} texts[] = { { "prefix", &ret->prefix },
		      { "delimiter", &ret->delimiter },
		      { "startOffset", &ret->start },
		      { "endOffset", &ret->end } };
	const char *most = pairs_get(&q->params, "maxResults");
	const char *token = pairs_get(&q->params, "pageToken");

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *value = pairs_get(&q->params, texts[i].name);

		*texts[i].to = value ? value : "";
	}
	ret->limit = PAGE_MAX;
	if (most && (!parse_number(most, &ret->limit) || !ret->limit)) {
		reply_error(p, 400, "invalid", "Invalid maximum results: %s", most);
		return false;
	}
	if (token && !parse_token(token, ret)) {
		reply_error(p, 400, "invalid", "Invalid page token, or one of another query");
		return false;
	}
	if (ret->limit > PAGE_MAX)
		ret->limit = PAGE_MAX;
	if (q->fault.has_page && q->fault.page < ret->limit)
		ret->limit = q->fault.page;
	ret->overlap = q->fault.overlap;
	if (!ret->after)
		ret->after = xstrdup("");
	return true;
}

static bool begins_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* The length of what the name is folded into, or 0. */
static size_t folded(const struct query *query, const char *name)
{
	const char *rest = name + strlen(query->prefix);
	const char *at = *query->delimiter ? strstr(rest, query->delimiter) : NULL;

	return at ? (size_t)(at - name) + strlen(query->delimiter) : 0;
}

static size_t skip_fold(const struct bucket *b, size_t i, const char *fold)
{
	while (i < b->n && begins_with(b->objects[i]->name, fold))
		i++;
	return i;
}

static size_t first_entry(const struct bucket *b, const struct query *query)
{
	const char *from = query->prefix;
	size_t i;

	if (strcmp(query->start, from) > 0)
		from = query->start;
	if (strcmp(query->after, from) < 0 || !*query->after)
		return bucket_lower_bound(b, from);
	i = bucket_lower_bound(b, query->after);
	if (query->overlap)
		return i;
	if (folded(query, query->after) == strlen(query->after))
		return skip_fold(b, i, query->after);
	return i < b->n && !strcmp(b->objects[i]->name, query->after) ? i + 1 : i;
}

/* Where the client is told to go on. */
static char *next_token(const struct request *q, const struct query *query, const char *last)
{
	CLEANUP(free_char) char *spun = NULL;

	if (q->fault.spin)
		spun = xasprintf("%s" SPIN "%llu", query->after,
				 (unsigned long long)++q->server->spins);
	return page_token(query, spun ? spun : q->fault.repeat ? query->after : last);
}

static json_t *list_page(const struct request *q, const struct bucket *b, const struct query *query)
{
	json_t *page = json_pack("{s:s}", "kind", "storage#objects");
	json_t *items = json_array(), *prefixes = json_array();
	CLEANUP(free_char) char *last = xstrdup(query->after);
	size_t i = first_entry(b, query);

	for (uint64_t n = 0; i < b->n && begins_with(b->objects[i]->name, query->prefix); n++) {
		const struct stored *o = b->objects[i];
		size_t fold = folded(query, o->name);

		if (*query->end && strcmp(o->name, query->end) >= 0)
			break;
		if (n == query->limit) {
			CLEANUP(free_char)
			char *next = next_token(q, query, last);

			json_object_set_new(page, "nextPageToken", json_string(next));
			break;
		}
		free(last);
		last = fold ? xstrndup(o->name, fold) : xstrdup(o->name);
		if (fold)
			json_array_append_new(prefixes, json_string(last));
		else
			json_array_append_new(items, object_json(q, b, o));
		i = fold ? skip_fold(b, i, last) : i + 1;
	}
	if ((q->fault.repeat || q->fault.spin) && !json_object_get(page, "nextPageToken")) {
		CLEANUP(free_char) char *again = next_token(q, query, last);

		json_object_set_new(page, "nextPageToken", json_string(again));
	}
	/* as the service does: what is empty is left out */
	if (json_array_size(items))
		json_object_set(page, "items", items);
	if (json_array_size(prefixes))
		json_object_set(page, "prefixes", prefixes);
	json_decref(items);
	json_decref(prefixes);
	return page;
}

void answer_list(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	struct query query = { 0 };

	if (b && parse_query(q, &query, p))
		reply_json(p, q, list_page(q, b, &query));
	free(query.after);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* server_upload.c - the test server's uploads, in one request and in many. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "server_internal.h"

#define BOUNDARY_MAX 70 /* RFC 2046 */

struct session *session_add(struct gcs_server *s)
{
	struct session *session;

	GROW(s->sessions, s->n_sessions, s->alloc_sessions);
	session = &s->sessions[s->n_sessions++];
	*session = (struct session){ .id = xasprintf("session-%llu",
						     (unsigned long long)++s->last_session) };
	strbuf_init(&session->bytes, BODY_MAX);
	return session;
}

struct session *session_find(struct gcs_server *s, const char *id)
{
	for (size_t i = 0; id && i < s->n_sessions; i++)
		if (!strcmp(s->sessions[i].id, id))
			return &s->sessions[i];
	return NULL;
}

void session_release(struct session *session)
{
	free(session->id);
	free(session->bucket);
	free(session->name);
	free(session->source);
	json_decref(session->headers);
	json_decref(session->expected);
	json_decref(session->answer);
	pairs_release(&session->conditions);
	strbuf_release(&session->bytes);
}

void upload_release(struct upload *u)
{
	free(u->name);
	json_decref(u->headers);
	json_decref(u->expected);
}

static bool is_text_map(const json_t *json)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)json, name,
			    value) if (!json_is_string(value)) return false;
	return json_is_object(json);
}

bool header_settable(const char *name, const json_t *value)
{
	static const char *const texts[] = { "contentType",	   "contentEncoding",
					     "contentDisposition", "contentLanguage",
					     "cacheControl",	   "storageClass" };

	if (!strcmp(name, "metadata"))
		return is_text_map(value);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(name, texts[i]))
			return json_is_string(value);
	return false;
}

bool upload_parse(const char *text, size_t n, const char *default_type, struct upload *ret,
		  struct reply *p)
{
	json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL), *value;
	const char *name;

	*ret = (struct upload){ .headers = json_object(), .expected = json_object() };
	if (!json_is_object(json)) {
		reply_error(p, 400, "parseError", "The object resource is not JSON");
		json_decref(json);
		return false;
	}
	json_object_foreach(json, name, value)
	{
		if (header_settable(name, value)) {
			json_object_set(ret->headers, name, value);
		} else if (!strcmp(name, "name") && json_is_string(value)) {
			ret->name = xstrdup(json_string_value(value));
		} else if ((!strcmp(name, "md5Hash") || !strcmp(name, "crc32c")) &&
			   json_is_string(value)) {
			json_object_set(ret->expected, name, value);
		} else if (strcmp(name, "bucket") != 0) {
			reply_error(p, 400, "invalid", "Unknown or malformed field %s", name);
			json_decref(json);
			return false;
		}
	}
	json_decref(json);
	if (default_type && !json_object_get(ret->headers, "contentType"))
		json_object_set_new(ret->headers, "contentType", json_string(default_type));
	return true;
}

/* The name of a new object: the parameter, or the field; both must agree. */
static bool upload_named(const struct request *q, struct upload *u, struct reply *p)
{
	const char *name = pairs_get(&q->params, "name");

	if (name && u->name && strcmp(name, u->name) != 0) {
		reply_error(p, 400, "invalid", "The name in the URL is not that of the resource");
		return false;
	}
	if (name && !u->name)
		u->name = xstrdup(name);
	if (u->name && object_name_valid(u->name))
		return true;
	reply_error(p, 400, "invalid", "Invalid object name");
	return false;
}

struct stored *upload_commit(struct request *q, struct bucket *b, const struct upload *u,
			     const struct pairs *conditions, struct strbuf *bytes, struct reply *p)
{
	unsigned char sum[MD5_SIZE], crc_bytes[4];
	CLEANUP(free_char) char *md5_text = NULL;
	CLEANUP(free_char) char *crc_text = NULL;
	const char *wanted_md5 = json_string_value(json_object_get(u->expected, "md5Hash"));
	const char *wanted_crc = json_string_value(json_object_get(u->expected, "crc32c"));
	uint32_t crc;

	if (q->fault.damage && bytes->len)
		bytes->buf[bytes->len / 2] ^= 1;
	crc = crc32c_of(bytes->buf, bytes->len);
	for (unsigned i = 0; i < sizeof(crc_bytes); i++)
		crc_bytes[i] = (unsigned char)(crc >> (24 - 8 * i));
	md5(bytes->buf, bytes->len, sum);
	md5_text = base64_text(sum, sizeof(sum));
	crc_text = base64_text(crc_bytes, sizeof(crc_bytes));
	if (q->fault.unchecked)
		wanted_md5 = wanted_crc = NULL;
	if (wanted_md5 && strcmp(wanted_md5, md5_text) != 0) {
		reply_error(p, 400, "invalid",
			    "Provided MD5 hash \"%s\" doesn't match calculated MD5 hash \"%s\".",
			    wanted_md5, md5_text);
		return NULL;
	}
	if (wanted_crc && strcmp(wanted_crc, crc_text) != 0) {
		reply_error(p, 400, "invalid",
			    "Provided CRC32C \"%s\" doesn't match calculated CRC32C \"%s\".",
			    wanted_crc, crc_text);
		return NULL;
	}
	if ((!q->fault.careless &&
	     !conditions_hold(conditions, "if", object_find(b, u->name), false, p)) ||
	    (object_find(b, u->name) && !right_check(q, "storage.objects.delete", p)))
		return NULL;
	return object_put(q->server, b, u->name, u->headers, bytes);
}

struct part {
	const char *body;
	size_t n;
	char *type; /* NULL: none is said */
};

/* The headers of a part, which end in an empty line; there may be none. */
static bool parse_part(const char *text, size_t n, struct part *ret)
{
	const char *end = memmem(text, n, "\r\n\r\n", 4);
	const char *line = text;

	if (n >= 2 && !strncmp(text, "\r\n", 2))
		end = text - 2;
	if (!end)
		return false;
	while (line < end) {
		const char *stop = memmem(line, (size_t)(end - line) + 2, "\r\n", 2);

		if (!strncasecmp(line, "Content-Type:", 13)) {
			line += 13 + strspn(line + 13, " ");
			free(ret->type);
			ret->type = xstrndup(line, (size_t)(stop - line));
		}
		line = stop + 2;
	}
	ret->body = end + 4;
	ret->n = n - (size_t)(ret->body - text);
	return true;
}

static const char *find_boundary(const char *type, size_t *ret_length)
{
	const char *at = type ? strstr(type, "boundary=") : NULL;
	bool quoted;

	if (!at || strncmp(type, "multipart/related", 17) != 0)
		return NULL;
	at += 9;
	quoted = *at == '"';
	at += quoted;
	*ret_length = strcspn(at, quoted ? "\"" : "; ");
	return *ret_length && *ret_length <= BOUNDARY_MAX ? at : NULL;
}

/* multipart/related of exactly two parts (RFC 2387). */
static bool parse_multipart(const struct request *q, struct part parts[2])
{
	size_t length = 0, n = q->body.len;
	const char *boundary = find_boundary(pairs_get(&q->headers, "Content-Type"), &length);
	const char *at = q->body.buf, *last = NULL;
	CLEANUP(free_char) char *mark = NULL;

	if (!boundary)
		return false;
	mark = xasprintf("\r\n--%.*s", (int)length, boundary);
	length += 4;
	if (n < length || strncmp(at, mark + 2, length - 2) != 0)
		return false;
	at += length - 2;
	for (int i = 0; i < 2; i++) {
		if (strncmp(at, "\r\n", 2) != 0)
			return false;
		at += 2;
		last = memmem(at, n - (size_t)(at - q->body.buf), mark, length);
		if (!last || !parse_part(at, (size_t)(last - at), &parts[i]))
			return false;
		at = last + length;
	}
	return !strncmp(at, "--", 2);
}

void answer_insert(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	struct part parts[2] = { 0 };
	CLEANUP(upload_release) struct upload upload = { 0 };
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(BODY_MAX);
	struct stored *o;

	if (!b)
		return;
	if (!parse_multipart(q, parts)) {
		reply_error(p, 400, "badRequest", "Malformed multipart body.");
	} else if (!parts[0].type || strncmp(parts[0].type, "application/json", 16) != 0) {
		reply_error(p, 400, "badContent", "Metadata part is not application/json");
	} else if (upload_parse(parts[0].body, parts[0].n, parts[1].type, &upload, p) &&
		   upload_named(q, &upload, p)) {
		strbuf_add(&bytes, parts[1].body, parts[1].n);
		o = upload_commit(q, b, &upload, &q->params, &bytes, p);
		if (o)
			reply_json(p, q, object_json(q, b, o));
	}
	free(parts[0].type);
	free(parts[1].type);
}

/* At the host that was asked, as the service has it. */
static char *session_url(const struct request *q, const struct session *session)
{
	const char *host = pairs_get(&q->headers, "Host"), *url = q->server->url;

	return xasprintf("%.*s%s/upload/storage/v1/b/%s/o?uploadType=resumable&upload_id=%s",
			 (int)(strstr(url, "://") + 3 - url), url,
			 q->fault.elsewhere ? "example.com" : host, q->bucket, session->id);
}

void answer_resumable_start(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	const char *type = pairs_get(&q->headers, "X-Upload-Content-Type");
	CLEANUP(upload_release) struct upload upload = { 0 };
	CLEANUP(free_char) char *location = NULL;
	struct session *session;

	if (!b ||
	    !upload_parse(q->body.len ? q->body.buf : "{}", q->body.len ? q->body.len : 2, type,
			  &upload, p) ||
	    !upload_named(q, &upload, p) ||
	    !conditions_hold(&q->params, "if", object_find(b, upload.name), false, p))
		return;
	session = session_add(q->server);
	session->bucket = xstrdup(q->bucket);
	session->name = steal(upload.name);
	session->headers = steal(upload.headers);
	session->expected = steal(upload.expected);
	for (size_t i = 0; i < q->params.n; i++)
		pairs_add(&session->conditions, q->params.items[i].name, q->params.items[i].value);
	location = session_url(q, session);
	reply_reset(p, 200);
	reply_header(p, "Location", location);
	reply_header(p, "X-GUploader-UploadID", session->id);
}

/* Content-Range of a chunk. `first` and `total` are UINT64_MAX for a '*'. */
struct chunk {
	uint64_t first, last, total;
};

static bool parse_chunk(const struct request *q, struct chunk *ret)
{
	const char *text = pairs_get(&q->headers, "Content-Range");
	CLEANUP(free_char) char *copy = xstrdup_or_null(text);
	char *slash, *dash;

	*ret = (struct chunk){ .first = UINT64_MAX, .total = UINT64_MAX };
	if (!text) {
		*ret = (struct chunk){ 0, q->body.len - 1, q->body.len };
		return true;
	}
	slash = strchr(copy, '/');
	if (strncmp(copy, "bytes ", 6) != 0 || !slash)
		return false;
	*slash++ = '\0';
	if (strcmp(slash, "*") != 0 && !parse_number(slash, &ret->total))
		return false;
	if (!strcmp(copy + 6, "*"))
		return !q->body.len;
	dash = strchr(copy, '-');
	if (!dash)
		return false;
	*dash++ = '\0';
	return parse_number(copy + 6, &ret->first) && parse_number(dash, &ret->last) &&
	       ret->last >= ret->first && ret->last - ret->first + 1 == q->body.len &&
	       (ret->total == UINT64_MAX || ret->last < ret->total);
}

/* "Resume Incomplete": so much has come. */
static void answer_incomplete(struct reply *p, const struct session *session)
{
	CLEANUP(free_char) char *range = NULL;

	reply_reset(p, 308);
	if (!session->bytes.len)
		return;
	range = xasprintf("bytes=0-%zu", session->bytes.len - 1);
	reply_header(p, "Range", range);
}

static void finish_session(struct request *q, struct reply *p, struct session *session)
{
	struct bucket *b = request_bucket(q, p, session->bucket);
	struct upload upload = { session->name, session->headers, session->expected };
	struct stored *o =
		b ? upload_commit(q, b, &upload, &session->conditions, &session->bytes, p) : NULL;

	if (!o)
		return;
	session->answer = object_json(q, b, o);
	reply_json(p, q, json_deep_copy(session->answer));
}

void answer_resumable_chunk(struct request *q, struct reply *p)
{
	struct session *session = session_find(q->server, pairs_get(&q->params, "upload_id"));
	struct chunk chunk;

	if (!session || !session->bucket || strcmp(session->bucket, q->bucket) != 0) {
		reply_error(p, 404, "notFound", "No such upload session");
		return;
	}
	if (!parse_chunk(q, &chunk)) {
		reply_error(p, 400, "invalid", "Failed to parse Content-Range header.");
		return;
	}
	if (session->answer) {
		reply_json(p, q, json_deep_copy(session->answer));
		return;
	}
	if (chunk.first != UINT64_MAX && q->body.len) {
		bool last = chunk.total != UINT64_MAX && chunk.last + 1 == chunk.total;

		if (chunk.first != session->bytes.len || (!last && q->body.len % CHUNK_UNIT)) {
			reply_error(p, 400, "invalid",
				    "A chunk begins where the last one ended, and all but the "
				    "last are multiples of 256 KiB.");
			return;
		}
		strbuf_add(&session->bytes, q->body.buf, q->body.len);
	}
	if (session->bytes.len == chunk.total)
		finish_session(q, p, session);
	else
		answer_incomplete(p, session);
}

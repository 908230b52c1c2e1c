/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_copy.c - copies on the server, and from stores that the server cannot read. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "driver.h"
#include "gcs.h"
#include "log.h"
#include "memory.h"

#define REWRITE_CALLS_MAX 100000 /* 5 TiB in pieces of 50 MiB; each is asked for to go on */
#define COPY_MAX	  ((size_t)1 << 30) /* of a source elsewhere, which goes through memory */
#define TOKEN_MAX	  ((size_t)8 << 10)

/* The bucket of the driver that `s` stands on, if the same server and credentials reach it. */
static const struct gcs_store *same_server(struct gcs_store *g, struct store *s)
{
	const struct gcs_store *from;

	while (s->next)
		s = s->next;
	if (s->ops != &gcs_ops)
		return NULL;
	from = gcs_of(s);
	return strcmp(from->endpoint, g->endpoint) ? NULL : from;
}

/* 404 and 412 do not say which of the two objects they mean: so look at the source. */
static int source_or_target(const struct edit *e, int r)
{
	struct object source;
	int there;

	if (r != -ENOENT && r != -ESTALE)
		return r;
	there = edit_source(e, &source);
	if (there < 0)
		return there;
	object_release(&source);
	return -ESTALE;
}

static void rewrite_url(const struct gcs_store *g, const struct gcs_store *from,
			const struct edit *e, const char *token, struct strbuf *url)
{
	gcs_url(from, GCS_SERVICE, e->from_key, url);
	strbuf_addf(url, "/rewriteTo/b/%s/o/", g->bucket);
	http_escape(e->object.key, url);
	gcs_url_conditions(url, e);
	gcs_url_number(url, "ifSourceGenerationMatch", e->from_generation);
	if (token)
		gcs_url_text(url, "rewriteToken", token);
}

/* One call. 1: done, `ret` is what is there now; 0: *token says where to go on. */
static int rewrite_once(struct gcs_store *g, const struct gcs_store *from, const struct edit *e,
			const struct strbuf *meta, char **token, struct object *ret)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX + TOKEN_MAX);
	CLEANUP(gcs_json_release) json_t *json = NULL;
	struct body body = body_of_strbuf(meta);
	struct http_request request = { .method = "POST",
					.headers = { "Content-Type: application/json" },
					.body = &body };
	const char *next;
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	rewrite_url(g, from, e, *token, &url);
	request.url = url.buf;
	r = gcs_send(g, CALL_COPY, e->object.key, &request, &answer);
	if (r == 0)
		r = gcs_parse(g, &answer, &json);
	if (r < 0)
		return r;
	if (json_is_true(json_object_get(json, "done")) &&
	    gcs_object_parse(json_object_get(json, "resource"), ret) == 0)
		return 1;
	next = json_string_value(json_object_get(json, "rewriteToken"));
	if (!next)
		return fail(-EIO, "cannot copy to %s: %s neither ends nor goes on", e->object.key,
			    g->endpoint);
	free(*token);
	*token = xstrdup(next);
	return 0;
}

static int copy_on_server(struct gcs_store *g, const struct gcs_store *from, struct edit *e)
{
	CLEANUP(strbuf_release) struct strbuf meta = STRBUF_INIT(GCS_META_MAX);
	CLEANUP(object_release) struct object now = { .generation = 0 };
	CLEANUP(free_char) char *token = NULL;
	struct object headers = e->object; /* borrows */
	int r;

	headers.has_md5 = headers.has_crc32c = false; /* the bytes are the source's */
	r = gcs_object_format(&headers, &meta);
	for (int i = 0; r == 0 && i < REWRITE_CALLS_MAX; i++)
		r = rewrite_once(g, from, e, &meta, &token, &now);
	if (r < 0)
		return source_or_target(e, r);
	if (r == 0)
		return fail(-EIO, "cannot copy to %s: the copy does not end", e->object.key);
	object_set_facts(&e->object, &now);
	return 0;
}

static int copy_through_memory(struct gcs_store *g, struct edit *e)
{
	CLEANUP(object_release) struct object source = { .generation = 0 };
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(COPY_MAX);
	struct body body;
	int r = edit_source(e, &source);

	if (r == 0)
		r = store_read(e->from, e->from_key, source.generation, 0, source.size, &bytes);
	if (r == 0 && bytes.len != source.size)
		r = fail(-EBADMSG, "cannot copy %s from %s: it is shorter than its size",
			 e->from_key, e->from->url);
	if (r < 0)
		return r;
	body = body_of_strbuf(&bytes);
	e->body = &body;
	r = gcs_write(g, e);
	e->body = NULL;
	return r;
}

int gcs_copy(struct gcs_store *g, struct edit *e)
{
	const struct gcs_store *from = same_server(g, e->from);
	uint64_t asked = e->from_generation;
	struct object source;
	int r;

	if (!from)
		return copy_through_memory(g, e);
	/* the server does not compare an MD5; and what is copied is of one generation */
	if (e->object.has_md5 || asked == STORE_ANY) {
		r = edit_source(e, &source);
		if (r < 0)
			return r;
		e->from_generation = source.generation;
		object_release(&source);
	}
	r = copy_on_server(g, from, e);
	e->from_generation = asked;
	return r;
}

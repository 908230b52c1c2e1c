/* SPDX-License-Identifier: BSD-3-Clause */
/* server_batch.c - many requests in one: multipart/mixed with an HTTP request in each part. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "server_internal.h"

#define CALLS_MAX 100
#define BOUNDARY  "batch_of_answers"

static char *boundary_of(const struct request *q)
{
	const char *type = pairs_get(&q->headers, "Content-Type");
	const char *at = type ? strstr(type, "boundary=") : NULL;

	if (!at || strncmp(type, "multipart/mixed", 15) != 0)
		return NULL;
	at += 9 + (at[9] == '"');
	return xasprintf("--%.*s", (int)strcspn(at, "\"; "), at);
}

/* Takes the headers off the text, up to and with the empty line; NULL: there is none. */
static const char *parse_headers(const char *at, const char *end, struct pairs *ret)
{
	while (at < end) {
		const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
		const char *colon = stop ? memchr(at, ':', (size_t)(stop - at)) : NULL;

		if (stop == at)
			return at + 2;
		if (!colon)
			return NULL;
		{
			CLEANUP(free_char) char *name = xstrndup(at, (size_t)(colon - at));
			const char *value = colon + 1 + strspn(colon + 1, " ");
			CLEANUP(free_char) char *copy = xstrndup(value, (size_t)(stop - value));

			pairs_add(ret, name, copy);
		}
		at = stop + 2;
	}
	return NULL;
}

/* "DELETE /storage/v1/... [HTTP/1.1]", headers, an empty line, a body. */
static bool parse_call(const char *at, const char *end, struct request *ret)
{
	const char *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
	CLEANUP(free_char) char *line = stop ? xstrndup(at, (size_t)(stop - at)) : NULL;
	char *rest, *method = line ? strtok_r(line, " ", &rest) : NULL;
	char *target = method ? strtok_r(NULL, " ", &rest) : NULL;

	if (!target)
		return false;
	ret->method = xstrdup(method);
	at = parse_headers(stop + 2, end, &ret->headers);
	if (!at || !request_parse_target(ret, target))
		return false;
	strbuf_add(&ret->body, at, (size_t)(end - at));
	return true;
}

static void add_answer(struct strbuf *out, const char *id, const struct reply *p)
{
	strbuf_addf(out, "--%s\r\nContent-Type: application/http\r\n", BOUNDARY);
	if (id)
		strbuf_addf(out, "Content-ID: <response-%s\r\n", *id == '<' ? id + 1 : id);
	strbuf_addf(out, "\r\nHTTP/1.1 %u Status\r\n", p->status);
	for (size_t i = 0; i < p->headers.n; i++)
		strbuf_addf(out, "%s: %s\r\n", p->headers.items[i].name, p->headers.items[i].value);
	strbuf_addf(out, "Content-Length: %zu\r\n\r\n", p->body.len);
	strbuf_add(out, p->body.buf, p->body.len);
	strbuf_addstr(out, "\r\n");
}

static bool answer_part(struct request *q, const char *at, const char *end, struct strbuf *out)
{
	struct request call = { .server = q->server };
	struct reply answer = { 0 };
	struct pairs headers = { 0 };
	const char *token = pairs_get(&q->headers, "Authorization");
	bool ok;

	strbuf_init(&call.body, BODY_MAX);
	strbuf_init(&answer.body, BODY_MAX);
	at = parse_headers(at, end, &headers);
	ok = at && parse_call(at, end, &call);
	if (ok) {
		/* no uploads, no downloads, no batch in a batch */
		ok = call.n_segments > 0 && !strcmp(call.segments[0], "storage") &&
		     !pairs_get(&call.params, "alt");
		if (token && !pairs_get(&call.headers, "Authorization"))
			pairs_add(&call.headers, "Authorization", token);
	}
	if (ok) {
		request_answer(&call, &answer);
		if (!answer.dropped) /* else it has no part in the answer */
			add_answer(out, pairs_get(&headers, "Content-ID"), &answer);
	}
	request_release(&call);
	pairs_release(&answer.headers);
	strbuf_release(&answer.body);
	pairs_release(&headers);
	return ok;
}

static bool answer_parts(struct request *q, const char *mark, struct strbuf *out)
{
	const char *end = q->body.buf + q->body.len;
	const char *at = strstr(q->body.buf, mark);

	for (unsigned n = 0; at; n++) {
		const char *next;

		at += strlen(mark);
		if (!strncmp(at, "--", 2))
			return n > 0;
		next = memmem(at, (size_t)(end - at), mark, strlen(mark));
		if (n == CALLS_MAX || !next || next < at + 4 || strncmp(at, "\r\n", 2) != 0 ||
		    !answer_part(q, at + 2, next - 2, out))
			return false;
		at = next;
	}
	return false;
}

void answer_batch(struct request *q, struct reply *p)
{
	CLEANUP(free_char) char *mark = boundary_of(q);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(BODY_MAX);

	if (!mark || !answer_parts(q, mark, &out)) {
		reply_error(p, 400, "badRequest", "Failed to parse batch request");
		return;
	}
	strbuf_addstr(&out, "--" BOUNDARY "--\r\n");
	reply_reset(p, 200);
	reply_header(p, "Content-Type", "multipart/mixed; boundary=" BOUNDARY);
	strbuf_add(&p->body, out.buf, out.len);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gcs_batch.c - many removals in one request: multipart/mixed with a DELETE in each part.
 *
 * The server makes the calls of a batch in any order, each under its own conditions, and answers
 * each in a part of its own. So only removals that do not depend on each other are put together,
 * and only where the endpoint is known to mind the conditions: Google's does, and says so; an
 * emulator may not (fake-gcs-server does not), and nothing that could be asked of it beforehand
 * would tell without putting an object at risk. An operator who knows that an endpoint does says
 * --batch-delete.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "driver.h"
#include "gcs.h"
#include "log.h"
#include "memory.h"
#include "trouble.h"

#define REQUEST_MAX ((size_t)GCS_BATCH_MAX * GCS_URL_MAX)
#define GOOGLE	    "googleapis.com"

bool gcs_batch_is_safe(const char *endpoint)
{
	const char *host = strstr(endpoint, "://") + 3;
	size_t n = strcspn(host, ":/"), google = strlen(GOOGLE);

	return n >= google && !strncasecmp(host + n - google, GOOGLE, google) &&
	       (n == google || host[n - google - 1] == '.');
}

static void add_call(const struct gcs_store *g, const struct edit *e, size_t i,
		     const char *boundary, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);

	gcs_url(g, GCS_SERVICE, e->object.key, &url);
	gcs_url_conditions(&url, e);
	strbuf_addf(out,
		    "--%s\r\nContent-Type: application/http\r\nContent-ID: <remove+%zu>\r\n\r\n"
		    "DELETE %s HTTP/1.1\r\n\r\n\r\n",
		    boundary, i, url.buf + strlen(g->endpoint));
}

static int send_calls(struct gcs_store *g, const struct edit *edits, size_t n,
		      struct http_answer *answer)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(REQUEST_MAX);
	CLEANUP(free_char) char *boundary = identity_new();
	CLEANUP(free_char)
	char *type = xasprintf("Content-Type: multipart/mixed; boundary=%s", boundary);
	CLEANUP(free_char) char *url = xasprintf("%s/batch/storage/v1", g->endpoint);
	struct http_request request = { .method = "POST", .url = url, .headers = { type } };
	struct body body;

	for (size_t i = 0; i < n; i++)
		add_call(g, &edits[i], i, boundary, &text);
	strbuf_addf(&text, "--%s--\r\n", boundary);
	if (strbuf_error(&text) < 0)
		return fail(-EIO, "a batch of %zu removals is too large", n);
	body = body_of_strbuf(&text);
	request.body = &body;
	return gcs_send(g, CALL_REMOVE, NULL, &request, answer);
}

/* The status of one part, and which call it answers. False: it is no such part. */
static bool parse_part(const char *part, size_t n, size_t *ret_call, long *ret_status)
{
	static const char id[] = "<response-remove+", status[] = "HTTP/1.";
	const char *at = memmem(part, n, id, strlen(id));
	const char *line = memmem(part, n, status, strlen(status));
	char *end;

	if (!at || !line || at > line || !isdigit((unsigned char)at[strlen(id)]))
		return false;
	*ret_call = strtoul(at + strlen(id), &end, 10);
	line += strlen(status);
	if (*end != '>' || !isdigit((unsigned char)line[0]) || line[1] != ' ')
		return false;
	*ret_status = strtol(line + 2, NULL, 10);
	return true;
}

/* statuses[i] stays 0 for a call that was not answered. */
static void parse_answer(const struct strbuf *text, long *statuses, size_t n)
{
	size_t line = strcspn(text->buf, "\r\n");
	CLEANUP(free_char) char *mark = xasprintf("\r\n%.*s", (int)line, text->buf);
	const char *at = text->buf + line, *end = text->buf + text->len;

	if (strncmp(text->buf, "--", 2) != 0)
		return;
	while (at < end) {
		const char *next = memmem(at, (size_t)(end - at), mark, strlen(mark));
		size_t call;
		long status;

		if (!next)
			return;
		if (parse_part(at, (size_t)(next - at), &call, &status) && call < n)
			statuses[call] = status;
		at = next + strlen(mark);
	}
}

/* What is neither done nor passing trouble is asked for again by itself, which finds the words. */
static int settle(struct gcs_store *g, struct edit *e, long status)
{
	int r = status ? gcs_status(status) : -EAGAIN;

	if (r == -EAGAIN)
		return trouble(0, status == 429, "cannot remove gs://%s/%s: in a batch the server "
			       "answers %ld", g->bucket, e->object.key, status);
	return r == 0 || r == -ENOENT ? 0 : gcs_remove(g, e);
}

void gcs_remove_many(struct gcs_store *g, struct edit *edits, size_t n)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	long statuses[GCS_BATCH_MAX] = { 0 };
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	r = send_calls(g, edits, n, &answer);
	if (r == 0)
		parse_answer(&answer.body, statuses, n);
	for (size_t i = 0; i < n; i++) {
		if (r == -ENOENT) /* the endpoint knows no batches */
			edits[i].result = gcs_remove(g, &edits[i]);
		else
			edits[i].result = r < 0 ? r : settle(g, &edits[i], statuses[i]);
	}
}

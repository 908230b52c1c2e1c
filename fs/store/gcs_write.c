/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gcs_write.c - uploads: metadata and bytes in one request, or a session for what is larger.
 *
 * The server gets the hashes of what is sent, and refuses other bytes. Should it have made an
 * object of them all the same, clients would get them, and our own metadata would call them right
 * for ever: so it is sent once more in the place of that generation, and then taken away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "driver.h"
#include "gcs.h"
#include "log.h"
#include "memory.h"
#include "trouble.h"

#define WRITE_TRIES    2
#define RESUMABLE_FROM ((uint64_t)8 << 20) /* smaller ones cost one request in place of two */

/* A multipart/related body: `lead` (with the metadata), the object's bytes, `tail`. */
struct multipart {
	struct strbuf lead, tail;
	const struct body *middle;
};

static ssize_t read_text(const struct strbuf *text, uint64_t offset, void *buf, size_t n)
{
	size_t left = text->len - (size_t)offset;

	n = n < left ? n : left;
	memcpy(buf, text->buf + offset, n);
	return (ssize_t)n;
}

static ssize_t read_multipart(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	const struct multipart *m = body->ctx;

	if (offset < m->lead.len)
		return read_text(&m->lead, offset, buf, n);
	offset -= m->lead.len;
	if (offset < m->middle->size)
		return body_read(m->middle, offset, buf, n);
	offset -= m->middle->size;
	return offset < m->tail.len ? read_text(&m->tail, offset, buf, n) : 0;
}

static void add_conditions(struct strbuf *url, const struct edit *e)
{
	gcs_url_conditions(url, e);
	gcs_url_text(url, "fields", GCS_FIELDS);
}

static int send_multipart(struct gcs_store *g, const struct edit *e, const struct strbuf *meta,
			  struct http_answer *answer)
{
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	/* 128 random bits: no body has it by chance, and none can be made to have it */
	CLEANUP(free_char) char *boundary = identity_new();
	CLEANUP(free_char)
	char *type = xasprintf("Content-Type: multipart/related; boundary=%s", boundary);
	struct multipart m = { .lead = STRBUF_INIT(2 * GCS_META_MAX),
			       .tail = STRBUF_INIT(GCS_META_MAX),
			       .middle = e->body };
	struct body body = { .fd = -1, .read = read_multipart, .ctx = &m };
	struct http_request request = { .method = "POST", .headers = { type }, .body = &body };
	int r;

	gcs_url(g, GCS_UPLOAD, NULL, &url);
	gcs_url_text(&url, "uploadType", "multipart");
	add_conditions(&url, e);
	request.url = url.buf;
	strbuf_addf(&m.lead,
		    "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n%s\r\n"
		    "--%s\r\nContent-Type: %s\r\n\r\n",
		    boundary, meta->buf, boundary,
		    e->object.type ? e->object.type : "application/octet-stream");
	strbuf_addf(&m.tail, "\r\n--%s--\r\n", boundary);
	body.size = m.lead.len + e->body->size + m.tail.len;
	r = gcs_send(g, CALL_WRITE, e->object.key, &request, answer);
	strbuf_release(&m.lead);
	strbuf_release(&m.tail);
	return r;
}

/* Where it is safe to go on: an emulator, which gets no token, may stand anywhere. */
static bool is_session(const struct gcs_store *g, const char *url)
{
	size_t n = strlen(g->endpoint);

	return url && (http_is_private(url) || (!strncmp(url, g->endpoint, n) && url[n] == '/'));
}

/* The session's URL is a secret: whoever has it may write the object. */
static int begin_session(struct gcs_store *g, const struct edit *e, const struct strbuf *meta,
			 char **ret_session)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	CLEANUP(free_char)
	char *length = xasprintf("X-Upload-Content-Length: %" PRIu64, e->body->size);
	struct body body = body_of_strbuf(meta);
	struct http_request request = {
		.method = "POST",
		.headers = { "Content-Type: application/json; charset=UTF-8", length },
		.body = &body,
	};
	int r;

	http_answer_init(&answer, GCS_META_MAX);
	gcs_url(g, GCS_UPLOAD, NULL, &url);
	gcs_url_text(&url, "uploadType", "resumable");
	add_conditions(&url, e);
	request.url = url.buf;
	r = gcs_send(g, CALL_WRITE, e->object.key, &request, &answer);
	if (r < 0)
		return r;
	if (!is_session(g, answer.header[HTTP_LOCATION]))
		return fail(-EIO,
			    "cannot write %s: %s began an upload without saying where it goes "
			    "on, or elsewhere in the clear",
			    e->object.key, g->endpoint);
	*ret_session = steal(answer.header[HTTP_LOCATION]);
	return 0;
}

/* All in one piece. Cut short, it is not resumed but begun again: by the retry link. */
static int send_resumable(struct gcs_store *g, const struct edit *e, const struct strbuf *meta,
			  struct http_answer *answer)
{
	CLEANUP(free_char) char *session = NULL;
	struct http_request request = { .method = "PUT", .body = e->body };
	int r = begin_session(g, e, meta, &session);

	if (r < 0)
		return r;
	request.url = session;
	r = gcs_send(g, CALL_UPLOAD, e->object.key, &request, answer);
	if (r == -ENOENT || (r == 0 && answer->status == 308))
		return trouble(0, false, "cannot write gs://%s/%s: the upload stopped half-way",
			       g->bucket, e->object.key);
	return r;
}

static bool is_as_sent(const struct object *sent, const struct object *now)
{
	return now->size == sent->size &&
	       (!now->has_md5 || !memcmp(now->md5, sent->md5, MD5_SIZE)) &&
	       (!now->has_crc32c || now->crc32c == sent->crc32c);
}

/* `sent` borrows everything from the edit. */
static int checksum(const struct edit *e, struct object *sent)
{
	int r;

	*sent = e->object;
	r = checksum_body(e->body, sent->md5, &sent->crc32c);
	if (r < 0)
		return r;
	if (e->object.has_md5 && memcmp(sent->md5, e->object.md5, MD5_SIZE) != 0)
		return fail(-EBADMSG, "cannot write %s: its bytes are not those of its MD5",
			    e->object.key);
	sent->has_md5 = sent->has_crc32c = true;
	sent->size = e->body->size;
	return 0;
}

static int upload(struct gcs_store *g, const struct edit *e, const struct strbuf *meta,
		  struct object *ret)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	if (e->body->size < RESUMABLE_FROM)
		r = send_multipart(g, e, meta, &answer);
	else
		r = send_resumable(g, e, meta, &answer);
	return r < 0 ? r : gcs_answer_object(g, &answer, ret);
}

/*
 * The answer to an upload has other hashes: is that what is there? 1: no, all is well, with the
 * facts in `now`; 0: yes, or nobody knows. From here on the edit is about what it has put there
 * itself, also when it is tried again.
 */
static int look_again(struct gcs_store *g, struct edit *e, const struct object *sent,
		      struct object *now)
{
	struct object there;
	bool same;
	int r;

	e->if_generation = now->generation;
	e->if_metageneration = 0;
	r = gcs_stat(&g->store, e->object.key, &there);
	if (r == -EAGAIN || r == -ECANCELED)
		return r;
	if (r < 0)
		return r == -ENOENT ? -ESTALE : 0;
	same = there.generation == now->generation;
	object_release(now);
	*now = there;
	return same ? is_as_sent(sent, now) : -ESTALE;
}

static int take_back(struct gcs_store *g, const struct edit *e)
{
	struct edit removal = { .op = EDIT_REMOVE,
				.object.key = e->object.key,
				.if_generation = e->if_generation };
	int r = gcs_remove(g, &removal);

	if (r == -EAGAIN || r == -ECANCELED || r == -ESTALE)
		return r;
	return fail(-EBADMSG, "gs://%s/%s: what the server has is not what was sent, twice; it %s",
		    g->bucket, e->object.key, r ? "is still there" : "was removed");
}

int gcs_write(struct gcs_store *g, struct edit *e)
{
	CLEANUP(strbuf_release) struct strbuf meta = STRBUF_INIT(GCS_META_MAX);
	CLEANUP(object_release) struct object now = { .generation = 0 };
	struct object sent;
	int r = checksum(e, &sent);

	if (r == 0)
		r = gcs_object_format(&sent, &meta);
	for (int i = 0; r == 0 && i < WRITE_TRIES; i++) {
		object_release(&now);
		r = upload(g, e, &meta, &now);
		if (r == 0)
			r = is_as_sent(&sent, &now) ? 1 : look_again(g, e, &sent, &now);
	}
	if (r == 0)
		return take_back(g, e);
	if (r < 0)
		return r;
	object_set_facts(&e->object, &now);
	return 0;
}

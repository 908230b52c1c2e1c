/* SPDX-License-Identifier: BSD-3-Clause */
/* stored_body.c - the body of one generation of an object: as it is read, whole, or judged. */
#include "stored_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "catalog.h"
#include "diff.h"
#include "gate.h"
#include "log.h"
#include "memory.h"
#include "previous.h"
#include "store.h"
#include "strbuf.h"

#define WINDOW ((size_t)256 << 10) /* one request; small enough for many at once */

struct stored_body {
	struct body body;
	struct store *store;
	const struct object *obj;
	struct strbuf window; /* the stored bytes from `at` on */
	uint64_t at;
	struct digest *digest; /* of the first `hashed` bytes */
	uint64_t hashed;
	int error; /* the first; sticky */
};

/* Makes the window hold `offset`, and hashes what of it comes next. */
static int window_load(struct stored_body *sb, uint64_t offset)
{
	uint64_t end;
	int r;

	if (sb->error)
		return sb->error;
	if (offset >= sb->at && offset < sb->at + sb->window.len)
		return 0;
	strbuf_reset(&sb->window);
	sb->at = offset;
	r = store_read(sb->store, sb->obj->key, sb->obj->generation, offset, WINDOW, &sb->window);
	if (!r && !sb->window.len)
		r = fail(-EIO, "%s was cut while it was read", sb->obj->key);
	if (r < 0) {
		sb->error = r == -ENOENT ? -ESTALE : r;
		return sb->error;
	}
	end = sb->at + sb->window.len;
	if (sb->hashed >= sb->at && sb->hashed < end) {
		digest_add(sb->digest, sb->window.buf + (sb->hashed - sb->at), end - sb->hashed);
		sb->hashed = end;
	}
	return 0;
}

static ssize_t window_read(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	struct stored_body *sb = body->ctx;
	size_t done = 0;

	while (done < n) {
		size_t skip, take;

		if (window_load(sb, offset + done) < 0)
			return -EIO;
		skip = offset + done - sb->at;
		take = sb->window.len - skip;
		if (take > n - done)
			take = n - done;
		memcpy((char *)buf + done, sb->window.buf + skip, take);
		done += take;
	}
	return (ssize_t)done;
}

struct stored_body *stored_body_new(struct store *s, const struct object *obj)
{
	struct stored_body *sb = xcalloc(1, sizeof(*sb));

	sb->body = (struct body){ .size = obj->size, .fd = -1, .read = window_read, .ctx = sb };
	sb->store = s;
	sb->obj = obj;
	strbuf_init(&sb->window, WINDOW);
	sb->digest = digest_new();
	return sb;
}

uint64_t stored_body_reads(uint64_t size)
{
	return (size + WINDOW - 1) / WINDOW;
}

const struct body *stored_body(struct stored_body *sb)
{
	return &sb->body;
}

int stored_body_finish(struct stored_body *sb, unsigned char ret[SHA256_SIZE])
{
	unsigned char found[SHA256_SIZE];
	int r = sb->error;

	while (!r && sb->hashed < sb->body.size)
		r = window_load(sb, sb->hashed);
	digest_finish(sb->digest, found);
	if (!r)
		memcpy(ret, found, SHA256_SIZE);
	strbuf_release(&sb->window);
	free(sb);
	return r;
}

int stored_load(struct store *s, const struct object *obj, struct strbuf *out)
{
	struct fingerprint f;

	object_fingerprint(obj, &f);
	return diff_load(s, obj->key, &f, out);
}

int stored_load_if_sound(struct store *s, const struct object *obj, struct strbuf *out)
{
	int r = stored_load(s, obj, out);

	if (r == -ESTALE || r == -EBADMSG || r == -E2BIG)
		return 0;
	return r < 0 ? r : 1;
}

int stored_versions(struct store *s, const struct object *listing, struct names *ret)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	int r = stored_load_if_sound(s, listing, &text);

	if (r > 0 && previous_versions(&text, ret) < 0)
		log_debug("%s names no versions", listing->key);
	return r < 0 ? r : 0;
}

static int judge_document(struct store *s, const struct object *obj,
			  const struct object_name *name, unsigned char ret_sum[SHA256_SIZE],
			  int *ret_verdict, struct strbuf *why)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct body body;
	int r = stored_load(s, obj, &text);

	if (r < 0)
		return r;
	sha256(text.buf, text.len, ret_sum);
	body = body_of_strbuf(&text);
	*ret_verdict = gate_check(name, &body, why);
	return 0;
}

static int judge_archive(struct store *s, const struct object *obj, const struct object_name *name,
			 unsigned char ret_sum[SHA256_SIZE], int *ret_verdict, struct strbuf *why)
{
	struct stored_body *body = stored_body_new(s, obj);

	*ret_verdict = gate_check(name, stored_body(body), why);
	return stored_body_finish(body, ret_sum);
}

int stored_judge(struct store *s, const struct object *obj, const struct object_name *name,
		 unsigned char ret_sum[SHA256_SIZE], int *ret_verdict, struct strbuf *why)
{
	return name->kind == KIND_ARCHIVE
		       ? judge_archive(s, obj, name, ret_sum, ret_verdict, why)
		       : judge_document(s, obj, name, ret_sum, ret_verdict, why);
}

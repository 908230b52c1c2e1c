/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_read.c - stored bytes of one generation, checked against the hashes that come with them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcs.h"
#include "log.h"
#include "memory.h"

#define READ_TRIES 2 /* bytes that do not match their hash are asked for once more */
#define CRC_SIZE   4

/* Where in the object the bytes of an answer are. */
struct extent {
	uint64_t first, end, total;
};

/* Of "bytes FIRST-LAST/TOTAL". False: that is not what the answer's n bytes are. */
static bool find_extent(const struct http_answer *answer, size_t n, struct extent *ret)
{
	const char *range = answer->header[HTTP_CONTENT_RANGE];
	uint64_t last;

	if (answer->status == 200) {
		*ret = (struct extent){ 0, n, n };
		return true;
	}
	if (!range || sscanf(range, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &ret->first, &last,
			     &ret->total) != 3)
		return false;
	ret->end = last + 1;
	return ret->first <= last && last < ret->total && ret->end - ret->first == n;
}

/* Who decodes or compresses on the way changes the bytes, and a range of them is another one. */
static bool is_as_stored(const struct http_answer *answer)
{
	const char *stored = answer->header[HTTP_STORED_ENCODING];
	const char *sent = answer->header[HTTP_CONTENT_ENCODING];

	if (stored && !strcmp(stored, "identity"))
		return !sent || !strcmp(sent, stored);
	return !stored || (sent && !strcmp(sent, stored));
}

/* The value of `name=` in "crc32c=AAAAAA==,md5=...", decoded; false: there is none. */
static bool find_hash(const char *hashes, const char *name, unsigned char *ret, size_t n)
{
	size_t length = strlen(name);

	while (hashes && *hashes) {
		size_t part = strcspn(hashes, ",");

		while (*hashes == ' ')
			hashes++, part--;
		if (part > length && !strncmp(hashes, name, length) && hashes[length] == '=') {
			CLEANUP(free_char)
			char *text = xstrndup(hashes + length + 1, part - length - 1);

			return base64_decode(text, ret, n) == 0;
		}
		hashes += part + (hashes[part] == ',');
	}
	return false;
}

static bool matches(const struct http_answer *answer, const char *bytes, size_t n)
{
	const char *hashes = answer->header[HTTP_HASH];
	unsigned char said[MD5_SIZE], sum[MD5_SIZE];

	if (find_hash(hashes, "crc32c", said, CRC_SIZE)) {
		uint32_t crc = crc32c(0, bytes, n);
		const unsigned char ours[CRC_SIZE] = { (unsigned char)(crc >> 24),
						       (unsigned char)(crc >> 16),
						       (unsigned char)(crc >> 8),
						       (unsigned char)crc };

		if (memcmp(said, ours, CRC_SIZE) != 0)
			return false;
	}
	if (find_hash(hashes, "md5", said, MD5_SIZE)) {
		md5(bytes, n, sum);
		return !memcmp(said, sum, MD5_SIZE);
	}
	return true;
}

/* 404 for a generation that was asked for: is there another one? */
static int missing(struct store *s, const char *key, uint64_t generation)
{
	struct object now;
	int r;

	if (generation == STORE_ANY)
		return -ENOENT;
	r = gcs_stat(s, key, &now);
	if (r < 0)
		return r;
	object_release(&now);
	return -ESTALE;
}

/* Nothing is asked for, or from behind every possible end: only whether it is there counts. */
static int read_nothing(struct store *s, const char *key, uint64_t generation)
{
	struct object now;
	int r = gcs_stat(s, key, &now);

	if (r < 0)
		return r;
	r = generation == STORE_ANY || generation == now.generation ? 0 : -ESTALE;
	object_release(&now);
	return r;
}

/* The answer has what was asked for, or all that there is of it. */
static bool covers(const struct extent *x, uint64_t offset, size_t length)
{
	return x->first <= offset &&
	       (x->end == x->total || (x->end > offset && x->end - offset >= length));
}

/* Takes away what was not asked for: a range may be ignored (RFC 9110, 14.2). */
static void cut(struct strbuf *out, size_t start, uint64_t drop, size_t length)
{
	size_t n = out->len - start;

	if (drop > n)
		drop = n;
	memmove(out->buf + start, out->buf + start + drop, n - (size_t)drop);
	n -= (size_t)drop;
	strbuf_setlen(out, start + (n < length ? n : length));
}

/* 1: the bytes do not match, or are not those that were asked for. */
static int read_once(struct store *s, const char *key, struct http_request *request,
		     uint64_t offset, size_t length)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	struct strbuf *out = request->out;
	size_t start = out->len;
	struct extent x;
	int r;

	http_answer_init(&answer, GCS_META_MAX);
	r = gcs_send(gcs_of(s), CALL_GET, key, request, &answer);
	if (r < 0 || answer.status == 416)
		return r;
	if (!is_as_stored(&answer) || !find_extent(&answer, out->len - start, &x) ||
	    !covers(&x, offset, length) ||
	    (x.end - x.first == x.total && !matches(&answer, out->buf + start, out->len - start))) {
		strbuf_setlen(out, start);
		return 1;
	}
	cut(out, start, offset - x.first, length);
	return 0;
}

int gcs_read(struct store *s, const char *key, uint64_t generation, uint64_t offset, size_t length,
	     struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	/* as stored: without this, the server decodes gzip */
	struct http_request request = { .method = "GET",
					.headers = { "Accept-Encoding: gzip" },
					.out = out };
	CLEANUP(free_char) char *range = NULL;
	int r = 1;

	if (!length || offset > INT64_MAX)
		return read_nothing(s, key, generation);
	gcs_url(gcs_of(s), GCS_SERVICE, key, &url);
	gcs_url_text(&url, "alt", "media");
	gcs_url_number(&url, "generation", generation);
	request.url = url.buf;
	if (length < INT64_MAX - offset)
		range = xasprintf("Range: bytes=%" PRIu64 "-%" PRIu64, offset, offset + length - 1);
	else if (offset)
		range = xasprintf("Range: bytes=%" PRIu64 "-", offset);
	request.headers[1] = range;
	for (int i = 0; r == 1 && i < READ_TRIES; i++)
		r = read_once(s, key, &request, offset, length);
	if (r == 1)
		return fail(-EBADMSG,
			    "%s in %s does not match its hash or its place, also when asked for "
			    "again",
			    key, s->url);
	return r == -ENOENT ? missing(s, key, generation) : r;
}

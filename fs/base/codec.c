/* SPDX-License-Identifier: BSD-3-Clause */
/* codec.c - digests and base64 by OpenSSL, CRC-32C by ISA-L, gzip by libdeflate, hexadecimal. */
#include "codec.h"

#include <assert.h>
#include <errno.h>
#include <isa-l/crc.h>
#include <libdeflate.h>
#include <limits.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "memory.h"
#include "strbuf.h"

#define GZIP_LEVEL   6 /* pub.dev's (spec, section 4) */
#define PIECE	     ((size_t)64 << 10)
#define INFLATE_STEP ((size_t)64 << 10) /* first guess of a decoded size */
#define INFLATE_MOST 1032		/* the most that deflate can expand, per input byte */

struct digest {
	EVP_MD_CTX *ctx;
};

/* Looked up once: OpenSSL 3 takes as long for that as for the digest of a short text. */
static const EVP_MD *sha256_algorithm, *sha512_algorithm, *md5_algorithm;

static void fetch_algorithms(void)
{
	sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha512_algorithm = EVP_MD_fetch(NULL, "SHA512", NULL);
	md5_algorithm = EVP_MD_fetch(NULL, "MD5", NULL);
	if (!sha256_algorithm || !sha512_algorithm || !md5_algorithm)
		abort(); /* an OpenSSL without its basic digests */
}

static struct digest *digest_of(const EVP_MD *const *md)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct digest *d = xmalloc(sizeof(*d));

	pthread_once(&once, fetch_algorithms);
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx || !EVP_DigestInit_ex(d->ctx, *md, NULL))
		abort(); /* out of memory */
	return d;
}

struct digest *digest_new(void)
{
	return digest_of(&sha256_algorithm);
}

void digest_add(struct digest *d, const void *bytes, size_t n)
{
	if (!EVP_DigestUpdate(d->ctx, bytes, n))
		abort();
}

static void finish(struct digest *d, unsigned char *ret)
{
	if (!EVP_DigestFinal_ex(d->ctx, ret, NULL))
		abort();
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_finish(struct digest *d, unsigned char ret[SHA256_SIZE])
{
	finish(d, ret);
}

void sha256(const void *bytes, size_t n, unsigned char ret[SHA256_SIZE])
{
	struct digest *d = digest_of(&sha256_algorithm);

	digest_add(d, bytes, n);
	digest_finish(d, ret);
}

void sha512(const void *bytes, size_t n, unsigned char ret[SHA512_SIZE])
{
	struct digest *d = digest_of(&sha512_algorithm);

	digest_add(d, bytes, n);
	finish(d, ret);
}

void md5(const void *bytes, size_t n, unsigned char ret[MD5_SIZE])
{
	struct digest *d = digest_of(&md5_algorithm);

	digest_add(d, bytes, n);
	finish(d, ret);
}

uint32_t crc32c(uint32_t before, const void *bytes, size_t n)
{
	/* it does not write, though its type says that it might */
	unsigned char *at = (unsigned char *)(uintptr_t)bytes;
	uint32_t crc = ~before;

	while (n) {
		size_t most = n < PIECE ? n : PIECE; /* its length is an int */

		crc = crc32_iscsi(at, (int)most, crc);
		at += most;
		n -= most;
	}
	return ~crc;
}

/* Gives all of a body to fn, from where it lies. */
static int each_piece(const struct body *body, void (*fn)(void *ctx, const char *bytes, size_t n),
		      void *ctx)
{
	CLEANUP(free_char) char *piece = NULL;

	if (body->buf) {
		fn(ctx, body->buf, body->size);
		return 0;
	}
	piece = xmalloc(PIECE);
	for (uint64_t offset = 0; offset < body->size;) {
		ssize_t n = body_read(body, offset, piece, PIECE);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		fn(ctx, piece, (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

struct sums { /* NULL: not asked for */
	struct digest *sha256, *md5;
	uint32_t *crc32c;
};

static void sums_add(void *ctx, const char *bytes, size_t n)
{
	const struct sums *sums = ctx;

	if (sums->sha256)
		digest_add(sums->sha256, bytes, n);
	if (sums->md5)
		digest_add(sums->md5, bytes, n);
	if (sums->crc32c)
		*sums->crc32c = crc32c(*sums->crc32c, bytes, n);
}

int checksum_body(const struct body *body, unsigned char ret_md5[MD5_SIZE], uint32_t *ret_crc32c)
{
	uint32_t crc = 0;
	struct sums sums = { .md5 = digest_of(&md5_algorithm), .crc32c = &crc };
	int r = each_piece(body, sums_add, &sums);
	unsigned char sum[MD5_SIZE];

	finish(sums.md5, sum);
	if (r < 0)
		return r;
	memcpy(ret_md5, sum, MD5_SIZE);
	*ret_crc32c = crc;
	return 0;
}

int digest_body(const struct body *body, unsigned char ret_sha256[SHA256_SIZE],
		unsigned char ret_md5[MD5_SIZE])
{
	struct sums sums = {
		.sha256 = ret_sha256 ? digest_of(&sha256_algorithm) : NULL,
		.md5 = ret_md5 ? digest_of(&md5_algorithm) : NULL,
	};
	int r = each_piece(body, sums_add, &sums);
	unsigned char sha[SHA256_SIZE], md[MD5_SIZE];

	if (ret_sha256)
		finish(sums.sha256, sha);
	if (ret_md5)
		finish(sums.md5, md);
	if (r < 0)
		return r;
	if (ret_sha256)
		memcpy(ret_sha256, sha, SHA256_SIZE);
	if (ret_md5)
		memcpy(ret_md5, md, MD5_SIZE);
	return 0;
}

void hex_encode(const unsigned char *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[bytes[i] >> 4];
		ret[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *hex, unsigned char *ret, size_t n)
{
	if (strlen(hex) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < 2 * n; i++)
		if (hex_digit(hex[i]) < 0)
			return -EINVAL;
	for (size_t i = 0; i < n; i++)
		ret[i] = (unsigned char)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
	return 0;
}

void base64_encode(const void *bytes, size_t n, struct strbuf *out)
{
	size_t length = (n + 2) / 3 * 4;
	char *at = strbuf_reserve(out, length); /* the NUL has its room */

	assert(n <= INT_MAX);
	if (!at)
		return;
	EVP_EncodeBlock((unsigned char *)at, bytes, (int)n);
	strbuf_setlen(out, out->len + length);
}

void base64url_encode(const void *bytes, size_t n, struct strbuf *out)
{
	size_t start = out->len, end;

	base64_encode(bytes, n, out);
	for (end = out->len; end > start && out->buf[end - 1] == '='; end--)
		;
	strbuf_setlen(out, end);
	for (size_t i = start; i < end; i++)
		if (out->buf[i] == '+')
			out->buf[i] = '-';
		else if (out->buf[i] == '/')
			out->buf[i] = '_';
}

#define BASE64_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

int base64_decode(const char *text, unsigned char *ret, size_t n)
{
	size_t length = (n + 2) / 3 * 4, padding = (3 - n % 3) % 3;
	unsigned char bytes[96];

	assert(n <= sizeof(bytes) - 2);
	if (strlen(text) != length || strspn(text, BASE64_DIGITS) != length - padding ||
	    strspn(text + length - padding, "=") != padding)
		return -EINVAL;
	if (EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length) < 0)
		return -EINVAL;
	memcpy(ret, bytes, n);
	return 0;
}

int gzip_encode(const void *bytes, size_t n, struct strbuf *out)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(GZIP_LEVEL);
	size_t bound, done = 0;
	char *at;

	if (!c)
		return -E2BIG;
	bound = libdeflate_gzip_compress_bound(c, n);
	at = strbuf_reserve(out, bound);
	if (at)
		done = libdeflate_gzip_compress(c, bytes, n, at, bound);
	libdeflate_free_compressor(c);
	if (!at)
		return -E2BIG;
	assert(done); /* the bound was the library's own */
	strbuf_setlen(out, out->len + done);
	return 0;
}

/* What the trailer of a single member says is its length, as a first guess. */
static size_t decoded_guess(const unsigned char *bytes, size_t n)
{
	size_t size = 0;

	if (n >= 18)
		size = bytes[n - 4] | (size_t)bytes[n - 3] << 8 | (size_t)bytes[n - 2] << 16 |
		       (size_t)bytes[n - 1] << 24;
	if (size / INFLATE_MOST > n)
		size = 0;
	return size ? size : INFLATE_STEP;
}

/* One member at the start of bytes; appends. `ret_used`: its length. */
static int gunzip_member(struct libdeflate_decompressor *d, const unsigned char *bytes, size_t n,
			 struct strbuf *out, size_t *ret_used)
{
	size_t room = decoded_guess(bytes, n), got;
	enum libdeflate_result result;

	for (;;) {
		char *at;

		if (room > out->max - out->len)
			room = out->max - out->len;
		at = strbuf_reserve(out, room);
		if (!at)
			return -E2BIG;
		result = libdeflate_gzip_decompress_ex(d, bytes, n, at, room, ret_used, &got);
		if (result == LIBDEFLATE_SUCCESS)
			break;
		if (result != LIBDEFLATE_INSUFFICIENT_SPACE)
			return -EBADMSG;
		if (room == out->max - out->len)
			return -E2BIG;
		room *= 2;
	}
	strbuf_setlen(out, out->len + got);
	return 0;
}

int gzip_decode(const void *bytes, size_t n, struct strbuf *out)
{
	struct libdeflate_decompressor *d;
	const unsigned char *at = bytes;
	size_t start = out->len;
	int r = n ? 0 : -EBADMSG;

	d = libdeflate_alloc_decompressor();
	if (!d)
		return -E2BIG;
	while (!r && n) {
		size_t used = 0;

		r = gunzip_member(d, at, n, out, &used);
		at += used;
		n -= used;
	}
	libdeflate_free_decompressor(d);
	if (r < 0)
		strbuf_setlen(out, start);
	return r;
}

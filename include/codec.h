/* SPDX-License-Identifier: BSD-3-Clause */
/* codec.h - digests, hexadecimal, base64 and gzip, over the libraries that do them. */
#ifndef PUBFS_CODEC_H
#define PUBFS_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define SHA256_SIZE 32
#define SHA512_SIZE 64
#define MD5_SIZE    16

struct body;
struct strbuf;

void sha256(const void *bytes, size_t n, unsigned char ret[SHA256_SIZE]);
void sha512(const void *bytes, size_t n, unsigned char ret[SHA512_SIZE]);
void md5(const void *bytes, size_t n, unsigned char ret[MD5_SIZE]);

/* Both digests of a body in one reading, in pieces; either may be NULL. -EIO: it cannot be read. */
int digest_body(const struct body *body, unsigned char ret_sha256[SHA256_SIZE],
		unsigned char ret_md5[MD5_SIZE]) MUST_CHECK;

/* A SHA-256 over many pieces. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *d, const void *bytes, size_t n);
void digest_finish(struct digest *d, unsigned char ret[SHA256_SIZE]); /* frees d */

/* CRC-32C (Castagnoli) of what `before` is the one of (0: nothing), and these bytes behind it. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t n);
/* The same of a body, and its MD5, in one reading. -EIO: it cannot be read. */
int checksum_body(const struct body *body, unsigned char ret_md5[MD5_SIZE], uint32_t *ret_crc32c)
	MUST_CHECK;

/* Lower-case digits; `ret` has room for 2 * n + 1. */
void hex_encode(const unsigned char *bytes, size_t n, char *ret);
/* Exactly n bytes out of 2 * n digits of either case and nothing behind them, or -EINVAL. */
int hex_decode(const char *hex, unsigned char *ret, size_t n) MUST_CHECK;

/* RFC 4648, section 4, with padding. Appends. */
void base64_encode(const void *bytes, size_t n, struct strbuf *out);
/* RFC 4648, section 5, without padding, as tokens have it. Appends. */
void base64url_encode(const void *bytes, size_t n, struct strbuf *out);
/* Exactly n bytes out of padded base64 and nothing behind it, or -EINVAL. */
int base64_decode(const char *text, unsigned char *ret, size_t n) MUST_CHECK;

/* One member, MTIME 0, no name, OS 255, one fixed level: the same input gives the same bytes on
 * every run and host (spec, section 4). Appends. -E2BIG: `out` is full. */
int gzip_encode(const void *bytes, size_t n, struct strbuf *out) MUST_CHECK;
/* All members. Appends. -EBADMSG: not gzip, cut, or its checksum is wrong. -E2BIG: `out` is
 * full (some cut streams seem to go on without an end, and are told so). */
int gzip_decode(const void *bytes, size_t n, struct strbuf *out) MUST_CHECK;

#endif

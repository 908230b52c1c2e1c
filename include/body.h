/* SPDX-License-Identifier: BSD-3-Clause */
/* body.h - bytes that can be read at any offset: memory, a file, or what a callback reaches. */
#ifndef PUBFS_BODY_H
#define PUBFS_BODY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

struct strbuf;

/* Borrowed: who makes one keeps what it points at alive. Exactly one source is set. */
struct body {
	uint64_t size;
	const char *buf;				   /* in memory, or */
	int fd;						   /* in this file from offset 0 on, or */
	ssize_t (*read)(const struct body *body, uint64_t offset, void *buf, size_t n);
	void *ctx;					   /* for read() */
};

struct body body_of_bytes(const void *bytes, size_t n);
struct body body_of_strbuf(const struct strbuf *sb);
struct body body_of_file(int fd, uint64_t size);

/* Up to n bytes at offset; fewer only at the end. -EIO: it cannot be read (said), or is cut. */
ssize_t body_read(const struct body *body, uint64_t offset, void *buf, size_t n) MUST_CHECK;
/* Appends all of it. -E2BIG: `out` is full. */
int body_load(const struct body *body, struct strbuf *out) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf.h - a growing byte buffer with a maximum. Always ends in a NUL that is not counted. */
#ifndef PUBFS_STRBUF_H
#define PUBFS_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

/*
 * Appending past the maximum, or past the memory there is, sets `overflow` and changes nothing
 * more: a renderer appends freely and asks strbuf_error() once, at its end.
 */
struct strbuf {
	char *buf; /* never NULL */
	size_t len, alloc, max;
	bool overflow;
	bool borrowed; /* the memory is somebody else's: see strbuf_on() */
};

extern char strbuf_empty[1];
#define STRBUF_INIT(maximum)                                                                       \
	{                                                                                          \
		.buf = strbuf_empty, .max = (maximum)                                              \
	}

void strbuf_init(struct strbuf *sb, size_t max);
/* In memory of the caller's, whose size is the maximum: nothing is allocated, and there is nothing
 * to release or to detach. */
struct strbuf strbuf_on(char *room, size_t size);
void strbuf_release(struct strbuf *sb); /* usable again afterwards, empty, same maximum */
void strbuf_reset(struct strbuf *sb);	/* empty; keeps the memory; clears the overflow */

void strbuf_add(struct strbuf *sb, const void *bytes, size_t n);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) PRINTF(2, 3);
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap) PRINTF(2, 0);

/* Room for n bytes at the end, to be filled by the caller, who then calls strbuf_setlen(). NULL:
 * over the maximum (and `overflow` is set). */
char *strbuf_reserve(struct strbuf *sb, size_t n) MUST_CHECK;
/* Cuts the buffer, or accounts for bytes written after strbuf_reserve(). */
void strbuf_setlen(struct strbuf *sb, size_t len);

/* 0, or -E2BIG when anything was dropped. */
int strbuf_error(const struct strbuf *sb) MUST_CHECK;

/* The text, now owned by the caller (free()); the buffer is empty again. */
char *strbuf_detach(struct strbuf *sb);

#endif

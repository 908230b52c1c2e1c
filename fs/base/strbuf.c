/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf.c - a growing byte buffer with a maximum. */
#include "strbuf.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define FIRST_ALLOC 64
#define FEW_BYTES   256 /* formatted once, on the stack; more is formatted twice */

char strbuf_empty[1];

void strbuf_init(struct strbuf *sb, size_t max)
{
	*sb = (struct strbuf)STRBUF_INIT(max);
}

struct strbuf strbuf_on(char *room, size_t size)
{
	*room = '\0';
	return (struct strbuf){ .buf = room, .alloc = size, .max = size - 1, .borrowed = true };
}

void strbuf_release(struct strbuf *sb)
{
	assert(!sb->borrowed);
	if (sb->alloc)
		free(sb->buf);
	strbuf_init(sb, sb->max);
}

void strbuf_reset(struct strbuf *sb)
{
	if (sb->alloc)
		sb->buf[0] = '\0';
	sb->len = 0;
	sb->overflow = false;
}

char *strbuf_reserve(struct strbuf *sb, size_t n)
{
	size_t alloc = sb->alloc ? sb->alloc : FIRST_ALLOC;
	char *buf;

	if (sb->overflow || n > sb->max - sb->len) {
		sb->overflow = true;
		return NULL;
	}
	if (sb->len + n + 1 > sb->alloc) {
		while (alloc < sb->len + n + 1)
			alloc += alloc / 2;
		if (alloc > sb->max + 1)
			alloc = sb->max + 1;
		buf = realloc(sb->alloc ? sb->buf : NULL, alloc);
		if (!buf) {
			sb->overflow = true;
			return NULL;
		}
		sb->buf = buf;
		sb->alloc = alloc;
		sb->buf[sb->len] = '\0';
	}
	return sb->buf + sb->len;
}

void strbuf_setlen(struct strbuf *sb, size_t len)
{
	assert(len <= (sb->alloc ? sb->alloc - 1 : 0));
	sb->len = len;
	if (sb->alloc)
		sb->buf[len] = '\0';
}

void strbuf_add(struct strbuf *sb, const void *bytes, size_t n)
{
	bool has_room = n < sb->alloc - sb->len && !sb->overflow; /* mostly; alloc is 0 at first */
	char *at = has_room ? sb->buf + sb->len : strbuf_reserve(sb, n);

	if (!at || !n)
		return;
	memcpy(at, bytes, n);
	sb->len += n;
	sb->buf[sb->len] = '\0';
}

void strbuf_addstr(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
	char few[FEW_BYTES], *at;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(few, sizeof(few), fmt, ap);
	assert(n >= 0);
	if ((size_t)n < sizeof(few)) {
		strbuf_add(sb, few, (size_t)n);
	} else {
		at = strbuf_reserve(sb, (size_t)n);
		if (at) {
			vsnprintf(at, (size_t)n + 1, fmt, again);
			strbuf_setlen(sb, sb->len + (size_t)n);
		}
	}
	va_end(again);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(sb, fmt, ap);
	va_end(ap);
}

int strbuf_error(const struct strbuf *sb)
{
	return sb->overflow ? -E2BIG : 0;
}

char *strbuf_detach(struct strbuf *sb)
{
	char *text = sb->alloc ? sb->buf : xstrdup("");

	assert(!sb->borrowed);
	strbuf_init(sb, sb->max);
	return text;
}

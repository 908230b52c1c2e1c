/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.h - small allocations that abort when memory is out, and releases by scope. */
#ifndef PUBFS_MEMORY_H
#define PUBFS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

/* For small things of our own size. What the outside sizes goes into a strbuf with a maximum. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PRINTF(1, 2) __attribute__((returns_nonnull));

/* A copy of s, or NULL for NULL. */
char *xstrdup_or_null(const char *s);

/* Of texts that may be NULL, which is the same as NULL alone. */
bool same_text(const char *a, const char *b);

/* Makes room for one more in a growing array: array, its count, its allocated count. */
#define GROW(array, n, alloc)                                                                      \
	do {                                                                                       \
		if ((n) == (alloc)) {                                                              \
			(alloc) = (alloc) ? (alloc)*2 : 8;                                         \
			(array) = xrealloc((array), (alloc) * sizeof(*(array)));                   \
		}                                                                                  \
	} while (0)

/* For CLEANUP(): free a `char *` or close a file descriptor (-1: none) when the scope ends. */
void free_char(char **p);
void close_fd(int *fd);

#endif

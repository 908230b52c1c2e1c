/* SPDX-License-Identifier: BSD-3-Clause */
/* held.h - plans that a brake holds: a file each, until they are released or nobody plans them. */
#ifndef PUBFS_HELD_H
#define PUBFS_HELD_H

#include <stdint.h>

#include "compiler.h"

struct names;
struct strbuf;

/*
 * The file begins with one line, "# TIME held: why", and has one item a line behind it, such as
 * `rewrite latest foo 7-0123456789abcdef`, with the package's change, or `remove latest foo
 * 0123456789abcdef0123456789abcdef`, with a digest of the objects and their generations. What an
 * item names is what may be released, and nothing else: a package that has changed since is another
 * item.
 */

/* Below the cache, for the plan of "sync", "gc" or "promote". The caller frees it. */
char *held_path(const char *cache, const char *store_url, const char *plan);
/* A file beside such a one, which is of no plan; NULL: nothing is kept. The caller frees it. */
char *held_beside(const char *held, const char *name);
/* Beside them, for the times of removals by hand. The caller frees it. */
char *removals_path(const char *cache, const char *store_url);
/* And for what a process tells of itself. The caller frees it. */
char *status_path(const char *cache, const char *store_url, long pid);
/* Appends all plans of a store that are held. None: nothing. */
int held_text(const char *cache, const char *store_url, struct strbuf *out) MUST_CHECK;

/* The items, sorted, and appended why they are held (NULL: not asked). No such file, or path NULL:
 * none. */
int held_load(const char *path, struct names *ret, struct strbuf *why) MUST_CHECK;
/* The same, for who only wants to know how many there are. */
int held_count(const char *path, uint64_t *ret_items, struct strbuf *why) MUST_CHECK;
/* Keeps these instead of what is there; without items it is over. path NULL: nothing. */
int held_save(const char *path, const char *why, const struct names *items) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* names.h - growing arrays of texts, and looking one up. */
#ifndef PUBFS_NAMES_H
#define PUBFS_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Owned texts. */
struct names {
	char **names;
	size_t n, alloc;
};
void names_add(struct names *names, const char *name);
void names_sort(struct names *names);			      /* byte order, each name once */
bool names_have(const struct names *names, const char *name); /* of sorted ones */
void names_release(struct names *names);

/* Where a name is, or would be, in an array of structs that begin with one and are sorted by it. */
size_t names_place(const void *array, size_t n, size_t size, const char *name, bool *ret_there);

#endif

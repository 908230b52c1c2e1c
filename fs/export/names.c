/* SPDX-License-Identifier: BSD-3-Clause */
/* names.c - growing arrays of texts, and looking one up. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void names_add(struct names *names, const char *name)
{
	GROW(names->names, names->n, names->alloc);
	names->names[names->n++] = xstrdup(name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void names_sort(struct names *names)
{
	size_t kept = 0;

	if (!names->n)
		return;
	qsort(names->names, names->n, sizeof(*names->names), by_name);
	for (size_t i = 1; i < names->n; i++)
		if (!strcmp(names->names[i], names->names[kept]))
			free(names->names[i]);
		else
			names->names[++kept] = names->names[i];
	names->n = kept + 1;
}

bool names_have(const struct names *names, const char *name)
{
	return names->n && bsearch(&name, names->names, names->n, sizeof(*names->names), by_name);
}

size_t names_place(const void *array, size_t n, size_t size, const char *name, bool *ret_there)
{
	const char *at = array;
	size_t from = 0, to = n;

	*ret_there = false;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(*(const char *const *)(at + middle * size), name);

		if (order < 0)
			from = middle + 1;
		else
			to = middle;
		*ret_there |= !order;
	}
	return from;
}

void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct names){ 0 };
}

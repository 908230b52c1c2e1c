/* SPDX-License-Identifier: BSD-3-Clause */
/* overlay.c - names that this mount alone knows. */
#include "overlay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "scratch.h"

static void free_name(struct overlay_name *name)
{
	scratch_put(name->scratch);
	free(name->key);
	free(name);
}

void overlay_release(struct overlay *o)
{
	for (size_t i = 0; i < o->n; i++)
		free_name(o->names[i]);
	free(o->names);
	*o = (struct overlay){ 0 };
}

/* The first name whose key is not less than `key`. */
static size_t lower_bound(const struct overlay *o, const char *key)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(o->names[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct overlay_name *overlay_find(const struct overlay *o, const char *key)
{
	size_t i = lower_bound(o, key);

	return i < o->n && !strcmp(o->names[i]->key, key) ? o->names[i] : NULL;
}

struct overlay_name *overlay_add(struct overlay *o, const char *key)
{
	size_t i = lower_bound(o, key);
	struct overlay_name *name;

	if (i < o->n && !strcmp(o->names[i]->key, key))
		return o->names[i];
	name = xcalloc(1, sizeof(*name));
	name->key = xstrdup(key);
	GROW(o->names, o->n, o->alloc);
	memmove(&o->names[i + 1], &o->names[i], (o->n - i) * sizeof(struct overlay_name *));
	o->names[i] = name;
	o->n++;
	o->changes++;
	return name;
}

void overlay_remove(struct overlay *o, struct overlay_name *name)
{
	size_t i = lower_bound(o, name->key);

	assert(i < o->n && o->names[i] == name);
	o->n--;
	o->changes++;
	memmove(&o->names[i], &o->names[i + 1], (o->n - i) * sizeof(struct overlay_name *));
	name->removed = true;
	if (!name->writers)
		free_name(name);
}

void overlay_let_go(struct overlay *o, struct overlay_name *name)
{
	assert(name->writers);
	if (--name->writers)
		return;
	if (name->removed)
		free_name(name);
	else
		overlay_remove(o, name);
}

const struct overlay_name *overlay_next(const struct overlay *o, const char *prefix,
					const char *after)
{
	size_t len = strlen(prefix);
	size_t i = lower_bound(o, after && strcmp(after, prefix) > 0 ? after : prefix);

	for (; i < o->n && !strncmp(o->names[i]->key, prefix, len); i++) {
		const char *rest = o->names[i]->key + len;
		const char *slash = strchr(rest, '/');

		if (*rest && (!slash || !slash[1]) && (!after || strcmp(o->names[i]->key, after)))
			return o->names[i];
	}
	return NULL;
}

bool overlay_below(const struct overlay *o, const char *prefix)
{
	size_t i = lower_bound(o, prefix), len = strlen(prefix);

	if (i < o->n && !strcmp(o->names[i]->key, prefix))
		i++;
	return i < o->n && !strncmp(o->names[i]->key, prefix, len);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_life.c - what a mount asks of its tree at its start and at its end. */
#include <string.h>

#include "memory.h"
#include "tree_internal.h"

#define AT_ANY_TIME INT64_MAX

/* The folders at the top that the export fills. */
struct first {
	const char *runtime_version;
	bool latest, own;
};

static int note_top(void *ctx, const struct object *obj)
{
	struct first *first = ctx;
	size_t n = first->runtime_version ? strlen(first->runtime_version) : 0;

	first->latest |= !strcmp(obj->key, "latest/");
	first->own |=
		n && !strncmp(obj->key, first->runtime_version, n) && !strcmp(obj->key + n, "/");
	return 0;
}

int tree_list_first(struct tree *t)
{
	struct first first = { .runtime_version = t->options.runtime_version };
	struct store *s = t->options.store;
	int r = store_refresh(s, "", 0); /* always asked: the credentials are good */

	if (!r)
		r = store_list(s, "", false, NULL, note_top, &first);
	if (!r && first.latest)
		r = store_refresh(s, "latest/", AT_ANY_TIME);
	if (!r && first.own) {
		CLEANUP(free_char) char *top = xasprintf("%s/", first.runtime_version);

		r = store_refresh(s, top, AT_ANY_TIME);
	}
	return r;
}

void tree_stop_writing(struct tree *t)
{
	t->read_only = true;
}

bool tree_is_degraded(struct tree *t, int64_t *ret_since, struct strbuf *reason)
{
	return reach_is_degraded(&t->reach, ret_since, reason);
}

void tree_doubt(struct tree *t)
{
	reach_doubt(&t->reach);
}

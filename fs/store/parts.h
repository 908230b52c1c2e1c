/* SPDX-License-Identifier: BSD-3-Clause */
/* parts.h - a big list, read in parts side by side. */
#ifndef PUBFS_STORE_PARTS_H
#define PUBFS_STORE_PARTS_H

#include "compiler.h"
#include "store.h"

/* What takes the parts. Each is shown in key order, by one thread; several at once. */
struct parts_sink {
	/* A part that begins at the key `from` (the prefix, for the first). Never NULL. */
	void *(*begin)(void *ctx, const char *from);
	int (*show)(void *part, const struct object *obj);
	/* It is whole: what was shown is all from its beginning to the key `end` (NULL: to the
	 * end of the prefix). */
	int (*finish)(void *part, const char *end);
	/* By the caller's thread, after all have ended; also of those that failed. */
	void (*release)(void *ctx, void *part);
};

/* Shows all below `prefix`. 0, or the first failure: then some parts were not finished. */
int parts_list(struct store *s, const char *prefix, const struct parts_sink *sink,
	       void *ctx) MUST_CHECK;

/* A key between `last` and `end` (NULL: the end of the prefix) where a list that came from `before`
 * to `last` is best cut in two; owned by the caller. NULL: nowhere. */
char *parts_cut(const char *prefix, const char *before, const char *last,
		const char *end) MUST_CHECK;

#endif

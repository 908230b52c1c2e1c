/* SPDX-License-Identifier: BSD-3-Clause */
/* overlay.h - names that this mount alone knows: folders without objects, files never published. */
#ifndef PUBFS_OVERLAY_H
#define PUBFS_OVERLAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scratch;

/* A folder's key ends in '/'. */
struct overlay_name {
	char *key;
	struct scratch *scratch; /* its bytes, with a reference; NULL: not a scratch file */
	bool permanent;		 /* a folder that is always there */
	bool shown;	  /* a file that has bytes; before, `touch` could leave it to be seen */
	bool removed;	  /* a file that was unlinked; its writers still hold it */
	unsigned writers; /* of a file: open handles that have not published it */
};

/* In key order. The lock of the tree guards all of it; `changes` may be read without. */
struct overlay {
	struct overlay_name **names;
	size_t n, alloc;
	atomic_uint_least64_t changes; /* names that came or went */
};

void overlay_release(struct overlay *o);

/* NULL: not there. */
struct overlay_name *overlay_find(const struct overlay *o, const char *key);
/* The one that is there, or a new one. */
struct overlay_name *overlay_add(struct overlay *o, const char *key);
/* A file that has writers lives on, `removed`, until the last lets go. */
void overlay_remove(struct overlay *o, struct overlay_name *name);
/* One writer less; without any the name is gone. */
void overlay_let_go(struct overlay *o, struct overlay_name *name);

/* The first name directly in the folder `prefix` whose key is greater than `after` (may be NULL).
 */
const struct overlay_name *overlay_next(const struct overlay *o, const char *prefix,
					const char *after);
/* True when any name lies below the folder. */
bool overlay_below(const struct overlay *o, const char *prefix);

#endif

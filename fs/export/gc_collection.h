/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_collection.h - one collection on its way: what its two halves share. */
#ifndef PUBFS_GC_COLLECTION_H
#define PUBFS_GC_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "gc.h"
#include "gc_names.h"
#include "gc_plan.h"
#include "names.h"
#include "planned.h"

struct object;

struct gc_collection {
	const struct gc_options *opt;
	struct gc_policy policy;
	struct gc_names names;
	struct gc_plan plan;
	struct gc_counts counts;
	char *limit;		  /* the policy's */
	struct names used;	  /* the policy's */
	struct names old;	  /* old prefixes */
	struct gc_prefix *prefix; /* under survey */
};

bool gc_stopping(const struct gc_collection *c);
/* Shows what would be done, or is reported; only where somebody is to see it. */
void gc_see(const struct gc_collection *c, enum planned_action action, const struct object *obj,
	    const char *why, bool held);

/* Removes, or shows, what the plan lets go. What could not be removed is counted; -EACCES (said):
 * nothing more could be. */
int gc_apply(struct gc_collection *c) MUST_CHECK;

#endif

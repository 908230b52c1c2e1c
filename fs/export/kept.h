/* SPDX-License-Identifier: BSD-3-Clause */
/* kept.h - what documents of all packages keep of those that the brake holds. */
#ifndef PUBFS_KEPT_H
#define PUBFS_KEPT_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "names.h"
#include "strbuf.h"

struct newest_version;
struct pass;

/*
 * A package that is held stays as it is in its prefix, and so it does in the documents that are
 * made of all packages: what these show of it now they go on to show, and nothing else of it.
 */
struct kept {
	const struct pass *pass;
	size_t k;	    /* the prefix */
	struct strbuf text; /* the document as it is there; empty: nothing is kept */
};

/* Of `prefix/name`; reads it only where something is held. What is damaged keeps nothing. */
int kept_load(const struct pass *pass, size_t k, const char *name, struct kept *ret) MUST_CHECK;
void kept_release(struct kept *kept);

/* Of a feed: this version is taken down by what is held, and still has its entry. */
bool kept_has_entry(const struct kept *kept, const struct newest_version *newest);
/* Of completion data: adds the names that are in it, are not among these, and are held, each behind
 * the one that it stands behind now. */
void kept_add_names(const struct kept *kept, struct names *ret);

#endif

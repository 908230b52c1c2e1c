/* SPDX-License-Identifier: BSD-3-Clause */
/* previous.h - what the documents in the bucket say that the rows no longer say. Pure. */
#ifndef PUBFS_PREVIOUS_H
#define PUBFS_PREVIOUS_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "render.h"

struct names;
struct strbuf;

struct previous_listing {
	size_t versions; /* in it */
	size_t lost;	 /* neither listed now, nor taken down explicitly by their rows */
	bool retracted;	 /* one is retracted now, and was not */
};

/* Adds the versions that a listing names, sorted. -EINVAL: the text is none. */
int previous_versions(const struct strbuf *listing, struct names *ret) MUST_CHECK;
/* -EINVAL: the text is no listing. */
int previous_listing(const struct strbuf *before, const struct package *pkg,
		     const struct release_list *releases, struct previous_listing *ret) MUST_CHECK;

struct previous_advisories {
	bool emptied; /* there were some, and now there is none */
	bool added;   /* one is listed now, and was not */
};

/* Adds the ids that are not listed any more. -EINVAL: one of both texts is no list of
 * advisories. */
int previous_advisories(const struct strbuf *before, const struct strbuf *now, struct names *lost,
			struct previous_advisories *ret) MUST_CHECK;

#endif

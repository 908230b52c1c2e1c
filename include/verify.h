/* SPDX-License-Identifier: BSD-3-Clause */
/* verify.h - the database against the bucket: an export that does nothing and tells all. */
#ifndef PUBFS_VERIFY_H
#define PUBFS_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct exporter_options;

/* The first of them are differences, which `pubfs sync` repairs, but FINDING_BROKEN; the others
 * stay. */
enum finding_kind {
	FINDING_MISSING,
	FINDING_DANGLING, /* an archive that a listing names is missing, though there is one */
	FINDING_EXTRA,	  /* it was taken down, and is still there */
	FINDING_STALE,	  /* a document that is not what the rows give */
	FINDING_HEADERS,  /* the bytes are right, headers or custom keys are not */
	FINDING_HASH,	  /* an archive with other bytes than its version's */
	/* by their bodies alone: */
	FINDING_DAMAGED, /* they are not what the metadata say; noted (suspects.h), so that a sync
			  * does not believe these */
	FINDING_BROKEN,	 /* clients could not read it, but it is what the rows and the canonical
			  * store give: what has to be repaired is there */
	FINDING_DIFFERENCES,
	FINDING_GARBAGE = FINDING_DIFFERENCES, /* without a row: waits for gc */
	FINDING_STRAY,			       /* of no kind that an export makes */
	FINDING_KINDS
};
/* "missing" */
const char *finding_name(enum finding_kind kind);

struct finding {
	enum finding_kind kind;
	char *package; /* owned; NULL: no package's */
	char *key;     /* owned */
	char *why;     /* owned */
};

struct verification {
	struct finding *findings; /* sorted by key */
	size_t n, alloc;
	uint64_t counts[FINDING_KINDS];
	uint64_t packages, objects; /* that were looked at; objects of the bucket */
	uint64_t bodies;	    /* that were read, when asked to */
	uint64_t unread;	    /* of these, what could not be (said) */
	uint64_t left; /* packages in latest/ that are another deployment's, and not compared */
};
void verification_release(struct verification *v);

struct verifier_options {
	const struct exporter_options *exporter; /* what an export would be given */
	bool deep;				 /* read, hash and gate each body that is there */
	/* Called after each package, on any thread, one at a time; NULL: nobody. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/*
 * Compares every package, or those that are named (NULL: all), with both prefixes, as an export
 * decides it, and then names what lies there without a row. Changes nothing in the bucket. 0: done,
 * whatever was found; else as export_all() and export_named() answer, and -EIO: a body could not be
 * read, or what is damaged not be noted. `ret` is always filled.
 */
int verify(const struct verifier_options *options, char *const *names, size_t n,
	   struct verification *ret) MUST_CHECK;

#endif

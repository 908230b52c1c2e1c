/* SPDX-License-Identifier: BSD-3-Clause */
/* collection.h - the work of one pass: what one query and the index say, before anything is
 * done. */
#ifndef PUBFS_COLLECTION_H
#define PUBFS_COLLECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec.h"
#include "compiler.h"
#include "names.h"
#include "pass.h"
#include "weigh.h"

struct exporter;

enum pass_kind {
	PASS_FULL,
	PASS_NAMED,
	PASS_EVENT,
	PASS_URGENT, /* an event pass for what clients are to be kept from alone */
};

static inline bool pass_is_event(enum pass_kind kind)
{
	return kind == PASS_EVENT || kind == PASS_URGENT;
}

/* A package whose row is gone. */
struct gone {
	char *package, *change;
};

struct collection {
	struct exporter *ex;
	struct pass *pass;
	enum pass_kind kind;
	int64_t now; /* by which nothing is put off where the exporter is no deployment's */
	struct brake brake;
	struct names wanted; /* PASS_NAMED, sorted */
	struct names urgent; /* what goes before all others, */
	struct names todo;   /* and these */
	struct names pending; /* of both, those that the database calls work */
	struct names behind;  /* not as they were recorded last: the index may not know that yet */
	struct names returned; /* their rows were gone, so a collection may be at them */
	struct gone *gone;
	size_t n_gone, gone_alloc;
	char *foreign_base[PREFIXES_MAX]; /* another base URL that it was written with */
	bool ours[PREFIXES_MAX];	  /* it was written with this one */
	uint64_t n_known[PREFIXES_MAX];	  /* packages with a row of which something is there */
	bool retries; /* some that failed are among them, and not among those */
	size_t n_restored; /* packages with marks that are not of this database, */
	struct names restored; /* and the first of them */
	unsigned char state[SHA256_SIZE]; /* of all packages (site_all()) */
};

void collection_release(struct collection *c);
/* Reads all of it. Not 0: nothing was found, or it cannot be known (said). */
int collection_read(struct collection *c) MUST_CHECK;
/* 1: `ret` has marks that are not of this database, as it is by now; 0: none of those has. */
int collection_find_restored(const struct collection *c, const char **ret) MUST_CHECK;

#endif

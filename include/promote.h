/* SPDX-License-Identifier: BSD-3-Clause */
/* promote.h - latest/ becomes equal to another prefix, and is held there. */
#ifndef PUBFS_PROMOTE_H
#define PUBFS_PROMOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brake.h"
#include "compiler.h"

struct db;
struct planned;
struct publisher;
struct store;

struct promote_options { /* all borrowed for the call */
	struct db *db;
	struct store *store;	/* the bucket's chain, index included */
	struct store *archives; /* the canonical store's */
	struct publisher *publisher; /* whose runtime version is `version` */
	const char *version;	     /* the prefix, a runtime version */
	struct brake_limits limits;
	const char *held;	/* where the plan that the brake holds is kept; NULL: nowhere */
	bool allow_mass_change; /* an operator's word for this run: release what is held there */
	unsigned jobs;
	int64_t ttl; /* microseconds: how old the index of the archives may be */
	/* Called for each change that would be made, and then nothing is done; NULL: do it. */
	void (*see)(void *ctx, const struct planned *p);
	void *ctx;
	const atomic_bool *stop; /* set: finish what is under way; NULL: never */
};

struct promote_counts {
	uint64_t copied, removed; /* objects */
	uint64_t others; /* of no kind that an export makes, on one side alone; they stay */
	uint64_t raced;	 /* somebody wrote them meanwhile, so they stay (said) */
	uint64_t failed; /* could not be changed (said) */
	uint64_t waiting; /* of packages of which something raced or failed */
	char **missing;	 /* why the prefix is not complete, a sentence each, sorted; owned */
	size_t n_missing;
};
void promote_counts_release(struct promote_counts *counts);

/*
 * Holds latest/ at the version, then copies what differs on the server, archives first, then
 * advisories, listings and the rest, and removes last, in the reverse order, what the prefix does
 * not have; each change on the generation that was seen. Interrupted and run again it ends the
 * same. 0: latest/ is equal;
 * -EIO: something raced or failed (the rest was done); -ENOENT: there is no such prefix (said);
 * -EINVAL: it is not complete (said; `missing` tells), or shows what the database has taken down;
 * -ECANCELED: the brake holds it (said), or `stop` was set. `ret` is always filled.
 */
int promote(const struct promote_options *options, struct promote_counts *ret) MUST_CHECK;

#endif

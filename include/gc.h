/* SPDX-License-Identifier: BSD-3-Clause */
/* gc.h - what nobody needs any more, out of the bucket (spec, sections 11, 14, 15 and 20). */
#ifndef PUBFS_GC_H
#define PUBFS_GC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brake.h"
#include "clock.h"
#include "compiler.h"

struct db;
struct planned;
struct publisher;
struct store;

#define GC_MIN_AGE DAY_US /* spec, section 11 */

struct gc_options { /* all borrowed for the call */
	struct db *db;
	struct store *store; /* the bucket's chain, index included */
	struct publisher *publisher;
	const char *runtime_version; /* names the own prefix */
	/* runtime versions with commas between, newest first: the own one in front, and last the
	 * limit, below which prefixes are old. NULL: no prefix is ever collected. */
	const char *accepted;
	bool own, latest; /* in which prefixes deleted packages and versions are collected */
	int64_t ttl;	  /* microseconds: how old the index may be */
	int64_t min_age;  /* microseconds: only what is older goes, old prefixes aside */
	struct brake_limit removals; /* deleted packages in one prefix and run */
	const char *held;	/* where the plan that the brake holds is kept; NULL: nowhere */
	bool allow_mass_change; /* an operator's word for this run: release what is held there */
	/* Called for each thing that would be done, on the caller's thread, and then nothing is
	 * done; NULL: do it. */
	void (*see)(void *ctx, const struct planned *p);
	void *ctx;
	const atomic_bool *stop; /* set: finish what is under way; NULL: never */
};

/* Of objects, unless said otherwise. */
struct gc_counts {
	uint64_t packages, prefixes; /* of which something was removed, or would be */
	uint64_t removed, bytes;     /* as stored */
	uint64_t waiting;  /* garbage that is too young, or still listed */
	uint64_t reported; /* strays and unknown things, which stay */
	char *reported_names[3]; /* the first of them; owned */
	uint64_t raced;	   /* somebody wrote them meanwhile, so they stay */
	uint64_t held;	   /* by the brake */
	uint64_t failed;   /* could not be removed (said) */
};
void gc_counts_release(struct gc_counts *counts);

/* The accepted list as an operator gives it. -EINVAL: it does not go from new to old, or the own
 * version is not the first, or is the limit; `ret_why` is a constant that says which. */
int gc_check_accepted(const char *own, const char *accepted, const char **ret_why) MUST_CHECK;

/*
 * One collection: the names are read whole, or nothing is done; a plan is made from the index, and
 * judged; what the brake does not hold is removed, each on the generation that was judged. The
 * prefix of a live deployment stays, however old; latest/ is left alone while it is held at another
 * version. 0: all went well. -EIO: something failed (said; the rest was done, or nothing where the
 * names could not be read). -EACCES (said): the store lets nothing be removed. -ECANCELED: the
 * brake holds some or all (said, with what to do), or `stop` was set. `ret` is always filled.
 */
int gc_run(const struct gc_options *options, struct gc_counts *ret) MUST_CHECK;

#endif

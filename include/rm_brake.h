/* SPDX-License-Identifier: BSD-3-Clause */
/* rm_brake.h - how much of what the database shows may go from latest/ by hand in an hour. */
#ifndef PUBFS_RM_BRAKE_H
#define PUBFS_RM_BRAKE_H

#include <stdint.h>

#include "brake.h"
#include "clock.h"
#include "compiler.h"

struct db;
struct rm_brake;
struct store;

#define RM_BRAKE_SPAN HOUR_US

struct rm_brake_options { /* all borrowed for the brake's life */
	struct db *db;
	struct store *store;	  /* the bucket's chain, index included */
	struct brake_limit limit; /* of objects; a share is one of the packages in latest/ */
	/* Times of what was removed, a line each: the mounts and commands of a host share it. */
	const char *path;
	int64_t (*clock)(void); /* NULL: the wall clock */
};
int rm_brake_new(const struct rm_brake_options *options, struct rm_brake **ret) MUST_CHECK;
void rm_brake_free(struct rm_brake *brake);

/*
 * Asked before an object is removed by hand; what passes counts from then on, whatever becomes of
 * it. Free are other prefixes than latest/, and what the database does not show: packages and
 * versions that are absent, moderated or deleted, and names that are no package's. 0; -EPERM: too
 * much in one hour (said, with what lifts it); -EIO (said): it cannot be told.
 */
int rm_brake_ask(struct rm_brake *brake, const char *key) MUST_CHECK;

struct rm_brake_status {
	uint64_t counted, limit; /* in the hour up to now */
	uint64_t refused;	 /* by this process */
};
int rm_brake_status(struct rm_brake *brake, struct rm_brake_status *ret) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* brake.h - how much may change before an operator has to say so (spec, section 15). Pure. */
#ifndef PUBFS_BRAKE_H
#define PUBFS_BRAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* So many, or so many of a hundred, whichever is more. */
struct brake_limit {
	uint64_t number;
	unsigned percent;
};

/* Of the packages in one prefix, in one pass. */
struct brake_limits {
	struct brake_limit removals;  /* gc: packages that the database no longer names */
	struct brake_limit rewrites;  /* listings that are there and would change */
	struct brake_limit takedowns; /* packages of which something is taken down explicitly */
};
extern const struct brake_limits brake_defaults;

/* "N" or "P%", which stands for that alone. -EINVAL: neither. */
int brake_limit_parse(const char *text, struct brake_limit *ret) MUST_CHECK;
/* The most that passes where there are so many. */
uint64_t brake_most(const struct brake_limit *limit, uint64_t present);

/* Each is true for what is held. */
bool brake_holds(const struct brake_limit *limit, uint64_t present, uint64_t changed);
/* Besides the limit: of 4 packages or more, never more than half. */
bool brake_holds_removals(const struct brake_limit *limit, uint64_t present, uint64_t removed);
/* Of the archives of one package: more than 10, and more than half. */
bool brake_holds_archives(uint64_t present, uint64_t removed);
/* A listing that loses so many of its versions, none of them taken down explicitly. */
bool brake_holds_shrunk(uint64_t before, uint64_t lost);
/* Advisory lists that become empty: so many advisories went away in one pass, and not by itself. */
bool brake_holds_emptied(uint64_t advisories);
/* Of so many packages in a prefix, the database knows so few that it is another registry's. */
bool brake_holds_strangers(uint64_t present, uint64_t known);
/* By that clock (microseconds) everything would be old: the newest object is too far from it. */
bool brake_holds_clock(int64_t now, int64_t newest);

#endif

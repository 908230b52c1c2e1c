/* SPDX-License-Identifier: BSD-3-Clause */
/* later.h - packages that failed, which event passes pass over for a while. */
#ifndef PUBFS_LATER_H
#define PUBFS_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "names.h"

#define LATER_FAILED SECOND_US /* twice as long after each failure, up to */
#define LATER_MAX    (5 * MINUTE_US)
#define LATER_NEVER  INT64_MAX

struct later_entry {
	char *package;
	unsigned attempts;  /* that failed, one after the other */
	char *change, *why; /* of the last one; change NULL: whatever it is */
	int64_t until;
};

/* Sorted by package; pure: the time is the caller's. */
struct later {
	struct later_entry *entries;
	size_t n, alloc;
};
void later_release(struct later *l);

/* True: not now. Another change than the one that failed is tried at once. */
bool later_holds(const struct later *l, const char *package, const char *change, int64_t now);
void later_failed(struct later *l, const char *package, const char *change, const char *why,
		  int64_t now);
/* It went well, or has no row any more. */
void later_forget(struct later *l, const char *package);
/* When those of these packages that are there are due. */
void later_set(struct later *l, const struct names *packages, int64_t until);
/* Forgets all but these packages (sorted). */
void later_keep(struct later *l, const struct names *packages);
/* Adds those that are due, in order. */
void later_due(const struct later *l, int64_t now, struct names *ret);
/* When the next one is due, LATER_NEVER for none. */
int64_t later_next(const struct later *l);
/* The i-th; NULL past the last one. */
const struct later_entry *later_failure(const struct later *l, size_t i);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* planned.h - a dry run: a line for each change that would be made, and their sums. */
#ifndef PUBFS_PLANNED_H
#define PUBFS_PLANNED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "catalog.h"

enum planned_action {
	PLANNED_COPY,
	PLANNED_WRITE,
	PLANNED_RENEW, /* its metadata alone */
	PLANNED_REMOVE,
	PLANNED_REPORT, /* nothing is done to it */
	PLANNED_ACTIONS
};

/* One change. All borrowed. */
struct planned {
	enum planned_action action;
	const char *key, *why;
	uint64_t generation; /* of what is there, the condition of the change; 0: nothing is */
	uint64_t bytes;	     /* decoded ones of a document, stored ones of what is copied or goes */
	bool held;	     /* by the brake: it would not be made */
};

struct planned_sum {
	uint64_t n, bytes;
};

/* Where a dry run goes. The sums begin at zero; used by one thread at a time. */
struct planned_out {
	FILE *file;
	bool json; /* an object a line */
	struct planned_sum sums[2][PLANNED_ACTIONS][KIND_COUNT]; /* made, and held */
};

void planned_print(void *out, const struct planned *p); /* a struct planned_out */
/* A line for each action and kind of object that there was; of JSON one line, {"sums":[...]}. */
void planned_print_sums(const struct planned_out *out);

#endif

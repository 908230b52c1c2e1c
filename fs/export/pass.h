/* SPDX-License-Identifier: BSD-3-Clause */
/* pass.h - one export pass: what its threads share, and how much memory they may take. */
#ifndef PUBFS_PASS_H
#define PUBFS_PASS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "export.h"
#include "names.h"

#define PREFIXES_MAX 2 /* the own one, then latest */

/* One pass, shared by the threads that work on it. */
struct pass {
	const struct exporter_options *opt;
	const char *prefixes[PREFIXES_MAX];
	size_t n_prefixes;
	char *renderer; /* what export_state keeps of it; borrowed */
	bool refresh;	/* renew `validated` where it is old */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t room;  /* `reserved` went down */
	size_t reserved;      /* bytes of packages in memory */
	struct export_counts counts;
	struct names failed; /* packages */
	int error;	     /* the database could not keep what was done */
};
void pass_init(struct pass *pass, const struct exporter_options *options);
void pass_release(struct pass *pass);
bool pass_stopping(const struct pass *pass);

/* Room for so many bytes; more than there is at all goes alone. False: none, and `wait` was not
 * said. */
bool pass_reserve(struct pass *pass, size_t bytes, bool wait);
void pass_unreserve(struct pass *pass, size_t bytes);

#endif

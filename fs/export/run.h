/* SPDX-License-Identifier: BSD-3-Clause */
/* run.h - the packages of a pass, in chunks and on threads, each claimed before it is worked on. */
#ifndef PUBFS_RUN_H
#define PUBFS_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

struct names;
struct pass;

typedef void run_fn(struct pass *pass, char *const *names, size_t n);

/* Calls fn for all of these (sorted), or with `claim`, where the pass has an owner, for those that
 * it could claim and that are not done yet; what others have is kept in pass->taken. */
int run_packages(struct pass *pass, run_fn *fn, const struct names *todo, bool claim) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* verifier.h - what a pass tells, when it is to do nothing but tell. */
#ifndef PUBFS_VERIFIER_H
#define PUBFS_VERIFIER_H

#include <stdint.h>

#include "compiler.h"

struct item;
struct names;
struct pass;
struct publication;

/* How many packages the pass will look at. */
void verifier_begin(const struct pass *pass, uint64_t packages);
/* A package that is settled: its publications say what would be done. */
void verifier_see(const struct pass *pass, const struct item *item);
/* A document of no package, whose publication says what would be done. */
void verifier_see_site(const struct pass *pass, const struct publication *p);
/* What lies in the prefixes of packages that are none of these, sorted, and of no package. */
int verifier_see_rest(const struct pass *pass, const struct names *known) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* contested.h - packages in latest/ that another program writes again after pubfs has. */
#ifndef PUBFS_CONTESTED_H
#define PUBFS_CONTESTED_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "item.h"
#include "names.h"
#include "pass.h"

/*
 * An object in latest/ without a key of ours was written by a program that knows nothing of us. It
 * is made ours once for each change of its package, which is noted in a file beside the plan that
 * the brake holds; when it is foreign once more at the same change, two programs are at it, and
 * writing it again would never end.
 */

/* True: a step is about such an object. */
bool contested_is_foreign(const struct pass *pass, size_t k, const struct target *t);
/* What is noted of a package at a change. The caller frees it. */
char *contested_note(const char *package, const char *change);
/* The notes of earlier passes, sorted. */
int contested_load(const struct pass *pass, struct names *ret) MUST_CHECK;
/* Adds those of this pass (pass->reclaimed); of each package the last one stays. */
int contested_save(const struct pass *pass) MUST_CHECK;

#endif

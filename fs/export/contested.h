/* SPDX-License-Identifier: BSD-3-Clause */
/* contested.h - packages in latest/ that another program writes again after pubfs has. */
#ifndef PUBFS_CONTESTED_H
#define PUBFS_CONTESTED_H

#include <stdbool.h>
#include <stddef.h>

#include "clock.h"
#include "compiler.h"
#include "item.h"
#include "names.h"
#include "pass.h"

/*
 * An object in latest/ without a key of ours was written by a program that knows nothing of us. It
 * is made ours, which is noted in a file beside the plan that the brake holds; when it is foreign
 * once more at the same change of its package, and so soon, two programs are at it, and writing it
 * again would never end. What clients could not read is no program's work but damage, such as a
 * file that was cut: that is made good however often it happens.
 */

/* A program that keeps writing meets the full pass of each day; who repairs a bucket by hand seldom
 * does it twice in so short a time. */
#define CONTEST_SPAN (7 * DAY_US)

/* True: a step is about such an object. */
bool contested_is_foreign(const struct pass *pass, size_t k, const struct target *t);
/* 1: it was made ours at this change before, so lately that it is noted in pass->contested, and
 * what is foreign of it now is what clients could read. */
int contested_is_kept(const struct pass *pass, const struct item *item,
		      const struct target *t) MUST_CHECK;

/* What was made ours lately, "package change", and is added to `ret`. */
int contested_load(const struct pass *pass, struct names *ret) MUST_CHECK;
/* Notes a package that is made ours. */
void contested_note(struct pass *pass, const struct item *item);
/* Adds the notes of this pass; of each package the last one stays, and none that is too old. */
int contested_save(const struct pass *pass) MUST_CHECK;

#endif

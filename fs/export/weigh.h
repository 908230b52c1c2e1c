/* SPDX-License-Identifier: BSD-3-Clause */
/* weigh.h - what a pass would change of what is there, before it does, and what the brake says. */
#ifndef PUBFS_WEIGH_H
#define PUBFS_WEIGH_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "names.h"
#include "pass.h"
#include "strbuf.h"

struct item;

/* Adds the weights of those of these packages of which something is there. Says nothing: what fails
 * here fails again when it is done. */
void weigh_packages(struct pass *pass, char *const *names, size_t n);

/* A package is at the change at which it was weighed. */
bool weigh_is_known(const struct pass *pass, const struct item *item);
/* The burdens of one that is not, in all prefixes together; below 0: it cannot be told (said). */
int weigh_again(const struct pass *pass, const struct item *item) MUST_CHECK;

/* The brake of one pass: what was held before, and what is held now. */
struct brake {
	struct pass *pass;
	bool rewrite_all[PREFIXES_MAX]; /* an operator has allowed another base URL */
	struct names before;		/* items of the held plan, sorted */
	struct names keys;		/* the same without their verbs, sorted */
	struct strbuf why_before;
	struct names now; /* items */
	size_t n_held;	  /* of them, those of packages that were looked at */
	struct strbuf why;
};
int brake_init(struct brake *brake, struct pass *pass) MUST_CHECK;
void brake_release(struct brake *brake);

/* True: each prefix holds this package at this change already. */
bool brake_has(const struct brake *brake, const char *package, const char *change);
/* Judges the weights: of these burdens, what is too much is held (pass->held and held_whole). */
int brake_judge(struct brake *brake, unsigned burdens) MUST_CHECK;
/* When all packages are done: of those that were not looked at, what was held is held. `seen` are
 * those that were, sorted; NULL: all. */
void brake_settle(struct brake *brake, const struct names *seen);
/* When the pass is done: keeps the new plan, says what of these packages is held, and then answers
 * -ECANCELED. */
int brake_end(struct brake *brake) MUST_CHECK;
/* Of the packages that were weighed, those that have one of these burdens, and none of `without`.
 */
void brake_pick(const struct brake *brake, unsigned burdens, unsigned without, struct names *ret);

#endif

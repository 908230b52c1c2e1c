/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.h - what the export of one package changes in one prefix, decided before anything is done.
 */
#ifndef PUBFS_PLAN_H
#define PUBFS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "publish.h"
#include "render.h"

struct object;
struct survey;

enum step_kind {
	STEP_COPY,
	STEP_WRITE,
	STEP_REMOVE,
	STEP_MARK, /* what stays gets the mark of this database instead of another one's */
};

#define STAGES 3

struct step {
	enum step_kind kind;
	unsigned stage; /* below STAGES; the steps of one stage wait for all of the one before */
	bool apart;	/* of its stage, it waits for none, and none waits for it */
	char *key;		     /* owned */
	const char *why;	     /* a constant */
	bool force;		     /* also where nothing differs */
	bool mark;		     /* another `change` alone is corrected, too */
	const struct object *have;   /* borrowed from the survey; NULL: it is not there */
	const struct object *source; /* STEP_COPY: the canonical archive, borrowed */
	const char *sha256;	     /* STEP_COPY: of the version's row, borrowed; may be NULL */
	const char *version;	     /* STEP_COPY: borrowed from its row */
	size_t document;	     /* STEP_WRITE: index into package_documents */
};

enum plan_verdict {
	PLAN_EXPORT,	/* as its rows say */
	PLAN_TAKE_DOWN, /* an administrator hid it, or every one of its versions */
	PLAN_NO_ROWS,	/* visible, but no version is known: what is there stays */
	PLAN_UNUSABLE,	/* no visible version could be read by a client, or a document cannot be
			 * rendered: the documents stay */
};

struct plan {
	enum plan_verdict verdict;
	struct step *steps; /* in the order in which they are safe */
	size_t n, alloc;
	size_t garbage;		   /* archives without a row, which wait for gc */
	size_t no_archive;	   /* listed versions without a canonical archive */
	const char *first_without; /* the first of these; borrowed from its row */
};

/* Pure. `releases` is not looked at when the package is not visible; NULL: a document of it cannot
 * be rendered. `have` is the package in this prefix, `canonical` its archives. -E2BIG: a name in
 * the rows is too long for a key (said). */
int plan_make(const struct package *pkg, const struct release_list *releases, const char *prefix,
	      const struct survey *have, const struct survey *canonical,
	      struct plan *ret) MUST_CHECK;
void plan_release(struct plan *plan);
/* What is left of a plan that the brake holds: what is taken down goes all the same. */
void plan_keep_removals(struct plan *plan);

/* True for a mark that this database cannot have made, at this change number: a later one, or the
 * same number with other digits. It was restored, or is another one. */
bool change_is_foreign(const char *mark, const char *change);

#endif

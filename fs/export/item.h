/* SPDX-License-Identifier: BSD-3-Clause */
/* item.h - one package on its way through an export: its rows, documents, plans and results. */
#ifndef PUBFS_ITEM_H
#define PUBFS_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "body.h"
#include "pass.h"
#include "plan.h"
#include "strbuf.h"
#include "survey.h"

#define DOCUMENTS_MAX 8

/* A package in one prefix. */
struct target {
	const char *prefix;
	bool left; /* to another deployment, but for removals: something else would change */
	struct survey have;
	struct plan plan;
	struct publication *publications; /* one for each step; the batch's */
	bool tried;			  /* they are, and each says how it went */
	bool raced;			  /* someone else wrote first */
	bool blocked; /* the plan: an archive could not be copied, or a document is refused */
	bool held, held_whole;		  /* by the brake, but for its removals, or with them */
	bool foreign;			  /* see contested.h */
	char *error;			  /* owned; NULL: it is as it should be */
	unsigned char seen[SHA256_SIZE];
};

/* A version whose archive cannot be copied, and why. */
struct bar {
	char *version, *why;
};

struct item {
	const char *name;
	struct package pkg;
	struct release_list releases;
	struct survey canonical;
	struct strbuf documents[DOCUMENTS_MAX];
	struct body bodies[DOCUMENTS_MAX];
	struct target targets[PREFIXES_MAX];
	struct bar *bars;
	size_t n_bars, bars_alloc;
	char *refused;	  /* why a document that others wait for may not be there; owned */
	char *unlistable; /* that, or why none could be rendered; owned; NULL: they are there */
	size_t reserved;
	int64_t read_at; /* monotonic */
	bool gone; /* its row went away meanwhile */
	bool written; /* something of it was changed, */
	bool shown;   /* that the three routes answer with */
};

void item_init(const struct pass *pass, struct item *item, const char *name);
/* Back to what item_init() made of it, but for its bars and what was refused. */
void item_clear(struct item *item);
void item_release(struct item *item);

/* Its rows, in one snapshot. */
void item_read(const struct pass *pass, struct item *item);
/* What its rows and documents may take. */
size_t item_bytes(const struct item *item);
/* Documents, once for all prefixes, and for each of them a plan, against what the index says. */
void item_prepare(struct pass *pass, struct item *item);
/* Once a version. From the next item_prepare() on no copy of this archive is planned, and its
 * version is listed only where every prefix has one that it may be. */
void item_bar(struct item *item, const char *version, const char *why);
bool item_has_bar(const struct item *item, const char *version);

/* Its cause was said last in this thread. */
void target_fail(struct target *t, int r);
void item_fail(const struct pass *pass, struct item *item, int r); /* in every prefix */

#endif

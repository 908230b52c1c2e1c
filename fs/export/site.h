/* SPDX-License-Identifier: BSD-3-Clause */
/* site.h - the documents of a prefix that are of no package: feed, completion data, 404 body. */
#ifndef PUBFS_SITE_H
#define PUBFS_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"
#include "compiler.h"

struct pass;

/* When the feed of all packages is written again: each event pass may change it, and one object is
 * not to be written as often. */
struct site_turn {
	bool waits;	/* something was exported since it was looked at, */
	int64_t looked; /* exporter_now() */
	int64_t pause;	/* until then, at least */
};
void site_turn_init(struct site_turn *turn, int64_t pause, int64_t now);
int64_t site_turn_due(const struct site_turn *turn); /* INT64_MAX: nothing waits */

/*
 * Behind the packages of a pass; `any`: one was exported. Without a state the feed alone, where
 * something waits for it, and, unless it is to be `at_once`, its turn has come. With one all of
 * them, but nothing is read nor sent where it and the objects are those that were recorded last.
 * Returns 0, or the first failure (said); what else there is has been done.
 */
int site_run(struct pass *pass, struct site_turn *turn, int64_t now, bool at_once, bool any,
	     const unsigned char *state) MUST_CHECK;

/* A state is a digest of every package's change. Adds a package to it, in any order. */
void site_state_add(unsigned char state[SHA256_SIZE], const char *package, const char *change);

#endif

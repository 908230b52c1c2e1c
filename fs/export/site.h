/* SPDX-License-Identifier: BSD-3-Clause */
/* site.h - the documents of a prefix that are of no package: feed, completion data, 404 body. */
#ifndef PUBFS_SITE_H
#define PUBFS_SITE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "codec.h"
#include "compiler.h"

struct pass;

/* When the feed of all packages is written again: each event pass may change it, and one object is
 * not to be written as often. Any thread. */
struct site_turn {
	pthread_mutex_t lock; /* of the rest */
	bool waits;	/* something was exported since it was looked at, */
	int64_t looked; /* exporter_now() */
	int64_t pause;	/* until then, at least */
};
void site_turn_init(struct site_turn *turn, int64_t pause, int64_t now);
void site_turn_release(struct site_turn *turn);
int64_t site_turn_due(struct site_turn *turn); /* INT64_MAX: nothing waits */
/* `any`: a package was exported. True: something waits, its turn has come or need not (at_once),
 * and the caller sees to it: by site_run(), or he gives the turn back. */
bool site_turn_take(struct site_turn *turn, int64_t now, bool any, bool at_once) MUST_CHECK;
void site_turn_give_back(struct site_turn *turn);

/*
 * Behind the packages of a pass. Without a state the feed alone, if it is its turn. With one all of
 * them, but nothing is read nor sent where it and the objects are those that were recorded last.
 * Returns 0, or the first failure (said); what else there is has been done.
 */
int site_run(struct pass *pass, bool feed, const unsigned char *state) MUST_CHECK;

/* A state is a digest of every package's change. Adds a package to it, in any order. */
void site_state_add(unsigned char state[SHA256_SIZE], const char *package, const char *change);

#endif

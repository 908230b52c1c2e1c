/* SPDX-License-Identifier: BSD-3-Clause */
/* pass.h - one export pass: what its threads share, and how much memory they may take. */
#ifndef PUBFS_PASS_H
#define PUBFS_PASS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "db_deployment.h"
#include "deployment.h"
#include "export.h"
#include "names.h"

struct object;

#define PREFIXES_MAX 2 /* the own one, then latest */

/* What a pass would do to what is there, in one prefix. */
enum burden {
	BURDEN_REWRITE = 1 << 0, /* the listing changes */
	BURDEN_TAKE_DOWN =
		1 << 1, /* that, or a removal, because clients are to be kept from something */
	BURDEN_SHRINK = 1 << 2, /* the listing loses most of its versions */
	BURDEN_EMPTY = 1 << 3,	/* the advisory list loses all that it had */
	BURDEN_CONTESTED = 1 << 4, /* what another program keeps writing in latest/ */
};
#define BURDENS 5

/* One package in the balance. */
struct weight {
	char *package, *change;
	unsigned burdens[PREFIXES_MAX];
	struct names lost; /* advisories of the lists that become empty */
};

/* A package that could not be weighed: it must not be changed unseen. */
struct unweighed {
	char *package, *why;
};

/* A package that is not as it should be after the pass. */
struct failure {
	char *package, *change, *why; /* change NULL: it could not be read */
};

/* How many bytes of packages are in memory, of all passes of an exporter together. */
struct room {
	pthread_mutex_t lock;
	pthread_cond_t grown;
	size_t reserved;
};
void room_init(struct room *room);
void room_release(struct room *room);

/* One pass, shared by the threads that work on it. */
struct pass {
	const struct exporter_options *opt;
	const char *prefixes[PREFIXES_MAX];
	char *keys[PREFIXES_MAX]; /* of their export_state; owned */
	size_t n_prefixes;
	bool latest_read;
	bool filling; /* a deployment that has not filled its own prefix yet */
	char *renderer; /* what export_state keeps of it; borrowed */
	struct room *room;
	struct lease lease; /* owner NULL: nothing is claimed */
	int64_t claimed_until; /* clock_monotonic(); or longer: */
	const atomic_llong *renewed_until;
	struct recent *recent; /* a deployment's: told of what is written */
	const struct names *pending; /* what was not exported when the pass began, sorted */
	const struct names *urgent;  /* what was urgent then, sorted */
	const struct names *returned; /* whose rows had been gone, sorted */
	bool refresh;	/* renew `validated` where it is old */
	bool deep;	/* there are so many packages that each change is looked at more closely */
	struct names suspects;	/* see suspects.h, sorted */
	struct names contested; /* see contested.h, sorted */

	/* settled by the brake, before anything is done of those that were weighed, sorted:
	 * packages of which only removals go through, and those of which nothing does */
	struct names held[PREFIXES_MAX], held_whole[PREFIXES_MAX];

	pthread_mutex_t look; /* of who looks who keeps latest/; before `lock` */
	bool looked;	      /* and nothing has made that doubtful, */
	int64_t looked_at;    /* by exporter_clock() */

	pthread_mutex_t lock; /* guards all below */
	struct latest_view latest; /* as it was then; changed with `look` as well */
	bool latest_closed;	   /* but for what is taken down; to the end of the pass */
	char *closed_why;	   /* owned */
	struct export_counts counts;
	struct failure *failures;
	size_t n_failures, failures_alloc;
	struct names left;    /* packages, as exporter_left() */
	struct names taken;   /* packages that another owner works on */
	struct names reclaimed; /* what contested_note() was told */
	struct unweighed *unweighed;
	size_t n_unweighed, unweighed_alloc;
	struct names weighed; /* "package change", sorted when that is over */
	uint64_t n_moved; /* that were another change when they were done, and went on */
	struct weight *weights;
	size_t n_weights, weights_alloc;
	int error; /* the database could not keep what was done */
};
void pass_init(struct pass *pass, const struct exporter_options *options, struct room *room);
/* Who may write latest/, where that is a prefix of the pass. */
int pass_read_latest(struct pass *pass, bool filled, bool settled) MUST_CHECK;
/* 1: latest/ is left to others, but for what is taken down; with one of these objects there all of
 * them are. Who keeps latest/ is looked at again where that was over a second ago, or in doubt. */
int pass_leaves(struct pass *pass, const struct object *objects, size_t n) MUST_CHECK;
/* Somebody else wrote first in latest/: he may be who keeps it by now. */
void pass_doubt_latest(struct pass *pass);
bool pass_is_latest(const struct pass *pass, size_t k);
/* The brake holds something of a prefix. */
bool pass_holds(const struct pass *pass, size_t k);
void pass_release(struct pass *pass);
/* Before anything is done: this package fails, and no other. */
void pass_leave_unweighed(struct pass *pass, const char *package, const char *why);
/* It only shows or tells what it would do. */
bool pass_rehearses(const struct pass *pass);
bool pass_stopping(const struct pass *pass);
/* When its threads are done: it changed an object. */
bool pass_changed(const struct pass *pass);
/* False: what is claimed may lapse before a request that begins now is over. */
bool pass_lease_lasts(const struct pass *pass);

/* Room for so many bytes; more than there is at all goes alone. False: none, and `wait` was not
 * said. */
bool pass_reserve(struct pass *pass, size_t bytes, bool wait);
void pass_unreserve(struct pass *pass, size_t bytes);

#endif

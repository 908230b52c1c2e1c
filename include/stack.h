/* SPDX-License-Identifier: BSD-3-Clause */
/* stack.h - what a command works on, built from its options and taken down in one call. */
#ifndef PUBFS_STACK_H
#define PUBFS_STACK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "compiler.h"

struct db;
struct exporter_options;
struct gc_options;
struct on_change;
struct options;
struct publisher;
struct rm_brake;
struct store;
struct tree;
struct tree_options;

enum stack_part {
	STACK_BUCKET = 1 << 0,	 /* with its index and publisher */
	STACK_ARCHIVES = 1 << 1, /* the canonical store, with its index */
	STACK_DB = 1 << 2,
	STACK_BODIES = 1 << 6, /* the bucket with its cached bodies: they will be read by people */
	/* made when they are not there, and the home with them: */
	STACK_MAKE_BUCKET = 1 << 3,
	STACK_MAKE_ARCHIVES = 1 << 4,
	STACK_MAKE_DB = 1 << 5,
};

/* NULL: not asked for. */
struct stack {
	/* in: ends what waits for a store or a server that stands still; NULL: nothing does */
	atomic_bool *cancel;
	struct store *bucket, *archives;
	struct publisher *publisher;
	struct on_change *on_change; /* who watches that */
	struct db *db;
	struct tree *tree; /* by stack_open_tree() */
	struct rm_brake *rm_brake; /* of that tree, with a database, unless it is turned off */
	char *held, *held_gc; /* where plans of an export and of gc that the brake holds are kept */
	char *removals;	      /* where removals by hand are counted */
};

/* Every failure has been said. Nothing is made in a dry run but the index. */
int stack_open(const struct options *o, unsigned parts, struct stack *ret) MUST_CHECK;
/* A store without its index, but with what makes one elsewhere a good one: repeated calls, and
 * changes side by side (those not if `bare`). It is not made, if it is on this host and not there,
 * unless `bare`. */
int stack_open_driver(const struct options *o, const char *url, bool bare, struct store **ret)
	MUST_CHECK;
/* Two stores with their indexes, to be read and compared; ret[1] is ret[0] where both URLs are of
 * one. Each that is not the same is closed by the caller. */
int stack_open_two(const struct options *o, const char *const urls[2], struct store *ret[2])
	MUST_CHECK;
/* The tree over a bucket that is open. Of `service` only what it calls back is taken, with its
 * ctx; NULL: nothing, and the tree is for one command. */
int stack_open_tree(const struct options *o, const struct tree_options *service,
		    struct stack *stack) MUST_CHECK;
/* False where the database would be a file, and is not there. It is not opened. */
bool stack_has_db(const struct options *o);
/* What an exporter works on and by; dry_run and stop are left NULL. */
void stack_describe_export(const struct options *o, const struct stack *stack,
			   struct exporter_options *ret);
/* What a collection works on and by; see and stop are left NULL. */
void stack_describe_gc(const struct options *o, const struct stack *stack, struct gc_options *ret);
void stack_close(struct stack *stack); /* usable as CLEANUP(); all NULL is fine */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* adopt.h - objects that another exporter wrote become ours, as they are: each is read once. */
#ifndef PUBFS_ADOPT_H
#define PUBFS_ADOPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct publisher;
struct store;

/* The `change` of what was adopted: no number of a database, which the next one takes the place of
 * only when the content differs. */
#define CHANGE_ADOPTED "adopted"

struct adopt_options { /* all borrowed for the call */
	struct store *store; /* the bucket's chain, index included */
	struct publisher *publisher; /* whose runtime version the objects get */
	const char *const *prefixes; /* "latest", and so on */
	size_t n_prefixes;
	unsigned jobs;
	int64_t ttl; /* microseconds: how old the index may be */
	bool dry_run; /* count what it would take */
	/* Called after each object, on any thread, one at a time; NULL: nobody. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
	const atomic_bool *stop; /* set: finish what is under way; NULL: never */
};

/* Of objects. */
struct adopt_counts {
	uint64_t objects; /* of the kinds that an export makes, that were looked at */
	uint64_t ours;	  /* had all keys, and were not read */
	uint64_t adopted; /* or would be */
	uint64_t others;  /* of no such kind; they stay as they are */
	uint64_t refused; /* by the gate, or stored otherwise than an export does; said */
	uint64_t raced;	  /* somebody wrote them meanwhile; said */
	uint64_t failed;  /* could not be read or changed; said */
	uint64_t reads, changes, bytes; /* requests that it takes, and bytes read; of a dry run */
};

/*
 * Reads each object that lacks a key of ours once, gates and hashes it, and sets its metadata,
 * on the generation and metageneration that were seen. What has the keys is not read, so that an
 * interrupted run is gone on with by another. 0: all was adopted; -EIO: some was refused, raced or
 * failed, the rest was done; -ENOENT: there is nothing below a prefix (said); -ECANCELED: `stop`
 * was set. `ret` is always filled.
 */
int adopt(const struct adopt_options *options, struct adopt_counts *ret) MUST_CHECK;

#endif

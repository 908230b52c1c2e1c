/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - the packages of a pass, in chunks and on threads, each claimed before it is worked on.
 *
 * Names are claimed in blocks, no further ahead than the pool's queue is long, so that other hosts
 * find work too. A block is let go when the last of its chunks is done; what was written rests for
 * as long as this host leaves it in peace (recent.h), so that all hosts together keep its pace.
 */
#include "run.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db.h"
#include "exporter.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "pass.h"
#include "pool.h"
#include "recent.h"
#include "store.h"

#define BLOCK_MAX  64 /* one commit to claim so many, and one to let them go */
#define BLOCKS_MIN 32 /* of as many blocks at least, each host finds some */

struct block {
	struct pass *pass;
	run_fn *fn;
	char **names; /* borrowed texts */
	size_t n;
	bool claimed;
	atomic_size_t left;
};

struct chunk {
	struct block *block;
	size_t from, n;
};

/* Some for nobody else for a while; what could not be let go lapses. */
static void let_go(const struct pass *pass, char *const *names, size_t n, int64_t rest)
{
	struct lease lease = pass->lease;

	lease.rest = rest;
	if (n && db_release(pass->opt->db, &lease, names, n) < 0)
		log_debug("%zu leases are left to lapse", n);
}

static void release(const struct block *block)
{
	struct pass *pass = block->pass;
	char *written[BLOCK_MAX], *others[BLOCK_MAX];
	size_t n_written = 0, n_others = 0;
	int64_t now = exporter_clock(pass->opt);

	for (size_t i = 0; i < block->n; i++)
		if (recent_until(pass->recent, block->names[i], now))
			written[n_written++] = block->names[i];
		else
			others[n_others++] = block->names[i];
	let_go(pass, written, n_written, RECENT_REST);
	let_go(pass, others, n_others, 0);
}

static void block_free(struct block *block)
{
	if (block->claimed)
		release(block);
	free(block->names);
	free(block);
}

static void run_chunk(void *ctx)
{
	struct chunk *chunk = ctx;
	struct block *block = chunk->block;

	block->fn(block->pass, block->names + chunk->from, chunk->n);
	if (atomic_fetch_sub(&block->left, chunk->n) == chunk->n)
		block_free(block);
	free(chunk);
}

/* A store that gathers changes is on this host: more threads than it has processors only take
 * memory. A dry run is printed in order. */
static unsigned run_threads(const struct exporter_options *opt, size_t chunks)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = opt->jobs ? opt->jobs : 1;

	if (opt->dry_run)
		return 1;
	if (opt->store->batch > 1 && online > 0 && threads > (unsigned)online)
		threads = (unsigned)online;
	return chunks < threads ? (unsigned)chunks : threads;
}

/* Those of the names that have the wanted answer to names_have(pending). */
static size_t pick(const struct pass *pass, char *const *names, size_t n, bool pending, char **ret)
{
	size_t picked = 0;

	for (size_t i = 0; i < n; i++)
		if (names_have(pass->pending, names[i]) == pending)
			ret[picked++] = names[i];
	return picked;
}

/* Who has it writes it now, or has just done so. */
static void leave_taken(struct pass *pass, const char *name)
{
	names_add(&pass->taken, name);
	if (pass->lease.rester)
		recent_note(pass->recent, name, exporter_clock(pass->opt));
}

/* What was work when the pass began may be done by now, by another host. */
static int claim_some(struct pass *pass, char *const *names, size_t n, bool pending,
		      struct block *block)
{
	struct lease lease = pass->lease;
	char *wanted[BLOCK_MAX];
	enum claim claims[BLOCK_MAX];
	int r;

	n = pick(pass, names, n, pending, wanted);
	lease.renderer = pending && !pass->opt->force ? pass->renderer : NULL;
	lease.prefixes = (const char *const *)pass->keys;
	lease.n_prefixes = pass->n_prefixes;
	r = n ? db_claim(pass->opt->db, &lease, wanted, n, claims) : 0;
	if (r < 0)
		return r;
	pthread_mutex_lock(&pass->lock);
	for (size_t i = 0; i < n; i++)
		if (claims[i] == CLAIM_MINE)
			block->names[block->n++] = wanted[i];
		else if (claims[i] == CLAIM_TAKEN)
			leave_taken(pass, wanted[i]);
	pthread_mutex_unlock(&pass->lock);
	return 0;
}

static int fill(struct block *block, char *const *names, size_t n)
{
	int r = 0;

	block->names = xcalloc(n, sizeof(*block->names));
	if (!block->claimed) {
		memcpy(block->names, names, n * sizeof(*names));
		block->n = n;
	} else {
		r = claim_some(block->pass, names, n, true, block);
		if (!r)
			r = claim_some(block->pass, names, n, false, block);
	}
	atomic_store(&block->left, block->n);
	return r;
}

/* Hands a block over to the pool, or does it. */
static void run_block(struct block *block, struct pool *pool, size_t batch)
{
	size_t n = block->n; /* the last chunk takes the block with it */

	if (!n) {
		block->claimed = false;
		block_free(block);
	}
	for (size_t at = 0; at < n; at += batch) {
		struct chunk *chunk = xmalloc(sizeof(*chunk));

		*chunk = (struct chunk){ block, at, n - at < batch ? n - at : batch };
		if (pool)
			pool_run(pool, run_chunk, chunk);
		else
			run_chunk(chunk);
	}
}

static size_t block_size(const struct names *todo, size_t batch, bool claim)
{
	size_t size = todo->n / BLOCKS_MIN;

	if (!claim)
		return batch;
	return size < 1 ? 1 : size < BLOCK_MAX ? size : BLOCK_MAX;
}

int run_packages(struct pass *pass, run_fn *fn, const struct names *todo, bool claim)
{
	bool claimed = claim && pass->lease.owner && !pass_rehearses(pass);
	size_t batch = pass->opt->store->batch ? pass->opt->store->batch : 1;
	unsigned threads = run_threads(pass->opt, (todo->n + batch - 1) / batch);
	size_t size = block_size(todo, batch, claimed);
	struct pool *pool = NULL;
	int r = threads > 1 ? pool_new(threads, &pool) : 0;

	for (size_t at = 0; !r && at < todo->n && !pass_stopping(pass); at += size) {
		size_t n = todo->n - at < size ? todo->n - at : size;
		struct block *block = xcalloc(1, sizeof(*block));

		block->pass = pass;
		block->fn = fn;
		block->claimed = claimed;
		r = fill(block, todo->names + at, n);
		if (r < 0)
			block_free(block);
		else
			run_block(block, pool, batch);
	}
	pool_free(pool);
	names_sort(&pass->taken);
	return r < 0 ? r : pass->error;
}

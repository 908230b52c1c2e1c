/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_fresh.c - which prefixes were found to be listed lately, so that a lookup opens no
 * transaction to find it again. It holds for one state of the tables, whoever changes them.
 */
#include <string.h>

#include "index.h"

/* LMDB tells of a commit a moment before who begins to read sees it. What is read then, and kept as
 * of that commit, would be believed until the next one: so its number counts once a reader has had
 * it. */
uint64_t index_version(struct index *x)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	uint64_t seen = atomic_load(&x->seen);
	MDB_envinfo info;

	if (mdb_env_info(x->env, &info))
		return 0;
	if (info.me_last_txnid == seen)
		return seen;
	if (txn_read(x, &t) < 0)
		return 0;
	while (seen < t.number && !atomic_compare_exchange_weak(&x->seen, &seen, t.number))
		;
	return t.number;
}

bool index_recall(struct index *x, const char *key, struct fresh *ret)
{
	const char *slash = strchr(key, '/');
	size_t n = slash ? (size_t)(slash - key) + 1 : 0;
	uint64_t version = index_version(x);
	bool found = false;

	pthread_mutex_lock(&x->fresh_lock);
	for (size_t i = 0; version && i < FRESH_TOPS && !found; i++) {
		const struct fresh *f = &x->fresh[i];

		found = f->version == version && !strncmp(f->what, key, n) && !f->what[n];
		if (found)
			*ret = *f;
	}
	pthread_mutex_unlock(&x->fresh_lock);
	return found;
}

void index_remember(struct index *x, const struct fresh *fresh)
{
	size_t i = 0;

	pthread_mutex_lock(&x->fresh_lock);
	while (i < FRESH_TOPS && strcmp(x->fresh[i].what, fresh->what) != 0)
		i++;
	x->fresh[i < FRESH_TOPS ? i : x->fresh_next++ % FRESH_TOPS] = *fresh;
	pthread_mutex_unlock(&x->fresh_lock);
}

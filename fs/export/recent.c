/* SPDX-License-Identifier: BSD-3-Clause */
/* recent.c - packages that were written a moment ago, here or by another host: a store takes about
 * one write a second of an object. */
#include "recent.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "names.h"

#define SWEEP_MIN 64

void recent_init(struct recent *r)
{
	*r = (struct recent){ .sweep_at = SWEEP_MIN };
	pthread_mutex_init(&r->lock, NULL);
}

void recent_release(struct recent *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->entries[i].package);
	free(r->entries);
	pthread_mutex_destroy(&r->lock);
}

static size_t find(const struct recent *r, const char *package, bool *ret_there)
{
	return names_place(r->entries, r->n, sizeof(*r->entries), package, ret_there);
}

static void sweep(struct recent *r, int64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->entries[i].until <= now)
			free(r->entries[i].package);
		else
			r->entries[kept++] = r->entries[i];
	r->n = kept;
	r->sweep_at = 2 * kept < SWEEP_MIN ? SWEEP_MIN : 2 * kept;
}

void recent_note(struct recent *r, const char *package, int64_t now)
{
	size_t at;
	bool there;

	pthread_mutex_lock(&r->lock);
	if (r->n >= r->sweep_at)
		sweep(r, now);
	at = find(r, package, &there);
	if (!there) {
		GROW(r->entries, r->n, r->alloc);
		memmove(r->entries + at + 1, r->entries + at, (r->n - at) * sizeof(*r->entries));
		r->n++;
		r->entries[at].package = xstrdup(package);
	}
	r->entries[at].until = now + RECENT_REST;
	pthread_mutex_unlock(&r->lock);
}

int64_t recent_until(struct recent *r, const char *package, int64_t now)
{
	int64_t until = 0;
	size_t at;
	bool there;

	pthread_mutex_lock(&r->lock);
	at = find(r, package, &there);
	if (there && now < r->entries[at].until)
		until = r->entries[at].until;
	pthread_mutex_unlock(&r->lock);
	return until;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* recent.h - packages that were written a moment ago, here or by another host: a store takes about
 * one write a second of an object. */
#ifndef PUBFS_RECENT_H
#define PUBFS_RECENT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define RECENT_REST SECOND_US

/* Any thread; the time is the caller's. */
struct recent {
	pthread_mutex_t lock; /* of the rest */
	struct recent_entry {
		char *package;
		int64_t until;
	} *entries; /* sorted by package */
	size_t n, alloc;
	size_t sweep_at; /* when there are so many, those that are over are forgotten */
};
void recent_init(struct recent *r);
void recent_release(struct recent *r);

void recent_note(struct recent *r, const char *package, int64_t now);
/* When it may be written again; 0: now. */
int64_t recent_until(struct recent *r, const char *package, int64_t now);

#endif

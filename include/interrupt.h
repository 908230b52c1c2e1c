/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt.h - whether anybody still waits for what a thread does. */
#ifndef PUBFS_INTERRUPT_H
#define PUBFS_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>

#include "compiler.h"

struct interrupt {
	bool (*asked)(void *ctx);
	void *ctx;
};

/* What this thread asks from here on, where it waits for a store or a server of a database: true
 * ends the call with -ECANCELED. NULL: its calls run to their end. */
void interrupt_set(bool (*asked)(void *ctx), void *ctx);
/* What it asks, for the threads that work for it. */
struct interrupt interrupt_get(void);
/* Asks. Called often, where a call stands still. */
bool interrupt_asked(void);
/* With the lock held, as pthread_cond_wait(), which may wake up for nothing, too. -ECANCELED:
 * asked, and it was so. */
int interrupt_wait(pthread_cond_t *cond, pthread_mutex_t *lock) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt.h - whether anybody still waits for what a thread does. */
#ifndef PUBFS_INTERRUPT_H
#define PUBFS_INTERRUPT_H

#include <stdbool.h>

struct interrupt {
	bool (*asked)(void *ctx);
	void *ctx;
};

/* What this thread asks from here on, where it waits for a store: true ends the call with
 * -ECANCELED. NULL: its calls run to their end. */
void interrupt_set(bool (*asked)(void *ctx), void *ctx);
/* What it asks, for the threads that work for it. */
struct interrupt interrupt_get(void);
/* Asks. Called often, where a call stands still. */
bool interrupt_asked(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt.c - whether anybody still waits for what a thread does: kept a thread, as errno is. */
#include "interrupt.h"

#include <errno.h>
#include <stddef.h>

#include "clock.h"

#define LOOK (SECOND_US / 20) /* how soon it is seen that nobody waits any more */

static _Thread_local struct interrupt current;

void interrupt_set(bool (*asked)(void *ctx), void *ctx)
{
	current.asked = asked;
	current.ctx = ctx;
}

struct interrupt interrupt_get(void)
{
	return current;
}

bool interrupt_asked(void)
{
	return current.asked && current.asked(current.ctx);
}

int interrupt_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	if (interrupt_asked())
		return -ECANCELED;
	clock_wait(cond, lock, clock_monotonic() + LOOK);
	return 0;
}

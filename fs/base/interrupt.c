/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt.c - whether anybody still waits for what a thread does: kept a thread, as errno is. */
#include "interrupt.h"

#include <errno.h>
#include <stddef.h>
#include <time.h>

#define LOOK_NS (50 * 1000 * 1000L) /* how soon it is seen that nobody waits any more */

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
	struct timespec until;

	if (interrupt_asked())
		return -ECANCELED;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &until);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* turn.c - one user at a time, without a lock that is held while it works. */
#include "turn.h"

#include <errno.h>
#include <time.h>

#include "interrupt.h"

#define LOOK_NS (50 * 1000 * 1000) /* how soon an interrupt is seen */

void turn_init(struct turn *turn)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&turn->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&turn->over, &attr);
	pthread_condattr_destroy(&attr);
	turn->busy = false;
}

void turn_release(struct turn *turn)
{
	pthread_cond_destroy(&turn->over);
	pthread_mutex_destroy(&turn->lock);
}

/* Under the lock. */
static void wait_a_moment(struct turn *turn)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&turn->over, &turn->lock, &until);
}

int turn_begin(struct turn *turn)
{
	int r = 0;

	pthread_mutex_lock(&turn->lock);
	while (turn->busy && !r) {
		wait_a_moment(turn);
		if (turn->busy && interrupt_asked())
			r = -ECANCELED;
	}
	turn->busy |= !r;
	pthread_mutex_unlock(&turn->lock);
	return r;
}

void turn_end(struct turn *turn)
{
	pthread_mutex_lock(&turn->lock);
	turn->busy = false;
	pthread_cond_signal(&turn->over);
	pthread_mutex_unlock(&turn->lock);
}

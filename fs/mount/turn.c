/* SPDX-License-Identifier: BSD-3-Clause */
/* turn.c - one user at a time, without a lock that is held while it works. */
#include "turn.h"

#include "interrupt.h"

void turn_init(struct turn *turn)
{
	pthread_mutex_init(&turn->lock, NULL);
	pthread_cond_init(&turn->over, NULL);
	turn->busy = false;
}

void turn_release(struct turn *turn)
{
	pthread_cond_destroy(&turn->over);
	pthread_mutex_destroy(&turn->lock);
}

int turn_begin(struct turn *turn)
{
	int r = 0;

	pthread_mutex_lock(&turn->lock);
	while (turn->busy && r == 0)
		r = interrupt_wait(&turn->over, &turn->lock);
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

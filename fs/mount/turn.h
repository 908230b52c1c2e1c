/* SPDX-License-Identifier: BSD-3-Clause */
/* turn.h - one user at a time, without a lock that is held while it works. */
#ifndef PUBFS_TURN_H
#define PUBFS_TURN_H

#include <pthread.h>
#include <stdbool.h>

#include "compiler.h"

struct turn {
	pthread_mutex_t lock; /* of `busy` alone */
	pthread_cond_t over;
	bool busy;
};

void turn_init(struct turn *turn);
void turn_release(struct turn *turn);

/* Waits until nobody else has the turn. -ECANCELED: it was interrupted (interrupt.h), and has
 * none. */
int turn_begin(struct turn *turn) MUST_CHECK;
void turn_end(struct turn *turn);

#endif

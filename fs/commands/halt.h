/* SPDX-License-Identifier: BSD-3-Clause */
/* halt.h - how a command that works for long is stopped half-way. */
#ifndef PUBFS_HALT_H
#define PUBFS_HALT_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "compiler.h"

/* Waits for SIGINT and SIGTERM beside the work. The first sets `stop`: what is under way is
 * finished, but for what waits for a store that stands still; one more ends the process as if nobody had
 * waited. */
struct halt {
	atomic_bool stop;
	pthread_t thread;
	sigset_t signals, before;
};
/* Before any other thread is made, so that all of them inherit the mask. */
int halt_begin(struct halt *halt) MUST_CHECK;
void halt_end(struct halt *halt);

#endif

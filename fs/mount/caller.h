/* SPDX-License-Identifier: BSD-3-Clause */
/* caller.h - the processes that use the mount, as /proc shows them. */
#ifndef PUBFS_CALLER_H
#define PUBFS_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

/* 0 is a thread that cannot be seen, in another PID namespace: nothing is known of it. */

#define CALLER_ITSELF ((pid_t)-1)

/* For whom this thread works; CALLER_ITSELF, as at first: for no other. */
void caller_set(pid_t task);
pid_t caller_current(void);

/* True when a signal is about to end the process of this thread, or has. */
bool caller_is_dying(pid_t task);

/* True when a signal has ended its process, which therefore did not mean to close its files. */
bool caller_was_killed(pid_t task);

#endif

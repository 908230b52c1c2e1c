/* SPDX-License-Identifier: BSD-3-Clause */
/* halt.h - how a command that works for long is stopped half-way. */
#ifndef PUBFS_HALT_H
#define PUBFS_HALT_H

#include <stdatomic.h>

#include "command.h"

struct stack;

/* The work. `stop` is set at the first SIGINT or SIGTERM: what is under way is finished, but for
 * what waits for a store that stands still; -ECANCELED then. One more signal ends the process as
 * if nobody had waited. */
typedef int halt_fn(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		    int argc, char *const *argv);

/* Opens the parts (stack.h) that the work needs, does it, closes them. */
enum exit_status halt_run(const struct options *o, unsigned parts, halt_fn *work, int argc,
			  char *const *argv);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c - the updater without a mount, until it is told to stop. */
#include <stdatomic.h>
#include <time.h>

#include "command.h"
#include "halt.h"
#include "notify.h"
#include "options.h"
#include "stack.h"
#include "updating.h"

#define LOOK_NS (20 * 1000 * 1000) /* how long a signal waits */

static int watch(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		 int argc, char *const *argv)
{
	const struct timespec nap = { .tv_nsec = LOOK_NS };
	struct updating updating;
	int r = updating_start(o, stack, &updating);

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	notify_manager("READY=1");
	while (!atomic_load(stop))
		nanosleep(&nap, NULL);
	notify_manager("STOPPING=1");
	updating_stop(&updating);
	return 0;
}

enum exit_status command_watch(const struct options *o, int argc, char *const *argv)
{
	return halt_run(o,
			STACK_DB | STACK_BUCKET | STACK_MAKE_BUCKET | STACK_ARCHIVES |
				STACK_MAKE_ARCHIVES,
			watch, argc, argv);
}

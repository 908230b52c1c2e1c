/* SPDX-License-Identifier: BSD-3-Clause */
/* watch.c - the updater without a mount, until it is told to stop. */
#include <stdatomic.h>
#include <time.h>

#include "clock.h"
#include "command.h"
#include "facts.h"
#include "halt.h"
#include "metrics.h"
#include "notify.h"
#include "options.h"
#include "report.h"
#include "running.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"
#include "updating.h"

#define LOOK_NS (20 * 1000 * 1000) /* how long a signal waits */

struct watch {
	const struct options *o;
	const struct stack *stack;
	struct updating updating;
	int64_t started; /* monotonic */
};

static int write_status(void *ctx, struct strbuf *out)
{
	const struct watch *w = ctx;
	struct facts f;
	int r;

	facts_begin(&f, true, out);
	report_add_process("watch", w->started, w->stack, &f);
	r = report_add_held(w->o, w->stack, &f, NULL);
	updating_add_facts(&w->updating, &f);
	facts_end(&f);
	return r < 0 ? r : strbuf_error(out);
}

static int write_metrics(void *ctx, struct strbuf *out)
{
	const struct watch *w = ctx;
	int r = report_add_held_metrics(w->o, w->stack, out);

	updating_add_metrics(&w->updating, out);
	metrics_end(out);
	return r < 0 ? r : strbuf_error(out);
}

static int watch(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		 int argc, char *const *argv)
{
	const struct timespec nap = { .tv_nsec = LOOK_NS };
	struct watch w = { .o = o, .stack = stack, .started = clock_monotonic() };
	const struct running_options telling = { .o = o,
						 .store_url = stack->bucket->url,
						 .status = write_status,
						 .metrics = write_metrics,
						 .ctx = &w };
	struct running *running = NULL;
	int r = updating_start(o, stack, &w.updating);

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	r = running_begin(&telling, &running);
	if (r == 0)
		notify_manager("READY=1");
	while (r == 0 && !atomic_load(stop))
		nanosleep(&nap, NULL);
	notify_manager("STOPPING=1");
	running_end(running);
	updating_stop(&w.updating);
	return r;
}

enum exit_status command_watch(const struct options *o, int argc, char *const *argv)
{
	return halt_run(o,
			STACK_DB | STACK_BUCKET | STACK_MAKE_BUCKET | STACK_ARCHIVES |
				STACK_MAKE_ARCHIVES,
			watch, argc, argv);
}

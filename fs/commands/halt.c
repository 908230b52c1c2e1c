/* SPDX-License-Identifier: BSD-3-Clause */
/* halt.c - how a command that works for long is stopped half-way. */
#include "halt.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "stack.h"

struct halt {
	atomic_bool stop;
	pthread_t thread;
	sigset_t signals, before;
};

static void *wait_for_signal(void *arg)
{
	struct halt *halt = arg;
	int signal;

	sigwait(&halt->signals, &signal);
	atomic_store(&halt->stop, true);
	log_warning("stopping after what is under way; one more signal ends at once");
	pthread_sigmask(SIG_UNBLOCK, &halt->signals, NULL);
	for (;;)
		pause();
	return NULL;
}

/* Before any other thread is made, so that all of them inherit the mask. */
static int begin(struct halt *halt)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	int error;

	sigemptyset(&halt->signals);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action;

		/* what nohup or a shell's `&` turned off stays off */
		if (!sigaction(signals[i], NULL, &action) && action.sa_handler != SIG_IGN)
			sigaddset(&halt->signals, signals[i]);
	}
	pthread_sigmask(SIG_BLOCK, &halt->signals, &halt->before);
	error = pthread_create(&halt->thread, NULL, wait_for_signal, halt);
	if (error)
		return fail(-EIO, "cannot start a thread: %s", strerror(error));
	return 0;
}

static void end(struct halt *halt)
{
	pthread_cancel(halt->thread);
	pthread_join(halt->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &halt->before, NULL);
}

enum exit_status halt_run(const struct options *o, unsigned parts, halt_fn *work, int argc,
			  char *const *argv)
{
	struct halt halt = { .stop = false };
	CLEANUP(stack_close) struct stack stack = { .cancel = &halt.stop };
	int r = begin(&halt);

	if (r < 0)
		return exit_status_of(r);
	r = stack_open(o, parts, &stack);
	if (r == 0)
		r = work(o, &stack, &halt.stop, argc, argv);
	/* -ECANCELED is what a held plan ends with, too */
	if (r == -ECANCELED && atomic_load(&halt.stop))
		r = -EINTR;
	end(&halt);
	return exit_status_of(r);
}

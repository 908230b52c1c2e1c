/* SPDX-License-Identifier: BSD-3-Clause */
/* halt.c - how a command that works for long is stopped half-way. */
#include "halt.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

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

int halt_begin(struct halt *halt)
{
	static const int signals[] = { SIGINT, SIGTERM };
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

void halt_end(struct halt *halt)
{
	pthread_cancel(halt->thread);
	pthread_join(halt->thread, NULL);
	pthread_sigmask(SIG_SETMASK, &halt->before, NULL);
}

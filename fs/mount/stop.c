/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stop.c - how a mount ends when it is told to: a thread that waits for the three signals.
 *
 *	preparing --signal--> told: whoever waits for the store there asks, and gives up
 *	serving   --signal--> draining: nothing new is written; for WRITERS_PATIENCE at most, what
 *	                      is being written may be closed
 *	draining  ----------> leaving: what waits for the store is told to end; unmounted; for
 *	                      READERS_PATIENCE at most, while it is in use; then lazily
 *	leaving   ----------> the loop ends when the requests under way are answered
 *	draining, leaving --another signal--> lazily, at once
 *	left      --another signal--> the process ends, whatever it still waits for
 *
 * Up to the last state all threads have the signals blocked, so none of them is ever disturbed.
 * `lock` guards the state; it is not held while anything waits.
 */
#include "stop.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "mountpoint.h"
#include "tree.h"

#define WRITERS_PATIENCE (20 * SECOND_US) /* half of what service managers wait at least */
#define READERS_PATIENCE (2 * SECOND_US)
#define LOOK		 (SECOND_US / 20)

struct stop {
	pthread_t thread, loop;
	sigset_t signals;
	atomic_bool told, over;
	pthread_mutex_t lock;
	struct stop_service service; /* set under lock, once; without a session: preparing */
};

/* True: a signal came, or all is over. */
static bool pause_for(struct stop *s, int64_t us)
{
	struct timespec time = { .tv_sec = us / SECOND_US, .tv_nsec = us % SECOND_US * 1000 };

	return sigtimedwait(&s->signals, NULL, &time) > 0 || s->over;
}

static bool is_serving(struct stop *s)
{
	bool serving;

	pthread_mutex_lock(&s->lock);
	serving = s->service.session;
	pthread_mutex_unlock(&s->lock);
	return serving;
}

/* A moment. True: it is not to wait any longer. */
static bool told_again(struct stop *s)
{
	bool again = pause_for(s, LOOK);

	if (again && !s->over)
		log_warning("stopping: told once more, so nothing is waited for");
	return again;
}

/* True: it was told again. */
static bool drain(struct stop *s)
{
	int64_t end = clock_monotonic() + WRITERS_PATIENCE;
	size_t n = tree_unsaved(s->service.tree);

	if (n)
		log_warning("stopping: %zu file%s still being written", n,
			    n == 1 ? " is" : "s are");
	while (tree_unsaved(s->service.tree) && clock_monotonic() < end)
		if (told_again(s))
			return true;
	return false;
}

static void leave(struct stop *s, bool hurry)
{
	int64_t end = clock_monotonic() + READERS_PATIENCE;

	while (!hurry && clock_monotonic() < end) {
		if (mountpoint_leave(s->service.mountpoint, false) == 0)
			return;
		hurry = told_again(s);
	}
	if (s->over)
		return;
	log_warning("%s is in use; it goes when nobody uses it any more", s->service.mountpoint);
	if (mountpoint_leave(s->service.mountpoint, true) < 0)
		log_warning("%s cannot be unmounted", s->service.mountpoint);
}

/* libfuse's loop looks at its flag when a signal comes, and may just have looked: once more. */
static void end_loop(struct stop *s)
{
	fuse_session_exit(s->service.session);
	while (!s->over) {
		pthread_kill(s->loop, SIGUSR1);
		pause_for(s, LOOK);
	}
}

static void *stop_main(void *arg)
{
	struct stop *s = arg;
	bool hurry;

	while (!pause_for(s, HOUR_US))
		;
	s->told = true;
	while (!s->over && !is_serving(s))
		pause_for(s, LOOK);
	if (s->over)
		return NULL;
	s->service.stopping(s->service.ctx);
	tree_stop_writing(s->service.tree);
	hurry = drain(s);
	s->service.leaving(s->service.ctx);
	leave(s, hurry);
	end_loop(s);
	return NULL;
}

static void wake(int signal)
{
	(void)signal;
}

static bool is_ignored(int signal)
{
	struct sigaction now;

	return !sigaction(signal, NULL, &now) && now.sa_handler == SIG_IGN;
}

int stop_new(struct stop **ret)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = wake }; /* without SA_RESTART: it interrupts */
	struct stop *s = xcalloc(1, sizeof(*s));
	int error;

	sigemptyset(&s->signals);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (numbers[i] == SIGHUP && is_ignored(SIGHUP))
			continue; /* by nohup */
		sigaddset(&s->signals, numbers[i]);
		signal(numbers[i],
		       SIG_DFL); /* a shell turns SIGINT off for what it starts with `&` */
	}
	sigaction(SIGUSR1, &action, NULL);
	pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
	pthread_mutex_init(&s->lock, NULL);
	error = pthread_create(&s->thread, NULL, stop_main, s);
	if (error) {
		pthread_mutex_destroy(&s->lock);
		free(s);
		return fail(-EIO, "cannot start a thread: %s", strerror(error));
	}
	*ret = s;
	return 0;
}

bool stop_was_told(const struct stop *s)
{
	return s->told;
}

void stop_serve(struct stop *s, const struct stop_service *service)
{
	pthread_mutex_lock(&s->lock);
	s->loop = pthread_self();
	s->service = *service;
	pthread_mutex_unlock(&s->lock);
}

/* What came up to now was for the mount. */
static void let_signals_through(const struct stop *s)
{
	const struct timespec at_once = { 0 };

	while (sigtimedwait(&s->signals, NULL, &at_once) > 0)
		;
	pthread_sigmask(SIG_UNBLOCK, &s->signals, NULL);
}

void stop_free(struct stop *s)
{
	if (!s)
		return;
	s->over = true;
	pthread_kill(s->thread, SIGTERM); /* it waits for this one as well */
	pthread_join(s->thread, NULL);
	let_signals_through(s);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

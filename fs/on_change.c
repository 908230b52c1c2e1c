/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * on_change.c - a command that is told the name of each changed object, as to purge a CDN of it.
 *
 * Names are kept in memory until the command has taken them, so that a slow one holds up no export.
 * Beyond WAITING_MAX they are lost, and that is said. One that ended is run again. Its text is in
 * no message: a token for the CDN may be in it.
 */
#include "on_change.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "strbuf.h"

#define WAITING_MAX ((size_t)16 << 20)
#define ENDED_MAX   10 /* times in a row without taking anything; then names are lost */
#define PATIENCE    (5 * SECOND_US) /* then whoever waits for its end is told so */

extern char **environ;

struct on_change {
	char *command;
	pthread_t thread;
	pid_t pid; /* 0: it does not run */
	int fd;	   /* its standard input */
	unsigned ended;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t more, over;
	struct strbuf waiting;
	bool ending, is_over, lost;
};

static int spawn(struct on_change *oc, int fds[2])
{
	char shell[] = "sh", flag[] = "-c";
	char *argv[] = { shell, flag, oc->command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int error;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[0], STDIN_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	error = posix_spawn(&oc->pid, "/bin/sh", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

static int cannot_run(int error)
{
	return fail(-EIO, "cannot run the command of --on-change: %s", strerror(error));
}

static int run(struct on_change *oc)
{
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return cannot_run(errno);
	r = spawn(oc, fds);
	close(fds[0]);
	if (r < 0) {
		close(fds[1]);
		oc->pid = 0;
		return cannot_run(-r);
	}
	oc->fd = fds[1];
	return 0;
}

static void end(struct on_change *oc)
{
	int status;

	close_fd(&oc->fd);
	if (!oc->pid)
		return;
	while (waitpid(oc->pid, &status, 0) < 0 && errno == EINTR)
		;
	oc->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		log_warning("the command of --on-change ended with status %d; what it did not do "
			    "of what it was told is not done again",
			    WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Whole names only: what a command did not take to its end is given to the next one again. */
static void give_all(struct on_change *oc, const char *text, size_t n)
{
	const struct timespec pause = { .tv_sec = 1 };

	while (oc->ended < ENDED_MAX) {
		if (oc->pid || run(oc) == 0) {
			if (!write_all(oc->fd, text, n)) {
				oc->ended = 0;
				return;
			}
			end(oc);
		}
		if (oc->ended++)
			nanosleep(&pause, NULL);
	}
	log_warning("the command of --on-change takes no names; some objects changed without its "
		    "knowing");
	oc->ended = 0;
}

static void *on_change_main(void *arg)
{
	struct on_change *oc = arg;
	sigset_t pipe_signal;

	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
	for (;;) {
		CLEANUP(free_char) char *text = NULL;
		size_t n;

		pthread_mutex_lock(&oc->lock);
		while (!oc->waiting.len && !oc->ending)
			pthread_cond_wait(&oc->more, &oc->lock);
		n = oc->waiting.len;
		text = n ? strbuf_detach(&oc->waiting) : NULL;
		pthread_mutex_unlock(&oc->lock);
		if (!n)
			break;
		give_all(oc, text, n);
	}
	end(oc);
	pthread_mutex_lock(&oc->lock);
	oc->is_over = true;
	pthread_cond_signal(&oc->over);
	pthread_mutex_unlock(&oc->lock);
	return NULL;
}

int on_change_start(const char *command, struct on_change **ret)
{
	struct on_change *oc = xcalloc(1, sizeof(*oc));
	int error;

	oc->command = xstrdup(command);
	oc->fd = -1;
	strbuf_init(&oc->waiting, WAITING_MAX);
	pthread_mutex_init(&oc->lock, NULL);
	pthread_cond_init(&oc->more, NULL);
	pthread_cond_init(&oc->over, NULL);
	error = pthread_create(&oc->thread, NULL, on_change_main, oc);
	if (error) {
		free(oc->command);
		free(oc);
		return fail(-EAGAIN, "cannot start a thread for --on-change: %s",
			    strerror(error));
	}
	*ret = oc;
	return 0;
}

void on_change_tell(void *on_change, const struct publication *p)
{
	struct on_change *oc = on_change;
	const char *key = p->key;
	size_t n = strlen(key);
	bool lost;

	if (p->renewed)
		return;
	pthread_mutex_lock(&oc->lock);
	lost = n + 1 > oc->waiting.max - oc->waiting.len;
	if (!lost) {
		strbuf_add(&oc->waiting, key, n);
		strbuf_addch(&oc->waiting, '\n');
		pthread_cond_signal(&oc->more);
	}
	if (lost && !oc->lost)
		log_warning("the command of --on-change is too slow; it is not told of %s, and of "
			    "others",
			    key);
	oc->lost = lost;
	pthread_mutex_unlock(&oc->lock);
}

void on_change_stop(struct on_change *oc)
{
	int64_t until = clock_monotonic() + PATIENCE;

	if (!oc)
		return;
	pthread_mutex_lock(&oc->lock);
	oc->ending = true;
	pthread_cond_signal(&oc->more);
	while (!oc->is_over && clock_wait(&oc->over, &oc->lock, until))
		;
	if (!oc->is_over)
		log_warning("waiting for the end of the command of --on-change; a signal ends "
			    "that");
	pthread_mutex_unlock(&oc->lock);
	pthread_join(oc->thread, NULL);
	pthread_cond_destroy(&oc->more);
	pthread_cond_destroy(&oc->over);
	pthread_mutex_destroy(&oc->lock);
	strbuf_release(&oc->waiting);
	free(oc->command);
	free(oc);
}

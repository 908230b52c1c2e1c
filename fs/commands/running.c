/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * running.c - what a process that lasts tells others of itself.
 *
 * The file CACHE/<hash of the store>.PID.status is replaced whole, and removed at the end. What a
 * killed process left is passed over by its age, and removed by the next one that begins.
 */
#include "running.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"
#include "clock.h"
#include "file.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "metrics_port.h"
#include "options.h"
#include "report.h"
#include "strbuf.h"

struct running {
	struct running_options opt;
	struct metrics_port *port;
	char *path;
	bool warned; /* of the thread */
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* guards `ending` */
	pthread_cond_t end;
	bool ending;
};

static int write_whole(const char *path, const struct strbuf *text)
{
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : write_all(fd, text->buf, text->len);
}

static int replace(const char *path, const struct strbuf *text)
{
	CLEANUP(free_char) char *temporary = xasprintf("%s.new", path);
	int r = write_whole(temporary, text);

	if (r == 0 && rename(temporary, path))
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static void tell(struct running *running)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(REPORT_MAX);
	int r = running->opt.status(running->opt.ctx, &text);

	if (r < 0)
		return; /* said; the next one may go well */
	r = replace(running->path, &text);
	if (r < 0 && !running->warned)
		log_warning("cannot write %s, so pubfs status does not know of this process: %s",
			    running->path, strerror(-r));
	running->warned = r < 0;
}

/* False: it is the end. */
static bool wait_for_turn(struct running *running)
{
	int64_t until = clock_monotonic() + RUNNING_EVERY;
	bool ending;

	pthread_mutex_lock(&running->lock);
	while (!running->ending && clock_wait(&running->end, &running->lock, until))
		;
	ending = running->ending;
	pthread_mutex_unlock(&running->lock);
	return !ending;
}

static void *running_main(void *arg)
{
	struct running *running = arg;

	do
		tell(running);
	while (wait_for_turn(running));
	return NULL;
}

/* One file of the cache: it is one of these if it is named like that of its process. */
struct told {
	char *path;
	long pid;
	int64_t age;
};

static void told_release(struct told *told)
{
	free(told->path);
}

/* 1: it is one. */
static int look_at(const char *cache, const char *store_url, const char *name, struct told *ret)
{
	CLEANUP(told_release)
	struct told told = { .pid = strtol(name + strcspn(name, ".") + (strchr(name, '.') != NULL),
					   NULL, 10) };
	struct stat st;

	if (told.pid <= 0)
		return 0;
	told.path = status_path(cache, store_url, told.pid);
	if (strcmp(strrchr(told.path, '/') + 1, name) != 0 || stat(told.path, &st))
		return 0;
	told.age = clock_now() - (st.st_mtim.tv_sec * SECOND_US + st.st_mtim.tv_nsec / 1000);
	*ret = told;
	told.path = NULL;
	return 1;
}

static void close_folder(DIR **folder)
{
	if (*folder)
		closedir(*folder);
}

/* Calls fn for each of these files, whatever its age. */
static int each_told(const char *cache, const char *store_url,
		     int (*fn)(void *ctx, const struct told *told), void *ctx)
{
	CLEANUP(close_folder) DIR *folder = opendir(cache);
	struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT ? 0 : fail(-EIO, "cannot list the cache %s: %s", cache,
						  strerror(errno));
	while (r == 0 && (entry = readdir(folder))) {
		CLEANUP(told_release) struct told told = { .path = NULL };

		if (look_at(cache, store_url, entry->d_name, &told))
			r = fn(ctx, &told);
	}
	return r;
}

static int remove_gone(void *ctx, const struct told *told)
{
	(void)ctx;
	if (told->age > RUNNING_GONE)
		unlink(told->path);
	return 0;
}

static int start(struct running *running)
{
	const struct running_options *opt = &running->opt;
	int r = 0, error;

	if (opt->o->metrics_port)
		r = metrics_port_open(opt->o->metrics_port, opt->metrics, opt->ctx, &running->port);
	if (r == 0)
		r = each_told(opt->o->cache, opt->store_url, remove_gone, NULL);
	if (r < 0)
		return r;
	error = pthread_create(&running->thread, NULL, running_main, running);
	if (error)
		return fail(-EAGAIN, "cannot start a thread: %s", strerror(error));
	running->has_thread = true;
	return 0;
}

int running_begin(const struct running_options *options, struct running **ret)
{
	struct running *running = xcalloc(1, sizeof(*running));
	int r;

	running->opt = *options;
	running->path = status_path(options->o->cache, options->store_url, getpid());
	pthread_mutex_init(&running->lock, NULL);
	pthread_cond_init(&running->end, NULL);
	r = start(running);
	if (r < 0)
		running_end(running);
	else
		*ret = running;
	return r;
}

void running_end(struct running *running)
{
	if (!running)
		return;
	metrics_port_close(running->port);
	pthread_mutex_lock(&running->lock);
	running->ending = true;
	pthread_cond_signal(&running->end);
	pthread_mutex_unlock(&running->lock);
	if (running->has_thread)
		pthread_join(running->thread, NULL);
	unlink(running->path);
	pthread_cond_destroy(&running->end);
	pthread_mutex_destroy(&running->lock);
	free(running->path);
	free(running);
}

struct each_call {
	running_fn *fn;
	void *ctx;
};

static int call_for(void *ctx, const struct told *told)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(REPORT_MAX);
	CLEANUP(close_fd) int fd = open(told->path, O_RDONLY | O_CLOEXEC);
	const struct each_call *call = ctx;
	struct body body;
	struct stat st;

	if (told->age > RUNNING_GONE || fd < 0 || fstat(fd, &st))
		return 0; /* it has ended */
	body = body_of_file(fd, (uint64_t)st.st_size);
	if (body_load(&body, &text) < 0)
		return fail(-EIO, "cannot read %s", told->path);
	call->fn(call->ctx, told->pid, &text);
	return 0;
}

int running_each(const char *cache, const char *store_url, running_fn *fn, void *ctx)
{
	struct each_call call = { fn, ctx };

	return each_told(cache, store_url, call_for, &call);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c - one session with the kernel, from the checks before it to its clean end.
 *
 *	prepare: checks --fork--> the daemon goes on (stop.c waits for signals); its parent waits
 *	serve:   session, mount, loop --the kernel's first request--> ready: the parent ends
 *	         --unmounted, or a signal--> session ended
 *
 * The standard streams are the terminal's until the mount is ready, so that every failure before
 * that is seen there.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "fuse_ops.h"
#include "log.h"
#include "memory.h"
#include "mountpoint.h"
#include "notify.h"
#include "stop.h"
#include "strbuf.h"

/* Each may wait for the store, and while all do, nothing is answered and the kernel's word that a
 * program has been ended is not heard. They are made when they are needed. */
#define THREADS_MAX  1024
#define THREADS_IDLE 16
#define FAILED	     3 /* exit status of a daemon that ended in no way of its own */

struct mount {
	struct mount_options options; /* strings are owned */
	char *mountpoint, *source;
	int ready_fd; /* of a daemon: where its parent listens; else -1 */
	struct stop *stop;
	struct fuse_session *session;
	struct fuse_view view;
};

/* The daemon. */

/* The parent's end: one byte says that the daemon serves; its end says how it failed. */
static int wait_for_daemon(int fd, pid_t pid)
{
	char byte;
	int status;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return FAILED;
	return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : FAILED;
}

/* 1: this is the parent, and all is said. */
static int become_daemon(struct mount *m, int *ret_status)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return fail(-EIO, "cannot become a daemon: %s", strerror(errno));
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return fail(-EIO, "cannot become a daemon: %s", strerror(errno));
	}
	if (pid) {
		close(fds[1]);
		*ret_status = wait_for_daemon(fds[0], pid);
		close(fds[0]);
		return 1;
	}
	close(fds[0]);
	m->ready_fd = fds[1];
	return 0;
}

/* Each file that is being written, or read out of a temporary one, takes a descriptor here. */
static void raise_limit_of_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int mount_prepare(const struct mount_options *options, struct mount **ret, int *ret_status)
{
	struct mount *m;
	char *mountpoint;
	int r = mountpoint_check_device();

	if (!r)
		r = mountpoint_check(options->mountpoint);
	if (r < 0)
		return r;
	mountpoint = realpath(options->mountpoint, NULL); /* the daemon leaves this folder */
	if (!mountpoint)
		return fail(-EIO, "cannot mount on %s: %s", options->mountpoint, strerror(errno));
	m = xcalloc(1, sizeof(*m));
	m->options = *options;
	m->mountpoint = mountpoint;
	m->source = xstrdup(options->source);
	m->ready_fd = -1;
	raise_limit_of_files();
	r = options->foreground ? 0 : become_daemon(m, ret_status);
	if (!r)
		r = stop_new(&m->stop);
	if (r) {
		mount_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

bool mount_was_told_to_stop(void *mount)
{
	const struct mount *m = mount;

	return stop_was_told(m->stop);
}

void mount_free(struct mount *m)
{
	if (!m)
		return;
	stop_free(m->stop);
	close_fd(&m->ready_fd);
	free(m->mountpoint);
	free(m->source);
	free(m);
}

/* Readiness. */

/* The terminal is let go of, and the folder that the program was started in. Until then it is part
 * of what was started there, so that Ctrl-C ends it as well. */
static void leave_terminal(struct mount *m)
{
	CLEANUP(close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/") < 0)
		log_warning("cannot leave the working folder: %s", strerror(errno));
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			log_warning("cannot leave the terminal: %s", strerror(errno));
	if (write(m->ready_fd, "", 1) != 1)
		log_warning("the process that started this one is gone");
	close(m->ready_fd);
	m->ready_fd = -1;
}

static void now_ready(void *ctx)
{
	struct mount *m = ctx;

	if (m->options.ready)
		m->options.ready(m->options.ctx);
	if (m->ready_fd >= 0)
		leave_terminal(m);
	else
		notify_manager("READY=1");
}

static void now_stopping(void *ctx)
{
	(void)ctx;
	notify_manager("STOPPING=1");
}

static void now_leaving(void *ctx)
{
	const struct mount *m = ctx;

	if (m->options.leaving)
		m->options.leaving(m->options.ctx);
}

/* Serving. */

static void log_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

/* Its lines are of use to who debugs; what went wrong is said by the caller, once. */
static void log_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(4096);

	(void)level;
	strbuf_vaddf(&line, fmt, ap);
	while (line.len && line.buf[line.len - 1] == '\n')
		strbuf_setlen(&line, line.len - 1);
	log_debug("libfuse: %s", line.buf);
}

/* A comma or backslash in a value would end it. */
static void add_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			strbuf_addch(out, '\\');
		strbuf_addch(out, *text);
	}
}

static int add_options(const struct mount *m, struct fuse_args *args)
{
	CLEANUP(strbuf_release) struct strbuf words = STRBUF_INIT(64 << 10);

	strbuf_addstr(&words, "subtype=" MOUNT_SUBTYPE ",fsname=pubfs#");
	add_escaped(&words, m->source);
	if (m->options.read_only)
		strbuf_addstr(&words, ",ro");
	if (m->options.allow_other)
		strbuf_addstr(&words, ",allow_other");
	if (m->options.default_permissions)
		strbuf_addstr(&words, ",default_permissions");
	if (strbuf_error(&words) || fuse_opt_add_arg(args, "pubfs") < 0 ||
	    fuse_opt_add_arg(args, "-o") < 0 || fuse_opt_add_arg(args, words.buf) < 0)
		return fail(-EIO, "cannot mount on %s: its options are too long", m->mountpoint);
	return 0;
}

static int open_session(struct mount *m)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	const struct fuse_lowlevel_ops *ops;
	int r = add_options(m, &args);

	ops = m->options.no_xattr ? &fuse_ops_no_xattr : &fuse_ops;
	if (!r)
		m->session = fuse_session_new(&args, ops, sizeof(*ops), &m->view);
	fuse_opt_free_args(&args);
	if (!r && !m->session)
		r = fail(-EIO, "cannot mount on %s: libfuse refuses the options", m->mountpoint);
	return r;
}

static int run_loop(struct mount *m)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r;

	if (!config)
		return fail(-EIO, "cannot serve %s: out of memory", m->mountpoint);
	fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE);
	r = fuse_session_loop_mt(m->session, config);
	fuse_loop_cfg_destroy(config);
	if (r < 0)
		return fail(-EIO, "the mount on %s failed: %s", m->mountpoint, strerror(-r));
	return 0;
}

static int mount_and_run(struct mount *m)
{
	/* once more: a cache or a log file in it would be looked for in the mount */
	int r = mountpoint_check(m->mountpoint);

	if (r < 0)
		return r;
	errno = 0;
	r = fuse_session_mount(m->session, m->mountpoint);
	if (r < 0)
		return fail(-EIO, "cannot mount on %s: %s", m->mountpoint,
			    errno ? strerror(errno) : "fusermount3 refuses it, or is missing");
	stop_serve(m->stop, &(struct stop_service){ .session = m->session,
						    .mountpoint = m->mountpoint,
						    .tree = m->view.tree,
						    .stopping = now_stopping,
						    .leaving = now_leaving,
						    .ctx = m });
	r = run_loop(m);
	stop_free(steal(m->stop));
	fuse_session_unmount(m->session);
	return r;
}

int mount_serve(struct mount *m, struct tree *t)
{
	int r;

	m->view = (struct fuse_view){
		.tree = t,
		.uid = m->options.uid,
		.gid = m->options.gid,
		.umask = m->options.umask,
		.ready = now_ready,
		.ctx = m,
	};
	fuse_set_log_func(log_libfuse);
	r = open_session(m);
	if (r < 0)
		return r;
	r = mount_and_run(m);
	fuse_session_destroy(m->session);
	m->session = NULL;
	return r;
}

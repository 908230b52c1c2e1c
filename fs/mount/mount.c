/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mount.c - one session with the kernel, from the checks before it to its clean end.
 *
 *	prepare: checks, signals blocked --fork--> the daemon goes on; its parent waits
 *	serve:   session, mount, loop --the kernel's first request--> ready: the parent ends
 *	         --unmounted, or a signal--> unmounted, session ended
 *
 * The three signals are blocked for every thread but the one that serves, and only while it
 * does: a signal must interrupt the wait of libfuse's loop. The standard streams are the
 * terminal's until the mount is ready, so that every failure before that is seen there.
 */
#include "mount.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "fuse_ops.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

/* Each may wait for the store; libfuse's 10 let 64 readers queue. */
#define THREADS_MAX  64
#define THREADS_IDLE 16
#define FUSE_DEVICE  "/dev/fuse"
#define SUBTYPE	     "pubfs" /* the kernel calls it fuse.pubfs */
#define FAILED	     3	     /* exit status of a daemon that ended in no way of its own */

extern char **environ;

struct mount {
	struct mount_options options; /* strings are owned */
	char *mountpoint, *source;
	int ready_fd; /* of a daemon: where its parent listens; else -1 */
	struct fuse_session *session;
	struct fuse_view view;
};

/* Options. */

void mount_options_init(struct mount_options *options)
{
	*options = (struct mount_options){ .uid = getuid(), .gid = getgid() };
}

static int parse_number(const char *text, int base, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, base);
	return errno || end == text || *end || *text == '-' || *ret > UINT32_MAX ? -EINVAL : 0;
}

static int parse_flag(struct mount_options *o, const char *word)
{
	const struct {
		const char *name;
		bool *flag, value;
	} flags[] = {
		{ "ro", &o->read_only, true },
		{ "rw", &o->read_only, false },
		{ "allow_other", &o->allow_other, true },
		{ "default_permissions", &o->default_permissions, true },
		{ "noxattr", &o->no_xattr, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strcmp(word, flags[i].name)) {
			*flags[i].flag = flags[i].value;
			return 0;
		}
	return -EINVAL;
}

static int parse_word(struct mount_options *o, const char *word)
{
	unsigned long number;

	if (!strncmp(word, "uid=", 4) && !parse_number(word + 4, 10, &number))
		o->uid = (uid_t)number;
	else if (!strncmp(word, "gid=", 4) && !parse_number(word + 4, 10, &number))
		o->gid = (gid_t)number;
	else if (!strncmp(word, "umask=", 6) && !parse_number(word + 6, 8, &number) &&
		 number <= 0777)
		o->umask = (mode_t)number;
	else if (parse_flag(o, word) < 0)
		return fail(-EINVAL, "-o %s: there is no such mount option, or not with that value",
			    word);
	return 0;
}

int mount_options_parse(struct mount_options *options, const char *text)
{
	CLEANUP(free_char) char *words = xstrdup(text);
	struct mount_options parsed = *options;
	char *rest = words, *word;
	int r = 0;

	while (!r && (word = strsep(&rest, ",")))
		if (*word)
			r = parse_word(&parsed, word);
	if (!r && parsed.allow_other && !parsed.default_permissions)
		r = fail(-EINVAL,
			 "-o allow_other lets everybody write, whatever the modes say: add "
			 "default_permissions");
	if (!r)
		*options = parsed;
	return r;
}

/* Checks. */

static int check_device(void)
{
	CLEANUP(close_fd) int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return fail(-EACCES,
			    "cannot mount: %s may not be opened by this user; become root "
			    "or have its mode changed to 0666",
			    FUSE_DEVICE);
	return fail(-ENOENT,
		    "cannot mount: %s: %s; load the kernel's module (modprobe fuse), or "
		    "give the container that device",
		    FUSE_DEVICE, strerror(errno));
}

/* The last one that was mounted there is the one that is seen. */
static bool is_ours(const char *mountpoint)
{
	FILE *table = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char line[2 * PATH_MAX];
	bool ours = false;

	while (table && getmntent_r(table, &entry, line, sizeof(line)))
		if (!strcmp(entry.mnt_dir, mountpoint))
			ours = !strcmp(entry.mnt_type, "fuse." SUBTYPE);
	if (table)
		endmntent(table);
	return ours;
}

/* A process that was killed leaves its mount behind, and every access answers ENOTCONN. */
static int detach_dead(const char *mountpoint)
{
	char *argv[] = { (char *)(uintptr_t) "fusermount3", (char *)(uintptr_t) "-uzq",
			 (char *)(uintptr_t) "--", (char *)(uintptr_t)mountpoint, NULL };
	pid_t pid;
	int status;

	if (!is_ours(mountpoint))
		return fail(-EBUSY, "cannot mount on %s: a dead mount of another program is there",
			    mountpoint);
	if (umount2(mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
		log_warning("%s: a dead mount was detached", mountpoint);
		return 0;
	}
	if (errno == EPERM && !posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) &&
	    waitpid(pid, &status, 0) == pid && !status) {
		log_warning("%s: a dead mount was detached", mountpoint);
		return 0;
	}
	return fail(-EBUSY,
		    "cannot mount on %s: a dead mount is there and cannot be detached; "
		    "umount -l it",
		    mountpoint);
}

static int check_empty(const char *mountpoint)
{
	DIR *dir = opendir(mountpoint);
	const struct dirent *entry;
	bool empty = true;

	if (!dir)
		return fail(-EACCES, "cannot mount on %s: %s", mountpoint, strerror(errno));
	while ((entry = readdir(dir)))
		empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	if (!empty)
		return fail(-EBUSY, "cannot mount on %s: the folder is not empty", mountpoint);
	return 0;
}

/* As the table of mounts has it: realpath(3) fails on the mount itself, so it is told of the folder
 * above. */
static char *path_of_dead(const char *mountpoint)
{
	CLEANUP(free_char) char *copy = xstrdup(mountpoint);
	CLEANUP(free_char) char *above = NULL;
	char *name;

	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';)
		copy[--n] = '\0';
	name = strrchr(copy, '/');
	if (name)
		*name++ = '\0';
	above = realpath(!name ? "." : *copy ? copy : "/", NULL);
	return above ? xasprintf("%s/%s", strcmp(above, "/") ? above : "", name ? name : copy)
		     : xstrdup(mountpoint);
}

static int check_mountpoint(const char *mountpoint)
{
	struct statx st;
	int r;

	if (statx(AT_FDCWD, mountpoint, 0, STATX_TYPE, &st) < 0 && errno == ENOTCONN) {
		CLEANUP(free_char) char *path = path_of_dead(mountpoint);

		r = detach_dead(path);
		if (r < 0)
			return r;
	}
	if (statx(AT_FDCWD, mountpoint, 0, STATX_TYPE, &st) < 0)
		return fail(errno == ENOENT ? -ENOENT : -EACCES, "cannot mount on %s: %s",
			    mountpoint, strerror(errno));
	if (!S_ISDIR(st.stx_mode))
		return fail(-EINVAL, "cannot mount on %s: it is not a folder", mountpoint);
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return fail(-EBUSY, "cannot mount on %s: something is mounted there already",
			    mountpoint);
	return check_empty(mountpoint);
}

/* The daemon. */

static sigset_t stop_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

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
	setsid();
	m->ready_fd = fds[1];
	return 0;
}

int mount_prepare(const struct mount_options *options, struct mount **ret, int *ret_status)
{
	struct mount *m;
	sigset_t signals = stop_signals();
	char *mountpoint;
	int r = check_device();

	if (!r)
		r = check_mountpoint(options->mountpoint);
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
	r = options->foreground ? 0 : become_daemon(m, ret_status);
	if (r) {
		mount_free(m);
		return r;
	}
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	*ret = m;
	return 0;
}

void mount_free(struct mount *m)
{
	if (!m)
		return;
	close_fd(&m->ready_fd);
	free(m->mountpoint);
	free(m->source);
	free(m);
}

/* Readiness. */

/* The protocol of sd_notify(3): one datagram to the socket that the service manager named. */
static void notify_manager(void)
{
	static const char message[] = "READY=1";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	CLEANUP(close_fd) int fd = -1;

	if (!n || n >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, n);
	if (path[0] == '@') /* an abstract name */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, message, strlen(message), MSG_NOSIGNAL, (const struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warning("NOTIFY_SOCKET %s cannot be told of readiness: %s", path,
			    strerror(errno));
}

/* The terminal is let go of, and the folder that the program was started in. */
static void leave_terminal(struct mount *m)
{
	CLEANUP(close_fd) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

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
		notify_manager();
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

	strbuf_addstr(&words, "subtype=" SUBTYPE ",fsname=pubfs#");
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
	sigset_t signals = stop_signals();
	int r;

	if (!config)
		return fail(-EIO, "cannot serve %s: out of memory", m->mountpoint);
	fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
	fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE);
	pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	r = fuse_session_loop_mt(m->session, config);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	fuse_loop_cfg_destroy(config);
	if (r < 0)
		return fail(-EIO, "the mount on %s failed: %s", m->mountpoint, strerror(-r));
	return 0;
}

static int mount_and_run(struct mount *m)
{
	int r;

	/* a shell turns SIGINT off for what it starts with `&`, and libfuse leaves that so */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (fuse_set_signal_handlers(m->session) < 0)
		return fail(-EIO, "cannot mount on %s: its signals cannot be handled",
			    m->mountpoint);
	errno = 0;
	r = fuse_session_mount(m->session, m->mountpoint);
	if (r < 0) {
		r = fail(-EIO, "cannot mount on %s: %s", m->mountpoint,
			 errno ? strerror(errno) : "fusermount3 refuses it, or is missing");
	} else {
		r = run_loop(m);
		fuse_session_unmount(m->session);
	}
	fuse_remove_signal_handlers(m->session);
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

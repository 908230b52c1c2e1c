/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_gcs.c - starts fake-gcs-server on a port that the kernel chooses, and finds out which.
 *
 * It does not say the port that it got. So its listening socket is looked for: the one among its
 * descriptors that the kernel's table has as listening. No port is guessed, none can be lost to
 * another process, and whoever answers there is the process that was started here.
 */
#include "fake_gcs.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"
#include "strbuf.h"

#define START_TRIES 3000 /* of 10 ms each */
#define LISTENING   0x0a /* in /proc/net/tcp */

struct fake_gcs {
	pid_t id;
	char *url;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fake_gcs: %s: %s\n", what, strerror(errno));
	abort();
}

/* The first line that scripts/setup says: the path, or why there is none. */
static bool find_program(struct strbuf *out)
{
	char line[4096];
	FILE *said = popen("'" SETUP "' --where fake-gcs-server 2>&1", "r");

	must(said, "popen");
	if (fgets(line, sizeof(line), said))
		strbuf_add(out, line, strcspn(line, "\n"));
	return pclose(said) == 0;
}

static bool has_socket(pid_t id, unsigned long inode)
{
	CLEANUP(free_char) char *folder = xasprintf("/proc/%d/fd", id);
	CLEANUP(free_char) char *wanted = xasprintf("socket:[%lu]", inode);
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		CLEANUP(free_char) char *path = xasprintf("%s/%s", folder, entry->d_name);
		char target[64];
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = '\0';
		found = !strcmp(target, wanted);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* 0: it does not listen yet. */
static unsigned listening_port(pid_t id)
{
	FILE *table = fopen("/proc/net/tcp", "r");
	unsigned port, state, found = 0;
	unsigned long inode;
	char line[512];

	must(table, "/proc/net/tcp");
	while (!found && fgets(line, sizeof(line), table))
		if (sscanf(line, "%*s %*x:%x %*s %x %*s %*s %*s %*s %*s %lu", &port, &state,
			   &inode) == 3 &&
		    state == LISTENING && has_socket(id, inode))
			found = port;
	fclose(table);
	return found;
}

static void run_program(const char *program, pid_t parent)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl(program, program, "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1",
	      "-port", "0", "-log-level", "error", (char *)NULL);
	_exit(1);
}

int fake_gcs_start(struct fake_gcs **ret, struct strbuf *why)
{
	CLEANUP(strbuf_release) struct strbuf program = STRBUF_INIT(4096);
	struct fake_gcs *f;
	pid_t parent = getpid();
	unsigned port = 0;

	if (!find_program(&program)) {
		strbuf_addstr(why, program.buf);
		return -ENOENT;
	}
	f = xcalloc(1, sizeof(*f));
	f->id = fork();
	must(f->id >= 0, "fork");
	if (!f->id)
		run_program(program.buf, parent);
	for (int i = 0; !port; i++) {
		must(waitpid(f->id, NULL, WNOHANG) == 0, "fake-gcs-server ended by itself");
		must(i < START_TRIES, "fake-gcs-server does not listen");
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		port = listening_port(f->id);
	}
	f->url = xasprintf("http://127.0.0.1:%u", port);
	*ret = f;
	return 0;
}

void fake_gcs_stop(struct fake_gcs *f)
{
	kill(f->id, SIGKILL); /* it keeps nothing that it could lose */
	must(waitpid(f->id, NULL, 0) == f->id, "waitpid");
	free(f->url);
	free(f);
}

const char *fake_gcs_url(const struct fake_gcs *f)
{
	return f->url;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* server.c - a private PostgreSQL server: initdb and pg_ctl of Debian's postgresql-15. Which one it is,
 * the environment says, so that the processes below the one that started it know it, too. */
#include "server.h"

#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"

#define PROGRAMS    "/usr/lib/postgresql/15/bin/"
#define NOBODY	    65534
#define SERVER_USER "pubfs_test"

static const char *folder(void)
{
	return getenv(SERVER_FOLDER);
}

/* A shell command, in the folder, as a user who may run a server. */
static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *fmt, ...)
{
	CLEANUP(free_char) char *command = NULL;
	va_list ap;
	pid_t child;
	int status;

	va_start(ap, fmt);
	if (vasprintf(&command, fmt, ap) < 0)
		abort();
	va_end(ap);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
			_exit(126);
		if (chdir(folder()))
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool make_cluster(void)
{
	char name[] = "/tmp/pubfs-postgresql-XXXXXX"; /* a socket's path must be short */

	if (!mkdtemp(name))
		return false;
	setenv(SERVER_FOLDER, name, 1);
	if (geteuid() == 0 && chown(name, NOBODY, NOBODY))
		return false;
	return chmod(name, 0755) == 0 &&
	       run(PROGRAMS "initdb -D cluster -U " SERVER_USER " -A trust -N -E UTF8 --no-locale"
			    " --no-instructions >output 2>&1");
}

static bool stop(void)
{
	return run(PROGRAMS "pg_ctl stop -D cluster -w -m immediate >>output 2>&1");
}

bool server_start(void)
{
	if (access(PROGRAMS "initdb", X_OK)) {
		fprintf(stderr, "there is no " PROGRAMS "initdb: scripts/setup --tests installs it\n");
		return false;
	}
	if (!folder() && !make_cluster())
		return false;
	return run(PROGRAMS "pg_ctl start -D cluster -w -l log -o \"-k %s -c listen_addresses=''"
			    " -c fsync=off -c max_connections=60 -c deadlock_timeout=100ms"
			    " -c max_prepared_transactions=4\""
			    " >>output 2>&1 </dev/null",
		   folder());
}

void server_kill(void)
{
	if (!stop())
		abort();
}

void server_stop(void)
{
	if (!folder())
		return;
	stop();
	run("rm -rf cluster log output");
	rmdir(folder());
	unsetenv(SERVER_FOLDER);
}

const char *server_conninfo(void)
{
	static char text[256];

	snprintf(text, sizeof(text), "host=%s user=" SERVER_USER, folder());
	return text;
}

char *server_url(const char *database)
{
	return xasprintf("postgresql://" SERVER_USER "@/%s?host=%s", database, folder());
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* server.c - a private PostgreSQL server: initdb and pg_ctl of Debian's postgresql-15. Which one it
 * is, the environment says, so that the processes below the one that started it know it, too. */
#include "server.h"

#include <grp.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"

#define PROGRAMS    "/usr/lib/postgresql/15/bin/"
#define NOBODY	    65534
#define SERVER_USER "pubfs_test"

static pid_t keeper; /* of the server that this process started last */

static const char *folder(void)
{
	return getenv(SERVER_FOLDER);
}

/* In a child: in the folder, as a user who may run a server. */
static void become_server(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)))
		_exit(126);
	if (chdir(folder()))
		_exit(126);
}

/* A shell command. */
static bool run(const char *command)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		become_server();
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

/* Ends with the process that started it, however that one ends. */
static void end_with(pid_t parent, int signal)
{
	if (prctl(PR_SET_PDEATHSIG, signal) || getppid() != parent)
		_exit(126);
}

static void be_server(pid_t parent)
{
	become_server();
	end_with(parent, SIGQUIT);
	if (!freopen("/dev/null", "r", stdin) || !freopen("log", "a", stdout) || dup2(1, 2) < 0)
		_exit(126);
	execl(PROGRAMS "postgres", "postgres", "-D", "cluster", "-k", folder(), "-c",
	      "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60", "-c",
	      "deadlock_timeout=100ms", "-c", "max_prepared_transactions=4", NULL);
	_exit(127);
}

/* Stands between, for as long as the parent lives: Criterion must not find a child of its own dead
 * that is no test. */
static void be_keeper(pid_t parent)
{
	pid_t self = getpid(), server;

	end_with(parent, SIGKILL);
	server = fork();
	if (server == 0)
		be_server(self);
	waitpid(server, NULL, 0);
	for (;;)
		pause();
}

static bool wait_until_it_answers(void)
{
	const struct timespec nap = { .tv_nsec = 20 * 1000 * 1000 };
	CLEANUP(free_char) char *info = xasprintf("%s dbname=postgres", server_conninfo());

	for (int i = 0; i < 3000; i++) {
		if (PQping(info) == PQPING_OK)
			return true;
		nanosleep(&nap, NULL);
	}
	fprintf(stderr, "the server does not answer: %s/log\n", folder());
	return false;
}

bool server_start(void)
{
	pid_t parent = getpid();

	if (access(PROGRAMS "initdb", X_OK)) {
		fprintf(stderr, "there is no " PROGRAMS "initdb: scripts/setup --tests installs it\n");
		return false;
	}
	if (!folder() && !make_cluster())
		return false;
	keeper = fork();
	if (keeper == 0)
		be_keeper(parent);
	return keeper > 0 && wait_until_it_answers();
}

/* By the id that it left in its folder, whoever started it. */
static bool stop(void)
{
	return run(PROGRAMS "pg_ctl stop -D cluster -w -m immediate >>output 2>&1");
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
	if (keeper > 0 && !kill(keeper, SIGKILL))
		waitpid(keeper, NULL, 0);
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

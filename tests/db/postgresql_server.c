/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql_server.c - a private server for shell tests: prints its URL, and ends with SIGTERM.
 * Exit status 77: there is no PostgreSQL on this system. */
#include <signal.h>
#include <stdio.h>

#include "memory.h"
#include "server.h"

int main(void)
{
	CLEANUP(free_char) char *url = NULL;
	sigset_t ends;
	int signal;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if (!server_start()) {
		server_stop();
		return 77;
	}
	url = server_url("postgres");
	printf("%s\n", url);
	fflush(stdout);
	sigwait(&ends, &signal);
	server_stop();
	return 0;
}

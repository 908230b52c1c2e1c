/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gcs_server.c - the test server as a program.
 *
 *	gcs_server [COMMAND...]		each a line of a script, see server.h
 *
 * Prints its URL, and serves until SIGTERM or SIGINT.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "server.h"

int main(int argc, char **argv)
{
	struct gcs_server *s;
	sigset_t ending;
	int got, status = 0;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ending, NULL); /* before there is a thread */
	signal(SIGPIPE, SIG_IGN);
	s = gcs_server_start();
	for (int i = 1; i < argc && !status; i++) {
		if (gcs_server_script(s, argv[i]) < 0) {
			fprintf(stderr, "gcs_server: cannot do: %s\n", argv[i]);
			status = 2;
		}
	}
	if (!status) {
		puts(gcs_server_url(s));
		fflush(stdout);
		sigwait(&ending, &got);
	}
	gcs_server_stop(s);
	return status;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_gcs_server.c - fake-gcs-server for shell scripts.
 *
 * Prints its URL, and serves until SIGTERM or SIGINT. Status 77: it is not installed; the one line
 * on standard error says why.
 */
#include <signal.h>
#include <stdio.h>

#include "fake_gcs.h"
#include "strbuf.h"

#define STATUS_SKIP 77

int main(void)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(4096);
	struct fake_gcs *f;
	sigset_t ending;
	int got;

	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	if (fake_gcs_start(&f, &why) < 0) {
		fprintf(stderr, "%s\n", why.buf);
		return STATUS_SKIP;
	}
	puts(fake_gcs_url(f));
	fflush(stdout);
	sigwait(&ending, &got);
	fake_gcs_stop(f);
	return 0;
}

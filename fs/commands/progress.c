/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.c - one line on the terminal that says how far long work has come. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define INTERVAL (SECOND_US / 10)

void progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){ .what = what, .shown = isatty(STDERR_FILENO) };
}

void progress_show(void *progress, uint64_t done, uint64_t total)
{
	struct progress *p = progress;
	int64_t now = clock_monotonic();

	if (!p->shown || (p->drawn && now - p->last < INTERVAL))
		return;
	p->last = now;
	p->drawn = true;
	fprintf(stderr, "\r%s: %" PRIu64 " of %" PRIu64 " (%" PRIu64 " %%)\033[K", p->what, done,
		total, total ? done * 100 / total : 100);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->drawn)
		fputs("\r\033[K", stderr);
	p->drawn = false;
}

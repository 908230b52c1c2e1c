/* SPDX-License-Identifier: BSD-3-Clause */
/* progress.h - how far long work has come, on a terminal; elsewhere nothing is shown. */
#ifndef PUBFS_PROGRESS_H
#define PUBFS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "verify"; borrowed */
	bool shown;	  /* standard error is a terminal */
	bool drawn;	  /* there is a line of ours on it */
	int64_t last;	  /* monotonic microseconds */
};

void progress_begin(struct progress *p, const char *what);
/* Draws the line anew, ten times a second at most. One call at a time; fits as a callback. */
void progress_show(void *progress, uint64_t done, uint64_t total);
/* Takes the line away, before anything else is printed. */
void progress_end(struct progress *p);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.h - the last lines of something that goes on for as long as the mount does. */
#ifndef PUBFS_JOURNAL_H
#define PUBFS_JOURNAL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct strbuf;

#define JOURNAL_LINES 1000

/* A ring: the oldest line stands at `total % JOURNAL_LINES` once it is full. */
struct journal {
	pthread_mutex_t lock; /* of all below; taken last */
	char *lines[JOURNAL_LINES];
	uint64_t total;
};

void journal_init(struct journal *j);
void journal_release(struct journal *j);

/* Takes what is in `line`, without its newline, out of it. */
void journal_add(struct journal *j, struct strbuf *line);
/* How many there have been. */
uint64_t journal_total(struct journal *j);
/* Appends the lines, the oldest first. -E2BIG. */
int journal_text(struct journal *j, struct strbuf *out) MUST_CHECK;

#endif

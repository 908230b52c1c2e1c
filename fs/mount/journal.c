/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.c - the last lines of something that goes on for as long as the mount does. */
#include "journal.h"

#include <stdlib.h>

#include "strbuf.h"

void journal_init(struct journal *j)
{
	*j = (struct journal){ .total = 0 };
	pthread_mutex_init(&j->lock, NULL);
}

void journal_release(struct journal *j)
{
	for (size_t i = 0; i < JOURNAL_LINES; i++)
		free(j->lines[i]);
	pthread_mutex_destroy(&j->lock);
}

void journal_add(struct journal *j, struct strbuf *line)
{
	char **slot;

	pthread_mutex_lock(&j->lock);
	slot = &j->lines[j->total++ % JOURNAL_LINES];
	free(*slot);
	*slot = strbuf_detach(line);
	pthread_mutex_unlock(&j->lock);
}

uint64_t journal_total(struct journal *j)
{
	uint64_t total;

	pthread_mutex_lock(&j->lock);
	total = j->total;
	pthread_mutex_unlock(&j->lock);
	return total;
}

int journal_text(struct journal *j, struct strbuf *out)
{
	uint64_t i;

	pthread_mutex_lock(&j->lock);
	i = j->total > JOURNAL_LINES ? j->total - JOURNAL_LINES : 0;
	for (; i < j->total; i++) {
		strbuf_addstr(out, j->lines[i % JOURNAL_LINES]);
		strbuf_addch(out, '\n');
	}
	pthread_mutex_unlock(&j->lock);
	return strbuf_error(out);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch.c - the bytes of a file that lives in the mount alone. */
#include "scratch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "memory.h"

struct scratch *scratch_new(struct spool_space *space, uint64_t serial, mode_t mode)
{
	struct scratch *s = xcalloc(1, sizeof(*s));

	s->serial = serial;
	s->refs = 1;
	s->mtime = clock_now();
	s->mode = mode & 07777;
	turn_init(&s->turn);
	spool_init(&s->spool, space);
	return s;
}

struct scratch *scratch_get(struct scratch *s)
{
	s->refs++;
	return s;
}

void scratch_put(struct scratch *s)
{
	if (!s)
		return;
	assert(s->refs);
	if (--s->refs)
		return;
	spool_release(&s->spool);
	turn_release(&s->turn);
	free(s);
}

ssize_t scratch_read(struct scratch *s, uint64_t offset, void *buf, size_t n)
{
	ssize_t r = turn_begin(&s->turn);

	if (r < 0)
		return r;
	r = s->failed ? s->failed : spool_read(&s->spool, offset, buf, n);
	turn_end(&s->turn);
	return r;
}

/* With the turn. */
static void note_change(struct scratch *s, ssize_t r)
{
	if (r < 0) {
		s->failed = (int)r;
		return;
	}
	s->size = s->spool.size;
	s->mtime = clock_now();
}

/* With the turn. */
static int may_change(const struct scratch *s)
{
	if (s->failed)
		return s->failed;
	if (s->published)
		return fail(-ESTALE,
			    "a scratch file that is still open was renamed, which published "
			    "it: what is written to it now would be lost; open the new name");
	return 0;
}

int scratch_open(struct scratch *s, bool cut)
{
	int r = turn_begin(&s->turn);

	if (r < 0)
		return r;
	if (s->published) {
		r = -ESTALE;
	} else if (cut) {
		spool_release(&s->spool);
		s->failed = 0;
		note_change(s, 0);
	}
	turn_end(&s->turn);
	return r;
}

ssize_t scratch_write(struct scratch *s, bool append, uint64_t offset, const void *buf, size_t n)
{
	ssize_t r = turn_begin(&s->turn);

	if (r < 0)
		return r;
	r = may_change(s);
	if (!r) {
		r = spool_write(&s->spool, append ? s->spool.size : offset, buf, n);
		note_change(s, r);
	}
	turn_end(&s->turn);
	return r;
}

int scratch_truncate(struct scratch *s, uint64_t size)
{
	int r = turn_begin(&s->turn);

	if (r < 0)
		return r;
	r = may_change(s);
	if (!r) {
		r = spool_truncate(&s->spool, size);
		note_change(s, r);
	}
	turn_end(&s->turn);
	return r;
}

int scratch_failure(struct scratch *s)
{
	int r = turn_begin(&s->turn);

	if (r < 0)
		return r;
	r = s->failed;
	turn_end(&s->turn);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parts.c - a big list, read in parts side by side.
 *
 * A list tells no more of itself than what it has shown, so it begins as one. Whoever has read
 * CHECK names more may cut what is left of its own part in two, and a new thread takes the second
 * half, behind the key that parts_cut() guesses. Each cut costs at most one page more, so there are
 * no more than the names that were read pay for (cuts_paid()).
 *
 * 1. A part is [from, end). `end` moves down only, and never below what was shown. A cut is the
 *    least key behind another one, so that a part is asked for from its first name on: one name
 *    more may be one page more.
 * 2. A part that fails ends the others, which are not finished then.
 *
 * `lock` guards the table of parts; it is not held over a call of the sink or store.
 */
#include "parts.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "log.h"
#include "memory.h"

#define PARTS_MAX 64
#define CHECK	  1000	 /* names: a page */
#define BIG	  10000	 /* names that one thread reads before there is a second one */
#define FREE_CUTS 2	 /* whatever it was worth */
#define CUT_EACH  100000 /* names for each one more: one page in a hundred */

/* The letters of names lie below, nearly all of them. */
#define LAST_LETTER ('z' + 1)

struct part {
	struct parts *parts;
	char *after; /* what its list begins behind; NULL: the first one's */
	char *from;  /* the least key behind that, or the prefix */
	char *end;	     /* NULL: that of the prefix; moved by the part's own thread alone */
	char *before, *last; /* shown: at the last check, and now; NULL: nothing */
	unsigned unchecked;  /* names since then */
	void *sink_part;
	pthread_t thread; /* unless it is the first one */
	int result;
};

struct parts {
	struct store *store;
	const char *prefix;
	const struct parts_sink *sink;
	void *ctx;
	struct interrupt interrupt; /* what the caller asks */
	atomic_bool failed;
	pthread_mutex_t lock; /* of all below */
	unsigned long shown;
	struct part *all[PARTS_MAX];
	unsigned n;
};

static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/* Half-way between the letter at `last`[n] and that of `end`, or NULL: they are too close. */
static char *cut_at(const char *last, size_t n, const char *end)
{
	bool bounded = end && common(last, end) >= n;
	int low = (unsigned char)last[n];
	int high = LAST_LETTER;

	if (bounded && (unsigned char)end[n] < LAST_LETTER)
		high = (unsigned char)end[n];
	if (high - low < 2)
		return NULL;
	return xasprintf("%.*s%c", (int)n, last, low + (high - low) / 2);
}

char *parts_cut(const char *prefix, const char *before, const char *last, const char *end)
{
	size_t top = strlen(prefix), n = common(before, last);
	char *cut;

	while (n > top && last[n - 1] != '/') /* the folder that is being read */
		n--;
	if (n > top) {
		cut = xstrndup(last, n);
		cut[n - 1] = '/' + 1;
		if (!end || strcmp(cut, end) < 0) /* others may follow it */
			return cut;
		free(cut);
	}
	cut = cut_at(last, n, end);
	return cut || !last[n] ? cut : cut_at(last, n + 1, end);
}

static unsigned cuts_paid(unsigned long shown)
{
	return shown < BIG ? 0 : FREE_CUTS + (unsigned)(shown / CUT_EACH);
}

static void *run_part(void *arg);

/* No name has a NUL: nothing lies between. */
static char *least_behind(const char *key)
{
	return xasprintf("%s\x01", key);
}

/* With the lock held: what is left of the part is cut, if that pays. */
static void cut_part(struct part *part)
{
	struct parts *ps = part->parts;
	CLEANUP(free_char) char *cut = NULL;
	CLEANUP(free_char) char *from = NULL;
	struct part *second;

	if (ps->n >= ps->store->parts || ps->n >= PARTS_MAX || ps->n > cuts_paid(ps->shown))
		return;
	cut = parts_cut(ps->prefix, part->before ? part->before : part->last, part->last,
			part->end);
	from = cut ? least_behind(cut) : NULL;
	if (!from || (part->end && strcmp(from, part->end) >= 0))
		return;
	assert(strcmp(cut, part->last) > 0);
	second = xcalloc(1, sizeof(*second));
	*second = (struct part){ .parts = ps, .after = cut, .from = from, .end = part->end };
	if (pthread_create(&second->thread, NULL, run_part, second)) { /* then this one reads on */
		free(second);
		return;
	}
	log_debug("a list goes on behind %s too", cut);
	part->end = xstrdup(from);
	ps->all[ps->n++] = second;
	cut = from = NULL;
}

/* True when the key belongs to the part, as it is now. */
static bool take_key(struct part *part, const char *key)
{
	struct parts *ps = part->parts;
	bool own;

	pthread_mutex_lock(&ps->lock);
	own = !part->end || strcmp(key, part->end) < 0;
	if (own) {
		ps->shown++;
		free(part->last);
		part->last = xstrdup(key);
		if (++part->unchecked >= CHECK) {
			cut_part(part);
			free(part->before);
			part->before = xstrdup(key);
			part->unchecked = 0;
		}
	}
	pthread_mutex_unlock(&ps->lock);
	return own;
}

#define PART_ENDS 1 /* what tells the store to show no more */

static int show(void *ctx, const struct object *obj)
{
	struct part *part = ctx;

	if (atomic_load(&part->parts->failed) || !take_key(part, obj->key))
		return PART_ENDS;
	part->result = part->parts->sink->show(part->sink_part, obj);
	return part->result < 0 ? PART_ENDS : 0;
}

static int list_part(struct part *part)
{
	struct parts *ps = part->parts;
	CLEANUP(free_char) char *end = xstrdup_or_null(part->end); /* cuts are seen by take_key() */
	int r = end ? store_list_part(ps->store, ps->prefix, part->after, end, show, part)
		    : store_list(ps->store, ps->prefix, true, part->after, show, part);

	if (part->result < 0)
		return part->result;
	if (r < 0)
		return r;
	return atomic_load(&ps->failed) ? -ECANCELED : ps->sink->finish(part->sink_part, part->end);
}

static void *run_part(void *arg)
{
	struct part *part = arg;
	struct parts *ps = part->parts;

	interrupt_set(ps->interrupt.asked, ps->interrupt.ctx);
	part->sink_part = ps->sink->begin(ps->ctx, part->from);
	part->result = list_part(part);
	if (part->result < 0)
		atomic_store(&ps->failed, true);
	return NULL;
}

int parts_list(struct store *s, const char *prefix, const struct parts_sink *sink, void *ctx)
{
	struct parts ps = { .store = s,
			    .prefix = prefix,
			    .sink = sink,
			    .ctx = ctx,
			    .interrupt = interrupt_get() };
	int r = 0;

	pthread_mutex_init(&ps.lock, NULL);
	ps.all[0] = xcalloc(1, sizeof(*ps.all[0]));
	ps.all[0]->parts = &ps;
	ps.all[0]->from = xstrdup(prefix);
	ps.n = 1;
	run_part(ps.all[0]);
	for (unsigned i = 0;; i++) {
		struct part *part;
		bool more;

		pthread_mutex_lock(&ps.lock);
		more = i < ps.n; /* a part that runs may add others behind it */
		part = more ? ps.all[i] : NULL;
		pthread_mutex_unlock(&ps.lock);
		if (!more)
			break;
		if (part->after)
			pthread_join(part->thread, NULL);
		if (part->result < 0 && (r == 0 || r == -ECANCELED))
			r = part->result;
		sink->release(ctx, part->sink_part);
		free(part->after);
		free(part->from);
		free(part->before);
		free(part->last);
		free(part->end);
		free(part);
	}
	pthread_mutex_destroy(&ps.lock);
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retry.c - the link that asks again where a store answered with passing trouble (-EAGAIN).
 *
 * A call is repeated after a pause that doubles, of which a random part is taken, so that many
 * clients do not come back together; a server that names a time is not asked earlier. When the
 * deadline has passed since the call began to stand still, what the trouble was is said, and -EIO
 * returned.
 *
 * 1. -EAGAIN never goes up. Nothing else is repeated.
 * 2. A list goes on behind the last name that was shown: none appears twice.
 * 3. A change whose answer was lost may have been made. Its repetition then meets its own work, as
 *    -ESTALE: what is there is compared with what was sent, and is a success if it is that. Where
 *    only the bytes are other ones, they were damaged on the way, and it is made again in their
 *    place.
 * 4. An object that was changed too often (429) is changed at most once in SPACING from then on.
 *
 * `lock` guards `spaced` and `seed`; it is not held while anything waits.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

#include "body.h"
#include "clock.h"
#include "driver.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "trouble.h"

#define FIRST_PAUSE (SECOND_US / 4)
#define LAST_PAUSE  (8 * SECOND_US)
#define SPACING	    SECOND_US	     /* Google's limit for one object */
#define SPACED_FOR  (60 * SECOND_US) /* no 429 for so long: it is forgotten */
#define SLICE	    (SECOND_US / 20) /* how soon a cancel is seen */

struct spaced {
	UT_hash_handle hh;
	int64_t next, until; /* monotonic */
	char key[];
};

struct retry_store {
	struct store store;
	struct retry_options opt;
	pthread_mutex_t lock;
	struct spaced *spaced;
	unsigned seed;
};

/* One call, over all its repetitions. */
struct attempt {
	struct retry_store *rs;
	const char *verb, *what;
	int64_t began; /* when it ceased to go on; 0: it did not */
	int64_t pause;
	unsigned tries;
};

static struct retry_store *retry_of(struct store *s)
{
	return (struct retry_store *)s;
}

static int64_t real_clock(void *ctx)
{
	(void)ctx;
	return clock_monotonic();
}

static int real_sleep(void *ctx, int64_t us)
{
	const atomic_bool *cancel = ctx;
	int64_t end = clock_monotonic() + us, left;

	while ((left = end - clock_monotonic()) > 0) {
		struct timespec ts;

		if ((cancel && atomic_load(cancel)) || interrupt_asked())
			return -ECANCELED;
		left = left < SLICE ? left : SLICE;
		ts = (struct timespec){ .tv_nsec = (long)left * 1000 };
		nanosleep(&ts, NULL);
	}
	return 0;
}

static int64_t now(struct retry_store *rs)
{
	return rs->opt.clock(rs->opt.ctx);
}

/* Between half of the pause and all of it. */
static int64_t jitter(struct retry_store *rs, int64_t pause)
{
	int64_t random;

	pthread_mutex_lock(&rs->lock);
	random = rand_r(&rs->seed);
	pthread_mutex_unlock(&rs->lock);
	return pause / 2 + random % (pause / 2 + 1);
}

/* Waits before the next try. 0: try again. -EIO: the deadline is over (said). -ECANCELED. */
static int wait_again(struct attempt *a)
{
	struct retry_store *rs = a->rs;
	const struct trouble *t = trouble_last();
	int64_t wait, time = now(rs);

	if (!a->began) {
		a->began = time - t->still;
		a->pause = FIRST_PAUSE;
	}
	a->tries++;
	wait = jitter(rs, a->pause);
	if (wait < t->wait)
		wait = t->wait;
	if (time + wait - a->began > rs->opt.deadline)
		return fail(-EIO, "gave up to %s %s after %u tries: %s", a->verb, a->what, a->tries,
			    t->text);
	log_info("%s %s again in %lld ms: %s", a->verb, a->what, (long long)wait / 1000, t->text);
	a->pause = a->pause * 2 < LAST_PAUSE ? a->pause * 2 : LAST_PAUSE;
	return rs->opt.sleep(rs->opt.ctx, wait);
}

/* Runs `call` until it answers anything but -EAGAIN, or there is no more time. */
#define AGAIN(a, call)                                                                             \
	__extension__({                                                                            \
		int r_;                                                                            \
                                                                                                   \
		do {                                                                               \
			r_ = (call);                                                               \
			if (r_ != -EAGAIN)                                                         \
				break;                                                             \
			r_ = wait_again(a);                                                        \
		} while (!r_);                                                                     \
		r_;                                                                                \
	})

static int retry_stat(struct store *s, const char *key, struct object *ret)
{
	struct attempt a = { .rs = retry_of(s), .verb = "look at", .what = key };

	return AGAIN(&a, store_stat(s->next, key, ret));
}

static int retry_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		      size_t length, struct strbuf *out)
{
	struct attempt a = { .rs = retry_of(s), .verb = "read", .what = key };

	return AGAIN(&a, store_read(s->next, key, generation, offset, length, out));
}

struct progress {
	object_fn *fn;
	void *ctx;
	char *last;   /* shown; owned */
	bool stopped; /* by fn */
	struct attempt *attempt;
};

static int note_progress(void *ctx, const struct object *obj)
{
	struct progress *p = ctx;
	int r = p->fn(p->ctx, obj);

	free(p->last);
	p->last = xstrdup(obj->key);
	p->stopped = r != 0;
	p->attempt->began = 0; /* it goes on: the deadline is for standing still */
	return r;
}

/* What is asked for again, behind what was shown. */
struct wanted {
	const char *prefix, *after, *end; /* end NULL: of the prefix */
	bool deep;
};

static int list_once(struct store *s, const struct wanted *w, struct progress *p, int *stopped)
{
	CLEANUP(free_char) char *from = xstrdup_or_null(p->last ? p->last : w->after);
	int r = w->end ? store_list_part(s->next, w->prefix, from, w->end, note_progress, p)
		       : store_list(s->next, w->prefix, w->deep, from, note_progress, p);

	*stopped = r;
	return p->stopped ? 0 : r;
}

static int list_wanted(struct store *s, const struct wanted *w, object_fn *fn, void *ctx)
{
	struct attempt a = { .rs = retry_of(s),
			     .verb = "list",
			     .what = *w->prefix ? w->prefix : s->url };
	struct progress p = { .fn = fn, .ctx = ctx, .attempt = &a };
	int stopped = 0;
	int r = AGAIN(&a, list_once(s, w, &p, &stopped));

	free(p.last);
	return p.stopped ? stopped : r;
}

static int retry_list(struct store *s, const char *prefix, bool deep, const char *after,
		      object_fn *fn, void *ctx)
{
	const struct wanted w = { .prefix = prefix, .after = after, .deep = deep };

	return list_wanted(s, &w, fn, ctx);
}

static int retry_list_part(struct store *s, const char *prefix, const char *after, const char *end,
			   object_fn *fn, void *ctx)
{
	const struct wanted w = { .prefix = prefix, .after = after, .end = end, .deep = true };

	return list_wanted(s, &w, fn, ctx);
}

/* With the lock held. Forgets what was not met for long. */
static struct spaced *find_spaced(struct retry_store *rs, const char *key, int64_t time)
{
	struct spaced *found, *at, *next;

	HASH_ITER(hh, rs->spaced, at, next)
	{
		if (at->until > time)
			continue;
		HASH_DEL(rs->spaced, at);
		free(at);
	}
	HASH_FIND_STR(rs->spaced, key, found);
	return found;
}

/* How long a change of this object must wait for its turn, which it takes. */
static int64_t take_turn(struct retry_store *rs, const char *key)
{
	int64_t time = now(rs), wait = 0;
	struct spaced *sp;

	pthread_mutex_lock(&rs->lock);
	sp = find_spaced(rs, key, time);
	if (sp) {
		if (sp->next < time)
			sp->next = time;
		wait = sp->next - time;
		sp->next += SPACING;
	}
	pthread_mutex_unlock(&rs->lock);
	return wait;
}

static void note_too_many(struct retry_store *rs, const char *key)
{
	int64_t time = now(rs);
	struct spaced *sp;

	pthread_mutex_lock(&rs->lock);
	sp = find_spaced(rs, key, time);
	if (!sp) {
		sp = xcalloc(1, sizeof(*sp) + strlen(key) + 1);
		strcpy(sp->key, key);
		sp->next = time + SPACING;
		HASH_ADD_STR(rs->spaced, key, sp);
	}
	sp->until = time + SPACED_FOR;
	pthread_mutex_unlock(&rs->lock);
}

/* The size and checksums of what the edit is to put there. `ret` is no more of an object. */
static int expected_bytes(const struct edit *e, struct object *ret)
{
	CLEANUP(object_release) struct object source = { .generation = 0 };
	int r;

	if (e->op == EDIT_WRITE) {
		ret->size = e->body->size;
		ret->has_md5 = ret->has_crc32c = true;
		return checksum_body(e->body, ret->md5, &ret->crc32c);
	}
	r = edit_source(e, &source);
	if (r == 0)
		object_set_facts(ret, &source);
	return r;
}

/* By MD5, and where one was composed and has none, by CRC-32C. */
static bool has_same_bytes(const struct object *a, const struct object *b)
{
	if (a->size != b->size)
		return false;
	if (a->has_md5 && b->has_md5)
		return !memcmp(a->md5, b->md5, MD5_SIZE);
	return a->has_crc32c && b->has_crc32c && a->crc32c == b->crc32c;
}

/* Whose work is there, where the edit meets what it did not expect. */
enum work { OTHERS_WORK, OWN_WORK, OWN_DAMAGED };

/* Sets the facts of its own work; and of a damaged one, the condition. */
static enum work find_own_work(struct store *s, struct edit *e)
{
	CLEANUP(object_release) struct object now = { .generation = 0 };
	struct attempt a = { .rs = retry_of(s), .verb = "look at", .what = e->object.key };
	struct object expected = { .generation = 0 };

	if (e->op == EDIT_REMOVE || AGAIN(&a, store_stat(s->next, e->object.key, &now)) < 0 ||
	    !object_same_headers(&now, &e->object) || now.validated != e->object.validated)
		return OTHERS_WORK;
	if (e->op == EDIT_TOUCH && !generation_meets(now.generation, e->if_generation))
		return OTHERS_WORK;
	if (e->op != EDIT_TOUCH && expected_bytes(e, &expected) < 0)
		return OTHERS_WORK;
	if (e->op != EDIT_TOUCH && !has_same_bytes(&now, &expected)) {
		if (e->op != EDIT_WRITE || !e->object.has_sha256)
			return OTHERS_WORK;
		e->if_generation = now.generation;
		e->if_metageneration = 0;
		return OWN_DAMAGED;
	}
	log_info("%s was changed though the answer was lost", e->object.key);
	object_set_facts(&e->object, &now);
	return OWN_WORK;
}

static int edit_once(struct store *s, struct edit *e)
{
	struct retry_store *rs = retry_of(s);
	int64_t turn = take_turn(rs, e->object.key);
	int r = turn ? rs->opt.sleep(rs->opt.ctx, turn) : 0;

	if (r == 0)
		r = store_edit(s->next, e, 1);
	if (r == -EAGAIN && trouble_last()->too_many)
		note_too_many(rs, e->object.key);
	return r;
}

static int retry_one(struct store *s, struct edit *e)
{
	static const char *const verbs[] = {
		[EDIT_WRITE] = "write",
		[EDIT_COPY] = "copy",
		[EDIT_TOUCH] = "touch",
		[EDIT_REMOVE] = "remove",
	};
	struct attempt a = { .rs = retry_of(s), .verb = verbs[e->op], .what = e->object.key };
	enum work work;
	int r;

	do {
		r = AGAIN(&a, edit_once(s, e));
		if (r != -ESTALE || !a.tries)
			return r;
		work = find_own_work(s, e);
		if (work != OWN_DAMAGED)
			return work == OWN_WORK ? 0 : r;
		trouble(0, false, "what arrived is not what was sent");
		r = wait_again(&a);
	} while (r == 0);
	return r;
}

/* Removals that go together, and those of them that have to be asked for again. */
struct removals {
	struct edit *edits; /* the caller's */
	struct edit *left;  /* copies, whose objects are the caller's, */
	size_t *of;	    /* of these */
	size_t n;
};

static int remove_once(struct store *s, struct removals *x, struct attempt *a)
{
	size_t left = 0;

	(void)!store_edit(s->next, x->left, x->n); /* each has its result */
	for (size_t i = 0; i < x->n; i++) {
		x->edits[x->of[i]].result = x->left[i].result;
		if (x->left[i].result != -EAGAIN)
			continue;
		x->left[left] = x->left[i];
		x->of[left++] = x->of[i];
	}
	if (left < x->n)
		a->began = 0; /* it goes on */
	x->n = left;
	return left ? -EAGAIN : 0;
}

static void retry_removals(struct store *s, struct edit *edits, size_t n)
{
	struct attempt a = { .rs = retry_of(s), .verb = "remove", .what = edits->object.key };
	struct removals x = { .edits = edits,
			      .left = xcalloc(n, sizeof(*x.left)),
			      .of = xcalloc(n, sizeof(*x.of)),
			      .n = n };
	int r;

	for (size_t i = 0; i < n; i++) {
		x.left[i] = edits[i];
		x.of[i] = i;
	}
	r = AGAIN(&a, remove_once(s, &x, &a));
	for (size_t i = 0; i < x.n; i++)
		edits[x.of[i]].result = r;
	free(x.left);
	free(x.of);
}

static int retry_edit(struct store *s, struct edit *edits, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t run = lone_removals(edits, n, i, s->removals);

		if (run > 1)
			retry_removals(s, &edits[i], run);
		else if (!edit_canceled(edits, i))
			edits[i].result = retry_one(s, &edits[i]);
		i += run > 1 ? run : 1;
	}
	return edit_result(edits, n);
}

static int retry_refresh(struct store *s, const char *what, int64_t max_age)
{
	struct attempt a = { .rs = retry_of(s), .verb = "refresh", .what = what };

	return AGAIN(&a, store_refresh(s->next, what, max_age));
}

static void retry_close(struct store *s)
{
	struct retry_store *rs = retry_of(s);
	struct spaced *at, *next;

	HASH_ITER(hh, rs->spaced, at, next)
	{
		HASH_DEL(rs->spaced, at);
		free(at);
	}
	pthread_mutex_destroy(&rs->lock);
	free(rs);
}

static const struct store_ops retry_ops = {
	.name = "retry",
	.stat = retry_stat,
	.read = retry_read,
	.list = retry_list,
	.list_part = retry_list_part,
	.edit = retry_edit,
	.refresh = retry_refresh,
	.close = retry_close,
};

int retry_push(struct store *next, const struct retry_options *options, struct store **ret)
{
	struct retry_store *rs = xcalloc(1, sizeof(*rs));

	assert(!options->clock == !options->sleep);
	link_init(&rs->store, &retry_ops, next);
	rs->opt = *options;
	if (!rs->opt.clock) {
		rs->opt.clock = real_clock;
		rs->opt.sleep = real_sleep;
	}
	if (!rs->opt.deadline)
		rs->opt.deadline = RETRY_DEADLINE;
	rs->seed = (unsigned)clock_now();
	pthread_mutex_init(&rs->lock, NULL);
	*ret = &rs->store;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* retry_test.c - what is asked again, when, how long, and what a lost answer means; and spread. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/driver.h"
#include "../../fs/store/trouble.h"
#include "body.h"
#include "clock.h"
#include "codec.h"
#include "conformance.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define KEY "latest/api/packages/http"

/* A link that answers as it is told: the next `trouble` calls with -EAGAIN, after they took effect
 * (`lost`) or without. */
struct rough {
	struct store store;
	unsigned trouble, calls, list_shows;
	bool lost, too_many;
	int64_t wait, still;
};

static int rough_due(struct rough *x)
{
	x->calls++;
	if (!x->trouble)
		return 0;
	x->trouble--;
	trouble(x->wait, x->too_many, "the line is noisy");
	trouble_stood_still(x->still);
	return -EAGAIN;
}

static int rough_stat(struct store *s, const char *key, struct object *ret)
{
	int r = rough_due((struct rough *)s);

	return r ? r : store_stat(s->next, key, ret);
}

static int rough_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		      size_t length, struct strbuf *out)
{
	int r = rough_due((struct rough *)s);

	return r ? r : store_read(s->next, key, generation, offset, length, out);
}

struct shown {
	object_fn *fn;
	void *ctx;
	unsigned left;
	int64_t wait;
};

static int show_some(void *ctx, const struct object *obj)
{
	struct shown *sh = ctx;

	if (!sh->left)
		return trouble(sh->wait, false, "cut");
	sh->left--;
	return sh->fn(sh->ctx, obj);
}

static int rough_list(struct store *s, const char *prefix, bool deep, const char *after,
		      object_fn *fn, void *ctx)
{
	struct rough *x = (struct rough *)s;
	struct shown sh = { fn, ctx, x->list_shows, x->wait };

	x->calls++;
	if (!x->trouble)
		return store_list(s->next, prefix, deep, after, fn, ctx);
	x->trouble--;
	return store_list(s->next, prefix, deep, after, show_some, &sh);
}

static int rough_edit(struct store *s, struct edit *edits, size_t n)
{
	struct rough *x = (struct rough *)s;
	int r;

	cr_assert_eq(n, 1);
	if (x->lost && x->trouble) {
		struct edit again = edits[0];

		object_copy(&again.object, &edits[0].object);
		r = store_edit(s->next, &again, 1);
		edit_release(&again, 1);
		cr_assert(r == 0 || r == -ESTALE);
	}
	edits[0].result = rough_due(x);
	return edits[0].result ? edits[0].result : store_edit(s->next, edits, n);
}

static void rough_close(struct store *s)
{
	(void)s;
}

static const struct store_ops rough_ops = {
	.name = "rough",
	.stat = rough_stat,
	.read = rough_read,
	.list = rough_list,
	.edit = rough_edit,
	.close = rough_close,
};

/* The stack, and a clock that goes only while somebody sleeps. */
static struct {
	struct rough rough;
	struct store *s;
	int64_t time, slept[64];
	unsigned n_slept;
	int sleep_result;
} w;

static int64_t fake_clock(void *ctx)
{
	(void)ctx;
	return w.time;
}

static int fake_sleep(void *ctx, int64_t us)
{
	(void)ctx;
	cr_assert_lt(w.n_slept, ARRAY_SIZE(w.slept));
	w.slept[w.n_slept++] = us;
	w.time += us;
	return w.sleep_result;
}

static void open_world(void)
{
	const struct retry_options options = { .clock = fake_clock, .sleep = fake_sleep };
	struct store *mem;

	memset(&w, 0, sizeof(w));
	w.time = 1000;
	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	link_init(&w.rough.store, &rough_ops, mem);
	cr_assert_eq(retry_push(&w.rough.store, &options, &w.s), 0);
}

static void close_world(void)
{
	store_close(w.s);
}

TestSuite(retry, .init = open_world, .fini = close_world);

#define X(check)                                                                                   \
	Test(retry_link, check, .init = open_world, .fini = close_world)                           \
	{                                                                                          \
		conformance_##check(w.s);                                                          \
	}
CONFORMANCE(X)
#undef X

Test(retry, every_verb_is_asked_again)
{
	struct strbuf out = STRBUF_INIT(100);
	struct object obj;

	w.rough.trouble = 2;
	cr_assert_eq(put_text(w.s, KEY, "x", STORE_ABSENT, NULL), 0);
	w.rough.trouble = 2;
	cr_assert_eq(store_stat(w.s, KEY, &obj), 0);
	object_release(&obj);
	w.rough.trouble = 2;
	cr_assert_eq(store_read(w.s, KEY, STORE_ANY, 0, 10, &out), 0);
	cr_assert_str_eq(out.buf, "x");
	strbuf_release(&out);
	w.rough.trouble = 2;
	expect_list(w.s, "", true, NULL, KEY " ");
	w.rough.trouble = 2;
	cr_assert_eq(remove_key(w.s, KEY, STORE_ANY), 0);
	cr_assert_eq(w.rough.calls, 15);
	cr_assert_eq(w.n_slept, 10);
}

Test(retry, an_expected_answer_is_not_asked_again)
{
	struct object obj;

	cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
	cr_assert_eq(put_text(w.s, KEY, "x", 7, NULL), -ESTALE);
	cr_assert_eq(w.rough.calls, 2);
	cr_assert_eq(w.n_slept, 0);
}

Test(retry, pauses_double_and_a_part_is_random)
{
	struct object obj;
	int64_t whole = SECOND_US / 4;
	unsigned more = 0; /* than three quarters */

	w.rough.trouble = 7;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
	cr_assert_eq(w.n_slept, 7);
	for (unsigned i = 0; i < w.n_slept; i++) {
		cr_assert(w.slept[i] >= whole / 2 && w.slept[i] <= whole, "%u: %lld", i,
			  (long long)w.slept[i]);
		more += w.slept[i] > whole / 4 * 3;
		whole = whole * 2 < 8 * SECOND_US ? whole * 2 : 8 * SECOND_US;
	}
	/* of another 32, none of 2^32 times all lie on one side */
	for (unsigned i = 0; i < 32; i++) {
		w.rough.trouble = 1;
		cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
		more += w.slept[w.n_slept - 1] > SECOND_US / 16 * 3;
	}
	cr_assert(more > 0 && more < w.n_slept, "%u", more);
}

Test(retry, after_the_deadline_it_says_why)
{
	struct object obj = { .generation = 42 };

	w.rough.trouble = 1000;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -EIO);
	cr_assert_eq(obj.generation, 42);
	cr_assert_leq(w.time, 1000 + RETRY_DEADLINE);
	cr_assert_geq(w.time, 1000 + RETRY_DEADLINE - 8 * SECOND_US);
	cr_assert_not_null(strstr(log_last_failure(), KEY));
	cr_assert_not_null(strstr(log_last_failure(), "the line is noisy"));
}

Test(retry, a_server_that_names_a_time_is_not_asked_earlier)
{
	struct object obj;

	w.rough.trouble = 1;
	w.rough.wait = 7 * SECOND_US;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
	cr_assert_eq(w.n_slept, 1);
	cr_assert_eq(w.slept[0], 7 * SECOND_US);
}

Test(retry, a_server_that_names_a_time_behind_the_deadline_is_not_waited_for)
{
	struct object obj;

	w.rough.trouble = 1;
	w.rough.wait = RETRY_DEADLINE + 1;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -EIO);
	cr_assert_eq(w.n_slept, 0);
	w.rough.trouble = 1;
	w.rough.wait = RETRY_DEADLINE;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
}

Test(retry, a_cancel_ends_the_waiting)
{
	struct object obj;

	w.rough.trouble = 5;
	w.sleep_result = -ECANCELED;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -ECANCELED);
	cr_assert_eq(w.n_slept, 1);
}

Test(retry, a_cancel_ends_a_real_sleep)
{
	atomic_bool cancel = true;
	const struct retry_options options = { .ctx = &cancel };
	struct object obj;
	struct store *s;

	cr_assert_eq(retry_push(&w.rough.store, &options, &s), 0);
	w.rough.trouble = 1;
	w.rough.wait = 20 * SECOND_US;
	cr_assert_eq(store_stat(s, KEY, &obj), -ECANCELED);
	s->ops->close(s); /* not what lies below: the world has it */
}

static bool nobody_waits(void *ctx)
{
	(void)ctx;
	return true;
}

Test(retry, a_real_sleep_ends_when_nobody_waits_for_the_call)
{
	const struct retry_options options = { .deadline = 0 };
	struct object obj;
	struct store *s;

	cr_assert_eq(retry_push(&w.rough.store, &options, &s), 0);
	w.rough.trouble = 1;
	w.rough.wait = 20 * SECOND_US;
	interrupt_set(nobody_waits, NULL);
	cr_assert_eq(store_stat(s, KEY, &obj), -ECANCELED);
	interrupt_set(NULL, NULL);
	s->ops->close(s); /* not what lies below: the world has it */
}

Test(retry, the_time_that_a_call_stood_still_counts_for_its_deadline)
{
	struct object obj;

	w.rough.trouble = 1;
	w.rough.still = RETRY_DEADLINE / 2;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -ENOENT);
	w.rough.trouble = 1;
	w.rough.still = RETRY_DEADLINE;
	cr_assert_eq(store_stat(w.s, KEY, &obj), -EIO);
}

Test(retry, a_list_goes_on_where_it_was_cut)
{
	for (int i = 0; i < 5; i++) {
		char key[] = "a0/x";

		key[1] = (char)('0' + i);
		cr_assert_eq(put_text(w.s, key, "x", STORE_ABSENT, NULL), 0);
	}
	w.rough.trouble = 2;
	w.rough.list_shows = 2;
	expect_list(w.s, "a", true, NULL, "a0/x a1/x a2/x a3/x a4/x ");
	w.rough.trouble = 2;
	expect_list(w.s, "a", false, "a0/", "a1/ a2/ a3/ a4/ ");
	cr_assert_eq(w.rough.trouble, 0);
}

static int stop_at_once(void *ctx, const struct object *obj)
{
	(void)obj;
	return *(int *)ctx;
}

Test(retry, a_list_that_goes_on_has_all_the_time_it_needs)
{
	for (char c = 'a'; c < 'f'; c++)
		cr_assert_eq(put_text(w.s, (char[]){ c, '\0' }, "x", STORE_ABSENT, NULL), 0);
	w.rough.trouble = 4;
	w.rough.list_shows = 1;
	w.rough.wait = RETRY_DEADLINE - SECOND_US;
	expect_list(w.s, "", true, NULL, "a b c d e ");
	cr_assert_gt(w.time, 3 * RETRY_DEADLINE);
	w.rough.trouble = 2;
	w.rough.list_shows = 0;
	w.n_slept = 0;
	cr_assert_eq(store_list(w.s, "", true, NULL, stop_at_once, &w.rough.trouble), -EIO,
		     "and one that stands still has not");
}

Test(retry, what_the_callback_of_a_list_says_is_no_trouble_of_the_store)
{
	int answer = -EAGAIN;

	cr_assert_eq(put_text(w.s, KEY, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(store_list(w.s, "", true, NULL, stop_at_once, &answer), -EAGAIN);
	answer = 5;
	cr_assert_eq(store_list(w.s, "", true, NULL, stop_at_once, &answer), 5);
	cr_assert_eq(w.n_slept, 0);
}

static struct edit write_of(const struct body *body, uint64_t if_generation)
{
	struct edit e = edit_write(KEY, body, 0);

	fill_headers(&e.object);
	e.if_generation = if_generation;
	return e;
}

Test(retry, a_write_whose_answer_was_lost_is_a_success)
{
	struct body body = body_of_bytes("mine", 4);
	struct edit e = write_of(&body, STORE_ABSENT);

	w.rough.lost = true;
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), 0);
	cr_assert_eq(e.object.generation, generation_of(w.s, KEY));
	cr_assert_eq(e.object.size, 4);
	cr_assert(e.object.has_md5);
	edit_release(&e, 1);
}

Test(retry, a_copy_whose_answer_was_lost_is_a_success)
{
	struct edit e = write_of(NULL, STORE_ABSENT);

	cr_assert_eq(put_text(w.s, "source", "text", STORE_ABSENT, NULL), 0);
	e.op = EDIT_COPY;
	e.from = w.rough.store.next; /* not through the noise */
	e.from_key = "source";
	e.from_generation = STORE_ANY;
	w.rough.lost = true;
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), 0);
	edit_release(&e, 1);
	expect_text(w.s, KEY, "text");
}

Test(retry, a_touch_whose_answer_was_lost_is_a_success_and_that_of_another_is_stale)
{
	struct edit e = write_of(NULL, STORE_ANY);
	uint64_t generation;

	cr_assert_eq(put_text(w.s, KEY, "text", STORE_ABSENT, &generation), 0);
	e.op = EDIT_TOUCH;
	e.if_generation = generation;
	e.if_metageneration = 1;
	w.rough.lost = true;
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), 0);
	cr_assert_eq(e.object.metageneration, 2);
	e.object.validated += SECOND_US; /* not what is there, which has another metageneration */
	w.rough.lost = false;
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), -ESTALE);
	edit_release(&e, 1);
}

/* As composed objects are: known by their size and CRC-32C. */
static int composed_stat(struct store *s, const char *key, struct object *ret)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	int r = store_stat(s->next, key, ret);

	if (r == 0 && store_read(s->next, key, ret->generation, 0, 100, &out) == 0) {
		ret->has_md5 = false;
		ret->has_crc32c = true;
		ret->crc32c = crc32c(0, out.buf, out.len);
	}
	return r;
}

static const struct store_ops composed_ops = { .name = "composed",
					       .stat = composed_stat,
					       .close = rough_close };

Test(retry, own_work_without_an_md5_is_known_by_its_crc32c)
{
	static const char *const there[] = { "mine", "fine" };
	struct store composed;

	link_init(&composed, &composed_ops, w.rough.store.next);
	w.rough.store.next = &composed;
	for (size_t i = 0; i < ARRAY_SIZE(there); i++) {
		struct body mine = body_of_bytes("mine", 4), body = body_of_bytes(there[i], 4);
		struct edit e = write_of(&body, STORE_ANY);

		e.object.has_sha256 = false;
		cr_assert_eq(run_edit(w.s, &e, NULL), 0);
		e = write_of(&mine, STORE_ABSENT);
		e.object.has_sha256 = false;
		w.rough.trouble = 1;
		cr_assert_eq(run_edit(w.s, &e, NULL), i ? -ESTALE : 0, "%s", there[i]);
	}
	w.rough.store.next = composed.next;
}

/* All says that they are its own, but they are other bytes than were sent. */
Test(retry, own_work_that_was_damaged_is_made_again)
{
	static const struct {
		bool claimed;
		int result;
		const char *text;
	} rows[] = { { true, 0, "mine" }, { false, -ESTALE, "mime" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct body mine = body_of_bytes("mine", 4), damaged = body_of_bytes("mime", 4);
		struct edit e = write_of(&damaged, STORE_ANY);

		e.object.has_sha256 = rows[i].claimed;
		cr_assert_eq(run_edit(w.s, &e, NULL), 0);
		e = write_of(&mine, STORE_ABSENT);
		e.object.has_sha256 = rows[i].claimed;
		w.rough.trouble = 1;
		cr_expect_eq(run_edit(w.s, &e, NULL), rows[i].result);
		expect_text(w.s, KEY, rows[i].text);
	}
}

Test(retry, a_write_that_another_one_overtook_is_stale)
{
	struct body body = body_of_bytes("mine", 4);
	uint64_t generation;
	struct edit e;

	/* other bytes are there */
	cr_assert_eq(put_text(w.s, KEY, "theirs", STORE_ABSENT, &generation), 0);
	e = write_of(&body, STORE_ABSENT);
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), -ESTALE);
	edit_release(&e, 1);
	/* the same bytes, but other headers */
	cr_assert_eq(put_text(w.s, KEY, "mine", generation, NULL), 0);
	e = write_of(&body, STORE_ABSENT);
	w.rough.trouble = 1;
	cr_assert_eq(store_edit(w.s, &e, 1), -ESTALE);
	edit_release(&e, 1);
}

Test(retry, without_trouble_before_it_a_lost_race_is_not_looked_into)
{
	struct body body = body_of_bytes("mine", 4);
	struct edit e = write_of(&body, STORE_ABSENT);
	unsigned calls;

	cr_assert_eq(store_edit(w.s, &e, 1), 0);
	edit_release(&e, 1);
	e = write_of(&body, STORE_ABSENT);
	calls = w.rough.calls;
	cr_assert_eq(store_edit(w.s, &e, 1), -ESTALE);
	cr_assert_eq(w.rough.calls, calls + 1);
	edit_release(&e, 1);
}

Test(retry, an_object_that_was_changed_too_often_is_changed_once_a_second)
{
	uint64_t generation;

	w.rough.trouble = 1;
	w.rough.too_many = true;
	cr_assert_eq(put_text(w.s, KEY, "x", STORE_ABSENT, &generation), 0);
	cr_assert_geq(w.time, 1000 + SECOND_US);
	for (int i = 1; i <= 3; i++) {
		int64_t before = w.time;

		cr_assert_eq(put_text(w.s, KEY, "y", STORE_ANY, NULL), 0);
		cr_assert_eq(w.time - before, SECOND_US, "%d", i);
	}
	w.n_slept = 0;
	cr_assert_eq(put_text(w.s, "other", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(w.n_slept, 0, "other objects are not held up");
	w.time += MINUTE_US;
	cr_assert_eq(put_text(w.s, KEY, "y", STORE_ANY, NULL), 0);
	cr_assert_eq(w.n_slept, 0, "after a while it is forgotten");
}

/* Lets two calls of store_edit() meet: each waits for the other. */
static struct {
	pthread_barrier_t barrier;
} both;

static int meet_edit(struct store *s, struct edit *edits, size_t n)
{
	pthread_barrier_wait(&both.barrier);
	return store_edit(s->next, edits, n);
}

static const struct store_ops meet_ops = { .name = "meet",
					   .edit = meet_edit,
					   .close = rough_close };

Test(spread, groups_are_made_side_by_side)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edits[4] = { edit_write("a", &body, 1), edit_write("b", &body, 1),
				 edit_write("c", &body, 2), edit_write("d", &body, 2) };
	struct store meet, *mem, *s;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	link_init(&meet, &meet_ops, mem);
	cr_assert_eq(spread_push(&meet, 2, &s), 0);
	pthread_barrier_init(&both.barrier, NULL, 2);
	cr_assert_eq(store_edit(s, edits, 4), 0);
	edit_release(edits, 4);
	expect_list(s, "", true, NULL, "a b c d ");
	store_close(s);
}

/* The first edit stands still until it is let go. */
static struct {
	pthread_barrier_t begun, let_go;
} still;

static int still_edit(struct store *s, struct edit *edits, size_t n)
{
	pthread_barrier_wait(&still.begun);
	pthread_barrier_wait(&still.let_go);
	return store_edit(s->next, edits, n);
}

static const struct store_ops still_ops = { .name = "still",
					    .edit = still_edit,
					    .close = rough_close };

static void *write_key(void *ctx)
{
	cr_assert_eq(put_text(ctx, KEY, "x", STORE_ABSENT, NULL), 0);
	return NULL;
}

static bool leaves(void *ctx)
{
	(void)ctx;
	return true;
}

Test(spread, who_waits_for_its_turn_can_leave, .timeout = 20)
{
	struct store link, *mem, *s;
	pthread_t first;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	link_init(&link, &still_ops, mem);
	cr_assert_eq(spread_push(&link, 1, &s), 0);
	pthread_barrier_init(&still.begun, NULL, 2);
	pthread_barrier_init(&still.let_go, NULL, 2);
	cr_assert_eq(pthread_create(&first, NULL, write_key, s), 0);
	pthread_barrier_wait(&still.begun);
	interrupt_set(leaves, NULL);
	cr_assert_eq(put_text(s, "other", "x", STORE_ABSENT, NULL), -ECANCELED);
	interrupt_set(NULL, NULL);
	pthread_barrier_wait(&still.let_go);
	pthread_join(first, NULL);
	expect_list(s, "", true, NULL, KEY " ");
	store_close(s);
}

#define CROWD	4
#define CALLERS 8

/* Each edit waits until as many run as may: so that many do, and a further one would be seen. */
static struct {
	pthread_barrier_t barrier;
	atomic_uint running, most;
} crowd;

static int crowd_edit(struct store *s, struct edit *edits, size_t n)
{
	unsigned running = atomic_fetch_add(&crowd.running, 1) + 1, most = crowd.most;
	int r;

	while (running > most && !atomic_compare_exchange_weak(&crowd.most, &most, running))
		;
	pthread_barrier_wait(&crowd.barrier);
	r = store_edit(s->next, edits, n);
	atomic_fetch_sub(&crowd.running, 1);
	return r;
}

static const struct store_ops crowd_ops = { .name = "crowd",
					    .edit = crowd_edit,
					    .close = rough_close };

static void *edit_groups(void *ctx)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edits[CROWD];

	for (unsigned i = 0; i < CROWD; i++)
		edits[i] = edit_write(KEY, &body, i);
	cr_assert_eq(store_edit(ctx, edits, CROWD), 0);
	edit_release(edits, CROWD);
	return NULL;
}

Test(spread, no_more_run_side_by_side_than_was_said_whoever_calls)
{
	pthread_t callers[CALLERS];
	struct store link, *mem, *s;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	link_init(&link, &crowd_ops, mem);
	cr_assert_eq(spread_push(&link, CROWD, &s), 0);
	pthread_barrier_init(&crowd.barrier, NULL, CROWD);
	for (unsigned i = 0; i < CALLERS; i++)
		cr_assert_eq(pthread_create(&callers[i], NULL, edit_groups, s), 0);
	for (unsigned i = 0; i < CALLERS; i++)
		pthread_join(callers[i], NULL);
	cr_assert_eq(crowd.most, CROWD, "%u", crowd.most);
	store_close(s);
}

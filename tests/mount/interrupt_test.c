/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt_test.c - whose calls end early: those of a caller that is about to end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/mount/caller.h"
#include "../../fs/store/driver.h"
#include "interrupt.h"
#include "tree_world.h"

static void on_signal(int signal)
{
	(void)signal;
}

/* A child that stands still, so that what is sent to it stays pending. */
static pid_t stopped_child(int blocked, int ignored, int caught)
{
	pid_t pid = fork();
	sigset_t set;

	if (pid) {
		waitpid(pid, NULL, WUNTRACED);
		return pid;
	}
	for (int s = 1; s < SIGSYS; s++)
		if (s != SIGKILL && s != SIGSTOP)
			signal(s, SIG_DFL);
	sigemptyset(&set);
	if (blocked)
		sigaddset(&set, blocked);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (ignored)
		signal(ignored, SIG_IGN);
	if (caught)
		signal(caught, on_signal);
	raise(SIGSTOP);
	for (;;)
		pause();
}

Test(interrupt, a_caller_is_dying_when_a_pending_signal_will_end_it)
{
	static const struct {
		int blocked, ignored, caught, sent;
		bool dying;
	} rows[] = {
		{ 0, 0, 0, 0, false },
		{ 0, 0, 0, SIGTERM, true },
		{ 0, 0, 0, SIGINT, true },
		{ 0, 0, 0, SIGQUIT, true },
		{ SIGTERM, 0, 0, SIGTERM, false },
		{ SIGTERM, 0, 0, SIGINT, true },
		{ 0, SIGINT, 0, SIGINT, false },
		{ 0, 0, SIGALRM, SIGALRM, false },
		{ 0, 0, SIGCHLD, SIGCHLD, false },
		{ 0, 0, SIGURG, SIGURG, false },
		{ 0, 0, 0, SIGTSTP, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pid_t pid = stopped_child(rows[i].blocked, rows[i].ignored, rows[i].caught);

		if (rows[i].sent)
			kill(pid, rows[i].sent);
		cr_expect_eq(caller_is_dying(pid), rows[i].dying, "row %zu", i);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		cr_expect(caller_is_dying(pid), "one that is gone");
	}
}

/* As a container sees those who use its mount from outside of it. */
Test(interrupt, a_caller_that_cannot_be_seen_is_neither_dying_nor_killed)
{
	cr_assert_not(caller_is_dying(0));
	cr_assert_not(caller_was_killed(0));
}

/* A link whose reads stand still until they may go on, or nobody waits for them. */
struct gate {
	struct store store;
	atomic_bool open;
	atomic_uint entered;
};

static int gate_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		     size_t length, struct strbuf *out)
{
	struct gate *gate = (struct gate *)s;

	gate->entered++;
	while (!gate->open) {
		if (interrupt_asked())
			return -ECANCELED;
		sched_yield();
	}
	return store_read(s->next, key, generation, offset, length, out);
}

static const struct store_ops gate_ops = { .name = "gate", .read = gate_read };

struct reader {
	struct world *w;
	uint64_t id;
	atomic_bool left;
	int result;
	pthread_t thread;
};

static bool has_left(void *ctx)
{
	return *(const atomic_bool *)ctx;
}

static void *read_all(void *ctx)
{
	struct reader *reader = ctx;
	struct file *f;

	interrupt_set(has_left, &reader->left);
	reader->result = tree_open(reader->w->tree, reader->id, O_RDONLY, &f);
	interrupt_set(NULL, NULL);
	if (!reader->result)
		file_close(f);
	return NULL;
}

static void start_reader(struct reader *reader, struct world *w, uint64_t id)
{
	*reader = (struct reader){ .w = w, .id = id };
	cr_assert_eq(pthread_create(&reader->thread, NULL, read_all, reader), 0);
}

Test(interrupt, a_reader_that_leaves_takes_no_other_with_it)
{
	struct world w = world_make(LONG_TTL);
	struct gate gate = { .open = false };
	struct reader first, second, third;
	struct node node;

	link_init(&gate.store, &gate_ops, w.store);
	w.options.store = &gate.store;
	world_remake(&w);
	put_document(w.driver, LATEST "http", "bytes", false);
	cr_assert_eq(tree_resolve(w.tree, LATEST "http", &node), 0);
	start_reader(&first, &w, node.id); /* it fetches; the others wait for it */
	while (!gate.entered)
		sched_yield();
	start_reader(&second, &w, node.id);
	start_reader(&third, &w, node.id);
	second.left = true;
	pthread_join(second.thread, NULL);
	cr_assert_eq(second.result, -ECANCELED);
	first.left = true;
	pthread_join(first.thread, NULL);
	cr_assert_eq(first.result, -ECANCELED);
	while (gate.entered < 2) /* the third one fetches it now */
		sched_yield();
	gate.open = true;
	pthread_join(third.thread, NULL);
	cr_assert_eq(third.result, 0);
	tree_forget(w.tree, node.id, 1);
	world_remove(&w);
}

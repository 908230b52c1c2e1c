/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model_stress.c - random operations of two actors on one bucket, each answer compared with that
 * of a model.
 *
 *	model_stress [--seed N] [--operations N] [--mounts FOLDER FOLDER]
 *
 * Without mounts it drives two trees of this process, in rounds, each with a bucket of its own; a
 * difference is made as small as can be before it is told. The seed is printed: with it, and the
 * number of operations, everything comes again.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compiler.h"
#include "log.h"
#include "memory.h"
#include "model.h"

#define ROUND 500 /* operations on one bucket of trees */
#define SHOWN 40  /* operations before a difference on mounts */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OPERATIONS 15000
#else
#define OPERATIONS 200000
#endif

static bool same_answer(const struct answer *expected, const struct answer *got)
{
	return expected->r == got->r && expected->is_dir == got->is_dir &&
	       (!expected->has_size || expected->size == got->size) &&
	       expected->text.len == got->text.len &&
	       !memcmp(expected->text.buf, got->text.buf, got->text.len);
}

/* One operation on both. False: they differ, and if `out` is not NULL, that is told. */
static bool step(struct model *m, struct subject *s, uint64_t seed, unsigned n, unsigned *ret_made,
		 FILE *out)
{
	struct op op = op_draw(seed, n);
	struct answer expected, got;
	bool defined, same = true;

	answer_init(&expected);
	answer_init(&got);
	defined = (op.kind != OP_REMOUNT || s->can_remount) && model_run(m, &op, &expected);
	if (defined) {
		s->run(s, &op, &got);
		same = same_answer(&expected, &got);
		++*ret_made;
	}
	if (out && defined) {
		fprintf(out, "%7u ", n);
		op_print(&op, out);
		fputs(": ", out);
		answer_print(&got, out);
		fputs("\n", out);
		if (!same) {
			fputs("        expected: ", out);
			answer_print(&expected, out);
			fputs("\n", out);
		}
	}
	op_release(&op);
	answer_release(&expected);
	answer_release(&got);
	return same;
}

/* The operations `numbers` on a new bucket. The index of the first difference, or -1. */
static long run_trees(uint64_t seed, const unsigned *numbers, size_t n, unsigned *ret_made,
		      FILE *out)
{
	struct subject *s = subject_tree_new();
	struct model *m = model_new();
	long differs = -1;

	for (size_t i = 0; i < n && differs < 0; i++)
		if (!step(m, s, seed, numbers[i], ret_made, out))
			differs = (long)i;
	model_free(m);
	s->free(s);
	return differs;
}

/* Leaves out what the difference does not need: halves, quarters, ... single operations. */
static size_t shrink(uint64_t seed, unsigned *numbers, size_t n)
{
	for (size_t piece = n / 2; piece; piece /= 2)
		for (size_t at = 0; at + piece < n;) {
			unsigned fewer[ROUND], made = 0;
			long differs;

			memcpy(fewer, numbers, at * sizeof(*numbers));
			memcpy(fewer + at, numbers + at + piece,
			       (n - at - piece) * sizeof(*numbers));
			differs = run_trees(seed, fewer, n - piece, &made, NULL);
			if (differs < 0) {
				at += piece;
				continue;
			}
			n = (size_t)differs + 1;
			memcpy(numbers, fewer, n * sizeof(*numbers));
		}
	return n;
}

static int drive_trees(uint64_t seed, unsigned operations)
{
	unsigned made = 0;

	for (unsigned done = 0; done < operations; done += ROUND) {
		unsigned numbers[ROUND];
		long differs;

		for (unsigned i = 0; i < ROUND; i++)
			numbers[i] = done + i;
		differs = run_trees(seed, numbers, ROUND, &made, NULL);
		if (differs >= 0) {
			size_t n = shrink(seed, numbers, (size_t)differs + 1);

			printf("a difference; the operations that it needs:\n");
			run_trees(seed, numbers, n, &made, stdout);
			return 1;
		}
	}
	printf("%u operations, %u of them with a defined answer: no difference\n", operations,
	       made);
	return 0;
}

static int drive_mounts(uint64_t seed, unsigned operations, char *const *mountpoints)
{
	struct subject *s = subject_mount_new(mountpoints);
	struct model *m = model_new();
	unsigned made = 0, n = 0;
	char *text[SHOWN] = { 0 };
	bool same = true;

	for (; same && n < operations; n++) {
		size_t size;
		FILE *out;

		free(text[n % SHOWN]);
		out = open_memstream(&text[n % SHOWN], &size);
		if (!out)
			err(1, "memory");
		same = step(m, s, seed, n, &made, out);
		fclose(out);
	}
	for (unsigned i = 0; !same && i < SHOWN; i++)
		if (text[(n + i) % SHOWN])
			fputs(text[(n + i) % SHOWN], stdout);
	for (size_t i = 0; i < SHOWN; i++)
		free(text[i]);
	model_free(m);
	s->free(s);
	printf("%u operations, %u of them with a defined answer: %s\n", n, made,
	       same ? "no difference" : "a difference, after the last operations above");
	return !same;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
	unsigned operations = OPERATIONS;
	char **mounts = NULL;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--operations") && i + 1 < argc)
			operations = (unsigned)strtoul(argv[++i], NULL, 10);
		else if (!strcmp(argv[i], "--mounts") && i + MODEL_ACTORS < argc)
			mounts = &argv[i + 1], i += MODEL_ACTORS;
		else
			errx(2, "usage: model_stress [--seed N] [--operations N] [--mounts FOLDER "
				"FOLDER]");
	}
	log_set_mute(true); /* refusals are said by the thousand */
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	return mounts ? drive_mounts(seed, operations, mounts) : drive_trees(seed, operations);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* model.h - what a tree must answer, kept in a few plain tables; and the operations that ask it. */
#ifndef PUBFS_TESTS_MOUNT_MODEL_H
#define PUBFS_TESTS_MOUNT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "strbuf.h"

/* Two actors, each with a mount of its own on one bucket, and with open files in numbered slots. */
#define MODEL_ACTORS   2
#define MODEL_SLOTS    4
#define MODEL_TEXT_MAX ((size_t)1 << 16)

enum op_kind {
	OP_STAT,
	OP_LIST,
	OP_READ_ALL,
	OP_ATTRIBUTE, /* user.pubfs.sha256, by path */
	OP_SAVE,      /* open with O_TRUNC, write, close: as cp does */
	OP_CUT,	      /* truncate(2), by path */
	OP_OPEN,
	OP_READ,
	OP_WRITE,
	OP_TRUNCATE,
	OP_FSYNC,
	OP_CLOSE,
	OP_UNLINK,
	OP_MKDIR,
	OP_RMDIR,
	OP_RENAME,
	OP_REMOUNT, /* the actor's mount ends, with what is open there, and begins again */
	OP_KINDS,
};

struct op {
	enum op_kind kind;
	unsigned actor, slot;
	const char *path, *to; /* of model_paths */
	int flags;	       /* OP_OPEN: as in open(2); OP_RENAME: as in renameat2(2) */
	uint64_t offset;
	char *text; /* OP_SAVE, OP_WRITE: owned */
};

/* The n-th document that is right at this path (of a scratch name: at the path it is meant for). */
#define MODEL_VARIANTS 12
char *model_document(const char *path, unsigned variant);

/* `r`: 0, or a negative errno. `text`: names, or bytes that were read. */
struct answer {
	int r;
	bool is_dir, has_size;
	uint64_t size;
	struct strbuf text;
};

/* The n-th operation of a seed: the same in every run, whatever came before it. */
struct op op_draw(uint64_t seed, unsigned n);
void op_release(struct op *op);
void op_print(const struct op *op, FILE *out);
void answer_init(struct answer *answer);
void answer_release(struct answer *answer);
void answer_print(const struct answer *answer, FILE *out);

struct model;
struct model *model_new(void);
void model_free(struct model *m);
/* False: the answer is not defined, so the operation must not be made. */
bool model_run(struct model *m, const struct op *op, struct answer *ret);

/* What is compared with the model. */
struct subject {
	bool can_remount; /* else it is never asked to */
	void (*run)(struct subject *s, const struct op *op, struct answer *ret);
	void (*free)(struct subject *s);
};
struct subject *subject_tree_new(void);
/* Two folders on which one bucket is mounted. */
struct subject *subject_mount_new(char *const mountpoints[MODEL_ACTORS]);

#endif

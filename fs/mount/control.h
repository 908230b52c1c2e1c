/* SPDX-License-Identifier: BSD-3-Clause */
/* control.h - the files below `.pubfs`, which say what the mount does. */
#ifndef PUBFS_CONTROL_H
#define PUBFS_CONTROL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

struct caller;
struct strbuf;
struct tree;

#define CONTROL_FOLDER	     ".pubfs"
#define CONTROL_FOLDER_MODE  0700
#define CONTROL_FILE_MODE    0600
#define CONTROL_REFUSALS_MAX 1000
#define CONTROL_TEXT_MAX     ((size_t)64 << 20)

struct refusal {
	int64_t time;
	char *path, *reason;
	pid_t pid;
	uid_t uid;
};

/* The last refusals of the gate: a ring, the oldest at `total % CONTROL_REFUSALS_MAX` once full. */
struct refusals {
	pthread_mutex_t lock; /* of all below; taken last */
	struct refusal ring[CONTROL_REFUSALS_MAX];
	uint64_t total;
};

void refusals_init(struct refusals *refusals);
void refusals_release(struct refusals *refusals);
void refusals_add(struct refusals *refusals, const char *path, const struct caller *who,
		  const char *reason);
uint64_t refusals_total(struct refusals *refusals);

/* The name of the n-th file, or NULL. */
const char *control_name(size_t n);
/* Appends the text of one as it is now. -ENOENT: no such file. */
int control_text(struct tree *t, const char *name, struct strbuf *out) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* control.h - the files below `.pubfs`: what the mount says of itself, and what it can be told. */
#ifndef PUBFS_CONTROL_H
#define PUBFS_CONTROL_H

#include <stddef.h>
#include <sys/types.h>

#include "compiler.h"

struct caller;
struct publication;
struct strbuf;
struct tree;

#define CONTROL_FOLDER	    ".pubfs"
#define CONTROL_FOLDER_MODE 0700
#define CONTROL_FILE_MODE   0600
#define CONTROL_TEXT_MAX    ((size_t)64 << 20)
#define CONTROL_INPUT_MAX   ((size_t)4 << 20) /* of one write, with what it is the end of */

/* The name of the n-th file, or NULL. */
const char *control_name(size_t n);
/* Appends the text of one as it is now. -ENOENT: no such file. */
int control_text(struct tree *t, const char *name, struct strbuf *out) MUST_CHECK;

/* 0: it may be opened for writing. -EACCES: it can only be read; -ENOTSUP: there is nothing that
 * could do it (both said). */
int control_may_write(struct tree *t, const char *name) MUST_CHECK;
/* Does what the whole lines say before it returns; what comes behind the last newline is kept in
 * `rest`, and done by control_flush(). -EINVAL: no name of a package, or too long (said). */
int control_write(struct tree *t, const char *name, struct strbuf *rest, const void *bytes,
		  size_t n) MUST_CHECK;
int control_flush(struct tree *t, const char *name, struct strbuf *rest) MUST_CHECK;

/* What becomes a line of `rejected`, and one of `changes`. */
void control_note_refusal(struct tree *t, const char *path, const struct caller *who,
			  const char *reason);
void control_note_change(void *tree, const struct publication *p);

#endif

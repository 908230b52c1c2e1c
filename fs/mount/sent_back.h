/* SPDX-License-Identifier: BSD-3-Clause */
/* sent_back.h - callers that were sent back to look a name up again, and what they come for. */
#ifndef PUBFS_SENT_BACK_H
#define PUBFS_SENT_BACK_H

#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "inode.h"

/* Who was sent back comes again at once, or never; so the oldest are forgotten beyond this. */
#define SENT_BACK_MAX 256

struct file;

struct sent_back_key {
	uint64_t number, task; /* of the path, see inode_number(), and the caller */
};

struct sent_back_entry {
	struct sent_back_key key;
	uint64_t node; /* from which it was sent back */
	enum inode_use use;
	int flags;	   /* of its open */
	struct file *file; /* opened for it when it looked the name up again; NULL: it has not */
	UT_hash_handle hh;
};

struct sent_back {
	struct sent_back_entry *entries; /* the oldest first */
};

/* The files of all entries are left to the caller. */
void sent_back_release(struct sent_back *s);
/* The file of an entry that makes room for this one, to be closed, or NULL. */
struct file *sent_back_note(struct sent_back *s, pid_t task, const struct inode *inode,
			    enum inode_use use, int flags) MUST_CHECK;
/* NULL: it was not sent back from there. */
struct sent_back_entry *sent_back_find(const struct sent_back *s, pid_t task, uint64_t number);
void sent_back_forget(struct sent_back *s, struct sent_back_entry *entry);

#endif

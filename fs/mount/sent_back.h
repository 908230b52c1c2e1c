/* SPDX-License-Identifier: BSD-3-Clause */
/* sent_back.h - callers that were sent back to look a name up again, and what they come for. */
#ifndef PUBFS_SENT_BACK_H
#define PUBFS_SENT_BACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "inode.h"

/* Who was sent back comes again at once, or never; so the oldest are forgotten beyond this. */
#define SENT_BACK_MAX 256

struct sent_back_entry;
struct sent_back {
	struct sent_back_entry *entries; /* the oldest first */
};

void sent_back_release(struct sent_back *s);
void sent_back_note(struct sent_back *s, pid_t task, const struct inode *inode, enum inode_use use);
/* `number`: of the path, see inode_number(). INODE_UNUSED: it was not sent back from there. */
enum inode_use sent_back_find(const struct sent_back *s, pid_t task, uint64_t number);
/* True when it was sent back from that very node. */
bool sent_back_from(const struct sent_back *s, pid_t task, const struct inode *inode,
		    enum inode_use use);
void sent_back_forget(struct sent_back *s, pid_t task, uint64_t number);

#endif

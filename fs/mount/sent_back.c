/* SPDX-License-Identifier: BSD-3-Clause */
/* sent_back.c - callers that were sent back to look a name up again, and what they come for. */
#include "sent_back.h"

#include <stdlib.h>

#include "memory.h"

struct sent_back_entry *sent_back_find(const struct sent_back *s, pid_t task, uint64_t number)
{
	const struct sent_back_key key = { .number = number, .task = (uint64_t)task };
	struct sent_back_entry *entry;

	HASH_FIND(hh, s->entries, &key, sizeof(key), entry);
	return entry;
}

void sent_back_forget(struct sent_back *s, struct sent_back_entry *entry)
{
	HASH_DEL(s->entries, entry);
	free(entry);
}

void sent_back_release(struct sent_back *s)
{
	while (s->entries)
		sent_back_forget(s, s->entries);
}

struct file *sent_back_note(struct sent_back *s, pid_t task, const struct inode *inode,
			    enum inode_use use, int flags)
{
	struct sent_back_entry *entry = sent_back_find(s, task, inode->number);
	struct file *left = NULL;

	if (!entry && HASH_COUNT(s->entries) >= SENT_BACK_MAX)
		entry = s->entries;
	if (entry) {
		left = entry->file;
		sent_back_forget(s, entry);
	}
	entry = xcalloc(1, sizeof(*entry));
	entry->key = (struct sent_back_key){ .number = inode->number, .task = (uint64_t)task };
	entry->node = inode->id;
	entry->use = use;
	entry->flags = flags;
	HASH_ADD(hh, s->entries, key, sizeof(entry->key), entry);
	return left;
}

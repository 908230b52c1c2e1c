/* SPDX-License-Identifier: BSD-3-Clause */
/* sent_back.c - callers that were sent back to look a name up again, and what they come for. */
#include "sent_back.h"

#include <stdlib.h>

#include "memory.h"

struct sent_back_key {
	uint64_t number, task;
};

struct sent_back_entry {
	struct sent_back_key key;
	enum inode_use use;
	uint64_t node;
	UT_hash_handle hh;
};

static struct sent_back_entry *find(const struct sent_back *s, pid_t task, uint64_t number)
{
	const struct sent_back_key key = { .number = number, .task = (uint64_t)task };
	struct sent_back_entry *entry;

	HASH_FIND(hh, s->entries, &key, sizeof(key), entry);
	return entry;
}

static void drop(struct sent_back *s, struct sent_back_entry *entry)
{
	HASH_DEL(s->entries, entry);
	free(entry);
}

void sent_back_release(struct sent_back *s)
{
	while (s->entries)
		drop(s, s->entries);
}

void sent_back_note(struct sent_back *s, pid_t task, const struct inode *inode, enum inode_use use)
{
	struct sent_back_entry *entry;

	sent_back_forget(s, task, inode->number);
	while (HASH_COUNT(s->entries) >= SENT_BACK_MAX)
		drop(s, s->entries);
	entry = xcalloc(1, sizeof(*entry));
	entry->key = (struct sent_back_key){ .number = inode->number, .task = (uint64_t)task };
	entry->use = use;
	entry->node = inode->id;
	HASH_ADD(hh, s->entries, key, sizeof(entry->key), entry);
}

enum inode_use sent_back_find(const struct sent_back *s, pid_t task, uint64_t number)
{
	const struct sent_back_entry *entry = find(s, task, number);

	return entry ? entry->use : INODE_UNUSED;
}

bool sent_back_from(const struct sent_back *s, pid_t task, const struct inode *inode,
		    enum inode_use use)
{
	const struct sent_back_entry *entry = find(s, task, inode->number);

	return entry && entry->node == inode->id && entry->use == use;
}

void sent_back_forget(struct sent_back *s, pid_t task, uint64_t number)
{
	struct sent_back_entry *entry = find(s, task, number);

	if (entry)
		drop(s, entry);
}

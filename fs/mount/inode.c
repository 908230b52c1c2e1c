/* SPDX-License-Identifier: BSD-3-Clause */
/* inode.c - the nodes that someone refers to. */
#include "inode.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "memory.h"
#include "tree.h"

void inodes_init(struct inodes *table)
{
	const struct inode *root;

	*table = (struct inodes){ .last_id = TREE_ROOT - 1 };
	root = inode_get(table, INODE_FOLDER, "", 0);
	assert(root->id == TREE_ROOT);
}

static void free_inode(struct inodes *table, struct inode *inode)
{
	HASH_DELETE(by_id, table->by_id, inode);
	HASH_DELETE(by_name, table->by_name, inode);
	free(inode->name);
	free(inode);
}

void inodes_release(struct inodes *table)
{
	struct inode *inode, *next;

	HASH_ITER(by_id, table->by_id, inode, next)
	free_inode(table, inode);
}

struct inode *inode_get(struct inodes *table, enum inode_type type, const char *path,
			uint64_t generation)
{
	CLEANUP(free_char)
	char *name = xasprintf("%c%" PRIx64 ":%s", (char)type, generation, path);
	struct inode *inode;
	size_t len = strlen(name);

	HASH_FIND(by_name, table->by_name, name, len, inode);
	if (!inode) {
		inode = xcalloc(1, sizeof(*inode));
		inode->id = ++table->last_id;
		inode->type = type;
		inode->generation = generation;
		inode->path = strchr(name, ':') + 1;
		inode->name = steal(name);
		HASH_ADD(by_id, table->by_id, id, sizeof(inode->id), inode);
		HASH_ADD_KEYPTR(by_name, table->by_name, inode->name, len, inode);
	}
	inode->refs++;
	return inode;
}

struct inode *inode_find(struct inodes *table, uint64_t id)
{
	struct inode *inode;

	HASH_FIND(by_id, table->by_id, &id, sizeof(id), inode);
	return inode;
}

void inode_put(struct inodes *table, struct inode *inode, uint64_t count)
{
	assert(inode->refs >= count);
	inode->refs -= count;
	if (!inode->refs)
		free_inode(table, inode);
}

uint64_t inode_number(const char *path)
{
	unsigned char digest[SHA256_SIZE];
	uint64_t number = 0;

	if (!*path)
		return TREE_ROOT;
	sha256(path, strlen(path), digest);
	for (size_t i = 0; i < sizeof(number); i++)
		number = number << 8 | digest[i];
	number >>= 1;
	return number > TREE_ROOT ? number : number + 2;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* inode.c - the nodes that someone refers to. */
#include "inode.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "memory.h"
#include "scratch.h"
#include "tree.h"

void inodes_init(struct inodes *table)
{
	const struct inode *root;

	*table = (struct inodes){ .last_id = TREE_ROOT - 1 };
	root = inode_get(table, INODE_FOLDER, "", 0);
	assert(root->id == TREE_ROOT);
}

static struct inode *newest_of(const struct inodes *table, const char *path)
{
	struct inode *newest;

	HASH_FIND(by_path, table->by_path, path, strlen(path), newest);
	return newest;
}

static void add_newest(struct inodes *table, struct inode *inode)
{
	HASH_ADD_KEYPTR(by_path, table->by_path, inode->path, strlen(inode->path), inode);
}

void inode_retire(struct inodes *table, struct inode *inode)
{
	struct inode *other = newest_of(table, inode->path);

	if (inode->retired)
		return;
	inode->retired = true;
	if (other == inode) {
		HASH_DELETE(by_path, table->by_path, inode);
		if (inode->older)
			add_newest(table, inode->older);
	} else {
		while (other->older != inode)
			other = other->older;
		other->older = inode->older;
	}
}

static void free_inode(struct inodes *table, struct inode *inode)
{
	inode_retire(table, inode);
	HASH_DELETE(by_id, table->by_id, inode);
	scratch_put(inode->scratch);
	free(inode->path);
	free(inode);
}

void inodes_release(struct inodes *table)
{
	struct inode *inode, *next;

	HASH_ITER(by_id, table->by_id, inode, next)
	free_inode(table, inode);
}

/* One of the same generation, which lookups pass over: what that has learned, the new one knows. */
static void succeed(struct inode *inode, struct inode *older)
{
	while (older && (older->type != inode->type || older->generation != inode->generation))
		older = older->older;
	if (!older)
		return;
	inode->size = older->size;
	inode->sized = older->sized;
	inode->sure = older->sure;
	if (!older->succeeded)
		inode->awaits = older->left_for;
	older->succeeded = true;
}

struct inode *inode_get(struct inodes *table, enum inode_type type, const char *path,
			uint64_t generation)
{
	struct inode *newest = newest_of(table, path), *inode = newest;

	while (inode && (inode->type != type || inode->generation != generation || inode->left_for))
		inode = inode->older;
	if (!inode) {
		inode = xcalloc(1, sizeof(*inode));
		inode->id = ++table->last_id;
		inode->number = newest ? newest->number : inode_number(path);
		inode->type = type;
		inode->generation = generation;
		inode->path = xstrdup(path);
		succeed(inode, newest);
		inode->older = newest;
		if (newest)
			HASH_DELETE(by_path, table->by_path, newest);
		add_newest(table, inode);
		HASH_ADD(by_id, table->by_id, id, sizeof(inode->id), inode);
	}
	inode->refs++;
	return inode;
}

static unsigned *users(struct inode *inode, enum inode_use use)
{
	return use == INODE_WRITE ? &inode->writers : &inode->readers;
}

bool inode_claim(struct inode *inode, enum inode_use use)
{
	enum inode_use other = use == INODE_WRITE ? INODE_READ : INODE_WRITE;

	if (inode->awaits == use) {
		inode->awaits = INODE_UNUSED;
	} else if (*users(inode, other) && !inode->left_for) {
		inode->left_for = use;
		return false;
	}
	if (use == INODE_WRITE && !inode->writers)
		inode->written = inode->size;
	++*users(inode, use);
	return true;
}

void inode_let_go(struct inode *inode, enum inode_use use)
{
	assert(*users(inode, use));
	--*users(inode, use);
}

bool inode_is_seen(const struct inode *inode, struct names_version version)
{
	return version.store && inode->seen.store == version.store &&
	       inode->seen.overlay == version.overlay;
}

struct inode *inode_seen(const struct inodes *table, const char *path, struct names_version version)
{
	struct inode *inode = newest_of(table, path);

	while (inode && (inode->left_for || !inode_is_seen(inode, version)))
		inode = inode->older;
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

uint64_t inode_number_in(const struct inodes *table, const char *path)
{
	const struct inode *inode = newest_of(table, path);

	return inode ? inode->number : inode_number(path);
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

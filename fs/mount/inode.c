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
	root = inode_get(table, INODE_FOLDER, "", 0, INODE_READ);
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

static unsigned *users(struct inode *inode, enum inode_use use)
{
	return use == INODE_WRITE ? &inode->writers : &inode->readers;
}

static bool suits(const struct inode *inode, enum inode_use use)
{
	return use == INODE_WRITE ? !inode->was_read : !inode->was_written;
}

/* Rather one that has files of that use than one that has none, which another caller may be about
 * to open for the other. */
static struct inode *better(struct inode *found, struct inode *inode, enum inode_use use)
{
	if (!suits(inode, use))
		return found;
	return found && (*users(found, use) || !*users(inode, use)) ? found : inode;
}

/* Who is about to write it must not find it open for reading when he comes: he was sent back once,
 * and the kernel tries no third time. */
static void set_aside(struct inode *inode, enum inode_use use)
{
	inode->was_written |= use == INODE_WRITE;
}

/* What is known of another node of this generation, the new one knows. */
static void learn(struct inode *inode, const struct inode *other)
{
	while (other && (other->type != inode->type || other->generation != inode->generation))
		other = other->older;
	if (!other)
		return;
	inode->size = other->size;
	inode->sized = other->sized;
	inode->sure = other->sure;
}

struct inode *inode_get(struct inodes *table, enum inode_type type, const char *path,
			uint64_t generation, enum inode_use use)
{
	struct inode *newest = newest_of(table, path), *inode = NULL;

	for (struct inode *i = newest; i; i = i->older)
		if (i->type == type && i->generation == generation)
			inode = better(inode, i, use);
	if (!inode) {
		inode = xcalloc(1, sizeof(*inode));
		inode->id = ++table->last_id;
		inode->number = newest ? newest->number : inode_number(path);
		inode->type = type;
		inode->generation = generation;
		inode->path = xstrdup(path);
		learn(inode, newest);
		inode->older = newest;
		if (newest)
			HASH_DELETE(by_path, table->by_path, newest);
		add_newest(table, inode);
		HASH_ADD(by_id, table->by_id, id, sizeof(inode->id), inode);
	}
	set_aside(inode, use);
	inode->refs++;
	return inode;
}

bool inode_claim(struct inode *inode, enum inode_use use, bool shared)
{
	/* who looked a node up before it was written may come when its writer has gone: the kernel
	 * still has the length that the writer cut it to */
	bool spoilt = use == INODE_WRITE ? inode->readers : inode->was_written;

	if (spoilt && !shared)
		return false;
	if (use == INODE_WRITE && !inode->writers)
		inode->written = inode->size;
	inode->was_read |= use == INODE_READ;
	inode->was_written |= use == INODE_WRITE;
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

struct inode *inode_seen(const struct inodes *table, const char *path, struct names_version version,
			 enum inode_use use)
{
	struct inode *inode = NULL;

	for (struct inode *i = newest_of(table, path); i; i = i->older)
		if (inode_is_seen(i, version))
			inode = better(inode, i, use);
	if (inode)
		set_aside(inode, use);
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

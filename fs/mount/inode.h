/* SPDX-License-Identifier: BSD-3-Clause */
/* inode.h - the nodes that someone refers to: one a (path, generation). */
#ifndef PUBFS_INODE_H
#define PUBFS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

enum inode_type {
	INODE_FOLDER = 'd',
	INODE_OBJECT = 'o',
	INODE_DRAFT = 'n', /* a new name that was never published */
	INODE_CONTROL = 'c',
};

/* Id, type, path and generation never change; the lock of the tree guards the rest. */
struct inode {
	uint64_t id;   /* a counter, never used again */
	uint64_t refs; /* lookups and open files */
	enum inode_type type;
	uint64_t generation; /* of an object, else 0 */
	char *name;	     /* "<type><generation>:<path>", the key of `by_name` */
	const char *path;    /* the end of `name` */
	uint64_t size;	     /* decoded bytes, once `sized` */
	bool sized;
	int64_t mtime, ctime;
	unsigned readers, writers; /* open files */
	uint64_t written;	   /* the size that the last writer has made it */
	UT_hash_handle by_id, by_name;
};

struct inodes {
	struct inode *by_id, *by_name;
	uint64_t last_id;
};

/* With the root: id TREE_ROOT, path "". */
void inodes_init(struct inodes *table);
void inodes_release(struct inodes *table);

/* +1 reference; made when it is not there. */
struct inode *inode_get(struct inodes *table, enum inode_type type, const char *path,
			uint64_t generation);
/* NULL: no such id. */
struct inode *inode_find(struct inodes *table, uint64_t id);
void inode_put(struct inodes *table, struct inode *inode, uint64_t count);

/* The same on every host: 63 bits of SHA-256 of the path, 1 for the root. */
uint64_t inode_number(const char *path);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* inode.h - the nodes that someone refers to: one a (path, generation). */
#ifndef PUBFS_INODE_H
#define PUBFS_INODE_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct scratch;

enum inode_type {
	INODE_FOLDER = 'd',
	INODE_OBJECT = 'o',
	INODE_DRAFT = 'n', /* a new name that was never published */
	INODE_SCRATCH = 's',
	INODE_CONTROL = 'c',
};

/* What a node is opened for. */
enum inode_use { INODE_READ, INODE_WRITE };

/* A state of all names: how often the store's index and the overlay had changed. */
struct names_version {
	uint64_t store; /* 0: not known */
	uint64_t overlay;
};

/* Id, number, type, path and generation never change; the lock of the tree guards the rest. */
struct inode {
	uint64_t id;	 /* a counter, never used again */
	uint64_t number; /* inode_number() of the path */
	uint64_t refs;	 /* lookups and open files */
	enum inode_type type;
	uint64_t generation; /* of an object; of a scratch file its serial; else 0 */
	char *path;
	struct names_version seen; /* when the path was seen to have this node */
	uint64_t size;		   /* decoded bytes, once `sized` */
	bool sized;
	bool sure;    /* the size was counted, or noted by us: it is not only what others say */
	bool retired; /* not found by its path any more */
	bool was_read, was_written; /* of an object: it was opened so, or given to who will write */
	int64_t mtime, ctime;
	unsigned readers, writers; /* open files */
	uint64_t written;	   /* the size that the last writer has made it */
	struct scratch *scratch;   /* of INODE_SCRATCH, with a reference */
	struct inode *older;	   /* of the same path */
	UT_hash_handle by_id, by_path;
};

struct inodes {
	struct inode *by_id;
	struct inode *by_path; /* the newest of each path */
	uint64_t last_id;
};

/* With the root: id TREE_ROOT, path "". */
void inodes_init(struct inodes *table);
void inodes_release(struct inodes *table);

/* +1 reference; made when it is not there. Of an object: one that was never opened for another use.
 */
struct inode *inode_get(struct inodes *table, enum inode_type type, const char *path,
			uint64_t generation, enum inode_use use);
/* A file of an object is to be opened; until inode_let_go() it counts as if it were. False: that
 * would disturb files of the other use, or be disturbed by what they have left; where the node is
 * `shared` all the same, so be it. */
bool inode_claim(struct inode *inode, enum inode_use use, bool shared);
void inode_let_go(struct inode *inode, enum inode_use use);
/* True when its path had it in this state of the names. */
bool inode_is_seen(const struct inode *inode, struct names_version version);
/* The one that the path had in this state of the names, or NULL: it has to be looked up. */
struct inode *inode_seen(const struct inodes *table, const char *path,
			 struct names_version version, enum inode_use use);
/* NULL: no such id. */
struct inode *inode_find(struct inodes *table, uint64_t id);
/* Its path may come again, as another node: the kernel never makes anything in a folder that it has
 * removed. */
void inode_retire(struct inodes *table, struct inode *inode);
void inode_put(struct inodes *table, struct inode *inode, uint64_t count);

/* inode_number() of the path, the sooner where it has a node. */
uint64_t inode_number_in(const struct inodes *table, const char *path);
/* The same on every host: 63 bits of SHA-256 of the path, 1 for the root. */
uint64_t inode_number(const char *path);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_internal.h - what the files of the tree share. See tree.c for its invariants. */
#ifndef PUBFS_TREE_INTERNAL_H
#define PUBFS_TREE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "content.h"
#include "control.h"
#include "inode.h"
#include "journal.h"
#include "overlay.h"
#include "path.h"
#include "reach.h"
#include "publish.h"
#include "scratch.h"
#include "sent_back.h"
#include "spool.h"
#include "store.h"
#include "strbuf.h"
#include "tree.h"

/* A buffer on the stack for any path or key, the `.d` and a '/' behind it included. */
#define NAME_ROOM (2 * KEY_MAX)
#define NAME_BUF(name)                                                                             \
	char name##_room[NAME_ROOM];                                                               \
	struct strbuf name = strbuf_on(name##_room, sizeof(name##_room))

struct tree {
	struct tree_options options;
	atomic_bool read_only;
	struct reach reach;
	struct contents *contents;
	struct spool_space space;
	struct journal refusals, changes;
	pthread_mutex_t lock; /* of all below */
	struct inodes inodes;
	struct sent_back sent_back; /* who came to open a node that was none for him */
	struct overlay overlay;
	uint64_t last_scratch; /* serial */
	struct file *files;    /* what is open */
	struct dir *dirs;
	struct tree_counts counts; /* of the last tree_count(), */
	uint64_t counted_version;  /* of that state of the index, */
	int64_t counted;	   /* which ended then (monotonic; 0: there was none) */
	int64_t count_took;
};

/* A reference to the node of that id, to be given back by inode_drop(). -ESTALE: unknown. */
struct held {
	struct tree *tree;
	struct inode *inode;
};
int inode_hold(struct tree *t, uint64_t id, struct held *ret) MUST_CHECK;
void inode_drop(struct held *held); /* for CLEANUP(); an empty one is fine */

/* What a node takes from its object. */
struct origin {
	uint64_t generation;	   /* 0: it is of no object */
	uint64_t size;		   /* decoded bytes, once `sized` */
	int64_t created, updated;
	bool sized, sure; /* see struct inode */
};
struct origin origin_of(const struct fingerprint *f);

/* Makes or finds the node, with one more reference. `origin` NULL: not of an object. */
struct inode *inode_of(struct tree *t, enum inode_type type, const char *path,
		       const struct origin *origin);
/* The same, and inode_was_seen() and node_of_inode(), at once. */
void inode_of_entry(struct tree *t, enum inode_type type, const char *path,
		    const struct origin *origin, struct names_version version, struct node *ret);
/* What path_find() and store_list() answer from now on is of this state of the names, or later. */
struct names_version names_version(struct tree *t);
/* The path was found to have this node; for tree_lookup(), until a name changes anywhere. */
void inode_was_seen(struct tree *t, struct inode *inode, struct names_version version);
/* The same for a scratch file of that path, with t->lock held. */
struct inode *inode_of_scratch(struct tree *t, const char *path, struct scratch *scratch);
void node_of_inode(struct tree *t, const struct inode *inode, struct node *ret);

/* Path of a name in a folder; -ENOENT: too long for any. */
int path_join(const char *dir, const char *name, struct strbuf *out) MUST_CHECK;
/* The same in a folder that is held. -ENOTDIR; -ENAMETOOLONG: the name alone is too long. */
int child_path(struct tree *t, uint64_t dir, const char *name, struct held *ret_folder,
	       struct strbuf *out) MUST_CHECK;
/* -EPERM (said), -EROFS: it may not be changed at all. */
int may_change(const struct tree *t, const char *path) MUST_CHECK;
/* -EACCES: no kind of object has that key (said); -EROFS. */
int may_write(const struct tree *t, const char *key) MUST_CHECK;
/* `.pubfs`, or below it. */
bool path_is_control(const char *path);
/* The key that everything in the folder begins with; "" for the root. -ENOENT: no key could. */
int folder_key(const char *path, struct strbuf *out) MUST_CHECK;
/* True when the overlay makes that folder: by itself, or by what lies below it. */
bool overlay_has(struct tree *t, const char *key);
/* 1 or 0: there is such a folder, in the bucket or in the overlay. */
int folder_exists(struct tree *t, const char *key) MUST_CHECK;
/* The same of the bucket alone. A folder at the top is looked for among the names there, so that
 * nothing below it is listed. */
int bucket_has(struct tree *t, const char *key) MUST_CHECK;
/* After a removal: keeps the folder above a path, and those above it, that have nothing else any
 * more, or of which that cannot be told. */
void keep_folders(struct tree *t, const char *path);
/* Makes sure that what is known of the folder's names is no older than the TTL. */
int folder_refresh(struct tree *t, const char *path) MUST_CHECK;
/* -ENOENT, or +1 reference to what has that path; asks for no refresh. */
int path_find(struct tree *t, const char *path, struct inode **ret) MUST_CHECK;

/* After a lookup: where the caller was sent back to it from an open, that is done now. -ESTALE:
 * there is another node by now. */
int open_ahead(struct tree *t, const struct node *node) MUST_CHECK;

/* A new scratch file of that key, without bytes. -EEXIST: the overlay has such a name. */
int scratch_create(struct tree *t, const char *path, const char *key, mode_t mode,
		   struct inode **ret) MUST_CHECK;
/* Names in the log those that end with the tree. */
void scratch_warn(const struct tree *t);

/* Publishes what was written by hand at that path: `p` has the action, the key, the condition and
 * the bytes. Every failure was said, and a refusal is in .pubfs/rejected. */
int hand_publish(struct tree *t, const char *path, struct publication *p,
		 const struct caller *who) MUST_CHECK;
/* -EBUSY: another generation is there. -EPERM: the brake holds it (said). */
int object_unlink(struct tree *t, const struct object *obj) MUST_CHECK;

/* Puts the folder at the top behind *top (owned; NULL: the first) in its place, as the index has
 * it. 1: there is one; 0: there is none, or the top was never listed. */
int tree_next_top(struct tree *t, char **top) MUST_CHECK;
/* Appends a line of JSON for each object that no path shows. */
int tree_unmapped(struct tree *t, struct strbuf *out) MUST_CHECK;

/* 1: the listing in the bucket has a hash for this archive, as 64 digits; 0: it has none. */
int listed_sha256(struct tree *t, const char *archive_key,
		  char ret[2 * SHA256_SIZE + 1]) MUST_CHECK;

#endif

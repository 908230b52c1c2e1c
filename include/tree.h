/* SPDX-License-Identifier: BSD-3-Clause */
/* tree.h - the bucket as a tree of files. fuse_ops.c and the commands are its only users. */
#ifndef PUBFS_TREE_H
#define PUBFS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"

struct publisher;
struct rm_brake;
struct store;
struct strbuf;
struct tree;
struct dir;  /* an open folder: a place in the index, no copy */
struct file; /* an open file: one generation, or a body being written */

#define TREE_ROOT 1 /* the node id of the root, as FUSE has it */

struct tree_options {
	struct store *store; /* the chain, index included; borrowed */
	struct publisher *publisher;
	int64_t ttl;		     /* microseconds */
	const char *spool_dir;	     /* for bodies that outgrow memory; borrowed */
	const char *runtime_version; /* its folder is shown even when empty; NULL: none */
	bool read_only;
	bool lasting; /* what is known is shown while the store cannot be reached, or is listed: */
	int64_t patience; /* microseconds; who took longer is not waited for; 0: a second */
	int (*status)(void *ctx, struct strbuf *out); /* the text of .pubfs/status; may be NULL */
	/* Exports the packages of these names, for .pubfs/sync; NULL: there is no database.
	 * -ENOENT: one is not there; -EPERM: held, nothing was written; -EIO: some failed. */
	int (*sync)(void *ctx, char *const *names, size_t n);
	/* Texts of these files of .pubfs, appended; NULL: empty ones. */
	int (*garbage)(void *ctx, struct strbuf *out);
	int (*metrics)(void *ctx, struct strbuf *out);
	int (*held)(void *ctx, struct strbuf *out);
	void *ctx;
	struct rm_brake *rm_brake; /* asked before an object is removed; NULL: nobody is */
};

/* What a front end shows of a file or folder. */
struct node {
	uint64_t id;  /* one a (path, generation), never used again; see tree_forget() */
	uint64_t ino; /* 63 bits of SHA-256 of the path: the same on every host */
	uint64_t size, generation; /* size: decoded bytes; generation 0: not in the bucket */
	int64_t mtime, ctime;	   /* microseconds */
	bool is_dir;
	bool changing; /* its size may be another at once: somebody writes it in this mount, or
			* only others have said it, and nobody has read it so far */
	mode_t mode;   /* permission bits */
};

/* Who asks, for .pubfs/rejected and the log. */
struct caller {
	pid_t pid;
	uid_t uid;
};

int tree_new(const struct tree_options *options, struct tree **ret) MUST_CHECK;
/* Closes what is still open; what was written there and never published is named in the log. */
void tree_free(struct tree *t);
/* How many bodies the gate has refused. */
uint64_t tree_refusals(struct tree *t);
/* What is known of the bucket, without a request; what was never listed is not counted. */
struct tree_counts {
	uint64_t objects, bytes; /* as stored */
	uint64_t unmapped;	 /* objects that no path shows; a whole folder at the top is one */
};
int tree_count(struct tree *t, struct tree_counts *ret) MUST_CHECK;

/* True, with the time (wall clock) and the reason, which is appended, while the store cannot be
 * reached: what is known of it is shown, and a thread looks for it. */
bool tree_is_degraded(struct tree *t, int64_t *ret_since, struct strbuf *reason);
/* Something failed (-EIO): that thread looks whether it was the store. */
void tree_doubt(struct tree *t);
/* From here on nothing new is written (-EROFS); what is open for writing may be finished. */
void tree_stop_writing(struct tree *t);
/* How many open files have bytes that were neither published nor refused. */
size_t tree_unsaved(struct tree *t);
/* Lists once what the export fills, and all names at the top: the bucket can be used. */
int tree_list_first(struct tree *t) MUST_CHECK;

/* lookup, create, mkdir and resolve give +1 reference to ret->id; forget takes `count` back. */
int tree_lookup(struct tree *t, uint64_t dir, const char *name, struct node *ret) MUST_CHECK;
/* The same for a whole path; a '/' in front is ignored, one behind asks for a folder. */
int tree_resolve(struct tree *t, const char *path, struct node *ret) MUST_CHECK;
void tree_forget(struct tree *t, uint64_t id, uint64_t count);
int tree_getattr(struct tree *t, uint64_t id, struct file *file, struct node *ret) MUST_CHECK;
/* The path of a node, for messages. Appends. */
void tree_path(struct tree *t, uint64_t id, struct strbuf *out);

/* dir_next: 1 and one more entry, or 0 at the end; ret->id and ret->ino are 0, and the size of a
 * document may still be unknown (0). `name` lives until the next call. Of the entry that dir_next
 * gave last, dir_hold: all that a lookup would answer (+1 reference): 1, or 0 when its size costs a
 * request: look it up where it matters; dir_number: its `ino`. dir_tell/dir_seek: a cookie for
 * where the next call goes on; 0 is the start. */
int tree_opendir(struct tree *t, uint64_t id, struct dir **ret) MUST_CHECK;
int dir_next(struct dir *d, const char **name, struct node *ret) MUST_CHECK;
int dir_hold(struct dir *d, struct node *ret) MUST_CHECK;
uint64_t dir_number(struct dir *d);
uint64_t dir_tell(const struct dir *d);
void dir_seek(struct dir *d, uint64_t cookie);
void dir_close(struct dir *d);

/* flags and mode: as in open(2). -ESTALE, look it up again: a superseded node, or one that is read
 * and is to be written, or the other way round. -EACCES: no kind of object that may be
 * written (said); create: -EINVAL, a name that neither the export nor a scratch file
 * (scratch_name.h) can have. -EROFS. */
int tree_open(struct tree *t, uint64_t id, int flags, struct file **ret) MUST_CHECK;
int tree_create(struct tree *t, uint64_t dir, const char *name, int flags, mode_t mode,
		struct file **ret, struct node *ret_node) MUST_CHECK;
/* Old bytes, or -EIO; never a mixture. */
ssize_t file_read(struct file *f, uint64_t offset, void *buf, size_t n) MUST_CHECK;
/* The same for a page that the kernel keeps with the node, for all who have that open: a mapping.
 * -EIO: the file has other bytes than its node (said). */
ssize_t file_read_page(struct file *f, uint64_t offset, void *buf, size_t n) MUST_CHECK;
/* -ENOSPC, -ENFILE, -EFBIG and -EIO stay with the file: it will not be published any more. */
ssize_t file_write(struct file *f, uint64_t offset, const void *buf, size_t n) MUST_CHECK;
/* Every write goes to the end from now on, or no longer: O_APPEND, as fcntl(2) changes it. */
void file_set_append(struct file *f, bool append);
int file_truncate(struct file *f, uint64_t size) MUST_CHECK;
/* Publishes if bytes changed since the open or the last publish. -EINVAL: the gate said no (also
 * in .pubfs/rejected); -ESTALE: someone wrote first. Each failure was said. */
int file_flush(struct file *f, const struct caller *who) MUST_CHECK;
/* True: what it reads belongs to its node for good, and may be cached with it. */
bool file_is_cacheable(const struct file *f);
void file_close(struct file *f);

/* A scratch file has the mode and time that it is given. Of any other file a time is forgotten, and
 * a mode is -EPERM; but a new one that is being written takes it, and forgets it too: `install` and
 * others make a file for themselves alone first. */
int tree_set_mode(struct tree *t, uint64_t id, mode_t mode) MUST_CHECK;
int tree_set_mtime(struct tree *t, uint64_t id, int64_t mtime) MUST_CHECK;
int tree_truncate(struct tree *t, uint64_t id, uint64_t size, const struct caller *who) MUST_CHECK;
/* Not there any more when it came to removing: 0. Lost a race: -EBUSY, since the kernel would
 * repeat -ESTALE by itself, on an object that nobody meant. -EPERM: below .pubfs, or more than the
 * brake lets pass (both said). */
int tree_unlink(struct tree *t, uint64_t dir, const char *name) MUST_CHECK;
/*
 * flags: 0, or RENAME_NOREPLACE (-EEXIST); -EINVAL: another. A scratch file onto a name of the
 * export is the write: -EINVAL, the gate said no; onto another scratch name, it moves. An object
 * onto another name is gated under that, copied and removed. -EBUSY: a lost race; onto a scratch
 * name; what is still being written. -ENOTSUP: a folder. After a failure both names are as they
 * were; but when only the removal of an object failed, it is there under both.
 */
int tree_rename(struct tree *t, uint64_t dir, const char *name, uint64_t to_dir,
		const char *to_name, unsigned flags, const struct caller *who) MUST_CHECK;
int tree_mkdir(struct tree *t, uint64_t dir, const char *name, struct node *ret) MUST_CHECK;
/* -ENOTEMPTY; -EBUSY: one of the folders that are always there. */
int tree_rmdir(struct tree *t, uint64_t dir, const char *name) MUST_CHECK;

/* user.pubfs.*, which cost no request and cannot be changed; -ENODATA: no such attribute;
 * -ENOTSUP: no name that begins with "user.". list: NUL-ended names, one after another. set, for
 * removing too: what is answered to the attempt, -EPERM or -ENOTSUP. */
int tree_getxattr(struct tree *t, uint64_t id, const char *name, struct strbuf *out) MUST_CHECK;
int tree_listxattr(struct tree *t, uint64_t id, struct strbuf *out) MUST_CHECK;
int tree_setxattr(const char *name) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* dir.h - what the files of the `dir:` driver share. */
#ifndef PUBFS_STORE_DIR_H
#define PUBFS_STORE_DIR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "driver.h"
#include "store.h"

#define DIR_OWN		".pubfs-store" /* at the top: never listed, never reached by a key */
#define DIR_ATTRIBUTE	"user.pubfs"
#define DIR_FILE_MODE	0644 /* less the umask; other programs may serve the files */
#define DIR_FOLDER_MODE 0755

struct dir_store {
	struct store store;
	char *root; /* real path, without a '/' at its end */

	pthread_mutex_t lock; /* guards the next two; held over no body's read() */
	char *tmp;	      /* this handle's folder below tmp/; NULL: nothing written so far */
	int tmp_fd;	      /* holds its flock, which says that we live; -1: none */
	atomic_ulong tmp_count;
};

static inline struct dir_store *dir_of(struct store *s)
{
	return (struct dir_store *)s;
}

/* dir.c */

/* Where the object or (with '/' at the key's end, and "" is the top) the folder is, owned by the
 * caller. NULL: no path can show it. */
char *dir_object_path(const struct dir_store *d, const char *key);
char *dir_folder_path(const struct dir_store *d, const char *key);
/* Opens an object's file. -ENOENT: there is none; -EIO (said): nor is the store. */
int dir_open_object(const struct dir_store *d, const char *key, int *ret_fd) MUST_CHECK;
/* Says what errno means here: "cannot <verb> <what> in dir:/path: <why, and what to do>". */
int dir_fail(const struct dir_store *d, const char *verb, const char *what);
/* The driver at the end of a chain, when it is a `dir:`; else NULL. */
struct dir_store *dir_below(struct store *s);

/* dir_open.c: the store's own folder */

struct dir_lock {
	int fd;
	uint64_t last; /* the last generation that was drawn */
};

/* Makes or opens the store at `path`: its real path and identity. `made_by`: see store_options. */
int dir_open_own(const char *path, enum store_mode mode, const char *made_by, char **ret_root,
		 char **ret_identity) MUST_CHECK;
/* For who has found nothing of that name: 0, or -EIO (said) where the store itself is gone. */
int dir_check_own(const struct dir_store *d, const char *verb, const char *what) MUST_CHECK;
/* Keeps every other thread and process from changing the store. `key` is for the message. */
int dir_lock_take(const struct dir_store *d, const char *key, struct dir_lock *ret) MUST_CHECK;
void dir_lock_release(struct dir_lock *lock);
/* A generation greater than any drawn before and than `than`. */
int dir_lock_draw(const struct dir_store *d, struct dir_lock *lock, uint64_t than, const char *key,
		  uint64_t *ret) MUST_CHECK;
/* A new empty file of this handle, outside the tree. */
int dir_tmp_create(struct dir_store *d, const char *key, char **ret_path, int *ret_fd) MUST_CHECK;
void dir_tmp_release(struct dir_store *d);
/* Removes what killed processes left in tmp/. */
void dir_tmp_sweep(const char *root);

/* dir_meta.c: an object's metadata in one extended attribute */

/* -E2BIG, -EINVAL: too long, or a text that is not UTF-8 (said). */
int dir_meta_encode(const struct object *obj, struct strbuf *out) MUST_CHECK;
/* Everything but the key. -EBADMSG: anything but what dir_meta_encode() writes. */
int dir_meta_decode(const char *text, size_t n, struct object *ret) MUST_CHECK;
/* Sets the attribute of the file at `path`. */
int dir_meta_write(const struct dir_store *d, const char *path,
		   const struct object *obj) MUST_CHECK;
/* An open file's metadata. Where the attribute is lost, it is recognised by its name and bytes;
 * those are read for the MD5 only when `md5` is asked for. -ENOENT: not a regular file. */
int dir_meta_load(const struct dir_store *d, const char *key, int fd, bool md5,
		  struct object *ret) MUST_CHECK;

/* dir_list.c, dir_edit.c */
int dir_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	     void *ctx) MUST_CHECK;
int dir_edit(struct store *s, struct edit *edits, size_t n) MUST_CHECK;

#endif

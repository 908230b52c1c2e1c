/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_change.c - changes by hand: what is published, files removed, folders made and removed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "rm_brake.h"
#include "tree_internal.h"

int may_change(const struct tree *t, const char *path)
{
	if (path_is_control(path))
		return fail(-EPERM, "%s cannot be changed: it is the mount's own", path);
	return t->read_only ? -EROFS : 0;
}

int may_write(const struct tree *t, const char *key)
{
	struct object_name name;

	if (t->read_only)
		return -EROFS;
	if (catalog_match(key, &name) == KIND_NONE)
		return fail(-EACCES,
			    "cannot write %s: the export has no kind of object of this name", key);
	return 0;
}

/* -ESTALE: what is there is known to be another one than the condition says. A body like that one's
 * would send nothing, and so would not find out; but the bucket does not have it any more. */
static int check_condition(struct tree *t, const struct publication *p)
{
	CLEANUP(object_release) struct object now = { .validated = NO_TIME };
	int r = store_stat(t->options.store, p->key, &now);

	if (r < 0 && r != -ENOENT)
		return r;
	return now.generation == (p->have ? p->have->generation : 0) ? 0 : -ESTALE;
}

int hand_publish(struct tree *t, const char *path, struct publication *p, const struct caller *who)
{
	char listed[2 * SHA256_SIZE + 1];
	int has_listed = listed_sha256(t, p->key, listed), r;

	if (has_listed < 0)
		return has_listed;
	p->change = "hand";
	p->why = "written by hand";
	p->sha256 = has_listed ? listed : NULL;
	r = check_condition(t, p);
	if (!r)
		r = publish(t->options.publisher, p, 1);
	p->sha256 = NULL;
	if (r == -ESTALE)
		fail(r, "%s was not written: someone changed it first; look again", path);
	if (r == -EINVAL)
		control_note_refusal(t, path, who, p->remark.buf);
	return r;
}

/* Who still writes a new file of that name would bring it back. A scratch file is another one. */
static void drop_draft(struct tree *t, const char *key)
{
	struct overlay_name *name;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, key);
	if (name && !name->scratch)
		overlay_remove(&t->overlay, name);
	pthread_mutex_unlock(&t->lock);
}

int object_unlink(struct tree *t, const struct object *obj)
{
	struct rm_brake *brake = t->options.rm_brake;
	struct publication p;
	int r = brake ? rm_brake_ask(brake, obj->key) : 0;

	if (r < 0)
		return r;
	publication_init(&p);
	p.action = PUBLISH_REMOVE;
	p.key = obj->key;
	p.have = obj;
	p.change = "hand";
	p.why = "removed by hand";
	r = publish(t->options.publisher, &p, 1);
	publication_release(&p);
	if (!r)
		drop_draft(t, obj->key);
	return r == -ESTALE ? -EBUSY : r;
}

void keep_folders(struct tree *t, const char *path)
{
	CLEANUP(free_char) char *folder = xstrdup(path);
	char *slash;

	while ((slash = strrchr(folder, '/'))) {
		NAME_BUF(key);

		*slash = '\0';
		if (folder_key(folder, &key) < 0 || bucket_has(t, key.buf) > 0)
			return;
		pthread_mutex_lock(&t->lock);
		overlay_add(&t->overlay, key.buf);
		pthread_mutex_unlock(&t->lock);
	}
}

static int unlink_in_overlay(struct tree *t, const char *key)
{
	struct overlay_name *name;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, key);
	if (name)
		overlay_remove(&t->overlay, name);
	pthread_mutex_unlock(&t->lock);
	return name ? 0 : -ENOENT;
}

static int unlink_file(struct tree *t, const char *path)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	NAME_BUF(key);
	int r = path_to_key(path, &key);

	if (!r)
		r = reach_refresh(&t->reach, key.buf, t->options.ttl);
	if (!r)
		r = store_stat(t->options.store, key.buf, &obj);
	if (r == -ENOENT)
		return unlink_in_overlay(t, key.buf);
	if (!r)
		r = object_unlink(t, &obj);
	if (!r)
		keep_folders(t, path);
	return r;
}

int tree_unlink(struct tree *t, uint64_t dir, const char *name)
{
	NAME_BUF(path);
	NAME_BUF(key);
	CLEANUP(inode_drop) struct held folder = { 0 };
	int r = child_path(t, dir, name, &folder, &path);

	if (!r)
		r = may_change(t, path.buf);
	if (!r)
		r = folder_key(path.buf, &key);
	if (!r)
		r = folder_exists(t, key.buf);
	if (r == 1)
		return -EISDIR;
	if (r < 0 && r != -ENOENT)
		return r;
	return unlink_file(t, path.buf);
}

int tree_truncate(struct tree *t, uint64_t id, uint64_t size, const struct caller *who)
{
	struct file *f;
	int r = tree_open(t, id, O_WRONLY, &f);

	if (r < 0)
		return r;
	r = file_truncate(f, size);
	if (!r)
		r = file_flush(f, who);
	file_close(f);
	return r;
}

int tree_mkdir(struct tree *t, uint64_t dir, const char *name, struct node *ret)
{
	NAME_BUF(path);
	NAME_BUF(key);
	CLEANUP(inode_drop) struct held folder = { 0 };
	struct inode *inode;
	int r = child_path(t, dir, name, &folder, &path);

	if (!r)
		r = may_change(t, path.buf);
	if (r < 0)
		return r;
	r = folder_refresh(t, folder.inode->path);
	if (!r)
		r = path_find(t, path.buf, &inode);
	if (!r) {
		tree_forget(t, inode->id, 1);
		return -EEXIST;
	}
	if (r != -ENOENT)
		return r;
	if (folder_key(path.buf, &key) < 0)
		return fail(-EINVAL, "cannot make the folder %s: no object could ever lie in it",
			    path.buf);
	pthread_mutex_lock(&t->lock);
	overlay_add(&t->overlay, key.buf);
	pthread_mutex_unlock(&t->lock);
	node_of_inode(t, inode_of(t, INODE_FOLDER, path.buf, NULL), ret);
	return 0;
}

static bool is_permanent(struct tree *t, const char *key)
{
	const struct overlay_name *name;
	bool permanent;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, key);
	permanent = name && name->permanent;
	pthread_mutex_unlock(&t->lock);
	return permanent;
}

/* A folder that has nothing in the bucket. */
static int remove_folder(struct tree *t, const char *key, struct inode *inode)
{
	struct overlay_name *name;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, key);
	if (overlay_below(&t->overlay, key))
		r = -ENOTEMPTY;
	else if (name)
		overlay_remove(&t->overlay, name);
	else
		r = -ENOENT;
	if (!r)
		inode_retire(&t->inodes, inode);
	pthread_mutex_unlock(&t->lock);
	return r;
}

int tree_rmdir(struct tree *t, uint64_t dir, const char *name)
{
	NAME_BUF(path);
	NAME_BUF(key);
	CLEANUP(inode_drop) struct held folder = { 0 }, removed = { .tree = t };
	int r = child_path(t, dir, name, &folder, &path);

	if (!r)
		r = may_change(t, path.buf);
	if (!r)
		r = folder_refresh(t, path.buf);
	if (!r)
		r = path_find(t, path.buf, &removed.inode);
	if (r < 0)
		return r;
	if (removed.inode->type != INODE_FOLDER)
		return -ENOTDIR;
	r = folder_key(path.buf, &key);
	if (!r && is_permanent(t, key.buf))
		return fail(-EBUSY, "cannot remove %s: every export has this folder", path.buf);
	if (!r)
		r = bucket_has(t, key.buf);
	if (r == 1)
		return -ENOTEMPTY;
	return r < 0 ? r : remove_folder(t, key.buf, removed.inode);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_open.c - files opened and made: what a name has decides what it is opened as.
 *
 * The node that an open comes to may be the wrong one: it was superseded, or has files of the
 * other use. Then the caller is sent back (-ESTALE), and the kernel looks the name up once more,
 * and never twice. So that lookup opens the file already:
 *
 *	open --> a file
 *	     --> sent back --lookup: opens what it finds--> open of that node --> that file
 *	                   --no lookup, as by /dev/fd-----> open of the same node, which is shared
 *
 * What is known of a caller who was sent back goes with his next open, whatever becomes of that.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "caller.h"
#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "scratch_name.h"
#include "tree_file.h"

/* Who cuts a file has changed it, though he may only read then. */
static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static enum inode_use use_of(int flags)
{
	return wants_write(flags) ? INODE_WRITE : INODE_READ;
}

static struct file *reader_new(struct tree *t, struct inode *inode, struct content *content)
{
	struct file *f = file_new(t, inode, FILE_READER);

	f->content = content;
	return f;
}

static void open_writer(struct tree *t, struct inode *inode, const char *key,
			const struct object *base, int flags, struct file **ret)
{
	struct file *f = file_new(t, inode, FILE_WRITER);
	struct writer *w = &f->writer;

	w->key = xstrdup(key);
	f->append = flags & O_APPEND;
	w->loaded = !base || (flags & O_TRUNC);
	if (base)
		object_copy(&w->base, base);
	pthread_mutex_lock(&t->lock);
	if (!base) {
		w->draft = overlay_add(&t->overlay, key);
		w->draft->writers++;
	}
	w->size = inode->written = w->loaded ? 0 : inode->size;
	pthread_mutex_unlock(&t->lock);
	*ret = f;
}

static int open_reader(struct tree *t, struct inode *inode, const struct object *obj,
		       struct file **ret)
{
	struct content *content;
	int r = content_open(t->contents, obj, &content);

	if (r < 0)
		return r;
	*ret = reader_new(t, inode, content);
	pthread_mutex_lock(&t->lock);
	inode->size = content_size(content); /* what others said of it may have been wrong */
	inode->sized = inode->sure = true;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static int open_control(struct tree *t, struct inode *inode, int flags, struct file **ret)
{
	const char *name = strrchr(inode->path, '/') + 1;
	struct file *f;
	int r = 0;

	if (wants_write(flags))
		r = t->read_only ? -EROFS : control_may_write(t, name);
	if (r < 0)
		return r;
	f = file_new(t, inode, wants_write(flags) ? FILE_COMMAND : FILE_CONTROL);
	if (!wants_write(flags))
		r = control_text(t, name, &f->text);
	if (r < 0) {
		file_close(f);
		return r;
	}
	pthread_mutex_lock(&t->lock);
	inode->size = f->text.len; /* for who asks the open file, as tail does */
	pthread_mutex_unlock(&t->lock);
	*ret = f;
	return 0;
}

/* A draft that nobody has published. Others than its writer find it empty. */
static int open_draft(struct tree *t, struct inode *inode, const char *key, int flags,
		      struct file **ret)
{
	if (wants_write(flags))
		open_writer(t, inode, key, NULL, flags, ret);
	else
		*ret = file_new(t, inode, FILE_CONTROL);
	return 0;
}

/* Another generation is there now, or none. Who has the old one open may open it again, as by
 * /dev/fd; anybody else looks the name up again. */
static int open_superseded(struct tree *t, struct inode *inode, const char *key, int flags,
			   struct file **ret)
{
	struct content *content = NULL;

	if (!wants_write(flags))
		content = content_open_again(t->contents, key, inode->generation);
	if (!content)
		return -ESTALE;
	*ret = reader_new(t, inode, content);
	return 0;
}

/* A node that its path still has, as nothing changed since it was seen, and whose bytes somebody
 * has had lately: there is nothing to ask. */
static bool open_kept(struct tree *t, struct inode *inode, const char *key, struct file **ret)
{
	struct names_version version = names_version(t);
	struct content *content = NULL;
	bool seen;

	pthread_mutex_lock(&t->lock);
	seen = inode_is_seen(inode, version);
	pthread_mutex_unlock(&t->lock);
	if (seen)
		content = content_open_kept(t->contents, key, inode->generation);
	if (!content)
		return false;
	*ret = reader_new(t, inode, content);
	return true;
}

static int open_admitted(struct tree *t, struct inode *inode, int flags, struct file **ret)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	NAME_BUF(key);
	int r = path_to_key(inode->path, &key);

	if (!r && wants_write(flags))
		r = may_write(t, key.buf);
	if (!r)
		r = reach_refresh(&t->reach, key.buf, t->options.ttl);
	if (r < 0)
		return r;
	if (!wants_write(flags) && open_kept(t, inode, key.buf, ret))
		return 0;
	r = store_stat(t->options.store, key.buf, &obj);
	if (r == -ENOENT && inode->type == INODE_DRAFT)
		return open_draft(t, inode, key.buf, flags, ret);
	if (r < 0 && r != -ENOENT)
		return r;
	/* who cuts it has no use for the node's own bytes */
	if (r || (obj.generation != inode->generation && !(flags & O_TRUNC)))
		return open_superseded(t, inode, key.buf, flags, ret);
	if (wants_write(flags)) {
		open_writer(t, inode, key.buf, &obj, flags, ret);
		return 0;
	}
	return open_reader(t, inode, &obj, ret);
}

/* -ESTALE: the caller is to look the name up again, and gets another node then; `shared`: he has no
 * other, as by /dev/fd. */
static int open_claimed(struct tree *t, struct inode *inode, int flags, bool shared,
			struct file **ret)
{
	enum inode_use use = use_of(flags);
	bool claimed;
	int r;

	if (inode->type != INODE_OBJECT) /* a draft: there is nothing to read */
		return open_admitted(t, inode, flags, ret);
	pthread_mutex_lock(&t->lock);
	claimed = inode_claim(inode, use, shared);
	pthread_mutex_unlock(&t->lock);
	if (!claimed)
		return -ESTALE;
	r = open_admitted(t, inode, flags, ret);
	pthread_mutex_lock(&t->lock);
	inode_let_go(inode, use);
	pthread_mutex_unlock(&t->lock);
	return r;
}

/* A file that was opened for a caller who came for something else, or never. */
static void close_left(struct file *f)
{
	if (f)
		file_close(f);
}

static bool is_sent_back(struct tree *t, const struct node *node, int *ret_flags)
{
	const struct sent_back_entry *entry;

	pthread_mutex_lock(&t->lock);
	entry = sent_back_find(&t->sent_back, caller_current(), node->ino);
	if (entry)
		*ret_flags = entry->flags;
	pthread_mutex_unlock(&t->lock);
	return entry;
}

/* The kernel may look a name up more often than once before it opens it: the last one counts. */
static void hand_over(struct tree *t, const struct node *node, struct file *f)
{
	struct sent_back_entry *entry;
	struct file *left = f;

	pthread_mutex_lock(&t->lock);
	entry = sent_back_find(&t->sent_back, caller_current(), node->ino);
	if (entry) {
		left = entry->file;
		entry->file = f;
	}
	pthread_mutex_unlock(&t->lock);
	close_left(left);
}

int open_ahead(struct tree *t, const struct node *node)
{
	CLEANUP(inode_drop) struct held held = { 0 };
	struct file *f;
	int flags, r;

	if (!node->generation || !is_sent_back(t, node, &flags))
		return 0;
	r = inode_hold(t, node->id, &held);
	if (!r)
		r = open_claimed(t, held.inode, flags, false, &f);
	if (!r)
		hand_over(t, node, f);
	return r;
}

/* How a caller comes to a node. */
struct visit {
	bool again;	     /* he was sent back from the path before, */
	bool same;	     /* and from this very node */
	struct file *opened; /* of this node, when he looked it up; NULL: nothing was */
};

static struct visit visit_of(struct tree *t, const struct inode *inode, int flags)
{
	struct visit visit = { 0 };
	struct sent_back_entry *entry;
	struct file *left = NULL;

	pthread_mutex_lock(&t->lock);
	entry = sent_back_find(&t->sent_back, caller_current(), inode->number);
	if (entry) {
		visit.again = true;
		visit.same = entry->node == inode->id && entry->use == use_of(flags);
		if (entry->file && entry->file->held.inode == inode && entry->flags == flags)
			visit.opened = entry->file;
		else
			left = entry->file;
		sent_back_forget(&t->sent_back, entry);
	}
	pthread_mutex_unlock(&t->lock);
	close_left(left);
	return visit;
}

static int open_object(struct tree *t, struct inode *inode, int flags, struct file **ret)
{
	struct visit visit = visit_of(t, inode, flags);
	struct file *left = NULL;
	int r;

	if (visit.opened) {
		*ret = visit.opened;
		return 0;
	}
	r = open_claimed(t, inode, flags, visit.same, ret);
	if (r == -ESTALE && !visit.again) {
		pthread_mutex_lock(&t->lock);
		left = sent_back_note(&t->sent_back, caller_current(), inode, use_of(flags), flags);
		pthread_mutex_unlock(&t->lock);
	}
	close_left(left);
	return r;
}

static int open_scratch(struct tree *t, struct inode *inode, int flags, struct file **ret)
{
	int r = scratch_open(inode->scratch, flags & O_TRUNC);

	if (r < 0)
		return r;
	*ret = file_new(t, inode, FILE_SCRATCH);
	(*ret)->append = flags & O_APPEND;
	return 0;
}

int tree_open(struct tree *t, uint64_t id, int flags, struct file **ret)
{
	CLEANUP(inode_drop) struct held held = { 0 };
	int r = inode_hold(t, id, &held);

	if (r < 0)
		return r;
	switch (held.inode->type) {
	case INODE_FOLDER:
		return -EISDIR;
	case INODE_CONTROL:
		return open_control(t, held.inode, flags, ret);
	case INODE_SCRATCH:
		return open_scratch(t, held.inode, flags, ret);
	case INODE_DRAFT:
	case INODE_OBJECT:
		return open_object(t, held.inode, flags, ret);
	}
	assert(!"a type of inode");
	return -EIO;
}

/* A name that an export can have, in a folder that may be written. */
static int may_create(const struct tree *t, const char *path, bool is_scratch, struct strbuf *key)
{
	struct object_name name;

	if (path_is_control(path))
		return fail(-EACCES, "cannot make %s: there are no other files", path);
	if (t->read_only)
		return -EROFS;
	if (path_to_key(path, key) < 0)
		return -EINVAL;
	if (is_scratch || catalog_match(key->buf, &name) != KIND_NONE)
		return 0;
	return -EINVAL;
}

static int create_new(struct tree *t, const char *path, int flags, mode_t mode, struct file **ret,
		      struct inode **ret_inode)
{
	NAME_BUF(key);
	const char *slash = strrchr(path, '/');
	bool is_scratch = scratch_name_matches(slash ? slash + 1 : path, flags & O_EXCL, mode);
	int r = may_create(t, path, is_scratch, &key);

	if (!r && is_scratch) {
		r = scratch_create(t, path, key.buf, mode, ret_inode);
		if (r == -EEXIST && !(flags & O_EXCL))
			r = -ESTALE; /* someone made it just now: look again */
		if (!r)
			r = open_scratch(t, *ret_inode, flags, ret);
	} else if (!r) {
		*ret_inode = inode_of(t, INODE_DRAFT, path, NULL);
		open_writer(t, *ret_inode, key.buf, NULL, flags, ret);
	}
	return r;
}

static int create_at(struct tree *t, const char *path, int flags, mode_t mode, struct file **ret,
		     struct node *ret_node)
{
	CLEANUP(inode_drop) struct held made = { 0 };
	struct inode *inode;
	int r = path_find(t, path, &inode);

	if (!r) {
		made = (struct held){ .tree = t, .inode = inode };
		if (flags & O_EXCL)
			return -EEXIST;
		r = tree_open(t, inode->id, flags, ret);
	} else if (r == -ENOENT) {
		r = create_new(t, path, flags, mode, ret, &inode);
		if (!r)
			made = (struct held){ .tree = t, .inode = inode };
	}
	if (r < 0)
		return r;
	node_of_inode(t, inode, ret_node);
	made.inode = NULL; /* the caller's reference */
	return 0;
}

int tree_create(struct tree *t, uint64_t dir, const char *name, int flags, mode_t mode,
		struct file **ret, struct node *ret_node)
{
	NAME_BUF(path);
	CLEANUP(inode_drop) struct held folder = { 0 };
	int r = child_path(t, dir, name, &folder, &path);

	if (!r)
		r = folder_refresh(t, folder.inode->path);
	return r < 0 ? r : create_at(t, path.buf, flags, mode, ret, ret_node);
}

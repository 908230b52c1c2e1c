/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_file.c - open files: one generation being read, or a body being written until it is whole.
 *
 * A reader has its content (content.h) from open to close. A writer has a spool:
 *
 *	opened --first use--> loaded (the base's bytes; none when cut or new)
 *	loaded --write, truncate--> changed --flush: published--> loaded, on the new base
 *	                                    --flush: refused----> changed, `verdict` remembered
 *	a write that failed: `failed`, for good; nothing is published any more
 *
 * 1. A flush publishes only bytes that changed since the open or the last publish, and nothing
 *    before the first byte was written: each redirection of a shell flushes an empty file first.
 * 2. The condition is the base: what was opened, or was published by this file last.
 * 3. A new name is a draft of the overlay until it was published; without any writer it is gone.
 *
 * Each call on a writer has its turn, so that no lock is held while a body is published. The rest
 * of a writer belongs to whose turn it is. Counters of the inode and the overlay are under the
 * lock of the tree.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "caller.h"
#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "scratch_name.h"
#include "tree_internal.h"
#include "turn.h"

#define PIECE ((size_t)256 << 10)

enum file_type {
	FILE_READER,
	FILE_WRITER,
	FILE_SCRATCH,
	FILE_CONTROL, /* a text, as it was at the open */
	FILE_COMMAND, /* what is written is done at once */
};

struct writer {
	struct turn turn;
	char *key;
	struct spool spool;
	struct object base; /* published under this condition; generation 0: there is none */
	struct overlay_name *draft;
	uint64_t size; /* of the spool, or of the base before it is loaded; under the tree's lock */
	bool loaded, changed;
	bool written; /* any byte, ever */
	int failed;   /* the first write that failed */
	int verdict;  /* of the gate, on the bytes as they are; 0: it was not asked */
	bool told;    /* why these bytes were not published */
};

struct file {
	struct tree *tree;
	struct held held;
	enum file_type type;
	atomic_bool append;	 /* of a writer or a scratch file */
	struct content *content; /* of a reader */
	struct strbuf text;	 /* of a control file; of a command, what has no newline yet */
	struct writer writer;
	bool unsaved; /* under the lock of the tree: it has bytes whose end nobody knows */
	struct file *prev, *next;
};

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* What the node shows while it is written. */
static void show_size(struct file *f)
{
	struct writer *w = &f->writer;

	pthread_mutex_lock(&f->tree->lock);
	w->size = f->held.inode->written = w->spool.size;
	if (w->draft && w->spool.size)
		w->draft->shown = true;
	pthread_mutex_unlock(&f->tree->lock);
}

/* What was written goes nowhere so far, and nobody has said so. */
static bool is_unsaved(const struct writer *w)
{
	return w->changed && !w->told && (w->written || w->spool.size) &&
	       !(w->draft && w->draft->removed);
}

static void writer_turn_end(struct file *f)
{
	pthread_mutex_lock(&f->tree->lock);
	f->unsaved = is_unsaved(&f->writer);
	pthread_mutex_unlock(&f->tree->lock);
	turn_end(&f->writer.turn);
}

size_t tree_unsaved(struct tree *t)
{
	const struct file *f;
	size_t n = 0;

	pthread_mutex_lock(&t->lock);
	DL_FOREACH(t->files, f)
	n += f->unsaved && !(f->writer.draft && f->writer.draft->removed);
	pthread_mutex_unlock(&t->lock);
	return n;
}

/* Opening. */

static struct file *file_new(struct tree *t, struct inode *inode, enum file_type type)
{
	struct file *f = xcalloc(1, sizeof(*f));

	f->tree = t;
	f->type = type;
	strbuf_init(&f->text, type == FILE_COMMAND ? CONTROL_INPUT_MAX : CONTROL_TEXT_MAX);
	pthread_mutex_lock(&t->lock);
	inode->refs++;
	f->held = (struct held){ .tree = t, .inode = inode };
	inode->readers += type == FILE_READER;
	inode->writers += type == FILE_WRITER;
	DL_APPEND(t->files, f);
	pthread_mutex_unlock(&t->lock);
	return f;
}

static void open_writer(struct tree *t, struct inode *inode, const char *key,
			const struct object *base, int flags, struct file **ret)
{
	struct file *f = file_new(t, inode, FILE_WRITER);
	struct writer *w = &f->writer;

	turn_init(&w->turn);
	spool_init(&w->spool, &t->space);
	object_init(&w->base);
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
	*ret = file_new(t, inode, FILE_READER);
	(*ret)->content = content;
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
	*ret = file_new(t, inode, FILE_READER);
	(*ret)->content = content;
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
	*ret = file_new(t, inode, FILE_READER);
	(*ret)->content = content;
	return true;
}

static int open_object(struct tree *t, struct inode *inode, int flags, struct file **ret)
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
	if (r || obj.generation != inode->generation)
		return open_superseded(t, inode, key.buf, flags, ret);
	if (wants_write(flags)) {
		open_writer(t, inode, key.buf, &obj, flags, ret);
		return 0;
	}
	return open_reader(t, inode, &obj, ret);
}

static int open_scratch(struct tree *t, struct inode *inode, int flags, struct file **ret)
{
	int r = scratch_open(inode->scratch, wants_write(flags) && flags & O_TRUNC);

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

int tree_getattr(struct tree *t, uint64_t id, struct file *file, struct node *ret)
{
	CLEANUP(inode_drop) struct held held = { 0 };
	int r = inode_hold(t, id, &held);

	if (r < 0)
		return r;
	node_of_inode(t, held.inode, ret);
	if (!file || (file->type != FILE_WRITER && file->type != FILE_READER))
		return 0;
	pthread_mutex_lock(&t->lock);
	ret->size = file->type == FILE_WRITER ? file->writer.size : held.inode->size;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* Reading and writing. */

/* The base's bytes, at the first use of them. */
static int load_base(struct file *f)
{
	struct writer *w = &f->writer;
	CLEANUP(free_char) char *piece = NULL;
	struct content *content;
	uint64_t offset = 0;
	ssize_t r;

	if (w->loaded)
		return 0;
	r = content_open(f->tree->contents, &w->base, &content);
	if (r < 0)
		return r == -ESTALE ? fail(-EIO,
					   "cannot change %s: it was replaced after it was "
					   "opened",
					   w->key)
				    : (int)r;
	piece = xmalloc(PIECE);
	while ((r = content_read(content, offset, piece, PIECE)) > 0) {
		r = spool_write(&w->spool, offset, piece, (size_t)r);
		if (r < 0)
			break;
		offset += (uint64_t)r;
	}
	content_close(content);
	w->loaded = r >= 0;
	return (int)r;
}

static ssize_t read_text(const struct file *f, uint64_t offset, void *buf, size_t n)
{
	struct body body = body_of_strbuf(&f->text);

	return body_read(&body, offset, buf, n);
}

ssize_t file_read(struct file *f, uint64_t offset, void *buf, size_t n)
{
	ssize_t r;

	if (f->type == FILE_READER)
		return content_read(f->content, offset, buf, n);
	if (f->type == FILE_CONTROL)
		return read_text(f, offset, buf, n);
	if (f->type == FILE_COMMAND)
		return 0;
	if (f->type == FILE_SCRATCH)
		return scratch_read(f->held.inode->scratch, offset, buf, n);
	r = turn_begin(&f->writer.turn);
	if (r < 0)
		return r;
	r = load_base(f);
	if (!r)
		r = spool_read(&f->writer.spool, offset, buf, n);
	turn_end(&f->writer.turn);
	return r;
}

/* A writer is as its node is while it has changed nothing, and its base is that. */
static int check_as_its_node(struct file *f)
{
	const struct writer *w = &f->writer;
	int r = turn_begin(&f->writer.turn);

	if (r < 0)
		return r;
	if (w->changed || w->base.generation != f->held.inode->generation)
		r = fail(-EIO,
			 "cannot map %s while it is written: others would see it; open it for "
			 "reading",
			 f->held.inode->path);
	turn_end(&f->writer.turn);
	return r;
}

ssize_t file_read_page(struct file *f, uint64_t offset, void *buf, size_t n)
{
	int r = f->type == FILE_WRITER ? check_as_its_node(f) : 0;

	return r < 0 ? r : file_read(f, offset, buf, n);
}

/* The bytes are others now: what was said of them no longer counts. */
static void note_change(struct file *f, ssize_t r)
{
	struct writer *w = &f->writer;

	if (r < 0) {
		w->failed = w->failed ? w->failed : (int)r;
		return;
	}
	w->changed = true;
	w->verdict = 0;
	w->told = false;
	show_size(f);
}

static const char *command_of(const struct file *f)
{
	return strrchr(f->held.inode->path, '/') + 1;
}

ssize_t file_write(struct file *f, uint64_t offset, const void *buf, size_t n)
{
	struct writer *w = &f->writer;
	ssize_t r;

	if (f->type == FILE_COMMAND) {
		r = control_write(f->tree, command_of(f), &f->text, buf, n);
		return r < 0 ? r : (ssize_t)n;
	}
	if (f->type != FILE_WRITER && f->type != FILE_SCRATCH)
		return -EBADF;
	if (!n)
		return 0;
	if (f->type == FILE_SCRATCH)
		return scratch_write(f->held.inode->scratch, f->append, offset, buf, n);
	r = turn_begin(&w->turn);
	if (r < 0)
		return r;
	r = w->failed ? w->failed : load_base(f);
	if (!r)
		r = spool_write(&w->spool, f->append ? w->spool.size : offset, buf, n);
	note_change(f, r);
	w->written |= r > 0;
	writer_turn_end(f);
	return r;
}

void file_set_append(struct file *f, bool append)
{
	f->append = append;
}

int file_truncate(struct file *f, uint64_t size)
{
	struct writer *w = &f->writer;
	int r;

	if (f->type == FILE_COMMAND)
		return 0; /* nothing is kept there */
	if (f->type == FILE_SCRATCH)
		return scratch_truncate(f->held.inode->scratch, size);
	if (f->type != FILE_WRITER)
		return -EBADF;
	r = turn_begin(&w->turn);
	if (r < 0)
		return r;
	r = w->failed;
	if (!r && !size)
		w->loaded = true; /* nothing of the base is left */
	else if (!r)
		r = load_base(f);
	if (!r)
		r = spool_truncate(&w->spool, size);
	note_change(f, r);
	w->written |= !r && size;
	writer_turn_end(f);
	return r;
}

/* Publishing. */

/* The body is in the bucket: what comes next is a change of that. */
static void rebase(struct file *f, const struct object *now)
{
	struct tree *t = f->tree;
	struct writer *w = &f->writer;

	object_release(&w->base);
	object_copy(&w->base, now);
	w->changed = false;
	pthread_mutex_lock(&t->lock);
	if (w->draft)
		overlay_let_go(&t->overlay, w->draft);
	w->draft = NULL;
	pthread_mutex_unlock(&t->lock);
}

static int publish_body(struct file *f, const struct caller *who)
{
	struct writer *w = &f->writer;
	struct body body = spool_body(&w->spool);
	struct publication p;
	int r;

	publication_init(&p);
	p.action = PUBLISH_WRITE;
	p.key = w->key;
	p.have = w->base.generation ? &w->base : NULL;
	p.body = &body;
	r = hand_publish(f->tree, f->held.inode->path, &p, who);
	if (!r)
		rebase(f, &p.now);
	if (r == -EINVAL)
		w->verdict = r;
	publication_release(&p);
	return r;
}

/* The draft was removed while it was written: there is nothing to publish. */
static bool is_unlinked(struct file *f)
{
	bool unlinked;

	pthread_mutex_lock(&f->tree->lock);
	unlinked = f->writer.draft && f->writer.draft->removed;
	pthread_mutex_unlock(&f->tree->lock);
	return unlinked;
}

int file_flush(struct file *f, const struct caller *who)
{
	struct writer *w = &f->writer;
	int r = 0;

	if (f->type == FILE_COMMAND)
		return control_flush(f->tree, command_of(f), &f->text);
	if (f->type == FILE_SCRATCH)
		return scratch_failure(f->held.inode->scratch);
	if (f->type != FILE_WRITER)
		return 0;
	r = turn_begin(&w->turn);
	if (r < 0)
		return r;
	if (w->failed) {
		r = w->failed;
	} else if (!w->changed || (!w->written && !w->spool.size) || is_unlinked(f)) {
		r = 0;
	} else if (w->verdict) {
		r = w->verdict;
	} else if (!caller_was_killed(who->pid)) {
		r = publish_body(f, who);
		w->told = r < 0;
	}
	writer_turn_end(f);
	return r;
}

bool file_is_cacheable(const struct file *f)
{
	return f->type == FILE_READER;
}

/* Closing. */

/* Under the lock of the tree. True: what was written is lost. */
static bool writer_detach(struct file *f)
{
	struct writer *w = &f->writer;
	bool lost = is_unsaved(w);

	if (w->draft)
		overlay_let_go(&f->tree->overlay, w->draft);
	f->held.inode->writers--;
	return lost;
}

static void warn_lost(const struct file *f)
{
	const struct writer *w = &f->writer;

	log_warning("%s: what was written was not published%s%s", f->held.inode->path,
		    w->failed ? ": " : "",
		    w->failed ? strerror(-w->failed) : "");
}

static void writer_free(struct writer *w)
{
	spool_release(&w->spool);
	object_release(&w->base);
	turn_release(&w->turn);
	free(w->key);
}

void file_close(struct file *f)
{
	struct tree *t = f->tree;
	bool lost = false;

	pthread_mutex_lock(&t->lock);
	DL_DELETE(t->files, f);
	if (f->type == FILE_WRITER)
		lost = writer_detach(f);
	else if (f->type == FILE_READER)
		f->held.inode->readers--;
	pthread_mutex_unlock(&t->lock);
	if (lost)
		warn_lost(f);
	if (f->type == FILE_WRITER)
		writer_free(&f->writer);
	if (f->content)
		content_close(f->content);
	inode_drop(&f->held);
	strbuf_release(&f->text);
	free(f);
}

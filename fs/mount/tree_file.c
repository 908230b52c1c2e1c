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
 *
 * Not here: what is opened as which of them (tree_open.c).
 */
#include "tree_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "caller.h"
#include "log.h"
#include "memory.h"
#include "publish.h"

#define PIECE ((size_t)256 << 10)

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
		return r == -ESTALE ? fail((int)r,
					   "cannot change %s: it was replaced after it was "
					   "opened; look again",
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
		w->told = r < 0 && r != -ECANCELED; /* who left is told nothing */
	}
	writer_turn_end(f);
	return r;
}

bool file_is_cacheable(const struct file *f)
{
	return f->type == FILE_READER;
}

/* Made and closed. */

static void writer_init(struct writer *w, struct spool_space *space)
{
	turn_init(&w->turn);
	spool_init(&w->spool, space);
	object_init(&w->base);
}

struct file *file_new(struct tree *t, struct inode *inode, enum file_type type)
{
	struct file *f = xcalloc(1, sizeof(*f));

	f->tree = t;
	f->type = type;
	strbuf_init(&f->text, type == FILE_COMMAND ? CONTROL_INPUT_MAX : CONTROL_TEXT_MAX);
	if (type == FILE_WRITER)
		writer_init(&f->writer, &t->space);
	pthread_mutex_lock(&t->lock);
	inode->refs++;
	f->held = (struct held){ .tree = t, .inode = inode };
	inode->readers += type == FILE_READER;
	inode->writers += type == FILE_WRITER;
	DL_APPEND(t->files, f);
	pthread_mutex_unlock(&t->lock);
	return f;
}

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

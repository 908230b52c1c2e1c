/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree_rename.c - a file under another name.
 *
 *	from \\ to      | scratch name              | name of the export
 *	scratch file    | moves, in the mount alone | the write: its bytes are published
 *	object          | EBUSY: it would vanish    | gated under that name, copied, removed
 *	being written   | EBUSY                     | EBUSY
 *
 * A lost race is -EBUSY throughout: the kernel would repeat -ESTALE by itself, on what is there
 * then. What fails leaves both names as they were; only where the removal of an object fails after
 * its copy, it is there twice, which loses nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "log.h"
#include "scratch_name.h"
#include "tree_internal.h"

/* The paths and keys of both names. */
struct names {
	struct strbuf from, from_key, to, to_key;
};

static void names_release(struct names *names)
{
	strbuf_release(&names->from);
	strbuf_release(&names->from_key);
	strbuf_release(&names->to);
	strbuf_release(&names->to_key);
}

static int busy_if_stale(int r)
{
	return r == -ESTALE ? -EBUSY : r;
}

/* Tools print the errno alone; mv words it as a folder that is moved into itself. */
static int no_such_name(const struct names *names)
{
	return fail(-EINVAL, "cannot rename %s to %s: the export has no file of this name there",
		    names->from.buf, names->to.buf);
}

/* The object as it is now; generation 0: there is none. */
static int look(struct tree *t, const char *key, struct object *ret)
{
	int r = reach_refresh(&t->reach, key, t->options.ttl);

	if (!r)
		r = store_stat(t->options.store, key, ret);
	return r == -ENOENT ? 0 : r;
}

/* What the new name has; its absence is a condition as well. */
static int look_at_target(struct tree *t, const struct names *names, unsigned flags,
			  struct object *ret)
{
	int r = look(t, names->to_key.buf, ret);

	return !r && ret->generation && flags & RENAME_NOREPLACE ? -EEXIST : r;
}

static int scratch_move(struct tree *t, const struct names *names, struct scratch *scratch,
			unsigned flags)
{
	CLEANUP(object_release) struct object have = { .validated = NO_TIME };
	struct overlay_name *from, *to;
	int r = look(t, names->to_key.buf, &have);

	if (!r && have.generation)
		r = fail(-EACCES, "cannot write %s: the export has no kind of object of this name",
			 names->to_key.buf);
	if (r < 0)
		return r;
	pthread_mutex_lock(&t->lock);
	from = overlay_find(&t->overlay, names->from_key.buf);
	to = overlay_find(&t->overlay, names->to_key.buf);
	if (!from || from->scratch != scratch) {
		r = -ENOENT;
	} else if (to && flags & RENAME_NOREPLACE) {
		r = -EEXIST;
	} else {
		scratch_get(scratch);
		overlay_remove(&t->overlay, from);
		if (to)
			overlay_remove(&t->overlay, to);
		to = overlay_add(&t->overlay, names->to_key.buf);
		to->shown = true;
		to->scratch = scratch;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

/* Its name goes; who has it open can read on, as in an unlinked file. */
static void scratch_end(struct tree *t, const struct names *names, const struct scratch *scratch)
{
	struct overlay_name *name;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, names->from_key.buf);
	if (name && name->scratch == scratch)
		overlay_remove(&t->overlay, name);
	pthread_mutex_unlock(&t->lock);
}

static int scratch_publish(struct tree *t, const struct names *names, struct scratch *scratch,
			   unsigned flags, const struct caller *who)
{
	CLEANUP(object_release) struct object have = { .validated = NO_TIME };
	struct publication p;
	struct body body;
	int r = look_at_target(t, names, flags, &have);

	if (!r)
		r = turn_begin(&scratch->turn);
	if (r < 0)
		return r;
	publication_init(&p);
	p.action = PUBLISH_WRITE;
	p.key = names->to_key.buf;
	p.have = have.generation ? &have : NULL;
	p.body = &body;
	body = spool_body(&scratch->spool);
	if (scratch->failed)
		r = scratch->failed;
	else if (scratch->published) /* by another rename, just now */
		r = -ENOENT;
	else
		r = hand_publish(t, names->to.buf, &p, who);
	scratch->published |= !r;
	turn_end(&scratch->turn);
	publication_release(&p);
	if (!r)
		scratch_end(t, names, scratch);
	return busy_if_stale(r);
}

/* An archive is copied by the store. A document is small, and is stored anew, as all of ours are.
 */
static int object_copy_to(struct tree *t, const struct names *names, const struct object *obj,
			  const struct object *have, const struct caller *who)
{
	struct content *content = NULL;
	struct object_name name;
	struct publication p;
	struct body body;
	int r = 0;

	publication_init(&p);
	p.key = names->to_key.buf;
	p.have = have->generation ? have : NULL;
	if (catalog_match(p.key, &name) == KIND_ARCHIVE) {
		p.action = PUBLISH_COPY;
		p.from = t->options.store;
		p.source = obj;
		p.renamed = true;
	} else {
		p.action = PUBLISH_WRITE;
		p.body = &body;
		r = content_open(t->contents, obj, &content);
		if (!r)
			r = content_body(content, &body);
	}
	if (!r)
		r = hand_publish(t, names->to.buf, &p, who);
	if (content)
		content_close(content);
	publication_release(&p);
	return r;
}

static int object_move(struct tree *t, const struct names *names, unsigned flags,
		       const struct caller *who)
{
	CLEANUP(object_release) struct object have = { .validated = NO_TIME };
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	int r = look(t, names->from_key.buf, &obj);

	if (!r && !obj.generation)
		r = -ENOENT;
	if (!r)
		r = look_at_target(t, names, flags, &have);
	if (!r)
		r = object_copy_to(t, names, &obj, &have, who);
	if (r < 0)
		return busy_if_stale(r);
	r = object_unlink(t, &obj);
	if (r < 0)
		return fail(r, "%s was copied to %s, but is still there itself: remove it",
			    names->from.buf, names->to.buf);
	keep_folders(t, names->from.buf);
	return 0;
}

/* Of two different names that are no folders. */
static int move(struct tree *t, const struct names *names, const struct inode *from, unsigned flags,
		const struct caller *who)
{
	const char *slash = strrchr(names->to.buf, '/');
	bool to_scratch = scratch_name_matches(slash ? slash + 1 : names->to.buf, false, 0);
	struct object_name name;

	if (from->type == INODE_DRAFT)
		return fail(-EBUSY, "cannot rename %s: it is still being written", from->path);
	if (from->type == INODE_OBJECT && to_scratch)
		return fail(
			-EBUSY,
			"cannot rename %s to %s, which is a scratch file's name: that would take "
			"it out of the bucket; copy it",
			from->path, names->to.buf);
	if (to_scratch)
		return scratch_move(t, names, from->scratch, flags);
	if (catalog_match(names->to_key.buf, &name) == KIND_NONE)
		return no_such_name(names);
	if (from->type == INODE_SCRATCH)
		return scratch_publish(t, names, from->scratch, flags, who);
	return object_move(t, names, flags, who);
}

/* What the new name may not be, whatever comes there. */
static int check_target(struct tree *t, const struct names *names, unsigned flags)
{
	CLEANUP(inode_drop) struct held target = { .tree = t };
	int r = path_find(t, names->to.buf, &target.inode);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (flags & RENAME_NOREPLACE)
		return -EEXIST;
	return target.inode->type == INODE_FOLDER ? -EISDIR : 0;
}

int tree_rename(struct tree *t, uint64_t dir, const char *name, uint64_t to_dir,
		const char *to_name, unsigned flags, const struct caller *who)
{
	CLEANUP(names_release)
	struct names names = { STRBUF_INIT(NAME_ROOM), STRBUF_INIT(NAME_ROOM),
			       STRBUF_INIT(NAME_ROOM), STRBUF_INIT(NAME_ROOM) };
	CLEANUP(inode_drop) struct held folder = { 0 }, to_folder = { 0 }, from = { 0 };
	int r = child_path(t, dir, name, &folder, &names.from);

	if (!r)
		r = child_path(t, to_dir, to_name, &to_folder, &names.to);
	if (!r)
		r = may_change(t, names.from.buf);
	if (!r)
		r = may_change(t, names.to.buf);
	if (!r && flags & ~(unsigned)RENAME_NOREPLACE)
		r = -EINVAL;
	if (!r)
		r = folder_refresh(t, folder.inode->path);
	if (!r)
		r = folder_refresh(t, to_folder.inode->path);
	if (!r)
		r = path_find(t, names.from.buf, &from.inode);
	if (r < 0)
		return r;
	from.tree = t;
	if (from.inode->type == INODE_FOLDER)
		return fail(-ENOTSUP,
			    "cannot rename %s: a folder is nothing but the names in it; copy it",
			    names.from.buf);
	r = check_target(t, &names, flags);
	if (r < 0 || !strcmp(names.from.buf, names.to.buf))
		return r;
	if (path_to_key(names.to.buf, &names.to_key) < 0)
		return no_such_name(&names);
	r = path_to_key(names.from.buf, &names.from_key);
	return r < 0 ? r : move(t, &names, from.inode, flags, who);
}

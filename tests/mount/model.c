/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.c - the documented semantics of the tree, as plainly as they can be put: the operations.
 *
 * Objects are the bucket's, the same for both actors, and have a version that is new with each
 * change. Names are what one actor's mount alone knows: folders, drafts, scratch files. A slot is
 * an open file. Nothing here is fast, and nothing is shared with what it is compared to.
 *
 * Not defined, and so never asked: the size of a new name that is being written; the old bytes of a
 * file that was opened to be changed, and replaced by others before they were needed (they may be
 * gone: ESTALE).
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "compiler.h"
#include "memory.h"
#include "model_state.h"

/* Open files. */

/* The name that the slot has made; NULL: published, or unlinked. */
static struct name *draft_of(struct actor *a, const struct slot *s)
{
	struct name *name = s->draft ? name_at(a, s->path) : NULL;

	return name && name->id == s->draft ? name : NULL;
}

/* Without any writer it is gone. */
static void let_go(struct actor *a, struct slot *s)
{
	struct name *name = draft_of(a, s);

	s->draft = 0;
	if (name && !--name->writers)
		name_remove(a, s->path);
}

static void slot_close(struct actor *a, struct slot *s)
{
	let_go(a, s);
	bytes_put(s->bytes);
	strbuf_release(&s->text);
	free(s->path);
	free(s->base_text);
	*s = (struct slot){ .type = SLOT_FREE };
}

/* The object of that name is gone: whoever still writes a new file of it does not bring it back. */
static void drop_draft(struct actor *a, const char *path)
{
	const struct name *name = name_at(a, path);

	if (name && name->type == NAME_DRAFT)
		name_remove(a, path);
}

static void slot_fill(struct slot *s, enum slot_type type, const char *path, int flags,
		      const char *text)
{
	*s = (struct slot){ .type = type, .path = xstrdup(path), .flags = flags };
	strbuf_init(&s->text, MODEL_TEXT_MAX);
	strbuf_addstr(&s->text, text);
}

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

static void open_object(struct slot *s, const struct object_of *o, int flags)
{
	if (!wants_write(flags)) {
		slot_fill(s, SLOT_READER, o->path, flags, o->text);
		return;
	}
	slot_fill(s, SLOT_WRITER, o->path, flags, flags & O_TRUNC ? "" : o->text);
	s->base = o->version;
	s->loaded = flags & O_TRUNC;
	s->base_text = xstrdup(o->text);
}

static void open_scratch(struct slot *s, const struct name *name, int flags)
{
	slot_fill(s, SLOT_SCRATCH, name->path, flags, "");
	s->bytes = bytes_get(name->bytes);
	if (flags & O_TRUNC)
		strbuf_reset(&s->bytes->text);
}

static int create(struct actor *a, struct slot *s, const char *path, int flags)
{
	struct name *name;

	if (is_scratch_name(path)) {
		name = name_add(a, path, NAME_SCRATCH);
		name->shown = true;
		name->bytes = xcalloc(1, sizeof(*name->bytes));
		name->bytes->refs = 1;
		strbuf_init(&name->bytes->text, MODEL_TEXT_MAX);
		open_scratch(s, name, flags);
		return 0;
	}
	if (!is_document_name(path))
		return -EINVAL;
	slot_fill(s, SLOT_WRITER, path, flags, "");
	name = name_add(a, path, NAME_DRAFT);
	name->writers++;
	s->draft = name->id;
	return 0;
}

static bool run_open(struct model *m, struct actor *a, struct slot *s, const char *path, int flags,
		     struct answer *ret)
{
	bool writes = wants_write(flags);
	enum found found = look_up(m, a, path);

	if (s->type != SLOT_FREE || (found == FOLDER && !writes))
		return false;
	if (!parent_is_there(m, a, path) || (found == NOTHING && !(flags & O_CREAT)))
		ret->r = -ENOENT;
	else if (found != NOTHING && flags & O_EXCL)
		ret->r = -EEXIST;
	else if (found == FOLDER)
		ret->r = -EISDIR;
	else if (found == OBJECT)
		open_object(s, object_at(m, path), flags);
	else if (found == SCRATCH)
		open_scratch(s, name_at(a, path), flags);
	else if (found == DRAFT && !writes)
		slot_fill(s, SLOT_READER, path, flags, "");
	else
		ret->r = create(a, s, path, flags);
	return true;
}

/* The old bytes are needed. False: they may be gone. */
static bool load(struct model *m, struct slot *s)
{
	if (s->type == SLOT_WRITER && s->base && !s->loaded && version_at(m, s->path) != s->base)
		return false;
	s->loaded = true;
	return true;
}

static struct strbuf *text_of(struct slot *s)
{
	return s->type == SLOT_SCRATCH ? &s->bytes->text : &s->text;
}

static void put_at(struct strbuf *text, uint64_t offset, const char *bytes)
{
	size_t n = strlen(bytes);

	while (text->len < offset + n)
		strbuf_addch(text, '\0');
	memcpy(text->buf + offset, bytes, n);
}

static void note_change(struct actor *a, struct slot *s)
{
	struct name *name = draft_of(a, s);

	s->changed = true;
	s->refused = false;
	if (name && s->text.len)
		name->shown = true;
}

static bool run_write(struct model *m, struct actor *a, struct slot *s, const struct op *op,
		      struct answer *ret)
{
	struct strbuf *text;

	if (s->type < SLOT_WRITER || (s->flags & O_ACCMODE) == O_RDONLY)
		return false;
	if (!*op->text)
		return true;
	if (s->type == SLOT_SCRATCH && s->bytes->published) {
		ret->r = -ESTALE;
		return true;
	}
	if (!load(m, s))
		return false;
	text = text_of(s);
	put_at(text, s->flags & O_APPEND ? text->len : op->offset, op->text);
	note_change(a, s);
	s->written = true;
	return true;
}

static bool run_truncate(struct model *m, struct actor *a, struct slot *s, uint64_t size,
			 struct answer *ret)
{
	struct strbuf *text;

	if (s->type < SLOT_WRITER || (s->flags & O_ACCMODE) == O_RDONLY)
		return false;
	if (s->type == SLOT_SCRATCH && s->bytes->published) {
		ret->r = -ESTALE;
		return true;
	}
	if (size && !load(m, s))
		return false;
	s->loaded = true;
	text = text_of(s);
	while (text->len < size)
		strbuf_addch(text, '\0');
	strbuf_setlen(text, size);
	note_change(a, s);
	s->written |= size > 0;
	return true;
}

static int flush(struct model *m, struct actor *a, struct slot *s)
{
	int r;

	if (s->type != SLOT_WRITER || !s->changed || (!s->written && !s->text.len) ||
	    (s->draft && !draft_of(a, s)))
		return 0;
	if (s->refused)
		return -EINVAL;
	r = bucket_write(m, s->path, &s->text, s->base, s->base_text);
	s->refused = r == -EINVAL;
	if (r)
		return r;
	if (!s->base || strcmp(s->base_text, s->text.buf) != 0) {
		s->base = version_at(m, s->path);
		free(s->base_text);
		s->base_text = xstrdup(s->text.buf);
	}
	s->changed = false;
	let_go(a, s);
	return 0;
}

static bool run_read(struct model *m, struct slot *s, uint64_t offset, struct answer *ret)
{
	const struct strbuf *text;

	if (s->type == SLOT_FREE || (s->flags & O_ACCMODE) == O_WRONLY || !load(m, s))
		return false;
	text = text_of(s);
	if (offset < text->len)
		strbuf_add(&ret->text, text->buf + offset, text->len - offset);
	return true;
}

static bool run_save(struct model *m, struct actor *a, const struct op *op, struct answer *ret)
{
	struct slot s = { .type = SLOT_FREE };

	if (!run_open(m, a, &s, op->path, O_WRONLY | O_CREAT | O_TRUNC, ret))
		return false;
	if (ret->r)
		return true;
	run_write(m, a, &s, op, ret);
	ret->r = flush(m, a, &s);
	slot_close(a, &s);
	return true;
}

static bool run_cut(struct model *m, struct actor *a, const struct op *op, struct answer *ret)
{
	struct slot s = { .type = SLOT_FREE };

	if (!run_open(m, a, &s, op->path, O_WRONLY, ret))
		return false;
	if (ret->r)
		return true;
	run_truncate(m, a, &s, op->offset, ret);
	ret->r = flush(m, a, &s);
	slot_close(a, &s);
	return true;
}

/* Names. */

static bool run_stat(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	enum found found = look_up(m, a, path);

	ret->r = found == NOTHING ? -ENOENT : 0;
	ret->is_dir = found == FOLDER;
	ret->has_size = found == SCRATCH || found == OBJECT;
	if (ret->has_size)
		ret->size = found == OBJECT ? strlen(text_at(m, path)) : scratch_at(a, path)->len;
	return true;
}

static void add_sha256(const char *text, struct strbuf *out)
{
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(text, strlen(text), sum);
	hex_encode(sum, SHA256_SIZE, hex);
	strbuf_addstr(out, hex);
}

/* Of what is no object there is none. */
static bool run_attribute(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	enum found found = look_up(m, a, path);

	if (found == OBJECT)
		add_sha256(text_at(m, path), &ret->text);
	else
		ret->r = found == NOTHING ? -ENOENT : -ENODATA;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_child(char **names, size_t *n, const char *folder, const char *path, bool is_dir)
{
	const char *rest = path + strlen(folder) + (*folder ? 1 : 0);
	const char *slash = strchr(rest, '/');

	if (slash)
		names[(*n)++] = xasprintf("%.*s/", (int)(slash - rest), rest);
	else
		names[(*n)++] = xasprintf("%s%s", rest, is_dir ? "/" : "");
}

static bool run_list(struct model *m, struct actor *a, const char *folder, struct answer *ret)
{
	char *names[2 * NAMES_MAX];
	size_t n = 0;

	if (!is_folder(m, a, folder)) {
		ret->r = look_up(m, a, folder) == NOTHING ? -ENOENT : -ENOTDIR;
		return true;
	}
	for (size_t i = 0; i < m->n; i++)
		if (is_below(m->objects[i].path, folder))
			add_child(names, &n, folder, m->objects[i].path,
				  is_folder(m, a, m->objects[i].path));
	for (size_t i = 0; i < a->n; i++) {
		const struct name *name = &a->names[i];

		if (is_below(name->path, folder) && (name->type == NAME_FOLDER || name->shown ||
						     strchr(name->path + strlen(folder) + 1, '/')))
			add_child(names, &n, folder, name->path, name->type == NAME_FOLDER);
	}
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(names[i - 1], names[i]) != 0)
			strbuf_addf(&ret->text, "%s ", names[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	return true;
}

static bool run_read_all(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	switch (look_up(m, a, path)) {
	case NOTHING:
		ret->r = -ENOENT;
		return true;
	case OBJECT:
		strbuf_addstr(&ret->text, text_at(m, path));
		return true;
	case SCRATCH:
		strbuf_add(&ret->text, scratch_at(a, path)->buf, scratch_at(a, path)->len);
		return true;
	case DRAFT:
		return true;
	case FOLDER:
		break;
	}
	return false;
}

static bool run_unlink(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	switch (look_up(m, a, path)) {
	case NOTHING:
		ret->r = -ENOENT;
		break;
	case FOLDER:
		ret->r = -EISDIR;
		return *path;
	case OBJECT:
		object_remove(m, path);
		drop_draft(a, path);
		names_keep_folders(m, a, path);
		break;
	case DRAFT:
	case SCRATCH:
		name_remove(a, path);
		break;
	}
	return true;
}

static bool run_mkdir(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	if (!*path || (look_up(m, a, path) == NOTHING && name_at(a, path)))
		return false; /* a name that is being written, and not shown yet */
	if (look_up(m, a, path) != NOTHING)
		ret->r = -EEXIST;
	else if (!parent_is_there(m, a, path))
		ret->r = -ENOENT;
	else if (!may_be_folder(path))
		ret->r = -EINVAL;
	else
		name_add(a, path, NAME_FOLDER);
	return true;
}

static bool run_rmdir(struct model *m, struct actor *a, const char *path, struct answer *ret)
{
	struct name *name = name_at(a, path);
	enum found found = look_up(m, a, path);

	if (!*path)
		return false;
	if (found == NOTHING)
		ret->r = -ENOENT;
	else if (found != FOLDER)
		ret->r = -ENOTDIR;
	else if (name && name->permanent)
		ret->r = -EBUSY;
	else if (bucket_below(m, path) || names_below(a, path))
		ret->r = -ENOTEMPTY;
	else
		name_remove(a, path);
	return true;
}

static int move_scratch(struct model *m, struct actor *a, const struct op *op)
{
	struct name *from = name_at(a, op->path), *to;
	struct bytes *bytes = from ? from->bytes : NULL;
	int r;

	if (!is_scratch_name(op->to)) {
		if (!is_document_name(op->to))
			return -EINVAL;
		r = bucket_write(m, op->to, &bytes->text, version_at(m, op->to),
				 text_at(m, op->to));
		if (!r) {
			bytes->published = true;
			name_remove(a, op->path);
		}
		return r;
	}
	bytes_get(bytes);
	name_remove(a, op->path);
	to = name_at(a, op->to);
	if (to)
		name_remove(a, op->to);
	to = name_add(a, op->to, NAME_SCRATCH);
	to->shown = true;
	to->bytes = bytes;
	return 0;
}

static int move_object(struct model *m, struct actor *a, const struct op *op)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(MODEL_TEXT_MAX);
	int r;

	if (is_scratch_name(op->to))
		return -EBUSY;
	if (!is_document_name(op->to))
		return -EINVAL;
	strbuf_addstr(&text, text_at(m, op->path));
	r = bucket_write(m, op->to, &text, version_at(m, op->to), text_at(m, op->to));
	if (r)
		return r;
	object_remove(m, op->path);
	drop_draft(a, op->path);
	names_keep_folders(m, a, op->path);
	return 0;
}

static bool run_rename(struct model *m, struct actor *a, const struct op *op, struct answer *ret)
{
	enum found from = look_up(m, a, op->path), to = look_up(m, a, op->to);

	if (!*op->path || !*op->to || is_below(op->to, op->path) || is_below(op->path, op->to))
		return false;
	if (from == FOLDER && to != NOTHING)
		return false; /* the kernel has its own answers */
	if (!parent_is_there(m, a, op->to) || from == NOTHING)
		ret->r = -ENOENT;
	else if (to != NOTHING && op->flags & RENAME_NOREPLACE)
		ret->r = -EEXIST;
	else if (from == FOLDER)
		ret->r = -ENOTSUP;
	else if (to == FOLDER)
		ret->r = -EISDIR;
	else if (!strcmp(op->path, op->to))
		ret->r = 0;
	else if (from == DRAFT)
		ret->r = -EBUSY;
	else
		ret->r = from == SCRATCH ? move_scratch(m, a, op) : move_object(m, a, op);
	return true;
}

/* What the mount alone knew is gone with it. */
static bool run_remount(struct actor *a)
{
	for (size_t i = 0; i < MODEL_SLOTS; i++)
		if (a->slots[i].type != SLOT_FREE)
			slot_close(a, &a->slots[i]);
	for (size_t i = a->n; i--;)
		if (!a->names[i].permanent)
			name_remove(a, a->names[i].path);
	return true;
}

/* All of it. */

bool model_run(struct model *m, const struct op *op, struct answer *ret)
{
	struct actor *a = &m->actors[op->actor];
	struct slot *s = &a->slots[op->slot];

	switch (op->kind) {
	case OP_STAT:
		return run_stat(m, a, op->path, ret);
	case OP_LIST:
		return run_list(m, a, op->path, ret);
	case OP_READ_ALL:
		return run_read_all(m, a, op->path, ret);
	case OP_ATTRIBUTE:
		return run_attribute(m, a, op->path, ret);
	case OP_SAVE:
		return run_save(m, a, op, ret);
	case OP_CUT:
		return run_cut(m, a, op, ret);
	case OP_OPEN:
		return run_open(m, a, s, op->path, op->flags, ret);
	case OP_READ:
		return run_read(m, s, op->offset, ret);
	case OP_WRITE:
		return run_write(m, a, s, op, ret);
	case OP_TRUNCATE:
		return run_truncate(m, a, s, op->offset, ret);
	case OP_FSYNC:
	case OP_CLOSE:
		if (s->type == SLOT_FREE)
			return false;
		ret->r = flush(m, a, s);
		if (op->kind == OP_CLOSE)
			slot_close(a, s);
		return true;
	case OP_UNLINK:
		return run_unlink(m, a, op->path, ret);
	case OP_MKDIR:
		return run_mkdir(m, a, op->path, ret);
	case OP_RMDIR:
		return run_rmdir(m, a, op->path, ret);
	case OP_RENAME:
		return run_rename(m, a, op, ret);
	case OP_REMOUNT:
		return run_remount(a);
	case OP_KINDS:
		break;
	}
	abort();
}

struct model *model_new(void)
{
	static const char *const permanent[] = { "latest", "latest/api", "latest/api/archives",
						 "latest/api/packages" };
	struct model *m = xcalloc(1, sizeof(*m));

	for (size_t i = 0; i < MODEL_ACTORS; i++)
		for (size_t j = 0; j < ARRAY_SIZE(permanent); j++)
			name_add(&m->actors[i], permanent[j], NAME_FOLDER)->permanent = true;
	return m;
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < MODEL_ACTORS; i++) {
		struct actor *a = &m->actors[i];

		for (size_t j = 0; j < MODEL_SLOTS; j++)
			if (a->slots[j].type != SLOT_FREE)
				slot_close(a, &a->slots[j]);
		while (a->n)
			name_remove(a, a->names[0].path);
	}
	while (m->n)
		object_remove(m, m->objects[0].path);
	free(m);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* model_tree.c - the operations on two trees over one store, without a kernel. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "memory.h"
#include "model.h"
#include "tree_world.h"

struct tree_subject {
	struct subject subject;
	struct world w;
	struct tree *trees[MODEL_ACTORS];
	struct file *slots[MODEL_ACTORS][MODEL_SLOTS];
};

/* As the kernel goes: name by name. The last one may be missing, where its folder is asked for. */
static int walk(struct tree *t, const char *path, struct node *ret)
{
	CLEANUP(free_char) char *names = xstrdup(path);
	char *rest = *path ? names : NULL, *name;
	struct node node = { .id = TREE_ROOT, .is_dir = true };
	int r = 0;

	while (!r && (name = strsep(&rest, "/"))) {
		struct node next;

		r = tree_lookup(t, node.id, name, &next);
		tree_forget(t, node.id, 1);
		node = next;
	}
	if (!r)
		*ret = node;
	return r;
}

static int walk_to_folder(struct tree *t, const char *path, struct node *ret, const char **name)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free_char) char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);

	*name = slash ? slash + 1 : path;
	return walk(t, folder, ret);
}

static int open_once(struct tree *t, const char *path, int flags, struct file **ret)
{
	struct node folder, node;
	const char *name;
	int r = walk(t, path, &node);

	if (!r) {
		r = flags & O_EXCL ? -EEXIST : tree_open(t, node.id, flags, ret);
		tree_forget(t, node.id, 1);
		return r;
	}
	if (r != -ENOENT || !(flags & O_CREAT))
		return r;
	r = walk_to_folder(t, path, &folder, &name);
	if (r < 0)
		return r;
	r = tree_create(t, folder.id, name, flags, 0644, ret, &node);
	if (!r)
		tree_forget(t, node.id, 1);
	tree_forget(t, folder.id, 1);
	return r;
}

/* The kernel looks a name up once more, as it does in truncate(2). */
static int open_file(struct tree *t, const char *path, int flags, struct file **ret)
{
	int r = open_once(t, path, flags, ret);

	return r == -ESTALE ? open_once(t, path, flags, ret) : r;
}

static int read_from(struct file *f, uint64_t offset, struct strbuf *out)
{
	char *room = strbuf_reserve(out, MODEL_TEXT_MAX / 2);
	ssize_t n = file_read(f, offset, room, MODEL_TEXT_MAX / 2);

	if (n < 0)
		return (int)n;
	strbuf_setlen(out, out->len + (size_t)n);
	return 0;
}

static int run_save(struct tree *t, const struct op *op)
{
	struct caller who = this_caller();
	struct file *f;
	ssize_t n;
	int r = open_file(t, op->path, O_WRONLY | O_CREAT | O_TRUNC, &f);

	if (r < 0)
		return r;
	n = file_write(f, 0, op->text, strlen(op->text));
	r = n < 0 ? (int)n : file_flush(f, &who);
	file_close(f);
	return r;
}

static int run_stat(struct tree *t, const struct op *op, struct answer *ret)
{
	struct node node;
	int r = walk(t, op->path, &node);

	if (r < 0)
		return r;
	ret->is_dir = node.is_dir;
	ret->size = node.size;
	ret->has_size = !node.is_dir;
	tree_forget(t, node.id, 1);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_folder(struct tree *t, uint64_t id, struct answer *ret)
{
	char *names[64];
	const char *name;
	struct node node;
	struct dir *d;
	size_t n = 0;
	int r = tree_opendir(t, id, &d);

	if (r < 0)
		return r;
	while ((r = dir_next(d, &name, &node)) > 0) {
		assert(n < ARRAY_SIZE(names));
		names[n++] = xasprintf("%s%s", name, node.is_dir ? "/" : "");
		if (dir_hold(d, &node) == 1)
			tree_forget(t, node.id, 1);
	}
	dir_close(d);
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&ret->text, "%s ", names[i]);
		free(names[i]);
	}
	return r;
}

static int run_list(struct tree *t, const struct op *op, struct answer *ret)
{
	struct node node;
	int r = walk(t, op->path, &node);

	if (r < 0)
		return r;
	r = read_folder(t, node.id, ret);
	tree_forget(t, node.id, 1);
	return r;
}

static int run_read_all(struct tree *t, const struct op *op, struct answer *ret)
{
	struct file *f;
	int r = open_file(t, op->path, O_RDONLY, &f);

	if (r < 0)
		return r;
	r = read_from(f, 0, &ret->text);
	file_close(f);
	return r;
}

/* unlink, mkdir and rmdir: the kernel looks the name up first. */
static int run_in_folder(struct tree *t, const struct op *op)
{
	struct node folder, node;
	const char *name;
	int r = walk_to_folder(t, op->path, &folder, &name), there;

	if (r < 0)
		return r;
	there = tree_lookup(t, folder.id, name, &node);
	if (!there)
		tree_forget(t, node.id, 1);
	if (op->kind == OP_MKDIR) {
		r = there ? tree_mkdir(t, folder.id, name, &node) : -EEXIST;
		if (!r)
			tree_forget(t, node.id, 1);
	} else if (there < 0) {
		r = there;
	} else {
		r = op->kind == OP_UNLINK ? tree_unlink(t, folder.id, name)
					  : tree_rmdir(t, folder.id, name);
	}
	tree_forget(t, folder.id, 1);
	return r;
}

static int cut_once(struct tree *t, const struct op *op)
{
	struct caller who = this_caller();
	struct node node;
	int r = walk(t, op->path, &node);

	if (r < 0)
		return r;
	r = tree_truncate(t, node.id, op->offset, &who);
	tree_forget(t, node.id, 1);
	return r;
}

static int run_cut(struct tree *t, const struct op *op)
{
	int r = cut_once(t, op);

	return r == -ESTALE ? cut_once(t, op) : r;
}

static int run_attribute(struct tree *t, const struct op *op, struct answer *ret)
{
	struct node node;
	int r = walk(t, op->path, &node);

	if (r < 0)
		return r;
	r = tree_getxattr(t, node.id, "user.pubfs.sha256", &ret->text);
	tree_forget(t, node.id, 1);
	return r;
}

static int run_rename(struct tree *t, const struct op *op)
{
	struct caller who = this_caller();
	struct node from, to;
	const char *name, *to_name;
	int r = walk_to_folder(t, op->path, &from, &name);

	if (r < 0)
		return r;
	r = walk_to_folder(t, op->to, &to, &to_name);
	if (!r) {
		r = tree_rename(t, from.id, name, to.id, to_name, (unsigned)op->flags, &who);
		tree_forget(t, to.id, 1);
	}
	tree_forget(t, from.id, 1);
	return r;
}

static int run_on_slot(struct tree *t, struct file **slot, const struct op *op, struct answer *ret)
{
	struct caller who = this_caller();
	ssize_t n;
	int r;

	switch ((int)op->kind) {
	case OP_OPEN:
		return open_file(t, op->path, op->flags, slot);
	case OP_READ:
		return read_from(*slot, op->offset, &ret->text);
	case OP_WRITE:
		n = file_write(*slot, op->offset, op->text, strlen(op->text));
		return n < 0 ? (int)n : 0;
	case OP_TRUNCATE:
		return file_truncate(*slot, op->offset);
	default:
		r = file_flush(*slot, &who);
		if (op->kind == OP_CLOSE)
			file_close(steal(*slot));
		return r;
	}
}

static int remount(struct tree_subject *s, unsigned actor)
{
	int r;

	tree_free(s->trees[actor]); /* which closes what is open */
	memset(s->slots[actor], 0, sizeof(s->slots[actor]));
	r = tree_new(&s->w.options, &s->trees[actor]);
	s->w.tree = s->trees[0];
	return r;
}

static void run(struct subject *subject, const struct op *op, struct answer *ret)
{
	struct tree_subject *s = (struct tree_subject *)subject;
	struct tree *t = s->trees[op->actor];

	switch ((int)op->kind) {
	case OP_STAT:
		ret->r = run_stat(t, op, ret);
		break;
	case OP_LIST:
		ret->r = run_list(t, op, ret);
		break;
	case OP_READ_ALL:
		ret->r = run_read_all(t, op, ret);
		break;
	case OP_ATTRIBUTE:
		ret->r = run_attribute(t, op, ret);
		break;
	case OP_SAVE:
		ret->r = run_save(t, op);
		break;
	case OP_CUT:
		ret->r = run_cut(t, op);
		break;
	case OP_UNLINK:
	case OP_MKDIR:
	case OP_RMDIR:
		ret->r = run_in_folder(t, op);
		break;
	case OP_RENAME:
		ret->r = run_rename(t, op);
		break;
	case OP_REMOUNT:
		ret->r = remount(s, op->actor);
		break;
	default:
		ret->r = run_on_slot(t, &s->slots[op->actor][op->slot], op, ret);
	}
}

static void tree_subject_free(struct subject *subject)
{
	struct tree_subject *s = (struct tree_subject *)subject;

	tree_free(s->trees[1]);
	world_remove(&s->w); /* with the first tree */
	free(s);
}

struct subject *subject_tree_new(void)
{
	struct tree_subject *s = xcalloc(1, sizeof(*s));

	s->subject = (struct subject){ .can_remount = true, .run = run, .free = tree_subject_free };
	s->w = world_make(LONG_TTL);
	s->w.options.runtime_version = NULL;
	world_remake(&s->w);
	s->trees[0] = s->w.tree;
	if (tree_new(&s->w.options, &s->trees[1]) < 0)
		abort();
	return &s->subject;
}

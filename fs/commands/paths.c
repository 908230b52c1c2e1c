/* SPDX-License-Identifier: BSD-3-Clause */
/* paths.c - what the commands on paths of the tree share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "stack.h"
#include "tree.h"

/* What the tree answers without a word, because a kernel or a person finds the words. */
static const struct {
	int error;
	const char *text;
} silent[] = {
	{ ENOENT, "it is not there" },
	{ ENOTDIR, "a part of the path is not a folder" },
	{ EISDIR, "it is a folder" },
	{ EINVAL, "the export has no object of this name" },
	{ ENAMETOOLONG, "a part of the path is too long" },
	{ EROFS, "the tree is read-only" },
	{ ESTALE, "someone wrote it first; look again" },
	{ EBUSY, "it changed in that moment, or is always there" },
	{ EEXIST, "it is there already" },
};

int path_failure(const char *path, int r)
{
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		if (r == -silent[i].error)
			return fail(r, "%s: %s", path, silent[i].text);
	return r;
}

enum exit_status paths_each(const struct options *o, int argc, char *const *argv, path_fn *fn)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	unsigned parts = STACK_BUCKET | STACK_BODIES;
	int r, first = 0;

	if (o->named_db)
		parts |= STACK_DB;
	r = stack_open(o, parts, &stack);

	if (r == 0)
		r = stack_open_tree(o, NULL, &stack);
	if (r < 0)
		return exit_status_of(r);
	for (int i = 0; i < argc && !ferror(stdout); i++) {
		r = fn(stack.tree, argv[i], o);
		if (first == 0 || r == -EPIPE)
			first = r;
	}
	/* of many paths, what the brake holds is what is to be looked at */
	return exit_status_of(first == -EPERM && stack.rm_brake ? -ECANCELED : first);
}

int path_split(struct tree *t, const char *path, struct node *ret, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free_char) char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	int r = tree_resolve(t, folder, ret);

	if (r < 0)
		return r;
	if (!ret->is_dir) {
		tree_forget(t, ret->id, 1);
		return -ENOTDIR;
	}
	*ret_name = slash ? slash + 1 : path;
	return 0;
}

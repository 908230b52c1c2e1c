/* SPDX-License-Identifier: BSD-3-Clause */
/* rm.c - removes objects, each on the condition of the generation that was found. */
#include "command.h"
#include "tree.h"

static int remove_path(struct tree *t, const char *path, const struct options *o)
{
	const char *name;
	struct node folder;
	int r = path_split(t, path, &folder, &name);

	(void)o;
	if (r == 0) {
		r = tree_unlink(t, folder.id, name);
		tree_forget(t, folder.id, 1);
	}
	return r < 0 ? path_failure(path, r) : 0;
}

enum exit_status command_rm(const struct options *o, int argc, char *const *argv)
{
	return paths_each(o, argc, argv, remove_path);
}

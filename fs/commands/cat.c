/* SPDX-License-Identifier: BSD-3-Clause */
/* cat.c - decoded contents to standard output. */
#include <errno.h>
#include <fcntl.h>

#include "command.h"
#include "memory.h"
#include "tree.h"

#define PIECE_SIZE ((size_t)256 << 10)
#define LOOKS_MAX  8 /* a path that is rewritten between looking and opening, again and again */

static int open_path(struct tree *t, const char *path, struct file **ret)
{
	int r = -ESTALE;

	for (int i = 0; r == -ESTALE && i < LOOKS_MAX; i++) {
		struct node node;

		r = tree_resolve(t, path, &node);
		if (r < 0)
			return r;
		r = node.is_dir ? -EISDIR : tree_open(t, node.id, O_RDONLY, ret);
		tree_forget(t, node.id, 1);
	}
	return r;
}

static int print_file(struct file *f, char *piece)
{
	uint64_t offset = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = file_read(f, offset, piece, PIECE_SIZE)) != 0) {
		if (n < 0)
			return (int)n;
		r = output(piece, (size_t)n);
		offset += (uint64_t)n;
	}
	return r;
}

static int print_path(struct tree *t, const char *path, const struct options *o)
{
	CLEANUP(free_char) char *piece = xmalloc(PIECE_SIZE);
	struct file *f;
	int r = open_path(t, path, &f);

	(void)o;
	if (r < 0)
		return path_failure(path, r);
	r = print_file(f, piece);
	file_close(f);
	return r;
}

enum exit_status command_cat(const struct options *o, int argc, char *const *argv)
{
	return paths_each(o, argc, argv, print_path);
}

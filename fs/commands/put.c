/* SPDX-License-Identifier: BSD-3-Clause */
/* put.c - one file, or standard input, becomes one object. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "scratch_name.h"
#include "stack.h"
#include "tree.h"

#define PIECE_SIZE ((size_t)256 << 10)
#define LOOKS_MAX  8 /* a path that comes, goes or changes between looking and opening */

/* Where to, and who asks. */
struct target {
	struct tree *tree;
	const char *path;
	struct caller who;
};

/* The folder of one part, made where there is none: folders are only names here. -EIO: what is
 * wrong with its name was said. */
static int enter_folder(const struct target *to, const char *name, uint64_t *id)
{
	struct node node;
	int r = tree_lookup(to->tree, *id, name, &node);

	if (r == -ENOENT)
		r = tree_mkdir(to->tree, *id, name, &node);
	if (r < 0)
		return r == -EINVAL ? -EIO : r;
	tree_forget(to->tree, *id, 1);
	*id = node.id;
	return node.is_dir ? 0 : -ENOTDIR;
}

static int create(const struct target *to, struct file **ret)
{
	CLEANUP(free_char) char *path = xstrdup(to->path);
	char *rest = path + strspn(path, "/");
	struct node folder, node;
	int r = tree_resolve(to->tree, "/", &folder);

	if (r < 0)
		return r;
	if (scratch_name_matches(basename(rest), false, 0))
		r = fail(-EIO, "cannot put %s: a file of this name never leaves a mount", rest);
	while (r == 0 && strchr(rest, '/'))
		r = enter_folder(to, strsep(&rest, "/"), &folder.id);
	if (r == 0)
		r = tree_create(to->tree, folder.id, rest, O_WRONLY | O_CREAT | O_EXCL, 0644, ret,
				&node);
	if (r == 0)
		tree_forget(to->tree, node.id, 1);
	tree_forget(to->tree, folder.id, 1);
	return r;
}

static int open_target(const struct target *to, struct file **ret)
{
	int r = -ESTALE;

	for (int i = 0; (r == -ESTALE || r == -EEXIST) && i < LOOKS_MAX; i++) {
		struct node node;

		r = tree_resolve(to->tree, to->path, &node);
		if (r == -ENOENT) {
			r = create(to, ret);
			continue;
		}
		if (r < 0)
			return r;
		r = node.is_dir ? -EISDIR : tree_open(to->tree, node.id, O_WRONLY | O_TRUNC, ret);
		tree_forget(to->tree, node.id, 1);
	}
	return r;
}

/* Reads `from` to its end; `shown` is its name in messages. */
static int copy(int from, const char *shown, const struct target *to, struct file *f)
{
	CLEANUP(free_char) char *piece = xmalloc(PIECE_SIZE);
	uint64_t offset = 0;

	for (;;) {
		ssize_t n = read(from, piece, PIECE_SIZE), written;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(-EIO, "cannot read %s: %s", shown, strerror(errno));
		if (n == 0 && offset == 0)
			return fail(-EINVAL, "%s is empty, and no object may be", shown);
		if (n == 0)
			return 0;
		written = file_write(f, offset, piece, (size_t)n);
		if (written < 0)
			return path_failure(to->path, (int)written);
		offset += (uint64_t)n;
	}
}

static int put(int from, const char *shown, const struct target *to)
{
	struct file *f;
	int r = open_target(to, &f);

	if (r < 0)
		return path_failure(to->path, r);
	r = copy(from, shown, to, f);
	if (r == 0)
		r = file_flush(f, &to->who);
	file_close(f);
	return r;
}

/* Who opens the gate is written down, with the reason. */
static void log_open_gate(const struct options *o, const char *path)
{
	const struct passwd *user = getpwuid(getuid());

	log_warning("%s is written without the gate by %s (uid %u): %s", path,
		    user ? user->pw_name : "a user without a name", (unsigned)getuid(), o->reason);
}

enum exit_status command_put(const struct options *o, int argc, char *const *argv)
{
	bool from_input = !strcmp(argv[0], "-");
	CLEANUP(close_fd) int opened = from_input ? -1 : open(argv[0], O_RDONLY | O_CLOEXEC);
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	struct target to = { .path = argv[1], .who = { .pid = getpid(), .uid = getuid() } };
	int r;

	(void)argc;
	if (!from_input && opened < 0) {
		fail(-EIO, "cannot open %s: %s", argv[0], strerror(errno));
		return EXIT_FAILED;
	}
	r = stack_open(o, STACK_BUCKET | STACK_BODIES, &stack);
	if (r == 0)
		r = stack_open_tree(o, NULL, &stack);
	if (r < 0)
		return exit_status_of(r);
	if (o->gate == GATE_OFF)
		log_open_gate(o, argv[1]);
	to.tree = stack.tree;
	r = put(from_input ? STDIN_FILENO : opened, from_input ? "standard input" : argv[0], &to);
	return exit_status_of(r);
}

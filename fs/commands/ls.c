/* SPDX-License-Identifier: BSD-3-Clause */
/* ls.c - the entries of folders, in the order of the bucket. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "clock.h"
#include "command.h"
#include "facts.h"
#include "options.h"
#include "strbuf.h"
#include "tree.h"

#define TIME_TEXT_MAX  64
#define LINE_BYTES_MAX ((size_t)64 << 10)

static int print_detailed(const char *name, const struct node *node)
{
	CLEANUP(strbuf_release) struct strbuf time = STRBUF_INIT(TIME_TEXT_MAX);

	if (node->is_dir)
		return output_text("%12s  %-27s  %s\n", "-", "-", name);
	clock_format(node->mtime, &time);
	return output_text("%12" PRIu64 "  %-27s  %s\n", node->size, time.buf, name);
}

static int print_json(const char *name, const struct node *node)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(LINE_BYTES_MAX);
	struct facts f;

	facts_begin(&f, true, &text);
	facts_text(&f, "name", name);
	facts_node(&f, node);
	facts_end(&f);
	return output(text.buf, text.len);
}

static int print_entry(const char *name, const struct node *node, const struct options *o)
{
	if (o->json)
		return print_json(name, node);
	return o->detailed ? print_detailed(name, node) : output_text("%s\n", name);
}

/* The whole of an entry whose size may still have to be asked for; -ENOENT: removed in between. */
static int complete(struct tree *t, struct dir *d, uint64_t folder, const char *name,
		    struct node *ret)
{
	int r = dir_hold(d, ret);

	if (r == 0)
		r = tree_lookup(t, folder, name, ret);
	if (r < 0)
		return r;
	tree_forget(t, ret->id, 1);
	return 0;
}

static int print_folder(struct tree *t, uint64_t id, const struct options *o)
{
	struct node node;
	const char *name;
	struct dir *d;
	int r = tree_opendir(t, id, &d);

	if (r < 0)
		return r;
	while ((r = dir_next(d, &name, &node)) == 1) {
		r = o->json || o->detailed ? complete(t, d, id, name, &node) : 0;
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = print_entry(name, &node, o);
		if (r < 0)
			break;
	}
	dir_close(d);
	return r;
}

static int print_path(struct tree *t, const char *path, const struct options *o)
{
	struct node node;
	int r = tree_resolve(t, path, &node);

	if (r < 0)
		return path_failure(path, r);
	if (!node.is_dir)
		r = print_entry(path, &node, o);
	else
		r = print_folder(t, node.id, o);
	tree_forget(t, node.id, 1);
	return r < 0 ? path_failure(path, r) : 0;
}

/* As ls(1) does where several are listed, so that it is seen which entry lies where. */
static int print_with_heading(struct tree *t, const char *path, const struct options *o)
{
	struct node node;
	int r = tree_resolve(t, path, &node);

	if (r < 0)
		return path_failure(path, r);
	tree_forget(t, node.id, 1);
	if (node.is_dir && !o->json)
		r = output_text("%s:\n", path);
	if (r == 0)
		r = print_path(t, path, o);
	if (r == 0 && node.is_dir && !o->json)
		r = output_text("\n");
	return r;
}

enum exit_status command_ls(const struct options *o, int argc, char *const *argv)
{
	char *const root[] = { (char[]){ "/" } };

	if (argc == 0)
		return paths_each(o, 1, root, print_path);
	return paths_each(o, argc, argv, argc > 1 ? print_with_heading : print_path);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* stat.c - all that is known of a path, the object's own attributes included. */
#include <errno.h>
#include <string.h>

#include "command.h"
#include "facts.h"
#include "options.h"
#include "strbuf.h"
#include "tree.h"

/* What a kernel takes for all names, and for one value. */
#define NAMES_MAX ((size_t)64 << 10)
#define VALUE_MAX ((size_t)64 << 10)
#define TEXT_MAX  ((size_t)8 << 20)

#define ATTRIBUTE_PREFIX "user.pubfs."

static int add_attributes(struct tree *t, uint64_t id, struct facts *f)
{
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(NAMES_MAX);
	int r = tree_listxattr(t, id, &names);

	for (const char *name = names.buf; r == 0 && name < names.buf + names.len;
	     name += strlen(name) + 1) {
		CLEANUP(strbuf_release) struct strbuf value = STRBUF_INIT(VALUE_MAX);
		size_t skip = strlen(ATTRIBUTE_PREFIX);

		r = tree_getxattr(t, id, name, &value);
		if (r < 0)
			return r;
		if (strncmp(name, ATTRIBUTE_PREFIX, skip))
			skip = 0;
		facts_bytes(f, name + skip, value.buf, value.len);
	}
	return r;
}

static int print_path(struct tree *t, const char *path, const struct options *o)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct node node;
	struct facts f;
	int r = tree_resolve(t, path, &node);

	if (r < 0)
		return path_failure(path, r);
	facts_begin(&f, o->json, &text);
	facts_text(&f, "path", path);
	facts_node(&f, &node);
	facts_enter(&f, "attributes");
	r = add_attributes(t, node.id, &f);
	facts_leave(&f);
	facts_end(&f);
	tree_forget(t, node.id, 1);
	return r < 0 ? path_failure(path, r) : output(text.buf, text.len);
}

enum exit_status command_stat(const struct options *o, int argc, char *const *argv)
{
	return paths_each(o, argc, argv, print_path);
}

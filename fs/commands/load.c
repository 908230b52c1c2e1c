/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c - files of JSON lines into the database: each whole, or not at all. */
#include "load.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "stack.h"

static int load(struct db *db, const char *path, bool replace)
{
	struct load_counts counts;
	int r = load_file(db, path, replace, &counts);

	if (r < 0)
		return r;
	return output_text("%s: %" PRIu64 " added, %" PRIu64 " replaced, %" PRIu64 " equal\n",
			   strcmp(path, "-") ? path : "standard input", counts.added,
			   counts.replaced, counts.equal);
}

enum exit_status command_load(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	int r = stack_open(o, STACK_DB | STACK_MAKE_DB, &stack), first = 0;

	if (r < 0)
		return exit_status_of(r);
	for (int i = 0; i < argc; i++) {
		r = load(stack.db, argv[i], o->replace);
		if (first == 0)
			first = r;
	}
	return exit_status_of(first);
}

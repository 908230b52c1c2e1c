/* SPDX-License-Identifier: BSD-3-Clause */
/* advisory.c - security advisories into the database, and out of it. */
#include "command.h"
#include "memory.h"
#include "options.h"
#include "set.h"
#include "stack.h"

static int take(struct db *db, const char *path)
{
	static const char *const said[] = {
		[ADVISED_BEFORE] = "was there before",
		[ADVISED_ADDED] = "added",
		[ADVISED_REPLACED] = "replaced",
	};
	CLEANUP(free_char) char *id = NULL;
	int r = advisory_take(db, path, &id);

	return r < 0 ? r : output_text("%s: %s\n", id, said[r]);
}

static int drop(struct db *db, const char *id)
{
	int r = advisory_remove(db, id);

	return r < 0 ? r : output_text("%s: removed\n", id);
}

enum exit_status command_advisory(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	int r = stack_open(o, STACK_DB, &stack), first = 0;

	if (r < 0)
		return exit_status_of(r);
	for (int i = 0; i < argc; i++) {
		r = o->remove ? drop(stack.db, argv[i]) : take(stack.db, argv[i]);
		if (first == 0)
			first = r;
	}
	return exit_status_of(first);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* set.c - one change to the database by hand. */
#include "set.h"

#include "command.h"
#include "stack.h"

enum exit_status command_set(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	CLEANUP(set_release) struct set set = { .package = NULL };
	int r;

	if (set_parse(argv[0], argv + 1, (size_t)argc - 1, &set) < 0)
		return EXIT_USAGE;
	r = stack_open(o, STACK_DB, &stack);
	return exit_status_of(r < 0 ? r : set_apply(stack.db, &set));
}

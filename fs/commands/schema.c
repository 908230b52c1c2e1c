/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.c - prints the DDL of a kind of database. */
#include "command.h"

#include <errno.h>

#include "db.h"
#include "log.h"

enum exit_status command_schema(const struct options *o, int argc, char *const *argv)
{
	const char *ddl = db_schema(argv[0]);

	(void)o;
	(void)argc;
	if (!ddl) {
		fail(-EINVAL, "there is no schema for '%s'; there is one for sqlite", argv[0]);
		return EXIT_USAGE;
	}
	return exit_status_of(output_text("%s", ddl));
}

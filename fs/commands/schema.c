/* SPDX-License-Identifier: BSD-3-Clause */
/* schema.c - prints the DDL of a kind of database. */
#include "command.h"

#include <errno.h>

#include "db.h"
#include "log.h"
#include "options.h"
#include "strbuf.h"

#define SCHEMA_MAX ((size_t)1 << 20)

enum exit_status command_schema(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(SCHEMA_MAX);

	(void)argc;
	if (db_schema(argv[0], o->db_schema, &ddl) < 0) {
		fail(-EINVAL,
		     "there is no schema for '%s'; there is one for sqlite and one for postgresql",
		     argv[0]);
		return EXIT_USAGE;
	}
	return exit_status_of(output(ddl.buf, ddl.len));
}

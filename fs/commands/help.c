/* SPDX-License-Identifier: BSD-3-Clause */
/* help.c - what there is, and what one command takes. */
#include "command.h"

#include <errno.h>

#include "log.h"
#include "options.h"
#include "strbuf.h"

#define HELP_MAX ((size_t)1 << 16)

enum exit_status command_help(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(HELP_MAX);
	const struct command *command = argc ? command_find(argv[0]) : NULL;

	(void)o;
	if (argc && !command) {
		fail(-EINVAL, "there is no command '%s' (see 'pubfs help')", argv[0]);
		return EXIT_USAGE;
	}
	if (command)
		options_usage(command, &text);
	else
		options_overview(&text);
	return exit_status_of(output(text.buf, text.len));
}

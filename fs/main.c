/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - argv to command, and the one place where the program ends. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "log.h"
#include "options.h"
#include "object.h"

/* Two are as fast as many here: a job spends its time in system calls and digests. */
#define ARENAS_MAX 2

/* Descriptors 0 to 2 that were closed would be given to the next files that are opened, and what is
 * printed would end up in a database. The stand-ins refuse the use that theirs would have. */
static void hold_standard_descriptors(void)
{
	static const int flags[] = { O_WRONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags[fd]) != fd)
			abort();
}

static int set_process(const struct options *o)
{
	log_set_level(o->log_level);
	if (o->now != NO_TIME)
		clock_rules_set(o->now);
	return o->log_file ? log_to_file(o->log_file) : 0;
}

static enum exit_status without_command(const struct options *o)
{
	if (o->help)
		return command_help(o, 0, NULL);
	if (o->version)
		return exit_status_of(output_text("%s\n", PACKAGE_STRING));
	fail(-EINVAL, "no command was given (see 'pubfs help')");
	return EXIT_USAGE;
}

static enum exit_status run(int argc, char **argv)
{
	const struct command *command = NULL;
	bool named = argc > 1 && argv[1][0] != '-';
	CLEANUP(options_release) struct options o = { .help = false };
	int first;

	if (named) {
		command = command_find(argv[1]);
		if (!command) {
			fail(-EINVAL, "there is no command '%s' (see 'pubfs help')", argv[1]);
			return EXIT_USAGE;
		}
	}
	if (options_parse(command, argc - named, argv + named, &o, &first) < 0)
		return EXIT_USAGE;
	if (!command)
		return without_command(&o);
	if (o.help)
		return command_help(&o, 1, (char *[]){ argv[1] });
	if (set_process(&o) < 0)
		return EXIT_FAILED;
	return command->run(&o, argc - named - first, argv + named + first);
}

/* A reader that went away is no failure of ours, and nothing is said: the process ends as `ls` and
 * `cat` do, but only after what it was doing is whole. */
int main(int argc, char **argv)
{
	bool was_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
	enum exit_status status;

	hold_standard_descriptors();
	mallopt(M_ARENA_MAX, ARENAS_MAX);
	status = run(argc, argv);
	if (status == EXIT_DONE)
		status = exit_status_of(output_flush());
	if (status == EXIT_READER_GONE && !was_ignored) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	exit(status);
}

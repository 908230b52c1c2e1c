/* SPDX-License-Identifier: BSD-3-Clause */
/* command.c - the table of commands, and what they share: exit status and standard output. */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

_Static_assert(EXIT_READER_GONE == 128 + SIGPIPE, "what a shell shows for SIGPIPE");

#define ANY_NUMBER (-1)

const struct command commands[] = {
	{ COMMAND_ADOPT, "adopt", "[PREFIX...]", 0, ANY_NUMBER,
	  "makes objects that another exporter wrote our own", command_adopt },
	{ COMMAND_ADVISORY, "advisory", "FILE.json... | --remove ID...", 1, ANY_NUMBER,
	  "adds security advisories to the database, or removes them", command_advisory },
	{ COMMAND_CAT, "cat", "PATH...", 1, ANY_NUMBER, "prints decoded contents", command_cat },
	{ COMMAND_CHECK, "check", "", 0, 0, "tries what pubfs does to a bucket: what works?",
	  command_check },
	{ COMMAND_DEPLOYMENTS, "deployments", "[retire|admit VERSION]", 0, 2,
	  "lists the deployments on a database, or ends one", command_deployments },
	{ COMMAND_DIFF, "diff", "A B [PATH...]", 2, ANY_NUMBER,
	  "compares two prefixes, or two stores, by hash", command_diff },
	{ COMMAND_GC, "gc", "", 0, 0, "removes deleted packages and old runtime versions, once",
	  command_gc },
	{ COMMAND_HELP, "help", "[COMMAND]", 0, 1, "tells what a command does and takes",
	  command_help },
	{ COMMAND_LOAD, "load", "FILE.jsonl[.gz]...|-", 1, ANY_NUMBER,
	  "adds versions to the database, one JSON object a line", command_load },
	{ COMMAND_LS, "ls", "[PATH...]", 0, ANY_NUMBER, "lists folders of the bucket", command_ls },
	{ COMMAND_MOUNT, "mount", "MOUNTPOINT", 1, 1, "shows the bucket as a directory tree",
	  command_mount },
	{ COMMAND_PROMOTE, "promote", "VERSION | --release", 0, 1,
	  "makes latest/ equal to a prefix, and holds it there", command_promote },
	{ COMMAND_PROVISION, "provision", "", 0, 0, "makes the bucket, if it is not there",
	  command_provision },
	{ COMMAND_PUBLISH, "publish", "FILE.tar.gz...", 1, ANY_NUMBER,
	  "adds package archives to the canonical store and the database", command_publish },
	{ COMMAND_PUT, "put", "FILE PATH", 2, 2, "writes one object; FILE may be -", command_put },
	{ COMMAND_RM, "rm", "PATH...", 1, ANY_NUMBER, "removes objects", command_rm },
	{ COMMAND_SCHEMA, "schema", "sqlite|postgresql", 1, 1, "prints the database's DDL",
	  command_schema },
	{ COMMAND_SET, "set", "PACKAGE[@VERSION] NAME=VALUE...", 2, ANY_NUMBER,
	  "changes a row of the database", command_set },
	{ COMMAND_STAT, "stat", "PATH...", 1, ANY_NUMBER, "prints all that is known of a path",
	  command_stat },
	{ COMMAND_STATUS, "status", "", 0, 0, "tells what is going on: what waits, fails, is held",
	  command_status },
	{ COMMAND_SYNC, "sync", "[PACKAGE...]", 0, ANY_NUMBER,
	  "exports the database into the bucket, once", command_sync },
	{ COMMAND_VERIFY, "verify", "[PACKAGE...]", 0, ANY_NUMBER,
	  "compares the bucket with the database", command_verify },
	{ COMMAND_WATCH, "watch", "", 0, 0, "keeps the bucket equal to the database",
	  command_watch },
};
const size_t n_commands = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

enum exit_status exit_status_of(int r)
{
	if (r >= 0)
		return EXIT_DONE;
	if (r == -ECANCELED)
		return EXIT_HELD;
	return r == -EPIPE ? EXIT_READER_GONE : EXIT_FAILED;
}

static int output_failed(void)
{
	if (errno == EPIPE)
		return -EPIPE;
	return fail(-EIO, "cannot write to standard output: %s", strerror(errno));
}

int output(const void *bytes, size_t n)
{
	return fwrite(bytes, 1, n, stdout) == n ? 0 : output_failed();
}

int output_text(const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vfprintf(stdout, fmt, ap);
	va_end(ap);
	return n < 0 ? output_failed() : 0;
}

int output_flush(void)
{
	return fflush(stdout) ? output_failed() : 0;
}

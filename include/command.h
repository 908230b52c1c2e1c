/* SPDX-License-Identifier: BSD-3-Clause */
/* command.h - the commands of the program, and how each ends. */
#ifndef PUBFS_COMMAND_H
#define PUBFS_COMMAND_H

#include <stddef.h>

#include "compiler.h"

struct node;
struct options;
struct tree;

enum command_id {
	COMMAND_NONE, /* what stands before any command: --help, --version */
	COMMAND_ADOPT,
	COMMAND_ADVISORY,
	COMMAND_CAT,
	COMMAND_CHECK,
	COMMAND_DEPLOYMENTS,
	COMMAND_DIFF,
	COMMAND_GC,
	COMMAND_HELP,
	COMMAND_LOAD,
	COMMAND_LS,
	COMMAND_MOUNT,
	COMMAND_PROMOTE,
	COMMAND_PROVISION,
	COMMAND_PUBLISH,
	COMMAND_PUT,
	COMMAND_RM,
	COMMAND_SCHEMA,
	COMMAND_SET,
	COMMAND_STAT,
	COMMAND_STATUS,
	COMMAND_SYNC,
	COMMAND_VERIFY,
	COMMAND_WATCH,
};

enum exit_status {
	EXIT_DONE = 0,
	EXIT_DIFFERENT = 1,
	EXIT_USAGE = 2,
	EXIT_FAILED = 3, /* something failed; the rest was done */
	EXIT_HELD = 4,
	EXIT_READER_GONE = 128 + 13, /* as a shell shows SIGPIPE; see main() */
};

struct command {
	enum command_id id;
	const char *name;
	const char *arguments; /* for the usage: "FILE PATH" */
	int min, max;	       /* how many of them; max < 0: any number */
	const char *summary;
	/* argv has the operands alone. Every failure has been said when it returns. */
	enum exit_status (*run)(const struct options *o, int argc, char *const *argv);
};

extern const struct command commands[]; /* ascending by name */
extern const size_t n_commands;

/* NULL: there is none of this name. */
const struct command *command_find(const char *name);
/* -ECANCELED: held; -EPIPE: the reader is gone; any other below 0: failed. */
enum exit_status exit_status_of(int r);

/* To standard output. -EPIPE: nobody reads it any more (silent); -EIO (said). */
int output(const void *bytes, size_t n) MUST_CHECK;
int output_text(const char *fmt, ...) PRINTF(1, 2) MUST_CHECK;
int output_flush(void) MUST_CHECK;

/*
 * For the commands on paths: opens the tree and calls fn for each. A failure of one does not hold
 * up the others; that of standard output does.
 */
typedef int path_fn(struct tree *t, const char *path, const struct options *o);
enum exit_status paths_each(const struct options *o, int argc, char *const *argv, path_fn *fn);

/* Says what a call on `path` answered, unless that has been said where
 * the cause is known; returns r. */
int path_failure(const char *path, int r);
/* The folder above a path, +1 reference, and the name in it, which points into `path`. */
int path_split(struct tree *t, const char *path, struct node *ret, const char **ret_name)
	MUST_CHECK;

enum exit_status command_adopt(const struct options *o, int argc, char *const *argv);
enum exit_status command_advisory(const struct options *o, int argc, char *const *argv);
enum exit_status command_cat(const struct options *o, int argc, char *const *argv);
enum exit_status command_check(const struct options *o, int argc, char *const *argv);
enum exit_status command_deployments(const struct options *o, int argc, char *const *argv);
enum exit_status command_diff(const struct options *o, int argc, char *const *argv);
enum exit_status command_gc(const struct options *o, int argc, char *const *argv);
enum exit_status command_help(const struct options *o, int argc, char *const *argv);
enum exit_status command_load(const struct options *o, int argc, char *const *argv);
enum exit_status command_ls(const struct options *o, int argc, char *const *argv);
enum exit_status command_mount(const struct options *o, int argc, char *const *argv);
enum exit_status command_promote(const struct options *o, int argc, char *const *argv);
enum exit_status command_provision(const struct options *o, int argc, char *const *argv);
enum exit_status command_publish(const struct options *o, int argc, char *const *argv);
enum exit_status command_put(const struct options *o, int argc, char *const *argv);
enum exit_status command_rm(const struct options *o, int argc, char *const *argv);
enum exit_status command_schema(const struct options *o, int argc, char *const *argv);
enum exit_status command_set(const struct options *o, int argc, char *const *argv);
enum exit_status command_stat(const struct options *o, int argc, char *const *argv);
enum exit_status command_status(const struct options *o, int argc, char *const *argv);
enum exit_status command_sync(const struct options *o, int argc, char *const *argv);
enum exit_status command_watch(const struct options *o, int argc, char *const *argv);
enum exit_status command_verify(const struct options *o, int argc, char *const *argv);

#endif

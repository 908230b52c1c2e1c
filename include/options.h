/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h - what the command line, the environment and the config file say, from one table. */
#ifndef PUBFS_OPTIONS_H
#define PUBFS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brake.h"
#include "compiler.h"
#include "gate.h"
#include "log.h"

struct command;
struct strbuf;

#define OPTIONS_CONFIG "/etc/pubfs/pubfs.conf" /* read where nothing names another one */

/* Strings are owned; NULL: not given, and there is no default. Paths, and those in URLs of local
 * stores and databases, are absolute: a daemon leaves its folder. */
struct options {
	char *home, *store, *db, *db_schema, *archives, *cache, *log_file, *config;
	char *base_url; /* without a trailing slash */
	char *endpoint, *key_file, *ca_file;	  /* of a gs: store */
	char *project, *location, *storage_class; /* provision */
	char *runtime_version, *sdk_dart, *sdk_flutter;
	char *on_change; /* a command for the shell */
	char *metrics_port; /* as metrics_port_parse() takes it */
	char *accepted; /* runtime versions with commas between */
	int64_t ttl; /* microseconds */
	uint64_t cache_size; /* bytes that cached bodies may take; 0: none are kept */
	int64_t min_age; /* microseconds */
	int64_t now; /* microseconds; NO_TIME: the wall clock */
	unsigned jobs;
	struct brake_limits limits;
	enum gate_mode gate;
	enum log_level log_level;
	bool own, latest; /* the prefixes to be exported */
	bool named_db;	  /* the database was named, and is not the default one */
	bool unlimited_rm; /* mount, rm */
	bool batch_delete; /* of a gs: store */

	bool help, version;
	bool allow_mass_change, dry_run;	       /* gc, sync */
	bool force, rebase;			       /* sync */
	bool foreground, read_only, update;		/* mount */
	char *mount_options;				/* every -o, joined by commas */
	bool remove;					/* advisory */
	bool replace;					/* load */
	bool json, detailed;				/* ls, stat */
	bool explain, quiet, stat;			/* diff */
	bool deep;					/* verify */
	bool release;					/* promote */
	char *reason;					/* put */
};

/* One option. `commands` has a bit, 1 << enum command_id, for each command that takes it. */
struct option_row {
	const char *name; /* without its dashes; NULL: it has a letter alone */
	char letter;	  /* 0: none */
	const char *argument; /* what its value is called; NULL: a flag */
	unsigned commands;
	bool in_config;	  /* may stand in the config file */
	int (*parse)(const struct option_row *row, const char *text, const char *folder,
		     struct options *o);
	size_t offset;	     /* of what parse() sets, in struct options */
	const char *expects; /* the end of "... is not ..." */
	const char *help;
};
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

/* NULL: no option has this name of n characters. */
const struct option_row *option_find(const char *name, size_t n);
/* command NULL: before any. */
bool option_is_taken(const struct option_row *row, const struct command *command);
/* Appends "--name" or "-l". */
void option_spell(const struct option_row *row, struct strbuf *out);

/*
 * Reads the options of a command (NULL: those that stand before any); argv[0] is passed over.
 * The command line goes before the environment, that before the config file, and that before the
 * defaults. Operands are moved to the end of argv, *ret_first says where they begin. No
 * abbreviations. -EINVAL: a mistake, said in one sentence; `ret` is then released.
 */
int options_parse(const struct command *command, int argc, char **argv, struct options *ret,
		  int *ret_first) MUST_CHECK;
void options_release(struct options *o);

/* Append what `pubfs help` and `pubfs help COMMAND` print. */
void options_overview(struct strbuf *out);
void options_usage(const struct command *command, struct strbuf *out);

#endif

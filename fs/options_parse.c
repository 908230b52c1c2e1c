/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options_parse.c - where the value of an option comes from.
 *
 * It is taken from the first place that has it: the command line, the environment (PUBFS_HOME), the
 * config file, the default. A config file is shared by all commands, so a name in it that the
 * command does not take is checked and then left alone; on the command line it is a mistake.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bucket.h"
#include "clock.h"
#include "command.h"
#include "gc.h"
#include "memory.h"
#include "object.h"
#include "options.h"
#include "strbuf.h"

#define ROOT_HOME   "/var/lib/pubfs"
#define REMOTE_JOBS 64 /* each waits for its answer most of the time */
#define DEFAULT_TTL (60 * SECOND_US)
#define DEFAULT_CACHE (UINT64_C(1) << 30) /* every listing and advisory of a large registry */

/* What getopt_long() answers for the option of row i: above any letter. */
#define ROW_VALUE 256

/* One reading of all that says something. */
struct reading {
	const struct command *command; /* NULL: before any */
	struct options *o;
	char *folder;  /* where relative paths of the command line begin; NULL: it is gone */
	uint64_t said; /* a bit for each row whose value is settled */
};

static uint64_t bit_of(const struct option_row *row)
{
	return UINT64_C(1) << (row - option_rows);
}

/* A mistake on the command line: one sentence, and where more is told. */
static int mistake(const struct command *command, const char *fmt, ...) PRINTF(2, 3);
static int mistake(const struct command *command, const char *fmt, ...)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(64 << 10);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	return fail(-EINVAL, "%s (see 'pubfs help%s%s')", text.buf, command ? " " : "",
		    command ? command->name : "");
}

static int unknown_option(const struct command *command, const char *text)
{
	size_t n = strcspn(text, "=");

	for (size_t i = 0; n > 2 && i < n_option_rows; i++)
		if (option_rows[i].name && option_is_taken(&option_rows[i], command) &&
		    !strncmp(option_rows[i].name, text + 2, n - 2))
			return mistake(command, "unknown option %.*s; did you mean --%s?", (int)n,
				       text, option_rows[i].name);
	return mistake(command, "unknown option %.*s", (int)n, text);
}

/* getopt's tables of all rows, so that an option of another command is known as one. The first
 * letter has a missing argument told apart from an unknown option. */
static struct option *getopt_tables(struct strbuf *letters)
{
	struct option *longs = xcalloc(n_option_rows + 1, sizeof(*longs));
	size_t n = 0;

	strbuf_addch(letters, ':');
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];

		if (row->name) {
			longs[n].name = row->name;
			longs[n].has_arg = row->argument ? required_argument : no_argument;
			longs[n++].val = ROW_VALUE + (int)i;
		}
		if (row->letter)
			strbuf_addf(letters, "%c%s", row->letter, row->argument ? ":" : "");
	}
	return longs;
}

static const struct option_row *row_of_value(int value)
{
	if (value >= ROW_VALUE)
		return &option_rows[value - ROW_VALUE];
	for (size_t i = 0; i < n_option_rows; i++)
		if (value && option_rows[i].letter == value)
			return &option_rows[i];
	return NULL;
}

/* The row that getopt_long() means, when it was spelled in full. NULL: said. */
static const struct option_row *spelled_row(const struct command *command, int answer,
					    const char *word)
{
	bool refused = answer == '?' || answer == ':';
	const struct option_row *row = row_of_value(refused ? optopt : answer);
	char letter[] = { '-', (char)optopt, '\0' };

	/* it takes a beginning that only one option has for the whole, which would mean another
	 * one as soon as there is a new option */
	if (row && (!row->name || strcspn(word, "=") == strlen(row->name) + 2))
		return row;
	unknown_option(command, refused && optopt && !row ? letter : word);
	return NULL;
}

static int check_option(const struct command *command, int answer, const struct option_row *row)
{
	CLEANUP(strbuf_release) struct strbuf spelling = STRBUF_INIT(256);

	option_spell(row, &spelling);
	if (!option_is_taken(row, command) && command)
		return mistake(command, "pubfs %s takes no %s", command->name, spelling.buf);
	if (!option_is_taken(row, command))
		return mistake(command, "%s stands behind the command", spelling.buf);
	if (answer == ':')
		return mistake(command, "%s needs an argument: %s %s", spelling.buf, spelling.buf,
			       row->argument);
	if (answer == '?')
		return mistake(command, "%s takes no argument", spelling.buf);
	return 0;
}

/* A text as it may be said: of what has a user, without what may be a password. */
static char *said_of(const char *text)
{
	const char *scheme = strstr(text, "://"), *at = strrchr(text, '@');
	const char *password = strstr(text, "password=");

	if (password)
		return xasprintf("%.*s...", (int)(password - text), scheme && !at ? text : "");
	if (!at)
		return xstrdup(text);
	return xasprintf("%.*s...%s", scheme && scheme < at ? (int)(scheme - text) + 3 : 0, text,
			 at);
}

static int bad_value(const struct command *command, const struct option_row *row, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf spelling = STRBUF_INIT(256);
	CLEANUP(free_char) char *said = said_of(text);

	option_spell(row, &spelling);
	return mistake(command, "%s: '%s' is not %s", spelling.buf, said, row->expects);
}

static void free_options(struct option **longs)
{
	free(*longs);
}

static int read_command_line(struct reading *in, int argc, char **argv)
{
	CLEANUP(strbuf_release) struct strbuf letters = STRBUF_INIT(256);
	CLEANUP(free_options) struct option *longs = getopt_tables(&letters);
	int answer;

	unsetenv("POSIXLY_CORRECT"); /* else an option behind an argument would be another one */
	optind = 0;		     /* glibc: begin anew */
	opterr = 0;
	while ((answer = getopt_long(argc, argv, letters.buf, longs, NULL)) != -1) {
		bool apart = answer >= ROW_VALUE && optarg && optarg == argv[optind - 1];
		const struct option_row *row =
			spelled_row(in->command, answer, argv[optind - 1 - apart]);

		if (!row || check_option(in->command, answer, row) < 0)
			return -EINVAL;
		if (row->parse(row, optarg, in->folder, in->o) < 0)
			return bad_value(in->command, row, optarg);
		in->said |= bit_of(row);
	}
	return 0;
}

/* Cuts the blanks at both ends. */
static char *trim(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

/* `name = value`; a line that is empty or begins with '#' says nothing. */
static int read_config_line(struct reading *in, char *line, const char *where, uint64_t *in_file)
{
	char *name = trim(line), *value = strchr(name, '=');
	struct options ignored = { .help = false };
	CLEANUP(free_char) char *said = NULL;
	const struct option_row *row;
	int r;

	if (!*name || *name == '#')
		return 0;
	if (value) {
		*value = '\0';
		value = trim(value + 1);
		name = trim(name);
	}
	said = said_of(name); /* it may be a URL, where a part of the line was forgotten */
	if (!value)
		return fail(-EINVAL, "%s: '%s' is not 'name = value'", where, said);
	row = option_find(name, strlen(name));
	if (!row)
		return fail(-EINVAL, "%s: there is no option '%s'", where, said);
	if (!row->in_config)
		return fail(-EINVAL, "%s: '%s' belongs on the command line alone", where, name);
	if (*in_file & bit_of(row))
		return fail(-EINVAL, "%s: '%s' is said a second time", where, name);
	*in_file |= bit_of(row);
	r = row->parse(row, value, NULL, in->said & bit_of(row) ? &ignored : in->o);
	options_release(&ignored);
	if (r == 0)
		return 0;
	free(said);
	said = said_of(value);
	return fail(r, "%s: %s: '%s' is not %s", where, name, said, row->expects);
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static int read_config(struct reading *in, const char *path, bool must_exist)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	CLEANUP(free_char) char *line = NULL;
	uint64_t in_file = 0;
	size_t size = 0;
	ssize_t n;

	if (!f && errno == ENOENT && !must_exist)
		return 0;
	if (!f)
		return fail(-EINVAL, "cannot read the config file %s: %s", path, strerror(errno));
	for (unsigned number = 1; (n = getline(&line, &size, f)) >= 0; number++) {
		CLEANUP(free_char) char *where = xasprintf("%s:%u", path, number);
		int r;

		if (strlen(line) != (size_t)n)
			return fail(-EINVAL, "%s: there is a NUL in this line", where);
		r = read_config_line(in, line, where, &in_file);
		if (r < 0)
			return r;
	}
	if (ferror(f))
		return fail(-EINVAL, "cannot read the config file %s: %s", path, strerror(errno));
	in->said |= in_file;
	return 0;
}

static int find_config(struct reading *in)
{
	const char *named = getenv("PUBFS_CONFIG");

	if (in->o->config)
		return read_config(in, in->o->config, true);
	if (!named)
		return read_config(in, OPTIONS_CONFIG, false);
	return *named ? read_config(in, named, true) : 0; /* empty: no file at all */
}

/* An environment variable that is set to something; NULL: it is not. */
static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text && *text ? text : NULL;
}

/* Where a user's own files live, when nothing says another place. */
static int default_home(char **ret)
{
	const char *data = environment("XDG_DATA_HOME"), *home = environment("HOME");
	const struct passwd *user;

	if (geteuid() == 0) {
		*ret = xstrdup(ROOT_HOME);
		return 0;
	}
	if (data && *data == '/') { /* its standard says to ignore a relative one */
		*ret = xasprintf("%s/pubfs", data);
		return 0;
	}
	user = home ? NULL : getpwuid(geteuid());
	if (user)
		home = user->pw_dir;
	if (!home || *home != '/')
		return fail(-EINVAL, "--home is needed: HOME is not set to an absolute path");
	*ret = xasprintf("%s/.local/share/pubfs", home);
	return 0;
}

static int read_environment(struct reading *in)
{
	const struct option_row *row = option_find("home", 4);
	const char *text = environment("PUBFS_HOME");

	if (in->said & bit_of(row) || !text)
		return 0;
	if (row->parse(row, text, in->folder, in->o) < 0)
		return fail(-EINVAL, "PUBFS_HOME: '%s' is not %s", text, row->expects);
	in->said |= bit_of(row);
	return 0;
}

static unsigned count_processors(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned)CPU_COUNT(&cpus);
}

static int fill_defaults(struct options *o)
{
	int r = o->home ? 0 : default_home(&o->home);

	if (r < 0)
		return r;
	if (!o->store)
		o->store = xasprintf("dir:%s/bucket", o->home);
	if (!o->archives)
		o->archives = xasprintf("dir:%s/archives", o->home);
	o->named_db = o->db != NULL;
	if (!o->db)
		o->db = xasprintf("sqlite:%s/pub.db", o->home);
	if (!o->cache)
		o->cache = xasprintf("%s/cache", o->home);
	if (!o->jobs)
		o->jobs = bucket_is_remote(o->store) ? REMOTE_JOBS : count_processors();
	return 0;
}

static int check_accepted(const struct command *command, const struct options *o)
{
	const char *why;

	if (!o->accepted || !option_is_taken(option_find("accept", 6), command))
		return 0;
	if (!o->runtime_version)
		return mistake(command, "--accept needs --runtime-version, which stands in front");
	if (gc_check_accepted(o->runtime_version, o->accepted, &why) < 0)
		return mistake(command, "--accept %s: %s (%s)", o->accepted, why,
			       o->runtime_version);
	return 0;
}

/* What no default can stand in for. */
static int check_needs(const struct command *command, const struct options *o)
{
	if (command->id == COMMAND_PUT && o->gate == GATE_OFF && !o->reason)
		return mistake(command, "--gate off needs --reason TEXT, which is logged");
	if ((command->id == COMMAND_GC || command->id == COMMAND_ADOPT) && !o->runtime_version)
		return mistake(command, "--runtime-version is needed: it names the own prefix, "
					"such as 2026.08.18");
	if (command->id != COMMAND_SYNC && command->id != COMMAND_WATCH &&
	    command->id != COMMAND_VERIFY && !(command->id == COMMAND_MOUNT && o->update))
		return 0;
	if (!o->base_url)
		return mistake(command, "--base-url is needed: it stands in every archive_url, and "
					"a default would send your clients to another repository");
	if (!o->runtime_version)
		return mistake(command, "--runtime-version is needed: it names the prefix that "
					"this deployment alone writes, such as 2026.08.18");
	return 0;
}

static int check_operands(const struct command *command, int n)
{
	if (n < command->min || (command->max >= 0 && n > command->max))
		return mistake(command, "too %s arguments: pubfs %s %s",
			       n < command->min ? "few" : "many", command->name,
			       command->arguments);
	return 0;
}

static int read_all(struct reading *in, int argc, char **argv)
{
	int r = read_command_line(in, argc, argv);

	if (r < 0 || !in->command || in->o->help)
		return r;
	r = check_operands(in->command, argc - optind);
	if (r < 0 || !option_is_taken(option_find("config", 6), in->command))
		return r;
	r = read_environment(in);
	if (r < 0)
		return r;
	r = find_config(in);
	if (r < 0)
		return r;
	r = fill_defaults(in->o);
	if (r == 0)
		r = check_needs(in->command, in->o);
	return r < 0 ? r : check_accepted(in->command, in->o);
}

int options_parse(const struct command *command, int argc, char **argv, struct options *ret,
		  int *ret_first)
{
	CLEANUP(free_char) char *folder = getcwd(NULL, 0);
	struct options o = {
		.ttl = DEFAULT_TTL,
		.cache_size = DEFAULT_CACHE,
		.min_age = GC_MIN_AGE,
		.now = NO_TIME,
		.limits = brake_defaults,
		.gate = GATE_ENFORCE,
		.log_level = LEVEL_WARNING,
		.own = true,
		.latest = true,
	};
	struct reading in = { .command = command, .o = &o, .folder = folder };
	int r;

	assert(n_option_rows <= 8 * sizeof(in.said));
	r = read_all(&in, argc, argv);
	if (r < 0) {
		options_release(&o);
		return r;
	}
	*ret = o;
	*ret_first = optind;
	return 0;
}

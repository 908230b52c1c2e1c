/* SPDX-License-Identifier: BSD-3-Clause */
/* options_test.c - what is taken from where, and what is a mistake. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "object.h"
#include "options.h"
#include "strbuf.h"

#define WORDS_MAX 64

/* A run of the program: its words, and what came of them. */
struct run {
	struct options o;
	int result, first;
	int argc;
	char *argv[WORDS_MAX];
	char line[4096];
};

/* Nothing of the environment that the tests run in. */
static void quiet_environment(void)
{
	setenv("PUBFS_CONFIG", "", 1);
	setenv("HOME", "/home/someone", 1);
	unsetenv("PUBFS_HOME");
	unsetenv("XDG_DATA_HOME");
	unsetenv("POSIXLY_CORRECT");
}

TestSuite(options, .init = quiet_environment);

/* The words of a line, cut at its blanks; "" is an empty word. */
static void run(struct run *run, const char *command, const char *line)
{
	static char empty[1];
	char *rest = run->line, *word;

	memset(run, 0, sizeof(*run));
	snprintf(run->line, sizeof(run->line), "%s %s", command ? command : "pubfs", line);
	while ((word = strsep(&rest, " ")))
		if (*word)
			run->argv[run->argc++] = strcmp(word, "\"\"") ? word : empty;
	run->result = options_parse(command ? command_find(command) : NULL, run->argc, run->argv,
				    &run->o, &run->first);
}

#define SITE "--base-url https://pub.example.com --runtime-version 2026.08.18 "

static void assert_taken(struct run *r, const char *command, const char *line)
{
	run(r, command, line);
	cr_assert_eq(r->result, 0, "pubfs %s %s: %s", command, line, log_last_failure());
}

static void assert_mistake(const char *command, const char *line, const char *words)
{
	struct run r;

	run(&r, command, line);
	cr_assert_eq(r.result, -EINVAL, "pubfs %s %s was taken", command, line);
	cr_assert(strstr(log_last_failure(), words), "pubfs %s %s: %s", command, line,
		  log_last_failure());
	cr_assert_null(r.o.home, "a mistake leaves nothing behind");
}

Test(options, the_table_is_in_order_and_names_nothing_twice)
{
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i], *before = row - 1;

		cr_assert(!row->name != !row->letter, "row %zu", i);
		cr_assert(row->commands && row->parse && row->expects && row->help, "row %zu", i);
		if (i == 0)
			continue;
		cr_assert(!before->name ? before->letter < row->letter
					: !row->name || strcmp(before->name, row->name) < 0,
			  "row %zu", i);
	}
	for (size_t i = 1; i < n_commands; i++)
		cr_assert_lt(strcmp(commands[i - 1].name, commands[i].name), 0);
}

#define OWN "--runtime-version 2026.08.18 "

Test(options, an_accepted_list_that_cannot_be_is_a_mistake)
{
	struct run r;

	assert_taken(&r, "gc", OWN "--accept 2026.08.18,2026.07.01,2026.06.01");
	cr_assert_str_eq(r.o.accepted, "2026.08.18,2026.07.01,2026.06.01");
	options_release(&r.o);
	assert_mistake("gc", OWN "--accept 2026.08.18", "limit");
	assert_mistake("gc", OWN "--accept 2026.07.01,2026.06.01", "in front");
	assert_mistake("gc", OWN "--accept 2026.08.18,2026.06.01,2026.07.01", "new to old");
	assert_mistake("gc", OWN "--accept 2026.08.18,", "is not a list");
	assert_mistake("gc", OWN "--accept ,2026.08.18", "is not a list");
	assert_mistake("gc", OWN "--accept latest,2026.08.18", "is not a list");
	assert_mistake("gc", OWN "--accept \"\"", "is not a list");
	assert_mistake("mount", "--accept 2026.08.18,2026.07.01 /m", "--runtime-version");
	assert_mistake("gc", "", "--runtime-version");
}

Test(options, an_age_has_a_unit)
{
	static const struct {
		const char *text;
		int64_t age;
	} ages[] = {
		{ "0s", 0 },		{ "90s", 90 * SECOND_US },  { "5m", 5 * MINUTE_US },
		{ "36h", 36 * HOUR_US }, { "366d", 366 * DAY_US },
	};
	static const char *const wrong[] = { "1", "d", "\"\"", "1w", "-1d", "1.5d", "367d", "1dd" };
	struct run r;
	char line[256];

	assert_taken(&r, "gc", OWN);
	cr_assert_eq(r.o.min_age, DAY_US);
	options_release(&r.o);
	for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++) {
		snprintf(line, sizeof(line), OWN "--min-age %s", ages[i].text);
		assert_taken(&r, "gc", line);
		cr_assert_eq(r.o.min_age, ages[i].age, "%s", ages[i].text);
		options_release(&r.o);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(line, sizeof(line), OWN "--min-age %s", wrong[i]);
		assert_mistake("gc", line, "--min-age");
	}
}

Test(options, each_reaches_its_place)
{
	struct run r;

	assert_taken(&r, "sync",
		     "--home /h --store dir:/s --db sqlite:/d --archives dir:/a --cache /c "
		     "--base-url https://pub.example.com/x/ --runtime-version 2026.08.18 --ttl 5 "
		     "--gate warn --jobs 7 --prefixes own --log-level info --log-file /l "
		     "--now 2026-08-18T00:00:01Z --sdk dart=3.11.0,flutter=3.41.0-0.1.pre "
		     "--force --dry-run --rebase --allow-mass-change http path");
	cr_assert_str_eq(r.o.home, "/h");
	cr_assert_str_eq(r.o.store, "dir:/s");
	cr_assert_str_eq(r.o.db, "sqlite:/d");
	cr_assert_str_eq(r.o.archives, "dir:/a");
	cr_assert_str_eq(r.o.cache, "/c");
	cr_assert_str_eq(r.o.base_url, "https://pub.example.com/x");
	cr_assert_str_eq(r.o.runtime_version, "2026.08.18");
	cr_assert_eq(r.o.ttl, 5 * SECOND_US);
	cr_assert_eq(r.o.gate, GATE_WARN);
	cr_assert_eq(r.o.jobs, 7);
	cr_assert(r.o.own && !r.o.latest);
	cr_assert_eq(r.o.log_level, LEVEL_INFO);
	cr_assert_str_eq(r.o.log_file, "/l");
	cr_assert_eq(r.o.now, INT64_C(1787011201000000));
	cr_assert_str_eq(r.o.sdk_dart, "3.11.0");
	cr_assert_str_eq(r.o.sdk_flutter, "3.41.0-0.1.pre");
	cr_assert(r.o.force && r.o.dry_run && r.o.rebase && r.o.allow_mass_change);
	cr_assert_eq(r.argc - r.first, 2);
	cr_assert_str_eq(r.argv[r.first], "http");
	options_release(&r.o);

	assert_taken(&r, "mount", "-f -o ro --update --read-only -o uid=5,noxattr /m " SITE);
	cr_assert(r.o.foreground && r.o.update && r.o.read_only);
	cr_assert_str_eq(r.o.mount_options, "ro,uid=5,noxattr");
	options_release(&r.o);
	assert_taken(&r, "load", "--replace -");
	cr_assert(r.o.replace);
	options_release(&r.o);
	assert_taken(&r, "put", "--gate off --reason because - latest/x");
	cr_assert_str_eq(r.o.reason, "because");
	options_release(&r.o);
	assert_taken(&r, "ls", "-l --json");
	cr_assert(r.o.detailed && r.o.json);
	options_release(&r.o);
}

Test(options, without_any_there_are_defaults)
{
	struct run r;

	assert_taken(&r, "sync", "--home /h " SITE);
	cr_assert_str_eq(r.o.store, "dir:/h/bucket");
	cr_assert_str_eq(r.o.db, "sqlite:/h/pub.db");
	cr_assert_str_eq(r.o.archives, "dir:/h/archives");
	cr_assert_str_eq(r.o.cache, "/h/cache");
	cr_assert_eq(r.o.ttl, 60 * SECOND_US);
	cr_assert_eq(r.o.now, NO_TIME);
	cr_assert_eq(r.o.gate, GATE_ENFORCE);
	cr_assert_eq(r.o.log_level, LEVEL_WARNING);
	cr_assert_geq(r.o.jobs, 1);
	cr_assert(r.o.own && r.o.latest);
	cr_assert_null(r.o.sdk_dart);
	cr_assert_null(r.o.sdk_flutter);
	options_release(&r.o);
}

Test(options, a_size_may_have_a_unit)
{
	static const struct {
		const char *line;
		uint64_t size;
	} rows[] = {
		{ "", UINT64_C(1) << 30 },
		{ "--cache-size 0", 0 },
		{ "--cache-size 0K", 0 },
		{ "--cache-size 4097", 4097 },
		{ "--cache-size 3K", 3 << 10 },
		{ "--cache-size 20M", 20 << 20 },
		{ "--cache-size 2G", UINT64_C(2) << 30 },
		{ "--cache-size 1024T", UINT64_C(1) << 50 },
		{ "--cache-size 1125899906842624", UINT64_C(1) << 50 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run r;

		assert_taken(&r, "ls", rows[i].line);
		cr_assert_eq(r.o.cache_size, rows[i].size, "%s", rows[i].line);
		options_release(&r.o);
	}
}

static void assert_home(const char *line, const char *home)
{
	struct run r;

	assert_taken(&r, "ls", line);
	cr_assert_str_eq(r.o.home, home);
	options_release(&r.o);
}

Test(options, the_home_is_the_first_that_is_said)
{
	if (geteuid() == 0) {
		assert_home("", "/var/lib/pubfs");
		cr_assert_eq(seteuid(65534), 0);
	}
	assert_home("", "/home/someone/.local/share/pubfs");
	setenv("XDG_DATA_HOME", "relative", 1);
	assert_home("", "/home/someone/.local/share/pubfs");
	setenv("XDG_DATA_HOME", "/xdg", 1);
	assert_home("", "/xdg/pubfs");
	setenv("PUBFS_HOME", "", 1);
	assert_home("", "/xdg/pubfs");
	setenv("PUBFS_HOME", "/variable", 1);
	assert_home("", "/variable");
	assert_home("--home /line", "/line");
	assert_home("--home /line --home /again", "/again");
}

Test(options, a_home_that_nothing_says_is_asked_for)
{
	struct run r;

	cr_assert(geteuid() != 0 || seteuid(65534) == 0);
	setenv("HOME", "relative", 1);
	assert_mistake("ls", "", "--home is needed: HOME is not set to an absolute path");
	assert_mistake("sync", SITE, "--home is needed");
	assert_taken(&r, "ls", "--home /x");
	options_release(&r.o);
}

Test(options, relative_paths_begin_in_the_current_folder)
{
	struct run r;

	cr_assert_eq(chdir("/usr"), 0);
	assert_taken(&r, "publish",
		     "--home h --archives dir:a/b --db sqlite:p.db --cache c --log-file l x");
	cr_assert_str_eq(r.o.home, "/usr/h");
	cr_assert_str_eq(r.o.archives, "dir:/usr/a/b");
	cr_assert_str_eq(r.o.db, "sqlite:/usr/p.db");
	cr_assert_str_eq(r.o.cache, "/usr/c");
	cr_assert_str_eq(r.o.log_file, "/usr/l");
	options_release(&r.o);
}

Test(options, bad_input_is_one_sentence_that_names_it)
{
	static const struct {
		const char *command, *line, *words;
	} table[] = {
		{ "ls", "--frobnicate", "unknown option --frobnicate (see 'pubfs help ls')" },
		{ "ls", "--frobnicate=5", "unknown option --frobnicate (" },
		{ "ls", "-z", "unknown option -z" },
		{ "ls", "-lz", "unknown option -z" },
		{ "ls", "--store", "--store needs an argument: --store URL" },
		{ "mount", "/m -o", "-o needs an argument" },
		{ "ls", "--json=yes", "--json takes no argument" },
		{ "ls", "--force", "pubfs ls takes no --force" },
		{ "ls", "--reason", "pubfs ls takes no --reason" },
		{ "cat", "-l x", "pubfs cat takes no -l" },
		{ "load", "--store dir:/x f", "pubfs load takes no --store" },
		{ "schema", "--home /x sqlite", "pubfs schema takes no --home" },
		/* abbreviations */
		{ "sync", "--dry", "unknown option --dry; did you mean --dry-run?" },
		{ "sync", "--allow", "did you mean --allow-mass-change?" },
		{ "sync", "--base=https://x", "unknown option --base; did you mean --base-url?" },
		{ "sync", "--base https://x", "unknown option --base; did you mean --base-url?" },
		{ "sync", "--runtime-versio", "did you mean --runtime-version?" },
		{ "sync", "--forc=1", "unknown option --forc; did you mean --force?" },
		/* values */
		{ "ls", "--ttl abc", "--ttl: 'abc' is not a whole number of seconds" },
		{ "ls", "--ttl \"\"", "--ttl: '' is not" },
		{ "ls", "--ttl -1", "'-1' is not" },
		{ "ls", "--ttl 1.5", "'1.5' is not" },
		{ "ls", "--ttl 31622401", "'31622401' is not" },
		{ "ls", "--ttl 99999999999999999999", "is not" },
		{ "ls", "--cache-size \"\"", "--cache-size: '' is not a number of bytes" },
		{ "ls", "--cache-size K", "'K' is not" },
		{ "ls", "--cache-size 5k", "'5k' is not" },
		{ "ls", "--cache-size 1KK", "'1KK' is not" },
		{ "ls", "--cache-size -1G", "'-1G' is not" },
		{ "ls", "--cache-size 1025T", "'1025T' is not" },
		{ "ls", "--cache-size 1125899906842625", "is not" },
		{ "sync", "--cache-size 1G", "pubfs sync takes no --cache-size" },
		{ "sync", "--db postgresq://u:secret@h/db", "'postgresq://...@h/db' is not sqlite: and" },
		{ "sync", "--db mysql://h/db?password=secret", "'mysql://h/db?...' is not" },
		{ "sync", "--db password=secret", "'...' is not" },
		{ "sync", "--db postgresql//u:secret@h/db", "'...@h/db' is not" },
		{ "sync", "--jobs 0", "--jobs: '0' is not a number from 1 to 1024" },
		{ "sync", "--jobs 1025", "'1025' is not" },
		{ "sync", "--jobs 2x", "'2x' is not" },
		{ "sync", "--gate maybe", "'maybe' is not enforce, warn or off" },
		{ "sync", "--log-level loud", "'loud' is not error, warning, info or debug" },
		{ "sync", "--prefixes none", "'none' is not own, latest or both" },
		{ "sync", "--now yesterday", "--now: 'yesterday' is not a time" },
		{ "sync", "--runtime-version 2018.09.13-dev", "is not a date" },
		{ "sync", "--runtime-version latest", "is not a date" },
		{ "sync", "--sdk \"\"", "--sdk: '' is not" },
		{ "sync", "--sdk rust=1.0.0", "is not a list" },
		{ "sync", "--sdk dart=3", "is not a list" },
		{ "sync", "--sdk dart=3.0.0,", "is not a list" },
		{ "sync", "--sdk dart=3.0.0,dart=3.0.0", "is not a list" },
		{ "sync", "--store ftp://x", "--store: 'ftp://x' is not gs://BUCKET, nor dir: and a path" },
		{ "sync", "--store dir:", "'dir:' is not" },
		{ "sync", "--store /x", "'/x' is not" },
		{ "sync", "--archives sqlite:/x", "--archives: 'sqlite:/x' is not" },
		{ "sync", "--db mysql:x", "--db: 'mysql:x' is not sqlite: and a path" },
		{ "sync", "--db sqlite:", "'sqlite:' is not" },
		{ "ls", "--home \"\"", "--home: '' is not a path" },
		{ "mount", "/m -o \"\"", "-o: '' is not" },
		/* operands */
		{ "put", "x", "too few arguments: pubfs put FILE PATH" },
		{ "put", "x y z", "too many arguments: pubfs put FILE PATH" },
		{ "cat", "", "too few arguments: pubfs cat PATH..." },
		{ "mount", "/a /b", "too many arguments" },
		{ "help", "ls cat", "too many arguments" },
		/* what no default can stand in for */
		{ "sync", "--runtime-version 2026.08.18", "--base-url is needed" },
		{ "sync", "--base-url https://x.org", "--runtime-version is needed" },
		{ "mount", "/m --update --runtime-version 2026.08.18", "--base-url is needed" },
		{ "mount", "/m --update --base-url https://x.org", "--runtime-version is needed" },
		{ "put", "x y --gate off", "--gate off needs --reason TEXT" },
		{ "put", "x y --gate off --reason \"\"", "--reason: '' is not a text" },
		{ "ls", "--config /none/such.conf", "/none/such.conf" },
		/* before a command */
		{ NULL, "--frobnicate", "unknown option --frobnicate (see 'pubfs help')" },
		{ NULL, "--home /x", "--home stands behind the command" },
		{ NULL, "--vers", "did you mean --version?" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_mistake(table[i].command, table[i].line, table[i].words);
}

Test(options, what_is_not_needed_is_not_asked_for)
{
	static const struct {
		const char *command, *line;
	} table[] = {
		{ "mount", "/m" },
		{ "sync", "--help" },
		{ "put", "--help" },
		{ "put", "x y --gate warn" },
		{ "mount", "/m --gate off" },
		{ "sync", "--ttl 0 " SITE },
		{ "sync", "--ttl 31622400 " SITE },
		{ "sync", "--jobs 1024 " SITE },
		{ "sync", "--sdk flutter=3.0.0 " SITE },
		{ "help", "" },
		{ "schema", "sqlite" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct run r;

		assert_taken(&r, table[i].command, table[i].line);
		options_release(&r.o);
	}
}

Test(options, a_base_url_is_absolute_and_loses_its_last_slashes)
{
	static const struct {
		const char *text, *stored; /* NULL: a mistake */
	} table[] = {
		{ "https://pub.example.com", "https://pub.example.com" },
		{ "https://pub.example.com/", "https://pub.example.com" },
		{ "http://127.0.0.1:8080/a/b//", "http://127.0.0.1:8080/a/b" },
		{ "https://x", "https://x" },
		{ "http://[::1]/", "http://[::1]" },
		{ "pub.example.com", NULL },
		{ "ftp://pub.example.com", NULL },
		{ "HTTPS://pub.example.com", NULL },
		{ "https:/pub.example.com", NULL },
		{ "https://", NULL },
		{ "https:///", NULL },
		{ "https:///path", NULL },
		{ "https://:80", NULL },
		{ "https://x?a=b", NULL },
		{ "https://x#top", NULL },
		{ "https://x/\"", NULL },
		{ "https://x/\\", NULL },
		{ "https://x/\xc3\xa4", NULL },
		{ "\"\"", NULL },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char line[256];
		struct run r;

		snprintf(line, sizeof(line), "--runtime-version 2026.08.18 --base-url %s",
			 table[i].text);
		run(&r, "sync", line);
		cr_assert_eq(r.result, table[i].stored ? 0 : -EINVAL, "%s", table[i].text);
		if (table[i].stored)
			cr_assert_str_eq(r.o.base_url, table[i].stored);
		options_release(&r.o);
	}
}

Test(options, stand_behind_arguments_whatever_the_environment_says)
{
	struct run r;

	setenv("POSIXLY_CORRECT", "1", 1);
	assert_taken(&r, "sync", SITE "oxygen --dry-run");
	cr_assert(r.o.dry_run);
	cr_assert_eq(r.argc - r.first, 1);
	options_release(&r.o);
}

Test(options, operands_may_look_like_options_after_two_dashes)
{
	struct run r;

	assert_taken(&r, "cat", "x --ttl 5 y -- --json -l");
	cr_assert_eq(r.o.ttl, 5 * SECOND_US);
	cr_assert_eq(r.argc - r.first, 4);
	cr_assert_str_eq(r.argv[r.first], "x");
	cr_assert_str_eq(r.argv[r.first + 3], "-l");
	options_release(&r.o);
	assert_taken(&r, "put", "- latest/x --reason --json");
	cr_assert_str_eq(r.o.reason, "--json", "an argument may look like one, too");
	options_release(&r.o);
}

/* Config files: each test has its own, gone when it ends. */
static char config_path[PATH_MAX];

static void make_config(void)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	quiet_environment();
	snprintf(config_path, sizeof(config_path), "%s/pubfs-options-XXXXXX",
		 folder && *folder ? folder : "/tmp");
	fd = mkstemp(config_path);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void remove_config(void)
{
	unlink(config_path);
}

TestSuite(config, .init = make_config, .fini = remove_config);

static void write_config(const char *text, size_t n)
{
	FILE *f = fopen(config_path, "w");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text, 1, n, f), n);
	cr_assert_eq(fclose(f), 0);
}

static void run_with_config(struct run *r, const char *text, const char *command, const char *line)
{
	char all[PATH_MAX + 512];

	write_config(text, strlen(text));
	snprintf(all, sizeof(all), "--config %s %s", config_path, line);
	run(r, command, all);
}

Test(config, gives_what_neither_the_command_line_nor_the_environment_says)
{
	static const char text[] = "# the site\n"
				   "\n"
				   "base-url=https://config.example.com/\n"
				   "  runtime-version =  2026.01.01  \n"
				   "home = /config\n"
				   "store = dir:/config-store\n"
				   "ttl = 7\r\n"
				   "prefixes = own\n"
				   "sdk = dart=3.0.0\n"
				   "read-only = yes\n"
				   "update = no";
	struct run r;

	run_with_config(&r, text, "sync", "");
	cr_assert_eq(r.result, 0, "%s", log_last_failure());
	cr_assert_str_eq(r.o.base_url, "https://config.example.com");
	cr_assert_str_eq(r.o.runtime_version, "2026.01.01");
	cr_assert_str_eq(r.o.home, "/config");
	cr_assert_str_eq(r.o.store, "dir:/config-store");
	cr_assert_str_eq(r.o.db, "sqlite:/config/pub.db");
	cr_assert_eq(r.o.ttl, 7 * SECOND_US);
	cr_assert(r.o.own && !r.o.latest);
	cr_assert_str_eq(r.o.sdk_dart, "3.0.0");
	options_release(&r.o);

	setenv("PUBFS_HOME", "/variable", 1);
	run_with_config(&r, text, "sync", "--ttl 9 --prefixes latest --sdk flutter=3.1.0");
	cr_assert_eq(r.result, 0, "%s", log_last_failure());
	cr_assert_str_eq(r.o.home, "/variable");
	cr_assert_eq(r.o.ttl, 9 * SECOND_US);
	cr_assert(!r.o.own && r.o.latest);
	cr_assert_null(r.o.sdk_dart);
	cr_assert_str_eq(r.o.sdk_flutter, "3.1.0");
	options_release(&r.o);

	run_with_config(&r, text, "mount", "/m");
	cr_assert_eq(r.result, 0, "%s", log_last_failure());
	cr_assert(r.o.read_only && !r.o.update);
	options_release(&r.o);
}

Test(config, may_say_what_another_command_takes)
{
	struct run r;

	run_with_config(&r, "base-url = https://x.org\ndb = sqlite:/d\nupdate = yes\n", "ls", "");
	cr_assert_eq(r.result, 0, "%s", log_last_failure());
	options_release(&r.o);
}

Test(config, is_named_by_the_environment_where_the_command_line_names_none)
{
	static const char text[] = "home = /config\n";
	struct run r;

	write_config(text, strlen(text));
	setenv("PUBFS_CONFIG", config_path, 1);
	assert_home("", "/config");
	setenv("PUBFS_CONFIG", "/none/such.conf", 1);
	assert_mistake("ls", "", "/none/such.conf");
	run_with_config(&r, text, "ls", "");
	cr_assert_eq(r.result, 0, "the command line names another one");
	options_release(&r.o);
	assert_taken(&r, "help", "");
	options_release(&r.o);
}

Test(config, mistakes_are_named_by_line)
{
	static const struct {
		const char *text, *words;
	} table[] = {
		{ "frobnicate = 1\n", ":1: there is no option 'frobnicate'" },
		{ "# a\n\nttl = 5\nhom = /x\n", ":4: there is no option 'hom'" },
		{ "ttl\n", ":1: 'ttl' is not 'name = value'" },
		{ "= 5\n", ":1: there is no option ''" },
		{ "db postgresql://u:secret@h/d\n", ":1: 'db postgresql://...@h/d' is not 'name" },
		{ "postgresql://u:secret@h/d?a=b\n", ":1: there is no option 'postgresql://...@" },
		{ "ttl =\n", ":1: ttl: '' is not a whole number" },
		{ "ttl = soon\n", ":1: ttl: 'soon' is not a whole number" },
		{ "--ttl = 5\n", ":1: there is no option '--ttl'" },
		{ "l = yes\n", ":1: there is no option 'l'" },
		{ "ttl = 5\nttl = 5\n", ":2: 'ttl' is said a second time" },
		{ "force = yes\n", ":1: 'force' belongs on the command line alone" },
		{ "rebase = no\n", ":1: 'rebase' belongs on" },
		{ "config = /x\n", ":1: 'config' belongs on" },
		{ "reason = x\n", ":1: 'reason' belongs on" },
		{ "read-only = 1\n", ":1: read-only: '1' is not yes or no" },
		{ "read-only\n", ":1: 'read-only' is not 'name = value'" },
		{ "home = relative\n", ":1: home: 'relative' is not a path (an absolute one" },
		{ "store = dir:relative\n", ":1: store: 'dir:relative' is not gs://BUCKET, nor dir: and a path" },
		{ "db = sqlite:relative\n", ":1: db: 'sqlite:relative' is not" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char words[PATH_MAX + 256];
		struct run r;

		run_with_config(&r, table[i].text, "ls", "--ttl 1");
		cr_assert_eq(r.result, -EINVAL, "%s", table[i].text);
		snprintf(words, sizeof(words), "%s%s", config_path, table[i].words);
		cr_assert(strstr(log_last_failure(), words), "%s: %s", table[i].text,
			  log_last_failure());
	}
}

Test(config, a_nul_is_a_mistake)
{
	static const char text[] = "ttl = 5\0\n";
	struct run r;

	write_config(text, sizeof(text) - 1);
	setenv("PUBFS_CONFIG", config_path, 1);
	run(&r, "ls", "");
	cr_assert_eq(r.result, -EINVAL);
	cr_assert(strstr(log_last_failure(), ":1: there is a NUL"));
}

Test(config, a_folder_is_no_config_file)
{
	assert_mistake("ls", "--config /", "cannot read the config file /");
}

Test(command, each_result_has_its_exit_status)
{
	cr_assert_eq(exit_status_of(0), 0);
	cr_assert_eq(exit_status_of(2), 0);
	cr_assert_eq(exit_status_of(-EIO), 3);
	cr_assert_eq(exit_status_of(-ENOENT), 3);
	cr_assert_eq(exit_status_of(-EINVAL), 3);
	cr_assert_eq(exit_status_of(-ECANCELED), 4);
	cr_assert_eq(exit_status_of(-EPIPE), 141);
}

Test(options, a_bucket_elsewhere_is_told_by_its_url)
{
	struct run r;

	assert_taken(&r, "ls", "--store gs://bucket --endpoint http://127.0.0.1:1/ "
			       "--key-file key.json --ca-file /etc/ca.pem");
	cr_assert_str_eq(r.o.store, "gs://bucket");
	cr_assert_str_eq(r.o.endpoint, "http://127.0.0.1:1");
	cr_assert_eq(*r.o.key_file, '/', "%s: a daemon leaves its folder", r.o.key_file);
	cr_assert_str_eq(r.o.ca_file, "/etc/ca.pem");
	options_release(&r.o);
	assert_taken(&r, "provision", "--project p --location EU --class STANDARD");
	cr_assert_str_eq(r.o.project, "p");
	cr_assert_str_eq(r.o.location, "EU");
	cr_assert_str_eq(r.o.storage_class, "STANDARD");
	options_release(&r.o);
}

Test(options, a_bucket_elsewhere_has_more_jobs_by_default)
{
	struct run r;

	assert_taken(&r, "sync", SITE "--store gs://bucket");
	cr_assert_eq(r.o.jobs, 64);
	options_release(&r.o);
	assert_taken(&r, "sync", SITE "--store gs://bucket --jobs 3");
	cr_assert_eq(r.o.jobs, 3);
	options_release(&r.o);
}

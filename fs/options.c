/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - the table of options: how each is spelled, who takes it, and what it may say. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "catalog.h"
#include "clock.h"
#include "command.h"
#include "db.h"
#include "memory.h"
#include "metrics_port.h"
#include "strbuf.h"
#include "version.h"

#define TTL_MAX (366 * DAY_US / SECOND_US) /* nobody means more; microseconds still fit */

#define SIZE_LIMIT (UINT64_C(1) << 50) /* 1 PiB */

#define JOBS_MAX 1024 /* what a pool takes */

/* Of what help prints: a terminal's, and where the second column begins. */
#define WIDTH  80
#define COLUMN 25

#define BIT(id)	     (1u << COMMAND_##id)
#define TREE_READ    (BIT(CAT) | BIT(LS) | BIT(STAT))
#define TREE	     (TREE_READ | BIT(PUT) | BIT(RM))
#define UPDATERS     (BIT(MOUNT) | BIT(WATCH))
#define EXPORTERS    (UPDATERS | BIT(SYNC))
#define COLLECTORS   (UPDATERS | BIT(GC))
#define RENDERERS    (EXPORTERS | BIT(VERIFY))
#define WRITERS	     (EXPORTERS | BIT(ADOPT) | BIT(GC) | BIT(PROMOTE) | BIT(PUT) | BIT(RM))
#define BUCKET	     (TREE | RENDERERS | COLLECTORS | BIT(ADOPT) | BIT(DIFF) | BIT(PROMOTE) | \
		      BIT(STATUS))
#define DATABASE     (BIT(LOAD) | BIT(PUBLISH) | BIT(PROMOTE) | RENDERERS | COLLECTORS | \
		      BIT(DEPLOYMENTS) | BIT(SET) | BIT(STATUS) | BIT(ADVISORY))
#define STORE	     (BUCKET | BIT(CHECK) | BIT(PROVISION))
#define REMOTE	     (STORE | BIT(PUBLISH))
#define WORKING	     (STORE | DATABASE)
#define EVERY	     (WORKING | BIT(HELP) | BIT(SCHEMA))
#define TARGET(name) offsetof(struct options, name)

#define YES_OR_NO "yes or no"
#define A_PATH	  "a path (an absolute one in a config file)"
#define A_STORE	  "gs://BUCKET, nor dir: and " A_PATH
#define A_LIMIT	  "a number, or a percentage such as 10%"
#define A_URL	  "an absolute http or https URL without query and fragment"

static void *target(const struct option_row *row, struct options *o)
{
	return (char *)o + row->offset;
}

static int keep_text(const struct option_row *row, char *text, struct options *o)
{
	char **slot = target(row, o);

	free(*slot);
	*slot = text;
	return 0;
}

static int parse_flag(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	bool *slot = target(row, o);

	(void)folder;
	if (text && strcmp(text, "yes") && strcmp(text, "no"))
		return -EINVAL;
	*slot = !text || !strcmp(text, "yes");
	return 0;
}

static int parse_text(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	(void)folder;
	return *text ? keep_text(row, xstrdup(text), o) : -EINVAL;
}

static int parse_more_text(const struct option_row *row, const char *text, const char *folder,
			   struct options *o)
{
	char **slot = target(row, o);

	if (!*slot)
		return parse_text(row, text, folder, o);
	return *text ? keep_text(row, xasprintf("%s,%s", *slot, text), o) : -EINVAL;
}

/* scheme + path made absolute; NULL: it cannot be. */
static char *absolute(const char *scheme, const char *path, const char *folder)
{
	if (!*path || (*path != '/' && !folder))
		return NULL;
	if (*path == '/')
		return xasprintf("%s%s", scheme, path);
	return xasprintf("%s%s/%s", scheme, folder, path);
}

static int parse_path(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	char *path = absolute("", text, folder);

	return path ? keep_text(row, path, o) : -EINVAL;
}

static int parse_local_url(const char *scheme, const struct option_row *row, const char *text,
			   const char *folder, struct options *o)
{
	size_t n = strlen(scheme);
	char *url = strncmp(text, scheme, n) ? NULL : absolute(scheme, text + n, folder);

	return url ? keep_text(row, url, o) : -EINVAL;
}

static int parse_store(const struct option_row *row, const char *text, const char *folder,
		       struct options *o)
{
	if (bucket_is_remote(text))
		return keep_text(row, xstrdup(text), o);
	return parse_local_url("dir:", row, text, folder, o);
}

static int parse_db(const struct option_row *row, const char *text, const char *folder,
		    struct options *o)
{
	if (strncmp(text, "sqlite:", 7) && db_is_url(text))
		return keep_text(row, xstrdup(text), o);
	return parse_local_url("sqlite:", row, text, folder, o);
}

static int parse_port(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	struct sockaddr_storage address;
	int r = metrics_port_parse(text, &address);

	(void)folder;
	return r < 0 ? r : keep_text(row, xstrdup(text), o);
}

static int parse_identifier(const struct option_row *row, const char *text, const char *folder,
			    struct options *o)
{
	(void)folder;
	return *text && strlen(text) < 64 ? keep_text(row, xstrdup(text), o) : -EINVAL;
}

/* The beginning of other URLs, such as every archive_url: it must be one that a path can follow. */
static int parse_base_url(const struct option_row *row, const char *text, const char *folder,
			  struct options *o)
{
	size_t n = strlen(text), scheme;

	(void)folder;
	scheme = !strncmp(text, "https://", 8) ? 8 : !strncmp(text, "http://", 7) ? 7 : 0;
	while (n > scheme && text[n - 1] == '/')
		n--;
	if (!scheme || n == scheme || strchr("/:@", text[scheme]))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)text[i]) || strchr("?#\"<>\\^`{|}", text[i]))
			return -EINVAL;
	return keep_text(row, xstrndup(text, n), o);
}

static int parse_runtime_version(const struct option_row *row, const char *text, const char *folder,
				 struct options *o)
{
	(void)folder;
	if (!catalog_is_runtime_version(text, strlen(text)))
		return -EINVAL;
	return keep_text(row, xstrdup(text), o);
}

/* Digits alone: strtoul() would take a sign, a blank and nothing at all. */
static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > max)
			return -EINVAL;
	}
	if (n < min)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int parse_seconds(const struct option_row *row, const char *text, const char *folder,
			 struct options *o)
{
	int64_t *slot = target(row, o);
	uint64_t seconds;
	int r = parse_number(text, 0, TTL_MAX, &seconds);

	(void)folder;
	if (r < 0)
		return r;
	*slot = (int64_t)seconds * SECOND_US;
	return 0;
}

/* A number of seconds, minutes, hours or days. */
static int parse_age(const struct option_row *row, const char *text, const char *folder,
		     struct options *o)
{
	static const char letters[] = "smhd";
	static const int64_t units[] = { SECOND_US, MINUTE_US, HOUR_US, DAY_US };
	size_t n = strlen(text);
	const char *unit = n ? strchr(letters, text[n - 1]) : NULL;
	CLEANUP(free_char) char *digits = xstrndup(text, n ? n - 1 : 0);
	int64_t *slot = target(row, o), size = unit ? units[unit - letters] : 0;
	uint64_t number;

	(void)folder;
	if (!unit || parse_number(digits, 0, (uint64_t)(366 * DAY_US / size), &number) < 0)
		return -EINVAL;
	*slot = (int64_t)number * size;
	return 0;
}

/* Runtime versions with commas between; their order is looked at when all options are read. */
static int parse_versions(const struct option_row *row, const char *text, const char *folder,
			  struct options *o)
{
	const char *at = text;

	(void)folder;
	for (;; at++) {
		size_t n = strcspn(at, ",");

		if (!catalog_is_runtime_version(at, n))
			return -EINVAL;
		at += n;
		if (!*at)
			return keep_text(row, xstrdup(text), o);
	}
}

static int parse_jobs(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	unsigned *slot = target(row, o);
	uint64_t n;
	int r = parse_number(text, 1, JOBS_MAX, &n);

	(void)folder;
	if (r < 0)
		return r;
	*slot = (unsigned)n;
	return 0;
}

/* A number of bytes, or of the unit whose letter stands behind it. */
static int parse_size(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	static const char units[] = "KMGT";
	size_t n = strlen(text);
	const char *unit = n ? strchr(units, text[n - 1]) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	CLEANUP(free_char) char *digits = xstrndup(text, n - (unit != NULL));
	uint64_t *slot = target(row, o), size;
	int r = parse_number(digits, 0, SIZE_LIMIT >> shift, &size);

	(void)folder;
	if (r == 0)
		*slot = size << shift;
	return r;
}

static int parse_gate(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	(void)folder;
	return gate_mode_parse(text, target(row, o));
}

static int parse_level(const struct option_row *row, const char *text, const char *folder,
		       struct options *o)
{
	(void)folder;
	return log_level_parse(text, target(row, o));
}

static int parse_time(const struct option_row *row, const char *text, const char *folder,
		      struct options *o)
{
	(void)folder;
	return clock_parse(text, target(row, o));
}

static int parse_prefixes(const struct option_row *row, const char *text, const char *folder,
			  struct options *o)
{
	bool both = !strcmp(text, "both");

	(void)row;
	(void)folder;
	if (!both && strcmp(text, "own") && strcmp(text, "latest"))
		return -EINVAL;
	o->own = both || *text == 'o';
	o->latest = both || *text == 'l';
	return 0;
}

/* dart=V,flutter=V: either one or both, in any order. */
static int parse_sdk(const struct option_row *row, const char *text, const char *folder,
		     struct options *o)
{
	static const char *const names[] = { "dart=", "flutter=" };
	char *found[ARRAY_SIZE(names)] = { NULL };
	int r = *text ? 0 : -EINVAL;

	(void)row;
	(void)folder;
	while (!r && *text) {
		size_t n = strcspn(text, ","), skip = 0, i;

		for (i = 0; i < ARRAY_SIZE(names); i++) {
			skip = strlen(names[i]);
			if (!strncmp(text, names[i], skip))
				break;
		}
		if (i == ARRAY_SIZE(names) || found[i] ||
		    !version_is_canonical(text + skip, n - skip) || (text[n] && !text[n + 1]))
			r = -EINVAL;
		else
			found[i] = xstrndup(text + skip, n - skip);
		text += n + (text[n] == ',');
	}
	if (r < 0) {
		free(found[0]);
		free(found[1]);
		return r;
	}
	free(o->sdk_dart);
	free(o->sdk_flutter);
	o->sdk_dart = found[0];
	o->sdk_flutter = found[1];
	return 0;
}

static int parse_limit(const struct option_row *row, const char *text, const char *folder,
		       struct options *o)
{
	(void)folder;
	return brake_limit_parse(text, target(row, o));
}

const struct option_row option_rows[] = {
	{ "accept", 0, "V,V...", COLLECTORS, true, parse_versions, TARGET(accepted),
	  "a list of dates such as 2026.08.18,2026.07.01",
	  "accepted runtime versions: the own one, ..., the oldest (none is collected)" },
	{ "allow-mass-change", 0, NULL, BIT(GC) | BIT(PROMOTE) | BIT(SYNC), false, parse_flag,
	  TARGET(allow_mass_change),
	  YES_OR_NO, "do what the brake holds, this one time" },
	{ "archives", 0, "URL", BIT(PROMOTE) | BIT(PUBLISH) | RENDERERS, true, parse_store,
	  TARGET(archives),
	  A_STORE, "the store of canonical archives (dir:HOME/archives)" },
	{ "base-url", 0, "URL", RENDERERS, true, parse_base_url, TARGET(base_url),
	  A_URL,
	  "the public URL that clients reach the repository by; no default" },
	{ "batch-delete", 0, NULL, COLLECTORS, true, parse_flag, TARGET(batch_delete),
	  YES_OR_NO, "the endpoint minds conditions within a batch (Google's is known to)" },
	{ "ca-file", 0, "FILE", REMOTE, true, parse_path, TARGET(ca_file), A_PATH,
	  "the certificates to be trusted at a private endpoint" },
	{ "cache", 0, "DIR", BUCKET | BIT(PUBLISH), true, parse_path, TARGET(cache), A_PATH,
	  "where the index and cached bodies live (HOME/cache)" },
	{ "cache-size", 0, "SIZE", TREE | BIT(MOUNT), true, parse_size, TARGET(cache_size),
	  "a number of bytes, or of K, M, G or T, of at most 1 PiB",
	  "how much disk bodies of a gs: store may take (1G; 0: none)" },
	{ "class", 0, "NAME", BIT(PROVISION), true, parse_text, TARGET(storage_class), "a text",
	  "the storage class of a new bucket (the server's default)" },
	{ "config", 0, "FILE", WORKING, false, parse_path, TARGET(config), A_PATH,
	  "read options from FILE (PUBFS_CONFIG, else " OPTIONS_CONFIG ")" },
	{ "db", 0, "URL", DATABASE | BIT(CHECK) | BIT(RM), true, parse_db, TARGET(db),
	  "sqlite: and " A_PATH ", nor postgresql://HOST/DATABASE",
	  "the package database (sqlite:HOME/pub.db), or postgresql://..." },
	{ "db-schema", 0, "NAME", DATABASE | BIT(CHECK) | BIT(RM) | BIT(SCHEMA), true,
	  parse_identifier,
	  TARGET(db_schema), "a name of at most 63 bytes",
	  "where the tables are in PostgreSQL (pubfs)" },
	{ "deep", 0, NULL, BIT(VERIFY), false, parse_flag, TARGET(deep), YES_OR_NO,
	  "read, hash and gate each body, too" },
	{ "dry-run", 0, NULL, BIT(ADOPT) | BIT(GC) | BIT(PROMOTE) | BIT(SYNC), false, parse_flag,
	  TARGET(dry_run), YES_OR_NO,
	  "print the plan and change nothing" },
	{ "endpoint", 0, "URL", REMOTE, true, parse_base_url, TARGET(endpoint), A_URL,
	  "where a gs: store is (STORAGE_EMULATOR_HOST, else Google)" },
	{ "explain", 0, NULL, BIT(DIFF), false, parse_flag, TARGET(explain), YES_OR_NO,
	  "group the differences by their causes, reading bodies where need be" },
	{ "force", 0, NULL, BIT(SYNC), false, parse_flag, TARGET(force), YES_OR_NO,
	  "write every object anew" },
	{ "gate", 0, "MODE", RENDERERS | BIT(ADOPT) | BIT(PUT), true, parse_gate, TARGET(gate),
	  "enforce, warn or off", "what clients could not read: enforce (refuse it), warn or off" },
	{ "help", 0, NULL, EVERY | BIT(NONE), false, parse_flag, TARGET(help), YES_OR_NO,
	  "print this" },
	{ "home", 0, "DIR", WORKING, true, parse_path, TARGET(home), A_PATH,
	  "the folder of the defaults (PUBFS_HOME)" },
	{ "jobs", 0, "N", RENDERERS | BIT(ADOPT) | BIT(DIFF) | BIT(GC) | BIT(PROMOTE), true,
	  parse_jobs, TARGET(jobs), "a number from 1 to 1024",
	  "how much is done side by side (a job for each processor; gs: 64)" },
	{ "json", 0, NULL, BIT(ADOPT) | BIT(DEPLOYMENTS) | BIT(DIFF) | BIT(GC) | BIT(LS) |
	  BIT(STAT) | BIT(STATUS) | BIT(SYNC) | BIT(VERIFY), false, parse_flag, TARGET(json),
	  YES_OR_NO,
	  "one JSON object a line" },
	{ "key-file", 0, "FILE", REMOTE, true, parse_path, TARGET(key_file), A_PATH,
	  "the credentials for a gs: store" },
	{ "location", 0, "NAME", BIT(PROVISION), true, parse_text, TARGET(location), "a text",
	  "where a new bucket is to be (the server's default)" },
	{ "log-file", 0, "FILE", WORKING, true, parse_path, TARGET(log_file), A_PATH,
	  "append messages to FILE" },
	{ "log-level", 0, "LEVEL", WORKING, true, parse_level, TARGET(log_level),
	  "error, warning, info or debug", "error, warning (the default), info or debug" },
	{ "max-removals", 0, "N|N%", COLLECTORS | BIT(PROMOTE) | BIT(RM), true, parse_limit,
	  TARGET(limits.removals), A_LIMIT,
	  "deleted packages that may be removed at once (10 or 1%, whichever is more)" },
	{ "max-rewrites", 0, "N|N%", EXPORTERS | BIT(PROMOTE), true, parse_limit,
	  TARGET(limits.rewrites), A_LIMIT,
	  "listings that may change in one pass (10 or 10%, whichever is more)" },
	{ "max-takedowns", 0, "N|N%", EXPORTERS, true, parse_limit, TARGET(limits.takedowns),
	  A_LIMIT, "packages that may be taken down in one pass (200 or 1%)" },
	{ "metrics-port", 0, "PORT", UPDATERS, true, parse_port, TARGET(metrics_port),
	  "a port such as 9464, or with an address 0.0.0.0:9464 or [::]:9464",
	  "serve metrics by HTTP at this port of 127.0.0.1, or at ADDRESS:PORT" },
	{ "min-age", 0, "TIME", COLLECTORS, true, parse_age, TARGET(min_age),
	  "a number of s, m, h or d, such as 1d, of at most 366 days",
	  "how old what is collected must be (1d)" },
	{ "now", 0, "TIME", DATABASE | BIT(ADOPT) | BIT(PUT), true, parse_time, TARGET(now),
	  "a time such as 2026-08-18T12:00:00Z",
	  "the time by which ages are reckoned and stamped" },
	{ "on-change", 0, "COMMAND", WRITERS, true, parse_text, TARGET(on_change), "a command",
	  "run by the shell: it reads the name of each changed object, a line each" },
	{ "prefixes", 0, "WHICH", RENDERERS | BIT(GC), true, parse_prefixes, TARGET(own),
	  "own, latest or both", "own, latest or both (the default)" },
	{ "project", 0, "NAME", BIT(PROVISION), true, parse_text, TARGET(project), "a text",
	  "the project of a new bucket (that of the credentials)" },
	{ "read-only", 0, NULL, BIT(MOUNT), true, parse_flag, TARGET(read_only), YES_OR_NO,
	  "refuse writing through the mount" },
	{ "reason", 0, "TEXT", BIT(PUT), false, parse_text, TARGET(reason), "a text",
	  "why the gate is off; it is logged" },
	{ "rebase", 0, NULL, EXPORTERS, false, parse_flag, TARGET(rebase), YES_OR_NO,
	  "the database was restored or replaced: take its side" },
	{ "release", 0, NULL, BIT(PROMOTE), false, parse_flag, TARGET(release), YES_OR_NO,
	  "let latest/ go, for the newest deployment to keep" },
	{ "remove", 0, NULL, BIT(ADVISORY), false, parse_flag, TARGET(remove), YES_OR_NO,
	  "remove the advisories of these ids" },
	{ "replace", 0, NULL, BIT(LOAD), false, parse_flag, TARGET(replace), YES_OR_NO,
	  "replace versions that differ" },
	{ "runtime-version", 0, "V", BUCKET, true, parse_runtime_version, TARGET(runtime_version),
	  "a date such as 2026.08.18", "the name of the own prefix, such as 2026.08.18" },
	{ "sdk", 0, "LIST", RENDERERS, true, parse_sdk, TARGET(sdk_dart),
	  "a list such as dart=3.11.0,flutter=3.41.0",
	  "the stable SDKs by which latest is chosen: dart=V,flutter=V" },
	{ "stat", 0, NULL, BIT(DIFF), false, parse_flag, TARGET(stat), YES_OR_NO,
	  "count the differences by kind instead of naming them" },
	{ "store", 0, "URL", STORE, true, parse_store, TARGET(store), A_STORE,
	  "the bucket (dir:HOME/bucket)" },
	{ "ttl", 0, "SECONDS", BUCKET, true, parse_seconds, TARGET(ttl),
	  "a whole number of seconds, at most 366 days",
	  "how old the index may be (60; 0: look every time)" },
	{ "unlimited-rm", 0, NULL, BIT(MOUNT) | BIT(RM), false, parse_flag, TARGET(unlimited_rm),
	  YES_OR_NO, "remove by hand as much as is asked for" },
	{ "update", 0, NULL, BIT(MOUNT), true, parse_flag, TARGET(update), YES_OR_NO,
	  "keep the bucket equal to the database" },
	{ "version", 0, NULL, BIT(NONE), false, parse_flag, TARGET(version), YES_OR_NO,
	  "print the version of pubfs" },
	{ NULL, 'f', NULL, BIT(MOUNT), false, parse_flag, TARGET(foreground), YES_OR_NO,
	  "stay in the foreground" },
	{ NULL, 'l', NULL, BIT(LS), false, parse_flag, TARGET(detailed), YES_OR_NO,
	  "with size and time" },
	{ NULL, 'o', "OPTION,...", BIT(MOUNT), false, parse_more_text, TARGET(mount_options),
	  "a list of mount options", "mount options of FUSE" },
	{ NULL, 'q', NULL, BIT(DIFF), false, parse_flag, TARGET(quiet), YES_OR_NO,
	  "print nothing: the exit status tells" },
};
const size_t n_option_rows = ARRAY_SIZE(option_rows);

const struct option_row *option_find(const char *name, size_t n)
{
	for (size_t i = 0; i < n_option_rows; i++)
		if (option_rows[i].name && strlen(option_rows[i].name) == n &&
		    !strncmp(option_rows[i].name, name, n))
			return &option_rows[i];
	return NULL;
}

bool option_is_taken(const struct option_row *row, const struct command *command)
{
	return row->commands & (1u << (command ? command->id : COMMAND_NONE));
}

void option_spell(const struct option_row *row, struct strbuf *out)
{
	if (row->name)
		strbuf_addf(out, "--%s", row->name);
	else
		strbuf_addf(out, "-%c", row->letter);
}

void options_release(struct options *o)
{
	char **const owned[] = {
		&o->home, &o->store, &o->db, &o->db_schema, &o->archives, &o->cache,
		&o->log_file,	 &o->config, &o->base_url,     &o->sdk_dart, &o->runtime_version,
		&o->sdk_flutter, &o->reason, &o->mount_options, &o->endpoint, &o->key_file,
		&o->ca_file, &o->project, &o->location, &o->storage_class, &o->accepted,
		&o->on_change, &o->metrics_port
	};

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		free(*owned[i]);
		*owned[i] = NULL;
	}
}

/* A row of two columns, so narrow that a terminal shows it. */
static void add_row(const char *left, const char *text, struct strbuf *out)
{
	size_t at = strlen(left);

	strbuf_addstr(out, left);
	while (*text) {
		size_t n = strlen(text);

		while (n > WIDTH - COLUMN)
			do
				n--;
			while (text[n] != ' ');
		if (at >= COLUMN) {
			strbuf_addch(out, '\n');
			at = 0;
		}
		strbuf_addf(out, "%*s%.*s", (int)(COLUMN - at), "", (int)n, text);
		at = COLUMN;
		text += n + (text[n] == ' ');
	}
	strbuf_addch(out, '\n');
}

void options_overview(struct strbuf *out)
{
	strbuf_addstr(out, "usage: pubfs COMMAND [options]\n\n");
	for (size_t i = 0; i < n_commands; i++) {
		CLEANUP(strbuf_release) struct strbuf left = STRBUF_INIT(256);

		strbuf_addf(&left, "  %-8s %s", commands[i].name, commands[i].arguments);
		add_row(left.buf, commands[i].summary, out);
	}
	strbuf_addstr(out, "\n'pubfs help COMMAND' lists what it takes; pubfs(1) tells all.\n");
}

void options_usage(const struct command *command, struct strbuf *out)
{
	strbuf_addf(out, "usage: pubfs %s [options]%s%s\n%s\n\n", command->name,
		    *command->arguments ? " " : "", command->arguments, command->summary);
	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		CLEANUP(strbuf_release) struct strbuf left = STRBUF_INIT(256);

		if (!option_is_taken(row, command))
			continue;
		strbuf_addstr(&left, "  ");
		option_spell(row, &left);
		if (row->argument)
			strbuf_addf(&left, " %s", row->argument);
		add_row(left.buf, row->help, out);
	}
}

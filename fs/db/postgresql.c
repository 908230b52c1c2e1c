/* SPDX-License-Identifier: BSD-3-Clause */
/* postgresql.c - a package database in PostgreSQL: which one it is, and whether it is ours. */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define SERVER_MIN    150000 /* as libpq has it: version 15 */
#define PATIENCE      (30 * SECOND_US)
#define POLL	      SECOND_US
#define SCHEMA_MAX    (1 << 20)
#define IDENTIFIER_MAX 256

#pragma GCC diagnostic ignored "-Woverlength-strings"
static const char schema_text[] =
#include "fs/db/schema_postgresql.inc"
	;
#define SCHEMA_NAME "\"pubfs\"" /* in schema_text, wherever another name may stand */

/* What a connection has unless the URL says otherwise. */
static const struct {
	const char *keyword, *value;
} defaults[] = {
	{ "application_name", "pubfs" },
	{ "client_encoding", "UTF8" },
	{ "connect_timeout", "10" },
	{ "keepalives_idle", "20" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "30000" },
};

/*
 * Before the options of the URL, which go over them. Times are read as text in UTC. To compile a
 * query that looks through all packages (jit) takes ten times as long as to run it. Calls are made
 * for this isolation, whatever the database's own is. The server notices a host that is gone as
 * soon as the host notices such a server, and one that stands still in a transaction after a
 * minute: what either of them has locked, such as a lease under way, is free then.
 */
#define OPTIONS                                                                                    \
	"-c TimeZone=UTC -c DateStyle=ISO -c jit=off -c statement_timeout=60s"                     \
	" -c lock_timeout=60s -c idle_in_transaction_session_timeout=60s"                          \
	" -c default_transaction_isolation=read\\ committed"                                       \
	" -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"        \
	" -c tcp_user_timeout=30000"

static void quote_identifier(const char *name, struct strbuf *out)
{
	strbuf_addch(out, '"');
	for (; *name; name++) {
		if (*name == '"')
			strbuf_addch(out, '"');
		strbuf_addch(out, *name);
	}
	strbuf_addch(out, '"');
}

void postgresql_schema(const char *schema, struct strbuf *out)
{
	const char *text = schema_text, *at;

	while ((at = strstr(text, SCHEMA_NAME))) {
		strbuf_add(out, text, (size_t)(at - text));
		quote_identifier(schema, out);
		text = at + strlen(SCHEMA_NAME);
	}
	strbuf_addstr(out, text);
}

static void free_conninfo(PQconninfoOption **options)
{
	PQconninfoFree(*options);
}

static void add_setting(struct postgresql *db, size_t *n, const char *keyword, char *value)
{
	if (*n == SETTINGS_MAX - 1) {
		free(value);
		return;
	}
	db->keywords[*n] = xstrdup(keyword);
	db->values[(*n)++] = value;
}

const char *postgresql_setting(const struct postgresql *db, const char *keyword)
{
	for (size_t i = 0; db->keywords[i]; i++)
		if (!strcmp(db->keywords[i], keyword))
			return db->values[i];
	return NULL;
}

/* What stands in messages and nothing else: without user and password. */
static char *describe(const struct postgresql *db)
{
	const char *host = postgresql_setting(db, "host"), *port = postgresql_setting(db, "port");
	const char *name = postgresql_setting(db, "dbname");

	return xasprintf("postgresql://%s%s%s/%s%s%s", host ? host : "", port ? ":" : "",
			 port ? port : "", name ? name : "",
			 strcmp(db->schema, "pubfs") ? "#" : "",
			 strcmp(db->schema, "pubfs") ? db->schema : "");
}

/* A URL's own words are kept out of what is said of it, since they may be a password. */
static int read_url(struct postgresql *db, const char *url)
{
	char *why = NULL;
	CLEANUP(free_conninfo) PQconninfoOption *options = PQconninfoParse(url, &why);
	const char *host, *said;
	size_t n = 0;

	PQfreemem(why);
	if (!options)
		return fail(-EINVAL, "--db is no URL of PostgreSQL: write"
				     " postgresql://USER@HOST:PORT/DATABASE?name=value...");
	for (const PQconninfoOption *o = options; o->keyword; o++)
		if (o->val && strcmp(o->keyword, "options"))
			add_setting(db, &n, o->keyword, xstrdup(o->val));
		else if (!strcmp(o->keyword, "options"))
			add_setting(db, &n, "options",
				    xasprintf(OPTIONS " %s", o->val ? o->val : ""));
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (!postgresql_setting(db, defaults[i].keyword))
			add_setting(db, &n, defaults[i].keyword, xstrdup(defaults[i].value));
	/* of several hosts, the one that can be written */
	host = postgresql_setting(db, "host");
	said = postgresql_setting(db, "target_session_attrs");
	if (host && strchr(host, ',') && !said)
		add_setting(db, &n, "target_session_attrs", xstrdup("read-write"));
	db->db.url = describe(db);
	return 0;
}

static void close_db(struct db *base)
{
	struct postgresql *db = (struct postgresql *)base;

	postgresql_close_links(db);
	for (size_t i = 0; i < SETTINGS_MAX; i++) {
		free(db->keywords[i]);
		free(db->values[i]);
	}
	pthread_cond_destroy(&db->freed);
	pthread_mutex_destroy(&db->turn);
	pthread_mutex_destroy(&db->lock);
	free(db->schema);
	free(db->db.url);
	free(db);
}

static void release(struct postgresql **db)
{
	if (*db)
		close_db(&(*db)->db);
}

static const struct db_ops postgresql_ops = {
	.name = "postgresql",
	.package = postgresql_package,
	.work = postgresql_work,
	.count = postgresql_count,
	.names = postgresql_names,
	.record = postgresql_record,
	.changed = postgresql_changed,
	.beat = postgresql_beat,
	.deployments = postgresql_deployments,
	.retire = postgresql_retire,
	.hold = postgresql_hold,
	.held = postgresql_held,
	.claim = postgresql_claim,
	.renew = postgresql_renew,
	.release = postgresql_release,
	.wait = postgresql_wait,
	.scan = postgresql_scan,
	.renderers = postgresql_renderers,
	.begin = postgresql_begin,
	.commit = postgresql_commit,
	.rollback = postgresql_rollback,
	.version = postgresql_version,
	.put_version = postgresql_put_version,
	.state = postgresql_state,
	.newest = postgresql_newest,
	.ranked = postgresql_ranked,
	.versions = postgresql_versions,
	.set = postgresql_set,
	.purge = postgresql_purge,
	.advisory = postgresql_advisory,
	.put_advisory = postgresql_put_advisory,
	.remove_advisory = postgresql_remove_advisory,
	.check = postgresql_check,
	.close = close_db,
};

/* What is there. */
struct identity {
	bool has_schema, may_use, foreign, read_only;
	int version; /* of the schema; 0: none */
};

static int read_identity(struct link *link, void *ctx)
{
	struct identity *id = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	CLEANUP(clear_result) PGresult *version = NULL;
	struct arguments args;
	int r;

	arguments_set(&args, "s", link->db->schema);
	r = link_ask(link, &result,
		     "SELECT to_regclass('schema_version') IS NOT NULL,"
		     " coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace"
		     " WHERE nspname = $1), true),"
		     " (SELECT count(DISTINCT tgrelid) < 4 OR bool_or(tgenabled = 'D')"
		     " FROM pg_trigger WHERE NOT tgisinternal"
		     " AND tgname LIKE 'pubfs\\_%' AND tgrelid IN ("
		     "to_regclass('package'), to_regclass('package_version'),"
		     " to_regclass('advisory'), to_regclass('advisory_package'))),"
		     " current_setting('transaction_read_only') = 'on'",
		     &args);
	if (r < 0)
		return r;
	id->has_schema = column_flag(result, 0, 0);
	id->may_use = column_flag(result, 0, 1);
	id->foreign = column_flag(result, 0, 2);
	id->read_only = column_flag(result, 0, 3);
	id->version = 0;
	if (!id->has_schema)
		return 0;
	r = link_ask(link, &version, "SELECT version FROM schema_version", NULL);
	if (r == 0 && PQntuples(version) == 1)
		id->version = (int)column_number(version, 0, 0);
	return r;
}

static int create_schema(struct postgresql *db, struct link *link)
{
	CLEANUP(strbuf_release) struct strbuf ddl = STRBUF_INIT(SCHEMA_MAX);
	CLEANUP(clear_result) PGresult *result = NULL;
	const char *why;

	postgresql_schema(db->schema, &ddl);
	result = PQexec(link->conn, ddl.buf);
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		return 0;
	why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	return fail(-EIO,
		    "cannot make the schema %s in the database %s: %s; `pubfs schema postgresql`"
		    " prints it, for a role that may",
		    db->schema, db->db.url, why ? why : PQerrorMessage(link->conn));
}

/* Everything but our schema, of this version, is an error that says what to do. */
static int judge(struct postgresql *db, const struct identity *id, enum db_mode mode)
{
	if (id->read_only)
		return fail(-EACCES,
			    "the database %s cannot be written: pubfs keeps there what it exported",
			    db->db.url);
	if (!id->may_use)
		return fail(-EACCES,
			    "the role of the database %s has no right USAGE on the schema %s",
			    db->db.url, db->schema);
	if (!id->version && mode == DB_OPEN)
		return fail(-ENOENT,
			    "there is no schema %s in the database %s; `pubfs load` or `pubfs"
			    " publish` makes it, and so does `pubfs schema postgresql | psql`",
			    db->schema, db->db.url);
	if (id->version && id->version < DB_SCHEMA_VERSION)
		return fail(-EIO,
			    "the database %s has schema version %d, and this pubfs needs version"
			    " %d: `pubfs schema postgresql | psql`, by its owner, brings it there",
			    db->db.url, id->version, DB_SCHEMA_VERSION);
	if (id->version > DB_SCHEMA_VERSION)
		return fail(-EIO,
			    "the database %s has schema version %d, and this pubfs knows version %d"
			    " alone: use the pubfs that it belongs to",
			    db->db.url, id->version, DB_SCHEMA_VERSION);
	return 0;
}

static int prepare(struct postgresql *db, enum db_mode mode, struct link *link)
{
	struct identity id = { .version = 0 };
	int server, r = postgresql_connect(link);

	if (r < 0)
		return r;
	server = PQserverVersion(link->conn);
	if (server < SERVER_MIN)
		return fail(-EIO, "the server of %s is PostgreSQL %d, and 15 or later is needed",
			    db->db.url, server / 10000);
	r = read_identity(link, &id);
	if (r == 0)
		r = judge(db, &id, mode);
	if (r == 0 && !id.version) {
		r = create_schema(db, link);
		if (r == 0)
			r = read_identity(link, &id);
	}
	db->foreign = id.foreign;
	return r < 0 ? r : postgresql_lacks(link);
}

/* Once, and without patience: a wrong URL is a mistake, and that is to be heard at once. */
static int open_first(struct postgresql *db, enum db_mode mode)
{
	struct link link = { .db = db };
	int r = prepare(db, mode, &link);

	if (r < 0 && link.why)
		r = fail(r == -EAGAIN ? -EIO : r, "cannot open the database %s: %s", db->db.url,
			 link.why);
	free(link.why);
	PQfinish(link.conn);
	return r;
}

int postgresql_open(const char *url, enum db_mode mode, const char *schema,
		    const atomic_bool *cancel, struct db **ret)
{
	CLEANUP(release) struct postgresql *db = xcalloc(1, sizeof(*db));
	int r;

	db->db.ops = &postgresql_ops;
	db->db.cancel = cancel;
	db->patience = PATIENCE;
	db->poll = POLL;
	db->schema = xstrdup(schema);
	pthread_mutex_init(&db->lock, NULL);
	pthread_mutex_init(&db->turn, NULL);
	pthread_cond_init(&db->freed, NULL);
	r = read_url(db, url);
	if (r == 0)
		r = open_first(db, mode);
	if (r < 0)
		return r;
	*ret = &steal(db)->db;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cut_test.c - the connection is cut at the n-th step, for every n and in several ways (proxy.h),
 * until a run goes through without a cut. Whatever step it was, in the end all is done, once; where
 * it shows at all it is one sentence, and the same call again does the rest.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fs/db/postgresql.h"
#include "../export/world.h"
#include "clock.h"
#include "compiler.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "proxy.h"
#include "server.h"

static struct proxy *proxy;
static struct db *db;
static PGconn *raw; /* not through the proxy */
static char *database;

static void sql(const char *text, ...) __attribute__((format(printf, 1, 2)));
static const char *ask(const char *text, ...) __attribute__((format(printf, 1, 2)));

static const char *answer(const char *statement)
{
	static char ret[4096];
	PGresult *result = PQexec(raw, statement);
	ExecStatusType status = PQresultStatus(result);

	cr_assert(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", statement,
		  PQerrorMessage(raw));
	snprintf(ret, sizeof(ret), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return ret;
}

static void sql(const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	va_list ap;

	va_start(ap, text);
	cr_assert_geq(vasprintf(&statement, text, ap), 0);
	va_end(ap);
	answer(statement);
}

static const char *ask(const char *text, ...)
{
	CLEANUP(free_char) char *statement = NULL;
	va_list ap;

	va_start(ap, text);
	cr_assert_geq(vasprintf(&statement, text, ap), 0);
	va_end(ap);
	return answer(statement);
}

static PGconn *connect_to(const char *name)
{
	CLEANUP(free_char)
	char *info = xasprintf("%s dbname=%s options='-c search_path=pubfs -c"
			       " client_min_messages=error'",
			       server_conninfo(), name);
	PGconn *conn = PQconnectdb(info);

	cr_assert_eq(PQstatus(conn), CONNECTION_OK, "%s", PQerrorMessage(conn));
	return conn;
}

static void open_world(void)
{
	CLEANUP(free_char) char *url = NULL;

	server_need();
	log_set_mute(true);
	database = xasprintf("cut_%d", (int)getpid());
	raw = connect_to("postgres");
	sql("CREATE DATABASE %s", database);
	PQfinish(raw);
	proxy = proxy_start();
	url = xasprintf("postgresql:///%s?host=%s&user=pubfs_test", database, proxy_folder(proxy));
	cr_assert_eq(db_open(url, DB_CREATE, &db), 0);
	raw = connect_to(database);
}

static void close_world(void)
{
	if (!database) /* skipped */
		return;
	db_close(db);
	proxy_stop(proxy);
	PQfinish(raw);
	raw = connect_to("postgres");
	sql("DROP DATABASE %s WITH (FORCE)", database);
	PQfinish(raw);
	free(database);
}

TestSuite(cut, .init = open_world, .fini = close_world, .timeout = 300);

/* What a call answered, that may answer only that, or that it failed and why. */
static int sound(int r)
{
	const char *text = log_last_failure();

	if (r != -EIO)
		return r;
	cr_assert(!strncmp(text, "cannot ", 7) && strstr(text, "the database postgresql://"), "%s",
		  text);
	cr_assert_null(strpbrk(text, "\n\t"), "%s", text);
	return r;
}

/*
 * For each of these ways to cut and each step, that of a first connection too: `begin`, `work` with
 * the cut, `check`.
 */
static void each_cut(enum cut last, void (*begin)(void), void (*work)(void), void (*check)(void))
{
	for (int cut = 0; cut <= (int)last; cut++) {
		bool fired = true;

		for (int n = 1; fired; n++) {
			cr_assert_lt(n, 500);
			postgresql_close_links((struct postgresql *)db);
			begin();
			proxy_arm(proxy, (enum cut)cut, n);
			work();
			fired = proxy_fired(proxy);
			proxy_arm(proxy, CUT_QUESTION, 0);
			check();
		}
	}
}

/* The cut does not show. */
#define AT_ONCE(wanted, call) cr_assert_eq(sound(call), wanted, "%s: %s", #call, log_last_failure())

/* It may: rows were handed on, or a commit is not repeated. The next call does what is left. */
#define IN_THE_END(wanted, call)                                                                   \
	do {                                                                                       \
		int r_ = sound(call);                                                              \
                                                                                                   \
		cr_assert(r_ == (wanted) || (r_ == -EIO && proxy_fired(proxy)), "%s: %d", #call,   \
			  r_);                                                                     \
		cr_assert(r_ == (wanted) || sound(call) == (wanted), #call);                       \
	} while (0)

static char version[] = "2026.08.18", host[] = "h", url_of_base[] = BASE_URL, none[] = "";
static const struct deployment self = {
	.runtime_version = version, .host = host, .accepted = none, .base_url = url_of_base
};

static int count_host(void *ctx, const struct deployment *d)
{
	*(int *)ctx += d->live && !d->retired && !strcmp(d->host, host);
	return 0;
}

static int count_hosts(int *ret)
{
	*ret = 0;
	return db_deployments(db, count_host, ret);
}

static int read_held(void)
{
	CLEANUP(free_char) char *held = NULL;
	int64_t since;

	return db_held(db, &held, &since);
}

static void forget_hosts(void)
{
	sql("DELETE FROM deployment; DELETE FROM latest_hold");
}

static void keep_a_host(void)
{
	int hosts;

	AT_ONCE(0, db_beat(db, &self));
	IN_THE_END(0, count_hosts(&hosts));
	cr_assert_eq(hosts, 1);
	AT_ONCE(0, db_hold(db, version));
	AT_ONCE(0, read_held());
	AT_ONCE(0, db_retire(db, version, true));
}

static void expect_a_host(void)
{
	cr_assert_str_eq(ask("SELECT count(*) FROM deployment WHERE retired AND host = 'h'"), "1");
	cr_assert_str_eq(ask("SELECT string_agg(runtime_version, ',') FROM latest_hold"), version);
}

Test(cut, a_heartbeat_and_a_hold_are_kept_once)
{
	each_cut(CUT_TOLD, forget_hosts, keep_a_host, expect_a_host);
}

static char name_x[] = "x", name_y[] = "y";
static char *const names[] = { name_x, name_y };

static struct lease lease_of(const char *owner)
{
	return (struct lease){
		.store = "s", .runtime_version = version, .owner = owner, .duration = HOUR_US
	};
}

static void claim(const char *owner, size_t from, size_t n, enum claim wanted)
{
	struct lease lease = lease_of(owner);
	enum claim claims[ARRAY_SIZE(names)];

	AT_ONCE(0, db_claim(db, &lease, names + from, n, claims));
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(claims[i], wanted, "%s %s", owner, names[from + i]);
}

static void forget_leases(void)
{
	sql("DELETE FROM lease");
}

static void hand_leases_over(void)
{
	struct lease a = lease_of("a");

	claim("a", 0, 2, CLAIM_MINE);
	AT_ONCE(0, db_renew(db, &a));
	claim("b", 0, 1, CLAIM_TAKEN);
	AT_ONCE(0, db_release(db, &a, names, 1));
	claim("b", 0, 1, CLAIM_MINE);
	AT_ONCE(0, db_release(db, &a, NULL, 0));
	claim("b", 1, 1, CLAIM_MINE);
	claim("a", 0, 1, CLAIM_TAKEN);
}

static void expect_leases(void)
{
	cr_assert_str_eq(ask("SELECT string_agg(owner || name, ',' ORDER BY name) FROM lease"),
			 "bx,by");
}

Test(cut, a_lease_is_one_owners_whichever_step_is_cut)
{
	each_cut(CUT_WITHIN, forget_leases, hand_leases_over, expect_leases);
}

static uint64_t seen;

static void change_a_package(void)
{
	AT_ONCE(0, db_changed(db, &seen));
	postgresql_close_links((struct postgresql *)db);
	sql("SELECT changed('p')");
}

static void hear_of_it(void)
{
	AT_ONCE(1, db_wait(db, 10 * SECOND_US, NULL, &seen));
	AT_ONCE(0, db_wait(db, 0, NULL, &seen));
}

static void nothing_is_left(void)
{
}

Test(cut, a_change_is_heard_of_once)
{
	each_cut(CUT_WITHIN, change_a_package, hear_of_it, nothing_is_left);
}

static int keep_work(void *ctx, const struct work *work)
{
	strbuf_addf(ctx, "%s %d", work->package, work->states[0].attempts);
	return 0;
}

static const char *const prefixes[] = { "latest" };

static int read_work(struct strbuf *out)
{
	strbuf_reset(out);
	return db_work(db, "s", prefixes, 1, "r", keep_work, out);
}

static void forget_states(void)
{
	sql("DELETE FROM export_state; DELETE FROM package_event; DELETE FROM package_counter;"
	    "SELECT changed('p')");
}

static void fail_and_look(void)
{
	CLEANUP(strbuf_release) struct strbuf work = STRBUF_INIT(1000);
	char package[] = "p", why[] = "why";
	const struct export_record failure = { "latest", package, { .last_error = why } };

	for (int i = 1; i <= 2; i++) {
		CLEANUP(free_char) char *wanted = xasprintf("p %d", i);

		AT_ONCE(0, db_record(db, "s", &failure, 1));
		IN_THE_END(0, read_work(&work));
		cr_assert_str_eq(work.buf, wanted);
	}
}

static void expect_two_failures(void)
{
	cr_assert_str_eq(ask("SELECT attempts FROM export_state"), "2");
	cr_assert_str_eq(ask("SELECT change FROM package_change"),
			 ask("SELECT change FROM package_counter"), "put together");
}

Test(cut, a_failure_counts_once_and_its_package_stays_work)
{
	each_cut(CUT_WITHIN, forget_states, fail_and_look, expect_two_failures);
}

static void forget_packages(void)
{
	sql("DELETE FROM package; DELETE FROM package_version; DELETE FROM advisory;"
	    "DELETE FROM advisory_package; DELETE FROM package_event; DELETE FROM package_counter");
}

/* As `load` does, all or nothing. */
static int load(void)
{
	int r = 0;

	AT_ONCE(0, db_begin(db));
	for (int i = 1; r >= 0 && i <= 2; i++) {
		char pubspec[] = "{}";
		CLEANUP(package_version_release)
		struct package_version v = { .version = xasprintf("%d.0.0", i),
					     .pubspec = xstrdup(pubspec),
					     .pubspec_len = 2 };

		r = sound(db_put_version(db, "p", &v, false));
	}
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db);
}

static void load_two(void)
{
	IN_THE_END(0, load());
}

static void expect_two(void)
{
	cr_assert_str_eq(ask("SELECT count(*) FROM package_version"), "2");
	cr_assert_str_eq(ask("SELECT split_part(change, '-', 1) FROM package_change"), "3",
			 "the package and its versions");
}

Test(cut, what_is_loaded_is_there_wholly_and_once)
{
	each_cut(CUT_WITHIN, forget_packages, load_two, expect_two);
}

/* Where a commit may have been made and is not repeated, the second call may find it done. */
static void by_hand(int again, int r)
{
	cr_assert(r == 0 || r == again || r == -EIO, "%d", r);
}

static void change_by_hand(void)
{
	static const struct db_value unlisted[] = { { "unlisted", DB_FLAG, 1, NULL } };
	char package[] = "p", *const one[] = { package }, id[] = "A", osv[] = "{}";
	const struct advisory a = { .id = id, .osv = osv, .osv_len = 2, .synced = SECOND_US };

	sql("INSERT INTO package (name) VALUES ('p'); INSERT INTO package_version"
	    " (package, version, pubspec) VALUES ('p', '1.0.0', '{}'), ('p', '2.0.0', '{}')");
	IN_THE_END(0, db_set(db, "p", NULL, unlisted, 1));
	IN_THE_END(0, db_put_advisory(db, &a, one, 1));
	for (int i = 0, r = -EIO; r == -EIO; i++)
		by_hand(i ? -ENOENT : 0, r = sound(db_purge(db, "p", "1.0.0")));
	for (int i = 0, r = -EIO; r == -EIO; i++)
		by_hand(i ? -ENOENT : 0, r = sound(db_remove_advisory(db, "A")));
}

static void expect_changes_by_hand(void)
{
	cr_assert_str_eq(ask("SELECT string_agg(version, ',') FROM package_version"), "2.0.0");
	cr_assert_str_eq(ask("SELECT (SELECT count(*) FROM advisory)"
			     " + (SELECT count(*) FROM advisory_package)"),
			 "0");
	cr_assert_str_eq(ask("SELECT unlisted FROM package"), "t");
}

Test(cut, a_change_by_hand_is_made_once_or_said_to_be_unsure)
{
	each_cut(CUT_WITHIN, forget_packages, change_by_hand, expect_changes_by_hand);
}

static struct world w;
static struct exporter *exporter;
static char *wanted_changes, *wanted_keys; /* of a pass that nothing cuts */

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *sorted(char *text)
{
	struct strbuf out = STRBUF_INIT(100000);
	char *lines[1000], *line;
	size_t n = 0;

	while ((line = strsep(&text, "\n")) && n < ARRAY_SIZE(lines))
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), compare_lines);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&out, "%s\n", lines[i]);
	return strbuf_detach(&out);
}

static void begin_pass(void)
{
	sql("DELETE FROM export_state; DELETE FROM lease");
	world_empty_bucket(&w);
	cr_assert_eq(exporter_new(&w.options, &exporter), 0);
}

static int pass(void)
{
	CLEANUP(export_counts_release) struct export_counts counts = { 0 };

	return export_changed(exporter, &counts);
}

static void run_pass(void)
{
	AT_ONCE(0, pass());
}

static void expect_pass(void)
{
	CLEANUP(free_char) char *lines = recorder_take(w.recorder);
	CLEANUP(free_char) char *changes = sorted(lines);
	CLEANUP(free_char) char *keys = world_keys(&w);

	if (!wanted_changes) {
		wanted_changes = steal(changes);
		wanted_keys = steal(keys);
	} else {
		cr_assert_str_eq(changes, wanted_changes, "each is written once");
		cr_assert_str_eq(keys, wanted_keys);
	}
	cr_assert_eq(pass(), 0);
	CLEANUP(free_char) char *more = recorder_take(w.recorder);
	cr_assert_str_eq(more, "", "and nothing is left");
	cr_assert_str_eq(ask("SELECT count(*) FROM lease"), "0");
	cr_assert_str_eq(ask("SELECT count(*) FROM export_state s JOIN package_change c"
			     " ON c.package = s.package AND c.change = s.change"
			     " WHERE attempts = 0 AND last_error IS NULL"),
			 "4", "two packages in two prefixes");
	exporter_free(exporter);
}

Test(cut, a_pass_exports_all_and_writes_nothing_twice)
{
	world_init(&w);
	w.options.db = db;
	w.options.owner = "a";
	w.options.jobs = 1;
	for (int i = 0; i < 2; i++) {
		const char *package = i ? "foo" : "bar";

		world_add_archive(&w, package, "1.0.0");
		sql("INSERT INTO package (name) VALUES ('%s'); INSERT INTO package_version"
		    " (package, version, pubspec) VALUES ('%s', '1.0.0',"
		    " '{\"name\":\"%s\",\"version\":\"1.0.0\"}')",
		    package, package, package);
	}
	begin_pass();
	run_pass();
	expect_pass();
	cr_assert(strstr(wanted_keys, "latest/api/packages/foo"));
	each_cut(CUT_ANSWER, begin_pass, run_pass, expect_pass);
	free(wanted_changes);
	free(wanted_keys);
	world_release(&w);
}

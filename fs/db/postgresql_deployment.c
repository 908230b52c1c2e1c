/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * postgresql_deployment.c - hosts and their heartbeats, leases, and who keeps latest/. Every time
 * is the database's clock's, at the statement: now() would be the start of its transaction.
 */
#include "postgresql.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"

#define NOW		    "clock_timestamp()"
#define MICROSECONDS(param) "make_interval(secs => " param "::numeric / 1000000)"

/* Two base URLs would rewrite each other's latest/ for ever. Hosts beat one at a time, so that of
 * two that begin together one sees the other. */
static int refuse_other_base(struct link *link, const struct deployment *host)
{
	CLEANUP(clear_result) PGresult *result = NULL;
	struct arguments args;
	int r = link_run(link, "LOCK TABLE deployment IN SHARE ROW EXCLUSIVE MODE", "");

	if (r < 0)
		return r;
	arguments_set(&args, "sssd", host->runtime_version, host->host, host->base_url,
		      DEPLOYMENT_LIVE);
	r = link_ask(link, &result,
		     "SELECT runtime_version, host, base_url FROM deployment"
		     " WHERE (runtime_version, host) <> ($1, $2) AND NOT retired"
		     " AND base_url NOT IN ('', $3)"
		     " AND heartbeat BETWEEN " NOW " - " MICROSECONDS("$4")
		     " AND " NOW " + " MICROSECONDS("$4") " LIMIT 1",
		     &args);
	if (r < 0 || !PQntuples(result))
		return r;
	return fail(-EEXIST,
		    "the base URL %s is not that of host %s, which is live with %s (runtime version"
		    " %s): all deployments on a database have one",
		    host->base_url, column_text(result, 0, 1), column_text(result, 0, 2),
		    column_text(result, 0, 0));
}

static int beat(struct link *link, void *ctx)
{
	const struct deployment *host = ctx;
	int r = refuse_other_base(link, host);

	if (r >= 0)
		r = link_run(link,
			     "INSERT INTO deployment (runtime_version, host, accepted, base_url,"
			     " heartbeat, shadow, retired) VALUES ($1, $2, $3, $4, " NOW ","
			     " $5::int::bool, EXISTS ("
			     "SELECT FROM deployment WHERE runtime_version = $1 AND retired))"
			     " ON CONFLICT (runtime_version, host) DO UPDATE SET"
			     " accepted = excluded.accepted, base_url = excluded.base_url,"
			     " heartbeat = excluded.heartbeat, shadow = excluded.shadow",
			     "ssssi", host->runtime_version, host->host, host->accepted,
			     host->base_url, (int)host->shadow);
	if (r >= 0)
		r = link_run(link,
			     "DELETE FROM deployment WHERE NOT retired"
			     " AND heartbeat < " NOW " - " MICROSECONDS("$1"),
			     "d", DEPLOYMENT_KEPT);
	if (r >= 0)
		r = link_run(link,
			     "DELETE FROM lease WHERE (store, runtime_version, name) IN ("
			     "SELECT store, runtime_version, name FROM lease WHERE until <= " NOW
			     " FOR UPDATE SKIP LOCKED)",
			     "");
	return r < 0 ? r : 0;
}

int postgresql_beat(struct db *base, const struct deployment *host)
{
	struct deployment copy = *host;

	return postgresql_call((struct postgresql *)base, CALL_WRITE, "write", beat, &copy);
}

struct host_call {
	deployment_fn *fn;
	void *ctx;
};

static int call_for_host(void *ctx, const PGresult *row)
{
	const struct host_call *call = ctx;
	int64_t age = column_number(row, 0, 6);
	CLEANUP(deployment_release)
	struct deployment d = {
		.runtime_version = xstrdup(column_text(row, 0, 0)),
		.host = xstrdup(column_text(row, 0, 1)),
		.accepted = xstrdup(column_text(row, 0, 2)),
		.base_url = xstrdup(column_text(row, 0, 3)),
		.shadow = column_flag(row, 0, 4),
		.retired = column_flag(row, 0, 5),
		.age = age,
		.live = age < DEPLOYMENT_LIVE && age > -DEPLOYMENT_LIVE,
	};

	return call->fn(call->ctx, &d);
}

static int read_hosts(struct link *link, void *ctx)
{
	return link_each(link,
			 "SELECT runtime_version, host, accepted, base_url, shadow, retired,"
			 " (extract(epoch FROM " NOW " - heartbeat) * 1000000)::bigint"
			 " FROM deployment ORDER BY runtime_version DESC, host",
			 NULL, call_for_host, ctx);
}

int postgresql_deployments(struct db *base, deployment_fn *fn, void *ctx)
{
	struct host_call call = { .fn = fn, .ctx = ctx };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", read_hosts, &call);
}

struct retire_call {
	const char *runtime_version;
	bool retired;
};

static int retire(struct link *link, void *ctx)
{
	const struct retire_call *call = ctx;
	int r = link_run(link, "UPDATE deployment SET retired = $1::int::bool"
			       " WHERE runtime_version = $2",
			 "is", (int)call->retired, call->runtime_version);

	return r > 0 ? 0 : r < 0 ? r : -ENOENT;
}

int postgresql_retire(struct db *base, const char *runtime_version, bool retired)
{
	struct retire_call call = { .runtime_version = runtime_version, .retired = retired };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "write", retire, &call);
}

static int hold(struct link *link, void *ctx)
{
	const char *runtime_version = ctx;
	int r = link_run(link, "DELETE FROM latest_hold", "");

	if (r >= 0 && runtime_version)
		r = link_run(link, "INSERT INTO latest_hold VALUES ($1, " NOW ")", "s",
			     runtime_version);
	return r < 0 ? r : 0;
}

int postgresql_hold(struct db *base, const char *runtime_version)
{
	CLEANUP(free_char) char *copy = xstrdup_or_null(runtime_version);

	return postgresql_call((struct postgresql *)base, CALL_WRITE, "write", hold, copy);
}

struct held_call {
	char **ret_version;
	int64_t *ret_since;
};

static int held(struct link *link, void *ctx)
{
	const struct held_call *call = ctx;
	CLEANUP(clear_result) PGresult *result = NULL;
	int r = link_ask(link, &result, "SELECT runtime_version, since::text FROM latest_hold"
					" ORDER BY since DESC LIMIT 1",
			 NULL);
	int64_t since;

	if (r < 0)
		return r;
	if (!PQntuples(result))
		return -ENOENT;
	if (clock_parse(column_text(result, 0, 1), &since) < 0)
		return fail(-EINVAL, "latest_hold.since is no time: %s", column_text(result, 0, 1));
	*call->ret_version = xstrdup(column_text(result, 0, 0));
	*call->ret_since = since;
	return 0;
}

int postgresql_held(struct db *base, char **ret_version, int64_t *ret_since)
{
	struct held_call call = { .ret_version = ret_version, .ret_since = ret_since };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "read", held, &call);
}

struct lease_call {
	const struct lease *lease;
	char *const *names;
	size_t n;
	enum claim *claims;
};

/* 1: in every prefix. */
static int is_done(struct link *link, const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->n_prefixes; i++) {
		CLEANUP(clear_result) PGresult *result = NULL;
		struct arguments args;
		int r;

		arguments_set(&args, "ssss", name, lease->store, lease->prefixes[i],
			      lease->renderer);
		r = link_ask(link, &result,
			     "SELECT 1 FROM package_change c JOIN export_state s"
			     " ON s.package = c.package AND s.change = c.change"
			     " WHERE c.package = $1 AND s.store = $2 AND s.prefix = $3"
			     " AND s.renderer = $4",
			     &args);
		if (r < 0 || !PQntuples(result))
			return r;
	}
	return 1;
}

/* Takes the lease if nobody has it. A row that another host has locked is about to be that one's;
 * only where it is about to be the first one is it waited for. */
static int claim_one(struct link *link, const struct lease *lease, const char *name,
		     enum claim *ret)
{
	int r = lease->renderer ? is_done(link, lease, name) : 0;

	if (r > 0)
		*ret = CLAIM_DONE;
	if (r)
		return r < 0 ? r : 0;
	r = link_run(link,
		     "WITH mine AS (SELECT store, runtime_version, name FROM lease"
		     " WHERE store = $1 AND runtime_version = $2 AND name = $3"
		     " AND (owner IN ($4, $6) OR until <= " NOW " OR since > " NOW ")"
		     " FOR UPDATE SKIP LOCKED)"
		     " UPDATE lease l SET owner = $4, since = " NOW ","
		     " until = " NOW " + " MICROSECONDS("$5")
		     " FROM mine m WHERE (l.store, l.runtime_version, l.name)"
		     " = (m.store, m.runtime_version, m.name)",
		     "ssssds", lease->store, lease->runtime_version, name, lease->owner,
		     lease->duration, lease->rester ? lease->rester : "");
	if (r == 0)
		r = link_run(link,
			     "INSERT INTO lease (store, runtime_version, name, owner, since, until)"
			     " SELECT $1, $2, $3, $4, " NOW ", " NOW " + " MICROSECONDS("$5")
			     " WHERE NOT EXISTS (SELECT FROM lease"
			     " WHERE store = $1 AND runtime_version = $2 AND name = $3)"
			     " ON CONFLICT (store, runtime_version, name) DO NOTHING",
			     "ssssd", lease->store, lease->runtime_version, name, lease->owner,
			     lease->duration);
	*ret = r > 0 ? CLAIM_MINE : CLAIM_TAKEN;
	return r < 0 ? r : 0;
}

static int compare_names(const void *a, const void *b, void *names)
{
	char *const *all = names;

	return strcmp(all[*(const size_t *)a], all[*(const size_t *)b]);
}

/* In the order of their names: two that claim the same ones must not wait for each other. */
static int claim(struct link *link, void *ctx)
{
	const struct lease_call *call = ctx;
	size_t *order = xcalloc(call->n, sizeof(*order));
	char *const *names = call->names;
	int r = 0;

	for (size_t i = 0; i < call->n; i++)
		order[i] = i;
	qsort_r(order, call->n, sizeof(*order), compare_names, (void *)(uintptr_t)names);
	for (size_t i = 0; !r && i < call->n; i++)
		r = claim_one(link, call->lease, names[order[i]], &call->claims[order[i]]);
	free(order);
	return r;
}

int postgresql_claim(struct db *base, const struct lease *lease, char *const *names, size_t n,
		     enum claim *ret)
{
	struct lease_call call = { .lease = lease, .names = names, .n = n, .claims = ret };

	return postgresql_call((struct postgresql *)base, CALL_WRITE, "write", claim, &call);
}

static int renew(struct link *link, void *ctx)
{
	const struct lease_call *call = ctx;
	int r = link_run(link,
			 "UPDATE lease SET since = least(since, " NOW "),"
			 " until = greatest(until, " NOW " + " MICROSECONDS("$2") ")"
			 " WHERE owner = $1",
			 "sd", call->lease->owner, call->lease->duration);

	return r < 0 ? r : 0;
}

int postgresql_renew(struct db *base, const struct lease *lease)
{
	struct lease_call call = { .lease = lease };

	return postgresql_call((struct postgresql *)base, CALL_ONE, "write", renew, &call);
}

static int let_go(struct link *link, const struct lease *lease, const char *name)
{
	if (lease->rester && lease->rest)
		return link_run(link,
				"UPDATE lease SET owner = $5, since = " NOW ","
				" until = " NOW " + " MICROSECONDS("$6")
				" WHERE store = $1 AND runtime_version = $2 AND name = $3"
				" AND owner = $4",
				"sssssd", lease->store, lease->runtime_version, name, lease->owner,
				lease->rester, lease->rest);
	return link_run(link,
			"DELETE FROM lease WHERE store = $1 AND runtime_version = $2 AND name = $3"
			" AND owner = $4",
			"ssss", lease->store, lease->runtime_version, name, lease->owner);
}

static int release_leases(struct link *link, void *ctx)
{
	const struct lease_call *call = ctx;
	const struct lease *lease = call->lease;
	int r = 0;

	if (!call->names)
		r = link_run(link, "DELETE FROM lease WHERE owner = $1", "s", lease->owner);
	for (size_t i = 0; call->names && r >= 0 && i < call->n; i++)
		r = let_go(link, lease, call->names[i]);
	return r < 0 ? r : 0;
}

int postgresql_release(struct db *base, const struct lease *lease, char *const *names, size_t n)
{
	struct lease_call call = { .lease = lease, .names = names, .n = n };

	return postgresql_call((struct postgresql *)base, CALL_WRITE, "write", release_leases,
			       &call);
}

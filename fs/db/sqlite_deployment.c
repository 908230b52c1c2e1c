/* SPDX-License-Identifier: BSD-3-Clause */
/* sqlite_deployment.c - hosts and their heartbeats, leases, and who keeps latest/. */
#include "sqlite.h"

#include <errno.h>
#include <time.h>

#include "log.h"
#include "memory.h"

#define POLL (50 * 1000LL) /* what a commit waits at most before it is seen; one cheap query */

static const char *text_of(sqlite3_stmt *stmt, int column)
{
	return (const char *)sqlite3_column_text(stmt, column);
}

/* Two base URLs would rewrite each other's latest/ for ever. */
static int refuse_other_base(struct sqlite *db, const struct deployment *host)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, OTHER_BASE, &stmt, "sss", host->runtime_version, host->host,
				host->base_url);

	if (!r)
		r = statement_step(db, stmt);
	if (r <= 0)
		return r;
	return fail(-EEXIST,
		    "the base URL %s is not that of host %s, which is live with %s (runtime version"
		    " %s): all deployments on a database have one",
		    host->base_url, text_of(stmt, 1), text_of(stmt, 2), text_of(stmt, 0));
}

int sqlite_beat(struct db *base, const struct deployment *host)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	r = refuse_other_base(db, host);
	if (!r)
		r = statement_run(db, KEEP_BEAT, "ssssi", host->runtime_version, host->host,
				  host->accepted, host->base_url, (int)host->shadow);
	if (!r)
		r = statement_run(db, FORGET_HOSTS, "d", -DEPLOYMENT_KEPT);
	if (!r)
		r = statement_run(db, FORGET_LEASES, "");
	return sqlite_leave(db, r);
}

static int call_for_host(sqlite3_stmt *stmt, deployment_fn *fn, void *ctx)
{
	int64_t age = sqlite3_column_int64(stmt, 6) * 1000;
	CLEANUP(deployment_release)
	struct deployment d = {
		.runtime_version = xstrdup(text_of(stmt, 0)),
		.host = xstrdup(text_of(stmt, 1)),
		.accepted = xstrdup(text_of(stmt, 2)),
		.base_url = xstrdup(text_of(stmt, 3)),
		.shadow = sqlite3_column_int(stmt, 4),
		.retired = sqlite3_column_int(stmt, 5),
		.age = age,
		.live = age < DEPLOYMENT_LIVE && age > -DEPLOYMENT_LIVE,
	};

	return fn(ctx, &d);
}

static int each_host(struct sqlite *db, deployment_fn *fn, void *ctx)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_DEPLOYMENTS, &stmt, "");

	while (!r && (r = statement_step(db, stmt)) > 0)
		r = call_for_host(stmt, fn, ctx);
	return r;
}

int sqlite_deployments(struct db *base, deployment_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = each_host(db, fn, ctx);
	pthread_mutex_unlock(&db->lock);
	return r;
}

int sqlite_retire(struct db *base, const char *runtime_version, bool retired)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	r = statement_run(db, RETIRE, "is", (int)retired, runtime_version);
	if (!r && !sqlite3_changes(db->handle))
		r = -ENOENT;
	return sqlite_leave(db, r);
}

int sqlite_hold(struct db *base, const char *runtime_version)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	r = statement_run(db, END_HOLD, "");
	if (!r && runtime_version)
		r = statement_run(db, BEGIN_HOLD, "s", runtime_version);
	return sqlite_leave(db, r);
}

static int read_hold(struct sqlite *db, char **ret_version, int64_t *ret_since)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int64_t since;
	int r = statement_start(db, READ_HOLD, &stmt, "");

	if (!r)
		r = statement_step(db, stmt);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if (clock_parse(text_of(stmt, 1), &since) < 0)
		return fail(-EINVAL, "latest_hold.since is no time: %s", text_of(stmt, 1));
	*ret_version = xstrdup(text_of(stmt, 0));
	*ret_since = since;
	return 0;
}

int sqlite_held(struct db *base, char **ret_version, int64_t *ret_since)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = read_hold(db, ret_version, ret_since);
	pthread_mutex_unlock(&db->lock);
	return r;
}

/* 1: in every prefix. */
static int is_done(struct sqlite *db, const struct lease *lease, const char *name)
{
	for (size_t i = 0; i < lease->n_prefixes; i++) {
		int r = statement_run(db, IS_DONE, "ssss", name, lease->store, lease->prefixes[i],
				      lease->renderer);

		if (r <= 0)
			return r;
	}
	return 1;
}

static int claim(struct sqlite *db, const struct lease *lease, const char *name, enum claim *ret)
{
	int r = lease->renderer ? is_done(db, lease, name) : 0;

	if (r > 0)
		*ret = CLAIM_DONE;
	if (r)
		return r < 0 ? r : 0;
	r = statement_run(db, CLAIM, "ssssds", lease->store, lease->runtime_version, name,
			  lease->owner, lease->duration, lease->rester ? lease->rester : "");
	*ret = sqlite3_changes(db->handle) ? CLAIM_MINE : CLAIM_TAKEN;
	return r;
}

int sqlite_claim(struct db *base, const struct lease *lease, char *const *names, size_t n,
		 enum claim *ret)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < n; i++)
		r = claim(db, lease, names[i], &ret[i]);
	return sqlite_leave(db, r);
}

int sqlite_renew(struct db *base, const struct lease *lease)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	r = statement_run(db, RENEW, "sd", lease->owner, lease->duration);
	return sqlite_leave(db, r);
}

static int let_go(struct sqlite *db, const struct lease *lease, const char *name)
{
	if (lease->rester && lease->rest)
		return statement_run(db, REST, "sdssss", lease->rester, lease->rest, lease->store,
				     lease->runtime_version, name, lease->owner);
	return statement_run(db, RELEASE, "ssss", lease->store, lease->runtime_version, name,
			     lease->owner);
}

int sqlite_release(struct db *base, const struct lease *lease, char *const *names, size_t n)
{
	struct sqlite *db = (struct sqlite *)base;
	int r = sqlite_enter(db, true);

	if (r < 0)
		return r;
	if (!names)
		r = statement_run(db, RELEASE_ALL, "s", lease->owner);
	for (size_t i = 0; names && !r && i < n; i++)
		r = let_go(db, lease, names[i]);
	return sqlite_leave(db, r);
}

int sqlite_wait(struct db *db, int64_t timeout, const atomic_bool *stop, uint64_t *seen)
{
	const struct timespec nap = { .tv_nsec = POLL * 1000 };
	int64_t until = clock_monotonic() + timeout;

	for (;;) {
		uint64_t now;
		int r = db_changed(db, &now);

		if (r < 0)
			return r;
		if (now != *seen) {
			*seen = now;
			return 1;
		}
		if ((stop && atomic_load(stop)) || clock_monotonic() >= until)
			return 0;
		nanosleep(&nap, NULL);
	}
}

static int each_renderer(struct sqlite *db, const char *store, renderer_fn *fn, void *ctx)
{
	CLEANUP(statement_done) sqlite3_stmt *stmt = NULL;
	int r = statement_start(db, READ_RENDERERS, &stmt, "s", store);

	while (!r && (r = statement_step(db, stmt)) > 0)
		r = fn(ctx, text_of(stmt, 0), text_of(stmt, 1));
	return r;
}

int sqlite_renderers(struct db *base, const char *store, renderer_fn *fn, void *ctx)
{
	struct sqlite *db = (struct sqlite *)base;
	int r;

	pthread_mutex_lock(&db->lock);
	r = each_renderer(db, store, fn, ctx);
	pthread_mutex_unlock(&db->lock);
	return r;
}

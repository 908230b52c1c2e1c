/* SPDX-License-Identifier: BSD-3-Clause */
/* db.c - opens a package database by its URL, and hands each call to its driver. */
#include "db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "log.h"
#include "memory.h"
#include "postgresql.h"
#include "sqlite.h"
#include "strbuf.h"

#define SCHEMA_NAME "pubfs" /* of PostgreSQL, unless another one is named */

static const struct {
	const char *kind, *scheme;
	int (*open)(const char *url, enum db_mode mode, const char *schema,
		    const atomic_bool *cancel, struct db **ret);
	void (*print_schema)(const char *schema, struct strbuf *out);
} drivers[] = {
	{ "sqlite", "sqlite:", sqlite_open, sqlite_print_schema },
#ifdef HAVE_POSTGRESQL
	{ "postgresql", "postgresql://", postgresql_open, postgresql_schema },
	{ "postgresql", "postgres://", postgresql_open, postgresql_schema },
#endif
};

#ifdef HAVE_POSTGRESQL
#define ALL_KINDS "sqlite:PATH or postgresql://HOST/DATABASE"
#else
#define ALL_KINDS "sqlite:PATH (this pubfs was built without PostgreSQL)"
#endif

bool db_is_url(const char *url)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strncmp(url, drivers[i].scheme, strlen(drivers[i].scheme)))
			return true;
	return false;
}

int db_open_in(const char *url, const char *schema, enum db_mode mode, const atomic_bool *cancel,
	       struct db **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strncmp(url, drivers[i].scheme, strlen(drivers[i].scheme)))
			return drivers[i].open(url, mode, schema ? schema : SCHEMA_NAME, cancel,
					       ret);
	/* what stands behind the kind may be a password */
	return fail(-EINVAL,
		    "%.*s is no database: write " ALL_KINDS, (int)strcspn(url, ":"), url);
}

int db_open(const char *url, enum db_mode mode, struct db **ret)
{
	return db_open_in(url, NULL, mode, NULL, ret);
}

int db_schema(const char *kind, const char *schema, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(kind, drivers[i].kind)) {
			drivers[i].print_schema(schema ? schema : SCHEMA_NAME, out);
			return 0;
		}
	return -ENOENT;
}

void db_close(struct db *db)
{
	if (db)
		db->ops->close(db);
}

int db_check(struct db *db, struct strbuf *out)
{
	if (db->ops->check)
		return db->ops->check(db, out);
	strbuf_addstr(out, "changes are noticed by triggers of pubfs");
	return 0;
}

int db_package(struct db *db, const char *name, struct package *ret)
{
	return db->ops->package(db, name, ret);
}

int db_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
	    const char *renderer, work_fn *fn, void *ctx)
{
	return db->ops->work(db, store, prefixes, n, renderer, fn, ctx);
}

int db_count(struct db *db, uint64_t *ret_packages)
{
	return db->ops->count(db, ret_packages);
}

int db_names(struct db *db, name_fn *fn, void *ctx)
{
	return db->ops->names(db, fn, ctx);
}

int db_record(struct db *db, const char *store, const struct export_record *records, size_t n)
{
	return db->ops->record(db, store, records, n);
}

int db_changed(struct db *db, uint64_t *ret)
{
	return db->ops->changed(db, ret);
}

int db_beat(struct db *db, const struct deployment *host)
{
	return db->ops->beat(db, host);
}

int db_deployments(struct db *db, deployment_fn *fn, void *ctx)
{
	return db->ops->deployments(db, fn, ctx);
}

int db_retire(struct db *db, const char *runtime_version, bool retired)
{
	return db->ops->retire(db, runtime_version, retired);
}

int db_hold(struct db *db, const char *runtime_version)
{
	return db->ops->hold(db, runtime_version);
}

int db_held(struct db *db, char **ret_version, int64_t *ret_since)
{
	return db->ops->held(db, ret_version, ret_since);
}

int db_claim(struct db *db, const struct lease *lease, char *const *names, size_t n,
	     enum claim *ret)
{
	return db->ops->claim(db, lease, names, n, ret);
}

int db_renew(struct db *db, const struct lease *lease)
{
	return db->ops->renew(db, lease);
}

int db_release(struct db *db, const struct lease *lease, char *const *names, size_t n)
{
	return db->ops->release(db, lease, names, n);
}

int db_wait(struct db *db, int64_t timeout, const atomic_bool *stop, uint64_t *seen)
{
	return db->ops->wait(db, timeout, stop, seen);
}

int db_scan(struct db *db, int64_t window, uint64_t *ret_found)
{
	*ret_found = 0;
	return db->ops->scan ? db->ops->scan(db, window, ret_found) : 0;
}

int db_renderers(struct db *db, const char *store, renderer_fn *fn, void *ctx)
{
	return db->ops->renderers(db, store, fn, ctx);
}

int db_begin(struct db *db)
{
	return db->ops->begin(db);
}

int db_commit(struct db *db)
{
	return db->ops->commit(db);
}

void db_rollback(struct db *db)
{
	db->ops->rollback(db);
}

int db_version(struct db *db, const char *package, const char *version, struct package_version *ret)
{
	return db->ops->version(db, package, version, ret);
}

int db_put_version(struct db *db, const char *package, const struct package_version *v,
		   bool replace)
{
	return db->ops->put_version(db, package, v, replace);
}

int db_state(struct db *db, const char *store, const char *prefix, const char *package,
	     struct export_state *ret)
{
	return db->ops->state(db, store, prefix, package, ret);
}

int db_newest(struct db *db, size_t n, newest_fn *fn, void *ctx)
{
	return db->ops->newest(db, n, fn, ctx);
}

int db_ranked(struct db *db, ranked_fn *fn, void *ctx)
{
	return db->ops->ranked(db, fn, ctx);
}

int db_versions(struct db *db, char *const *names, size_t n, versions_fn *fn, void *ctx)
{
	return db->ops->versions(db, names, n, fn, ctx);
}

int db_set(struct db *db, const char *package, const char *version, const struct db_value *values,
	   size_t n)
{
	return db->ops->set(db, package, version, values, n);
}

int db_purge(struct db *db, const char *package, const char *version)
{
	return db->ops->purge(db, package, version);
}

int db_advisory(struct db *db, const char *id, struct advisory *ret)
{
	return db->ops->advisory(db, id, ret);
}

int db_put_advisory(struct db *db, const struct advisory *a, char *const *packages, size_t n)
{
	return db->ops->put_advisory(db, a, packages, n);
}

int db_remove_advisory(struct db *db, const char *id)
{
	return db->ops->remove_advisory(db, id);
}

void export_state_release(struct export_state *state)
{
	free(state->change);
	free(state->renderer);
	free(state->last_error);
	*state = (struct export_state){ 0 };
}

char *export_state_key(const char *prefix, const char *runtime_version)
{
	if (!runtime_version || strcmp(prefix, "latest") != 0)
		return xstrdup(prefix);
	return xasprintf("%s/%s", prefix, runtime_version);
}

void deployment_release(struct deployment *d)
{
	free(d->runtime_version);
	free(d->host);
	free(d->accepted);
	free(d->base_url);
	*d = (struct deployment){ .age = 0 };
}

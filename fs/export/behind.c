/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * behind.c - what other hosts have changed of a package since the index of this one looked.
 *
 * An event pass lists nothing, and takes for there, and the same, what the index says. Where that
 * is not what was recorded when a package was exported last, another host has been at it: the
 * bucket is asked for its documents, and then for the archives of which the listing says nothing,
 * since it does not name their versions, or is not to do so any more. Keys are asked for side by
 * side.
 */
#include "behind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "memory.h"
#include "names.h"
#include "pass.h"
#include "pool.h"
#include "render.h"
#include "store.h"
#include "stored_body.h"
#include "strbuf.h"
#include "version.h"

#define SIDE_BY_SIDE 16

struct question {
	struct store *store;
	const char *key;
	int answer;
};

static void ask(void *ctx)
{
	struct question *q = ctx;

	q->answer = store_refresh(q->store, q->key, 0);
}

static int ask_all(const struct pass *pass, const struct names *keys)
{
	struct question *questions = xcalloc(keys->n + 1, sizeof(*questions));
	unsigned threads = pass->opt->jobs < SIDE_BY_SIDE ? pass->opt->jobs : SIDE_BY_SIDE;
	struct pool *pool = NULL;
	int r = threads > 1 && keys->n > 1 ? pool_new(threads, &pool) : 0;

	for (size_t i = 0; i < keys->n && !r; i++) {
		questions[i] = (struct question){ pass->opt->store, keys->names[i], 0 };
		if (pool)
			pool_run(pool, ask, &questions[i]);
		else
			ask(&questions[i]);
	}
	pool_free(pool);
	for (size_t i = 0; i < keys->n && !r; i++)
		r = questions[i].answer;
	free(questions);
	return r;
}

static void add_documents(const char *prefix, const char *package, struct names *ret)
{
	for (size_t i = 0; i < n_package_documents; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(DOCUMENT_MAX);

		package_documents[i].key(prefix, package, &key);
		names_add(ret, key.buf);
	}
}

/* The versions that the listing in a prefix names; none where there is none that can be read. */
static int read_listing(const struct pass *pass, const char *prefix, const char *package,
			struct names *ret)
{
	CLEANUP(free_char) char *key = xasprintf("%s/api/packages/%s", prefix, package);
	CLEANUP(object_release) struct object obj;
	int r;

	object_init(&obj);
	r = store_stat(pass->opt->store, key, &obj);
	if (!r)
		r = stored_versions(pass->opt->store, &obj, ret);
	return r == -ENOENT ? 0 : r;
}

static void add_archives(const struct package *pkg, const char *prefix, const struct names *listed,
			 struct names *ret)
{
	for (size_t i = 0; i < pkg->n_versions; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(DOCUMENT_MAX);
		const struct package_version *v = &pkg->versions[i];

		if ((package_is_visible(pkg) && package_version_is_visible(v) &&
		     names_have(listed, v->version)) ||
		    !version_is_canonical(v->version, strlen(v->version)))
			continue;
		archive_key(prefix, pkg->name, v->version, &key);
		names_add(ret, key.buf);
	}
}

static int look(const struct pass *pass, const struct package *pkg)
{
	CLEANUP(names_release) struct names documents = { 0 }, archives = { 0 };
	int r;

	for (size_t k = 0; k < pass->n_prefixes; k++)
		add_documents(pass->prefixes[k], pkg->name, &documents);
	r = ask_all(pass, &documents);
	for (size_t k = 0; k < pass->n_prefixes && !r; k++) {
		CLEANUP(names_release) struct names listed = { 0 };

		r = read_listing(pass, pass->prefixes[k], pkg->name, &listed);
		if (!r)
			add_archives(pkg, pass->prefixes[k], &listed, &archives);
	}
	return r < 0 ? r : ask_all(pass, &archives);
}

void behind_look(struct pass *pass, char *const *names, size_t n)
{
	for (size_t i = 0; i < n && !pass_stopping(pass); i++) {
		CLEANUP(package_release) struct package pkg;
		int r;

		package_init(&pkg);
		/* of one that cannot be read, or is gone, nothing will be changed */
		r = db_package(pass->opt->db, names[i], &pkg) ? 0 : look(pass, &pkg);
		if (r < 0) {
			CLEANUP(free_char)
			char *why = xasprintf("%s: the bucket cannot be asked what another host "
					      "has left of it",
					      names[i]);

			pass_leave_unweighed(pass, names[i], why);
		}
	}
}

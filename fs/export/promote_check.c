/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * promote_check.c - whether a prefix is one that latest/ may be made equal to.
 *
 * Of each package that differs: its documents are there; the archives that its listing names are
 * there, if there are any; it shows nothing that the database has taken down, and has all that
 * latest/ has and the database shows. Packages are looked at side by side; check.lock guards what
 * they found.
 */
#include "promote_check.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "package.h"
#include "path.h"
#include "pool.h"
#include "render.h"
#include "store.h"
#include "stored_body.h"
#include "strbuf.h"
#include "survey.h"

#define TEXT_MAX ((size_t)1 << 10)

struct check {
	const struct promote_options *opt;
	pthread_mutex_t lock;
	struct names *missing;
	int error; /* the first */
};

/* One package, with all that is known of it. */
struct candidate {
	struct check *check;
	const char *name;
	struct package pkg;
	bool has_row;
	struct survey have, latest;
	const struct object *listing; /* in the prefix; NULL: none */
};

static void complain(const struct candidate *c, const char *fmt, ...) PRINTF(2, 3);
static void complain(const struct candidate *c, const char *fmt, ...)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	va_list ap;

	strbuf_addf(&text, "%s: ", c->name);
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&c->check->lock);
	names_add(c->check->missing, text.buf);
	pthread_mutex_unlock(&c->check->lock);
}

static const struct object *document_of(const struct survey *survey, enum kind kind)
{
	for (size_t i = 0; i < survey->n; i++) {
		struct object_name name;

		if (catalog_match(survey->objects[i].key, &name) == kind)
			return &survey->objects[i];
	}
	return NULL;
}

/* 1: the canonical store has it; 0: it has not. */
static int is_canonical(const struct candidate *c, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	CLEANUP(object_release) struct object obj;
	int r;

	object_init(&obj);
	archive_canonical_key(c->name, version, &key);
	r = store_stat(c->check->opt->archives, key.buf, &obj);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int check_version(const struct candidate *c, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	const struct package_version *row =
		package_find_version(&c->pkg, version, strlen(version));
	int r;

	if (row && !package_version_is_visible(row))
		complain(c, "its listing shows %s, which was taken down", version);
	archive_key(c->check->opt->version, c->name, version, &key);
	if (survey_find(&c->have, key.buf))
		return 0;
	r = is_canonical(c, version);
	if (r > 0)
		complain(c, "its listing names %s, whose archive is not there", version);
	return r < 0 ? r : 0;
}

static int check_listing(const struct candidate *c)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json document, versions, version, value;
	struct json_iter it;
	int r = stored_load(c->check->opt->store, c->listing, &text);

	if (r < 0 && r != -EBADMSG)
		return r == -ESTALE ? fail(-EIO, "%s was changed meanwhile", c->listing->key) : r;
	if (r < 0 || json_parse(text.buf, text.len, &document, NULL) < 0 ||
	    !json_member(document, "versions", &versions)) {
		complain(c, "its listing cannot be read");
		return 0;
	}
	it = json_iterate(versions);
	for (r = 0; !r && json_next(&it, NULL, &version);) {
		CLEANUP(strbuf_release) struct strbuf name = STRBUF_INIT(TEXT_MAX);

		if (!json_member(version, "version", &value) || value.type != JSON_STRING)
			continue;
		json_decode(value, &name);
		r = check_version(c, name.buf);
	}
	return r;
}

/* What latest/ has and the database shows would be gone. */
static void check_lost(const struct candidate *c)
{
	if (!c->has_row || !package_is_visible(&c->pkg))
		return;
	if (!c->listing && document_of(&c->latest, KIND_LISTING))
		complain(c, "latest/ and the database have it, and the prefix has not");
	for (size_t i = 0; i < c->latest.n; i++) {
		CLEANUP(free_char) char *key = NULL;
		const struct package_version *row;
		struct object_name name;

		if (catalog_match(c->latest.objects[i].key, &name) != KIND_ARCHIVE)
			continue;
		key = xasprintf("%s%s", c->check->opt->version,
				c->latest.objects[i].key + strlen("latest"));
		row = package_find_version(&c->pkg, name.version.text, name.version.len);
		if (row && package_version_is_visible(row) && !survey_find(&c->have, key))
			complain(c, "latest/ and the database have the archive of %s, and the "
				    "prefix has not",
				 row->version);
	}
}

static int check_candidate(struct candidate *c)
{
	const struct promote_options *opt = c->check->opt;
	int r = db_package(opt->db, c->name, &c->pkg);

	c->has_row = !r;
	if (r == -ENOENT)
		r = 0;
	if (!r)
		r = survey_prefix(opt->store, opt->version, c->name, &c->have);
	if (!r)
		r = survey_prefix(opt->store, "latest", c->name, &c->latest);
	if (r < 0)
		return r;
	c->listing = document_of(&c->have, KIND_LISTING);
	check_lost(c);
	if (!c->have.n)
		return 0;
	if (c->has_row && !package_is_visible(&c->pkg)) {
		complain(c, "it was taken down, and is still there");
		return 0;
	}
	if (!c->listing)
		complain(c, "its listing is not there");
	else if (!document_of(&c->have, KIND_ADVISORIES))
		complain(c, "its advisories are not there");
	return c->listing ? check_listing(c) : 0;
}

static void candidate_run(void *ctx)
{
	struct candidate *c = ctx;
	struct check *check = c->check;
	int r;

	package_init(&c->pkg);
	survey_init(&c->have);
	survey_init(&c->latest);
	r = check_candidate(c);
	if (r < 0) {
		pthread_mutex_lock(&check->lock);
		check->error = check->error ? check->error : r;
		pthread_mutex_unlock(&check->lock);
	}
	package_release(&c->pkg);
	survey_release(&c->have);
	survey_release(&c->latest);
	free(c);
}

int promote_check(const struct promote_options *options, const struct names *packages,
		  struct names *ret_missing)
{
	struct check check = { .opt = options, .missing = ret_missing };
	struct pool *pool;
	int r = pool_new(options->jobs ? options->jobs : 1, &pool);

	if (r < 0)
		return r;
	pthread_mutex_init(&check.lock, NULL);
	for (size_t i = 0; i < packages->n; i++) {
		struct candidate *c = xcalloc(1, sizeof(*c));

		c->check = &check;
		c->name = packages->names[i];
		pool_run(pool, candidate_run, c);
	}
	pool_free(pool);
	pthread_mutex_destroy(&check.lock);
	names_sort(ret_missing);
	return check.error;
}

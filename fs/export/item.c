/* SPDX-License-Identifier: BSD-3-Clause */
/* item.c - one package on its way through an export: what it should be, and what changes. */
#include "item.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "log.h"
#include "memory.h"

#define VERSION_BYTES ((size_t)3 << 10) /* of its archives, plans and edits */
#define TEXT_COPIES   3			/* the row, the document, the compressed document */

static void target_clear(struct target *t)
{
	survey_release(&t->have);
	plan_release(&t->plan);
	free(t->error);
	*t = (struct target){ .prefix = t->prefix };
}

void item_clear(struct item *item)
{
	package_release(&item->pkg);
	package_init(&item->pkg);
	releases_release(&item->releases);
	item->releases = (struct release_list){ 0 };
	survey_release(&item->canonical);
	for (size_t i = 0; i < n_package_documents; i++)
		strbuf_release(&item->documents[i]);
	for (size_t i = 0; i < PREFIXES_MAX; i++)
		target_clear(&item->targets[i]);
}

void item_init(const struct pass *pass, struct item *item, const char *name)
{
	assert(n_package_documents <= DOCUMENTS_MAX);
	*item = (struct item){ .name = name };
	package_init(&item->pkg);
	for (size_t i = 0; i < n_package_documents; i++)
		strbuf_init(&item->documents[i], DOCUMENT_MAX);
	for (size_t i = 0; i < pass->n_prefixes; i++)
		item->targets[i].prefix = pass->prefixes[i];
}

void target_fail(struct target *t, int r)
{
	const char *cause = log_last_failure();

	free(t->error);
	t->error = xstrdup(*cause ? cause : strerror(-r));
}

static void item_fail(const struct pass *pass, struct item *item, int r)
{
	for (size_t i = 0; i < pass->n_prefixes; i++)
		target_fail(&item->targets[i], r);
}

size_t item_bytes(const struct item *item)
{
	const struct package *pkg = &item->pkg;
	size_t bytes = pkg->n_versions * VERSION_BYTES;

	for (size_t i = 0; i < pkg->n_versions; i++)
		bytes += TEXT_COPIES * pkg->versions[i].pubspec_len;
	for (size_t i = 0; i < pkg->n_advisories; i++)
		bytes += TEXT_COPIES * pkg->advisories[i].osv_len;
	return bytes;
}

void item_read(const struct pass *pass, struct item *item)
{
	int r = db_package(pass->opt->db, item->name, &item->pkg);

	if (r == -ENOENT)
		item->gone = true; /* its `change` moved, so the next pass sees it */
	else if (r < 0)
		item_fail(pass, item, r);
}

static int item_render(const struct pass *pass, struct item *item)
{
	const struct rendering *how = &pass->opt->rendering;
	int r;

	if (!package_is_visible(&item->pkg))
		return 0;
	r = releases_select(&item->pkg, how, &item->releases);
	if (r < 0 || !item->releases.n)
		return r;
	for (size_t i = 0; i < n_package_documents; i++) {
		const struct document *doc = &package_documents[i];

		r = doc->body(&item->pkg, &item->releases, how, &item->documents[i]);
		if (r == -E2BIG)
			return fail(r, "the %s of %s would be too large", doc->name, item->name);
		if (r < 0)
			return r;
		item->bodies[i] = body_of_strbuf(&item->documents[i]);
	}
	return 0;
}

static int target_plan(const struct pass *pass, struct item *item, struct target *t)
{
	int r = survey_prefix(pass->opt->store, t->prefix, item->name, &t->have);

	if (r < 0)
		return r;
	return plan_make(&item->pkg, &item->releases, t->prefix, &t->have, &item->canonical,
			 &t->plan);
}

void item_prepare(const struct pass *pass, struct item *item)
{
	int r;

	if (item->gone || item->targets[0].error)
		return;
	r = item_render(pass, item);
	if (!r)
		r = survey_archives(pass->opt->archives, item->name, &item->canonical);
	if (r < 0) {
		item_fail(pass, item, r);
		return;
	}
	for (size_t i = 0; i < pass->n_prefixes; i++) {
		r = target_plan(pass, item, &item->targets[i]);
		if (r < 0)
			target_fail(&item->targets[i], r);
	}
}

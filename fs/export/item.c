/* SPDX-License-Identifier: BSD-3-Clause */
/* item.c - one package on its way through an export: what it should be, and what changes. */
#include "item.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "contested.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "path.h"
#include "suspects.h"

#define VERSION_BYTES ((size_t)3 << 10) /* of its archives, plans and edits */
#define LOOKS_MAX     8 /* newest versions, so that one without any archives stays cheap */
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
	free(item->unlistable);
	item->unlistable = NULL;
}

void item_release(struct item *item)
{
	item_clear(item);
	for (size_t i = 0; i < item->n_bars; i++) {
		free(item->bars[i].version);
		free(item->bars[i].why);
	}
	free(item->bars);
	free(item->refused);
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

void item_fail(const struct pass *pass, struct item *item, int r)
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
	int r;

	item->read_at = clock_monotonic();
	r = db_package(pass->opt->db, item->name, &item->pkg);
	if (r == -ENOENT)
		item->gone = true; /* its `change` moved, so the next pass sees it */
	else if (r < 0)
		item_fail(pass, item, r);
}

void item_bar(struct item *item, const char *version, const char *why)
{
	GROW(item->bars, item->n_bars, item->bars_alloc);
	item->bars[item->n_bars++] = (struct bar){ xstrdup(version), xstrdup(why) };
}

bool item_has_bar(const struct item *item, const char *version)
{
	for (size_t i = 0; i < item->n_bars; i++)
		if (!strcmp(item->bars[i].version, version))
			return true;
	return false;
}

/* An archive that is in the prefix, and not known to be another than its row says. */
static bool target_serves(const struct target *t, const char *package,
			  const struct package_version *row)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	unsigned char expected[SHA256_SIZE];
	const struct object *there;

	archive_key(t->prefix, package, row->version, &key);
	there = survey_find(&t->have, key.buf);
	if (!there || there->gzip)
		return false;
	return !row->archive_sha256 || hex_decode(row->archive_sha256, expected, SHA256_SIZE) < 0 ||
	       !there->has_sha256 || !memcmp(there->sha256, expected, SHA256_SIZE);
}

static void apply_bars(const struct pass *pass, struct item *item)
{
	for (size_t b = 0; b < item->n_bars; b++)
		for (size_t i = 0; i < item->pkg.n_versions; i++) {
			struct package_version *row = &item->pkg.versions[i];

			if (strcmp(row->version, item->bars[b].version) != 0)
				continue;
			row->barred = xstrdup(item->bars[b].why);
			for (size_t k = 0; k < pass->n_prefixes; k++)
				if (!target_serves(&item->targets[k], item->name, row))
					row->unservable = true;
		}
}

static int item_render(const struct pass *pass, struct item *item)
{
	const struct rendering *how = &pass->opt->rendering;
	int r;

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

/* The versions and documents of a visible package. What cannot be rendered, or no client could
 * read, keeps its documents, and what is taken down goes all the same. */
static int item_list(const struct pass *pass, struct item *item)
{
	int r;

	if (!package_is_visible(&item->pkg))
		return 0;
	r = releases_select(&item->pkg, &pass->opt->rendering, &item->releases);
	if (r < 0 || !item->releases.n)
		return r;
	item->unlistable = xstrdup_or_null(item->refused);
	r = item->refused ? 0 : item_render(pass, item);
	if (r == -EINVAL || r == -E2BIG) {
		item->unlistable = xstrdup(log_last_failure());
		r = 0;
	}
	return r;
}

static int newest_first(const void *a, const void *b)
{
	const struct package_version *x = *(const struct package_version *const *)a;
	const struct package_version *y = *(const struct package_version *const *)b;

	return (x->created < y->created) - (x->created > y->created);
}

/* The visible versions whose archive is not known. */
static size_t without_archive(const struct item *item, const struct package_version **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < item->pkg.n_versions; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
		const struct package_version *v = &item->pkg.versions[i];

		archive_canonical_key(item->name, v->version, &key);
		if (package_version_is_visible(v) && !survey_find(&item->canonical, key.buf))
			ret[n++] = v;
	}
	return n;
}

/* Another program, or another host, may have put them there since the archives were listed. */
static int look_for_archives(const struct pass *pass, struct item *item)
{
	const struct package_version **rows =
		xcalloc(item->pkg.n_versions + 1, sizeof(const struct package_version *));
	size_t n = without_archive(item, rows);
	int r = 0;

	qsort(rows, n, sizeof(const struct package_version *), newest_first);
	for (size_t i = 0; !r && i < n && i < LOOKS_MAX; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);

		archive_canonical_key(item->name, rows[i]->version, &key);
		r = store_refresh(pass->opt->archives, key.buf, 0);
	}
	free(rows);
	if (r < 0 || !n)
		return r;
	survey_release(&item->canonical);
	return survey_archives(pass->opt->archives, item->name, &item->canonical);
}

static int item_survey(const struct pass *pass, struct item *item)
{
	int r = survey_archives(pass->opt->archives, item->name, &item->canonical);

	if (!r && !pass->refresh && !pass->opt->verifier) /* they were not listed for this pass */
		r = look_for_archives(pass, item);
	for (size_t i = 0; !r && i < pass->n_prefixes; i++)
		r = survey_prefix(pass->opt->store, item->targets[i].prefix, item->name,
				  &item->targets[i].have);
	return r;
}

static void apply_brake(const struct pass *pass, struct item *item, size_t k)
{
	struct target *t = &item->targets[k];

	t->held_whole = names_have(&pass->held_whole[k], item->name);
	t->held = t->held_whole || names_have(&pass->held[k], item->name);
	if (pass->opt->dry_run)
		return; /* it shows what is held */
	if (t->held_whole)
		plan_release(&t->plan);
	else if (t->held)
		plan_keep_removals(&t->plan);
}

/* Whether it would change what is there, as far as metadata tell. */
static bool step_matters(const struct item *item, const struct step *step)
{
	unsigned char digest[SHA256_SIZE];
	const struct body *body;

	if (step->kind == STEP_REMOVE || step->kind == STEP_MARK)
		return false;
	if (step->kind == STEP_COPY || !step->have || !step->have->has_sha256)
		return !step->have;
	body = &item->bodies[step->document];
	sha256(body->buf, body->size, digest);
	return memcmp(digest, step->have->sha256, SHA256_SIZE) != 0;
}

/* What belongs to one package is of one deployment, so that its listing and its advisories are. */
static int leave_to_others(struct pass *pass, struct item *item, size_t k)
{
	struct target *t = &item->targets[k];
	int r = pass_is_latest(pass, k) ? pass_leaves(pass, t->have.objects, t->have.n) : 0;

	if (r <= 0)
		return r;
	for (size_t i = 0; i < t->plan.n && !t->left; i++)
		t->left = step_matters(item, &t->plan.steps[i]);
	plan_keep_removals(&t->plan);
	return 0;
}

static void force_suspects(const struct pass *pass, struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct step *step = &plan->steps[i];

		if (step->kind == STEP_REMOVE || !step->have ||
		    !suspects_have(&pass->suspects, step->have))
			continue;
		step->force = true;
		step->why = SUSPECT_WHY;
	}
}

void item_prepare(struct pass *pass, struct item *item)
{
	int r;

	if (item->gone || item->targets[0].error)
		return;
	r = item_survey(pass, item);
	if (!r) {
		apply_bars(pass, item);
		r = item_list(pass, item);
	}
	if (r < 0) {
		item_fail(pass, item, r);
		return;
	}
	for (size_t i = 0; i < pass->n_prefixes; i++) {
		struct target *t = &item->targets[i];

		r = plan_make(&item->pkg, item->unlistable ? NULL : &item->releases, t->prefix,
			      &t->have, &item->canonical, &t->plan);
		if (!r)
			r = leave_to_others(pass, item, i);
		if (r < 0)
			target_fail(t, r);
		force_suspects(pass, &t->plan);
		t->foreign = !r && contested_is_foreign(pass, i, t);
		if (!r)
			apply_brake(pass, item, i);
	}
}

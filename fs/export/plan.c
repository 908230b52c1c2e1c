/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c - what the export of one package changes in one prefix (spec, sections 11 and 20).
 *
 * The order of the steps (order.h) is what keeps a prefix servable at every instant:
 *	export	   archives, advisories, listing | the other documents | archives taken down
 *	take-down  the other documents | listing, advisories, archives
 * so that no listing names an archive that is gone, nor advisories that are not there yet. A step
 * that fails ends the plan; what was done so far is sound, and the next pass goes on from there.
 * Between the bars a new stage begins. The other documents stand apart: they go side by side, and
 * none of them ends anything but itself.
 */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "log.h"
#include "memory.h"
#include "order.h"
#include "path.h"
#include "strbuf.h"
#include "survey.h"

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		free(plan->steps[i].key);
	free(plan->steps);
	*plan = (struct plan){ 0 };
}

void plan_keep_removals(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == STEP_REMOVE)
			plan->steps[kept++] = plan->steps[i];
		else
			free(plan->steps[i].key);
	plan->n = kept;
}

/* Of an export. A take-down begins with what stands apart, and then goes on to the rest. */
enum stage { STAGE_MAIN, STAGE_APART, STAGE_REMOVALS };

static struct step *add_step(struct plan *plan, enum step_kind kind, const char *key,
			     const struct object *have, const char *why)
{
	struct step *step;

	GROW(plan->steps, plan->n, plan->alloc);
	step = &plan->steps[plan->n++];
	*step = (struct step){ .kind = kind, .key = xstrdup(key), .have = have, .why = why };
	return step;
}

static int plan_archives(const struct package *pkg, const struct release_list *releases,
			 const char *prefix, const struct survey *have,
			 const struct survey *canonical, struct plan *plan)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	CLEANUP(strbuf_release) struct strbuf source_key = STRBUF_INIT(KEY_MAX);

	for (size_t i = 0; i < releases->n; i++) {
		const struct package_version *v = releases->versions[i];
		const struct object *source, *there;
		struct step *step;

		strbuf_reset(&key);
		strbuf_reset(&source_key);
		archive_key(prefix, pkg->name, v->version, &key);
		archive_canonical_key(pkg->name, v->version, &source_key);
		if (strbuf_error(&key) < 0 || strbuf_error(&source_key) < 0)
			return fail(-E2BIG, "a version of %s is too long for a key", pkg->name);
		source = survey_find(canonical, source_key.buf);
		if (!source && !plan->no_archive++)
			plan->first_without = v->version;
		if (!source || v->barred)
			continue;
		there = survey_find(have, key.buf);
		step = add_step(plan, STEP_COPY, key.buf, there,
				there ? "the archive differs" : "the archive is new");
		step->source = source;
		step->version = v->version;
		step->sha256 = v->archive_sha256 && *v->archive_sha256 ? v->archive_sha256 : NULL;
	}
	return 0;
}

static int plan_documents(const struct package *pkg, const char *prefix, const struct survey *have,
			  struct plan *plan)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);

	for (size_t i = 0; i < n_package_documents; i++) {
		const struct object *there;
		struct step *step;

		strbuf_reset(&key);
		package_documents[i].key(prefix, pkg->name, &key);
		if (strbuf_error(&key) < 0)
			return fail(-E2BIG, "the name %s is too long for a key", pkg->name);
		there = survey_find(have, key.buf);
		step = add_step(plan, STEP_WRITE, key.buf, there,
				there ? "the package changed" : "the package is new");
		step->document = i;
		step->apart = order_of(key.buf) == ORDER_REST;
		step->stage = step->apart ? STAGE_APART : STAGE_MAIN;
	}
	return 0;
}

static int by_version(const void *a, const void *b)
{
	return strcmp((*(const struct package_version *const *)a)->version,
		      (*(const struct package_version *const *)b)->version);
}

/* All rows of a package, to be found by their text. */
struct row_index {
	const struct package_version **rows;
	size_t n;
};

static void row_index_init(const struct package *pkg, struct row_index *ret)
{
	ret->n = pkg->n_versions;
	ret->rows = xcalloc(ret->n ? ret->n : 1, sizeof(const struct package_version *));
	for (size_t i = 0; i < ret->n; i++)
		ret->rows[i] = &pkg->versions[i];
	qsort(ret->rows, ret->n, sizeof(const struct package_version *), by_version);
}

static const struct package_version *row_find(const struct row_index *index, struct name_part text)
{
	CLEANUP(free_char) char *version = xstrndup(text.text, text.len);
	const struct package_version wanted = { .version = version }, *key = &wanted;
	const struct package_version **found = bsearch(
		&key, index->rows, index->n, sizeof(const struct package_version *), by_version);

	return found ? *found : NULL;
}

/* An archive goes when its row says so, and never because there is no row. */
static void plan_removals(const struct package *pkg, const struct survey *have, struct plan *plan)
{
	struct row_index index;

	row_index_init(pkg, &index);
	for (size_t i = 0; i < have->n; i++) {
		const struct object *obj = &have->objects[i];
		const struct package_version *row;
		struct object_name name;

		if (catalog_match(obj->key, &name) != KIND_ARCHIVE)
			continue;
		row = row_find(&index, name.version);
		if (!row)
			plan->garbage++;
		else if (row->moderated || row->deleted)
			add_step(plan, STEP_REMOVE, obj->key, obj,
				 row->moderated ? "the version is moderated"
						: "the version is deleted")
				->stage = STAGE_REMOVALS;
	}
	free(index.rows);
}

static const char *take_down_reason(const struct package *pkg)
{
	return pkg->moderated ? "the package is moderated"
	       : pkg->deleted ? "the package is deleted"
			      : "every version is moderated or deleted";
}

static void plan_take_down(const struct package *pkg, const struct survey *have, struct plan *plan)
{
	for (int order = ORDER_REST; order >= ORDER_ARCHIVES; order--)
		for (size_t i = 0; i < have->n; i++) {
			const struct object *obj = &have->objects[i];
			struct object_name name;
			struct step *step;

			if (catalog_match(obj->key, &name) == KIND_NONE ||
			    (int)order_of(obj->key) != order)
				continue;
			step = add_step(plan, STEP_REMOVE, obj->key, obj, take_down_reason(pkg));
			step->apart = order == ORDER_REST;
			step->stage = order != ORDER_REST;
		}
}

/* Documents that stay as they are are no less a restored database's. */
static void plan_marks(const struct package *pkg, const struct survey *have, struct plan *plan)
{
	for (size_t i = 0; i < have->n; i++) {
		const struct object *obj = &have->objects[i];
		struct object_name name;
		enum kind kind = catalog_match(obj->key, &name);

		if (kind != KIND_NONE && kind != KIND_ARCHIVE &&
		    change_is_foreign(obj->change, pkg->change))
			add_step(plan, STEP_MARK, obj->key, obj, "the database was restored")
				->apart = true;
	}
}

static enum plan_verdict plan_judge(const struct package *pkg, const struct release_list *releases)
{
	if (!package_is_visible(pkg))
		return PLAN_TAKE_DOWN;
	if (!releases)
		return PLAN_UNUSABLE;
	if (!releases->n_rows)
		return PLAN_NO_ROWS;
	if (!releases->n_visible)
		return PLAN_TAKE_DOWN;
	return releases->n ? PLAN_EXPORT : PLAN_UNUSABLE;
}

int plan_make(const struct package *pkg, const struct release_list *releases, const char *prefix,
	      const struct survey *have, const struct survey *canonical, struct plan *ret)
{
	CLEANUP(plan_release) struct plan plan = { .verdict = plan_judge(pkg, releases) };
	int r;

	if (plan.verdict == PLAN_EXPORT) {
		r = plan_archives(pkg, releases, prefix, have, canonical, &plan);
		if (r < 0)
			return r;
		r = plan_documents(pkg, prefix, have, &plan);
		if (r < 0)
			return r;
		plan_removals(pkg, have, &plan);
	} else if (plan.verdict == PLAN_TAKE_DOWN) {
		plan_take_down(pkg, have, &plan);
	} else {
		plan_marks(pkg, have, &plan);
		if (plan.verdict == PLAN_UNUSABLE) /* what is taken down goes all the same */
			plan_removals(pkg, have, &plan);
	}
	*ret = plan;
	plan = (struct plan){ 0 };
	return 0;
}

/* `<n>-<16 hex digits>`; anything else, such as `hand`, is no number of a database. */
static bool change_parse(const char *text, uint64_t *ret_n, const char **ret_digits)
{
	unsigned char digits[8];
	char *end;

	if (!text || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_n = strtoull(text, &end, 10);
	*ret_digits = end;
	return !errno && *end == '-' && !hex_decode(end + 1, digits, sizeof(digits));
}

bool change_is_foreign(const char *mark, const char *change)
{
	const char *digits, *our_digits;
	uint64_t n, ours;

	if (!change_parse(mark, &n, &digits) || !change_parse(change, &ours, &our_digits))
		return false;
	return n > ours || (n == ours && strcmp(digits, our_digits) != 0);
}

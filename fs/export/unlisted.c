/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unlisted.c - what is there, but in no listing, and comes into one.
 *
 * A collection removes what has no row, on the generation and metadata that it has seen, and asks
 * for the row just before. If the row comes back behind that, and an export finds the object there
 * and as it should be, it would list what is gone a moment later; and an index that is older than
 * the removal would have it list what is gone already. So it says first that the object is needed:
 * it renews its mark. Either the collection has lost the race then, or it was first, and what is
 * gone is written anew. That is the store's to decide, and no host has to know of another.
 *
 * What may be removed is an archive that the listing does not name; all that is there without a
 * listing; and of a package whose row had been gone everything, its listing, too. An object that
 * has the mark of this change was written when the row was back.
 */
#include "unlisted.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "item.h"
#include "log.h"
#include "names.h"
#include "object.h"
#include "stored_body.h"

#define WHY "it is listed again"

static void mark(struct step *step)
{
	step->mark = true;
	step->why = WHY;
}

static void mark_all(struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++)
		if (t->plan.steps[i].have && t->plan.steps[i].kind != STEP_REMOVE)
			mark(&t->plan.steps[i]);
}

/* NULL: the plan has none. */
static const struct step *find_listing(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == STEP_WRITE &&
		    package_documents[plan->steps[i].document].kind == KIND_LISTING)
			return &plan->steps[i];
	return NULL;
}

/* Something is there that the listing might not name. */
static bool has_archive(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		if (plan->steps[i].kind == STEP_COPY && plan->steps[i].have)
			return true;
	return false;
}

static bool is_same(const struct item *item, const struct step *step)
{
	const struct body *body = &item->bodies[step->document];
	unsigned char digest[SHA256_SIZE];

	if (!step->have->has_sha256)
		return false;
	sha256(body->buf, body->size, digest);
	return !memcmp(digest, step->have->sha256, SHA256_SIZE);
}

/* What is damaged names nothing. One that is written over just now is read when its condition has
 * failed. */
static int mark_unlisted(const struct pass *pass, struct target *t, const struct object *listing)
{
	CLEANUP(names_release) struct names listed = { 0 };
	int r = stored_versions(pass->opt->store, listing, &listed);

	if (r < 0)
		return fail(r, "%s cannot be read", listing->key);
	for (size_t i = 0; i < t->plan.n; i++) {
		struct step *step = &t->plan.steps[i];

		if (step->kind == STEP_COPY && step->have && !names_have(&listed, step->version))
			mark(step);
	}
	return 0;
}

static int mark_target(const struct pass *pass, const struct item *item, struct target *t)
{
	const struct step *listing = find_listing(&t->plan);

	if (!listing)
		return 0;
	if (!listing->have || names_have(pass->returned, item->name)) {
		mark_all(t);
		return 0;
	}
	if (!has_archive(&t->plan) || is_same(item, listing))
		return 0;
	return mark_unlisted(pass, t, listing->have);
}

void unlisted_mark(const struct pass *pass, struct item *item)
{
	for (size_t k = 0; k < pass->n_prefixes && !pass->opt->verifier; k++) {
		struct target *t = &item->targets[k];
		int r = t->error ? 0 : mark_target(pass, item, t);

		if (r < 0)
			target_fail(t, r);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * collection.c - the work of one pass: what one query and the index say, before anything is done.
 *
 * A package is current, and not read at all, when its change and renderer are the exported ones,
 * the digest of its objects is the one that was recorded with them, and none of them has to be
 * validated again.
 */
#include "collection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "exporter.h"
#include "memory.h"
#include "plan.h"
#include "publish.h"
#include "site.h"
#include "store.h"
#include "survey.h"
#include "suspects.h"

#define RESTORED_MAX 100 /* that are looked at once more: in a restored database one is enough */

void collection_release(struct collection *c)
{
	brake_release(&c->brake);
	names_release(&c->wanted);
	names_release(&c->urgent);
	names_release(&c->todo);
	names_release(&c->pending);
	names_release(&c->behind);
	names_release(&c->returned);
	for (size_t i = 0; i < c->n_gone; i++) {
		free(c->gone[i].package);
		free(c->gone[i].change);
	}
	free(c->gone);
	for (size_t i = 0; i < PREFIXES_MAX; i++)
		free(c->foreign_base[i]);
	names_release(&c->restored);
}

/* What a prefix was written with. The base URL stands between the first and the second space of a
 * renderer's text. */
static void collect_renderer(struct collection *c, size_t i, const char *renderer)
{
	const char *ours = c->ex->opt.rendering.base_url, *space = strchr(renderer, ' ');
	const char *base = space ? space + 1 : renderer;
	size_t n = strcspn(base, " ");

	if (n == strlen(ours) && !memcmp(base, ours, n))
		c->ours[i] = true;
	else if (!c->foreign_base[i])
		c->foreign_base[i] = xstrndup(base, n);
}

static void collect_base(struct collection *c, const struct work *work)
{
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (work->states[i].renderer)
			collect_renderer(c, i, work->states[i].renderer);
}

static bool is_recorded(const struct collection *c, const struct work *work, size_t i)
{
	const struct export_state *state = &work->states[i];

	return state->change && !strcmp(state->change, work->change) && state->renderer &&
	       !strcmp(state->renderer, c->pass->renderer) && !state->last_error;
}

static bool is_exported(const struct collection *c, const struct work *work, size_t i,
			const unsigned char *seen)
{
	return is_recorded(c, work, i) && !memcmp(work->states[i].seen, seen, SHA256_SIZE);
}

/* A change always moves one of the documents, so only their marks are asked. */
static bool is_restored(const struct survey *have, const char *change)
{
	for (size_t i = 0; i < have->n; i++) {
		struct object_name name;
		enum kind kind = catalog_match(have->objects[i].key, &name);

		if (kind != KIND_NONE && kind != KIND_ARCHIVE &&
		    change_is_foreign(have->objects[i].change, change))
			return true;
	}
	return false;
}

/* What was exported on one day is renewed on four, by the package's name. */
static int64_t renewal_age(const char *package)
{
	unsigned sum = 0;

	for (; *package; package++)
		sum += (unsigned char)*package;
	return VALIDATED_MAX_AGE + sum % 4 * DAY_US;
}

/* True: gc would take it for a stray one day, if nobody renewed its `validated` (spec, section
 * 10). */
static bool is_old(const struct survey *have, const char *package)
{
	int64_t age = renewal_age(package);

	for (size_t i = 0; i < have->n; i++) {
		const struct object *obj = &have->objects[i];
		struct object_name name;

		if (catalog_match(obj->key, &name) != KIND_NONE && obj->validated != NO_TIME &&
		    clock_rules() - obj->validated > age)
			return true;
	}
	return false;
}

static bool has_suspect(const struct collection *c, const struct survey *have)
{
	for (size_t i = 0; i < have->n; i++)
		if (suspects_have(&c->pass->suspects, &have->objects[i]))
			return true;
	return false;
}

/* Of another host's work the index of this one knows nothing until it lists, and what is taken for
 * there, and the same, is not sent. What did not change since is left to a full pass's list. */
static bool is_behind(const struct collection *c, const struct work *work, size_t i,
		      const struct survey *have, const struct survey *canonical)
{
	const struct export_state *state = &work->states[i];

	if (c->ex->opt.verifier || !state->change || survey_is_left(state->seen) ||
	    (c->kind == PASS_FULL && !strcmp(state->change, work->change)))
		return false;
	return !survey_is_seen(c->pass->prefixes[i], have, canonical, state->seen);
}

/* Nothing was left of it that anybody needs: its row was gone. */
static bool is_returned(const struct collection *c, const struct work *work)
{
	static const unsigned char nothing[SHA256_SIZE];

	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (work->states[i].change && !memcmp(work->states[i].seen, nothing, SHA256_SIZE))
			return true;
	return false;
}

/* 1: everything is as it was left. */
static int collect_objects(struct collection *c, const struct work *work)
{
	CLEANUP(survey_release) struct survey canonical = { 0 };
	bool current = c->kind == PASS_FULL && !c->ex->opt.force && !c->ex->opt.verifier;
	bool restored = false, behind = false;
	int r = 0;

	if (!c->ex->opt.verifier)
		r = survey_archives(c->ex->opt.archives, work->package, &canonical);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->pass->n_prefixes; i++) {
		CLEANUP(survey_release) struct survey have = { 0 };
		unsigned char digest[SHA256_SIZE] = { 0 };

		r = survey_prefix(c->ex->opt.store, c->pass->prefixes[i], work->package, &have);
		if (r < 0)
			return r;
		restored |= is_restored(&have, work->change);
		c->n_known[i] += have.n > 0;
		behind |= is_behind(c, work, i, &have, &canonical);
		if (!current)
			continue;
		survey_add_to(&have, digest);
		survey_add_to(&canonical, digest);
		current = is_exported(c, work, i, digest) && !is_old(&have, work->package) &&
			  !has_suspect(c, &have);
	}
	if (restored && c->n_restored++ < RESTORED_MAX)
		names_add(&c->restored, work->package);
	if (behind)
		names_add(&c->behind, work->package);
	return current;
}

static bool is_recorded_everywhere(const struct collection *c, const struct work *work)
{
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (!is_recorded(c, work, i))
			return false;
	return true;
}

/* Whatever waits a moment because it was just written is asked for when that is over. */
static bool is_put_off(struct collection *c, const struct work *work)
{
	int64_t until;

	if (!pass_is_event(c->kind))
		return false;
	until = recent_until(&c->ex->pace->packages, work->package, c->now);
	if (until)
		exporter_ask_at(c->ex, until);
	return until || later_holds(&c->ex->later, work->package, work->change, c->now);
}

static int collect_work(void *ctx, const struct work *work)
{
	struct collection *c = ctx;
	int r;

	if (pass_stopping(c->pass))
		return -ECANCELED;
	if (work->exists) {
		collect_base(c, work);
		site_state_add(c->state, work->package, work->change);
	}
	if (c->kind == PASS_NAMED && !names_have(&c->wanted, work->package))
		return 0;
	if (!work->exists) {
		if (c->kind != PASS_NAMED && !is_recorded_everywhere(c, work)) {
			GROW(c->gone, c->n_gone, c->gone_alloc);
			c->gone[c->n_gone++] =
				(struct gone){ xstrdup(work->package), xstrdup(work->change) };
		}
		return 0;
	}
	if (c->kind == PASS_URGENT && !work->urgent)
		return 0;
	if (is_put_off(c, work))
		return 0;
	if (exporter_is_at(c->ex, work->package)) {
		exporter_ask_again(c->ex);
		return 0;
	}
	c->pass->counts.packages++;
	if (pass_is_event(c->kind) && !c->ex->opt.allow_mass_change &&
	    brake_has(&c->brake, work->package, work->change)) {
		c->pass->counts.held++;
		return 0;
	}
	r = collect_objects(c, work);
	if (r < 0)
		return r;
	if (r) {
		c->pass->counts.current++;
		return 0;
	}
	if (is_returned(c, work))
		names_add(&c->returned, work->package);
	names_add(work->urgent ? &c->urgent : &c->todo, work->package);
	if (pass_is_event(c->kind) || !is_recorded_everywhere(c, work))
		names_add(&c->pending, work->package);
	return 0;
}

static int collect_base_only(void *ctx, const struct work *work)
{
	if (work->exists)
		collect_base(ctx, work);
	return 0;
}

static int read_work(struct collection *c)
{
	const struct exporter *ex = c->ex;
	const char *renderer = pass_is_event(c->kind) ? ex->renderer : NULL;
	bool foreign = false;
	int r;

	r = db_work(ex->opt.db, ex->opt.store->url, (const char *const *)c->pass->keys,
		    c->pass->n_prefixes, renderer, collect_work, c);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		foreign |= c->foreign_base[i] && !c->ours[i];
	if (!foreign || !pass_is_event(c->kind))
		return 0;
	/* packages that were written with our base URL are no work, and so were not seen */
	return db_work(ex->opt.db, ex->opt.store->url, (const char *const *)c->pass->keys,
		       c->pass->n_prefixes, NULL, collect_base_only, c);
}

/* What other deployments have written latest/ with. */
static int note_renderer(void *ctx, const char *prefix, const char *renderer)
{
	struct collection *c = ctx;

	if (!strncmp(prefix, "latest", strlen("latest")))
		collect_renderer(c, c->pass->n_prefixes - 1, renderer);
	return 0;
}

/* A deployment that has not been there yet has written nothing there by itself. */
static int collect_latest_base(struct collection *c)
{
	size_t last = c->pass->n_prefixes - 1;
	bool known = pass_is_event(c->kind) && c->ex->base_is_ours; /* new packages tell nothing */
	int r = 0;

	if (c->ex->opt.latest && !c->ours[last] && !c->foreign_base[last] && !known &&
	    c->urgent.n + c->todo.n)
		r = db_renderers(c->ex->opt.db, c->ex->opt.store->url, note_renderer, c);
	if (!r && (!pass_is_event(c->kind) || c->ours[last]))
		c->ex->base_is_ours = c->ours[last];
	return r;
}

int collection_read(struct collection *c)
{
	int r = read_work(c);

	return r ? r : collect_latest_base(c);
}

/* 1: still so, or its row cannot be read. The row is younger than what was looked at before it. */
static int is_still_restored(const struct collection *c, const char *name)
{
	struct survey have[PREFIXES_MAX] = { { .n = 0 } };
	CLEANUP(package_release) struct package pkg;
	bool restored = false;
	int r = 0;

	package_init(&pkg);
	for (size_t i = 0; !r && i < c->pass->n_prefixes; i++)
		r = survey_prefix(c->ex->opt.store, c->pass->prefixes[i], name, &have[i]);
	if (!r)
		r = db_package(c->ex->opt.db, name, &pkg);
	for (size_t i = 0; i < PREFIXES_MAX; i++) {
		restored |= !r && is_restored(&have[i], pkg.change);
		survey_release(&have[i]);
	}
	return r == -ENOENT ? 0 : r == -EINVAL ? 1 : r ? r : restored;
}

/* What another pass or host exported while the work was read has a newer mark than that says. */
int collection_find_restored(const struct collection *c, const char **ret)
{
	int r = 0;

	for (size_t i = 0; !r && i < c->restored.n; i++) {
		*ret = c->restored.names[i];
		r = is_still_restored(c, *ret);
	}
	return r;
}

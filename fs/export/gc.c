/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gc.c - one collection, from the names in the database to the last removal.
 *
 * It goes through
 *	refresh	 the index looks again, before the names are read: what is published meanwhile is
 *		 then at worst not seen
 *	names	 all of them, or nothing is done
 *	survey	 each prefix, package by package, makes lots: what would be removed, as one
 *	judge	 the brake holds lots, or lets them go
 *	apply	 each lot is looked at once more, and removed (gc_apply.c)
 * Between survey and apply a lot is a name and a digest.
 */
#include "gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "gc_collection.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "object.h"
#include "store.h"
#include "strbuf.h"
#include "survey.h"

#define WHY_MAX ((size_t)64 << 10)

static void collection_release(struct gc_collection *c)
{
	gc_names_release(&c->names);
	gc_plan_release(&c->plan);
	names_release(&c->old);
	names_release(&c->used);
	free(c->limit);
	gc_counts_release(&c->counts);
}

void gc_counts_release(struct gc_counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(counts->reported_names); i++)
		free(counts->reported_names[i]);
	*counts = (struct gc_counts){ 0 };
}

static void split_versions(const char *text, struct names *ret)
{
	while (text && *text) {
		size_t n = strcspn(text, ",");
		CLEANUP(free_char) char *version = xstrndup(text, n);

		names_add(ret, version);
		text += n + (text[n] == ',');
	}
}

int gc_check_accepted(const char *own, const char *accepted, const char **ret_why)
{
	CLEANUP(names_release) struct names list = { 0 };
	const char *why = NULL;

	split_versions(accepted, &list);
	for (size_t i = 1; i < list.n && !why; i++)
		if (strcmp(list.names[i - 1], list.names[i]) <= 0)
			why = "it does not go from new to old";
	if (!list.n || strcmp(list.names[0], own) != 0)
		why = "the own version does not stand in front";
	else if (list.n == 1)
		why = "its last version is the limit, which the own one must not be";
	if (!why)
		return 0;
	*ret_why = why;
	return -EINVAL;
}

bool gc_stopping(const struct gc_collection *c)
{
	return c->opt->stop && *c->opt->stop;
}

void gc_see(const struct gc_collection *c, enum planned_action action, const struct object *obj,
	    const char *why, bool held)
{
	const struct planned planned = {
		.action = action,
		.key = obj->key,
		.why = why,
		.generation = obj->generation,
		.bytes = obj->size,
		.held = held,
	};

	c->opt->see(c->opt->ctx, &planned);
}

static void report(struct gc_collection *c, const struct object *obj, const char *why)
{
	uint64_t n = c->counts.reported++;

	if (n < ARRAY_SIZE(c->counts.reported_names))
		c->counts.reported_names[n] = xstrdup(obj->key);
	if (c->opt->see)
		gc_see(c, PLANNED_REPORT, obj, why, false);
	else
		log_info("%s stays: %s", obj->key, why);
}

static int add_name(void *ctx, const char *package, const char *version)
{
	struct gc_collection *c = ctx;

	if (gc_stopping(c))
		return -ECANCELED;
	if (version)
		gc_names_add_version(&c->names, package, version);
	else
		gc_names_add_package(&c->names, package);
	return 0;
}

/* What was left to another deployment may be as it was before this change. */
static bool is_exported(const struct work *work, const struct export_state *state)
{
	return work->exists && state->change && !strcmp(state->change, work->change) &&
	       !survey_is_left(state->seen);
}

static int add_exported(void *ctx, const struct work *work)
{
	struct gc_collection *c = ctx;

	if (gc_stopping(c))
		return -ECANCELED;
	for (size_t k = 0; k < c->plan.n_prefixes; k++)
		if (is_exported(work, &work->states[k]))
			gc_names_add_exported(&c->names, c->plan.prefixes[k].name, work->package);
	return 0;
}

/* A version that goes away after its name was read is one that is there; one that went away before
 * has moved its package's change, which is exported, or not, as is asked afterwards. */
static int read_names(struct gc_collection *c)
{
	char *states[GC_PREFIXES_MAX];
	size_t n = c->plan.n_prefixes;
	int r = db_names(c->opt->db, add_name, c);

	for (size_t k = 0; k < n; k++)
		states[k] = export_state_key(c->plan.prefixes[k].name, c->opt->runtime_version);
	if (!r && n)
		r = db_work(c->opt->db, c->opt->store->url, (const char *const *)states, n, NULL,
			    add_exported, c);
	for (size_t k = 0; k < n; k++)
		free(states[k]);
	if (r < 0 && !gc_stopping(c))
		return fail(-EIO, "nothing is collected: the names in the database could not be "
				  "read to their end");
	if (r < 0)
		return r;
	gc_names_seal(&c->names);
	c->plan.rows = c->names.packages;
	return 0;
}

static int add_live(void *ctx, const struct deployment *d)
{
	if (d->live && !d->retired)
		names_add(ctx, d->runtime_version);
	return 0;
}

static void add_prefix(struct gc_collection *c, const char *name)
{
	c->plan.prefixes[c->plan.n_prefixes++] =
		(struct gc_prefix){ .name = name, .newest = NO_TIME };
}

/* Which prefixes are in use, and in which of them packages are collected. */
static int read_deployments(struct gc_collection *c)
{
	const struct gc_options *opt = c->opt;
	CLEANUP(free_char) char *keeper = NULL;
	int64_t since;
	int r = db_held(opt->db, &keeper, &since);

	if (!r || r == -ENOENT)
		r = db_deployments(opt->db, add_live, &c->used);
	if (r < 0)
		return r;
	split_versions(opt->accepted, &c->used);
	if (opt->accepted)
		c->limit = xstrdup(strrchr(opt->accepted, ',') ? strrchr(opt->accepted, ',') + 1
							       : opt->accepted);
	names_sort(&c->used);
	c->policy.used = &c->used;
	c->policy.limit = c->limit;
	if (opt->own)
		add_prefix(c, opt->runtime_version);
	if (opt->latest && keeper && strcmp(keeper, opt->runtime_version) != 0)
		log_warning("latest/ is held at %s, so nothing is collected in it", keeper);
	else if (opt->latest)
		add_prefix(c, "latest");
	return 0;
}

/* At the top: what is reported at once, and which prefixes are old. */
static int add_top(void *ctx, const struct object *obj)
{
	struct gc_collection *c = ctx;
	size_t n = strlen(obj->key);
	CLEANUP(free_char) char *name = xstrndup(obj->key, obj->generation ? n : n - 1);
	struct gc_ruling ruling = gc_rule_top(&c->policy, name, !obj->generation);

	if (ruling.fate == GC_REPORTED)
		report(c, obj, ruling.why);
	else if (ruling.fate == GC_REMOVED)
		names_add(&c->old, name);
	return 0;
}

/* All below the prefix is known as it is now. */
static int refresh_prefix(const struct gc_collection *c, const char *prefix)
{
	CLEANUP(free_char) char *all = xasprintf("%s/", prefix);

	return store_refresh(c->opt->store, all, c->opt->ttl);
}

static int refresh_all(struct gc_collection *c)
{
	int r = store_refresh(c->opt->store, "", c->opt->ttl);

	if (!r)
		r = store_list(c->opt->store, "", false, NULL, add_top, c);
	for (size_t k = 0; k < c->plan.n_prefixes && !r; k++)
		r = refresh_prefix(c, c->plan.prefixes[k].name);
	for (size_t i = 0; i < c->old.n && !r; i++)
		r = refresh_prefix(c, c->old.names[i]);
	return r;
}

static enum gc_lot_kind lot_kind(const struct gc_collection *c, const char *package)
{
	return gc_names_have_package(&c->names, package) ? GC_LOT_ARCHIVES : GC_LOT_PACKAGE;
}

static bool is_archive(const struct object *obj)
{
	struct object_name name;

	return catalog_match(obj->key, &name) == KIND_ARCHIVE;
}

/* Adds a lot of what is to be removed of a package, or nothing. */
static void add_lot(struct gc_collection *c, const char *package, const struct survey *have,
		    const struct gc_ruling *rulings)
{
	struct gc_lot *lot = NULL;
	uint64_t archives = 0;

	for (size_t i = 0; i < have->n; i++) {
		archives += is_archive(&have->objects[i]);
		if (rulings[i].fate != GC_REMOVED)
			continue;
		if (!lot)
			lot = gc_plan_add(&c->plan, lot_kind(c, package), c->prefix->name, package);
		survey_toggle(lot->digest, &have->objects[i]);
		lot->objects++;
	}
	if (lot)
		lot->archives = archives;
}

static int survey_package(void *ctx, const char *package, const struct survey *have)
{
	struct gc_collection *c = ctx;
	struct gc_ruling *rulings = xcalloc(have->n, sizeof(*rulings));

	if (package) {
		c->prefix->present++;
		c->prefix->known += gc_names_have_package(&c->names, package);
	}
	gc_rule_package(&c->policy, &c->names, c->prefix->name, package, have, rulings);
	for (size_t i = 0; i < have->n; i++) {
		if (have->objects[i].updated > c->prefix->newest)
			c->prefix->newest = have->objects[i].updated;
		if (rulings[i].fate == GC_REPORTED)
			report(c, &have->objects[i], rulings[i].why);
		c->counts.waiting += rulings[i].fate == GC_WAITS;
	}
	add_lot(c, package, have, rulings);
	free(rulings);
	return gc_stopping(c) ? -ECANCELED : 0;
}

static int survey_old_object(void *ctx, const struct object *obj)
{
	struct gc_lot *sums = ctx;

	survey_toggle(sums->digest, obj);
	sums->objects++;
	return 0;
}

static int survey_old(struct gc_collection *c, const char *prefix)
{
	CLEANUP(free_char) char *all = xasprintf("%s/", prefix);
	struct gc_lot sums = { .objects = 0 }, *lot;
	int r = store_list(c->opt->store, all, true, NULL, survey_old_object, &sums);

	if (r < 0 || !sums.objects)
		return r;
	lot = gc_plan_add(&c->plan, GC_LOT_PREFIX, prefix, NULL);
	memcpy(lot->digest, sums.digest, SHA256_SIZE);
	lot->objects = sums.objects;
	return 0;
}

static int survey_all(struct gc_collection *c)
{
	int r = 0;

	for (size_t k = 0; k < c->plan.n_prefixes && !r; k++) {
		c->prefix = &c->plan.prefixes[k];
		r = survey_walk(c->opt->store, c->prefix->name, survey_package, c);
	}
	for (size_t i = 0; i < c->old.n && !r; i++)
		r = gc_stopping(c) ? -ECANCELED : survey_old(c, c->old.names[i]);
	return r;
}

static int judge(struct gc_collection *c, struct strbuf *why, struct names *ret_held, bool *ret)
{
	CLEANUP(names_release) struct names before = { 0 };
	int r = held_load(c->opt->held, &before, NULL);

	if (r < 0)
		return r;
	*ret = gc_plan_judge(&c->plan, &c->opt->removals, c->policy.now, &before,
			     c->opt->allow_mass_change, ret_held, why);
	if (*ret)
		strbuf_addstr(why, ": pubfs gc --dry-run shows what, --allow-mass-change does it");
	return c->opt->see ? 0 : held_save(c->opt->held, why->buf, ret_held);
}

static int collect(struct gc_collection *c)
{
	CLEANUP(names_release) struct names held = { 0 };
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	bool is_held = false;
	int r = read_deployments(c);

	if (!r)
		r = refresh_all(c);
	if (!r)
		r = read_names(c);
	if (!r)
		r = survey_all(c);
	if (!r)
		r = judge(c, &why, &held, &is_held);
	if (!r)
		r = gc_apply(c);
	if (r < 0 || gc_stopping(c))
		return r < 0 ? r : -ECANCELED;
	if (is_held)
		return fail(-ECANCELED, "%s", why.buf);
	return c->counts.failed ? -EIO : 0;
}

int gc_run(const struct gc_options *options, struct gc_counts *ret)
{
	CLEANUP(collection_release)
	struct gc_collection c = {
		.opt = options,
		.policy = { .now = clock_rules(),
			    .min_age = options->min_age,
			    .own = options->runtime_version },
	};
	int r = collect(&c);

	*ret = c.counts;
	c.counts = (struct gc_counts){ 0 };
	return r;
}

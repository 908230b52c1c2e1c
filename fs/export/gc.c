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
 *	apply	 each lot is looked at once more, and its objects removed in stages: listings, then
 *		 the other documents, then archives, so that no listing names what is gone
 * Between survey and apply a lot is a name and a digest; no more than CHUNK objects and one package
 * are in memory at a time. An old prefix is served to nobody: it goes in the order of its keys.
 */
#include "gc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "gc_names.h"
#include "gc_plan.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "object.h"
#include "package.h"
#include "planned.h"
#include "publish.h"
#include "store.h"
#include "strbuf.h"
#include "survey.h"

/* Objects of one publish(): 64 jobs do 156 each, and few wait at its end. The first ones are fewer, so
 * that it is noticed early who may not remove anything. All are whole batches of a hundred. */
#define CHUNK_FIRST 100
#define CHUNK	    10000
#define WHY_MAX ((size_t)64 << 10)

enum stage { STAGE_LISTINGS, STAGE_DOCUMENTS, STAGE_ARCHIVES, STAGES };

/* What is to be removed next. */
struct removal {
	struct object obj;
	const char *why;
	enum stage stage;
	size_t lot;
};

struct collection {
	const struct gc_options *opt;
	struct gc_policy policy;
	struct gc_names names;
	struct gc_plan plan;
	struct gc_counts counts;
	char *limit;
	struct names used;
	struct gc_prefix *prefix; /* under survey */
	struct names old;	  /* old prefixes */
	struct removal *removals;
	size_t n, alloc, chunk;
	bool refused; /* one was, and so would all others be */
	bool *stuck; /* of each lot: something of it could not be removed, so what comes later stays */
};

static void collection_release(struct collection *c)
{
	for (size_t i = 0; i < c->n; i++)
		object_release(&c->removals[i].obj);
	free(c->removals);
	free(c->stuck);
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

static bool stopping(const struct collection *c)
{
	return c->opt->stop && *c->opt->stop;
}

static void see(const struct collection *c, enum planned_action action, const struct object *obj,
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

static void report(struct collection *c, const struct object *obj, const char *why)
{
	uint64_t n = c->counts.reported++;

	if (n < ARRAY_SIZE(c->counts.reported_names))
		c->counts.reported_names[n] = xstrdup(obj->key);
	if (c->opt->see)
		see(c, PLANNED_REPORT, obj, why, false);
	else
		log_info("%s stays: %s", obj->key, why);
}

static int add_name(void *ctx, const char *package, const char *version)
{
	struct collection *c = ctx;

	if (stopping(c))
		return -ECANCELED;
	if (version)
		gc_names_add_version(&c->names, package, version);
	else
		gc_names_add_package(&c->names, package);
	return 0;
}

/* A package that was left to another deployment has a digest of nothing. */
static bool is_exported(const struct work *work, const struct export_state *state)
{
	static const unsigned char left[SHA256_SIZE];

	return work->exists && state->change && !strcmp(state->change, work->change) &&
	       memcmp(state->seen, left, SHA256_SIZE) != 0;
}

static int add_exported(void *ctx, const struct work *work)
{
	struct collection *c = ctx;

	if (stopping(c))
		return -ECANCELED;
	for (size_t k = 0; k < c->plan.n_prefixes; k++)
		if (is_exported(work, &work->states[k]))
			gc_names_add_exported(&c->names, c->plan.prefixes[k].name, work->package);
	return 0;
}

/* A version that goes away after its name was read is one that is there; one that went away before
 * has moved its package's change, which is exported, or not, as is asked afterwards. */
static int read_names(struct collection *c)
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
	if (r < 0 && !stopping(c))
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

static void add_prefix(struct collection *c, const char *name)
{
	c->plan.prefixes[c->plan.n_prefixes++] =
		(struct gc_prefix){ .name = name, .newest = NO_TIME };
}

/* Which prefixes are in use, and in which of them packages are collected. */
static int read_deployments(struct collection *c)
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
	struct collection *c = ctx;
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
static int refresh_prefix(const struct collection *c, const char *prefix)
{
	CLEANUP(free_char) char *all = xasprintf("%s/", prefix);

	return store_refresh(c->opt->store, all, c->opt->ttl);
}

static int refresh_all(struct collection *c)
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

static enum gc_lot_kind lot_kind(const struct collection *c, const char *package)
{
	return gc_names_have_package(&c->names, package) ? GC_LOT_ARCHIVES : GC_LOT_PACKAGE;
}

static bool is_archive(const struct object *obj)
{
	struct object_name name;

	return catalog_match(obj->key, &name) == KIND_ARCHIVE;
}

/* Adds a lot of what is to be removed of a package, or nothing. */
static void add_lot(struct collection *c, const char *package, const struct survey *have,
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
	struct collection *c = ctx;
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
	return stopping(c) ? -ECANCELED : 0;
}

static int survey_old_object(void *ctx, const struct object *obj)
{
	struct gc_lot *sums = ctx;

	survey_toggle(sums->digest, obj);
	sums->objects++;
	return 0;
}

static int survey_old(struct collection *c, const char *prefix)
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

static int survey_all(struct collection *c)
{
	int r = 0;

	for (size_t k = 0; k < c->plan.n_prefixes && !r; k++) {
		c->prefix = &c->plan.prefixes[k];
		r = survey_walk(c->opt->store, c->prefix->name, survey_package, c);
	}
	for (size_t i = 0; i < c->old.n && !r; i++)
		r = stopping(c) ? -ECANCELED : survey_old(c, c->old.names[i]);
	return r;
}

static void settle(struct collection *c, const struct removal *removal, const struct publication *p)
{
	struct gc_counts *counts = &c->counts;

	if (!p->result) {
		counts->removed++;
		counts->bytes += removal->obj.size;
		return;
	}
	c->stuck[removal->lot] = true;
	if (p->result != -ESTALE) {
		c->refused |= p->result == -EACCES;
		counts->failed++;
		return;
	}
	counts->raced++;
	log_warning("%s stays: somebody wrote it meanwhile", removal->obj.key);
	if (store_refresh(c->opt->store, removal->obj.key, 0) < 0)
		log_debug("%s stays as the index has it", removal->obj.key);
}

static void remove_stage(struct collection *c, enum stage stage)
{
	struct publication *publications = xcalloc(c->n, sizeof(*publications));
	const struct removal **of = xcalloc(c->n, sizeof(const struct removal *));
	unsigned n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct removal *removal = &c->removals[i];
		struct publication *p = &publications[n];

		if (removal->stage != stage || c->stuck[removal->lot])
			continue;
		publication_init(p);
		p->action = PUBLISH_REMOVE;
		p->key = removal->obj.key;
		p->have = &removal->obj;
		p->why = removal->why;
		p->group = n;
		of[n++] = removal;
	}
	if (n && publish(c->opt->publisher, publications, n) < 0)
		log_debug("some of %u objects were not removed", n);
	for (unsigned i = 0; i < n; i++) {
		settle(c, of[i], &publications[i]);
		publication_release(&publications[i]);
	}
	free(publications);
	free(of);
}

static void see_stage(struct collection *c, enum stage stage)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct removal *removal = &c->removals[i];
		bool held = c->plan.lots[removal->lot].held;

		if (removal->stage != stage)
			continue;
		see(c, PLANNED_REMOVE, &removal->obj, removal->why, held);
		c->counts.removed += !held;
		c->counts.bytes += held ? 0 : removal->obj.size;
	}
}

static void flush(struct collection *c)
{
	for (enum stage stage = STAGE_LISTINGS; stage < STAGES; stage++)
		if (c->opt->see)
			see_stage(c, stage);
		else
			remove_stage(c, stage);
	for (size_t i = 0; i < c->n; i++)
		object_release(&c->removals[i].obj);
	c->n = 0;
	c->chunk = c->chunk * 10 < CHUNK ? c->chunk * 10 : CHUNK;
}

static enum stage stage_of(const struct gc_lot *lot, const struct object *obj)
{
	static const char archives[] = "/api/archives/";
	struct object_name name;

	if (lot->kind == GC_LOT_PREFIX || !strncmp(strchr(obj->key, '/'), archives, strlen(archives)))
		return STAGE_ARCHIVES;
	return catalog_match(obj->key, &name) == KIND_LISTING ? STAGE_LISTINGS : STAGE_DOCUMENTS;
}

static void add_removal(struct collection *c, size_t lot, const struct object *obj, const char *why)
{
	struct removal *removal;

	c->counts.held += c->plan.lots[lot].held;
	if (c->plan.lots[lot].held && !c->opt->see)
		return;
	GROW(c->removals, c->n, c->alloc);
	removal = &c->removals[c->n++];
	*removal = (struct removal){ .why = why,
				     .stage = stage_of(&c->plan.lots[lot], obj),
				     .lot = lot };
	object_copy(&removal->obj, obj);
}

static bool has_row(const struct package *pkg, struct name_part version)
{
	for (size_t i = 0; i < pkg->n_versions; i++)
		if (strlen(pkg->versions[i].version) == version.len &&
		    !memcmp(pkg->versions[i].version, version.text, version.len))
			return true;
	return false;
}

/* 1: a row of it has come back since the names were read. */
static int has_returned(const struct collection *c, const struct gc_lot *lot,
			const struct survey *have, const struct gc_ruling *rulings)
{
	CLEANUP(package_release) struct package pkg;
	int r;

	package_init(&pkg);
	r = db_package(c->opt->db, lot->package, &pkg);
	if (lot->kind == GC_LOT_PACKAGE)
		return r == -ENOENT ? 0 : r ? r : 1;
	for (size_t i = 0; i < have->n && !r; i++) {
		struct object_name name;

		if (rulings[i].fate == GC_REMOVED && catalog_match(have->objects[i].key, &name))
			r = has_row(&pkg, name.version);
	}
	return r == -ENOENT ? 1 : r;
}

/* 1: it is still what was judged. */
static int is_as_judged(const struct collection *c, const struct gc_lot *lot,
			const struct survey *have, const struct gc_ruling *rulings)
{
	unsigned char digest[SHA256_SIZE] = { 0 };
	int r;

	for (size_t i = 0; i < have->n; i++)
		if (rulings[i].fate == GC_REMOVED)
			survey_toggle(digest, &have->objects[i]);
	if (memcmp(digest, lot->digest, SHA256_SIZE) != 0)
		return 0;
	r = has_returned(c, lot, have, rulings);
	return r < 0 ? r : !r;
}

static int apply_package(struct collection *c, size_t i)
{
	const struct gc_lot *lot = &c->plan.lots[i];
	CLEANUP(survey_release) struct survey have = { 0 };
	struct gc_ruling *rulings;
	int r = survey_prefix(c->opt->store, lot->prefix, lot->package, &have);

	if (r < 0)
		return r;
	rulings = xcalloc(have.n + 1, sizeof(*rulings));
	gc_rule_package(&c->policy, &c->names, lot->prefix, lot->package, &have, rulings);
	r = is_as_judged(c, lot, &have, rulings);
	if (!r) {
		c->counts.raced += lot->objects;
		log_warning("%s in %s/ stays: it changed meanwhile", lot->package, lot->prefix);
	}
	for (size_t k = 0; k < have.n && r > 0; k++)
		if (rulings[k].fate == GC_REMOVED)
			add_removal(c, i, &have.objects[k], rulings[k].why);
	c->counts.packages += r > 0 && lot->kind == GC_LOT_PACKAGE && !lot->held;
	free(rulings);
	return r < 0 ? r : 0;
}

/* A page of an old prefix. */
struct page {
	struct collection *c;
	size_t lot;
	const char *why;
	char *last; /* owned */
};

static int add_old_object(void *ctx, const struct object *obj)
{
	struct page *page = ctx;

	add_removal(page->c, page->lot, obj, page->why);
	free(page->last);
	page->last = xstrdup(obj->key);
	return page->c->n >= page->c->chunk;
}

static int apply_prefix(struct collection *c, size_t i)
{
	const struct gc_lot *lot = &c->plan.lots[i];
	CLEANUP(free_char) char *all = xasprintf("%s/", lot->prefix);
	struct page page = { .c = c,
			     .lot = i,
			     .why = gc_rule_top(&c->policy, lot->prefix, true).why };
	int r;

	if (c->n)
		flush(c); /* so that its chunks are full ones */
	do {
		CLEANUP(free_char) char *after = steal(page.last);

		r = store_list(c->opt->store, all, true, after, add_old_object, &page);
		if (r > 0)
			flush(c);
	} while (r > 0 && !stopping(c) && !c->refused);
	free(page.last);
	c->counts.prefixes += !lot->held;
	return r < 0 ? r : 0;
}

static int apply(struct collection *c)
{
	int r = 0;

	c->stuck = xcalloc(c->plan.n + 1, sizeof(*c->stuck));
	c->chunk = CHUNK_FIRST;
	for (size_t i = 0; i < c->plan.n && !r && !stopping(c) && !c->refused; i++) {
		bool whole = c->plan.lots[i].kind == GC_LOT_PREFIX;

		r = whole ? apply_prefix(c, i) : apply_package(c, i);
		if (c->opt->see || c->n >= c->chunk)
			flush(c);
	}
	if (!c->refused)
		flush(c);
	return r;
}

static int judge(struct collection *c, struct strbuf *why, struct names *ret_held, bool *ret)
{
	CLEANUP(names_release) struct names before = { 0 };
	CLEANUP(strbuf_release) struct strbuf why_before = STRBUF_INIT(WHY_MAX);
	int r = held_load(c->opt->held, &before, &why_before);

	if (r < 0)
		return r;
	*ret = gc_plan_judge(&c->plan, &c->opt->removals, c->policy.now, &before,
			     c->opt->allow_mass_change, ret_held, why);
	if (*ret)
		strbuf_addstr(why, ": pubfs gc --dry-run shows what, --allow-mass-change does it");
	return c->opt->see ? 0 : held_save(c->opt->held, why->buf, ret_held);
}

static int collect(struct collection *c)
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
		r = apply(c);
	if (r < 0 || stopping(c))
		return r < 0 ? r : -ECANCELED;
	if (is_held)
		return fail(-ECANCELED, "%s", why.buf);
	return c->counts.failed ? -EIO : 0;
}

int gc_run(const struct gc_options *options, struct gc_counts *ret)
{
	CLEANUP(collection_release)
	struct collection c = {
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

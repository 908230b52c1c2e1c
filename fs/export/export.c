/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.c - passes: which packages have to be exported, and whether that may begin at all.
 *
 * A pass goes through
 *	refresh	  the index looks again, when it is older than asked for (never in an event pass)
 *	collect	  one query gives all work; the index says which packages are as they were left
 *	hold	  what looks like a mistake ends the pass here, before anything is written
 *	weigh	  what would be changed of what is there; the brake holds what is too much of it
 *	run	  the packages in chunks, on threads where there are many; first those that have
 *		  something to be kept from clients, so that no take-down is behind an import
 *	site	  the documents that are of no package
 * A package is current, and not read at all, when its change and renderer are the exported ones,
 * the digest of its objects is the one that was recorded with them, and none of them has to be
 * validated again.
 */
#include "export.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "exporter.h"
#include "log.h"
#include "memory.h"
#include "pass.h"
#include "plan.h"
#include "planned.h"
#include "run.h"
#include "site.h"
#include "store.h"
#include "survey.h"
#include "suspects.h"
#include "verifier.h"
#include "weigh.h"

enum pass_kind {
	PASS_FULL,
	PASS_NAMED,
	PASS_EVENT,
	PASS_URGENT, /* an event pass for what clients are to be kept from alone */
};

#define LEASE (2 * MINUTE_US) /* four heartbeats; a dead host's work waits so long at most */

/* A package whose row is gone. */
struct gone {
	char *package, *change;
};

/* What one query and the index say, before anything is done. */
struct collection {
	const struct exporter *ex;
	struct pass *pass;
	enum pass_kind kind;
	int64_t now; /* by which nothing is put off where the exporter is no deployment's */
	struct brake brake;
	struct names wanted; /* PASS_NAMED, sorted */
	struct names urgent; /* what goes before all others, */
	struct names todo;   /* and these */
	struct names pending; /* of both, those that the database calls work */
	struct gone *gone;
	size_t n_gone, gone_alloc;
	char *foreign_renderer[PREFIXES_MAX]; /* written with another base URL */
	bool ours[PREFIXES_MAX];	      /* written with this one */
	uint64_t n_known[PREFIXES_MAX];	      /* packages with a row of which something is there */
	size_t n_restored; /* packages with marks that are not of this database */
	char *restored;	   /* the first */
	unsigned char state[SHA256_SIZE]; /* of all packages (site_all()) */
};

static void collection_release(struct collection *c)
{
	brake_release(&c->brake);
	names_release(&c->wanted);
	names_release(&c->urgent);
	names_release(&c->todo);
	names_release(&c->pending);
	for (size_t i = 0; i < c->n_gone; i++) {
		free(c->gone[i].package);
		free(c->gone[i].change);
	}
	free(c->gone);
	for (size_t i = 0; i < PREFIXES_MAX; i++)
		free(c->foreign_renderer[i]);
	free(c->restored);
}

void export_counts_release(struct export_counts *counts)
{
	for (size_t i = 0; i < ARRAY_SIZE(counts->no_archive_names); i++)
		free(counts->no_archive_names[i]);
	free(counts->left_why);
	*counts = (struct export_counts){ 0 };
}

int exporter_new(const struct exporter_options *options, struct exporter **ret)
{
	const struct rendering *how = &options->rendering;
	struct exporter *ex = xcalloc(1, sizeof(*ex));

	assert(options->own || options->latest);
	assert(how->base_url && (options->runtime_version || !options->own));
	ex->opt = *options;
	ex->due = LATER_NEVER;
	site_turn_init(&ex->site, options->feed_pause, exporter_now(ex));
	ex->renderer = xasprintf("%d %s dart=%s flutter=%s", RENDERER_VERSION, how->base_url,
				 how->sdk_dart ? how->sdk_dart : "",
				 how->sdk_flutter ? how->sdk_flutter : "");
	*ret = ex;
	return 0;
}

void exporter_free(struct exporter *ex)
{
	if (!ex)
		return;
	free(ex->renderer);
	later_release(&ex->later);
	names_release(&ex->left);
	free(ex);
}

static bool is_event(enum pass_kind kind)
{
	return kind == PASS_EVENT || kind == PASS_URGENT;
}

static struct lease lease_of(const struct exporter *ex)
{
	return (struct lease){
		.store = ex->opt.store->url,
		.runtime_version = ex->opt.runtime_version ? ex->opt.runtime_version : "",
		.owner = ex->opt.owner,
		.duration = ex->opt.lease ? ex->opt.lease : LEASE,
	};
}

int exporter_renew(struct exporter *ex)
{
	struct lease lease = lease_of(ex);
	int64_t before = clock_monotonic();
	int r = db_renew(ex->opt.db, &lease);

	if (!r)
		atomic_store(&ex->lease_until, before + lease.duration);
	return r;
}

static int pass_refresh(const struct exporter *ex, const struct pass *pass)
{
	for (size_t i = 0; i < pass->n_prefixes; i++) {
		CLEANUP(free_char) char *all = xasprintf("%s/", pass->prefixes[i]);
		int r = store_refresh(ex->opt.store, all, ex->opt.ttl);

		if (r < 0)
			return r;
	}
	return store_refresh(ex->opt.archives, "packages/", ex->opt.ttl);
}

/* The base URL stands between the first and the second space of a renderer's text. */
static bool same_base(const char *renderer, const char *base_url)
{
	const char *at = strchr(renderer, ' ');
	size_t n = strlen(base_url);

	return at && !strncmp(at + 1, base_url, n) && at[1 + n] == ' ';
}

static void collect_base(struct collection *c, const struct work *work)
{
	const char *base_url = c->ex->opt.rendering.base_url;

	for (size_t i = 0; i < c->pass->n_prefixes; i++) {
		const char *renderer = work->states[i].renderer;

		if (!renderer)
			continue;
		if (same_base(renderer, base_url))
			c->ours[i] = true;
		else if (!c->foreign_renderer[i])
			c->foreign_renderer[i] = xstrdup(renderer);
	}
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

/* True: gc would take it for a stray one day, if nobody renewed its `validated` (spec, section 10). */
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

/* 1: everything is as it was left. */
static int collect_objects(struct collection *c, const struct work *work)
{
	CLEANUP(survey_release) struct survey canonical = { 0 };
	bool current = c->kind == PASS_FULL && !c->ex->opt.force && !c->ex->opt.verifier;
	bool restored = false;
	int r = survey_archives(c->ex->opt.archives, work->package, &canonical);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->pass->n_prefixes; i++) {
		CLEANUP(survey_release) struct survey have = { 0 };

		r = survey_prefix(c->ex->opt.store, c->pass->prefixes[i], work->package, &have);
		if (r < 0)
			return r;
		restored |= is_restored(&have, work->change);
		c->n_known[i] += have.n > 0;
		survey_merge(have.digest, canonical.digest);
		current = current && is_exported(c, work, i, have.digest) &&
			  !is_old(&have, work->package) && !has_suspect(c, &have);
	}
	if (restored && !c->n_restored++)
		c->restored = xstrdup(work->package);
	return current;
}

static bool is_recorded_everywhere(const struct collection *c, const struct work *work)
{
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (!is_recorded(c, work, i))
			return false;
	return true;
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
	if (is_event(c->kind) && later_holds(&c->ex->later, work->package, work->change, c->now))
		return 0;
	c->pass->counts.packages++;
	if (is_event(c->kind) && !c->ex->opt.allow_mass_change &&
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
	names_add(work->urgent ? &c->urgent : &c->todo, work->package);
	if (is_event(c->kind) || !is_recorded_everywhere(c, work))
		names_add(&c->pending, work->package);
	return 0;
}

static int collect_base_only(void *ctx, const struct work *work)
{
	if (work->exists)
		collect_base(ctx, work);
	return 0;
}

static int collect(struct collection *c)
{
	const struct exporter *ex = c->ex;
	const char *renderer = is_event(c->kind) ? ex->renderer : NULL;
	bool foreign = false;
	int r;

	r = db_work(ex->opt.db, ex->opt.store->url, (const char *const *)c->pass->keys,
		    c->pass->n_prefixes, renderer, collect_work, c);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		foreign |= c->foreign_renderer[i] && !c->ours[i];
	if (!foreign || !is_event(c->kind))
		return 0;
	/* packages that were written with our base URL are no work, and so were not seen */
	return db_work(ex->opt.db, ex->opt.store->url, (const char *const *)c->pass->keys,
		       c->pass->n_prefixes, NULL, collect_base_only, c);
}

static int one_object(void *ctx, const struct object *obj)
{
	(void)ctx;
	(void)obj;
	return 1;
}

static int hold_empty(const struct exporter *ex, const struct pass *pass)
{
	uint64_t packages;
	int r = db_count(ex->opt.db, &packages);

	if (r < 0 || packages || ex->opt.allow_mass_change)
		return r;
	for (size_t i = 0; i < pass->n_prefixes; i++) {
		CLEANUP(free_char) char *all = xasprintf("%s/api/packages/", pass->prefixes[i]);

		r = store_list(ex->opt.store, all, false, NULL, one_object, NULL);
		if (r < 0)
			return r;
		if (r > 0)
			return fail(-ECANCELED,
				    "held: the database has no package at all, but %s has some; if "
				    "it is the right one, repeat with --allow-mass-change",
				    all);
	}
	return 0;
}

/* A full pass has asked for every package that the database has. */
static int hold_strangers(const struct collection *c)
{
	if (c->kind != PASS_FULL || c->ex->opt.allow_mass_change)
		return 0;
	for (size_t i = 0; i < c->pass->n_prefixes; i++) {
		uint64_t present, known = c->n_known[i];
		int r = survey_count(c->ex->opt.store, c->pass->prefixes[i], &present);

		if (r < 0)
			return r;
		if (brake_holds_strangers(present, known))
			return fail(-ECANCELED,
				    "held: the database knows %" PRIu64 " of the %" PRIu64
				    " packages in %s/, so it is another registry's, or has lost "
				    "most of its own; if it is the right one, repeat with "
				    "--allow-mass-change",
				    known, present, c->pass->prefixes[i]);
	}
	return 0;
}

/* What other deployments have written latest/ with. */
static int note_renderer(void *ctx, const char *prefix, const char *renderer)
{
	struct collection *c = ctx;
	size_t latest = c->pass->n_prefixes - 1;

	if (strncmp(prefix, "latest", strlen("latest")) != 0)
		return 0;
	if (same_base(renderer, c->ex->opt.rendering.base_url))
		c->ours[latest] = true;
	else if (!c->foreign_renderer[latest])
		c->foreign_renderer[latest] = xstrdup(renderer);
	return 0;
}

/* A deployment that has not been there yet has written nothing there by itself. */
static int collect_latest_base(struct collection *c)
{
	size_t last = c->pass->n_prefixes - 1;

	if (!c->ex->opt.latest || c->ours[last] || c->foreign_renderer[last] ||
	    !(c->urgent.n + c->todo.n))
		return 0;
	return db_renderers(c->ex->opt.db, c->ex->opt.store->url, note_renderer, c);
}

/* Some of a prefix may be left from before a change of the URL that was allowed once. */
static int hold_base(const struct collection *c)
{
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (c->foreign_renderer[i] && !c->ours[i] && !c->ex->opt.allow_mass_change)
			return fail(-ECANCELED,
				    "held: %s/ was written with another base URL (%s) than %s; to "
				    "rewrite all of it, repeat with --allow-mass-change",
				    c->pass->prefixes[i], c->foreign_renderer[i],
				    c->ex->opt.rendering.base_url);
	return 0;
}

static int hold_restored(const struct collection *c)
{
	if (!c->n_restored || c->ex->opt.rebase)
		return 0;
	return fail(-ECANCELED,
		    "held: the bucket has changes of %zu packages (%s) that this database never "
		    "made, so it was restored or is another one; to take its side, run sync "
		    "--rebase",
		    c->n_restored, c->restored);
}

/* What is exported of a package without a row stays until gc. */
static int record_gone(const struct collection *c)
{
	size_t n_prefixes = c->pass->n_prefixes, n = 0;
	struct export_record *records;
	int r;

	if (!c->n_gone)
		return 0;
	records = xcalloc(c->n_gone * n_prefixes, sizeof(*records));
	for (size_t i = 0; i < c->n_gone; i++) {
		log_warning("the row of package %s is gone; what is exported of it stays until gc",
			    c->gone[i].package);
		for (size_t k = 0; k < n_prefixes; k++)
			records[n++] = (struct export_record){
				.prefix = c->pass->keys[k],
				.package = c->gone[i].package,
				.state = { .change = c->gone[i].change,
					   .renderer = c->pass->renderer },
			};
	}
	r = 0;
	if (!pass_rehearses(c->pass))
		r = db_record(c->ex->opt.db, c->ex->opt.store->url, records, n);
	free(records);
	return r;
}

/* In front: what a pass may ask before its query. */
static int begin(const struct exporter *ex, const struct pass *pass, enum pass_kind kind)
{
	int r;

	if (is_event(kind))
		return 0;
	r = pass_refresh(ex, pass);
	return r < 0 ? r : hold_empty(ex, pass);
}

static int decide(struct collection *c)
{
	int r = collect(c);

	if (!r)
		r = collect_latest_base(c);
	if (!r)
		r = hold_base(c);
	if (!r)
		r = hold_restored(c);
	if (!r)
		r = hold_strangers(c);
	return r ? r : record_gone(c);
}

/* Every wanted package with a row is work, in the same order. */
static int say_missing(const struct collection *c, const struct names *seen)
{
	int r = 0;

	for (size_t i = 0; i < c->wanted.n; i++)
		if (!names_have(seen, c->wanted.names[i]))
			r = fail(-ENOENT, "package %s is not in the database", c->wanted.names[i]);
	return r;
}

/* What failed before is work again when it is due, whether its change is exported or not. */
static void add_failed(struct exporter *ex, struct collection *c)
{
	CLEANUP(names_release) struct names failed = { 0 };

	later_due(&ex->later, c->now, &failed);
	for (size_t i = 0; c->kind == PASS_EVENT && i < failed.n; i++)
		if (!names_have(&c->urgent, failed.names[i]))
			names_add(&c->todo, failed.names[i]);
	names_sort(&c->todo);
	c->pass->counts.packages = c->urgent.n + c->todo.n + c->pass->counts.held;
}

static void move_others(struct names *from, const struct names *taken, struct names *ret)
{
	for (size_t i = 0; i < from->n; i++)
		if (!names_have(taken, from->names[i]))
			names_add(ret, from->names[i]);
}

/* Of many packages, the take-downs are judged by themselves, and done before the rest is weighed.
 */
static int run_take_downs(struct pass *pass, struct collection *c)
{
	CLEANUP(names_release) struct names first = { 0 }, rest = { 0 };
	int r = brake_judge(&c->brake, BURDEN_TAKE_DOWN);

	if (r < 0)
		return r;
	brake_pick(&c->brake, BURDEN_TAKE_DOWN, BURDEN_SHRINK | BURDEN_EMPTY | BURDEN_CONTESTED,
		   &first);
	r = run_packages(pass, batch_run, &first, true);
	move_others(&c->urgent, &first, &rest);
	names_release(&c->urgent);
	c->urgent = rest;
	rest = (struct names){ 0 };
	return r;
}

static int weigh(struct exporter *ex, struct pass *pass, struct collection *c)
{
	unsigned left = BURDEN_REWRITE | BURDEN_SHRINK | BURDEN_EMPTY | BURDEN_CONTESTED;
	int r;

	for (size_t i = 0; i < pass->n_prefixes; i++)
		c->brake.rewrite_all[i] = c->foreign_renderer[i] && !c->ours[i];
	pass->deep = c->urgent.n + c->todo.n > ex->opt.limits.rewrites.number;
	r = run_packages(pass, weigh_packages, &c->urgent, false);
	if (!r && pass->deep)
		r = run_take_downs(pass, c);
	if (!r)
		r = run_packages(pass, weigh_packages, &c->todo, false);
	return r < 0 ? r : brake_judge(&c->brake, pass->deep ? left : left | BURDEN_TAKE_DOWN);
}

/* Whatever was suspect when a full pass began that went well was written anew, or is gone. */
static int end_suspects(const struct collection *c)
{
	const struct pass *pass = c->pass;

	if (c->kind != PASS_FULL || pass_rehearses(pass) || !pass->suspects.n)
		return 0;
	return suspects_forget(pass->opt->held, &pass->suspects);
}

static int end(struct collection *c, const struct names *seen)
{
	int r = say_missing(c, seen);
	int held = brake_end(&c->brake, seen, c->kind == PASS_FULL);

	if (held < 0)
		return held;
	return c->pass->counts.failed || c->pass->counts.left_out ? -EIO : r;
}

static int run_pass(struct exporter *ex, struct pass *pass, struct collection *c)
{
	CLEANUP(names_release) struct names seen = { 0 };
	int r = begin(ex, pass, c->kind), site;

	if (!r)
		r = decide(c);
	if (r < 0)
		return r;
	if (is_event(c->kind))
		add_failed(ex, c);
	move_others(&c->urgent, &c->todo, &seen);
	move_others(&c->todo, &c->urgent, &seen);
	names_sort(&seen);
	if (ex->opt.verifier)
		verifier_begin(pass, seen.n);
	else if (c->n_known[0] || c->n_known[1])
		r = weigh(ex, pass, c);
	if (!r)
		r = run_packages(pass, batch_run, &c->urgent, true);
	if (!r)
		r = run_packages(pass, batch_run, &c->todo, true);
	if (r < 0)
		return r;
	if (pass_stopping(pass))
		return -ECANCELED;
	if (ex->opt.verifier && c->kind == PASS_FULL)
		r = verifier_see_rest(pass, &seen);
	if (r < 0)
		return r;
	exporter_remember(ex, pass, &seen, c->kind == PASS_FULL);
	site = site_run(pass, &ex->site, exporter_now(ex), !is_event(c->kind), pass_changed(pass),
			c->kind == PASS_FULL ? c->state : NULL);
	r = end(c, &seen);
	if (!r)
		r = site;
	return r < 0 ? r : end_suspects(c);
}

static int export_pass(struct exporter *ex, enum pass_kind kind, struct names *wanted,
		       struct export_counts *ret)
{
	CLEANUP(pass_release) struct pass pass;
	CLEANUP(collection_release)
	struct collection c = { .ex = ex, .pass = &pass, .kind = kind, .now = ex->opt.deployment ? exporter_now(ex) : LATER_NEVER };
	int r;

	pass_init(&pass, &ex->opt);
	pass.renderer = ex->renderer;
	pass.refresh = !is_event(kind) && !ex->opt.verifier;
	pass.lease = lease_of(ex);
	pass.lease_until = &ex->lease_until;
	pass.pending = &c.pending;
	pass.urgent = &c.urgent;
	atomic_store(&ex->lease_until, clock_monotonic() + pass.lease.duration);
	if (wanted) {
		c.wanted = *wanted;
		*wanted = (struct names){ 0 };
	}
	r = brake_init(&c.brake, &pass);
	if (!r && !ex->opt.verifier) /* which believes no record */
		r = suspects_load(ex->opt.held, &pass.suspects);
	if (!r)
		r = pass_read_latest(&pass, ex->filled, ex->settled);
	if (!r)
		r = run_pass(ex, &pass, &c);
	if (ex->opt.dry_run)
		planned_print_sums(ex->opt.dry_run);
	*ret = pass.counts;
	pass.counts = (struct export_counts){ 0 };
	return r;
}

int export_all(struct exporter *ex, struct export_counts *ret)
{
	return export_pass(ex, PASS_FULL, NULL, ret);
}

int export_named(struct exporter *ex, char *const *names, size_t n, struct export_counts *ret)
{
	CLEANUP(names_release) struct names wanted = { 0 };

	for (size_t i = 0; i < n; i++)
		names_add(&wanted, names[i]);
	names_sort(&wanted);
	return export_pass(ex, PASS_NAMED, &wanted, ret);
}

int export_changed(struct exporter *ex, struct export_counts *ret)
{
	return export_pass(ex, PASS_EVENT, NULL, ret);
}

int export_urgent(struct exporter *ex, struct export_counts *ret)
{
	return export_pass(ex, PASS_URGENT, NULL, ret);
}

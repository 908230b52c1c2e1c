/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export.c - passes: which packages have to be exported, and whether that may begin at all.
 *
 * A pass goes through
 *	refresh	  the index looks again, when it is older than asked for (never in an event pass)
 *	collect	  one query gives all work; the index says which packages are as they were left;
 *		  where another host has left them otherwise, it looks again (behind.c)
 *	hold	  what looks like a mistake ends the pass here, before anything is written
 *	weigh	  what would be changed of what is there; the brake holds what is too much of it
 *	run	  the packages in chunks, on threads where there are many; first those that have
 *		  something to be kept from clients, so that no take-down is behind an import
 *	site	  the documents that are of no package
 * Event passes of one exporter may run side by side (struct event_pass): each leaves the packages
 * of the others alone, and whatever needs the brake has it to itself.
 */
#include "export.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "behind.h"
#include "clock.h"
#include "collection.h"
#include "db.h"
#include "exporter.h"
#include "log.h"
#include "memory.h"
#include "pass.h"
#include "planned.h"
#include "run.h"
#include "site.h"
#include "store.h"
#include "survey.h"
#include "suspects.h"
#include "verifier.h"
#include "weigh.h"

#define LEASE (2 * MINUTE_US) /* four heartbeats; a dead host's work waits so long at most */

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
	ex->again_at = LATER_NEVER;
	room_init(&ex->room);
	ex->pace = &ex->own_pace;
	site_turn_init(&ex->own_pace.feed, options->feed_pause, exporter_now(ex));
	recent_init(&ex->own_pace.packages);
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
	assert(!ex->event_passes);
	free(ex->renderer);
	room_release(&ex->room);
	site_turn_release(&ex->own_pace.feed);
	recent_release(&ex->own_pace.packages);
	later_release(&ex->later);
	names_release(&ex->left);
	free(ex->left_why);
	free(ex);
}

static struct lease lease_of(const struct exporter *ex)
{
	return (struct lease){
		.store = ex->opt.store->url,
		.runtime_version = ex->opt.runtime_version ? ex->opt.runtime_version : "",
		.owner = ex->opt.owner,
		.rester = ex->opt.rester,
		.duration = ex->opt.lease ? ex->opt.lease : LEASE,
	};
}

int exporter_renew(struct exporter *ex)
{
	struct lease lease = lease_of(ex);
	int64_t before = clock_monotonic();
	int r = db_renew(ex->opt.db, &lease);

	if (!r)
		atomic_store(&ex->renewed_until, before + lease.duration);
	return r;
}

static int pass_refresh(const struct exporter *ex, const struct pass *pass)
{
	for (size_t i = 0; i < pass->n_prefixes; i++) {
		CLEANUP(free_char) char *all = xasprintf("%s/", pass->prefixes[i]);
		int64_t ttl = ex->look_anew && pass_is_latest(pass, i) ? 0 : ex->opt.ttl;
		int r = store_refresh(ex->opt.store, all, ttl);

		if (r < 0)
			return r;
	}
	return store_refresh(ex->opt.archives, "packages/", ex->opt.ttl);
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
				    "it is the right one, pubfs sync --allow-mass-change goes on",
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
				    "most of its own; if it is the right one, pubfs sync "
				    "--allow-mass-change goes on",
				    known, present, c->pass->prefixes[i]);
	}
	return 0;
}

/* Some of a prefix may be left from before a change of the URL that was allowed once. */
static int hold_base(const struct collection *c)
{
	for (size_t i = 0; i < c->pass->n_prefixes; i++)
		if (c->foreign_base[i] && !c->ours[i] && !c->ex->opt.allow_mass_change)
			return fail(-ECANCELED,
				    "held: %s/ was written with another base URL (%s) than %s; "
				    "pubfs sync --allow-mass-change rewrites all of it",
				    c->pass->prefixes[i], c->foreign_base[i],
				    c->ex->opt.rendering.base_url);
	return 0;
}

static int hold_restored(const struct collection *c)
{
	const char *package;
	int r = c->ex->opt.rebase ? 0 : collection_find_restored(c, &package);

	if (r <= 0)
		return r;
	return fail(-ECANCELED,
		    "held: the bucket has changes of %zu packages (%s) that this database never "
		    "made, so it was restored or is another one; to take its side, run sync "
		    "--rebase",
		    c->n_restored, package);
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

	if (pass_is_event(kind))
		return 0;
	r = pass_refresh(ex, pass);
	return r < 0 ? r : hold_empty(ex, pass);
}

static int decide(struct collection *c)
{
	int r = collection_read(c);

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

/* What failed before is work again when it is due, whether its change is exported or not; beside a
 * long pass only where it still is. */
static void add_failed(struct exporter *ex, struct collection *c)
{
	CLEANUP(names_release) struct names failed = { 0 };

	later_due(&ex->later, c->now, &failed);
	for (size_t i = 0; i < failed.n; i++)
		if (names_have(&c->urgent, failed.names[i]) ||
		    exporter_is_at(ex, failed.names[i]))
			continue;
		else if (c->kind == PASS_EVENT)
			names_add(&c->todo, failed.names[i]);
		else
			later_forget(&ex->later, failed.names[i]);
	c->retries = failed.n;
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
		c->brake.rewrite_all[i] = c->foreign_base[i] && !c->ours[i];
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
	int held = brake_end(&c->brake);

	if (held < 0)
		return held;
	return c->pass->counts.failed || c->pass->counts.left_out ? -EIO : r;
}

/* One pass, from its decisions to its results. */
struct event_pass {
	struct event_pass *next; /* of its exporter, of those that are under way */
	struct exporter *ex;
	struct pass pass;
	struct collection c;
	struct names seen; /* what it works on, sorted */
	bool weighed;	   /* the brake has been asked */
	bool alone;
	bool feed; /* it is its turn to look at the feed of all packages */
	int result, site;
};

static bool any_held(const struct pass *pass)
{
	for (size_t k = 0; k < pass->n_prefixes; k++)
		if (pass_holds(pass, k))
			return true;
	return false;
}

static int weigh_once(struct event_pass *p)
{
	int r = 0;

	if (!p->weighed && (p->c.n_known[0] || p->c.n_known[1] || p->c.retries))
		r = weigh(p->ex, &p->pass, &p->c);
	p->weighed = true;
	return r;
}

/* A few packages of which nothing is held go beside others. */
static int decide_alone(struct event_pass *p)
{
	int r;

	p->alone = p->c.kind != PASS_EVENT || p->c.brake.before.n ||
		   p->seen.n > p->ex->opt.limits.rewrites.number;
	if (p->alone)
		return 0;
	r = weigh_once(p);
	p->alone = any_held(&p->pass);
	return r;
}

static int prepare(struct event_pass *p)
{
	struct collection *c = &p->c;
	struct exporter *ex = p->ex;
	int r = brake_init(&c->brake, &p->pass);

	if (!r && !ex->opt.verifier) /* which believes no record */
		r = suspects_load(ex->opt.held, &p->pass.suspects);
	if (!r)
		r = begin(ex, &p->pass, c->kind);
	if (!r)
		r = decide(c);
	if (!r)
		r = run_packages(&p->pass, behind_look, &c->behind, false);
	if (r < 0)
		return r;
	if (pass_is_event(c->kind))
		add_failed(ex, c);
	move_others(&c->urgent, &c->todo, &p->seen);
	move_others(&c->todo, &c->urgent, &p->seen);
	names_sort(&p->seen);
	p->feed = pass_is_event(c->kind) &&
		  site_turn_take(&ex->pace->feed, exporter_now(ex), false, false);
	if (!pass_is_event(c->kind) || p->seen.n || p->feed)
		r = pass_read_latest(&p->pass, ex->filled, ex->settled);
	if (r < 0)
		return r;
	if (!ex->opt.verifier)
		return decide_alone(p);
	verifier_begin(&p->pass, p->seen.n);
	p->weighed = true;
	return 0;
}

static void event_pass_free(struct event_pass *p)
{
	collection_release(&p->c);
	pass_release(&p->pass);
	names_release(&p->seen);
	free(p);
}

static struct event_pass *begin_pass(struct exporter *ex, enum pass_kind kind, struct names *wanted)
{
	struct event_pass *p = xcalloc(1, sizeof(*p));

	p->ex = ex;
	p->c = (struct collection){
		.ex = ex,
		.pass = &p->pass,
		.kind = kind,
		.now = ex->opt.deployment ? exporter_now(ex) : LATER_NEVER,
	};
	pass_init(&p->pass, &ex->opt, &ex->room);
	p->pass.renderer = ex->renderer;
	p->pass.refresh = !pass_is_event(kind) && !ex->opt.verifier;
	p->pass.lease = lease_of(ex);
	p->pass.claimed_until = clock_monotonic() + p->pass.lease.duration;
	p->pass.renewed_until = &ex->renewed_until;
	p->pass.recent = &ex->pace->packages;
	p->pass.pending = &p->c.pending;
	p->pass.urgent = &p->c.urgent;
	p->pass.returned = &p->c.returned;
	if (wanted) {
		p->c.wanted = *wanted;
		*wanted = (struct names){ 0 };
	}
	exporter_begin(ex);
	p->result = prepare(p);
	exporter_take(ex, &p->seen);
	p->next = ex->event_passes;
	ex->event_passes = p;
	return p;
}

static int run_all_packages(struct event_pass *p)
{
	struct exporter *ex = p->ex;
	int r = weigh_once(p);

	if (!r)
		r = run_packages(&p->pass, batch_run, &p->c.urgent, true);
	if (!r)
		r = run_packages(&p->pass, batch_run, &p->c.todo, true);
	if (r < 0)
		return r;
	if (pass_stopping(&p->pass))
		return -ECANCELED;
	if (ex->opt.verifier && p->c.kind == PASS_FULL)
		r = verifier_see_rest(&p->pass, &p->seen);
	return r;
}

static void run_pass(struct event_pass *p)
{
	bool full = p->c.kind == PASS_FULL;

	if (!p->result)
		p->result = run_all_packages(p);
	if (!p->result && !p->feed)
		p->feed = site_turn_take(&p->ex->pace->feed, exporter_now(p->ex),
					 full || pass_changed(&p->pass),
					 !pass_is_event(p->c.kind));
	if (!p->result) {
		brake_settle(&p->c.brake, full ? NULL : &p->seen);
		p->site = site_run(&p->pass, p->feed, full ? p->c.state : NULL);
	}
	if (p->feed && (p->result < 0 || p->site < 0))
		site_turn_give_back(&p->ex->pace->feed);
}

int event_pass_end(struct event_pass *p, struct export_counts *ret)
{
	struct exporter *ex = p->ex;
	struct event_pass **at = &ex->event_passes;
	int r = p->result;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (r < 0) {
		exporter_give_back(ex, &p->seen);
	} else {
		exporter_remember(ex, &p->pass, &p->seen, p->c.kind == PASS_FULL);
		r = end(&p->c, &p->seen);
		if (!r)
			r = p->site;
		if (!r)
			r = end_suspects(&p->c);
	}
	if (ex->opt.dry_run)
		planned_print_sums(ex->opt.dry_run);
	*ret = p->pass.counts;
	p->pass.counts = (struct export_counts){ 0 };
	event_pass_free(p);
	return r;
}

static int export_pass(struct exporter *ex, enum pass_kind kind, struct names *wanted,
		       struct export_counts *ret)
{
	struct event_pass *p = begin_pass(ex, kind, wanted);

	run_pass(p);
	return event_pass_end(p, ret);
}

struct event_pass *event_pass_begin(struct exporter *ex)
{
	return begin_pass(ex, PASS_EVENT, NULL);
}

bool event_pass_is_idle(const struct event_pass *p)
{
	return p->result < 0 || (!p->seen.n && !p->feed);
}

bool event_pass_is_alone(const struct event_pass *p)
{
	return p->alone;
}

int event_pass_run(struct event_pass *p)
{
	run_pass(p);
	return p->result < 0 ? p->result : p->site;
}

bool exporter_is_at(const struct exporter *ex, const char *package)
{
	for (const struct event_pass *p = ex->event_passes; p; p = p->next)
		if (names_have(&p->seen, package))
			return true;
	return false;
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

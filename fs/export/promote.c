/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * promote.c - latest/ becomes equal to another prefix, and is held there.
 *
 * It goes through
 *	compare	 both prefixes, by the index
 *	check	 the prefix is complete, and shows nothing that was taken down (promote_check.c)
 *	judge	 the brake holds all of it, or lets it go
 *	hold	 from now on no other deployment writes latest/
 *	apply	 in stages, each whole before the next one begins: no listing ever names an archive
 *		 that is not there, nor is ahead of its advisories. Of a package of which something
 *		 could not be changed, what comes in later stages waits.
 * Nothing is kept of a run that was interrupted: the next one compares anew.
 */
#include "promote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "db_deployment.h"
#include "diff.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "order.h"
#include "planned.h"
#include "promote_check.h"
#include "publish.h"
#include "store.h"
#include "strbuf.h"
#include "survey.h"

#define CHUNK	10000 /* objects of one publish() */
#define WHY_MAX ((size_t)8 << 10)

/* Copies in the order of writing, then removals in the reverse one (order.h). */
#define STAGES (2 * ORDERS)

/* One object that differs. */
struct change {
	char *name; /* below the prefix */
	char *package; /* NULL: no package's */
	bool is_listing;
	unsigned stage; /* below STAGES */
	uint64_t from, to; /* generations; 0: there is none */
};

struct promotion {
	const struct promote_options *opt;
	struct promote_counts *counts;
	char *prefix; /* of the version, with its '/' */
	struct change *changes; /* in the order of their names */
	size_t n, alloc;
	struct names packages; /* that differ, sorted */
	struct names stuck;    /* of which something could not be changed, sorted */
};

void promote_counts_release(struct promote_counts *counts)
{
	for (size_t i = 0; i < counts->n_missing; i++)
		free(counts->missing[i]);
	free(counts->missing);
	*counts = (struct promote_counts){ 0 };
}

static void promotion_release(struct promotion *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->changes[i].name);
		free(p->changes[i].package);
	}
	free(p->changes);
	free(p->prefix);
	names_release(&p->packages);
	names_release(&p->stuck);
}

static unsigned stage_of(const char *key, bool removal)
{
	unsigned order = order_of(key);

	return removal ? STAGES - 1 - order : order;
}

static int add_change(void *ctx, const struct difference *d)
{
	struct promotion *p = ctx;
	const char *key = d->a ? d->a->key : d->b->key;
	struct object_name name;
	struct change *change;

	if (catalog_match(key, &name) == KIND_NONE) {
		p->counts->others++;
		return 0;
	}
	GROW(p->changes, p->n, p->alloc);
	change = &p->changes[p->n++];
	*change = (struct change){
		.name = xstrdup(d->name),
		.is_listing = name.kind == KIND_LISTING,
		.stage = stage_of(key, !d->a),
		.from = d->a ? d->a->generation : 0,
		.to = d->b ? d->b->generation : 0,
	};
	if (name.package.len)
		change->package = xstrndup(name.package.text, name.package.len);
	if (change->package)
		names_add(&p->packages, change->package);
	return 0;
}

static int compare(struct promotion *p)
{
	const struct promote_options *opt = p->opt;
	const struct diff_side from = { opt->store, p->prefix }, to = { opt->store, "latest/" };
	struct diff_sizes sizes;
	uint64_t listings;
	int r = store_refresh(opt->store, p->prefix, 0);

	if (!r)
		r = store_refresh(opt->store, "latest/", 0);
	if (!r)
		r = store_refresh(opt->archives, "packages/", opt->ttl);
	if (!r)
		r = survey_count(opt->store, opt->version, &listings);
	if (r < 0)
		return r;
	if (!listings)
		return fail(-ENOENT, "there is no package below %s in %s", p->prefix,
			    opt->store->url);
	r = diff_sides(&from, &to, add_change, p, &sizes);
	names_sort(&p->packages);
	return r;
}

static int check(struct promotion *p)
{
	struct names missing = { 0 };
	int r = promote_check(p->opt, &p->packages, &missing);

	p->counts->missing = missing.names;
	p->counts->n_missing = missing.n;
	if (r < 0 || !missing.n)
		return r;
	return fail(-EINVAL,
		    "%s is not complete, so latest/ stays as it is: %s%s; fill it with pubfs sync "
		    "--prefixes own --runtime-version %s",
		    p->prefix, missing.names[0], missing.n > 1 ? ", and more" : "",
		    p->opt->version);
}

/* The listings that are replaced or removed are what the brake counts. */
static char *item_of(const struct change *c)
{
	if (!c->to || !c->is_listing)
		return NULL;
	return xasprintf("%s latest/%s %" PRIu64 " %" PRIu64, c->from ? "rewrite" : "remove",
			 c->name, c->from, c->to);
}

struct balance {
	struct names items;
	uint64_t rewrites, removals; /* that were not held before */
	bool held;		     /* something was */
};

static void weigh(const struct promotion *p, const struct names *before, struct balance *ret)
{
	for (size_t i = 0; i < p->n; i++) {
		CLEANUP(free_char) char *item = item_of(&p->changes[i]);

		if (!item)
			continue;
		names_add(&ret->items, item);
		if (names_have(before, item))
			ret->held = true;
		else if (p->changes[i].from)
			ret->rewrites++;
		else
			ret->removals++;
	}
	names_sort(&ret->items);
}

static int judge_balance(const struct promotion *p, const struct balance *b,
			 const struct strbuf *why_before)
{
	const struct brake_limits *limits = &p->opt->limits;
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	uint64_t present;
	int r = survey_count(p->opt->store, "latest", &present);

	if (r < 0)
		return r;
	if (brake_holds(&limits->rewrites, present, b->rewrites) ||
	    brake_holds_removals(&limits->removals, present, b->removals))
		strbuf_addf(&why,
			    "held: of %" PRIu64 " packages in latest/, %" PRIu64
			    " would be rewritten and %" PRIu64
			    " removed; pubfs diff %s latest shows how, and pubfs promote %s "
			    "--allow-mass-change does it",
			    present, b->rewrites, b->removals, p->opt->version, p->opt->version);
	else if (b->held && !p->opt->allow_mass_change)
		strbuf_addstr(&why, why_before->buf);
	if (!why.len)
		return 0;
	r = p->opt->see ? 0 : held_save(p->opt->held, why.buf, &b->items);
	return r < 0 ? r : fail(-ECANCELED, "%s", why.buf);
}

static int judge(const struct promotion *p)
{
	CLEANUP(names_release) struct names before = { 0 };
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	struct balance balance = { .held = false };
	int r = held_load(p->opt->held, &before, &why);

	if (!r) {
		weigh(p, &before, &balance);
		r = judge_balance(p, &balance, &why);
	}
	names_release(&balance.items);
	return r;
}

static bool is_stopping(const struct promotion *p)
{
	return p->opt->stop && atomic_load(p->opt->stop);
}

/* What a change is made of. */
struct parts {
	struct object from, to;
	char *key;
};

static void parts_release(struct parts *parts)
{
	object_release(&parts->from);
	object_release(&parts->to);
	free(parts->key);
}

/* 1: there it is; 0: there is none. */
static int look_up(struct store *s, const char *prefix, const char *name, uint64_t generation,
		   struct object *ret)
{
	CLEANUP(free_char) char *key = xasprintf("%s%s", prefix, name);
	int r = generation ? store_stat(s, key, ret) : -ENOENT;

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int publication_make(const struct promotion *p, const struct change *c, unsigned group,
			    struct parts *parts, struct publication *ret)
{
	int has_from = look_up(p->opt->store, p->prefix, c->name, c->from, &parts->from);
	int has_to = look_up(p->opt->store, "latest/", c->name, c->to, &parts->to);

	if (has_from < 0 || has_to < 0)
		return has_from < 0 ? has_from : has_to;
	parts->key = xasprintf("latest/%s", c->name);
	publication_init(ret);
	ret->key = parts->key;
	ret->group = group;
	ret->have = has_to ? &parts->to : NULL;
	ret->why = c->from ? "latest/ is made equal to the promoted prefix"
			   : "the promoted prefix does not have it";
	if (c->from) {
		ret->action = PUBLISH_COPY;
		ret->from = p->opt->store;
		ret->source = &parts->from;
		ret->change = parts->from.change;
		if (!has_from)
			return -ESTALE;
	} else {
		ret->action = PUBLISH_REMOVE;
	}
	return 0;
}

static void settle(struct promotion *p, const struct change *c, const struct publication *done,
		   int result)
{
	if (!result) {
		p->counts->copied += done->done == PUBLISHED_WRITE || done->done == PUBLISHED_TOUCH;
		p->counts->removed += done->done == PUBLISHED_REMOVE;
		return;
	}
	if (result == -ESTALE) {
		CLEANUP(free_char) char *from = xasprintf("%s%s", p->prefix, c->name);
		CLEANUP(free_char) char *to = xasprintf("latest/%s", c->name);

		log_warning("%s was written by another program meanwhile, and stays", to);
		p->counts->raced++;
		if (store_refresh(p->opt->store, to, 0) < 0 ||
		    store_refresh(p->opt->store, from, 0) < 0)
			log_debug("%s stays as the index has it", c->name);
	} else {
		p->counts->failed++;
	}
	if (c->package)
		names_add(&p->stuck, c->package);
}

static void apply_chunk(struct promotion *p, struct change *const *changes, size_t n)
{
	struct publication *publications = xcalloc(n, sizeof(*publications));
	struct parts *parts = xcalloc(n, sizeof(*parts));
	int *results = xcalloc(n, sizeof(*results));
	size_t *at = xcalloc(n, sizeof(*at)), made = 0;

	for (size_t i = 0; i < n; i++) {
		object_init(&parts[i].from);
		object_init(&parts[i].to);
		results[i] = publication_make(p, changes[i], (unsigned)i, &parts[i],
					      &publications[made]);
		at[i] = made;
		made += !results[i];
	}
	if (made && publish(p->opt->publisher, publications, made) < 0)
		log_debug("not all of %zu changes were made", made);
	for (size_t i = 0; i < n; i++)
		settle(p, changes[i], &publications[at[i]],
		       results[i] ? results[i] : publications[at[i]].result);
	for (size_t i = 0; i < made; i++)
		publication_release(&publications[i]);
	for (size_t i = 0; i < n; i++)
		parts_release(&parts[i]);
	free(publications);
	free(parts);
	free(results);
	free(at);
}

static void apply_stage(struct promotion *p, unsigned stage)
{
	struct change **chunk = xcalloc(CHUNK, sizeof(struct change *));
	size_t n = 0;

	names_sort(&p->stuck);
	for (size_t i = 0; i < p->n && !is_stopping(p); i++) {
		struct change *c = &p->changes[i];

		if (c->stage != stage)
			continue;
		if (c->package && names_have(&p->stuck, c->package)) {
			p->counts->waiting++;
			continue;
		}
		chunk[n++] = c;
		if (n == CHUNK) {
			apply_chunk(p, chunk, n);
			names_sort(&p->stuck);
			n = 0;
		}
	}
	if (n && !is_stopping(p))
		apply_chunk(p, chunk, n);
	free(chunk);
}

static void see_all(const struct promotion *p)
{
	for (unsigned stage = 0; stage < STAGES; stage++)
		for (size_t i = 0; i < p->n; i++) {
			const struct change *c = &p->changes[i];
			CLEANUP(free_char) char *key = xasprintf("latest/%s", c->name);
			const struct planned planned = {
				.action = c->from ? PLANNED_COPY : PLANNED_REMOVE,
				.key = key,
				.why = c->from ? "it is to be as in the promoted prefix"
					       : "the promoted prefix does not have it",
				.generation = c->to,
			};

			if (c->stage == stage)
				p->opt->see(p->opt->ctx, &planned);
		}
}

static int apply(struct promotion *p)
{
	static const struct names none = { 0 };
	int r = db_hold(p->opt->db, p->opt->version);

	for (unsigned stage = 0; stage < STAGES && !r; stage++)
		apply_stage(p, stage);
	if (r < 0)
		return r;
	if (is_stopping(p))
		return fail(-ECANCELED, "stopped half-way: latest/ is held at %s; run it again to "
					"go on",
			    p->opt->version);
	if (p->counts->raced + p->counts->failed)
		return fail(-EIO,
			    "latest/ is not equal to %s yet: %" PRIu64
			    " objects were written by others, %" PRIu64
			    " could not be changed; run it again",
			    p->prefix, p->counts->raced, p->counts->failed);
	return held_save(p->opt->held, "", &none);
}

int promote(const struct promote_options *options, struct promote_counts *ret)
{
	CLEANUP(promotion_release)
	struct promotion p = {
		.opt = options,
		.counts = ret,
		.prefix = xasprintf("%s/", options->version),
	};
	int r;

	*ret = (struct promote_counts){ 0 };
	r = compare(&p);
	if (!r)
		r = check(&p);
	if (!r && options->see)
		see_all(&p);
	if (!r)
		r = judge(&p);
	return r < 0 || options->see ? r : apply(&p);
}

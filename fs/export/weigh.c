/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weigh.c - what a pass would change of what is there, before it does, and what the brake says.
 *
 * A package of which nothing is there weighs nothing: a new deployment fills its prefix freely.
 * Any other is rendered and compared as an export would do it, and kept is only its name, its
 * change and what it would do (struct weight), so that a pass over everything takes little more
 * memory than one over a few. One that is at another change when its turn comes is weighed again,
 * by itself.
 *
 * What was held before, and is still planned at the same change, is held again and is not counted:
 * a single change beside it goes on. It is what an operator may release, and nothing else.
 */
#include "weigh.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "contested.h"
#include "held.h"
#include "item.h"
#include "log.h"
#include "memory.h"
#include "previous.h"
#include "publish.h"
#include "stored_body.h"

/* No list of advisories that has one is so short. */
#define EMPTY_LIST_MAX 100

#define WHY_MAX ((size_t)64 << 10)

/* 1: something of it is there. */
static int is_there(const struct pass *pass, const char *name)
{
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		CLEANUP(survey_release) struct survey have = { 0 };
		int r = survey_prefix(pass->opt->store, pass->prefixes[k], name, &have);

		if (r < 0 || have.n)
			return r < 0 ? r : 1;
	}
	return 0;
}

/* 1: this document would be written over the one that is there. What the gate refuses would not. */
static int would_change(const struct pass *pass, const struct item *item, const struct step *step)
{
	struct publication p;
	int r;

	publication_init(&p);
	p.action = PUBLISH_WRITE;
	p.key = step->key;
	p.have = step->have;
	p.why = step->why;
	p.body = &item->bodies[step->document];
	r = publish_preview(pass->opt->publisher, &p, 1);
	if (!r)
		r = p.done == PUBLISHED_WRITE;
	else if (r == -EINVAL || r == -ESTALE)
		r = 0;
	publication_release(&p);
	return r;
}

/* The listing that is there may have more versions: it is longer, or some of them have no row any
 * more, or none that could be listed. */
static bool may_shrink(const struct item *item, const struct target *t, const struct step *step)
{
	return !step->have->has_decoded_size ||
	       item->bodies[step->document].size < step->have->decoded_size || t->plan.garbage ||
	       item->releases.n < item->releases.n_visible;
}

static int weigh_listing(const struct pass *pass, const struct item *item, const struct target *t,
			 const struct step *step, unsigned *burdens)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct previous_listing before;
	int r = 0;

	*burdens |= BURDEN_REWRITE;
	if (may_shrink(item, t, step) || pass->deep)
		r = stored_load_if_sound(pass->opt->store, step->have, &text);
	if (r <= 0 || previous_listing(&text, &item->pkg, &item->releases, &before) < 0)
		return r < 0 ? r : 0;
	if (before.retracted)
		*burdens |= BURDEN_TAKE_DOWN;
	if (brake_holds_shrunk(before.versions, before.lost))
		*burdens |= BURDEN_SHRINK;
	return 0;
}

static int weigh_advisories(const struct pass *pass, const struct item *item,
			    const struct step *step, unsigned *burdens, struct names *lost)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	CLEANUP(names_release) struct names gone = { 0 };
	const struct object *have = step->have;
	struct previous_advisories before;
	bool had_some = !have->has_decoded_size || have->decoded_size > EMPTY_LIST_MAX;
	bool has_some = item->bodies[step->document].size > EMPTY_LIST_MAX;
	int r = 0;

	if ((had_some && !has_some) || pass->deep)
		r = stored_load_if_sound(pass->opt->store, have, &text);
	if (r <= 0 ||
	    previous_advisories(&text, &item->documents[step->document], &gone, &before) < 0)
		return r < 0 ? r : 0;
	if (before.added)
		*burdens |= BURDEN_TAKE_DOWN;
	if (!before.emptied)
		return 0;
	*burdens |= BURDEN_EMPTY;
	for (size_t i = 0; i < gone.n; i++)
		names_add(lost, gone.names[i]);
	return 0;
}

static int weigh_step(const struct pass *pass, const struct item *item, const struct target *t,
		      const struct step *step, unsigned *burdens, struct names *lost)
{
	int r;

	if (step->kind == STEP_REMOVE)
		*burdens |= BURDEN_TAKE_DOWN;
	if (step->kind != STEP_WRITE || !step->have || step->apart)
		return 0;
	r = would_change(pass, item, step);
	if (r <= 0)
		return r;
	if (package_documents[step->document].kind == KIND_LISTING)
		return weigh_listing(pass, item, t, step, burdens);
	return weigh_advisories(pass, item, step, burdens, lost);
}

/* Adds to the weight what a package does in one prefix. */
static int weigh_target(const struct pass *pass, const struct item *item, size_t k,
			struct weight *w)
{
	const struct target *t = &item->targets[k];
	int r = 0;

	for (size_t i = 0; i < t->plan.n && !r; i++)
		r = weigh_step(pass, item, t, &t->plan.steps[i], &w->burdens[k], &w->lost);
	if (w->burdens[k] & BURDEN_TAKE_DOWN)
		w->burdens[k] &= ~(unsigned)BURDEN_REWRITE;
	if (r < 0 || !t->foreign)
		return r;
	r = contested_is_kept(pass, item, t);
	if (r > 0)
		w->burdens[k] |= BURDEN_CONTESTED;
	return r < 0 ? r : 0;
}

static void keep_weight(struct pass *pass, struct weight *w)
{
	pthread_mutex_lock(&pass->lock);
	GROW(pass->weights, pass->n_weights, pass->weights_alloc);
	pass->weights[pass->n_weights++] = *w;
	pthread_mutex_unlock(&pass->lock);
}

/* What stands in pass->weighed. */
static char *mark_of(const struct item *item)
{
	return xasprintf("%s %s", item->name, item->pkg.change);
}

static void keep_mark(struct pass *pass, const struct item *item)
{
	CLEANUP(free_char) char *mark = mark_of(item);

	pthread_mutex_lock(&pass->lock);
	names_add(&pass->weighed, mark);
	pthread_mutex_unlock(&pass->lock);
}

bool weigh_is_known(const struct pass *pass, const struct item *item)
{
	CLEANUP(free_char) char *mark = mark_of(item);

	return names_have(&pass->weighed, mark);
}

int weigh_again(const struct pass *pass, const struct item *item)
{
	struct weight w = { .package = NULL };
	unsigned all = 0;
	int r = 0;

	for (size_t k = 0; k < pass->n_prefixes && !r; k++) {
		r = weigh_target(pass, item, k, &w);
		all |= w.burdens[k];
	}
	names_release(&w.lost);
	return r < 0 ? fail(r, "%s: cannot read what is there of it", item->name) : (int)all;
}

static void weigh_item(struct pass *pass, const struct item *item)
{
	struct weight w = { .package = NULL };
	unsigned all = 0;
	int r = 0;

	for (size_t k = 0; k < pass->n_prefixes && !r; k++) {
		if (item->targets[k].error) {
			pass_leave_unweighed(pass, item->name, item->targets[k].error);
			return;
		}
		r = weigh_target(pass, item, k, &w);
		all |= w.burdens[k];
	}
	if (r < 0) {
		CLEANUP(free_char)
		char *why = xasprintf("%s: cannot read what is there of it", item->name);

		pass_leave_unweighed(pass, item->name, why);
	} else {
		keep_mark(pass, item);
	}
	if (r < 0 || !all) {
		names_release(&w.lost);
		return;
	}
	w.package = xstrdup(item->name);
	w.change = xstrdup(item->pkg.change);
	keep_weight(pass, &w);
}

static void weigh_package(struct pass *pass, const char *name)
{
	struct item item;
	size_t bytes;

	item_init(pass, &item, name);
	item_read(pass, &item);
	bytes = item_bytes(&item);
	pass_reserve(pass, bytes, true);
	item_prepare(pass, &item);
	if (!item.gone)
		weigh_item(pass, &item);
	item_release(&item);
	pass_unreserve(pass, bytes);
}

void weigh_packages(struct pass *pass, char *const *names, size_t n)
{
	log_set_mute(true);
	for (size_t i = 0; i < n && !pass_stopping(pass); i++) {
		int r = is_there(pass, names[i]);

		if (r > 0)
			weigh_package(pass, names[i]);
		else if (r < 0)
			pass_leave_unweighed(pass, names[i], "the bucket cannot be listed");
	}
	log_set_mute(false);
}

/* What is held as contested stays it, however long ago it was made ours. */
static int init_contested(struct brake *brake)
{
	static const char held[] = "contested latest ";
	struct names *contested = &brake->pass->contested;
	int r = contested_load(brake->pass, contested);

	for (size_t i = 0; i < brake->before.n; i++)
		if (!strncmp(brake->before.names[i], held, strlen(held)))
			names_add(contested, brake->before.names[i] + strlen(held));
	names_sort(contested);
	return r;
}

int brake_init(struct brake *brake, struct pass *pass)
{
	int r;

	*brake = (struct brake){ .pass = pass };
	strbuf_init(&brake->why_before, WHY_MAX);
	strbuf_init(&brake->why, WHY_MAX);
	r = held_load(pass->opt->held, &brake->before, &brake->why_before);
	for (size_t i = 0; i < brake->before.n; i++) {
		const char *space = strchr(brake->before.names[i], ' ');

		if (space)
			names_add(&brake->keys, space + 1);
	}
	names_sort(&brake->keys);
	return r < 0 ? r : init_contested(brake);
}

void brake_release(struct brake *brake)
{
	names_release(&brake->before);
	names_release(&brake->keys);
	names_release(&brake->now);
	strbuf_release(&brake->why_before);
	strbuf_release(&brake->why);
}

bool brake_has(const struct brake *brake, const char *package, const char *change)
{
	for (size_t k = 0; k < brake->pass->n_prefixes; k++) {
		CLEANUP(free_char)
		char *key = xasprintf("%s %s %s", brake->pass->prefixes[k], package, change);

		if (!names_have(&brake->keys, key))
			return false;
	}
	return true;
}

void brake_pick(const struct brake *brake, unsigned burdens, unsigned without, struct names *ret)
{
	const struct pass *pass = brake->pass;

	for (size_t i = 0; i < pass->n_weights; i++) {
		unsigned all = 0;

		for (size_t k = 0; k < pass->n_prefixes; k++)
			all |= pass->weights[i].burdens[k];
		if (all & burdens && !(all & without))
			names_add(ret, pass->weights[i].package);
	}
	names_sort(ret);
}

/* One kind of burden in one prefix. */
struct judgement {
	unsigned burden;
	const char *verb; /* of its items */
	bool whole;	  /* nothing of it goes through, removals neither */
	/* Whether so many new ones are too much; says why. */
	int (*holds)(struct brake *brake, size_t k, uint64_t n, const struct names *lost);
};

static void add_why(struct brake *brake, const char *fmt, ...) PRINTF(2, 3);
static void add_why(struct brake *brake, const char *fmt, ...)
{
	va_list ap;

	strbuf_addstr(&brake->why, brake->why.len ? "; " : "held: ");
	va_start(ap, fmt);
	strbuf_vaddf(&brake->why, fmt, ap);
	va_end(ap);
}

/* Asks for the listings of a prefix only where their number can matter. */
static int beyond(struct brake *brake, const struct brake_limit *limit, size_t k, uint64_t n,
		  uint64_t *ret_present)
{
	int r;

	if (n <= limit->number)
		return 0;
	r = survey_count(brake->pass->opt->store, brake->pass->prefixes[k], ret_present);
	return r < 0 ? r : brake_holds(limit, *ret_present, n);
}

static int hold_rewrites(struct brake *brake, size_t k, uint64_t n, const struct names *lost)
{
	const struct exporter_options *opt = brake->pass->opt;
	const char *prefix = brake->pass->prefixes[k];
	uint64_t present = 0;
	int r = brake->rewrite_all[k] ? 0 : beyond(brake, &opt->limits.rewrites, k, n, &present);

	(void)lost;
	if (r <= 0)
		return r;
	add_why(brake, "%" PRIu64 " of %" PRIu64 " listings in %s/ would be rewritten", n, present,
		prefix);
	if (!strcmp(prefix, "latest") && opt->runtime_version)
		strbuf_addf(&brake->why, " (pubfs diff latest %s shows how)", opt->runtime_version);
	return 1;
}

static int hold_takedowns(struct brake *brake, size_t k, uint64_t n, const struct names *lost)
{
	uint64_t present = 0;
	int r = beyond(brake, &brake->pass->opt->limits.takedowns, k, n, &present);

	(void)lost;
	if (r > 0)
		add_why(brake, "%" PRIu64 " packages in %s/ would be taken down, whole or in part",
			n, brake->pass->prefixes[k]);
	return r;
}

static int hold_shrinks(struct brake *brake, size_t k, uint64_t n, const struct names *lost)
{
	(void)lost;
	if (n)
		add_why(brake, "%" PRIu64 " listing%s in %s/ would lose most of %s versions", n,
			n == 1 ? "" : "s", brake->pass->prefixes[k], n == 1 ? "its" : "their");
	return n > 0;
}

static int hold_emptied(struct brake *brake, size_t k, uint64_t n, const struct names *lost)
{
	if (!brake_holds_emptied(lost->n))
		return 0;
	add_why(brake,
		"%" PRIu64 " advisory list%s in %s/ would become empty, of %zu advisories at once",
		n, n == 1 ? "" : "s", brake->pass->prefixes[k], lost->n);
	return 1;
}

static int hold_contested(struct brake *brake, size_t k, uint64_t n, const struct names *lost)
{
	(void)lost;
	if (n)
		add_why(brake,
			"another program keeps writing %" PRIu64
			" package%s in %s/ that pubfs has written before, so end that program, or "
			"leave %s/ to it (--prefixes own)",
			n, n == 1 ? "" : "s", brake->pass->prefixes[k], brake->pass->prefixes[k]);
	return n > 0;
}

static const struct judgement judgements[BURDENS] = {
	{ BURDEN_REWRITE, "rewrite", false, hold_rewrites },
	{ BURDEN_TAKE_DOWN, "take-down", true, hold_takedowns },
	{ BURDEN_SHRINK, "shrink", false, hold_shrinks },
	{ BURDEN_EMPTY, "empty", false, hold_emptied },
	{ BURDEN_CONTESTED, "contested", false, hold_contested },
};

static char *item_of(const struct brake *brake, const struct judgement *j, size_t k,
		     const struct weight *w)
{
	return xasprintf("%s %s %s %s", j->verb, brake->pass->prefixes[k], w->package, w->change);
}

static void hold(struct brake *brake, const struct judgement *j, size_t k, const struct weight *w)
{
	struct pass *pass = brake->pass;
	CLEANUP(free_char) char *item = item_of(brake, j, k, w);

	names_add(&brake->now, item);
	names_add(j->whole ? &pass->held_whole[k] : &pass->held[k], w->package);
}

static int judge(struct brake *brake, const struct judgement *j, size_t k)
{
	struct pass *pass = brake->pass;
	CLEANUP(names_release) struct names lost = { 0 };
	const struct weight **new = xcalloc(pass->n_weights + 1, sizeof(*new));
	uint64_t n = 0;
	int r;

	for (size_t i = 0; i < pass->n_weights; i++) {
		const struct weight *w = &pass->weights[i];
		CLEANUP(free_char) char *item = NULL;

		if (!(w->burdens[k] & j->burden))
			continue;
		item = item_of(brake, j, k, w);
		if (names_have(&brake->before, item)) {
			if (!pass->opt->allow_mass_change)
				hold(brake, j, k, w);
			continue;
		}
		new[n++] = w;
		for (size_t a = 0; a < w->lost.n; a++)
			names_add(&lost, w->lost.names[a]);
	}
	names_sort(&lost);
	r = j->holds(brake, k, n, &lost);
	for (uint64_t i = 0; r > 0 && i < n; i++)
		hold(brake, j, k, new[i]);
	free(new);
	return r < 0 ? r : 0;
}

int brake_judge(struct brake *brake, unsigned burdens)
{
	struct pass *pass = brake->pass;

	names_sort(&pass->weighed);
	for (size_t i = 0; i < ARRAY_SIZE(judgements); i++)
		for (size_t k = 0; burdens & judgements[i].burden && k < pass->n_prefixes; k++) {
			int r = judge(brake, &judgements[i], k);

			if (r < 0)
				return r;
		}
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		names_sort(&pass->held[k]);
		names_sort(&pass->held_whole[k]);
	}
	return 0;
}

/* Adds an item, `verb prefix package change`, of a package that is none of `seen`. */
static void keep_item(struct brake *brake, const char *item, const struct names *seen)
{
	struct pass *pass = brake->pass;
	CLEANUP(free_char) char *copy = xstrdup(item);
	char *rest = copy, *verb = strsep(&rest, " "), *prefix = strsep(&rest, " ");
	const char *package = strsep(&rest, " ");

	if (!package || names_have(seen, package))
		return;
	names_add(&brake->now, item);
	for (size_t i = 0; i < ARRAY_SIZE(judgements); i++)
		for (size_t k = 0; !strcmp(judgements[i].verb, verb) && k < pass->n_prefixes; k++)
			if (!strcmp(pass->prefixes[k], prefix))
				names_add(judgements[i].whole ? &pass->held_whole[k]
							      : &pass->held[k],
					  package);
}

void brake_settle(struct brake *brake, const struct names *seen)
{
	struct pass *pass = brake->pass;

	brake->n_held = brake->now.n;
	for (size_t i = 0; seen && i < brake->before.n; i++)
		keep_item(brake, brake->before.names[i], seen);
	names_sort(&brake->now);
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		names_sort(&pass->held[k]);
		names_sort(&pass->held_whole[k]);
	}
}

int brake_end(struct brake *brake)
{
	const struct exporter_options *opt = brake->pass->opt;
	int r = 0;

	if (brake->why.len)
		strbuf_addstr(&brake->why,
			      ": pubfs sync --dry-run shows what, --allow-mass-change does it");
	else
		strbuf_addstr(&brake->why, brake->why_before.buf);
	/* where nothing was or is held, another pass may have begun to hold something meanwhile */
	if (!pass_rehearses(brake->pass) && (brake->before.n || brake->now.n))
		r = held_save(opt->held, brake->why.buf, &brake->now);
	if (!r && !pass_rehearses(brake->pass))
		r = contested_save(brake->pass);
	return r < 0 || !brake->n_held ? r : fail(-ECANCELED, "%s", brake->why.buf);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * batch.c - packages that are read, rendered, planned and published together.
 *
 * A package goes through
 *	read	 its rows, in one snapshot
 *	render	 its documents, once for both prefixes
 *	plan	 for each prefix (struct target), against what the index says of it
 *	publish	 all targets of the batch, a call for each stage of their plans; each is a group, so
 *		 that none stops another
 *	settle	 lost a race: look again, and begin anew with fresh rows; an archive that cannot be
 *		 copied, or documents that the gate refuses: begin anew without them, so that what
 *		 else changed, or is taken down, does not wait for them
 *	record	 when all is on stable storage; without it the next pass compares again
 *
 * Memory: a package reserves what its rows and documents may take before it is rendered. Who finds
 * no room publishes what it has, which gives that back, and then waits with nothing in hand.
 * pass->lock is never held across a call elsewhere.
 */
#include "batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "contested.h"
#include "db.h"
#include "exporter.h"
#include "item.h"
#include "log.h"
#include "memory.h"
#include "order.h"
#include "planned.h"
#include "publish.h"
#include "unlisted.h"
#include "verifier.h"
#include "weigh.h"

#define TRIES_MAX 5 /* a package that moves faster is left to the next pass */

struct batch {
	struct pass *pass;
	struct item *items;
	size_t n;
};

/* When all are weighed: no thread adds to those any more. */
static void refuse_unweighed(const struct pass *pass, struct item *item)
{
	for (size_t i = 0; i < pass->n_unweighed && !item->targets[0].error; i++)
		if (!strcmp(pass->unweighed[i].package, item->name))
			item_fail(pass, item, fail(-EIO, "%s", pass->unweighed[i].why));
}

/* Of what changed since the pass was weighed, a few single changes go on. */
static bool are_singles(struct pass *pass, unsigned burdens)
{
	bool few;

	pthread_mutex_lock(&pass->lock);
	few = ++pass->n_moved <= pass->opt->limits.rewrites.number;
	pthread_mutex_unlock(&pass->lock);
	return few && !(burdens & ~(unsigned)(BURDEN_REWRITE | BURDEN_TAKE_DOWN));
}

static void item_begin(struct pass *pass, struct item *item)
{
	item_read(pass, item);
	refuse_unweighed(pass, item);
}

static void item_plan(struct pass *pass, struct item *item)
{
	int burdens;

	item_prepare(pass, item);
	unlisted_mark(pass, item);
	if (item->gone || item->targets[0].error || pass_rehearses(pass) ||
	    weigh_is_known(pass, item))
		return;
	burdens = weigh_again(pass, item);
	if (burdens > 0 && !are_singles(pass, (unsigned)burdens))
		burdens = fail(-EIO,
			       "%s changed after this pass was weighed, and has to be weighed "
			       "together with all else that did: the next pass does that",
			       item->name);
	if (burdens < 0)
		item_fail(pass, item, burdens);
}

static void publication_make(const struct pass *pass, const struct item *item,
			     const struct step *step, unsigned group, struct publication *ret)
{
	publication_init(ret);
	ret->key = step->key;
	ret->group = group;
	ret->have = step->have;
	ret->change = item->pkg.change;
	ret->why = step->why;
	ret->force = pass->opt->force || step->force;
	ret->refresh = pass->refresh;
	ret->mark = step->mark || (pass->opt->rebase && step->have &&
				   change_is_foreign(step->have->change, item->pkg.change));
	if (step->kind == STEP_COPY) {
		ret->action = PUBLISH_COPY;
		ret->from = pass->opt->archives;
		ret->source = step->source;
		ret->sha256 = step->sha256;
	} else if (step->kind == STEP_WRITE) {
		ret->action = PUBLISH_WRITE;
		ret->body = &item->bodies[step->document];
	} else if (step->kind == STEP_MARK) {
		ret->action = PUBLISH_ADOPT;
		ret->from = pass->opt->store;
		ret->source = step->have;
	} else {
		ret->action = PUBLISH_REMOVE;
	}
}

/* In a dry run, where they are still in the plan. */
static bool step_is_held(const struct target *t, const struct step *step)
{
	return t->held_whole || (t->held && step->kind != STEP_REMOVE);
}

static void target_count(struct export_counts *counts, const struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		uint64_t *count[] = {
			[PUBLISHED_NOTHING] = NULL,
			[PUBLISHED_TOUCH] = &counts->touched,
			[PUBLISHED_WRITE] = t->plan.steps[i].kind == STEP_COPY ? &counts->copied
									       : &counts->written,
			[PUBLISHED_REMOVE] = &counts->removed,
		};

		if (count[t->publications[i].done] && !step_is_held(t, &t->plan.steps[i]))
			++*count[t->publications[i].done];
	}
}

static char *failure_text(const struct publication *p)
{
	if (p->result == -EINVAL && p->remark.len)
		return xasprintf("refused %s: %s", p->key, p->remark.buf);
	return xasprintf("%s: %s", p->key, strerror(-p->result));
}

/* At its first step that failed. */
static void target_stop(struct item *item, struct target *t, size_t i)
{
	const struct publication *p = &t->publications[i];
	CLEANUP(free_char) char *why = failure_text(p);

	if (p->result == -ESTALE) {
		t->raced = true;
	} else if (p->action == PUBLISH_COPY && p->result != -ECANCELED) {
		t->blocked = true;
		if (!item_has_bar(item, t->plan.steps[i].version))
			item_bar(item, t->plan.steps[i].version, why);
	} else if (p->result == -EINVAL && !t->plan.steps[i].apart) {
		t->blocked = true;
		if (!item->refused)
			item->refused = steal(why);
	} else {
		t->error = steal(why);
	}
}

/* Of a package of which every version is left out: why the first one is. */
static const char *unlisted_why(const struct item *item)
{
	return item->releases.n_left_out ? item->releases.left_out[0] : item->bars[0].why;
}

/* The objects as this leaves them: what was there, and what took its place. */
static void target_see(const struct item *item, struct target *t)
{
	memset(t->seen, 0, SHA256_SIZE);
	survey_add_to(&t->have, t->seen);
	survey_add_to(&item->canonical, t->seen);
	for (size_t i = 0; i < t->plan.n; i++) {
		const struct publication *p = &t->publications[i];

		if (p->done == PUBLISHED_NOTHING)
			continue;
		if (p->have)
			survey_toggle(t->seen, p->have);
		if (p->done != PUBLISHED_REMOVE)
			survey_toggle(t->seen, &p->now);
	}
	if (t->left)
		survey_set_left(t->seen);
}

static void target_settle(const struct pass *pass, struct item *item, struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++)
		if (t->publications[i].result < 0) {
			target_stop(item, t, i);
			return;
		}
	if (!pass_rehearses(pass)) /* else nothing is recorded */
		target_see(item, t);
	if (t->held)
		t->error = xstrdup("held: too much would change at once");
	else if (t->plan.verdict == PLAN_UNUSABLE && item->unlistable)
		t->error = xstrdup(item->unlistable);
	else if (t->plan.verdict == PLAN_UNUSABLE)
		target_fail(t, fail(-EINVAL,
				    "no version of %s could be read by a client, so its listing in "
				    "%s/ stays: %s",
				    item->name, t->prefix, unlisted_why(item)));
}

/* What the index says of the keys that a race was lost for may be old. */
static int target_look_again(const struct pass *pass, const struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		const struct publication *p = &t->publications[i];
		int r;

		if (p->result != -ESTALE && p->action != PUBLISH_WRITE && !p->mark)
			continue;
		r = store_refresh(pass->opt->store, p->key, 0);
		if (!r && p->action == PUBLISH_COPY && p->result == -ESTALE)
			r = store_refresh(pass->opt->archives, p->source->key, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static void step_print(const struct pass *pass, const struct item *item, const struct target *t,
		       size_t i)
{
	static const enum planned_action actions[] = {
		[STEP_COPY] = PLANNED_COPY,
		[STEP_WRITE] = PLANNED_WRITE,
		[STEP_REMOVE] = PLANNED_REMOVE,
		[STEP_MARK] = PLANNED_RENEW,
	};
	const struct step *step = &t->plan.steps[i];
	struct planned planned = {
		.action = actions[step->kind],
		.key = step->key,
		.why = step->why,
		.generation = step->have ? step->have->generation : 0,
		.held = step_is_held(t, step),
	};

	if (step->kind == STEP_WRITE)
		planned.bytes = item->bodies[step->document].size;
	else
		planned.bytes = step->kind == STEP_COPY ? step->source->size : step->have->size;
	if (t->publications[i].done == PUBLISHED_TOUCH) {
		planned.action = PLANNED_RENEW;
		planned.why = "its metadata is not as it should be";
		planned.bytes = 0;
	}
	planned_print(pass->opt->dry_run, &planned);
}

static void item_print(const struct pass *pass, const struct item *item)
{
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		const struct target *t = &item->targets[k];

		for (size_t i = 0; t->tried && i < t->plan.n; i++)
			if (t->publications[i].done != PUBLISHED_NOTHING)
				step_print(pass, item, t, i);
	}
}

/* The publications of all targets, a group each, but for what stands apart. Returns how many there
 * are. */
static size_t publications_make(const struct pass *pass, struct item *const *items, size_t n,
				struct publication **ret)
{
	struct publication *publications;
	size_t count = 0, at = 0;
	unsigned group = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pass->n_prefixes; k++)
			count += items[i]->targets[k].plan.n;
	publications = xcalloc(count ? count : 1, sizeof(*publications));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < pass->n_prefixes; k++, group++) {
			struct target *t = &items[i]->targets[k];

			t->publications = publications + at;
			t->tried = !t->error;
			for (size_t j = 0; j < t->plan.n && !t->error; j++) {
				group += t->plan.steps[j].apart;
				publication_make(pass, items[i], &t->plan.steps[j], group,
						 &publications[at++]);
			}
		}
	*ret = publications;
	return at;
}

static void note_written(struct item *item, const struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		enum published done = t->publications[i].done;

		item->written |= done != PUBLISHED_NOTHING;
		item->shown |= (done == PUBLISHED_WRITE || done == PUBLISHED_REMOVE) &&
			       order_of(t->plan.steps[i].key) != ORDER_REST;
	}
}

static void target_after(const struct pass *pass, struct item *item, struct target *t,
			 bool last_try)
{
	int r;

	note_written(item, t);
	target_settle(pass, item, t);
	if (t->blocked && last_try) {
		t->blocked = false;
		t->error = xstrdup(item->refused ? item->refused
						 : item->bars[item->n_bars - 1].why);
	}
	if (!t->raced)
		return;
	r = last_try ? fail(-ESTALE,
			    "%s is being changed by others all the time; the next pass "
			    "tries again",
			    item->name)
		     : target_look_again(pass, t);
	if (r < 0) {
		target_fail(t, r);
		t->raced = false;
	}
}

static bool item_is_settled(const struct item *item)
{
	for (size_t k = 0; k < PREFIXES_MAX; k++)
		if (item->targets[k].raced || item->targets[k].blocked)
			return false;
	return true;
}

static void item_after(struct pass *pass, struct item *item, bool last_try)
{
	for (size_t k = 0; k < pass->n_prefixes; k++)
		if (item->targets[k].tried) {
			target_after(pass, item, &item->targets[k], last_try);
			if (item->targets[k].raced && pass_is_latest(pass, k))
				pass_doubt_latest(pass);
		}
	if (pass_rehearses(pass) && !item_is_settled(item))
		return; /* what comes next says the same again */
	pthread_mutex_lock(&pass->lock);
	for (size_t k = 0; k < pass->n_prefixes; k++)
		if (item->targets[k].tried)
			target_count(&pass->counts, &item->targets[k]);
	pthread_mutex_unlock(&pass->lock);
	if (pass->opt->dry_run)
		item_print(pass, item);
	if (pass->opt->verifier)
		verifier_see(pass, item);
}

/* A stage has begun in vain when what it waits for has failed. */
static bool target_may_go_on(const struct target *t, unsigned stage)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		const struct step *step = &t->plan.steps[i];

		if (step->stage < stage && !step->apart && t->publications[i].result < 0)
			return false;
	}
	return true;
}

/* Adds what a target does in one stage. */
static void target_gather(const struct target *t, unsigned stage, struct publication **ret,
			  size_t *n)
{
	bool goes_on = target_may_go_on(t, stage);

	for (size_t i = 0; i < t->plan.n; i++) {
		if (t->plan.steps[i].stage != stage)
			continue;
		if (goes_on)
			ret[(*n)++] = &t->publications[i];
		else
			t->publications[i].result = -ECANCELED;
	}
}

/* One call of publish() for a stage of these. */
static void stage_publish(const struct pass *pass, struct item *const *items, size_t n_items,
			  unsigned stage, size_t count)
{
	struct publication **homes = xcalloc(count + 1, sizeof(*homes));
	struct publication *together;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < n_items; i++)
		for (size_t k = 0; k < pass->n_prefixes; k++)
			if (items[i]->targets[k].tried)
				target_gather(&items[i]->targets[k], stage, homes, &n);
	together = xcalloc(n + 1, sizeof(*together));
	for (size_t i = 0; i < n; i++)
		together[i] = *homes[i];
	if (n && pass_rehearses(pass))
		r = publish_preview(pass->opt->publisher, together, n);
	else if (n)
		r = publish(pass->opt->publisher, together, n);
	if (r < 0)
		log_debug("a batch of %zu packages did not go through whole", n_items);
	for (size_t i = 0; i < n; i++)
		*homes[i] = together[i];
	free(together);
	free(homes);
}

static void items_publish(struct pass *pass, struct item *const *items, size_t n, bool last_try)
{
	struct publication *publications;
	size_t count = publications_make(pass, items, n, &publications);

	for (unsigned stage = 0; stage < STAGES; stage++)
		stage_publish(pass, items, n, stage, count);
	for (size_t i = 0; i < n; i++)
		item_after(pass, items[i], last_try);
	for (size_t i = 0; i < count; i++)
		publication_release(&publications[i]);
	free(publications);
}

/* The first archive that could not be copied has ended its plan; which others cannot either? */
static void target_bar_others(const struct pass *pass, struct item *item, const struct target *t)
{
	struct publication *copies = xcalloc(t->plan.n, sizeof(*copies));
	const struct step **steps = xcalloc(t->plan.n, sizeof(*steps));
	unsigned n = 0;

	for (size_t i = 0; i < t->plan.n; i++) {
		const struct step *step = &t->plan.steps[i];

		if (step->kind != STEP_COPY || item_has_bar(item, step->version))
			continue;
		steps[n] = step;
		publication_make(pass, item, step, n, &copies[n]);
		n++;
	}
	if (publish_preview(pass->opt->publisher, copies, n) < 0)
		log_debug("more than one archive of %s cannot be copied", item->name);
	for (unsigned i = 0; i < n; i++) {
		if (copies[i].result < 0 && copies[i].result != -ESTALE) {
			CLEANUP(free_char) char *why = failure_text(&copies[i]);

			item_bar(item, steps[i]->version, why);
		}
		publication_release(&copies[i]);
	}
	free(copies);
	free(steps);
}

static bool item_begin_again(struct pass *pass, struct item *item)
{
	if (item_is_settled(item))
		return false;
	for (size_t k = 0; k < pass->n_prefixes && !item->refused; k++)
		if (item->targets[k].blocked)
			target_bar_others(pass, item, &item->targets[k]);
	item_clear(item);
	item_begin(pass, item);
	item_plan(pass, item);
	return !item->gone;
}

/* What went through without some of its archives has failed all the same. */
static void item_end(const struct pass *pass, struct item *item)
{
	for (size_t k = 0; k < pass->n_prefixes && item->n_bars; k++)
		if (!item->targets[k].error)
			item->targets[k].error = xstrdup(item->bars[0].why);
}

/* The first names in their order, whichever thread came first. */
static void count_without_archive(struct export_counts *counts, const struct item *item)
{
	const struct plan *plan = &item->targets[0].plan;
	char *name;

	if (!plan->no_archive)
		return;
	counts->no_archive += plan->no_archive;
	name = xasprintf("%s %s", item->name, plan->first_without);
	for (size_t i = 0; i < ARRAY_SIZE(counts->no_archive_names); i++) {
		char *there = counts->no_archive_names[i];

		if (!there || strcmp(name, there) < 0) {
			counts->no_archive_names[i] = name;
			name = there;
		}
	}
	free(name);
}

static void add_failure(struct pass *pass, const struct item *item)
{
	size_t k = 0;

	while (!item->targets[k].error || item->targets[k].held)
		k++;
	pass->counts.failed++;
	GROW(pass->failures, pass->n_failures, pass->failures_alloc);
	pass->failures[pass->n_failures++] =
		(struct failure){ .package = xstrdup(item->name),
				  .change = xstrdup_or_null(item->pkg.change),
				  .why = xstrdup(item->targets[k].error) };
}

/* In an event pass. What hides something from clients moves the row's `updated`; what else changes
 * of such a package (likes, a score) does not, and no client is kept from anything by it. */
static void count_takedown(struct export_counts *counts, const struct item *item)
{
	takedowns_note(&counts->takedowns, item->pkg.updated, item->pkg.read,
		       clock_monotonic() - item->read_at);
}

/* What is said and counted of a package when nothing more will be tried. */
static void item_report(struct pass *pass, const struct item *item)
{
	const struct release_list *releases = &item->releases;
	bool failed = false, held = false, left = false;

	if (item->gone)
		return;
	for (size_t i = 0; i < releases->n_left_out; i++)
		log_warning("%s", releases->left_out[i]);
	for (size_t i = 0; i < releases->n_noticed; i++)
		log_warning("%s", releases->noticed[i]);
	if (item->targets[0].plan.verdict == PLAN_NO_ROWS && !item->targets[0].error)
		log_warning("%s has no version, so what is exported of it stays", item->name);
	pthread_mutex_lock(&pass->lock);
	pass->counts.left_out += releases->n_left_out + releases->n_unservable;
	count_without_archive(&pass->counts, item);
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		pass->counts.garbage += item->targets[k].plan.garbage;
		held |= item->targets[k].held;
		left |= item->targets[k].left;
		failed |= item->targets[k].error && !item->targets[k].held;
	}
	pass->counts.held += held;
	for (size_t k = 0; k < pass->n_prefixes; k++)
		if (item->targets[k].foreign && !item->targets[k].error)
			contested_note(pass, item);
	if (left) {
		pass->counts.left++;
		names_add(&pass->left, item->name);
	}
	if (failed)
		add_failure(pass, item);
	if (pass->opt->deployment && item->written)
		recent_note(pass->recent, item->name, exporter_clock(pass->opt));
	if (item->shown && !failed && !pass->refresh && names_have(pass->urgent, item->name))
		count_takedown(&pass->counts, item);
	pthread_mutex_unlock(&pass->lock);
}

/* A version that is left out does not fail its package: that is recorded as done, and then what
 * was left out as its error, so that it stays in sight. */
static size_t item_records(const struct pass *pass, const struct item *item,
			   struct export_record *ret)
{
	size_t n = 0;

	for (size_t k = 0; k < pass->n_prefixes && !item->gone; k++) {
		const struct target *t = &item->targets[k];
		struct export_record record = { .prefix = pass->keys[k], .package = item->name };

		if (t->left && pass->filling)
			continue; /* it is work still, for other hosts of the deployment, too */
		record.state.last_error = t->error;
		if (!t->error) {
			record.state.change = item->pkg.change;
			record.state.renderer = pass->renderer;
			memcpy(record.state.seen, t->seen, SHA256_SIZE);
		}
		ret[n++] = record;
		if (!t->error && item->releases.n_left_out) {
			record.state = (struct export_state){
				.last_error = item->releases.left_out[0],
			};
			ret[n++] = record;
		}
	}
	return n;
}

static void batch_record(struct batch *b)
{
	struct pass *pass = b->pass;
	struct export_record *records = xcalloc(b->n * PREFIXES_MAX * 2, sizeof(*records));
	size_t n = 0;
	int r;

	for (size_t i = 0; i < b->n; i++)
		n += item_records(pass, &b->items[i], records + n);
	r = n ? db_record(pass->opt->db, pass->opt->store->url, records, n) : 0;
	if (r < 0) {
		pthread_mutex_lock(&pass->lock);
		pass->error = r;
		pthread_mutex_unlock(&pass->lock);
	}
	free(records);
}

/* Another host may have them already. */
static void give_up(const struct pass *pass, struct item *const *items, size_t n)
{
	int r = fail(-EIO, "the leases on %zu packages could not be renewed in time", n);

	for (size_t i = 0; i < n; i++)
		item_fail(pass, items[i], r);
}

/* Publishes what was gathered, and lets go of it. */
static void batch_flush(struct batch *b)
{
	struct item **pending;
	size_t n = 0;

	if (!b->n)
		return;
	pending = xcalloc(b->n, sizeof(*pending));
	for (size_t i = 0; i < b->n; i++)
		if (!b->items[i].gone)
			pending[n++] = &b->items[i];
	for (unsigned tries = 1; n; tries++) {
		size_t again = 0;

		if (!pass_lease_lasts(b->pass))
			give_up(b->pass, pending, n);
		items_publish(b->pass, pending, n, tries == TRIES_MAX);
		for (size_t i = 0; i < n; i++)
			if (item_begin_again(b->pass, pending[i]))
				pending[again++] = pending[i];
		n = again;
	}
	free(pending);
	for (size_t i = 0; i < b->n; i++)
		item_end(b->pass, &b->items[i]);
	if (!pass_rehearses(b->pass))
		batch_record(b);
	for (size_t i = 0; i < b->n; i++) {
		item_report(b->pass, &b->items[i]);
		pass_unreserve(b->pass, b->items[i].reserved);
		item_release(&b->items[i]);
	}
	b->n = 0;
}

static void batch_add(struct batch *b, const char *name)
{
	struct item *item;
	size_t bytes;

	item_init(b->pass, &b->items[b->n], name);
	item_begin(b->pass, &b->items[b->n]);
	bytes = item_bytes(&b->items[b->n]);
	if (!pass_reserve(b->pass, bytes, false)) {
		struct item next = b->items[b->n]; /* it is not of the batch yet */

		batch_flush(b);
		b->items[0] = next;
		pass_reserve(b->pass, bytes, true);
	}
	item = &b->items[b->n++];
	item->reserved = bytes;
	item_plan(b->pass, item);
}

void batch_run(struct pass *pass, char *const *names, size_t n)
{
	struct batch b = { .pass = pass, .items = xcalloc(n, sizeof(*b.items)) };

	for (size_t i = 0; i < n && !pass_stopping(pass); i++)
		batch_add(&b, names[i]);
	batch_flush(&b);
	free(b.items);
}

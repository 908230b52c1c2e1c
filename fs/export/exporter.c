/* SPDX-License-Identifier: BSD-3-Clause */
/* exporter.c - what an exporter knows from one pass to the next. */
#include "exporter.h"

#include <stdlib.h>

#include "clock.h"
#include "memory.h"
#include "pass.h"

#define TAKEN_AGAIN SECOND_US /* when to ask again for what another pass or host works on */

void exporter_set_latest(struct exporter *ex, bool filled, bool settled)
{
	ex->filled = filled;
	ex->settled = settled;
}

void exporter_look_anew(struct exporter *ex)
{
	ex->look_anew = true;
}

void exporter_set_rebase(struct exporter *ex, bool rebase)
{
	ex->opt.rebase = rebase;
}

size_t exporter_left(const struct exporter *ex, char *const **ret)
{
	*ret = ex->left.names;
	return ex->left.n;
}

void exporter_keep_pace(struct exporter *ex, struct exporter *with)
{
	ex->pace = &with->own_pace;
}

int64_t exporter_clock(const struct exporter_options *options)
{
	return options->clock ? options->clock(options->clock_ctx) : clock_monotonic();
}

int64_t exporter_now(const struct exporter *ex)
{
	return exporter_clock(&ex->opt);
}

int64_t exporter_due(struct exporter *ex)
{
	int64_t passed_over = earlier(later_next(&ex->later), ex->again_at);

	return earlier(site_turn_due(&ex->pace->feed), passed_over);
}

void exporter_begin(struct exporter *ex)
{
	if (exporter_now(ex) >= ex->again_at)
		ex->again_at = LATER_NEVER;
}

void exporter_ask_again(struct exporter *ex)
{
	exporter_ask_at(ex, exporter_now(ex) + TAKEN_AGAIN);
}

void exporter_ask_at(struct exporter *ex, int64_t at)
{
	ex->again_at = earlier(ex->again_at, at);
}

void exporter_take(struct exporter *ex, const struct names *seen)
{
	later_set(&ex->later, seen, LATER_NEVER);
}

void exporter_give_back(struct exporter *ex, const struct names *seen)
{
	later_set(&ex->later, seen, exporter_now(ex));
}

bool exporter_failure(const struct exporter *ex, size_t i, struct export_failure *ret)
{
	const struct later_entry *e = later_failure(&ex->later, i);

	if (e) /* under way: now */
		*ret = (struct export_failure){ e->package, e->why, e->attempts,
						e->until == LATER_NEVER ? exporter_now(ex)
									: e->until };
	return e;
}

/* What failed is work again, until it succeeds. */
static void remember_results(struct exporter *ex, struct pass *pass, const struct names *seen,
			     bool full)
{
	CLEANUP(names_release) struct names open = { 0 }; /* nobody knows that they are well */
	int64_t at = exporter_now(ex);

	for (size_t i = 0; i < pass->n_failures; i++)
		names_add(&open, pass->failures[i].package);
	for (size_t i = 0; i < pass->taken.n; i++)
		names_add(&open, pass->taken.names[i]);
	names_sort(&open);
	later_set(&ex->later, seen, at + TAKEN_AGAIN);
	if (full)
		later_keep(&ex->later, &open);
	for (size_t i = 0; i < seen->n && !full; i++)
		if (!names_have(&open, seen->names[i]))
			later_forget(&ex->later, seen->names[i]);
	for (size_t i = 0; i < pass->n_failures; i++)
		later_failed(&ex->later, pass->failures[i].package, pass->failures[i].change,
			     pass->failures[i].why, at);
	if (pass->taken.n)
		exporter_ask_again(ex);
}

static void remember_left(struct exporter *ex, struct pass *pass, const struct names *seen,
			  bool full)
{
	struct names left = { 0 };

	for (size_t i = 0; i < ex->left.n && !full; i++)
		if (!names_have(seen, ex->left.names[i]))
			names_add(&left, ex->left.names[i]);
	for (size_t i = 0; i < pass->left.n; i++)
		names_add(&left, pass->left.names[i]);
	names_sort(&left);
	names_release(&ex->left);
	ex->left = left;
	if (!pass->latest_read) /* there was nothing to do */
		pass->counts.left_why = xstrdup_or_null(ex->left_why);
	else if (pass->latest_closed)
		pass->counts.left_why = xstrdup(pass->closed_why);
	else if (pass->counts.left)
		pass->counts.left_why = xstrdup("newer deployments keep them");
	free(ex->left_why);
	ex->left_why = xstrdup_or_null(pass->counts.left_why);
}

void exporter_remember(struct exporter *ex, struct pass *pass, const struct names *seen, bool full)
{
	remember_results(ex, pass, seen, full);
	remember_left(ex, pass, seen, full);
	ex->look_anew &= !full;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* updating.c - the updater as a command runs it, and what is said of it. */
#include "updating.h"

#include <errno.h>

#include "facts.h"
#include "gc.h"
#include "memory.h"
#include "metrics.h"
#include "object.h"
#include "options.h"
#include "stack.h"
#include "updater.h"

static int collect(void *ctx, const atomic_bool *stop)
{
	CLEANUP(gc_counts_release) struct gc_counts counts = { .removed = 0 };
	const struct updating *u = ctx;
	struct gc_options options;

	stack_describe_gc(u->o, u->stack, &options);
	options.stop = stop;
	return gc_run(&options, &counts);
}

int updating_start(const struct options *o, const struct stack *stack, struct updating *ret)
{
	struct updating *u = ret;
	const struct updater_options options = {
		.export = &u->export, .accepted = o->accepted, .collect = collect, .ctx = u
	};
	int r;

	*u = (struct updating){ .o = o, .stack = stack };
	stack_describe_export(o, stack, &u->export);
	r = updater_start(&options, &u->updater);
	if (r < 0)
		updating_stop(u);
	return r;
}

void updating_stop(struct updating *u)
{
	updater_stop(u->updater);
	u->updater = NULL;
}

static const char *result_name(const struct updater_status *status)
{
	if (status->last_pass == NO_TIME)
		return NULL;
	if (status->last_result == 0)
		return "done";
	return status->last_result == -ECANCELED ? "held" : "failed";
}

/* All of them, and of the first ones the reasons. */
static void add_packages(struct facts *f, const char *name, const struct updater_packages *p)
{
	facts_enter(f, name);
	facts_number(f, "packages", p->all);
	facts_enter(f, "names");
	for (size_t i = 0; i < p->n; i++) {
		if (!p->packages[i].why) {
			facts_text(f, p->packages[i].name, NULL);
			continue;
		}
		facts_enter(f, p->packages[i].name);
		facts_text(f, "why", p->packages[i].why);
		facts_number(f, "failures", p->packages[i].attempts);
		facts_time(f, "next_try", p->packages[i].next_try);
		facts_leave(f);
	}
	facts_leave(f);
	facts_leave(f);
}

static void add_takedowns(struct facts *f, const struct export_counts *total)
{
	const struct takedowns *t = &total->takedowns;

	facts_enter(f, "takedown_seconds");
	facts_number(f, "count", t->n);
	facts_seconds(f, "mean", t->n ? t->time / (int64_t)t->n : 0);
	facts_seconds(f, "max", t->max);
	facts_leave(f);
}

void updating_add_facts(const struct updating *u, struct facts *f)
{
	struct updater_status status;

	if (!u->updater)
		return;
	updater_status(u->updater, &status);
	facts_enter(f, "updater");
	facts_time(f, "last_pass", status.last_pass);
	facts_text(f, "last_result", result_name(&status));
	facts_text(f, "last_error", status.last_error);
	facts_seconds(f, "lag", status.lag);
	facts_number(f, "passes", status.passes);
	facts_number(f, "noticed", status.noticed);
	facts_number(f, "written", status.total.written);
	facts_number(f, "copied", status.total.copied);
	facts_number(f, "touched", status.total.touched);
	facts_number(f, "removed", status.total.removed);
	facts_number(f, "failed", status.total.failed);
	facts_text(f, "latest_left_to", status.latest);
	add_packages(f, "failing", &status.failing);
	add_packages(f, "waiting", &status.waiting);
	add_takedowns(f, &status.total);
	facts_leave(f);
	updater_status_release(&status);
}

static void add_takedown_metrics(const struct takedowns *t, struct strbuf *out)
{
	struct metric_bucket buckets[TAKEDOWN_BOUNDS];

	for (size_t i = 0; i < TAKEDOWN_BOUNDS; i++)
		buckets[i] = (struct metric_bucket){ takedown_bounds[i], t->within[i] };
	metrics_add_histogram("takedown_seconds",
			      "From the commit of what takes something down to the bucket.",
			      buckets, TAKEDOWN_BOUNDS, t->n, (uint64_t)t->time, out);
}

void updating_add_metrics(const struct updating *u, struct strbuf *out)
{
	struct updater_status status;
	const struct export_counts *total = &status.total;
	static const char changes[] = "Objects that the updater changed.";

	if (!u->updater)
		return;
	updater_status(u->updater, &status);

	const struct metric rows[] = {
		{ METRIC_COUNTER, "passes", NULL, "Passes of the updater.", status.passes },
		{ METRIC_COUNTER, "changes_noticed", NULL,
		  "How often the database was seen to have changed.", status.noticed },
		{ METRIC_GAUGE, "last_pass_timestamp_seconds", NULL, "When the newest one ended.",
		  status.last_pass == NO_TIME ? 0 : (uint64_t)status.last_pass },
		{ METRIC_GAUGE, "last_pass_failed", NULL, "1: it was held, or something failed.",
		  status.last_result < 0 },
		{ METRIC_GAUGE, "lag_seconds", NULL,
		  "For how long no pass has seen a change of the database through.",
		  (uint64_t)status.lag },
		{ METRIC_COUNTER, "changes", "action=\"write\"", changes, total->written },
		{ METRIC_COUNTER, "changes", "action=\"copy\"", NULL, total->copied },
		{ METRIC_COUNTER, "changes", "action=\"touch\"", NULL, total->touched },
		{ METRIC_COUNTER, "changes", "action=\"remove\"", NULL, total->removed },
		{ METRIC_GAUGE, "failing_packages", NULL, "Packages whose export fails.",
		  status.failing.all },
		{ METRIC_GAUGE, "waiting_packages", NULL,
		  "Packages of which latest/ is left to another deployment.", status.waiting.all },
	};

	metrics_add(rows, ARRAY_SIZE(rows), out);
	add_takedown_metrics(&total->takedowns, out);
	updater_status_release(&status);
}

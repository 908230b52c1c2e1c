/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c - what mount, watch and status say alike: facts, and the same as metrics. */
#include "report.h"

#include <config.h>

#include <unistd.h>

#include "clock.h"
#include "db.h"
#include "facts.h"
#include "held.h"
#include "memory.h"
#include "metrics.h"
#include "options.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define REASON_MAX ((size_t)64 << 10)

static const struct {
	const char *name, *label;
} plans[] = {
	{ "sync", "plan=\"sync\"" },
	{ "gc", "plan=\"gc\"" },
	{ "promote", "plan=\"promote\"" },
};

static int count_plan(const struct options *o, const struct stack *stack, size_t i,
		      uint64_t *ret_items, struct strbuf *why)
{
	CLEANUP(free_char) char *path = held_path(o->cache, stack->bucket->url, plans[i].name);

	return held_count(path, ret_items, why);
}

void report_add_process(const char *command, int64_t started, const struct stack *stack,
			struct facts *f)
{
	facts_text(f, "version", PACKAGE_VERSION);
	facts_text(f, "command", command);
	facts_number(f, "pid", (uint64_t)getpid());
	facts_number(f, "uptime", (uint64_t)((clock_monotonic() - started) / SECOND_US));
	facts_text(f, "store", stack->bucket->url);
	facts_text(f, "db", stack->db ? stack->db->url : NULL);
}

int report_add_held(const struct options *o, const struct stack *stack, struct facts *f,
		    uint64_t *ret_items)
{
	uint64_t all = 0;

	facts_enter(f, "held");
	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(REASON_MAX);
		uint64_t items;
		int r = count_plan(o, stack, i, &items, &why);

		if (r < 0)
			return r;
		all += items;
		if (!items) {
			facts_text(f, plans[i].name, NULL);
			continue;
		}
		facts_enter(f, plans[i].name);
		facts_number(f, "items", items);
		facts_text(f, "why", why.buf);
		facts_leave(f);
	}
	facts_leave(f);
	if (ret_items)
		*ret_items = all;
	return 0;
}

int report_add_held_metrics(const struct options *o, const struct stack *stack, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(REASON_MAX);
	struct metric rows[ARRAY_SIZE(plans)];

	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		uint64_t items;
		int r = count_plan(o, stack, i, &items, &why);

		if (r < 0)
			return r;
		rows[i] = (struct metric){ METRIC_GAUGE, "held", plans[i].label,
					   "Items of a plan that a brake holds.", items };
	}
	metrics_add(rows, ARRAY_SIZE(rows), out);
	return 0;
}

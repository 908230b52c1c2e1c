/* SPDX-License-Identifier: BSD-3-Clause */
/* gc.c - one collection, or what it would do, and its summary. */
#include "gc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "facts.h"
#include "halt.h"
#include "options.h"
#include "planned.h"
#include "stack.h"
#include "strbuf.h"

#define SUMMARY_MAX 4096

static int print_json(const struct gc_counts *counts, bool dry_run)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(SUMMARY_MAX);
	const struct {
		const char *name;
		uint64_t n;
	} rows[] = {
		{ "packages", counts->packages }, { "prefixes", counts->prefixes },
		{ "removed", counts->removed },	  { "bytes", counts->bytes },
		{ "waiting", counts->waiting },	  { "reported", counts->reported },
		{ "raced", counts->raced },	  { "held", counts->held },
		{ "failed", counts->failed },
	};
	struct facts f;

	facts_begin(&f, true, &text);
	facts_flag(&f, "dry_run", dry_run);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		facts_number(&f, rows[i].name, rows[i].n);
	facts_end(&f);
	return output(text.buf, text.len);
}

static int print_reported(const struct gc_counts *counts)
{
	const char *lead = ": ";
	int r = output_text("%" PRIu64 " %s strange, and %s", counts->reported,
			    counts->reported == 1 ? "name is" : "names are",
			    counts->reported == 1 ? "stays" : "stay");

	for (size_t i = 0; i < ARRAY_SIZE(counts->reported_names) && r == 0; i++) {
		if (!counts->reported_names[i])
			break;
		r = output_text("%s%s", lead, counts->reported_names[i]);
		lead = ", ";
	}
	return r < 0 ? r : output_text("\n");
}

static int print_summary(const struct gc_counts *counts, bool dry_run)
{
	int r = output_text("%s%" PRIu64 " object%s removed (%" PRIu64 " bytes), of %" PRIu64
			    " deleted package%s and %" PRIu64 " old prefix%s; %" PRIu64
			    " failed\n",
			    dry_run ? "dry run: " : "", counts->removed,
			    counts->removed == 1 ? "" : "s", counts->bytes, counts->packages,
			    counts->packages == 1 ? "" : "s", counts->prefixes,
			    counts->prefixes == 1 ? "" : "es", counts->failed);

	if (r == 0 && counts->waiting)
		r = output_text("%" PRIu64 " object%s too young, or still listed\n",
				counts->waiting, counts->waiting == 1 ? " is" : "s are");
	if (r == 0 && counts->raced)
		r = output_text("%" PRIu64 " object%s changed meanwhile, left to the next run\n",
				counts->raced, counts->raced == 1 ? " was" : "s were");
	if (r == 0 && counts->held)
		r = output_text("%" PRIu64 " object%s held\n", counts->held,
				counts->held == 1 ? " is" : "s are");
	return r == 0 && counts->reported ? print_reported(counts) : r;
}

static int collect(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		   int argc, char *const *argv)
{
	CLEANUP(gc_counts_release) struct gc_counts counts = { .removed = 0 };
	struct planned_out planned = { .file = stdout, .json = o->json };
	struct gc_options options;
	int r, printed;

	(void)argc;
	(void)argv;
	stack_describe_gc(o, stack, &options);
	options.stop = stop;
	if (o->dry_run) {
		options.see = planned_print;
		options.ctx = &planned;
	}
	r = gc_run(&options, &counts);
	if (o->dry_run)
		planned_print_sums(&planned);
	printed = o->json ? print_json(&counts, o->dry_run) : print_summary(&counts, o->dry_run);
	return r < 0 ? r : printed;
}

enum exit_status command_gc(const struct options *o, int argc, char *const *argv)
{
	return halt_run(o, STACK_DB | STACK_BUCKET, collect, argc, argv);
}

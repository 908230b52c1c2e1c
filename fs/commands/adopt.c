/* SPDX-License-Identifier: BSD-3-Clause */
/* adopt.c - what another exporter wrote becomes ours, or what that would take. */
#include "adopt.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "catalog.h"
#include "command.h"
#include "facts.h"
#include "halt.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "progress.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define SUMMARY_MAX 4096

static int print_json(const struct options *o, const struct adopt_counts *counts)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(SUMMARY_MAX);
	const struct {
		const char *name;
		uint64_t n;
	} rows[] = {
		{ "objects", counts->objects }, { "ours", counts->ours },
		{ "adopted", counts->adopted }, { "others", counts->others },
		{ "refused", counts->refused }, { "raced", counts->raced },
		{ "failed", counts->failed },	{ "reads", counts->reads },
		{ "changes", counts->changes }, { "bytes", counts->bytes },
	};
	struct facts f;

	facts_begin(&f, true, &text);
	facts_flag(&f, "dry_run", o->dry_run);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		facts_number(&f, rows[i].name, rows[i].n);
	facts_end(&f);
	return output(text.buf, text.len);
}

static int print_summary(const struct options *o, const struct adopt_counts *counts)
{
	int r;

	if (o->dry_run)
		return output_text("dry run: %" PRIu64 " of %" PRIu64
				   " objects would be adopted, by %" PRIu64
				   " requests: %" PRIu64 " reads of %" PRIu64
				   " bytes in all, and %" PRIu64 " changes of metadata\n",
				   counts->adopted, counts->objects,
				   counts->reads + counts->changes, counts->reads, counts->bytes,
				   counts->changes);
	r = output_text("%" PRIu64 " object%s: %" PRIu64 " adopted, %" PRIu64
			" had our keys, %" PRIu64 " refused, %" PRIu64
			" written by others meanwhile, %" PRIu64 " failed\n",
			counts->objects, counts->objects == 1 ? "" : "s", counts->adopted,
			counts->ours, counts->refused, counts->raced, counts->failed);
	if (r == 0 && counts->others)
		r = output_text("%" PRIu64 " object%s of no kind that an export makes, and stay\n",
				counts->others, counts->others == 1 ? " is" : "s are");
	return r;
}

static int run(const struct options *o, const struct stack *stack, const atomic_bool *stop,
	       int argc, char *const *argv)
{
	static const char *const latest[] = { "latest" };
	struct progress progress;
	const struct adopt_options options = {
		.store = stack->bucket,
		.publisher = stack->publisher,
		.prefixes = argc ? (const char *const *)argv : latest,
		.n_prefixes = argc ? (size_t)argc : ARRAY_SIZE(latest),
		.jobs = o->jobs,
		.ttl = o->ttl,
		.dry_run = o->dry_run,
		.progress = progress_show,
		.ctx = &progress,
		.stop = stop,
	};
	struct adopt_counts counts;
	int r, printed;

	progress_begin(&progress, "adopt");
	r = adopt(&options, &counts);
	progress_end(&progress);
	if (r == -ECANCELED && atomic_load(stop))
		r = fail(-EINTR, "stopped; run it again to go on");
	printed = o->json ? print_json(o, &counts) : print_summary(o, &counts);
	return r < 0 ? r : printed;
}

static int check_prefix(const char *text)
{
	if (!strcmp(text, "latest") || catalog_is_runtime_version(text, strlen(text)))
		return 0;
	return fail(-EINVAL,
		    "'%s' is no prefix: latest, or a runtime version such as 2026.08.18 (see "
		    "'pubfs help adopt')",
		    text);
}

enum exit_status command_adopt(const struct options *o, int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++)
		if (check_prefix(argv[i]) < 0)
			return EXIT_USAGE;
	return halt_run(o, STACK_BUCKET, run, argc, argv);
}

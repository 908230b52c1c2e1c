/* SPDX-License-Identifier: BSD-3-Clause */
/* sync.c - one export pass and its summary. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "command.h"
#include "export.h"
#include "facts.h"
#include "halt.h"
#include "log.h"
#include "options.h"
#include "planned.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define SUMMARY_MAX 4096

static int print_missing_archives(const struct export_counts *counts, const char *url)
{
	const char *lead = ", such as ";
	int r = output_text("%" PRIu64 " listed version%s no archive in %s", counts->no_archive,
			    counts->no_archive == 1 ? " has" : "s have", url);

	for (size_t i = 0; i < ARRAY_SIZE(counts->no_archive_names) && r == 0; i++) {
		if (!counts->no_archive_names[i])
			break;
		r = output_text("%s%s", lead, counts->no_archive_names[i]);
		lead = ", ";
	}
	return r < 0 ? r : output_text("\n");
}

static int print_left(const struct export_counts *counts)
{
	if (!counts->left)
		return output_text("latest/ is left as it is: %s\n", counts->left_why);
	return output_text("latest/ of %" PRIu64 " package%s is left as it is: %s\n",
			   counts->left, counts->left == 1 ? "" : "s", counts->left_why);
}

static int print_json(const struct export_counts *counts, bool dry_run)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(SUMMARY_MAX);
	const struct {
		const char *name;
		uint64_t n;
	} rows[] = {
		{ "packages", counts->packages }, { "current", counts->current },
		{ "written", counts->written },	  { "copied", counts->copied },
		{ "touched", counts->touched },	  { "removed", counts->removed },
		{ "failed", counts->failed },	  { "held", counts->held },
		{ "left_out", counts->left_out }, { "no_archive", counts->no_archive },
		{ "garbage", counts->garbage },	  { "left", counts->left },
	};
	struct facts f;

	facts_begin(&f, true, &text);
	facts_flag(&f, "dry_run", dry_run);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		facts_number(&f, rows[i].name, rows[i].n);
	facts_text(&f, "left_why", counts->left_why);
	facts_end(&f);
	return output(text.buf, text.len);
}

static int print_summary(const struct export_counts *counts, const struct options *o)
{
	int r = output_text("%s%" PRIu64 " package%s, %" PRIu64 " of them current: %" PRIu64
			    " written, %" PRIu64 " copied, %" PRIu64 " touched, %" PRIu64
			    " removed; %" PRIu64 " failed\n",
			    o->dry_run ? "dry run: " : "", counts->packages,
			    counts->packages == 1 ? "" : "s", counts->current, counts->written,
			    counts->copied, counts->touched, counts->removed, counts->failed);

	if (r == 0 && counts->held)
		r = output_text("%" PRIu64 " package%s held\n", counts->held,
				counts->held == 1 ? " is" : "s are");
	if (r == 0 && counts->left_why)
		r = print_left(counts);
	if (r == 0 && counts->left_out)
		r = output_text("%" PRIu64 " version%s left out, since no client could read %s\n",
				counts->left_out, counts->left_out == 1 ? " is" : "s are",
				counts->left_out == 1 ? "it" : "them");
	if (r == 0 && counts->no_archive)
		r = print_missing_archives(counts, o->archives);
	if (r == 0 && counts->garbage)
		r = output_text("%" PRIu64 " object%s to be collected\n", counts->garbage,
				counts->garbage == 1 ? " waits" : "s wait");
	return r;
}

static void exporter_close(struct exporter **ex)
{
	if (*ex)
		exporter_free(*ex);
}

static int export(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		  int argc, char *const *argv)
{
	CLEANUP(exporter_close) struct exporter *ex = NULL;
	CLEANUP(export_counts_release) struct export_counts counts = { .packages = 0 };
	struct planned_out planned = { .file = stdout, .json = o->json };
	struct exporter_options options;
	int r, printed = 0;

	stack_describe_export(o, stack, &options);
	options.dry_run = o->dry_run ? &planned : NULL;
	options.stop = stop;
	r = exporter_new(&options, &ex);
	if (r < 0)
		return r;
	if (argc)
		r = export_named(ex, argv, (size_t)argc, &counts);
	else
		r = export_all(ex, &counts);
	if (o->json)
		printed = print_json(&counts, o->dry_run);
	else if (r == 0 || counts.packages) /* else it came to nothing, and why was said */
		printed = print_summary(&counts, o);
	return r < 0 ? r : printed;
}

enum exit_status command_sync(const struct options *o, int argc, char *const *argv)
{
	return halt_run(o,
			STACK_DB | STACK_BUCKET | STACK_MAKE_BUCKET | STACK_ARCHIVES |
				STACK_MAKE_ARCHIVES,
			export, argc, argv);
}

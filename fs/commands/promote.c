/* SPDX-License-Identifier: BSD-3-Clause */
/* promote.c - latest/ made equal to another prefix, and let go again. */
#include "promote.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "command.h"
#include "db.h"
#include "db_deployment.h"
#include "halt.h"
#include "held.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "planned.h"
#include "stack.h"
#include "store.h"

static int print_result(const struct options *o, const char *version,
			const struct promote_counts *counts, int r)
{
	int printed = 0;

	for (size_t i = 0; i < counts->n_missing && printed == 0; i++)
		printed = output_text("%s\n", counts->missing[i]);
	if (printed || o->dry_run || counts->n_missing || (r < 0 && r != -EIO))
		return printed;
	printed = output_text("%" PRIu64 " object%s copied, %" PRIu64 " removed, %" PRIu64
			      " raced, %" PRIu64 " waiting, %" PRIu64 " failed\n",
			      counts->copied, counts->copied == 1 ? "" : "s", counts->removed,
			      counts->raced, counts->waiting, counts->failed);
	if (printed == 0 && counts->others)
		printed = output_text("%" PRIu64 " object%s of no kind that an export makes, and "
				      "stay\n",
				      counts->others, counts->others == 1 ? " is" : "s are");
	if (printed == 0 && r == 0)
		printed = output_text("latest/ is equal to %s/, and held there until pubfs promote "
				      "--release\n",
				      version);
	return printed;
}

static int run(const struct options *o, const struct stack *stack, const atomic_bool *stop,
	       int argc, char *const *argv)
{
	const char *version = argv[0];
	CLEANUP(promote_counts_release) struct promote_counts counts = { .copied = 0 };
	CLEANUP(free_char) char *held = NULL;
	struct planned_out planned = { .file = stdout };
	struct promote_options options;
	int r, printed;

	(void)argc; /* one */
	held = held_path(o->cache, stack->bucket->url, "promote");
	options = (struct promote_options){
		.db = stack->db,
		.store = stack->bucket,
		.archives = stack->archives,
		.publisher = stack->publisher,
		.version = version,
		.limits = o->limits,
		.held = held,
		.allow_mass_change = o->allow_mass_change,
		.jobs = o->jobs,
		.ttl = o->ttl,
		.see = o->dry_run ? planned_print : NULL,
		.ctx = &planned,
		.stop = stop,
	};
	r = promote(&options, &counts);
	if (o->dry_run)
		planned_print_sums(&planned);
	printed = print_result(o, version, &counts, r);
	return r < 0 ? r : printed;
}

static int release(const struct options *o, const struct stack *stack, const atomic_bool *stop,
		   int argc, char *const *argv)
{
	CLEANUP(free_char) char *version = NULL;
	int64_t since;
	int r = db_held(stack->db, &version, &since);

	(void)o;
	(void)stop;
	(void)argc;
	(void)argv;
	if (r == -ENOENT)
		return output_text("latest/ is not held\n");
	if (r == 0)
		r = db_hold(stack->db, NULL);
	return r < 0 ? r
		     : output_text("latest/ is held at %s no longer; the newest live deployment "
				   "keeps it from now on\n",
				   version);
}

static int check_operands(const struct options *o, int argc, char *const *argv)
{
	if (o->release && argc)
		return fail(-EINVAL, "--release takes no version: what is held is released (see "
				     "'pubfs help promote')");
	if (!o->release && !argc)
		return fail(-EINVAL, "too few arguments: pubfs promote VERSION, or --release (see "
				     "'pubfs help promote')");
	if (argc && !catalog_is_runtime_version(argv[0], strlen(argv[0])))
		return fail(-EINVAL,
			    "'%s' is not a runtime version such as 2026.08.18 (see 'pubfs help "
			    "promote')",
			    argv[0]);
	return 0;
}

enum exit_status command_promote(const struct options *given, int argc, char *const *argv)
{
	struct options o = *given; /* borrows its strings */

	if (check_operands(&o, argc, argv) < 0)
		return EXIT_USAGE;
	o.gate = GATE_ENFORCE;
	if (o.release)
		return halt_run(&o, STACK_DB, release, argc, argv);
	o.runtime_version = argv[0]; /* who publishes */
	return halt_run(&o, STACK_DB | STACK_BUCKET | STACK_ARCHIVES, run, argc, argv);
}

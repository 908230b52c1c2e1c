/* SPDX-License-Identifier: BSD-3-Clause */
/* mount.c - the tree as a mount, the updater beside it, and what .pubfs/status says of both. */
#include "mount.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "db.h"
#include "export.h"
#include "facts.h"
#include "gc.h"
#include "held.h"
#include "interrupt.h"
#include "log.h"
#include "metrics.h"
#include "options.h"
#include "path.h"
#include "planned.h"
#include "report.h"
#include "rm_brake.h"
#include "running.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"
#include "tree.h"
#include "updating.h"

#define REASON_MAX ((size_t)64 << 10)

/* What serves: set up before the kernel's first request, and only read from then on. */
struct service {
	const struct options *o;
	struct stack stack;
	struct exporter_options export; /* where there is a database */
	struct updating updating;
	struct running *running;
	int64_t started;		/* monotonic */
	bool daemon;
	atomic_bool hurry; /* what stands still in a store's call is to end */
};

static void add_degraded(struct tree *t, struct facts *f)
{
	CLEANUP(strbuf_release) struct strbuf reason = STRBUF_INIT(REASON_MAX);
	int64_t since;

	if (!tree_is_degraded(t, &since, &reason)) {
		facts_text(f, "degraded", NULL);
		return;
	}
	facts_enter(f, "degraded");
	facts_time(f, "since", since);
	facts_text(f, "reason", reason.buf);
	facts_leave(f);
}

/* What may be removed by hand, and what lifts that. */
static int add_rm_brake(struct rm_brake *brake, struct facts *f)
{
	struct rm_brake_status status;
	int r = brake ? rm_brake_status(brake, &status) : 0;

	if (r < 0)
		return r;
	if (!brake) {
		facts_text(f, "rm_brake", NULL);
		return 0;
	}
	facts_enter(f, "rm_brake");
	facts_number(f, "last_hour", status.counted);
	facts_number(f, "limit", status.limit);
	facts_number(f, "refused", status.refused);
	facts_text(f, "release", "--unlimited-rm");
	facts_leave(f);
	return 0;
}

static int write_held(void *ctx, struct strbuf *out)
{
	const struct service *s = ctx;

	return held_text(s->o->cache, s->stack.bucket->url, out);
}

/* A line of `.pubfs/garbage`. What the brake holds, or no path shows, is left out. */
static void add_garbage(void *ctx, const struct planned *p)
{
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(2 * KEY_MAX);
	struct strbuf *out = ctx;

	if (p->action == PLANNED_REMOVE && !p->held && !path_from_key(p->key, &path))
		strbuf_addf(out, "%s\n", path.buf);
}

static int write_garbage(void *ctx, struct strbuf *out)
{
	CLEANUP(gc_counts_release) struct gc_counts counts = { .removed = 0 };
	const struct service *s = ctx;
	struct gc_options options;
	int r;

	stack_describe_gc(s->o, &s->stack, &options);
	options.see = add_garbage;
	options.ctx = out;
	r = gc_run(&options, &counts);
	if (r == -ECANCELED)
		r = 0; /* the rest is held, and that was said */
	return r < 0 ? r : strbuf_error(out);
}

static int write_status(void *ctx, struct strbuf *out)
{
	static const char *const gates[] = {
		[GATE_ENFORCE] = "enforce",
		[GATE_WARN] = "warn",
		[GATE_OFF] = "off",
	};
	const struct service *s = ctx;
	struct tree_counts counts;
	struct facts f;
	int r = tree_count(s->stack.tree, &counts);

	if (r < 0)
		return r;
	facts_begin(&f, true, out);
	report_add_process("mount", s->started, &s->stack, &f);
	facts_flag(&f, "read_only", s->o->read_only);
	facts_text(&f, "gate", gates[s->o->gate]);
	facts_number(&f, "rejected", tree_refusals(s->stack.tree));
	facts_number(&f, "objects", counts.objects);
	facts_number(&f, "bytes", counts.bytes);
	facts_number(&f, "unmapped", counts.unmapped);
	r = report_add_held(s->o, &s->stack, &f, NULL);
	if (r == 0)
		r = add_rm_brake(s->stack.rm_brake, &f);
	if (r < 0)
		return r;
	add_degraded(s->stack.tree, &f);
	updating_add_facts(&s->updating, &f);
	facts_end(&f);
	return strbuf_error(out);
}

static int write_metrics(void *ctx, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(REASON_MAX);
	const struct service *s = ctx;
	struct rm_brake_status rm = { .counted = 0 };
	struct tree_counts counts;
	int64_t since;
	int r = tree_count(s->stack.tree, &counts);

	if (r == 0 && s->stack.rm_brake)
		r = rm_brake_status(s->stack.rm_brake, &rm);
	if (r < 0)
		return r;

	const struct metric rows[] = {
		{ METRIC_GAUGE, "objects", NULL, "Objects that the index knows.", counts.objects },
		{ METRIC_GAUGE, "stored_bytes", NULL, "Stored bytes of these.", counts.bytes },
		{ METRIC_GAUGE, "unmapped", NULL, "Objects that no path shows.", counts.unmapped },
		{ METRIC_COUNTER, "rejected", NULL, "Writes that the gate refused.",
		  tree_refusals(s->stack.tree) },
		{ METRIC_GAUGE, "rm_last_hour", NULL, "Removals by hand that count for the brake.",
		  rm.counted },
		{ METRIC_COUNTER, "rm_refused", NULL, "Removals by hand that the brake refused.",
		  rm.refused },
		{ METRIC_GAUGE, "degraded", NULL, "1: the store cannot be reached.",
		  tree_is_degraded(s->stack.tree, &since, &why) },
	};

	metrics_add(rows, ARRAY_SIZE(rows), out);
	r = report_add_held_metrics(s->o, &s->stack, out);
	updating_add_metrics(&s->updating, out);
	metrics_end(out);
	return r < 0 ? r : strbuf_error(out);
}

/* A terminal that started a daemon is let go: what is said from now on must go elsewhere. */
static void leave_terminal(void *ctx)
{
	const struct service *s = ctx;

	if (s->daemon && !s->o->log_file)
		log_to_syslog();
}

static void hurry(void *ctx)
{
	struct service *s = ctx;

	s->hurry = true;
}

/* What is written to `.pubfs/sync`. */
static int sync_packages(void *ctx, char *const *names, size_t n)
{
	CLEANUP(export_counts_release) struct export_counts counts = { .packages = 0 };
	const struct service *s = ctx;
	struct exporter_options options = s->export;
	struct exporter *ex;
	int r;

	if (!n)
		return 0; /* no names: not all packages */
	if (options.jobs > n)
		options.jobs = (unsigned)n;
	r = exporter_new(&options, &ex);
	if (r < 0)
		return r;
	r = export_named(ex, names, n, &counts);
	exporter_free(ex);
	return r == -ECANCELED ? -EPERM : r;
}

/* What an export takes is there, so that packages can be exported by hand at least. */
static bool can_export(const struct options *o)
{
	return o->update || (o->base_url && o->runtime_version && stack_has_db(o));
}

static int tell_others(struct service *s)
{
	const struct running_options options = { .o = s->o,
						 .store_url = s->stack.bucket->url,
						 .status = write_status,
						 .metrics = write_metrics,
						 .ctx = s };

	return running_begin(&options, &s->running);
}

static int build(struct service *s)
{
	struct tree_options service = { .status = write_status,
					.metrics = write_metrics,
					.held = write_held,
					.ctx = s };
	unsigned parts = STACK_BUCKET | STACK_BODIES;
	int r;

	if (can_export(s->o)) {
		parts |= STACK_DB | STACK_ARCHIVES | STACK_MAKE_ARCHIVES;
		service.sync = sync_packages;
	}
	if (s->o->named_db)
		parts |= STACK_DB;
	if (parts & STACK_DB && s->o->runtime_version)
		service.garbage = write_garbage;
	r = stack_open(s->o, parts, &s->stack);
	if (r == 0)
		r = stack_open_tree(s->o, &service, &s->stack);
	if (r == 0)
		r = tree_list_first(s->stack.tree);
	if (r == 0 && service.sync)
		stack_describe_export(s->o, &s->stack, &s->export);
	if (r == 0 && s->o->update)
		r = updating_start(s->o, &s->stack, &s->updating);
	return r < 0 ? r : tell_others(s);
}

static void take_down(struct service *s)
{
	hurry(s);
	running_end(s->running);
	updating_stop(&s->updating);
	stack_close(&s->stack);
}

/* Where somebody waits for this very process: a container's first one, or a service's. */
static bool is_supervised(void)
{
	const char *pid = getenv("SYSTEMD_EXEC_PID");

	return getpid() == 1 || getenv("NOTIFY_SOCKET") ||
	       (pid && strtol(pid, NULL, 10) == (long)getpid());
}

static void close_mount(struct mount **m)
{
	mount_free(*m);
}

enum exit_status command_mount(const struct options *given, int argc, char *const *argv)
{
	CLEANUP(close_mount) struct mount *m = NULL;
	struct options o = *given; /* borrows its strings */
	struct service s = { .o = &o, .started = clock_monotonic() };
	struct mount_options options;
	int r, status = EXIT_FAILED;

	(void)argc;
	mount_options_init(&options);
	if (o.mount_options && mount_options_parse(&options, o.mount_options) < 0)
		return EXIT_USAGE;
	o.read_only = o.read_only || options.read_only;
	options.read_only = o.read_only;
	options.mountpoint = argv[0];
	options.source = o.store;
	options.foreground = o.foreground || is_supervised();
	options.ready = leave_terminal;
	options.leaving = hurry;
	options.ctx = &s;
	s.daemon = !options.foreground;
	s.stack.cancel = &s.hurry;
	r = mount_prepare(&options, &m, &status);
	if (r == 1)
		return (enum exit_status)status;
	if (r < 0)
		return exit_status_of(r);
	interrupt_set(mount_was_told_to_stop, m);
	r = build(&s);
	interrupt_set(NULL, NULL);
	if (r == 0)
		r = mount_serve(m, s.stack.tree);
	if (r == 0 && tree_unsaved(s.stack.tree))
		r = fail(-EIO, "%s ended while files were being written; what was written is lost",
			 argv[0]);
	mount_free(steal(m)); /* what is still waited for is ended by a signal */
	take_down(&s);
	return r == -ECANCELED ? EXIT_FAILED : exit_status_of(r);
}

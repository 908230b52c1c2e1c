/* SPDX-License-Identifier: BSD-3-Clause */
/* verify.c - the database against the bucket: a line for each object that differs, and the sums. */
#include "verify.h"

#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "export.h"
#include "json.h"
#include "options.h"
#include "path.h"
#include "progress.h"
#include "stack.h"
#include "strbuf.h"

#define LINE_BYTES_MAX ((size_t)64 << 10)

/* Its path; of what no path can show, the key as a JSON string. */
static void add_path(const char *key, struct strbuf *out)
{
	size_t before = out->len;

	if (path_from_key(key, out) < 0) {
		strbuf_setlen(out, before);
		json_add_string(out, key, strlen(key));
	}
}

static void add_member(struct strbuf *out, const char *name, const char *text)
{
	strbuf_addf(out, ",\"%s\":", name);
	if (text)
		json_add_string(out, text, strlen(text));
	else
		strbuf_addstr(out, "null");
}

static int print_finding(const struct options *o, const struct finding *f)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(LINE_BYTES_MAX);

	add_path(f->key, &path);
	if (o->json) {
		strbuf_addf(&line, "{\"finding\":\"%s\",\"difference\":%s", finding_name(f->kind),
			    f->kind < FINDING_DIFFERENCES ? "true" : "false");
		add_member(&line, "path", path.buf);
		add_member(&line, "package", f->package);
		add_member(&line, "why", f->why);
		strbuf_addstr(&line, "}\n");
	} else {
		strbuf_addf(&line, "%s %s: %s", finding_name(f->kind), path.buf, f->why);
		if (f->kind == FINDING_BROKEN)
			strbuf_addstr(&line, " (that is what the database and the archives give)");
		strbuf_addch(&line, '\n');
	}
	return output(line.buf, line.len);
}

static uint64_t count_differences(const struct verification *v)
{
	uint64_t n = 0;

	for (unsigned kind = 0; kind < FINDING_DIFFERENCES; kind++)
		n += v->counts[kind];
	return n;
}

/* "; 2 missing, 1 stale", of what there is. */
static void add_counts(const struct verification *v, unsigned from, unsigned to,
		       struct strbuf *line)
{
	const char *lead = "; ";

	for (unsigned kind = from; kind < to; kind++) {
		if (!v->counts[kind])
			continue;
		strbuf_addf(line, "%s%" PRIu64 " %s", lead, v->counts[kind],
			    finding_name((enum finding_kind)kind));
		lead = ", ";
	}
}

static int print_sums(const struct options *o, const struct verification *v)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
	uint64_t n = count_differences(v);

	if (o->json) {
		strbuf_addf(&line,
			    "{\"packages\":%" PRIu64 ",\"objects\":%" PRIu64 ",\"bodies\":%" PRIu64
			    ",\"left\":%" PRIu64 ",\"differences\":%" PRIu64,
			    v->packages, v->objects, v->bodies, v->left, n);
		for (unsigned kind = 0; kind < FINDING_KINDS; kind++)
			strbuf_addf(&line, ",\"%s\":%" PRIu64,
				    finding_name((enum finding_kind)kind), v->counts[kind]);
		strbuf_addstr(&line, "}\n");
		return output(line.buf, line.len);
	}
	strbuf_addf(&line, "%" PRIu64 " object%s of %" PRIu64 " package%s", v->objects,
		    v->objects == 1 ? "" : "s", v->packages, v->packages == 1 ? "" : "s");
	if (o->deep)
		strbuf_addf(&line, ", %" PRIu64 " of them read", v->bodies);
	strbuf_addf(&line, ": %" PRIu64 " differ%s", n, n == 1 ? "s" : "");
	add_counts(v, 0, FINDING_DIFFERENCES, &line);
	add_counts(v, FINDING_DIFFERENCES, FINDING_KINDS, &line);
	if (v->left)
		strbuf_addf(&line, "; of %" PRIu64 " package%s, latest/ is left to others", v->left,
			    v->left == 1 ? "" : "s");
	strbuf_addch(&line, '\n');
	return output(line.buf, line.len);
}

static int run(const struct options *o, const struct stack *stack, int argc, char *const *argv,
	       struct verification *v)
{
	struct exporter_options exporter;
	struct progress progress;
	const struct verifier_options options = {
		.exporter = &exporter,
		.deep = o->deep,
		.progress = progress_show,
		.ctx = &progress,
	};
	int r, printed = 0;

	stack_describe_export(o, stack, &exporter);
	progress_begin(&progress, "verify");
	r = verify(&options, argc ? argv : NULL, (size_t)argc, v);
	progress_end(&progress);
	for (size_t i = 0; i < v->n && printed == 0; i++)
		printed = print_finding(o, &v->findings[i]);
	if (printed == 0 && (v->packages || r == 0))
		printed = print_sums(o, v);
	if (printed == 0)
		printed = output_flush();
	return r < 0 ? r : printed;
}

enum exit_status command_verify(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	CLEANUP(verification_release) struct verification v = { .n = 0 };
	int r = stack_open(o, STACK_DB | STACK_BUCKET | STACK_ARCHIVES, &stack);

	if (r == 0)
		r = run(o, &stack, argc, argv, &v);
	if (r < 0)
		return exit_status_of(r);
	return count_differences(&v) ? EXIT_DIFFERENT : EXIT_DONE;
}

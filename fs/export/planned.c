/* SPDX-License-Identifier: BSD-3-Clause */
/* planned.c - a dry run: a line for each change that would be made, and their sums. */
#include "planned.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "strbuf.h"

#define LINE_BYTES_MAX ((size_t)64 << 10)

static const char *const verbs[PLANNED_ACTIONS] = {
	[PLANNED_COPY] = "copy",     [PLANNED_WRITE] = "write",	  [PLANNED_RENEW] = "renew",
	[PLANNED_REMOVE] = "remove", [PLANNED_REPORT] = "report",
};

static const char *kind_name(enum kind kind)
{
	return kind == KIND_NONE ? "other" : catalog_info(kind)->name;
}

/* As a JSON string; null: it is no UTF-8. */
static void add_string(struct strbuf *out, const char *text)
{
	size_t start = out->len;
	struct json value;

	json_add_string(out, text, strlen(text));
	if (json_parse(out->buf + start, out->len - start, &value, NULL) < 0) {
		strbuf_setlen(out, start);
		strbuf_addstr(out, "null");
	}
}

static void print_json(FILE *file, const struct planned *p, enum kind kind)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);

	strbuf_addf(&line, "{\"action\":\"%s\",\"key\":", verbs[p->action]);
	add_string(&line, p->key);
	strbuf_addf(&line, ",\"kind\":\"%s\",\"generation\":", kind_name(kind));
	if (p->generation)
		strbuf_addf(&line, "\"%" PRIu64 "\"", p->generation);
	else
		strbuf_addstr(&line, "null");
	strbuf_addf(&line, ",\"bytes\":%" PRIu64 ",\"why\":", p->bytes);
	add_string(&line, p->why);
	fprintf(file, "%s,\"held\":%s}\n", line.buf, p->held ? "true" : "false");
}

static void print_text(FILE *file, const struct planned *p)
{
	fprintf(file, "%s%s %s", p->held ? "held " : "", verbs[p->action], p->key);
	if (p->generation)
		fprintf(file, " (generation %" PRIu64 ")", p->generation);
	fprintf(file, ": %s\n", p->why);
}

void planned_print(void *ctx, const struct planned *p)
{
	struct planned_out *out = ctx;
	struct object_name name;
	enum kind kind = catalog_match(p->key, &name);
	struct planned_sum *sum = &out->sums[p->held][p->action][kind];

	sum->n++;
	sum->bytes += p->bytes;
	if (out->json)
		print_json(out->file, p, kind);
	else
		print_text(out->file, p);
}

static void print_sum(FILE *file, bool json, bool held, const char *verb, const char *kind,
		      const struct planned_sum *sum)
{
	if (json)
		fprintf(file,
			"{\"action\":\"%s\",\"kind\":\"%s\",\"held\":%s,\"count\":%" PRIu64
			",\"bytes\":%" PRIu64 "}",
			verb, kind, held ? "true" : "false", sum->n, sum->bytes);
	else
		fprintf(file, "in all: %s%s %s: %" PRIu64 ", %" PRIu64 " bytes\n",
			held ? "held " : "", verb, kind, sum->n, sum->bytes);
}

void planned_print_sums(const struct planned_out *out)
{
	size_t n = 0;

	if (out->json)
		fputs("{\"sums\":[", out->file);
	for (size_t i = 0; i < (size_t)2 * PLANNED_ACTIONS * KIND_COUNT; i++) {
		size_t held = i / KIND_COUNT / PLANNED_ACTIONS;
		size_t action = i / KIND_COUNT % PLANNED_ACTIONS, kind = i % KIND_COUNT;
		const struct planned_sum *sum = &out->sums[held][action][kind];

		if (!sum->n)
			continue;
		if (n++ && out->json)
			fputc(',', out->file);
		print_sum(out->file, out->json, held, verbs[action], kind_name((enum kind)kind),
			  sum);
	}
	if (out->json)
		fputs("]}\n", out->file);
}

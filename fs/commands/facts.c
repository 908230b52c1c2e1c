/* SPDX-License-Identifier: BSD-3-Clause */
/* facts.c - named values, printed as lines for people or as one JSON object for programs. */
#include "facts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "object.h"
#include "strbuf.h"
#include "tree.h"

#define TIME_TEXT_MAX 64

void facts_begin(struct facts *f, bool json, struct strbuf *out)
{
	*f = (struct facts){ .out = out, .json = json };
	if (json)
		strbuf_addch(out, '{');
}

void facts_end(struct facts *f)
{
	if (f->json)
		strbuf_addstr(f->out, "}\n");
}

static void add_name(struct facts *f, const char *name)
{
	if (!f->json) {
		strbuf_addf(f->out, "%s: ", name);
		return;
	}
	if (f->more)
		strbuf_addch(f->out, ',');
	json_add_string(f->out, name, strlen(name));
	strbuf_addch(f->out, ':');
	f->more = true;
}

static void end_value(struct facts *f)
{
	if (!f->json)
		strbuf_addch(f->out, '\n');
}

static void add_bare(struct facts *f, const char *name, const char *value)
{
	add_name(f, name);
	strbuf_addstr(f->out, value);
	end_value(f);
}

void facts_bytes(struct facts *f, const char *name, const char *bytes, size_t n)
{
	size_t start;
	struct json value;

	add_name(f, name);
	start = f->out->len;
	if (!f->json) {
		strbuf_add(f->out, bytes, n);
	} else {
		json_add_string(f->out, bytes, n);
		if (json_parse(f->out->buf + start, f->out->len - start, &value, NULL) < 0) {
			strbuf_setlen(f->out, start);
			strbuf_addstr(f->out, "null");
		}
	}
	end_value(f);
}

void facts_text(struct facts *f, const char *name, const char *text)
{
	if (text)
		facts_bytes(f, name, text, strlen(text));
	else
		add_bare(f, name, f->json ? "null" : "-");
}

void facts_number(struct facts *f, const char *name, uint64_t number)
{
	add_name(f, name);
	strbuf_addf(f->out, "%" PRIu64, number);
	end_value(f);
}

void facts_seconds(struct facts *f, const char *name, int64_t us)
{
	char text[40];

	snprintf(text, sizeof(text), "%lld.%03d", (long long)(us / SECOND_US),
		 (int)(us % SECOND_US / 1000));
	add_bare(f, name, text);
}

void facts_flag(struct facts *f, const char *name, bool flag)
{
	if (f->json)
		add_bare(f, name, flag ? "true" : "false");
	else
		add_bare(f, name, flag ? "yes" : "no");
}

void facts_time(struct facts *f, const char *name, int64_t us)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TIME_TEXT_MAX);

	if (us != NO_TIME)
		clock_format(us, &text);
	facts_text(f, name, us == NO_TIME ? NULL : text.buf);
}

void facts_json(struct facts *f, const char *name, struct json value)
{
	assert(f->json);
	add_name(f, name);
	json_add(f->out, value);
}

void facts_enter(struct facts *f, const char *name)
{
	if (!f->json)
		return;
	add_name(f, name);
	strbuf_addch(f->out, '{');
	f->more = false;
}

void facts_leave(struct facts *f)
{
	if (f->json)
		strbuf_addch(f->out, '}');
	f->more = true;
}

void facts_node(struct facts *f, const struct node *node)
{
	facts_flag(f, "is_dir", node->is_dir);
	facts_number(f, "size", node->size);
	facts_time(f, "mtime", node->mtime);
	facts_time(f, "ctime", node->ctime);
}

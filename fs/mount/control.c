/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the files below `.pubfs`: a table of names, and of what reads and writes them.
 *
 * A text is made when its file is opened, so that a reader sees one state. What is written is done
 * before the write returns, so that its result is the writer's: a shell hides the result of close.
 */
#include "control.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "tree_internal.h"

#define LINE_MAX_BYTES ((size_t)64 << 10) /* of a journal: a path and a reason have bounds */

static void begin_line(struct strbuf *out)
{
	strbuf_addstr(out, "{\"time\":\"");
	clock_format(clock_now(), out);
	strbuf_addch(out, '"');
}

static void add_text(struct strbuf *out, const char *name, const char *text)
{
	strbuf_addf(out, ",\"%s\":", name);
	json_add_string(out, text, strlen(text));
}

/* 0: there is none. */
static void add_generation(struct strbuf *out, const char *name, uint64_t generation)
{
	if (generation)
		strbuf_addf(out, ",\"%s\":%" PRIu64, name, generation);
	else
		strbuf_addf(out, ",\"%s\":null", name);
}

void control_note_refusal(struct tree *t, const char *path, const struct caller *who,
			  const char *reason)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);

	begin_line(&line);
	add_text(&line, "path", path);
	strbuf_addf(&line, ",\"pid\":%d,\"uid\":%u", (int)who->pid, (unsigned)who->uid);
	add_text(&line, "reason", reason);
	strbuf_addch(&line, '}');
	journal_add(&t->refusals, &line);
}

void control_note_change(void *tree, const struct publication *p)
{
	static const char *const actions[] = {
		[PUBLISHED_NOTHING] = "none",
		[PUBLISHED_TOUCH] = "touch",
		[PUBLISHED_WRITE] = "write",
		[PUBLISHED_REMOVE] = "remove",
	};
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	struct tree *t = tree;

	begin_line(&line);
	add_text(&line, "name", p->key);
	add_text(&line, "action", actions[p->done]);
	add_generation(&line, "old", p->have ? p->have->generation : 0);
	add_generation(&line, "new", p->done == PUBLISHED_REMOVE ? 0 : p->now.generation);
	strbuf_addch(&line, '}');
	journal_add(&t->changes, &line);
}

static int changes_text(struct tree *t, struct strbuf *out)
{
	return journal_text(&t->changes, out);
}

static int rejected_text(struct tree *t, struct strbuf *out)
{
	return journal_text(&t->refusals, out);
}

static int status_text(struct tree *t, struct strbuf *out)
{
	return t->options.status ? t->options.status(t->options.ctx, out) : 0;
}

static int metrics_text(struct tree *t, struct strbuf *out)
{
	return t->options.metrics ? t->options.metrics(t->options.ctx, out) : 0;
}

static int garbage_text(struct tree *t, struct strbuf *out)
{
	return t->options.garbage ? t->options.garbage(t->options.ctx, out) : 0;
}

static int held_plans_text(struct tree *t, struct strbuf *out)
{
	return t->options.held ? t->options.held(t->options.ctx, out) : 0;
}

static int no_text(struct tree *t, struct strbuf *out)
{
	(void)t;
	(void)out;
	return 0;
}

/* Whatever is written: all that is known is asked for again. */
static int refresh_all(struct tree *t, char *const *lines, size_t n)
{
	CLEANUP(free_char) char *top = NULL;
	struct store *s = t->options.store;
	int r = store_refresh(s, "", 0);

	(void)lines;
	(void)n;
	while (!r && (r = tree_next_top(t, &top)) > 0) {
		r = store_knows(s, top);
		if (r > 0)
			r = store_refresh(s, top, 0);
	}
	return r;
}

static int sync_packages(struct tree *t, char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!catalog_is_package_name(names[i], strlen(names[i])))
			return fail(-EINVAL, "cannot sync: %s is not the name of a package",
				    names[i]);
	return t->options.sync(t->options.ctx, names, n);
}

static int can_refresh(const struct tree *t)
{
	(void)t;
	return 0;
}

static int can_sync(const struct tree *t)
{
	if (t->options.sync)
		return 0;
	return fail(-ENOTSUP, "cannot sync: this mount has no database; it takes --base-url, "
			      "--runtime-version and a --db that is there");
}

static const struct control_file {
	const char *name;
	int (*text)(struct tree *t, struct strbuf *out);
	int (*may_write)(const struct tree *t); /* NULL: it can only be read */
	int (*write)(struct tree *t, char *const *lines, size_t n);
} files[] = {
	{ "changes", changes_text, NULL, NULL },
	{ "garbage", garbage_text, NULL, NULL },
	{ "held", held_plans_text, NULL, NULL },
	{ "metrics", metrics_text, NULL, NULL },
	{ "refresh", no_text, can_refresh, refresh_all },
	{ "rejected", rejected_text, NULL, NULL },
	{ "status", status_text, NULL, NULL },
	{ "sync", no_text, can_sync, sync_packages },
	{ "unmapped", tree_unmapped, NULL, NULL },
};

static const struct control_file *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(name, files[i].name))
			return &files[i];
	return NULL;
}

const char *control_name(size_t n)
{
	return n < ARRAY_SIZE(files) ? files[n].name : NULL;
}

int control_text(struct tree *t, const char *name, struct strbuf *out)
{
	const struct control_file *file = find(name);

	return file ? file->text(t, out) : -ENOENT;
}

int control_may_write(struct tree *t, const char *name)
{
	const struct control_file *file = find(name);

	if (!file || !file->may_write)
		return fail(-EACCES, "cannot write %s/%s: it can only be read", CONTROL_FOLDER,
			    name);
	return file->may_write(t);
}

/* Moves the whole lines out of `rest`, the last one with or without its newline if `all`. */
static char *take_lines(struct tree *t, struct strbuf *rest, bool all)
{
	char *lines = NULL, *end;
	size_t n;

	pthread_mutex_lock(&t->lock);
	end = memrchr(rest->buf, '\n', rest->len);
	n = all ? rest->len : end ? (size_t)(end - rest->buf) + 1 : 0;
	if (n) {
		lines = xstrndup(rest->buf, n);
		memmove(rest->buf, rest->buf + n, rest->len - n);
		strbuf_setlen(rest, rest->len - n);
	}
	pthread_mutex_unlock(&t->lock);
	return lines;
}

/* `lines` is cut up. Empty ones count for nothing but that something was written. */
static int run_lines(struct tree *t, const char *name, char *lines)
{
	const struct control_file *file = find(name);
	char **array = NULL, *line;
	size_t n = 0, alloc = 0;
	int r;

	assert(file && file->write);

	while ((line = strsep(&lines, "\n")))
		if (*line) {
			GROW(array, n, alloc);
			array[n++] = line;
		}
	r = file->write(t, array, n);
	free(array);
	return r;
}

int control_write(struct tree *t, const char *name, struct strbuf *rest, const void *bytes,
		  size_t n)
{
	CLEANUP(free_char) char *lines = NULL;
	bool fits;

	pthread_mutex_lock(&t->lock);
	fits = n <= rest->max - rest->len && !memchr(bytes, '\0', n);
	if (fits)
		strbuf_add(rest, bytes, n);
	else
		strbuf_reset(rest);
	pthread_mutex_unlock(&t->lock);
	if (!fits)
		return fail(-EINVAL, "cannot write %s/%s: that is no text of lines", CONTROL_FOLDER,
			    name);
	lines = take_lines(t, rest, false);
	return lines ? run_lines(t, name, lines) : 0;
}

int control_flush(struct tree *t, const char *name, struct strbuf *rest)
{
	CLEANUP(free_char) char *lines = take_lines(t, rest, true);

	return lines ? run_lines(t, name, lines) : 0;
}

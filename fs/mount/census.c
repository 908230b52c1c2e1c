/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * census.c - counts what is known of the bucket, and finds the objects that no path shows.
 *
 * One walk in key order, without a request: what was never listed is not counted. A name that is an
 * object and a folder at once shows the folder (invariant 2 of tree.c). Its key stands before those
 * below it, but not right before: others that begin with it lie between. So the keys that begin the
 * one looked at are kept, which are never more than it has bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "memory.h"
#include "tree_internal.h"

#define REST	  20		    /* a count is not repeated before so many times its duration */
#define NAMES_MAX ((uint64_t)10000) /* of `.pubfs/unmapped`; the rest is counted */

struct walk {
	struct tree_counts counts;
	struct strbuf *out;  /* gets a line for each object that no path shows; NULL: none */
	char **above;	     /* objects whose keys begin the one looked at, the shortest first */
	size_t n, alloc;
};

static void note_unmapped(struct walk *w, const char *key, const char *why)
{
	if (w->counts.unmapped++ >= NAMES_MAX || !w->out)
		return;
	strbuf_addstr(w->out, "{\"name\":");
	json_add_string(w->out, key, strlen(key));
	strbuf_addf(w->out, ",\"why\":\"%s\"}\n", why);
}

static bool has_path(const char *key)
{
	NAME_BUF(path);

	return !path_from_key(key, &path);
}

/* What lies below a package has a path of its own. */
static bool folder_has_its_path(const char *key)
{
	NAME_BUF(path);
	CLEANUP(free_char) char *folder = xasprintf("%s/", key);
	NAME_BUF(below);

	return !path_from_key(key, &path) && !path_from_key(folder, &below) &&
	       !strncmp(below.buf, path.buf, path.len) && !strcmp(below.buf + path.len, "/");
}

static bool begins(const char *above, const char *key)
{
	return !strncmp(key, above, strlen(above));
}

/* The key lies below one of those kept: that one was an object and is a folder. */
static void note_hidden(struct walk *w, const char *key)
{
	size_t kept = 0;

	while (w->n && !begins(w->above[w->n - 1], key))
		free(w->above[--w->n]);
	for (size_t i = 0; i < w->n; i++) {
		char *above = w->above[i];

		if (key[strlen(above)] != '/' || !folder_has_its_path(above)) {
			w->above[kept++] = above;
			continue;
		}
		note_unmapped(w, above, "a folder has this name");
		free(above);
	}
	w->n = kept;
}

static int look_at(void *ctx, const struct object *obj)
{
	struct walk *w = ctx;

	note_hidden(w, obj->key);
	if (!obj->generation) { /* a folder at the top */
		if (!has_path(obj->key))
			note_unmapped(w, obj->key, "no path can have this name");
		return 0;
	}
	w->counts.objects++;
	w->counts.bytes += obj->size;
	if (obj->key[strlen(obj->key) - 1] == '/') {
		note_unmapped(w, obj->key, "a folder has this name");
	} else if (!has_path(obj->key)) {
		note_unmapped(w, obj->key, "no path can have this name");
	} else {
		GROW(w->above, w->n, w->alloc);
		w->above[w->n++] = xstrdup(obj->key);
	}
	return 0;
}

static int walk_top(struct tree *t, struct walk *w, const char *top, bool deep)
{
	int r = store_knows(t->options.store, top);

	if (r > 0)
		r = store_list(t->options.store, top, deep, NULL, look_at, w);
	while (w->n)
		free(w->above[--w->n]);
	return r;
}

static int take_folder(void *ctx, const struct object *obj)
{
	char **top = ctx;

	if (obj->generation)
		return 0;
	free(*top);
	*top = xstrdup(obj->key);
	return 1;
}

int tree_next_top(struct tree *t, char **top)
{
	CLEANUP(free_char) char *after = xstrdup_or_null(*top);
	int r = store_knows(t->options.store, "");

	return r > 0 ? store_list(t->options.store, "", false, after, take_folder, top) : r;
}

static int walk_all(struct tree *t, struct walk *w)
{
	CLEANUP(free_char) char *top = NULL;
	int r = walk_top(t, w, "", false);

	while (!r && (r = tree_next_top(t, &top)) > 0)
		r = has_path(top) ? walk_top(t, w, top, true) : 0;
	free(w->above);
	return r;
}

/* What was counted in this state of the index, or a moment ago, as long as counting again would
 * take most of the time. */
static bool is_counted(struct tree *t, uint64_t version, struct tree_counts *ret)
{
	int64_t now = clock_monotonic();
	bool good;

	pthread_mutex_lock(&t->lock);
	good = t->counted && ((version && version == t->counted_version) ||
			      now - t->counted < REST * t->count_took);
	*ret = t->counts;
	pthread_mutex_unlock(&t->lock);
	return good;
}

int tree_count(struct tree *t, struct tree_counts *ret)
{
	uint64_t version = store_version(t->options.store);
	int64_t began = clock_monotonic();
	struct walk w = { .out = NULL };
	int r;

	if (is_counted(t, version, ret))
		return 0;
	r = walk_all(t, &w);
	if (r < 0)
		return r;
	pthread_mutex_lock(&t->lock);
	t->counts = w.counts;
	t->counted_version = version;
	t->counted = clock_monotonic();
	t->count_took = t->counted - began;
	pthread_mutex_unlock(&t->lock);
	*ret = w.counts;
	return 0;
}

int tree_unmapped(struct tree *t, struct strbuf *out)
{
	struct walk w = { .out = out };
	int r = walk_all(t, &w);

	return r < 0 ? r : strbuf_error(out);
}

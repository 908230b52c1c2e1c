/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * survey_walk.c - all that lies in a prefix, package by package.
 *
 * The archives of a package and its documents stand apart in key order, but both in the order of
 * the names: two cursors are merged. A third one shows what lies in neither folder.
 */
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "memory.h"
#include "survey.h"

#define PAGE	  1000
#define BEHIND_IT "\xff" /* no key has this byte, being UTF-8: where all below a folder ends */

/* A place in the list of all that begins with `folder`, and a page of what comes next. */
struct cursor {
	struct store *store;
	char *folder, *after;	    /* after NULL: at the start */
	const char *const *without; /* folders that are passed over; NULL: none */
	const char *passed;	    /* the one that the list has come to; borrowed */
	char dash;		    /* what ends the name of a package in a key */
	struct survey page;
	size_t at;
	bool last; /* nothing comes behind the page */
};

static void cursor_release(struct cursor *c)
{
	free(c->folder);
	free(c->after);
	survey_release(&c->page);
}

static bool begins_with(const char *key, const char *folder)
{
	return !strncmp(key, folder, strlen(folder));
}

static int add_to_page(void *ctx, const struct object *obj)
{
	struct cursor *c = ctx;

	for (size_t i = 0; c->without && c->without[i]; i++)
		if (begins_with(obj->key, c->without[i])) {
			c->passed = c->without[i];
			return 1;
		}
	GROW(c->page.objects, c->page.n, c->page.alloc);
	object_copy(&c->page.objects[c->page.n++], obj);
	return c->page.n == PAGE;
}

/* 1: c->page.objects[c->at] is the next one; 0: there is none. */
static int cursor_fill(struct cursor *c)
{
	if (c->at < c->page.n)
		return 1;
	survey_release(&c->page);
	c->at = 0;
	while (!c->page.n && !c->last) {
		CLEANUP(free_char) char *after = steal(c->after);
		int r;

		c->passed = NULL;
		r = store_list(c->store, c->folder, true, after, add_to_page, c);
		if (r < 0)
			return r;
		c->last = r == 0;
		if (c->passed)
			c->after = xasprintf("%s" BEHIND_IT, c->passed);
		else if (c->page.n)
			c->after = xstrdup(c->page.objects[c->page.n - 1].key);
	}
	return c->page.n > 0;
}

static void cursor_take(struct cursor *c, struct survey *into)
{
	struct object *obj = &c->page.objects[c->at++];

	GROW(into->objects, into->n, into->alloc);
	into->objects[into->n++] = *obj;
	object_init(obj);
}

/* What stands in the place of a package's name in the next object's key; false: it is none. */
static bool cursor_package(const struct cursor *c, struct name_part *ret)
{
	const char *name = c->page.objects[c->at].key + strlen(c->folder);
	const char stop[] = { c->dash, '\0' };

	*ret = (struct name_part){ name, strcspn(name, stop) };
	return (c->dash == '/' || name[ret->len]) && catalog_is_package_name(name, ret->len);
}

struct walk {
	survey_fn *fn;
	void *ctx;
	struct cursor archives, documents;
	struct survey others; /* what is no package's, until it is shown */
	int stopped;	      /* what fn returned to end the walk */
};

/* 0: it may go on. */
static int show(struct walk *w, const char *package, struct survey *have)
{
	if (have->n)
		w->stopped = w->fn(w->ctx, package, have);
	survey_release(have);
	return w->stopped;
}

static int take_other(struct walk *w, struct cursor *c)
{
	cursor_take(c, &w->others);
	return w->others.n == PAGE ? show(w, NULL, &w->others) : 0;
}

/* Passes over what is no package's. 1: `ret`, which lives as long as the page, is the next package;
 * 0: there is none, or the walk is over. */
static int next_package(struct walk *w, struct cursor *c, struct name_part *ret)
{
	int r;

	while ((r = cursor_fill(c)) > 0 && !cursor_package(c, ret))
		if (take_other(w, c))
			return 0;
	return r;
}

/* Takes what the cursor has of a package, which may have other names, such as `foo-bar`, between
 * its listing and what lies below that. */
static int take_package(struct walk *w, struct cursor *c, const char *package, struct survey *have)
{
	size_t n = strlen(package);
	struct name_part part;
	int r;

	while ((r = cursor_fill(c)) > 0) {
		const char *name = c->page.objects[c->at].key + strlen(c->folder);

		if (strncmp(name, package, n) != 0)
			return 0;
		if (cursor_package(c, &part) && part.len == n)
			cursor_take(c, have);
		else if ((unsigned char)name[n] > '/')
			return 0;
		else if (take_other(w, c))
			return 0;
	}
	return r;
}

static int part_compare(struct name_part a, struct name_part b)
{
	int order = memcmp(a.text, b.text, a.len < b.len ? a.len : b.len);

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* 1: one package was shown; 0: there is none any more, or the walk is over. */
static int walk_package(struct walk *w)
{
	CLEANUP(survey_release) struct survey have = { 0 };
	CLEANUP(free_char) char *package = NULL;
	struct name_part archives, documents;
	int has_archives, has_documents = 0, r = 0;

	has_archives = next_package(w, &w->archives, &archives);
	if (has_archives >= 0 && !w->stopped)
		has_documents = next_package(w, &w->documents, &documents);
	if (has_archives < 0 || has_documents < 0)
		return has_archives < 0 ? has_archives : has_documents;
	if (w->stopped || (!has_archives && !has_documents))
		return 0;
	if (!has_documents || (has_archives && part_compare(archives, documents) < 0))
		package = xstrndup(archives.text, archives.len);
	else
		package = xstrndup(documents.text, documents.len);
	if (has_archives)
		r = take_package(w, &w->archives, package, &have);
	if (!r && has_documents && !w->stopped)
		r = take_package(w, &w->documents, package, &have);
	if (r < 0 || w->stopped)
		return r;
	return show(w, package, &have) ? 0 : 1;
}

static int walk_rest(struct walk *w, struct store *s, const char *prefix)
{
	const char *const without[] = { w->archives.folder, w->documents.folder, NULL };
	CLEANUP(cursor_release)
	struct cursor c = { .store = s, .folder = xasprintf("%s/", prefix), .without = without };
	int r;

	while ((r = cursor_fill(&c)) > 0 && !take_other(w, &c))
		;
	if (r >= 0 && !w->stopped)
		show(w, NULL, &w->others);
	return r < 0 ? r : 0;
}

int survey_walk(struct store *s, const char *prefix, survey_fn *fn, void *ctx)
{
	struct walk w = {
		.fn = fn,
		.ctx = ctx,
		.archives = { .store = s,
			      .folder = xasprintf("%s/api/archives/", prefix),
			      .dash = '-' },
		.documents = { .store = s,
			       .folder = xasprintf("%s/api/packages/", prefix),
			       .dash = '/' },
	};
	int r;

	while ((r = walk_package(&w)) > 0)
		;
	if (!r && !w.stopped)
		r = walk_rest(&w, s, prefix);
	cursor_release(&w.archives);
	cursor_release(&w.documents);
	survey_release(&w.others);
	return r < 0 ? r : w.stopped;
}

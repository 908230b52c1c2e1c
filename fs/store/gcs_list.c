/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_list.c - the pages of a listing, merged into one stream in byte order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "gcs.h"
#include "log.h"
#include "memory.h"

#define PAGE_SIZE     1000 /* the most that the server gives */
#define KEY_MAX	      1024
#define IDLE_PAGES    100 /* without a new name, but with a promise of more: it has no end */
#define PAGE_TEXT_MAX ((size_t)64 << 10)

struct pages {
	struct gcs_store *g;
	const char *prefix;
	bool deep;
	const char *end; /* endOffset; NULL: none */
	char *start;	 /* startOffset; NULL: none */
	char *token;	 /* of the next page; NULL: the first one */
	char *last;	 /* shown so far; NULL: nothing */
	unsigned idle;	 /* pages in a row that had nothing new */
	object_fn *fn;
	void *ctx;
};

static void pages_release(struct pages *p)
{
	free(p->start);
	free(p->token);
	free(p->last);
}

/* The least key that may be shown behind `after`. */
static char *start_behind(const char *prefix, bool deep, const char *after)
{
	char *start;
	size_t n = strlen(after);

	if (!deep && key_is_fold(after, prefix)) { /* past all below: '0' follows '/' */
		start = xstrdup(after);
		start[n - 1] = '/' + 1;
		return start;
	}
	/* no NUL can be in a name: nothing lies between a key and the key with \x01 behind it */
	return n < KEY_MAX ? xasprintf("%s\x01", after) : xstrdup(after);
}

/* What is left of a folder is still to be shown, in the place of the folder: before `after`. */
static bool is_in_folder(const char *prefix, bool deep, const char *after)
{
	return !deep && !strncmp(after, prefix, strlen(prefix)) && key_folded(after, prefix) &&
	       !key_is_fold(after, prefix);
}

/* An empty bucket is a page without names: what is no page must not look like one. */
static int parse_page(const struct pages *p, const struct http_answer *answer, json_t **ret)
{
	CLEANUP(gcs_json_release) json_t *page = NULL;
	const char *kind;
	int r = gcs_parse(p->g, answer, &page);

	if (r < 0)
		return r;
	kind = json_string_value(json_object_get(page, "kind"));
	if (!kind || strcmp(kind, "storage#objects") != 0)
		return fail(-EIO,
			    "%s does not answer as Google Cloud Storage does: that is no list",
			    p->g->endpoint);
	*ret = steal(page);
	return 0;
}

static int fetch(const struct pages *p, json_t **ret)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX + PAGE_TEXT_MAX);
	struct http_request request = { .method = "GET" };
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	gcs_url(p->g, GCS_SERVICE, NULL, &url);
	gcs_url_number(&url, "maxResults", PAGE_SIZE);
	gcs_url_text(&url, "fields", "kind,nextPageToken,prefixes,items(" GCS_FIELDS ")");
	if (*p->prefix)
		gcs_url_text(&url, "prefix", p->prefix);
	if (!p->deep)
		gcs_url_text(&url, "delimiter", "/");
	if (p->start)
		gcs_url_text(&url, "startOffset", p->start);
	if (p->end)
		gcs_url_text(&url, "endOffset", p->end);
	if (p->token)
		gcs_url_text(&url, "pageToken", p->token);
	request.url = url.buf;
	r = gcs_send(p->g, CALL_LIST, NULL, &request, &answer);
	return r < 0 ? r : parse_page(p, &answer, ret);
}

/* Shows one, unless it is not behind the last one: some page came twice. */
static int show(struct pages *p, const struct object *obj)
{
	int r;

	if ((p->last && strcmp(obj->key, p->last) <= 0) ||
	    strncmp(obj->key, p->prefix, strlen(p->prefix)) != 0 ||
	    (p->end && strcmp(obj->key, p->end) >= 0))
		return 0;
	p->idle = 0;
	r = p->fn(p->ctx, obj);
	free(p->last);
	p->last = xstrdup(obj->key);
	return r;
}

/* 1: an object; 0: one that no key can say, which was reported. */
static int parse_item(const struct pages *p, const json_t *item, struct object *ret)
{
	int r = gcs_object_parse(item, ret);

	if (r == 0)
		return 1;
	if (r == -ENOENT) {
		log_warning("gs://%s has an object with a NUL in its name; it cannot be shown",
			    p->g->bucket);
		return 0;
	}
	return fail(-EIO,
		    "%s does not answer as Google Cloud Storage does: an object lacks a "
		    "member that every one has",
		    p->g->endpoint);
}

static int show_prefix(struct pages *p, const char *prefix)
{
	CLEANUP(object_release) struct object obj;

	object_init(&obj);
	obj.key = xstrdup(prefix);
	return show(p, &obj);
}

/* Items and prefixes stand in two arrays, each in order: shows them as one. */
static int show_page(struct pages *p, const json_t *page)
{
	const json_t *items = json_object_get(page, "items");
	const json_t *prefixes = json_object_get(page, "prefixes");
	size_t i = 0, f = 0;
	int r = 0;

	while (r == 0 && (i < json_array_size(items) || f < json_array_size(prefixes))) {
		const json_t *item = json_array_get(items, i);
		const char *folder = json_string_value(json_array_get(prefixes, f));
		const char *name = json_string_value(json_object_get(item, "name"));
		CLEANUP(object_release) struct object obj;

		object_init(&obj);
		if (folder && (!item || (name && strcmp(folder, name) < 0))) {
			r = show_prefix(p, folder);
			f++;
			continue;
		}
		if (!item) { /* a prefix that is no text */
			f++;
			continue;
		}
		i++;
		r = parse_item(p, item, &obj);
		if (r > 0)
			r = show(p, &obj);
	}
	return r;
}

static int take_token(struct pages *p, const json_t *page)
{
	const char *token = json_string_value(json_object_get(page, "nextPageToken"));
	char *next = token && *token ? xstrdup(token) : NULL;

	free(p->token);
	p->token = next;
	if (!next || p->idle++ < IDLE_PAGES)
		return 0;
	return fail(-EIO, "the listing of gs://%s has no end: %d pages in a row show nothing new",
		    p->g->bucket, IDLE_PAGES);
}

static int list_pages(struct pages *p, const char *after)
{
	int r;

	if (after && strcmp(after, p->prefix) >= 0) {
		p->start = start_behind(p->prefix, p->deep, after);
		if (!is_in_folder(p->prefix, p->deep, after))
			p->last = xstrdup(after);
	}
	do {
		CLEANUP(gcs_json_release) json_t *page = NULL;

		r = fetch(p, &page);
		if (r == 0)
			r = show_page(p, page);
		if (r == 0)
			r = take_token(p, page);
	} while (r == 0 && p->token);
	return r;
}

int gcs_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	     void *ctx)
{
	CLEANUP(pages_release)
	struct pages p = { .g = gcs_of(s), .prefix = prefix, .deep = deep, .fn = fn, .ctx = ctx };

	return list_pages(&p, after);
}

int gcs_list_part(struct store *s, const char *prefix, const char *after, const char *end,
		  object_fn *fn, void *ctx)
{
	CLEANUP(pages_release)
	struct pages p = {
		.g = gcs_of(s), .prefix = prefix, .end = end, .deep = true, .fn = fn, .ctx = ctx
	};

	/* the server takes an end before the start for a mistake */
	return strcmp(after && strcmp(after, prefix) > 0 ? after : prefix, end) < 0
		       ? list_pages(&p, after)
		       : 0;
}

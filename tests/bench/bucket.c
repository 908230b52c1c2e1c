/* SPDX-License-Identifier: BSD-3-Clause */
/* bucket.c - makes what the bench mounts: a bucket of made-up packages, or an index of many. */
/*
 *	bucket DIR PACKAGES		a dir: store with latest/, written below the gate
 *	bucket --index DIR CACHE OBJECTS PREFIX...
 *				the index of that store in CACHE, as a listing of that many
 *				archives below each prefix would fill it, none of them there
 */
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "codec.h"
#include "memory.h"
#include "packages.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define BATCH	64
#define OF_EACH (2 + DETAILS) /* objects of a package */

static void must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

/* An object as pubfs itself writes it: the catalog's headers, its own keys. */
static void describe(struct object *obj, char *key, const char *text, size_t n)
{
	struct object_name name;

	object_init(obj);
	obj->key = key;
	if (catalog_match(key, &name) == KIND_NONE)
		errx(1, "%s: no key of an export", key);
	catalog_headers(&name, obj);
	sha256(text, n, obj->sha256);
	obj->has_sha256 = true;
	obj->decoded_size = n;
	obj->has_decoded_size = true;
	obj->runtime_version = xstrdup("2026.08.18");
	obj->change = xstrdup("1-0123456789abcdef");
	obj->validated = clock_now();
}

static void add(struct edit *edit, struct strbuf *stored, struct body *body, char *key,
		const char *text, size_t n)
{
	*edit = (struct edit){ .op = EDIT_WRITE, .if_generation = STORE_ABSENT, .body = body };
	describe(&edit->object, key, text, n);
	strbuf_init(stored, LISTING_MAX);
	if (edit->object.gzip)
		must(gzip_encode(text, n, stored), "gzip");
	else
		strbuf_add(stored, text, n);
	*body = body_of_strbuf(stored);
}

static void add_package(struct edit *edits, struct strbuf *stored, struct body *bodies, unsigned i)
{
	char text[LISTING_MAX];
	size_t len = package_listing(i, text), n = 0;

	add(&edits[n], &stored[n], &bodies[n], xasprintf("latest/api/packages/" PACKAGE_NAME, i),
	    text, len);
	for (n++; n <= DETAILS; n++) {
		const struct package_detail *detail = &package_details[n - 1];

		add(&edits[n], &stored[n], &bodies[n],
		    xasprintf("latest/api/packages/" PACKAGE_NAME "/%s", i, detail->name),
		    detail->text, strlen(detail->text));
	}
	add(&edits[n], &stored[n], &bodies[n],
	    xasprintf("latest/api/archives/" PACKAGE_NAME "-" PACKAGE_VERSION ".tar.gz", i),
	    ARCHIVE, sizeof(ARCHIVE) - 1);
}

static void fill(struct store *s, unsigned packages)
{
	struct edit edits[BATCH * OF_EACH];
	struct strbuf stored[BATCH * OF_EACH];
	struct body bodies[BATCH * OF_EACH];

	for (unsigned i = 0; i < packages;) {
		size_t n = 0;

		for (; i < packages && n < BATCH * OF_EACH; i++, n += OF_EACH)
			add_package(&edits[n], &stored[n], &bodies[n], i);
		must(store_edit(s, edits, n), "write the bucket");
		edit_release(edits, n);
		for (size_t j = 0; j < n; j++)
			strbuf_release(&stored[j]);
	}
}

/* A store whose listing is computed. */
struct listed {
	struct store store;
	unsigned objects; /* below each prefix */
	char **prefixes;  /* "latest", and so on, in byte order; NULL behind the last */
};

static int list_tops(const struct listed *l, object_fn *fn, void *ctx)
{
	int r = 0;

	for (size_t i = 0; l->prefixes[i] && !r; i++) {
		struct object top;

		object_init(&top);
		top.key = xasprintf("%s/", l->prefixes[i]);
		r = fn(ctx, &top);
		object_release(&top);
	}
	return r;
}

static int list_objects(struct store *s, const char *prefix, bool deep, const char *after,
			object_fn *fn, void *ctx)
{
	const struct listed *l = (const struct listed *)s;
	int r = 0;

	(void)after;
	if (!deep)
		return list_tops(l, fn, ctx);
	for (unsigned i = 0; !r && i < l->objects; i++) {
		struct object obj;

		describe(&obj,
			 xasprintf("%sapi/archives/" PACKAGE_NAME "-" PACKAGE_VERSION ".tar.gz",
				   prefix, i),
			 ARCHIVE, sizeof(ARCHIVE) - 1);
		obj.generation = (uint64_t)clock_now();
		obj.metageneration = 1;
		obj.created = obj.updated = (int64_t)obj.generation;
		obj.size = sizeof(ARCHIVE) - 1;
		md5(ARCHIVE, obj.size, obj.md5);
		obj.has_md5 = true;
		r = fn(ctx, &obj);
		object_release(&obj);
	}
	return r;
}

static void close_listed(struct store *s)
{
	free(s);
}

static const struct store_ops listed_ops = { .name = "listed",
					     .list = list_objects,
					     .close = close_listed };

static void index_of_many(struct store *real, const char *cache, unsigned objects, char **prefixes)
{
	struct listed *l = xcalloc(1, sizeof(*l));
	struct store *s;

	l->store = (struct store){
		.ops = &listed_ops, .url = real->url, .identity = real->identity, .batch = 1
	};
	l->objects = objects;
	l->prefixes = prefixes;
	must(index_push(&l->store, cache, &s), "open the index");
	must(store_refresh(s, "", 0), "list the top");
	for (size_t i = 0; prefixes[i]; i++) {
		CLEANUP(free_char) char *top = xasprintf("%s/", prefixes[i]);

		must(store_refresh(s, top, 0), top);
	}
	store_close(s);
}

int main(int argc, char **argv)
{
	bool index = argc > 5 && !strcmp(argv[1], "--index");
	CLEANUP(free_char) char *url = NULL;
	struct store *s;

	if (!index && argc != 3)
		errx(2, "usage: bucket [--index] DIR [CACHE] NUMBER [PREFIX...]");
	url = xasprintf("dir:%s", argv[index ? 2 : 1]);
	must(store_open(url, STORE_CREATE, &s), url);
	if (index)
		index_of_many(s, argv[3], (unsigned)strtoul(argv[4], NULL, 10), argv + 5);
	else
		fill(s, (unsigned)strtoul(argv[2], NULL, 10));
	store_close(s);
	return 0;
}

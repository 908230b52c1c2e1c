/* SPDX-License-Identifier: BSD-3-Clause */
/* kept.c - what documents of all packages keep of those that the brake holds. */
#include "kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "json.h"
#include "memory.h"
#include "object.h"
#include "pass.h"
#include "render.h"
#include "store.h"
#include "stored_body.h"

#define ID_MAX	      256
#define NAME_TEXT_MAX ((size_t)1 << 10)

static int load_document(struct store *s, const char *key, struct object *obj, struct strbuf *out)
{
	int r = store_stat(s, key, obj);

	return r < 0 ? r : stored_load(s, obj, out);
}

int kept_load(const struct pass *pass, size_t k, const char *name, struct kept *ret)
{
	CLEANUP(free_char) char *key = xasprintf("%s/%s", pass->prefixes[k], name);
	CLEANUP(object_release) struct object obj;
	int r;

	*ret = (struct kept){ .pass = pass, .k = k };
	strbuf_init(&ret->text, DOCUMENT_MAX);
	object_init(&obj);
	if (!pass_holds(pass, k))
		return 0;
	r = load_document(pass->opt->store, key, &obj, &ret->text);
	if (r == -ESTALE && !store_refresh(pass->opt->store, key, 0)) {
		object_release(&obj);
		object_init(&obj);
		r = load_document(pass->opt->store, key, &obj, &ret->text);
	}
	if (r == -ENOENT || r == -EBADMSG || r == -E2BIG) {
		strbuf_reset(&ret->text);
		r = 0;
	}
	return r;
}

void kept_release(struct kept *kept)
{
	strbuf_release(&kept->text);
}

bool kept_has_entry(const struct kept *kept, const struct newest_version *newest)
{
	CLEANUP(strbuf_release) struct strbuf id = STRBUF_INIT(ID_MAX);

	if (!kept->text.len || !names_have(&kept->pass->held_whole[kept->k], newest->package))
		return false;
	site_feed_entry_id(newest, &id);
	return strstr(kept->text.buf, id.buf);
}

static bool is_held(const struct kept *kept, const char *package)
{
	return names_have(&kept->pass->held[kept->k], package) ||
	       names_have(&kept->pass->held_whole[kept->k], package);
}

/* A kept name, and the one that it stands behind, as both are there; "": none. */
struct place {
	char *behind, *name;
	size_t at;
};

struct places {
	struct place *places;
	size_t n, alloc;
};

static void places_release(struct places *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->places[i].behind);
		free(p->places[i].name);
	}
	free(p->places);
}

static int by_behind(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->behind, y->behind);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Of the names in completion data, those that are held and are none of `there`. */
static void find_places(const struct kept *kept, struct json array, const struct names *there,
			struct places *ret)
{
	CLEANUP(strbuf_release) struct strbuf behind = STRBUF_INIT(NAME_TEXT_MAX);
	struct json_iter it = json_iterate(array);
	struct json value;

	while (json_next(&it, NULL, &value)) {
		CLEANUP(strbuf_release) struct strbuf name = STRBUF_INIT(NAME_TEXT_MAX);

		if (value.type != JSON_STRING)
			continue;
		json_decode(value, &name);
		if (names_have(there, name.buf)) {
			strbuf_reset(&behind);
			strbuf_addstr(&behind, name.buf);
			continue;
		}
		if (!is_held(kept, name.buf))
			continue;
		GROW(ret->places, ret->n, ret->alloc);
		ret->places[ret->n] = (struct place){ xstrdup(behind.buf),
						      xstrdup(name.buf), ret->n };
		ret->n++;
	}
	if (ret->n)
		qsort(ret->places, ret->n, sizeof(*ret->places), by_behind);
}

/* Adds those that stand behind this name. */
static void add_behind(const struct places *p, const char *behind, struct names *out)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(p->places[middle].behind, behind) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < p->n && !strcmp(p->places[low].behind, behind); low++)
		names_add(out, p->places[low].name);
}

void kept_add_names(const struct kept *kept, struct names *ret)
{
	CLEANUP(names_release) struct names there = { 0 }, all = { 0 };
	CLEANUP(places_release) struct places places = { 0 };
	struct json document, array;

	if (!kept->text.len ||
	    json_parse(kept->text.buf, kept->text.len, &document, NULL) < 0 ||
	    !json_member(document, "packages", &array) || array.type != JSON_ARRAY)
		return;
	for (size_t i = 0; i < ret->n; i++)
		names_add(&there, ret->names[i]);
	names_sort(&there);
	find_places(kept, array, &there, &places);
	add_behind(&places, "", &all);
	for (size_t i = 0; i < ret->n; i++) {
		names_add(&all, ret->names[i]);
		add_behind(&places, ret->names[i], &all);
	}
	names_release(ret);
	*ret = all;
	all = (struct names){ 0 };
}

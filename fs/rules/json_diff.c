/* SPDX-License-Identifier: BSD-3-Clause */
/* json_diff.c - where two JSON texts differ: both are walked along their members and elements. */
#include "json_diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "strbuf.h"

#define POINTER_MAX ((size_t)1 << 20)
#define TEXT_MAX    ((size_t)256 << 20)

/* A member or element, and what it is called. */
struct part {
	char *name; /* decoded; owned */
	struct json value;
	bool matched;
};

struct parts {
	struct part *parts;
	size_t n, alloc;
	size_t *by_name; /* their order by name */
};

struct walk {
	struct strbuf pointer;
	json_diff_fn *fn;
	void *ctx;
};

static char *decoded(struct json string)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);

	json_decode(string, &text);
	return strbuf_detach(&text);
}

static void parts_release(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->parts[i].name);
	free(p->parts);
	free(p->by_name);
}

static int by_name(const void *a, const void *b, void *parts)
{
	const struct part *all = parts;

	return strcmp(all[*(const size_t *)a].name, all[*(const size_t *)b].name);
}

static void parts_sort(struct parts *p)
{
	p->by_name = xcalloc(p->n ? p->n : 1, sizeof(*p->by_name));
	for (size_t i = 0; i < p->n; i++)
		p->by_name[i] = i;
	qsort_r(p->by_name, p->n, sizeof(*p->by_name), by_name, p->parts);
}

static struct part *parts_find(const struct parts *p, const char *name)
{
	size_t low = 0, high = p->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct part *part = &p->parts[p->by_name[middle]];
		int order = strcmp(name, part->name);

		if (!order)
			return part;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The one name that every element has a member of, each with another text. NULL: there is none. */
static bool named_by(struct json array, const char *name, struct parts *ret)
{
	struct json_iter it = json_iterate(array);
	struct json item, text;

	while (json_next(&it, NULL, &item)) {
		if (!json_member(item, name, &text) || text.type != JSON_STRING)
			return false;
		GROW(ret->parts, ret->n, ret->alloc);
		ret->parts[ret->n++] = (struct part){ .name = decoded(text), .value = item };
	}
	parts_sort(ret);
	for (size_t i = 1; i < ret->n; i++)
		if (!by_name(&ret->by_name[i - 1], &ret->by_name[i], ret->parts))
			return false;
	return true;
}

static void number_elements(struct json array, struct parts *ret)
{
	struct json_iter it = json_iterate(array);
	struct json item;

	for (size_t i = 0; json_next(&it, NULL, &item); i++) {
		GROW(ret->parts, ret->n, ret->alloc);
		ret->parts[ret->n++] = (struct part){ .name = xasprintf("%zu", i), .value = item };
	}
	parts_sort(ret);
}

static void name_members(struct json object, struct parts *ret)
{
	struct json_iter it = json_iterate(object);
	struct json key, item;

	while (json_next(&it, &key, &item)) {
		GROW(ret->parts, ret->n, ret->alloc);
		ret->parts[ret->n++] = (struct part){ .name = decoded(key), .value = item };
	}
	parts_sort(ret);
}

/* Both arrays must be named alike. */
static void name_elements(struct json a, struct json b, struct parts *ret_a, struct parts *ret_b)
{
	static const char *const names[] = { "version", "id" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (named_by(a, names[i], ret_a) && named_by(b, names[i], ret_b))
			return;
		parts_release(ret_a);
		parts_release(ret_b);
		*ret_a = *ret_b = (struct parts){ 0 };
	}
	number_elements(a, ret_a);
	number_elements(b, ret_b);
}

static size_t enter(struct walk *w, const char *name)
{
	size_t before = w->pointer.len;

	strbuf_addch(&w->pointer, '/');
	for (; *name; name++)
		if (*name == '~' || *name == '/')
			strbuf_addstr(&w->pointer, *name == '~' ? "~0" : "~1");
		else
			strbuf_addch(&w->pointer, *name);
	return before;
}

static int walk_value(struct walk *w, struct json a, struct json b);

static int walk_parts(struct walk *w, struct parts *a, struct parts *b)
{
	int r = 0;

	for (size_t i = 0; i < a->n && !r; i++) {
		struct part *other = parts_find(b, a->parts[i].name);
		size_t before = enter(w, a->parts[i].name);

		if (other) {
			other->matched = true;
			r = walk_value(w, a->parts[i].value, other->value);
		} else {
			r = w->fn(w->ctx, w->pointer.buf, &a->parts[i].value, NULL);
		}
		strbuf_setlen(&w->pointer, before);
	}
	for (size_t i = 0; i < b->n && !r; i++) {
		size_t before;

		if (b->parts[i].matched)
			continue;
		before = enter(w, b->parts[i].name);
		r = w->fn(w->ctx, w->pointer.buf, NULL, &b->parts[i].value);
		strbuf_setlen(&w->pointer, before);
	}
	return r;
}

static bool same_scalar(struct json a, struct json b)
{
	if (a.type != b.type)
		return false;
	if (a.type == JSON_STRING) {
		CLEANUP(free_char) char *text_a = decoded(a);
		CLEANUP(free_char) char *text_b = decoded(b);

		return !strcmp(text_a, text_b);
	}
	return a.len == b.len && !memcmp(a.text, b.text, a.len);
}

static int walk_value(struct walk *w, struct json a, struct json b)
{
	CLEANUP(parts_release) struct parts in_a = { 0 };
	CLEANUP(parts_release) struct parts in_b = { 0 };

	if (a.len == b.len && !memcmp(a.text, b.text, a.len))
		return 0;
	if (a.type == JSON_OBJECT && b.type == JSON_OBJECT) {
		name_members(a, &in_a);
		name_members(b, &in_b);
		return walk_parts(w, &in_a, &in_b);
	}
	if (a.type == JSON_ARRAY && b.type == JSON_ARRAY) {
		name_elements(a, b, &in_a, &in_b);
		return walk_parts(w, &in_a, &in_b);
	}
	return same_scalar(a, b) ? 0 : w->fn(w->ctx, w->pointer.buf, &a, &b);
}

int json_diff(struct json a, struct json b, json_diff_fn *fn, void *ctx)
{
	struct walk w = { .pointer = STRBUF_INIT(POINTER_MAX), .fn = fn, .ctx = ctx };
	int r = walk_value(&w, a, b);

	strbuf_release(&w.pointer);
	return r;
}

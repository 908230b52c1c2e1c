/* SPDX-License-Identifier: BSD-3-Clause */
/* previous.c - what the documents in the bucket say that the rows no longer say. */
#include "previous.h"

#include <errno.h>

#include "catalog.h"
#include "json.h"
#include "names.h"
#include "strbuf.h"

/* Adds the member `name` of each object of an array, in those that `only` asks for. */
static int add_texts(struct json array, const char *name, bool (*only)(struct json object),
		     struct names *ret)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json_iter it = json_iterate(array);
	struct json object, value;

	if (array.type != JSON_ARRAY)
		return -EINVAL;
	while (json_next(&it, NULL, &object)) {
		if (!json_member(object, name, &value) || value.type != JSON_STRING)
			return -EINVAL;
		if (only && !only(object))
			continue;
		strbuf_reset(&text);
		json_decode(value, &text);
		names_add(ret, text.buf);
	}
	names_sort(ret);
	return 0;
}

static int find_array(const struct strbuf *text, const char *name, struct json *ret)
{
	struct json document;

	return json_parse(text->buf, text->len, &document, NULL) < 0 ||
			       !json_member(document, name, ret)
		       ? -EINVAL
		       : 0;
}

int previous_versions(const struct strbuf *listing, struct names *ret)
{
	struct json versions;

	return find_array(listing, "versions", &versions) < 0
		       ? -EINVAL
		       : add_texts(versions, "version", NULL, ret);
}

static bool is_retracted(struct json version)
{
	struct json value;

	return json_member(version, "retracted", &value) && json_is_true(value);
}

/* The versions that clients see, and those that they are kept from, as the rows have them. */
static void split_rows(const struct package *pkg, const struct release_list *releases,
		       struct names *listed, struct names *taken_down)
{
	for (size_t i = 0; i < releases->n; i++)
		names_add(listed, releases->versions[i]->version);
	for (size_t i = 0; i < pkg->n_versions; i++)
		if (!package_version_is_visible(&pkg->versions[i]))
			names_add(taken_down, pkg->versions[i].version);
	names_sort(listed);
	names_sort(taken_down);
}

int previous_listing(const struct strbuf *text, const struct package *pkg,
		     const struct release_list *releases, struct previous_listing *ret)
{
	CLEANUP(names_release) struct names before = { 0 }, retracted = { 0 };
	CLEANUP(names_release) struct names listed = { 0 }, taken_down = { 0 };
	struct previous_listing found = { 0 };
	struct json versions;

	if (find_array(text, "versions", &versions) < 0 ||
	    add_texts(versions, "version", NULL, &before) < 0 ||
	    add_texts(versions, "version", is_retracted, &retracted) < 0)
		return -EINVAL;
	split_rows(pkg, releases, &listed, &taken_down);
	found.versions = before.n;
	for (size_t i = 0; i < before.n; i++)
		found.lost += !names_have(&listed, before.names[i]) &&
			      !names_have(&taken_down, before.names[i]);
	for (size_t i = 0; i < releases->n; i++)
		found.retracted |= releases->versions[i]->retracted &&
				   !names_have(&retracted, releases->versions[i]->version);
	*ret = found;
	return 0;
}

static int add_ids(const struct strbuf *text, struct names *ret)
{
	struct json advisories;

	return find_array(text, "advisories", &advisories) < 0
		       ? -EINVAL
		       : add_texts(advisories, "id", NULL, ret);
}

/* Adds those of `a` that `b` does not have, and says how many. */
static size_t subtract(const struct names *a, const struct names *b, struct names *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		if (!names_have(b, a->names[i])) {
			names_add(ret, a->names[i]);
			n++;
		}
	return n;
}

int previous_advisories(const struct strbuf *before, const struct strbuf *now, struct names *lost,
			struct previous_advisories *ret)
{
	CLEANUP(names_release) struct names old = { 0 }, new = { 0 }, added = { 0 };

	if (add_ids(before, &old) < 0 || add_ids(now, &new) < 0)
		return -EINVAL;
	ret->added = subtract(&new, &old, &added);
	ret->emptied = subtract(&old, &new, lost) && !new.n;
	return 0;
}

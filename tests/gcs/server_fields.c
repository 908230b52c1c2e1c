/* SPDX-License-Identifier: BSD-3-Clause */
/* server_fields.c - partial answers: what the parameter `fields` selects. */
#include <string.h>

#include "memory.h"
#include "server_internal.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."

static const char *const known[] = {
	"kind",
	"items",
	"prefixes",
	"nextPageToken",
	"id",
	"selfLink",
	"mediaLink",
	"name",
	"bucket",
	"generation",
	"metageneration",
	"contentType",
	"contentEncoding",
	"contentDisposition",
	"contentLanguage",
	"cacheControl",
	"storageClass",
	"size",
	"md5Hash",
	"crc32c",
	"etag",
	"timeCreated",
	"updated",
	"timeStorageClassUpdated",
	"metadata",
	"componentCount",
	"totalBytesRewritten",
	"objectSize",
	"done",
	"rewriteToken",
	"resource",
	"location",
	"locationType",
	"projectNumber",
	"iamConfiguration",
	"uniformBucketLevelAccess",
	"enabled",
	"*",
};

bool fields_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i]))
			return true;
	return false;
}

/* a/b(c,d/e) as a tree: an object for a name of which a part is wanted, true for all of it. */
static bool parse_list(const char **at, json_t *tree, bool any_name);

static bool parse_path(const char **at, json_t *tree, bool any_name)
{
	size_t n = **at == '*' ? 1 : strspn(*at, NAME_CHARS);
	CLEANUP(free_char) char *name = xstrndup(*at, n);
	json_t *below = json_object_get(tree, name);
	bool custom = any_name || !strcmp(name, "metadata");

	if (!n || (!any_name && !fields_known(name)))
		return false;
	*at += n;
	if (**at != '/' && **at != '(')
		return !json_object_set_new(tree, name, json_true());
	if (!below) {
		below = json_object();
		json_object_set_new(tree, name, below);
	}
	if (!json_is_object(below))
		below = NULL; /* all of it is wanted anyway */
	if (*(*at)++ == '/')
		return parse_path(at, below, custom);
	return parse_list(at, below, custom) && *(*at)++ == ')';
}

static bool parse_list(const char **at, json_t *tree, bool any_name)
{
	while (parse_path(at, tree, any_name)) {
		if (**at != ',')
			return true;
		(*at)++;
	}
	return false;
}

static void select_tree(json_t *json, const json_t *tree)
{
	const char *name;
	json_t *value;
	void *next;
	size_t i;

	if (!json_is_object(tree) || json_object_get(tree, "*"))
		return;
	json_array_foreach(json, i, value) select_tree(value, tree);
	json_object_foreach_safe(json, next, name, value)
	{
		const json_t *below = json_object_get(tree, name);

		if (below)
			select_tree(value, below);
		else
			json_object_del(json, name);
	}
}

bool fields_select(const char *fields, json_t *json)
{
	json_t *tree = json_object();
	bool ok = parse_list(&fields, tree, false) && !*fields;

	if (ok)
		select_tree(json, tree);
	json_decref(tree);
	return ok;
}

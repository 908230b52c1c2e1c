/* SPDX-License-Identifier: BSD-3-Clause */
/* catalog.c - the table of object kinds. */
#include "catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "object.h"
#include "version.h"

#define PACKAGE_NAME_MAX 64

#define JSON_TYPE "application/json; charset=\"utf-8\""
#define ATOM_TYPE "application/atom+xml; charset=\"utf-8\""

#define MINUTES_2 "public, max-age=120"
#define HOURS_2	  "public, max-age=7200"
#define HOURS_8	  "public, max-age=28800"
#define HOURS_12  "public, max-age=43200"

static const struct kind_info kinds[KIND_COUNT] = {
	[KIND_NONE] = { .name = "none" },
	[KIND_LISTING] = { "listing", JSON_TYPE, MINUTES_2, .gzip = true },
	[KIND_ADVISORIES] = { "advisories", JSON_TYPE, MINUTES_2, .gzip = true },
	/* the type is what pub.dev says (spec, section 10) */
	[KIND_ARCHIVE] = { "archive", "application/octet", HOURS_2, .attachment = true },
	[KIND_LIKES] = { "likes", JSON_TYPE, MINUTES_2, .gzip = true },
	[KIND_OPTIONS] = { "options", JSON_TYPE, MINUTES_2, .gzip = true },
	[KIND_PUBLISHER] = { "publisher", JSON_TYPE, MINUTES_2, .gzip = true },
	[KIND_SCORE] = { "score", JSON_TYPE, MINUTES_2, .gzip = true },
	[KIND_FEED] = { "feed", ATOM_TYPE, HOURS_12, .gzip = true },
	[KIND_SITE_FEED] = { "site-feed", ATOM_TYPE, HOURS_12, .gzip = true },
	[KIND_COMPLETION] = { "completion-data", JSON_TYPE, HOURS_8, .gzip = true },
	[KIND_NOT_FOUND] = { "not-found", JSON_TYPE, MINUTES_2, .gzip = true },
};

/* Names behind the prefix: `before`, then, unless there is none, a package (and dash and version)
 * and `after`. */
static const struct {
	enum kind kind;
	const char *before, *after;
	bool versioned;
} patterns[] = {
	{ KIND_LISTING, "api/packages/", "", false },
	{ KIND_ADVISORIES, "api/packages/", "/advisories", false },
	{ KIND_ARCHIVE, "api/archives/", ".tar.gz", true },
	{ KIND_LIKES, "api/packages/", "/likes", false },
	{ KIND_OPTIONS, "api/packages/", "/options", false },
	{ KIND_PUBLISHER, "api/packages/", "/publisher", false },
	{ KIND_SCORE, "api/packages/", "/score", false },
	{ KIND_FEED, "api/packages/", "/feed.atom", false },
	{ KIND_SITE_FEED, "feed.atom", NULL, false },
	{ KIND_COMPLETION, "api/package-name-completion-data", NULL, false },
	{ KIND_NOT_FOUND, "not-found.json", NULL, false },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool catalog_is_package_name(const char *s, size_t n)
{
	if (!n || n > PACKAGE_NAME_MAX || !is_name_start(*s))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_name_start(s[i]) && !is_digit(s[i]))
			return false;
	return true;
}

bool catalog_is_runtime_version(const char *s, size_t n)
{
	static const char shape[] = "dddd.dd.dd";

	if (n != sizeof(shape) - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (shape[i] == 'd' ? !is_digit(s[i]) : s[i] != shape[i])
			return false;
	return true;
}

static bool is_prefix(struct name_part part)
{
	return (part.len == strlen("latest") && !memcmp(part.text, "latest", part.len)) ||
	       catalog_is_runtime_version(part.text, part.len);
}

/* What stands between `before` and `after`. False: they do not. */
static bool cut_middle(const char *name, const char *before, const char *after,
		       struct name_part *ret)
{
	size_t n = strlen(name), n_before = strlen(before), n_after = strlen(after);

	if (n < n_before + n_after || memcmp(name, before, n_before) ||
	    memcmp(name + n - n_after, after, n_after))
		return false;
	*ret = (struct name_part){ name + n_before, n - n_before - n_after };
	return true;
}

/* The package is everything before the first dash, which no package's name has. */
static bool split_version(struct object_name *name)
{
	struct name_part all = name->package;
	const char *dash = memchr(all.text, '-', all.len);

	if (!dash)
		return false;
	name->package.len = (size_t)(dash - all.text);
	name->version = (struct name_part){ dash + 1, all.len - name->package.len - 1 };
	return version_is_canonical(name->version.text, name->version.len);
}

static bool match_pattern(const char *text, size_t i, struct object_name *name)
{
	if (!patterns[i].after)
		return !strcmp(text, patterns[i].before);
	return cut_middle(text, patterns[i].before, patterns[i].after, &name->package) &&
	       (!patterns[i].versioned || split_version(name)) &&
	       catalog_is_package_name(name->package.text, name->package.len);
}

enum kind catalog_match(const char *key, struct object_name *ret)
{
	struct name_part prefix = { key, strcspn(key, "/") };

	*ret = (struct object_name){ .kind = KIND_NONE };
	if (!key[prefix.len] || !is_prefix(prefix))
		return KIND_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct object_name name = { .kind = patterns[i].kind, .prefix = prefix };

		if (!match_pattern(key + prefix.len + 1, i, &name))
			continue;
		*ret = name;
		return name.kind;
	}
	return KIND_NONE;
}

const struct kind_info *catalog_info(enum kind kind)
{
	assert(kind < KIND_COUNT);
	return &kinds[kind];
}

static void set_text(char **to, char *text)
{
	free(*to);
	*to = text;
}

void catalog_headers(const struct object_name *name, struct object *obj)
{
	const struct kind_info *info = catalog_info(name->kind);
	char *disposition = NULL;

	assert(name->kind != KIND_NONE);
	if (info->attachment)
		disposition = xasprintf("attachment; filename=\"%.*s-%.*s.tar.gz\"",
					(int)name->package.len, name->package.text,
					(int)name->version.len, name->version.text);
	set_text(&obj->type, xstrdup(info->type));
	set_text(&obj->cache_control, xstrdup(info->cache_control));
	set_text(&obj->disposition, disposition);
	obj->gzip = info->gzip;
}

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

#define PART(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define ARCHIVE_END ".tar.gz"

/* Names behind the prefix: `before`, then, unless there is none, a package (and dash and version)
 * and `after`. */
static const struct {
	enum kind kind;
	struct name_part before, after;
	bool versioned;
} patterns[] = {
	{ KIND_LISTING, PART("api/packages/"), PART(""), false },
	{ KIND_ADVISORIES, PART("api/packages/"), PART("/advisories"), false },
	{ KIND_ARCHIVE, PART("api/archives/"), PART(ARCHIVE_END), true },
	{ KIND_LIKES, PART("api/packages/"), PART("/likes"), false },
	{ KIND_OPTIONS, PART("api/packages/"), PART("/options"), false },
	{ KIND_PUBLISHER, PART("api/packages/"), PART("/publisher"), false },
	{ KIND_SCORE, PART("api/packages/"), PART("/score"), false },
	{ KIND_FEED, PART("api/packages/"), PART("/feed.atom"), false },
	{ KIND_SITE_FEED, PART("feed.atom"), { NULL, 0 }, false },
	{ KIND_COMPLETION, PART("api/package-name-completion-data"), { NULL, 0 }, false },
	{ KIND_NOT_FOUND, PART("not-found.json"), { NULL, 0 }, false },
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
static bool cut_middle(struct name_part all, struct name_part before, struct name_part after,
		       struct name_part *ret)
{
	if (all.len < before.len + after.len || memcmp(all.text, before.text, before.len) ||
	    memcmp(all.text + all.len - after.len, after.text, after.len))
		return false;
	*ret = (struct name_part){ all.text + before.len, all.len - before.len - after.len };
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

static bool same_part(struct name_part a, struct name_part b)
{
	return a.len == b.len && !memcmp(a.text, b.text, a.len);
}

static bool match_pattern(struct name_part all, size_t i, struct object_name *name)
{
	if (!patterns[i].after.text)
		return same_part(all, patterns[i].before);
	return cut_middle(all, patterns[i].before, patterns[i].after, &name->package) &&
	       (!patterns[i].versioned || split_version(name)) &&
	       catalog_is_package_name(name->package.text, name->package.len);
}

enum kind catalog_match(const char *key, struct object_name *ret)
{
	struct name_part prefix = { key, strcspn(key, "/") }, rest;

	*ret = (struct object_name){ .kind = KIND_NONE };
	if (!key[prefix.len] || !is_prefix(prefix))
		return KIND_NONE;
	rest.text = key + prefix.len + 1;
	rest.len = strlen(rest.text);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct object_name name = { .kind = patterns[i].kind, .prefix = prefix };

		if (!match_pattern(rest, i, &name))
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

#define DISPOSITION_PARTS 5

/* Of an archive: what its Content-Disposition is, one behind the other. */
static void disposition_parts(const struct object_name *name,
			      struct name_part ret[DISPOSITION_PARTS])
{
	const struct name_part parts[DISPOSITION_PARTS] = {
		PART("attachment; filename=\""), name->package,
		PART("-"),			 name->version,
		PART(ARCHIVE_END "\""),
	};

	memcpy(ret, parts, sizeof(parts));
}

static char *disposition_of(const struct object_name *name)
{
	struct name_part parts[DISPOSITION_PARTS];
	size_t n = 0;
	char *text, *at;

	if (!catalog_info(name->kind)->attachment)
		return NULL;
	disposition_parts(name, parts);
	for (size_t i = 0; i < DISPOSITION_PARTS; i++)
		n += parts[i].len;
	text = at = xmalloc(n + 1);
	for (size_t i = 0; i < DISPOSITION_PARTS; at += parts[i++].len)
		memcpy(at, parts[i].text, parts[i].len);
	*at = '\0';
	return text;
}

static bool is_disposition(const struct object_name *name, const char *text)
{
	struct name_part parts[DISPOSITION_PARTS];

	if (!catalog_info(name->kind)->attachment || !text)
		return !catalog_info(name->kind)->attachment && !text;
	disposition_parts(name, parts);
	for (size_t i = 0; i < DISPOSITION_PARTS; text += parts[i++].len)
		if (strncmp(text, parts[i].text, parts[i].len) != 0)
			return false;
	return !*text;
}

static void set_text(char **to, char *text)
{
	free(*to);
	*to = text;
}

void catalog_headers(const struct object_name *name, struct object *obj)
{
	const struct kind_info *info = catalog_info(name->kind);

	assert(name->kind != KIND_NONE);
	set_text(&obj->type, xstrdup(info->type));
	set_text(&obj->cache_control, xstrdup(info->cache_control));
	set_text(&obj->disposition, disposition_of(name));
	obj->gzip = info->gzip;
}

bool catalog_has_headers(const struct object_name *name, const struct object *obj)
{
	const struct kind_info *info = catalog_info(name->kind);

	return same_text(obj->type, info->type) &&
	       same_text(obj->cache_control, info->cache_control) &&
	       is_disposition(name, obj->disposition);
}

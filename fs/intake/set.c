/* SPDX-License-Identifier: BSD-3-Clause */
/* set.c - columns of a row by hand, each with what it may be. */
#include "set.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "version.h"

#define LITERAL_MAX ((size_t)1 << 20) /* of a text of 128 KiB, as long as an argument may be */

#define PURGED "purged="

typedef int value_fn(const char *text, struct db_value *ret);

static int parse_flag(const char *text, struct db_value *ret)
{
	static const struct {
		const char *text;
		int flag;
	} words[] = { { "true", 1 }, { "false", 0 }, { "1", 1 }, { "0", 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(text, words[i].text)) {
			ret->type = DB_FLAG;
			ret->number = words[i].flag;
			return 0;
		}
	return -EINVAL;
}

static int parse_number(const char *text, struct db_value *ret)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9')
		return -EINVAL;
	ret->type = DB_NUMBER;
	ret->number = n;
	return 0;
}

/* A document is made of it, so it has to be what JSON can hold: UTF-8. */
static int parse_text(const char *text, struct db_value *ret)
{
	CLEANUP(strbuf_release) struct strbuf literal = STRBUF_INIT(LITERAL_MAX);
	struct json value;

	json_add_string(&literal, text, strlen(text));
	if (strbuf_error(&literal) < 0 || json_parse(literal.buf, literal.len, &value, NULL) < 0)
		return -EINVAL;
	ret->type = DB_TEXT;
	ret->text = text;
	return 0;
}

static int parse_package(const char *text, struct db_value *ret)
{
	return catalog_is_package_name(text, strlen(text)) ? parse_text(text, ret) : -EINVAL;
}

static int parse_version(const char *text, struct db_value *ret)
{
	return version_is_canonical(text, strlen(text)) ? parse_text(text, ret) : -EINVAL;
}

static int parse_tags(const char *text, struct db_value *ret)
{
	struct json tags, tag;
	struct json_iter it;

	if (json_parse(text, strlen(text), &tags, NULL) < 0 || tags.type != JSON_ARRAY)
		return -EINVAL;
	for (it = json_iterate(tags); json_next(&it, NULL, &tag);)
		if (tag.type != JSON_STRING)
			return -EINVAL;
	return parse_text(text, ret);
}

/* What may be set. An empty value is null where that may be. */
static const struct column {
	const char *name;
	bool of_package, of_version, nullable;
	value_fn *parse;
	const char *expected;
} columns[] = {
	{ "moderated", true, true, false, parse_flag, "true or false" },
	{ "deleted", true, true, false, parse_flag, "true or false" },
	{ "retracted", false, true, false, parse_flag, "true or false" },
	{ "discontinued", true, false, false, parse_flag, "true or false" },
	{ "replaced_by", true, false, true, parse_package, "a package, or nothing" },
	{ "unlisted", true, false, false, parse_flag, "true or false" },
	{ "latest_version", true, false, true, parse_version, "a version, or nothing" },
	{ "publisher", true, false, true, parse_text, "a text in UTF-8, or nothing" },
	{ "likes", true, false, false, parse_number, "a whole number" },
	{ "granted_points", true, false, false, parse_number, "a whole number" },
	{ "max_points", true, false, false, parse_number, "a whole number" },
	{ "download_count_30d", true, false, true, parse_number, "a whole number, or nothing" },
	{ "tags", true, false, false, parse_tags, "a JSON list of strings" },
};
_Static_assert(ARRAY_SIZE(columns) <= SET_MAX, "each of them once");

static const struct column *find_column(const char *name, size_t n, bool of_version)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (strlen(columns[i].name) == n && !memcmp(columns[i].name, name, n) &&
		    (of_version ? columns[i].of_version : columns[i].of_package))
			return &columns[i];
	return NULL;
}

static int parse_target(const char *target, struct set *set)
{
	size_t n = strcspn(target, "@");

	if (!catalog_is_package_name(target, n))
		return fail(-EINVAL, "'%.*s' is no name of a package", (int)n, target);
	set->package = xstrndup(target, n);
	if (target[n])
		set->version = xstrdup(target + n + 1);
	if (set->version && !version_is_canonical(set->version, strlen(set->version)))
		return fail(-EINVAL, "'%s' is no version in canonical form", set->version);
	return 0;
}

static int parse_assignment(const char *text, struct set *set)
{
	size_t n = strcspn(text, "=");
	const char *value = text[n] ? text + n + 1 : NULL;
	const struct column *column = find_column(text, n, set->version);
	struct db_value parsed = { .type = DB_NULL };

	if (!value)
		return fail(-EINVAL, "'%s' is no change: write NAME=VALUE", text);
	if (!strncmp(text, PURGED, strlen(PURGED)))
		return fail(-EINVAL, PURGED "true removes the row: no other value is one, and"
					    " nothing is set beside it");
	if (!column)
		return fail(-EINVAL, "a %s has no %.*s that can be set (see 'man pubfs')",
			    set->version ? "version" : "package", (int)n, text);
	parsed.column = column->name;
	for (size_t i = 0; i < set->n; i++)
		if (set->values[i].column == column->name)
			return fail(-EINVAL, "%s is set twice", column->name);
	if ((*value || !column->nullable) && column->parse(value, &parsed) < 0)
		return fail(-EINVAL, "%s is %s, not '%s'", column->name, column->expected, value);
	set->values[set->n++] = parsed;
	return 0;
}

int set_parse(const char *target, char *const *assignments, size_t n, struct set *ret)
{
	int r;

	*ret = (struct set){ .package = NULL };
	r = parse_target(target, ret);
	if (!r && n == 1 && !strcmp(assignments[0], PURGED "true")) {
		ret->purged = true;
		return 0;
	}
	for (size_t i = 0; i < n && !r; i++)
		r = parse_assignment(assignments[i], ret);
	if (r < 0)
		set_release(ret);
	return r;
}

void set_release(struct set *set)
{
	free(set->package);
	free(set->version);
	*set = (struct set){ .package = NULL };
}

int set_apply(struct db *db, const struct set *set)
{
	int r = set->purged ? db_purge(db, set->package, set->version)
			    : db_set(db, set->package, set->version, set->values, set->n);

	if (r == -ENOENT)
		return fail(r, "%s%s%s is not in the database", set->package,
			    set->version ? "@" : "", set->version ? set->version : "");
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate.c - what a client could not read is refused.
 *
 * The contract of a JSON document is a set of tables, one for each kind of object in it: its
 * members, which of them must be there, and what checks each. A refusal says where in the manner of
 * jq, so that `jq .versions[3].pubspec` shows the culprit. Members that no table names may be
 * anything.
 */
#include "gate.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "atom.h"
#include "body.h"
#include "clock.h"
#include "codec.h"
#include "json.h"
#include "memory.h"
#include "strbuf.h"
#include "version.h"

/* An archive may be older than the limit on new ones (spec, section 18), but not boundless. */
#define PUBSPEC_MAX ((size_t)16 << 20)

#define PACKAGE_NAME_MAX 64 /* spec, section 2 */

struct check {
	char package[PACKAGE_NAME_MAX + 1];
	struct strbuf *why;
	struct strbuf text;	/* of one string at a time */
	struct strbuf versions; /* of struct version_text: those of the listing so far */
};

struct version_text {
	char text[VERSION_TEXT_MAX + 1];
};

/* Where a value stands, for a message; made on the stack and read only when it is refused. */
struct place {
	const struct place *up; /* NULL: the whole document */
	const char *key;	/* NULL: an item, */
	size_t index;		/* the index-th */
};

typedef int check_fn(struct check *c, const struct place *at, struct json value);

struct member {
	const char *key;
	bool required;
	check_fn *check;
};
#define MEMBERS_MAX 32

static void add_place(struct strbuf *out, const struct place *at)
{
	if (!at->up)
		return;
	add_place(out, at->up);
	if (at->key)
		strbuf_addf(out, ".%s", at->key);
	else
		strbuf_addf(out, "[%zu]", at->index);
}

static int refuse(struct check *c, const struct place *at, const char *fmt, ...) PRINTF(3, 4);
static int refuse(struct check *c, const struct place *at, const char *fmt, ...)
{
	va_list ap;

	if (at->up)
		add_place(c->why, at);
	else
		strbuf_addstr(c->why, "the document");
	strbuf_addch(c->why, ' ');
	va_start(ap, fmt);
	strbuf_vaddf(c->why, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* As much of a token as a message needs. */
static int shown(struct json value)
{
	return value.len < 80 ? (int)value.len : 80;
}

static int refuse_value(struct check *c, const struct place *at, struct json value,
			const char *expected)
{
	return refuse(c, at, "is %.*s, not %s", shown(value), value.text, expected);
}

/* The decoded string until the next call; NULL: it is none, or has a NUL. */
static const struct strbuf *text_of(struct check *c, struct json value)
{
	strbuf_reset(&c->text);
	if (value.type != JSON_STRING)
		return NULL;
	json_decode(value, &c->text);
	if (strbuf_error(&c->text) < 0 || strlen(c->text.buf) != c->text.len)
		return NULL;
	return &c->text;
}

/* One walk over an object, whatever it holds besides. */
static int check_members(struct check *c, const struct place *at, struct json object,
			 const struct member *members, size_t n)
{
	struct json_iter it;
	struct json key, value;
	unsigned seen = 0;

	assert(n <= MEMBERS_MAX);
	if (object.type != JSON_OBJECT)
		return refuse_value(c, at, object, "a map");
	for (it = json_iterate(object); json_next(&it, &key, &value);)
		for (size_t i = 0; i < n; i++) {
			struct place below = { .up = at, .key = members[i].key };
			int r;

			if (seen & 1U << i || !json_equals(key, members[i].key))
				continue;
			seen |= 1U << i;
			r = members[i].check(c, &below, value);
			if (r < 0)
				return r;
			break;
		}
	for (size_t i = 0; i < n; i++)
		if (members[i].required && !(seen & 1U << i))
			return refuse(c, at, "has no %s", members[i].key);
	return 0;
}

static int check_items(struct check *c, const struct place *at, struct json list, check_fn *check)
{
	struct place item = { .up = at };
	struct json_iter it;
	struct json value;

	if (list.type != JSON_ARRAY)
		return refuse_value(c, at, list, "a list");
	for (it = json_iterate(list); json_next(&it, NULL, &value); item.index++) {
		int r = check(c, &item, value);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_map(struct check *c, const struct place *at, struct json value)
{
	return value.type == JSON_OBJECT ? 0 : refuse_value(c, at, value, "a map");
}

static int check_bool(struct check *c, const struct place *at, struct json value)
{
	return value.type == JSON_BOOL ? 0 : refuse_value(c, at, value, "true or false");
}

static int check_string(struct check *c, const struct place *at, struct json value)
{
	return value.type == JSON_STRING ? 0 : refuse_value(c, at, value, "a string");
}

static int check_strings(struct check *c, const struct place *at, struct json value)
{
	return check_items(c, at, value, check_string);
}

static int check_string_or_null(struct check *c, const struct place *at, struct json value)
{
	if (value.type == JSON_STRING || value.type == JSON_NULL)
		return 0;
	return refuse_value(c, at, value, "a string or null");
}

static int check_package_name(struct check *c, const struct place *at, struct json value)
{
	if (value.type == JSON_STRING && json_equals(value, c->package))
		return 0;
	return refuse(c, at, "is %.*s, not \"%s\"", shown(value), value.text, c->package);
}

static int check_time(struct check *c, const struct place *at, struct json value)
{
	const struct strbuf *text = text_of(c, value);
	int64_t time;

	return text && !clock_parse(text->buf, &time) ? 0 : refuse_value(c, at, value, "a time");
}

static int check_sha256(struct check *c, const struct place *at, struct json value)
{
	const struct strbuf *text = text_of(c, value);
	unsigned char sha[SHA256_SIZE];

	if (text && !hex_decode(text->buf, sha, sizeof(sha)))
		return 0;
	return refuse_value(c, at, value, "64 hexadecimal digits");
}

/* `https://` and more: clients do not resolve it against anything. */
static int check_absolute_url(struct check *c, const struct place *at, struct json value)
{
	const struct strbuf *text = text_of(c, value);
	size_t scheme;

	if (text && isalpha((unsigned char)text->buf[0])) {
		scheme = strcspn(text->buf, ":/?#");
		if (!strncmp(text->buf + scheme, "://", 3) && text->buf[scheme + 3])
			return 0;
	}
	return refuse_value(c, at, value, "an absolute URL");
}

/* What clients take for the version: three numbers; none at all is 0.0.0 to them. */
static int check_pubspec_version(struct check *c, const struct place *at, struct json value)
{
	const struct strbuf *text = text_of(c, value);
	struct version version;

	if (value.type == JSON_NULL || (text && !version_parse(text->buf, text->len, &version)))
		return 0;
	return refuse_value(c, at, value, "a version");
}

static int check_pubspec(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "name", true, check_package_name },
		{ "version", false, check_pubspec_version },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_version(struct check *c, const struct place *at, struct json value)
{
	const struct strbuf *text = text_of(c, value);
	struct version_text version = { { 0 } };

	if (!text || !version_is_canonical(text->buf, text->len))
		return refuse_value(c, at, value, "a version in canonical form");
	memcpy(version.text, text->buf, text->len);
	strbuf_add(&c->versions, &version, sizeof(version));
	return 0;
}

static int check_version_entry(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "version", true, check_version },
		{ "retracted", false, check_bool },
		{ "pubspec", true, check_pubspec },
		{ "archive_url", true, check_absolute_url },
		{ "archive_sha256", false, check_sha256 },
		{ "published", false, check_time },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int compare_texts(const void *a, const void *b)
{
	const struct version_text *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static int check_versions(struct check *c, const struct place *at, struct json value)
{
	int r = check_items(c, at, value, check_version_entry);
	struct version_text *versions = (void *)c->versions.buf;
	size_t n = c->versions.len / sizeof(*versions);

	if (r < 0)
		return r;
	if (!n)
		return refuse(c, at, "is empty");
	qsort(versions, n, sizeof(*versions), compare_texts);
	for (size_t i = 1; i < n; i++)
		if (!strcmp(versions[i - 1].text, versions[i].text))
			return refuse(c, at, "has %s twice", versions[i].text);
	return 0;
}

static int check_listing(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "name", true, check_package_name },
		{ "isDiscontinued", false, check_bool },
		{ "replacedBy", false, check_string_or_null },
		{ "latest", false, check_map },
		{ "versions", true, check_versions },
		{ "advisoriesUpdated", false, check_time },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_named_package(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = { { "name", true, check_string } };

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_ecosystem(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = { { "ecosystem", true, check_string } };

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

/* Clients read more of an entry that names their package. */
static int check_affected(struct check *c, const struct place *at, struct json value)
{
	static const struct member always[] = { { "package", true, check_named_package } };
	static const struct member if_named[] = {
		{ "package", true, check_ecosystem },
		{ "versions", true, check_strings },
	};
	struct json package, name;
	int r = check_members(c, at, value, always, ARRAY_SIZE(always));

	if (r < 0 || !json_member(value, "package", &package) ||
	    !json_member(package, "name", &name) || !json_equals(name, c->package))
		return r;
	return check_members(c, at, value, if_named, ARRAY_SIZE(if_named));
}

static int check_affected_list(struct check *c, const struct place *at, struct json value)
{
	return check_items(c, at, value, check_affected);
}

static int check_advisory(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "id", true, check_string },
		{ "summary", true, check_string },
		{ "aliases", true, check_strings },
		{ "affected", true, check_affected_list },
		{ "database_specific", false, check_map },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_advisory_list(struct check *c, const struct place *at, struct json value)
{
	return check_items(c, at, value, check_advisory);
}

static int check_advisories(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "advisories", true, check_advisory_list },
		{ "advisoriesUpdated", true, check_time },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_whole_number(struct check *c, const struct place *at, struct json value)
{
	size_t n = 0;

	while (n < value.len && strchr("-0123456789", value.text[n]))
		n++;
	if (value.type == JSON_NUMBER && n == value.len)
		return 0;
	return refuse_value(c, at, value, "a whole number");
}

static int check_whole_number_or_null(struct check *c, const struct place *at, struct json value)
{
	return value.type == JSON_NULL ? 0 : check_whole_number(c, at, value);
}

static int check_likes(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "package", true, check_package_name },
		{ "likes", true, check_whole_number },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_options(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "isDiscontinued", true, check_bool },
		{ "replacedBy", true, check_string_or_null },
		{ "isUnlisted", true, check_bool },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_publisher(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = { { "publisherId", true, check_string_or_null } };

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_score(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "grantedPoints", true, check_whole_number_or_null },
		{ "maxPoints", true, check_whole_number_or_null },
		{ "likeCount", true, check_whole_number },
		{ "downloadCount30Days", true, check_whole_number_or_null },
		{ "tags", true, check_strings },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_completion(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = { { "packages", true, check_strings } };

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_error(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "code", true, check_string },
		{ "message", true, check_string },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int check_not_found(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = {
		{ "error", true, check_error },
		{ "code", true, check_string },
		{ "message", true, check_string },
	};

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

static int parse_and_check(struct check *c, const char *text, size_t n, check_fn *check)
{
	const struct place whole = { .up = NULL };
	struct json value;
	size_t start = c->why->len;

	strbuf_addstr(c->why, "it is no sound JSON: ");
	if (json_parse(text, n, &value, c->why) < 0)
		return -EINVAL;
	strbuf_setlen(c->why, start);
	return check(c, &whole, value);
}

static int gate_json(struct check *c, const struct body *body, check_fn *check)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	int r;

	if (body->buf)
		return parse_and_check(c, body->buf, body->size, check);
	r = body_load(body, &text);
	if (r == -E2BIG) {
		strbuf_addf(c->why, "it is over %zu bytes", DOCUMENT_MAX);
		return -EINVAL;
	}
	return r < 0 ? r : parse_and_check(c, text.buf, text.len, check);
}

static int check_archived_pubspec(struct check *c, const struct place *at, struct json value)
{
	static const struct member members[] = { { "name", true, check_package_name } };

	return check_members(c, at, value, members, ARRAY_SIZE(members));
}

/* Another version than the name's is worth a word; clients go by the listing's. */
static void remark_version(struct check *c, const char *text, size_t n, struct name_part expected)
{
	struct json pubspec, version;
	const struct strbuf *said;
	int r = json_parse(text, n, &pubspec, NULL);

	assert(!r);
	if (!json_member(pubspec, "version", &version)) {
		strbuf_addstr(c->why, "its pubspec has no version");
		return;
	}
	said = text_of(c, version);
	if (!said || said->len != expected.len ||
	    memcmp(said->buf, expected.text, expected.len) != 0)
		strbuf_addf(c->why, "the version in its pubspec is %.*s, not %.*s", shown(version),
			    version.text, (int)expected.len, expected.text);
}

static int gate_archive(struct check *c, const struct body *body, struct name_part version)
{
	CLEANUP(strbuf_release) struct strbuf yaml = STRBUF_INIT(PUBSPEC_MAX);
	CLEANUP(strbuf_release) struct strbuf json = STRBUF_INIT(DOCUMENT_MAX);
	size_t start = c->why->len;
	int r = archive_pubspec(body, &yaml, c->why);

	if (r == -E2BIG) {
		strbuf_addf(c->why, "its pubspec.yaml is over %zu bytes", PUBSPEC_MAX);
		return -EINVAL;
	}
	if (r < 0)
		return r;
	strbuf_addstr(c->why, "its pubspec.yaml: ");
	if (yaml_to_json(yaml.buf, yaml.len, YAML_ALIASES_NULL, &json, c->why) < 0)
		return -EINVAL;
	r = parse_and_check(c, json.buf, json.len, check_archived_pubspec);
	if (r < 0)
		return r;
	strbuf_setlen(c->why, start);
	remark_version(c, json.buf, json.len, version);
	return 0;
}

/* The contracts of the kinds that are JSON. */
static check_fn *const json_contracts[KIND_COUNT] = {
	[KIND_LISTING] = check_listing,	      [KIND_ADVISORIES] = check_advisories,
	[KIND_LIKES] = check_likes,	      [KIND_OPTIONS] = check_options,
	[KIND_PUBLISHER] = check_publisher,   [KIND_SCORE] = check_score,
	[KIND_COMPLETION] = check_completion, [KIND_NOT_FOUND] = check_not_found,
};

static int check_body(struct check *c, const struct object_name *name, const struct body *body)
{
	if (name->kind == KIND_ARCHIVE)
		return gate_archive(c, body, name->version);
	if (name->kind == KIND_FEED || name->kind == KIND_SITE_FEED)
		return atom_check(body, c->why);
	if (json_contracts[name->kind])
		return gate_json(c, body, json_contracts[name->kind]);
	strbuf_addstr(c->why, "the export has no object of this name");
	return -EINVAL;
}

int gate_check(const struct object_name *name, const struct body *body, struct strbuf *why)
{
	struct check c = {
		.why = why,
		.text = STRBUF_INIT(DOCUMENT_MAX),
		.versions = STRBUF_INIT(DOCUMENT_MAX),
	};
	int r;

	if (!body->size) {
		strbuf_addstr(why, "it is empty");
		return -EINVAL;
	}
	if (name->package.len) {
		assert(name->package.len <= PACKAGE_NAME_MAX);
		memcpy(c.package, name->package.text, name->package.len);
	}
	r = check_body(&c, name, body);
	strbuf_release(&c.text);
	strbuf_release(&c.versions);
	return r;
}

int gate_mode_parse(const char *name, enum gate_mode *ret)
{
	static const char *const names[] = {
		[GATE_ENFORCE] = "enforce",
		[GATE_WARN] = "warn",
		[GATE_OFF] = "off",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i])) {
			*ret = (enum gate_mode)i;
			return 0;
		}
	return -EINVAL;
}

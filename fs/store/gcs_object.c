/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_object.c - objects as the JSON API has them, in both directions. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "gcs.h"
#include "log.h"
#include "memory.h"

#define CRC_SIZE     4
#define DEFAULT_TYPE "application/octet-stream" /* what the server puts where nothing is said */

/* The headers that are plain texts, and the custom keys that are. */
struct text_member {
	const char *name;
	size_t offset; /* of a char * in struct object */
};
static const struct text_member headers[] = {
	{ "contentType", offsetof(struct object, type) },
	{ "cacheControl", offsetof(struct object, cache_control) },
	{ "contentDisposition", offsetof(struct object, disposition) },
};
static const struct text_member custom[] = {
	{ "runtime-version", offsetof(struct object, runtime_version) },
	{ "change", offsetof(struct object, change) },
};

static char **text_of(struct object *obj, const struct text_member *member)
{
	return (char **)((char *)obj + member->offset);
}

static const char *said_text(const struct object *obj, const struct text_member *member)
{
	return *(char *const *)((const char *)obj + member->offset);
}

void gcs_json_release(json_t **json)
{
	json_decref(*json);
}

/* A text without a NUL in it; NULL: there is none of this name. */
static const char *text(const json_t *json, const char *name)
{
	const json_t *member = json_object_get(json, name);
	const char *value = json_string_value(member);

	return value && strlen(value) == json_string_length(member) ? value : NULL;
}

/* Digits in a text, as the API has its 64-bit numbers. */
static int parse_number(const char *digits, uint64_t *ret)
{
	char *end;

	if (!digits || !isdigit((unsigned char)*digits))
		return -EINVAL;
	errno = 0;
	*ret = strtoull(digits, &end, 10);
	return errno || *end ? -EINVAL : 0;
}

static int parse_time(const char *text, int64_t *ret)
{
	return text ? clock_parse(text, ret) : -EINVAL;
}

static int parse_crc(const char *text, uint32_t *ret)
{
	unsigned char b[CRC_SIZE];

	if (!text || base64_decode(text, b, sizeof(b)) < 0)
		return -EINVAL;
	*ret = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return 0;
}

/* Custom keys are anybody's: what cannot be read counts as missing. */
static void parse_custom(const json_t *json, struct object *obj)
{
	const char *hex = text(json, "sha256");

	if (parse_time(text(json, "validated"), &obj->validated) < 0)
		obj->validated = NO_TIME;
	obj->has_sha256 = hex && hex_decode(hex, obj->sha256, SHA256_SIZE) == 0;
	obj->has_decoded_size = parse_number(text(json, "decoded-size"), &obj->decoded_size) == 0 &&
				obj->decoded_size <= INT64_MAX; /* no file is longer */
	if (!obj->has_decoded_size)
		obj->decoded_size = 0;
	for (size_t i = 0; i < ARRAY_SIZE(custom); i++)
		*text_of(obj, &custom[i]) = xstrdup_or_null(text(json, custom[i].name));
}

int gcs_object_parse(const json_t *json, struct object *ret)
{
	const char *name = text(json, "name"), *encoding = text(json, "contentEncoding");
	const char *sum = text(json, "md5Hash");
	struct object obj;

	object_init(&obj);
	if (!name && json_is_string(json_object_get(json, "name")))
		return -ENOENT;
	if (!name || !*name || parse_number(text(json, "generation"), &obj.generation) < 0 ||
	    !obj.generation || obj.generation > INT64_MAX ||
	    parse_number(text(json, "metageneration"), &obj.metageneration) < 0 ||
	    parse_number(text(json, "size"), &obj.size) < 0 ||
	    parse_time(text(json, "timeCreated"), &obj.created) < 0 ||
	    parse_time(text(json, "updated"), &obj.updated) < 0)
		return -EBADMSG;
	obj.has_md5 = sum;
	obj.has_crc32c = text(json, "crc32c");
	if ((obj.has_md5 && base64_decode(sum, obj.md5, MD5_SIZE) < 0) ||
	    (obj.has_crc32c && parse_crc(text(json, "crc32c"), &obj.crc32c) < 0))
		return -EBADMSG;
	obj.key = xstrdup(name);
	obj.gzip = encoding && (!strcasecmp(encoding, "gzip") || !strcasecmp(encoding, "x-gzip"));
	obj.foreign_encoding = encoding && *encoding && !obj.gzip &&
			       strcasecmp(encoding, "identity") != 0;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		*text_of(&obj, &headers[i]) = xstrdup_or_null(text(json, headers[i].name));
	if (obj.type && !strcmp(obj.type, DEFAULT_TYPE)) {
		free(obj.type);
		obj.type = NULL;
	}
	parse_custom(json_object_get(json, "metadata"), &obj);
	*ret = obj;
	return 0;
}

static json_t *time_json(int64_t us)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(64);

	clock_format(us, &out);
	return json_string(out.buf);
}

static json_t *base64_json(const unsigned char *bytes, size_t n)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(64);

	base64_encode(bytes, n, &out);
	return json_string(out.buf);
}

static json_t *crc_json(uint32_t crc)
{
	const unsigned char bytes[CRC_SIZE] = { (unsigned char)(crc >> 24),
						(unsigned char)(crc >> 16),
						(unsigned char)(crc >> 8), (unsigned char)crc };

	return base64_json(bytes, sizeof(bytes));
}

static json_t *hex_json(const unsigned char *bytes, size_t n)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(bytes, n, hex);
	return json_string(hex);
}

static json_t *decimal_json(uint64_t n)
{
	return json_sprintf("%llu", (unsigned long long)n);
}

/* Says a member, or that there is none: by leaving it out, or (a patch) by a null. -EINVAL: the
 * value could not be made, since a text is not UTF-8. */
static int say(json_t *into, bool patch, const char *name, bool is_set, json_t *value)
{
	if (!is_set) {
		json_decref(value);
		value = patch ? json_null() : NULL;
	} else if (!value) {
		return -EINVAL;
	}
	return value && json_object_set_new(into, name, value) < 0 ? -EINVAL : 0;
}

static int say_custom(const struct object *obj, bool patch, json_t *into)
{
	bool is_validated = obj->validated != NO_TIME;
	int r = say(into, patch, "validated", is_validated,
		    is_validated ? time_json(obj->validated) : NULL);

	if (r == 0)
		r = say(into, patch, "sha256", obj->has_sha256, hex_json(obj->sha256, SHA256_SIZE));
	if (r == 0)
		r = say(into, patch, "decoded-size", obj->has_decoded_size,
			decimal_json(obj->decoded_size));
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(custom); i++) {
		const char *value = said_text(obj, &custom[i]);

		r = say(into, patch, custom[i].name, value, value ? json_string(value) : NULL);
	}
	return r;
}

static int say_headers(const struct object *obj, bool patch, json_t *into)
{
	int r = say(into, patch, "contentEncoding", obj->gzip, json_string("gzip"));

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(headers); i++) {
		const char *value = said_text(obj, &headers[i]);

		r = say(into, patch, headers[i].name, value, value ? json_string(value) : NULL);
	}
	return r;
}

static int format(const struct object *obj, bool patch, struct strbuf *out)
{
	CLEANUP(gcs_json_release) json_t *json = json_object();
	json_t *metadata = json_object();
	CLEANUP(free_char) char *dump = NULL;
	int r = say_custom(obj, patch, metadata);

	if (json_object_set_new(json, "metadata", metadata) < 0)
		r = -EINVAL;
	if (r == 0)
		r = say_headers(obj, patch, json);
	if (r == 0 && !patch)
		r = say(json, false, "name", true, json_string(obj->key));
	if (r == 0 && !patch)
		r = say(json, false, "md5Hash", obj->has_md5, base64_json(obj->md5, MD5_SIZE));
	if (r == 0 && !patch)
		r = say(json, false, "crc32c", obj->has_crc32c, crc_json(obj->crc32c));
	if (r < 0)
		return fail(r, "the name or metadata of %s has a text that is not UTF-8", obj->key);
	dump = json_dumps(json, JSON_COMPACT);
	strbuf_addstr(out, dump ? dump : "");
	if (!dump || strbuf_error(out) < 0)
		return fail(-E2BIG, "the metadata of %s is too long", obj->key);
	return 0;
}

int gcs_object_format(const struct object *obj, struct strbuf *out)
{
	return format(obj, false, out);
}

int gcs_object_format_patch(const struct object *obj, struct strbuf *out)
{
	return format(obj, true, out);
}

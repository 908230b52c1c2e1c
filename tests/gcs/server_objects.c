/* SPDX-License-Identifier: BSD-3-Clause */
/* server_objects.c - the test server's buckets and objects, and the conditions on them. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define NAME_BYTES_MAX 1024
#define CRC32C_POLY    0x82f63b78u /* Castagnoli, reflected */

uint32_t crc32c_of(const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint32_t crc = 0xffffffffu, table[256];

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;

		for (int bit = 0; bit < 8; bit++)
			value = value & 1 ? value >> 1 ^ CRC32C_POLY : value >> 1;
		table[i] = value;
	}
	while (n--)
		crc = crc >> 8 ^ table[(crc ^ *at++) & 0xff];
	return ~crc;
}

char *base64_text(const void *bytes, size_t n)
{
	char *out = xmalloc(n / 3 * 4 + 5);

	EVP_EncodeBlock((unsigned char *)out, bytes, (int)n);
	return out;
}

static char *crc32c_text(uint32_t crc)
{
	unsigned char bytes[4] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
				   (unsigned char)(crc >> 8), (unsigned char)crc };

	return base64_text(bytes, sizeof(bytes));
}

struct bucket *bucket_find(struct gcs_server *s, const char *name)
{
	for (size_t i = 0; i < s->n_buckets; i++)
		if (!strcmp(s->buckets[i]->name, name))
			return s->buckets[i];
	return NULL;
}

/* RFC 3339 with milliseconds, as the service gives them, though a generation has microseconds. */
static void add_time(json_t *json, const char *name, int64_t us)
{
	time_t seconds = (time_t)(us / SECOND_US);
	struct tm tm;
	char day[32];
	CLEANUP(free_char) char *text = NULL;

	gmtime_r(&seconds, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	text = xasprintf("%s.%03dZ", day, (int)(us % SECOND_US / 1000));
	json_object_set_new(json, name, json_string(text));
}

struct bucket *bucket_add(struct gcs_server *s, const char *name, json_t *settings)
{
	struct bucket *b = xcalloc(1, sizeof(*b));
	json_t *defaults = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:{s:b}}}", "kind",
				     "storage#bucket", "id", name, "name", name, "projectNumber",
				     "123456789012", "metageneration", "1", "etag",
				     "CAE=", "locationType", "multi-region", "iamConfiguration",
				     "uniformBucketLevelAccess", "enabled", 0);

	json_object_set_new(defaults, "location", json_string("US"));
	json_object_set_new(defaults, "storageClass", json_string("STANDARD"));
	add_time(defaults, "timeCreated", clock_now());
	add_time(defaults, "updated", clock_now());
	json_object_update(defaults, settings);
	b->name = xstrdup(name);
	b->resource = defaults;
	GROW(s->buckets, s->n_buckets, s->alloc_buckets);
	s->buckets[s->n_buckets++] = b;
	return b;
}

static void stored_free(struct stored *o)
{
	free(o->name);
	json_decref(o->headers);
	strbuf_release(&o->bytes);
	free(o);
}

void bucket_free(struct bucket *b)
{
	for (size_t i = 0; i < b->n; i++)
		stored_free(b->objects[i]);
	free(b->objects);
	free(b->name);
	json_decref(b->resource);
	free(b);
}

size_t bucket_lower_bound(const struct bucket *b, const char *name)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(b->objects[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct stored *object_find(const struct bucket *b, const char *name)
{
	size_t i = bucket_lower_bound(b, name);

	return i < b->n && !strcmp(b->objects[i]->name, name) ? b->objects[i] : NULL;
}

void object_remove(struct bucket *b, struct stored *o)
{
	size_t i = bucket_lower_bound(b, o->name);

	b->n--;
	memmove(&b->objects[i], &b->objects[i + 1], (b->n - i) * sizeof(struct stored *));
	stored_free(o);
}

struct stored *object_put(struct gcs_server *s, struct bucket *b, const char *name, json_t *headers,
			  struct strbuf *bytes)
{
	struct stored *old = object_find(b, name), *o = xcalloc(1, sizeof(*o));
	uint64_t now = (uint64_t)clock_now();
	size_t i;

	s->last_generation = now > s->last_generation ? now : s->last_generation + 1;
	*o = (struct stored){ .name = xstrdup(name),
			      .generation = s->last_generation,
			      .metageneration = 1,
			      .created = (int64_t)s->last_generation,
			      .updated = (int64_t)s->last_generation,
			      .headers = json_incref(headers),
			      .bytes = *bytes,
			      .crc32c = crc32c_of(bytes->buf, bytes->len) };
	md5(bytes->buf, bytes->len, o->md5);
	strbuf_init(bytes, BODY_MAX);
	if (old)
		object_remove(b, old);
	i = bucket_lower_bound(b, name);
	GROW(b->objects, b->n, b->alloc);
	memmove(&b->objects[i + 1], &b->objects[i], (b->n - i) * sizeof(struct stored *));
	b->objects[i] = o;
	b->n++;
	return o;
}

/* With the faults `hash`, `md5` and `crc32c`, what is told is wrong. */
static char *told_md5(const struct request *q, const struct stored *o)
{
	unsigned char sum[MD5_SIZE];

	memcpy(sum, o->md5, MD5_SIZE);
	sum[0] ^= q->fault.hash || q->fault.md5;
	return base64_text(sum, MD5_SIZE);
}

static char *told_crc32c(const struct request *q, const struct stored *o)
{
	return crc32c_text(o->crc32c ^ (q->fault.hash || q->fault.crc32c));
}

char *object_hashes(const struct request *q, const struct stored *o)
{
	CLEANUP(free_char) char *crc = told_crc32c(q, o);
	CLEANUP(free_char) char *sum = told_md5(q, o);

	return o->composed ? xasprintf("crc32c=%s", crc) : xasprintf("crc32c=%s,md5=%s", crc, sum);
}

static void add_number(json_t *json, const char *name, uint64_t number)
{
	CLEANUP(free_char) char *text = xasprintf("%llu", (unsigned long long)number);

	json_object_set_new(json, name, json_string(text));
}

static void add_text(json_t *json, const char *name, const char *text)
{
	json_object_set_new(json, name, json_string(text));
}

uint64_t object_size(const struct stored *o)
{
	return o->vast ? o->vast : o->bytes.len;
}

void object_bytes(const struct stored *o, uint64_t first, uint64_t end, struct strbuf *out)
{
	char line[17];

	if (!o->vast) {
		strbuf_add(out, o->bytes.buf + first, (size_t)(end - first));
		return;
	}
	while (first < end) {
		uint64_t skip = first % 16, n = 16 - skip < end - first ? 16 - skip : end - first;

		snprintf(line, sizeof(line), "%015llx\n", (unsigned long long)(first - skip));
		strbuf_add(out, line + skip, (size_t)n);
		first += n;
	}
}

json_t *object_json(const struct request *q, const struct bucket *b, const struct stored *o)
{
	json_t *json = json_deep_copy(o->headers);
	CLEANUP(free_char) char *crc = told_crc32c(q, o);
	CLEANUP(free_char) char *sum = told_md5(q, o);
	CLEANUP(free_char)
	char *id = xasprintf("%s/%s/%llu", b->name, o->name, (unsigned long long)o->generation);
	CLEANUP(free_char)
	char *etag = xasprintf("%llx/%llx", (unsigned long long)o->generation,
			       (unsigned long long)o->metageneration);

	add_text(json, "kind", "storage#object");
	add_text(json, "id", id);
	add_text(json, "name", o->name);
	add_text(json, "bucket", b->name);
	add_text(json, "etag", etag);
	add_number(json, "generation", o->generation);
	add_number(json, "metageneration", o->metageneration);
	add_number(json, "size", q->fault.has_size ? q->fault.size : object_size(o));
	if (!json_object_get(json, "storageClass"))
		add_text(json, "storageClass", "STANDARD");
	add_text(json, "crc32c", crc);
	if (o->composed)
		json_object_set_new(json, "componentCount", json_integer(2));
	else
		add_text(json, "md5Hash", sum);
	add_time(json, "timeCreated", o->created);
	add_time(json, "timeStorageClassUpdated", o->created);
	add_time(json, "updated", o->updated);
	return json;
}

bool parse_number(const char *text, uint64_t *ret)
{
	size_t n = strspn(text, "0123456789");

	if (!n || n > 19 || text[n])
		return false;
	*ret = strtoull(text, NULL, 10);
	return *ret <= INT64_MAX;
}

bool object_name_valid(const char *name)
{
	size_t n = strlen(name);
	json_t *utf8 = json_string(name); /* NULL when it is not */
	bool ok = utf8 && n && n <= NAME_BYTES_MAX && !strpbrk(name, "\r\n") &&
		  strcmp(name, ".") != 0 && strcmp(name, "..") != 0;

	json_decref(utf8);
	return ok;
}

struct bucket *request_bucket(struct request *q, struct reply *p, const char *name)
{
	struct bucket *b = bucket_find(q->server, name);

	if (!b)
		reply_error(p, 404, "notFound", "The specified bucket does not exist.");
	return b;
}

struct stored *request_object(struct request *q, struct reply *p, const struct bucket *b,
			      const char *name, const char *generation_name)
{
	const char *pinned = pairs_get(&q->params, generation_name);
	struct stored *o = object_find(b, name);
	uint64_t generation = 0;

	if (pinned && !parse_number(pinned, &generation)) {
		reply_error(p, 400, "invalidParameter", "Invalid value for %s: %s", generation_name,
			    pinned);
		return NULL;
	}
	if (!o || (pinned && o->generation != generation)) {
		reply_error(p, 404, "notFound", "No such object: %s/%s", b->name, name);
		return NULL;
	}
	return o;
}

bool conditions_hold(const struct pairs *params, const char *prefix, const struct stored *o,
		     bool is_read, struct reply *p)
{
	const struct {
		const char *name;
		bool wanted;
		uint64_t is;
	} conditions[] = {
		{ "GenerationMatch", true, o ? o->generation : 0 },
		{ "GenerationNotMatch", false, o ? o->generation : 0 },
		{ "MetagenerationMatch", true, o ? o->metageneration : 0 },
		{ "MetagenerationNotMatch", false, o ? o->metageneration : 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++) {
		CLEANUP(free_char) char *name = xasprintf("%s%s", prefix, conditions[i].name);
		const char *text = pairs_get(params, name);
		uint64_t value;

		if (!text)
			continue;
		if (!parse_number(text, &value)) {
			reply_error(p, 400, "invalidParameter", "Invalid value for %s: %s", name,
				    text);
			return false;
		}
		if ((value == conditions[i].is) == conditions[i].wanted)
			continue;
		reply_error(p, is_read && !conditions[i].wanted ? 304 : 412, "conditionNotMet",
			    "At least one of the pre-conditions you specified did not hold.");
		return false;
	}
	return true;
}

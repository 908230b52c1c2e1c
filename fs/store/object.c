/* SPDX-License-Identifier: BSD-3-Clause */
/* object.c - objects and edits as values, and the rules that all drivers share. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "catalog.h"
#include "clock.h"
#include "codec.h"
#include "driver.h"
#include "log.h"
#include "memory.h"
#include "store.h"

#define IDENTITY_BYTES 16

void object_init(struct object *obj)
{
	*obj = (struct object){ .validated = NO_TIME };
}

void object_release(struct object *obj)
{
	free(obj->key);
	free(obj->type);
	free(obj->cache_control);
	free(obj->disposition);
	free(obj->runtime_version);
	free(obj->change);
	object_init(obj);
}

void object_copy(struct object *to, const struct object *from)
{
	*to = *from;
	to->key = xstrdup_or_null(from->key);
	to->type = xstrdup_or_null(from->type);
	to->cache_control = xstrdup_or_null(from->cache_control);
	to->disposition = xstrdup_or_null(from->disposition);
	to->runtime_version = xstrdup_or_null(from->runtime_version);
	to->change = xstrdup_or_null(from->change);
}

bool object_same_headers(const struct object *a, const struct object *b)
{
	return a->gzip == b->gzip && a->foreign_encoding == b->foreign_encoding &&
	       same_text(a->type, b->type) && same_text(a->cache_control, b->cache_control) &&
	       same_text(a->disposition, b->disposition) && a->has_sha256 == b->has_sha256 &&
	       (!a->has_sha256 || !memcmp(a->sha256, b->sha256, SHA256_SIZE)) &&
	       a->has_decoded_size == b->has_decoded_size &&
	       (!a->has_decoded_size || a->decoded_size == b->decoded_size) &&
	       same_text(a->runtime_version, b->runtime_version) && same_text(a->change, b->change);
}

void object_set_catalog_headers(struct object *obj)
{
	struct object_name name;

	if (catalog_match(obj->key, &name) != KIND_NONE)
		catalog_headers(&name, obj);
}

bool object_has_catalog_headers(const struct object *obj)
{
	struct object_name name;

	catalog_match(obj->key, &name);
	return catalog_has_headers(&name, obj);
}

static void add_header(struct digest *digest, const char *text)
{
	if (text)
		digest_add(digest, text, strlen(text));
	digest_add(digest, text ? "" : "-", 1);
}

/* 0: they are those that the catalog gives to the key. */
static uint64_t hash_headers(const struct object *obj)
{
	unsigned char sum[SHA256_SIZE];
	struct digest *digest;
	uint64_t hash;

	if (object_has_catalog_headers(obj))
		return 0;
	digest = digest_new();
	add_header(digest, obj->type);
	add_header(digest, obj->cache_control);
	add_header(digest, obj->disposition);
	digest_finish(digest, sum);
	memcpy(&hash, sum, sizeof(hash));
	return hash ? hash : 1;
}

void object_fingerprint(const struct object *obj, struct fingerprint *ret)
{
	*ret = (struct fingerprint){
		.key = obj->key,
		.generation = obj->generation,
		.size = obj->size,
		.created = obj->created,
		.updated = obj->updated,
		.decoded_size = obj->decoded_size,
		.has_decoded_size = obj->has_decoded_size,
		.sha256 = obj->has_sha256 ? obj->sha256 : NULL,
		.md5 = obj->has_md5 ? obj->md5 : NULL,
		.headers = hash_headers(obj),
		.crc32c = obj->crc32c,
		.has_crc32c = obj->has_crc32c,
		.gzip = obj->gzip,
		.foreign_encoding = obj->foreign_encoding,
	};
}

void edit_release(struct edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		object_release(&edits[i].object);
}

int edit_source(const struct edit *e, struct object *ret)
{
	struct object source;
	int r;

	object_init(&source);
	r = store_stat(e->from, e->from_key, &source);
	if (r < 0)
		return r;
	if (!generation_meets(source.generation, e->from_generation))
		r = -ESTALE;
	else if (e->object.has_md5 && source.has_md5 &&
		 memcmp(e->object.md5, source.md5, MD5_SIZE) != 0)
		r = fail(-EBADMSG,
			 "cannot copy %s from %s: its bytes are not those of the MD5 "
			 "that was asked for",
			 e->from_key, e->from->url);
	if (r < 0)
		object_release(&source);
	else
		*ret = source;
	return r;
}

void object_set_facts(struct object *obj, const struct object *facts)
{
	obj->generation = facts->generation;
	obj->metageneration = facts->metageneration;
	obj->size = facts->size;
	obj->created = facts->created;
	obj->updated = facts->updated;
	memcpy(obj->md5, facts->md5, MD5_SIZE);
	obj->has_md5 = facts->has_md5;
	obj->crc32c = facts->crc32c;
	obj->has_crc32c = facts->has_crc32c;
}

int edit_condition(const struct edit *e, const struct object *there)
{
	if (e->op == EDIT_REMOVE && !there)
		return 0;
	if (e->op == EDIT_TOUCH && !there)
		return -ESTALE;
	if (e->if_metageneration && (!there || there->metageneration != e->if_metageneration))
		return -ESTALE;
	return generation_meets(there ? there->generation : 0, e->if_generation) ? 1 : -ESTALE;
}

bool edit_canceled(struct edit *edits, size_t i)
{
	if (!i || edits[i - 1].group != edits[i].group || !edits[i - 1].result)
		return false;
	edits[i].result = -ECANCELED;
	return true;
}

static bool is_lone_removal(const struct edit *edits, size_t n, size_t i)
{
	return edits[i].op == EDIT_REMOVE && (!i || edits[i - 1].group != edits[i].group) &&
	       (i + 1 == n || edits[i + 1].group != edits[i].group);
}

size_t lone_removals(const struct edit *edits, size_t n, size_t at, unsigned most)
{
	size_t end = at;

	while (end < n && end - at < most && is_lone_removal(edits, n, end))
		end++;
	return end - at;
}

int edit_result(const struct edit *edits, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (edits[i].result < 0)
			return edits[i].result;
	return 0;
}

bool generation_meets(uint64_t generation, uint64_t if_generation)
{
	return if_generation == STORE_ANY || generation == if_generation;
}

uint64_t generation_after(uint64_t last)
{
	uint64_t now = (uint64_t)clock_now();

	return now > last ? now : last + 1;
}

char *identity_new(void)
{
	unsigned char bytes[IDENTITY_BYTES];
	char *hex = xmalloc(2 * sizeof(bytes) + 1);

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		abort(); /* never for so few bytes */
	hex_encode(bytes, sizeof(bytes), hex);
	return hex;
}

size_t key_folded(const char *key, const char *prefix)
{
	size_t n = strlen(prefix);
	const char *slash;

	assert(!strncmp(key, prefix, n));
	slash = strchr(key + n, '/');
	return slash ? (size_t)(slash - key) + 1 : 0;
}

bool key_is_fold(const char *key, const char *prefix)
{
	size_t folded = strncmp(key, prefix, strlen(prefix)) ? 0 : key_folded(key, prefix);

	return folded && !key[folded];
}

void link_init(struct store *s, const struct store_ops *ops, struct store *next)
{
	*s = (struct store){
		.ops = ops,
		.next = next,
		.url = next->url,
		.identity = next->identity,
		.parts = next->parts,
		.batch = next->batch,
		.removals = next->removals,
	};
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* survey.c - what a store has of one package. */
#include "survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "memory.h"
#include "strbuf.h"

void survey_init(struct survey *survey)
{
	*survey = (struct survey){ 0 };
}

void survey_release(struct survey *survey)
{
	for (size_t i = 0; i < survey->n; i++)
		object_release(&survey->objects[i]);
	free(survey->objects);
	survey_init(survey);
}

void survey_toggle(unsigned char digest[SHA256_SIZE], const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(4096);
	unsigned char one[SHA256_SIZE];

	strbuf_addf(&text, "%" PRIu64 " %" PRIu64 " %s", obj->generation, obj->metageneration,
		    obj->key);
	sha256(text.buf, text.len, one);
	survey_merge(digest, one);
}

void survey_merge(unsigned char digest[SHA256_SIZE], const unsigned char other[SHA256_SIZE])
{
	for (size_t i = 0; i < SHA256_SIZE; i++)
		digest[i] ^= other[i];
}

void survey_add_to(const struct survey *survey, unsigned char digest[SHA256_SIZE])
{
	for (size_t i = 0; i < survey->n; i++)
		survey_toggle(digest, &survey->objects[i]);
}

static bool has_archive(const char *prefix, const struct survey *have, const struct object *source)
{
	const char *name = source->key + strlen("packages/");
	CLEANUP(free_char) char *key = xasprintf("%s/api/archives/%s", prefix, name);

	return survey_find(have, key);
}

bool survey_is_seen(const char *prefix, const struct survey *have, const struct survey *canonical,
		    const unsigned char seen[SHA256_SIZE])
{
	static const unsigned char nothing[SHA256_SIZE];
	unsigned char came[SHA256_SIZE], without[SHA256_SIZE] = { 0 };

	memcpy(came, seen, SHA256_SIZE);
	survey_add_to(have, came);
	survey_add_to(canonical, came);
	for (size_t i = 0; i < canonical->n; i++) {
		unsigned char one[SHA256_SIZE] = { 0 };

		if (has_archive(prefix, have, &canonical->objects[i]))
			continue;
		survey_toggle(one, &canonical->objects[i]);
		if (!memcmp(came, one, SHA256_SIZE))
			return true;
		survey_merge(without, one);
	}
	return !memcmp(came, nothing, SHA256_SIZE) || !memcmp(came, without, SHA256_SIZE);
}

static const unsigned char of_left[SHA256_SIZE] = "left to another deployment";

void survey_set_left(unsigned char digest[SHA256_SIZE])
{
	memcpy(digest, of_left, SHA256_SIZE);
}

bool survey_is_left(const unsigned char digest[SHA256_SIZE])
{
	return !memcmp(digest, of_left, SHA256_SIZE);
}

static int survey_add(void *ctx, const struct object *obj)
{
	struct survey *survey = ctx;

	GROW(survey->objects, survey->n, survey->alloc);
	object_copy(&survey->objects[survey->n++], obj);
	return 0;
}

struct documents {
	struct survey *survey;
	size_t len; /* of the listing's key */
};

/* The listing and all below it; `foo` is followed by `foo/...`, and then by names such as `foo2`.
 */
static int survey_add_document(void *ctx, const struct object *obj)
{
	const struct documents *documents = ctx;
	unsigned char next = (unsigned char)obj->key[documents->len];

	if (next > '/')
		return 1;
	return next == '\0' || next == '/' ? survey_add(documents->survey, obj) : 0;
}

int survey_prefix(struct store *s, const char *prefix, const char *package, struct survey *ret)
{
	CLEANUP(free_char) char *archives = xasprintf("%s/api/archives/%s-", prefix, package);
	CLEANUP(free_char) char *listing = xasprintf("%s/api/packages/%s", prefix, package);
	CLEANUP(survey_release) struct survey found = { 0 };
	struct documents documents = { &found, strlen(listing) };
	int r;

	r = store_list(s, archives, true, NULL, survey_add, &found);
	if (r < 0)
		return r;
	r = store_list(s, listing, true, NULL, survey_add_document, &documents);
	if (r < 0)
		return r;
	*ret = found;
	survey_init(&found);
	return 0;
}

int survey_archives(struct store *archives, const char *package, struct survey *ret)
{
	CLEANUP(free_char) char *prefix = xasprintf("packages/%s-", package);
	CLEANUP(survey_release) struct survey found = { 0 };
	int r = store_list(archives, prefix, true, NULL, survey_add, &found);

	if (r < 0)
		return r;
	*ret = found;
	survey_init(&found);
	return 0;
}

static int count_listing(void *ctx, const struct object *obj)
{
	struct object_name name;

	*(uint64_t *)ctx += catalog_match(obj->key, &name) == KIND_LISTING;
	return 0;
}

int survey_count(struct store *s, const char *prefix, uint64_t *ret)
{
	CLEANUP(free_char) char *folder = xasprintf("%s/api/packages/", prefix);
	uint64_t n = 0;
	int r = store_list(s, folder, false, NULL, count_listing, &n);

	if (r < 0)
		return r;
	*ret = n;
	return 0;
}

static int by_key(const void *key, const void *obj)
{
	return strcmp(key, ((const struct object *)obj)->key);
}

const struct object *survey_find(const struct survey *survey, const char *key)
{
	return survey->n
		       ? bsearch(key, survey->objects, survey->n, sizeof(*survey->objects), by_key)
		       : NULL;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* survey.h - what a store has of one package. */
#ifndef PUBFS_SURVEY_H
#define PUBFS_SURVEY_H

#include <stdbool.h>

#include "codec.h"
#include "compiler.h"
#include "store.h"

/* Objects in key order. */
struct survey {
	struct object *objects;
	size_t n, alloc;
};
void survey_init(struct survey *survey);
void survey_release(struct survey *survey);

/* All objects of a package in one prefix, or its archives in the canonical store. Answered from
 * the index. */
int survey_prefix(struct store *s, const char *prefix, const char *package,
		  struct survey *ret) MUST_CHECK;
int survey_archives(struct store *archives, const char *package, struct survey *ret) MUST_CHECK;

/* One package of a prefix with all its objects there; or, with package NULL, objects that are no
 * package's, a page of them at a time. Not 0: ends the walk, and is returned. */
typedef int survey_fn(void *ctx, const char *package, const struct survey *have);
/*
 * Calls fn for every package of which something lies in a prefix, in byte order of their names, and
 * for all else that lies there, in pieces. Below api/archives/ a package is what stands before
 * the first '-', below api/packages/ the first part; what stands there under no package's name is
 * no package's. Holds one package and a page or two at a time; fn may call the store.
 */
int survey_walk(struct store *s, const char *prefix, survey_fn *fn, void *ctx) MUST_CHECK;

/* How many packages have a listing in a prefix. */
int survey_count(struct store *s, const char *prefix, uint64_t *ret) MUST_CHECK;

/* NULL: there is none of that key. Borrowed. */
const struct object *survey_find(const struct survey *survey, const char *key);

/* A digest of objects: where it is equal, nothing was written. It does not depend on any order;
 * adding an object a second time takes it out again. That of nothing is all zeros. */
void survey_toggle(unsigned char digest[SHA256_SIZE], const struct object *obj);
/* Adds all objects of another digest. */
void survey_merge(unsigned char digest[SHA256_SIZE], const unsigned char other[SHA256_SIZE]);
/* Adds all objects of a survey. */
void survey_add_to(const struct survey *survey, unsigned char digest[SHA256_SIZE]);
/* True: these are the objects of a digest that was kept, whatever archives came into the canonical
 * store since, one or all that are not in the prefix. */
bool survey_is_seen(const char *prefix, const struct survey *have, const struct survey *canonical,
		    const unsigned char seen[SHA256_SIZE]);
/* What is kept in the place of a digest where a package was left to another deployment: no objects
 * have it, so a full pass looks at it again. */
void survey_set_left(unsigned char digest[SHA256_SIZE]);
bool survey_is_left(const unsigned char digest[SHA256_SIZE]);

#endif

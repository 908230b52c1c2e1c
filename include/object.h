/* SPDX-License-Identifier: BSD-3-Clause */
/* object.h - all of an object but its bytes: what a listing tells of it (spec, section 10). */
#ifndef PUBFS_OBJECT_H
#define PUBFS_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "codec.h"

/* Strings are owned (object_release()); NULL: not set. */
struct object {
	char *key;
	uint64_t generation;	 /* new with every write, never 0, grows */
	uint64_t metageneration; /* 1 at each write, +1 with every change of metadata */
	uint64_t size;		 /* stored bytes, after gzip */
	int64_t created;	 /* microseconds, when this generation was made */
	int64_t updated;	 /* microseconds, last change, metadata included */
	unsigned char md5[MD5_SIZE]; /* of the stored bytes */
	bool has_md5;	 /* a composed object has none */
	uint32_t crc32c; /* of the stored bytes, where the store says it */
	bool has_crc32c;
	bool gzip; /* Content-Encoding */
	bool foreign_encoding; /* another one, which nobody here decodes */
	char *type, *cache_control, *disposition;

	/* custom keys (spec, section 10) */
	int64_t validated; /* microseconds; INT64_MIN: missing or unreadable */
	unsigned char sha256[SHA256_SIZE]; /* of the decoded body */
	bool has_sha256, has_decoded_size;
	uint64_t decoded_size;
	char *runtime_version, *change;
};

#define NO_TIME INT64_MIN

/* What two objects are told apart by, and what a folder shows of them: all that a listing has at
 * hand without a copy. Borrowed. */
struct fingerprint {
	const char *key;
	uint64_t generation, size;	    /* stored bytes; generation 0: a folder */
	int64_t created, updated;
	uint64_t decoded_size;
	const unsigned char *sha256, *md5;  /* of the decoded, the stored bytes; NULL: not known */
	uint64_t headers; /* of a hash of type, cache control and disposition; 0: the catalog's */
	uint32_t crc32c;  /* of the stored bytes */
	bool has_crc32c, has_decoded_size, gzip, foreign_encoding;
};

void object_init(struct object *obj);
void object_release(struct object *obj);
void object_copy(struct object *to, const struct object *from); /* `to` is not released first */
/* Headers as the catalog gives them to the key, which is set; a foreign name has none. */
void object_set_catalog_headers(struct object *obj); /* that has none yet */
bool object_has_catalog_headers(const struct object *obj);
/* True when the headers that a client sees, and the custom keys but `validated`, are the same. */
bool object_same_headers(const struct object *a, const struct object *b);
/* Borrows from the object. */
void object_fingerprint(const struct object *obj, struct fingerprint *ret);

#endif

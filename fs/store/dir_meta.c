/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_meta.c - the metadata of an object of `dir:` as JSON in one extended attribute. */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "dir.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define META_VERSION 1
#define META_MAX     3800 /* ext4 has one block of 4,096 bytes for all attributes of a file */

static void release_json(json_t **json)
{
	json_decref(*json);
}

static json_t *hex_json(bool has, const unsigned char *bytes, size_t n)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(bytes, n, hex);
	return has ? json_string(hex) : NULL;
}

static json_t *number_json(bool has, int64_t n)
{
	return has ? json_integer(n) : NULL;
}

int dir_meta_encode(const struct object *obj, struct strbuf *out)
{
	/* what a '*' marks is left out when it is not set */
	CLEANUP(release_json) json_t *json = json_pack(
		"{si sI sI sI sI sI so* so* ss* ss* ss* so* so* so* ss* ss*}",
		"v", META_VERSION,
		"generation", (json_int_t)obj->generation,
		"metageneration", (json_int_t)obj->metageneration,
		"size", (json_int_t)obj->size,
		"created", (json_int_t)obj->created,
		"updated", (json_int_t)obj->updated,
		"md5", hex_json(obj->has_md5, obj->md5, MD5_SIZE),
		"gzip", obj->gzip ? json_true() : NULL,
		"type", obj->type,
		"cache_control", obj->cache_control,
		"disposition", obj->disposition,
		"validated", number_json(obj->validated != NO_TIME, obj->validated),
		"sha256", hex_json(obj->has_sha256, obj->sha256, SHA256_SIZE),
		"decoded_size", number_json(obj->has_decoded_size, (int64_t)obj->decoded_size),
		"runtime_version", obj->runtime_version,
		"change", obj->change);
	char text[META_MAX];
	size_t n;

	if (!json)
		return fail(-EINVAL, "the metadata of %s has a text that is not UTF-8", obj->key);
	n = json_dumpb(json, text, sizeof(text), JSON_COMPACT);
	if (!n || n > sizeof(text))
		return fail(-E2BIG, "the metadata of %s is longer than the %d bytes that a file "
			    "system keeps", obj->key, META_MAX);
	strbuf_add(out, text, n);
	return strbuf_error(out);
}

int dir_meta_decode(const char *text, size_t n, struct object *ret)
{
	CLEANUP(release_json) json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	json_int_t generation, metageneration, size, created, updated;
	json_int_t validated = NO_TIME, decoded_size = -1;
	const char *md5_hex = NULL, *sha256_hex = NULL, *type = NULL, *cache_control = NULL;
	const char *disposition = NULL, *runtime_version = NULL, *change = NULL;
	struct object obj;
	int version, gzip = 0;

	/* the '!' refuses a member that is not named here */
	if (!json || json_unpack(json,
		"{si sI sI sI sI sI ss s?b s?s s?s s?s s?I s?s s?I s?s s?s !}",
		"v", &version,
		"generation", &generation,
		"metageneration", &metageneration,
		"size", &size,
		"created", &created,
		"updated", &updated,
		"md5", &md5_hex,
		"gzip", &gzip,
		"type", &type,
		"cache_control", &cache_control,
		"disposition", &disposition,
		"validated", &validated,
		"sha256", &sha256_hex,
		"decoded_size", &decoded_size,
		"runtime_version", &runtime_version,
		"change", &change) < 0)
		return -EBADMSG;
	object_init(&obj);
	obj.has_md5 = true;
	obj.has_sha256 = sha256_hex;
	if (version != META_VERSION || generation <= 0 || metageneration <= 0 || size < 0 ||
	    decoded_size < -1 || hex_decode(md5_hex, obj.md5, MD5_SIZE) < 0 ||
	    (sha256_hex && hex_decode(sha256_hex, obj.sha256, SHA256_SIZE) < 0))
		return -EBADMSG;
	obj.generation = (uint64_t)generation;
	obj.metageneration = (uint64_t)metageneration;
	obj.size = (uint64_t)size;
	obj.created = created;
	obj.updated = updated;
	obj.validated = validated;
	obj.gzip = gzip;
	obj.has_decoded_size = decoded_size >= 0;
	obj.decoded_size = obj.has_decoded_size ? (uint64_t)decoded_size : 0;
	obj.type = xstrdup_or_null(type);
	obj.cache_control = xstrdup_or_null(cache_control);
	obj.disposition = xstrdup_or_null(disposition);
	obj.runtime_version = xstrdup_or_null(runtime_version);
	obj.change = xstrdup_or_null(change);
	*ret = obj;
	return 0;
}

int dir_meta_write(const struct dir_store *d, const char *path, const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(META_MAX);
	int r = dir_meta_encode(obj, &text);

	if (r < 0)
		return r;
	if (lsetxattr(path, DIR_ATTRIBUTE, text.buf, text.len, 0) < 0)
		return dir_fail(d, "write the metadata of", obj->key);
	return 0;
}

static int64_t microseconds(struct timespec ts)
{
	return ts.tv_sec * SECOND_US + ts.tv_nsec / 1000;
}

/* What a file without its attribute is, by its name and bytes. */
static int recognise(const char *key, int fd, const struct stat *st, bool md5_too,
		     struct object *obj)
{
	struct body body = body_of_file(fd, (uint64_t)st->st_size);
	int64_t changed = microseconds(st->st_ctim);
	unsigned char magic[2] = { 0 };
	struct object_name name;
	ssize_t n;
	int r;

	if (md5_too) {
		r = digest_body(&body, NULL, obj->md5);
		if (r < 0)
			return r;
		obj->has_md5 = true;
	}
	obj->key = xstrdup(key);
	obj->generation = changed > 0 ? (uint64_t)changed : 1;
	obj->metageneration = 1;
	obj->size = body.size;
	obj->created = microseconds(st->st_mtim);
	obj->updated = changed;
	if (catalog_match(key, &name) == KIND_NONE)
		return 0;
	n = pread(fd, magic, sizeof(magic), 0);
	catalog_headers(&name, obj);
	obj->gzip = obj->gzip && n == sizeof(magic) && magic[0] == 0x1f && magic[1] == 0x8b;
	return 0;
}

int dir_meta_load(const struct dir_store *d, const char *key, int fd, bool md5_too,
		  struct object *ret)
{
	struct object obj;
	char text[META_MAX];
	struct stat st;
	ssize_t n;
	int r = -ENODATA;

	if (fstat(fd, &st) < 0)
		return dir_fail(d, "look at", key);
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	object_init(&obj);
	n = fgetxattr(fd, DIR_ATTRIBUTE, text, sizeof(text));
	if (n < 0 && errno != ENODATA && errno != ERANGE && errno != EOPNOTSUPP)
		return dir_fail(d, "read the metadata of", key);
	if (n >= 0)
		r = dir_meta_decode(text, (size_t)n, &obj);
	if (r == 0 && obj.size == (uint64_t)st.st_size) {
		obj.key = xstrdup(key);
		*ret = obj;
		return 0;
	}
	object_release(&obj);
	log_debug("%s in dir:%s has lost its metadata", key, d->root);
	r = recognise(key, fd, &st, md5_too, &obj);
	if (r == 0)
		*ret = obj;
	return r;
}

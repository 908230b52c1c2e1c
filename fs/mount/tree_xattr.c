/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_xattr.c - what the bucket knows of an object, as extended attributes: a table. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "tree_internal.h"

#define USER_NAMES   "user."
#define XATTR_PREFIX USER_NAMES "pubfs."

static void add_text(const char *text, struct strbuf *out)
{
	if (text)
		strbuf_addstr(out, text);
}

static void add_number(uint64_t number, struct strbuf *out)
{
	strbuf_addf(out, "%" PRIu64, number);
}

static void add_hex(const unsigned char *bytes, size_t n, struct strbuf *out)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(bytes, n, hex);
	strbuf_addstr(out, hex);
}

static void cache_control(const struct object *obj, struct strbuf *out)
{
	add_text(obj->cache_control, out);
}

static void change(const struct object *obj, struct strbuf *out)
{
	add_text(obj->change, out);
}

/* As gcloud storage hash --hex prints it: the bytes that Google sends in base64. */
static void crc32c_hex(const struct object *obj, struct strbuf *out)
{
	if (obj->has_crc32c)
		strbuf_addf(out, "%08" PRIx32, obj->crc32c);
}

static void disposition(const struct object *obj, struct strbuf *out)
{
	add_text(obj->disposition, out);
}

static void encoding(const struct object *obj, struct strbuf *out)
{
	add_text(obj->gzip ? "gzip" : NULL, out);
}

static void generation(const struct object *obj, struct strbuf *out)
{
	add_number(obj->generation, out);
}

static void kind(const struct object *obj, struct strbuf *out)
{
	struct object_name name;
	enum kind match = catalog_match(obj->key, &name);

	add_text(match == KIND_NONE ? NULL : catalog_info(match)->name, out);
}

static void md5_hex(const struct object *obj, struct strbuf *out)
{
	if (obj->has_md5)
		add_hex(obj->md5, MD5_SIZE, out);
}

static void metageneration(const struct object *obj, struct strbuf *out)
{
	add_number(obj->metageneration, out);
}

static void runtime_version(const struct object *obj, struct strbuf *out)
{
	add_text(obj->runtime_version, out);
}

static void sha256_hex(const struct object *obj, struct strbuf *out)
{
	if (obj->has_sha256)
		add_hex(obj->sha256, SHA256_SIZE, out);
}

static void stored_size(const struct object *obj, struct strbuf *out)
{
	add_number(obj->size, out);
}

static void type(const struct object *obj, struct strbuf *out)
{
	add_text(obj->type, out);
}

static void validated(const struct object *obj, struct strbuf *out)
{
	if (obj->validated != NO_TIME)
		clock_format(obj->validated, out);
}

/* What appends nothing is not there. */
static const struct {
	const char *name;
	void (*value)(const struct object *obj, struct strbuf *out);
} attributes[] = {
	{ "cache-control", cache_control },
	{ "change", change },
	{ "crc32c", crc32c_hex },
	{ "disposition", disposition },
	{ "encoding", encoding },
	{ "generation", generation },
	{ "kind", kind },
	{ "md5", md5_hex },
	{ "metageneration", metageneration },
	{ "runtime-version", runtime_version },
	{ "sha256", sha256_hex },
	{ "stored-size", stored_size },
	{ "type", type },
	{ "validated", validated },
};

/* -ENODATA: not an object; -ESTALE: another generation is there now. */
static int object_of(struct tree *t, uint64_t id, struct object *ret)
{
	NAME_BUF(key);
	CLEANUP(inode_drop) struct held held = { 0 };
	int r = inode_hold(t, id, &held);

	if (r < 0)
		return r;
	if (held.inode->type != INODE_OBJECT)
		return -ENODATA;
	r = path_to_key(held.inode->path, &key);
	if (!r)
		r = store_stat(t->options.store, key.buf, ret);
	if (r == -ENOENT)
		return -ESTALE;
	return !r && ret->generation != held.inode->generation ? -ESTALE : r;
}

int tree_getxattr(struct tree *t, uint64_t id, const char *name, struct strbuf *out)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	size_t n = strlen(XATTR_PREFIX), before = out->len;
	int r;

	/* access control lists, security labels: once it is told that there are none, ls does not
	 * ask again */
	if (strncmp(name, USER_NAMES, strlen(USER_NAMES)) != 0)
		return -ENOTSUP;
	if (strncmp(name, XATTR_PREFIX, n) != 0)
		return -ENODATA;
	r = object_of(t, id, &obj);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (!strcmp(name + n, attributes[i].name))
			attributes[i].value(&obj, out);
	return out->len > before ? 0 : -ENODATA;
}

int tree_setxattr(const char *name)
{
	return strncmp(name, USER_NAMES, strlen(USER_NAMES)) != 0 ? -ENOTSUP : -EPERM;
}

int tree_listxattr(struct tree *t, uint64_t id, struct strbuf *out)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	NAME_BUF(value);
	int r = object_of(t, id, &obj);

	if (r == -ENODATA)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		strbuf_reset(&value);
		attributes[i].value(&obj, &value);
		if (value.len) {
			strbuf_addstr(out, XATTR_PREFIX);
			strbuf_addstr(out, attributes[i].name);
			strbuf_addch(out, '\0');
		}
	}
	return strbuf_error(out);
}

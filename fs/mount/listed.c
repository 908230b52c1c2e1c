/* SPDX-License-Identifier: BSD-3-Clause */
/* listed.c - the hash that a package's listing in the bucket has for one of its archives. */
#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "json.h"
#include "memory.h"
#include "tree_internal.h"

/* The key of the package's listing: the object that the archive's own prefix has. */
static void listing_key(const struct object_name *archive, struct strbuf *out)
{
	strbuf_add(out, archive->prefix.text, archive->prefix.len);
	strbuf_addstr(out, "/api/packages/");
	strbuf_add(out, archive->package.text, archive->package.len);
}

static int load_listing(struct tree *t, const char *key, struct strbuf *out)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	struct content *content;
	struct body body;
	int r = store_stat(t->options.store, key, &obj);

	if (!r)
		r = content_open(t->contents, &obj, &content);
	if (r < 0)
		return r;
	r = content_body(content, &body);
	if (!r)
		r = body_load(&body, out);
	content_close(content);
	return r;
}

/* -EINVAL: it has none. */
static int hash_of(struct json entry, char ret[2 * SHA256_SIZE + 1])
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(2 * SHA256_SIZE);
	unsigned char sum[SHA256_SIZE];
	struct json value;

	if (!json_member(entry, "archive_sha256", &value) || value.type != JSON_STRING)
		return -EINVAL;
	json_decode(value, &text);
	if (strbuf_error(&text) || hex_decode(text.buf, sum, SHA256_SIZE) < 0)
		return -EINVAL;
	hex_encode(sum, SHA256_SIZE, ret);
	return 0;
}

static bool find_version(struct json listing, const struct name_part *version, struct json *ret)
{
	CLEANUP(free_char) char *wanted = xstrndup(version->text, version->len);
	struct json versions, item, text;
	struct json_iter it;

	if (!json_member(listing, "versions", &versions) || versions.type != JSON_ARRAY)
		return false;
	for (it = json_iterate(versions); json_next(&it, NULL, &item);)
		if (json_member(item, "version", &text) && text.type == JSON_STRING &&
		    json_equals(text, wanted)) {
			*ret = item;
			return true;
		}
	return false;
}

int listed_sha256(struct tree *t, const char *archive_key, char ret[2 * SHA256_SIZE + 1])
{
	NAME_BUF(key);
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(DOCUMENT_MAX);
	struct object_name name;
	struct json listing, entry;
	int r;

	if (catalog_match(archive_key, &name) != KIND_ARCHIVE)
		return 0;
	listing_key(&name, &key);
	r = load_listing(t, key.buf, &body);
	if (r == -ESTALE) /* the index was behind, and has looked again */
		r = load_listing(t, key.buf, &body);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (json_parse(body.buf, body.len, &listing, NULL) < 0 ||
	    !find_version(listing, &name.version, &entry))
		return 0;
	return hash_of(entry, ret) < 0 ? 0 : 1;
}

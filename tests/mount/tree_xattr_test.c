/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_xattr_test.c - the attributes of files. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "compiler.h"
#include "memory.h"
#include "strbuf.h"
#include "tree_world.h"

static char *attribute(struct world *w, const char *path, const char *name, int *ret)
{
	struct strbuf value = STRBUF_INIT(1 << 16);
	struct node node;

	cr_assert_eq(tree_resolve(w->tree, path, &node), 0);
	*ret = tree_getxattr(w->tree, node.id, name, &value);
	tree_forget(w->tree, node.id, 1);
	return strbuf_detach(&value);
}

Test(tree_xattr, attributes_are_those_of_the_object)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(free_char) char *text = listing_text("http", "");
	CLEANUP(free_char) char *generation = NULL;
	static const struct {
		const char *name, *value;
	} table[] = {
		{ "user.pubfs.metageneration", "1" },
		{ "user.pubfs.encoding", "gzip" },
		{ "user.pubfs.type", "application/json; charset=\"utf-8\"" },
		{ "user.pubfs.cache-control", "public, max-age=120" },
		{ "user.pubfs.change", "hand" },
		{ "user.pubfs.kind", "listing" },
		{ "user.pubfs.disposition", NULL },
		{ "user.pubfs.runtime-version", NULL },
		{ "user.pubfs.nothing", NULL },
		{ "user.pubfs.", NULL },
		{ "user.other", NULL },
	};
	CLEANUP(free_char) char *sum = NULL;
	CLEANUP(free_char) char *when = NULL;
	CLEANUP(free_char) char *stored = NULL;
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	int r;

	cr_assert_eq(write_path(&w, LATEST "http", text), 0);
	free(attribute(&w, "latest", "user.pubfs.generation", &r));
	cr_assert_eq(r, -ENODATA);
	world_requests(&w);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		CLEANUP(free_char) char *value = attribute(&w, LATEST "http", table[i].name, &r);

		cr_expect_eq(r, table[i].value ? 0 : -ENODATA, "%s", table[i].name);
		cr_expect_str_eq(value, table[i].value ? table[i].value : "", "%s", table[i].name);
	}
	sha256(text, strlen(text), digest);
	hex_encode(digest, SHA256_SIZE, hex);
	sum = attribute(&w, LATEST "http", "user.pubfs.sha256", &r);
	cr_assert_str_eq(sum, hex);
	generation = attribute(&w, LATEST "http", "user.pubfs.generation", &r);
	cr_assert_eq(strtoull(generation, NULL, 10), generation_of(w.store, LATEST "http"));
	when = attribute(&w, LATEST "http", "user.pubfs.validated", &r);
	cr_assert_eq(when[strlen(when) - 1], 'Z');
	stored = attribute(&w, LATEST "http", "user.pubfs.stored-size", &r);
	cr_assert_lt(strtoull(stored, NULL, 10), strlen(text));
	cr_assert_eq(world_requests(&w), 0);
	world_remove(&w);
}

Test(tree_xattr, each_attribute_has_the_value_that_the_bucket_has)
{
	static const char *const names[] = {
		"cache-control", "change",	"crc32c", "disposition",    "encoding",
		"generation",	 "kind",	"md5",	  "metageneration", "runtime-version",
		"sha256",	 "stored-size", "type",	  "validated",
	};
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(1 << 16);
	CLEANUP(free_char) char *expected = NULL;
	char hex[2 * SHA256_SIZE + 1], md5_hex[2 * MD5_SIZE + 1];
	static const char body[] = "an archive's bytes";
	struct edit e = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body bytes = body_of_bytes(body, strlen(body));

	object_init(&e.object);
	e.body = &bytes;
	e.object.key = xstrdup("latest/api/archives/http-1.0.0.tar.gz");
	e.object.type = xstrdup("application/octet-stream");
	e.object.cache_control = xstrdup("public, max-age=60");
	e.object.disposition = xstrdup("attachment; filename=\"http-1.0.0.tar.gz\"");
	e.object.gzip = true; /* not that it is: each attribute is what the metadata says */
	e.object.has_decoded_size = e.object.has_sha256 = true;
	sha256(body, strlen(body), e.object.sha256);
	e.object.validated = 1704164645678901;
	e.object.runtime_version = xstrdup("2026.08.18");
	e.object.change = xstrdup("12-0123456789abcdef");
	cr_assert_eq(store_edit(w.driver, &e, 1), 0);
	hex_encode(e.object.sha256, SHA256_SIZE, hex);
	hex_encode(e.object.md5, MD5_SIZE, md5_hex);
	expected =
		xasprintf("public, max-age=60|12-0123456789abcdef|%08x|attachment; "
			  "filename=\"http-1.0.0.tar.gz\"|gzip|%llu|archive|%s|1|2026.08.18|%s|18|"
			  "application/octet-stream|2024-01-02T03:04:05.678901Z|",
			  crc32c(0, body, strlen(body)), (unsigned long long)e.object.generation,
			  md5_hex, hex);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_char) char *name = xasprintf("user.pubfs.%s", names[i]);
		CLEANUP(free_char) char *value = NULL;
		int r;

		value = attribute(&w, e.object.key, name, &r);
		cr_expect_eq(r, 0, "%s", name);
		strbuf_addf(&got, "%s|", value);
	}
	cr_assert_str_eq(got.buf, expected);
	edit_release(&e, 1);
	world_remove(&w);
}

Test(tree_xattr, attributes_are_read_only_and_of_no_other_namespace)
{
	static const char *const foreign[] = { "security.selinux", "security.capability",
					       "system.posix_acl_access", "trusted.x", "user" };
	struct world w = world_make(LONG_TTL);

	put_text(w.store, "other/x", "x");
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++) {
		int r;

		free(attribute(&w, "other/x", foreign[i], &r));
		cr_expect_eq(r, -ENOTSUP, "%s", foreign[i]);
		cr_expect_eq(tree_setxattr(foreign[i]), -ENOTSUP, "%s", foreign[i]);
	}
	cr_assert_eq(tree_setxattr("user.pubfs.type"), -EPERM);
	cr_assert_eq(tree_setxattr("user.other"), -EPERM);
	world_remove(&w);
}

Test(tree_xattr, the_list_of_attributes_has_those_with_a_value)
{
	struct world w = world_make(LONG_TTL);
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(1 << 16);
	CLEANUP(strbuf_release) struct strbuf none = STRBUF_INIT(1 << 16);
	static const char expected[] = "user.pubfs.crc32c\0user.pubfs.generation\0user.pubfs.md5\0"
				       "user.pubfs.metageneration\0user.pubfs.stored-size";
	struct node node;

	put_text(w.store, "other/x", "x");
	cr_assert_eq(tree_resolve(w.tree, "other/x", &node), 0);
	cr_assert_eq(tree_listxattr(w.tree, node.id, &names), 0);
	cr_assert_eq(names.len, sizeof(expected));
	cr_assert_arr_eq(names.buf, expected, sizeof(expected));
	cr_assert_eq(tree_listxattr(w.tree, TREE_ROOT, &none), 0);
	cr_assert_eq(none.len, 0);
	put_text(w.store, "other/x", "y");
	cr_assert_eq(tree_listxattr(w.tree, node.id, &none), -ESTALE);
	world_remove(&w);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.c - one package archive into the canonical store and the database.
 *
 * 1. The archive first, then its row: no row, and so no listing, names an archive that is not
 *    there. What ends in between leaves an archive that no row names.
 * 2. The bytes are sent before the database is locked, under the condition that there are none.
 * 3. An archive that no row names is replaced only inside the transaction that adds its row, and
 *    every publisher looks at the archive again in there. So of two that publish the same version
 *    with different bytes one wins, row and archive alike, and the other is refused.
 */
#include "release.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "archive.h"
#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "package.h"
#include "render.h"
#include "store.h"
#include "strbuf.h"
#include "version.h"

#define WHY_MAX		 4096
#define YAML_BYTES_MAX	 (4 * (size_t)PUBSPEC_YAML_MAX) /* a character has at most four */
#define PUBSPEC_JSON_MAX (16 * YAML_BYTES_MAX)		/* escapes, and digits of numbers */
#define TRIES		 3 /* for an archive that others change while it is looked at */

struct release {
	struct db *db;
	struct store *archives;
	const char *file;
	struct body body;
	unsigned char sha256[SHA256_SIZE], md5[MD5_SIZE];
	struct strbuf pubspec; /* JSON */
	struct strbuf package, version, key;
};

static void release_clear(struct release *rel)
{
	strbuf_release(&rel->pubspec);
	strbuf_release(&rel->package);
	strbuf_release(&rel->version);
	strbuf_release(&rel->key);
}

static int refuse(const struct release *rel, const char *why)
{
	return fail(-EINVAL, "%s is refused: %s", rel->file, why);
}

static size_t count_characters(const struct strbuf *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += ((unsigned char)text->buf[i] & 0xc0) != 0x80;
	return n;
}

static int read_pubspec(struct release *rel)
{
	CLEANUP(strbuf_release) struct strbuf yaml = STRBUF_INIT(YAML_BYTES_MAX);
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	int r = archive_pubspec(&rel->body, &yaml, &why);

	if (r == -EINVAL)
		return refuse(rel, why.buf);
	if (r < 0 && r != -E2BIG)
		return r;
	if (r == -E2BIG || count_characters(&yaml) > PUBSPEC_YAML_MAX)
		return fail(-EINVAL, "%s is refused: its pubspec.yaml is over %d characters",
			    rel->file, PUBSPEC_YAML_MAX);
	r = yaml_to_json(yaml.buf, yaml.len, YAML_ALIASES_REFUSED, &rel->pubspec, &why);
	if (r == -E2BIG)
		return refuse(rel, "its pubspec.yaml is too large as JSON");
	return r < 0 ? refuse(rel, why.buf) : 0;
}

static int take_member(const struct release *rel, struct json pubspec, const char *name,
		       struct strbuf *out)
{
	struct json value;

	if (!json_member(pubspec, name, &value))
		return fail(-EINVAL, "%s is refused: its pubspec.yaml has no %s", rel->file, name);
	if (value.type != JSON_STRING)
		return fail(-EINVAL, "%s is refused: the %s in its pubspec.yaml is not a string",
			    rel->file, name);
	json_decode(value, out);
	return 0;
}

static size_t count_members(struct json object)
{
	struct json_iter it = json_iterate(object);
	struct json key, value;
	size_t n = 0;

	while (json_next(&it, &key, &value))
		n++;
	return n;
}

static int check_pubspec(struct release *rel)
{
	struct json pubspec, dependencies;
	int r = json_parse(rel->pubspec.buf, rel->pubspec.len, &pubspec, NULL);

	if (r < 0)
		return refuse(rel, "its pubspec.yaml makes no sound JSON");
	r = take_member(rel, pubspec, "name", &rel->package);
	if (!r)
		r = take_member(rel, pubspec, "version", &rel->version);
	if (r < 0)
		return r;
	if (!catalog_is_package_name(rel->package.buf, rel->package.len))
		return fail(-EINVAL, "%s is refused: \"%s\" is not a package name", rel->file,
			    rel->package.buf);
	if (!version_is_canonical(rel->version.buf, rel->version.len))
		return fail(-EINVAL, "%s is refused: \"%s\" is not a version in its canonical form",
			    rel->file, rel->version.buf);
	if (json_member(pubspec, "dependencies", &dependencies) &&
	    dependencies.type == JSON_OBJECT &&
	    count_members(dependencies) > RELEASE_DEPENDENCIES_MAX)
		return fail(-EINVAL, "%s is refused: it has more than %d dependencies", rel->file,
			    RELEASE_DEPENDENCIES_MAX);
	return 0;
}

static int inspect(struct release *rel, int fd)
{
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return fail(-EIO, "cannot read %s: %s", rel->file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(rel, "it is not a file");
	if ((uint64_t)st.st_size > ARCHIVE_MAX)
		return fail(-EINVAL, "%s is refused: it is over %zu MiB", rel->file,
			    ARCHIVE_MAX >> 20);
	rel->body = body_of_file(fd, (uint64_t)st.st_size);
	r = read_pubspec(rel);
	if (!r)
		r = check_pubspec(rel);
	if (!r)
		r = digest_body(&rel->body, rel->sha256, rel->md5);
	if (r < 0)
		return r;
	archive_canonical_key(rel->package.buf, rel->version.buf, &rel->key);
	return 0;
}

static int store_archive(const struct release *rel, uint64_t if_generation)
{
	struct edit edit = { .op = EDIT_WRITE, .if_generation = if_generation, .body = &rel->body };
	struct object *obj = &edit.object;
	int r;

	object_init(obj);
	obj->key = xstrdup(rel->key.buf);
	obj->type = xstrdup(catalog_info(KIND_ARCHIVE)->type);
	memcpy(obj->md5, rel->md5, sizeof(obj->md5));
	memcpy(obj->sha256, rel->sha256, sizeof(obj->sha256));
	obj->has_md5 = obj->has_sha256 = obj->has_decoded_size = true;
	obj->decoded_size = rel->body.size;
	r = store_edit(rel->archives, &edit, 1);
	edit_release(&edit, 1);
	return r;
}

enum stored { STORED_NONE, STORED_SAME, STORED_OTHER };

static int look_up_archive(const struct release *rel, enum stored *ret, uint64_t *ret_generation)
{
	struct object obj;
	bool same;
	int r = store_refresh(rel->archives, rel->key.buf, 0);

	if (!r)
		r = store_stat(rel->archives, rel->key.buf, &obj);
	if (r == -ENOENT) {
		*ret = STORED_NONE;
		*ret_generation = STORE_ABSENT;
		return 0;
	}
	if (r < 0)
		return r;
	same = obj.has_sha256 ? !memcmp(obj.sha256, rel->sha256, sizeof(obj.sha256))
			      : obj.has_md5 && !memcmp(obj.md5, rel->md5, sizeof(obj.md5));
	*ret = same && obj.size == rel->body.size ? STORED_SAME : STORED_OTHER;
	*ret_generation = obj.generation;
	object_release(&obj);
	return 0;
}

/* Makes the stored archive this one. With `keep`, other bytes are left alone: -EEXIST. 1: it was
 * sent; 0: it was there. */
static int settle_archive(const struct release *rel, bool keep)
{
	for (int i = 0; i < TRIES; i++) {
		enum stored stored = STORED_NONE;
		uint64_t generation = STORE_ABSENT;
		int r = look_up_archive(rel, &stored, &generation);

		if (r < 0 || stored == STORED_SAME)
			return r;
		if (stored == STORED_OTHER && keep)
			return -EEXIST;
		r = store_archive(rel, generation);
		if (r != -ESTALE)
			return r < 0 ? r : 1;
	}
	return fail(-EIO, "%s: others keep changing the archive of %s %s; try again", rel->file,
		    rel->package.buf, rel->version.buf);
}

static int is_there_already(const struct release *rel)
{
	return fail(-EEXIST,
		    "%s is refused: %s %s is there with other contents; publish it as another"
		    " version",
		    rel->file, rel->package.buf, rel->version.buf);
}

/* A version that has its row: at most its archive is missing. A row without a hash (it may have
 * been loaded without one) stands for the archive that is in the store. */
static int publish_again(const struct release *rel, const struct package_version *row)
{
	unsigned char sha256[SHA256_SIZE];
	bool unknown = !row->archive_sha256 || !*row->archive_sha256;
	int r;

	if (!unknown && (hex_decode(row->archive_sha256, sha256, sizeof(sha256)) < 0 ||
			 memcmp(sha256, rel->sha256, sizeof(sha256))))
		return is_there_already(rel);
	r = settle_archive(rel, unknown);
	if (r == -EEXIST)
		return is_there_already(rel);
	if (r < 0)
		return r;
	return r ? RELEASED_ARCHIVE : RELEASED_BEFORE;
}

static int check_count(const struct release *rel)
{
	CLEANUP(package_release) struct package pkg;
	int r;

	package_init(&pkg);
	r = db_package(rel->db, rel->package.buf, &pkg);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (pkg.n_versions >= RELEASE_VERSIONS_MAX)
		return fail(-EINVAL,
			    "%s is refused: %s has %zu versions, and no more than %d may"
			    " be published",
			    rel->file, rel->package.buf, pkg.n_versions, RELEASE_VERSIONS_MAX);
	return 0;
}

/* Inside the transaction. */
static int add_row(struct release *rel)
{
	CLEANUP(package_version_release) struct package_version there = { 0 };
	char hex[2 * SHA256_SIZE + 1];
	struct package_version row = {
		.version = rel->version.buf,
		.pubspec = rel->pubspec.buf,
		.pubspec_len = rel->pubspec.len,
		.archive_sha256 = hex,
		.created = clock_rules(),
	};
	int r = db_version(rel->db, rel->package.buf, rel->version.buf, &there);

	if (!r)
		return publish_again(rel, &there);
	if (r != -ENOENT)
		return r;
	r = settle_archive(rel, false);
	if (r < 0)
		return r;
	hex_encode(rel->sha256, sizeof(rel->sha256), hex);
	r = db_put_version(rel->db, rel->package.buf, &row, false);
	return r < 0 ? r : RELEASED_ADDED;
}

static int publish_new(struct release *rel)
{
	int end, r = check_count(rel);

	if (!r)
		r = store_archive(rel, STORE_ABSENT);
	if (r < 0 && r != -ESTALE)
		return r;
	r = db_begin(rel->db);
	if (r < 0)
		return r;
	r = add_row(rel);
	if (r < 0) {
		db_rollback(rel->db);
		return r;
	}
	end = db_commit(rel->db);
	return end < 0 ? end : r;
}

int release_publish(struct db *db, struct store *archives, int fd, const char *file,
		    struct strbuf *name)
{
	CLEANUP(package_version_release) struct package_version there = { 0 };
	CLEANUP(release_clear)
	struct release rel = {
		.db = db,
		.archives = archives,
		.file = file,
		.pubspec = STRBUF_INIT(PUBSPEC_JSON_MAX),
		.package = STRBUF_INIT(PUBSPEC_JSON_MAX),
		.version = STRBUF_INIT(PUBSPEC_JSON_MAX),
		.key = STRBUF_INIT(WHY_MAX),
	};
	int r = inspect(&rel, fd);

	if (r < 0)
		return r;
	strbuf_addf(name, "%s %s", rel.package.buf, rel.version.buf);
	r = db_version(db, rel.package.buf, rel.version.buf, &there);
	if (r == -ENOENT)
		return publish_new(&rel);
	return r < 0 ? r : publish_again(&rel, &there);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * advisory.c - security advisories out of OSV files (spec, section 7).
 *
 * What would be refused later, when the list of a package is made of it, is refused here: there it
 * would keep back the whole list.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "gate.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "render.h"
#include "set.h"
#include "strbuf.h"

#define UNITS_MAX  512000 /* characters, as Dart counts them: UTF-16 */
#define BYTES_MAX  ((size_t)3 * UNITS_MAX)
#define ID_MAX	   255
#define FUTURE_MAX HOUR_US

/* One advisory as it was read. */
struct osv {
	const char *path;
	struct strbuf text, id, why;
	struct json document;
	int64_t modified;
	char **packages; /* that it names */
	size_t n_packages, packages_alloc;
};

static void osv_release(struct osv *osv)
{
	strbuf_release(&osv->text);
	strbuf_release(&osv->id);
	strbuf_release(&osv->why);
	for (size_t i = 0; i < osv->n_packages; i++)
		free(osv->packages[i]);
	free(osv->packages);
}

static int refuse(const struct osv *osv, const char *why)
{
	return fail(-EINVAL, "refused %s: %s", osv->path, why);
}

static int read_text(struct osv *osv)
{
	CLEANUP(close_fd) int fd = open(osv->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t units = 0;
	struct body body;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return fail(-EIO, "cannot open %s: %s", osv->path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(-EIO, "%s is not a file", osv->path);
	body = body_of_file(fd, (uint64_t)st.st_size);
	if (st.st_size > (off_t)BYTES_MAX)
		return refuse(osv, "it has more than 512000 characters");
	if (body_load(&body, &osv->text) < 0)
		return fail(-EIO, "cannot read %s", osv->path);
	for (size_t i = 0; i < osv->text.len; i++) {
		unsigned char c = (unsigned char)osv->text.buf[i];

		units += (c & 0xc0) != 0x80;
		units += c >= 0xf0;
	}
	return units > UNITS_MAX ? refuse(osv, "it has more than 512000 characters") : 0;
}

static int read_id(struct osv *osv)
{
	struct json value;

	if (!json_member(osv->document, "id", &value) || value.type != JSON_STRING)
		return refuse(osv, "it has no id");
	json_decode(value, &osv->id);
	for (size_t i = 0; i < osv->id.len; i++)
		if (osv->id.buf[i] < ' ' || osv->id.buf[i] > '~')
			return refuse(osv, "its id is not printable ASCII");
	if (!osv->id.len || osv->id.len > ID_MAX)
		return refuse(osv, "its id is empty or longer than 255 characters");
	return 0;
}

/* -ENOENT: none that could be read. */
static int modified_of(struct json document, int64_t *ret)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(1000);
	struct json value;

	if (!json_member(document, "modified", &value) || value.type != JSON_STRING)
		return -ENOENT;
	json_decode(value, &text);
	if (strbuf_error(&text) < 0 || strlen(text.buf) != text.len)
		return -ENOENT;
	return clock_parse(text.buf, ret) < 0 ? -ENOENT : 0;
}

static bool is_pub(struct json package)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json value;

	if (!json_member(package, "ecosystem", &value) || value.type != JSON_STRING)
		return false;
	json_decode(value, &text);
	return text.len == 3 && !strcasecmp(text.buf, "pub");
}

static void add_package(struct osv *osv, const char *name)
{
	for (size_t i = 0; i < osv->n_packages; i++)
		if (!strcmp(osv->packages[i], name))
			return;
	GROW(osv->packages, osv->n_packages, osv->packages_alloc);
	osv->packages[osv->n_packages++] = xstrdup(name);
}

/* The packages of pub that it names; one of them has to say which versions. */
static int read_affected(struct osv *osv)
{
	struct json affected, entry, package, name, versions;
	bool any_versions = false;

	if (!json_member(osv->document, "affected", &affected) || affected.type != JSON_ARRAY)
		return refuse(osv, "it has no list of what is affected");
	for (struct json_iter it = json_iterate(affected); json_next(&it, NULL, &entry);) {
		CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
		struct json_iter first;

		if (!json_member(entry, "package", &package) || !is_pub(package) ||
		    !json_member(package, "name", &name) || name.type != JSON_STRING)
			continue;
		json_decode(name, &text);
		if (!catalog_is_package_name(text.buf, text.len))
			continue;
		add_package(osv, text.buf);
		if (!json_member(entry, "versions", &versions) || versions.type != JSON_ARRAY)
			continue;
		first = json_iterate(versions);
		any_versions |= json_next(&first, NULL, &versions);
	}
	return any_versions ? 0 : refuse(osv, "it names no versions of a package of pub");
}

/* Makes the list of a package of this document alone, and asks the gate. */
static int try_list(struct osv *osv, char *package, struct strbuf *document)
{
	const struct rendering how = { .base_url = "" };
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct advisory row = { osv->id.buf, document->buf, document->len, osv->modified };
	struct package pkg = { .name = package, .advisories = &row, .n_advisories = 1 };
	struct object_name name = { .kind = KIND_ADVISORIES };
	struct body body;

	for (size_t i = 0; i < n_package_documents; i++)
		if (package_documents[i].kind == KIND_ADVISORIES &&
		    package_documents[i].body(&pkg, NULL, &how, &text) < 0)
			return refuse(osv, "no list of advisories can be made of it");
	name.package = (struct name_part){ pkg.name, strlen(pkg.name) };
	body = body_of_strbuf(&text);
	return gate_check(&name, &body, &osv->why) < 0 ? refuse(osv, osv->why.buf) : 0;
}

/* Which of its packages an entry names; NULL: none. */
static char *named_by(const struct osv *osv, struct json entry)
{
	struct json package, name;

	if (!json_member(entry, "package", &package) || !json_member(package, "name", &name) ||
	    name.type != JSON_STRING)
		return NULL;
	for (size_t i = 0; i < osv->n_packages; i++)
		if (json_equals(name, osv->packages[i]))
			return osv->packages[i];
	return NULL;
}

/* One entry beside a sound one, so that the list of its package has it. */
static int try_entry(struct osv *osv, char *package, struct json entry)
{
	CLEANUP(strbuf_release) struct strbuf document = STRBUF_INIT(DOCUMENT_MAX);

	strbuf_addf(&document,
		    "{\"id\":\"\",\"modified\":\"\",\"affected\":[{\"package\":{\"ecosystem\":"
		    "\"Pub\",\"name\":\"%s\"},\"versions\":[]},",
		    package);
	json_add(&document, entry);
	strbuf_addstr(&document, "]}");
	return try_list(osv, package, &document);
}

/* All of it for one package; and, since clients of another look closely at what names that one,
 * each entry for the package that it names: so no part of it is looked at more than twice. */
static int try_lists(struct osv *osv)
{
	int r = try_list(osv, osv->packages[0], &osv->text);
	struct json affected, entry;
	struct json_iter it;

	if (r < 0 || !json_member(osv->document, "affected", &affected))
		return r;
	for (it = json_iterate(affected); !r && json_next(&it, NULL, &entry);) {
		char *package = named_by(osv, entry);

		r = package ? try_entry(osv, package, entry) : 0;
	}
	return r;
}

static int osv_read(struct osv *osv)
{
	int r = read_text(osv);

	if (r < 0)
		return r;
	strbuf_addstr(&osv->why, "it is no sound JSON: ");
	if (json_parse(osv->text.buf, osv->text.len, &osv->document, &osv->why) < 0)
		return refuse(osv, osv->why.buf);
	strbuf_reset(&osv->why);
	r = read_id(osv);
	if (r < 0)
		return r;
	if (modified_of(osv->document, &osv->modified) < 0)
		return refuse(osv, "its time of modification cannot be read");
	if (osv->modified > clock_rules() + FUTURE_MAX)
		return refuse(osv, "it was modified more than an hour from now");
	r = read_affected(osv);
	return r < 0 ? r : try_lists(osv);
}

/* 1: the database has one that is as new; 0: it has an older one; -ENOENT: it has none. */
static int is_known(struct db *db, const struct osv *osv)
{
	CLEANUP(advisory_release) struct advisory have = { .id = NULL };
	struct json document;
	int64_t modified;
	int r = db_advisory(db, osv->id.buf, &have);

	if (r < 0)
		return r;
	if (json_parse(have.osv, have.osv_len, &document, NULL) < 0 ||
	    modified_of(document, &modified) < 0)
		return 0;
	return osv->modified <= modified;
}

/* Within a transaction, so that of two who bring the same one the newer one stays. */
static int put(struct db *db, const struct osv *osv)
{
	const struct advisory row = { osv->id.buf, osv->text.buf, osv->text.len, clock_rules() };
	int known = is_known(db, osv), r;

	if (known > 0)
		return ADVISED_BEFORE;
	if (known < 0 && known != -ENOENT)
		return known;
	r = db_put_advisory(db, &row, osv->packages, osv->n_packages);
	return r < 0 ? r : known ? ADVISED_ADDED : ADVISED_REPLACED;
}

int advisory_take(struct db *db, const char *path, char **ret_id)
{
	CLEANUP(osv_release) struct osv osv = {
		.path = path,
		.text = STRBUF_INIT(BYTES_MAX),
		.id = STRBUF_INIT(BYTES_MAX),
		.why = STRBUF_INIT(4096),
	};
	int r = osv_read(&osv), advised;

	if (r < 0)
		return r;
	r = db_begin(db);
	if (r < 0)
		return r;
	advised = put(db, &osv);
	if (advised < 0) {
		db_rollback(db);
		return advised;
	}
	r = db_commit(db);
	if (r < 0)
		return r;
	*ret_id = xstrdup(osv.id.buf);
	return advised;
}

int advisory_remove(struct db *db, const char *id)
{
	int r = db_remove_advisory(db, id);

	return r == -ENOENT ? fail(r, "there is no advisory %s", id) : r;
}

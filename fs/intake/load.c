/* SPDX-License-Identifier: BSD-3-Clause */
/* load.c - versions in bulk, out of files of JSON lines, into the database. */
#include "load.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "json.h"
#include "lines.h"
#include "log.h"
#include "strbuf.h"
#include "version.h"

#define SHORT_TEXT_MAX 4096 /* of a name, a version or a time: more than any may have */

/* One line. Its strings are in the buffers, which are used again for the next line. */
struct row {
	struct strbuf package, version, pubspec;
	char sha256[2 * SHA256_SIZE + 1];
	struct package_version v;
};

static void row_release(struct row *row)
{
	strbuf_release(&row->package);
	strbuf_release(&row->version);
	strbuf_release(&row->pubspec);
}

static void row_reset(struct row *row)
{
	strbuf_reset(&row->package);
	strbuf_reset(&row->version);
	strbuf_reset(&row->pubspec);
	row->v = (struct package_version){ 0 };
}

static bool take_text(struct json value, struct strbuf *out)
{
	if (value.type != JSON_STRING)
		return false;
	json_decode(value, out);
	return !strbuf_error(out) && strlen(out->buf) == out->len;
}

static bool take_package(struct row *row, struct json value)
{
	return take_text(value, &row->package) &&
	       catalog_is_package_name(row->package.buf, row->package.len);
}

static bool take_version(struct row *row, struct json value)
{
	return take_text(value, &row->version) &&
	       version_is_canonical(row->version.buf, row->version.len);
}

static bool take_published(struct row *row, struct json value)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(SHORT_TEXT_MAX);

	return take_text(value, &text) && clock_parse(text.buf, &row->v.created) == 0;
}

static bool take_pubspec(struct row *row, struct json value)
{
	if (value.type != JSON_OBJECT)
		return false;
	json_add(&row->pubspec, value);
	return !strbuf_error(&row->pubspec);
}

static bool take_sha256(struct row *row, struct json value)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(SHORT_TEXT_MAX);
	unsigned char digest[SHA256_SIZE];

	if (value.type == JSON_NULL)
		return true;
	if (!take_text(value, &text) || hex_decode(text.buf, digest, sizeof(digest)) < 0)
		return false;
	hex_encode(digest, sizeof(digest), row->sha256);
	row->v.archive_sha256 = row->sha256;
	return true;
}

static bool take_flag(struct json value, bool *ret)
{
	*ret = json_is_true(value);
	return value.type == JSON_BOOL;
}

static bool take_retracted(struct row *row, struct json value)
{
	return take_flag(value, &row->v.retracted);
}

static bool take_moderated(struct row *row, struct json value)
{
	return take_flag(value, &row->v.moderated);
}

static bool take_deleted(struct row *row, struct json value)
{
	return take_flag(value, &row->v.deleted);
}

static const struct {
	const char *name;
	bool required;
	bool (*take)(struct row *row, struct json value);
	const char *must_be; /* what it is not when take() answers false */
} fields[] = {
	{ "package", true, take_package, "a package name" },
	{ "version", true, take_version, "a version in its canonical form" },
	{ "published", true, take_published, "a time (ISO 8601)" },
	{ "pubspec", true, take_pubspec, "an object" },
	{ "archive_sha256", false, take_sha256, "64 hexadecimal digits" },
	{ "retracted", false, take_retracted, "true or false" },
	{ "moderated", false, take_moderated, "true or false" },
	{ "deleted", false, take_deleted, "true or false" },
};

static int parse_row(const struct strbuf *line, struct row *row, struct strbuf *why)
{
	struct json top, value;

	strbuf_addstr(why, "it is no sound JSON: ");
	if (json_parse(line->buf, line->len, &top, why) < 0)
		return -EINVAL;
	strbuf_reset(why);
	if (top.type != JSON_OBJECT) {
		strbuf_addstr(why, "it is not an object");
		return -EINVAL;
	}
	row_reset(row);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		bool there = json_member(top, fields[i].name, &value);

		if (there ? fields[i].take(row, value) : !fields[i].required)
			continue;
		if (there)
			strbuf_addf(why, "its %s is not %s", fields[i].name, fields[i].must_be);
		else
			strbuf_addf(why, "it has no %s", fields[i].name);
		return -EINVAL;
	}
	row->v.version = row->version.buf;
	row->v.pubspec = row->pubspec.buf;
	row->v.pubspec_len = row->pubspec.len;
	return 0;
}

static bool is_blank(const struct strbuf *line)
{
	return strspn(line->buf, " \t\r") == line->len;
}

static int load_line(struct db *db, const struct lines *lines, const struct strbuf *line,
		     struct row *row, bool replace, struct load_counts *counts)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(SHORT_TEXT_MAX);
	int r = parse_row(line, row, &why);

	if (r < 0)
		return fail(-EINVAL, "%s, line %llu: %s", lines_name(lines), lines_number(lines),
			    why.buf);
	r = db_put_version(db, row->package.buf, &row->v, replace);
	if (r == -EEXIST)
		return fail(r,
			    "%s, line %llu: %s %s is there already and differs; --replace takes"
			    " the side of the file",
			    lines_name(lines), lines_number(lines), row->package.buf,
			    row->v.version);
	if (r < 0)
		return r;
	counts->equal += r == 0;
	counts->added += r == 1;
	counts->replaced += r == 2;
	return 0;
}

static int load_lines(struct db *db, struct lines *lines, bool replace, struct load_counts *counts)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LOAD_LINE_MAX);
	CLEANUP(row_release)
	struct row row = {
		.package = STRBUF_INIT(SHORT_TEXT_MAX),
		.version = STRBUF_INIT(SHORT_TEXT_MAX),
		.pubspec = STRBUF_INIT(LOAD_LINE_MAX),
	};
	int r;

	while ((r = lines_next(lines, &line)) > 0) {
		if (is_blank(&line))
			continue;
		r = load_line(db, lines, &line, &row, replace, counts);
		if (r < 0)
			return r;
	}
	return r;
}

int load_file(struct db *db, const char *path, bool replace, struct load_counts *ret)
{
	CLEANUP(lines_close) struct lines *lines = NULL;
	struct load_counts counts = { 0 };
	int r = lines_open(path, &lines);

	if (r < 0)
		return r;
	r = db_begin(db);
	if (r < 0)
		return r;
	r = load_lines(db, lines, replace, &counts);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	r = db_commit(db);
	if (r < 0)
		return r;
	*ret = counts;
	return 0;
}

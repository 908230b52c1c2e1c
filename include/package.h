/* SPDX-License-Identifier: BSD-3-Clause */
/* package.h - the rows of the package database that an export needs (spec, section 2). */
#ifndef PUBFS_PACKAGE_H
#define PUBFS_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings are owned; NULL where the database has none. Times are UTC microseconds. */
struct package_version {
	char *version;
	char *pubspec; /* JSON text as stored */
	size_t pubspec_len;
	char *archive_sha256; /* hex as stored */
	int64_t created;
	bool retracted, moderated, deleted;

	/* not of the database, but found out by an export: */
	char *barred;	 /* why its archive cannot be copied; NULL: nothing is known against it */
	bool unservable; /* and no prefix has another one that clients could use */
};

struct advisory {
	char *id;
	char *osv; /* JSON text as stored */
	size_t osv_len;
	int64_t synced;
};

struct package {
	char *name;
	char *change; /* "<n>-<16 hex digits>" */
	int64_t created, updated;
	int64_t read; /* when it was, by the clock of the database */
	bool moderated, deleted, discontinued, unlisted;
	char *replaced_by, *latest_version, *publisher;
	bool has_latest_advisory, has_download_count;
	int64_t latest_advisory;
	int64_t likes, granted_points, max_points, download_count_30d;
	char *tags; /* JSON text as stored */
	size_t tags_len;
	struct package_version *versions; /* all rows, invisible ones too; in no order */
	size_t n_versions;
	struct advisory *advisories; /* ascending by id, byte order */
	size_t n_advisories;
};

void package_init(struct package *pkg);
void package_release(struct package *pkg);
void package_version_release(struct package_version *v);
void advisory_release(struct advisory *a);

/* Neither moderated nor deleted. */
bool package_is_visible(const struct package *pkg);
bool package_version_is_visible(const struct package_version *v);

/* The row of a version, visible or not; NULL: there is none. Borrowed. */
const struct package_version *package_find_version(const struct package *pkg, const char *version,
						   size_t len);

/* The same row, whatever an export found out of it. */
bool package_version_equal(const struct package_version *a, const struct package_version *b);

#endif

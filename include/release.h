/* SPDX-License-Identifier: BSD-3-Clause */
/* release.h - one package archive into the canonical store and the database (`pubfs publish`). */
#ifndef PUBFS_RELEASE_H
#define PUBFS_RELEASE_H

#include "compiler.h"

struct db;
struct store;
struct strbuf;

#define RELEASE_VERSIONS_MAX	 1000 /* of one package (spec, section 18) */
#define RELEASE_DEPENDENCIES_MAX 100

enum released {
	RELEASED_BEFORE,  /* the version is there with the same bytes: nothing was done */
	RELEASED_ADDED,	  /* a new version */
	RELEASED_ARCHIVE, /* the version was there, its archive missing or damaged: it is back */
};

/*
 * Reads the archive in `fd`, a regular file (`file` is its name in messages), takes name and
 * version from its pubspec, keeps the archive in the canonical store and then adds the row.
 * Appends "NAME VERSION" to `name` as soon as both are known; the answer is an enum released.
 * -EINVAL: refused, for what pub.dev would refuse (spec, sections 2, 6, 18); -EEXIST: the version
 * is there with other bytes; -EIO and what store and database answer. All said; after a failure
 * no row was added, and an archive that no row names may be left, which the next try replaces.
 */
int release_publish(struct db *db, struct store *archives, int fd, const char *file,
		    struct strbuf *name) MUST_CHECK;

#endif

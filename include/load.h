/* SPDX-License-Identifier: BSD-3-Clause */
/* load.h - versions in bulk, out of files of JSON lines, into the database (`pubfs load`). */
#ifndef PUBFS_LOAD_H
#define PUBFS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct db;

#define LOAD_LINE_MAX ((size_t)16 << 20) /* bytes; a pubspec is far below it (spec, section 18) */

struct load_counts {
	uint64_t added, replaced, equal; /* lines, each one version */
};

/*
 * Reads one file of JSON lines, gzip'ed or not, "-" being standard input: an object a line with
 * `package`, `version`, `published` (a time) and `pubspec` (an object), and if wanted
 * `archive_sha256`, `retracted`, `moderated`, `deleted`; other keys are ignored. Blank lines too.
 * All of the file is one transaction, in constant memory; other writers wait meanwhile.
 * -ENOENT, -EACCES, -EIO: it cannot be read; -EINVAL: a bad line; -EEXIST: a line differs from the
 * row that is there, and `replace` was not said. After a failure (said, with file and line)
 * nothing of the file is in the database.
 */
int load_file(struct db *db, const char *path, bool replace, struct load_counts *ret) MUST_CHECK;

#endif

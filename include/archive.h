/* SPDX-License-Identifier: BSD-3-Clause */
/* archive.h - what a package archive says of itself: its pubspec, and whether it is sound. */
#ifndef PUBFS_ARCHIVE_H
#define PUBFS_ARCHIVE_H

#include <stddef.h>

#include "compiler.h"

struct body;
struct strbuf;

#define PUBSPEC_YAML_MAX 131072 /* characters (spec, section 18) */

/*
 * Reads a gzip'ed tar in pieces and appends the text of the pubspec.yaml at its top (may be
 * NULL: only look). -EINVAL: not one, cut, a path that leaves the archive or is absolute, a link
 * that does, an entry that is neither file, folder nor symbolic link, no pubspec or two of them,
 * bytes other than zeros behind the last gzip member; `why` has one phrase. -E2BIG: the pubspec is
 * over the maximum of `pubspec`. -EIO: the body could not be read (said).
 */
int archive_pubspec(const struct body *body, struct strbuf *pubspec, struct strbuf *why) MUST_CHECK;

/* A new pubspec may have no alias (spec, section 18). One from before that rule is read by clients
 * all the same: whoever only looks at its name and version takes each alias for a null. */
enum yaml_aliases { YAML_ALIASES_REFUSED, YAML_ALIASES_NULL };

/*
 * YAML (1.2 core schema, one document, a mapping at the top) into compact JSON: keys in their
 * order; numbers, booleans and nulls by the core schema's rules; an int keeps its digits, octal
 * and hexadecimal (up to 64 bits) become decimal; a float gets its shortest form (spec, section
 * 4); a key is its text. -EINVAL: not YAML, an alias or anchor, a tag of another schema, a key that
 * is no scalar or stands twice, .inf or .nan or a float beyond a double, invalid UTF-8, NUL, deeper
 * than JSON_DEPTH_MAX; `why` has one phrase with the line. -E2BIG.
 */
int yaml_to_json(const char *text, size_t n, enum yaml_aliases aliases, struct strbuf *out,
		 struct strbuf *why) MUST_CHECK;

#endif

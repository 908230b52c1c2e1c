/* SPDX-License-Identifier: BSD-3-Clause */
/* catalog.h - the table of object kinds: which keys, which headers (spec, sections 3 and 10). */
#ifndef PUBFS_CATALOG_H
#define PUBFS_CATALOG_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

struct object;

enum kind {
	KIND_NONE,
	KIND_LISTING,
	KIND_ADVISORIES,
	KIND_ARCHIVE,
	KIND_LIKES,
	KIND_OPTIONS,
	KIND_PUBLISHER,
	KIND_SCORE,
	KIND_FEED, /* of one package */
	/* of a prefix, and of no package: */
	KIND_SITE_FEED,
	KIND_COMPLETION,
	KIND_NOT_FOUND,
	KIND_COUNT
};

/* What a key says. Slices of the key; empty where the kind has no such part. */
struct name_part {
	const char *text;
	size_t len;
};
struct object_name {
	enum kind kind;
	struct name_part prefix, package, version;
};

struct kind_info {
	const char *name; /* "listing" */
	const char *type, *cache_control;
	bool gzip;
	bool attachment; /* Content-Disposition with the file's name */
};

/* KIND_NONE: the export has no object of this name (the prefix is neither `latest` nor a runtime
 * version, the package's or version's grammar is broken, or it is something else altogether). */
enum kind catalog_match(const char *key, struct object_name *ret);
/* Of KIND_NONE: the name "none", no headers. */
const struct kind_info *catalog_info(enum kind kind);

/* Sets type, cache_control, disposition and gzip of `obj` as the kind (not KIND_NONE) has them. */
void catalog_headers(const struct object_name *name, struct object *obj);
/* True when type, cache_control and disposition are these; of KIND_NONE: when there are none. */
bool catalog_has_headers(const struct object_name *name, const struct object *obj);

/* Names (spec, section 2 and 14). */
bool catalog_is_package_name(const char *s, size_t n);
bool catalog_is_runtime_version(const char *s, size_t n);

/* The bounds of one document in memory. */
#define DOCUMENT_MAX ((size_t)256 << 20) /* decoded; a listing has no bound of its own (spec, 18) */
#define ARCHIVE_MAX  ((size_t)100 << 20) /* spec, section 18 */

#endif

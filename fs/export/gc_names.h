/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_names.h - which packages and versions the database has, and what of them is exported. */
#ifndef PUBFS_GC_NAMES_H
#define PUBFS_GC_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"

/* A set of names, 8 bytes of digest each: two that are the same by chance keep garbage, and that is
 * all. Added freely, then sealed once, then asked. */
struct gc_names {
	uint64_t *marks;
	size_t n, alloc;
	uint64_t packages; /* rows */
};
void gc_names_release(struct gc_names *names);

void gc_names_add_package(struct gc_names *names, const char *package);
void gc_names_add_version(struct gc_names *names, const char *package, const char *version);
/* The prefix has this package as its rows are. */
void gc_names_add_exported(struct gc_names *names, const char *prefix, const char *package);
void gc_names_seal(struct gc_names *names);

bool gc_names_have_package(const struct gc_names *names, const char *package);
bool gc_names_have_version(const struct gc_names *names, const char *package,
			   struct name_part version);
bool gc_names_have_any_version(const struct gc_names *names, const char *package);
bool gc_names_have_exported(const struct gc_names *names, const char *prefix, const char *package);

#endif

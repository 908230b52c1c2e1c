/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_world.h - a bucket with packages to be collected, for the tests of collecting. */
#ifndef PUBFS_TESTS_EXPORT_GC_WORLD_H
#define PUBFS_TESTS_EXPORT_GC_WORLD_H

#include "gc.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

#define OBJECTS 8 /* of a package with one version, in one prefix */

extern struct world w;
extern struct export_counts exported;
extern struct gc_counts counts;
extern struct gc_options options;

void gc_world_init(void);
void gc_world_release(void);

int collect(void);
/* From now on all that is there is old enough. */
void age(void);
/* Packages with one version each, exported, and then aged. */
void fill(const char *const *names);
void purge(const char *package);
void put(const char *key);
/* Nothing is written or removed by a collection that ends so. */
void expect_untouched(int result);

#endif

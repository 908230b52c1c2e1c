/* SPDX-License-Identifier: BSD-3-Clause */
/* world.h - a database, a canonical store and a bucket, for the tests of the export. */
#ifndef PUBFS_TESTS_EXPORT_WORLD_H
#define PUBFS_TESTS_EXPORT_WORLD_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive_make.h"
#include "compiler.h"
#include "export.h"
#include "gate.h"
#include "publish.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define RUNTIME	 "2026.08.18"
#define BASE_URL "https://pub.example.com"

/* What is written where nothing is there: of each package, and of a prefix (render.h, site.c). */
#define PACKAGE_DOCUMENTS 7
#define SITE_DOCUMENTS	  3
#define PREFIXES	  2
#define FIRST_WRITES(packages) (PREFIXES * ((packages)*PACKAGE_DOCUMENTS + SITE_DOCUMENTS))

/* counter > recorder > fault > the bucket is what the exporter sees; tests look at the bucket. */
struct world {
	struct store *bucket, *fault, *recorder, *counter;
	struct store *canonical, *canonical_counter;
	struct publisher *publisher;
	char folder[64];
	struct db *db;
	sqlite3 *sql; /* another connection, as another program would have */
	struct exporter_options options;
};

/* A link that notes each change in its order, and lets a test act in front of one, or of a read. */
int recorder_push(struct store *next, struct store **ret);
/* "write KEY\nremove KEY\n" since the last call; the caller frees it. */
char *recorder_take(struct store *recorder);
void recorder_before(struct store *recorder, void (*hook)(void *ctx), void *ctx);
void recorder_before_read(struct store *recorder, void (*hook)(void *ctx), void *ctx);

void world_init(struct world *w);
void world_release(struct world *w);
void world_remove_folder(const char *path);
/* The same database with an empty bucket. */
void world_empty_bucket(struct world *w);

/* Plain SQL, as any program may send it. */
void world_sql(struct world *w, const char *fmt, ...) PRINTF(2, 3);
/* A version with a pubspec of its own, and its archive in the canonical store. */
void world_add(struct world *w, const char *package, const char *version);
void world_add_row(struct world *w, const char *package, const char *version);
void world_add_archive(struct world *w, const char *package, const char *version);
/* A package whose only version no client could read. */
void world_add_broken(struct world *w, const char *package);
void world_add_advisory(struct world *w, const char *id, const char *package, const char *synced);

int world_export_all(struct world *w, struct export_counts *ret);
int world_export_changed(struct world *w, struct export_counts *ret);

/* A full pass that goes well, and leaves the bucket servable. */
void world_export_well(struct world *w, struct export_counts *ret);
/* The keys of the bucket, and the changes since recorder_take(), a line each; of the three routes
 * and of names that are no document's. details_test.c looks at the others. */
void world_expect_keys(struct world *w, const char *expected);
void world_expect_order(struct world *w, const char *expected);
/* Of lines that end in a key: those. The caller frees it. */
char *routes_of(const char *lines);
bool world_has_text(struct world *w, const char *key, const char *text);
/* One number out of the database. */
int64_t world_query(struct world *w, const char *sql);

/* Fails the test unless each listing is sound JSON, names no archive that is missing although the
 * canonical store has it, has versions, and is not ahead of its advisories. */
void world_expect_servable(struct world *w);
bool world_has(struct world *w, const char *key);
void world_stat(struct world *w, const char *key, struct object *ret);
/* The decoded text of an object. */
void world_read(struct world *w, const char *key, struct strbuf *out);
/* The keys of the bucket, a line each; the caller frees it. */
char *world_keys(struct world *w);
/* A body put there by another program, with these headers of ours. */
void world_put(struct world *w, const char *key, const char *text, const char *change);

/* An object as it is, with other stored bytes (NULL: the same) and changed metadata. */
void world_replace(struct world *w, const char *key, const struct strbuf *stored,
		   void (*change)(struct object *obj));
/* An object of no kind. */
void world_put_stray(struct world *w, const char *key);
/* A publisher for another chain. */
void world_use_publisher(struct world *w, struct store *store);

unsigned long counted(struct store *counter); /* all calls */
unsigned long counted_changes(struct store *counter);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* content.h - the decoded bytes of one generation, shared by all who read it. */
#ifndef PUBFS_CONTENT_H
#define PUBFS_CONTENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "body.h"
#include "compiler.h"

struct content;
struct contents; /* those in use */
struct object;
struct store;

/* Bodies up to here are held in memory while they are open; a larger document is decoded into a
 * temporary file, a larger archive is read in ranges. */
#define CONTENT_IN_MEMORY ((uint64_t)8 << 20)

/* Stored bodies that are kept after their last close, for the next reader. */
#define CONTENT_KEPT_MAX ((size_t)32 << 20)

/* Store and folder are borrowed. `kept_max`: bytes; CONTENT_KEPT_MAX, but in tests. */
struct contents *contents_new(struct store *store, const char *spool_dir, size_t kept_max);
void contents_free(struct contents *table);

/* Fetches it, unless someone has it open: then both share it. -ESTALE: this generation is not
 * there any more; -EIO: said. */
int content_open(struct contents *table, const struct object *obj, struct content **ret) MUST_CHECK;
/* One that someone has open, or NULL: it is not fetched any more. */
struct content *content_open_again(struct contents *table, const char *key, uint64_t generation);
/* The same, or one that somebody had open lately. */
struct content *content_open_kept(struct contents *table, const char *key, uint64_t generation);
void content_close(struct content *content);

uint64_t content_size(const struct content *content);
/* Bytes of that generation, or -EIO; short only at the end. */
ssize_t content_read(struct content *content, uint64_t offset, void *buf, size_t n) MUST_CHECK;
/* Borrows the content. -EIO: said. */
int content_body(struct content *content, struct body *ret) MUST_CHECK;

#endif

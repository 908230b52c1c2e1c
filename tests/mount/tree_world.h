/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_world.h - a tree over a store in memory, an index and a publisher, for tests. */
#ifndef PUBFS_TESTS_MOUNT_TREE_WORLD_H
#define PUBFS_TESTS_MOUNT_TREE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "store.h"
#include "store_links.h"
#include "tree.h"

#define LONG_TTL HOUR_US
#define LATEST	 "latest/api/packages/"

struct strbuf;

/* driver <- fault <- counter <- index: `store` is the whole chain, `counter` sees what is asked of
 * the store. An edit below the index is one by another host. */
struct world {
	char *home;
	struct store *driver, *fault, *counter, *store;
	struct publisher *publisher;
	struct tree_options options;
	struct tree *tree;
};

struct world world_make(int64_t ttl);
void world_remove(struct world *w);
/* The tree again, with other options. */
void world_remake(struct world *w);
/* Requests since the last call. */
unsigned long world_requests(struct world *w);

/* Writes below the gate; each returns the generation. */
uint64_t put_plain(struct store *s, const char *key, const void *bytes, size_t n);
uint64_t put_text(struct store *s, const char *key, const char *text);
/* A document as pubfs writes it, or, `foreign`, gzip without any custom key. */
uint64_t put_document(struct store *s, const char *key, const char *text, bool foreign);
void remove_key(struct store *s, const char *key);
/* 0: not there. */
uint64_t generation_of(struct store *s, const char *key);

/* A listing that clients can read; `extra`: text behind its members, or "". */
char *listing_text(const char *package, const char *extra);
/* The same with an archive_sha256 for the version 1.0.0. */
char *listing_with_hash(const char *package, const char *sha256);
/* A package archive that clients can read. */
void archive_bytes(const char *package, const char *version, struct strbuf *out);

/* 0 and a node that is forgotten again, or the error. */
int resolve(struct world *w, const char *path, struct node *ret);
/* The names in a folder, each followed by a space, a folder's with '/'. To be freed. */
char *names_in(struct world *w, const char *path);
/* Opens, reads all, closes. To be freed; NULL: `*ret_error` says why. */
char *read_path(struct world *w, const char *path, int *ret_error);
/* Opens or creates with these flags. */
int open_path(struct world *w, const char *path, int flags, struct file **ret);
int create_path(struct world *w, const char *path, int flags, mode_t mode, struct file **ret);
/* Opens with O_TRUNC, writes, flushes, closes: what `echo` does. */
int write_path(struct world *w, const char *path, const char *text);
int unlink_path(struct world *w, const char *path);
int mkdir_path(struct world *w, const char *path);
int rmdir_path(struct world *w, const char *path);
int rename_path(struct world *w, const char *from, const char *to, unsigned flags);
/* This process. */
struct caller this_caller(void);

#endif

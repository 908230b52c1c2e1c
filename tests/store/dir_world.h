/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_world.h - a `dir:` store in a temporary folder, for tests. */
#ifndef PUBFS_TESTS_STORE_DIR_WORLD_H
#define PUBFS_TESTS_STORE_DIR_WORLD_H

#include "compiler.h"
#include "store.h"

struct dir_world {
	char *home; /* the temporary folder, empty but for the store */
	char *root; /* HOME/bucket */
	char *url;
	struct store *store;
};

struct dir_world dir_world_make(void);
/* Closes the store and removes the folder, whatever lies in it. */
void dir_world_remove(struct dir_world *w);

/* Another handle on the same store. */
struct store *dir_world_open(const struct dir_world *w);
/* ROOT/<path>; the caller frees it. */
char *dir_world_path(const struct dir_world *w, const char *path) MUST_CHECK;
/* Writes a plain file there, in place, and makes no folder. */
void dir_world_write(const struct dir_world *w, const char *path, const char *text);
/* How many entries a folder has; -1: it is not there. */
int dir_world_count(const struct dir_world *w, const char *path);

#endif

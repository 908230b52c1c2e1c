/* SPDX-License-Identifier: BSD-3-Clause */
/* index_world.h - an index over a store in memory, and a link between that meddles. */
#ifndef PUBFS_TESTS_STORE_INDEX_WORLD_H
#define PUBFS_TESTS_STORE_INDEX_WORLD_H

#include <stddef.h>

#include "../../fs/store/index.h"
#include "compiler.h"
#include "store.h"

struct world;
typedef void meddle_fn(struct world *w);

/* index > counter > fault > meddler > mem */
struct world {
	char *cache;	       /* a folder of its own */
	struct store *mem;     /* what other hosts see and change */
	struct store *meddler, *fault, *counter;
	struct store *s;       /* the index: what this host uses */
	meddle_fn *before;     /* called before the next call that goes down, once */
	meddle_fn *after;      /* called when it was answered, before the answer goes up, once */
	size_t fail_behind;    /* a list fails when it has shown so many; 0: never */
	const char *hidden;    /* a list does not show this key; NULL: it shows all */
};

void world_open(struct world *w);
void world_close(struct world *w);
/* Makes the links and the index over w->mem. */
void world_push(struct world *w);
/* Closes the index alone, with the links, and opens both again over the same store. */
void world_reopen(struct world *w);
struct index *world_index(const struct world *w);

/* A path below the index's folder. To be freed. */
char *world_path(const struct world *w, const char *name);
/* Removes a folder and all below it. */
void remove_tree(const char *path);

/* Fails the test unless each sort of list, and stat, say what the store says. */
void expect_truth(struct world *w, const char *const *prefixes, size_t n);

/* The row of a key as it is kept; false: none. */
bool read_row(const struct world *w, const char *key, struct row *ret);
/* Changes what is kept of a top. */
void set_top(const struct world *w, const char *what, int64_t listed, int64_t took);

#endif

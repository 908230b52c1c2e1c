/* SPDX-License-Identifier: BSD-3-Clause */
/* driver.h - what drivers and links share below store.h. */
#ifndef PUBFS_STORE_DRIVER_H
#define PUBFS_STORE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "store.h"

/* The drivers. Their first argument is the URL behind its scheme. */
int mem_open(const char *name, enum store_mode mode, const struct store_options *options,
	     struct store **ret) MUST_CHECK;
int dir_open(const char *path, enum store_mode mode, const struct store_options *options,
	     struct store **ret) MUST_CHECK;
int gcs_open(const char *bucket, enum store_mode mode, const struct store_options *options,
	     struct store **ret) MUST_CHECK;

/* Makes `s` a link before `next`: it borrows what a link borrows. */
void link_init(struct store *s, const struct store_ops *ops, struct store *next);

/* 32 random hexadecimal digits, owned by the caller. */
char *identity_new(void);
/* Greater than `last`, and not behind the wall clock in microseconds. */
uint64_t generation_after(uint64_t last);

/* Looks at the source of an EDIT_COPY. -ENOENT: there is none. -ESTALE: another generation.
 * -EBADMSG: its MD5 is not the one that the edit names (said). */
int edit_source(const struct edit *e, struct object *ret) MUST_CHECK;
/* Gives `obj` what a store knows of bytes and generation; headers and custom keys stay. */
void object_set_facts(struct object *obj, const struct object *facts);
/* What the conditions say to the object that is there (NULL: none). 1: make the change; 0: it is a
 * removal of what is not there; -ESTALE. */
int edit_condition(const struct edit *e, const struct object *there);
/* True, with the result set, when an edit before edits[i] in its group failed. */
bool edit_canceled(struct edit *edits, size_t i);
/* What store_edit() returns: 0, or the first failure. */
int edit_result(const struct edit *edits, size_t n);

/* How many edits from `at` on are removals that stand alone in their groups, up to `most`. */
size_t lone_removals(const struct edit *edits, size_t n, size_t at, unsigned most);

/* True when an object of this generation (0: there is none) meets the condition. */
bool generation_meets(uint64_t generation, uint64_t if_generation);

/*
 * How far a listing folds `key`, which begins with `prefix`: the length of the key up to and with
 * the first '/' behind the prefix, or 0 when it is shown as it is.
 */
size_t key_folded(const char *key, const char *prefix);
/* True for a key that a listing of `prefix` shows in the place of all that begins with it. */
bool key_is_fold(const char *key, const char *prefix);

#endif

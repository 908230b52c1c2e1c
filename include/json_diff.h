/* SPDX-License-Identifier: BSD-3-Clause */
/* json_diff.h - where two JSON texts differ, and with which values. Pure. */
#ifndef PUBFS_JSON_DIFF_H
#define PUBFS_JSON_DIFF_H

#include "compiler.h"
#include "json.h"

/*
 * Called for each place with other values. `pointer` is a JSON pointer (RFC 6901), in which the
 * elements of an array of objects that all have another `version` (or `id`) are named by it, so
 * that one that is added moves no other. a or b NULL: it is not there. Not 0: ends it.
 */
typedef int json_diff_fn(void *ctx, const char *pointer, const struct json *a,
			 const struct json *b);

/* Places in the order of a, then those that only b has. Spelling, white space and the order of
 * members do not count; numbers are compared by their text. Returns what fn returned. */
int json_diff(struct json a, struct json b, json_diff_fn *fn, void *ctx) MUST_CHECK;

#endif

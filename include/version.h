/* SPDX-License-Identifier: BSD-3-Clause */
/* version.h - version texts: grammar, order, and which is latest (spec, section 6). Pure. */
#ifndef PUBFS_VERSION_H
#define PUBFS_VERSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

#define VERSION_TEXT_MAX 64

/* A parsed version; the slices point into the text it was read from. */
struct version {
	int64_t number[3];
	const char *pre, *build; /* behind '-' and '+'; NULL: none */
	size_t pre_len, build_len;
};

/* -EINVAL: not of the grammar. Does not ask for the canonical form, nor for a length. */
int version_parse(const char *text, size_t n, struct version *ret) MUST_CHECK;
/* True for a text that parses, is canonical and has 1 to 64 characters. */
bool version_is_canonical(const char *text, size_t n);

/* Ascending order of `versions` (build counts); < 0, 0, > 0. */
int version_compare(const struct version *a, const struct version *b);
/* The same, but every pre-release ranks below every release: for choosing latest alone. */
int version_compare_priority(const struct version *a, const struct version *b);

/* The lower bound of a constraint such as ">=2.12.0 <4.0.0", "^3.0.0", "3.1.0" or "any".
 * -ENOENT: it has none. -EINVAL: not a constraint. */
int version_lower_bound(const char *constraint, struct version *ret) MUST_CHECK;

bool version_constraint_is_any(const char *constraint);
/* Whether a constraint allows a version from major.0.0 on; "any" does, what is none does not. */
bool version_constraint_reaches(const char *constraint, int64_t major);

/* One visible version, in ascending order of the array that it stands in. */
struct candidate {
	struct version version;
	bool retracted;
	bool needs_newer_sdk; /* than the stable one */
};
/* The index of the latest by the rule of section 6, computed as [S] says there. n > 0. */
size_t version_latest(const struct candidate *candidates, size_t n);

#endif

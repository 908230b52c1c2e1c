/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_plan.h - what is garbage, and how much of it may go at once. Pure. */
#ifndef PUBFS_GC_PLAN_H
#define PUBFS_GC_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brake.h"
#include "codec.h"
#include "compiler.h"

struct gc_names;
struct names;
struct object;
struct strbuf;
struct survey;

#define STRAY_AGE (12 * DAY_US) /* of `validated` (spec, section 14) */

enum gc_fate { GC_KEPT, GC_WAITS, GC_REPORTED, GC_REMOVED };

struct gc_ruling {
	enum gc_fate fate;
	const char *why; /* a constant */
};

struct gc_policy {
	int64_t now, min_age; /* microseconds */
	const char *own;
	const char *limit; /* the last accepted runtime version; NULL: no prefix is old */
	const struct names *used; /* runtime versions that are accepted, or live; sorted */
};

/* What lies at the top: a prefix (its name without a slash), or an object. */
struct gc_ruling gc_rule_top(const struct gc_policy *pol, const char *name, bool is_prefix);

/* False: it lies where the package's archives do, and is none, so it stays whatever becomes of the
 * package. Of one that is not in the database all else goes, known or not. */
bool gc_is_of_package(const char *key, const char *package);

/*
 * Each object of a package in one prefix (spec, sections 11, 14 and 20), or of no package (package
 * NULL). While the listing of a package that is not in the database is too young to go, its other
 * objects wait with it: no listing names an archive that is gone.
 */
void gc_rule_package(const struct gc_policy *pol, const struct gc_names *names, const char *prefix,
		     const char *package, const struct survey *have, struct gc_ruling *ret);

/* What is removed, or held, as one. */
enum gc_lot_kind {
	GC_LOT_PACKAGE,	 /* of a package that is not in the database */
	GC_LOT_ARCHIVES, /* of one that is, the archives of versions that are not */
	GC_LOT_PREFIX,	 /* all of an old prefix */
};

struct gc_lot {
	enum gc_lot_kind kind;
	char *prefix, *package; /* owned; package NULL: GC_LOT_PREFIX */
	unsigned char digest[SHA256_SIZE]; /* of the objects to be removed, as they were judged */
	uint64_t objects;
	uint64_t archives; /* GC_LOT_ARCHIVES: that the package has in this prefix */
	bool held;
};

/* A prefix in which deleted packages are collected. */
struct gc_prefix {
	const char *name;
	uint64_t present, known; /* packages of which something is there; those of the database */
	int64_t newest;		 /* microseconds, the last change of any object; NO_TIME: none */
};

#define GC_PREFIXES_MAX 2

struct gc_plan {
	struct gc_lot *lots;
	size_t n, alloc;
	struct gc_prefix prefixes[GC_PREFIXES_MAX];
	size_t n_prefixes;
	uint64_t rows; /* packages in the database */
};
/* An empty one. */
struct gc_lot *gc_plan_add(struct gc_plan *plan, enum gc_lot_kind kind, const char *prefix,
			   const char *package);
void gc_plan_release(struct gc_plan *plan);

/*
 * Sets what is held of the plan. `before` are the items of the plan that was held last: one of them
 * that is still too much is released with `release`, else held again, and not counted; what is left
 * is judged by itself. `ret` gets the items that are held now; true: something is held, and `why`
 * was appended.
 */
bool gc_plan_judge(struct gc_plan *plan, const struct brake_limit *removals, int64_t now,
		   const struct names *before, bool release, struct names *ret,
		   struct strbuf *why);

#endif

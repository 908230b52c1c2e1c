/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gc_plan.c - what is garbage, and how much of it may go at once (spec, 11, 14, 15 and 20).
 *
 * An object is removed for one of three reasons, and for no other: its prefix is old, its package
 * is not in the database, or its version is not, and no listing names it any more. All that looks
 * strange besides is reported. The brake then looks at the plan as a whole.
 */
#include "gc_plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "gc_names.h"
#include "memory.h"
#include "names.h"
#include "object.h"
#include "strbuf.h"
#include "survey.h"

#define SAID_MAX    3  /* packages whose archives are held by themselves; others are counted */
#define ITEM_DIGITS 32 /* of the digest: enough that no other plan has it */

/* What stays whatever its number says. */
static bool is_in_use(const struct gc_policy *pol, const char *prefix)
{
	return !strcmp(prefix, "latest") || !strcmp(prefix, pol->own) ||
	       names_have(pol->used, prefix);
}

struct gc_ruling gc_rule_top(const struct gc_policy *pol, const char *name, bool is_prefix)
{
	static const struct gc_ruling kept = { GC_KEPT, NULL };
	static const struct gc_ruling old = { GC_REMOVED, "its runtime version is older than the "
							  "last accepted one" };

	if (!is_prefix)
		return (struct gc_ruling){ GC_REPORTED, "it lies in no prefix" };
	if (is_in_use(pol, name))
		return kept;
	if (!catalog_is_runtime_version(name, strlen(name)))
		return (struct gc_ruling){ GC_REPORTED, "it is no prefix of the export" };
	if (pol->limit && strcmp(name, pol->limit) < 0)
		return old;
	return kept;
}

static struct gc_ruling rule_age(const struct gc_policy *pol, const struct object *obj,
				 const char *why)
{
	bool old = pol->now - obj->updated > pol->min_age;

	return (struct gc_ruling){ old ? GC_REMOVED : GC_WAITS, why };
}

static struct gc_ruling rule_stray(const struct gc_policy *pol, const struct object *obj)
{
	if (obj->validated == NO_TIME)
		return (struct gc_ruling){ GC_REPORTED, "it was never validated" };
	if (pol->now - obj->validated > STRAY_AGE)
		return (struct gc_ruling){ GC_REPORTED, "it was not validated for 12 days" };
	return (struct gc_ruling){ GC_KEPT, NULL };
}

/* What stands behind the package's name and the dash; NULL: it is no archive's key. */
static const char *version_in_key(const char *key, const char *package)
{
	static const char folder[] = "/api/archives/";
	const char *at = strchr(key, '/');

	if (!at || strncmp(at, folder, strlen(folder)) != 0)
		return NULL;
	return at + strlen(folder) + strlen(package) + 1;
}

/* Of a package that the database has. */
static struct gc_ruling rule_version(const struct gc_policy *pol, const struct gc_names *names,
				     const char *prefix, const char *package,
				     const struct object *obj)
{
	struct object_name name;

	if (catalog_match(obj->key, &name) != KIND_ARCHIVE)
		return (struct gc_ruling){ GC_REPORTED, "no version has such an archive" };
	if (gc_names_have_version(names, package, name.version) ||
	    !gc_names_have_any_version(names, package)) /* then nothing is known of its versions */
		return rule_stray(pol, obj);
	if (!gc_names_have_exported(names, prefix, package))
		return (struct gc_ruling){ GC_WAITS, "its package is not exported as it is now" };
	return rule_age(pol, obj, "its version is not in the database");
}

bool gc_is_of_package(const char *key, const char *package)
{
	static const char end[] = ".tar.gz";
	const char *version = version_in_key(key, package);
	size_t n = version ? strlen(version) : 0;

	return !version || (n >= strlen(end) && !strcmp(version + n - strlen(end), end));
}

static struct gc_ruling rule_object(const struct gc_policy *pol, const struct gc_names *names,
				    const char *prefix, const char *package,
				    const struct object *obj)
{
	const char *version;

	if (!package)
		return rule_stray(pol, obj);
	if (!gc_is_of_package(obj->key, package))
		return (struct gc_ruling){ GC_REPORTED, "it is no archive" };
	version = version_in_key(obj->key, package);
	if (!gc_names_have_package(names, package))
		return rule_age(pol, obj, "its package is not in the database");
	return version ? rule_version(pol, names, prefix, package, obj) : rule_stray(pol, obj);
}

void gc_rule_package(const struct gc_policy *pol, const struct gc_names *names, const char *prefix,
		     const char *package, const struct survey *have, struct gc_ruling *ret)
{
	bool young_listing = false;

	for (size_t i = 0; i < have->n; i++) {
		struct object_name name;

		ret[i] = rule_object(pol, names, prefix, package, &have->objects[i]);
		young_listing |= ret[i].fate == GC_WAITS &&
				 catalog_match(have->objects[i].key, &name) == KIND_LISTING;
	}
	for (size_t i = 0; young_listing && i < have->n; i++)
		if (ret[i].fate == GC_REMOVED)
			ret[i] = (struct gc_ruling){ GC_WAITS, "its listing is too young to go" };
}

struct gc_lot *gc_plan_add(struct gc_plan *plan, enum gc_lot_kind kind, const char *prefix,
			   const char *package)
{
	struct gc_lot *lot;

	GROW(plan->lots, plan->n, plan->alloc);
	lot = &plan->lots[plan->n++];
	*lot = (struct gc_lot){ .kind = kind,
				.prefix = xstrdup(prefix),
				.package = xstrdup_or_null(package) };
	return lot;
}

void gc_plan_release(struct gc_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->lots[i].prefix);
		free(plan->lots[i].package);
	}
	free(plan->lots);
	*plan = (struct gc_plan){ 0 };
}

/* One plan under judgement. */
struct judging {
	struct gc_plan *plan;
	const struct brake_limit *removals;
	int64_t now;
	bool *known; /* of each lot: it was held before, and so is not counted */
	struct strbuf *why;
};

static void add_why(struct judging *j, const char *fmt, ...) PRINTF(2, 3);
static void add_why(struct judging *j, const char *fmt, ...)
{
	va_list ap;

	strbuf_addstr(j->why, j->why->len ? "; " : "held: ");
	va_start(ap, fmt);
	strbuf_vaddf(j->why, fmt, ap);
	va_end(ap);
}

/* prefix NULL: any; a bit of kinds for each kind that is meant. */
static void hold_lots(struct judging *j, const char *prefix, unsigned kinds)
{
	for (size_t i = 0; i < j->plan->n; i++) {
		struct gc_lot *lot = &j->plan->lots[i];

		if (!j->known[i] && kinds & (1u << lot->kind) &&
		    (!prefix || !strcmp(prefix, lot->prefix)))
			lot->held = true;
	}
}

#define EVERY_KIND ((1u << GC_LOT_PACKAGE) | (1u << GC_LOT_ARCHIVES) | (1u << GC_LOT_PREFIX))
#define AGED_KINDS ((1u << GC_LOT_PACKAGE) | (1u << GC_LOT_ARCHIVES))

static void judge_database(struct judging *j)
{
	const struct gc_plan *plan = j->plan;
	bool empty = !plan->n;

	for (size_t k = 0; k < plan->n_prefixes; k++)
		empty &= !plan->prefixes[k].present;
	if (!plan->rows && !empty) {
		add_why(j, "the database has no package at all, but the bucket has some");
		hold_lots(j, NULL, EVERY_KIND);
		return;
	}
	for (size_t k = 0; k < plan->n_prefixes; k++) {
		const struct gc_prefix *p = &plan->prefixes[k];

		if (!brake_holds_strangers(p->present, p->known))
			continue;
		add_why(j,
			"the database knows %" PRIu64 " of the %" PRIu64 " packages in %s/, so it "
			"is another registry's, or has lost most of its own",
			p->known, p->present, p->name);
		hold_lots(j, NULL, EVERY_KIND);
	}
}

/* True: something new goes by its age. */
static bool has_aged(const struct judging *j)
{
	for (size_t i = 0; i < j->plan->n; i++)
		if (!j->known[i] && AGED_KINDS & (1u << j->plan->lots[i].kind))
			return true;
	return false;
}

static void judge_clock(struct judging *j)
{
	CLEANUP(strbuf_release) struct strbuf now = STRBUF_INIT(64), last = STRBUF_INIT(64);
	int64_t newest = NO_TIME;

	for (size_t k = 0; k < j->plan->n_prefixes; k++)
		if (j->plan->prefixes[k].newest > newest)
			newest = j->plan->prefixes[k].newest;
	if (!has_aged(j) || !brake_holds_clock(j->now, newest))
		return;
	clock_format(j->now, &now);
	clock_format(newest, &last);
	add_why(j,
		"by the clock it is %s, but the bucket was last changed at %s: the clock is wrong, "
		"or the bucket has to be synced first",
		now.buf, last.buf);
	hold_lots(j, NULL, AGED_KINDS);
}

static void judge_packages(struct judging *j, const struct gc_prefix *p)
{
	uint64_t removed = 0;

	for (size_t i = 0; i < j->plan->n; i++)
		removed += !j->known[i] && j->plan->lots[i].kind == GC_LOT_PACKAGE &&
			   !strcmp(j->plan->lots[i].prefix, p->name);
	if (!brake_holds_removals(j->removals, p->present, removed))
		return;
	add_why(j, "%" PRIu64 " of the %" PRIu64 " packages in %s/ would be removed", removed,
		p->present, p->name);
	hold_lots(j, p->name, 1u << GC_LOT_PACKAGE);
}

static void judge_archives(struct judging *j)
{
	uint64_t held = 0;

	for (size_t i = 0; i < j->plan->n; i++) {
		struct gc_lot *lot = &j->plan->lots[i];

		if (j->known[i] || lot->kind != GC_LOT_ARCHIVES ||
		    !brake_holds_archives(lot->archives, lot->objects))
			continue;
		if (held++ < SAID_MAX)
			add_why(j,
				"%" PRIu64 " of the %" PRIu64 " archives of %s in %s/ would be "
				"removed",
				lot->objects, lot->archives, lot->package, lot->prefix);
		lot->held = true;
	}
	if (held > SAID_MAX)
		add_why(j, "and so would those of %" PRIu64 " more", held - SAID_MAX);
}

static char *item_of(const struct gc_lot *lot)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(lot->digest, SHA256_SIZE, hex);
	return xasprintf("%s %s%s%s %.*s", lot->kind == GC_LOT_ARCHIVES ? "archives" : "remove",
			 lot->prefix, lot->package ? " " : "/", lot->package ? lot->package : "",
			 ITEM_DIGITS, hex);
}

/* Of the lots that are not known, holds what is too much. */
static void judge(struct judging *j)
{
	judge_database(j);
	judge_clock(j);
	for (size_t k = 0; k < j->plan->n_prefixes; k++)
		judge_packages(j, &j->plan->prefixes[k]);
	judge_archives(j);
}

/* Sets `known` of what was held before, and would be held again if it came today; says why. */
static void find_known(struct judging *j, const struct names *before, struct strbuf *why)
{
	struct judging all = *j;

	for (size_t i = 0; i < j->plan->n; i++)
		j->plan->lots[i].held = false;
	all.why = why;
	judge(&all);
	for (size_t i = 0; i < j->plan->n; i++) {
		CLEANUP(free_char) char *item = item_of(&j->plan->lots[i]);

		j->known[i] = j->plan->lots[i].held && names_have(before, item);
		j->plan->lots[i].held = false;
	}
}

bool gc_plan_judge(struct gc_plan *plan, const struct brake_limit *removals, int64_t now,
		   const struct names *before, bool release, struct names *ret, struct strbuf *why)
{
	struct judging j = { .plan = plan, .removals = removals, .now = now, .why = why };
	CLEANUP(strbuf_release) struct strbuf why_all = STRBUF_INIT(why->max);
	bool only_known = plan->n || release;

	j.known = xcalloc(plan->n + 1, sizeof(*j.known));
	find_known(&j, before, &why_all);
	for (size_t i = 0; i < plan->n; i++)
		only_known &= j.known[i];
	if (!only_known)
		judge(&j);
	for (size_t i = 0; i < plan->n; i++) {
		CLEANUP(free_char) char *item = item_of(&plan->lots[i]);

		plan->lots[i].held |= j.known[i] && !release;
		if (plan->lots[i].held)
			names_add(ret, item);
	}
	free(j.known);
	names_sort(ret);
	if (ret->n && !why->len)
		strbuf_addstr(why, why_all.buf);
	return why->len;
}

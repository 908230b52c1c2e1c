/* SPDX-License-Identifier: BSD-3-Clause */
/* later.c - packages that failed, which event passes pass over for a while. */
#include "later.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void entry_release(struct later_entry *e)
{
	free(e->package);
	free(e->change);
	free(e->why);
}

void later_release(struct later *l)
{
	for (size_t i = 0; i < l->n; i++)
		entry_release(&l->entries[i]);
	free(l->entries);
	*l = (struct later){ .n = 0 };
}

static size_t find(const struct later *l, const char *package, bool *ret_there)
{
	return names_place(l->entries, l->n, sizeof(*l->entries), package, ret_there);
}

static struct later_entry *put(struct later *l, const char *package)
{
	bool there;
	size_t at = find(l, package, &there);

	if (!there) {
		GROW(l->entries, l->n, l->alloc);
		memmove(l->entries + at + 1, l->entries + at, (l->n - at) * sizeof(*l->entries));
		l->n++;
		l->entries[at] = (struct later_entry){ .package = xstrdup(package) };
	}
	return &l->entries[at];
}

bool later_holds(const struct later *l, const char *package, const char *change, int64_t now)
{
	bool there;
	size_t at = find(l, package, &there);
	const struct later_entry *e = &l->entries[at];

	return there && now < e->until && (!e->change || !strcmp(e->change, change));
}

void later_failed(struct later *l, const char *package, const char *change, const char *why,
		  int64_t now)
{
	struct later_entry *e = put(l, package);
	int64_t delay = LATER_FAILED;

	for (unsigned i = 0; i < e->attempts && delay < LATER_MAX; i++)
		delay *= 2;
	e->until = now + (delay < LATER_MAX ? delay : LATER_MAX);
	e->attempts++;
	free(e->change);
	free(e->why);
	e->change = xstrdup_or_null(change);
	e->why = xstrdup(why);
}

void later_forget(struct later *l, const char *package)
{
	bool there;
	size_t at = find(l, package, &there);

	if (!there)
		return;
	entry_release(&l->entries[at]);
	l->n--;
	memmove(l->entries + at, l->entries + at + 1, (l->n - at) * sizeof(*l->entries));
}

void later_keep(struct later *l, const struct names *packages)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!names_have(packages, l->entries[i].package))
			entry_release(&l->entries[i]);
		else
			l->entries[kept++] = l->entries[i];
	l->n = kept;
}

void later_set(struct later *l, const struct names *packages, int64_t until)
{
	for (size_t i = 0; i < packages->n; i++) {
		bool there;
		size_t at = find(l, packages->names[i], &there);

		if (there)
			l->entries[at].until = until;
	}
}

void later_due(const struct later *l, int64_t now, struct names *ret)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entries[i].until <= now)
			names_add(ret, l->entries[i].package);
}

int64_t later_next(const struct later *l)
{
	int64_t next = LATER_NEVER;

	for (size_t i = 0; i < l->n; i++)
		if (l->entries[i].until < next)
			next = l->entries[i].until;
	return next;
}

const struct later_entry *later_failure(const struct later *l, size_t i)
{
	return i < l->n ? &l->entries[i] : NULL;
}

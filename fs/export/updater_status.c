/* SPDX-License-Identifier: BSD-3-Clause */
/* updater_status.c - what the status of an updater holds: how each pass adds to it, and copies. */
#include "updater_status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "exporter.h"
#include "log.h"
#include "memory.h"

static void packages_release(struct updater_packages *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->packages[i].name);
		free(p->packages[i].why);
	}
	free(p->packages);
	*p = (struct updater_packages){ .n = 0 };
}

/* Beyond the first ones they are only counted. */
static void packages_add(struct updater_packages *p, const char *name, const char *why,
			 unsigned attempts, int64_t next_try)
{
	if (p->all++ >= UPDATER_NAMES_MAX)
		return;
	p->packages = xrealloc(p->packages, (p->n + 1) * sizeof(*p->packages));
	p->packages[p->n++] = (struct updater_package){ xstrdup(name), xstrdup_or_null(why),
							attempts, next_try };
}

static void packages_copy(const struct updater_packages *from, struct updater_packages *to)
{
	*to = (struct updater_packages){ .n = 0 };
	for (size_t i = 0; i < from->n; i++) {
		const struct updater_package *p = &from->packages[i];

		packages_add(to, p->name, p->why, p->attempts, p->next_try);
	}
	to->all = from->all;
}

static void counts_add(struct export_counts *to, const struct export_counts *from)
{
	to->packages += from->packages;
	to->current += from->current;
	to->written += from->written;
	to->copied += from->copied;
	to->touched += from->touched;
	to->removed += from->removed;
	to->failed += from->failed;
	to->held += from->held;
	to->left += from->left;
	to->left_out += from->left_out;
	to->no_archive += from->no_archive;
	to->garbage += from->garbage;
	takedowns_add(&to->takedowns, &from->takedowns);
}

void updater_status_add(struct updater_status *s, const struct export_counts *counts)
{
	s->last_pass = clock_now();
	s->passes++;
	counts_add(&s->total, counts);
}

static char *describe(int r, const struct export_counts *counts, const char *why)
{
	if (counts->held)
		return xasprintf("%" PRIu64 " packages are held (.pubfs/held)", counts->held);
	if (counts->failed)
		return xasprintf("%" PRIu64 " packages could not be exported", counts->failed);
	if (counts->left_out)
		return xasprintf("%" PRIu64 " versions were left out", counts->left_out);
	return r < 0 ? xstrdup(why ? why : log_last_failure()) : NULL;
}

void updater_status_set_result(struct updater_status *s, int r, const struct export_counts *counts,
			       const char *why)
{
	/* an event pass passes by what is held already */
	s->last_result = !r && counts->held ? -ECANCELED : r;
	free(s->last_error);
	s->last_error = describe(r, counts, why);
}

void updater_status_set_packages(struct updater_status *s, const struct exporter *ex,
				 const char *latest)
{
	int64_t to_wall = clock_now() - exporter_now(ex);
	struct export_failure failure;
	char *const *left;
	size_t n = exporter_left(ex, &left);

	packages_release(&s->failing);
	for (size_t i = 0; exporter_failure(ex, i, &failure); i++)
		packages_add(&s->failing, failure.package, failure.why, failure.attempts,
			     to_wall + failure.due);
	packages_release(&s->waiting);
	for (size_t i = 0; i < n; i++)
		packages_add(&s->waiting, left[i], NULL, 0, 0);
	free(s->latest);
	s->latest = xstrdup_or_null(latest);
}

void updater_status_copy(const struct updater_status *from, struct updater_status *ret)
{
	*ret = *from;
	ret->last_error = xstrdup_or_null(from->last_error);
	ret->latest = xstrdup_or_null(from->latest);
	packages_copy(&from->failing, &ret->failing);
	packages_copy(&from->waiting, &ret->waiting);
}

void updater_status_release(struct updater_status *status)
{
	free(status->last_error);
	free(status->latest);
	packages_release(&status->failing);
	packages_release(&status->waiting);
	status->last_error = status->latest = NULL;
}

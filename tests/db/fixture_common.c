/* SPDX-License-Identifier: BSD-3-Clause */
/* fixture_common.c - the part of fixture.h that is the same for every database. */
#include "fixture.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"

void world_make_dir(struct world *w)
{
	const char *tmp = getenv("TMPDIR");

	*w = (struct world){ 0 };
	snprintf(w->dir, sizeof(w->dir), "%s/pubfs-db-XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(w->dir));
}

char *statement_text(const char *text, va_list ap)
{
	char *ret = NULL;

	cr_assert_geq(vasprintf(&ret, text, ap), 0);
	return ret;
}

int count_of(struct world *w, const char *package)
{
	const char *change =
		ask(w, "SELECT change FROM package_change WHERE package = '%s'", package);
	const char *dash = strchr(change, '-');

	if (!*change)
		return 0;
	cr_assert(dash && strlen(dash + 1) == 16 && strspn(dash + 1, "0123456789abcdef") == 16 &&
			  strspn(change, "0123456789") == (size_t)(dash - change),
		  "%s", change);
	return atoi(change);
}

bool said(const char *word, ...)
{
	bool all = true;
	va_list ap;

	va_start(ap, word);
	for (; word; word = va_arg(ap, const char *))
		all = all && strstr(log_last_failure(), word);
	va_end(ap);
	return all;
}

struct package_version version_row(const char *version, const char *pubspec, int64_t created)
{
	return (struct package_version){
		.version = xstrdup(version),
		.pubspec = xstrdup(pubspec),
		.pubspec_len = strlen(pubspec),
		.created = created,
	};
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* package.c - a package as it was read: its memory, and whether the rules call it visible. */
#include "package.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void package_init(struct package *pkg)
{
	*pkg = (struct package){ 0 };
}

void package_version_release(struct package_version *v)
{
	free(v->version);
	free(v->pubspec);
	free(v->archive_sha256);
	free(v->barred);
	*v = (struct package_version){ 0 };
}

void advisory_release(struct advisory *a)
{
	free(a->id);
	free(a->osv);
	*a = (struct advisory){ 0 };
}

void package_release(struct package *pkg)
{
	for (size_t i = 0; i < pkg->n_versions; i++)
		package_version_release(&pkg->versions[i]);
	for (size_t i = 0; i < pkg->n_advisories; i++)
		advisory_release(&pkg->advisories[i]);
	free(pkg->versions);
	free(pkg->advisories);
	free(pkg->name);
	free(pkg->change);
	free(pkg->replaced_by);
	free(pkg->latest_version);
	free(pkg->publisher);
	free(pkg->tags);
	package_init(pkg);
}

bool package_is_visible(const struct package *pkg)
{
	return !pkg->moderated && !pkg->deleted;
}

bool package_version_is_visible(const struct package_version *v)
{
	return !v->moderated && !v->deleted;
}

const struct package_version *package_find_version(const struct package *pkg, const char *version,
						   size_t len)
{
	for (size_t i = 0; i < pkg->n_versions; i++) {
		const struct package_version *v = &pkg->versions[i];

		if (strlen(v->version) == len && !memcmp(v->version, version, len))
			return v;
	}
	return NULL;
}

bool package_version_equal(const struct package_version *a, const struct package_version *b)
{
	return a->created == b->created && a->retracted == b->retracted &&
	       a->moderated == b->moderated && a->deleted == b->deleted &&
	       a->pubspec_len == b->pubspec_len &&
	       !memcmp(a->pubspec, b->pubspec, a->pubspec_len) &&
	       same_text(a->archive_sha256, b->archive_sha256);
}

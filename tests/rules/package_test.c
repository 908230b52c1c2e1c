/* SPDX-License-Identifier: BSD-3-Clause */
/* package_test.c - what is visible, and that a released package can be used again. */
#include <criterion/criterion.h>

#include "compiler.h"
#include "memory.h"
#include "package.h"

Test(package, visible_is_what_is_neither_moderated_nor_deleted)
{
	static const struct {
		bool moderated, deleted, visible;
	} rows[] = {
		{ false, false, true },
		{ true, false, false },
		{ false, true, false },
		{ true, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct package pkg = { .moderated = rows[i].moderated,
				       .deleted = rows[i].deleted };
		struct package_version v = { .moderated = rows[i].moderated,
					     .deleted = rows[i].deleted,
					     .retracted = true };

		cr_assert_eq(package_is_visible(&pkg), rows[i].visible, "row %zu", i);
		cr_assert_eq(package_version_is_visible(&v), rows[i].visible, "row %zu", i);
	}
}

Test(package, release_leaves_an_empty_package)
{
	struct package pkg;

	package_init(&pkg);
	pkg.name = xstrdup("http");
	pkg.versions = xcalloc(1, sizeof(*pkg.versions));
	pkg.versions[0].version = xstrdup("1.0.0");
	pkg.n_versions = 1;
	pkg.advisories = xcalloc(1, sizeof(*pkg.advisories));
	pkg.advisories[0].id = xstrdup("GHSA-1");
	pkg.n_advisories = 1;
	package_release(&pkg);
	cr_assert_null(pkg.name);
	cr_assert_null(pkg.versions);
	cr_assert_eq(pkg.n_versions, 0);
	cr_assert_eq(pkg.n_advisories, 0);
	package_release(&pkg);
}

Test(package, a_version_is_found_by_all_of_its_text)
{
	struct package_version rows[] = { { .version = (char[]){ "1.0.0" } },
					  { .version = (char[]){ "1.0.0+1" }, .moderated = true } };
	const struct package pkg = { .versions = rows, .n_versions = 2 };

	cr_assert_eq(package_find_version(&pkg, "1.0.0+1.tar.gz", 7), &rows[1]);
	cr_assert_eq(package_find_version(&pkg, "1.0.0+1.tar.gz", 5), &rows[0]);
	cr_assert_null(package_find_version(&pkg, "1.0.0+1.tar.gz", 6));
	cr_assert_null(package_find_version(&pkg, "1.0.1", 5));
}

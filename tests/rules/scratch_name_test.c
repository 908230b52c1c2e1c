/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch_name_test.c - which names are for a moment only. */
#include "scratch_name.h"

#include <criterion/criterion.h>

#include "compiler.h"
#include "memory.h"

Test(scratch_name, what_tools_make_beside_a_file_is_known_by_its_name_alone)
{
	static const struct {
		const char *name;
		bool scratch;
	} rows[] = {
		{ ".http.Xa3dZ9", true }, /* rsync */
		{ ".http.swp", true },	  /* vim */
		{ ".x", true },
		{ "http~", true },
		{ "http.tmp", true },
		{ "http.new", true },
		{ "http.part", true },
		{ "http.bak", true },
		{ "http.orig", true },
		{ "http.swp", true },
		{ "tmp.aB3dE6gH9k", true }, /* mktemp */
		{ "foo-1.0.0.tar.gz.part", true },
		{ "http", false },
		{ "http.d", false },
		{ "tmp", false },
		{ "tmphttp", false },
		{ "http.tmpx", false },
		{ "httptmp", false },
		{ "~http", false },
		{ "~", false },
		{ "http.TMP", false },
		{ "http.rej", false },
		{ "4913", false }, /* vim's probe: where it is refused, vim writes in place */
		{ "foo-1.0.0-dev.tmp.tar.gz", false },
		{ "sedXaB3d9", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(scratch_name_matches(rows[i].name, false, 0), rows[i].scratch, "%s",
			     rows[i].name);
		cr_expect_eq(scratch_name_matches(rows[i].name, true, 0644), rows[i].scratch, "%s",
			     rows[i].name);
	}
}

Test(scratch_name, what_sed_makes_is_known_by_the_way_it_is_created)
{
	static const struct {
		const char *name;
		bool exclusive;
		mode_t mode;
		bool scratch;
	} rows[] = {
		{ "sedXaB3d9", true, 0600, true },   { "sed000000", true, 0100600, true },
		{ "sedXaB3d9", false, 0600, false }, { "sedXaB3d9", true, 0644, false },
		{ "sedXaB3d9", true, 0700, false },  { "sedXaB3d", true, 0600, false },
		{ "sedXaB3d90", true, 0600, false }, { "sedXaB_d9", true, 0600, false },
		{ "SedXaB3d9", true, 0600, false },  { "http", true, 0600, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_expect_eq(scratch_name_matches(rows[i].name, rows[i].exclusive, rows[i].mode),
			     rows[i].scratch, "%s %o", rows[i].name, (unsigned)rows[i].mode);
}

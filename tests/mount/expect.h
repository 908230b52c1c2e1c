/* SPDX-License-Identifier: BSD-3-Clause */
/* expect.h - what tests say of a tree in Criterion's words; tree_world.h has none of these. */
#ifndef PUBFS_TESTS_MOUNT_EXPECT_H
#define PUBFS_TESTS_MOUNT_EXPECT_H

#include <criterion/criterion.h>

#include "compiler.h"
#include "memory.h"
#include "tree_world.h"

/* As names_in() gives them. */
static inline void expect_names(struct world *w, const char *path, const char *expected)
{
	CLEANUP(free_char) char *names = names_in(w, path);

	cr_assert_str_eq(names, expected);
}

#endif

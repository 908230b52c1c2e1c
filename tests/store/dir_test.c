/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_test.c - the `dir:` store: the suite, its folder, lost attributes, damaged bytes. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "dir_world.h"
#include "memory.h"

#define X(check)                                                                                   \
	Test(dir, check)                                                                           \
	{                                                                                          \
		struct dir_world w = dir_world_make();                                             \
                                                                                                   \
		conformance_##check(w.store);                                                      \
		dir_world_remove(&w);                                                              \
	}
CONFORMANCE(X)
#undef X

/* SPDX-License-Identifier: BSD-3-Clause */
/* place_mem.c - stores in memory. */
#include "place.h"

#include <criterion/criterion.h>

#include "memory.h"
#include "store.h"

void place_open(const char *name, struct store **ret)
{
	CLEANUP(free_char) char *url = xasprintf("mem:%s", name);

	cr_assert_eq(store_open(url, STORE_CREATE, ret), 0);
}

void place_release(void)
{
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* place_dir.c - stores in folders. */
#include "place.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "store.h"
#include "world.h"

static char folder[64];
static unsigned stores;

void place_open(const char *name, struct store **ret)
{
	CLEANUP(free_char) char *url = NULL;
	const char *tmp = getenv("TMPDIR");

	if (!*folder) {
		snprintf(folder, sizeof(folder), "%s/pubfs-place-XXXXXX", tmp ? tmp : "/tmp");
		cr_assert(mkdtemp(folder));
	}
	url = xasprintf("dir:%s/%s%u", folder, name, stores++);
	cr_assert_eq(store_open(url, STORE_CREATE, ret), 0);
}

void place_release(void)
{
	if (*folder)
		world_remove_folder(folder);
	*folder = '\0';
}

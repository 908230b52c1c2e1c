/* SPDX-License-Identifier: BSD-3-Clause */
/* provision.c - makes the bucket where it is not there. */
#include "command.h"

#include <errno.h>

#include "bucket.h"
#include "options.h"
#include "stack.h"
#include "store.h"

enum exit_status command_provision(const struct options *o, int argc, char *const *argv)
{
	const struct bucket_settings settings = { .project = o->project,
						  .location = o->location,
						  .storage_class = o->storage_class };
	struct store *driver = NULL;
	int r = stack_open_driver(o, o->store, true, &driver);

	(void)argc;
	(void)argv;
	if (r < 0)
		return exit_status_of(r);
	r = bucket_is_remote(o->store) ? bucket_provision(driver, &settings) : 0;
	if (r >= 0)
		r = output_text("%s: %s\n", driver->url,
				r ? "made" : "it is there, nothing was changed");
	store_close(driver);
	return exit_status_of(r);
}

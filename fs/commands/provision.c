/* SPDX-License-Identifier: BSD-3-Clause */
/* provision.c - makes the bucket where it is not there. */
#include <errno.h>
#include <stdbool.h>

#include "bucket.h"
#include "command.h"
#include "log.h"
#include "options.h"
#include "stack.h"
#include "store.h"

static bool is_there(const struct options *o)
{
	struct store *driver = NULL;
	int r;

	log_set_mute(true);
	r = stack_open_driver(o, o->store, false, &driver);
	log_set_mute(false);
	store_close(driver);
	return r != -ENOENT;
}

static int make_folder(const struct options *o, struct store **ret)
{
	bool made = !is_there(o);
	int r = stack_open_driver(o, o->store, true, ret);

	return r < 0 ? r : made;
}

static int make_bucket(const struct options *o, struct store **ret)
{
	const struct bucket_settings settings = { .project = o->project,
						  .location = o->location,
						  .storage_class = o->storage_class };
	int r = stack_open_driver(o, o->store, true, ret);

	return r < 0 ? r : bucket_provision(*ret, &settings);
}

enum exit_status command_provision(const struct options *o, int argc, char *const *argv)
{
	struct store *driver = NULL;
	int r = bucket_is_remote(o->store) ? make_bucket(o, &driver) : make_folder(o, &driver);

	(void)argc;
	(void)argv;
	if (r >= 0)
		r = output_text("%s: %s\n", driver->url,
				r ? "made" : "it is there, nothing was changed");
	store_close(driver);
	return exit_status_of(r);
}

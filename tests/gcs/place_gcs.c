/* SPDX-License-Identifier: BSD-3-Clause */
/* place_gcs.c - stores in buckets of our own server. */
#include "../export/place.h"

#include <criterion/criterion.h>

#include "memory.h"
#include "server.h"
#include "store.h"

static struct gcs_server *server;
static unsigned stores;

void place_open(const char *name, struct store **ret)
{
	CLEANUP(free_char) char *url = xasprintf("gs://%s-%u", name, stores++);
	CLEANUP(free_char) char *command = xasprintf("bucket %s", url + strlen("gs://"));
	struct store_options options = { .endpoint = NULL };

	if (!server)
		server = gcs_server_start();
	options.endpoint = gcs_server_url(server);
	cr_assert_eq(gcs_server_script(server, command), 0);
	cr_assert_eq(store_open_with(url, STORE_OPEN, &options, ret), 0);
}

void place_release(void)
{
	if (server)
		gcs_server_stop(server);
	server = NULL;
}

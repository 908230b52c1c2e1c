/* SPDX-License-Identifier: BSD-3-Clause */
/* place_fake_gcs.c - stores in buckets of fake-gcs-server. */
#include "../export/place.h"

#include <criterion/criterion.h>

#include "bucket.h"
#include "fake_gcs.h"
#include "memory.h"
#include "store.h"
#include "strbuf.h"

static struct fake_gcs *server;
static unsigned stores;

void place_open(const char *name, struct store **ret)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(4096);
	CLEANUP(free_char) char *url = xasprintf("gs://%s-%u", name, stores++);
	const struct bucket_settings settings = { .project = "pubfs-test" };
	struct store_options options = { .endpoint = NULL };

	if (!server && fake_gcs_start(&server, &why) < 0)
		cr_skip_test("fake-gcs-server: %s", why.buf);
	options.endpoint = fake_gcs_url(server);
	cr_assert_eq(store_open_with(url, STORE_OPEN, &options, ret), 0);
	cr_assert_eq(bucket_provision(*ret, &settings), 1);
}

void place_release(void)
{
	if (server)
		fake_gcs_stop(server);
	server = NULL;
}

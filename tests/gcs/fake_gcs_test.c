/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_gcs_test.c - the store `gs:` on fake-gcs-server: the suite, and where that server is wrong.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "bucket.h"
#include "fake_gcs.h"
#include "log.h"
#include "store.h"
#include "strbuf.h"
#include "../store/conformance.h"

/* Version v1.56.1 against the published API. Each is met by a check, which fails when it is mended;
 * every rule is also proved, without exception, on our own server (gcs_test.c). */
static const struct {
	enum conformance_gap gap;
	const char *reason;
} gaps[] = {
	{ GAP_COPY_CONDITION, "rewrite does not look at ifGenerationMatch" },
	{ GAP_SOURCE_CONDITION, "rewrite does not look at ifSourceGenerationMatch" },
	{ GAP_COPY_HEADERS, "rewrite takes what the resource leaves out from the source" },
	{ GAP_REMOVE_CONDITION, "delete does not look at ifGenerationMatch" },
	{ GAP_TOUCH_CONDITION, "patch does not look at ifGenerationMatch" },
	{ GAP_TOUCH_HEADERS, "patch leaves a header that is null, and empties such a custom key" },
	{ GAP_METAGENERATION, "metageneration is always 1" },
	{ GAP_UPDATED, "insert takes timeCreated and updated from the clock one after the other" },
	{ GAP_LIST_FOLDER, "list holds a prefix itself against startOffset, not what is below" },
};

struct world {
	struct fake_gcs *server;
	struct store *store;
};

static struct world make_world(void)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(4096);
	const struct bucket_settings settings = { .project = "pubfs-test" };
	struct store_options options = { .endpoint = NULL };
	struct world w;
	unsigned admitted = 0;

	if (fake_gcs_start(&w.server, &why) < 0)
		cr_skip_test("fake-gcs-server: %s", why.buf);
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++)
		admitted |= gaps[i].gap;
	conformance_admit(admitted);
	conformance_sample_lists(53);
	log_set_level(LEVEL_ERROR);
	options.endpoint = fake_gcs_url(w.server);
	cr_assert_eq(store_open_with("gs://pubfs-test", STORE_OPEN, &options, &w.store), 0);
	cr_assert_eq(bucket_provision(w.store, &settings), 1);
	return w;
}

static void remove_world(struct world *w)
{
	store_close(w->store);
	fake_gcs_stop(w->server);
}

#define X(check)                                                                                   \
	Test(fake_gcs, check)                                                                      \
	{                                                                                          \
		struct world w = make_world();                                                     \
                                                                                                   \
		conformance_##check(w.store);                                                      \
		remove_world(&w);                                                                  \
	}
CONFORMANCE(X)
#undef X

Test(fake_gcs, a_bucket_is_made_once)
{
	struct world w = make_world();
	const struct bucket_settings settings = { .project = "pubfs-test" };

	cr_assert_eq(bucket_provision(w.store, &settings), 0);
	remove_world(&w);
}

Test(fake_gcs, only_writes_are_conditional_there)
{
	struct world w = make_world();
	uint64_t first, second;

	cr_assert_eq(put_text(w.store, "key", "first", STORE_ABSENT, &first), 0);
	cr_assert_eq(put_text(w.store, "key", "second", first, &second), 0);
	cr_assert_eq(put_text(w.store, "key", "third", first, NULL), -ESTALE);
	expect_text(w.store, "key", "second");
	cr_assert_eq(remove_key(w.store, "key", first), 0, "it is mended: see the table above");
	cr_assert_eq(generation_of(w.store, "key"), 0);
	remove_world(&w);
}

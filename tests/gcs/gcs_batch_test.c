/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_batch_test.c - many removals in one request, each by its own condition, and in trouble. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/gcs.h"
#include "../store/conformance.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "server.h"
#include "store.h"
#include "store_links.h"

#define LEGS 4 /* threads of the spread link */

struct world {
	struct gcs_server *server;
	struct store *store;
};

static _Thread_local int64_t now; /* no test waits */

static int64_t fake_clock(void *ctx)
{
	(void)ctx;
	return now;
}

static int fake_sleep(void *ctx, int64_t us)
{
	(void)ctx;
	now += us;
	return 0;
}

static struct world make_world(bool batch)
{
	struct world w = { .server = gcs_server_start() };
	const struct store_options options = { .endpoint = gcs_server_url(w.server),
					       .batch_delete = batch };
	const struct retry_options retry = {
		.clock = fake_clock, .sleep = fake_sleep, .deadline = MINUTE_US, .ctx = &now
	};

	log_set_level(LEVEL_ERROR);
	cr_assert_eq(gcs_server_script(w.server, "bucket pubfs-test"), 0);
	cr_assert_eq(store_open_with("gs://pubfs-test", STORE_OPEN, &options, &w.store), 0);
	cr_assert_eq(retry_push(w.store, &retry, &w.store), 0);
	return w;
}

static struct world make_spread_world(bool batch)
{
	struct world w = make_world(batch);

	cr_assert_eq(spread_push(w.store, LEGS, &w.store), 0);
	return w;
}

static void remove_world(struct world *w)
{
	store_close(w->store);
	gcs_server_stop(w->server);
}

#define X(check)                                                                                   \
	Test(gcs_batched, check)                                                                   \
	{                                                                                          \
		struct world w = make_world(true);                                                 \
                                                                                                   \
		conformance_sample_lists(53);                                                      \
		conformance_##check(w.store);                                                      \
		cr_assert_eq(gcs_server_count(w.server, GCS_UNKNOWN), 0);                          \
		remove_world(&w);                                                                  \
	}
CONFORMANCE(X)
#undef X

/* So many objects a000000 and so on, and removals of all of them, each by its own. */
struct removals {
	struct edit *edits;
	size_t n;
};

static int add_removal(void *ctx, const struct object *obj)
{
	struct removals *r = ctx;
	struct edit *e = &r->edits[r->n];

	*e = (struct edit){ .op = EDIT_REMOVE,
			    .group = (unsigned)r->n++,
			    .if_generation = obj->generation,
			    .if_metageneration = obj->metageneration };
	object_init(&e->object);
	e->object.key = xstrdup(obj->key);
	return 0;
}

static struct removals make_removals(struct world *w, unsigned n)
{
	struct removals r = { .edits = xcalloc(n, sizeof(*r.edits)) };
	CLEANUP(free_char) char *fill = xasprintf("fill pubfs-test %u a", n);

	cr_assert_eq(gcs_server_script(w->server, fill), 0);
	cr_assert_eq(store_list(w->store, "", true, NULL, add_removal, &r), 0);
	cr_assert_eq(r.n, n);
	cr_assert_eq(gcs_server_script(w->server, "reset"), 0);
	return r;
}

static void free_removals(struct removals *r)
{
	edit_release(r->edits, r->n);
	free(r->edits);
}

static unsigned count_left(struct world *w)
{
	CLEANUP(free_char) char *names = list_text(w->store, "", true, NULL);
	unsigned n = 0;

	for (const char *at = names; *at; at++)
		n += *at == ' ';
	return n;
}

Test(gcs_batch, removals_that_stand_alone_are_a_hundred_a_request)
{
	static const struct {
		unsigned n, requests;
	} rows[] = { { 2, 1 }, { 100, 1 }, { 101, 2 }, { 1000, 10 }, { 1030, 11 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w = make_spread_world(true);
		struct removals r = make_removals(&w, rows[i].n);

		cr_assert_eq(store_edit(w.store, r.edits, r.n), 0);
		cr_assert_eq(gcs_server_count(w.server, GCS_BATCH) +
				     (rows[i].n % 100 == 1), /* the last one goes by itself */
			     rows[i].requests);
		cr_assert_eq(count_left(&w), 0);
		free_removals(&r);
		remove_world(&w);
	}
}

Test(gcs_batch, where_conditions_are_not_known_to_hold_each_removal_is_a_request)
{
	struct world w = make_spread_world(false);
	struct removals r = make_removals(&w, 30);

	cr_assert_eq(store_edit(w.store, r.edits, r.n), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_BATCH), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_DELETE), 30);
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, each_removal_goes_by_its_own_condition)
{
	struct world w = make_spread_world(true);
	struct removals r = make_removals(&w, 6);

	r.edits[1].if_generation++;
	r.edits[3].if_metageneration++;
	cr_assert_eq(remove_key(w.store, r.edits[4].object.key, STORE_ANY), 0);
	cr_assert_eq(store_edit(w.store, r.edits, r.n), -ESTALE);
	for (size_t i = 0; i < r.n; i++) {
		bool stays = i == 1 || i == 3;

		cr_assert_eq(r.edits[i].result, stays ? -ESTALE : 0, "%zu", i);
		cr_assert_eq(generation_of(w.store, r.edits[i].object.key) != 0, stays, "%zu", i);
	}
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, what_stands_in_a_group_goes_in_its_order_and_in_no_batch)
{
	struct world w = make_spread_world(true);
	struct removals r = make_removals(&w, 4);

	r.edits[2].group = r.edits[1].group;
	r.edits[1].if_generation++;
	cr_assert_eq(store_edit(w.store, r.edits, r.n), -ESTALE);
	cr_assert_eq(r.edits[2].result, -ECANCELED);
	cr_assert_eq(gcs_server_count(w.server, GCS_BATCH), 0);
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, names_of_every_sort_are_removed)
{
	static const char *const keys[] = { "latest/api/archives/a-1.0.0+1.tar.gz", "a b?c&d=%2F#e",
					    "\xc3\xa4/\xf0\x9f\x98\x80", "--x\"'<>" };
	struct world w = make_spread_world(true);
	struct edit edits[ARRAY_SIZE(keys)];

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert_eq(put_text(w.store, keys[i], "x", STORE_ABSENT, NULL), 0);
		edits[i] = edit_other(EDIT_REMOVE, keys[i], STORE_ANY);
		edits[i].group = i;
	}
	cr_assert_eq(store_edit(w.store, edits, ARRAY_SIZE(keys)), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_BATCH), 1);
	cr_assert_eq(count_left(&w), 0);
	edit_release(edits, ARRAY_SIZE(keys));
	remove_world(&w);
}

Test(gcs_batch, passing_trouble_of_the_whole_or_of_a_part_is_asked_for_again)
{
	static const char *const faults[] = {
		"fault batch every=2 drop",	    "fault batch every=2 lost",
		"fault batch every=2 status=503",   "fault batch every=2 status=429 retry-after=7",
		"fault delete every=3 status=503",  "fault delete every=7 status=429",
		"fault delete every=3 drop",	    "fault delete every=3 lost",
		"fault batch every=2 garbage",	    "fault batch every=2 cut=300",
		"fault batch every=2 lost=503\nfault delete every=5 status=500",
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct world w = make_spread_world(true);
		struct removals r = make_removals(&w, 450);

		cr_assert_eq(gcs_server_script(w.server, faults[i]), 0);
		cr_assert_eq(store_edit(w.store, r.edits, r.n), 0, "%s", faults[i]);
		cr_assert_eq(gcs_server_script(w.server, "reset"), 0);
		cr_assert_eq(count_left(&w), 0, "%s", faults[i]);
		free_removals(&r);
		remove_world(&w);
	}
}

Test(gcs_batch, trouble_that_does_not_pass_is_said_once_and_the_rest_is_done)
{
	struct world w = make_spread_world(true);
	struct removals r = make_removals(&w, 10);

	cr_assert_eq(gcs_server_script(w.server, "fault delete object=a000003 every=1 status=503"),
		     0);
	cr_assert_eq(store_edit(w.store, r.edits, r.n), -EIO);
	for (size_t i = 0; i < r.n; i++)
		cr_assert_eq(r.edits[i].result, i == 3 ? -EIO : 0, "%zu", i);
	cr_assert(strstr(log_last_failure(), "a000003"), "%s", log_last_failure());
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, a_server_that_knows_no_batches_is_asked_for_each_removal)
{
	struct world w = make_world(true);
	struct removals r = make_removals(&w, 10);

	cr_assert_eq(gcs_server_script(w.server, "fault batch every=1 status=404"), 0);
	cr_assert_eq(store_edit(w.store, r.edits, r.n), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_DELETE), 10);
	cr_assert_eq(count_left(&w), 0);
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, a_right_that_is_missing_is_said)
{
	struct world w = make_spread_world(true);
	struct removals r = make_removals(&w, 10);

	cr_assert_eq(gcs_server_script(w.server, "deny storage.objects.delete"), 0);
	cr_assert_eq(store_edit(w.store, r.edits, r.n), -EACCES);
	cr_assert(strstr(log_last_failure(), "storage.objects.delete"), "%s", log_last_failure());
	free_removals(&r);
	remove_world(&w);
}

Test(gcs_batch, only_googles_own_endpoints_are_known_to_mind_conditions)
{
	static const struct {
		const char *endpoint;
		bool safe;
	} rows[] = {
		{ "https://storage.googleapis.com", true },
		{ "https://storage.googleapis.com:443", true },
		{ "https://storage.europe-west3.rep.googleapis.com", true },
		{ "https://STORAGE.GoogleAPIs.com", true },
		{ "https://storage.googleapis.com.example.com", false },
		{ "https://notgoogleapis.com", false },
		{ "http://127.0.0.1:4443", false },
		{ "https://example.com/googleapis.com", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(gcs_batch_is_safe(rows[i].endpoint), rows[i].safe, "%s",
			     rows[i].endpoint);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* adopt_test.c - objects without our keys are read once, gated, and become ours. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "body.h"
#include "clock.h"
#include "memory.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

/* Of two packages with a version each, in one prefix. */
#define OBJECTS (2 * (PACKAGE_DOCUMENTS + 1) + SITE_DOCUMENTS)

static struct world w;
static struct export_counts exported;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
}

static void fini(void)
{
	world_release(&w);
}

TestSuite(adopt, .init = init, .fini = fini);

/* As another exporter writes: no keys but `validated`, and gzip of its own. */
static void put_foreign(const char *key, const struct strbuf *text)
{
	CLEANUP(strbuf_release) struct strbuf gzipped = STRBUF_INIT(BIG);
	struct object_name name;
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_neq(catalog_match(key, &name), KIND_NONE);
	catalog_headers(&name, &edit.object);
	edit.object.validated = clock_rules() - 10 * DAY_US;
	if (edit.object.gzip) {
		cr_assert_eq(gzip_encode(text->buf, text->len, &gzipped), 0);
		cr_assert_eq(gzip_encode("", 0, &gzipped), 0); /* a second member */
		body = body_of_strbuf(&gzipped);
	} else {
		body = body_of_strbuf(text);
	}
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

/* All of an export, as another exporter would have written it. */
static void make_foreign(void)
{
	CLEANUP(free_char) char *keys = NULL;
	char *rest, *key;

	world_add(&w, "foo", "1.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &exported);
	rest = keys = world_keys(&w);
	while ((key = strsep(&rest, "\n")) && *key) {
		CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);

		world_read(&w, key, &text);
		put_foreign(key, &text);
	}
	world_sql(&w, "DELETE FROM export_state");
	free(recorder_take(w.recorder));
	counter_read(w.counter);
}

static struct adopt_options options_of(bool dry_run)
{
	static const char *const prefixes[] = { "latest" };

	return (struct adopt_options){
		.store = w.counter,
		.publisher = w.publisher,
		.prefixes = prefixes,
		.n_prefixes = 1,
		.jobs = 2,
		.dry_run = dry_run,
	};
}

static int adopt_latest(bool dry_run, struct adopt_counts *ret)
{
	const struct adopt_options options = options_of(dry_run);

	return adopt(&options, ret);
}

Test(adopt, each_foreign_object_is_read_once_and_gets_our_keys)
{
	struct adopt_counts counts;
	struct store_counts c;
	struct object before, after;

	make_foreign();
	world_stat(&w, LATEST "packages/foo", &before);
	cr_assert_eq(adopt_latest(false, &counts), 0);
	c = counter_read(w.counter);
	cr_assert_eq(counts.objects, OBJECTS);
	cr_assert_eq(counts.adopted, OBJECTS);
	cr_assert_eq(c.read, OBJECTS);
	cr_assert_eq(c.touch, OBJECTS);
	cr_assert_eq(c.write + c.copy + c.remove + c.stat, 0);
	world_stat(&w, LATEST "packages/foo", &after);
	cr_assert_eq(after.generation, before.generation, "the bytes stay");
	cr_assert(after.has_sha256 && after.has_decoded_size);
	cr_assert_str_eq(after.change, CHANGE_ADOPTED);
	cr_assert_str_eq(after.runtime_version, RUNTIME);
	cr_assert_eq(after.validated, clock_rules());
	object_release(&before);
	object_release(&after);
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "adopted"));
}

Test(adopt, what_was_adopted_is_current_for_an_export)
{
	struct adopt_counts counts;
	struct store_counts c;

	make_foreign();
	w.options.own = false;
	cr_assert_eq(adopt_latest(false, &counts), 0);
	free(recorder_take(w.recorder));
	counter_read(w.counter);
	world_export_well(&w, &exported);
	c = counter_read(w.counter);
	cr_assert_eq(c.read, 0);
	world_expect_order(&w, "");
}

Test(adopt, what_has_our_keys_is_not_read_again)
{
	struct adopt_counts counts;
	struct store_counts c;

	make_foreign();
	cr_assert_eq(adopt_latest(false, &counts), 0);
	counter_read(w.counter);
	cr_assert_eq(adopt_latest(false, &counts), 0);
	c = counter_read(w.counter);
	cr_assert_eq(counts.ours, OBJECTS);
	cr_assert_eq(counts.adopted, 0);
	cr_assert_eq(c.read + c.touch, 0);
}

Test(adopt, a_dry_run_counts_the_requests_and_sends_none)
{
	struct adopt_counts counts;
	struct store_counts c;

	make_foreign();
	cr_assert_eq(adopt_latest(true, &counts), 0);
	c = counter_read(w.counter);
	cr_assert_eq(c.read + c.touch, 0);
	cr_assert_eq(counts.adopted, OBJECTS);
	cr_assert_eq(counts.reads, OBJECTS);
	cr_assert_eq(counts.changes, OBJECTS);
	world_expect_order(&w, "");
}

Test(adopt, what_clients_could_not_read_stays_as_it_is_and_holds_up_no_other)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	struct adopt_counts counts;
	struct object obj;

	make_foreign();
	strbuf_addstr(&text, "{\"name\":\"foo\",\"latest\":{},\"versions\":[]}");
	put_foreign(LATEST "packages/foo", &text);
	strbuf_reset(&text);
	strbuf_addstr(&text, "no archive");
	put_foreign(LATEST "archives/bar-1.0.0.tar.gz", &text);
	cr_assert_eq(adopt_latest(false, &counts), -EIO);
	cr_assert_eq(counts.refused, 2);
	cr_assert_eq(counts.adopted, OBJECTS - 2);
	world_stat(&w, LATEST "packages/foo", &obj);
	cr_assert_not(obj.has_sha256);
	object_release(&obj);
	w.options.own = false;
	world_export_well(&w, &exported); /* writes them anew */
	cr_assert_eq(adopt_latest(false, &counts), 0);
	cr_assert_eq(counts.ours, OBJECTS);
}

static void store_plainly(struct object *obj)
{
	obj->gzip = false;
}

Test(adopt, what_is_stored_with_another_encoding_is_left_to_sync)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };
	struct adopt_counts counts;

	make_foreign();
	world_read(&w, LATEST "packages/foo/advisories", &text);
	body = body_of_strbuf(&text); /* what clients could read, but for its headers */
	world_stat(&w, LATEST "packages/foo/advisories", &edit.object);
	store_plainly(&edit.object);
	edit.object.has_md5 = false;
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
	cr_assert_eq(adopt_latest(false, &counts), -EIO);
	cr_assert_eq(counts.refused, 1);
	cr_assert_eq(counts.adopted, OBJECTS - 1);
}

static void write_again(void *ctx)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);

	(void)ctx;
	recorder_before(w.recorder, NULL, NULL);
	world_read(&w, LATEST "packages/foo", &text);
	put_foreign(LATEST "packages/foo", &text);
}

Test(adopt, what_another_program_writes_meanwhile_stays_as_it_wrote_it)
{
	struct adopt_options options = options_of(false);
	struct adopt_counts counts;
	struct object obj;

	make_foreign();
	options.jobs = 1;
	/* the first change is that of the archive of bar */
	recorder_before(w.recorder, write_again, NULL);
	cr_assert_eq(adopt(&options, &counts), -EIO);
	cr_assert_eq(counts.raced, 1);
	cr_assert_eq(counts.adopted, OBJECTS - 1);
	world_stat(&w, LATEST "packages/foo", &obj);
	cr_assert_not(obj.has_sha256);
	object_release(&obj);
	cr_assert_eq(adopt(&options, &counts), 0, "the next run adopts it");
	cr_assert_eq(counts.adopted, 1);
}

Test(adopt, whichever_call_fails_another_run_ends_it)
{
	make_foreign();
	for (unsigned n = 1;; n++) {
		struct adopt_counts counts;
		int r;

		world_empty_bucket(&w);
		world_sql(&w, "DELETE FROM package; DELETE FROM package_version");
		make_foreign();
		fault_arm(w.fault, n, -EIO);
		r = adopt_latest(false, &counts);
		cr_assert_eq(r < 0, fault_fired(w.fault), "call %u", n);
		if (!fault_fired(w.fault))
			break;
		cr_assert_eq(adopt_latest(false, &counts), 0, "call %u", n);
		cr_assert_eq(counts.ours + counts.adopted, OBJECTS);
		world_expect_servable(&w);
	}
}

Test(adopt, a_prefix_without_objects_is_a_mistake)
{
	struct adopt_counts counts;

	cr_assert_eq(adopt_latest(false, &counts), -ENOENT);
}

Test(adopt, objects_of_no_kind_stay)
{
	struct adopt_counts counts;

	make_foreign();
	world_put_stray(&w, "latest/readme");
	free(recorder_take(w.recorder));
	cr_assert_eq(adopt_latest(false, &counts), 0);
	cr_assert_eq(counts.others, 1);
	cr_assert_eq(counts.adopted, OBJECTS);
}

Test(adopt, a_stop_ends_it_and_nothing_is_lost)
{
	struct adopt_options options = options_of(false);
	struct adopt_counts counts;
	atomic_bool stop = true;

	make_foreign();
	options.stop = &stop;
	cr_assert_eq(adopt(&options, &counts), -ECANCELED);
	cr_assert_eq(counts.adopted, 0);
	world_expect_order(&w, "");
}

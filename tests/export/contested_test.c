/* SPDX-License-Identifier: BSD-3-Clause */
/* contested_test.c - another program that writes into latest/ is no reason to write for ever. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "memory.h"
#include "planned.h"
#include "world.h"

#define LATEST "latest/api/"
#define BIG    ((size_t)16 << 20)

static struct world w;
static struct export_counts counts;
static char *held;

static void init(void)
{
	clock_rules_set(1700000000 * SECOND_US);
	world_init(&w);
	held = xasprintf("%s/sync.held", w.folder);
	w.options.held = held;
	world_add(&w, "foo", "1.0.0");
	world_add(&w, "foo", "2.0.0");
	world_add(&w, "bar", "1.0.0");
	world_export_well(&w, &counts);
}

static void fini(void)
{
	free(held);
	world_release(&w);
}

TestSuite(contested, .init = init, .fini = fini);

/* As another exporter writes: the same text or another one, and no key of ours. */
static void write_foreign(const char *key, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf same = STRBUF_INIT(BIG), gzipped = STRBUF_INIT(BIG);
	struct object_name name;
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	if (!text)
		world_read(&w, key, &same);
	text = text ? text : same.buf;
	cr_assert_eq(gzip_encode(text, strlen(text), &gzipped), 0);
	body = body_of_strbuf(&gzipped);
	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_neq(catalog_match(key, &name), KIND_NONE);
	catalog_headers(&name, &edit.object);
	edit.object.validated = clock_rules();
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
	free(recorder_take(w.recorder));
}

#define VERSION(version)                                                                           \
	"{\"version\":\"" version "\","                                                           \
	"\"pubspec\":{\"name\":\"foo\",\"version\":\"" version "\"},"                               \
	"\"archive_url\":\"https://theirs.example.com/foo-" version ".tar.gz\"}"
#define OTHER                                                                                      \
	"{\"name\":\"foo\",\"theirs\":1,\"latest\":" VERSION("2.0.0") ",\"versions\":["          \
	VERSION("1.0.0") "," VERSION("2.0.0") "]}"

Test(contested, what_another_program_wrote_is_made_ours_once_and_then_held)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 1);
	for (int i = 0; i < 3; i++) {
		write_foreign(LATEST "packages/foo", OTHER);
		cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
		cr_assert_eq(counts.held, 1);
		world_expect_order(&w, "");
	}
}

Test(contested, so_it_is_where_the_content_is_the_same_and_the_keys_alone_are_gone)
{
	write_foreign(LATEST "packages/foo", NULL);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.touched, 1);
	write_foreign(LATEST "packages/foo", NULL);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	world_expect_order(&w, "");
}

Test(contested, what_clients_could_not_read_is_damage_and_made_good_however_often)
{
	static const char *const broken[] = { "{}", "no JSON",
					      "{\"name\":\"foo\",\"versions\":[]}" };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(broken); i++) {
		write_foreign(LATEST "packages/foo", broken[i % ARRAY_SIZE(broken)]);
		world_export_well(&w, &counts);
		world_expect_order(&w, "write " LATEST "packages/foo\n");
	}
	for (int i = 0; i < 3; i++) {
		write_foreign(LATEST "archives/foo-1.0.0.tar.gz", "a cut archive");
		world_export_well(&w, &counts);
		world_expect_order(&w, "copy " LATEST "archives/foo-1.0.0.tar.gz\n");
	}
	write_foreign(LATEST "packages/foo", OTHER);
	write_foreign(LATEST "packages/foo/advisories", "no JSON");
	world_export_well(&w, &counts);
	world_expect_order(&w, "write " LATEST "packages/foo/advisories\n"
			       "write " LATEST "packages/foo\n");
}

static void no_gzip(struct object *obj)
{
	obj->has_sha256 = obj->has_decoded_size = false;
	free(obj->runtime_version);
	obj->runtime_version = NULL;
}

Test(contested, so_is_what_cannot_be_decoded_at_all)
{
	struct strbuf garbage = STRBUF_INIT(BIG);

	strbuf_addstr(&garbage, "no gzip at all");
	for (int i = 0; i < 3; i++) {
		world_replace(&w, LATEST "packages/foo", &garbage, no_gzip);
		world_export_well(&w, &counts);
		cr_assert_eq(counts.written, 1);
	}
	strbuf_release(&garbage);
}

static void no_version(struct object *obj)
{
	free(obj->runtime_version);
	obj->runtime_version = NULL;
}

static void no_hash(struct object *obj)
{
	obj->has_sha256 = false;
}

Test(contested, what_has_one_key_of_ours_is_no_other_programs)
{
	for (int i = 0; i < 4; i++) {
		world_replace(&w, LATEST "packages/foo", NULL, i & 1 ? no_version : no_hash);
		world_export_well(&w, &counts);
		cr_assert_eq(counts.touched, 1);
	}
}

/* Both sides of the span in which two times are a fight. */
Test(contested, who_writes_again_after_more_than_a_week_keeps_nothing_up)
{
	int64_t made = clock_rules();

	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	clock_rules_set(made + 7 * DAY_US + 1);
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 1);
	clock_rules_set(made + 14 * DAY_US + 1);
	write_foreign(LATEST "packages/foo", OTHER);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED, "exactly a week later");
}

Test(contested, what_is_held_stays_held_however_long_that_takes)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	for (int i = 0; i < 4; i++) {
		write_foreign(LATEST "packages/foo", OTHER);
		cr_assert_eq(world_export_all(&w, &counts), -ECANCELED, "week %d", i);
		cr_assert_eq(counts.written, 0);
		clock_rules_set(clock_rules() + 8 * DAY_US);
	}
}

Test(contested, a_clock_that_was_turned_back_ends_no_fight)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	clock_rules_set(clock_rules() - 400 * DAY_US);
	write_foreign(LATEST "packages/foo", OTHER);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
}

Test(contested, one_package_is_noted_beside_the_others)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	write_foreign(LATEST "packages/bar", NULL);
	world_export_well(&w, &counts);
	write_foreign(LATEST "packages/foo", OTHER);
	write_foreign(LATEST "packages/bar", NULL);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	cr_assert_eq(counts.held, 2);
}

Test(contested, others_go_on_and_so_does_the_own_prefix)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	write_foreign(LATEST "packages/foo", OTHER);
	write_foreign(RUNTIME "/api/packages/foo", OTHER);
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = 'bar'");
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	cr_assert(world_has_text(&w, LATEST "packages/bar", "isDiscontinued"));
	cr_assert_not(world_has_text(&w, RUNTIME "/api/packages/foo", "theirs"));
	cr_assert(world_has_text(&w, LATEST "packages/foo", "theirs"));
}

Test(contested, a_take_down_reaches_it_all_the_same)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	write_foreign(LATEST "packages/foo", OTHER);
	world_sql(&w, "UPDATE package SET moderated = 1 WHERE name = 'foo'");
	cr_assert_eq(world_export_all(&w, &counts), 0);
	cr_assert_not(world_has(&w, LATEST "packages/foo"));
}

Test(contested, a_new_change_of_its_package_is_written_once_again)
{
	for (int i = 0; i < 2; i++) {
		write_foreign(LATEST "packages/foo", OTHER);
		world_export_well(&w, &counts);
		write_foreign(LATEST "packages/foo", OTHER);
		cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
		world_sql(&w, "UPDATE package SET discontinued = %d WHERE name = 'foo'", !i);
	}
}

Test(contested, an_operator_may_have_it_written_once_more)
{
	write_foreign(LATEST "packages/foo", OTHER);
	world_export_well(&w, &counts);
	write_foreign(LATEST "packages/foo", OTHER);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED);
	w.options.allow_mass_change = true;
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 1);
	w.options.allow_mass_change = false;
	world_export_well(&w, &counts); /* the other program has ended */
	write_foreign(LATEST "packages/foo", OTHER);
	cr_assert_eq(world_export_all(&w, &counts), -ECANCELED, "it has not");
}

Test(contested, what_could_not_be_written_is_not_counted_as_written)
{
	write_foreign(LATEST "packages/foo", OTHER);
	/* each change that this pass makes fails */
	for (unsigned n = 1; n < 40; n++) {
		fault_arm(w.fault, n, -EIO);
		if (world_export_all(&w, &counts) == 0)
			break;
		cr_assert_neq(counts.held, 1, "call %u", n);
	}
	cr_assert_not(world_has_text(&w, LATEST "packages/foo", "theirs"));
}

Test(contested, a_dry_run_notes_nothing)
{
	struct planned_out out = { .file = fopen("/dev/null", "w") };

	write_foreign(LATEST "packages/foo", OTHER);
	w.options.dry_run = &out;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	w.options.dry_run = NULL;
	fclose(out.file);
	world_export_well(&w, &counts);
	cr_assert_eq(counts.written, 1);
}

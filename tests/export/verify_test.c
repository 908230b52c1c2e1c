/* SPDX-License-Identifier: BSD-3-Clause */
/* verify_test.c - what is broken is found, that alone, and an export repairs it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../fs/export/names.h"
#include "../../fs/export/suspects.h"
#include "body.h"
#include "clock.h"
#include "memory.h"
#include "planned.h"
#include "verify.h"
#include "world.h"

#define OWN    RUNTIME "/api/"
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

TestSuite(verify, .init = init, .fini = fini);

/* "kind key\n" of each finding. */
static int found_by(bool deep, struct verification *v, struct strbuf *out)
{
	const struct verifier_options options = { .exporter = &w.options, .deep = deep };
	int r = verify(&options, NULL, 0, v);

	for (size_t i = 0; i < v->n; i++)
		strbuf_addf(out, "%s %s\n", finding_name(v->findings[i].kind), v->findings[i].key);
	return r;
}

static void expect_found(bool deep, const char *expected)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	CLEANUP(free_char) char *routes = NULL;

	free(recorder_take(w.recorder));
	cr_assert_eq(found_by(deep, &v, &found), 0);
	routes = routes_of(found.buf);
	cr_assert_str_eq(routes, expected, "%s", found.buf);
	if (!*expected)
		cr_assert_str_eq(found.buf, "");
	world_expect_order(&w, ""); /* it changes nothing */
}

static void remove_object(const char *key)
{
	struct edit edit = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

static void break_missing_document(void)
{
	remove_object(LATEST "packages/foo/advisories");
}

static void break_missing_listing(void)
{
	remove_object(OWN "packages/foo");
}

static void break_dangling(void)
{
	remove_object(LATEST "archives/foo-1.0.0.tar.gz");
}

static void break_missing_archive(void)
{
	remove_object(LATEST "packages/foo");
	remove_object(LATEST "archives/foo-1.0.0.tar.gz");
}

/* Whether the listing that is there names it does not matter: it is not the one that should be. */
static void break_missing_archive_of_stale_listing(void)
{
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = 'foo'");
	remove_object(LATEST "archives/foo-1.0.0.tar.gz");
}

static void break_extra(void)
{
	world_sql(&w, "UPDATE package_version SET moderated = 1 WHERE version = '2.0.0'");
}

static void break_stale(void)
{
	world_sql(&w, "UPDATE package SET discontinued = 1 WHERE name = 'bar'");
}

static void break_by_hand(void)
{
	world_put(&w, LATEST "packages/bar",
		  "{\"name\":\"bar\",\"latest\":{},\"versions\":[{}]}", "hand");
}

static void other_type(struct object *obj)
{
	free(obj->type);
	obj->type = xstrdup("text/plain");
}

static void break_headers(void)
{
	world_replace(&w, OWN "packages/foo", NULL, other_type);
}

static void no_keys(struct object *obj)
{
	obj->has_sha256 = obj->has_decoded_size = false;
	memset(obj->sha256, 0, SHA256_SIZE);
}

static void break_keys(void)
{
	world_replace(&w, LATEST "archives/bar-1.0.0.tar.gz", NULL, no_keys);
}

static void break_hash(void)
{
	struct strbuf other = STRBUF_INIT(BIG);

	strbuf_addstr(&other, "other bytes");
	world_replace(&w, LATEST "archives/bar-1.0.0.tar.gz", &other, no_keys);
	strbuf_release(&other);
}

Test(verify, each_kind_is_found_alone_and_a_pass_repairs_it)
{
	static const struct {
		void (*break_it)(void);
		const char *found;
	} rows[] = {
		{ break_missing_document, "missing " LATEST "packages/foo/advisories\n" },
		{ break_missing_listing, "missing " OWN "packages/foo\n" },
		{ break_dangling, "dangling " LATEST "archives/foo-1.0.0.tar.gz\n" },
		{ break_missing_archive, "missing " LATEST "archives/foo-1.0.0.tar.gz\n"
					 "missing " LATEST "packages/foo\n" },
		{ break_missing_archive_of_stale_listing,
		  "stale " OWN "packages/foo\nmissing " LATEST "archives/foo-1.0.0.tar.gz\n"
		  "stale " LATEST "packages/foo\n" },
		{ break_extra, "extra " OWN "archives/foo-2.0.0.tar.gz\n"
			       "stale " OWN "packages/foo\n"
			       "extra " LATEST "archives/foo-2.0.0.tar.gz\n"
			       "stale " LATEST "packages/foo\n" },
		{ break_stale, "stale " OWN "packages/bar\nstale " LATEST "packages/bar\n" },
		{ break_by_hand, "stale " LATEST "packages/bar\n" },
		{ break_headers, "headers " OWN "packages/foo\n" },
		{ break_keys, "headers " LATEST "archives/bar-1.0.0.tar.gz\n" },
		{ break_hash, "hash " LATEST "archives/bar-1.0.0.tar.gz\n" },
	};

	expect_found(false, "");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i].break_it();
		expect_found(false, rows[i].found);
		expect_found(true, rows[i].found);
		world_export_well(&w, &counts);
		expect_found(false, "");
		expect_found(true, "");
	}
}

Test(verify, a_hand_edit_is_said_to_be_one)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);

	break_by_hand();
	cr_assert_eq(found_by(false, &v, &found), 0);
	cr_assert_eq(v.n, 1);
	cr_assert(strstr(v.findings[0].why, "by hand"), "%s", v.findings[0].why);
}

/* The key says the hash of what the rows give, and the bytes are others. */
static void break_damaged(void)
{
	struct strbuf other = STRBUF_INIT(BIG);

	cr_assert_eq(gzip_encode("{}", 2, &other), 0);
	world_replace(&w, LATEST "packages/foo", &other, NULL);
	strbuf_release(&other);
}

static void break_gzip(void)
{
	struct strbuf other = STRBUF_INIT(BIG);

	strbuf_addstr(&other, "no gzip");
	world_replace(&w, LATEST "packages/foo", &other, NULL);
	strbuf_release(&other);
}

static void break_archive_bytes(void)
{
	struct strbuf other = STRBUF_INIT(BIG);

	strbuf_addstr(&other, "no archive");
	world_replace(&w, OWN "archives/foo-2.0.0.tar.gz", &other, NULL);
	strbuf_release(&other);
}

static void break_site(void)
{
	struct strbuf other = STRBUF_INIT(BIG);

	cr_assert_eq(gzip_encode("{}", 2, &other), 0);
	world_replace(&w, "latest/not-found.json", &other, NULL);
	strbuf_release(&other);
}

static void find_deep(const char *expected)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);

	cr_assert_eq(found_by(true, &v, &found), 0);
	cr_assert_str_eq(found.buf, expected);
	free(recorder_take(w.recorder));
}

/* Everything that was changed since, of whatever kind. */
static void expect_changes(const char *expected)
{
	CLEANUP(free_char) char *changes = recorder_take(w.recorder);

	cr_assert_str_eq(changes, expected);
}

Test(verify, bytes_that_are_not_what_their_metadata_say_are_found_by_reading_and_repaired_alone)
{
	static const struct {
		void (*break_it)(void);
		const char *found, *repaired;
	} rows[] = {
		{ break_damaged, "damaged " LATEST "packages/foo\n",
		  "write " LATEST "packages/foo\n" },
		{ break_gzip, "damaged " LATEST "packages/foo\n",
		  "write " LATEST "packages/foo\n" },
		{ break_archive_bytes, "damaged " OWN "archives/foo-2.0.0.tar.gz\n",
		  "copy " OWN "archives/foo-2.0.0.tar.gz\n" },
		{ break_site, "damaged latest/not-found.json\n", "write latest/not-found.json\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i].break_it();
		expect_found(false, "");
		cr_assert_eq(world_export_all(&w, &counts), 0); /* believes the metadata */
		expect_changes("");
		find_deep(rows[i].found);
		expect_found(false, ""); /* believes no note */
		cr_assert_eq(world_export_all(&w, &counts), 0);
		expect_changes(rows[i].repaired);
		find_deep("");
		world_export_well(&w, &counts);
		expect_changes("");
	}
}

Test(verify, all_that_is_damaged_is_repaired_by_one_pass_and_no_brake_counts_it)
{
	static const struct brake_limit none = { 0, 0 };

	w.options.limits = (struct brake_limits){ none, none, none };
	break_damaged();
	break_archive_bytes();
	break_site();
	find_deep("damaged " OWN "archives/foo-2.0.0.tar.gz\n"
		  "damaged " LATEST "packages/foo\ndamaged latest/not-found.json\n");
	world_export_well(&w, &counts);
	expect_changes("copy " OWN "archives/foo-2.0.0.tar.gz\nwrite " LATEST "packages/foo\n"
		       "write latest/not-found.json\n");
	find_deep("");
}

Test(verify, what_was_written_since_it_was_read_is_no_suspect)
{
	break_damaged();
	find_deep("damaged " LATEST "packages/foo\n");
	w.options.force = true;
	world_export_well(&w, &counts);
	w.options.force = false;
	free(recorder_take(w.recorder));
	break_archive_bytes();
	find_deep("damaged " OWN "archives/foo-2.0.0.tar.gz\n");
	world_export_well(&w, &counts);
	expect_changes("copy " OWN "archives/foo-2.0.0.tar.gz\n");
}

static int export_foo(void)
{
	char *names[] = { (char[]){ "foo" } };
	struct exporter *ex;
	int r = exporter_new(&w.options, &ex);

	if (!r) {
		r = export_named(ex, names, 1, &counts);
		exporter_free(ex);
	}
	return r;
}

Test(verify, a_named_package_alone_is_repaired_and_the_others_stay_suspect)
{
	break_damaged();
	break_site();
	find_deep("damaged " LATEST "packages/foo\ndamaged latest/not-found.json\n");
	cr_assert_eq(export_foo(), 0);
	expect_changes("write " LATEST "packages/foo\n");
	world_export_well(&w, &counts);
	expect_changes("write latest/not-found.json\n");
}

Test(verify, what_could_not_be_repaired_stays_suspect)
{
	for (unsigned n = 1;; n++) {
		break_damaged();
		find_deep("damaged " LATEST "packages/foo\n");
		fault_arm(w.fault, n, -EIO);
		cr_assert_eq(world_export_all(&w, &counts) < 0, fault_fired(w.fault), "call %u", n);
		if (!fault_fired(w.fault))
			break;
		cr_assert_eq(world_export_all(&w, &counts), 0, "call %u", n);
		find_deep("");
	}
}

static void expect_notes(const char *expected)
{
	CLEANUP(names_release) struct names notes = { 0 };
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(BIG);

	cr_assert_eq(suspects_load(held, &notes), 0);
	for (size_t i = 0; i < notes.n; i++)
		strbuf_addf(&text, "%s\n", notes.names[i]);
	cr_assert_str_eq(text.len ? text.buf : "", expected);
}

Test(verify, a_full_pass_forgets_what_it_knew_and_nothing_that_was_found_meanwhile)
{
	char *both[] = { (char[]){ "a 1" }, (char[]){ "b 2" } };
	const struct names found = { .names = both, .n = 2 }, done = { .names = both, .n = 1 };

	cr_assert_eq(suspects_add(held, &found), 0);
	cr_assert_eq(suspects_forget(held, &done), 0);
	expect_notes("b 2\n");
	break_damaged();
	find_deep("damaged " LATEST "packages/foo\n");
	cr_assert_eq(export_foo(), 0);
	cr_assert_eq(access(held, F_OK), -1, "a plan is another file");
	world_export_well(&w, &counts);
	expect_notes("");
}

Test(verify, a_dry_run_shows_what_is_suspect_and_keeps_it)
{
	struct planned_out out = { .json = false };
	char *text = NULL;
	size_t n;

	break_damaged();
	find_deep("damaged " LATEST "packages/foo\n");
	out.file = open_memstream(&text, &n);
	w.options.dry_run = &out;
	cr_assert_eq(world_export_all(&w, &counts), 0);
	fclose(out.file);
	w.options.dry_run = NULL;
	expect_changes("");
	cr_assert(strstr(text, "write " LATEST "packages/foo (generation "), "%s", text);
	cr_assert(strstr(text, ": its bytes are not what its metadata say\n"), "%s", text);
	free(text);
	world_export_well(&w, &counts);
	expect_changes("write " LATEST "packages/foo\n");
}

Test(verify, a_note_that_cannot_be_kept_is_a_failure_with_all_findings)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);

	break_damaged();
	w.options.held = "/proc/none/sync.held";
	cr_assert_eq(found_by(true, &v, &found), -EIO);
	cr_assert_str_eq(found.buf, "damaged " LATEST "packages/foo\n");
}

/* A canonical archive that is none, with the row that names its hash. */
static void accept_no_archive(const char *package)
{
	static const char text[] = "no archive at all";
	struct body body = body_of_bytes(text, strlen(text));
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	object_init(&edit.object);
	edit.object.key = xasprintf("packages/%s-1.0.0.tar.gz", package);
	cr_assert_eq(store_edit(w.canonical, &edit, 1), 0);
	edit_release(&edit, 1);
	sha256(text, strlen(text), sum);
	hex_encode(sum, SHA256_SIZE, hex);
	world_sql(&w, "UPDATE package_version SET archive_sha256 = '%s' WHERE package = '%s'", hex,
		  package);
}

/* What the gate would refuse now, got in while it was off. */
Test(verify, what_clients_could_not_read_is_found_by_reading_it)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	struct publisher_options open = { .store = w.counter,
					  .gate = GATE_OFF,
					  .runtime_version = RUNTIME };

	publisher_free(w.publisher);
	cr_assert_eq(publisher_new(&open, &w.publisher), 0);
	w.options.publisher = w.publisher;
	accept_no_archive("bar");
	world_export_well(&w, &counts);
	expect_found(false, "");
	cr_assert_eq(found_by(true, &v, &found), 0);
	cr_assert_str_eq(found.buf, "broken " OWN "archives/bar-1.0.0.tar.gz\n"
				    "broken " LATEST "archives/bar-1.0.0.tar.gz\n",
			 "%s", found.buf);
}

Test(verify, what_waits_for_gc_and_what_is_of_no_kind_is_named_and_is_no_difference)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	CLEANUP(free_char) char *routes = NULL;

	world_sql(&w, "DELETE FROM package_version WHERE version = '2.0.0'");
	world_sql(&w, "DELETE FROM package WHERE name = 'bar'");
	world_sql(&w, "DELETE FROM package_version WHERE package = 'bar'");
	world_export_well(&w, &counts);
	world_put_stray(&w, LATEST "packages/foo/notes");
	world_put_stray(&w, LATEST "elsewhere");
	world_put_stray(&w, LATEST "packages/bar/notes"); /* goes with its package */
	world_put_stray(&w, LATEST "archives/bar-1.0.0.zip"); /* and this does not */
	world_put_stray(&w, LATEST "archives/foo"); /* it has no dash, so is none of foo's */
	world_put_stray(&w, RUNTIME "/readme");
	cr_assert_eq(found_by(false, &v, &found), 0);
	routes = routes_of(found.buf);
	cr_assert_str_eq(routes, "garbage " OWN "archives/bar-1.0.0.tar.gz\n"
				    "garbage " OWN "archives/foo-2.0.0.tar.gz\n"
				    "garbage " OWN "packages/bar\n"
				    "garbage " OWN "packages/bar/advisories\n"
				    "stray " RUNTIME "/readme\n"
				    "garbage " LATEST "archives/bar-1.0.0.tar.gz\n"
				    "stray " LATEST "archives/bar-1.0.0.zip\n"
				    "stray " LATEST "archives/foo\n"
				    "garbage " LATEST "archives/foo-2.0.0.tar.gz\n"
				    "stray " LATEST "elsewhere\n"
				    "garbage " LATEST "packages/bar\n"
				    "garbage " LATEST "packages/bar/advisories\n"
				    "garbage " LATEST "packages/bar/notes\n"
				    "stray " LATEST "packages/foo/notes\n",
			 "%s", found.buf);
	for (unsigned kind = 0; kind < FINDING_DIFFERENCES; kind++)
		cr_assert_eq(v.counts[kind], 0);
	cr_assert_eq(v.objects, 20 + PREFIXES * (2 * (PACKAGE_DOCUMENTS - 2) + SITE_DOCUMENTS));
	cr_assert_eq(v.packages, 1);
}

/* Of two packages with three versions in all. */
#define OBJECTS (PREFIXES * (3 + 2 * PACKAGE_DOCUMENTS + SITE_DOCUMENTS))

Test(verify, no_body_is_read_unless_that_is_asked_for_and_then_each_once)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
	struct store_counts c;

	counter_read(w.counter);
	counter_read(w.canonical_counter);
	expect_found(false, "");
	c = counter_read(w.counter);
	cr_assert_eq(c.read, 0);
	cr_assert_eq(c.stat, PREFIXES * SITE_DOCUMENTS);
	c = counter_read(w.canonical_counter);
	cr_assert_eq(c.read + c.stat, 0);
	cr_assert_eq(found_by(true, &v, &found), 0);
	c = counter_read(w.counter);
	cr_assert_eq(v.objects, OBJECTS);
	cr_assert_eq(v.bodies, OBJECTS);
	cr_assert_eq(c.read, OBJECTS);
}

Test(verify, no_record_of_an_export_is_believed)
{
	/* all is on record as it should be, and is not */
	break_stale();
	world_sql(&w, "UPDATE export_state SET change = (SELECT change FROM package_change WHERE"
		      " package_change.package = export_state.package)");
	expect_found(false, "stale " OWN "packages/bar\nstale " LATEST "packages/bar\n");
}

Test(verify, one_package_can_be_asked_for)
{
	CLEANUP(verification_release) struct verification v;
	char *names[] = { (char[]){ "foo" } };
	const struct verifier_options options = { .exporter = &w.options };

	break_stale();
	break_dangling();
	cr_assert_eq(verify(&options, names, 1, &v), 0);
	cr_assert_eq(v.n, 1);
	cr_assert_str_eq(v.findings[0].key, LATEST "archives/foo-1.0.0.tar.gz");
	verification_release(&v);
	names[0] = (char[]){ "nobody" };
	cr_assert_eq(verify(&options, names, 1, &v), -ENOENT);
}

Test(verify, a_package_that_cannot_be_exported_is_a_failure_and_holds_up_no_other)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);

	break_dangling();
	world_sql(&w, "UPDATE package_version SET pubspec = '[]' WHERE package = 'bar'");
	cr_assert_eq(found_by(false, &v, &found), -EIO);
	cr_assert_str_eq(found.buf, "dangling " LATEST "archives/foo-1.0.0.tar.gz\n");
}

Test(verify, a_database_that_an_export_would_hold_is_held)
{
	CLEANUP(verification_release) struct verification v;
	const struct verifier_options options = { .exporter = &w.options };

	world_sql(&w, "DELETE FROM package_version; DELETE FROM package");
	cr_assert_eq(verify(&options, NULL, 0, &v), -ECANCELED);
	cr_assert_eq(v.n, 0);
}

Test(verify, whichever_call_fails_it_is_a_failure_and_nothing_is_changed)
{
	for (unsigned n = 1;; n++) {
		CLEANUP(verification_release) struct verification v;
		CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);
		int r;

		free(recorder_take(w.recorder));
		fault_arm(w.fault, n, -EIO);
		r = found_by(true, &v, &found);
		world_expect_order(&w, "");
		cr_assert_eq(r < 0, fault_fired(w.fault), "call %u: %d", n, r);
		cr_assert_eq(v.n, 0, "call %u: %s", n, found.buf);
		if (!fault_fired(w.fault))
			break;
	}
}

Test(verify, a_document_of_a_prefix_is_looked_at_like_one_of_a_package)
{
	CLEANUP(verification_release) struct verification v;
	CLEANUP(strbuf_release) struct strbuf found = STRBUF_INIT(BIG);

	remove_object("latest/feed.atom");
	world_replace(&w, "latest/not-found.json", NULL, other_type);
	world_put(&w, RUNTIME "/api/package-name-completion-data", "{\"packages\":[\"x\"]}", "hand");
	remove_object(LATEST "packages/foo/likes");
	cr_assert_eq(found_by(false, &v, &found), 0);
	cr_assert_str_eq(found.buf,
			 "stale " OWN "package-name-completion-data\n"
			 "missing " LATEST "packages/foo/likes\nmissing latest/feed.atom\n"
			 "headers latest/not-found.json\n",
			 "%s", found.buf);
	world_export_well(&w, &counts);
	expect_found(false, "");
}

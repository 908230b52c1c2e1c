/* SPDX-License-Identifier: BSD-3-Clause */
/* survey_test.c - what lies in a prefix, package by package. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../../fs/export/survey.h"
#include "body.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define TEXT_MAX ((size_t)16 << 20)

static void put(struct store *s, const char *key)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_eq(store_edit(s, &edit, 1), 0);
	edit_release(&edit, 1);
}

/* "foo: KEY KEY\n" for each call; "-:" where there is no package. `ctx` is a strbuf. */
static int note(void *ctx, const char *package, const struct survey *have)
{
	struct strbuf *out = ctx;

	strbuf_addf(out, "%s:", package ? package : "-");
	for (size_t i = 0; i < have->n; i++)
		strbuf_addf(out, " %s", strchr(have->objects[i].key, '/') + 1);
	strbuf_addch(out, '\n');
	return 0;
}

static void expect_walk(const char *const *keys, const char *expected)
{
	CLEANUP(strbuf_release) struct strbuf seen = STRBUF_INIT(TEXT_MAX);
	struct store *s;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &s), 0);
	for (; *keys; keys++)
		put(s, *keys);
	cr_assert_eq(survey_walk(s, "latest", note, &seen), 0);
	cr_assert_str_eq(seen.buf, expected);
	store_close(s);
}

Test(survey, a_walk_shows_each_package_once_with_its_archives_and_documents)
{
	expect_walk((const char *[]){ "latest/api/archives/foo-1.0.0.tar.gz",
				      "latest/api/archives/foo-1.1.0-b.tar.gz",
				      "latest/api/archives/foo_bar-1.0.0.tar.gz",
				      "latest/api/archives/only_archive-1.0.0.tar.gz",
				      "latest/api/packages/a", "latest/api/packages/foo",
				      "latest/api/packages/foo/advisories",
				      "latest/api/packages/foo/likes", "latest/api/packages/foo2",
				      "latest/api/packages/foo_bar/advisories",
				      "latest2/api/packages/other", NULL },
		    "a: api/packages/a\n"
		    "foo: api/archives/foo-1.0.0.tar.gz api/archives/foo-1.1.0-b.tar.gz "
		    "api/packages/foo api/packages/foo/advisories api/packages/foo/likes\n"
		    "foo2: api/packages/foo2\n"
		    "foo_bar: api/archives/foo_bar-1.0.0.tar.gz "
		    "api/packages/foo_bar/advisories\n"
		    "only_archive: api/archives/only_archive-1.0.0.tar.gz\n");
}

Test(survey, names_of_no_package_between_those_of_one_do_not_split_it)
{
	expect_walk((const char *[]){ "latest/api/archives/foo", "latest/api/archives/foo-1.0.0",
				      "latest/api/archives/foo.x-1", "latest/api/packages/foo",
				      "latest/api/packages/foo-bar", "latest/api/packages/foo.x",
				      "latest/api/packages/foo/advisories", NULL },
		    "foo: api/archives/foo-1.0.0 api/packages/foo api/packages/foo/advisories\n"
		    "-: api/archives/foo api/archives/foo.x-1 api/packages/foo-bar "
		    "api/packages/foo.x\n");
}

Test(survey, a_walk_shows_what_lies_in_neither_folder)
{
	expect_walk((const char *[]){ "latest/a", "latest/api/a", "latest/api/archives",
				      "latest/api/archives.x", "latest/api/archives/foo-1.0.0.tar.gz",
				      "latest/api/archives0", "latest/api/packages",
				      "latest/api/packages/foo", "latest/api/packages0",
				      "latest/z/z", NULL },
		    "foo: api/archives/foo-1.0.0.tar.gz api/packages/foo\n"
		    "-: a api/a api/archives api/archives.x api/archives0 api/packages "
		    "api/packages0 z/z\n");
}

Test(survey, a_walk_over_nothing_shows_nothing)
{
	expect_walk((const char *[]){ "other/api/packages/foo", NULL }, "");
}

/* Counts packages and objects. */
struct sums {
	size_t packages, objects, others, calls;
};

static int add_sums(void *ctx, const char *package, const struct survey *have)
{
	struct sums *sums = ctx;

	sums->calls++;
	sums->packages += package != NULL;
	*(package ? &sums->objects : &sums->others) += have->n;
	return 0;
}

Test(survey, a_walk_over_many_pages_misses_and_repeats_nothing)
{
	struct sums sums = { 0 };
	struct store *s;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &s), 0);
	for (unsigned i = 0; i < 700; i++) {
		for (unsigned v = 0; v < 3; v++) {
			CLEANUP(free_char) char *archive = xasprintf(
				"latest/api/archives/p%u-%u.0.0.tar.gz", i, v);

			put(s, archive);
		}
		CLEANUP(free_char) char *listing = xasprintf("latest/api/packages/p%u", i);
		CLEANUP(free_char) char *below = xasprintf("latest/api/packages/p%u/likes", i);
		CLEANUP(free_char) char *junk = xasprintf("latest/api/packages/p%u.x", i);
		CLEANUP(free_char) char *rest = xasprintf("latest/r%u", i);

		put(s, listing);
		put(s, below);
		put(s, junk);
		put(s, rest);
	}
	cr_assert_eq(survey_walk(s, "latest", add_sums, &sums), 0);
	cr_assert_eq(sums.packages, 700);
	cr_assert_eq(sums.objects, 700 * 5);
	cr_assert_eq(sums.others, 700 * 2);
	cr_assert_eq(sums.calls - sums.packages, 2, "pages of 1,000");
	store_close(s);
}

static int stop_at_b(void *ctx, const char *package, const struct survey *have)
{
	(void)have;
	++*(size_t *)ctx;
	return package && !strcmp(package, "b") ? -EBUSY : 0;
}

Test(survey, a_walk_ends_with_what_its_caller_says)
{
	size_t calls = 0;
	struct store *s;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &s), 0);
	put(s, "latest/api/packages/a");
	put(s, "latest/api/packages/b");
	put(s, "latest/api/packages/c");
	cr_assert_eq(survey_walk(s, "latest", stop_at_b, &calls), -EBUSY);
	cr_assert_eq(calls, 2);
	store_close(s);
}

Test(survey, a_list_that_fails_ends_the_walk_whichever_it_is)
{
	struct store *s, *fault;

	cr_assert_eq(store_open("mem:", STORE_CREATE, &s), 0);
	put(s, "latest/api/archives/a-1.0.0.tar.gz");
	put(s, "latest/api/packages/b");
	put(s, "latest/c");
	cr_assert_eq(fault_push(s, &fault), 0);
	for (unsigned n = 1;; n++) {
		struct sums sums = { 0 };
		int r;

		fault_arm(fault, n, -EIO);
		r = survey_walk(fault, "latest", add_sums, &sums);
		cr_assert_eq(r, fault_fired(fault) ? -EIO : 0, "list %u", n);
		if (!fault_fired(fault))
			break;
	}
	store_close(fault);
}

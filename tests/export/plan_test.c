/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_test.c - what an export changes, and in which order (spec, sections 11 and 20). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/export/order.h"
#include "../../fs/export/plan.h"
#include "../../fs/export/survey.h"
#include "memory.h"

enum state { VISIBLE, MODERATED, DELETED, UNUSABLE };

/* A package `foo`, what its prefix `latest` has of it, and which archives are canonical. */
struct scene {
	bool moderated, deleted;
	struct {
		const char *version;
		enum state state;
	} rows[4];
	const char *have[6]; /* below latest/api/, in key order */
	const char *canonical[4];
	enum plan_verdict verdict;
	const char *steps;
	size_t garbage, no_archive;
};

/* A bar stands between stages. */
#define EXPORT_DOCUMENTS                                                                           \
	"write packages/foo/advisories\nwrite packages/foo\n|\n"                                   \
	"write packages/foo/likes\nwrite packages/foo/options\nwrite packages/foo/publisher\n"      \
	"write packages/foo/score\nwrite packages/foo/feed.atom\n"

static const struct scene scenes[] = {
	/* archives, then advisories, then the listing, then what stands apart */
	{ .rows = { { "1.0.0", VISIBLE }, { "2.0.0", VISIBLE } },
	  .canonical = { "1.0.0", "2.0.0" },
	  .steps = "copy archives/foo-1.0.0.tar.gz\ncopy "
		   "archives/foo-2.0.0.tar.gz\n" EXPORT_DOCUMENTS },
	/* a listed version without an archive stays listed, and its exported archive stays */
	{ .rows = { { "1.0.0", VISIBLE }, { "2.0.0", VISIBLE } },
	  .have = { "archives/foo-1.0.0.tar.gz" },
	  .canonical = { "2.0.0" },
	  .steps = "copy archives/foo-2.0.0.tar.gz\n" EXPORT_DOCUMENTS,
	  .no_archive = 1 },
	/* a version that is taken down goes after the listing was rewritten */
	{ .rows = { { "1.0.0", VISIBLE }, { "2.0.0", MODERATED }, { "3.0.0", DELETED } },
	  .have = { "archives/foo-1.0.0.tar.gz", "archives/foo-2.0.0.tar.gz",
		    "archives/foo-3.0.0.tar.gz", "packages/foo" },
	  .canonical = { "1.0.0", "2.0.0", "3.0.0" },
	  .steps = "copy archives/foo-1.0.0.tar.gz\n" EXPORT_DOCUMENTS
		   "|\nremove archives/foo-2.0.0.tar.gz\nremove archives/foo-3.0.0.tar.gz\n" },
	/* an archive without a row is counted and stays; so does a name that is none of ours */
	{ .rows = { { "1.0.0", VISIBLE } },
	  .have = { "archives/foo-0.9.0.tar.gz", "archives/foo-1.0.0.zip" },
	  .steps = EXPORT_DOCUMENTS,
	  .garbage = 1,
	  .no_archive = 1 },
	/* what is left out of the listing keeps the archive that it has, and gets none */
	{ .rows = { { "1.0.0", VISIBLE }, { "2.0.0", UNUSABLE }, { "3.0.0", UNUSABLE } },
	  .have = { "archives/foo-2.0.0.tar.gz" },
	  .canonical = { "2.0.0", "3.0.0" },
	  .steps = EXPORT_DOCUMENTS,
	  .no_archive = 1 },
	/* an invisible package goes whole, in reverse, archives of absent rows too */
	{ .moderated = true,
	  .rows = { { "1.0.0", VISIBLE } },
	  .have = { "archives/foo-0.9.0.tar.gz", "archives/foo-1.0.0.tar.gz", "packages/foo",
		    "packages/foo/advisories" },
	  .canonical = { "1.0.0" },
	  .verdict = PLAN_TAKE_DOWN,
	  .steps = "remove packages/foo\nremove packages/foo/advisories\n"
		   "remove archives/foo-0.9.0.tar.gz\nremove archives/foo-1.0.0.tar.gz\n" },
	{ .deleted = true,
	  .have = { "archives/foo-1.0.0.zip", "packages/foo", "packages/foo/unknown",
		    "packages/foo/unknown/likes" },
	  .verdict = PLAN_TAKE_DOWN,
	  .steps = "remove packages/foo\n" },
	/* what stands apart goes before the listing */
	{ .moderated = true,
	  .have = { "archives/foo-1.0.0.tar.gz", "packages/foo", "packages/foo/feed.atom",
		    "packages/foo/likes", "packages/foo/score" },
	  .verdict = PLAN_TAKE_DOWN,
	  .steps = "remove packages/foo/feed.atom\nremove packages/foo/likes\n"
		   "remove packages/foo/score\n|\nremove packages/foo\n"
		   "remove archives/foo-1.0.0.tar.gz\n" },
	/* all versions taken down: as if the package were */
	{ .rows = { { "1.0.0", MODERATED }, { "2.0.0", DELETED } },
	  .have = { "archives/foo-1.0.0.tar.gz", "packages/foo" },
	  .verdict = PLAN_TAKE_DOWN,
	  .steps = "remove packages/foo\nremove archives/foo-1.0.0.tar.gz\n" },
	/* no version row at all: what is there stays */
	{ .have = { "archives/foo-1.0.0.tar.gz", "packages/foo" },
	  .verdict = PLAN_NO_ROWS,
	  .steps = "" },
	/* never a listing without versions, but what is taken down goes all the same */
	{ .rows = { { "1.0.0", UNUSABLE }, { "2.0.0", MODERATED } },
	  .have = { "archives/foo-1.0.0.tar.gz", "archives/foo-2.0.0.tar.gz", "packages/foo" },
	  .canonical = { "1.0.0" },
	  .verdict = PLAN_UNUSABLE,
	  .steps = "remove archives/foo-2.0.0.tar.gz\n" },
};

static void scene_package(const struct scene *scene, struct package *pkg)
{
	package_init(pkg);
	pkg->name = xstrdup("foo");
	pkg->moderated = scene->moderated;
	pkg->deleted = scene->deleted;
	pkg->versions = xcalloc(ARRAY_SIZE(scene->rows), sizeof(*pkg->versions));
	for (size_t i = 0; i < ARRAY_SIZE(scene->rows) && scene->rows[i].version; i++) {
		struct package_version *v = &pkg->versions[pkg->n_versions++];

		v->version = xstrdup(scene->rows[i].version);
		v->pubspec =
			xasprintf("{\"name\":\"%s\",\"version\":\"%s\"}",
				  scene->rows[i].state == UNUSABLE ? "bar" : "foo", v->version);
		v->pubspec_len = strlen(v->pubspec);
		v->moderated = scene->rows[i].state == MODERATED;
		v->deleted = scene->rows[i].state == DELETED;
	}
}

static void add_object(struct survey *survey, const char *fmt, const char *name)
{
	struct object *obj;

	GROW(survey->objects, survey->n, survey->alloc);
	obj = &survey->objects[survey->n++];
	object_init(obj);
	obj->generation = 40 + survey->n;
	if (strstr(fmt, "packages/foo-"))
		obj->key = xasprintf("packages/foo-%s.tar.gz", name);
	else
		obj->key = xasprintf("latest/api/%s", name);
}

static char *plan_text(const struct plan *plan)
{
	static const char *const verbs[] = { "copy", "write", "remove" };
	struct strbuf text = STRBUF_INIT(10000);

	for (size_t i = 0; i < plan->n; i++) {
		const struct step *step = &plan->steps[i];

		if (i && step->stage > step[-1].stage)
			strbuf_addstr(&text, "|\n");
		cr_assert(step->stage < STAGES && (!i || step->stage >= step[-1].stage));
		cr_assert_eq(step->apart, order_of(step->key) == ORDER_REST);
		strbuf_addf(&text, "%s %s\n", verbs[step->kind], step->key + strlen("latest/api/"));
	}
	return strbuf_detach(&text);
}

static void scene_plan(const struct scene *scene, struct package *pkg,
		       struct release_list *releases, struct survey *have, struct survey *canonical,
		       struct plan *ret)
{
	const struct rendering how = { .base_url = "https://pub.example.com" };

	scene_package(scene, pkg);
	cr_assert_eq(releases_select(pkg, &how, releases), 0);
	for (size_t i = 0; i < ARRAY_SIZE(scene->have) && scene->have[i]; i++)
		add_object(have, "latest/api/", scene->have[i]);
	for (size_t i = 0; i < ARRAY_SIZE(scene->canonical) && scene->canonical[i]; i++)
		add_object(canonical, "packages/foo-", scene->canonical[i]);
	cr_assert_eq(plan_make(pkg, releases, "latest", have, canonical, ret), 0);
}

#define SCENE_PLAN(scene)                                                                          \
	CLEANUP(package_release) struct package pkg;                                               \
	CLEANUP(releases_release) struct release_list releases = { 0 };                            \
	CLEANUP(survey_release) struct survey have = { 0 };                                        \
	CLEANUP(survey_release) struct survey canonical = { 0 };                                   \
	CLEANUP(plan_release) struct plan plan = { 0 };                                            \
	scene_plan(scene, &pkg, &releases, &have, &canonical, &plan)

Test(plan, the_steps_are_what_the_rows_and_the_objects_ask_for_in_their_safe_order)
{
	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		SCENE_PLAN(&scenes[i]);
		CLEANUP(free_char) char *text = plan_text(&plan);

		cr_assert_str_eq(text, scenes[i].steps, "scene %zu: %s", i, text);
		cr_assert_eq(plan.verdict, scenes[i].verdict, "scene %zu", i);
		cr_assert_eq(plan.garbage, scenes[i].garbage, "scene %zu", i);
		cr_assert_eq(plan.no_archive, scenes[i].no_archive, "scene %zu", i);
	}
}

Test(plan, a_step_has_the_object_it_was_decided_on_and_the_source_of_a_copy)
{
	SCENE_PLAN(&scenes[2]);
	const struct step *copy = &plan.steps[0], *listing = &plan.steps[2];

	cr_assert_eq(copy->have, survey_find(&have, "latest/api/archives/foo-1.0.0.tar.gz"));
	cr_assert_eq(copy->source, survey_find(&canonical, "packages/foo-1.0.0.tar.gz"));
	cr_assert_not_null(copy->have);
	cr_assert_not_null(copy->source);
	cr_assert_null(plan.steps[1].have, "there are no advisories");
	cr_assert_eq(listing->have->generation, 44);
	cr_assert_eq(package_documents[listing->document].kind, KIND_LISTING);
	cr_assert_eq(plan.steps[1 + n_package_documents].have->generation, 42);
}

Test(plan, the_hash_of_a_row_goes_with_its_copy_unless_it_is_empty)
{
	static const char *const hashes[] = {
		NULL, "", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	};

	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		SCENE_PLAN(&scenes[0]);
		struct release_list again;
		const struct rendering how = { .base_url = "https://pub.example.com" };

		pkg.versions[0].archive_sha256 = xstrdup_or_null(hashes[i]);
		cr_assert_eq(releases_select(&pkg, &how, &again), 0);
		plan_release(&plan);
		cr_assert_eq(plan_make(&pkg, &again, "latest", &have, &canonical, &plan), 0);
		if (i < 2)
			cr_assert_null(plan.steps[0].sha256);
		else
			cr_assert_str_eq(plan.steps[0].sha256, hashes[i]);
		releases_release(&again);
	}
}

Test(plan, a_change_that_the_database_cannot_have_made_is_foreign)
{
	static const struct {
		const char *mark;
		bool foreign;
	} marks[] = {
		{ "7-0123456789abcdef", false },
		{ "7-0123456789abcdee", true },
		{ "8-0123456789abcdef", true },
		{ "6-aaaaaaaaaaaaaaaa", false },
		{ "10-0123456789abcdef", true },
		{ "hand", false },
		{ NULL, false },
		{ "", false },
		{ "8", false },
		{ "8-", false },
		{ "8-0123456789abcde", false },
		{ "8-0123456789abcdefa", false },
		{ "-8-0123456789abcdef", false },
		{ "99999999999999999999-0123456789abcdef", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		cr_assert_eq(change_is_foreign(marks[i].mark, "7-0123456789abcdef"),
			     marks[i].foreign, "%s", marks[i].mark);
}

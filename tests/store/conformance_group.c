/* SPDX-License-Identifier: BSD-3-Clause */
/* conformance_group.c - the checks of store.h that are about many edits in one call. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "body.h"
#include "conformance.h"
#include "memory.h"

#define KEY "latest/api/packages/http"

void conformance_no_edits_are_a_success(struct store *s)
{
	cr_assert_eq(store_edit(s, NULL, 0), 0);
}

void conformance_edits_of_a_group_are_made_in_their_order(struct store *s)
{
	struct body one = body_of_bytes("1", 1), two = body_of_bytes("2", 1);
	struct edit edits[] = {
		edit_write(KEY, &one, 1),
		edit_other(EDIT_REMOVE, KEY, STORE_ANY),
		edit_write(KEY, &two, 1),
	};

	edits[0].if_generation = edits[2].if_generation = STORE_ABSENT;
	edits[1].group = 1;
	cr_assert_eq(store_edit(s, edits, 3), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(edits[i].result, 0);
	expect_text(s, KEY, "2");
	edit_release(edits, 3);
}

void conformance_after_a_failure_the_rest_of_its_group_is_not_tried(struct store *s)
{
	static const struct {
		const char *key;
		unsigned group;
		uint64_t condition;
		int result;
	} rows[] = {
		{ "a1", 1, STORE_ANY, 0 },	    { "a2", 1, 12345, -ESTALE },
		{ "a3", 1, STORE_ANY, -ECANCELED }, { "a4", 1, 12345, -ECANCELED },
		{ "b1", 2, STORE_ABSENT, 0 },	    { "c1", 3, 12345, -ESTALE },
		{ "d1", 4, STORE_ANY, 0 },	    { "d2", 4, STORE_ANY, 0 },
	};
	struct edit edits[ARRAY_SIZE(rows)];
	struct body body = body_of_bytes("x", 1);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		edits[i] = edit_write(rows[i].key, &body, rows[i].group);
		edits[i].if_generation = rows[i].condition;
	}
	cr_assert_eq(store_edit(s, edits, ARRAY_SIZE(rows)), -ESTALE);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(edits[i].result, rows[i].result, "%s: %d", rows[i].key,
			     edits[i].result);
		cr_assert_eq(edits[i].object.generation != 0, !rows[i].result);
	}
	expect_list(s, "", true, NULL, "a1 b1 d1 d2 ");
	edit_release(edits, ARRAY_SIZE(rows));
}

void conformance_the_first_failure_is_returned(struct store *s)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edits[3] = { edit_write("a", &body, 1), edit_copy("b", s, "none", STORE_ANY),
				 edit_write("c", &body, 3) };

	edits[1].group = 2;
	edits[2].if_generation = 7;
	cr_assert_eq(store_edit(s, edits, 3), -ENOENT);
	cr_assert_eq(edits[2].result, -ESTALE);
	expect_list(s, "", true, NULL, "a ");
	edit_release(edits, 3);
}

void conformance_many_edits_are_all_made(struct store *s)
{
	enum { MANY = 3000 }; /* more than a process may have open files */
	struct edit *edits = xcalloc(MANY, sizeof(*edits));
	struct body body = body_of_bytes("body", 4);
	uint64_t last = 0;

	for (unsigned i = 0; i < MANY; i++) {
		CLEANUP(free_char) char *key = xasprintf("many/%u/object-%u", i / 100, i);

		edits[i] = edit_write(key, &body, i / 7);
	}
	cr_assert_eq(store_edit(s, edits, MANY), 0);
	for (unsigned i = 0; i < MANY; i++) {
		cr_assert_eq(edits[i].result, 0);
		cr_assert_gt(edits[i].object.generation, last);
		last = edits[i].object.generation;
	}
	cr_assert_eq(generation_of(s, "many/29/object-2999"), last);
	edit_release(edits, MANY);
	free(edits);
}

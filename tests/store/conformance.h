/* SPDX-License-Identifier: BSD-3-Clause */
/* conformance.h - what store.h promises, as checks that every driver passes. */
#ifndef PUBFS_TESTS_STORE_CONFORMANCE_H
#define PUBFS_TESTS_STORE_CONFORMANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "store.h"

/* One row a check; each is given an empty store. A driver's test has, with X its own macro:
 *	#define X(check) Test(dir, check) { ... conformance_##check(s); ... }
 *	CONFORMANCE(X)
 */
#define CONFORMANCE(X)                                                                             \
	X(a_store_has_a_url_an_identity_and_a_batch)                                               \
	X(what_is_not_there_is_enoent_and_leaves_the_output_alone)                                 \
	X(a_written_object_has_all_that_was_written)                                               \
	X(what_was_not_set_stays_unset)                                                            \
	X(texts_of_every_sort_are_kept)                                                            \
	X(an_empty_body_is_an_object_too)                                                          \
	X(a_body_may_be_memory_a_file_or_a_callback)                                               \
	X(a_body_that_cannot_be_read_changes_nothing)                                              \
	X(a_range_is_appended_and_short_only_at_the_end)                                           \
	X(a_read_is_of_the_generation_that_was_asked_for)                                          \
	X(a_full_buffer_takes_nothing)                                                             \
	X(generations_grow_even_over_a_removal)                                                    \
	X(an_overwrite_leaves_nothing_of_the_old_object)                                           \
	X(each_condition_of_a_write_holds)                                                         \
	X(each_condition_of_a_copy_holds)                                                          \
	X(each_condition_of_a_touch_holds)                                                         \
	X(each_condition_of_a_removal_holds)                                                       \
	X(a_condition_on_the_metageneration_holds_for_every_change)                                \
	X(a_wrong_md5_changes_nothing)                                                             \
	X(a_touch_replaces_the_metadata_and_keeps_the_bytes)                                       \
	X(a_copy_has_the_bytes_of_its_source_and_its_own_headers)                                  \
	X(a_copy_may_come_from_another_store)                                                      \
	X(a_copy_is_of_the_generation_that_was_asked_for)                                          \
	X(a_source_that_changes_meanwhile_is_estale)                                               \
	X(no_edits_are_a_success)                                                                  \
	X(edits_of_a_group_are_made_in_their_order)                                                \
	X(after_a_failure_the_rest_of_its_group_is_not_tried)                                      \
	X(the_first_failure_is_returned)                                                           \
	X(many_edits_are_all_made)                                                                 \
	X(lists_are_what_a_sorted_array_would_give)                                                \
	X(a_list_has_what_stat_says)                                                               \
	X(a_part_of_a_list_is_what_lies_before_its_end)                                            \
	X(a_list_ends_when_the_callback_says_so)                                                   \
	X(a_list_of_nothing_calls_nobody)                                                          \
	X(a_driver_is_always_fresh)                                                                \
	X(of_two_writers_with_one_condition_one_wins)                                              \
	X(a_reader_never_sees_a_mixture)                                                           \
	X(a_list_under_writers_shows_each_lasting_name_once)

#define X(check) void conformance_##check(struct store *s);
CONFORMANCE(X)
#undef X

/*
 * Where an emulator does otherwise than the store that it stands for. Its test names each such gap,
 * and the check then demands to meet it: on the day that the emulator is mended, that check fails.
 */
enum conformance_gap {
	GAP_COPY_CONDITION = 1 << 0,   /* a copy ignores the condition on its target */
	GAP_SOURCE_CONDITION = 1 << 1, /* a copy ignores the generation of its source */
	GAP_COPY_HEADERS = 1 << 2,     /* a copy keeps its source's headers where it has none */
	GAP_REMOVE_CONDITION = 1 << 3, /* a removal ignores its condition */
	GAP_TOUCH_CONDITION = 1 << 4,  /* a touch ignores its condition */
	GAP_TOUCH_HEADERS = 1 << 5,    /* a touch takes no header away */
	GAP_METAGENERATION = 1 << 6,   /* a touch does not count */
	GAP_UPDATED = 1 << 7,	       /* a new object was updated after it was created */
	GAP_LIST_FOLDER = 1 << 8,      /* a list after a key in a folder leaves the folder out */
};
void conformance_admit(unsigned gaps); /* for this process; none is admitted by itself */
bool conformance_admits(enum conformance_gap gap);

/* Some 70,000 lists are there to be compared with a model: this store is asked for one in `step`,
 * a prime, and a seventh of them if nobody says so. */
void conformance_sample_lists(unsigned step);
unsigned conformance_list_step(void);

/* What other tests of stores use, too. */

/* Writes `text` and returns the result; the new generation goes to *ret, which may be NULL. */
int put_text(struct store *s, const char *key, const char *text, uint64_t if_generation,
	     uint64_t *ret) MUST_CHECK;
int remove_key(struct store *s, const char *key, uint64_t if_generation) MUST_CHECK;
/* 0: not there. */
uint64_t generation_of(struct store *s, const char *key);
/* Fails the test unless the stored bytes are `text`. */
void expect_text(struct store *s, const char *key, const char *text);
/* The keys of a list, each followed by a space. The caller frees it. */
char *list_text(struct store *s, const char *prefix, bool deep, const char *after) MUST_CHECK;
void expect_list(struct store *s, const char *prefix, bool deep, const char *after,
		 const char *expected);
/* Fails the test unless all but the bytes is the same. */
void expect_same(const struct object *a, const struct object *b);
/* Sets every header and custom key. */
void fill_headers(struct object *obj);
/* BIG bytes that differ from place to place; to be freed. */
#define BIG ((size_t)3 << 20)
char *big_text(char seed);
/* Makes one edit, releases it, and returns as put_text() does. */
int run_edit(struct store *s, struct edit *e, uint64_t *ret) MUST_CHECK;
/* A write of a body that the caller keeps, with no condition. */
struct edit edit_write(const char *key, const struct body *body, unsigned group);
/* Of the group 0; a copy without a condition on its target. */
struct edit edit_other(enum edit_op op, const char *key, uint64_t if_generation);
struct edit edit_copy(const char *key, struct store *from, const char *from_key,
		      uint64_t from_generation);

#endif

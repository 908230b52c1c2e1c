/* SPDX-License-Identifier: BSD-3-Clause */
/* index_test.c - the index: what it answers, what it asks, and that it ends up with the truth. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "conformance.h"
#include "index_world.h"
#include "memory.h"
#include "store_links.h"

#define KEY "latest/api/packages/http"

#define X(check)                                                                                   \
	Test(index_conformance, check)                                                             \
	{                                                                                          \
		struct world w;                                                                    \
                                                                                                   \
		world_open(&w);                                                                    \
		conformance_##check(w.s);                                                          \
		world_close(&w);                                                                   \
	}
CONFORMANCE(X)
#undef X

static void put(struct store *s, const char *key)
{
	cr_assert_eq(put_text(s, key, key, STORE_ANY, NULL), 0, "%s", key);
}

static void take(struct store *s, const char *key)
{
	cr_assert_eq(remove_key(s, key, STORE_ANY), 0, "%s", key);
}

static void refresh(struct world *w, const char *what)
{
	cr_assert_eq(store_refresh(w->s, what, 0), 0, "%s", what);
}

/* Everything anew. */
static void refresh_all(struct world *w)
{
	CLEANUP(free_char) char *names = list_text(w->mem, "", false, NULL);
	char *rest = names;

	refresh(w, "");
	for (const char *name; (name = strsep(&rest, " "));)
		if (*name && name[strlen(name) - 1] == '/')
			refresh(w, name);
}

static void expect_calls(struct world *w, unsigned long lists, unsigned long stats)
{
	struct store_counts counts = counter_read(w->counter);

	cr_assert_eq(counts.list, lists, "%lu lists, not %lu", counts.list, lists);
	cr_assert_eq(counts.stat, stats, "%lu stats, not %lu", counts.stat, stats);
}

Test(index, the_first_use_of_a_top_lists_it_and_then_nothing_is_asked)
{
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	put(w.mem, "2026.08.18/x");
	cr_assert_neq(generation_of(w.s, KEY), 0);
	expect_calls(&w, 2, 0); /* the names at the top, and all below latest/ */
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(generation_of(w.s, "latest/nothing"), 0);
	expect_list(w.s, "latest/", true, NULL, KEY " ");
	expect_list(w.s, "", false, NULL, "2026.08.18/ latest/ ");
	expect_list(w.s, "la", true, NULL, KEY " ");
	expect_calls(&w, 0, 0);
	expect_list(w.s, "", true, NULL, "2026.08.18/x " KEY " ");
	expect_calls(&w, 1, 0);
	world_reopen(&w);
	expect_list(w.s, "", true, NULL, "2026.08.18/x " KEY " ");
	expect_calls(&w, 0, 0);
	world_close(&w);
}

Test(index, a_top_that_is_not_there_is_not_asked_for)
{
	struct world w;

	world_open(&w);
	expect_list(w.s, "", false, NULL, "");
	expect_calls(&w, 1, 0);
	cr_assert_eq(generation_of(w.s, KEY), 0);
	expect_list(w.s, "latest/", true, NULL, "");
	expect_list(w.s, "latest/api", false, NULL, "");
	expect_calls(&w, 0, 0);
	world_close(&w);
}

Test(index, names_at_the_top_need_no_deep_listing)
{
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	put(w.mem, "latest0");
	put(w.mem, "a");
	put(w.mem, "m/x");
	expect_list(w.s, "", false, NULL, "a latest/ latest0 m/ ");
	expect_list(w.s, "", false, "a", "latest/ latest0 m/ ");
	expect_list(w.s, "", false, "latest/", "latest0 m/ ");
	expect_list(w.s, "l", false, NULL, "latest/ latest0 ");
	cr_assert_neq(generation_of(w.s, "a"), 0);
	expect_calls(&w, 1, 0);
	put(w.s, "latest/new"); /* a row below a top that is known by its name alone */
	expect_list(w.s, "", false, NULL, "a latest/ latest0 m/ ");
	refresh(&w, "m/");
	take(w.s, "m/x"); /* what was listed is shown by its rows */
	expect_list(w.s, "", false, NULL, "a latest/ latest0 ");
	world_close(&w);
}

Test(index, a_top_that_was_emptied_and_is_filled_by_others_is_seen_again)
{
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	put(w.mem, "m/x");
	refresh_all(&w);
	refresh(&w, "");
	take(w.s, "m/x");
	expect_list(w.s, "", false, NULL, "latest/ "); /* removed after it was seen */
	put(w.mem, "m/y");
	refresh(&w, "");
	expect_list(w.s, "", false, NULL, "latest/ m/ ");
	refresh(&w, "m/");
	expect_list(w.s, "m/", true, NULL, "m/y ");
	world_close(&w);
}

Test(index, a_top_that_begins_with_an_own_write_is_still_listed)
{
	struct world w;

	world_open(&w);
	expect_list(w.s, "", false, NULL, "");
	put(w.s, "latest/mine");
	put(w.mem, "latest/theirs");
	expect_list(w.s, "", false, NULL, "latest/ ");
	expect_list(w.s, "latest/", true, NULL, "latest/mine latest/theirs ");
	world_close(&w);
}

Test(index, edits_show_at_once_without_a_question)
{
	struct world w;
	struct object obj = { 0 };
	uint64_t generation;

	world_open(&w);
	expect_list(w.s, "latest/", true, NULL, "");
	cr_assert_eq(put_text(w.s, KEY, "text", STORE_ABSENT, &generation), 0);
	expect_list(w.s, "latest/", true, NULL, KEY " ");
	counter_read(w.counter);
	cr_assert_eq(store_stat(w.s, KEY, &obj), 0);
	cr_assert_eq(obj.generation, generation);
	cr_assert_eq(obj.size, 4);
	cr_assert(obj.has_md5);
	object_release(&obj);
	take(w.s, KEY);
	cr_assert_eq(generation_of(w.s, KEY), 0);
	expect_list(w.s, "", false, NULL, "");
	expect_list(w.s, "latest/", false, NULL, "");
	expect_calls(&w, 0, 0);
	world_close(&w);
}

Test(index, all_edits_of_a_call_are_one_transaction)
{
	struct world w;
	struct body body = body_of_bytes("x", 1);
	struct edit edits[5];
	uint64_t before, after;

	world_open(&w);
	expect_list(w.s, "latest/", true, NULL, "");
	for (unsigned i = 0; i < ARRAY_SIZE(edits); i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%u", i);

		edits[i] = edit_write(key, &body, i);
	}
	cr_assert_eq(index_number(world_index(&w), &before), 0);
	cr_assert_eq(store_edit(w.s, edits, ARRAY_SIZE(edits)), 0);
	cr_assert_eq(index_number(world_index(&w), &after), 0);
	cr_assert_eq(after, before + 1);
	edit_release(edits, ARRAY_SIZE(edits));
	world_close(&w);
}

Test(index, of_two_edits_of_one_key_in_a_call_the_later_stays)
{
	struct world w;
	struct body body = body_of_bytes("x", 1);
	struct edit edits[3];

	world_open(&w);
	expect_list(w.s, "latest/", true, NULL, "");
	for (unsigned i = 0; i < ARRAY_SIZE(edits); i++)
		edits[i] = edit_write(KEY, &body, 0);
	edits[1].op = EDIT_REMOVE;
	counter_read(w.counter);
	cr_assert_eq(store_edit(w.s, edits, 2), 0);
	cr_assert_eq(generation_of(w.s, KEY), 0);
	edits[1].result = edits[0].result = 0;
	cr_assert_eq(store_edit(w.s, edits, 3), 0);
	cr_assert_eq(generation_of(w.s, KEY), generation_of(w.mem, KEY));
	expect_calls(&w, 1, 0); /* the first use of latest/ */
	edit_release(edits, ARRAY_SIZE(edits));
	world_close(&w);
}

Test(index, who_lost_a_race_sees_the_winner)
{
	struct world w;
	uint64_t mine, theirs;
	struct strbuf out = STRBUF_INIT(100);

	world_open(&w);
	refresh(&w, "latest/");
	cr_assert_eq(put_text(w.s, KEY, "mine", STORE_ABSENT, &mine), 0);
	cr_assert_eq(put_text(w.mem, KEY, "theirs", STORE_ANY, &theirs), 0);
	cr_assert_eq(generation_of(w.s, KEY), mine);
	cr_assert_eq(put_text(w.s, KEY, "again", mine, NULL), -ESTALE);
	cr_assert_eq(generation_of(w.s, KEY), theirs);
	cr_assert_eq(put_text(w.mem, KEY, "third", STORE_ANY, &theirs), 0);
	cr_assert_eq(store_read(w.s, KEY, mine, 0, 10, &out), -ESTALE);
	cr_assert_eq(generation_of(w.s, KEY), theirs);
	take(w.mem, KEY);
	cr_assert_eq(store_read(w.s, KEY, theirs, 0, 10, &out), -ENOENT);
	cr_assert_eq(generation_of(w.s, KEY), 0);
	cr_assert_eq(out.len, 0);
	world_close(&w);
}

Test(index, a_read_is_not_said_to_be_stale_where_nothing_else_could_be_learnt)
{
	struct world w;
	uint64_t mine, theirs;
	struct strbuf out = STRBUF_INIT(100);

	world_open(&w);
	refresh(&w, "latest/");
	cr_assert_eq(put_text(w.s, KEY, "mine", STORE_ABSENT, &mine), 0);
	cr_assert_eq(put_text(w.mem, KEY, "theirs", STORE_ANY, &theirs), 0);
	fault_arm(w.fault, 2, -EIO);
	cr_assert_eq(store_read(w.s, KEY, mine, 0, 10, &out), -EIO);
	cr_assert_eq(generation_of(w.s, KEY), mine);
	cr_assert_eq(store_read(w.s, KEY, mine, 0, 10, &out), -ESTALE);
	cr_assert_eq(generation_of(w.s, KEY), theirs);
	world_close(&w);
}

Test(index, after_an_edit_that_failed_the_store_is_asked_what_is_there)
{
	struct world w;
	uint64_t theirs;

	world_open(&w);
	put(w.s, KEY);
	cr_assert_eq(put_text(w.mem, KEY, "theirs", STORE_ANY, &theirs), 0);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(put_text(w.s, KEY, "x", STORE_ANY, NULL), -EIO);
	cr_assert_eq(generation_of(w.s, KEY), theirs);
	world_close(&w);
}

Test(index, a_listing_is_repeated_by_its_age_and_not_too_often)
{
	static const struct {
		int64_t age, took, max_age;
		unsigned long lists;
	} cases[] = {
		{ 10 * HOUR_US, 0, 11 * HOUR_US, 0 },
		{ 10 * HOUR_US, 0, 9 * HOUR_US, 1 },
		{ 10 * HOUR_US, HOUR_US, SECOND_US, 0 },      /* rests for 20 hours */
		{ 10 * HOUR_US, HOUR_US / 4, SECOND_US, 1 },  /* rested for 5 hours */
		{ 10 * HOUR_US, HOUR_US, 0, 1 },	      /* now is now */
		{ 10 * HOUR_US, 0, 0, 1 },
		{ -HOUR_US, 0, 11 * HOUR_US, 1 },	      /* the clock was set back */
		{ -HOUR_US, 0, 0, 1 },
	};
	static const char *const tops[] = { "", "latest/" };
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	refresh_all(&w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t j = 0; j < ARRAY_SIZE(tops); j++) {
			set_top(&w, tops[j], clock_now() - cases[i].age, cases[i].took);
			counter_read(w.counter);
			cr_assert_eq(store_refresh(w.s, tops[j], cases[i].max_age), 0);
			expect_calls(&w, cases[i].lists, 0);
		}
	world_close(&w);
}

Test(index, what_was_young_enough_grows_old)
{
	struct world w;
	unsigned long lists = 0;
	int64_t begin = clock_monotonic();

	world_open(&w);
	put(w.mem, KEY);
	refresh_all(&w);
	counter_read(w.counter);
	while (!lists && clock_monotonic() - begin < 60 * SECOND_US) {
		cr_assert_eq(store_refresh(w.s, "latest/", SECOND_US / 10), 0);
		lists = counter_read(w.counter).list;
	}
	cr_assert_eq(lists, 1);
	world_close(&w);
}

Test(index, a_listing_that_rests_makes_no_object_young)
{
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	refresh_all(&w);
	set_top(&w, "", clock_now() - 10 * HOUR_US, HOUR_US);
	set_top(&w, "latest/", clock_now() - 10 * HOUR_US, HOUR_US);
	counter_read(w.counter);
	cr_assert_eq(store_refresh(w.s, "latest/", SECOND_US), 0);
	expect_calls(&w, 0, 0);
	cr_assert_eq(store_refresh(w.s, KEY, SECOND_US), 0);
	expect_calls(&w, 0, 1);
	world_close(&w);
}

Test(index, the_version_changes_with_what_it_knows_and_with_nothing_else)
{
	struct world w;
	struct object obj;
	uint64_t before;

	world_open(&w);
	put(w.mem, KEY);
	cr_assert_eq(store_version(w.mem), 0, "a driver does not know");
	refresh_all(&w);
	before = store_version(w.s);
	cr_assert_neq(before, 0);
	object_init(&obj);
	cr_assert_eq(store_stat(w.s, KEY, &obj), 0);
	object_release(&obj);
	expect_list(w.s, "latest/", true, NULL, KEY " ");
	cr_assert_eq(store_refresh(w.s, "latest/", HOUR_US), 0);
	cr_assert_eq(store_version(w.s), before);
	put(w.s, KEY);
	cr_assert_gt(store_version(w.s), before);
	before = store_version(w.s);
	put(w.mem, KEY);
	cr_assert_eq(store_version(w.s), before, "it has not looked yet");
	refresh(&w, "latest/");
	cr_assert_gt(store_version(w.s), before);
	world_close(&w);
}

Test(index, an_empty_top_is_remembered_as_listed)
{
	struct world w;

	world_open(&w);
	refresh(&w, "latest/");
	expect_calls(&w, 1, 0);
	cr_assert_eq(store_refresh(w.s, "latest/", HOUR_US), 0);
	expect_calls(&w, 0, 0);
	refresh(&w, "");
	cr_assert_eq(store_refresh(w.s, "latest/", HOUR_US), 0);
	expect_calls(&w, 1, 0);
	expect_list(w.s, "", false, NULL, "");
	world_close(&w);
}

Test(index, one_object_is_asked_for_by_its_age)
{
	static const char *const tops[] = { "", "latest/" };
	struct world w;
	uint64_t theirs;

	world_open(&w);
	put(w.mem, KEY);
	put(w.mem, "top");
	refresh_all(&w);
	counter_read(w.counter);
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		const char *key = *tops[i] ? KEY : "top";

		cr_assert_eq(put_text(w.mem, key, "new", STORE_ANY, &theirs), 0);
		cr_assert_eq(store_refresh(w.s, key, HOUR_US), 0);
		expect_calls(&w, 0, 0); /* as young as the listing */
		set_top(&w, tops[i], clock_now() - 2 * HOUR_US, 0);
		cr_assert_eq(store_refresh(w.s, key, 3 * HOUR_US), 0);
		expect_calls(&w, 0, 0);
		cr_assert_neq(generation_of(w.s, key), theirs);
		cr_assert_eq(store_refresh(w.s, key, HOUR_US), 0);
		expect_calls(&w, 0, 1);
		cr_assert_eq(generation_of(w.s, key), theirs);
		cr_assert_eq(store_refresh(w.s, key, HOUR_US), 0);
		expect_calls(&w, 0, 0); /* now it has an age of its own */
		cr_assert_eq(store_refresh(w.s, key, 0), 0);
		expect_calls(&w, 0, 1);
		take(w.mem, key);
		cr_assert_eq(store_refresh(w.s, key, 0), 0);
		cr_assert_eq(generation_of(w.s, key), 0);
		put(w.mem, key);
		refresh(&w, tops[i]);
		set_top(&w, tops[i], clock_now() + HOUR_US, 0);
		counter_read(w.counter);
		cr_assert_eq(store_refresh(w.s, key, HOUR_US), 0);
		expect_calls(&w, 0, 1); /* the clock was set back */
	}
	world_close(&w);
}

static int nobody(void *ctx, const struct object *obj)
{
	(void)ctx;
	cr_assert_fail("%s was shown", obj->key);
	return 0;
}

Test(index, a_refresh_that_fails_is_an_error_and_changes_nothing)
{
	struct world w;

	world_open(&w);
	put(w.mem, KEY);
	refresh(&w, "latest/");
	take(w.mem, KEY);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), -EIO);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(store_refresh(w.s, KEY, 0), -EIO);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	fault_arm(w.fault, 1, -EIO);
	cr_assert_eq(store_list(w.s, "", false, NULL, nobody, NULL), -EIO);
	world_close(&w);
}

Test(index, a_listing_that_fails_midway_removes_nothing_and_is_no_listing)
{
	struct world w;
	uint64_t theirs;

	world_open(&w);
	for (int i = 0; i < 3000; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%04d", i);

		put(w.mem, key);
	}
	refresh(&w, "latest/");
	take(w.mem, "latest/0500");
	take(w.mem, "latest/2800");
	w.hidden = "latest/0900";
	cr_assert_eq(put_text(w.mem, "latest/0700", "new", STORE_ANY, &theirs), 0);
	set_top(&w, "latest/", clock_now() - 2 * HOUR_US, 0);
	w.fail_behind = 2000;
	cr_assert_eq(store_refresh(w.s, "latest/", HOUR_US), -EIO);
	cr_assert_neq(generation_of(w.s, "latest/0500"), 0);
	cr_assert_neq(generation_of(w.s, "latest/2800"), 0);
	cr_assert_eq(generation_of(w.s, "latest/0700"), theirs);
	w.fail_behind = 0;
	w.hidden = NULL; /* doomed, and there again as it was */
	put(w.mem, "latest/0500");
	cr_assert_eq(store_refresh(w.s, "latest/", HOUR_US), 0);
	cr_assert_eq(generation_of(w.s, "latest/0500"), generation_of(w.mem, "latest/0500"));
	cr_assert_eq(generation_of(w.s, "latest/2800"), 0);
	cr_assert_neq(generation_of(w.s, "latest/0900"), 0);
	world_close(&w);
}

Test(index, a_top_that_is_gone_takes_its_rows_along)
{
	struct world w;
	struct row row;

	world_open(&w);
	put(w.mem, "2026.08.18/a");
	put(w.mem, "2026.08.18/b/c");
	put(w.mem, "zzz");
	put(w.mem, KEY);
	refresh_all(&w);
	take(w.s, "2026.08.18/a");
	take(w.mem, "2026.08.18/b/c");
	take(w.mem, "zzz");
	expect_list(w.s, "", false, NULL, "2026.08.18/ latest/ zzz ");
	refresh(&w, "");
	expect_list(w.s, "", true, NULL, KEY " ");
	cr_assert(!read_row(&w, "2026.08.18/a", &row));
	cr_assert(!read_row(&w, "2026.08.18/b/c", &row));
	cr_assert(!read_row(&w, "zzz", &row));
	counter_read(w.counter);
	expect_list(w.s, "2026.08.18/", true, NULL, "");
	expect_calls(&w, 0, 0);
	world_close(&w);
}

Test(index, an_unchanged_row_is_not_written_again)
{
	struct world w;
	struct row before, after;

	world_open(&w);
	put(w.mem, KEY);
	refresh(&w, "latest/");
	cr_assert(read_row(&w, KEY, &before));
	refresh(&w, "latest/");
	cr_assert(read_row(&w, KEY, &after));
	cr_assert_eq(before.number, after.number);
	put(w.mem, KEY);
	refresh(&w, "latest/");
	cr_assert(read_row(&w, KEY, &after));
	cr_assert_gt(after.number, before.number);
	world_close(&w);
}

/* Names of any length, of which many begin alike around LMDB's longest key. */
static char *random_key(unsigned *seed)
{
	static const char *const tops[] = { "a/", "latest/", "latest/deep/", "z", "" };
	static const size_t lengths[] = { 1, 1, 2, 2, 3, 505, 509, 510, 511, 512, 700 };
	const char *top = tops[rand_r(seed) % ARRAY_SIZE(tops)];
	size_t n = strlen(top) + lengths[rand_r(seed) % ARRAY_SIZE(lengths)];
	char *key = xmalloc(n + 1);

	memset(key, 'k', n);
	memcpy(key, top, strlen(top));
	key[n] = '\0';
	if (n > 4 && rand_r(seed) % 4 == 0)
		key[n / 2] = '/';
	key[n - 1] = "!/0az~\xff"[rand_r(seed) % 7];
	if (key[n - 1] == '/')
		key[n - 1] = '.'; /* a list shows such a name as a folder */
	return key;
}

/* Changes by this host and by others; then a look around must give the store's truth. */
static void live(unsigned seed, unsigned rounds)
{
	static const char *const tops[] = { "a/", "latest/" };
	struct world w;

	world_open(&w);
	for (unsigned round = 0; round < rounds; round++) {
		CLEANUP(free_char) char *prefix = random_key(&seed);
		const char *const prefixes[] = {
			"", "a", "a/", "l", "latest/", "latest/d", "latest/deep/", "z", prefix,
		};

		for (int i = 0; i < 20; i++) {
			CLEANUP(free_char) char *key = random_key(&seed);
			struct store *who = rand_r(&seed) % 2 ? w.s : w.mem;

			if (rand_r(&seed) % 3)
				put(who, key);
			else
				take(who, key);
			if (rand_r(&seed) % 30 == 0)
				refresh(&w, tops[rand_r(&seed) % 2]);
		}
		if (round % 8 == 7)
			world_reopen(&w);
		refresh_all(&w);
		expect_truth(&w, prefixes, ARRAY_SIZE(prefixes));
	}
	world_close(&w);
}

Test(index, a_refresh_finds_the_truth_whatever_happened)
{
	for (unsigned seed = 1; seed <= 4; seed++)
		live(seed, 40);
}

Test(index, listings_larger_than_a_batch_are_merged_whole)
{
	static const char *const prefixes[] = { "", "a/", "b/", "b/1" };
	static const unsigned sizes[] = { INDEX_BATCH - 1, INDEX_BATCH, INDEX_BATCH + 1,
					  3 * INDEX_BATCH };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct world w;

		world_open(&w);
		put(w.mem, "a/x");
		put(w.mem, "c/x");
		for (unsigned k = 0; k < sizes[i]; k++) {
			CLEANUP(free_char) char *key = xasprintf("b/%05u", k);

			put(w.mem, key);
		}
		refresh_all(&w);
		expect_truth(&w, prefixes, ARRAY_SIZE(prefixes));
		for (unsigned k = 1; k < sizes[i]; k++) { /* long runs that are gone, and others */
			CLEANUP(free_char) char *key = xasprintf("b/%05u", k);

			if (k < sizes[i] / 2 ? k % 3 : k < sizes[i] - 3)
				take(w.mem, key);
		}
		refresh_all(&w);
		expect_truth(&w, prefixes, ARRAY_SIZE(prefixes));
		world_close(&w);
	}
}

/* What a process does that changes, looks and looks again; any of its calls may fail. */
static void work(struct world *w, unsigned seed)
{
	for (int i = 0; i < 12; i++) {
		static const char *const keys[] = { "a/1", "a/2", "latest/1", "top" };
		const char *key = keys[rand_r(&seed) % ARRAY_SIZE(keys)];
		int r = 0;

		switch (rand_r(&seed) % 6) {
		case 0:
			r = put_text(w->s, key, "x", STORE_ANY, NULL);
			break;
		case 1:
			r = remove_key(w->s, key, STORE_ANY);
			break;
		case 2:
			put(w->mem, key);
			break;
		case 3:
			take(w->mem, key);
			break;
		case 4:
			r = store_refresh(w->s, key, 0);
			break;
		default:
			r = store_refresh(w->s, rand_r(&seed) % 2 ? "" : "a/", 0);
			break;
		}
		cr_assert(!r || r == -EIO);
	}
}

Test(index, whichever_call_fails_the_next_refresh_finds_the_truth)
{
	static const char *const prefixes[] = { "", "a/", "latest/", "t" };

	for (unsigned seed = 1; seed <= 3; seed++)
		for (unsigned n = 1;; n++) {
			struct world w;
			bool fired;

			world_open(&w);
			put(w.mem, "a/1");
			put(w.mem, "latest/1");
			fault_arm(w.fault, n, -EIO);
			work(&w, seed);
			fired = fault_fired(w.fault);
			fault_arm(w.fault, UINT_MAX, -EIO);
			refresh_all(&w);
			expect_truth(&w, prefixes, ARRAY_SIZE(prefixes));
			world_close(&w);
			if (!fired)
				break;
		}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* parts_test.c - where a list is cut, and that its parts are the whole. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/driver.h"
#include "../../fs/store/parts.h"
#include "conformance.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"
#include "strbuf.h"

#define OBJECTS 60000
#define PAGE	1000

Test(parts, a_list_is_cut_behind_its_folder_and_then_between_its_letters)
{
	static const struct {
		const char *before, *last, *end, *cut;
	} rows[] = {
		/* other folders may follow */
		{ "p/a/b1", "p/a/c1", NULL, "p/a0" },
		{ "p/a/b1", "p/a/c1", "p/b", "p/a0" },
		{ "p/a/x/1", "p/a/x/2", NULL, "p/a/x0" },
		/* none does: between the letters */
		{ "p/a/b1", "p/a/c1", "p/a0", "p/a/o" },
		{ "p/b", "p/d", NULL, "p/o" },
		{ "p/b", "p/d", "p/h", "p/f" },
		{ "p/fa", "p/fb", "p/g", "p/fn" },
		{ "p/fa", "p/fb", "p/h", "p/g" },
		/* there is no room */
		{ "p/y", "p/zz", NULL, NULL },
		{ "p/ff", "p/fz", "p/g", NULL },
		{ "p/\xc3\xa9", "p/\xc3\xab", NULL, NULL },
		{ "p/a", "p/b", "p/\xc3\xab", "p/n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char)
		char *cut = parts_cut("p/", rows[i].before, rows[i].last, rows[i].end);

		cr_expect(rows[i].cut ? cut && !strcmp(cut, rows[i].cut) : !cut, "%zu: %s", i,
			  cut ? cut : "nowhere");
		cr_expect(!cut || (strcmp(cut, rows[i].last) > 0 &&
				   (!rows[i].end || strcmp(cut, rows[i].end) < 0)),
			  "%zu", i);
	}
}

/* A store of many names, each found by its number, and of what was asked of it. */
static struct {
	struct store s;
	char **keys;
	size_t n;
	pthread_mutex_t lock;
	unsigned pages, lists;
	size_t taken; /* names that were shown to a list and did not end it */
	const char *broken; /* whoever shows this key fails; NULL: none */
} w;

static size_t place_of(const char *key)
{
	size_t low = 0, high = w.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(w.keys[middle], key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int many_list_part(struct store *s, const char *prefix, const char *after, const char *end,
			  object_fn *fn, void *ctx)
{
	size_t i = after ? place_of(after) : 0;
	unsigned shown = 0;
	size_t taken = 0;
	int r = 0;

	(void)s;
	(void)prefix;
	pthread_mutex_lock(&w.lock);
	w.lists++;
	w.pages++;
	pthread_mutex_unlock(&w.lock);
	for (; r == 0 && i < w.n && (!end || strcmp(w.keys[i], end) < 0); i++) {
		struct object obj = { .key = w.keys[i], .generation = 1 };

		if (shown++ == PAGE) {
			shown = 1;
			pthread_mutex_lock(&w.lock);
			w.pages++;
			pthread_mutex_unlock(&w.lock);
		}
		r = w.broken && !strcmp(w.broken, obj.key) ? -EIO : fn(ctx, &obj);
		taken += !r;
	}
	pthread_mutex_lock(&w.lock);
	w.taken += taken;
	pthread_mutex_unlock(&w.lock);
	return r;
}

static int many_list(struct store *s, const char *prefix, bool deep, const char *after,
		     object_fn *fn, void *ctx)
{
	cr_assert(deep);
	return many_list_part(s, prefix, after, NULL, fn, ctx);
}

static const struct store_ops many_ops = { .name = "many",
					   .list = many_list,
					   .list_part = many_list_part };

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As many archives as packages, of names that begin with all letters. */
static void open_world(void)
{
	pthread_mutex_init(&w.lock, NULL);
	w.s = (struct store){ .ops = &many_ops, .parts = 64 };
	w.keys = xcalloc(OBJECTS, sizeof(*w.keys));
	for (; w.n < OBJECTS; w.n++)
		w.keys[w.n] = xasprintf("p/%s/%c%c%05zu", w.n % 2 ? "archives" : "packages",
					(char)('a' + w.n % 26), (char)('a' + w.n / 26 % 26), w.n);
	/* one that is a cut, and one behind all letters of its folder */
	free(w.keys[1]);
	w.keys[1] = xstrdup("p/archives/\x7f\x7f");
	free(w.keys[3]);
	w.keys[3] = xstrdup("p/archives0");
	qsort(w.keys, w.n, sizeof(*w.keys), by_name);
}

static void close_world(void)
{
	for (size_t i = 0; i < OBJECTS; i++)
		free(w.keys[i]);
	free(w.keys);
}

TestSuite(parts_list, .init = open_world, .fini = close_world);

/* What the parts were, put together. */
struct piece {
	char *from, *end, *last;
	size_t shown;
	bool finished;
};

struct whole {
	struct piece pieces[64];
	size_t n, n_finished;
};

static void *begin(void *ctx, const char *from)
{
	struct piece *piece = xcalloc(1, sizeof(*piece));

	(void)ctx;
	piece->from = xstrdup(from);
	return piece;
}

static int show_one(void *part, const struct object *obj)
{
	struct piece *piece = part;

	cr_assert(!piece->last || strcmp(piece->last, obj->key) < 0);
	cr_assert_geq(strcmp(obj->key, piece->from), 0);
	free(piece->last);
	piece->last = xstrdup(obj->key);
	piece->shown++;
	return 0;
}

static int finish(void *part, const char *end)
{
	struct piece *piece = part;

	cr_assert(!end || !piece->last || strcmp(piece->last, end) < 0);
	piece->end = xstrdup_or_null(end);
	piece->finished = true;
	return 0;
}

static void release(void *ctx, void *part)
{
	struct whole *whole = ctx;
	struct piece *piece = part;

	cr_assert_lt(whole->n, ARRAY_SIZE(whole->pieces));
	whole->n_finished += piece->finished;
	whole->pieces[whole->n++] = *piece;
	free(piece);
}

static const struct parts_sink sink = { begin, show_one, finish, release };

static void whole_release(struct whole *whole)
{
	for (size_t i = 0; i < whole->n; i++) {
		free(whole->pieces[i].from);
		free(whole->pieces[i].end);
		free(whole->pieces[i].last);
	}
}

static const struct piece *piece_from(const struct whole *whole, const char *from)
{
	for (size_t i = 0; i < whole->n; i++)
		if (!strcmp(whole->pieces[i].from, from))
			return &whole->pieces[i];
	return NULL;
}

Test(parts_list, the_parts_are_the_whole_without_a_gap_and_cost_few_pages_more)
{
	static const size_t sizes[] = { OBJECTS, 9999, 1, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(whole_release) struct whole whole = { .n = 0 };
		const char *from = "p/";
		size_t shown = 0, walked = 0;

		w.n = sizes[i];
		w.pages = w.lists = 0;
		w.taken = 0;
		cr_assert_eq(parts_list(&w.s, "p/", &sink, &whole), 0);
		while (from) { /* each ends where another begins */
			const struct piece *piece = piece_from(&whole, from);

			cr_assert(piece && piece->finished, "%s", from);
			shown += piece->shown;
			from = piece->end;
			walked++;
		}
		cr_assert_eq(walked, whole.n);
		cr_assert_eq(shown, sizes[i]);
		cr_assert_eq(w.taken, shown, "no list is asked for a name of another part");
		cr_assert_eq(w.lists, whole.n);
		cr_assert_leq(w.pages, (sizes[i] + PAGE - 1) / PAGE + (sizes[i] < 10000 ? 1 : 2),
			      "%zu: %u", sizes[i], w.pages);
		cr_assert(sizes[i] < 10000 ? whole.n == 1 : whole.n == 3, "%zu", whole.n);
	}
}

Test(parts_list, a_store_that_takes_one_part_is_asked_for_one)
{
	CLEANUP(whole_release) struct whole whole = { .n = 0 };

	w.s.parts = 1;
	cr_assert_eq(parts_list(&w.s, "p/", &sink, &whole), 0);
	cr_assert_eq(whole.n, 1);
	cr_assert_eq(whole.pieces[0].shown, OBJECTS);
}

Test(parts_list, a_part_that_fails_fails_the_list)
{
	for (size_t i = 0; i < OBJECTS; i += 7919) {
		CLEANUP(whole_release) struct whole whole = { .n = 0 };

		w.broken = w.keys[i];
		cr_assert_eq(parts_list(&w.s, "p/", &sink, &whole), -EIO);
		cr_assert_lt(whole.n_finished, whole.n);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* conformance_list.c - the checks of store.h that are about lists and about many at once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "conformance.h"
#include "memory.h"
#include "strbuf.h"

#define KEY "latest/api/packages/http"

/* Keys whose order is not the order of their paths, and that are prefixes of one another. */
static const char *const list_keys[] = {
	"2026.08.18/api/packages/http",
	"latest-not",
	"latest/api/archives/foo-1.0.0+1.tar.gz",
	"latest/api/archives/foo-1.0.0.tar.gz",
	"latest/api/archives/foo_bar-1.0.0.tar.gz",
	"latest/api/archives/fooo-1.0.0.tar.gz",
	"latest/api/packages/http",
	"latest/api/packages/http-x",
	"latest/api/packages/http/advisories",
	"latest/api/packages/http/score",
	"latest/api/packages/http0",
	"latest/api/packages/http_parser",
	"latest/api/packages/http_parser/advisories",
	"latest/api/packages/only/advisories",
	"latest/api/packages/zzz",
	"latest/feed.atom",
	"latest0/x/y/z",
	"latest_/x",
	"top",
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What store.h says of a list, in the fewest words. */
static void model_list(const char *prefix, bool deep, const char *after, struct strbuf *out)
{
	const char *last = NULL;
	size_t last_len = 0, n = strlen(prefix), n_after = after ? strlen(after) : 0;
	const char *fold_end =
		!deep && n_after > n && !strncmp(after, prefix, n) ? strchr(after + n, '/') : NULL;
	size_t n_fold = fold_end ? (size_t)(fold_end - after) + 1 : 0;
	bool fold_passed = fold_end && (n_fold == n_after || conformance_admits(GAP_LIST_FOLDER));

	for (size_t i = 0; i < ARRAY_SIZE(list_keys); i++) {
		const char *key = list_keys[i], *slash;
		size_t len = strlen(key);

		if (strncmp(key, prefix, n) || (after && strcmp(key, after) <= 0))
			continue;
		if (fold_passed && !strncmp(key, after, n_fold))
			continue;
		slash = deep ? NULL : strchr(key + n, '/');
		if (slash)
			len = (size_t)(slash - key) + 1;
		if (last && last_len == len && !strncmp(last, key, len))
			continue;
		last = key;
		last_len = len;
		strbuf_addf(out, "%.*s ", (int)len, key);
	}
}

/* Every beginning of every key, and each with its last character one less and one more. */
static char **list_texts(size_t *ret_n)
{
	size_t n = 0, alloc = 0, unique = 0;
	char **texts = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(list_keys); i++)
		for (size_t len = 0; len <= strlen(list_keys[i]); len++)
			for (int shift = -1; shift <= 1; shift++) {
				char *text = xstrndup(list_keys[i], len);

				if (len)
					text[len - 1] = (char)(text[len - 1] + shift);
				GROW(texts, n, alloc);
				texts[n++] = text;
			}
	qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++) {
		if (unique && !strcmp(texts[unique - 1], texts[i]))
			free(texts[i]);
		else
			texts[unique++] = texts[i];
	}
	*ret_n = unique;
	return texts;
}

static int add_fingerprint(void *ctx, const struct fingerprint *f)
{
	strbuf_addf(ctx, "%s ", f->key);
	cr_assert_eq(f->generation == 0, f->key[strlen(f->key) - 1] == '/', "%s", f->key);
	return 0;
}

static void expect_fingerprints(struct store *s, const char *prefix, bool deep, const char *after,
				const char *expected)
{
	CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(10000);

	cr_assert_eq(store_fingerprints(s, prefix, deep, after, add_fingerprint, &got), 0);
	cr_assert_str_eq(got.buf, expected, "%s fingerprints of '%s' after '%s'",
			 deep ? "deep" : "shallow", prefix, after ? after : "-");
}

void conformance_lists_are_what_a_sorted_array_would_give(struct store *s)
{
	size_t n, step = 0;
	char **texts = list_texts(&n);

	for (size_t i = ARRAY_SIZE(list_keys); i; i--)
		cr_assert_eq(put_text(s, list_keys[i - 1], "x", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j <= n; j++)
			for (int deep = 0; deep <= 1; deep++) {
				CLEANUP(strbuf_release)
				struct strbuf expected = STRBUF_INIT(10000);
				const char *after = j < n ? texts[j] : NULL;

				if (after && step++ % conformance_list_step())
					continue;
				model_list(texts[i], deep, after, &expected);
				expect_list(s, texts[i], deep, after, expected.buf);
				expect_fingerprints(s, texts[i], deep, after, expected.buf);
			}
	for (size_t i = 0; i < n; i++)
		free(texts[i]);
	free(texts);
}

static int compare_stat(void *ctx, const struct object *obj)
{
	const struct object *expected = ctx;

	expect_same(obj, expected);
	return 0;
}

static int compare_fingerprint(void *ctx, const struct fingerprint *f)
{
	struct fingerprint expected;

	object_fingerprint(ctx, &expected);
	cr_assert_str_eq(f->key, expected.key);
	cr_assert_eq(f->generation, expected.generation);
	cr_assert_eq(f->size, expected.size);
	cr_assert_eq(f->created, expected.created);
	cr_assert_eq(f->updated, expected.updated);
	cr_assert_eq(f->has_decoded_size, expected.has_decoded_size);
	cr_assert_eq(f->decoded_size, expected.decoded_size);
	cr_assert_eq(!f->sha256, !expected.sha256);
	cr_assert(!f->sha256 || !memcmp(f->sha256, expected.sha256, SHA256_SIZE));
	cr_assert_eq(!f->md5, !expected.md5);
	cr_assert(!f->md5 || !memcmp(f->md5, expected.md5, MD5_SIZE));
	cr_assert_eq(f->headers, expected.headers);
	cr_assert_eq(f->has_crc32c, expected.has_crc32c);
	cr_assert(!f->has_crc32c || f->crc32c == expected.crc32c);
	cr_assert_eq(f->gzip, expected.gzip);
	cr_assert_eq(f->foreign_encoding, expected.foreign_encoding);
	return 0;
}

void conformance_a_list_has_what_stat_says(struct store *s)
{
	CLEANUP(object_release) struct object obj = { 0 };
	struct body body = body_of_bytes("stored", 6);
	struct edit e = edit_write(KEY, &body, 0);

	fill_headers(&e.object);
	cr_assert_eq(run_edit(s, &e, NULL), 0);
	cr_assert_eq(store_stat(s, KEY, &obj), 0);
	cr_assert_eq(store_list(s, "", true, NULL, compare_stat, &obj), 0);
	cr_assert_eq(store_list(s, "latest/api/packages/", false, NULL, compare_stat, &obj), 0);
	cr_assert_eq(store_fingerprints(s, "latest/", true, NULL, compare_fingerprint, &obj), 0);
	cr_assert_eq(store_fingerprints(s, "latest/", true, KEY, compare_fingerprint, &obj), 0);
	cr_assert_eq(store_fingerprints(s, "latest/api/packages/", false, NULL,
					compare_fingerprint, &obj), 0);
}

static int add_key(void *ctx, const struct object *obj)
{
	strbuf_addf(ctx, "%s ", obj->key);
	return 0;
}

void conformance_a_part_of_a_list_is_what_lies_before_its_end(struct store *s)
{
	static const char *const keys[] = { "a/1", "a/2", "a/22", "a/3", "b/1" };
	static const struct {
		const char *prefix, *after, *end, *expected;
	} rows[] = {
		{ "", NULL, "a/2", "a/1 " },
		{ "", NULL, "a/2/", "a/1 a/2 " },
		{ "", NULL, "c", "a/1 a/2 a/22 a/3 b/1 " },
		{ "a/", NULL, "c", "a/1 a/2 a/22 a/3 " },
		{ "a/", "a/1", "a/3", "a/2 a/22 " },
		{ "a/", "a/2", "a/23", "a/22 " },
		{ "a/", "a/3", "a/2", "" },
		{ "a/", NULL, "a", "" },
		{ "b/", "a/3", "b/2", "b/1 " },
		{ "b/", NULL, "b/1", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		cr_assert_eq(put_text(s, keys[i], "x", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);

		cr_assert_eq(store_list_part(s, rows[i].prefix, rows[i].after, rows[i].end, add_key,
					     &out),
			     0, "%zu", i);
		cr_assert_str_eq(out.buf, rows[i].expected, "%zu", i);
	}
}

struct stopper {
	int left, result;
};

static int stop_list(void *ctx, const struct object *obj)
{
	struct stopper *stopper = ctx;

	(void)obj;
	cr_assert_geq(stopper->left, 1, "called after the end");
	return --stopper->left ? 0 : stopper->result;
}

void conformance_a_list_ends_when_the_callback_says_so(struct store *s)
{
	static const char *const keys[] = { "a/1", "a/2", "b/1", "b/2", "c" };
	struct stopper stopper;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		cr_assert_eq(put_text(s, keys[i], "x", STORE_ABSENT, NULL), 0);
	for (int n = 1; n <= 5; n++)
		for (int result = -77; result <= 77; result += 154) {
			stopper = (struct stopper){ n, result };
			cr_assert_eq(store_list(s, "", true, NULL, stop_list, &stopper), result);
		}
	for (int n = 1; n <= 3; n++) {
		stopper = (struct stopper){ n, 1 };
		cr_assert_eq(store_list(s, "", false, NULL, stop_list, &stopper), 1);
	}
}

void conformance_a_list_of_nothing_calls_nobody(struct store *s)
{
	expect_list(s, "", true, NULL, "");
	expect_list(s, "", false, NULL, "");
	expect_list(s, "latest/", true, "latest/x", "");
	cr_assert_eq(put_text(s, "a/b/c", "x", STORE_ABSENT, NULL), 0);
	expect_list(s, "", false, NULL, "a/ ");
	cr_assert_eq(remove_key(s, "a/b/c", STORE_ANY), 0);
	expect_list(s, "", false, NULL, "");
}

void conformance_a_driver_is_always_fresh(struct store *s)
{
	cr_assert_eq(store_refresh(s, "", 0), 0);
	cr_assert_eq(store_refresh(s, "latest/", 0), 0);
	cr_assert_eq(store_refresh(s, KEY, INT64_MAX), 0);
}

#define WRITERS 4
#define ROUNDS	100

struct race {
	struct store *store;
	pthread_barrier_t barrier;
	atomic_int writers, winners[ROUNDS];
	atomic_bool ended;
};

static void *race_writer(void *ctx)
{
	struct race *race = ctx;
	/* of its own, or a writer could take another's work for its own whose answer was lost */
	char text[] = { (char)('a' + race->writers++), '\0' };

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t seen;

		pthread_barrier_wait(&race->barrier);
		seen = generation_of(race->store, KEY);
		pthread_barrier_wait(&race->barrier);
		if (!put_text(race->store, KEY, text, seen, NULL))
			race->winners[i]++;
	}
	return NULL;
}

void conformance_of_two_writers_with_one_condition_one_wins(struct store *s)
{
	struct race race = { .store = s };
	pthread_t threads[WRITERS];

	pthread_barrier_init(&race.barrier, NULL, WRITERS);
	for (int i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, race_writer, &race);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&race.barrier);
	for (int i = 0; i < ROUNDS; i++)
		cr_assert_eq(race.winners[i], 1, "round %d: %d winners", i, race.winners[i]);
}

#define MIXED_SIZE 200000

static void *mixed_writer(void *ctx)
{
	CLEANUP(free_char) char *text = xmalloc(MIXED_SIZE);
	struct race *race = ctx;
	struct body body = body_of_bytes(text, MIXED_SIZE);

	for (char c = 'a'; !race->ended; c = c == 'z' ? 'a' : (char)(c + 1)) {
		struct edit e = edit_write(KEY, &body, 0);

		memset(text, c, MIXED_SIZE);
		cr_assert_eq(run_edit(race->store, &e, NULL), 0);
	}
	return NULL;
}

static void expect_one_letter(const struct strbuf *sb, char letter)
{
	for (size_t i = 0; i < sb->len; i++)
		cr_assert_eq(sb->buf[i], letter, "a mixture at byte %zu", i);
}

void conformance_a_reader_never_sees_a_mixture(struct store *s)
{
	CLEANUP(strbuf_release) struct strbuf whole = STRBUF_INIT(MIXED_SIZE);
	CLEANUP(strbuf_release) struct strbuf part = STRBUF_INIT(MIXED_SIZE);
	struct race race = { .store = s };
	pthread_t thread;
	int parts = 0;

	pthread_create(&thread, NULL, mixed_writer, &race);
	while (!generation_of(s, KEY))
		;
	for (int i = 0; i < 300; i++) {
		uint64_t generation = generation_of(s, KEY);
		int r;

		strbuf_reset(&whole);
		strbuf_reset(&part);
		cr_assert_eq(store_read(s, KEY, STORE_ANY, 0, SIZE_MAX, &whole), 0);
		cr_assert_eq(whole.len, MIXED_SIZE);
		expect_one_letter(&whole, whole.buf[0]);
		r = store_read(s, KEY, generation, 0, 1000, &part);
		if (!r)
			r = store_read(s, KEY, generation, MIXED_SIZE - 1000, 1000, &part);
		cr_assert(!r || r == -ESTALE, "%d", r);
		if (r)
			continue;
		parts++;
		cr_assert_eq(part.len, 2000);
		expect_one_letter(&part, part.buf[0]);
	}
	race.ended = true;
	pthread_join(thread, NULL);
	cr_assert_gt(parts, 0);
}

static void *list_writer(void *ctx)
{
	struct race *race = ctx;

	for (unsigned i = 0; !race->ended; i++) {
		CLEANUP(free_char) char *key = xasprintf("in/%u/moves", i % 10);

		cr_assert_eq(put_text(race->store, key, "x", STORE_ANY, NULL), 0);
		cr_assert_eq(remove_key(race->store, key, STORE_ANY), 0);
	}
	return NULL;
}

static int count_lasting(void *ctx, const struct object *obj)
{
	if (strstr(obj->key, "stays"))
		strbuf_addf(ctx, "%s ", obj->key);
	return 0;
}

void conformance_a_list_under_writers_shows_each_lasting_name_once(struct store *s)
{
	struct race race = { .store = s };
	pthread_t thread;

	cr_assert_eq(put_text(s, "in/0/stays", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(s, "in/3/a/stays", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(put_text(s, "in/9/stays", "x", STORE_ABSENT, NULL), 0);
	pthread_create(&thread, NULL, list_writer, &race);
	for (int i = 0; i < 300; i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(1000);

		cr_assert_eq(store_list(s, "", true, NULL, count_lasting, &out), 0);
		cr_assert_str_eq(out.buf, "in/0/stays in/3/a/stays in/9/stays ");
	}
	race.ended = true;
	pthread_join(thread, NULL);
}

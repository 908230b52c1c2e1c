/* SPDX-License-Identifier: BSD-3-Clause */
/* path_test.c - the one rule between keys and paths. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "memory.h"
#include "path.h"
#include "strbuf.h"

#define OUT_MAX (KEY_MAX + 100)

static const struct {
	const char *key, *path; /* path NULL: the same */
} pairs[] = {
	{ "", NULL },
	{ "latest", NULL },
	{ "latest/", NULL },
	{ "latest/not-found.json", NULL },
	{ "latest/api/package-name-completion-data", NULL },
	{ "latest/api/packages", NULL },
	{ "latest/api/packages/", NULL },
	{ "latest/api/archives/http-1.2.0+1.tar.gz", NULL },
	{ "latest/api/archives/http/x", NULL },
	/* a package, and what lies below it */
	{ "latest/api/packages/http", NULL },
	{ "latest/api/packages/http/", "latest/api/packages/http.d/" },
	{ "latest/api/packages/http/advisories", "latest/api/packages/http.d/advisories" },
	{ "latest/api/packages/http/a/b", "latest/api/packages/http.d/a/b" },
	{ "2026.08.18/api/packages/http/likes", "2026.08.18/api/packages/http.d/likes" },
	{ "anything/api/packages/p/x", "anything/api/packages/p.d/x" },
	/* a name with a dot is no package, but the rule does not ask */
	{ "latest/api/packages/http.d", NULL },
	{ "latest/api/packages/http.d/x", "latest/api/packages/http.d.d/x" },
	{ "latest/api/packages/.d/x", "latest/api/packages/.d.d/x" },
	{ "latest/api/packages/.../x", "latest/api/packages/....d/x" },
	/* it holds at that one depth alone */
	{ "api/packages/http/x", NULL },
	{ "a/latest/api/packages/http/x", NULL },
	{ "latest/api/packagesx/http/x", NULL },
	{ "latest/xapi/packages/http/x", NULL },
	{ "latest/API/packages/http/x", NULL },
	{ "latest/api/x/packages/http/x", NULL },
	/* dots, spaces and letters of any kind */
	{ "...", NULL },
	{ ".a", NULL },
	{ "a b/\\/\xc3\xa9/\xf0\x9f\x98\x80", NULL },
	{ "a~\xc2\xa0", NULL },
	/* the reserved names are so at the top, and whole */
	{ "latest/.pubfs", NULL },
	{ "latest/.pubfs-store/x", NULL },
	{ ".pubfs2", NULL },
	{ ".pubf", NULL },
	{ ".pubfs-stor", NULL },
	{ ".pubfs-store2/x", NULL },
	{ ".PUBFS", NULL },
};

static void assert_pair(const char *key, const char *path)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	cr_assert_eq(path_from_key(key, &out), 0, "%s", key);
	cr_assert_str_eq(out.buf, path, "%s became %s", key, out.buf);
	strbuf_reset(&out);
	cr_assert_eq(path_to_key(path, &out), 0, "%s", path);
	cr_assert_str_eq(out.buf, key, "%s became %s", path, out.buf);
}

Test(path, a_package_and_its_folder_have_different_names_and_all_else_is_itself)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_pair(pairs[i].key, pairs[i].path ? pairs[i].path : pairs[i].key);
}

Test(path, is_appended)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	strbuf_addstr(&out, "/mnt/");
	cr_assert_eq(path_from_key("latest/api/packages/a/b", &out), 0);
	strbuf_addstr(&out, " ");
	cr_assert_eq(path_to_key("latest/api/packages/a.d/b", &out), 0);
	cr_assert_str_eq(out.buf, "/mnt/latest/api/packages/a.d/b latest/api/packages/a/b");
}

Test(path, a_full_buffer_is_said)
{
	struct strbuf out = STRBUF_INIT(24), other = STRBUF_INIT(20);

	cr_assert_eq(path_from_key("latest/api/packages/a/b", &out), -E2BIG);
	cr_assert_eq(path_to_key("latest/api/packages/a.d/b", &other), -E2BIG);
	strbuf_release(&out);
	strbuf_release(&other);
}

/* Neither a key that a path can show, nor a path that a key could have. */
static const char *const neither[] = {
	"/",
	"/a",
	"//",
	"a//",
	"a//b",
	"a///b",
	".",
	"./",
	"./a",
	"a/.",
	"a/./b",
	"..",
	"../a",
	"a/..",
	"a/../b",
	"latest/api/packages//x",
	"/api/packages/http/x",
	"/api/packages/http.d/x",
	".pubfs",
	".pubfs/",
	".pubfs/status",
	".pubfs/api/packages/a.d/b",
	".pubfs-store",
	".pubfs-store/",
	".pubfs-store/lock",
	/* control characters: C0, DEL, C1 */
	"a\x01",
	"a\nb",
	"\x1f",
	"a/\x7f",
	"\xc2\x80",
	"\xc2\x9f",
	"a\xc2\x85/b",
	/* invalid UTF-8 */
	"\x80",
	"a\xff",
	"\xc3",
	"\xc3/a",
	"\xc0\xaf",
	"\xed\xa0\x80",
};

Test(path, what_no_path_can_show_is_refused_both_ways_and_nothing_appended)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(neither); i++) {
		cr_assert_eq(path_from_key(neither[i], &out), -EINVAL, "%s", neither[i]);
		cr_assert_eq(path_to_key(neither[i], &out), -ENOENT, "%s", neither[i]);
	}
	cr_assert_eq(out.len, 0);
}

static const char *const no_paths[] = {
	"latest/api/packages/http/advisories",
	"latest/api/packages/http/",
	"latest/api/packages/d/x",
	"latest/api/packages/.d/x",
	"latest/api/packages/..d/x",
	"latest/api/packages/...d/x",
	"latest/api/packages/http.D/x",
	"latest/api/packages/http.dx/x",
	"latest/api/packages/httpd/x",
	"latest/api/packages/./x",
};

Test(path, below_a_package_only_its_folder_has_a_key)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(no_paths); i++)
		cr_assert_eq(path_to_key(no_paths[i], &out), -ENOENT, "%s", no_paths[i]);
	cr_assert_eq(out.len, 0);
}

static const char *const dot_keys[] = { "latest/api/packages/./x", "latest/api/packages/../x" };

Test(path, a_package_part_of_dots_is_refused_though_its_folder_would_be_a_name)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(dot_keys); i++)
		cr_assert_eq(path_from_key(dot_keys[i], &out), -EINVAL, "%s", dot_keys[i]);
}

static void add_part(struct strbuf *sb, const char *before, size_t n, const char *behind)
{
	strbuf_reset(sb);
	strbuf_addstr(sb, before);
	for (size_t i = 0; i < n; i++)
		strbuf_addch(sb, 'p');
	strbuf_addstr(sb, behind);
}

static const struct {
	const char *before, *behind, *path_behind;
	size_t longest;
} lengths[] = {
	{ "", "", "", PATH_PART_MAX },
	{ "", "/x", "/x", PATH_PART_MAX },
	{ "latest/", "", "", PATH_PART_MAX },
	{ "latest/api/packages/", "", "", PATH_PART_MAX },
	{ "latest/api/packages/", "/x", ".d/x", PATH_PART_MAX - 2 },
	{ "latest/api/packages/", "/", ".d/", PATH_PART_MAX - 2 },
	{ "latest/api/packages/a/", "", NULL, PATH_PART_MAX },
	{ "latest/api/archives/", "/x", "/x", PATH_PART_MAX },
};

Test(path, a_part_is_as_long_as_the_kernel_takes_where_it_stands_in_the_path)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(OUT_MAX);
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(OUT_MAX);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		add_part(&key, lengths[i].before, lengths[i].longest, lengths[i].behind);
		if (lengths[i].path_behind) {
			add_part(&path, lengths[i].before, lengths[i].longest,
				 lengths[i].path_behind);
			assert_pair(key.buf, path.buf);
			add_part(&path, lengths[i].before, lengths[i].longest + 1,
				 lengths[i].path_behind);
			cr_assert_eq(path_to_key(path.buf, &out), -ENOENT, "%zu", i);
		} else {
			cr_assert_eq(path_from_key(key.buf, &out), 0, "%zu", i);
			strbuf_reset(&out);
		}
		add_part(&key, lengths[i].before, lengths[i].longest + 1, lengths[i].behind);
		cr_assert_eq(path_from_key(key.buf, &out), -EINVAL, "%zu", i);
		cr_assert_eq(out.len, 0);
	}
}

/* A name of n bytes, in parts of 200. */
static void add_long(struct strbuf *sb, const char *before, size_t n)
{
	strbuf_reset(sb);
	strbuf_addstr(sb, before);
	while (sb->len < n)
		strbuf_addch(sb, sb->len % 200 == 199 && sb->len + 1 < n ? '/' : 'x');
}

Test(path, a_key_is_as_long_as_the_store_takes_and_its_path_may_be_longer)
{
	static const char *const before[][2] = {
		{ "a", "a" }, { "latest/api/packages/a/", "latest/api/packages/a.d/" }
	};

	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(OUT_MAX);
		CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(OUT_MAX);

		add_long(&key, before[i][0], KEY_MAX);
		strbuf_addstr(&path, before[i][1]);
		strbuf_addstr(&path, key.buf + strlen(before[i][0]));
		assert_pair(key.buf, path.buf);
		strbuf_addch(&key, 'x');
		strbuf_addch(&path, 'x');
		cr_assert_eq(key.len, KEY_MAX + 1);
		cr_assert_eq(path_from_key(key.buf, &path), -EINVAL);
		cr_assert_eq(path_to_key(path.buf, &key), -ENOENT);
	}
}

/* Parts of generated names; no path can show the last ones. */
static const char *const parts[] = {
	"latest", "2026.08.18", "api", "packages", "http", "http.d", "d", ".d", "a.d.d", "...",
	"advisories", "x", "api.d", "packages.d", "\xc3\xa9", ".pubfs2",
	/* bad */
	".", "..", "x\x01", "\xff",
};
#define N_PARTS	   ARRAY_SIZE(parts)
#define N_GOOD	   16
#define SEED	   20260818u
#define N_NAMES	   50000
#define PARTS_MOST 6

/* A generated name; false: it has a bad part. */
static bool add_generated(uint32_t *seed, struct strbuf *out)
{
	static const char *const folders[] = { "latest", "api", "packages" };
	unsigned draw[PARTS_MOST + 2];
	bool good = true;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(draw); i++) {
		*seed = *seed * 1664525u + 1013904223u;
		draw[i] = *seed >> 12;
	}
	n = 1 + draw[0] % PARTS_MOST;
	strbuf_reset(out);
	for (size_t i = 0; i < n; i++) {
		size_t part = draw[i + 1] / 8 % (draw[i + 1] % 8 ? N_GOOD : N_PARTS);
		bool folder = i < 3 && draw[0] / PARTS_MOST % 4;

		strbuf_addstr(out, i ? "/" : "");
		strbuf_addstr(out, folder ? folders[i] : parts[part]);
		good = good && (folder || part < N_GOOD);
	}
	if (draw[n] / 1024 % 5 == 0)
		strbuf_addch(out, '/');
	return good;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t count_distinct(char **texts, size_t n)
{
	size_t distinct = 0;

	qsort(texts, n, sizeof(*texts), compare_texts);
	for (size_t i = 0; i < n; i++)
		distinct += !i || strcmp(texts[i - 1], texts[i]);
	return distinct;
}

Test(path, every_good_key_has_one_path_of_its_own_and_comes_back_from_it)
{
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(OUT_MAX);
	char **keys = xcalloc(N_NAMES, sizeof(*keys)), **paths = xcalloc(N_NAMES, sizeof(*paths));
	uint32_t seed = SEED;
	size_t n = 0, distinct;

	for (size_t i = 0; i < N_NAMES; i++) {
		CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(OUT_MAX);
		CLEANUP(strbuf_release) struct strbuf back = STRBUF_INIT(OUT_MAX);
		bool good = add_generated(&seed, &key);

		cr_assert_eq(path_from_key(key.buf, &path), good ? 0 : -EINVAL, "seed %u: %s", SEED,
			     key.buf);
		if (!good)
			continue;
		cr_assert_eq(path_to_key(path.buf, &back), 0, "seed %u: %s", SEED, path.buf);
		cr_assert_str_eq(back.buf, key.buf, "seed %u: %s became %s", SEED, key.buf,
				 back.buf);
		keys[n] = xstrdup(key.buf);
		paths[n++] = xstrdup(path.buf);
	}
	distinct = count_distinct(keys, n);
	cr_assert_gt(distinct, 10000);
	cr_assert_eq(count_distinct(paths, n), distinct, "seed %u", SEED);
	for (size_t i = 0; i < n; i++) {
		free(keys[i]);
		free(paths[i]);
	}
	free(keys);
	free(paths);
}

Test(path, every_path_with_a_key_comes_back_from_it)
{
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(OUT_MAX);
	uint32_t seed = SEED;
	size_t found = 0;

	for (size_t i = 0; i < N_NAMES; i++) {
		CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(OUT_MAX);
		CLEANUP(strbuf_release) struct strbuf back = STRBUF_INIT(OUT_MAX);

		(void)add_generated(&seed, &path);
		if (path_to_key(path.buf, &key) < 0)
			continue;
		found++;
		cr_assert_eq(path_from_key(key.buf, &back), 0, "seed %u: %s", SEED, path.buf);
		cr_assert_str_eq(back.buf, path.buf, "seed %u: %s became %s", SEED, path.buf,
				 back.buf);
	}
	cr_assert_gt(found, 5000);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* held.c - plans that a brake holds: a file each, until they are released or nobody plans them. */
#include "held.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "codec.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "strbuf.h"

#define DIGITS 32 /* of the hash of the store's URL, as the index has it */

static const char *const plans[] = { "sync", "gc", "promote" };

/* A file of that store below the cache. */
static char *path_of(const char *cache, const char *store_url, const char *name)
{
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	sha256(store_url, strlen(store_url), sum);
	hex_encode(sum, SHA256_SIZE, hex);
	return xasprintf("%s/%.*s.%s", cache, DIGITS, hex, name);
}

char *held_path(const char *cache, const char *store_url, const char *plan)
{
	CLEANUP(free_char) char *name = xasprintf("%s.held", plan);

	return path_of(cache, store_url, name);
}

char *held_beside(const char *held, const char *name)
{
	return held ? xasprintf("%s.%s", held, name) : NULL;
}

char *removals_path(const char *cache, const char *store_url)
{
	return path_of(cache, store_url, "removals");
}

char *status_path(const char *cache, const char *store_url, long pid)
{
	CLEANUP(free_char) char *name = xasprintf("%ld.status", pid);

	return path_of(cache, store_url, name);
}

static void close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Calls fn for each line, without its end. */
static int each_line(const char *path, void (*fn)(void *ctx, const char *line), void *ctx)
{
	CLEANUP(close_file) FILE *f = fopen(path, "re");
	CLEANUP(free_char) char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return fail(-EIO, "cannot read %s: %s", path, strerror(errno));
	while ((n = getline(&line, &size, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		fn(ctx, line);
	}
	return ferror(f) ? fail(-EIO, "cannot read %s", path) : 0;
}

struct plan_file {
	struct names *items;
	struct strbuf *why;
};

static void add_line(void *ctx, const char *line)
{
	const struct plan_file *file = ctx;

	if (strncmp(line, "# ", 2) != 0) {
		if (*line)
			names_add(file->items, line);
	} else if (file->why) {
		strbuf_addstr(file->why, line + 2 + strcspn(line + 2, " ") + 1);
	}
}

static void add_text(void *ctx, const char *line)
{
	strbuf_addf(ctx, "%s\n", line);
}

int held_text(const char *cache, const char *store_url, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		CLEANUP(free_char) char *path = held_path(cache, store_url, plans[i]);
		int r = each_line(path, add_text, out);

		if (r < 0)
			return r;
	}
	return strbuf_error(out);
}

int held_load(const char *path, struct names *ret, struct strbuf *why)
{
	struct plan_file file = { ret, why };
	int r = path ? each_line(path, add_line, &file) : 0;

	names_sort(ret);
	return r;
}

int held_count(const char *path, uint64_t *ret_items, struct strbuf *why)
{
	CLEANUP(names_release) struct names items = { 0 };
	int r = held_load(path, &items, why);

	*ret_items = items.n;
	return r;
}

static int write_items(FILE *f, const char *why, const struct names *items)
{
	CLEANUP(strbuf_release) struct strbuf time = STRBUF_INIT(64);

	clock_format(clock_now(), &time);
	fprintf(f, "# %s %s\n", time.buf, why);
	for (size_t i = 0; i < items->n; i++)
		fprintf(f, "%s\n", items->names[i]);
	return fflush(f) || fsync(fileno(f)) || ferror(f) ? -errno : 0;
}

int held_save(const char *path, const char *why, const struct names *items)
{
	CLEANUP(free_char) char *temporary = NULL;
	CLEANUP(close_file) FILE *f = NULL;
	int r;

	if (!path)
		return 0;
	if (!items->n) {
		if (unlink(path) && errno != ENOENT)
			return fail(-EIO, "cannot remove %s: %s", path, strerror(errno));
		return 0;
	}
	temporary = xasprintf("%s.%d", path, (int)getpid());
	f = fopen(temporary, "we");
	r = f ? write_items(f, why, items) : -errno;
	if (!r && rename(temporary, path))
		r = -errno;
	if (r < 0) {
		unlink(temporary);
		return fail(-EIO, "cannot write %s: %s", path, strerror(-r));
	}
	return 0;
}

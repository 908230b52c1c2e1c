/* SPDX-License-Identifier: BSD-3-Clause */
/* gc_names.c - which packages and versions the database has, and what of them is exported. */
#include "gc_names.h"

#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "memory.h"
#include "strbuf.h"

#define TEXT_MAX ((size_t)64 << 10)

enum mark { MARK_PACKAGE, MARK_VERSION, MARK_VERSIONED, MARK_EXPORTED };

/* No name has a NUL, so that no two texts are the same. */
static uint64_t mark_of(enum mark what, const char *a, const char *b, size_t b_len)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	unsigned char sum[SHA256_SIZE];
	uint64_t mark;

	strbuf_addch(&text, (char)('0' + what));
	strbuf_add(&text, a, strlen(a) + 1);
	strbuf_add(&text, b, b_len);
	sha256(text.buf, text.len, sum);
	memcpy(&mark, sum, sizeof(mark));
	return mark;
}

static void add(struct gc_names *names, uint64_t mark)
{
	GROW(names->marks, names->n, names->alloc);
	names->marks[names->n++] = mark;
}

void gc_names_add_package(struct gc_names *names, const char *package)
{
	names->packages++;
	add(names, mark_of(MARK_PACKAGE, package, "", 0));
}

void gc_names_add_version(struct gc_names *names, const char *package, const char *version)
{
	add(names, mark_of(MARK_VERSION, package, version, strlen(version)));
	add(names, mark_of(MARK_VERSIONED, package, "", 0));
}

void gc_names_add_exported(struct gc_names *names, const char *prefix, const char *package)
{
	add(names, mark_of(MARK_EXPORTED, prefix, package, strlen(package)));
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void gc_names_seal(struct gc_names *names)
{
	size_t kept = 0;

	if (!names->n)
		return;
	qsort(names->marks, names->n, sizeof(*names->marks), by_number);
	for (size_t i = 1; i < names->n; i++)
		if (names->marks[i] != names->marks[kept])
			names->marks[++kept] = names->marks[i];
	names->n = kept + 1;
}

static bool have(const struct gc_names *names, uint64_t mark)
{
	return names->n &&
	       bsearch(&mark, names->marks, names->n, sizeof(*names->marks), by_number);
}

bool gc_names_have_package(const struct gc_names *names, const char *package)
{
	return have(names, mark_of(MARK_PACKAGE, package, "", 0));
}

bool gc_names_have_version(const struct gc_names *names, const char *package,
			   struct name_part version)
{
	return have(names, mark_of(MARK_VERSION, package, version.text, version.len));
}

bool gc_names_have_any_version(const struct gc_names *names, const char *package)
{
	return have(names, mark_of(MARK_VERSIONED, package, "", 0));
}

bool gc_names_have_exported(const struct gc_names *names, const char *prefix, const char *package)
{
	return have(names, mark_of(MARK_EXPORTED, prefix, package, strlen(package)));
}

void gc_names_release(struct gc_names *names)
{
	free(names->marks);
	*names = (struct gc_names){ 0 };
}

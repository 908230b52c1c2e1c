/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff.c - how two prefixes, or two stores, differ: two sorted lists that are merged.
 *
 * Each side is read a page at a time, and what a page holds is copied: so both can be walked side
 * by side, and whoever is told of a difference may call the stores.
 */
#include "diff.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "memory.h"
#include "store.h"
#include "strbuf.h"

#define PAGE	     1024 /* objects */
#define PAGE_KEYS_MAX ((size_t)256 << 20)

struct entry {
	struct fingerprint f; /* its pointers are set when it is shown */
	size_t key;	      /* offset in the page's keys */
	bool has_sha256, has_md5;
	unsigned char sha256[SHA256_SIZE], md5[MD5_SIZE];
};

/* One side on its way. */
struct reader {
	const struct diff_side *side;
	struct strbuf keys, after;
	struct entry entries[PAGE];
	size_t n, at;
	bool more; /* behind this page */
	uint64_t seen;
};

static struct reader *reader_new(const struct diff_side *side)
{
	struct reader *r = xmalloc(sizeof(*r));

	r->side = side;
	strbuf_init(&r->keys, PAGE_KEYS_MAX);
	strbuf_init(&r->after, PAGE_KEYS_MAX);
	r->n = r->at = 0;
	r->more = true;
	r->seen = 0;
	return r;
}

static void reader_free(struct reader **r)
{
	if (!*r)
		return;
	strbuf_release(&(*r)->keys);
	strbuf_release(&(*r)->after);
	free(*r);
}

static int keep_entry(void *ctx, const struct fingerprint *f)
{
	struct reader *r = ctx;
	struct entry *e = &r->entries[r->n++];

	e->f = *f;
	e->key = r->keys.len;
	e->has_sha256 = f->sha256;
	e->has_md5 = f->md5;
	if (f->sha256)
		memcpy(e->sha256, f->sha256, SHA256_SIZE);
	if (f->md5)
		memcpy(e->md5, f->md5, MD5_SIZE);
	strbuf_add(&r->keys, f->key, strlen(f->key) + 1);
	return r->n == PAGE;
}

/* 1: `ret` is where it stands; 0: it is at its end. */
static int reader_peek(struct reader *r, const struct fingerprint **ret)
{
	struct entry *e;

	while (r->at == r->n) {
		int got;

		if (!r->more)
			return 0;
		strbuf_reset(&r->keys);
		r->n = r->at = 0;
		got = store_fingerprints(r->side->store, r->side->prefix, true,
					 r->after.len ? r->after.buf : NULL, keep_entry, r);
		if (got < 0)
			return got;
		if (strbuf_error(&r->keys) < 0)
			return fail(-EIO, "a page of names does not fit in memory");
		r->more = got;
		r->seen += r->n;
		if (r->n) {
			strbuf_reset(&r->after);
			strbuf_addstr(&r->after, r->keys.buf + r->entries[r->n - 1].key);
		}
	}
	e = &r->entries[r->at];
	e->f.key = r->keys.buf + e->key;
	e->f.sha256 = e->has_sha256 ? e->sha256 : NULL;
	e->f.md5 = e->has_md5 ? e->md5 : NULL;
	*ret = &e->f;
	return 1;
}

/* Of the stored bytes. */
static enum likeness stored_likeness(const struct fingerprint *a, const struct fingerprint *b)
{
	bool encoded = a->gzip || b->gzip || a->foreign_encoding || b->foreign_encoding;
	bool same = false;

	if (a->md5 && b->md5)
		same = !memcmp(a->md5, b->md5, MD5_SIZE);
	else if (a->has_crc32c && b->has_crc32c)
		same = a->size == b->size && a->crc32c == b->crc32c;
	else if (a->size == b->size)
		return LIKE_UNKNOWN;
	if (same && a->gzip == b->gzip && a->foreign_encoding == b->foreign_encoding)
		return LIKE_SAME;
	return encoded ? LIKE_UNKNOWN : LIKE_DIFFERENT;
}

enum likeness diff_likeness(const struct fingerprint *a, const struct fingerprint *b)
{
	enum likeness likeness;

	if (a->sha256 && b->sha256)
		likeness = memcmp(a->sha256, b->sha256, SHA256_SIZE) ? LIKE_DIFFERENT : LIKE_SAME;
	else
		likeness = stored_likeness(a, b);
	if (likeness == LIKE_SAME && (a->headers != b->headers || a->gzip != b->gzip ||
				      a->foreign_encoding != b->foreign_encoding))
		likeness = LIKE_HEADERS;
	return likeness;
}

/* Both sides on their way, and who is told. */
struct merge {
	const struct diff_side *a, *b;
	struct reader *from_a, *from_b;
	difference_fn *fn;
	void *ctx;
};

/* One step: the lower one of both names. */
static int merge_step(const struct merge *m, bool *ret_more)
{
	struct difference d = { .likeness = LIKE_SAME };
	int more_a = reader_peek(m->from_a, &d.a), more_b = reader_peek(m->from_b, &d.b);
	size_t skip_a = strlen(m->a->prefix), skip_b = strlen(m->b->prefix);
	int order, r = 0;

	if (more_a < 0 || more_b < 0)
		return more_a < 0 ? more_a : more_b;
	*ret_more = more_a || more_b;
	if (!*ret_more)
		return 0;
	order = !more_a ? 1 : !more_b ? -1 : strcmp(d.a->key + skip_a, d.b->key + skip_b);
	d.name = order <= 0 ? d.a->key + skip_a : d.b->key + skip_b;
	if (order)
		d.likeness = order < 0 ? LIKE_ONLY_A : LIKE_ONLY_B;
	else
		d.likeness = diff_likeness(d.a, d.b);
	if (order < 0)
		d.b = NULL;
	else if (order > 0)
		d.a = NULL;
	if (d.likeness != LIKE_SAME)
		r = m->fn(m->ctx, &d);
	m->from_a->at += order <= 0;
	m->from_b->at += order >= 0;
	return r;
}

int diff_sides(const struct diff_side *a, const struct diff_side *b, difference_fn *fn, void *ctx,
	       struct diff_sizes *ret)
{
	CLEANUP(reader_free) struct reader *from_a = reader_new(a);
	CLEANUP(reader_free) struct reader *from_b = reader_new(b);
	const struct merge m = { a, b, from_a, from_b, fn, ctx };
	bool more = true;
	int r = 0;

	while (!r && more)
		r = merge_step(&m, &more);
	*ret = (struct diff_sizes){ from_a->seen, from_b->seen };
	return r;
}

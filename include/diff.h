/* SPDX-License-Identifier: BSD-3-Clause */
/* diff.h - how two prefixes, or two stores, differ: by the hashes that listings tell. */
#ifndef PUBFS_DIFF_H
#define PUBFS_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include "catalog.h"
#include "compiler.h"
#include "object.h"

struct store;
struct strbuf;

/* What is compared: all of a store below a prefix such as "latest/", or all of it (""). All
 * borrowed. */
struct diff_side {
	struct store *store;
	const char *prefix;
};

enum likeness {
	LIKE_SAME,
	LIKE_HEADERS, /* the same bytes for clients, sent with other headers */
	LIKE_UNKNOWN, /* other stored bytes; whether the decoded ones differ, no hash tells */
	LIKE_DIFFERENT,
	LIKE_ONLY_A,
	LIKE_ONLY_B,
	LIKENESSES
};

/* Of two objects. Pure. The SHA-256 of the decoded bytes decides where both have it, else the MD5
 * of the stored bytes, else their CRC-32C with the size; an equal size alone is never enough. */
enum likeness diff_likeness(const struct fingerprint *a, const struct fingerprint *b);

/* One name that is not the same on both sides. Borrowed. */
struct difference {
	enum likeness likeness;
	const char *name; /* the key below the prefixes */
	const struct fingerprint *a, *b; /* NULL: only on the other side */
};
typedef int difference_fn(void *ctx, const struct difference *d); /* not 0: ends it */

struct diff_sizes { /* how many objects each side has */
	uint64_t a, b;
};

/*
 * Calls fn for each difference, in byte order of the name. Answered from an index without a
 * request; fn may call the stores. Returns what fn returned when that was not 0.
 */
int diff_sides(const struct diff_side *a, const struct diff_side *b, difference_fn *fn, void *ctx,
	       struct diff_sizes *ret) MUST_CHECK;

/* Why two objects differ, as far as their bodies tell. */
enum cause {
	CAUSE_ABSENT_A,
	CAUSE_ABSENT_B,
	CAUSE_GZIP,	/* the same decoded bytes, compressed otherwise */
	CAUSE_HEADERS,
	CAUSE_SPELLING, /* the same JSON in another spelling or order */
	CAUSE_NO_ZONE,	/* a time without Z on one side */
	CAUSE_TIME,
	CAUSE_VERSIONS, /* another set of versions */
	CAUSE_LATEST,	/* another version is the latest */
	CAUSE_RETRACTED,
	CAUSE_STATE,	/* discontinued, or replaced by another package */
	CAUSE_BASE_URL,
	CAUSE_PUBSPEC,
	CAUSE_HASH,	/* another archive_sha256 */
	CAUSE_ADVISORIES, /* another set of advisories */
	CAUSE_ADVISORY,	/* another text of one */
	CAUSE_VALUE,	/* any other value of a document */
	CAUSE_UNREADABLE, /* one of them is no JSON, or its bytes are damaged */
	CAUSE_BYTES,	/* of what is no JSON: an archive, say */
	CAUSES
};
/* "time without Z" */
const char *cause_text(enum cause cause);

/* Appends the decoded bytes of that generation. -EBADMSG: no sound gzip; -E2BIG; -ESTALE. */
int diff_load(struct store *s, const char *key, const struct fingerprint *f,
	      struct strbuf *out) MUST_CHECK;

/* The bits, 1 << enum cause, of two decoded texts that differ. Pure. */
unsigned diff_causes(enum kind kind, const struct strbuf *a, const struct strbuf *b);

/* The differences grouped by their causes: an object counts once for each that it has. */
struct explanation {
	uint64_t objects, counts[CAUSES];
	char *examples[CAUSES]; /* the first name of each; owned */
};
void explanation_release(struct explanation *e);

/* Reads both bodies of what differs by them and of nothing else, `jobs` at a time. */
int diff_explain(const struct diff_side *a, const struct diff_side *b, unsigned jobs,
		 struct explanation *ret) MUST_CHECK;

#endif

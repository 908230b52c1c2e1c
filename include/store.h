/* SPDX-License-Identifier: BSD-3-Clause */
/* store.h - objects under keys, and the chain of links that every call goes through. */
#ifndef PUBFS_STORE_H
#define PUBFS_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "object.h"

struct body;
struct store;
struct strbuf;

#define STORE_ANY    UINT64_MAX /* no condition */
#define STORE_ABSENT 0		/* only if there is none */

enum edit_op { EDIT_WRITE, EDIT_COPY, EDIT_TOUCH, EDIT_REMOVE };

/* One change of the bucket, with the condition it was decided on. */
struct edit {
	enum edit_op op;
	unsigned group;	      /* see store_edit() */
	struct object object; /* in: key, headers, custom keys (and, for a write, md5 if known);
			       * out, after success of anything but a removal: as it is now */
	uint64_t if_generation; /* out: what a write had put there itself, if it was made again */
	uint64_t if_metageneration; /* of that generation; 0: no condition */
	const struct body *body; /* EDIT_WRITE: the bytes to be stored, as they are */
	struct store *from;	 /* EDIT_COPY: from this store, on the server where it can */
	const char *from_key;
	uint64_t from_generation;
	int result; /* out: 0 or a negative errno, see store_edit() */
};

typedef int object_fn(void *ctx, const struct object *obj); /* anything but 0 ends the list */
typedef int fingerprint_fn(void *ctx, const struct fingerprint *f); /* the same */

/* A link leaves NULL what it does not change; the call then goes to the next one. Outputs are
 * untouched on failure. The wrappers below document the verbs. */
struct store_ops {
	const char *name;
	int (*stat)(struct store *s, const char *key, struct object *ret);
	int (*read)(struct store *s, const char *key, uint64_t generation, uint64_t offset,
		    size_t length, struct strbuf *out);
	int (*list)(struct store *s, const char *prefix, bool deep, const char *after,
		    object_fn *fn, void *ctx);
	int (*list_part)(struct store *s, const char *prefix, const char *after, const char *end,
			 object_fn *fn, void *ctx);
	int (*fingerprints)(struct store *s, const char *prefix, bool deep, const char *after,
			    fingerprint_fn *fn, void *ctx);
	int (*edit)(struct store *s, struct edit *edits, size_t n);
	int (*refresh)(struct store *s, const char *what, int64_t max_age);
	int64_t (*due)(struct store *s, const char *what, int64_t max_age);
	int (*knows)(struct store *s, const char *what);
	uint64_t (*version)(struct store *s);
	void (*close)(struct store *s);
};

/* First member of every implementation. */
struct store {
	const struct store_ops *ops;
	struct store *next; /* NULL: a driver */
	char *url;	    /* canonical; a driver owns it, a link borrows it from the driver */
	char *identity;	    /* another one when the store behind the URL was made anew; owned and
			     * borrowed like url; NULL: not known */
	unsigned parts;	    /* how many parts of a big list are worth asking for side by side */
	unsigned batch;	    /* how many packages' edits are worth gathering into one store_edit() */
	unsigned removals;  /* how many removals, each a group, are one request; 0 or 1: one is */
};

enum store_mode {
	STORE_OPEN,   /* -ENOENT when it is not there (said) */
	STORE_CREATE, /* made when it is not there; its parent folder must be (a bucket elsewhere is
		       * not: `pubfs provision` is for that) */
};

/* How a bucket elsewhere is reached, and what to say where there is no store on this host. All
 * borrowed for the call but `cancel`, which must outlive the store. */
struct store_options {
	const char *made_by;	   /* the command that makes such a store; NULL: none is named */
	const char *endpoint;	   /* NULL: STORAGE_EMULATOR_HOST, else Google's */
	const char *key_file;	   /* NULL: found by the rules of pubfs(1) */
	const char *ca_file;	   /* NULL: the certificates of the system */
	bool batch_delete; /* the endpoint minds conditions within a batch (Google's is known to) */
	const atomic_bool *cancel; /* true: waiting calls end with -ECANCELED; NULL: none does */
};

/* Opens the driver for `dir:PATH`, `gs://BUCKET`, or `mem:` (tests). -EINVAL: no such kind of URL;
 * -ENOENT,
 * -EACCES, -EIO: cannot be used. Every failure has been said. */
int store_open(const char *url, enum store_mode mode, struct store **ret) MUST_CHECK;
int store_open_with(const char *url, enum store_mode mode, const struct store_options *options,
		    struct store **ret) MUST_CHECK;
/* Closes a link and all below it. NULL is fine. */
void store_close(struct store *s);

/* Any thread may call anything. Calls block. */

/* -ENOENT: no such object. */
int store_stat(struct store *s, const char *key, struct object *ret) MUST_CHECK;

/* Appends up to `length` stored bytes at `offset` of exactly that generation (STORE_ANY: whatever
 * is there, but of one generation); short only at the end. -ESTALE: another generation is there;
 * -ENOENT: none; -EBADMSG: bytes and hash differ; -E2BIG: `out` is full. */
int store_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
	       size_t length, struct strbuf *out) MUST_CHECK;

/*
 * Calls fn for every object whose key begins with `prefix` and is greater than `after` (NULL:
 * from the start), in byte order of the key. Not deep: what lies below a further '/' is folded
 * into one object with generation 0 whose key ends in that '/'; `after` may name such a key too,
 * and then all below it is passed over. fn must not call the store. Returns what fn returned when
 * that was not 0.
 */
int store_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	       void *ctx) MUST_CHECK;

/* The same of all below the prefix (deep) whose key is less than `end`. */
int store_list_part(struct store *s, const char *prefix, const char *after, const char *end,
		    object_fn *fn, void *ctx) MUST_CHECK;

/* As store_list(), but shows only what an index has at hand: fn is called in the middle of its
 * reading, so it is quick. */
int store_fingerprints(struct store *s, const char *prefix, bool deep, const char *after,
		       fingerprint_fn *fn, void *ctx) MUST_CHECK;

/*
 * Makes changes, each under its own condition; `result` says of each how it went. Changes with
 * the same group number (they stand together) are made in their order, and after one failed the
 * rest of its group is not tried (-ECANCELED). Returns 0 when all went well, else the first
 * failure. When it returns, every change with result 0 is on stable storage.
 * Results: -ESTALE: another generation or metageneration is there (or none, or one where
 * STORE_ABSENT was asked);
 * a removal of what is not there is a success; EDIT_TOUCH of what is not there: -ESTALE. The
 * source of a copy: -ENOENT none, -ESTALE another generation. -EBADMSG: the bytes are not those
 * of object.md5.
 */
int store_edit(struct store *s, struct edit *edits, size_t n) MUST_CHECK;

/*
 * Makes sure that what a caching link knows is not older than max_age microseconds (0: ask now):
 * "" the names at the top, "latest/" all below that prefix, any other text that one object.
 * A driver knows everything as it is: 0.
 */
int store_refresh(struct store *s, const char *what, int64_t max_age) MUST_CHECK;

/* What store_refresh() of a list would do: nothing (0); or list anew what is known and can be shown
 * meanwhile: how long that took the last time (microseconds). Below 0: nothing is known, or nobody
 * can tell. Asks nothing. */
int64_t store_due(struct store *s, const char *what, int64_t max_age) MUST_CHECK;
/* 1: a list of that prefix is answered without a request to find out what is there, if need be as
 * it once was; 0: a caching link has never listed it. `what`: "" or "latest/", as above. */
int store_knows(struct store *s, const char *what) MUST_CHECK;
/* Grows whenever what stat and list answer may have changed: a caller that sees the same number
 * twice knows that its own copy of an answer is still right. 0: nobody knows. */
uint64_t store_version(struct store *s);

/* For the makers of edits and links. */
void edit_release(struct edit *edits, size_t n); /* releases each `object` */

#endif

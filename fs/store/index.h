/* SPDX-License-Identifier: BSD-3-Clause */
/* index.h - the parts of the index: rows, tables, opening, looking again. Private to index*.c. */
#ifndef PUBFS_STORE_INDEX_H
#define PUBFS_STORE_INDEX_H

#include <lmdb.h>
#include <stdatomic.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"
#include "object.h"
#include "store.h"
#include "strbuf.h"

#define INDEX_BATCH   1000		 /* rows a write transaction looks at, bar an edit's */
#define INDEX_KEY_MAX ((size_t)64 << 10) /* no store has longer keys (GCS: 1,024 bytes) */

#define FRESH_TOPS 8  /* a few prefixes are used at a time */
#define FRESH_NAME 64 /* a longer one is looked up each time */

enum table {
	TABLE_OBJECTS, /* key -> row (index_row.c) */
	TABLE_TOPS,    /* "latest/" -> struct top */
	TABLE_META,    /* what index_open.c keeps, and the struct top of the names at the top */
	TABLE_COUNT,
};

struct index {
	struct store store;
	char *dir;
	int lock; /* held shared while open */
	MDB_env *env;
	MDB_dbi tables[TABLE_COUNT];
	atomic_int_least64_t failed_at; /* when the last listing that failed did so, */
	atomic_int failure;		/* and how */
	atomic_uint_least64_t seen; /* the newest transaction that index_version() could read */
	pthread_mutex_t fresh_lock; /* of both below; taken alone */
	struct fresh {
		char what[FRESH_NAME]; /* "" or "latest/", as in store_refresh(), */
		uint64_t version;      /* as of this state of the tables (0: nothing), was */
		int64_t listed;	       /* listed then (wall clock), */
		int64_t max_age;       /* which was young enough for this age, */
		int64_t until;	       /* and is until then */
	} fresh[FRESH_TOPS];
	unsigned fresh_next; /* the place that is used next */
};

struct slice { /* borrowed bytes */
	const void *bytes;
	size_t n;
};

/* index_row.c - what the index keeps of an object, packed. */
struct row {
	uint64_t number;  /* the write transaction that put it */
	int64_t checked;  /* when it was asked for alone, microseconds; NO_TIME: listings told it */
	bool tombstone;	  /* it was removed; content is empty */
	bool doomed;	  /* the listing under way, or one that failed, did not show it */
	struct slice content;
};

void row_pack(const char *key, const struct row *row, struct strbuf *out);
/* -EBADMSG: no row, or not of this key. */
int row_parse(const char *key, struct slice packed, struct row *ret) MUST_CHECK;
/* row_parse(), and that the content is one. */
int row_check(const char *key, struct slice packed) MUST_CHECK;

void row_pack_content(const struct object *obj, struct strbuf *out);
/* -EBADMSG: no content. */
int row_unpack_content(const char *key, struct slice content, struct object *ret) MUST_CHECK;
/* What of it is compared. Borrows from both. */
int row_unpack_fingerprint(const char *key, struct slice content,
			   struct fingerprint *ret) MUST_CHECK;
/* True when `a` is a later state of the object than `b`, or the same. */
bool row_content_is_newer(struct slice a, struct slice b);

/* Text of what rows rely on: their format, and the headers that the catalog stands for. */
char *row_format(void);

/* index_table.c - transactions, and tables whose keys have any length. */
struct txn {
	const struct index *x;
	MDB_txn *mdb;	 /* NULL: none */
	uint64_t number; /* of a write transaction; grows */
};

int txn_read(const struct index *x, struct txn *ret) MUST_CHECK;
int txn_write(const struct index *x, struct txn *ret) MUST_CHECK;
int txn_commit(struct txn *t) MUST_CHECK;
void txn_abort(struct txn *t); /* nothing when it was committed; for CLEANUP() */

/* Says what LMDB answered, or that the index is damaged (MDB_CORRUPTED); returns -EIO. */
int index_failed(const struct index *x, const char *what, int rc);

/* -ENOENT: none. The value lives until the next change, or the end of the transaction. */
int table_get(const struct txn *t, enum table table, const char *key, struct slice *ret) MUST_CHECK;
int table_put(const struct txn *t, enum table table, const char *key,
	      struct slice value) MUST_CHECK;
/* What is not there is removed. */
int table_remove(const struct txn *t, enum table table, const char *key) MUST_CHECK;

/* Reads every page of a table of LMDB's numbering, and gives each value to `check` (NULL: none). */
bool table_is_sound(const struct txn *t, MDB_dbi table,
		    int (*check)(const char *key, struct slice value));

/* A way through a table in key order. The table must not change meanwhile. */
struct walk {
	const struct txn *txn;
	MDB_cursor *cursor;
	struct strbuf key;  /* where it stands */
	struct slice value;
	struct slice group; /* long keys: the entries behind this one */
};

int walk_open(const struct txn *t, enum table table, struct walk *ret) MUST_CHECK;
/* To the first key that is not below the bytes of `at`. 1: there is one, 0: none. */
int walk_seek(struct walk *w, const struct strbuf *at) MUST_CHECK;
int walk_next(struct walk *w) MUST_CHECK;
void walk_close(struct walk *w);

/* For walk_seek(): the place right behind a key, or behind all that begins with a folder's key. */
void place_behind_key(struct strbuf *at, const char *key);
void place_behind_folder(struct strbuf *at, const char *key, size_t n);

/* Keys with values, copied one behind the other. */
struct batch {
	struct strbuf bytes;
	size_t n;
};
#define BATCH_INIT                                                                                 \
	{                                                                                          \
		.bytes = STRBUF_INIT((size_t)64 << 20)                                             \
	}

int batch_add(struct batch *b, const char *key, size_t key_len, struct slice value) MUST_CHECK;
/* The entry at *offset, which moves on; false: no more. */
bool batch_next(const struct batch *b, size_t *offset, const char **key, struct slice *value);
void batch_reset(struct batch *b);
void batch_release(struct batch *b);

/* index_open.c - the folder, its locks, and whether what lies there can be trusted. */
int index_open(struct index *x, const char *cache_dir) MUST_CHECK;
/* The folder below cache_dir of what is kept of this store, made if needed; owned by the caller. */
int index_place(const char *cache_dir, const char *url, char **ret) MUST_CHECK;
void index_close(struct index *x); /* what index_open() opened */
/* It is made anew when the next one opens it alone, whatever the check would say. */
void index_note_damage(const struct index *x);
/* Opens and locks a file of the index's folder. -ECANCELED: nobody waits for it any more. */
int index_lock(const struct index *x, const char *name, int operation, int *ret_fd) MUST_CHECK;
/* The name of a file system on which LMDB and locks cannot be trusted; NULL: it may be used. */
const char *index_refused_file_system(unsigned long f_type);

/* index_fresh.c - which prefixes were found to be listed lately. */

/* The number of the newest transaction, of any process, that can be read: what is read from now on
 * is of that or later, and no table has changed while it stays. 0: it cannot be told. */
uint64_t index_version(struct index *x);
/* What was found last of the prefix that a key begins with; false: look into the tables. */
bool index_recall(struct index *x, const char *key, struct fresh *ret);
void index_remember(struct index *x, const struct fresh *fresh);

/* index_refresh.c - looking at the store again. */

/* What is known of all below a top-level prefix, or of the names at the top. All zero: nothing. */
struct top {
	int64_t listed; /* when the newest complete listing began; 0: never */
	int64_t took;	/* how long it lasted */
	uint64_t swept; /* the number as of which rows may have gone without a tombstone */
	uint64_t seen;	/* the start of the newest listing that showed the prefix; 0: none did */
};

#define EVER INT64_MAX /* as a max_age: listed at any time */

/* `what` as in store_refresh(): "" or "latest/". 0, or 1 with the top; nothing known: 0. */
int index_top(const struct txn *t, const char *what, struct top *ret) MUST_CHECK;
/* The key's top-level prefix with its '/', or "" for a name at the top. To be freed. */
char *index_top_of(const char *key);

/* As store_due(). */
int64_t index_listing_due(struct index *x, const char *what, int64_t max_age) MUST_CHECK;
int index_refresh_listing(struct index *x, const char *what, int64_t max_age) MUST_CHECK;
int index_refresh_object(struct index *x, const char *key, int64_t max_age) MUST_CHECK;

/* The number of the newest write transaction: what is asked of the store from now on is later. */
int index_number(const struct index *x, uint64_t *ret) MUST_CHECK;
/*
 * Puts what the store said of one object (NULL: it is gone), asked when the number was `start`.
 * 1: the index knows of something later that cannot be compared, so the store must be asked again.
 */
int index_put(const struct txn *t, const char *key, const struct object *obj, uint64_t start,
	      int64_t checked) MUST_CHECK;

#endif

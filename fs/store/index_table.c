/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_table.c - transactions, and tables whose keys have any length.
 *
 * LMDB's keys end at 511 bytes, an object's do not. A key of up to HEAD_MAX (510) bytes is LMDB's
 * own. All longer keys that begin with the same 510 bytes are one LMDB row, a group: its key is
 * those bytes (the head) and a NUL, its value the entries in order, each the rest of the key (the
 * tail) and the value, both behind their length. No key has a NUL, so no key is a group's, and
 * the group stands where its keys belong: behind the head and before all that is greater. Groups
 * are rewritten whole, which is slow where many long names differ only behind their 510th byte.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "index.h"
#include "log.h"

#define HEAD_MAX  510
#define GROUP_MAX ((size_t)256 << 20)

int index_failed(const struct index *x, const char *what, int rc)
{
	if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND) {
		index_note_damage(x);
		return fail(-EIO, "the index in %s is damaged: stop all pubfs that use it and "
				  "start them again, then it is made anew", x->dir);
	}
	if (rc == EIO || rc == ENOSPC) /* LMDB calls a short write EIO */
		return fail(-EIO, "cannot %s the index in %s: its disk is full or fails; free some "
				  "space, or name another folder with --cache", what, x->dir);
	return fail(-EIO, "cannot %s the index in %s: %s", what, x->dir, mdb_strerror(rc));
}

static int begin(const struct index *x, unsigned flags, struct txn *ret)
{
	struct txn t = { .x = x };
	int rc = mdb_txn_begin(x->env, NULL, flags, &t.mdb);

	if (rc)
		return index_failed(x, flags & MDB_RDONLY ? "read" : "write", rc);
	t.number = mdb_txn_id(t.mdb);
	*ret = t;
	return 0;
}

int txn_read(const struct index *x, struct txn *ret)
{
	return begin(x, MDB_RDONLY, ret);
}

int txn_write(const struct index *x, struct txn *ret)
{
	return begin(x, 0, ret);
}

int txn_commit(struct txn *t)
{
	MDB_txn *mdb = steal(t->mdb);
	int rc = mdb_txn_commit(mdb);

	return rc ? index_failed(t->x, "write", rc) : 0;
}

void txn_abort(struct txn *t)
{
	if (t->mdb)
		mdb_txn_abort(steal(t->mdb));
}

/* Entries of a group. */
struct entry {
	struct slice tail, value;
};

/* False at the end, and where an entry is cut. */
static bool take_entry(struct slice *group, struct entry *ret)
{
	uint32_t n[2];
	const char *p = group->bytes;

	if (group->n < sizeof(n))
		return false;
	memcpy(n, p, sizeof(n));
	if (n[0] > group->n - sizeof(n) || n[1] > group->n - sizeof(n) - n[0])
		return false;
	p += sizeof(n);
	*ret = (struct entry){ { p, n[0] }, { p + n[0], n[1] } };
	*group = (struct slice){ p + n[0] + n[1], group->n - sizeof(n) - n[0] - n[1] };
	return true;
}

static void add_entry(struct strbuf *out, struct slice tail, struct slice value)
{
	uint32_t n[2] = { (uint32_t)tail.n, (uint32_t)value.n };

	strbuf_add(out, n, sizeof(n));
	strbuf_add(out, tail.bytes, tail.n);
	strbuf_add(out, value.bytes, value.n);
}

static int compare(struct slice a, struct slice b)
{
	int c = memcmp(a.bytes, b.bytes, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* LMDB's key of a key; `head` has room for a group's. */
static MDB_val lmdb_key(const char *key, size_t n, char head[HEAD_MAX + 1])
{
	size_t len = n > HEAD_MAX ? HEAD_MAX + 1 : n;

	memcpy(head, key, n > HEAD_MAX ? HEAD_MAX : n);
	if (n > HEAD_MAX)
		head[HEAD_MAX] = '\0';
	return (MDB_val){ len, head };
}

static int get(const struct txn *t, enum table table, MDB_val key, struct slice *ret)
{
	MDB_val value;
	int rc = mdb_get(t->mdb, t->x->tables[table], &key, &value);

	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	if (rc)
		return index_failed(t->x, "read", rc);
	*ret = (struct slice){ value.mv_data, value.mv_size };
	return 0;
}

int table_get(const struct txn *t, enum table table, const char *key, struct slice *ret)
{
	size_t n = strlen(key);
	char head[HEAD_MAX + 1];
	struct slice group, tail;
	struct entry e;
	int r = get(t, table, lmdb_key(key, n, head), &group);

	if (r < 0)
		return r;
	if (n <= HEAD_MAX) {
		*ret = group;
		return 0;
	}
	tail = (struct slice){ key + HEAD_MAX, n - HEAD_MAX };
	while (take_entry(&group, &e))
		if (!compare(e.tail, tail)) {
			*ret = e.value;
			return 0;
		}
	return -ENOENT;
}

static int put(const struct txn *t, enum table table, MDB_val key, struct slice value)
{
	/* LMDB only reads what it takes as not constant */
	MDB_val v = { value.n, (void *)(uintptr_t)value.bytes };
	int rc = mdb_put(t->mdb, t->x->tables[table], &key, &v, 0);

	return rc ? index_failed(t->x, "write", rc) : 0;
}

static int erase(const struct txn *t, enum table table, MDB_val key)
{
	int rc = mdb_del(t->mdb, t->x->tables[table], &key, NULL);

	return rc && rc != MDB_NOTFOUND ? index_failed(t->x, "write", rc) : 0;
}

/* The group of a long key with this value in it, or (NULL) without the key. */
static int change_group(const struct txn *t, enum table table, const char *key,
			const struct slice *value)
{
	CLEANUP(strbuf_release) struct strbuf now = STRBUF_INIT(GROUP_MAX);
	struct slice group = { NULL, 0 }, tail = { key + HEAD_MAX, strlen(key) - HEAD_MAX };
	char head[HEAD_MAX + 1];
	MDB_val at = lmdb_key(key, strlen(key), head);
	bool done = false;
	struct entry e;
	int r = get(t, table, at, &group);

	if (r < 0 && r != -ENOENT)
		return r;
	while (take_entry(&group, &e)) {
		int c = compare(e.tail, tail);

		if (c >= 0 && !done) {
			done = true;
			if (value)
				add_entry(&now, tail, *value);
		}
		if (c)
			add_entry(&now, e.tail, e.value);
	}
	if (!done && value)
		add_entry(&now, tail, *value);
	if (strbuf_error(&now) < 0)
		return fail(-E2BIG, "the index in %s cannot hold that many names that begin alike "
				    "and are longer than %d bytes", t->x->dir, HEAD_MAX);
	return now.len ? put(t, table, at, (struct slice){ now.buf, now.len })
		       : erase(t, table, at);
}

int table_put(const struct txn *t, enum table table, const char *key, struct slice value)
{
	size_t n = strlen(key);
	char head[HEAD_MAX + 1];

	if (n > INDEX_KEY_MAX)
		return fail(-E2BIG, "a name of %zu bytes is too long for the index", n);
	if (n > HEAD_MAX)
		return change_group(t, table, key, &value);
	return put(t, table, lmdb_key(key, n, head), value);
}

int table_remove(const struct txn *t, enum table table, const char *key)
{
	size_t n = strlen(key);
	char head[HEAD_MAX + 1];

	if (n > HEAD_MAX)
		return change_group(t, table, key, NULL);
	return erase(t, table, lmdb_key(key, n, head));
}

/* One row of LMDB: a value, or the entries of a group. */
static bool value_is_sound(char *key, size_t n, struct slice value,
			   int (*check)(const char *key, struct slice value))
{
	CLEANUP(strbuf_release) struct strbuf whole = STRBUF_INIT(INDEX_KEY_MAX);
	struct entry e;

	key[n] = '\0';
	if (n <= HEAD_MAX)
		return check(key, value) == 0;
	while (take_entry(&value, &e)) {
		strbuf_reset(&whole);
		strbuf_add(&whole, key, HEAD_MAX);
		strbuf_add(&whole, e.tail.bytes, e.tail.n);
		if (check(whole.buf, e.value) < 0)
			return false;
	}
	return value.n == 0;
}

bool table_is_sound(const struct txn *t, MDB_dbi table,
		    int (*check)(const char *key, struct slice value))
{
	uint64_t last[HEAD_MAX / sizeof(uint64_t) + 2]; /* free pages are counted by integers */
	uint64_t n = 0;
	MDB_val key, value, before = { 0, last };
	MDB_cursor *cursor;
	MDB_stat stat;
	bool sound = true;

	if (mdb_stat(t->mdb, table, &stat) || mdb_cursor_open(t->mdb, table, &cursor))
		return false;
	while (sound && !mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		/* they ascend, so that a loop of pages has an end */
		sound = key.mv_size <= HEAD_MAX + 1 &&
			(!n++ || mdb_cmp(t->mdb, table, &before, &key) < 0);
		if (!sound)
			break;
		before.mv_size = key.mv_size;
		memcpy(last, key.mv_data, key.mv_size);
		if (check)
			sound = value_is_sound(
				(char *)last, key.mv_size,
				(struct slice){ value.mv_data, value.mv_size }, check);
	}
	mdb_cursor_close(cursor);
	return sound && n == stat.ms_entries;
}

int walk_open(const struct txn *t, enum table table, struct walk *ret)
{
	struct walk w = { .txn = t, .key = STRBUF_INIT(INDEX_KEY_MAX) };
	int rc = mdb_cursor_open(t->mdb, t->x->tables[table], &w.cursor);

	if (rc)
		return index_failed(t->x, "read", rc);
	*ret = w;
	return 0;
}

void walk_close(struct walk *w)
{
	if (w->cursor)
		mdb_cursor_close(steal(w->cursor));
	strbuf_release(&w->key);
}

static int walk_in_group(struct walk *w)
{
	struct entry e;

	if (!take_entry(&w->group, &e))
		return index_failed(w->txn->x, "read", MDB_CORRUPTED);
	strbuf_setlen(&w->key, HEAD_MAX);
	strbuf_add(&w->key, e.tail.bytes, e.tail.n);
	w->value = e.value;
	return strbuf_error(&w->key) < 0 ? index_failed(w->txn->x, "read", MDB_CORRUPTED) : 1;
}

static int walk_to(struct walk *w, MDB_val key, MDB_cursor_op op)
{
	MDB_val value;
	int rc = mdb_cursor_get(w->cursor, &key, &value, op);

	w->group = (struct slice){ NULL, 0 };
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return index_failed(w->txn->x, "read", rc);
	strbuf_reset(&w->key);
	if (key.mv_size <= HEAD_MAX) {
		strbuf_add(&w->key, key.mv_data, key.mv_size);
		w->value = (struct slice){ value.mv_data, value.mv_size };
		return 1;
	}
	strbuf_add(&w->key, key.mv_data, HEAD_MAX);
	w->group = (struct slice){ value.mv_data, value.mv_size };
	return walk_in_group(w);
}

int walk_next(struct walk *w)
{
	return w->group.n ? walk_in_group(w) : walk_to(w, (MDB_val){ 0, NULL }, MDB_NEXT);
}

int walk_seek(struct walk *w, const struct strbuf *at)
{
	struct slice from = { at->buf, at->len };
	char head[HEAD_MAX + 1];
	int r;

	if (!at->len)
		return walk_to(w, (MDB_val){ 0, NULL }, MDB_FIRST);
	r = walk_to(w, lmdb_key(at->buf, at->len, head), MDB_SET_RANGE);
	while (r > 0 && compare((struct slice){ w->key.buf, w->key.len }, from) < 0)
		r = walk_next(w);
	return r;
}

void place_behind_key(struct strbuf *at, const char *key)
{
	strbuf_reset(at);
	strbuf_add(at, key, strlen(key) + 1);
}

void place_behind_folder(struct strbuf *at, const char *key, size_t n)
{
	assert(n && key[n - 1] == '/');
	strbuf_reset(at);
	strbuf_add(at, key, n - 1);
	strbuf_addch(at, '/' + 1);
}

int batch_add(struct batch *b, const char *key, size_t key_len, struct slice value)
{
	uint32_t n[2] = { (uint32_t)key_len, (uint32_t)value.n };

	strbuf_add(&b->bytes, n, sizeof(n));
	strbuf_add(&b->bytes, key, key_len);
	strbuf_addch(&b->bytes, '\0');
	strbuf_add(&b->bytes, value.bytes, value.n);
	b->n++;
	return strbuf_error(&b->bytes);
}

bool batch_next(const struct batch *b, size_t *offset, const char **key, struct slice *value)
{
	const char *at = b->bytes.buf + *offset;
	uint32_t n[2];

	if (*offset == b->bytes.len)
		return false;
	memcpy(n, at, sizeof(n));
	*key = at + sizeof(n);
	*value = (struct slice){ *key + n[0] + 1, n[1] };
	*offset += sizeof(n) + n[0] + 1 + n[1];
	return true;
}

void batch_reset(struct batch *b)
{
	strbuf_reset(&b->bytes);
	b->n = 0;
}

void batch_release(struct batch *b)
{
	strbuf_release(&b->bytes);
	b->n = 0;
}

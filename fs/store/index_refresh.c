/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_refresh.c - looking at the store again: whole listings, and single objects.
 *
 * The number of a row is that of the write transaction which put it; an answer of the store has
 * the number at which it was asked for. Of these invariants, tests/store/index_test.c has one
 * test or more each:
 *
 * 1. A row with a later number than an answer's is neither overwritten nor removed by it, but
 *    that of two states of an object the one with the higher generation stays.
 * 2. What was removed leaves a tombstone with its number, so that 1 holds for it as well.
 * 3. Tombstones not later than the start of a listing go when it is complete. `swept` of its top
 *    says when that was: where there is no row, it is the number of the absence.
 * 4. An answer about a single object that meets a later absence, or is a later row's, cannot be
 *    compared with it: the store is asked again.
 * 5. What a listing does not show is marked as doomed, and goes when the listing is complete; if
 *    it fails, nothing goes, and the time of the top does not move. Doomed rows are shown.
 * 6. A transaction is never held across a store call. The merge of a batch looks at INDEX_BATCH
 *    rows a transaction, so others can write in between.
 * 7. One process and thread lists at a time (listing.lock). Who waited and finds a listing that
 *    began after it asked, needs none of its own; and who finds that one of this process failed
 *    since, has failed with it: else each of those that wait would wait for the deadline again.
 *
 * A top ("latest/") is unknown, written (by this host alone), named (a listing of the names at the
 * top showed it), or listed. Below an unknown one nothing is there, as of that listing. A named one
 * is shown as a folder, the others where they have rows.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "driver.h"
#include "index.h"
#include "log.h"
#include "memory.h"
#include "parts.h"

#define REST	  20 /* a listing is not repeated before this many times its own duration */
#define ASK_TRIES 10 /* who is overtaken that often leaves it to those who overtook */
#define TOP_NAME  "top"

struct listing {
	struct index *x;
	const char *what;
	uint64_t start;
	int64_t began, began_monotonic;
	struct batch batch;
	struct strbuf at; /* merged up to here */
	const char *end;  /* of what is to be merged; NULL: that of `what` */
	unsigned long shown, to_sweep;
};

int index_number(const struct index *x, uint64_t *ret)
{
	MDB_envinfo info;
	int rc = mdb_env_info(x->env, &info);

	if (rc)
		return index_failed(x, "read", rc);
	*ret = info.me_last_txnid;
	return 0;
}

char *index_top_of(const char *key)
{
	const char *slash = strchr(key, '/');

	return xstrndup(key, slash ? (size_t)(slash - key) + 1 : 0);
}

int index_top(const struct txn *t, const char *what, struct top *ret)
{
	struct slice s;
	int r = *what ? table_get(t, TABLE_TOPS, what, &s) : table_get(t, TABLE_META, TOP_NAME, &s);

	*ret = (struct top){ 0 };
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (s.n != sizeof(*ret))
		return index_failed(t->x, "read", MDB_CORRUPTED);
	memcpy(ret, s.bytes, sizeof(*ret));
	return 1;
}

static int put_top(const struct txn *t, const char *what, const struct top *top)
{
	struct slice s = { top, sizeof(*top) };

	return *what ? table_put(t, TABLE_TOPS, what, s) : table_put(t, TABLE_META, TOP_NAME, s);
}

/* Makes sure that a top has a row. seen: the start of the listing that shows it; 0: none does. */
static int name_top(const struct txn *t, const char *what, uint64_t seen)
{
	struct top top, root;
	int r = index_top(t, what, &top);

	if (r < 0 || (r && top.seen >= seen))
		return r < 0 ? r : 0;
	if (!r) {
		r = index_top(t, "", &root);
		if (r < 0)
			return r;
		top.swept = root.swept;
	}
	top.seen = seen;
	return put_top(t, what, &top);
}

/* The row of a key; 1, or 0: none. */
static int find_row(const struct txn *t, const char *key, struct row *ret)
{
	struct slice packed;
	int r = table_get(t, TABLE_OBJECTS, key, &packed);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return row_parse(key, packed, ret) < 0 ? index_failed(t->x, "read", MDB_CORRUPTED) : 1;
}

static int put_row(const struct txn *t, const char *key, const struct row *row)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(INDEX_KEY_MAX);

	row_pack(key, row, &packed);
	if (strbuf_error(&packed) < 0)
		return fail(-E2BIG, "the metadata of %s is too long for the index", key);
	return table_put(t, TABLE_OBJECTS, key, (struct slice){ packed.buf, packed.len });
}

/* The number as of which it is known that there is no row. */
static int absence_number(const struct txn *t, const char *key, uint64_t *ret)
{
	CLEANUP(free_char) char *what = index_top_of(key);
	struct top top;
	int r = index_top(t, what, &top);

	if (!r)
		r = index_top(t, "", &top);
	*ret = top.swept;
	return r < 0 ? r : 0;
}

int index_put(const struct txn *t, const char *key, const struct object *obj, uint64_t start,
	      int64_t checked)
{
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(INDEX_KEY_MAX);
	CLEANUP(free_char) char *what = index_top_of(key);
	struct row old, row = { .number = t->number, .checked = checked, .tombstone = !obj };
	uint64_t known;
	int r;

	if (obj)
		row_pack_content(obj, &content);
	if (strbuf_error(&content) < 0)
		return fail(-E2BIG, "the metadata of %s is too long for the index", key);
	row.content = (struct slice){ content.buf, content.len };
	r = find_row(t, key, &old);
	if (r < 0)
		return r;
	if (r) {
		/* what this transaction put itself is earlier, though it has its number */
		known = old.number == t->number ? 0 : old.number;
	} else {
		r = absence_number(t, key, &known);
		if (r < 0)
			return r;
		old = (struct row){ .tombstone = true };
	}
	if (known > start) {
		if (!obj || old.tombstone)
			return 1;
		if (!row_content_is_newer(row.content, old.content))
			return 0;
	}
	r = put_row(t, key, &row);
	if (!r && obj && *what)
		r = name_top(t, what, 0);
	return r;
}

/* Of an entry of the listing and the row of its key (NULL: none): whether the entry is put. The
 * content of a tombstone is empty, so nothing equals it, and nothing is newer than it. */
static bool entry_wins(const struct listing *l, struct slice content, const struct row *row)
{
	bool differs;

	if (!row)
		return true;
	differs = content.n != row->content.n ||
		  memcmp(content.bytes, row->content.bytes, content.n) != 0;
	if (row->number > l->start)
		return differs && row_content_is_newer(content, row->content);
	return differs || row->doomed;
}

static int add_change(struct batch *changes, const char *key, const struct row *row)
{
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(INDEX_KEY_MAX);

	row_pack(key, row, &packed);
	if (strbuf_error(&packed) < 0)
		return -E2BIG;
	return batch_add(changes, key, strlen(key), (struct slice){ packed.buf, packed.len });
}

/* A row that the listing did not show. */
static int doom_row(struct listing *l, const char *key, struct row row, struct batch *changes)
{
	if (row.number > l->start)
		return 0;
	l->to_sweep++;
	if (row.tombstone || row.doomed)
		return 0;
	row.doomed = true;
	return add_change(changes, key, &row);
}

/* 1: stands at a row that the listing would show, if it is there; 0: none is left. */
static int next_in_scope(const struct listing *l, struct walk *w, int found)
{
	CLEANUP(strbuf_release) struct strbuf behind = STRBUF_INIT(INDEX_KEY_MAX);

	while (found > 0 && !*l->what && strchr(w->key.buf, '/')) {
		place_behind_folder(&behind, w->key.buf, key_folded(w->key.buf, ""));
		found = walk_seek(w, &behind);
	}
	if (found > 0 && (strncmp(w->key.buf, l->what, strlen(l->what)) != 0 ||
			  (l->end && strcmp(w->key.buf, l->end) >= 0)))
		return 0;
	return found;
}

/*
 * One transaction's worth of the merge: entries and rows side by side, from l->at on. Rows behind
 * the last entry belong to the next batch, unless this is the last. 1: there is more to do.
 */
static int merge_step(struct listing *l, const struct txn *t, size_t *offset, bool last,
		      struct batch *changes)
{
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	struct row row, put = { .number = t->number, .checked = NO_TIME };
	int found, r = walk_open(t, TABLE_OBJECTS, &w);

	if (r < 0)
		return r;
	found = next_in_scope(l, &w, walk_seek(&w, &l->at));
	for (unsigned i = 0; i < INDEX_BATCH; i++) {
		size_t next = *offset;
		const char *key = NULL;
		int order;

		if (found < 0)
			return found;
		if (!batch_next(&l->batch, &next, &key, &put.content) && (!last || !found))
			return 0;
		order = !key ? 1 : !found ? -1 : strcmp(key, w.key.buf);
		if (order >= 0 && row_parse(w.key.buf, w.value, &row) < 0)
			return index_failed(l->x, "read", MDB_CORRUPTED);
		if (order > 0) {
			r = doom_row(l, w.key.buf, row, changes);
			place_behind_key(&l->at, w.key.buf);
		} else if (!put.content.n) { /* a folder at the top */
			r = batch_add(changes, key, strlen(key), put.content);
			place_behind_folder(&l->at, key, strlen(key));
		} else {
			if (entry_wins(l, put.content, order ? NULL : &row))
				r = add_change(changes, key, &put);
			place_behind_key(&l->at, key);
		}
		if (r < 0)
			return fail(-EIO, "a listing does not fit in memory");
		if (order <= 0)
			*offset = next;
		if (order >= 0)
			found = next_in_scope(l, &w, walk_next(&w));
	}
	return 1;
}

static int apply_changes(const struct listing *l, const struct txn *t, const struct batch *changes)
{
	size_t offset = 0;
	const char *key;
	struct slice value;
	int r = 0;

	while (!r && batch_next(changes, &offset, &key, &value))
		r = value.n ? table_put(t, TABLE_OBJECTS, key, value) : name_top(t, key, l->start);
	return r;
}

/* Brings what the batch says into the index, and empties it. */
static int merge(struct listing *l, bool last)
{
	CLEANUP(batch_release) struct batch changes = BATCH_INIT;
	size_t offset = 0;
	int more, r;

	do {
		CLEANUP(txn_abort) struct txn t = { .x = l->x };

		batch_reset(&changes);
		r = txn_write(l->x, &t);
		if (r < 0)
			return r;
		more = merge_step(l, &t, &offset, last, &changes);
		if (more < 0)
			return more;
		r = apply_changes(l, &t, &changes);
		if (!r && changes.n)
			r = txn_commit(&t);
		if (r < 0)
			return r;
	} while (more);
	batch_reset(&l->batch);
	return 0;
}

static int collect(void *ctx, const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(INDEX_KEY_MAX);
	struct listing *l = ctx;
	size_t n = strlen(obj->key);

	if (obj->generation)
		row_pack_content(obj, &content);
	if (n > INDEX_KEY_MAX || strbuf_error(&content) < 0 ||
	    batch_add(&l->batch, obj->key, n, (struct slice){ content.buf, content.len }) < 0)
		return fail(-E2BIG, "the metadata of %s is too long for the index", obj->key);
	l->shown++;
	return l->batch.n < INDEX_BATCH ? 0 : merge(l, false);
}

/* Removes what a complete listing condemned: `all` that is not later, or doomed rows and
 * tombstones. 1: there is more behind `at`. */
static int sweep_step(const struct listing *l, const char *prefix, bool all, struct strbuf *at)
{
	const struct listing scope = { .x = l->x, .what = prefix };
	CLEANUP(batch_release) struct batch gone = BATCH_INIT;
	CLEANUP(txn_abort) struct txn t = { .x = l->x };
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	size_t offset = 0;
	struct slice none;
	const char *key;
	struct row row;
	int found = 0, r = txn_write(l->x, &t);

	if (!r)
		r = walk_open(&t, TABLE_OBJECTS, &w);
	if (!r)
		found = next_in_scope(&scope, &w, walk_seek(&w, at));
	for (unsigned i = 0; !r && found > 0 && i < INDEX_BATCH; i++) {
		if (row_parse(w.key.buf, w.value, &row) < 0)
			return index_failed(l->x, "read", MDB_CORRUPTED);
		if (row.number <= l->start && (all || row.doomed || row.tombstone))
			r = batch_add(&gone, w.key.buf, w.key.len, (struct slice){ NULL, 0 });
		place_behind_key(at, w.key.buf);
		found = next_in_scope(&scope, &w, walk_next(&w));
	}
	walk_close(&w);
	while (!r && batch_next(&gone, &offset, &key, &none))
		r = table_remove(&t, TABLE_OBJECTS, key);
	if (!r && gone.n)
		r = txn_commit(&t);
	return r < 0 ? r : found;
}

static int sweep(const struct listing *l, const char *prefix, bool all)
{
	CLEANUP(strbuf_release) struct strbuf at = STRBUF_INIT(INDEX_KEY_MAX);
	int more;

	strbuf_addstr(&at, prefix);
	do
		more = sweep_step(l, prefix, all, &at);
	while (more > 0);
	return more;
}

/* Before the first row goes: when. When the last is gone: that this is a listing. */
static int note_top(const struct listing *l, const char *what, bool done)
{
	CLEANUP(txn_abort) struct txn t = { .x = l->x };
	struct top top;
	int r = txn_write(l->x, &t);

	if (!r)
		r = index_top(&t, what, &top);
	if (r < 0)
		return r;
	if (done) {
		top.listed = l->began;
		top.took = clock_monotonic() - l->began_monotonic;
	} else {
		top.swept = t.number;
	}
	r = put_top(&t, what, &top);
	return r ? r : txn_commit(&t);
}

/* A top that a complete listing of the top did not show: what is not later goes, and then its
 * name, unless something is left. */
static int remove_top(const struct listing *l, const char *what)
{
	CLEANUP(strbuf_release) struct strbuf at = STRBUF_INIT(INDEX_KEY_MAX);
	CLEANUP(txn_abort) struct txn t = { .x = l->x };
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	int r = note_top(l, what, false);

	if (!r)
		r = sweep(l, what, true);
	if (!r)
		r = txn_write(l->x, &t);
	if (!r)
		r = walk_open(&t, TABLE_OBJECTS, &w);
	if (r < 0)
		return r;
	strbuf_addstr(&at, what);
	r = walk_seek(&w, &at);
	if (r > 0 && !strncmp(w.key.buf, what, strlen(what))) {
		walk_close(&w);
		txn_abort(&t);
		return note_top(l, what, true);
	}
	walk_close(&w);
	if (r >= 0)
		r = table_remove(&t, TABLE_TOPS, what);
	return r ? r : txn_commit(&t);
}

static int remove_tops(const struct listing *l)
{
	CLEANUP(batch_release) struct batch gone = BATCH_INIT;
	const struct strbuf start = STRBUF_INIT(0);
	struct slice value;
	size_t offset = 0;
	const char *what;
	struct top top;
	int r;

	{
		CLEANUP(txn_abort) struct txn t = { .x = l->x };
		CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };

		r = txn_read(l->x, &t);
		if (!r)
			r = walk_open(&t, TABLE_TOPS, &w);
		if (!r)
			r = walk_seek(&w, &start);
		for (; r > 0; r = walk_next(&w)) {
			if (w.value.n != sizeof(top))
				return index_failed(l->x, "read", MDB_CORRUPTED);
			memcpy(&top, w.value.bytes, sizeof(top));
			if (top.seen >= l->start)
				continue;
			if (batch_add(&gone, w.key.buf, w.key.len, (struct slice){ NULL, 0 }) < 0)
				return fail(-EIO, "the names at the top do not fit in memory");
		}
	}
	while (!r && batch_next(&gone, &offset, &what, &value))
		r = remove_top(l, what);
	return r;
}

/* A big listing comes in parts, each of which is merged by itself. */
static void *begin_part(void *ctx, const char *from)
{
	const struct listing *whole = ctx;
	struct listing *l = xmalloc(sizeof(*l));

	*l = (struct listing){
		.x = whole->x,
		.what = whole->what,
		.start = whole->start,
		.batch = BATCH_INIT,
		.at = STRBUF_INIT(INDEX_KEY_MAX),
	};
	strbuf_addstr(&l->at, from);
	return l;
}

static int finish_part(void *part, const char *end)
{
	struct listing *l = part;

	l->end = end;
	return merge(l, true);
}

static void release_part(void *ctx, void *part)
{
	struct listing *whole = ctx, *l = part;

	whole->shown += l->shown;
	whole->to_sweep += l->to_sweep;
	batch_release(&l->batch);
	strbuf_release(&l->at);
	free(l);
}

static const struct parts_sink sink = {
	.begin = begin_part,
	.show = collect,
	.finish = finish_part,
	.release = release_part,
};

static int list_anew(struct index *x, const char *what)
{
	struct listing l = {
		.x = x,
		.what = what,
		.began = clock_now(),
		.began_monotonic = clock_monotonic(),
		.batch = BATCH_INIT,
		.at = STRBUF_INIT(INDEX_KEY_MAX),
	};
	int dead, r = index_number(x, &l.start);

	mdb_reader_check(x->env, &dead);
	strbuf_addstr(&l.at, what);
	if (!r && *what && x->store.parts > 1) {
		r = parts_list(x->store.next, what, &sink, &l);
	} else if (!r) {
		r = store_list(x->store.next, what, *what != '\0', NULL, collect, &l);
		if (!r)
			r = merge(&l, true);
	}
	batch_release(&l.batch);
	strbuf_release(&l.at);
	if (!r && (l.to_sweep || !*what))
		r = note_top(&l, what, false);
	if (!r && l.to_sweep)
		r = sweep(&l, what, false);
	if (!r && !*what)
		r = remove_tops(&l);
	if (!r)
		r = note_top(&l, what, true);
	if (!r)
		log_info("listed %s: %lu names, %lu rows to remove, %lld ms",
			 *what ? what : "the top", l.shown, l.to_sweep,
			 (long long)((clock_monotonic() - l.began_monotonic) / 1000));
	return r;
}

/* 1: what is known needs no listing. `waited`: for somebody else's, since `asked`. */
static int is_fresh(struct index *x, const char *what, int64_t max_age, int64_t asked,
		    bool waited)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	struct fresh fresh = { .version = index_version(x), .max_age = max_age };
	int64_t now = clock_now(), limit;
	struct top top;
	int r = txn_read(x, &t);

	if (!r)
		r = index_top(&t, what, &top);
	if (r < 0)
		return r;
	if (!r && max_age && *what) /* an unknown top is as old as the names at the top */
		r = index_top(&t, "", &top);
	if (r < 0 || !top.listed || max_age == EVER)
		return r < 0 ? r : top.listed != 0;
	if (top.listed > now)
		return 0; /* the clock was set back */
	if (waited && top.listed >= asked)
		return 1;
	limit = max_age < REST * top.took ? REST * top.took : max_age;
	if (!max_age || now - top.listed > limit)
		return 0;
	fresh.listed = top.listed;
	fresh.until = top.listed + limit;
	if (strlen(what) < sizeof(fresh.what)) {
		strcpy(fresh.what, what);
		index_remember(x, &fresh);
	}
	return 1;
}

/* The same, without a look into the tables where that was found lately. */
static int is_young(struct index *x, const char *what, int64_t max_age, int64_t asked)
{
	struct fresh known;

	if (index_recall(x, what, &known) && known.max_age == max_age && known.listed <= asked &&
	    asked <= known.until)
		return 1;
	return is_fresh(x, what, max_age, asked, false);
}

int64_t index_listing_due(struct index *x, const char *what, int64_t max_age)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int young = is_young(x, what, max_age, clock_now());
	struct top top;

	if (young > 0)
		return 0;
	if (young < 0 || txn_read(x, &t) < 0 || index_top(&t, what, &top) < 0 || !top.listed)
		return -1;
	return top.took > 0 ? top.took : 1;
}

int index_refresh_listing(struct index *x, const char *what, int64_t max_age)
{
	CLEANUP(close_fd) int lock = -1;
	int64_t asked = clock_now();
	int r = is_young(x, what, max_age, asked);

	if (r)
		return r < 0 ? r : 0;
	r = index_lock(x, "listing.lock", LOCK_EX, &lock);
	if (!r)
		r = is_fresh(x, what, max_age, asked, true);
	if (r)
		return r < 0 ? r : 0;
	if (x->failed_at >= asked)
		return x->failure;
	r = list_anew(x, what);
	if (r < 0 && r != -ECANCELED) {
		x->failure = r;
		x->failed_at = clock_now();
	}
	return r;
}

/* 1: what the index knows of the object is young enough. */
static int is_checked(struct index *x, const char *key, int64_t max_age)
{
	CLEANUP(free_char) char *what = NULL;
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int64_t now = clock_now();
	struct fresh known;
	struct row row;
	struct top top;
	int r;

	if (index_recall(x, key, &known) && known.listed <= now && now - known.listed <= max_age)
		return 1;
	what = index_top_of(key);
	r = txn_read(x, &t);
	if (!r)
		r = index_top(&t, what, &top);
	if (!r)
		r = index_top(&t, "", &top);
	if (r >= 0 && top.listed && top.listed <= now && now - top.listed <= max_age)
		return 1;
	if (r >= 0)
		r = find_row(&t, key, &row);
	if (r <= 0)
		return r;
	return row.checked != NO_TIME && row.checked <= now && now - row.checked <= max_age;
}

static int ask(struct index *x, const char *key)
{
	CLEANUP(object_release) struct object obj;
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int64_t asked = clock_now();
	uint64_t start = 0;
	int found, r = index_number(x, &start);

	object_init(&obj);
	if (r < 0)
		return r;
	found = store_stat(x->store.next, key, &obj);
	if (found < 0 && found != -ENOENT)
		return found;
	r = txn_write(x, &t);
	if (!r)
		r = index_put(&t, key, found < 0 ? NULL : &obj, start, asked);
	return r ? r : txn_commit(&t);
}

int index_refresh_object(struct index *x, const char *key, int64_t max_age)
{
	int r = max_age ? is_checked(x, key, max_age) : 0;

	if (r)
		return r < 0 ? r : 0;
	for (unsigned i = 0; i < ASK_TRIES; i++) {
		r = ask(x, key);
		if (r <= 0)
			return r;
	}
	return 0;
}

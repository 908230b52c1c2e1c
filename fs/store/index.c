/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index.c - the link that answers stat and list from what listings told, kept in LMDB.
 *
 * Nothing is asked of the store but by store_refresh(), by the first use of a top-level prefix,
 * and where an edit or a read was told that the index is behind. Lists copy PAGE rows in a short
 * transaction and hand them out behind it: fn may take its time without keeping LMDB from using
 * its pages again, and each name that does not change is shown exactly once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "driver.h"
#include "index.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"

#define PAGE 256 /* rows a list copies at once */

static struct index *index_of(struct store *s)
{
	return (struct index *)s;
}

/* Whether the index has to list `what` before it can answer anything about it. */
static int was_never_listed(const struct index *x, const char *what)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	struct top top;
	int r = txn_read(x, &t);

	if (!r)
		r = index_top(&t, what, &top);
	return r < 0 ? r : !top.listed;
}

static int ensure_top(struct index *x, const char *what)
{
	struct fresh known;
	int r = index_recall(x, what, &known) ? 0 : was_never_listed(x, what);

	if (r <= 0)
		return r;
	r = index_refresh_listing(x, "", EVER); /* it tells whether there is such a top at all */
	if (!r && *what)
		r = index_refresh_listing(x, what, EVER);
	return r;
}

/* The tops that begin with `prefix`, which has no '/', as a batch of names. */
static int tops_below(const struct index *x, const char *prefix, struct batch *ret)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	CLEANUP(strbuf_release) struct strbuf at = STRBUF_INIT(INDEX_KEY_MAX);
	int r = txn_read(x, &t);

	strbuf_addstr(&at, prefix);
	if (!r)
		r = walk_open(&t, TABLE_TOPS, &w);
	if (!r)
		r = walk_seek(&w, &at);
	for (; r > 0 && !strncmp(w.key.buf, prefix, strlen(prefix)); r = walk_next(&w))
		if (batch_add(ret, w.key.buf, w.key.len, (struct slice){ NULL, 0 }) < 0)
			return fail(-EIO, "the names at the top do not fit in memory");
	return r < 0 ? r : 0;
}

/* Everything that a list needs has been listed once. */
static int ensure_listed(struct index *x, const char *prefix, bool deep)
{
	CLEANUP(batch_release) struct batch tops = BATCH_INIT;
	CLEANUP(free_char) char *what = index_top_of(prefix);
	struct slice none;
	size_t offset = 0;
	const char *top;
	int r = ensure_top(x, what);

	if (r < 0 || *what || !deep)
		return r;
	r = tops_below(x, prefix, &tops);
	while (!r && batch_next(&tops, &offset, &top, &none))
		r = index_refresh_listing(x, top, EVER);
	return r;
}

static int index_stat(struct store *s, const char *key, struct object *ret)
{
	struct index *x = index_of(s);
	CLEANUP(free_char) char *what = index_top_of(key);
	CLEANUP(txn_abort) struct txn t = { .x = x };
	struct slice packed;
	struct row row;
	int r = ensure_top(x, what);

	if (!r)
		r = txn_read(x, &t);
	if (!r)
		r = table_get(&t, TABLE_OBJECTS, key, &packed);
	if (r < 0)
		return r;
	if (row_parse(key, packed, &row) < 0)
		return index_failed(x, "read", MDB_CORRUPTED);
	if (row.tombstone)
		return -ENOENT;
	if (row_unpack_content(key, row.content, ret) < 0)
		return index_failed(x, "read", MDB_CORRUPTED);
	return 0;
}

/* A list on its way. Rows and named tops are two sequences that are merged. */
struct pager {
	const char *prefix;
	bool deep;
	struct strbuf at; /* where the next page begins */
	struct batch page;
};

/* From a place on: the next row that is shown, and its name's length (a folder's, if folded). */
static int next_shown(const struct pager *p, struct walk *w, int found, struct row *row,
		      size_t *ret_n)
{
	for (; found > 0; found = walk_next(w)) {
		if (strncmp(w->key.buf, p->prefix, strlen(p->prefix)) != 0)
			return 0;
		if (row_parse(w->key.buf, w->value, row) < 0)
			return index_failed(w->txn->x, "read", MDB_CORRUPTED);
		if (row->tombstone)
			continue;
		*ret_n = p->deep ? 0 : key_folded(w->key.buf, p->prefix);
		return 1;
	}
	return found;
}

/* 1: nothing below that top was removed after the listing of that number began. */
static int is_untouched(const struct txn *t, const struct strbuf *top, uint64_t number)
{
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	struct row row;
	int found, r = walk_open(t, TABLE_OBJECTS, &w);

	if (r < 0)
		return r;
	for (found = walk_seek(&w, top); found > 0; found = walk_next(&w)) {
		if (strncmp(w.key.buf, top->buf, top->len) != 0)
			break;
		if (row_parse(w.key.buf, w.value, &row) < 0)
			return index_failed(t->x, "read", MDB_CORRUPTED);
		if (!row.tombstone)
			break; /* its rows show it */
		if (row.number > number)
			return 0;
	}
	return found < 0 ? found : 1;
}

/* The next top that is known by its name alone. What was listed shows by its rows, but for one that
 * was empty and has been seen since. */
static int next_named(const struct pager *p, struct walk *w, int found)
{
	struct top top;

	for (; found > 0; found = walk_next(w)) {
		if (strncmp(w->key.buf, p->prefix, strlen(p->prefix)) != 0)
			return 0;
		if (w->value.n != sizeof(top))
			return index_failed(w->txn->x, "read", MDB_CORRUPTED);
		memcpy(&top, w->value.bytes, sizeof(top));
		if (!top.seen)
			continue;
		if (!top.listed)
			return 1;
		if (top.seen > top.swept) {
			int r = is_untouched(w->txn, &w->key, top.seen);

			if (r)
				return r;
		}
	}
	return found;
}

/* Moves on behind the row, or all that is folded with it. */
static int pass_row(struct pager *p, struct walk *w, size_t folded)
{
	if (!folded)
		return walk_next(w);
	place_behind_folder(&p->at, w->key.buf, folded);
	return walk_seek(w, &p->at);
}

/* Adds the row that `w` stands at, and moves on. */
static int add_row(struct pager *p, struct walk *w, const struct row *row, size_t folded)
{
	static const struct slice none = { NULL, 0 };
	int r = batch_add(&p->page, w->key.buf, folded ? folded : w->key.len,
			  folded ? none : row->content);

	if (r < 0)
		return fail(-EIO, "a page of a list does not fit in memory");
	if (!folded)
		place_behind_key(&p->at, w->key.buf);
	return pass_row(p, w, folded);
}

/* The names at the top: rows, folded, and the tops of which only the name is known. */
static int fill_top(struct pager *p, struct walk *w, const struct txn *t)
{
	CLEANUP(walk_close) struct walk tops = { .key = STRBUF_INIT(0) };
	struct row row;
	size_t folded = 0;
	int named, found, r = walk_open(t, TABLE_TOPS, &tops);

	if (r < 0)
		return r;
	found = walk_seek(w, &p->at);
	named = walk_seek(&tops, &p->at);
	while (p->page.n < PAGE) {
		int order;

		found = next_shown(p, w, found, &row, &folded);
		named = next_named(p, &tops, named);
		if (found < 0 || named < 0 || (!found && !named))
			return found < 0 ? found : named;
		order = !found ? 1 : !named ? -1 : 0;
		if (!order)
			order = strncmp(w->key.buf, tops.key.buf, folded ? folded : w->key.len + 1);
		if (order <= 0)
			found = add_row(p, w, &row, folded);
		else
			r = batch_add(&p->page, tops.key.buf, tops.key.len,
				      (struct slice){ NULL, 0 });
		if (r < 0)
			return fail(-EIO, "a page of a list does not fit in memory");
		if (order > 0)
			place_behind_folder(&p->at, tops.key.buf, tops.key.len);
		if (order >= 0)
			named = walk_next(&tops);
	}
	return 1;
}

/* Fills the page. 1: there may be more, 0: that was the end. */
static int fill_page(const struct index *x, struct pager *p)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	struct row row;
	size_t folded = 0;
	int found, r = txn_read(x, &t);

	batch_reset(&p->page);
	if (!r)
		r = walk_open(&t, TABLE_OBJECTS, &w);
	if (r < 0)
		return r;
	if (!p->deep && !strchr(p->prefix, '/'))
		return fill_top(p, &w, &t);
	found = next_shown(p, &w, walk_seek(&w, &p->at), &row, &folded);
	while (found > 0 && p->page.n < PAGE)
		found = next_shown(p, &w, add_row(p, &w, &row, folded), &row, &folded);
	return found;
}

static int show_page(const struct index *x, const struct pager *p, object_fn *fn, void *ctx)
{
	struct slice content;
	size_t offset = 0;
	const char *key;
	int r = 0;

	while (!r && batch_next(&p->page, &offset, &key, &content)) {
		CLEANUP(object_release) struct object obj;

		object_init(&obj);
		if (!content.n)
			obj.key = xstrdup(key);
		else if (row_unpack_content(key, content, &obj) < 0)
			return index_failed(x, "read", MDB_CORRUPTED);
		r = fn(ctx, &obj);
	}
	return r;
}

static void pager_start(struct pager *p, const char *after)
{
	if (!after || strcmp(after, p->prefix) < 0)
		strbuf_addstr(&p->at, p->prefix);
	else if (!p->deep && key_is_fold(after, p->prefix))
		place_behind_folder(&p->at, after, strlen(after));
	else
		place_behind_key(&p->at, after);
}

static int index_list(struct store *s, const char *prefix, bool deep, const char *after,
		      object_fn *fn, void *ctx)
{
	struct pager p = {
		.prefix = prefix,
		.deep = deep,
		.at = STRBUF_INIT(INDEX_KEY_MAX),
		.page = BATCH_INIT,
	};
	int more = 1, r = ensure_listed(index_of(s), prefix, deep);

	pager_start(&p, after);
	while (!r && more) {
		more = fill_page(index_of(s), &p);
		r = more < 0 ? more : show_page(index_of(s), &p, fn, ctx);
	}
	batch_release(&p.page);
	strbuf_release(&p.at);
	return r;
}

/* Of the row that `w` stands at; the key of what is folded ends with its '/'. */
static int fingerprint_of(struct walk *w, const struct row *row, size_t folded,
			  struct fingerprint *ret)
{
	if (folded) {
		strbuf_setlen(&w->key, folded);
		*ret = (struct fingerprint){ .key = w->key.buf };
		return 0;
	}
	if (row_unpack_fingerprint(w->key.buf, row->content, ret) < 0)
		return index_failed(w->txn->x, "read", MDB_CORRUPTED);
	return 0;
}

/* A page, shown as it is read. *ret_more: there is something behind it. */
static int show_fingerprints(const struct index *x, struct pager *p, fingerprint_fn *fn, void *ctx,
			     bool *ret_more)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	CLEANUP(walk_close) struct walk w = { .key = STRBUF_INIT(0) };
	struct fingerprint f;
	struct row row;
	size_t folded = 0;
	int found, r = txn_read(x, &t);

	if (!r)
		r = walk_open(&t, TABLE_OBJECTS, &w);
	if (r < 0)
		return r;
	found = next_shown(p, &w, walk_seek(&w, &p->at), &row, &folded);
	for (size_t n = 0; found > 0 && n < PAGE; n++) {
		r = fingerprint_of(&w, &row, folded, &f);
		if (!r)
			r = fn(ctx, &f);
		if (r)
			return r;
		found = next_shown(p, &w, pass_row(p, &w, folded), &row, &folded);
	}
	*ret_more = found > 0;
	strbuf_reset(&p->at);
	strbuf_add(&p->at, w.key.buf, w.key.len);
	return found < 0 ? found : 0;
}

/* Nothing is copied: fn is called inside a transaction, and is quick (store.h). */
static int index_fingerprints(struct store *s, const char *prefix, bool deep, const char *after,
			      fingerprint_fn *fn, void *ctx)
{
	struct pager p = { .prefix = prefix, .deep = deep, .at = STRBUF_INIT(INDEX_KEY_MAX) };
	int r = ensure_listed(index_of(s), prefix, deep);
	bool more = true;

	pager_start(&p, after);
	while (!r && more)
		r = show_fingerprints(index_of(s), &p, fn, ctx, &more);
	strbuf_release(&p.at);
	return r;
}

/* Who is told that another generation is there looks again: so that has to be known by then. */
static int index_read_range(struct store *s, const char *key, uint64_t generation, uint64_t offset,
			    size_t length, struct strbuf *out)
{
	int learnt = 0, r = store_read(s->next, key, generation, offset, length, out);

	if (r == -ESTALE || r == -ENOENT)
		learnt = index_refresh_object(index_of(s), key, 0);
	return learnt < 0 ? learnt : r;
}

/* Puts the successful ones in one transaction. ask[i]: the store has to be asked what is there, as
 * a failure's outcome is not known, and who lost a race must see the winner. */
static int put_edits(struct index *x, const struct edit *edits, size_t n, uint64_t start,
		     int64_t checked, bool *ask)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int r = txn_write(x, &t);

	for (size_t i = 0; i < n && r >= 0; i++) {
		const struct edit *e = &edits[i];

		ask[i] = e->result < 0 && e->result != -ECANCELED;
		if (e->result)
			continue;
		r = index_put(&t, e->object.key, e->op == EDIT_REMOVE ? NULL : &e->object, start,
			      checked);
		ask[i] = r > 0;
	}
	return r < 0 ? r : txn_commit(&t);
}

/* What next says of the edits is the answer, whatever becomes of the index: it was said, and the
 * next listing or lost race heals it. */
static int index_edit(struct store *s, struct edit *edits, size_t n)
{
	struct index *x = index_of(s);
	bool *ask = xcalloc(n, sizeof(*ask));
	int64_t checked = clock_now();
	uint64_t start = 0;
	int r, known = index_number(x, &start);

	r = store_edit(s->next, edits, n);
	if (!known)
		known = put_edits(x, edits, n, start, checked, ask);
	for (size_t i = 0; !known && i < n; i++)
		if (ask[i])
			known = index_refresh_object(x, edits[i].object.key, 0);
	free(ask);
	return r;
}

static int index_refresh(struct store *s, const char *what, int64_t max_age)
{
	const char *slash = strchr(what, '/');

	if (!*what || (slash && !slash[1]))
		return index_refresh_listing(index_of(s), what, max_age);
	return index_refresh_object(index_of(s), what, max_age);
}

static int64_t index_due(struct store *s, const char *what, int64_t max_age)
{
	return index_listing_due(index_of(s), what, max_age);
}

static int index_knows(struct store *s, const char *what)
{
	int r = was_never_listed(index_of(s), what);

	return r < 0 ? r : !r;
}

static uint64_t version_of_tables(struct store *s)
{
	return index_version(index_of(s));
}

static void free_index(struct index *x)
{
	pthread_mutex_destroy(&x->fresh_lock);
	free(x);
}

static void index_close_link(struct store *s)
{
	index_close(index_of(s));
	free_index(index_of(s));
}

static const struct store_ops index_ops = {
	.name = "index",
	.stat = index_stat,
	.read = index_read_range,
	.list = index_list,
	.fingerprints = index_fingerprints,
	.edit = index_edit,
	.refresh = index_refresh,
	.due = index_due,
	.knows = index_knows,
	.version = version_of_tables,
	.close = index_close_link,
};

int index_push(struct store *next, const char *cache_dir, struct store **ret)
{
	struct index *x = xcalloc(1, sizeof(*x));
	int r;

	link_init(&x->store, &index_ops, next);
	pthread_mutex_init(&x->fresh_lock, NULL);
	r = index_open(x, cache_dir);
	if (r < 0) {
		free_index(x);
		return r;
	}
	*ret = &x->store;
	return 0;
}

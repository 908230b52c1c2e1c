/* SPDX-License-Identifier: BSD-3-Clause */
/* gcs_test.c - the store `gs:` on the test server: the suite, also under faults, and its requests.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "server.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"
#include "../store/conformance.h"

#define KEY	"latest/api/packages/http"
#define OUT_MAX ((size_t)64 << 20)

struct world {
	struct gcs_server *server;
	struct store *store;
};

/* No test waits: a thread's clock goes on by what it would have slept. */
static _Thread_local int64_t now;

static int64_t fake_clock(void *ctx)
{
	(void)ctx;
	return now;
}

static int fake_sleep(void *ctx, int64_t us)
{
	(void)ctx;
	now += us;
	return 0;
}

static struct world make_world(const char *lines, bool retried)
{
	struct world w = { .server = gcs_server_start() };
	const struct store_options options = { .endpoint = gcs_server_url(w.server) };
	const struct retry_options retry = {
		.clock = fake_clock, .sleep = fake_sleep, .deadline = HOUR_US, .ctx = &now
	};

	log_set_level(LEVEL_ERROR);
	cr_assert_eq(gcs_server_script(w.server, "bucket pubfs-test"), 0);
	cr_assert_eq(gcs_server_script(w.server, lines), 0, "%s", lines);
	cr_assert_eq(store_open_with("gs://pubfs-test", STORE_OPEN, &options, &w.store), 0);
	if (retried)
		cr_assert_eq(retry_push(w.store, &retry, &w.store), 0);
	return w;
}

static void remove_world(struct world *w)
{
	store_close(w->store);
	gcs_server_stop(w->server);
}

static void script(struct world *w, const char *lines)
{
	cr_assert_eq(gcs_server_script(w->server, lines), 0, "%s", lines);
}

#define X(check)                                                                                   \
	Test(gcs, check)                                                                           \
	{                                                                                          \
		struct world w = make_world("reset", false);                                       \
                                                                                                   \
		conformance_sample_lists(17);                                                      \
		conformance_##check(w.store);                                                      \
		cr_assert_eq(gcs_server_count(w.server, GCS_UNKNOWN), 0);                          \
		remove_world(&w);                                                                  \
	}
CONFORMANCE(X)
#undef X

/*
 * Passing trouble of every sort, below the retry link: the suite must not notice. (A lost answer of
 * a patch shows, as one metageneration more; a wrong byte in a range cannot be noticed.)
 */
#define TROUBLE                                                                                    \
	"fault insert every=5 lost\nfault insert every=6 lost=503\nfault rewrite every=5 lost\n"   \
	"fault delete every=2 lost\nfault read every=4 cut=1\nfault read every=5 hash\n"           \
	"fault list every=3 repeat\nfault list every=4 overlap\nfault list every=5 page=0\n"       \
	"fault * every=7 status=429 retry-after=5\nfault * every=11 drop\n"                        \
	"fault * every=13 status=503\nfault * every=17 status=408"
#define X(check)                                                                                   \
	Test(gcs_in_trouble, check)                                                                \
	{                                                                                          \
		struct world w = make_world(TROUBLE, true);                                        \
                                                                                                   \
		conformance_sample_lists(53);                                                      \
		conformance_##check(w.store);                                                      \
		remove_world(&w);                                                                  \
	}
CONFORMANCE(X)
#undef X

static int stat_key(struct world *w)
{
	CLEANUP(object_release) struct object obj = { .generation = 0 };

	return store_stat(w->store, KEY, &obj);
}

Test(gcs_request, each_answer_is_one_errno)
{
	static const struct {
		const char *line;
		int result;
	} rows[] = {
		{ "fault get status=400", -EIO },      { "fault get status=401 times=2", -EACCES },
		{ "fault get status=403", -EACCES },   { "fault get status=404", -ENOENT },
		{ "fault get status=403 limit", -EAGAIN },
		{ "fault get status=408", -EAGAIN },   { "fault get status=412", -ESTALE },
		{ "fault get status=429", -EAGAIN },   { "fault get status=500", -EAGAIN },
		{ "fault get status=502", -EAGAIN },   { "fault get status=503", -EAGAIN },
		{ "fault get status=504", -EAGAIN },   { "fault get status=501", -EIO },
		{ "fault get drop times=2", -EAGAIN }, { "fault get cut=10", -EAGAIN },
		{ "fault get garbage", -EIO },	       { "reset", 0 },
	};
	struct world w = make_world("reset", false);

	cr_assert_eq(put_text(w.store, KEY, "x", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int r;

		script(&w, rows[i].line);
		r = stat_key(&w);
		cr_expect_eq(r, rows[i].result, "%s: %d", rows[i].line, r);
	}
	remove_world(&w);
}

Test(gcs_request, a_403_names_who_which_right_and_what)
{
	struct world w = make_world("fault get status=403", false);

	cr_assert_eq(stat_key(&w), -EACCES);
	cr_assert_not_null(strstr(log_last_failure(), "storage.objects.get"), "%s",
			   log_last_failure());
	cr_assert_not_null(strstr(log_last_failure(), "pubfs-test"));
	remove_world(&w);
}

Test(gcs_request, each_verb_is_one_request)
{
	struct world w = make_world("reset", false);
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(100);
	uint64_t generation;

	cr_assert_eq(gcs_server_count_all(w.server), 0, "opening asks for nothing");
	cr_assert_eq(put_text(w.store, KEY, "text", STORE_ABSENT, &generation), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_INSERT), 1);
	cr_assert_eq(stat_key(&w), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_GET), 1);
	cr_assert_eq(store_read(w.store, KEY, generation, 0, 100, &out), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_READ), 1);
	expect_list(w.store, "", true, NULL, KEY " ");
	cr_assert_eq(gcs_server_count(w.server, GCS_LIST), 1);
	cr_assert_eq(remove_key(w.store, KEY, generation), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_DELETE), 1);
	cr_assert_eq(gcs_server_count_all(w.server), 5);
	cr_assert_eq(gcs_server_connections(w.server), 1, "the connection is kept");
	remove_world(&w);
}

static int count_key(void *ctx, const struct object *obj)
{
	(void)obj;
	++*(unsigned *)ctx;
	return 0;
}

Test(gcs_list, n_objects_are_n_by_1000_pages)
{
	static const struct {
		const char *fill;
		unsigned objects, pages;
	} rows[] = {
		{ "reset", 0, 1 },
		{ "fill pubfs-test 999 a/", 999, 1 },
		{ "fill pubfs-test 1 b/", 1000, 1 },
		{ "fill pubfs-test 1 c/", 1001, 2 },
		{ "fill pubfs-test 3199 d/", 4200, 5 },
	};
	struct world w = make_world("reset", false);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned n = 0;

		script(&w, rows[i].fill);
		script(&w, "reset");
		cr_assert_eq(store_list(w.store, "", true, NULL, count_key, &n), 0);
		cr_expect_eq(n, rows[i].objects);
		cr_expect_eq(gcs_server_count_all(w.server), rows[i].pages, "%u objects: %lu", n,
			     gcs_server_count_all(w.server));
	}
	remove_world(&w);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static unsigned count_all(struct store *s)
{
	unsigned n = 0;

	cr_assert_eq(store_list(s, "", true, NULL, count_key, &n), 0);
	return n;
}

Test(gcs_list, a_big_prefix_is_read_in_parts_side_by_side_for_two_pages_more)
{
	static const char *const faults[] = {
		"reset\nfault list every=1 delay=5",
		"reset\nfault list every=3 status=503\n"
		"fault list every=4 drop\nfault list every=5 cut=99"
	};
	struct world w = make_world("fill pubfs-test 12000 latest/api/archives/a", true);
	char folder[] = "/tmp/pubfs-gcs-XXXXXX";
	struct store *index;

	script(&w, "fill pubfs-test 12000 latest/api/packages/p\nfill pubfs-test 5 latest/zz");
	cr_assert_not_null(mkdtemp(folder));
	script(&w, faults[0]);
	cr_assert_eq(index_push(w.store, folder, &index), 0);
	cr_assert_eq(count_all(index), 24005);
	cr_assert_leq(gcs_server_count_all(w.server), 1 + 25 + 2, "%lu",
		      gcs_server_count_all(w.server));
	cr_assert_geq(gcs_server_parallel(w.server), 2);
	cr_assert_leq(gcs_server_connections(w.server), 3, "and each part keeps its connection");
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		script(&w, "reset");
		cr_assert_eq(remove_key(w.store,
					i ? "latest/zz000001" : "latest/api/packages/p000700",
					STORE_ANY),
			     0);
		script(&w, faults[i]);
		cr_assert_eq(store_refresh(index, "latest/", 0), 0);
		cr_assert_eq(count_all(index), 24004 - i, "what is gone goes, in whichever part");
	}
	w.store = index;
	remove_world(&w);
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

Test(gcs_list, a_part_is_asked_for_up_to_its_end_and_no_further)
{
	struct world w = make_world("fill pubfs-test 3000 a/", false);
	unsigned n = 0;

	cr_assert_eq(store_list_part(w.store, "a/", "a/000999", "a/002000", count_key, &n), 0);
	cr_assert_eq(n, 1000);
	cr_assert_eq(gcs_server_count_all(w.server), 1);
	remove_world(&w);
}

Test(gcs_list, pages_that_repeat_or_overlap_show_each_name_once)
{
	static const char *const lines[] = { "fault list repeat", "fault list skip=1 overlap",
					     "fault list page=0", "fault list times=5 page=1",
					     "fault list times=50 repeat" };
	struct world w = make_world("fill pubfs-test 1500 a/", false);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		unsigned n = 0;

		script(&w, lines[i]);
		cr_expect_eq(store_list(w.store, "", true, NULL, count_key, &n), 0, "%s", lines[i]);
		cr_expect_eq(n, 1500, "%s: %u", lines[i], n);
	}
	remove_world(&w);
}

Test(gcs_list, a_listing_that_never_ends_fails)
{
	struct world w = make_world("fill pubfs-test 10 a/\nfault list every=1 repeat", false);
	unsigned n = 0;

	cr_assert_eq(store_list(w.store, "", true, NULL, count_key, &n), -EIO);
	cr_assert_leq(gcs_server_count(w.server, GCS_LIST), 1000);
	remove_world(&w);
}

Test(gcs_list, sizes_of_5_tib_and_objects_of_others_are_listed)
{
	struct world w = make_world("fill pubfs-test 1 a/\nfault list size=5497558138880", false);
	CLEANUP(object_release) struct object obj = { .generation = 0 };

	expect_list(w.store, "", true, NULL, "a/000000 ");
	script(&w, "fault get size=5497558138880");
	cr_assert_eq(store_stat(w.store, "a/000000", &obj), 0);
	cr_assert_eq(obj.size, 5497558138880);
	cr_assert(!obj.has_sha256 && !obj.has_decoded_size && !obj.change);
	cr_assert_eq(obj.validated, NO_TIME);
	remove_world(&w);
}

Test(gcs_read, bytes_that_do_not_match_are_asked_for_once_more)
{
	static const struct {
		const char *line;
		int result;
		unsigned requests;
	} rows[] = {
		{ "fault read flip", 0, 2 },
		{ "fault read hash", 0, 2 },
		{ "fault read md5", 0, 2 },
		{ "fault read crc32c", 0, 2 },
		{ "fault read times=2 flip", -EBADMSG, 2 },
		{ "fault read times=2 hash", -EBADMSG, 2 },
		{ "fault read cut=2", -EAGAIN, 1 },
		{ "compose pubfs-test " KEY, 0, 1 },
		{ "fault read flip", 0, 2 }, /* by the CRC32C, as there is no MD5 */
	};
	struct world w = make_world("reset", false);

	cr_assert_eq(put_text(w.store, KEY, "0123456789", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);
		int r;

		script(&w, "reset");
		script(&w, rows[i].line);
		strbuf_addstr(&out, "before ");
		r = store_read(w.store, KEY, STORE_ANY, 0, SIZE_MAX, &out);
		cr_expect_eq(r, rows[i].result, "%s: %d", rows[i].line, r);
		cr_expect_str_eq(out.buf, r ? "before " : "before 0123456789", "%s", rows[i].line);
		cr_expect_eq(gcs_server_count_all(w.server), rows[i].requests, "%s", rows[i].line);
	}
	remove_world(&w);
}

Test(gcs_read, a_gzip_object_comes_as_it_is_stored)
{
	struct world w = make_world("reset", false);
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(1000), out = STRBUF_INIT(1000);
	struct body body;
	struct edit e;

	cr_assert_eq(gzip_encode("decoded", 7, &packed), 0);
	body = body_of_strbuf(&packed);
	e = edit_write(KEY, &body, 0);
	e.object.gzip = true;
	cr_assert_eq(run_edit(w.store, &e, NULL), 0);
	cr_assert_eq(store_read(w.store, KEY, STORE_ANY, 0, SIZE_MAX, &out), 0);
	cr_assert_eq(out.len, packed.len);
	cr_assert_arr_eq(out.buf, packed.buf, packed.len);
	strbuf_reset(&out);
	cr_assert_eq(store_read(w.store, KEY, STORE_ANY, 2, 5, &out), 0);
	cr_assert_eq(out.len, 5);
	cr_assert_arr_eq(out.buf, packed.buf + 2, 5);
	remove_world(&w);
}

static ssize_t read_xs(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	uint64_t left = body->size - offset;

	n = n < left ? n : (size_t)left;
	memset(buf, 'x', n);
	return (ssize_t)n;
}

Test(gcs_write, from_8_mib_on_an_upload_is_a_session)
{
	static const struct {
		uint64_t size;
		unsigned long insert, start, chunk;
	} rows[] = { { (8 << 20) - 1, 1, 0, 0 }, { 8 << 20, 0, 1, 1 } };
	struct world w = make_world("reset", false);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct body body = { .size = rows[i].size, .fd = -1, .read = read_xs };
		struct edit e = edit_write(KEY, &body, 0);
		CLEANUP(object_release) struct object obj = { .generation = 0 };

		script(&w, "reset");
		fill_headers(&e.object);
		cr_expect_eq(run_edit(w.store, &e, NULL), 0);
		cr_expect_eq(gcs_server_count(w.server, GCS_INSERT), rows[i].insert);
		cr_expect_eq(gcs_server_count(w.server, GCS_RESUMABLE_START), rows[i].start);
		cr_expect_eq(gcs_server_count(w.server, GCS_RESUMABLE_CHUNK), rows[i].chunk);
		cr_assert_eq(store_stat(w.store, KEY, &obj), 0);
		cr_expect_eq(obj.size, rows[i].size);
		cr_expect_str_eq(obj.cache_control, "public, max-age=120");
	}
	remove_world(&w);
}

Test(gcs_write, a_session_that_breaks_is_begun_again)
{
	static const char *const lines[] = { "fault resumable.chunk drop",
					     "fault resumable.chunk status=503",
					     "fault resumable.chunk status=404",
					     "fault resumable.chunk status=308",
					     "fault resumable.start status=503",
					     "fault resumable.chunk lost" };
	struct world w = make_world("reset", true);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct body body = { .size = 8 << 20, .fd = -1, .read = read_xs };
		struct edit e = edit_write(KEY, &body, 0);

		e.if_generation = STORE_ABSENT;
		script(&w, lines[i]);
		cr_expect_eq(run_edit(w.store, &e, NULL), 0, "%s", lines[i]);
		cr_expect_eq(remove_key(w.store, KEY, STORE_ANY), 0);
	}
	remove_world(&w);
}

/* 0.0.0.0 is this host, but who reads the URL cannot know that. */
Test(gcs_write, a_session_goes_on_at_the_endpoint_or_where_nobody_listens_in)
{
	struct body body = { .size = 8 << 20, .fd = -1, .read = read_xs };
	struct world w = make_world("reset", false);
	CLEANUP(free_char)
	char *url = xasprintf("http://0.0.0.0%s", strrchr(gcs_server_url(w.server), ':'));
	const struct store_options options = { .endpoint = url };
	struct edit e = edit_write(KEY, &body, 0);
	struct store *open;

	cr_assert_eq(store_open_with("gs://pubfs-test", STORE_OPEN, &options, &open), 0);
	cr_assert_eq(run_edit(open, &e, NULL), 0);
	store_close(open);
	script(&w, "fault resumable.start elsewhere");
	e = edit_write(KEY, &body, 0);
	cr_assert_eq(run_edit(w.store, &e, NULL), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "elsewhere"), "%s", log_last_failure());
	remove_world(&w);
}

/* The bytes of 8 MiB are sent in a session. */
static int write_xs(struct world *w, uint64_t size, uint64_t if_generation)
{
	const struct body body = { .size = size, .fd = -1, .read = read_xs };
	struct edit e = edit_write(KEY, &body, 0);

	fill_headers(&e.object);
	e.if_generation = if_generation;
	return run_edit(w->store, &e, NULL);
}

/* 1: what is there is what was sent; 0: there is nothing. */
static int is_xs(struct world *w, uint64_t size)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);
	int r = store_read(w->store, KEY, STORE_ANY, 0, SIZE_MAX, &out);

	return r == -ENOENT ? 0 : r ? r : out.len == size && strspn(out.buf, "x") == size;
}

struct damaged_row {
	const char *lines; /* %s: the kind of request that makes the object */
	int result, there;
	unsigned long made, looks, removals; /* requests; all 0: they differ by the kind */
};

static void run_damaged_rows(struct world *w, const struct damaged_row *rows, size_t n)
{
	static const struct {
		uint64_t size;
		const char *name;
		enum gcs_kind kind;
	} ways[] = { { 4, "insert", GCS_INSERT }, { 8 << 20, "resumable.chunk", GCS_RESUMABLE_CHUNK } };

	for (size_t i = 0; i < n * ARRAY_SIZE(ways); i++) {
		const struct damaged_row *row = &rows[i % n];
		uint64_t size = ways[i / n].size, generation;
		CLEANUP(strbuf_release) struct strbuf lines = STRBUF_INIT(1000);

		script(w, "reset");
		cr_assert_eq(put_text(w->store, KEY, "old", STORE_ANY, &generation), 0);
		strbuf_addstr(&lines, "reset\n");
		for (const char *at = row->lines; *at; at++)
			if (*at == '%')
				strbuf_addstr(&lines, ways[i / n].name);
			else
				strbuf_addch(&lines, *at);
		script(w, lines.buf);
		cr_expect_eq(write_xs(w, size, generation), row->result, "%s", lines.buf);
		cr_expect(!row->made ||
				  (gcs_server_count(w->server, ways[i / n].kind) == row->made &&
				   gcs_server_count(w->server, GCS_GET) == row->looks &&
				   gcs_server_count(w->server, GCS_DELETE) == row->removals),
			  "%s", lines.buf);
		script(w, "reset");
		cr_expect_eq(is_xs(w, size), row->there, "%s", lines.buf);
	}
}

Test(gcs_write, an_answer_with_another_hash_or_size_is_looked_into)
{
	static const struct damaged_row rows[] = {
		{ "fault % hash", 0, 1, 1, 1, 0 },
		{ "fault % md5", 0, 1, 1, 1, 0 },
		{ "fault % crc32c", 0, 1, 1, 1, 0 },
		{ "fault % size=5", 0, 1, 1, 1, 0 },
		{ "fault % hash\nfault get hash", 0, 1, 2, 1, 0 },
		{ "fault % hash\nfault get status=404", -ESTALE, 1, 1, 1, 0 },
	};
	struct world w = make_world("reset", false);

	run_damaged_rows(&w, rows, ARRAY_SIZE(rows));
	remove_world(&w);
}

Test(gcs_write, other_bytes_than_were_sent_are_replaced_or_removed)
{
	static const struct damaged_row rows[] = {
		{ "fault % damage unchecked", 0, 1, 2, 1, 0 },
		{ "fault % times=2 damage unchecked", -EBADMSG, 0, 2, 2, 1 },
		/* who may not look replaces it all the same */
		{ "deny storage.objects.get\nfault % damage unchecked", 0, 1, 2, 1, 0 },
	};
	struct world w = make_world("reset", false);

	run_damaged_rows(&w, rows, ARRAY_SIZE(rows));
	remove_world(&w);
}

/* Below the retry link: the condition is about its own damaged work, however often it is tried. */
Test(gcs_write, other_bytes_are_replaced_in_passing_trouble_too)
{
	static const struct damaged_row rows[] = {
		{ "fault % damage unchecked\nfault get status=503", 0, 1, 2, 1, 0 },
		{ "fault % damage unchecked\nfault % status=503", 0, 1, 3, 1, 0 },
		{ "fault % times=2 damage unchecked\nfault delete status=503", 0, 1, 3, 2, 1 },
		{ "fault % damage unchecked lost=503", 0, 1, 0, 0, 0 },
		{ "fault % times=3 damage unchecked lost=503", 0, 1, 0, 0, 0 },
	};
	struct world w = make_world("reset", true);

	run_damaged_rows(&w, rows, ARRAY_SIZE(rows));
	remove_world(&w);
}

Test(gcs_write, bytes_that_arrive_with_another_hash_change_nothing)
{
	struct world w = make_world("reset", false);
	uint64_t generation;

	cr_assert_eq(put_text(w.store, KEY, "old", STORE_ABSENT, &generation), 0);
	script(&w, "fault insert damage");
	cr_assert_eq(put_text(w.store, KEY, "text", generation, NULL), -EBADMSG);
	cr_assert_not_null(strstr(log_last_failure(), "what arrived is not what was sent"), "%s",
			   log_last_failure());
	expect_text(w.store, KEY, "old");
	cr_assert_eq(generation_of(w.store, KEY), generation);
	remove_world(&w);
}

Test(gcs_write, a_lost_answer_is_not_a_lost_race)
{
	struct world w = make_world("fault insert lost\nfault insert lost=503", true);
	uint64_t generation;

	cr_assert_eq(put_text(w.store, KEY, "own", STORE_ABSENT, &generation), 0);
	cr_assert_eq(generation_of(w.store, KEY), generation);
	cr_assert_eq(put_text(w.store, KEY, "next", generation, &generation), 0);
	expect_text(w.store, KEY, "next");
	script(&w, "fault insert status=503");
	cr_assert_eq(put_text(w.store, KEY, "own", STORE_ABSENT, NULL), -ESTALE,
		     "another one's bytes are there");
	remove_world(&w);
}

Test(gcs_copy, a_copy_is_done_by_the_server_in_as_many_calls_as_it_wants)
{
	static const struct {
		const char *limit;
		unsigned calls;
	} rows[] = { { "rewrite-limit 10", 1 },
		     { "rewrite-limit 9", 2 },
		     { "rewrite-limit 1", 10 } };
	struct world w = make_world("reset", false);

	cr_assert_eq(put_text(w.store, "from", "0123456789", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct edit e = edit_write("to", NULL, 0);

		e.op = EDIT_COPY;
		e.from = w.store;
		e.from_key = "from";
		e.from_generation = STORE_ANY;
		script(&w, "reset");
		script(&w, rows[i].limit);
		cr_expect_eq(run_edit(w.store, &e, NULL), 0);
		cr_expect_eq(gcs_server_count(w.server, GCS_REWRITE), rows[i].calls, "%s: %lu",
			     rows[i].limit, gcs_server_count(w.server, GCS_REWRITE));
		cr_expect_eq(gcs_server_count(w.server, GCS_READ), 0);
		expect_text(w.store, "to", "0123456789");
	}
	remove_world(&w);
}

static int copy_from(struct store *from, struct store *to)
{
	struct edit e = edit_write("to", NULL, 0);

	e.op = EDIT_COPY;
	e.from = from;
	e.from_key = "from";
	e.from_generation = STORE_ANY;
	return run_edit(to, &e, NULL);
}

/* The published API does not say which of the two objects a 404 or a 412 is of. */
Test(gcs_copy, what_is_wrong_with_a_copy_is_found_out)
{
	struct world w = make_world("fault rewrite status=412", false);
	struct edit e = edit_write("to", NULL, 0);

	e.op = EDIT_COPY;
	e.from = w.store;
	e.from_key = "from";
	e.from_generation = 7;
	cr_assert_eq(run_edit(w.store, &e, NULL), -ENOENT, "there is no source");
	cr_assert_eq(put_text(w.store, "from", "0123456789", STORE_ABSENT, NULL), 0);
	script(&w, "fault rewrite status=404");
	cr_assert_eq(copy_from(w.store, w.store), -ESTALE, "there is one, so it is the target");
	remove_world(&w);
}

Test(gcs_copy, from_another_server_it_is_made_whole_or_not_at_all)
{
	struct world w = make_world("reset", false), other = make_world("reset", false);

	cr_assert_eq(put_text(other.store, "from", "0123456789", STORE_ABSENT, NULL), 0);
	script(&other, "fault read status=416");
	cr_assert_eq(copy_from(other.store, w.store), -EBADMSG);
	cr_assert_eq(generation_of(w.store, "to"), 0);
	cr_assert_eq(copy_from(other.store, w.store), 0);
	expect_text(w.store, "to", "0123456789");
	remove_world(&other);
	remove_world(&w);
}

Test(gcs_open, a_bucket_that_is_not_there_says_so)
{
	struct world w = make_world("reset", false);
	const struct store_options options = { .endpoint = gcs_server_url(w.server) };
	struct store *other;
	unsigned n = 0;

	cr_assert_eq(store_open_with("gs://no-such-bucket", STORE_OPEN, &options, &other), 0);
	cr_assert_lt(store_list(other, "", true, NULL, count_key, &n), 0);
	cr_assert_not_null(strstr(log_last_failure(), "no-such-bucket"), "%s", log_last_failure());
	cr_assert_lt(put_text(other, KEY, "x", STORE_ANY, NULL), 0);
	store_close(other);
	remove_world(&w);
}

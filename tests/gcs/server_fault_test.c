/* SPDX-License-Identifier: BSD-3-Clause */
/* server_fault_test.c - the test server fails as it is told to, and counts what it did. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "clock.h"
#include "memory.h"
#include "server.h"

#define LIST   "/storage/v1/b/b/o"
#define OBJECT "/storage/v1/b/b/o/a"
#define MEDIA  OBJECT "?alt=media"

static struct gcs_server *server;
static const char *url;

static void script(const char *lines)
{
	cr_assert_eq(gcs_server_script(server, lines), 0, "%s", lines);
}

static void begin(void)
{
	server = gcs_server_start();
	url = gcs_server_url(server);
	script("bucket b");
}

static void end(void)
{
	gcs_server_stop(server);
}

TestSuite(gcs_fault, .init = begin, .fini = end);

static long put(const char *bytes)
{
	CLEANUP(answer_release) struct answer a = client_put(url, "{\"name\":\"a\"}", bytes, "");

	return a.status;
}

static long status_of(const char *target)
{
	CLEANUP(answer_release) struct answer a = client_get(url, target);

	return a.status;
}

Test(gcs_fault, a_script_that_is_not_understood_is_refused)
{
	static const char *const wrong[] = {
		"nonsense",
		"bucket",
		"bucket b",
		"fault",
		"fault x status=500",
		"fault list status",
		"fault list statut=1",
		"fault list drop=1x",
		"fault list times=-1",
		"fill c 1 a",
		"fill b x a",
		"fill b 1",
		"compose b none",
		"vast b a",
		"vast c a 1",
		"vast b a 0",
		"tokens maybe",
		"token-life x",
		"rewrite-limit 0",
		"key lost",
		"deny objects.get",
		"fields maybe",
		"clock --1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_expect_lt(gcs_server_script(server, wrong[i]), 0, "%s", wrong[i]);
}

Test(gcs_fault, a_status_comes_instead_of_the_effect)
{
	static const long statuses[] = { 400, 401, 403, 404, 408, 412, 429, 500, 502, 503, 504 };

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		CLEANUP(free_char)
		char *line = xasprintf("fault insert status=%ld retry-after=7", statuses[i]);

		script(line);
		{
			CLEANUP(answer_release)
			struct answer a = client_put(url, "{\"name\":\"a\"}", "x", "");

			cr_expect_eq(a.status, statuses[i]);
			cr_expect_str_eq(answer_header(&a, "Retry-After"), "7");
			cr_expect_not_null(answer_text(&a, "error/message"));
			cr_expect_not_null(answer_text(&a, "error/errors/0/reason"));
		}
		cr_expect_eq(status_of(OBJECT), 404);
	}
	cr_assert_eq(put("x"), 200);
}

Test(gcs_fault, a_403_names_who_which_right_and_what)
{
	script("fault list status=403");
	{
		CLEANUP(answer_release) struct answer a = client_get(url, LIST);
		const char *message = answer_text(&a, "error/message");

		cr_assert_eq(a.status, 403);
		cr_assert_not_null(strstr(message, "pubfs@test-project.iam.gserviceaccount.com"));
		cr_assert_not_null(strstr(message, "'storage.objects.list'"));
		cr_assert_str_eq(answer_text(&a, "error/errors/0/reason"), "forbidden");
	}
}

Test(gcs_fault, faults_wait_for_their_kind_their_object_and_their_turn)
{
	cr_assert_eq(put("x"), 200);
	script("fault get skip=1 times=2 status=500\nfault get object=other status=400");
	cr_assert_eq(status_of(MEDIA), 200);
	cr_assert_eq(status_of(OBJECT), 200);
	cr_assert_eq(status_of(OBJECT), 500);
	cr_assert_eq(status_of(OBJECT), 500);
	cr_assert_eq(status_of(OBJECT), 200);
	cr_assert_eq(status_of(LIST "/other"), 400);
	cr_assert_eq(status_of(LIST "/other"), 404);
	script("fault list every=3 status=500");
	for (int i = 1; i <= 9; i++)
		cr_assert_eq(status_of(LIST), i % 3 ? 200 : 500);
	script("reset\nfault * status=500");
	cr_assert_eq(status_of(LIST), 500);
	script("fault get status=500\nreset");
	cr_assert_eq(status_of(OBJECT), 200);
}

Test(gcs_fault, a_dropped_request_has_no_effect_and_a_lost_answer_has)
{
	script("fault insert drop\nfault insert lost\nfault insert lost=503");
	cr_assert_eq(put("x"), 0);
	cr_assert_eq(status_of(OBJECT), 404);
	cr_assert_eq(put("y"), 0);
	cr_assert_eq(status_of(OBJECT), 200);
	cr_assert_eq(put("z"), 503);
	{
		CLEANUP(answer_release) struct answer a = client_get(url, MEDIA);

		cr_assert_str_eq(a.body.buf, "z");
	}
}

Test(gcs_fault, an_answer_is_cut_where_it_was_asked_to_be)
{
	static const struct {
		const char *line, *body;
		bool whole;
	} rows[] = {
		{ "fault read cut=4", "0123", false },
		{ "fault read cut=0", "", false },
		{ "fault read cut=9", "012345678", false },
		{ "fault read cut=10", "0123456789", true },
		{ "fault read slow=1", "0123456789", true },
		{ "fault read flip", "0123446789", true },
	};

	cr_assert_eq(put("0123456789"), 200);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script(rows[i].line);
		{
			CLEANUP(answer_release) struct answer a = client_get(url, MEDIA);

			cr_expect_eq(a.status, 200, "%s", rows[i].line);
			cr_expect_eq(a.whole, rows[i].whole, "%s", rows[i].line);
			cr_expect_str_eq(a.body.buf, rows[i].body, "%s", rows[i].line);
		}
	}
}

Test(gcs_fault, hashes_and_lengths_may_be_wrong)
{
	cr_assert_eq(put("hello"), 200);
	script("fault get hash\nfault get size=5497558138880\nfault read hash\nfault get garbage");
	{
		CLEANUP(answer_release) struct answer hash = client_get(url, OBJECT);
		CLEANUP(answer_release) struct answer size = client_get(url, OBJECT);
		CLEANUP(answer_release) struct answer garbage = client_get(url, OBJECT);
		CLEANUP(answer_release) struct answer media = client_get(url, MEDIA);

		cr_assert_str_neq(answer_text(&hash, "md5Hash"), "XUFAKrxLKna5cZ2REBfFkg==");
		cr_assert_str_neq(answer_text(&hash, "crc32c"), "mnG7TA==");
		cr_assert_str_eq(answer_text(&size, "size"), "5497558138880");
		cr_assert_str_eq(answer_text(&size, "crc32c"), "mnG7TA==");
		cr_assert_eq(garbage.status, 200);
		cr_assert_null(garbage.json);
		cr_assert_str_eq(media.body.buf, "hello");
		cr_assert_null(strstr(answer_header(&media, "X-Goog-Hash"), "mnG7TA=="));
	}
}

Test(gcs_fault, an_upload_may_arrive_damaged_and_be_refused_or_taken)
{
	static const char resource[] = "{\"name\":\"a\",\"md5Hash\":\"XUFAKrxLKna5cZ2REBfFkg==\"}";

	script("fault insert damage\nfault insert damage unchecked");
	for (int i = 0; i < 2; i++) {
		CLEANUP(answer_release) struct answer a = client_put(url, resource, "hello", "");

		cr_assert_eq(a.status, i ? 200 : 400);
	}
	{
		CLEANUP(answer_release) struct answer media = client_get(url, MEDIA);

		cr_assert_str_eq(media.body.buf, "hemlo");
	}
}

Test(gcs_fault, a_vast_object_is_made_as_it_is_read_in_ranges)
{
	const struct call calls[] = {
		{ .method = "GET", .target = MEDIA, .headers = { "Range: bytes=-16" } },
		{ .method = "GET", .target = MEDIA, .headers = { "Range: bytes=14-17" } },
	};

	script("vast b a 5497558138880");
	{
		CLEANUP(answer_release) struct answer a = client_get(url, OBJECT);
		CLEANUP(answer_release) struct answer last = client_send(url, &calls[0]);
		CLEANUP(answer_release) struct answer odd = client_send(url, &calls[1]);

		cr_assert_str_eq(answer_text(&a, "size"), "5497558138880");
		cr_assert_str_eq(last.body.buf, "00004fffffffff0\n");
		cr_assert_str_eq(answer_header(&last, "Content-Range"),
				 "bytes 5497558138864-5497558138879/5497558138880");
		cr_assert_str_eq(odd.body.buf, "0\n00");
		cr_assert_eq(status_of(MEDIA), 400, "nobody can have all of it");
	}
}

Test(gcs_fault, a_composed_object_has_no_md5)
{
	cr_assert_eq(put("hello"), 200);
	script("compose b a");
	{
		CLEANUP(answer_release) struct answer a = client_get(url, OBJECT);
		CLEANUP(answer_release) struct answer media = client_get(url, MEDIA);

		cr_assert_null(answer_text(&a, "md5Hash"));
		cr_assert_str_eq(answer_text(&a, "crc32c"), "mnG7TA==");
		cr_assert_str_eq(answer_header(&media, "X-Goog-Hash"), "crc32c=mnG7TA==");
	}
}

/* The first and the last name of a page and how many, such as "x000000-x000003 4", and the
 * token of the next one (owned by the caller). */
static char *page(const char *token, char **ret_token)
{
	CLEANUP(strbuf_release) struct strbuf target = STRBUF_INIT(10000);
	struct answer a;
	char *text;
	size_t n;

	strbuf_addf(&target, LIST "?maxResults=4%s", token ? "&pageToken=" : "");
	for (const char *at = token ? token : ""; *at; at++)
		strbuf_addf(&target, "%%%02X", (unsigned char)*at);
	a = client_get(url, target.buf);
	n = json_array_size(json_object_get(a.json, "items"));
	{
		CLEANUP(free_char) char *last = xasprintf("items/%zu/name", n - 1);

		text = n ? xasprintf("%s-%s %zu", answer_text(&a, "items/0/name"),
				     answer_text(&a, last), n)
			 : xstrdup("none");
	}
	*ret_token = xstrdup_or_null(answer_text(&a, "nextPageToken"));
	answer_release(&a);
	return text;
}

Test(gcs_fault, list_pages_may_be_short_empty_overlapping_or_repeated)
{
	static const struct {
		const char *lines, *pages;
	} rows[] = {
		{ "reset", "x0-x3 4, x4-x5 2, " },
		{ "fault list page=0", "none, x0-x3 4, x4-x5 2, " },
		{ "fault list page=1", "x0-x0 1, x1-x4 4, x5-x5 1, " },
		{ "fault list skip=1 overlap", "x0-x3 4, x3-x5 3, " },
		{ "fault list repeat", "x0-x3 4, x0-x3 4, x4-x5 2, " },
		{ "fault list skip=1 repeat", "x0-x3 4, x4-x5 2, x4-x5 2, " },
	};

	script("fill b 6 x");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf got = STRBUF_INIT(10000);
		CLEANUP(free_char) char *token = NULL;
		unsigned pages = 0;

		script(rows[i].lines);
		do {
			char *next;
			CLEANUP(free_char) char *text = page(token, &next);

			for (const char *at = text; *at; at++)
				if (strncmp(at, "00000", 5) != 0)
					strbuf_addch(&got, *at);
				else
					at += 4;
			strbuf_addstr(&got, ", ");
			free(token);
			token = next;
		} while (token && ++pages < 10);
		cr_expect_str_eq(got.buf, rows[i].pages, "%s: %s", rows[i].lines, got.buf);
	}
}

Test(gcs_fault, a_delay_is_at_least_as_long_as_asked_for)
{
	int64_t before = clock_monotonic();

	script("fault list delay=30");
	cr_assert_eq(status_of(LIST), 200);
	cr_assert_geq(clock_monotonic() - before, 30000);
	{
		CLEANUP(answer_release) struct answer counts = client_get(url, "/control/counts");
		const char *busy = strstr(counts.body.buf, "\nbusy ");

		cr_assert(busy && atol(busy + strlen("\nbusy ")) >= 30, "%s", counts.body.buf);
	}
}

static void *ask_slowly(void *ctx)
{
	(void)ctx;
	return (void *)status_of(LIST);
}

Test(gcs_fault, the_end_of_the_server_ends_a_delay)
{
	struct gcs_server *other = gcs_server_start();
	pthread_t thread;

	gcs_server_stop(server);
	server = other;
	url = gcs_server_url(server);
	script("bucket b\nfault list delay=3600000");
	cr_assert_eq(pthread_create(&thread, NULL, ask_slowly, NULL), 0);
	while (!gcs_server_count(server, GCS_LIST))
		;
	gcs_server_stop(server);
	pthread_join(thread, NULL);
	server = gcs_server_start();
}

Test(gcs_fault, requests_are_counted_by_kind_and_logged)
{
	CLEANUP(free_char) char *log = NULL;

	cr_assert_eq(put("x"), 200);
	cr_assert_eq(status_of(OBJECT), 200);
	cr_assert_eq(status_of(MEDIA), 200);
	cr_assert_eq(status_of(LIST), 200);
	cr_assert_eq(status_of("/storage/v1/b/b"), 200);
	cr_assert_eq(status_of("/nothing"), 404);
	script("fault get drop");
	cr_assert_eq(status_of(OBJECT), 0);
	cr_assert_eq(gcs_server_count(server, GCS_INSERT), 1);
	cr_assert_eq(gcs_server_count(server, GCS_GET), 2);
	cr_assert_eq(gcs_server_count(server, GCS_READ), 1);
	cr_assert_eq(gcs_server_count(server, GCS_LIST), 1);
	cr_assert_eq(gcs_server_count(server, GCS_BUCKET_GET), 1);
	cr_assert_eq(gcs_server_count(server, GCS_UNKNOWN), 1);
	cr_assert_eq(gcs_server_count_all(server), 7);
	cr_assert_eq(gcs_server_connections(server), 7);
	cr_assert_eq(gcs_server_parallel(server), 1);
	log = gcs_server_log(server);
	cr_assert_str_eq(log, "insert 200 \nget 200 a\nread 200 a\nlist 200 \nbucket.get 200 \n"
			      "unknown 404 \nget 0 a\n");
	script("reset");
	cr_assert_eq(gcs_server_count_all(server), 0);
}

Test(gcs_fault, a_script_may_come_by_http_and_counts_go_that_way)
{
	const struct call call = { .method = "POST",
				   .target = "/control",
				   .body = "fault list status=500" };
	const struct call wrong = { .method = "POST", .target = "/control", .body = "x" };
	CLEANUP(answer_release) struct answer a = client_send(url, &call);
	CLEANUP(answer_release) struct answer b = client_send(url, &wrong);

	cr_assert_eq(a.status, 200);
	cr_assert_eq(b.status, 400);
	cr_assert_eq(status_of(LIST), 500);
	{
		CLEANUP(answer_release) struct answer counts = client_get(url, "/control/counts");

		cr_assert_not_null(strstr(counts.body.buf, "\nlist 1\n"), "%s", counts.body.buf);
		cr_assert_not_null(strstr(counts.body.buf, "\nall 1\n"));
	}
}

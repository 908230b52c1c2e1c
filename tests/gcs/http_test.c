/* SPDX-License-Identifier: BSD-3-Clause */
/* http_test.c - what an answer, a broken connection and a cancel come to; escapes and hosts. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "../../fs/store/gcs.h"
#include "../../fs/store/trouble.h"
#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "server.h"
#include "strbuf.h"

static struct {
	struct gcs_server *server;
	struct http *http;
	atomic_bool cancel;
	char *url; /* of an object of 1 byte: its metadata */
	struct http_answer answer;
} w;

static void script(const char *lines)
{
	cr_assert_eq(gcs_server_script(w.server, lines), 0, "%s", lines);
}

static void open_world(void)
{
	const struct http_options options = { .cancel = &w.cancel };

	w.server = gcs_server_start();
	script("bucket bucket");
	script("fill bucket 1 a");
	w.url = xasprintf("%s/storage/v1/b/bucket/o/a000000", gcs_server_url(w.server));
	cr_assert_eq(http_new(&options, &w.http), 0);
	http_answer_init(&w.answer, 4096);
}

static void close_world(void)
{
	http_answer_release(&w.answer);
	http_free(w.http);
	gcs_server_stop(w.server);
	free(w.url);
}

TestSuite(http, .init = open_world, .fini = close_world);

static int get(const char *url, struct strbuf *out)
{
	struct http_request request = {
		.method = "GET", .url = url, .about = "the test", .out = out
	};

	return http_send(w.http, &request, &w.answer);
}

Test(http, an_answer_has_its_status_its_headers_and_its_body)
{
	cr_assert_eq(get(w.url, NULL), 0);
	cr_assert_eq(w.answer.status, 200);
	cr_assert_not_null(w.answer.header[HTTP_DATE]);
	cr_assert_gt(http_date(w.answer.header[HTTP_DATE]), 1000000000);
	cr_assert_null(w.answer.header[HTTP_RETRY_AFTER]);
	cr_assert_not_null(strstr(w.answer.body.buf, "a000000"));
	script("fault get status=429 retry-after=7");
	cr_assert_eq(get(w.url, NULL), 0);
	cr_assert_eq(w.answer.status, 429);
	cr_assert_str_eq(w.answer.header[HTTP_RETRY_AFTER], "7");
	cr_assert_eq(get(w.url, NULL), 0);
	cr_assert_null(w.answer.header[HTTP_RETRY_AFTER], "nothing of the answer before is left");
}

Test(http, only_a_success_goes_into_the_callers_buffer)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(4096);

	strbuf_addstr(&out, "<");
	cr_assert_eq(get(w.url, &out), 0);
	cr_assert_gt(out.len, 1);
	cr_assert_eq(w.answer.body.len, 0);
	strbuf_setlen(&out, 1);
	script("fault get status=500");
	cr_assert_eq(get(w.url, &out), 0);
	cr_assert_str_eq(out.buf, "<");
	cr_assert_gt(w.answer.body.len, 0);
	script("fault get cut=10");
	cr_assert_eq(get(w.url, &out), -EAGAIN);
	cr_assert_str_eq(out.buf, "<", "nothing of a body that was cut");
}

Test(http, a_body_over_the_maximum_is_e2big_and_leaves_nothing)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(20);

	strbuf_addstr(&out, "<");
	cr_assert_eq(get(w.url, &out), -E2BIG);
	cr_assert_str_eq(out.buf, "<");
	cr_assert_eq(strbuf_error(&out), 0);
}

Test(http, connections_are_kept)
{
	for (int i = 0; i < 20; i++)
		cr_assert_eq(get(w.url, NULL), 0);
	cr_assert_eq(gcs_server_connections(w.server), 1);
}

Test(http, a_host_that_does_not_answer_is_passing_trouble)
{
	cr_assert_eq(get("http://127.0.0.1:1/", NULL), -EAGAIN);
	cr_assert_not_null(strstr(trouble_last()->text, "the test"));
	script("fault get times=2 drop");
	cr_assert_eq(get(w.url, NULL), -EAGAIN);
}

Test(http, what_is_no_url_of_http_is_an_error)
{
	cr_assert_eq(get("file:///etc/passwd", NULL), -EIO);
	cr_assert_eq(get("http://", NULL), -EIO);
}

Test(http, a_connection_that_stands_still_is_given_up_and_that_time_counts)
{
	const struct http_options options = { .patience = 1 };

	http_free(w.http);
	cr_assert_eq(http_new(&options, &w.http), 0);
	script("fault get delay=60000");
	cr_assert_eq(get(w.url, NULL), -EAGAIN);
	cr_assert_eq(trouble_last()->still, SECOND_US);
	script("end-delays");
}

static void *cancel_soon(void *arg)
{
	(void)arg;
	while (!gcs_server_count(w.server, GCS_GET))
		sched_yield();
	atomic_store(&w.cancel, true);
	return NULL;
}

Test(http, a_cancel_ends_a_waiting_read)
{
	pthread_t thread;

	script("fault get delay=20000");
	cr_assert_eq(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
	cr_assert_eq(get(w.url, NULL), -ECANCELED);
	pthread_join(thread, NULL);
}

static bool is_asked(void *ctx)
{
	(void)ctx;
	return gcs_server_count(w.server, GCS_GET) > 0;
}

Test(http, a_read_that_nobody_waits_for_ends)
{
	script("fault get delay=20000");
	interrupt_set(is_asked, NULL);
	cr_assert_eq(get(w.url, NULL), -ECANCELED);
	interrupt_set(NULL, NULL);
}

static bool count_looks(void *ctx)
{
	++*(unsigned *)ctx;
	return false;
}

/* libcurl would look once a second: too late for who pressed Ctrl-C. */
Test(http, whether_anybody_waits_is_looked_at_many_times_a_second)
{
	unsigned looks = 0;

	cr_assert_eq(get(w.url, NULL), 0); /* connected */
	script("fault get delay=1000");
	interrupt_set(count_looks, &looks);
	cr_assert_eq(get(w.url, NULL), 0);
	interrupt_set(NULL, NULL);
	cr_assert_geq(looks, 20, "%u", looks);
}

Test(http, an_orderly_end_waits_for_what_moves)
{
	atomic_store(&w.cancel, true);
	cr_assert_eq(get(w.url, NULL), 0);
	script("fault get slow=100"); /* eight times */
	cr_assert_eq(get(w.url, NULL), 0);
	script("fault get delay=20000");
	cr_assert_eq(get(w.url, NULL), -ECANCELED);
}

Test(http, all_but_unreserved_characters_are_escaped)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(200);

	http_escape("azAZ09-._~/+ %&=?#\"\x01\x7f\xc3\xa9", &out);
	cr_assert_str_eq(out.buf, "azAZ09-._~%2F%2B%20%25%26%3D%3F%23%22%01%7F%C3%A9");
}

Test(http, secrets_go_over_tls_or_to_this_host_alone)
{
	static const struct {
		const char *url;
		bool is_private;
	} rows[] = {
		{ "https://example.com/", true },
		{ "HTTPS://example.com/", true },
		{ "http://127.0.0.1", true },
		{ "http://127.0.0.1:80/x", true },
		{ "http://localhost/x", true },
		{ "http://[::1]:80/", true },
		{ "http://[::2]:80/", false },
		{ "http://127.0.0.1.example.com", false },
		{ "http://127.0.0.1@example.com", false },
		{ "http://example.com", false },
		{ "http://localhost.example.com", false },
		{ "ftp://127.0.0.1", false },
		{ "http://localhost:x@example.com", false },
		{ "", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(http_is_private(rows[i].url), rows[i].is_private, "%s", rows[i].url);
}

Test(http, each_status_is_one_errno)
{
	static const struct {
		long status;
		int result;
	} rows[] = {
		{ 199, -EIO },	  { 200, 0 },	 { 204, 0 },	   { 206, 0 },
		{ 299, 0 },	  { 300, -EIO }, { 301, -EIO },	   { 304, -ESTALE },
		{ 308, -EIO },	  { 400, -EIO }, { 401, -EACCES }, { 403, -EACCES },
		{ 404, -ENOENT }, { 405, -EIO }, { 408, -EAGAIN }, { 409, -EEXIST },
		{ 410, -EAGAIN }, { 411, -EIO }, { 412, -ESTALE }, { 413, -E2BIG },
		{ 416, -EIO },  { 428, -EIO }, { 429, -EAGAIN }, { 430, -EIO },
		{ 500, -EAGAIN }, { 501, -EIO }, { 502, -EAGAIN }, { 503, -EAGAIN },
		{ 504, -EAGAIN }, { 505, -EIO }, { 0, -EIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		cr_assert_eq(gcs_status(rows[i].status), rows[i].result, "%ld", rows[i].status);
}

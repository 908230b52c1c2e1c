/* SPDX-License-Identifier: BSD-3-Clause */
/* bad_answer_test.c - answers that are wrong, endless, huge, refused or of another kind of server.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fs/store/trouble.h"
#include "../store/conformance.h"
#include "body.h"
#include "bucket.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "server.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

#define KEY	"latest/api/packages/http"
#define OUT_MAX ((size_t)1 << 20)

static struct {
	struct gcs_server *server;
	struct store *s;
	char folder[64];
	char *key_file;
} w;

static void script(const char *lines)
{
	cr_assert_eq(gcs_server_script(w.server, lines), 0, "%s", lines);
}

static struct store *open_at(const char *endpoint, const char *ca_file)
{
	const struct store_options options = { .endpoint = endpoint, .ca_file = ca_file };
	struct store *s;

	cr_assert_eq(store_open_with("gs://bucket", STORE_OPEN, &options, &s), 0);
	return s;
}

static void open_world(void)
{
	log_set_level(LEVEL_ERROR);
	unsetenv("STORAGE_EMULATOR_HOST");
	strcpy(w.folder, "/tmp/pubfs-answer-XXXXXX");
	cr_assert_not_null(mkdtemp(w.folder));
	w.key_file = xasprintf("%s/file", w.folder);
	w.server = gcs_server_start();
	script("bucket bucket");
	w.s = open_at(gcs_server_url(w.server), NULL);
}

static void close_world(void)
{
	store_close(w.s);
	gcs_server_stop(w.server);
	unlink(w.key_file);
	rmdir(w.folder);
	free(w.key_file);
}

TestSuite(bad_answer, .init = open_world, .fini = close_world);

static void write_file(const char *text)
{
	FILE *f = fopen(w.key_file, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(w.key_file, 0600), 0);
}

static int stat_key(struct store *s)
{
	CLEANUP(object_release) struct object obj = { .generation = 0 };

	return store_stat(s, KEY, &obj);
}

static int count_key(void *ctx, const struct object *obj)
{
	(void)obj;
	++*(unsigned *)ctx;
	return 0;
}

static int list_all(struct store *s, unsigned *ret)
{
	*ret = 0;
	return store_list(s, "", true, NULL, count_key, ret);
}

static void expect_said(const char *part)
{
	cr_assert_not_null(strstr(log_last_failure(), part), "no '%s' in: %s", part,
			   log_last_failure());
}

Test(bad_answer, objects_and_lists_are_asked_for_by_their_fields)
{
	unsigned n;

	script("fields required");
	script("fill bucket 3 a");
	cr_assert_eq(list_all(w.s, &n), 0);
	cr_assert_eq(n, 3);
	cr_assert_eq(stat_key(w.s), -ENOENT);
}

Test(bad_answer, a_listing_whose_tokens_change_but_whose_names_do_not_ends)
{
	unsigned n;

	script("fill bucket 10 a");
	script("fault list every=1 spin");
	cr_assert_eq(list_all(w.s, &n), -EIO);
	expect_said("has no end");
	cr_assert_leq(gcs_server_count(w.server, GCS_LIST), 200);
}

Test(bad_answer, what_goes_on_and_on_is_cut_off_and_said)
{
	unsigned n;

	script("fault list huge=67108865");
	cr_assert_eq(list_all(w.s, &n), -EIO);
	expect_said("goes on after");
	script("fault get huge=67108865");
	cr_assert_eq(stat_key(w.s), -EIO);
	expect_said("goes on after");
}

Test(bad_answer, what_is_not_json_is_no_page_and_no_object)
{
	uint64_t generation;
	unsigned n;

	script("fault list garbage\nfault get garbage\nfault insert garbage");
	cr_assert_eq(list_all(w.s, &n), -EIO);
	expect_said("does not answer as Google Cloud Storage does");
	cr_assert_eq(stat_key(w.s), -EIO);
	expect_said("does not answer as Google Cloud Storage does");
	cr_assert_eq(put_text(w.s, KEY, "x", STORE_ABSENT, &generation), -EIO);
	expect_said("does not answer as Google Cloud Storage does");
}

Test(bad_answer, bytes_of_another_place_or_decoded_on_the_way_are_never_shown)
{
	static const struct {
		const char *line;
		uint64_t offset;
		size_t length;
		int result;
	} rows[] = {
		{ "fault read shift=1", 2, 4, 0 },
		{ "fault read times=2 shift=1", 2, 4, -EBADMSG },
		{ "fault read decode", 2, 4, 0 },
		{ "fault read times=2 decode", 2, 4, -EBADMSG },
		{ "fault read times=2 decode", 0, 99, -EBADMSG },
		{ "fault read times=2 decode", 2, SIZE_MAX, -EBADMSG },
	};
	CLEANUP(strbuf_release) struct strbuf packed = STRBUF_INIT(OUT_MAX);
	struct body body;
	struct edit e;

	cr_assert_eq(gzip_encode("decoded", 7, &packed), 0);
	body = body_of_strbuf(&packed);
	e = edit_write(KEY, &body, 0);
	e.object.gzip = true;
	cr_assert_eq(run_edit(w.s, &e, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

		script("reset");
		script(rows[i].line);
		cr_expect_eq(store_read(w.s, KEY, STORE_ANY, rows[i].offset, rows[i].length, &out),
			     rows[i].result, "%s", rows[i].line);
		cr_expect_eq(gcs_server_count(w.server, GCS_READ), 2, "%s", rows[i].line);
		cr_expect_eq(out.len, rows[i].result ? 0 : 4, "%s", rows[i].line);
		cr_expect_arr_eq(out.buf, packed.buf + 2, out.len, "%s", rows[i].line);
	}
}

Test(bad_answer, a_server_names_the_time_to_wait_in_seconds_or_as_a_date)
{
	script("fault get status=503 retry-after=7");
	cr_assert_eq(stat_key(w.s), -EAGAIN);
	cr_assert_eq(trouble_last()->wait, 7 * SECOND_US);
	script("fault get status=429 retry-date=600");
	cr_assert_eq(stat_key(w.s), -EAGAIN);
	cr_assert(trouble_last()->wait > 590 * SECOND_US && trouble_last()->wait <= 600 * SECOND_US,
		  "%lld", (long long)trouble_last()->wait);
	cr_assert(trouble_last()->too_many);
	script("fault get status=503");
	cr_assert_eq(stat_key(w.s), -EAGAIN);
	cr_assert_eq(trouble_last()->wait, 0);
}

static int ask_list(struct store *s)
{
	unsigned n;

	return list_all(s, &n);
}

static int ask_read(struct store *s)
{
	CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);

	return store_read(s, KEY, STORE_ANY, 0, 10, &out);
}

static int ask_write(struct store *s)
{
	return put_text(s, "new", "x", STORE_ANY, NULL);
}

static int ask_overwrite(struct store *s)
{
	return put_text(s, KEY, "x", STORE_ANY, NULL);
}

static int ask_touch(struct store *s)
{
	struct edit e = edit_write(KEY, NULL, 0);

	e.op = EDIT_TOUCH;
	return run_edit(s, &e, NULL);
}

static int ask_copy(struct store *s)
{
	struct edit e = edit_write("copy", NULL, 0);

	e.op = EDIT_COPY;
	e.from = s;
	e.from_key = KEY;
	e.from_generation = STORE_ANY;
	return run_edit(s, &e, NULL);
}

static int ask_remove(struct store *s)
{
	return remove_key(s, KEY, STORE_ANY);
}

Test(bad_answer, whoever_lacks_a_right_is_told_who_which_and_where)
{
	static const struct {
		const char *permission;
		int (*ask)(struct store *s);
	} rows[] = {
		{ "storage.objects.list", ask_list },
		{ "storage.objects.get", stat_key },
		{ "storage.objects.get", ask_read },
		{ "storage.objects.get", ask_copy },
		{ "storage.objects.create", ask_write },
		{ "storage.objects.create", ask_copy },
		{ "storage.objects.delete", ask_remove },
		{ "storage.objects.delete", ask_overwrite },
		{ "storage.objects.update", ask_touch },
	};
	CLEANUP(free_char) char *key = gcs_server_service_account(w.server);
	const struct store_options options = { .endpoint = gcs_server_url(w.server),
					       .key_file = w.key_file };
	struct store *s;

	write_file(key);
	cr_assert_eq(store_open_with("gs://bucket", STORE_OPEN, &options, &s), 0);
	cr_assert_eq(put_text(s, KEY, "x", STORE_ABSENT, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(free_char) char *line = xasprintf("reset\ndeny %s", rows[i].permission);

		script(line);
		cr_assert_eq(rows[i].ask(s), -EACCES, "%zu %s", i, line);
		expect_said("iam.gserviceaccount.com may not"); /* as we say it, not the server */
		expect_said(strrchr(rows[i].permission, '.'));
		expect_said("gs://bucket");
		cr_assert_leq(gcs_server_count_all(w.server), 2, "it is not tried again");
	}
	store_close(s);
}

/* A server that answers each connection with a text, and ends. */
struct rude {
	int fd;
	pthread_t thread;
	const char *text;
	char url[64];
};

static void *answer_rudely(void *arg)
{
	struct rude *rude = arg;
	char buf[4096];

	for (;;) {
		CLEANUP(close_fd) int fd = accept(rude->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		if (*rude->text && recv(fd, buf, sizeof(buf), 0) > 0)
			(void)!send(fd, rude->text, strlen(rude->text), MSG_NOSIGNAL);
	}
}

static void rude_start(struct rude *rude, const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rude->text = text;
	rude->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(rude->fd >= 0 && !bind(rude->fd, (struct sockaddr *)&a, sizeof(a)) &&
		  !listen(rude->fd, 8) && !getsockname(rude->fd, (struct sockaddr *)&a, &n));
	sprintf(rude->url, "http://127.0.0.1:%u", ntohs(a.sin_port));
	cr_assert_eq(pthread_create(&rude->thread, NULL, answer_rudely, rude), 0);
}

static void rude_stop(struct rude *rude)
{
	shutdown(rude->fd, SHUT_RDWR);
	pthread_join(rude->thread, NULL);
	close(rude->fd);
}

/* As from a proxy that sends its clients to another place: nothing was done, whatever was asked. */
Test(bad_answer, who_is_sent_elsewhere_has_done_nothing)
{
	static const char *const texts[] = {
		"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://example.com/\r\n"
		"Content-Length: 0\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n"
		"Connection: close\r\n\r\n",
	};
	static int (*const calls[])(struct store *s) = { ask_list,  stat_key, ask_write,
							 ask_touch, ask_copy, ask_remove };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct rude rude;
		struct store *s;

		rude_start(&rude, texts[i]);
		s = open_at(rude.url, NULL);
		for (size_t call = 0; call < ARRAY_SIZE(calls); call++)
			cr_expect_eq(calls[call](s), -EIO, "call %zu: %s", call, texts[i]);
		store_close(s);
		rude_stop(&rude);
	}
}

Test(bad_answer, a_wrong_endpoint_is_a_clear_error)
{
	static const struct {
		const char *text;
		int list, write;
	} rows[] = {
		{ "", -EAGAIN, -EAGAIN }, /* it may be on its way up */
		{ "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", -EIO, -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", -EIO,
		  -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]", -EIO,
		  -EIO },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", -EIO,
		  -EIO },
		{ "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", -EIO, -EIO },
		{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n"
		  "Connection: close\r\n\r\n",
		  -EIO, -EIO },
		{ "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
		  -EIO, -EIO },
		{ "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\nConnection: "
		  "close\r\n\r\n",
		  -EIO, -EIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rude rude;
		struct store *s;
		unsigned n;
		int r;

		rude_start(&rude, rows[i].text);
		s = open_at(rude.url, NULL);
		r = list_all(s, &n);
		cr_expect_eq(r, rows[i].list, "%s: %d", rows[i].text, r);
		cr_expect_eq(n, 0);
		r = put_text(s, KEY, "x", STORE_ANY, NULL);
		cr_expect_eq(r, rows[i].write, "%s: %d", rows[i].text, r);
		store_close(s);
		rude_stop(&rude);
	}
}

#define JSON_200 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

/* A token of anybody's would be sent to the bucket; one with a line end in it would be a header. */
Test(bad_answer, a_token_is_of_a_metadata_server_and_is_one_word)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ JSON_200 "\r\n{\"access_token\":\"t\",\"expires_in\":3600}",
		  "no metadata server" },
		{ JSON_200 "Metadata-Flavor: Other\r\n\r\n"
			   "{\"access_token\":\"t\",\"expires_in\":3600}",
		  "no metadata server" },
		{ JSON_200 "Metadata-Flavor: Google\r\n\r\n"
			   "{\"access_token\":\"t\\r\\nX-Header: 1\",\"expires_in\":3600}",
		  "without a token" },
		{ JSON_200 "Metadata-Flavor: Google\r\n\r\n{\"access_token\":\"\"}",
		  "without a token" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rude rude;
		struct store *s;

		rude_start(&rude, rows[i].text);
		setenv("GCE_METADATA_HOST", rude.url + strlen("http://"), 1);
		s = open_at("https://127.0.0.1:1", NULL);
		cr_expect_eq(stat_key(s), -EIO);
		expect_said(rows[i].said);
		store_close(s);
		rude_stop(&rude);
	}
}

#define ONE_NAME                                                                                   \
	"{\"kind\":\"storage#objects\",\"items\":[{\"name\":\"other/x\","                              \
	"\"generation\":\"1\",\"metageneration\":\"1\",\"size\":\"1\","                                \
	"\"timeCreated\":\"2026-01-02T03:04:05.678Z\","                                             \
	"\"updated\":\"2026-01-02T03:04:05.678Z\"}]}"

Test(bad_answer, names_of_another_prefix_are_not_shown)
{
	static const struct {
		const char *prefix;
		unsigned shown;
	} rows[] = { { "other/", 1 }, { "", 1 }, { "latest/", 0 }, { "zzz/", 0 } };
	struct rude rude;
	struct store *s;

	rude_start(&rude, JSON_200 "\r\n" ONE_NAME);
	s = open_at(rude.url, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned n = 0;

		cr_expect_eq(store_list(s, rows[i].prefix, true, NULL, count_key, &n), 0);
		cr_expect_eq(n, rows[i].shown, "%s: %u", rows[i].prefix, n);
	}
	store_close(s);
	rude_stop(&rude);
}

Test(bad_answer, what_was_not_asked_for_is_cut_and_what_lacks_is_not_believed)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n0123456789",
		  0 }, /* the range was ignored */
		{ "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-8/10\r\n"
		  "Content-Length: 8\r\nConnection: close\r\n\r\n12345678",
		  0 },
		{ "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/10\r\n"
		  "Content-Length: 3\r\nConnection: close\r\n\r\n234",
		  -EBADMSG },
		{ "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\n"
		  "Content-Length: 3\r\nConnection: close\r\n\r\n234",
		  -EBADMSG },
		{ "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nConnection: "
		  "close\r\n\r\n2345",
		  -EBADMSG },
		{ "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/10\r\n"
		  "x-goog-stored-content-encoding: identity\r\nContent-Encoding: gzip\r\n"
		  "Content-Length: 4\r\nConnection: close\r\n\r\n\x1f\x8b\x08\x01",
		  -EBADMSG }, /* it was compressed on the way */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf out = STRBUF_INIT(OUT_MAX);
		struct rude rude;
		struct store *s;

		rude_start(&rude, rows[i].text);
		s = open_at(rude.url, NULL);
		cr_expect_eq(store_read(s, KEY, STORE_ANY, 2, 4, &out), rows[i].result, "%s",
			     rows[i].text);
		cr_expect_str_eq(out.buf, rows[i].result ? "" : "2345", "%s", rows[i].text);
		store_close(s);
		rude_stop(&rude);
	}
}

Test(bad_answer, a_certificate_that_is_not_to_be_trusted_ends_it_at_once)
{
	static const struct {
		const char *host;
		bool trusted;
		int result;
	} rows[] = {
		{ "127.0.0.1", true, -ENOENT },
		{ "127.0.0.1", false, -EIO },
		{ "example.com", true, -EIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct gcs_server *server = gcs_server_start_tls(rows[i].host);
		const struct store_options options = { .endpoint = gcs_server_url(server),
						       .ca_file =
							       rows[i].trusted ? w.key_file : NULL,
						       .key_file = NULL };
		struct store *s;
		char *host;

		cr_assert_eq(gcs_server_script(server, "bucket bucket"), 0);
		write_file(gcs_server_certificate(server));
		/* tokens come from a metadata server, which this test has in the clear */
		host = xstrdup(gcs_server_url(w.server) + strlen("http://"));
		setenv("GCE_METADATA_HOST", host, 1);
		free(host);
		cr_assert_eq(store_open_with("gs://bucket", STORE_OPEN, &options, &s), 0);
		cr_expect_eq(stat_key(s), rows[i].result, "%s %d", rows[i].host, rows[i].trusted);
		if (rows[i].result == -EIO)
			expect_said("--ca-file");
		cr_expect_eq(gcs_server_count_all(server), rows[i].result == -ENOENT);
		store_close(s);
		gcs_server_stop(server);
	}
}

Test(bad_answer, a_ca_file_that_is_none_is_said)
{
	static const char *const texts[] = { NULL, "", "no certificate" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct store *s;

		if (texts[i])
			write_file(texts[i]);
		setenv("GCE_METADATA_HOST", gcs_server_url(w.server) + strlen("http://"), 1);
		s = open_at("https://127.0.0.1:1", w.key_file);
		cr_expect_lt(stat_key(s), 0);
		store_close(s);
	}
}

Test(bad_answer, a_bucket_is_made_once_with_what_was_asked_for)
{
	const struct bucket_settings settings = { .project = "p",
						  .location = "EUROPE-WEST1",
						  .storage_class = "NEARLINE" };
	const struct store_options options = { .endpoint = gcs_server_url(w.server) };
	struct store *s;

	cr_assert_eq(store_open_with("gs://new-bucket", STORE_OPEN, &options, &s), 0);
	script("reset");
	cr_assert_eq(bucket_provision(s, &settings), 1);
	cr_assert_eq(gcs_server_count_all(w.server), 2);
	for (int i = 0; i < 2; i++) {
		script("reset");
		cr_assert_eq(bucket_provision(s, &settings), 0);
		cr_assert_eq(gcs_server_count(w.server, GCS_BUCKET_GET), 1);
		cr_assert_eq(gcs_server_count_all(w.server), 1, "nothing is changed");
	}
	/* somebody makes it between the look and the making */
	script("fault bucket.get status=404");
	cr_assert_eq(bucket_provision(s, &settings), 0);
	script("fault bucket.get times=2 status=404");
	cr_assert_eq(bucket_provision(s, &settings), -EIO);
	expect_said("the name is taken");
	script("deny storage.buckets.get");
	cr_assert_eq(bucket_provision(s, &settings), -EACCES);
	expect_said("storage.buckets.get");
	store_close(s);
}

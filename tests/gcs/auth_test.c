/* SPDX-License-Identifier: BSD-3-Clause */
/* auth_test.c - who we are, which tokens are asked for and when, and what no log shows. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../fs/store/gcs_auth.h"
#include "../../fs/store/http.h"
#include "../../fs/store/trouble.h"
#include "body.h"
#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "object.h"
#include "server.h"
#include "store.h"
#include "strbuf.h"

#define KEY	"latest/api/packages/http"
#define READERS 8

/* A server that wants tokens, and a folder for key files and the log. */
static struct {
	struct gcs_server *server;
	char folder[64];
	char *key_file, *log_file;
	struct store *s; /* NULL: not opened */
} w;

static void script(const char *lines)
{
	cr_assert_eq(gcs_server_script(w.server, lines), 0, "%s", lines);
}

static void write_key(const char *text, mode_t mode)
{
	FILE *f = fopen(w.key_file, "w");

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(w.key_file, mode), 0);
}

static void open_world(void)
{
	strcpy(w.folder, "/tmp/pubfs-auth-XXXXXX");
	cr_assert_not_null(mkdtemp(w.folder));
	w.key_file = xasprintf("%s/key.json", w.folder);
	w.log_file = xasprintf("%s/log", w.folder);
	unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
	unsetenv("GCE_METADATA_HOST");
	unsetenv("STORAGE_EMULATOR_HOST");
	w.server = gcs_server_start();
	script("bucket bucket");
	script("tokens required");
	cr_assert_eq(log_to_file(w.log_file), 0);
	log_set_level(LEVEL_DEBUG);
}

static void close_world(void)
{
	store_close(w.s);
	gcs_server_stop(w.server);
	unlink(w.key_file);
	unlink(w.log_file);
	rmdir(w.folder);
	free(w.key_file);
	free(w.log_file);
}

TestSuite(auth, .init = open_world, .fini = close_world);

static int open_store(const char *endpoint, const char *key_file)
{
	const struct store_options options = { .endpoint = endpoint, .key_file = key_file };

	return store_open_with("gs://bucket", STORE_OPEN, &options, &w.s);
}

/* With the key that the server accepts. */
static void open_with_key(char *(*key)(struct gcs_server *))
{
	CLEANUP(free_char) char *text = key(w.server);

	write_key(text, 0600);
	cr_assert_eq(open_store(gcs_server_url(w.server), w.key_file), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 0, "opening sends nothing");
}

/* As on a machine of Google's: nothing names a key. */
static struct auth *open_machine(int64_t (*clock)(void), struct http **ret_http)
{
	const struct http_options plain = { .cancel = NULL };
	struct auth_options options = { .endpoint = "https://storage.googleapis.com",
					.clock = clock };
	struct auth *auth;

	setenv("GCE_METADATA_HOST", gcs_server_url(w.server) + strlen("http://"), 1);
	cr_assert_eq(http_new(&plain, ret_http), 0);
	options.http = *ret_http;
	cr_assert_eq(auth_open(&options, &auth), 0);
	return auth;
}

/* -ENOENT is what a good token gets for an object that is not there. */
static int ask(void)
{
	CLEANUP(object_release) struct object obj = { .generation = 0 };

	return store_stat(w.s, KEY, &obj);
}

Test(auth, a_service_account_signs_for_a_token_that_is_kept)
{
	open_with_key(gcs_server_service_account);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 1);
}

Test(auth, a_user_refreshes_for_a_token_that_is_kept)
{
	open_with_key(gcs_server_authorized_user);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 1);
}

Test(auth, an_emulator_is_sent_no_token)
{
	CLEANUP(free_char) char *text = gcs_server_service_account(w.server);

	script("tokens optional");
	write_key(text, 0600);
	setenv("GOOGLE_APPLICATION_CREDENTIALS", w.key_file, 1);
	cr_assert_eq(open_store(gcs_server_url(w.server), NULL), 0);
	cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 0);
}

Test(auth, credentials_are_those_of_the_option_the_environment_or_the_machine)
{
	static const struct {
		const char *endpoint;
		bool option, environment;
		const char *who;
	} rows[] = {
		{ "https://example.com", true, true, "pubfs@test-project" },
		{ "https://example.com", false, true, "the user of" },
		{ "https://example.com", false, false, "account of this machine" },
		{ "http://127.0.0.1:1", true, true, "pubfs@test-project" },
		{ "http://127.0.0.1:1", false, true, "anonymous" },
	};
	const struct http_options plain = { .cancel = NULL };
	CLEANUP(free_char) char *account = gcs_server_service_account(w.server);
	CLEANUP(free_char) char *user = gcs_server_authorized_user(w.server);
	struct http *http;

	setenv("GCE_METADATA_HOST", "127.0.0.1:1", 1);
	cr_assert_eq(http_new(&plain, &http), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct auth_options options = { .http = http, .endpoint = rows[i].endpoint };
		CLEANUP(strbuf_release) struct strbuf who = STRBUF_INIT(4096);
		struct auth *auth;

		write_key(rows[i].option ? account : user, 0600);
		options.key_file = rows[i].option ? w.key_file : NULL;
		setenv("GOOGLE_APPLICATION_CREDENTIALS",
		       !rows[i].environment ? "" : rows[i].option ? w.folder : w.key_file, 1);
		cr_assert_eq(auth_open(&options, &auth), 0);
		auth_principal(auth, &who);
		cr_expect_not_null(strstr(who.buf, rows[i].who), "%zu: %s", i, who.buf);
		auth_close(auth);
	}
	http_free(http);
}

Test(auth, without_credentials_a_401_says_who_asked)
{
	cr_assert_eq(open_store(gcs_server_url(w.server), NULL), 0);
	cr_assert_eq(ask(), -EACCES);
	cr_assert_not_null(strstr(log_last_failure(), "anonymous"), "%s", log_last_failure());
}

Test(auth, a_refused_token_is_renewed_and_the_call_made_once_more)
{
	open_with_key(gcs_server_service_account);
	cr_assert_eq(ask(), -ENOENT);
	script("tokens revoked");
	cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 2);
	cr_assert_eq(gcs_server_count(w.server, GCS_GET), 3);
}

Test(auth, a_second_401_is_the_answer)
{
	open_with_key(gcs_server_service_account);
	script("fault get times=2 status=401");
	cr_assert_eq(ask(), -EIO);
	cr_assert_eq(gcs_server_count(w.server, GCS_GET), 2);
	cr_assert_not_null(strstr(log_last_failure(), "credentials"), "%s", log_last_failure());
	cr_assert_eq(ask(), -ENOENT, "and the next call begins anew");
}

Test(auth, a_token_that_ends_soon_is_not_kept)
{
	open_with_key(gcs_server_service_account);
	script("token-life 5"); /* below the time that a request may take */
	cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(ask(), -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 2);
}

Test(auth, a_changed_key_file_counts_from_the_next_token_on)
{
	CLEANUP(free_char) char *user = gcs_server_authorized_user(w.server);

	open_with_key(gcs_server_service_account);
	cr_assert_eq(ask(), -ENOENT);
	write_key("{}", 0600);
	cr_assert_eq(ask(), -ENOENT, "the token is good still");
	script("tokens revoked");
	cr_assert_eq(ask(), -EIO);
	write_key(user, 0600);
	cr_assert_eq(ask(), -ENOENT);
}

Test(auth, a_revoked_key_says_whose_it_is)
{
	open_with_key(gcs_server_service_account);
	script("key revoked");
	cr_assert_eq(ask(), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "gives no token to"), "%s",
			   log_last_failure());
	cr_assert_not_null(strchr(log_last_failure(), '@'), "%s", log_last_failure());
}

Test(auth, a_token_endpoint_in_trouble_is_passing_trouble)
{
	open_with_key(gcs_server_service_account);
	script("fault token status=503");
	cr_assert_eq(ask(), -EAGAIN);
	script("fault token times=2 drop"); /* libcurl repeats one on a kept connection */
	cr_assert_eq(ask(), -EAGAIN);
	cr_assert_eq(ask(), -ENOENT);
}

static void *ask_in_thread(void *arg)
{
	*(int *)arg = ask();
	return NULL;
}

Test(auth, many_threads_are_served_by_one_request)
{
	pthread_t threads[READERS];
	int results[READERS];

	open_with_key(gcs_server_service_account);
	script("fault token delay=200");
	for (int i = 0; i < READERS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, ask_in_thread, &results[i]), 0);
	for (int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_eq(results[i], -ENOENT);
	}
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 1);
}

/* Threads that ask at once: each says when it waits, and may be told to wait no more. */
struct waiter {
	pthread_t thread;
	atomic_bool waits, left;
	int result;
	char said[512];
};

static bool look(void *ctx)
{
	struct waiter *waiter = ctx;

	atomic_store(&waiter->waits, true);
	return atomic_load(&waiter->left);
}

static void *ask_and_wait(void *arg)
{
	struct waiter *waiter = arg;

	interrupt_set(look, waiter);
	waiter->result = ask();
	snprintf(waiter->said, sizeof(waiter->said), "%s",
		 waiter->result == -EAGAIN ? trouble_last()->text : log_last_failure());
	return NULL;
}

/* The first one's request has come, and the others wait for it, when this returns. */
static void start_waiting(struct waiter *waiters, unsigned n)
{
	unsigned long asked = gcs_server_count(w.server, GCS_TOKEN);

	for (unsigned i = 0; i < n; i++) {
		cr_assert_eq(pthread_create(&waiters[i].thread, NULL, ask_and_wait, &waiters[i]),
			     0);
		while (!atomic_load(&waiters[i].waits) ||
		       gcs_server_count(w.server, GCS_TOKEN) == asked)
			sched_yield();
	}
}

static void end_waiting(struct waiter *waiters, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pthread_join(waiters[i].thread, NULL);
}

Test(auth, who_waited_for_a_token_that_failed_has_failed_with_it)
{
	static const struct {
		const char *line, *said;
		int result;
	} rows[] = { { "fault token delay=60000 status=503", "answers 503", -EAGAIN },
		     { "fault token delay=60000 status=400", "gives no token to", -EIO } };

	open_with_key(gcs_server_service_account);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct waiter waiters[READERS] = { { .result = 0 } };

		script("reset\ntokens revoked");
		script(rows[i].line);
		start_waiting(waiters, READERS);
		script("end-delays");
		end_waiting(waiters, READERS);
		for (int j = 0; j < READERS; j++) {
			cr_expect_eq(waiters[j].result, rows[i].result, "%d", waiters[j].result);
			cr_expect_not_null(strstr(waiters[j].said, rows[i].said), "%s",
					   waiters[j].said);
		}
		cr_expect_eq(gcs_server_count(w.server, GCS_TOKEN), 1);
	}
}

Test(auth, a_thread_that_waits_for_the_token_of_another_may_be_left)
{
	struct waiter waiters[2] = { { .result = 0 } };

	open_with_key(gcs_server_service_account);
	script("fault token delay=60000");
	start_waiting(waiters, 2);
	atomic_store(&waiters[1].left, true);
	end_waiting(waiters + 1, 1);
	cr_assert_eq(waiters[1].result, -ECANCELED);
	script("end-delays");
	end_waiting(waiters, 1);
	cr_assert_eq(waiters[0].result, -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 1);
}

Test(auth, where_the_thread_that_asks_is_left_another_one_asks)
{
	struct waiter waiters[2] = { { .result = 0 } };

	open_with_key(gcs_server_service_account);
	script("fault token delay=60000");
	start_waiting(waiters, 2);
	atomic_store(&waiters[0].left, true);
	end_waiting(waiters, 2);
	cr_assert_eq(waiters[0].result, -ECANCELED);
	cr_assert_eq(waiters[1].result, -ENOENT);
	cr_assert_eq(gcs_server_count(w.server, GCS_TOKEN), 2);
	script("end-delays");
}

static int64_t offset_of_clock; /* of the world's monotonic clock */

static int64_t later(void)
{
	return clock_monotonic() + offset_of_clock;
}

struct asker {
	struct auth *auth;
	struct strbuf token;
	int result;
};

static void *ask_for_token(void *arg)
{
	struct asker *a = arg;

	a->result = auth_token(a->auth, &a->token);
	return NULL;
}

static int token_of(struct auth *auth, struct strbuf *out)
{
	strbuf_reset(out);
	return auth_token(auth, out);
}

Test(auth, one_thread_renews_before_the_end_and_the_others_go_on_with_the_old)
{
	CLEANUP(strbuf_release) struct strbuf first = STRBUF_INIT(4096), now = STRBUF_INIT(4096);
	struct asker asker = { .token = STRBUF_INIT(4096) };
	struct http *http;
	pthread_t thread;

	asker.auth = open_machine(later, &http);
	cr_assert_eq(token_of(asker.auth, &first), 0); /* for an hour */
	offset_of_clock = 54 * MINUTE_US;
	cr_assert_eq(token_of(asker.auth, &now), 0);
	cr_assert_str_eq(now.buf, first.buf);
	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 1, "six minutes are enough");

	offset_of_clock = 56 * MINUTE_US;
	script("fault metadata delay=20000");
	cr_assert_eq(pthread_create(&thread, NULL, ask_for_token, &asker), 0);
	while (gcs_server_count(w.server, GCS_METADATA) < 2)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(token_of(asker.auth, &now), 0);
		cr_assert_str_eq(now.buf, first.buf, "nobody waits");
	}
	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 2, "and nobody else asks");
	script("end-delays");
	pthread_join(thread, NULL);
	cr_assert_eq(asker.result, 0);
	cr_assert_eq(token_of(asker.auth, &now), 0);
	cr_assert_str_neq(now.buf, first.buf);
	cr_assert_str_eq(now.buf, asker.token.buf);
	strbuf_release(&asker.token);
	auth_close(asker.auth);
	http_free(http);
}

Test(auth, a_renewal_that_fails_leaves_the_old_token_in_use_to_its_end)
{
	CLEANUP(strbuf_release) struct strbuf first = STRBUF_INIT(4096), now = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth = open_machine(later, &http);

	cr_assert_eq(token_of(auth, &first), 0);
	offset_of_clock = 56 * MINUTE_US;
	script("fault metadata every=1 status=503");
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(token_of(auth, &now), 0);
		cr_assert_str_eq(now.buf, first.buf);
	}
	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 2, "there is a pause");
	offset_of_clock += 11 * SECOND_US;
	cr_assert_eq(token_of(auth, &now), 0);
	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 3);
	offset_of_clock = 60 * MINUTE_US - 5 * SECOND_US;
	cr_assert_eq(token_of(auth, &now), -EAGAIN, "a request could outlast it");
	script("reset");
	cr_assert_eq(token_of(auth, &now), 0);
	cr_assert_str_neq(now.buf, first.buf);
	auth_close(auth);
	http_free(http);
}

Test(auth, a_403_of_the_metadata_servers_account_names_it)
{
	CLEANUP(strbuf_release) struct strbuf who = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth = open_machine(NULL, &http);

	script("fault metadata status=503");
	auth_principal(auth, &who);
	cr_assert_str_eq(who.buf, "the service account of this machine", "it is not up");
	for (int i = 0; i < 2; i++) {
		strbuf_reset(&who);
		auth_principal(auth, &who);
		cr_assert_not_null(strstr(who.buf, "iam.gserviceaccount.com"), "%s", who.buf);
	}
	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 2, "asked for once");
	auth_close(auth);
	http_free(http);
}

Test(auth, a_clock_that_is_an_hour_wrong_is_said)
{
	static const struct {
		const char *line, *said;
	} rows[] = { { "clock 4200", "slow" }, { "clock -3600", "fast" } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		script("reset");
		script(rows[i].line);
		open_with_key(gcs_server_service_account);
		cr_assert_eq(ask(), -EIO);
		cr_assert_not_null(strstr(log_last_failure(), "the clock of this host"), "%s",
				   log_last_failure());
		cr_assert_not_null(strstr(log_last_failure(), rows[i].said), "%s",
				   log_last_failure());
		store_close(w.s);
		w.s = NULL;
	}
	script("reset\nclock 200");
	open_with_key(gcs_server_service_account);
	cr_assert_eq(ask(), -ENOENT, "a few minutes are borne");
}

static ssize_t read_zeros(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	uint64_t left = body->size - offset;

	n = n < left ? n : (size_t)left;
	memset(buf, 0, n);
	return (ssize_t)n;
}

/* Through a session, whose URL is as good as a token. */
static int upload(void)
{
	struct body body = { .size = 8 << 20, .fd = -1, .read = read_zeros };
	struct edit e = { .op = EDIT_WRITE, .body = &body, .if_generation = STORE_ANY };
	int r;

	object_init(&e.object);
	e.object.key = xstrdup(KEY);
	r = store_edit(w.s, &e, 1);
	edit_release(&e, 1);
	return r;
}

/* Of either kind of key, in success and in every sort of failure, at the level that says most. */
static void make_much_ado(char *(*key)(struct gcs_server *))
{
	open_with_key(key);
	cr_assert_eq(upload(), 0);
	cr_assert_eq(ask(), 0);
	script("fault resumable.chunk status=503\nfault resumable.chunk status=403");
	cr_assert_eq(upload(), -EAGAIN);
	cr_assert_eq(upload(), -EACCES);
	script("fault resumable.chunk drop times=2");
	cr_assert_eq(upload(), -EAGAIN);
	script("fault get status=401 times=2");
	cr_assert_eq(ask(), -EIO);
	script("fault get status=400\nfault token status=503\ntokens revoked");
	cr_assert_eq(ask(), -EAGAIN);
	script("key revoked\ntokens revoked");
	cr_assert_eq(ask(), -EIO);
	script("reset\nkey valid");
	store_close(w.s);
	w.s = NULL;
}

Test(auth, no_log_shows_a_token_or_a_secret)
{
	/* what the server gives out, what the key files hold, and how either is sent */
	static const char *const secrets[] = { "ya29.",	     "Bearer",	      "upload_id",
					       "assertion=", "PRIVATE",	      "client-secret",
					       "1//refresh", "refresh_token=" };
	CLEANUP(free_char) char *text = NULL;
	size_t size = 0;
	FILE *f;

	make_much_ado(gcs_server_service_account);
	make_much_ado(gcs_server_authorized_user);
	f = fopen(w.log_file, "r");
	cr_assert_not_null(f);
	cr_assert_gt(getdelim(&text, &size, '\0', f), 0);
	fclose(f);
	cr_assert_not_null(strstr(text, KEY), "the log has all levels");
	cr_assert_not_null(strstr(text, "PUT"), "and each request");
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++)
		cr_assert_null(strstr(text, secrets[i]), "%s", secrets[i]);
}

Test(auth, a_key_file_that_others_may_read_or_change_is_refused)
{
	static const struct {
		mode_t mode;
		int result;
	} rows[] = { { 0600, 0 },	{ 0400, 0 },	   { 0640, 0 },
		     { 0604, -EACCES }, { 0602, -EACCES }, { 0620, -EACCES } };
	CLEANUP(free_char) char *text = gcs_server_service_account(w.server);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		write_key(text, rows[i].mode);
		cr_assert_eq(open_store(gcs_server_url(w.server), w.key_file), rows[i].result, "%o",
			     rows[i].mode);
		store_close(w.s);
		w.s = NULL;
	}
}

Test(auth, a_file_that_is_no_key_is_refused)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"type\":7}",
		"{\"type\":\"external_account\"}",
		"{\"type\":\"service_account\",\"type\":\"authorized_user\",\"client_id\":\"a\","
		"\"client_secret\":\"b\",\"refresh_token\":\"c\"}",
		"{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":\"b\"}",
		"{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":\"b\","
		"\"refresh_token\":\"\"}",
		"{\"type\":\"authorized_user\",\"client_id\":\"a\",\"client_secret\":\"b\","
		"\"refresh_token\":\"c\",\"token_uri\":\"http://example.com/token\"}",
		"{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key_id\":\"1\","
		"\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE "
		"KEY-----\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		write_key(texts[i], 0600);
		cr_assert_eq(open_store(gcs_server_url(w.server), w.key_file), -EACCES, "%s",
			     texts[i]);
		cr_assert_not_null(strstr(log_last_failure(), w.key_file), "%s",
				   log_last_failure());
	}
	unlink(w.key_file);
	cr_assert_eq(open_store(gcs_server_url(w.server), w.key_file), -EACCES);
	cr_assert_eq(open_store(gcs_server_url(w.server), w.folder), -EACCES);
}

Test(auth, no_token_goes_to_another_host_in_the_clear)
{
	static const char *const open[] = { "http://example.com", "http://127.0.0.1.example.com",
					    "http://localhost.example.com" };
	CLEANUP(free_char) char *text = gcs_server_service_account(w.server);

	write_key(text, 0600);
	for (size_t i = 0; i < ARRAY_SIZE(open); i++)
		cr_assert_eq(open_store(open[i], w.key_file), -EACCES, "%s", open[i]);
	cr_assert_eq(open_store("https://example.com", w.key_file), 0);
}

Test(auth, an_endpoint_that_is_no_plain_url_is_refused)
{
	static const char *const urls[] = { "ftp://x",	   "127.0.0.1:80", "http://u@x",
					    "http://x/?q", "http://x y",   "" };

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
		cr_assert_eq(open_store(urls[i], NULL), -EINVAL, "%s", urls[i]);
}

/* The endpoint is never met: only tokens for it are asked for. */
Test(auth, the_metadata_server_is_asked_where_nothing_names_a_key)
{
	CLEANUP(strbuf_release) struct strbuf token = STRBUF_INIT(4096), same = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth = open_machine(NULL, &http);

	cr_assert_eq(gcs_server_count(w.server, GCS_METADATA), 0, "opening sends nothing");
	script("fault metadata status=503");
	cr_assert_eq(auth_token(auth, &token), -EAGAIN, "it is not up yet");
	script("fault metadata times=2 drop");
	cr_assert_eq(auth_token(auth, &token), -EAGAIN);
	cr_assert_eq(auth_token(auth, &token), 0);
	cr_assert_gt(token.len, 0);
	cr_assert_eq(auth_token(auth, &same), 0);
	cr_assert_str_eq(token.buf, same.buf);
	auth_refused(auth, "another one");
	strbuf_reset(&same);
	cr_assert_eq(auth_token(auth, &same), 0);
	cr_assert_str_eq(token.buf, same.buf, "only what is in use can be refused");
	auth_refused(auth, token.buf);
	strbuf_reset(&same);
	cr_assert_eq(auth_token(auth, &same), 0);
	cr_assert_str_neq(token.buf, same.buf);
	auth_close(auth);
	http_free(http);
}

Test(auth, what_is_no_metadata_server_gets_no_trust)
{
	CLEANUP(strbuf_release) struct strbuf token = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth = open_machine(NULL, &http);

	script("fault metadata garbage");
	cr_assert_lt(auth_token(auth, &token), 0);
	cr_assert_eq(token.len, 0);
	auth_close(auth);
	http_free(http);
}

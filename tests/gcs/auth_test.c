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

/* -ENOENT is what a good token gets for an object that is not there. */
static int ask(void)
{
	struct object obj;

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
	cr_assert_eq(ask(), -EACCES);
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
	cr_assert_eq(ask(), -EACCES);
	write_key(user, 0600);
	cr_assert_eq(ask(), -ENOENT);
}

Test(auth, a_revoked_key_says_whose_it_is)
{
	open_with_key(gcs_server_service_account);
	script("key revoked");
	cr_assert_eq(ask(), -EACCES);
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

Test(auth, no_log_shows_a_token_or_a_secret)
{
	static const char *const secrets[] = { "Bearer", "assertion=", "PRIVATE",
					       "refresh_token=" };
	CLEANUP(free_char) char *text = NULL;
	size_t size = 0;
	FILE *f;

	open_with_key(gcs_server_service_account);
	cr_assert_eq(ask(), -ENOENT);
	script("tokens revoked");
	script("key revoked");
	cr_assert_eq(ask(), -EACCES);
	f = fopen(w.log_file, "r");
	cr_assert_not_null(f);
	cr_assert_gt(getdelim(&text, &size, '\0', f), 0);
	fclose(f);
	cr_assert_not_null(strstr(text, KEY), "the log has all levels");
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
	const struct http_options plain = { .cancel = NULL };
	struct auth_options options = { .endpoint = "https://storage.googleapis.com" };
	CLEANUP(strbuf_release) struct strbuf token = STRBUF_INIT(4096), same = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth;

	setenv("GCE_METADATA_HOST", gcs_server_url(w.server) + strlen("http://"), 1);
	cr_assert_eq(http_new(&plain, &http), 0);
	options.http = http;
	cr_assert_eq(auth_open(&options, &auth), 0);
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
	const struct http_options plain = { .cancel = NULL };
	struct auth_options options = { .endpoint = "https://storage.googleapis.com" };
	CLEANUP(strbuf_release) struct strbuf token = STRBUF_INIT(4096);
	struct http *http;
	struct auth *auth;

	setenv("GCE_METADATA_HOST", gcs_server_url(w.server) + strlen("http://"), 1);
	cr_assert_eq(http_new(&plain, &http), 0);
	options.http = http;
	cr_assert_eq(auth_open(&options, &auth), 0);
	script("fault metadata garbage");
	cr_assert_lt(auth_token(auth, &token), 0);
	cr_assert_eq(token.len, 0);
	auth_close(auth);
	http_free(http);
}

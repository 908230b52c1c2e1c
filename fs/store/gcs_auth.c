/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gcs_auth.c - tokens for Google Cloud: asked for, kept while they are good, renewed in time.
 *
 *	none     ->(first use)  asked for, everybody waits
 *	fresh    ->(REFRESH_BEFORE its end)  ageing: one thread asks for a new one, others go on
 *	ageing   ->(SPARE before its end)  none
 *	any      ->(401)  none
 *
 * 1. At most one thread asks at a time (`asking`), and it does not hold the lock meanwhile. Whoever
 *    waited for it has its answer, a failure too: else each would wait for a dead endpoint in turn.
 * 2. A key file is read again before each asking: a changed one counts from then on.
 * 3. Ends are reckoned on the monotonic clock: a wrong wall clock cannot keep a token alive.
 * 4. While an ageing token is good, a failure to renew it is silent, and tried again after a pause.
 * 5. Neither tokens nor assertions are in any message.
 */
#include "gcs_auth.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "body.h"
#include "clock.h"
#include "gcs.h"
#include "gcs_key.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "trouble.h"

#define REFRESH_BEFORE (5 * MINUTE_US)	/* the metadata server gives a new one no earlier */
#define SPARE	       (10 * SECOND_US) /* a request may be that long under way */
#define PAUSE	       (10 * SECOND_US)
#define TEXT_MAX       ((size_t)64 << 10)
#define LIFE_MAX       (366 * DAY_US / SECOND_US) /* in seconds; a longer one is no answer */

struct auth {
	struct http *http;
	int64_t (*clock)(void);
	enum key_kind kind;
	char *key_file;		   /* NULL: the metadata server, or nobody */
	char *principal, *project; /* `lock`; project NULL: not known */
	bool principal_known;	   /* `lock`; by the metadata server */

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t asked;
	bool asking;
	unsigned answers;	/* that there have been */
	int failure;		/* the last one; 0: it was a token */
	struct trouble trouble; /* of a failure that is passing */
	char *why;		/* of another one */
	char *token;		/* NULL: none */
	int64_t ends, next_try; /* monotonic */
};

/* A token as both kinds of endpoints answer. 0 and what is set, or -EIO (said). */
static int parse_token(const char *from, const struct http_answer *answer, char **ret,
		       int64_t *ret_life)
{
	CLEANUP(gcs_json_release)
	json_t *json = json_loadb(answer->body.buf, answer->body.len, 0, NULL);
	const char *token = json_string_value(json_object_get(json, "access_token"));
	json_int_t life = json_integer_value(json_object_get(json, "expires_in"));

	if (!token || !*token || strpbrk(token, " \r\n"))
		return fail(-EIO, "%s answers without a token", from);
	*ret = xstrdup(token);
	*ret_life = life > 0 && life < LIFE_MAX ? life * SECOND_US : 0;
	return 0;
}

/* What the token endpoint said against us; a clock that is wrong is the likeliest reason of many.
 */
static int say_refused(const struct key *key, const struct http_answer *answer)
{
	CLEANUP(gcs_json_release)
	json_t *json = json_loadb(answer->body.buf, answer->body.len, 0, NULL);
	const char *error = json_string_value(json_object_get(json, "error"));
	const char *why = json_string_value(json_object_get(json, "error_description"));
	int64_t date = answer->header[HTTP_DATE] ? http_date(answer->header[HTTP_DATE]) : -1;
	int64_t off = date > 0 ? clock_now() / SECOND_US - date : 0;

	if (off > KEY_CLOCK_SLACK || off < -KEY_CLOCK_SLACK)
		return fail(-EIO,
			    "%s gives no token to %s: the clock of this host is %lld "
			    "seconds %s",
			    key->token_uri, key->principal, (long long)(off < 0 ? -off : off),
			    off < 0 ? "slow" : "fast");
	return fail(-EIO, "%s gives no token to %s: %ld %s%s%s", key->token_uri, key->principal,
		    answer->status, error ? error : "no reason", why ? ": " : "", why ? why : "");
}

static int ask_endpoint(struct http *http, const struct key *key, char **ret, int64_t *ret_life)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf form = STRBUF_INIT(TEXT_MAX);
	struct http_request request = {
		.method = "POST",
		.url = key->token_uri,
		.about = key->token_uri,
		.headers = { "Content-Type: application/x-www-form-urlencoded" },
	};
	struct body body;
	int r = key_grant(key, clock_now() / SECOND_US, &form);

	http_answer_init(&answer, TEXT_MAX);
	if (r < 0)
		return r;
	body = body_of_strbuf(&form);
	request.body = &body;
	r = http_send(http, &request, &answer);
	if (r < 0)
		return r;
	if (answer.status / 100 == 2)
		return parse_token(key->token_uri, &answer, ret, ret_life);
	if (gcs_status(answer.status) == -EAGAIN)
		return trouble(0, answer.status == 429, "%s answers %ld", key->token_uri,
			       answer.status);
	return say_refused(key, &answer);
}

#define METADATA_HOST "metadata.google.internal"
/* Where there is none, that is what an operator has to know. */
#define METADATA "the metadata server (as no --key-file or GOOGLE_APPLICATION_CREDENTIALS is given)"

/* One value of the metadata server, which says who it is by a header. */
static int ask_metadata(struct http *http, const char *path, struct http_answer *answer)
{
	const char *host = getenv("GCE_METADATA_HOST");
	CLEANUP(free_char)
	char *url = xasprintf("http://%s/computeMetadata/v1/%s",
			      host && *host ? host : METADATA_HOST, path);
	struct http_request request = {
		.method = "GET",
		.url = url,
		.about = METADATA,
		.headers = { "Metadata-Flavor: Google" },
		.direct = true,
	};
	const char *flavor;
	int r = http_send(http, &request, answer);

	if (r < 0)
		return r;
	if (gcs_status(answer->status) == -EAGAIN || answer->status == 404)
		return trouble(0, false, METADATA " answers %ld", answer->status);
	flavor = answer->header[HTTP_METADATA_FLAVOR];
	if (answer->status != 200 || !flavor || strcmp(flavor, "Google"))
		return fail(-EIO,
			    "there is no metadata server of Google here (status %ld), and no "
			    "--key-file or GOOGLE_APPLICATION_CREDENTIALS",
			    answer->status);
	return 0;
}

static int ask_metadata_token(struct http *http, char **ret, int64_t *ret_life)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	int r;

	http_answer_init(&answer, TEXT_MAX);
	r = ask_metadata(http, "instance/service-accounts/default/token", &answer);
	return r < 0 ? r : parse_token("the metadata server", &answer, ret, ret_life);
}

/* By the thread that is `asking`, without the lock. */
static int ask(struct auth *a, char **ret, int64_t *ret_life)
{
	CLEANUP(key_release) struct key key = { .kind = KEY_NOBODY };
	int r;

	if (a->kind == KEY_METADATA)
		return ask_metadata_token(a->http, ret, ret_life);
	r = key_load(a->key_file, &key);
	if (r == 0)
		r = ask_endpoint(a->http, &key, ret, ret_life);
	if (r < 0)
		return r == -EACCES ? -EIO : r; /* no right on what was asked for is missing */
	pthread_mutex_lock(&a->lock);
	free(a->principal);
	a->principal = xstrdup(key.principal);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

/* With the lock held: for those who wait. */
static void note_answer(struct auth *a, int r)
{
	a->answers++;
	a->failure = r;
	free(a->why);
	a->why = r < 0 ? xstrdup(log_last_failure()) : NULL;
	if (r == -EAGAIN)
		a->trouble = *trouble_last();
}

/* With the lock held, which it drops meanwhile. */
static int renew(struct auth *a)
{
	char *token = NULL;
	int64_t life = 0, asked = a->clock();
	int r;

	a->asking = true;
	pthread_mutex_unlock(&a->lock);
	r = ask(a, &token, &life);
	pthread_mutex_lock(&a->lock);
	a->asking = false;
	note_answer(a, r);
	if (r == 0) {
		free(a->token);
		a->token = token;
		a->ends = asked + life;
		a->next_try = a->ends - REFRESH_BEFORE;
	}
	if (a->next_try < a->clock() + PAUSE)
		a->next_try = a->clock() + PAUSE;
	pthread_cond_broadcast(&a->asked);
	return r;
}

/* What was just given is used even if it ends at once: the server will say so. */
static bool is_good(const struct auth *a)
{
	return a->token && a->clock() < a->ends - SPARE;
}

/* With the lock held: until there is the answer that another thread asks for. */
static int wait_for_answer(struct auth *a)
{
	unsigned before = a->answers;
	int r = 0;

	while (a->answers == before && r == 0)
		r = interrupt_wait(&a->asked, &a->lock);
	if (r < 0)
		return r;
	if (a->failure == -EAGAIN)
		return trouble_pass(&a->trouble);
	return a->failure == 0 || a->failure == -ECANCELED ? 0 : fail(a->failure, "%s", a->why);
}

static int token_locked(struct auth *a, struct strbuf *out)
{
	int r = 0;

	while (r == 0 && a->asking && !is_good(a)) /* who asked may have been interrupted */
		r = wait_for_answer(a);
	if (r < 0)
		return r;
	if (!is_good(a))
		r = renew(a);
	else if (!a->asking && a->clock() >= a->next_try)
		(void)!renew(a); /* the old one is good for now */
	if (r < 0)
		return r;
	strbuf_addstr(out, a->token ? a->token : "");
	return strbuf_error(out);
}

int auth_token(struct auth *a, struct strbuf *out)
{
	int r;

	if (a->kind == KEY_NOBODY)
		return 0;
	pthread_mutex_lock(&a->lock);
	r = token_locked(a, out);
	pthread_mutex_unlock(&a->lock);
	return r;
}

void auth_refused(struct auth *a, const char *token)
{
	pthread_mutex_lock(&a->lock);
	if (a->token && !strcmp(a->token, token)) {
		free(a->token);
		a->token = NULL;
	}
	pthread_mutex_unlock(&a->lock);
}

/* The account that the metadata server speaks for, which only a message needs to know. */
static void learn_principal(struct auth *a)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	bool known;

	pthread_mutex_lock(&a->lock);
	known = a->kind != KEY_METADATA || a->principal_known;
	pthread_mutex_unlock(&a->lock);
	http_answer_init(&answer, TEXT_MAX);
	if (known || ask_metadata(a->http, "instance/service-accounts/default/email", &answer) < 0)
		return;
	pthread_mutex_lock(&a->lock);
	free(a->principal);
	a->principal = xstrdup(answer.body.buf);
	a->principal_known = true;
	pthread_mutex_unlock(&a->lock);
}

bool auth_is_anonymous(const struct auth *a)
{
	return a->kind == KEY_NOBODY;
}

void auth_principal(struct auth *a, struct strbuf *out)
{
	learn_principal(a);
	pthread_mutex_lock(&a->lock);
	strbuf_addstr(out, a->principal);
	pthread_mutex_unlock(&a->lock);
}

char *auth_project(struct auth *a)
{
	CLEANUP(http_answer_release) struct http_answer answer;

	http_answer_init(&answer, TEXT_MAX);
	if (a->project || a->kind != KEY_METADATA)
		return xstrdup_or_null(a->project);
	if (ask_metadata(a->http, "project/project-id", &answer) < 0)
		return NULL;
	return xstrdup(answer.body.buf);
}

static int use_key_file(struct auth *a, const char *path)
{
	CLEANUP(key_release) struct key key = { .kind = KEY_NOBODY };
	int r = key_load(path, &key);

	if (r < 0)
		return r;
	a->kind = key.kind;
	a->key_file = xstrdup(path);
	a->principal = steal(key.principal);
	a->project = steal(key.project);
	return 0;
}

static int choose(struct auth *a, const struct auth_options *options)
{
	const char *named = getenv("GOOGLE_APPLICATION_CREDENTIALS");

	if (options->key_file && !http_is_private(options->endpoint))
		return fail(-EACCES,
			    "tokens must not be sent to %s, where others could read them: "
			    "use https",
			    options->endpoint);
	if (options->key_file)
		return use_key_file(a, options->key_file);
	if (strncmp(options->endpoint, "https://", 8) != 0) {
		a->kind = KEY_NOBODY;
		a->principal = xstrdup("anonymous");
		return 0;
	}
	if (named && *named)
		return use_key_file(a, named);
	a->kind = KEY_METADATA;
	a->principal = xstrdup("the service account of this machine");
	return 0;
}

int auth_open(const struct auth_options *options, struct auth **ret)
{
	struct auth *a = xcalloc(1, sizeof(*a));
	int r;

	a->http = options->http;
	a->clock = options->clock ? options->clock : clock_monotonic;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->asked, NULL);
	r = choose(a, options);
	if (r < 0)
		auth_close(a);
	else
		*ret = a;
	return r;
}

void auth_close(struct auth *a)
{
	if (!a)
		return;
	pthread_cond_destroy(&a->asked);
	pthread_mutex_destroy(&a->lock);
	if (a->token)
		explicit_bzero(a->token, strlen(a->token));
	free(a->token);
	free(a->why);
	free(a->principal);
	free(a->project);
	free(a->key_file);
	free(a);
}

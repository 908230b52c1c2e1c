/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gcs.c - the store `gs://BUCKET`: the JSON API of Google Cloud Storage.
 *
 * Opening sends nothing: a command that finds all it needs in the index costs no request. The API
 * is followed as it is published. Passing trouble goes up as -EAGAIN, for the retry link; only a
 * refused token and a body that does not match its hash are asked for once more here.
 *
 * Not here: objects as JSON (gcs_object.c), lists (gcs_list.c), uploads (gcs_write.c), copies
 * (gcs_copy.c), tokens (gcs_auth.c).
 */
#include "gcs.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "driver.h"
#include "gcs_auth.h"
#include "log.h"
#include "memory.h"
#include "trouble.h"

#define TOKEN_MAX    ((size_t)32 << 10)
#define ABOUT_MAX    ((size_t)4 << 10)
#define MESSAGE_MAX  500 /* of an error's text */
#define RETRY_MAX    HOUR_US
#define IDENTITY_LEN 32
#define LIST_PARTS   64 /* as many as there are connections for other work */

struct gcs_store *gcs_of(struct store *s)
{
	return (struct gcs_store *)s;
}

static const struct {
	const char *verb;
	const char *permission;
} calls[] = {
	[CALL_LIST] = { "list", "storage.objects.list" },
	[CALL_GET] = { "read", "storage.objects.get" },
	[CALL_WRITE] = { "write", "storage.objects.create (and .delete, to overwrite)" },
	[CALL_UPLOAD] = { "write", "storage.objects.create (and .delete, to overwrite)" },
	[CALL_COPY] = { "copy to", "storage.objects.create (and .get of the source)" },
	[CALL_TOUCH] = { "change the metadata of", "storage.objects.update" },
	[CALL_REMOVE] = { "remove", "storage.objects.delete" },
	[CALL_BUCKET_GET] = { "look at", "storage.buckets.get" },
	[CALL_BUCKET_CREATE] = { "create", "storage.buckets.create" },
};

const char *gcs_permission(enum gcs_call call)
{
	return calls[call].permission;
}

static const struct {
	long from, to;
	int result;
} statuses[] = {
	{ 200, 299, 0 },       { 304, 304, -ESTALE }, { 401, 401, -EACCES }, { 403, 403, -EACCES },
	{ 404, 404, -ENOENT }, { 408, 408, -EAGAIN }, { 409, 409, -EEXIST },
	{ 410, 410, -EAGAIN }, /* an upload or a copy has to begin again */
	{ 412, 412, -ESTALE }, { 413, 413, -E2BIG },  { 429, 429, -EAGAIN }, { 500, 500, -EAGAIN },
	{ 502, 504, -EAGAIN },
};

int gcs_status(long status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (status >= statuses[i].from && status <= statuses[i].to)
			return statuses[i].result;
	return -EIO;
}

void gcs_url(const struct gcs_store *g, const char *service, const char *key, struct strbuf *out)
{
	strbuf_addf(out, "%s%s/b/%s/o", g->endpoint, service, g->bucket);
	if (key) {
		strbuf_addch(out, '/');
		http_escape(key, out);
	}
}

static void begin_parameter(struct strbuf *url, const char *name)
{
	strbuf_addf(url, "%c%s=", strchr(url->buf, '?') ? '&' : '?', name);
}

void gcs_url_number(struct strbuf *url, const char *name, uint64_t number)
{
	if (number == STORE_ANY)
		return;
	begin_parameter(url, name);
	strbuf_addf(url, "%llu", (unsigned long long)number);
}

void gcs_url_text(struct strbuf *url, const char *name, const char *text)
{
	begin_parameter(url, name);
	http_escape(text, url);
}

void gcs_url_conditions(struct strbuf *url, const struct edit *e)
{
	gcs_url_number(url, "ifGenerationMatch", e->if_generation);
	if (e->if_metageneration)
		gcs_url_number(url, "ifMetagenerationMatch", e->if_metageneration);
}

/* What the server says of its error, in one line of a bounded length, and its short reason. */
struct complaint {
	char message[MESSAGE_MAX], reason[64];
};

static void parse_complaint(const struct http_answer *answer, struct complaint *ret)
{
	CLEANUP(gcs_json_release)
	json_t *json = json_loadb(answer->body.buf, answer->body.len, 0, NULL);
	const json_t *error = json_object_get(json, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *reason = json_string_value(
		json_object_get(json_array_get(json_object_get(error, "errors"), 0), "reason"));

	if (!message)
		message = json ? "no reason was given" : answer->body.buf;
	snprintf(ret->message, sizeof(ret->message), "%s", message);
	snprintf(ret->reason, sizeof(ret->reason), "%s", reason ? reason : "");
}

/* Retry-After: seconds, or a date. */
static int64_t asked_wait(const struct http_answer *answer)
{
	const char *text = answer->header[HTTP_RETRY_AFTER];
	int64_t wait = 0;

	if (text && isdigit((unsigned char)*text) && strlen(text) < 8)
		wait = atoll(text) * SECOND_US;
	else if (text && http_date(text) > 0)
		wait = http_date(text) * SECOND_US - clock_now();
	return wait < 0 ? 0 : wait > RETRY_MAX ? RETRY_MAX : wait;
}

/* 403 also is what some limits are answered with. */
static bool is_limit(const struct complaint *c)
{
	static const char *const reasons[] = { "rateLimitExceeded", "userRateLimitExceeded",
					       "quotaExceeded" };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(c->reason, reasons[i]))
			return true;
	return false;
}

static int say_refused(struct gcs_store *g, enum gcs_call call, const char *about, long status,
		       const struct complaint *c)
{
	CLEANUP(strbuf_release) struct strbuf who = STRBUF_INIT(ABOUT_MAX);

	auth_principal(g->auth, &who);
	if (status == 401)
		return fail(auth_is_anonymous(g->auth) ? -EACCES : -EIO,
			    "cannot %s %s: the server does not accept the credentials of "
			    "%s: %s",
			    calls[call].verb, about, who.buf, c->message);
	return fail(-EACCES, "%s may not %s %s: it needs %s on the bucket %s (the server says: %s)",
		    who.buf, calls[call].verb, about, calls[call].permission, g->bucket,
		    c->message);
}

/* The published sentence: a missing object is answered with another one. */
static bool is_bucket_missing(enum gcs_call call, const struct complaint *c)
{
	return call == CALL_LIST || call == CALL_WRITE ||
	       strstr(c->message, "bucket does not exist");
}

static bool is_hash_refused(const struct complaint *c)
{
	return strstr(c->message, "MD5") || strstr(c->message, "CRC32C") ||
	       strstr(c->message, "md5Hash") || strstr(c->message, "crc32c");
}

/* An upload that goes on, and a range behind the end. To any other call they are no answer: 308 is
 * how a server sends its clients to another place. */
static bool is_success_of(enum gcs_call call, long status)
{
	return (call == CALL_UPLOAD && status == 308) || (call == CALL_GET && status == 416);
}

static int judge(struct gcs_store *g, enum gcs_call call, const char *about,
		 const struct http_answer *answer)
{
	int r = is_success_of(call, answer->status) ? 0 : gcs_status(answer->status);
	struct complaint c;

	/* its own first sending may be what it met: only the retry link looks into that */
	if (r == -ESTALE && answer->resent)
		return trouble(0, false, "cannot %s %s: the connection was lost", calls[call].verb,
			       about);
	if (r == 0 || r == -ESTALE)
		return r;
	parse_complaint(answer, &c);
	if (r == -EAGAIN || (answer->status == 403 && is_limit(&c)))
		return trouble(asked_wait(answer), answer->status == 429 || answer->status == 403,
			       "cannot %s %s: the server answers %ld: %s", calls[call].verb, about,
			       answer->status, c.message);
	if (r == -EACCES)
		return say_refused(g, call, about, answer->status, &c);
	if (r == -ENOENT && call != CALL_BUCKET_GET && is_bucket_missing(call, &c))
		return fail(-EIO,
			    "there is no bucket %s at %s; `pubfs provision --store gs://%s` makes "
			    "it",
			    g->bucket, g->endpoint, g->bucket);
	if (r == -ENOENT || (r == -EEXIST && call == CALL_BUCKET_CREATE))
		return r;
	if (r == -EEXIST)
		r = -EIO; /* only a bucket can be in the way of what is made */
	if (answer->status == 400 && (call == CALL_WRITE || call == CALL_UPLOAD) &&
	    is_hash_refused(&c))
		return fail(-EBADMSG, "cannot write %s: what arrived is not what was sent: %s",
			    about, c.message);
	return fail(r, "cannot %s %s: the server answers %ld: %s", calls[call].verb, about,
		    answer->status, c.message);
}

/* -EACCES and a status of 401: the token was refused, nothing has been said. */
static int send_once(struct gcs_store *g, struct http_request *request, struct http_answer *answer)
{
	CLEANUP(strbuf_release) struct strbuf token = STRBUF_INIT(TOKEN_MAX);
	int r = auth_token(g->auth, &token);

	if (r < 0)
		return r;
	request->bearer = token.len ? token.buf : NULL;
	r = http_send(g->http, request, answer);
	request->bearer = NULL;
	if (r == 0 && answer->status == 401 && token.len)
		auth_refused(g->auth, token.buf);
	explicit_bzero(token.buf, token.len);
	return r;
}

int gcs_send(struct gcs_store *g, enum gcs_call call, const char *key, struct http_request *request,
	     struct http_answer *answer)
{
	CLEANUP(strbuf_release) struct strbuf about = STRBUF_INIT(ABOUT_MAX);
	int r;

	strbuf_addf(&about, "gs://%s%s%s", g->bucket, key ? "/" : "", key ? key : "");
	request->about = about.buf;
	r = send_once(g, request, answer);
	if (r == 0 && answer->status == 401)
		r = send_once(g, request, answer);
	if (r == 0)
		r = judge(g, call, about.buf, answer);
	else if (r == -E2BIG && !request->out)
		r = fail(-EIO,
			 "%s does not answer as Google Cloud Storage does: it goes on after %zu "
			 "bytes",
			 g->endpoint, answer->body.max);
	request->about = NULL;
	return r;
}

int gcs_parse(const struct gcs_store *g, const struct http_answer *answer, json_t **ret)
{
	json_error_t error;
	json_t *json = json_loadb(answer->body.buf, answer->body.len, JSON_ALLOW_NUL, &error);

	if (!json)
		return fail(-EIO, "%s does not answer as Google Cloud Storage does: %s",
			    g->endpoint, error.text);
	*ret = json;
	return 0;
}

int gcs_answer_object(const struct gcs_store *g, const struct http_answer *answer,
		      struct object *ret)
{
	CLEANUP(gcs_json_release) json_t *json = NULL;
	int r = gcs_parse(g, answer, &json);

	if (r < 0)
		return r;
	if (gcs_object_parse(json, ret) < 0)
		return fail(-EIO,
			    "%s does not answer as Google Cloud Storage does: an object "
			    "lacks a member that every one has",
			    g->endpoint);
	return 0;
}

int gcs_stat(struct store *s, const char *key, struct object *ret)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	struct http_request request = { .method = "GET" };
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	gcs_url(gcs_of(s), GCS_SERVICE, key, &url);
	gcs_url_text(&url, "fields", GCS_FIELDS);
	request.url = url.buf;
	r = gcs_send(gcs_of(s), CALL_GET, key, &request, &answer);
	return r < 0 ? r : gcs_answer_object(gcs_of(s), &answer, ret);
}

/* The API answers a PATCH with the object as it is now. A work-around for fake-gcs-server
 * (v1.56.1), whose answer is something else: the object is asked for. */
static int touched_object(struct gcs_store *g, const char *key, const struct http_answer *answer,
			  struct object *ret)
{
	CLEANUP(gcs_json_release) json_t *json = NULL;
	int r = gcs_parse(g, answer, &json);

	if (r == 0 && gcs_object_parse(json, ret) < 0)
		r = gcs_stat(&g->store, key, ret);
	return r;
}

static int edit_touch(struct gcs_store *g, struct edit *e)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(GCS_META_MAX);
	CLEANUP(object_release) struct object now = { .generation = 0 };
	struct http_request request = { .method = "PATCH",
					.headers = { "Content-Type: application/json" } };
	struct body body;
	int r = gcs_object_format_patch(&e->object, &text);

	http_answer_init(&answer, GCS_ANSWER_MAX);
	if (r < 0)
		return r;
	gcs_url(g, GCS_SERVICE, e->object.key, &url);
	gcs_url_conditions(&url, e);
	gcs_url_text(&url, "fields", GCS_FIELDS);
	body = body_of_strbuf(&text);
	request.url = url.buf;
	request.body = &body;
	r = gcs_send(g, CALL_TOUCH, e->object.key, &request, &answer);
	if (r == 0)
		r = touched_object(g, e->object.key, &answer, &now);
	if (r == 0)
		object_set_facts(&e->object, &now);
	return r == -ENOENT ? -ESTALE : r;
}

static int remove_if(struct gcs_store *g, const struct edit *e)
{
	CLEANUP(http_answer_release) struct http_answer answer;
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(GCS_URL_MAX);
	struct http_request request = { .method = "DELETE" };
	int r;

	http_answer_init(&answer, GCS_ANSWER_MAX);
	gcs_url(g, GCS_SERVICE, e->object.key, &url);
	gcs_url_conditions(&url, e);
	request.url = url.buf;
	r = gcs_send(g, CALL_REMOVE, e->object.key, &request, &answer);
	return r == -ENOENT ? 0 : r;
}

/* A condition that is not met may be answered before it is seen that there is nothing to remove. */
int gcs_remove(struct gcs_store *g, struct edit *e)
{
	struct object now;
	int r = remove_if(g, e);

	if (r != -ESTALE)
		return r;
	r = gcs_stat(&g->store, e->object.key, &now);
	if (r == 0)
		object_release(&now);
	return r == 0 ? -ESTALE : r == -ENOENT ? 0 : r;
}

static int edit_one(struct gcs_store *g, struct edit *e)
{
	switch (e->op) {
	case EDIT_WRITE:
		return gcs_write(g, e);
	case EDIT_COPY:
		return gcs_copy(g, e);
	case EDIT_TOUCH:
		return edit_touch(g, e);
	case EDIT_REMOVE:
		return gcs_remove(g, e);
	}
	abort();
}

static int gcs_edit(struct store *s, struct edit *edits, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t run = lone_removals(edits, n, i, s->removals);

		if (run > 1)
			gcs_remove_many(gcs_of(s), &edits[i], run);
		else if (!edit_canceled(edits, i))
			edits[i].result = edit_one(gcs_of(s), &edits[i]);
		i += run > 1 ? run : 1;
	}
	return edit_result(edits, n);
}

static void gcs_close(struct store *s)
{
	struct gcs_store *g = gcs_of(s);

	auth_close(g->auth);
	http_free(g->http);
	free(g->bucket);
	free(g->endpoint);
	free(s->url);
	free(s->identity);
	free(g);
}

const struct store_ops gcs_ops = {
	.name = "gcs",
	.stat = gcs_stat,
	.read = gcs_read,
	.list = gcs_list,
	.list_part = gcs_list_part,
	.edit = gcs_edit,
	.close = gcs_close,
};

/* Lower-case letters, digits, '-', '_' and '.', 3 to 222 of them, a letter or digit at both ends.
 */
static bool is_bucket_name(const char *name)
{
	size_t n = strlen(name);

	return n >= 3 && n <= 222 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n &&
	       isalnum((unsigned char)name[0]) && isalnum((unsigned char)name[n - 1]);
}

/* --endpoint, else STORAGE_EMULATOR_HOST (a host and port, or a URL), else Google's. */
static int find_endpoint(const struct store_options *options, char **ret)
{
	const char *named = options->endpoint, *emulator = getenv("STORAGE_EMULATOR_HOST");
	char *url;
	size_t n;

	if (named)
		url = xstrdup(named);
	else if (emulator && *emulator)
		url = xasprintf("%s%s", strstr(emulator, "://") ? "" : "http://", emulator);
	else
		url = xstrdup(GCS_ENDPOINT);
	n = strlen(url);
	while (n && url[n - 1] == '/')
		url[--n] = '\0';
	if ((strncmp(url, "http://", 7) && strncmp(url, "https://", 8)) || strpbrk(url, " ?#@")) {
		int r = fail(-EINVAL,
			     "the endpoint %s is not an http or https URL without a user, a "
			     "query or a fragment",
			     url);

		free(url);
		return r;
	}
	*ret = url;
	return 0;
}

/* One bucket at one endpoint: another endpoint has another bucket of that name. */
static char *identity_of(const struct gcs_store *g)
{
	CLEANUP(free_char) char *text = xasprintf("%s\n%s", g->endpoint, g->bucket);
	unsigned char sum[SHA256_SIZE];
	char *hex = xmalloc(2 * SHA256_SIZE + 1);

	sha256(text, strlen(text), sum);
	hex_encode(sum, sizeof(sum), hex);
	hex[IDENTITY_LEN] = '\0';
	return hex;
}

static void close_gcs(struct gcs_store **g)
{
	if (*g)
		gcs_close(&(*g)->store);
}

int gcs_open(const char *name, enum store_mode mode, const struct store_options *options,
	     struct store **ret)
{
	CLEANUP(close_gcs) struct gcs_store *g = NULL;
	const struct http_options http = { .ca_file = options->ca_file, .cancel = options->cancel };
	struct auth_options auth = { .key_file = options->key_file };
	size_t n = strcspn(name, "/");
	int r;

	(void)mode; /* it is made by bucket_provision() alone */
	g = xcalloc(1, sizeof(*g));
	g->bucket = xstrndup(name, n);
	if (!is_bucket_name(g->bucket) || (name[n] && name[n + 1]))
		return fail(-EINVAL, "gs://%s is not the URL of a bucket: write gs://BUCKET", name);
	r = find_endpoint(options, &g->endpoint);
	if (r == 0)
		r = http_new(&http, &g->http);
	if (r < 0)
		return r;
	auth.http = g->http;
	auth.endpoint = g->endpoint;
	r = auth_open(&auth, &g->auth);
	if (r < 0)
		return r;
	g->store = (struct store){
		.ops = &gcs_ops,
		.url = xasprintf("gs://%s", g->bucket),
		.identity = identity_of(g),
		.parts = LIST_PARTS,
		.batch = 1,
		.removals = options->batch_delete || gcs_batch_is_safe(g->endpoint) ? GCS_BATCH_MAX
										    : 1,
	};
	*ret = &steal(g)->store;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http.c - requests by libcurl; no CURLcode leaves this file.
 *
 * An easy handle is used by one thread at a time and keeps its own connection; idle handles lie on
 * a stack, so that the connection used last, which is the likeliest to be open still, is used next.
 * What libcurl allows to be shared between threads is shared: names and TLS sessions, never
 * connections. Nothing is decoded: a body arrives as it was sent. Certificates are always verified.
 *
 * `lock` guards `idle`. `share_locks` are libcurl's, one a kind of what is shared.
 */
#include "http.h"

#include <assert.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "body.h"
#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "trouble.h"

#define CONNECT_SECONDS 10L
#define LOOK_MS		50		/* how soon it is seen that nobody waits any more */
#define STILL		(SECOND_US / 2) /* nothing moved for so long: it stands still */
#define BEARER_MAX	((size_t)64 << 10)
#define HEADER_MAX	((size_t)16 << 10)

struct handle {
	CURL *curl;
	CURLM *multi; /* of this one alone: it has the connection, and lets us look while we wait */
	struct handle *next;
};

struct http {
	struct http_options opt;
	char *ca_file;
	CURLSH *share;
	pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
	pthread_mutex_t lock;
	struct handle *idle;
};

/* One request while it is under way. */
struct transfer {
	const struct http *http;
	const struct http_request *request;
	struct http_answer *answer;
	CURL *curl;
	uint64_t sent; /* of the request's body */
	curl_off_t moved; /* bytes, of both directions */
	int64_t moved_at;
	bool resent;
	int error;    /* what a callback ended it with; 0: none did */
	size_t start; /* of the body in request->out */
};

static const char *const header_names[HTTP_HEADERS] = {
	[HTTP_CONTENT_ENCODING] = "content-encoding",
	[HTTP_CONTENT_RANGE] = "content-range",
	[HTTP_DATE] = "date",
	[HTTP_GENERATION] = "x-goog-generation",
	[HTTP_HASH] = "x-goog-hash",
	[HTTP_LOCATION] = "location",
	[HTTP_METADATA_FLAVOR] = "metadata-flavor",
	[HTTP_RETRY_AFTER] = "retry-after",
	[HTTP_STORED_ENCODING] = "x-goog-stored-content-encoding",
};

void http_answer_init(struct http_answer *answer, size_t max_body)
{
	*answer = (struct http_answer){ .body = STRBUF_INIT(max_body) };
}

static void answer_reset(struct http_answer *answer)
{
	for (size_t i = 0; i < HTTP_HEADERS; i++) {
		free(answer->header[i]);
		answer->header[i] = NULL;
	}
	strbuf_reset(&answer->body);
	answer->status = 0;
}

void http_answer_release(struct http_answer *answer)
{
	answer_reset(answer);
	strbuf_release(&answer->body);
}

static void share_lock(CURL *curl, curl_lock_data what, curl_lock_access access, void *ctx)
{
	struct http *h = ctx;

	(void)curl;
	(void)access;
	pthread_mutex_lock(&h->share_locks[what]);
}

static void share_unlock(CURL *curl, curl_lock_data what, void *ctx)
{
	struct http *h = ctx;

	(void)curl;
	pthread_mutex_unlock(&h->share_locks[what]);
}

static void start_libcurl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort(); /* memory is out */
}

int http_new(const struct http_options *options, struct http **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = xcalloc(1, sizeof(*h));

	pthread_once(&once, start_libcurl);
	h->opt = *options;
	if (!h->opt.patience)
		h->opt.patience = HTTP_PATIENCE;
	h->ca_file = xstrdup_or_null(options->ca_file);
	h->share = curl_share_init();
	if (!h->share)
		abort(); /* memory is out */
	for (size_t i = 0; i < ARRAY_SIZE(h->share_locks); i++)
		pthread_mutex_init(&h->share_locks[i], NULL);
	pthread_mutex_init(&h->lock, NULL);
	curl_share_setopt(h->share, CURLSHOPT_LOCKFUNC, share_lock);
	curl_share_setopt(h->share, CURLSHOPT_UNLOCKFUNC, share_unlock);
	curl_share_setopt(h->share, CURLSHOPT_USERDATA, h);
	curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
	curl_share_setopt(h->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	*ret = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	while (h->idle) {
		struct handle *next = h->idle->next;

		curl_easy_cleanup(h->idle->curl);
		curl_multi_cleanup(h->idle->multi);
		free(h->idle);
		h->idle = next;
	}
	curl_share_cleanup(h->share);
	for (size_t i = 0; i < ARRAY_SIZE(h->share_locks); i++)
		pthread_mutex_destroy(&h->share_locks[i]);
	pthread_mutex_destroy(&h->lock);
	free(h->ca_file);
	free(h);
}

static struct handle *take_handle(struct http *h)
{
	struct handle *handle;

	pthread_mutex_lock(&h->lock);
	handle = h->idle;
	if (handle)
		h->idle = handle->next;
	pthread_mutex_unlock(&h->lock);
	if (handle)
		return handle;
	handle = xcalloc(1, sizeof(*handle));
	handle->curl = curl_easy_init();
	handle->multi = curl_multi_init();
	if (!handle->curl || !handle->multi)
		abort(); /* memory is out */
	curl_easy_setopt(handle->curl, CURLOPT_SHARE, h->share);
	return handle;
}

/* Its connection stays open; whatever was set for the request does not (the share does). */
static void give_handle(struct http *h, struct handle *handle)
{
	curl_easy_reset(handle->curl);
	pthread_mutex_lock(&h->lock);
	handle->next = h->idle;
	h->idle = handle;
	pthread_mutex_unlock(&h->lock);
}

static size_t take_header(char *line, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	const char *colon = memchr(line, ':', n);
	size_t name, from, to = n;

	(void)size; /* always 1 */
	if (!colon && n > 5 && !strncasecmp(line, "HTTP/", 5))
		answer_reset(t->answer); /* what came before was a 100 */
	if (!colon || n > HEADER_MAX)
		return n;
	name = (size_t)(colon - line);
	for (from = name + 1; from < to && isspace((unsigned char)line[from]);)
		from++;
	while (to > from && isspace((unsigned char)line[to - 1]))
		to--;
	for (size_t i = 0; i < HTTP_HEADERS; i++) {
		char **slot = &t->answer->header[i], *text;

		if (strlen(header_names[i]) != name || strncasecmp(line, header_names[i], name))
			continue;
		text = *slot && i == HTTP_HASH
			       ? xasprintf("%s,%.*s", *slot, (int)(to - from), line + from)
			       : xstrndup(line + from, to - from);
		free(*slot);
		*slot = text;
	}
	return n;
}

static size_t take_body(char *bytes, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct strbuf *out = &t->answer->body;
	long status = 0;
	bool good;

	(void)size;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	good = status / 100 == 2;
	if (good && t->request->out)
		out = t->request->out;
	if (!good && n > out->max - out->len) {
		strbuf_add(out, bytes, out->max - out->len);
		return n;
	}
	strbuf_add(out, bytes, n);
	if (out->overflow) {
		t->error = -E2BIG;
		return 0;
	}
	return n;
}

static size_t give_body(char *buf, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	ssize_t r = body_read(t->request->body, t->sent, buf, size * n);

	if (r < 0) {
		t->error = (int)r;
		return CURL_READFUNC_ABORT;
	}
	t->sent += (uint64_t)r;
	return (size_t)r;
}

/* A kept connection that ends without an answer makes libcurl send again on a new one. Whether the
 * server acted on the first is not known. */
static int seek_body(void *ctx, curl_off_t offset, int origin)
{
	struct transfer *t = ctx;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	t->sent = (uint64_t)offset;
	t->resent = true;
	return CURL_SEEKFUNC_OK;
}

/* Whoever waits for the answer may end it at any time; an orderly end of all (http_options) waits
 * for what moves. */
static int look_up(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		   curl_off_t up)
{
	struct transfer *t = ctx;
	const atomic_bool *cancel = t->http->opt.cancel;
	int64_t now = clock_monotonic();

	(void)down_total;
	(void)up_total;
	if (t->moved != down + up) {
		t->moved = down + up;
		t->moved_at = now;
	}
	if (interrupt_asked() || (cancel && atomic_load(cancel) && now - t->moved_at > STILL))
		t->error = -ECANCELED;
	return t->error != 0;
}

static void set_body(struct transfer *t)
{
	const struct body *body = t->request->body;
	bool post = !strcmp(t->request->method, "POST");

	if (post && !body) {
		curl_easy_setopt(t->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, "");
		curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE, 0L);
	}
	if (!body)
		return;
	curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(t->curl, CURLOPT_READDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(t->curl, CURLOPT_SEEKDATA, t);
	curl_easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(t->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->size);
}

static void set_limits(struct transfer *t)
{
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->http->opt.patience);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, look_up);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (t->http->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, t->http->ca_file);
	if (t->request->direct)
		curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
}

static void free_headers(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static void add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		abort(); /* memory is out */
	*list = longer;
}

static struct curl_slist *request_headers(const struct http_request *request)
{
	struct curl_slist *list = NULL;

	add_header(&list, "Expect:"); /* a round trip for a refusal that is rare */
	add_header(&list, "User-Agent: pubfs");
	for (size_t i = 0; i < HTTP_REQUEST_HEADERS && request->headers[i]; i++)
		add_header(&list, request->headers[i]);
	if (request->bearer) {
		CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(BEARER_MAX);

		strbuf_addf(&line, "Authorization: Bearer %s", request->bearer);
		add_header(&list, line.buf);
		explicit_bzero(line.buf, line.len);
	}
	return list;
}

/* As curl_easy_perform() does, which looks up once a second. */
static CURLcode perform(const struct handle *handle)
{
	CURLcode code = CURLE_OUT_OF_MEMORY;
	int running = 1, left;
	const CURLMsg *msg;

	curl_multi_add_handle(handle->multi, handle->curl);
	while (curl_multi_perform(handle->multi, &running) == CURLM_OK && running)
		curl_multi_poll(handle->multi, NULL, 0, LOOK_MS, NULL);
	while ((msg = curl_multi_info_read(handle->multi, &left)))
		if (msg->msg == CURLMSG_DONE)
			code = msg->data.result;
	curl_multi_remove_handle(handle->multi, handle->curl);
	return code;
}

/* What libcurl's answers mean, where it is no answer of the server. */
static const struct {
	CURLcode code;
	bool passing; /* or the certificate is not to be trusted */
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, true },
	{ CURLE_COULDNT_RESOLVE_PROXY, true },
	{ CURLE_COULDNT_CONNECT, true },
	{ CURLE_WEIRD_SERVER_REPLY, true },
	{ CURLE_PARTIAL_FILE, true },
	{ CURLE_OPERATION_TIMEDOUT, true },
	{ CURLE_SSL_CONNECT_ERROR, true },
	{ CURLE_GOT_NOTHING, true },
	{ CURLE_SEND_ERROR, true },
	{ CURLE_RECV_ERROR, true },
	{ CURLE_HTTP2, true },
	{ CURLE_SEND_FAIL_REWIND, true },
	{ CURLE_PEER_FAILED_VERIFICATION, false },
	{ CURLE_SSL_CACERT_BADFILE, false },
	{ CURLE_SSL_ISSUER_ERROR, false },
};

static int result(const struct transfer *t, CURLcode code, const char *detail)
{
	const char *why = code == CURLE_UNSUPPORTED_PROTOCOL ? "what answers does not speak HTTP"
			  : *detail			     ? detail
							     : curl_easy_strerror(code);
	size_t i = 0;

	if (t->error)
		return t->error;
	if (code == CURLE_OK)
		return 0;
	while (i < ARRAY_SIZE(failures) && failures[i].code != code)
		i++;
	if (i == ARRAY_SIZE(failures))
		return fail(-EIO, "%s: %s", t->request->about, why);
	if (!failures[i].passing)
		return fail(-EIO,
			    "%s: its certificate is not to be trusted: %s (--ca-file names the "
			    "certificates of a private endpoint)",
			    t->request->about, why);
	trouble(0, false, "%s: %s", t->request->about, why);
	if (code == CURLE_OPERATION_TIMEDOUT)
		trouble_stood_still(t->http->opt.patience * SECOND_US);
	return -EAGAIN;
}

int http_send(struct http *h, const struct http_request *request, struct http_answer *answer)
{
	CLEANUP(free_headers) struct curl_slist *headers = request_headers(request);
	struct handle *handle = take_handle(h);
	struct transfer t = { .http = h,
			      .request = request,
			      .answer = answer,
			      .moved_at = clock_monotonic() };
	char detail[CURL_ERROR_SIZE] = "";
	CURL *c = t.curl = handle->curl;
	CURLcode code;
	int r;

	answer_reset(answer);
	t.start = request->out ? request->out->len : 0;
	set_body(&t);
	set_limits(&t);
	curl_easy_setopt(c, CURLOPT_URL, request->url);
	curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, &t);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
	code = perform(handle);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &answer->status);
	answer->resent = t.resent;
	r = result(&t, code, detail);
	give_handle(h, handle);
	log_debug("%s %s = %ld", request->method, request->about, answer->status);
	if (request->out && (r < 0 || answer->status / 100 != 2)) {
		strbuf_setlen(request->out, t.start);
		request->out->overflow = false;
	}
	return r;
}

void http_escape(const char *text, struct strbuf *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-._~", c)))
			strbuf_addch(out, (char)c);
		else
			strbuf_addf(out, "%%%02X", c);
	}
}

bool http_is_private(const char *url)
{
	static const char *const local[] = { "127.0.0.1", "[::1]", "localhost" };
	size_t n;

	if (!strncasecmp(url, "https://", 8))
		return true;
	if (strncasecmp(url, "http://", 7) != 0)
		return false;
	url += 7;
	n = *url == '[' ? strcspn(url, "]") + 1 : strcspn(url, ":/?#");
	if (memchr(url, '@', strcspn(url, "/?#")))
		return false; /* what stands before is no host */
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (strlen(local[i]) == n && !strncasecmp(url, local[i], n))
			return true;
	return false;
}

int64_t http_date(const char *text)
{
	return (int64_t)curl_getdate(text, NULL);
}

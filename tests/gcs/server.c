/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - the test server's life, and the way of a request through it.
 *
 * A thread a connection. A request is read whole, split, and matched with the table of routes.
 * Then: count it, take the fault that it meets, refuse unknown parameters, check the token, answer
 * under the lock, spoil the answer as the fault says, send it.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define LOG_MAX	     ((size_t)4 << 20)
#define ERROR_MAX    4096
#define CONNECTIONS  512
#define DEFAULT_LIFE 3599
#define SLOW_PIECES  8

struct exchange {
	struct request request;
	struct reply reply;
	bool malformed, started;
	size_t cut, piece; /* how the body is sent */
};

static const char *const kind_names[] = {
#define X(constant, name, permission) name,
	GCS_KINDS(X)
#undef X
};

static const char *const kind_permissions[] = {
#define X(constant, name, permission) permission,
	GCS_KINDS(X)
#undef X
};

const char *kind_name(enum gcs_kind kind)
{
	return kind_names[kind];
}

const char *kind_permission(enum gcs_kind kind)
{
	return kind_permissions[kind];
}

static bool is_media(const struct request *q)
{
	const char *alt = pairs_get(&q->params, "alt");

	return alt && !strcmp(alt, "media");
}

static bool is_multipart(const struct request *q)
{
	const char *type = pairs_get(&q->params, "uploadType");

	return type && !strcmp(type, "multipart");
}

static bool is_resumable(const struct request *q)
{
	const char *type = pairs_get(&q->params, "uploadType");

	return type && !strcmp(type, "resumable");
}

static bool is_status_query(const struct request *q)
{
	const char *range = pairs_get(&q->headers, "Content-Range");

	return range && !strncmp(range, "bytes */", 8);
}

#define CONDITIONS                                                                                 \
	"ifGenerationMatch ifGenerationNotMatch ifMetagenerationMatch ifMetagenerationNotMatch "
#define SOURCE_CONDITIONS                                                                          \
	"ifSourceGenerationMatch ifSourceGenerationNotMatch ifSourceMetagenerationMatch "          \
	"ifSourceMetagenerationNotMatch "
#define COMMON_PARAMS "alt fields key prettyPrint quotaUser userProject "

/* In a pattern, B and D stand for a bucket, O and E for an object. The first match counts. */
static const struct route {
	const char *method, *pattern;
	bool (*when)(const struct request *q); /* NULL: always */
	enum gcs_kind kind;
	handler_fn *answer;
	const char *params; /* NULL: not checked */
} routes[] = {
	{ "POST", "storage/v1/b", NULL, GCS_BUCKET_INSERT, answer_bucket_insert,
	  COMMON_PARAMS "project projection" },
	{ "GET", "storage/v1/b/B", NULL, GCS_BUCKET_GET, answer_bucket_get,
	  COMMON_PARAMS "projection ifMetagenerationMatch ifMetagenerationNotMatch" },
	{ "GET", "storage/v1/b/B/o", NULL, GCS_LIST, answer_list,
	  COMMON_PARAMS "prefix delimiter startOffset endOffset pageToken maxResults projection" },
	{ "GET", "storage/v1/b/B/o/O", is_media, GCS_READ, answer_read,
	  COMMON_PARAMS CONDITIONS "generation projection" },
	{ "GET", "download/storage/v1/b/B/o/O", is_media, GCS_READ, answer_read,
	  COMMON_PARAMS CONDITIONS "generation projection" },
	{ "GET", "storage/v1/b/B/o/O", NULL, GCS_GET, answer_get,
	  COMMON_PARAMS CONDITIONS "generation projection" },
	{ "PATCH", "storage/v1/b/B/o/O", NULL, GCS_PATCH, answer_patch,
	  COMMON_PARAMS CONDITIONS "generation projection" },
	{ "DELETE", "storage/v1/b/B/o/O", NULL, GCS_DELETE, answer_delete,
	  COMMON_PARAMS CONDITIONS "generation" },
	{ "POST", "storage/v1/b/B/o/O/rewriteTo/b/D/o/E", NULL, GCS_REWRITE, answer_rewrite,
	  COMMON_PARAMS CONDITIONS SOURCE_CONDITIONS
	  "sourceGeneration maxBytesRewrittenPerCall rewriteToken projection" },
	{ "POST", "upload/storage/v1/b/B/o", is_multipart, GCS_INSERT, answer_insert,
	  COMMON_PARAMS CONDITIONS "uploadType name projection" },
	{ "POST", "upload/storage/v1/b/B/o", is_resumable, GCS_RESUMABLE_START,
	  answer_resumable_start, COMMON_PARAMS CONDITIONS "uploadType name projection" },
	{ "PUT", "upload/storage/v1/b/B/o", is_status_query, GCS_RESUMABLE_STATUS,
	  answer_resumable_chunk, COMMON_PARAMS "uploadType upload_id" },
	{ "PUT", "upload/storage/v1/b/B/o", NULL, GCS_RESUMABLE_CHUNK, answer_resumable_chunk,
	  COMMON_PARAMS "uploadType upload_id" },
	{ "POST", "batch/storage/v1", NULL, GCS_BATCH, answer_batch, "" },
	{ "POST", "token", NULL, GCS_TOKEN, answer_token, "" },
	{ "GET", "computeMetadata/v1/instance/service-accounts/default/X", NULL, GCS_METADATA,
	  answer_metadata, "scopes recursive" },
	{ "GET", "computeMetadata/v1/project/X", NULL, GCS_METADATA, answer_metadata, "" },
	{ "GET", "control/X", NULL, GCS_KIND_COUNT, answer_control, NULL },
	{ "POST", "control", NULL, GCS_KIND_COUNT, answer_control, NULL },
};

void pairs_add(struct pairs *p, const char *name, const char *value)
{
	GROW(p->items, p->n, p->alloc);
	p->items[p->n++] = (struct pair){ xstrdup(name), xstrdup(value) };
}

const char *pairs_get(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcasecmp(p->items[i].name, name))
			return p->items[i].value;
	return NULL;
}

void pairs_release(struct pairs *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->items[i].name);
		free(p->items[i].value);
	}
	free(p->items);
	*p = (struct pairs){ 0 };
}

void reply_reset(struct reply *p, unsigned status)
{
	p->status = status;
	pairs_release(&p->headers);
	strbuf_reset(&p->body);
}

void reply_header(struct reply *p, const char *name, const char *value)
{
	pairs_add(&p->headers, name, value);
}

void reply_error(struct reply *p, unsigned status, const char *reason, const char *fmt, ...)
{
	CLEANUP(strbuf_release) struct strbuf message = STRBUF_INIT(ERROR_MAX);
	CLEANUP(free_char) char *text = NULL;
	json_t *error;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&message, fmt, ap);
	va_end(ap);
	error = json_pack("{s:{s:i, s:s, s:[{s:s, s:s, s:s}]}}", "error", "code", (int)status,
			  "message", message.buf, "errors", "message", message.buf, "domain",
			  "global", "reason", reason);
	reply_reset(p, status);
	reply_header(p, "Content-Type", "application/json; charset=UTF-8");
	if (status != MHD_HTTP_NOT_MODIFIED) {
		text = json_dumps(error, JSON_COMPACT);
		strbuf_addstr(&p->body, text ? text : "{}");
	}
	json_decref(error);
}

void reply_json(struct reply *p, const struct request *q, json_t *json)
{
	const char *fields = pairs_get(&q->params, "fields");

	if (fields && !fields_select(fields, json)) {
		reply_error(p, 400, "invalidParameter", "Invalid field selection %s", fields);
	} else {
		CLEANUP(free_char) char *text = json_dumps(json, JSON_COMPACT);

		reply_reset(p, 200);
		reply_header(p, "Content-Type", "application/json; charset=UTF-8");
		strbuf_addstr(&p->body, text);
	}
	json_decref(json);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'		    ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

/* NULL: it is malformed, or has a NUL. */
static char *percent_decode(const char *text, size_t n, bool plus_is_space)
{
	CLEANUP(free_char) char *out = xmalloc(n + 1);
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < n ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (char)(high * 16 + low);
			i += 2;
			if (!c)
				return NULL;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out[length++] = c;
	}
	out[length] = '\0';
	return steal(out);
}

/* One name=value of a query or a form. */
static bool add_parameter(struct pairs *params, const char *text, size_t n)
{
	const char *equals = memchr(text, '=', n);
	size_t name_length = equals ? (size_t)(equals - text) : n;
	CLEANUP(free_char) char *name = percent_decode(text, name_length, true);
	CLEANUP(free_char)
	char *value = equals ? percent_decode(equals + 1, n - name_length - 1, true) : xstrdup("");

	if (!name || !value || pairs_get(params, name))
		return false;
	pairs_add(params, name, value);
	return true;
}

bool parse_form(const char *text, struct pairs *ret)
{
	while (*text) {
		size_t n = strcspn(text, "&");

		if (!add_parameter(ret, text, n))
			return false;
		text += n + (text[n] == '&');
	}
	return true;
}

bool request_parse_target(struct request *q, const char *target)
{
	size_t path = strcspn(target, "?");
	const char *at = target;

	if (*at != '/')
		return false;
	while (at < target + path) {
		size_t n = strcspn(++at, "/?");

		if (q->n_segments == SEGMENT_MAX)
			return false;
		q->segments[q->n_segments] = percent_decode(at, n, false);
		if (!q->segments[q->n_segments++])
			return false;
		at += n;
	}
	return !target[path] || parse_form(target + path + 1, &q->params);
}

void request_release(struct request *q)
{
	free(q->method);
	for (size_t i = 0; i < q->n_segments; i++)
		free(q->segments[i]);
	pairs_release(&q->params);
	pairs_release(&q->headers);
	strbuf_release(&q->body);
	fault_release(&q->fault);
}

static bool route_matches(const struct route *r, struct request *q)
{
	const char *at = r->pattern;

	if (strcmp(q->method, r->method) != 0 || (r->when && !r->when(q)))
		return false;
	for (size_t i = 0; i < q->n_segments; i++) {
		size_t n = strcspn(at, "/");
		const char *segment = q->segments[i];

		if (!n)
			return false;
		if (n == 1 && *at == 'B')
			q->bucket = segment;
		else if (n == 1 && *at == 'O')
			q->object = segment;
		else if (n == 1 && *at == 'D')
			q->to_bucket = segment;
		else if (n == 1 && *at == 'E')
			q->to_object = segment;
		else if (strlen(segment) != n || strncmp(at, segment, n) != 0)
			if (n != 1 || *at != 'X')
				return false;
		at += n + (at[n] == '/');
	}
	return !*at;
}

static const struct route *find_route(struct request *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		q->bucket = q->object = q->to_bucket = q->to_object = NULL;
		if (route_matches(&routes[i], q))
			return &routes[i];
	}
	return NULL;
}

static bool word_in(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (length == n && !strncmp(at, word, n))
			return true;
		at += length;
	}
	return false;
}

static bool check_parameters(const struct request *q, const struct route *r, struct reply *p)
{
	const char *alt = pairs_get(&q->params, "alt");

	for (size_t i = 0; i < q->params.n; i++) {
		if (!word_in(r->params, q->params.items[i].name)) {
			reply_error(p, 400, "invalidParameter", "Unknown parameter %s of %s",
				    q->params.items[i].name, kind_name(r->kind));
			return false;
		}
	}
	if (alt && strcmp(alt, "json") != 0 && r->kind != GCS_READ) {
		reply_error(p, 400, "invalidParameter", "Invalid value for alt: %s", alt);
		return false;
	}
	return true;
}

/* Called with the lock held. */
static bool fields_check(const struct request *q, struct reply *p)
{
	if (!q->server->fields_required || (q->kind != GCS_LIST && q->kind != GCS_GET) ||
	    pairs_get(&q->params, "fields"))
		return true;
	reply_error(p, 400, "required",
		    "All that is known was asked for, as `fields` is not there");
	return false;
}

static void answer_route(struct request *q, const struct route *r, struct reply *p)
{
	struct gcs_server *s = q->server;
	bool open = q->kind == GCS_TOKEN || q->kind == GCS_METADATA || q->kind == GCS_BATCH;

	if (!check_parameters(q, r, p))
		return;
	if (r->answer == answer_batch) {
		answer_batch(q, p);
		return;
	}
	pthread_mutex_lock(&s->lock);
	if (open ||
	    (auth_check(q, p) && right_check(q, kind_permission(q->kind), p) && fields_check(q, p)))
		r->answer(q, p);
	pthread_mutex_unlock(&s->lock);
}

void request_answer(struct request *q, struct reply *p)
{
	struct gcs_server *s = q->server;
	const struct route *r = find_route(q);
	int64_t began = clock_monotonic();

	if (r && r->kind == GCS_KIND_COUNT) {
		answer_control(q, p);
		return;
	}
	q->kind = r ? r->kind : GCS_UNKNOWN;
	pthread_mutex_lock(&s->lock);
	s->counts[q->kind]++;
	s->running++;
	if (s->running > s->parallel)
		s->parallel = s->running;
	q->fault = fault_take(s, q);
	q->delays_ended = s->delays_ended; /* from here on: who saw it counted may end it */
	pthread_mutex_unlock(&s->lock);

	if (!fault_before(q, p)) {
		if (r)
			answer_route(q, r, p);
		else
			reply_error(p, 404, "notFound", "Not Found");
		fault_after(q, p);
	}
	server_pause(q, q->fault.delay);

	pthread_mutex_lock(&s->lock);
	s->running--;
	s->busy += clock_monotonic() - began;
	strbuf_addf(&s->log, "%s %u %s\n", kind_name(q->kind), p->dropped ? 0 : p->status,
		    q->object ? q->object : "");
	pthread_mutex_unlock(&s->lock);
}

void server_pause(const struct request *q, uint64_t milliseconds)
{
	struct gcs_server *s = q->server;
	struct timespec until;

	if (!milliseconds)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(milliseconds / 1000);
	until.tv_nsec += (long)(milliseconds % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->stopping && q->delays_ended == s->delays_ended &&
	       pthread_cond_timedwait(&s->stop, &s->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&s->lock);
}

static ssize_t send_piece(void *ctx, uint64_t position, char *buf, size_t max)
{
	struct exchange *x = ctx;
	size_t n = x->cut - (size_t)position;

	if (!n)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (x->request.fault.slow)
		server_pause(&x->request, x->request.fault.slow);
	n = n < max ? n : max;
	n = n < x->piece ? n : x->piece;
	memcpy(buf, x->reply.body.buf + position, n);
	return (ssize_t)n;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct exchange *x)
{
	struct reply *p = &x->reply;
	const struct fault *f = &x->request.fault;
	struct MHD_Response *response;
	enum MHD_Result r;

	if (p->dropped)
		return MHD_NO;
	if (f->has_cut || f->slow) {
		x->cut = f->has_cut && f->cut < p->body.len ? (size_t)f->cut : p->body.len;
		x->piece = p->body.len / SLOW_PIECES + 1;
		response = MHD_create_response_from_callback(p->body.len, 64 << 10, send_piece, x,
							     NULL);
	} else {
		response = MHD_create_response_from_buffer(p->body.len, p->body.buf,
							   MHD_RESPMEM_PERSISTENT);
	}
	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < p->headers.n; i++)
		MHD_add_response_header(response, p->headers.items[i].name,
					p->headers.items[i].value);
	if (x->request.server->clock_ahead) {
		CLEANUP(free_char) char *date = http_date_text(server_now(x->request.server));

		MHD_add_response_header(response, "Date", date);
	}
	r = MHD_queue_response(connection, p->status, response);
	MHD_destroy_response(response);
	return r;
}

static void *on_target(void *ctx, const char *target, struct MHD_Connection *connection)
{
	struct exchange *x = xcalloc(1, sizeof(*x));

	(void)connection;
	x->request.server = ctx;
	strbuf_init(&x->request.body, BODY_MAX);
	strbuf_init(&x->reply.body, BODY_MAX);
	x->malformed = !request_parse_target(&x->request, target);
	return x;
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	(void)kind;
	pairs_add(ctx, name, value ? value : "");
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct exchange *x = *state;

	(void)ctx;
	(void)url;
	(void)version;
	if (!x->started) {
		x->started = true;
		x->request.method = xstrdup(method);
		MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header,
					  &x->request.headers);
		return MHD_YES;
	}
	if (*upload_size) {
		strbuf_add(&x->request.body, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (x->malformed || strbuf_error(&x->request.body) < 0)
		reply_error(&x->reply, 400, "invalid", "The request is malformed or too big");
	else
		request_answer(&x->request, &x->reply);
	return send_reply(connection, x);
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *state;

	(void)ctx;
	(void)connection;
	(void)code;
	if (!x)
		return;
	request_release(&x->request);
	pairs_release(&x->reply.headers);
	strbuf_release(&x->reply.body);
	free(x);
	*state = NULL;
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	struct gcs_server *s = ctx;

	(void)connection;
	(void)state;
	if (code != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	pthread_mutex_lock(&s->lock);
	s->connections++;
	pthread_mutex_unlock(&s->lock);
}

/* `host` NULL: without TLS. */
static struct gcs_server *start(const char *host)
{
	struct gcs_server *s = xcalloc(1, sizeof(*s));
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, NULL },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem options[ARRAY_SIZE(tls)];
	struct sockaddr_in address = { .sin_family = AF_INET };
	const union MHD_DaemonInfo *info;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->stop, NULL);
	strbuf_init(&s->log, LOG_MAX);
	s->rewrite_limit = MIB;
	s->token_life = DEFAULT_LIFE;
	memcpy(options, tls, sizeof(tls));
	if (host) {
		tls_make(s, host);
		options[0].ptr_value = s->tls_key;
		options[1].ptr_value = s->certificate;
	}
	s->daemon = MHD_start_daemon(
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
			(host ? MHD_USE_TLS : 0),
		0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_ARRAY,
		host ? options : &options[2], MHD_OPTION_END);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info) {
		fprintf(stderr, "gcs server: it cannot listen on 127.0.0.1\n");
		abort();
	}
	pthread_mutex_lock(&s->lock);
	s->url = xasprintf("%s://127.0.0.1:%u", host ? "https" : "http", info->port);
	pthread_mutex_unlock(&s->lock);
	return s;
}

struct gcs_server *gcs_server_start(void)
{
	return start(NULL);
}

struct gcs_server *gcs_server_start_tls(const char *host)
{
	return start(host);
}

const char *gcs_server_certificate(const struct gcs_server *s)
{
	return s->certificate;
}

void gcs_server_stop(struct gcs_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->stop);
	pthread_mutex_unlock(&s->lock);
	MHD_stop_daemon(s->daemon);
	for (size_t i = 0; i < s->n_buckets; i++)
		bucket_free(s->buckets[i]);
	free(s->buckets);
	for (size_t i = 0; i < s->n_sessions; i++)
		session_release(&s->sessions[i]);
	free(s->sessions);
	for (size_t i = 0; i < s->n_faults; i++)
		fault_release(&s->faults[i]);
	free(s->faults);
	auth_release(s);
	strbuf_release(&s->log);
	pthread_cond_destroy(&s->stop);
	pthread_mutex_destroy(&s->lock);
	free(s->tls_key);
	free(s->certificate);
	free(s->url);
	free(s);
}

const char *gcs_server_url(const struct gcs_server *s)
{
	return s->url;
}

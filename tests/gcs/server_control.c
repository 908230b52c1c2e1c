/* SPDX-License-Identifier: BSD-3-Clause */
/* server_control.c - how tests steer the test server, and what they ask it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define COUNTS_MAX 4096

static bool run_bucket(struct gcs_server *s, char *words)
{
	if (!*words || bucket_find(s, words))
		return false;
	bucket_add(s, words, NULL);
	return true;
}

static bool run_fill(struct gcs_server *s, char *words)
{
	char *rest, *bucket = strtok_r(words, " ", &rest), *count = strtok_r(NULL, " ", &rest);
	char *prefix = strtok_r(NULL, " ", &rest);
	struct bucket *b = bucket ? bucket_find(s, bucket) : NULL;
	uint64_t n;

	if (!b || !prefix || !parse_number(count, &n))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		CLEANUP(free_char)
		char *name = xasprintf("%s%06llu", prefix, (unsigned long long)i);
		struct strbuf bytes = STRBUF_INIT(BODY_MAX);
		json_t *headers = json_object();

		strbuf_addch(&bytes, 'x');
		object_put(s, b, name, headers, &bytes);
		json_decref(headers);
	}
	return true;
}

static bool run_vast(struct gcs_server *s, char *words)
{
	char *rest, *bucket = strtok_r(words, " ", &rest), *name = strtok_r(NULL, " ", &rest);
	char *size = strtok_r(NULL, " ", &rest);
	struct bucket *b = bucket ? bucket_find(s, bucket) : NULL;
	struct strbuf none = STRBUF_INIT(BODY_MAX);
	json_t *headers;
	struct stored *o;
	uint64_t n;

	if (!b || !size || !parse_number(size, &n) || !n)
		return false;
	headers = json_object();
	o = object_put(s, b, name, headers, &none);
	json_decref(headers);
	o->vast = n;
	o->composed = true;
	return true;
}

static bool run_compose(struct gcs_server *s, char *words)
{
	char *name = strchr(words, ' ');
	struct bucket *b;
	struct stored *o;

	if (!name)
		return false;
	*name++ = '\0';
	b = bucket_find(s, words);
	o = b ? object_find(b, name) : NULL;
	if (o)
		o->composed = true;
	return o;
}

static bool run_tokens(struct gcs_server *s, char *words)
{
	if (!strcmp(words, "revoked"))
		for (size_t i = 0; i < s->n_tokens; i++)
			s->tokens[i].revoked = true;
	else if (!strcmp(words, "required") || !strcmp(words, "optional"))
		s->tokens_required = *words == 'r';
	else
		return false;
	return true;
}

static bool run_token_life(struct gcs_server *s, char *words)
{
	uint64_t seconds;

	if (!parse_number(words, &seconds) || seconds > 100 * 365 * 86400LL)
		return false;
	s->token_life = (int64_t)seconds;
	return true;
}

static bool run_key(struct gcs_server *s, char *words)
{
	s->key_revoked = !strcmp(words, "revoked");
	return s->key_revoked || !strcmp(words, "valid");
}

static bool run_deny(struct gcs_server *s, char *words)
{
	if (strncmp(words, "storage.", 8) != 0 || s->n_denied == DENIED_MAX)
		return false;
	s->denied[s->n_denied++] = xstrdup(words);
	return true;
}

static bool run_fields(struct gcs_server *s, char *words)
{
	s->fields_required = !strcmp(words, "required");
	return s->fields_required || !strcmp(words, "optional");
}

static bool run_clock(struct gcs_server *s, char *words)
{
	bool behind = *words == '-';
	uint64_t seconds;

	if (!parse_number(words + behind, &seconds))
		return false;
	s->clock_ahead = (int64_t)seconds * (behind ? -SECOND_US : SECOND_US);
	return true;
}

static bool run_end_delays(struct gcs_server *s, char *words)
{
	s->delays_ended++;
	pthread_cond_broadcast(&s->stop);
	return !*words;
}

static bool run_rewrite_limit(struct gcs_server *s, char *words)
{
	return parse_number(words, &s->rewrite_limit) && s->rewrite_limit;
}

static bool run_reset(struct gcs_server *s, char *words)
{
	for (size_t i = 0; i < s->n_faults; i++)
		fault_release(&s->faults[i]);
	s->n_faults = 0;
	while (s->n_denied)
		free(s->denied[--s->n_denied]);
	memset(s->counts, 0, sizeof(s->counts));
	s->connections = s->parallel = 0;
	s->busy = 0;
	strbuf_reset(&s->log);
	return !*words;
}

static const struct {
	const char *name;
	bool (*run)(struct gcs_server *s, char *words);
} commands[] = {
	{ "bucket", run_bucket },
	{ "fill", run_fill },
	{ "vast", run_vast },
	{ "compose", run_compose },
	{ "tokens", run_tokens },
	{ "token-life", run_token_life },
	{ "key", run_key },
	{ "deny", run_deny },
	{ "fields", run_fields },
	{ "clock", run_clock },
	{ "end-delays", run_end_delays },
	{ "rewrite-limit", run_rewrite_limit },
	{ "reset", run_reset },
	{ "fault", fault_add },
};

static bool run_line(struct gcs_server *s, char *line)
{
	size_t n = strcspn(line, " ");
	char *words = line + n + (line[n] == ' ');

	line[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(line, commands[i].name))
			return commands[i].run(s, words);
	return false;
}

int gcs_server_script(struct gcs_server *s, const char *lines)
{
	CLEANUP(free_char) char *copy = xstrdup(lines);
	char *rest, *line = strtok_r(copy, "\n", &rest);
	bool ok = true;

	pthread_mutex_lock(&s->lock);
	for (; ok && line; line = strtok_r(NULL, "\n", &rest))
		ok = run_line(s, line);
	pthread_mutex_unlock(&s->lock);
	return ok ? 0 : -EINVAL;
}

static unsigned long all_of(const struct gcs_server *s)
{
	unsigned long all = 0;

	for (int i = 0; i < GCS_KIND_COUNT; i++)
		if (i != GCS_TOKEN && i != GCS_METADATA)
			all += s->counts[i];
	return all;
}

static unsigned long locked(struct gcs_server *s, const unsigned long *number)
{
	unsigned long n;

	pthread_mutex_lock(&s->lock);
	n = *number;
	pthread_mutex_unlock(&s->lock);
	return n;
}

unsigned long gcs_server_count(struct gcs_server *s, enum gcs_kind kind)
{
	return locked(s, &s->counts[kind]);
}

unsigned long gcs_server_count_all(struct gcs_server *s)
{
	unsigned long all;

	pthread_mutex_lock(&s->lock);
	all = all_of(s);
	pthread_mutex_unlock(&s->lock);
	return all;
}

unsigned long gcs_server_connections(struct gcs_server *s)
{
	return locked(s, &s->connections);
}

unsigned long gcs_server_parallel(struct gcs_server *s)
{
	return locked(s, &s->parallel);
}

char *gcs_server_log(struct gcs_server *s)
{
	char *text;

	pthread_mutex_lock(&s->lock);
	text = xstrdup(s->log.buf);
	pthread_mutex_unlock(&s->lock);
	return text;
}

static char *counts_text(struct gcs_server *s)
{
	struct strbuf out = STRBUF_INIT(COUNTS_MAX);

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < GCS_KIND_COUNT; i++)
		strbuf_addf(&out, "%s %lu\n", kind_name((enum gcs_kind)i), s->counts[i]);
	strbuf_addf(&out, "all %lu\nconnections %lu\nparallel %lu\nbusy %lld\n", all_of(s),
		    s->connections, s->parallel, (long long)s->busy / 1000);
	pthread_mutex_unlock(&s->lock);
	return strbuf_detach(&out);
}

void answer_control(struct request *q, struct reply *p)
{
	static const struct {
		const char *name;
		char *(*text)(struct gcs_server *s);
	} questions[] = {
		{ "counts", counts_text },
		{ "log", gcs_server_log },
		{ "service-account", gcs_server_service_account },
		{ "authorized-user", gcs_server_authorized_user },
	};

	if (q->n_segments == 1) {
		reply_reset(p, gcs_server_script(q->server, q->body.buf) ? 400 : 200);
		return;
	}
	reply_reset(p, 404);
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		if (!strcmp(q->segments[1], questions[i].name)) {
			CLEANUP(free_char) char *text = questions[i].text(q->server);

			reply_reset(p, 200);
			strbuf_addstr(&p->body, text);
		}
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* server_faults.c - what the test server does wrong, on demand. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

#define NOWHERE SIZE_MAX

/* The words of a fault: which flag each sets, and which number its value is. */
static const struct word {
	const char *name;
	size_t flag, number;
	bool bare; /* may stand without a value */
} words_known[] = {
	{ "skip", NOWHERE, offsetof(struct fault, skip), false },
	{ "times", NOWHERE, offsetof(struct fault, times), false },
	{ "every", NOWHERE, offsetof(struct fault, every), false },
	{ "status", NOWHERE, offsetof(struct fault, status), false },
	{ "retry-after", NOWHERE, offsetof(struct fault, retry_after), false },
	{ "retry-date", NOWHERE, offsetof(struct fault, retry_date), false },
	{ "huge", NOWHERE, offsetof(struct fault, huge), false },
	{ "shift", NOWHERE, offsetof(struct fault, shift), false },
	{ "decode", offsetof(struct fault, decode), NOWHERE, true },
	{ "md5", offsetof(struct fault, md5), NOWHERE, true },
	{ "crc32c", offsetof(struct fault, crc32c), NOWHERE, true },
	{ "damage", offsetof(struct fault, damage), NOWHERE, true },
	{ "unchecked", offsetof(struct fault, unchecked), NOWHERE, true },
	{ "limit", offsetof(struct fault, limit), NOWHERE, true },
	{ "careless", offsetof(struct fault, careless), NOWHERE, true },
	{ "elsewhere", offsetof(struct fault, elsewhere), NOWHERE, true },
	{ "spin", offsetof(struct fault, spin), NOWHERE, true },
	{ "drop", offsetof(struct fault, drop), NOWHERE, true },
	{ "lost", offsetof(struct fault, lost), offsetof(struct fault, lost_status), true },
	{ "cut", offsetof(struct fault, has_cut), offsetof(struct fault, cut), false },
	{ "delay", NOWHERE, offsetof(struct fault, delay), false },
	{ "slow", NOWHERE, offsetof(struct fault, slow), false },
	{ "garbage", offsetof(struct fault, garbage), NOWHERE, true },
	{ "hash", offsetof(struct fault, hash), NOWHERE, true },
	{ "flip", offsetof(struct fault, flip), NOWHERE, true },
	{ "size", offsetof(struct fault, has_size), offsetof(struct fault, size), false },
	{ "page", offsetof(struct fault, has_page), offsetof(struct fault, page), false },
	{ "overlap", offsetof(struct fault, overlap), NOWHERE, true },
	{ "repeat", offsetof(struct fault, repeat), NOWHERE, true },
};

static const struct {
	unsigned status;
	const char *reason, *message;
} answers[] = {
	{ 400, "invalid", "Invalid argument." },
	{ 404, "notFound", "Not Found" },
	{ 408, "requestTimeout", "Request Timeout" },
	{ 412, "conditionNotMet",
	  "At least one of the pre-conditions you specified did not hold." },
	{ 429, "rateLimitExceeded",
	  "The object exceeded the rate limit for object mutation operations (create, update, and "
	  "delete). Please reduce your request rate." },
	{ 500, "backendError", "Backend Error" },
	{ 502, "badGateway", "Bad Gateway" },
	{ 503, "backendError", "We encountered an internal error. Please try again." },
	{ 504, "gatewayTimeout", "Gateway Timeout" },
};

void fault_release(struct fault *f)
{
	free(f->object);
	f->object = NULL;
}

static bool set_word(struct fault *f, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(words_known); i++) {
		const struct word *w = &words_known[i];

		if (strcmp(name, w->name) != 0)
			continue;
		if (w->flag != NOWHERE)
			*(bool *)((char *)f + w->flag) = true;
		if (!value)
			return w->bare;
		return w->number != NOWHERE &&
		       parse_number(value, (uint64_t *)(void *)((char *)f + w->number));
	}
	return false;
}

static bool parse_kind(const char *name, int *ret)
{
	*ret = -1;
	if (!strcmp(name, "*"))
		return true;
	for (int i = 0; i < GCS_KIND_COUNT; i++) {
		if (!strcmp(name, kind_name((enum gcs_kind)i))) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool fault_add(struct gcs_server *s, char *words)
{
	struct fault f = { .times = 1 };
	char *rest, *word = strtok_r(words, " ", &rest);
	bool ok = word && parse_kind(word, &f.kind);

	while (ok && (word = strtok_r(NULL, " ", &rest))) {
		char *value = strchr(word, '=');

		if (value)
			*value++ = '\0';
		if (value && !strcmp(word, "object")) {
			free(f.object);
			f.object = xstrdup(value);
		} else {
			ok = set_word(&f, word, value);
		}
	}
	if (!ok) {
		fault_release(&f);
		return false;
	}
	if (f.every)
		f.skip += f.every - 1;
	GROW(s->faults, s->n_faults, s->alloc_faults);
	s->faults[s->n_faults++] = f;
	return true;
}

struct fault fault_take(struct gcs_server *s, const struct request *q)
{
	for (size_t i = 0; i < s->n_faults; i++) {
		struct fault *f = &s->faults[i], taken;

		if (!f->times || (f->kind >= 0 && f->kind != (int)q->kind) ||
		    (f->object && (!q->object || strcmp(f->object, q->object) != 0)))
			continue;
		if (f->skip) {
			f->skip--;
			continue;
		}
		if (f->every)
			f->skip = f->every - 1;
		else
			f->times--;
		taken = *f;
		taken.object = NULL;
		return taken;
	}
	return (struct fault){ 0 };
}

static void answer_status(const struct request *q, struct reply *p, unsigned status)
{
	if (q->kind == GCS_TOKEN || q->kind == GCS_METADATA) {
		token_error(p, status, status < 500 ? "invalid_grant" : "internal_failure",
			    "The fault that was asked for");
		return;
	}
	if (status == 401) {
		auth_refuse(p);
		return;
	}
	if (status == 403 && q->fault.limit) {
		reply_error(p, status, "rateLimitExceeded", "Rate Limit Exceeded");
		return;
	}
	if (status == 403) {
		right_refuse(q, kind_permission(q->kind), p);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (answers[i].status == status) {
			reply_error(p, status, answers[i].reason, "%s", answers[i].message);
			return;
		}
	}
	reply_error(p, status, "unknown", "Status %u", status);
}

bool fault_before(const struct request *q, struct reply *p)
{
	const struct fault *f = &q->fault;

	p->dropped = f->drop;
	if (!f->status)
		return f->drop;
	answer_status(q, p, (unsigned)f->status);
	if (f->retry_after) {
		CLEANUP(free_char)
		char *text = xasprintf("%llu", (unsigned long long)f->retry_after);

		reply_header(p, "Retry-After", text);
	}
	if (f->retry_date) {
		CLEANUP(free_char)
		char *text = http_date_text(clock_now() + (int64_t)f->retry_date * SECOND_US);

		reply_header(p, "Retry-After", text);
	}
	return true;
}

void fault_after(const struct request *q, struct reply *p)
{
	const struct fault *f = &q->fault;

	if (f->lost) {
		p->dropped = !f->lost_status;
		if (f->lost_status)
			answer_status(q, p, (unsigned)f->lost_status);
	}
	if (f->flip && p->body.len)
		p->body.buf[p->body.len / 2] ^= 1;
	if (f->huge) {
		char *blanks;

		reply_reset(p, 200);
		blanks = strbuf_reserve(&p->body, (size_t)f->huge);
		memset(blanks, ' ', (size_t)f->huge);
		strbuf_setlen(&p->body, (size_t)f->huge);
	}
	if (f->garbage) {
		reply_reset(p, 200);
		reply_header(p, "Content-Type", "text/html");
		strbuf_addstr(&p->body, "<html><body>Sign in to this network</body></html>");
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * diff_explain.c - the causes of differences: both bodies are read where nothing else tells.
 *
 * The differences are gathered first, then explained side by side on a pool, and counted at the end
 * in their order, so that the examples are the same whichever body came first.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "clock.h"
#include "diff.h"
#include "json_diff.h"
#include "log.h"
#include "memory.h"
#include "pool.h"
#include "store.h"
#include "strbuf.h"

static const char *const texts[CAUSES] = {
	[CAUSE_ABSENT_A] = "absent in the first",
	[CAUSE_ABSENT_B] = "absent in the second",
	[CAUSE_GZIP] = "other gzip bytes only",
	[CAUSE_HEADERS] = "other headers",
	[CAUSE_SPELLING] = "the same JSON, spelled otherwise",
	[CAUSE_NO_ZONE] = "time without Z",
	[CAUSE_TIME] = "another time",
	[CAUSE_VERSIONS] = "another version set",
	[CAUSE_LATEST] = "another latest version",
	[CAUSE_RETRACTED] = "retracted or not",
	[CAUSE_STATE] = "discontinued or replaced",
	[CAUSE_BASE_URL] = "another base URL",
	[CAUSE_PUBSPEC] = "another pubspec",
	[CAUSE_HASH] = "another archive_sha256",
	[CAUSE_ADVISORIES] = "another set of advisories",
	[CAUSE_ADVISORY] = "another text of an advisory",
	[CAUSE_VALUE] = "another value",
	[CAUSE_UNREADABLE] = "not readable",
	[CAUSE_BYTES] = "other bytes",
};

const char *cause_text(enum cause cause)
{
	return texts[cause];
}

/* Where in a document a value stands: the part behind `/versions/V` (or `/latest`), or the top. */
static const struct {
	const char *place, *name; /* NULL: whatever it is called */
	enum cause cause;
} places[] = {
	{ "versions", "", CAUSE_VERSIONS },
	{ "versions", "pubspec", CAUSE_PUBSPEC },
	{ "versions", "archive_url", CAUSE_BASE_URL },
	{ "versions", "archive_sha256", CAUSE_HASH },
	{ "versions", "published", CAUSE_TIME },
	{ "versions", "retracted", CAUSE_RETRACTED },
	{ "advisories", "", CAUSE_ADVISORIES },
	{ "advisories", NULL, CAUSE_ADVISORY },
	{ "", "isDiscontinued", CAUSE_STATE },
	{ "", "replacedBy", CAUSE_STATE },
	{ "", "advisoriesUpdated", CAUSE_TIME },
	{ "latest", "version", CAUSE_LATEST },
	{ "latest", "pubspec", CAUSE_PUBSPEC },
	{ "latest", "archive_url", CAUSE_BASE_URL },
	{ "latest", "archive_sha256", CAUSE_HASH },
	{ "latest", "published", CAUSE_TIME },
	{ "latest", "retracted", CAUSE_RETRACTED },
};

static bool is_part(const char *part, size_t n, const char *text)
{
	return n == strlen(text) && !memcmp(part, text, n);
}

/* How many parts of a pointer say where a value stands, and not what it is called. */
static int depth_of(const char *pointer)
{
	size_t n = strcspn(pointer + 1, "/");

	if (is_part(pointer + 1, n, "versions") || is_part(pointer + 1, n, "advisories"))
		return 2;
	return is_part(pointer + 1, n, "latest") ? 1 : 0;
}

static enum cause cause_of_place(const char *pointer)
{
	int depth = *pointer ? depth_of(pointer) : 0;
	const char *name = pointer;
	size_t n_place = depth ? strcspn(pointer + 1, "/") : 0, n_name;

	for (int i = 0; i < depth && *name; i++)
		name += 1 + strcspn(name + 1, "/");
	name += *name == '/';
	n_name = strcspn(name, "/");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (is_part(pointer + (depth > 0), n_place, places[i].place) &&
		    (!places[i].name || is_part(name, n_name, places[i].name)))
			return places[i].cause;
	return CAUSE_VALUE;
}

static bool is_no_zone(const struct json *a, const struct json *b)
{
	const struct json *longer = a->len > b->len ? a : b, *shorter = longer == a ? b : a;

	return a->type == JSON_STRING && b->type == JSON_STRING &&
	       longer->len == shorter->len + 1 && longer->text[longer->len - 2] == 'Z' &&
	       !memcmp(a->text, b->text, shorter->len - 1);
}

struct causes {
	unsigned bits;
	bool other_latest; /* then all that is said of it differs */
};

static int add_cause(void *ctx, const char *pointer, const struct json *a, const struct json *b)
{
	static const char latest[] = "/latest/";
	struct causes *causes = ctx;
	enum cause cause = cause_of_place(pointer);

	if (cause == CAUSE_TIME && a && b && is_no_zone(a, b))
		cause = CAUSE_NO_ZONE;
	if (!causes->other_latest || strncmp(pointer, latest, strlen(latest)) != 0)
		causes->bits |= 1u << cause;
	return 0;
}

/* Another version stands at `latest`. */
static bool has_other_latest(struct json a, struct json b)
{
	struct json latest_a, latest_b, version_a, version_b;

	return json_member(a, "latest", &latest_a) && json_member(b, "latest", &latest_b) &&
	       json_member(latest_a, "version", &version_a) &&
	       json_member(latest_b, "version", &version_b) &&
	       (version_a.len != version_b.len ||
		memcmp(version_a.text, version_b.text, version_a.len) != 0);
}

/* What of this kind is not JSON cannot be read. */
static bool must_be_json(enum kind kind)
{
	const char *type = catalog_info(kind)->type;

	return type && !strncmp(type, "application/json", strlen("application/json"));
}

unsigned diff_causes(enum kind kind, const struct strbuf *a, const struct strbuf *b)
{
	struct causes causes = { 0 };
	struct json json_a, json_b;
	int r;

	if (a->len == b->len && !memcmp(a->buf, b->buf, a->len))
		return 1u << CAUSE_GZIP;
	if (json_parse(a->buf, a->len, &json_a, NULL) < 0 ||
	    json_parse(b->buf, b->len, &json_b, NULL) < 0)
		return 1u << (must_be_json(kind) ? CAUSE_UNREADABLE : CAUSE_BYTES);
	causes.other_latest = has_other_latest(json_a, json_b);
	if (causes.other_latest)
		causes.bits |= 1u << CAUSE_LATEST;
	r = json_diff(json_a, json_b, add_cause, &causes);
	assert(!r);
	return causes.bits ? causes.bits : 1u << CAUSE_SPELLING;
}

int diff_load(struct store *s, const char *key, const struct fingerprint *f, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(DOCUMENT_MAX);
	int r = store_read(s, key, f->generation, 0, f->size, f->gzip ? &stored : out);

	if (r < 0)
		return r == -ENOENT ? -ESTALE : r;
	return f->gzip ? gzip_decode(stored.buf, stored.len, out) : 0;
}

/* One difference, until it is explained. */
struct question {
	char *name;
	enum kind kind;
	struct fingerprint a, b; /* of what is needed to read the bodies */
	bool read;		 /* they have to be */
	unsigned causes;
	int result;
	const struct diff_side *sides;
};

struct questions {
	struct question *questions;
	size_t n, alloc;
	const struct diff_side *sides;
};

static void questions_release(struct questions *qs)
{
	for (size_t i = 0; i < qs->n; i++)
		free(qs->questions[i].name);
	free(qs->questions);
}

static int ask(void *ctx, const struct difference *d)
{
	static const unsigned known[LIKENESSES] = {
		[LIKE_HEADERS] = 1u << CAUSE_HEADERS,
		[LIKE_ONLY_A] = 1u << CAUSE_ABSENT_B,
		[LIKE_ONLY_B] = 1u << CAUSE_ABSENT_A,
	};
	struct questions *qs = ctx;
	struct object_name name;
	struct question q = { .causes = known[d->likeness], .sides = qs->sides };

	q.name = xstrdup(d->name);
	q.kind = catalog_match(d->a ? d->a->key : d->b->key, &name);
	if (d->a && d->b) {
		q.a = *d->a;
		q.b = *d->b;
		if (q.a.headers != q.b.headers || q.a.gzip != q.b.gzip)
			q.causes |= 1u << CAUSE_HEADERS;
		if (d->likeness == LIKE_DIFFERENT && q.kind == KIND_ARCHIVE)
			q.causes |= 1u << CAUSE_BYTES;
		else
			q.read = d->likeness != LIKE_HEADERS;
	}
	GROW(qs->questions, qs->n, qs->alloc);
	qs->questions[qs->n++] = q;
	return 0;
}

/* -EBADMSG, -E2BIG: that is the answer. */
static int load(const struct diff_side *side, const char *name, const struct fingerprint *f,
		struct strbuf *out)
{
	CLEANUP(free_char) char *key = xasprintf("%s%s", side->prefix, name);
	int r = diff_load(side->store, key, f, out);

	return r == -ESTALE ? fail(-EIO, "%s was changed meanwhile; look again", key) : r;
}

static void answer(void *ctx)
{
	struct question *q = ctx;
	CLEANUP(strbuf_release) struct strbuf a = STRBUF_INIT(DOCUMENT_MAX);
	CLEANUP(strbuf_release) struct strbuf b = STRBUF_INIT(DOCUMENT_MAX);
	int r = load(&q->sides[0], q->name, &q->a, &a);

	if (!r)
		r = load(&q->sides[1], q->name, &q->b, &b);
	if (!r)
		q->causes |= diff_causes(q->kind, &a, &b);
	else if (r == -EBADMSG || r == -E2BIG)
		q->causes |= 1u << CAUSE_UNREADABLE;
	else
		q->result = r;
}

/* Answers each that needs its bodies. */
static int answer_all(const struct questions *qs, unsigned jobs)
{
	struct pool *pool;
	int r = pool_new(jobs ? jobs : 1, &pool);

	if (r < 0)
		return r;
	for (size_t i = 0; i < qs->n; i++)
		if (qs->questions[i].read)
			pool_run(pool, answer, &qs->questions[i]);
	pool_free(pool);
	return 0;
}

static void explain(const struct question *q, struct explanation *e)
{
	e->objects++;
	for (unsigned cause = 0; cause < CAUSES; cause++) {
		if (!(q->causes & 1u << cause))
			continue;
		if (!e->counts[cause]++)
			e->examples[cause] = xstrdup(q->name);
	}
}

void explanation_release(struct explanation *e)
{
	for (size_t i = 0; i < CAUSES; i++)
		free(e->examples[i]);
	*e = (struct explanation){ 0 };
}

int diff_explain(const struct diff_side *a, const struct diff_side *b, unsigned jobs,
		 struct explanation *ret)
{
	const struct diff_side sides[] = { *a, *b };
	CLEANUP(questions_release) struct questions qs = { .sides = sides };
	struct diff_sizes sizes;
	int r = diff_sides(a, b, ask, &qs, &sizes);

	if (!r)
		r = answer_all(&qs, jobs);
	*ret = (struct explanation){ 0 };
	for (size_t i = 0; i < qs.n && r >= 0; i++) {
		if (qs.questions[i].result < 0)
			r = qs.questions[i].result;
		else
			explain(&qs.questions[i], ret);
	}
	return r;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publish.c - the only door to the bucket's contents: gate, compare, send, log.
 *
 * A publication goes through
 *	decide	 may it be there (gate, hash), is it there already (content, then headers)?
 *	edit	 what is left of all of them goes to the store in one call
 *	settle	 results, the object as it is now, one log line for each change
 * Bytes that go to several keys are judged, hashed and compressed once (struct prepared, and struct
 * streamed for those that are copied). A renewed `validated` goes out in a second call: its failure
 * is a warning, and must not end the group of a change that matters.
 */
#include "publish.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "clock.h"
#include "codec.h"
#include "log.h"
#include "memory.h"
#include "stored_body.h"

#define REMARK_MAX ((size_t)8 << 10)

struct watcher {
	publication_fn *fn;
	void *ctx;
};

struct publisher {
	struct publisher_options opt;
	struct watcher *watchers;
	size_t n_watchers, watchers_alloc;
};

/* A body that is to be written, judged, hashed and compressed once, however many keys get it. */
struct prepared {
	struct prepared *next;
	const struct body *body;
	struct object_name name;
	int verdict;	   /* the gate's */
	struct strbuf why; /* and its reason or remark */
	unsigned char sha256[SHA256_SIZE];
	struct strbuf gzipped; /* where the kind is stored so */
	struct body stored;    /* the bytes as they will be stored; once `has_stored` is set */
	unsigned char md5[MD5_SIZE]; /* of these */
	bool has_stored;
};

/* An archive that was read, through the gate and the digest, for the first prefix that gets it. */
struct streamed {
	struct streamed *next;
	const struct object *source;
	struct object_name name;
	int verdict;	   /* the gate's */
	struct strbuf why; /* and its reason or remark */
	unsigned char sha256[SHA256_SIZE];
};

/* What is to be sent of one publication, and with what. */
struct decision {
	enum published action;
	bool renewal; /* only `validated` is old */
	struct object_name name;
	unsigned char sha256[SHA256_SIZE]; /* of the decoded bytes */
	uint64_t decoded_size;
	struct prepared *bytes; /* PUBLISH_WRITE alone; borrowed */
};

/* One call of publish(). */
struct session {
	const struct publisher *pub;
	const struct publisher_options *opt;
	struct prepared *prepared;
	struct streamed *streamed;
};

int publisher_new(const struct publisher_options *options, struct publisher **ret)
{
	struct publisher *pub = xcalloc(1, sizeof(*pub));

	pub->opt = *options;
	*ret = pub;
	return 0;
}

void publisher_free(struct publisher *pub)
{
	free(pub->watchers);
	free(pub);
}

void publisher_watch(struct publisher *pub, publication_fn *fn, void *ctx)
{
	GROW(pub->watchers, pub->n_watchers, pub->watchers_alloc);
	pub->watchers[pub->n_watchers++] = (struct watcher){ fn, ctx };
}

void publisher_unwatch(struct publisher *pub, const void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < pub->n_watchers; i++)
		if (pub->watchers[i].ctx != ctx)
			pub->watchers[kept++] = pub->watchers[i];
	pub->n_watchers = kept;
}

void publication_init(struct publication *p)
{
	*p = (struct publication){ 0 };
	object_init(&p->now);
	strbuf_init(&p->remark, REMARK_MAX);
}

void publication_release(struct publication *p)
{
	object_release(&p->now);
	strbuf_release(&p->remark);
}

static int refuse(struct publication *p, const char *why)
{
	if (why) {
		strbuf_reset(&p->remark);
		strbuf_addstr(&p->remark, why);
	}
	return fail(-EINVAL, "refused %s: %s", p->key, p->remark.buf);
}

/* The gate's verdict, as its mode has it. */
static int judge(const struct session *s, struct publication *p, int verdict)
{
	if (verdict != -EINVAL)
		return verdict;
	if (s->opt->gate == GATE_ENFORCE)
		return refuse(p, NULL);
	strbuf_addstr(&p->remark, " (and it was published all the same)");
	return 0;
}

static bool same_part(struct name_part a, struct name_part b)
{
	return a.len == b.len && (!a.len || !memcmp(a.text, b.text, a.len));
}

/* To the gate, which has nothing to do with prefixes. */
static bool same_name(const struct object_name *a, const struct object_name *b)
{
	return a->kind == b->kind && same_part(a->package, b->package) &&
	       same_part(a->version, b->version);
}

/* The same bytes under another prefix share everything; the last ones come first. */
static int prepare(struct session *s, const struct body *body, const struct object_name *name,
		   struct prepared **ret)
{
	struct prepared *pr;

	for (pr = s->prepared; pr; pr = pr->next)
		if (pr->body == body && same_name(&pr->name, name)) {
			*ret = pr;
			return 0;
		}
	pr = xcalloc(1, sizeof(*pr));
	pr->next = s->prepared;
	s->prepared = pr;
	pr->body = body;
	pr->name = *name;
	strbuf_init(&pr->why, REMARK_MAX);
	strbuf_init(&pr->gzipped, DOCUMENT_MAX);
	pr->verdict =
		digest_body(body, pr->sha256, catalog_info(name->kind)->gzip ? NULL : pr->md5);
	if (!pr->verdict && s->opt->gate != GATE_OFF)
		pr->verdict = gate_check(name, body, &pr->why);
	*ret = pr;
	return pr->verdict == -EINVAL ? 0 : pr->verdict;
}

static void session_end(struct session *s)
{
	while (s->prepared) {
		struct prepared *pr = s->prepared;

		s->prepared = pr->next;
		strbuf_release(&pr->why);
		strbuf_release(&pr->gzipped);
		free(pr);
	}
	while (s->streamed) {
		struct streamed *st = s->streamed;

		s->streamed = st->next;
		strbuf_release(&st->why);
		free(st);
	}
}

static int decide_gate(struct session *s, struct publication *p, struct decision *d)
{
	unsigned char expected[SHA256_SIZE];
	int r;

	if (!p->body->size)
		return refuse(p, "it is empty");
	r = prepare(s, p->body, &d->name, &d->bytes);
	if (r < 0)
		return r;
	memcpy(d->sha256, d->bytes->sha256, SHA256_SIZE);
	d->decoded_size = p->body->size;
	strbuf_addstr(&p->remark, d->bytes->why.buf);
	r = judge(s, p, d->bytes->verdict);
	if (r < 0 || !p->sha256 || s->opt->gate == GATE_OFF)
		return r;
	if (!hex_decode(p->sha256, expected, SHA256_SIZE) &&
	    !memcmp(d->sha256, expected, SHA256_SIZE))
		return 0;
	strbuf_reset(&p->remark);
	strbuf_addf(&p->remark, "its SHA-256 is not the listed one, %s", p->sha256);
	return judge(s, p, -EINVAL);
}

/* Makes the bytes as they will be stored, and their MD5, when they are first asked for. */
static int prepare_stored(const struct publication *p, struct prepared *pr)
{
	CLEANUP(strbuf_release) struct strbuf decoded = STRBUF_INIT(DOCUMENT_MAX);
	const char *bytes = pr->body->buf;
	int r;

	if (pr->has_stored)
		return 0;
	pr->stored = *pr->body;
	if (catalog_info(pr->name.kind)->gzip) {
		if (!bytes) {
			r = body_load(pr->body, &decoded);
			if (r < 0)
				return fail(r, "cannot load the bytes for %s", p->key);
			bytes = decoded.buf;
		}
		r = gzip_encode(bytes, pr->body->size, &pr->gzipped);
		if (r < 0)
			return fail(r, "%s is too large", p->key);
		pr->stored = body_of_strbuf(&pr->gzipped);
		md5(pr->gzipped.buf, pr->gzipped.len, pr->md5);
	}
	pr->has_stored = true;
	return 0;
}

/* The SHA-256 of the decoded bytes that are in the bucket; 0: its bytes are no sound body. */
static int digest_stored(const struct session *s, const struct object *have,
			 unsigned char ret[SHA256_SIZE])
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	int r = stored_load(s->opt->store, have, &text);

	if (r < 0)
		return r == -EBADMSG || r == -E2BIG ? 0 : r;
	sha256(text.buf, text.len, ret);
	return 1;
}

/* 1: the bucket has these decoded bytes, in this encoding. */
static int decide_same(const struct session *s, const struct publication *p,
		       const struct decision *d)
{
	const struct object *have = p->have;
	unsigned char theirs[SHA256_SIZE];
	int r;

	if (!have || have->gzip != catalog_info(d->name.kind)->gzip)
		return 0;
	if (have->has_sha256)
		return !memcmp(have->sha256, d->sha256, SHA256_SIZE);
	r = prepare_stored(p, d->bytes);
	if (r < 0)
		return r;
	if (have->has_md5 && !memcmp(have->md5, d->bytes->md5, MD5_SIZE))
		return 1;
	if (!have->gzip && (have->has_md5 || have->size != p->body->size))
		return 0;
	r = digest_stored(s, have, theirs);
	return r <= 0 ? r : !memcmp(theirs, d->sha256, SHA256_SIZE);
}

/* An object of the same content whose headers or custom keys are not ours. Times and marks alone
 * are no reason to send anything. */
static bool needs_repair(const struct session *s, const struct publication *p)
{
	const struct object *have = p->have;

	return !object_has_catalog_headers(have) || have->foreign_encoding || !have->has_sha256 ||
	       !have->has_decoded_size || have->validated == NO_TIME ||
	       (s->opt->runtime_version && !have->runtime_version) ||
	       (p->change && !have->change) || (p->mark && !same_text(p->change, have->change));
}

/* Of what is in the bucket with the same content. */
static void decide_metadata(const struct session *s, const struct publication *p,
			    struct decision *d)
{
	if (needs_repair(s, p)) {
		d->action = PUBLISHED_TOUCH;
	} else if (p->refresh && clock_rules() - p->have->validated > VALIDATED_MAX_AGE) {
		d->action = PUBLISHED_TOUCH;
		d->renewal = true;
	}
}

static int decide_write(struct session *s, struct publication *p, struct decision *d)
{
	int r = decide_gate(s, p, d);

	if (r < 0)
		return r;
	r = p->force ? 0 : decide_same(s, p, d);
	if (r < 0)
		return r;
	if (r) {
		decide_metadata(s, p, d);
		return 0;
	}
	d->action = PUBLISHED_WRITE;
	return prepare_stored(p, d->bytes);
}

static bool copy_is_there(const struct publication *p, const unsigned char *expected)
{
	const struct object *have = p->have, *source = p->source;

	if (!have || have->gzip != source->gzip)
		return false;
	if (have->has_sha256 && expected)
		return !memcmp(have->sha256, expected, SHA256_SIZE);
	if (have->has_sha256 && source->has_sha256)
		return !memcmp(have->sha256, source->sha256, SHA256_SIZE);
	return have->size == source->size && have->has_md5 && source->has_md5 &&
	       !memcmp(have->md5, source->md5, MD5_SIZE);
}

/* Reads the source once, through the gate and the digest. */
static int stream(struct session *s, const struct publication *p, const struct object_name *name,
		  struct streamed **ret)
{
	struct stored_body *source;
	struct streamed *st;
	int r;

	for (st = s->streamed; st; st = st->next)
		if (st->source == p->source && same_name(&st->name, name)) {
			*ret = st;
			return 0;
		}
	st = xcalloc(1, sizeof(*st));
	st->source = p->source;
	st->name = *name;
	strbuf_init(&st->why, REMARK_MAX);
	source = stored_body_new(p->from, p->source);
	if (s->opt->gate != GATE_OFF)
		st->verdict = gate_check(name, stored_body(source), &st->why);
	r = stored_body_finish(source, st->sha256);
	if (r < 0) {
		strbuf_release(&st->why);
		free(st);
		return r;
	}
	st->next = s->streamed;
	s->streamed = st;
	*ret = st;
	return 0;
}

static int decide_streamed(struct session *s, struct publication *p, struct decision *d,
			   const unsigned char *expected)
{
	struct streamed *st;
	int r = stream(s, p, &d->name, &st);

	if (r < 0)
		return r;
	memcpy(d->sha256, st->sha256, SHA256_SIZE);
	strbuf_addstr(&p->remark, st->why.buf);
	r = judge(s, p, st->verdict);
	if (r < 0)
		return r;
	if (expected && memcmp(d->sha256, expected, SHA256_SIZE) != 0) {
		strbuf_reset(&p->remark);
		strbuf_addf(&p->remark, "the SHA-256 of %s is not that of its version, %s",
			    p->source->key, p->sha256);
		return refuse(p, NULL);
	}
	return 0;
}

static int decide_copy(struct session *s, struct publication *p, struct decision *d)
{
	const struct object *source = p->source;
	unsigned char expected_bytes[SHA256_SIZE], *expected = NULL;
	bool document = d->name.kind != KIND_ARCHIVE, there;
	int r;

	if (source->gzip != catalog_info(d->name.kind)->gzip)
		return refuse(p, "what it would be a copy of is stored with another encoding");
	if (document && (p->renamed || !source->has_sha256 || !source->has_decoded_size))
		return refuse(p, "a document is copied only where its metadata say what it is: "
				 "pubfs adopt reads what another program wrote");
	if (!source->size)
		return refuse(p, "it is empty");
	if (p->sha256) {
		expected = expected_bytes;
		if (hex_decode(p->sha256, expected, SHA256_SIZE) < 0)
			return refuse(p, "the SHA-256 of its version is not 64 hex digits");
	}
	there = !p->force && copy_is_there(p, expected);
	d->decoded_size = document ? source->decoded_size : there ? p->have->size : source->size;
	if (there && p->have->has_sha256) {
		memcpy(d->sha256, p->have->sha256, SHA256_SIZE);
	} else if (source->has_sha256 && !p->renamed &&
		   (!expected || !memcmp(source->sha256, expected, SHA256_SIZE))) {
		memcpy(d->sha256, source->sha256, SHA256_SIZE);
	} else {
		r = decide_streamed(s, p, d, expected);
		if (r < 0)
			return r;
	}
	if (there)
		decide_metadata(s, p, d);
	else
		d->action = PUBLISHED_WRITE;
	return 0;
}

/* The decoded body of a document that another program wrote. */
static int decide_foreign(const struct session *s, struct publication *p, struct decision *d)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct body body;
	int r = stored_load(s->opt->store, p->have, &text);

	if (r == -EBADMSG || r == -E2BIG)
		return refuse(p, "its bytes are damaged");
	if (r < 0)
		return r;
	body = body_of_strbuf(&text);
	sha256(text.buf, text.len, d->sha256);
	d->decoded_size = text.len;
	r = s->opt->gate == GATE_OFF ? 0 : gate_check(&d->name, &body, &p->remark);
	return judge(s, p, r);
}

static int decide_adopt(struct session *s, struct publication *p, struct decision *d)
{
	const struct object *have = p->have;
	int r = 0;

	if (have->foreign_encoding || have->gzip != catalog_info(d->name.kind)->gzip)
		return refuse(p, "it is stored with another Content-Encoding than the export's, "
				 "which metadata cannot mend: sync writes it anew");
	if (have->has_sha256 && have->has_decoded_size) {
		memcpy(d->sha256, have->sha256, SHA256_SIZE);
		d->decoded_size = have->decoded_size;
	} else if (d->name.kind == KIND_ARCHIVE) {
		d->decoded_size = have->size;
		r = decide_streamed(s, p, d, NULL);
	} else {
		r = decide_foreign(s, p, d);
	}
	if (!r)
		decide_metadata(s, p, d);
	return r;
}

static int decide(struct session *s, struct publication *p, struct decision *d)
{
	if (p->action == PUBLISH_REMOVE) {
		d->action = p->have ? PUBLISHED_REMOVE : PUBLISHED_NOTHING;
		return 0;
	}
	if (catalog_match(p->key, &d->name) == KIND_NONE)
		return refuse(p, "the export has no object of this name");
	if (p->action == PUBLISH_ADOPT)
		return decide_adopt(s, p, d);
	return p->action == PUBLISH_COPY ? decide_copy(s, p, d) : decide_write(s, p, d);
}

/* The whole metadata set (spec, section 10). */
static void object_describe(const struct session *s, const struct publication *p,
			    const struct decision *d, struct object *obj)
{
	const struct object *have = p->have;
	const char *version = s->opt->runtime_version, *change = p->change;

	obj->key = xstrdup(p->key);
	if (d->action == PUBLISHED_REMOVE)
		return;
	if (d->action == PUBLISHED_TOUCH) { /* what is not known now stays as it was */
		version = version ? version : have->runtime_version;
		change = change ? change : have->change;
	}
	catalog_headers(&d->name, obj);
	obj->validated = clock_rules();
	memcpy(obj->sha256, d->sha256, SHA256_SIZE);
	obj->has_sha256 = true;
	obj->decoded_size = d->decoded_size;
	obj->has_decoded_size = true;
	obj->runtime_version = xstrdup_or_null(version);
	obj->change = xstrdup_or_null(change);
	if (d->action == PUBLISHED_WRITE && d->bytes) {
		memcpy(obj->md5, d->bytes->md5, MD5_SIZE);
		obj->has_md5 = true;
	}
}

static void edit_make(const struct session *s, const struct publication *p,
		      const struct decision *d, struct edit *ret)
{
	*ret = (struct edit){ .group = p->group };
	object_init(&ret->object);
	object_describe(s, p, d, &ret->object);
	ret->if_generation = p->have ? p->have->generation : STORE_ABSENT;
	ret->if_metageneration = p->have ? p->have->metageneration : 0;
	if (d->action == PUBLISHED_REMOVE) {
		ret->op = EDIT_REMOVE;
	} else if (d->action == PUBLISHED_TOUCH) {
		ret->op = EDIT_TOUCH;
	} else if (p->action == PUBLISH_COPY) {
		ret->op = EDIT_COPY;
		ret->from = p->from;
		ret->from_key = p->source->key;
		ret->from_generation = p->source->generation;
	} else {
		ret->op = EDIT_WRITE;
		ret->body = &d->bytes->stored;
	}
}

static void log_change(const struct publication *p, const struct edit *edit)
{
	static const char *const verbs[] = {
		[EDIT_WRITE] = "wrote",
		[EDIT_COPY] = "copied",
		[EDIT_TOUCH] = "renewed",
		[EDIT_REMOVE] = "removed",
	};
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(4096);

	strbuf_addf(&line, "%s %s", verbs[edit->op], p->key);
	if (p->change)
		strbuf_addf(&line, " %s", p->change);
	if (edit->op != EDIT_REMOVE)
		strbuf_addf(&line, " generation %" PRIu64, p->now.generation);
	if (p->have)
		strbuf_addf(&line, " (was %" PRIu64 ")", p->have->generation);
	log_info("%s: %s", line.buf, p->why);
	if (p->remark.len)
		log_warning("%s: %s", p->key, p->remark.buf);
}

static void settle(const struct session *s, struct publication *p, const struct decision *d,
		   struct edit *edit)
{
	if (edit->result < 0 && d->renewal) {
		log_warning("%s: its `validated` could not be renewed", p->key);
		return; /* decided as it was */
	}
	/* the source of a copy went away */
	p->result = edit->result == -ENOENT ? -ESTALE : edit->result;
	if (p->result < 0)
		return;
	p->done = d->action;
	p->renewed = d->renewal;
	object_release(&p->now);
	object_init(&p->now);
	if (edit->op != EDIT_REMOVE) {
		p->now = edit->object;
		object_init(&edit->object);
	}
	log_change(p, edit);
	for (size_t i = 0; i < s->pub->n_watchers; i++)
		s->pub->watchers[i].fn(s->pub->watchers[i].ctx, p);
}

/* Sends those that are renewals, or those that are not. */
static void send_edits(const struct session *s, struct publication *publications,
		       struct decision *decisions, size_t n, bool renewals)
{
	struct edit *edits = xcalloc(n, sizeof(*edits));
	size_t *of = xcalloc(n, sizeof(*of));
	size_t n_edits = 0;

	for (size_t i = 0; i < n; i++) {
		struct decision *d = &decisions[i];

		if (publications[i].result < 0 || d->action == PUBLISHED_NOTHING ||
		    d->renewal != renewals)
			continue;
		of[n_edits] = i;
		edit_make(s, &publications[i], d, &edits[n_edits]);
		if (renewals)
			edits[n_edits].group = (unsigned)n_edits;
		n_edits++;
	}
	/* each edit says how it went */
	if (n_edits && store_edit(s->opt->store, edits, n_edits) < 0)
		log_debug("some of %zu changes were not made", n_edits);
	for (size_t e = 0; e < n_edits; e++)
		settle(s, &publications[of[e]], &decisions[of[e]], &edits[e]);
	edit_release(edits, n_edits);
	free(edits);
	free(of);
}

static struct decision *decide_all(struct session *s, struct publication *publications, size_t n)
{
	struct decision *decisions = xcalloc(n ? n : 1, sizeof(*decisions));

	for (size_t i = 0; i < n; i++) {
		struct publication *p = &publications[i];
		bool ended = i && p[-1].group == p->group && p[-1].result < 0;

		assert(p->key && p->why);
		p->done = PUBLISHED_NOTHING;
		p->renewed = false;
		strbuf_reset(&p->remark);
		p->result = ended ? -ECANCELED : decide(s, p, &decisions[i]);
		if (!p->result && p->have && p->action != PUBLISH_REMOVE) {
			object_release(&p->now);
			object_copy(&p->now, p->have);
		}
	}
	return decisions;
}

static int first_failure(const struct publication *publications, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (publications[i].result < 0)
			return publications[i].result;
	return 0;
}

int publish(struct publisher *pub, struct publication *publications, size_t n)
{
	CLEANUP(session_end) struct session s = { .pub = pub, .opt = &pub->opt };
	struct decision *decisions = decide_all(&s, publications, n);

	send_edits(&s, publications, decisions, n, false);
	send_edits(&s, publications, decisions, n, true);
	free(decisions);
	return first_failure(publications, n);
}

int publish_preview(struct publisher *pub, struct publication *publications, size_t n)
{
	CLEANUP(session_end) struct session s = { .pub = pub, .opt = &pub->opt };
	struct decision *decisions = decide_all(&s, publications, n);

	for (size_t i = 0; i < n; i++)
		if (!publications[i].result)
			publications[i].done = decisions[i].action;
	free(decisions);
	return first_failure(publications, n);
}

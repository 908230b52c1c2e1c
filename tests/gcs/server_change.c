/* SPDX-License-Identifier: BSD-3-Clause */
/* server_change.c - the test server's changes without a body: copies, metadata, removals. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "server_internal.h"

void answer_delete(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	struct stored *o;

	/* a condition on what is not there fails as a condition; see conditions_hold() */
	if (!b || !conditions_hold(&q->params, "if", object_find(b, q->object), false, p))
		return;
	o = request_object(q, p, b, q->object, "generation");
	if (!o)
		return;
	object_remove(b, o);
	reply_reset(p, 204);
}

/* RFC 7396: null removes, objects merge. */
static void merge_patch(json_t *to, const json_t *patch)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)patch, name, value)
	{
		json_t *have = json_object_get(to, name);

		if (json_is_null(value)) {
			json_object_del(to, name);
		} else if (json_is_object(value)) {
			if (!have)
				json_object_set_new(to, name, json_object());
			merge_patch(json_object_get(to, name), value);
		} else {
			json_object_set(to, name, value);
		}
	}
}

static bool patch_valid(json_t *patch, struct reply *p)
{
	const char *name, *below;
	json_t *value, *text;

	if (!json_is_object(patch)) {
		reply_error(p, 400, "parseError", "The patch is not JSON");
		return false;
	}
	json_object_foreach(patch, name, value)
	{
		json_t *any = json_string("");
		json_t *map = json_object();
		bool is_map = !strcmp(name, "metadata");
		bool ok = header_settable(name, is_map ? map : any) &&
			  (json_is_null(value) ||
			   (is_map ? json_is_object(value) : json_is_string(value)));

		if (ok && is_map)
			json_object_foreach(value, below, text) ok =
				ok && (json_is_null(text) || json_is_string(text));
		json_decref(any);
		json_decref(map);
		if (!ok) {
			reply_error(p, 400, "invalid", "Unknown or malformed field %s", name);
			return false;
		}
	}
	return true;
}

void answer_patch(struct request *q, struct reply *p)
{
	struct bucket *b = request_bucket(q, p, q->bucket);
	json_t *patch = json_loadb(q->body.buf, q->body.len, JSON_REJECT_DUPLICATES, NULL);
	struct stored *o;

	if (b && patch_valid(patch, p) &&
	    conditions_hold(&q->params, "if", object_find(b, q->object), false, p)) {
		o = request_object(q, p, b, q->object, "generation");
		if (o) {
			int64_t now = clock_now();

			merge_patch(o->headers, patch);
			o->metageneration++;
			o->updated = now > o->updated ? now : o->updated + 1;
			reply_json(p, q, object_json(q, b, o));
		}
	}
	json_decref(patch);
}

/* How much this call may copy, or 0 with 400 answered. */
static uint64_t rewrite_step(const struct request *q, struct reply *p)
{
	const char *most = pairs_get(&q->params, "maxBytesRewrittenPerCall");
	uint64_t limit = q->server->rewrite_limit, asked;

	if (!most)
		return limit;
	if (!parse_number(most, &asked) || !asked || asked % MIB) {
		reply_error(p, 400, "invalid",
			    "maxBytesRewrittenPerCall must be an integral multiple of 1 MiB");
		return 0;
	}
	return asked < limit ? asked : limit;
}

/* The copy that a token stands for, or a new one. */
static struct session *rewrite_session(struct request *q, struct reply *p, const struct stored *o)
{
	const char *token = pairs_get(&q->params, "rewriteToken");
	CLEANUP(free_char)
	char *source = xasprintf("%s/%s>%s/%s %.*s", q->bucket, q->object, q->to_bucket,
				 q->to_object, (int)q->body.len, q->body.buf);
	struct session *session = session_find(q->server, token);

	if (!token) {
		session = session_add(q->server);
		session->source = steal(source);
		session->source_generation = o->generation;
		return session;
	}
	if (session && session->source && !strcmp(session->source, source) &&
	    session->source_generation == o->generation)
		return session;
	reply_error(p, 400, "invalid", "The rewriteToken is not of this rewrite");
	return NULL;
}

static void answer_rewrite_step(struct request *q, struct reply *p, struct session *session,
				const struct stored *o)
{
	json_t *json = json_pack("{s:s, s:b, s:s}", "kind", "storage#rewriteResponse", "done", 0,
				 "rewriteToken", session->id);
	CLEANUP(free_char)
	char *done = xasprintf("%llu", (unsigned long long)session->done);
	CLEANUP(free_char) char *size = xasprintf("%zu", o->bytes.len);

	json_object_set_new(json, "totalBytesRewritten", json_string(done));
	json_object_set_new(json, "objectSize", json_string(size));
	reply_json(p, q, json);
}

/* Without a resource in the request the headers of the source are kept; else all are replaced. */
static void finish_rewrite(struct request *q, struct reply *p, struct bucket *to,
			   const struct stored *o)
{
	CLEANUP(upload_release) struct upload upload = { 0 };
	CLEANUP(strbuf_release) struct strbuf bytes = STRBUF_INIT(BODY_MAX);
	CLEANUP(free_char) char *size = xasprintf("%zu", o->bytes.len);
	bool composed = o->composed;
	struct stored *copy;

	if (!upload_parse(q->body.len ? q->body.buf : "{}", q->body.len ? q->body.len : 2, NULL,
			  &upload, p))
		return;
	if (!json_object_size(upload.headers))
		json_object_update(upload.headers, o->headers);
	free(upload.name);
	upload.name = xstrdup(q->to_object);
	strbuf_add(&bytes, o->bytes.buf, o->bytes.len);
	copy = upload_commit(q, to, &upload, &q->params, &bytes, p);
	if (!copy)
		return;
	copy->composed = composed;
	reply_json(p, q,
		   json_pack("{s:s, s:b, s:s, s:s, s:o}", "kind", "storage#rewriteResponse", "done",
			     1, "totalBytesRewritten", size, "objectSize", size, "resource",
			     object_json(q, to, copy)));
}

void answer_rewrite(struct request *q, struct reply *p)
{
	struct bucket *from = request_bucket(q, p, q->bucket), *to;
	uint64_t step = from ? rewrite_step(q, p) : 0;
	struct session *session;
	struct stored *o;

	if (!step)
		return;
	to = right_check(q, "storage.objects.get", p) ? request_bucket(q, p, q->to_bucket) : NULL;
	o = to ? request_object(q, p, from, q->object, "sourceGeneration") : NULL;
	if (o && o->vast) {
		reply_error(p, 400, "invalid", "This object is only read, in ranges");
		return;
	}
	if (!o || !conditions_hold(&q->params, "ifSource", o, false, p) ||
	    !conditions_hold(&q->params, "if", object_find(to, q->to_object), false, p))
		return;
	if (!object_name_valid(q->to_object)) {
		reply_error(p, 400, "invalid", "Invalid object name");
		return;
	}
	session = rewrite_session(q, p, o);
	if (!session)
		return;
	session->done += step;
	if (session->done < o->bytes.len)
		answer_rewrite_step(q, p, session, o);
	else
		finish_rewrite(q, p, to, o);
}

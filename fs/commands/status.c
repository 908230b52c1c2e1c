/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * status.c - what is going on: what waits and what fails in the database, what a brake holds, what
 * was written by hand, and what each process of this host says of itself.
 *
 * It is put together as JSON, of which the lines for people are another spelling.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "db.h"
#include "deployment.h"
#include "facts.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "report.h"
#include "running.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define NAMES_MAX 100 /* of a kind; the others are counted */

struct state {
	const struct options *o;
	const struct stack *stack;
	struct facts f;
	bool failing, held; /* what the exit status tells */
	bool degraded;	    /* a process cannot reach the store */
};

/* Names with what there is to say of each. */
struct list {
	struct {
		char *name, *why; /* why NULL: nothing */
		unsigned attempts;
	} entries[NAMES_MAX];
	uint64_t all;
};

static void list_release(struct list *list)
{
	for (size_t i = 0; i < NAMES_MAX; i++) {
		free(list->entries[i].name);
		free(list->entries[i].why);
	}
}

static void list_add(struct list *list, const char *name, const char *why, unsigned attempts)
{
	size_t i = list->all++;

	if (i >= NAMES_MAX)
		return;
	list->entries[i].name = xstrdup(name);
	list->entries[i].why = xstrdup_or_null(why);
	list->entries[i].attempts = attempts;
}

static void add_list(struct facts *f, const char *name, const char *counted,
		     const struct list *list)
{
	facts_enter(f, name);
	facts_number(f, counted, list->all);
	facts_enter(f, "names");
	for (size_t i = 0; i < list->all && i < NAMES_MAX; i++) {
		if (!list->entries[i].why) {
			facts_text(f, list->entries[i].name, NULL);
			continue;
		}
		facts_enter(f, list->entries[i].name);
		facts_text(f, "why", list->entries[i].why);
		facts_number(f, "failures", list->entries[i].attempts);
		facts_leave(f);
	}
	facts_leave(f);
	facts_leave(f);
}

/* One runtime version: what it has of each package, in those prefixes that it writes. */
struct deployed {
	const char *version;
	char *keys[2]; /* of export_state: the own prefix's, and latest/'s */
	bool written[2];
	const char *prefixes[2]; /* those of the keys that are written */
	size_t n_prefixes;
	struct list waiting, failing;
};

static void deployed_release(struct deployed *d)
{
	free(d->keys[0]);
	free(d->keys[1]);
	list_release(&d->waiting);
	list_release(&d->failing);
}

static int note_prefix(void *ctx, const char *prefix, const char *renderer)
{
	struct deployed *d = ctx;

	(void)renderer;
	for (size_t i = 0; i < ARRAY_SIZE(d->keys); i++)
		d->written[i] |= !strcmp(d->keys[i], prefix);
	return 0;
}

static int note_work(void *ctx, const struct work *work)
{
	struct deployed *d = ctx;
	bool waits = false;

	if (!work->exists)
		return 0;
	for (size_t i = 0; i < d->n_prefixes; i++) {
		const struct export_state *state = &work->states[i];

		if (state->last_error) {
			list_add(&d->failing, work->package, state->last_error, state->attempts);
			return 0;
		}
		waits |= !state->change || strcmp(state->change, work->change) != 0;
	}
	if (waits)
		list_add(&d->waiting, work->package, NULL, 0);
	return 0;
}

static int add_work(struct state *s, const char *version)
{
	CLEANUP(deployed_release) struct deployed d = { .version = version };
	struct db *db = s->stack->db;
	const char *store = s->stack->bucket->url;
	int r;

	d.keys[0] = export_state_key(version, version);
	d.keys[1] = export_state_key("latest", version);
	r = db_renderers(db, store, note_prefix, &d);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(d.keys); i++)
		if (d.written[i] || (!d.written[0] && !d.written[1]))
			d.prefixes[d.n_prefixes++] = d.keys[i];
	r = db_work(db, store, d.prefixes, d.n_prefixes, NULL, note_work, &d);
	if (r < 0)
		return r;
	add_list(&s->f, "waiting", "packages", &d.waiting);
	add_list(&s->f, "failing", "packages", &d.failing);
	s->failing |= d.failing.all > 0;
	return 0;
}

struct hosts {
	struct deployment *hosts;
	size_t n, alloc;
};

static void hosts_release(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++)
		deployment_release(&hosts->hosts[i]);
	free(hosts->hosts);
}

static int note_host(void *ctx, const struct deployment *d)
{
	struct hosts *hosts = ctx;

	GROW(hosts->hosts, hosts->n, hosts->alloc);
	hosts->hosts[hosts->n++] = (struct deployment){ .runtime_version =
								xstrdup(d->runtime_version),
							.host = xstrdup(d->host),
							.age = d->age,
							.live = d->live,
							.retired = d->retired };
	return 0;
}

/* The hosts of one runtime version, from the first on; how many they are. */
static size_t add_hosts(struct state *s, const struct deployment *first, size_t n, bool *ret_live)
{
	size_t i;

	facts_enter(&s->f, "hosts");
	for (i = 0; i < n && !strcmp(first[i].runtime_version, first->runtime_version); i++) {
		*ret_live |= first[i].live;
		facts_enter(&s->f, first[i].host);
		facts_text(&s->f, "state", deployment_state(&first[i]));
		facts_seconds(&s->f, "age", first[i].age);
		facts_leave(&s->f);
	}
	facts_leave(&s->f);
	return i;
}

/* What is known to run, and what this command is told to look for. */
static int add_deployments(struct state *s)
{
	CLEANUP(hosts_release) struct hosts hosts = { .n = 0 };
	const char *own = s->o->runtime_version;
	int r = db_deployments(s->stack->db, note_host, &hosts);

	facts_enter(&s->f, "deployments");
	for (size_t i = 0; r == 0 && i < hosts.n;) {
		const char *version = hosts.hosts[i].runtime_version;
		bool shown = own && !strcmp(version, own);

		facts_enter(&s->f, version);
		i += add_hosts(s, &hosts.hosts[i], hosts.n - i, &shown);
		if (shown)
			r = add_work(s, version);
		facts_leave(&s->f);
		if (own && !strcmp(version, own))
			own = NULL;
	}
	if (r == 0 && own) {
		facts_enter(&s->f, own);
		r = add_work(s, own);
		facts_leave(&s->f);
	}
	facts_leave(&s->f);
	return r;
}

static int add_database(struct state *s)
{
	CLEANUP(free_char) char *held = NULL;
	uint64_t packages;
	int64_t since;
	int r = db_count(s->stack->db, &packages);

	if (r < 0)
		return r;
	facts_number(&s->f, "packages", packages);
	r = db_held(s->stack->db, &held, &since);
	if (r < 0 && r != -ENOENT)
		return r;
	facts_text(&s->f, "latest_held_at", held);
	return add_deployments(s);
}

static int note_by_hand(void *ctx, const struct object *obj)
{
	if (obj->change && !strcmp(obj->change, "hand"))
		list_add(ctx, obj->key, NULL, 0);
	return 0;
}

/* What the next export of its package, or the next full pass, will replace: as far as is known
 * without asking the bucket. */
static int add_by_hand(struct state *s)
{
	CLEANUP(list_release) struct list by_hand = { .all = 0 };
	struct store *bucket = s->stack->bucket;
	CLEANUP(free_char)
	char *own = s->o->runtime_version ? xasprintf("%s/", s->o->runtime_version) : NULL;
	const char *const prefixes[] = { "latest/", own };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && prefixes[i]; i++) {
		int r = store_knows(bucket, prefixes[i]);

		if (r > 0)
			r = store_list(bucket, prefixes[i], true, NULL, note_by_hand, &by_hand);
		if (r < 0)
			return r;
	}
	add_list(&s->f, "by_hand", "objects", &by_hand);
	return 0;
}

static bool is_text(struct json object, const char *name, const char *text)
{
	struct json value;

	return json_member(object, name, &value) && value.type == JSON_STRING &&
	       json_equals(value, text);
}

static void add_process(void *ctx, long pid, const struct strbuf *status)
{
	CLEANUP(free_char) char *name = xasprintf("%ld", pid);
	struct state *s = ctx;
	struct json object, value;

	if (json_parse(status->buf, status->len, &object, NULL) < 0)
		return; /* it is being replaced by one of another version of pubfs */
	facts_json(&s->f, name, object);
	s->degraded |= json_member(object, "degraded", &value) && value.type == JSON_OBJECT;
	if (json_member(object, "updater", &value)) {
		s->held |= is_text(value, "last_result", "held");
		s->failing |= is_text(value, "last_result", "failed");
	}
}

static int add_all(struct state *s)
{
	const struct stack *stack = s->stack;
	uint64_t held;
	int r;

	facts_text(&s->f, "store", stack->bucket->url);
	facts_text(&s->f, "db", stack->db ? stack->db->url : NULL);
	r = report_add_held(s->o, stack, &s->f, &held);
	s->held |= held > 0;
	if (r == 0 && stack->db)
		r = add_database(s);
	if (r == 0)
		r = add_by_hand(s);
	if (r < 0)
		return r;
	facts_enter(&s->f, "processes");
	r = running_each(s->o->cache, stack->bucket->url, add_process, s);
	facts_leave(&s->f);
	return r;
}

static bool has_members(struct json value)
{
	struct json_iter it = json_iterate(value);
	struct json key, member;

	return value.type == JSON_OBJECT && json_next(&it, &key, &member);
}

/* `name: value` a line; what is inside of another value stands further to the right. */
static void add_lines(struct json object, unsigned depth, struct strbuf *out)
{
	struct json key, value;

	for (struct json_iter it = json_iterate(object); json_next(&it, &key, &value);) {
		strbuf_addf(out, "%*s", (int)(2 * depth), "");
		json_decode(key, out);
		if (has_members(value)) {
			strbuf_addstr(out, ":\n");
			add_lines(value, depth + 1, out);
			continue;
		}
		strbuf_addstr(out, ": ");
		if (value.type == JSON_STRING)
			json_decode(value, out);
		else if (value.type == JSON_NULL || value.type == JSON_OBJECT)
			strbuf_addch(out, '-');
		else if (value.type == JSON_BOOL)
			strbuf_addstr(out, json_is_true(value) ? "yes" : "no");
		else
			json_add(out, value);
		strbuf_addch(out, '\n');
	}
}

static int print(const struct options *o, const struct strbuf *text)
{
	CLEANUP(strbuf_release) struct strbuf lines = STRBUF_INIT(REPORT_MAX);
	struct json object;
	int r = strbuf_error(text);

	if (r == 0 && o->json)
		return output(text->buf, text->len);
	if (r == 0)
		r = json_parse(text->buf, text->len, &object, NULL);
	if (r < 0)
		return fail(-EIO, "the status is too long, or no text: %s", strerror(-r));
	add_lines(object, 0, &lines);
	return output(lines.buf, lines.len);
}

enum exit_status command_status(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(REPORT_MAX);
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	struct state s = { .o = o, .stack = &stack };
	bool has_db = o->named_db || stack_has_db(o);
	int r = stack_open(o, STACK_BUCKET | (has_db ? STACK_DB : 0), &stack);

	(void)argc;
	(void)argv;
	if (r < 0)
		return exit_status_of(r);
	facts_begin(&s.f, true, &text);
	r = add_all(&s);
	facts_end(&s.f);
	if (r == 0)
		r = print(o, &text);
	if (r < 0)
		return exit_status_of(r);
	return s.held ? EXIT_HELD : s.failing || s.degraded ? EXIT_FAILED : EXIT_DONE;
}

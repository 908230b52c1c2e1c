/* SPDX-License-Identifier: BSD-3-Clause */
/* diff.c - two prefixes or two stores, compared by hash, and documents by their JSON. */
#include "diff.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bucket.h"
#include "catalog.h"
#include "command.h"
#include "json_diff.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "path.h"
#include "stack.h"
#include "store.h"
#include "strbuf.h"

#define LINE_BYTES_MAX ((size_t)1 << 20)

/* An operand: a prefix of --store, or the URL of a store, which may end in a prefix of it. */
struct operand {
	const char *text; /* as it was written; borrowed */
	char *url, *prefix;
};

struct comparison {
	const struct options *o;
	struct operand operands[2];
	struct store *stores[2];
	struct diff_side sides[2];
	uint64_t found; /* differences */
};

static bool is_prefix(const char *text, size_t n)
{
	return (n == strlen("latest") && !memcmp(text, "latest", n)) ||
	       catalog_is_runtime_version(text, n);
}

static bool is_url(const char *text)
{
	return bucket_is_remote(text) || !strncmp(text, "dir:", strlen("dir:"));
}

static int operand_parse(const struct options *o, const char *text, struct operand *ret)
{
	const char *slash = strrchr(text, '/');
	size_t n = strlen(text);

	ret->text = text;
	if (is_url(text)) {
		bool below = slash && is_prefix(slash + 1, strlen(slash + 1));

		ret->url = below ? xstrndup(text, (size_t)(slash - text)) : xstrdup(text);
		ret->prefix = below ? xasprintf("%s/", slash + 1) : xstrdup("");
		return 0;
	}
	if (n && text[n - 1] == '/')
		n--;
	if (!is_prefix(text, n))
		return fail(-EINVAL,
			    "'%s' is neither a prefix (latest, or a runtime version such as "
			    "2026.08.18) nor the URL of a store (see 'pubfs help diff')",
			    text);
	ret->url = xstrdup(o->store);
	ret->prefix = xasprintf("%.*s/", (int)n, text);
	return 0;
}

static int operands_parse(const struct options *o, char *const *argv, struct comparison *c)
{
	for (size_t i = 0; i < 2; i++)
		if (operand_parse(o, argv[i], &c->operands[i]) < 0)
			return -EINVAL;
	if (!*c->operands[0].prefix != !*c->operands[1].prefix)
		return fail(-EINVAL,
			    "a prefix is compared with a prefix, and a store with a store; write "
			    "%s/latest for a prefix of it (see 'pubfs help diff')",
			    c->operands[*c->operands[0].prefix ? 1 : 0].url);
	if (o->stat && o->explain)
		return fail(-EINVAL, "--stat and --explain cannot be combined "
				     "(see 'pubfs help diff')");
	return 0;
}

static void comparison_release(struct comparison *c)
{
	for (size_t i = 0; i < 2; i++) {
		free_char(&c->operands[i].url);
		free_char(&c->operands[i].prefix);
	}
	if (c->stores[1] != c->stores[0])
		store_close(c->stores[1]);
	store_close(c->stores[0]);
}

static int refresh_top(void *ctx, const struct object *obj)
{
	strbuf_add(ctx, obj->key, strlen(obj->key) + 1);
	return 0;
}

/* What the index says of a side is not older than --ttl. */
static int side_refresh(const struct comparison *c, const struct diff_side *side)
{
	CLEANUP(strbuf_release) struct strbuf tops = STRBUF_INIT(LINE_BYTES_MAX);
	int r = store_refresh(side->store, side->prefix, c->o->ttl);

	if (r < 0 || *side->prefix)
		return r;
	r = store_list(side->store, "", false, NULL, refresh_top, &tops);
	for (const char *top = tops.buf; r == 0 && top < tops.buf + tops.len;
	     top += strlen(top) + 1)
		if (top[strlen(top) - 1] == '/')
			r = store_refresh(side->store, top, c->o->ttl);
	return r;
}

static int comparison_open(struct comparison *c)
{
	const char *const urls[] = { c->operands[0].url, c->operands[1].url };
	int r = stack_open_two(c->o, urls, c->stores);

	for (size_t i = 0; i < 2 && r == 0; i++) {
		c->sides[i] = (struct diff_side){ c->stores[i], c->operands[i].prefix };
		r = side_refresh(c, &c->sides[i]);
	}
	return r;
}

/* Appends the path of a name on either side; one that no path can show, as a JSON string. */
static void add_path(const struct comparison *c, const char *name, struct strbuf *out)
{
	CLEANUP(free_char) char *key = xasprintf("%s%s", c->sides[0].prefix, name);
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(LINE_BYTES_MAX);

	if (path_from_key(key, &path) < 0)
		json_add_string(out, name, strlen(name));
	else
		strbuf_addstr(out, path.buf + strlen(c->sides[0].prefix));
}

static const char *const likeness_names[LIKENESSES] = {
	[LIKE_HEADERS] = "headers", [LIKE_UNKNOWN] = "unknown",	 [LIKE_DIFFERENT] = "different",
	[LIKE_ONLY_A] = "only_a",   [LIKE_ONLY_B] = "only_b",
};

static int print_line(const struct comparison *c, enum likeness likeness, const char *name)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_BYTES_MAX);
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(LINE_BYTES_MAX);

	add_path(c, name, &path);
	if (c->o->json) {
		strbuf_addf(&line, "{\"difference\":\"%s\",\"path\":", likeness_names[likeness]);
		json_add_string(&line, path.buf, path.len);
		strbuf_addstr(&line, "}\n");
		return output(line.buf, line.len);
	}
	if (likeness == LIKE_ONLY_A || likeness == LIKE_ONLY_B)
		return output_text("only in %s: %s\n", c->operands[likeness == LIKE_ONLY_B].text,
				   path.buf);
	return output_text("%s: %s\n",
			   likeness == LIKE_HEADERS	? "other headers"
			   : likeness == LIKE_DIFFERENT ? "differs"
							: "differs, or only in its gzip bytes",
			   path.buf);
}

static int print_difference(void *ctx, const struct difference *d)
{
	struct comparison *c = ctx;

	c->found++;
	return print_line(c, d->likeness, d->name);
}

static int note_difference(void *ctx, const struct difference *d)
{
	struct comparison *c = ctx;

	(void)d;
	c->found++;
	return 1; /* one is enough */
}

struct stat_table {
	struct comparison *c;
	uint64_t counts[KIND_COUNT][LIKENESSES];
};

static int count_difference(void *ctx, const struct difference *d)
{
	struct stat_table *table = ctx;
	struct object_name name;

	table->c->found++;
	table->counts[catalog_match(d->a ? d->a->key : d->b->key, &name)][d->likeness]++;
	return 0;
}

static int print_count(const struct comparison *c, const char *kind, enum likeness likeness,
		       uint64_t n)
{
	if (c->o->json)
		return output_text("{\"kind\":\"%s\",\"difference\":\"%s\",\"count\":%" PRIu64
				   "}\n",
				   kind, likeness_names[likeness], n);
	if (likeness == LIKE_ONLY_A || likeness == LIKE_ONLY_B)
		return output_text("%s, only in %s: %" PRIu64 "\n", kind,
				   c->operands[likeness == LIKE_ONLY_B].text, n);
	return output_text("%s, %s: %" PRIu64 "\n", kind,
			   likeness == LIKE_HEADERS	? "other headers"
			   : likeness == LIKE_DIFFERENT ? "different"
							: "different, or only in gzip bytes",
			   n);
}

static int print_stat(const struct comparison *c, const struct stat_table *table,
		      const struct diff_sizes *sizes)
{
	int r = 0;

	for (unsigned kind = 0; kind < KIND_COUNT && r == 0; kind++)
		for (unsigned l = 0; l < LIKENESSES && r == 0; l++)
			if (table->counts[kind][l])
				r = print_count(c,
						kind ? catalog_info((enum kind)kind)->name
						     : "other",
						(enum likeness)l, table->counts[kind][l]);
	if (r < 0)
		return r;
	if (c->o->json)
		return output_text("{\"objects_a\":%" PRIu64 ",\"objects_b\":%" PRIu64
				   ",\"differences\":%" PRIu64 "}\n",
				   sizes->a, sizes->b, c->found);
	return output_text("%" PRIu64 " objects in %s, %" PRIu64 " in %s: %" PRIu64
			   " difference%s\n",
			   sizes->a, c->operands[0].text, sizes->b, c->operands[1].text, c->found,
			   c->found == 1 ? "" : "s");
}

static int print_explanation(struct comparison *c)
{
	CLEANUP(explanation_release) struct explanation e;
	int r = diff_explain(&c->sides[0], &c->sides[1], c->o->jobs, &e);

	c->found = r < 0 ? 0 : e.objects;
	for (unsigned cause = 0; cause < CAUSES && r >= 0; cause++) {
		CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(LINE_BYTES_MAX);
		CLEANUP(strbuf_release) struct strbuf quoted = STRBUF_INIT(LINE_BYTES_MAX);
		const char *text = cause_text((enum cause)cause);

		if (!e.counts[cause])
			continue;
		add_path(c, e.examples[cause], &path);
		json_add_string(&quoted, path.buf, path.len);
		if (c->o->json)
			r = output_text("{\"cause\":\"%s\",\"count\":%" PRIu64
					",\"example\":%s}\n",
					text, e.counts[cause], quoted.buf);
		else
			r = output_text("%s: %" PRIu64 ", such as %s\n", text, e.counts[cause],
					path.buf);
	}
	return r;
}

struct named {
	struct comparison *c;
	const char *path;
	size_t places;
};

static int print_place(void *ctx, const char *pointer, const struct json *a, const struct json *b)
{
	struct named *named = ctx;
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	const struct json *values[] = { a, b };

	named->places++;
	if (named->c->o->json) {
		strbuf_addstr(&text, "{\"path\":");
		json_add_string(&text, named->path, strlen(named->path));
		strbuf_addstr(&text, ",\"pointer\":");
		json_add_string(&text, pointer, strlen(pointer));
	}
	for (size_t i = 0; i < 2; i++) {
		if (!values[i])
			continue;
		strbuf_addf(&text, named->c->o->json ? ",\"%c\":" : "%c ",
			    named->c->o->json ? (int)("ab"[i]) : (int)("-+"[i]));
		if (!named->c->o->json)
			strbuf_addf(&text, "%s%s ", named->path, pointer);
		json_add(&text, *values[i]);
		if (!named->c->o->json)
			strbuf_addch(&text, '\n');
	}
	if (named->c->o->json)
		strbuf_addstr(&text, "}\n");
	return output(text.buf, text.len);
}

/* Both bodies of a document, by the values that differ; of what is no JSON, that it differs. */
static int print_bodies(struct comparison *c, const char *path, const char *name,
			enum likeness likeness, struct object objects[2])
{
	struct strbuf bodies[2] = { STRBUF_INIT(DOCUMENT_MAX), STRBUF_INIT(DOCUMENT_MAX) };
	struct named named = { .c = c, .path = path };
	struct json values[2];
	bool json = true;
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		struct fingerprint f;

		object_fingerprint(&objects[i], &f);
		r = diff_load(c->sides[i].store, objects[i].key, &f, &bodies[i]);
		if (r < 0)
			r = fail(r, "cannot read %s: %s", objects[i].key, strerror(-r));
		json = json && r == 0 &&
		       json_parse(bodies[i].buf, bodies[i].len, &values[i], NULL) == 0;
	}
	if (r == 0 && json)
		r = json_diff(values[0], values[1], print_place, &named);
	if (r == 0 && !named.places)
		r = print_line(c, likeness, name);
	for (size_t i = 0; i < 2; i++)
		strbuf_release(&bodies[i]);
	return r;
}

/* 1: there is such an object; 0: there is none. */
static int look_up(const struct diff_side *side, const char *path, struct object *ret)
{
	CLEANUP(free_char) char *whole = xasprintf("%s%s", side->prefix, path);
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	int r = path_to_key(whole, &key);

	if (r == 0)
		r = store_stat(side->store, key.buf, ret);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return 1;
}

static int print_named(struct comparison *c, const char *path)
{
	CLEANUP(object_release) struct object a;
	CLEANUP(object_release) struct object b;
	struct fingerprint in_a, in_b;
	int has_a, has_b;

	object_init(&a);
	object_init(&b);
	has_a = look_up(&c->sides[0], path, &a);
	has_b = has_a < 0 ? has_a : look_up(&c->sides[1], path, &b);
	if (has_a < 0 || has_b < 0)
		return has_a < 0 ? has_a : has_b;
	if (!has_a && !has_b)
		return fail(-ENOENT, "%s: it is neither in %s nor in %s", path,
			    c->operands[0].text, c->operands[1].text);
	if (has_a && has_b) {
		enum likeness likeness;

		object_fingerprint(&a, &in_a);
		object_fingerprint(&b, &in_b);
		likeness = diff_likeness(&in_a, &in_b);
		if (likeness == LIKE_SAME)
			return 0;
		c->found++;
		return c->o->quiet ? 0
				   : print_bodies(c, path, a.key + strlen(c->sides[0].prefix),
						  likeness, (struct object[2]){ a, b });
	}
	c->found++;
	if (c->o->quiet)
		return 0;
	return print_line(c, has_a ? LIKE_ONLY_A : LIKE_ONLY_B,
			  has_a ? a.key + strlen(c->sides[0].prefix)
				: b.key + strlen(c->sides[1].prefix));
}

static int one_is_there(void *ctx, const struct fingerprint *f)
{
	(void)ctx;
	(void)f;
	return 1;
}

/* An empty side is a mistyped prefix far oftener than it is a new one. */
static int check_sides(const struct comparison *c)
{
	for (size_t i = 0; i < 2; i++) {
		int r = store_fingerprints(c->sides[i].store, c->sides[i].prefix, true, NULL,
					   one_is_there, NULL);

		if (r < 0)
			return r;
		if (!r)
			return fail(-ENOENT, "there is nothing below %s", c->operands[i].text);
	}
	return 0;
}

static int compare_all(struct comparison *c)
{
	struct stat_table table = { .c = c };
	struct diff_sizes sizes;
	int r;

	if (c->o->quiet) {
		r = diff_sides(&c->sides[0], &c->sides[1], note_difference, c, &sizes);
		return r < 0 ? r : 0;
	}
	if (c->o->explain)
		return print_explanation(c);
	if (!c->o->stat)
		return diff_sides(&c->sides[0], &c->sides[1], print_difference, c, &sizes);
	r = diff_sides(&c->sides[0], &c->sides[1], count_difference, &table, &sizes);
	return r < 0 ? r : print_stat(c, &table, &sizes);
}

/* A failure of one document does not hold up the others. */
static int compare_named(struct comparison *c, int n, char *const *paths)
{
	int first = 0;

	for (int i = 0; i < n && first != -EPIPE; i++) {
		int r = print_named(c, paths[i]);

		if (r < 0 && (first == 0 || r == -EPIPE))
			first = r;
	}
	return first;
}

enum exit_status command_diff(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(comparison_release) struct comparison c = { .o = o };
	int r;

	if (operands_parse(o, argv, &c) < 0)
		return EXIT_USAGE;
	r = comparison_open(&c);
	if (r == 0)
		r = check_sides(&c);
	if (r == 0)
		r = argc > 2 ? compare_named(&c, argc - 2, argv + 2) : compare_all(&c);
	if (r == 0)
		r = output_flush();
	if (r < 0)
		return exit_status_of(r);
	return c.found ? EXIT_DIFFERENT : EXIT_DONE;
}

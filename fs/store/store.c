/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c - opens a driver by its URL, and passes each call to the first link that has the verb. */
#include "store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "driver.h"
#include "log.h"

static const struct {
	const char *scheme;
	int (*open)(const char *name, enum store_mode mode, const struct store_options *options,
		    struct store **ret);
} drivers[] = {
	{ "dir:", dir_open },
	{ "gs://", gcs_open },
	{ "mem:", mem_open },
};

int store_open_with(const char *url, enum store_mode mode, const struct store_options *options,
		    struct store **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		size_t n = strlen(drivers[i].scheme);

		if (!strncmp(url, drivers[i].scheme, n))
			return drivers[i].open(url + n, mode, options, ret);
	}
	return fail(-EINVAL, "%s is not the URL of a store: write dir:PATH or gs://BUCKET", url);
}

int store_open(const char *url, enum store_mode mode, struct store **ret)
{
	const struct store_options none = { .endpoint = NULL };

	return store_open_with(url, mode, &none, ret);
}

void store_close(struct store *s)
{
	while (s) {
		struct store *next = s->next;

		log_debug("%s: close %s", s->ops->name, s->url);
		s->ops->close(s);
		s = next;
	}
}

/* The first link from `s` on that has this verb; NULL: not even the driver has. */
#define LINK_WITH(s, verb)                                                                         \
	__extension__({                                                                            \
		struct store *link_ = (s);                                                         \
                                                                                                   \
		while (link_ && !link_->ops->verb)                                                 \
			link_ = link_->next;                                                       \
		link_;                                                                             \
	})

int store_stat(struct store *s, const char *key, struct object *ret)
{
	struct store *link = LINK_WITH(s, stat);
	int r;

	assert(link && *key && ret);
	r = link->ops->stat(link, key, ret);
	log_debug("%s: stat %s = %d", link->ops->name, key, r);
	return r;
}

int store_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
	       size_t length, struct strbuf *out)
{
	struct store *link = LINK_WITH(s, read);
	int r;

	assert(link && *key && generation != STORE_ABSENT && out);
	r = link->ops->read(link, key, generation, offset, length, out);
	log_debug("%s: read %s generation %llu, %zu bytes at %llu = %d", link->ops->name, key,
		  (unsigned long long)generation, length, (unsigned long long)offset, r);
	return r;
}

int store_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	       void *ctx)
{
	struct store *link = LINK_WITH(s, list);
	int r;

	assert(link && prefix && fn);
	r = link->ops->list(link, prefix, deep, after, fn, ctx);
	log_debug("%s: list %s%s after %s = %d", link->ops->name, prefix, deep ? "**" : "*",
		  after ? after : "-", r);
	return r;
}

struct end {
	const char *key;
	object_fn *fn;
	void *ctx;
	bool reached;
};

static int show_before(void *ctx, const struct object *obj)
{
	struct end *end = ctx;

	end->reached = strcmp(obj->key, end->key) >= 0;
	return end->reached ? 1 : end->fn(end->ctx, obj);
}

/* A driver to which a request costs nothing is told to stop. */
int store_list_part(struct store *s, const char *prefix, const char *after, const char *end,
		    object_fn *fn, void *ctx)
{
	struct store *link = LINK_WITH(s, list_part);
	struct end until = { .key = end, .fn = fn, .ctx = ctx };
	int r;

	assert(prefix && end && fn);
	if (!link) {
		r = store_list(s, prefix, true, after, show_before, &until);
		return until.reached ? 0 : r;
	}
	r = link->ops->list_part(link, prefix, after, end, fn, ctx);
	log_debug("%s: list %s** after %s before %s = %d", link->ops->name, prefix,
		  after ? after : "-", end, r);
	return r;
}

struct shown_fingerprint {
	fingerprint_fn *fn;
	void *ctx;
};

static int show_fingerprint(void *ctx, const struct object *obj)
{
	const struct shown_fingerprint *to = ctx;
	struct fingerprint f;

	object_fingerprint(obj, &f);
	return to->fn(to->ctx, &f);
}

int store_fingerprints(struct store *s, const char *prefix, bool deep, const char *after,
		       fingerprint_fn *fn, void *ctx)
{
	bool at_top = !deep && !strchr(prefix, '/'); /* few, and not all of them are rows */
	struct store *link = at_top ? NULL : LINK_WITH(s, fingerprints);
	struct shown_fingerprint to = { .fn = fn, .ctx = ctx };
	int r;

	assert(prefix && fn);
	if (!link)
		return store_list(s, prefix, deep, after, show_fingerprint, &to);
	r = link->ops->fingerprints(link, prefix, deep, after, fn, ctx);
	log_debug("%s: fingerprints %s%s after %s = %d", link->ops->name, prefix, deep ? "**" : "*",
		  after ? after : "-", r);
	return r;
}

static void edit_check(const struct edit *e)
{
	assert(e->object.key && *e->object.key);
	assert(!e->if_metageneration || e->if_generation != STORE_ABSENT);
	switch (e->op) {
	case EDIT_WRITE:
		assert(e->body);
		break;
	case EDIT_COPY:
		assert(e->from && e->from_key && *e->from_key);
		assert(e->from_generation != STORE_ABSENT);
		break;
	case EDIT_TOUCH:
		assert(e->if_generation != STORE_ABSENT);
		break;
	case EDIT_REMOVE:
		break;
	}
}

int store_edit(struct store *s, struct edit *edits, size_t n)
{
	static const char *const verbs[] = {
		[EDIT_WRITE] = "write",
		[EDIT_COPY] = "copy",
		[EDIT_TOUCH] = "touch",
		[EDIT_REMOVE] = "remove",
	};
	struct store *link = LINK_WITH(s, edit);
	int r;

	assert(link);
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		edit_check(&edits[i]);
	r = link->ops->edit(link, edits, n);
	for (size_t i = 0; i < n; i++)
		log_debug("%s: %s %s if generation %lld = %d", link->ops->name, verbs[edits[i].op],
			  edits[i].object.key, (long long)edits[i].if_generation, edits[i].result);
	assert(r == edit_result(edits, n));
	return r;
}

int store_refresh(struct store *s, const char *what, int64_t max_age)
{
	struct store *link = LINK_WITH(s, refresh);
	int r;

	assert(what && max_age >= 0);
	if (!link)
		return 0;
	r = link->ops->refresh(link, what, max_age);
	log_debug("%s: refresh %s not older than %lld us = %d", link->ops->name, what,
		  (long long)max_age, r);
	return r;
}

int64_t store_due(struct store *s, const char *what, int64_t max_age)
{
	struct store *link = LINK_WITH(s, due);

	assert(what);
	return link ? link->ops->due(link, what, max_age) : -1;
}

int store_knows(struct store *s, const char *what)
{
	struct store *link = LINK_WITH(s, knows);

	assert(what);
	return link ? link->ops->knows(link, what) : 1;
}

uint64_t store_version(struct store *s)
{
	struct store *link = LINK_WITH(s, version);

	return link ? link->ops->version(link) : 0;
}

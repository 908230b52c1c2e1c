/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deployment.c - who may write what in latest/, when several deployments run (spec, section 16).
 *
 * Every live deployment writes latest/. Where two have different rules, the newest live one wins:
 *	mark on the object		own deployment is the newest live one	another one is
 *	none, the own, an older one	write					write
 *	a newer one that is live	-					leave it
 *	a newer one that is not		write, once it is settled		leave it
 * so each change is written at most once by each of them, in any order, and nobody rewrites what a
 * newer one wrote while that one runs. While latest/ is closed to a deployment (it is held at
 * another version, the own one is retired, or has not filled its own prefix yet) it changes nothing
 * but what is taken down. A command that is run once is no deployment: it obeys the newest live
 * one. One that writes its own prefix alone (shadow mode) keeps latest/ in nobody's stead.
 */
#include "deployment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "db.h"
#include "memory.h"
#include "strbuf.h"

const char *deployment_state(const struct deployment *host)
{
	return host->retired ? "retired" : !host->live ? "gone" : host->shadow ? "shadow" : "live";
}

static void release_state(struct latest_view *v)
{
	for (size_t i = 0; i < v->n_live; i++)
		free(v->live[i]);
	free(v->live);
	free(v->held);
	v->live = NULL;
	v->n_live = 0;
	v->held = NULL;
	v->retired = false;
}

void latest_view_release(struct latest_view *v)
{
	release_state(v);
	free(v->own);
	*v = (struct latest_view){ .own = NULL };
}

static bool has_live(const struct latest_view *v, const char *version)
{
	for (size_t i = 0; i < v->n_live; i++)
		if (!strcmp(v->live[i], version))
			return true;
	return false;
}

static void add_live(struct latest_view *v, const char *version)
{
	if (has_live(v, version))
		return;
	v->live = xrealloc(v->live, (v->n_live + 1) * sizeof(*v->live));
	v->live[v->n_live++] = xstrdup(version);
}

static int note_host(void *ctx, const struct deployment *d)
{
	struct latest_view *v = ctx;

	if (v->own && !strcmp(d->runtime_version, v->own))
		v->retired |= d->retired;
	if (d->live && !d->retired && !d->shadow)
		add_live(v, d->runtime_version);
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	return strcmp(*(char *const *)b, *(char *const *)a);
}

/* Whoever asks as a deployment is live, whatever became of its heartbeat. */
static void settle_live(struct latest_view *v)
{
	if (v->deployment && !v->retired)
		add_live(v, v->own);
	if (v->n_live)
		qsort(v->live, v->n_live, sizeof(*v->live), newest_first);
}

int latest_view_read(struct db *db, struct latest_view *ret)
{
	CLEANUP(latest_view_release)
	struct latest_view v = { .own = xstrdup_or_null(ret->own), .deployment = ret->deployment };
	int r = db_deployments(db, note_host, &v);

	if (r < 0)
		return r;
	settle_live(&v);
	r = db_held(db, &v.held, &v.held_since);
	if (r < 0 && r != -ENOENT)
		return r;
	release_state(ret);
	ret->retired = v.retired;
	ret->held = steal(v.held);
	ret->held_since = v.held_since;
	ret->live = steal(v.live);
	ret->n_live = v.n_live;
	v.n_live = 0;
	return 0;
}

bool latest_view_same(const struct latest_view *a, const struct latest_view *b)
{
	if (a->retired != b->retired || a->n_live != b->n_live || !same_text(a->held, b->held))
		return false;
	for (size_t i = 0; i < a->n_live; i++)
		if (strcmp(a->live[i], b->live[i]) != 0)
			return false;
	return true;
}

static const char *newest(const struct latest_view *v)
{
	return v->n_live ? v->live[0] : NULL;
}

static const char *keeper(const struct latest_view *v)
{
	return v->held ? v->held : newest(v);
}

bool latest_view_keeps(const struct latest_view *v)
{
	return same_text(keeper(v), v->own);
}

bool latest_view_takes_over(const struct latest_view *before, const struct latest_view *now)
{
	return latest_view_keeps(now) && keeper(before) && !latest_view_keeps(before);
}

bool latest_is_closed(const struct latest_view *v, struct strbuf *why)
{
	CLEANUP(strbuf_release) struct strbuf nowhere = STRBUF_INIT(1024);
	const char *other = newest(v);

	why = why ? why : &nowhere;
	if (v->held) {
		if (same_text(v->held, v->own))
			return false;
		strbuf_addf(why, "latest/ is held at %s", v->held);
		return true;
	}
	if (!v->deployment) {
		if (!other || same_text(other, v->own))
			return false;
		strbuf_addf(why, "the deployment %s keeps latest/", other);
		return true;
	}
	if (v->retired)
		strbuf_addf(why, "the deployment %s is retired", v->own);
	else if (!v->filled)
		strbuf_addf(why, "%s/ has to be whole first", v->own);
	return v->retired || !v->filled;
}

bool latest_yields(const struct latest_view *v, const char *mark)
{
	if (!v->own || v->held || !mark || !catalog_is_runtime_version(mark, strlen(mark)) ||
	    strcmp(mark, v->own) <= 0)
		return false;
	if (has_live(v, mark))
		return true;
	if (!v->deployment)
		return false;
	return strcmp(newest(v), v->own) != 0 || !v->settled;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* control.c - the files below `.pubfs`: a table of names and of what writes their text. */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "memory.h"
#include "strbuf.h"
#include "tree.h"
#include "tree_internal.h"

void refusals_init(struct refusals *r)
{
	*r = (struct refusals){ 0 };
	pthread_mutex_init(&r->lock, NULL);
}

static void refusal_release(struct refusal *refusal)
{
	free(refusal->path);
	free(refusal->reason);
}

void refusals_release(struct refusals *r)
{
	for (size_t i = 0; i < CONTROL_REFUSALS_MAX; i++)
		refusal_release(&r->ring[i]);
	pthread_mutex_destroy(&r->lock);
}

void refusals_add(struct refusals *r, const char *path, const struct caller *who,
		  const char *reason)
{
	struct refusal *refusal;

	pthread_mutex_lock(&r->lock);
	refusal = &r->ring[r->total++ % CONTROL_REFUSALS_MAX];
	refusal_release(refusal);
	*refusal = (struct refusal){
		.time = clock_now(),
		.path = xstrdup(path),
		.reason = xstrdup(reason),
		.pid = who->pid,
		.uid = who->uid,
	};
	pthread_mutex_unlock(&r->lock);
}

uint64_t refusals_total(struct refusals *r)
{
	uint64_t total;

	pthread_mutex_lock(&r->lock);
	total = r->total;
	pthread_mutex_unlock(&r->lock);
	return total;
}

static void add_refusal(struct strbuf *out, const struct refusal *refusal)
{
	strbuf_addstr(out, "{\"time\":\"");
	clock_format(refusal->time, out);
	strbuf_addstr(out, "\",\"path\":");
	json_add_string(out, refusal->path, strlen(refusal->path));
	strbuf_addf(out, ",\"pid\":%d,\"uid\":%u,\"reason\":", (int)refusal->pid,
		    (unsigned)refusal->uid);
	json_add_string(out, refusal->reason, strlen(refusal->reason));
	strbuf_addstr(out, "}\n");
}

/* Oldest first. */
static int rejected_text(struct tree *t, struct strbuf *out)
{
	struct refusals *r = &t->refusals;
	uint64_t i;

	pthread_mutex_lock(&r->lock);
	i = r->total > CONTROL_REFUSALS_MAX ? r->total - CONTROL_REFUSALS_MAX : 0;
	for (; i < r->total; i++)
		add_refusal(out, &r->ring[i % CONTROL_REFUSALS_MAX]);
	pthread_mutex_unlock(&r->lock);
	return strbuf_error(out);
}

static int status_text(struct tree *t, struct strbuf *out)
{
	return t->options.status ? t->options.status(t->options.ctx, out) : 0;
}

static const struct {
	const char *name;
	int (*text)(struct tree *t, struct strbuf *out);
} files[] = {
	{ "rejected", rejected_text },
	{ "status", status_text },
	{ "unmapped", tree_unmapped },
};

const char *control_name(size_t n)
{
	return n < ARRAY_SIZE(files) ? files[n].name : NULL;
}

int control_text(struct tree *t, const char *name, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(name, files[i].name))
			return files[i].text(t, out);
	return -ENOENT;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * contested.c - packages in latest/ that another program writes again after pubfs has.
 *
 * A line of the file is "package change time", by the rules' clock. A time that is ahead of it
 * counts, too: a clock that was turned back begins no new fight.
 */
#include "contested.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "held.h"
#include "memory.h"
#include "object.h"
#include "stored_body.h"
#include "strbuf.h"

#define WHY_MAX	 ((size_t)8 << 10)
#define TIME_MAX 64

static bool step_is_foreign(const struct step *step)
{
	return step->kind != STEP_REMOVE && step->have && !step->have->has_sha256 &&
	       !step->have->runtime_version;
}

bool contested_is_foreign(const struct pass *pass, size_t k, const struct target *t)
{
	if (!pass_is_latest(pass, k))
		return false;
	for (size_t i = 0; i < t->plan.n; i++)
		if (step_is_foreign(&t->plan.steps[i]))
			return true;
	return false;
}

/* 1: clients could read it. */
static int is_sound(const struct pass *pass, const struct object *obj)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	unsigned char sum[SHA256_SIZE];
	struct object_name name;
	int verdict, r;

	catalog_match(obj->key, &name);
	r = stored_judge(pass->opt->store, obj, &name, sum, &verdict, &why);
	if (r == -ESTALE) /* then it changes just now: what writes it will see */
		return 1;
	if (r == -EBADMSG || r == -E2BIG || (!r && verdict == -EINVAL))
		return 0;
	return r < 0 ? r : verdict < 0 ? verdict : 1;
}

int contested_is_kept(const struct pass *pass, const struct item *item, const struct target *t)
{
	CLEANUP(free_char) char *made = xasprintf("%s %s", item->name, item->pkg.change);
	int sound = names_have(&pass->contested, made);

	for (size_t i = 0; i < t->plan.n && sound > 0; i++)
		if (step_is_foreign(&t->plan.steps[i]))
			sound = is_sound(pass, t->plan.steps[i].have);
	return sound;
}

/* The length of "package change" in a line that still counts; 0: it does not. */
static size_t made_lately(const char *line)
{
	const char *space = strrchr(line, ' ');
	int64_t time;

	if (!space || clock_parse(space + 1, &time) < 0 || clock_rules() - time > CONTEST_SPAN)
		return 0;
	return (size_t)(space - line);
}

int contested_load(const struct pass *pass, struct names *ret)
{
	CLEANUP(free_char) char *path = held_beside(pass->opt->held, "reclaimed");
	CLEANUP(names_release) struct names lines = { 0 };
	int r = held_load(path, &lines, NULL);

	for (size_t i = 0; i < lines.n; i++) {
		size_t n = made_lately(lines.names[i]);
		CLEANUP(free_char) char *made = xstrndup(lines.names[i], n);

		if (n)
			names_add(ret, made);
	}
	return r;
}

void contested_note(struct pass *pass, const struct item *item)
{
	CLEANUP(strbuf_release) struct strbuf time = STRBUF_INIT(TIME_MAX);
	CLEANUP(free_char) char *line = NULL;

	clock_format(clock_rules(), &time);
	line = xasprintf("%s %s %s", item->name, item->pkg.change, time.buf);
	names_add(&pass->reclaimed, line);
}

static char *package_of(const char *line)
{
	return xstrndup(line, strcspn(line, " "));
}

int contested_save(const struct pass *pass)
{
	CLEANUP(names_release) struct names before = { 0 }, packages = { 0 }, now = { 0 };
	CLEANUP(free_char) char *path = held_beside(pass->opt->held, "reclaimed");
	int r;

	if (!pass->reclaimed.n)
		return 0;
	r = held_load(path, &before, NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; i < pass->reclaimed.n; i++) {
		CLEANUP(free_char) char *package = package_of(pass->reclaimed.names[i]);

		names_add(&packages, package);
		names_add(&now, pass->reclaimed.names[i]);
	}
	names_sort(&packages);
	for (size_t i = 0; i < before.n; i++) {
		CLEANUP(free_char) char *package = package_of(before.names[i]);

		if (made_lately(before.names[i]) && !names_have(&packages, package))
			names_add(&now, before.names[i]);
	}
	names_sort(&now);
	return held_save(path, "made ours in latest/, where another program had written them",
			 &now);
}

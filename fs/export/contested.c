/* SPDX-License-Identifier: BSD-3-Clause */
/* contested.c - packages in latest/ that another program writes again after pubfs has. */
#include "contested.h"

#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "memory.h"
#include "strbuf.h"

#define WHY_MAX ((size_t)8 << 10)

bool contested_is_foreign(const struct pass *pass, size_t k, const struct target *t)
{
	if (!pass_is_latest(pass, k))
		return false;
	for (size_t i = 0; i < t->plan.n; i++) {
		const struct step *step = &t->plan.steps[i];

		if (step->kind != STEP_REMOVE && step->have && !step->have->has_sha256 &&
		    !step->have->runtime_version)
			return true;
	}
	return false;
}

char *contested_note(const char *package, const char *change)
{
	return xasprintf("%s %s", package, change);
}

static char *path_of(const struct pass *pass)
{
	return held_beside(pass->opt->held, "reclaimed");
}

int contested_load(const struct pass *pass, struct names *ret)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	CLEANUP(free_char) char *path = path_of(pass);

	return held_load(path, ret, &why);
}

static char *package_of(const char *note)
{
	return xstrndup(note, strcspn(note, " "));
}

int contested_save(const struct pass *pass)
{
	CLEANUP(names_release) struct names before = { 0 };
	CLEANUP(names_release) struct names packages = { 0 };
	CLEANUP(names_release) struct names now = { 0 };
	CLEANUP(free_char) char *path = path_of(pass);
	int r = contested_load(pass, &before);

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

		if (!names_have(&packages, package))
			names_add(&now, before.names[i]);
	}
	names_sort(&now);
	return held_save(path, "made ours in latest/, where another program had written them",
			 &now);
}

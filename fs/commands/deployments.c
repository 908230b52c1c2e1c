/* SPDX-License-Identifier: BSD-3-Clause */
/* deployments.c - which deployments there are, and the end of one. */
#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "command.h"
#include "db.h"
#include "deployment.h"
#include "facts.h"
#include "log.h"
#include "memory.h"
#include "options.h"
#include "stack.h"
#include "strbuf.h"

#define LINE_MAX_BYTES ((size_t)64 << 10)

struct printing {
	const struct options *o;
	const char *held; /* NULL: latest/ is not */
};

static int print_host(void *ctx, const struct deployment *d)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	const struct printing *p = ctx;
	bool held = p->held && !strcmp(p->held, d->runtime_version);
	struct facts f;

	if (!p->o->json)
		return output_text("%s %s, %s, heard %lld seconds ago%s\n", d->runtime_version,
				   d->host, deployment_state(d), (long long)(d->age / SECOND_US),
				   held ? ", latest/ is held at it" : "");
	facts_begin(&f, true, &line);
	facts_text(&f, "runtime_version", d->runtime_version);
	facts_text(&f, "host", d->host);
	facts_text(&f, "state", deployment_state(d));
	facts_seconds(&f, "age", d->age);
	facts_text(&f, "accepted", d->accepted);
	facts_text(&f, "base_url", d->base_url);
	facts_flag(&f, "held", held);
	facts_end(&f);
	return output(line.buf, line.len);
}

static int print_all(const struct options *o, struct db *db)
{
	CLEANUP(free_char) char *held = NULL;
	struct printing p = { .o = o };
	int64_t since;
	int r = db_held(db, &held, &since);

	if (r < 0 && r != -ENOENT)
		return r;
	p.held = held;
	return db_deployments(db, print_host, &p);
}

static const struct verb {
	const char *name;
	bool retired;
	const char *done;
} verbs[] = {
	{ "retire", true, "is retired: it leaves latest/ to the others" },
	{ "admit", false, "is no longer retired" },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int retire(struct db *db, const struct verb *verb, const char *version)
{
	int r = db_retire(db, version, verb->retired);

	if (r == -ENOENT)
		return fail(r, "there is no deployment %s; `pubfs deployments` lists them",
			    version);
	return r < 0 ? r : output_text("%s %s\n", version, verb->done);
}

enum exit_status command_deployments(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	const struct verb *verb = argc ? find_verb(argv[0]) : NULL;
	int r;

	if (argc && (argc != 2 || !verb ||
		     !catalog_is_runtime_version(argv[1], strlen(argv[1])))) {
		fail(-EINVAL, "write pubfs deployments, or deployments retire VERSION, or "
			      "deployments admit VERSION, with a version such as 2026.08.18");
		return EXIT_USAGE;
	}
	r = stack_open(o, STACK_DB, &stack);
	if (r == 0)
		r = argc ? retire(stack.db, verb, argv[1]) : print_all(o, stack.db);
	return exit_status_of(r);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c - the database against the bucket: an export that does nothing and tells all.
 *
 * What differs is what an export would send, so that the two never disagree: every package goes
 * through the same plan and the same comparison, and each change that would be made is a finding.
 * No package is passed over because of what was recorded of it: a proof believes no record.
 *
 * verifier.lock guards all of `result`, and `suspects`; it is held across no call of a store.
 */
#include "verify.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "export.h"
#include "gate.h"
#include "gc_plan.h"
#include "item.h"
#include "log.h"
#include "memory.h"
#include "publish.h"
#include "stored_body.h"
#include "suspects.h"
#include "verifier.h"

#define WHY_MAX		  ((size_t)8 << 10)
#define PACKAGE_NAME_SIZE 65 /* spec, section 2, and the NUL */

struct verifier {
	const struct verifier_options *opt;
	pthread_mutex_t lock;
	struct verification *result;
	uint64_t done, total; /* packages */
	struct names suspects; /* notes of what is damaged */
};

static const char *const finding_names[FINDING_KINDS] = {
	[FINDING_MISSING] = "missing", [FINDING_DANGLING] = "dangling",
	[FINDING_EXTRA] = "extra",     [FINDING_STALE] = "stale",
	[FINDING_HEADERS] = "headers", [FINDING_HASH] = "hash",
	[FINDING_DAMAGED] = "damaged", [FINDING_BROKEN] = "broken",
	[FINDING_GARBAGE] = "garbage", [FINDING_STRAY] = "stray",
};

const char *finding_name(enum finding_kind kind)
{
	return finding_names[kind];
}

void verification_release(struct verification *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->findings[i].package);
		free(v->findings[i].key);
		free(v->findings[i].why);
	}
	free(v->findings);
	*v = (struct verification){ 0 };
}

static void find(struct verifier *v, enum finding_kind kind, const char *package, const char *key,
		 const char *why)
{
	struct verification *result = v->result;

	pthread_mutex_lock(&v->lock);
	GROW(result->findings, result->n, result->alloc);
	result->findings[result->n++] = (struct finding){
		.kind = kind,
		.package = xstrdup_or_null(package),
		.key = xstrdup(key),
		.why = xstrdup(why),
	};
	result->counts[kind]++;
	pthread_mutex_unlock(&v->lock);
}

/* Its listing is there, and is what the rows give. */
static bool has_listing(const struct target *t)
{
	for (size_t i = 0; i < t->plan.n; i++) {
		const struct step *step = &t->plan.steps[i];

		if (step->kind == STEP_WRITE &&
		    package_documents[step->document].kind == KIND_LISTING)
			return step->have && !t->publications[i].result &&
			       t->publications[i].done != PUBLISHED_WRITE;
	}
	return false;
}

static const char *why_stale(const struct object *have)
{
	if (have->change && !strcmp(have->change, "hand"))
		return "it was written by hand, and will be replaced";
	return "it is not what the database says";
}

static void find_step(struct verifier *v, const struct item *item, const struct target *t, size_t i)
{
	const struct step *step = &t->plan.steps[i];
	const struct publication *p = &t->publications[i];
	bool archive = step->kind == STEP_COPY;

	if (p->result < 0 || p->done == PUBLISHED_NOTHING)
		return;
	if (p->done == PUBLISHED_REMOVE)
		find(v, FINDING_EXTRA, item->name, step->key, step->why);
	else if (p->done == PUBLISHED_TOUCH)
		find(v, FINDING_HEADERS, item->name, step->key,
		     "its headers or custom keys are not as they should be");
	else if (!step->have && archive && has_listing(t))
		find(v, FINDING_DANGLING, item->name, step->key,
		     "the listing names it, and it is not there");
	else if (!step->have)
		find(v, FINDING_MISSING, item->name, step->key, "it is not there");
	else if (archive)
		find(v, FINDING_HASH, item->name, step->key,
		     "its bytes are not those of its version");
	else
		find(v, FINDING_STALE, item->name, step->key, why_stale(step->have));
}

/* Of each object that is there, the publication that is about it; NULL: none is. */
static const struct publication **publications_of(const struct target *t)
{
	const struct publication **of = xcalloc(t->have.n + 1, sizeof(*of));

	for (size_t i = 0; i < t->plan.n; i++)
		if (t->plan.steps[i].have)
			of[t->plan.steps[i].have - t->have.objects] = &t->publications[i];
	return of;
}

/* What lies there and no step is about. */
static void find_unplanned(struct verifier *v, const struct item *item, const struct object *obj)
{
	struct object_name name;
	enum kind kind = catalog_match(obj->key, &name);

	if (kind == KIND_NONE)
		find(v, FINDING_STRAY, item->name, obj->key,
		     "an export makes no object of this name");
	else if (kind == KIND_ARCHIVE &&
		 !package_find_version(&item->pkg, name.version.text, name.version.len))
		find(v, FINDING_GARBAGE, item->name, obj->key,
		     "its version has no row; it waits for gc");
}

static void find_damaged(struct verifier *v, const char *package, const struct object *obj,
			 const char *why)
{
	CLEANUP(free_char) char *note = suspects_note(obj);

	find(v, FINDING_DAMAGED, package, obj->key, why);
	pthread_mutex_lock(&v->lock);
	names_add(&v->suspects, note);
	pthread_mutex_unlock(&v->lock);
}

/* Reads, hashes and gates what is there. Its failures are findings, so they are not said. */
static int judge_body(struct verifier *v, const char *package, const struct object *obj,
		      const struct object_name *name)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(WHY_MAX);
	unsigned char sum[SHA256_SIZE];
	int verdict = 0, r;

	log_set_mute(true);
	r = stored_judge(v->opt->exporter->store, obj, name, sum, &verdict, &why);
	log_set_mute(false);
	if (r == -ESTALE)
		return fail(-EIO, "%s was changed while it was read; verify again", obj->key);
	if (r < 0 && r != -EBADMSG && r != -E2BIG)
		return fail(-EIO, "%s: %s", obj->key, log_last_failure());
	if (r < 0)
		find_damaged(v, package, obj, "its bytes are damaged");
	else if (obj->has_sha256 && memcmp(sum, obj->sha256, SHA256_SIZE) != 0)
		find_damaged(v, package, obj,
			     "its bytes are not those of the hash in its metadata");
	else if (verdict == -EINVAL)
		find(v, FINDING_BROKEN, package, obj->key, why.buf);
	else
		return verdict;
	return 0;
}

/* What would be written anew is not looked into: it differs whatever it is. */
static void read_body(struct verifier *v, const char *package, const struct object *obj,
		      const struct publication *p)
{
	struct object_name name;
	int r;

	if (p->result < 0 || p->done == PUBLISHED_WRITE || p->done == PUBLISHED_REMOVE)
		return;
	if (catalog_match(obj->key, &name) == KIND_NONE)
		return;
	r = judge_body(v, package, obj, &name);
	pthread_mutex_lock(&v->lock);
	v->result->bodies++;
	v->result->unread += r < 0;
	pthread_mutex_unlock(&v->lock);
}

void verifier_begin(const struct pass *pass, uint64_t packages)
{
	pass->opt->verifier->total = packages;
}

static void see_target(const struct pass *pass, const struct item *item, const struct target *t)
{
	struct verifier *v = pass->opt->verifier;
	const struct publication **of;

	for (size_t i = 0; i < t->plan.n; i++)
		find_step(v, item, t, i);
	of = publications_of(t);
	for (size_t i = 0; i < t->have.n && !pass_stopping(pass); i++) {
		if (!of[i])
			find_unplanned(v, item, &t->have.objects[i]);
		else if (v->opt->deep)
			read_body(v, item->name, &t->have.objects[i], of[i]);
	}
	free(of);
}

void verifier_see(const struct pass *pass, const struct item *item)
{
	struct verifier *v = pass->opt->verifier;
	uint64_t objects = 0;

	for (size_t k = 0; k < pass->n_prefixes; k++) {
		objects += item->targets[k].have.n;
		if (item->targets[k].tried)
			see_target(pass, item, &item->targets[k]);
	}
	pthread_mutex_lock(&v->lock);
	v->result->packages++;
	v->result->objects += objects;
	v->done++;
	if (v->opt->progress)
		v->opt->progress(v->opt->ctx, v->done, v->total);
	pthread_mutex_unlock(&v->lock);
}

void verifier_see_site(const struct pass *pass, const struct publication *p)
{
	struct verifier *v = pass->opt->verifier;

	if (p->done == PUBLISHED_TOUCH)
		find(v, FINDING_HEADERS, NULL, p->key,
		     "its headers or custom keys are not as they should be");
	else if (p->done == PUBLISHED_WRITE && !p->have)
		find(v, FINDING_MISSING, NULL, p->key, "it is not there");
	else if (p->done == PUBLISHED_WRITE)
		find(v, FINDING_STALE, NULL, p->key, why_stale(p->have));
	if (v->opt->deep && p->have)
		read_body(v, NULL, p->have, p);
}

/* What is looked for in one prefix. */
struct rest {
	struct verifier *v;
	const struct names *known;
	size_t skip; /* the length of the prefix, with its '/' */
	char last[PACKAGE_NAME_SIZE]; /* the known package that was met last */
};

/* What stands in a key in the place of a package's name. False: it is none. */
static bool package_in_name(const char *name, struct name_part *ret)
{
	static const struct {
		const char *folder;
		const char *stop; /* behind the name */
		bool must_stop;
	} places[] = { { "api/archives/", "-", true }, { "api/packages/", "/", false } };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		size_t n = strlen(places[i].folder);

		if (strncmp(name, places[i].folder, n) != 0)
			continue;
		*ret = (struct name_part){ name + n, strcspn(name + n, places[i].stop) };
		return (!places[i].must_stop || ret->text[ret->len]) &&
		       catalog_is_package_name(ret->text, ret->len);
	}
	return false;
}

static int see_rest(void *ctx, const struct fingerprint *f)
{
	struct rest *rest = ctx;
	struct object_name name;
	struct name_part part;
	char package[PACKAGE_NAME_SIZE];
	bool has_package = package_in_name(f->key + rest->skip, &part), garbage;

	if (has_package) {
		snprintf(package, sizeof(package), "%.*s", (int)part.len, part.text);
		if (!strcmp(package, rest->last))
			return 0;
		if (names_have(rest->known, package)) {
			memcpy(rest->last, package, sizeof(package));
			return 0;
		}
	}
	rest->v->result->objects++;
	if (!has_package && catalog_match(f->key, &name) != KIND_NONE)
		return 0; /* verifier_see_site() */
	garbage = has_package && gc_is_of_package(f->key, package);
	find(rest->v, garbage ? FINDING_GARBAGE : FINDING_STRAY, has_package ? package : NULL,
	     f->key,
	     garbage ? "its package has no row; it waits for gc"
		     : "an export makes no object of this name");
	return 0;
}

int verifier_see_rest(const struct pass *pass, const struct names *known)
{
	int r = 0;

	for (size_t k = 0; k < pass->n_prefixes && !r; k++) {
		CLEANUP(free_char) char *prefix = xasprintf("%s/", pass->prefixes[k]);
		struct rest rest = {
			.v = pass->opt->verifier,
			.known = known,
			.skip = strlen(prefix),
		};

		r = store_fingerprints(pass->opt->store, prefix, true, NULL, see_rest, &rest);
	}
	return r;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct finding *)a)->key, ((const struct finding *)b)->key);
}

int verify(const struct verifier_options *options, char *const *names, size_t n,
	   struct verification *ret)
{
	struct verifier v = { .opt = options, .result = ret };
	struct exporter_options exporter = *options->exporter;
	struct export_counts counts = { .packages = 0 };
	struct exporter *ex;
	int r, noted;

	*ret = (struct verification){ 0 };
	pthread_mutex_init(&v.lock, NULL);
	exporter.verifier = &v;
	r = exporter_new(&exporter, &ex);
	if (!r) {
		r = names ? export_named(ex, names, n, &counts) : export_all(ex, &counts);
		exporter_free(ex);
	}
	ret->left = counts.left;
	export_counts_release(&counts);
	pthread_mutex_destroy(&v.lock);
	noted = v.suspects.n ? suspects_add(exporter.held, &v.suspects) : 0;
	names_release(&v.suspects);
	if (ret->n)
		qsort(ret->findings, ret->n, sizeof(*ret->findings), by_key);
	if (!r && ret->unread)
		r = -EIO;
	return r < 0 ? r : noted;
}

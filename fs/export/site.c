/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * site.c - the documents of a prefix that are of no package (spec, section 9).
 *
 * Each is made of rows of many packages, read one after the other: what is kept of them is the
 * document. It is rendered once and compared by its hash in every prefix, as all else is. A full
 * pass does that only where something can have changed; new versions are in the feed
 * at once. They carry no `change`, which is a package's. latest/ has those of one deployment, which
 * each other one leaves alone. Of a package that the brake holds each keeps what it shows (kept.h).
 *
 * How each was left is recorded: where the index has it otherwise, another host has been at it, and
 * the bucket is asked for it first.
 */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "db.h"
#include "kept.h"
#include "log.h"
#include "memory.h"
#include "names.h"
#include "pass.h"
#include "planned.h"
#include "publish.h"
#include "render.h"
#include "store.h"
#include "strbuf.h"
#include "survey.h"
#include "suspects.h"
#include "verifier.h"

#define RECORDED  ".site" /* no package has such a name */
#define TRIES_MAX 5
#define RANKED_AT_ONCE 256 /* one round trip to a server for so many */

struct feed {
	const struct rendering *how;
	const struct kept *kept;
	struct strbuf entries;
	int64_t updated;
};

static int add_entry(void *ctx, const struct newest *newest)
{
	struct feed *feed = ctx;
	const struct newest_version offered = { newest->package, newest->publisher,
						newest->version };

	if ((!newest->visible || !package_version_is_visible(newest->version) ||
	     newest->version->retracted) &&
	    !kept_has_entry(feed->kept, &offered))
		return 0;
	if (!feed->entries.len)
		feed->updated = newest->version->created;
	site_feed_entry(&offered, feed->how, &feed->entries);
	return strbuf_error(&feed->entries);
}

static int feed_render(const struct pass *pass, const struct kept *kept, struct strbuf *out)
{
	struct feed feed = {
		.how = &pass->opt->rendering,
		.kept = kept,
		.entries = STRBUF_INIT(DOCUMENT_MAX),
		.updated = 0, /* of a registry without any version: the epoch */
	};
	int r = db_newest(pass->opt->db, SITE_FEED_VERSIONS, add_entry, &feed);

	if (!r)
		site_feed_body(&feed.entries, feed.updated, feed.how, out);
	strbuf_release(&feed.entries);
	return r;
}

/* Packages in their order, with the version that their row calls latest ("": none). */
struct ranking {
	const struct pass *pass;
	struct names names, latest;
	size_t from; /* of those that are looked at */
	bool offered[RANKED_AT_ONCE];
};

static int add_ranked(void *ctx, const char *package, const char *latest)
{
	struct ranking *ranking = ctx;

	names_add(&ranking->names, package);
	names_add(&ranking->latest, latest ? latest : "");
	return 0;
}

/* Whether clients of today can use its latest version. */
static int see_versions(void *ctx, size_t i, const struct package *pkg)
{
	struct ranking *ranking = ctx;
	CLEANUP(releases_release) struct release_list releases = { .versions = NULL };
	char *latest = ranking->latest.names[ranking->from + i];
	struct package with_latest = *pkg; /* borrows all */
	int r;

	with_latest.latest_version = *latest ? latest : NULL;
	r = releases_select(&with_latest, &ranking->pass->opt->rendering, &releases);
	if (r < 0)
		return r;
	ranking->offered[i] =
		releases.n && !pubspec_is_dart_1(releases.pubspecs[releases.latest]);
	return 0;
}

/* The names alone are in memory, and packages read one after the other until there are enough. */
static int rank(struct ranking *ranking, struct names *offered)
{
	struct db *db = ranking->pass->opt->db;
	const struct names *names = &ranking->names;
	int r = db_ranked(db, add_ranked, ranking);

	while (!r && ranking->from < names->n && offered->n < COMPLETION_MAX) {
		size_t n = names->n - ranking->from;

		n = n < RANKED_AT_ONCE ? n : RANKED_AT_ONCE;
		if (pass_stopping(ranking->pass))
			return -ECANCELED;
		memset(ranking->offered, 0, sizeof(ranking->offered));
		r = db_versions(db, names->names + ranking->from, n, see_versions, ranking);
		for (size_t i = 0; i < n && offered->n < COMPLETION_MAX; i++)
			if (ranking->offered[i])
				names_add(offered, names->names[ranking->from + i]);
		ranking->from += n;
	}
	return r;
}

static int completion_render(const struct pass *pass, const struct kept *kept, struct strbuf *out)
{
	CLEANUP(names_release) struct names offered = { 0 };
	struct ranking ranking = { .pass = pass };
	int r = rank(&ranking, &offered);

	names_release(&ranking.names);
	names_release(&ranking.latest);
	if (r < 0)
		return r;
	kept_add_names(kept, &offered);
	completion_body(offered.names, offered.n < COMPLETION_MAX ? offered.n : COMPLETION_MAX,
			out);
	return 0;
}

static int not_found_render(const struct pass *pass, const struct kept *kept, struct strbuf *out)
{
	(void)pass;
	(void)kept;
	not_found_body(out);
	return 0;
}

/* In the order in which they are written; the feed, which has turns of its own, first. */
static const struct site_document {
	const char *name; /* behind the prefix */
	int (*render)(const struct pass *pass, const struct kept *kept, struct strbuf *out);
} site_documents[] = {
	{ "feed.atom", feed_render },
	{ "api/package-name-completion-data", completion_render },
	{ "not-found.json", not_found_render },
};

/* One document in one prefix. */
struct placed {
	char *key;
	const struct body *body;
	struct object have;
	bool there;
	bool left; /* to another deployment */
	bool open; /* still to be published */
	int result;
	unsigned char recorded[SHA256_SIZE], seen[SHA256_SIZE]; /* before, and as it is now */
};

static void placed_release(struct placed *p)
{
	free(p->key);
	object_release(&p->have);
}

static int placed_look(struct pass *pass, size_t k, struct placed *p)
{
	int r;

	object_release(&p->have);
	object_init(&p->have);
	r = store_stat(pass->opt->store, p->key, &p->have);
	if (r < 0 && r != -ENOENT)
		return fail(r, "cannot look at %s", p->key);
	p->there = !r;
	r = pass_is_latest(pass, k) ? pass_leaves(pass, &p->have, 1) : 0;
	p->left = r > 0;
	return r < 0 ? r : 0;
}

static char *record_name(const struct site_document *doc)
{
	return xasprintf(RECORDED "/%s", doc->name);
}

/* What the index knows of it may be from before another host wrote it. */
static int placed_catch_up(struct pass *pass, const struct site_document *doc, size_t k,
			   struct placed *p)
{
	CLEANUP(export_state_release) struct export_state known = { .change = NULL };
	CLEANUP(free_char) char *name = record_name(doc);
	unsigned char digest[SHA256_SIZE] = { 0 };
	int r = db_state(pass->opt->db, pass->opt->store->url, pass->keys[k], name, &known);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	memcpy(p->recorded, known.seen, SHA256_SIZE);
	r = placed_look(pass, k, p);
	if (r < 0)
		return r;
	if (p->there)
		survey_toggle(digest, &p->have);
	return memcmp(digest, p->recorded, SHA256_SIZE) != 0
		       ? store_refresh(pass->opt->store, p->key, 0)
		       : 0;
}

static void placed_describe(const struct pass *pass, size_t k, const struct placed *p,
			    struct publication *pub)
{
	publication_init(pub);
	pub->action = PUBLISH_WRITE;
	pub->key = p->key;
	pub->group = (unsigned)k;
	pub->have = p->there ? &p->have : NULL;
	pub->why = p->there ? "a package changed" : "it is new";
	pub->force = pass->opt->force;
	if (p->there && suspects_have(&pass->suspects, &p->have)) {
		pub->why = SUSPECT_WHY;
		pub->force = true;
	}
	pub->refresh = pass->refresh;
	pub->body = p->body;
}

static void publication_print(const struct pass *pass, const struct publication *pub)
{
	bool touch = pub->done == PUBLISHED_TOUCH;
	const struct planned planned = {
		.action = touch ? PLANNED_RENEW : PLANNED_WRITE,
		.key = pub->key,
		.why = touch ? "its metadata is not as it should be" : pub->why,
		.generation = pub->have ? pub->have->generation : 0,
		.bytes = touch ? 0 : pub->body->size,
	};

	if (pub->done != PUBLISHED_NOTHING)
		planned_print(pass->opt->dry_run, &planned);
}

static void publication_count(struct pass *pass, const struct publication *pub)
{
	pthread_mutex_lock(&pass->lock);
	pass->counts.written += pub->done == PUBLISHED_WRITE;
	pass->counts.touched += pub->done == PUBLISHED_TOUCH;
	pthread_mutex_unlock(&pass->lock);
	if (pass->opt->dry_run)
		publication_print(pass, pub);
	if (pass->opt->verifier)
		verifier_see_site(pass, pub);
}

/* Who lost a race stays open. */
static void placed_settle(struct pass *pass, struct placed *p, const struct publication *pub)
{
	p->result = pub->result;
	p->open = pub->result == -ESTALE;
	if (!p->result) {
		publication_count(pass, pub);
		memset(p->seen, 0, SHA256_SIZE);
		survey_toggle(p->seen, &pub->now);
	}
	if (!p->open)
		return;
	p->result = store_refresh(pass->opt->store, p->key, 0);
	p->open = !p->result;
}

/* What is open, into all prefixes side by side. */
static bool publish_open(struct pass *pass, struct placed *placed)
{
	struct publication pubs[PREFIXES_MAX];
	struct placed *of[PREFIXES_MAX];
	bool again = false;
	size_t n = 0;
	int r = 0;

	for (size_t k = 0; k < pass->n_prefixes; k++) {
		struct placed *p = &placed[k];

		if (!p->open)
			continue;
		p->result = placed_look(pass, k, p);
		p->open = !p->result && !p->left;
		if (!p->open)
			continue;
		placed_describe(pass, k, p, &pubs[n]);
		of[n++] = p;
	}
	if (n && pass_rehearses(pass))
		r = publish_preview(pass->opt->publisher, pubs, n);
	else if (n)
		r = publish(pass->opt->publisher, pubs, n);
	if (r < 0)
		log_debug("a document did not go through in every prefix");
	for (size_t i = 0; i < n; i++) {
		placed_settle(pass, of[i], &pubs[i]);
		again |= of[i]->open;
		if (of[i]->open && pass_is_latest(pass, (size_t)(of[i] - placed)))
			pass_doubt_latest(pass);
		publication_release(&pubs[i]);
	}
	return again;
}

/* As it has to be in a prefix. */
static int document_make(const struct pass *pass, const struct site_document *doc, size_t k,
			 struct strbuf *out)
{
	CLEANUP(kept_release) struct kept kept;
	int r = kept_load(pass, k, doc->name, &kept);

	if (!r)
		r = doc->render(pass, &kept, out);
	if (!r)
		r = strbuf_error(out);
	return r < 0 && r != -ECANCELED ? fail(r, "cannot make %s", doc->name) : r;
}

/* What is held of a prefix is another document there; else they share one. */
static int document_render(const struct pass *pass, const struct site_document *doc,
			   struct strbuf *texts, struct body *bodies, struct placed *placed)
{
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		bool shared = k && !pass_holds(pass, k - 1) && !pass_holds(pass, k);
		int r = 0;

		strbuf_reset(&texts[k]);
		if (!shared)
			r = document_make(pass, doc, k, &texts[k]);
		if (r < 0)
			return r;
		bodies[k] = body_of_strbuf(&texts[k]);
		placed[k].body = shared ? placed[k - 1].body : &bodies[k];
	}
	return 0;
}

/* Who wrote first may have had newer rows: who lost renders anew. */
static int document_publish(struct pass *pass, const struct site_document *doc,
			    struct placed *placed)
{
	struct strbuf texts[PREFIXES_MAX];
	struct body bodies[PREFIXES_MAX];
	bool again = true;
	int r = 0;

	for (size_t k = 0; k < PREFIXES_MAX; k++)
		strbuf_init(&texts[k], DOCUMENT_MAX);
	for (unsigned tries = 0; !r && again && tries < TRIES_MAX; tries++) {
		r = document_render(pass, doc, texts, bodies, placed);
		again = !r && publish_open(pass, placed);
	}
	for (size_t k = 0; k < PREFIXES_MAX; k++)
		strbuf_release(&texts[k]);
	return r;
}

static int document_record(const struct pass *pass, const struct site_document *doc,
			   const struct placed *placed)
{
	struct export_record records[PREFIXES_MAX];
	CLEANUP(free_char) char *name = record_name(doc);
	char made[] = "made";
	size_t n = 0;

	for (size_t k = 0; k < pass->n_prefixes; k++) {
		const struct placed *p = &placed[k];
		struct export_record *record = &records[n];

		if (p->result < 0 || p->left || !memcmp(p->seen, p->recorded, SHA256_SIZE))
			continue;
		*record = (struct export_record){
			.prefix = pass->keys[k],
			.package = name,
			.state = { .change = made, .renderer = pass->renderer },
		};
		memcpy(record->state.seen, p->seen, SHA256_SIZE);
		n++;
	}
	return n ? db_record(pass->opt->db, pass->opt->store->url, records, n) : 0;
}

/* Sets of each prefix whether the document is left to another deployment. */
static int document_run(struct pass *pass, const struct site_document *doc, bool *left)
{
	struct placed placed[PREFIXES_MAX] = { { .key = NULL } };
	int r, first = 0;

	for (size_t k = 0; k < PREFIXES_MAX; k++)
		object_init(&placed[k].have);
	for (size_t k = 0; k < pass->n_prefixes; k++) {
		struct placed *p = &placed[k];

		p->key = xasprintf("%s/%s", pass->prefixes[k], doc->name);
		if (!pass->opt->verifier) /* which believes no record */
			p->result = placed_catch_up(pass, doc, k, p);
		p->open = !p->result;
	}
	r = document_publish(pass, doc, placed);
	if (!r && !pass_rehearses(pass))
		r = document_record(pass, doc, placed);
	for (size_t k = 0; k < PREFIXES_MAX; k++) {
		struct placed *p = &placed[k];

		if (!r && p->open)
			p->result = fail(-ESTALE, "%s is being changed by others all the time",
					 p->key);
		left[k] |= p->left;
		if (!first)
			first = p->result;
		placed_release(p);
	}
	return r < 0 ? r : first;
}

void site_state_add(unsigned char state[SHA256_SIZE], const char *package, const char *change)
{
	CLEANUP(free_char) char *text = xasprintf("%s %s", package, change);
	unsigned char one[SHA256_SIZE];

	sha256(text, strlen(text), one);
	survey_merge(state, one);
}

/* The objects of a prefix as they are; `ret_whole`: all are there, and none has to be renewed, or
 * written anew. */
static int site_survey(const struct pass *pass, const char *prefix, unsigned char ret[SHA256_SIZE],
		       bool *ret_whole)
{
	memset(ret, 0, SHA256_SIZE);
	*ret_whole = true;
	for (size_t i = 0; i < ARRAY_SIZE(site_documents); i++) {
		CLEANUP(free_char)
		char *key = xasprintf("%s/%s", prefix, site_documents[i].name);
		CLEANUP(object_release) struct object obj;
		int r;

		object_init(&obj);
		r = store_stat(pass->opt->store, key, &obj);
		if (r < 0 && r != -ENOENT)
			return r;
		if (!r)
			survey_toggle(ret, &obj);
		*ret_whole &= !r && obj.validated != NO_TIME &&
			      clock_rules() - obj.validated <= VALIDATED_MAX_AGE &&
			      !suspects_have(&pass->suspects, &obj);
	}
	return 0;
}

/* 1: they are what was made of these packages. */
static int is_recorded(const struct pass *pass, size_t k, const char *state)
{
	CLEANUP(export_state_release) struct export_state known = { .change = NULL };
	unsigned char seen[SHA256_SIZE];
	bool whole;
	int r = db_state(pass->opt->db, pass->opt->store->url, pass->keys[k], RECORDED, &known);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!known.change || strcmp(known.change, state) != 0 || !known.renderer ||
	    strcmp(known.renderer, pass->renderer) != 0)
		return 0;
	r = site_survey(pass, pass->prefixes[k], seen, &whole);
	return r < 0 ? r : whole && !memcmp(seen, known.seen, SHA256_SIZE);
}

/* What is left to another deployment, or keeps what is held, is recorded with no digest, so that it
 * is looked at again. */
static int record(const struct pass *pass, char *state, const bool *left)
{
	struct export_record records[PREFIXES_MAX];

	for (size_t k = 0; k < pass->n_prefixes; k++) {
		struct export_record *record = &records[k];
		bool whole;
		int r;

		*record = (struct export_record){
			.prefix = pass->keys[k],
			.package = RECORDED,
			.state = { .change = state, .renderer = pass->renderer },
		};
		r = left[k] || pass_holds(pass, k)
			    ? 0
			    : site_survey(pass, pass->prefixes[k], record->state.seen, &whole);
		if (r < 0)
			return r;
	}
	return db_record(pass->opt->db, pass->opt->store->url, records, pass->n_prefixes);
}

static int run_all(struct pass *pass, const unsigned char digest[SHA256_SIZE])
{
	char state[2 * SHA256_SIZE + 1];
	bool all_recorded = !pass->opt->force && !pass->opt->verifier;
	bool left[PREFIXES_MAX] = { false };
	int first = 0;

	hex_encode(digest, SHA256_SIZE, state);
	for (size_t k = 0; k < pass->n_prefixes && all_recorded; k++) {
		int r = is_recorded(pass, k, state);

		if (r < 0)
			return r;
		all_recorded = r;
	}
	if (all_recorded)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(site_documents); i++) {
		int r = document_run(pass, &site_documents[i], left);

		if (!first)
			first = r;
	}
	return first || pass_rehearses(pass) ? first : record(pass, state, left);
}

void site_turn_init(struct site_turn *turn, int64_t pause, int64_t now)
{
	*turn = (struct site_turn){ .pause = pause, .looked = now - pause };
	pthread_mutex_init(&turn->lock, NULL);
}

void site_turn_release(struct site_turn *turn)
{
	pthread_mutex_destroy(&turn->lock);
}

static int64_t turn_due(const struct site_turn *turn)
{
	return turn->waits ? turn->looked + turn->pause : INT64_MAX;
}

int64_t site_turn_due(struct site_turn *turn)
{
	int64_t due;

	pthread_mutex_lock(&turn->lock);
	due = turn_due(turn);
	pthread_mutex_unlock(&turn->lock);
	return due;
}

bool site_turn_take(struct site_turn *turn, int64_t now, bool any, bool at_once)
{
	bool taken;

	pthread_mutex_lock(&turn->lock);
	turn->waits |= any;
	taken = turn->waits && (at_once || now >= turn_due(turn));
	if (taken) {
		turn->waits = false;
		turn->looked = now;
	}
	pthread_mutex_unlock(&turn->lock);
	return taken;
}

void site_turn_give_back(struct site_turn *turn)
{
	pthread_mutex_lock(&turn->lock);
	turn->waits = true;
	pthread_mutex_unlock(&turn->lock);
}

int site_run(struct pass *pass, bool feed, const unsigned char *state)
{
	bool left[PREFIXES_MAX] = { false };

	if (state)
		return run_all(pass, state);
	return feed && !pass->opt->verifier ? document_run(pass, &site_documents[0], left) : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* render.c - the table of a package's documents, and the keys of its objects (spec, section 3). */
#include "render.h"

#include "clock.h"
#include "documents.h"
#include "strbuf.h"
#include "version.h"

static void listing_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s", prefix, package);
}

static void advisories_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/advisories", prefix, package);
}

static void likes_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/likes", prefix, package);
}

static void options_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/options", prefix, package);
}

static void publisher_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/publisher", prefix, package);
}

static void score_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/score", prefix, package);
}

static void feed_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/feed.atom", prefix, package);
}

/* The listing's advisoriesUpdated must never be ahead of the advisories: they are written first. */
const struct document package_documents[] = {
	{ "advisories", KIND_ADVISORIES, advisories_body, advisories_key },
	{ "listing", KIND_LISTING, listing_body, listing_key },
	{ "likes", KIND_LIKES, likes_body, likes_key },
	{ "options", KIND_OPTIONS, options_body, options_key },
	{ "publisher", KIND_PUBLISHER, publisher_body, publisher_key },
	{ "score", KIND_SCORE, score_body, score_key },
	{ "feed", KIND_FEED, feed_body, feed_key },
};
const size_t n_package_documents = ARRAY_SIZE(package_documents);

void archive_key(const char *prefix, const char *package, const char *version, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/archives/%s-%s.tar.gz", prefix, package, version);
}

void archive_canonical_key(const char *package, const char *version, struct strbuf *out)
{
	strbuf_addf(out, "packages/%s-%s.tar.gz", package, version);
}

void add_time_member(struct strbuf *out, const char *name, int64_t us)
{
	strbuf_addf(out, "\"%s\":\"", name);
	clock_format(us, out);
	strbuf_addch(out, '"');
}

bool pubspec_is_dart_1(struct json pubspec)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json environment, constraint;

	if (!json_member(pubspec, "environment", &environment))
		return true;
	if (json_member(environment, "flutter", &constraint) && constraint.type != JSON_NULL)
		return false;
	if (!json_member(environment, "sdk", &constraint) || constraint.type != JSON_STRING)
		return true;
	json_decode(constraint, &text);
	return version_constraint_is_any(text.buf) || !version_constraint_reaches(text.buf, 2);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* render.c - the table of a package's documents, and the keys of its objects (spec, section 3). */
#include "render.h"

#include "clock.h"
#include "documents.h"
#include "strbuf.h"

static void listing_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s", prefix, package);
}

static void advisories_key(const char *prefix, const char *package, struct strbuf *out)
{
	strbuf_addf(out, "%s/api/packages/%s/advisories", prefix, package);
}

/* The listing's advisoriesUpdated must never be ahead of the advisories: they are written first. */
const struct document package_documents[] = {
	{ "advisories", KIND_ADVISORIES, advisories_body, advisories_key },
	{ "listing", KIND_LISTING, listing_body, listing_key },
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

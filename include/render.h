/* SPDX-License-Identifier: BSD-3-Clause */
/* render.h - rows in, bytes out (spec, sections 4, 5, 7 and 9). Pure: same rows, same bytes. */
#ifndef PUBFS_RENDER_H
#define PUBFS_RENDER_H

#include "catalog.h"
#include "compiler.h"
#include "json.h"
#include "package.h"

struct strbuf;

/* Moved with every change of the bytes that the same rows give, so that all is compared again. */
#define RENDERER_VERSION 2

/* What the bytes depend on besides the rows. */
struct rendering {
	const char *base_url;	   /* without a trailing slash */
	const char *sdk_dart;	   /* stable SDK versions for `latest`; NULL: that rule is off */
	const char *sdk_flutter;
};

/*
 * The versions of a package that a listing shows, sorted, and what was left out. Made once a
 * package; the documents and the plan of the archives read it. Borrows from `pkg`.
 */
struct release_list {
	const struct package_version **versions; /* ascending (section 6) */
	struct json *pubspecs; /* of each of them, parsed */
	size_t n;
	size_t latest;	  /* index into versions; n > 0 */
	size_t n_visible; /* rows that are neither moderated nor deleted */
	size_t n_rows;
	size_t n_unservable; /* left out, too: clients could not get their archives */
	char **left_out; /* one sentence for each visible version that is unusable (section 17) */
	size_t n_left_out;
	char **noticed; /* kept and reported, such as another version in its pubspec */
	size_t n_noticed;
};
int releases_select(const struct package *pkg, const struct rendering *how,
		    struct release_list *ret) MUST_CHECK;
void releases_release(struct release_list *list);

/* One exported document a row, in the order in which they are written. */
struct document {
	const char *name; /* for messages: "advisories" */
	enum kind kind;
	/* Appends the decoded body. -EINVAL: the rows cannot be rendered (said). -E2BIG. */
	int (*body)(const struct package *pkg, const struct release_list *releases,
		    const struct rendering *how, struct strbuf *out);
	void (*key)(const char *prefix, const char *package, struct strbuf *out);
};
extern const struct document package_documents[];
extern const size_t n_package_documents;

/* The documents of a prefix, which are of no package. All append. */
#define SITE_FEED_VERSIONS 100	 /* the newest of all packages, offered or not */
#define COMPLETION_MAX	   20000 /* names */
void not_found_body(struct strbuf *out);
void completion_body(char *const *names, size_t n, struct strbuf *out);
/* Of the latest version: completion data leaves out what no Dart from 2.0.0 on can use. */
bool pubspec_is_dart_1(struct json pubspec);

struct newest_version {
	const char *package, *publisher; /* publisher may be NULL */
	const struct package_version *version;
};
/* The element by which an entry is told from all others. */
void site_feed_entry_id(const struct newest_version *newest, struct strbuf *out);
void site_feed_entry(const struct newest_version *newest, const struct rendering *how,
		     struct strbuf *entries);
/* `updated`: of the first entry. */
void site_feed_body(const struct strbuf *entries, int64_t updated, const struct rendering *how,
		    struct strbuf *out);

/* `<prefix>/api/archives/<P>-<V>.tar.gz`, and the canonical store's `packages/<P>-<V>.tar.gz`. */
void archive_key(const char *prefix, const char *package, const char *version, struct strbuf *out);
void archive_canonical_key(const char *package, const char *version, struct strbuf *out);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* render_listing.c - the version listing of a package (spec, section 5). */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "documents.h"
#include "log.h"
#include "strbuf.h"

/* Of all that a version may consist of, `+` alone is encoded in a URI component. */
static void add_encoded(struct strbuf *out, const char *version)
{
	for (; *version; version++) {
		if (*version == '+')
			strbuf_addstr(out, "%2B");
		else
			strbuf_addch(out, *version);
	}
}

static void add_archive_url(struct strbuf *out, const char *base_url, const char *package,
			    const char *version)
{
	CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(DOCUMENT_MAX);

	strbuf_addf(&url, "%s/api/archives/%s-", base_url, package);
	add_encoded(&url, version);
	strbuf_addstr(&url, ".tar.gz");
	json_add_string(out, url.buf, url.len);
}

static void add_sha256(struct strbuf *out, const char *stored)
{
	unsigned char sha[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	int r = hex_decode(stored, sha, sizeof(sha));

	assert(!r); /* releases_select() has left out any other */
	hex_encode(sha, sizeof(sha), hex);
	strbuf_addf(out, ",\"archive_sha256\":\"%s\"", hex);
}

static void add_entry(struct strbuf *out, const struct package *pkg, const struct rendering *how,
		      const struct package_version *version, struct json pubspec)
{
	strbuf_addstr(out, "{\"version\":");
	json_add_string(out, version->version, strlen(version->version));
	if (version->retracted)
		strbuf_addstr(out, ",\"retracted\":true");
	strbuf_addstr(out, ",\"pubspec\":");
	json_add(out, pubspec);
	strbuf_addstr(out, ",\"archive_url\":");
	add_archive_url(out, how->base_url, pkg->name, version->version);
	if (version->archive_sha256 && *version->archive_sha256)
		add_sha256(out, version->archive_sha256);
	strbuf_addch(out, ',');
	add_time_member(out, "published", version->created);
	strbuf_addch(out, '}');
}

int listing_body(const struct package *pkg, const struct release_list *releases,
		 const struct rendering *how, struct strbuf *out)
{
	size_t latest = releases->latest;

	if (!releases->n)
		return fail(-EINVAL, "%s has no version that could be listed", pkg->name);
	strbuf_addstr(out, "{\"name\":");
	json_add_string(out, pkg->name, strlen(pkg->name));
	if (pkg->discontinued)
		strbuf_addstr(out, ",\"isDiscontinued\":true");
	if (pkg->replaced_by) {
		strbuf_addstr(out, ",\"replacedBy\":");
		json_add_string(out, pkg->replaced_by, strlen(pkg->replaced_by));
	}
	strbuf_addstr(out, ",\"latest\":");
	add_entry(out, pkg, how, releases->versions[latest], releases->pubspecs[latest]);
	strbuf_addstr(out, ",\"versions\":[");
	for (size_t i = 0; i < releases->n; i++) {
		if (i)
			strbuf_addch(out, ',');
		add_entry(out, pkg, how, releases->versions[i], releases->pubspecs[i]);
	}
	strbuf_addch(out, ']');
	if (pkg->has_latest_advisory) {
		strbuf_addch(out, ',');
		add_time_member(out, "advisoriesUpdated", pkg->latest_advisory);
	}
	strbuf_addch(out, '}');
	if (strbuf_error(out) < 0)
		return fail(-E2BIG, "the listing of %s is over %zu bytes", pkg->name, out->max);
	return 0;
}

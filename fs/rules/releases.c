/* SPDX-License-Identifier: BSD-3-Clause */
/* releases.c - the versions that a listing shows, and which is latest (spec, sections 6 and 17). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "log.h"
#include "memory.h"
#include "render.h"
#include "strbuf.h"
#include "version.h"

/* One visible version that clients can use. */
struct release {
	struct version version; /* slices of row->version */
	const struct package_version *row;
	struct json pubspec;
};

struct selection {
	const struct package *pkg;
	struct release *releases;
	size_t n, n_visible, n_unservable;
	char **left_out, **noticed;
	size_t n_left_out, n_noticed, left_out_alloc, noticed_alloc;
	struct strbuf text; /* of one JSON string at a time */
};

static void leave_out(struct selection *s, const struct package_version *row, const char *why)
{
	GROW(s->left_out, s->n_left_out, s->left_out_alloc);
	s->left_out[s->n_left_out++] =
		xasprintf("%s %s is left out: %s", s->pkg->name, row->version, why);
}

static void notice(struct selection *s, const struct package_version *row, const char *what)
{
	GROW(s->noticed, s->n_noticed, s->noticed_alloc);
	s->noticed[s->n_noticed++] = xasprintf("%s %s: %s", s->pkg->name, row->version, what);
}

/* The decoded string until the next call; NULL: it is none. */
static const struct strbuf *text_of(struct selection *s, struct json value)
{
	strbuf_reset(&s->text);
	if (value.type != JSON_STRING)
		return NULL;
	json_decode(value, &s->text);
	return strbuf_error(&s->text) < 0 ? NULL : &s->text;
}

/* As much of a token as a message needs. */
static int shown(struct json value)
{
	return value.len < 80 ? (int)value.len : 80;
}

static int check_pubspec_name(struct selection *s, struct json pubspec, struct strbuf *why)
{
	struct json name;

	if (!json_member(pubspec, "name", &name)) {
		strbuf_addstr(why, "its pubspec has no name");
		return -EINVAL;
	}
	if (name.type != JSON_STRING || !json_equals(name, s->pkg->name)) {
		strbuf_addf(why, "the name in its pubspec is %.*s", shown(name), name.text);
		return -EINVAL;
	}
	return 0;
}

/* Clients go by this version and not by the row's. */
static int check_pubspec_version(struct selection *s, const struct release *release,
				 struct strbuf *why, struct strbuf *remark)
{
	const struct strbuf *text;
	struct json value;
	struct version version;

	if (!json_member(release->pubspec, "version", &value) || value.type == JSON_NULL) {
		strbuf_addstr(remark, "its pubspec has no version, so clients see 0.0.0");
		return 0;
	}
	text = text_of(s, value);
	if (!text || version_parse(text->buf, text->len, &version) < 0) {
		strbuf_addf(why, "the version in its pubspec is %.*s", shown(value), value.text);
		return -EINVAL;
	}
	if (!json_equals(value, release->row->version))
		strbuf_addf(remark, "the version in its pubspec is %.*s", shown(value), value.text);
	return 0;
}

/* Whether clients can use a version (spec, section 17); `remark` is for one that they can. */
static int check_release(struct selection *s, struct release *release, struct strbuf *why,
			 struct strbuf *remark)
{
	const struct package_version *row = release->row;
	unsigned char sha[SHA256_SIZE];
	int r;

	if (!version_is_canonical(row->version, strlen(row->version)) ||
	    version_parse(row->version, strlen(row->version), &release->version) < 0) {
		strbuf_addstr(why, "its version is not in canonical form");
		return -EINVAL;
	}
	strbuf_addstr(why, "its pubspec is no sound JSON: ");
	r = row->pubspec ? json_parse(row->pubspec, row->pubspec_len, &release->pubspec, why)
			 : -EINVAL;
	if (r < 0)
		return r;
	strbuf_reset(why);
	if (release->pubspec.type != JSON_OBJECT) {
		strbuf_addstr(why, "its pubspec is no object");
		return -EINVAL;
	}
	if (row->archive_sha256 && *row->archive_sha256 &&
	    hex_decode(row->archive_sha256, sha, sizeof(sha)) < 0) {
		strbuf_addstr(why, "its archive_sha256 is not 64 hexadecimal digits");
		return -EINVAL;
	}
	r = check_pubspec_name(s, release->pubspec, why);
	return r < 0 ? r : check_pubspec_version(s, release, why, remark);
}

static void select_row(struct selection *s, const struct package_version *row)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(1000), remark = STRBUF_INIT(1000);
	struct release release = { .row = row };

	if (row->unservable) {
		s->n_unservable++;
		return;
	}
	if (check_release(s, &release, &why, &remark) < 0) {
		leave_out(s, row, why.buf);
		return;
	}
	if (remark.len)
		notice(s, row, remark.buf);
	s->releases[s->n++] = release;
}

static int compare_releases(const void *a, const void *b)
{
	const struct release *x = a, *y = b;

	return version_compare(&x->version, &y->version);
}

/* The stable SDKs that `latest` looks at; an absent one has no say. */
struct sdk {
	const char *name; /* below `environment` */
	bool present;
	struct version stable;
};
#define N_SDKS 2

static int read_sdks(const struct rendering *how, struct sdk *sdks)
{
	const char *texts[N_SDKS] = { how->sdk_dart, how->sdk_flutter };
	static const char *const names[N_SDKS] = { "sdk", "flutter" };

	for (size_t i = 0; i < N_SDKS; i++) {
		sdks[i] = (struct sdk){ .name = names[i], .present = texts[i] };
		if (texts[i] && version_parse(texts[i], strlen(texts[i]), &sdks[i].stable) < 0)
			return fail(-EINVAL, "the stable SDK's version %s is none", texts[i]);
	}
	return 0;
}

static bool needs_newer_sdk(struct selection *s, struct json pubspec, const struct sdk *sdks)
{
	struct json environment, constraint;
	struct version bound;

	if (!json_member(pubspec, "environment", &environment))
		return false;
	for (size_t i = 0; i < N_SDKS; i++) {
		const struct strbuf *text;

		if (!sdks[i].present || !json_member(environment, sdks[i].name, &constraint))
			continue;
		text = text_of(s, constraint);
		if (text && !version_lower_bound(text->buf, &bound) &&
		    version_compare(&bound, &sdks[i].stable) > 0)
			return true;
	}
	return false;
}

/*
 * The stored pointer, if it names one of these. Where it is null, or names a version that is
 * invisible, absent or left out, the spec's rule is computed: for a pointer that is wrong the rule
 * says what the database would have kept, so nothing is lost when its keeper comes late.
 */
static size_t choose_latest(struct selection *s, const struct sdk *sdks)
{
	struct candidate *candidates;
	size_t latest;

	for (size_t i = 0; s->pkg->latest_version && i < s->n; i++)
		if (!strcmp(s->releases[i].row->version, s->pkg->latest_version))
			return i;
	candidates = xcalloc(s->n, sizeof(*candidates));
	for (size_t i = 0; i < s->n; i++)
		candidates[i] = (struct candidate){
			.version = s->releases[i].version,
			.retracted = s->releases[i].row->retracted,
			.needs_newer_sdk = needs_newer_sdk(s, s->releases[i].pubspec, sdks),
		};
	latest = version_latest(candidates, s->n);
	free(candidates);
	return latest;
}

int releases_select(const struct package *pkg, const struct rendering *how,
		    struct release_list *ret)
{
	struct selection s = { .pkg = pkg, .text = STRBUF_INIT(DOCUMENT_MAX) };
	struct sdk sdks[N_SDKS];
	int r = read_sdks(how, sdks);

	if (r < 0)
		return r;
	s.releases = xcalloc(pkg->n_versions, sizeof(*s.releases));
	for (size_t i = 0; i < pkg->n_versions; i++) {
		if (!package_version_is_visible(&pkg->versions[i]))
			continue;
		s.n_visible++;
		select_row(&s, &pkg->versions[i]);
	}
	qsort(s.releases, s.n, sizeof(*s.releases), compare_releases);
	*ret = (struct release_list){
		.versions = xcalloc(s.n, sizeof(*ret->versions)),
		.pubspecs = xcalloc(s.n, sizeof(*ret->pubspecs)),
		.n = s.n,
		.latest = s.n ? choose_latest(&s, sdks) : 0,
		.n_visible = s.n_visible,
		.n_unservable = s.n_unservable,
		.n_rows = pkg->n_versions,
		.left_out = s.left_out,
		.n_left_out = s.n_left_out,
		.noticed = s.noticed,
		.n_noticed = s.n_noticed,
	};
	for (size_t i = 0; i < s.n; i++) {
		ret->versions[i] = s.releases[i].row;
		ret->pubspecs[i] = s.releases[i].pubspec;
	}
	free(s.releases);
	strbuf_release(&s.text);
	return 0;
}

static void sentences_free(char **sentences, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(sentences[i]);
	free(sentences);
}

void releases_release(struct release_list *list)
{
	free(list->versions);
	free(list->pubspecs);
	sentences_free(list->left_out, list->n_left_out);
	sentences_free(list->noticed, list->n_noticed);
	*list = (struct release_list){ 0 };
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render_feed.c - the Atom feeds (spec, section 9).
 *
 * Texts come from pubspecs, which may hold what no XML can: that becomes U+FFFD. Lengths count
 * UTF-16 units, as Dart does, and a pair that a cut parts becomes U+FFFD too.
 *
 * pub.dev adds an excerpt of the changelog to each entry where it has one. The package database
 * keeps no changelogs, so there is none here; each entry is what pub.dev writes for a package
 * without a changelog.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "codec.h"
#include "documents.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "utf8.h"

#define NEWEST_OF_PACKAGE 10
#define DESCRIPTION_MAX	  210 /* UTF-16 units: a longer description, or one as long, is cut, */
#define DESCRIPTION_CUT	  200 /* to so many */
#define TEXT_MAX	  ((size_t)16 << 20)
#define REPLACEMENT	  "\xef\xbf\xbd"

struct escape {
	char c;
	const char *text;
};

/* What Dart's HtmlEscape does in an element, and in an attribute. */
static const struct escape in_text[] = {
	{ '&', "&amp;" }, { '<', "&lt;" },  { '>', "&gt;" },
	{ '"', "&quot;" }, { '\'', "&#39;" }, { '/', "&#47;" },
};
static const struct escape in_attribute[] = {
	{ '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" },
};

/* How many bytes a character that may stand in XML has; 0: this is none. */
static size_t xml_char(const char *at, const char *end)
{
	const unsigned char *p = (const unsigned char *)at;
	size_t n = utf8_length(at, end);

	if (n == 1 && *p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r')
		return 0;
	if (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe)
		return 0; /* U+FFFE and U+FFFF */
	return n;
}

/* What is no character: one byte, or all three of a lone surrogate. */
static size_t broken_length(const char *at, const char *end)
{
	const unsigned char *p = (const unsigned char *)at;

	if (end - at >= 3 && ((p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xef && p[1] == 0xbf)))
		return 3;
	return 1;
}

static void add_escaped(struct strbuf *out, const char *text, size_t len,
			const struct escape *escapes, size_t n_escapes)
{
	const char *at = text, *end = text + len, *plain = text; /* what is not added yet */

	while (at < end) {
		size_t n = xml_char(at, end), i = 0;

		while (n && i < n_escapes && escapes[i].c != *at)
			i++;
		if (n && i == n_escapes) {
			at += n;
			continue;
		}
		strbuf_add(out, plain, (size_t)(at - plain));
		strbuf_addstr(out, n ? escapes[i].text : REPLACEMENT);
		at += n ? n : broken_length(at, end);
		plain = at;
	}
	strbuf_add(out, plain, (size_t)(end - plain));
}

static void add_element(struct strbuf *out, const char *name, const char *text, size_t len)
{
	strbuf_addch(out, '<');
	strbuf_addstr(out, name);
	strbuf_addch(out, '>');
	add_escaped(out, text, len, in_text, ARRAY_SIZE(in_text));
	strbuf_addstr(out, "</");
	strbuf_addstr(out, name);
	strbuf_addch(out, '>');
}

static void add_text_element(struct strbuf *out, const char *name, const char *text)
{
	add_element(out, name, text, strlen(text));
}

static void add_author(struct strbuf *out, const char *name)
{
	if (!name)
		return;
	strbuf_addstr(out, "<author>");
	add_text_element(out, "name", name);
	strbuf_addstr(out, "</author>");
}

static void add_time(struct strbuf *out, int64_t us)
{
	strbuf_addstr(out, "<updated>");
	clock_format(us, out);
	strbuf_addstr(out, "</updated>");
}

/* `title` NULL: none. */
static void add_link(struct strbuf *out, const char *href, const char *rel, const char *title)
{
	strbuf_addstr(out, "<link href=\"");
	add_escaped(out, href, strlen(href), in_attribute, ARRAY_SIZE(in_attribute));
	strbuf_addf(out, "\" rel=\"%s\"", rel);
	if (title) {
		strbuf_addstr(out, " title=\"");
		add_escaped(out, title, strlen(title), in_attribute, ARRAY_SIZE(in_attribute));
		strbuf_addch(out, '"');
	}
	strbuf_addstr(out, "/>");
}

/* The first 16 bytes of the SHA-512 of a name, as a UUID of version 4. */
static void add_uuid(struct strbuf *out, const char *name)
{
	unsigned char sum[SHA512_SIZE];
	char hex[2 * 16 + 1];

	sha512(name, strlen(name), sum);
	sum[6] = (unsigned char)((sum[6] & 0x0f) | 0x40);
	sum[8] = (unsigned char)((sum[8] & 0x3f) | 0x80);
	hex_encode(sum, 16, hex);
	strbuf_addf(out, "<id>urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s</id>", hex, hex + 8, hex + 12,
		    hex + 16, hex + 20);
}

/* The bytes of so many UTF-16 units; `ret_all`: how many there are. */
static size_t cut_units(const struct strbuf *text, size_t most, size_t *ret_all, bool *ret_parted)
{
	const char *at = text->buf, *end = at + text->len;
	size_t units = 0, cut = text->len;

	*ret_parted = false;
	while (at < end) {
		size_t n = utf8_length(at, end), wide = n == 4 ? 2 : 1;

		if (units <= most && units + wide > most) {
			cut = (size_t)(at - text->buf);
			*ret_parted = units + 1 == most;
		}
		units += wide;
		at += n ? n : broken_length(at, end);
	}
	*ret_all = units;
	return cut;
}

/* The description of a version, shortened. False: its pubspec has none. */
static bool add_description(struct strbuf *out, const struct package_version *v)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json pubspec, value;
	size_t units, cut;
	bool parted;

	if (json_parse(v->pubspec, v->pubspec_len, &pubspec, NULL) < 0 ||
	    !json_member(pubspec, "description", &value) || value.type != JSON_STRING)
		return false;
	json_decode(value, &text);
	cut = cut_units(&text, DESCRIPTION_CUT, &units, &parted);
	if (units < DESCRIPTION_MAX) {
		strbuf_add(out, text.buf, text.len);
		return true;
	}
	strbuf_add(out, text.buf, cut);
	strbuf_addstr(out, parted ? REPLACEMENT " [...]" : " [...]");
	return true;
}

/* `Jan 2, 2024` */
static void add_short_date(struct strbuf *out, int64_t us)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t seconds = (time_t)(us >= 0 ? us / SECOND_US : (us - SECOND_US + 1) / SECOND_US);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strbuf_addf(out, "%s %d, %04d", months[tm.tm_mon], tm.tm_mday, tm.tm_year + 1900);
}

static void add_title(struct strbuf *out, const char *package, const char *version)
{
	CLEANUP(free_char) char *title = xasprintf("v%s of %s", version, package);

	add_text_element(out, "title", title);
}

void site_feed_entry_id(const struct newest_version *newest, struct strbuf *out)
{
	CLEANUP(free_char)
	char *seed = xasprintf("%s/%s", newest->package, newest->version->version);

	add_uuid(out, seed);
}

void site_feed_entry(const struct newest_version *newest, const struct rendering *how,
		     struct strbuf *entries)
{
	const struct package_version *v = newest->version;
	CLEANUP(free_char) char *page = xasprintf("%s/packages/%s", how->base_url, newest->package);
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(TEXT_MAX);

	strbuf_addstr(entries, "<entry>");
	site_feed_entry_id(newest, entries);
	add_title(entries, newest->package, v->version);
	add_time(entries, v->created);
	add_author(entries, newest->publisher);
	if (!add_description(&content, v))
		strbuf_addstr(&content, "[no description]");
	add_element(entries, "content", content.buf, content.len);
	add_link(entries, page, "alternate", newest->package);
	strbuf_addstr(entries, "</entry>");
}

static void package_feed_entry(const struct package *pkg, const struct package_version *v,
			       const struct rendering *how, struct strbuf *out)
{
	CLEANUP(free_char) char *seed = xasprintf("package-feed/%s/%s", pkg->name, v->version);
	CLEANUP(free_char)
	char *page = xasprintf("%s/packages/%s/versions/%s", how->base_url, pkg->name, v->version);
	CLEANUP(strbuf_release) struct strbuf content = STRBUF_INIT(TEXT_MAX);

	strbuf_addstr(out, "<entry>");
	add_uuid(out, seed);
	add_title(out, pkg->name, v->version);
	add_time(out, v->created);
	strbuf_addf(&content, "%s was published on ", v->version);
	add_short_date(&content, v->created);
	strbuf_addch(&content, '.');
	add_element(out, "content", content.buf, content.len);
	add_link(out, page, "alternate", v->version);
	strbuf_addstr(out, "</entry>");
}

struct feed {
	const char *self, *title, *alternate;
	const char *author; /* NULL: none */
	int64_t updated;
};

/* The base URL as a name: what stands behind `https://`. */
static const char *site_name(const struct rendering *how)
{
	const char *at = strstr(how->base_url, "://");

	return at ? at + 3 : how->base_url;
}

static void add_feed_start(struct strbuf *out, const struct feed *feed)
{
	strbuf_addstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			   "<feed xmlns=\"http://www.w3.org/2005/Atom\">");
	add_text_element(out, "id", feed->self);
	add_text_element(out, "title", feed->title);
	add_time(out, feed->updated);
	add_author(out, feed->author);
	add_link(out, feed->alternate, "alternate", NULL);
	add_link(out, feed->self, "self", NULL);
	strbuf_addstr(out, "<generator version=\"0.1.0\">Pub Feed Generator</generator>");
}

static void add_feed_end(struct strbuf *out)
{
	strbuf_addstr(out, "</feed>\n");
}

void site_feed_body(const struct strbuf *entries, int64_t updated, const struct rendering *how,
		    struct strbuf *out)
{
	CLEANUP(free_char) char *self = xasprintf("%s/feed.atom", how->base_url);
	CLEANUP(free_char) char *home = xasprintf("%s/", how->base_url);
	CLEANUP(free_char)
	char *title = xasprintf("Recently published packages on %s", site_name(how));
	const struct feed feed = {
		.self = self, .title = title, .alternate = home, .updated = updated
	};

	add_feed_start(out, &feed);
	strbuf_add(out, entries->buf, entries->len);
	add_feed_end(out);
}

/* The newest first; of the same time, by version in byte order. */
static int by_age(const void *a, const void *b)
{
	const struct package_version *x = *(const struct package_version *const *)a;
	const struct package_version *y = *(const struct package_version *const *)b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return strcmp(x->version, y->version);
}

/* Of the 10 newest, those that are offered; the caller frees the array. */
static size_t pick_newest(const struct package *pkg, const struct package_version ***ret)
{
	const struct package_version **all = xcalloc(pkg->n_versions + 1, sizeof(*all));
	size_t n = pkg->n_versions, kept = 0;

	for (size_t i = 0; i < n; i++)
		all[i] = &pkg->versions[i];
	qsort(all, n, sizeof(*all), by_age);
	if (n > NEWEST_OF_PACKAGE)
		n = NEWEST_OF_PACKAGE;
	for (size_t i = 0; i < n; i++)
		if (package_version_is_visible(all[i]) && !all[i]->retracted)
			all[kept++] = all[i];
	*ret = all;
	return kept;
}

int feed_body(const struct package *pkg, const struct release_list *releases,
	      const struct rendering *how, struct strbuf *out)
{
	CLEANUP(free_char)
	char *self = xasprintf("%s/api/packages/%s/feed.atom", how->base_url, pkg->name);
	CLEANUP(free_char) char *page = xasprintf("%s/packages/%s", how->base_url, pkg->name);
	CLEANUP(free_char)
	char *title = xasprintf("Recently published versions of package %s on %s", pkg->name,
				site_name(how));
	CLEANUP(strbuf_release) struct strbuf subtitle = STRBUF_INIT(TEXT_MAX);
	const struct package_version **newest;
	size_t n = pick_newest(pkg, &newest);
	const struct feed feed = {
		.self = self,
		.title = title,
		.alternate = page,
		.author = n ? pkg->publisher : NULL,
		.updated = n ? newest[0]->created : pkg->created,
	};

	(void)releases;
	add_feed_start(out, &feed);
	if (n && add_description(&subtitle, newest[0]))
		add_element(out, "subtitle", subtitle.buf, subtitle.len);
	for (size_t i = 0; i < n; i++)
		package_feed_entry(pkg, newest[i], how, out);
	add_feed_end(out);
	free(newest);
	return strbuf_error(out);
}

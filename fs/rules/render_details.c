/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render_details.c - the small JSON documents of a package and of a prefix (spec, section 9).
 *
 * Unlike a listing, they say null where there is nothing.
 */
#include <inttypes.h>
#include <string.h>

#include "documents.h"
#include "log.h"
#include "strbuf.h"

static void add_text(struct strbuf *out, const char *text)
{
	if (text)
		json_add_string(out, text, strlen(text));
	else
		strbuf_addstr(out, "null");
}

int likes_body(const struct package *pkg, const struct release_list *releases,
	       const struct rendering *how, struct strbuf *out)
{
	(void)releases;
	(void)how;
	strbuf_addstr(out, "{\"package\":");
	add_text(out, pkg->name);
	strbuf_addf(out, ",\"likes\":%" PRId64 "}", pkg->likes);
	return strbuf_error(out);
}

int options_body(const struct package *pkg, const struct release_list *releases,
		 const struct rendering *how, struct strbuf *out)
{
	(void)releases;
	(void)how;
	strbuf_addf(out,
		    "{\"isDiscontinued\":%s,\"replacedBy\":", pkg->discontinued ? "true" : "false");
	add_text(out, pkg->replaced_by);
	strbuf_addf(out, ",\"isUnlisted\":%s}", pkg->unlisted ? "true" : "false");
	return strbuf_error(out);
}

int publisher_body(const struct package *pkg, const struct release_list *releases,
		   const struct rendering *how, struct strbuf *out)
{
	(void)releases;
	(void)how;
	strbuf_addstr(out, "{\"publisherId\":");
	add_text(out, pkg->publisher);
	strbuf_addch(out, '}');
	return strbuf_error(out);
}

static bool is_list_of_strings(struct json value)
{
	struct json_iter it;
	struct json item;

	if (value.type != JSON_ARRAY)
		return false;
	for (it = json_iterate(value); json_next(&it, NULL, &item);)
		if (item.type != JSON_STRING)
			return false;
	return true;
}

/* Tags that cannot be read are no reason to keep a listing back. */
static void add_tags(struct strbuf *out, const struct package *pkg)
{
	struct json tags;

	if (pkg->tags && !json_parse(pkg->tags, pkg->tags_len, &tags, NULL) &&
	    is_list_of_strings(tags)) {
		json_add(out, tags);
		return;
	}
	if (pkg->tags)
		log_warning("the tags of package %s are no JSON list of strings: its score has "
			    "none",
			    pkg->name);
	strbuf_addstr(out, "[]");
}

int score_body(const struct package *pkg, const struct release_list *releases,
	       const struct rendering *how, struct strbuf *out)
{
	(void)releases;
	(void)how;
	strbuf_addf(out,
		    "{\"grantedPoints\":%" PRId64 ",\"maxPoints\":%" PRId64
		    ",\"likeCount\":%" PRId64
		    ",\"downloadCount30Days\":",
		    pkg->granted_points, pkg->max_points, pkg->likes);
	if (pkg->has_download_count)
		strbuf_addf(out, "%" PRId64, pkg->download_count_30d);
	else
		strbuf_addstr(out, "null");
	strbuf_addstr(out, ",\"tags\":");
	add_tags(out, pkg);
	strbuf_addch(out, '}');
	return strbuf_error(out);
}

void not_found_body(struct strbuf *out)
{
	static const char what[] =
		"\"code\":\"NotFound\","
		"\"message\":\"Package or version requested could not be found.\"";

	strbuf_addf(out, "{\"error\":{%s},%s}", what, what);
}

void completion_body(char *const *names, size_t n, struct strbuf *out)
{
	strbuf_addstr(out, "{\"packages\":[");
	for (size_t i = 0; i < n; i++) {
		strbuf_addstr(out, i ? "," : "");
		add_text(out, names[i]);
	}
	strbuf_addstr(out, "]}");
}

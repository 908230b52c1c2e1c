/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * render_advisories.c - the security advisories of a package (spec, section 7).
 *
 * An advisory that cannot be read fails the whole document: to leave it out would hide a known
 * vulnerability, and clients drop the document of a package for one violation anyway.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "documents.h"
#include "log.h"
#include "strbuf.h"

#define ANY	 (~0U)
#define TYPE(of) (1U << (of))

/* A key that an exported object has. The tables below stand in the order of the output. */
struct field {
	const char *name;
	unsigned types;	       /* allowed ones, by TYPE(); null counts as absent */
	const char *otherwise; /* written when it is absent; NULL: the key is left out */
	bool required;
	const struct field *fields; /* of the object, or of each object of the array; NULL: as is */
};

#define FREE_FORM(key)                                                                             \
	{                                                                                          \
		.name = (key), .types = ANY, .otherwise = "null"                                   \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static const struct field severity[] = { FREE_FORM("type"), FREE_FORM("score"), END };
static const struct field package[] = { FREE_FORM("ecosystem"), FREE_FORM("name"),
					FREE_FORM("purl"), END };
static const struct field event[] = { FREE_FORM("introduced"), FREE_FORM("fixed"),
				      FREE_FORM("last_affected"), FREE_FORM("limit"), END };
static const struct field range[] = { FREE_FORM("type"),
				      FREE_FORM("repo"),
				      { "events", TYPE(JSON_ARRAY), "null", false, event },
				      FREE_FORM("database_specific"),
				      END };
static const struct field reference[] = { FREE_FORM("type"), FREE_FORM("url"), END };
static const struct field credit[] = { FREE_FORM("name"), FREE_FORM("contact"), END };

/* Clients need a list of versions where an entry may be about their package. */
static const struct field affected_here[] = {
	{ "package", TYPE(JSON_OBJECT), "null", false, package },
	{ "ranges", TYPE(JSON_ARRAY), "null", false, range },
	{ "versions", TYPE(JSON_ARRAY), "[]", false, NULL },
	FREE_FORM("database_specific"),
	FREE_FORM("ecosystem_specific"),
	END,
};
static const struct field affected_elsewhere[] = {
	{ "package", TYPE(JSON_OBJECT), "null", false, package },
	{ "ranges", TYPE(JSON_ARRAY), "null", false, range },
	{ "versions", TYPE(JSON_ARRAY), "null", false, NULL },
	FREE_FORM("database_specific"),
	FREE_FORM("ecosystem_specific"),
	END,
};

static const struct field advisory[] = {
	{ "schema_version", ANY, NULL, false, NULL },
	{ "id", TYPE(JSON_STRING), NULL, true, NULL },
	{ "modified", TYPE(JSON_STRING), NULL, true, NULL },
	{ "published", ANY, NULL, false, NULL },
	{ "withdrawn", ANY, NULL, false, NULL },
	{ "aliases", TYPE(JSON_ARRAY), "[]", false, NULL },
	{ "related", ANY, NULL, false, NULL },
	{ "summary", TYPE(JSON_STRING), "\"\"", false, NULL },
	{ "details", ANY, NULL, false, NULL },
	{ "severity", TYPE(JSON_ARRAY), NULL, false, severity },
	{ "affected", TYPE(JSON_ARRAY), "[]", false, affected_elsewhere },
	{ "references", TYPE(JSON_ARRAY), NULL, false, reference },
	{ "credits", TYPE(JSON_ARRAY), NULL, false, credit },
	END,
};

struct rendered {
	struct strbuf *out;
	const char *package;
	struct strbuf *why;
};

/* `ecosystem` is a string. */
static bool is_pub(struct json ecosystem)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);

	json_decode(ecosystem, &text);
	return text.len == 3 && !strcasecmp(text.buf, "pub");
}

/* What an entry of `affected` says of the ecosystem and of this name, where it can be read. */
struct match {
	bool pub, named;
	bool elsewhere; /* it is about another ecosystem or package */
};

static struct match match_entry(struct json entry, const char *name)
{
	struct match match = { false, false, false };
	struct json of, value;

	if (!json_member(entry, "package", &of))
		return match;
	if (json_member(of, "ecosystem", &value) && value.type == JSON_STRING) {
		match.pub = is_pub(value);
		match.elsewhere = !match.pub;
	}
	if (json_member(of, "name", &value) && value.type == JSON_STRING) {
		match.named = json_equals(value, name);
		match.elsewhere = match.elsewhere || !match.named;
	}
	return match;
}

/* False only where the document itself says that it is about other packages alone. */
static bool concerns(struct json osv, const char *name)
{
	struct json affected, entry;
	struct json_iter it;
	bool any = false;

	if (!json_member(osv, "affected", &affected) || affected.type != JSON_ARRAY)
		return true;
	for (it = json_iterate(affected); json_next(&it, NULL, &entry); any = true)
		if (!match_entry(entry, name).elsewhere)
			return true;
	return !any;
}

static int refuse(const struct rendered *to, const char *what, const char *name)
{
	strbuf_addf(to->why, "%s `%s`", what, name);
	return -EINVAL;
}

static int add_fields(const struct rendered *to, struct json object, const struct field *fields);

static int add_array(const struct rendered *to, struct json array, const struct field *field)
{
	struct json_iter it = json_iterate(array);
	struct json item;
	bool first = true;

	strbuf_addch(to->out, '[');
	for (; json_next(&it, NULL, &item); first = false) {
		const struct field *fields = field->fields;
		struct match match;
		int r;

		if (item.type != JSON_OBJECT)
			return refuse(to, "an item that is no object in", field->name);
		if (fields == affected_elsewhere) {
			match = match_entry(item, to->package);
			fields = match.pub || match.named ? affected_here : fields;
		}
		strbuf_addstr(to->out, first ? "{" : ",{");
		r = add_fields(to, item, fields);
		if (r < 0)
			return r;
		strbuf_addch(to->out, '}');
	}
	strbuf_addch(to->out, ']');
	return 0;
}

static int add_value(const struct rendered *to, struct json value, const struct field *field)
{
	int r;

	if (!(field->types & TYPE(value.type)))
		return refuse(to, "the wrong type of", field->name);
	if (!field->fields) {
		json_add(to->out, value);
		return 0;
	}
	if (value.type == JSON_ARRAY)
		return add_array(to, value, field);
	strbuf_addch(to->out, '{');
	r = add_fields(to, value, field->fields);
	strbuf_addch(to->out, '}');
	return r;
}

/* The members alone: who calls writes the braces, and may add more. */
static int add_fields(const struct rendered *to, struct json object, const struct field *fields)
{
	bool first = true;

	for (const struct field *field = fields; field->name; field++) {
		struct json value;
		bool absent = !json_member(object, field->name, &value) || value.type == JSON_NULL;
		int r = 0;

		if (absent && field->required)
			return refuse(to, "no", field->name);
		if (absent && !field->otherwise)
			continue;
		strbuf_addf(to->out, "%s\"%s\":", first ? "" : ",", field->name);
		first = false;
		if (absent)
			strbuf_addstr(to->out, field->otherwise);
		else
			r = add_value(to, value, field);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The first of id and aliases that starts like this, decoded into `ret`. */
static bool find_id(struct json osv, const char *start, struct strbuf *ret)
{
	struct json aliases, id;

	if (json_member(osv, "id", &id))
		json_decode(id, ret);
	if (!strncmp(ret->buf, start, strlen(start)))
		return true;
	if (!json_member(osv, "aliases", &aliases) || aliases.type != JSON_ARRAY)
		return false;
	for (struct json_iter it = json_iterate(aliases); json_next(&it, NULL, &id);) {
		strbuf_reset(ret);
		if (id.type == JSON_STRING)
			json_decode(id, ret);
		if (!strncmp(ret->buf, start, strlen(start)))
			return true;
	}
	return false;
}

static void add_display_url(const struct rendered *to, struct json osv)
{
	static const struct {
		const char *start, *site;
	} sites[] = {
		{ "GHSA", "https://github.com/advisories/" },
		{ "CVE", "https://osv.dev/vulnerability/" },
		{ "", "https://osv.dev/vulnerability/" }, /* of the id itself */
	};

	for (size_t i = 0; i < ARRAY_SIZE(sites); i++) {
		CLEANUP(strbuf_release) struct strbuf id = STRBUF_INIT(DOCUMENT_MAX);
		CLEANUP(strbuf_release) struct strbuf url = STRBUF_INIT(DOCUMENT_MAX);

		if (!find_id(osv, sites[i].start, &id))
			continue;
		strbuf_addstr(&url, sites[i].site);
		strbuf_add(&url, id.buf, id.len);
		json_add_string(to->out, url.buf, url.len);
		return;
	}
}

static int add_database_specific(const struct rendered *to, struct json osv)
{
	struct json given, key, value;
	bool has_url = false, first = true;

	strbuf_addstr(to->out, ",\"database_specific\":{");
	if (json_member(osv, "database_specific", &given) && given.type != JSON_NULL) {
		if (given.type != JSON_OBJECT)
			return refuse(to, "the wrong type of", "database_specific");
		for (struct json_iter it = json_iterate(given); json_next(&it, &key, &value);) {
			if (!first)
				strbuf_addch(to->out, ',');
			json_add(to->out, key);
			strbuf_addch(to->out, ':');
			json_add(to->out, value);
			has_url = has_url || json_equals(key, "pub_display_url");
			first = false;
		}
	}
	if (!has_url) {
		strbuf_addf(to->out, "%s\"pub_display_url\":", first ? "" : ",");
		add_display_url(to, osv);
	}
	strbuf_addch(to->out, '}');
	return 0;
}

static int add_advisory(const struct rendered *to, struct json osv)
{
	int r;

	strbuf_addch(to->out, '{');
	r = add_fields(to, osv, advisory);
	if (!r)
		r = add_database_specific(to, osv);
	strbuf_addch(to->out, '}');
	return r;
}

int advisories_body(const struct package *pkg, const struct release_list *releases,
		    const struct rendering *how, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(1000);
	const struct rendered to = { .out = out, .package = pkg->name, .why = &why };
	int64_t updated = 0; /* the epoch */
	bool first = true;

	(void)releases;
	(void)how;
	if (pkg->has_latest_advisory && pkg->latest_advisory > updated)
		updated = pkg->latest_advisory;
	strbuf_addstr(out, "{\"advisories\":[");
	for (size_t i = 0; i < pkg->n_advisories; i++) {
		const struct advisory *row = &pkg->advisories[i];
		struct json osv;
		int r = json_parse(row->osv, row->osv_len, &osv, &why);

		if (!r && !concerns(osv, pkg->name))
			continue;
		if (!r && !first)
			strbuf_addch(out, ',');
		if (!r)
			r = add_advisory(&to, osv);
		if (r < 0)
			return fail(r, "the advisory %s of %s cannot be read: %s", row->id,
				    pkg->name, why.buf);
		first = false;
		if (row->synced > updated)
			updated = row->synced;
	}
	strbuf_addstr(out, "],");
	add_time_member(out, "advisoriesUpdated", updated);
	strbuf_addch(out, '}');
	if (strbuf_error(out) < 0)
		return fail(-E2BIG, "the advisories of %s are over %zu bytes", pkg->name, out->max);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * yaml.c - YAML of the 1.2 core schema into JSON.
 *
 * libyaml tells the events; what a plain scalar means is decided here, since libyaml leaves that
 * open. `yes`, `on`, `1_000` and `12:30` are strings in the core schema, and 0777 is the int 777.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "archive.h"
#include "json.h"
#include "memory.h"
#include "strbuf.h"

#define DOUBLE_DIGITS 17 /* with as many, every double reads back as itself */

struct conversion {
	yaml_parser_t parser;
	enum yaml_aliases aliases;
	struct strbuf *out, *why;
};

static int refuse(struct conversion *c, yaml_mark_t at, const char *fmt, ...) PRINTF(3, 4);
static int refuse(struct conversion *c, yaml_mark_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(c->why, fmt, ap);
	va_end(ap);
	strbuf_addf(c->why, " in line %zu", at.line + 1);
	return -EINVAL;
}

static int next_event(struct conversion *c, yaml_event_t *ret)
{
	const yaml_parser_t *p = &c->parser;

	if (yaml_parser_parse(&c->parser, ret))
		return 0;
	return refuse(c, p->error == YAML_READER_ERROR ? p->mark : p->problem_mark, "no YAML (%s)",
		      p->problem ? p->problem : "too big");
}

/* What a plain scalar is. An int or float is told apart from its digits alone. */
enum scalar { SCALAR_STRING, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT, SCALAR_NO_JSON };

static const struct {
	const char *text;
	enum scalar is;
	const char *json;
} words[] = {
	{ "", SCALAR_NULL, "null" },	   { "~", SCALAR_NULL, "null" },
	{ "null", SCALAR_NULL, "null" },   { "Null", SCALAR_NULL, "null" },
	{ "NULL", SCALAR_NULL, "null" },   { "true", SCALAR_BOOL, "true" },
	{ "True", SCALAR_BOOL, "true" },   { "TRUE", SCALAR_BOOL, "true" },
	{ "false", SCALAR_BOOL, "false" }, { "False", SCALAR_BOOL, "false" },
	{ "FALSE", SCALAR_BOOL, "false" }, { ".nan", SCALAR_NO_JSON, NULL },
	{ ".NaN", SCALAR_NO_JSON, NULL },  { ".NAN", SCALAR_NO_JSON, NULL },
};

static const char *skip_digits(const char *s)
{
	return s + strspn(s, "0123456789");
}

static bool is_infinity(const char *s)
{
	s += *s == '-' || *s == '+';
	return !strcmp(s, ".inf") || !strcmp(s, ".Inf") || !strcmp(s, ".INF");
}

static int octal_or_hex(const char *s)
{
	const char *digits = s[0] == '0' && s[1] == 'o'	  ? "01234567"
			     : s[0] == '0' && s[1] == 'x' ? "0123456789abcdefABCDEF"
							  : NULL;

	if (!digits || !s[2] || s[2 + strspn(s + 2, digits)])
		return 0;
	return s[1] == 'o' ? 8 : 16;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static enum scalar number_kind(const char *s)
{
	const char *whole, *fraction, *exponent;
	enum scalar is = SCALAR_INT;

	s += *s == '-' || *s == '+';
	whole = s;
	s = skip_digits(s);
	if (*s == '.') {
		is = SCALAR_FLOAT;
		fraction = ++s;
		s = skip_digits(s);
		if (fraction == s && whole + 1 == fraction)
			return SCALAR_STRING;
	} else if (s == whole) {
		return SCALAR_STRING;
	}
	if (*s == 'e' || *s == 'E') {
		is = SCALAR_FLOAT;
		s++;
		s += *s == '-' || *s == '+';
		exponent = s;
		s = skip_digits(s);
		if (exponent == s)
			return SCALAR_STRING;
	}
	return *s ? SCALAR_STRING : is;
}

static enum scalar scalar_kind(const char *s, const char **ret_word)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(s, words[i].text)) {
			*ret_word = words[i].json;
			return words[i].is;
		}
	if (is_infinity(s))
		return SCALAR_NO_JSON;
	return octal_or_hex(s) ? SCALAR_INT : number_kind(s);
}

/* JSON has no `+1` and no `007`, and zero has no sign. */
static void add_int(struct strbuf *out, const char *s)
{
	bool negative = *s == '-';

	s += *s == '-' || *s == '+';
	s += strspn(s, "0");
	if (negative && *s)
		strbuf_addch(out, '-');
	strbuf_addstr(out, *s ? s : "0");
}

static void add_zeros(struct strbuf *out, int n)
{
	for (; n > 0; n--)
		strbuf_addch(out, '0');
}

/* The fewest digits that read back as the same double, and where Dart puts the point (spec, section
 * 4): an exponent below 1e-6 and from 1e21 on, else at least one digit behind the point. */
static void add_float(struct strbuf *out, double x)
{
	char text[32], digits[24];
	int n = 0, precision = 0, exponent;

	do
		snprintf(text, sizeof(text), "%.*e", precision, fabs(x));
	while (strtod(text, NULL) != fabs(x) && ++precision < DOUBLE_DIGITS);
	for (const char *at = text; *at != 'e'; at++)
		if (*at != '.')
			digits[n++] = *at;
	exponent = atoi(strchr(text, 'e') + 1);

	if (signbit(x))
		strbuf_addch(out, '-');
	if (exponent < -6 || exponent > 20) {
		strbuf_add(out, digits, 1);
		if (n > 1)
			strbuf_addf(out, ".%.*s", n - 1, digits + 1);
		strbuf_addf(out, "e%+d", exponent);
	} else if (exponent < 0) {
		strbuf_addstr(out, "0.");
		add_zeros(out, -exponent - 1);
		strbuf_add(out, digits, (size_t)n);
	} else if (exponent < n - 1) {
		strbuf_addf(out, "%.*s.%.*s", exponent + 1, digits, n - exponent - 1,
			    digits + exponent + 1);
	} else {
		strbuf_add(out, digits, (size_t)n);
		add_zeros(out, exponent - n + 1);
		strbuf_addstr(out, ".0");
	}
}

static int add_int_of_base(struct conversion *c, const yaml_event_t *event, const char *s, int base)
{
	unsigned long long n;

	errno = 0;
	n = strtoull(s + 2, NULL, base);
	if (errno)
		return refuse(c, event->start_mark, "%.40s does not fit 64 bits", s);
	strbuf_addf(c->out, "%llu", n);
	return 0;
}

/* Tags of the core schema, and what a scalar under each may be. */
static const struct {
	const char *tag;
	unsigned allowed; /* one bit for each enum scalar */
} scalar_tags[] = {
	{ "!", 1 << SCALAR_STRING },
	{ YAML_STR_TAG, 1 << SCALAR_STRING },
	{ YAML_NULL_TAG, 1 << SCALAR_NULL },
	{ YAML_BOOL_TAG, 1 << SCALAR_BOOL },
	{ YAML_INT_TAG, 1 << SCALAR_INT },
	{ YAML_FLOAT_TAG, 1 << SCALAR_FLOAT | 1 << SCALAR_INT },
};

/* Whether the tag (may be NULL) has the scalar read as `is`; a str tag makes a string of any. */
static int apply_tag(struct conversion *c, const yaml_event_t *event, const char *tag,
		     enum scalar *is)
{
	if (!tag)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(scalar_tags); i++) {
		if (strcmp(tag, scalar_tags[i].tag) != 0)
			continue;
		if (scalar_tags[i].allowed == 1 << SCALAR_STRING)
			*is = SCALAR_STRING;
		else if (!(scalar_tags[i].allowed & 1U << *is))
			return refuse(c, event->start_mark, "a value that does not fit its tag %s",
				      tag);
		return 0;
	}
	return refuse(c, event->start_mark, "the foreign tag %.100s", tag);
}

static int check_anchor(struct conversion *c, const yaml_event_t *event, const yaml_char_t *anchor)
{
	return anchor && c->aliases == YAML_ALIASES_REFUSED
		       ? refuse(c, event->start_mark, "an anchor")
		       : 0;
}

static int check_scalar(struct conversion *c, const yaml_event_t *event)
{
	int r = check_anchor(c, event, event->data.scalar.anchor);

	if (r < 0)
		return r;
	if (memchr(event->data.scalar.value, 0, event->data.scalar.length))
		return refuse(c, event->start_mark, "a NUL");
	return 0;
}

static int add_scalar(struct conversion *c, const yaml_event_t *event)
{
	const char *s = (const char *)event->data.scalar.value, *word = NULL;
	const char *tag = (const char *)event->data.scalar.tag;
	enum scalar is = SCALAR_STRING;
	int r = check_scalar(c, event);

	if (r < 0)
		return r;
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE || tag)
		is = scalar_kind(s, &word);
	r = apply_tag(c, event, tag, &is);
	if (r < 0)
		return r;
	switch (is) {
	case SCALAR_STRING:
		json_add_string(c->out, s, event->data.scalar.length);
		return 0;
	case SCALAR_NULL:
	case SCALAR_BOOL:
		strbuf_addstr(c->out, word);
		return 0;
	case SCALAR_INT:
		if (octal_or_hex(s))
			return add_int_of_base(c, event, s, octal_or_hex(s));
		add_int(c->out, s);
		return 0;
	case SCALAR_FLOAT:
		if (isfinite(strtod(s, NULL))) {
			add_float(c->out, strtod(s, NULL));
			return 0;
		}
		/* fall through */
	case SCALAR_NO_JSON:
	default:
		return refuse(c, event->start_mark, "%s, a number that JSON does not have", s);
	}
}

/* The keys of one mapping, to find the one that stands twice. */
struct key {
	char *text;
	UT_hash_handle hh;
};

static void keys_release(struct key **keys)
{
	struct key *key, *next;

	HASH_ITER(hh, *keys, key, next)
	{
		HASH_DEL(*keys, key);
		free(key->text);
		free(key);
	}
}

static int add_key(struct conversion *c, const yaml_event_t *event, struct key **keys)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t n = event->data.scalar.length;
	struct key *key;
	int r;

	if (event->type != YAML_SCALAR_EVENT)
		return refuse(c, event->start_mark, "a key that is no scalar");
	r = check_scalar(c, event);
	if (r < 0)
		return r;
	HASH_FIND(hh, *keys, text, n, key);
	if (key)
		return refuse(c, event->start_mark, "the key '%.100s' for the second time", text);
	key = xcalloc(1, sizeof(*key));
	key->text = xstrdup(text);
	HASH_ADD_KEYPTR(hh, *keys, key->text, n, key);
	json_add_string(c->out, text, n);
	strbuf_addch(c->out, ':');
	return 0;
}

static int add_node(struct conversion *c, const yaml_event_t *event, unsigned depth);

static int add_sequence(struct conversion *c, unsigned depth)
{
	strbuf_addch(c->out, '[');
	for (bool first = true;; first = false) {
		CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
		int r = next_event(c, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (!first)
			strbuf_addch(c->out, ',');
		r = add_node(c, &event, depth);
		if (r < 0)
			return r;
	}
	strbuf_addch(c->out, ']');
	return 0;
}

static int add_next(struct conversion *c, unsigned depth)
{
	CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
	int r = next_event(c, &event);

	return r < 0 ? r : add_node(c, &event, depth);
}

static int add_mapping(struct conversion *c, unsigned depth)
{
	CLEANUP(keys_release) struct key *keys = NULL;

	strbuf_addch(c->out, '{');
	for (;;) {
		CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
		int r = next_event(c, &event);

		if (r < 0)
			return r;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		if (keys)
			strbuf_addch(c->out, ',');
		r = add_key(c, &event, &keys);
		if (!r)
			r = add_next(c, depth);
		if (r < 0)
			return r;
	}
	strbuf_addch(c->out, '}');
	return 0;
}

static int check_collection(struct conversion *c, const yaml_event_t *event, unsigned depth,
			    const yaml_char_t *anchor, const yaml_char_t *tag, const char *own_tag)
{
	int r = check_anchor(c, event, anchor);

	if (r < 0)
		return r;
	if (tag && strcmp((const char *)tag, own_tag) != 0 && strcmp((const char *)tag, "!") != 0)
		return refuse(c, event->start_mark, "the foreign tag %.100s", (const char *)tag);
	if (depth == JSON_DEPTH_MAX)
		return refuse(c, event->start_mark, "nesting deeper than %d", JSON_DEPTH_MAX);
	return 0;
}

static int add_node(struct conversion *c, const yaml_event_t *event, unsigned depth)
{
	int r;

	if (event->type == YAML_SCALAR_EVENT)
		return add_scalar(c, event);
	if (event->type == YAML_SEQUENCE_START_EVENT) {
		r = check_collection(c, event, depth, event->data.sequence_start.anchor,
				     event->data.sequence_start.tag, YAML_SEQ_TAG);
		return r < 0 ? r : add_sequence(c, depth + 1);
	}
	if (event->type == YAML_MAPPING_START_EVENT) {
		r = check_collection(c, event, depth, event->data.mapping_start.anchor,
				     event->data.mapping_start.tag, YAML_MAP_TAG);
		return r < 0 ? r : add_mapping(c, depth + 1);
	}
	if (c->aliases == YAML_ALIASES_REFUSED)
		return refuse(c, event->start_mark, "an alias");
	strbuf_addstr(c->out, "null");
	return 0;
}

/* The events around the one document, and the document. */
static int add_stream(struct conversion *c)
{
	static const struct {
		yaml_event_type_t expected;
		const char *otherwise;
	} steps[] = {
		{ YAML_STREAM_START_EVENT, "nothing" },
		{ YAML_DOCUMENT_START_EVENT, "no document" },
		{ YAML_MAPPING_START_EVENT, "no mapping at the top" },
		{ YAML_DOCUMENT_END_EVENT, "more than a mapping" },
		{ YAML_STREAM_END_EVENT, "a second document" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };
		int r = next_event(c, &event);

		if (r < 0)
			return r;
		if (event.type != steps[i].expected)
			return refuse(c, event.start_mark, "%s", steps[i].otherwise);
		if (event.type == YAML_MAPPING_START_EVENT)
			r = add_node(c, &event, 0);
		if (r < 0)
			return r;
	}
	return strbuf_error(c->out);
}

int yaml_to_json(const char *text, size_t n, enum yaml_aliases aliases, struct strbuf *out,
		 struct strbuf *why)
{
	struct conversion c = { .aliases = aliases, .out = out, .why = why };
	size_t start = out->len;
	int r;

	if (!yaml_parser_initialize(&c.parser))
		abort(); /* out of memory */
	yaml_parser_set_encoding(&c.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&c.parser, (const unsigned char *)text, n);
	r = add_stream(&c);
	if (r < 0)
		strbuf_setlen(out, start);
	yaml_parser_delete(&c.parser);
	return r;
}

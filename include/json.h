/* SPDX-License-Identifier: BSD-3-Clause */
/* json.h - a JSON scanner that keeps every token as text (spec, section 4). Pure. */
#ifndef PUBFS_JSON_H
#define PUBFS_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"

struct strbuf;

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* A value: a slice of a text that json_parse() has accepted; borrowed from it. */
struct json {
	enum json_type type;
	const char *text; /* from its first to its last byte, white space around it not included */
	size_t len;
};

/*
 * Checks the whole text: one value, RFC 8259, valid UTF-8 (escaped lone surrogates and \u0000 are
 * fine), numbers of any size, no key twice in one object, at most JSON_DEPTH_MAX deep.
 * -EINVAL: `why` (may be NULL) has one phrase that says what and at which byte.
 */
#define JSON_DEPTH_MAX 512
int json_parse(const char *text, size_t n, struct json *ret, struct strbuf *why) MUST_CHECK;

/* The elements of an array or the members of an object, in order:
 *	for (it = json_iterate(value); json_next(&it, &key, &item); ) ...
 * `key` is the member's name, a JSON_STRING (of an array: untouched; may be NULL). */
struct json_iter {
	const char *at, *end;
	bool object;
};
struct json_iter json_iterate(struct json value);
bool json_next(struct json_iter *it, struct json *key, struct json *item);

/* The member of that name. False: none, or not an object. */
bool json_member(struct json object, const char *name, struct json *ret);
/* True when the string's decoded value is exactly that text. */
bool json_equals(struct json string, const char *text);
bool json_is_true(struct json value);

/* Appends the decoded string; a lone surrogate becomes its three-byte form, which
 * json_add_string() turns back into an escape. */
void json_decode(struct json string, struct strbuf *out);

/* Appends a string literal, escaped as section 4 says. */
void json_add_string(struct strbuf *out, const char *bytes, size_t n);
/* Appends the value without insignificant white space, strings re-escaped, numbers unchanged. */
void json_add(struct strbuf *out, struct json value);

#endif

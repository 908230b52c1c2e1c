/* SPDX-License-Identifier: BSD-3-Clause */
/* json.c - a JSON scanner that keeps every token as text. */
#include "json.h"

#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "strbuf.h"
#include "utf8.h"

/*
 * json_parse() walks the text once, with a stack of its own, so that no nesting reaches the C
 * stack. The keys of all open objects lie in one array, one object's behind another's; when an
 * object ends, its keys are the last ones there: they are compared and dropped. All other functions
 * rely on text that has passed, and check nothing: a string has its quote, an array its bracket.
 */
#define KEYS_MAX ((size_t)64 << 20) /* bytes of struct key: the keys of objects not yet at an end  \
				     */
#define FEW_KEYS 16		    /* as many are compared each with each; more are sorted */

struct key {
	const char *text; /* between the quotes */
	size_t len;
	bool escaped;
};

struct frame {
	bool object;
	size_t keys; /* length of scanner.keys when it was opened */
};

struct scanner {
	const char *start, *at, *end;
	struct strbuf keys; /* of struct key */
	struct frame frames[JSON_DEPTH_MAX];
	size_t depth;
	struct strbuf *why;
};

static int refuse(struct scanner *s, const char *at, const char *what)
{
	if (s->why)
		strbuf_addf(s->why, "%s at byte %zu", what, (size_t)(at - s->start));
	return -EINVAL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	return at;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of four hexadecimal digits, or -1. */
static int32_t read_hex(const char *at)
{
	int32_t value = 0;

	for (int i = 0; i < 4; i++) {
		char lower = (char)(at[i] | 0x20);

		if (is_digit(at[i]))
			value = value << 4 | (at[i] - '0');
		else if (lower >= 'a' && lower <= 'f')
			value = value << 4 | (lower - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* The letter behind a backslash, and what it stands for; the last is read but never written. */
static const char escape_letters[] = "\"\\bfnrt/";
static const char escape_values[] = "\"\\\b\f\n\r\t/";
#define N_ESCAPES	  8
#define N_WRITTEN_ESCAPES 7

/* How many bytes the escape at `at` has; 0: it is none. */
static size_t escape_length(const char *at, const char *end)
{
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return end - at >= 6 && read_hex(at + 2) >= 0 ? 6 : 0;
	return memchr(escape_letters, at[1], N_ESCAPES) ? 2 : 0;
}

/* The character of the escape at *at, which then points behind it; two escapes that are a
 * surrogate pair are one character. */
static uint32_t read_escape(const char **at)
{
	const char *p = *at + 1, *letter;
	uint32_t c, low;

	if (*p != 'u') {
		letter = memchr(escape_letters, *p, N_ESCAPES);
		*at = p + 1;
		return (unsigned char)escape_values[letter - escape_letters];
	}
	c = (uint32_t)read_hex(p + 1);
	p += 5;
	*at = p;
	if (c < 0xd800 || c > 0xdbff || p[0] != '\\' || p[1] != 'u')
		return c;
	low = (uint32_t)read_hex(p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return c;
	*at = p + 6;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

/* A string's decoded bytes, one after another. */
struct reader {
	const char *at, *end;
	char decoded[UTF8_CHAR_MAX]; /* of the last escape */
	size_t n, used;
};

static int next_byte(struct reader *r) /* -1: the end */
{
	if (r->used < r->n)
		return (unsigned char)r->decoded[r->used++];
	if (r->at == r->end)
		return -1;
	if (*r->at != '\\')
		return (unsigned char)*r->at++;
	r->n = utf8_encode(read_escape(&r->at), r->decoded);
	r->used = 1;
	return (unsigned char)r->decoded[0];
}

static int compare_decoded(const struct key *a, const struct key *b)
{
	struct reader ra = { .at = a->text, .end = a->text + a->len };
	struct reader rb = { .at = b->text, .end = b->text + b->len };
	int ca, cb;

	do {
		ca = next_byte(&ra);
		cb = next_byte(&rb);
	} while (ca == cb && ca >= 0);
	return ca - cb;
}

static int compare_keys(const void *one, const void *other)
{
	const struct key *a = one, *b = other;
	int r;

	if (a->escaped || b->escaped)
		return compare_decoded(a, b);
	r = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
	return r ? r : (a->len > b->len) - (a->len < b->len);
}

/* Most keys differ in their length already. */
static bool same_key(const struct key *a, const struct key *b)
{
	if (a->escaped || b->escaped)
		return !compare_decoded(a, b);
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* The first key that stood before, or NULL. The order of the keys is lost. */
static const char *find_repeated(struct key *keys, size_t n)
{
	const char *found = NULL;

	if (n <= FEW_KEYS) {
		for (size_t i = 1; i < n; i++)
			for (size_t k = 0; k < i; k++)
				if (same_key(&keys[i], &keys[k]))
					return keys[i].text;
		return NULL;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < n; i++) {
		const char *a = keys[i - 1].text, *b = keys[i].text, *later = a > b ? a : b;

		if (!compare_keys(&keys[i - 1], &keys[i]) && (!found || later < found))
			found = later;
	}
	return found;
}

/* Needs no second look in a string: ASCII but control characters, quote and backslash. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

#define EACH(byte)    (UINT64_C(0x0101010101010101) * (byte))
#define IS_ZERO(word) (((word)-EACH(1)) & ~(word))

/* Eight bytes at once. Of each byte that is not plain the highest bit is set; a borrow may set it
 * in bytes behind such a one too, but the lowest is right. */
static uint64_t mark_special(uint64_t word)
{
	return (word | ((word - EACH(0x20)) & ~word) | IS_ZERO(word ^ EACH('"')) |
		IS_ZERO(word ^ EACH('\\'))) &
	       EACH(0x80);
}

static const char *skip_plain(const char *at, const char *end)
{
	uint64_t word, special;

	for (; end - at >= (ptrdiff_t)sizeof(word); at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		special = mark_special(le64toh(word));
		if (special)
			return at + (__builtin_ctzll(special) >> 3);
	}
	while (at < end && is_plain((unsigned char)*at))
		at++;
	return at;
}

static int scan_string(struct scanner *s, struct key *ret)
{
	const char *at = s->at + 1;
	bool escaped = false;

	for (;;) {
		unsigned char c;
		size_t n;

		at = skip_plain(at, s->end);
		if (at == s->end)
			return refuse(s, s->at, "a string without an end");
		c = (unsigned char)*at;
		if (c == '"')
			break;
		if (c < 0x20)
			return refuse(s, at, "a control character in a string");
		escaped |= c == '\\';
		n = c == '\\' ? escape_length(at, s->end) : utf8_length(at, s->end);
		if (!n)
			return refuse(s, at, c == '\\' ? "a wrong escape" : "invalid UTF-8");
		at += n;
	}
	*ret = (struct key){ s->at + 1, (size_t)(at - s->at) - 1, escaped };
	s->at = at + 1;
	return 0;
}

/* A key, its colon, and the white space before each. */
static int scan_key(struct scanner *s)
{
	struct key key;
	int r;

	s->at = skip_space(s->at, s->end);
	if (s->at == s->end || *s->at != '"')
		return refuse(s, s->at, "no key");
	r = scan_string(s, &key);
	if (r < 0)
		return r;
	strbuf_add(&s->keys, &key, sizeof(key));
	if (strbuf_error(&s->keys) < 0)
		return refuse(s, key.text - 1, "too many keys");
	s->at = skip_space(s->at, s->end);
	if (s->at == s->end || *s->at != ':')
		return refuse(s, s->at, "no colon");
	s->at++;
	return 0;
}

/* Behind one digit or more; NULL: there is none. */
static const char *skip_digits(const char *at, const char *end)
{
	if (at == end || !is_digit(*at))
		return NULL;
	while (at < end && is_digit(*at))
		at++;
	return at;
}

static int scan_number(struct scanner *s)
{
	const char *first = s->at + (*s->at == '-');
	const char *at = skip_digits(first, s->end);

	if (at && *first == '0' && at > first + 1)
		at = NULL;
	if (at && at < s->end && *at == '.')
		at = skip_digits(at + 1, s->end);
	if (at && at < s->end && (*at == 'e' || *at == 'E')) {
		at++;
		at = skip_digits(at + (at < s->end && (*at == '+' || *at == '-')), s->end);
	}
	if (!at)
		return refuse(s, s->at, "a wrong number");
	s->at = at;
	return 0;
}

static int scan_word(struct scanner *s, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n))
		return refuse(s, s->at, "no value");
	s->at += n;
	return 0;
}

/* This and those below answer 1 when a value is complete, 0 when one must follow. */
static int close_container(struct scanner *s)
{
	struct frame *f = &s->frames[--s->depth];
	const char *repeated;

	s->at++;
	if (s->keys.len == f->keys)
		return 1;
	repeated = find_repeated((struct key *)(void *)(s->keys.buf + f->keys),
				 (s->keys.len - f->keys) / sizeof(struct key));
	if (repeated)
		return refuse(s, repeated - 1, "the same key twice");
	strbuf_setlen(&s->keys, f->keys);
	return 1;
}

static int open_container(struct scanner *s)
{
	bool object = *s->at == '{';

	if (s->depth == JSON_DEPTH_MAX)
		return refuse(s, s->at, "too many levels");
	s->frames[s->depth++] = (struct frame){ object, s->keys.len };
	s->at = skip_space(s->at + 1, s->end);
	if (s->at < s->end && *s->at == (object ? '}' : ']'))
		return close_container(s);
	return object ? scan_key(s) : 0;
}

/* From the start of a value; if it is not complete, its first inner value must follow. */
static int scan_value(struct scanner *s)
{
	struct key string;
	int r;

	s->at = skip_space(s->at, s->end);
	if (s->at == s->end)
		return refuse(s, s->at, "no value");
	switch (*s->at) {
	case '{':
	case '[':
		return open_container(s);
	case '"':
		r = scan_string(s, &string);
		break;
	case 'n':
		r = scan_word(s, "null");
		break;
	case 't':
		r = scan_word(s, "true");
		break;
	case 'f':
		r = scan_word(s, "false");
		break;
	default:
		if (*s->at != '-' && !is_digit(*s->at))
			return refuse(s, s->at, "no value");
		r = scan_number(s);
	}
	return r < 0 ? r : 1;
}

/* From the end of an inner value: either the container ends, or the next one must follow. */
static int scan_next(struct scanner *s)
{
	bool object = s->frames[s->depth - 1].object;

	s->at = skip_space(s->at, s->end);
	if (s->at < s->end && *s->at == ',') {
		s->at++;
		return object ? scan_key(s) : 0;
	}
	if (s->at < s->end && *s->at == (object ? '}' : ']'))
		return close_container(s);
	return refuse(s, s->at, object ? "neither comma nor }" : "neither comma nor ]");
}

static enum json_type type_of(char first)
{
	switch (first) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOL;
	default:
		return JSON_NUMBER;
	}
}

static struct json value_between(const char *at, const char *end)
{
	return (struct json){ type_of(*at), at, (size_t)(end - at) };
}

int json_parse(const char *text, size_t n, struct json *ret, struct strbuf *why)
{
	const char *start = skip_space(text, text + n), *end;
	struct scanner s; /* its frames are not cleared for each text */
	int r;

	s.start = text;
	s.at = start;
	s.end = text + n;
	s.depth = 0;
	s.why = why;
	strbuf_init(&s.keys, KEYS_MAX);
	do {
		r = scan_value(&s);
		while (r == 1 && s.depth)
			r = scan_next(&s);
	} while (!r);
	strbuf_release(&s.keys);
	if (r < 0)
		return r;
	end = s.at;
	s.at = skip_space(end, s.end);
	if (s.at < s.end)
		return refuse(&s, s.at, "more than one value");
	*ret = value_between(start, end);
	return 0;
}

/* Most of a text is strings, and readers skip it again at every level: libc searches fastest. */
static const char *skip_string(const char *at)
{
	const char *quote = at, *before;

	do {
		quote = rawmemchr(quote + 1, '"');
		for (before = quote; before[-1] == '\\'; before--)
			;
	} while ((quote - before) & 1); /* an odd number of backslashes: an escaped quote */
	return quote + 1;
}

static const char *skip_container(const char *at)
{
	size_t depth = 0;

	do {
		if (*at == '"') {
			at = skip_string(at);
			continue;
		}
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
	} while (depth);
	return at;
}

/* Takes the value at the iterator, past the `mark` that may stand before it. */
static struct json take_value(struct json_iter *it, char mark)
{
	const char *at = skip_space(it->at, it->end), *start;

	if (*at == mark)
		at = skip_space(at + 1, it->end);
	start = at;
	if (*at == '"')
		at = skip_string(at);
	else if (*at == '{' || *at == '[')
		at = skip_container(at);
	else
		while (at < it->end && *at != ',' && !is_space(*at))
			at++;
	it->at = at;
	return value_between(start, at);
}

struct json_iter json_iterate(struct json value)
{
	if (value.type != JSON_OBJECT && value.type != JSON_ARRAY)
		return (struct json_iter){ value.text, value.text, false };
	return (struct json_iter){ value.text + 1, value.text + value.len - 1,
				   value.type == JSON_OBJECT };
}

bool json_next(struct json_iter *it, struct json *key, struct json *item)
{
	struct json name;

	it->at = skip_space(it->at, it->end);
	if (it->at == it->end)
		return false;
	if (it->object) {
		name = take_value(it, ',');
		if (key)
			*key = name;
	}
	*item = take_value(it, it->object ? ':' : ',');
	return true;
}

bool json_member(struct json object, const char *name, struct json *ret)
{
	struct json_iter it = json_iterate(object);
	struct json key, item;

	if (object.type != JSON_OBJECT)
		return false;
	while (json_next(&it, &key, &item)) {
		if (json_equals(key, name)) {
			*ret = item;
			return true;
		}
	}
	return false;
}

bool json_equals(struct json string, const char *text)
{
	struct reader r = { .at = string.text + 1, .end = string.text + string.len - 1 };
	int c;

	if (string.type != JSON_STRING)
		return false;
	while ((c = next_byte(&r)) >= 0)
		if (!c || c != (unsigned char)*text++)
			return false;
	return !*text;
}

bool json_is_true(struct json value)
{
	return value.type == JSON_BOOL && *value.text == 't';
}

void json_decode(struct json string, struct strbuf *out)
{
	const char *at = string.text + 1, *end = string.text + string.len - 1, *run = at;
	char decoded[UTF8_CHAR_MAX];

	while (at < end) {
		if (*at != '\\') {
			at++;
			continue;
		}
		strbuf_add(out, run, (size_t)(at - run));
		strbuf_add(out, decoded, utf8_encode(read_escape(&at), decoded));
		run = at;
	}
	strbuf_add(out, run, (size_t)(end - run));
}

static bool must_escape(uint32_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || (c >= 0xd800 && c <= 0xdfff);
}

static void add_char(struct strbuf *out, uint32_t c)
{
	const char *value = c < 0x80 ? memchr(escape_values, (int)c, N_WRITTEN_ESCAPES) : NULL;
	char encoded[UTF8_CHAR_MAX];

	if (!must_escape(c))
		strbuf_add(out, encoded, utf8_encode(c, encoded));
	else if (value)
		strbuf_addf(out, "\\%c", escape_letters[value - escape_values]);
	else
		strbuf_addf(out, "\\u%04x", c);
}

/* A surrogate in its three-byte form; 0: something else stands there. */
static uint32_t surrogate_at(const char *at, const char *end)
{
	const unsigned char *p = (const unsigned char *)at;

	if (end - at < 3 || p[0] != 0xed || (p[1] & 0xe0) != 0xa0 || (p[2] & 0xc0) != 0x80)
		return 0;
	return 0xd000u | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
}

void json_add_string(struct strbuf *out, const char *bytes, size_t n)
{
	const char *at = bytes, *end = bytes + n, *run = at;

	strbuf_addch(out, '"');
	while (at < end) {
		uint32_t surrogate = surrogate_at(at, end);
		uint32_t c = surrogate ? surrogate : (unsigned char)*at;
		size_t length = surrogate ? 3 : 1;

		if (must_escape(c)) {
			strbuf_add(out, run, (size_t)(at - run));
			add_char(out, c);
			run = at + length;
		}
		at += length;
	}
	strbuf_add(out, run, (size_t)(end - run));
	strbuf_addch(out, '"');
}

/* Copies as long as bytes stay what they are: compact text without an escape goes in one piece. */
void json_add(struct strbuf *out, struct json value)
{
	const char *at = value.text, *end = at + value.len, *run = at;
	bool in_string = false;

	while (at < end) {
		in_string ^= *at == '"';
		if (in_string ? *at != '\\' : !is_space(*at)) {
			at++;
			continue;
		}
		strbuf_add(out, run, (size_t)(at - run));
		if (in_string)
			add_char(out, read_escape(&at));
		else
			at = skip_space(at, end);
		run = at;
	}
	strbuf_add(out, run, (size_t)(end - run));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* version.c - version texts: grammar, order, and which is latest. */
#include "version.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "compiler.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_identifier_char(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
}

/* Reads the digits from `at` on; returns how many there are, 0 also when they do not fit. */
static size_t read_number(const char *at, const char *end, int64_t *ret)
{
	const char *p = at;
	int64_t value = 0;

	for (; p < end && is_digit(*p); p++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *p - '0', &value))
			return 0;
	*ret = value;
	return (size_t)(p - at);
}

/* How many bytes from `at` on are identifiers with single dots between them. */
static size_t identifiers_length(const char *at, const char *end)
{
	const char *p = at, *last = at;

	for (;;) {
		while (p < end && is_identifier_char(*p))
			p++;
		if (p == last)
			return p == at ? 0 : (size_t)(p - 1 - at);
		if (p == end || *p != '.')
			return (size_t)(p - at);
		last = ++p;
	}
}

/* Takes `mark` and the identifiers behind it, if both are there. */
static const char *take_identifiers(const char *at, const char *end, char mark, const char **ret,
				    size_t *ret_len)
{
	size_t n = at < end && *at == mark ? identifiers_length(at + 1, end) : 0;

	if (!n)
		return at;
	*ret = at + 1;
	*ret_len = n;
	return at + 1 + n;
}

/* The longest version at the start of the text; returns where it ends, or NULL: there is none. */
static const char *take_version(const char *text, const char *end, struct version *ret)
{
	struct version v = { 0 };
	const char *at = text;

	for (int i = 0; i < 3; i++) {
		size_t n;

		if (i && (at == end || *at++ != '.'))
			return NULL;
		n = read_number(at, end, &v.number[i]);
		if (!n)
			return NULL;
		at += n;
	}
	at = take_identifiers(at, end, '-', &v.pre, &v.pre_len);
	at = take_identifiers(at, end, '+', &v.build, &v.build_len);
	*ret = v;
	return at;
}

int version_parse(const char *text, size_t n, struct version *ret)
{
	struct version v;

	if (take_version(text, text + n, &v) != text + n)
		return -EINVAL;
	*ret = v;
	return 0;
}

struct identifier {
	const char *text; /* NULL: there is none */
	size_t len;
	bool numeric; /* only digits, and the number fits */
	int64_t number;
};

/* Cuts the first identifier off a list of them. */
static struct identifier next_identifier(const char **at, const char *end)
{
	struct identifier id = { 0 };
	const char *dot;

	if (*at == end)
		return id;
	dot = memchr(*at, '.', (size_t)(end - *at));
	id.text = *at;
	id.len = (size_t)((dot ? dot : end) - *at);
	id.numeric = read_number(id.text, id.text + id.len, &id.number) == id.len;
	*at = dot ? dot + 1 : end;
	return id;
}

static bool is_canonical_list(const char *list, size_t n)
{
	const char *at = list;
	struct identifier id;

	while ((id = next_identifier(&at, list + n)).text)
		if (id.numeric && id.len > 1 && *id.text == '0')
			return false;
	return true;
}

bool version_is_canonical(const char *text, size_t n)
{
	struct version v;
	const char *behind; /* the three numbers, which are such a list, too */

	if (n > VERSION_TEXT_MAX || version_parse(text, n, &v) < 0)
		return false;
	behind = v.pre ? v.pre - 1 : v.build ? v.build - 1 : text + n;
	return is_canonical_list(text, (size_t)(behind - text)) &&
	       (!v.pre || is_canonical_list(v.pre, v.pre_len)) &&
	       (!v.build || is_canonical_list(v.build, v.build_len));
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* None comes before a number, a number before a text; texts compare byte by byte. */
static int compare_identifiers(const struct identifier *a, const struct identifier *b)
{
	int r;

	if (!a->text || !b->text)
		return !b->text - !a->text;
	if (a->numeric && b->numeric)
		return compare_numbers(a->number, b->number);
	if (a->numeric || b->numeric)
		return b->numeric - a->numeric;
	r = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
	return r ? r : (a->len > b->len) - (a->len < b->len);
}

/* No list at all comes first. */
static int compare_lists(const char *a, size_t na, const char *b, size_t nb)
{
	const char *at_a = a, *at_b = b;
	struct identifier ia, ib;
	int r;

	if (!a || !b)
		return !b - !a;
	do {
		ia = next_identifier(&at_a, a + na);
		ib = next_identifier(&at_b, b + nb);
		r = compare_identifiers(&ia, &ib);
	} while (!r && ia.text);
	return r;
}

/* A pre-release comes before a release. */
static int compare_maturity(const struct version *a, const struct version *b)
{
	return !a->pre - !b->pre;
}

int version_compare(const struct version *a, const struct version *b)
{
	int r = 0;

	for (int i = 0; i < 3 && !r; i++)
		r = compare_numbers(a->number[i], b->number[i]);
	if (!r)
		r = compare_maturity(a, b);
	if (!r)
		r = compare_lists(a->pre, a->pre_len, b->pre, b->pre_len);
	if (!r)
		r = compare_lists(a->build, a->build_len, b->build, b->build_len);
	return r;
}

int version_compare_priority(const struct version *a, const struct version *b)
{
	int r = compare_maturity(a, b);

	return r ? r : version_compare(a, b);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *skip_space(const char *at)
{
	while (is_space(*at))
		at++;
	return at;
}

enum bound { BOUND_CARET, BOUND_FROM, BOUND_ABOVE, BOUND_TO, BOUND_BELOW, BOUND_EXACT };

/* What may stand before a version of a constraint; the first that fits. */
static const struct {
	const char *text;
	bool lower; /* the version is a lower bound */
	bool alone; /* nothing else may stand in the constraint */
} operators[] = {
	[BOUND_CARET] = { "^", true, true },   [BOUND_FROM] = { ">=", true, false },
	[BOUND_ABOVE] = { ">", true, false },  [BOUND_TO] = { "<=", false, false },
	[BOUND_BELOW] = { "<", false, false }, [BOUND_EXACT] = { "", true, false },
};

/* One operator and its version. NULL: neither. */
static const char *take_bound(const char *at, const char *end, enum bound *ret,
			      struct version *ret_version)
{
	size_t i = 0;

	while (strncmp(at, operators[i].text, strlen(operators[i].text)))
		i++;
	*ret = (enum bound)i;
	return take_version(skip_space(at + strlen(operators[i].text)), end, ret_version);
}

bool version_constraint_is_any(const char *constraint)
{
	const char *at = skip_space(constraint);

	return !strncmp(at, "any", 3) && !*skip_space(at + 3);
}

int version_lower_bound(const char *constraint, struct version *ret)
{
	const char *at = skip_space(constraint), *end = at + strlen(at);
	struct version bound, v;
	bool found = false, alone = false;

	if (version_constraint_is_any(at))
		return -ENOENT;
	if (at == end)
		return -EINVAL;
	for (size_t n = 0; at < end; n++, at = skip_space(at)) {
		enum bound i;

		at = take_bound(at, end, &i, &v);
		alone |= operators[i].alone;
		if (!at || (alone && n))
			return -EINVAL;
		if (operators[i].lower && (!found || version_compare(&v, &bound) > 0)) {
			bound = v;
			found = true;
		}
	}
	if (!found)
		return -ENOENT;
	*ret = bound;
	return 0;
}

/* Whether one bound leaves nothing of what `from` begins. */
static bool bound_ends_before(enum bound bound, const struct version *v, const struct version *from)
{
	switch (bound) {
	case BOUND_CARET:
		return v->number[0] < from->number[0]; /* up to the next major version */
	case BOUND_TO:
	case BOUND_EXACT:
		return version_compare(v, from) < 0;
	case BOUND_BELOW:
		return version_compare(v, from) <= 0;
	case BOUND_FROM:
	case BOUND_ABOVE:
		break;
	}
	return false;
}

bool version_constraint_reaches(const char *constraint, int64_t major)
{
	const char *at = skip_space(constraint), *end = at + strlen(at);
	const struct version from = { .number = { major } };

	if (at == end)
		return false;
	if (version_constraint_is_any(at))
		return true;
	while (at < end) {
		struct version v;
		enum bound bound;

		at = take_bound(at, end, &bound, &v);
		if (!at || bound_ends_before(bound, &v, &from))
			return false;
		at = skip_space(at);
	}
	return true;
}

size_t version_latest(const struct candidate *candidates, size_t n)
{
	const struct candidate *best = NULL;
	bool all_retracted = true;

	assert(n > 0);
	for (size_t i = 0; i < n; i++)
		all_retracted &= candidates[i].retracted;
	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &candidates[i];

		if (c->retracted && !all_retracted)
			continue;
		if (!best || (version_compare_priority(&c->version, &best->version) > 0 &&
			      (best->version.pre || !c->needs_newer_sdk)))
			best = c;
	}
	return (size_t)(best - candidates);
}

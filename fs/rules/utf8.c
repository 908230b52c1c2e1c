/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.c - one character of UTF-8, read or written. */
#include "utf8.h"

#include "compiler.h"

/*
 * The well-formed sequences of more than one byte (Unicode standard, table 3-7); any third or
 * fourth byte is 80 to BF. What is missing are the overlong forms (C0, C1, E0 80, F0 80), the
 * surrogates (ED A0) and all beyond U+10FFFF (F4 90).
 */
static const struct {
	unsigned char first, last; /* lead bytes */
	unsigned char second_first, second_last;
	unsigned char length;
} sequences[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t utf8_length(const char *at, const char *end)
{
	const unsigned char *p = (const unsigned char *)at;
	size_t i = 0, n;

	if (*p < 0x80)
		return 1;
	while (i < ARRAY_SIZE(sequences) && *p > sequences[i].last)
		i++;
	if (i == ARRAY_SIZE(sequences) || *p < sequences[i].first)
		return 0;
	n = sequences[i].length;
	if ((size_t)(end - at) < n || p[1] < sequences[i].second_first ||
	    p[1] > sequences[i].second_last)
		return 0;
	for (size_t k = 2; k < n; k++)
		if ((p[k] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t utf8_encode(uint32_t c, char ret[UTF8_CHAR_MAX])
{
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t k = n - 1; k > 0; k--, c >>= 6)
		ret[k] = (char)(0x80 | (c & 0x3f));
	ret[0] = (char)(leads[n] | c);
	return n;
}

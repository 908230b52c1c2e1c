/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8_test.c - one character of UTF-8, read or written. */
#include <criterion/criterion.h>

#include "../../fs/rules/utf8.h"
#include "compiler.h"

static size_t length_of(const char *bytes, size_t n)
{
	return utf8_length(bytes, bytes + n);
}

Test(utf8, every_character_is_read_as_it_was_written_and_surrogates_are_none)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		char bytes[UTF8_CHAR_MAX];
		size_t n = utf8_encode(c, bytes);

		cr_assert_eq(length_of(bytes, n), surrogate ? 0 : n, "U+%04X", c);
		if (n > 1)
			cr_assert_eq(length_of(bytes, n - 1), 0, "U+%04X cut", c);
	}
}

static const struct {
	const char *bytes;
	size_t n, length;
	const char *what;
} characters[] = {
	{ "\x7f", 1, 1, "the last of one byte" },
	{ "\x80", 1, 0, "a lone second byte" },
	{ "\xbf", 1, 0, "a lone second byte" },
	{ "\xc1\xbf", 2, 0, "an overlong form of two bytes" },
	{ "\xc2\x80", 2, 2, "the first of two bytes" },
	{ "\xc2\x7f", 2, 0, "no second byte" },
	{ "\xc2\xc0", 2, 0, "no second byte" },
	{ "\xdf\xbf", 2, 2, "the last of two bytes" },
	{ "\xe0\x9f\xbf", 3, 0, "an overlong form of three bytes" },
	{ "\xe0\xa0\x80", 3, 3, "the first of three bytes" },
	{ "\xe1\x80\x7f", 3, 0, "no third byte" },
	{ "\xed\x9f\xbf", 3, 3, "the last before the surrogates" },
	{ "\xed\xa0\x80", 3, 0, "the first surrogate" },
	{ "\xed\xbf\xbf", 3, 0, "the last surrogate" },
	{ "\xee\x80\x80", 3, 3, "the first behind the surrogates" },
	{ "\xef\xbf\xbf", 3, 3, "the last of three bytes" },
	{ "\xf0\x8f\xbf\xbf", 4, 0, "an overlong form of four bytes" },
	{ "\xf0\x90\x80\x80", 4, 4, "the first of four bytes" },
	{ "\xf0\x90\x80\xc0", 4, 0, "no fourth byte" },
	{ "\xf4\x8f\xbf\xbf", 4, 4, "the last of all" },
	{ "\xf4\x90\x80\x80", 4, 0, "beyond the last" },
	{ "\xf5\x80\x80\x80", 4, 0, "a lead byte of nothing" },
	{ "\xff\x80\x80\x80", 4, 0, "a lead byte of nothing" },
};

Test(utf8, both_sides_of_each_edge)
{
	for (size_t i = 0; i < ARRAY_SIZE(characters); i++)
		cr_assert_eq(length_of(characters[i].bytes, characters[i].n),
			     characters[i].length, "%zu: %s", i, characters[i].what);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8.h - one character of UTF-8, read or written. */
#ifndef PUBFS_UTF8_H
#define PUBFS_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_CHAR_MAX 4

/* How many bytes the valid character at `at` has; 0: there is none, or `end` cuts it. at < end. */
size_t utf8_length(const char *at, const char *end);
/* Writes a code point and returns its length; a surrogate takes the form that UTF-8 forbids. */
size_t utf8_encode(uint32_t c, char ret[UTF8_CHAR_MAX]);

#endif

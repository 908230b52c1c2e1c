/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch_name.c - which names are for a moment only. */
#include "scratch_name.h"

#include <stddef.h>
#include <string.h>

#include "memory.h"

#define SED_RANDOM 6 /* what mkostemp() puts behind `sed` */

static const char *const beginnings[] = { ".", "tmp." };
static const char *const endings[] = { "~", ".tmp", ".new", ".part", ".bak", ".orig", ".swp" };

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_of_sed(const char *name)
{
	if (strncmp(name, "sed", 3) != 0 || strlen(name) != 3 + SED_RANDOM)
		return false;
	for (name += 3; *name; name++)
		if (!is_letter_or_digit(*name))
			return false;
	return true;
}

bool scratch_name_matches(const char *name, bool exclusive, mode_t mode)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
		if (!strncmp(name, beginnings[i], strlen(beginnings[i])))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t len = strlen(endings[i]);

		if (n > len && !strcmp(name + n - len, endings[i]))
			return true;
	}
	return exclusive && (mode & 07777) == 0600 && is_of_sed(name);
}

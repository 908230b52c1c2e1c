/* SPDX-License-Identifier: BSD-3-Clause */
/* brake.c - how much may change before an operator has to say so (spec, section 15). */
#include "brake.h"

#include <ctype.h>
#include <errno.h>

#include "clock.h"

#define SHARE_FROM   4	/* packages: of fewer, half is no mass */
#define ARCHIVES_MIN 10 /* of one package */
#define NUMBER_MAX   1000000000

/* The daily full sync renews `validated` every three days, and with it each object's time. A bucket
 * that nobody renewed for so long is met by a clock that is wrong, or has to be synced first. */
#define CLOCK_AHEAD  (30 * DAY_US)
#define CLOCK_BEHIND DAY_US

const struct brake_limits brake_defaults = {
	.removals = { .number = 10, .percent = 1 },
	.rewrites = { .number = 10, .percent = 10 },
	.takedowns = { .number = 200, .percent = 1 },
};

int brake_limit_parse(const char *text, struct brake_limit *ret)
{
	const char *at = text;
	uint64_t n = 0;

	for (; isdigit((unsigned char)*at); at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > NUMBER_MAX)
			return -EINVAL;
	}
	if (at == text)
		return -EINVAL;
	if (!*at) {
		*ret = (struct brake_limit){ .number = n };
		return 0;
	}
	if (at[0] != '%' || at[1] || n > 100)
		return -EINVAL;
	*ret = (struct brake_limit){ .percent = (unsigned)n };
	return 0;
}

uint64_t brake_most(const struct brake_limit *limit, uint64_t present)
{
	uint64_t share = present * limit->percent / 100;

	return share > limit->number ? share : limit->number;
}

bool brake_holds(const struct brake_limit *limit, uint64_t present, uint64_t changed)
{
	return changed > brake_most(limit, present);
}

bool brake_holds_removals(const struct brake_limit *limit, uint64_t present, uint64_t removed)
{
	return brake_holds(limit, present, removed) ||
	       (present >= SHARE_FROM && 2 * removed > present);
}

bool brake_holds_archives(uint64_t present, uint64_t removed)
{
	return removed > ARCHIVES_MIN && 2 * removed > present;
}

bool brake_holds_shrunk(uint64_t before, uint64_t lost)
{
	return 2 * lost > before;
}

bool brake_holds_emptied(uint64_t advisories)
{
	return advisories > 1;
}

bool brake_holds_strangers(uint64_t present, uint64_t known)
{
	return present >= SHARE_FROM && 2 * known < present;
}

bool brake_holds_clock(int64_t now, int64_t newest)
{
	return now > newest + CLOCK_AHEAD || now < newest - CLOCK_BEHIND;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* trouble.c - passing trouble, kept a thread, as errno is, between a driver and the retry link. */
#include "trouble.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

static _Thread_local struct trouble last;

int trouble(int64_t wait, bool too_many, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last.text, sizeof(last.text), fmt, ap);
	va_end(ap);
	last.wait = wait;
	last.too_many = too_many;
	last.still = 0;
	log_debug("%s", last.text);
	return -EAGAIN;
}

void trouble_stood_still(int64_t us)
{
	last.still = us;
}

int trouble_pass(const struct trouble *from)
{
	last = *from;
	return -EAGAIN;
}

const struct trouble *trouble_last(void)
{
	return &last;
}

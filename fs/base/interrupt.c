/* SPDX-License-Identifier: BSD-3-Clause */
/* interrupt.c - whether anybody still waits for what a thread does: kept a thread, as errno is. */
#include "interrupt.h"

#include <stddef.h>

static _Thread_local struct interrupt current;

void interrupt_set(bool (*asked)(void *ctx), void *ctx)
{
	current.asked = asked;
	current.ctx = ctx;
}

struct interrupt interrupt_get(void)
{
	return current;
}

bool interrupt_asked(void)
{
	return current.asked && current.asked(current.ctx);
}

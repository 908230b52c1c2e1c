/* SPDX-License-Identifier: BSD-3-Clause */
/* trouble.h - what a driver knows of its last -EAGAIN, for the link that tries again. */
#ifndef PUBFS_STORE_TROUBLE_H
#define PUBFS_STORE_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"

struct trouble {
	int64_t wait;  /* microseconds that the server asked for; 0: it did not say */
	bool too_many; /* requests: 429 */
	int64_t still; /* microseconds that nothing moved before it was given up */
	char text[512];
};

/* Remembers it for this thread, and returns -EAGAIN. */
int trouble(int64_t wait, bool too_many, const char *fmt, ...) PRINTF(3, 4);
/* Adds to what was noted last. */
void trouble_stood_still(int64_t us);
/* The same of another thread's. */
int trouble_pass(const struct trouble *from);
/* What this thread noted last. Never NULL. */
const struct trouble *trouble_last(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* report.h - what mount, watch and status say alike: facts, and the same as metrics. */
#ifndef PUBFS_REPORT_H
#define PUBFS_REPORT_H

#include <stdint.h>

#include "compiler.h"

struct facts;
struct options;
struct stack;
struct strbuf;

#define REPORT_MAX ((size_t)16 << 20) /* of a whole one */

/* This process: its command, since when (monotonic), on what. */
void report_add_process(const char *command, int64_t started, const struct stack *stack,
			struct facts *f);
/* "held": {...}: for each plan how many items the brake holds, and why; or null. `ret_items`, which
 * may be NULL: of all plans. */
int report_add_held(const struct options *o, const struct stack *stack, struct facts *f,
		    uint64_t *ret_items) MUST_CHECK;
int report_add_held_metrics(const struct options *o, const struct stack *stack,
			    struct strbuf *out) MUST_CHECK;

#endif

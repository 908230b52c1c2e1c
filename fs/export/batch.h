/* SPDX-License-Identifier: BSD-3-Clause */
/* batch.h - packages that are read, rendered, planned and published together. */
#ifndef PUBFS_BATCH_H
#define PUBFS_BATCH_H

#include <stddef.h>

struct pass;

/* Exports these packages. Each says of itself how it went, in the pass and in the database. */
void batch_run(struct pass *pass, char *const *names, size_t n);

#endif

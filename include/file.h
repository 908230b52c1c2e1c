/* SPDX-License-Identifier: BSD-3-Clause */
/* file.h - what the system's calls on files leave to their callers. */
#ifndef PUBFS_FILE_H
#define PUBFS_FILE_H

#include <stddef.h>

#include "compiler.h"

/* All of it, however little write() takes at once and whatever interrupts it. 0 or -errno, with
 * errno set too; how much was written is not known then. */
int write_all(int fd, const void *bytes, size_t n) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* mountpoint.h - the folder that is mounted on: whether it can be, and how it is left again. */
#ifndef PUBFS_MOUNTPOINT_H
#define PUBFS_MOUNTPOINT_H

#include <stdbool.h>

#include "compiler.h"

#define MOUNT_SUBTYPE "pubfs" /* the kernel calls it fuse.pubfs */

/* /dev/fuse can be used. -EACCES, -ENOENT: said. */
int mountpoint_check_device(void) MUST_CHECK;
/* It is an empty folder on which nothing is mounted; a dead mount of ours is detached. -ENOENT,
 * -EACCES, -EINVAL no folder, -EBUSY: said. */
int mountpoint_check(const char *mountpoint) MUST_CHECK;

/* -EBUSY: it is in use; never so if `lazily`: then it goes when nobody uses it any more. */
int mountpoint_leave(const char *mountpoint, bool lazily) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* fuse_ops.h - the kernel's requests, answered from a tree. */
#ifndef PUBFS_FUSE_OPS_H
#define PUBFS_FUSE_OPS_H

#include <fuse_lowlevel.h>
#include <sys/types.h>

struct tree;

/* The user data of a session. */
struct fuse_view {
	struct tree *tree;
	uid_t uid; /* the owner that is shown */
	gid_t gid;
	mode_t umask;
	void (*ready)(void *ctx); /* the kernel has accepted the mount */
	void *ctx;
};

extern const struct fuse_lowlevel_ops fuse_ops;
extern const struct fuse_lowlevel_ops fuse_ops_no_xattr; /* the kernel asks for them once */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* mount.h - a tree mounted by the kernel: checks, daemon, session, readiness, a clean end. */
#ifndef PUBFS_MOUNT_H
#define PUBFS_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "compiler.h"

struct mount;
struct tree;

/*
 * A mount has two halves, because a process that becomes a daemon must do so before it makes a
 * thread, a connection or a database handle:
 *
 *	r = mount_prepare(&options, &m, &status);     checks; forks unless `foreground`
 *	if (r) ...                                    1: main() ends with `status`
 *	(build the store, the publisher, the tree)    errors still reach the terminal; paths
 *						      absolute: a daemon leaves its folder
 *	r = mount_serve(m, tree);                     until it is unmounted or told to stop
 *	mount_free(m);
 */
struct mount_options {
	const char *mountpoint;
	const char *source; /* a store's URL; mount(8) shows it as pubfs#URL */
	bool foreground;    /* no fork; NOTIFY_SOCKET, where it is set, is told of readiness */
	bool read_only, allow_other, default_permissions, no_xattr;
	uid_t uid; /* the owner that is shown */
	gid_t gid;
	mode_t umask; /* taken from the modes that are shown */
	/* Called once, when the kernel has accepted the mount, before a daemon lets go of the
	 * terminal: the log's last chance to move. May be NULL. */
	void (*ready)(void *ctx);
	/* Called when a mount that was told to stop waits for no writer any more: what waits for
	 * the store, and stands still, is to end. May be NULL. */
	void (*leaving)(void *ctx);
	void *ctx;
};

/* Everything off; uid and gid of this process. */
void mount_options_init(struct mount_options *options);
/* One -o argument: ro, rw, allow_other, default_permissions, noxattr, uid=N, gid=N, umask=OCTAL,
 * with commas between. -EINVAL: another word, or allow_other without default_permissions, by which
 * the kernel keeps others to the modes that are shown (said). */
int mount_options_parse(struct mount_options *options, const char *text) MUST_CHECK;

/*
 * Checks /dev/fuse and the mount point (a dead mount of an earlier process is detached), forks, and
 * blocks SIGTERM, SIGINT and SIGHUP for all threads made from here on. 0: this process goes
 * on. 1: it is the parent, and the daemon serves or has ended: nothing is left but to end with
 * *ret_status. -EINVAL, -ENOENT, -EBUSY, -EACCES, -EIO: said.
 */
int mount_prepare(const struct mount_options *options, struct mount **ret,
		  int *ret_status) MUST_CHECK;
/* True once one of the three signals came, before mount_serve(): for interrupt_set(). */
bool mount_was_told_to_stop(void *mount);
/*
 * Mounts, serves, unmounts. 0: unmounted, or stopped by one of the three signals: then nothing new
 * is written, what is open may be closed, and who uses the mount may leave it, each for a while. A
 * second signal does not wait. What tree_unsaved() then counts is lost.
 */
int mount_serve(struct mount *m, struct tree *t) MUST_CHECK;
void mount_free(struct mount *m); /* NULL is fine */

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* mountpoint.c - the folder that is mounted on: whether it can be, and how it is left again. */
#include "mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "log.h"
#include "memory.h"

#define FUSE_DEVICE "/dev/fuse"

extern char **environ;

int mountpoint_check_device(void)
{
	CLEANUP(close_fd) int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return 0;
	if (errno == EACCES || errno == EPERM)
		return fail(-EACCES,
			    "cannot mount: %s may not be opened by this user; become root "
			    "or have its mode changed to 0666",
			    FUSE_DEVICE);
	return fail(-ENOENT,
		    "cannot mount: %s: %s; load the kernel's module (modprobe fuse), or "
		    "give the container that device",
		    FUSE_DEVICE, strerror(errno));
}

/* The last one that was mounted there is the one that is seen. */
static bool is_ours(const char *mountpoint)
{
	FILE *table = setmntent("/proc/self/mounts", "r");
	struct mntent entry;
	char line[2 * PATH_MAX];
	bool ours = false;

	while (table && getmntent_r(table, &entry, line, sizeof(line)))
		if (!strcmp(entry.mnt_dir, mountpoint))
			ours = !strcmp(entry.mnt_type, "fuse." MOUNT_SUBTYPE);
	if (table)
		endmntent(table);
	return ours;
}

int mountpoint_leave(const char *mountpoint, bool lazily)
{
	char *argv[] = { (char *)(uintptr_t) "fusermount3",
			 (char *)(uintptr_t)(lazily ? "-uzq" : "-uq"), (char *)(uintptr_t) "--",
			 (char *)(uintptr_t)mountpoint, NULL };
	pid_t pid;
	int status;

	if (umount2(mountpoint, UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0)
		return 0;
	if (errno == EPERM && !posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) &&
	    waitpid(pid, &status, 0) == pid && !status)
		return 0;
	return -EBUSY;
}

/* A process that was killed leaves its mount behind, and every access answers ENOTCONN. */
static int detach_dead(const char *mountpoint)
{
	if (!is_ours(mountpoint))
		return fail(-EBUSY, "cannot mount on %s: a dead mount of another program is there",
			    mountpoint);
	if (mountpoint_leave(mountpoint, true) < 0)
		return fail(-EBUSY,
			    "cannot mount on %s: a dead mount is there and cannot be detached; "
			    "umount -l it",
			    mountpoint);
	log_warning("%s: a dead mount was detached", mountpoint);
	return 0;
}

static int check_empty(const char *mountpoint)
{
	DIR *dir = opendir(mountpoint);
	const struct dirent *entry;
	bool empty = true;

	if (!dir)
		return fail(-EACCES, "cannot mount on %s: %s", mountpoint, strerror(errno));
	while ((entry = readdir(dir)))
		empty &= !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	closedir(dir);
	if (!empty)
		return fail(-EBUSY, "cannot mount on %s: the folder is not empty", mountpoint);
	return 0;
}

/* As the table of mounts has it: realpath(3) fails on the mount itself, so it is told of the folder
 * above. */
static char *path_of_dead(const char *mountpoint)
{
	CLEANUP(free_char) char *copy = xstrdup(mountpoint);
	CLEANUP(free_char) char *above = NULL;
	char *name;

	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';)
		copy[--n] = '\0';
	name = strrchr(copy, '/');
	if (name)
		*name++ = '\0';
	above = realpath(!name ? "." : *copy ? copy : "/", NULL);
	return above ? xasprintf("%s/%s", strcmp(above, "/") ? above : "", name ? name : copy)
		     : xstrdup(mountpoint);
}

int mountpoint_check(const char *mountpoint)
{
	struct statx st;
	int r;

	if (statx(AT_FDCWD, mountpoint, 0, STATX_TYPE, &st) < 0 && errno == ENOTCONN) {
		CLEANUP(free_char) char *path = path_of_dead(mountpoint);

		r = detach_dead(path);
		if (r < 0)
			return r;
	}
	if (statx(AT_FDCWD, mountpoint, 0, STATX_TYPE, &st) < 0)
		return fail(errno == ENOENT ? -ENOENT : -EACCES, "cannot mount on %s: %s",
			    mountpoint, strerror(errno));
	if (!S_ISDIR(st.stx_mode))
		return fail(-EINVAL, "cannot mount on %s: it is not a folder", mountpoint);
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return fail(-EBUSY, "cannot mount on %s: something is mounted there already",
			    mountpoint);
	return check_empty(mountpoint);
}

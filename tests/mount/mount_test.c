/* SPDX-License-Identifier: BSD-3-Clause */
/* mount_test.c - what is said before a mount: its options, and its mount point. */
#include "mount.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler.h"
#include "log.h"
#include "memory.h"

Test(mount, options_are_words_with_commas_between)
{
	struct mount_options o;

	mount_options_init(&o);
	cr_assert_eq(o.uid, getuid());
	cr_assert_eq(mount_options_parse(&o, "ro,uid=12,gid=34,umask=077,noxattr"), 0);
	cr_assert(o.read_only);
	cr_assert(o.no_xattr);
	cr_assert_not(o.allow_other || o.default_permissions);
	cr_assert_eq(o.uid, 12);
	cr_assert_eq(o.gid, 34);
	cr_assert_eq(o.umask, 077);
	cr_assert_eq(mount_options_parse(&o, "rw,,default_permissions"), 0);
	cr_assert_not(o.read_only);
	cr_assert(o.default_permissions);
	cr_assert_eq(mount_options_parse(&o, ""), 0);
}

Test(mount, others_are_let_in_only_where_the_kernel_keeps_them_to_the_modes)
{
	struct mount_options o;

	mount_options_init(&o);
	cr_assert_eq(mount_options_parse(&o, "allow_other"), -EINVAL);
	cr_assert_not_null(strstr(log_last_failure(), "default_permissions"));
	cr_assert_not(o.allow_other);
	cr_assert_eq(mount_options_parse(&o, "allow_other,default_permissions"), 0);
	cr_assert(o.allow_other && o.default_permissions);
}

Test(mount, other_words_and_values_are_refused_and_change_nothing)
{
	static const char *const words[] = {
		"nosuch",
		"ro=1",
		"ROOT",
		"uid=",
		"uid=x",
		"uid=-1",
		"uid=1 ",
		"gid=0x1",
		"umask=8",
		"umask=01000",
		"umask=",
		"uid=4294967296",
		"uid=-18446744073709551615",
		"ro,nosuch",
	};
	struct mount_options o;

	mount_options_init(&o);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		cr_expect_eq(mount_options_parse(&o, words[i]), -EINVAL, "%s", words[i]);
		cr_expect_not(o.read_only);
		cr_expect_eq(o.uid, getuid());
	}
}

static int prepare(const char *mountpoint)
{
	struct mount_options o;
	struct mount *m = NULL;
	int status, r;

	mount_options_init(&o);
	o.mountpoint = mountpoint;
	o.source = "mem:";
	o.foreground = true;
	r = mount_prepare(&o, &m, &status);
	mount_free(m);
	return r;
}

Test(mount, only_an_empty_folder_that_nobody_uses_is_mounted_on)
{
	const char *above = getenv("TMPDIR");
	CLEANUP(free_char) char *home = xasprintf("%s/pubfs-XXXXXX", above ? above : "/tmp");
	CLEANUP(free_char) char *full = NULL;
	CLEANUP(free_char) char *file = NULL;
	CLEANUP(free_char) char *missing = NULL;
	int fd;

	if (access("/dev/fuse", R_OK | W_OK) < 0)
		cr_skip_test("/dev/fuse is not open to this user");
	cr_assert_not_null(mkdtemp(home));
	full = xasprintf("%s/full", home);
	file = xasprintf("%s/full/file", home);
	missing = xasprintf("%s/missing", home);
	cr_assert_eq(mkdir(full, 0700), 0);
	cr_assert_eq(prepare(full), 0);
	fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close_fd(&fd);
	cr_assert_eq(prepare(full), -EBUSY);
	cr_assert_not_null(strstr(log_last_failure(), "not empty"));
	cr_assert_eq(prepare(file), -EINVAL);
	cr_assert_not_null(strstr(log_last_failure(), "not a folder"));
	cr_assert_eq(prepare(missing), -ENOENT);
	cr_assert_not_null(strstr(log_last_failure(), missing));
	cr_assert_eq(prepare("/proc"), -EBUSY);
	cr_assert_not_null(strstr(log_last_failure(), "already"));
	unlink(file);
	rmdir(full);
	rmdir(home);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* sent_back_test.c - who is remembered as sent back, and what makes room for another. */
#include "../../fs/mount/sent_back.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>

#include "memory.h"

Test(sent_back, the_last_256_are_known)
{
	const struct inode inode = { .id = 11, .number = 7 };
	struct file *opened = xmalloc(1); /* it is not looked into */
	struct sent_back s = { 0 };

	for (pid_t task = 1; task <= SENT_BACK_MAX; task++)
		cr_assert_null(sent_back_note(&s, task, &inode, INODE_WRITE, O_WRONLY));
	cr_assert_null(sent_back_note(&s, 1, &inode, INODE_READ, O_RDONLY));
	cr_assert_eq(sent_back_find(&s, 1, 7)->use, INODE_READ);
	cr_assert_null(sent_back_find(&s, 1, 8));
	sent_back_find(&s, 2, 7)->file = opened;
	cr_assert_eq(sent_back_note(&s, 4711, &inode, INODE_WRITE, O_WRONLY), opened);
	cr_assert_null(sent_back_find(&s, 2, 7), "the oldest");
	cr_assert_eq(sent_back_find(&s, 3, 7)->use, INODE_WRITE);
	sent_back_find(&s, 3, 7)->file = opened;
	cr_assert_eq(sent_back_note(&s, 3, &inode, INODE_WRITE, O_WRONLY), opened);
	cr_assert_null(sent_back_find(&s, 3, 7)->file);
	sent_back_release(&s);
	free(opened);
}

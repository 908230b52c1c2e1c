/* SPDX-License-Identifier: BSD-3-Clause */
/* spool_test.c - bytes being written: the same in memory and in a file. */
#include "../../fs/mount/spool.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"

/* A spool beside a plain buffer that says what it must hold. */
struct both {
	struct spool_space space;
	struct spool spool;
	char *expected;
	uint64_t size;
};

static void both_init(struct both *b)
{
	*b = (struct both){ .space = { .dir = "/tmp" } };
	spool_init(&b->spool, &b->space);
	b->expected = xcalloc(1, 4 * SPOOL_IN_MEMORY);
}

static void both_release(struct both *b)
{
	spool_release(&b->spool);
	cr_assert_eq(atomic_load(&b->space.in_memory), 0);
	cr_assert_eq(atomic_load(&b->space.in_files), 0);
	free(b->expected);
}

static void both_write(struct both *b, uint64_t offset, char c, size_t n)
{
	CLEANUP(free_char) char *bytes = xmalloc(n);

	memset(bytes, c, n);
	memset(b->expected + offset, c, n);
	cr_assert_eq(spool_write(&b->spool, offset, bytes, n), (ssize_t)n);
	if (offset + n > b->size)
		b->size = offset + n;
}

static void both_truncate(struct both *b, uint64_t size)
{
	if (size < b->size)
		memset(b->expected + size, 0, b->size - size);
	cr_assert_eq(spool_truncate(&b->spool, size), 0);
	b->size = size;
}

static void both_same(struct both *b)
{
	CLEANUP(free_char) char *bytes = xmalloc(b->size + 1);

	cr_assert_eq(b->spool.size, b->size);
	cr_assert_eq(spool_read(&b->spool, 0, bytes, b->size + 1), (ssize_t)b->size);
	cr_assert_eq(memcmp(bytes, b->expected, b->size), 0);
}

Test(spool, an_empty_one_is_an_empty_body)
{
	struct both b;
	struct body body;

	both_init(&b);
	body = spool_body(&b.spool);
	cr_assert_eq(body.size, 0);
	cr_assert_not_null(body.buf);
	both_same(&b);
	both_release(&b);
}

Test(spool, gaps_and_what_was_cut_read_as_zeros_in_memory_and_in_a_file)
{
	for (int in_file = 0; in_file < 2; in_file++) {
		struct both b;

		both_init(&b);
		if (in_file)
			both_write(&b, SPOOL_IN_MEMORY, 'f', 1);
		cr_assert_eq(b.spool.fd >= 0, in_file);
		both_truncate(&b, 0);
		both_write(&b, 100, 'a', 50);
		both_same(&b);
		both_truncate(&b, 120);
		both_same(&b);
		both_truncate(&b, 200);
		both_same(&b);
		both_write(&b, 5000, 'b', 1);
		both_same(&b);
		both_release(&b);
	}
}

Test(spool, takes_its_share_of_memory_and_then_goes_to_a_file)
{
	struct both b;

	both_init(&b);
	both_write(&b, 0, 'a', SPOOL_IN_MEMORY);
	cr_assert_lt(b.spool.fd, 0);
	cr_assert_eq(atomic_load(&b.space.in_memory), SPOOL_IN_MEMORY);
	both_write(&b, SPOOL_IN_MEMORY, 'b', 1);
	cr_assert_geq(b.spool.fd, 0);
	cr_assert_eq(atomic_load(&b.space.in_memory), 0);
	both_same(&b);
	both_release(&b);
}

Test(spool, all_of_a_mount_together_have_a_bound)
{
	struct both b;

	both_init(&b);
	atomic_store(&b.space.in_memory, SPOOL_ALL_IN_MEMORY - 4096);
	both_write(&b, 0, 'a', 4096);
	cr_assert_lt(b.spool.fd, 0);
	both_write(&b, 4096, 'b', 1);
	cr_assert_geq(b.spool.fd, 0);
	both_same(&b);
	atomic_store(&b.space.in_memory, 0);
	both_release(&b);
}

Test(spool, a_body_has_a_maximum)
{
	struct both b;

	both_init(&b);
	cr_assert_eq(spool_write(&b.spool, SPOOL_MAX, "x", 1), -EFBIG);
	cr_assert_eq(spool_write(&b.spool, UINT64_MAX, "x", 1), -EFBIG);
	cr_assert_eq(spool_truncate(&b.spool, SPOOL_MAX + 1), -EFBIG);
	cr_assert_eq(spool_truncate(&b.spool, SPOOL_MAX), 0);
	cr_assert_eq(spool_write(&b.spool, SPOOL_MAX - 1, "x", 1), 1);
	spool_release(&b.spool);
	free(b.expected);
}

/* Sizes count, whether the disk has blocks for them or not. */
Test(spool, all_files_of_a_mount_together_have_a_bound)
{
	struct both b;
	struct spool other;

	both_init(&b);
	spool_init(&other, &b.space);
	both_write(&b, SPOOL_IN_MEMORY, 'a', 1);
	cr_assert_eq(atomic_load(&b.space.in_files), SPOOL_IN_MEMORY + 1);
	both_truncate(&b, 10);
	cr_assert_eq(atomic_load(&b.space.in_files), 10, "what was cut away is free again");
	atomic_fetch_add(&b.space.in_files, SPOOL_ALL_IN_FILES - SPOOL_MAX - 10);
	cr_assert_eq(spool_truncate(&other, SPOOL_MAX), 0);
	cr_assert_eq(spool_truncate(&b.spool, 11), -ENOSPC);
	cr_assert_eq(spool_write(&b.spool, 10, "x", 1), -ENOSPC);
	cr_assert_eq(spool_write(&b.spool, 9, "x", 1), 1);
	spool_release(&other);
	cr_assert_eq(spool_write(&b.spool, 10, "x", 1), 1);
	spool_release(&b.spool);
	cr_assert_eq(atomic_load(&b.space.in_files), SPOOL_ALL_IN_FILES - SPOOL_MAX - 10);
	free(b.expected);
}

/* /dev/full is a disk that is always full. */
Test(spool, a_full_disk_and_a_missing_folder_are_errors)
{
	CLEANUP(close_fd) int full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct both b;
	int fd = -1;

	cr_assert_geq(full, 0);
	cr_assert_eq(spool_file_write(full, 0, "x", 1), -ENOSPC);
	cr_assert_eq(spool_file_write(-1, 0, "x", 1), -EIO);
	cr_assert_eq(spool_file("/nowhere", &fd), -EIO);
	cr_assert_eq(fd, -1);
	both_init(&b);
	b.space.dir = "/nowhere";
	cr_assert_eq(spool_write(&b.spool, SPOOL_IN_MEMORY, "x", 1), -EIO);
	both_release(&b);
}

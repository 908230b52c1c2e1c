/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spool.c - the bytes of a file that is being written.
 *
 * empty --write--> mem --over a bound--> file: a spool never goes back. What all spools take of
 * either is counted in `space`. Bytes behind `size` are zeros in both, so that a gap needs no work:
 * memory is grown with zeros, and a cut clears it.
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

#define FIRST_ROOM ((size_t)4 << 10)

void spool_init(struct spool *s, struct spool_space *space)
{
	*s = (struct spool){ .space = space, .fd = -1 };
}

static void drop_memory(struct spool *s)
{
	atomic_fetch_sub(&s->space->in_memory, s->room);
	free(s->mem);
	s->mem = NULL;
	s->room = 0;
}

void spool_release(struct spool *s)
{
	drop_memory(s);
	atomic_fetch_sub(&s->space->in_files, s->charged);
	s->charged = 0;
	close_fd(&s->fd);
	s->fd = -1;
	s->size = 0;
}

int spool_file(const char *dir, int *ret_fd)
{
	CLEANUP(free_char) char *name = NULL;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		name = xasprintf("%s/spool.XXXXXX", dir);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return fail(-ENFILE,
			    "cannot make a temporary file: too many files are open; raise the "
			    "limit (ulimit -Hn, LimitNOFILE=)");
	if (fd < 0)
		return fail(-EIO, "cannot make a temporary file in %s: %s", dir, strerror(errno));
	*ret_fd = fd;
	return 0;
}

static int file_error(void)
{
	if (errno == ENOSPC || errno == EDQUOT)
		return fail(-ENOSPC, "the disk of the temporary files is full");
	return fail(-EIO, "cannot write a temporary file: %s", strerror(errno));
}

int spool_file_write(int fd, uint64_t offset, const void *buf, size_t n)
{
	const char *at = buf;

	while (n) {
		ssize_t r = pwrite(fd, at, n, (off_t)offset);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return file_error();
		at += r;
		n -= (size_t)r;
		offset += (uint64_t)r;
	}
	return 0;
}

/* Room for that many bytes in memory, unless a bound says no. */
static bool grow(struct spool *s, uint64_t need)
{
	size_t room = s->room ? s->room : FIRST_ROOM, more;

	if (need > SPOOL_IN_MEMORY)
		return false;
	if (need <= s->room)
		return true;
	while (room < need)
		room *= 2;
	more = room - s->room;
	if (atomic_fetch_add(&s->space->in_memory, more) + more > SPOOL_ALL_IN_MEMORY) {
		atomic_fetch_sub(&s->space->in_memory, more);
		return false;
	}
	s->mem = xrealloc(s->mem, room);
	memset(s->mem + s->room, 0, more);
	s->room = room;
	return true;
}

/* Accounts for a file of that size. */
static int charge(struct spool *s, uint64_t size)
{
	uint64_t more = size > s->charged ? size - s->charged : 0;

	if (atomic_fetch_add(&s->space->in_files, more) + more > SPOOL_ALL_IN_FILES) {
		atomic_fetch_sub(&s->space->in_files, more);
		return fail(-ENOSPC,
			    "the temporary files of what is being written would take more than "
			    "%" PRIu64 " MiB",
			    SPOOL_ALL_IN_FILES >> 20);
	}
	s->charged += more;
	return 0;
}

static int move_to_file(struct spool *s)
{
	CLEANUP(close_fd) int fd = -1;
	int r = spool_file(s->space->dir, &fd);

	if (r < 0)
		return r;
	r = spool_file_write(fd, 0, s->mem, s->size);
	if (r < 0)
		return r;
	drop_memory(s);
	s->fd = fd;
	fd = -1;
	return 0;
}

/* Makes the spool ready to hold that many bytes. */
static int prepare(struct spool *s, uint64_t need)
{
	int r;

	if (need > SPOOL_MAX)
		return -EFBIG;
	if (s->fd < 0 && grow(s, need))
		return 0;
	r = charge(s, need);
	return r < 0 || s->fd >= 0 ? r : move_to_file(s);
}

ssize_t spool_write(struct spool *s, uint64_t offset, const void *buf, size_t n)
{
	int r;

	if (offset > SPOOL_MAX || n > SPOOL_MAX - offset)
		return -EFBIG;
	if (!n)
		return 0;
	r = prepare(s, offset + n);
	if (!r && s->fd >= 0)
		r = spool_file_write(s->fd, offset, buf, n);
	else if (!r)
		memcpy(s->mem + offset, buf, n);
	if (r < 0)
		return r;
	if (offset + n > s->size)
		s->size = offset + n;
	return (ssize_t)n;
}

int spool_truncate(struct spool *s, uint64_t size)
{
	int r = prepare(s, size);

	if (r < 0)
		return r;
	if (s->fd >= 0) {
		if (ftruncate(s->fd, (off_t)size) < 0)
			return file_error();
		atomic_fetch_sub(&s->space->in_files, s->charged - size);
		s->charged = size;
	} else if (size < s->size) {
		memset(s->mem + size, 0, s->size - size);
	}
	s->size = size;
	return 0;
}

struct body spool_body(const struct spool *s)
{
	return s->fd >= 0 ? body_of_file(s->fd, s->size)
			  : body_of_bytes(s->mem ? s->mem : "", s->size);
}

ssize_t spool_read(const struct spool *s, uint64_t offset, void *buf, size_t n)
{
	struct body body = spool_body(s);

	return body_read(&body, offset, buf, n);
}

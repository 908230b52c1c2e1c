/* SPDX-License-Identifier: BSD-3-Clause */
#include "file.h"

#include <errno.h>
#include <unistd.h>

int write_all(int fd, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t written = write(fd, at, n);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			n -= (size_t)written;
		}
	}
	return 0;
}

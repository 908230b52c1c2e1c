/* SPDX-License-Identifier: BSD-3-Clause */
/* body.c - bytes that can be read at any offset. */
#include "body.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "strbuf.h"

struct body body_of_bytes(const void *bytes, size_t n)
{
	return (struct body){ .size = n, .buf = bytes, .fd = -1 };
}

struct body body_of_strbuf(const struct strbuf *sb)
{
	return body_of_bytes(sb->buf, sb->len);
}

struct body body_of_file(int fd, uint64_t size)
{
	return (struct body){ .size = size, .fd = fd };
}

static ssize_t read_file(const struct body *body, uint64_t offset, char *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(body->fd, buf + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return fail(-EIO, "cannot read a body: %s", strerror(errno));
		if (!r)
			return fail(-EIO, "a body was cut while it was read");
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t body_read(const struct body *body, uint64_t offset, void *buf, size_t n)
{
	if (offset >= body->size)
		return 0;
	if (n > body->size - offset)
		n = body->size - offset;
	if (body->buf) {
		memcpy(buf, body->buf + offset, n);
		return (ssize_t)n;
	}
	if (body->read)
		return body->read(body, offset, buf, n);
	assert(body->fd >= 0);
	return read_file(body, offset, buf, n);
}

int body_load(const struct body *body, struct strbuf *out)
{
	char *at = strbuf_reserve(out, body->size);
	ssize_t r;

	if (!at)
		return -E2BIG;
	if (!body->size)
		return 0;
	r = body_read(body, 0, at, body->size);
	if (r < 0)
		return (int)r;
	if ((uint64_t)r != body->size)
		return fail(-EIO, "a body was cut while it was read");
	strbuf_setlen(out, out->len + (size_t)r);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lines.c - the lines of a file, gzip'ed or not.
 *
 * A file that begins as a gzip member is a row of members up to its end, each with a checksum that
 * is checked; anything else behind a member is an error, for it would be lost silently.
 */
#include "lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "log.h"
#include "memory.h"
#include "strbuf.h"

#define PIECE	  65536
#define GZIP_ONLY (15 + 16) /* zlib's way to say: a window of 32 KiB, in gzip members */

struct lines {
	int fd;
	const char *name; /* borrowed */
	bool gzip, in_member, at_end;
	z_stream z;
	unsigned char stored[PIECE]; /* as read, for zlib */
	char text[PIECE];	     /* [at, end) was not asked for yet */
	size_t at, end;
	unsigned long long number;
};

static int read_piece(struct lines *lines, void *buf, size_t n, size_t *ret)
{
	ssize_t r;

	do
		r = read(lines->fd, buf, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return fail(-EIO, "cannot read %s: %s", lines->name, strerror(errno));
	lines->at_end = !r;
	*ret = (size_t)r;
	return 0;
}

/* The first two bytes tell; a pipe may hand them over one by one. */
static int look_at_start(struct lines *lines)
{
	size_t n = 0, more = 0;

	while (n < 2 && !lines->at_end) {
		int r = read_piece(lines, lines->stored + n, sizeof(lines->stored) - n, &more);

		if (r < 0)
			return r;
		n += more;
	}
	if (n < 2 || lines->stored[0] != 0x1f || lines->stored[1] != 0x8b) {
		memcpy(lines->text, lines->stored, n);
		lines->end = n;
		return 0;
	}
	lines->z.next_in = lines->stored;
	lines->z.avail_in = (unsigned)n;
	if (inflateInit2(&lines->z, GZIP_ONLY) != Z_OK)
		return fail(-EIO, "cannot unpack %s: out of memory", lines->name);
	lines->gzip = true;
	lines->in_member = true;
	return 0;
}

int lines_open(const char *path, struct lines **ret)
{
	CLEANUP(lines_close) struct lines *lines = xcalloc(1, sizeof(*lines));
	bool standard = !strcmp(path, "-");
	int r;

	lines->name = standard ? "standard input" : path;
	lines->fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0)
		return fail(errno == ENOENT || errno == EACCES ? -errno : -EIO,
			    "cannot read %s: %s", lines->name, strerror(errno));
	r = look_at_start(lines);
	if (r < 0)
		return r;
	*ret = steal(lines);
	return 0;
}

void lines_close(struct lines **lines)
{
	if (!*lines)
		return;
	if ((*lines)->gzip)
		inflateEnd(&(*lines)->z);
	close_fd(&(*lines)->fd);
	free(*lines);
}

static int refill_stored(struct lines *lines)
{
	size_t n = 0;
	int r = read_piece(lines, lines->stored, sizeof(lines->stored), &n);

	if (r < 0)
		return r;
	if (lines->at_end && lines->in_member)
		return fail(-EINVAL, "%s is cut", lines->name);
	lines->z.next_in = lines->stored;
	lines->z.avail_in = (unsigned)n;
	return 0;
}

/* Fills `text`; leaves it empty where the file ends. */
static int unpack(struct lines *lines)
{
	z_stream *z = &lines->z;

	z->next_out = (unsigned char *)lines->text;
	z->avail_out = sizeof(lines->text);
	while (z->avail_out == sizeof(lines->text)) {
		int r = z->avail_in ? 0 : refill_stored(lines), code;

		if (r < 0)
			return r;
		if (lines->at_end)
			break;
		if (!lines->in_member)
			inflateReset(z);
		code = inflate(z, Z_NO_FLUSH);
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
			return fail(-EINVAL, "%s is damaged: %s", lines->name,
				    z->msg ? z->msg : "not a gzip file");
		lines->in_member = code != Z_STREAM_END;
	}
	lines->end = sizeof(lines->text) - z->avail_out;
	return 0;
}

static int fill(struct lines *lines)
{
	lines->at = 0;
	lines->end = 0;
	if (lines->gzip)
		return unpack(lines);
	return read_piece(lines, lines->text, sizeof(lines->text), &lines->end);
}

int lines_next(struct lines *lines, struct strbuf *line)
{
	const char *newline = NULL;
	bool any = false;

	strbuf_reset(line);
	while (!newline) {
		const char *from;
		size_t n;

		if (lines->at == lines->end) {
			int r = fill(lines);

			if (r < 0)
				return r;
		}
		if (lines->at == lines->end)
			break;
		any = true;
		from = lines->text + lines->at;
		newline = memchr(from, '\n', lines->end - lines->at);
		n = newline ? (size_t)(newline - from) : lines->end - lines->at;
		strbuf_add(line, from, n);
		if (strbuf_error(line) < 0)
			return fail(-EINVAL, "%s, line %llu: it is over %zu MiB", lines->name,
				    lines->number + 1, line->max >> 20);
		lines->at += n + !!newline;
	}
	lines->number += any;
	return any;
}

const char *lines_name(const struct lines *lines)
{
	return lines->name;
}

unsigned long long lines_number(const struct lines *lines)
{
	return lines->number;
}

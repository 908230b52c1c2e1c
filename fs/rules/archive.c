/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * archive.c - the pubspec of a package archive, and whether the archive is sound.
 *
 * Nothing but one piece of the archive is in memory at a time: zlib unpacks it piece by piece,
 * libarchive reads the tar headers out of that and skips the files. zlib does the unpacking because
 * libarchive does not compare the checksum at the end of a gzip member.
 *
 * Behind the last member only zeros may stand, as padding; a client could stumble over anything
 * else. What follows the end mark inside the tar is ignored, as every tar does.
 */
#include "archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "body.h"
#include "memory.h"
#include "strbuf.h"

#define PIECE	    ((size_t)64 << 10)
#define GZIP_WINDOW (15 + 16) /* zlib: the largest window, and a gzip header around it */
#define GZIP_MAGIC  0x1f      /* first byte of a member */

/* The decoded bytes of a body, in pieces. */
struct unpacker {
	const struct body *body;
	struct strbuf *why;
	uint64_t offset; /* of the next piece to be read */
	z_stream z;
	enum { IN_MEMBER, BEHIND_MEMBER } place;
	int error; /* what ended it early */
	unsigned char in[PIECE], out[PIECE];
};

static struct unpacker *unpacker_new(const struct body *body, struct strbuf *why)
{
	struct unpacker *u = xcalloc(1, sizeof(*u));

	u->body = body;
	u->why = why;
	if (inflateInit2(&u->z, GZIP_WINDOW) != Z_OK)
		abort(); /* out of memory */
	return u;
}

static void unpacker_free(struct unpacker **u)
{
	inflateEnd(&(*u)->z);
	free(*u);
}

/* Makes sure that there is input. 1: there is; 0: the body ended; or what went wrong. */
static int refill(struct unpacker *u)
{
	ssize_t r;

	if (u->z.avail_in)
		return 1;
	r = body_read(u->body, u->offset, u->in, sizeof(u->in));
	if (r <= 0)
		return (int)r;
	u->offset += (uint64_t)r;
	u->z.next_in = u->in;
	u->z.avail_in = (uInt)r;
	return 1;
}

static int unpack_some(struct unpacker *u)
{
	int r = inflate(&u->z, Z_NO_FLUSH);

	if (r == Z_STREAM_END) {
		u->place = BEHIND_MEMBER;
		return 0;
	}
	if (r == Z_OK)
		return 0;
	strbuf_addf(u->why, "it is no sound gzip stream (%s)", u->z.msg ? u->z.msg : zError(r));
	return -EINVAL;
}

static int step_behind_member(struct unpacker *u)
{
	if (*u->z.next_in == GZIP_MAGIC) {
		inflateReset(&u->z);
		u->place = IN_MEMBER;
		return 0;
	}
	if (*u->z.next_in) {
		strbuf_addstr(u->why, "other bytes stand behind its gzip stream");
		return -EINVAL;
	}
	u->z.next_in++;
	u->z.avail_in--;
	return 0;
}

/* Fills u->out: its length, 0 at the sound end of it all, or u->error. */
static ssize_t unpack(struct unpacker *u)
{
	int r = u->error;

	u->z.next_out = u->out;
	u->z.avail_out = sizeof(u->out);
	while (!r && u->z.avail_out) {
		r = refill(u);
		if (r < 0)
			break;
		if (!r) {
			if (u->place == BEHIND_MEMBER)
				break;
			strbuf_addstr(u->why, "its gzip stream is cut");
			r = -EINVAL;
			break;
		}
		r = u->place == IN_MEMBER ? unpack_some(u) : step_behind_member(u);
	}
	u->error = r;
	return r ? r : (ssize_t)(sizeof(u->out) - u->z.avail_out);
}

static la_ssize_t give_tar(struct archive *tar, void *ctx, const void **buf)
{
	struct unpacker *u = ctx;
	ssize_t r = unpack(u);

	if (r < 0)
		archive_set_error(tar, EINVAL, "cannot unpack");
	*buf = u->out;
	return r;
}

/* How deep a path ends below where it starts, `depth`; -1: it is absolute or climbs out. */
static int path_depth(const char *path, int depth)
{
	if (*path == '/')
		return -1;
	while (*path && depth >= 0) {
		size_t n = strcspn(path, "/");

		if (n == 2 && !memcmp(path, "..", 2))
			depth--;
		else if (n && !(n == 1 && *path == '.'))
			depth++;
		path += n + (path[n] == '/');
	}
	return depth;
}

static bool has_dot_dot(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (!at[2] || at[2] == '/'))
			return true;
	return false;
}

/* "./pubspec.yaml" stands at the top, too. */
static bool is_pubspec(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		for (path++; *path == '/';)
			path++;
	return !strcmp(path, "pubspec.yaml");
}

/* A name as the archive has it, whatever the locale; NULL: it has none. */
static const char *either_text(const char *bytes, const char *utf8)
{
	return bytes ? bytes : utf8;
}

/* What makes this entry unfit for a package; NULL: nothing. */
static const char *entry_fault(struct archive_entry *entry, const char *path)
{
	const char *target;

	if (!path || !*path)
		return "has no name";
	if (*path == '/' || has_dot_dot(path))
		return "leaves the archive";
	if (archive_entry_hardlink(entry) || archive_entry_hardlink_utf8(entry))
		return "is a hard link";
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
	case AE_IFDIR:
		return NULL;
	case AE_IFLNK:
		target = either_text(archive_entry_symlink(entry),
				     archive_entry_symlink_utf8(entry));
		if (!target || path_depth(target, path_depth(path, 0) - 1) < 0)
			return "is a link that leaves the archive";
		return NULL;
	default:
		return "is neither a file, a folder nor a symbolic link";
	}
}

/* Appends the entry's bytes; libarchive's own error is left to the caller. */
static int load_entry(struct archive *tar, struct strbuf *out)
{
	char piece[4096];
	la_ssize_t r;

	while ((r = archive_read_data(tar, piece, sizeof(piece))) > 0) {
		strbuf_add(out, piece, (size_t)r);
		if (strbuf_error(out) < 0)
			return -E2BIG;
	}
	return r < 0 ? -EINVAL : 0;
}

static int tar_error(struct archive *tar, const struct unpacker *u)
{
	if (u->error)
		return u->error;
	strbuf_addf(u->why, "it is no sound tar archive (%s)", archive_error_string(tar));
	return -EINVAL;
}

static int look_at_entry(struct archive *tar, struct archive_entry *entry, const struct unpacker *u,
			 bool *found, struct strbuf *pubspec)
{
	const char *path =
		either_text(archive_entry_pathname(entry), archive_entry_pathname_utf8(entry));
	const char *fault = entry_fault(entry, path);
	int r;

	if (!fault && is_pubspec(path)) {
		if (archive_entry_filetype(entry) != AE_IFREG)
			fault = "is no file";
		else if (*found)
			fault = "stands in it twice";
		*found = true;
	}
	if (fault) {
		strbuf_addf(u->why, "'%.200s' %s", path ? path : "", fault);
		return -EINVAL;
	}
	if (!is_pubspec(path) || !pubspec)
		return 0;
	r = load_entry(tar, pubspec);
	return r == -EINVAL ? tar_error(tar, u) : r;
}

static int read_entries(struct archive *tar, struct unpacker *u, struct strbuf *pubspec)
{
	struct archive_entry *entry;
	bool found = false;
	int r;

	r = archive_read_open(tar, u, NULL, give_tar, NULL);
	if (r != ARCHIVE_OK)
		return tar_error(tar, u);
	while ((r = archive_read_next_header(tar, &entry)) != ARCHIVE_EOF) {
		/* a warning is about a name that the locale does not have */
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return tar_error(tar, u);
		r = look_at_entry(tar, entry, u, &found, pubspec);
		if (r < 0)
			return r;
	}
	if (!found) {
		strbuf_addstr(u->why, "it has no pubspec.yaml at its top");
		return -EINVAL;
	}
	return 0;
}

static void tar_free(struct archive **tar)
{
	archive_read_free(*tar);
}

int archive_pubspec(const struct body *body, struct strbuf *pubspec, struct strbuf *why)
{
	CLEANUP(unpacker_free) struct unpacker *u = unpacker_new(body, why);
	CLEANUP(tar_free) struct archive *tar = archive_read_new();
	size_t start = pubspec ? pubspec->len : 0;
	ssize_t r;

	assert(tar);
	archive_read_support_format_tar(tar);
	r = read_entries(tar, u, pubspec);
	while (!r && (r = unpack(u)) > 0) /* to the end, so that its checksum is compared */
		r = 0;
	if (r < 0 && pubspec)
		strbuf_setlen(pubspec, start);
	return (int)r;
}

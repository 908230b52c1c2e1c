/* SPDX-License-Identifier: BSD-3-Clause */
/* path.c - the one rule between keys and paths. */
#include "path.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "strbuf.h"
#include "utf8.h"

#define BELOW	  ".d" /* behind a package's name: the folder of what lies below it */
#define BELOW_LEN (sizeof(BELOW) - 1)

/* The top-level names that belong to the tree itself and to the `dir:` store. */
static const char *const reserved[] = { ".pubfs", ".pubfs-store" };

/* A part of a name, that is what stands between two slashes. */
struct part {
	const char *text;
	size_t len;
};

static struct part part_at(const char *text)
{
	return (struct part){ text, strcspn(text, "/") };
}

static bool part_is(struct part part, const char *text)
{
	return part.len == strlen(text) && !memcmp(part.text, text, part.len);
}

static bool is_dots(struct part part)
{
	return part_is(part, ".") || part_is(part, "..");
}

/* No character of these can stand in a name: U+0000 to U+001F, U+007F to U+009F. */
static bool is_control(const unsigned char *p)
{
	return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0);
}

/* The length of the part that a name begins with; 0: it cannot stand in a path. */
static size_t part_length(const char *name)
{
	const char *at = name;
	size_t n;

	while (*at && *at != '/') {
		n = (unsigned char)*at < 0x80 ? 1 : utf8_length(at, at + UTF8_CHAR_MAX);
		if (!n || is_control((const unsigned char *)at))
			return 0;
		at += n;
	}
	n = (size_t)(at - name);
	return n <= PATH_PART_MAX && !is_dots((struct part){ name, n }) ? n : 0;
}

/* All parts can stand in a path, and the first is ours to map. A '/' may end the last. */
static bool all_possible(const char *name)
{
	struct part part = part_at(name);

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (part_is(part, reserved[i]))
			return false;
	while (*name) {
		size_t n = part_length(name);

		if (!n)
			return false;
		name += n;
		name += *name == '/';
	}
	return true;
}

/* The fourth part of `x/api/packages/P/...`, the package with something below; else empty. */
static struct part package_above(const char *name)
{
	static const char folders[] = "/api/packages/";
	const char *at = strchr(name, '/');
	struct part part = { name, 0 };

	if (at && !strncmp(at, folders, sizeof(folders) - 1)) {
		part = part_at(at + sizeof(folders) - 1);
		if (part.text[part.len] != '/')
			part.len = 0;
	}
	return part;
}

int path_from_key(const char *key, struct strbuf *out)
{
	struct part package = package_above(key);
	const char *below = package.text + package.len;

	if (strlen(key) > KEY_MAX || !all_possible(key) ||
	    (package.len && package.len + BELOW_LEN > PATH_PART_MAX))
		return -EINVAL;
	if (package.len) {
		strbuf_add(out, key, (size_t)(below - key));
		strbuf_add(out, BELOW, BELOW_LEN);
	}
	strbuf_addstr(out, package.len ? below : key);
	return strbuf_error(out);
}

int path_to_key(const char *path, struct strbuf *out)
{
	struct part package = package_above(path);
	const char *below = package.text + package.len;

	if (package.len) {
		if (package.len < BELOW_LEN || memcmp(below - BELOW_LEN, BELOW, BELOW_LEN))
			return -ENOENT;
		package.len -= BELOW_LEN;
		if (!package.len || is_dots(package))
			return -ENOENT;
	}
	if (strlen(path) - (package.len ? BELOW_LEN : 0) > KEY_MAX || !all_possible(path))
		return -ENOENT;
	if (package.len)
		strbuf_add(out, path, (size_t)(package.text + package.len - path));
	strbuf_addstr(out, package.len ? below : path);
	return strbuf_error(out);
}

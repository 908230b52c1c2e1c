/* SPDX-License-Identifier: BSD-3-Clause */
/* floor.c - the least that a mounted bucket of packages can be: a file system that computes it. */
/*
 *	floor MOUNTPOINT PACKAGES [xattr]
 *
 * The tree of bucket.c, out of a node's number alone. Threads, readdirplus, timeouts and kept pages
 * as pubfs has them; with `xattr` every getxattr is answered (ENODATA), else the kernel asks once.
 */
#include <err.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "packages.h"

#define FIRST	 16 /* the first package's first node */
#define NAME_MAX 64

/* The folders at the top; a package's nodes follow each other, those of its details last. */
enum { ROOT = FUSE_ROOT_ID, LATEST, API, ARCHIVES, PACKAGES };
enum { LISTING, FOLDER, ARCHIVED, DETAIL, PARTS = DETAIL + DETAILS };

static unsigned packages;
static off_t size_of_part[PARTS] = { [ARCHIVED] = sizeof(ARCHIVE) - 1 };

static unsigned part_of(fuse_ino_t node)
{
	return node < FIRST ? FOLDER : (unsigned)(node - FIRST) % PARTS;
}

static struct fuse_entry_param entry_of(fuse_ino_t node)
{
	bool folder = part_of(node) == FOLDER;
	off_t size = size_of_part[part_of(node)];

	return (struct fuse_entry_param){
		.ino = node,
		.attr_timeout = 1.0,
		.attr = { .st_ino = node,
			  .st_mode = folder ? S_IFDIR | 0755 : S_IFREG | 0644,
			  .st_nlink = 1,
			  .st_size = size,
			  .st_blksize = 4096,
			  .st_blocks = (size + 511) / 512 },
	};
}

static fuse_ino_t node_of(unsigned number, unsigned part)
{
	return number < packages ? FIRST + (fuse_ino_t)number * PARTS + part : 0;
}

/* The entry at a place of a folder, in the order of the bucket's keys; 0: behind the last. */
static fuse_ino_t child_at(fuse_ino_t folder, off_t at, char name[NAME_MAX])
{
	static const char *const tops[] = {
		[LATEST] = "latest", [API] = "api", [ARCHIVES] = "archives", [PACKAGES] = "packages"
	};
	unsigned number = (unsigned)(folder == PACKAGES ? at / 2 : at);

	if (folder == ARCHIVES) {
		snprintf(name, NAME_MAX, PACKAGE_NAME "-" PACKAGE_VERSION ".tar.gz", number);
		return node_of(number, ARCHIVED);
	}
	if (folder == PACKAGES) {
		snprintf(name, NAME_MAX, at % 2 ? PACKAGE_NAME ".d" : PACKAGE_NAME, number);
		return node_of(number, at % 2 ? FOLDER : LISTING);
	}
	if (at > (off_t)(folder < FIRST ? folder == API : DETAILS - 1))
		return 0;
	strcpy(name, folder < FIRST ? tops[folder + 1 + at] : package_details[at].name);
	return folder + (fuse_ino_t)at + (folder < FIRST ? 1 : DETAIL - FOLDER);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const char *digits = strchr(name, '_');
	unsigned at = digits		? (unsigned)strtoul(digits + 1, NULL, 10)
		      : parent >= FIRST ? package_detail_of(name)
					: !strcmp(name, "packages");
	char found[NAME_MAX] = "";
	fuse_ino_t node =
		child_at(parent, parent == PACKAGES ? at * 2 + !!strchr(name, '.') : at, found);
	struct fuse_entry_param entry = entry_of(node);

	if (node && !strcmp(found, name))
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry = entry_of(node);

	(void)fi;
	fuse_reply_attr(req, &entry.attr, 0);
}

static void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	fi->keep_cache = part_of(node) != FOLDER;
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	char text[LISTING_MAX] = ARCHIVE;
	off_t n = size_of_part[part_of(node)];

	(void)fi;
	if (part_of(node) == LISTING)
		package_listing((unsigned)(node - FIRST) / PARTS, text);
	else if (part_of(node) >= DETAIL)
		strcpy(text, package_details[part_of(node) - DETAIL].text);
	n = offset < n ? n - offset : 0;
	fuse_reply_buf(req, text + offset, (size_t)n < size ? (size_t)n : size);
}

static void read_folder(fuse_req_t req, fuse_ino_t node, size_t size, off_t at, bool plus)
{
	struct fuse_entry_param entry = { .attr = { .st_ino = ROOT, .st_mode = S_IFDIR } };
	char *buf = malloc(size), name[NAME_MAX];
	size_t used = 0, left, need;

	for (;; at++) {
		fuse_ino_t child = at < 2 ? 0 : child_at(node, at - 2, name);

		if (at >= 2 && !child)
			break;
		if (child)
			entry = entry_of(child);
		else
			strcpy(name, at ? ".." : ".");
		left = size - used;
		need = plus ? fuse_add_direntry_plus(req, buf + used, left, name, &entry, at + 1)
			    : fuse_add_direntry(req, buf + used, left, name, &entry.attr, at + 1);
		if (need > left)
			break;
		used += need;
	}
	fuse_reply_buf(req, buf, used);
	free(buf);
}

static void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t at,
		       struct fuse_file_info *fi)
{
	(void)fi;
	read_folder(req, node, size, at, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t at,
			   struct fuse_file_info *fi)
{
	(void)fi;
	read_folder(req, node, size, at, true);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t node, const char *name, size_t size)
{
	(void)node;
	(void)name;
	(void)size;
	fuse_reply_err(req, ENODATA);
}

int main(int argc, char **argv)
{
	struct fuse_lowlevel_ops ops = { .lookup = op_lookup,
					 .getattr = op_getattr,
					 .open = op_open,
					 .read = op_read,
					 .opendir = op_open,
					 .readdir = op_readdir,
					 .readdirplus = op_readdirplus };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *session;

	if (argc < 3)
		errx(2, "usage: floor MOUNTPOINT PACKAGES [xattr]");
	packages = (unsigned)atoi(argv[2]);
	for (size_t i = 0; i < DETAILS; i++)
		size_of_part[DETAIL + i] = (off_t)strlen(package_details[i].text);
	size_of_part[LISTING] = (off_t)package_listing(0, (char[LISTING_MAX]){ 0 });
	ops.getxattr = argc > 3 ? op_getxattr : NULL;
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	if (!session || fuse_set_signal_handlers(session) < 0 ||
	    fuse_session_mount(session, argv[1]) < 0)
		errx(1, "cannot mount on %s", argv[1]);
	fuse_loop_cfg_set_max_threads(config, 64);
	fuse_loop_cfg_set_idle_threads(config, 16);
	fuse_session_loop_mt(session, config);
	fuse_session_unmount(session);
}

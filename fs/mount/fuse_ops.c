/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_ops.c - the kernel's requests: decoded, handed to the tree, replied to.
 *
 * Positive errnos exist in this file alone, and no rule does: what a name or a write means is the
 * tree's. Names are never kept by the kernel, since nothing tells it of changes by others; so each
 * path is looked up, and that brings the attributes, which are kept for long enough to be the
 * answer to the stat() that asked. File pages are kept, because a node has one generation.
 */
#include "fuse_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "caller.h"
#include "clock.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"
#include "strbuf.h"
#include "tree.h"

#define XATTR_MAX    ((size_t)64 << 10) /* the kernel's XATTR_SIZE_MAX */
#define BLOCK	     4096
#define FREE_BLOCKS  ((fsblkcnt_t)1 << 38) /* 1 PiB */
#define FREE_NODES   ((fsfilcnt_t)1 << 32)
#define NAME_BYTES   255
#define UNKNOWN_INO  UINT32_MAX /* of "..", as libfuse has it; 0 would hide the entry */
#define PAGE_READS   64 /* at once; the kernel's 12 were all for 32 readers of large archives */
#define DOTS	     2		/* "." and "..": the cookies before those of the tree */
#define ATTR_SECONDS 1.0	/* of a lookup's attributes, which every lookup brings anew */

static struct fuse_view *view_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct tree *tree_of(fuse_req_t req)
{
	return view_of(req)->tree;
}

static struct caller caller_of(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct caller){ .pid = ctx->pid, .uid = ctx->uid };
}

static struct file *file_of(const struct fuse_file_info *fi)
{
	return fi ? (struct file *)(uintptr_t)fi->fh : NULL;
}

static struct timespec time_of(int64_t us)
{
	int64_t seconds = us / SECOND_US - (us % SECOND_US < 0);

	return (struct timespec){ .tv_sec = seconds,
				  .tv_nsec = (us - seconds * SECOND_US) * 1000 };
}

static struct stat stat_of(const struct fuse_view *view, const struct node *node)
{
	return (struct stat){
		.st_ino = node->ino,
		.st_mode = (node->is_dir ? S_IFDIR : S_IFREG) | (node->mode & ~view->umask),
		.st_nlink = 1,
		.st_uid = view->uid,
		.st_gid = view->gid,
		.st_size = (off_t)node->size,
		.st_blksize = BLOCK,
		.st_blocks = (blkcnt_t)((node->size + 511) / 512),
		.st_atim = time_of(node->mtime),
		.st_mtim = time_of(node->mtime),
		.st_ctim = time_of(node->ctime),
	};
}

static struct fuse_entry_param entry_of(const struct fuse_view *view, const struct node *node)
{
	return (struct fuse_entry_param){
		.ino = node->id,
		.attr = stat_of(view, node),
		/* those of a draft or a control file change by themselves; and a reader of old
		 * bytes must not be cut at the length that their writer has come to */
		.attr_timeout =
			node->is_dir || (node->generation && !node->changing) ? ATTR_SECONDS : 0,
	};
}

/* A call that waits for the store ends when nobody waits for it any more: once the kernel has said
 * that there was a signal, and as soon as one is about to end the caller. A signal that it catches
 * disturbs nothing, as on any disk: EINTR in the middle of a close would lose what was written. */
static bool was_left(void *ctx)
{
	fuse_req_t req = ctx;

	return fuse_req_interrupted(req) && caller_is_dying(fuse_req_ctx(req)->pid);
}

static fuse_req_t waiting_begin(fuse_req_t req)
{
	interrupt_set(was_left, req);
	caller_set(fuse_req_ctx(req)->pid);
	return req;
}

static void waiting_end(fuse_req_t *req)
{
	(void)req;
	interrupt_set(NULL, NULL);
	caller_set(CALLER_ITSELF);
}

/* Up to the end of its block the request may wait for the store. */
#define WAITS(req) CLEANUP(waiting_end) UNUSED fuse_req_t waiting_ = waiting_begin(req)

/* What a program knows of it. */
static int errno_of(int r)
{
	if (r == -ECANCELED)
		return EINTR;
	return r == -EBADMSG ? EIO : -r;
}

static void reply_error(fuse_req_t req, int r)
{
	if (r == -EIO)
		tree_doubt(tree_of(req));
	fuse_reply_err(req, errno_of(r));
}

static void reply_entry(fuse_req_t req, int r, const struct node *node)
{
	struct fuse_entry_param entry;

	if (r < 0) {
		reply_error(req, r);
		return;
	}
	entry = entry_of(view_of(req), node);
	if (fuse_reply_entry(req, &entry) < 0)
		tree_forget(tree_of(req), node->id, 1);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fuse_view *view = userdata;

	/* the kernel decides which folders are read with attributes: in all of them, a `find`
	 * would make a node for each name of the bucket */
	conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS |
				       FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS);
	conn->max_background = PAGE_READS;
	if (view->ready)
		view->ready(view->ctx);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	WAITS(req);
	struct node node;

	reply_entry(req, tree_lookup(tree_of(req), parent, name, &node), &node);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	tree_forget(tree_of(req), ino, count);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < n; i++)
		tree_forget(tree_of(req), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node node;
	struct stat st;
	int r = tree_getattr(tree_of(req), ino, file_of(fi), &node);

	if (r < 0) {
		reply_error(req, r);
		return;
	}
	st = stat_of(view_of(req), &node);
	fuse_reply_attr(req, &st, 0);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	WAITS(req);
	reply_attr(req, ino, fi);
}

/* One that microseconds cannot say becomes the nearest that they can. */
static int64_t time_to_set(const struct stat *wanted, int to_set)
{
	const int64_t most = INT64_MAX / SECOND_US - 1;
	int64_t seconds = wanted->st_mtim.tv_sec;

	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		return clock_now();
	seconds = seconds < -most ? -most : earlier(seconds, most);
	return seconds * SECOND_US + wanted->st_mtim.tv_nsec / 1000;
}

/* The owner may be set to who it is. */
static int set_attributes(fuse_req_t req, fuse_ino_t ino, const struct stat *now,
			  const struct stat *wanted, int to_set)
{
	int r = 0;

	if ((to_set & FUSE_SET_ATTR_UID && now->st_uid != wanted->st_uid) ||
	    (to_set & FUSE_SET_ATTR_GID && now->st_gid != wanted->st_gid))
		return -EPERM;
	if (to_set & FUSE_SET_ATTR_MODE && (now->st_mode & 07777) != (wanted->st_mode & 07777))
		r = tree_set_mode(tree_of(req), ino, wanted->st_mode);
	if (!r && to_set & FUSE_SET_ATTR_MTIME)
		r = tree_set_mtime(tree_of(req), ino, time_to_set(wanted, to_set));
	return r;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	WAITS(req);
	struct caller who = caller_of(req);
	struct file *f = file_of(fi);
	struct node node;
	struct stat now;
	int r = tree_getattr(tree_of(req), ino, f, &node);

	if (!r) {
		now = stat_of(view_of(req), &node);
		r = set_attributes(req, ino, &now, attr, to_set);
	}
	if (!r && to_set & FUSE_SET_ATTR_SIZE)
		r = f ? file_truncate(f, (uint64_t)attr->st_size)
		      : tree_truncate(tree_of(req), ino, (uint64_t)attr->st_size, &who);
	if (r < 0)
		reply_error(req, r);
	else
		reply_attr(req, ino, fi);
}

static void open_reply(struct fuse_file_info *fi, struct file *f)
{
	fi->fh = (uintptr_t)f;
	fi->keep_cache = file_is_cacheable(f);
	fi->direct_io = !file_is_cacheable(f);
	fi->noflush = file_is_cacheable(f); /* a reader has nothing to publish */
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	WAITS(req);
	struct file *f;
	int r = tree_open(tree_of(req), ino, fi->flags, &f);

	if (r < 0) {
		reply_error(req, r);
		return;
	}
	open_reply(fi, f);
	if (fuse_reply_open(req, fi) < 0)
		file_close(f);
}

/* Tools print the errno alone, which is none that would tell. */
static void say_why_not(fuse_req_t req, fuse_ino_t folder, const char *name)
{
	CLEANUP(strbuf_release) struct strbuf path = STRBUF_INIT(XATTR_MAX);

	tree_path(tree_of(req), folder, &path);
	log_warning("cannot make %s in /%s: the export has no file of this name there, and no tool "
		    "makes such a scratch file",
		    name, path.buf);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	WAITS(req);
	struct fuse_entry_param entry;
	struct node node;
	struct file *f;
	int r = tree_create(tree_of(req), parent, name, fi->flags, mode, &f, &node);

	if (r == -EINVAL)
		say_why_not(req, parent, name);
	if (r < 0) {
		reply_error(req, r);
		return;
	}
	entry = entry_of(view_of(req), &node);
	open_reply(fi, f);
	if (fuse_reply_create(req, &entry, fi) < 0) {
		file_close(f);
		tree_forget(tree_of(req), node.id, 1);
	}
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	WAITS(req);
	char *buf = xmalloc(size);
	/* a program's own read has an owner; the kernel's, for its page cache, has none */
	ssize_t r = fi->lock_owner ? file_read(file_of(fi), (uint64_t)offset, buf, size)
				   : file_read_page(file_of(fi), (uint64_t)offset, buf, size);

	(void)ino;
	if (r < 0)
		reply_error(req, (int)r);
	else
		fuse_reply_buf(req, buf, (size_t)r);
	free(buf);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	WAITS(req);
	ssize_t r;

	(void)ino;
	file_set_append(file_of(fi), fi->flags & O_APPEND);
	r = file_write(file_of(fi), (uint64_t)offset, buf, size);
	if (r < 0)
		reply_error(req, (int)r);
	else
		fuse_reply_write(req, (size_t)r);
}

static void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	WAITS(req);
	struct caller who = caller_of(req);

	(void)ino;
	reply_error(req, file_flush(file_of(fi), &who));
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)datasync;
	op_flush(req, ino, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	file_close(file_of(fi));
	reply_error(req, 0);
}

static struct dir *dir_of(const struct fuse_file_info *fi)
{
	return (struct dir *)(uintptr_t)fi->fh;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	WAITS(req);
	struct dir *d;
	int r = tree_opendir(tree_of(req), ino, &d);

	if (r < 0) {
		reply_error(req, r);
		return;
	}
	fi->fh = (uintptr_t)d;
	if (fuse_reply_open(req, fi) < 0)
		dir_close(d);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	dir_close(dir_of(fi));
	reply_error(req, 0);
}

/* One request for entries: what is filled, and how. */
struct listing_reply {
	fuse_req_t req;
	struct dir *dir;
	bool plus; /* with attributes */
	char *buf;
	size_t used, size;
};

/* False: it does not fit any more. */
static bool add_entry(struct listing_reply *reply, const char *name,
		      const struct fuse_entry_param *entry, uint64_t next)
{
	char *at = reply->buf + reply->used;
	size_t left = reply->size - reply->used, need;

	if (reply->plus)
		need = fuse_add_direntry_plus(reply->req, at, left, name, entry, (off_t)next);
	else
		need = fuse_add_direntry(reply->req, at, left, name, &entry->attr, (off_t)next);
	if (need > left)
		return false;
	reply->used += need;
	return true;
}

static bool add_dots(struct listing_reply *reply, fuse_ino_t ino, uint64_t offset)
{
	static const char *const names[DOTS] = { ".", ".." };
	struct fuse_entry_param entry = { .attr = { .st_mode = S_IFDIR } };
	struct node node;

	for (; offset < DOTS; offset++) {
		entry.attr.st_ino = UNKNOWN_INO;
		if (!offset && !tree_getattr(tree_of(reply->req), ino, NULL, &node))
			entry.attr.st_ino = node.ino;
		if (!add_entry(reply, names[offset], &entry, offset + 1))
			return false;
	}
	return true;
}

/* 1: added; 0: at the end, or full. */
static int add_next(struct listing_reply *reply)
{
	uint64_t before = dir_tell(reply->dir);
	struct fuse_entry_param entry;
	const char *name;
	struct node node;
	int r = dir_next(reply->dir, &name, &node);

	if (r <= 0)
		return r;
	if (reply->plus)
		r = dir_hold(reply->dir, &node);
	if (r < 0)
		return r;
	if (!node.id)
		node.ino = dir_number(reply->dir);
	entry = entry_of(view_of(reply->req), &node);
	if (add_entry(reply, name, &entry, dir_tell(reply->dir) + DOTS))
		return 1;
	if (node.id)
		tree_forget(tree_of(reply->req), node.id, 1);
	dir_seek(reply->dir, before);
	return 0;
}

static void read_folder(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct dir *dir,
			bool plus)
{
	CLEANUP(free_char) char *buf = xmalloc(size);
	struct listing_reply reply = {
		.req = req, .dir = dir, .plus = plus, .buf = buf, .size = size
	};
	uint64_t from = (uint64_t)offset;
	int r = 1;

	if (add_dots(&reply, ino, from)) {
		dir_seek(dir, from > DOTS ? from - DOTS : 0);
		while (r > 0)
			r = add_next(&reply);
	}
	if (r < 0 && !reply.used)
		reply_error(req, r);
	else
		fuse_reply_buf(req, buf, reply.used);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	WAITS(req);
	read_folder(req, ino, size, offset, dir_of(fi), false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			   struct fuse_file_info *fi)
{
	WAITS(req);
	read_folder(req, ino, size, offset, dir_of(fi), true);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	WAITS(req);
	reply_error(req, tree_unlink(tree_of(req), parent, name));
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	WAITS(req);
	struct node node;

	(void)mode;
	reply_entry(req, tree_mkdir(tree_of(req), parent, name, &node), &node);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	WAITS(req);
	reply_error(req, tree_rmdir(tree_of(req), parent, name));
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
		      const char *new_name, unsigned flags)
{
	WAITS(req);
	struct caller who = caller_of(req);

	reply_error(req, tree_rename(tree_of(req), parent, name, to, new_name, flags, &who));
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)dev;
	reply_error(req, -EPERM);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	(void)parent;
	(void)name;
	reply_error(req, -EPERM);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	reply_error(req, -EPERM);
}

/* A bucket has no end: what it holds is used, and as much as anybody could want is free. */
static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	WAITS(req);
	struct tree_counts counts = { .objects = 0 };
	int r = tree_count(tree_of(req), &counts);
	fsblkcnt_t used = (counts.bytes + BLOCK - 1) / BLOCK;
	struct statvfs st = {
		.f_bsize = BLOCK,
		.f_frsize = BLOCK,
		.f_blocks = used + FREE_BLOCKS,
		.f_bfree = FREE_BLOCKS,
		.f_bavail = FREE_BLOCKS,
		.f_files = counts.objects + FREE_NODES,
		.f_ffree = FREE_NODES,
		.f_favail = FREE_NODES,
		.f_namemax = NAME_BYTES,
	};

	(void)ino;
	if (r < 0)
		reply_error(req, r);
	else
		fuse_reply_statfs(req, &st);
}

/* Asked for where the kernel does not check the modes itself. Reading and writing are for whoever
 * gets in, and refused where they are tried; but no file can be run. */
static void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct node node;
	int r = tree_getattr(tree_of(req), ino, NULL, &node);

	if (!r && mask & X_OK && !node.is_dir)
		r = -EACCES;
	reply_error(req, r);
}

/* Size 0 asks how much there is. */
static void reply_xattr(fuse_req_t req, int r, size_t size, const struct strbuf *value)
{
	if (r < 0)
		reply_error(req, r);
	else if (!size)
		fuse_reply_xattr(req, value->len);
	else if (value->len > size)
		reply_error(req, -ERANGE);
	else
		fuse_reply_buf(req, value->buf, value->len);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	WAITS(req);
	CLEANUP(strbuf_release) struct strbuf value = STRBUF_INIT(XATTR_MAX);

	reply_xattr(req, tree_getxattr(tree_of(req), ino, name, &value), size, &value);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	WAITS(req);
	CLEANUP(strbuf_release) struct strbuf names = STRBUF_INIT(XATTR_MAX);

	reply_xattr(req, tree_listxattr(tree_of(req), ino, &names), size, &names);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
			size_t size, int flags)
{
	(void)ino;
	(void)value;
	(void)size;
	(void)flags;
	reply_error(req, tree_setxattr(name));
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	op_setxattr(req, ino, name, NULL, 0, 0);
}

/* clang-format off */
#define OPS_OF_EVERY_MOUNT                                                                         \
	.init = op_init, .lookup = op_lookup, .forget = op_forget,                                 \
	.forget_multi = op_forget_multi, .getattr = op_getattr, .setattr = op_setattr,             \
	.open = op_open, .create = op_create, .read = op_read, .write = op_write,                  \
	.flush = op_flush, .fsync = op_fsync, .release = op_release,                               \
	.opendir = op_opendir, .readdir = op_readdir, .readdirplus = op_readdirplus,               \
	.releasedir = op_releasedir, .unlink = op_unlink, .mkdir = op_mkdir, .rmdir = op_rmdir,    \
	.rename = op_rename, .mknod = op_mknod, .symlink = op_symlink, .link = op_link,            \
	.statfs = op_statfs, .access = op_access
/* clang-format on */

const struct fuse_lowlevel_ops fuse_ops = {
	OPS_OF_EVERY_MOUNT,	 .getxattr = op_getxattr,	.listxattr = op_listxattr,
	.setxattr = op_setxattr, .removexattr = op_removexattr,
};

const struct fuse_lowlevel_ops fuse_ops_no_xattr = { OPS_OF_EVERY_MOUNT };

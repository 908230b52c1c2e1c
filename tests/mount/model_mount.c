/* SPDX-License-Identifier: BSD-3-Clause */
/* model_mount.c - the operations by system calls, on two mounts of one bucket. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"
#include "model.h"

struct mount_subject {
	struct subject subject;
	int roots[MODEL_ACTORS];
	int slots[MODEL_ACTORS][MODEL_SLOTS];
};

static int result_of(long r)
{
	return r < 0 ? -errno : 0;
}

static const char *relative(const char *path)
{
	return *path ? path : ".";
}

static int read_from(int fd, uint64_t offset, struct strbuf *out)
{
	char *room = strbuf_reserve(out, MODEL_TEXT_MAX / 2);
	ssize_t n = pread(fd, room, MODEL_TEXT_MAX / 2, (off_t)offset);

	if (n > 0)
		strbuf_setlen(out, out->len + (size_t)n);
	return result_of(n);
}

static int run_save(int root, const struct op *op)
{
	size_t n = strlen(op->text);
	int fd = openat(root, relative(op->path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (n && write(fd, op->text, n) != (ssize_t)n)
		r = -errno;
	if (close(fd) < 0 && !r)
		r = -errno;
	return r;
}

static int run_stat(int root, const struct op *op, struct answer *ret)
{
	struct stat st;

	if (fstatat(root, relative(op->path), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	ret->is_dir = S_ISDIR(st.st_mode);
	ret->has_size = !ret->is_dir;
	ret->size = (uint64_t)st.st_size;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_list(int root, const struct op *op, struct answer *ret)
{
	int fd = openat(root, relative(op->path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	char *names[64];
	size_t n = 0;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	assert(dir);
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		assert(n < ARRAY_SIZE(names));
		names[n++] = xasprintf("%s%s", entry->d_name, entry->d_type == DT_DIR ? "/" : "");
	}
	closedir(dir);
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		strbuf_addf(&ret->text, "%s ", names[i]);
		free(names[i]);
	}
	return 0;
}

static int run_read_all(int root, const struct op *op, struct answer *ret)
{
	CLEANUP(close_fd) int fd = openat(root, op->path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : read_from(fd, 0, &ret->text);
}

/* These calls have no form that begins at a folder. */
static char *from_root(int root, const char *path)
{
	return xasprintf("/proc/self/fd/%d/%s", root, path);
}

static int run_cut(int root, const struct op *op)
{
	CLEANUP(free_char) char *path = from_root(root, op->path);

	return result_of(truncate(path, (off_t)op->offset));
}

static int run_attribute(int root, const struct op *op, struct answer *ret)
{
	CLEANUP(free_char) char *path = from_root(root, op->path);
	char value[256];
	ssize_t n = getxattr(path, "user.pubfs.sha256", value, sizeof(value));

	if (n > 0)
		strbuf_add(&ret->text, value, (size_t)n);
	return result_of(n);
}

static int run_on_slot(int root, int *slot, const struct op *op, struct answer *ret)
{
	size_t n = op->text ? strlen(op->text) : 0;

	switch ((int)op->kind) {
	case OP_OPEN:
		*slot = openat(root, relative(op->path), op->flags | O_CLOEXEC, 0644);
		return result_of(*slot);
	case OP_READ:
		return read_from(*slot, op->offset, &ret->text);
	case OP_WRITE:
		return result_of(pwrite(*slot, op->text, n, (off_t)op->offset));
	case OP_TRUNCATE:
		return result_of(ftruncate(*slot, (off_t)op->offset));
	case OP_FSYNC:
		return result_of(fsync(*slot));
	default:
		return result_of(close(*slot));
	}
}

static void run(struct subject *subject, const struct op *op, struct answer *ret)
{
	struct mount_subject *s = (struct mount_subject *)subject;
	int root = s->roots[op->actor];

	switch ((int)op->kind) {
	case OP_STAT:
		ret->r = run_stat(root, op, ret);
		break;
	case OP_LIST:
		ret->r = run_list(root, op, ret);
		break;
	case OP_READ_ALL:
		ret->r = run_read_all(root, op, ret);
		break;
	case OP_ATTRIBUTE:
		ret->r = run_attribute(root, op, ret);
		break;
	case OP_SAVE:
		ret->r = run_save(root, op);
		break;
	case OP_CUT:
		ret->r = run_cut(root, op);
		break;
	case OP_UNLINK:
		ret->r = result_of(unlinkat(root, op->path, 0));
		break;
	case OP_MKDIR:
		ret->r = result_of(mkdirat(root, op->path, 0755));
		break;
	case OP_RMDIR:
		ret->r = result_of(unlinkat(root, op->path, AT_REMOVEDIR));
		break;
	case OP_RENAME:
		ret->r = result_of(renameat2(root, op->path, root, op->to, (unsigned)op->flags));
		break;
	default:
		ret->r = run_on_slot(root, &s->slots[op->actor][op->slot], op, ret);
	}
}

static void mount_subject_free(struct subject *subject)
{
	struct mount_subject *s = (struct mount_subject *)subject;

	for (size_t i = 0; i < MODEL_ACTORS; i++) {
		for (size_t j = 0; j < MODEL_SLOTS; j++)
			close_fd(&s->slots[i][j]);
		close_fd(&s->roots[i]);
	}
	free(s);
}

struct subject *subject_mount_new(char *const mountpoints[MODEL_ACTORS])
{
	struct mount_subject *s = xcalloc(1, sizeof(*s));

	s->subject = (struct subject){ .run = run, .free = mount_subject_free };
	for (size_t i = 0; i < MODEL_ACTORS; i++) {
		s->roots[i] = open(mountpoints[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (s->roots[i] < 0)
			abort();
		for (size_t j = 0; j < MODEL_SLOTS; j++)
			s->slots[i][j] = -1;
	}
	return &s->subject;
}

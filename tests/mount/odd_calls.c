/* SPDX-License-Identifier: BSD-3-Clause */
/* odd_calls.c - the system calls that a mount refuses, and those that strain it. */
/*
 *	odd_calls MOUNTPOINT
 *
 * Below it is a bucket with the package oxygen, no package argon, and archives of helium. A line a
 * call that was answered otherwise than it should be; exit status 1 if there is any.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PACKAGES "latest/api/packages/"
#define OXYGEN	 PACKAGES "oxygen"
#define HELIUM	 PACKAGES "helium"
#define FOLDER	 PACKAGES "oxygen.d"
#define ARCHIVE	 "latest/api/archives/helium-0.1.0.tar.gz"
#define TEN	 "0123456789"
#define FIFTY	 TEN TEN TEN TEN TEN
#define NAME_255 FIFTY FIFTY FIFTY FIFTY FIFTY "01234"
#define NAME_256 NAME_255 "5"
#define SIX_GIB	 ((off_t)6 << 30)
#define MANY	 1000
#define BIG	 ((size_t)300 << 10) /* does not fit into the memory of one file being written */

enum call {
	CREATE,
	OPEN_READ,
	OPEN_WRITE,
	OPEN_BOTH,
	OPEN_CUT,
	OPEN_FOLDER,
	OPEN_NAMELESS,
	READ_FOLDER,
	STAT,
	READLINK,
	EXECUTE,
	MKDIR,
	RMDIR,
	UNLINK,
	RENAME,
	LINK,
	SYMLINK,
	FIFO,
	NODE,
	SOCKET,
	CHMOD,
	CHOWN,
	TRUNCATE,
	WRITE_FAR,
	TRUNCATE_FAR,
	FALLOCATE,
	SETXATTR,
	GETXATTR,
	TOUCH,
};

/* `to`: of a call with two names. 0: it succeeds. */
static const struct {
	enum call call;
	const char *path, *to;
	int expected;
} calls[] = {
	/* names */
	{ CREATE, PACKAGES NAME_255, NULL, EINVAL },
	{ CREATE, PACKAGES NAME_256, NULL, ENAMETOOLONG },
	{ CREATE, PACKAGES "." NAME_255, NULL, ENAMETOOLONG },
	{ STAT, PACKAGES NAME_255, NULL, ENOENT },
	{ STAT, PACKAGES NAME_256, NULL, ENAMETOOLONG },
	{ STAT, PACKAGES NAME_255 FIFTY NAME_255, NULL, ENAMETOOLONG },
	{ UNLINK, PACKAGES NAME_256, NULL, ENAMETOOLONG },
	{ MKDIR, PACKAGES NAME_256, NULL, ENAMETOOLONG },
	{ RMDIR, PACKAGES NAME_256, NULL, ENAMETOOLONG },
	{ RENAME, OXYGEN, PACKAGES NAME_256, ENAMETOOLONG },
	{ RENAME, PACKAGES NAME_256, OXYGEN, ENAMETOOLONG },
	{ CREATE, PACKAGES "a\001b", NULL, EINVAL },
	{ CREATE, PACKAGES "a\nb", NULL, EINVAL },
	{ CREATE, PACKAGES "\xff", NULL, EINVAL },
	{ STAT, PACKAGES "a\001b", NULL, ENOENT },
	{ MKDIR, PACKAGES "a\001b.d", NULL, EINVAL },
	{ CREATE, PACKAGES "no.such", NULL, EINVAL },
	{ CREATE, "argon", NULL, EINVAL },
	{ CREATE, "latest/argon", NULL, EINVAL },
	{ CREATE, PACKAGES "..", NULL, EISDIR },
	{ STAT, PACKAGES "../../..", NULL, 0 },
	{ MKDIR, PACKAGES "..", NULL, EEXIST },
	{ RMDIR, PACKAGES ".", NULL, EINVAL },
	{ RMDIR, PACKAGES "..", NULL, ENOTEMPTY },
	{ UNLINK, PACKAGES "..", NULL, EISDIR },
	{ RENAME, PACKAGES "..", "argon", EBUSY },
	{ STAT, OXYGEN "/", NULL, ENOTDIR },
	{ STAT, OXYGEN "/advisories", NULL, ENOTDIR },
	{ CREATE, PACKAGES "argon/", NULL, EISDIR },
	/* a folder is no file, and a file no folder */
	{ OPEN_WRITE, FOLDER, NULL, EISDIR },
	{ OPEN_BOTH, FOLDER, NULL, EISDIR },
	{ OPEN_CUT, FOLDER, NULL, EISDIR },
	{ READ_FOLDER, FOLDER, NULL, EISDIR },
	{ TRUNCATE, FOLDER, NULL, EISDIR },
	{ UNLINK, FOLDER, NULL, EISDIR },
	{ RMDIR, FOLDER, NULL, ENOTEMPTY },
	{ RMDIR, "latest/api", NULL, EBUSY },
	{ RENAME, FOLDER, PACKAGES "argon.d", EOPNOTSUPP },
	{ RENAME, FOLDER, OXYGEN, ENOTDIR },
	{ RENAME, OXYGEN, FOLDER, EISDIR },
	{ RENAME, PACKAGES, FOLDER, EINVAL },
	{ OPEN_FOLDER, OXYGEN, NULL, ENOTDIR },
	{ RMDIR, OXYGEN, NULL, ENOTDIR },
	{ MKDIR, OXYGEN, NULL, EEXIST },
	{ MKDIR, FOLDER, NULL, EEXIST },
	/* what the export has none of */
	{ LINK, OXYGEN, PACKAGES "argon", EPERM },
	{ SYMLINK, OXYGEN, PACKAGES "argon", EPERM },
	{ READLINK, OXYGEN, NULL, EINVAL },
	{ FIFO, PACKAGES "argon", NULL, EPERM },
	{ NODE, PACKAGES "argon", NULL, EPERM },
	{ SOCKET, PACKAGES "argon", NULL, EPERM },
	{ OPEN_NAMELESS, PACKAGES, NULL, EOPNOTSUPP },
	{ EXECUTE, OXYGEN, NULL, EACCES },
	{ CHMOD, OXYGEN, NULL, EPERM },
	{ CHOWN, OXYGEN, NULL, EPERM },
	{ TOUCH, OXYGEN, NULL, 0 },
	{ SETXATTR, OXYGEN, "user.pubfs.type", EPERM },
	{ SETXATTR, OXYGEN, "user.argon", EPERM },
	{ SETXATTR, OXYGEN, "trusted.argon", EOPNOTSUPP },
	{ GETXATTR, OXYGEN, "system.posix_acl_access", EOPNOTSUPP },
	{ GETXATTR, OXYGEN, "security.selinux", EOPNOTSUPP },
	{ GETXATTR, OXYGEN, "user.argon", ENODATA },
	{ GETXATTR, OXYGEN, "user.pubfs.argon", ENODATA },
	{ GETXATTR, OXYGEN, "user.pubfs.type", 0 },
	{ FALLOCATE, OXYGEN, NULL, EOPNOTSUPP },
	/* what is too big for anything */
	{ TRUNCATE_FAR, OXYGEN, NULL, EFBIG },
	{ WRITE_FAR, OXYGEN, NULL, EFBIG },
	{ WRITE_FAR, ARCHIVE, NULL, EFBIG },
	/* what the mount itself is told */
	{ UNLINK, ".pubfs/status", NULL, EPERM },
	{ RMDIR, ".pubfs", NULL, EPERM },
	{ RENAME, ".pubfs/status", ".argon", EPERM },
	{ RENAME, OXYGEN, ".pubfs/status", EPERM },
	{ OPEN_WRITE, ".pubfs/status", NULL, EACCES },
	{ CREATE, ".pubfs/argon", NULL, EACCES },
	{ MKDIR, ".pubfs/argon", NULL, EPERM },
};

/* Opens, lets `use` have it if it is not NULL, closes: the first result that is a failure. */
static int with_file(const char *path, int flags, int (*use)(int fd))
{
	int fd = open(path, flags | O_CLOEXEC, 0644), r = 0, error = 0;

	if (fd < 0)
		return -1;
	if (use)
		r = use(fd);
	if (r < 0)
		error = errno;
	if (close(fd) < 0 && !error)
		return -1;
	errno = error;
	return r;
}

static int read_some(int fd)
{
	char bytes[16];

	return (int)read(fd, bytes, sizeof(bytes));
}

static int write_far(int fd)
{
	return (int)pwrite(fd, "x", 1, SIX_GIB);
}

static int allocate(int fd)
{
	return fallocate(fd, 0, 0, 4096);
}

static int make_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), r, error;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static int execute(const char *path)
{
	char *argv[] = { (char *)(uintptr_t)path, NULL };

	return execv(path, argv);
}

static int make_call(enum call call, const char *path, const char *to)
{
	char room[256];
	struct stat st;

	switch (call) {
	case CREATE:
		return with_file(path, O_WRONLY | O_CREAT, NULL);
	case OPEN_READ:
		return with_file(path, O_RDONLY, read_some);
	case OPEN_WRITE:
		return with_file(path, O_WRONLY, NULL);
	case OPEN_BOTH:
		return with_file(path, O_RDWR, NULL);
	case OPEN_CUT:
		return with_file(path, O_RDONLY | O_TRUNC, NULL);
	case OPEN_FOLDER:
		return with_file(path, O_RDONLY | O_DIRECTORY, NULL);
	case OPEN_NAMELESS:
		return with_file(path, O_RDWR | O_TMPFILE, NULL);
	case READ_FOLDER:
		return with_file(path, O_RDONLY, read_some);
	case STAT:
		return stat(path, &st);
	case READLINK:
		return (int)readlink(path, room, sizeof(room));
	case EXECUTE:
		return execute(path);
	case MKDIR:
		return mkdir(path, 0755);
	case RMDIR:
		return rmdir(path);
	case UNLINK:
		return unlink(path);
	case RENAME:
		return rename(path, to);
	case LINK:
		return link(path, to);
	case SYMLINK:
		return symlink(path, to);
	case FIFO:
		return mkfifo(path, 0644);
	case NODE:
		return mknod(path, S_IFREG | 0644, 0);
	case SOCKET:
		return make_socket(path);
	case CHMOD:
		return chmod(path, 0600);
	case CHOWN:
		return chown(path, 12345, 12345);
	case TRUNCATE:
		return truncate(path, 1);
	case TRUNCATE_FAR:
		return truncate(path, SIX_GIB);
	case WRITE_FAR:
		return with_file(path, O_RDWR, write_far);
	case FALLOCATE:
		return with_file(path, O_RDWR, allocate);
	case SETXATTR:
		return setxattr(path, to, "x", 1, 0);
	case GETXATTR:
		return (int)getxattr(path, to, room, sizeof(room));
	case TOUCH:
		return utimensat(AT_FDCWD, path, NULL, 0);
	}
	return 0;
}

static int wrong;

static void expect(bool condition, const char *what)
{
	if (condition)
		return;
	printf("%s: %s\n", what, strerror(errno));
	wrong++;
}

static void make_calls(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		int got;

		errno = 0;
		got = make_call(calls[i].call, calls[i].path, calls[i].to) < 0 ? errno : 0;
		if (got == calls[i].expected)
			continue;
		printf("call %zu of %.60s: %s, not %s\n", i, calls[i].path, strerror(got),
		       strerror(calls[i].expected));
		wrong++;
	}
}

/* What has no name any more is read to its end. */
static void unlink_what_is_open(void)
{
	char before[4096], after[4096];
	int fd = open(HELIUM, O_RDONLY);
	ssize_t n = read(fd, before, sizeof(before));

	expect(n > 0 && !unlink(HELIUM), "unlink of an open file");
	expect(unlink(HELIUM) < 0 && errno == ENOENT, "unlink of what is gone");
	expect(pread(fd, after, sizeof(after), 0) == n && !memcmp(before, after, (size_t)n),
	       "reading an unlinked file");
	close(fd);
	fd = open(HELIUM, O_WRONLY | O_CREAT | O_EXCL, 0644);
	expect(fd >= 0 && write(fd, before, (size_t)n) == n && !close(fd), "making it anew");
}

static void remove_the_folder_that_one_is_in(void)
{
	int here = open(".", O_RDONLY | O_DIRECTORY);

	expect(!mkdir("2031.01.01", 0755) && !chdir("2031.01.01"), "entering a new folder");
	expect(!rmdir("../2031.01.01"), "removing it");
	expect(open(".x", O_WRONLY | O_CREAT, 0644) < 0 && errno == ENOENT,
	       "making a file in a folder that is gone");
	expect(!fchdir(here), "leaving it");
	close(here);
}

/* Each is open for reading, and then each is being written, and takes a temporary file. */
static void open_many(void)
{
	static int readers[MANY], writers[MANY];
	char *bytes = calloc(1, BIG), name[64], byte;
	struct stat st;
	int bad = 0;

	for (int i = 0; i < MANY; i++) {
		readers[i] = open(OXYGEN, O_RDONLY);
		snprintf(name, sizeof(name), PACKAGES ".many.%d", i);
		writers[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		bytes[BIG - 1] = (char)i;
		bad += readers[i] < 0 || writers[i] < 0 ||
		       write(writers[i], bytes, BIG) != (ssize_t)BIG;
	}
	expect(!bad, "1,000 open files of either kind");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), PACKAGES ".many.%d", i);
		bad += pread(readers[i], &byte, 1, 0) != 1 || byte != '{';
		bad += pread(writers[i], &byte, 1, BIG - 1) != 1 || byte != (char)i;
		bad += fstat(writers[i], &st) < 0 || st.st_size != (off_t)BIG;
		bad += close(readers[i]) < 0 || close(writers[i]) < 0 || unlink(name) < 0;
	}
	expect(!bad, "each of them has its own bytes");
	free(bytes);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0)
		err(2, "usage: odd_calls MOUNTPOINT");
	make_calls();
	unlink_what_is_open();
	remove_the_folder_that_one_is_in();
	open_many();
	return wrong > 0;
}

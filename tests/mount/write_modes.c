/* SPDX-License-Identifier: BSD-3-Clause */
/* write_modes.c - opens, changes and forks around one listing of a mount, as programs do. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_MAX (1 << 16)
#define GAP	 (1 << 20)
#define BODY_MAX (256 << 20)
#define READERS	 4
#define WRITERS	 3
#define ROUNDS	 150

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition,                 \
				strerror(errno));                                                  \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static size_t load(const char *path, char *text)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	must(fd >= 0);
	n = read(fd, text, TEXT_MAX);
	must(n >= 0);
	close(fd);
	return (size_t)n;
}

static void expect(const char *path, const char *text, size_t n)
{
	char now[TEXT_MAX];

	must(load(path, now) == n && !memcmp(now, text, n));
}

/* Old bytes are there to be changed; an fsync carries the result, and so does the close. */
static void change_in_place(const char *path, const char *text, size_t n)
{
	char old[8];
	struct stat st;
	int fd = open(path, O_RDWR), end;

	must(fd >= 0 && read(fd, old, sizeof(old)) == sizeof(old));
	must(!memcmp(old, "{\"name\":", sizeof(old)));
	must(!ftruncate(fd, 0));
	must(pwrite(fd, text, 20, 0) == 20);
	end = open(path, O_WRONLY | O_APPEND); /* nothing is changed by this one */
	must(end >= 0 && !close(end));
	must(pwrite(fd, text + 20, n - 20, 20) == (ssize_t)(n - 20));
	must(!fstat(fd, &st) && st.st_size == (off_t)n);
	must(!fsync(fd));
	expect(path, text, n);
	must(!close(fd));
}

static void leave_a_gap(const char *path)
{
	char bytes[4] = "abc";
	struct stat st;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	must(fd >= 0 && pwrite(fd, "x", 1, GAP) == 1);
	must(pread(fd, bytes, 4, GAP / 2) == 4 && !memcmp(bytes, "\0\0\0", 4));
	must(!close(fd));
	fd = open(path, O_RDWR | O_APPEND);
	must(fd >= 0 && write(fd, "y", 1) == 1);
	must(!fcntl(fd, F_SETFL, 0) && pwrite(fd, "X", 1, 0) == 1);
	must(pread(fd, bytes, 1, 0) == 1 && bytes[0] == 'X' && !close(fd));
	must(!stat(path, &st) && st.st_size == GAP + 2);
	must(!unlink(path));
}

/* As a shell does with each redirection: every close of a copy is a flush. */
static void copy_the_handle(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC), copy = dup(fd);

	must(copy >= 0 && !close(copy));
	must(write(fd, text, n) == (ssize_t)n);
	copy = dup(fd);
	must(copy >= 0 && !close(fd)); /* this one publishes, */
	expect(path, text, n);
	must(!close(copy)); /* and this one has nothing to say */
}

/* O_APPEND comes and goes; the end is that of the handle. */
static void change_the_mode(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600), other = open(path, O_WRONLY);
	char bytes[8];

	must(fd >= 0 && other >= 0 && write(fd, "abc", 3) == 3);
	must(!fcntl(fd, F_SETFL, O_APPEND) && pwrite(fd, "d", 1, 0) == 1);
	must(!fcntl(fd, F_SETFL, 0) && pwrite(fd, "A", 1, 0) == 1);
	must(pwrite(other, "e", 1, 4) == 1 && lseek(fd, 0, SEEK_END) == 5);
	must(pread(fd, bytes, sizeof(bytes), 0) == 5 && !memcmp(bytes, "Abcde", 5));
	must(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	must(errno == ENODEV);
	must(!ftruncate(fd, BODY_MAX) && pwrite(fd, "x", 1, BODY_MAX - 1) == 1);
	must(pwrite(fd, "x", 1, BODY_MAX) < 0 && errno == EFBIG);
	must(close(fd) < 0 && errno == EFBIG);
	must(close(other) < 0 && errno == EFBIG);
	must(!unlink(path));
}

static void open_without_a_name(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600), again;
	char own[64], bytes[4];

	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	must(fd >= 0 && write(fd, "abc", 3) == 3 && !unlink(path));
	again = open(own, O_RDONLY);
	must(again >= 0 && read(again, bytes, sizeof(bytes)) == 3 && !memcmp(bytes, "abc", 3));
	must(!close(again) && !close(fd) && access(path, F_OK) < 0 && errno == ENOENT);
}

/* The rename is the write: what its handle writes after that would be lost. */
static void rename_while_open(const char *path, const char *to, const char *text, size_t n)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	must(fd >= 0 && write(fd, text, n) == (ssize_t)n);
	must(renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) < 0 && errno == EEXIST);
	must(renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_EXCHANGE) < 0 && errno == EINVAL);
	must(!rename(path, to));
	must(write(fd, "x", 1) < 0 && errno == ESTALE);
	must(!close(fd));
	expect(to, text, n);
}

/* The end of the child flushes what is half written: that is refused, and refuses nothing later. */
static void fork_half_way(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	pid_t child;

	must(fd >= 0 && write(fd, text, 10) == 10);
	child = fork();
	must(child >= 0);
	if (!child)
		_exit(close(fd) == 0); /* half a document */
	must(waitpid(child, &(int){ 0 }, 0) == child);
	must(write(fd, text + 10, n - 10) == (ssize_t)(n - 10));
	must(!close(fd));
	expect(path, text, n);
}

/* The pages of a file are those of all who have it open: what is being written is none of them. */
static void map_what_is_written(const char *path, const char *text, size_t n)
{
	int reader = open(path, O_RDONLY), writer = open(path, O_RDWR), status;
	const char *shown = mmap(NULL, n, PROT_READ, MAP_SHARED, reader, 0);
	const char *mapped = mmap(NULL, n, PROT_READ, MAP_PRIVATE, writer, 0);
	char other[TEXT_MAX];
	pid_t child;

	must(shown != MAP_FAILED && mapped != MAP_FAILED && !memcmp(mapped, text, n));
	must(!ftruncate(writer, 0)); /* for itself alone */
	must(!memcmp(shown, text, n));
	memset(other, 'x', n);
	must(pwrite(writer, other, n, 0) == (ssize_t)n);
	must(pread(writer, other, n, 0) == (ssize_t)n && other[0] == 'x');
	child = fork();
	must(child >= 0);
	if (!child) {
		signal(SIGBUS, SIG_DFL); /* a sanitizer would report it */
		mapped = mmap(NULL, n, PROT_READ, MAP_PRIVATE, writer, 0);
		_exit(mapped[0] == 'x');
	}
	must(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	must(!memcmp(shown, text, n));
	must(close(writer) < 0 && errno == EINVAL && !close(reader));
}

/* Whatever is cut and written meanwhile: all that is mapped begins with the text. A file that is
 * replaced again and again may not be there to be opened. */
static void map_often(const char *path, const char *text, size_t n)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(path, O_RDONLY);
		char *mapped;

		if (fd < 0 && errno == ESTALE)
			continue;
		must(fd >= 0);
		mapped = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
		must(mapped != MAP_FAILED);
		sched_yield();
		must(!memcmp(mapped, text, n));
		must(!munmap(mapped, n) && !close(fd));
	}
}

/* The text, and spaces behind it, which make it another one. */
static void write_often(const char *path, const char *text, size_t n)
{
	for (int i = 0; i < ROUNDS; i++) {
		int fd = open(path, O_WRONLY | O_TRUNC), spaces = 1 + i % 9;

		if (fd < 0 && errno == ESTALE)
			continue;
		must(fd >= 0 && write(fd, text, n) == (ssize_t)n);
		must(write(fd, "         ", (size_t)spaces) == spaces);
		must(!close(fd) || errno == ESTALE);
	}
}

static void read_beside_writers(const char *path, const char *text, size_t n)
{
	int status;

	for (int i = 0; i < READERS + WRITERS; i++) {
		pid_t child = fork();

		must(child >= 0);
		if (!child) {
			(i < READERS ? map_often : write_often)(path, text, n);
			_exit(0);
		}
	}
	for (int i = 0; i < READERS + WRITERS; i++)
		must(wait(&status) > 0 && !status);
}

/* FILE TEXT: readers beside writers. FILE TEXT SCRATCH: all else. */
int main(int argc, char **argv)
{
	char text[TEXT_MAX];
	size_t n;

	must(argc == 3 || argc == 4);
	n = load(argv[2], text);
	if (argc == 3) {
		read_beside_writers(argv[1], text, n);
		return 0;
	}
	change_in_place(argv[1], text, n);
	leave_a_gap(argv[3]);
	change_the_mode(argv[3]);
	open_without_a_name(argv[3]);
	fork_half_way(argv[1], text, n);
	copy_the_handle(argv[1], text, n);
	rename_while_open(argv[3], argv[1], text, n);
	map_what_is_written(argv[1], text, n);
	errno = 0;
	must(open(argv[1], O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
	return 0;
}

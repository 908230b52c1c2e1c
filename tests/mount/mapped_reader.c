/* SPDX-License-Identifier: BSD-3-Clause */
/* mapped_reader.c - holds a file open and mapped while others change it, and says what it sees. */
/*
 *	mapped_reader FILE MAPPED READ
 *
 * Maps FILE, has its first page and reads a few bytes; says so, and waits for a line. Then all that
 * is mapped goes to the file MAPPED, and what it has read and the rest of FILE to READ.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST 100

static void save(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	char line[8], *mapped, *bytes;
	struct stat st;
	size_t n;
	int fd;

	if (argc != 4)
		errx(2, "usage: mapped_reader FILE MAPPED READ");
	fd = open(argv[1], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", argv[1]);
	n = (size_t)st.st_size;
	mapped = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0);
	bytes = malloc(n + 1);
	if (mapped == MAP_FAILED || !bytes || n < FIRST)
		err(1, "%s cannot be mapped", argv[1]);
	if (read(fd, bytes, FIRST) != FIRST || bytes[0] != mapped[0])
		err(1, "%s cannot be read", argv[1]);
	puts("open");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 1;
	save(argv[2], mapped, n); /* a read would have told the kernel the length anew */
	if (read(fd, bytes + FIRST, n + 1 - FIRST) != (ssize_t)(n - FIRST))
		errx(1, "%s has another length", argv[1]);
	save(argv[3], bytes, n);
	free(bytes);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* export_floor.c - the least that a first export can be: gzip, hash and write, one syncfs. */
/*
 *	export_floor FROM TO PREFIX PREFIX JOBS
 *
 * FROM is the decoded tree of one prefix. Every document is read, hashed, compressed once and
 * written below both prefixes of TO; archives are copied. No database, no rendering, no checks,
 * no metadata, no index: what pubfs does besides is what it costs.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec.h"
#include "memory.h"
#include "strbuf.h"

#define BODY_MAX ((size_t)256 << 20)

static struct {
	char **paths;
	size_t n, alloc;
	const char *from, *to, *prefixes[2];
	atomic_size_t next;
} work;

static int collect(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_F) {
		GROW(work.paths, work.n, work.alloc);
		work.paths[work.n++] = xstrdup(path + strlen(work.from) + 1);
	}
	return 0;
}

static void read_all(const char *path, struct strbuf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *at;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	at = strbuf_reserve(out, (size_t)st.st_size);
	if (!at || read(fd, at, (size_t)st.st_size) != st.st_size)
		err(1, "%s", path);
	strbuf_setlen(out, (size_t)st.st_size);
	close(fd);
}

/* Those above `path`; the lowest is tried first, since most often only that is missing. */
static void make_folders(char *path)
{
	char *slash = strrchr(path, '/');

	*slash = '\0';
	if (mkdir(path, 0755) < 0 && errno == ENOENT) {
		make_folders(path);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			err(1, "%s", path);
	}
	*slash = '/';
}

static void write_all(const char *prefix, const char *name, const struct strbuf *bytes)
{
	CLEANUP(free_char) char *path = xasprintf("%s/%s/%s", work.to, prefix, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 && errno == ENOENT) {
		make_folders(path);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	}
	if (fd < 0 || write(fd, bytes->buf, bytes->len) != (ssize_t)bytes->len)
		err(1, "%s", path);
	close(fd);
}

static void *worker(void *arg)
{
	struct strbuf body = STRBUF_INIT(BODY_MAX), stored = STRBUF_INIT(BODY_MAX);

	for (size_t i = work.next++; i < work.n; i = work.next++) {
		CLEANUP(free_char) char *path = xasprintf("%s/%s", work.from, work.paths[i]);
		bool archive = strstr(work.paths[i], "/archives/") != NULL;
		unsigned char sha[SHA256_SIZE], md[MD5_SIZE];

		strbuf_reset(&body);
		strbuf_reset(&stored);
		read_all(path, &body);
		if (!archive) {
			sha256(body.buf, body.len, sha);
			if (gzip_encode(body.buf, body.len, &stored) < 0)
				errx(1, "%s: too large", path);
			md5(stored.buf, stored.len, md);
		}
		for (size_t p = 0; p < 2; p++)
			write_all(work.prefixes[p], work.paths[i], archive ? &body : &stored);
	}
	strbuf_release(&body);
	strbuf_release(&stored);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t *threads;
	int jobs, fd;

	if (argc != 6)
		errx(2, "usage: export_floor FROM TO PREFIX PREFIX JOBS");
	work.from = argv[1];
	work.to = argv[2];
	work.prefixes[0] = argv[3];
	work.prefixes[1] = argv[4];
	jobs = atoi(argv[5]);
	if (jobs < 1 || nftw(work.from, collect, 16, FTW_PHYS) < 0)
		err(1, "%s", work.from);
	threads = xcalloc((size_t)jobs, sizeof(*threads));
	for (int i = 0; i < jobs; i++)
		if (pthread_create(&threads[i], NULL, worker, NULL))
			errx(1, "cannot start a thread");
	for (int i = 0; i < jobs; i++)
		pthread_join(threads[i], NULL);
	fd = open(work.to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		err(1, "%s", work.to);
	close(fd);
	for (size_t i = 0; i < work.n; i++)
		free(work.paths[i]);
	free(work.paths);
	free(threads);
	return 0;
}

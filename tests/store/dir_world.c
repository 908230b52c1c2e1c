/* SPDX-License-Identifier: BSD-3-Clause */
/* dir_world.c - a `dir:` store in a temporary folder, for tests. */
#include "dir_world.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

struct dir_world dir_world_make(void)
{
	const char *above = getenv("TMPDIR");
	struct dir_world w = { .home = xasprintf("%s/pubfs-dir-XXXXXX", above ? above : "/tmp") };

	cr_assert_not_null(mkdtemp(w.home));
	w.root = xasprintf("%s/bucket", w.home);
	w.url = xasprintf("dir:%s", w.root);
	cr_assert_eq(store_open(w.url, STORE_CREATE, &w.store), 0);
	return w;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void dir_world_remove(struct dir_world *w)
{
	store_close(w->store);
	nftw(w->home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(w->home);
	free(w->root);
	free(w->url);
}

struct store *dir_world_open(const struct dir_world *w)
{
	struct store *s = NULL;

	cr_assert_eq(store_open(w->url, STORE_OPEN, &s), 0);
	return s;
}

char *dir_world_path(const struct dir_world *w, const char *path)
{
	return xasprintf("%s/%s", w->root, path);
}

void dir_world_write(const struct dir_world *w, const char *path, const char *text)
{
	CLEANUP(free_char) char *name = dir_world_path(w, path);
	CLEANUP(close_fd) int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

int dir_world_count(const struct dir_world *w, const char *path)
{
	CLEANUP(free_char) char *name = dir_world_path(w, path);
	DIR *dir = opendir(name);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	closedir(dir);
	return n;
}

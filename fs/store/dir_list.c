/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dir_list.c - lists of `dir:`: a walk of the folders in the byte order of the keys.
 *
 * The names of one folder are read, mapped to keys (a folder's ends in '/') and sorted; so `http`
 * comes before `http-x`, and that before `http/advisories`, whatever the files are called. Only
 * the names of the folders above the present one are held. What vanishes meanwhile is left out.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dir.h"
#include "log.h"
#include "memory.h"
#include "path.h"
#include "strbuf.h"

#define NAMES_MAX ((size_t)1 << 30) /* bytes of the names of one folder */
#define TEXT_MAX  (4 * KEY_MAX)

struct walk {
	struct dir_store *d;
	const char *prefix, *after; /* after: "" when there is none */
	bool deep;
	object_fn *fn; /* NULL: only whether there is anything (1) */
	void *ctx;
	struct strbuf key; /* where the walk is */
};

/* The keys in a folder, less that of the folder itself. */
struct names {
	struct strbuf text; /* NUL behind each */
	size_t n;
	const char **sorted;
};

static void names_release(struct names *names)
{
	strbuf_release(&names->text);
	free(names->sorted);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Whether the list may show this key, or something below it. */
static bool is_wanted(const struct walk *w, const char *key, bool is_folder)
{
	if (!begins(key, w->prefix))
		return false;
	if (strcmp(key, w->after) > 0)
		return true;
	return is_folder && begins(w->after, key) && (w->deep || strcmp(key, w->after) != 0);
}

static bool is_folder_entry(int dir, const struct dirent *entry, bool *ret)
{
	struct stat st;

	if (entry->d_type == DT_DIR || entry->d_type == DT_REG) {
		*ret = entry->d_type == DT_DIR;
		return true;
	}
	if (entry->d_type != DT_UNKNOWN ||
	    fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret = S_ISDIR(st.st_mode);
	return *ret || S_ISREG(st.st_mode);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int sort_names(const struct walk *w, struct names *names)
{
	const char *at = names->text.buf;

	if (strbuf_error(&names->text) < 0)
		return fail(-E2BIG, "the folder of %s in dir:%s has too many names", w->key.buf,
			    w->d->root);
	names->sorted = xcalloc(names->n, sizeof(*names->sorted));
	for (size_t i = 0; i < names->n; i++, at += strlen(at) + 1)
		names->sorted[i] = at;
	qsort(names->sorted, names->n, sizeof(*names->sorted), by_text);
	return 0;
}

static const char *place_of(const struct walk *w)
{
	return *w->key.buf ? w->key.buf : "the top";
}

static int list_failed(const struct walk *w)
{
	return dir_fail(w->d, "list", place_of(w));
}

/* NULL, with errno 0: the end; with another one it failed. */
static const struct dirent *next_entry(DIR *dir)
{
	errno = 0;
	return readdir(dir);
}

/* `path` is that of the folder below the root, and ends in '/' (at the top: is empty). */
static int read_names(const struct walk *w, DIR *dir, const char *path, struct names *names)
{
	CLEANUP(strbuf_release) struct strbuf name = STRBUF_INIT(TEXT_MAX);
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(TEXT_MAX);
	const struct dirent *entry;
	bool is_folder;

	while ((entry = next_entry(dir))) {
		strbuf_reset(&name);
		strbuf_reset(&key);
		if (!is_folder_entry(dirfd(dir), entry, &is_folder))
			continue;
		strbuf_addf(&name, "%s%s%s", path, entry->d_name, is_folder ? "/" : "");
		if (strbuf_error(&name) < 0 || path_to_key(name.buf, &key) < 0 ||
		    !is_wanted(w, key.buf, is_folder))
			continue;
		assert(begins(key.buf, w->key.buf));
		strbuf_add(&names->text, key.buf + w->key.len, key.len - w->key.len + 1);
		names->n++;
	}
	return errno ? list_failed(w) : 0;
}

static int load_names(const struct walk *w, struct names *names)
{
	CLEANUP(free_char) char *path = dir_folder_path(w->d, w->key.buf);
	DIR *dir = path ? opendir(path) : NULL;
	int r;

	if (!path || (!dir && (errno == ENOENT || errno == ENOTDIR)))
		return 0;
	if (!dir)
		return list_failed(w);
	r = read_names(w, dir, path + strlen(w->d->root) + 1, names);
	closedir(dir);
	return r < 0 ? r : sort_names(w, names);
}

static int show_object(struct walk *w)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	CLEANUP(close_fd) int fd = -1;
	int r;

	if (!w->fn)
		return 1;
	r = dir_open_object(w->d, w->key.buf, &fd);
	if (r == 0)
		r = dir_meta_load(w->d, w->key.buf, fd, true, &obj);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return w->fn(w->ctx, &obj);
}

static int walk_folder(struct walk *w);

/* A folder of a list that is not deep: shown when the list has anything below it. */
static int show_folder(struct walk *w)
{
	struct object obj = { .key = w->key.buf, .validated = NO_TIME };
	struct walk below = { .d = w->d, .prefix = w->key.buf, .after = w->after, .deep = true };
	int r;

	strbuf_init(&below.key, TEXT_MAX);
	strbuf_addstr(&below.key, w->key.buf);
	r = walk_folder(&below);
	strbuf_release(&below.key);
	if (r <= 0)
		return r;
	return w->fn(w->ctx, &obj);
}

static int visit(struct walk *w)
{
	if (w->key.buf[w->key.len - 1] != '/')
		return show_object(w);
	return w->deep ? walk_folder(w) : show_folder(w);
}

/* All that is wanted in the folder at w->key, which is as before when it returns. */
static int walk_folder(struct walk *w)
{
	CLEANUP(names_release) struct names names = { .text = STRBUF_INIT(NAMES_MAX) };
	size_t here = w->key.len;
	int r = load_names(w, &names);

	for (size_t i = 0; i < names.n && !r; i++) {
		strbuf_addstr(&w->key, names.sorted[i]);
		r = visit(w);
		strbuf_setlen(&w->key, here);
	}
	return r;
}

int dir_list(struct store *s, const char *prefix, bool deep, const char *after, object_fn *fn,
	     void *ctx)
{
	const char *slash = strrchr(prefix, '/');
	struct walk w = {
		.d = dir_of(s),
		.prefix = prefix,
		.after = after ? after : "",
		.deep = deep,
		.fn = fn,
		.ctx = ctx,
		.key = STRBUF_INIT(TEXT_MAX),
	};
	int r;

	if (slash)
		strbuf_add(&w.key, prefix, (size_t)(slash - prefix) + 1);
	r = strbuf_error(&w.key) < 0 ? 0 : walk_folder(&w); /* no key is that long */
	if (!r)
		r = dir_check_own(w.d, "list", place_of(&w));
	strbuf_release(&w.key);
	return r;
}

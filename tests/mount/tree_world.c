/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_world.c - a tree over a store in memory, an index and a publisher, for tests. */
#include "tree_world.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "body.h"
#include "memory.h"
#include "publish.h"
#include "strbuf.h"

#define TEXT_MAX ((size_t)64 << 20)

/* The world is set up or the test cannot go on: not a thing that a test asserts. */
static void must(int r)
{
	if (r < 0) {
		fprintf(stderr, "the test's world: %s\n", strerror(-r));
		abort();
	}
}

struct world world_make(int64_t ttl)
{
	const char *above = getenv("TMPDIR");
	struct world w = { .home = xasprintf("%s/pubfs-tree-XXXXXX", above ? above : "/tmp") };
	struct publisher_options options = { .gate = GATE_ENFORCE };

	if (!mkdtemp(w.home))
		must(-errno);
	must(store_open("mem:", STORE_CREATE, &w.driver));
	must(fault_push(w.driver, &w.fault));
	must(counter_push(w.fault, &w.counter));
	must(index_push(w.counter, w.home, &w.store));
	options.store = w.store;
	must(publisher_new(&options, &w.publisher));
	w.options = (struct tree_options){
		.store = w.store,
		.publisher = w.publisher,
		.ttl = ttl,
		.spool_dir = w.home,
		.runtime_version = "2026.08.18",
	};
	must(tree_new(&w.options, &w.tree));
	return w;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void world_remove(struct world *w)
{
	tree_free(w->tree);
	publisher_free(w->publisher);
	store_close(w->store);
	nftw(w->home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(w->home);
}

void world_remake(struct world *w)
{
	tree_free(w->tree);
	must(tree_new(&w->options, &w->tree));
}

unsigned long world_requests(struct world *w)
{
	struct store_counts c = counter_read(w->counter);

	return c.stat + c.read + c.list + c.write + c.copy + c.touch + c.remove;
}

static uint64_t run_edit(struct store *s, struct edit *e)
{
	uint64_t generation;

	e->if_generation = STORE_ANY;
	must(store_edit(s, e, 1));
	generation = e->object.generation;
	edit_release(e, 1);
	return generation;
}

uint64_t put_plain(struct store *s, const char *key, const void *bytes, size_t n)
{
	struct body body = body_of_bytes(bytes, n);
	struct edit e = { .op = EDIT_WRITE, .body = &body };

	object_init(&e.object);
	e.object.key = xstrdup(key);
	return run_edit(s, &e);
}

uint64_t put_text(struct store *s, const char *key, const char *text)
{
	return put_plain(s, key, text, strlen(text));
}

uint64_t put_document(struct store *s, const char *key, const char *text, bool foreign)
{
	CLEANUP(strbuf_release) struct strbuf gzipped = STRBUF_INIT(TEXT_MAX);
	struct edit e = { .op = EDIT_WRITE };
	struct body body;

	must(gzip_encode(text, strlen(text), &gzipped));
	body = body_of_strbuf(&gzipped);
	e.body = &body;
	object_init(&e.object);
	e.object.key = xstrdup(key);
	e.object.gzip = true;
	if (!foreign) {
		sha256(text, strlen(text), e.object.sha256);
		e.object.has_sha256 = true;
		e.object.decoded_size = strlen(text);
		e.object.has_decoded_size = true;
	}
	return run_edit(s, &e);
}

void remove_key(struct store *s, const char *key)
{
	struct edit e = { .op = EDIT_REMOVE };

	object_init(&e.object);
	e.object.key = xstrdup(key);
	run_edit(s, &e);
}

uint64_t generation_of(struct store *s, const char *key)
{
	struct object obj;
	uint64_t generation = 0;

	object_init(&obj);
	if (!store_stat(s, key, &obj))
		generation = obj.generation;
	object_release(&obj);
	return generation;
}

static char *listing(const char *package, const char *hash, const char *extra)
{
	CLEANUP(free_char)
	char *version = xasprintf("{\"version\":\"1.0.0\",\"pubspec\":{\"name\":\"%s\",\"version\":"
				  "\"1.0.0\"},\"archive_url\":\"https://pub.example/%s-1.0.0.tar."
				  "gz\"%s,\"published\":\"2024-01-02T03:04:05.678Z\"}",
				  package, package, hash);

	return xasprintf("{\"name\":\"%s\",\"latest\":%s,\"versions\":[%s]%s}", package, version,
			 version, extra);
}

char *listing_text(const char *package, const char *extra)
{
	return listing(package, "", extra);
}

char *listing_with_hash(const char *package, const char *hash)
{
	CLEANUP(free_char) char *member = xasprintf(",\"archive_sha256\":\"%s\"", hash);

	return listing(package, member, "");
}

void archive_bytes(const char *package, const char *version, struct strbuf *out)
{
	CLEANUP(free_char) char *yaml = xasprintf("name: %s\nversion: %s\n", package, version);
	char tar[4 * 512] = { 0 };
	unsigned sum = 0;

	strcpy(tar, "pubspec.yaml");
	strcpy(tar + 100, "0000644");
	strcpy(tar + 108, "0000000");
	strcpy(tar + 116, "0000000");
	snprintf(tar + 124, 12, "%011o", (unsigned)strlen(yaml));
	strcpy(tar + 136, "00000000000");
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	snprintf(tar + 148, 8, "%06o", sum);
	memcpy(tar + 512, yaml, strlen(yaml));
	must(gzip_encode(tar, sizeof(tar), out));
}

int resolve(struct world *w, const char *path, struct node *ret)
{
	int r = tree_resolve(w->tree, path, ret);

	if (!r)
		tree_forget(w->tree, ret->id, 1);
	return r;
}

char *names_in(struct world *w, const char *path)
{
	struct strbuf names = STRBUF_INIT(TEXT_MAX);
	struct node folder, node;
	const char *name;
	struct dir *d;
	int r;

	must(tree_resolve(w->tree, path, &folder));
	must(tree_opendir(w->tree, folder.id, &d));
	while ((r = dir_next(d, &name, &node)) > 0)
		strbuf_addf(&names, "%s%s ", name, node.is_dir ? "/" : "");
	must(r);
	dir_close(d);
	tree_forget(w->tree, folder.id, 1);
	return strbuf_detach(&names);
}

/* The folder (+1 reference) and the last name of a path. */
static int parent_of(struct world *w, const char *path, struct node *ret, const char **name)
{
	const char *slash = strrchr(path, '/');
	CLEANUP(free_char)
	char *folder = xstrndup(path, slash ? (size_t)(slash - path) : 0);

	*name = slash ? slash + 1 : path;
	return tree_resolve(w->tree, folder, ret);
}

int create_path(struct world *w, const char *path, int flags, mode_t mode, struct file **ret)
{
	struct node folder, node;
	const char *name;
	int r = parent_of(w, path, &folder, &name);

	if (r < 0)
		return r;
	r = tree_create(w->tree, folder.id, name, flags, mode, ret, &node);
	if (!r)
		tree_forget(w->tree, node.id, 1);
	tree_forget(w->tree, folder.id, 1);
	return r;
}

static int open_once(struct world *w, const char *path, int flags, struct file **ret)
{
	struct node node;
	int r;

	if (flags & O_CREAT)
		return create_path(w, path, flags, 0644, ret);
	r = tree_resolve(w->tree, path, &node);
	if (r < 0)
		return r;
	r = tree_open(w->tree, node.id, flags, ret);
	tree_forget(w->tree, node.id, 1);
	return r;
}

/* As the kernel does, which looks a name up once more. */
int open_path(struct world *w, const char *path, int flags, struct file **ret)
{
	int r = open_once(w, path, flags, ret);

	return r == -ESTALE ? open_once(w, path, flags, ret) : r;
}

char *read_path(struct world *w, const char *path, int *ret_error)
{
	struct strbuf out = STRBUF_INIT(TEXT_MAX);
	char piece[65536];
	struct file *f;
	ssize_t n;

	*ret_error = open_path(w, path, O_RDONLY, &f);
	if (*ret_error)
		return NULL;
	while ((n = file_read(f, out.len, piece, sizeof(piece))) > 0)
		strbuf_add(&out, piece, (size_t)n);
	file_close(f);
	*ret_error = (int)n;
	if (n < 0)
		strbuf_release(&out);
	return n < 0 ? NULL : strbuf_detach(&out);
}

int write_path(struct world *w, const char *path, const char *text)
{
	struct caller who = this_caller();
	struct file *f;
	ssize_t n;
	int r = open_path(w, path, O_WRONLY | O_CREAT | O_TRUNC, &f);

	if (r < 0)
		return r;
	n = file_write(f, 0, text, strlen(text));
	r = n < 0 ? (int)n : file_flush(f, &who);
	file_close(f);
	return r;
}

static int in_parent(struct world *w, const char *path,
		     int (*change)(struct tree *t, uint64_t dir, const char *name))
{
	struct node folder;
	const char *name;
	int r = parent_of(w, path, &folder, &name);

	if (r < 0)
		return r;
	r = change(w->tree, folder.id, name);
	tree_forget(w->tree, folder.id, 1);
	return r;
}

int unlink_path(struct world *w, const char *path)
{
	return in_parent(w, path, tree_unlink);
}

int rmdir_path(struct world *w, const char *path)
{
	return in_parent(w, path, tree_rmdir);
}

int rename_path(struct world *w, const char *from, const char *to, unsigned flags)
{
	struct caller who = this_caller();
	const char *name, *to_name;
	struct node folder, to_folder;
	int r = parent_of(w, from, &folder, &name);

	if (r < 0)
		return r;
	r = parent_of(w, to, &to_folder, &to_name);
	if (!r) {
		r = tree_rename(w->tree, folder.id, name, to_folder.id, to_name, flags, &who);
		tree_forget(w->tree, to_folder.id, 1);
	}
	tree_forget(w->tree, folder.id, 1);
	return r;
}

static int mkdir_and_forget(struct tree *t, uint64_t dir, const char *name)
{
	struct node node;
	int r = tree_mkdir(t, dir, name, &node);

	if (!r)
		tree_forget(t, node.id, 1);
	return r;
}

int mkdir_path(struct world *w, const char *path)
{
	return in_parent(w, path, mkdir_and_forget);
}

struct caller this_caller(void)
{
	return (struct caller){ .pid = getpid(), .uid = getuid() };
}

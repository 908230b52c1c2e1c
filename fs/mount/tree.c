/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tree.c - the bucket as a tree: its names and nodes.
 *
 *	name            | where it is known                         | node
 *	folder          | keys in the bucket below it, the overlay  | of the path
 *	object          | the bucket                                | of (path, generation)
 *	draft           | the overlay: a new file, never published, | of the path
 *	                | shown once it has bytes                   |
 *	scratch file    | the overlay: never in the bucket, with    | of (path, serial)
 *	                | the mount it goes                         |
 *	.pubfs and below| a table                                   | of the path
 *
 * 1. A node of an object never changes its bytes: a new generation is a new node. What is opened
 *    is checked against the bucket; a superseded node answers -ESTALE, unless it is open already.
 *    Who reads an object and who writes it have a node each, since its pages and its length are
 *    the node's: what a writer cuts would be cut for all who have it mapped. Who opens one that
 *    has files of the other use is sent back, as is who opens a superseded one; his next lookup
 *    gives him another (tree_open.c).
 * 2. Where a key is an object and a folder at once, the folder wins, in lookup and listing alike.
 *    path.c keeps packages out of this: what lies below one is in its `.d` folder.
 * 3. The overlay has the folders that are always there (`permanent`), those made by mkdir, those
 *    that this mount has emptied, the drafts and the scratch files. The bucket's objects come
 *    before its files.
 * 4. Nothing is known here that the index does not know, but for the overlay and, of nodes in
 *    use, the decoded size that was asked for. Where a read or a write finds the index behind,
 *    the index looks again itself, so that after -ESTALE another lookup finds what is there.
 *
 * Lock order: a file's turn (tree_file.c), then t->lock; the locks of contents and refusals are
 * taken alone. t->lock is held for table work only, never across a call of the store or the
 * publisher.
 *
 * Not here: folders being read (tree_dir.c), open files (tree_open.c, tree_file.c), what changes
 * names (tree_change.c, tree_rename.c), attributes (tree_xattr.c).
 */
#include "tree_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "caller.h"
#include "clock.h"
#include "memory.h"
#include "publish.h"

#define LISTING_PATIENCE SECOND_US
#define LOOKS_MAX	 16 /* each of them finds another generation */

#define FILE_MODE   0644
#define FOLDER_MODE 0755
#define ISIZE_BYTES 8 /* the end of a gzip member: checksum, then length */

static void add_permanent(struct tree *t, const char *prefix)
{
	static const char *const folders[] = { "", "api/", "api/packages/", "api/archives/" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		CLEANUP(free_char) char *key = xasprintf("%s/%s", prefix, folders[i]);

		overlay_add(&t->overlay, key)->permanent = true;
	}
}

int tree_new(const struct tree_options *options, struct tree **ret)
{
	struct tree *t = xcalloc(1, sizeof(*t));

	t->options = *options;
	t->read_only = options->read_only;
	reach_init(&t->reach, options->store, options->lasting,
		   options->patience ? options->patience : LISTING_PATIENCE);
	t->contents = contents_new(options->store, options->spool_dir, CONTENT_KEPT_MAX);
	t->space.dir = options->spool_dir;
	journal_init(&t->refusals);
	journal_init(&t->changes);
	if (options->publisher)
		publisher_watch(options->publisher, control_note_change, t);
	pthread_mutex_init(&t->lock, NULL);
	inodes_init(&t->inodes);
	add_permanent(t, "latest");
	if (options->runtime_version)
		add_permanent(t, options->runtime_version);
	*ret = t;
	return 0;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	if (t->options.publisher)
		publisher_unwatch(t->options.publisher, t);
	reach_release(&t->reach);
	while (t->files)
		file_close(t->files);
	while (t->dirs)
		dir_close(t->dirs);
	scratch_warn(t);
	overlay_release(&t->overlay);
	inodes_release(&t->inodes);
	sent_back_release(&t->sent_back);
	pthread_mutex_destroy(&t->lock);
	journal_release(&t->refusals);
	journal_release(&t->changes);
	contents_free(t->contents);
	free(t);
}

uint64_t tree_refusals(struct tree *t)
{
	return journal_total(&t->refusals);
}

/* Nodes. */

int inode_hold(struct tree *t, uint64_t id, struct held *ret)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = inode_find(&t->inodes, id);
	if (inode)
		inode->refs++;
	pthread_mutex_unlock(&t->lock);
	*ret = (struct held){ .tree = t, .inode = inode };
	return inode ? 0 : -ESTALE;
}

void inode_drop(struct held *held)
{
	struct tree *t = held->tree;

	if (!held->inode)
		return;
	pthread_mutex_lock(&t->lock);
	inode_put(&t->inodes, held->inode, 1);
	pthread_mutex_unlock(&t->lock);
}

void tree_forget(struct tree *t, uint64_t id, uint64_t count)
{
	struct inode *inode;

	if (id == TREE_ROOT)
		return;
	pthread_mutex_lock(&t->lock);
	inode = inode_find(&t->inodes, id);
	if (inode)
		inode_put(&t->inodes, inode, count);
	pthread_mutex_unlock(&t->lock);
}

struct origin origin_of(const struct fingerprint *f)
{
	return (struct origin){
		.generation = f->generation,
		.size = f->gzip ? f->decoded_size : f->size,
		.created = f->created,
		.updated = f->updated,
		.sized = !f->gzip || f->has_decoded_size,
		.sure = !f->gzip || f->sha256,
	};
}

/* What the caller is going to do with an object; to look at it is to read it. */
static enum inode_use wanted_use(const struct tree *t, const char *path)
{
	const struct sent_back_entry *entry;

	if (!t->sent_back.entries) /* mostly there is none */
		return INODE_READ;
	entry = sent_back_find(&t->sent_back, caller_current(), inode_number_in(&t->inodes, path));
	return entry ? entry->use : INODE_READ;
}

/* Up to inode_of(): under the lock. */
static struct inode *get_inode(struct tree *t, enum inode_type type, const char *path,
			       const struct origin *origin)
{
	struct inode *inode = inode_get(&t->inodes, type, path, origin ? origin->generation : 0,
					origin ? wanted_use(t, path) : INODE_READ);

	if (origin) {
		inode->mtime = origin->created;
		inode->ctime = origin->updated;
		if (!inode->sure && origin->sized) {
			inode->size = origin->size;
			inode->sized = true;
			inode->sure = origin->sure;
		}
	} else if (!inode->sized) {
		/* a folder is no object: any time of this mount's own would be news to rsync */
		if (type != INODE_FOLDER)
			inode->mtime = inode->ctime = clock_now();
		inode->sized = true;
	}
	return inode;
}

static void note_seen(struct inode *inode, struct names_version version)
{
	if (inode->type == INODE_FOLDER || (inode->type == INODE_OBJECT && inode->sized))
		inode->seen = version;
}

/* A node that is written in this mount shows what its writer has made of it, unless someone
 * reads the old bytes: then these are what it is. */
static uint64_t shown_size(const struct inode *inode)
{
	return inode->writers && !inode->readers ? inode->written : inode->size;
}

static mode_t mode_of(const struct inode *inode)
{
	if (inode->type == INODE_SCRATCH)
		return inode->scratch->mode;
	if (path_is_control(inode->path))
		return inode->type == INODE_FOLDER ? CONTROL_FOLDER_MODE : CONTROL_FILE_MODE;
	return inode->type == INODE_FOLDER ? FOLDER_MODE : FILE_MODE;
}

static struct node describe(const struct inode *inode)
{
	const struct scratch *scratch = inode->scratch;

	return (struct node){
		.id = inode->id,
		.ino = inode->number,
		.size = scratch ? scratch->size : shown_size(inode),
		.generation = inode->type == INODE_OBJECT ? inode->generation : 0,
		.mtime = scratch ? scratch->mtime : inode->mtime,
		.ctime = scratch ? scratch->mtime : inode->ctime,
		.is_dir = inode->type == INODE_FOLDER,
		.changing = inode->writers || (inode->type == INODE_OBJECT && !inode->sure),
		.mode = mode_of(inode),
	};
}

struct inode *inode_of(struct tree *t, enum inode_type type, const char *path,
		       const struct origin *origin)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = get_inode(t, type, path, origin);
	pthread_mutex_unlock(&t->lock);
	return inode;
}

void inode_of_entry(struct tree *t, enum inode_type type, const char *path,
		    const struct origin *origin, struct names_version version, struct node *ret)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = get_inode(t, type, path, origin);
	note_seen(inode, version);
	*ret = describe(inode);
	pthread_mutex_unlock(&t->lock);
}

struct names_version names_version(struct tree *t)
{
	return (struct names_version){
		.store = store_version(t->options.store),
		.overlay = t->overlay.changes,
	};
}

void inode_was_seen(struct tree *t, struct inode *inode, struct names_version version)
{
	pthread_mutex_lock(&t->lock);
	note_seen(inode, version);
	pthread_mutex_unlock(&t->lock);
}

struct inode *inode_of_scratch(struct tree *t, const char *path, struct scratch *scratch)
{
	struct inode *inode = inode_get(&t->inodes, INODE_SCRATCH, path, scratch->serial,
					INODE_READ);

	if (!inode->scratch)
		inode->scratch = scratch_get(scratch);
	return inode;
}

void node_of_inode(struct tree *t, const struct inode *inode, struct node *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = describe(inode);
	pthread_mutex_unlock(&t->lock);
}

/* Paths and folders. */

int path_join(const char *dir, const char *name, struct strbuf *out)
{
	strbuf_addstr(out, dir);
	if (*dir)
		strbuf_addch(out, '/');
	strbuf_addstr(out, name);
	return strbuf_error(out) ? -ENOENT : 0;
}

bool path_is_control(const char *path)
{
	size_t n = strlen(CONTROL_FOLDER);

	return !strncmp(path, CONTROL_FOLDER, n) && (!path[n] || path[n] == '/');
}

int folder_key(const char *path, struct strbuf *out)
{
	NAME_BUF(folder);

	if (!*path)
		return 0;
	if (path_join(path, "", &folder) < 0)
		return -ENOENT;
	return path_to_key(folder.buf, out);
}

/* "": the names at the top; "latest/": all below it. */
int folder_refresh(struct tree *t, const char *path)
{
	NAME_BUF(top);
	size_t n = strcspn(path, "/");

	if (path_is_control(path))
		return 0;
	strbuf_add(&top, path, n);
	if (n)
		strbuf_addch(&top, '/');
	return reach_refresh(&t->reach, top.buf, t->options.ttl);
}

static int found(void *ctx, const struct object *obj)
{
	(void)ctx;
	(void)obj;
	return 1;
}

static int found_same(void *ctx, const struct object *obj)
{
	return !strcmp(obj->key, ctx);
}

bool overlay_has(struct tree *t, const char *key)
{
	bool has;

	pthread_mutex_lock(&t->lock);
	has = overlay_find(&t->overlay, key) || overlay_below(&t->overlay, key);
	pthread_mutex_unlock(&t->lock);
	return has;
}

int bucket_has(struct tree *t, const char *key)
{
	struct store *s = t->options.store;
	CLEANUP(free_char) char *wanted = NULL;

	if (strchr(key, '/')[1])
		return store_list(s, key, true, NULL, found, NULL);
	wanted = xstrdup(key);
	return store_list(s, "", false, NULL, found_same, wanted);
}

int folder_exists(struct tree *t, const char *key)
{
	if (!*key || overlay_has(t, key))
		return 1;
	return bucket_has(t, key);
}

/* Lookup. */

/* The length of a gzip'ed body of which nobody has noted it (below 4 GiB, and of one member). */
static int learn_size(struct tree *t, const struct object *obj, struct inode *inode)
{
	CLEANUP(strbuf_release) struct strbuf end = STRBUF_INIT(ISIZE_BYTES);
	const unsigned char *at;
	bool sized;
	int r;

	pthread_mutex_lock(&t->lock);
	sized = inode->sized;
	pthread_mutex_unlock(&t->lock);
	if (sized || obj->size < ISIZE_BYTES)
		return 0;
	r = store_read(t->options.store, obj->key, obj->generation, obj->size - ISIZE_BYTES,
		       ISIZE_BYTES, &end);
	if (r == -ESTALE || r == -ENOENT)
		return 0; /* replaced just now; whoever opens it is told */
	if (r < 0)
		return r;
	at = (const unsigned char *)end.buf;
	pthread_mutex_lock(&t->lock);
	if (!inode->sized && end.len == ISIZE_BYTES) {
		inode->size = at[4] | (uint64_t)at[5] << 8 | (uint64_t)at[6] << 16 |
			      (uint64_t)at[7] << 24;
		inode->sized = true;
	}
	pthread_mutex_unlock(&t->lock);
	return 0;
}

static int find_control(struct tree *t, const char *path, struct inode **ret)
{
	const char *name = path + strlen(CONTROL_FOLDER);

	if (!*name) {
		*ret = inode_of(t, INODE_FOLDER, path, NULL);
		return 0;
	}
	for (size_t i = 0; control_name(i); i++)
		if (!strcmp(name + 1, control_name(i))) {
			*ret = inode_of(t, INODE_CONTROL, path, NULL);
			return 0;
		}
	return -ENOENT;
}

/* A file that the bucket does not have. */
static int find_in_overlay(struct tree *t, const char *path, const char *key, struct inode **ret)
{
	const struct overlay_name *name;
	struct inode *inode = NULL;
	bool shown;

	pthread_mutex_lock(&t->lock);
	name = overlay_find(&t->overlay, key);
	shown = name && name->shown;
	if (shown && name->scratch)
		inode = inode_of_scratch(t, path, name->scratch);
	pthread_mutex_unlock(&t->lock);
	if (!shown)
		return -ENOENT;
	*ret = inode ? inode : inode_of(t, INODE_DRAFT, path, NULL);
	return 0;
}

static int find_file(struct tree *t, const char *path, struct inode **ret)
{
	CLEANUP(object_release) struct object obj = { .validated = NO_TIME };
	NAME_BUF(key);
	struct fingerprint f;
	struct origin origin;
	struct inode *inode;
	int r = path_to_key(path, &key);

	if (r < 0)
		return r;
	r = store_stat(t->options.store, key.buf, &obj);
	if (r == -ENOENT)
		return find_in_overlay(t, path, key.buf, ret);
	if (r < 0)
		return r;
	object_fingerprint(&obj, &f);
	origin = origin_of(&f);
	inode = inode_of(t, INODE_OBJECT, path, &origin);
	r = learn_size(t, &obj, inode);
	if (r < 0)
		tree_forget(t, inode->id, 1);
	else
		*ret = inode;
	return r;
}

int path_find(struct tree *t, const char *path, struct inode **ret)
{
	NAME_BUF(key);
	int r;

	if (path_is_control(path))
		return find_control(t, path, ret);
	r = folder_key(path, &key);
	if (!r)
		r = folder_exists(t, key.buf);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 1) {
		*ret = inode_of(t, INODE_FOLDER, path, NULL);
		return 0;
	}
	return find_file(t, path, ret);
}

int child_path(struct tree *t, uint64_t dir, const char *name, struct held *ret_folder,
	       struct strbuf *out)
{
	int r = inode_hold(t, dir, ret_folder);

	if (r < 0)
		return r;
	if (ret_folder->inode->type != INODE_FOLDER)
		return -ENOTDIR;
	if (strlen(name) > PATH_PART_MAX)
		return -ENAMETOOLONG;
	return path_join(ret_folder->inode->path, name, out);
}

/* An earlier answer, if nothing has changed since. */
static bool find_seen(struct tree *t, const char *path, struct names_version version,
		      struct node *ret)
{
	struct inode *inode;

	pthread_mutex_lock(&t->lock);
	inode = inode_seen(&t->inodes, path, version, wanted_use(t, path));
	if (inode) {
		inode->refs++;
		*ret = describe(inode);
	}
	pthread_mutex_unlock(&t->lock);
	return inode;
}

static int look_up(struct tree *t, const char *path, struct node *ret)
{
	struct names_version version = names_version(t);
	struct inode *inode;
	int r;

	if (find_seen(t, path, version, ret))
		return 0;
	r = path_find(t, path, &inode);
	if (r < 0)
		return r;
	inode_was_seen(t, inode, version);
	node_of_inode(t, inode, ret);
	return 0;
}

int tree_lookup(struct tree *t, uint64_t dir, const char *name, struct node *ret)
{
	NAME_BUF(path);
	CLEANUP(inode_drop) struct held folder = { 0 };
	int r = child_path(t, dir, name, &folder, &path);

	if (!r && !path_is_control(path.buf)) /* what it says is asked for when the store hangs */
		r = folder_refresh(t, folder.inode->path);
	if (!r)
		r = look_up(t, path.buf, ret);
	for (int i = 0; !r && open_ahead(t, ret) == -ESTALE && i < LOOKS_MAX; i++) {
		tree_forget(t, ret->id, 1);
		r = look_up(t, path.buf, ret);
	}
	return r;
}

int tree_resolve(struct tree *t, const char *path, struct node *ret)
{
	NAME_BUF(name);
	struct inode *inode;
	bool want_folder = false;
	char *slash;
	int r;

	while (*path == '/')
		path++;
	r = path_join("", path, &name);
	while (!r && name.len && name.buf[name.len - 1] == '/') {
		strbuf_setlen(&name, name.len - 1);
		want_folder = true;
	}
	slash = strrchr(name.buf, '/');
	if (!r) {
		CLEANUP(free_char)
		char *parent = xstrndup(name.buf, slash ? (size_t)(slash - name.buf) : 0);

		r = folder_refresh(t, parent);
	}
	if (!r)
		r = path_find(t, name.buf, &inode);
	if (r < 0)
		return r;
	if (want_folder && inode->type != INODE_FOLDER) {
		tree_forget(t, inode->id, 1);
		return -ENOTDIR;
	}
	node_of_inode(t, inode, ret);
	return 0;
}

void tree_path(struct tree *t, uint64_t id, struct strbuf *out)
{
	CLEANUP(inode_drop) struct held held = { 0 };

	if (!inode_hold(t, id, &held))
		strbuf_addstr(out, held.inode->path);
}

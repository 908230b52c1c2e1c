/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_scratch.c - files that live in the mount alone: made, described, and mourned. */
#include <errno.h>

#include "log.h"
#include "tree_internal.h"

int scratch_create(struct tree *t, const char *path, const char *key, mode_t mode,
		   struct inode **ret)
{
	struct overlay_name *name;
	int r = 0;

	pthread_mutex_lock(&t->lock);
	if (overlay_find(&t->overlay, key)) {
		r = -EEXIST; /* a draft that is written, or someone was faster */
	} else {
		name = overlay_add(&t->overlay, key);
		name->shown = true;
		name->scratch = scratch_new(&t->space, ++t->last_scratch, mode);
		*ret = inode_of_scratch(t, path, name->scratch);
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

int tree_set_mode(struct tree *t, uint64_t id, mode_t mode)
{
	CLEANUP(inode_drop) struct held held = { 0 };
	int r = inode_hold(t, id, &held);

	if (r < 0 || held.inode->type == INODE_DRAFT)
		return r;
	if (held.inode->type != INODE_SCRATCH)
		return -EPERM;
	held.inode->scratch->mode = mode & 07777;
	return 0;
}

int tree_set_mtime(struct tree *t, uint64_t id, int64_t mtime)
{
	CLEANUP(inode_drop) struct held held = { 0 };
	int r = inode_hold(t, id, &held);

	if (!r && held.inode->type == INODE_SCRATCH)
		held.inode->scratch->mtime = mtime;
	return r;
}

void scratch_warn(const struct tree *t)
{
	for (size_t i = 0; i < t->overlay.n; i++) {
		NAME_BUF(path);

		if (t->overlay.names[i]->scratch && !path_from_key(t->overlay.names[i]->key, &path))
			log_warning("%s was a scratch file, which the bucket never had: it is gone",
				    path.buf);
	}
}

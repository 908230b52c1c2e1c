/* SPDX-License-Identifier: BSD-3-Clause */
/* model_state.c - the model's tables: objects of the bucket, and names of one mount alone. */
#include "model_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "memory.h"

/* Paths. */

bool is_below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	return n == 0 ? *path : !strncmp(path, folder, n) && path[n] == '/';
}

char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return xstrndup(path, slash ? (size_t)(slash - path) : 0);
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool is_scratch_name(const char *path)
{
	const char *name = last_part(path);

	return *name == '.' || (*name && name[strlen(name) - 1] == '~');
}

bool is_document_name(const char *path)
{
	const char *name = last_part(path);

	return (strlen(name) == 2 && name[0] == 'p') || !strcmp(name, "advisories");
}

/* A folder of packages has none but those of packages. */
bool may_be_folder(const char *path)
{
	CLEANUP(free_char) char *parent = parent_of(path);
	size_t n = strlen(path);

	return strcmp(last_part(parent), "packages") != 0 || !strcmp(path + n - 2, ".d");
}

static bool passes_gate(const char *path, const char *text, size_t len)
{
	for (; len && *text == ' '; text++)
		len--;
	for (; len && text[len - 1] == ' '; len--)
		;
	for (unsigned i = 0; i < MODEL_VARIANTS; i++) {
		CLEANUP(free_char) char *document = model_document(path, i);

		if (strlen(document) == len && !memcmp(document, text, len))
			return true;
	}
	return false;
}

/* The bucket. */

struct object_of *object_at(struct model *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->objects[i].path, path))
			return &m->objects[i];
	return NULL;
}

unsigned version_at(struct model *m, const char *path)
{
	const struct object_of *o = object_at(m, path);

	return o ? o->version : 0;
}

const char *text_at(struct model *m, const char *path)
{
	const struct object_of *o = object_at(m, path);

	return o ? o->text : "";
}

static void object_put(struct model *m, const char *path, const char *text)
{
	struct object_of *o = object_at(m, path);

	if (!o) {
		assert(m->n < NAMES_MAX);
		o = &m->objects[m->n++];
		*o = (struct object_of){ .path = xstrdup(path) };
	}
	free(o->text);
	o->text = xstrdup(text);
	o->version = ++m->last_version;
}

void object_remove(struct model *m, const char *path)
{
	struct object_of *o = object_at(m, path);

	assert(o);
	free(o->path);
	free(o->text);
	*o = m->objects[--m->n];
}

bool bucket_below(const struct model *m, const char *folder)
{
	for (size_t i = 0; i < m->n; i++)
		if (is_below(m->objects[i].path, folder))
			return true;
	return false;
}

int bucket_write(struct model *m, const char *path, const struct strbuf *text, unsigned base,
		 const char *base_text)
{
	if (version_at(m, path) != base)
		return -ESTALE;
	if (!passes_gate(path, text->buf, text->len))
		return -EINVAL;
	if (!base || strcmp(base_text, text->buf) != 0)
		object_put(m, path, text->buf);
	return 0;
}

/* One mount's own names. */

struct bytes *bytes_get(struct bytes *b)
{
	b->refs++;
	return b;
}

void bytes_put(struct bytes *b)
{
	if (!b || --b->refs)
		return;
	strbuf_release(&b->text);
	free(b);
}

struct name *name_at(struct actor *a, const char *path)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->names[i].path, path))
			return &a->names[i];
	return NULL;
}

struct strbuf *scratch_at(struct actor *a, const char *path)
{
	const struct name *name = name_at(a, path);

	assert(name && name->bytes);
	return &name->bytes->text;
}

struct name *name_add(struct actor *a, const char *path, enum name_type type)
{
	struct name *name = name_at(a, path);

	if (name)
		return name;
	assert(a->n < NAMES_MAX);
	name = &a->names[a->n++];
	*name = (struct name){ .path = xstrdup(path), .type = type, .id = ++a->last_id };
	return name;
}

void name_remove(struct actor *a, const char *path)
{
	struct name *name = name_at(a, path);

	assert(name);
	free(name->path);
	bytes_put(name->bytes);
	*name = a->names[--a->n];
}

bool names_below(const struct actor *a, const char *folder)
{
	for (size_t i = 0; i < a->n; i++)
		if (is_below(a->names[i].path, folder))
			return true;
	return false;
}

bool is_folder(struct model *m, struct actor *a, const char *path)
{
	const struct name *name = name_at(a, path);

	return !*path || (name && name->type == NAME_FOLDER) || names_below(a, path) ||
	       bucket_below(m, path);
}

enum found look_up(struct model *m, struct actor *a, const char *path)
{
	const struct name *name = name_at(a, path);

	if (is_folder(m, a, path))
		return FOLDER;
	if (object_at(m, path))
		return OBJECT;
	if (!name || !name->shown)
		return NOTHING;
	return name->type == NAME_SCRATCH ? SCRATCH : DRAFT;
}

bool parent_is_there(struct model *m, struct actor *a, const char *path)
{
	CLEANUP(free_char) char *parent = parent_of(path);

	return is_folder(m, a, parent);
}

/* Folders that this actor has emptied stay. */
void names_keep_folders(struct model *m, struct actor *a, const char *path)
{
	CLEANUP(free_char) char *folder = parent_of(path);

	while (*folder && !bucket_below(m, folder)) {
		char *above = parent_of(folder);

		name_add(a, folder, NAME_FOLDER);
		free(folder);
		folder = above;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* model_state.h - the model's tables, and what is asked of them. See model.c. */
#ifndef PUBFS_TESTS_MOUNT_MODEL_STATE_H
#define PUBFS_TESTS_MOUNT_MODEL_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"
#include "strbuf.h"

#define NAMES_MAX 64

enum name_type { NAME_FOLDER, NAME_DRAFT, NAME_SCRATCH };
enum slot_type { SLOT_FREE, SLOT_READER, SLOT_WRITER, SLOT_SCRATCH };

struct object_of { /* an object */
	char *path, *text;
	unsigned version;
};

struct bytes { /* of a scratch file, which may outlive its name */
	struct strbuf text;
	unsigned refs;
	bool published; /* by a rename: nobody may write to it any more */
};

struct name {
	char *path;
	enum name_type type;
	unsigned id; /* new with each name */
	bool permanent, shown;
	unsigned writers; /* of a draft */
	struct bytes *bytes;
};

struct slot {
	enum slot_type type;
	int flags;
	char *path;
	struct strbuf text;  /* of a reader or writer */
	struct bytes *bytes; /* of a scratch file */
	unsigned base;	     /* the version that is replaced; 0: none */
	char *base_text;
	bool loaded;	/* the base's bytes were needed, or are not any more */
	unsigned draft; /* the name's id; 0: none, or published */
	bool changed, written, refused;
};

struct actor {
	struct name names[NAMES_MAX];
	size_t n;
	unsigned last_id;
	struct slot slots[MODEL_SLOTS];
};

struct model {
	struct object_of objects[NAMES_MAX];
	size_t n;
	unsigned last_version;
	struct actor actors[MODEL_ACTORS];
};

/* Paths. */
bool is_below(const char *path, const char *folder);
char *parent_of(const char *path);
bool is_scratch_name(const char *path);
bool is_document_name(const char *path);
bool may_be_folder(const char *path); /* of those that mkdir makes */

/* The bucket. version_at: 0, and text_at: "", where there is no object. */
struct object_of *object_at(struct model *m, const char *path);
unsigned version_at(struct model *m, const char *path);
const char *text_at(struct model *m, const char *path);
void object_remove(struct model *m, const char *path);
bool bucket_below(const struct model *m, const char *folder);
/* A write of the whole body: the condition, then the gate; the same bytes are no new version. */
int bucket_write(struct model *m, const char *path, const struct strbuf *text, unsigned base,
		 const char *base_text);

/* One mount's own names. */
struct name *name_at(struct actor *a, const char *path);
struct name *name_add(struct actor *a, const char *path, enum name_type type);
void name_remove(struct actor *a, const char *path);
bool names_below(const struct actor *a, const char *folder);
struct strbuf *scratch_at(struct actor *a, const char *path);
struct bytes *bytes_get(struct bytes *b);
void bytes_put(struct bytes *b);

/* What a lookup finds. */
enum found { NOTHING, FOLDER, OBJECT, DRAFT, SCRATCH };
enum found look_up(struct model *m, struct actor *a, const char *path);
bool is_folder(struct model *m, struct actor *a, const char *path);
bool parent_is_there(struct model *m, struct actor *a, const char *path);
/* Folders that this actor has emptied stay. */
void names_keep_folders(struct model *m, struct actor *a, const char *path);

#endif

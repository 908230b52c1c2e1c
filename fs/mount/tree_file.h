/* SPDX-License-Identifier: BSD-3-Clause */
/* tree_file.h - an open file, for those who open one and those who use it. See tree_file.c. */
#ifndef PUBFS_TREE_FILE_H
#define PUBFS_TREE_FILE_H

#include "tree_internal.h"
#include "turn.h"

enum file_type {
	FILE_READER,
	FILE_WRITER,
	FILE_SCRATCH,
	FILE_CONTROL, /* a text, as it was at the open */
	FILE_COMMAND, /* what is written is done at once */
};

struct writer {
	struct turn turn;
	char *key;
	struct spool spool;
	struct object base; /* published under this condition; generation 0: there is none */
	struct overlay_name *draft;
	uint64_t size; /* of the spool, or of the base before it is loaded; under the tree's lock */
	bool loaded, changed;
	bool written; /* any byte, ever */
	int failed;   /* the first write that failed */
	int verdict;  /* of the gate, on the bytes as they are; 0: it was not asked */
	bool told;    /* why these bytes were not published */
};

struct file {
	struct tree *tree;
	struct held held;
	enum file_type type;
	atomic_bool append;	 /* of a writer or a scratch file */
	struct content *content; /* of a reader */
	struct strbuf text;	 /* of a control file; of a command, what has no newline yet */
	struct writer writer;
	bool unsaved; /* under the lock of the tree: it has bytes whose end nobody knows */
	struct file *prev, *next;
};

/* With a reference to the inode. What else its type asks for is left to who opens it. */
struct file *file_new(struct tree *t, struct inode *inode, enum file_type type);

#endif

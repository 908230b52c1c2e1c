/* SPDX-License-Identifier: BSD-3-Clause */
/* spool.h - the bytes of a file that is being written: in memory, then in a nameless file. */
#ifndef PUBFS_SPOOL_H
#define PUBFS_SPOOL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "body.h"
#include "catalog.h"
#include "compiler.h"

#define SPOOL_IN_MEMORY	    ((size_t)256 << 10) /* of one spool: most documents */
#define SPOOL_ALL_IN_MEMORY ((size_t)16 << 20)	/* of all spools of a mount */
#define SPOOL_MAX	    ((uint64_t)DOCUMENT_MAX)
#define SPOOL_ALL_IN_FILES  (16 * SPOOL_MAX) /* lest a runaway writer fills the disk of the index  \
					      */

/* What the spools of a mount share. */
struct spool_space {
	const char *dir; /* borrowed */
	atomic_size_t in_memory;
	_Atomic uint64_t in_files; /* their sizes: gaps count as what they may become */
};

/* One user at a time. */
struct spool {
	struct spool_space *space;
	char *mem; /* NULL: empty, or in the file */
	size_t room;
	uint64_t size;
	int fd;		  /* -1: not in a file */
	uint64_t charged; /* of in_files */
};

void spool_init(struct spool *s, struct spool_space *space);
void spool_release(struct spool *s);

/* A gap that is left reads as zeros. -EFBIG: over SPOOL_MAX; -ENOSPC: the disk is full, or
 * SPOOL_ALL_IN_FILES taken; -ENFILE: no more files may be open; -EIO: another failure (these three
 * were said). After one of them, what the spool holds is not defined. */
ssize_t spool_write(struct spool *s, uint64_t offset, const void *buf, size_t n) MUST_CHECK;
int spool_truncate(struct spool *s, uint64_t size) MUST_CHECK;
ssize_t spool_read(const struct spool *s, uint64_t offset, void *buf, size_t n) MUST_CHECK;
/* Borrows the spool, which must stay as it is meanwhile. */
struct body spool_body(const struct spool *s);

/* A file without a name, opened for reading and writing. -ENFILE, -EIO: said. */
int spool_file(const char *dir, int *ret_fd) MUST_CHECK;
/* All of it. -ENOSPC, -EIO: said. */
int spool_file_write(int fd, uint64_t offset, const void *buf, size_t n) MUST_CHECK;

#endif

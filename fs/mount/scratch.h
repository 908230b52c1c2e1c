/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch.h - the bytes of a file that lives in the mount alone, and is never sent. */
#ifndef PUBFS_SCRATCH_H
#define PUBFS_SCRATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compiler.h"
#include "spool.h"
#include "turn.h"

/*
 * Shared by the name in the overlay, the nodes and the open files, each with a reference: it lives
 * on without a name while it is open, as an unlinked file does.
 */
struct scratch {
	uint64_t serial; /* one of its own in this mount */

	unsigned refs; /* under the lock of the tree */

	_Atomic uint64_t size; /* of the spool, as the last change left it */
	_Atomic int64_t mtime; /* microseconds; of the last change, or what it was set to */
	_Atomic mode_t mode;   /* permission bits */

	struct turn turn; /* of what follows */
	struct spool spool;
	int failed;	/* the first write that failed: it is not published any more */
	bool published; /* renamed onto a name of the export: its bytes are that object's now */
};

/* With one reference. */
struct scratch *scratch_new(struct spool_space *space, uint64_t serial, mode_t mode);
/* Under the lock of the tree. */
struct scratch *scratch_get(struct scratch *s);
void scratch_put(struct scratch *s); /* NULL is fine */

/* -ESTALE: it was published, and its path has to be looked up again. `cut`: from here on it is
 * empty, and whatever failed before is forgotten with the bytes. */
int scratch_open(struct scratch *s, bool cut) MUST_CHECK;
/* As of a spool (spool.h). After a write that failed the bytes are not defined: so does every call
 * from then on, until it is opened and cut. -ESTALE: a change of what was published (said), which
 * would go nowhere. `append`: at the end, whatever the offset. */
ssize_t scratch_read(struct scratch *s, uint64_t offset, void *buf, size_t n) MUST_CHECK;
ssize_t scratch_write(struct scratch *s, bool append, uint64_t offset, const void *buf,
		      size_t n) MUST_CHECK;
int scratch_truncate(struct scratch *s, uint64_t size) MUST_CHECK;
/* The first write that failed, or 0. */
int scratch_failure(struct scratch *s) MUST_CHECK;

#endif

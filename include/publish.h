/* SPDX-License-Identifier: BSD-3-Clause */
/* publish.h - the only door to the bucket's contents, for hand edits, updater and gc alike. */
#ifndef PUBFS_PUBLISH_H
#define PUBFS_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>

#include "compiler.h"
#include "gate.h"
#include "store.h"
#include "strbuf.h"

struct body;
struct publication;
struct publisher;

struct publisher_options {
	struct store *store;	     /* the whole chain; borrowed */
	enum gate_mode gate;
	const char *runtime_version; /* custom key of every object; NULL: not known */
};

int publisher_new(const struct publisher_options *options, struct publisher **ret) MUST_CHECK;
/* Calls fn, on any thread, for each change that was made, as it does for others who watch already.
 * Both while nothing is being published. */
typedef void publication_fn(void *ctx, const struct publication *p);
void publisher_watch(struct publisher *pub, publication_fn *fn, void *ctx);
void publisher_unwatch(struct publisher *pub, const void *ctx);
void publisher_free(struct publisher *pub);

/* PUBLISH_ADOPT: what is there stays, and gets the metadata that it would have if it were ours. */
enum publish_action { PUBLISH_WRITE, PUBLISH_COPY, PUBLISH_REMOVE, PUBLISH_ADOPT };
enum published { PUBLISHED_NOTHING, PUBLISHED_TOUCH, PUBLISHED_WRITE, PUBLISHED_REMOVE };

/* One thing to be published. All pointers are borrowed. */
struct publication {
	enum publish_action action;
	const char *key;
	unsigned group;		   /* as in store_edit() */
	const struct object *have; /* what the decision was made on; NULL: there is none */
	const char *change;	   /* the package's change number, or "hand" */
	const char *why;	   /* for the log line */
	bool force;		   /* send it even when nothing differs */
	bool refresh;		   /* renew `validated` when it is older than VALIDATED_MAX_AGE */
	bool mark;		   /* another `change` alone is corrected, too */
	bool renamed;		   /* PUBLISH_COPY: gate it: it was gated under another name */

	const struct body *body;     /* PUBLISH_WRITE: decoded bytes */
	struct store *from;	     /* PUBLISH_COPY: an archive in another store, */
	const struct object *source; /* with its metadata; PUBLISH_ADOPT: the bucket, and `have` */
	const char *sha256;	     /* hex that an archive must have; NULL: not known */

	/* out */
	int result;		/* 0, or -EINVAL refused, -ESTALE lost a race, -EIO, -ECANCELED */
	enum published done;	/* what was sent */
	bool renewed;		/* and of that, nothing but a younger `validated` */
	struct object now;	/* after a success: as it is in the bucket; object_release() */
	struct strbuf remark;	/* why it was refused, or what the gate noticed; may be empty */
};

#define VALIDATED_MAX_AGE (3 * DAY_US) /* spec, section 10 (3) */

void publication_init(struct publication *p);
void publication_release(struct publication *p);

/*
 * Gates the bytes, compares hashes, sets the kind's headers, sends what differs in one
 * store_edit() and logs one line for each change. Returns 0 when all went well, else the first
 * failure; each publication says its own. A refusal of one ends its group (-ECANCELED for the
 * rest). -ESTALE is silent: the caller looks again and decides again.
 */
int publish(struct publisher *pub, struct publication *publications, size_t n) MUST_CHECK;
/* All of that but the sending: `result` and `done` say what publish() would do. */
int publish_preview(struct publisher *pub, struct publication *publications, size_t n) MUST_CHECK;

#endif

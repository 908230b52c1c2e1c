/* SPDX-License-Identifier: BSD-3-Clause */
/* attempt.h - one publication, decided on what is there, for the tests of publish(). */
#ifndef PUBFS_TESTS_EXPORT_ATTEMPT_H
#define PUBFS_TESTS_EXPORT_ATTEMPT_H

#include "body.h"
#include "world.h"

#define LISTING	   "latest/api/packages/foo"
#define ADVISORIES "latest/api/packages/foo/advisories"
#define ARCHIVE	   "latest/api/archives/foo-1.0.0.tar.gz"
#define SOURCE	   "packages/foo-1.0.0.tar.gz"
#define BIG	   ((size_t)1 << 20)

struct attempt {
	struct publication p;
	struct body body;
	struct object have, source;
};

void attempt_init(struct world *w, struct attempt *a, const char *key);
void attempt_write(struct world *w, struct attempt *a, const char *key, const char *text);
void attempt_copy(struct world *w, struct attempt *a); /* of SOURCE to ARCHIVE */
int attempt_run(struct world *w, struct attempt *a);
void attempt_release(struct attempt *a);

void with_gate(struct world *w, enum gate_mode mode);
/* What is in the bucket, changed and put back as another program would. */
void put_object(struct world *w, const char *key, const void *bytes, size_t n,
		void (*change)(struct object *));
void no_custom_keys(struct object *obj);
void stored_bytes(struct world *w, const char *key, struct strbuf *out);
/* Makes the canonical archive one that carries no hash of ours. */
void canonical_put(struct world *w, const void *bytes, size_t n);
/* The archive of foo 1.0.0, and its hash. */
void archive_hash(char hex[2 * SHA256_SIZE + 1], struct strbuf *archive);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* stored_body.h - the body of one generation of an object: as it is read, whole, or judged. */
#ifndef PUBFS_STORED_BODY_H
#define PUBFS_STORED_BODY_H

#include "codec.h"
#include "compiler.h"

struct body;
struct names;
struct object;
struct object_name;
struct store;
struct stored_body;
struct strbuf;

/* Appends the decoded text of a document. -EBADMSG, -E2BIG: its bytes are damaged; -ESTALE: that
 * generation is not there any more. */
int stored_load(struct store *s, const struct object *obj, struct strbuf *out) MUST_CHECK;
/* The same, of what only tells: 1: appended; 0: it is damaged or gone, and says nothing. */
int stored_load_if_sound(struct store *s, const struct object *obj, struct strbuf *out) MUST_CHECK;
/* Adds the versions that a listing names, sorted; none where it is damaged or gone. */
int stored_versions(struct store *s, const struct object *listing, struct names *ret) MUST_CHECK;
/* Reads all of it, of a known kind, gives the SHA-256 of what is decoded, and what the gate says to
 * it: gate_check()'s answer, with its reason in `why`. Fails as stored_load(), and then says
 * neither. */
int stored_judge(struct store *s, const struct object *obj, const struct object_name *name,
		 unsigned char ret_sum[SHA256_SIZE], int *ret_verdict,
		 struct strbuf *why) MUST_CHECK;

/* `obj` is borrowed. The bytes are read in windows, each asked for when it is first needed. */
struct stored_body *stored_body_new(struct store *s, const struct object *obj);
/* How many requests reading an object of that size takes. */
uint64_t stored_body_reads(uint64_t size);
const struct body *stored_body(struct stored_body *sb);
/* Reads what nobody has read so far, gives the SHA-256 of the stored bytes, and frees. -ESTALE:
 * that generation is not there any more; what else went wrong in any read of it. */
int stored_body_finish(struct stored_body *sb, unsigned char ret[SHA256_SIZE]) MUST_CHECK;

#endif

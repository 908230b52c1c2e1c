/* SPDX-License-Identifier: BSD-3-Clause */
/* stored_body.h - one generation of an object as a body, hashed while it is read. */
#ifndef PUBFS_STORED_BODY_H
#define PUBFS_STORED_BODY_H

#include "codec.h"
#include "compiler.h"

struct body;
struct object;
struct store;
struct stored_body;

/* `obj` is borrowed. The bytes are read in windows, each asked for when it is first needed. */
struct stored_body *stored_body_new(struct store *s, const struct object *obj);
/* How many requests reading an object of that size takes. */
uint64_t stored_body_reads(uint64_t size);
const struct body *stored_body(struct stored_body *sb);
/* Reads what nobody has read so far, gives the SHA-256 of the stored bytes, and frees. -ESTALE:
 * that generation is not there any more; what else went wrong in any read of it. */
int stored_body_finish(struct stored_body *sb, unsigned char ret[SHA256_SIZE]) MUST_CHECK;

#endif

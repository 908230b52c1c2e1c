/* SPDX-License-Identifier: BSD-3-Clause */
/* suspects.h - objects whose bytes are not what their metadata say, until they are written anew. */
#ifndef PUBFS_SUSPECTS_H
#define PUBFS_SUSPECTS_H

#include <stdbool.h>

#include "compiler.h"

struct names;
struct object;

/*
 * An export believes the hash in an object's metadata (spec, section 10). Who has read the bytes
 * and found others notes the object's generation, in a file beside the plan that the brake holds;
 * what is noted, an export writes anew. That is another generation, and no suspect.
 */

#define SUSPECT_WHY "its bytes are not what its metadata say"

/* What is noted of an object. The caller frees it. */
char *suspects_note(const struct object *obj);
/* Of notes that are sorted. */
bool suspects_have(const struct names *suspects, const struct object *obj);

/* `held` names the file of the plan; NULL: nothing is kept. The notes, sorted. */
int suspects_load(const char *held, struct names *ret) MUST_CHECK;
/* Adds these to what is there, */
int suspects_add(const char *held, const struct names *found) MUST_CHECK;
/* or takes these away, which are sorted. */
int suspects_forget(const char *held, const struct names *done) MUST_CHECK;

#endif

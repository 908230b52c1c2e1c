/* SPDX-License-Identifier: BSD-3-Clause */
/* atom.h - whether a body is a feed that a reader of Atom can use. */
#ifndef PUBFS_ATOM_H
#define PUBFS_ATOM_H

#include "compiler.h"

struct body;
struct strbuf;

/* -EINVAL: it is not; `why` has one sentence. -EIO: it could not be read. */
int atom_check(const struct body *body, struct strbuf *why) MUST_CHECK;

#endif

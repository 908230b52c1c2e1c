/* SPDX-License-Identifier: BSD-3-Clause */
/* gate.h - what a client could not read is refused, whoever wrote it (spec, section 17). Pure. */
#ifndef PUBFS_GATE_H
#define PUBFS_GATE_H

#include "catalog.h"
#include "compiler.h"

struct body;
struct strbuf;

enum gate_mode { GATE_ENFORCE, GATE_WARN, GATE_OFF };

int gate_mode_parse(const char *name, enum gate_mode *ret) MUST_CHECK;

/*
 * Checks a decoded body against the contract of its kind. 0: clients can read it (`why` may have
 * a remark, such as another version in the archive's pubspec). -EINVAL: they cannot; `why` has
 * one sentence. -EIO: the body could not be read (said).
 */
int gate_check(const struct object_name *name, const struct body *body, struct strbuf *why)
	MUST_CHECK;

#endif

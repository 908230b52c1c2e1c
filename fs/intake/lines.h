/* SPDX-License-Identifier: BSD-3-Clause */
/* lines.h - the lines of a file, gzip'ed or not, one after the other in constant memory. */
#ifndef PUBFS_LINES_H
#define PUBFS_LINES_H

#include "compiler.h"

struct lines;
struct strbuf;

/* "-" is standard input. -ENOENT, -EACCES, -EIO: it cannot be read (said). */
int lines_open(const char *path, struct lines **ret) MUST_CHECK;
void lines_close(struct lines **lines); /* for CLEANUP(); NULL is fine */

/* 1: the next line is in `line`, without its end; 0: there is none. -EIO: the file cannot be read;
 * -EINVAL: it is cut or damaged, or the line is over the maximum of `line` (all said). */
int lines_next(struct lines *lines, struct strbuf *line) MUST_CHECK;

/* For messages: the file's name, and the number of the line that came last. */
const char *lines_name(const struct lines *lines);
unsigned long long lines_number(const struct lines *lines);

#endif

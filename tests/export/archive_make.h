/* SPDX-License-Identifier: BSD-3-Clause */
/* archive_make.h - a package archive with nothing but its pubspec. */
#ifndef PUBFS_TESTS_EXPORT_ARCHIVE_MAKE_H
#define PUBFS_TESTS_EXPORT_ARCHIVE_MAKE_H

struct strbuf;

/* A gzip'ed tar; the same bytes at each call. */
void archive_make(const char *package, const char *version, struct strbuf *out);

#endif

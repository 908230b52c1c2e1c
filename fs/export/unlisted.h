/* SPDX-License-Identifier: BSD-3-Clause */
/* unlisted.h - what is there, but in no listing, and comes into one. */
#ifndef PUBFS_UNLISTED_H
#define PUBFS_UNLISTED_H

struct item;
struct pass;

/* Of a planned package, has the mark renewed of each object that a collection may be about to
 * remove. Where that cannot be told (said) the package fails. */
void unlisted_mark(const struct pass *pass, struct item *item);

#endif

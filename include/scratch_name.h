/* SPDX-License-Identifier: BSD-3-Clause */
/* scratch_name.h - which names are for a moment only: those that tools make beside a file. */
#ifndef PUBFS_SCRATCH_NAME_H
#define PUBFS_SCRATCH_NAME_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * True for the last part of a path that no object of the export has, and that a tool makes while
 * it writes one: a leading dot (rsync, vim), a trailing `~`, one of a few endings, `tmp.` in front
 * (mktemp). `sed -i` makes names that a package could have (`sed` and six letters or digits): they
 * are meant only when they are created `exclusive`, as nobody's but the owner's (mode 0600).
 * A name without a creation: exclusive false, mode 0.
 */
bool scratch_name_matches(const char *name, bool exclusive, mode_t mode);

#endif

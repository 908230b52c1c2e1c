/* SPDX-License-Identifier: BSD-3-Clause */
/* promote_check.h - whether a prefix is one that latest/ may be made equal to. */
#ifndef PUBFS_PROMOTE_CHECK_H
#define PUBFS_PROMOTE_CHECK_H

#include "compiler.h"
#include "names.h"
#include "promote.h"

/* Adds a sentence for each thing that is missing of these packages in the prefix, or that it shows
 * although the database has taken it down. */
int promote_check(const struct promote_options *options, const struct names *packages,
		  struct names *ret_missing) MUST_CHECK;

#endif

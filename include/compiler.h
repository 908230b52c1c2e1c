/* SPDX-License-Identifier: BSD-3-Clause */
/* compiler.h - the attributes and three macros that every file may use. */
#ifndef PUBFS_COMPILER_H
#define PUBFS_COMPILER_H

#include <stddef.h>

#define MUST_CHECK	   __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define CLEANUP(release)   __attribute__((cleanup(release)))
#define UNUSED		   __attribute__((unused)) /* a variable that is there for its cleanup */

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Takes a pointer out of a variable that is released by scope: the caller owns it now. */
#define steal(p)                                                                                   \
	__extension__({                                                                            \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* log.h - one line a message, and the error convention of the whole program. */
#ifndef PUBFS_LOG_H
#define PUBFS_LOG_H

#include <stdbool.h>

#include "compiler.h"

/*
 * Every fallible function answers 0 (or a count), or a negative errno. Across layers only these
 * mean something:
 *   -ENOENT not there         -ESTALE condition failed, someone wrote first
 *   -EINVAL the gate said no  -EAGAIN passing trouble (the retry link eats it)
 *   -EACCES refused           -EBADMSG bytes and hash differ
 *   -E2BIG over its bound     -ECANCELED stopping, or held
 * All else is reported as -EIO after fail() said why. Expected answers (-ENOENT, -ESTALE) are
 * silent.
 */

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

/* Logs at LEVEL_ERROR, once, where the cause is known, and returns r. Control characters in a
 * message are shown as \xNN, so that no name from outside can forge a line. */
int fail(int r, const char *fmt, ...) PRINTF(2, 3);

void log_warning(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_debug(const char *fmt, ...) PRINTF(1, 2);

/* What fail() said last in this thread, or "" (for `last_error` and the like). Never NULL. */
const char *log_last_failure(void);

/* Until it is set back, this thread says nothing; log_last_failure() is kept all the same. For a
 * rehearsal, whose failures the performance will say. */
void log_set_mute(bool mute);

/* The level (default: LEVEL_WARNING) and where lines go: standard error until one of these. */
void log_set_level(enum log_level level);
int log_level_parse(const char *name, enum log_level *ret) MUST_CHECK;
int log_to_file(const char *path) MUST_CHECK; /* appended, 0600 when new; errors go to both */
void log_to_syslog(void);

#endif

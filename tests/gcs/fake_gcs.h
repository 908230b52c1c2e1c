/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_gcs.h - fake-gcs-server, the emulator of others, as a process of a test. */
#ifndef PUBFS_TESTS_GCS_FAKE_GCS_H
#define PUBFS_TESTS_GCS_FAKE_GCS_H

#include "compiler.h"

struct fake_gcs;
struct strbuf;

/*
 * Starts it on a free port of 127.0.0.1, without a bucket, everything in memory; it ends with this
 * process at the latest. -ENOENT: it is not installed, `why` has one phrase. Any other trouble
 * ends the process, saying why.
 */
int fake_gcs_start(struct fake_gcs **ret, struct strbuf *why) MUST_CHECK;
void fake_gcs_stop(struct fake_gcs *f);
/* http://127.0.0.1:PORT, owned. */
const char *fake_gcs_url(const struct fake_gcs *f);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* updater.h - the thread that keeps the bucket equal to the database while a mount runs. */
#ifndef PUBFS_UPDATER_H
#define PUBFS_UPDATER_H

#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "export.h"

struct updater;

/* Starts with a full pass, then runs an event pass when the database changed, a retry pass for
 * what failed (with backoff), and a full pass a day. Its exporter must have `stop` NULL here. */
int updater_start(const struct exporter_options *options, struct updater **ret) MUST_CHECK;
/* Ends after the package under way, waits, frees. */
void updater_stop(struct updater *updater);

struct updater_status {
	int64_t last_pass;     /* microseconds, when the newest pass ended; NO_TIME: none so far */
	int last_result;       /* of that pass, as export_all() says it */
	uint64_t passes;
	struct export_counts total; /* since the start; no names */
	char *last_error;      /* owned; NULL: none */
};
void updater_status(struct updater *updater, struct updater_status *ret);
void updater_status_release(struct updater_status *status);

#endif

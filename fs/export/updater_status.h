/* SPDX-License-Identifier: BSD-3-Clause */
/* updater_status.h - what the status of an updater holds: how each pass adds to it, and copies. */
#ifndef PUBFS_UPDATER_STATUS_H
#define PUBFS_UPDATER_STATUS_H

#include "updater.h"

struct exporter;

/* A pass has ended, and has counted this. */
void updater_status_add(struct updater_status *s, const struct export_counts *counts);
/* What it came to; `why` it did not go through, NULL: what was said last in this thread. */
void updater_status_set_result(struct updater_status *s, int r, const struct export_counts *counts,
			       const char *why);
/* What fails and what waits by now. On the thread of the exporter. */
void updater_status_set_packages(struct updater_status *s, const struct exporter *ex,
				 const char *latest);
/* An owned copy. */
void updater_status_copy(const struct updater_status *from, struct updater_status *ret);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* exporter.h - what an exporter knows from one pass to the next. */
#ifndef PUBFS_EXPORTER_H
#define PUBFS_EXPORTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "export.h"
#include "later.h"
#include "names.h"
#include "site.h"

struct pass;

struct exporter {
	struct exporter_options opt;
	char *renderer; /* RENDERER_VERSION, base URL, SDKs */
	struct later later; /* a deployment's */
	struct names left;  /* see exporter_left() */
	bool filled, settled;
	struct site_turn site;
	int64_t due; /* when there may be something to do that is put off now */
	atomic_llong lease_until; /* what is claimed lasts so long at least */
};

/* The clock of what is put off. */
int64_t exporter_now(const struct exporter *ex);
/* Takes the results of a pass over; `seen` are the packages that it worked on, sorted. */
void exporter_remember(struct exporter *ex, struct pass *pass, const struct names *seen, bool full);

#endif

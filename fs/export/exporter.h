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
#include "pass.h"
#include "recent.h"
#include "site.h"

struct event_pass;

/* What is not written too often. */
struct pace {
	struct site_turn feed;
	struct recent packages;
};

/* Everything but `room`, `pace` and `renewed_until` is for the thread that begins and ends
 * passes. */
struct exporter {
	struct exporter_options opt;
	char *renderer; /* RENDERER_VERSION, base URL, SDKs */
	struct later later; /* a deployment's */
	struct names left;  /* see exporter_left() */
	char *left_why;	    /* of the last pass that asked; owned */
	bool filled, settled;
	bool look_anew; /* what the index knows of latest/ is not believed */
	struct pace own_pace, *pace; /* or that of another exporter */
	struct event_pass *event_passes; /* that are under way */
	struct room room;
	bool base_is_ours; /* latest/ was seen to be written with our base URL */
	int64_t again_at;  /* when to ask for what was passed over; LATER_NEVER: there is none */
	atomic_llong renewed_until; /* what was claimed before that renewal lasts until then */
};

/* The clock of what is put off. */
int64_t exporter_clock(const struct exporter_options *options);
int64_t exporter_now(const struct exporter *ex);
/* A pass that is under way works on it. */
bool exporter_is_at(const struct exporter *ex, const char *package);
/* What was to be asked for again is asked for now; in a while; and then. */
void exporter_begin(struct exporter *ex);
void exporter_ask_again(struct exporter *ex);
void exporter_ask_at(struct exporter *ex, int64_t at);
/* What is tried again is not due while it is tried; a pass that was cut short gives it back. */
void exporter_take(struct exporter *ex, const struct names *seen);
void exporter_give_back(struct exporter *ex, const struct names *seen);
/* Takes the results of a pass over; `seen` are the packages that it worked on, sorted. */
void exporter_remember(struct exporter *ex, struct pass *pass, const struct names *seen, bool full);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* updater.h - the threads that keep the bucket equal to the database, as one host of a
 * deployment. */
#ifndef PUBFS_UPDATER_H
#define PUBFS_UPDATER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler.h"
#include "export.h"

struct updater;

struct updater_options {
	/* borrowed; of it `owner`, `rester`, `stop` and `deployment` are the updater's own, and
	 * `rebase` is for its full passes until one of all prefixes went through */
	const struct exporter_options *export;
	const char *host;     /* of the heartbeat; NULL: the name of this one */
	const char *accepted; /* runtime versions, as in struct deployment; NULL: none */
	/* once a day, by one of the hosts, after a full pass, beside those that follow; NULL:
	 * nothing */
	int (*collect)(void *ctx, const atomic_bool *stop);
	void *ctx;
};

/*
 * Keeps the heartbeat, fills the own prefix, then both; then runs an event pass when the database
 * changed, take-downs beside a pass that takes long, a scan every 10 minutes and a full pass a day.
 * -EEXIST: another live host has another base URL (said).
 */
int updater_start(const struct updater_options *options, struct updater **ret) MUST_CHECK;
/* Ends after the packages under way, gives back what was claimed, waits, frees. */
void updater_stop(struct updater *updater);

#define UPDATER_NAMES_MAX 100 /* of each kind in a status */

struct updater_package {
	char *name;
	char *why;	   /* NULL: no failure is what it is about, and what follows is 0 */
	unsigned attempts; /* that failed, one after the other */
	int64_t next_try;  /* microseconds, by the wall clock */
};
struct updater_packages {
	struct updater_package *packages; /* the first of them */
	size_t n, all;
};

struct updater_status {
	int64_t last_pass;     /* microseconds, when the newest pass ended; NO_TIME: none so far */
	int last_result;       /* of the newest pass, as export_all() says it; of take-downs beside
				* a long one only what went wrong */
	uint64_t passes;
	uint64_t noticed;      /* how often the database was seen to have changed */
	struct export_counts total; /* since the start; no names */
	int64_t lag;	       /* microseconds since the database changed, or ceased to answer, and
				* no pass has gone through since; 0: one has */
	char *last_error;      /* owned; NULL: none */
	char *latest;	       /* why latest/ is left alone; owned; NULL: it is not */
	struct updater_packages failing; /* with the reason; tried again until they succeed */
	struct updater_packages waiting; /* of which latest/ is left to another deployment */
};
void updater_status(struct updater *updater, struct updater_status *ret);
void updater_status_release(struct updater_status *status);

#endif

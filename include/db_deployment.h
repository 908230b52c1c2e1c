/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * db_deployment.h - what deployments and their hosts tell each other through the database: that
 * they are there, who works on what, and who keeps latest/. All times are the database's clock's.
 */
#ifndef PUBFS_DB_DEPLOYMENT_H
#define PUBFS_DB_DEPLOYMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "compiler.h"

struct db;

#define DEPLOYMENT_BEAT (30 * SECOND_US)
#define DEPLOYMENT_LIVE (5 * MINUTE_US) /* spec, section 16 */
#define DEPLOYMENT_KEPT (30 * DAY_US)	/* a host that is gone so long is forgotten */

/* One host of a deployment. In a callback borrowed, else owned (deployment_release()). */
struct deployment {
	char *runtime_version, *host;
	char *accepted; /* runtime versions, newest first, with commas between; "": none is said */
	char *base_url;
	int64_t age;  /* microseconds since its heartbeat; not out when asking to keep one */
	bool live;    /* the heartbeat is less than DEPLOYMENT_LIVE away, on either side of now */
	bool shadow;  /* writes its own prefix alone: nobody leaves latest/ to it */
	bool retired; /* its whole runtime version is, and hosts that come later with it */
};
void deployment_release(struct deployment *d);

/* Keeps the heartbeat of a host; what was kept of it before is replaced. Rows of other hosts that
 * are older than DEPLOYMENT_KEPT go, but for retired ones. -EEXIST: a live host of this or another
 * runtime version has another base URL (said); nothing was kept. */
int db_beat(struct db *db, const struct deployment *host) MUST_CHECK;

typedef int deployment_fn(void *ctx, const struct deployment *d); /* not 0: stops, is returned */
/* Every host that is kept: newest runtime version first, then by host. */
int db_deployments(struct db *db, deployment_fn *fn, void *ctx) MUST_CHECK;
/* Or takes it back. -ENOENT: no host of that runtime version is kept (silent). */
int db_retire(struct db *db, const char *runtime_version, bool retired) MUST_CHECK;

/* Holds latest/ at a runtime version, instead of any other one; NULL: releases it. */
int db_hold(struct db *db, const char *runtime_version) MUST_CHECK;
/* The version at which latest/ is held, and when that began; both untouched and -ENOENT: none. */
int db_held(struct db *db, char **ret_version, int64_t *ret_since) MUST_CHECK;

/* Of the hosts of one runtime version, who works on what in a store. All borrowed. */
struct lease {
	const char *store, *runtime_version;
	const char *owner; /* a process and a thread of work in it; no two have the same, ever */
	int64_t duration;  /* microseconds from now on */
	/* whose a name is for `rest` microseconds when it is released; NULL, 0: nobody's. It is one
	 * of the owners that know among themselves when they may have it again. */
	const char *rester;
	int64_t rest;
	/* where `renderer` is not NULL: these rows of export_state say whether a package is done */
	const char *renderer;
	const char *const *prefixes;
	size_t n_prefixes;
};
enum claim {
	CLAIM_MINE,  /* for `duration`, or until released */
	CLAIM_TAKEN, /* another owner or rester has it, and its lease has not lapsed */
	CLAIM_DONE,  /* its change is exported, by this renderer, in all prefixes; not claimed */
};
/* In one transaction. A name is a package's, or another text that begins with a dot. */
int db_claim(struct db *db, const struct lease *lease, char *const *names, size_t n,
	     enum claim *ret) MUST_CHECK;
/* What the owner has lasts `duration` from now at least. */
int db_renew(struct db *db, const struct lease *lease) MUST_CHECK;
/* Of these, what the owner has; names NULL: all of it, and nothing rests. A rest is not renewed. */
int db_release(struct db *db, const struct lease *lease, char *const *names, size_t n) MUST_CHECK;

/* Waits until db_changed() is another number than *seen, which it then becomes, but for no longer
 * than `timeout`, and only until `stop` is set (NULL: it never is). 1: it is; 0: it is not. */
int db_wait(struct db *db, int64_t timeout, const atomic_bool *stop, uint64_t *seen) MUST_CHECK;

/* Where no trigger tells of changes (a registry's own tables behind views): counts one for each
 * package whose `updated` is of the last `window` microseconds and is another than the one that
 * was seen last. Where triggers tell of all, it finds none. */
int db_scan(struct db *db, int64_t window, uint64_t *ret_found) MUST_CHECK;

/* The renderers of export_state in a store, of packages that have a row, each once for a prefix. */
typedef int renderer_fn(void *ctx, const char *prefix, const char *renderer);
int db_renderers(struct db *db, const char *store, renderer_fn *fn, void *ctx) MUST_CHECK;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* deployment.h - who may write what in latest/, when several deployments run (spec, section 16). */
#ifndef PUBFS_DEPLOYMENT_H
#define PUBFS_DEPLOYMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

struct db;
struct deployment;
struct strbuf;

/* What a host is called: "live", "retired" or "gone". */
const char *deployment_state(const struct deployment *host);

/* What decides, at one moment. All strings owned (latest_view_release()). */
struct latest_view {
	char *own;	 /* runtime version */
	bool deployment; /* it runs on; else a command that is run once */
	bool filled;	 /* a deployment's own prefix has been whole since it started */
	bool settled;	 /* no request of one that kept latest/ before can be under way any more */
	bool retired;	 /* the own one is */
	char *held;	 /* the version that latest/ is held at; NULL: it is not */
	int64_t held_since;
	char **live; /* those that are live and not retired, newest first, the own one included */
	size_t n_live;
};
void latest_view_release(struct latest_view *v);

/* Reads held, live and retired; the rest is as it is in `ret`, whose `own` is set. */
int latest_view_read(struct db *db, struct latest_view *ret) MUST_CHECK;
/* True: nothing that those decide is different. */
bool latest_view_same(const struct latest_view *a, const struct latest_view *b);
/* True: a newer one kept latest/ in the view `before`, and none does now, so that this one takes it
 * over; what the other one has sent last may still be under way. */
bool latest_view_takes_over(const struct latest_view *before, const struct latest_view *now);
/* True: latest/ is to be as the own deployment has it. */
bool latest_view_keeps(const struct latest_view *v);

/* True: only what is taken down may be changed in latest/; `why` (may be NULL) says why. Pure. */
bool latest_is_closed(const struct latest_view *v, struct strbuf *why);
/* Where it is not closed: whether what has this mark, the runtime version that wrote an object
 * (NULL: none), is left to another deployment. Pure. */
bool latest_yields(const struct latest_view *v, const char *mark);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* export.h - packages out of the database into the bucket (spec, sections 11 and 20). */
#ifndef PUBFS_EXPORT_H
#define PUBFS_EXPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brake.h"
#include "clock.h"
#include "compiler.h"
#include "render.h"

struct db;
struct planned_out;
struct publisher;
struct store;
struct verifier;

struct exporter;

/* An object may be written once a second (Cloud Storage), and a feed that is so late is no
 * worse. */
#define FEED_PAUSE (5 * SECOND_US)

struct exporter_options { /* all borrowed for the exporter's life */
	struct db *db;
	struct store *store;	/* the bucket's chain, index included */
	struct store *archives; /* the canonical store's chain, index included */
	struct publisher *publisher;
	struct rendering rendering;
	const char *runtime_version;
	bool own, latest; /* which prefixes are written */
	bool deployment;  /* it runs on, and its heartbeat is kept; false: a command, run once */
	unsigned jobs;
	int64_t feed_pause;	   /* between two changes of the feed of all packages, at least */
	int64_t ttl;		   /* microseconds: how old the index may be when a pass begins */
	bool force;		   /* send everything */
	bool rebase;		   /* the database was restored: its side is taken */
	struct brake_limits limits;
	const char *held;	   /* where the plan that the brake holds is kept; NULL: nowhere */
	bool allow_mass_change;	   /* an operator's word for this run: what is held there goes */
	struct planned_out *dry_run; /* print the plan here and change nothing; NULL: do it */
	struct verifier *verifier; /* tell it what would be done, and do nothing; NULL: do it */
	const char *owner; /* as in struct lease: packages are claimed; NULL: they are not */
	/* as in struct lease, of those that keep one pace: what was just written no other host
	 * writes either; NULL: it may */
	const char *rester;
	int64_t lease;	   /* microseconds; 0: the usual */
	/* of a deployment; for tests; NULL: clock_monotonic() */
	int64_t (*clock)(void *ctx);
	void *clock_ctx;
	const atomic_bool *stop;   /* set: finish what is under way; NULL: never */
};

/* Changes that clients see of packages of which something is taken down, and how long after their
 * commit they were in the bucket; microseconds. */
#define TAKEDOWN_BOUNDS 10
extern const int64_t takedown_bounds[TAKEDOWN_BOUNDS]; /* ascending */
struct takedowns {
	uint64_t n;
	uint64_t within[TAKEDOWN_BOUNDS]; /* of these, as many took no longer than the bound */
	int64_t time, max;		  /* the sum of all, and the longest */
};
/* What was committed and then read at these times of one clock, and was done so long after that.
 * What cannot be the time of its commit, since it is later, or earlier than a day, is passed by. */
void takedowns_note(struct takedowns *t, int64_t committed, int64_t read, int64_t since);
void takedowns_add(struct takedowns *t, const struct takedowns *more);

/* Of objects, both prefixes together, unless said otherwise. */
struct export_counts {
	uint64_t packages;	/* looked at */
	uint64_t current;	/* packages that were as they should be, and not read at all */
	uint64_t written, copied, touched, removed;
	uint64_t failed;	/* packages */
	uint64_t held;		/* packages of which the brake holds something */
	uint64_t left;		/* packages whose latest/ is as another deployment left it */
	char *left_why;		/* why, of one; owned; NULL: latest/ was open, and none was left */
	struct takedowns takedowns;
	/* of the packages that were read: */
	uint64_t left_out;	/* versions that no client could read */
	uint64_t no_archive;	/* listed versions without a canonical archive */
	char *no_archive_names[3]; /* three of them, "P V"; owned */
	uint64_t garbage;	/* archives without a row, which wait for gc */
};
void export_counts_release(struct export_counts *counts);

int exporter_new(const struct exporter_options *options, struct exporter **ret) MUST_CHECK;
void exporter_free(struct exporter *ex);
/* Before its first pass: what one of the two writes, the other leaves in peace for a moment, too.
 * `with` lives longer. */
void exporter_keep_pace(struct exporter *ex, struct exporter *with);
/* Of a deployment, for the passes to come (struct latest_view): both are false at first. */
void exporter_set_latest(struct exporter *ex, bool filled, bool settled);
/* The next full pass that goes through lists latest/ itself, whatever `ttl` would believe. */
void exporter_look_anew(struct exporter *ex);
/* For the passes to come, as exporter_options.rebase. */
void exporter_set_rebase(struct exporter *ex, bool rebase);
/* The packages of which latest/ is not as this exporter would have it, since it is left to others:
 * those of the last full pass, and of the event passes after it. Borrowed until the next pass. */
size_t exporter_left(const struct exporter *ex, char *const **ret);

/*
 * One pass over all packages, against the index. Failures are per package, said and counted, and
 * kept in the database. 0: all went well; -EIO: some packages failed, the rest was done;
 * -ECANCELED: held (said, with what to do): nothing was written (an empty or restored database,
 * another base URL), or all but what counts.held says. Nothing failed, but `stop` was set:
 * -ECANCELED too. `ret` is always filled.
 */
int export_all(struct exporter *ex, struct export_counts *ret) MUST_CHECK;
/* The same for these packages alone. -ENOENT: one is not in the database (said; the rest is
 * done). */
int export_named(struct exporter *ex, char *const *names, size_t n, struct export_counts *ret)
	MUST_CHECK;
/* Only packages whose `change` moved, and those that failed in this exporter's last pass: with
 * nothing to do, one query and no store request. A deployment tries what failed again after a
 * second, then two and so on up to 5 minutes, unless it changed; and writes no package twice within
 * a second. */
int export_changed(struct exporter *ex, struct export_counts *ret) MUST_CHECK;
/*
 * The same in three steps, so that of one exporter several are under way: begin says what is to be
 * done, and end takes over what was done, both on the thread of the exporter; run does it, on any.
 * One that is alone (there are many packages, or something is held) is run before the next begins.
 */
struct event_pass;
struct event_pass *event_pass_begin(struct exporter *ex) MUST_CHECK;
bool event_pass_is_idle(const struct event_pass *p); /* there is nothing to be run */
bool event_pass_is_alone(const struct event_pass *p);
int event_pass_run(struct event_pass *p) MUST_CHECK; /* what end will answer if nothing is added */
int event_pass_end(struct event_pass *p, struct export_counts *ret) MUST_CHECK; /* frees it */

/* Of these, only packages of which something is moderated, deleted or retracted, or that have an
 * advisory: beside a long pass of another exporter. */
int export_urgent(struct exporter *ex, struct export_counts *ret) MUST_CHECK;
/* When (monotonic) export_changed() may have work that it put off, a change of the feed of all
 * packages among it; INT64_MAX: no such thing. */
int64_t exporter_due(struct exporter *ex);

struct export_failure {
	const char *package, *why;
	unsigned attempts; /* that failed, one after the other */
	int64_t due;	   /* monotonic, of the next one */
};
/* The i-th package that failed. False: past the last one. Borrowed until the next pass. */
bool exporter_failure(const struct exporter *ex, size_t i, struct export_failure *ret);
/* What this exporter has claimed lasts for the length of a lease from now on. Any thread. */
int exporter_renew(struct exporter *ex) MUST_CHECK;

#endif

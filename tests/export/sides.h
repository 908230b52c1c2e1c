/* SPDX-License-Identifier: BSD-3-Clause */
/* sides.h - deployments side by side on one database and one bucket, each with a rendering of its
 * own. */
#ifndef PUBFS_TESTS_EXPORT_SIDES_H
#define PUBFS_TESTS_EXPORT_SIDES_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

#define LISTING "latest/api/packages/foo"
#define ARCHIVE "latest/api/archives/foo-1.0.0.tar.gz"

/* Of each the SDK is another, and so is the version of foo that it calls latest. */
enum { OLD, MIDDLE, NEW, SIDES };
extern const struct known {
	const char *version, *sdk, *latest;
} known[SIDES];

/* A deployment; `ex` NULL: it does not run. */
extern struct side {
	struct publisher *publisher;
	struct exporter_options options;
	struct exporter *ex;
	bool filled;
} sides[SIDES];

extern struct world w;
/* False, as it is at first: between any two looks at the clock so much goes by that nothing is put
 * off. */
extern bool time_stands_still;

void sides_init(void);
void sides_fini(void);

void start(int i);
/* Its heartbeat counts for as long as the spec says, or is that old already. */
void stop(int i, bool long_ago);
/* As the updater does it; how many changes of objects that took. */
unsigned long pass(int i, bool full);
unsigned long pass_counted(int i, bool full, uint64_t *ret_read);
/* From its start on until latest/ is as it has it. */
void run(int i);

/* The n-th change of every package. */
void change(int n);
bool shows(int i);
/* Whatever each of them does, nothing is changed any more, and no event pass has work. */
void expect_quiet(void);

#endif

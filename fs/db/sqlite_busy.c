/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sqlite_busy.c - how long a call waits for the locks of other programs.
 *
 * A minute, since a large load may keep other writers waiting that long. When the program is to end
 * (db.h, `cancel`), or nobody waits for this thread's call any more (interrupt.h), a second: what a
 * writer of the usual kind holds up is still done.
 */
#include "sqlite.h"

#include <errno.h>
#include <time.h>

#include "clock.h"
#include "interrupt.h"

#define PATIENCE MINUTE_US
#define GRACE	 SECOND_US
#define NAP_MAX	 25 /* milliseconds */

bool sqlite_is_cancelled(const struct sqlite *db)
{
	return (db->db.cancel && atomic_load(db->db.cancel)) || interrupt_asked();
}

/* Called again and again, `tries` times before, while a lock is another one's. 0: no more. */
static int wait_for_lock(void *ctx, int tries)
{
	struct sqlite *db = ctx;
	struct timespec nap = { .tv_nsec = (tries < NAP_MAX ? tries + 1 : NAP_MAX) * 1000000L };
	int64_t now = clock_monotonic();

	if (!tries) {
		db->busy_until = now + PATIENCE;
		db->hurried = false;
	}
	if (!db->hurried && sqlite_is_cancelled(db)) {
		db->busy_until = now + GRACE;
		db->hurried = true;
	}
	if (now >= db->busy_until)
		return 0;
	nanosleep(&nap, NULL);
	return 1;
}

void sqlite_wait_for_locks(struct sqlite *db)
{
	sqlite3_busy_handler(db->handle, wait_for_lock, db);
}

/* Nobody else may be at the file while its mode changes, and those that make it at the same time
 * are: each of them tries, so that the last one changes it. */
int sqlite_use_wal(struct sqlite *db)
{
	int code;

	for (int tries = 0;; tries++) {
		code = sqlite3_exec(db->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		if (!code)
			return 0;
		if ((code & 0xff) != SQLITE_BUSY || !wait_for_lock(db, tries))
			return sqlite_fail(db, "use");
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* fault_db.h - a database in front of another, whose n-th call fails. */
#ifndef PUBFS_FAULT_DB_H
#define PUBFS_FAULT_DB_H

#include <stdbool.h>

#include "db.h"

struct fault_db {
	struct db db; /* first */
	struct db *next;
	unsigned left; /* the call that fails with -EIO and does nothing, from 1; 0: none */
	bool fired;
	void (*before_begin)(void *ctx); /* what another process does just then; called once */
	void *ctx;
};

void fault_db_init(struct fault_db *fault, struct db *next);

#endif

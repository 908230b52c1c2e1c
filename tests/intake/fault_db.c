/* SPDX-License-Identifier: BSD-3-Clause */
/* fault_db.c - a database in front of another, whose n-th call fails. */
#include "fault_db.h"

#include <errno.h>

static bool due(struct db *db, struct db **ret_next)
{
	struct fault_db *fault = (struct fault_db *)db;

	*ret_next = fault->next;
	if (!fault->left || --fault->left)
		return false;
	return fault->fired = true;
}

static int fault_package(struct db *db, const char *name, struct package *ret)
{
	return due(db, &db) ? -EIO : db_package(db, name, ret);
}

static int fault_begin(struct db *db)
{
	struct fault_db *fault = (struct fault_db *)db;
	void (*hook)(void *ctx) = fault->before_begin;

	fault->before_begin = NULL;
	if (hook)
		hook(fault->ctx);
	return due(db, &db) ? -EIO : db_begin(db);
}

static int fault_commit(struct db *db)
{
	if (!due(db, &db))
		return db_commit(db);
	db_rollback(db);
	return -EIO;
}

static void fault_rollback(struct db *db)
{
	db_rollback(((struct fault_db *)db)->next);
}

static int fault_version(struct db *db, const char *package, const char *version,
			 struct package_version *ret)
{
	return due(db, &db) ? -EIO : db_version(db, package, version, ret);
}

static int fault_put_version(struct db *db, const char *package, const struct package_version *v,
			     bool replace)
{
	return due(db, &db) ? -EIO : db_put_version(db, package, v, replace);
}

static int fault_advisory(struct db *db, const char *id, struct advisory *ret)
{
	return due(db, &db) ? -EIO : db_advisory(db, id, ret);
}

static int fault_put_advisory(struct db *db, const struct advisory *a, char *const *packages,
			      size_t n)
{
	return due(db, &db) ? -EIO : db_put_advisory(db, a, packages, n);
}

static const struct db_ops fault_ops = {
	.name = "fault",
	.package = fault_package,
	.begin = fault_begin,
	.commit = fault_commit,
	.rollback = fault_rollback,
	.version = fault_version,
	.put_version = fault_put_version,
	.advisory = fault_advisory,
	.put_advisory = fault_put_advisory,
};

void fault_db_init(struct fault_db *fault, struct db *next)
{
	*fault = (struct fault_db){ .db = { .ops = &fault_ops, .url = next->url }, .next = next };
}

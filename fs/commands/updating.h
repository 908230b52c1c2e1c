/* SPDX-License-Identifier: BSD-3-Clause */
/* updating.h - the updater as a command runs it, and what is said of it. */
#ifndef PUBFS_UPDATING_H
#define PUBFS_UPDATING_H

#include "compiler.h"
#include "export.h"

struct facts;
struct strbuf;
struct options;
struct stack;
struct updater;

struct updating {
	const struct options *o;   /* borrowed, */
	const struct stack *stack; /* as is this */
	struct exporter_options export;
	struct updater *updater;
};
/* The stack has a bucket, archives and a database, and lasts until updating_stop(). */
int updating_start(const struct options *o, const struct stack *stack,
		   struct updating *ret) MUST_CHECK;
/* Where it was not started, nothing. */
void updating_stop(struct updating *u);
/* "updater": {...}, or its metrics; nothing where it was not started. */
void updating_add_facts(const struct updating *u, struct facts *f);
void updating_add_metrics(const struct updating *u, struct strbuf *out);

#endif

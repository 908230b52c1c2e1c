/* SPDX-License-Identifier: BSD-3-Clause */
/* item.h - one package on its way through an export: its rows, documents, plans and results. */
#ifndef PUBFS_ITEM_H
#define PUBFS_ITEM_H

#include <stdbool.h>
#include <stddef.h>

#include "body.h"
#include "pass.h"
#include "plan.h"
#include "strbuf.h"
#include "survey.h"

#define DOCUMENTS_MAX 8

/* A package in one prefix. */
struct target {
	const char *prefix;
	struct survey have;
	struct plan plan;
	struct publication *publications; /* one for each step; the batch's */
	bool raced;
	char *error; /* owned; NULL: it is as it should be */
	unsigned char seen[SHA256_SIZE];
};

struct item {
	const char *name;
	struct package pkg;
	struct release_list releases;
	struct survey canonical;
	struct strbuf documents[DOCUMENTS_MAX];
	struct body bodies[DOCUMENTS_MAX];
	struct target targets[PREFIXES_MAX];
	size_t reserved;
	bool gone; /* its row went away meanwhile */
};

void item_init(const struct pass *pass, struct item *item, const char *name);
/* Back to what item_init() made of it. */
void item_clear(struct item *item);

/* Its rows, in one snapshot. */
void item_read(const struct pass *pass, struct item *item);
/* What its rows and documents may take. */
size_t item_bytes(const struct item *item);
/* Documents, once for all prefixes, and for each of them a plan, against what the index says. */
void item_prepare(const struct pass *pass, struct item *item);

/* Its cause was said last in this thread. */
void target_fail(struct target *t, int r);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* bucket.h - setting up the bucket behind a store of Google Cloud Storage. */
#ifndef PUBFS_BUCKET_H
#define PUBFS_BUCKET_H

#include <stdbool.h>

#include "compiler.h"

struct store;

/* Borrowed; NULL: the server's default. */
struct bucket_settings {
	const char *project; /* NULL: the one that the credentials name */
	const char *location, *storage_class;
};

/* True for a store that is a bucket of Google's API: not one of this host. */
bool bucket_is_remote(const char *url);
/*
 * Makes the bucket of a driver that store_open_with() gave, with uniform access, unless it is
 * there. 1: made. 0: it was there; what differs from the settings is left as it is, and named in a
 * warning. Every failure has been said.
 */
int bucket_provision(struct store *driver, const struct bucket_settings *settings) MUST_CHECK;

#endif

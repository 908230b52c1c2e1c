/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.h - where the stores of a test's world are: in memory (place_mem.c, for most tests), in
 * folders (place_dir.c), in buckets of our own server (tests/gcs/place_gcs.c) or of fake-gcs-server
 * (tests/gcs/place_fake_gcs.c). A test is linked with one of them.
 */
#ifndef PUBFS_TESTS_EXPORT_PLACE_H
#define PUBFS_TESTS_EXPORT_PLACE_H

struct store;

/* An empty store; of the same name always a new one. A place that this system lacks skips the
 * test. */
void place_open(const char *name, struct store **ret);
/* After all of its stores were closed. */
void place_release(void);

#endif

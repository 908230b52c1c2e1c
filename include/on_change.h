/* SPDX-License-Identifier: BSD-3-Clause */
/* on_change.h - a command that is told the name of each changed object, as to purge a CDN of it. */
#ifndef PUBFS_ON_CHANGE_H
#define PUBFS_ON_CHANGE_H

#include "compiler.h"

struct on_change;
struct publication;

/* Run by the shell; it gets a name a line on its standard input, and is run again if it ends. */
int on_change_start(const char *command, struct on_change **ret) MUST_CHECK;
/* For publisher_watch(). A younger `validated` alone is no change. Any thread; never waits for the
 * command. */
void on_change_tell(void *on_change, const struct publication *p);
/* Tells what is left, closes its standard input, and waits for its end. NULL: nothing. */
void on_change_stop(struct on_change *oc);

#endif

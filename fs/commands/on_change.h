/* SPDX-License-Identifier: BSD-3-Clause */
/* on_change.h - a command that is told the name of each changed object, such as one that purges a CDN. */
#ifndef PUBFS_ON_CHANGE_H
#define PUBFS_ON_CHANGE_H

#include "compiler.h"

struct on_change;

/* Run by the shell; it gets a name a line on its standard input, and is run again if it ends. */
int on_change_start(const char *command, struct on_change **ret) MUST_CHECK;
/* Any thread; never waits for the command. `ctx` is the struct on_change. */
void on_change_tell(void *ctx, const char *key);
/* Tells what is left, closes its standard input, and waits for its end. NULL: nothing. */
void on_change_stop(struct on_change *oc);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proxy.h - stands between a client and the private server, and cuts a connection at a step of the
 * client's choosing. A step is what the client sends at once and then waits for: a statement, or
 * the first words of a connection.
 */
#ifndef PUBFS_DB_PROXY_H
#define PUBFS_DB_PROXY_H

#include <stdbool.h>

enum cut {
	CUT_QUESTION, /* the server never hears of it */
	CUT_ANSWER,   /* it is done, and the client never hears of that */
	CUT_WITHIN,   /* half of the answer comes */
	CUT_TOLD,     /* all of it, and behind it that the server ends */
	CUTS
};

struct proxy;

/* On a Unix socket in a folder of its own, in front of the server of server.h. */
struct proxy *proxy_start(void);
void proxy_stop(struct proxy *proxy);
const char *proxy_folder(const struct proxy *proxy);

/* The n-th step from now on, of all connections together, is cut; those behind it are not. */
void proxy_arm(struct proxy *proxy, enum cut cut, int n);
/* Of which version, from 10 to 99, the server says it is to those that connect from now on. */
void proxy_say_version(struct proxy *proxy, int version);
/* From now on it takes nothing from anyone, and says nothing. */
void proxy_stand_still(struct proxy *proxy);
bool proxy_fired(const struct proxy *proxy);
/* How many connections there ever were. */
int proxy_connections(const struct proxy *proxy);

#endif

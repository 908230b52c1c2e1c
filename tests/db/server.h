/* SPDX-License-Identifier: BSD-3-Clause */
/* server.h - a private PostgreSQL server, which a test program starts once and stops by its id. */
#ifndef PUBFS_DB_SERVER_H
#define PUBFS_DB_SERVER_H

#include <stdbool.h>

#define SERVER_FOLDER "PUBFS_TEST_POSTGRESQL" /* in the environment, while one is there */

/* In a folder of its own, on a Unix socket there and no other; as an unprivileged user if we are
 * root. Starts it if it does not run; false: there is none on this system, and why is said. */
bool server_start(void);
void server_stop(void);
/* As a crash leaves it, for a later start. */
void server_kill(void);
/* What it is reached by: "host=... user=...", for PQconnectdb(), without the database. */
const char *server_conninfo(void);
/* The URL of a database in it. To be freed. */
char *server_url(const char *database);
/* For Criterion's tests (server_hooks.c), whose program has started one if it could: skips the test
 * if there is none, but fails it under CI=true. */
void server_need(void);

#endif

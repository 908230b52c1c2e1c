/* SPDX-License-Identifier: BSD-3-Clause */
/* server_hooks.c - Criterion runs each test in a process of its own: the server is started and
 * stopped in the one above them. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

void server_need(void)
{
	const char *ci = getenv("CI");

	if (getenv(SERVER_FOLDER))
		return;
	cr_assert(!ci || strcmp(ci, "true") != 0, "there is no PostgreSQL 15, and CI=true");
	cr_skip_test("there is no PostgreSQL 15 here: scripts/setup --tests installs it");
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
	(void)tests;
	if (!server_start())
		server_stop();
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
	(void)stats;
	server_stop();
}

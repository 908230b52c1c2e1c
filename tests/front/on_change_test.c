/* SPDX-License-Identifier: BSD-3-Clause */
/* on_change_test.c - the command that is told of changes: what it gets, also when it ends or is
 * slow. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"
#include "on_change.h"
#include "publish.h"
#include "strbuf.h"

#define PATIENCE (60 * SECOND_US) /* far more than it takes */

static char before[4096];
static char folder[64];

static void enter_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	cr_assert_not_null(getcwd(before, sizeof(before)));
	snprintf(folder, sizeof(folder), "%s/pubfs-on-change-XXXXXX",
		 tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
	static const char *const names[] = { "told", "once", "go", "count" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlink(names[i]);
	cr_assert_eq(chdir(before), 0);
	rmdir(folder);
}

TestSuite(on_change, .init = enter_folder, .fini = leave_folder);

static struct on_change *start(const char *command)
{
	struct on_change *oc = NULL;

	cr_assert_eq(on_change_start(command, &oc), 0);
	return oc;
}

static void tell(struct on_change *oc, const char *key)
{
	const struct publication p = { .key = key };

	on_change_tell(oc, &p);
}

static void wait_for_file(const char *name)
{
	const struct timespec nap = { .tv_nsec = 5000000 };
	int64_t until = clock_monotonic() + PATIENCE;

	while (access(name, F_OK)) {
		cr_assert_lt(clock_monotonic(), until, "%s", name);
		nanosleep(&nap, NULL);
	}
}

static void expect_file(const char *name, const char *expected)
{
	char text[4096] = "";
	FILE *f = fopen(name, "r");

	cr_assert_not_null(f, "%s", name);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	cr_assert_str_eq(text, expected);
}

Test(on_change, it_gets_a_name_a_line_and_its_end_is_waited_for)
{
	struct on_change *oc = start("cat >told; sleep 0.1; echo end >>told");

	tell(oc, "latest/api/packages/p");
	tell(oc, "latest/api/packages/q");
	on_change_stop(oc);
	expect_file("told", "latest/api/packages/p\nlatest/api/packages/q\nend\n");
	on_change_stop(NULL);
}

Test(on_change, it_is_not_run_for_nothing_nor_for_a_younger_validated)
{
	const struct publication renewed = { .key = "latest/not-found.json", .renewed = true };
	struct on_change *oc = start("echo run >>told");

	on_change_tell(oc, &renewed);
	on_change_stop(oc);
	cr_assert_neq(access("told", F_OK), 0);
}

Test(on_change, what_one_that_ended_did_not_take_is_given_to_the_next_one)
{
	struct on_change *oc = start("if [ ! -e once ]; then read -r line; exec <&-; echo >once;"
				     " else cat >told; fi");

	tell(oc, "first");
	wait_for_file("once");
	tell(oc, "second");
	tell(oc, "third");
	on_change_stop(oc);
	expect_file("told", "second\nthird\n");
}

Test(on_change, one_that_is_slow_holds_nobody_up_and_loses_whole_names_alone)
{
	CLEANUP(free_char) char *key = xcalloc(1, 1001);
	struct on_change *oc = start("while [ ! -e go ]; do sleep 0.01; done;"
				     " awk 'length != 1000 { print } END { print (NR < 34000) }' >count");

	memset(key, 'k', 1000);
	for (int i = 0; i < 40000; i++) /* 40 MB, of which 16 MiB are given and as many wait */
		tell(oc, key);
	fclose(fopen("go", "w"));
	on_change_stop(oc);
	expect_file("count", "1\n");
}

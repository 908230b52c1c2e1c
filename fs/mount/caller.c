/* SPDX-License-Identifier: BSD-3-Clause */
/* caller.c - the processes that use the mount, as /proc shows them. */
#include "caller.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compiler.h"
#include "memory.h"

#define BIT(signal) ((uint64_t)1 << ((signal)-1))

#define UNSEEN 0 /* it lives in a PID namespace of which this one sees nothing */

static _Thread_local pid_t current = CALLER_ITSELF;

void caller_set(pid_t task)
{
	current = task;
}

pid_t caller_current(void)
{
	return current == CALLER_ITSELF ? gettid() : current;
}

/* By default these do not end a process. */
#define HARMLESS                                                                                   \
	(BIT(SIGCHLD) | BIT(SIGCONT) | BIT(SIGURG) | BIT(SIGWINCH) | BIT(SIGSTOP) | BIT(SIGTSTP) | \
	 BIT(SIGTTIN) | BIT(SIGTTOU))

/* The masks of /proc/PID/status; see proc(5). */
struct masks {
	uint64_t pending, shared_pending, blocked, ignored, caught;
};

static bool read_masks(pid_t task, struct masks *ret)
{
	const struct {
		const char *name;
		uint64_t *mask;
	} rows[] = {
		{ "SigPnd:", &ret->pending }, { "ShdPnd:", &ret->shared_pending },
		{ "SigBlk:", &ret->blocked }, { "SigIgn:", &ret->ignored },
		{ "SigCgt:", &ret->caught },
	};
	CLEANUP(free_char) char *path = xasprintf("/proc/%d/status", (int)task);
	FILE *status = fopen(path, "re");
	size_t found = 0;
	char line[1024];

	if (!status)
		return false;
	while (fgets(line, sizeof(line), status))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			if (!strncmp(line, rows[i].name, strlen(rows[i].name))) {
				*rows[i].mask = strtoull(line + strlen(rows[i].name), NULL, 16);
				found++;
			}
	fclose(status);
	return found == ARRAY_SIZE(rows);
}

bool caller_is_dying(pid_t task)
{
	struct masks m;
	uint64_t pending;

	if (task == UNSEEN)
		return false; /* EINTR would disturb it at any signal that it catches */
	if (!read_masks(task, &m))
		return true;
	pending = (m.pending | m.shared_pending) & ~m.blocked;
	return pending & (BIT(SIGKILL) | ~(HARMLESS | m.ignored | m.caught));
}

/* The kernel flushes the files of a killed process too, whole or not. The exit code of its process
 * tells; the flag PF_SIGNALED would not: every thread but one of a process that ends by itself has
 * it as well, and may be the one that flushes. */
bool caller_was_killed(pid_t task)
{
	CLEANUP(free_char) char *path = xasprintf("/proc/%d/stat", (int)task);
	char line[1024];
	const char *exit_code;
	FILE *stat = fopen(path, "re");
	bool got;

	if (!stat)
		return false;
	got = fgets(line, sizeof(line), stat);
	fclose(stat);
	exit_code = got ? strrchr(line, ' ') : NULL; /* the last field, as wait(2) has it */
	return exit_code && WIFSIGNALED(atoi(exit_code));
}

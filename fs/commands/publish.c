/* SPDX-License-Identifier: BSD-3-Clause */
/* publish.c - package archives into the canonical store and the database. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "command.h"
#include "log.h"
#include "memory.h"
#include "release.h"
#include "stack.h"
#include "strbuf.h"

#define NAME_TEXT_MAX 1024

static int publish_file(const struct stack *stack, const char *path)
{
	static const char *const said[] = {
		[RELEASED_BEFORE] = "was there before",
		[RELEASED_ADDED] = "added",
		[RELEASED_ARCHIVE] = "was there; its archive is back",
	};
	CLEANUP(strbuf_release) struct strbuf name = STRBUF_INIT(NAME_TEXT_MAX);
	/* a FIFO must not make it wait: it is refused where it is read */
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return fail(-EIO, "cannot open %s: %s", path, strerror(errno));
	r = release_publish(stack->db, stack->archives, fd, path, &name);
	return r < 0 ? r : output_text("%s: %s\n", name.buf, said[r]);
}

enum exit_status command_publish(const struct options *o, int argc, char *const *argv)
{
	CLEANUP(stack_close) struct stack stack = { .bucket = NULL };
	int first = 0;
	int r = stack_open(o, STACK_DB | STACK_MAKE_DB | STACK_ARCHIVES | STACK_MAKE_ARCHIVES,
			   &stack);

	if (r < 0)
		return exit_status_of(r);
	for (int i = 0; i < argc; i++) {
		r = publish_file(&stack, argv[i]);
		if (first == 0)
			first = r;
	}
	return exit_status_of(first);
}

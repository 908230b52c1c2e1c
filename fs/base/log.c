/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c - one line a message, to standard error, a file or syslog. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "clock.h"
#include "compiler.h"
#include "strbuf.h"

#define LINE_MAX_BYTES 4096

enum target { TO_STDERR, TO_FILE, TO_SYSLOG };

/* Set at start, before there is a thread; the level may be asked by any. */
static struct {
	_Atomic int threshold;
	enum target target;
	int fd;
} sink = { .threshold = LEVEL_WARNING, .target = TO_STDERR, .fd = -1 };

static const struct {
	const char *name;
	int priority;
} levels[] = {
	[LEVEL_ERROR] = { "error", LOG_ERR },
	[LEVEL_WARNING] = { "warning", LOG_WARNING },
	[LEVEL_INFO] = { "info", LOG_INFO },
	[LEVEL_DEBUG] = { "debug", LOG_DEBUG },
};

static _Thread_local char last_failure[LINE_MAX_BYTES];
static _Thread_local bool muted;

void log_set_level(enum log_level level)
{
	sink.threshold = (int)level;
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(name, levels[i].name)) {
			*ret = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

int log_to_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(-EIO, "cannot open the log file %s: %s", path, strerror(errno));
	if (sink.target == TO_FILE)
		close(sink.fd);
	sink.fd = fd;
	sink.target = TO_FILE;
	return 0;
}

void log_set_mute(bool mute)
{
	muted = mute;
}

void log_to_syslog(void)
{
	openlog("pubfs", LOG_PID, LOG_DAEMON);
	sink.target = TO_SYSLOG;
}

/* The message with its control characters shown, so that it is one line. */
static void add_visible(struct strbuf *line, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			strbuf_addf(line, "\\x%02x", c);
		else
			strbuf_addch(line, *text);
	}
}

static void say_to(enum target target, enum log_level level, const char *message)
{
	CLEANUP(strbuf_release) struct strbuf line = STRBUF_INIT(8 * LINE_MAX_BYTES);
	int fd = target == TO_FILE ? sink.fd : STDERR_FILENO;

	if (target == TO_FILE) {
		clock_format(clock_now(), &line);
		strbuf_addf(&line, " %s: ", levels[level].name);
	} else if (target == TO_STDERR) {
		strbuf_addstr(&line, "pubfs: ");
		if (level == LEVEL_WARNING)
			strbuf_addstr(&line, "warning: ");
	}
	add_visible(&line, message);
	if (target == TO_SYSLOG) {
		syslog(levels[level].priority, "%s", line.buf);
		return;
	}
	strbuf_addch(&line, '\n');
	/* one write, so that lines of threads and processes do not mix; there is nobody to tell */
	if (write(fd, line.buf, line.len) < 0)
		return;
}

/* An error is for whoever typed the command, too; the standard error of a daemon is nowhere. */
static void say(enum log_level level, const char *message)
{
	if ((int)level > sink.threshold || muted)
		return;
	say_to(sink.target, level, message);
	if (sink.target == TO_FILE && level == LEVEL_ERROR)
		say_to(TO_STDERR, level, message);
}

static void format(char message[LINE_MAX_BYTES], const char *fmt, va_list ap) PRINTF(2, 0);
static void format(char message[LINE_MAX_BYTES], const char *fmt, va_list ap)
{
	int saved = errno;

	vsnprintf(message, LINE_MAX_BYTES, fmt, ap);
	errno = saved;
}

int fail(int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	format(last_failure, fmt, ap);
	va_end(ap);
	say(LEVEL_ERROR, last_failure);
	return r;
}

#define DEFINE_LOG(name, level)                                                                    \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		char message[LINE_MAX_BYTES];                                                      \
		va_list ap;                                                                        \
                                                                                                   \
		if ((level) > sink.threshold)                                                      \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		format(message, fmt, ap);                                                          \
		va_end(ap);                                                                        \
		say(level, message);                                                               \
	}

DEFINE_LOG(log_warning, LEVEL_WARNING)
DEFINE_LOG(log_info, LEVEL_INFO)
DEFINE_LOG(log_debug, LEVEL_DEBUG)

const char *log_last_failure(void)
{
	return last_failure;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rm_brake.c - how much of what the database shows may go from latest/ by hand in an hour.
 *
 * The file has the wall-clock time of each removal that was let pass, in microseconds, a line each.
 * Whoever asks holds its lock, drops what is an hour old, and adds a line if there is room. A time
 * that is ahead of the clock counts, too: turning the clock back gives nobody a new hour.
 *
 * Lock order: rm_brake.lock, then the file's.
 */
#include "rm_brake.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "catalog.h"
#include "db.h"
#include "log.h"
#include "memory.h"
#include "object.h"
#include "package.h"
#include "store.h"
#include "strbuf.h"
#include "survey.h"

#define FILE_MAX  ((size_t)64 << 20) /* three million removals an hour */
#define COUNT_AGE MINUTE_US	      /* how old the number of packages may be */

struct rm_brake {
	struct rm_brake_options opt;
	pthread_mutex_t lock; /* of all below */
	uint64_t present;     /* packages in latest/, when they were counted */
	int64_t counted;      /* monotonic; 0: never */
	uint64_t refused;
};

int rm_brake_new(const struct rm_brake_options *options, struct rm_brake **ret)
{
	struct rm_brake *brake = xcalloc(1, sizeof(*brake));

	brake->opt = *options;
	if (!brake->opt.clock)
		brake->opt.clock = clock_now;
	pthread_mutex_init(&brake->lock, NULL);
	*ret = brake;
	return 0;
}

void rm_brake_free(struct rm_brake *brake)
{
	if (!brake)
		return;
	pthread_mutex_destroy(&brake->lock);
	free(brake);
}

/* Of any version, where none is named. */
static bool shows_version(const struct package *pkg, struct name_part version)
{
	if (version.len) {
		const struct package_version *row =
			package_find_version(pkg, version.text, version.len);

		return row && package_version_is_visible(row);
	}
	for (size_t i = 0; i < pkg->n_versions; i++)
		if (package_version_is_visible(&pkg->versions[i]))
			return true;
	return false;
}

/* 1: clients are to see it. Documents are shown with any version of their package. */
static int is_shown(const struct rm_brake *brake, const char *key)
{
	static const char prefix[] = "latest/";
	CLEANUP(package_release) struct package pkg;
	CLEANUP(free_char) char *package = NULL;
	struct object_name name;
	int r;

	package_init(&pkg);
	if (strncmp(key, prefix, strlen(prefix)) != 0 || catalog_match(key, &name) == KIND_NONE ||
	    !name.package.len)
		return 0;
	package = xstrndup(name.package.text, name.package.len);
	r = db_package(brake->opt.db, package, &pkg);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(-EIO, "%s was not removed: the database cannot say whether it is shown",
			    key);
	return package_is_visible(&pkg) && shows_version(&pkg, name.version);
}

/* The most that passes. What is there is counted only where that can matter. */
static int find_limit(struct rm_brake *brake, uint64_t taken, uint64_t *ret)
{
	int64_t now = clock_monotonic();

	if (taken >= brake->opt.limit.number && brake->opt.limit.percent &&
	    (!brake->counted || now - brake->counted > COUNT_AGE)) {
		int r = survey_count(brake->opt.store, "latest", &brake->present);

		if (r < 0)
			return r;
		brake->counted = now;
	}
	*ret = brake_most(&brake->opt.limit, brake->present);
	return 0;
}

static int open_times(const struct rm_brake *brake)
{
	int fd = open(brake->opt.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0) {
		int r = fail(-EIO, "cannot keep count of removals in %s: %s", brake->opt.path,
			     strerror(errno));

		close_fd(&fd);
		return r;
	}
	return fd;
}

/* Appends the lines that count at `now`, and how many they are. */
static int load_times(const struct rm_brake *brake, int fd, int64_t now, struct strbuf *out,
		      uint64_t *ret)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(FILE_MAX);
	char *buf, *rest, *line;
	ssize_t n;
	off_t size = lseek(fd, 0, SEEK_END);

	*ret = 0;
	buf = size < 0 ? NULL : strbuf_reserve(&text, (size_t)size);
	n = buf ? pread(fd, buf, (size_t)size, 0) : -1;
	if (n < 0)
		return fail(-EIO, "cannot read the count of removals in %s", brake->opt.path);
	strbuf_setlen(&text, (size_t)n);
	for (rest = text.buf; (line = strsep(&rest, "\n")) && *line;) {
		int64_t time = strtoll(line, NULL, 10);

		if (now - time >= RM_BRAKE_SPAN)
			continue;
		strbuf_addf(out, "%" PRId64 "\n", time);
		++*ret;
	}
	return strbuf_error(out);
}

static int save_times(int fd, const struct strbuf *text)
{
	ssize_t n = pwrite(fd, text->buf, text->len, 0);

	return n == (ssize_t)text->len && !ftruncate(fd, n) ? 0 : -EIO;
}

/* 1: it is let pass, and counted. */
static int take(struct rm_brake *brake, uint64_t *ret_taken, uint64_t *ret_limit)
{
	CLEANUP(strbuf_release) struct strbuf times = STRBUF_INIT(FILE_MAX);
	CLEANUP(close_fd) int fd = open_times(brake);
	int64_t now = brake->opt.clock();
	int r;

	if (fd < 0)
		return fd;
	r = load_times(brake, fd, now, &times, ret_taken);
	if (!r)
		r = find_limit(brake, *ret_taken, ret_limit);
	if (r < 0 || *ret_taken >= *ret_limit)
		return r;
	strbuf_addf(&times, "%" PRId64 "\n", now);
	r = save_times(fd, &times);
	return r < 0 ? fail(r, "cannot keep count of removals in %s", brake->opt.path) : 1;
}

int rm_brake_ask(struct rm_brake *brake, const char *key)
{
	uint64_t taken = 0, limit = 0;
	int r = is_shown(brake, key);

	if (r <= 0)
		return r;
	pthread_mutex_lock(&brake->lock);
	r = take(brake, &taken, &limit);
	brake->refused += r == 0;
	pthread_mutex_unlock(&brake->lock);
	if (r)
		return r < 0 ? r : 0;
	return fail(-EPERM,
		    "%s was not removed: in the last hour %" PRIu64 " objects were that the "
		    "database shows, and more than %" PRIu64 " are held; take it down in the "
		    "database, or use --unlimited-rm",
		    key, taken, limit);
}

int rm_brake_status(struct rm_brake *brake, struct rm_brake_status *ret)
{
	CLEANUP(strbuf_release) struct strbuf times = STRBUF_INIT(FILE_MAX);
	int r, fd;

	pthread_mutex_lock(&brake->lock);
	fd = open_times(brake);
	r = fd < 0 ? fd : load_times(brake, fd, brake->opt.clock(), &times, &ret->counted);
	close_fd(&fd);
	if (!r)
		r = find_limit(brake, UINT64_MAX, &ret->limit);
	ret->refused = brake->refused;
	pthread_mutex_unlock(&brake->lock);
	return r;
}

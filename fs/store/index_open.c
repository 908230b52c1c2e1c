/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * index_open.c - the folder of an index, its locks, and whether what lies there can be trusted.
 *
 *	data.mdb, lock.mdb	LMDB's own
 *	lock			held shared by every process that has the index open
 *	open.lock		held while one opens or closes it, so that one alone decides
 *	listing.lock		held while one lists the store (index_refresh.c)
 *	closed			what data.mdb looked like when the last one had closed it
 *	damaged			somebody met damage: it is made anew at the next chance
 *
 * Nobody else has it open  -> what lies there is checked, and made anew unless it is sound.
 * Others have it open      -> it is checked, and refused unless it is sound: what is mapped by
 *                             others must not be changed under them.
 *
 * LMDB answers a damaged file with SIGBUS or abort(), so a child reads it first, all of it; but for
 * one that nobody has written to since its last user closed it: that one had either checked it, or
 * found it as the one before had closed it. The last one to close it sets it back by SETBACK, so
 * that whatever writes to it shows, in the same tick of the clock, too. What is damaged without a
 * write is met by those who read it: each row has a checksum, and who dies has not closed it.
 *
 * Nothing is synced while the index is open: the pages of a process that was killed are safe in
 * the kernel. A system crash loses them, though, in any order. So the index is marked `in use`
 * with the kernel's boot id, on disk, before anything else is written, and `clean` by the last
 * one that closes it, in a synced transaction of its own; in use at another boot is a crash.
 *
 * LMDB must not be opened twice in one process: one index a store and process.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "codec.h"
#include "driver.h"
#include "index.h"
#include "interrupt.h"
#include "log.h"
#include "memory.h"

#define MAP_SIZE    ((size_t)16 << 30) /* of the address space; the file is as large as its rows */
#define READERS_MAX 1024	       /* reading transactions of all processes at one moment */
#define LOCK_BYTES  (READERS_MAX * 64 + 4096) /* of lock.mdb: 64 a reader, and its head */
#define DIGITS	    32		       /* of the hash of the store's URL: the folder's name */

#define LOOK_NS	    (5 * 1000 * 1000) /* how soon a free lock, and an interrupt, is seen */

#define CLEAN "clean"

#define SETBACK	 (24 * 60 * 60) /* seconds; of the time at which data.mdb was written to last */
#define LOOK_MAX 128

/* What lies in the folder. The numbers are also the check's exit status. */
enum state { SOUND, ABSENT, OUTDATED, OTHER_STORE, CRASHED, DAMAGED, STATE_COUNT };

static const struct {
	const char *because;
	bool loud;
} states[] = {
	[SOUND] = { NULL, false },
	[ABSENT] = { "it is not there", false },
	[OUTDATED] = { "another version of pubfs wrote it", false },
	[OTHER_STORE] = { "the store was replaced by another", false },
	[CRASHED] = { "the system crashed while it was in use", false },
	[DAMAGED] = { "it is damaged", true },
};

static const char *const table_names[] = {
	[TABLE_OBJECTS] = "objects",
	[TABLE_TOPS] = "tops",
	[TABLE_META] = "meta",
};

const char *index_refused_file_system(unsigned long f_type)
{
	static const struct {
		unsigned long magic;
		const char *name;
	} refused[] = {
		{ NFS_SUPER_MAGIC, "NFS" },	  { SMB_SUPER_MAGIC, "SMB" },
		{ CIFS_SUPER_MAGIC, "CIFS" },	  { SMB2_SUPER_MAGIC, "SMB2" },
		{ V9FS_MAGIC, "9P" },		  { AFS_SUPER_MAGIC, "AFS" },
		{ AFS_FS_MAGIC, "AFS" },	  { CODA_SUPER_MAGIC, "Coda" },
		{ CEPH_SUPER_MAGIC, "Ceph" },	  { NCP_SUPER_MAGIC, "NCP" },
		{ OCFS2_SUPER_MAGIC, "OCFS2" },	  { 0x65735546, "FUSE" },
		{ 0x01161970, "GFS2" },		  { 0x0bd00bd0, "Lustre" },
		{ 0x47504653, "GPFS" },		  { 0xaad7aaea, "Panasas" },
		{ 0x013111a8, "BeeGFS (IBRIX)" }, { 0x19830326, "BeeGFS" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (refused[i].magic == f_type)
			return refused[i].name;
	return NULL;
}

static int make_folders(const char *path)
{
	CLEANUP(free_char) char *copy = xstrdup(path);
	CLEANUP(free_char) char *parent = NULL;
	struct stat st;
	int r;

	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : fail(-EIO, "%s is not a folder", path);
	parent = xstrdup(dirname(copy));
	if (strcmp(parent, path) != 0) {
		r = make_folders(parent);
		if (r < 0)
			return r;
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(-EIO, "cannot make the folder %s: %s; name another with --cache", path,
			    strerror(errno));
	return 0;
}

int index_place(const char *cache_dir, const char *url, char **ret)
{
	CLEANUP(free_char) char *dir = NULL;
	unsigned char sum[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	const char *refused;
	struct statfs fs;
	int r = make_folders(cache_dir);

	if (r < 0)
		return r;
	if (statfs(cache_dir, &fs) < 0)
		return fail(-EIO, "cannot look at %s: %s", cache_dir, strerror(errno));
	refused = index_refused_file_system((unsigned long)fs.f_type);
	if (refused)
		return fail(-ENOTSUP, "%s lies on %s: the index needs a local file system, name "
				      "one with --cache", cache_dir, refused);
	sha256(url, strlen(url), sum);
	hex_encode(sum, SHA256_SIZE, hex);
	dir = xasprintf("%s/%.*s", cache_dir, DIGITS, hex);
	r = make_folders(dir);
	if (!r)
		*ret = steal(dir);
	return r;
}

int index_lock(const struct index *x, const char *name, int operation, int *ret_fd)
{
	CLEANUP(free_char) char *path = xasprintf("%s/%s", x->dir, name);
	static const struct timespec look = { .tv_nsec = LOOK_NS };
	CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0 && errno == ENOENT)
		return fail(-EIO,
			    "the cache %s was removed while it was in use: end this pubfs and "
			    "start it again",
			    x->dir);
	if (fd < 0)
		return fail(-EIO, "cannot open %s: %s; name another folder with --cache", path,
			    strerror(errno));
	while ((r = flock(fd, operation | LOCK_NB)) < 0 && errno == EWOULDBLOCK &&
	       !(operation & LOCK_NB)) {
		if (interrupt_asked())
			return -ECANCELED;
		nanosleep(&look, NULL);
	}
	if (r < 0)
		return fail(-EIO, "cannot lock %s: %s", path, strerror(errno));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* LMDB leaves holes in this file and writes to it in its mapping, where a full disk is a SIGBUS. It
 * takes the size that it finds. Where a file system cannot give the room now, the risk stays. */
static int reserve_readers(const struct index *x)
{
	CLEANUP(free_char) char *path = xasprintf("%s/lock.mdb", x->dir);
	CLEANUP(close_fd) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(-EIO, "cannot open %s: %s", path, strerror(errno));
	if (fallocate(fd, 0, 0, LOCK_BYTES) < 0 && errno != EOPNOTSUPP)
		return fail(-EIO, "cannot make room for the index in %s: %s; name another folder "
				  "with --cache", x->dir, strerror(errno));
	return 0;
}

static int open_tables(struct index *x, unsigned flags)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int rc, r = flags & MDB_CREATE ? txn_write(x, &t) : txn_read(x, &t);

	if (r < 0)
		return r;
	for (enum table i = 0; i < TABLE_COUNT; i++) {
		rc = mdb_dbi_open(t.mdb, table_names[i], flags, &x->tables[i]);
		if (rc)
			return index_failed(x, "open", rc);
	}
	return txn_commit(&t);
}

/* Commits are synced until MDB_NOSYNC is set. */
static int open_env(struct index *x, unsigned env_flags, unsigned table_flags)
{
	int dead, r, rc = mdb_env_create(&x->env);

	if (!rc)
		rc = mdb_env_set_mapsize(x->env, MAP_SIZE);
	if (!rc)
		rc = mdb_env_set_maxreaders(x->env, READERS_MAX);
	if (!rc)
		rc = mdb_env_set_maxdbs(x->env, TABLE_COUNT);
	if (!rc)
		rc = mdb_env_open(x->env, x->dir, MDB_NOTLS | env_flags, 0600);
	r = rc ? index_failed(x, "open", rc) : open_tables(x, table_flags);
	if (r < 0)
		mdb_env_close(steal(x->env));
	else
		mdb_reader_check(x->env, &dead);
	return r;
}

static int put_text(const struct txn *t, const char *name, const char *text)
{
	return table_put(t, TABLE_META, name, (struct slice){ text, strlen(text) });
}

/* 1: that is kept under the name, 0: something else; -ENOENT: nothing. */
static int has_text(const struct txn *t, const char *name, const char *text)
{
	struct slice s;
	int r = table_get(t, TABLE_META, name, &s);

	return r < 0 ? r : s.n == strlen(text) && !memcmp(s.bytes, text, s.n);
}

static const char *identity_of(const struct index *x)
{
	return x->store.identity ? x->store.identity : "";
}

/* One that is not known is like no other. */
static char *boot_id(void)
{
	char text[64] = "";
	CLEANUP(close_fd) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	return n > 0 ? xstrndup(text, strcspn(text, "\n")) : identity_new();
}

static bool all_is_sound(const struct txn *t)
{
	/* LMDB's own tables: the free pages, and the names of the others */
	return table_is_sound(t, 0, NULL) && table_is_sound(t, 1, NULL) &&
	       table_is_sound(t, t->x->tables[TABLE_TOPS], NULL) &&
	       table_is_sound(t, t->x->tables[TABLE_META], NULL) &&
	       table_is_sound(t, t->x->tables[TABLE_OBJECTS], row_check);
}

static char *path_in(const struct index *x, const char *name)
{
	return xasprintf("%s/%s", x->dir, name);
}

/* What changes with every write to data.mdb; NULL: it cannot be seen. */
static char *look_of_data(const struct index *x)
{
	CLEANUP(free_char) char *path = path_in(x, "data.mdb");
	struct stat st;

	if (stat(path, &st) < 0)
		return NULL;
	return xasprintf("%llu %lld %lld.%09ld\n", (unsigned long long)st.st_ino,
			 (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static bool is_as_closed(const struct index *x)
{
	CLEANUP(free_char) char *path = path_in(x, "closed");
	CLEANUP(free_char) char *look = look_of_data(x);
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[LOOK_MAX] = "";

	return fd >= 0 && look && read(fd, text, sizeof(text) - 1) > 0 && !strcmp(text, look);
}

/* Where it fails, all is read at the next opening. */
static void keep_look(const struct index *x)
{
	CLEANUP(free_char) char *data = path_in(x, "data.mdb"), *path = path_in(x, "closed");
	CLEANUP(free_char) char *look = NULL;
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { 0 } };

	clock_gettime(CLOCK_REALTIME, &times[1]);
	times[1].tv_sec -= SETBACK;
	if (fd < 0 || utimensat(AT_FDCWD, data, times, 0) < 0)
		return;
	look = look_of_data(x);
	if (look && write(fd, look, strlen(look)) < 0)
		log_debug("%s was not written: %s", path, strerror(errno));
}

void index_note_damage(const struct index *x)
{
	CLEANUP(free_char) char *path = path_in(x, "damaged");
	CLEANUP(close_fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		log_debug("%s was not made: %s", path, strerror(errno));
}

static bool is_known_damage(const struct index *x)
{
	CLEANUP(free_char) char *path = path_in(x, "damaged");

	return access(path, F_OK) == 0;
}

/* What the child does. It may die of what it reads. */
static enum state check(struct index *x, bool alone)
{
	bool trusted = is_as_closed(x);
	CLEANUP(free_char) char *format = row_format(), *boot = boot_id();
	CLEANUP(txn_abort) struct txn t = { .x = x };
	const struct {
		const char *name, *expected;
		enum state otherwise;
	} marks[] = {
		{ "boot", boot, CRASHED },
		{ "format", format, OUTDATED },
		{ "url", x->store.url, OTHER_STORE },
		{ "identity", identity_of(x), OTHER_STORE },
	};
	bool clean;

	if (open_env(x, MDB_RDONLY, 0) < 0 || txn_read(x, &t) < 0)
		return DAMAGED;
	/* while others have it open, there was no crash */
	clean = !alone || has_text(&t, "clean", CLEAN) == 1;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		int r = has_text(&t, marks[i].name, marks[i].expected);

		if (r < 0)
			return DAMAGED;
		if (!r && !(clean && marks[i].otherwise == CRASHED))
			return marks[i].otherwise;
	}
	return trusted || all_is_sound(&t) ? SOUND : DAMAGED;
}

/* Dies of a fault as it should: quietly, whatever the parent had set up. */
static void be_a_child(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT };
	const struct rlimit no_core = { 0, 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (log_to_file("/dev/null") < 0)
		_exit(DAMAGED);
}

static int check_in_child(struct index *x, bool alone, enum state *ret)
{
	CLEANUP(free_char) char *path = path_in(x, "data.mdb");
	int status;
	pid_t pid;

	if (access(path, F_OK) < 0 || (alone && is_known_damage(x))) {
		*ret = access(path, F_OK) < 0 ? ABSENT : DAMAGED;
		return 0;
	}
	pid = fork();
	if (pid < 0)
		return fail(-EIO, "cannot start a process that checks the index in %s: %s", x->dir,
			    strerror(errno));
	if (pid == 0) {
		be_a_child();
		_exit((int)check(x, alone));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail(-EIO, "cannot wait for the check of the index in %s: %s",
				    x->dir, strerror(errno));
	*ret = WIFEXITED(status) && WEXITSTATUS(status) < DAMAGED
		       ? (enum state)WEXITSTATUS(status)
		       : DAMAGED;
	return 0;
}

static int remove_files(const struct index *x)
{
	static const char *const names[] = { "data.mdb", "lock.mdb", "closed", "damaged" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_char) char *path = path_in(x, names[i]);

		if (unlink(path) < 0 && errno != ENOENT)
			return fail(-EIO, "cannot remove %s: %s", path, strerror(errno));
	}
	return 0;
}

static int decide(struct index *x, bool alone)
{
	enum state state = DAMAGED;
	int r = check_in_child(x, alone, &state);

	if (r < 0 || state == SOUND)
		return r;
	if (!alone)
		return fail(-EIO, "the index in %s cannot be used: %s; stop the other pubfs that "
				  "have it open, then it is made anew", x->dir,
			    states[state].because);
	(states[state].loud ? log_warning : log_info)("the index in %s is made anew: %s", x->dir,
						      states[state].because);
	return remove_files(x);
}

/* Writes who wrote it and for what, where that is not there yet. */
static int mark_in_use(struct index *x)
{
	CLEANUP(free_char) char *format = row_format(), *boot = boot_id();
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int r = txn_write(x, &t);

	if (r < 0)
		return r;
	if (has_text(&t, "clean", CLEAN) < 0 && has_text(&t, "boot", boot) == 1)
		return 0;
	r = put_text(&t, "format", format);
	if (!r)
		r = put_text(&t, "url", x->store.url);
	if (!r)
		r = put_text(&t, "identity", identity_of(x));
	if (!r)
		r = put_text(&t, "boot", boot);
	if (!r)
		r = table_remove(&t, TABLE_META, "clean");
	return r ? r : txn_commit(&t);
}

static int open_under_lock(struct index *x)
{
	/* others take it under open.lock too, so between two calls nobody does */
	bool alone = flock(x->lock, LOCK_EX | LOCK_NB) == 0;
	int r;

	if (!alone && flock(x->lock, LOCK_SH) < 0)
		return fail(-EIO, "cannot lock the index in %s: %s", x->dir, strerror(errno));
	r = decide(x, alone);
	if (!r)
		r = reserve_readers(x);
	if (!r)
		r = open_env(x, 0, MDB_CREATE);
	if (!r)
		r = mark_in_use(x);
	if (!r && flock(x->lock, LOCK_SH) < 0)
		r = fail(-EIO, "cannot lock the index in %s: %s", x->dir, strerror(errno));
	if (!r)
		mdb_env_set_flags(x->env, MDB_NOSYNC, 1);
	return r;
}

static void leave(struct index *x)
{
	if (x->env)
		mdb_env_close(steal(x->env));
	close_fd(&x->lock);
	free(x->dir);
}

int index_open(struct index *x, const char *cache_dir)
{
	CLEANUP(close_fd) int opening = -1;
	int r;

	x->lock = -1;
	r = index_place(cache_dir, x->store.url, &x->dir);
	if (!r)
		r = index_lock(x, "open.lock", LOCK_EX, &opening);
	if (!r)
		r = index_lock(x, "lock", LOCK_SH, &x->lock);
	if (!r)
		r = open_under_lock(x);
	if (r < 0)
		leave(x);
	return r;
}

/* In a synced transaction, which syncs all that was written before it, and itself last. */
static int mark_clean(struct index *x)
{
	CLEANUP(txn_abort) struct txn t = { .x = x };
	int r;

	mdb_env_set_flags(x->env, MDB_NOSYNC, 0);
	r = txn_write(x, &t);
	if (!r)
		r = put_text(&t, "clean", CLEAN);
	return r ? r : txn_commit(&t);
}

void index_close(struct index *x)
{
	CLEANUP(close_fd) int closing = -1;

	if (!index_lock(x, "open.lock", LOCK_EX, &closing) &&
	    !flock(x->lock, LOCK_EX | LOCK_NB)) {
		/* a mark that is missing costs one listing, and that after a crash only */
		if (mark_clean(x) < 0)
			log_info("the index in %s was not closed cleanly", x->dir);
		else
			keep_look(x);
	}
	leave(x);
}

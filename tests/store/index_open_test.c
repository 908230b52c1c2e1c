/* SPDX-License-Identifier: BSD-3-Clause */
/* index_open_test.c - what an index survives, what makes it anew, and who may share it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "body.h"
#include "conformance.h"
#include "index_world.h"
#include "log.h"
#include "memory.h"
#include "store_links.h"

#define KEY	"latest/api/packages/http"
#define OBJECTS 2000

static void fill(struct world *w)
{
	world_open(w);
	for (int i = 0; i < OBJECTS; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%04d", i);

		cr_assert_eq(put_text(w->mem, key, "x", STORE_ABSENT, NULL), 0);
	}
	cr_assert_eq(put_text(w->mem, KEY, "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(store_refresh(w->s, "", 0), 0);
	cr_assert_eq(store_refresh(w->s, "latest/", 0), 0);
	counter_read(w->counter);
}

/* Opens again; true: from nothing. */
static bool is_made_anew(struct world *w)
{
	world_reopen(w);
	cr_assert_eq(generation_of(w->s, KEY), generation_of(w->mem, KEY));
	return counter_read(w->counter).list;
}

static void put_meta(struct world *w, const char *name, const char *value)
{
	CLEANUP(txn_abort) struct txn t = { .mdb = NULL };

	cr_assert_eq(txn_write(world_index(w), &t), 0);
	cr_assert_eq(table_put(&t, TABLE_META, name, (struct slice){ value, strlen(value) }), 0);
	cr_assert_eq(txn_commit(&t), 0);
}

/* Leaves the index as a process does that is killed: its folder is copied while it is open. */
static void reopen_as_killed(struct world *w)
{
	CLEANUP(free_char) char *copy = xasprintf("%s.copy", w->cache);
	CLEANUP(free_char) char *command = xasprintf("cp -r %s %s", w->cache, copy);
	CLEANUP(free_char) char *old = w->cache;

	cr_assert_eq(system(command), 0);
	w->cache = steal(copy);
	world_reopen(w);
	remove_tree(old);
}

Test(index_open, an_index_that_was_closed_is_used_again)
{
	struct world w;

	fill(&w);
	cr_assert(!is_made_anew(&w));
	world_close(&w);
}

Test(index_open, one_that_was_removed_while_it_was_in_use_is_said)
{
	struct world w;

	fill(&w);
	remove_tree(world_index(&w)->dir);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), -EIO);
	cr_assert_not_null(strstr(log_last_failure(), "start it again"));
	cr_assert_neq(generation_of(w.s, KEY), 0);
	world_close(&w);
}

Test(index_open, what_makes_an_index_worthless)
{
	static const struct {
		const char *name, *value;
	} marks[] = {
		{ "format", "0" }, { "url", "mem:other" }, { "identity", "another" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct world w;

		fill(&w);
		put_meta(&w, marks[i].name, marks[i].value);
		cr_assert(is_made_anew(&w), "%s", marks[i].name);
		cr_assert(!is_made_anew(&w), "%s", marks[i].name);
		world_close(&w);
	}
}

Test(index_open, a_killed_process_costs_nothing_and_a_crashed_system_the_index)
{
	struct world w;

	fill(&w);
	reopen_as_killed(&w);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(counter_read(w.counter).list, 0);
	put_meta(&w, "boot", "another");
	cr_assert(!is_made_anew(&w)); /* closed cleanly, so it may have been another boot */
	put_meta(&w, "boot", "another");
	reopen_as_killed(&w);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(counter_read(w.counter).list, 2);
	world_close(&w);
}

Test(index_open, another_store_under_the_url_is_another_index)
{
	struct world w;
	struct store *s, *other;

	fill(&w);
	cr_assert_eq(store_open("mem:other", STORE_CREATE, &other), 0);
	cr_assert_eq(index_push(other, w.cache, &s), 0); /* of its own, beside the first */
	cr_assert_eq(generation_of(s, KEY), 0);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	store_close(s);
	world_close(&w);
}

Test(index_open, folders_and_files_are_for_their_owner_alone)
{
	static const char *const names[] = { "",	     "data.mdb",  "lock.mdb", "lock",
					     "listing.lock", "open.lock", "closed" };
	struct world w;

	umask(0);
	fill(&w);
	world_reopen(&w);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CLEANUP(free_char) char *path = world_path(&w, names[i]);
		struct stat st;

		cr_assert_eq(stat(path, &st), 0, "%s", path);
		cr_assert_eq(st.st_mode & 07777, *names[i] ? 0600 : 0700, "%s", path);
	}
	world_close(&w);
}

/* A hole in a file that is mapped for writing is a SIGBUS once the disk is full. */
Test(index_open, the_mapped_table_of_readers_has_its_room_from_the_start)
{
	struct world w;
	struct stat st;

	world_open(&w);
	for (int i = 0; i < 2; i++) {
		CLEANUP(free_char) char *path = xasprintf("%s/lock.mdb", world_index(&w)->dir);

		cr_assert_eq(stat(path, &st), 0);
		cr_assert_geq(st.st_size, 64 << 10);
		cr_assert_geq(st.st_blocks * 512, st.st_size);
		world_reopen(&w);
	}
	world_close(&w);
}

Test(index_open, missing_folders_are_made_and_a_file_in_the_way_is_said)
{
	CLEANUP(free_char) char *deep = NULL, *blocked = NULL;
	struct world w;
	struct store *mem, *s;

	world_open(&w);
	deep = xasprintf("%s/a/b/c", w.cache);
	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	cr_assert_eq(index_push(mem, deep, &s), 0);
	blocked = world_path(&w, "lock/x");
	store_close(s);
	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	cr_assert_eq(index_push(mem, blocked, &s), -EIO);
	store_close(mem); /* was not taken */
	world_close(&w);
}

Test(index_open, network_file_systems_are_known_by_number)
{
	static const unsigned long refused[] = { NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, V9FS_MAGIC,
						 AFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, 0x65735546 };
	static const unsigned long local[] = { EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
					       XFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC };

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		cr_assert_not_null(index_refused_file_system(refused[i]));
	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		cr_assert_null(index_refused_file_system(local[i]));
}

static void scribble(const char *path, off_t offset, size_t n, const char *pattern)
{
	int fd = open(path, O_WRONLY);

	for (size_t i = 0; i < n; i += strlen(pattern))
		cr_assert_gt(pwrite(fd, pattern, strlen(pattern), offset + (off_t)i), 0);
	close(fd);
}

static unsigned lines_of_log(const char *path, const char *needle)
{
	char line[5000];
	unsigned n = 0;
	FILE *f = fopen(path, "r");

	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, needle) != NULL;
	fclose(f);
	return n;
}

/* Damage in a copy of a closed index: wherever it is, the answers are the truth afterwards. */
static void damage(size_t page, bool truncate_it, const char *pattern, unsigned *anew)
{
	CLEANUP(free_char) char *data = NULL, *log = NULL;
	struct world w;
	struct stat st;
	bool made;

	fill(&w);
	data = world_path(&w, "data.mdb");
	log = world_path(&w, "log");
	cr_assert_eq(log_to_file(log), 0);
	w.meddler->next = NULL;
	store_close(w.s);
	cr_assert_eq(stat(data, &st), 0);
	if (truncate_it)
		cr_assert_eq(truncate(data, (off_t)page * 4096), 0);
	else
		scribble(data, (off_t)page * 4096, 4096, pattern);
	w.meddler = NULL;
	world_push(&w);
	cr_assert_eq(generation_of(w.s, KEY), generation_of(w.mem, KEY));
	expect_truth(&w, (const char *const[]){ "", "latest/" }, 2);
	made = counter_read(w.counter).list;
	*anew += made;
	cr_assert_eq(lines_of_log(log, "it is damaged"), made);
	cr_assert_eq(lines_of_log(log, ""), made, "said something else besides");
	cr_assert_eq(put_text(w.s, "latest/new", "x", STORE_ABSENT, NULL), 0);
	cr_assert_eq(remove_key(w.mem, "latest/0001", STORE_ANY), 0);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	expect_truth(&w, (const char *const[]){ "", "latest/" }, 2);
	world_close(&w);
}

Test(index_open, a_damaged_index_is_made_anew_and_that_is_said_once)
{
	unsigned anew = 0;

	for (size_t page = 0; page < 40; page += 3) {
		damage(page, true, NULL, &anew);
		cr_assert_eq(anew, page / 3 + 1, "truncated to %zu pages", page);
	}
	anew = 0;
	for (size_t page = 0; page < 42; page++)
		damage(page, false, page % 2 ? "\xff" : "scribble", &anew);
	cr_assert_geq(anew, 30, "%u", anew); /* the others are pages that nothing uses */
}

/* Every occurrence in a file. */
static void replace_in_file(const char *path, const char *from, const char *to)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT((size_t)64 << 20);
	CLEANUP(close_fd) int fd = open(path, O_RDWR);
	size_t n = strlen(from), found = 0;
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_not_null(strbuf_reserve(&text, (size_t)st.st_size));
	cr_assert_eq(pread(fd, text.buf, (size_t)st.st_size, 0), st.st_size);
	strbuf_setlen(&text, (size_t)st.st_size);
	for (char *at = text.buf; (at = memmem(at, text.len - (size_t)(at - text.buf), from, n));
	     at += n, found++)
		cr_assert_eq(pwrite(fd, to, n, at - text.buf), (ssize_t)n);
	cr_assert_gt(found, 0);
}

/* Damage that LMDB does not notice. */
Test(index_open, a_changed_byte_in_a_row_and_keys_in_disorder_are_damage)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "a/unusual/type", "a/unusuaI/type" },
		{ "qqq/", "zzz/" },
		{ "sss/", "aaa/" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		CLEANUP(free_char) char *data = NULL;
		struct body body = body_of_bytes("x", 1);
		struct edit e = edit_write("latest/odd", &body, 0);
		struct world w;

		fill(&w);
		e.object.type = xstrdup("a/unusual/type");
		cr_assert_eq(run_edit(w.s, &e, NULL), 0);
		cr_assert_eq(put_text(w.mem, "qqq/x", "x", STORE_ABSENT, NULL), 0);
		cr_assert_eq(put_text(w.mem, "sss/x", "x", STORE_ABSENT, NULL), 0);
		cr_assert_eq(store_refresh(w.s, "", 0), 0);
		data = world_path(&w, "data.mdb");
		w.meddler->next = NULL;
		store_close(w.s);
		replace_in_file(data, changes[i].from, changes[i].to);
		world_push(&w);
		cr_assert_neq(generation_of(w.s, KEY), 0);
		cr_assert_eq(counter_read(w.counter).list, 2, "%s", changes[i].to);
		world_close(&w);
	}
}

/* Damage that leaves no trace of a write: it is only met by who reads all of it. */
static void damage_unseen(const char *data)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	cr_assert_eq(stat(data, &st), 0);
	times[1] = st.st_mtim;
	replace_in_file(data, "a/unusual/type", "a/unusuaI/type");
	cr_assert_eq(utimensat(AT_FDCWD, data, times, 0), 0);
}

/* Closed. Returns the path of data.mdb, to be freed. */
static char *fill_with_odd(struct world *w)
{
	char *data;
	struct body body = body_of_bytes("x", 1);
	struct edit e = edit_write("latest/odd", &body, 0);

	fill(w);
	e.object.type = xstrdup("a/unusual/type");
	cr_assert_eq(run_edit(w->s, &e, NULL), 0);
	data = world_path(w, "data.mdb");
	w->meddler->next = NULL;
	store_close(w->s);
	return data;
}

/* It was sound when it was closed, and it is as it was closed. */
Test(index_open, what_nobody_has_written_to_since_it_was_closed_is_not_read_first)
{
	struct object obj;
	struct world w;
	CLEANUP(free_char) char *data = fill_with_odd(&w);
	struct stat st;

	cr_assert_eq(stat(data, &st), 0);
	cr_assert_lt(st.st_mtim.tv_sec, time(NULL) - 3600, "no write has this time");
	damage_unseen(data);
	world_push(&w);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(counter_read(w.counter).list, 0);
	cr_assert_eq(store_stat(w.s, "latest/odd", &obj), -EIO, "and what is damaged is not shown");
	cr_assert(is_made_anew(&w), "and is known to be damaged from then on");
	cr_assert_neq(generation_of(w.s, "latest/odd"), 0);
	cr_assert(!is_made_anew(&w));
	world_close(&w);
}

static void be_killed(struct store *s)
{
	(void)s;
	raise(SIGKILL);
}

/* Runs in a child with an index of its own over its copy of the same store. */
static void in_child(struct world *w, void (*run)(struct store *s), int *ret_status)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct store *s;

		if (index_push(w->mem, w->cache, &s) < 0)
			_exit(9);
		run(s);
		w->mem = NULL;
		store_close(s);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, ret_status, 0), pid);
}

Test(index_open, what_a_killed_process_had_open_is_read_first)
{
	struct world w;
	CLEANUP(free_char) char *data = fill_with_odd(&w);
	int status;

	in_child(&w, be_killed, &status);
	cr_assert(WIFSIGNALED(status));
	damage_unseen(data);
	world_push(&w);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(counter_read(w.counter).list, 2);
	world_close(&w);
}

static void write_from_child(struct store *s)
{
	if (put_text(s, "latest/child", "x", STORE_ABSENT, NULL) < 0 ||
	    remove_key(s, "latest/0000", STORE_ANY) < 0)
		_exit(8);
}

/* LMDB is not to be used over a fork; so the parent opens its index while the child waits. */
struct pipes {
	int to_child[2], to_parent[2];
};

static void tell(int fd)
{
	cr_assert_eq(write(fd, "x", 1), 1);
}

static void await(int fd)
{
	char c;

	cr_assert_eq(read(fd, &c, 1), 1);
}

static pid_t second_process(struct world *w, struct pipes *p, void (*run)(struct store *s))
{
	pid_t pid;

	cr_assert_eq(pipe(p->to_child), 0);
	cr_assert_eq(pipe(p->to_parent), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s;

		await(p->to_child[0]);
		if (index_push(w->mem, w->cache, &s) < 0) {
			tell(p->to_parent[1]);
			_exit(9);
		}
		run(s);
		tell(p->to_parent[1]);
		await(p->to_child[0]);
		store_close(s);
		_exit(0);
	}
	return pid;
}

/* A world whose index is not open yet. */
static void fill_closed(struct world *w)
{
	fill(w);
	w->meddler->next = NULL;
	store_close(w->s);
}

Test(index_open, what_one_process_writes_another_sees_at_once)
{
	struct world w;
	struct pipes p;
	pid_t pid;
	int status;

	fill_closed(&w);
	pid = second_process(&w, &p, write_from_child);
	world_push(&w);
	cr_assert_neq(generation_of(w.s, "latest/0000"), 0);
	tell(p.to_child[1]);
	await(p.to_parent[0]);
	cr_assert_neq(generation_of(w.s, "latest/child"), 0);
	cr_assert_eq(generation_of(w.s, "latest/0000"), 0);
	cr_assert_eq(counter_read(w.counter).list, 0);
	tell(p.to_child[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	cr_assert_neq(generation_of(w.s, "latest/child"), 0);
	world_close(&w);
}

static void nothing(struct store *s)
{
	(void)s;
}

Test(index_open, the_last_one_to_close_marks_it_clean)
{
	struct world w;
	struct pipes p;
	struct slice s;
	pid_t pid;
	int status;

	fill_closed(&w);
	pid = second_process(&w, &p, nothing);
	world_push(&w);
	put_meta(&w, "boot", "unknown"); /* to one that others have open, no crash has happened */
	tell(p.to_child[1]);
	await(p.to_parent[0]);
	tell(p.to_child[1]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	{
		CLEANUP(txn_abort) struct txn t = { .mdb = NULL };

		cr_assert_eq(txn_read(world_index(&w), &t), 0);
		cr_assert_eq(table_get(&t, TABLE_META, "clean", &s), -ENOENT);
	}
	put_meta(&w, "boot", "another");
	cr_assert(!is_made_anew(&w));
	world_close(&w);
}

Test(index_open, a_damaged_index_in_use_is_refused_and_left_alone)
{
	CLEANUP(free_char) char *data = NULL;
	struct world w;
	struct pipes p;
	struct stat before, after;
	pid_t pid;
	int status;

	fill_closed(&w);
	pid = second_process(&w, &p, nothing);
	world_push(&w);
	data = world_path(&w, "data.mdb");
	put_meta(&w, "format", "0"); /* as good as damage, and this process lives on */
	cr_assert_eq(stat(data, &before), 0);
	tell(p.to_child[1]);
	await(p.to_parent[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WEXITSTATUS(status), 9);
	cr_assert_eq(stat(data, &after), 0);
	cr_assert_eq(before.st_ino, after.st_ino);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	world_close(&w);
}

static void write_until_killed(struct store *s)
{
	for (unsigned i = 0;; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/%04u", i * 7 % OBJECTS);

		if (i == 500)
			raise(SIGKILL);
		if (i % 100 == 99 && store_refresh(s, "latest/", 0) < 0)
			_exit(8);
		if ((i % 3 ? put_text(s, key, "y", STORE_ANY, NULL)
			   : remove_key(s, key, STORE_ANY)) < 0)
			_exit(8);
	}
}

Test(index_open, a_writer_that_was_killed_leaves_a_sound_index)
{
	struct world w;
	int status;

	fill_closed(&w);
	in_child(&w, write_until_killed, &status);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", status);
	world_push(&w);
	cr_assert_neq(generation_of(w.s, KEY), 0);
	cr_assert_eq(counter_read(w.counter).list, 0);
	cr_assert_eq(generation_of(w.s, "latest/0000"), 0); /* the child removed it */
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	expect_truth(&w, (const char *const[]){ "", "latest/" }, 2);
	world_close(&w);
}

Test(index_open, an_edit_stays_a_success_when_the_index_cannot_be_written)
{
	struct world w;
	struct rlimit limit;
	CLEANUP(free_char) char *data = NULL, *log = NULL;
	struct stat st;
	int failures = 0;

	fill(&w);
	data = world_path(&w, "data.mdb");
	log = world_path(&w, "log");
	cr_assert_eq(log_to_file(log), 0);
	cr_assert_eq(stat(data, &st), 0);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = (rlim_t)st.st_size;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (int i = 0; i < 200; i++) {
		CLEANUP(free_char) char *key = xasprintf("latest/new/%0200d", i);

		cr_assert_eq(put_text(w.s, key, "x", STORE_ABSENT, NULL), 0);
		failures += generation_of(w.s, key) == 0;
	}
	cr_assert_gt(failures, 0);
	cr_assert_gt(lines_of_log(log, "cannot write the index in"), 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	cr_assert_eq(store_refresh(w.s, "latest/", 0), 0);
	expect_truth(&w, (const char *const[]){ "", "latest/", "latest/new/" }, 3);
	world_close(&w);
}

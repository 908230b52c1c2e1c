/* SPDX-License-Identifier: BSD-3-Clause */
/* release_test.c - archives that are published: what is refused, what is kept, and what a crash or
 * another publisher leaves behind. */
#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../db/fixture.h"
#include "archive.h"
#include "catalog.h"
#include "clock.h"
#include "compiler.h"
#include "fault_db.h"
#include "load.h"
#include "log.h"
#include "memory.h"
#include "release.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"

static struct world w;
static struct store *archives, *fault, *counter; /* archives is the whole chain */
static struct fault_db fault_db;
static struct strbuf name = STRBUF_INIT(1 << 20);

static void open_world(void)
{
	struct store *mem = NULL;

	world_open(&w);
	cr_assert_eq(store_open("mem:", STORE_CREATE, &mem), 0);
	cr_assert_eq(fault_push(mem, &fault), 0);
	cr_assert_eq(counter_push(fault, &counter), 0);
	archives = counter;
	fault_db_init(&fault_db, w.db);
	clock_rules_set(1700000000 * SECOND_US);
}

static void close_world(void)
{
	strbuf_release(&name);
	store_close(archives);
	world_close(&w);
}

TestSuite(release, .init = open_world, .fini = close_world);

static void add_entry(struct archive *tar, const char *path, const char *text, size_t n)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, path);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)n);
	cr_assert_eq(archive_write_header(tar, entry), ARCHIVE_OK);
	cr_assert_eq(archive_write_data(tar, text, n), (la_ssize_t)n);
	archive_entry_free(entry);
}

/* A package archive in a file of its own, already unlinked; `filler` tells equal pubspecs apart. */
static int make_archive(const char *pubspec, const char *filler)
{
	char path[] = "/tmp/pubfs-release-XXXXXX";
	int fd = mkstemp(path);
	struct archive *tar = archive_write_new();

	cr_assert_geq(fd, 0);
	unlink(path);
	archive_write_add_filter_gzip(tar);
	archive_write_set_options(tar, "gzip:!timestamp");
	archive_write_set_format_ustar(tar);
	cr_assert_eq(archive_write_open_fd(tar, fd), ARCHIVE_OK);
	add_entry(tar, "lib/p.dart", filler, strlen(filler));
	if (pubspec)
		add_entry(tar, "pubspec.yaml", pubspec, strlen(pubspec));
	cr_assert_eq(archive_write_close(tar), ARCHIVE_OK);
	archive_write_free(tar);
	return fd;
}

#define SPEC "name: p\nversion: 1.0.0\n"

static int publish_to(struct db *db, const char *pubspec, const char *filler)
{
	CLEANUP(close_fd) int fd = make_archive(pubspec, filler);

	strbuf_reset(&name);
	return release_publish(db, archives, fd, "p.tar.gz", &name);
}

static int publish(const char *pubspec, const char *filler)
{
	return publish_to(w.db, pubspec, filler);
}

#define KEY "packages/p-1.0.0.tar.gz"
#define FAR_OFF 1000000 /* calls: none of them fails */

/* The row's hash is the one of the archive in the store; true when there is no row. */
static bool is_sound(void)
{
	struct strbuf body = STRBUF_INIT(1 << 20);
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1] = "none";
	const char *row = ask(&w, "SELECT archive_sha256 FROM package_version"
				  " WHERE package = 'p' AND version = '1.0.0'");

	fault_arm(fault, FAR_OFF, -EIO);
	if (store_read(archives, KEY, STORE_ANY, 0, 1 << 20, &body) >= 0) {
		sha256(body.buf, body.len, digest);
		hex_encode(digest, sizeof(digest), hex);
	}
	strbuf_release(&body);
	return !*row || !strcmp(row, hex);
}

Test(release, an_archive_and_its_row_are_kept)
{
	struct package_version v;
	struct object obj;
	char hex[2 * SHA256_SIZE + 1];

	cr_assert_eq(publish("name: p # a comment\nversion: 1.0.0\nz: 0x10\na: [~, 1.50]\n", "x"),
		     RELEASED_ADDED);
	cr_assert_str_eq(name.buf, "p 1.0.0");
	cr_assert_eq(db_version(w.db, "p", "1.0.0", &v), 0);
	cr_assert_str_eq(v.pubspec, "{\"name\":\"p\",\"version\":\"1.0.0\",\"z\":16,"
				    "\"a\":[null,1.5]}");
	cr_assert_eq(v.created, 1700000000 * SECOND_US);
	cr_assert(!v.retracted && !v.moderated && !v.deleted);
	cr_assert_eq(store_stat(archives, KEY, &obj), 0);
	cr_assert(obj.has_sha256 && obj.has_md5 && obj.has_decoded_size && !obj.gzip);
	cr_assert_eq(obj.decoded_size, obj.size);
	cr_assert_str_eq(obj.type, "application/octet");
	hex_encode(obj.sha256, SHA256_SIZE, hex);
	cr_assert_str_eq(v.archive_sha256, hex);
	cr_assert(is_sound());
	object_release(&obj);
	package_version_release(&v);
}

Test(release, the_same_bytes_again_are_nothing_to_do_and_others_are_refused)
{
	CLEANUP(free_char) char *change = NULL;

	cr_assert_eq(publish(SPEC, "x"), RELEASED_ADDED);
	change = xstrdup(ask(&w, "SELECT change FROM package_change"));
	counter_read(counter);
	cr_assert_eq(publish(SPEC, "x"), RELEASED_BEFORE);
	cr_assert_eq(counter_read(counter).write, 0);
	cr_assert_eq(publish(SPEC, "y"), -EEXIST);
	cr_assert(said("p.tar.gz", "p 1.0.0", "other contents", NULL));
	cr_assert_eq(counter_read(counter).write, 0);
	cr_assert_str_eq(ask(&w, "SELECT change FROM package_change"), change);
	cr_assert_eq(publish("name: p\nversion: 1.0.1\n", "y"), RELEASED_ADDED);
	cr_assert(is_sound());
}

static char *with_dependencies(int n, const char *map)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	strbuf_addf(&text, SPEC "%s:\n", map);
	for (int i = 0; i < n; i++)
		strbuf_addf(&text, "  d%d: any\n", i);
	return strbuf_detach(&text);
}

/* A pubspec of that many characters, some of them of more than one byte. */
static char *with_length(size_t characters)
{
	struct strbuf text = STRBUF_INIT(1 << 20);

	strbuf_addstr(&text, SPEC "description: ");
	for (size_t n = text.len; n < characters; n++)
		strbuf_addstr(&text, n % 2 ? "x" : "\xe2\x82\xac");
	return strbuf_detach(&text);
}

#define NAME64 "a123456789012345678901234567890123456789012345678901234567890123"
#define PRE58  "1234567890123456789012345678901234567890123456789012345678"

Test(release, what_pub_dev_refuses_is_refused_and_leaves_nothing)
{
	CLEANUP(free_char) char *many = with_dependencies(101, "dependencies");
	CLEANUP(free_char) char *large = with_length(PUBSPEC_YAML_MAX + 1);
	const struct {
		const char *pubspec, *why;
	} rows[] = {
		{ NULL, "pubspec" },
		{ "name: [", "" },
		{ "- name\n", "" },
		{ "version: 1.0.0\n", "no name" },
		{ "name: p\n", "no version" },
		{ "name: 7\nversion: 1.0.0\n", "name in its pubspec.yaml is not a string" },
		{ "name: p\nversion: 1.0\n", "version in its pubspec.yaml is not a string" },
		{ "name: p\nversion:\n", "version in its pubspec.yaml is not a string" },
		{ "name: p-q\nversion: 1.0.0\n", "\"p-q\" is not a package name" },
		{ "name: 9p\nversion: 1.0.0\n", "\"9p\" is not a package name" },
		{ "name: " NAME64 "x\nversion: 1.0.0\n", "is not a package name" },
		{ "name: \"p\\0\"\nversion: 1.0.0\n", "" },
		{ "name: p\nversion: 1.0.00\n", "\"1.0.00\" is not a version" },
		{ "name: p\nversion: \"1.0\"\n", "\"1.0\" is not a version" },
		{ "name: p\nversion: 1.0.0-" PRE58 "9\n", "is not a version" },
		{ "name: p\nversion: ../1.0.0\n", "is not a version" },
		{ SPEC "a: &x 1\nb: *x\n", "" },
		{ many, "more than 100 dependencies" },
		{ large, "over 131072 characters" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_assert_eq(publish(rows[i].pubspec, "x"), -EINVAL, "row %zu", i);
		cr_assert(said("p.tar.gz is refused: ", rows[i].why, NULL), "row %zu: %s", i,
			  log_last_failure());
	}
	cr_assert_eq(counter_read(counter).write, 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM package"), "0");
}

Test(release, what_is_at_the_edge_of_a_limit_is_published)
{
	CLEANUP(free_char) char *hundred = with_dependencies(100, "dependencies");
	CLEANUP(free_char) char *dev = with_dependencies(150, "dev_dependencies");
	CLEANUP(free_char) char *large = with_length(PUBSPEC_YAML_MAX);
	const char *const rows[] = {
		hundred,
		dev,
		large,
		SPEC "dependencies:\n",
		"name: " NAME64 "\nversion: 1.0.0\n",
		"name: p\nversion: 1.0.0-" PRE58 "\n",
		"name: p\nversion: \"1.0.0\"\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sql(&w, "DELETE FROM package_version");
		cr_assert_eq(publish(rows[i], "x"), RELEASED_ADDED, "row %zu: %s", i,
			     log_last_failure());
	}
}

Test(release, what_is_no_archive_is_refused)
{
	CLEANUP(close_fd) int text = make_archive(SPEC, "x");
	CLEANUP(close_fd) int folder = open("/tmp", O_RDONLY | O_CLOEXEC);

	cr_assert_eq(release_publish(w.db, archives, folder, "p.tar.gz", &name), -EINVAL);
	cr_assert(said("is not a file", NULL));
	cr_assert_eq(ftruncate(text, 40), 0);
	cr_assert_eq(release_publish(w.db, archives, text, "p.tar.gz", &name), -EINVAL, "cut");
	cr_assert_eq(ftruncate(text, 0), 0);
	cr_assert_eq(release_publish(w.db, archives, text, "p.tar.gz", &name), -EINVAL, "empty");
	cr_assert_eq(ftruncate(text, (off_t)ARCHIVE_MAX), 0);
	cr_assert_eq(release_publish(w.db, archives, text, "p.tar.gz", &name), -EINVAL);
	cr_assert_not(said("over 100 MiB", NULL));
	cr_assert_eq(ftruncate(text, (off_t)ARCHIVE_MAX + 1), 0);
	cr_assert_eq(release_publish(w.db, archives, text, "p.tar.gz", &name), -EINVAL);
	cr_assert(said("over 100 MiB", NULL));
	cr_assert_eq(name.len, 0);
	cr_assert_eq(counter_read(counter).write, 0);
}

Test(release, a_package_has_at_most_a_thousand_versions)
{
	sql(&w, "WITH n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
		" INSERT INTO package_version (package, version, pubspec)"
		" SELECT 'p', '0.0.' || i, '{}' FROM n;"
		"INSERT INTO package (name) VALUES ('p')");
	cr_assert_eq(publish(SPEC, "x"), RELEASED_ADDED, "the thousandth");
	cr_assert_eq(publish("name: p\nversion: 1.0.1\n", "x"), -EINVAL);
	cr_assert(said("1000 versions", NULL));
	cr_assert_eq(publish(SPEC, "x"), RELEASED_BEFORE);
	cr_assert_eq(publish("name: q\nversion: 1.0.1\n", "x"), RELEASED_ADDED);
}

static void remove_archive(void)
{
	struct edit edit = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

	object_init(&edit.object);
	edit.object.key = xstrdup(KEY);
	cr_assert_eq(store_edit(archives, &edit, 1), 0);
	edit_release(&edit, 1);
}

Test(release, a_missing_or_damaged_archive_of_a_version_comes_back)
{
	CLEANUP(free_char) char *hash = NULL;

	cr_assert_eq(publish(SPEC, "x"), RELEASED_ADDED);
	remove_archive();
	cr_assert_eq(publish(SPEC, "y"), -EEXIST, "the row says which bytes");
	cr_assert_eq(publish(SPEC, "x"), RELEASED_ARCHIVE);
	cr_assert(is_sound());
	hash = xstrdup(ask(&w, "SELECT archive_sha256 FROM package_version"));
	sql(&w, "DELETE FROM package_version");
	cr_assert_eq(publish(SPEC, "y"), RELEASED_ADDED);
	sql(&w, "UPDATE package_version SET archive_sha256 = upper('%s')", hash);
	cr_assert_eq(publish(SPEC, "x"), RELEASED_ARCHIVE, "other bytes were there");
	cr_assert_eq(publish(SPEC, "x"), RELEASED_BEFORE);
}

Test(release, a_row_without_a_hash_stands_for_the_archive_in_the_store)
{
	static const char *const none[] = { "NULL", "''" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		sql(&w,
		    "DELETE FROM package_version; INSERT INTO package_version"
		    " (package, version, pubspec, archive_sha256) VALUES ('p', '1.0.0', '{}', %s)",
		    none[i]);
		cr_assert_eq(publish(SPEC, "x"), RELEASED_ARCHIVE);
		cr_assert_eq(publish(SPEC, "x"), RELEASED_BEFORE);
		cr_assert_eq(publish(SPEC, "y"), -EEXIST);
		cr_assert_str_eq(ask(&w, "SELECT pubspec FROM package_version"), "{}");
		remove_archive();
	}
}

/* After the n-th call of the store or the database failed, for every n: no row without its
 * archive, and the same archive, or a corrected one, can be published. */
static void fail_each_call(bool in_store, const char *retry)
{
	unsigned n;

	for (n = 1;; n++) {
		bool fired, added;
		int r, again;

		sql(&w, "DELETE FROM package_version; DELETE FROM package");
		remove_archive();
		fault_db_init(&fault_db, w.db);
		if (in_store)
			fault_arm(fault, n, -EIO);
		else
			fault_db.left = n;
		r = publish_to(&fault_db.db, SPEC, "x");
		fired = in_store ? fault_fired(fault) : fault_db.fired;
		cr_assert_eq(r < 0, fired, "call %u", n);
		cr_assert(is_sound(), "call %u", n);
		added = *ask(&w, "SELECT 1 FROM package_version");
		cr_assert_eq(added, r >= 0, "call %u", n);
		again = publish(SPEC, retry);
		if (added)
			cr_assert_eq(again, *retry == 'x' ? RELEASED_BEFORE : -EEXIST);
		else
			cr_assert_eq(again, RELEASED_ADDED, "call %u", n);
		cr_assert(is_sound(), "call %u", n);
		if (!fired)
			break;
	}
	cr_assert_geq(n, 3, "there were calls to fail");
}

Test(release, whichever_call_of_the_store_fails_no_row_lacks_its_archive)
{
	fail_each_call(true, "x");
	fail_each_call(true, "y");
}

Test(release, whichever_call_of_the_database_fails_no_row_lacks_its_archive)
{
	fail_each_call(false, "x");
	fail_each_call(false, "y");
}

/* Another publisher that gets in between our archive and our row. */
static void publish_other(void *filler)
{
	CLEANUP(close_fd) int fd = make_archive(SPEC, filler);
	struct strbuf other = STRBUF_INIT(1000);

	cr_assert_eq(release_publish(w.db, archives, fd, "other.tar.gz", &other), RELEASED_ADDED);
	strbuf_release(&other);
}

Test(release, of_two_publishers_at_once_one_wins_row_and_archive_alike)
{
	char x[] = "x", y[] = "y";

	fault_db.before_begin = publish_other;
	fault_db.ctx = y;
	cr_assert_eq(publish_to(&fault_db.db, SPEC, "x"), -EEXIST);
	cr_assert(is_sound());
	cr_assert_eq(publish(SPEC, "y"), RELEASED_BEFORE, "the other's bytes");

	sql(&w, "DELETE FROM package_version");
	fault_db.before_begin = publish_other;
	fault_db.ctx = x;
	cr_assert_eq(publish_to(&fault_db.db, SPEC, "x"), RELEASED_BEFORE, "the same bytes");
	cr_assert(is_sound());
}

/* Another one that ended after it had put its bytes in the place of ours. */
static void overwrite(void *unused)
{
	struct fault_db crash;
	CLEANUP(close_fd) int fd = make_archive(SPEC, "z");
	struct strbuf other = STRBUF_INIT(1000);

	(void)unused;
	fault_db_init(&crash, w.db);
	crash.left = 5; /* two looks, begin, a look, the row */
	cr_assert_eq(release_publish(&crash.db, archives, fd, "other.tar.gz", &other), -EIO);
	strbuf_release(&other);
}

Test(release, an_archive_that_was_overwritten_before_its_row_came_is_sent_again)
{
	fault_db.before_begin = overwrite;
	counter_read(counter);
	cr_assert_eq(publish_to(&fault_db.db, SPEC, "x"), RELEASED_ADDED);
	cr_assert_eq(counter_read(counter).write, 4, "ours, two tries of the other's, ours again");
	cr_assert(is_sound());
}

static void publish_and_compare(const char *path, struct db *rows)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct package_version published, loaded;
	char *space;

	strbuf_reset(&name);
	cr_assert_eq(release_publish(w.db, archives, fd, path, &name), RELEASED_ADDED, "%s", path);
	space = strchr(name.buf, ' ');
	*space = '\0';
	cr_assert_eq(db_version(w.db, name.buf, space + 1, &published), 0);
	cr_assert_eq(db_version(rows, name.buf, space + 1, &loaded), 0, "%s", path);
	cr_assert_str_eq(published.pubspec, loaded.pubspec);
	package_version_release(&published);
	package_version_release(&loaded);
}

/* Outside the suite: a test that skips would not run its end. */
Test(release_corpus, its_archives_have_the_pubspecs_of_its_rows)
{
	const char *corpus = getenv("PUBFS_CORPUS");
	CLEANUP(free_char) char *folder = NULL, *file = NULL, *url = NULL;
	struct load_counts counts;
	struct db *rows = NULL;
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	if (!corpus)
		cr_skip_test("PUBFS_CORPUS is not set");
	open_world();
	folder = xasprintf("%s/archives", corpus);
	file = xasprintf("%s/packages.jsonl.gz", corpus);
	url = xasprintf("sqlite:%s/rows.db", w.dir);
	cr_assert_eq(db_open(url, DB_CREATE, &rows), 0);
	cr_assert_eq(load_file(rows, file, false, &counts), 0);
	d = opendir(folder);
	cr_assert_not_null(d);
	while ((e = readdir(d)))
		if (strstr(e->d_name, ".tar.gz")) {
			CLEANUP(free_char) char *path = xasprintf("%s/%s", folder, e->d_name);

			publish_and_compare(path, rows);
			n++;
		}
	closedir(d);
	cr_assert_eq(n, 60);
	db_close(rows);
	close_world();
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * export_stress.c - the whole export under many threads, for the thread sanitizer (under which
 * Criterion dies): a `dir:` bucket below its index, an SQLite database, the updater.
 *
 * While the updater runs, threads change rows by connections of their own, run passes beside it,
 * change the bucket by hand, and read what is there. Whatever they do to each other:
 *	a listing that is read is sound JSON of its own package, and never mixed
 *	an answer is one of those that the headers name
 *	when all are done, one pass makes both prefixes equal, and the next has nothing to do
 */
#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive_make.h"
#include "body.h"
#include "catalog.h"
#include "clock.h"
#include "compiler.h"
#include "db.h"
#include "export.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "path.h"
#include "publish.h"
#include "render.h"
#include "store.h"
#include "store_links.h"
#include "strbuf.h"
#include "updater.h"

#define PACKAGES   12
#define VERSIONS   4
#define OPERATIONS 60
#define RUNTIME	   "2026.08.18"
#define BUSY_MS	   60000

struct site {
	char *folder;
	struct store *bucket, *archives;
	struct publisher *publisher;
	struct db *db;
	struct exporter_options options;
};

struct worker {
	struct site *site;
	struct updater *updater;
	unsigned state; /* of its random numbers */
	void (*operation)(struct worker *worker);
	sqlite3 *sql;		   /* as another program has one */
	struct exporter *exporter; /* of those that run passes */
};

static atomic_int failures;

static void expect(bool ok, const char *what, int r)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %d\n", what, r);
	failures++;
}

static unsigned draw(struct worker *worker, unsigned below)
{
	return (unsigned)rand_r(&worker->state) % below;
}

static void sql(sqlite3 *handle, const char *fmt, ...) PRINTF(2, 3);
static void sql(sqlite3 *handle, const char *fmt, ...)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(10000);
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	expect(!sqlite3_exec(handle, text.buf, NULL, NULL, NULL), sqlite3_errmsg(handle), 0);
}

static void add_version(sqlite3 *handle, unsigned package, unsigned version)
{
	sql(handle,
	    "BEGIN IMMEDIATE; INSERT OR IGNORE INTO package (name) VALUES ('p%u');"
	    "INSERT OR IGNORE INTO package_version (package, version, pubspec) VALUES ('p%u',"
	    " '1.%u.0', '{\"name\":\"p%u\",\"version\":\"1.%u.0\"}'); COMMIT",
	    package, package, version, package, version);
}

/* The operations. Each worker has one, and repeats it. */

static void change_rows(struct worker *worker)
{
	unsigned package = draw(worker, PACKAGES), version = draw(worker, VERSIONS);
	unsigned on = draw(worker, 2);

	switch (draw(worker, 7)) {
	case 0:
		sql(worker->sql, "UPDATE package SET discontinued = %u WHERE name = 'p%u'", on,
		    package);
		break;
	case 1:
		sql(worker->sql, "UPDATE package SET moderated = %u WHERE name = 'p%u'", on,
		    package);
		break;
	case 2:
		sql(worker->sql,
		    "UPDATE package_version SET moderated = %u WHERE package = 'p%u'"
		    " AND version = '1.%u.0'",
		    on, package, version);
		break;
	case 3:
		sql(worker->sql,
		    "INSERT OR REPLACE INTO advisory (id, osv) VALUES ('A%u', '{"
		    "\"id\":\"A%u\",\"modified\":\"2024-01-01T00:00:00Z\",\"affected\":[]}');"
		    "INSERT OR IGNORE INTO advisory_package VALUES ('A%u', 'p%u')",
		    version, version, version, package);
		break;
	case 4:
		sql(worker->sql, "DELETE FROM advisory WHERE id = 'A%u'", version);
		break;
	case 5:
		sql(worker->sql,
		    "DELETE FROM package_version WHERE package = 'p%u' AND version = '1.%u.0'",
		    package, version);
		break;
	default:
		add_version(worker->sql, package, version);
	}
}

static void run_pass(struct worker *worker)
{
	struct export_counts counts = { 0 };
	CLEANUP(free_char) char *one = xasprintf("p%u", draw(worker, PACKAGES));
	char *const names[] = { one };
	int r;

	switch (draw(worker, 3)) {
	case 0:
		r = export_all(worker->exporter, &counts);
		break;
	case 1:
		r = export_changed(worker->exporter, &counts);
		break;
	default:
		r = export_named(worker->exporter, names, 1, &counts);
	}
	/* a package may move faster than it is exported; rows that are deleted may be held */
	expect(!r || r == -EIO || r == -ECANCELED, "a pass", r);
	export_counts_release(&counts);
}

static void check_listing(const char *key, const struct object *obj, const struct strbuf *stored)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(DOCUMENT_MAX);
	struct json listing, name;

	expect(stored->len == obj->size, "the size of a listing", (int)stored->len);
	if (gzip_decode(stored->buf, stored->len, &text) < 0 ||
	    json_parse(text.buf, text.len, &listing, NULL) < 0 ||
	    !json_member(listing, "name", &name) || !json_equals(name, strrchr(key, '/') + 1))
		expect(false, "a listing that nobody wrote", 0);
}

static void read_listing(struct worker *worker)
{
	CLEANUP(free_char)
	char *key = xasprintf("latest/api/packages/p%u", draw(worker, PACKAGES));
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(DOCUMENT_MAX);
	CLEANUP(object_release) struct object obj;
	struct updater_status status;
	int r;

	object_init(&obj);
	r = store_stat(worker->site->bucket, key, &obj);
	expect(!r || r == -ENOENT, "stat", r);
	if (!r) {
		r = store_read(worker->site->bucket, key, obj.generation, 0, SIZE_MAX, &stored);
		expect(!r || r == -ENOENT || r == -ESTALE, "read", r);
	}
	if (!r)
		check_listing(key, &obj, &stored);
	updater_status(worker->updater, &status);
	updater_status_release(&status);
}

static int expect_order(void *ctx, const struct object *obj)
{
	char *last = ctx;

	expect(strcmp(last, obj->key) < 0, "the order of a list", 0);
	snprintf(last, KEY_MAX + 1, "%s", obj->key);
	return 0;
}

static void read_list(struct worker *worker)
{
	char last[KEY_MAX + 1] = "";
	int r = store_list(worker->site->bucket, draw(worker, 2) ? "" : "latest/", true, NULL,
			   expect_order, last);

	expect(!r, "list", r);
}

static void edit_by_hand(struct worker *worker)
{
	unsigned package = draw(worker, PACKAGES);
	CLEANUP(free_char) char *key = xasprintf("latest/api/packages/p%u", package);
	CLEANUP(free_char)
	char *text = xasprintf("{\"name\":\"p%u\",\"versions\":[{\"version\":\"9.0.0\","
			       "\"archive_url\":\"https://a/b\",\"pubspec\":{\"name\":\"p%u\"}}]}",
			       package, package);
	const struct body body = body_of_bytes(text, strlen(text));
	CLEANUP(object_release) struct object have;
	struct publication p;
	int r;

	object_init(&have);
	publication_init(&p);
	r = store_stat(worker->site->bucket, key, &have);
	p.action = draw(worker, 2) ? PUBLISH_WRITE : PUBLISH_REMOVE;
	p.key = key;
	p.have = r ? NULL : &have;
	p.change = "hand";
	p.why = "by hand";
	p.body = &body;
	r = publish(worker->site->publisher, &p, 1);
	expect(!r || r == -ESTALE, "an edit by hand", r);
	publication_release(&p);
}

static void *work(void *ctx)
{
	struct worker *worker = ctx;

	for (unsigned i = 0; i < OPERATIONS; i++)
		worker->operation(worker);
	return NULL;
}

/* The site. */

static void add_archive(struct site *site, unsigned package, unsigned version)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(ARCHIVE_MAX);
	CLEANUP(strbuf_release) struct strbuf key = STRBUF_INIT(KEY_MAX);
	CLEANUP(free_char) char *name = xasprintf("p%u", package);
	CLEANUP(free_char) char *text = xasprintf("1.%u.0", version);
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ABSENT, .body = &body };

	archive_make(name, text, &archive);
	archive_canonical_key(name, text, &key);
	body = body_of_strbuf(&archive);
	object_init(&edit.object);
	edit.object.key = strbuf_detach(&key);
	expect(!store_edit(site->archives, &edit, 1), "an archive", edit.result);
	edit_release(&edit, 1);
}

static struct store *open_store(const struct site *site, const char *name)
{
	CLEANUP(free_char) char *url = xasprintf("dir:%s/%s", site->folder, name);
	CLEANUP(free_char) char *cache = xasprintf("%s/cache", site->folder);
	struct store *driver, *index;

	if (store_open(url, STORE_CREATE, &driver) < 0 || index_push(driver, cache, &index) < 0)
		exit(1);
	return index;
}

static sqlite3 *open_sql(const struct site *site)
{
	CLEANUP(free_char) char *path = xasprintf("%s/pub.db", site->folder);
	sqlite3 *handle;

	if (sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL))
		exit(1);
	sqlite3_busy_timeout(handle, BUSY_MS);
	return handle;
}

static void add_rows(const struct site *site)
{
	sqlite3 *handle = open_sql(site);

	for (unsigned p = 0; p < PACKAGES; p++)
		for (unsigned v = 0; v < VERSIONS; v++)
			add_version(handle, p, v);
	sqlite3_close(handle);
}

static void fill(struct site *site)
{
	add_rows(site);
	for (unsigned p = 0; p < PACKAGES; p++)
		for (unsigned v = 1; v < VERSIONS; v++) /* the first has none */
			add_archive(site, p, v);
}

static void site_open(struct site *site)
{
	const char *above = getenv("TMPDIR");
	CLEANUP(free_char) char *url = NULL;
	CLEANUP(free_char) char *cache = NULL;

	site->folder = xasprintf("%s/pubfs-stress-XXXXXX", above ? above : "/tmp");
	if (!mkdtemp(site->folder))
		exit(1);
	cache = xasprintf("%s/cache", site->folder);
	url = xasprintf("sqlite:%s/pub.db", site->folder);
	site->bucket = open_store(site, "bucket");
	site->archives = open_store(site, "archives");
	if (db_open(url, DB_CREATE, &site->db) < 0 ||
	    publisher_new(&(struct publisher_options){ .store = site->bucket,
						       .runtime_version = RUNTIME },
			  &site->publisher) < 0)
		exit(1);
	site->options = (struct exporter_options){
		.db = site->db,
		.store = site->bucket,
		.archives = site->archives,
		.publisher = site->publisher,
		.rendering = { .base_url = "https://pub.example.com" },
		.runtime_version = RUNTIME,
		.own = true,
		.latest = true,
		.jobs = 4,
		.ttl = MINUTE_US,
		.limits = brake_defaults,
	};
	fill(site);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void site_close(struct site *site)
{
	publisher_free(site->publisher);
	db_close(site->db);
	store_close(site->bucket);
	store_close(site->archives);
	nftw(site->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(site->folder);
}

static int add_content(void *ctx, const struct object *obj)
{
	char hex[2 * SHA256_SIZE + 1];

	hex_encode(obj->sha256, SHA256_SIZE, hex);
	strbuf_addf(ctx, "%s %s\n", strchr(obj->key, '/'), hex);
	return 0;
}

/* All is quiet: what is there is what the database says, in both prefixes. Rows that were deleted
 * come back first: what is exported of a row that is gone stays as it was in each, until gc. */
static void check_end(struct site *site)
{
	CLEANUP(strbuf_release) struct strbuf own = STRBUF_INIT(1 << 20);
	CLEANUP(strbuf_release) struct strbuf latest = STRBUF_INIT(1 << 20);
	struct export_counts counts = { 0 };
	struct exporter *ex;
	int r;

	add_rows(site);
	if (exporter_new(&site->options, &ex) < 0)
		exit(1);
	r = export_all(ex, &counts);
	expect(!r || r == -ECANCELED, "what is still held", r);
	export_counts_release(&counts);
	exporter_free(ex);
	site->options.allow_mass_change = true;
	if (exporter_new(&site->options, &ex) < 0)
		exit(1);
	expect(!export_all(ex, &counts), "the last pass", 0);
	export_counts_release(&counts);
	expect(!export_all(ex, &counts), "the pass behind the last", 0);
	expect(counts.packages == PACKAGES && counts.current == PACKAGES, "what is not current",
	       (int)(counts.packages - counts.current));
	export_counts_release(&counts);
	exporter_free(ex);
	expect(!store_list(site->bucket, RUNTIME "/", true, NULL, add_content, &own) &&
		       !store_list(site->bucket, "latest/", true, NULL, add_content, &latest),
	       "list", 0);
	expect(own.len && !strcmp(own.buf, latest.buf), "the prefixes differ", 0);
}

int main(int argc, char **argv)
{
	static void (*const operations[])(struct worker *) = {
		change_rows, change_rows, run_pass, run_pass, read_listing, read_list, edit_by_hand,
	};
	unsigned seed = argc > 1 ? (unsigned)atoi(argv[1]) : (unsigned)getpid();
	struct worker workers[ARRAY_SIZE(operations)];
	pthread_t threads[ARRAY_SIZE(operations)];
	struct site site;
	const struct updater_options watching = { .export = &site.options, .host = "host" };
	struct updater *updater;

	site_open(&site);
	if (log_to_file("/dev/null") < 0 || updater_start(&watching, &updater) < 0)
		return 1;
	for (unsigned i = 0; i < ARRAY_SIZE(workers); i++) {
		workers[i] = (struct worker){ .site = &site,
					      .updater = updater,
					      .state = seed + i,
					      .operation = operations[i],
					      .sql = open_sql(&site) };
		if (exporter_new(&site.options, &workers[i].exporter) < 0 ||
		    pthread_create(&threads[i], NULL, work, &workers[i]))
			return 1;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(workers); i++) {
		pthread_join(threads[i], NULL);
		exporter_free(workers[i].exporter);
		sqlite3_close(workers[i].sql);
	}
	updater_stop(updater);
	check_end(&site);
	site_close(&site);
	printf("seed %u: %d failures\n", seed, failures);
	return failures ? 1 : 0;
}

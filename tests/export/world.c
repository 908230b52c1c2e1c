/* SPDX-License-Identifier: BSD-3-Clause */
/* world.c - a database, a canonical store and a bucket, for the tests of the export. */
#include "world.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/driver.h"
#include "archive_make.h"
#include "body.h"
#include "clock.h"
#include "db.h"
#include "json.h"
#include "memory.h"
#include "place.h"
#include "render.h"

#define BIG ((size_t)16 << 20)

struct hook {
	void (*fn)(void *ctx);
	void *ctx;
};

struct recorder {
	struct store store;
	pthread_mutex_t lock; /* guards lines */
	struct strbuf lines;
	struct hook before_edit, before_read;
};

static void hook_call(const struct hook *hook)
{
	if (hook->fn)
		hook->fn(hook->ctx);
}

static int recorder_edit(struct store *s, struct edit *edits, size_t n)
{
	static const char *const verbs[] = { "write", "copy", "touch", "remove" };
	struct recorder *rec = (struct recorder *)s;

	hook_call(&rec->before_edit);
	pthread_mutex_lock(&rec->lock);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&rec->lines, "%s %s\n", verbs[edits[i].op], edits[i].object.key);
	pthread_mutex_unlock(&rec->lock);
	return store_edit(s->next, edits, n);
}

static int recorder_read(struct store *s, const char *key, uint64_t generation, uint64_t offset,
			 size_t length, struct strbuf *out)
{
	hook_call(&((struct recorder *)s)->before_read);
	return store_read(s->next, key, generation, offset, length, out);
}

static void recorder_close(struct store *s)
{
	struct recorder *rec = (struct recorder *)s;

	pthread_mutex_destroy(&rec->lock);
	strbuf_release(&rec->lines);
	free(rec);
}

static const struct store_ops recorder_ops = {
	.name = "recorder",
	.read = recorder_read,
	.edit = recorder_edit,
	.close = recorder_close,
};

int recorder_push(struct store *next, struct store **ret)
{
	struct recorder *rec = xcalloc(1, sizeof(*rec));

	link_init(&rec->store, &recorder_ops, next);
	pthread_mutex_init(&rec->lock, NULL);
	strbuf_init(&rec->lines, BIG);
	*ret = &rec->store;
	return 0;
}

char *recorder_take(struct store *recorder)
{
	return strbuf_detach(&((struct recorder *)recorder)->lines);
}

void recorder_before(struct store *recorder, void (*hook)(void *ctx), void *ctx)
{
	((struct recorder *)recorder)->before_edit = (struct hook){ hook, ctx };
}

void recorder_before_read(struct store *recorder, void (*hook)(void *ctx), void *ctx)
{
	((struct recorder *)recorder)->before_read = (struct hook){ hook, ctx };
}

static void bucket_open(struct world *w)
{
	struct publisher_options options = { .gate = GATE_ENFORCE, .runtime_version = RUNTIME };

	place_open("bucket", &w->bucket);
	cr_assert_eq(fault_push(w->bucket, &w->fault), 0);
	cr_assert_eq(recorder_push(w->fault, &w->recorder), 0);
	cr_assert_eq(counter_push(w->recorder, &w->counter), 0);
	options.store = w->counter;
	cr_assert_eq(publisher_new(&options, &w->publisher), 0);
	w->options.store = w->counter;
	w->options.publisher = w->publisher;
}

static void bucket_close(struct world *w)
{
	publisher_free(w->publisher);
	store_close(w->counter);
}

void world_init(struct world *w)
{
	CLEANUP(free_char) char *path = NULL;
	CLEANUP(free_char) char *url = NULL;
	const char *tmp = getenv("TMPDIR");

	*w = (struct world){ 0 };
	snprintf(w->folder, sizeof(w->folder), "%s/pubfs-export-XXXXXX", tmp ? tmp : "/tmp");
	cr_assert(mkdtemp(w->folder));
	path = xasprintf("%s/pub.db", w->folder);
	url = xasprintf("sqlite:%s", path);
	cr_assert_eq(db_open(url, DB_CREATE, &w->db), 0);
	cr_assert_eq(sqlite3_open(path, &w->sql), SQLITE_OK);
	sqlite3_busy_timeout(w->sql, 10000);
	place_open("canonical", &w->canonical);
	cr_assert_eq(counter_push(w->canonical, &w->canonical_counter), 0);
	w->options = (struct exporter_options){
		.db = w->db,
		.archives = w->canonical_counter,
		.rendering = { .base_url = BASE_URL },
		.runtime_version = RUNTIME,
		.own = true,
		.latest = true,
		.jobs = 2,
		.limits = brake_defaults,
	};
	bucket_open(w);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void world_remove_folder(const char *path)
{
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void world_release(struct world *w)
{
	bucket_close(w);
	store_close(w->canonical_counter);
	place_release();
	sqlite3_close(w->sql);
	db_close(w->db);
	world_remove_folder(w->folder);
}

void world_empty_bucket(struct world *w)
{
	bucket_close(w);
	bucket_open(w);
}

void world_sql(struct world *w, const char *fmt, ...)
{
	CLEANUP(strbuf_release) struct strbuf sql = STRBUF_INIT(BIG);
	char *error = NULL;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&sql, fmt, ap);
	va_end(ap);
	cr_assert_eq(sqlite3_exec(w->sql, sql.buf, NULL, NULL, &error), SQLITE_OK, "%s: %s",
		     sql.buf, error);
}

void world_add_row(struct world *w, const char *package, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG);
	unsigned char digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	archive_make(package, version, &archive);
	sha256(archive.buf, archive.len, digest);
	hex_encode(digest, SHA256_SIZE, hex);
	world_sql(w,
		  "INSERT OR IGNORE INTO package (name, created, updated) VALUES"
		  " ('%s', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z');"
		  "INSERT INTO package_version (package, version, created, pubspec, archive_sha256)"
		  " VALUES ('%s', '%s', '2024-01-02T03:04:05.678Z',"
		  " '{\"name\":\"%s\",\"version\":\"%s\"}', '%s')",
		  package, package, version, package, version, hex);
}

void world_add_archive(struct world *w, const char *package, const char *version)
{
	CLEANUP(strbuf_release) struct strbuf archive = STRBUF_INIT(BIG), key = STRBUF_INIT(1000);
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	archive_make(package, version, &archive);
	archive_canonical_key(package, version, &key);
	body = body_of_strbuf(&archive);
	object_init(&edit.object);
	edit.object.key = strbuf_detach(&key);
	sha256(archive.buf, archive.len, edit.object.sha256);
	edit.object.has_sha256 = true;
	cr_assert_eq(store_edit(w->canonical, &edit, 1), 0);
	edit_release(&edit, 1);
}

void world_add(struct world *w, const char *package, const char *version)
{
	world_add_row(w, package, version);
	world_add_archive(w, package, version);
}

void world_add_broken(struct world *w, const char *package)
{
	world_add_row(w, package, "1.0.0");
	world_sql(w, "UPDATE package_version SET pubspec = '[]' WHERE package = '%s'", package);
}

void world_add_advisory(struct world *w, const char *id, const char *package, const char *synced)
{
	world_sql(w,
		  "INSERT INTO advisory (id, osv, synced) VALUES ('%s', '{\"id\":\"%s\","
		  "\"modified\":\"%s\",\"summary\":\"s\",\"affected\":[{\"package\":"
		  "{\"ecosystem\":\"Pub\",\"name\":\"%s\"},\"versions\":[\"1.0.0\"]}]}', '%s');"
		  "INSERT INTO advisory_package (advisory, package) VALUES ('%s', '%s')",
		  id, id, synced, package, synced, id, package);
}

static int export_with(struct world *w, int (*pass)(struct exporter *, struct export_counts *),
		       struct export_counts *ret)
{
	struct export_counts counts = { 0 };
	struct exporter *ex;
	int r;

	cr_assert_eq(exporter_new(&w->options, &ex), 0);
	r = pass(ex, &counts);
	exporter_free(ex);
	if (ret)
		*ret = counts;
	for (size_t i = 0; i < ARRAY_SIZE(counts.no_archive_names); i++) {
		free(counts.no_archive_names[i]);
		if (ret)
			ret->no_archive_names[i] = NULL;
	}
	return r;
}

int world_export_all(struct world *w, struct export_counts *ret)
{
	return export_with(w, export_all, ret);
}

int world_export_changed(struct world *w, struct export_counts *ret)
{
	return export_with(w, export_changed, ret);
}

bool world_has(struct world *w, const char *key)
{
	struct object obj;

	if (store_stat(w->bucket, key, &obj) < 0)
		return false;
	object_release(&obj);
	return true;
}

void world_stat(struct world *w, const char *key, struct object *ret)
{
	cr_assert_eq(store_stat(w->bucket, key, ret), 0, "%s", key);
}

void world_read(struct world *w, const char *key, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);
	CLEANUP(object_release) struct object obj;

	object_init(&obj);
	world_stat(w, key, &obj);
	cr_assert_eq(store_read(w->bucket, key, STORE_ANY, 0, BIG, &stored), 0, "%s", key);
	if (obj.gzip)
		cr_assert_eq(gzip_decode(stored.buf, stored.len, out), 0, "%s", key);
	else
		strbuf_add(out, stored.buf, stored.len);
}

static int add_key(void *ctx, const struct object *obj)
{
	strbuf_addf(ctx, "%s\n", obj->key);
	return 0;
}

char *world_keys(struct world *w)
{
	struct strbuf keys = STRBUF_INIT(BIG);

	cr_assert_eq(store_list(w->bucket, "", true, NULL, add_key, &keys), 0);
	return strbuf_detach(&keys);
}

void world_put(struct world *w, const char *key, const char *text, const char *change)
{
	CLEANUP(strbuf_release) struct strbuf gzipped = STRBUF_INIT(BIG);
	struct object_name name;
	struct body body;
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	cr_assert_eq(gzip_encode(text, strlen(text), &gzipped), 0);
	body = body_of_strbuf(&gzipped);
	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_neq(catalog_match(key, &name), KIND_NONE);
	catalog_headers(&name, &edit.object);
	sha256(text, strlen(text), edit.object.sha256);
	edit.object.has_sha256 = true;
	edit.object.decoded_size = strlen(text);
	edit.object.has_decoded_size = true;
	edit.object.validated = clock_rules();
	edit.object.runtime_version = xstrdup(RUNTIME);
	edit.object.change = xstrdup_or_null(change);
	cr_assert_eq(store_edit(w->bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

void world_replace(struct world *w, const char *key, const struct strbuf *stored,
		   void (*change)(struct object *obj))
{
	CLEANUP(strbuf_release) struct strbuf same = STRBUF_INIT(BIG);
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY };
	struct body body;

	world_stat(w, key, &edit.object);
	if (!stored) {
		cr_assert_eq(store_read(w->bucket, key, STORE_ANY, 0, BIG, &same), 0);
		stored = &same;
	}
	body = body_of_strbuf(stored);
	edit.body = &body;
	edit.object.has_md5 = false;
	if (change)
		change(&edit.object);
	cr_assert_eq(store_edit(w->bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

static struct json member(struct json object, const char *name)
{
	struct json value;

	cr_assert(json_member(object, name, &value), "no %s in %.*s", name, (int)object.len,
		  object.text);
	return value;
}

static char *text_of(struct json string)
{
	struct strbuf text = STRBUF_INIT(BIG);

	json_decode(string, &text);
	return strbuf_detach(&text);
}

static int64_t advisories_time(struct json document)
{
	struct json value;
	int64_t us = INT64_MIN;

	if (json_member(document, "advisoriesUpdated", &value)) {
		CLEANUP(free_char) char *text = text_of(value);

		cr_assert_eq(clock_parse(text, &us), 0);
	}
	return us;
}

static struct json load_json(struct world *w, const char *key, struct strbuf *text)
{
	struct json document;

	world_read(w, key, text);
	cr_assert_eq(json_parse(text->buf, text->len, &document, NULL), 0, "%s is no JSON", key);
	return document;
}

static void expect_archive(struct world *w, const char *listing, const char *package,
			   const char *version)
{
	CLEANUP(strbuf_release)
	struct strbuf key = STRBUF_INIT(1000), canonical = STRBUF_INIT(1000);
	struct object obj;

	archive_canonical_key(package, version, &canonical);
	if (store_stat(w->canonical, canonical.buf, &obj) < 0)
		return;
	object_release(&obj);
	strbuf_add(&key, listing, (size_t)(strchr(listing, '/') - listing));
	strbuf_addf(&key, "/api/archives/%s-%s.tar.gz", package, version);
	cr_assert(world_has(w, key.buf), "%s names %s, which is not there", listing, key.buf);
}

static void expect_servable_listing(struct world *w, const char *key)
{
	CLEANUP(strbuf_release) struct strbuf listing_text = STRBUF_INIT(BIG);
	CLEANUP(strbuf_release) struct strbuf advisories_text = STRBUF_INIT(BIG);
	CLEANUP(free_char) char *advisories_key = xasprintf("%s/advisories", key);
	struct json listing = load_json(w, key, &listing_text), version;
	struct json advisories = load_json(w, advisories_key, &advisories_text);
	struct json_iter it = json_iterate(member(listing, "versions"));
	CLEANUP(free_char) char *package = text_of(member(listing, "name"));
	size_t n = 0;

	for (; json_next(&it, NULL, &version); n++) {
		CLEANUP(free_char) char *text = text_of(member(version, "version"));

		expect_archive(w, key, package, text);
	}
	cr_assert_gt(n, 0, "%s has no version", key);
	cr_assert(advisories_time(listing) <= advisories_time(advisories), "%s is ahead", key);
}

void world_expect_servable(struct world *w)
{
	CLEANUP(free_char) char *keys = world_keys(w);
	char *rest = keys, *key;

	while ((key = strsep(&rest, "\n")) && *key) {
		struct object_name name;
		enum kind kind = catalog_match(key, &name);

		if (kind == KIND_LISTING)
			expect_servable_listing(w, key);
	}
}

unsigned long counted_changes(struct store *counter)
{
	struct store_counts c = counter_read(counter);

	return c.write + c.copy + c.touch + c.remove;
}

unsigned long counted(struct store *counter)
{
	struct store_counts c = counter_read(counter);

	return c.stat + c.read + c.list + c.write + c.copy + c.touch + c.remove + c.refresh;
}

void world_export_well(struct world *w, struct export_counts *ret)
{
	cr_assert_eq(world_export_all(w, ret), 0);
	cr_assert_eq(ret->failed, 0);
	world_expect_servable(w);
}

static bool is_route(const char *key)
{
	struct object_name name;
	enum kind kind = catalog_match(key, &name);

	return kind == KIND_NONE || kind == KIND_LISTING || kind == KIND_ADVISORIES ||
	       kind == KIND_ARCHIVE;
}

char *routes_of(const char *lines)
{
	CLEANUP(free_char) char *all = xstrdup(lines);
	struct strbuf kept = STRBUF_INIT(BIG);
	char *rest = all, *line;

	while ((line = strsep(&rest, "\n")) && *line) {
		const char *space = strrchr(line, ' ');

		if (is_route(space ? space + 1 : line))
			strbuf_addf(&kept, "%s\n", line);
	}
	return strbuf_detach(&kept);
}

void world_expect_keys(struct world *w, const char *expected)
{
	CLEANUP(free_char) char *keys = world_keys(w);
	CLEANUP(free_char) char *routes = routes_of(keys);
	CLEANUP(free_char) char *wanted = routes_of(expected);

	cr_assert_str_eq(routes, wanted, "%s", routes);
}

void world_expect_order(struct world *w, const char *expected)
{
	CLEANUP(free_char) char *lines = recorder_take(w->recorder);
	CLEANUP(free_char) char *routes = routes_of(lines);

	cr_assert_str_eq(routes, expected, "%s", routes);
}

bool world_has_text(struct world *w, const char *key, const char *text)
{
	CLEANUP(strbuf_release) struct strbuf body = STRBUF_INIT(BIG);

	world_read(w, key, &body);
	return strstr(body.buf, text);
}

int64_t world_query(struct world *w, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t n;

	cr_assert_eq(sqlite3_prepare_v2(w->sql, sql, -1, &stmt, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

void world_put_stray(struct world *w, const char *key)
{
	struct body body = body_of_bytes("x", 1);
	struct edit edit = { .op = EDIT_WRITE, .if_generation = STORE_ANY, .body = &body };

	object_init(&edit.object);
	edit.object.key = xstrdup(key);
	cr_assert_eq(store_edit(w->bucket, &edit, 1), 0);
	edit_release(&edit, 1);
}

void world_use_publisher(struct world *w, struct store *store)
{
	struct publisher_options options = { .store = store,
					     .gate = GATE_ENFORCE,
					     .runtime_version = RUNTIME };

	publisher_free(w->publisher);
	cr_assert_eq(publisher_new(&options, &w->publisher), 0);
	w->options.publisher = w->publisher;
}

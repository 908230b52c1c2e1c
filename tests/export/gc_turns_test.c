/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gc_turns_test.c - a collection on one host while another one exports what was purged and is
 * published again, in every order of their steps.
 *
 * Each host has an index of its own on one bucket and one database. A step ends in front of each
 * call of the database, each change of the bucket, and each time that it is looked at. One of them
 * goes n steps, then the other one m, then the first one to its end, and then the other one: for
 * every n and m, whoever begins. In front of each step the bucket has to be servable; when the
 * exporting host has had one more pass, and the other one has, too, it has to be whole.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs/store/driver.h"
#include "clock.h"
#include "db.h"
#include "gc_world.h"
#include "memory.h"
#include "object.h"

#define LISTING LATEST "packages/foo"

#define PURGE_VERSION "DELETE FROM package_version WHERE version = '2.0.0'"
#define PURGE_PACKAGE                                                                              \
	"DELETE FROM package_version WHERE package = 'foo';"                                       \
	"DELETE FROM package WHERE name = 'foo'"

enum who { COLLECTOR, EXPORTER, HOSTS };

struct host {
	struct store *turns, *index;
	struct publisher *publisher;
	struct exporter *exporter;
	/* under `lock` below */
	unsigned steps, pause_at; /* 0: never */
	bool paused, over;
	bool looks; /* asked for several objects, it is still at it */
	int result;
};

static struct host hosts[HOSTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static enum who turn;
static char broken[256]; /* what was not servable first, and when */
static const struct db_ops *plain_db;
static struct db_ops stepping_db;
static _Thread_local struct host *me; /* NULL: the test itself */

/* --- is it servable? Asked on any thread, so nothing is asserted here --- */

static bool load(const char *key, struct strbuf *out)
{
	CLEANUP(strbuf_release) struct strbuf stored = STRBUF_INIT(BIG);

	return !store_read(w.bucket, key, STORE_ANY, 0, BIG, &stored) &&
	       !gzip_decode(stored.buf, stored.len, out);
}

static bool has_archive(const char *version)
{
	CLEANUP(free_char) char *key = xasprintf(LATEST "archives/foo-%s.tar.gz", version);

	return world_has(&w, key);
}

static void expect_servable(void)
{
	static const char *const versions[] = { "1.0.0", "2.0.0", "3.0.0" };
	CLEANUP(strbuf_release) struct strbuf listing = STRBUF_INIT(BIG);
	const char *lacks = NULL;

	if (*broken || !load(LISTING, &listing))
		return;
	if (!world_has(&w, LISTING "/advisories"))
		lacks = "advisories";
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (strstr(listing.buf, versions[i]) && !has_archive(versions[i]))
			lacks = versions[i];
	if (lacks)
		snprintf(broken, sizeof(broken), "it is listed without %s at steps %u and %u",
			 lacks, hosts[COLLECTOR].steps, hosts[EXPORTER].steps);
}

/* --- taking turns --- */

static bool may_go(enum who who)
{
	return turn == who || hosts[1 - who].over;
}

static void step(bool look)
{
	bool goes_on = look && me && me->looks;
	enum who who;

	if (me)
		me->looks = look;
	if (!me || goes_on)
		return;
	who = (enum who)(me - hosts);
	pthread_mutex_lock(&lock);
	expect_servable();
	if (++me->steps == me->pause_at) {
		me->paused = true;
		turn = 1 - who;
		pthread_cond_broadcast(&moved);
		while (!may_go(who))
			pthread_cond_wait(&moved, &lock);
	}
	pthread_mutex_unlock(&lock);
}

static int turns_stat(struct store *s, const char *key, struct object *ret)
{
	step(true);
	return store_stat(s->next, key, ret);
}

static int turns_edit(struct store *s, struct edit *edits, size_t n)
{
	step(false);
	return store_edit(s->next, edits, n);
}

static void turns_close(struct store *s)
{
	free(s);
}

static const struct store_ops turns_ops = {
	.name = "turns",
	.stat = turns_stat,
	.edit = turns_edit,
	.close = turns_close,
};

static int step_package(struct db *db, const char *name, struct package *ret)
{
	step(false);
	return plain_db->package(db, name, ret);
}

static int step_names(struct db *db, name_fn *fn, void *ctx)
{
	step(false);
	return plain_db->names(db, fn, ctx);
}

static int step_work(struct db *db, const char *store, const char *const *prefixes, size_t n,
		     const char *renderer, work_fn *fn, void *ctx)
{
	step(false);
	return plain_db->work(db, store, prefixes, n, renderer, fn, ctx);
}

static int step_record(struct db *db, const char *store, const struct export_record *records,
		       size_t n)
{
	step(false);
	return plain_db->record(db, store, records, n);
}

static int step_state(struct db *db, const char *store, const char *prefix, const char *package,
		      struct export_state *ret)
{
	step(false);
	return plain_db->state(db, store, prefix, package, ret);
}

/* --- two hosts --- */

static void host_init(struct host *h, const char *name, const char *version)
{
	CLEANUP(free_char) char *cache = xasprintf("%s/%s", w.folder, name);
	struct publisher_options publishing = { .gate = GATE_ENFORCE, .runtime_version = version };
	struct exporter_options exporting = w.options;

	exporting.runtime_version = version;
	*h = (struct host){ .turns = xcalloc(1, sizeof(*h->turns)) };
	link_init(h->turns, &turns_ops, w.counter);
	cr_assert_eq(index_push(h->turns, cache, &h->index), 0);
	publishing.store = exporting.store = h->index;
	cr_assert_eq(publisher_new(&publishing, &h->publisher), 0);
	exporting.publisher = h->publisher;
	exporting.jobs = 1;
	cr_assert_eq(exporter_new(&exporting, &h->exporter), 0);
}

static void host_release(struct host *h)
{
	exporter_free(h->exporter);
	publisher_free(h->publisher);
	h->turns->next = NULL;
	store_close(h->index);
}

static int pass(struct host *h, int (*export)(struct exporter *, struct export_counts *))
{
	struct export_counts c = { 0 };
	int r = export(h->exporter, &c);

	export_counts_release(&c);
	return r;
}

static void init(void)
{
	gc_world_init();
	w.options.own = options.own = false;
	plain_db = w.db->ops;
	stepping_db = *plain_db;
	stepping_db.package = step_package;
	stepping_db.names = step_names;
	stepping_db.work = step_work;
	stepping_db.record = step_record;
	stepping_db.state = step_state;
	w.db->ops = &stepping_db;
	host_init(&hosts[COLLECTOR], "a", RUNTIME);
	host_init(&hosts[EXPORTER], "b", RUNTIME);
	options.store = hosts[COLLECTOR].index;
	options.publisher = hosts[COLLECTOR].publisher;
	world_add(&w, "bar", "1.0.0");
	world_add(&w, "baz", "1.0.0");
	world_add_archive(&w, "foo", "1.0.0");
	world_add_archive(&w, "foo", "2.0.0");
	world_add_archive(&w, "foo", "3.0.0");
}

static void fini(void)
{
	host_release(&hosts[COLLECTOR]);
	host_release(&hosts[EXPORTER]);
	w.db->ops = plain_db;
	gc_world_release();
}

/* What is purged, which host exports that (HOSTS: none), and the versions that are published
 * again. */
struct story {
	const char *purged;
	enum who exported_by;
	const char *published[3];
	const char *versions[3]; /* all of them, in the end */
};
static const struct story *story;

static void remove_all_of_foo(void)
{
	CLEANUP(free_char) char *keys = world_keys(&w);
	char *rest = keys, *key;

	while ((key = strsep(&rest, "\n")) && *key) {
		struct edit edit = { .op = EDIT_REMOVE, .if_generation = STORE_ANY };

		if (!strstr(key, "/foo"))
			continue;
		object_init(&edit.object);
		edit.object.key = xstrdup(key);
		cr_assert_eq(store_edit(w.bucket, &edit, 1), 0);
		edit_release(&edit, 1);
	}
}

/* As if it had never been, up to where the hosts take turns. */
static void tell(void)
{
	world_sql(&w, "BEGIN; " PURGE_PACKAGE "; DELETE FROM package_change WHERE package = 'foo';"
		      "DELETE FROM export_state WHERE package = 'foo'");
	world_add_row(&w, "foo", "1.0.0");
	world_add_row(&w, "foo", "2.0.0");
	world_sql(&w, "COMMIT");
	remove_all_of_foo();
	for (int i = 0; i < HOSTS; i++)
		cr_assert_eq(store_refresh(hosts[i].index, "latest/", 0), 0);
	cr_assert_eq(pass(&hosts[COLLECTOR], export_changed), 0);
	cr_assert_eq(store_refresh(hosts[EXPORTER].index, "latest/", 0), 0);
	cr_assert_eq(pass(&hosts[EXPORTER], export_changed), 0);
	world_sql(&w, "%s", story->purged);
	if (story->exported_by != HOSTS)
		cr_assert_eq(pass(&hosts[story->exported_by], export_changed), 0);
	age();
}

static void finish(int r)
{
	pthread_mutex_lock(&lock);
	me->result = r;
	me->over = true;
	turn = 1 - (enum who)(me - hosts);
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void begin(enum who who)
{
	me = &hosts[who];
	pthread_mutex_lock(&lock);
	while (!may_go(who))
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static void publish_again(void)
{
	world_sql(&w, "BEGIN");
	for (size_t i = 0; i < ARRAY_SIZE(story->published) && story->published[i]; i++)
		world_add_row(&w, "foo", story->published[i]);
	world_sql(&w, "COMMIT");
}

static void *collect_main(void *arg)
{
	(void)arg;
	begin(COLLECTOR);
	finish(gc_run(&options, &counts));
	return NULL;
}

static void *export_main(void *arg)
{
	(void)arg;
	begin(EXPORTER);
	step(false);
	publish_again();
	finish(pass(me, export_changed));
	return NULL;
}

static void take_turns(enum who first, unsigned n, unsigned m)
{
	pthread_t threads[HOSTS];

	gc_counts_release(&counts);
	*broken = '\0';
	turn = first;
	for (int i = 0; i < HOSTS; i++) {
		hosts[i].steps = 0;
		hosts[i].pause_at = i == (int)first ? n : m;
		hosts[i].paused = hosts[i].over = false;
	}
	cr_assert_eq(pthread_create(&threads[0], NULL, collect_main, NULL), 0);
	cr_assert_eq(pthread_create(&threads[1], NULL, export_main, NULL), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	expect_servable();
	cr_assert_str_empty(broken, "%s: %d, %u, %u", broken, first, n, m);
	for (int i = 0; i < HOSTS; i++)
		cr_assert_eq(hosts[i].result, 0, "%d: %d, %u, %u", i, first, n, m);
}

static void expect_whole(enum who first, unsigned n, unsigned m)
{
	static const char *const documents[] = { "",	   "/advisories", "/feed.atom", "/likes",
						 "/options", "/publisher", "/score" };
	CLEANUP(strbuf_release) struct strbuf listing = STRBUF_INIT(BIG);

	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		CLEANUP(free_char) char *key = xasprintf(LISTING "%s", documents[i]);

		cr_assert(world_has(&w, key), "%s is gone: %d, %u, %u", key, first, n, m);
	}
	world_read(&w, LISTING, &listing);
	for (size_t i = 0; i < ARRAY_SIZE(story->versions) && story->versions[i]; i++)
		cr_assert(strstr(listing.buf, story->versions[i]) &&
				  has_archive(story->versions[i]),
			  "%s is gone: %d, %u, %u", story->versions[i], first, n, m);
}

static void each_order(const struct story *s)
{
	story = s;
	for (int first = COLLECTOR; first < HOSTS; first++)
		for (unsigned n = 1, m = 1;;) {
			tell();
			take_turns((enum who)first, n, m);
			cr_assert_eq(pass(&hosts[EXPORTER], export_changed), 0);
			expect_whole((enum who)first, n, m); /* whatever the other one does */
			cr_assert_eq(pass(&hosts[COLLECTOR], export_changed), 0);
			expect_whole((enum who)first, n, m);
			if (!hosts[first].paused)
				break;
			m = hosts[1 - first].paused ? m + 1 : 1;
			n += m == 1;
		}
}

TestSuite(gc_turns, .init = init, .fini = fini, .timeout = 120);

Test(gc_turns, a_version_of_which_the_collecting_host_has_exported_that_it_is_gone)
{
	each_order(&(const struct story){
		PURGE_VERSION, COLLECTOR, { "2.0.0" }, { "1.0.0", "2.0.0" } });
}

Test(gc_turns, a_version_of_which_the_other_host_has_exported_that_it_is_gone)
{
	each_order(&(const struct story){
		PURGE_VERSION, EXPORTER, { "2.0.0" }, { "1.0.0", "2.0.0" } });
}

Test(gc_turns, a_package_that_comes_back_as_it_was)
{
	each_order(&(const struct story){
		PURGE_PACKAGE, COLLECTOR, { "1.0.0", "2.0.0" }, { "1.0.0", "2.0.0" } });
}

Test(gc_turns, a_package_that_comes_back_before_anybody_exported_that_it_is_gone)
{
	each_order(&(const struct story){
		PURGE_PACKAGE, HOSTS, { "1.0.0", "2.0.0" }, { "1.0.0", "2.0.0" } });
}

/* Whose record in latest/ is its own. */
Test(gc_turns, a_package_that_another_deployment_exports_again)
{
	host_release(&hosts[EXPORTER]);
	host_init(&hosts[EXPORTER], "b", "2026.06.01");
	each_order(&(const struct story){
		PURGE_PACKAGE, HOSTS, { "1.0.0", "2.0.0" }, { "1.0.0", "2.0.0" } });
}

Test(gc_turns, a_package_that_comes_back_with_another_version)
{
	each_order(&(const struct story){
		PURGE_PACKAGE, EXPORTER, { "1.0.0", "3.0.0" }, { "1.0.0", "3.0.0" } });
}

/* More of them than there are tries. */
Test(gc_turns, versions_of_which_the_exporting_host_does_not_know_that_they_were_collected)
{
	static const char *const versions[] = { "2.0.0", "3.0.0", "4.0.0", "5.0.0",
						"6.0.0", "7.0.0", "8.0.0" };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		CLEANUP(free_char) char *stays = xasprintf("1.%s", versions[i]);

		world_add(&w, "foo", versions[i]);
		stays[strlen(stays) - 2] = '\0';
		world_add_row(&w, "foo", stays);
	}
	cr_assert_eq(pass(&hosts[EXPORTER], export_changed), 0);
	world_sql(&w, "DELETE FROM package_version WHERE version >= '2.0.0'");
	cr_assert_eq(pass(&hosts[EXPORTER], export_changed), 0);
	cr_assert_eq(pass(&hosts[COLLECTOR], export_changed), 0);
	age();
	cr_assert_eq(collect(), 0);
	cr_assert_eq(counts.removed, ARRAY_SIZE(versions));
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		world_add_row(&w, "foo", versions[i]);
	cr_assert_eq(pass(&hosts[EXPORTER], export_changed), 0);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		cr_assert(has_archive(versions[i]), "%s", versions[i]);
}

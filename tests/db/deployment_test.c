/* SPDX-License-Identifier: BSD-3-Clause */
/* deployment_test.c - heartbeats, retirement, the hold of latest/, and waiting for a change. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fixture.h"
#include "memory.h"
#include "strbuf.h"

#define URL "https://pub.example.com"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(deployment, .init = open_world, .fini = close_world);

static int beat(const char *version, const char *host, const char *base_url)
{
	CLEANUP(deployment_release)
	struct deployment d = { .runtime_version = xstrdup(version),
				.host = xstrdup(host),
				.accepted = xstrdup("2026.03.01,2026.01.01"),
				.base_url = xstrdup(base_url) };

	return db_beat(w.db, &d);
}

/* "VERSION/HOST live retired; " for each. */
static int add_line(void *ctx, const struct deployment *d)
{
	strbuf_addf(ctx, "%s/%s%s%s%s;", d->runtime_version, d->host, d->live ? " live" : "",
		    d->shadow ? " shadow" : "", d->retired ? " retired" : "");
	cr_assert_str_eq(d->accepted, "2026.03.01,2026.01.01");
	cr_assert_str_eq(d->base_url, URL);
	cr_assert(!d->live || (d->age > -DEPLOYMENT_LIVE && d->age < DEPLOYMENT_LIVE));
	return 0;
}

static void expect(const char *list)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(4096);

	cr_assert_eq(db_deployments(w.db, add_line, &text), 0);
	cr_assert_str_eq(text.len ? text.buf : "", list);
}

static void age(const char *host, const char *by)
{
	sql(&w,
	    "UPDATE deployment SET heartbeat = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '%s')"
	    " WHERE host = '%s'",
	    by, host);
}

Test(deployment, hosts_are_listed_newest_version_first)
{
	expect("");
	cr_assert_eq(beat("2026.01.01", "b", URL), 0);
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	cr_assert_eq(beat("2026.03.01", "c", URL), 0);
	cr_assert_eq(beat("2026.01.01", "b", URL), 0, "the same again");
	expect("2026.03.01/c live;2026.01.01/a live;2026.01.01/b live;");
}

Test(deployment, a_host_says_with_each_heartbeat_whether_it_is_in_shadow_mode)
{
	char version[] = "2026.01.01", host[] = "a", accepted[] = "2026.03.01,2026.01.01", url[] = URL;
	struct deployment d = { .runtime_version = version, .host = host, .accepted = accepted,
				.base_url = url, .shadow = true };

	cr_assert_eq(db_beat(w.db, &d), 0);
	expect("2026.01.01/a live shadow;");
	cr_assert_eq(beat("2026.01.01", "b", URL), 0);
	expect("2026.01.01/a live shadow;2026.01.01/b live;");
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	expect("2026.01.01/a live;2026.01.01/b live;");
}

Test(deployment, a_heartbeat_counts_for_five_minutes_on_either_side_of_now)
{
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	age("a", "-299 seconds");
	expect("2026.01.01/a live;");
	age("a", "-301 seconds");
	expect("2026.01.01/a;");
	age("a", "+299 seconds");
	expect("2026.01.01/a live;");
	age("a", "+301 seconds");
	expect("2026.01.01/a;");
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	expect("2026.01.01/a live;");
}

Test(deployment, a_whole_version_is_retired_with_the_hosts_that_come_later)
{
	cr_assert_eq(db_retire(w.db, "2026.01.01", true), -ENOENT);
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	cr_assert_eq(beat("2026.03.01", "c", URL), 0);
	cr_assert_eq(db_retire(w.db, "2026.01.01", true), 0);
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	cr_assert_eq(beat("2026.01.01", "b", URL), 0);
	expect("2026.03.01/c live;2026.01.01/a live retired;2026.01.01/b live retired;");
	cr_assert_eq(db_retire(w.db, "2026.01.01", false), 0);
	expect("2026.03.01/c live;2026.01.01/a live;2026.01.01/b live;");
}

Test(deployment, a_host_that_is_long_gone_is_forgotten_but_not_that_its_version_is_retired)
{
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	cr_assert_eq(beat("2026.02.01", "b", URL), 0);
	cr_assert_eq(db_retire(w.db, "2026.02.01", true), 0);
	age("a", "-31 days");
	age("b", "-31 days");
	cr_assert_eq(beat("2026.03.01", "c", URL), 0);
	expect("2026.03.01/c live;2026.02.01/b retired;");
}

Test(deployment, a_live_host_with_another_base_url_keeps_a_host_out)
{
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	cr_assert_eq(beat("2026.01.01", "b", "https://other.example.com"), -EEXIST);
	cr_assert(said("https://other.example.com", URL, "2026.01.01", NULL));
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), -EEXIST);
	expect("2026.01.01/a live;");
	age("a", "-6 minutes");
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), 0);
	cr_assert_eq(beat("2026.03.01", "b", URL), 0, "its own row says nothing against it");
	age("a", "+6 minutes");
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), 0, "a clock was set back");
	age("a", "+0 seconds");
	sql(&w, "UPDATE deployment SET base_url = '' WHERE host = 'a'");
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), 0,
		     "of an earlier pubfs, which did not say it");
	sql(&w, "UPDATE deployment SET base_url = '" URL "' WHERE host = 'a'");
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), -EEXIST);
	cr_assert_eq(db_retire(w.db, "2026.01.01", true), 0);
	cr_assert_eq(beat("2026.03.01", "b", "https://other.example.com"), 0, "it is retired");
}

static void *beat_with_other_url(void *ret)
{
	*(int *)ret = beat("2026.03.01", "b", "https://other.example.com");
	return NULL;
}

Test(deployment, of_two_hosts_that_begin_together_with_other_urls_one_is_kept_out)
{
	const struct timespec nap = { .tv_nsec = 200 * 1000 * 1000 };
	pthread_t thread;
	int r = 1;

	sql(&w, world_is_postgresql() ? "BEGIN; LOCK TABLE deployment IN SHARE ROW EXCLUSIVE MODE"
				      : "BEGIN IMMEDIATE");
	sql(&w, "INSERT INTO deployment (runtime_version, host, accepted, base_url, heartbeat)"
		" VALUES ('2026.01.01', 'a', '', '" URL "',"
		" strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+0 seconds'))");
	cr_assert_eq(pthread_create(&thread, NULL, beat_with_other_url, &r), 0);
	nanosleep(&nap, NULL); /* it is right, too, if the other one comes later */
	sql(&w, "COMMIT");
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(r, -EEXIST);
}

Test(deployment, each_heartbeat_takes_the_place_of_the_one_before)
{
	cr_assert_eq(beat("2026.01.01", "a", "https://other.example.com"), 0);
	sql(&w, "UPDATE deployment SET accepted = '2026.01.01'");
	age("a", "-6 minutes");
	cr_assert_eq(beat("2026.01.01", "a", URL), 0);
	expect("2026.01.01/a live;"); /* with its URL, and what it accepts */
}

Test(deployment, latest_is_held_at_one_version_until_it_is_released)
{
	char *version = NULL;
	int64_t since = 0;

	cr_assert_eq(db_held(w.db, &version, &since), -ENOENT);
	cr_assert_null(version);
	cr_assert_eq(db_hold(w.db, "2026.01.01"), 0);
	cr_assert_eq(db_hold(w.db, "2026.02.01"), 0);
	cr_assert_eq(db_held(w.db, &version, &since), 0);
	cr_assert_str_eq(version, "2026.02.01");
	cr_assert(llabs(since - clock_now()) < MINUTE_US);
	free(version);
	version = NULL;
	/* of two that came at the same time, the later one counts */
	sql(&w, "INSERT INTO latest_hold VALUES ('2026.03.01', '2999-01-01T00:00:00.000Z'),"
		" ('2026.01.01', '2020-01-01T00:00:00.000Z')");
	cr_assert_eq(db_held(w.db, &version, &since), 0);
	cr_assert_str_eq(version, "2026.03.01");
	free(version);
	version = NULL;
	cr_assert_eq(db_hold(w.db, NULL), 0);
	cr_assert_eq(db_held(w.db, &version, &since), -ENOENT);
}

static void *commit_elsewhere(void *arg)
{
	(void)arg;
	sql(&w, "INSERT INTO package (name) VALUES ('p')");
	return NULL;
}

Test(deployment, waiting_ends_with_a_commit_of_another_connection)
{
	atomic_bool stop = false;
	pthread_t thread;
	uint64_t seen;

	cr_assert_eq(db_changed(w.db, &seen), 0);
	cr_assert_eq(db_wait(w.db, 0, &stop, &seen), 0);
	cr_assert_eq(db_hold(w.db, "2026.01.01"), 0);
	cr_assert_eq(db_wait(w.db, 0, &stop, &seen), 0, "its own commit is none");
	cr_assert_eq(pthread_create(&thread, NULL, commit_elsewhere, NULL), 0);
	cr_assert_eq(db_wait(w.db, HOUR_US, &stop, &seen), 1);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(db_wait(w.db, 0, NULL, &seen), 0, "it was seen");
	stop = true;
	cr_assert_eq(db_wait(w.db, HOUR_US, &stop, &seen), 0, "it was told to stop");
}

static int add_renderer(void *ctx, const char *prefix, const char *renderer)
{
	strbuf_addf(ctx, "%s %s;", prefix, renderer);
	return 0;
}

Test(deployment, the_renderers_of_packages_in_a_store_are_told_once_each)
{
	CLEANUP(strbuf_release) struct strbuf text = STRBUF_INIT(4096);
	CLEANUP(free_char) char *key = export_state_key("latest", "2026.01.01");
	CLEANUP(free_char) char *own = export_state_key("2026.01.01", "2026.01.01");
	CLEANUP(free_char) char *none = export_state_key("latest", NULL);

	cr_assert_str_eq(key, "latest/2026.01.01");
	cr_assert_str_eq(own, "2026.01.01");
	cr_assert_str_eq(none, "latest");
	sql(&w,
	    "INSERT INTO package (name) VALUES ('a'), ('b'), ('c');"
	    "INSERT INTO export_state (store, prefix, package, change, renderer) VALUES"
	    " ('s', '%s', 'a', '1', 'r'), ('s', '%s', 'b', '1', 'r'), ('s', 'x', 'a', '1', 'r'),"
	    " ('s', 'x', 'b', '1', 'q'), ('s', 'x', 'c', NULL, NULL), ('t', 'x', 'a', '1', 'z'),"
	    " ('s', 'y', 'gone', '1', 'r')",
	    key, key);
	cr_assert_eq(db_renderers(w.db, "s", add_renderer, &text), 0);
	cr_assert_str_eq(text.buf, "latest/2026.01.01 r;x q;x r;");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* lease_test.c - work is shared: no package by two at a time, and none for ever by who is gone. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "memory.h"

static struct world w;

static void open_world(void)
{
	world_open(&w);
}

static void close_world(void)
{
	world_close(&w);
}

TestSuite(lease, .init = open_world, .fini = close_world);

static const char *const prefixes[] = { "2026.01.01", "latest/2026.01.01" };

static struct lease lease_of(const char *owner)
{
	return (struct lease){ .store = "s",
			       .runtime_version = "2026.01.01",
			       .owner = owner,
			       .duration = MINUTE_US,
			       .prefixes = prefixes,
			       .n_prefixes = ARRAY_SIZE(prefixes) };
}

static enum claim claim(struct lease lease, const char *name)
{
	CLEANUP(free_char) char *copy = xstrdup(name);
	enum claim ret = CLAIM_DONE;

	cr_assert_eq(db_claim(w.db, &lease, &copy, 1, &ret), 0);
	return ret;
}

static void release_of(struct lease lease, const char *name)
{
	CLEANUP(free_char) char *copy = xstrdup(name);

	cr_assert_eq(db_release(w.db, &lease, &copy, 1), 0);
}

static void release(const char *owner, const char *name)
{
	release_of(lease_of(owner), name);
}

Test(lease, what_one_has_is_taken_for_all_others_until_it_is_released)
{
	struct lease other_store = lease_of("b"), other_version = lease_of("b");

	other_store.store = "t";
	other_version.runtime_version = "2026.02.01";
	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE, "again");
	cr_assert_eq(claim(lease_of("b"), "foo"), CLAIM_TAKEN);
	cr_assert_eq(claim(lease_of("b"), "bar"), CLAIM_MINE);
	cr_assert_eq(claim(other_store, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(other_version, "foo"), CLAIM_MINE);
	release("b", "foo");
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_TAKEN, "b never had it");
	other_store.owner = other_version.owner = "a";
	release_of(other_store, "foo");
	release_of(other_version, "foo");
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_TAKEN, "nor was it of those");
	release("a", "foo");
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_MINE);
}

Test(lease, one_of_another_store_or_version_that_has_lapsed_is_not_this_one)
{
	struct lease other_store = lease_of("x"), other_version = lease_of("x");

	other_store.store = "t";
	other_version.runtime_version = "2026.02.01";
	cr_assert_eq(claim(other_store, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(other_version, "foo"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET until = since");
	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM lease WHERE owner = 'x'"), "2");
	cr_assert_eq(claim(lease_of("b"), "foo"), CLAIM_TAKEN);
}

Test(lease, it_lapses_by_the_clock_of_the_database_and_can_be_renewed)
{
	struct lease a = lease_of("a"), b = lease_of("b");

	a.duration = 0;
	cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(b, "foo"), CLAIM_MINE, "it lapsed at once");
	cr_assert_eq(db_renew(w.db, &a), 0);
	cr_assert_eq(claim(a, "foo"), CLAIM_TAKEN, "what was taken over is not got back by that");
	sql(&w, "UPDATE lease SET until = since");
	cr_assert_eq(db_renew(w.db, &b), 0);
	cr_assert_eq(claim(a, "foo"), CLAIM_TAKEN);
	b.duration = 0;
	cr_assert_eq(db_renew(w.db, &b), 0);
	cr_assert_eq(claim(a, "foo"), CLAIM_TAKEN, "a renewal shortens nothing");
	cr_assert_eq(claim(b, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(a, "foo"), CLAIM_MINE, "to claim it anew does, and it has lapsed");
}

Test(lease, one_that_is_taken_over_holds_from_now_on)
{
	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET since = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+1 day'),"
		" until = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+2 days')");
	cr_assert_eq(claim(lease_of("b"), "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_TAKEN, "its beginning is not of tomorrow");
	sql(&w, "UPDATE lease SET until = since");
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("d"), "foo"), CLAIM_TAKEN, "its end is not of yesterday");
}

Test(lease, a_clock_that_was_set_back_ends_it)
{
	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET since = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+1 day'),"
		" until = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+2 days')");
	cr_assert_eq(claim(lease_of("b"), "foo"), CLAIM_MINE);
}

Test(lease, a_renewal_keeps_it_over_a_clock_that_was_set_back)
{
	struct lease a = lease_of("a");

	cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET since = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+1 day'),"
		" until = strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', 'now', '+2 days')");
	cr_assert_eq(db_renew(w.db, &a), 0);
	cr_assert_eq(claim(lease_of("b"), "foo"), CLAIM_TAKEN);
}

Test(lease, a_renewal_is_of_ones_own_alone)
{
	struct lease a = lease_of("a");

	cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("b"), "bar"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET until = since");
	cr_assert_eq(db_renew(w.db, &a), 0);
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_TAKEN);
	cr_assert_eq(claim(lease_of("c"), "bar"), CLAIM_MINE);
}

Test(lease, all_of_an_owner_are_released_at_once)
{
	struct lease a = lease_of("a");

	cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
	cr_assert_eq(claim(a, "bar"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("b"), "baz"), CLAIM_MINE);
	cr_assert_eq(db_release(w.db, &a, NULL, 0), 0);
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("c"), "bar"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("c"), "baz"), CLAIM_TAKEN);
}

static void rest_of(const char *owner, const char *rester, const char *name, int64_t rest)
{
	struct lease lease = lease_of(owner);

	lease.rester = rester;
	lease.rest = rest;
	release_of(lease, name);
}

Test(lease, what_rests_is_its_resters_alone_until_that_is_over_and_no_renewal_prolongs_it)
{
	struct lease a = lease_of("a"), a2 = lease_of("a2"), b = lease_of("b");

	a.rester = a2.rester = "A";
	b.rester = "B";
	cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
	rest_of("b", "B", "foo", MINUTE_US);
	cr_assert_eq(claim(b, "foo"), CLAIM_TAKEN, "b never had it");
	rest_of("a", "A", "foo", MINUTE_US);
	cr_assert_eq(claim(b, "foo"), CLAIM_TAKEN);
	cr_assert_eq(claim(lease_of("c"), "foo"), CLAIM_TAKEN);
	cr_assert_eq(claim(a2, "foo"), CLAIM_MINE, "another one of that rester");
	cr_assert_eq(claim(a, "foo"), CLAIM_TAKEN, "whose it is then");
	rest_of("a2", "A", "foo", 1000);
	cr_assert_eq(db_renew(w.db, &a2), 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM lease WHERE owner = 'A'"), "1");
	sql(&w, "UPDATE lease SET until = since");
	cr_assert_eq(db_renew(w.db, &a2), 0);
	cr_assert_eq(claim(b, "foo"), CLAIM_MINE);
	rest_of("b", "B", "foo", 0);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM lease"), "0", "nothing rests");
}

Test(lease, what_is_exported_everywhere_by_this_renderer_is_done_and_not_claimed)
{
	struct lease a = lease_of("a");
	struct export_record records[2];
	CLEANUP(free_char) char *change = NULL;
	char name[] = "foo";

	a.renderer = "r";
	sql(&w, "INSERT INTO package (name) VALUES ('foo')");
	change = xstrdup(ask(&w, "SELECT change FROM package_change"));
	for (size_t i = 0; i < 2; i++) {
		char renderer[] = "r";

		cr_assert_eq(claim(a, "foo"), CLAIM_MINE, "%zu prefixes are done", i);
		for (int other = 0; other < 2; other++) {
			char package[] = "bar";

			records[i] = (struct export_record){
				.prefix = prefixes[i],
				.package = other ? package : name,
				.state = { .change = change, .renderer = renderer }
			};
			cr_assert_eq(db_record(w.db, other ? "s" : "t", &records[i], 1), 0);
			cr_assert_eq(claim(a, "foo"), CLAIM_MINE, "in another store, or of another");
		}
		records[i] = (struct export_record){ .prefix = "zzz",
						     .package = "foo",
						     .state = { .change = change,
								.renderer = renderer } };
		cr_assert_eq(db_record(w.db, "s", &records[i], 1), 0, "another one does not count");
		cr_assert_eq(claim(a, "foo"), CLAIM_MINE);
		records[i] = (struct export_record){ .prefix = prefixes[i],
						     .package = "foo",
						     .state = { .change = change,
								.renderer = renderer } };
		cr_assert_eq(db_record(w.db, "s", &records[i], 1), 0);
	}
	release("a", "foo");
	cr_assert_eq(claim(a, "foo"), CLAIM_DONE);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM lease"), "0");
	a.renderer = "q";
	cr_assert_eq(claim(a, "foo"), CLAIM_MINE, "of another renderer");
	release("a", "foo");
	a.renderer = "r";
	sql(&w, "UPDATE package SET unlisted = 1");
	cr_assert_eq(claim(a, "foo"), CLAIM_MINE, "it changed");
}

Test(lease, old_ones_are_swept_away_by_a_heartbeat)
{
	char version[] = "2026.01.01", host[] = "h", empty[] = "";
	const struct deployment d = {
		.runtime_version = version, .host = host, .accepted = empty, .base_url = empty
	};

	cr_assert_eq(claim(lease_of("a"), "foo"), CLAIM_MINE);
	cr_assert_eq(claim(lease_of("a"), "bar"), CLAIM_MINE);
	sql(&w, "UPDATE lease SET until = since WHERE name = 'foo'");
	cr_assert_eq(db_beat(w.db, &d), 0);
	cr_assert_str_eq(ask(&w, "SELECT group_concat(name) FROM lease"), "bar");
}

#define PROCESSES 4
#define NAMES	  50

/* How many of the names this process was given. */
static int claim_many(int process)
{
	char owner[16], *names[NAMES];
	enum claim claims[NAMES];
	struct lease lease = lease_of(owner);
	struct db *db;
	int n = 0;

	snprintf(owner, sizeof(owner), "%d", process);
	if (db_open(w.url, DB_OPEN, &db) < 0)
		return 255;
	for (int i = 0; i < NAMES; i++)
		names[i] = xasprintf("p%d", (i + process * NAMES / PROCESSES) % NAMES);
	for (int i = 0; i < NAMES; i++) {
		if (db_claim(db, &lease, &names[i], 1, &claims[i]) < 0)
			return 255;
		n += claims[i] == CLAIM_MINE;
		free(names[i]);
	}
	db_close(db);
	return n;
}

Test(lease, of_many_processes_that_claim_at_once_each_name_is_given_to_one)
{
	pid_t children[PROCESSES];
	int status, sum = 0;

	for (int i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(claim_many(i));
	}
	for (int i = 0; i < PROCESSES; i++) {
		cr_assert_eq(waitpid(children[i], &status, 0), children[i]);
		cr_assert(WIFEXITED(status));
		cr_assert_lt(WEXITSTATUS(status), 255);
		sum += WEXITSTATUS(status);
	}
	cr_assert_eq(sum, NAMES);
	cr_assert_str_eq(ask(&w, "SELECT count(*) FROM lease"), "50");
}

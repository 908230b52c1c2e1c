/* SPDX-License-Identifier: BSD-3-Clause */
/* sides.c - deployments side by side on one database and one bucket, each with a rendering of its
 * own. */
#include "sides.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "memory.h"

const struct known known[SIDES] = {
	[OLD] = { "2026.01.01", "2.0.0", "\"latest\":{\"version\":\"1.0.0\"" },
	[MIDDLE] = { "2026.02.01", "3.0.0", "\"latest\":{\"version\":\"2.0.0\"" },
	[NEW] = { "2026.03.01", "4.0.0", "\"latest\":{\"version\":\"3.0.0\"" },
};

struct world w;
struct side sides[SIDES];
bool time_stands_still;

static void require(const char *version, const char *sdk)
{
	world_add(&w, "foo", version);
	if (sdk)
		world_sql(&w,
			  "UPDATE package_version SET pubspec = json_set(pubspec,"
			  " '$.environment.sdk', '>=%s <9.0.0') WHERE version = '%s'",
			  sdk, version);
}

static int64_t read_clock(void *ctx)
{
	static int64_t now;

	(void)ctx;
	if (!time_stands_still)
		now += MINUTE_US;
	return now;
}

void sides_init(void)
{
	world_init(&w);
	time_stands_still = false;
	memset(sides, 0, sizeof(sides));
	for (int i = 0; i < SIDES; i++) {
		const struct publisher_options options = { .store = w.counter,
							   .gate = GATE_ENFORCE,
							   .runtime_version = known[i].version };

		cr_assert_eq(publisher_new(&options, &sides[i].publisher), 0);
		sides[i].options = w.options;
		sides[i].options.publisher = sides[i].publisher;
		sides[i].options.runtime_version = known[i].version;
		sides[i].options.rendering.sdk_dart = known[i].sdk;
		sides[i].options.deployment = true;
		sides[i].options.clock = read_clock;
	}
	require("1.0.0", NULL);
	require("2.0.0", "3.0.0");
	require("3.0.0", "4.0.0");
}

void sides_fini(void)
{
	for (int i = 0; i < SIDES; i++) {
		exporter_free(sides[i].ex);
		publisher_free(sides[i].publisher);
	}
	world_release(&w);
}

static void beat(int i)
{
	char version[16], host[] = "host", accepted[] = "", base_url[] = BASE_URL;
	const struct deployment d = {
		.runtime_version = version,
		.host = host,
		.accepted = accepted,
		.base_url = base_url,
		.shadow = !sides[i].options.latest,
	};

	snprintf(version, sizeof(version), "%s", known[i].version);
	cr_assert_eq(db_beat(w.db, &d), 0);
}

void start(int i)
{
	if (sides[i].ex)
		return;
	cr_assert_eq(exporter_new(&sides[i].options, &sides[i].ex), 0);
	sides[i].filled = false;
	beat(i);
}

void stop(int i, bool long_ago)
{
	exporter_free(steal(sides[i].ex));
	if (long_ago)
		world_sql(&w,
			  "UPDATE deployment SET heartbeat = '2026-01-01T00:00:00.000Z'"
			  " WHERE runtime_version = '%s'",
			  known[i].version);
}

unsigned long pass_counted(int i, bool full, uint64_t *ret_read)
{
	struct export_counts counts = { 0 };
	struct side *side = &sides[i];

	counted_changes(w.counter);
	exporter_set_latest(side->ex, side->filled, true);
	cr_assert_eq(full ? export_all(side->ex, &counts) : export_changed(side->ex, &counts), 0);
	*ret_read = counts.packages - counts.current;
	export_counts_release(&counts);
	side->filled |= full;
	return counted_changes(w.counter);
}

unsigned long pass(int i, bool full)
{
	uint64_t read;

	return pass_counted(i, full, &read);
}

void run(int i)
{
	start(i);
	pass(i, true);
	pass(i, true);
}

void change(int n)
{
	world_sql(&w, "UPDATE package SET discontinued = 1, replaced_by = 'r%d'", n);
}

bool shows(int i)
{
	return world_has_text(&w, LISTING, known[i].latest);
}

void expect_quiet(void)
{
	uint64_t read;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < SIDES; i++)
			if (sides[i].ex) {
				cr_assert_eq(pass_counted(i, false, &read), 0, "%s",
					     known[i].version);
				cr_assert_eq(read, 0, "%s", known[i].version);
				cr_assert_eq(pass(i, true), 0, "%s", known[i].version);
			}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* latest_test.c - who may write what in latest/: the table of spec, section 16. */
#include <criterion/criterion.h>
#include <string.h>

#include "compiler.h"
#include "deployment.h"
#include "strbuf.h"

/* Versions are A < B < C. */
#define A "2026.01.01"
#define B "2026.02.01"
#define C "2026.03.01"

static struct latest_view view_of(char own[], char *held, char **live)
{
	struct latest_view v = { .own = own, .deployment = true, .filled = true, .settled = true };

	v.held = held;
	v.live = live;
	while (live[v.n_live])
		v.n_live++;
	return v;
}

Test(latest, an_object_is_left_to_the_newer_deployment_that_wrote_it_while_it_or_another_lives)
{
	static char a[] = A, b[] = B, c[] = C;
	static const struct {
		char *own, *live[4];
		const char *mark;
		bool settled, yields;
	} rows[] = {
		/* no mark, the own, an older one, and what is no version */
		{ b, { c, b, a }, NULL, true, false },
		{ b, { c, b, a }, b, true, false },
		{ b, { c, b, a }, a, true, false },
		{ b, { c, b }, "hand", true, false },
		{ b, { c, b }, "9999", true, false },
		/* a newer one that is live */
		{ b, { c, b }, c, true, true },
		{ b, { c, b }, c, false, true },
		{ a, { b, a }, b, true, true },
		/* a newer one that is not live any more */
		{ b, { b }, c, true, false },
		{ b, { b, a }, c, true, false },
		{ b, { b }, c, false, true },
		/* and that yet another one takes over */
		{ a, { b, a }, c, true, true },
		{ a, { c, a }, b, true, true },
		/* none of the marks matters to the newest one */
		{ c, { c, b, a }, b, false, false },
		{ c, { c, b, a }, a, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *live[5] = { NULL };
		struct latest_view v;

		memcpy(live, rows[i].live, sizeof(rows[i].live));
		v = view_of(rows[i].own, NULL, live);
		v.settled = rows[i].settled;
		cr_assert_eq(latest_yields(&v, rows[i].mark), rows[i].yields, "row %zu", i);
		cr_assert_not(latest_is_closed(&v, NULL), "row %zu", i);
		v.held = rows[i].own;
		cr_assert_not(latest_yields(&v, rows[i].mark), "held at its own, row %zu", i);
	}
}

Test(latest, it_is_closed_to_all_but_take_downs_where_another_one_keeps_it)
{
	static char a[] = A, b[] = B;
	static const struct {
		char *own, *held, *live[3];
		bool deployment, filled, retired;
		const char *why; /* NULL: it is open */
	} rows[] = {
		{ a, NULL, { a }, true, true, false, NULL },
		{ a, NULL, { b, a }, true, true, false, NULL },
		{ a, NULL, { a }, true, false, false, A "/ has to be whole first" },
		{ a, NULL, { b }, true, true, true, "the deployment " A " is retired" },
		{ a, a, { b, a }, true, true, false, NULL },
		{ a, a, { b }, true, true, true, NULL },
		{ b, a, { b, a }, true, true, false, "latest/ is held at " A },
		/* a command that is run once */
		{ a, NULL, { NULL }, false, false, false, NULL },
		{ a, NULL, { a }, false, false, false, NULL },
		{ a, NULL, { NULL }, false, false, true, NULL },
		{ a, NULL, { b, a }, false, false, false, "the deployment " B " keeps latest/" },
		{ b, NULL, { a }, false, false, false, "the deployment " A " keeps latest/" },
		{ NULL, NULL, { a }, false, false, false, "the deployment " A " keeps latest/" },
		{ a, a, { b }, false, false, false, NULL },
		{ b, a, { b }, false, false, false, "latest/ is held at " A },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(strbuf_release) struct strbuf why = STRBUF_INIT(1024);
		char *live[4] = { NULL };
		struct latest_view v;

		memcpy(live, rows[i].live, sizeof(rows[i].live));
		v = view_of(rows[i].own, rows[i].held, live);
		v.deployment = rows[i].deployment;
		v.filled = rows[i].filled;
		v.retired = rows[i].retired;
		cr_assert_eq(latest_is_closed(&v, &why), rows[i].why != NULL, "row %zu", i);
		cr_assert_str_eq(why.len ? why.buf : "", rows[i].why ? rows[i].why : "", "row %zu",
				 i);
	}
}

Test(latest, it_is_kept_and_taken_over_from_who_kept_it_before)
{
	static char a[] = A, b[] = B;
	static const struct {
		char *held, *live[3], *held_now, *live_now[3];
		bool keeps, takes_over;
	} rows[] = {
		{ NULL, { b, a }, NULL, { a }, true, true },
		{ NULL, { a }, NULL, { a }, true, false },
		{ NULL, { a }, NULL, { b, a }, false, false },
		{ NULL, { b, a }, NULL, { b, a }, false, false },
		{ NULL, { NULL }, NULL, { a }, true, false },
		{ NULL, { a }, NULL, { NULL }, false, false },
		{ b, { b, a }, NULL, { a }, true, true },
		{ b, { a }, a, { a }, true, true },
		{ a, { b, a }, NULL, { b, a }, false, false },
		{ NULL, { b, a }, a, { b, a }, true, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *live[4] = { NULL }, *live_now[4] = { NULL };
		struct latest_view before, now;

		memcpy(live, rows[i].live, sizeof(rows[i].live));
		memcpy(live_now, rows[i].live_now, sizeof(rows[i].live_now));
		before = view_of(a, rows[i].held, live);
		now = view_of(a, rows[i].held_now, live_now);
		cr_assert_eq(latest_view_takes_over(&before, &now), rows[i].takes_over, "row %zu",
			     i);
		cr_assert_eq(latest_view_keeps(&now), rows[i].keeps, "row %zu", i);
	}
}

Test(latest, two_views_are_the_same_where_nothing_that_decides_differs)
{
	static char a[] = A, b[] = B, c[] = C;
	static const struct {
		char *live[3], *held;
		bool retired, same;
	} rows[] = {
		{ { c, b }, a, true, true },
		{ { c, b }, a, false, false },
		{ { c, b }, b, true, false },
		{ { c, b }, NULL, true, false },
		{ { c, a }, a, true, false },
		{ { c }, a, true, false },
		{ { c, b, a }, a, true, false },
	};
	char *first[] = { c, b, NULL };
	struct latest_view one = view_of(a, a, first);

	one.retired = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *live[4] = { NULL };
		struct latest_view other;

		memcpy(live, rows[i].live, sizeof(rows[i].live));
		other = view_of(a, rows[i].held, live);
		other.retired = rows[i].retired;
		cr_assert_eq(latest_view_same(&one, &other), rows[i].same, "row %zu", i);
		cr_assert_eq(latest_view_same(&other, &one), rows[i].same, "row %zu", i);
	}
}
